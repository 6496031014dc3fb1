/* Text → kernel: the head and the statements. Names, ranges and subscript counts are checked here,
 * the rest by kernel_verify. */
#include "ir/loop/parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ------------------------------------------------------------------------------- */

int parse_find_buf(const Parser *p, const char *name) {
    for (int i = p->n_alive - 1; i >= 0; i--)
        if (strcmp(p->k->buf[p->alive[i]].name, name) == 0) return p->alive[i];
    for (int i = 0; i < p->k->n_param; i++)
        if (strcmp(p->k->buf[i].name, name) == 0) return i;
    return -1;
}

/* Buffers and tables share one space of names: both are read as name[…]. */
static bool name_is_free(const Kernel *k, const char *name) {
    for (int i = 0; i < k->n_buf; i++)
        if (strcmp(k->buf[i].name, name) == 0) return false;
    for (int i = 0; i < k->n_table; i++)
        if (strcmp(k->table[i].name, name) == 0) return false;
    return true;
}

static bool want_new_name(Parser *p, const char **name) {
    if (!lex_name(p->l, name)) return false;
    if (!name_is_free(p->k, *name)) return lex_fail(p->l, "there is already a buffer or table '%.80s'", *name);
    return true;
}

/* ---- statements -------------------------------------------------------------------------- */

static bool parse_body(Parser *p, Stmt **out);

static bool parse_bound(Lexer *l, int64_t *out) {
    bool minus = lex_take(l, "-");
    if (!lex_int(l, 0, max_coef, out)) return false;
    if (minus) *out = -*out;
    return true;
}

/* if 1 <= h + kh < 57 */
static bool parse_guard(Parser *p, Guard **out) {
    Guard g;
    if (!parse_bound(p->l, &g.lo) || !lex_want(p->l, "<=") || !parse_affine(p, &g.form) || !lex_want(p->l, "<") ||
        !parse_bound(p->l, &g.hi))
        return false;
    *out = arena_copy(p->arena, &g, sizeof g);
    return true;
}

static bool parse_loop(Parser *p, Mark mark, Stmt **out) {
    const char *name;
    int64_t extent, iterations = 1;
    Stmt *body;
    if (!lex_name(p->l, &name)) return false;
    for (int i = 0; i < p->n_loop; i++) {
        iterations *= p->k->var[p->loop[i]].extent;
        if (strcmp(p->k->var[p->loop[i]].name, name) == 0)
            return lex_fail(p->l, "loop '%.80s' inside another loop '%.80s'", name, name);
    }
    if (!lex_int(p->l, 1, MAX_LOOP_EXTENT, &extent)) return false;
    if (iterations > max_iterations / extent) return lex_fail(p->l, "more than 2^50 iterations");
    if (p->k->n_var == MAX_LOOPS) return lex_fail(p->l, "more than %d loops", MAX_LOOPS);
    int var = kernel_add_var(p->k, name, extent);
    Guard *guard = NULL;
    p->loop[p->n_loop++] = var;
    bool ok = (!lex_take(p->l, "if") || parse_guard(p, &guard)) && parse_body(p, &body);
    p->n_loop--;
    if (!ok) return false;
    *out = stmt_for(p->k, var, mark, body);
    (*out)->guard = guard;
    return true;
}

static bool parse_alloc(Parser *p, BufKind kind, Stmt **out) {
    const char *name;
    Type type;
    Stmt *body;
    if (!want_new_name(p, &name) || !lex_want(p->l, ":") || !type_parse(p->l, &type)) return false;
    if (p->k->n_buf == MAX_NAMES) return lex_fail(p->l, "more than %d buffers", MAX_NAMES);
    int buf = kernel_add_buf(p->k, name, kind, &type);
    p->alive[p->n_alive++] = buf;
    bool ok = parse_body(p, &body);
    p->n_alive--;
    if (ok) *out = stmt_alloc(p->k, buf, body);
    return ok;
}

static bool parse_store_op(Lexer *l, StoreOp *op) {
    if (lex_take(l, "=")) *op = STORE_SET;
    else if (lex_take(l, "+=")) *op = STORE_ADD;
    else if (lex_take(l, "max") && lex_take(l, "=")) *op = STORE_MAX;
    else return lex_fail(l, "=, += or max= expected, '%.80s' found", l->text);
    return true;
}

