/* Proves that a graph is well formed. Runs after every pass in every build; what it finds is a bug
 * of ours, since graph_op refuses what a user can get wrong. */
#include "ir/graph.h"

#include <ctype.h>
#include <string.h>

/* ---- layouts --------------------------------------------------------------------------------- */

static int64_t axis_memory(const Axis *a) { return (int64_t)a->extent + a->lo + a->hi; }

/* Axis i of t by itself: a known letter, once. */
static bool check_axis(const Type *t, int i, Diag *d) {
    const Axis *a = &t->axis[i];
    if (!strchr("ncodhwtuvNCODHW", a->letter) || a->letter == '\0')
        return diag_fail(d, DIAG_SPEC, "axis '%c' is none of n c o d h w t u v", a->letter);
    if (type_find(t, a->letter) != i) return diag_fail(d, DIAG_SPEC, "axis %c twice", a->letter);
    if (a->extent < 0 || (a->extent == 0 && (a->lo || a->hi)) || a->lo < 0 || a->hi < 0)
        return diag_fail(d, DIAG_SPEC, "axis %c has extent %d<%d,%d>", a->letter, a->extent, a->lo, a->hi);
    return true;
}

bool graph_check_layout(const Type *type, const Type *plain, Diag *d) {
    int64_t total = 1;
    for (int i = 0; i < type->rank; i++) {
        const Axis *a = &type->axis[i];
        if (!check_axis(type, i, d)) return false;
        if (type_extent(type, (char)tolower((unsigned char)a->letter)) > 1 << 30)
            return diag_fail(d, DIAG_SPEC, "axis %c has more than 2^30 elements", a->letter);
        if (__builtin_mul_overflow(total, axis_memory(a), &total) || total > (int64_t)1 << 40)
            return diag_fail(d, DIAG_SPEC, "a tensor of more than 2^40 elements");
    }
    Type own = type_plain(type);
    if (type_equal(&own, plain)) return true;
    for (int i = 0; i < plain->rank; i++) {
        char letter = plain->axis[i].letter;
        if (type_extent(type, letter) != plain->axis[i].extent)
            return diag_fail(d, DIAG_SPEC, "axis %c is %lld in the type, %d by the inputs", letter,
                             (long long)type_extent(type, letter), plain->axis[i].extent);
    }
    return diag_fail(d, DIAG_SPEC, "the type has other axes than the inputs give");
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool verify_place(const Graph *g, const Node *n, int id, Diag *d) {
    if (n->id != id) return diag_fail(d, DIAG_INTERNAL, "id %d in place %d", n->id, id);
    if (!n->name || !graph_is_name(n->name)) return diag_fail(d, DIAG_INTERNAL, "not a name");
    if (graph_find(g, n->name) != n) return diag_fail(d, DIAG_INTERNAL, "two nodes have this name");
    for (int i = 0; i < n->n_in; i++) {
        const Node *in = n->in[i];
        if (!in || in->id < 0 || in->id >= g->n_node || g->node[in->id] != in)
            return diag_fail(d, DIAG_INTERNAL, "input %d is not in the graph", i);
        if (in->id >= id) return diag_fail(d, DIAG_INTERNAL, "input '%s' stands after it", in->name);
    }
    return true;
}

/* `shape` again, on a copy, since it may write what it finds. */
static bool verify_shape(const Node *n, Diag *d) {
    const OpInfo *o = &op_table[n->op];
    Node again = *n;
    if (n->n_in < o->min_in || n->n_in > o->max_in) return diag_fail(d, DIAG_INTERNAL, "%d inputs", n->n_in);
    if (o->flags & OPF_SOURCE) {
        again.type = type_plain(&n->type);
    } else if (!attr_spread(n->op, &again.attr, n->n_in ? &n->in[0]->type : NULL, d) || !o->shape(&again, d)) {
        return false;
    }
    if (memcmp(&again.attr, &n->attr, sizeof n->attr) != 0)
        return diag_fail(d, DIAG_INTERNAL, "attributes are not in the form graph_op gives them");
    Type plain = type_plain(&again.type);
    return graph_check_layout(&n->type, &plain, d);
}

static bool verify_outputs(const Graph *g, Diag *d) {
    for (int i = 0; i < g->n_out; i++) {
        const Node *n = g->out[i].node;
        if (!n || n->id < 0 || n->id >= g->n_node || g->node[n->id] != n)
            return diag_fail(d, DIAG_INTERNAL, "graph %s: output '%s' is not in the graph", g->name, g->out[i].name);
        for (int k = 0; k < i; k++)
            if (strcmp(g->out[i].name, g->out[k].name) == 0)
                return diag_fail(d, DIAG_INTERNAL, "graph %s: two outputs '%s'", g->name, g->out[i].name);
    }
    return true;
}

bool graph_verify(const Graph *g, Diag *d) {
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        Diag own = {0};
        if (verify_place(g, n, i, &own) && verify_shape(n, &own)) continue;
        return diag_fail(d, DIAG_INTERNAL, "graph %s: node '%s' (%s): %s", g->name, n->name ? n->name : "?",
                         op_table[n->op].name, own.text);
    }
    return verify_outputs(g, d);
}
