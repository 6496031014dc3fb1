/* Convolutions and padding by their definitions, for naive_ops.c. */
#ifndef LUNETTE_TESTS_NAIVE_WINDOWS_H
#define LUNETTE_TESTS_NAIVE_WINDOWS_H

#include "tests/naive_ops.h"

/* Element o of n's result; false: n is another op. */
bool naive_windows(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, double *out);
/* Where position i of an axis of l elements comes from when it is padded so, by walking; −1: from nowhere. */
int64_t naive_walk(const char *mode, int64_t i, int64_t l);

#endif
