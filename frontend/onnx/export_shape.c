/* Padding, shapes, data that move. */
#include "frontend/onnx/export_node.h"

#include <string.h>

int64_t export_product(const Type *t, int from) {
    int64_t n = 1;
    for (int i = from; i < t->rank; i++) n *= t->axis[i].extent;
    return n;
}

const char *export_reshape(Export *e, const char *suffix, const char *x, const int64_t *dim, int rank) {
    return EXPORT_NODE(e, "Reshape", suffix, x, export_list(e, "shape", dim, rank));
}

const char *export_by_channel(Export *e, int i) {
    const Type *w = &e->n->in[i]->type;
    int rank = e->n->in[0]->type.rank;
    int64_t dim[MAX_AXES] = {w->rank ? w->axis[0].extent : 1};
    for (int k = 1; k < rank - 1; k++) dim[k] = 1;
    if (w->rank == 0 || rank <= 2 || dim[0] == 1) return e->in[i];
    return export_reshape(e, arena_printf(e->a, "in%d", i), e->in[i], dim, rank - 1);
}

/* x[start … end) along one axis. */
static const char *slice(Export *e, const char *suffix, const char *x, int64_t start, int64_t end, int64_t axis) {
    return EXPORT_NODE(e, "Slice", suffix, x, export_list(e, "starts", &start, 1), export_list(e, "ends", &end, 1),
                       export_list(e, "axes", &axis, 1));
}

/* ---- padding ------------------------------------------------------------------------------------------ */

/* Rings: what stands at the end comes before the beginning, and the other way round. */
static const char *padded_ring(Export *e, const char *suffix, const char *x, const ExportPad *p) {
    int left = 0;
    for (int i = 0; i < p->rank; i++) left += p->lo[i] || p->hi[i];
    for (int i = 0; i < p->rank; i++) {
        if (p->lo[i] == 0 && p->hi[i] == 0) continue;
        const char *part[3];
        int n = 0;
        if (p->lo[i]) part[n++] = slice(e, "before", x, p->extent[i] - p->lo[i], p->extent[i], i);
        part[n++] = x;
        if (p->hi[i]) part[n++] = slice(e, "after", x, 0, p->hi[i], i);
        x = export_node(e, "Concat", --left ? "ring" : suffix, part, n);
        export_attr_int(e, "axis", i);
    }
    return x;
}

const char *export_padded(Export *e, const char *suffix, const char *x, const ExportPad *p) {
    int64_t pads[2 * MAX_AXES];
    bool any = false;
    for (int i = 0; i < p->rank; i++) {
        pads[i] = p->lo[i];
        pads[p->rank + i] = p->hi[i];
        any |= p->lo[i] || p->hi[i];
    }
    if (!any) return suffix ? x : EXPORT_NODE(e, "Identity", NULL, x);
    if (strcmp(p->mode, "circular") == 0) return padded_ring(e, suffix, x, p);
    const char *list = export_list(e, "pads", pads, 2 * p->rank);
    if (p->value != 0) {
        const char *value = export_cast(e, export_number(e, "value", p->value), DT_F32, p->dtype, "cast");
        x = EXPORT_NODE(e, "Pad", suffix, x, list, value);
    } else {
        x = EXPORT_NODE(e, "Pad", suffix, x, list);
    }
    export_attr_text(e, "mode", p->mode);
    return x;
}

/* What a negative number crops goes first. */
bool emit_pad(Export *e) {
    const PAD_attr *a = &e->n->attr.PAD;
    static const char *const modes[] = {"constant", "reflect", "edge", "circular"};
    const Type *t = &e->n->in[0]->type;
    const char *x = e->in[0];
    ExportPad p = {.rank = t->rank, .mode = modes[a->mode], .value = a->mode ? 0 : a->value, .dtype = t->dtype};
    for (int i = 0; i < t->rank; i++) {
        int64_t lo = a->pads.v[i], hi = a->pads.v[t->rank + i], n = t->axis[i].extent;
        int64_t start = lo < 0 ? -lo : 0, end = hi < 0 ? n + hi : n;
        if (end - start < n) x = slice(e, "cropped", x, start, end, i);
        p.lo[i] = lo < 0 ? 0 : lo;
        p.hi[i] = hi < 0 ? 0 : hi;
        p.extent[i] = end - start;
    }
    export_padded(e, NULL, x, &p);
    return true;
}

