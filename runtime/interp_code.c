/* Kernel → the interpreter's form (interp_code.h). */
#include "runtime/interp_code.h"

#include "ir/loop/exprmap.h"

#include <string.h>

typedef struct Constant {
    int strip;
    uint32_t bits;
} Constant;

typedef struct Coder {
    Run *r;
    Nest *n;
    int *loop; /* variables of the nest's own loops, outermost first */
    int n_strips;
    ExprMap done; /* node → its strip + 1 */
    Constant *constant;
    int n_constant, cap_constant;
    Diag *d;
} Coder;

/* ---- accesses ---------------------------------------------------------------------------- */

/* A subscript, and up to `more` above it, that could leave its axis is an error. */
static bool inside(Coder *c, const Affine *sub, int64_t more, int64_t extent) {
    int64_t lo, hi;
    affine_range_if(c->r->k, sub, c->r->guard, c->r->n_guard, &lo, &hi);
    return (lo >= 0 && hi + more < extent) ||
           diag_fail(c->d, DIAG_INTERNAL, "interpreter: kernel %s accesses elements %lld … %lld of %lld", c->r->k->name,
                     (long long)lo, (long long)(hi + more), (long long)extent);
}

/* The new access's number. `like` has what takes it has. */
static int add_access(Coder *c, int memory, Affine at, Access like) {
    Arena *a = c->r->arena;
    Access x = like;
    x.memory = memory;
    x.stride = ARENA_ARRAY(a, int64_t, c->n->n_loops);
    for (int i = 0; i < c->n->n_loops; i++) x.stride[i] = affine_coef(&at, c->loop[i]);
    for (int i = 0; i < c->n->n_loops; i++) at = affine_subst(a, at, c->loop[i], affine_const(0));
    x.outer = at;
    ARENA_PUSH(a, c->n->access, c->n->n_access, c->n->cap_access, x);
    return c->n->n_access - 1;
}

/* −1 where it could leave the buffer. */
static int add_buf_access(Coder *c, int buf, const Affine *sub, const TakeIndex *take, Access like) {
    const Type *type = &c->r->k->buf[buf].type;
    like.dtype = type->dtype;
    for (int i = 0; i < type->rank; i++)
        if (!inside(c, &sub[i], take && take[i].index ? take[i].limit - 1 : 0, type->axis[i].extent)) return -1;
    return add_access(c, buf, affine_linear(c->r->arena, type, sub), like);
}

/* ---- values ------------------------------------------------------------------------------ */

static int add_ins(Coder *c, Ins ins) {
    ins.y = c->n_strips++;
    ARENA_PUSH(c->r->arena, c->n->ins, c->n->n_ins, c->n->cap_ins, ins);
    return ins.y;
}

static int add_constant(Coder *c, uint32_t bits) {
    for (int i = 0; i < c->n_constant; i++)
        if (c->constant[i].bits == bits) return c->constant[i].strip;
    Constant x = {c->n_strips++, bits};
    ARENA_PUSH(c->r->arena, c->constant, c->n_constant, c->cap_constant, x);
    return x.strip;
}

static int add_float(Coder *c, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return add_constant(c, bits);
}

