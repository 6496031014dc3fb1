/* All pointwise ops: a row's formula is its meaning. It is parsed to an expression of the loop
 * level and evaluated here in double, a chunk of elements at a time; its error bound by intervals. */
#include "ir/loop.h"
#include "ir/lower.h"
#include "ir/ops/ops.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

/* Shapes broadcast as in numpy: axes count from the last, an extent of 1 (or an axis that is not there) repeats. */
bool pointwise_shape(Node *n, Diag *d) {
    int rank = 0;
    int64_t extent[MAX_AXES];
    for (int i = 0; i < n->n_in; i++) {
        Type x = shape_in(n, i);
        rank = x.rank > rank ? x.rank : rank;
    }
    for (int k = 0; k < rank; k++) extent[k] = 1;
    for (int i = 0; i < n->n_in; i++) {
        Type x = shape_in(n, i);
        for (int k = 0; k < x.rank; k++) {
            int64_t *e = &extent[rank - x.rank + k], own = x.axis[k].extent;
            char first[SHAPE_TEXT], other[SHAPE_TEXT];
            Type before = shape_in(n, i ? i - 1 : 0);
            if (own != 1 && *e != 1 && own != *e)
                return diag_fail(d, DIAG_SPEC, "shapes that broadcast are needed, but input %d is %s, input %d is %s", i,
                                 shape_text(first, &before), i + 1, shape_text(other, &x));
            if (own != 1) *e = own;
        }
    }
    Type first = shape_in(n, 0);
    if (n->n_in == 1) return n->type = first, true;
    return type_of_rank(&n->type, first.dtype, rank, extent, d);
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
    case ATTR_ENUM:
    case ATTR_BOOL: return *(const int32_t *)at;
    case ATTR_FLOAT: return (double)*(const float *)at;
    case ATTR_DIMS:
    case ATTR_INTS:
    case ATTR_FLOATS:
    case ATTR_PADS: break; /* have no place in a formula */
    }
    return NAN;
}

#define EACH(expr)                                                                                                     \
    for (int i = 0; i < n; i++) y[i] = (expr);                                                                         \
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
    case FN_ERF: EACH(erf(a[i]));
    case FN_EXPM1: EACH(expm1(a[i]));
    case FN_LOG1P: EACH(log1p(a[i]));
    case FN_POW: EACH(pow(a[i], b[i]));
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

/* A value in double, and an interval that holds what a float32 kernel may have in its place. Its ends are both
 * NaN when nothing is known, not even that the kernel has a number: what comes of that is unknown again. */
typedef struct Reg {
    double v[CHUNK], lo[CHUNK], hi[CHUNK];
} Reg;

/* Beyond float32 a kernel may have an infinity; one that it must have is as good as a number. */
static bool is_known(const Reg *r, int i) {
    return (r->lo[i] >= -(double)FLT_MAX && r->hi[i] <= (double)FLT_MAX) || (r->lo[i] == r->hi[i] && isinf(r->v[i]));
}

static void set_span(Reg *r, int i, double lo, double hi) {
    bool known = lo <= hi;
    r->lo[i] = known ? lo : NAN;
    r->hi[i] = known ? hi : NAN;
}

/* Rounding of one operation in units of 2^-24 of the result: ir/mathfn/table.c states the functions' errors in ULP,
 * of which one is at most two of these. */
static double fn_rounding(Fn fn) {
    switch (fn) {
    case FN_NEG:
    case FN_ABS:
    case FN_MAX:
    case FN_MIN:
    case FN_LT:
    case FN_LE:
    case FN_EQ:
    case FN_COUNT: return 0;
    case FN_ADD:
    case FN_SUB:
    case FN_MUL:
    case FN_DIV:
    case FN_SQRT:
    case FN_FMA: return 1;
    case FN_LOG:
    case FN_POW: return 2;
    case FN_EXP:
    case FN_ERF:
    case FN_EXPM1:
    case FN_LOG1P: return 3;
    case FN_TANH:
    case FN_SIGMOID: return 6;
    }
    return 0;
}

/* The room also takes in what double itself rounds. */
static void span_round(Fn fn, Reg *r, int n) {
    double u = fn_rounding(fn) * 0x1.00001p-24, tiny = fn_rounding(fn) * 0x1p-149;
    for (int i = 0; i < n; i++)
        set_span(r, i, r->lo[i] - u * fabs(r->lo[i]) - tiny, r->hi[i] + u * fabs(r->hi[i]) + tiny);
}

static void span_mul(const Reg *a, const Reg *b, Reg *y, int n) {
    for (int i = 0; i < n; i++) {
        double p = a->lo[i] * b->lo[i], q = a->lo[i] * b->hi[i], r = a->hi[i] * b->lo[i], s = a->hi[i] * b->hi[i];
        set_span(y, i, fmin(fmin(p, q), fmin(r, s)), fmax(fmax(p, q), fmax(r, s)));
    }
}

