/* stage y at wo -> acc
 *
 *   for wo {                                      for wo { reg acc : f32[w14 o16] {
 *       for wi for o  y[14*wo + wi, o] = b[o]         for wi for o  acc[wi, o] = b[o]
 *       for c for wi for o  y[…] += …            →    for c for wi for o  acc[wi, o] += …
 *       for wi for o  y[…] = max(0, y[…])             for wi for o  y[…] = max(0, acc[wi, o])
 *   }                                             } }
 *
 * The part of the buffer that one iteration of the loop touches is kept in a register tile. It is
 * copied in first unless the first statement sets all of it, and copied out last unless the last
 * statement does, which then stores to the buffer itself. Legal when all uses in the loop move together
 * with the loops outside, are affine, and the buffer holds f32. */
#include "ir/loop/rewrite.h"

#include <string.h>

typedef struct Stage {
    const char *buf_name, *reg_name;
    int buf;
    Tile tile;
    int reg, axis_of[MAX_AXES];
} Stage;

/* sub without its outer part and the tile's first element, for the axes the register has. */
static const Affine *stage_sub(Kernel *k, const Stage *s, const Affine *sub) {
    Arena *a = k->arena;
    int rank = k->buf[s->reg].type.rank;
    Affine *out = ARENA_ARRAY(a, Affine, rank);
    for (int i = 0; i < rank; i++) {
        int axis = s->axis_of[i];
        out[i] = tile_inside(k, &s->tile, axis, sub[axis]);
    }
    return out;
}

static const Affine *stage_map(Rewrite *r, const Affine *sub) { return stage_sub(r->k, r->ctx, sub); }

static const char *copy_name(Kernel *k, char letter) {
    const char *name = arena_printf(k->arena, "%c_copy", letter);
    for (int i = 2;; i++) {
        bool taken = false;
        for (int v = 0; v < k->n_var; v++) taken |= strcmp(k->var[v].name, name) == 0;
        if (!taken) return name;
        name = arena_printf(k->arena, "%c_copy%d", letter, i);
    }
}

/* The loops of a copy between buffer and register, named after the loops that the uses have there. */
static Stmt *stage_copy(Kernel *k, const Stage *s, const Access *like, bool in) {
    Arena *a = k->arena;
    const Type *t = &k->buf[s->buf].type, *reg = &k->buf[s->reg].type;
    Affine sub[MAX_AXES], reg_sub[MAX_AXES];
    int var[MAX_AXES];
    for (int i = 0; i < t->rank; i++) sub[i] = affine_offset(s->tile.outer[i], s->tile.lo[i]);
    for (int i = 0; i < reg->rank; i++) {
        Affine inner = affine_add(a, like->sub[s->axis_of[i]], affine_scale(a, s->tile.outer[s->axis_of[i]], -1));
        const char *name = inner.n == 1 ? k->var[inner.term[0].var].name : copy_name(k, reg->axis[i].letter);
        var[i] = kernel_add_var(k, name, reg->axis[i].extent);
        reg_sub[i] = affine_var(a, var[i]);
        Affine step = affine_scale(a, reg_sub[i], s->tile.step[s->axis_of[i]]);
        sub[s->axis_of[i]] = affine_add(a, sub[s->axis_of[i]], step);
    }
    Stmt *body = in ? stmt_store(k, s->reg, reg_sub, STORE_SET, expr_load(k, s->buf, sub))
                    : stmt_store(k, s->buf, sub, STORE_SET, expr_load(k, s->reg, reg_sub));
    for (int i = reg->rank - 1; i >= 0; i--) body = stmt_for(k, var[i], MARK_FOR, body);
    return body;
}

static bool sets_tile(Kernel *k, const Stage *s, const Stmt *store) {
    if (store->kind != STMT_STORE || store->op != STORE_SET || store->buf != s->buf) return false;
    bool *used = ARENA_ARRAY(k->arena, bool, k->n_var);
    for (int i = 0; i < k->buf[s->buf].type.rank; i++) {
        Affine inner = tile_inside(k, &s->tile, i, store->sub[i]);
        if (affine_dense(k, &inner) != s->tile.extent[i]) return false;
        for (int j = 0; j < store->sub[i].n; j++) { /* a loop in two axes covers a diagonal only */
            int var = store->sub[i].term[j].var;
            if (affine_coef(&s->tile.outer[i], var) == 0 && used[var]) return false;
            used[var] = true;
        }
    }
    return true;
}

/* The store that stands for `original` in the rewritten list, by position in textual order. */
static Stmt *stmt_at(Stmt *s, int *index) {
    for (; s; s = s->next) {
        if (s->kind == STMT_STORE && (*index)-- == 0) return s;
        Stmt *found = stmt_at(s->body, index);
        if (found) return found;
    }
    return NULL;
}

static bool stmt_index(const Stmt *s, const Stmt *wanted, int *index) {
    for (; s; s = s->next) {
        if (s == wanted) return true;
        if (s->kind == STMT_STORE) ++*index;
        if (stmt_index(s->body, wanted, index)) return true;
    }
    return false;
}

static AccessList accesses_of(Kernel *k, const Stmt *s, int buf) {
    AccessList list = {0};
    Stmt alone = *s;
    alone.next = NULL;
    accesses_collect(k->arena, &alone, buf, &list);
    return list;
}