/* `at` holds the strips of the program's earlier instructions. */
static int add_math(Coder *c, const MathIns *m, const int *at, const int *arg) {
    int a = at[m->a], b = at[m->b], x = at[m->c], y = at[m->d];
    switch (m->op) {
    case MATH_IN: return arg[m->i];
    case MATH_FLOAT: return add_float(c, m->f);
    case MATH_INT: return add_constant(c, (uint32_t)m->i);
    case MATH_ADD: return add_ins(c, (Ins){.code = CODE_ADD, .a = a, .b = b});
    case MATH_SUB: return add_ins(c, (Ins){.code = CODE_SUB, .a = a, .b = b});
    case MATH_MUL: return add_ins(c, (Ins){.code = CODE_MUL, .a = a, .b = b});
    case MATH_DIV: return add_ins(c, (Ins){.code = CODE_DIV, .a = a, .b = b});
    case MATH_FMA: return add_ins(c, (Ins){.code = CODE_FMA, .a = a, .b = b, .c = x});
    case MATH_MAX: return add_ins(c, (Ins){.code = CODE_MAX, .a = a, .b = b});
    case MATH_MIN: return add_ins(c, (Ins){.code = CODE_MIN, .a = a, .b = b});
    case MATH_LT: return add_ins(c, (Ins){.code = CODE_LT, .a = x, .b = y, .c = a, .d = b});
    case MATH_BITS: return a; /* a strip has no type */
    case MATH_UNBITS: return a;
    case MATH_IADD: return add_ins(c, (Ins){.code = CODE_IADD, .a = a, .b = b});
    case MATH_ISUB: return add_ins(c, (Ins){.code = CODE_ISUB, .a = a, .b = b});
    case MATH_IAND: return add_ins(c, (Ins){.code = CODE_IAND, .a = a, .b = b});
    case MATH_IOR: return add_ins(c, (Ins){.code = CODE_IOR, .a = a, .b = b});
    case MATH_ISHL: return add_ins(c, (Ins){.code = CODE_ISHL, .a = a, .b = m->i});
    case MATH_ISHR: return add_ins(c, (Ins){.code = CODE_ISHR, .a = a, .b = m->i});
    case MATH_ISAR: return add_ins(c, (Ins){.code = CODE_ISAR, .a = a, .b = m->i});
    case MATH_ITOF: return add_ins(c, (Ins){.code = CODE_ITOF, .a = a});
    }
    return -1;
}

static int add_program(Coder *c, Fn fn, const int *arg) {
    const MathProgram *p = math_program(fn);
    int *at = ARENA_ARRAY(c->r->arena, int, p->n);
    for (int i = 0; i < p->n; i++) at[i] = add_math(c, &p->ins[i], at, arg);
    return at[p->n - 1];
}

static int add_call(Coder *c, Fn fn, const int *arg) {
    Ins ins = {.a = arg[0], .b = arg[1], .c = arg[2], .d = arg[3]};
    switch (fn) {
    case FN_EXP:
    case FN_LOG:
    case FN_TANH:
    case FN_SIGMOID:
    case FN_ERF:
    case FN_EXPM1:
    case FN_LOG1P:
    case FN_POW: return add_program(c, fn, arg);
    case FN_NEG: ins.code = CODE_NEG; break;
    case FN_ABS: ins.code = CODE_ABS; break;
    case FN_SQRT: ins.code = CODE_SQRT; break;
    case FN_ADD: ins.code = CODE_ADD; break;
    case FN_SUB: ins.code = CODE_SUB; break;
    case FN_MUL: ins.code = CODE_MUL; break;
    case FN_DIV: ins.code = CODE_DIV; break;
    case FN_MAX: ins.code = CODE_MAX; break;
    case FN_MIN: ins.code = CODE_MIN; break;
    case FN_FMA: ins.code = CODE_FMA; break;
    case FN_LT: ins.code = CODE_LT; break;
    case FN_LE: ins.code = CODE_LE; break;
    case FN_EQ: ins.code = CODE_EQ; break;
    case FN_COUNT: return -1;
    }
    return add_ins(c, ins);
}

static int add_expr(Coder *c, const Expr *e);

/* An access with its takes, whose indexes are computed first; −1 after an error. */
static int add_load_access(Coder *c, const Expr *e) {
    if (!e->take) return add_buf_access(c, e->buf, e->sub, NULL, (Access){0});
    const Type *type = &c->r->k->buf[e->buf].type;
    Take *take = ARENA_ARRAY(c->r->arena, Take, e->n_take);
    Access like = {.take = take};
    int64_t stride = 1;
    for (int i = type->rank - 1; i >= 0; stride *= type->axis[i].extent, i--) {
        if (!e->take[i].index) continue;
        int strip = add_expr(c, e->take[i].index);
        if (strip < 0) return -1;
        take[like.n_take++] = (Take){strip, (float)(e->take[i].limit - 1), stride};
    }
    return add_buf_access(c, e->buf, e->sub, e->take, like);
}

static int add_load(Coder *c, const Expr *e) {
    int access = add_load_access(c, e);
    if (access < 0) return -1;
    Code code = e->take ? CODE_TAKE : c->r->k->buf[e->buf].type.dtype == DT_F32 ? CODE_LOAD : CODE_CONVERT;
    return add_ins(c, (Ins){.code = code, .a = access});
}

