/* Shapes and sliding windows: what the shape functions share. */
#include "ir/ops/ops.h"

#include <stdio.h>
#include <string.h>

const char *shape_text(char buf[SHAPE_TEXT], const Type *t) {
    int n = snprintf(buf, SHAPE_TEXT, "f32[");
    for (int i = 0; i < t->rank && n < SHAPE_TEXT - 16; i++)
        n += snprintf(buf + n, (size_t)(SHAPE_TEXT - n), "%s%c%d", i ? " " : "", t->axis[i].letter, t->axis[i].extent);
    snprintf(buf + n, (size_t)(SHAPE_TEXT - n), "]");
    return buf;
}

Type shape_in(const Node *n, int i) { return type_plain(&n->in[i]->type); }

bool shape_activation(const Type *x, int spatial, Diag *d) {
    static const char *const forms[] = {"nc", "ncw", "nchw", "ncdhw"};
    char letters[MAX_AXES + 1] = "", text[SHAPE_TEXT];
    for (int i = 0; i < x->rank; i++) letters[i] = x->axis[i].letter;
    for (int i = spatial; i <= MAX_SPATIAL; i++)
        if (strcmp(letters, forms[i]) == 0) return true;
    return diag_fail(d, DIAG_SPEC, "x is %s, but axes n c and %s of d h w are needed", shape_text(text, x),
                     spatial ? "1 to 3" : "at most 3");
}

bool shape_set(Node *n, const Type *x, int64_t channels, const int64_t *spatial, Diag *d) {
    char letters[MAX_AXES + 1] = "";
    int64_t extent[MAX_AXES];
    for (int i = 0; i < x->rank; i++) {
        letters[i] = x->axis[i].letter;
        extent[i] = i == 0 ? x->axis[0].extent : i == 1 ? channels : spatial[i - 2];
    }
    return type_make(&n->type, letters, extent, d);
}

bool shape_vector(const Node *n, int i, const char *what, int64_t extent, const Type *x, Diag *d) {
    Type v = shape_in(n, i);
    if (v.rank == 1 && v.axis[0].extent == extent) return true;
    char have[SHAPE_TEXT], of[SHAPE_TEXT];
    return diag_fail(d, DIAG_SPEC, "%s is %s, but one axis of %lld is needed for %s", what, shape_text(have, &v),
                     (long long)extent, shape_text(of, x));
}

bool shape_constants(const Node *n, Diag *d) {
    for (int i = 0; i < n->n_in; i++)
        if (!graph_is_constant(n->in[i]))
            return diag_fail(d, DIAG_SPEC, "'%s' is not a constant", n->in[i]->name);
    return true;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* p = max(s(o − 1) + span − l, 0) with o = ⌈l/s⌉ for "same" (TensorFlow's rule, ONNX's SAME_UPPER), span − 1 a side for "full". */
void pads_resolve(Pads *p, const Type *x, const Dims *kernel, const Dims *stride, const Dims *dilation) {
    for (int i = 0; i < p->n && p->rule != PADS_GIVEN; i++) {
        int64_t l = x->axis[2 + i].extent, s = stride->v[i] ? stride->v[i] : kernel->v[i];
        int64_t span = (kernel->v[i] - 1) * (int64_t)(dilation ? dilation->v[i] : 1) + 1;
        int64_t total = ((l + s - 1) / s - 1) * s + span - l;
        if (p->rule == PADS_FULL) total = 2 * (span - 1);
        if (total < 0) total = 0;
        if (total > INT32_MAX) total = INT32_MAX; /* window_make refuses it */
        p->lo[i] = (int32_t)(p->rule == PADS_SAME_LOWER ? total - total / 2 : total / 2);
        p->hi[i] = (int32_t)(total - p->lo[i]);
    }
    p->rule = PADS_GIVEN;
}

static bool window_axis(Window *w, int at, const Type *x, char letter, Diag *d) {
    int64_t span = (w->kernel[at] - 1) * w->dilation[at] + 1;
    int64_t padded = w->in[at] + w->lo[at] + w->hi[at];
    char text[SHAPE_TEXT];
    if (span > padded)
        return diag_fail(d, DIAG_SPEC,
                         "along %c the kernel spans %lld (extent %lld, dilation %lld), but the padded input has %lld "
                         "(%lld + %lld + %lld); x is %s",
                         letter, (long long)span, (long long)w->kernel[at], (long long)w->dilation[at],
                         (long long)padded, (long long)w->lo[at], (long long)w->in[at], (long long)w->hi[at],
                         shape_text(text, x));
    w->out[at] = (padded - span) / w->stride[at] + 1;
    return true;
}

bool window_make(Window *w, const Type *x, const Dims *kernel, const Dims *stride, const Dims *dilation,
                 const Pads *pad, Diag *d) {
    *w = (Window){.in = {1, 1, 1}, .out = {1, 1, 1}, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
    int spatial = x->rank - 2;
    int64_t elements = (int64_t)x->axis[0].extent * x->axis[1].extent;
    for (int i = 0; i < spatial; i++) {
        int at = MAX_SPATIAL - spatial + i;
        w->in[at] = x->axis[2 + i].extent;
        w->kernel[at] = kernel->v[i];
        w->stride[at] = stride->v[i];
        w->dilation[at] = dilation ? dilation->v[i] : 1;
        w->lo[at] = pad->lo[i];
        w->hi[at] = pad->hi[i];
        if (!window_axis(w, at, x, x->axis[2 + i].letter, d)) return false;
        if (__builtin_mul_overflow(elements, w->in[at] + w->lo[at] + w->hi[at], &elements) || elements >> 40)
            return diag_fail(d, DIAG_SPEC, "the padded input would have more than 2^40 elements");
    }
    return true;
}

bool window_type(Node *n, const Type *x, int64_t channels, const Window *w, Diag *d) {
    return shape_set(n, x, channels, w->out + MAX_SPATIAL - (x->rank - 2), d);
}

void window_clip(const Window *w, int axis, int64_t o, int64_t *first, int64_t *last) {
    int64_t start = o * w->stride[axis] - w->lo[axis], dilation = w->dilation[axis];
    *first = start < 0 ? (-start + dilation - 1) / dilation : 0;
    int64_t room = w->in[axis] - start; /* taps k with k·dilation < room are before the end */
    *last = room <= 0 ? 0 : (room + dilation - 1) / dilation;
    if (*last > w->kernel[axis]) *last = w->kernel[axis];
    if (*first > *last) *first = *last;
}
