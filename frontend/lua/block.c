/* Constructors that make several layers: x:split { 2 }, x:separable { 64, 3 }. They read their own braces and call the
 * constructors of the layers. */
#include "frontend/lua/state.h"

#include <stdio.h>
#include <string.h>

typedef struct Block {
    lua_State *L;
    const char *what; /* "split" */
    int line;
    Node *x;
    char name[SPEC_NAME + 1]; /* without the scopes: what NAME.depthwise begins with */
} Block;

/* Tensor and braces are at 1 and 2. */
enum { AT_X = 1, AT_TABLE = 2 };

/* ---- the braces ---------------------------------------------------------------------------- */

/* `words`, each followed by a space, are the keys that there are; `places` how many of them may go by place. */
static void check_keys(Block *b, const char *words, lua_Unsigned places) {
    lua_State *L = b->L;
    const char *wrong = NULL;
    if (lua_rawlen(L, AT_TABLE) > places) spec_fail(L, b->line, "%s: too many attributes by place", b->what);
    for (lua_pushnil(L); lua_next(L, AT_TABLE); lua_pop(L, 1)) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= (lua_Integer)places) continue;
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "", *at = strstr(words, key);
        bool known = *key && at && (at == words || at[-1] == ' ') && at[strlen(key)] == ' ';
        known |= strcmp(key, "name") == 0;
        if (!known && (!wrong || strcmp(key, wrong) < 0)) wrong = key;
    }
    if (wrong) spec_fail(L, b->line, "%s: unknown key '%.60s' (it takes %sname)", b->what, wrong, words);
}

/* The field by its place (0: none) or its name to the top; its type. */
static int push_field(Block *b, int place, const char *key) {
    lua_State *L = b->L;
    if (place && lua_rawgeti(L, AT_TABLE, place) != LUA_TNIL) {
        if (lua_getfield(L, AT_TABLE, key) != LUA_TNIL) spec_fail(L, b->line, "%s: %s is given twice", b->what, key);
        lua_pop(L, 1);
        return lua_type(L, -1);
    }
    if (place) lua_pop(L, 1);
    return lua_getfield(L, AT_TABLE, key);
}

/* The value on top, popped. */
static int64_t pop_integer(Block *b, const char *key, int64_t lo, int64_t hi) {
    int whole;
    lua_Integer v = lua_tointegerx(b->L, -1, &whole);
    if (lua_type(b->L, -1) != LUA_TNUMBER || !whole)
        spec_fail(b->L, b->line, "%s: %s: an integer expected, %s came", b->what, key, spec_what(b->L, -1));
    if (v < lo || v > hi)
        spec_fail(b->L, b->line, "%s: %s = %lld is not in %lld … %lld", b->what, key, (long long)v, (long long)lo,
                  (long long)hi);
    lua_pop(b->L, 1);
    return v;
}

static int64_t integer_field(Block *b, int place, const char *key, int64_t otherwise, int64_t lo, int64_t hi) {
    if (push_field(b, place, key) != LUA_TNIL) return pop_integer(b, key, lo, hi);
    lua_pop(b->L, 1);
    return otherwise;
}

/* The name given, or the next number. */
static void find_name(Block *b) {
    lua_State *L = b->L;
    int type = lua_getfield(L, AT_TABLE, "name");
    if (type != LUA_TNIL && (type != LUA_TSTRING || lua_rawlen(L, -1) > SPEC_NAME))
        spec_fail(L, b->line, "%s: name: a string of at most %d characters expected, %s came", b->what, SPEC_NAME,
                  spec_what(L, -1));
    char full[SPEC_NAME + 1];
    if (type == LUA_TSTRING) snprintf(b->name, sizeof b->name, "%s", lua_tostring(L, -1));
    else scope_name(L, b->line, b->what, NULL, full);
    if (type != LUA_TSTRING) snprintf(b->name, sizeof b->name, "%s", full + spec_of(L)->n_prefix);
    lua_pop(L, 1);
}

