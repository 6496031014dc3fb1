/* maxpool, avgpool: one value a window; globalavgpool: the mean of a whole plane. */
#include "ir/lower.h"
#include "ir/ops/ops.h"

#include <math.h>

/* ---- shapes ---------------------------------------------------------------------------------- */

/* A stride of 0 is the window's extent. A window must touch the input wherever it stands, so the
 * padding of a side is less than the window. */
static bool pool_check(const Type *x, const Dims *kernel, Dims *stride, const Dims *dilation, Pads *pad, Diag *d) {
    char text[SHAPE_TEXT];
    pads_resolve(pad, x, kernel, stride, dilation);
    for (int i = 0; i < kernel->n; i++) {
        int64_t span = (kernel->v[i] - 1) * (int64_t)(dilation ? dilation->v[i] : 1) + 1;
        int32_t widest = pad->lo[i] > pad->hi[i] ? pad->lo[i] : pad->hi[i];
        if (stride->v[i] == 0) stride->v[i] = kernel->v[i];
        if (widest >= span)
            return diag_fail(d, DIAG_SPEC, "along %c the padding %d is not less than the window, which spans %lld; x is %s",
                             x->axis[2 + i].letter, widest, (long long)span, shape_text(text, x));
    }
    return true;
}

bool maxpool_shape(Node *n, Diag *d) {
    MAXPOOL_attr *p = &n->attr.MAXPOOL;
    Type x = shape_in(n, 0);
    Window w;
    return shape_activation(&x, 1, d) && pool_check(&x, &p->kernel, &p->stride, &p->dilation, &p->pad, d) &&
           window_make(&w, &x, &p->kernel, &p->stride, &p->dilation, &p->pad, d) &&
           window_type(n, &x, x.axis[1].extent, &w, d);
}

bool avgpool_shape(Node *n, Diag *d) {
    AVGPOOL_attr *p = &n->attr.AVGPOOL;
    Type x = shape_in(n, 0);
    Window w;
    return shape_activation(&x, 1, d) && pool_check(&x, &p->kernel, &p->stride, NULL, &p->pad, d) &&
           window_make(&w, &x, &p->kernel, &p->stride, NULL, &p->pad, d) &&
           window_type(n, &x, x.axis[1].extent, &w, d);
}

bool globalavgpool_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    return shape_activation(&x, 1, d) && shape_set(n, &x, x.axis[1].extent, (int64_t[]){1, 1, 1}, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* The taps of one output that are inside the input: positions at[i] + k·step[i], k < count[i]. */
typedef struct Span {
    int64_t at[3], step[3], count[3];
} Span;

static Span span_of(const Window *w, const int64_t o[3]) {
    Span s;
    for (int i = 0; i < 3; i++) {
        int64_t first, last;
        window_clip(w, i, o[i], &first, &last);
        s.step[i] = w->dilation[i];
        s.at[i] = o[i] * w->stride[i] - w->lo[i] + first * s.step[i];
        s.count[i] = last - first;
    }
    return s;
}

/* What a window gathers: the largest value (−∞ of nothing), and the sums for a mean. */
typedef struct Gather {
    double max, sum, sum_abs, max_err, sum_err;
} Gather;

static Gather gather(const Window *w, const Span *s, const double *v, const double *err) {
    Gather g = {.max = -INFINITY};
    for (int64_t d = 0; d < s->count[0]; d++)
        for (int64_t h = 0; h < s->count[1]; h++) {
            int64_t row = (s->at[0] + d * s->step[0]) * w->in[1] + s->at[1] + h * s->step[1];
            for (int64_t k = 0; k < s->count[2]; k++) {
                int64_t i = row * w->in[2] + s->at[2] + k * s->step[2];
                double e = err ? err[i] : 0;
                g.max = g.max > v[i] ? g.max : v[i];
                g.sum += v[i];
                g.sum_abs += fabs(v[i]);
                g.sum_err += e;
                g.max_err = g.max_err > e ? g.max_err : e;
            }
        }
    return g;
}

/* The maximum moves by no more than what moves most. */
static void max_put(const Gather *g, RefTensor *out, int64_t at) {
    out->v[at] = g->max;
    if (out->err) out->err[at] = g->max_err;
}

/* Each value meets at most `terms` additions, the division, and the rounding of a reciprocal if one
 * is multiplied by: γ_{terms+2}. */
static void mean_put(const Gather *g, RefTensor *out, int64_t at, int64_t terms, int64_t divisor) {
    double gamma = ref_gamma((double)terms + 2);
    out->v[at] = g->sum / (double)divisor;
    if (out->err) out->err[at] = (g->sum_err + gamma * (g->sum_abs + g->sum_err)) / (double)divisor + 0x1p-149;
}

void maxpool_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    const MAXPOOL_attr *p = &n->attr.MAXPOOL;
    const RefTensor *x = in[0];
    Window w;
    window_make(&w, &x->type, &p->kernel, &p->stride, &p->dilation, &p->pad, NULL);
    int64_t plane = w.in[0] * w.in[1] * w.in[2], at = 0;
    for (int64_t c = 0; c < type_elements(&x->type); c += plane)
        for (int64_t d = 0; d < w.out[0]; d++)
            for (int64_t h = 0; h < w.out[1]; h++)
                for (int64_t k = 0; k < w.out[2]; k++) {
                    Span s = span_of(&w, (int64_t[]){d, h, k});
                    Gather g = gather(&w, &s, x->v + c, x->err ? x->err + c : NULL);
                    max_put(&g, out, at++);
                }
}

