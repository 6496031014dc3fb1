/* What the spec returns becomes the outputs of the graph. */
#include "frontend/lua/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_FORM "return y, return { a, b } or return { boxes = b, scores = s }"
#define PAIR_FORM   "return { { \"boxes\", b }, { \"scores\", s } }"

typedef struct AddOutput {
    Spec *spec;
    const char *name;
    Node *node;
} AddOutput;

static void add_output(void *arg) {
    AddOutput *o = arg;
    Spec *s = o->spec;
    if (!graph_output(s->graph, o->name, o->node, s->diag))
        diag_prefix(s->diag, "%.300s:%d: return", s->path, s->return_line);
}

/* The value on top becomes an output, and is popped. */
static void output_pop(lua_State *L, const char *name) {
    Spec *s = spec_of(L);
    AddOutput o = {s, name, value_test(L, -1)};
    if (!o.node)
        spec_fail(L, s->return_line, "the spec must return tensors (" OUTPUT_FORM "); '%.100s' is %s", name,
                  spec_what(L, -1));
    if (s->graph->n_out == SPEC_INPUTS) spec_fail(L, s->return_line, "more than %d outputs", SPEC_INPUTS);
    spec_guarded(L, add_output, &o);
    lua_pop(L, 1);
}

static void outputs_list(lua_State *L, lua_Unsigned n) {
    char name[32];
    for (lua_Unsigned i = 1; i <= n; i++) {
        snprintf(name, sizeof name, "output_%llu", (unsigned long long)i);
        lua_rawgeti(L, 1, (lua_Integer)i);
        output_pop(L, name);
    }
}

/* { { "boxes", b }, { "scores", s } }: names, in this order. */
static void outputs_pairs(lua_State *L, lua_Unsigned n) {
    int line = spec_of(L)->return_line;
    for (lua_Unsigned i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i);
        if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) != 2 || lua_rawgeti(L, -1, 1) != LUA_TSTRING)
            spec_fail(L, line, "each output must be a name and a tensor (" PAIR_FORM "); number %d is not", (int)i);
        const char *name = lua_tostring(L, -1);
        if (strlen(name) != lua_rawlen(L, -1)) spec_fail(L, line, "a zero byte in the name of an output");
        if (strlen(name) > SPEC_NAME)
            spec_fail(L, line, "an output with a name of more than %d characters", SPEC_NAME);
        lua_rawgeti(L, -2, 2);
        output_pop(L, name);
        lua_pop(L, 2);
    }
}

static bool first_is_table(lua_State *L) {
    bool is = lua_rawgeti(L, 1, 1) == LUA_TTABLE;
    lua_pop(L, 1);
    return is;
}

static int compare_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void outputs_named(lua_State *L) {
    const char *names[SPEC_INPUTS];
    size_t n = 0;
    int line = spec_of(L)->return_line;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            spec_fail(L, line, "the spec must return a list without gaps, or names for all outputs (" OUTPUT_FORM ")");
        if (n == SPEC_INPUTS) spec_fail(L, line, "more than %d outputs", SPEC_INPUTS);
        names[n++] = lua_tostring(L, -2);
        if (strlen(names[n - 1]) != lua_rawlen(L, -2)) spec_fail(L, line, "a zero byte in the name of an output");
    }
    qsort(names, n, sizeof *names, compare_text);
    for (size_t i = 0; i < n; i++) {
        if (strlen(names[i]) > SPEC_NAME)
            spec_fail(L, line, "an output with a name of more than %d characters", SPEC_NAME);
        lua_getfield(L, 1, names[i]);
        output_pop(L, names[i]);
    }
}

/* Number of keys, up to `most`. */
static lua_Unsigned count_keys(lua_State *L, lua_Unsigned most) {
    lua_Unsigned n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
        if (++n > most) {
            lua_pop(L, 2);
            break;
        }
    return n;
}

/* The results of the spec are the whole stack. */
void outputs_add(lua_State *L) {
    Spec *s = spec_of(L);
    if (lua_gettop(L) != 1)
        spec_fail(L, s->return_line,
                  "the spec must return one tensor or a table of them (" OUTPUT_FORM "); it returns %s",
                  lua_gettop(L) ? "several values" : "nothing");
    if (value_test(L, 1)) {
        output_pop(L, "output");
        return;
    }
    if (lua_type(L, 1) != LUA_TTABLE)
        spec_fail(L, s->return_line,
                  "the spec must return a tensor or a table of them (" OUTPUT_FORM "); it returns %s", spec_what(L, 1));
    lua_Unsigned n = lua_rawlen(L, 1), keys = count_keys(L, SPEC_INPUTS);
    if (keys == 0) spec_fail(L, s->return_line, "the spec must return at least one tensor (" OUTPUT_FORM ")");
    if (n == keys && first_is_table(L)) outputs_pairs(L, n);
    else if (n == keys) outputs_list(L, n);
    else outputs_named(L);
}
