/* reducesum, reducemean, reducemax, … : one number of all elements along some axes.
 *
 * In the kernels a row is folded by a sum, a product or a maximum of some function of its elements, and the result
 * is finished by another: min x = −max −x, |x|₂ = √Σx². logsumexp, stable: m + log Σ exp(x − m), m = max x, or 0
 * where that is infinite, so that exp never overflows and an infinite x decides. */
#include "ir/ops/rows.h"
#include "ir/ops/approx.h"
#include "ir/ops/ops.h"
#include "ir/ops/softmax.h"

typedef enum Reduction {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_PRODUCT,
    REDUCE_L1,
    REDUCE_L2,
    REDUCE_SUM_SQUARE,
    REDUCE_LOG_SUM,
    REDUCE_LOG_SUM_EXP
} Reduction;

/* All ten rows have the same attributes in the same places. */
static const REDUCESUM_attr *reduce_attr(const Node *n) { return &n->attr.REDUCESUM; }

static bool reduce_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    AxisSet axes;
    return axes_of(&axes, &reduce_attr(n)->axes, axes_all(&x), &x, d) &&
           axes_reduced(&n->type, &x, DT_F32, axes, reduce_attr(n)->keep, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* What the elements of a group add up to. A product: its size, and what the factors above 1 may amplify. */
typedef struct Fold {
    SumOf plain, abs, square;
    double max, min, most_err, product, product_most, amplified;
} Fold;

static Fold fold_group(const RefTensor *x, const Groups *g, int64_t group) {
    Fold f = {.max = -INFINITY, .min = INFINITY, .product = 1, .product_most = 1, .amplified = 1};
    for (int64_t m = 0; m < g->n_member; m++) {
        Approx a = approx_at(x, g->base[group] + g->member[m]);
        double size = fabs(a.v) + a.e;
        sum_add(&f.plain, a.v, a.e);
        sum_add(&f.abs, fabs(a.v), a.e);
        sum_add(&f.square, a.v * a.v, 2 * fabs(a.v) * a.e + a.e * a.e);
        f.max = f.max > a.v ? f.max : a.v;
        f.min = f.min < a.v ? f.min : a.v;
        f.most_err = f.most_err > a.e ? f.most_err : a.e;
        f.product *= a.v;
        f.product_most *= size;
        f.amplified *= size > 1 ? size : 1;
    }
    return f;
}

/* Π x̂ ≤ Π(|x| + e), each factor rounded once; a partial product, of any of the factors, may pass the range of float32 at
 * either end. */
static Approx fold_product(const Fold *f) {
    double n = f->plain.n, room = f->product_most - fabs(f->product);
    double e = (room > 0 ? room : 0) + (approx_gamma(n) + 0x1p-50 * n) * f->product_most + n * 0x1p-149 * f->amplified;
    return approx(f->product, f->amplified <= (double)FLT_MAX ? e : INFINITY);
}

static void reduce_eval(Arena *a, const Node *n, Reduction r, const RefTensor *x, RefTensor *out) {
    AxisSet axes;
    axes_of(&axes, &reduce_attr(n)->axes, axes_all(&x->type), &x->type, NULL);
    Groups g = groups_make(a, &x->type, axes);
    for (int64_t i = 0; i < g.n_group; i++) {
        if (r == REDUCE_LOG_SUM_EXP) {
            approx_put(out, i, logsumexp_group(x, &g, i));
            continue;
        }
        Fold f = fold_group(x, &g, i);
        Approx y = {0};
        switch (r) {
        case REDUCE_SUM: y = sum_total(&f.plain, 0, 1); break;
        case REDUCE_MEAN: y = sum_total(&f.plain, 0, (double)g.n_member); break;
        case REDUCE_MAX: y = approx(f.max, f.most_err); break;
        case REDUCE_MIN: y = approx(f.min, f.most_err); break;
        case REDUCE_PRODUCT: y = fold_product(&f); break;
        case REDUCE_L1: y = sum_total(&f.abs, 0, 1); break;
        case REDUCE_L2: y = approx_sqrt(sum_total(&f.square, 1, 1)); break;
        case REDUCE_SUM_SQUARE: y = sum_total(&f.square, 1, 1); break;
        case REDUCE_LOG_SUM: y = approx_log(sum_total(&f.plain, 0, 1)); break;
        case REDUCE_LOG_SUM_EXP: break; /* above */
        }
        approx_put(out, i, y);
    }
}

/* ---- lowering ---------------------------------------------------------------------------------- */

typedef struct ReduceLower {
    Reduction r;
    bool keep;
    int acc, max; /* registers */
} ReduceLower;

static const Expr *call1(Rows *r, Fn fn, const Expr *x) { return expr_call(r->l->a, fn, x, NULL, NULL, NULL); }

/* What is folded. */
static const Expr *reduce_term(Rows *r, void *ctx) {
    const ReduceLower *p = ctx;
    const Expr *x = rows_x(r);
    switch (p->r) {
    case REDUCE_SUM:
    case REDUCE_MEAN:
    case REDUCE_MAX:
    case REDUCE_PRODUCT:
    case REDUCE_LOG_SUM: return x;
    case REDUCE_MIN: return call1(r, FN_NEG, x);
    case REDUCE_L1: return call1(r, FN_ABS, x);
    case REDUCE_L2:
    case REDUCE_SUM_SQUARE: return expr_call(r->l->a, FN_MUL, x, x, NULL, NULL);
    case REDUCE_LOG_SUM_EXP: return call1(r, FN_EXP, expr_call(r->l->a, FN_SUB, x, rows_get(r, p->max), NULL, NULL));
    }
    return x;
}

/* What becomes of it. */
static const Expr *reduce_finish(Rows *r, const ReduceLower *p) {
    const Expr *v = rows_get(r, p->acc);
    switch (p->r) {
    case REDUCE_SUM:
    case REDUCE_MAX:
    case REDUCE_PRODUCT:
    case REDUCE_L1:
    case REDUCE_SUM_SQUARE: return v;
    case REDUCE_MEAN: return expr_call(r->l->a, FN_DIV, v, expr_const(r->l->a, (float)rows_count(r)), NULL, NULL);
    case REDUCE_MIN: return call1(r, FN_NEG, v);
    case REDUCE_L2: return call1(r, FN_SQRT, v);
    case REDUCE_LOG_SUM: return call1(r, FN_LOG, v);
    case REDUCE_LOG_SUM_EXP: return expr_call(r->l->a, FN_ADD, rows_get(r, p->max), call1(r, FN_LOG, v), NULL, NULL);
    }
    return v;
}

static const Expr *reduce_max_term(Rows *r, void *ctx) {
    (void)ctx;
    return rows_x(r);
}

static const Expr *reduce_max_finite(Rows *r, void *ctx) {
    const ReduceLower *p = ctx;
    const Expr *m = rows_get(r, p->max);
    return expr_call(r->l->a, FN_LT, call1(r, FN_ABS, m), expr_const(r->l->a, INFINITY), m, expr_const(r->l->a, 0));
}

static Stmt *reduce_row(Rows *r, void *ctx) {
    ReduceLower *p = ctx;
    bool max = p->r == REDUCE_MAX || p->r == REDUCE_MIN, product = p->r == REDUCE_PRODUCT;
    Stmt *body = NULL;
    if (p->r == REDUCE_LOG_SUM_EXP) {
        p->max = rows_reg(r, "m");
        body = rows_fold(r, "max", p->max, FOLD_MAX, -INFINITY, reduce_max_term, p);
        body = stmt_append(body, rows_set(r, "fin", p->max, reduce_max_finite, p));
    }
    p->acc = rows_reg(r, "acc");
    body = stmt_append(body, rows_fold(r, "sum", p->acc,
                                       max       ? FOLD_MAX
                                       : product ? FOLD_PRODUCT
                                                 : FOLD_SUM,
                                       max       ? -INFINITY
                                       : product ? 1
                                                 : 0,
                                       reduce_term, p));
    Nest nest = {0};
    rows_lanes(r, &nest, "out");
    Index y = rows_result(r, p->keep);
    return stmt_append(body, nest_close(r->l, &nest, lower_finish(r->l, &y, reduce_finish(r, p))));
}

static void reduce_lower(Lower *l, const Node *n, Reduction r) {
    ReduceLower p = {.r = r, .keep = reduce_attr(n)->keep};
    Type x = shape_in(n, 0);
    AxisSet axes;
    axes_of(&axes, &reduce_attr(n)->axes, axes_all(&x), &x, NULL);
    rows_emit(l, n, n->in[0], axes, 1, reduce_row, &p);
}

/* ---- the rows of the table ----------------------------------------------------------------------- */

#define REDUCTION(id, name, reduction)                                                                                 \
    _Static_assert(sizeof(id##_attr) == sizeof(REDUCESUM_attr), "the attributes are alike");                           \
    bool name##_shape(Node *n, Diag *d) { return reduce_shape(n, d); }                                                 \
    void name##_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {                            \
        reduce_eval(a, n, reduction, in[0], out);                                                                      \
    }                                                                                                                  \
    void name##_lower(Lower *l, const Node *n) { reduce_lower(l, n, reduction); }

REDUCTION(REDUCESUM, reducesum, REDUCE_SUM)
REDUCTION(REDUCEMEAN, reducemean, REDUCE_MEAN)
REDUCTION(REDUCEMAX, reducemax, REDUCE_MAX)
REDUCTION(REDUCEMIN, reducemin, REDUCE_MIN)
REDUCTION(REDUCEPROD, reduceprod, REDUCE_PRODUCT)
REDUCTION(REDUCEL1, reducel1, REDUCE_L1)
REDUCTION(REDUCEL2, reducel2, REDUCE_L2)
REDUCTION(REDUCESUMSQUARE, reducesumsquare, REDUCE_SUM_SQUARE)
REDUCTION(REDUCELOGSUM, reducelogsum, REDUCE_LOG_SUM)
REDUCTION(REDUCELOGSUMEXP, reducelogsumexp, REDUCE_LOG_SUM_EXP)
