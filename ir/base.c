#include "ir/base.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- diagnostics ------------------------------------------------------------------------- */

/* Names and texts that come out of a file may hold anything: a message neither breaks its line nor steers a terminal. */
static void diag_clean(Diag *d) {
    for (unsigned char *s = (unsigned char *)d->text; *s; s++)
        if (*s < ' ' || *s == 0x7f) *s = '?';
}

bool diag_vfail(Diag *d, DiagKind kind, const char *fmt, va_list ap) {
    if (d && d->kind == DIAG_NONE) {
        d->kind = kind;
        vsnprintf(d->text, sizeof d->text, fmt, ap);
        diag_clean(d);
    }
    return false;
}

bool diag_fail(Diag *d, DiagKind kind, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    diag_vfail(d, kind, fmt, ap);
    va_end(ap);
    return false;
}

void diag_prefix(Diag *d, const char *fmt, ...) {
    if (!d || d->kind == DIAG_NONE) return;
    char old[sizeof d->text];
    memcpy(old, d->text, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(d->text, sizeof d->text, fmt, ap);
    va_end(ap);
    size_t at = n < 0 ? 0 : (size_t)n;
    if (at + 3 >= sizeof d->text) return;
    memcpy(d->text + at, ": ", 2);
    memcpy(d->text + at + 2, old, sizeof d->text - at - 2);
    d->text[sizeof d->text - 1] = '\0';
    diag_clean(d);
}

static size_t text_distance(const char *a, const char *b) {
    size_t n = strlen(b), row[64];
    if (n >= COUNT_OF(row)) return SIZE_MAX;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

const char *text_nearest(const char *word, const char *const *names, size_t n) {
    size_t best = strlen(word) / 3 + 1;
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t distance = text_distance(word, names[i]);
        if (distance < best || (distance == best && !found)) {
            best = distance;
            found = names[i];
        }
    }
    return found;
}

/* ---- memory ------------------------------------------------------------------------------ */

static long fail_after; /* 0: never; tests run on one thread while it is set */
static _Atomic long live;

static bool mem_refuse(void) {
    if (fail_after == 0) return false;
    if (fail_after > 1) {
        fail_after--;
        return false;
    }
    return true;
}

void *mem_alloc(size_t size) {
    if (mem_refuse()) return NULL;
    void *p = calloc(1, size ? size : 1);
    if (p) live++;
    return p;
}

void *mem_realloc(void *p, size_t size) {
    if (mem_refuse()) return NULL;
    void *q = realloc(p, size ? size : 1);
    if (q && !p) live++;
    return q;
}

void mem_free(void *p) {
    if (!p) return;
    live--;
    free(p);
}

void mem_fail_after(long n) { fail_after = n; }
long mem_live(void) { return live; }

struct ArenaBlock {
    struct ArenaBlock *below;
    _Alignas(16) char bytes[];
};

enum { ARENA_BLOCK = 64 * 1024 };

Arena *arena_open(Diag *d) {
    Arena *a = mem_alloc(sizeof *a);
    if (!a) diag_fail(d, DIAG_MACHINE, "out of memory");
    return a;
}

void arena_close(Arena *a) {
    if (!a) return;
    for (struct ArenaBlock *b = a->top, *below; b; b = below) {
        below = b->below;
        mem_free(b);
    }
    mem_free(a);
}

static void arena_short(Arena *a) {
    if (!a->has_oom) abort(); /* a bug: somebody allocates outside ARENA_TRY */
    longjmp(a->oom, 1);
}

void *arena_alloc(Arena *a, size_t size) {
    if (size > SIZE_MAX / 4) arena_short(a);
    size = (size + 15) & ~(size_t)15;
    if (!a->top || size > a->size - a->used) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        if (a->limit && a->total + room > a->limit) arena_short(a);
        struct ArenaBlock *b = mem_alloc(sizeof *b + room);
        if (!b) arena_short(a);
        b->below = a->top;
        a->top = b;
        a->used = 0;
        a->size = room;
        a->total += room;
    }
    void *p = a->top->bytes + a->used;
    a->used += size;
    return p;
}

void *arena_array(Arena *a, size_t size, size_t n) {
    size_t bytes;
    if (!size_mul(size, n, &bytes)) arena_short(a);
    return arena_alloc(a, bytes);
}

void *arena_copy(Arena *a, const void *p, size_t size) {
    void *q = arena_alloc(a, size);
    if (size) memcpy(q, p, size);
    return q;
}

void *arena_grow(Arena *a, void *old, size_t size, size_t n, size_t cap) {
    void *p = arena_array(a, size, cap);
    if (n) memcpy(p, old, size * n);
    return p;
}

char *arena_strdup(Arena *a, const char *s) { return arena_copy(a, s, strlen(s) + 1); }

