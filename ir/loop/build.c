/* Making kernels, statements and expressions. */
#include "ir/loop.h"
#include "ir/loop/exprmap.h"

#include <assert.h>
#include <string.h>

Kernel *kernel_new(Arena *a, const char *name) {
    Kernel *k = ARENA_NEW(a, Kernel);
    k->arena = a;
    k->name = name;
    k->steps = "";
    return k;
}

int kernel_add_buf(Kernel *k, const char *name, BufKind kind, const Type *type) {
    Buf b = {.name = name, .kind = kind, .type = *type};
    for (int i = 0; i < type->rank; i++) {
        Axis *x = &b.type.axis[i];
        if (kind == BUF_IN) {
            b.lo[i] = x->lo;
            b.hi[i] = x->hi;
            if (x->lo || x->hi) b.halo = type->halo;
        }
        x->extent += x->lo + x->hi;
        x->lo = x->hi = 0;
    }
    b.type.halo = 0;
    ARENA_PUSH(k->arena, k->buf, k->n_buf, k->cap_buf, b);
    if (kind == BUF_IN || kind == BUF_OUT) {
        k->n_param++;
        assert(k->n_param == k->n_buf);
    }
    return k->n_buf - 1;
}

int kernel_add_var(Kernel *k, const char *name, int64_t extent) {
    assert(extent >= 1);
    Var v = {name, extent};
    ARENA_PUSH(k->arena, k->var, k->n_var, k->cap_var, v);
    return k->n_var - 1;
}

int kernel_add_table(Kernel *k, const char *name, const float *v, int n) {
    Table t = {name, n, arena_copy(k->arena, v, sizeof *v * (size_t)n)};
    ARENA_PUSH(k->arena, k->table, k->n_table, k->cap_table, t);
    return k->n_table - 1;
}

static Stmt *stmt_clone(Arena *a, const Stmt *s) {
    Stmt *first = NULL, **link = &first;
    for (; s; s = s->next) {
        Stmt *c = arena_copy(a, s, sizeof *s);
        c->body = stmt_clone(a, s->body);
        c->next = NULL;
        *link = c;
        link = &c->next;
    }
    return first;
}

Kernel *kernel_clone(Arena *a, const Kernel *k) {
    Kernel *c = arena_copy(a, k, sizeof *k);
    c->arena = a;
    c->buf = arena_copy(a, k->buf, sizeof *k->buf * (size_t)k->n_buf);
    c->var = arena_copy(a, k->var, sizeof *k->var * (size_t)k->n_var);
    c->cap_buf = k->n_buf;
    c->cap_var = k->n_var;
    c->body = stmt_clone(a, k->body);
    return c;
}

Stmt *stmt_for(Kernel *k, int var, Mark mark, Stmt *body) {
    Stmt *s = ARENA_NEW(k->arena, Stmt);
    *s = (Stmt){.kind = STMT_FOR, .var = var, .mark = mark, .body = body};
    return s;
}

static const Affine *subs_copy(Kernel *k, int buf, const Affine *sub) {
    return arena_copy(k->arena, sub, sizeof *sub * (size_t)k->buf[buf].type.rank);
}

Stmt *stmt_store(Kernel *k, int buf, const Affine *sub, StoreOp op, const Expr *value) {
    Stmt *s = ARENA_NEW(k->arena, Stmt);
    *s = (Stmt){.kind = STMT_STORE, .buf = buf, .sub = subs_copy(k, buf, sub), .op = op, .value = value};
    return s;
}

Stmt *stmt_prefetch(Kernel *k, int buf, const Affine *sub) {
    Stmt *s = ARENA_NEW(k->arena, Stmt);
    *s = (Stmt){.kind = STMT_PREFETCH, .buf = buf, .sub = subs_copy(k, buf, sub)};
    return s;
}

Stmt *stmt_alloc(Kernel *k, int buf, Stmt *body) {
    Stmt *s = ARENA_NEW(k->arena, Stmt);
    *s = (Stmt){.kind = STMT_ALLOC, .buf = buf, .body = body};
    return s;
}

bool stmts_late(const Stmt *list) {
    for (; list; list = list->next)
        if (list->kind == STMT_PREFETCH || (list->kind == STMT_FOR && list->guard) || stmts_late(list->body)) return true;
    return false;
}

Stmt *stmt_append(Stmt *list, Stmt *more) {
    if (!list) return more;
    Stmt *s = list;
    while (s->next) s = s->next;
    s->next = more;
    return list;
}

const Expr *expr_const(Arena *a, float v) {
    Expr *e = ARENA_NEW(a, Expr);
    *e = (Expr){.kind = EXPR_CONST, .value = v};
    return e;
}

const Expr *expr_load(Kernel *k, int buf, const Affine *sub) {
    Expr *e = ARENA_NEW(k->arena, Expr);
    *e = (Expr){.kind = EXPR_LOAD, .buf = buf, .sub = subs_copy(k, buf, sub)};
    return e;
}

const Expr *expr_load_take(Kernel *k, int buf, const Affine *sub, const TakeIndex *take) {
    int rank = k->buf[buf].type.rank;
    bool any = false;
    for (int i = 0; i < rank; i++) any |= take[i].index != NULL;
    if (!any) return expr_load(k, buf, sub);
    Expr *e = ARENA_NEW(k->arena, Expr);
    *e = (Expr){.kind = EXPR_LOAD, .buf = buf, .sub = subs_copy(k, buf, sub), .n_take = rank};
    e->take = arena_copy(k->arena, take, sizeof *take * (size_t)rank);
    return e;
}

