/* The matcher walks pattern and text together and recurs where it may have to come back: at
 * repetitions, `?` and captures. A pattern of k repetitions can so take (length of text)^k steps; every 4096th looks
 * at the clock. tests/test_spec.c compares it with Lua's own on random patterns. */
#include "frontend/lua/pattern.h"

#include "frontend/lua/state.h"

#include <ctype.h>
#include <string.h>

enum { MAX_DEPTH = 200 };

static unsigned char byte_at(const char *s) { return (unsigned char)*s; }

static void step(Match *m) {
    if ((++m->steps & 4095) == 0) sandbox_check_time(m->L);
}

/* ---- one character ------------------------------------------------------------------------- */

static bool in_class(int c, int class) {
    bool in;
    switch (tolower(class)) {
    case 'a': in = isalpha(c); break;
    case 'c': in = iscntrl(c); break;
    case 'd': in = isdigit(c); break;
    case 'g': in = isgraph(c); break;
    case 'l': in = islower(c); break;
    case 'p': in = ispunct(c); break;
    case 's': in = isspace(c); break;
    case 'u': in = isupper(c); break;
    case 'w': in = isalnum(c); break;
    case 'x': in = isxdigit(c); break;
    default: return class == c;
    }
    return isupper(class) ? !in : in;
}

/* Where the item that begins at p ends: after "x", "%d" or "[a-z]". */
static const char *item_end(Match *m, const char *p) {
    if (*p == '%') {
        if (p + 1 == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p != '[') return p + 1;
    p++;
    if (*p == '^') p++;
    do { /* a ']' that comes first stands for itself */
        if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == '%' && p < m->pattern_end) p++;
    } while (*p != ']');
    return p + 1;
}

/* Whether c is in the set [p, end); `end` is after its ']'. */
static bool in_set(Match *m, int c, const char *p, const char *end) {
    const char *last = end - 1;
    bool found = true;
    p++;
    if (*p == '^') {
        found = false;
        p++;
    }
    while (p < last) {
        step(m);
        if (*p == '%') {
            if (in_class(c, byte_at(p + 1))) return found;
            p += 2;
        } else if (p[1] == '-' && p + 2 < last) {
            if (byte_at(p) <= c && c <= byte_at(p + 2)) return found;
            p += 3;
        } else {
            if (byte_at(p) == c) return found;
            p++;
        }
    }
    return !found;
}

static bool matches_one(Match *m, const char *s, const char *p, const char *end) {
    step(m);
    if (s >= m->text_end) return false;
    int c = byte_at(s);
    switch (*p) {
    case '.': return true;
    case '%': return in_class(c, byte_at(p + 1));
    case '[': return in_set(m, c, p, end);
    default: return byte_at(p) == c;
    }
}

/* ---- items that are no single character ---------------------------------------------------- */

/* %bxy, p at x. The end, or NULL. */
static const char *match_balance(Match *m, const char *s, const char *p) {
    if (p >= m->pattern_end - 1) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->text_end || *s != *p) return NULL;
    int open = 1;
    for (s++; s < m->text_end; s++) {
        step(m);
        if (*s == p[1]) {
            if (--open == 0) return s + 1;
        } else if (*s == p[0]) {
            open++;
        }
    }
    return NULL;
}

/* %f[set], p at '['. */
static bool at_frontier(Match *m, const char *s, const char *p, const char *end) {
    int before = s == m->text ? '\0' : byte_at(s - 1);
    int after = s == m->text_end ? '\0' : byte_at(s);
    return !in_set(m, before, p, end) && in_set(m, after, p, end);
}

