/* compute t1 at h
 *
 *   scratch t1 : f32[h9 w8] {                           for h 8 { scratch t1 : f32[h2 w8] {
 *       for h.t1 9 { for w.t1 8 { t1[…] = … } }     →       for h.t1 2 { for w.t1 8 { t1[h.t1, w.t1] = … h + h.t1 … } }
 *       for h 8 { … t1[h + kh, w] … }                       … t1[kh, w] …
 *   }                                                   } }
 *
 * What each iteration of the loop reads of a scratch buffer is computed right there, and the buffer holds that part only. Parts that
 * overlap are computed again. Legal where the statements that set the buffer stand before all that read it, and do nothing else; all
 * reads stand in the loop, move together with it and the loops outside, and each axis of which only a part is wanted is set by one
 * loop that counts along it. Where a part may reach beyond what a statement sets (a halo is set by another), its loop has a condition. */
#include "ir/loop/rewrite.h"

#include <string.h>

typedef struct Compute {
    const char *name, *at;
    int buf, to;     /* the buffer, and the one that an iteration has */
    Type whole;      /* of the buffer */
    const Stmt *set; /* the statements that set it, … */
    int copies;      /* … used so often so far */
    Affine from[MAX_AXES];
    int64_t extent[MAX_AXES]; /* the part: from[i] + (0 … extent[i]−1) */
    int *axis_of;             /* [n_var]: the axis that a loop of `set` counts along, −1: none, … */
    int64_t *base_of;         /* … from here on */
} Compute;

/* ---- the part ------------------------------------------------------------------------------------------ */

static bool whole_axis(const Compute *c, int axis) {
    return c->from[axis].n == 0 && c->from[axis].base == 0 && c->extent[axis] == c->whole.axis[axis].extent;
}

/* A type has at most 2^30 elements along an axis and 2^40 in all. */
static bool part_fits(const Compute *c, Diag *d) {
    int64_t all = 1;
    for (int i = 0; i < c->whole.rank; i++) {
        if (c->extent[i] < 1) return diag_fail(d, DIAG_SPEC, "nothing that is read of %s is set", c->name);
        if (c->extent[i] > 1 << 30 || all > ((int64_t)1 << 40) / c->extent[i])
            return diag_fail(d, DIAG_SPEC, "the part of %s would be too large", c->name);
        all *= c->extent[i];
    }
    return true;
}

/* What the loop's body reads. A part of a fixed place is not larger than the buffer. */
static bool find_part(Kernel *k, Compute *c, const Stmt *body, const AccessList *list, Diag *d) {
    Tile tile;
    if (!tile_of(k, body, list, c->buf, &tile, d)) return false;
    for (int i = 0; i < c->whole.rank; i++) {
        int64_t most = c->whole.axis[i].extent;
        c->from[i] = affine_offset(tile.outer[i], tile.lo[i]);
        c->extent[i] = (tile.extent[i] - 1) * tile.step[i] + 1;
        if (c->from[i].n) continue;
        if (c->from[i].base < 0) c->extent[i] += c->from[i].base, c->from[i].base = 0;
        if (c->from[i].base + c->extent[i] > most) c->extent[i] = most - c->from[i].base;
    }
    return part_fits(c, d);
}

/* Which loops of `set` count along the axes of which a part is wanted. */
static bool find_loops(Kernel *k, Compute *c, const AccessList *list, Diag *d) {
    const char *name = c->name;
    for (int v = 0; v < k->n_var; v++) c->axis_of[v] = -1;
    for (int i = 0; i < list->n; i++)
        for (int axis = 0; axis < c->whole.rank; axis++) {
            const Affine *x = &list->v[i].sub[axis];
            char letter = c->whole.axis[axis].letter;
            if (whole_axis(c, axis) || !list->v[i].write) continue;
            if (x->n != 1 || x->term[0].coef != 1)
                return diag_fail(d, DIAG_SPEC, "%s is not set by one loop along axis %c, of which a part is wanted",
                                 name, letter);
            int v = x->term[0].var;
            if (c->axis_of[v] >= 0 && (c->axis_of[v] != axis || c->base_of[v] != x->base))
                return diag_fail(d, DIAG_SPEC, "loop %s sets %s at several places along axis %c", k->var[v].name, name,
                                 letter);
            c->axis_of[v] = axis;
            c->base_of[v] = x->base;
        }
    return true;
}

