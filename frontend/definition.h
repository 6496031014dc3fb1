/* What a convolution, a transposed convolution or a pool is, written down once more and as directly as can be: one
 * output at a time, a loop over the taps of its window. It shares nothing with the ops' own files, so that a mistake
 * made there is not made here again.
 *
 *   axis position of tap t of output o:          i = o·s + t·d − before
 *   of a transposed convolution:                 i = (o + before − t·d) / s, where that is whole
 *   outside 0 … l − 1: padding, by the pad mode  zero: none; constant: a number; edge: the nearest; reflect: mirrored
 *                                                without repeating the border; circular: i mod l
 *   ceil mode: the last window may reach beyond the padding: nothing is there
 *   flip: the kernel is read from its end        t' = k − 1 − t */
#ifndef LUNETTE_FRONTEND_DEFINITION_H
#define LUNETTE_FRONTEND_DEFINITION_H

#include "ir/graph.h"

typedef enum DefinedAs { DEFINED_CONV, DEFINED_TRANSPOSE, DEFINED_MAX, DEFINED_MEAN } DefinedAs;
typedef enum DefinedPad { PAD_ZERO, PAD_REFLECT, PAD_EDGE, PAD_CIRCULAR, PAD_CONSTANT } DefinedPad;

typedef struct DefinedAxis {
    int64_t in, out, kernel, stride, dilation, before, after;
} DefinedAxis;

typedef struct Definition {
    DefinedAs as;
    int n; /* spatial axes; those that are missing come first in `axis`, with 1 of everything */
    DefinedAxis axis[3];
    int64_t batch, in_channels, out_channels, groups;
    bool flip, count_pad;
    DefinedPad mode;
    double pad_value;
    int64_t outputs, taps; /* elements; terms of one of them, at most */
} Definition;

/* Room for the taps of one output: one a thread. */
typedef struct DefinedTaps {
    int64_t *tap[3], *at[3]; /* tap of the kernel, position in the input (−1: the constant) */
    int64_t n[3];
    int64_t counted[3]; /* taps in the input or its padding, which a mean with count_pad divides by */
} DefinedTaps;

/* Of one of these, whose input may be a pad op. False when the node is none of them. */
bool definition_of(Definition *f, const Node *n);
/* Whose value x is then: the node's input, or that of the pad. */
const Node *definition_input(const Node *n);
void definition_taps(DefinedTaps *t, const Definition *f, Arena *a);
/* Output element `element` (row-major in [n c …]) of plain x, w and b (NULL where there is none); *terms is Σ |term|. */
double definition_value(const Definition *f, DefinedTaps *t, int64_t element, const float *x, const float *w,
                        const float *b, double *terms);
/* Whether the result is exact in float32 whenever x and w are integers whose sums stay below 2^24. */
bool definition_exact(const Definition *f);

#endif
