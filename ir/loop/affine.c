/* Affine forms over loop variables. Terms are kept sorted by variable without zeros, so that equal
 * forms have equal representations. */
#include "ir/loop.h"

#include <assert.h>
#include <stdlib.h>

Affine affine_const(int64_t c) { return (Affine){.base = c}; }

Affine affine_var(Arena *a, int var) {
    Term *t = ARENA_NEW(a, Term);
    *t = (Term){var, 1};
    return (Affine){0, 1, t};
}

Affine affine_offset(Affine x, int64_t c) {
    x.base += c;
    return x;
}

Affine affine_scale(Arena *a, Affine x, int64_t c) {
    if (c == 1) return x;
    if (c == 0) return affine_const(0);
    Term *t = ARENA_ARRAY(a, Term, x.n);
    for (int i = 0; i < x.n; i++) t[i] = (Term){x.term[i].var, x.term[i].coef * c};
    return (Affine){x.base * c, x.n, t};
}

Affine affine_add(Arena *a, Affine x, Affine y) {
    if (y.n == 0) return affine_offset(x, y.base);
    if (x.n == 0) return affine_offset(y, x.base);
    Term *t = ARENA_ARRAY(a, Term, x.n + y.n);
    int n = 0, i = 0, j = 0;
    while (i < x.n || j < y.n) {
        if (j == y.n || (i < x.n && x.term[i].var < y.term[j].var)) {
            t[n++] = x.term[i++];
        } else if (i == x.n || y.term[j].var < x.term[i].var) {
            t[n++] = y.term[j++];
        } else {
            int64_t c = x.term[i].coef + y.term[j].coef;
            if (c != 0) t[n++] = (Term){x.term[i].var, c};
            i++, j++;
        }
    }
    return (Affine){x.base + y.base, n, t};
}

int64_t affine_coef(const Affine *x, int var) {
    for (int i = 0; i < x->n; i++)
        if (x->term[i].var == var) return x->term[i].coef;
    return 0;
}

Affine affine_subst(Arena *a, Affine x, int var, Affine by) {
    int64_t c = affine_coef(&x, var);
    if (c == 0) return x;
    Term *t = ARENA_ARRAY(a, Term, x.n);
    int n = 0;
    for (int i = 0; i < x.n; i++)
        if (x.term[i].var != var) t[n++] = x.term[i];
    return affine_add(a, (Affine){x.base, n, t}, affine_scale(a, by, c));
}

bool affine_equal(const Affine *x, const Affine *y) {
    if (x->base != y->base || x->n != y->n) return false;
    for (int i = 0; i < x->n; i++)
        if (x->term[i].var != y->term[i].var || x->term[i].coef != y->term[i].coef) return false;
    return true;
}

static void range_term(const Kernel *k, int var, int64_t coef, int64_t *lo, int64_t *hi) {
    int64_t reach = coef * (k->var[var].extent - 1);
    if (reach > 0) *hi += reach;
    else *lo += reach;
}

void affine_range(const Kernel *k, const Affine *x, int64_t *lo, int64_t *hi) {
    *lo = *hi = x->base;
    for (int i = 0; i < x->n; i++) range_term(k, x->term[i].var, x->term[i].coef, lo, hi);
}

/* The range of x − a·y. Several threads may ask: nothing is allocated. */
static void range_less(const Kernel *k, const Affine *x, const Affine *y, int64_t a, int64_t *lo, int64_t *hi) {
    *lo = *hi = x->base - a * y->base;
    for (int i = 0; i < x->n; i++)
        range_term(k, x->term[i].var, x->term[i].coef - a * affine_coef(y, x->term[i].var), lo, hi);
    for (int i = 0; i < y->n; i++)
        if (affine_coef(x, y->term[i].var) == 0) range_term(k, y->term[i].var, -a * y->term[i].coef, lo, hi);
}

/* x = a·form + rest, with a so that a loop of the form is not in the rest. Forms are below 2^42 (the parser sees to it); what could
 * overflow says nothing. */
static void range_by_guard(const Kernel *k, const Affine *x, const Guard *g, int64_t *lo, int64_t *hi) {
    const int64_t most = (int64_t)1 << 42, most_times = 1 << 18;
    if (g->lo < -most || g->hi < -most || g->lo > most || g->hi > most) return;
    for (int i = 0; i < g->form.n; i++) {
        Term t = g->form.term[i];
        int64_t c = affine_coef(x, t.var), a = c / t.coef, l, h;
        if (c == 0 || c % t.coef || a > most_times || a < -most_times) continue;
        range_less(k, x, &g->form, a, &l, &h);
        l += a > 0 ? a * g->lo : a * (g->hi - 1);
        h += a > 0 ? a * (g->hi - 1) : a * g->lo;
        if (l > *lo) *lo = l;
        if (h < *hi) *hi = h;
    }
}

void affine_range_if(const Kernel *k, const Affine *x, const Guard *const *guard, int n, int64_t *lo, int64_t *hi) {
    affine_range(k, x, lo, hi);
    for (int i = 0; i < n; i++) range_by_guard(k, x, guard[i], lo, hi);
}

bool affine_divmod(const Kernel *k, Affine x, int64_t d, Affine *quotient, Affine *remainder) {
    if (d == 1) {
        *quotient = x;
        *remainder = affine_const(0);
        return true;
    }
    Arena *a = k->arena;
    Term *q = ARENA_ARRAY(a, Term, x.n), *r = ARENA_ARRAY(a, Term, x.n);
    int nq = 0, nr = 0;
    for (int i = 0; i < x.n; i++) {
        Term t = x.term[i];
        if (t.coef % d == 0) q[nq++] = (Term){t.var, t.coef / d};
        else r[nr++] = t;
    }
    int64_t base = x.base / d, rest = x.base % d;
    if (rest < 0) base--, rest += d;
    *quotient = (Affine){base, nq, q};
    *remainder = (Affine){rest, nr, r};
    int64_t lo, hi;
    affine_range(k, remainder, &lo, &hi);
    return lo >= 0 && hi < d;
}

Affine affine_linear(Arena *a, const Type *type, const Affine *sub) {
    Affine at = affine_const(0);
    int64_t stride = 1;
    for (int i = type->rank - 1; i >= 0; i--) {
        assert(type->axis[i].lo == 0 && type->axis[i].hi == 0);
        at = affine_add(a, at, affine_scale(a, sub[i], stride));
        stride *= type->axis[i].extent;
    }
    return at;
}

/* By ascending coefficient, no term steps further than what the smaller ones cover. */
int64_t affine_dense(const Kernel *k, const Affine *x) {
    int64_t covered = 1, last = 0;
    for (int round = 0; round < x->n; round++) {
        const Term *next = NULL; /* by size: a loop that counts down takes the same values */
        for (int i = 0; i < x->n; i++)
            if (llabs(x->term[i].coef) > last && (!next || llabs(x->term[i].coef) < llabs(next->coef))) next = &x->term[i];
        if (!next) return 0; /* coefficients of equal size: not proved */
        if (llabs(next->coef) > covered && k->var[next->var].extent > 1) return 0;
        covered += llabs(next->coef) * (k->var[next->var].extent - 1);
        last = llabs(next->coef);
    }
    return covered;
}
