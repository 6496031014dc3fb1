/* Native code against the interpreter, bit for bit: every kernel below for every target that runs
 * here, whole and in parts. */
#include "codegen/compile.h"
#include "codegen/elf.h"
#include "codegen/target.h"
#include "runtime/interp.h"
#include "tests/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const kernels[] = {
    /* plain, halo written as padding, nothing marked */
    "kernel plain(in x : f32[c3 h6<1,1> w7<1,1>], in w : f32[o4 c3 h3 w3], in b : f32[o4], out y : f32[o4 h6 w7]) {"
    " for o 4 { for h 6 { for w 7 { y[o, h, w] = b[o];"
    " for c 3 { for kh 3 { for kw 3 { y[o, h, w] += x[c, h + kh, w + kw] * w[o, c, kh, kw]; } } } } } } }",
    /* register tile, tasks over two loops, maximum at the end */
    "kernel tile(in x : f32[C2 h9 w16 c16], in w : f32[O2 C2 h3 w3 c16 o32], in b : f32[O2 o32], out y : f32[O4 h7 w14 "
    "o16]) {"
    " par O 2 { par h 7 { for wo 2 { reg acc : f32[v2 w7 o16] {"
    " unroll v 2 { unroll wi 7 { vec o 16 { acc[v, wi, o] = b[O, 16*v + o]; } } }"
    " for C 2 { for kh 3 { for kw 3 { for co 4 { unroll ci 4 { unroll wi 7 { unroll v 2 { vec o 16 {"
    " acc[v, wi, o] += x[C, h + kh, 7*wo + wi + kw, 4*co + ci] * w[O, C, kh, kw, 4*co + ci, 16*v + o];"
    " } } } } } } } }"
    " unroll v 2 { unroll wi 7 { vec o 16 { y[2*O + v, h, 7*wo + wi, o] = max(acc[v, wi, o], 0); } } } } } } } }",
    /* lanes that are no power of two, rows of them */
    "kernel lanes(in x : f32[h5 w6], in z : f32[h3 w10], in u : f32[w48], in l : f32[w63], out y : f32[h5 w6],"
    " out q : f32[h3 w10], out v : f32[w48], out m : f32[w63]) {"
    " par h 5 { vec w 6 { y[h, w] = x[h, w] * 3 + 1; } }"
    " for h 3 { vec w 10 { q[h, w] = sqrt(abs(z[h, w])) - z[2 - h, w]; } }"
    " vec w 48 { v[w] = min(u[w], 0.5) / (u[w] + 2); }"
    " vec w 63 { m[w] = -l[w]; } }",
    /* tiles whose vectors do not fit the lanes, read as scalars, moved across */
    "kernel cut(in x : f32[h4 w10], in b : f32[w10], out y : f32[w10], out s : f32[h4], out t : f32[w2 h5]) {"
    " for h 4 { reg a : f32[w10] { vec w 10 { a[w] = x[h, w] * b[w]; }"
    " unroll k 2 { vec w 5 { a[5*k + w] += b[5*k + w]; } }"
    " s[h] = a[0]; unroll w 9 { s[h] += a[w + 1]; } vec w 10 { y[w] = a[9 - w]; }"
    " unroll k 2 { vec w 5 { t[k, w] = a[2*w + k]; } } } } }",
    /* tiles in memory, because a loop over them is rolled; a scratch buffer; lives that repeat */
    "kernel memory(in x : f32[h4 w24], out y : f32[h4 w24]) {"
    " par h 4 { scratch s : f32[w24] { reg a : f32[w24] { for w 24 { a[w] = x[h, 23 - w]; }"
    " vec w 24 { s[w] = a[w] + x[h, w]; } for w 24 { y[h, w] = s[w] * a[23 - w]; } } } } }",
    /* scratch larger than any stack, one buffer inside another, and two that share memory, one after the other */
    "kernel large(in x : f32[h3 w20000], out y : f32[h3 w20000]) {"
    " par h 3 { scratch s : f32[w20000] { for w 20000 { s[w] = x[h, w] + 1; }"
    " scratch t : f32[w100 c200] { for w 100 { for c 200 { t[w, c] = s[200*w + c] * x[h, c]; } }"
    " for c 200 { for w 100 { s[100*c + w] = t[w, c]; } } }"
    " scratch u : f32[w20000] { for w 20000 { u[w] = s[19999 - w]; } for w 20000 { y[h, w] = u[w] - s[w]; } } } } }",
    "kernel lives(in x : f32[w32], out y : f32[w32], out z : f32[w32]) {"
    " unroll k 2 { reg a : f32[w8] { vec w 8 { a[w] = x[16*k + w]; } vec w 8 { y[16*k + w] = a[w] * 2; } } }"
    " for k 2 { reg c : f32[w8] { for w 8 { c[w] = x[16*k + w + 8]; } vec w 8 { z[16*k + w + 8] = c[w] * 3; } } } }",
    /* strides 2, 3, 4 and 7 in loads and stores, backwards, broadcast */
    "kernel strides(in x : f32[w140], out a : f32[w20], out b : f32[w20], out c : f32[w20], out d : f32[w20],"
    " out e : f32[w60], out f : f32[h20 w4]) {"
    " vec w 20 { a[w] = x[2*w] + x[2*w + 1]; } vec w 20 { b[w] = x[3*w + 1]; } vec w 20 { c[w] = x[4*w + 3]; }"
    " vec w 20 { d[w] = x[7*w + 6] * x[139 - 7*w]; } for k 1 { vec w 20 { e[3*w + 1] = x[w]; } vec w 20 { e[3*w] = "
    "x[5]; }"
    " vec w 20 { e[3*w + 2] = x[0] + 1; } } unroll k 4 { vec h 20 { f[h, k] = x[h + 20*k]; } } }",
    /* functions on edge values */
    "kernel functions(in x : f32[w160], out a : f32[w160], out b : f32[w160], out c : f32[w160], out d : f32[w160]) {"
    " par w 10 { vec i 16 { a[16*w + i] = exp(x[16*w + i]); b[16*w + i] = log(x[16*w + i]);"
    " c[16*w + i] = tanh(x[16*w + i]); d[16*w + i] = sigmoid(x[16*w + i]); } } }",
    "kernel scalars(in x : f32[w160], out a : f32[w160], out b : f32[w160], out c : f32[w160], out d : f32[w160]) {"
    " for w 160 { a[w] = exp(x[w]); b[w] = log(x[w]); c[w] = tanh(x[w]); d[w] = sigmoid(x[w]); } }",
    "kernel powers(in x : f32[w1600], in z : f32[w1600], out a : f32[w1600], out b : f32[w1600]) {"
    " par w 100 { vec i 16 { a[16*w + i] = pow(x[16*w + i], z[16*w + i]); } }"
    " for w 1600 { b[w] = pow(abs(x[w]), expm1(z[w])) + erf(x[w])*log1p(x[w]); } }",
    "kernel compare(in x : f32[w160], in z : f32[w160], out a : f32[w160], out b : f32[w160], out c : f32[w160],"
    " out d : f32[w160], out e : f32[w160]) { for q 5 { vec w 32 {"
    " a[32*q + w] = max(x[32*q + w], z[32*q + w]); b[32*q + w] = min(x[32*q + w], z[32*q + w]); c[32*q + w] = "
    "select(x[32*q + w] < z[32*q + w], x[32*q + w], -z[32*q + w]);"
    " d[32*q + w] = select(x[32*q + w] <= z[32*q + w], 1, abs(x[32*q + w])); e[32*q + w] = select(x[32*q + w] == "
    "z[32*q + w], sqrt(x[32*q + w]), fma(x[32*q + w], z[32*q + w], 3)); } } }",
    /* tables, index, max=, and a sum that is no product */
    "kernel pool(in x : f32[c3 h9 w9], out y : f32[c3 h5 w5], out z : f32[c3 h4 w4], out i : f32[c3 w16])"
    " table n = { 4, 6, 6, 6, 4 } table k = { 0.5, -1, nan, inf, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } {"
    " par c 3 { for h 4 { for w 4 { z[c, h, w] = -inf; for a 3 { for b 3 { z[c, h, w] max= x[c, 2*h + a, 2*w + b]; } } "
    "} } }"
    " par c 3 { par h 5 { vec w 5 { y[c, h, w] = x[c, h, w] / n[h] + x[c, h + 4, 2*w - w] * n[w]; } } }"
    " par c 3 { vec w 16 { i[c, w] = index(16*c - 3*w + 50) + k[w + 1] * k[c]; } } }",
    /* a plain dense layer: the sum lives in memory until licm moves it */
    "kernel dense(in x : f32[c50], in w : f32[o30 c50], in b : f32[o30], out y : f32[o30]) {"
    " par o 30 { y[o] = b[o]; for c 50 { y[o] += w[o, c] * x[c]; } y[o] = tanh(y[o]); } }",
    /* par loops that are no tasks, a nest without any, extents of one */
    "kernel nests(in x : f32[h3 w5], out y : f32[h3 w5], out z : f32[w5], out s : f32[n1]) {"
    " par h 3 { par w 5 { y[h, w] = x[h, w] + 1; } } for w 5 { z[w] = x[0, w]; for h 3 { z[w] += x[h, w]; } }"
    " par n 1 { unroll m 1 { s[n] = 7; for w 5 { s[n] += x[m, w] * x[2, 4 - w]; } } } }",
};

