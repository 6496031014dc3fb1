/* adaptivemaxpool, adaptiveavgpool: windows that follow from the extents, l in and o out. Position i sees
 * ⌊i·l/o⌋ … ⌈(i+1)·l/o⌉ − 1 (PyTorch), which has different sizes where o does not divide l. */
#include "ir/lower.h"
#include "ir/ops/ops.h"

#include <math.h>

static bool adaptive_shape(Node *n, const Dims *out, Diag *d) {
    Type x = shape_in(n, 0);
    int64_t extent[MAX_SPATIAL] = {0};
    if (!shape_activation(&x, 1, d)) return false;
    for (int i = 0; i < out->n; i++) extent[i] = out->v[i];
    return shape_set(n, &x, x.axis[1].extent, extent, d);
}

bool adaptivemaxpool_shape(Node *n, Diag *d) { return adaptive_shape(n, &n->attr.ADAPTIVEMAXPOOL.out, d); }
bool adaptiveavgpool_shape(Node *n, Diag *d) { return adaptive_shape(n, &n->attr.ADAPTIVEAVGPOOL.out, d); }

static int64_t window_start(int64_t i, int64_t l, int64_t o) { return i * l / o; }
static int64_t window_end(int64_t i, int64_t l, int64_t o) { return ((i + 1) * l + o - 1) / o; }

/* ---- meaning --------------------------------------------------------------------------------- */

/* Extents of d h w, those that x lacks 1. */
static void extents(const Type *t, int64_t out[3]) {
    for (int i = 0; i < 3; i++) out[i] = i < 3 - (t->rank - 2) ? 1 : t->axis[t->rank - 3 + i].extent;
}

/* One window: the maximum moves by no more than what moves most; each value of a mean meets one addition a term, the
 * multiplication that leaves it out and the division: γ_{terms+2}. */
static void window_put(const double *v, const double *err, const int64_t lo[3], const int64_t hi[3], const int64_t l[3],
                       bool mean, RefTensor *out, int64_t at) {
    double max = -INFINITY, most = 0, sum = 0, sum_abs = 0, sum_err = 0;
    int64_t terms = (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]);
    for (int64_t d = lo[0]; d < hi[0]; d++)
        for (int64_t h = lo[1]; h < hi[1]; h++)
            for (int64_t k = lo[2]; k < hi[2]; k++) {
                int64_t i = (d * l[1] + h) * l[2] + k;
                double e = err ? err[i] : 0;
                max = max > v[i] ? max : v[i];
                most = fmax(most, e);
                sum += v[i];
                sum_abs += fabs(v[i]);
                sum_err += e;
            }
    double gamma = ref_gamma((double)terms + 2);
    out->v[at] = mean ? sum / (double)terms : max;
    if (out->err) out->err[at] = mean ? (sum_err + gamma * (sum_abs + sum_err)) / (double)terms + 0x1p-149 : most;
}

static void adaptive_eval(const RefTensor *x, RefTensor *out, bool mean) {
    int64_t l[3], o[3], i[3], lo[3], hi[3], at = 0;
    extents(&x->type, l);
    extents(&out->type, o);
    int64_t plane = l[0] * l[1] * l[2];
    for (int64_t c = 0; c < type_elements(&x->type); c += plane)
        for (i[0] = 0; i[0] < o[0]; i[0]++)
            for (i[1] = 0; i[1] < o[1]; i[1]++)
                for (i[2] = 0; i[2] < o[2]; i[2]++) {
                    for (int k = 0; k < 3; k++)
                        lo[k] = window_start(i[k], l[k], o[k]), hi[k] = window_end(i[k], l[k], o[k]);
                    window_put(x->v + c, x->err ? x->err + c : NULL, lo, hi, l, mean, out, at++);
                }
}

void adaptivemaxpool_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a, (void)n;
    adaptive_eval(in[0], out, false);
}

void adaptiveavgpool_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a, (void)n;
    adaptive_eval(in[0], out, true);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* Taps along one axis, as many as the largest window has. Where all windows are alike the subscript is affine; else it comes
 * from a table, a smaller window's last element again and again, and `inside` is 0 for the repeats. */
