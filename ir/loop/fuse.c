/* fuse h w -> p
 *
 *   for h 7 { for w 7 { y[h, w, c] = x[h, w, c] } }   →   for p 49 { y[p, c] = x[p, c] }
 *
 * The reverse of split: two loops, one alone in the other, become one. The axes of a buffer that they move become one
 * axis too, which is the same memory seen with fewer axes. Legal where each step of the outer loop goes as far as the
 * whole inner loop, in every subscript: h and w without a halo, and without a stride that steps over rows. */
#include "ir/loop/rewrite.h"

#include <string.h>

typedef struct Fuse {
    const char *outer, *inner, *to;
} Fuse;

typedef struct Pair {
    int outer, inner; /* variables */
} Pair;

typedef struct PairList {
    Pair *v;
    int n, cap;
} PairList;

static bool find_pairs(Kernel *k, const Stmt *s, const Fuse *f, PairList *out, Diag *d) {
    for (; s; s = s->next) {
        bool outer = s->kind == STMT_FOR && strcmp(k->var[s->var].name, f->outer) == 0;
        bool alone =
            outer && s->body->kind == STMT_FOR && !s->body->next && strcmp(k->var[s->body->var].name, f->inner) == 0;
        if (outer && !alone) return diag_fail(d, DIAG_SPEC, "loop %s holds more than one loop %s", f->outer, f->inner);
        if (outer && (s->mark != MARK_FOR || s->body->mark != MARK_FOR))
            return diag_fail(d, DIAG_SPEC, "a loop is marked already: fuse comes before par, unroll and vec");
        if (outer && (s->guard || stmts_late(s->body)))
            return diag_fail(d, DIAG_SPEC, "a loop has a condition or a prefetch: fuse comes before clip and prefetch");
        if (outer) {
            Pair p = {s->var, s->body->var};
            ARENA_PUSH(k->arena, out->v, out->n, out->cap, p);
        }
        if (!find_pairs(k, outer ? s->body->body : s->body, f, out, d)) return false;
    }
    return true;
}

/* ---- buffers: the two axes become one --------------------------------------------------------------- */

/* The axis that the outer loop moves and, behind it, the one that the inner loop moves; −1: neither moves any. */
static bool find_axis(const Kernel *k, const Access *x, const Pair *p, int *axis, Diag *d) {
    int rank = k->buf[x->buf].type.rank;
    *axis = -1;
    for (int i = 0; i < rank; i++) {
        bool outer = affine_coef(&x->sub[i], p->outer) != 0, inner = affine_coef(&x->sub[i], p->inner) != 0;
        if (!outer && !inner) continue;
        bool next = i + 1 < rank && affine_coef(&x->sub[i + 1], p->inner) != 0;
        if (outer && !inner && next && *axis < 0) {
            *axis = i++;
            continue;
        }
        if (outer && inner) continue; /* one axis already: fused before, or a sum of both */
        return diag_fail(d, DIAG_SPEC, "%s does not have the two loops in neighbouring axes", k->buf[x->buf].name);
    }
    return true;
}

static const Affine *join_subs(Rewrite *r, const Affine *sub) {
    const int *axis = r->ctx;
    const Type *t = &r->k->buf[r->from].type;
    Affine *out = ARENA_ARRAY(r->k->arena, Affine, t->rank);
    for (int i = 0, to = 0; i < t->rank; i++) {
        if (i == *axis + 1) continue;
        out[to] = sub[i];
        if (i == *axis)
            out[to] = affine_add(r->k->arena, affine_scale(r->k->arena, sub[i], t->axis[i + 1].extent), sub[i + 1]);
        to++;
    }
    return out;
}

static bool has_take(const AccessList *list) {
    for (int i = 0; i < list->n; i++)
        if (list->v[i].take) return true;
    return false;
}

static bool join_axes(Kernel *k, int buf, int axis, const AccessList *list, Diag *d) {
    Buf *b = &k->buf[buf];
    Type *t = &b->type, joined = {.dtype = t->dtype};
    if (has_take(list))
        return diag_fail(d, DIAG_SPEC, "%s is read at places that are known at run time only (take)", k->buf[buf].name);
    int64_t extent = (int64_t)t->axis[axis].extent * t->axis[axis + 1].extent;
    if (extent > INT32_MAX) return diag_fail(d, DIAG_SPEC, "the axis would be too long");
    for (int i = 0; i < t->rank; i++) {
        if (i == axis + 1) continue;
        joined.axis[joined.rank++] = t->axis[i];
        b->lo[joined.rank - 1] = i == axis ? 0 : b->lo[i]; /* of a joined axis nothing is known */
        b->hi[joined.rank - 1] = i == axis ? 0 : b->hi[i];
        if (i == axis) joined.axis[joined.rank - 1] = (Axis){t->axis[i + 1].letter, (int32_t)extent, 0, 0};
    }
    Rewrite r = {.k = k, .var = -1, .from = buf, .to = buf, .map = join_subs, .ctx = &axis};
    k->body = stmt_rewrite(&r, k->body);
    *t = joined;
    return true;
}

