#include "ir/plan_over.h"

/* Memory of the arena that holds this value and no other: no port, no constant, no concat's memory or part of it. */
static bool has_own_memory(const Graph *g, const Node *n) {
    bool own = n->op != OP_INPUT && !graph_is_constant(n) && !n->home;
    for (int i = 0; i < g->n_out; i++) own &= g->out[i].node != n;
    for (int i = 0; i < g->n_node; i++) own &= g->node[i]->home != n;
    return own;
}

static bool is_read(const Lowered *l, const Node *n) {
    for (int i = 0; i + 1 < l->kernel->n_param; i++)
        if (l->arg[i] == n) return true;
    return false;
}

bool plan_may_lie_over(const Graph *g, const Lowered *lowered, int n, int step, int arg) {
    const Node *z = lowered[step].arg[arg], *y = lowered[step].arg[lowered[step].kernel->n_param - 1];
    if (!type_same_memory(&y->type, &z->type) || !has_own_memory(g, y) || !has_own_memory(g, z)) return false;
    for (int i = step + 1; i < n; i++)
        if (is_read(&lowered[i], z)) return false;
    return true;
}

void plan_inplace(const Graph *g, const Lowered *lowered, Kernel *const *scheduled, int n) {
    for (int i = 0; i < n; i++) {
        Kernel *k = scheduled[i];
        const Buf *y = &k->buf[k->n_param - 1];
        for (int j = 0; j + 1 < k->n_param && !y->is_over; j++) {
            if (!plan_may_lie_over(g, lowered, n, i, j)) continue;
            kernel_schedule(k, arena_printf(k->arena, "inplace %s over %s", y->name, k->buf[j].name), NULL, NULL);
            y = &k->buf[k->n_param - 1];
        }
    }
}
