/* Lua patterns (Lua 5.4 manual, 6.4.1), matched by backtracking that can be interrupted. */
#ifndef LUNETTE_FRONTEND_LUA_PATTERN_H
#define LUNETTE_FRONTEND_LUA_PATTERN_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum { PATTERN_CAPTURES = 32 };

typedef struct Capture {
    const char *at;
    ptrdiff_t length; /* or one of: */
    enum { CAPTURE_CLOSED, CAPTURE_OPEN, CAPTURE_POSITION } kind;
} Capture;

typedef struct Match {
    lua_State *L;
    const char *text, *text_end;
    const char *pattern_end; /* '\0' stands here, as after every Lua string */
    Capture capture[PATTERN_CAPTURES];
    int n_capture;
    int depth;      /* of recursion */
    unsigned steps; /* since the pattern was opened */
} Match;

/* The end of the match of `p` at `s`, or NULL. Raises an error if the pattern is wrong or too deep, and
 * stops the spec when its time is over. */
const char *pattern_match(Match *m, const char *s, const char *p);
/* Pushes capture i of the match [s, e); the whole match for i = 0 if there are no captures. */
void pattern_push_capture(Match *m, int i, const char *s, const char *e);
/* Pushes all captures, or the whole match if there are none and s is not NULL; returns how many. */
int pattern_push_captures(Match *m, const char *s, const char *e);

#endif
