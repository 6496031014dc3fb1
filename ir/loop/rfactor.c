/* rfactor c 4 -> ci
 *
 *   for c 18 { for o { y[o] += e(c, o) } }   →   reg part : f32[p4 o16] {
 *                                                    for ci 4 { for o { part[ci, o] = 0 } }
 *                                                    for c 4 { for ci 4 { for o { part[ci, o] += e(4*c + ci, o) } } }
 *                                                    for ci 2 { for o { part[ci, o] += e(ci + 16, o) } }
 *                                                    for o { y[o] += (part[0, o] + part[1, o]) + (part[2, o] + part[3, o]) }
 *                                                }
 *
 * A reduction becomes k running sums joined by a fixed tree: independent chains hide the latency of
 * the addition, and `vec ci` can follow. The answer changes within the rounding bound and is the same
 * for any number of threads. Legal for a loop that holds one += or max= whose target does not move with it
 * and is not read by the value. */
#include "ir/loop/rewrite.h"

#include <math.h>
#include <string.h>

typedef struct Factor {
    int64_t k;
    const char *name;
    int buf;
    Tile tile;
    int reg, axis_of[MAX_AXES];
    int inner; /* the loop over the running sums, for the subscript being made */
} Factor;

static const Affine *factor_sub(Kernel *k, const Factor *f, const Affine *sub, Affine which) {
    Arena *a = k->arena;
    int rank = k->buf[f->reg].type.rank;
    Affine *out = ARENA_ARRAY(a, Affine, rank);
    out[0] = which;
    for (int i = 1; i < rank; i++) {
        int axis = f->axis_of[i];
        out[i] = tile_inside(k, &f->tile, axis, sub[axis]);
    }
    return out;
}

static const Stmt *only_store(const Stmt *s) {
    while (s && !s->next && s->kind == STMT_FOR) s = s->body;
    return s && !s->next && s->kind == STMT_STORE && s->op != STORE_SET ? s : NULL;
}

/* The value reads what the statement adds to: each addition then depends on the one before. */
static bool reads_target(Kernel *k, const Stmt *body, const Stmt *store) {
    AccessList list = {0};
    accesses_collect(k->arena, body, store->buf, &list);
    const Access *target = &list.v[list.n - 1]; /* a store's reads come before its write */
    for (int i = 0; i < list.n - 1; i++)
        if (!accesses_disjoint(k, &list.v[i], target)) return true;
    return false;
}

/* The loops of `body` that the target moves with, around a new store. */
static Stmt *with_loops(Kernel *k, const Stmt *body, const Stmt *store, int rank, Stmt *inside) {
    if (body == store) return inside;
    bool needed = false;
    for (int i = 0; i < rank; i++) needed |= affine_coef(&store->sub[i], body->var) != 0;
    Stmt *in = with_loops(k, body->body, store, rank, inside);
    return needed ? stmt_for(k, body->var, MARK_FOR, in) : in;
}

static const Expr *join(Kernel *k, const Factor *f, const Stmt *store, int64_t lo, int64_t hi) {
    if (hi - lo == 1) return expr_load(k, f->reg, factor_sub(k, f, store->sub, affine_const(lo)));
    int64_t mid = lo + (hi - lo + 1) / 2;
    return expr_call(k->arena, store->op == STORE_ADD ? FN_ADD : FN_MAX, join(k, f, store, lo, mid),
                     join(k, f, store, mid, hi), NULL, NULL);
}

/* for ci width { body with the loop's variable at outer·k + base + ci, target part[ci, …] } */
static Stmt *part_loop(Kernel *k, const Factor *f, const Stmt *loop, const Stmt *store, Affine base, int64_t width) {
    int var = kernel_add_var(k, f->name, width);
    Affine at = affine_add(k->arena, base, affine_var(k->arena, var));
    Rewrite r = {.k = k, .var = loop->var, .by = at, .from = -1};
    Stmt *body = stmt_rewrite(&r, loop->body), *target = body;
    while (target->kind == STMT_FOR) target = target->body;
    target->buf = f->reg;
    target->sub = factor_sub(k, f, store->sub, affine_var(k->arena, var));
    return stmt_for(k, var, MARK_FOR, stmt_fresh(k, body));
}

static Stmt *factor_loop(Kernel *k, Stmt *loop, void *ctx, Diag *d) {
    Factor *f = ctx;
    const Stmt *store = only_store(loop->body);
    int64_t extent = k->var[loop->var].extent;
    const char *why = NULL;
    if (!store) why = "the loop must hold one += or max= and nothing else";
    else if (loop->mark != MARK_FOR) why = "the loop is marked already";
    else if (loop->guard || stmts_late(loop->body))
        why = "the loop has a condition or a prefetch: rfactor comes before clip and prefetch";
    else if (reads_target(k, loop->body, store)) why = "the value reads what is added to";
    else if (f->k > extent) why = "there are more running sums than iterations";
    if (why) {
        diag_fail(d, DIAG_SPEC, "%s", why);
        return NULL;
    }
    f->buf = store->buf;
    int rank = k->buf[f->buf].type.rank;
    for (int i = 0; i < rank; i++)
        if (affine_coef(&store->sub[i], loop->var) != 0) {
            diag_fail(d, DIAG_SPEC, "%s moves with the loop: it is not a reduction", k->buf[f->buf].name);
            return NULL;
        }
    AccessList target = {0};
    Access t = {.stmt = store, .sub = store->sub, .buf = store->buf, .write = true};
    ARENA_PUSH(k->arena, target.v, target.n, target.cap, t);
    if (!tile_of(k, loop->body, &target, f->buf, &f->tile, d)) return NULL;
    f->reg = tile_register(k, f->buf, &f->tile, "part", f->k, f->axis_of, d);
    if (f->reg < 0) return NULL;

    Arena *a = k->arena;
    int ci = kernel_add_var(k, f->name, f->k);
    const Expr *zero = expr_const(a, store->op == STORE_ADD ? 0.0f : -INFINITY);
    Stmt *set = stmt_store(k, f->reg, factor_sub(k, f, store->sub, affine_var(a, ci)), STORE_SET, zero);
    Stmt *list = stmt_for(k, ci, MARK_FOR, stmt_fresh(k, with_loops(k, loop->body, store, rank, set)));

    int outer = kernel_add_var(k, k->var[loop->var].name, extent / f->k);
    Affine base = affine_scale(a, affine_var(a, outer), f->k);
    list = stmt_append(list, stmt_for(k, outer, MARK_FOR, part_loop(k, f, loop, store, base, f->k)));
    if (extent % f->k)
        list = stmt_append(list, part_loop(k, f, loop, store, affine_const(extent - extent % f->k), extent % f->k));
    Stmt *joined = stmt_store(k, f->buf, store->sub, store->op, join(k, f, store, 0, f->k));
    list = stmt_append(list, stmt_fresh(k, with_loops(k, loop->body, store, rank, joined)));
    return stmt_alloc(k, f->reg, list);
}

bool step_rfactor(Kernel *k, Lexer *l, Diag *d) {
    Factor f = {0};
    const char *name;
    if (!lex_name(l, &name) || !lex_int(l, 2, 64, &f.k) || !lex_want(l, "->") || !lex_name(l, &f.name)) return false;
    for (int i = 0; i < k->n_var; i++)
        if (strcmp(k->var[i].name, f.name) == 0) return diag_fail(d, DIAG_SPEC, "there is a loop %s already", f.name);
    return loops_replace(k, name, factor_loop, &f, d);
}
