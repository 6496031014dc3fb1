/* Convolution arithmetic: what a layer of given kernel, stride, padding, dilation and groups makes of an input
 * of given size. Integers only, nothing of the compiler.
 *
 * An axis has l positions, a window of k taps d apart, one every s positions, p zeros around it:
 *
 *   k' = d(k − 1) + 1                      what the window spans
 *   o  = ⌊(l + p − k') / s⌋ + 1            Dumoulin & Visin 2016 (arXiv 1603.07285), relationships 6 and 15, whose
 *                                          2p is the total p here
 *   total p                                left ⌊p/2⌋, right ⌈p/2⌉
 *   SAME     o = ⌈l/s⌉, p = max(s(o − 1) + k' − l, 0), left ⌊p/2⌋, right ⌈p/2⌉
 *                                          TensorFlow and Keras "same", ONNX SAME_UPPER
 *   SAME_LOWER                             the same with left ⌈p/2⌉, right ⌊p/2⌋: ONNX
 *   valid    p = 0;    half  ⌊k'/2⌋ a side;    full  k' − 1 a side     (Dumoulin & Visin, chapter 2)
 *
 * Output position i reads the input at i·s + t·d − left for the taps t = 0 … k − 1; outside 0 … l − 1 it is padding.
 * Windows on windows (Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill
 * 2019): an element of a value whose elements see r positions, neighbours j apart, the first from position b on, is
 *   r' = r + (k' − 1)j,    j' = js,    b' = b − left·j. */
#ifndef LUNETTE_FRONTEND_EXPLAIN_H
#define LUNETTE_FRONTEND_EXPLAIN_H

#include "ir/base.h"

enum { EXPLAIN_AXES = 3 };

typedef enum ExplainOp { EXPLAIN_CONV, EXPLAIN_MAXPOOL, EXPLAIN_AVGPOOL } ExplainOp;
typedef enum ExplainPad {
    EXPLAIN_SIDES, /* lo and hi of each axis as given */
    EXPLAIN_TOTAL,
    EXPLAIN_VALID,
    EXPLAIN_SAME,
    EXPLAIN_SAME_LOWER,
    EXPLAIN_HALF,
    EXPLAIN_FULL,
    EXPLAIN_PADS
} ExplainPad;

/* Positions of the network's input: the first element sees begin … begin + extent − 1, the next ones jump further. */
typedef struct ExplainReach {
    int64_t extent, jump, begin;
} ExplainReach;

typedef struct ExplainAxis {
    int64_t in, kernel, stride, dilation;
    int64_t lo, hi; /* EXPLAIN_SIDES: given; EXPLAIN_TOTAL: their sum is; explain_layer sets them */
    int64_t span;   /* k' */
    int64_t out;    /* o */
    int64_t left;   /* padded positions at the end that no window reaches */
    int64_t hits;   /* pairs of output position and tap that are not padding */
    int64_t live;   /* taps that are ever not padding */
    ExplainReach reach;
} ExplainAxis;

/* A pool is a layer of as many groups as channels, without weights. */
typedef struct ExplainLayer {
    ExplainOp op;
    ExplainPad pad;
    int n; /* axes */
    ExplainAxis axis[EXPLAIN_AXES];
    int64_t in_channels, out_channels, groups;
    bool bias, count_pad, flip; /* flip: tap k meets weight K−1−k */
    const char *padded_by;      /* a pad_mode: the padding holds something else than zeros or nothing; else NULL */
    bool ceil;                  /* pools: the size is rounded up, explain_out_ceil */
    /* set by explain_layer */
    int64_t in_group, out_group; /* channels of a group */
    int64_t taps;                /* terms of one output: in_group · ∏ kernel */
    int64_t inputs, outputs;     /* elements */
    int64_t positions;           /* ∏ out */
    int64_t weights, params, macs;
    int64_t column;           /* elements of the im2col matrices of all groups: groups · taps · positions */
    int64_t entries, nonzero; /* of the dense matrix, outputs × inputs */
    int64_t shared;           /* distinct weights in it; −1 for pools: explain_divisor says */
    int64_t mlp;              /* parameters of a fully connected layer of that size */
} ExplainLayer;

/* What was wrong, so that the caller can point at it. */
typedef enum ExplainFault { FAULT_NONE, FAULT_KERNEL, FAULT_PAD, FAULT_GROUPS, FAULT_SIZE } ExplainFault;

extern const char *const explain_op_name[];  /* "conv" … */
extern const char *const explain_pad_name[]; /* "per side", "total", "valid" … */

int64_t explain_span(int64_t kernel, int64_t dilation);
/* 0 when the window does not fit. */
int64_t explain_out(int64_t in, int64_t pad, int64_t span, int64_t stride);
/* In Caffe's pooling and ceil_mode: ⌈(l + p − k') / s⌉ + 1, one less if the last window would begin right of
 * the input and its left padding. */
int64_t explain_out_ceil(int64_t in, int64_t lo, int64_t hi, int64_t span, int64_t stride);
/* One of the two, as the layer rounds. */
int64_t explain_axis_out(const ExplainLayer *l, const ExplainAxis *x, int64_t lo, int64_t hi);
/* The padding that a rule gives for an axis; SIDES leaves lo and hi, TOTAL splits their sum. */
void explain_pad(ExplainPad rule, const ExplainAxis *x, int64_t *lo, int64_t *hi);
/* Fills in what follows from the fields above "set by". The numbers given must be positive (paddings: not negative)
 * and below 2^32. False with DIAG_USAGE. */
bool explain_layer(ExplainLayer *l, ExplainFault *fault, Diag *d);

/* A layer from text: conv, maxpool or avgpool, attributes in braces as in a spec, and strings or `total` for the
 * padding; the input is L, C,H,W or HxW (one channel), C,HxW. Messages begin with "at column N: " of the text or, for
 * the input, "--input: at column N: ". */
bool explain_read(ExplainLayer *l, const char *text, const char *input, Diag *d);

/* ---- one output, one entry ------------------------------------------------------------------------------- */

typedef struct ExplainTap {
    int64_t c, at[EXPLAIN_AXES];    /* of x; outside it for padding */
    int64_t o, cw, k[EXPLAIN_AXES]; /* of w; cw counts within the group */
    bool padding;
    int64_t x, w; /* places in x (−1 for padding) and in w, row-major */
} ExplainTap;

/* Term `tap` (0 … taps − 1) of the output element at channel and position `pixel`. */
ExplainTap explain_tap(const ExplainLayer *l, const int64_t pixel[1 + EXPLAIN_AXES], int64_t tap);
/* Output element i, row-major, as channel and position. */
void explain_pixel(const ExplainLayer *l, int64_t i, int64_t pixel[1 + EXPLAIN_AXES]);
/* What the mean of this pixel divides by. */
int64_t explain_divisor(const ExplainLayer *l, const int64_t pixel[1 + EXPLAIN_AXES]);
/* The value of an output element; w and b may be NULL for pools, b NULL is zero. */
double explain_value(const ExplainLayer *l, const int64_t pixel[1 + EXPLAIN_AXES], const double *x, const double *w,
                     const double *b);

#endif
