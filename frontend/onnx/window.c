/* Windows with ONNX's paddings: what convolutions and pools share. */
#include "frontend/onnx/window.h"

bool window_dims(Import *im, const char *name, int spatial, int64_t otherwise, Dims *out) {
    const int64_t *v;
    int n;
    if (!onnx_attr_ints(im, name, &v, &n)) return false;
    if (n >= 0 && n != spatial)
        return import_fail(im, DIAG_SPEC, "%s has %d numbers, x has %d spatial axes", name, n, spatial);
    *out = (Dims){.n = spatial};
    for (int i = 0; i < spatial; i++) {
        int64_t one = n < 0 ? otherwise : v[i];
        if (one < 1 || one > 1 << 16) return import_fail(im, DIAG_SPEC, "%s is %lld", name, (long long)one);
        out->v[i] = (int32_t)one;
    }
    return true;
}

static int64_t extent(const Node *x, int axis) { return x->type.axis[2 + axis].extent; }

static int64_t span(const OnnxWindow *w, int i) { return (w->kernel.v[i] - 1) * (int64_t)w->dilation.v[i] + 1; }

bool window_pads_given(Import *im, OnnxWindow *w, int spatial) {
    const int64_t *v;
    int n;
    if (!onnx_attr_ints(im, "pads", &v, &n)) return false;
    if (n >= 0 && n != 2 * spatial)
        return import_fail(im, DIAG_SPEC, "pads has %d numbers, x has %d spatial axes", n, spatial);
    for (int i = 0; i < spatial && n > 0; i++) {
        if (v[i] < 0 || v[spatial + i] < 0) return import_fail(im, DIAG_UNSUPPORTED, "negative pads");
        if (v[i] > 1 << 16 || v[spatial + i] > 1 << 16) return import_fail(im, DIAG_SPEC, "pads over 65536");
        w->pad.lo[i] = (int32_t)v[i];
        w->pad.hi[i] = (int32_t)v[spatial + i];
    }
    return true;
}

/* o = ⌈l/s⌉ windows; what they need beyond the input is split evenly, the odd one at the end or at the start. */
static void same_pads(OnnxWindow *w, const Node *x, int spatial, bool lower) {
    for (int i = 0; i < spatial; i++) {
        int64_t l = extent(x, i), s = w->stride.v[i], o = (l + s - 1) / s, p = (o - 1) * s + span(w, i) - l;
        if (p < 0) p = 0;
        if (p > 1 << 20) p = 1 << 20; /* no layer takes this much: making it says so */
        w->pad.lo[i] = (int32_t)(lower ? (p + 1) / 2 : p / 2);
        w->pad.hi[i] = (int32_t)(p - w->pad.lo[i]);
    }
}

static bool window_pads(Import *im, OnnxWindow *w, const Node *x, int spatial) {
    bool not_set, valid, upper, lower;
    if (!onnx_attr_is(im, "auto_pad", "NOTSET", "NOTSET", &not_set) ||
        !onnx_attr_is(im, "auto_pad", "NOTSET", "VALID", &valid) ||
        !onnx_attr_is(im, "auto_pad", "NOTSET", "SAME_UPPER", &upper) ||
        !onnx_attr_is(im, "auto_pad", "NOTSET", "SAME_LOWER", &lower))
        return false;
    w->pad = (Pads){.n = spatial};
    if (not_set) return window_pads_given(im, w, spatial);
    if (upper || lower) same_pads(w, x, spatial, lower);
    return valid || upper || lower || import_fail(im, DIAG_UNSUPPORTED, "this auto_pad is not known");
}

bool window_of(Import *im, OnnxWindow *w, const Node *x, int spatial) {
    return window_dims(im, "strides", spatial, 1, &w->stride) &&
           window_dims(im, "dilations", spatial, 1, &w->dilation) && window_pads(im, w, x, spatial);
}

Node *window_input(Import *im, int *spatial) {
    Node *x = onnx_activation(im, 0);
    if (!x) return NULL;
    *spatial = x->type.rank - 2;
    if (*spatial >= 1 && *spatial <= MAX_SPATIAL) return x;
    import_fail(im, DIAG_UNSUPPORTED, "input '%.100s' has %d axes; 3 to 5 are known", im->node->input[0], x->type.rank);
    return NULL;
}

bool window_kernel(Import *im, const int64_t *weight, int rank, int spatial, OnnxWindow *w) {
    for (int i = 0; i < rank; i++)
        if (weight[i] < 1 || weight[i] > (i < 2 ? 1 << 24 : 1 << 16))
            return import_fail(im, DIAG_SPEC, "the weight is %s", import_dims(im->a, weight, rank));
    Dims given;
    if (!window_dims(im, "kernel_shape", spatial, 1, &given)) return false;
    w->kernel = (Dims){.n = spatial};
    for (int i = 0; i < spatial; i++) {
        w->kernel.v[i] = (int32_t)weight[2 + i];
        if (onnx_attr(im, "kernel_shape") && given.v[i] != w->kernel.v[i])
            return import_fail(im, DIAG_SPEC, "kernel_shape is not that of the weight, which is %s",
                               import_dims(im->a, weight, rank));
    }
    return true;
}
