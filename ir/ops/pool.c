/* maxpool, avgpool, lppool: one value a window; globalmaxpool, globalavgpool, globallppool: of a whole plane. */
#include "ir/ops/pool.h"

#include <assert.h>
#include <math.h>

/* ---- attributes ------------------------------------------------------------------------------ */

static Pool whole_plane(const Node *n) {
    Axis s[MAX_SPATIAL];
    Type x = shape_in(n, 0);
    Pool p = {0};
    p.kernel.n = p.stride.n = p.dilation.n = p.pad.n = type_spatial(&x, s);
    for (int i = 0; i < p.kernel.n; i++) {
        p.kernel.v[i] = s[i].extent;
        p.stride.v[i] = p.dilation.v[i] = 1;
    }
    return p;
}

#define WINDOW(a)                                                                                                      \
    .kernel = (a)->kernel, .stride = (a)->stride, .dilation = (a)->dilation, .pad = (a)->pad, .ceil = (a)->ceil
/* maxpool's words are those of the modes with "ignore" before them */
#define MODE(a, first)                                                                                                 \
    .padded = (a)->pad_mode > 0, .mode = (PadMode)((a)->pad_mode - (first)), .value = (double)(a)->pad_value

Pool pool_of(const Node *n) {
    const AttrAny *a = &n->attr;
    if (n->op == OP_MAXPOOL) return (Pool){WINDOW(&a->MAXPOOL), MODE(&a->MAXPOOL, 1)};
    if (n->op == OP_MAXPOOLINDEX) return (Pool){WINDOW(&a->MAXPOOLINDEX)};
    if (n->op == OP_AVGPOOL)
        return (Pool){WINDOW(&a->AVGPOOL), .count_pad = a->AVGPOOL.count_pad, MODE(&a->AVGPOOL, 0)};
    if (n->op == OP_LPPOOL) return (Pool){WINDOW(&a->LPPOOL), .p = (double)a->LPPOOL.p, MODE(&a->LPPOOL, 0)};
    Pool p = whole_plane(n);
    if (n->op == OP_GLOBALLPPOOL) p.p = (double)a->GLOBALLPPOOL.p;
    return p;
}

/* ⌈(l + p − span) / s⌉ + 1 windows, but the last one must start in the input or the padding before it (as in PyTorch, and in
 * ONNX since opset 19): what it lacks is padding too. */
static void window_ceil(Window *w) {
    for (int i = 0; i < 3; i++) {
        int64_t room = w->in[i] + w->lo[i] + w->hi[i] - ((w->kernel[i] - 1) * w->dilation[i] + 1);
        w->out[i] = (room + w->stride[i] - 1) / w->stride[i] + 1;
        if ((w->out[i] - 1) * w->stride[i] >= w->in[i] + w->lo[i]) w->out[i]--;
    }
}

