#include "ir/loop/rewrite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- walking ------------------------------------------------------------------------------- */

void expr_collect(Arena *a, const Expr *e, ExprList *out) {
    for (int i = 0; i < out->n; i++)
        if (out->v[i] == e) return;
    const Expr *operand[MAX_AXES];
    int n = expr_operands(e, operand);
    for (int i = 0; i < n; i++) expr_collect(a, operand[i], out);
    ARENA_PUSH(a, out->v, out->n, out->cap, e);
}

static void collect(Arena *a, const Stmt *body, int buf, const Conditions *around, AccessList *out) {
    for (const Stmt *s = body; s; s = s->next) {
        if (s->kind != STMT_STORE) {
            bool guarded = s->kind == STMT_FOR && s->guard;
            collect(a, s->body, buf, guarded ? arena_copy(a, &(Conditions){s->guard, around}, sizeof *around) : around,
                    out);
            continue;
        }
        ExprList nodes = {0};
        expr_collect(a, s->value, &nodes);
        for (int i = 0; i < nodes.n; i++) {
            const Expr *e = nodes.v[i];
            if (e->kind != EXPR_LOAD || (buf >= 0 && e->buf != buf)) continue;
            Access x = {s, e->sub, e->take, e->buf, false, around};
            ARENA_PUSH(a, out->v, out->n, out->cap, x);
        }
        if (buf < 0 || s->buf == buf) {
            Access x = {s, s->sub, NULL, s->buf, true, around};
            ARENA_PUSH(a, out->v, out->n, out->cap, x);
        }
    }
}

void accesses_collect(Arena *a, const Stmt *body, int buf, AccessList *out) { collect(a, body, buf, NULL, out); }

