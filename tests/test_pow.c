/* pow of ir/mathfn/pow.c against libm in double: the special cases of C99, exact results, the largest error in ULP of its
 * native code over seeded pairs (LUNETTE_TEST_ALL_FLOATS=1: over many more), and the error bounds of the op. */
#include "runtime/reference.h"
#include "tests/naive_math.h"
#include "tests/random_nest.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static float naive_pow(float x, float y, bool fma) {
    float z;
    naive_math(FN_POW, fma, (const float *const[2]){&x, &y}, &z, 1);
    return z;
}

/* ---- special cases --------------------------------------------------------------------------- */

/* All pairs of these: signed zeros, infinities, NaN, subnormals, odd, even and no integers up to where all are even. */
static const float values[] = {
    0,
    -0.0f,
    1,
    -1,
    2,
    -2,
    0.5f,
    -0.5f,
    3,
    -3,
    INFINITY,
    -INFINITY,
    NAN,
    0x1p-149f,
    -0x1p-149f,
    FLT_MAX,
    -FLT_MAX,
    FLT_MIN,
    0x1p23f,
    0x1.000002p+23f,
    0x1.fffffep+23f,
    -0x1.fffffep+23f,
    0x1p24f,
    0x1p25f,
    1.5f,
    -1.5f,
    2.5f,
    0x1p60f,
    0x1p61f,
    -0x1p100f,
    0x1.fffffep-1f,
    -0x1.fffffep-1f,
    0x1.000002p+0f,
    8388607.5f,
    4194303.5f,
    1e30f,
    -1e30f,
    127,
    128,
    -126,
    -149,
    -149.5f,
    -150,
    -151,
};

static void test_special(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(values) * COUNT_OF(values); i++) {
        float x = values[i / 2 % COUNT_OF(values)], y = values[i / 2 / COUNT_OF(values)];
        float z = naive_pow(x, y, i % 2);
        double want = pow((double)x, (double)y);
        if (!(ulp_error(z, want) <= 0.8)) fail_msg("pow(%a, %a) = %a, not %a", (double)x, (double)y, (double)z, want);
    }
}

/* A power that is a float32 comes out as it, also at bases with a fraction. */
static void test_exact(void **state) {
    (void)state;
    int n = 0;
    for (int base = -300; base <= 300; base++)
        for (int exponent = -24; exponent <= 24; exponent++)
            for (int scale = -1; scale <= 1; scale++) {
                float x = (float)base * (1 + 0.5f * (float)scale);
                double want = pow((double)x, exponent);
                if (isinf(want) || (double)(float)want != want) continue;
                for (int fma = 0; fma < 2; fma++) assert_true((double)naive_pow(x, (float)exponent, fma) == want);
                n++;
            }
    assert_true(n > 3000);
}

/* ---- the largest error ----------------------------------------------------------------------- */

static double unit(uint64_t *seed) { return (double)(random_next(seed) >> 11) * 0x1p-53; }

