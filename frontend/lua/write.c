/* Graphs as specs: the text that spec_load reads as the same graph again. Generic over the op table.
 *
 * A node is a line; a node whose value only the next one takes stays with it in a chain of methods. Weights that a
 * layer makes itself (NAME.weight …) are not written, others are weight { … }. */
#include "frontend/lua/write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_LOCALS = 180, /* Lua has 200 in a function */
    LONG_PREFIX = 8,   /* characters that the names of variables do without when all have them */
    LONG_LINE = 100,
};

typedef struct SpecText {
    Text t;
    Arena *a;
    const Graph *g;
    int *uses;           /* [n_node] outputs count */
    bool *made;          /* [n_node] a weight that its layer makes */
    bool *inside;        /* [n_node] part of the statement of its one user */
    const char **var;    /* [n_node] what the statement is called; NULL: it has none */
    int count[OP_COUNT]; /* the last number given: conv_3 */
    const char **taken;  /* variables: open addressing */
    size_t n_taken;      /* a power of two */
} SpecText;

/* ---- what goes where ------------------------------------------------------------------------- */

/* How many inputs stand in the spec: all, or those before the weights that the layer makes. */
static int given_inputs(const SpecText *s, const Node *n) {
    int given = n->n_in;
    while (given > 0 && s->made[n->in[given - 1]->id]) given--;
    return given;
}

/* Whether the layer would make all its weights as they are. */
static bool makes_weights(const SpecText *s, const Node *n) {
    ParamSpec spec[4];
    if (!(op_table[n->op].flags & OPF_PARAMS) || n->n_in < 2) return false;
    int count = op_table[n->op].params(n, spec, NULL);
    if (count == 0 || count != n->n_in - 1) return false;
    for (int i = 0; i < count; i++) {
        const Node *w = n->in[1 + i];
        if (w->op != OP_WEIGHT || s->uses[w->id] != 1 || !type_equal(&w->type, &spec[i].type) ||
            strcmp(w->name, arena_printf(s->a, "%s.%s", n->name, spec[i].suffix)) != 0)
            return false;
    }
    return true;
}

/* What x.name is, not a method. */
static bool is_member(const char *name) {
    return strcmp(name, "shape") == 0 || strcmp(name, "channels") == 0 || strcmp(name, "name") == 0;
}

/* Nodes keep their order, so only what stands right before its user can go into its statement: sources as arguments,
 * the first input as what the method is called on. */
static void put_inside(SpecText *s, const Node *n) {
    int before = n->id - 1, given = given_inputs(s, n);
    while (before >= 0 && s->made[before]) before--;
    for (int k = given - 1; k > 0; k--) {
        const Node *x = n->in[k];
        if (x->id != before || x->n_in || x->op == OP_INPUT || s->uses[x->id] != 1) continue;
        s->inside[before--] = true;
    }
    if (is_member(op_table[n->op].name)) return;
    if (given == 0 || n->in[0]->id != before || n->in[0]->n_in == 0 || s->uses[before] != 1) return;
    s->inside[before] = true;
}

static void look_at(SpecText *s) {
    const Graph *g = s->g;
    for (int i = 0; i < g->n_node; i++)
        for (int k = 0; k < g->node[i]->n_in; k++) s->uses[g->node[i]->in[k]->id]++;
    for (int i = 0; i < g->n_out; i++) s->uses[g->out[i].node->id]++;
    for (int i = 0; i < g->n_node; i++)
        if (makes_weights(s, g->node[i]))
            for (int k = 1; k < g->node[i]->n_in; k++) s->made[g->node[i]->in[k]->id] = true;
    for (int i = 0; i < g->n_node; i++)
        if (!s->made[i]) put_inside(s, g->node[i]);
}

/* ---- variables ------------------------------------------------------------------------------- */

static bool is_reserved(const char *name) {
    static const char *const words[] = {"and",   "break",    "do",     "else",   "elseif", "end",   "false",
                                        "for",   "function", "goto",   "if",     "in",     "local", "nil",
                                        "not",   "or",       "repeat", "return", "then",   "true",  "until",
                                        "while", "input",    "weight", "math"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(words[i], name) == 0) return true;
    return op_find(name) >= 0;
}

