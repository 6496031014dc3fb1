#include "ir/ops/sums.h"

#include <math.h>

typedef double Pair __attribute__((vector_size(16), may_alias, aligned(8)));

/* Σ w·x of one tile for two output channels. Pairs that are named keep the sums in registers; an
 * array leaves them in memory, which is three times slower at -O2. */
void tile_sum(int64_t n, const double *tile, const double *w0, const double *w1, double out[2][SUM_TILE]) {
    const Pair *x = (const Pair *)tile;
    Pair *sum = (Pair *)out;
    Pair a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};
    for (int64_t k = 0; k < n; k++, x += SUM_TILE / 2) {
        Pair u = {w0[k], w0[k]}, v = {w1[k], w1[k]};
        a0 += u * x[0], a1 += u * x[1], a2 += u * x[2], a3 += u * x[3];
        b0 += v * x[0], b1 += v * x[1], b2 += v * x[2], b3 += v * x[3];
    }
    sum[0] = a0, sum[1] = a1, sum[2] = a2, sum[3] = a3;
    sum[4] = b0, sum[5] = b1, sum[6] = b2, sum[7] = b3;
}

void fill_channels(double *y, int64_t batch, int64_t channels, int64_t plane, const double *start) {
    for (int64_t i = 0; i < batch * channels; i++)
        for (int64_t k = 0; k < plane; k++) y[i * plane + k] = start ? start[i % channels] : 0;
}

static double *array_abs(Arena *a, const double *v, int64_t n) {
    double *out = ARENA_ARRAY(a, double, n);
    for (int64_t i = 0; i < n; i++) out[i] = fabs(v[i]);
    return out;
}

SumBound sum_bound(Arena *a, int64_t terms, const RefTensor *x, const RefTensor *w, const RefTensor *bias,
                   int64_t outputs) {
    double gamma = ref_gamma((double)terms + 3);
    int64_t n = type_elements(&x->type);
    SumBound b = {.w = array_abs(a, w->v, type_elements(&w->type)), .start = ARENA_ARRAY(a, double, outputs)};
    b.x = ARENA_ARRAY(a, double, n);
    if (w->err) b.x_of_err_w = ARENA_ARRAY(a, double, n);
    for (int64_t i = 0; i < n; i++) {
        double e = x->err ? x->err[i] : 0;
        b.x[i] = e + gamma * (fabs(x->v[i]) + e);
        if (w->err) b.x_of_err_w[i] = (1 + gamma) * (fabs(x->v[i]) + e);
    }
    for (int64_t o = 0; o < outputs; o++) {
        double e = bias && bias->err ? bias->err[o] : 0;
        b.start[o] = (bias ? gamma * fabs(bias->v[o]) + e * (1 + gamma) : 0) + (double)(terms + 3) * 0x1p-149;
    }
    return b;
}
