/* Whether the data would notice a wrong answer. In every mode: a constant input or result shows
 * nothing. With `exact`, where the data is of our making: not too many zeros, and the answer changes
 * when two channels of an input, or two rows of a weight, change places. */
#include "frontend/check_part.h"

#include <math.h>

enum { MOST_ZEROS = 90 /* percent */, FEW = 16 };

/* The inside of an input: halos hold another value. */
static bool input_constant(Arena *a, const Type *t, const void *data) {
    const RefTensor *x = ref_from_f32(a, t, data);
    int64_t n = type_elements(t);
    for (int64_t i = 1; i < n; i++)
        if (x->v[i] != x->v[0]) return false;
    return n > 1;
}

static bool trust_inputs(Arena *a, void *ctx, Diag *d) {
    (void)d;
    StepCheck *s = ctx;
    for (int i = 0; i < s->n_in; i++)
        if (!graph_is_constant(s->arg[i]) && input_constant(a, &s->arg[i]->type, s->args[i]))
            row_fault(s->row, CHECK_MISTRUSTED, "its input %s is one number everywhere", s->arg[i]->name);
    return true;
}

static bool is_argument(const Node *n) { return n->op == OP_ARGMAX || n->op == OP_ARGMIN; }

_Static_assert(sizeof(SOFTMAX_attr) == sizeof(LOGSOFTMAX_attr), "the axis is in the same place");

/* A softmax over one element is 1 whatever comes in, the largest of one is the first, a shape is known. */
static bool must_be_constant(const Node *result) {
    const Node *n = result->origin;
    if (!n) return false;
    if (is_argument(n)) return type_elements(&n->type) == type_elements(&n->in[0]->type);
    if (n->op != OP_SOFTMAX && n->op != OP_LOGSOFTMAX) return n->op == OP_SHAPE;
    int axis = n->attr.SOFTMAX.axis;
    return n->type.axis[axis < 0 ? axis + n->type.rank : axis].extent == 1;
}

/* Few places easily are the same. */
static bool may_be_equal(const StepCheck *s) {
    const Node *result = s->arg[s->n_in];
    return must_be_constant(result) || (is_argument(result) && s->elements < FEW);
}

/* An unpool has zeros between the values. */
static bool mostly_zero(const Node *result) { return result->op == OP_MAXUNPOOL; }

static void trust_result(StepCheck *s) {
    int64_t zeros = 0, broken = 0;
    bool equal = s->elements > 1;
    for (int64_t e = 0; e < s->elements; e++) {
        zeros += s->ref[e] == 0;
        broken += !isfinite(s->bound[e]);
        equal &= s->ref[e] == s->ref[0];
    }
    if (broken)
        row_fault(s->row, CHECK_MISTRUSTED, "the reference or its bound is not finite in %lld of %lld elements",
                  (long long)broken, (long long)s->elements);
    if (equal && !may_be_equal(s)) row_fault(s->row, CHECK_MISTRUSTED, "its result is %g everywhere", s->ref[0]);
    else if (s->c->o->exact && zeros * 100 > s->elements * MOST_ZEROS && !mostly_zero(s->arg[s->n_in]))
        row_fault(s->row, CHECK_MISTRUSTED, "%lld of its %lld results are 0", (long long)zeros, (long long)s->elements);
}

/* ---- swapped channels ------------------------------------------------------------------------- */

/* One tensor and the axis along which two positions change places. */
typedef struct Swaps {
    StepCheck *s;
    Swap *v;
    bool *noticed;
    int n, cap;
} Swaps;

/* What a swap changes may be lost behind a relu: so many pairs of neighbours are tried; all where only some of the
 * elements count (slices, gather) or the place of one (argmax). */
enum { PAIRS = 6 };

static const Node *anchor_of(const StepCheck *s) { return s->c->m->context.groups.v[s->step].anchor; }

static bool reduces(const Node *n) {
    static const Op ops[] = {OP_REDUCESUM, OP_REDUCEMEAN, OP_REDUCEMAX,       OP_REDUCEMIN,    OP_REDUCEPROD,
                             OP_REDUCEL1,  OP_REDUCEL2,   OP_REDUCESUMSQUARE, OP_REDUCELOGSUM, OP_REDUCELOGSUMEXP};
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        if (n->op == ops[i]) return true;
    return false;
}

/* Their axes are in the same place. */
static bool reduced_along(const Node *n, int axis, int rank) {
    const Ints *axes = &n->attr.REDUCESUM.axes;
    for (int i = 0; i < axes->n; i++)
        if (axes->v[i] == axis || axes->v[i] == axis - rank) return true;
    return axes->n == 0;
}

