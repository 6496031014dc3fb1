/* softmax and its logarithm along one axis, and the logarithm of their sum.
 *
 *   y[c] = exp(x[c] − m) / S,  z[c] = (x[c] − m) − log S,  S = Σ exp(x[c] − m),  m = max x
 *
 * The error bound, u = 2^-24. Kernels get x̂ = x + e, |e[c]| ≤ E[c], and compute t = x̂ − m̂, p = exp t,
 * Ŝ = Σ p, then p/Ŝ or t − log Ŝ, where exp and log are right to EXP_ULPS units in the last place,
 * that is ε = 2·EXP_ULPS·u relative. y does not depend on m, so take m̂ for it throughout.
 *   argument   |t − (x − m̂)| ≤ a = E + u·|x̂ − m̂| , and |x̂ − m̂| ≤ (m − x) + E + max E.
 *   exp        p = exp(x − m̂)·(1 + δ), |δ| ≤ r = e^a·(1 + ε) − 1 (the lower side is closer).
 *   sum        Ŝ = S·(1 + δ), |δ| ≤ R = (1 + Σ y·r)·(1 + γ_n) − 1: the mean of r, weighted by the terms.
 *   softmax    |ŷ − y| ≤ y·((1 + r)·(1 + γ_2)/(1 − R) − 1) if R < 1 (γ_2: a division, or a reciprocal and
 *              a product); and never more than 1 + γ_{n+2}, since both are in 0 … 1 but for rounding.
 *   log        |log Ŝ − log S| ≤ D = −log(1 − R); also D ≤ max a + γ_{n+8}, all terms being within e^±(a + ε);
 *              |ẑ − z| ≤ a + D + ε·(L + D) + u·(all before and |z|), L ≥ |log S| with m̂ for m.
 *   log Σ exp  m̂ + log Ŝ: |ŷ − y| ≤ D + ε·(L + D) + u·(all before and |y|), y being the same with any m̂.
 * exp may flush what is below 2^-126, and S ≥ exp 0 = 1 but for that: TINY is added.
 */
#include "ir/ops/softmax.h"
#include "ir/ops/ops.h"
#include "ir/ops/rows.h"

#define EXP_ULPS 2
#define TINY     0x1p-124

static bool softmax_type(Node *n, int32_t axis, Diag *d) {
    n->type = shape_in(n, 0);
    n->type.dtype = DT_F32;
    return axis_one(axis, &n->type, d) != 0;
}

bool softmax_shape(Node *n, Diag *d) { return softmax_type(n, n->attr.SOFTMAX.axis, d); }
bool logsoftmax_shape(Node *n, Diag *d) { return softmax_type(n, n->attr.LOGSOFTMAX.axis, d); }

/* The numbers of one group, and what is known of them. */
typedef struct Column {
    const RefTensor *x;
    int64_t base, n;
    const int64_t *member;
    double max, log_sum;            /* m and log S */
    double max_err, max_a, rel_sum; /* max E, max a, R */
} Column;

static const double unit = 0x1p-24;
static const double exp_rel = 2 * EXP_ULPS * 0x1p-24;

static double err_at(const RefTensor *x, int64_t i) { return x->err ? x->err[i] : 0; }

/* a of the essay above. −∞ stays −∞ and its exp is 0. */
static double argument_err(const Column *c, int64_t i) {
    double e = err_at(c->x, i), x = c->x->v[i];
    return x == -INFINITY ? e : e + unit * (c->max - x + e + c->max_err);
}

/* e^t·r, where a large a meets a t so far below 0 that the product is nothing. */
static double exp_times_r(double t, double a) {
    double grown = a < 1 ? exp(t) * expm1(a) : exp(t + a) - exp(t);
    return grown * (1 + exp_rel) + exp(t) * exp_rel;
}

static Column column_make(const RefTensor *x, const Groups *g, int64_t group, bool with_err) {
    Column c = {.x = x, .base = g->base[group], .member = g->member, .n = g->n_member, .max = -INFINITY};
    double sum = 0, weighted = 0;
    for (int64_t m = 0; m < c.n; m++) {
        int64_t i = c.base + c.member[m];
        double e = err_at(x, i);
        c.max = c.max > x->v[i] ? c.max : x->v[i];
        c.max_err = c.max_err > e ? c.max_err : e;
    }
    for (int64_t m = 0; m < c.n; m++) sum += exp(x->v[c.base + c.member[m]] - c.max);
    c.log_sum = log(sum);
    if (!with_err) return c;
    for (int64_t m = 0; m < c.n; m++) {
        int64_t i = c.base + c.member[m];
        double a = argument_err(&c, i);
        c.max_a = c.max_a > a ? c.max_a : a;
        weighted += exp_times_r(x->v[i] - c.max, a) / sum;
    }
    double gamma = ref_gamma((double)c.n + 1); /* one more for the terms that exp flushed */
    c.rel_sum = weighted * (1 + gamma) + gamma;
    return c;
}

static double softmax_err(const Column *c, double a, double z) {
    double most = 1 + ref_gamma((double)c->n + 2), g = ref_gamma(2);
    if (!(c->rel_sum < 1)) return most;
    /* y·((1 + r)(1 + γ_2)/(1 − R) − 1), without losing digits */
    double err = (exp_times_r(z, a) * (1 + g) + exp(z) * (g + c->rel_sum)) / (1 - c->rel_sum) + TINY;
    return err < most ? err : most;
}

