/* gather, shape, cast: what is not moved by position alone. */
#include "ir/ops/axes.h"
#include "ir/ops/move.h"
#include "ir/ops/ops.h"

#include <math.h>

/* ---- gather --------------------------------------------------------------------------------------- */

static int gather_axis(const Node *n, const Type *x) {
    int32_t axis = n->attr.GATHER.axis;
    return axis < 0 ? axis + x->rank : axis;
}

/* The axes of the index stand in the place of the axis. */
bool gather_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0), index = shape_in(n, 1);
    int64_t extent[2 * MAX_AXES];
    char text[SHAPE_TEXT];
    int rank = 0;
    if (!axis_one(n->attr.GATHER.axis, &x, d)) return false;
    int axis = gather_axis(n, &x);
    if (index.dtype == DT_F32 || index.dtype == DT_BOOL)
        return diag_fail(d, DIAG_SPEC, "the index is %s, but i64, i32 or u8 are needed", shape_text(text, &index));
    if (x.axis[axis].extent > MAX_TAKE)
        return diag_fail(d, DIAG_UNSUPPORTED, "indexes above 2^24; x is %s", shape_text(text, &x));
    for (int i = 0; i < axis; i++) extent[rank++] = x.axis[i].extent;
    for (int i = 0; i < index.rank; i++) extent[rank++] = index.axis[i].extent;
    for (int i = axis + 1; i < x.rank; i++) extent[rank++] = x.axis[i].extent;
    return type_of_rank(&n->type, x.dtype, rank, extent, d);
}

/* Negative from the end; beyond either end it stands for it. */
static int64_t index_of(double v, int64_t extent) {
    if (v < 0) v += (double)extent;
    return v > 0 ? v < (double)extent ? (int64_t)v : extent - 1 : 0;
}

/* What may be read in place of element `at` of a row when the index may be off. */
static double gather_err(const RefTensor *x, int64_t base, int64_t step, int64_t extent, double v, double off) {
    int64_t at = index_of(v, extent);
    double own = x->err ? x->err[base + at * step] : 0;
    if (off < 1) return own; /* integers are exact then */
    double most = own, here = x->v[base + at * step];
    for (int64_t i = 0; i < extent; i++)
        most = fmax(most, fabs(x->v[base + i * step] - here) + (x->err ? x->err[base + i * step] : 0));
    return most;
}

void gather_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    const RefTensor *x = in[0], *index = in[1];
    int axis = gather_axis(n, &x->type);
    int64_t outer = 1, inner = 1, extent = x->type.axis[axis].extent, count = type_elements(&index->type), to = 0;
    for (int i = 0; i < axis; i++) outer *= x->type.axis[i].extent;
    for (int i = axis + 1; i < x->type.rank; i++) inner *= x->type.axis[i].extent;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t k = 0; k < count; k++)
            for (int64_t i = 0; i < inner; i++, to++) {
                int64_t base = o * extent * inner + i;
                out->v[to] = x->v[base + index_of(index->v[k], extent) * inner];
                double off = index->err ? index->err[k] : 0;
                if (out->err) out->err[to] = gather_err(x, base, inner, extent, index->v[k], off);
            }
}

void gather_lower(Lower *l, const Node *n) {
    const Node *x = n->in[0], *index = n->in[1];
    Type plain = type_plain(&x->type);
    int axis = gather_axis(n, &plain), more = type_plain(&index->type).rank;
    float extent = (float)plain.axis[axis].extent;
    Nest nest = {0};
    Index y, from = {.n = plain.rank}, which = {.n = more};
    TakeIndex take[MAX_AXES] = {{0}};
    nest_result(l, &nest, &y);
    for (int i = 0; i < more; i++) which.v[i] = y.v[axis + i];
    for (int i = 0; i < plain.rank; i++) from.v[i] = i == axis ? affine_const(0) : y.v[i < axis ? i : i + more - 1];
    const Expr *v = lower_read(l, index, &which);
    const Expr *end = expr_call(l->a, FN_ADD, v, expr_const(l->a, extent), NULL, NULL);
    take[axis] = (TakeIndex){expr_call(l->a, FN_LT, v, expr_const(l->a, 0), end, v), plain.axis[axis].extent};
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &y, lower_read_take(l, x, &from, take))));
}

/* ---- shape ---------------------------------------------------------------------------------------- */

/* The axes start … stop−1 as numpy cuts them. */
static int shape_first(const Node *n, const Type *x, int *stop) {
    int first = n->attr.SHAPE.start, last = n->attr.SHAPE.stop;
    if (first < 0) first += x->rank;
    if (last < 0) last += x->rank;
    *stop = last < x->rank ? last : x->rank;
    return first < 0 ? 0 : first;
}

bool shape_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    char text[SHAPE_TEXT];
    int stop, first = shape_first(n, &x, &stop);
    if (first >= stop)
        return diag_fail(d, DIAG_SPEC, "no axis from %d to %d; x is %s", first, stop, shape_text(text, &x));
    for (int i = first; i < stop; i++)
        if ((float)x.axis[i].extent != x.axis[i].extent)
            return diag_fail(d, DIAG_UNSUPPORTED, "an extent above 2^24 as a number; x is %s", shape_text(text, &x));
    return type_of_rank(&n->type, DT_I64, 1, (int64_t[]){stop - first}, d);
}

void shape_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    int stop, first = shape_first(n, &in[0]->type, &stop);
    for (int i = first; i < stop; i++) {
        out->v[i - first] = in[0]->type.axis[i].extent;
        if (out->err) out->err[i - first] = 0;
    }
}

void shape_lower(Lower *l, const Node *n) {
    Type x = shape_in(n, 0);
    int stop, first = shape_first(n, &x, &stop);
    float *extent = ARENA_ARRAY(l->a, float, stop - first);
    for (int i = first; i < stop; i++) extent[i - first] = (float)x.axis[i].extent;
    Nest nest = {0};
    Index y;
    nest_result(l, &nest, &y);
    int table = kernel_add_table(l->k, "extent", extent, stop - first);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &y, expr_table(l->a, table, y.v[0]))));
}

/* ---- cast ----------------------------------------------------------------------------------------- */

bool cast_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    int64_t extent[MAX_AXES];
    return type_of_rank(&n->type, (DType)n->attr.CAST.to, extents_of(&x, extent), extent, d);
}

static double cast_to(DType to, double v) { return to == DT_F32 ? (double)(float)v : dtype_stored(to, v); }

/* Where v may lie anywhere in v ± e: casts are monotonic but for bool, where 0 may be near. */
static double cast_err(DType to, double v, double e) {
    double y = cast_to(to, v);
    if (to == DT_F32) return e + 0x1p-24 * (fabs(v) + e);
    if (e == 0 && fabs(v) <= MAX_TAKE) return 0;
    if (to == DT_BOOL) return e > 0 && fabs(v) <= e;
    double off = e + 0x1p-24 * (fabs(v) + e); /* the load of an integer rounds */
    return fmax(cast_to(to, v + off) - y, y - cast_to(to, v - off));
}

void cast_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    DType to = (DType)n->attr.CAST.to;
    bool same = in[0]->type.dtype == to;
    for (int64_t i = 0; i < type_elements(&out->type); i++) {
        double v = in[0]->v[i], e = in[0]->err ? in[0]->err[i] : 0;
        out->v[i] = same ? v : cast_to(to, v);
        if (out->err) out->err[i] = same ? e : cast_err(to, v, e);
    }
}

void cast_lower(Lower *l, const Node *n) {
    Nest nest = {0};
    Index at;
    nest_result(l, &nest, &at);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &at, lower_read(l, n->in[0], &at))));
}
