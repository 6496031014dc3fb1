/* The functions of ir/mathfn.c against libm in double: edge cases, and the largest error in ULP over
 * every 1009th float32. With "all" as argument: over all of them (some minutes). */
#include "ir/mathfn.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 256 };

typedef union Word {
    float f;
    uint32_t u;
} Word;

static Word word(float f) { return (Word){.f = f}; }

/* One instruction for a whole batch: a third implementation, apart from interpreter and emitter. */
static void math_step(const MathIns *ins, Word (*r)[BATCH], int at, const float *in, bool fma) {
    const Word *a = r[ins->a], *b = r[ins->b], *c = r[ins->c], *d = r[ins->d];
    Word *y = r[at];
#define EACH(expr)                                                                                                     \
    for (int i = 0; i < BATCH; i++) expr;                                                                              \
    break
    switch (ins->op) {
    case MATH_IN: EACH(y[i].f = in[i]);
    case MATH_FLOAT: EACH(y[i].f = ins->f);
    case MATH_INT: EACH(y[i].u = (uint32_t)ins->i);
    case MATH_ADD: EACH(y[i].f = a[i].f + b[i].f);
    case MATH_SUB: EACH(y[i].f = a[i].f - b[i].f);
    case MATH_MUL: EACH(y[i].f = a[i].f * b[i].f);
    case MATH_DIV: EACH(y[i].f = a[i].f / b[i].f);
    case MATH_FMA: EACH(y[i].f = fma ? fmaf(a[i].f, b[i].f, c[i].f) : a[i].f * b[i].f + c[i].f);
    case MATH_MAX: EACH(y[i] = a[i].f > b[i].f ? a[i] : b[i]);
    case MATH_MIN: EACH(y[i] = a[i].f < b[i].f ? a[i] : b[i]);
    case MATH_LT: EACH(y[i] = c[i].f < d[i].f ? a[i] : b[i]);
    case MATH_BITS: EACH(y[i] = a[i]);
    case MATH_UNBITS: EACH(y[i] = a[i]);
    case MATH_IADD: EACH(y[i].u = a[i].u + b[i].u);
    case MATH_ISUB: EACH(y[i].u = a[i].u - b[i].u);
    case MATH_IAND: EACH(y[i].u = a[i].u & b[i].u);
    case MATH_IOR: EACH(y[i].u = a[i].u | b[i].u);
    case MATH_ISHL: EACH(y[i].u = a[i].u << ins->i);
    case MATH_ISHR: EACH(y[i].u = a[i].u >> ins->i);
    case MATH_ISAR: EACH(y[i].u = (uint32_t)((int32_t)a[i].u >> ins->i));
    case MATH_ITOF: EACH(y[i].f = (float)(int32_t)a[i].u);
    }
#undef EACH
}

static void math_eval(Fn fn, bool fma, const float *in, float *out) {
    static Word r[256][BATCH];
    const MathProgram *p = math_program(fn);
    for (int i = 0; i < p->n; i++) math_step(&p->ins[i], r, i, in, fma);
    for (int i = 0; i < BATCH; i++) out[i] = r[p->n - 1][i].f;
}

static float math_one(Fn fn, bool fma, float x) {
    float in[BATCH] = {x}, out[BATCH];
    math_eval(fn, fma, in, out);
    return out[0];
}

