/* clip kh
 *
 *   for kh 3 { … y[…] += x[c, h + kh, w]*u[…] … }   →   for kh 3 if 1 <= h + kh < 57 { … }
 *
 * Iterations of a reduction that meet nothing but the halo of an input are left out. Legal where all that the loop holds
 * is y += x, y += x*u with a halo of 0, or y max= x with a halo of −inf, for one input x that the loop moves along one axis,
 * together with loops outside it only. Then what is left out adds 0 (or is below everything): the result is the same but for the
 * sign of a zero, and for infinities and NaNs in u, which times 0 are a NaN. */
#include "ir/loop/rewrite.h"

#include <math.h>
#include <string.h>

/* The load that makes the value nothing in the halo; NULL if there is none. */
static const Expr *halo_load(const Kernel *k, const Stmt *store, const Expr *e) {
    if (e->kind == EXPR_LOAD) {
        float nothing = store->op == STORE_MAX ? -INFINITY : 0;
        return k->buf[e->buf].kind == BUF_IN && !e->take && k->buf[e->buf].halo == nothing ? e : NULL;
    }
    if (store->op != STORE_ADD || e->kind != EXPR_CALL || e->fn != FN_MUL) return NULL;
    for (int i = 0; i < 2; i++) {
        const Expr *x = e->arg[i]->kind == EXPR_LOAD ? halo_load(k, store, e->arg[i]) : NULL;
        for (int axis = 0; x && axis < k->buf[x->buf].type.rank; axis++)
            if (k->buf[x->buf].lo[axis] || k->buf[x->buf].hi[axis]) return x;
    }
    return NULL;
}

/* The condition that a store gives its loop; false with a message if it gives none. */
static bool store_guard(Kernel *k, const Stmt *loop, const bool *inside, const Stmt *store, Guard *g, Diag *d) {
    const char *name = k->var[loop->var].name, *target = k->buf[store->buf].name;
    const Expr *x = store->op == STORE_SET ? NULL : halo_load(k, store, store->value);
    if (!x) return diag_fail(d, DIAG_SPEC, "what is stored in %s does not vanish in a halo", target);
    for (int axis = 0; axis < k->buf[x->buf].type.rank; axis++) {
        const Buf *b = &k->buf[x->buf];
        const Affine *sub = &x->sub[axis];
        if (affine_coef(sub, loop->var) == 0 || (b->lo[axis] == 0 && b->hi[axis] == 0)) continue;
        for (int i = 0; i < sub->n; i++)
            if (inside[sub->term[i].var])
                return diag_fail(d, DIAG_SPEC, "%s moves along axis %c of %s with loop %s, which is inside", name,
                                 b->type.axis[axis].letter, b->name, k->var[sub->term[i].var].name);
        *g = (Guard){*sub, b->lo[axis], b->type.axis[axis].extent - b->hi[axis]};
        return true;
    }
    return diag_fail(d, DIAG_SPEC, "the loop does not move %s into a halo", k->buf[x->buf].name);
}

/* All stores in the list give the same condition. */
static bool list_guard(Kernel *k, const Stmt *loop, const bool *inside, const Stmt *s, Guard *g, bool *any, Diag *d) {
    for (; s; s = s->next) {
        if (s->kind == STMT_PREFETCH) continue;
        if (s->kind == STMT_ALLOC) return diag_fail(d, DIAG_SPEC, "%s lives inside the loop", k->buf[s->buf].name);
        if (s->kind == STMT_FOR) {
            if (!list_guard(k, loop, inside, s->body, g, any, d)) return false;
            continue;
        }
        Guard one;
        if (!store_guard(k, loop, inside, s, &one, d)) return false;
        if (*any && (one.lo != g->lo || one.hi != g->hi || !affine_equal(&one.form, &g->form)))
            return diag_fail(d, DIAG_SPEC, "two statements in the loop meet different halos");
        *g = one;
        *any = true;
    }
    return true;
}

static Stmt *clip_loop(Kernel *k, Stmt *loop, void *ctx, Diag *d) {
    Guard g;
    bool any = false;
    int64_t lo, hi;
    (void)ctx;
    if (loop->mark != MARK_FOR || loop->guard) {
        diag_fail(d, DIAG_SPEC,
                  loop->guard ? "the loop is clipped already"
                              : "the loop is marked already: clip comes before par, unroll and vec");
        return NULL;
    }
    if (!list_guard(k, loop, vars_bound(k->arena, k, loop->body), loop->body, &g, &any, d)) return NULL;
    affine_range(k, &g.form, &lo, &hi);
    if (lo < g.lo || hi >= g.hi) loop->guard = arena_copy(k->arena, &g, sizeof g); /* else it never meets the halo */
    return loop;
}

static bool has_guard(const Stmt *list) {
    for (; list; list = list->next)
        if ((list->kind == STMT_FOR && list->guard) || has_guard(list->body)) return true;
    return false;
}

bool step_clip(Kernel *k, Lexer *l, Diag *d) {
    const char *name;
    if (!lex_name(l, &name) || !loops_replace(k, name, clip_loop, NULL, d)) return false;
    return has_guard(k->body) || diag_fail(d, DIAG_SPEC, "loop %s meets no halo", name);
}