char *arena_printf(Arena *a, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = arena_alloc(a, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

/* ---- text -------------------------------------------------------------------------------- */

void text_add(Text *t, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t n = (size_t)vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (t->n + n + 1 > t->cap) {
        size_t cap = t->cap ? t->cap : 256;
        while (cap < t->n + n + 1) cap *= 2;
        t->v = arena_grow(t->arena, t->v, 1, t->n, cap);
        t->cap = cap;
    }
    vsnprintf(t->v + t->n, n + 1, fmt, again);
    va_end(again);
    t->n += n;
}

void text_add_float(Text *t, float x) {
    char buf[40];
    if (isnan(x)) {
        text_add(t, "nan");
        return;
    }
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(buf, sizeof buf, "%.*g", digits, (double)x);
        if (strtof(buf, NULL) == x) break;
    }
    text_add(t, "%s", buf);
}

const char *text_get(Text *t) { return t->v ? t->v : ""; }

void lex_open(Lexer *l, Arena *arena, const char *file, const char *text, Diag *d) {
    *l = (Lexer){.arena = arena, .file = file, .p = text, .line = 1, .diag = d};
    lex_next(l);
}

bool lex_end(Lexer *l, const char *what) {
    return !l->failed && (l->kind == TOK_END || lex_fail(l, "one %s is wanted, more stands after it", what));
}

bool lex_fail(Lexer *l, const char *fmt, ...) {
    if (l->failed) return false;
    l->failed = true;
    l->kind = TOK_END;
    va_list ap;
    va_start(ap, fmt);
    diag_vfail(l->diag, DIAG_SPEC, fmt, ap);
    va_end(ap);
    diag_prefix(l->diag, "%s:%d", l->file, l->line);
    return false;
}

static void lex_set(Lexer *l, TokKind kind, const char *start, const char *end) {
    char *s = arena_alloc(l->arena, (size_t)(end - start) + 1);
    memcpy(s, start, (size_t)(end - start));
    l->kind = kind;
    l->text = s;
    l->p = end;
}

static void lex_number_token(Lexer *l) {
    const char *s = l->p, *e = s;
    while (isdigit((unsigned char)*e)) e++;
    bool is_int = true;
    if (*e == '.' && isdigit((unsigned char)e[1])) {
        is_int = false;
        for (e++; isdigit((unsigned char)*e);) e++;
    }
    if (*e == 'e' || *e == 'E') {
        const char *x = e + 1;
        if (*x == '+' || *x == '-') x++;
        if (isdigit((unsigned char)*x)) {
            is_int = false;
            for (e = x; isdigit((unsigned char)*e);) e++;
        }
    }
    if (is_int && e - s > 18) {
        lex_fail(l, "number too long");
        return;
    }
    lex_set(l, is_int ? TOK_INT : TOK_FLOAT, s, e);
    l->f = strtod(l->text, NULL);
    l->i = is_int ? strtoll(l->text, NULL, 10) : 0;
}

static void lex_string_token(Lexer *l) {
    const char *s = l->p + 1;
    char *out = arena_alloc(l->arena, strcspn(s, "\n") + 1);
    size_t n = 0;
    for (; *s != '"'; s++) {
        if (*s == '\\' && (s[1] == '"' || s[1] == '\\')) s++;
        if (*s == '\0' || *s == '\n') {
            lex_fail(l, "string is not closed");
            return;
        }
        out[n++] = *s;
    }
    l->kind = TOK_STRING;
    l->text = out;
    l->p = s + 1;
}

void lex_next(Lexer *l) {
    if (l->failed) return;
    for (;; l->p++) {
        if (*l->p == '#') l->p += strcspn(l->p, "\n");
        if (*l->p == '\n') l->line++;
        if (*l->p == '\0' || !isspace((unsigned char)*l->p)) break;
    }
    const char *s = l->p, *e = s;
    if (*s == '\0') {
        l->kind = TOK_END;
        l->text = "end of text";
    } else if (isalpha((unsigned char)*s) || *s == '_') {
        while (isalnum((unsigned char)*e) || *e == '_' || (*e == '.' && (isalnum((unsigned char)e[1]) || e[1] == '_')))
            e++;
        lex_set(l, TOK_NAME, s, e);
    } else if (isdigit((unsigned char)*s)) {
        lex_number_token(l);
    } else if (*s == '"') {
        lex_string_token(l);
    } else {
        static const char *const two[] = {"->", "+=", "==", "<=", ">=", "!="};
        size_t n = 1;
        for (size_t i = 0; i < COUNT_OF(two); i++)
            if (strncmp(s, two[i], 2) == 0) n = 2;
        lex_set(l, TOK_PUNCT, s, s + n);
    }
}

bool lex_is(const Lexer *l, const char *text) {
    return !l->failed && (l->kind == TOK_NAME || l->kind == TOK_PUNCT) && strcmp(l->text, text) == 0;
}

bool lex_take(Lexer *l, const char *text) {
    if (!lex_is(l, text)) return false;
    lex_next(l);
    return true;
}

bool lex_want(Lexer *l, const char *text) {
    if (lex_take(l, text)) return true;
    return lex_fail(l, "'%s' expected, '%.80s' found", text, l->text ? l->text : "");
}

bool lex_name(Lexer *l, const char **out) {
    if (l->failed) return false;
    if (l->kind != TOK_NAME) return lex_fail(l, "a name expected, '%.80s' found", l->text);
    *out = l->text;
    lex_next(l);
    return true;
}

bool lex_int(Lexer *l, int64_t lo, int64_t hi, int64_t *out) {
    bool minus = lex_take(l, "-");
    if (l->failed) return false;
    if (l->kind != TOK_INT) return lex_fail(l, "an integer expected, '%.80s' found", l->text);
    int64_t i = minus ? -l->i : l->i;
    if (i < lo || i > hi) return lex_fail(l, "%lld is not in %lld … %lld", (long long)i, (long long)lo, (long long)hi);
    *out = i;
    lex_next(l);
    return true;
}

bool lex_number(Lexer *l, double *out) {
    bool minus = lex_take(l, "-");
    if (l->failed) return false;
    if (lex_is(l, "inf")) *out = INFINITY;
    else if (lex_is(l, "nan")) *out = NAN;
    else if (l->kind == TOK_INT || l->kind == TOK_FLOAT) *out = l->f;
    else return lex_fail(l, "a number expected, '%.80s' found", l->text);
    if (minus) *out = -*out;
    lex_next(l);
    return true;
}
