/* maxunpool: y[index[q]] = x[q] in each plane, 0 where no index points; the last of several q wins, row by row. An index outside
 * the plane is dropped. */
#include "ir/ops/pool.h"

#include <math.h>

bool maxunpool_shape(Node *n, Diag *d) {
    MAXUNPOOL_attr *a = &n->attr.MAXUNPOOL;
    Type x = shape_in(n, 0), index = shape_in(n, 1);
    char have[SHAPE_TEXT], of[SHAPE_TEXT];
    int64_t out[MAX_SPATIAL] = {0};
    if (!shape_activation(&x, 1, d)) return false;
    DType dtype = index.dtype;
    index.dtype = x.dtype;
    if (!type_equal(&x, &index) || (dtype != DT_I64 && dtype != DT_I32))
        return diag_fail(d, DIAG_SPEC, "index is %s, integers in the shape of x are needed; x is %s",
                         shape_text(have, &index), shape_text(of, &x));
    for (int i = 0; i < a->kernel.n; i++) {
        if (a->stride.v[i] == 0) a->stride.v[i] = a->kernel.v[i];
        out[i] = (int64_t)(x.axis[2 + i].extent - 1) * a->stride.v[i] - a->pad.lo[i] - a->pad.hi[i] + a->kernel.v[i];
        if (a->out.v[i]) out[i] = a->out.v[i];
    }
    pads_resolve(&a->pad, &x, &a->kernel, &a->stride, NULL);
    if (!shape_set(n, &x, x.axis[1].extent, out, d)) return false;
    int64_t planes = a->count ? 1 : (int64_t)x.axis[0].extent * x.axis[1].extent;
    return type_elements(&n->type) / planes <= 1 << 24 || diag_fail(d, DIAG_UNSUPPORTED, "indices above 2^24");
}

void maxunpool_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    int64_t planes = (int64_t)out->type.axis[0].extent * out->type.axis[1].extent, all = type_elements(&out->type);
    int64_t size = all / planes, from = type_elements(&in[0]->type) / planes;
    for (int64_t i = 0; i < all; i++) {
        out->v[i] = 0;
        if (out->err) out->err[i] = 0;
    }
    bool tensor = n->attr.MAXUNPOOL.count, unsure = false;
    for (int64_t i = 0; i < planes * from; i++) {
        double at = in[1]->v[i] - (tensor ? (double)(i / from * size) : 0);
        unsure |= in[1]->err && in[1]->err[i] > 0;
        if (!(at >= 0 && at < (double)size)) continue;
        int64_t to = i / from * size + (int64_t)at;
        out->v[to] = in[0]->v[i];
        if (out->err) out->err[to] = in[0]->err ? in[0]->err[i] : 0;
    }
    for (int64_t i = 0; unsure && out->err && i < all; i++) out->err[i] = INFINITY; /* it may stand anywhere */
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* The place of y[at] as the index counts it. */
static const Expr *place_of(Lower *l, const Node *n, const Index *at) {
    Type y = type_plain(&n->type);
    Affine sum = affine_const(0);
    int64_t step = 1;
    for (int axis = y.rank - 1; axis >= (n->attr.MAXUNPOOL.count ? 0 : 2); axis--) {
        sum = affine_add(l->a, sum, affine_scale(l->a, at->v[axis], step));
        step *= y.axis[axis].extent;
    }
    return expr_index(l->a, sum);
}

/* select(index[q] == place of p, x[q], otherwise) */
static const Expr *placed(Lower *l, const Node *n, const Index *q, const Index *p, const Expr *otherwise) {
    return expr_call(l->a, FN_EQ, lower_read(l, n->in[1], q), place_of(l, n, p), lower_read(l, n->in[0], q), otherwise);
}

/* Whether each index is known to lie in its own window, and windows do not overlap: the pool's own indices. */
static bool own_windows(const Node *n) {
    const Node *index = n->in[1];
    const MAXUNPOOL_attr *u = &n->attr.MAXUNPOOL;
    if (index->op != OP_MAXPOOLINDEX) return false;
    const MAXPOOLINDEX_attr *p = &index->attr.MAXPOOLINDEX;
    Type x = shape_in(index, 0), y = type_plain(&n->type);
    bool same = (p->count == u->count) && !p->order && !p->ceil;
    for (int i = 0; i < u->kernel.n && same; i++)
        same = p->kernel.v[i] == u->kernel.v[i] && p->stride.v[i] == p->kernel.v[i] &&
               u->stride.v[i] == u->kernel.v[i] && p->dilation.v[i] == 1 && !p->pad.lo[i] && !p->pad.hi[i] &&
               x.axis[2 + i].extent == y.axis[2 + i].extent && y.axis[2 + i].extent % p->kernel.v[i] == 0;
    return same;
}

/* For q, for r inside its window: y[q·s + r] = the value if it stands there. */
static void window_nest(Lower *l, const Node *n) {
    Type x = shape_in(n, 0);
    const Dims *kernel = &n->attr.MAXUNPOOL.kernel;
    Nest outer = {0}, inner = {0};
    Index q = {.n = x.rank}, p;
    q.v[0] = nest_loop_always(l, &outer, "n", x.axis[0].extent);
    for (int i = 1; i < x.rank; i++) q.v[i] = nest_loop(l, &outer, axis_name(l, &x, i), x.axis[i].extent);
    p = q;
    for (int i = 0; i < kernel->n; i++) {
        Affine r = nest_loop(l, &inner, window_name(i, kernel->n), kernel->v[i]);
        p.v[2 + i] = affine_add(l->a, affine_scale(l->a, q.v[2 + i], kernel->v[i]), r);
    }
    Stmt *body = lower_write(l, &p, STORE_SET, placed(l, n, &q, &p, expr_const(l->a, 0)));
    lower_emit(l, nest_close(l, &outer, nest_close(l, &inner, body)));
}

/* For p: y[p] = 0; for all q of its plane: y[p] = x[q] if that stands there. */
static void plane_nest(Lower *l, const Node *n) {
    Type x = shape_in(n, 0);
    Nest outer = {0}, inner = {0};
    Index p;
    nest_result(l, &outer, &p);
    Index q = p;
    for (int i = 2; i < x.rank; i++) q.v[i] = nest_loop(l, &inner, window_name(i - 2, x.rank - 2), x.axis[i].extent);
    Stmt *body = lower_write(l, &p, STORE_SET, expr_const(l->a, 0));
    Stmt *taps = lower_write(l, &p, STORE_SET, placed(l, n, &q, &p, lower_read_out(l, &p)));
    lower_emit(l, nest_close(l, &outer, stmt_append(body, nest_close(l, &inner, taps))));
}

void maxunpool_lower(Lower *l, const Node *n) {
    if (own_windows(n)) window_nest(l, n);
    else plane_nest(l, n);
}