enum { N_KERNELS = COUNT_OF(kernels), MAX_PARAMS = 16 };

/* ---- data ------------------------------------------------------------------------------------ */

static const float edges[] = {0.f,           -0.f,           1.f,      -1.f,      0.5f,       -0.5f,
                              INFINITY,      -INFINITY,      NAN,      1e-45f,    -1e-45f,    1.17549435e-38f,
                              3.4028235e38f, -3.4028235e38f, 88.72f,   88.73f,    89.f,       -87.3f,
                              -87.4f,        -103.9f,        -104.f,   -200.f,    9.f,        -9.f,
                              9.1f,          0.0003f,        -0.0004f, 0.999999f, 1.000001f,  2.f,
                              0.70710677f,   0.7071068f,     1e-30f,   1e30f,     16777217.f, 0.69314718f,
                              20.f,          -20.f,          1e-8f};

static unsigned random_state;

static float random_value(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(int)(random_state >> 8) / 8388608.f - 1.f;
}

static void fill(float *v, size_t n, bool with_edges) {
    for (size_t i = 0; i < n; i++) {
        v[i] = random_value() * (i % 3 == 0 ? 10.f : 1.f);
        if (with_edges && i % 2) v[i] = edges[random_state % COUNT_OF(edges)];
        if (with_edges && i < COUNT_OF(edges)) v[i] = edges[i];
    }
}

