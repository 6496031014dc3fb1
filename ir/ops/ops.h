/* What the files of ir/ops/ share: the functions of every row of the op table, and the arithmetic
 * of sliding windows. */
#ifndef LUNETTE_IR_OPS_OPS_H
#define LUNETTE_IR_OPS_OPS_H

#include "ir/graph.h"

/* Of these a row has what its flags say (ir/op_table.c). */
#define OP(id, name, ...)                                                                          \
    bool name##_shape(Node *n, Diag *d);                                                           \
    int name##_params(const Node *n, ParamSpec out[4], Diag *d);                                   \
    void name##_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out);         \
    void name##_lower(struct Lower *l, const Node *n);
#define POINTWISE(...)
#define ATTR(...)
#define ENUM(...)
#define END(id)
#include "ir/ops.def"

/* Shared by all pointwise rows: their meaning is the formula. */
bool pointwise_shape(Node *n, Diag *d);
void pointwise_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out);
void pointwise_lower(struct Lower *l, const Node *n);

/* ---- shapes ---------------------------------------------------------------------------------- */

enum { SHAPE_TEXT = 160 };
/* A plain type as text, for messages where there is no arena. Returns buf. */
const char *shape_text(char buf[SHAPE_TEXT], const Type *t);
/* The plain type of input i. */
Type shape_in(const Node *n, int i);
/* Whether x has axes n c and at least `spatial` of d h w (which may be at most 3). */
bool shape_activation(const Type *x, int spatial, Diag *d);
/* Sets n->type to x with this many channels and spatial extents (w, h w or d h w). */
bool shape_set(Node *n, const Type *x, int64_t channels, const int64_t *spatial, Diag *d);
/* Whether input i is a vector of `extent` elements, named `what` in the message. */
bool shape_vector(const Node *n, int i, const char *what, int64_t extent, const Type *x, Diag *d);
/* Whether all inputs of an OPF_CONSTANT op are constants. */
bool shape_constants(const Node *n, Diag *d);

/* ---- windows --------------------------------------------------------------------------------- */

/* A window that slides over three spatial axes d h w; those that x lacks come first, with extent
 * and kernel 1. Output position o, tap k: input position o·stride + k·dilation − lo. */
typedef struct Window {
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], lo[3], hi[3];
} Window;

/* Puts numbers in the place of a rule; dilation NULL: 1, a stride of 0: the kernel. */
void pads_resolve(Pads *p, const Type *x, const Dims *kernel, const Dims *stride, const Dims *dilation);
/* The window of these attributes over x; dilation NULL: 1. `out` is set where the window fits. False
 * with `d` if it does not fit, or if the padded input would exceed 2^40 elements. */
bool window_make(Window *w, const Type *x, const Dims *kernel, const Dims *stride, const Dims *dilation,
                 const Pads *pad, Diag *d);
/* n->type: x with `channels` and the extents of the window's output. */
bool window_type(Node *n, const Type *x, int64_t channels, const Window *w, Diag *d);
/* Taps first … last−1 of output position o along one axis are inside the input. */
void window_clip(const Window *w, int axis, int64_t o, int64_t *first, int64_t *last);

#endif