static bool parse_store(Parser *p, const char *name, Stmt **out) {
    int buf = parse_find_buf(p, name);
    if (buf < 0) return lex_fail(p->l, "no buffer '%.80s' here", name);
    const Affine *sub = parse_subs(p, name, p->k->buf[buf].type.rank, NULL);
    StoreOp op = STORE_SET;
    if (!sub || !parse_store_op(p->l, &op)) return false;
    const Expr *value = parse_value(p);
    if (!value || !lex_want(p->l, ";")) return false;
    *out = stmt_store(p->k, buf, sub, op, value);
    return true;
}

static bool parse_prefetch(Parser *p, Stmt **out) {
    const char *name;
    if (!lex_name(p->l, &name)) return false;
    int buf = parse_find_buf(p, name);
    if (buf < 0 || p->k->buf[buf].kind == BUF_REG) return lex_fail(p->l, "no parameter or scratch '%.80s' here", name);
    const Affine *sub = parse_subs(p, name, p->k->buf[buf].type.rank, NULL);
    if (!sub || !lex_want(p->l, ";")) return false;
    *out = stmt_prefetch(p->k, buf, sub);
    return true;
}

/* No word is reserved: a name before '[' is a buffer. */
static bool parse_stmt(Parser *p, Stmt **out) {
    static const struct {
        const char *word;
        Mark mark;
    } loops[] = {{"for", MARK_FOR}, {"par", MARK_PAR}, {"unroll", MARK_UNROLL}, {"vec", MARK_VEC}};
    const char *word;
    if (p->l->kind != TOK_NAME) return lex_fail(p->l, "a statement expected, '%.80s' found", p->l->text);
    if (!lex_name(p->l, &word)) return false;
    if (lex_is(p->l, "[")) return parse_store(p, word, out);
    for (size_t i = 0; i < COUNT_OF(loops); i++)
        if (strcmp(word, loops[i].word) == 0) return parse_loop(p, loops[i].mark, out);
    if (strcmp(word, "reg") == 0) return parse_alloc(p, BUF_REG, out);
    if (strcmp(word, "scratch") == 0) return parse_alloc(p, BUF_SCRATCH, out);
    if (strcmp(word, "prefetch") == 0) return parse_prefetch(p, out);
    return lex_fail(p->l, "a statement expected, '%.80s' found", word);
}

/* { statement … } */
static bool parse_body(Parser *p, Stmt **out) {
    Stmt **end = out;
    if (p->nesting == MAX_NESTING) return lex_fail(p->l, "statements are nested more than %d deep", MAX_NESTING);
    if (!lex_want(p->l, "{")) return false;
    p->nesting++;
    do {
        if (!parse_stmt(p, end)) return false;
        end = &(*end)->next;
    } while (!lex_is(p->l, "}"));
    p->nesting--;
    return lex_want(p->l, "}");
}

/* ---- the head ---------------------------------------------------------------------------- */

/* out y : f32[w8] over z: the input stands before. */
static bool parse_over(Parser *p, Buf *out) {
    const char *name;
    if (!lex_take(p->l, "over")) return true;
    if (!lex_name(p->l, &name)) return false;
    out->over = parse_find_buf(p, name);
    out->is_over = out->over >= 0;
    return out->is_over || lex_fail(p->l, "no parameter '%.80s' before %s", name, out->name);
}

static bool parse_float(Lexer *l, float *out) {
    bool minus = lex_take(l, "-");
    if (l->kind == TOK_INT || l->kind == TOK_FLOAT) {
        *out = strtof(l->text, NULL); /* not through double, which would round twice */
        if (isinf(*out)) return lex_fail(l, "%.80s does not fit in float32", l->text);
    } else if (lex_is(l, "inf") || lex_is(l, "nan")) {
        *out = lex_is(l, "inf") ? INFINITY : NAN;
    } else {
        return lex_fail(l, "a number expected, '%.80s' found", l->text);
    }
    if (minus) *out = -*out;
    lex_next(l);
    return !l->failed;
}

