/* How a spec is stopped: the diagnostic is set first, then a token is raised that no Lua code can
 * catch (there is no pcall). So the message does not depend on memory that Lua may lack. */
#include "frontend/lua/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char stop_token;

int spec_line(lua_State *L) {
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && strcmp(ar.source, "=" SPEC_CHUNK) == 0) return ar.currentline;
    }
    return 0;
}

static void diag_place(Spec *s, int line) {
    if (line > 0) diag_prefix(s->diag, "%.300s:%d", s->path, line);
    else diag_prefix(s->diag, "%.300s", s->path);
}

void spec_diag(Spec *s, int line, const char *fmt, ...) {
    if (s->diag->kind != DIAG_NONE) return;
    va_list ap;
    va_start(ap, fmt);
    diag_vfail(s->diag, DIAG_SPEC, fmt, ap);
    va_end(ap);
    diag_place(s, line);
}

int spec_stop(lua_State *L) {
    lua_pushlightuserdata(L, &stop_token);
    lua_error(L);
    abort(); /* lua_error does not return */
}

int spec_fail(lua_State *L, int line, const char *fmt, ...) {
    Spec *s = spec_of(L);
    if (s->diag->kind == DIAG_NONE) {
        va_list ap;
        va_start(ap, fmt);
        diag_vfail(s->diag, DIAG_SPEC, fmt, ap);
        va_end(ap);
        diag_place(s, line ? line : spec_line(L));
    }
    spec_stop(L);
}

/* Messages of Lua begin with "spec:LINE: " when they have a place: those of the compiler and the
 * interpreter do, those raised by library functions and by error(text, 0) may not. */
int spec_on_error(lua_State *L) {
    Spec *s = spec_of(L);
    static const char place[] = SPEC_CHUNK ":";
    if (s->diag->kind == DIAG_NONE) {
        const char *text = lua_tostring(L, 1);
        char *after;
        if (!text) {
            spec_diag(s, spec_line(L), "error() wants a message; %s came", spec_what(L, 1));
        } else if (strstr(text, "C stack overflow")) {
            spec_diag(s, spec_line(L), "nested too deep: brackets, blocks or calls through library functions");
        } else if (strncmp(text, place, strlen(place)) != 0) {
            spec_diag(s, spec_line(L), "%s", text);
        } else {
            int line = (int)strtol(text + strlen(place), &after, 10);
            spec_diag(s, line, "%s", after + strspn(after, ": "));
        }
    }
    lua_pushlightuserdata(L, &stop_token);
    return 1;
}

static double spec_seconds(const Spec *s) { return s->option->seconds > 0 ? s->option->seconds : 10; }

static void diag_limit(Spec *s, int line) {
    spec_diag(s, line, "the spec uses more than %.3g MB", (double)s->limit / (1 << 20));
}

void spec_diag_memory(Spec *s) {
    switch (s->refusal) {
    case REFUSED_MEMORY: diag_limit(s, s->refusal_line); break;
    case REFUSED_STRING: spec_diag(s, s->refusal_line, "a string of more than %d MB", SPEC_STRING >> 20); break;
    case REFUSED_TIME: spec_diag(s, s->refusal_line, "the spec runs for more than %g s", spec_seconds(s)); break;
    case REFUSED_NOTHING:
    case REFUSED_MACHINE: diag_fail(s->diag, DIAG_MACHINE, "out of memory"); break;
    }
}

/* The arena does not tell whether its limit or the machine was short of memory, so ask the machine. */
static void diag_arena(lua_State *L) {
    Spec *s = spec_of(L);
    void *probe = mem_alloc(1 << 16);
    if (probe && s->arena_limited) diag_limit(s, spec_line(L));
    else diag_fail(s->diag, DIAG_MACHINE, "out of memory");
    mem_free(probe);
}

void spec_guarded(lua_State *L, void (*work)(void *), void *arg) {
    Spec *s = spec_of(L);
    Arena *a = s->arena;
    jmp_buf outer;
    memcpy(&outer, &a->oom, sizeof outer);
    bool had = a->has_oom, full = false;
    if (ARENA_TRY(a)) work(arg);
    else full = true;
    memcpy(&a->oom, &outer, sizeof outer);
    a->has_oom = had;
    if (full) diag_arena(L);
    if (s->diag->kind != DIAG_NONE) spec_stop(L);
}

const char *spec_what(lua_State *L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TNONE: return "nothing";
    case LUA_TNIL: return "nil";
    case LUA_TBOOLEAN: return "a boolean";
    case LUA_TNUMBER: return "a number";
    case LUA_TSTRING: return "a string";
    case LUA_TTABLE: return "a table";
    case LUA_TFUNCTION: return "a function";
    case LUA_TUSERDATA: return "a tensor"; /* there is no other userdata */
    default: return "something else";
    }
}

typedef struct Keep {
    Arena *arena;
    const char *text;
} Keep;

static void keep_text(void *arg) {
    Keep *k = arg;
    k->text = arena_strdup(k->arena, k->text);
}

const char *spec_keep(lua_State *L, const char *text) {
    Keep k = {spec_of(L)->arena, text};
    spec_guarded(L, keep_text, &k);
    return k.text;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

const char *spec_nearest(char buf[SPEC_NAME], const char *word, const char **names, size_t n) {
    buf[0] = '\0';
    if (n == 0) return buf;
    qsort(names, n, sizeof *names, compare_names);
    const char *near = strlen(word) < SPEC_NAME ? text_nearest(word, names, n) : NULL;
    for (size_t i = 0; !near && i < n; i++)
        if (strlen(names[i]) >= 3 && strncmp(word, names[i], strlen(names[i])) == 0) near = names[i];
    if (near) snprintf(buf, SPEC_NAME, "; did you mean '%.60s'?", near);
    return buf;
}
