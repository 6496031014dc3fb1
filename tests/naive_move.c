#include "tests/naive_move.h"
#include "tests/random_nest.h"

#include <math.h>
#include <string.h>

static double rnd(const Naive *e, double x) { return e->narrow ? (double)(float)x : x; }

/* The element at p, one number an axis. */
static double at(const RefTensor *x, const int64_t *p) {
    int64_t i = 0;
    for (int k = 0; k < x->type.rank; k++) i = i * x->type.axis[k].extent + p[k];
    return x->v[i];
}

static int from_end(int axis, int rank) { return axis < 0 ? axis + rank : axis; }

static int64_t extent(const RefTensor *x, int k) { return x->type.axis[k].extent; }

/* ---- parts and orders ---------------------------------------------------------------------------- */

static double naive_transpose(const Ints *perm, const RefTensor *x, const int64_t *o) {
    int64_t p[MAX_AXES];
    int rank = x->type.rank;
    for (int k = 0; k < rank; k++) p[perm->n ? from_end(perm->v[k], rank) : rank - 1 - k] = o[k];
    return at(x, p);
}

/* The o-th of all positions that a loop from start to stop meets. */
static int64_t sliced(int64_t l, int64_t start, int64_t stop, int64_t step, int64_t o) {
    int64_t first = step > 0 ? 0 : l - 1;
    if (start < 0) start += l;
    if (stop < 0) stop += l;
    if (step > 0 ? start > first : start < first) first = start;
    for (int64_t p = first;; p += step) {
        if (p < 0 || p >= l || (step > 0 ? p >= stop : p <= stop)) return -1;
        if (o-- == 0) return p;
    }
}

static double naive_slice(const SLICE_attr *s, const RefTensor *x, const int64_t *o) {
    int64_t p[MAX_AXES];
    int n = s->axes.n ? s->axes.n : s->start.n ? s->start.n : s->stop.n ? s->stop.n : s->step.n;
    for (int k = 0; k < x->type.rank; k++) p[k] = o[k];
    for (int i = 0; i < n; i++) {
        int k = s->axes.n ? from_end(s->axes.v[i], x->type.rank) : i;
        int64_t step = s->step.n ? s->step.v[i] : 1;
        int64_t start = s->start.n ? s->start.v[i] : step > 0 ? INT32_MIN : INT32_MAX;
        int64_t stop = s->stop.n ? s->stop.v[i] : step > 0 ? INT32_MAX : INT32_MIN;
        p[k] = sliced(extent(x, k), start, stop, step, o[k]);
        if (p[k] < 0) return NAN;
    }
    return at(x, p);
}

static double naive_reverse(const Ints *axes, const RefTensor *x, const int64_t *o) {
    int64_t p[MAX_AXES];
    for (int k = 0; k < x->type.rank; k++) p[k] = axes->n ? o[k] : extent(x, k) - 1 - o[k];
    for (int i = 0; i < axes->n; i++) {
        int k = from_end(axes->v[i], x->type.rank);
        p[k] = extent(x, k) - 1 - o[k];
    }
    return at(x, p);
}

static double naive_concat(const Node *n, const RefTensor *const *in, const int64_t *o) {
    int k = from_end(n->attr.CONCAT.axis, in[0]->type.rank);
    int64_t p[MAX_AXES];
    memcpy(p, o, sizeof *p * (size_t)in[0]->type.rank);
    for (int i = 0; i < n->n_in; i++) {
        if (p[k] < extent(in[i], k)) return at(in[i], p);
        p[k] -= extent(in[i], k);
    }
    return NAN;
}

static double naive_expand(const Node *n, const RefTensor *x, const int64_t *o) {
    int64_t p[MAX_AXES];
    int more = n->type.rank - x->type.rank;
    for (int k = 0; k < x->type.rank; k++) p[k] = extent(x, k) == 1 ? 0 : o[more + k];
    return at(x, p);
}

static double naive_gather(const Node *n, const RefTensor *x, const RefTensor *index, const int64_t *o) {
    int axis = from_end(n->attr.GATHER.axis, x->type.rank), more = index->type.rank;
    int64_t p[MAX_AXES];
    double i = at(index, o + axis);
    if (i < 0) i += (double)extent(x, axis);
    for (int k = 0; k < x->type.rank; k++)
        if (k != axis) p[k] = o[k < axis ? k : k + more - 1];
    p[axis] = (int64_t)fmin(fmax(i, 0), (double)(extent(x, axis) - 1));
    return at(x, p);
}

static double naive_cast(DType to, DType from, double v) {
    if (to == from) return v;
    double t = isnan(v) ? 0 : v < 0 ? ceil(v) : floor(v);
    if (to == DT_BOOL) return v == 0 ? 0 : 1;
    if (to == DT_U8) return fmin(fmax(t, 0), 255);
    if (to == DT_I32) return fmin(fmax(t, -2147483648.0), 2147483647.0);
    return to == DT_I64 ? t : (double)(float)v;
}

/* ---- channels ------------------------------------------------------------------------------------ */

