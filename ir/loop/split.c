/* split w 14 -> wo wi
 *
 *   for w 58 { S(w) }   →   for wo 4 { for wi 14 { S(14*wo + wi) } }
 *                           for wo 1 { for wi 2 { S(wi + 56) } }
 *
 * Needs: a loop not yet marked. Keeps: the order of everything. The rest has the same loop names, so
 * that later steps treat it alike. A loop shorter than the factor becomes the rest alone. */
#include "ir/loop/rewrite.h"

#include <string.h>

typedef struct Split {
    int64_t factor;
    const char *outer, *inner;
} Split;

static Stmt *split_part(Kernel *k, const Stmt *loop, const Split *s, int64_t base, int64_t n, int64_t width,
                        bool copy) {
    Arena *a = k->arena;
    int outer = kernel_add_var(k, s->outer, n), inner = kernel_add_var(k, s->inner, width);
    Affine by = affine_add(a, affine_scale(a, affine_var(a, outer), width), affine_var(a, inner));
    Rewrite r = {.k = k, .var = loop->var, .by = affine_offset(by, base), .from = -1};
    Stmt *body = stmt_rewrite(&r, loop->body);
    if (copy) body = stmt_fresh(k, body);
    return stmt_for(k, outer, MARK_FOR, stmt_for(k, inner, MARK_FOR, body));
}

static bool has_alloc(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == STMT_ALLOC || has_alloc(s->body)) return true;
    return false;
}

static Stmt *split_loop(Kernel *k, Stmt *loop, void *ctx, Diag *d) {
    const Split *s = ctx;
    int64_t extent = k->var[loop->var].extent, n = extent / s->factor, rest = extent % s->factor;
    if (loop->mark != MARK_FOR) {
        diag_fail(d, DIAG_SPEC, "the loop is marked already: split comes before par, unroll and vec");
        return NULL;
    }
    if (loop->guard) {
        diag_fail(d, DIAG_SPEC, "the loop has a condition: split comes before clip");
        return NULL;
    }
    if (n > 0 && rest > 0 && has_alloc(loop->body)) {
        diag_fail(d, DIAG_SPEC, "a staged buffer would be there twice: split comes before stage");
        return NULL;
    }
    Stmt *list = NULL;
    if (n > 0) list = split_part(k, loop, s, 0, n, s->factor, false);
    if (rest > 0) list = stmt_append(list, split_part(k, loop, s, n * s->factor, 1, rest, n > 0));
    return list;
}

bool step_split(Kernel *k, Lexer *l, Diag *d) {
    Split s;
    const char *name;
    if (!lex_name(l, &name) || !lex_int(l, 1, 1 << 30, &s.factor) || !lex_want(l, "->") || !lex_name(l, &s.outer) ||
        !lex_name(l, &s.inner))
        return false;
    if (strcmp(s.outer, s.inner) == 0) return diag_fail(d, DIAG_SPEC, "both parts are called %s", s.outer);
    for (int i = 0; i < k->n_var; i++)
        if (strcmp(k->var[i].name, name) != 0 &&
            (strcmp(k->var[i].name, s.outer) == 0 || strcmp(k->var[i].name, s.inner) == 0))
            return diag_fail(d, DIAG_SPEC, "there is a loop %s already", k->var[i].name);
    return loops_replace(k, name, split_loop, &s, d);
}
