/* Building graphs: names, nodes, outputs, copies, the removal of what nobody needs. */
#include "ir/graph.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <string.h>

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_name_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

bool graph_is_name(const char *s) {
    if (!is_name_char(*s) || isdigit((unsigned char)*s)) return false;
    while (is_name_char(*s) || (*s == '.' && is_name_char(s[1]))) s++;
    return *s == '\0';
}

static uint32_t name_hash(const char *s) { /* FNV-1a */
    uint32_t h = 2166136261u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

/* The slot that holds this name, or the empty one where it would go. */
static Node **name_slot(const Graph *g, const char *name) {
    uint32_t mask = (uint32_t)g->n_slot - 1, i = name_hash(name) & mask;
    while (g->slot[i] && strcmp(g->slot[i]->name, name) != 0) i = (i + 1) & mask;
    return &g->slot[i];
}

/* All names anew: when nodes went away, or for a larger table. */
static void names_build(Graph *g) {
    int want = 64;
    while (want < 4 * g->n_node) want *= 2;
    if (want > g->n_slot) {
        g->slot = ARENA_ARRAY(g->arena, Node *, want);
        g->n_slot = want;
    }
    memset(g->slot, 0, sizeof *g->slot * (size_t)g->n_slot);
    for (int i = 0; i < g->n_node; i++) *name_slot(g, g->node[i]->name) = g->node[i];
}

static void names_add(Graph *g, Node *n) {
    if (2 * g->n_node > g->n_slot) names_build(g); /* n is already in g->node */
    else *name_slot(g, n->name) = n;
}

Node *graph_find(const Graph *g, const char *name) { return *name_slot(g, name); }

const char *graph_fresh_name(Graph *g, const char *wanted) {
    if (!graph_find(g, wanted)) return arena_strdup(g->arena, wanted);
    size_t room = strlen(wanted) + 16;
    char *name = arena_alloc(g->arena, room);
    for (int i = 2;; i++) {
        memcpy(name, wanted, room - 16);
        char digits[16];
        int n = 0;
        for (int v = i; v; v /= 10) digits[n++] = (char)('0' + v % 10);
        char *at = name + (room - 16);
        *at++ = '_';
        while (n) *at++ = digits[--n];
        *at = '\0';
        if (!graph_find(g, name)) return name;
    }
}

/* ---- nodes ----------------------------------------------------------------------------------- */

Graph *graph_new(Arena *a, const char *name) {
    Graph *g = ARENA_NEW(a, Graph);
    g->arena = a;
    g->name = arena_strdup(a, name);
    names_build(g);
    return g;
}

/* Nodes of one file mostly follow each other: its name is kept once. */
static SrcLoc loc_keep(Graph *g, SrcLoc loc) {
    if (!loc.file) return loc;
    const char *last = g->n_node ? g->node[g->n_node - 1]->loc.file : NULL;
    bool same = last && strcmp(last, loc.file) == 0;
    return (SrcLoc){same ? last : arena_strdup(g->arena, loc.file), loc.line};
}

static bool made_of_constants(const Node *n) {
    for (int i = 0; i < n->n_in; i++)
        if (!n->in[i]->constant) return false;
    return n->op != OP_INPUT;
}

static Node *node_new(Graph *g, Op op, const char *name, SrcLoc loc, Node *const *in, int n_in, const AttrAny *attr) {
    Node *n = ARENA_NEW(g->arena, Node);
    n->op = op;
    n->name = name;
    n->loc = loc_keep(g, loc);
    n->n_in = n_in;
    n->in = ARENA_ARRAY(g->arena, Node *, n_in);
    for (int i = 0; i < n_in; i++) {
        assert(g->node[in[i]->id] == in[i]);
        n->in[i] = in[i];
    }
    if (attr) n->attr = *attr;
    else attr_defaults(op, &n->attr);
    n->constant = made_of_constants(n);
    return n;
}

static void node_add(Graph *g, Node *n) {
    n->constant = made_of_constants(n);
    n->id = g->n_node;
    ARENA_PUSH(g->arena, g->node, g->n_node, g->cap_node, n);
    names_add(g, n);
}

static bool name_check(const Graph *g, const char *name, Diag *d) {
    if (!graph_is_name(name)) return diag_fail(d, DIAG_SPEC, "'%.200s' is not a name", name);
    const Node *other = graph_find(g, name);
    if (!other) return true;
    if (!other->loc.file) return diag_fail(d, DIAG_SPEC, "the name '%.200s' is taken", name);
    return diag_fail(d, DIAG_SPEC, "the name '%.200s' is taken since line %d", name, other->loc.line);
}

static bool arity_fail(Op op, int given, Diag *d) {
    const OpInfo *o = &op_table[op];
    const char *plural = o->min_in == 1 && o->max_in != 2 ? "" : "s";
    if (o->max_in == INT_MAX)
        return diag_fail(d, DIAG_SPEC, "at least %d input%s expected (%s), %d given", o->min_in, plural, o->inputs, given);
    if (o->min_in == o->max_in)
        return diag_fail(d, DIAG_SPEC, "%d input%s expected (%s), %d given", o->min_in, plural, o->inputs, given);
    return diag_fail(d, DIAG_SPEC, "%d or %d inputs expected (%s), %d given", o->min_in, o->max_in, o->inputs, given);
}

static bool node_check(Node *n, Diag *d) {
    const OpInfo *o = &op_table[n->op];
    if (n->n_in < o->min_in || n->n_in > o->max_in) return arity_fail(n->op, n->n_in, d);
    for (int i = 0; i < n->n_in; i++)
        if (type_elements(&n->in[i]->type) == 0)
            return diag_fail(d, DIAG_UNSUPPORTED, "input %d is empty: there is nothing to compute", i + 1);
    return attr_spread(n->op, &n->attr, n->n_in ? &n->in[0]->type : NULL, d) && o->shape(n, d);
}

/* Puts the place before the message: "net.lua:41: conv". */
static Node *node_fail(Diag *d, SrcLoc loc, Op op) {
    diag_prefix(d, "%s", op_table[op].name);
    if (loc.file) diag_prefix(d, "%.300s:%d", loc.file, loc.line);
    return NULL;
}

static Node *graph_source(Graph *g, Op op, const char *name, SrcLoc loc, const Type *type, Diag *d) {
    Type plain = type_plain(type);
    if (!name_check(g, name, d) || !graph_check_layout(type, &plain, d)) return node_fail(d, loc, op);
    Node *n = node_new(g, op, arena_strdup(g->arena, name), loc, NULL, 0, NULL);
    n->type = *type;
    node_add(g, n);
    return n;
}

Node *graph_input(Graph *g, const char *name, SrcLoc loc, const Type *type, Diag *d) {
    return graph_source(g, OP_INPUT, name, loc, type, d);
}

Node *graph_weight(Graph *g, const char *name, SrcLoc loc, const Type *type, Diag *d) {
    return graph_source(g, OP_WEIGHT, name, loc, type, d);
}

/* A node that is not in the graph yet, so that a failure leaves no trace. */
static Node *node_try(Graph *g, Op op, const char *name, SrcLoc loc, Node *const *in, int n_in, const AttrAny *attr,
                      Diag *d) {
    assert(!(op_table[op].flags & OPF_SOURCE));
    if (name && !name_check(g, name, d)) return NULL;
    name = name ? arena_strdup(g->arena, name) : graph_fresh_name(g, op_table[op].name);
    return node_new(g, op, name, loc, in, n_in, attr);
}

Node *graph_op(Graph *g, Op op, const char *name, SrcLoc loc, Node *const *in, int n_in, const AttrAny *attr, Diag *d) {
    Node *n = node_try(g, op, name, loc, in, n_in, attr, d);
    if (!n || !node_check(n, d)) return node_fail(d, loc, op);
    node_add(g, n);
    return n;
}

/* The weights of n, made but not added, after its activations in n->in. False with `d`. */
static bool node_params(Graph *g, Node *n, Diag *d) {
    ParamSpec spec[4];
    if (n->n_in < 1) return arity_fail(n->op, n->n_in, d);
    if (!attr_spread(n->op, &n->attr, &n->in[0]->type, d)) return false;
    Diag why = {0};
    int n_param = op_table[n->op].params(n, spec, &why);
    if (why.kind != DIAG_NONE) return diag_fail(d, why.kind, "%s", why.text);
    Node **in = ARENA_ARRAY(g->arena, Node *, n->n_in + n_param);
    memcpy(in, n->in, sizeof *in * (size_t)n->n_in);
    for (int i = 0; i < n_param; i++) {
        const char *name = arena_printf(g->arena, "%s.%s", n->name, spec[i].suffix);
        if (!name_check(g, name, d)) return false;
        Node *w = node_new(g, OP_WEIGHT, name, n->loc, NULL, 0, NULL);
        w->type = spec[i].type;
        in[n->n_in + i] = w;
    }
    n->in = in;
    n->n_in += n_param;
    return true;
}

Node *graph_op_with_params(Graph *g, Op op, const char *name, SrcLoc loc, Node *const *in, int n_in,
                           const AttrAny *attr, Diag *d) {
    if (!(op_table[op].flags & OPF_PARAMS)) return graph_op(g, op, name, loc, in, n_in, attr, d);
    Node *n = node_try(g, op, name, loc, in, n_in, attr, d);
    if (!n || !node_params(g, n, d) || !node_check(n, d)) return node_fail(d, loc, op);
    for (int i = n_in; i < n->n_in; i++) node_add(g, n->in[i]);
    node_add(g, n);
    return n;
}

Node *graph_insert(Graph *g, Node *before, Op op, const char *name, Node *const *in, int n_in, const AttrAny *attr) {
    SrcLoc loc = before ? before->loc : (SrcLoc){NULL, 0};
    int at = before ? before->id : g->n_node;
    Node *n = node_new(g, op, graph_fresh_name(g, name), loc, in, n_in, attr);
    bool ok = node_check(n, NULL);
    assert(ok);
    (void)ok;
    for (int i = 0; i < n_in; i++) assert(in[i]->id < at);
    node_add(g, n);
    memmove(g->node + at + 1, g->node + at, sizeof *g->node * (size_t)(g->n_node - 1 - at));
    g->node[at] = n;
    for (int i = at; i < g->n_node; i++) g->node[i]->id = i;
    return n;
}

bool graph_output(Graph *g, const char *name, Node *node, Diag *d) {
    assert(g->node[node->id] == node);
    if (!graph_is_name(name)) return diag_fail(d, DIAG_SPEC, "output '%.200s' is not a name", name);
    for (int i = 0; i < g->n_out; i++)
        if (strcmp(g->out[i].name, name) == 0) return diag_fail(d, DIAG_SPEC, "there are two outputs '%.200s'", name);
    GraphOutput out = {arena_strdup(g->arena, name), node};
    ARENA_PUSH(g->arena, g->out, g->n_out, g->cap_out, out);
    return true;
}

/* ---- whole graphs ---------------------------------------------------------------------------- */

Graph *graph_copy(Arena *a, const Graph *g) {
    Graph *copy = graph_new(a, g->name);
    for (int i = 0; i < g->n_node; i++) {
        Node *old = g->node[i];
        Node *n = ARENA_NEW(a, Node);
        *n = *old;
        n->name = arena_strdup(a, old->name);
        n->loc = loc_keep(copy, old->loc);
        n->in = ARENA_ARRAY(a, Node *, old->n_in);
        for (int k = 0; k < old->n_in; k++) n->in[k] = copy->node[old->in[k]->id];
        if (old->schedule) n->schedule = arena_strdup(a, old->schedule);
        n->origin = old;
        n->home = NULL; /* the passes' business */
        node_add(copy, n);
    }
    for (int i = 0; i < g->n_out; i++) {
        GraphOutput out = {arena_strdup(a, g->out[i].name), copy->node[g->out[i].node->id]};
        ARENA_PUSH(a, copy->out, copy->n_out, copy->cap_out, out);
    }
    return copy;
}

void graph_replace_uses(Graph *g, Node *from, Node *to, const Node *except) {
    for (int i = 0; i < g->n_node; i++) {
        Node *n = g->node[i];
        if (n == except) continue;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == from) n->in[k] = to;
    }
    for (int i = 0; i < g->n_out; i++)
        if (g->out[i].node == from) g->out[i].node = to;
}

int graph_count_uses(const Graph *g, const Node *node) {
    int uses = 0;
    for (int i = 0; i < g->n_node; i++)
        for (int k = 0; k < g->node[i]->n_in; k++) uses += g->node[i]->in[k] == node;
    for (int i = 0; i < g->n_out; i++) uses += g->out[i].node == node;
    return uses;
}

void graph_remove_dead(Graph *g) {
    bool *live = ARENA_ARRAY(g->arena, bool, g->n_node);
    for (int i = 0; i < g->n_out; i++) live[g->out[i].node->id] = true;
    int kept = 0;
    for (int i = g->n_node - 1; i >= 0; i--) { /* users stand after what they use */
        Node *n = g->node[i];
        live[i] |= n->op == OP_INPUT;
        for (int k = 0; live[i] && k < n->n_in; k++) live[n->in[k]->id] = true;
    }
    for (int i = 0; i < g->n_node; i++) {
        if (!live[i]) continue;
        g->node[kept] = g->node[i];
        g->node[kept]->id = kept;
        kept++;
    }
    g->n_node = kept;
    names_build(g);
}

bool graph_is_constant(const Node *n) { return n->constant; }
