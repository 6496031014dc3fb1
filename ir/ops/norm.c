/* layernorm, channelnorm, instancenorm, groupnorm, mvn: the elements along some axes get mean 0 and deviation 1.
 *
 *   y = (x − μ)·s·weight + bias,  s = 1/√(σ² + eps),  μ = Σx/n,  σ² = Σ(x − μ)²/n     (mvn: s = 1/(σ + eps))
 *
 * in two passes, the mean first, so that nothing cancels where the mean is large. Error bound: kernels have
 * μ̂ = μ + δ, |δ| ≤ D (a sum of n terms, approx.h), and with |x̂ − x| ≤ E subtract to
 *   d̂ = d − δ + a,  d = x − μ,  |a| ≤ A = E + u·(|d| + E + D)
 *   Σd̂² = Σd² − 2δ·Σd + nδ² + Σ(2(d − δ)a + a²),  Σd = 0,
 * so the common part of the error costs nD² only. The rest is arithmetic with bounds. */
#include "ir/ops/norm.h"
#include "ir/ops/approx.h"
#include "ir/ops/ops.h"
#include "ir/ops/rows.h"

/* ---- shapes ---------------------------------------------------------------------------------- */

static AxisSet axes_from(int first, int rank) { return ((1u << rank) - 1) & ~((1u << first) - 1); }

/* The extents of x along these axes, which weight and bias have. */
static bool affine_type(Type *t, const Type *x, AxisSet axes, Diag *d) {
    char letters[MAX_AXES + 1] = "";
    int64_t extent[MAX_AXES];
    int rank = 0;
    for (int i = 0; i < x->rank; i++)
        if (axis_in(axes, i)) {
            letters[rank] = x->axis[i].letter;
            extent[rank++] = x->axis[i].extent;
        }
    return type_make(t, letters, extent, d);
}

static bool affine_fits(const Node *n, int in, const char *what, AxisSet axes, Diag *d) {
    Type x = shape_in(n, 0), have = shape_in(n, in), wanted;
    char text[SHAPE_TEXT], want[SHAPE_TEXT], of[SHAPE_TEXT];
    if (!affine_type(&wanted, &x, axes, d)) return false;
    bool fits = have.rank == wanted.rank;
    for (int i = 0; fits && i < have.rank; i++) fits = have.axis[i].extent == wanted.axis[i].extent;
    if (fits) return true;
    return diag_fail(d, DIAG_SPEC, "%s is %s, but %s is needed; x is %s", what, shape_text(text, &have),
                     shape_text(want, &wanted), shape_text(of, &x));
}

static bool norm_shape(Node *n, AxisSet affine, Diag *d) {
    static const char *const what[] = {"x", "weight", "bias"};
    n->type = shape_in(n, 0);
    n->type.dtype = DT_F32;
    for (int i = 1; i < n->n_in; i++)
        if (!affine_fits(n, i, what[i], affine, d)) return false;
    return true;
}

static int norm_params(const Type *x, AxisSet affine, int wanted, ParamSpec out[4], Diag *d) {
    out[0].suffix = "weight";
    out[1].suffix = "bias";
    for (int i = 0; i < wanted; i++)
        if (!affine_type(&out[i].type, x, affine, d)) return 0;
    return wanted;
}

/* x with an axis 1, which the weights of most have. */
static bool has_channels(const Type *x, int least, Diag *d) {
    char text[SHAPE_TEXT];
    if (x->rank >= least) return true;
    return diag_fail(d, DIAG_SPEC, "x is %s, but at least %d axes are needed", shape_text(text, x), least);
}

static Norm layer_of(const Node *n) {
    Type x = shape_in(n, 0);
    int32_t axis = n->attr.LAYERNORM.axis;
    AxisSet axes = axes_from(axis < 0 ? axis + x.rank : axis, x.rank);
    return (Norm){.axes = axes, .groups = 1, .affine = axes, .eps = n->attr.LAYERNORM.eps};
}

