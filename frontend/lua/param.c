/* param(name, default): what --set NAME=VALUE says, else the default. */
#include "frontend/lua/state.h"

#include <math.h>
#include <string.h>

/* Whether the --set argument is for this name; *value: what stands after '='. */
static bool set_is(const char *set, const char *name, const char **value) {
    size_t n = strlen(name);
    *value = set + n + 1;
    return strncmp(set, name, n) == 0 && set[n] == '=';
}

static int set_fail(lua_State *L, const char *set, const char *what) {
    Spec *s = spec_of(L);
    diag_fail(s->diag, DIAG_USAGE, "--set %.200s: %s expected, as is the default in %.300s:%d", set, what, s->path,
              spec_line(L));
    return spec_stop(L);
}

/* Pushes the value with the type of the default at index 2. */
static int push_set(lua_State *L, const char *set, const char *value) {
    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_pushstring(L, value);
    } else if (lua_type(L, 2) == LUA_TBOOLEAN) {
        bool yes = strcmp(value, "true") == 0;
        if (!yes && strcmp(value, "false") != 0) return set_fail(L, set, "true or false");
        lua_pushboolean(L, yes);
    } else if (lua_stringtonumber(L, value) == 0) {
        return set_fail(L, set, lua_isinteger(L, 2) ? "an integer" : "a number");
    } else if (lua_isinteger(L, 2)) {
        int whole;
        lua_Integer v = lua_tointegerx(L, -1, &whole);
        if (!whole) return set_fail(L, set, "an integer");
        lua_pushinteger(L, v);
    } else {
        if (!isfinite(lua_tonumber(L, -1))) return set_fail(L, set, "a finite number");
        lua_pushnumber(L, lua_tonumber(L, -1));
    }
    return 1;
}

static void param_keep(lua_State *L, const char *name) {
    Spec *s = spec_of(L);
    for (int i = 0; i < s->n_param; i++)
        if (strcmp(s->param[i], name) == 0) return;
    if (s->n_param == SPEC_PARAMS) spec_fail(L, 0, "param: more than %d names", SPEC_PARAMS);
    s->param[s->n_param] = spec_keep(L, name);
    s->n_param++;
}

int spec_param(lua_State *L) {
    Spec *s = spec_of(L);
    if (lua_type(L, 1) != LUA_TSTRING)
        return spec_fail(L, 0, "param: a name expected, as in param(\"classes\", 10); %s came", spec_what(L, 1));
    const char *name = lua_tostring(L, 1), *value;
    if (!graph_is_name(name) || strlen(name) != lua_rawlen(L, 1) || strlen(name) > SPEC_NAME)
        return spec_fail(L, 0, "param: '%.200s' is not a name", name);
    int type = lua_type(L, 2);
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TBOOLEAN)
        return spec_fail(L, 0, "param: a default expected for '%s': a number, a string or true or false; %s came", name,
                         spec_what(L, 2));
    param_keep(L, name);
    for (int i = s->option->n_set - 1; i >= 0; i--) /* the last one holds */
        if (set_is(s->option->set[i], name, &value)) return push_set(L, s->option->set[i], value);
    lua_settop(L, 2);
    return 1;
}

static bool set_was_asked_for(const Spec *s, const char *set) {
    const char *value;
    for (int i = 0; i < s->n_param; i++)
        if (set_is(set, s->param[i], &value)) return true;
    return false;
}

bool param_check_set(Spec *s) {
    char name[SPEC_NAME], near[SPEC_NAME];
    for (int i = 0; i < s->option->n_set; i++) {
        const char *set = s->option->set[i], *equals = strchr(set, '=');
        if (!equals) return diag_fail(s->diag, DIAG_USAGE, "--set %.200s: NAME=VALUE expected", set);
        if (set_was_asked_for(s, set)) continue;
        size_t n = (size_t)(equals - set) < sizeof name - 1 ? (size_t)(equals - set) : sizeof name - 1;
        memcpy(name, set, n);
        name[n] = '\0';
        return diag_fail(s->diag, DIAG_USAGE, "--set %.200s: %.300s has no param(\"%s\")%s", set, s->path, name,
                         spec_nearest(near, name, s->param, (size_t)s->n_param));
    }
    return true;
}
