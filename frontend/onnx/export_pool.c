/* Pools. What opset 17 has no attribute for is said otherwise: a window that reaches beyond the padding by more padding,
 * padding that holds something by a Pad node, dilated means by a convolution with ones, adaptive windows one by one. */
#include "frontend/onnx/export_node.h"

#include <math.h>
#include <string.h>

typedef struct PoolWindow {
    const char *x; /* padded, where the padding holds something */
    int n;         /* spatial axes */
    Dims kernel, stride, dilation;
    int64_t in[MAX_SPATIAL], out[MAX_SPATIAL]; /* extents of x and of the result */
    Pads pad;
    int32_t beyond[MAX_SPATIAL]; /* what the last window lacks after the padding */
    bool dilated, any_pad, any_beyond;
} PoolWindow;

static Dims ones(int n) {
    Dims d = {.n = n};
    for (int i = 0; i < n; i++) d.v[i] = 1;
    return d;
}

static void pads_inside(Export *e, PoolWindow *w, int mode, float value) {
    w->x = export_spatial_pads(e, &w->pad, mode, value);
    for (int i = 0; i < w->n; i++) w->in[i] += w->pad.lo[i] + w->pad.hi[i];
    w->pad = (Pads){.n = w->n};
    w->any_pad = false;
}

/* The attributes that all windows have. `filled`: the word of pad_mode when the padding holds something, else −1. */
static PoolWindow window_of(Export *e, int filled, float value) {
    const Type *x = &e->n->in[0]->type;
    PoolWindow w = {.x = e->in[0], .n = x->rank - 2};
    w.kernel = *(const Dims *)export_attr_at(e, "kernel");
    w.stride = *(const Dims *)export_attr_at(e, "stride");
    w.dilation = *(const Dims *)export_attr_at(e, "dilation");
    w.pad = *(const Pads *)export_attr_at(e, "pad");
    for (int i = 0; i < w.n; i++) {
        w.in[i] = x->axis[2 + i].extent;
        w.out[i] = e->n->type.axis[2 + i].extent;
        w.any_pad |= w.pad.lo[i] || w.pad.hi[i];
        w.dilated |= w.dilation.v[i] != 1;
    }
    if (filled >= 0 && w.any_pad) pads_inside(e, &w, filled, value);
    for (int i = 0; i < w.n; i++) {
        int64_t span = (w.kernel.v[i] - 1) * (int64_t)w.dilation.v[i] + 1;
        int64_t lacks = (w.out[i] - 1) * w.stride.v[i] + span - w.in[i] - w.pad.lo[i] - w.pad.hi[i];
        w.beyond[i] = lacks > 0 ? (int32_t)lacks : 0;
        w.any_beyond |= lacks > 0;
    }
    return w;
}

static Pads all_pads(const PoolWindow *w) {
    Pads p = w->pad;
    for (int i = 0; i < w->n; i++) p.hi[i] += w->beyond[i];
    return p;
}

static void window_attrs(Export *e, const PoolWindow *w, bool dilations) {
    Pads all = all_pads(w);
    export_attr_ints(e, "kernel_shape", w->kernel.v, w->n);
    export_attr_ints(e, "strides", w->stride.v, w->n);
    export_attr_pads(e, "pads", &all);
    if (dilations) export_attr_ints(e, "dilations", w->dilation.v, w->n);
}

/* ---- sums over dilated windows ------------------------------------------------------------------------ */

static const char *window_sum(Export *e, const PoolWindow *w, const char *x, const char *suffix) {
    int64_t channels = e->n->in[0]->type.axis[1].extent, dim[2 + MAX_SPATIAL] = {channels, 1}, n = channels;
    for (int i = 0; i < w->n; i++) n *= dim[2 + i] = w->kernel.v[i];
    float *v = ARENA_ARRAY(e->a, float, n);
    for (int64_t i = 0; i < n; i++) v[i] = 1;
    x = EXPORT_NODE(e, "Conv", suffix, x, export_floats(e, "ones", dim, 2 + w->n, v));
    window_attrs(e, w, true);
    export_attr_int(e, "group", channels);
    return x;
}

/* How many taps of output o along axis i count: those inside, and those in the padding when it counts. */
static int64_t taps(const PoolWindow *w, int i, int64_t o, bool count_pad) {
    int64_t n = 0, lo = count_pad ? -w->pad.lo[i] : 0, hi = w->in[i] + (count_pad ? w->pad.hi[i] : 0);
    for (int64_t k = 0; k < w->kernel.v[i]; k++) {
        int64_t at = o * w->stride.v[i] + k * w->dilation.v[i] - w->pad.lo[i];
        n += at >= lo && at < hi;
    }
    return n;
}

