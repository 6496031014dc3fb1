/* fuse: nodes become groups, each a kernel.
 *
 * Needs: layouts. Keeps: the graph. Sets: PassContext.groups, in an order in which they can run. An
 * anchor (or a pointwise node) takes the pointwise nodes after it, one after the other, as long as
 * each is the only user of the value before: bias, activation, residual add. The other inputs of a
 * tail are then computed before, because groups run in the order of their results. A tail whose blocks
 * do not fit the anchor's loops (groups of odd sizes) stays a kernel of its own: lowering says so. */
#include "ir/passes.h"

#include <stdlib.h>

static Node *only_user(const Graph *g, const Node *x) {
    Node *user = NULL;
    if (graph_count_uses(g, x) != 1) return NULL;
    for (int i = x->id + 1; i < g->n_node; i++)
        for (int j = 0; j < g->node[i]->n_in; j++)
            if (g->node[i]->in[j] == x) user = g->node[i];
    return user; /* NULL when the one use is an output of the network */
}

/* After `last`: pointwise, and of the same shape and elements; what broadcasts to a larger one is a kernel of its own. */
static bool can_be_tail(const Node *n, const Node *last) {
    Type x = type_plain(&last->type), y = type_plain(&n->type);
    return (op_table[n->op].flags & OPF_POINTWISE) && x.dtype == DT_F32 && type_equal(&x, &y);
}
static bool can_lead(const Node *n) { return (op_table[n->op].flags & (OPF_ANCHOR | OPF_POINTWISE)) != 0; }

static int by_result(const void *a, const void *b) { return group_result(a)->id - group_result(b)->id; }

/* Each node more lowers the whole group again: no network has a chain near as long, and a hostile one takes no longer. */
enum { MOST_TAIL = 64 };

static bool can_lower(Graph *g, const Group *group) {
    Lowered out;
    Diag why = {0};
    return lower_group(g->arena, group, &out, &why);
}

void pass_fuse(Graph *g, PassContext *c) {
    for (int i = 0; i < g->n_node; i++) g->node[i]->id = i;
    bool *taken = ARENA_ARRAY(g->arena, bool, g->n_node);
    c->groups = (GroupList){0};
    for (int i = 0; i < g->n_node; i++) {
        Node *n = g->node[i];
        if (taken[i] || n->op == OP_INPUT || graph_is_constant(n) || type_elements(&n->type) == 0 || graph_is_placed(n))
            continue;
        Group group = {.anchor = n};
        int cap = 0;
        for (Node *last = n; can_lead(n);) {
            Node *user = only_user(g, last);
            if (!user || !can_be_tail(user, last) || taken[user->id] || group.n_tail == MOST_TAIL) break;
            ARENA_PUSH(g->arena, group.tail, group.n_tail, cap, user);
            if (!can_lower(g, &group)) {
                group.n_tail--;
                break;
            }
            taken[user->id] = true;
            last = user;
        }
        ARENA_PUSH(g->arena, c->groups.v, c->groups.n, c->groups.cap, group);
    }
    if (c->groups.n) qsort(c->groups.v, (size_t)c->groups.n, sizeof *c->groups.v, by_result);
    fuse_sources(g, c);
}
