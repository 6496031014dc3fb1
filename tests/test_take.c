/* Indirect loads and element types: interpreter and native code against values written by hand, and against each
 * other on random kernels under the schedules that are chosen for them. */
#include "codegen/compile.h"
#include "codegen/elf.h"
#include "codegen/target.h"
#include "ir/plan_build.h"
#include "ir/schedule.h"
#include "runtime/interp.h"
#include "tests/random_nest.h"
#include "tests/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const cpus[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", "native"};

static Kernel *parse(Arena *a, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "t.k", text, &d);
    Kernel *k = kernel_parse(&l);
    if (!k) fail_msg("%s\n%s", d.text, text);
    return k;
}

static Kernel *verified(Arena *a, const char *text) {
    Kernel *k = parse(a, text);
    Diag d = {0};
    if (!kernel_verify(k, &d)) fail_msg("%s\n%s", d.text, text);
    return k;
}

/* Interpreted, and as native code for every processor that this one can stand in for; `check` looks at the results. */
static void run_everywhere(const Kernel *k, void **buf, void (*check)(void **buf, const char *how)) {
    Diag d = {0};
    size_t bytes = type_bytes(&k->buf[k->n_param - 1].type);
    void *out = buf[k->n_param - 1];
    memset(out, 0x5A, bytes);
    if (!interp_run(k, buf, 0, kernel_tasks(k), true, &d)) fail_msg("%s", d.text);
    check(buf, "interpreted");
    for (size_t i = 0; i < COUNT_OF(cpus); i++) {
        Target t;
        CodeLib *code;
        assert_true(target_named(&t, cpus[i], &d));
        if (!target_runs_here(&t)) continue;
        if (!code_open(&code, (const Kernel *const[]){k}, 1, &t, &(CodeOptions){.threads = 1}, &d))
            fail_msg("%s", d.text);
        memset(out, 0x5A, bytes);
        code_fn(code, 0)(buf, code_args(code, 0), scratch_for(k), 0, (intptr_t)kernel_tasks(k));
        check(buf, cpus[i]);
        code_close(code);
    }
}

/* ---- indirect loads by hand ---------------------------------------------------------------------- */

static const struct {
    float index;
    int at; /* of 0 … 6 */
} takes[] = {{-INFINITY, 0}, {-3e9f, 0}, {-1, 0},      {-0.5f, 0}, {-0.0f, 0}, {0, 0},          {0.99999994f, 0},
             {1, 1},         {1.5f, 1},  {2.9999f, 2}, {3, 3},     {5.5f, 5},  {5.9999995f, 5}, {6, 6},
             {6.5f, 6},      {7, 6},     {7.5f, 6},    {3e9f, 6},  {1e30f, 6}, {INFINITY, 6},   {NAN, 0}};
enum { N_TAKES = COUNT_OF(takes) };

static void check_takes(void **buf, const char *how) {
    const float *y = buf[2];
    for (int i = 0; i < N_TAKES; i++)
        if (y[i] != (float)(100 + takes[i].at + 2))
            fail_msg("%s: take(%g, 7) is %g", how, (double)takes[i].index, (double)y[i] - 102);
}

static void test_take(void **state) {
    Arena *a = *state;
    float x[9], e[N_TAKES], y[N_TAKES];
    for (int i = 0; i < 9; i++) x[i] = (float)(100 + i);
    for (int i = 0; i < N_TAKES; i++) e[i] = takes[i].index;
    static const char *const marks[] = {"for", "vec", "unroll", "par"};
    for (size_t i = 0; i < COUNT_OF(marks); i++)
        run_everywhere(verified(a, arena_printf(a,
                                                "kernel k(in x : f32[w9], in e : f32[n%d], out y : f32[n%d])"
                                                " { %s n %d { y[n] = x[take(e[n], 7) + 2]; } }",
                                                N_TAKES, N_TAKES, marks[i], N_TAKES)),
                       (void *[]){x, e, y}, check_takes);
}

