/* Which tasks of a large kernel are interpreted.
 *
 * A task is one iteration of the par loops of a nest. Borders and remainders are at the ends of these
 * loops, or nests of their own (a split that does not divide leaves a rest), so for every nest all
 * combinations of first, inner and last of its par loops are taken; then tasks at even distances. */
#include "frontend/check_part.h"
#include "ir/mathfn.h"

/* Multiply-adds: well under a second of the interpreter on one core. */
enum { SAMPLE_WORK = 32 << 20, MAX_COMBINATIONS = 729 };

/* Cost of an expression in multiply-adds; functions are small programs. A tree walk: formulas are short. */
static int64_t expr_cost(const Expr *e, int depth) {
    int64_t cost = 0;
    if (e->kind != EXPR_CALL || depth > 16) return 0;
    for (int i = 0; i < fn_args(e->fn); i++) cost += expr_cost(e->arg[i], depth + 1);
    return cost + (math_program(e->fn) ? 24 : 1);
}

static int64_t stmt_cost(const Kernel *k, const Stmt *s) {
    int64_t cost = 0;
    for (; s; s = s->next) {
        if (s->kind == STMT_FOR) cost += k->var[s->var].extent * stmt_cost(k, s->body);
        else if (s->kind == STMT_ALLOC) cost += stmt_cost(k, s->body);
        else if (s->kind == STMT_STORE) cost += 1 + expr_cost(s->value, 0);
    }
    return cost;
}

/* First, inner and last of each loop, in all combinations; only first and last where there are many loops. */
static void mark_corners(const Kernel *k, const Stmt *nest, uint8_t *want) {
    int vars[MAX_AXES], n = nest_par_vars(nest, vars), kinds = 3;
    int64_t all = 1;
    for (int i = 0; i < n; i++) all *= 3;
    if (all > MAX_COMBINATIONS) {
        kinds = 2;
        all = (int64_t)1 << n;
    }
    for (int64_t combination = 0; combination < all; combination++) {
        int64_t task = 0, rest = combination;
        for (int i = 0; i < n; i++, rest /= kinds) {
            int64_t extent = k->var[vars[i]].extent;
            int64_t inner = (extent - 1) / 2 + (combination * 7 + i) % 3; /* not always the same one */
            if (inner > extent - 1) inner = extent - 1;
            int64_t place = rest % kinds == 0 ? 0 : rest % kinds == 1 ? extent - 1 : inner;
            task = task * extent + place;
        }
        want[task] = 1;
    }
}

static void mark_spread(uint8_t *want, int64_t tasks, int64_t n) {
    if (n > tasks) n = tasks;
    for (int64_t i = 0; i < n; i++) want[(i * tasks + tasks / 2) / n] = 1;
}

void sample_tasks(const Kernel *k, bool full, int64_t least, uint8_t *want) {
    int64_t cost = stmt_cost(k, k->body), tasks = kernel_tasks(k), first = 0;
    full |= cost <= SAMPLE_WORK || least >= tasks;
    for (const Stmt *s = k->body; s; s = s->next) {
        int64_t n = nest_tasks(k, s);
        mark_corners(k, s, want + first);
        first += n;
    }
    int64_t afford = (int64_t)((double)tasks * (double)SAMPLE_WORK / (double)cost);
    mark_spread(want, tasks, full ? tasks : afford > least ? afford : least);
}