/* The strip of this node, each node once; −1 after an error. */
static int add_expr(Coder *c, const Expr *e) {
    int strip = *exprmap_at(&c->done, e) - 1, access, arg[4] = {0};
    if (strip >= 0) return strip;
    const Kernel *k = c->r->k;
    switch (e->kind) {
    case EXPR_CONST: strip = add_float(c, e->value); break;
    case EXPR_LOAD: strip = add_load(c, e); break;
    case EXPR_TABLE:
        if (!inside(c, e->sub, 0, k->table[e->buf].n)) return -1;
        access = add_access(c, k->n_buf + e->buf, *e->sub, (Access){.dtype = DT_F32});
        strip = add_ins(c, (Ins){.code = CODE_LOAD, .a = access});
        break;
    case EXPR_INDEX:
        access = add_access(c, -1, *e->sub, (Access){.dtype = DT_F32});
        strip = add_ins(c, (Ins){.code = CODE_INDEX, .a = access});
        break;
    case EXPR_CALL:
        for (int i = 0; i < fn_args(e->fn); i++)
            if ((arg[i] = add_expr(c, e->arg[i])) < 0) return -1;
        strip = add_call(c, e->fn, arg);
        break;
    }
    *exprmap_at(&c->done, e) = strip + 1;
    return strip;
}

/* A sum of a product is a multiply-add: its product is not rounded by itself. */
static bool add_value(Coder *c, const Stmt *s) {
    static const Combine combine[] = {[STORE_SET] = COMBINE_SET, [STORE_ADD] = COMBINE_ADD, [STORE_MAX] = COMBINE_MAX};
    const Expr *e = s->value;
    Nest *n = c->n;
    n->combine = combine[s->op];
    if (c->r->k->buf[s->buf].type.dtype != DT_F32) {
        n->combine = stmt_moves(c->r->k, s) ? COMBINE_MOVE : COMBINE_CONVERT;
        return (n->x = n->combine == COMBINE_MOVE ? add_load_access(c, e) : add_expr(c, e)) >= 0;
    }
    if (s->op != STORE_ADD || e->kind != EXPR_CALL || e->fn != FN_MUL) return (n->x = add_expr(c, e)) >= 0;
    n->combine = COMBINE_FMA;
    return (n->x = add_expr(c, e->arg[0])) >= 0 && (n->y = add_expr(c, e->arg[1])) >= 0;
}

/* ---- loops of a nest --------------------------------------------------------------------- */

/* Two neighbouring loops become one where every access goes on from the end of a row to the start
 * of the next as it went inside the row. The order of iterations stays. */
static bool can_join(const Nest *n, int outer) {
    for (int i = 0; i < n->n_access; i++) {
        const int64_t *stride = n->access[i].stride;
        if (stride[outer] != stride[outer + 1] * n->extent[outer + 1]) return false;
    }
    return true;
}

static void join_loops(Nest *n) {
    for (int outer = n->n_loops - 2; outer >= 0; outer--) {
        if (!can_join(n, outer)) continue;
        n->extent[outer] *= n->extent[outer + 1];
        for (int i = 0; i < n->n_access; i++) n->access[i].stride[outer] = n->access[i].stride[outer + 1];
        n->n_loops--;
        for (int j = outer + 1; j < n->n_loops; j++) {
            n->extent[j] = n->extent[j + 1];
            for (int i = 0; i < n->n_access; i++) n->access[i].stride[j] = n->access[i].stride[j + 1];
        }
    }
}

static bool same_walk(const Nest *n, const Access *x, const Access *y) {
    for (int i = 0; i < n->n_loops; i++)
        if (x->stride[i] != y->stride[i]) return false;
    Affine moved = affine_offset(x->outer, y->outer.base - x->outer.base);
    return affine_equal(&moved, &y->outer);
}

/* How many iterations of the innermost loop may read before any of them writes. A strip is wrong
 * only for a load that sees what an earlier iteration of the strip stored. */