static bool same(float a, float b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

/* ---- running --------------------------------------------------------------------------------- */

static Kernel *read_kernel(Arena *a, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "test", text, &d);
    Kernel *k = kernel_parse(&l);
    if (!k || !kernel_verify(k, &d)) fail_msg("%s in %.60s", d.text, text);
    return k;
}

typedef struct Data {
    void *native[MAX_PARAMS], *wanted[MAX_PARAMS];
} Data;

static void data_open(Data *data, const Kernel *k) {
    bool with_edges = strstr("functions scalars powers compare", k->name) != NULL;
    for (int i = 0; i < k->n_param; i++) {
        size_t n = type_bytes(&k->buf[i].type);
        data->native[i] = malloc(n);
        data->wanted[i] = malloc(n);
        fill(data->native[i], n / 4, with_edges);
        memcpy(data->wanted[i], data->native[i], n);
    }
}

static void data_check(const Data *data, const Kernel *k, const Target *t) {
    for (int i = 0; i < k->n_param; i++) {
        const float *x = data->native[i], *y = data->wanted[i];
        for (int64_t j = 0; j < type_memory_elements(&k->buf[i].type); j++)
            if (!same(x[j], y[j]))
                fail_msg("%s, %s: %s[%ld] is %.9g, should be %.9g", t->cpu, k->name, k->buf[i].name, (long)j, x[j],
                         y[j]);
    }
}

