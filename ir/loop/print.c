/* Kernel → text. The text depends on the structure only, never on the numbers of variables or the
 * addresses of nodes, so print(parse(print(k))) == print(k). */
#include "ir/loop.h"
#include "ir/loop/exprmap.h"

#include <string.h>

enum { LINE_WIDTH = 100, INDENT = 4 };

typedef struct Printer {
    Text *t;
    const Kernel *k;
    int *depth;   /* of each variable's loop, 1 for the outermost; 0: not an enclosing loop */
    int n_loops;  /* enclosing now */
    ExprMap uses; /* of the store being printed: edges to a node; −1−i once it has the name t<i> */
    const Expr **bound;
    int n_bound, cap_bound;
} Printer;

/* ---- affine forms ------------------------------------------------------------------------ */

static void print_coef(Text *t, int64_t coef, const char *name, bool first) {
    int64_t size = coef < 0 ? -coef : coef;
    if (first) text_add(t, "%s", coef < 0 ? "-" : "");
    else text_add(t, "%s", coef < 0 ? " - " : " + ");
    if (!name) text_add(t, "%lld", (long long)size);
    else if (size == 1) text_add(t, "%s", name);
    else text_add(t, "%lld*%s", (long long)size, name);
}

static bool falls(const Affine *x) {
    for (int i = 0; i < x->n; i++)
        if (x->term[i].coef > 0) return false;
    return x->n > 0;
}

/* Terms from the outermost loop to the innermost: the order of variable numbers in a parsed kernel.
 * The constant comes last: 16*O + o - 1; but 46 - c. */
static void print_terms(Printer *p, const Affine *x, bool first) {
    int done = -1; /* deepest printed */
    bool base_first = first && x->base > 0 && falls(x);
    if (base_first) print_coef(p->t, x->base, NULL, true);
    first &= !base_first;
    for (int i = 0; i < x->n; i++) {
        int next = -1;
        for (int j = 0; j < x->n; j++) {
            int depth = p->depth[x->term[j].var];
            if (depth > done && (next < 0 || depth < p->depth[x->term[next].var])) next = j;
        }
        if (next < 0) break; /* two variables out of scope: not a legal kernel */
        done = p->depth[x->term[next].var];
        print_coef(p->t, x->term[next].coef, p->k->var[x->term[next].var].name, first);
        first = false;
    }
    if (first || (x->base && !base_first)) print_coef(p->t, x->base, NULL, first);
}

static void print_affine(Printer *p, const Affine *x) { print_terms(p, x, true); }

static void print_expr(Printer *p, const Expr *e, int level);

/* take(index, limit) + 4*h - 1 */
static void print_take(Printer *p, const TakeIndex *take, const Affine *x) {
    text_add(p->t, "take(");
    print_expr(p, take->index, 1);
    text_add(p->t, ", %lld)", (long long)take->limit);
    print_terms(p, x, false);
}

static void print_access(Printer *p, const char *name, const Affine *sub, const TakeIndex *take, int n) {
    text_add(p->t, "%s[", name);
    for (int i = 0; i < n; i++) {
        if (i) text_add(p->t, ", ");
        if (take && take[i].index) print_take(p, &take[i], &sub[i]);
        else print_affine(p, &sub[i]);
    }
    text_add(p->t, "]");
}

/* ---- expressions ------------------------------------------------------------------------- */

/* How tight a node binds: sum 1, product 2, anything else 3. */
static int expr_level(const Expr *e) {
    if (e->kind != EXPR_CALL) return 3;
    if (e->fn == FN_ADD || e->fn == FN_SUB) return 1;
    return e->fn == FN_MUL || e->fn == FN_DIV ? 2 : 3;
}

static void print_node(Printer *p, const Expr *e);

static void print_expr(Printer *p, const Expr *e, int level) {
    int name = *exprmap_at(&p->uses, e);
    if (name < 0) {
        text_add(p->t, "t%d", -1 - name);
        return;
    }
    bool parens = expr_level(e) < level;
    if (parens) text_add(p->t, "(");
    print_node(p, e);
    if (parens) text_add(p->t, ")");
}

static void print_call(Printer *p, const Expr *e) {
    int n = fn_args(e->fn), level = expr_level(e);
    if (level < 3) {
        print_expr(p, e->arg[0], level);
        text_add(p->t, level == 1 ? " %s " : "%s", fn_name(e->fn));
        print_expr(p, e->arg[1], level + 1);
        return;
    }
    text_add(p->t, "%s(", n == 4 ? "select" : fn_name(e->fn));
    for (int i = 0; i < n; i++) {
        if (i && n == 4 && i == 1) text_add(p->t, " %s ", fn_name(e->fn));
        else if (i) text_add(p->t, ", ");
        print_expr(p, e->arg[i], 1);
    }
    text_add(p->t, ")");
}

