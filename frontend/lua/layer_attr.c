/* Attributes of a layer, from Lua values. What they may be is in the op table. */
#include "frontend/lua/layer.h"

#include <math.h>
#include <string.h>

enum { MAX_NUMBERS = MAX_INTS };

/* ---- values -------------------------------------------------------------------------------- */

static const char *attr_wanted(AttrType type) {
    switch (type) {
    case ATTR_INT: return "an integer";
    case ATTR_FLOAT: return "a number";
    case ATTR_BOOL: return "true or false";
    case ATTR_DIMS:
    case ATTR_INTS:
    case ATTR_FLOATS: return "a number or a list of numbers";
    case ATTR_PADS: return "a number, a list of numbers or a rule such as \"same\"";
    case ATTR_ENUM: return "a word";
    }
    return "";
}

static void attr_fail(Layer *c, const AttrInfo *info, int value) {
    spec_fail(c->L, c->line, "%s: %s: %s expected, %s came", c->info->name, info->name, attr_wanted(info->type),
              spec_what(c->L, value));
}

static bool attr_is_list(const AttrInfo *info) {
    return info->type == ATTR_DIMS || info->type == ATTR_PADS || info->type == ATTR_INTS ||
           info->type == ATTR_FLOATS;
}

static bool attr_is_text(const AttrInfo *info) { return info->type == ATTR_ENUM || info->type == ATTR_PADS; }

/* The numbers of the list on top of the stack; how many there are. */
static int read_numbers(Layer *c, const AttrInfo *info, double v[MAX_NUMBERS]) {
    lua_State *L = c->L;
    lua_Unsigned n = lua_rawlen(L, -1), keys = 0;
    for (lua_pushnil(L); keys <= n && lua_next(L, -2); lua_pop(L, 1)) keys++;
    if (keys != n) spec_fail(L, c->line, "%s: %s: a plain list of numbers expected", c->info->name, info->name);
    if (n < 1 || n > MAX_NUMBERS)
        spec_fail(L, c->line, "%s: %s: 1 to %d numbers expected, %llu given", c->info->name, info->name, MAX_NUMBERS,
                  (unsigned long long)n);
    for (int i = 0; i < (int)n; i++) {
        if (lua_rawgeti(L, -1, i + 1) != LUA_TNUMBER) attr_fail(c, info, -1);
        v[i] = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    return (int)n;
}

void layer_attr_read(Layer *c, const AttrInfo *info) {
    lua_State *L = c->L;
    double v[MAX_NUMBERS];
    int n = 1, type = lua_type(L, -1);
    unsigned bit = 1u << (info - c->info->attr);
    if (c->given & bit) spec_fail(L, c->line, "%s: %s is given twice", c->info->name, info->name);
    c->given |= bit;
    Diag d = {0};
    if (attr_is_text(info) && type == LUA_TSTRING) {
        if (!attr_set_text(c->op, info, &c->attr, layer_text(c, info->name, SPEC_NAME), &d))
            spec_fail(L, c->line, "%s: %s", c->info->name, d.text);
        return;
    }
    if (info->type == ATTR_BOOL && type == LUA_TBOOLEAN) v[0] = lua_toboolean(L, -1);
    else if (info->type != ATTR_BOOL && info->type != ATTR_ENUM && type == LUA_TNUMBER) v[0] = lua_tonumber(L, -1);
    else if (attr_is_list(info) && type == LUA_TTABLE) n = read_numbers(c, info, v);
    else attr_fail(c, info, -1);
    for (int i = 0; i < n; i++)
        if (isnan(v[i])) v[i] = NAN; /* without its sign, which differs between machines */
    if (!attr_set(c->op, info, &c->attr, v, n, &d)) spec_fail(L, c->line, "%s: %s", c->info->name, d.text);
}

/* ---- which there are ----------------------------------------------------------------------- */

const AttrInfo *layer_attr_at(const Layer *c, int position) {
    for (int i = 0; i < c->info->n_attr; i++)
        if (c->info->attr[i].position == position) return &c->info->attr[i];
    return NULL;
}

/* A default outside the range means that there is none. */
void layer_attr_check(Layer *c) {
    for (int i = 0; i < c->info->n_attr; i++) {
        const AttrInfo *info = &c->info->attr[i];
        if (info->def < info->lo && !(c->given & 1u << i))
            spec_fail(c->L, c->line, "%s: %s is not given (%s)", c->info->name, info->name, info->doc);
    }
}

bool layer_key_known(const Layer *c, const char *key) {
    for (int i = 0; i < c->info->n_attr; i++)
        if (strcmp(c->info->attr[i].name, key) == 0) return true;
    return strcmp(key, "name") == 0 || strcmp(key, "schedule") == 0;
}

void layer_key_fail(Layer *c, const char *key) {
    const char *names[34];
    char list[400] = "", near[SPEC_NAME];
    size_t n = 0, at = 0;
    for (int i = 0; i < c->info->n_attr && n < COUNT_OF(names) - 2; i++) names[n++] = c->info->attr[i].name;
    names[n++] = "name";
    names[n++] = "schedule";
    for (size_t i = 0; i < n && at + strlen(names[i]) + 3 < sizeof list; i++) {
        if (i) at = (size_t)(stpcpy(list + at, ", ") - list);
        at = (size_t)(stpcpy(list + at, names[i]) - list);
    }
    spec_fail(c->L, c->line, "%s: unknown key '%.60s'%s (it takes %s)", c->info->name, key,
              spec_nearest(near, key, names, n), list);
}

/* ---- texts --------------------------------------------------------------------------------- */

const char *layer_text(Layer *c, const char *key, size_t most) {
    lua_State *L = c->L;
    if (lua_type(L, -1) != LUA_TSTRING)
        spec_fail(L, c->line, "%s: %s: a string expected, %s came", c->info->name, key, spec_what(L, -1));
    const char *text = lua_tostring(L, -1);
    if (lua_rawlen(L, -1) > most) spec_fail(L, c->line, "%s: %s: more than %zu characters", c->info->name, key, most);
    if (strlen(text) != lua_rawlen(L, -1)) spec_fail(L, c->line, "%s: %s: a zero byte in it", c->info->name, key);
    return text;
}

const char *layer_schedule(Layer *c) {
    lua_State *L = c->L;
    if (lua_type(L, -1) == LUA_TTABLE) {
        int list = lua_gettop(L);
        lua_Unsigned n = lua_rawlen(L, list);
        if (n > SPEC_SCHEDULE) spec_fail(L, c->line, "%s: schedule: too many steps", c->info->name);
        luaL_Buffer b;
        luaL_buffinit(L, &b);
        for (lua_Unsigned i = 1; i <= n; i++) {
            if (i > 1) luaL_addstring(&b, "; ");
            lua_rawgeti(L, list, (lua_Integer)i);
            layer_text(c, "schedule", SPEC_SCHEDULE);
            luaL_addvalue(&b);
        }
        luaL_pushresult(&b);
        lua_replace(L, list);
    }
    return layer_text(c, "schedule", SPEC_SCHEDULE);
}