/* ---- convolutions ------------------------------------------------------------------------------------- */

const char *export_spatial_pads(Export *e, const Pads *pad, int mode, float value) {
    static const char *const modes[] = {"constant", "reflect", "edge", "circular", "constant"};
    const Type *t = &e->n->in[0]->type;
    ExportPad p = {.rank = t->rank, .mode = modes[mode], .value = mode == 4 ? value : 0, .dtype = DT_F32};
    for (int i = 0; i < t->rank; i++) {
        p.extent[i] = t->axis[i].extent;
        p.lo[i] = i < 2 ? 0 : pad->lo[i - 2];
        p.hi[i] = i < 2 ? 0 : pad->hi[i - 2];
    }
    return export_padded(e, "padded", e->in[0], &p);
}

/* The kernel reversed along its spatial axes. */
static const char *flipped(Export *e) {
    int n = e->n->in[1]->type.rank - 2;
    int64_t start[MAX_SPATIAL], end[MAX_SPATIAL], axis[MAX_SPATIAL], step[MAX_SPATIAL];
    for (int i = 0; i < n; i++) start[i] = -1, end[i] = INT64_MIN, axis[i] = 2 + i, step[i] = -1;
    return EXPORT_NODE(e, "Slice", "flipped", e->in[1], export_list(e, "starts", start, n),
                       export_list(e, "ends", end, n), export_list(e, "axes", axis, n),
                       export_list(e, "steps", step, n));
}

bool emit_conv(Export *e) {
    const CONV_attr *c = &e->n->attr.CONV;
    const char *in[3] = {c->pad_mode ? export_spatial_pads(e, &c->pad, c->pad_mode, c->pad_value) : e->in[0],
                         c->flip ? flipped(e) : e->in[1], e->n->n_in > 2 ? e->in[2] : NULL};
    Pads none = {.n = c->pad.n};
    export_node(e, "Conv", NULL, in, e->n->n_in);
    export_attr_ints(e, "kernel_shape", c->kernel.v, c->kernel.n);
    export_attr_ints(e, "strides", c->stride.v, c->stride.n);
    export_attr_ints(e, "dilations", c->dilation.v, c->dilation.n);
    export_attr_pads(e, "pads", c->pad_mode ? &none : &c->pad);
    export_attr_int(e, "group", c->groups);
    return true;
}

/* Pads below 0 add to the result what no window reaches: zeros and the bias. */
bool emit_convtranspose(Export *e) {
    const CONVTRANSPOSE_attr *c = &e->n->attr.CONVTRANSPOSE;
    const Type *y = &e->n->type;
    Pads cut = c->pad;
    ExportPad more = {.rank = y->rank, .mode = "constant", .dtype = DT_F32};
    bool any = false, bias = e->n->n_in > 2;
    for (int i = 0; i < c->pad.n; i++) {
        more.lo[2 + i] = c->pad.lo[i] < 0 ? -c->pad.lo[i] : 0;
        more.hi[2 + i] = c->pad.hi[i] < 0 ? -c->pad.hi[i] : 0;
        cut.lo[i] = c->pad.lo[i] < 0 ? 0 : c->pad.lo[i];
        cut.hi[i] = c->pad.hi[i] < 0 ? 0 : c->pad.hi[i];
        any |= more.lo[2 + i] || more.hi[2 + i];
    }
    const char *in[3] = {e->in[0], c->flip ? flipped(e) : e->in[1], bias ? e->in[2] : NULL};
    const char *x = export_node(e, "ConvTranspose", any ? "inner" : NULL, in, any ? 2 : e->n->n_in);
    export_attr_ints(e, "kernel_shape", c->kernel.v, c->kernel.n);
    export_attr_ints(e, "strides", c->stride.v, c->stride.n);
    export_attr_ints(e, "dilations", c->dilation.v, c->dilation.n);
    export_attr_pads(e, "pads", &cut);
    export_attr_ints(e, "output_padding", c->output_pad.v, c->output_pad.n);
    export_attr_int(e, "group", c->groups);
    if (!any) return true;
    x = export_padded(e, bias ? "padded" : NULL, x, &more);
    if (bias) EXPORT_NODE(e, "Add", NULL, x, export_by_channel(e, 2));
    return true;
}
