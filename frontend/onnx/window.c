/* Convolutions and pools: windows with ONNX's paddings. */
#include "frontend/onnx/import.h"

#include <string.h>

typedef struct OnnxWindow {
    Dims kernel, stride, dilation;
    Pads pad;
} OnnxWindow;

static int64_t extent(const Node *x, int axis) { return x->type.axis[2 + axis].extent; }

static bool dims_of(Import *im, const char *name, int spatial, int64_t otherwise, Dims *out) {
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

static int64_t span(const OnnxWindow *w, int i) { return (w->kernel.v[i] - 1) * (int64_t)w->dilation.v[i] + 1; }

static bool explicit_pads(Import *im, OnnxWindow *w, int spatial) {
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
    if (not_set) return explicit_pads(im, w, spatial);
    if (upper || lower) same_pads(w, x, spatial, lower);
    return valid || upper || lower || import_fail(im, DIAG_UNSUPPORTED, "this auto_pad is not known");
}

/* Strides, dilations and pads; the kernel is set before. */
static bool window_of(Import *im, OnnxWindow *w, const Node *x, int spatial) {
    return dims_of(im, "strides", spatial, 1, &w->stride) && dims_of(im, "dilations", spatial, 1, &w->dilation) &&
           window_pads(im, w, x, spatial);
}

static Node *spatial_input(Import *im, int *spatial) {
    Node *x = onnx_activation(im, 0);
    if (!x) return NULL;
    *spatial = x->type.rank - 2;
    if (*spatial >= 1 && *spatial <= MAX_SPATIAL) return x;
    import_fail(im, DIAG_UNSUPPORTED, "input '%.100s' has %d axes; 3 to 5 are known", im->node->input[0], x->type.rank);
    return NULL;
}

/* ---- convolution ----------------------------------------------------------------------------------- */

static bool conv_kernel(Import *im, const Const *weight, int spatial, OnnxWindow *w) {
    if (!weight->f || weight->rank != spatial + 2)
        return import_fail(im, DIAG_SPEC, "the weight is %s, for %d spatial axes",
                           import_dims(im->a, weight->dim, weight->rank), spatial);
    for (int i = 0; i < weight->rank; i++)
        if (weight->dim[i] < 1 || weight->dim[i] > (i < 2 ? 1 << 24 : 1 << 16))
            return import_fail(im, DIAG_SPEC, "the weight is %s", import_dims(im->a, weight->dim, weight->rank));
    Dims given;
    if (!dims_of(im, "kernel_shape", spatial, 1, &given)) return false;
    w->kernel = (Dims){.n = spatial};
    for (int i = 0; i < spatial; i++) {
        w->kernel.v[i] = (int32_t)weight->dim[2 + i];
        if (onnx_attr(im, "kernel_shape") && given.v[i] != w->kernel.v[i])
            return import_fail(im, DIAG_SPEC, "kernel_shape is not that of the weight, which is %s",
                               import_dims(im->a, weight->dim, weight->rank));
    }
    return true;
}

bool convert_conv(Import *im) {
    static const char *const letters[] = {"ocw", "ochw", "ocdhw"};
    int spatial;
    int64_t groups;
    OnnxWindow w;
    Node *x = spatial_input(im, &spatial), *in[3] = {x};
    const Const *weight = x ? onnx_constant(im, 1, "the weight") : NULL, *bias = NULL;
    if (!weight || !conv_kernel(im, weight, spatial, &w) || !window_of(im, &w, x, spatial) ||
        !onnx_attr_int(im, "group", 1, &groups))
        return false;
    if (groups < 1 || groups > 1 << 24) return import_fail(im, DIAG_SPEC, "group is %lld", (long long)groups);
    const Onnx__NodeProto *last = im->node;
    const float *b = NULL;
    if (onnx_has_input(im, 2)) {
        bias = onnx_constant(im, 2, "the bias");
        if (!bias) return false;
        b = bias->f;
        if (!b || bias->rank != 1 || bias->n != weight->dim[0])
            return import_fail(im, DIAG_SPEC, "the bias is %s, for %lld output channels",
                               import_dims(im->a, bias->dim, bias->rank), (long long)weight->dim[0]);
    } else {
        b = onnx_bias_after(im, x->type.rank, weight->dim[0], &last);
    }
    in[1] = onnx_weight(im, "weight", letters[spatial - 1], weight->dim, weight->f);
    if (!in[1]) return false;
    if (b) {
        in[2] = onnx_weight(im, "bias", "o", weight->dim, b);
        if (!in[2]) return false;
    }
    AttrAny attr = {.CONV = {.out = (int32_t)weight->dim[0],
                             .kernel = w.kernel,
                             .stride = w.stride,
                             .pad = w.pad,
                             .dilation = w.dilation,
                             .groups = (int32_t)groups,
                             .bias = b != NULL}};
    return onnx_result_of(im, last, onnx_emit(im, OP_CONV, in, b ? 3 : 2, &attr));
}

/* ---- pools ----------------------------------------------------------------------------------------- */

/* Ceil mode is the same as floor where strides fit exactly. */
static bool pool_ceil(Import *im, const OnnxWindow *w, const Node *x, int spatial) {
    int64_t ceil;
    if (!onnx_attr_int(im, "ceil_mode", 0, &ceil)) return false;
    for (int i = 0; ceil && i < spatial; i++)
        if ((extent(x, i) + w->pad.lo[i] + w->pad.hi[i] - span(w, i)) % w->stride.v[i] != 0)
            return import_fail(im, DIAG_UNSUPPORTED, "ceil_mode");
    return true;
}

static bool pool_window(Import *im, OnnxWindow *w, const Node *x, int spatial) {
    if (!onnx_attr(im, "kernel_shape")) return import_fail(im, DIAG_SPEC, "kernel_shape is missing");
    return dims_of(im, "kernel_shape", spatial, 1, &w->kernel) && window_of(im, w, x, spatial) &&
           pool_ceil(im, w, x, spatial);
}

bool convert_maxpool(Import *im) {
    int spatial;
    OnnxWindow w;
    Node *x = spatial_input(im, &spatial);
    if (!x || !pool_window(im, &w, x, spatial)) return false;
    if (im->node->n_output > 1 && im->node->output[1] && *im->node->output[1])
        return import_fail(im, DIAG_UNSUPPORTED, "the second output, Indices");
    AttrAny attr = {.MAXPOOL = {.kernel = w.kernel, .stride = w.stride, .pad = w.pad, .dilation = w.dilation}};
    return onnx_result(im, onnx_emit(im, OP_MAXPOOL, &x, 1, &attr));
}

bool convert_avgpool(Import *im) {
    int spatial;
    int64_t count;
    OnnxWindow w;
    Node *x = spatial_input(im, &spatial);
    if (!x || !pool_window(im, &w, x, spatial) || !onnx_attr_int(im, "count_include_pad", 0, &count)) return false;
    for (int i = 0; i < spatial; i++)
        if (w.dilation.v[i] != 1) return import_fail(im, DIAG_UNSUPPORTED, "dilations other than 1");
    AttrAny attr = {.AVGPOOL = {.kernel = w.kernel, .stride = w.stride, .pad = w.pad, .count_pad = count != 0}};
    return onnx_result(im, onnx_emit(im, OP_AVGPOOL, &x, 1, &attr));
}

bool convert_globalavgpool(Import *im) {
    int spatial;
    Node *x = spatial_input(im, &spatial);
    return x && onnx_result(im, onnx_emit(im, OP_GLOBALAVGPOOL, &x, 1, NULL));
}

/* A window as large as the input. */
bool convert_globalmaxpool(Import *im) {
    int spatial;
    Node *x = spatial_input(im, &spatial);
    if (!x) return false;
    AttrAny attr;
    attr_defaults(OP_MAXPOOL, &attr);
    attr.MAXPOOL.kernel = (Dims){.n = spatial};
    for (int i = 0; i < spatial; i++) attr.MAXPOOL.kernel.v[i] = (int32_t)extent(x, i);
    return onnx_result(im, onnx_emit(im, OP_MAXPOOL, &x, 1, &attr));
}