static const char **variable_slot(const SpecText *s, const char *name) {
    uint32_t h = 2166136261u; /* FNV-1a */
    for (const char *p = name; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    size_t i = h & (s->n_taken - 1);
    while (s->taken[i] && strcmp(s->taken[i], name) != 0) i = (i + 1) & (s->n_taken - 1);
    return &s->taken[i];
}

/* How much of the names all values begin with, up to a dot or an underscore. */
static size_t common_prefix(const SpecText *s) {
    const char *first = NULL;
    size_t n = 0;
    int values = 0;
    for (int i = 0; i < s->g->n_node; i++) {
        const char *name = s->g->node[i]->name;
        if (s->made[i] || s->inside[i] || s->g->node[i]->n_in == 0) continue;
        if (!first) n = strlen(first = name);
        while (n && (strncmp(first, name, n) != 0 || (first[n - 1] != '.' && first[n - 1] != '_'))) n--;
        values++;
    }
    return values > 1 && n >= LONG_PREFIX ? n : 0;
}

/* The node's name with underscores for dots; one that is taken has the place of the node behind it. */
static const char *variable_for(SpecText *s, const Node *n, size_t prefix) {
    const char *own = n->name + (n->n_in ? prefix : 0);
    char *name = arena_printf(s->a, "%s%s", own[0] >= '0' && own[0] <= '9' ? "_" : "", own);
    for (char *p = name; *p; p++)
        if (*p == '.') *p = '_';
    while (is_reserved(name) || *variable_slot(s, name)) name = arena_printf(s->a, "%s_%d", name, n->id);
    *variable_slot(s, name) = name;
    return name;
}

static void name_statements(SpecText *s) {
    int n = 0;
    for (int i = 0; i < s->g->n_node; i++) n += !s->made[i] && !s->inside[i];
    size_t prefix = common_prefix(s);
    s->n_taken = 64;
    while (s->n_taken < 2 * (size_t)n) s->n_taken *= 2;
    s->taken = ARENA_ARRAY(s->a, const char *, s->n_taken);
    for (int i = 0; i < s->g->n_node; i++)
        if (!s->made[i] && !s->inside[i]) s->var[i] = variable_for(s, s->g->node[i], prefix);
    if (n <= MOST_LOCALS) return;
    text_add(&s->t, "local v = {} -- more values than Lua has locals\n");
    for (int i = 0; i < s->g->n_node; i++)
        if (s->var[i]) s->var[i] = arena_printf(s->a, "v.%s", s->var[i]);
}

/* Whether a layer without a name gets this one. */
static bool has_own_name(SpecText *s, const Node *n) {
    int count = s->count[n->op];
    const Node *other;
    const char *name;
    do {
        name = arena_printf(s->a, "%s_%d", op_table[n->op].name, ++count);
        other = graph_find(s->g, name);
    } while (other && other->id < n->id);
    bool same = strcmp(name, n->name) == 0;
    s->count[n->op] = same ? count : count - 1; /* all below are taken for good */
    return same;
}

/* ---- attributes ------------------------------------------------------------------------------ */

static void put_list(Text *t, const int32_t *v, int n) {
    text_add(t, "{ ");
    for (int i = 0; i < n; i++) text_add(t, "%s%d", i ? ", " : "", v[i]);
    text_add(t, " }");
}

/* One number when all are the same, which it stands for. */
static void put_numbers(Text *t, const int32_t *v, int n) {
    bool same = true;
    for (int i = 1; i < n; i++) same &= v[i] == v[0];
    if (same && n) text_add(t, "%d", v[0]);
    else put_list(t, v, n);
}

/* The double that Lua reads becomes the same float32. */
static void put_float(Text *t, float x) {
    Text own = {.arena = t->arena};
    text_add_float(&own, x);
    if (isnan(x)) text_add(t, "0/0");
    else if (isinf(x)) text_add(t, "%smath.huge", x < 0 ? "-" : "");
    else if ((float)strtod(text_get(&own), NULL) == x) text_add(t, "%s", text_get(&own));
    else text_add(t, "%.17g", (double)x);
}

static void put_floats(Text *t, const Floats *v) {
    text_add(t, "{ ");
    for (int i = 0; i < v->n; i++) {
        text_add(t, "%s", i ? ", " : "");
        put_float(t, v->v[i]);
    }
    text_add(t, " }");
}

static void put_pads(Text *t, const Pads *p) {
    int32_t v[2 * MAX_SPATIAL];
    bool same = true;
    for (int i = 0; i < p->n; i++) {
        v[i] = p->lo[i];
        v[p->n + i] = p->hi[i];
        same &= p->lo[i] == p->hi[i];
    }
    put_numbers(t, v, same ? p->n : 2 * p->n);
}

static void put_text(Text *t, const char *text) {
    text_add(t, "\"");
    for (const char *p = text; *p; p++) {
        if (*p == '\n') text_add(t, "; "); /* steps of a schedule */
        else text_add(t, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    }
    text_add(t, "\"");
}

static bool differs(const AttrInfo *info, const int32_t *v, int n) {
    for (int i = 0; i < n; i++)
        if (v[i] != (int32_t)info->def) return true;
    return false;
}

static bool attr_is_given(const AttrInfo *info, const void *at) {
    const Dims *dims = at;
    const Pads *pads = at;
    switch (info->type) {
    case ATTR_INT:
    case ATTR_ENUM:
    case ATTR_BOOL: return differs(info, at, 1);
    case ATTR_FLOAT: return *(const float *)at != (float)info->def;
    case ATTR_DIMS: return differs(info, dims->v, dims->n);
    case ATTR_PADS: return differs(info, pads->lo, pads->n) || differs(info, pads->hi, pads->n);
    case ATTR_INTS: return ((const Ints *)at)->n > 0;
    case ATTR_FLOATS: return ((const Floats *)at)->n > 0;
    }
    return false;
}

static void put_attr(SpecText *s, const AttrInfo *info, const void *at) {
    Text *t = &s->t;
    switch (info->type) {
    case ATTR_INT: text_add(t, "%d", *(const int32_t *)at); break;
    case ATTR_BOOL: text_add(t, "%s", *(const int32_t *)at ? "true" : "false"); break;
    case ATTR_ENUM: put_text(t, attr_word(s->a, info, *(const int32_t *)at)); break;
    case ATTR_FLOAT: put_float(t, *(const float *)at); break;
    case ATTR_DIMS: put_numbers(t, ((const Dims *)at)->v, ((const Dims *)at)->n); break;
    case ATTR_PADS: put_pads(t, at); break;
    case ATTR_INTS: put_list(t, ((const Ints *)at)->v, ((const Ints *)at)->n); break;
    case ATTR_FLOATS: put_floats(t, at); break;
    }
}

/* ---- expressions ----------------------------------------------------------------------------- */

static void put_source(SpecText *s, const Node *n) {
    Text *t = &s->t;
    const Type *type = &n->type;
    const char *letters = type_letters(type->rank);
    bool is_input = n->op == OP_INPUT, plain = letters != NULL;
    for (int i = 0; i < type->rank && plain; i++) plain = type->axis[i].letter == letters[i];
    bool usual = plain && type->rank >= 2 && type->rank <= 2 + MAX_SPATIAL && type_elements(type) > 0;
    bool whole = is_input && (!usual || type->axis[0].extent != 1);
    text_add(t, "%s { \"%s\"", is_input ? "input" : "weight", n->name);
    if (whole) text_add(t, ", shape = {");
    for (int i = is_input && !whole ? 1 : 0; i < type->rank; i++)
        text_add(t, "%s%d", whole && i == 0 ? " " : ", ", type->axis[i].extent);
    if (whole) text_add(t, "%s", type->rank ? " }" : "}");
    if (type->dtype != DT_F32) text_add(t, ", type = \"%s\"", dtype_name(type->dtype));
    if (!plain) {
        text_add(t, ", axes = \"");
        for (int i = 0; i < type->rank; i++) text_add(t, "%c", type->axis[i].letter);
        text_add(t, "\"");
    }
    text_add(t, " }");
}

static void put_braces(SpecText *s, const Node *n, int first);

/* An input that is no receiver: a variable, or a source that is used here alone. */
static void put_argument(SpecText *s, const Node *x) {
    if (!s->inside[x->id]) {
        text_add(&s->t, "%s", s->var[x->id]);
    } else if (x->op == OP_WEIGHT) {
        put_source(s, x);
    } else {
        text_add(&s->t, "%s", op_table[x->op].name);
        put_braces(s, x, 0);
    }
}

/* Attributes by place as long as they differ from their defaults, then by name. */
static int put_attrs(SpecText *s, const Node *n, int items) {
    const OpInfo *o = &op_table[n->op];
    bool put[64] = {0};
    const char *base = (const char *)&n->attr;
    for (int place = 1; place <= o->n_attr; place++) {
        int i = 0;
        while (i < o->n_attr && o->attr[i].position != place) i++;
        if (i == o->n_attr || !attr_is_given(&o->attr[i], base + o->attr[i].offset)) break;
        text_add(&s->t, "%s", items++ ? ", " : "");
        put_attr(s, &o->attr[i], base + o->attr[i].offset);
        put[i] = true;
    }
    for (int i = 0; i < o->n_attr; i++) {
        if (put[i] || !attr_is_given(&o->attr[i], base + o->attr[i].offset)) continue;
        text_add(&s->t, "%s%s = ", items++ ? ", " : "", o->attr[i].name);
        put_attr(s, &o->attr[i], base + o->attr[i].offset);
    }
    return items;
}

static bool any_attr_given(const Node *n) {
    const OpInfo *o = &op_table[n->op];
    for (int i = 0; i < o->n_attr; i++)
        if (attr_is_given(&o->attr[i], (const char *)&n->attr + o->attr[i].offset)) return true;
    return false;
}

/* The inputs from `first` on, the attributes, the name: " { y, 3, name = \"a\" }", or "(y)". */
static void put_braces(SpecText *s, const Node *n, int first) {
    Text *t = &s->t;
    bool named = !has_own_name(s, n), bare = !named && !n->schedule && !any_attr_given(n);
    int given = given_inputs(s, n), items = 0;
    text_add(t, "%s", bare ? "(" : " { ");
    for (int k = first; k < given; k++) {
        text_add(t, "%s", items++ ? ", " : "");
        put_argument(s, n->in[k]);
    }
    if (!bare) {
        items = put_attrs(s, n, items);
        if (named) text_add(t, "%sname = \"%s\"", items++ ? ", " : "", n->name);
        if (n->schedule) {
            text_add(t, "%sschedule = ", items ? ", " : "");
            put_text(t, n->schedule);
        }
    }
    text_add(t, "%s", bare ? ")" : " }");
}

static const char *operator_of(Op op) {
    static const struct {
        Op op;
        const char *text;
    } table[] = {{OP_ADD, "+"}, {OP_SUB, "-"}, {OP_MUL, "*"}, {OP_DIV, "/"}};
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].op == op) return table[i].text;
    return NULL;
}

