/* input { "image", channels, [[d,] h,] w } */
#include "frontend/lua/state.h"

#include <string.h>

#define INPUT_FORM "input { \"name\", channels, height, width }"

typedef struct MakeInput {
    Spec *spec;
    int line;
    const char *name;
    int64_t extent[2 + MAX_SPATIAL]; /* n c, then d h w as far as they are given */
    int n_extent;
    Node *node;
} MakeInput;

static void make_input(void *arg) {
    MakeInput *m = arg;
    Spec *s = m->spec;
    static const char *const letters[] = {"nc", "ncw", "nchw", "ncdhw"};
    Type type;
    SrcLoc loc = {s->path, m->line};
    if (type_make(&type, letters[m->n_extent - 2], m->extent, s->diag)) {
        m->node = graph_input(s->graph, m->name, loc, &type, s->diag);
    } else {
        diag_prefix(s->diag, "%.300s:%d: input", s->path, m->line);
    }
}

static int64_t read_extent(lua_State *L, int i) {
    static const char *const what[] = {"the channels", "an extent"};
    int whole, type = lua_rawgeti(L, 1, i);
    lua_Integer v = lua_tointegerx(L, -1, &whole);
    if (type != LUA_TNUMBER || !whole)
        spec_fail(L, 0, "input: an integer expected for %s (place %d); %s came", what[i > 2], i,
                  type == LUA_TNUMBER ? "a fraction" : spec_what(L, -1));
    lua_pop(L, 1);
    return v;
}

static void check_keys(lua_State *L, int n) {
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= n) continue;
        spec_fail(L, 0, "input: no keys and no gaps expected: " INPUT_FORM);
    }
}

int spec_input(lua_State *L) {
    Spec *s = spec_of(L);
    if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TTABLE) return spec_fail(L, 0, "input: expected as " INPUT_FORM);
    lua_Unsigned n = lua_rawlen(L, 1);
    if (n < 2 || n > 2 + MAX_SPATIAL)
        return spec_fail(L, 0, "input: a name, the channels and at most %d extents expected: " INPUT_FORM, MAX_SPATIAL);
    check_keys(L, (int)n);
    if (lua_rawgeti(L, 1, 1) != LUA_TSTRING)
        return spec_fail(L, 0, "input: a name expected first; %s came", spec_what(L, -1));
    MakeInput m = {.spec = s, .line = spec_line(L), .name = lua_tostring(L, -1), .n_extent = (int)n};
    if (lua_rawlen(L, -1) > SPEC_NAME || strlen(m.name) != lua_rawlen(L, -1))
        return spec_fail(L, 0, "input: a name of at most %d characters expected", SPEC_NAME);
    m.extent[0] = s->option->batch;
    for (int i = 2; i <= (int)n; i++) m.extent[i - 1] = read_extent(L, i);
    if (s->graph->n_node >= SPEC_NODES) return spec_fail(L, 0, "more than %d layers and weights", SPEC_NODES);
    spec_guarded(L, make_input, &m);
    value_push(L, m.node);
    return 1;
}
