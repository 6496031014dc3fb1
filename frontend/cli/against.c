/* The double reference beside the kernels. */
#include "frontend/cli/bench.h"

#include "runtime/reference.h"

/* Which kernel each node of the graph as written has become part of; −1 for none. A value that a
 * pass did away with (a convolution before its batch norm) went where its user went. */
static int *kernels_of_nodes(const LunetteModel *m, Arena *a) {
    const Graph *w = m->written;
    int *of = ARENA_ARRAY(a, int, w->n_node);
    for (int i = 0; i < w->n_node; i++) of[i] = -1;
    for (int k = 0; k < m->context.groups.n; k++) {
        const Group *g = &m->context.groups.v[k];
        if (g->anchor->origin && g->anchor->op != OP_RELAYOUT) of[g->anchor->origin->id] = k;
        for (int t = 0; t < g->n_tail; t++)
            if (g->tail[t]->origin) of[g->tail[t]->origin->id] = k;
    }
    for (int i = w->n_node - 1; i >= 0; i--)
        for (int j = 0; j < w->node[i]->n_in; j++) {
            int x = w->node[i]->in[j]->id;
            if (of[x] < 0) of[x] = of[i];
        }
    return of;
}

bool bench_reference(Bench *b, Arena *a, Diag *d) {
    const LunetteModel *m = b->model;
    const Graph *g = m->written;
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    double *seconds = ARENA_ARRAY(a, double, m->plan->n_step);
    const int *of = kernels_of_nodes(m, a);
    int input = 0;
    progress_begin("the reference: layers", g->n_node);
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (n->op == OP_INPUT) value[i] = ref_from_f32(a, &n->type, b->x[input++]);
        if (n->op == OP_WEIGHT) value[i] = ref_from_f32(a, &n->type, m->weight[i]);
        double start = clock_seconds();
        if (!reference_eval(a, g, value, n, false, d)) return false;
        if (of[i] >= 0) seconds[of[i]] += clock_seconds() - start;
        progress_set(i);
    }
    progress_end();
    for (int s = 0; s < m->plan->n_step; s++) samples_add(a, &b->beside[s], seconds[s]);
    return true;
}
