/* l2norm: vectors along some axes get length 1; lrn: each element over the squares of its neighbours' channels.
 *
 *   l2norm  y = x / max(√Σx², eps)
 *   lrn     y = x / (k + alpha/size · Σ x²)^beta, the sum over `size` channels around, ⌊(size−1)/2⌋ before
 *
 * The power: square roots where beta is a multiple of 1/4 up to 1, else exp(beta·log b). */
#include "ir/ops/approx.h"
#include "ir/ops/ops.h"
#include "ir/ops/rows.h"

/* ---- shapes ---------------------------------------------------------------------------------- */

static bool l2norm_axes(const Node *n, AxisSet *axes, Diag *d) {
    Type x = shape_in(n, 0);
    return axes_of(axes, &n->attr.L2NORM.axes, 2, &x, d);
}

bool l2norm_shape(Node *n, Diag *d) {
    char text[SHAPE_TEXT];
    AxisSet axes;
    n->type = shape_in(n, 0);
    n->type.dtype = DT_F32;
    if (!l2norm_axes(n, &axes, d)) return false;
    if (axes >> n->type.rank == 0) return true;
    return diag_fail(d, DIAG_SPEC, "x is %s, which has no axis 1: axes must be given", shape_text(text, &n->type));
}

bool lrn_shape(Node *n, Diag *d) {
    char text[SHAPE_TEXT];
    n->type = shape_in(n, 0);
    n->type.dtype = DT_F32;
    if (n->type.rank < 2)
        return diag_fail(d, DIAG_SPEC, "x is %s, but channels are needed", shape_text(text, &n->type));
    return true;
}

/* ---- meaning --------------------------------------------------------------------------------- */

void l2norm_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    const RefTensor *x = in[0];
    AxisSet axes;
    l2norm_axes(n, &axes, NULL);
    Groups g = groups_make(a, &x->type, axes);
    double eps = (double)n->attr.L2NORM.eps;
    for (int64_t k = 0; k < g.n_group; k++) {
        SumOf square = {0};
        for (int64_t m = 0; m < g.n_member; m++) {
            Approx v = approx_at(x, g.base[k] + g.member[m]);
            sum_add(&square, v.v * v.v, 2 * fabs(v.v) * v.e + v.e * v.e);
        }
        Approx length = approx_sqrt(sum_total(&square, 1, 1));
        if (length.v + length.e <= eps) length = approx(eps, 0);
        else if (length.v < eps) length = approx(eps, length.v + length.e - eps);
        else if (length.v - length.e < eps) length.e = fmax(length.e, length.v - eps); /* never below eps */
        Approx scale = approx_div(approx(1, 0), length);
        for (int64_t m = 0; m < g.n_member; m++) {
            int64_t i = g.base[k] + g.member[m];
            approx_put(out, i, approx_mul(approx_at(x, i), scale));
        }
    }
}

/* base^beta as the kernels compute it, or as any function with the error of exp(beta·log) would. */
static Approx lrn_power(Approx base, double beta) {
    if (beta == 1) return base;
    Approx y = approx_exp(approx_mul(approx(beta, 0), approx_log(base)));
    if (beta != 0.25 && beta != 0.5 && beta != 0.75) return y;
    Approx half = approx_sqrt(base), quarter = approx_sqrt(half);
    return beta == 0.5 ? half : beta == 0.25 ? quarter : approx_mul(half, quarter);
}

static SumOf lrn_squares(const RefTensor *x, const LRN_attr *p, int64_t base, int64_t c, int64_t channels,
                         int64_t plane) {
    SumOf s = {0};
    int64_t first = c - (p->size - 1) / 2, last = first + p->size - 1;
    for (int64_t i = first < 0 ? 0 : first; i <= last && i < channels; i++) {
        Approx v = approx_at(x, base + i * plane);
        sum_add(&s, v.v * v.v, 2 * fabs(v.v) * v.e + v.e * v.e);
    }
    return s;
}