Window pool_window(const Node *n, const Pool *p, const Type *x) {
    (void)n;
    Window w;
    bool fits = window_make(&w, x, &p->kernel, &p->stride, &p->dilation, &p->pad, NULL);
    assert(fits);
    (void)fits;
    if (p->ceil) window_ceil(&w);
    return w;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* A stride of 0 is the window's extent. A window must touch the input wherever it stands, so the
 * padding of a side is less than the window. */
static bool pool_check(const Type *x, const Dims *kernel, Dims *stride, const Dims *dilation, Pads *pad, Diag *d) {
    char text[SHAPE_TEXT];
    pads_resolve(pad, x, kernel, stride, dilation);
    for (int i = 0; i < kernel->n; i++) {
        int64_t span = (kernel->v[i] - 1) * (int64_t)dilation->v[i] + 1;
        int32_t widest = pad->lo[i] > pad->hi[i] ? pad->lo[i] : pad->hi[i];
        if (stride->v[i] == 0) stride->v[i] = kernel->v[i];
        if (widest >= span)
            return diag_fail(d, DIAG_SPEC,
                             "along %c the padding %d is not less than the window, which spans %lld; x is %s",
                             x->axis[2 + i].letter, widest, (long long)span, shape_text(text, x));
    }
    return true;
}

/* Padding that holds something is part of the input, as it is once `expand` has made a `pad` of it. */
static Type padded_input(Pool *p, const Type *x) {
    Type t = *x;
    for (int i = 0; i < p->pad.n && p->padded; i++) t.axis[2 + i].extent += p->pad.lo[i] + p->pad.hi[i];
    if (p->padded) p->pad = (Pads){.n = p->pad.n};
    return t;
}

static bool pool_type(Node *n, const Type *from, Diag *d) {
    Window w;
    Pool p = pool_of(n);
    if (p.padded && !pads_fit(p.mode, from, &p.pad, d)) return false;
    Type padded = padded_input(&p, from), *x = &padded;
    if (!window_make(&w, x, &p.kernel, &p.stride, &p.dilation, &p.pad, d)) return false;
    if (p.ceil) window_ceil(&w);
    return window_type(n, x, x->axis[1].extent, &w, d);
}

#define POOL_SHAPE(n, attr)                                                                                            \
    Type x = shape_in(n, 0);                                                                                           \
    return shape_activation(&x, 1, d) &&                                                                               \
           pool_check(&x, &(attr)->kernel, &(attr)->stride, &(attr)->dilation, &(attr)->pad, d) && pool_type(n, &x, d)

bool maxpool_shape(Node *n, Diag *d) { POOL_SHAPE(n, &n->attr.MAXPOOL); }
bool avgpool_shape(Node *n, Diag *d) { POOL_SHAPE(n, &n->attr.AVGPOOL); }
bool lppool_shape(Node *n, Diag *d) { POOL_SHAPE(n, &n->attr.LPPOOL); }

/* An index counts elements, which float32 does up to 2^24. */
bool maxpoolindex_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    if (!shape_activation(&x, 1, d)) return false;
    int64_t planes = n->attr.MAXPOOLINDEX.count ? 1 : (int64_t)x.axis[0].extent * x.axis[1].extent;
    if (type_elements(&x) / planes > 1 << 24) return diag_fail(d, DIAG_UNSUPPORTED, "indices above 2^24");
    if (!pool_check(&x, &n->attr.MAXPOOLINDEX.kernel, &n->attr.MAXPOOLINDEX.stride, &n->attr.MAXPOOLINDEX.dilation,
                    &n->attr.MAXPOOLINDEX.pad, d) ||
        !pool_type(n, &x, d))
        return false;
    n->type.dtype = DT_I64;
    return true;
}

static bool global_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    return shape_activation(&x, 1, d) && shape_set(n, &x, x.axis[1].extent, (int64_t[]){1, 1, 1}, d);
}

bool globalmaxpool_shape(Node *n, Diag *d) { return global_shape(n, d); }
bool globalavgpool_shape(Node *n, Diag *d) { return global_shape(n, d); }
bool globallppool_shape(Node *n, Diag *d) { return global_shape(n, d); }

/* ---- meaning --------------------------------------------------------------------------------- */

