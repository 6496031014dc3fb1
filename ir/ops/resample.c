/* Where an output position lies in the input, o → x (s the scale, L the input's extent, W that of the result before it was
 * rounded to `out`: s·L where a scale was given):
 *
 *   half_pixel            (o + 1/2)/s − 1/2
 *   pytorch_half_pixel    the same; 0 if W is 1
 *   align_corners         o·(L − 1)/(W − 1); 0 if W is 1
 *   asymmetric            o/s
 *   tf_half_pixel_for_nn  (o + 1/2)/s
 *   tf_crop_and_resize    o·(hi − lo)·(L − 1)/(W − 1) + lo·(L − 1); (hi − lo)·(L − 1)/2 + lo·(L − 1) if W is 1
 *   half_pixel_symmetric  (o + 1/2)/s − 1/2 + (L/2)·(1 − out/W)
 *
 * nearest takes one element; linear and cubic weigh the 2 or 4 around x, or, with antialias and s < 1, those around x
 * of a kernel 1/s times as wide. Elements beyond the ends are the last ones, or left out (exclude_outside, the other
 * weights then being scaled to the sum 1).
 *
 * In the kernels positions and weights are tables; the weights of one element are rounded to float32 and multiplied,
 * an axis after the other: two roundings more an axis and term. */
#include "ir/ops/resample.h"
#include "ir/ops/approx.h"
#include "ir/ops/ops.h"

/* ---- positions ---------------------------------------------------------------------------------- */

static double position(const Resample *r, Coordinates c, int64_t o) {
    double s = r->scale, length = (double)r->in, wide = r->wide, at = (double)o;
    switch (c) {
    case COORD_HALF_PIXEL: return (at + 0.5) / s - 0.5;
    case COORD_PYTORCH_HALF_PIXEL: return wide == 1 ? 0 : (at + 0.5) / s - 0.5;
    case COORD_ALIGN_CORNERS: return wide == 1 ? 0 : at * (length - 1) / (wide - 1);
    case COORD_ASYMMETRIC: return at / s;
    case COORD_TF_HALF_PIXEL_FOR_NN: return (at + 0.5) / s;
    case COORD_TF_CROP_AND_RESIZE: {
        double span = (r->roi_hi - r->roi_lo) * (length - 1);
        return (wide == 1 ? span / 2 : at * span / (wide - 1)) + r->roi_lo * (length - 1);
    }
    case COORD_HALF_PIXEL_SYMMETRIC: return length / 2 * (1 - (double)r->out / wide) + (at + 0.5) / s - 0.5;
    }
    return 0;
}

static int64_t clamp_to(const Resample *r, double x) {
    return x > 0 ? x < (double)(r->in - 1) ? (int64_t)x : r->in - 1 : 0;
}

static double nearest(Rounding rounding, double x) {
    switch (rounding) {
    case ROUND_PREFER_FLOOR: return ceil(x - 0.5);
    case ROUND_PREFER_CEIL: return floor(x + 0.5);
    case ROUND_FLOOR: return floor(x);
    case ROUND_CEIL: return ceil(x);
    }
    return x;
}

/* ---- weights ------------------------------------------------------------------------------------ */

