#include "frontend/cli/bench.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_RUNS = 5, LEAST_BURSTS = 5 };
static const double BURSTS = 0.05; /* of the time goes to measuring the machine */

void samples_add(Arena *a, Samples *s, double x) { ARENA_PUSH(a, s->v, s->n, s->cap, x); }

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

double samples_part(Arena *a, const Samples *s, double part) {
    if (s->n == 0) return 0;
    double *v = ARENA_ARRAY(a, double, s->n);
    memcpy(v, s->v, sizeof *v * (size_t)s->n);
    qsort(v, (size_t)s->n, sizeof *v, by_value);
    int i = (int)(part * s->n + 0.999999) - 1;
    return v[i < 0 ? 0 : i >= s->n ? s->n - 1 : i];
}

static void run_whole(const Bench *b, LunetteModel *m) { model_run(m, (const void *const *)b->x, b->y); }

/* Before a run that counts: the caches hold what the model's last run left there, by a run that does not count if
 * something else was there; or nothing of it at all. */
static void prepare(Bench *b, LunetteModel *m) {
    if (b->cold) roof_flush(b->widest);
    else if (b->last != m) run_whole(b, m);
    b->last = m;
}

static double time_whole(Bench *b, LunetteModel *m) {
    prepare(b, m);
    double start = clock_seconds();
    run_whole(b, m);
    return clock_seconds() - start;
}

/* A run with the clock read between kernels. The arguments are those of the last whole run. */
static void time_steps(Bench *b, LunetteModel *m, Arena *a, Samples *of) {
    prepare(b, m);
    double then = clock_seconds();
    for (int s = 0; s < m->plan->n_step; s++) {
        model_run_step(m, s, m->args[s]);
        double now = clock_seconds();
        samples_add(a, &of[s], now - then);
        then = now;
    }
}

/* What is compared takes at most a third of the time, but for its first runs. */
static void measure_beside(Bench *b, Arena *a, double start, double *spent) {
    double now = clock_seconds();
    if (*spent > (now - start) / 3) return;
    if (*spent == 0) run_whole(b, b->beside.model);
    time_steps(b, b->beside.model, a, b->beside.part);
    *spent += clock_seconds() - now;
}

/* The first few runs are each followed by a burst, however short the time is. */
static void measure_roofs(Bench *b, double start, double *spent) {
    bool due = b->run[0].roof->bursts < LEAST_BURSTS;
    for (double now = clock_seconds(); due || *spent < BURSTS * (now - start); now = clock_seconds()) {
        for (int r = 0; r < b->n_run; r++) roof_burst(b->run[r].roof);
        *spent += clock_seconds() - now;
        b->last = NULL;
        due = false;
    }
}

void bench_measure(Bench *b, Arena *a) {
    double start = clock_seconds(), beside = 0, bursts = 0;
    for (int r = 0; r < b->n_run; r++) do
            run_whole(b, b->run[r].model);
        while (clock_seconds() - start < b->seconds / 20 * (r + 1) / b->n_run);
    b->last = NULL;
    progress_begin("measuring", 0);
    for (start = clock_seconds(); clock_seconds() - start < b->seconds || b->run[0].whole.n < LEAST_RUNS;) {
        if (b->beside.model) measure_beside(b, a, start, &beside);
        for (int r = 0; r < b->n_run; r++) {
            samples_add(a, &b->run[r].whole, time_whole(b, b->run[r].model));
            time_steps(b, b->run[r].model, a, b->run[r].kernel);
        }
        measure_roofs(b, start, &bursts);
    }
    progress_end();
}