/* ONNX: x as [n b b c h w] (crd: [n c b b h w]), in the order n c h b w b. */
static double naive_depthtospace(const Node *n, const RefTensor *x, const int64_t *o) {
    int64_t b = n->attr.DEPTHTOSPACE.block, tile = 0, tiles = 1, p[MAX_AXES] = {o[0]};
    for (int k = 2; k < x->type.rank; k++) {
        p[k] = o[k] / b;
        tile = tile * b + o[k] % b;
        tiles *= b;
    }
    p[1] = n->attr.DEPTHTOSPACE.mode ? o[1] * tiles + tile : tile * (extent(x, 1) / tiles) + o[1];
    return at(x, p);
}

static double naive_spacetodepth(const Node *n, const RefTensor *x, const int64_t *o) {
    int64_t b = n->attr.SPACETODEPTH.block, tile = o[1] / extent(x, 1), p[MAX_AXES] = {o[0], o[1] % extent(x, 1)};
    for (int k = x->type.rank - 1; k >= 2; k--) {
        p[k] = o[k] * b + tile % b;
        tile /= b;
    }
    return at(x, p);
}

/* x as [n g c], as [n c g]. */
static double naive_shuffle(const Node *n, const RefTensor *x, const int64_t *o) {
    int64_t g = n->attr.CHANNELSHUFFLE.groups, p[MAX_AXES];
    memcpy(p, o, sizeof *p * (size_t)x->type.rank);
    p[1] = o[1] % g * (extent(x, 1) / g) + o[1] / g;
    return at(x, p);
}

/* ---- resampling, as ONNX's reference implementation has it ----------------------------------------- */

enum { MOST_TAPS = 4096 };

typedef struct Along {
    int axis, mode, coordinates, nearest;
    double scale, wide, lo, hi, a; /* wide: the result's extent before it was rounded */
    bool exclude, antialias;
} Along;

static double where(const Along *s, double in, double out, double o) {
    switch (s->coordinates) {
    case 1: return s->wide == 1 ? 0 : (o + 0.5) / s->scale - 0.5;
    case 2: return s->wide == 1 ? 0 : o * (in - 1) / (s->wide - 1);
    case 3: return o / s->scale;
    case 4: return (o + 0.5) / s->scale;
    case 5:
        return (out == 1 ? (s->hi - s->lo) * (in - 1) / 2 : o * (s->hi - s->lo) * (in - 1) / (out - 1)) +
               s->lo * (in - 1);
    case 6: return in / 2 * (1 - out / s->wide) + (o + 0.5) / s->scale - 0.5;
    default: return (o + 0.5) / s->scale - 0.5;
    }
}

/* Coefficients for a position `ratio` behind an element, 0 < ratio ≤ 1; how many. */
static int nearest_coeffs(const Along *s, double ratio, double *c) {
    bool left = ratio < 1 && (s->nearest == 0 ? ratio <= 0.5 : s->nearest == 1 ? ratio < 0.5 : s->nearest == 2);
    c[0] = left;
    c[1] = !left;
    return 2;
}

static double cubic(double a, double x) {
    x = fabs(x);
    double x2 = x * x, x3 = x * x2;
    return x <= 1 ? (a + 2) * x3 - (a + 3) * x2 + 1 : x < 2 ? a * x3 - 5 * a * x2 + 8 * a * x - 4 * a : 0;
}

static int coeffs(const Along *s, double ratio, double *c) {
    if (s->mode == 0) return nearest_coeffs(s, ratio, c);
    double scale = s->antialias && s->scale < 1 ? s->scale : 1, sum = 0;
    int start = (int)floor(-s->mode / scale) + 1, n = 2 - 2 * start;
    for (int i = 0; i < n; i++) {
        double x = scale * (start + i - ratio);
        c[i] = s->mode == 2 ? cubic(s->a, x) : fmax(1 - fabs(x), 0);
        sum += c[i];
    }
    for (int i = 0; i < n; i++) c[i] /= sum;
    return n;
}

typedef struct Sampler {
    Naive *e;
    const Along *along;
    int n_along;
    const RefTensor *x;
    const int64_t *o, *out;
    double extrapolation;
    bool outside;
} Sampler;

static void add_term(Naive *e, double x) { e->term[e->n++] = x; }

/* Puts the terms of all axes from number k on; p is the element so far. */
static void terms(Sampler *s, int k, int64_t *p, double weight) {
    if (k == s->n_along) {
        add_term(s->e, rnd(s->e, weight * at(s->x, p)));
        return;
    }
    const Along *r = &s->along[k];
    int64_t length = extent(s->x, r->axis);
    double c[MOST_TAPS], x = where(r, (double)length, (double)s->out[r->axis], (double)s->o[r->axis]), sum = 0;
    s->outside |= r->coordinates == 5 && (x < 0 || x > (double)(length - 1));
    int64_t floor_x = (int64_t)floor(x);
    if (x == floor(x)) floor_x--;
    int n = coeffs(r, x - (double)floor_x, c);
    int64_t first = floor_x - (n / 2 - 1);
    for (int i = 0; i < n; i++) {
        if (r->exclude && r->mode && (first + i < 0 || first + i >= length)) c[i] = 0;
        sum += c[i];
    }
    for (int i = 0; i < n; i++) {
        if (r->exclude && r->mode && sum != 0) c[i] /= sum;
        if (c[i] == 0) continue;
        p[r->axis] = first + i < 0 ? 0 : first + i >= length ? length - 1 : first + i;
        terms(s, k + 1, p, rnd(s->e, weight * rnd(s->e, c[i])));
    }
}

