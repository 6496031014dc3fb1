/* What moves data, and resizing. Shapes are written as they are, not by the rules that gave them. */
#include "frontend/onnx/export_node.h"

#include <math.h>
#include <string.h>

static int positive(int32_t axis, int rank) { return axis < 0 ? axis + rank : axis; }

/* A list of axes as positive numbers, for `rank` axes. */
static int axes_list(const Ints *axes, int rank, int64_t out[MAX_INTS]) {
    for (int i = 0; i < axes->n; i++) out[i] = positive(axes->v[i], rank);
    return axes->n;
}

static int dims_of(const Type *t, int64_t dim[MAX_AXES]) {
    for (int i = 0; i < t->rank; i++) dim[i] = t->axis[i].extent;
    return t->rank;
}

/* ---- shapes ------------------------------------------------------------------------------------------- */

bool emit_reshape(Export *e) {
    int64_t dim[MAX_AXES];
    int rank = dims_of(&e->n->type, dim);
    export_reshape(e, NULL, e->in[0], dim, rank);
    return true;
}

bool emit_squeeze(Export *e) {
    int64_t axes[MAX_INTS];
    int n = axes_list(&e->n->attr.SQUEEZE.axes, e->n->in[0]->type.rank, axes);
    if (n) EXPORT_NODE(e, "Squeeze", NULL, e->in[0], export_list(e, "axes", axes, n));
    else EXPORT_NODE(e, "Squeeze", NULL, e->in[0]);
    return true;
}

bool emit_unsqueeze(Export *e) {
    int64_t axes[MAX_INTS];
    int n = axes_list(&e->n->attr.UNSQUEEZE.axes, e->n->type.rank, axes);
    EXPORT_NODE(e, "Unsqueeze", NULL, e->in[0], export_list(e, "axes", axes, n));
    return true;
}

static const char *transposed(Export *e, const char *suffix, const char *x, const int32_t *perm, int rank) {
    x = EXPORT_NODE(e, "Transpose", suffix, x);
    export_attr_ints(e, "perm", perm, rank);
    return x;
}

bool emit_transpose(Export *e) {
    const Ints *given = &e->n->attr.TRANSPOSE.perm;
    int32_t perm[MAX_AXES];
    int rank = e->n->type.rank;
    for (int i = 0; i < rank; i++) perm[i] = given->n ? positive(given->v[i], rank) : rank - 1 - i;
    transposed(e, NULL, e->in[0], perm, rank);
    return true;
}

bool emit_expand(Export *e) {
    int64_t dim[MAX_AXES];
    int rank = dims_of(&e->n->type, dim);
    EXPORT_NODE(e, "Expand", NULL, e->in[0], export_list(e, "shape", dim, rank));
    return true;
}

/* ---- parts -------------------------------------------------------------------------------------------- */

static void sliced(Export *e, const int64_t *start, const int64_t *stop, const int64_t *axes, const int64_t *step,
                   int n) {
    EXPORT_NODE(e, "Slice", NULL, e->in[0], export_list(e, "starts", start, n), export_list(e, "ends", stop, n),
                export_list(e, "axes", axes, n), export_list(e, "steps", step, n));
}

bool emit_slice(Export *e) {
    const SLICE_attr *s = &e->n->attr.SLICE;
    int64_t start[MAX_INTS], stop[MAX_INTS], axes[MAX_INTS], step[MAX_INTS];
    int rank = e->n->in[0]->type.rank;
    int n = s->axes.n ? s->axes.n : s->start.n ? s->start.n : s->stop.n ? s->stop.n : s->step.n;
    for (int i = 0; i < n; i++) {
        step[i] = s->step.n ? s->step.v[i] : 1;
        start[i] = s->start.n ? s->start.v[i] : step[i] > 0 ? 0 : INT64_MAX;
        stop[i] = s->stop.n ? s->stop.v[i] : step[i] > 0 ? INT64_MAX : INT64_MIN;
        axes[i] = s->axes.n ? positive(s->axes.v[i], rank) : i;
    }
    if (n) sliced(e, start, stop, axes, step, n);
    else EXPORT_NODE(e, "Identity", NULL, e->in[0]);
    return true;
}

bool emit_reverse(Export *e) {
    int64_t start[MAX_INTS], stop[MAX_INTS], axes[MAX_INTS], step[MAX_INTS];
    int rank = e->n->in[0]->type.rank, n = axes_list(&e->n->attr.REVERSE.axes, rank, axes);
    for (; e->n->attr.REVERSE.axes.n == 0 && n < rank; n++) axes[n] = n;
    for (int i = 0; i < n; i++) start[i] = -1, stop[i] = INT64_MIN, step[i] = -1;
    if (n) sliced(e, start, stop, axes, step, n);
    else EXPORT_NODE(e, "Identity", NULL, e->in[0]);
    return true;
}

