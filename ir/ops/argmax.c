/* argmax, argmin: where along an axis the largest (smallest) element stands, the first of equals, or the last. A NaN is passed
 * over; where there is nothing but NaN the answer is 0. */
#include "ir/ops/approx.h"
#include "ir/ops/ops.h"
#include "ir/ops/rows.h"

/* ARGMIN's attributes are the same in the same places. */
_Static_assert(sizeof(ARGMIN_attr) == sizeof(ARGMAX_attr), "the attributes are alike");
static const ARGMAX_attr *arg_attr(const Node *n) { return &n->attr.ARGMAX; }

static bool arg_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    AxisSet axis = axis_one(arg_attr(n)->axis, &x, d);
    if (!axis) return false;
    char text[SHAPE_TEXT];
    for (int i = 0; i < x.rank; i++)
        if (axis_in(axis, i) && x.axis[i].extent > 1 << 24)
            return diag_fail(d, DIAG_UNSUPPORTED, "an index above 2^24, which float32 does not hold; x is %s",
                             shape_text(text, &x));
    return axes_reduced(&n->type, &x, DT_I64, axis, arg_attr(n)->keep, d);
}

bool argmax_shape(Node *n, Diag *d) { return arg_shape(n, d); }
bool argmin_shape(Node *n, Diag *d) { return arg_shape(n, d); }

/* ---- meaning --------------------------------------------------------------------------------- */

/* The best of a group; its error is the distance to the farthest element that a kernel may think better. */
static Approx arg_group(const RefTensor *x, const Groups *g, int64_t group, double sign, bool last) {
    int64_t best = 0;
    double most = -INFINITY, most_err = 0, far = 0;
    for (int64_t m = 0; m < g->n_member; m++) {
        Approx v = approx_at(x, g->base[group] + g->member[m]);
        double s = sign * v.v;
        if (last ? s >= most : s > most) {
            best = m;
            most = s;
        }
        most_err = v.e > most_err ? v.e : most_err;
    }
    for (int64_t m = 0; m < g->n_member && most_err > 0; m++) {
        Approx v = approx_at(x, g->base[group] + g->member[m]);
        if (sign * v.v + v.e + most_err >= most) far = fmax(far, fabs((double)(m - best)));
    }
    return approx((double)best, far);
}

static void arg_eval(Arena *a, const Node *n, const RefTensor *x, RefTensor *out, double sign) {
    Groups g = groups_make(a, &x->type, axis_one(arg_attr(n)->axis, &x->type, NULL));
    for (int64_t i = 0; i < g.n_group; i++) approx_put(out, i, arg_group(x, &g, i, sign, arg_attr(n)->last));
}

void argmax_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) { arg_eval(a, n, in[0], out, 1); }
void argmin_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    arg_eval(a, n, in[0], out, -1);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

typedef struct ArgLower {
    int axis;
    bool min;
} ArgLower;

static const Expr *arg_start(Rows *r, void *ctx) {
    return expr_const(r->l->a, ((const ArgLower *)ctx)->min ? INFINITY : -INFINITY);
}

static const Expr *arg_zero(Rows *r, void *ctx) {
    (void)ctx;
    return expr_const(r->l->a, 0);
}

/* best = ∓∞, at = 0; for each element: at = select(better, its index, at), best = select(better, x, best). */
static Stmt *arg_row(Rows *r, void *ctx) {
    const ArgLower *p = ctx;
    Arena *a = r->l->a;
    int best = rows_reg(r, "best"), at = rows_reg(r, "at");
    Stmt *body = rows_set(r, "worst", best, arg_start, ctx);
    body = stmt_append(body, rows_set(r, "first", at, arg_zero, ctx));
    Nest nest = {0};
    rows_elements(r, &nest, "each");
    const Expr *x = rows_x(r), *old = rows_get(r, best), *index = expr_index(a, r->at.v[p->axis]);
    Fn fn = arg_attr(r->node)->last ? FN_LE : FN_LT;
    const Expr *left = p->min ? x : old, *right = p->min ? old : x;
    Stmt *step = rows_put(r, at, expr_call(a, fn, left, right, index, rows_get(r, at)));
    step = stmt_append(step, rows_put(r, best, expr_call(a, fn, left, right, x, old)));
    body = stmt_append(body, nest_close(r->l, &nest, step));
    Nest out = {0};
    rows_lanes(r, &out, "out");
    Index y = rows_result(r, arg_attr(r->node)->keep);
    return stmt_append(body, nest_close(r->l, &out, lower_write(r->l, &y, STORE_SET, rows_get(r, at))));
}

static void arg_lower(Lower *l, const Node *n, bool min) {
    Type x = shape_in(n, 0);
    AxisSet axis = axis_one(arg_attr(n)->axis, &x, NULL);
    ArgLower p = {.axis = __builtin_ctz(axis), .min = min};
    rows_emit(l, n, n->in[0], axis, 1, arg_row, &p);
}

void argmax_lower(Lower *l, const Node *n) { arg_lower(l, n, false); }
void argmin_lower(Lower *l, const Node *n) { arg_lower(l, n, true); }
