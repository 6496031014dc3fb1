/* Names of layers: the scopes they stand in, and numbers for those that have none. */
#include "frontend/lua/state.h"

#include <stdio.h>
#include <string.h>

#define COUNTERS "lunette.counters" /* in the registry: "layer1.conv" → the last number given */

static void name_too_long(lua_State *L, int line) {
    spec_fail(L, line, "a name of more than %d characters, scopes included", SPEC_NAME);
}

/* prefix and `name`, in out. */
static void name_join(lua_State *L, int line, const char *name, char out[SPEC_NAME + 1]) {
    Spec *s = spec_of(L);
    if (s->n_prefix + strlen(name) > SPEC_NAME) name_too_long(L, line);
    memcpy(out, s->prefix, s->n_prefix);
    memcpy(out + s->n_prefix, name, strlen(name) + 1);
}

void scope_name(lua_State *L, int line, const char *op, const char *given, char out[SPEC_NAME + 1]) {
    Spec *s = spec_of(L);
    char numbered[SPEC_NAME];
    if (given) {
        name_join(L, line, given, out);
        return;
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, COUNTERS);
    lua_pushfstring(L, "%s%s", s->prefix, op);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    lua_Integer n = lua_tointeger(L, -1);
    do {
        snprintf(numbered, sizeof numbered, "%.100s_%lld", op, (long long)++n);
        name_join(L, line, numbered, out);
    } while (graph_find(s->graph, out));
    lua_pop(L, 1);
    lua_pushinteger(L, n);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* Adds "name." to the prefix. */
static void scope_enter(lua_State *L, const char *name) {
    Spec *s = spec_of(L);
    char full[SPEC_NAME + 1];
    if (strlen(name) != lua_rawlen(L, 1)) spec_fail(L, 0, "scope: a zero byte in the name");
    name_join(L, 0, name, full);
    if (!graph_is_name(full)) spec_fail(L, 0, "scope: '%s' is not a name", full);
    if (s->n_prefix + strlen(name) + 1 > SPEC_NAME) name_too_long(L, 0);
    if (s->depth == SPEC_SCOPES) spec_fail(L, 0, "scope: more than %d scopes inside each other", SPEC_SCOPES);
    s->n_prefix = (size_t)snprintf(s->prefix, sizeof s->prefix, "%s.", full);
    s->depth++;
}

int spec_scope(lua_State *L) {
    Spec *s = spec_of(L);
    size_t outer = s->n_prefix;
    if (lua_type(L, 1) != LUA_TSTRING && !lua_isinteger(L, 1))
        return spec_fail(L, 0, "scope: a name expected first, as in scope(\"layer1\", function() … end); %s came",
                         spec_what(L, 1));
    if (lua_type(L, 2) != LUA_TFUNCTION)
        return spec_fail(L, 0, "scope: a function expected after the name; %s came", spec_what(L, 2));
    scope_enter(L, lua_tostring(L, 1)); /* a number becomes its text in place */
    lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
    s->depth--;
    s->n_prefix = outer;
    s->prefix[outer] = '\0';
    return lua_gettop(L) - 1;
}
