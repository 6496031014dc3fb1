/* Every op by its definition, one output element at a time, independent of ir/ops/. */
#ifndef LUNETTE_TESTS_NAIVE_OPS_H
#define LUNETTE_TESTS_NAIVE_OPS_H

#include "ir/graph.h"

/* With `narrow`, every operation is rounded to float32 (products and sums of two floats are exact
 * enough in double for that to be one rounding) and sums run in random order: what some kernel may
 * compute. Otherwise in double. */
typedef struct Naive {
    bool narrow;
    uint64_t seed;
    double term[1 << 16]; /* of the sum being made */
    int n;
} Naive;

/* The value of n from those of its inputs, value[id]. Fails the test for an op that it does not know. */
RefTensor *naive_node(Arena *a, Naive *e, const Node *n, RefTensor *const *value);

#endif
