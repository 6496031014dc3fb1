#include "frontend/cli/facts.h"

#include "ir/ops/convtranspose.h"

/* Products that each element of a matrix product adds up; 0: the node is none. */
static int64_t product_terms(const Node *n) {
    bool trans = false;
    if (n->op == OP_MATMUL) trans = n->attr.MATMUL.trans_x;
    else if (n->op == OP_GEMM) trans = n->attr.GEMM.trans_a;
    else if (n->op == OP_PANELPRODUCT) trans = n->attr.PANELPRODUCT.trans_x;
    else return 0;
    const Type *x = &n->in[0]->type;
    return x->axis[trans && x->rank > 1 ? x->rank - 2 : x->rank - 1].extent;
}

int64_t node_macs(const Node *n) {
    if (product_terms(n)) return type_elements(&n->type) * product_terms(n);
    if (n->op == OP_WINOPRODUCT) return type_elements(&n->type) * type_extent(&n->in[0]->type, 'c');
    if (n->op != OP_CONV && n->op != OP_CONVTRANSPOSE && n->op != OP_DENSE) return 0;
    const Type *w = &n->in[1]->type;
    if (n->op == OP_CONVTRANSPOSE) {
        int64_t in_group = type_extent(&n->in[0]->type, 'c') / n->attr.CONVTRANSPOSE.groups;
        return type_extent(&n->type, 'n') * n->attr.CONVTRANSPOSE.out * in_group * convtranspose_terms(n);
    }
    return type_elements(&n->type) * (type_elements(w) / type_extent(w, 'o'));
}

int64_t group_macs(const Group *g) {
    int64_t sum = 0;
    for (int i = 0; i < group_size(g); i++) sum += node_macs(group_node(g, i));
    return sum;
}

/* The running mean and variance of a batch norm are stored, not trained: nobody counts them as parameters. */
static bool is_trained(const Node *n, int i) { return n->in[i]->op == OP_WEIGHT && !(n->op == OP_BATCHNORM && i >= 3); }

int64_t node_params(const Node *n) {
    int64_t sum = 0;
    for (int i = 0; i < n->n_in; i++)
        if (is_trained(n, i)) sum += type_elements(&n->in[i]->type);
    return sum;
}

int64_t graph_params(Arena *a, const Graph *g) {
    bool *counted = ARENA_ARRAY(a, bool, g->n_node);
    int64_t sum = 0;
    for (int k = 0; k < g->n_node; k++) {
        const Node *n = g->node[k];
        for (int i = 0; i < n->n_in; i++) {
            if (!is_trained(n, i) || counted[n->in[i]->id]) continue;
            counted[n->in[i]->id] = true;
            sum += type_elements(&n->in[i]->type);
        }
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

static bool op_sees_all(Op op) {
    return op == OP_GLOBALAVGPOOL || op == OP_GLOBALMAXPOOL || op == OP_GLOBALLPPOOL || op == OP_ADAPTIVEAVGPOOL ||
           op == OP_ADAPTIVEMAXPOOL || op == OP_FLATTEN;
}

/* A result sees every taps-th x, as many as there are in the kernel. */
static void through_transposed(Reach *r, const CONVTRANSPOSE_attr *c) {
    for (int k = 0; k < r->n && k < c->kernel.n; k++) {
        int64_t s = c->stride.v[k], d = c->dilation.v[k], g = s;
        for (int64_t b = d; b;) {
            int64_t rest = g % b;
            g = b;
            b = rest;
        }
        Dims taps = {1, {(int32_t)((c->kernel.v[k] - 1) / (s / g) + 1)}}, step = {1, {(int32_t)(d / g)}},
             one = {1, {1}};
        Reach axis = {.n = 1, .extent = {r->extent[k]}, .jump = {r->jump[k]}};
        through_window(&axis, &taps, &step, &one);
        r->extent[k] = axis.extent[0];
        r->jump[k] = r->jump[k] / s > 1 ? r->jump[k] / s : 1;
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
        NodeWindow w;
        if (n->op == OP_CONVTRANSPOSE) through_transposed(&of[i], &n->attr.CONVTRANSPOSE);
        else if (n->op != OP_MAXUNPOOL && node_window(n, &w)) through_window(&of[i], &w.kernel, &w.dilation, &w.stride);
        if (op_sees_all(n->op)) through_all(&of[i], n->in[0]);
    }
    return of;
}
