/* The limits of a spec: memory by the allocator, time by the allocator and a hook.
 *
 * The hook comes every few instructions and at every call, of library functions too; so what one
 * library function does must be short. That is seen to in three ways: no string is longer than 1 MB
 * and no list longer than 2^24; nothing that allocates goes on after the deadline, since the allocator then
 * says no; and the functions that could still run long (patterns, rep, the table functions on claimed
 * lengths, sort without a comparison) are replaced, in library.c and text_library.c. There are no
 * metatables, so no library function meets a length or an element that the spec makes up. */
#include "frontend/lua/state.h"

#include <string.h>
#include <time.h>

static int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Reads the call stack from inside an allocation: nothing is pushed, and while a count hook is set Lua keeps the
 * place of every instruction it begins. */
static void refuse(Spec *s, Refusal why) {
    s->refusal = why;
    s->refusal_line = s->L ? spec_line(s->L) : 0;
}

/* `old` is the kind of object when there is no block yet. */
static bool may_grow(Spec *s, const void *p, size_t old, size_t more) {
    if (more > s->limit - s->used) refuse(s, REFUSED_MEMORY);
    else if (!p && old == LUA_TSTRING && more > SPEC_STRING + 64) refuse(s, REFUSED_STRING); /* 64: its header */
    else if (s->L && clock_ns() > s->deadline) refuse(s, REFUSED_TIME);
    else return true;
    return false;
}

void *sandbox_alloc(void *spec, void *p, size_t old, size_t size) {
    Spec *s = spec;
    size_t had = p ? old : 0;
    if (size == 0) {
        s->used -= had;
        mem_free(p);
        return NULL;
    }
    if (size > had && !may_grow(s, p, old, size - had)) return NULL;
    void *q = mem_realloc(p, size);
    if (!q && size > had) {
        refuse(s, REFUSED_MACHINE);
        return NULL;
    }
    s->used = s->used - had + size;
    return q ? q : p; /* Lua relies on shrinking: the larger block does as well */
}

void sandbox_check_time(lua_State *L) {
    Spec *s = spec_of(L);
    if (clock_ns() <= s->deadline) return;
    refuse(s, REFUSED_TIME);
    spec_diag_memory(s);
    spec_stop(L);
}

static void on_hook(lua_State *L, lua_Debug *ar) {
    if (ar->event == LUA_HOOKRET) {
        lua_getinfo(L, "l", ar);
        if (ar->currentline > 0) spec_of(L)->return_line = ar->currentline;
    }
    sandbox_check_time(L);
}

void sandbox_start_clock(lua_State *L) { lua_sethook(L, on_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 100); }
