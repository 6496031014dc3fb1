/* The bursts: kernels like any other, as text. */
#include "frontend/cli/roof.h"

#include "frontend/cli/cli.h"

enum {
    BURST_FLOPS = 16 << 20, /* a thread: 0.15 ms at 100 GFLOP/s, short beside a time slice */
    BURST_BYTES = 8 << 20,  /* a thread, from a cache */
    SLICES = 16,            /* of the memory, one a burst */
    SWEEP_PLACES = 4,
    SWEEP_WIDE = 2,        /* vectors from each: eight accumulators hide the latency */
    SINK_FLOATS = 24 * 64, /* a thread, and more than any burst stores */
};

/* acc = acc · x + z for enough accumulators to hide the latency. They start from different memory, or
 * the compiler would see that they are all the same one. With x = ½ and z = 1 the values stay near 2. */
static const char *peak_text(Arena *a, const Target *t, int threads, double *flops) {
    int lanes = target_lanes(t), accs = t->vector_registers >= 32 ? 24 : 12;
    int64_t turns = BURST_FLOPS / (2 * lanes * accs);
    *flops = (double)turns * 2 * lanes * accs * threads;
    return arena_printf(a,
                        "kernel peak(in x : f32[c%d], in z : f32[c%d], in s : f32[o%d c%d], out y : f32[n%d o%d c%d]) {"
                        " par n %d { reg acc : f32[o%d c%d] {"
                        " unroll o %d { vec c %d { acc[o, c] = s[o, c]; } }"
                        " for k %lld { unroll o %d { vec c %d { acc[o, c] = fma(acc[o, c], x[c], z[c]); } } }"
                        " unroll o %d { vec c %d { y[n, o, c] = acc[o, c]; } } } } }",
                        lanes, lanes, accs, lanes, threads, accs, lanes, threads, accs, lanes, accs, lanes,
                        (long long)turns, accs, lanes, accs, lanes);
}

/* Each thread adds up a part of its own, again and again until it is worth the clock: from several places at once, which
 * of memory gives half as much again as one after the other. */
static const char *sweep_text(Arena *a, const Target *t, int threads, Level level, int64_t part, double *bytes) {
    int lanes = target_lanes(t), places = SWEEP_PLACES, wide = SWEEP_WIDE;
    int64_t turns = part / (4 * lanes * wide * places);
    int64_t again = level == LEVEL_MEMORY || part > BURST_BYTES ? 1 : BURST_BYTES / part;
    *bytes = (double)turns * 4 * lanes * wide * places * (double)again * threads;
    return arena_printf(a,
                        "kernel sweep_%s(in x : f32[n%d d%d h%lld o%d c%d], out y : f32[n%d d%d o%d c%d]) {"
                        " par n %d { reg acc : f32[d%d o%d c%d] {"
                        " unroll d %d { unroll o %d { vec c %d { acc[d, o, c] = 0; } } }"
                        " for r %lld { for h %lld {"
                        " unroll d %d { unroll o %d { vec c %d { acc[d, o, c] += x[n, d, h, o, c]; } } } } }"
                        " unroll d %d { unroll o %d { vec c %d { y[n, d, o, c] = acc[d, o, c]; } } } } } }",
                        level_name[level], threads, places, (long long)turns, wide, lanes, threads, places, wide, lanes,
                        threads, places, wide, lanes, places, wide, lanes, (long long)again, (long long)turns, places,
                        wide, lanes, places, wide, lanes);
}

/* What a thread reads of a level: half of a cache of its own. Of the shared one as much as its own surely do not hold:
 * more would be pushed out by what else runs on the machine. */
static int64_t part_of(const Roof *m, Level level) {
    const SweepMemory *s = m->memory;
    if (level == LEVEL_MEMORY) return (int64_t)(s->size / SLICES) / m->threads;
    if (level != LEVEL_L3) return s->cache[level] / 2;
    int64_t share = s->cache[LEVEL_L3] / 2 / m->threads, enough = 4 * s->cache[LEVEL_L2];
    return share < enough ? share : enough;
}