int layernorm_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    int wanted = n->attr.LAYERNORM.affine ? 1 + (n->attr.LAYERNORM.bias != 0) : 0;
    return axis_one(n->attr.LAYERNORM.axis, &x, d) ? norm_params(&x, layer_of(n).affine, wanted, out, d) : 0;
}

bool layernorm_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    if (!axis_one(n->attr.LAYERNORM.axis, &x, d)) return false;
    n->attr.LAYERNORM.affine = n->n_in > 1; /* the inputs say it; the attributes are for layernorm_params */
    n->attr.LAYERNORM.bias = n->n_in > 2;
    return norm_shape(n, layer_of(n).affine, d);
}

static Norm channel_of(const Node *n) {
    return (Norm){.axes = 2, .groups = 1, .affine = 2, .eps = n->attr.CHANNELNORM.eps};
}

int channelnorm_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    int wanted = n->attr.CHANNELNORM.affine ? 1 + (n->attr.CHANNELNORM.bias != 0) : 0;
    return has_channels(&x, 2, d) ? norm_params(&x, 2, wanted, out, d) : 0;
}

bool channelnorm_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    if (!has_channels(&x, 2, d)) return false;
    n->attr.CHANNELNORM.affine = n->n_in > 1;
    n->attr.CHANNELNORM.bias = n->n_in > 2;
    return norm_shape(n, 2, d);
}

static Norm instance_of(const Node *n) {
    int rank = shape_in(n, 0).rank;
    return (Norm){.axes = axes_from(2, rank), .groups = 1, .affine = 2, .eps = n->attr.INSTANCENORM.eps};
}

int instancenorm_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    return has_channels(&x, 3, d) ? norm_params(&x, 2, n->attr.INSTANCENORM.affine ? 2 : 0, out, d) : 0;
}

bool instancenorm_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    if (!has_channels(&x, 3, d)) return false;
    n->attr.INSTANCENORM.affine = n->n_in > 1;
    return norm_shape(n, 2, d);
}

static Norm group_of(const Node *n) {
    int rank = shape_in(n, 0).rank;
    return (Norm){
        .axes = axes_from(1, rank), .groups = n->attr.GROUPNORM.groups, .affine = 2, .eps = n->attr.GROUPNORM.eps};
}

static bool groups_fit(const Node *n, const Type *x, Diag *d) {
    char text[SHAPE_TEXT];
    if (!has_channels(x, 2, d)) return false;
    if (x->axis[1].extent % n->attr.GROUPNORM.groups == 0) return true;
    return diag_fail(d, DIAG_SPEC, "x has %d channels, which %d groups do not divide; x is %s", x->axis[1].extent,
                     n->attr.GROUPNORM.groups, shape_text(text, x));
}

int groupnorm_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    return groups_fit(n, &x, d) ? norm_params(&x, 2, n->attr.GROUPNORM.affine ? 2 : 0, out, d) : 0;
}

bool groupnorm_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    if (!groups_fit(n, &x, d)) return false;
    n->attr.GROUPNORM.affine = n->n_in > 1;
    return norm_shape(n, 2, d);
}

/* Batch and positions, as far as x has them. */
static bool mvn_of(const Node *n, Norm *norm, Diag *d) {
    Type x = shape_in(n, 0);
    *norm = (Norm){.groups = 1, .eps = n->attr.MVN.eps, .eps_outside = true};
    return axes_of(&norm->axes, &n->attr.MVN.axes, axes_all(&x) & ~2u, &x, d);
}

