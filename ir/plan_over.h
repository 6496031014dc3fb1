/* Which results lie in the memory of an operand. */
#ifndef LUNETTE_IR_PLAN_OVER_H
#define LUNETTE_IR_PLAN_OVER_H

#include "ir/lower.h"

/* The result of group `step` may have the memory of argument `arg`, as far as the graph says: both are computed, have one
 * layout (halos may hold something else) and memory of their own, neither is an output, and no later group reads the
 * argument. Whether the kernel allows it is the loop level's to prove (ir/loop/inplace.c). */
bool plan_may_lie_over(const Graph *g, const Lowered *lowered, int n, int step, int arg);

/* Adds the step `inplace` to each scheduled kernel where that is so and the kernel allows it, for the first such argument. */
void plan_inplace(const Graph *g, const Lowered *lowered, Kernel *const *scheduled, int n);

#endif