static void data_close(Data *data, const Kernel *k) {
    for (int i = 0; i < k->n_param; i++) {
        free(data->native[i]);
        free(data->wanted[i]);
    }
}

/* All tasks in `parts` calls, the last part first. */
static void compare(const Kernel *k, const CodeLib *lib, int kernel, const Target *t, int64_t parts) {
    Data data;
    Diag d = {0};
    int64_t tasks = kernel_tasks(k);
    data_open(&data, k);
    for (int64_t p = parts - 1; p >= 0; p--) {
        int64_t begin = tasks * p / parts, end = tasks * (p + 1) / parts;
        code_fn(lib, kernel)(data.native, code_args(lib, kernel), scratch_for(k), begin, end);
        if (!interp_run(k, data.wanted, begin, end, t->fma, &d)) fail_msg("%s", d.text);
        data_check(&data, k, t); /* so a part writes no more than its own */
    }
    data_close(&data, k);
}

static void check_target(const Target *t) {
    Diag d = {0};
    Arena *a = arena_open(&d);
    const Kernel *k[N_KERNELS];
    CodeLib *lib;
    for (int i = 0; i < N_KERNELS; i++) k[i] = read_kernel(a, kernels[i]);
    if (!code_open(&lib, k, N_KERNELS, t, &(CodeOptions){.threads = 2}, &d)) fail_msg("%s", d.text);
    for (int i = 0; i < N_KERNELS; i++) {
        int64_t tasks = kernel_tasks(k[i]);
        compare(k[i], lib, i, t, 1);
        compare(k[i], lib, i, t, 2);
        compare(k[i], lib, i, t, tasks);
        compare(k[i], lib, i, t, tasks + 3); /* empty ranges too */
    }
    code_close(lib);
    arena_close(a);
}

static void test_host(void **state) {
    (void)state;
    Diag d = {0};
    Target t;
    if (!target_host(&t, &d)) fail_msg("%s", d.text);
    assert_true(target_runs_here(&t));
    check_target(&t);
}

static void test_levels(void **state) {
    (void)state;
    static const char *const names[] = {"x86-64",    "x86-64-v2", "sandybridge", "x86-64-v3",
                                        "x86-64-v4", "haswell",   "znver4"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        Diag d = {0};
        Target t;
        if (!target_named(&t, names[i], &d)) fail_msg("%s", d.text);
        if (target_runs_here(&t)) check_target(&t);
        else print_message("%s does not run here: left out\n", names[i]);
    }
}

/* ---- objects --------------------------------------------------------------------------------- */

static void test_objects(void **state) {
    (void)state;
    static const char *const names[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", "sapphirerapids"};
    Arena *a = arena_open(NULL);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        Diag d = {0};
        Target t;
        assert_true(target_named(&t, names[i], &d));
        for (int j = 0; j < N_KERNELS; j++) {
            void *bytes;
            size_t n;
            ElfImage image;
            if (!emit_object(read_kernel(a, kernels[j]), &t, "sym", EMIT_OBJECT, &bytes, &n, &d))
                fail_msg("%s", d.text);
            if (!elf_image(bytes, n, "sym", &image, &d)) fail_msg("%s", d.text);
            elf_image_free(&image);
            mem_free(bytes);
        }
    }
    arena_close(a);
}

