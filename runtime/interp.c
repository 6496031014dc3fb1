#include "runtime/interp.h"

#include "runtime/interp_code.h"

#include <string.h>

/* The variables of loops around, this one's too, have their values. */
static bool passes(const Run *r, const Guard *g) {
    int64_t at = g->form.base;
    for (int i = 0; i < g->form.n; i++) at += g->form.term[i].coef * r->var[g->form.term[i].var];
    return g->lo <= at && at < g->hi;
}

static void run_list(Run *r, const Node *node) {
    for (; node; node = node->next) {
        switch (node->kind) {
        case NODE_LOOP:
            for (int64_t i = 0; i < node->extent; i++) {
                r->var[node->var] = i;
                if (!node->guard || passes(r, node->guard)) run_list(r, node->body);
            }
            r->var[node->var] = 0;
            break;
        case NODE_NEST: interp_nest(r, node->nest); break;
        case NODE_ALLOC:
            memset(r->memory[node->memory], 0xFF, node->bytes); /* every element a NaN */
            run_list(r, node->body);
            break;
        }
    }
}

/* Tasks begin … end−1 of one top-level nest. */
static bool run_tasks(Run *r, const Stmt *nest, int64_t begin, int64_t end, Diag *d) {
    int vars[MAX_AXES], n = nest_par_vars(nest, vars);
    if (begin == 0 && end == nest_tasks(r->k, nest)) n = 0; /* all: par means for */
    Stmt alone = *nest;
    alone.next = NULL;
    const Stmt *body = &alone;
    for (int i = 0; i < n; i++) body = body->body;
    const Node *node = interp_compile(r, body, d);
    if (!node) return false;
    if (n == 0) end = begin + 1;
    for (int64_t task = begin; task < end; task++) {
        int64_t rest = task;
        for (int i = n - 1; i >= 0; i--) {
            r->var[vars[i]] = rest % r->k->var[vars[i]].extent;
            rest /= r->k->var[vars[i]].extent;
        }
        run_list(r, node);
    }
    for (int i = 0; i < n; i++) r->var[vars[i]] = 0;
    return true;
}

static bool run_kernel(Arena *a, const Kernel *k, void *const *buf, int64_t begin, int64_t end, bool fma, Diag *d) {
    Run r = {.arena = a, .k = k, .fma = fma};
    r.memory = ARENA_ARRAY(a, void *, k->n_buf + k->n_table);
    r.var = ARENA_ARRAY(a, int64_t, k->n_var);
    for (int i = 0; i < k->n_buf; i++)
        r.memory[i] = i < k->n_param ? buf[i] : arena_alloc(a, type_bytes(&k->buf[i].type));
    for (int i = 0; i < k->n_table; i++) r.memory[k->n_buf + i] = (void *)(uintptr_t)k->table[i].v; /* only read */
    int64_t first = 0;
    for (const Stmt *s = k->body; s; s = s->next) {
        int64_t tasks = nest_tasks(k, s);
        int64_t from = begin > first ? begin - first : 0, to = end - first < tasks ? end - first : tasks;
        if (from < to && !run_tasks(&r, s, from, to, d)) return false;
        first += tasks;
    }
    return true;
}

bool interp_run(const Kernel *k, void *const *buf, int64_t begin, int64_t end, bool fma, Diag *d) {
    Arena *a = arena_open(d);
    if (!a) return false;
    volatile bool ok = false;
    if (ARENA_TRY(a)) ok = run_kernel(a, k, buf, begin, end, fma, d);
    else diag_fail(d, DIAG_MACHINE, "out of memory interpreting kernel %s", k->name);
    ARENA_END(a);
    arena_close(a);
    return ok;
}
