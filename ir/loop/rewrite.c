#include "ir/loop/rewrite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- walking ------------------------------------------------------------------------------- */

void expr_collect(Arena *a, const Expr *e, ExprList *out) {
    for (int i = 0; i < out->n; i++)
        if (out->v[i] == e) return;
    if (e->kind == EXPR_CALL)
        for (int i = 0; i < fn_args(e->fn); i++) expr_collect(a, e->arg[i], out);
    ARENA_PUSH(a, out->v, out->n, out->cap, e);
}

void accesses_collect(Arena *a, const Stmt *body, int buf, AccessList *out) {
    for (const Stmt *s = body; s; s = s->next) {
        if (s->kind != STMT_STORE) {
            accesses_collect(a, s->body, buf, out);
            continue;
        }
        ExprList nodes = {0};
        expr_collect(a, s->value, &nodes);
        for (int i = 0; i < nodes.n; i++) {
            const Expr *e = nodes.v[i];
            if (e->kind != EXPR_LOAD || (buf >= 0 && e->buf != buf)) continue;
            Access x = {s, e->sub, e->buf, false};
            ARENA_PUSH(a, out->v, out->n, out->cap, x);
        }
        if (buf < 0 || s->buf == buf) {
            Access x = {s, s->sub, s->buf, true};
            ARENA_PUSH(a, out->v, out->n, out->cap, x);
        }
    }
}

/* Adds a term to the range of what multiples of `unit` cannot make up; unit 0: to the range in any case. */
static void range_add(const Kernel *k, Term t, int64_t sign, int64_t unit, int64_t *lo, int64_t *hi) {
    if (unit != 0 && t.coef % unit == 0) return;
    int64_t reach = sign * t.coef * (k->var[t.var].extent - 1);
    if (reach > 0) *hi += reach;
    else *lo += reach;
}

/* x − y is a multiple of `unit` plus something in lo … hi: never 0 when no multiple lies there. With
 * unit 0 this is the test of ranges, with a stride one of residues. */
static bool axis_apart(const Kernel *k, const Affine *x, const Affine *y, int64_t unit) {
    int64_t lo = x->base - y->base, hi = lo;
    for (int i = 0; i < x->n; i++) range_add(k, x->term[i], 1, unit, &lo, &hi);
    for (int i = 0; i < y->n; i++) range_add(k, y->term[i], -1, unit, &lo, &hi);
    if (unit == 0) return lo > 0 || hi < 0;
    int64_t above = lo >= 0 ? (lo + unit - 1) / unit * unit : -(-lo / unit * unit); /* the first multiple from lo on */
    return above > hi;
}

bool accesses_disjoint(const Kernel *k, const Access *x, const Access *y) {
    for (int i = 0; i < k->buf[x->buf].type.rank; i++) {
        const Affine *side[2] = {&x->sub[i], &y->sub[i]};
        if (axis_apart(k, side[0], side[1], 0)) return true;
        for (int s = 0; s < 2; s++)
            for (int j = 0; j < side[s]->n; j++) {
                int64_t c = side[s]->term[j].coef;
                if (axis_apart(k, side[0], side[1], c < 0 ? -c : c)) return true;
            }
    }
    return false;
}

bool subs_equal(const Kernel *k, int buf, const Affine *x, const Affine *y) {
    for (int i = 0; i < k->buf[buf].type.rank; i++)
        if (!affine_equal(&x[i], &y[i])) return false;
    return true;
}

static void mark_bound(bool *bound, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == STMT_FOR) bound[s->var] = true;
        mark_bound(bound, s->body);
    }
}

bool *vars_bound(Arena *a, const Kernel *k, const Stmt *body) {
    bool *bound = ARENA_ARRAY(a, bool, k->n_var);
    mark_bound(bound, body);
    return bound;
}

/* ---- rewriting ------------------------------------------------------------------------------ */

typedef struct Memo {
    const Expr *from, *to;
    struct Memo *next;
} Memo;

