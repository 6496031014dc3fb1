/* What the parts of the Lua front end share while one spec runs. Internal to frontend/lua. */
#ifndef LUNETTE_FRONTEND_LUA_STATE_H
#define LUNETTE_FRONTEND_LUA_STATE_H

#include "frontend/lua/schedules.h"
#include "frontend/lua/spec.h"

#include <lauxlib.h>
#include <lua.h>

enum {
    SPEC_NAME = 200,    /* characters in the name of a layer, scopes included */
    SPEC_SCOPES = 64,   /* nested; below Lua's own limit of 200 C calls */
    SPEC_NODES = 20000, /* layers and weights */
    SPEC_INPUTS = 256,  /* tensors that one layer takes, names that one spec returns */
    SPEC_PARAMS = 256,
    SPEC_SCHEDULE = 1 << 14, /* characters */
    SPEC_STRING = 1 << 20,   /* bytes of a Lua string: no single string operation takes long */
    SPEC_LENGTH = 1 << 24,   /* elements of a list that the table functions work on */
    SPEC_FILE = 1 << 24,     /* bytes of a spec */
    SPEC_PRINT = 1 << 16,    /* bytes that print writes in all */
};

/* The name Lua knows the spec by: its own would be shortened to 60 characters in messages. */
#define SPEC_CHUNK "spec"

typedef enum Refusal { REFUSED_NOTHING, REFUSED_MEMORY, REFUSED_STRING, REFUSED_TIME, REFUSED_MACHINE } Refusal;

typedef struct Spec {
    Arena *arena;
    const char *path;
    const SpecOptions *option;
    Diag *diag; /* never NULL; once set, the spec is being stopped */
    Graph *graph;
    lua_State *L; /* NULL while it is being made */

    /* limits: sandbox.c */
    size_t used, limit; /* bytes */
    bool arena_limited; /* to `limit` more bytes; if not, its owner set a lower limit */
    int64_t deadline;   /* CLOCK_MONOTONIC, ns */
    Refusal refusal;    /* why the allocator said no last … */
    int refusal_line;   /* … and where the spec was */
    size_t printed;
    int return_line; /* of the last return from a function of the spec */

    /* names: scope.c */
    char prefix[SPEC_NAME + 1]; /* "layer1.0." */
    size_t n_prefix;
    int depth;

    /* param.c */
    const char *param[SPEC_PARAMS];
    int n_param;

    bool has_batch; /* an input takes the batch: input.c */
    bool schedules_alone; /* the file is one of schedules: no graph is wanted */
    ScheduleList schedules; /* schedules.c */
} Spec;

static inline Spec *spec_of(lua_State *L) { return *(Spec **)lua_getextraspace(L); }

/* ---- errors: errors.c ---------------------------------------------------------------------- */

/* The line of the innermost function of the spec that is running, 0 if there is none. */
int spec_line(lua_State *L);
/* Sets the diagnostic, "path:line: …", and stops the spec; line 0: spec_line. Does not return, but
 * has a result so that `return spec_fail(…)` can end a lua_CFunction. */
int spec_fail(lua_State *L, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4), noreturn));
/* Stops the spec for the diagnostic that is already there. */
int spec_stop(lua_State *L) __attribute__((noreturn));
/* Sets the diagnostic; "path:line: " goes before the message (line 0: only "path: "). */
void spec_diag(Spec *s, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Message handler of lua_pcall: what Lua itself or error() raised becomes the diagnostic. */
int spec_on_error(lua_State *L);
/* Says which limit was reached: for LUA_ERRMEM. */
void spec_diag_memory(Spec *s);
/* Calls work(arg), which may use the arena and set the diagnostic but not call Lua. If it does the
 * latter, or if the arena is full, the spec is stopped. */
void spec_guarded(lua_State *L, void (*work)(void *), void *arg);
/* What stands at this index, for messages: "a number", "nil", "nothing". */
const char *spec_what(lua_State *L, int index);
/* Copies a text to the arena. */
const char *spec_keep(lua_State *L, const char *text);
/* "; did you mean 'pad'?" or "", in buf: the nearest of `names`, or one that `word` begins with (kernel_size).
 * Sorts `names`, so that of two equally near ones always the same is chosen. */
const char *spec_nearest(char buf[SPEC_NAME], const char *word, const char **names, size_t n);

/* ---- the sandbox: sandbox.c, library.c, text_library.c --------------------------------------- */

void *sandbox_alloc(void *spec, void *p, size_t old, size_t size); /* a lua_Alloc */
/* Stops the spec when its time is over. */
void sandbox_check_time(lua_State *L);
/* From here on functions of the spec are interrupted when their time is over. */
void sandbox_start_clock(lua_State *L);
/* Pushes the table of global names, with the safe part of Lua's libraries in it. */
void library_push(lua_State *L);
/* Adds find, match, gmatch, gsub and rep, each bounded in time, to the table on top. */
void text_library_add(lua_State *L);

/* ---- the language -------------------------------------------------------------------------- */

void value_register(lua_State *L); /* value.c: makes the metatable of tensors */
void value_push(lua_State *L, Node *n);
Node *value_test(lua_State *L, int index);      /* NULL if it is no tensor */
bool layer_is_user(Op op);                      /* layer.c: whether a spec may write this op */
void layer_push(lua_State *L, Op op, int line); /* its constructor, called on this line; 0: on the caller's */
int layer_make(lua_State *L, Op op, int line);  /* the constructor itself: arguments are the whole stack */
/* block.c: constructors of several layers. Name i of them, NULL after the last; pushes the one of this name, called on
 * this line as above, or says that there is none. */
const char *block_name(int i);
bool block_push(lua_State *L, const char *word, int line);
int spec_input(lua_State *L);                   /* input.c */
int spec_weight(lua_State *L);
int spec_param(lua_State *L);                   /* param.c */
bool param_check_set(Spec *s);                  /* whether every --set was asked for; else sets the diagnostic */
int spec_schedules(lua_State *L);               /* schedules.c */
void schedules_apply(Spec *s);                  /* to the layers of the graph; an unknown one sets the diagnostic */
int spec_scope(lua_State *L);                   /* scope.c */
/* The full name of a layer: prefix and `given`, or prefix, op and a number when given is NULL. */
void scope_name(lua_State *L, int line, const char *op, const char *given, char out[SPEC_NAME + 1]);
void outputs_add(lua_State *L); /* outputs.c: from what the spec returned, which is the whole stack */

#endif
