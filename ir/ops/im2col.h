/* The matrix of a convolution's windows: shared with conv, whose shape must allow for it. */
#ifndef LUNETTE_IR_OPS_IM2COL_H
#define LUNETTE_IR_OPS_IM2COL_H

#include "ir/graph.h"

enum { CONV_IM2COL = 2 }; /* the word of conv's `algorithm` */

/* The type of the matrix of windows over x that give positions like `out`'s; false with `d` if it would be too large. */
bool im2col_type(Type *t, const Type *x, const Dims *kernel, const Type *out, Diag *d);

#endif
