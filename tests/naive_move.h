/* Data movement and resampling by their definitions, for naive_ops.c. */
#ifndef LUNETTE_TESTS_NAIVE_MOVE_H
#define LUNETTE_TESTS_NAIVE_MOVE_H

#include "tests/naive_ops.h"

/* Element o of n, which is number i; false when n is none of these. */
bool naive_move(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, int64_t i, double *out);

#endif
