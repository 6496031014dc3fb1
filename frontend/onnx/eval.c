/* The value of what is made of constants: shape arithmetic, scaled weights. Nodes are evaluated by the reference's functions, in
 * double, in which integers below 2^53 are exact. */
#include "frontend/onnx/import.h"

#include <math.h>
#include <string.h>

static RefTensor *tensor_new(Import *im, const Type *type) {
    RefTensor *t = ARENA_NEW(im->a, RefTensor);
    t->type = type_plain(type);
    t->v = const_room(im, sizeof *t->v, type_elements(type));
    return t->v ? t : NULL;
}

static RefTensor *tensor_of(Import *im, const Node *n, const Const *c) {
    RefTensor *t = tensor_new(im, &n->type);
    for (int64_t i = 0; t && i < c->n; i++) t->v[i] = c->f ? (double)c->f[i] : (double)c->i[i];
    return t;
}

static const Const *bound_to(const Import *im, const Node *n) {
    for (int i = im->n_weight - 1; i >= 0; i--)
        if (im->weight[i].node == n) return im->weight[i].value;
    return NULL;
}

/* All values up to n that n needs; a graph in order has no cycles. */
static RefTensor *evaluate(Import *im, const Node *wanted) {
    int count = wanted->id + 1;
    bool *needed = ARENA_ARRAY(im->a, bool, count);
    RefTensor **value = ARENA_ARRAY(im->a, RefTensor *, count);
    needed[wanted->id] = true;
    for (int i = wanted->id; i >= 0; i--)
        for (int k = 0; needed[i] && k < im->g->node[i]->n_in; k++) needed[im->g->node[i]->in[k]->id] = true;
    for (int i = 0; i < count; i++) {
        const Node *n = im->g->node[i];
        if (!needed[i]) continue;
        if (n->op == OP_WEIGHT) {
            value[i] = tensor_of(im, n, bound_to(im, n));
        } else {
            const RefTensor **in = ARENA_ARRAY(im->a, const RefTensor *, n->n_in + 4); /* NULL: optional ones */
            for (int k = 0; k < n->n_in; k++) in[k] = value[n->in[k]->id];
            value[i] = tensor_new(im, &n->type);
            if (value[i]) op_table[n->op].eval(im->a, n, in, value[i]);
        }
        if (!value[i]) return NULL;
    }
    return value[wanted->id];
}

static int64_t whole(double v) { return v >= 0x1p63 ? INT64_MAX : v > -0x1p63 ? (int64_t)v : isnan(v) ? 0 : INT64_MIN; }

const Const *node_const(Import *im, const Node *n) {
    const RefTensor *t = evaluate(im, n);
    if (!t) return NULL;
    Const *c = ARENA_NEW(im->a, Const);
    *c = (Const){.dtype = n->type.dtype, .rank = n->type.rank, .n = type_elements(&n->type)};
    node_dims(n, c->dim);
    if (c->dtype == DT_F32) {
        float *f = const_room(im, sizeof *f, c->n);
        for (int64_t i = 0; f && i < c->n; i++) f[i] = (float)t->v[i];
        c->f = f;
    } else {
        int64_t *v = const_room(im, sizeof *v, c->n);
        for (int64_t i = 0; v && i < c->n; i++) v[i] = whole(t->v[i]);
        c->i = v;
    }
    return c->f || c->i ? c : NULL;
}

Node *const_node(Import *im, const Const *c) {
    Type type;
    Diag why = {0};
    const char *name =
        im->node ? import_fresh(im, arena_printf(im->a, "%.100s.constant", import_name(im->a, import_node_name(im))))
                 : import_fresh(im, "constant");
    Node *n = type_of_rank(&type, c->dtype, c->rank, c->dim, &why)
                  ? graph_weight(im->g, name, (SrcLoc){im->path, im->index + 1}, &type, &why)
                  : NULL;
    if (!n) {
        import_fail(im, why.kind, "a constant: %s", why.text);
        return NULL;
    }
    Bound bound = {n, c};
    ARENA_PUSH(im->a, im->weight, im->n_weight, im->cap_weight, bound);
    return n;
}
