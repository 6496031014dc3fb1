#include "frontend/cli/bench.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_RUNS = 5 };
static const double BURSTS = 0.05; /* of the time goes to measuring the peak */

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

static void run_whole(const Bench *b) { model_run(b->model, (const void *const *)b->x, b->y); }

/* A run with the clock read between kernels. The arguments are those of the last whole run. */
static void run_steps(LunetteModel *m, Arena *a, Samples *of) {
    double then = clock_seconds();
    for (int s = 0; s < m->plan->n_step; s++) {
        model_run_step(m, s, m->args[s]);
        double now = clock_seconds();
        samples_add(a, &of[s], now - then);
        then = now;
    }
}

/* The plain nests take at most a third of the time, but for their first run; after one, the caches
 * are filled again by a run that is not counted. */
static void measure_plain(Bench *b, Arena *a, double start, double *spent) {
    double now = clock_seconds();
    if (b->beside[0].n > 0 && *spent > (now - start) / 3) return;
    if (b->beside[0].n == 0) model_run(b->plain, (const void *const *)b->x, b->y);
    run_steps(b->plain, a, b->beside);
    run_whole(b);
    *spent += clock_seconds() - now;
}

void bench_measure(Bench *b, Arena *a) {
    double start = clock_seconds(), plain = 0, bursts = 0;
    do run_whole(b);
    while (clock_seconds() - start < b->seconds / 20);
    progress_begin("measuring", 0);
    for (start = clock_seconds(); clock_seconds() - start < b->seconds || b->whole.n < LEAST_RUNS;) {
        if (b->plain) measure_plain(b, a, start, &plain);
        double then = clock_seconds(), now;
        run_whole(b);
        samples_add(a, &b->whole, clock_seconds() - then);
        run_steps(b->model, a, b->kernel);
        for (now = clock_seconds(); bursts < BURSTS * (now - start); now = clock_seconds()) {
            samples_add(a, &b->bursts, peak_burst(&b->peak));
            bursts += clock_seconds() - now;
        }
    }
    progress_end();
}