/* Along which an exchange must show: the channels, unless the kernel adds them up or takes the largest; −1 if none. */
static int swapped_axis(const StepCheck *s, const Node *input) {
    const Node *n = anchor_of(s);
    Type t = type_plain(&input->type);
    if (!reduces(n) || n->in[0] != input || !reduced_along(n, 1, t.rank)) return 1;
    int axis = t.rank - 1;
    while (axis >= 0 && (t.axis[axis].extent < 2 || reduced_along(n, axis, t.rank))) axis--;
    return axis;
}

/* The reference with the swap differs by more than the check would forgive. */
static bool swap_noticed(const Swaps *w, const RefTensor *r) {
    const StepCheck *s = w->s;
    for (int64_t e = 0; e < s->elements; e++) {
        bool differs =
            s->row->must_be_exact ? (float)r->v[e] != (float)s->ref[e] : fabs(r->v[e] - s->ref[e]) > 2 * s->bound[e];
        if (differs) return true;
    }
    return false;
}

typedef struct SwapJob {
    const Swaps *w;
    int64_t i;
    Swap swap;
} SwapJob;

static bool swap_scoped(Arena *a, void *ctx, Diag *d) {
    const SwapJob *j = ctx;
    const RefTensor *r = local_reference(a, j->w->s, &j->swap, false, d);
    if (!r) return false;
    j->w->noticed[j->i] = swap_noticed(j->w, r);
    return true;
}

/* Positions 0 and 1, 1 and 2 … until a pair is noticed. */
static bool swap_job(void *ctx, int64_t job, Diag *d) {
    const Swaps *w = ctx;
    SwapJob j = {w, job, w->v[job]};
    int64_t extent = type_plain(&j.swap.node->type).axis[j.swap.axis].extent;
    int64_t pairs = op_table[anchor_of(w->s)->op].flags & OPF_EXACT ? extent : PAIRS;
    for (int64_t pair = 0; pair < pairs && j.swap.second < extent && !w->noticed[job]; pair++) {
        if (!check_scoped(swap_scoped, &j, d)) return false;
        j.swap.first++;
        j.swap.second++;
    }
    return true;
}

static void add_swap(Swaps *w, const Node *written, int axis) {
    Type t = type_plain(&written->type);
    for (int i = 0; i < w->n; i++)
        if (w->v[i].node == written) return;
    if (axis < 0 || axis >= t.rank || t.axis[axis].extent < 2) return;
    Swap swap = {written, axis, 0, 1};
    ARENA_PUSH(w->s->arena, w->v, w->n, w->cap, swap);
}

/* What passes scale, turn and pack. */
static const Node *bare_weight(const Node *w) {
    while (graph_is_constant(w) && w->op != OP_WEIGHT && w->n_in > 0) w = w->in[0];
    return w;
}

/* The weights of convolutions and dense layers between the boundary and the result. */
static void add_weights(Swaps *w) {
    const StepCheck *s = w->s;
    const Graph *g = local_graph(s);
    bool *needed = ARENA_ARRAY(s->arena, bool, g->n_node), *boundary = ARENA_ARRAY(s->arena, bool, g->n_node);
    for (int i = 0; i < s->n_in; i++)
        if (!graph_is_constant(s->arg[i])) boundary[local_node(s, s->arg[i])->id] = true;
    const Node *result = local_node(s, s->arg[s->n_in]);
    needed[result->id] = true;
    for (int i = result->id; i >= 0; i--) {
        const Node *n = g->node[i];
        if (!needed[i] || boundary[i]) continue;
        for (int j = 0; j < n->n_in; j++) needed[n->in[j]->id] = true;
        if (n->op == OP_CONV || n->op == OP_CONVTRANSPOSE || n->op == OP_DENSE) add_swap(w, bare_weight(n->in[1]), 0);
    }
}

static bool trust_swaps(StepCheck *s, Diag *d) {
    Swaps w = {.s = s};
    for (int i = 0; i < s->n_in; i++)
        if (!graph_is_constant(s->arg[i])) add_swap(&w, local_node(s, s->arg[i]), swapped_axis(s, s->arg[i]));
    add_weights(&w);
    w.noticed = ARENA_ARRAY(s->arena, bool, w.n);
    if (!check_parallel(s->c->threads, w.n, swap_job, &w, d)) return false;
    for (int i = 0; i < w.n; i++)
        if (!w.noticed[i])
            row_fault(s->row, CHECK_MISTRUSTED, "its result is the same when two %s of %s are swapped",
                      w.v[i].axis == 0   ? "rows"
                      : w.v[i].axis == 1 ? "channels"
                                         : "positions",
                      w.v[i].node->name);
    return true;
}

bool trust_check(StepCheck *s, Diag *d) {
    if (!check_scoped(trust_inputs, s, d)) return false;
    trust_result(s);
    return !s->c->o->exact || must_be_constant(s->arg[s->n_in]) || trust_swaps(s, d);
}
