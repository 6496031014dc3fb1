/* Pools. */
#include "frontend/onnx/window.h"

/* Padding at the end that no window reaches, of which exporters write more than a window: the last window ends in what is left. */
static void drop_unread(OnnxWindow *w, const Node *x, int spatial) {
    for (int i = 0; i < spatial; i++) {
        int64_t span = (w->kernel.v[i] - 1) * (int64_t)w->dilation.v[i] + 1;
        int64_t unread = (x->type.axis[2 + i].extent + w->pad.lo[i] + w->pad.hi[i] - span) % w->stride.v[i];
        if (w->pad.hi[i] >= span && unread > 0)
            w->pad.hi[i] -= (int32_t)(unread < w->pad.hi[i] ? unread : w->pad.hi[i]);
    }
}

static bool pool_window(Import *im, OnnxWindow *w, const Node *x, int spatial, int64_t *ceil) {
    if (!onnx_attr(im, "kernel_shape")) return import_fail(im, DIAG_SPEC, "kernel_shape is missing");
    if (!window_dims(im, "kernel_shape", spatial, 1, &w->kernel) || !window_of(im, w, x, spatial) ||
        !onnx_attr_int(im, "ceil_mode", 0, ceil))
        return false;
    if (!*ceil) drop_unread(w, x, spatial);
    return true;
}

/* The attributes that all pools have. */
static void set_window(Make *m, const OnnxWindow *w, int64_t ceil) {
    make_dims(m, "kernel", &w->kernel);
    make_dims(m, "stride", &w->stride);
    make_dims(m, "dilation", &w->dilation);
    make_spatial_pads(m, &w->pad);
    make_number(m, "ceil", ceil != 0);
}

bool convert_maxpool(Import *im) {
    int spatial;
    int64_t ceil, order;
    OnnxWindow w;
    Node *x = window_input(im, &spatial);
    if (!x || !pool_window(im, &w, x, spatial, &ceil) || !onnx_attr_int(im, "storage_order", 0, &order)) return false;
    if (onnx_has_output(im, 1)) {
        Make index = make_op(im, OP_MAXPOOLINDEX);
        set_window(&index, &w, ceil);
        make_word(&index, "count", "tensor");
        make_word(&index, "order", order ? "column" : "row");
        if (!onnx_result_at(im, 1, make_node(&index, &x, 1))) return false;
    }
    Make m = make_op(im, OP_MAXPOOL);
    set_window(&m, &w, ceil);
    return onnx_result(im, make_node(&m, &x, 1));
}

bool convert_avgpool(Import *im) {
    int spatial;
    int64_t count, ceil;
    OnnxWindow w;
    Node *x = window_input(im, &spatial);
    if (!x || !pool_window(im, &w, x, spatial, &ceil) || !onnx_attr_int(im, "count_include_pad", 0, &count))
        return false;
    Make m = make_op(im, OP_AVGPOOL);
    set_window(&m, &w, ceil);
    make_number(&m, "count_pad", count != 0);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* Opset 1 has p as a number, later ones as an integer. */
static bool power(Import *im, double *p) {
    int64_t whole;
    float any;
    if (im->opset < 2) {
        if (!onnx_attr_float(im, "p", 2, &any)) return false;
        *p = (double)any;
        return true;
    }
    if (!onnx_attr_int(im, "p", 2, &whole)) return false;
    *p = (double)whole;
    return true;
}

bool convert_lppool(Import *im) {
    int spatial;
    int64_t ceil;
    double p;
    OnnxWindow w;
    Node *x = window_input(im, &spatial);
    if (!x || !pool_window(im, &w, x, spatial, &ceil) || !power(im, &p)) return false;
    Make m = make_op(im, OP_LPPOOL);
    set_window(&m, &w, ceil);
    make_number(&m, "p", p);
    return onnx_result(im, make_node(&m, &x, 1));
}

bool convert_globalpool(Import *im) {
    int spatial;
    double p;
    Node *x = window_input(im, &spatial);
    if (!x) return false;
    if (node_is(im, "GlobalAveragePool")) return onnx_result(im, make_unary(im, OP_GLOBALAVGPOOL, x));
    if (node_is(im, "GlobalMaxPool")) return onnx_result(im, make_unary(im, OP_GLOBALMAXPOOL, x));
    if (!power(im, &p)) return false;
    Make m = make_op(im, OP_GLOBALLPPOOL);
    make_number(&m, "p", p);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* The indices count through the whole tensor that was pooled, so an output_shape other than that of the pool cannot be told. */
bool convert_maxunpool(Import *im) {
    int spatial;
    const int64_t *v;
    int n;
    OnnxWindow w;
    Node *x = window_input(im, &spatial), *index = x ? onnx_activation(im, 1) : NULL;
    if (!index) return false;
    if (!onnx_attr(im, "kernel_shape")) return import_fail(im, DIAG_SPEC, "kernel_shape is missing");
    w.pad = (Pads){.n = spatial};
    if (!window_dims(im, "kernel_shape", spatial, 1, &w.kernel) || !window_dims(im, "strides", spatial, 1, &w.stride) ||
        !window_pads_given(im, &w, spatial) || !onnx_ints(im, "output_shape", 0, 2, &v, &n))
        return false;
    Make m = make_op(im, OP_MAXUNPOOL);
    make_dims(&m, "kernel", &w.kernel);
    make_dims(&m, "stride", &w.stride);
    make_spatial_pads(&m, &w.pad);
    make_word(&m, "count", "tensor");
    if (n >= 0 && n != spatial + 2) return import_fail(im, DIAG_SPEC, "output_shape has %d numbers", n);
    if (n >= 0) make_ints(&m, "out", v + 2, spatial);
    return onnx_result(im, make_node(&m, (Node *[]){x, index}, 2));
}
