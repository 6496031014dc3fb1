/* Sums of products, in double and with the bound of what float32 kernels may be off by: shared by the
 * convolutions, dense and their kin. */
#ifndef LUNETTE_IR_OPS_SUMS_H
#define LUNETTE_IR_OPS_SUMS_H

#include "ir/graph.h"

enum { SUM_TILE = 8 };

/* sum[j][i] = Σ over k of w_j[k]·x[k][i], for w0 and w1; x is [n SUM_TILE]. */
void tile_sum(int64_t n, const double *x, const double *w0, const double *w1, double sum[2][SUM_TILE]);

/* y[n o …] = start[o], or 0. */
void fill_channels(double *y, int64_t batch, int64_t channels, int64_t plane, const double *start);

/* The error bound of a sum of `terms` products and a bias, for any order of additions: with exact
 * inputs |err| ≤ γ·(Σ|w||x| + |bias|), γ = γ_{terms+3}: one rounding for each product, at most
 * `terms` for the additions (Higham 3.1), and two for weights that a pass has scaled and rounded.
 * Inputs that are off by e add Σ|w|·e, and the rounding is then about |x| + e. So one more sum,
 *   err = Σ |w|·(e + γ·(|x| + e)) + start,  start = γ·|bias| + e_bias·(1 + γ) + the underflow of the products,
 * and if the weights are off by e_w, a further one: Σ e_w·(|x| + e)·(1 + γ). */
typedef struct SumBound {
    double *x, *w, *start; /* what replaces x, w and bias in the sum */
    double *x_of_err_w;    /* NULL when weights are exact */
} SumBound;

/* bias may be NULL; start has `outputs` elements. */
SumBound sum_bound(Arena *a, int64_t terms, const RefTensor *x, const RefTensor *w, const RefTensor *bias,
                   int64_t outputs);

#endif
