/* Normalisation by the statistics of the input itself, for norm.c and for batchnorm in training mode. */
#ifndef LUNETTE_IR_OPS_NORM_H
#define LUNETTE_IR_OPS_NORM_H

#include "ir/lower.h"
#include "ir/ops/axes.h"

typedef struct Norm {
    AxisSet axes;   /* whose elements are normalised together */
    int64_t groups; /* of channels, axis 1 being cut into them; 1: none */
    AxisSet affine; /* the axes of x that weight and bias have, in order */
    float eps;
    bool eps_outside; /* (x − μ) / (σ + eps), else (x − μ) / √(σ² + eps) */
} Norm;

/* in: x, weight or NULL, bias or NULL. */
void norm_eval(Arena *a, const Norm *norm, const RefTensor *const *in, RefTensor *out);
/* Inputs of n: x, then weight and bias as far as there are. */
void norm_lower(Lower *l, const Node *n, const Norm *norm, int n_in);

#endif