static const char *window_counts(Export *e, const PoolWindow *w, bool count_pad) {
    int64_t dim[2 + MAX_SPATIAL] = {1, 1}, n = 1;
    for (int i = 0; i < w->n; i++) n *= dim[2 + i] = w->out[i];
    float *v = ARENA_ARRAY(e->a, float, n);
    for (int64_t at = 0; at < n; at++) {
        int64_t rest = at, count = 1;
        for (int i = w->n - 1; i >= 0; rest /= w->out[i--]) count *= taps(w, i, rest % w->out[i], count_pad);
        v[at] = (float)count;
    }
    return export_floats(e, "count", dim, 2 + w->n, v);
}

/* ---- windows ------------------------------------------------------------------------------------------ */

bool emit_maxpool(Export *e) {
    const MAXPOOL_attr *a = &e->n->attr.MAXPOOL;
    PoolWindow w = window_of(e, a->pad_mode - 1, a->pad_value); /* the first word: nothing */
    EXPORT_NODE(e, "MaxPool", NULL, w.x);
    window_attrs(e, &w, true);
    return true;
}

bool emit_avgpool(Export *e) {
    const AVGPOOL_attr *a = &e->n->attr.AVGPOOL;
    PoolWindow w = window_of(e, a->pad_mode ? a->pad_mode : -1, a->pad_value);
    if (w.dilated) {
        const char *sum = window_sum(e, &w, w.x, "sum");
        EXPORT_NODE(e, "Div", NULL, sum, window_counts(e, &w, a->count_pad));
        return true;
    }
    bool count = a->count_pad && w.any_pad;
    if (count && w.any_beyond) { /* what lies beyond does not count, so what counts must lie inside */
        pads_inside(e, &w, 0, 0);
        count = false;
    }
    EXPORT_NODE(e, "AveragePool", NULL, w.x);
    window_attrs(e, &w, false);
    export_attr_int(e, "count_include_pad", count);
    return true;
}

static bool is_whole(float p) { return p == floorf(p) && p < 100; }

bool emit_lppool(Export *e) {
    const LPPOOL_attr *a = &e->n->attr.LPPOOL;
    PoolWindow w = window_of(e, a->pad_mode ? a->pad_mode : -1, a->pad_value);
    if (!w.dilated && is_whole(a->p)) {
        EXPORT_NODE(e, "LpPool", NULL, w.x);
        window_attrs(e, &w, false);
        export_attr_int(e, "p", (int64_t)a->p);
        return true;
    }
    const char *power = EXPORT_NODE(e, "Pow", "power", EXPORT_NODE(e, "Abs", "abs", w.x), export_number(e, "p", a->p));
    power = window_sum(e, &w, power, "sum");
    EXPORT_NODE(e, "Pow", NULL, power, export_number(e, "root", 1 / a->p));
    return true;
}

bool emit_globallppool(Export *e) {
    float p = e->n->attr.GLOBALLPPOOL.p;
    int rank = e->n->in[0]->type.rank;
    int64_t axes[MAX_AXES];
    if (is_whole(p)) {
        EXPORT_NODE(e, "GlobalLpPool", NULL, e->in[0]);
        export_attr_int(e, "p", (int64_t)p);
        return true;
    }
    for (int i = 2; i < rank; i++) axes[i - 2] = i;
    const char *power =
        EXPORT_NODE(e, "Pow", "power", EXPORT_NODE(e, "Abs", "abs", e->in[0]), export_number(e, "p", p));
    power = EXPORT_NODE(e, "ReduceSum", "sum", power, export_list(e, "axes", axes, rank - 2));
    EXPORT_NODE(e, "Pow", NULL, power, export_number(e, "root", 1 / p));
    return true;
}

/* ---- indices ------------------------------------------------------------------------------------------ */

/* Where each plane of the tensor starts: [n c 1 …]. */
static const char *plane_starts(Export *e, const Type *t) {
    int64_t planes = (int64_t)t->axis[0].extent * t->axis[1].extent, plane = export_product(t, 2);
    int64_t *from = ARENA_ARRAY(e->a, int64_t, planes), dim[MAX_AXES] = {t->axis[0].extent, t->axis[1].extent};
    for (int64_t i = 0; i < planes; i++) from[i] = i * plane;
    for (int i = 2; i < t->rank; i++) dim[i] = 1;
    return export_integers(e, "planes", dim, t->rank, from);
}

/* The second output of a MaxPool, which counts through the whole tensor. */
bool emit_maxpoolindex(Export *e) {
    const MAXPOOLINDEX_attr *a = &e->n->attr.MAXPOOLINDEX;
    PoolWindow w = window_of(e, -1, 0);
    const char *index = a->count ? e->result : export_fresh(e, "index");
    export_node_outputs(e, "MaxPool", "pool", w.x, (const char *[]){export_fresh(e, "largest"), index}, 2);
    window_attrs(e, &w, true);
    export_attr_int(e, "storage_order", a->order);
    if (!a->count) EXPORT_NODE(e, "Sub", NULL, index, plane_starts(e, &e->n->in[0]->type));
    return true;
}

