#include "tests/naive_math.h"

#include "codegen/target.h"
#include "ir/mathfn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 256 };

typedef union Word {
    float f;
    uint32_t u;
} Word;

/* One instruction for a whole batch. */
static void math_step(const MathIns *ins, Word (*r)[BATCH], int at, const float *const arg[2], bool fma) {
    const Word *a = r[ins->a], *b = r[ins->b], *c = r[ins->c], *d = r[ins->d];
    Word *y = r[at];
#define EACH(expr)                                                                                                     \
    for (int i = 0; i < BATCH; i++) expr;                                                                              \
    break
    switch (ins->op) {
    case MATH_IN: EACH(y[i].f = arg[ins->i][i]);
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

void naive_math(Fn fn, bool fma, const float *const arg[2], float *out, int n) {
    static Word r[256][BATCH];
    const MathProgram *p = math_program(fn);
    for (int at = 0; at < n; at += BATCH) {
        float in[2][BATCH] = {{0}};
        int count = n - at < BATCH ? n - at : BATCH;
        for (int k = 0; k < fn_args(fn); k++) memcpy(in[k], arg[k] + at, sizeof(float) * (size_t)count);
        for (int i = 0; i < p->n; i++) math_step(&p->ins[i], r, i, (const float *const[2]){in[0], in[1]}, fma);
        memcpy(out + at, r[p->n - 1], sizeof(float) * (size_t)count);
    }
}

double ulp_error(float got, double want) {
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (got == 0 && want == 0) return !signbit(got) == !signbit(want) ? 0 : INFINITY;
    if (got == (float)want && isinf(got)) return 0;
    if (isinf(want)) return INFINITY;
    int e;
    frexp(want, &e);
    e = e < -125 ? -125 : e > 128 ? 128 : e;
    return fabs((isinf(got) ? copysign(0x1p128, (double)got) : (double)got) - want) / ldexp(1, e - 24);
}

void math_code_open(MathCode *m, Fn fn) {
    static const char *const cpus[] = {"x86-64-v2", "x86-64-v3"};
    Diag d = {0};
    *m = (MathCode){.arena = arena_open(&d)};
    bool two = fn_args(fn) == 2;
    const char *text =
        arena_printf(m->arena,
                     "kernel math(in x : f32[w%d], in z : f32[w%d], out y : f32[w%d])"
                     " { for i %d { vec l 32 { y[32*i + l] = %s(x[32*i + l]%s); } } }",
                     MATH_CHUNK, MATH_CHUNK, MATH_CHUNK, MATH_CHUNK / 32, fn_name(fn), two ? ", z[32*i + l]" : "");
    Lexer l;
    lex_open(&l, m->arena, "math", text, &d);
    Kernel *k = kernel_parse(&l);
    if (!k || !kernel_verify(k, &d)) fail_msg("%s", d.text);
    for (int fma = 0; fma < 2; fma++) {
        Target t;
        if (!target_named(&t, cpus[fma], &d)) fail_msg("%s", d.text);
        assert_int_equal(t.fma, fma);
        if (!target_runs_here(&t)) continue;
        if (!code_open(&m->lib[fma], (const Kernel *const[]){k}, 1, &t, &(CodeOptions){.threads = 1}, &d))
            fail_msg("%s", d.text);
        m->run[fma] = code_fn(m->lib[fma], 0);
    }
}

void math_code_run(const MathCode *m, int fma, const float *const arg[2], float *out) {
    m->run[fma]((void *const[]){(void *)arg[0], (void *)arg[1], out}, code_args(m->lib[fma], 0), NULL, 0, 1);
}

void math_code_close(MathCode *m) {
    for (int fma = 0; fma < 2; fma++) code_close(m->lib[fma]);
    arena_close(m->arena);
}

bool test_all_floats(void) {
    const char *all = getenv("LUNETTE_TEST_ALL_FLOATS");
    return all && strcmp(all, "1") == 0;
}
