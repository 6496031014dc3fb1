/* All pointwise ops: a row's formula is its meaning. It is parsed to an expression of the loop
 * level and evaluated here in double, a chunk of elements at a time. */
#include "ir/loop.h"
#include "ir/lower.h"
#include "ir/ops/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

bool pointwise_shape(Node *n, Diag *d) {
    n->type = shape_in(n, 0);
    char x[SHAPE_TEXT], y[SHAPE_TEXT];
    for (int i = 1; i < n->n_in; i++) {
        Type other = shape_in(n, i);
        if (!type_equal(&other, &n->type))
            return diag_fail(d, DIAG_SPEC, "one shape is needed, but input 1 is %s, input %d is %s",
                             shape_text(x, &n->type), i + 1, shape_text(y, &other));
    }
    return true;
}

/* ---- formulas -------------------------------------------------------------------------------- */

enum { MAX_LEAVES = 16, MAX_INS = 128, CHUNK = 128 };

typedef struct Ins {
    const Expr *e;
    int leaf;   /* ≥ 0: this leaf; −1: a constant or a call */
    int arg[4]; /* earlier instructions */
} Ins;

/* A formula as a straight line: every value once, after what it needs. */
typedef struct Program {
    Ins ins[MAX_INS];
    int n;
    const char *name[MAX_LEAVES]; /* inputs, then attributes */
    const Expr *leaf[MAX_LEAVES];
    int n_leaf;
} Program;

static void program_leaf(Arena *a, Program *p, const char *name, size_t n) {
    assert(p->n_leaf < MAX_LEAVES);
    char *copy = arena_copy(a, name, n + 1);
    copy[n] = '\0';
    p->name[p->n_leaf] = copy;
    p->leaf[p->n_leaf++] = expr_const(a, 0); /* an object to know it by */
}

/* Recursion as deep as the formula, which is a row of ours. */
static int program_add(Program *p, const Expr *e) {
    Ins ins = {.e = e, .leaf = -1};
    for (int i = 0; i < p->n; i++)
        if (p->ins[i].e == e) return i;
    for (int i = 0; i < p->n_leaf; i++)
        if (p->leaf[i] == e) ins.leaf = i;
    for (int i = 0; e->kind == EXPR_CALL && i < fn_args(e->fn); i++) ins.arg[i] = program_add(p, e->arg[i]);
    assert(p->n < MAX_INS);
    p->ins[p->n] = ins;
    return p->n++;
}