static void test_text(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    const Kernel *k = read_kernel(a, kernels[1]);
    Diag d = {0};
    Target t;
    void *bytes;
    size_t n;
    assert_true(target_named(&t, "x86-64-v4", &d));
    assert_true(emit_object(k, &t, "name", EMIT_LLVM, &bytes, &n, &d));
    assert_non_null(strstr(bytes, "alloca <16 x float>"));
    assert_null(strstr(bytes, " fast "));
    mem_free(bytes);
    assert_true(emit_object(k, &t, "name", EMIT_OPTIMIZED, &bytes, &n, &d));
    assert_null(strstr(bytes, "alloca")); /* all of the tile is in registers */
    mem_free(bytes);
    assert_true(emit_object(k, &t, "name", EMIT_ASSEMBLY, &bytes, &n, &d));
    assert_non_null(strstr(bytes, "vfmadd231ps"));
    assert_non_null(strstr(bytes, "zmm"));
    assert_null(strstr(bytes, "call"));
    mem_free(bytes);
    arena_close(a);
}

/* A 3x3 convolution with a tile of `vectors` x `pixels` and a body of `channels`. */
static SpillCount tile_spills(const char *cpu, int vectors, int pixels, int channels) {
    Target t;
    SpillCount s;
    Diag d = {0};
    Arena *a = arena_open(NULL);
    if (!target_named(&t, cpu, &d)) fail_msg("%s", d.text);
    int lanes = target_lanes(&t), block = lanes * vectors;
    char *text =
        arena_printf(a,
                     "kernel tile(in x : f32[C4 h8 w%d c%d], in w : f32[C4 h3 w3 c%d o%d], out y : f32[h6 w%d o%d]) {"
                     " par h 6 { reg acc : f32[w%d o%d] { unroll i %d { vec o %d { acc[i, o] = 0; } }"
                     " for C 4 { for kh 3 { for kw 3 { for co %d { unroll ci %d { unroll i %d { vec o %d {"
                     " acc[i, o] += x[C, h + kh, i + kw, %d*co + ci] * w[C, kh, kw, %d*co + ci, o]; } } } } } } }"
                     " unroll i %d { vec o %d { y[h, i, o] = acc[i, o]; } } } } }",
                     pixels + 2, lanes, lanes, block, pixels, block, pixels, block, pixels, block, lanes / channels,
                     channels, pixels, block, channels, channels, pixels, block);
    if (!codegen_count_spills(read_kernel(a, text), &t, &s, &d)) fail_msg("%s", d.text);
    arena_close(a);
    return s;
}

/* The tiles the scheduler may choose have no spill in their inner loops; too large ones show that
 * the count sees some. */
static void test_spills(void **state) {
    (void)state;
    static const struct {
        const char *cpu;
        int vectors, pixels;
    } tiles[] = {{"x86-64-v4", 2, 14}, {"x86-64-v4", 2, 13}, {"x86-64-v4", 2, 12}, {"x86-64-v4", 2, 8},
                 {"x86-64-v4", 4, 6},  {"x86-64-v4", 4, 4},  {"x86-64-v4", 1, 28}, {"znver4", 2, 14},
                 {"x86-64-v3", 2, 6},  {"x86-64-v3", 2, 5},  {"x86-64-v3", 3, 4},  {"x86-64-v3", 2, 4}};
    for (size_t i = 0; i < COUNT_OF(tiles); i++)
        for (int channels = 1; channels <= 4; channels *= 2) {
            SpillCount s = tile_spills(tiles[i].cpu, tiles[i].vectors, tiles[i].pixels, channels);
            assert_true(s.instructions > 60);
            if (s.inner_stores + s.inner_loads)
                fail_msg("%s, tile %dx%d, %d channels: %d spills, %d reloads in the inner loop", tiles[i].cpu,
                         tiles[i].vectors, tiles[i].pixels, channels, s.inner_stores, s.inner_loads);
        }
    SpillCount s = tile_spills("x86-64-v4", 2, 20, 4);
    assert_true(s.inner_stores > 0 && s.inner_loads > 0 && s.loads >= s.inner_loads);
}

