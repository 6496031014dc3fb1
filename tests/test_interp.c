/* The loop interpreter against plain C: hand-written loops, and a walker below that takes the
 * meaning of ir/loop.h word for word, one element at a time, without strips, joins or offsets. */
#include "runtime/interp.h"
#include "tests/random_nest.h"

#include "ir/mathfn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static Kernel *parse(Arena *a, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "t.k", text, &d);
    Kernel *k = kernel_parse(&l);
    if (!k) fail_msg("%s\n%s", d.text, text);
    return k;
}

/* ---- the walker -------------------------------------------------------------------------- */

typedef struct Walker {
    const Kernel *k;
    void *memory[16];
    int64_t var[256];
    bool fma;
} Walker;

static float muladd(float x, float y, float z, bool fma) {
    if (fma) return fmaf(x, y, z);
    volatile float product = x * y;
    return product + z;
}

static int64_t affine_value(const Walker *w, const Affine *x) {
    int64_t v = x->base;
    for (int i = 0; i < x->n; i++) v += x->term[i].coef * w->var[x->term[i].var];
    return v;
}

static float value(Walker *w, const Expr *e);

static int64_t take_value(Walker *w, const TakeIndex *take) {
    if (!take || !take->index) return 0;
    float v = value(w, take->index);
    if (!(v > 0)) return 0;
    return v >= (float)take->limit ? take->limit - 1 : (int64_t)v;
}

static void *element(Walker *w, int buf, const Affine *sub, const TakeIndex *take) {
    const Type *t = &w->k->buf[buf].type;
    int64_t at = 0;
    for (int i = 0; i < t->rank; i++) {
        int64_t s = affine_value(w, &sub[i]) + take_value(w, take ? &take[i] : NULL);
        assert_true(s >= 0 && s < t->axis[i].extent);
        at = at * t->axis[i].extent + s;
    }
    return (char *)w->memory[buf] + (size_t)at * dtype_bytes(t->dtype);
}

static float element_get(DType t, const void *p) {
    switch (t) {
    case DT_F32: return *(const float *)p;
    case DT_I64: return (float)*(const int64_t *)p;
    case DT_I32: return (float)*(const int32_t *)p;
    case DT_U8:
    case DT_BOOL: return (float)*(const uint8_t *)p;
    }
    return 0;
}

/* Toward zero and into lo … hi, where hi is the largest of the type and limit the power of two above it. */
static int64_t whole(float v, int64_t lo, int64_t hi, double limit) {
    if (isnan(v)) return 0;
    if ((double)v >= limit) return hi;
    return (double)v <= (double)lo ? lo : (int64_t)v;
}

static void element_set(DType t, void *p, float v) {
    switch (t) {
    case DT_F32: *(float *)p = v; break;
    case DT_I64: *(int64_t *)p = whole(v, INT64_MIN, INT64_MAX, 0x1p63); break;
    case DT_I32: *(int32_t *)p = (int32_t)whole(v, INT32_MIN, INT32_MAX, 0x1p31); break;
    case DT_U8: *(uint8_t *)p = (uint8_t)whole(v, 0, 255, 256); break;
    case DT_BOOL: *(uint8_t *)p = isnan(v) || v < 0 || v > 0; break;
    }
}

typedef union Word {
    float f;
    uint32_t u;
} Word;