static void print_node(Printer *p, const Expr *e) {
    switch (e->kind) {
    case EXPR_CONST: text_add_float(p->t, e->value); break;
    case EXPR_LOAD: print_access(p, p->k->buf[e->buf].name, e->sub, e->take, p->k->buf[e->buf].type.rank); break;
    case EXPR_INDEX:
        text_add(p->t, "index(");
        print_affine(p, e->sub);
        text_add(p->t, ")");
        break;
    case EXPR_TABLE: print_access(p, p->k->table[e->buf].name, e->sub, NULL, 1); break;
    case EXPR_CALL: print_call(p, e); break;
    }
}

static void count_uses(Printer *p, const Expr *e) {
    const Expr *operand[MAX_AXES];
    int n = expr_operands(e, operand);
    if (n == 0 || (*exprmap_at(&p->uses, e))++) return;
    for (int i = 0; i < n; i++) count_uses(p, operand[i]);
}

/* Names what is used more than once, operands before their users. */
static void bind_shared(Printer *p, const Expr *e) {
    const Expr *operand[MAX_AXES];
    int n = expr_operands(e, operand);
    if (n == 0 || *exprmap_at(&p->uses, e) < 0) return;
    for (int i = 0; i < n; i++) bind_shared(p, operand[i]);
    int *uses = exprmap_at(&p->uses, e);
    if (*uses < 2) return;
    *uses = -1 - p->n_bound;
    ARENA_PUSH(p->t->arena, p->bound, p->n_bound, p->cap_bound, e);
}

/* ---- statements -------------------------------------------------------------------------- */

static void print_store(Printer *p, const Stmt *s) {
    static const char *const ops[] = {[STORE_SET] = "=", [STORE_ADD] = "+=", [STORE_MAX] = "max="};
    p->uses = (ExprMap){.arena = p->t->arena};
    p->n_bound = 0;
    count_uses(p, s->value);
    bind_shared(p, s->value);
    print_access(p, p->k->buf[s->buf].name, s->sub, NULL, p->k->buf[s->buf].type.rank);
    text_add(p->t, " %s ", ops[s->op]);
    print_expr(p, s->value, 1);
    for (int i = 0; i < p->n_bound; i++) {
        text_add(p->t, "%s t%d = ", i ? "," : " with", i);
        print_node(p, p->bound[i]);
    }
    text_add(p->t, ";");
}

/* if 1 <= h + kh < 57 */
static void print_guard(Printer *p, const Guard *g) {
    text_add(p->t, " if %lld <= ", (long long)g->lo);
    print_affine(p, &g->form);
    text_add(p->t, " < %lld", (long long)g->hi);
}

static void print_line(Printer *p, int indent) { text_add(p->t, "\n%*s", indent, ""); }

static void print_list(Printer *p, const Stmt *s, int indent);

static bool is_single(const Stmt *s, StmtKind kind) { return s && !s->next && s->kind == kind; }

/* Loops that hold nothing but the next one share a line, and the store in the last one joins them
 * where it fits. */
static void print_loops(Printer *p, const Stmt *s, int indent) {
    static const char *const marks[] = {
        [MARK_FOR] = "for", [MARK_PAR] = "par", [MARK_UNROLL] = "unroll", [MARK_VEC] = "vec"};
    size_t start = p->t->n;
    const Stmt *outer = s;
    int n = 0;
    for (;; s = s->body) {
        const Var *v = &p->k->var[s->var];
        text_add(p->t, "%s%s %s %lld", n ? " " : "", marks[s->mark], v->name, (long long)v->extent);
        p->depth[s->var] = ++p->n_loops;
        if (s->guard) print_guard(p, s->guard);
        text_add(p->t, " {");
        n++;
        if (!is_single(s->body, STMT_FOR)) break;
    }
    bool joined = false;
    if (is_single(s->body, STMT_STORE)) {
        Text store = {.arena = p->t->arena}, *out = p->t;
        p->t = &store;
        print_store(p, s->body);
        p->t = out;
        joined = (size_t)indent + (out->n - start) + store.n + 2 * (size_t)n + 1 <= LINE_WIDTH;
        if (joined) text_add(out, " %s", text_get(&store));
    }
    if (!joined) {
        print_list(p, s->body, indent + INDENT);
        print_line(p, indent);
    }
    for (int i = 0; i < n; i++) text_add(p->t, "%s}", i || joined ? " " : "");
    for (int i = 0; i < n; i++, outer = outer->body) p->depth[outer->var] = 0;
    p->n_loops -= n;
}