static int strip_length(const Nest *n) {
    const Access *target = &n->access[0];
    int64_t stride = target->stride[n->n_loops - 1], length = STRIP;
    for (int i = 1; i < n->n_access; i++) {
        const Access *load = &n->access[i];
        if (load->memory != target->memory) continue;
        if (!same_walk(n, load, target)) return 1;
        int64_t ahead = load->outer.base - target->outer.base;
        if (stride == 0 && ahead == 0) return 1;
        if (stride == 0 || ahead % stride != 0 || ahead / stride >= 0) continue; /* another element, or a later one */
        if (-(ahead / stride) < length) length = -(ahead / stride);
    }
    return (int)length;
}

static bool reads_target(const Nest *n) {
    for (int i = 1; i < n->n_access; i++)
        if (n->access[i].memory == n->access[0].memory) return true;
    return false;
}

static bool is_mac(const Nest *n) {
    return n->combine == COMBINE_FMA && n->n_ins == 2 && n->n_access == 3 && n->ins[0].code == CODE_LOAD &&
           n->ins[1].code == CODE_LOAD && n->x == n->ins[0].y && n->y == n->ins[1].y && !reads_target(n);
}

static void finish_nest(Coder *c) {
    Nest *n = c->n;
    Arena *a = c->r->arena;
    join_loops(n);
    n->digit = ARENA_ARRAY(a, int64_t, n->n_loops);
    n->step = strip_length(n);
    n->is_mac = is_mac(n);
    n->strip = ARENA_ARRAY(a, Strip, c->n_strips);
    for (int i = 0; i < c->n_constant; i++)
        for (int j = 0; j < STRIP; j++) n->strip[c->constant[i].strip].u[j] = c->constant[i].bits;
}

/* A chain of loops around one store. */
static Nest *compile_nest(Run *r, const Stmt *s, Diag *d) {
    int depth = 0;
    for (const Stmt *t = s; t->kind == STMT_FOR; t = t->body) depth++;
    Coder c = {.r = r, .d = d, .done.arena = r->arena};
    c.n = ARENA_NEW(r->arena, Nest);
    c.loop = ARENA_ARRAY(r->arena, int, depth + 1);
    c.n->extent = ARENA_ARRAY(r->arena, int64_t, depth + 1);
    for (; s->kind == STMT_FOR; s = s->body) {
        if (r->k->var[s->var].extent == 1) continue; /* its variable stays 0 */
        c.loop[c.n->n_loops] = s->var;
        c.n->extent[c.n->n_loops++] = r->k->var[s->var].extent;
    }
    if (c.n->n_loops == 0) { /* one iteration of a variable nobody uses */
        c.loop[0] = -1;
        c.n->extent[c.n->n_loops++] = 1;
    }
    if (add_buf_access(&c, s->buf, s->sub, NULL, (Access){0}) < 0 || !add_value(&c, s)) return NULL;
    finish_nest(&c);
    return c.n;
}

/* ---- statements -------------------------------------------------------------------------- */

static bool is_nest(const Stmt *s) {
    while (s->kind == STMT_FOR && !s->guard && s->body && !s->body->next) s = s->body;
    return s->kind == STMT_STORE;
}

static bool compile_node(Run *r, const Stmt *s, Node *node, Diag *d) {
    if (is_nest(s)) {
        node->kind = NODE_NEST;
        return (node->nest = compile_nest(r, s, d)) != NULL;
    }
    node->kind = s->kind == STMT_FOR ? NODE_LOOP : NODE_ALLOC;
    if (s->kind == STMT_FOR) {
        node->var = s->var;
        node->extent = r->k->var[s->var].extent;
        node->guard = s->guard;
    } else {
        node->memory = s->buf;
        node->bytes = type_bytes(&r->k->buf[s->buf].type);
    }
    bool knows = s->kind == STMT_FOR && s->guard && r->n_guard < (int)COUNT_OF(r->guard);
    if (knows) r->guard[r->n_guard++] = s->guard;
    node->body = s->body ? interp_compile(r, s->body, d) : NULL;
    if (knows) r->n_guard--;
    return !s->body || node->body;
}

Node *interp_compile(Run *r, const Stmt *s, Diag *d) {
    Node *first = NULL, **end = &first;
    for (; s; s = s->next) {
        if (s->kind == STMT_PREFETCH) continue;
        *end = ARENA_NEW(r->arena, Node);
        if (!compile_node(r, s, *end, d)) return NULL;
        end = &(*end)->next;
    }
    return first;
}