enum { H = 6, W = 21 };

/* y[h, w] = x[i[h], 20 - w, j[w]] : an index all lanes share, a step against the memory, one a lane */
static void check_axes(void **buf, const char *how) {
    const int32_t *i = buf[1];
    const int64_t *j = buf[2];
    const float *y = buf[3];
    for (int h = 0; h < H; h++)
        for (int w = 0; w < W; w++)
            if (y[h * W + w] != (float)((i[h] * W + W - 1 - w) * W + j[w])) fail_msg("%s: %d %d", how, h, w);
}

static void test_axes(void **state) {
    Arena *a = *state;
    static float x[H * W * W], y[H * W];
    int32_t i[H];
    int64_t j[W];
    for (int n = 0; n < H * W * W; n++) x[n] = (float)n;
    for (int h = 0; h < H; h++) i[h] = (5 * h + 2) % H;
    for (int w = 0; w < W; w++) j[w] = (8 * w + 3) % W;
    static const char *const loops[] = {"for h 6 { for w 21", "for h 6 { vec w 21", "unroll h 6 { vec w 21",
                                        "for w 21 { vec h 6"};
    for (size_t n = 0; n < COUNT_OF(loops); n++)
        run_everywhere(verified(a, arena_printf(a,
                                                "kernel k(in x : f32[c6 h21 w21], in i : i32[h6], in j : i64[w21],"
                                                " out y : f32[h6 w21])"
                                                " { %s { y[h, w] = x[take(i[h], 6), 20 - w, take(j[w], 21)]; } } }",
                                                loops[n])),
                       (void *[]){x, i, j, y}, check_axes);
}

/* Lanes that share the index of a row: whole vectors are loaded, not element by element. */
static void test_contiguous(void **state) {
    Arena *a = *state;
    const Kernel *k = verified(a, "kernel rows(in x : f32[n100 c64], in i : i64[n9], out y : f32[n9 c64])"
                                  " { for n 9 { vec c 64 { y[n, c] = x[take(i[n], 100), c]; } } }");
    Diag d = {0};
    Target t;
    void *text;
    size_t n;
    assert_true(target_named(&t, "x86-64-v4", &d));
    if (!emit_object(k, &t, "rows", EMIT_OPTIMIZED, &text, &n, &d)) fail_msg("%s", d.text);
    assert_non_null(strstr(text, "load <16 x float>"));
    assert_null(strstr(text, "insertelement"));
    mem_free(text);
}

/* ---- element types by hand ------------------------------------------------------------------------ */

static const struct {
    float v;
    int64_t i64;
    int32_t i32;
    uint8_t u8, truth;
} stores[] = {{0, 0, 0, 0, 0},
              {-0.0f, 0, 0, 0, 0},
              {0.99999994f, 0, 0, 0, 1},
              {-0.99999994f, 0, 0, 0, 1},
              {1.5f, 1, 1, 1, 1},
              {-1.5f, -1, -1, 0, 1},
              {254.99998f, 254, 254, 254, 1},
              {255, 255, 255, 255, 1},
              {256, 256, 256, 255, 1},
              {16777216, 16777216, 16777216, 255, 1},
              {2147483520.f, 2147483520, 2147483520, 255, 1},
              {2147483648.f, 2147483648, INT32_MAX, 255, 1},
              {-2147483648.f, INT32_MIN, INT32_MIN, 0, 1},
              {-2147483904.f, -2147483904, INT32_MIN, 0, 1},
              {0x1.fffffep62f, 0x7FFFFF8000000000, INT32_MAX, 255, 1},
              {0x1p63f, INT64_MAX, INT32_MAX, 255, 1},
              {-0x1p63f, INT64_MIN, INT32_MIN, 0, 1},
              {3e38f, INT64_MAX, INT32_MAX, 255, 1},
              {-3e38f, INT64_MIN, INT32_MIN, 0, 1},
              {INFINITY, INT64_MAX, INT32_MAX, 255, 1},
              {-INFINITY, INT64_MIN, INT32_MIN, 0, 1},
              {1e-45f, 0, 0, 0, 1},
              {NAN, 0, 0, 0, 1}};
