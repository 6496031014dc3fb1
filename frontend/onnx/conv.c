/* Convolutions and transposed convolutions. */
#include "frontend/onnx/window.h"

#include <string.h>

/* The weight: a constant in the letters of the op, or (of a convolution) what the network computes. */
typedef struct ConvInputs {
    Node *in[3];
    int n;
    int64_t dim[MAX_AXES]; /* of the weight */
    const Onnx__NodeProto *last;
} ConvInputs;

static bool weight_input(Import *im, const char *letters, ConvInputs *c) {
    if (onnx_has_input(im, 1) && !onnx_is_constant(im, 1)) {
        if (letters[0] == 'c')
            return import_fail(im, DIAG_UNSUPPORTED,
                               "the weight '%.100s' is not a constant; an input that is known is given by --const",
                               im->node->input[1]);
        c->in[1] = onnx_activation(im, 1);
        if (c->in[1] && (size_t)c->in[1]->type.rank != strlen(letters))
            return import_fail(im, DIAG_SPEC, "the weight is %s, for %zu spatial axes", node_shape(im, c->in[1]),
                               strlen(letters) - 2);
        if (c->in[1]) node_dims(c->in[1], c->dim);
        return c->in[1] != NULL;
    }
    const Const *w = onnx_constant(im, 1, "the weight");
    if (!w) return false;
    if (!w->f || w->rank != (int)strlen(letters))
        return import_fail(im, DIAG_SPEC, "the weight is %s, for %zu spatial axes", import_dims(im->a, w->dim, w->rank),
                           strlen(letters) - 2);
    memcpy(c->dim, w->dim, sizeof *w->dim * (size_t)w->rank);
    c->in[1] = onnx_weight(im, "weight", letters, w->dim, w->f);
    return c->in[1] != NULL;
}

/* The bias, or that of an Add of a constant that follows. */
static bool bias_input(Import *im, int64_t channels, ConvInputs *c) {
    const float *b = NULL;
    c->n = 2;
    if (onnx_has_input(im, 2) && !onnx_is_constant(im, 2)) {
        c->in[c->n++] = onnx_activation(im, 2);
        return c->in[2] != NULL;
    }
    if (onnx_has_input(im, 2)) {
        const Const *bias = onnx_constant(im, 2, "the bias");
        if (!bias) return false;
        b = bias->f;
        if (!b || bias->rank != 1 || bias->n != channels)
            return import_fail(im, DIAG_SPEC, "the bias is %s, for %lld output channels",
                               import_dims(im->a, bias->dim, bias->rank), (long long)channels);
    } else {
        b = onnx_bias_after(im, c->in[0]->type.rank, channels, &c->last);
    }
    if (b) c->in[c->n++] = onnx_weight(im, "bias", "o", &channels, b);
    return !b || c->in[2];
}

static bool group_count(Import *im, int64_t *groups) {
    if (!onnx_attr_int(im, "group", 1, groups)) return false;
    return (*groups >= 1 && *groups <= 1 << 24) || import_fail(im, DIAG_SPEC, "group is %lld", (long long)*groups);
}

bool convert_conv(Import *im) {
    static const char *const letters[] = {"ocw", "ochw", "ocdhw"};
    int spatial;
    int64_t groups;
    OnnxWindow w;
    ConvInputs c = {.in = {window_input(im, &spatial)}, .last = im->node};
    if (!c.in[0] || !weight_input(im, letters[spatial - 1], &c) ||
        !window_kernel(im, c.dim, c.in[1]->type.rank, spatial, &w) || !window_of(im, &w, c.in[0], spatial) ||
        !group_count(im, &groups) || !bias_input(im, c.dim[0], &c))
        return false;
    AttrAny attr;
    attr_defaults(OP_CONV, &attr);
    attr.CONV.out = (int32_t)c.dim[0];
    attr.CONV.kernel = w.kernel;
    attr.CONV.stride = w.stride;
    attr.CONV.pad = w.pad;
    attr.CONV.dilation = w.dilation;
    attr.CONV.groups = (int32_t)groups;
    attr.CONV.bias = c.n == 3;
    return onnx_result_of(im, c.last, onnx_emit(im, OP_CONV, c.in, c.n, &attr));
}

/* ---- transposed -------------------------------------------------------------------------------------------- */

static int64_t transposed_span(const OnnxWindow *w, int i) {
    return (w->kernel.v[i] - 1) * (int64_t)w->dilation.v[i] + 1;
}

/* Pads that make the output as large as asked: total = s(l − 1) + output_padding + span − o, the odd one at the start or at
 * the end. A negative total makes the output larger at the end. */