static void block_open(Block *b, lua_State *L, const char *what, const char *words, lua_Unsigned places) {
    int line = (int)lua_tointeger(L, lua_upvalueindex(1));
    *b = (Block){.L = L, .what = what, .line = line ? line : spec_line(L), .x = value_test(L, AT_X)};
    if (lua_gettop(L) != 2 || !b->x || lua_type(L, AT_TABLE) != LUA_TTABLE)
        spec_fail(L, b->line, "%s: expected as x:%s { … }%s", what, what,
                  lua_gettop(L) == 1 && !b->x ? " (a method is called with a colon)" : "");
    check_keys(b, words, places);
    find_name(b);
}

/* ---- layers -------------------------------------------------------------------------------- */

/* The constructor, x and an empty table on top: layer_finish after the table is filled. */
static void layer_start(Block *b, Op op, const char *part) {
    lua_State *L = b->L;
    layer_push(L, op, b->line);
    lua_pushvalue(L, AT_X);
    lua_newtable(L);
    lua_pushfstring(L, "%s.%s", b->name, part);
    lua_setfield(L, -2, "name");
}

static void set_integer(lua_State *L, const char *key, int64_t v) {
    lua_pushinteger(L, v);
    lua_setfield(L, -2, key);
}

/* The braces' field into the table on top, if there is one. */
static void hand_on(Block *b, int place, const char *key) {
    if (push_field(b, place, key) == LUA_TNIL) lua_pop(b->L, 1);
    else lua_setfield(b->L, -2, key);
}

/* ---- split --------------------------------------------------------------------------------- */

static int split_sizes(Block *b, int64_t extent, int64_t size[SPEC_INPUTS]) {
    lua_State *L = b->L;
    lua_Unsigned n = lua_rawlen(L, -1);
    int64_t sum = 0;
    if (n < 1 || n > SPEC_INPUTS) spec_fail(L, b->line, "split: 1 to %d sizes expected", SPEC_INPUTS);
    for (int i = 0; i < (int)n; i++) {
        lua_rawgeti(L, -1, i + 1);
        size[i] = pop_integer(b, "sizes", 1, extent);
        sum += size[i];
    }
    if (sum != extent)
        spec_fail(L, b->line, "split: the sizes add up to %lld, the axis has %lld", (long long)sum, (long long)extent);
    return (int)n;
}

static int split_parts(Block *b, int64_t extent, int64_t size[SPEC_INPUTS]) {
    int64_t most = extent < SPEC_INPUTS ? extent : SPEC_INPUTS, n = integer_field(b, 1, "parts", 0, 1, most);
    if (n == 0) spec_fail(b->L, b->line, "split: how many parts, or sizes = { … }?");
    if (extent % n)
        spec_fail(b->L, b->line, "split: an axis of %lld does not make %lld equal parts: sizes = { … } says which",
                  (long long)extent, (long long)n);
    for (int i = 0; i < n; i++) size[i] = extent / n;
    return (int)n;
}

/* x:split { 2 }, x:split { sizes = { 3, 5 }, axis = 1 }: the parts as results, slices NAME.1, NAME.2 … */
static int block_split(lua_State *L) {
    Block b;
    int64_t size[SPEC_INPUTS], at = 0;
    block_open(&b, L, "split", "parts sizes axis ", 1);
    Type x = type_plain(&b.x->type);
    if (x.rank == 0) spec_fail(L, b.line, "split: one number has no axis to split");
    int64_t axis = integer_field(&b, 0, "axis", x.rank > 1 ? 1 : 0, -x.rank, x.rank - 1);
    int64_t extent = x.axis[axis < 0 ? axis + x.rank : axis].extent;
    int n, given = push_field(&b, 0, "sizes");
    if (given != LUA_TNIL && given != LUA_TTABLE)
        spec_fail(L, b.line, "split: sizes: a list of integers expected, %s came", spec_what(L, -1));
    if (given == LUA_TTABLE && integer_field(&b, 1, "parts", 0, 1, extent))
        spec_fail(L, b.line, "split: parts or sizes, not both");
    n = given == LUA_TTABLE ? split_sizes(&b, extent, size) : split_parts(&b, extent, size);
    lua_settop(L, AT_TABLE);
    luaL_checkstack(L, n + 8, "split");
    for (int i = 0; i < n; at += size[i++]) {
        char part[24];
        snprintf(part, sizeof part, "%d", i + 1);
        layer_start(&b, OP_SLICE, part);
        set_integer(L, "start", at);
        set_integer(L, "stop", at + size[i]);
        set_integer(L, "axes", axis);
        lua_call(L, 2, 1);
    }
    return n;
}