enum { N_STORES = COUNT_OF(stores) };

static void check_store(const char *type, const char *how, int i, int64_t is, int64_t wanted) {
    if (is != wanted)
        fail_msg("%s: %g as %s is %lld, not %lld", how, (double)stores[i].v, type, (long long)is, (long long)wanted);
}

static void check_i64(void **buf, const char *how) {
    for (int i = 0; i < N_STORES; i++) check_store("i64", how, i, ((int64_t *)buf[1])[i], stores[i].i64);
}
static void check_i32(void **buf, const char *how) {
    for (int i = 0; i < N_STORES; i++) check_store("i32", how, i, ((int32_t *)buf[1])[i], stores[i].i32);
}
static void check_u8(void **buf, const char *how) {
    for (int i = 0; i < N_STORES; i++) check_store("u8", how, i, ((uint8_t *)buf[1])[i], stores[i].u8);
}
static void check_bool(void **buf, const char *how) {
    for (int i = 0; i < N_STORES; i++) check_store("bool", how, i, ((uint8_t *)buf[1])[i], stores[i].truth);
}

static void test_stores(void **state) {
    Arena *a = *state;
    static const struct {
        const char *type;
        void (*check)(void **buf, const char *how);
    } row[] = {{"i64", check_i64}, {"i32", check_i32}, {"u8", check_u8}, {"bool", check_bool}};
    float x[N_STORES];
    int64_t y[N_STORES];
    for (int i = 0; i < N_STORES; i++) x[i] = stores[i].v;
    for (size_t i = 0; i < COUNT_OF(row); i++)
        for (int vec = 0; vec < 2; vec++)
            run_everywhere(
                verified(a, arena_printf(a, "kernel k(in x : f32[n%d], out y : %s[n%d]) { %s n %d { y[n] = x[n]; } }",
                                         N_STORES, row[i].type, N_STORES, vec ? "vec" : "for", N_STORES)),
                (void *[]){x, y}, row[i].check);
}

static const int64_t wide[] = {
    0,          1,         -1,        16777216,           16777217,           16777219,           -16777217,
    4294967296, INT64_MAX, INT64_MIN, 0x4000004000000000, 0x4000004000000001, 1234567890123456789};
static const float nearest[] = {0,
                                1,
                                -1,
                                16777216,
                                16777216,
                                16777220,
                                -16777216,
                                4294967296.f,
                                0x1p63f,
                                -0x1p63f,
                                0x1p62f,
                                0x1.000002p62f,
                                1234567939550609408.f};

static void check_nearest(void **buf, const char *how) {
    for (size_t i = 0; i < COUNT_OF(wide); i++)
        if (((float *)buf[1])[i] != nearest[i])
            fail_msg("%s: %lld is %.9g", how, (long long)wide[i], (double)((float *)buf[1])[i]);
}

static void check_moved(void **buf, const char *how) {
    if (memcmp(buf[1], wide, sizeof wide) != 0) fail_msg("%s: bits have changed", how);
}

static void test_loads(void **state) {
    Arena *a = *state;
    int64_t x[COUNT_OF(wide)], y[COUNT_OF(wide)];
    memcpy(x, wide, sizeof x);
    static const char *const marks[] = {"for", "vec"};
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        run_everywhere(
            verified(a, arena_printf(a, "kernel k(in x : i64[n13], out y : f32[n13]) { %s n 13 { y[n] = x[n]; } }",
                                     marks[i])),
            (void *[]){x, y}, check_nearest);
        run_everywhere(
            verified(a, arena_printf(a, "kernel k(in x : i64[n13], out y : i64[n13]) { %s n 13 { y[n] = x[n]; } }",
                                     marks[i])),
            (void *[]){x, y}, check_moved);
        run_everywhere(verified(a, arena_printf(a,
                                                "kernel k(in x : i64[n13], out y : i64[n13])"
                                                " { %s n 13 { y[n] = x[take(index(n), 13)]; } }",
                                                marks[i])),
                       (void *[]){x, y}, check_moved);
    }
}