static bool pads_for(Import *im, OnnxWindow *w, Dims *output_pad, const Node *x, int i, int64_t wanted, bool at_end) {
    int64_t l = x->type.axis[2 + i].extent, s = w->stride.v[i];
    int64_t total = s * (l - 1) + output_pad->v[i] + transposed_span(w, i) - wanted;
    if (total < -(1 << 24) || total > 1 << 17)
        return import_fail(im, DIAG_UNSUPPORTED, "an output of %lld on axis %d, without pads it is %lld",
                           (long long)wanted, 2 + i, (long long)(total + wanted));
    if (total < 0) {
        output_pad->v[i] += (int32_t)-total;
        total = 0;
    }
    int64_t less = total / 2;
    w->pad.lo[i] = (int32_t)(at_end ? less : total - less);
    w->pad.hi[i] = (int32_t)(total - w->pad.lo[i]);
    return true;
}

/* Where the odd one of an output_shape stands: the equations before opset 11 have it at the end unless auto_pad says otherwise. */
static bool output_shape(Import *im, OnnxWindow *w, Dims *output_pad, const Node *x, int spatial, bool *given) {
    const int64_t *v;
    int n;
    bool upper, lower;
    if (!onnx_attr_ints(im, "output_shape", &v, &n) || !onnx_attr_is(im, "auto_pad", "NOTSET", "SAME_UPPER", &upper) ||
        !onnx_attr_is(im, "auto_pad", "NOTSET", "SAME_LOWER", &lower))
        return false;
    *given = n >= 0 || upper || lower;
    if (n >= 0 && n != spatial && n != spatial + 2)
        return import_fail(im, DIAG_SPEC, "output_shape has %d numbers, x has %d spatial axes", n, spatial);
    for (int i = 0; i < spatial && *given; i++) {
        int64_t wanted = n >= 0 ? v[n - spatial + i] : (int64_t)x->type.axis[2 + i].extent * w->stride.v[i];
        if (wanted < 1 || wanted > 1 << 24) return import_fail(im, DIAG_SPEC, "an output of %lld", (long long)wanted);
        if (!pads_for(im, w, output_pad, x, i, wanted, upper || (!lower && im->opset < 11))) return false;
    }
    return true;
}

static bool transposed_window(Import *im, OnnxWindow *w, Dims *output_pad, const Node *x, int spatial) {
    bool given;
    const int64_t *v;
    int n;
    if (!window_dims(im, "strides", spatial, 1, &w->stride) ||
        !window_dims(im, "dilations", spatial, 1, &w->dilation) || !onnx_attr_ints(im, "output_padding", &v, &n))
        return false;
    *output_pad = (Dims){.n = spatial};
    w->pad = (Pads){.n = spatial};
    for (int i = 0; i < spatial && n > 0; i++) {
        if (n != spatial || v[i] < 0 || v[i] > 1 << 16)
            return import_fail(im, DIAG_SPEC, "output_padding is %s", import_dims(im->a, v, n));
        output_pad->v[i] = (int32_t)v[i];
    }
    bool not_set, valid;
    if (!output_shape(im, w, output_pad, x, spatial, &given) ||
        !onnx_attr_is(im, "auto_pad", "NOTSET", "NOTSET", &not_set) ||
        !onnx_attr_is(im, "auto_pad", "NOTSET", "VALID", &valid))
        return false;
    if (given || valid) return true;
    return not_set ? window_pads_given(im, w, spatial)
                   : import_fail(im, DIAG_UNSUPPORTED, "this auto_pad is not known");
}

bool convert_convtranspose(Import *im) {
    static const char *const letters[] = {"cow", "cohw", "codhw"};
    int spatial;
    int64_t groups;
    OnnxWindow w;
    Dims output_pad;
    ConvInputs c = {.in = {window_input(im, &spatial)}, .last = im->node};
    if (!c.in[0] || !weight_input(im, letters[spatial - 1], &c) ||
        !window_kernel(im, c.dim, c.in[1]->type.rank, spatial, &w) ||
        !transposed_window(im, &w, &output_pad, c.in[0], spatial) || !group_count(im, &groups))
        return false;
    int64_t out = c.dim[1] * groups;
    if (out > 1 << 24) return import_fail(im, DIAG_SPEC, "%lld output channels", (long long)out);
    if (!bias_input(im, out, &c)) return false;
    AttrAny attr;
    attr_defaults(OP_CONVTRANSPOSE, &attr);
    attr.CONVTRANSPOSE.out = (int32_t)out;
    attr.CONVTRANSPOSE.kernel = w.kernel;
    attr.CONVTRANSPOSE.stride = w.stride;
    attr.CONVTRANSPOSE.pad = w.pad;
    attr.CONVTRANSPOSE.output_pad = output_pad;
    attr.CONVTRANSPOSE.dilation = w.dilation;
    attr.CONVTRANSPOSE.groups = (int32_t)groups;
    attr.CONVTRANSPOSE.bias = c.n == 3;
    return onnx_result_of(im, c.last, onnx_emit(im, OP_CONVTRANSPOSE, c.in, c.n, &attr));
}