static float math_value(Fn fn, const float *arg, bool fma) {
    const MathProgram *p = math_program(fn);
    Word r[256] = {{0}};
    for (int i = 0; i < p->n; i++) {
        const MathIns *m = &p->ins[i];
        Word a = r[m->a], b = r[m->b], c = r[m->c], d = r[m->d], *y = &r[i];
        switch (m->op) {
        case MATH_IN: y->f = arg[m->i]; break;
        case MATH_FLOAT: y->f = m->f; break;
        case MATH_INT: y->u = (uint32_t)m->i; break;
        case MATH_ADD: y->f = a.f + b.f; break;
        case MATH_SUB: y->f = a.f - b.f; break;
        case MATH_MUL: y->f = a.f * b.f; break;
        case MATH_DIV: y->f = a.f / b.f; break;
        case MATH_FMA: y->f = muladd(a.f, b.f, c.f, fma); break;
        case MATH_MAX: *y = a.f > b.f ? a : b; break;
        case MATH_MIN: *y = a.f < b.f ? a : b; break;
        case MATH_LT: *y = c.f < d.f ? a : b; break;
        case MATH_BITS: *y = a; break;
        case MATH_UNBITS: *y = a; break;
        case MATH_IADD: y->u = a.u + b.u; break;
        case MATH_ISUB: y->u = a.u - b.u; break;
        case MATH_IAND: y->u = a.u & b.u; break;
        case MATH_IOR: y->u = a.u | b.u; break;
        case MATH_ISHL: y->u = a.u << m->i; break;
        case MATH_ISHR: y->u = a.u >> m->i; break;
        case MATH_ISAR: y->u = (uint32_t)((int32_t)a.u >> m->i); break;
        case MATH_ITOF: y->f = (float)(int32_t)a.u; break;
        }
    }
    return r[p->n - 1].f;
}

static float call_value(Walker *w, const Expr *e) {
    float v[4] = {0};
    for (int i = 0; i < fn_args(e->fn); i++) v[i] = value(w, e->arg[i]);
    switch (e->fn) {
    case FN_NEG: return -v[0];
    case FN_ABS: return fabsf(v[0]);
    case FN_SQRT: return sqrtf(v[0]);
    case FN_EXP:
    case FN_LOG:
    case FN_TANH:
    case FN_SIGMOID:
    case FN_ERF:
    case FN_EXPM1:
    case FN_LOG1P:
    case FN_POW: return math_value(e->fn, v, w->fma);
    case FN_ADD: return v[0] + v[1];
    case FN_SUB: return v[0] - v[1];
    case FN_MUL: return v[0] * v[1];
    case FN_DIV: return v[0] / v[1];
    case FN_MAX: return v[0] > v[1] ? v[0] : v[1];
    case FN_MIN: return v[0] < v[1] ? v[0] : v[1];
    case FN_FMA: return muladd(v[0], v[1], v[2], w->fma);
    case FN_LT: return v[0] < v[1] ? v[2] : v[3];
    case FN_LE: return v[0] <= v[1] ? v[2] : v[3];
    case FN_EQ: return v[0] == v[1] ? v[2] : v[3];
    case FN_COUNT: break;
    }
    fail();
    return 0;
}

static float value(Walker *w, const Expr *e) {
    switch (e->kind) {
    case EXPR_CONST: return e->value;
    case EXPR_LOAD: return element_get(w->k->buf[e->buf].type.dtype, element(w, e->buf, e->sub, e->take));
    case EXPR_INDEX: return (float)affine_value(w, e->sub);
    case EXPR_TABLE: return w->k->table[e->buf].v[affine_value(w, e->sub)];
    case EXPR_CALL: return call_value(w, e);
    }
    return 0;
}

static void store(Walker *w, const Stmt *s) {
    const Expr *e = s->value;
    if (s->op == STORE_ADD && e->kind == EXPR_CALL && e->fn == FN_MUL) {
        float x = value(w, e->arg[0]), y = value(w, e->arg[1]), *to = element(w, s->buf, s->sub, NULL);
        *to = muladd(x, y, *to, w->fma);
        return;
    }
    DType t = w->k->buf[s->buf].type.dtype;
    if (s->op == STORE_SET && e->kind == EXPR_LOAD && w->k->buf[e->buf].type.dtype == t) {
        void *from = element(w, e->buf, e->sub, e->take);
        memmove(element(w, s->buf, s->sub, NULL), from, dtype_bytes(t));
        return;
    }
    float v = value(w, e), *to = element(w, s->buf, s->sub, NULL);
    if (s->op == STORE_SET) element_set(t, to, v);
    else if (s->op == STORE_ADD) *to += v;
    else *to = *to > v ? *to : v;
}

static bool passes(const Walker *w, const Guard *g) {
    int64_t at = affine_value(w, &g->form);
    return g->lo <= at && at < g->hi;
}

