/* fold: batch norms disappear.
 *
 *   c: conv(x, w, b?)          c: conv(x, scalerows(w, s), bnshift(beta, mean, s, b?))
 *   y: batchnorm(c, …)    →        s = bnscale(gamma, var)
 *
 *   y: batchnorm(x, …)    →    y: scaleshift(x, s, bnshift(beta, mean, s))
 *
 * Needs nothing. The first form when nobody else uses the convolution (or dense layer) and its weight
 * and bias are constants. The constant nodes are evaluated in double when weights are packed and rounded
 * once. Sets: no BATCHNORM is left. */
#include "ir/passes.h"

static Node *insert(Graph *g, Node *before, Op op, const char *suffix, Node *const *in, int n_in, const AttrAny *attr) {
    const char *name = graph_fresh_name(g, arena_printf(g->arena, "%s.%s", before->name, suffix));
    Node *n = graph_insert(g, before, op, name, in, n_in, attr);
    n->loc = before->loc;
    return n;
}

static bool takes_scale(const Graph *g, const Node *x) {
    if ((x->op != OP_CONV && x->op != OP_DENSE) || graph_count_uses(g, x) != 1) return false;
    for (int i = 1; i < x->n_in; i++)
        if (!graph_is_constant(x->in[i])) return false;
    return true;
}

static void fold_batchnorm(Graph *g, Node *bn) {
    Node *x = bn->in[0], *gamma = bn->in[1], *beta = bn->in[2], *mean = bn->in[3], *var = bn->in[4], *made;
    AttrAny attr;
    attr_defaults(OP_BNSCALE, &attr);
    attr.BNSCALE.eps = bn->attr.BATCHNORM.eps;
    Node *scale = insert(g, bn, OP_BNSCALE, "scale", (Node *[]){gamma, var}, 2, &attr);
    bool into = takes_scale(g, x);
    bool has_bias = into && x->n_in > 2;
    attr_defaults(OP_BNSHIFT, &attr);
    Node *shift = insert(g, bn, OP_BNSHIFT, "shift", (Node *[]){beta, mean, scale, has_bias ? x->in[2] : NULL},
                         has_bias ? 4 : 3, &attr);
    if (into) {
        attr_defaults(OP_SCALEROWS, &attr);
        Node *weight = insert(g, bn, OP_SCALEROWS, "rows", (Node *[]){x->in[1], scale}, 2, &attr);
        attr = x->attr;
        if (x->op == OP_CONV) attr.CONV.bias = 1;
        else attr.DENSE.bias = 1;
        made = insert(g, bn, x->op, "folded", (Node *[]){x->in[0], weight, shift}, 3, &attr);
    } else {
        attr_defaults(OP_SCALESHIFT, &attr);
        made = insert(g, bn, OP_SCALESHIFT, "folded", (Node *[]){x, scale, shift}, 3, &attr);
    }
    made->origin = bn->origin;
    made->schedule = into && x->schedule ? x->schedule : bn->schedule;
    graph_replace_uses(g, bn, made, NULL);
    const char *name = into ? x->name : bn->name;
    (into ? x : bn)->name = arena_printf(g->arena, "%s.unfolded", name); /* dead from here on */
    made->name = name;
}

void pass_fold(Graph *g, PassContext *c) {
    (void)c;
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->op == OP_BATCHNORM && graph_count_uses(g, g->node[i]) > 0) {
            Node *bn = g->node[i];
            fold_batchnorm(g, bn);
            while (g->node[i] != bn) i++;
        }
    graph_remove_dead(g);
}
