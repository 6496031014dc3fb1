/* Winograd's minimal filtering: F(m, r) gives m outputs of a filter with r taps from t = m + r − 1 products,
 *
 *     y = Aᵀ [ (G g) ⊙ (Bᵀ d) ]           (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016)
 *
 * with matrices that follow from t − 1 interpolation points and infinity (Cook and Toom; Blahut, Fast Algorithms for Signal Processing).
 * A convolution becomes four ops: winoinput Bᵀ d B of each tile, winoweight G g Gᵀ (when weights are packed), winoproduct, which is
 * a product of matrices for each of t·t places in a tile, and winooutput Aᵀ m A. An axis without transform has m = r = t = 1. */
#ifndef LUNETTE_IR_OPS_WINOGRAD_H
#define LUNETTE_IR_OPS_WINOGRAD_H

#include "ir/graph.h"

enum { CONV_WINOGRAD = 3 }; /* the word of conv's `algorithm` */
enum { WINO_MOST = 6 }; /* places in a tile, along an axis */

typedef struct WinoAxis {
    int m, r, t;
    double bt[WINO_MOST][WINO_MOST]; /* [t][t] */
    double g[WINO_MOST][WINO_MOST];  /* [t][r] */
    double at[WINO_MOST][WINO_MOST]; /* [m][t] */
} WinoAxis;

/* False: no points are known for this size. t is 1, 4 (points 0, 1, −1) or 6 (0, ±3/4, ±3/2). */
bool wino_axis(WinoAxis *w, int m, int r);

/* Whether a convolution can be computed so: stride and dilation 1, one group, 1 or 2 axes, taps that F(m, r) is known for. `tile` gets
 * the outputs of a tile along each axis, 2 or 4: what costs least. */
bool wino_fits(const Node *conv, Dims *tile);
/* Whether it is worth it: at most 0.8 of the cost of a direct convolution, by a model of multiply-adds, transforms and weights from
 * memory. The same for any target and number of threads. */
bool wino_pays(const Node *conv);
/* The bound of what this convolution may be off by when it is computed so, from in[0 … 2] (x with what else
 * than zeros stands in its padding, weight, bias or NULL) and the padding that is left, into err. */
void wino_bound(Arena *a, const Node *conv, const Pads *pad, const RefTensor *const *in, double *err);

/* What winoinput reads around x: elements before and after each spatial axis. */
void wino_reach(const Node *winoinput, int32_t lo[MAX_SPATIAL], int32_t hi[MAX_SPATIAL]);

#endif
