/* order O h wo C kh kw c wi o
 *
 *   for O { for h { for wo { for wi { for o {           for O { for h { for wo {
 *       y = b                                               for wi { for o { y = b } }
 *       for C { … { y += x*w } }                    →       for C { … { for wi { for o { y += x*w } } } }
 *       y = max(0, y)                                       for wi { for o { y = max(0, y) } }
 *   } } } } }                                           } } }
 *
 * Each statement's loops are sorted as listed; neighbours share the loops they have in common from
 * the outside. So an imperfect nest is distributed as far as the order asks.
 *
 * Legal when everything that one statement writes and another touches is either disjoint, or has
 * the same subscripts in both and these tell the iterations of every loop the two share apart (y[i + j]
 * does not, though it has both loops): then only iterations that agree in those loops depend on each
 * other, and these stay in textual order. The same holds within one statement, but a reduction (+=,
 * max=) whose value does not read the target may be done in any order, and the order given is the one
 * that is meant from then on. */
#include "ir/loop/rewrite.h"

#include <string.h>

typedef struct Leaf {
    const Stmt *store;
    const Stmt *path[MAX_AXES * 4];
    int depth;
} Leaf;
typedef struct LeafList {
    Leaf *v;
    int n, cap;
} LeafList;

typedef struct Order {
    const char **name;
    int n, cap;
} Order;

static int order_rank(const Order *o, const char *name) {
    for (int i = 0; i < o->n; i++)
        if (strcmp(o->name[i], name) == 0) return i;
    return -1;
}

static bool leaves_collect(Kernel *k, const Stmt *s, Leaf *path, LeafList *out, Diag *d) {
    for (; s; s = s->next) {
        switch (s->kind) {
        case STMT_STORE: {
            Leaf leaf = *path;
            leaf.store = s;
            ARENA_PUSH(k->arena, out->v, out->n, out->cap, leaf);
            break;
        }
        case STMT_FOR:
            if (s->mark != MARK_FOR)
                return diag_fail(d, DIAG_SPEC, "loop %s is marked already: order comes before par, unroll and vec",
                                 k->var[s->var].name);
            if (path->depth == (int)COUNT_OF(path->path))
                return diag_fail(d, DIAG_SPEC, "more than %d loops deep", (int)COUNT_OF(path->path));
            path->path[path->depth++] = s;
            if (!leaves_collect(k, s->body, path, out, d)) return false;
            path->depth--;
            break;
        case STMT_PREFETCH: return diag_fail(d, DIAG_SPEC, "there is a prefetch already: order comes before prefetch");
        case STMT_ALLOC:
            return diag_fail(d, DIAG_SPEC, "%s is staged already: order comes before stage", k->buf[s->buf].name);
        }
    }
    return true;
}

static bool leaf_has(const Leaf *leaf, const Stmt *loop) {
    for (int i = 0; i < leaf->depth; i++)
        if (leaf->path[i] == loop) return true;
    return false;
}

/* One access of leaf x and one of leaf y, one of them a write. */
static bool pair_keeps(Kernel *k, const Leaf *x, const Access *ax, const Leaf *y, const Access *ay, Diag *d) {
    const char *buf = k->buf[ax->buf].name;
    if (accesses_disjoint(k, ax, ay)) return true;
    if (!subs_equal(k, ax->buf, ax->sub, ay->sub))
        return diag_fail(d, DIAG_SPEC, "%s is used with different subscripts, so its order cannot change", buf);
    if (x == y && x->store->op != STORE_SET && ax->write && ay->write) return true;
    int vars[COUNT_OF(x->path)], n = 0;
    for (int i = 0; i < x->depth; i++)
        if (leaf_has(y, x->path[i])) vars[n++] = x->path[i]->var;
    int differs = loops_differ(k, ax, ay, vars, n);
    if (differs < 0) return true;
    return diag_fail(d, DIAG_SPEC, "%s is used again in each iteration of loop %s, so its order cannot change", buf,
                     k->var[differs].name);
}

static void leaf_accesses(Kernel *k, const Leaf *leaf, AccessList *out) {
    Stmt alone = *leaf->store;
    alone.next = NULL;
    accesses_collect(k->arena, &alone, -1, out);
}

static bool order_legal(Kernel *k, const LeafList *leaves, Diag *d) {
    for (int i = 0; i < leaves->n; i++) {
        AccessList x = {0};
        leaf_accesses(k, &leaves->v[i], &x);
        for (int j = 0; j <= i; j++) {
            AccessList y = {0};
            leaf_accesses(k, &leaves->v[j], &y);
            for (int a = 0; a < x.n; a++)
                for (int b = 0; b < y.n; b++)
                    if (x.v[a].buf == y.v[b].buf && (x.v[a].write || y.v[b].write) &&
                        !pair_keeps(k, &leaves->v[i], &x.v[a], &leaves->v[j], &y.v[b], d))
                        return false;
        }
    }
    return true;
}

