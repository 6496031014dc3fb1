/* Kernels that share one object: equal but for lifted constants, each with values of its own, all right to
 * the bit; and what keeps kernels apart. */
#include "codegen/compile.h"
#include "codegen/lift.h"
#include "codegen/target.h"
#include "runtime/interp.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_PARAMS = 4 };

static Kernel *read_kernel(Arena *a, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "test", text, &d);
    Kernel *k = kernel_parse(&l);
    if (!k || !kernel_verify(k, &d)) fail_msg("%s in %.200s", d.text, text);
    return k;
}

/* Runs tasks in two parts, the last first, natively and interpreted. */
static void compare(const CodeLib *lib, int which, const Kernel *k, const Target *t) {
    Diag d = {0};
    void *native[MAX_PARAMS], *wanted[MAX_PARAMS];
    for (int i = 0; i < k->n_param; i++) {
        int64_t n = type_memory_elements(&k->buf[i].type);
        float *x = native[i] = malloc((size_t)n * 4), *y = wanted[i] = malloc((size_t)n * 4);
        for (int64_t j = 0; j < n; j++) x[j] = y[j] = (float)((j * 37 + i) % 101) / 64.f - 0.7f;
    }
    int64_t tasks = kernel_tasks(k), cut[] = {0, tasks / 3, tasks};
    for (int p = 1; p >= 0; p--) {
        code_fn(lib, which)(native, code_args(lib, which), scratch_for(k), (intptr_t)cut[p], (intptr_t)cut[p + 1]);
        if (!interp_run(k, wanted, cut[p], cut[p + 1], t->fma, &d)) fail_msg("%s", d.text);
    }
    for (int i = 0; i < k->n_param; i++) {
        if (memcmp(native[i], wanted[i], (size_t)type_memory_elements(&k->buf[i].type) * 4) != 0)
            fail_msg("kernel %d, %s: %s differs", which, k->name, k->buf[i].name);
        free(native[i]);
        free(wanted[i]);
    }
}

/* Opens and runs the kernels on this machine; gives how many objects there were. */
static int run_all(const Kernel *const *k, int n) {
    Target t;
    Diag d = {0};
    CodeLib *lib;
    if (!target_host(&t, &d) || !code_open(&lib, k, n, &t, &(CodeOptions){.threads = 2}, &d)) fail_msg("%s", d.text);
    for (int i = 0; i < n; i++) compare(lib, i, k[i], &t);
    int distinct = code_stats(lib)->distinct;
    if (distinct == 1 && n > 1) {
        assert_true(code_fn(lib, 0) == code_fn(lib, n - 1));
        assert_true(code_args(lib, 0) != code_args(lib, n - 1));
    }
    code_close(lib);
    return distinct;
}

/* A padded 3x3 convolution by a 2x4 tile: the panels of weights and of the result are far apart, a border and a nest
 * for what the tile leaves over. */
static const char *conv_text(Arena *a, const char *name, int blocks, int channels, int height, int tiles) {
    int width = 4 * tiles;
    return arena_printf(
        a,
        "kernel %s(in x : f32[C%d h%d w%d c8], in u : f32[O%d C%d h3 w3 c8 o8], out y : f32[O%d h%d w%d o8]) {"
        " par O %d { par h %d { for wo %d { reg acc : f32[v2 w4 o8] { unroll v 2 { unroll wi 4 { vec o 8 {"
        " acc[v, wi, o] = 0; } } } for C %d { for kh 3 { for kw 3 { unroll c 8 { unroll wi 4 { unroll v 2 { vec o 8 {"
        " acc[v, wi, o] += x[C, h + kh, 4*wo + wi + kw, c]*u[2*O + v, C, kh, kw, c, o]; } } } } } } }"
        " unroll v 2 { unroll wi 4 { vec o 8 { y[2*O + v, h + 1, 4*wo + wi, o] = max(acc[v, wi, o], 0); } } } } } } }"
        " for O %d { for w %d { vec o 8 { y[O, 0, w, o] = -1; } } } }",
        name, channels, height + 2, width + 2, 2 * blocks, channels, 2 * blocks, height + 1, width, blocks, height,
        tiles, channels, 2 * blocks, width);
}

static void test_shared(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    const Kernel *k[] = {read_kernel(a, conv_text(a, "one", 2, 3, 5, 2)),
                         read_kernel(a, conv_text(a, "two", 3, 2, 4, 3)),
                         read_kernel(a, conv_text(a, "three", 5, 6, 2, 7))};
    assert_int_equal(run_all(k, 3), 1);
    arena_close(a);
}