static void walk(Walker *w, const Stmt *s) {
    for (; s; s = s->next) {
        switch (s->kind) {
        case STMT_FOR:
            for (w->var[s->var] = 0; w->var[s->var] < w->k->var[s->var].extent; w->var[s->var]++)
                if (!s->guard || passes(w, s->guard)) walk(w, s->body);
            break;
        case STMT_PREFETCH: break;
        case STMT_STORE: store(w, s); break;
        case STMT_ALLOC: {
            int64_t n = type_memory_elements(&w->k->buf[s->buf].type);
            w->memory[s->buf] = mem_alloc(sizeof(float) * (size_t)n);
            for (int64_t i = 0; i < n; i++) ((float *)w->memory[s->buf])[i] = NAN;
            walk(w, s->body);
            mem_free(w->memory[s->buf]);
            break;
        }
        }
    }
}

/* Interpreter and walker on the same data; the tasks in `parts` calls. */
static void compare(const Kernel *k, uint64_t seed, bool fma, int parts) {
    uint64_t again = seed;
    void **got = random_buffers(k, &seed), **want = random_buffers(k, &again);
    Walker w = {.k = k, .fma = fma};
    assert_true(k->n_buf <= (int)COUNT_OF(w.memory) && k->n_var <= (int)COUNT_OF(w.var));
    for (int i = 0; i < k->n_param; i++) w.memory[i] = want[i];
    walk(&w, k->body);
    int64_t tasks = kernel_tasks(k);
    Diag d = {0};
    for (int i = 0; i < parts; i++)
        if (!interp_run(k, got, tasks * i / parts, tasks * (i + 1) / parts, fma, &d)) fail_msg("%s", d.text);
    const char *difference = random_buffers_difference(k, want, got, 0);
    if (difference) fail_msg("%s\n%s", difference, kernel_text(k->arena, k));
    random_buffers_free(k, got);
    random_buffers_free(k, want);
}

/* ---- against the walker ------------------------------------------------------------------ */

static void test_random(void **state) {
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 600; i++) {
        Arena *a = arena_open(NULL);
        Kernel *k = random_nest(a, &seed);
        compare(k, seed, i % 2, 1 + i % 3);
        arena_close(a);
    }
}

/* Each a way to be wrong: the order of stores, strips, joined loops, marks, lives. */
static const char *const bodies[] = {
    "for i 999 { y[i + 1] = y[i] + x[i]; }",
    "for i 999 { y[i] = y[i + 1] + x[i]; }",
    "for i 999 { y[i] = x[i]; } for i 990 { y[i + 7] = y[i]*0.5; }",
    "for i 999 { y[i] = x[i]; } for i 300 { y[3*i + 6] = y[3*i]*0.5 + y[3*i + 1]; }",
    "for i 999 { y[i] = x[i]; } for i 900 { y[i + 90] += y[i]*y[i]; }",
    "for i 999 { y[i] = x[i]; } for i 900 { y[990 - i] += y[985 - i]; y[i] max= y[i + 3]; }",
    "for i 999 { y[i] = x[i]; } for i 400 { y[2*i] = y[i] + 1; }",
    "for i 999 { y[0] = y[0]*0.5 + x[i]; }",
    "for i 999 { y[0] += x[i]; } for i 999 { y[1] += x[i]*x[999 - i]; } for i 999 { y[2] max= x[i]; } for i 999 { y[3] "
    "= x[i]; }",
    "for i 999 { y[0] += y[0]*x[i]; }",
    "for i 30 { for j 30 { y[30*i + j] = exp(x[30*i + j]); } }",
    "for i 30 { for j 20 { for l 10 { y[l] += x[20*i + j]*x[10*j + l]; } } }",
    "for i 10 { for j 10 { for l 10 { y[100*i + 10*j + l] = index(100*i + 10*j + l) + x[10*j + l]; } } }",
    "for i 70 { for j 3 { y[3*i + j] += x[i]*x[3*i + j]; } }",
    "for i 25 { for j 40 { y[25*j + i] += x[40*i + j]*x[i]; } }",
    "par i 5 { par j 7 { for l 1 { y[7*i + j + l] = x[j]; } } } par i 3 { y[100 + i] = x[i]; } y[200] = x[1]; par i 1 "
    "{ for j 9 { y[300 + j] = x[i]; } }",
    "par i 4 { reg r : f32[o16] { vec o 16 { r[o] = x[o]; } for c 9 { vec o 16 { r[o] += x[c + i]*x[16*c + o]; } } vec "
    "o 16 { y[16*i + o] = r[o]; } } }",
    "for i 3 { scratch m : f32[w5] { m[i] = x[i]; for j 5 { y[5*i + j] = m[j]; } } }",
    "y[5] = select(x[0] < nan, 1, 2); y[6] = max(nan, 1); y[7] = max(1, nan); y[8] = min(nan, 1); y[9] = neg(nan)*0; "
    "y[10] = select(nan == nan, 1, 2);",
    "for i 4 { y[i] = nan; y[i] max= x[i]; y[i + 10] = x[i]; y[i + 10] max= nan; }",
    "for i 100 { y[i] = max(t0, t0*t0) - t0/(t0 + 3) with t0 = x[i] - x[99 - i]; }",
    "for i 100 { y[i] = fma(x[i], x[2*i], x[3*i]) + log(x[i])*sigmoid(sqrt(x[i]))/tanh(exp(neg(abs(x[i])))); }",
    "for i 1 { for j 1 { y[i + j] += x[j]*x[i]; } }",
};

