/* Products of matrices with a right side that is worth cutting into panels: see ir/ops/matmul.c.
 *
 *   z: matmul(x, y)    →    z: panelproduct(x, panels(y))
 *
 * A constant side always is, it is cut before any run; else where enough rows use it. */
#include "ir/passes.h"

enum { FEW_ROWS = 8 };

static bool worth_it(const Node *n, bool trans_x) {
    Type x = type_plain(&n->in[0]->type), y = type_plain(&n->in[1]->type);
    if (y.rank < 2 || y.rank == MAX_RANK) return false;
    if (graph_is_constant(n->in[1])) return true;
    return x.rank > 1 && x.axis[trans_x ? x.rank - 1 : x.rank - 2].extent >= FEW_ROWS;
}

static bool cut(Graph *g, Node *n, const AttrAny *product, bool trans_y) {
    Type y = type_plain(&n->in[1]->type);
    AttrAny attr;
    attr_defaults(OP_PANELS, &attr);
    attr.PANELS.trans = trans_y;
    Node *panels = graph_insert(g, n, OP_PANELS, arena_printf(g->arena, "%s.panels", n->name), &n->in[1], 1, &attr);
    attr = *product;
    attr.PANELPRODUCT.columns = y.axis[trans_y ? y.rank - 2 : y.rank - 1].extent;
    Node *in[3] = {n->in[0], panels, n->n_in > 2 ? n->in[2] : NULL};
    Node *made = graph_insert(g, n, OP_PANELPRODUCT, n->name, in, n->n_in, &attr);
    made->origin = n->origin;
    made->schedule = n->schedule;
    graph_replace_uses(g, n, made, NULL);
    const char *name = made->name;
    made->name = n->name;
    n->name = name; /* dead from here on */
    return true;
}

void graph_cut_panels(Graph *g) {
    bool any = false;
    for (int i = 0; i < g->n_node; i++) {
        Node *n = g->node[i];
        AttrAny attr;
        attr_defaults(OP_PANELPRODUCT, &attr);
        if (n->op == OP_MATMUL && worth_it(n, n->attr.MATMUL.trans_x)) {
            attr.PANELPRODUCT.trans_x = n->attr.MATMUL.trans_x;
            any |= cut(g, n, &attr, n->attr.MATMUL.trans_y);
        } else if (n->op == OP_GEMM && worth_it(n, n->attr.GEMM.trans_a)) {
            attr.PANELPRODUCT.trans_x = n->attr.GEMM.trans_a;
            attr.PANELPRODUCT.alpha = n->attr.GEMM.alpha;
            attr.PANELPRODUCT.beta = n->attr.GEMM.beta;
            any |= cut(g, n, &attr, n->attr.GEMM.trans_b);
        }
        while (g->node[i] != n) i++;
    }
    if (any) graph_remove_dead(g);
}