static void check_bytes(void **buf, const char *how) {
    const float want[] = {0, 1, 127, 128, 200, 255};
    if (memcmp(buf[1], want, sizeof want) != 0) fail_msg("%s: bytes are not 0 … 255", how);
}

static void check_words(void **buf, const char *how) {
    const float want[] = {0, -1, 16777216, -2147483648.f, 2147483648.f, 2147483520.f};
    if (memcmp(buf[1], want, sizeof want) != 0) fail_msg("%s: i32 to f32", how);
}

static void test_narrow_loads(void **state) {
    Arena *a = *state;
    uint8_t bytes[] = {0, 1, 127, 128, 200, 255};
    int32_t words[] = {0, -1, 16777217, INT32_MIN, INT32_MAX, 2147483520};
    float y[6];
    for (int vec = 0; vec < 2; vec++) {
        const char *mark = vec ? "vec" : "for";
        run_everywhere(
            verified(a, arena_printf(a, "kernel k(in x : u8[n6], out y : f32[n6]) { %s n 6 { y[n] = x[n]; } }", mark)),
            (void *[]){bytes, y}, check_bytes);
        run_everywhere(
            verified(a, arena_printf(a, "kernel k(in x : i32[n6], out y : f32[n6]) { %s n 6 { y[n] = x[n]; } }", mark)),
            (void *[]){words, y}, check_words);
    }
}

/* ---- what is refused ------------------------------------------------------------------------------ */

static const struct {
    const char *body, *message;
} refused[] = {
    {"y[0] = x[take(q[0], 9)];", "kernel k: a subscript of x along axis w runs over 0 … 8, the extent is 8"},
    {"y[0] = x[take(q[0], 8) + 1];", "kernel k: a subscript of x along axis w runs over 1 … 8, the extent is 8"},
    {"for n 3 { y[n] = x[take(q[0], 8) - n]; }",
     "kernel k: a subscript of x along axis w runs over -2 … 7, the extent is 8"},
    {"for n 1 { y[n] = 1; y[n + 1] = y[take(q[0], 1)]; }",
     "kernel k: y is no input: only inputs are loaded indirectly"},
    {"reg r : f32[c4] { r[0] = 1; y[0] = r[take(q[0], 4)]; }",
     "kernel k: r is no input: only inputs are loaded indirectly"},
    {"y[0] = x[take(q[8], 8)];", "kernel k: a subscript of q along axis w runs over 8 … 8, the extent is 8"},
    {"y[0] = x[take(x[take(q[0], 9)], 2)];",
     "kernel k: a subscript of x along axis w runs over 0 … 8, the extent is 8"},
    {"reg r : f32[c4] { y[0] = x[take(r[0], 4)]; r[0] = 1; }", "kernel k: r is read before anything was stored in it"},
    {"vec n 4 { y[n] = x[take(y[3 - n], 4)]; }", "kernel k: two iterations of loop n may touch the same element of y"},
    {"i[0] += 1;", "kernel k: i holds i64: += and max= are for f32"},
    {"i[0] max= x[0];", "kernel k: i holds i64: += and max= are for f32"},
    {"reg r : i32[c4] { r[0] = 1; y[0] = r[0]; }", "kernel k: r holds i32: registers and scratch buffers hold f32"},
    {"scratch r : bool[c4] { r[0] = 1; y[0] = r[0]; }",
     "kernel k: r holds bool: registers and scratch buffers hold f32"},
};

