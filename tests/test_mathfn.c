/* The functions of ir/mathfn/ of one argument against libm in double: edge cases, and the largest error in ULP of their
 * native code over every 1009th float32; with LUNETTE_TEST_ALL_FLOATS=1 over all of them. */
#include "ir/mathfn.h"
#include "tests/naive_math.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef union Word {
    float f;
    uint32_t u;
} Word;

static Word word(float f) { return (Word){.f = f}; }

/* Beyond ±700 a float32 has nothing left to tell, and libm takes its slow way to overflow. */
static double clamped_exp(double x) { return exp(x < -700 ? -700 : x > 700 ? 700 : x); }

static double sigmoid(double x) {
    double e = clamped_exp(-fabs(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

static const struct Function {
    Fn fn;
    const char *name;
    double (*exact)(double);
    double bound;
} functions[] = {{FN_EXP, "exp", clamped_exp, 1.1},     {FN_LOG, "log", log, 1.0}, {FN_TANH, "tanh", tanh, 3.0},
                 {FN_SIGMOID, "sigmoid", sigmoid, 3.0}, {FN_ERF, "erf", erf, 2.0}, {FN_EXPM1, "expm1", expm1, 2.0},
                 {FN_LOG1P, "log1p", log1p, 2.0}};

/* ---- the largest error ----------------------------------------------------------------------- */

/* Threads take chunks of a function's arguments: all bit patterns by stride. */
typedef struct Sweep {
    const struct Function *f;
    MathCode code;
    uint64_t stride;
    _Atomic uint64_t next;
    pthread_mutex_t lock;
    double worst[2]; /* [fma] */
    float where[2];
} Sweep;

static double chunk_error(const float *in, const double *want, const float *out, int n, float *where) {
    double worst = 0;
    for (int i = 0; i < n; i++) {
        if (word(out[i]).u == word((float)want[i]).u) continue; /* rounded as it should be */
        double error = ulp_error(out[i], want[i]);
        if (error > worst) worst = error, *where = in[i];
    }
    return worst;
}

static void *sweep_thread(void *arg) {
    Sweep *s = arg;
    static _Thread_local float in[MATH_CHUNK], out[MATH_CHUNK];
    static _Thread_local double want[MATH_CHUNK];
    for (;;) {
        uint64_t begin = atomic_fetch_add(&s->next, s->stride * MATH_CHUNK), last = UINT32_MAX;
        if (begin > last) return NULL;
        int n = (int)((last - begin) / s->stride) + 1;
        if ((last - begin) / s->stride >= MATH_CHUNK) n = MATH_CHUNK;
        for (int i = 0; i < n; i++) {
            in[i] = (Word){.u = (uint32_t)(begin + (uint64_t)i * s->stride)}.f;
            want[i] = s->f->exact((double)in[i]);
        }
        for (int fma = 0; fma < 2; fma++) {
            if (!s->code.run[fma]) continue;
            float where = 0;
            math_code_run(&s->code, fma, (const float *const[2]){in, in}, out);
            double worst = chunk_error(in, want, out, n, &where);
            pthread_mutex_lock(&s->lock);
            if (worst > s->worst[fma]) s->worst[fma] = worst, s->where[fma] = where;
            pthread_mutex_unlock(&s->lock);
        }
    }
}

static void sweep(Sweep *s) {
    enum { MOST = 16 };
    pthread_t thread[MOST];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n = cores < 1 ? 1 : cores > MOST ? MOST : (int)cores;
    for (int i = 0; i < n; i++) assert_int_equal(pthread_create(&thread[i], NULL, sweep_thread, s), 0);
    for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
}

static void test_errors(void **state) {
    (void)state;
    bool ok = true;
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        const struct Function *f = &functions[i];
        Sweep s = {.f = f, .stride = test_all_floats() ? 1 : 1009, .lock = PTHREAD_MUTEX_INITIALIZER};
        math_code_open(&s.code, f->fn);
        assert_non_null(s.code.run[0]);
        sweep(&s);
        for (int fma = 0; fma < 2; fma++) {
            const char *mode = fma ? "fma" : "mul+add";
            if (!s.code.run[fma]) printf("%-8s %-7s does not run here: left out\n", f->name, mode);
            else
                printf("%-8s %-7s %.3f ULP at %a (bound %.1f)\n", f->name, mode, s.worst[fma], (double)s.where[fma],
                       f->bound);
            ok &= s.worst[fma] <= f->bound;
        }
        fflush(stdout);
        math_code_close(&s.code);
    }
    assert_true(ok);
}

/* ---- edges ----------------------------------------------------------------------------------- */

typedef struct Edge {
    float x, y;
} Edge;

static const Edge exp_edges[] = {
    {INFINITY, INFINITY},
    {-INFINITY, 0},
    {0, 1},
    {-0.0f, 1},
    {0x1.62e42ep+6f, 0x1.ffff08p+127f},
    {0x1.62e430p+6f, INFINITY},
    {1000, INFINITY},
    {-103, 0x1p-149f},
    {-1000, 0},
    {0x1p-149f, 1},
    {NAN, NAN},
};
static const Edge log_edges[] = {
    {0, -INFINITY},   {-0.0f, -INFINITY}, {1, 0},     {INFINITY, INFINITY},         {-1, NAN},
    {-INFINITY, NAN}, {-0x1p-149f, NAN},  {NAN, NAN}, {0x1p-149f, -0x1.9d1da0p+6f},
};
static const Edge tanh_edges[] = {
    {INFINITY, 1}, {-INFINITY, -1}, {0, 0}, {-0.0f, -0.0f}, {0x1p-149f, 0x1p-149f}, {-0x1.8p-140f, -0x1.8p-140f},
    {100, 1},      {NAN, NAN},
};
static const Edge sigmoid_edges[] = {
    {INFINITY, 1}, {-INFINITY, 0}, {0, 0.5f}, {-0.0f, 0.5f}, {100, 1}, {-103, 0x1p-149f}, {-200, 0}, {NAN, NAN},
};
static const Edge erf_edges[] = {
    {0, 0}, {-0.0f, -0.0f}, {INFINITY, 1}, {-INFINITY, -1}, {4, 1}, {-100, -1}, {NAN, NAN}, {0x1p-149f, 0x1p-149f},
};
static const Edge expm1_edges[] = {
    {0, 0},
    {-0.0f, -0.0f},
    {INFINITY, INFINITY},
    {-INFINITY, -1},
    {-1000, -1},
    {1000, INFINITY},
    {NAN, NAN},
    {0x1p-149f, 0x1p-149f},
    {-0x1.8p-140f, -0x1.8p-140f},
    {0x1.62e42ep+6f, 0x1.ffff08p+127f},
    {0x1.62e430p+6f, INFINITY},
};
static const Edge log1p_edges[] = {
    {0, 0},
    {-0.0f, -0.0f},
    {INFINITY, INFINITY},
    {-1, -INFINITY},
    {-2, NAN},
    {-0x1.000002p+0f, NAN},
    {-INFINITY, NAN},
    {NAN, NAN},
    {0x1p-149f, 0x1p-149f},
    {FLT_MAX, 0x1.62e430p+6f},
};

static const struct {
    Fn fn;
    const Edge *edge;
    size_t n;
} edges[] = {
    {FN_EXP, exp_edges, COUNT_OF(exp_edges)},       {FN_LOG, log_edges, COUNT_OF(log_edges)},
    {FN_TANH, tanh_edges, COUNT_OF(tanh_edges)},    {FN_SIGMOID, sigmoid_edges, COUNT_OF(sigmoid_edges)},
    {FN_ERF, erf_edges, COUNT_OF(erf_edges)},       {FN_EXPM1, expm1_edges, COUNT_OF(expm1_edges)},
    {FN_LOG1P, log1p_edges, COUNT_OF(log1p_edges)},
};

static void test_edges(void **state) {
    (void)state;
    for (size_t f = 0; f < COUNT_OF(edges); f++) {
        for (size_t i = 0; i < 2 * edges[f].n; i++) {
            Edge e = edges[f].edge[i / 2];
            float y;
            naive_math(edges[f].fn, i % 2, (const float *const[2]){&e.x, NULL}, &y, 1);
            bool same = isnan(e.y) ? isnan(y) : word(y).u == word(e.y).u;
            if (!same) fail_msg("%s(%a) = %a, not %a", fn_name(edges[f].fn), (double)e.x, (double)y, (double)e.y);
        }
    }
}

/* ---- form ------------------------------------------------------------------------------------ */

/* What emitter and interpreter rely on. */
static void test_form(void **state) {
    (void)state;
    for (int f = 0; f < FN_COUNT; f++) {
        const MathProgram *p = math_program((Fn)f);
        bool listed = f == FN_POW;
        for (size_t i = 0; i < COUNT_OF(functions); i++) listed |= functions[i].fn == (Fn)f;
        assert_int_equal(p != NULL, listed);
        for (int i = 0; p && i < p->n; i++) {
            const MathIns *ins = &p->ins[i];
            assert_int_equal(ins->op == MATH_IN, i < fn_args((Fn)f));
            if (ins->op == MATH_IN) assert_int_equal(ins->i, i);
            else assert_true(ins->a < i && ins->b < i && ins->c < i && ins->d < i);
            assert_true(ins->op < MATH_ISHL || ins->op == MATH_ITOF || (ins->i >= 0 && ins->i < 32));
        }
        assert_true(!p || p->n <= 256);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