void lrn_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    const LRN_attr *p = &n->attr.LRN;
    const RefTensor *x = in[0];
    int64_t batch = x->type.axis[0].extent, channels = x->type.axis[1].extent;
    int64_t plane = type_elements(&x->type) / (batch * channels);
    Approx scale = approx_round((double)p->alpha / p->size, 0, 1), k = approx((double)p->k, 0);
    for (int64_t i = 0; i < type_elements(&x->type); i++) {
        int64_t c = i / plane % channels, base = i - c * plane;
        SumOf s = lrn_squares(x, p, base, c, channels, plane);
        Approx divisor = lrn_power(approx_add(k, approx_mul(scale, sum_total(&s, 1, 1))), (double)p->beta);
        approx_put(out, i, approx_div(approx_at(x, i), divisor));
    }
}

/* ---- lowering ---------------------------------------------------------------------------------- */

typedef struct LengthLower {
    float eps;
    int scale; /* register */
} LengthLower;

static const Expr *call1(Lower *l, Fn fn, const Expr *x) { return expr_call(l->a, fn, x, NULL, NULL, NULL); }
static const Expr *call2(Lower *l, Fn fn, const Expr *x, const Expr *y) {
    return expr_call(l->a, fn, x, y, NULL, NULL);
}

static const Expr *length_term(Rows *r, void *ctx) {
    (void)ctx;
    const Expr *x = rows_x(r);
    return call2(r->l, FN_MUL, x, x);
}

static const Expr *length_inverse(Rows *r, void *ctx) {
    const LengthLower *p = ctx;
    const Expr *length = call2(r->l, FN_MAX, call1(r->l, FN_SQRT, rows_get(r, p->scale)), expr_const(r->l->a, p->eps));
    return call2(r->l, FN_DIV, expr_const(r->l->a, 1), length);
}

static Stmt *length_row(Rows *r, void *ctx) {
    LengthLower *p = ctx;
    p->scale = rows_reg(r, "scale");
    Stmt *body = rows_fold(r, "sum", p->scale, FOLD_SUM, 0, length_term, p);
    body = stmt_append(body, rows_set(r, "scale", p->scale, length_inverse, p));
    Nest nest = {0};
    rows_elements(r, &nest, "out");
    const Expr *y = call2(r->l, FN_MUL, rows_x(r), rows_get(r, p->scale));
    return stmt_append(body, nest_close(r->l, &nest, lower_finish(r->l, &r->at, y)));
}

void l2norm_lower(Lower *l, const Node *n) {
    LengthLower p = {.eps = n->attr.L2NORM.eps};
    AxisSet axes;
    l2norm_axes(n, &axes, NULL);
    rows_emit(l, n, n->in[0], axes, 1, length_row, &p);
}

static const Expr *lrn_power_expr(Lower *l, const Expr *base, float beta) {
    if (beta == 1) return base;
    if (beta == 0.25f || beta == 0.5f || beta == 0.75f) {
        const Expr *half = call1(l, FN_SQRT, base), *quarter = call1(l, FN_SQRT, half);
        return beta == 0.5f ? half : beta == 0.25f ? quarter : call2(l, FN_MUL, half, quarter);
    }
    return call1(l, FN_EXP, call2(l, FN_MUL, expr_const(l->a, beta), call1(l, FN_LOG, base)));
}

/* Positions that are treated together, and where they stand. */
typedef struct LrnTile {
    Lower *l;
    const Node *n;
    Index at;      /* channels and lanes are set by the loops */
    int lane_axis; /* −1: one position */
    Affine lane_base;
    int64_t lanes;
    int sum; /* register */
} LrnTile;

static Affine lrn_lane(LrnTile *t, Nest *nest, const char *name) {
    Affine lane = nest_loop(t->l, nest, name, t->lanes);
    if (t->lane_axis >= 0) t->at.v[t->lane_axis] = affine_add(t->l->a, t->lane_base, lane);
    return lane;
}