static Program *program_make(Arena *a, const OpInfo *o, const char *formula) {
    Program *p = ARENA_NEW(a, Program);
    for (const char *s = o->inputs; *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        program_leaf(a, p, s, n);
        s += n;
    }
    for (int i = 0; i < o->n_attr; i++) program_leaf(a, p, o->attr[i].name, strlen(o->attr[i].name));
    Diag d = {0};
    const Expr *e = expr_parse_formula(a, formula, p->name, p->leaf, p->n_leaf, &d);
    assert(e);
    program_add(p, e);
    return p;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

static double attr_value(const Node *n, const AttrInfo *info) {
    const void *at = (const char *)&n->attr + info->offset;
    switch (info->type) {
    case ATTR_INT:
    case ATTR_BOOL: return *(const int32_t *)at;
    case ATTR_FLOAT: return (double)*(const float *)at;
    case ATTR_DIMS:
    case ATTR_PADS: break; /* have no place in a formula */
    }
    return NAN;
}

#define EACH(expr)                                                                                 \
    for (int i = 0; i < n; i++) y[i] = (expr);                                                     \
    break
static void call_chunk(Fn fn, const double *const v[4], double *y, int n) {
    const double *a = v[0], *b = v[1], *c = v[2], *d = v[3];
    switch (fn) {
    case FN_NEG: EACH(-a[i]);
    case FN_ABS: EACH(fabs(a[i]));
    case FN_SQRT: EACH(sqrt(a[i]));
    case FN_EXP: EACH(exp(a[i]));
    case FN_LOG: EACH(log(a[i]));
    case FN_TANH: EACH(tanh(a[i]));
    case FN_SIGMOID: EACH(1 / (1 + exp(-a[i])));
    case FN_ADD: EACH(a[i] + b[i]);
    case FN_SUB: EACH(a[i] - b[i]);
    case FN_MUL: EACH(a[i] * b[i]);
    case FN_DIV: EACH(a[i] / b[i]);
    case FN_MAX: EACH(a[i] > b[i] ? a[i] : b[i]);
    case FN_MIN: EACH(a[i] < b[i] ? a[i] : b[i]);
    case FN_FMA: EACH(a[i] * b[i] + c[i]);
    case FN_LT: EACH(a[i] < b[i] ? c[i] : d[i]);
    case FN_LE: EACH(a[i] <= b[i] ? c[i] : d[i]);
    case FN_EQ: EACH(a[i] == b[i] ? c[i] : d[i]);
    case FN_COUNT: break;
    }
}
#undef EACH

/* n ≤ CHUNK elements from `at` on, for all instructions; reg is [p->n][CHUNK]. Returns the last. */
static const double *program_chunk(const Program *p, const Node *node, const RefTensor *const *in, int64_t at, int n,
                                   double *reg) {
    int inputs = p->n_leaf - op_table[node->op].n_attr;
    for (int k = 0; k < p->n; k++) {
        const Ins *ins = &p->ins[k];
        double *y = reg + (int64_t)k * CHUNK;
        if (ins->leaf >= 0 && ins->leaf < inputs) {
            memcpy(y, in[ins->leaf]->v + at, sizeof *y * (size_t)n);
        } else if (ins->e->kind == EXPR_CALL) {
            const double *v[4];
            for (int i = 0; i < 4; i++) v[i] = reg + (int64_t)ins->arg[i] * CHUNK;
            call_chunk(ins->e->fn, v, y, n);
        } else {
            double c = ins->leaf < 0 ? (double)ins->e->value
                                     : attr_value(node, &op_table[node->op].attr[ins->leaf - inputs]);
            for (int i = 0; i < n; i++) y[i] = c;
        }
    }
    return reg + (int64_t)(p->n - 1) * CHUNK;
}

/* A bound on the slope: a formula in the attributes alone. */
static double lipschitz(Arena *a, const Node *n) {
    Program *p = program_make(a, &op_table[n->op], op_table[n->op].lipschitz);
    return *program_chunk(p, n, NULL, 0, 1, ARENA_ARRAY(a, double, p->n * CHUNK));
}

/* What comes in, times the slope, and the op's own rounding of a value that is off by so much. */
static void pointwise_err(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    double slope = lipschitz(a, n), rounding = op_table[n->op].ulps * 0x1p-24;
    double tiny = op_table[n->op].ulps ? 0x1p-149 : 0;
    for (int64_t i = 0; i < type_elements(&out->type); i++) {
        double e = 0;
        for (int k = 0; k < n->n_in; k++) e += in[k]->err ? slope * in[k]->err[i] : 0;
        out->err[i] = e + rounding * (fabs(out->v[i]) + e) + tiny;
    }
}

void pointwise_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Program *p = program_make(a, &op_table[n->op], op_table[n->op].formula);
    double *reg = ARENA_ARRAY(a, double, p->n * CHUNK);
    int64_t all = type_elements(&out->type);
    for (int64_t at = 0; at < all; at += CHUNK) {
        int count = all - at < CHUNK ? (int)(all - at) : CHUNK;
        memcpy(out->v + at, program_chunk(p, n, in, at, count, reg), sizeof *out->v * (size_t)count);
    }
    if (out->err) pointwise_err(a, n, in, out);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

void pointwise_lower(Lower *l, const Node *n) {
    Nest nest = {0};
    Index at;
    nest_result(l, &nest, &at);
    const Expr *in[8];
    for (int i = 0; i < n->n_in; i++) in[i] = lower_read(l, n->in[i], &at);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &at, pointwise_expr(l, n, in))));
}