static const struct {
    const char *body, *steps, *message;
} unscheduled[] = {
    {"for n 4 { for w 2 { y[n] += x[take(q[n], 4) + w]; } }", "stage x at n",
     "step 1 'stage x at n': x is read at places that are known at run time only (take)"},
    {"for n 4 { for w 2 { i[n] = j[w]; } }", "stage j at n", "step 1 'stage j at n': j holds i64, a register f32"},
    {"for n 4 { for w 2 { i[n] = j[w]; } }", "stage i at n", "step 1 'stage i at n': i holds i64, a register f32"},
};

static const char *wrap(Arena *a, const char *body) {
    return arena_printf(
        a, "kernel k(in x : f32[w8], in q : f32[w8], in j : i64[w8], out y : f32[w8], out i : i64[w8]) { %s }", body);
}

static void test_refused(void **state) {
    Arena *a = *state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        Diag d = {0};
        assert_false(kernel_verify(parse(a, wrap(a, refused[i].body)), &d));
        assert_int_equal(d.kind, DIAG_INTERNAL);
        assert_string_equal(d.text, refused[i].message);
    }
    for (size_t i = 0; i < COUNT_OF(unscheduled); i++) {
        Diag d = {0};
        assert_false(kernel_schedule(verified(a, wrap(a, unscheduled[i].body)), unscheduled[i].steps, NULL, &d));
        assert_string_equal(d.text, unscheduled[i].message);
    }
}

/* A program may make what no text says. */
static void test_built(void **state) {
    Arena *a = *state;
    static const int64_t limits[] = {0, -1, (int64_t)MAX_TAKE + 1};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        Diag d = {0};
        Type type;
        assert_true(type_make(&type, "w", (int64_t[]){1 << 25}, NULL));
        Kernel *k = kernel_new(a, "built");
        int x = kernel_add_buf(k, "x", BUF_IN, &type), y = kernel_add_buf(k, "y", BUF_OUT, &type);
        Affine zero = affine_const(0);
        TakeIndex take = {expr_const(a, 1), limits[i]};
        k->body = stmt_store(k, y, &zero, STORE_SET, expr_load_take(k, x, &zero, &take));
        assert_false(kernel_verify(k, &d));
        assert_string_equal(d.text, "kernel built: the limit of take(…) along axis w of x is not in 1 … 2^24");
    }
}

/* A register that an index is read from is staged; the expression stays shared. */
static void test_stage_index(void **state) {
    Arena *a = *state;
    Diag d = {0};
    Kernel *k = verified(a, "kernel k(in x : f32[w8], in q : f32[n4], out y : f32[n4 w8])"
                            " { for n 4 { for w 8 { y[n, w] = x[take(t0, 8)]*t0 with t0 = q[n] + index(w); } } }");
    if (!kernel_schedule(k, "stage q at n -> r; split w 3 -> wo wi", NULL, &d)) fail_msg("%s", d.text);
    assert_non_null(
        strstr(kernel_text(a, k), "y[n, 3*wo + wi] = x[take(t0, 8)]*t0 with t0 = r[0] + index(3*wo + wi);"));
    assert_non_null(strstr(kernel_text(a, k), "y[n, 2*wo + wi + 6] = x[take(t0, 8)]*t0"));
}

/* ---- the plan ------------------------------------------------------------------------------------- */

/* What a step may read of an input is all that the indexes can reach. */
static void test_boxes(void **state) {
    Arena *a = *state;
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "t.g", "graph g { x: input() : f32[n2 c20] y: relu(x) : f32[n2 c20] return y = y }", &d);
    Graph *g = graph_parse(&l);
    if (!g) fail_msg("%s", d.text);
    Kernel *k =
        verified(a, "kernel k(in x : f32[n2 c20], out y : f32[n2 c20]) { for n 2 { for c 20 {"
                    " y[n, c] = x[n, 19 - c] + x[n, 3] + x[0, take(x[n, c], 9) + 2] + x[1, take(x[1, 0], 4)]; } } }");
    Node *arg[] = {g->node[0], g->node[1]};
    const Node **node;
    const int *kernel_of;
    Plan *p = plan_build(a, g, &(Lowered){k, arg}, (const Kernel *const[]){k}, 1, &node, &kernel_of);
    if (!plan_verify(p, &d)) fail_msg("%s", d.text);
    Text t = {.arena = a};
    plan_print(&t, p);
    if (!strstr(text_get(&t), "reads [0:0 2:10]") || !strstr(text_get(&t), "reads [1:1 0:3]"))
        fail_msg("%s", text_get(&t));
}

