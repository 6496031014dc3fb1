#include "ir/lower.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- loops ----------------------------------------------------------------------------------- */

Affine nest_loop_always(Lower *l, Nest *nest, const char *name, int64_t extent) {
    int var = kernel_add_var(l->k, *l->suffix ? arena_printf(l->a, "%s%s", name, l->suffix) : name, extent);
    nest->var[nest->n++] = var;
    return affine_var(l->a, var);
}

Affine nest_loop(Lower *l, Nest *nest, const char *name, int64_t extent) {
    return extent == 1 ? affine_const(0) : nest_loop_always(l, nest, name, extent);
}

static int cut_compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

Affine nest_digits(Lower *l, Nest *nest, const char *name, const char *outer, int64_t extent, const int64_t *cuts,
                   int n_cuts) {
    int64_t unit[MAX_CUTS + 2];
    int n = 0;
    for (int i = 0; i < n_cuts; i++) {
        bool seen = cuts[i] <= 1 || cuts[i] >= extent;
        for (int j = 0; j < n; j++) seen |= unit[j] == cuts[i];
        if (!seen) unit[n++] = cuts[i];
    }
    qsort(unit, (size_t)n, sizeof *unit, cut_compare);
    unit[n] = 1;
    Affine sum = affine_const(0);
    int64_t above = extent;
    for (int i = 0; i <= n; i++) {
        if (above % unit[i] != 0)
            diag_fail(l->d, DIAG_INTERNAL, "%s: blocks of %lld and %lld do not fit each other", l->k->name,
                      (long long)above, (long long)unit[i]);
        const char *loop = i == n ? name : i == 0 ? outer : arena_printf(l->a, "%s%d", outer, i);
        sum = affine_add(l->a, sum,
                         affine_scale(l->a, nest_loop(l, nest, loop, above / unit[i] ? above / unit[i] : 1), unit[i]));
        above = unit[i];
    }
    return sum;
}

Stmt *nest_close(Lower *l, const Nest *nest, Stmt *body) {
    for (int i = nest->n - 1; i >= 0; i--) body = stmt_for(l->k, nest->var[i], MARK_FOR, body);
    return body;
}

const char *spatial_name(int i, int n) { return (const char *[]){"d", "h", "w"}[MAX_SPATIAL - n + i]; }
const char *axis_name(const Lower *l, const Type *t, int i) { return arena_printf(l->a, "%c", t->axis[i].letter); }
const char *window_name(int i, int n) { return (const char *[]){"kd", "kh", "kw"}[MAX_SPATIAL - n + i]; }

int lower_out_blocks(const Lower *l, int64_t cuts[MAX_CUTS]) {
    int n = 0;
    cuts[n++] = type_block(&group_result(l->group)->type, 'c');
    for (int i = 0; i < l->group->n_tail; i++)
        for (int j = 0; j < l->group->tail[i]->n_in && n < MAX_CUTS; j++)
            cuts[n++] = type_block(&l->group->tail[i]->in[j]->type, 'c');
    return n;
}

void nest_result(Lower *l, Nest *nest, Index *index) {
    Type t = type_plain(&group_result(l->group)->type);
    int64_t cuts[MAX_CUTS];
    int n_cuts = lower_out_blocks(l, cuts);
    for (int i = 0; i < l->group->anchor->n_in && n_cuts < MAX_CUTS; i++)
        cuts[n_cuts++] = type_block(&l->group->anchor->in[i]->type, 'c');
    *index = (Index){.n = t.rank};
    index->v[0] = nest_loop_always(l, nest, "n", t.rank ? t.axis[0].extent : 1);
    if (t.rank < 2) return;
    /* channels last among the loops when they are innermost in memory, else in plain order */
    bool blocked = cuts[0] > 1;
    for (int i = 1; i < n_cuts; i++) blocked |= cuts[i] > 1;
    Nest digits = {0};
    index->v[1] = nest_digits(l, &digits, "c", "C", t.axis[1].extent, cuts, n_cuts);
    int inner = blocked && digits.n > 0 ? 1 : 0;
    for (int i = 0; i < digits.n - inner; i++) nest->var[nest->n++] = digits.var[i];
    for (int i = 2; i < t.rank; i++) index->v[i] = nest_loop(l, nest, axis_name(l, &t, i), t.axis[i].extent);
    for (int i = digits.n - inner; i < digits.n; i++) nest->var[nest->n++] = digits.var[i];
}