static bool join_buffers(Kernel *k, const PairList *pairs, Diag *d) {
    for (int buf = 0; buf < k->n_buf; buf++) {
        AccessList list = {0};
        int axis = -1;
        accesses_collect(k->arena, k->body, buf, &list);
        for (int i = 0; i < list.n; i++)
            for (int p = 0; p < pairs->n; p++) {
                int one;
                if (!find_axis(k, &list.v[i], &pairs->v[p], &one, d)) return false;
                if (one < 0) continue;
                if (axis >= 0 && axis != one)
                    return diag_fail(d, DIAG_SPEC, "%s does not have the two loops in the same axes everywhere",
                                     k->buf[buf].name);
                axis = one;
            }
        if (axis >= 0 && !join_axes(k, buf, axis, &list, d)) return false;
    }
    return true;
}

/* ---- loops ---------------------------------------------------------------------------------------- */

/* Each form has the outer variable exactly as often as the inner loop is long. */
static bool forms_fit(const Kernel *k, const Affine *x, int n, const Pair *p, Diag *d) {
    int64_t inner = k->var[p->inner].extent;
    for (int i = 0; i < n; i++)
        if (affine_coef(&x[i], p->outer) != inner * affine_coef(&x[i], p->inner))
            return diag_fail(d, DIAG_SPEC, "a step of loop %s does not go as far as all of loop %s",
                             k->var[p->outer].name, k->var[p->inner].name);
    return true;
}

static bool stmts_fit(const Kernel *k, const Stmt *s, const Pair *p, Diag *d) {
    for (; s; s = s->next) {
        if (s->kind != STMT_STORE) {
            if (!stmts_fit(k, s->body, p, d)) return false;
            continue;
        }
        ExprList nodes = {0};
        expr_collect(k->arena, s->value, &nodes);
        if (!forms_fit(k, s->sub, k->buf[s->buf].type.rank, p, d)) return false;
        for (int i = 0; i < nodes.n; i++) {
            const Expr *e = nodes.v[i];
            int n = e->kind == EXPR_LOAD ? k->buf[e->buf].type.rank : e->kind == EXPR_INDEX || e->kind == EXPR_TABLE;
            if (!forms_fit(k, e->sub, n, p, d)) return false;
        }
    }
    return true;
}

/* outer becomes 0 and inner the new loop: the coefficients then are right. */
static Stmt *fuse_loop(Kernel *k, Stmt *loop, void *ctx, Diag *d) {
    const Fuse *f = ctx;
    Pair p = {loop->var, loop->body->var};
    if (!stmts_fit(k, loop->body->body, &p, d)) return NULL;
    int64_t extent = k->var[p.outer].extent * k->var[p.inner].extent;
    if (extent > INT32_MAX) {
        diag_fail(d, DIAG_SPEC, "the loop would be too long");
        return NULL;
    }
    int var = kernel_add_var(k, f->to, extent);
    Rewrite r = {.k = k, .var = p.outer, .by = affine_const(0), .from = -1};
    Stmt *body = stmt_rewrite(&r, loop->body->body);
    r = (Rewrite){.k = k, .var = p.inner, .by = affine_var(k->arena, var), .from = -1};
    return stmt_for(k, var, MARK_FOR, stmt_rewrite(&r, body));
}

bool step_fuse(Kernel *k, Lexer *l, Diag *d) {
    Fuse f;
    PairList pairs = {0};
    if (!lex_name(l, &f.outer) || !lex_name(l, &f.inner) || !lex_want(l, "->") || !lex_name(l, &f.to)) return false;
    for (int i = 0; i < k->n_var; i++)
        if (strcmp(k->var[i].name, f.to) == 0) return diag_fail(d, DIAG_SPEC, "there is a loop %s already", f.to);
    if (!find_pairs(k, k->body, &f, &pairs, d) || !join_buffers(k, &pairs, d)) return false;
    return loops_replace(k, f.outer, fuse_loop, &f, d);
}