static double total(Naive *e) {
    double sum = 0;
    while (e->n) {
        int i = e->narrow ? random_in(&e->seed, 0, e->n - 1) : 0;
        sum = rnd(e, sum + e->term[i]);
        e->term[i] = e->term[--e->n];
    }
    return sum;
}

static double resampled(Naive *e, const Along *along, int n, const RefTensor *x, const int64_t *o, const int64_t *out,
                        double extrapolation) {
    Sampler s = {e, along, n, x, o, out, extrapolation, false};
    int64_t p[MAX_AXES];
    memcpy(p, o, sizeof *p * (size_t)x->type.rank);
    terms(&s, 0, p, 1);
    double sum = total(e);
    return s.outside ? extrapolation : sum;
}

static double naive_resize(Naive *e, const Node *n, const RefTensor *x, const int64_t *o, const int64_t *out) {
    const RESIZE_attr *a = &n->attr.RESIZE;
    int rank = x->type.rank, count = a->axes.n ? a->axes.n : rank - 2;
    Along along[MAX_AXES];
    for (int i = 0; i < count; i++) {
        Along *s = &along[i];
        *s = (Along){.axis = a->axes.n ? from_end(a->axes.v[i], rank) : 2 + i, .mode = a->mode};
        s->coordinates = a->coordinates, s->nearest = a->nearest, s->a = (double)a->cubic_a;
        s->exclude = a->exclude_outside, s->antialias = a->antialias;
        s->lo = a->roi.n ? (double)a->roi.v[i] : 0;
        s->hi = a->roi.n ? (double)a->roi.v[count + i] : 1;
        double in = (double)extent(x, s->axis);
        s->scale = a->scales.n ? (double)a->scales.v[a->scales.n == 1 ? 0 : i] : (double)out[s->axis] / in;
        s->wide = a->scales.n ? s->scale * in : (double)out[s->axis];
    }
    return resampled(e, along, count, x, o, out, (double)a->extrapolation);
}

static double naive_upsample(Naive *e, const Node *n, const RefTensor *x, const int64_t *o, const int64_t *out) {
    const UPSAMPLE_attr *a = &n->attr.UPSAMPLE;
    Along along[MAX_SPATIAL];
    int64_t p[MAX_AXES] = {o[0], o[1]};
    for (int k = 2; k < x->type.rank; k++) {
        along[k - 2] = (Along){.axis = k, .mode = 1, .scale = a->scale.v[k - 2]};
        p[k] = o[k] / a->scale.v[k - 2];
    }
    return a->mode ? resampled(e, along, x->type.rank - 2, x, o, out, 0) : at(x, p);
}

/* ---- all ------------------------------------------------------------------------------------------- */

bool naive_move(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, int64_t i, double *out) {
    const RefTensor *x = in[0];
    int64_t extents[MAX_AXES];
    Type y = type_plain(&n->type);
    for (int k = 0; k < y.rank; k++) extents[k] = y.axis[k].extent;
    switch ((int)n->op) {
    case OP_FLATTEN:
    case OP_RESHAPE:
    case OP_SQUEEZE:
    case OP_UNSQUEEZE: *out = x->v[i]; return true;
    case OP_TRANSPOSE: *out = naive_transpose(&n->attr.TRANSPOSE.perm, x, o); return true;
    case OP_SLICE: *out = naive_slice(&n->attr.SLICE, x, o); return true;
    case OP_REVERSE: *out = naive_reverse(&n->attr.REVERSE.axes, x, o); return true;
    case OP_CONCAT: *out = naive_concat(n, in, o); return true;
    case OP_EXPAND: *out = naive_expand(n, x, o); return true;
    case OP_GATHER: *out = naive_gather(n, x, in[1], o); return true;
    case OP_SHAPE: *out = x->type.axis[from_end(n->attr.SHAPE.start, x->type.rank) + (int)i].extent; return true;
    case OP_CAST: *out = naive_cast(y.dtype, x->type.dtype, x->v[i]); return true;
    case OP_DEPTHTOSPACE: *out = naive_depthtospace(n, x, o); return true;
    case OP_SPACETODEPTH: *out = naive_spacetodepth(n, x, o); return true;
    case OP_CHANNELSHUFFLE: *out = naive_shuffle(n, x, o); return true;
    case OP_RESIZE: *out = naive_resize(e, n, x, o, extents); return true;
    case OP_UPSAMPLE: *out = naive_upsample(e, n, x, o, extents); return true;
    default: return false;
    }
}
