/* The walk over a kernel that gives its loops, nests and args their numbers, and prints what the code
 * depends on besides the values of args: `v3` is a loop, `$5` an arg, `#2` the third node of the store.
 *
 *     nest $0 { par v1 $1 { for v2 $2 { reg 3 { unroll v3 4 { vec v4 8 { 3[v3*8+v4]=0[v1*$3+v2*$4+v3*8+v4i]; …
 */
#include "codegen/lift.h"
#include "ir/loop/exprmap.h"

#include <string.h>

/* ---- places --------------------------------------------------------------------------------- */

static void print_access(Lift *l, const Access *x) {
    Text *t = &l->text;
    text_add(t, "[");
    for (int i = 0; i < x->n; i++) {
        const LiftTerm *term = &x->term[i];
        text_add(t, "v%d*", l->loop[term->var].number);
        if (term->arg >= 0) text_add(t, "$%d+", term->arg);
        else text_add(t, "%lld+", (long long)term->coef);
    }
    if (x->base_arg >= 0) text_add(t, "$%d+", x->base_arg);
    text_add(t, "%lld%s]", (long long)x->base, x->inside ? "i" : "");
}

static void print_extents(Lift *l, const Type *type) {
    text_add(&l->text, "%s", dtype_name(type->dtype));
    for (int i = 0; i < type->rank; i++) text_add(&l->text, " %lld", (long long)type->axis[i].extent);
}

/* ---- expressions ---------------------------------------------------------------------------- */

typedef struct Walk {
    Lift *l;
    ExprMap seen; /* nodes of this store: their number, from 1 */
    int n;
} Walk;

static void print_expr(Walk *w, const Expr *e);

static void print_take(Walk *w, const Expr *e) {
    Text *t = &w->l->text;
    text_add(t, " of ");
    print_extents(w->l, &w->l->k->buf[e->buf].type);
    for (int i = 0; i < e->n_take; i++) {
        if (!e->take[i].index) continue;
        text_add(t, " take %d %lld ", i, (long long)e->take[i].limit);
        print_expr(w, e->take[i].index);
    }
}

/* Its range decides whether 32 bits are enough for it. */
static void print_index(Lift *l, const Affine *x) {
    int64_t lo, hi;
    affine_range(l->k, x, &lo, &hi);
    text_add(&l->text, "index%s", lo >= INT32_MIN && hi <= INT32_MAX ? "" : " wide ");
    print_access(l, lift_access(l, -1, x, true));
}

static void print_call(Walk *w, const Expr *e) {
    text_add(&w->l->text, "%s(", fn_name(e->fn));
    for (int i = 0; i < fn_args(e->fn); i++) {
        if (i) text_add(&w->l->text, ",");
        print_expr(w, e->arg[i]);
    }
    text_add(&w->l->text, ")");
}

static void print_bits(Text *t, float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    text_add(t, "%x", (unsigned)bits);
}

static void print_expr(Walk *w, const Expr *e) {
    Lift *l = w->l;
    int *number = exprmap_at(&w->seen, e);
    if (*number) {
        text_add(&l->text, "#%d", *number);
        return;
    }
    *number = ++w->n;
    switch (e->kind) {
    case EXPR_CONST: print_bits(&l->text, e->value); break;
    case EXPR_LOAD:
        text_add(&l->text, "%d", e->buf);
        print_access(l, lift_access(l, e->buf, e->sub, e->take != NULL));
        if (e->take) print_take(w, e);
        break;
    case EXPR_INDEX: print_index(l, e->sub); break;
    case EXPR_TABLE:
        text_add(&l->text, "table %d", e->buf);
        print_access(l, lift_access(l, -1, e->sub, true));
        break;
    case EXPR_CALL: print_call(w, e); break;
    }
}

/* ---- statements ----------------------------------------------------------------------------- */

static void print_store(Lift *l, const Stmt *s) {
    static const char *const ops[] = {[STORE_SET] = "=", [STORE_ADD] = "+=", [STORE_MAX] = "max="};
    Walk w = {.l = l, .seen = {.arena = l->arena}};
    text_add(&l->text, "%d", s->buf);
    print_access(l, lift_access(l, s->buf, s->sub, false));
    text_add(&l->text, "%s", ops[s->op]);
    print_expr(&w, s->value);
    text_add(&l->text, ";\n");
}

