/* drop n
 *
 *   for n 1 { for O 21 { … } for O 1 { … } }   →   for O 21 { … }
 *                                                  for O 1 { … }
 *
 * A loop of one iteration goes, and what stood in it takes its place. At the top several nests then stand beside each
 * other, and each can have par loops of its own: that nothing one writes is touched by another is the verifier's to prove. */
#include "ir/loop/rewrite.h"

static Stmt *drop_loop(Kernel *k, Stmt *loop, void *ctx, Diag *d) {
    (void)ctx;
    if (k->var[loop->var].extent != 1) {
        diag_fail(d, DIAG_SPEC, "the loop has %lld iterations: only one of one iteration can go",
                  (long long)k->var[loop->var].extent);
        return NULL;
    }
    if (loop->guard) {
        diag_fail(d, DIAG_SPEC, "the loop has a condition, so it must stay");
        return NULL;
    }
    Rewrite r = {.k = k, .var = loop->var, .by = affine_const(0), .from = -1};
    return stmt_rewrite(&r, loop->body);
}

bool step_drop(Kernel *k, Lexer *l, Diag *d) {
    const char *name;
    return lex_name(l, &name) && loops_replace(k, name, drop_loop, NULL, d);
}