typedef struct Taps {
    Affine sub;
    TakeIndex take;
    const Expr *inside, *count; /* NULL: always 1; the window's size */
} Taps;

static Taps axis_taps(Lower *l, Nest *window, int axis, int spatial, int64_t extent, int64_t out, Affine o) {
    const char *name = spatial_name(axis, spatial);
    int64_t most = 0;
    bool alike = extent % out == 0;
    for (int64_t i = 0; i < out; i++)
        most = (int64_t)fmax((double)most, (double)(window_end(i, extent, out) - window_start(i, extent, out)));
    Affine k = nest_loop(l, window, window_name(axis, spatial), most);
    if (alike) {
        Affine at = affine_add(l->a, affine_scale(l->a, o, most), k);
        return (Taps){.sub = at, .count = expr_const(l->a, (float)most)};
    }
    float *at = ARENA_ARRAY(l->a, float, out *most), *inside = ARENA_ARRAY(l->a, float, out *most),
          *count = ARENA_ARRAY(l->a, float, out);
    for (int64_t i = 0; i < out; i++)
        for (int64_t j = 0; j < most; j++) {
            int64_t start = window_start(i, extent, out), end = window_end(i, extent, out);
            at[i * most + j] = (float)(start + j < end ? start + j : end - 1);
            inside[i * most + j] = start + j < end;
            count[i] = (float)(end - start);
        }
    Affine place = affine_add(l->a, affine_scale(l->a, o, most), k);
    int t = kernel_add_table(l->k, arena_printf(l->a, "at_%s", name), at, (int)(out * most));
    int u = kernel_add_table(l->k, arena_printf(l->a, "inside_%s", name), inside, (int)(out * most));
    int v = kernel_add_table(l->k, arena_printf(l->a, "count_%s", name), count, (int)out);
    return (Taps){.take = {expr_table(l->a, t, place), extent},
                  .inside = expr_table(l->a, u, place),
                  .count = expr_table(l->a, v, o)};
}

/* x, or `otherwise` for a repeat. */
static const Expr *only_inside(Lower *l, const Taps *t, const Expr *x, const Expr *otherwise) {
    return t->inside ? expr_call(l->a, FN_LT, expr_const(l->a, 0), t->inside, x, otherwise) : x;
}

static void adaptive_lower(Lower *l, const Node *n, bool mean) {
    Nest outer = {0}, window = {0};
    Index y;
    nest_result(l, &outer, &y);
    Type in = shape_in(n, 0), out = type_plain(&n->type);
    int spatial = in.rank - 2;
    Index x = y;
    const Expr *divisor = NULL, *zero = expr_const(l->a, 0);
    TakeIndex take[MAX_AXES] = {{0}};
    Taps taps[MAX_SPATIAL];
    for (int i = 0; i < spatial; i++) {
        taps[i] = axis_taps(l, &window, i, spatial, in.axis[2 + i].extent, out.axis[2 + i].extent, y.v[2 + i]);
        x.v[2 + i] = taps[i].sub;
        take[2 + i] = taps[i].take;
        divisor = divisor ? expr_call(l->a, FN_MUL, divisor, taps[i].count, NULL, NULL) : taps[i].count;
    }
    const Expr *value = lower_read_take(l, n->in[0], &x, take);
    for (int i = 0; i < spatial && mean; i++) value = only_inside(l, &taps[i], value, zero);
    Stmt *body = lower_write(l, &y, STORE_SET, expr_const(l->a, mean ? 0 : -INFINITY));
    body = stmt_append(body, nest_close(l, &window, lower_write(l, &y, mean ? STORE_ADD : STORE_MAX, value)));
    value = lower_read_out(l, &y);
    if (mean) value = expr_call(l->a, FN_DIV, value, divisor, NULL, NULL);
    if (mean || lower_has_tail(l)) body = stmt_append(body, lower_finish(l, &y, value));
    lower_emit(l, nest_close(l, &outer, body));
}

void adaptivemaxpool_lower(Lower *l, const Node *n) { adaptive_lower(l, n, false); }
void adaptiveavgpool_lower(Lower *l, const Node *n) { adaptive_lower(l, n, true); }