/* ---- chosen schedules ----------------------------------------------------------------------------- */

static const struct {
    const char *text, *vec; /* the loop that must become the vector */
} networks[] = {
    {"kernel embed(in x : f32[n50 c40], in i : i64[n30], out y : f32[n30 c40])"
     " { for n 30 { for c 40 { y[n, c] = x[take(i[n], 50), c]; } } }",
     "vec c"},
    {"kernel gather(in x : f32[n3 c50], in i : i32[c40], out y : f32[n3 c40])"
     " { for n 3 { for c 40 { y[n, c] = x[n, take(i[c], 50)]; } } }",
     "vec c"},
    {"kernel ids(in x : i64[n30 c50], in i : i64[n30 c40], out y : i64[n30 c40])"
     " { for n 30 { for c 40 { y[n, c] = x[n, take(i[n, c], 50)]; } } }",
     "vec c"},
    {"kernel resize(in x : f32[n1 c5 h9 w11], out y : f32[n1 c5 h20 w33])"
     " { for n 1 { for c 5 { for h 20 { for w 33 {"
     " y[n, c, h, w] = x[n, c, take(index(h)*0.45, 9), take(index(w)/3, 11)]; } } } } }",
     "vec w"},
    {"kernel sampled(in x : f32[n1 c6 h9 w9], in p : f32[n1 k9 a2 h7 w7], in w : f32[o20 c6 h3 w3],"
     " out y : f32[n1 o20 h7 w7])"
     " { for n 1 { for o 20 { for h 7 { for w 7 { y[n, o, h, w] = 0; for c 6 { for kh 3 { for kw 3 {"
     " y[n, o, h, w] += x[n, c, take(9*p[n, 3*kh + kw, 0, h, w] + index(h + kh), 9),"
     " take(9*p[n, 3*kh + kw, 1, h, w] + index(w + kw), 9)]*w[o, c, kh, kw]; } } } } } } } }",
     "vec w"},
    {"kernel bags(in x : f32[n50 c40], in i : i64[n9 k7], out y : f32[n9 c40])"
     " { for n 9 { for c 40 { y[n, c] = 0; for k 7 { y[n, c] += x[take(i[n, k], 50), c]; } } } }",
     "vec c"},
    {"kernel count(in x : bool[n9 c400], out y : i64[n9])"
     " { for n 9 { reg s : f32[] { s[] = 0; for c 400 { s[] += x[n, c]; } y[n] = s[]; } } }",
     ""},
};

/* vec NULL: several nests that were never made for each other may have no schedule. */
static void run_chosen(const Kernel *plain, const Target *t, const char *vec, uint64_t seed) {
    Arena *a = plain->arena;
    Diag d = {0};
    Kernel *k = kernel_clone(a, plain);
    Schedule s = schedule_choose(a, plain, t);
    if (!kernel_schedule(k, s.steps, NULL, &d) && vec) fail_msg("%s\n%s", d.text, kernel_text(a, plain));
    if (vec && !strstr(s.steps, vec)) fail_msg("%s has no '%s'", s.steps, vec);
    d = (Diag){0};
    CodeLib *code;
    if (!code_open(&code, (const Kernel *const[]){k}, 1, t, &(CodeOptions){.threads = 1}, &d)) fail_msg("%s", d.text);
    uint64_t again = seed;
    void **x = random_buffers(k, &seed), **y = random_buffers(k, &again);
    if (!interp_run(k, x, 0, kernel_tasks(k), t->fma, &d)) fail_msg("%s", d.text);
    code_fn(code, 0)(y, code_args(code, 0), scratch_for(k), 0, (intptr_t)kernel_tasks(k));
    const char *difference = random_buffers_difference(k, x, y, 0);
    if (difference) fail_msg("%s: %s\n%s", t->cpu, difference, kernel_text(a, k));
    random_buffers_free(k, x);
    random_buffers_free(k, y);
    code_close(code);
}