bool mvn_shape(Node *n, Diag *d) {
    Norm norm;
    return mvn_of(n, &norm, d) && norm_shape(n, 0, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

typedef struct Moments {
    Approx mean, var;
} Moments;

static Moments moments(const RefTensor *x, const Groups *g, int64_t group) {
    SumOf sum = {0}, square = {0};
    for (int64_t m = 0; m < g->n_member; m++) {
        Approx v = approx_at(x, g->base[group] + g->member[m]);
        sum_add(&sum, v.v, v.e);
    }
    Moments r = {.mean = sum_total(&sum, 0, (double)g->n_member)};
    for (int64_t m = 0; m < g->n_member; m++) {
        Approx v = approx_at(x, g->base[group] + g->member[m]);
        double d = v.v - r.mean.v, a = v.e + 0x1p-24 * (fabs(d) + v.e + r.mean.e);
        sum_add(&square, d * d, r.mean.e * r.mean.e + 2 * (fabs(d) + r.mean.e) * a + a * a);
    }
    r.var = sum_total(&square, 1, (double)g->n_member);
    return r;
}

static Approx norm_scale(const Norm *norm, Approx var) {
    Approx eps = approx((double)norm->eps, 0);
    Approx sigma = norm->eps_outside ? approx_add(approx_sqrt(var), eps) : approx_sqrt(approx_add(var, eps));
    return approx_div(approx(1, 0), sigma);
}

/* x with its channels cut into groups: one axis more, outermost first. */
static Type grouped(const Type *x, int64_t groups) {
    Type t = *x;
    if (groups == 1) return t;
    for (int i = t.rank; i > 1; i--) t.axis[i] = t.axis[i - 1];
    t.axis[1].extent = (int32_t)groups;
    t.axis[2].extent = (int32_t)(x->axis[1].extent / groups);
    t.rank++;
    return t;
}

/* Which element of weight and bias belongs to element i of x. */
static int64_t affine_at(const Type *x, AxisSet affine, int64_t i) {
    int64_t at = 0, step = 1;
    for (int k = x->rank - 1; k >= 0; k--) {
        int64_t extent = x->axis[k].extent;
        if (axis_in(affine, k)) {
            at += i % extent * step;
            step *= extent;
        }
        i /= extent;
    }
    return at;
}

void norm_eval(Arena *a, const Norm *norm, const RefTensor *const *in, RefTensor *out) {
    const RefTensor *x = in[0];
    Type view = grouped(&x->type, norm->groups);
    AxisSet axes = norm->groups == 1 ? norm->axes : norm->axes << 1; /* axes 1 … become 2 … */
    Groups g = groups_make(a, &view, axes);
    for (int64_t k = 0; k < g.n_group; k++) {
        Moments own = moments(x, &g, k);
        Approx scale = norm_scale(norm, own.var);
        for (int64_t m = 0; m < g.n_member; m++) {
            int64_t i = g.base[k] + g.member[m], c = in[1] ? affine_at(&x->type, norm->affine, i) : 0;
            Approx s = in[1] ? approx_mul(scale, approx_at(in[1], c)) : scale;
            Approx y = approx_mul(approx_sub(approx_at(x, i), own.mean), s);
            approx_put(out, i, in[1] && in[2] ? approx_add(y, approx_at(in[2], c)) : y);
        }
    }
}

void layernorm_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Norm norm = layer_of(n);
    norm_eval(a, &norm, in, out);
}

void channelnorm_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Norm norm = channel_of(n);
    norm_eval(a, &norm, in, out);
}

void instancenorm_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Norm norm = instance_of(n);
    norm_eval(a, &norm, in, out);
}

void groupnorm_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Norm norm = group_of(n);
    norm_eval(a, &norm, in, out);
}

void mvn_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Norm norm;
    mvn_of(n, &norm, NULL);
    norm_eval(a, &norm, (const RefTensor *const[]){in[0], NULL, NULL}, out);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

typedef struct NormLower {
    const Norm *norm;
    const Node *weight, *bias;
    int mean, scale; /* registers */
} NormLower;

static const Expr *call1(Rows *r, Fn fn, const Expr *x) { return expr_call(r->l->a, fn, x, NULL, NULL, NULL); }
static const Expr *call2(Rows *r, Fn fn, const Expr *x, const Expr *y) {
    return expr_call(r->l->a, fn, x, y, NULL, NULL);
}

static const Expr *norm_term(Rows *r, void *ctx) {
    (void)ctx;
    return rows_x(r);
}

static const Expr *norm_mean(Rows *r, void *ctx) {
    const NormLower *p = ctx;
    return call2(r, FN_DIV, rows_get(r, p->mean), expr_const(r->l->a, (float)rows_count(r)));
}