/* ---- memory ----------------------------------------------------------------------------------- */

/* Logical index → memory subscripts of this layout: block and remainder, halos in front. */
static void layout_subs(Lower *l, const Type *t, const Index *index, Affine sub[MAX_AXES]) {
    Type plain = type_plain(t);
    assert(plain.rank == index->n);
    for (int i = 0; i < plain.rank; i++) {
        char small = plain.axis[i].letter;
        int inner = type_find(t, small), outer = type_find(t, (char)toupper((unsigned char)small));
        if (outer < 0) {
            sub[inner] = affine_offset(index->v[i], t->axis[inner].lo);
            continue;
        }
        Affine quotient, remainder;
        if (!affine_divmod(l->k, index->v[i], type_block(t, small), &quotient, &remainder))
            diag_fail(l->d, DIAG_INTERNAL, "%s: an index does not keep to the blocks of axis %c", l->k->name, small);
        sub[outer] = quotient;
        if (inner >= 0) sub[inner] = remainder;
    }
}

static int lower_param(const Lower *l, const Node *x) {
    for (int i = 0; i < l->n_value; i++)
        if (l->value[i] == x && i != l->out) return i;
    assert(!"an input that is no parameter");
    return -1;
}

/* A parameter that the kernel sees as one axis is read by the offset in memory. */
static const Expr *load_param(Lower *l, const Node *x, const Affine *sub) {
    int buf = lower_param(l, x);
    if (l->k->buf[buf].type.rank == x->type.rank) return expr_load(l->k, buf, sub);
    Affine at = affine_linear(l->a, &x->type, sub);
    return expr_load(l->k, buf, &at);
}

const Expr *lower_read(Lower *l, const Node *x, const Index *index) {
    Affine sub[MAX_AXES];
    layout_subs(l, &x->type, index, sub);
    return load_param(l, x, sub);
}

static void param_flatten(Lower *l, int buf, const Type *type) {
    assert(type_is_plain(type));
    int64_t n = type_elements(type);
    l->k->buf[buf].type = (Type){.dtype = type->dtype, .rank = 1, .axis = {{'e', (int32_t)n, 0, 0}}};
}

const Expr *lower_read_flat(Lower *l, const Node *x, Affine at) {
    int buf = lower_param(l, x);
    param_flatten(l, buf, &x->type);
    return expr_load(l->k, buf, &at);
}

Stmt *lower_write_flat(Lower *l, Affine at, const Expr *value) {
    assert(!lower_has_tail(l));
    param_flatten(l, l->out, &l->group->anchor->type);
    return stmt_store(l->k, l->out, &at, STORE_SET, value);
}

const Expr *lower_read_take(Lower *l, const Node *x, const Index *index, const TakeIndex *take) {
    Affine sub[MAX_AXES];
    TakeIndex at[MAX_AXES] = {{0}};
    Type plain = type_plain(&x->type);
    bool any = false;
    for (int i = 0; i < plain.rank; i++) {
        if (!take[i].index) continue;
        any = true;
        if (type_block(&x->type, plain.axis[i].letter) > 1)
            diag_fail(l->d, DIAG_INTERNAL, "%s: an index is taken along a blocked axis", l->k->name);
        at[type_find(&x->type, plain.axis[i].letter)] = take[i];
    }
    layout_subs(l, &x->type, index, sub);
    return any ? expr_load_take(l->k, lower_param(l, x), sub, at) : expr_load(l->k, lower_param(l, x), sub);
}

const Expr *lower_read_broadcast(Lower *l, const Node *x, const Index *index) {
    Type plain = type_plain(&x->type);
    int skip = index->n - plain.rank;
    Index at = {.n = plain.rank};
    for (int i = 0; i < plain.rank; i++) at.v[i] = plain.axis[i].extent == 1 ? affine_const(0) : index->v[skip + i];
    return lower_read(l, x, &at);
}