/* halo 0 h<1,1> w<1,1>: what stands at the ends of the axes of an input. */
static bool parse_halo(Parser *p, Buf *b) {
    Lexer *l = p->l;
    if (!lex_take(l, "halo")) return true;
    if (b->kind != BUF_IN) return lex_fail(l, "only inputs have a halo that is known");
    if (!parse_float(l, &b->halo)) return false;
    do {
        int axis = l->kind == TOK_NAME && !l->text[1] ? type_find(&b->type, l->text[0]) : -1;
        if (axis < 0) return lex_fail(l, "an axis of '%.80s' expected, '%.80s' found", b->name, l->text);
        lex_next(l);
        int64_t lo, hi, extent = b->type.axis[axis].extent;
        if (!lex_want(l, "<") || !lex_int(l, 0, extent, &lo) || !lex_want(l, ",") || !lex_int(l, 0, extent - lo, &hi) ||
            !lex_want(l, ">"))
            return false;
        b->lo[axis] = (int32_t)lo;
        b->hi[axis] = (int32_t)hi;
    } while (l->kind == TOK_NAME);
    return true;
}

static bool parse_params(Parser *p) {
    if (!lex_want(p->l, "(")) return false;
    while (!lex_is(p->l, ")")) {
        const char *name;
        Type type;
        if (p->k->n_buf && !lex_want(p->l, ",")) return false;
        bool out = lex_take(p->l, "out");
        if (!out && !lex_take(p->l, "in")) return lex_fail(p->l, "'in' or 'out' expected, '%.80s' found", p->l->text);
        if (!want_new_name(p, &name) || !lex_want(p->l, ":") || !type_parse(p->l, &type)) return false;
        if (p->k->n_buf == MAX_NAMES) return lex_fail(p->l, "more than %d buffers", MAX_NAMES);
        int buf = kernel_add_buf(p->k, name, out ? BUF_OUT : BUF_IN, &type);
        if (!parse_halo(p, &p->k->buf[buf]) || (out && !parse_over(p, &p->k->buf[buf]))) return false;
    }
    return lex_want(p->l, ")");
}

/* table t0 = { 0.25, 0.5 } */
static bool parse_table(Parser *p) {
    const char *name;
    float *v = NULL, x = 0;
    int n = 0, cap = 0;
    if (!want_new_name(p, &name) || !lex_want(p->l, "=") || !lex_want(p->l, "{")) return false;
    do {
        if (n == MAX_TABLE) return lex_fail(p->l, "a table of more than 2^24 values");
        if (!parse_float(p->l, &x)) return false;
        ARENA_PUSH(p->arena, v, n, cap, x);
    } while (lex_take(p->l, ","));
    if (!lex_want(p->l, "}")) return false;
    if (p->k->n_table == MAX_NAMES) return lex_fail(p->l, "more than %d tables", MAX_NAMES);
    kernel_add_table(p->k, name, v, n);
    return true;
}

/* by { step; step }: what was applied already, kept as words joined by one space. */
static bool parse_steps(Parser *p) {
    Lexer *l = p->l;
    Text t = {.arena = p->arena};
    bool start = true; /* of a step */
    if (!lex_want(l, "{")) return false;
    for (; !lex_is(l, "}"); lex_next(l)) {
        if (l->kind == TOK_END || l->kind == TOK_STRING || lex_is(l, "{"))
            return lex_fail(l, "'}' expected after the steps, '%.80s' found",
                            l->kind == TOK_END ? "end of text" : l->text);
        if (lex_is(l, ";")) {
            start = true;
            continue;
        }
        text_add(&t, "%s%s", t.n == 0 ? "" : start ? "; " : " ", l->text);
        start = false;
    }
    p->k->steps = text_get(&t);
    return lex_want(l, "}");
}

Kernel *kernel_parse(Lexer *l) {
    const char *name;
    if (!lex_want(l, "kernel") || !lex_name(l, &name)) return NULL;
    Parser p = {.l = l, .arena = l->arena, .k = kernel_new(l->arena, name)};
    if (!parse_params(&p)) return NULL;
    while (lex_take(l, "table"))
        if (!parse_table(&p)) return NULL;
    if (lex_take(l, "by") && !parse_steps(&p)) return NULL;
    return parse_body(&p, &p.k->body) ? p.k : NULL;
}