/* ---- what sets it -------------------------------------------------------------------------------------- */

static bool restrict_list(Kernel *k, const Compute *c, Stmt *s, Stmt **out, Diag *d);

/* The loop's iterations of which something is wanted: all of a range, or those that meet a condition. *out NULL: there are none. */
static bool restrict_loop(Kernel *k, const Compute *c, const Stmt *loop, Stmt **out, Diag *d) {
    Arena *a = k->arena;
    int axis = c->axis_of[loop->var];
    int64_t n = k->var[loop->var].extent, lo, hi, extent = c->extent[axis];
    if (loop->mark != MARK_FOR || loop->guard)
        return diag_fail(d, DIAG_SPEC, "loop %s is marked already or has a condition", k->var[loop->var].name);
    Affine first = affine_offset(c->from[axis], -c->base_of[loop->var]);
    *out = NULL;
    if (first.n == 0) { /* cut to what there is */
        int64_t begin = first.base > 0 ? first.base : 0, end = first.base + extent < n ? first.base + extent : n;
        if (begin >= end) return true;
        first.base = begin;
        extent = end - begin;
    }
    int var = kernel_add_var(k, k->var[loop->var].name, extent);
    Affine by = affine_add(a, first, affine_var(a, var));
    affine_range(k, &by, &lo, &hi);
    if (lo >= n || hi < 0) return true;
    Rewrite r = {.k = k, .var = loop->var, .by = by, .from = -1};
    Stmt *body;
    if (!restrict_list(k, c, loop->body, &body, d)) return false;
    if (!body) return true;
    *out = stmt_for(k, var, MARK_FOR, stmt_rewrite(&r, body));
    if (lo < 0 || hi >= n) (*out)->guard = arena_copy(a, &(Guard){by, 0, n}, sizeof(Guard));
    return true;
}

static bool restrict_list(Kernel *k, const Compute *c, Stmt *s, Stmt **out, Diag *d) {
    Stmt *list = NULL;
    for (Stmt *next; s; s = next) {
        Stmt *one = s;
        next = s->next;
        if (s->kind == STMT_FOR && c->axis_of[s->var] >= 0) {
            if (!restrict_loop(k, c, s, &one, d)) return false;
        } else if (s->body) {
            if (!restrict_list(k, c, s->body, &one->body, d)) return false;
            if (!one->body) one = NULL;
        }
        if (one) one->next = NULL;
        list = stmt_append(list, one);
    }
    *out = list;
    return true;
}

static const Affine *part_subs(Rewrite *r, const Affine *sub) {
    const Compute *c = r->ctx;
    Affine *out = ARENA_ARRAY(r->k->arena, Affine, c->whole.rank);
    for (int i = 0; i < c->whole.rank; i++)
        out[i] = affine_add(r->k->arena, sub[i], affine_scale(r->k->arena, c->from[i], -1));
    return out;
}

static bool has_alloc(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == STMT_ALLOC || has_alloc(s->body)) return true;
    return false;
}

/* The statements that set the part, with loops of their own. */
static bool set_part(Kernel *k, Compute *c, Stmt **out, Diag *d) {
    AccessList list = {0};
    if (c->copies++ && has_alloc(c->set))
        return diag_fail(d, DIAG_SPEC, "registers that compute %s would be there twice", c->name);
    Rewrite same = {.k = k, .var = -1, .from = -1};
    Stmt *set = stmt_fresh(k, stmt_rewrite(&same, c->set));
    accesses_collect(k->arena, set, c->buf, &list);
    c->axis_of = ARENA_ARRAY(k->arena, int, k->n_var);
    c->base_of = ARENA_ARRAY(k->arena, int64_t, k->n_var);
    if (!find_loops(k, c, &list, d) || !restrict_list(k, c, set, out, d)) return false;
    return *out || diag_fail(d, DIAG_SPEC, "nothing that is read of %s is set", c->name);
}

/* ---- the loop ------------------------------------------------------------------------------------------ */