static void print_alloc(Printer *p, const Stmt *s, int indent) {
    const Buf *b = &p->k->buf[s->buf];
    text_add(p->t, "%s %s : ", b->kind == BUF_REG ? "reg" : "scratch", b->name);
    type_print(p->t, &b->type);
    text_add(p->t, " {");
    print_list(p, s->body, indent + INDENT);
    print_line(p, indent);
    text_add(p->t, "}");
}

static void print_prefetch(Printer *p, const Stmt *s) {
    text_add(p->t, "prefetch ");
    print_access(p, p->k->buf[s->buf].name, s->sub, NULL, p->k->buf[s->buf].type.rank);
    text_add(p->t, ";");
}

static void print_list(Printer *p, const Stmt *s, int indent) {
    for (; s; s = s->next) {
        print_line(p, indent);
        switch (s->kind) {
        case STMT_FOR: print_loops(p, s, indent); break;
        case STMT_STORE: print_store(p, s); break;
        case STMT_ALLOC: print_alloc(p, s, indent); break;
        case STMT_PREFETCH: print_prefetch(p, s); break;
        }
    }
}

/* ---- the head ---------------------------------------------------------------------------- */

/* One item of a list that goes on the next line when this one is full. */
static void print_item(Text *t, size_t *line, int indent, bool first, const char *separator, const char *item) {
    if (!first) text_add(t, "%s", separator);
    if (!first && t->n - *line + strlen(item) + 3 > LINE_WIDTH) {
        text_add(t, "\n");
        *line = t->n;
        text_add(t, "%*s", indent, "");
    } else if (!first) {
        text_add(t, " ");
    }
    text_add(t, "%s", item);
}

/* halo 0 h<1,1> w<1,1> */
static void print_halo(Text *t, const Buf *b) {
    bool any = false;
    for (int i = 0; i < b->type.rank; i++) {
        if (b->lo[i] == 0 && b->hi[i] == 0) continue;
        if (!any) {
            text_add(t, " halo ");
            text_add_float(t, b->halo);
        }
        any = true;
        text_add(t, " %c<%d,%d>", b->type.axis[i].letter, b->lo[i], b->hi[i]);
    }
}

static void print_params(Printer *p) {
    Text *t = p->t;
    size_t line = t->n;
    text_add(t, "kernel %s(", p->k->name);
    int indent = (int)(t->n - line);
    for (int i = 0; i < p->k->n_param; i++) {
        const Buf *b = &p->k->buf[i];
        Text item = {.arena = t->arena};
        text_add(&item, "%s %s : ", b->kind == BUF_OUT ? "out" : "in", b->name);
        type_print(&item, &b->type);
        print_halo(&item, b);
        if (b->is_over) text_add(&item, " over %s", p->k->buf[b->over].name);
        print_item(t, &line, indent, i == 0, ",", text_get(&item));
    }
    text_add(t, ")\n");
}

static void print_tables(Printer *p) {
    for (int i = 0; i < p->k->n_table; i++) {
        const Table *table = &p->k->table[i];
        size_t line = p->t->n;
        text_add(p->t, "table %s = { ", table->name);
        for (int j = 0; j < table->n; j++) {
            Text item = {.arena = p->t->arena};
            text_add_float(&item, table->v[j]);
            print_item(p->t, &line, INDENT, j == 0, ",", text_get(&item));
        }
        text_add(p->t, " }\n");
    }
}

static void print_steps(Printer *p) {
    const char *s = p->k->steps;
    if (!s || !*s) return;
    size_t line = p->t->n;
    text_add(p->t, "by { ");
    for (bool first = true; *s; first = false) {
        size_t n = strcspn(s, ";");
        char *step = arena_alloc(p->t->arena, n + 1);
        memcpy(step, s, n);
        print_item(p->t, &line, INDENT + 1, first, ";", step);
        s += n;
        s += strspn(s, "; ");
    }
    text_add(p->t, " }\n");
}

void kernel_print(Text *t, const Kernel *k) {
    Printer p = {.t = t, .k = k, .depth = ARENA_ARRAY(t->arena, int, k->n_var)};
    print_params(&p);
    print_tables(&p);
    print_steps(&p);
    text_add(t, "{");
    print_list(&p, k->body, INDENT);
    text_add(t, "\n}\n");
}

const char *kernel_text(Arena *a, const Kernel *k) {
    Text t = {.arena = a};
    kernel_print(&t, k);
    return text_get(&t);
}

const char *kernel_nameless_text(Arena *a, const Kernel *k) {
    Kernel nameless = *k;
    nameless.name = "k";
    return kernel_text(a, &nameless);
}
