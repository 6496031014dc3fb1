#include "frontend/indices.h"

#include <stdio.h>

/* The result has all elements of the inputs, in whatever order. */
static bool keeps_elements(const Node *n) {
    static const Op ops[] = {OP_IDENTITY,  OP_FLATTEN, OP_RESHAPE, OP_SQUEEZE, OP_UNSQUEEZE,
                             OP_TRANSPOSE, OP_REVERSE, OP_EXPAND,  OP_CONCAT};
    if (n->op == OP_CAST) return n->type.dtype != DT_BOOL && n->type.dtype != DT_U8;
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        if (n->op == ops[i]) return true;
    return false;
}

int64_t index_places(const Node *user) {
    if (!user || user->op != OP_GATHER) return 0;
    Type x = type_plain(&user->in[0]->type);
    int axis = user->attr.GATHER.axis;
    return x.axis[axis < 0 ? axis + x.rank : axis].extent;
}

/* Of two users (or NULL) the one that asks for more. */
static const Node *stricter(const Node *x, const Node *y) {
    int64_t a = index_places(x), b = index_places(y);
    if (!x || !y) return x ? x : y;
    return a && (!b || a <= b) ? x : y;
}

const Node **index_users(Arena *a, const Graph *g) {
    const Node **user = ARENA_ARRAY(a, const Node *, g->n_node);
    for (int i = g->n_node - 1; i >= 0; i--) { /* users stand after what they use */
        const Node *n = g->node[i];
        for (int j = 0; j < n->n_in; j++) {
            const Node **of = &user[n->in[j]->id];
            if (keeps_elements(n)) *of = stricter(*of, user[i]);
            if (j == 1 && (n->op == OP_GATHER || n->op == OP_MAXUNPOOL)) *of = stricter(*of, n);
        }
    }
    return user;
}

/* Element i of x may go to a place of its window, pressed into the plane where that reaches beyond. */
static int64_t unpool_draw(const Node *n, int64_t i, uint64_t draw) {
    const MAXUNPOOL_attr *a = &n->attr.MAXUNPOOL;
    Type x = type_plain(&n->in[0]->type), y = type_plain(&n->type);
    int64_t at = 0, step = 1;
    for (int axis = a->kernel.n - 1; axis >= 0; axis--) {
        int64_t extent = x.axis[2 + axis].extent, most = y.axis[2 + axis].extent - 1;
        int64_t place =
            i % extent * a->stride.v[axis] - a->pad.lo[axis] + (int64_t)(draw % (uint64_t)a->kernel.v[axis]);
        at += (place < 0 ? 0 : place > most ? most : place) * step;
        step *= most + 1;
        i /= extent;
        draw /= (uint64_t)a->kernel.v[axis];
    }
    return a->count ? i % ((int64_t)x.axis[0].extent * x.axis[1].extent) * step + at : at;
}

int64_t index_draw(const Node *user, int64_t i, uint64_t draw) {
    if (user->op == OP_MAXUNPOOL) return unpool_draw(user, i, draw);
    return (int64_t)(draw % (uint64_t)index_places(user));
}

bool index_check(const Type *t, const void *data, int64_t places, const char *name, Diag *d) {
    int64_t n = type_elements(t);
    for (int64_t i = 0; i < n; i++) {
        double v = dtype_get(t->dtype, data, i);
        if (v > -(double)places - (t->dtype == DT_F32 ? 1 : 0.5) && v < (double)places) continue; /* a cast truncates */
        char value[40];
        if (t->dtype == DT_I64) snprintf(value, sizeof value, "%lld", (long long)((const int64_t *)data)[i]);
        else snprintf(value, sizeof value, "%.9g", v);
        return diag_fail(d, DIAG_FILE, "%s: element %lld is %s, not in %lld … %lld", name, (long long)i, value,
                         -(long long)places, (long long)places - 1);
    }
    return true;
}