/* Equal texts are equal code, not only equal results. */
static void test_same_bytes(void **state) {
    (void)state;
    static const char *const cpus[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
    Arena *a = arena_open(NULL);
    const Kernel *one = read_kernel(a, conv_text(a, "one", 2, 3, 5, 2));
    const Kernel *two = read_kernel(a, conv_text(a, "two", 4, 7, 9, 5));
    for (size_t i = 0; i < COUNT_OF(cpus); i++) {
        Target t;
        Diag d = {0};
        void *x, *y;
        size_t n, m;
        assert_true(target_named(&t, cpus[i], &d));
        assert_true(emit_object(one, &t, "k", EMIT_OBJECT, &x, &n, &d));
        assert_true(emit_object(two, &t, "k", EMIT_OBJECT, &y, &m, &d));
        assert_true(n == m && memcmp(x, y, n) == 0);
        mem_free(x);
        mem_free(y);
    }
    arena_close(a);
}

/* Rows that are read backwards and at several places, and unrolled loops over many of them. */
static void test_places(void **state) {
    (void)state;
    static const int sizes[][2] = {{3, 40}, {6, 72}, {9, 41}};
    Arena *a = arena_open(NULL);
    const Kernel *k[COUNT_OF(sizes)];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int h = sizes[i][0], w = sizes[i][1];
        k[i] =
            read_kernel(a, arena_printf(a,
                                        "kernel rows(in x : f32[h%d w%d], out y : f32[h%d w%d], out z : f32[h%d w%d]) {"
                                        " par h %d { for w %d { y[h, w] = x[%d - h, w] + x[h, %d - w]*x[0, w]; } }"
                                        " par w %d { unroll h 3 { z[h, w] = x[h, w] - x[%d, w + 1]; } } }",
                                        h, w, h, w, h, w, h, w, h - 1, w - 1, w - 2, h - 1));
    }
    assert_int_equal(run_all(k, COUNT_OF(sizes)), 1);
    arena_close(a);
}

/* Each of these is code of its own. */
static void test_apart(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "out y : f32[h5 w64]) { for h 5 { vec w 64 { y[h, w] = x[h, w] + 1; } } }",
        "out y : f32[h5 w64]) { for h 5 { vec w 64 { y[h, w] = x[h, w] + 2; } } }",
        "out y : f32[h5 w64]) { for h 5 { vec w 64 { y[h, w] = x[h, w] * 2; } } }",
        "out y : f32[h5 w64]) { for h 5 { vec w 64 { y[h, w] += x[h, w] + 2; } } }",
        "out y : f32[h5 w64]) { par h 5 { vec w 64 { y[h, w] = x[h, w] + 1; } } }",
        "out y : f32[h5 w64]) { unroll h 5 { vec w 64 { y[h, w] = x[h, w] + 1; } } }",
        "out y : f32[h5 w64]) { unroll h 4 { vec w 64 { y[h, w] = x[h, w] + 1; } } }",
        "out y : f32[h5 w64]) { for h 5 { vec w 32 { y[h, w] = x[h, w] + 1; } } }",
        "out y : f32[h5 w64]) { for h 5 { vec w 32 { y[h, w] = x[h, 2*w] + 1; } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 64 { y[h, w] = x[h, w] + 1; } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 32 { y[h, w] = x[h, 2*w] + 1; } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 63 { y[h, w] = x[h, w] + x[h, w + 1]; } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 62 { y[h, w] = x[h, w] + x[h, w + 2]; } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 62 { y[h, w] = x[h, 61 - w] + x[h, w + 2]; } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 64 { y[h, w] = x[h, w] + index(w); } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 64 { y[h, w] = x[h, w] + index(2*w); } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 64 { y[h, w] = x[h, take(x[h, w], 64)]; } } }",
        "out y : f32[h5 w64]) { for h 5 { for w 64 { y[h, w] = x[h, take(x[h, w], 60)]; } } }",
        "out y : f32[h5 w64]) table t = { 1, 2, 3, 4, 5 } { for h 5 { for w 64 { y[h, w] = t[h]; } } }",
        "out y : f32[h5 w64]) table t = { 1, 2, 3, 4, 6 } { for h 5 { for w 64 { y[h, w] = t[h]; } } }",
        "out y : f32[h5 w64]) { for h 5 { scratch s : f32[w64] { for w 64 { s[w] = x[h, w]; } for w 64 { y[h, w] = "
        "s[w]; } } } }",
        "out y : f32[h5 w64]) { for h 5 { scratch s : f32[w65] { for w 64 { s[w] = x[h, w]; } for w 64 { y[h, w] = "
        "s[w]; } } } }",
    };
    Arena *a = arena_open(NULL);
    const Kernel *k[COUNT_OF(bodies)];
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        k[i] = read_kernel(a, arena_printf(a, "kernel k(in x : f32[h5 w64], %s", bodies[i]));
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(text_get(&lift_kernel(a, k[i])->text), text_get(&lift_kernel(a, k[j])->text)) == 0)
                fail_msg("shared:\n%s\n%s", bodies[j], bodies[i]);
    assert_int_equal(run_all(k, COUNT_OF(bodies)), COUNT_OF(bodies));
    arena_close(a);
}

/* Element types of equal shapes, and names. */
static void test_types(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    const char *f = "kernel k(in x : f32[w40], out y : f32[w40]) { for w 40 { y[w] = x[w]; } }";
    const char *i = "kernel k(in x : i32[w40], out y : i32[w40]) { for w 40 { y[w] = x[w]; } }";
    const char *g = "kernel other(in u : f32[q50], out v : f32[q50]) { for q 50 { v[q] = u[q]; } }";
    const char *x = text_get(&lift_kernel(a, read_kernel(a, f))->text);
    assert_string_not_equal(x, text_get(&lift_kernel(a, read_kernel(a, i))->text));
    assert_string_equal(x, text_get(&lift_kernel(a, read_kernel(a, g))->text));
    arena_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared), cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_places),
        cmocka_unit_test(test_apart),  cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