static void test_bodies(void **state) {
    Arena *a = *state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        Kernel *k =
            parse(a, arena_printf(a, "kernel k%zu(in x : f32[n1000], out y : f32[n1000]) { %s }", i, bodies[i]));
        for (int fma = 0; fma < 2; fma++)
            for (int parts = 1; parts < 5; parts++) compare(k, i + 1, fma, parts);
    }
}

/* ---- against loops written by hand ------------------------------------------------------- */

enum { O = 32, C = 8, H = 6, W = 14 };

static void conv_by_hand(const float *x, const float *w, const float *b, float *y, bool fma) {
    for (int o = 0; o < O; o++)
        for (int h = 0; h < H; h++)
            for (int v = 0; v < W; v++) {
                float sum = b[o];
                for (int c = 0; c < C; c++)
                    for (int i = 0; i < 3; i++)
                        for (int j = 0; j < 3; j++)
                            sum = muladd(x[(c * (H + 2) + h + i) * (W + 2) + v + j], w[((o * C + c) * 3 + i) * 3 + j],
                                         sum, fma);
                y[(o * H + h) * W + v] = sum > 0 ? sum : 0;
            }
}

/* A plain nest and a scheduled one with the same order of the sum give the same bits. */
static const char *const convs[] = {
    "for o 32 { for h 6 { for w 14 { y[o, h, w] = b[o]; for c 8 { for i 3 { for j 3 { y[o, h, w] += x[c, h + i, w + "
    "j]*w[o, c, i, j]; } } }"
    " y[o, h, w] = max(y[o, h, w], 0); } } }",
    "par O 2 { par h 6 { for W 2 { reg r : f32[w7 o16] { unroll w 7 { vec o 16 { r[w, o] = b[16*O + o]; } }"
    " for c 8 { for i 3 { for j 3 { unroll w 7 { vec o 16 { r[w, o] += x[c, h + i, 7*W + w + j]*w[16*O + o, c, i, j]; "
    "} } } } }"
    " unroll w 7 { vec o 16 { y[16*O + o, h, 7*W + w] = max(r[w, o], 0); } } } } } }",
};

static void test_conv(void **state) {
    Arena *a = *state;
    for (size_t i = 0; i < COUNT_OF(convs); i++) {
        Kernel *k = parse(a, arena_printf(a,
                                          "kernel conv(in x : f32[c8 h8 w16], in w : f32[o32 c8 h3 w3], in b : "
                                          "f32[o32], out y : f32[o32 h6 w14]) { %s }",
                                          convs[i]));
        for (int fma = 0; fma < 2; fma++) {
            static float want[O * H * W];
            uint64_t seed = 3;
            void **buf = random_buffers(k, &seed);
            conv_by_hand(buf[0], buf[1], buf[2], want, fma);
            assert_true(interp_run(k, buf, 0, kernel_tasks(k), fma, NULL));
            assert_memory_equal(buf[3], want, sizeof want);
            random_buffers_free(k, buf);
        }
    }
}

