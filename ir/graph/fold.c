/* fold: batch norms disappear, and reductions of whole planes become pools, which blocked channels suit.
 *
 *   c: conv(x, w, b?)          c: conv(x, scalerows(w, s), bnshift(beta, mean, s, b?))
 *   y: batchnorm(c, …)    →        s = bnscale(gamma, var)
 *
 *   (of a transposed convolution, whose weight has the input channels first: scalerows(turnweight(w), s))
 *
 *   y: batchnorm(x, …)    →    y: scaleshift(x, s, bnshift(beta, mean, s))
 *   y: reducemean(x) axes=[2 3]    →    y: globalavgpool(x), and a flatten where the axes do not stay
 *
 * Needs nothing. The first form when nobody else uses the convolution (transposed, or dense layer) and its weight
 * and bias are constants. The constant nodes are evaluated in double when weights are packed and rounded
 * once. Sets: no BATCHNORM is left but in training mode, and that without the stored statistics. */
#include "ir/passes.h"

static Node *insert(Graph *g, Node *before, Op op, const char *suffix, Node *const *in, int n_in, const AttrAny *attr) {
    const char *name = graph_fresh_name(g, arena_printf(g->arena, "%s.%s", before->name, suffix));
    Node *n = graph_insert(g, before, op, name, in, n_in, attr);
    n->loc = before->loc;
    return n;
}

static bool takes_scale(const Graph *g, const Node *x) {
    if ((x->op != OP_CONV && x->op != OP_CONVTRANSPOSE && x->op != OP_DENSE) || graph_count_uses(g, x) != 1) return false;
    for (int i = 1; i < x->n_in; i++)
        if (!graph_is_constant(x->in[i])) return false;
    return true;
}

/* The weight of x with its output channels first. */
static Node *rows_of(Graph *g, Node *bn, Node *x) {
    AttrAny attr;
    if (x->op != OP_CONVTRANSPOSE || type_plain(&x->in[1]->type).axis[0].letter == 'o') /* turned for a norm before */
        return x->in[1];
    attr_defaults(OP_TURNWEIGHT, &attr);
    attr.TURNWEIGHT.groups = x->attr.CONVTRANSPOSE.groups;
    return insert(g, bn, OP_TURNWEIGHT, "turned", &x->in[1], 1, &attr);
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
        Node *rows = rows_of(g, bn, x);
        attr_defaults(OP_SCALEROWS, &attr);
        Node *weight = insert(g, bn, OP_SCALEROWS, "rows", (Node *[]){rows, scale}, 2, &attr);
        attr = x->attr;
        if (x->op == OP_CONV) attr.CONV.bias = 1;
        else if (x->op == OP_CONVTRANSPOSE) attr.CONVTRANSPOSE.bias = 1;
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

/* The pool that a reduction of all positions is; OP_COUNT: it is none. */
static Op pool_of(const Node *n) {
    Op pool = n->op == OP_REDUCEMEAN ? OP_GLOBALAVGPOOL : n->op == OP_REDUCEMAX ? OP_GLOBALMAXPOOL : OP_COUNT;
    if (pool == OP_COUNT || n->in[0]->type.dtype != DT_F32) return OP_COUNT;
    const Ints *axes = n->op == OP_REDUCEMEAN ? &n->attr.REDUCEMEAN.axes : &n->attr.REDUCEMAX.axes;
    int rank = type_plain(&n->in[0]->type).rank;
    unsigned seen = 0;
    for (int i = 0; i < axes->n; i++) seen |= 1u << (axes->v[i] < 0 ? axes->v[i] + rank : axes->v[i]);
    return rank > 2 && rank <= 2 + MAX_SPATIAL && seen == (1u << rank) - 4 ? pool : OP_COUNT;
}

static void fold_reduction(Graph *g, Node *n) {
    Node *made = insert(g, n, pool_of(n), "pool", n->in, 1, NULL);
    bool keep = n->op == OP_REDUCEMEAN ? n->attr.REDUCEMEAN.keep : n->attr.REDUCEMAX.keep;
    if (!keep) made = insert(g, n, OP_FLATTEN, "flat", &made, 1, NULL);
    made->origin = n->origin;
    made->schedule = n->schedule;
    graph_replace_uses(g, n, made, NULL);
    const char *name = n->name;
    n->name = arena_printf(g->arena, "%s.unfolded", name); /* dead from here on */
    made->name = name;
}

void pass_fold(Graph *g, PassContext *c) {
    (void)c;
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->op == OP_BATCHNORM && g->node[i]->attr.BATCHNORM.training) {
            g->node[i]->n_in = 3;
        } else if (pool_of(g->node[i]) != OP_COUNT && graph_count_uses(g, g->node[i]) > 0) {
            Node *n = g->node[i];
            fold_reduction(g, n);
            while (g->node[i] != n) i++;
        } else if (g->node[i]->op == OP_BATCHNORM && graph_count_uses(g, g->node[i]) > 0) {
            Node *bn = g->node[i];
            fold_batchnorm(g, bn);
            while (g->node[i] != bn) i++;
        }
    graph_remove_dead(g);
}
