/* schedules { conv1 = "split …; order …", ["layer1.0.conv2"] = { "split …", "order …" } }
 *
 * In a spec: the steps for kernels by the name of the layer they begin with, as if `schedule =` stood there. In a file of
 * its own: what `lunette tune` writes and --schedules reads. */
#include "frontend/lua/schedules.h"

#include "frontend/lua/state.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ENTRIES = 1 << 14 };

typedef struct Keep {
    Spec *spec;
    ScheduleEntry entry;
} Keep;

static void keep_entry(void *arg) {
    Keep *k = arg;
    ScheduleList *list = &k->spec->schedules;
    k->entry.layer = arena_strdup(k->spec->arena, k->entry.layer);
    k->entry.steps = arena_strdup(k->spec->arena, k->entry.steps);
    ARENA_PUSH(k->spec->arena, list->v, list->n, list->cap, k->entry);
}

/* The value on top: a string, or a list of strings, which is joined. Pushes the text. */
static const char *push_steps(lua_State *L, const char *layer) {
    if (lua_type(L, -1) == LUA_TSTRING) lua_pushvalue(L, -1);
    else if (lua_type(L, -1) == LUA_TTABLE) {
        luaL_Buffer b;
        lua_Integer n = luaL_len(L, -1);
        int list = lua_gettop(L);
        luaL_buffinit(L, &b);
        for (lua_Integer i = 1; i <= n; i++) {
            if (lua_rawgeti(L, list, i) != LUA_TSTRING)
                spec_fail(L, 0, "schedules: %.80s: step %d is %s, a string expected", layer, (int)i, spec_what(L, -1));
            luaL_addvalue(&b);
            if (i < n) luaL_addstring(&b, "; ");
        }
        luaL_pushresult(&b);
    } else {
        spec_fail(L, 0, "schedules: %.80s is %s, a string or a list of strings expected", layer, spec_what(L, -1));
    }
    const char *text = lua_tostring(L, -1);
    if (strlen(text) > SPEC_SCHEDULE) spec_fail(L, 0, "schedules: %.80s: too many steps", layer);
    return text;
}

int spec_schedules(lua_State *L) {
    Spec *s = spec_of(L);
    if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TTABLE)
        return spec_fail(L, 0, "schedules wants a table of layers: schedules { conv1 = \"split …\" }");
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            spec_fail(L, 0, "schedules: a layer's name expected, not %s", spec_what(L, -2));
        const char *layer = lua_tostring(L, -2);
        for (int i = 0; i < s->schedules.n; i++)
            if (strcmp(s->schedules.v[i].layer, layer) == 0) spec_fail(L, 0, "schedules: %.80s is there twice", layer);
        if (s->schedules.n == MOST_ENTRIES) spec_fail(L, 0, "schedules: more than %d layers", MOST_ENTRIES);
        Keep k = {s, {layer, push_steps(L, layer)}};
        spec_guarded(L, keep_entry, &k);
        lua_pop(L, 2);
    }
    return 0;
}

static int by_layer(const void *a, const void *b) {
    return strcmp(((const ScheduleEntry *)a)->layer, ((const ScheduleEntry *)b)->layer);
}

void schedules_apply(Spec *s) {
    if (s->schedules.n > 0) qsort(s->schedules.v, (size_t)s->schedules.n, sizeof *s->schedules.v, by_layer);
    for (int i = 0; i < s->schedules.n; i++) {
        const ScheduleEntry *e = &s->schedules.v[i];
        Node *n = graph_find(s->graph, e->layer);
        if (!n || n->op == OP_INPUT || n->op == OP_WEIGHT) {
            spec_diag(s, 0, "schedules: there is no layer '%.80s'", e->layer);
            return;
        }
        if (!n->schedule) n->schedule = e->steps;
    }
}
