/* resize as ONNX has it, and upsample by whole factors. */
#include "ir/ops/axes.h"
#include "ir/ops/move.h"
#include "ir/ops/ops.h"
#include "ir/ops/resample.h"

#include <math.h>

enum { MAX_TAPS = 1 << 22 }; /* of all positions of an axis: what a table may hold */

static ResampleRule resize_rule(const Node *n) {
    const RESIZE_attr *a = &n->attr.RESIZE;
    return (ResampleRule){(ResizeMode)a->mode, (Coordinates)a->coordinates, (Rounding)a->nearest,
                          (double)a->cubic_a,  a->exclude_outside != 0,     a->antialias != 0};
}

/* ---- resize --------------------------------------------------------------------------------------- */

/* Which axis number i of the lists is about: the positions when no axes are given. */
static int resize_axis(const RESIZE_attr *a, int rank, int i) {
    if (a->axes.n == 0) return 2 + i;
    return a->axes.v[i] < 0 ? a->axes.v[i] + rank : a->axes.v[i];
}

static int resize_count(const RESIZE_attr *a, int rank) { return a->axes.n ? a->axes.n : rank > 2 ? rank - 2 : 0; }

/* One number stands for all axes. */
static double number(const float *f, const int32_t *i, int n, int at) {
    at = n == 1 ? 0 : at;
    return f ? (double)f[at] : (double)i[at];
}

static Resample resize_one(const RESIZE_attr *a, int64_t in, int i, int count) {
    Resample r = {.in = in, .out = in, .scale = 1, .wide = (double)in, .roi_hi = 1};
    bool crop = a->coordinates == COORD_TF_CROP_AND_RESIZE;
    if (crop && a->roi.n) {
        r.roi_lo = (double)a->roi.v[i];
        r.roi_hi = (double)a->roi.v[count + i];
    }
    double out = 0;
    if (a->scales.n) {
        r.scale = number(a->scales.v, NULL, a->scales.n, i);
        r.wide = r.scale * (double)in;
        out = crop ? floor(r.wide * (r.roi_hi - r.roi_lo)) : (double)floorf((float)in * (float)r.scale);
    }
    if (a->sizes.n) out = number(NULL, a->sizes.v, a->sizes.n, i);
    r.out = out >= 1 && out <= 0x1p31 ? (int64_t)out : 0; /* 0: refused */
    if (!a->scales.n) r.scale = (double)r.out / (double)in;
    if (!a->scales.n || crop) r.wide = (double)r.out;
    return r;
}

static bool resize_check(const RESIZE_attr *a, const Type *x, Diag *d) {
    int count = resize_count(a, x->rank);
    char text[SHAPE_TEXT];
    AxisSet axes;
    if (!axes_of(&axes, &a->axes, 0, x, d)) return false;
    if (count == 0)
        return diag_fail(d, DIAG_SPEC, "x is %s, but at least one of d h w is needed, or axes", shape_text(text, x));
    if (!a->sizes.n && !a->scales.n) return diag_fail(d, DIAG_SPEC, "sizes or scales expected");
    if ((a->sizes.n > 1 && a->sizes.n != count) || (a->scales.n > 1 && a->scales.n != count))
        return diag_fail(d, DIAG_SPEC, "%d numbers given for %d axes; x is %s",
                         a->sizes.n > 1 ? a->sizes.n : a->scales.n, count, shape_text(text, x));
    if (a->roi.n && a->roi.n != 2 * count)
        return diag_fail(d, DIAG_SPEC,
                         "roi: %d numbers expected, the first and the last position of each axis, %d given", 2 * count,
                         a->roi.n);
    if (a->mode != RESIZE_NEAREST && x->dtype != DT_F32)
        return diag_fail(d, DIAG_UNSUPPORTED, "only f32 is interpolated; x is %s", shape_text(text, x));
    return true;
}

bool resize_shape(Node *n, Diag *d) {
    const RESIZE_attr *a = &n->attr.RESIZE;
    Type x = shape_in(n, 0);
    ResampleRule rule = resize_rule(n);
    int64_t extent[MAX_AXES];
    char text[SHAPE_TEXT];
    if (!resize_check(a, &x, d)) return false;
    extents_of(&x, extent);
    for (int i = 0, count = resize_count(a, x.rank); i < count; i++) {
        int axis = resize_axis(a, x.rank, i);
        Resample r = resize_one(a, x.axis[axis].extent, i, count);
        if (r.out == 0 || !(r.scale > 0))
            return diag_fail(d, DIAG_SPEC, "axis %d would have no elements, or too many; x is %s", axis,
                             shape_text(text, &x));
        if (!resample_is_identity(&r, &rule) &&
            (r.in > MAX_TAKE || (double)r.out * resample_taps(&rule, r.scale) > MAX_TAPS))
            return diag_fail(d, DIAG_UNSUPPORTED, "axis %d is too long to be resampled; x is %s", axis,
                             shape_text(text, &x));
        extent[axis] = r.out;
    }
    return type_of_rank(&n->type, x.dtype, x.rank, extent, d);
}

