/* The verifier. Every access is proved in bounds by the range of its affine subscripts, every par
 * and vec loop free of conflicts by independence of its iterations, and the nests at the top
 * independent of each other (their tasks run at the same time).
 *
 * Independence of loops p: for accesses A and B to one buffer, one of them a write, show that
 * A(p, i) = B(p', i') implies p = p'. In one axis both are Σ a·p + rest. With W the largest
 * difference that the rests and the terms of smaller |a| can have together, |a| > W means that a
 * difference in the p of the largest |a| cannot be made up by anything: p = p' is proved, and the next
 * smaller term is the largest. (From the top: of 2p + 3q neither can be proved, as 2·3 = 3·2.) What
 * one axis proves counts in the others, until nothing new is found. Loops around the whole have
 * one value on both sides and cancel where their coefficients agree.
 *
 * What may lie over an input is proved in inplace.c. */
#include "ir/loop/rewrite.h"

#include <stdlib.h>
#include <string.h>

static bool verify_fail(const Kernel *k, Diag *d, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool verify_fail(const Kernel *k, Diag *d, const char *fmt, ...) {
    if (!d || d->kind != DIAG_NONE) return false;
    va_list ap;
    va_start(ap, fmt);
    diag_vfail(d, DIAG_INTERNAL, fmt, ap);
    va_end(ap);
    diag_prefix(d, "kernel %s", k->name);
    return false;
}

/* ---- independence ----------------------------------------------------------------------------- */

enum { MAX_LOOPS = 64 };

typedef struct Proof {
    const Kernel *k;
    const bool *inner; /* loops inside the body: free on both sides; NULL: all the others */
    const int *vars;   /* the loops to be proved independent */
    int n;
    bool proved[MAX_LOOPS];
} Proof;

static int proof_index(const Proof *p, int var) {
    for (int i = 0; i < p->n; i++)
        if (p->vars[i] == var) return i;
    return -1;
}

/* Adds to lo … hi what x − y can be, without the terms of the loops in question. */
static void rest_range(const Proof *p, const Affine *x, const Affine *y, int64_t *lo, int64_t *hi) {
    *lo = *hi = x->base - y->base;
    for (int side = 0; side < 2; side++) {
        const Affine *s = side ? y : x;
        for (int i = 0; i < s->n; i++) {
            int var = s->term[i].var;
            int64_t coef = side ? -s->term[i].coef : s->term[i].coef;
            if (proof_index(p, var) >= 0) continue;
            if (p->inner && !p->inner[var]) { /* one value on both sides: count it once, with the difference */
                if (side && affine_coef(x, var) != 0) continue;
                coef = affine_coef(x, var) - affine_coef(y, var);
            }
            int64_t reach = coef * (p->k->var[var].extent - 1);
            if (reach > 0) *hi += reach;
            else *lo += reach;
        }
    }
}

static int64_t proof_coef(const Proof *p, const Affine *x, int i) { return llabs(affine_coef(x, p->vars[i])); }

/* How much a difference in this loop can make up for; none if there is no difference. */
static int64_t proof_spread(const Proof *p, const Affine *x, int i) {
    return p->proved[i] ? 0 : proof_coef(p, x, i) * (p->k->var[p->vars[i]].extent - 1);
}

static bool proof_axis(Proof *p, const Affine *x, const Affine *y) {
    int64_t lo, hi;
    for (int i = 0; i < p->n; i++) /* different coefficients: this axis proves nothing */
        if (affine_coef(x, p->vars[i]) != affine_coef(y, p->vars[i])) return false;
    rest_range(p, x, y, &lo, &hi);
    int64_t width = -lo > hi ? -lo : hi;
    for (int i = 0; i < p->n; i++) width += proof_spread(p, x, i);
    for (bool progress = false;; progress = true) {
        int most = -1; /* the largest |coefficient| that is left */
        for (int i = 0; i < p->n; i++)
            if (proof_spread(p, x, i) > 0 && (most < 0 || proof_coef(p, x, i) > proof_coef(p, x, most))) most = i;
        if (most < 0) return progress;
        width -= proof_spread(p, x, most);
        if (proof_coef(p, x, most) <= width) return progress;
        p->proved[most] = true;
    }
}

/* The first loop in which x and y may differ though they touch the same element; −1 if there is none. */
static int pair_differs(Proof *p, const Access *x, const Access *y) {
    for (int i = 0; i < p->n; i++) p->proved[i] = p->k->var[p->vars[i]].extent == 1;
    for (bool progress = true; progress;) {
        progress = false;
        for (int i = 0; i < p->k->buf[x->buf].type.rank; i++) progress |= proof_axis(p, &x->sub[i], &y->sub[i]);
    }
    for (int i = 0; i < p->n; i++)
        if (!p->proved[i]) return accesses_disjoint(p->k, x, y) ? -1 : p->vars[i];
    return -1;
}

int loops_differ(const Kernel *k, const Access *x, const Access *y, const int *vars, int n) {
    Proof p = {.k = k, .vars = vars, .n = n};
    return n > MAX_LOOPS ? vars[0] : pair_differs(&p, x, y);
}

static bool allocated_in(const Stmt *body, int buf) {
    for (; body; body = body->next)
        if ((body->kind == STMT_ALLOC && body->buf == buf) || allocated_in(body->body, buf)) return true;
    return false;
}

bool loops_independent(const Kernel *k, const Stmt *body, const int *vars, int n, Diag *d) {
    AccessList list = {0};
    accesses_collect(k->arena, body, -1, &list);
    if (n > MAX_LOOPS) return verify_fail(k, d, "more than %d parallel loops", MAX_LOOPS);
    Proof p = {.k = k, .inner = vars_bound(k->arena, k, body), .vars = vars, .n = n};
    for (int i = 0; i < list.n; i++) {
        if (!list.v[i].write || allocated_in(body, list.v[i].buf)) continue;
        for (int j = 0; j < list.n; j++) {
            int differs = list.v[j].buf != list.v[i].buf ? -1 : pair_differs(&p, &list.v[i], &list.v[j]);
            if (differs < 0) continue;
            return verify_fail(k, d, "two iterations of loop %s may touch the same element of %s", k->var[differs].name,
                               k->buf[list.v[i].buf].name);
        }
    }
    return true;
}

/* ---- form and bounds --------------------------------------------------------------------------- */

typedef struct Walk {
    const Kernel *k;
    bool *var_live, *var_seen, *buf_live, *buf_seen;
    bool *buf_set;                 /* a register or scratch buffer that some statement before has set */
    const Guard *guard[MAX_LOOPS]; /* conditions of the loops around */
    int n_guard;
    Diag *d;
} Walk;

static bool check_live(Walk *w, const char *what, const Affine *x) {
    for (int i = 0; i < x->n; i++)
        if (x->term[i].var < 0 || x->term[i].var >= w->k->n_var || !w->var_live[x->term[i].var])
            return verify_fail(w->k, w->d, "a subscript of %s uses a loop that is not around it", what);
    return true;
}

/* x, and up to `more` above it */
static bool check_sub(Walk *w, const char *what, const Affine *x, int64_t more, int64_t extent, char axis) {
    int64_t lo, hi;
    if (!check_live(w, what, x)) return false;
    affine_range_if(w->k, x, w->guard, w->n_guard, &lo, &hi);
    hi += more;
    if (lo < 0 || hi >= extent)
        return verify_fail(w->k, w->d, "a subscript of %s along axis %c runs over %lld … %lld, the extent is %lld",
                           what, axis, (long long)lo, (long long)hi, (long long)extent);
    return true;
}

/* take: what an indirect load adds to the subscripts. */
static bool check_access(Walk *w, int buf, const Affine *sub, const TakeIndex *take) {
    if (buf < 0 || buf >= w->k->n_buf || !w->buf_live[buf])
        return verify_fail(w->k, w->d, "a buffer is used outside its life");
    const Buf *b = &w->k->buf[buf];
    if (take && b->kind != BUF_IN)
        return verify_fail(w->k, w->d, "%s is no input: only inputs are loaded indirectly", b->name);
    for (int i = 0; i < b->type.rank; i++) {
        int64_t more = take && take[i].index ? take[i].limit - 1 : 0;
        if (more < 0 || more >= MAX_TAKE)
            return verify_fail(w->k, w->d, "the limit of take(…) along axis %c of %s is not in 1 … 2^24",
                               b->type.axis[i].letter, b->name);
        if (!check_sub(w, b->name, &sub[i], more, b->type.axis[i].extent, b->type.axis[i].letter)) return false;
    }
    return true;
}

static bool check_expr(Walk *w, const Expr *e) {
    switch (e->kind) {
    case EXPR_CONST: return true;
    case EXPR_LOAD: return check_access(w, e->buf, e->sub, e->take);
    case EXPR_INDEX: return check_live(w, "index", e->sub);
    case EXPR_TABLE:
        if (e->buf < 0 || e->buf >= w->k->n_table) return verify_fail(w->k, w->d, "a table that is not there");
        return check_sub(w, w->k->table[e->buf].name, e->sub, 0, w->k->table[e->buf].n, 'i');
    case EXPR_CALL: return true;
    }
    return false;
}

static bool check_set(Walk *w, int buf) {
    BufKind kind = w->k->buf[buf].kind;
    if ((kind != BUF_REG && kind != BUF_SCRATCH) || w->buf_set[buf]) return true;
    return verify_fail(w->k, w->d, "%s is read before anything was stored in it", w->k->buf[buf].name);
}

static bool check_store(Walk *w, const Stmt *s) {
    ExprList nodes = {0};
    expr_collect(w->k->arena, s->value, &nodes);
    for (int i = 0; i < nodes.n; i++) {
        const Expr *e = nodes.v[i];
        if (!check_expr(w, e) || (e->kind == EXPR_LOAD && !check_set(w, e->buf))) return false;
    }
    if (!check_access(w, s->buf, s->sub, NULL) || (s->op != STORE_SET && !check_set(w, s->buf))) return false;
    w->buf_set[s->buf] = true;
    if (w->k->buf[s->buf].kind == BUF_IN)
        return verify_fail(w->k, w->d, "a store to the input %s", w->k->buf[s->buf].name);
    if (w->k->buf[s->buf].type.dtype != DT_F32 && s->op != STORE_SET)
        return verify_fail(w->k, w->d, "%s holds %s: += and max= are for f32", w->k->buf[s->buf].name,
                           dtype_name(w->k->buf[s->buf].type.dtype));
    return true;
}

static bool check_guard(Walk *w, const Stmt *s) {
    const char *name = w->k->var[s->var].name;
    if (s->mark != MARK_FOR) return verify_fail(w->k, w->d, "loop %s is marked and has a condition", name);
    if (affine_coef(&s->guard->form, s->var) == 0)
        return verify_fail(w->k, w->d, "the condition of loop %s does not depend on it", name);
    w->var_live[s->var] = true;
    bool live = check_live(w, "the condition", &s->guard->form);
    w->var_live[s->var] = false;
    return live;
}

static bool check_loop(Walk *w, const Stmt *s, bool par_may) {
    if (s->var < 0 || s->var >= w->k->n_var || w->var_seen[s->var])
        return verify_fail(w->k, w->d, "two loops share a variable");
    for (int i = 0; i < w->k->n_var; i++)
        if (w->var_live[i] && strcmp(w->k->var[i].name, w->k->var[s->var].name) == 0)
            return verify_fail(w->k, w->d, "loop %s is inside another one of that name", w->k->var[s->var].name);
    if (!s->body) return verify_fail(w->k, w->d, "loop %s is empty", w->k->var[s->var].name);
    if (s->guard && !check_guard(w, s)) return false;
    if (s->mark == MARK_PAR && !par_may)
        return verify_fail(w->k, w->d,
                           "par loop %s is not outermost: par loops come first, each alone in the one around it",
                           w->k->var[s->var].name);
    if (s->mark != MARK_VEC) return true;
    if (w->k->var[s->var].extent > 64)
        return verify_fail(w->k, w->d, "vec loop %s has %lld iterations, at most 64 can be", w->k->var[s->var].name,
                           (long long)w->k->var[s->var].extent);
    for (const Stmt *b = s->body; b; b = b->next)
        if (b->kind != STMT_STORE)
            return verify_fail(w->k, w->d, "vec loop %s is not innermost", w->k->var[s->var].name);
    return loops_independent(w->k, s->body, &s->var, 1, w->d);
}

static bool check_list(Walk *w, const Stmt *s, bool par_may);

/* What a loop with a condition stores in a register it has perhaps not stored, as far as the statements behind it know. Scratch is
 * set by several such loops together (step `compute`). */
static bool check_inside(Walk *w, const Stmt *loop) {
    size_t n = (size_t)w->k->n_buf * sizeof *w->buf_set;
    bool *before = loop->guard ? arena_copy(w->k->arena, w->buf_set, n) : NULL;
    bool knows = loop->guard && w->n_guard < MAX_LOOPS;
    w->var_live[loop->var] = w->var_seen[loop->var] = true;
    if (knows) w->guard[w->n_guard++] = loop->guard;
    if (!check_list(w, loop->body, loop->mark == MARK_PAR && !loop->body->next)) return false;
    if (knows) w->n_guard--;
    w->var_live[loop->var] = false;
    for (int i = 0; before && i < w->k->n_buf; i++)
        if (w->k->buf[i].kind != BUF_SCRATCH) w->buf_set[i] = before[i];
    return true;
}

static bool check_list(Walk *w, const Stmt *s, bool par_may) {
    for (; s; s = s->next) {
        switch (s->kind) {
        case STMT_FOR:
            if (!check_loop(w, s, par_may)) return false;
            if (!check_inside(w, s)) return false;
            break;
        case STMT_ALLOC:
            if (s->buf < w->k->n_param || s->buf >= w->k->n_buf || w->buf_seen[s->buf])
                return verify_fail(w->k, w->d, "a register or scratch buffer is declared twice");
            if (w->k->buf[s->buf].type.dtype != DT_F32)
                return verify_fail(w->k, w->d, "%s holds %s: registers and scratch buffers hold f32",
                                   w->k->buf[s->buf].name, dtype_name(w->k->buf[s->buf].type.dtype));
            w->buf_live[s->buf] = w->buf_seen[s->buf] = true;
            if (!check_list(w, s->body, false)) return false;
            w->buf_live[s->buf] = false;
            break;
        case STMT_STORE:
            if (!check_store(w, s)) return false;
            break;
        case STMT_PREFETCH:
            if (s->buf < 0 || s->buf >= w->k->n_buf || !w->buf_live[s->buf] || w->k->buf[s->buf].kind == BUF_REG)
                return verify_fail(w->k, w->d, "a prefetch of no parameter or scratch");
            for (int i = 0; i < w->k->buf[s->buf].type.rank; i++)
                if (!check_live(w, "a prefetch", &s->sub[i])) return false;
            break;
        }
    }
    return true;
}

/* The nests at the top: nothing that one writes is touched by another. */
static bool check_tops(const Kernel *k, Diag *d) {
    for (const Stmt *s = k->body; s; s = s->next) {
        AccessList mine = {0};
        Stmt alone = *s;
        alone.next = NULL;
        accesses_collect(k->arena, &alone, -1, &mine);
        if (!s->next) break;
        AccessList rest = {0};
        accesses_collect(k->arena, s->next, -1, &rest);
        for (int i = 0; i < mine.n; i++)
            for (int j = 0; j < rest.n; j++)
                if (mine.v[i].buf == rest.v[j].buf && (mine.v[i].write || rest.v[j].write) &&
                    !accesses_disjoint(k, &mine.v[i], &rest.v[j]))
                    return verify_fail(k, d, "two nests at the top touch the same elements of %s",
                                       k->buf[mine.v[i].buf].name);
    }
    return true;
}

bool kernel_verify(const Kernel *k, Diag *d) {
    Arena *a = k->arena;
    Walk w = {.k = k,
              .d = d,
              .var_live = ARENA_ARRAY(a, bool, k->n_var),
              .var_seen = ARENA_ARRAY(a, bool, k->n_var),
              .buf_live = ARENA_ARRAY(a, bool, k->n_buf),
              .buf_seen = ARENA_ARRAY(a, bool, k->n_buf),
              .buf_set = ARENA_ARRAY(a, bool, k->n_buf)};
    for (int i = 0; i < k->n_param; i++) w.buf_live[i] = true;
    if (!k->body) return verify_fail(k, d, "nothing in it");
    for (const Stmt *s = k->body; s; s = s->next) {
        Stmt alone = *s;
        alone.next = NULL;
        if (!check_list(&w, &alone, true)) return false;
        int vars[MAX_AXES], n = nest_par_vars(s, vars);
        const Stmt *body = s;
        for (int i = 0; i < n; i++) body = body->body;
        if (n > 0 && !loops_independent(k, body, vars, n, d)) return false;
    }
    return check_tops(k, d) && inplace_verify(k, d);
}
