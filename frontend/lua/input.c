/* input { "image", channels, [[d,] h,] w }, input { "image", shape = { batch, … } } and
 * weight { "conv1.weight", 64, 3, 7, 7 } */
#include "frontend/lua/state.h"

#include <string.h>

#define INPUT_FORM  "input { \"name\", channels, height, width }"
#define WEIGHT_FORM "weight { \"name\", extents }"

typedef struct Source {
    Spec *spec;
    lua_State *L;
    bool is_weight;
    const char *what; /* "input" or "weight", for messages */
    int line;
    const char *name;         /* held by the Lua stack, as is: */
    const char *axes;         /* letters, NULL: those of an activation of this rank */
    char full[SPEC_NAME + 1]; /* the name with its scopes */
    int64_t extent[MAX_AXES]; /* the batch first, if it is an input */
    int rank;
    bool whole; /* given by shape */
    DType dtype;
    Node *node;
} Source;

/* ---- the node ------------------------------------------------------------------------------ */

static bool source_type(const Source *s, Type *type, Diag *d) {
    const char *axes = s->axes ? s->axes : type_letters(s->rank);
    if (!axes) return diag_fail(d, DIAG_UNSUPPORTED, "%d axes; at most %d are known", s->rank, MAX_RANK);
    if (s->whole && !s->axes) return type_of_rank(type, s->dtype, s->rank, s->extent, d); /* perhaps without elements */
    bool good = type_make(type, axes, s->extent, d);
    type->dtype = s->dtype;
    return good;
}

static void make_source(void *arg) {
    Source *s = arg;
    Diag *d = s->spec->diag;
    Type type;
    SrcLoc loc = {s->spec->path, s->line};
    if (!source_type(s, &type, d)) diag_prefix(d, "%.300s:%d: %s", s->spec->path, s->line, s->what);
    else if (s->is_weight) s->node = graph_weight(s->spec->graph, s->full, loc, &type, d);
    else s->node = graph_input(s->spec->graph, s->name, loc, &type, d);
}

/* ---- the braces ---------------------------------------------------------------------------- */

/* The integer on top of the stack, in place i of the list `where`; popped. */
static int64_t read_extent(Source *s, const char *where, int i) {
    int whole, type = lua_type(s->L, -1);
    lua_Integer v = lua_tointegerx(s->L, -1, &whole);
    if (type != LUA_TNUMBER || !whole)
        spec_fail(s->L, 0, "%s: an integer expected for %s (%splace %d); %s came", s->what,
                  !s->is_weight && i == 2 && !*where ? "the channels" : "an extent", where, i,
                  type == LUA_TNUMBER ? "a fraction" : spec_what(s->L, -1));
    lua_pop(s->L, 1);
    return v;
}

/* The texts of keys stay on the stack. */
static const char *read_word(Source *s, const char *key) {
    if (lua_getfield(s->L, 1, key) == LUA_TNIL) {
        lua_pop(s->L, 1);
        return NULL;
    }
    if (lua_type(s->L, -1) != LUA_TSTRING)
        spec_fail(s->L, 0, "%s: %s: a string expected; %s came", s->what, key, spec_what(s->L, -1));
    return lua_tostring(s->L, -1);
}

static void read_type(Source *s) {
    const char *word = read_word(s, "type");
    if (!word) return;
    for (int t = DT_F32; t <= DT_BOOL; t++)
        if (strcmp(word, dtype_name((DType)t)) == 0) {
            s->dtype = (DType)t;
            return;
        }
    spec_fail(s->L, 0, "%s: type = '%.60s': one of f32, i64, i32, u8, bool expected", s->what, word);
}

static void read_axes(Source *s) {
    s->axes = read_word(s, "axes");
    if (s->axes && (strlen(s->axes) != lua_rawlen(s->L, -1) || (int)strlen(s->axes) != s->rank))
        spec_fail(s->L, 0, "%s: axes = '%.60s': a letter for each of %d axes expected", s->what, s->axes, s->rank);
}

