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

/* Room to know the nodes up to `count`. */
static void reserve(Import *im, int count) {
    if (count <= im->n_known) return;
    RefTensor **known = ARENA_ARRAY(im->a, RefTensor *, 2 * (size_t)count);
    if (im->n_known) memcpy(known, im->known, sizeof *known * (size_t)im->n_known);
    im->known = known;
    im->needed = ARENA_ARRAY(im->a, bool, 2 * (size_t)count);
    im->n_known = 2 * count;
}

/* Marks what `wanted` needs and is not known yet, and gives the first of it; inputs come before the nodes that read them. */
static int mark_needed(Import *im, const Node *wanted) {
    int first = wanted->id, open = 1;
    im->needed[wanted->id] = true;
    for (int i = wanted->id; open > 0; i--) {
        if (!im->needed[i]) continue;
        first = i;
        open--;
        const Node *n = im->g->node[i];
        for (int k = 0; k < n->n_in; k++) {
            int id = n->in[k]->id;
            if (im->known[id] || im->needed[id]) continue;
            im->needed[id] = true;
            open++;
        }
    }
    return first;
}

enum { MOST_WORK = 1 << 30 }; /* products and comparisons of all constants: some seconds */

static double window(const Dims *kernel) {
    double n = 1;
    for (int i = 0; i < kernel->n; i++) n *= kernel->v[i];
    return n;
}

/* About how many numbers n looks at. */
static double work_of(const Node *n) {
    double out = (double)type_elements(&n->type), other = n->n_in > 1 ? (double)type_elements(&n->in[1]->type) : 0;
    if (n->op == OP_CONV) return out * other / n->attr.CONV.out;
    if (n->op == OP_CONVTRANSPOSE) return out * other / n->attr.CONVTRANSPOSE.out;
    if (n->op == OP_DENSE) return out * other / n->attr.DENSE.out;
    if (n->op == OP_MATMUL || n->op == OP_GEMM) return sqrt(out * other * (double)type_elements(&n->in[0]->type));
    if (n->op == OP_MAXPOOL) return out * window(&n->attr.MAXPOOL.kernel);
    if (n->op == OP_MAXPOOLINDEX) return out * window(&n->attr.MAXPOOLINDEX.kernel);
    if (n->op == OP_AVGPOOL) return out * window(&n->attr.AVGPOOL.kernel);
    if (n->op == OP_LPPOOL) return out * window(&n->attr.LPPOOL.kernel);
    return out;
}

static RefTensor *evaluate_node(Import *im, const Node *n) {
    if (n->op == OP_WEIGHT) return tensor_of(im, n, bound_to(im, n));
    const RefTensor **in = ARENA_ARRAY(im->a, const RefTensor *, n->n_in + 4); /* NULL: optional ones */
    for (int k = 0; k < n->n_in; k++) in[k] = im->known[n->in[k]->id];
    RefTensor *y = tensor_new(im, &n->type);
    im->work += work_of(n);
    if (y && im->work > MOST_WORK) {
        import_fail(im, DIAG_UNSUPPORTED, "constant '%s' takes too long to compute", n->name);
        return NULL;
    }
    if (!y) return NULL;
    op_table[n->op].eval(im->a, n, in, y);
    for (int64_t i = 0; n->type.dtype != DT_F32 && i < type_elements(&n->type); i++)
        y->v[i] = trunc(y->v[i]); /* 5 / 2 of integers is 2 for what reads it too */
    return y;
}

/* Every node once, however many ask for it. */
static RefTensor *evaluate(Import *im, const Node *wanted) {
    reserve(im, wanted->id + 1);
    if (im->known[wanted->id]) return im->known[wanted->id];
    for (int i = mark_needed(im, wanted); i <= wanted->id; i++) {
        if (!im->needed[i]) continue;
        im->needed[i] = false;
        im->known[i] = evaluate_node(im, im->g->node[i]);
        if (!im->known[i]) return NULL;
    }
    return im->known[wanted->id];
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
