/* A schedule: the text "split w 14 -> wo wi; order O h wo C kh kw c wi o; …", applied step by step to
 * a copy of the kernel, each step proving itself legal and the verifier run after each. */
#include "ir/loop/rewrite.h"

#include <string.h>

static const struct {
    const char *name;
    bool (*apply)(Kernel *, Lexer *, Diag *);
} steps[] = {
    {"split", step_split},     {"fuse", step_fuse},   {"drop", step_drop},     {"order", step_order},
    {"compute", step_compute}, {"stage", step_stage}, {"clip", step_clip},     {"prefetch", step_prefetch},
    {"rfactor", step_rfactor}, {"par", step_par},     {"unroll", step_unroll}, {"vec", step_vec},
    {"inplace", step_inplace},
};

/* A split with a rest makes two of each statement in the loop, so a chain of them could make millions. */
enum { MAX_STORES = 2048 };

static int stores(const Stmt *s) {
    int n = 0;
    for (; s; s = s->next) n += s->kind == STMT_STORE ? 1 : stores(s->body);
    return n;
}

static bool small_enough(const Kernel *k, Diag *d) {
    return stores(k->body) <= MAX_STORES ||
           diag_fail(d, DIAG_SPEC, "the kernel would have more than %d statements", MAX_STORES);
}

static bool step_apply(Kernel *k, Lexer *l, Diag *d) {
    const char *names[COUNT_OF(steps)];
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        names[i] = steps[i].name;
        if (!lex_take(l, steps[i].name)) continue;
        return steps[i].apply(k, l, d) && !l->failed && small_enough(k, d) && kernel_verify(k, d);
    }
    const char *near = l->kind == TOK_NAME ? text_nearest(l->text, names, COUNT_OF(names)) : NULL;
    if (near) return diag_fail(d, DIAG_SPEC, "no such step; did you mean %s?", near);
    return diag_fail(d, DIAG_SPEC,
                     "no such step (the steps are split fuse drop order compute stage clip prefetch rfactor par unroll "
                     "vec inplace)");
}

/* The text of one step, up to the ';', without the blanks around it. */
static const char *step_text(Arena *a, const char **p) {
    const char *s = *p + strspn(*p, " \t\r\n"), *e = s + strcspn(s, ";");
    *p = *e ? e + 1 : e;
    while (e > s && strchr(" \t\r\n", e[-1])) e--;
    return arena_printf(a, "%.*s", (int)(e - s), s);
}

bool kernel_schedule(Kernel *k, const char *text, const char *where, Diag *d) {
    Kernel *work = kernel_clone(k->arena, k);
    Text done = {.arena = k->arena};
    text_add(&done, "%s", k->steps);
    int number = 0;
    for (const char *p = text; *p;) {
        const char *one = step_text(k->arena, &p);
        if (!*one) continue;
        number++;
        Diag why = {0};
        Lexer l;
        lex_open(&l, k->arena, "schedule", one, &why);
        if (!step_apply(work, &l, &why) || l.kind != TOK_END) {
            diag_fail(&why, DIAG_SPEC, "'%.80s' is too much", l.text ? l.text : "");
            diag_fail(d, DIAG_SPEC, "step %d '%.200s': %s", number, one, why.text);
            if (where) diag_prefix(d, "%s", where);
            return false;
        }
        text_add(&done, "%s%s", done.n ? "; " : "", one);
    }
    work->steps = text_get(&done);
    *k = *work;
    return true;
}
