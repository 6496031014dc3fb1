/* string.find, match, gmatch, gsub and rep as in the Lua 5.4 manual, 6.4, but so that none runs on
 * when the time of the spec is over. */
#include "frontend/lua/pattern.h"
#include "frontend/lua/state.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static Match match_begin(lua_State *L, const char *text, size_t n_text, const char *pattern, size_t n_pattern) {
    Match m;
    m.L = L;
    m.text = text;
    m.text_end = text + n_text;
    m.pattern_end = pattern + n_pattern;
    m.n_capture = m.depth = 0;
    m.steps = 0;
    return m;
}

static const char *match_at(Match *m, const char *s, const char *p) {
    m->n_capture = m->depth = 0;
    return pattern_match(m, s, p);
}

/* The index argument `arg`, from 1, as a position from 0; a negative one counts from the end. */
static size_t start_argument(lua_State *L, int arg, size_t length) {
    lua_Integer i = luaL_optinteger(L, arg, 1);
    if (i > 0) return (size_t)i - 1;
    if (i == 0 || i < -(lua_Integer)length) return 0;
    return length - (size_t)-i;
}

/* ---- find and match ------------------------------------------------------------------------ */

static bool is_plain(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] && strchr("^$*+?.([%-", p[i])) return false;
    return true;
}

static int find_plain(lua_State *L, const char *s, size_t n, size_t start, const char *p, size_t n_p) {
    const char *at = n_p ? memmem(s + start, n - start, p, n_p) : s + start;
    if (!at) {
        luaL_pushfail(L);
        return 1;
    }
    lua_pushinteger(L, at - s + 1);
    lua_pushinteger(L, at - s + (lua_Integer)n_p);
    return 2;
}

static int find_or_match(lua_State *L, bool find) {
    size_t n, n_p;
    const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &n_p);
    size_t start = start_argument(L, 3, n);
    if (start > n) {
        luaL_pushfail(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(p, n_p))) return find_plain(L, s, n, start, p, n_p);
    Match m = match_begin(L, s, n, p, n_p);
    bool anchored = *p == '^';
    if (anchored) p++;
    for (const char *at = s + start; at <= m.text_end; at++) {
        const char *e = match_at(&m, at, p);
        if (e && !find) return pattern_push_captures(&m, at, e);
        if (e) {
            lua_pushinteger(L, at - s + 1);
            lua_pushinteger(L, e - s);
            return 2 + pattern_push_captures(&m, NULL, NULL);
        }
        if (anchored) break;
    }
    luaL_pushfail(L);
    return 1;
}

static int text_find(lua_State *L) { return find_or_match(L, true); }
static int text_match(lua_State *L) { return find_or_match(L, false); }

/* ---- gmatch -------------------------------------------------------------------------------- */

/* Upvalues: text, pattern, where to go on, the end of the last match (an empty match there is none), −1 at first. */
static int gmatch_next(lua_State *L) {
    size_t n, n_p;
    const char *s = lua_tolstring(L, lua_upvalueindex(1), &n), *p = lua_tolstring(L, lua_upvalueindex(2), &n_p);
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3)), last = lua_tointeger(L, lua_upvalueindex(4));
    Match m = match_begin(L, s, n, p, n_p);
    for (; at <= (lua_Integer)n; at++) {
        const char *e = match_at(&m, s + at, p);
        if (!e || e - s == last) continue;
        lua_pushinteger(L, e - s);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return pattern_push_captures(&m, s + at, e);
    }
    return 0;
}

static int text_gmatch(lua_State *L) {
    size_t n;
    luaL_checklstring(L, 1, &n);
    luaL_checkstring(L, 2);
    size_t start = start_argument(L, 3, n);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)(start > n ? n + 1 : start));
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* ---- gsub ---------------------------------------------------------------------------------- */

/* Adds the replacement text (argument 3) with its %0 … %9 filled in. */
static void add_template(Match *m, luaL_Buffer *b, const char *s, const char *e) {
    size_t n;
    const char *t = lua_tolstring(m->L, 3, &n), *end = t + n;
    for (const char *percent; (percent = memchr(t, '%', (size_t)(end - t))); t = percent + 2) {
        luaL_addlstring(b, t, (size_t)(percent - t));
        int c = (unsigned char)percent[1];
        if (c == '%') {
            luaL_addchar(b, '%');
        } else if (c == '0') {
            luaL_addlstring(b, s, (size_t)(e - s));
        } else if (isdigit(c)) {
            pattern_push_capture(m, c - '1', s, e);
            luaL_addvalue(b);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
    luaL_addlstring(b, t, (size_t)(end - t));
}

/* Adds what replaces the match [s, e). */
static void add_replacement(Match *m, luaL_Buffer *b, const char *s, const char *e) {
    lua_State *L = m->L;
    int type = lua_type(L, 3);
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, pattern_push_captures(m, s, e), 1);
    } else if (type == LUA_TTABLE) {
        pattern_push_capture(m, 0, s, e);
        lua_gettable(L, 3);
    } else {
        add_template(m, b, s, e);
        return;
    }
    if (!lua_toboolean(L, -1)) { /* nil or false keeps the text */
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(e - s));
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(b);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

static int text_gsub(lua_State *L) {
    size_t n, n_p;
    const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &n_p), *last = NULL;
    int type = lua_type(L, 3);
    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TFUNCTION && type != LUA_TTABLE)
        return luaL_typeerror(L, 3, "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)n + 1), count = 0;
    Match m = match_begin(L, s, n, p, n_p);
    bool anchored = *p == '^';
    if (anchored) p++;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while (count < most) {
        const char *e = match_at(&m, s, p);
        if (e && e != last) {
            count++;
            add_replacement(&m, &b, s, e);
            s = last = e;
        } else if (s < m.text_end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (anchored) break;
    }
    luaL_addlstring(&b, s, (size_t)(m.text_end - s));
    luaL_pushresult(&b);
    lua_pushinteger(L, count);
    return 2;
}

/* ---- rep ----------------------------------------------------------------------------------- */

/* Lua's own would count to n even if there is nothing to copy: (""):rep(1e18). */
static int text_rep(lua_State *L) {
    size_t n, n_between, once, total;
    const char *s = luaL_checklstring(L, 1, &n);
    lua_Integer times = luaL_checkinteger(L, 2);
    const char *between = luaL_optlstring(L, 3, "", &n_between);
    if (times <= 0 || n + n_between == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    once = n + n_between;
    if (!size_mul(once, (size_t)times, &total) || total - n_between > SPEC_STRING)
        return spec_fail(L, 0, "string.rep: a string of more than %d MB", SPEC_STRING >> 20);
    total -= n_between;
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, total);
    for (lua_Integer i = 0; i < times; i++, out += once) {
        memcpy(out, s, n);
        if (i + 1 < times) memcpy(out + n, between, n_between);
    }
    luaL_pushresultsize(&b, total);
    return 1;
}

void text_library_add(lua_State *L) {
    static const luaL_Reg functions[] = {{"find", text_find},   {"gmatch", text_gmatch}, {"gsub", text_gsub},
                                         {"match", text_match}, {"rep", text_rep},       {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
