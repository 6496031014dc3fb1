#include "frontend/cli/facts.h"

int64_t node_macs(const Node *n) {
    if (n->op != OP_CONV && n->op != OP_DENSE) return 0;
    const Type *w = &n->in[1]->type;
    return type_elements(&n->type) * (type_elements(w) / type_extent(w, 'o'));
}

int64_t group_macs(const Group *g) {
    int64_t sum = node_macs(g->anchor);
    for (int i = 0; i < g->n_tail; i++) sum += node_macs(g->tail[i]);
    return sum;
}

/* Trained ones, as everybody counts: not the running statistics of a batch norm. */
int64_t node_params(const Node *n) {
    int64_t sum = 0;
    for (int i = 0; i < n->n_in; i++) {
        bool statistics = n->op == OP_BATCHNORM && i >= 3;
        if (n->in[i]->op == OP_WEIGHT && !statistics) sum += type_elements(&n->in[i]->type);
    }
    return sum;
}

static Reach reach_in(const Node *n, const Reach *of) {
    Reach r = {0};
    for (int i = 0; i < n->n_in; i++) {
        const Reach *x = &of[n->in[i]->id];
        if (x->n > r.n) r.n = x->n;
        for (int k = 0; k < x->n; k++) {
            if (x->extent[k] > r.extent[k]) r.extent[k] = x->extent[k];
            if (x->jump[k] > r.jump[k]) r.jump[k] = x->jump[k];
        }
    }
    return r;
}

/* Extents of big networks stay far below 2^40 (2^16 windows of 2^16), but a spec may say anything. */
static void through_window(Reach *r, const Dims *kernel, const Dims *dilation, const Dims *stride) {
    const int64_t most = (int64_t)1 << 40;
    for (int k = 0; k < r->n && k < kernel->n; k++) {
        int64_t step = (int64_t)(kernel->v[k] - 1) * (dilation ? dilation->v[k] : 1), add;
        if (__builtin_mul_overflow(step, r->jump[k], &add) || add > most) add = most;
        r->extent[k] = r->extent[k] + add > most ? most : r->extent[k] + add;
        if (__builtin_mul_overflow(r->jump[k], (int64_t)stride->v[k], &r->jump[k]) || r->jump[k] > most)
            r->jump[k] = most;
    }
}

/* All positions of x. */
static void through_all(Reach *r, const Node *x) {
    Axis axis[MAX_SPATIAL];
    Dims whole = {.n = type_spatial(&x->type, axis)};
    for (int k = 0; k < whole.n; k++) whole.v[k] = axis[k].extent;
    through_window(r, &whole, NULL, &whole);
}

static Reach reach_input(const Node *n) {
    Axis axis[MAX_SPATIAL];
    Reach r = {.n = type_spatial(&n->type, axis)};
    for (int k = 0; k < r.n; k++) r.extent[k] = r.jump[k] = 1;
    return r;
}

Reach *graph_reach(Arena *a, const Graph *g) {
    Reach *of = ARENA_ARRAY(a, Reach, g->n_node);
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (n->op == OP_WEIGHT) continue;
        of[i] = n->op == OP_INPUT ? reach_input(n) : reach_in(n, of);
        if (n->op == OP_CONV)
            through_window(&of[i], &n->attr.CONV.kernel, &n->attr.CONV.dilation, &n->attr.CONV.stride);
        if (n->op == OP_MAXPOOL)
            through_window(&of[i], &n->attr.MAXPOOL.kernel, &n->attr.MAXPOOL.dilation, &n->attr.MAXPOOL.stride);
        if (n->op == OP_AVGPOOL) through_window(&of[i], &n->attr.AVGPOOL.kernel, NULL, &n->attr.AVGPOOL.stride);
        if (n->op == OP_GLOBALAVGPOOL || n->op == OP_FLATTEN) through_all(&of[i], n->in[0]);
    }
    return of;
}
