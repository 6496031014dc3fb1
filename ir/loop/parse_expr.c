/* Affine forms and expressions from text. */
#include "ir/loop/parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- affine forms ------------------------------------------------------------------------ */

static int find_loop(const Parser *p, const char *name) {
    for (int i = p->n_loop - 1; i >= 0; i--)
        if (strcmp(p->k->var[p->loop[i]].name, name) == 0) return p->loop[i];
    return -1;
}

static bool affine_loop(Parser *p, int64_t coef, Affine *out) {
    const char *name;
    if (p->l->kind != TOK_NAME) return lex_fail(p->l, "a loop name expected, '%.80s' found", p->l->text);
    int var = find_loop(p, p->l->text);
    if (var < 0) return lex_fail(p->l, "no loop '%.80s' around this statement", p->l->text);
    *out = affine_scale(p->arena, affine_var(p->arena, var), coef);
    return lex_name(p->l, &name);
}

/* 3, 3*h, h, h*3 */
static bool affine_term(Parser *p, bool minus, Affine *out) {
    int64_t coef = 1;
    if (p->l->kind == TOK_INT) {
        if (!lex_int(p->l, 0, max_coef, &coef)) return false;
        if (minus) coef = -coef;
        if (lex_take(p->l, "*")) return affine_loop(p, coef, out);
        *out = affine_const(coef);
        return true;
    }
    if (!affine_loop(p, 1, out)) return false;
    if (lex_take(p->l, "*") && !lex_int(p->l, 0, max_coef, &coef)) return false;
    *out = affine_scale(p->arena, *out, minus ? -coef : coef);
    return true;
}

/* Every partial sum is bounded, so none can overflow. */
static bool affine_small(const Parser *p, const Affine *x) {
    int64_t reach = llabs(x->base);
    if (reach > max_coef) return false;
    for (int i = 0; i < x->n; i++) {
        int64_t coef = llabs(x->term[i].coef), step;
        if (coef > max_coef || __builtin_mul_overflow(coef, p->k->var[x->term[i].var].extent, &step)) return false;
        if (__builtin_add_overflow(reach, step, &reach) || reach > max_reach) return false;
    }
    return true;
}

/* No word is reserved: a loop may be called take. */
static bool at_take(const Lexer *l) {
    Lexer ahead = *l;
    return lex_take(&ahead, "take") && lex_is(&ahead, "(");
}

/* take(index, limit) */
static bool parse_take(Parser *p, bool minus, TakeText *take) {
    Lexer *l = p->l;
    if (!take) return lex_fail(l, "take(…) stands in the subscripts of loads from buffers only");
    if (minus || take->index.e) return lex_fail(l, "a subscript has one take(…), which is added");
    lex_next(l);
    if (!lex_want(l, "(")) return false;
    take->index = parse_expr(p);
    return take->index.e && lex_want(l, ",") && lex_int(l, 1, MAX_TAKE, &take->limit) && lex_want(l, ")");
}

/* An affine form and, where `take` is given, perhaps a take(…) among its terms. */
static bool parse_terms(Parser *p, Affine *out, TakeText *take) {
    Lexer *l = p->l;
    *out = affine_const(0);
    bool minus = lex_take(l, "-");
    for (;;) {
        Affine term = affine_const(0);
        if (at_take(l) ? !parse_take(p, minus, take) : !affine_term(p, minus, &term)) return false;
        *out = affine_add(p->arena, *out, term);
        if (!affine_small(p, out)) return lex_fail(l, "the numbers of this subscript are too large");
        if (lex_take(l, "+")) minus = false;
        else if (lex_take(l, "-")) minus = true;
        else return !l->failed;
    }
}

bool parse_affine(Parser *p, Affine *out) { return parse_terms(p, out, NULL); }