/* a + b, where nothing else is to be said. */
static bool put_operator(SpecText *s, const Node *n, bool is_start) {
    const char *text = operator_of(n->op);
    if (!text || n->n_in != 2 || n->schedule || s->inside[n->in[1]->id] || !has_own_name(s, n)) return false;
    text_add(&s->t, "%s%s %s %s%s", is_start ? "(" : "", s->var[n->in[0]->id], text, s->var[n->in[1]->id],
             is_start ? ")" : "");
    return true;
}

/* ---- statements ------------------------------------------------------------------------------ */

static bool is_receiver(const SpecText *s, const Node *x) { return s->inside[x->id] && x->n_in > 0; }

/* n and what is inside it, from the first node of the chain on, each on a line. */
static void put_statement(SpecText *s, const Node *n) {
    Text *t = &s->t;
    const Node *first = n;
    int links = 1;
    while (first->n_in && is_receiver(s, first->in[0])) {
        first = first->in[0];
        links++;
    }
    const Node **chain = ARENA_ARRAY(s->a, const Node *, links);
    for (int i = links - 1; i >= 0; i--) {
        chain[i] = n;
        if (i) n = n->in[0];
    }
    text_add(t, "%s%s = ", strncmp(s->var[chain[links - 1]->id], "v.", 2) == 0 ? "" : "local ",
             s->var[chain[links - 1]->id]);
    if (op_table[first->op].flags & OPF_SOURCE) put_source(s, first);
    for (int i = 0; i < links && !(op_table[first->op].flags & OPF_SOURCE); i++) {
        const Node *x = chain[i];
        if (i == 0 && put_operator(s, x, links > 1)) continue;
        bool method = x->n_in && !is_member(op_table[x->op].name);
        if (i == 0 && method) text_add(t, "%s", s->var[x->in[0]->id]);
        if (i > 0 || (links > 1 && method)) text_add(t, "\n    ");
        text_add(t, "%s%s", method ? ":" : "", op_table[x->op].name);
        put_braces(s, x, method ? 1 : 0);
    }
    text_add(t, "\n");
}

