/* softmax and its logarithm over the channels.
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
 * exp may flush what is below 2^-126, and S ≥ exp 0 = 1 but for that: TINY is added.
 */
#include "ir/lower.h"
#include "ir/ops/ops.h"

#include <math.h>

#define EXP_ULPS 2
#define TINY 0x1p-124

bool softmax_shape(Node *n, Diag *d) {
    n->type = shape_in(n, 0);
    return shape_activation(&n->type, 0, d);
}

bool logsoftmax_shape(Node *n, Diag *d) { return softmax_shape(n, d); }

/* The channels of one position: base + c·stride, and what is known of them. */
typedef struct Column {
    int64_t base, stride, n;
    double max, log_sum;            /* m and log S */
    double max_err, max_a, rel_sum; /* max E, max a, R */
} Column;

static const double unit = 0x1p-24;
static const double exp_rel = 2 * EXP_ULPS * 0x1p-24;

static double err_at(const RefTensor *x, int64_t i) { return x->err ? x->err[i] : 0; }

/* a of the essay above. −∞ stays −∞ and its exp is 0. */
static double argument_err(const Column *c, const RefTensor *x, int64_t i) {
    double e = err_at(x, i);
    return x->v[i] == -INFINITY ? e : e + unit * (c->max - x->v[i] + e + c->max_err);
}

/* e^t·r, where a large a meets a t so far below 0 that the product is nothing. */
static double exp_times_r(double t, double a) {
    double grown = a < 1 ? exp(t) * expm1(a) : exp(t + a) - exp(t);
    return grown * (1 + exp_rel) + exp(t) * exp_rel;
}

static Column column_make(const RefTensor *x, int64_t base, int64_t stride, int64_t n, bool with_err) {
    Column c = {.base = base, .stride = stride, .n = n, .max = -INFINITY};
    int64_t end = base + n * stride;
    double sum = 0, weighted = 0;
    for (int64_t i = base; i < end; i += stride) {
        double e = err_at(x, i);
        c.max = c.max > x->v[i] ? c.max : x->v[i];
        c.max_err = c.max_err > e ? c.max_err : e;
    }
    for (int64_t i = base; i < end; i += stride) sum += exp(x->v[i] - c.max);
    c.log_sum = log(sum);
    if (!with_err) return c;
    for (int64_t i = base; i < end; i += stride) {
        double a = argument_err(&c, x, i);
        c.max_a = c.max_a > a ? c.max_a : a;
        weighted += exp_times_r(x->v[i] - c.max, a) / sum;
    }
    double gamma = ref_gamma((double)n + 1); /* one more for the terms that exp flushed */
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

static double logsoftmax_err(const Column *c, double a, double z) {
    double sum_err = c->max_a + ref_gamma((double)c->n + 8);
    if (c->rel_sum < 1 && -log1p(-c->rel_sum) < sum_err) sum_err = -log1p(-c->rel_sum);
    double size = fabs(c->log_sum) + c->max_err + sum_err;
    double err = a + sum_err + exp_rel * size;
    return err + unit * (err + fabs(z)) + TINY;
}

/* The positions of x: batch × plane columns of channels. */
static void each_column(const Node *n, const RefTensor *x, RefTensor *out, bool logarithm) {
    int64_t batch = type_extent(&n->type, 'n'), channels = type_extent(&n->type, 'c');
    int64_t plane = type_elements(&x->type) / (batch * channels);
    for (int64_t p = 0; p < batch * plane; p++) {
        int64_t base = p / plane * channels * plane + p % plane;
        Column c = column_make(x, base, plane, channels, out->err != NULL);
        for (int64_t i = base; i < base + channels * plane; i += plane) {
            double z = x->v[i] - c.max - c.log_sum;
            out->v[i] = logarithm ? z : exp(z);
            if (!out->err) continue;
            double a = argument_err(&c, x, i);
            out->err[i] = logarithm ? logsoftmax_err(&c, a, z) : softmax_err(&c, a, z);
        }
    }
}

void softmax_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    each_column(n, in[0], out, false);
}

