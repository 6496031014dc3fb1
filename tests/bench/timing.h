/* What the contenders in C and C++ share: files of floats, times, the line they print. */
#ifndef LUNETTE_BENCH_TIMING_H
#define LUNETTE_BENCH_TIMING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct BenchTimes {
    double *ms; /* sorted */
    size_t n;
} BenchTimes;

/* Runs until `seconds` are over, at least five times after two that do not count. Free times->ms. False when memory
 * runs out. */
int bench_time(void (*run)(void *ctx), void *ctx, double seconds, BenchTimes *times);
double bench_median(const BenchTimes *times);
/* "name<tab>net<tab>threads<tab>median_ms<tab>min_ms<tab>p90_ms<tab>runs<tab>maxerr" */
void bench_print(const char *name, const char *net, int threads, const BenchTimes *times, double error);

/* max |y − ref| / max |ref|; NaN when y has one. */
double bench_error(const float *y, const float *ref, size_t n);
/* BASE + end, a file of n floats; NULL after a message. */
float *bench_read(const char *base, const char *end, size_t n);
/* The other way; false after a message. */
int bench_write(const char *base, const char *end, const float *v, size_t n);
/* The last part of a path. */
const char *bench_name(const char *base);

#ifdef __cplusplus
}
#endif

#endif