static const Affine *subs_rewrite(Rewrite *r, int *buf, const Affine *sub, int rank) {
    if (r->var >= 0) {
        Affine *c = ARENA_ARRAY(r->k->arena, Affine, rank);
        for (int i = 0; i < rank; i++) c[i] = affine_subst(r->k->arena, sub[i], r->var, r->by);
        sub = c;
    }
    if (buf && *buf == r->from && r->map) {
        sub = r->map(r, sub);
        *buf = r->to;
    }
    return sub;
}

static const Expr *expr_rewrite(Rewrite *r, const Expr *e, Memo **memo) {
    for (const Memo *m = *memo; m; m = m->next)
        if (m->from == e) return m->to;
    Arena *a = r->k->arena;
    Expr *c = arena_copy(a, e, sizeof *e);
    switch (e->kind) {
    case EXPR_CONST: break;
    case EXPR_LOAD: c->sub = subs_rewrite(r, &c->buf, e->sub, r->k->buf[e->buf].type.rank); break;
    case EXPR_INDEX:
    case EXPR_TABLE: c->sub = subs_rewrite(r, NULL, e->sub, 1); break;
    case EXPR_CALL:
        for (int i = 0; i < fn_args(e->fn); i++) c->arg[i] = expr_rewrite(r, e->arg[i], memo);
        break;
    }
    Memo *m = ARENA_NEW(a, Memo);
    *m = (Memo){e, c, *memo};
    *memo = m;
    return c;
}

Stmt *stmt_rewrite(Rewrite *r, const Stmt *body) {
    Stmt *first = NULL, **link = &first;
    for (; body; body = body->next) {
        Stmt *c = arena_copy(r->k->arena, body, sizeof *body);
        c->next = NULL;
        c->body = stmt_rewrite(r, body->body);
        if (c->kind == STMT_STORE) {
            Memo *memo = NULL;
            c->value = expr_rewrite(r, body->value, &memo);
            c->sub = subs_rewrite(r, &c->buf, body->sub, r->k->buf[body->buf].type.rank);
        }
        *link = c;
        link = &c->next;
    }
    return first;
}

Stmt *stmt_fresh(Kernel *k, const Stmt *body) {
    Stmt *first = NULL, **link = &first;
    for (; body; body = body->next) {
        Stmt *c = arena_copy(k->arena, body, sizeof *body);
        c->next = NULL;
        if (c->kind == STMT_FOR) {
            c->var = kernel_add_var(k, k->var[body->var].name, k->var[body->var].extent);
            Rewrite r = {.k = k, .var = body->var, .by = affine_var(k->arena, c->var), .from = -1};
            c->body = stmt_fresh(k, stmt_rewrite(&r, body->body));
        } else {
            c->body = stmt_fresh(k, body->body);
        }
        *link = c;
        link = &c->next;
    }
    return first;
}

/* ---- tiles ----------------------------------------------------------------------------------- */

static Affine affine_part(Arena *a, const Affine *x, const bool *bound, bool inner) {
    Term *t = ARENA_ARRAY(a, Term, x->n);
    int n = 0;
    for (int i = 0; i < x->n; i++)
        if (bound[x->term[i].var] == inner) t[n++] = x->term[i];
    return (Affine){inner ? x->base : 0, n, t};
}

bool tile_of(Kernel *k, const Stmt *body, const AccessList *list, int buf, Tile *tile, Diag *d) {
    Arena *a = k->arena;
    const bool *bound = vars_bound(a, k, body);
    for (int i = 0; i < k->buf[buf].type.rank; i++) {
        int64_t lo = 0, hi = 0;
        for (int j = 0; j < list->n; j++) {
            const Affine *x = &list->v[j].sub[i];
            Affine outer = affine_part(a, x, bound, false), inner = affine_part(a, x, bound, true);
            if (j == 0) tile->outer[i] = outer;
            if (!affine_equal(&outer, &tile->outer[i]))
                return diag_fail(d, DIAG_SPEC, "%s is used at places that do not move together along axis %c",
                                 k->buf[buf].name, k->buf[buf].type.axis[i].letter);
            int64_t l, h;
            affine_range(k, &inner, &l, &h);
            if (j == 0 || l < lo) lo = l;
            if (j == 0 || h > hi) hi = h;
        }
        tile->lo[i] = lo;
        tile->extent[i] = hi - lo + 1;
    }
    return true;
}