/* D, and what log adds to it. */
static double log_sum_err(const Column *c) {
    double sum_err = c->max_a + ref_gamma((double)c->n + 8);
    if (c->rel_sum < 1 && -log1p(-c->rel_sum) < sum_err) sum_err = -log1p(-c->rel_sum);
    return sum_err + exp_rel * (fabs(c->log_sum) + c->max_err + sum_err);
}

static double logsoftmax_err(const Column *c, double a, double z) {
    double err = a + log_sum_err(c);
    return err + unit * (err + fabs(z)) + TINY;
}

Approx logsumexp_group(const RefTensor *x, const Groups *g, int64_t group) {
    Column c = column_make(x, g, group, true);
    if (isinf(c.max)) return approx(c.max, c.max_err == 0 ? 0 : INFINITY);
    double y = c.max + c.log_sum, err = log_sum_err(&c);
    return approx(y, err + unit * (err + fabs(y)) + TINY);
}

static void each_column(Arena *arena, int32_t axis, const RefTensor *x, RefTensor *out, bool logarithm) {
    Groups g = groups_make(arena, &x->type, axis_one(axis, &x->type, NULL));
    for (int64_t p = 0; p < g.n_group; p++) {
        Column c = column_make(x, &g, p, out->err != NULL);
        for (int64_t m = 0; m < c.n; m++) {
            int64_t i = c.base + c.member[m];
            double z = x->v[i] - c.max - c.log_sum;
            out->v[i] = logarithm ? z : exp(z);
            if (!out->err) continue;
            double a = argument_err(&c, i);
            out->err[i] = logarithm ? logsoftmax_err(&c, a, z) : softmax_err(&c, a, z);
        }
    }
}

void softmax_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    each_column(a, n->attr.SOFTMAX.axis, in[0], out, false);
}

void logsoftmax_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    each_column(a, n->attr.LOGSOFTMAX.axis, in[0], out, true);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

typedef struct SoftmaxLower {
    bool logarithm;
    int max, sum; /* registers */
} SoftmaxLower;

static const Expr *call1(Rows *r, Fn fn, const Expr *x) { return expr_call(r->l->a, fn, x, NULL, NULL, NULL); }
static const Expr *call2(Rows *r, Fn fn, const Expr *x, const Expr *y) {
    return expr_call(r->l->a, fn, x, y, NULL, NULL);
}

static const Expr *softmax_x(Rows *r, void *ctx) {
    (void)ctx;
    return rows_x(r);
}

static const Expr *below_max(Rows *r, const SoftmaxLower *s) {
    return call2(r, FN_SUB, rows_x(r), rows_get(r, s->max));
}

/* What was stored, or for the logarithm, which has no use for it, computed again. */
static const Expr *softmax_exp(Rows *r, void *ctx) {
    const SoftmaxLower *s = ctx;
    return s->logarithm ? call1(r, FN_EXP, below_max(r, s)) : lower_read_out(r->l, &r->at);
}

static const Expr *softmax_log_sum(Rows *r, void *ctx) {
    const SoftmaxLower *s = ctx;
    return call1(r, FN_LOG, rows_get(r, s->sum));
}

/* m = max x;  sum = Σ exp(x − m);  softmax: exp(x − m) / sum, its logarithm: (x − m) − log(sum) */
static Stmt *softmax_row(Rows *r, void *ctx) {
    SoftmaxLower *s = ctx;
    s->max = rows_reg(r, "m");
    s->sum = rows_reg(r, "sum");
    Stmt *body = rows_fold(r, "max", s->max, FOLD_MAX, -INFINITY, softmax_x, s);
    if (!s->logarithm) {
        Nest nest = {0};
        rows_elements(r, &nest, "exp");
        Stmt *store = lower_write(r->l, &r->at, STORE_SET, call1(r, FN_EXP, below_max(r, s)));
        body = stmt_append(body, nest_close(r->l, &nest, store));
    }
    body = stmt_append(body, rows_fold(r, "sum", s->sum, FOLD_SUM, 0, softmax_exp, s));
    if (s->logarithm) body = stmt_append(body, rows_set(r, "log", s->sum, softmax_log_sum, s));
    Nest nest = {0};
    rows_elements(r, &nest, "out");
    const Expr *sum = rows_get(r, s->sum);
    const Expr *value =
        s->logarithm ? call2(r, FN_SUB, below_max(r, s), sum) : call2(r, FN_DIV, lower_read_out(r->l, &r->at), sum);
    return stmt_append(body, nest_close(r->l, &nest, lower_finish(r->l, &r->at, value)));
}

static void softmax_nest(Lower *l, const Node *n, int32_t axis, bool logarithm) {
    SoftmaxLower s = {.logarithm = logarithm};
    Type x = shape_in(n, 0);
    rows_emit(l, n, n->in[0], axis_one(axis, &x, NULL), 1, softmax_row, &s);
}

void softmax_lower(Lower *l, const Node *n) { softmax_nest(l, n, n->attr.SOFTMAX.axis, false); }
void logsoftmax_lower(Lower *l, const Node *n) { softmax_nest(l, n, n->attr.LOGSOFTMAX.axis, true); }