static void test_chosen(void **state) {
    Arena *a = *state;
    for (size_t i = 0; i < COUNT_OF(networks); i++)
        for (size_t j = 0; j < COUNT_OF(cpus); j++) {
            Diag d = {0};
            Target t;
            assert_true(target_named(&t, cpus[j], &d));
            if (target_runs_here(&t)) run_chosen(verified(a, networks[i].text), &t, networks[i].vec, i + 1);
        }
}

static bool is_typed(const Kernel *k) {
    for (int i = 0; i < k->n_param; i++)
        if (k->buf[i].type.dtype != DT_F32) return true;
    return strstr(kernel_text(k->arena, k), "take(") != NULL;
}

static void test_random(void **state) {
    (void)state;
    uint64_t seed = 23;
    int run = 0;
    for (int i = 0; run < 80; i++) {
        Arena *a = arena_open(NULL);
        Kernel *k = random_nest(a, &seed);
        Diag d = {0};
        Target t;
        assert_true(target_named(&t, cpus[i % (int)COUNT_OF(cpus)], &d));
        if (is_typed(k) && target_runs_here(&t)) run_chosen(k, &t, NULL, seed), run++;
        arena_close(a);
        assert_true(i < 2000);
    }
}

/* No conversion and no gather becomes a call, on any level and for any number of lanes. */
static void test_objects(void **state) {
    Arena *a = *state;
    static const char *const types[] = {"f32", "i64", "i32", "u8", "bool"};
    for (size_t c = 0; c < COUNT_OF(cpus); c++)
        for (size_t i = 0; i < COUNT_OF(types) * COUNT_OF(types); i++) {
            Diag d = {0};
            Target t;
            void *bytes;
            size_t n;
            ElfImage image;
            const char *from = types[i / COUNT_OF(types)], *to = types[i % COUNT_OF(types)];
            assert_true(target_named(&t, cpus[c], &d));
            const Kernel *k = verified(
                a, arena_printf(a,
                                "kernel k(in x : %s[n31], in j : %s[n31], out y : %s[n31], out z : %s[n31],"
                                " out u : %s[n31]) { vec n 31 { y[n] = x[n]; z[n] = x[take(j[n]*2, 31)] + 0.5; }"
                                " for n 31 { u[n] = x[take(j[n], 31)]*j[n]; } }",
                                from, from, to, to, to));
            if (!emit_object(k, &t, "sym", EMIT_OBJECT, &bytes, &n, &d)) fail_msg("%s", d.text);
            if (!elf_image(bytes, n, "sym", &image, &d)) fail_msg("%s", d.text);
            elf_image_free(&image);
            mem_free(bytes);
        }
}

static int open_arena(void **state) {
    *state = arena_open(NULL);
    return *state == NULL;
}

static int close_arena(void **state) {
    arena_close(*state);
    return mem_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),    cmocka_unit_test(test_axes),   cmocka_unit_test(test_contiguous),
        cmocka_unit_test(test_stores),  cmocka_unit_test(test_loads),  cmocka_unit_test(test_narrow_loads),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_built),  cmocka_unit_test(test_stage_index),
        cmocka_unit_test(test_boxes),   cmocka_unit_test(test_chosen), cmocka_unit_test(test_random),
        cmocka_unit_test(test_objects),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