static bool is_identifier(const char *name) { return !strchr(name, '.') && !is_reserved(name); }

static void put_return(SpecText *s) {
    const Graph *g = s->g;
    bool counted = true, sorted = true;
    size_t length = 0;
    for (int i = 0; i < g->n_out; i++) {
        counted &= strcmp(g->out[i].name, arena_printf(s->a, "output_%d", i + 1)) == 0;
        sorted &= i == 0 || strcmp(g->out[i - 1].name, g->out[i].name) < 0;
        length += strlen(g->out[i].name) + strlen(s->var[g->out[i].node->id]) + 6;
    }
    if (g->n_out == 1 && strcmp(g->out[0].name, "output") == 0) {
        text_add(&s->t, "return %s\n", s->var[g->out[0].node->id]);
        return;
    }
    bool lines = g->n_out > 1 && length > LONG_LINE;
    text_add(&s->t, "return {");
    for (int i = 0; i < g->n_out; i++) {
        const char *name = g->out[i].name, *value = s->var[g->out[i].node->id];
        text_add(&s->t, "%s", lines ? "\n    " : " ");
        if (counted) text_add(&s->t, "%s", value);
        else if (!sorted) text_add(&s->t, "{ \"%s\", %s }", name, value);
        else if (is_identifier(name)) text_add(&s->t, "%s = %s", name, value);
        else text_add(&s->t, "[\"%s\"] = %s", name, value);
        text_add(&s->t, "%s", i + 1 < g->n_out ? "," : lines ? ",\n" : " ");
    }
    text_add(&s->t, "}\n");
}

