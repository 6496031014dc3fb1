/* The constructor of every op: conv(x, { 16, 5, pad = 2 }), x:conv { 16, 5, pad = 2 }, concat { a, b }.
 *
 * Tensors come first, in the arguments or in the list of the braces; what follows in the list are
 * attributes by place. */
#include "frontend/lua/layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool layer_is_user(Op op) { return !(op_table[op].flags & (OPF_SOURCE | OPF_INTERNAL)); }

/* ---- inputs -------------------------------------------------------------------------------- */

static void add_tensor(Layer *c, Node *n) {
    if (c->n_in == SPEC_INPUTS) spec_fail(c->L, c->line, "%s: more than %d tensors", c->info->name, SPEC_INPUTS);
    c->in[c->n_in++] = n;
}

/* Sums, powers and the like: a number may stand for a tensor. */
static bool takes_numbers(const Layer *c) {
    return (c->info->flags & OPF_POINTWISE) && c->info->min_in > 1 && c->info->n_attr == 0;
}

typedef struct Constant {
    Layer *c;
    AttrAny attr;
    char name[SPEC_NAME + 1];
    Node *node;
} Constant;

static void make_constant(void *arg) {
    Constant *k = arg;
    Spec *s = spec_of(k->c->L);
    k->node = graph_op(s->graph, OP_CONSTANT, k->name, (SrcLoc){s->path, k->c->line}, NULL, 0, &k->attr, s->diag);
}

static void add_number(Layer *c, double v) {
    Constant k = {.c = c};
    Diag d = {0};
    attr_defaults(OP_CONSTANT, &k.attr);
    if (isnan(v)) v = NAN; /* without its sign, which differs between machines */
    if (!attr_set(OP_CONSTANT, op_table[OP_CONSTANT].attr, &k.attr, &v, 1, &d))
        spec_fail(c->L, c->line, "%s: a number: %s", c->info->name, d.text);
    if (spec_of(c->L)->graph->n_node >= SPEC_NODES)
        spec_fail(c->L, c->line, "more than %d layers and weights", SPEC_NODES);
    scope_name(c->L, c->line, "constant", NULL, k.name);
    spec_guarded(c->L, make_constant, &k);
    add_tensor(c, k.node);
}

/* How many tensors the user gives: weights are made, unless all are given. */
static int wanted_inputs(const OpInfo *info) { return info->flags & OPF_PARAMS ? 1 : info->min_in; }

static void check_inputs(Layer *c) {
    const OpInfo *info = c->info;
    bool any = info->max_in > SPEC_INPUTS;
    int want = wanted_inputs(info);
    if (any ? c->n_in >= want : c->n_in == want) return;
    if (c->n_in >= info->min_in && c->n_in <= info->max_in) return; /* optional ones, and weights */
    char more[16] = "";
    bool optional = !any && !(info->flags & OPF_PARAMS) && info->max_in > want;
    if (optional) snprintf(more, sizeof more, " to %d", info->max_in);
    spec_fail(c->L, c->line, "%s: %s%d%s tensor%s expected, %d given%s", info->name, any ? "at least " : "", want, more,
              want == 1 && !optional ? "" : "s", c->n_in, c->n_in == 0 ? " (a method is called with a colon)" : "");
}

/* Tensors at the beginning of the stack, then at most one table. Returns the table's index, 0 if there is none. */
static int read_arguments(Layer *c) {
    lua_State *L = c->L;
    int top = lua_gettop(L);
    for (int i = 1; i <= top; i++) {
        Node *n = value_test(L, i);
        if (n) {
            add_tensor(c, n);
        } else if (lua_type(L, i) == LUA_TNUMBER && takes_numbers(c)) {
            add_number(c, lua_tonumber(L, i));
        } else if (i == top && lua_type(L, i) == LUA_TTABLE) {
            return i;
        } else {
            spec_fail(L, c->line, "%s: a tensor expected as argument %d, %s came; attributes go in braces: %s { … }",
                      c->info->name, i, spec_what(L, i), c->info->name);
        }
    }
    return 0;
}

/* ---- the table ----------------------------------------------------------------------------- */

