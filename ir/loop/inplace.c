/* inplace y over z
 *
 *   kernel add(in x : f32[w8], in z : f32[w8],      kernel add(in x : f32[w8], in z : f32[w8],
 *              out y : f32[w8])                  →             out y : f32[w8] over z)
 *   { for w 8 { y[w] = x[w] + z[w]; } }             { for w 8 { y[w] = x[w] + z[w]; } }
 *
 * The result may be given the memory of an input, which is lost then; or memory of its own. Both give the same results:
 * that is proved here, of the kernel as it stands, and by the verifier again after each step that follows.
 *
 * y and z are f32 of one type, so of one layout, and no other result is over z. For each read of z and each store to y
 * one of these holds:
 *
 *   - they never touch the same element, whatever the iterations;
 *   - iterations of the two that touch the same element agree in all loops around both, and there the read stands before
 *     the store, or is part of its value.
 *
 * So every element of z is read for the last time before it is overwritten; and since loops around both include the
 * par and vec loops, by the same task and in the same lane. Nests at the top run at the same time and have no loop around
 * both: between these only the first counts. What is read of y itself the kernel has stored before, in either memory. */
#include "ir/loop/rewrite.h"

#include <string.h>

enum { MAX_DEPTH = 64 };

/* Where an access stands: its place in the text, and the loops and buffers around it, outermost first. */
typedef struct Use {
    Access access;
    int place;
    const Stmt *around[MAX_DEPTH];
    int n;
} Use;

typedef struct UseList {
    Use *v;
    int n, cap;
    int stores;  /* passed so far */
    Use at;      /* the way down to where the walk is */
    bool deeper; /* than MAX_DEPTH somewhere */
} UseList;

/* All accesses to buffer `buf`, reads or writes. */
static void collect(const Kernel *k, const Stmt *body, int buf, bool write, UseList *out) {
    for (const Stmt *s = body; s; s = s->next) {
        if (s->kind != STMT_STORE) {
            if (out->at.n == MAX_DEPTH) {
                out->deeper = true;
                return;
            }
            out->at.around[out->at.n++] = s;
            collect(k, s->body, buf, write, out);
            out->at.n--;
            continue;
        }
        AccessList list = {0};
        Stmt alone = *s;
        alone.next = NULL;
        accesses_collect(k->arena, &alone, buf, &list);
        for (int i = 0; i < list.n; i++) {
            if (list.v[i].write != write) continue;
            Use use = out->at;
            use.access = list.v[i];
            use.place = out->stores;
            ARENA_PUSH(k->arena, out->v, out->n, out->cap, use);
        }
        out->stores++;
    }
}

/* The second rule above. */
static bool read_first(const Kernel *k, const Use *read, const Use *store) {
    int vars[MAX_DEPTH], n = 0;
    bool one_nest = read->place == store->place || (read->n && store->n && read->around[0] == store->around[0]);
    if (!one_nest || read->place > store->place) return false;
    for (int i = 0; i < read->n && i < store->n && read->around[i] == store->around[i]; i++)
        if (read->around[i]->kind == STMT_FOR) vars[n++] = read->around[i]->var;
    return loops_differ(k, &store->access, &read->access, vars, n) < 0;
}

static bool fits(const Kernel *k, const Buf *y, Diag *d) {
    const Buf *z = &k->buf[y->over];
    if (z->kind != BUF_IN) return diag_fail(d, DIAG_INTERNAL, "kernel %s: %s is no input", k->name, z->name);
    if (z->type.dtype != DT_F32 || !type_equal(&y->type, &z->type))
        return diag_fail(d, DIAG_INTERNAL, "kernel %s: %s and %s are not f32 of one type", k->name, y->name, z->name);
    for (int i = 0; i < k->n_param; i++)
        if (&k->buf[i] != y && k->buf[i].is_over && k->buf[i].over == y->over)
            return diag_fail(d, DIAG_INTERNAL, "kernel %s: two results are over %s", k->name, z->name);
    return true;
}

static bool buf_verify(const Kernel *k, int buf, Diag *d) {
    const Buf *y = &k->buf[buf], *z = &k->buf[y->over];
    UseList reads = {0}, stores = {0};
    if (!fits(k, y, d)) return false;
    collect(k, k->body, y->over, false, &reads);
    collect(k, k->body, buf, true, &stores);
    if (reads.deeper || stores.deeper)
        return diag_fail(d, DIAG_INTERNAL, "kernel %s: more than %d loops around a statement", k->name, MAX_DEPTH);
    for (int i = 0; i < reads.n; i++) {
        if (reads.v[i].access.take)
            return diag_fail(d, DIAG_INTERNAL, "kernel %s: %s is read at places that are known at run time only (take)",
                             k->name, z->name);
        for (int j = 0; j < stores.n; j++)
            if (!accesses_disjoint(k, &reads.v[i].access, &stores.v[j].access) &&
                !read_first(k, &reads.v[i], &stores.v[j]))
                return diag_fail(d, DIAG_INTERNAL, "kernel %s: an element of %s may be read after it was stored to %s",
                                 k->name, z->name, y->name);
    }
    return true;
}

bool inplace_verify(const Kernel *k, Diag *d) {
    for (int i = 0; i < k->n_param; i++)
        if (k->buf[i].is_over && !buf_verify(k, i, d)) return false;
    return true;
}

static int param_named(const Kernel *k, const char *name, BufKind kind, Diag *d) {
    for (int i = 0; i < k->n_param; i++)
        if (k->buf[i].kind == kind && strcmp(k->buf[i].name, name) == 0) return i;
    diag_fail(d, DIAG_SPEC, "no %s named %s", kind == BUF_IN ? "input" : "result", name);
    return -1;
}

bool step_inplace(Kernel *k, Lexer *l, Diag *d) {
    const char *name, *over;
    if (!lex_name(l, &name) || !lex_want(l, "over") || !lex_name(l, &over)) return false;
    int y = param_named(k, name, BUF_OUT, d), z = y < 0 ? -1 : param_named(k, over, BUF_IN, d);
    if (z < 0) return false;
    if (k->buf[y].is_over) return diag_fail(d, DIAG_SPEC, "%s is over %s already", name, k->buf[k->buf[y].over].name);
    if (z > y) return diag_fail(d, DIAG_SPEC, "%s does not stand before %s", over, name);
    k->buf[y].is_over = true;
    k->buf[y].over = z;
    return true; /* the verifier proves it */
}