static int own_arg(Lift *l, int64_t value) {
    LiftArg arg = {-1, -1, (intptr_t)value};
    ARENA_PUSH(l->arena, l->arg, l->n_arg, l->cap_arg, arg);
    return l->n_arg - 1;
}

static void print_list(Lift *l, const Stmt *s);

static void lift_guard(Lift *l, const Stmt *s) {
    LiftLoop *loop = &l->loop[s->var];
    const Guard *g = s->guard;
    Affine rest = affine_subst(l->arena, g->form, s->var, affine_const(0));
    loop->guard = lift_access(l, -1, arena_copy(l->arena, &rest, sizeof rest), true);
    loop->guard_coef = affine_coef(&g->form, s->var);
    loop->guard_lo = own_arg(l, g->lo);
    loop->guard_hi = own_arg(l, g->hi);
    text_add(&l->text, "if $%d $%d %lld ", loop->guard_lo, loop->guard_hi, (long long)loop->guard_coef);
    print_access(l, loop->guard);
}

static void print_loop(Lift *l, const Stmt *s) {
    static const char *const marks[] = {
        [MARK_FOR] = "for", [MARK_PAR] = "par", [MARK_UNROLL] = "unroll", [MARK_VEC] = "vec"};
    int64_t extent = l->k->var[s->var].extent;
    LiftLoop *loop = &l->loop[s->var];
    bool rolled = (s->mark == MARK_FOR || s->mark == MARK_PAR);
    if (extent == 1 && !s->guard) { /* leaves no trace in code either */
        print_list(l, s->body);
        return;
    }
    *loop = (LiftLoop){.number = ++l->n_loops, .mark = s->mark, .extent = rolled ? own_arg(l, extent) : -1};
    text_add(&l->text, "%s v%d %s%lld {", marks[s->mark], loop->number, rolled ? "$" : "",
             (long long)(rolled ? loop->extent : extent));
    if (s->guard) lift_guard(l, s);
    print_list(l, s->body);
    text_add(&l->text, "}");
}

static void print_list(Lift *l, const Stmt *s) {
    for (; s; s = s->next) {
        switch (s->kind) {
        case STMT_FOR: print_loop(l, s); break;
        case STMT_STORE: print_store(l, s); break;
        case STMT_PREFETCH:
            text_add(&l->text, "prefetch %d", s->buf);
            print_access(l, lift_place(l, s->buf, s->sub));
            break;
        case STMT_ALLOC:
            text_add(&l->text, "buffer %d {", s->buf);
            print_list(l, s->body);
            text_add(&l->text, "}");
            break;
        }
    }
}

/* A nest without par is one task; what no object is made for (more than 2^31 tasks) keeps its number. */
static void print_nests(Lift *l) {
    int64_t first = 0;
    for (const Stmt *s = l->k->body; s; s = s->next) {
        int64_t tasks = nest_tasks(l->k, s);
        LiftNest nest = {first ? own_arg(l, first) : -1, tasks > 1 ? own_arg(l, tasks) : -1};
        ARENA_PUSH(l->arena, l->nest, l->n_nest, l->cap_nest, nest);
        text_add(&l->text, "nest $%d $%d%s ", nest.first, nest.tasks, tasks > INT32_MAX ? " too many" : "");
        Stmt alone = *s;
        alone.next = NULL;
        print_list(l, &alone);
        text_add(&l->text, "\n");
        first += tasks;
    }
}

void lift_print(Lift *l) {
    const Kernel *k = l->k;
    for (int i = 0; i < k->n_buf; i++) {
        static const char *const kinds[] = {
            [BUF_IN] = "in", [BUF_OUT] = "out", [BUF_REG] = "reg", [BUF_SCRATCH] = "scratch"};
        text_add(&l->text, "%s %s", kinds[k->buf[i].kind], i < k->n_param ? dtype_name(k->buf[i].type.dtype) : "");
        if (i >= k->n_param) print_extents(l, &k->buf[i].type);
        if (k->buf[i].is_over) text_add(&l->text, " over %d", k->buf[i].over);
        text_add(&l->text, "\n");
    }
    for (int i = 0; i < k->n_table; i++) {
        text_add(&l->text, "table");
        for (int j = 0; j < k->table[i].n; j++) {
            text_add(&l->text, " ");
            print_bits(&l->text, k->table[i].v[j]);
        }
        text_add(&l->text, "\n");
    }
    print_nests(l);
}