const Affine *parse_subs(Parser *p, const char *name, int n, TakeText *takes) {
    Affine sub[MAX_AXES];
    int found = 0;
    if (!lex_want(p->l, "[")) return NULL;
    while (!lex_is(p->l, "]")) {
        if (found == MAX_AXES || (found && !lex_want(p->l, ",")) ||
            !parse_terms(p, &sub[found], takes ? &takes[found] : NULL)) {
            lex_fail(p->l, "']' expected");
            return NULL;
        }
        found++;
    }
    if (found != n) {
        lex_fail(p->l, "'%.80s' has %d axes, here are %d subscripts", name, n, found);
        return NULL;
    }
    return lex_want(p->l, "]") ? arena_copy(p->arena, sub, sizeof *sub * (size_t)n) : NULL;
}

/* ---- expressions ------------------------------------------------------------------------- */

static const Sized no_expr = {NULL, 0};

static Sized leaf(const Expr *e) { return (Sized){e, 1}; }

/* Room for one more node above operands of this depth. */
static bool may_grow(Parser *p, int depth) {
    if (depth >= MAX_EXPR_DEPTH) return lex_fail(p->l, "the expression is more than %d deep", MAX_EXPR_DEPTH);
    return p->n_calls++ < MAX_CALLS || lex_fail(p->l, "more than %d functions and operators in one store", MAX_CALLS);
}

static Sized make_call(Parser *p, Fn fn, const Sized *arg) {
    const Expr *e[4] = {NULL};
    int depth = 0;
    for (int i = 0; i < fn_args(fn); i++) {
        e[i] = arg[i].e;
        if (arg[i].depth > depth) depth = arg[i].depth;
    }
    if (!may_grow(p, depth)) return no_expr;
    return (Sized){expr_call(p->arena, fn, e[0], e[1], e[2], e[3]), depth + 1};
}

static Sized make_load(Parser *p, int buf, const Affine *sub, const TakeText *takes) {
    TakeIndex take[MAX_AXES] = {{NULL, 0}};
    int depth = 0;
    for (int i = 0; i < p->k->buf[buf].type.rank; i++) {
        take[i] = (TakeIndex){takes[i].index.e, takes[i].limit};
        if (takes[i].index.depth > depth) depth = takes[i].index.depth;
    }
    if (depth > 0 && !may_grow(p, depth)) return no_expr;
    return (Sized){expr_load_take(p->k, buf, sub, take), depth + 1};
}

/* The token as the nearest float32. The lexer's double would round twice. */
static Sized parse_number(Parser *p, bool minus) {
    float v = strtof(p->l->text, NULL);
    if (isinf(v)) {
        lex_fail(p->l, "%.80s does not fit in float32", p->l->text);
        return no_expr;
    }
    lex_next(p->l);
    return leaf(expr_const(p->arena, minus ? -v : v));
}

static bool find_fn(const char *name, Fn *fn) {
    for (int f = 0; f < FN_COUNT; f++) {
        *fn = (Fn)f;
        if (fn_args(*fn) < 4 && strcmp(fn_name(*fn), name) == 0) return true;
    }
    return false;
}

static Sized parse_args(Parser *p, Fn fn) {
    Sized arg[4];
    for (int i = 0; i < fn_args(fn); i++) {
        if (i && !lex_want(p->l, ",")) return no_expr;
        arg[i] = parse_expr(p);
        if (!arg[i].e) return no_expr;
    }
    return lex_want(p->l, ")") ? make_call(p, fn, arg) : no_expr;
}

static bool parse_comparison(Parser *p, Fn *fn, bool *swap) {
    static const struct {
        const char *text;
        Fn fn;
        bool swap;
    } row[] = {
        {"<", FN_LT, false}, {"<=", FN_LE, false}, {"==", FN_EQ, false}, {">", FN_LT, true}, {">=", FN_LE, true}};
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        *fn = row[i].fn;
        *swap = row[i].swap;
        if (lex_take(p->l, row[i].text)) return true;
    }
    return lex_fail(p->l, "<, <=, ==, > or >= expected, '%.80s' found", p->l->text);
}