bool emit_gather(Export *e) {
    DType t = e->n->in[1]->type.dtype;
    const char *index = t == DT_I32 ? e->in[1] : export_cast(e, e->in[1], t, DT_I64, "index");
    EXPORT_NODE(e, "Gather", NULL, e->in[0], index);
    export_attr_int(e, "axis", positive(e->n->attr.GATHER.axis, e->n->in[0]->type.rank));
    return true;
}

bool emit_shape(Export *e) {
    EXPORT_NODE(e, "Shape", NULL, e->in[0]);
    export_attr_int(e, "start", e->n->attr.SHAPE.start);
    export_attr_int(e, "end", e->n->attr.SHAPE.stop);
    return true;
}

/* To a narrow type a cast saturates, where ONNX leaves open what it does. */
const char *export_saturated(Export *e, const char *x, DType to) {
    if (to != DT_U8 && to != DT_I32) return x;
    const char *lo = export_number(e, "least", to == DT_U8 ? 0 : -0x1p31f);
    return EXPORT_NODE(e, "Clip", "saturated", x, lo, export_number(e, "most", to == DT_U8 ? 255 : 0x1.fffffep30f));
}

bool emit_cast(Export *e) {
    DType from = e->n->in[0]->type.dtype, to = (DType)e->n->attr.CAST.to;
    const char *x = e->in[0];
    if (from == DT_F32 || from == DT_I64 || (from == DT_I32 && to == DT_U8)) {
        bool narrows = to == DT_U8 || to == DT_I32;
        if (narrows) x = export_saturated(e, export_cast(e, x, from, DT_F32, "float"), to);
    }
    EXPORT_NODE(e, "Cast", NULL, x);
    export_attr_int(e, "to", export_elem(to));
    return true;
}

/* ---- blocks ------------------------------------------------------------------------------------------- */

/* As a reshape, a transpose and another reshape. */
static void dealt(Export *e, const int64_t *parts, const int32_t *perm, int n) {
    int64_t dim[MAX_AXES];
    int rank = dims_of(&e->n->type, dim);
    const char *x = transposed(e, "dealt", export_reshape(e, "parts", e->in[0], parts, n), perm, n);
    export_reshape(e, NULL, x, dim, rank);
}

/* ONNX knows blocks of two axes, others are dealt: dcr [n, b …, C, x …], crd [n, C, b …, x …] becomes [n, C, x b …]. */
bool emit_depthtospace(Export *e) {
    const Type *x = &e->n->in[0]->type;
    int32_t block = e->n->attr.DEPTHTOSPACE.block, s = x->rank - 2, perm[MAX_AXES] = {0};
    bool crd = e->n->attr.DEPTHTOSPACE.mode == 1;
    int64_t parts[MAX_AXES] = {x->axis[0].extent};
    if (s == 2) {
        EXPORT_NODE(e, "DepthToSpace", NULL, e->in[0]);
        export_attr_int(e, "blocksize", block);
        export_attr_text(e, "mode", crd ? "CRD" : "DCR");
        return true;
    }
    perm[1] = crd ? 1 : 1 + s;
    parts[perm[1]] = e->n->type.axis[1].extent;
    for (int i = 0; i < s; i++) {
        parts[(crd ? 2 : 1) + i] = block;
        parts[2 + s + i] = x->axis[2 + i].extent;
        perm[2 + 2 * i] = 2 + s + i;
        perm[3 + 2 * i] = (crd ? 2 : 1) + i;
    }
    dealt(e, parts, perm, 2 + 2 * s);
    return true;
}

/* [n, C, x b …] becomes [n, b …, C, x …]. */
bool emit_spacetodepth(Export *e) {
    const Type *x = &e->n->in[0]->type;
    int32_t block = e->n->attr.SPACETODEPTH.block, s = x->rank - 2, perm[MAX_AXES] = {0};
    int64_t parts[MAX_AXES] = {x->axis[0].extent, x->axis[1].extent};
    if (s == 2) {
        EXPORT_NODE(e, "SpaceToDepth", NULL, e->in[0]);
        export_attr_int(e, "blocksize", block);
        return true;
    }
    perm[1 + s] = 1;
    for (int i = 0; i < s; i++) {
        parts[2 + 2 * i] = x->axis[2 + i].extent / block;
        parts[3 + 2 * i] = block;
        perm[1 + i] = 3 + 2 * i;
        perm[2 + s + i] = 2 + 2 * i;
    }
    dealt(e, parts, perm, 2 + 2 * s);
    return true;
}

bool emit_channelshuffle(Export *e) {
    const Type *x = &e->n->in[0]->type;
    int64_t groups = e->n->attr.CHANNELSHUFFLE.groups, channels = x->axis[1].extent;
    int64_t parts[4] = {x->axis[0].extent, groups, channels / groups, export_product(x, 2)};
    dealt(e, parts, (const int32_t[]){0, 2, 1, 3}, 4);
    return true;
}