/* In a MaxUnpool of given extents indices count in the extents that the window gives, here in the result: so one by one. */
static void scatter(Export *e, const char *index) {
    const Type *y = &e->n->type;
    int64_t all = type_elements(y), flat = -1, dim[MAX_AXES];
    for (int i = 0; i < y->rank; i++) dim[i] = y->axis[i].extent;
    const char *x = export_reshape(e, "values", e->in[0], &flat, 1), *zero = export_number(e, "zero", 0);
    const char *room = EXPORT_NODE(e, "Expand", "room", zero, export_list(e, "size", &all, 1));
    x = EXPORT_NODE(e, "ScatterElements", "flat", room, export_reshape(e, "places", index, &flat, 1), x);
    export_attr_int(e, "axis", 0);
    export_reshape(e, NULL, x, dim, y->rank);
}

bool emit_maxunpool(Export *e) {
    const MAXUNPOOL_attr *a = &e->n->attr.MAXUNPOOL;
    const char *index = export_cast(e, e->in[1], e->n->in[1]->type.dtype, DT_I64, "index");
    if (!a->count) index = EXPORT_NODE(e, "Add", "place", index, plane_starts(e, &e->n->type));
    if (a->out.v[0]) {
        scatter(e, index);
        return true;
    }
    EXPORT_NODE(e, "MaxUnpool", NULL, e->in[0], index);
    export_attr_ints(e, "kernel_shape", a->kernel.v, a->kernel.n);
    export_attr_ints(e, "strides", a->stride.v, a->stride.n);
    export_attr_pads(e, "pads", &a->pad);
    return true;
}

/* ---- adaptive pools ----------------------------------------------------------------------------------- */

enum { MOST_WINDOWS = 4096 };

/* Along one axis, o windows that overlap or differ in size: each a slice and its mean or maximum. A mean of means is the mean,
 * since all windows of an axis are crossed with all of the next. */
static const char *adapted_axis(Export *e, const char *reduce, const char *suffix, const char *x, int axis, int64_t l,
                                int64_t o) {
    const char **part = ARENA_ARRAY(e->a, const char *, o);
    int64_t at = axis;
    for (int64_t i = 0; i < o; i++) {
        int64_t start = i * l / o, end = ((i + 1) * l + o - 1) / o;
        part[i] = EXPORT_NODE(e, "Slice", "window", x, export_list(e, "starts", &start, 1),
                              export_list(e, "ends", &end, 1), export_list(e, "axes", &at, 1));
        part[i] = EXPORT_NODE(e, reduce, "part", part[i]);
        export_attr_ints(e, "axes", (int32_t[]){axis}, 1);
        export_attr_int(e, "keepdims", 1);
    }
    const char *y = export_node(e, "Concat", suffix, part, (int)o);
    export_attr_int(e, "axis", axis);
    return y;
}

static bool emit_adaptive(Export *e, const char *pool, const char *global, const char *reduce) {
    const Type *x = &e->n->in[0]->type, *y = &e->n->type;
    bool even = true, all = true;
    int last = -1;
    Dims kernel = ones(x->rank - 2);
    for (int i = 2; i < x->rank; i++) {
        int32_t l = x->axis[i].extent, o = y->axis[i].extent;
        even &= l % o == 0;
        all &= o == 1;
        kernel.v[i - 2] = l / o;
        if (l != o) last = i;
        if (o > MOST_WINDOWS && l % o) return export_fail(e, "%d windows along one axis would be as many nodes", o);
    }
    if (all || even) {
        EXPORT_NODE(e, all ? global : pool, NULL, e->in[0]);
        if (all) return true;
        export_attr_ints(e, "kernel_shape", kernel.v, kernel.n);
        export_attr_ints(e, "strides", kernel.v, kernel.n);
        return true;
    }
    const char *v = e->in[0];
    for (int i = 2; i < x->rank; i++)
        if (x->axis[i].extent != y->axis[i].extent)
            v = adapted_axis(e, reduce, i == last ? NULL : "axis", v, i, x->axis[i].extent, y->axis[i].extent);
    return true;
}

bool emit_adaptivemaxpool(Export *e) { return emit_adaptive(e, "MaxPool", "GlobalMaxPool", "ReduceMax"); }
bool emit_adaptiveavgpool(Export *e) { return emit_adaptive(e, "AveragePool", "GlobalAveragePool", "ReduceMean"); }