/* %1 … %9: the text of that capture again. */
static const char *match_again(Match *m, const char *s, int digit) {
    int i = digit - '1';
    if (i < 0 || i >= m->n_capture || m->capture[i].kind == CAPTURE_OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    if (m->capture[i].kind == CAPTURE_POSITION) return NULL;
    size_t n = (size_t)m->capture[i].length;
    m->steps |= n > 4095 ? 4095 : 0; /* a long comparison: look at the clock next */
    step(m);
    return (size_t)(m->text_end - s) >= n && memcmp(m->capture[i].at, s, n) == 0 ? s + n : NULL;
}

static const char *match_open(Match *m, const char *s, const char *p) {
    bool position = *p == ')';
    if (m->n_capture == PATTERN_CAPTURES) luaL_error(m->L, "too many captures");
    m->capture[m->n_capture++] = (Capture){s, 0, position ? CAPTURE_POSITION : CAPTURE_OPEN};
    const char *e = pattern_match(m, s, position ? p + 1 : p);
    if (!e) m->n_capture--;
    return e;
}

static const char *match_close(Match *m, const char *s, const char *p) {
    int i = m->n_capture - 1;
    while (i >= 0 && m->capture[i].kind != CAPTURE_OPEN) i--;
    if (i < 0) luaL_error(m->L, "invalid pattern capture");
    m->capture[i].kind = CAPTURE_CLOSED;
    m->capture[i].length = s - m->capture[i].at;
    const char *e = pattern_match(m, s, p);
    if (!e) m->capture[i].kind = CAPTURE_OPEN;
    return e;
}

/* The item [p, end) as often as it fits but at least `least` times, then fewer and fewer. */
static const char *match_most(Match *m, const char *s, const char *p, const char *end, ptrdiff_t least) {
    ptrdiff_t n = 0;
    while (matches_one(m, s + n, p, end)) n++;
    for (; n >= least; n--) {
        const char *e = pattern_match(m, s + n, end + 1);
        if (e) return e;
    }
    return NULL;
}

/* The item as seldom as it does. */
static const char *match_least(Match *m, const char *s, const char *p, const char *end) {
    for (;; s++) {
        const char *e = pattern_match(m, s, end + 1);
        if (e || !matches_one(m, s, p, end)) return e;
    }
}

/* ---- the pattern --------------------------------------------------------------------------- */

/* One item at p that is a single character, perhaps repeated. Returns true with the answer in *e, or
 * false with *s and *p moved on. */
static bool match_single(Match *m, const char **s, const char **p, const char **e) {
    const char *end = item_end(m, *p);
    switch (*end) {
    case '*': *e = match_most(m, *s, *p, end, 0); return true;
    case '+': *e = match_most(m, *s, *p, end, 1); return true;
    case '-': *e = match_least(m, *s, *p, end); return true;
    case '?':
        if (matches_one(m, *s, *p, end) && (*e = pattern_match(m, *s + 1, end + 1))) return true;
        *p = end + 1;
        return false;
    default:
        *e = NULL;
        if (!matches_one(m, *s, *p, end)) return true;
        ++*s;
        *p = end;
        return false;
    }
}

/* An item that begins with '%' and is no class: as match_single. *is_one: it is a single character. */
static bool match_percent(Match *m, const char **s, const char **p, const char **e, bool *is_one) {
    int c = byte_at(*p + 1);
    const char *set, *end;
    *e = NULL;
    if (c == 'b') {
        *s = match_balance(m, *s, *p + 2);
        *p += 4;
    } else if (c == 'f') {
        set = *p + 2;
        if (*set != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
        end = item_end(m, set);
        if (!at_frontier(m, *s, set, end)) *s = NULL;
        *p = end;
    } else if (isdigit(c)) {
        *s = match_again(m, *s, c);
        *p += 2;
    } else {
        *is_one = true;
        return match_single(m, s, p, e);
    }
    return *s == NULL;
}

static const char *match_items(Match *m, const char *s, const char *p) {
    const char *e = NULL;
    while (p != m->pattern_end) {
        bool is_one = false, done;
        step(m);
        if (*p == '(') return match_open(m, s, p + 1);
        if (*p == ')') return match_close(m, s, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end) return s == m->text_end ? s : NULL;
        if (*p == '%') done = match_percent(m, &s, &p, &e, &is_one);
        else done = match_single(m, &s, &p, &e);
        if (done) return e;
    }
    return s;
}

const char *pattern_match(Match *m, const char *s, const char *p) {
    if (++m->depth > MAX_DEPTH) luaL_error(m->L, "pattern too complex");
    const char *e = match_items(m, s, p);
    m->depth--;
    return e;
}

/* ---- captures ------------------------------------------------------------------------------ */

void pattern_push_capture(Match *m, int i, const char *s, const char *e) {
    if (i >= m->n_capture) {
        if (i != 0) luaL_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, s, (size_t)(e - s));
        return;
    }
    const Capture *c = &m->capture[i];
    switch (c->kind) {
    case CAPTURE_OPEN: luaL_error(m->L, "unfinished capture"); break;
    case CAPTURE_POSITION: lua_pushinteger(m->L, c->at - m->text + 1); break;
    case CAPTURE_CLOSED: lua_pushlstring(m->L, c->at, (size_t)c->length); break;
    }
}

int pattern_push_captures(Match *m, const char *s, const char *e) {
    int n = m->n_capture == 0 && s ? 1 : m->n_capture;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++) pattern_push_capture(m, i, s, e);
    return n;
}
