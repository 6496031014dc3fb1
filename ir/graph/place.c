/* place: the inputs of a concat are written where it wants them, so that nothing is copied.
 *
 *     a: conv(x) : f32[n1 C4 h56 w56 c16]                          # in y from C0
 *     b: conv(z) : f32[n1 C2 h56 w56 c16]                          # in y from C4
 *     y: concat(a, b) : f32[n1 C6 h56 w56 c16]
 *
 * Needs: layouts. Keeps: the graph. Sets: Node.home, home_axis, home_from.
 *
 * An input that is one run of the concat's memory (the axes outside the joined one have extent 1) and has its layout, halo
 * included, lives there: whoever reads it alone reads that part. A concat of parts of another concat, in their order
 * (DenseNet's), is a part itself; so the last ones are looked at first. Inputs of the network, constants, outputs and
 * what is needed in two places keep their own memory and are copied by the concat's kernel. A concat that is fused
 * with what follows it needs no memory, and no parts. */
#include "ir/passes.h"

#include "ir/ops/move.h"

static bool is_output(const Graph *g, const Node *n) {
    for (int i = 0; i < g->n_out; i++)
        if (g->out[i].node == n) return true;
    return false;
}

static bool has_own_memory(const Graph *g, const Node *n) {
    return n->op == OP_INPUT || graph_is_constant(n) || is_output(g, n) || type_elements(&n->type) == 0;
}

static bool lies_in_one_run(const Node *concat) {
    Type y = type_plain(&concat->type);
    for (int i = 0; i < concat_axis(concat); i++)
        if (y.axis[i].extent != 1) return false;
    return true;
}

/* Its one user takes it as a tail (ir/graph/fuse.c), so the result is never in memory. */
static bool is_fused(const Graph *g, const Node *concat) {
    Type y = type_plain(&concat->type);
    if (graph_count_uses(g, concat) != 1) return false;
    for (int i = concat->id + 1; i < g->n_node; i++) {
        const Node *user = g->node[i];
        Type t = type_plain(&user->type);
        for (int j = 0; j < user->n_in; j++)
            if (user->in[j] == concat) return (op_table[user->op].flags & OPF_POINTWISE) && type_equal(&y, &t);
    }
    return false;
}

static int times_in(const Node *concat, const Node *x) {
    int n = 0;
    for (int i = 0; i < concat->n_in; i++) n += concat->in[i] == x;
    return n;
}

/* Where along the joined axis input i of a concat starts, in elements. */
static int64_t input_start(const Node *concat, int i) {
    int64_t start = 0;
    for (int k = 0; k < i; k++) start += type_plain(&concat->in[k]->type).axis[concat_axis(concat)].extent;
    return start;
}

/* All inputs are parts of one home, one after the other: so is the concat. */
static Node *common_home(const Node *concat, Node *const *home, const int64_t *start) {
    Node *h = home[concat->in[0]->id];
    if (!h || concat_axis(h) != concat_axis(concat)) return NULL;
    for (int i = 0; i < concat->n_in; i++) {
        int id = concat->in[i]->id;
        if (home[id] != h || start[id] != start[concat->in[0]->id] + input_start(concat, i)) return NULL;
    }
    return h;
}

/* home[] and, for those that have one, start[] in elements of the plain type. */
static Node **find_homes(Graph *g, int64_t *start) {
    Node **home = ARENA_ARRAY(g->arena, Node *, g->n_node);
    for (int i = 0; i < g->n_node; i++) g->node[i]->id = i;
    for (int i = g->n_node - 1; i >= 0; i--) {
        Node *n = g->node[i];
        if (n->op != OP_CONCAT || graph_is_constant(n) || !lies_in_one_run(n) || is_fused(g, n)) continue;
        Node *h = home[i] ? NULL : common_home(n, home, start);
        if (h && !has_own_memory(g, n)) {
            home[i] = h;
            start[i] = start[n->in[0]->id];
            continue;
        }
        h = home[i] ? home[i] : n;
        for (int k = 0; k < n->n_in; k++) {
            Node *x = n->in[k];
            if (home[x->id] || has_own_memory(g, x) || times_in(n, x) > 1 || x->type.dtype != n->type.dtype) continue;
            home[x->id] = h;
            start[x->id] = (home[i] ? start[i] : 0) + input_start(n, k);
        }
    }
    return home;
}

Node **graph_find_homes(Graph *g) { return find_homes(g, ARENA_ARRAY(g->arena, int64_t, g->n_node)); }

/* Whether the memory of x, moved by `from` along the axis, is that of its home. */
static bool layouts_agree(const Type *x, const Type *home, int axis, int64_t from) {
    if (x->rank != home->rank || axis < 0) return false;
    Type part = *home;
    for (int i = 0; i < axis; i++)
        if (home->axis[i].extent != 1 || home->axis[i].lo || home->axis[i].hi) return false;
    part.axis[axis].extent = x->axis[axis].extent;
    return type_equal(x, &part) && !home->axis[axis].lo && !home->axis[axis].hi &&
           from + x->axis[axis].extent <= home->axis[axis].extent;
}

/* The axis of the home's memory that is joined, and how many elements of the plain axis one step of it is. */
static int joined_axis(const Node *home, int64_t *step) {
    Type plain = type_plain(&home->type);
    char letter = plain.axis[concat_axis(home)].letter;
    *step = type_block(&home->type, letter);
    return type_find(&home->type, *step > 1 ? (char)(letter - 'a' + 'A') : letter);
}

bool graph_is_placed(const Node *concat) {
    const Node *home = concat->home ? concat->home : concat;
    if (concat->op != OP_CONCAT) return false;
    int64_t at = concat->home ? concat->home_from : 0;
    for (int i = 0; i < concat->n_in; i++) {
        const Node *x = concat->in[i];
        if (x->home != home || x->home_from != at) return false;
        at += x->type.axis[x->home_axis].extent;
    }
    return true;
}

static void place_node(Node *n, Node *home, int64_t start) {
    int64_t step;
    int axis = joined_axis(home, &step);
    n->home = NULL;
    if (start % step != 0 || !layouts_agree(&n->type, &home->type, axis, start / step)) return;
    n->home = home;
    n->home_axis = axis;
    n->home_from = start / step;
}

/* A concat has all its inputs in place or none: else its kernel would write a part of what others wrote. */
static bool leave_partly_placed(Graph *g) {
    bool changed = false;
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i], *home = n->home ? n->home : n;
        if (n->op != OP_CONCAT || graph_is_placed(n)) continue;
        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k]->home != home) continue;
            n->in[k]->home = NULL;
            changed = true;
        }
    }
    return changed;
}

void pass_place(Graph *g, PassContext *c) {
    (void)c;
    int64_t *start = ARENA_ARRAY(g->arena, int64_t, g->n_node);
    Node **home = find_homes(g, start);
    for (int i = 0; i < g->n_node; i++) {
        g->node[i]->home = NULL;
        if (home[i]) place_node(g->node[i], home[i], start[i]);
    }
    while (leave_partly_placed(g)) {}
}
