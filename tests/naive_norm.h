/* Norms, reductions and products of matrices by their definitions, for naive_ops.c. */
#ifndef LUNETTE_TESTS_NAIVE_NORM_H
#define LUNETTE_TESTS_NAIVE_NORM_H

#include "tests/naive_ops.h"

/* Element o of n; false when n is none of these. */
bool naive_norm(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, double *out);

#endif
