/* resize and upsample: a Resize node where opset 17 has one that does the same, else products with matrices of weights. */
#include "frontend/onnx/export_node.h"
#include "ir/ops/resample.h"

#include <math.h>
#include <string.h>

enum { MOST_WEIGHTS = 1 << 22 }; /* of one matrix */

static const char *const modes[] = {"nearest", "linear", "cubic"};
static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};

/* Those that opset 17 has. */
static const char *coordinates_word(Coordinates c) {
    switch (c) {
    case COORD_HALF_PIXEL: return "half_pixel";
    case COORD_PYTORCH_HALF_PIXEL: return "pytorch_half_pixel";
    case COORD_ALIGN_CORNERS: return "align_corners";
    case COORD_ASYMMETRIC: return "asymmetric";
    case COORD_TF_CROP_AND_RESIZE: return "tf_crop_and_resize";
    case COORD_TF_HALF_PIXEL_FOR_NN:
    case COORD_HALF_PIXEL_SYMMETRIC: break;
    }
    return NULL;
}

/* Scales, sizes, roi of all axes, where the attributes have those of some. */
typedef struct ResizeLists {
    int rank;
    float scale[MAX_AXES], roi[2 * MAX_AXES];
    int64_t size[MAX_AXES];
    bool listed[MAX_AXES], by_scale, fits; /* fits: the scales give the sizes */
} ResizeLists;

static float number(const Floats *f, int i) { return f->v[f->n == 1 ? 0 : i]; }

static void resize_lists(Export *e, ResizeLists *l) {
    const RESIZE_attr *a = &e->n->attr.RESIZE;
    const Type *x = &e->n->in[0]->type, *y = &e->n->type;
    int count = a->axes.n ? a->axes.n : x->rank - 2;
    *l = (ResizeLists){.rank = x->rank, .by_scale = a->scales.n > 0, .fits = true};
    for (int i = 0; i < x->rank; i++) {
        l->scale[i] = l->roi[x->rank + i] = 1;
        l->size[i] = y->axis[i].extent;
    }
    for (int i = 0; i < count; i++) {
        int axis = !a->axes.n ? 2 + i : a->axes.v[i] < 0 ? a->axes.v[i] + x->rank : a->axes.v[i];
        l->listed[axis] = true;
        if (l->by_scale) l->scale[axis] = number(&a->scales, i);
        if (a->roi.n) {
            l->roi[axis] = a->roi.v[i];
            l->roi[x->rank + axis] = a->roi.v[count + i];
        }
        if (a->sizes.n && a->scales.n)
            l->fits &= floorf((float)x->axis[axis].extent * l->scale[axis]) == (float)l->size[axis];
    }
}

/* ---- matrices ----------------------------------------------------------------------------------------- */

/* [out in], and the positions where the extrapolation value stands, NULL if nowhere. */
static const float *matrix_of(Export *e, const ResizeLists *l, int axis, const float **outside) {
    const RESIZE_attr *a = &e->n->attr.RESIZE;
    bool crop = a->coordinates == COORD_TF_CROP_AND_RESIZE;
    ResampleRule rule = {(ResizeMode)a->mode, (Coordinates)a->coordinates, (Rounding)a->nearest,
                         (double)a->cubic_a,  a->exclude_outside != 0,     a->antialias != 0};
    Resample r = {.in = e->n->in[0]->type.axis[axis].extent, .out = l->size[axis]};
    r.scale = l->by_scale ? (double)l->scale[axis] : (double)r.out / (double)r.in;
    r.wide = l->by_scale && !crop ? r.scale * (double)r.in : (double)r.out;
    r.roi_lo = crop ? (double)l->roi[axis] : 0;
    r.roi_hi = crop ? (double)l->roi[l->rank + axis] : 1;
    *outside = NULL;
    if (resample_is_identity(&r, &rule)) return NULL;
    resample_make(e->a, &r, &rule);
    float *m = ARENA_ARRAY(e->a, float, r.out *r.in), *beyond = r.outside ? ARENA_ARRAY(e->a, float, r.out) : NULL;
    for (int64_t o = 0; o < r.out; o++) {
        for (int t = 0; t < r.taps; t++) { /* the weight of a single tap is 1 */
            int64_t at = o * r.taps + t;
            m[o * r.in + r.index[at]] += r.taps == 1 ? 1 : (float)r.weight[at];
        }
        if (beyond) beyond[o] = r.outside[o];
    }
    *outside = beyond;
    return m;
}