/* Channels from `first` on whose sums are of `taps` channels from `offset` before or after them on. */
static Stmt *lrn_channels(LrnTile *t, int64_t first, int64_t count, int64_t offset, int64_t taps) {
    Lower *l = t->l;
    const LRN_attr *p = &t->n->attr.LRN;
    Nest outer = {0}, clear = {0}, add = {0}, out = {0};
    Affine c = affine_offset(nest_loop(l, &outer, "c", count), first), lane = lrn_lane(t, &clear, "l_clear");
    Stmt *body = nest_close(l, &clear, stmt_store(l->k, t->sum, &lane, STORE_SET, expr_const(l->a, 0)));
    t->at.v[1] = affine_offset(affine_add(l->a, c, nest_loop(l, &add, "k", taps)), offset);
    lane = lrn_lane(t, &add, "l_add");
    const Expr *x = lower_read(l, t->n->in[0], &t->at);
    body = stmt_append(body, nest_close(l, &add, stmt_store(l->k, t->sum, &lane, STORE_ADD, call2(l, FN_MUL, x, x))));
    lane = lrn_lane(t, &out, "l_out");
    t->at.v[1] = c;
    const Expr *scale = expr_const(l->a, (float)((double)p->alpha / p->size)), *sum = expr_load(l->k, t->sum, &lane);
    const Expr *base = call2(l, FN_ADD, expr_const(l->a, p->k), call2(l, FN_MUL, scale, sum));
    const Expr *y = call2(l, FN_DIV, lower_read(l, t->n->in[0], &t->at), lrn_power_expr(l, base, p->beta));
    body = stmt_append(body, nest_close(l, &out, lower_finish(l, &t->at, y)));
    return nest_close(l, &outer, body);
}

/* All channels: those at either end have fewer neighbours, each its own number. */
static Stmt *lrn_tile(LrnTile *t) {
    int64_t channels = shape_in(t->n, 0).axis[1].extent, size = t->n->attr.LRN.size, before = (size - 1) / 2;
    Type one = {.dtype = DT_F32, .rank = 1, .axis = {{'l', (int32_t)t->lanes, 0, 0}}};
    t->sum = kernel_add_buf(t->l->k, "sum", BUF_REG, &one);
    Stmt *body = NULL;
    for (int64_t c = 0, run; c < channels; c += run) {
        int64_t low = c < before ? -c : -before, high = c - before + size > channels ? channels - c : size - before;
        bool whole = low == -before && high == size - before;
        run = whole ? channels - (size - 1 - before) - c : 1;
        body = stmt_append(body, lrn_channels(t, c, run, low, high - low));
    }
    return stmt_alloc(t->l->k, t->sum, body);
}

enum { LRN_LANES = 64 };

/* `count` tiles of the innermost axis, from `first` on. */
static void lrn_tiles(Lower *l, const Node *n, int lane_axis, int64_t first, int64_t count, int64_t lanes) {
    Type t = shape_in(n, 0);
    Nest outer = {0};
    Index at = {.n = t.rank};
    at.v[0] = nest_loop_always(l, &outer, "n", t.axis[0].extent);
    for (int i = 2; i < t.rank; i++)
        if (i != lane_axis) at.v[i] = nest_loop(l, &outer, axis_name(l, &t, i), t.axis[i].extent);
    Affine base = affine_const(0);
    if (lane_axis >= 0) base = affine_offset(affine_scale(l->a, nest_loop(l, &outer, "l_o", count), LRN_LANES), first);
    LrnTile tile = {.l = l, .n = n, .at = at, .lane_axis = lane_axis, .lane_base = base, .lanes = lanes};
    lower_emit(l, nest_close(l, &outer, lrn_tile(&tile)));
}

void lrn_lower(Lower *l, const Node *n) {
    Type t = shape_in(n, 0);
    int lane_axis = t.rank > 2 ? t.rank - 1 : -1;
    int64_t extent = lane_axis < 0 ? 1 : t.axis[lane_axis].extent, count = extent / LRN_LANES;
    if (count) lrn_tiles(l, n, lane_axis, 0, count, LRN_LANES);
    if (extent % LRN_LANES) lrn_tiles(l, n, lane_axis, count * LRN_LANES, 1, extent % LRN_LANES);
}
