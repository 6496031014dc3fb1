/* Resize and Upsample. */
#include "frontend/onnx/import.h"

#include <math.h>
#include <string.h>

/* A list of floats that is input i; n = −1: not there, or empty. */
static bool float_list(Import *im, int i, const char *name, const float **v, int *n) {
    *v = NULL;
    *n = -1;
    if (!onnx_has_input(im, i)) return true;
    const Const *c = onnx_constant(im, i, name);
    if (!c) return false;
    if (c->rank > 1 || (c->n && !c->f) || c->n > 2 * MAX_AXES)
        return import_fail(im, DIAG_SPEC, "%s is no short list of numbers", name);
    *v = c->f;
    *n = c->n ? (int)c->n : -1;
    return true;
}

static bool set_word(Import *im, Make *m, const char *attr, const char *ours, const char *otherwise) {
    const Onnx__AttributeProto *a = onnx_attr(im, attr);
    const char *word = otherwise;
    if (a) {
        if (!a->has_s || a->s.len > 60) return import_fail(im, DIAG_SPEC, "%s is no word", attr);
        word = arena_printf(im->a, "%.*s", (int)a->s.len, (const char *)a->s.data);
    }
    make_word(m, ours, word);
    return m->good;
}

/* Sizes and scales are of all axes, or from opset 18 on of `axes`. */
typedef struct Targets {
    const int64_t *axes, *sizes;
    const float *scales, *roi;
    int n_axes, n_sizes, n_scales, n_roi;
} Targets;

static bool read_targets(Import *im, const Node *x, Targets *t) {
    *t = (Targets){.n_axes = -1, .n_sizes = -1, .n_roi = -1};
    int at = im->opset < 11 ? 1 : 2;
    if (im->opset >= 11 && !float_list(im, 1, "roi", &t->roi, &t->n_roi)) return false;
    if (!float_list(im, at, "scales", &t->scales, &t->n_scales) ||
        !onnx_ints(im, "sizes", 0, 3, &t->sizes, &t->n_sizes))
        return false;
    if (im->opset >= 18 && !onnx_attr_ints(im, "axes", &t->axes, &t->n_axes)) return false;
    int count = t->n_axes >= 0 ? t->n_axes : x->type.rank;
    if ((t->n_sizes > 0) == (t->n_scales > 0) || (t->n_sizes > 0 ? t->n_sizes : t->n_scales) != count)
        return import_fail(im, DIAG_SPEC, "%d scales and %d sizes for %d axes", t->n_scales < 0 ? 0 : t->n_scales,
                           t->n_sizes < 0 ? 0 : t->n_sizes, count);
    return true;
}

/* keep_aspect_ratio_policy: one scale for all axes, the smallest or the largest that the sizes ask for; it is that of the
 * coordinates too. */
static bool keep_aspect(Import *im, const Node *x, Targets *t) {
    bool stretch, larger, smaller;
    if (!onnx_attr_is(im, "keep_aspect_ratio_policy", "stretch", "stretch", &stretch) ||
        !onnx_attr_is(im, "keep_aspect_ratio_policy", "stretch", "not_smaller", &larger) ||
        !onnx_attr_is(im, "keep_aspect_ratio_policy", "stretch", "not_larger", &smaller))
        return false;
    if (!stretch && !larger && !smaller)
        return import_fail(im, DIAG_UNSUPPORTED, "this keep_aspect_ratio_policy is not known");
    if (stretch || t->n_sizes <= 0) return true;
    double scale = larger ? 0 : INFINITY;
    int64_t *sizes = ARENA_ARRAY(im->a, int64_t, t->n_sizes);
    float *scales = ARENA_ARRAY(im->a, float, t->n_sizes);
    int axis[MAX_AXES];
    for (int i = 0; i < t->n_sizes; i++) {
        axis[i] = onnx_axis(im, t->n_axes >= 0 ? t->axes[i] : i, x->type.rank);
        if (axis[i] < 0) return false;
        double own = (double)t->sizes[i] / x->type.axis[axis[i]].extent;
        scale = larger ? fmax(scale, own) : fmin(scale, own);
    }
    for (int i = 0; i < t->n_sizes; i++) {
        double size = floor(scale * x->type.axis[axis[i]].extent + 0.5);
        if (!(size >= 1 && size <= 1 << 30)) return import_fail(im, DIAG_SPEC, "a size of %g", size);
        sizes[i] = (int64_t)size;
        scales[i] = (float)scale;
    }
    t->sizes = sizes;
    t->scales = scales;
    t->n_scales = t->n_sizes;
    return true;
}