Stmt *lower_write(Lower *l, const Index *index, StoreOp op, const Expr *value) {
    Affine sub[MAX_AXES];
    layout_subs(l, &group_result(l->group)->type, index, sub);
    return stmt_store(l->k, l->out, sub, op, value);
}

const Expr *lower_read_out(Lower *l, const Index *index) {
    Affine sub[MAX_AXES];
    layout_subs(l, &group_result(l->group)->type, index, sub);
    return expr_load(l->k, l->out, sub);
}

bool lower_has_tail(const Lower *l) { return l->group->n_tail > 0; }

Stmt *lower_finish(Lower *l, const Index *index, const Expr *value) {
    const Node *before = l->group->anchor;
    for (int i = 0; i < l->group->n_tail; i++) {
        const Node *n = l->group->tail[i];
        const Expr *in[8];
        assert(n->n_in <= (int)COUNT_OF(in));
        for (int j = 0; j < n->n_in; j++) in[j] = n->in[j] == before ? value : lower_read_broadcast(l, n->in[j], index);
        value = pointwise_expr(l, n, in);
        before = n;
    }
    return lower_write(l, index, STORE_SET, value);
}

void lower_emit(Lower *l, Stmt *nest) { l->nests = stmt_append(l->nests, nest); }

const Expr *pointwise_expr(Lower *l, const Node *n, const Expr *const *in) {
    const OpInfo *op = &op_table[n->op];
    const char *names[16];
    const Expr *leaf[16];
    int count = 0;
    const char *p = op->inputs;
    for (int i = 0; i < n->n_in; i++) {
        size_t len = strcspn(p, " ");
        names[count] = arena_printf(l->a, "%.*s", (int)len, p);
        leaf[count++] = in[i];
        p += len + (p[len] == ' ');
    }
    for (int i = 0; i < op->n_attr; i++) {
        const char *at = (const char *)&n->attr + op->attr[i].offset;
        names[count] = op->attr[i].name;
        float v = op->attr[i].type == ATTR_FLOAT ? *(const float *)at : (float)*(const int32_t *)at;
        leaf[count++] = expr_const(l->a, v);
    }
    const Expr *e = expr_parse_formula(l->a, op->formula, names, leaf, count, l->d);
    return e ? e : expr_const(l->a, 0);
}

/* ---- halos ------------------------------------------------------------------------------------ */

/* The frame of the result: for each spatial axis the slabs before and after, over the whole memory of
 * the axes behind it and the inside of those before it, so that the slabs do not meet. */
static void lower_halo(Lower *l) {
    const Type *t = &group_result(l->group)->type;
    for (int axis = 0; axis < t->rank; axis++)
        for (int side = 0; side < 2; side++) {
            const Axis *x = &t->axis[axis];
            int32_t width = side ? x->hi : x->lo;
            if (width == 0) continue;
            Nest nest = {0};
            Affine sub[MAX_AXES];
            for (int i = 0; i < t->rank; i++) {
                const Axis *y = &t->axis[i];
                const char *name = arena_printf(l->a, "e%c", y->letter);
                int64_t extent = i == axis ? width : i < axis ? y->extent : y->extent + y->lo + y->hi;
                int64_t base = i == axis ? (side ? x->lo + x->extent : 0) : i < axis ? y->lo : 0;
                /* of a source each frame has a loop, so that a part of it can be computed */
                bool always = i == 0 || (i == axis && *l->suffix);
                sub[i] = affine_offset(
                    always ? nest_loop_always(l, &nest, name, extent) : nest_loop(l, &nest, name, extent), base);
            }
            lower_emit(l, nest_close(l, &nest, stmt_store(l->k, l->out, sub, STORE_SET, expr_const(l->a, t->halo))));
        }
}

/* ---- groups ----------------------------------------------------------------------------------- */

int group_size(const Group *g) {
    int n = 1 + g->n_tail;
    for (int i = 0; i < g->n_source; i++) n += group_size(g->source[i]);
    return n;
}

Node *group_node(const Group *g, int i) {
    for (int s = 0; s < g->n_source; s++) {
        int n = group_size(g->source[s]);
        if (i < n) return group_node(g->source[s], i);
        i -= n;
    }
    return i == 0 ? g->anchor : g->tail[i - 1];
}