/* The statement of the list that is or holds `store`. */
static const Stmt *child_with(const Stmt *body, const Stmt *store) {
    int index;
    for (; body; body = body->next) {
        Stmt alone = *body;
        alone.next = NULL;
        index = 0;
        if (body == store || (alone.body && stmt_index(alone.body, store, &index))) return body;
    }
    return NULL;
}

/* Nothing is read that the register does not hold yet: the first store sets the tile without reading it,
 * and what stands in a loop with it uses only the element just set. */
static bool starts_fresh(Kernel *k, const Stage *s, const Stmt *body, const Stmt *first) {
    if (!sets_tile(k, s, first) || accesses_of(k, first, s->buf).n > 1) return false;
    AccessList beside = accesses_of(k, child_with(body, first), s->buf);
    for (int i = 0; i < beside.n; i++)
        if (!subs_equal(k, s->buf, beside.v[i].sub, first->sub)) return false;
    return true;
}

/* The last store may go to the buffer itself: it sets the tile, each element once, nothing in a loop with
 * it uses the register, and what it reads is the element it sets. */
static bool ends_direct(Kernel *k, const Stage *s, const Stmt *body, const Stmt *last) {
    if (!sets_tile(k, s, last)) return false;
    const Stmt *child = child_with(body, last);
    AccessList beside = accesses_of(k, child, s->buf);
    for (int i = 0; i < beside.n; i++)
        if (beside.v[i].stmt != last || !subs_equal(k, s->buf, beside.v[i].sub, last->sub)) return false;
    int64_t times = 1, elements = 1;
    for (const Stmt *loop = child; loop != last; loop = loop->body) {
        if (loop->kind != STMT_FOR || loop->body->next) return false;
        times *= k->var[loop->var].extent;
    }
    for (int i = 0; i < k->buf[s->buf].type.rank; i++) elements *= s->tile.extent[i];
    return times == elements; /* and all of them are set: so each once */
}

static bool may_stage(const Kernel *k, const Stage *s, const AccessList *list, Diag *d) {
    const Buf *b = &k->buf[s->buf];
    if (b->type.dtype != DT_F32)
        return diag_fail(d, DIAG_SPEC, "%s holds %s, a register f32", b->name, dtype_name(b->type.dtype));
    for (int i = 0; i < list->n; i++)
        if (list->v[i].take)
            return diag_fail(d, DIAG_SPEC, "%s is read at places that are known at run time only (take)", b->name);
    return true;
}

static Stmt *stage_loop(Kernel *k, Stmt *loop, void *ctx, Diag *d) {
    Stage *s = ctx;
    AccessList list = {0};
    accesses_collect(k->arena, loop->body, s->buf, &list);
    if (list.n == 0) return loop; /* a loop of that name that has nothing to do with the buffer */
    if (!may_stage(k, s, &list, d) || !tile_of(k, loop->body, &list, s->buf, &s->tile, d)) return NULL;
    s->reg = tile_register(k, s->buf, &s->tile, s->reg_name, 0, s->axis_of, d);
    if (s->reg < 0) return NULL;
    const Stmt *first = list.v[0].stmt, *last = list.v[list.n - 1].stmt;
    bool written = false;
    for (int i = 0; i < list.n; i++) written |= list.v[i].write;
    bool copy_in = !starts_fresh(k, s, loop->body, first);
    bool direct = written && first != last && ends_direct(k, s, loop->body, last);
    int index = 0;
    stmt_index(loop->body, last, &index);

    Rewrite r = {.k = k, .var = -1, .from = s->buf, .to = s->reg, .map = stage_map, .ctx = s};
    Stmt *body = stmt_rewrite(&r, loop->body);
    if (direct) {
        Stmt *store = stmt_at(body, &index);
        store->buf = s->buf;
        store->sub = last->sub;
    }
    if (copy_in) body = stmt_append(stage_copy(k, s, &list.v[0], true), body);
    if (written && !direct) body = stmt_append(body, stage_copy(k, s, &list.v[0], false));
    Stmt *made = arena_copy(k->arena, loop, sizeof *loop);
    made->body = stmt_alloc(k, s->reg, body);
    return made;
}

bool step_stage(Kernel *k, Lexer *l, Diag *d) {
    Stage s = {.buf = -1, .reg_name = "acc"};
    const char *at;
    if (!lex_name(l, &s.buf_name) || !lex_want(l, "at") || !lex_name(l, &at)) return false;
    if (lex_take(l, "->") && !lex_name(l, &s.reg_name)) return false;
    for (int i = 0; i < k->n_buf; i++)
        if (strcmp(k->buf[i].name, s.buf_name) == 0) s.buf = i;
    if (s.buf < 0) return diag_fail(d, DIAG_SPEC, "no buffer named %s", s.buf_name);
    if (k->buf[s.buf].kind == BUF_REG) return diag_fail(d, DIAG_SPEC, "%s is in registers already", s.buf_name);
    int before = k->n_buf;
    if (!loops_replace(k, at, stage_loop, &s, d)) return false;
    return k->n_buf > before || diag_fail(d, DIAG_SPEC, "%s is not used in loop %s", s.buf_name, at);
}