static double exact(Fn fn, double x) {
    if (fn == FN_EXP) return exp(x);
    if (fn == FN_LOG) return log(x);
    if (fn == FN_TANH) return tanh(x);
    if (fn == FN_ERF) return erf(x);
    if (fn == FN_EXPM1) return expm1(x);
    if (fn == FN_LOG1P) return log1p(x);
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

/* |got − want| in units of the last place of a float32 of want's size. */
static double ulp_error(float got, double want) {
    if (isnan(want)) return isnan(got) ? 0 : INFINITY;
    if (got == (float)want) want = isinf(want) || isinf((float)want) ? (double)got : want;
    if (isinf(want) || isinf((double)got)) return (double)got == want ? 0 : INFINITY;
    int e;
    frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

static const struct {
    Fn fn;
    const char *name;
    double bound;
} fns[] = {{FN_EXP, "exp", 1.1}, {FN_LOG, "log", 1.0}, {FN_TANH, "tanh", 3.0}, {FN_SIGMOID, "sigmoid", 3.0},
         {FN_ERF, "erf", 2.0}, {FN_EXPM1, "expm1", 2.0}, {FN_LOG1P, "log1p", 2.0}};

static double worst_error(Fn fn, bool fma, uint64_t stride, float *where) {
    double worst = 0;
    float in[BATCH], out[BATCH];
    for (uint64_t at = 0; at < (uint64_t)1 << 32; at += stride * BATCH) {
        for (uint64_t i = 0; i < BATCH; i++) in[i] = (Word){.u = (uint32_t)(at + i * stride)}.f;
        math_eval(fn, fma, in, out);
        for (int i = 0; i < BATCH; i++) {
            double error = ulp_error(out[i], exact(fn, (double)in[i]));
            if (error > worst) {
                worst = error;
                *where = in[i];
            }
        }
    }
    return worst;
}

static bool errors_within(uint64_t stride) {
    bool ok = true;
    for (size_t i = 0; i < COUNT_OF(fns); i++) {
        for (int fma = 0; fma < 2; fma++) {
            float where = 0;
            double worst = worst_error(fns[i].fn, fma, stride, &where);
            printf("%-8s %-7s %.3f ULP at %a (bound %.1f)\n", fns[i].name, fma ? "fma" : "mul+add", worst,
                   (double)where, fns[i].bound);
            fflush(stdout);
            ok &= worst <= fns[i].bound;
        }
    }
    return ok;
}

static void test_errors(void **state) {
    (void)state;
    assert_true(errors_within(1009));
}

static void test_edges(void **state) {
    (void)state;
    static const struct {
        Fn fn;
        float x, y;
    } row[] = {
        {FN_EXP, INFINITY, INFINITY},
        {FN_EXP, -INFINITY, 0},
        {FN_EXP, 0, 1},
        {FN_EXP, -0.0f, 1},
        {FN_EXP, 0x1.62e42ep+6f, 0x1.ffff08p+127f},
        {FN_EXP, 0x1.62e430p+6f, INFINITY},
        {FN_EXP, 1000, INFINITY},
        {FN_EXP, -103, 0x1p-149f},
        {FN_EXP, -1000, 0},
        {FN_EXP, 0x1p-149f, 1},
        {FN_EXP, NAN, NAN},
        {FN_LOG, 0, -INFINITY},
        {FN_LOG, -0.0f, -INFINITY},
        {FN_LOG, 1, 0},
        {FN_LOG, INFINITY, INFINITY},
        {FN_LOG, -1, NAN},
        {FN_LOG, -INFINITY, NAN},
        {FN_LOG, -0x1p-149f, NAN},
        {FN_LOG, NAN, NAN},
        {FN_LOG, 0x1p-149f, -0x1.9d1da0p+6f},
        {FN_TANH, INFINITY, 1},
        {FN_TANH, -INFINITY, -1},
        {FN_TANH, 0, 0},
        {FN_TANH, -0.0f, -0.0f},
        {FN_TANH, 0x1p-149f, 0x1p-149f},
        {FN_TANH, -0x1.8p-140f, -0x1.8p-140f},
        {FN_TANH, 100, 1},
        {FN_TANH, NAN, NAN},
        {FN_SIGMOID, INFINITY, 1},
        {FN_SIGMOID, -INFINITY, 0},
        {FN_SIGMOID, 0, 0.5f},
        {FN_SIGMOID, -0.0f, 0.5f},
        {FN_SIGMOID, 100, 1},
        {FN_SIGMOID, -103, 0x1p-149f},
        {FN_SIGMOID, -200, 0},
        {FN_SIGMOID, NAN, NAN},
        {FN_ERF, 0, 0},
        {FN_ERF, -0.0f, -0.0f},
        {FN_ERF, INFINITY, 1},
        {FN_ERF, -INFINITY, -1},
        {FN_ERF, 4, 1},
        {FN_ERF, -100, -1},
        {FN_ERF, NAN, NAN},
        {FN_ERF, 0x1p-149f, 0x1p-149f},
        {FN_EXPM1, 0, 0},
        {FN_EXPM1, -0.0f, -0.0f},
        {FN_EXPM1, INFINITY, INFINITY},
        {FN_EXPM1, -INFINITY, -1},
        {FN_EXPM1, -1000, -1},
        {FN_EXPM1, 1000, INFINITY},
        {FN_EXPM1, NAN, NAN},
        {FN_EXPM1, 0x1p-149f, 0x1p-149f},
        {FN_EXPM1, -0x1.8p-140f, -0x1.8p-140f},
        {FN_EXPM1, 0x1.62e42ep+6f, 0x1.ffff08p+127f},
        {FN_EXPM1, 0x1.62e430p+6f, INFINITY},
        {FN_LOG1P, 0, 0},
        {FN_LOG1P, -0.0f, -0.0f},
        {FN_LOG1P, INFINITY, INFINITY},
        {FN_LOG1P, -1, -INFINITY},
        {FN_LOG1P, -2, NAN},
        {FN_LOG1P, -0x1.000002p+0f, NAN},
        {FN_LOG1P, -INFINITY, NAN},
        {FN_LOG1P, NAN, NAN},
        {FN_LOG1P, 0x1p-149f, 0x1p-149f},
        {FN_LOG1P, FLT_MAX, 0x1.62e430p+6f},
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        for (int fma = 0; fma < 2; fma++) {
            float y = math_one(row[i].fn, fma, row[i].x);
            bool same = isnan(row[i].y) ? isnan(y) : word(y).u == word(row[i].y).u;
            if (!same) fail_msg("row %zu: f(%a) = %a, not %a", i, (double)row[i].x, (double)y, (double)row[i].y);
        }
    }
}

/* What emitter and interpreter rely on. */
static void test_form(void **state) {
    (void)state;
    for (int f = 0; f < FN_COUNT; f++) {
        const MathProgram *p = math_program((Fn)f);
        assert_int_equal(p != NULL, f == FN_EXP || f == FN_LOG || f == FN_TANH || f == FN_SIGMOID || f == FN_ERF ||
                                         f == FN_EXPM1 || f == FN_LOG1P);
        for (int i = 0; p && i < p->n; i++) {
            const MathIns *ins = &p->ins[i];
            if (i == 0) assert_int_equal(ins->op, MATH_IN);
            else assert_true(ins->op != MATH_IN && ins->a < i && ins->b < i && ins->c < i && ins->d < i);
            assert_true(ins->op < MATH_ISHL || ins->op == MATH_ITOF || (ins->i >= 0 && ins->i < 32));
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "all") == 0) return errors_within(1) ? 0 : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