static void span_div(const Reg *a, const Reg *b, Reg *y, int n) {
    for (int i = 0; i < n; i++) {
        double p = a->lo[i] / b->lo[i], q = a->lo[i] / b->hi[i], r = a->hi[i] / b->lo[i], s = a->hi[i] / b->hi[i];
        bool pole = b->lo[i] <= 0 && b->hi[i] >= 0;
        set_span(y, i, pole ? NAN : fmin(fmin(p, q), fmin(r, s)), pole ? NAN : fmax(fmax(p, q), fmax(r, s)));
    }
}

/* Known for a base that is not negative and for one whole power: there pow rises or falls in each argument by itself,
 * but for an even power's minimum at 0. A negative base has no number for an exponent only near a whole one. */
static void span_pow(const Reg *a, const Reg *b, Reg *y, int n) {
    for (int i = 0; i < n; i++) {
        double p = pow(a->lo[i], b->lo[i]), q = pow(a->lo[i], b->hi[i]), r = pow(a->hi[i], b->lo[i]);
        double s = pow(a->hi[i], b->hi[i]), lo = fmin(fmin(p, q), fmin(r, s)), hi = fmax(fmax(p, q), fmax(r, s));
        bool has_zero = a->lo[i] <= 0 && a->hi[i] >= 0, whole = b->lo[i] == b->hi[i] && b->lo[i] == rint(b->lo[i]);
        bool known = a->lo[i] > 0 || (a->lo[i] == 0 && b->lo[i] > 0) || (whole && (b->lo[i] >= 0 || !has_zero));
        if (has_zero) lo = fmin(lo, pow(0, b->lo[i]));
        set_span(y, i, known ? lo : NAN, known ? hi : NAN);
    }
}

static void span_abs(const Reg *a, Reg *y, int n) {
    for (int i = 0; i < n; i++) {
        double lo = fmax(0, fmax(a->lo[i], -a->hi[i]));
        set_span(y, i, lo, fmax(-a->lo[i], a->hi[i]));
    }
}

static bool surely(Fn fn, const Reg *a, const Reg *b, int i) {
    if (fn == FN_LT) return a->hi[i] < b->lo[i];
    if (fn == FN_LE) return a->hi[i] <= b->lo[i];
    return a->lo[i] == a->hi[i] && b->lo[i] == b->hi[i] && a->lo[i] == b->lo[i];
}

static bool surely_not(Fn fn, const Reg *a, const Reg *b, int i) {
    if (fn == FN_LT) return a->lo[i] >= b->hi[i];
    if (fn == FN_LE) return a->lo[i] > b->hi[i];
    return a->hi[i] < b->lo[i] || a->lo[i] > b->hi[i];
}

/* Where the comparison may go either way, both values are possible. */
static void span_select(Fn fn, const Reg *const r[4], Reg *y, int n) {
    const Reg *a = r[0], *b = r[1], *c = r[2], *d = r[3];
    for (int i = 0; i < n; i++) {
        bool is_number = is_known(a, i) && is_known(b, i);
        bool may = is_number && !surely_not(fn, a, b, i), may_not = is_number && !surely(fn, a, b, i);
        bool known = is_number && (!may || is_known(c, i)) && (!may_not || is_known(d, i));
        double lo = fmin(may ? c->lo[i] : INFINITY, may_not ? d->lo[i] : INFINITY);
        double hi = fmax(may ? c->hi[i] : -INFINITY, may_not ? d->hi[i] : -INFINITY);
        set_span(y, i, known ? lo : NAN, known ? hi : NAN);
    }
}

/* Where no argument falls, the ends give the ends; a falling one has its own the other way round. */
static void span_call(Fn fn, const Reg *const r[4], Reg *y, int n) {
    const double *lo[4] = {r[0]->lo, r[1]->lo, r[2]->lo, r[3]->lo}, *hi[4] = {r[0]->hi, r[1]->hi, r[2]->hi, r[3]->hi};
    if (fn == FN_NEG) lo[0] = r[0]->hi, hi[0] = r[0]->lo;
    if (fn == FN_SUB) lo[1] = r[1]->hi, hi[1] = r[1]->lo;
    switch (fn) {
    case FN_MUL: span_mul(r[0], r[1], y, n); break;
    case FN_DIV: span_div(r[0], r[1], y, n); break;
    case FN_POW: span_pow(r[0], r[1], y, n); break;
    case FN_ABS: span_abs(r[0], y, n); break;
    case FN_FMA: /* the product may be rounded before */
        span_mul(r[0], r[1], y, n);
        span_round(fn, y, n);
        for (int i = 0; i < n; i++) set_span(y, i, y->lo[i] + r[2]->lo[i], y->hi[i] + r[2]->hi[i]);
        break;
    case FN_LT:
    case FN_LE:
    case FN_EQ: span_select(fn, r, y, n); return;
    case FN_NEG:
    case FN_SQRT:
    case FN_EXP:
    case FN_LOG:
    case FN_TANH:
    case FN_SIGMOID:
    case FN_ERF:
    case FN_EXPM1:
    case FN_LOG1P:
    case FN_ADD:
    case FN_SUB:
    case FN_MAX:
    case FN_MIN:
    case FN_COUNT:
        call_chunk(fn, lo, y->lo, n);
        call_chunk(fn, hi, y->hi, n);
        break;
    }
    span_round(fn, y, n);
    for (int k = 0; k < fn_args(fn); k++)
        for (int i = 0; i < n; i++)
            if (!is_known(r[k], i)) set_span(y, i, NAN, NAN);
}

