/* What the pools share: their attributes in one form, the elements that a window holds, and the nest over them. */
#ifndef LUNETTE_IR_OPS_POOL_H
#define LUNETTE_IR_OPS_POOL_H

#include "ir/lower.h"
#include "ir/ops/ops.h"
#include "ir/ops/pad.h"

/* Attributes of any pool. Of a pool without windows (global) they are those of one as large as the input. */
typedef struct Pool {
    Dims kernel, stride, dilation;
    Pads pad;
    bool ceil;      /* a last window may reach beyond the padding, if it starts before the input's end */
    bool count_pad; /* avgpool */
    double p;       /* lppool */
    bool padded;    /* by pad_mode, which is not what the pool ignores or counts as 0: x is padded before, pad is none */
    PadMode mode;
    double value;
} Pool;

Pool pool_of(const Node *n);
Window pool_window(const Node *n, const Pool *p, const Type *x);

/* The taps of one output that are inside the input: positions at[i] + k·step[i], k < count[i]. */
typedef struct Span {
    int64_t at[3], step[3], count[3];
} Span;

Span span_of(const Window *w, const int64_t o[3]);

/* What is done with each window: `put` gets a plane of x, the elements of the span in it, and the place of the output. */
typedef void PoolPut(const Node *n, const Pool *p, const Window *w, const Span *s, const double *v, const double *err,
                     const int64_t o[3], RefTensor *out, int64_t at);
void pool_eval(const Node *n, const Pool *p, const RefTensor *x, RefTensor *out, PoolPut *put);

/* Opens the loops of the window (names kd kh kw) and gives x's index behind the output y. */
void pool_taps(Lower *l, const Pool *p, Nest *window, const Index *y, Index *x);

#endif