static void set_targets(Make *m, const Node *x, const Targets *t) {
    int64_t all[MAX_AXES];
    for (int i = 0; i < x->type.rank; i++) all[i] = i;
    if (t->n_axes >= 0) make_ints(m, "axes", t->axes, t->n_axes);
    else make_ints(m, "axes", all, x->type.rank);
    if (t->n_sizes > 0) make_ints(m, "sizes", t->sizes, t->n_sizes);
    if (t->n_scales > 0) make_floats(m, "scales", t->scales, t->n_scales);
    if (t->n_roi > 0) make_floats(m, "roi", t->roi, t->n_roi);
}

bool convert_resize(Import *im) {
    Targets t;
    float cubic_a, extrapolation;
    int64_t exclude, antialias;
    Node *x = onnx_activation(im, 0);
    if (!x || !read_targets(im, x, &t) || !keep_aspect(im, x, &t) ||
        !onnx_attr_float(im, "cubic_coeff_a", -0.75f, &cubic_a) ||
        !onnx_attr_float(im, "extrapolation_value", 0, &extrapolation) ||
        !onnx_attr_int(im, "exclude_outside", 0, &exclude) || !onnx_attr_int(im, "antialias", 0, &antialias))
        return false;
    Make m = make_op(im, OP_RESIZE);
    set_targets(&m, x, &t);
    if (!set_word(im, &m, "mode", "mode", "nearest")) return false;
    /* opset 10 has no attribute for it: floor(o / scale) */
    if (!set_word(im, &m, "coordinate_transformation_mode", "coordinates",
                  im->opset < 11 ? "asymmetric" : "half_pixel") ||
        !set_word(im, &m, "nearest_mode", "nearest", im->opset < 11 ? "floor" : "round_prefer_floor"))
        return false;
    make_number(&m, "cubic_a", (double)cubic_a);
    make_number(&m, "extrapolation", (double)extrapolation);
    make_number(&m, "exclude_outside", exclude != 0);
    make_number(&m, "antialias", antialias != 0);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* The older op: scales as an attribute up to opset 8, then as an input. */
bool convert_upsample(Import *im) {
    const float *v = NULL;
    float all[MAX_AXES];
    int n = -1;
    Node *x = onnx_activation(im, 0);
    if (!x) return false;
    const Onnx__AttributeProto *a = onnx_attr(im, "scales");
    if (im->opset >= 9 && !float_list(im, 1, "scales", &v, &n)) return false;
    if (im->opset < 9 && a) v = a->floats, n = (int)a->n_floats;
    if (im->opset < 7 && !a && x->type.rank == 4) {
        all[0] = all[1] = 1;
        if (!onnx_attr_float(im, "height_scale", 1, &all[2]) || !onnx_attr_float(im, "width_scale", 1, &all[3]))
            return false;
        v = all, n = 4;
    }
    if (n != x->type.rank) return import_fail(im, DIAG_SPEC, "%d scales for %s", n < 0 ? 0 : n, node_shape(im, x));
    Make m = make_op(im, OP_RESIZE);
    Targets t = {.scales = v, .n_scales = n, .n_axes = -1, .n_sizes = -1, .n_roi = -1};
    set_targets(&m, x, &t);
    make_word(&m, "coordinates", "asymmetric");
    make_word(&m, "nearest", "floor");
    bool bilinear = false; /* the word until opset 6 */
    if (im->opset < 7 && !onnx_attr_is(im, "mode", "nearest", "bilinear", &bilinear)) return false;
    if (bilinear) make_word(&m, "mode", "linear");
    else if (!set_word(im, &m, "mode", "mode", "nearest")) return false;
    return onnx_result(im, make_node(&m, &x, 1));
}