Span span_of(const Window *w, const int64_t o[3]) {
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

void pool_eval(const Node *n, const Pool *p, const RefTensor *x, RefTensor *out, PoolPut *put) {
    Window w = pool_window(n, p, &x->type);
    int64_t plane = w.in[0] * w.in[1] * w.in[2], at = 0, o[3];
    for (int64_t c = 0; c < type_elements(&x->type); c += plane)
        for (o[0] = 0; o[0] < w.out[0]; o[0]++)
            for (o[1] = 0; o[1] < w.out[1]; o[1]++)
                for (o[2] = 0; o[2] < w.out[2]; o[2]++) {
                    Span s = span_of(&w, o);
                    put(n, p, &w, &s, x->v + c, x->err ? x->err + c : NULL, o, out, at++);
                }
}

/* Calls body for each element of the span: its place i in the plane, its value and error. */
#define EACH_TAP(w, s, ...)                                                                                            \
    for (int64_t d_ = 0; d_ < (s)->count[0]; d_++)                                                                     \
        for (int64_t h_ = 0; h_ < (s)->count[1]; h_++) {                                                               \
            int64_t row_ = ((s)->at[0] + d_ * (s)->step[0]) * (w)->in[1] + (s)->at[1] + h_ * (s)->step[1];             \
            for (int64_t k_ = 0; k_ < (s)->count[2]; k_++) {                                                           \
                int64_t i = row_ * (w)->in[2] + (s)->at[2] + k_ * (s)->step[2];                                        \
                double e = err ? err[i] : 0;                                                                           \
                __VA_ARGS__                                                                                            \
            }                                                                                                          \
        }

/* The maximum moves by no more than what moves most. */
static void max_put(const Node *n, const Pool *p, const Window *w, const Span *s, const double *v, const double *err,
                    const int64_t o[3], RefTensor *out, int64_t at) {
    (void)n, (void)p, (void)o;
    double max = -INFINITY, most = 0;
    EACH_TAP(w, s, {
        max = max > v[i] ? max : v[i];
        most = most > e ? most : e;
    })
    out->v[at] = max;
    if (out->err) out->err[at] = most;
}

/* How many positions along one axis count in a mean: those in the input, or in the padding too, but not what a window of ceil
 * mode has beyond it. */
static int64_t mean_count(const Pool *p, const Window *w, int axis, int64_t o) {
    int64_t first, last, start = o * w->stride[axis] - w->lo[axis], step = w->dilation[axis];
    if (!p->count_pad) {
        window_clip(w, axis, o, &first, &last);
        return last - first;
    }
    int64_t room = w->in[axis] + w->hi[axis] - start, inside = (room + step - 1) / step;
    return inside < w->kernel[axis] ? inside : w->kernel[axis];
}

/* Each value meets at most `terms` additions, the division, and the rounding of a reciprocal if one
 * is multiplied by: γ_{terms+2}. */
static void mean_put(const Node *n, const Pool *p, const Window *w, const Span *s, const double *v, const double *err,
                     const int64_t o[3], RefTensor *out, int64_t at) {
    (void)n;
    double sum = 0, sum_abs = 0, sum_err = 0, terms = (double)(w->kernel[0] * w->kernel[1] * w->kernel[2]);
    double divisor = (double)(mean_count(p, w, 0, o[0]) * mean_count(p, w, 1, o[1]) * mean_count(p, w, 2, o[2]));
    double gamma = ref_gamma(terms + 2);
    EACH_TAP(w, s, {
        sum += v[i];
        sum_abs += fabs(v[i]);
        sum_err += e;
    })
    out->v[at] = sum / divisor;
    if (out->err) out->err[at] = (sum_err + gamma * (sum_abs + sum_err)) / divisor + 0x1p-149;
}

/* S = Σ|x|^p, y = S^(1/p). Each power is right to POW_ULPS units in the last place (ir/mathfn/pow.c), as is the root; a
 * product or a square root to half of one. With |x| off by e a power is within (|x| + e)^p and (|x| − e)^p. */
#define POWER_ULPS 4
static void lp_put(const Node *n, const Pool *p, const Window *w, const Span *s, const double *v, const double *err,
                   const int64_t o[3], RefTensor *out, int64_t at) {
    (void)n, (void)o;
    double sum = 0, hi = 0, lo = 0, terms = (double)(w->kernel[0] * w->kernel[1] * w->kernel[2]);
    EACH_TAP(w, s, {
        double x = fabs(v[i]);
        sum += pow(x, p->p);
        hi += pow(x + e, p->p);
        lo += pow(x > e ? x - e : 0, p->p);
    })
    out->v[at] = pow(sum, 1 / p->p);
    if (!out->err) return;
    double gamma = ref_gamma(terms + 2 * POWER_ULPS), root = 2 * POWER_ULPS * 0x1p-24, tiny = terms * 0x1p-125;
    double most = pow(hi * (1 + gamma) + tiny, 1 / p->p) * (1 + root);
    double least = lo * (1 - gamma) > tiny ? pow(lo * (1 - gamma) - tiny, 1 / p->p) * (1 - root) : 0;
    out->err[at] = fmax(most - out->v[at], out->v[at] - least) + 0x1p-149;
}

/* The first of the largest, row by row. Elements that may be as large make it uncertain by their distance. */
static double index_at(const Node *n, const Window *w, int64_t i, int64_t plane) {
    int64_t size = w->in[0] * w->in[1] * w->in[2];
    if (n->attr.MAXPOOLINDEX.order) {
        int64_t d = i / (w->in[1] * w->in[2]), h = i / w->in[2] % w->in[1], k = i % w->in[2];
        i = d + w->in[0] * (h + w->in[1] * k);
    }
    return (double)(n->attr.MAXPOOLINDEX.count ? plane * size + i : i);
}

static void index_put(const Node *n, const Pool *p, const Window *w, const Span *s, const double *v, const double *err,
                      const int64_t o[3], RefTensor *out, int64_t at) {
    (void)p, (void)o;
    double max = -INFINITY, sure = -INFINITY;
    int64_t best = -1, plane = at / (w->out[0] * w->out[1] * w->out[2]);
    EACH_TAP(w, s, {
        if (v[i] > max) max = v[i], best = i;
        sure = fmax(sure, v[i] - e);
    })
    out->v[at] = best < 0 ? 0 : index_at(n, w, best, plane);
    if (!out->err) return;
    out->err[at] = 0;
    EACH_TAP(w, s, {
        if (v[i] + e >= sure && e + (max - sure) > 0)
            out->err[at] = fmax(out->err[at], fabs(index_at(n, w, i, plane) - out->v[at]));
    })
}

static void eval_by(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out, PoolPut *put) {
    Pool p = pool_of(n);
    const RefTensor *x = in[0];
    if (p.padded) x = ref_pad_spatial(a, x, p.mode, p.value, &p.pad);
    if (p.padded) p.pad = (Pads){.n = p.pad.n};
    pool_eval(n, &p, x, out, put);
}

#define EVAL(name, put)                                                                                                \
    void name##_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {                            \
        eval_by(a, n, in, out, put);                                                                                   \
    }