void logsoftmax_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    each_column(n, in[0], out, true);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

typedef struct SoftmaxLower {
    Lower *l;
    const Node *x;
    Index at;      /* n and positions; v[1] is set by each loop over the channels */
    int64_t channels, cuts[2];
} SoftmaxLower;

static Nest softmax_loop(SoftmaxLower *s, const char *suffix) {
    Nest nest = {0};
    const char *name = arena_printf(s->l->a, "c%s", suffix), *outer = arena_printf(s->l->a, "C%s", suffix);
    s->at.v[1] = nest_digits(s->l, &nest, name, outer, s->channels, s->cuts, 2);
    return nest;
}

static const Expr *softmax_x(SoftmaxLower *s) { return lower_read(s->l, s->x, &s->at); }

/* m = max x;  sum = Σ exp(x − m);  softmax: exp(x − m) / sum, its logarithm: (x − m) − log(sum) */
static void softmax_nest(Lower *l, const Node *n, bool logarithm) {
    Type t = type_plain(&n->type);
    SoftmaxLower s = {.l = l, .x = n->in[0], .at.n = t.rank, .channels = t.axis[1].extent,
                      .cuts = {type_block(&n->type, 'c'), type_block(&n->in[0]->type, 'c')}};
    Nest outer = {0};
    s.at.v[0] = nest_loop_always(l, &outer, "n", t.axis[0].extent);
    for (int i = 2; i < t.rank; i++) s.at.v[i] = nest_loop(l, &outer, spatial_name(i - 2, t.rank - 2), t.axis[i].extent);
    Type one = {.dtype = DT_F32, .rank = 1, .axis = {{'x', 1, 0, 0}}};
    Affine zero = affine_const(0);
    int m = kernel_add_buf(l->k, "m", BUF_REG, &one), sum = kernel_add_buf(l->k, "sum", BUF_REG, &one);
    const Expr *max = expr_load(l->k, m, &zero), *total = expr_load(l->k, sum, &zero);

    Nest nest = softmax_loop(&s, "_max");
    Stmt *body = stmt_store(l->k, m, &zero, STORE_SET, expr_const(l->a, -INFINITY));
    body = stmt_append(body, nest_close(l, &nest, stmt_store(l->k, m, &zero, STORE_MAX, softmax_x(&s))));
    nest = softmax_loop(&s, "");
    const Expr *below = expr_call(l->a, FN_SUB, softmax_x(&s), max, NULL, NULL);
    body = stmt_append(body, nest_close(l, &nest, lower_write(l, &s.at, STORE_SET, expr_call(l->a, FN_EXP, below, NULL, NULL, NULL))));
    body = stmt_append(body, stmt_store(l->k, sum, &zero, STORE_SET, expr_const(l->a, 0)));
    nest = softmax_loop(&s, "_sum");
    body = stmt_append(body, nest_close(l, &nest, stmt_store(l->k, sum, &zero, STORE_ADD, lower_read_out(l, &s.at))));
    nest = softmax_loop(&s, "_out");
    const Expr *value;
    if (logarithm) {
        below = expr_call(l->a, FN_SUB, softmax_x(&s), max, NULL, NULL);
        value = expr_call(l->a, FN_SUB, below, expr_call(l->a, FN_LOG, total, NULL, NULL, NULL), NULL, NULL);
    } else {
        value = expr_call(l->a, FN_DIV, lower_read_out(l, &s.at), total, NULL, NULL);
    }
    body = stmt_append(body, nest_close(l, &nest, lower_write(l, &s.at, STORE_SET, value)));
    lower_emit(l, nest_close(l, &outer, stmt_alloc(l->k, m, stmt_alloc(l->k, sum, body))));
}

void softmax_lower(Lower *l, const Node *n) { softmax_nest(l, n, false); }
void logsoftmax_lower(Lower *l, const Node *n) { softmax_nest(l, n, true); }