/* Keys' kernel, and the triangle. */
static double kernel_at(const ResampleRule *rule, double x) {
    double a = rule->cubic_a, t = fabs(x);
    if (rule->mode == RESIZE_LINEAR) return t < 1 ? 1 - t : 0;
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static double kernel_scale(const ResampleRule *rule, double scale) { return rule->antialias && scale < 1 ? scale : 1; }

/* Elements before the position, itself counted: the kernel's radius over the scale. */
static double reach(const ResampleRule *rule, double scale) {
    if (rule->mode == RESIZE_NEAREST) return 1;
    return -floor(-(rule->mode == RESIZE_LINEAR ? 1 : 2) / kernel_scale(rule, scale));
}

double resample_taps(const ResampleRule *rule, double scale) {
    return rule->mode == RESIZE_NEAREST ? 1 : 2 * reach(rule, scale);
}

/* A whole x counts as the last of its interval, so that the same elements are left out on both sides. */
static void weigh(const Resample *r, const ResampleRule *rule, double x, int64_t *index, double *weight) {
    double left = ceil(x) - reach(rule, r->scale), scale = kernel_scale(rule, r->scale), sum = 0;
    bool normalise = rule->exclude_outside || scale < 1;
    for (int t = 0; t < r->taps; t++) {
        double at = left + t;
        bool out = at < 0 || at > (double)(r->in - 1);
        index[t] = clamp_to(r, at);
        weight[t] = rule->exclude_outside && out ? 0 : kernel_at(rule, scale * (at - x));
    }
    for (int t = 0; t < r->taps; t++) sum += weight[t];
    for (int t = 0; t < r->taps && normalise && sum != 0; t++) weight[t] /= sum;
}

/* Positions that lie on elements need one tap. */
static void keep_one_tap(Resample *r) {
    for (int64_t i = 0; i < r->out * r->taps; i++)
        if (r->weight[i] != 0 && r->weight[i] != 1) return;
    for (int64_t o = 0; o < r->out; o++) {
        int ones = 0;
        for (int t = 0; t < r->taps; t++) ones += r->weight[o * r->taps + t] == 1;
        if (ones != 1) return;
    }
    for (int64_t o = 0; o < r->out; o++)
        for (int t = 0; t < r->taps; t++)
            if (r->weight[o * r->taps + t] == 1) r->index[o] = r->index[o * r->taps + t];
    r->taps = 1;
}

static void find_pattern(Resample *r) {
    r->step = r->out > 1 ? r->index[1] - r->index[0] : 1;
    for (int64_t o = 0; o < r->out; o++)
        if (r->index[o] != r->index[0] + o * r->step) r->step = 0;
    r->repeat = r->out % r->in == 0 ? r->out / r->in : 0;
    for (int64_t o = 0; o < r->out && r->repeat; o++)
        if (r->index[o] != o / r->repeat) r->repeat = 0;
}

bool resample_is_identity(const Resample *r, const ResampleRule *rule) {
    return r->in == r->out && r->scale == 1 && rule->coordinates != COORD_TF_CROP_AND_RESIZE &&
           rule->coordinates != COORD_TF_HALF_PIXEL_FOR_NN;
}

void resample_make(Arena *a, Resample *r, const ResampleRule *rule) {
    r->taps = (int)resample_taps(rule, r->scale);
    r->index = ARENA_ARRAY(a, int64_t, r->out * r->taps);
    r->weight = ARENA_ARRAY(a, double, r->out * r->taps);
    r->outside = NULL;
    r->step = r->repeat = 0;
    for (int64_t o = 0; o < r->out; o++) {
        double x = position(r, rule->coordinates, o);
        if (rule->coordinates == COORD_TF_CROP_AND_RESIZE && (x < 0 || x > (double)(r->in - 1))) {
            if (!r->outside) r->outside = ARENA_ARRAY(a, bool, r->out);
            r->outside[o] = true;
        }
        if (rule->mode == RESIZE_NEAREST) {
            r->index[o] = clamp_to(r, nearest(rule->rounding, x));
            r->weight[o] = 1;
        } else {
            weigh(r, rule, x, r->index + o * r->taps, r->weight + o * r->taps);
        }
    }
    keep_one_tap(r);
    if (r->taps == 1) find_pattern(r);
}

/* ---- meaning ------------------------------------------------------------------------------------- */

typedef struct Sampling {
    const Resample *axis;
    const RefTensor *x;
    int rank;
    const int64_t *at; /* in the result */
    SumOf sum;
} Sampling;

static void sample(Sampling *s, int k, int64_t from, double weight) {
    if (k == s->rank) {
        double e = s->x->err ? s->x->err[from] : 0;
        sum_add(&s->sum, weight * s->x->v[from], fabs(weight) * e);
        return;
    }
    const Resample *r = &s->axis[k];
    for (int t = 0; t < r->taps; t++) {
        int64_t i = s->at[k] * r->taps + t;
        double w = r->taps == 1 ? 1 : r->weight[i];
        if (w != 0) sample(s, k + 1, from * r->in + r->index[i], weight * w);
    }
}

static bool is_outside(const Resample *axis, int rank, const int64_t *at) {
    for (int k = 0; k < rank; k++)
        if (axis[k].outside && axis[k].outside[at[k]]) return true;
    return false;
}

void resample_eval(const Resample *axis, double extrapolation, const RefTensor *x, RefTensor *out) {
    int64_t at[MAX_AXES] = {0};
    int rank = x->type.rank, weighed = 0;
    for (int k = 0; k < rank; k++) weighed += axis[k].taps > 1;
    for (int64_t i = 0; i < type_elements(&out->type); i++) {
        Sampling s = {.axis = axis, .x = x, .rank = rank, .at = at};
        if (is_outside(axis, rank, at)) {
            approx_put(out, i, approx(extrapolation, 0));
        } else {
            sample(&s, 0, 0, 1);
            Approx y = weighed ? sum_total(&s.sum, 2 * weighed, 1) : approx(s.sum.sum, s.sum.err);
            if (weighed) y.e += 0x1p-48 * s.sum.abs; /* of the weights in double */
            approx_put(out, i, y);
        }
        for (int k = rank - 1; k >= 0; k--) {
            if (++at[k] < axis[k].out) break;
            at[k] = 0;
        }
    }
}

/* ---- lowering ------------------------------------------------------------------------------------- */

typedef struct Resampling {
    Lower *l;
    const Node *n;
    const Resample *axis;
    Index y, x;
    TakeIndex take[MAX_AXES];
    const Expr *weight; /* NULL: 1 */
} Resampling;

static int add_table(Resampling *s, const char *what, int i, const float *v, int64_t n) {
    Type y = type_plain(&s->n->type);
    return kernel_add_table(s->l->k, arena_printf(s->l->a, "%s_%c", what, y.axis[i].letter), v, (int)n);
}

/* What position y.v[i] reads along axis i: by an affine subscript where there is one, else by tables. */
static void open_taps(Resampling *s, Nest *window, int i) {
    const Resample *r = &s->axis[i];
    Lower *l = s->l;
    int64_t n = r->out * r->taps;
    if (r->taps == 1 && r->step) {
        s->x.v[i] = affine_offset(affine_scale(l->a, s->y.v[i], r->step), r->index[0]);
        return;
    }
    Affine at = s->y.v[i];
    float *v = ARENA_ARRAY(l->a, float, n);
    if (r->taps > 1) {
        Affine tap = nest_loop(l, window, arena_printf(l->a, "k%c", type_plain(&s->n->type).axis[i].letter), r->taps);
        at = affine_add(l->a, affine_scale(l->a, at, r->taps), tap);
        for (int64_t k = 0; k < n; k++) v[k] = (float)r->weight[k];
        const Expr *w = expr_table(l->a, add_table(s, "weight", i, v, n), at);
        s->weight = s->weight ? expr_call(l->a, FN_MUL, s->weight, w, NULL, NULL) : w;
        v = ARENA_ARRAY(l->a, float, n);
    }
    for (int64_t k = 0; k < n; k++) v[k] = (float)r->index[k];
    s->x.v[i] = affine_const(0);
    s->take[i] = (TakeIndex){expr_table(l->a, add_table(s, "at", i, v, n), at), r->in};
}

/* The extrapolation value where any axis is outside. */
static const Expr *extrapolate(Resampling *s, const Expr *value, double extrapolation) {
    const Expr *out = NULL;
    for (int i = 0; i < s->y.n; i++) {
        const Resample *r = &s->axis[i];
        if (!r->outside) continue;
        float *v = ARENA_ARRAY(s->l->a, float, r->out);
        for (int64_t o = 0; o < r->out; o++) v[o] = r->outside[o];
        const Expr *one = expr_table(s->l->a, add_table(s, "outside", i, v, r->out), s->y.v[i]);
        out = out ? expr_call(s->l->a, FN_ADD, out, one, NULL, NULL) : one;
    }
    if (!out) return value;
    const Expr *zero = expr_const(s->l->a, 0);
    return expr_call(s->l->a, FN_LT, zero, out, expr_const(s->l->a, (float)extrapolation), value);
}

/* Loops over the result; an axis that repeats each element is two loops. */
static void open_result(Resampling *s, Nest *nest) {
    Lower *l = s->l;
    Type y = type_plain(&s->n->type);
    int64_t cuts[MAX_CUTS];
    int n_cuts = lower_out_blocks(l, cuts), blocked = 0;
    if (n_cuts < MAX_CUTS) cuts[n_cuts++] = type_block(&s->n->in[0]->type, 'c');
    for (int i = 0; i < n_cuts; i++) blocked |= cuts[i] > 1;
    Nest inner = {0};
    s->y.n = s->x.n = y.rank;
    for (int i = 0; i < y.rank; i++) {
        const Resample *r = &s->axis[i];
        const char *name = axis_name(l, &y, i);
        bool repeats = r->taps == 1 && r->repeat > 1;
        if (i == 1) {
            Nest digits = {0};
            if (repeats) n_cuts = 0;
            s->y.v[i] = nest_digits(l, &digits, name, "C", r->out / (repeats ? r->repeat : 1), cuts, n_cuts);
            int last = blocked && digits.n > 0 && !repeats;
            for (int k = 0; k < digits.n - last; k++) nest->var[nest->n++] = digits.var[k];
            if (last) inner.var[inner.n++] = digits.var[digits.n - 1];
        } else {
            int64_t extent = r->out / (repeats ? r->repeat : 1);
            s->y.v[i] = i ? nest_loop(l, nest, name, extent) : nest_loop_always(l, nest, name, extent);
        }
        if (!repeats) continue;
        s->x.v[i] = s->y.v[i];
        Affine again = nest_loop(l, nest, arena_printf(l->a, "r%s", name), r->repeat);
        s->y.v[i] = affine_add(l->a, affine_scale(l->a, s->y.v[i], r->repeat), again);
    }
    for (int i = 0; i < inner.n; i++) nest->var[nest->n++] = inner.var[i];
}

/* y = 0; for the taps: y += weight·x; then what is left to do. Without weights one read is all. */
void resample_lower(Lower *l, const Node *n, const Resample *axis, double extrapolation) {
    Resampling s = {.l = l, .n = n, .axis = axis};
    Nest outer = {0}, window = {0};
    open_result(&s, &outer);
    for (int i = 0; i < s.y.n; i++)
        if (axis[i].taps > 1 || axis[i].repeat <= 1) open_taps(&s, &window, i);
    const Expr *value = lower_read_take(l, n->in[0], &s.x, s.take);
    Stmt *body;
    if (!s.weight) {
        body = lower_finish(l, &s.y, extrapolate(&s, value, extrapolation));
    } else {
        body = lower_write(l, &s.y, STORE_SET, expr_const(l->a, 0));
        const Expr *term = expr_call(l->a, FN_MUL, s.weight, value, NULL, NULL);
        body = stmt_append(body, nest_close(l, &window, lower_write(l, &s.y, STORE_ADD, term)));
        const Expr *sum = lower_read_out(l, &s.y), *last = extrapolate(&s, sum, extrapolation);
        if (last != sum || lower_has_tail(l)) body = stmt_append(body, lower_finish(l, &s.y, last));
    }
    lower_emit(l, nest_close(l, &outer, body));
}