/* ---- separable ----------------------------------------------------------------------------- */

/* x:separable { 64, 3, pad = 1 }: a convolution of each channel alone, NAME.depthwise, with `multiplier` results each, then
 * one of 1×1 over all of these, NAME.pointwise. */
static int block_separable(lua_State *L) {
    static const char *const window[] = {"stride", "pad", "dilation", "bias", "pad_mode", "pad_value", "flip"};
    Block b;
    block_open(&b, L, "separable", "out kernel stride pad dilation bias pad_mode pad_value flip multiplier ", 2);
    int64_t channels = type_extent(&b.x->type, 'c'), most = ((int64_t)1 << 24) / channels;
    int64_t multiplier = integer_field(&b, 0, "multiplier", 1, 1, most > 1 ? most : 1);
    layer_start(&b, OP_CONV, "depthwise");
    set_integer(L, "out", channels * multiplier);
    set_integer(L, "groups", channels);
    hand_on(&b, 2, "kernel");
    for (size_t i = 0; i < COUNT_OF(window); i++) hand_on(&b, 0, window[i]);
    lua_call(L, 2, 1);
    lua_replace(L, AT_X);
    layer_start(&b, OP_CONV, "pointwise");
    hand_on(&b, 1, "out");
    set_integer(L, "kernel", 1);
    hand_on(&b, 0, "bias");
    lua_call(L, 2, 1);
    return 1;
}

/* ---- sum, mean, swish ------------------------------------------------------------------------ */

/* The tensors in the arguments or in one list, at 1 … n of an otherwise empty stack. */
static int tensors_only(lua_State *L, int line, const char *what) {
    if (lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TTABLE) {
        lua_Unsigned n = lua_rawlen(L, 1);
        if (n > SPEC_INPUTS) spec_fail(L, line, "%s: more than %d tensors", what, SPEC_INPUTS);
        luaL_checkstack(L, (int)n + 8, what);
        for (lua_Unsigned i = 1; i <= n; i++) lua_rawgeti(L, 1, (lua_Integer)i);
        lua_remove(L, 1);
    }
    int n = lua_gettop(L);
    if (n < 1) spec_fail(L, line, "%s: at least 1 tensor expected", what);
    for (int i = 1; i <= n; i++)
        if (!value_test(L, i))
            spec_fail(L, line, "%s: a tensor expected in place %d, %s came", what, i, spec_what(L, i));
    return n;
}

/* a + b + c, or that over 3. */
static int sum_of(lua_State *L, const char *what, bool mean) {
    int given = (int)lua_tointeger(L, lua_upvalueindex(1)), line = given ? given : spec_line(L);
    int n = tensors_only(L, line, what);
    lua_pushvalue(L, 1);
    for (int i = 2; i <= n; i++) {
        layer_push(L, OP_ADD, line);
        lua_insert(L, -2);
        lua_pushvalue(L, i);
        lua_call(L, 2, 1);
    }
    if (!mean || n == 1) return 1;
    layer_push(L, OP_DIV, line);
    lua_insert(L, -2);
    lua_pushinteger(L, n);
    lua_call(L, 2, 1);
    return 1;
}

static int block_sum(lua_State *L) { return sum_of(L, "sum", false); }
static int block_mean(lua_State *L) { return sum_of(L, "mean", true); }

/* Another name of silu. */
static int block_swish(lua_State *L) {
    int n = lua_gettop(L), given = (int)lua_tointeger(L, lua_upvalueindex(1));
    layer_push(L, OP_SILU, given ? given : spec_line(L));
    lua_insert(L, 1);
    lua_call(L, n, 1);
    return 1;
}

/* ---- all ----------------------------------------------------------------------------------- */

static const luaL_Reg blocks[] = {{"split", block_split},
                                  {"separable", block_separable},
                                  {"sum", block_sum},
                                  {"mean", block_mean},
                                  {"swish", block_swish}};

const char *block_name(int i) { return i < (int)COUNT_OF(blocks) ? blocks[i].name : NULL; }

bool block_push(lua_State *L, const char *word, int line) {
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        if (strcmp(blocks[i].name, word) != 0) continue;
        lua_pushinteger(L, line);
        lua_pushcclosure(L, blocks[i].func, 1);
        return true;
    }
    return false;
}