/* The two roundings differ, so the flag does something: 1 + 2^-12 squared, minus its rounding. */
static void test_fma(void **state) {
    Arena *a = *state;
    float x = 1 + 0x1p-12f, rounded = x * x;
    Kernel *k = parse(
        a, "kernel k(in x : f32[n2], out y : f32[n4]) { for n 1 { y[0] = neg(x[1]); y[0] += x[0]*x[0];"
           " y[1] = fma(x[0], x[0], -x[1]); y[2] = x[0]*x[0] - x[1]; y[3] = neg(x[1]); y[3] += x[0]*x[0] + 0; } }");
    for (int fma = 0; fma < 2; fma++) {
        float in[] = {x, rounded}, y[4];
        assert_true(interp_run(k, (void *[]){in, y}, 0, 1, fma, NULL));
        float want = fma ? 0x1p-24f : 0;
        assert_true(y[0] == want && y[1] == want && y[2] == 0 && y[3] == 0);
    }
}

/* Only the asked tasks run, in whatever parts. */
static void test_tasks(void **state) {
    Arena *a = *state;
    Kernel *k = parse(
        a,
        "kernel k(out y : f32[n20]) { par i 2 { par j 3 { y[3*i + j] = 1; } } y[6] = 1; par i 4 { y[7 + i] = 1; } }");
    int64_t tasks = kernel_tasks(k);
    assert_int_equal(tasks, 11);
    for (int64_t begin = 0; begin <= tasks; begin++) {
        for (int64_t end = begin; end <= tasks; end++) {
            float y[20] = {0};
            assert_true(interp_run(k, (void *[]){y}, begin, end, true, NULL));
            for (int64_t i = 0; i < 20; i++) assert_true(y[i] == (i >= begin && i < end ? 1 : 0));
        }
    }
}

/* ---- failures ---------------------------------------------------------------------------- */

static void test_bounds(void **state) {
    Arena *a = *state;
    static const struct {
        const char *body, *message;
    } row[] = {{"for i 21 { y[i] = 0; }", "interpreter: kernel k accesses elements 0 … 20 of 20"},
               {"for i 3 { y[i] = t[i - 1]; }", "interpreter: kernel k accesses elements -1 … 1 of 2"},
               {"for i 3 { y[i] = y[i + 17] + y[i + 18]; }", "interpreter: kernel k accesses elements 18 … 20 of 20"}};
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        Kernel *k = parse(a, arena_printf(a, "kernel k(out y : f32[n20]) table t = { 1, 2 } { %s }", row[i].body));
        float y[20] = {0};
        Diag d = {0};
        assert_false(interp_run(k, (void *[]){y}, 0, 1, true, &d));
        assert_int_equal(d.kind, DIAG_INTERNAL);
        assert_string_equal(d.text, row[i].message);
    }
}

static void test_no_memory(void **state) {
    Arena *a = *state;
    Kernel *k =
        parse(a, "kernel k(in x : f32[n9], out y : f32[n9]) { scratch m : f32[n90000] { for i 9 { m[i] = tanh(x[i]); }"
                 " for i 9 { y[i] = exp(m[i]); } } }");
    float x[9] = {0}, y[9];
    bool ok = false;
    long live = mem_live();
    for (long n = 1; !ok; n++) {
        Diag d = {0};
        mem_fail_after(n);
        ok = interp_run(k, (void *[]){x, y}, 0, 1, true, &d);
        mem_fail_after(0);
        assert_int_equal(d.kind, ok ? DIAG_NONE : DIAG_MACHINE);
        assert_int_equal(mem_live(), live);
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
        cmocka_unit_test(test_conv),      cmocka_unit_test(test_fma),   cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_random),    cmocka_unit_test(test_tasks), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
