/* The part of Lua's libraries that a spec may use. Each function is here because it is short: see
 * sandbox.c. */
#include "frontend/lua/state.h"

#include <lualib.h>
#include <stdio.h>
#include <string.h>

/* ---- names that are not there -------------------------------------------------------------- */

static const char *const removed[] = {
    "collectgarbage", "coroutine",  "debug",  "dofile",  "getmetatable", "io",    "load",
    "loadfile",       "loadstring", "module", "os",      "package",      "pcall", "rawequal",
    "rawget",         "rawlen",     "rawset", "require", "setmetatable", "warn",  "xpcall",
};

/* Metamethod __index of the globals. */
static int unknown_global(lua_State *L) {
    const char *names[512], *word = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : spec_what(L, 2);
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(removed); i++)
        if (strcmp(word, removed[i]) == 0) spec_fail(L, 0, "'%s' is not available in a spec", word);
    for (lua_pushnil(L); n < COUNT_OF(names) && lua_next(L, 1); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING) names[n++] = lua_tostring(L, -2);
    char near[SPEC_NAME];
    return spec_fail(L, 0, "unknown name '%.100s'%s", word, spec_nearest(near, word, names, n));
}

/* ---- print --------------------------------------------------------------------------------- */

/* Control characters could steer a terminal. */
static void print_text(Spec *s, const char *text, size_t n) {
    for (size_t i = 0; i < n && s->printed < SPEC_PRINT; i++, s->printed++) {
        unsigned char c = (unsigned char)text[i];
        fputc((c < ' ' && c != '\n' && c != '\t') || c == 127 ? '?' : c, stderr);
    }
}

/* To stderr, since stdout is for data. */
static int print_values(lua_State *L) {
    Spec *s = spec_of(L);
    int n = lua_gettop(L);
    for (int i = 1; i <= n; i++) {
        size_t length;
        const char *text = luaL_tolstring(L, i, &length);
        if (i > 1) print_text(s, "\t", 1);
        print_text(s, text, length);
        lua_pop(L, 1);
    }
    print_text(s, "\n", 1);
    if (s->printed == SPEC_PRINT) return spec_fail(L, 0, "print: more than %d KB", SPEC_PRINT >> 10);
    return 0;
}

/* ---- tables -------------------------------------------------------------------------------- */

/* Upvalue 1: insert or remove of Lua's own library, which move all elements after the place. The border
 * that # finds may lie anywhere up to 2^63 if keys are placed for it. */
static int table_bounded(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_rawlen(L, 1) > SPEC_LENGTH) return luaL_error(L, "a list of more than %d elements", SPEC_LENGTH);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int table_move(lua_State *L) {
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    if (last >= first && (lua_Unsigned)last - (lua_Unsigned)first >= SPEC_LENGTH)
        return luaL_error(L, "a list of more than %d elements", SPEC_LENGTH);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int less(lua_State *L) {
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}

/* With a function to compare, so that the hook is called at every comparison. */
static int table_sort(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushcfunction(L, less);
        lua_replace(L, 2);
    }
    return table_bounded(L);
}

/* ---- pairs --------------------------------------------------------------------------------- */

static int key_rank(lua_State *L, int i) {
    int type = lua_type(L, i);
    return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : 2;
}

/* Numbers first, then strings by their bytes; others in no order. */
static int key_less(lua_State *L) {
    int a = key_rank(L, 1), b = key_rank(L, 2);
    bool result = a < b;
    if (a == 0 && b == 0) result = lua_compare(L, 1, 2, LUA_OPLT);
    if (a == 1 && b == 1) {
        size_t m, n;
        const char *x = lua_tolstring(L, 1, &m), *y = lua_tolstring(L, 2, &n);
        int order = memcmp(x, y, m < n ? m : n);
        result = order ? order < 0 : m < n;
    }
    lua_pushboolean(L, result);
    return 1;
}

/* Upvalues: the table, its sorted keys, how many of them are done. The arguments are not looked at: the spec may call
 * this with any. */
static int pairs_next(lua_State *L) {
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));
    do {
        lua_settop(L, 0);
        if (lua_rawgeti(L, lua_upvalueindex(2), ++i) == LUA_TNIL) return 1;
        lua_pushvalue(L, -1);
    } while (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL); /* was removed meanwhile */
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(3));
    return 2;
}