static float any_float(uint64_t *seed) {
    uint32_t bits = (uint32_t)random_next(seed);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* The exponent that makes x^y about 2^lo … 2^hi. */
static float exponent_for(float x, double lo, double hi, uint64_t *seed) {
    double l = log2((double)x);
    return l == 0 ? 3 : (float)((lo + (hi - lo) * unit(seed)) / l);
}

enum { KINDS = 6 };
static const char *const kind_name[KINDS] = {"any two floats", "results in range", "bases near 1",
                                             "integer powers", "0.25 … 4 to 20",   "subnormal results"};

static void random_pair(int kind, uint64_t *seed, float *x, float *y) {
    *x = any_float(seed);
    *y = any_float(seed);
    switch (kind) {
    case 0: return;
    case 1:
        *x = fabsf(*x);
        *y = exponent_for(*x, -150, 130, seed);
        return;
    case 2:
        *x = 1 + (float)random_in(seed, -1000, 1000) * 0x1p-24f;
        *y = exponent_for(*x, -150, 130, seed);
        return;
    case 3:
        *x = (float)random_in(seed, -1000, 1000) / (float)random_in(seed, 1, 7);
        *y = (float)random_in(seed, -64, 64);
        return;
    case 4:
        *x = (float)exp2(4 * unit(seed) - 2);
        *y = (float)(40 * unit(seed) - 20);
        return;
    default:
        *x = (float)exp2(unit(seed) - 0.5);
        *y = exponent_for(*x, -149.5, -125, seed);
        return;
    }
}

/* Largest error of results that are normal, and of those that are not. */
typedef struct Worst {
    double error[2], x[2], y[2];
} Worst;

static void pairs_error(const MathCode *m, int fma, int kind, uint64_t *seed, Worst *w) {
    static float x[MATH_CHUNK], y[MATH_CHUNK], z[MATH_CHUNK];
    for (int i = 0; i < MATH_CHUNK; i++) random_pair(kind, seed, &x[i], &y[i]);
    math_code_run(m, fma, (const float *const[2]){x, y}, z);
    for (int i = 0; i < MATH_CHUNK; i++) {
        double want = pow((double)x[i], (double)y[i]), error = ulp_error(z[i], want);
        int subnormal = fabs(want) < (double)FLT_MIN;
        if (error <= w->error[subnormal]) continue;
        w->error[subnormal] = error;
        w->x[subnormal] = (double)x[i];
        w->y[subnormal] = (double)y[i];
    }
}

static void test_errors(void **state) {
    (void)state;
    MathCode m;
    math_code_open(&m, FN_POW);
    assert_non_null(m.run[0]);
    int chunks = test_all_floats() ? 200 : 4;
    for (int kind = 0; kind < KINDS; kind++)
        for (int fma = 0; fma < 2; fma++) {
            uint64_t seed = (uint64_t)kind + 1;
            Worst w = {.error = {0}};
            const char *mode = fma ? "fma" : "mul+add";
            for (int i = 0; m.run[fma] && i < chunks; i++) pairs_error(&m, fma, kind, &seed, &w);
            if (m.run[fma])
                printf("pow      %-7s %.3f ULP at %a, %a; subnormal %.3f (%s)\n", mode, w.error[0], w.x[0], w.y[0],
                       w.error[1], kind_name[kind]);
            else printf("pow      %-7s does not run here: left out\n", mode);
            if (!(w.error[0] <= 0.75 && w.error[1] <= 0.85))
                fail_msg("normal %g at %a, %a; subnormal %g at %a, %a", w.error[0], w.x[0], w.y[0], w.error[1], w.x[1],
                         w.y[1]);
        }
    math_code_close(&m);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* x ± ex to the power y ± ey: what a kernel may have is within the bound, or the bound is infinite. */
static const struct {
    double x, ex, y, ey;
    bool known;
} bounds[] = {
    {2, 0.125, 3, 0, true},    {2, 0.125, -1.5, 0.25, true}, {0.5, 0.125, 2, 1, true},    {1, 0.5, 0, 2, true},
    {0.25, 0.25, 2, 1, true},  {0.25, 0.25, 0, 1, false},    {-2, 0.25, 2, 0, true},      {-2, 0.25, -3, 0, true},
    {0.25, 0.5, 2, 0, true},   {0.25, 0.5, 3, 0, true},      {0.25, 0.5, 4, 0, true},     {0.25, 0.5, 0, 0, true},
    {0.25, 0.5, -2, 0, false}, {0.25, 0.5, 0.5, 0, false},   {-2, 0.25, 2, 0.125, false}, {-2, 0.25, 2.5, 0, false},
    {0, 0, 2, 0, true},        {0, 0, -2, 0, false},
};

static bool holds(double x, double y, double v, double err) {
    float z = naive_pow((float)x, (float)y, true);
    return fabs((double)z - v) <= err;
}

static void test_bounds(void **state) {
    (void)state;
    enum { N = COUNT_OF(bounds) };
    Diag d = {0};
    Arena *a = arena_open(&d);
    Lexer l;
    lex_open(&l, a, "t.g",
             arena_printf(a,
                          "graph t { x: input() : f32[n1 c%d] p: input() : f32[n1 c%d] y: pow(x, p) : f32[n1 c%d] "
                          "return y = y }",
                          N, N, N),
             &d);
    Graph *g = graph_parse(&l);
    if (!g || !graph_verify(g, &d)) fail_msg("%s", d.text);
    RefTensor *value[3] = {ref_tensor_new(a, &g->node[0]->type, true), ref_tensor_new(a, &g->node[1]->type, true)};
    for (int i = 0; i < N; i++) {
        value[0]->v[i] = bounds[i].x, value[0]->err[i] = bounds[i].ex;
        value[1]->v[i] = bounds[i].y, value[1]->err[i] = bounds[i].ey;
    }
    assert_true(reference_eval(a, g, value, g->node[2], true, &d));
    for (int i = 0; i < N; i++) {
        double v = value[2]->v[i], err = value[2]->err[i];
        if (isfinite(err) != bounds[i].known) fail_msg("row %d: %g ± %g", i, v, err);
        for (int s = 0; bounds[i].known && s < 81; s++) {
            double x = bounds[i].x + bounds[i].ex * (s % 9 - 4) / 4, y = bounds[i].y + bounds[i].ey * (s / 9 - 4) / 4;
            if (!holds(x, y, v, err)) fail_msg("row %d: pow(%g, %g) is not %g ± %g", i, x, y, v, err);
        }
    }
    arena_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
