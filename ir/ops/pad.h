/* What stands in the padding of a tensor: shared by pad, the convolutions and the pools. */
#ifndef LUNETTE_IR_OPS_PAD_H
#define LUNETTE_IR_OPS_PAD_H

#include "ir/graph.h"

/* In the order of conv's words; those of other ops are mapped. */
typedef enum PadMode { PAD_ZERO, PAD_REFLECT, PAD_EDGE, PAD_CIRCULAR, PAD_CONSTANT } PadMode;

PadMode pad_mode_of(const PAD_attr *p);
int32_t pad_word_of(PadMode mode); /* the word of `pad` that means it; its value is 0 for PAD_ZERO */

/* Whether an axis can be padded so: reflect needs less than the extent, circular at most that (a negative
 * number crops first). `what` names the axis in the message. */
bool pad_fits(PadMode mode, int64_t extent, int64_t lo, int64_t hi, const char *what, const Type *x, Diag *d);
/* The same for the spatial axes of x, and that the padded tensor is none too large. */
bool pads_fit(PadMode mode, const Type *x, const Pads *pad, Diag *d);

/* x with `lo` and `hi` elements more along each axis: lo and hi have x's rank. */
RefTensor *ref_pad(Arena *a, const RefTensor *x, PadMode mode, double value, const int64_t *lo, const int64_t *hi);
/* The same for the spatial axes. */
RefTensor *ref_pad_spatial(Arena *a, const RefTensor *x, PadMode mode, double value, const Pads *pad);

/* Axes that a `pad` by elements of its input may pad on both sides: more make too many nests, and `expand` makes
 * several of it. */
enum { MAX_PADDED_AXES = 3 };

#endif