static const Expr *norm_deviation(Rows *r, const NormLower *p) {
    return call2(r, FN_SUB, rows_x(r), rows_get(r, p->mean));
}

static const Expr *norm_square(Rows *r, void *ctx) {
    const Expr *d = norm_deviation(r, ctx);
    return call2(r, FN_MUL, d, d);
}

static const Expr *affine_read(Rows *r, const NormLower *p, const Node *x) {
    Index at = {0};
    for (int i = 0; i < r->plain.rank; i++)
        if (axis_in(p->norm->affine, i)) at.v[at.n++] = r->at.v[i];
    return lower_read(r->l, x, &at);
}

/* Weights that are the same for a whole row are multiplied in once. */
static bool weight_of_row(const NormLower *p) {
    return p->weight && p->norm->groups == 1 && !(p->norm->affine & p->norm->axes);
}

static const Expr *norm_inverse(Rows *r, void *ctx) {
    const NormLower *p = ctx;
    const Expr *var = call2(r, FN_DIV, rows_get(r, p->scale), expr_const(r->l->a, (float)rows_count(r)));
    const Expr *eps = expr_const(r->l->a, p->norm->eps), *sigma;
    if (p->norm->eps_outside) sigma = call2(r, FN_ADD, call1(r, FN_SQRT, var), eps);
    else sigma = call1(r, FN_SQRT, call2(r, FN_ADD, var, eps));
    const Expr *scale = call2(r, FN_DIV, expr_const(r->l->a, 1), sigma);
    return weight_of_row(p) ? call2(r, FN_MUL, scale, affine_read(r, p, p->weight)) : scale;
}

static Stmt *norm_row(Rows *r, void *ctx) {
    NormLower *p = ctx;
    p->mean = rows_reg(r, "mean");
    p->scale = rows_reg(r, "scale");
    Stmt *body = rows_fold(r, "sum", p->mean, FOLD_SUM, 0, norm_term, p);
    body = stmt_append(body, rows_set(r, "mean", p->mean, norm_mean, p));
    body = stmt_append(body, rows_fold(r, "var", p->scale, FOLD_SUM, 0, norm_square, p));
    body = stmt_append(body, rows_set(r, "scale", p->scale, norm_inverse, p));
    Nest nest = {0};
    rows_elements(r, &nest, "out");
    const Expr *s = rows_get(r, p->scale);
    if (p->weight && !weight_of_row(p)) s = call2(r, FN_MUL, s, affine_read(r, p, p->weight));
    const Expr *y = call2(r, FN_MUL, norm_deviation(r, p), s);
    if (p->bias) y = call2(r, FN_ADD, y, affine_read(r, p, p->bias));
    return stmt_append(body, nest_close(r->l, &nest, lower_finish(r->l, &r->at, y)));
}

void norm_lower(Lower *l, const Node *n, const Norm *norm, int n_in) {
    NormLower p = {.norm = norm, .weight = n_in > 1 ? n->in[1] : NULL, .bias = n_in > 2 ? n->in[2] : NULL};
    rows_emit(l, n, n->in[0], norm->axes, norm->groups, norm_row, &p);
}

void layernorm_lower(Lower *l, const Node *n) {
    Norm norm = layer_of(n);
    norm_lower(l, n, &norm, n->n_in);
}

void channelnorm_lower(Lower *l, const Node *n) {
    Norm norm = channel_of(n);
    norm_lower(l, n, &norm, n->n_in);
}

void instancenorm_lower(Lower *l, const Node *n) {
    Norm norm = instance_of(n);
    norm_lower(l, n, &norm, n->n_in);
}

void groupnorm_lower(Lower *l, const Node *n) {
    Norm norm = group_of(n);
    norm_lower(l, n, &norm, n->n_in);
}

void mvn_lower(Lower *l, const Node *n) {
    Norm norm;
    mvn_of(n, &norm, NULL);
    norm_lower(l, n, &norm, 1);
}