/* Upvalue 1: sort. Lua's own order depends on where the process happens to lie in memory. */
static int pairs_sorted(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, 1);) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++n);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 2);
    lua_pushcfunction(L, key_less);
    lua_call(L, 2, 0);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_next, 3);
    return 1;
}

/* ---- the globals --------------------------------------------------------------------------- */

static const char base_names[] = "assert error ipairs next select tonumber tostring type ";
static const char string_names[] = "byte char format len lower reverse sub upper ";
static const char table_names[] = "concat pack unpack ";
static const char utf8_names[] = "char charpattern codepoint codes len offset ";
static const char math_names[] =
    "abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger modf pi rad random sin "
    "sqrt tan tointeger type ult ";

/* Copies these fields, each name followed by a space, from the library at `from` to the table on top. */
static void copy_fields(lua_State *L, int from, const char *names) {
    for (const char *end; (end = strchr(names, ' ')); names = end + 1) {
        lua_pushlstring(L, names, (size_t)(end - names));
        lua_pushvalue(L, -1);
        lua_rawget(L, from);
        lua_rawset(L, -3);
    }
}

/* Wraps function `name` of the library at `from` into the table on top. */
static void wrap_field(lua_State *L, int from, const char *name, lua_CFunction wrapper) {
    lua_getfield(L, from, name);
    lua_pushcclosure(L, wrapper, 1);
    lua_setfield(L, -2, name);
}

/* Opens a library of Lua, leaves it at index 2 and a new table at index 3. The globals are at 1. */
static void library_open(lua_State *L, const char *name, lua_CFunction open, const char *names) {
    luaL_requiref(L, name, open, 0);
    lua_newtable(L);
    copy_fields(L, 2, names);
}

static void library_close(lua_State *L, const char *name) {
    lua_setfield(L, 1, name);
    lua_settop(L, 1);
}

static void add_string(lua_State *L) {
    library_open(L, "string", luaopen_string, string_names);
    text_library_add(L);
    lua_pushliteral(L, ""); /* methods of strings: ("x"):rep(3) */
    lua_getmetatable(L, -1);
    lua_pushvalue(L, 3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    library_close(L, "string");
}

static void add_table_and_pairs(lua_State *L) {
    library_open(L, "table", luaopen_table, table_names);
    wrap_field(L, 2, "insert", table_bounded);
    wrap_field(L, 2, "remove", table_bounded);
    wrap_field(L, 2, "move", table_move);
    wrap_field(L, 2, "sort", table_sort);
    lua_getfield(L, 3, "sort");
    lua_pushcclosure(L, pairs_sorted, 1);
    lua_setfield(L, 1, "pairs");
    library_close(L, "table");
}

static void add_math(lua_State *L) {
    library_open(L, "math", luaopen_math, math_names);
    lua_getfield(L, 2, "randomseed"); /* the same numbers in every run */
    lua_pushinteger(L, 0);
    lua_call(L, 1, 0);
    library_close(L, "math");
}

static void add_base(lua_State *L) {
    luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
    lua_pushvalue(L, 1);
    copy_fields(L, 2, base_names);
    lua_pushcfunction(L, print_values);
    lua_setfield(L, 1, "print");
    lua_settop(L, 1);
}

static void add_language(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"input", spec_input}, {"weight", spec_weight}, {"param", spec_param}, {"scope", spec_scope}, {"schedules", spec_schedules}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    for (int op = 0; op < OP_COUNT; op++) {
        if (!layer_is_user(op)) continue;
        layer_push(L, op, 0);
        lua_setfield(L, 1, op_table[op].name);
    }
    for (int i = 0; block_name(i); i++) {
        block_push(L, block_name(i), 0);
        lua_setfield(L, 1, block_name(i));
    }
}

void library_push(lua_State *L) {
    lua_settop(L, 0);
    lua_newtable(L);
    add_base(L);
    add_string(L);
    add_table_and_pairs(L);
    add_math(L);
    library_open(L, "utf8", luaopen_utf8, utf8_names);
    library_close(L, "utf8");
    add_language(L);
    lua_newtable(L);
    lua_pushcfunction(L, unknown_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, 1);
}