/* shape = { 4, 3, 32, 32 }: the whole shape, batch included. */
static void read_shape(Source *s) {
    lua_State *L = s->L;
    if (lua_type(L, -1) != LUA_TTABLE)
        spec_fail(L, 0, "%s: shape: a list of integers expected; %s came", s->what, spec_what(L, -1));
    lua_Unsigned n = lua_rawlen(L, -1), keys = 0;
    for (lua_pushnil(L); keys <= n && lua_next(L, -2); lua_pop(L, 1)) keys++;
    if (keys != n) spec_fail(L, 0, "%s: shape: a plain list of integers expected", s->what);
    if (n > MAX_AXES) spec_fail(L, 0, "%s: shape: at most %d extents expected", s->what, MAX_RANK);
    s->whole = true;
    for (s->rank = 0; s->rank < (int)n; s->rank++) {
        lua_rawgeti(L, -1, s->rank + 1);
        s->extent[s->rank] = read_extent(s, "shape, ", s->rank + 1);
    }
}

/* Of several wrong names the first by the alphabet: Lua comes upon them in no fixed order. */
static void check_keys(Source *s, int n) {
    lua_State *L = s->L;
    const char *wrong = NULL;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= n) continue;
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        if (strcmp(key, "type") == 0 || strcmp(key, "axes") == 0) continue;
        if (strcmp(key, "shape") == 0 && !s->is_weight) continue;
        if (!wrong || strcmp(key, wrong) < 0) wrong = key;
    }
    if (!wrong) return;
    if (!*wrong) spec_fail(L, 0, "%s: no gaps expected: %s", s->what, s->is_weight ? WEIGHT_FORM : INPUT_FORM);
    spec_fail(L, 0, "%s: unknown key '%.60s' (it takes %stype, axes)", s->what, wrong, s->is_weight ? "" : "shape, ");
}

/* The name, then extents. */
static void read_list(Source *s, int least, int most, const char *wanted) {
    lua_State *L = s->L;
    if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TTABLE)
        spec_fail(L, 0, "%s: expected as %s", s->what, s->is_weight ? WEIGHT_FORM : INPUT_FORM);
    lua_Unsigned n = lua_rawlen(L, 1);
    if (n < (lua_Unsigned)least || n > (lua_Unsigned)most)
        spec_fail(L, 0, "%s: %s expected: %s", s->what, wanted, s->is_weight ? WEIGHT_FORM : INPUT_FORM);
    check_keys(s, (int)n);
    if (lua_rawgeti(L, 1, 1) != LUA_TSTRING)
        spec_fail(L, 0, "%s: a name expected first; %s came", s->what, spec_what(L, -1));
    s->name = lua_tostring(L, -1);
    if (lua_rawlen(L, -1) > SPEC_NAME || strlen(s->name) != lua_rawlen(L, -1))
        spec_fail(L, 0, "%s: a name of at most %d characters expected", s->what, SPEC_NAME);
    for (int i = 2; i <= (int)n; i++) {
        lua_rawgeti(L, 1, i);
        s->extent[s->rank++] = read_extent(s, "", i);
    }
}

static int source_push(Source *s) {
    read_type(s);
    read_axes(s);
    if (s->spec->graph->n_node >= SPEC_NODES) return spec_fail(s->L, 0, "more than %d layers and weights", SPEC_NODES);
    if (s->is_weight) scope_name(s->L, s->line, "weight", s->name, s->full);
    spec_guarded(s->L, make_source, s);
    value_push(s->L, s->node);
    return 1;
}

static bool has_shape(lua_State *L) {
    if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TTABLE) return false;
    bool found = lua_getfield(L, 1, "shape") != LUA_TNIL;
    lua_pop(L, 1);
    return found;
}

int spec_input(lua_State *L) {
    Source s = {.spec = spec_of(L), .L = L, .what = "input", .line = spec_line(L)};
    if (has_shape(L)) {
        read_list(&s, 1, 1, "only a name beside shape");
        lua_getfield(L, 1, "shape");
        read_shape(&s);
        lua_pop(L, 1);
    } else {
        s.extent[s.rank++] = s.spec->option->batch;
        s.spec->has_batch = true;
        read_list(&s, 2, 2 + MAX_SPATIAL, "a name, the channels and at most 3 extents");
    }
    return source_push(&s);
}

int spec_weight(lua_State *L) {
    Source s = {.spec = spec_of(L), .L = L, .is_weight = true, .what = "weight", .line = spec_line(L)};
    read_list(&s, 1, 1 + MAX_AXES, "a name and its extents");
    return source_push(&s);
}