static void refuse(const char *text, DiagKind kind, const char *part) {
    Arena *a = arena_open(NULL);
    Diag d = {0};
    Target t;
    void *bytes;
    size_t n;
    assert_true(target_host(&t, &d));
    assert_false(emit_object(read_kernel(a, text), &t, "sym", EMIT_OBJECT, &bytes, &n, &d));
    assert_int_equal(d.kind, kind);
    assert_null(bytes);
    if (!strstr(d.text, part)) fail_msg("%s", d.text);
    arena_close(a);
}

static void test_refused(void **state) {
    (void)state;
    refuse("kernel big(in x : f32[w9000], out y : f32[w9000]) { reg s : f32[w9000] { for w 9000 { s[w] = x[w]; }"
           " for w 9000 { y[w] = s[w]; } } }",
           DIAG_UNSUPPORTED, "kernel big: buffer s: more than 32 KB on the stack");
    refuse("kernel long(in x : f32[w90000], out y : f32[w90000]) { unroll w 90000 { y[w] = x[w]; } }", DIAG_UNSUPPORTED,
           "kernel long: more than");
}

/* ---- libraries ------------------------------------------------------------------------------- */

static void test_equal_once(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Diag d = {0};
    Target t;
    CodeLib *lib;
    Kernel *k = read_kernel(a, kernels[0]), *other = read_kernel(a, kernels[0]);
    other->name = "other";
    const Kernel *list[] = {k, other, read_kernel(a, kernels[2])};
    assert_true(target_host(&t, &d));
    assert_true(code_open(&lib, list, 3, &t, &(CodeOptions){.threads = 8}, &d));
    assert_int_equal(code_stats(lib)->kernels, 3);
    assert_int_equal(code_stats(lib)->compiled, 2);
    assert_true(code_fn(lib, 0) == code_fn(lib, 1) && code_fn(lib, 0) != code_fn(lib, 2));
    code_close(lib);
    assert_true(code_open(&lib, list, 0, &t, &(CodeOptions){0}, &d));
    code_close(lib);
    arena_close(a);
}

static void test_foreign_target(void **state) {
    (void)state;
    Diag d = {0};
    Target t;
    CodeLib *lib;
    assert_false(target_named(&t, "x86-64-v33", &d));
    assert_int_equal(d.kind, DIAG_USAGE);
    assert_non_null(strstr(d.text, "did you mean 'x86-64-v3'?"));
    d = (Diag){0};
    assert_true(target_named(&t, "haswell", &d));
    memcpy(t.cpu, "future", 7);
    assert_false(code_open(&lib, NULL, 0, &t, &(CodeOptions){0}, &d));
    assert_int_equal(d.kind, DIAG_UNSUPPORTED);
}

/* Whatever request for memory fails, there is a message, nothing crashes and nothing is lost. */
static void test_memory(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    const Kernel *list[] = {read_kernel(a, kernels[3]), read_kernel(a, kernels[10])};
    Target t;
    Diag d = {0};
    assert_true(target_host(&t, &d));
    long before = mem_live();
    for (long n = 1; n < 10000; n++) {
        CodeLib *lib;
        d = (Diag){0};
        mem_fail_after(n);
        bool good = code_open(&lib, list, 2, &t, &(CodeOptions){.threads = 1}, &d);
        mem_fail_after(0);
        if (good) code_close(lib);
        else assert_int_equal(d.kind, DIAG_MACHINE);
        assert_int_equal(mem_live(), before);
        if (good) break;
        assert_true(n < 9999);
    }
    arena_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),       cmocka_unit_test(test_levels),         cmocka_unit_test(test_objects),
        cmocka_unit_test(test_text),       cmocka_unit_test(test_spills),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_equal_once), cmocka_unit_test(test_foreign_target), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
