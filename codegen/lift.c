#include "codegen/lift.h"

#include <stdlib.h>

/* One value for all accesses of a buffer that step alike: so they have pointers in common. */
static int value_arg(Lift *l, int buf, int var, int64_t value) {
    for (int i = l->n_arg - 1; i >= 0; i--)
        if (l->arg[i].buf == buf && l->arg[i].var == var && l->arg[i].value == value) return i;
    LiftArg arg = {buf, var, (intptr_t)value};
    ARENA_PUSH(l->arena, l->arg, l->n_arg, l->cap_arg, arg);
    return l->n_arg - 1;
}

static bool large(int64_t x) { return x > LIFT_SMALL || x < -LIFT_SMALL; }

/* Places that unrolled loops with large coefficients give. */
static int64_t large_copies(const Lift *l, const Affine *x) {
    int64_t copies = 1;
    for (int i = 0; i < x->n && copies <= LIFT_COPIES; i++) {
        int var = x->term[i].var;
        if (l->loop[var].mark == MARK_UNROLL && large(x->term[i].coef)) copies *= l->k->var[var].extent;
    }
    return copies;
}

static void add_terms(Lift *l, Access *out, const Affine *x) {
    LiftTerm *term = ARENA_ARRAY(l->arena, LiftTerm, x->n);
    bool few = large_copies(l, x) <= LIFT_COPIES;
    for (int i = 0; i < x->n; i++) {
        int var = x->term[i].var, at = out->n;
        LiftLoop *loop = &l->loop[var];
        if (l->k->var[var].extent == 1) continue;
        bool constant = out->exact || loop->mark == MARK_VEC || (loop->mark == MARK_UNROLL && !few);
        int64_t coef = x->term[i].coef;
        for (; at > 0 && l->loop[term[at - 1].var].number > loop->number; at--) term[at] = term[at - 1];
        term[at] = (LiftTerm){var, coef, -1};
        if (!constant && large(coef)) term[at].arg = value_arg(l, out->buf, var, coef);
        loop->far |= coef != 1;
        out->n++;
    }
    out->term = term;
}

/* Accesses of a buffer that lie close together count from the first of them, so that they have its pointers. */
static void lift_base(Lift *l, Access *x) {
    for (int i = 0; i < l->n_arg && x->base_arg < 0; i++)
        if (l->arg[i].buf == x->buf && l->arg[i].var < 0 && !large(x->base - l->arg[i].value)) x->base_arg = i;
    if (x->base_arg < 0) x->base_arg = value_arg(l, x->buf, -1, x->base);
    x->base -= l->arg[x->base_arg].value;
    x->inside &= x->base >= 0;
}

static bool never_negative(const Affine *x) {
    for (int i = 0; i < x->n; i++)
        if (x->term[i].coef < 0) return false;
    return x->base >= 0;
}

static Access *make_access(Lift *l, int buf, const Affine *sub, bool exact) {
    bool param = buf >= 0 && buf < l->k->n_param;
    Affine x = buf < 0 ? *sub : affine_linear(l->arena, &l->k->buf[buf].type, sub);
    Access *out = ARENA_NEW(l->arena, Access);
    *out = (Access){.base = x.base, .base_arg = -1, .inside = never_negative(&x), .buf = buf, .exact = exact || !param};
    add_terms(l, out, &x);
    if (!out->exact) lift_base(l, out);
    return out;
}

const Access *lift_access(Lift *l, int buf, const Affine *sub, bool exact) {
    Access *list = memo_get(&l->access, sub);
    exact |= buf < 0 || buf >= l->k->n_param;
    for (const Access *x = list; x; x = x->next)
        if (x->buf == buf && x->exact == exact) return x;
    Access *made = make_access(l, buf, sub, exact);
    made->next = list;
    memo_put(l->arena, &l->access, sub, made);
    return made;
}

const Access *lift_place(Lift *l, int buf, const Affine *sub) {
    Access *x = (Access *)(uintptr_t)lift_access(l, buf, sub, false); /* a prefetch's own */
    x->inside = false;
    return x;
}

int64_t access_coef(const Access *x, int var) {
    for (int i = 0; i < x->n; i++)
        if (x->term[i].var == var) return x->term[i].coef;
    return 0;
}

Lift *lift_kernel(Arena *a, const Kernel *k) {
    Lift *l = ARENA_NEW(a, Lift);
    *l = (Lift){.arena = a, .k = k, .text = {.arena = a}};
    l->loop = ARENA_ARRAY(a, LiftLoop, k->n_var);
    lift_print(l);
    return l;
}