void access_range(const Kernel *k, const Access *x, int axis, int64_t *lo, int64_t *hi) {
    const Guard *guard[16];
    int n = 0;
    for (const Conditions *c = x->conditions; c && n < (int)COUNT_OF(guard); c = c->outer) guard[n++] = c->guard;
    affine_range_if(k, &x->sub[axis], guard, n, lo, hi);
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

enum { MAX_RESIDUES = 512 };

/* Which residues modulo `unit` the form takes. */
static void residues(const Kernel *k, const Affine *x, int64_t unit, bool set[MAX_RESIDUES]) {
    memset(set, 0, MAX_RESIDUES * sizeof *set);
    set[(x->base % unit + unit) % unit] = true;
    for (int i = 0; i < x->n; i++) {
        int64_t step = (x->term[i].coef % unit + unit) % unit, n = k->var[x->term[i].var].extent;
        bool with[MAX_RESIDUES] = {false};
        if (step == 0) continue;
        for (int64_t r = 0; r < unit; r++)
            for (int64_t v = 0; set[r] && v < n && v < unit; v++) with[(r + v * step) % unit] = true;
        memcpy(set, with, sizeof with);
    }
}

/* No residue modulo `unit` is taken by both: 5w + 2r, r < 3, and 5w + 2r + 1, r < 2. */
static bool residues_apart(const Kernel *k, const Affine *x, const Affine *y, int64_t unit) {
    bool p[MAX_RESIDUES], q[MAX_RESIDUES];
    if (unit < 2 || unit > MAX_RESIDUES) return false;
    residues(k, x, unit, p);
    residues(k, y, unit, q);
    for (int64_t r = 0; r < unit; r++)
        if (p[r] && q[r]) return false;
    return true;
}

/* By what conditions say of the ranges. */
static bool ranges_apart(const Kernel *k, const Access *x, const Access *y, int axis) {
    int64_t x_lo, x_hi, y_lo, y_hi;
    if (!x->conditions && !y->conditions) return false;
    access_range(k, x, axis, &x_lo, &x_hi);
    access_range(k, y, axis, &y_lo, &y_hi);
    return x_hi < y_lo || y_hi < x_lo;
}

bool accesses_disjoint(const Kernel *k, const Access *x, const Access *y) {
    for (int i = 0; i < k->buf[x->buf].type.rank; i++) {
        if (ranges_apart(k, x, y, i)) return true;
        const Affine *side[2] = {&x->sub[i], &y->sub[i]};
        if (axis_apart(k, side[0], side[1], 0)) return true;
        for (int s = 0; s < 2; s++)
            for (int j = 0; j < side[s]->n; j++) {
                int64_t c = side[s]->term[j].coef;
                if (axis_apart(k, side[0], side[1], c < 0 ? -c : c)) return true;
                if (residues_apart(k, side[0], side[1], c < 0 ? -c : c)) return true;
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

static const Expr *expr_rewrite(Rewrite *r, const Expr *e, Memo **memo);

static const TakeIndex *take_rewrite(Rewrite *r, const Expr *e, Memo **memo) {
    TakeIndex *take = ARENA_ARRAY(r->k->arena, TakeIndex, e->n_take);
    for (int i = 0; i < e->n_take; i++) {
        take[i] = e->take[i];
        if (take[i].index) take[i].index = expr_rewrite(r, take[i].index, memo);
    }
    return take;
}

static const Expr *expr_rewrite(Rewrite *r, const Expr *e, Memo **memo) {
    for (const Memo *m = *memo; m; m = m->next)
        if (m->from == e) return m->to;
    Arena *a = r->k->arena;
    Expr *c = arena_copy(a, e, sizeof *e);
    switch (e->kind) {
    case EXPR_CONST: break;
    case EXPR_LOAD:
        c->sub = subs_rewrite(r, &c->buf, e->sub, r->k->buf[e->buf].type.rank);
        if (e->take) c->take = take_rewrite(r, e, memo);
        break;
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

static const Guard *guard_rewrite(Rewrite *r, const Guard *guard) {
    Guard *c = arena_copy(r->k->arena, guard, sizeof *guard);
    c->form = affine_subst(r->k->arena, guard->form, r->var, r->by);
    return c;
}

Stmt *stmt_rewrite(Rewrite *r, const Stmt *body) {
    Stmt *first = NULL, **link = &first;
    for (; body; body = body->next) {
        Stmt *c = arena_copy(r->k->arena, body, sizeof *body);
        c->next = NULL;
        c->body = stmt_rewrite(r, body->body);
        if (c->kind == STMT_FOR && c->guard && r->var >= 0) c->guard = guard_rewrite(r, c->guard);
        if (c->kind == STMT_PREFETCH) c->sub = subs_rewrite(r, NULL, body->sub, r->k->buf[body->buf].type.rank);
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
            if (c->guard) c->guard = guard_rewrite(&r, c->guard);
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

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

Affine tile_inside(Kernel *k, const Tile *t, int axis, Affine sub) {
    Affine inner = affine_add(k->arena, sub, affine_scale(k->arena, t->outer[axis], -1)), quotient, none;
    affine_divmod(k, affine_offset(inner, -t->lo[axis]), t->step[axis], &quotient, &none);
    return quotient;
}

bool tile_of(Kernel *k, const Stmt *body, const AccessList *list, int buf, Tile *tile, Diag *d) {
    Arena *a = k->arena;
    const bool *bound = vars_bound(a, k, body);
    for (int i = 0; i < k->buf[buf].type.rank; i++) {
        int64_t lo = 0, hi = 0, step = 0;
        for (int j = 0; j < list->n; j++) {
            const Affine *x = &list->v[j].sub[i];
            Affine outer = affine_part(a, x, bound, false), inner = affine_part(a, x, bound, true);
            if (j == 0) tile->outer[i] = outer;
            if (!affine_equal(&outer, &tile->outer[i]))
                return diag_fail(d, DIAG_SPEC, "%s is used at places that do not move together along axis %c",
                                 k->buf[buf].name, k->buf[buf].type.axis[i].letter);
            int64_t l, h;
            affine_range(k, &inner, &l, &h);
            for (int t = 0; t < inner.n; t++) step = common_divisor(step, inner.term[t].coef);
            if (j > 0) step = common_divisor(step, l - lo);
            if (j == 0 || l < lo) lo = l;
            if (j == 0 || h > hi) hi = h;
        }
        tile->lo[i] = lo;
        tile->step[i] = step ? step : 1;
        tile->extent[i] = (hi - lo) / tile->step[i] + 1;
    }
    return true;
}

const char *buf_fresh_name(Kernel *k, const char *wanted) {
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
