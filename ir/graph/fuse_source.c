/* The second part of fuse: a group whose result one other kernel alone reads becomes a source of that. It must be cheap beside
 * what reads it, or be read once: what strips have in common is computed again. Whether it pays the schedule model says, which
 * finds strips or none. */
#include "ir/passes.h"
#include "ir/schedule.h"

#include <string.h>

static const char *given_schedule(const Group *g) {
    for (int i = 0; i < group_size(g); i++)
        if (group_node(g, i)->schedule) return group_node(g, i)->schedule;
    return NULL;
}

/* Whoever writes a schedule keeps the kernel that it is for; one that says where to compute the source gets it. */
static bool asks_for_source(const Group *g) { return given_schedule(g) && strstr(given_schedule(g), "compute t1"); }

/* Nodes that compute each element from a few others. */
static bool is_cheap(const Group *g) {
    bool cheap = true;
    for (int i = 0; i < group_size(g); i++) {
        const Node *n = group_node(g, i);
        cheap &= n->op == OP_RELAYOUT || n->op == OP_SCALESHIFT || n->op == OP_PRELU ||
                 (op_table[n->op].flags & OPF_POINTWISE);
    }
    return cheap;
}

/* Reads no element of its input for two positions: a pool without overlap, a copy. */
static bool reads_once(const Node *n) {
    bool max = n->op == OP_MAXPOOL, once = max || n->op == OP_AVGPOOL;
    const Dims *kernel = max ? &n->attr.MAXPOOL.kernel : &n->attr.AVGPOOL.kernel;
    const Dims *stride = max ? &n->attr.MAXPOOL.stride : &n->attr.AVGPOOL.stride;
    for (int i = 0; once && i < kernel->n; i++) once = kernel->v[i] <= stride->v[i];
    return once || n->op == OP_RELAYOUT;
}

/* Only its anchor's first input may be computed by a source. */
static bool can_have_source(const Group *g) {
    bool may = g->anchor->op == OP_CONV || reads_once(g->anchor);
    return g->n_source == 0 && g->anchor->n_in > 0 && (asks_for_source(g) || (may && !given_schedule(g)));
}

static bool can_be_source(const Graph *g, const Group *group, const Group *user) {
    const Node *n = group_result(group);
    bool suits = user->anchor->op == OP_CONV ? is_cheap(group) : group->anchor->op == OP_CONV;
    return (suits || asks_for_source(user)) && group->n_source == 0 && n->type.dtype == DT_F32 && !n->home &&
           !graph_is_placed(n) && graph_count_uses(g, n) == 1 && !given_schedule(group);
}

/* In an arena of its own: what is tried is not kept. */
static bool strips_found(Arena *a, const PassContext *c, const Group *both) {
    Lowered out;
    Diag why = {0};
    if (!lower_group(a, both, &out, &why)) return false;
    if (asks_for_source(both)) return true;
    Schedule s = schedule_choose(a, out.kernel, c->target);
    return strstr(s.steps, "compute") && kernel_schedule(out.kernel, s.steps, NULL, &why);
}

/* The kernel of both can be made, and its schedule computes the source in strips. */
static bool pays(const PassContext *c, const Group *both) {
    Arena *a = arena_open(NULL);
    volatile bool good = false;
    if (!a) return false;
    if (ARENA_TRY(a)) good = strips_found(a, c, both);
    ARENA_END(a);
    arena_close(a);
    return good;
}

/* The group before `before` whose result is this; −1: none, or it is gone. */
static int group_of(const GroupList *all, const bool *gone, const Node *result, int before) {
    for (int i = before - 1; i >= 0; i--)
        if (!gone[i] && group_result(&all->v[i]) == result) return i;
    return -1;
}

/* Winograd's three: tiles, their products, the outputs. */
static bool fuse_winograd(Graph *g, const PassContext *c, bool *gone, int output) {
    const GroupList *all = &c->groups;
    Group both = all->v[output];
    int product = group_of(all, gone, both.anchor->in[0], output);
    int input = product < 0 ? -1 : group_of(all, gone, all->v[product].anchor->in[0], product);
    if (input < 0 || given_schedule(&both)) return false;
    both.source = ARENA_ARRAY(g->arena, const Group *, 2);
    both.source[both.n_source++] = arena_copy(g->arena, &all->v[input], sizeof both);
    both.source[both.n_source++] = arena_copy(g->arena, &all->v[product], sizeof both);
    if (!pays(c, &both)) return false;
    all->v[output] = both;
    gone[input] = gone[product] = true;
    return true;
}

void fuse_sources(Graph *g, PassContext *c) {
    GroupList *all = &c->groups;
    bool *gone = ARENA_ARRAY(g->arena, bool, all->n);
    for (int i = 0; i < all->n; i++) {
        Group *group = &all->v[i];
        if (group->anchor->op == OP_WINOOUTPUT && fuse_winograd(g, c, gone, i)) continue;
        for (int j = 0; j < i && can_have_source(group); j++) {
            if (gone[j] || group_result(&all->v[j]) != group->anchor->in[0] || !can_be_source(g, &all->v[j], group))
                continue;
            Group both = *group;
            both.source = ARENA_ARRAY(g->arena, const Group *, 1);
            both.source[both.n_source++] = arena_copy(g->arena, &all->v[j], sizeof *all->v);
            if (!pays(c, &both)) continue;
            *group = both;
            gone[j] = true;
        }
    }
    int n = 0;
    for (int i = 0; i < all->n; i++)
        if (!gone[i]) all->v[n++] = all->v[i];
    all->n = n;
}