static const Kernel *kernel_of(Arena *a, const char *text, Diag *d) {
    Lexer l;
    lex_open(&l, a, "burst", text, d);
    const Kernel *k = kernel_parse(&l);
    return k && kernel_verify(k, d) ? k : NULL;
}

bool roof_open(Roof *m, Arena *a, const Target *t, int threads, const SweepMemory *memory, Diag *d) {
    const Kernel *kernel[LEVELS + 1];
    CodeOptions o = {.threads = 1};
    *m = (Roof){.memory = memory, .threads = threads};
    for (Level l = 0; l < LEVELS; l++)
        kernel[l] = kernel_of(a, sweep_text(a, t, threads, l, part_of(m, l), &m->bytes[l]), d);
    kernel[LEVELS] = kernel_of(a, peak_text(a, t, threads, &m->flops), d);
    for (int i = 0; i <= LEVELS; i++)
        if (!kernel[i]) return false;
    m->sink = mem_alloc(sizeof(float) * SINK_FLOATS * (size_t)threads);
    if (!m->sink) return diag_fail(d, DIAG_MACHINE, "no memory to measure with");
    return code_open(&m->code, kernel, LEVELS + 1, t, &o, d);
}

void roof_close(Roof *m) {
    code_close(m->code);
    mem_free(m->sink);
}

/* ---- running them ----------------------------------------------------------------------------------- */

typedef struct Burst {
    KernelFn fn;
    void **args;
    const intptr_t *values;
} Burst;

static void burst_task(void *ctx, int64_t begin, int64_t end, int thread) {
    const Burst *b = ctx;
    (void)thread;
    b->fn(b->args, b->values, NULL, (intptr_t)begin, (intptr_t)end);
}

/* Seconds. */
static double burst(const Roof *m, int kernel, void **args) {
    Burst b = {code_fn(m->code, kernel), args, code_args(m->code, kernel)};
    double start = clock_seconds();
    pool_run(m->pool, burst_task, &b, m->threads);
    return clock_seconds() - start;
}

static void keep_best(double *best, double amount, double seconds) {
    if (seconds > 0 && 1e-9 * amount / seconds > *best) *best = 1e-9 * amount / seconds;
}

static void measure_peak(Roof *m) {
    float x[64], z[64], start[SINK_FLOATS];
    void *args[] = {x, z, start, m->sink};
    for (int i = 0; i < 64; i++) x[i] = 0.5f, z[i] = 1;
    for (int i = 0; i < SINK_FLOATS; i++) start[i] = (float)i;
    keep_best(&m->gflops, m->flops, burst(m, LEVELS, args));
}

/* The first sweep of a cache fills it. Those of memory go on from where the last one ended: they come back when
 * four times what the caches hold has passed. */
static double sweep(Roof *m, Level level) {
    void *args[] = {m->memory->at, m->sink};
    if (level == LEVEL_MEMORY) {
        args[0] = m->memory->at + m->next;
        m->next = (m->next + m->memory->size / SLICES) % m->memory->size;
    } else burst(m, (int)level, args);
    return burst(m, (int)level, args);
}

void roof_burst(Roof *m) {
    m->bursts++;
    measure_peak(m);
    for (Level l = 0; l < LEVELS; l++) keep_best(&m->gbytes[l], m->bytes[l], sweep(m, l));
    for (Level l = LEVEL_MEMORY; l > 0; l--) /* noise aside, no level is slower than the one behind it */
        if (m->gbytes[l - 1] < m->gbytes[l]) m->gbytes[l - 1] = m->gbytes[l];
}

void roof_flush(Roof *m) {
    for (int i = 0; i < SLICES; i++) sweep(m, LEVEL_MEMORY);
}
