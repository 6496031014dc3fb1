#include "timing.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS_BEFORE = 2, RUNS_LEAST = 5 };

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int smaller(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int bench_time(void (*run)(void *ctx), void *ctx, double seconds, BenchTimes *times) {
    size_t cap = 0;
    *times = (BenchTimes){0};
    for (int i = 0; i < RUNS_BEFORE; i++) run(ctx);
    for (double at = now_ms(), end = at + 1e3 * seconds; times->n < RUNS_LEAST || at < end;) {
        if (times->n == cap) {
            double *more = realloc(times->ms, (cap = 2 * cap + 64) * sizeof *more);
            if (!more) return 0;
            times->ms = more;
        }
        double begin = now_ms();
        run(ctx);
        at = now_ms();
        times->ms[times->n++] = at - begin;
    }
    qsort(times->ms, times->n, sizeof *times->ms, smaller);
    return 1;
}

double bench_median(const BenchTimes *times) { return times->ms[times->n / 2]; }

void bench_print(const char *name, const char *net, int threads, const BenchTimes *times, double error) {
    printf("%s\t%s\t%d\t%.5g\t%.5g\t%.5g\t%zu\t%.1e\n", name, net, threads, bench_median(times), times->ms[0],
           times->ms[times->n * 9 / 10], times->n, error);
}

double bench_error(const float *y, const float *ref, size_t n) {
    double off = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(y[i])) return NAN;
        off = fmax(off, fabs((double)y[i] - ref[i]));
        most = fmax(most, fabs((double)ref[i]));
    }
    return most > 0 ? off / most : off;
}

static FILE *open_file(const char *base, const char *end, const char *mode) {
    char path[4096];
    snprintf(path, sizeof path, "%s%s", base, end);
    FILE *f = fopen(path, mode);
    if (!f) fprintf(stderr, "cannot open %s: %s\n", path, strerror(errno));
    return f;
}

float *bench_read(const char *base, const char *end, size_t n) {
    FILE *f = open_file(base, end, "rb");
    if (!f) return NULL;
    float *v = malloc(n * sizeof *v + 1);
    size_t got = v ? fread(v, sizeof *v, n, f) : 0;
    int more = fgetc(f) != EOF;
    fclose(f);
    if (v && got == n && !more) return v;
    fprintf(stderr, "%s%s has not the %zu floats that the model wants\n", base, end, n);
    free(v);
    return NULL;
}

int bench_write(const char *base, const char *end, const float *v, size_t n) {
    FILE *f = open_file(base, end, "wb");
    if (!f) return 0;
    int good = fwrite(v, sizeof *v, n, f) == n;
    good &= fclose(f) == 0;
    if (!good) fprintf(stderr, "cannot write %s%s\n", base, end);
    return good;
}

const char *bench_name(const char *base) {
    const char *slash = strrchr(base, '/');
    return slash ? slash + 1 : base;
}