/* select(a < b, x, y), after the '(' */
static Sized parse_select(Parser *p) {
    Sized arg[4];
    Fn fn;
    bool swap;
    arg[0] = parse_expr(p);
    if (!arg[0].e || !parse_comparison(p, &fn, &swap)) return no_expr;
    for (int i = 1; i < 4; i++) {
        if (i > 1 && !lex_want(p->l, ",")) return no_expr;
        arg[i] = parse_expr(p);
        if (!arg[i].e) return no_expr;
    }
    if (swap) {
        Sized first = arg[0];
        arg[0] = arg[1];
        arg[1] = first;
    }
    return lex_want(p->l, ")") ? make_call(p, fn, arg) : no_expr;
}

/* name( … ), after the '(' */
static Sized parse_call(Parser *p, const char *name) {
    Fn fn;
    if (strcmp(name, "select") == 0) return parse_select(p);
    if (strcmp(name, "index") == 0 && p->k) {
        Affine x;
        if (!parse_affine(p, &x) || !lex_want(p->l, ")")) return no_expr;
        return leaf(expr_index(p->arena, x));
    }
    if (find_fn(name, &fn)) return parse_args(p, fn);
    lex_fail(p->l, "no function '%.80s'", name);
    return no_expr;
}

/* name[ … ]: a buffer or a table */
static Sized parse_load(Parser *p, const char *name) {
    const Affine *sub;
    int buf = p->k ? parse_find_buf(p, name) : -1;
    if (buf >= 0) {
        TakeText takes[MAX_AXES] = {{no_expr, 0}};
        sub = parse_subs(p, name, p->k->buf[buf].type.rank, takes);
        return sub ? make_load(p, buf, sub, takes) : no_expr;
    }
    for (int i = 0; p->k && i < p->k->n_table; i++) {
        if (strcmp(p->k->table[i].name, name) != 0) continue;
        sub = parse_subs(p, name, 1, NULL);
        return sub ? leaf(expr_table(p->arena, i, *sub)) : no_expr;
    }
    lex_fail(p->l, "no buffer or table '%.80s' here", name);
    return no_expr;
}

/* A bare name: a binding, or one of the constants. */
static Sized parse_bound(Parser *p, const char *name) {
    for (int i = 0; i < p->n_bound; i++)
        if (strcmp(p->bound[i].name, name) == 0) return p->bound[i].value;
    if (strcmp(name, "inf") == 0) return leaf(expr_const(p->arena, INFINITY));
    if (strcmp(name, "nan") == 0) return leaf(expr_const(p->arena, NAN));
    lex_fail(p->l,
             p->k ? "'%.80s' is not defined (a loop variable as a value is index(%.80s))" : "'%.80s' is not defined",
             name, name);
    return no_expr;
}

static Sized parse_primary(Parser *p) {
    Lexer *l = p->l;
    if (l->kind == TOK_INT || l->kind == TOK_FLOAT) return parse_number(p, false);
    if (lex_take(l, "-")) {
        if (l->kind == TOK_INT || l->kind == TOK_FLOAT) return parse_number(p, true);
        if (lex_is(l, "inf")) {
            lex_next(l);
            return leaf(expr_const(p->arena, -INFINITY));
        }
        p->expr_depth++; /* a row of signs nests too */
        Sized arg = p->expr_depth > MAX_EXPR_DEPTH ? parse_expr(p) : parse_primary(p);
        p->expr_depth--;
        return arg.e ? make_call(p, FN_NEG, &arg) : no_expr;
    }
    if (lex_take(l, "(")) {
        Sized e = parse_expr(p);
        return e.e && lex_want(l, ")") ? e : no_expr;
    }
    const char *name;
    if (l->kind != TOK_NAME) {
        lex_fail(l, "an expression expected, '%.80s' found", l->text);
        return no_expr;
    }
    if (!lex_name(l, &name)) return no_expr;
    if (lex_take(l, "(")) return parse_call(p, name);
    return lex_is(l, "[") ? parse_load(p, name) : parse_bound(p, name);
}