static const char *buf_fresh_name(Kernel *k, const char *wanted) {
    const char *name = wanted;
    for (int i = 2;; i++) {
        bool taken = false;
        for (int b = 0; b < k->n_buf; b++) taken |= strcmp(k->buf[b].name, name) == 0;
        if (!taken) return name;
        name = arena_printf(k->arena, "%s_%d", wanted, i);
    }
}

enum { MAX_REGISTER_BYTES = 16 * 1024 };

int tile_register(Kernel *k, int buf, const Tile *tile, const char *name, int64_t extra, int axis_of[MAX_AXES],
                  Diag *d) {
    const Type *t = &k->buf[buf].type;
    Type reg = {.dtype = t->dtype};
    if (extra > 0) {
        char letter = 'p';
        while (type_find(t, letter) >= 0) letter++;
        axis_of[reg.rank] = -1;
        reg.axis[reg.rank++] = (Axis){letter, (int32_t)extra, 0, 0};
    }
    for (int i = 0; i < t->rank; i++) {
        bool last_chance = i == t->rank - 1 && reg.rank == 0;
        if (tile->extent[i] == 1 && !last_chance) continue;
        if (reg.rank == MAX_AXES) {
            diag_fail(d, DIAG_SPEC, "a register for %s would have more than %d axes", k->buf[buf].name, MAX_AXES);
            return -1;
        }
        axis_of[reg.rank] = i;
        reg.axis[reg.rank++] = (Axis){t->axis[i].letter, (int32_t)tile->extent[i], 0, 0};
    }
    if (type_bytes(&reg) > MAX_REGISTER_BYTES) {
        diag_fail(d, DIAG_SPEC, "the tile would take %zu bytes, at most %d are for registers", type_bytes(&reg),
                  MAX_REGISTER_BYTES);
        return -1;
    }
    return kernel_add_buf(k, buf_fresh_name(k, name), BUF_REG, &reg);
}

/* ---- loops by name ---------------------------------------------------------------------------- */

static void loop_names(const Kernel *k, const Stmt *s, Text *t) {
    for (; s; s = s->next) {
        if (s->kind == STMT_FOR) {
            const char *name = k->var[s->var].name;
            const char *seen = t->n ? strstr(t->v, name) : NULL;
            size_t len = strlen(name);
            while (seen && ((seen != t->v && seen[-1] != ' ') || (seen[len] != ' ' && seen[len] != '\0')))
                seen = strstr(seen + 1, name);
            if (!seen) text_add(t, "%s%s", t->n ? " " : "", name);
        }
        loop_names(k, s->body, t);
    }
}

static bool list_replace(Kernel *k, Stmt **link, const char *name, LoopFn *fn, void *ctx, int *count, Diag *d) {
    while (*link) {
        Stmt *s = *link;
        if (s->kind == STMT_FOR && strcmp(k->var[s->var].name, name) == 0) {
            Stmt *after = s->next;
            s->next = NULL;
            Stmt *list = fn(k, s, ctx, d);
            if (!list) return false;
            ++*count;
            *link = list;
            while (*link) link = &(*link)->next;
            *link = after;
            continue;
        }
        if (s->body && !list_replace(k, &s->body, name, fn, ctx, count, d)) return false;
        link = &s->next;
    }
    return true;
}

bool loops_replace(Kernel *k, const char *name, LoopFn *fn, void *ctx, Diag *d) {
    int count = 0;
    if (!list_replace(k, &k->body, name, fn, ctx, &count, d)) return false;
    if (count > 0) return true;
    Text t = {.arena = k->arena};
    loop_names(k, k->body, &t);
    return diag_fail(d, DIAG_SPEC, "no loop named %s (the loops are %s)", name, text_get(&t));
}
