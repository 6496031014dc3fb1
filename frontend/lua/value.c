/* Tensors as Lua sees them: a userdata that holds the node. */
#include "frontend/lua/state.h"

#include <string.h>

#define VALUE "tensor" /* Lua's own messages call it so: "attempt to call a tensor value" */

void value_push(lua_State *L, Node *n) {
    Node **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = n;
    luaL_setmetatable(L, VALUE);
}

Node *value_test(lua_State *L, int index) {
    Node **box = luaL_testudata(L, index, VALUE);
    return box ? *box : NULL;
}

static int push_shape(lua_State *L, const Type *t) {
    lua_createtable(L, t->rank, 0);
    for (int i = 0; i < t->rank; i++) {
        lua_pushinteger(L, t->axis[i].extent);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int unknown_member(lua_State *L, const char *word) {
    const char *names[OP_COUNT + 16] = {"shape", "channels", "name"};
    size_t n = 3;
    char near[SPEC_NAME];
    for (int i = 0; block_name(i); i++) names[n++] = block_name(i);
    for (int op = 0; op < OP_COUNT; op++)
        if (layer_is_user(op)) names[n++] = op_table[op].name;
    return spec_fail(L, 0, "unknown method '%.100s'%s", word, spec_nearest(near, word, names, n));
}

/* Metamethod __index. Lua gives a call the line where its whole chain of calls begins, but looks the
 * method up on the line where its name stands: so that line goes with the constructor. */
static int value_index(lua_State *L) {
    const Node *n = value_test(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING) return spec_fail(L, 0, "a tensor has no elements in a spec (x[…])");
    const char *word = lua_tostring(L, 2);
    if (strcmp(word, "shape") == 0) return push_shape(L, &n->type);
    if (strcmp(word, "channels") == 0) {
        lua_pushinteger(L, type_extent(&n->type, 'c'));
        return 1;
    }
    if (strcmp(word, "name") == 0) {
        lua_pushstring(L, n->name);
        return 1;
    }
    if (block_push(L, word, spec_line(L))) return 1;
    int op = op_find(word);
    if (op < 0 || !layer_is_user(op)) return unknown_member(L, word);
    layer_push(L, op, spec_line(L));
    return 1;
}

static int value_set(lua_State *L) { return spec_fail(L, 0, "a tensor cannot be changed"); }

static int value_add(lua_State *L) { return layer_make(L, OP_ADD, 0); }
static int value_sub(lua_State *L) { return layer_make(L, OP_SUB, 0); }
static int value_mul(lua_State *L) { return layer_make(L, OP_MUL, 0); }
static int value_div(lua_State *L) { return layer_make(L, OP_DIV, 0); }
static int value_pow(lua_State *L) { return layer_make(L, OP_POW, 0); }

/* Lua passes the operand twice. */
static int value_neg(lua_State *L) {
    lua_settop(L, 1);
    return layer_make(L, OP_NEG, 0);
}

static int value_text(lua_State *L) {
    const Type *t = &value_test(L, 1)->type;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    lua_pushfstring(L, "tensor %s [", value_test(L, 1)->name);
    luaL_addvalue(&b);
    for (int i = 0; i < t->rank; i++) {
        lua_pushfstring(L, "%s%c%d", i ? " " : "", t->axis[i].letter, (int)t->axis[i].extent);
        luaL_addvalue(&b);
    }
    luaL_addchar(&b, ']');
    luaL_pushresult(&b);
    return 1;
}

void value_register(lua_State *L) {
    static const luaL_Reg methods[] = {{"__index", value_index},   {"__newindex", value_set},
                                       {"__add", value_add},       {"__sub", value_sub},
                                       {"__mul", value_mul},       {"__div", value_div},
                                       {"__pow", value_pow},       {"__unm", value_neg},
                                       {"__tostring", value_text}, {NULL, NULL}};
    luaL_newmetatable(L, VALUE);
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 1);
}
