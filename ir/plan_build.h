/* The bridge from groups and kernels to the plan. */
#ifndef LUNETTE_IR_PLAN_BUILD_H
#define LUNETTE_IR_PLAN_BUILD_H

#include "ir/lower.h"
#include "ir/plan.h"

/* A plan of these groups, in this order: buffers for every value between them, placed; constants
 * become WEIGHTS buffers. buf_node[b] is the node behind buffer b, kernel_of[i] the plan's kernel of group
 * i (equal kernels share one). `lowered` holds the plain kernels,
 * `scheduled` what will run. */
Plan *plan_build(Arena *a, const Graph *g, const Lowered *lowered, const Kernel *const *scheduled, int n,
                 const Node ***buf_node, const int **kernel_of);

#endif