/* Where the elements of an input that broadcasts stand: for each axis of the result its step in x. */
typedef struct Source {
    const RefTensor *x;
    bool whole; /* of the result's shape: element i is element i */
    int64_t step[MAX_AXES];
} Source;

static Source source_of(const RefTensor *x, const Type *result) {
    Source s = {.x = x, .whole = type_elements(&x->type) == type_elements(result)};
    int64_t step = 1;
    for (int i = x->type.rank - 1; i >= 0; i--) {
        int64_t extent = x->type.axis[i].extent;
        s.step[result->rank - x->type.rank + i] = extent == 1 ? 0 : step;
        step *= extent;
    }
    return s;
}

static int64_t source_at(const Source *s, const Type *result, int64_t i) {
    int64_t at = 0;
    for (int k = result->rank - 1; k >= 0 && !s->whole; k--) {
        at += i % result->axis[k].extent * s->step[k];
        i /= result->axis[k].extent;
    }
    return s->whole ? i : at;
}

static void load_input(const Source *s, const Type *result, int64_t at, int n, bool spans, Reg *y) {
    for (int i = 0; i < n; i++) {
        int64_t from = source_at(s, result, at + i);
        y->v[i] = s->x->v[from];
        if (!spans) continue;
        double e = s->x->err ? s->x->err[from] : 0;
        set_span(y, i, e == 0 ? y->v[i] : y->v[i] - e, e == 0 ? y->v[i] : y->v[i] + e);
    }
}

/* n ≤ CHUNK elements from `at` on, for all instructions; with `spans` intervals too. Returns the last. */
static const Reg *program_chunk(const Program *p, const Node *node, const Source *in, const Type *result, int64_t at,
                                int n, bool spans, Reg *reg) {
    int inputs = p->n_leaf - op_table[node->op].n_attr;
    for (int k = 0; k < p->n; k++) {
        const Ins *ins = &p->ins[k];
        Reg *y = &reg[k];
        if (ins->leaf >= 0 && ins->leaf < inputs) {
            load_input(&in[ins->leaf], result, at, n, spans, y);
        } else if (ins->e->kind == EXPR_CALL) {
            const Reg *r[4];
            const double *v[4];
            for (int i = 0; i < 4; i++) r[i] = &reg[ins->arg[i]], v[i] = r[i]->v;
            call_chunk(ins->e->fn, v, y->v, n);
            if (spans) span_call(ins->e->fn, r, y, n);
        } else {
            double c =
                ins->leaf < 0 ? (double)ins->e->value : attr_value(node, &op_table[node->op].attr[ins->leaf - inputs]);
            for (int i = 0; i < n; i++) y->v[i] = y->lo[i] = y->hi[i] = c;
        }
    }
    return &reg[p->n - 1];
}

/* How far from v the interval reaches. */
static double span_error(const Reg *r, int i) {
    double v = r->v[i], below = v == r->lo[i] ? 0 : v - r->lo[i], above = v == r->hi[i] ? 0 : r->hi[i] - v;
    double e = fmax(0, fmax(below, above));
    return isnan(below) || isnan(above) ? INFINITY : e;
}

void pointwise_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Program *p = program_make(a, &op_table[n->op], op_table[n->op].formula);
    Reg *reg = ARENA_ARRAY(a, Reg, p->n);
    int64_t all = type_elements(&out->type);
    Source *source = ARENA_ARRAY(a, Source, n->n_in);
    for (int i = 0; i < n->n_in; i++) source[i] = source_of(in[i], &out->type);
    for (int64_t at = 0; at < all; at += CHUNK) {
        int count = all - at < CHUNK ? (int)(all - at) : CHUNK;
        const Reg *y = program_chunk(p, n, source, &out->type, at, count, out->err != NULL, reg);
        memcpy(out->v + at, y->v, sizeof *out->v * (size_t)count);
        for (int i = 0; out->err && i < count; i++) out->err[at + i] = span_error(y, i);
    }
}

/* ---- lowering ---------------------------------------------------------------------------------- */

void pointwise_lower(Lower *l, const Node *n) {
    Nest nest = {0};
    Index at;
    nest_result(l, &nest, &at);
    const Expr *in[8];
    for (int i = 0; i < n->n_in; i++) in[i] = lower_read_broadcast(l, n->in[i], &at);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &at, pointwise_expr(l, n, in))));
}
