/* Transposed convolutions, for the passes. */
#ifndef LUNETTE_IR_OPS_CONVTRANSPOSE_H
#define LUNETTE_IR_OPS_CONVTRANSPOSE_H

#include "ir/graph.h"

/* What it reads before and behind each spatial axis of x. */
void convtranspose_reach(const Node *n, int32_t lo[MAX_SPATIAL], int32_t hi[MAX_SPATIAL]);

/* Products that one output channel of one image takes of each input channel: zeros around x count, as for a convolution. */
int64_t convtranspose_terms(const Node *n);

#endif
