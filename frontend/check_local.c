/* The reference of one kernel: the nodes of its group as the user wrote them, in double, from the
 * values that the kernel itself was given. */
#include "frontend/check_part.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Exchanges two positions of one axis of a plain tensor. */
static void tensor_swap(RefTensor *t, const Swap *swap) {
    const Axis *axis = t->type.axis;
    int64_t inner = 1, outer = 1;
    for (int i = 0; i < swap->axis; i++) outer *= axis[i].extent;
    for (int i = swap->axis + 1; i < t->type.rank; i++) inner *= axis[i].extent;
    for (int64_t o = 0; o < outer; o++) {
        double *x = t->v + (o * axis[swap->axis].extent + swap->first) * inner;
        double *y = t->v + (o * axis[swap->axis].extent + swap->second) * inner;
        for (int64_t i = 0; i < inner; i++) {
            double keep = x[i];
            x[i] = y[i];
            y[i] = keep;
        }
    }
}

/* The graph as written, if all that the kernel touches is named there; else the one that the passes made, whose
 * new values (a padded input, an im2col matrix) are proved by the check of the whole network only. */
const Graph *local_graph(const StepCheck *s) {
    for (int i = 0; i <= s->n_in; i++)
        if (!s->arg[i]->origin && (i == s->n_in || !graph_is_constant(s->arg[i]))) return s->c->m->graph;
    return s->c->m->written;
}

const Node *local_node(const StepCheck *s, const Node *arg) {
    return local_graph(s) == s->c->m->written ? arg->origin : arg;
}

/* Gives the weights that `wanted` needs above the boundary. */
static void set_weights(Arena *a, const LunetteModel *m, const Graph *g, RefTensor **value, const Node *wanted) {
    bool *needed = ARENA_ARRAY(a, bool, g->n_node);
    needed[wanted->id] = true;
    for (int i = wanted->id; i >= 0; i--) {
        const Node *n = g->node[i];
        if (!needed[i] || value[i]) continue;
        int at = g == m->written ? i : n->origin ? n->origin->id : -1;
        if (n->op == OP_WEIGHT) value[i] = ref_from_f32(a, &n->type, m->weight[at]);
        for (int j = 0; j < n->n_in; j++) needed[n->in[j]->id] = true;
    }
}

const RefTensor *local_reference(Arena *a, const StepCheck *s, const Swap *swap, bool with_err, Diag *d) {
    const LunetteModel *m = s->c->m;
    const Graph *g = local_graph(s);
    const Node *wanted = local_node(s, s->arg[s->n_in]);
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    for (int i = 0; i < s->n_in; i++) {
        const Node *n = local_node(s, s->arg[i]);
        if (graph_is_constant(s->arg[i])) continue;
        if (!value[n->id]) value[n->id] = ref_from_f32(a, &s->arg[i]->type, s->args[i]);
    }
    set_weights(a, m, g, value, wanted);
    if (swap && value[swap->node->id]) tensor_swap(value[swap->node->id], swap);
    return reference_eval(a, g, value, wanted, with_err, d) ? value[wanted->id] : NULL;
}

static bool evaluate(Arena *a, void *ctx, Diag *d) {
    StepCheck *s = ctx;
    const RefTensor *r = local_reference(a, s, NULL, true, d);
    if (!r) return false;
    memcpy(s->ref, r->v, sizeof *s->ref * (size_t)s->elements);
    for (int64_t e = 0; e < s->elements; e++)
        s->bound[e] = (r->err ? r->err[e] : 0) + 0x1p-24 * fabs(r->v[e]) + 0x1p-149; /* the result is rounded once */
    return true;
}

bool local_evaluate(StepCheck *s, Diag *d) { return check_scoped(evaluate, s, d); }

double bound_ratio(double got, double ref, double bound) {
    if ((isnan(got) && isnan(ref)) || got == ref) return 0;
    if (isinf(got) && fabs(ref) + bound > (double)FLT_MAX && (got > 0) == (ref > 0)) return 0; /* beyond float32 */
    double ratio = fabs(got - ref) / bound;
    return isnan(ratio) ? INFINITY : ratio;
}

static double compared_value(const StepCheck *s, int64_t e) {
    int64_t at = s->at[e];
    bool native = !s->whole && !memory_written(s->type, s->nest, at);
    return dtype_get(s->type, native ? s->native : s->nest, at);
}

static bool is_reference(const StepCheck *s, double x, double ref) {
    return x == (s->type == DT_F32 ? (double)(float)ref : ref) || (isnan(x) && isnan(ref));
}

int64_t local_compare(StepCheck *s, bool blame) {
    int64_t wrong = 0, worst = -1, inexact = -1;
    Type plain = type_plain(&s->arg[s->n_in]->type);
    s->row->ratio = 0;
    for (int64_t e = 0; e < s->elements; e++) {
        double x = compared_value(s, e), ratio = bound_ratio(x, s->ref[e], s->bound[e]);
        if (!(ratio <= 1)) wrong++;
        if (inexact < 0 && !is_reference(s, x, s->ref[e])) inexact = e;
        if (worst >= 0 && ratio <= s->row->ratio) continue;
        worst = e;
        s->row->ratio = ratio;
    }
    s->row->exact = inexact < 0;
    index_text(&plain, worst, s->row->at);
    if (wrong && blame)
        row_fault(
            s->row, CHECK_NEST,
            "the nest differs from the reference: %.9g against %.9g ± %.3g at %s, %lld of %lld elements out of bound",
            compared_value(s, worst), s->ref[worst], s->bound[worst], s->row->at, (long long)wrong,
            (long long)s->elements);
    return wrong;
}