/* The list part: tensors, then attributes by place. The stack is as before. */
static void read_list(Layer *c, int table, lua_Integer n) {
    lua_State *L = c->L;
    int position = 0;
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, table, i) == LUA_TNIL)
            spec_fail(L, c->line, "%s: nil in place %d of the braces", c->info->name, (int)i);
        Node *x = value_test(L, -1);
        if (x && position == 0) {
            add_tensor(c, x);
        } else if (lua_type(L, -1) == LUA_TNUMBER && takes_numbers(c)) {
            add_number(c, lua_tonumber(L, -1));
        } else {
            const AttrInfo *info = layer_attr_at(c, ++position);
            if (!info)
                spec_fail(L, c->line, "%s: %s", c->info->name,
                          position == 1 ? "takes no attribute by place" : "too many attributes by place");
            layer_attr_read(c, info);
        }
        lua_pop(L, 1);
    }
}

/* Every key that is not in the list is a name. Of several wrong names the first by the alphabet is reported, not the
 * first that Lua comes upon, which differs from run to run. */
static void check_keys(Layer *c, int table, lua_Integer n) {
    lua_State *L = c->L;
    const char *wrong = NULL;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            const char *key = lua_tostring(L, -2);
            if (!layer_key_known(c, key) && (!wrong || strcmp(key, wrong) < 0)) wrong = key;
        } else if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || lua_tointeger(L, -2) > n) {
            spec_fail(L, c->line, "%s: a list without gaps, and names, expected in the braces; there is %s as key",
                      c->info->name, lua_isinteger(L, -2) ? "a number" : spec_what(L, -2));
        }
    }
    if (wrong) layer_key_fail(c, wrong);
}

static void read_named(Layer *c, int table) {
    lua_State *L = c->L;
    for (int i = 0; i < c->info->n_attr; i++) {
        const AttrInfo *info = &c->info->attr[i];
        if (lua_getfield(L, table, info->name) != LUA_TNIL) layer_attr_read(c, info);
        lua_pop(L, 1);
    }
    if (lua_getfield(L, table, "name") != LUA_TNIL) c->given_name = layer_text(c, "name", SPEC_NAME);
    if (lua_getfield(L, table, "schedule") != LUA_TNIL) c->schedule = layer_schedule(c);
    /* both stay on the stack: they hold the texts */
}

static void read_table(Layer *c, int table) {
    lua_Unsigned n = lua_rawlen(c->L, table);
    if (n > SPEC_INPUTS + 16) spec_fail(c->L, c->line, "%s: more than %d tensors", c->info->name, SPEC_INPUTS);
    check_keys(c, table, (lua_Integer)n);
    read_list(c, table, (lua_Integer)n);
    read_named(c, table);
}

/* ---- the node ------------------------------------------------------------------------------ */

static void make_node(void *arg) {
    Layer *c = arg;
    Spec *s = spec_of(c->L);
    SrcLoc loc = {s->path, c->line};
    /* Before the node: it must not stay behind without its schedule. */
    const char *schedule = c->schedule ? arena_strdup(s->arena, c->schedule) : NULL;
    bool all_given = c->n_in > wanted_inputs(c->info);
    c->node = all_given
                  ? graph_op(s->graph, c->op, c->name, loc, c->in, c->n_in, &c->attr, s->diag)
                  : graph_op_with_params(s->graph, c->op, c->name, loc, c->in, c->n_in, &c->attr, s->diag);
    if (c->node) c->node->schedule = schedule;
}

int layer_make(lua_State *L, Op op, int line) {
    Layer c;
    c.L = L;
    c.op = op;
    c.info = &op_table[op];
    c.line = line ? line : spec_line(L);
    c.n_in = 0;
    c.given = 0;
    c.given_name = c.schedule = NULL;
    attr_defaults(op, &c.attr);
    int table = read_arguments(&c);
    if (table) read_table(&c, table);
    check_inputs(&c);
    layer_attr_check(&c);
    if (spec_of(L)->graph->n_node >= SPEC_NODES) spec_fail(L, c.line, "more than %d layers and weights", SPEC_NODES);
    scope_name(L, c.line, c.info->name, c.given_name, c.name);
    spec_guarded(L, make_node, &c);
    value_push(L, c.node);
    return 1;
}

/* Upvalues: the op, the line. */
static int layer_call(lua_State *L) {
    return layer_make(L, (Op)lua_tointeger(L, lua_upvalueindex(1)), (int)lua_tointeger(L, lua_upvalueindex(2)));
}

void layer_push(lua_State *L, Op op, int line) {
    lua_pushinteger(L, op);
    lua_pushinteger(L, line);
    lua_pushcclosure(L, layer_call, 2);
}