EVAL(maxpool, max_put)
EVAL(avgpool, mean_put)
EVAL(lppool, lp_put)
EVAL(maxpoolindex, index_put)
EVAL(globalmaxpool, max_put)
EVAL(globalavgpool, mean_put)
EVAL(globallppool, lp_put)

/* ---- lowering ---------------------------------------------------------------------------------- */

void pool_taps(Lower *l, const Pool *p, Nest *window, const Index *y, Index *x) {
    int spatial = p->kernel.n;
    *x = *y;
    for (int i = 0; i < spatial; i++) {
        Affine k = nest_loop(l, window, window_name(i, spatial), p->kernel.v[i]);
        Affine at = affine_offset(affine_scale(l->a, y->v[2 + i], p->stride.v[i]), -p->pad.lo[i]);
        x->v[2 + i] = affine_add(l->a, at, affine_scale(l->a, k, p->dilation.v[i]));
    }
}

/* The divisor along one axis, for each position: a number where all are the same. */
static const Expr *count_expr(Lower *l, const Pool *p, const Window *w, int axis, Affine at) {
    int dense = MAX_SPATIAL - p->kernel.n + axis;
    int64_t positions = w->out[dense];
    float *count = ARENA_ARRAY(l->a, float, positions);
    bool same = true;
    for (int64_t o = 0; o < positions; o++) {
        count[o] = (float)mean_count(p, w, dense, o);
        same &= count[o] == count[0];
    }
    if (same) return expr_const(l->a, count[0]);
    int table =
        kernel_add_table(l->k, arena_printf(l->a, "count_%s", spatial_name(axis, p->kernel.n)), count, (int)positions);
    return expr_table(l->a, table, at);
}

static const Expr *divisor_expr(Lower *l, const Node *n, const Pool *p, const Index *y) {
    Type x = shape_in(n, 0);
    Window w = pool_window(n, p, &x);
    const Expr *divisor = NULL;
    double fixed = 1;
    for (int i = 0; i < p->kernel.n; i++) {
        const Expr *count = count_expr(l, p, &w, i, y->v[2 + i]);
        if (count->kind == EXPR_CONST) fixed *= (double)count->value;
        else divisor = divisor ? expr_call(l->a, FN_MUL, divisor, count, NULL, NULL) : count;
    }
    if (!divisor) return expr_const(l->a, (float)fixed);
    return fixed == 1 ? divisor : expr_call(l->a, FN_MUL, divisor, expr_const(l->a, (float)fixed), NULL, NULL);
}

/* y = start; for the window: y op= term(x); then finish(…) where there is something left to do. */
static void pool_nest(Lower *l, const Node *n, StoreOp op, float start,
                      const Expr *(*term)(Lower *, const Pool *, const Expr *),
                      const Expr *(*last)(Lower *, const Node *, const Pool *, const Index *, const Expr *)) {
    Pool p = pool_of(n);
    Nest outer = {0}, window = {0};
    Index y, x;
    nest_result(l, &outer, &y);
    pool_taps(l, &p, &window, &y, &x);
    const Expr *value = lower_read(l, n->in[0], &x);
    Stmt *body = lower_write(l, &y, STORE_SET, expr_const(l->a, start));
    body = stmt_append(body, nest_close(l, &window, lower_write(l, &y, op, term ? term(l, &p, value) : value)));
    value = lower_read_out(l, &y);
    if (last) value = last(l, n, &p, &y, value);
    if (last || lower_has_tail(l)) body = stmt_append(body, lower_finish(l, &y, value));
    lower_emit(l, nest_close(l, &outer, body));
}