const Expr *expr_index(Arena *a, Affine x) {
    Expr *e = ARENA_NEW(a, Expr);
    *e = (Expr){.kind = EXPR_INDEX, .sub = arena_copy(a, &x, sizeof x)};
    return e;
}

const Expr *expr_table(Arena *a, int table, Affine x) {
    Expr *e = ARENA_NEW(a, Expr);
    *e = (Expr){.kind = EXPR_TABLE, .buf = table, .sub = arena_copy(a, &x, sizeof x)};
    return e;
}

const Expr *expr_call(Arena *a, Fn fn, const Expr *x, const Expr *y, const Expr *z, const Expr *w) {
    Expr *e = ARENA_NEW(a, Expr);
    *e = (Expr){.kind = EXPR_CALL, .fn = fn, .arg = {x, y, z, w}};
    return e;
}

static const struct {
    const char *name;
    int args;
} fns[FN_COUNT] = {
#define X(id, text, n) [FN_##id] = {text, n},
    LOOP_FNS(X)
#undef X
};

int fn_args(Fn fn) { return fns[fn].args; }
const char *fn_name(Fn fn) { return fns[fn].name; }

int expr_operands(const Expr *e, const Expr *operand[MAX_AXES]) {
    int n = 0;
    for (int i = 0; e->kind == EXPR_CALL && i < fn_args(e->fn); i++) operand[n++] = e->arg[i];
    for (int i = 0; e->kind == EXPR_LOAD && i < e->n_take; i++)
        if (e->take[i].index) operand[n++] = e->take[i].index;
    return n;
}

static bool node_moves(ExprMap *seen, const Kernel *k, const Expr *e, int var) {
    if ((*exprmap_at(seen, e))++) return false;
    bool one = e->kind == EXPR_INDEX || e->kind == EXPR_TABLE;
    int subs = e->kind == EXPR_LOAD ? k->buf[e->buf].type.rank : one ? 1 : 0;
    for (int i = 0; i < subs; i++)
        if (affine_coef(&e->sub[i], var) != 0) return true;
    const Expr *operand[MAX_AXES];
    int n = expr_operands(e, operand);
    for (int i = 0; i < n; i++)
        if (node_moves(seen, k, operand[i], var)) return true;
    return false;
}

bool expr_moves(Arena *a, const Kernel *k, const Expr *e, int var) {
    ExprMap seen = {.arena = a};
    return node_moves(&seen, k, e, var);
}

bool stmt_moves(const Kernel *k, const Stmt *s) {
    return s->op == STORE_SET && s->value->kind == EXPR_LOAD &&
           k->buf[s->buf].type.dtype == k->buf[s->value->buf].type.dtype;
}

/* ---- tasks --------------------------------------------------------------------------------- */

int nest_par_vars(const Stmt *nest, int vars[MAX_AXES]) {
    int n = 0;
    for (const Stmt *s = nest; s && s->kind == STMT_FOR && s->mark == MARK_PAR && n < MAX_AXES; s = s->body) {
        vars[n++] = s->var;
        if (s->body && s->body->next) break;
    }
    return n;
}

static int64_t list_scratch(const Kernel *k, const Stmt *s, int64_t from, int64_t *at) {
    int64_t most = from;
    for (; s; s = s->next) {
        int64_t own = from;
        if (s->kind == STMT_ALLOC && k->buf[s->buf].kind == BUF_SCRATCH) {
            if (at) at[s->buf] = from;
            own += ((int64_t)type_bytes(&k->buf[s->buf].type) + 63) / 64 * 64;
        }
        int64_t end = list_scratch(k, s->body, own, at);
        if (end > most) most = end;
    }
    return most;
}

int64_t kernel_scratch(const Kernel *k, int64_t *at) { return list_scratch(k, k->body, 0, at); }

int64_t nest_tasks(const Kernel *k, const Stmt *nest) {
    int vars[MAX_AXES], n = nest_par_vars(nest, vars);
    int64_t tasks = 1;
    for (int i = 0; i < n; i++) tasks *= k->var[vars[i]].extent;
    return tasks;
}

static double list_work(const Kernel *k, const Stmt *s) {
    double work = 0;
    for (; s; s = s->next)
        work += s->kind == STMT_STORE ? 1 : (s->kind == STMT_FOR ? (double)k->var[s->var].extent : 1) * list_work(k, s->body);
    return work;
}

static double nest_work(const Kernel *k, const Stmt *nest) {
    Stmt alone = *nest;
    alone.next = NULL;
    return list_work(k, &alone);
}

void kernel_cut(const Kernel *k, int parts, int64_t *cut) {
    double all = 0, before = 0;
    for (const Stmt *s = k->body; s; s = s->next) all += nest_work(k, s);
    int64_t first = 0;
    int part = 1;
    cut[0] = 0;
    for (const Stmt *s = k->body; s; s = s->next) {
        double work = nest_work(k, s);
        int64_t tasks = nest_tasks(k, s);
        for (; part < parts && before + work >= all * part / parts; part++) {
            double share = (all * part / parts - before) / work;
            cut[part] = first + (int64_t)(share * (double)tasks + 0.5);
        }
        before += work;
        first += tasks;
    }
    while (part <= parts) cut[part++] = first;
}

int64_t kernel_tasks(const Kernel *k) {
    int64_t tasks = 0;
    for (const Stmt *s = k->body; s; s = s->next) tasks += nest_tasks(k, s);
    return tasks;
}