/* ---- upsample ------------------------------------------------------------------------------------- */

bool upsample_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    int64_t extent[MAX_SPATIAL];
    char text[SHAPE_TEXT];
    if (!shape_activation(&x, 1, d)) return false;
    for (int i = 0; i < x.rank - 2; i++) {
        extent[i] = (int64_t)x.axis[2 + i].extent * n->attr.UPSAMPLE.scale.v[i];
        if (extent[i] > MAX_TAPS / 2)
            return diag_fail(d, DIAG_UNSUPPORTED, "along %c there would be more than 2^21 positions; x is %s",
                             x.axis[2 + i].letter, shape_text(text, &x));
    }
    if (n->attr.UPSAMPLE.mode != RESIZE_NEAREST && x.dtype != DT_F32)
        return diag_fail(d, DIAG_UNSUPPORTED, "only f32 is interpolated; x is %s", shape_text(text, &x));
    bool ok = shape_set(n, &x, x.axis[1].extent, extent, d);
    n->type.dtype = x.dtype;
    return ok;
}

/* ---- both ------------------------------------------------------------------------------------------ */

/* The axes without taps, and their rule. */
static ResampleRule plan_axes(const Node *n, Resample axis[MAX_AXES]) {
    Type x = shape_in(n, 0), y = type_plain(&n->type);
    for (int i = 0; i < x.rank; i++)
        axis[i] = (Resample){.in = x.axis[i].extent, .out = y.axis[i].extent, .scale = 1, .wide = y.axis[i].extent};
    if (n->op == OP_RESIZE) {
        const RESIZE_attr *a = &n->attr.RESIZE;
        for (int i = 0, count = resize_count(a, x.rank); i < count; i++) {
            int k = resize_axis(a, x.rank, i);
            axis[k] = resize_one(a, x.axis[k].extent, i, count);
        }
        return resize_rule(n);
    }
    for (int i = 2; i < x.rank; i++) axis[i].scale = n->attr.UPSAMPLE.scale.v[i - 2];
    bool nearest = n->attr.UPSAMPLE.mode == RESIZE_NEAREST;
    return (ResampleRule){.mode = (ResizeMode)n->attr.UPSAMPLE.mode,
                          .coordinates = nearest ? COORD_ASYMMETRIC : COORD_HALF_PIXEL,
                          .rounding = ROUND_FLOOR};
}

/* An axis that is not listed keeps its positions whatever the coordinates are. */
static bool is_listed(const Node *n, int rank, int axis) {
    if (n->op != OP_RESIZE) return axis >= 2;
    for (int i = 0; i < resize_count(&n->attr.RESIZE, rank); i++)
        if (resize_axis(&n->attr.RESIZE, rank, i) == axis) return true;
    return false;
}

static void make_axes(Arena *a, const Node *n, Resample axis[MAX_AXES]) {
    ResampleRule rule = plan_axes(n, axis), own = {.coordinates = COORD_ASYMMETRIC, .rounding = ROUND_FLOOR};
    int rank = type_plain(&n->type).rank;
    for (int i = 0; i < rank; i++) {
        bool moves = is_listed(n, rank, i) && !resample_is_identity(&axis[i], &rule);
        resample_make(a, &axis[i], moves ? &rule : &own);
    }
}

bool resize_moves_channels(const Node *n) {
    Resample axis[MAX_AXES];
    ResampleRule rule = plan_axes(n, axis);
    int rank = type_plain(&n->type).rank;
    return rank > 1 && is_listed(n, rank, 1) && !resample_is_identity(&axis[1], &rule);
}

static double outside_value(const Node *n) { return n->op == OP_RESIZE ? (double)n->attr.RESIZE.extrapolation : 0; }

void resize_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Resample axis[MAX_AXES];
    make_axes(a, n, axis);
    resample_eval(axis, outside_value(n), in[0], out);
}

void resize_lower(Lower *l, const Node *n) {
    Resample axis[MAX_AXES];
    make_axes(l->a, n, axis);
    resample_lower(l, n, axis, outside_value(n));
}

void upsample_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) { resize_eval(a, n, in, out); }
void upsample_lower(Lower *l, const Node *n) { resize_lower(l, n); }
