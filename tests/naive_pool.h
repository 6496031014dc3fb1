/* The pools that are not in naive_ops.c, by their definitions. */
#ifndef LUNETTE_TESTS_NAIVE_POOL_H
#define LUNETTE_TESTS_NAIVE_POOL_H

#include "tests/naive_ops.h"

/* Element o of n's result; false: n is another op. */
bool naive_pool(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, double *out);

#endif
