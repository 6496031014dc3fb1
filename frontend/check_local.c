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

/* Gives the weights that `wanted` needs above the boundary. */
static void set_weights(Arena *a, const LunetteModel *m, RefTensor **value, const Node *wanted) {
    bool *needed = ARENA_ARRAY(a, bool, m->written->n_node);
    needed[wanted->id] = true;
    for (int i = wanted->id; i >= 0; i--) {
        const Node *n = m->written->node[i];
        if (!needed[i] || value[i]) continue;
        if (n->op == OP_WEIGHT) value[i] = ref_from_f32(a, &n->type, m->weight[i]);
        for (int j = 0; j < n->n_in; j++) needed[n->in[j]->id] = true;
    }
}

const RefTensor *local_reference(Arena *a, const StepCheck *s, const Swap *swap, bool with_err, Diag *d) {
    const LunetteModel *m = s->c->m;
    const Node *wanted = s->arg[s->n_in]->origin;
    if (!wanted) {
        diag_fail(d, DIAG_INTERNAL, "check: kernel %s computes no value of the graph as written", s->kernel->name);
        return NULL;
    }
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, m->written->n_node);
    for (int i = 0; i < s->n_in; i++) {
        const Node *origin = s->arg[i]->origin;
        if (graph_is_constant(s->arg[i])) continue;
        if (!origin) {
            diag_fail(d, DIAG_INTERNAL, "check: kernel %s reads %s, no value of the graph as written", s->kernel->name,
                      s->arg[i]->name);
            return NULL;
        }
        if (!value[origin->id]) value[origin->id] = ref_from_f32(a, &s->arg[i]->type, s->args[i]);
    }
    set_weights(a, m, value, wanted);
    if (swap && value[swap->node->id]) tensor_swap(value[swap->node->id], swap);
    return reference_eval(a, m->written, value, wanted, with_err, d) ? value[wanted->id] : NULL;
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

static float compared_value(const StepCheck *s, int64_t e) {
    float nest = s->nest[s->at[e]];
    uint32_t bits;
    memcpy(&bits, &nest, sizeof bits);
    return bits == CHECK_PATTERN && !s->whole ? s->native[s->at[e]] : nest;
}

int64_t local_compare(StepCheck *s, bool blame) {
    int64_t wrong = 0, worst = -1, inexact = -1;
    Type plain = type_plain(&s->arg[s->n_in]->type);
    s->row->ratio = 0;
    for (int64_t e = 0; e < s->elements; e++) {
        float x = compared_value(s, e);
        double ratio = bound_ratio((double)x, s->ref[e], s->bound[e]);
        if (!(ratio <= 1)) wrong++;
        if (x != (float)s->ref[e] && !(isnan(x) && isnan(s->ref[e])) && inexact < 0) inexact = e;
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
            (double)compared_value(s, worst), s->ref[worst], s->bound[worst], s->row->at, (long long)wrong,
            (long long)s->elements);
    return wrong;
}