/* x with this axis last, or back. */
static const char *swapped(Export *e, const char *x, int axis, int rank) {
    int32_t perm[MAX_AXES];
    if (axis == rank - 1) return x;
    for (int i = 0; i < rank; i++) perm[i] = i;
    perm[axis] = rank - 1;
    perm[rank - 1] = axis;
    x = EXPORT_NODE(e, "Transpose", "turned", x);
    export_attr_ints(e, "perm", perm, rank);
    return x;
}

static const char *axis_resized(Export *e, const char *x, const ResizeLists *l, int axis, const float *m,
                                const float *outside) {
    int64_t in = e->n->in[0]->type.axis[axis].extent, out = l->size[axis], dim[2] = {in, out};
    float *columns = ARENA_ARRAY(e->a, float, in *out);
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) columns[i * out + o] = m[o * in + i];
    x = EXPORT_NODE(e, "MatMul", "axis", swapped(e, x, axis, l->rank), export_floats(e, "weights", dim, 2, columns));
    if (outside) {
        const char *mask = export_cast(e, export_floats(e, "outside", &out, 1, outside), DT_F32, DT_BOOL, "mask");
        x = EXPORT_NODE(e, "Where", "cropped", mask, export_number(e, "beyond", e->n->attr.RESIZE.extrapolation), x);
    }
    return swapped(e, x, axis, l->rank);
}

static bool by_matrices(Export *e, const ResizeLists *l) {
    const char *x = e->in[0];
    for (int i = 0; i < l->rank; i++) {
        const float *outside, *m;
        if (!l->listed[i]) continue;
        if (e->n->in[0]->type.axis[i].extent * l->size[i] > MOST_WEIGHTS)
            return export_fail(e, "opset %d has no node for it, and its matrix along axis %d would be too large",
                               EXPORT_OPSET, i);
        m = matrix_of(e, l, i, &outside);
        if (m) x = axis_resized(e, x, l, i, m, outside);
    }
    EXPORT_NODE(e, "Identity", NULL, x);
    return true;
}

/* ---- the ops ------------------------------------------------------------------------------------------ */

bool emit_resize(Export *e) {
    const RESIZE_attr *a = &e->n->attr.RESIZE;
    int64_t rank = e->n->type.rank, both = 2 * rank;
    ResizeLists *l = ARENA_NEW(e->a, ResizeLists);
    const char *word = coordinates_word((Coordinates)a->coordinates);
    resize_lists(e, l);
    if (!word || a->antialias || !l->fits) return by_matrices(e, l);
    const char *roi = a->coordinates == COORD_TF_CROP_AND_RESIZE ? export_floats(e, "roi", &both, 1, l->roi) : "";
    if (l->by_scale) EXPORT_NODE(e, "Resize", NULL, e->in[0], roi, export_floats(e, "scales", &rank, 1, l->scale));
    else EXPORT_NODE(e, "Resize", NULL, e->in[0], roi, "", export_list(e, "sizes", l->size, (int)rank));
    export_attr_text(e, "mode", modes[a->mode]);
    export_attr_text(e, "coordinate_transformation_mode", word);
    if (a->mode == RESIZE_NEAREST) export_attr_text(e, "nearest_mode", roundings[a->nearest]);
    if (a->mode == RESIZE_CUBIC) export_attr_float(e, "cubic_coeff_a", a->cubic_a);
    if (a->mode != RESIZE_NEAREST) export_attr_int(e, "exclude_outside", a->exclude_outside);
    if (a->extrapolation != 0) export_attr_float(e, "extrapolation_value", a->extrapolation);
    return true;
}

bool emit_upsample(Export *e) {
    const UPSAMPLE_attr *a = &e->n->attr.UPSAMPLE;
    int64_t rank = e->n->type.rank;
    float *scale = ARENA_ARRAY(e->a, float, rank);
    for (int i = 0; i < rank; i++) scale[i] = i < 2 ? 1 : (float)a->scale.v[i - 2];
    EXPORT_NODE(e, "Resize", NULL, e->in[0], "", export_floats(e, "scales", &rank, 1, scale));
    export_attr_text(e, "mode", modes[a->mode]);
    export_attr_text(e, "coordinate_transformation_mode", a->mode ? "half_pixel" : "asymmetric");
    if (a->mode == RESIZE_NEAREST) export_attr_text(e, "nearest_mode", "floor");
    return true;
}
