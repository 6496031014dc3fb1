/* Windows of convolutions and pools, as ONNX's attributes give them. */
#ifndef LUNETTE_ONNX_WINDOW_H
#define LUNETTE_ONNX_WINDOW_H

#include "frontend/onnx/import.h"

typedef struct OnnxWindow {
    Dims kernel, stride, dilation;
    Pads pad;
} OnnxWindow;

/* Input 0 with 1 to 3 spatial axes; NULL with a message. */
Node *window_input(Import *im, int *spatial);
/* A list of one number an axis, all `otherwise` when it is not there. */
bool window_dims(Import *im, const char *name, int spatial, int64_t otherwise, Dims *out);
bool window_pads_given(Import *im, OnnxWindow *w, int spatial);
/* Strides, dilations and pads; the kernel is set before. */
bool window_of(Import *im, OnnxWindow *w, const Node *x, int spatial);
/* The kernel from the weight's dimensions, which kernel_shape must repeat if it is there. */
bool window_kernel(Import *im, const int64_t *weight, int rank, int spatial, OnnxWindow *w);

#endif