/* ---- all ------------------------------------------------------------------------------------- */

/* What a spec can say: ops that users may write, plain types. */
static bool can_say(const Graph *g, Diag *d) {
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (op_table[n->op].flags & OPF_INTERNAL || !type_is_plain(&n->type))
            return diag_fail(d, DIAG_UNSUPPORTED, "node '%.100s' (%s) is made by passes: a spec cannot say it", n->name,
                             op_table[n->op].name);
    }
    return true;
}

bool spec_text(Text *t, const Graph *g, Diag *d) {
    Arena *a = t->arena;
    SpecText s = {.t = *t, .a = a, .g = g};
    if (!can_say(g, d)) return false;
    s.uses = ARENA_ARRAY(a, int, g->n_node);
    s.made = ARENA_ARRAY(a, bool, g->n_node);
    s.inside = ARENA_ARRAY(a, bool, g->n_node);
    s.var = ARENA_ARRAY(a, const char *, g->n_node);
    look_at(&s);
    name_statements(&s);
    for (int i = 0; i < g->n_node; i++)
        if (s.var[i]) put_statement(&s, g->node[i]);
    put_return(&s);
    *t = s.t;
    return true;
}

/* ---- the same graph -------------------------------------------------------------------------- */

static bool same_node(Arena *a, const Node *x, const Node *y) {
    Text p = {.arena = a}, q = {.arena = a};
    attr_print(&p, x->op, &x->attr);
    attr_print(&q, y->op, &y->attr);
    bool same = x->op == y->op && type_equal(&x->type, &y->type) && x->n_in == y->n_in &&
                strcmp(text_get(&p), text_get(&q)) == 0 && !x->schedule == !y->schedule;
    for (int i = 0; i < x->n_in && same; i++) same = strcmp(x->in[i]->name, y->in[i]->name) == 0;
    return same;
}

bool graph_same(Arena *a, const Graph *x, const Graph *y, Diag *d) {
    bool same = x->n_node == y->n_node && x->n_out == y->n_out;
    for (int i = 0; i < x->n_node; i++) {
        const Node *n = graph_find(y, x->node[i]->name);
        if (!n || !same_node(a, x->node[i], n))
            return diag_fail(d, DIAG_INTERNAL, "node '%.100s' is not the same", x->node[i]->name);
    }
    for (int i = 0; i < x->n_out && same; i++)
        same = strcmp(x->out[i].name, y->out[i].name) == 0 && strcmp(x->out[i].node->name, y->out[i].node->name) == 0;
    return same || diag_fail(d, DIAG_INTERNAL, "the outputs are not the same");
}
