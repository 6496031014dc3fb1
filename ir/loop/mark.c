/* par O h; unroll wi; vec o: marks on loops, which mean the same as `for` to everybody but the emitter.
 * par: the loop must be outermost and its iterations independent. vec: innermost, at most 64
 * iterations, independent, so the order of a reduction never changes. Both are proved by the
 * verifier. unroll: the whole loop is written out, at most 1024 copies of a statement in all. */
#include "ir/loop/rewrite.h"

static Stmt *mark_loop(Kernel *k, Stmt *loop, void *ctx, Diag *d) {
    Mark mark = *(const Mark *)ctx;
    if (loop->mark != MARK_FOR && loop->mark != mark) {
        diag_fail(d, DIAG_SPEC, "loop %s has another mark already", k->var[loop->var].name);
        return NULL;
    }
    loop->mark = mark;
    return loop;
}

static int64_t unrolled(const Kernel *k, const Stmt *s) {
    int64_t most = 1;
    for (; s; s = s->next) {
        int64_t n = unrolled(k, s->body);
        if (s->kind == STMT_FOR && s->mark == MARK_UNROLL) n *= k->var[s->var].extent;
        if (n > most) most = n;
        if (most > 1024) return most;
    }
    return most;
}

static bool step_mark(Kernel *k, Lexer *l, Mark mark, Diag *d) {
    if (l->kind != TOK_NAME) return diag_fail(d, DIAG_SPEC, "the name of a loop expected");
    while (l->kind == TOK_NAME) {
        if (!loops_replace(k, l->text, mark_loop, &mark, d)) return false;
        lex_next(l);
    }
    if (unrolled(k, k->body) > 1024)
        return diag_fail(d, DIAG_SPEC, "a statement would be written out more than 1024 times");
    return true;
}

bool step_par(Kernel *k, Lexer *l, Diag *d) { return step_mark(k, l, MARK_PAR, d); }
bool step_unroll(Kernel *k, Lexer *l, Diag *d) { return step_mark(k, l, MARK_UNROLL, d); }
bool step_vec(Kernel *k, Lexer *l, Diag *d) { return step_mark(k, l, MARK_VEC, d); }