void avgpool_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    const AVGPOOL_attr *p = &n->attr.AVGPOOL;
    const RefTensor *x = in[0];
    Window w;
    window_make(&w, &x->type, &p->kernel, &p->stride, NULL, &p->pad, NULL);
    int64_t plane = w.in[0] * w.in[1] * w.in[2], all = w.kernel[0] * w.kernel[1] * w.kernel[2], at = 0;
    for (int64_t c = 0; c < type_elements(&x->type); c += plane)
        for (int64_t d = 0; d < w.out[0]; d++)
            for (int64_t h = 0; h < w.out[1]; h++)
                for (int64_t k = 0; k < w.out[2]; k++) {
                    Span s = span_of(&w, (int64_t[]){d, h, k});
                    Gather g = gather(&w, &s, x->v + c, x->err ? x->err + c : NULL);
                    mean_put(&g, out, at++, all, p->count_pad ? all : s.count[0] * s.count[1] * s.count[2]);
                }
}

void globalavgpool_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)n;
    const RefTensor *x = in[0];
    int64_t planes = type_elements(&out->type), plane = type_elements(&x->type) / planes;
    Window w = {.in = {1, 1, plane}};
    Span s = {.step = {1, 1, 1}, .count = {1, 1, plane}};
    for (int64_t c = 0; c < planes; c++) {
        Gather g = gather(&w, &s, x->v + c * plane, x->err ? x->err + c * plane : NULL);
        mean_put(&g, out, c, plane, plane);
    }
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* How many of the window's elements lie inside the input, for each position along one axis. */
static const Expr *pool_count(Lower *l, const Node *n, const AVGPOOL_attr *a, int axis, Affine at) {
    Type in = type_plain(&n->in[0]->type), out = type_plain(&n->type);
    int64_t size = in.axis[2 + axis].extent, positions = out.axis[2 + axis].extent;
    float *count = ARENA_ARRAY(l->a, float, positions);
    for (int64_t p = 0; p < positions; p++) {
        int64_t lo = p * a->stride.v[axis] - a->pad.lo[axis], hi = lo + a->kernel.v[axis];
        if (lo < 0) lo = 0;
        if (hi > size) hi = size;
        count[p] = (float)(hi - lo);
    }
    bool same = true;
    for (int64_t p = 1; p < positions; p++) same &= count[p] == count[0];
    if (same) return expr_const(l->a, count[0]);
    int table = kernel_add_table(l->k, arena_printf(l->a, "count_%s", spatial_name(axis, a->kernel.n)), count, (int)positions);
    return expr_table(l->a, table, at);
}

typedef struct PoolLower {
    int spatial;
    Dims kernel, stride, dilation;
    Pads pad;
    StoreOp op;
    float start;
} PoolLower;

/* y = start; for the window: y op= x; then finish(y / divisor) where there is something left to do. */
static void pool_nest(Lower *l, const Node *n, const PoolLower *p, const AVGPOOL_attr *mean, double fixed_count) {
    Nest outer = {0}, window = {0};
    Index y;
    nest_result(l, &outer, &y);
    Index x = y;
    for (int i = 0; i < p->spatial; i++) {
        Affine k = nest_loop(l, &window, window_name(i, p->spatial), p->kernel.v[i]);
        Affine at = affine_offset(affine_scale(l->a, y.v[2 + i], p->stride.v[i]), -p->pad.lo[i]);
        x.v[2 + i] = affine_add(l->a, at, affine_scale(l->a, k, p->dilation.v[i]));
    }
    Stmt *body = lower_write(l, &y, STORE_SET, expr_const(l->a, p->start));
    body = stmt_append(body, nest_close(l, &window, lower_write(l, &y, p->op, lower_read(l, n->in[0], &x))));
    const Expr *value = lower_read_out(l, &y), *divisor = NULL;
    if (mean && !mean->count_pad) {
        for (int i = 0; i < p->spatial; i++) {
            const Expr *count = pool_count(l, n, mean, i, y.v[2 + i]);
            divisor = divisor ? expr_call(l->a, FN_MUL, divisor, count, NULL, NULL) : count;
        }
    } else if (fixed_count > 0) {
        divisor = expr_const(l->a, (float)fixed_count);
    }
    if (divisor) value = expr_call(l->a, FN_DIV, value, divisor, NULL, NULL);
    if (divisor || lower_has_tail(l)) body = stmt_append(body, lower_finish(l, &y, value));
    lower_emit(l, nest_close(l, &outer, body));
}

void maxpool_lower(Lower *l, const Node *n) {
    const MAXPOOL_attr *a = &n->attr.MAXPOOL;
    PoolLower p = {a->kernel.n, a->kernel, a->stride, a->dilation, a->pad, STORE_MAX, -INFINITY};
    pool_nest(l, n, &p, NULL, 0);
}

void avgpool_lower(Lower *l, const Node *n) {
    const AVGPOOL_attr *a = &n->attr.AVGPOOL;
    Dims dense = {a->kernel.n, {1, 1, 1}};
    PoolLower p = {a->kernel.n, a->kernel, a->stride, dense, a->pad, STORE_ADD, 0};
    double count = 1;
    for (int i = 0; i < a->kernel.n; i++) count *= a->kernel.v[i];
    pool_nest(l, n, &p, a, count);
}

void globalavgpool_lower(Lower *l, const Node *n) {
    Axis s[MAX_SPATIAL];
    Type plain = type_plain(&n->in[0]->type);
    PoolLower p = {.spatial = type_spatial(&plain, s), .op = STORE_ADD};
    double count = 1;
    p.kernel.n = p.stride.n = p.dilation.n = p.pad.n = p.spatial;
    for (int i = 0; i < p.spatial; i++) {
        p.kernel.v[i] = s[i].extent;
        p.stride.v[i] = p.dilation.v[i] = 1;
        count *= s[i].extent;
    }
    pool_nest(l, n, &p, NULL, count);
}