static bool leaf_sort(const Kernel *k, const Order *o, Leaf *leaf, Diag *d) {
    for (int i = 0; i < leaf->depth; i++)
        if (order_rank(o, k->var[leaf->path[i]->var].name) < 0)
            return diag_fail(d, DIAG_SPEC, "loop %s is not listed", k->var[leaf->path[i]->var].name);
    for (int i = 1; i < leaf->depth; i++)
        for (int j = i; j > 0; j--) {
            const Stmt *a = leaf->path[j - 1], *b = leaf->path[j];
            if (order_rank(o, k->var[a->var].name) <= order_rank(o, k->var[b->var].name)) break;
            leaf->path[j - 1] = b;
            leaf->path[j] = a;
        }
    return true;
}

/* Leaves first … last−1 agree in their first `depth` loops: the statements below them. A loop that
 * comes a second time gets a variable of its own. */
static Stmt *order_build(Kernel *k, LeafList *leaves, int first, int last, int depth, bool *used) {
    Stmt *list = NULL;
    for (int i = first; i < last;) {
        const Leaf *leaf = &leaves->v[i];
        if (leaf->depth == depth) {
            Stmt *s = arena_copy(k->arena, leaf->store, sizeof *leaf->store);
            s->next = NULL;
            list = stmt_append(list, s);
            i++;
            continue;
        }
        const Stmt *loop = leaf->path[depth];
        int end = i + 1;
        while (end < last && leaves->v[end].depth > depth && leaves->v[end].path[depth] == loop) end++;
        Stmt *made = stmt_for(k, loop->var, MARK_FOR, order_build(k, leaves, i, end, depth + 1, used));
        made->guard = loop->guard;
        if (used[loop->var]) made = stmt_fresh(k, made);
        used[loop->var] = true;
        list = stmt_append(list, made);
        i = end;
    }
    return list;
}

static bool nest_has(const Kernel *k, const Order *o, const Stmt *s) {
    for (; s; s = s->next)
        if ((s->kind == STMT_FOR && order_rank(o, k->var[s->var].name) >= 0) || nest_has(k, o, s->body)) return true;
    return false;
}

static bool order_nest(Kernel *k, const Order *o, Stmt *nest, Stmt **out, Diag *d) {
    LeafList leaves = {0};
    Leaf path = {0};
    if (!leaves_collect(k, nest, &path, &leaves, d) || !order_legal(k, &leaves, d)) return false;
    for (int i = 0; i < leaves.n; i++)
        if (!leaf_sort(k, o, &leaves.v[i], d)) return false;
    /* a variable that was used and copied keeps its place in this table: k->n_var may grow */
    bool *used = ARENA_ARRAY(k->arena, bool, k->n_var);
    *out = order_build(k, &leaves, 0, leaves.n, 0, used);
    return true;
}

static bool has_scratch(const Kernel *k, const Stmt *s) {
    bool own = s->kind == STMT_ALLOC && k->buf[s->buf].kind == BUF_SCRATCH;
    for (const Stmt *b = s->body; b && !own; b = b->next) own = has_scratch(k, b);
    return own;
}

/* The nests of a list, each by itself. Where scratch lives the loops around it stay: what stands there are nests of their own. */
static bool order_list(Kernel *k, const Order *o, Stmt **link, bool *any, Diag *d) {
    while (*link) {
        Stmt *nest = *link, *after = nest->next, *made = nest;
        nest->next = NULL;
        bool listed = nest_has(k, o, nest), around = has_scratch(k, nest);
        if (listed && around && nest->kind == STMT_FOR && order_rank(o, k->var[nest->var].name) >= 0)
            return diag_fail(d, DIAG_SPEC, "loop %s has scratch inside, so it keeps its place", k->var[nest->var].name);
        if (listed && around && !order_list(k, o, &nest->body, any, d)) return false;
        if (listed && !around) {
            *any = true;
            if (!order_nest(k, o, nest, &made, d)) return false;
        }
        *link = made;
        while (*link) link = &(*link)->next;
        *link = after;
    }
    return true;
}

bool step_order(Kernel *k, Lexer *l, Diag *d) {
    Order o = {0};
    while (l->kind == TOK_NAME) {
        if (order_rank(&o, l->text) >= 0) return diag_fail(d, DIAG_SPEC, "loop %s is listed twice", l->text);
        bool there = false;
        for (int i = 0; i < k->n_var; i++) there |= strcmp(k->var[i].name, l->text) == 0;
        if (!there) return diag_fail(d, DIAG_SPEC, "no loop named %s", l->text);
        ARENA_PUSH(k->arena, o.name, o.n, o.cap, l->text);
        lex_next(l);
    }
    bool any = false;
    if (!order_list(k, &o, &k->body, &any, d)) return false;
    return any || diag_fail(d, DIAG_SPEC, "no loops are listed");
}