static const Expr *mean_last(Lower *l, const Node *n, const Pool *p, const Index *y, const Expr *sum) {
    return expr_call(l->a, FN_DIV, sum, divisor_expr(l, n, p, y), NULL, NULL);
}

static const Expr *power_term(Lower *l, const Pool *p, const Expr *x) {
    if (p->p == 2) return expr_call(l->a, FN_MUL, x, x, NULL, NULL);
    const Expr *abs = expr_call(l->a, FN_ABS, x, NULL, NULL, NULL);
    return p->p == 1 ? abs : expr_call(l->a, FN_POW, abs, expr_const(l->a, (float)p->p), NULL, NULL);
}

static const Expr *root_last(Lower *l, const Node *n, const Pool *p, const Index *y, const Expr *sum) {
    (void)n, (void)y;
    if (p->p == 1) return sum;
    if (p->p == 2) return expr_call(l->a, FN_SQRT, sum, NULL, NULL, NULL);
    return expr_call(l->a, FN_POW, sum, expr_const(l->a, (float)(1 / p->p)), NULL, NULL);
}

void maxpool_lower(Lower *l, const Node *n) { pool_nest(l, n, STORE_MAX, -INFINITY, NULL, NULL); }
void globalmaxpool_lower(Lower *l, const Node *n) { pool_nest(l, n, STORE_MAX, -INFINITY, NULL, NULL); }
void avgpool_lower(Lower *l, const Node *n) { pool_nest(l, n, STORE_ADD, 0, NULL, mean_last); }
void globalavgpool_lower(Lower *l, const Node *n) { pool_nest(l, n, STORE_ADD, 0, NULL, mean_last); }
void lppool_lower(Lower *l, const Node *n) { pool_nest(l, n, STORE_ADD, 0, power_term, root_last); }
void globallppool_lower(Lower *l, const Node *n) { pool_nest(l, n, STORE_ADD, 0, power_term, root_last); }

/* The index of x[at] in the plane or the tensor. */
static Affine index_affine(Lower *l, const Node *n, const Index *at) {
    Type x = shape_in(n, 0);
    int first = n->attr.MAXPOOLINDEX.count ? 0 : 2;
    Affine sum = affine_const(0);
    int64_t step = 1;
    for (int k = 2; k < x.rank; k++) { /* the plane: the last axis fastest, or the first */
        int axis = n->attr.MAXPOOLINDEX.order ? k : x.rank + 1 - k;
        sum = affine_add(l->a, sum, affine_scale(l->a, at->v[axis], step));
        step *= x.axis[axis].extent;
    }
    for (int axis = 1; axis >= first; axis--) {
        sum = affine_add(l->a, sum, affine_scale(l->a, at->v[axis], step));
        step *= x.axis[axis].extent;
    }
    return sum;
}

/* best = −∞, arg = 0; for the window: arg = best < x ? index : arg; best = max(best, x). */
void maxpoolindex_lower(Lower *l, const Node *n) {
    Pool p = pool_of(n);
    Nest outer = {0}, window = {0};
    Index y, x;
    nest_result(l, &outer, &y);
    pool_taps(l, &p, &window, &y, &x);
    Type one = {.dtype = DT_F32, .rank = 1, .axis = {{'x', 1, 0, 0}}};
    Affine zero = affine_const(0);
    int best = kernel_add_buf(l->k, "best", BUF_REG, &one), arg = kernel_add_buf(l->k, "arg", BUF_REG, &one);
    const Expr *value = lower_read(l, n->in[0], &x), *so_far = expr_load(l->k, best, &zero),
               *at = expr_load(l->k, arg, &zero);
    Stmt *body = stmt_store(l->k, best, &zero, STORE_SET, expr_const(l->a, -INFINITY));
    body = stmt_append(body, stmt_store(l->k, arg, &zero, STORE_SET, expr_const(l->a, 0)));
    const Expr *chosen = expr_call(l->a, FN_LT, so_far, value, expr_index(l->a, index_affine(l, n, &x)), at);
    Stmt *taps = stmt_store(l->k, arg, &zero, STORE_SET, chosen);
    taps = stmt_append(taps, stmt_store(l->k, best, &zero, STORE_MAX, value));
    body = stmt_append(body, nest_close(l, &window, taps));
    body = stmt_append(body, lower_write(l, &y, STORE_SET, at));
    lower_emit(l, nest_close(l, &outer, stmt_alloc(l->k, best, stmt_alloc(l->k, arg, body))));
}
