#include "frontend/cli/bench.h"

enum { BURST_FLOPS = 16 << 20 }; /* a thread: 0.15 ms at 100 GFLOP/s, short beside a time slice */

/* acc = acc · x + z for enough accumulators to hide the latency. They start from different memory, or
 * the compiler would see that they are all the same one. With x = ½ and z = 1 the values stay near 2. */
static const char *peak_text(Arena *a, const Target *t, int threads, int64_t *flops) {
    int lanes = target_lanes(t), accs = t->vector_registers >= 32 ? 24 : 12;
    int64_t turns = BURST_FLOPS / (2 * lanes * accs);
    *flops = turns * 2 * lanes * accs * threads;
    return arena_printf(a,
                        "kernel peak(in x : f32[c%d], in z : f32[c%d], in s : f32[o%d c%d], out y : f32[n%d o%d c%d]) {"
                        " par n %d { reg acc : f32[o%d c%d] {"
                        " unroll o %d { vec c %d { acc[o, c] = s[o, c]; } }"
                        " for k %lld { unroll o %d { vec c %d { acc[o, c] = fma(acc[o, c], x[c], z[c]); } } }"
                        " unroll o %d { vec c %d { y[n, o, c] = acc[o, c]; } } } } }",
                        lanes, lanes, accs, lanes, threads, accs, lanes, threads, accs, lanes, accs, lanes,
                        (long long)turns, accs, lanes, accs, lanes);
}

bool peak_open(Peak *p, Arena *a, const Target *t, Pool *pool, Diag *d) {
    Lexer l;
    int64_t flops;
    int threads = pool_threads(pool);
    lex_open(&l, a, "peak", peak_text(a, t, threads, &flops), d);
    const Kernel *k = kernel_parse(&l);
    CodeOptions o = {.threads = 1};
    if (!k || !kernel_verify(k, d) || !code_open(&p->code, &k, 1, t, &o, d)) return false;
    p->fn = code_fn(p->code, 0);
    p->pool = pool;
    p->flops = (double)flops;
    for (int i = 0; i < k->n_param; i++) {
        int64_t n = type_elements(&k->buf[i].type);
        float *v = ARENA_ARRAY(a, float, n);
        for (int64_t e = 0; e < n; e++) v[e] = i == 0 ? 0.5f : i == 1 ? 1.0f : (float)e;
        p->args[i] = v;
    }
    return true;
}

static void burst(void *ctx, int64_t begin, int64_t end, int thread) {
    const Peak *p = ctx;
    (void)thread;
    p->fn(p->args, NULL, (intptr_t)begin, (intptr_t)end);
}

double peak_burst(const Peak *p) {
    double start = clock_seconds();
    pool_run(p->pool, burst, (void *)(uintptr_t)p, pool_threads(p->pool));
    return 1e-9 * p->flops / (clock_seconds() - start);
}

void peak_close(Peak *p) { code_close(p->code); }