static Stmt *compute_in(Kernel *k, Stmt *loop, void *ctx, Diag *d) {
    Compute *c = ctx;
    AccessList list = {0};
    accesses_collect(k->arena, loop->body, c->buf, &list);
    if (list.n == 0) return loop; /* one of that name elsewhere */
    if (!find_part(k, c, loop->body, &list, d)) return NULL;
    Type part = c->whole;
    for (int i = 0; i < part.rank; i++) part.axis[i].extent = (int32_t)c->extent[i];
    Stmt *set = NULL;
    if (!set_part(k, c, &set, d)) return NULL;
    c->to = kernel_add_buf(k, buf_fresh_name(k, c->name), BUF_SCRATCH, &part);
    Rewrite r = {.k = k, .var = -1, .from = c->buf, .to = c->to, .map = part_subs, .ctx = c};
    Stmt *made = arena_copy(k->arena, loop, sizeof *loop);
    made->body = stmt_alloc(k, c->to, stmt_append(stmt_rewrite(&r, set), stmt_rewrite(&r, loop->body)));
    return made;
}

/* ---- where it is --------------------------------------------------------------------------------------- */

static Stmt **find_alloc(Stmt **link, int buf) {
    for (; *link; link = &(*link)->next) {
        if ((*link)->kind == STMT_ALLOC && (*link)->buf == buf) return link;
        Stmt **inside = find_alloc(&(*link)->body, buf);
        if (inside) return inside;
    }
    return NULL;
}

static bool touches(Kernel *k, const Stmt *s, int buf, bool writing) {
    AccessList list = {0};
    Stmt alone = *s;
    alone.next = NULL;
    accesses_collect(k->arena, &alone, buf, &list);
    for (int i = 0; i < list.n; i++)
        if (list.v[i].write || !writing) return true;
    return false;
}

/* A statement that sets the buffer does nothing else, and reads no result. */
static bool sets_alone(Kernel *k, const Stmt *s, int buf, Diag *d) {
    AccessList list = {0};
    Stmt alone = *s;
    alone.next = NULL;
    accesses_collect(k->arena, &alone, -1, &list);
    for (int i = 0; i < list.n; i++) {
        const Buf *b = &k->buf[list.v[i].buf];
        bool other = list.v[i].write && list.v[i].buf != buf && b->kind != BUF_REG;
        if (other || b->kind == BUF_OUT)
            return diag_fail(d, DIAG_SPEC, "what sets %s uses %s too", k->buf[buf].name, b->name);
    }
    return true;
}

/* Cuts the body in two: what sets the buffer, and what reads it. */
static bool cut_body(Kernel *k, Stmt *body, int buf, Stmt **users, Diag *d) {
    const char *name = k->buf[buf].name;
    Stmt **link = &body;
    while (*link && touches(k, *link, buf, true)) {
        if (!sets_alone(k, *link, buf, d)) return false;
        link = &(*link)->next;
    }
    *users = *link;
    *link = NULL;
    if (!body) return diag_fail(d, DIAG_SPEC, "%s is not set first", name);
    for (const Stmt *s = *users; s; s = s->next)
        if (touches(k, s, buf, true)) return diag_fail(d, DIAG_SPEC, "%s is set after it was read", name);
    return true;
}

bool step_compute(Kernel *k, Lexer *l, Diag *d) {
    Compute c = {.buf = -1};
    if (!lex_name(l, &c.name) || !lex_want(l, "at") || !lex_name(l, &c.at)) return false;
    const char *name = c.name;
    for (int i = 0; i < k->n_buf; i++)
        if (strcmp(k->buf[i].name, name) == 0) c.buf = i;
    if (c.buf < 0 || k->buf[c.buf].kind != BUF_SCRATCH) return diag_fail(d, DIAG_SPEC, "no scratch named %s", name);
    Stmt **link = find_alloc(&k->body, c.buf), *after, *users;
    if (!link) return diag_fail(d, DIAG_SPEC, "no scratch named %s", name);
    c.whole = k->buf[c.buf].type;
    c.set = (*link)->body;
    after = (*link)->next;
    if (!cut_body(k, (*link)->body, c.buf, &users, d)) return false;
    *link = users;
    while (*link) link = &(*link)->next;
    *link = after;
    k->buf[c.buf].name =
        buf_fresh_name(k, arena_printf(k->arena, "%s.whole", name)); /* its life is over: the name is free */
    if (!loops_replace(k, c.at, compute_in, &c, d)) return false;
    k->buf[c.buf].type = (Type){.dtype = DT_F32};
    for (const Stmt *s = k->body; s; s = s->next)
        if (touches(k, s, c.buf, false)) return diag_fail(d, DIAG_SPEC, "%s is used outside loop %s", name, c.at);
    return c.copies > 0 || diag_fail(d, DIAG_SPEC, "%s is not used in loop %s", name, c.at);
}