/* A row of operators of one level (1: + −, 2: * /), left to right. */
static Sized parse_level(Parser *p, int level) {
    Sized arg[2];
    arg[0] = level == 1 ? parse_level(p, 2) : parse_primary(p);
    while (arg[0].e) {
        Fn fn;
        if (lex_take(p->l, level == 1 ? "+" : "*")) fn = level == 1 ? FN_ADD : FN_MUL;
        else if (lex_take(p->l, level == 1 ? "-" : "/")) fn = level == 1 ? FN_SUB : FN_DIV;
        else break;
        arg[1] = level == 1 ? parse_level(p, 2) : parse_primary(p);
        if (!arg[1].e) return no_expr;
        arg[0] = make_call(p, fn, arg);
    }
    return arg[0];
}

Sized parse_expr(Parser *p) {
    if (p->expr_depth >= MAX_EXPR_DEPTH) {
        lex_fail(p->l, "the expression is more than %d deep", MAX_EXPR_DEPTH);
        return no_expr;
    }
    p->expr_depth++;
    Sized e = parse_level(p, 1);
    p->expr_depth--;
    return p->l->failed ? no_expr : e;
}

/* ---- bindings ---------------------------------------------------------------------------- */

static bool parse_bindings(Parser *p) {
    do {
        Named b;
        if (p->n_bound == MAX_BINDINGS) return lex_fail(p->l, "more than %d bindings", MAX_BINDINGS);
        if (!lex_name(p->l, &b.name)) return false;
        if (strcmp(b.name, "inf") == 0 || strcmp(b.name, "nan") == 0)
            return lex_fail(p->l, "'%s' is a constant", b.name);
        for (int i = 0; i < p->n_bound; i++)
            if (strcmp(p->bound[i].name, b.name) == 0) return lex_fail(p->l, "'%.80s' is bound twice", b.name);
        if (!lex_want(p->l, "=")) return false;
        b.value = parse_expr(p);
        if (!b.value.e) return false;
        ARENA_PUSH(p->arena, p->bound, p->n_bound, p->cap_bound, b);
    } while (lex_take(p->l, ","));
    return !p->l->failed;
}

/* Goes on to the bindings, past "with"; false if this store has none. */
static bool skip_to_bindings(Lexer *l) {
    while (!l->failed && l->kind != TOK_END && !lex_is(l, ";") && !lex_is(l, "}")) {
        if (lex_take(l, "with") && !lex_is(l, "[")) return true;
        lex_next(l);
    }
    return false;
}

/* The bindings stand after the value that uses them, so they are read first. */
const Expr *parse_value(Parser *p) {
    Lexer start = *p->l;
    p->n_bound = p->n_calls = 0;
    bool bindings = skip_to_bindings(p->l);
    if (p->l->failed || (bindings && !parse_bindings(p))) return NULL;
    Lexer end = *p->l;
    *p->l = start;
    Sized value = parse_expr(p);
    if (bindings && value.e) {
        if (!lex_want(p->l, "with")) return NULL;
        *p->l = end;
    }
    return value.e;
}

const Expr *expr_parse_formula(Arena *a, const char *formula, const char *const *names, const Expr *const *leaves,
                               int n, Diag *d) {
    Lexer l;
    lex_open(&l, a, "formula", formula, d);
    Parser p = {.l = &l, .arena = a};
    for (int i = 0; i < n; i++) {
        Named b = {names[i], leaf(leaves[i])};
        ARENA_PUSH(a, p.bound, p.n_bound, p.cap_bound, b);
    }
    Sized value = parse_expr(&p);
    if (value.e && l.kind != TOK_END) lex_fail(&l, "the end expected, '%.80s' found", l.text);
    return l.failed ? NULL : value.e;
}
