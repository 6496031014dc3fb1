/* The logarithm of a sum of exponentials, which softmax.c bounds, for reducelogsumexp. */
#ifndef LUNETTE_IR_OPS_SOFTMAX_H
#define LUNETTE_IR_OPS_SOFTMAX_H

#include "ir/ops/approx.h"
#include "ir/ops/axes.h"

Approx logsumexp_group(const RefTensor *x, const Groups *g, int64_t group);

#endif