void group_print(Text *t, const Group *g) {
    for (int i = 0; i < g->n_source; i++) {
        group_print(t, g->source[i]);
        text_add(t, " > ");
    }
    text_add(t, "%s", g->anchor->name);
    for (int i = 0; i < g->n_tail; i++) text_add(t, " + %s", g->tail[i]->name);
}

static bool group_has(const Group *g, const Node *n) {
    for (int i = group_size(g) - 1; i >= 0; i--)
        if (group_node(g, i) == n) return true;
    return false;
}

/* Parameters for what the node reads and no node of the group computes. */
static void add_inputs(Lower *l, const Group *whole, const Node *n) {
    const char *p = op_table[n->op].inputs;
    for (int i = 0; i < n->n_in; i++) {
        size_t len = strcspn(p, " ?*");
        bool seen = group_has(whole, n->in[i]);
        for (int j = 0; j < l->n_value; j++) seen |= l->value[j] == n->in[i];
        if (!seen) {
            const char *name =
                len == 1 && *p == 'y' ? "z" : arena_printf(l->a, "%.*s", (int)len, p); /* y is the result */
            bool taken = false;
            for (int j = 0; j < l->n_value; j++) taken |= strcmp(l->k->buf[j].name, name) == 0;
            if (taken) name = arena_printf(l->a, "%s%d", name, l->n_value + 1);
            kernel_add_buf(l->k, name, BUF_IN, &n->in[i]->type);
            l->value[l->n_value++] = n->in[i];
        }
        size_t step = strcspn(p, " ");
        if (p[step] == ' ') p += step + 1;
    }
}

/* The nests of one group, into the buffer. */
static bool lower_nests(Lower *l, const Group *g, int out, const char *suffix, Diag *d) {
    l->group = g;
    l->out = out;
    l->suffix = suffix;
    l->nests = NULL;
    if (!op_table[g->anchor->op].lower)
        return diag_fail(d, DIAG_INTERNAL, "%s: %s has no lowering", g->anchor->name, op_table[g->anchor->op].name);
    op_table[g->anchor->op].lower(l, g->anchor);
    return true;
}

/* scratch t1 { nests that set it … what reads it } */
static bool lower_from(Lower *l, const Group *g, int source, Diag *d) {
    if (source == g->n_source) return lower_nests(l, g, l->k->n_param - 1, "", d);
    const Group *s = g->source[source];
    const char *name = arena_printf(l->a, "t%d", source + 1);
    int buf = kernel_add_buf(l->k, name, BUF_SCRATCH, &group_result(s)->type);
    while (l->n_value < buf) l->value[l->n_value++] = NULL; /* registers */
    l->value[l->n_value++] = group_result(s);
    if (!lower_nests(l, s, buf, arena_printf(l->a, ".%s", name), d)) return false;
    lower_halo(l);
    Stmt *set = l->nests;
    if (!lower_from(l, g, source + 1, d)) return false;
    l->nests = stmt_alloc(l->k, buf, stmt_append(set, l->nests));
    return true;
}

bool lower_group(Arena *a, const Group *group, Lowered *out, Diag *d) {
    Diag why = {0};
    int most = 1 + 8 * (group->n_source + 1); /* registers of the ops: a few each */
    for (int i = group_size(group) - 1; i >= 0; i--) most += group_node(group, i)->n_in;
    Lower l = {.a = a, .k = kernel_new(a, group->anchor->name), .value = ARENA_ARRAY(a, Node *, most), .d = &why};
    for (int i = 0; i < group_size(group); i++) add_inputs(&l, group, group_node(group, i));
    kernel_add_buf(l.k, "y", BUF_OUT, &group_result(group)->type);
    l.value[l.n_value++] = group_result(group);
    *out = (Lowered){l.k, arena_copy(a, l.value, sizeof *l.value * (size_t)l.n_value)};
    if (!lower_from(&l, group, 0, d)) return false;
    l.k->body = l.nests;
    l.nests = NULL;
    l.group = group;
    l.out = l.k->n_param - 1;
    l.suffix = "";
    lower_halo(&l);
    l.k->body = stmt_append(l.k->body, l.nests);
    if (why.kind != DIAG_NONE) return diag_fail(d, why.kind, "%s", why.text);
    return kernel_verify(l.k, d);
}
