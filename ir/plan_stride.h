/* What several strided nests write together. */
#ifndef LUNETTE_IR_PLAN_STRIDE_H
#define LUNETTE_IR_PLAN_STRIDE_H

#include "ir/loop/rewrite.h"
#include "ir/plan.h"

/* The smallest box around all that these stores set in buffer buf, if together they set every element of it: phases of
 * a transposed convolution, each of which writes every s-th element. False if one store is dense alone, or where it
 * cannot be proved. */
bool strided_cover(Arena *a, const Kernel *k, const AccessList *list, int buf, Box *box);

#endif
