/* What every folder shares: memory, diagnostics, text. Nothing here knows about networks.
 *
 * Three kinds of failure, never mixed:
 *   the user's     a function that can fail takes `Diag *d` last and returns bool or NULL;
 *   ours           assert, or a verifier (DIAG_INTERNAL);
 *   the machine's  out of memory: an arena jumps to the place its owner set (ARENA_TRY), which
 *                  reports DIAG_MACHINE; single blocks (mem_alloc) return NULL.
 */
#ifndef LUNETTE_IR_BASE_H
#define LUNETTE_IR_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* ---- diagnostics ------------------------------------------------------------------------- */

/* The values are the exit codes of the command line. */
typedef enum DiagKind {
    DIAG_NONE = 0,
    DIAG_DIFFERS = 1,     /* checked, and not good */
    DIAG_USAGE = 2,       /* a flag or an argument */
    DIAG_SPEC = 3,        /* the network description */
    DIAG_UNSUPPORTED = 4, /* well formed, but not something Lunette does */
    DIAG_FILE = 5,        /* a weight, image or data file */
    DIAG_INTERNAL = 70,   /* a bug of ours */
    DIAG_MACHINE = 71,    /* memory, threads, disk */
} DiagKind;

typedef struct Diag {
    DiagKind kind;
    char text[1000]; /* one message, no newline at the end; "file:line: " first where there is a place; control bytes
                      * that came out of a file are shown as '?' */
} Diag;

/* Sets the message (the first one wins: a later call leaves an error that is already there) and
 * returns false, so that `return diag_fail(d, …)` is the way out. `d` may be NULL. */
bool diag_fail(Diag *d, DiagKind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool diag_vfail(Diag *d, DiagKind kind, const char *fmt, va_list ap);
/* Puts "prefix: " before the message that is there. */
void diag_prefix(Diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The name among `names` nearest to `word` (edit distance, at most a third of its length), or NULL:
 * for "did you mean". */
const char *text_nearest(const char *word, const char *const *names, size_t n);

/* ---- memory ------------------------------------------------------------------------------ */

/* All heap memory of the library comes through these three, so that tests can make the n-th
 * request fail. mem_alloc gives zeroed memory; NULL when there is none. */
void *mem_alloc(size_t size);
void *mem_realloc(void *p, size_t size);
void mem_free(void *p);
/* Tests only: the n-th request from now (1 is the next) and every later one fails; 0 turns it off. */
void mem_fail_after(long n);
/* Tests only: blocks that are allocated and not yet freed. */
long mem_live(void);

/* a*b and a+b, false when the result does not fit. */
static inline bool size_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool size_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

/* An arena: one a compilation. arena_alloc never returns NULL; when memory is short it jumps to
 * `oom`, which the owner set by ARENA_TRY. Everything is freed at once by arena_close. */
typedef struct Arena {
    struct ArenaBlock *top;
    size_t used, size;   /* of the top block */
    size_t total, limit; /* bytes taken in all; 0: no limit */
    jmp_buf oom;
    bool has_oom;
} Arena;

/* A new arena, or NULL with DIAG_MACHINE. */
Arena *arena_open(Diag *d);
void arena_close(Arena *a);               /* NULL is fine */
void *arena_alloc(Arena *a, size_t size); /* zeroed, 16-byte aligned */
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *arena_copy(Arena *a, const void *p, size_t size);
#define ARENA_NEW(a, T)      ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_array((a), sizeof(T), (size_t)(n)))
void *arena_array(Arena *a, size_t size, size_t n);

/* if (ARENA_TRY(a)) { … work … } else { … out of memory … }; then ARENA_END(a).
 * Locals changed in between and read in the else branch must be volatile. */
#define ARENA_TRY(a) ((a)->has_oom = true, setjmp((a)->oom) == 0)
#define ARENA_END(a) ((a)->has_oom = false)

/* A growing list of T in an arena: ARENA_PUSH(a, list.v, list.n, list.cap, value). */
#define ARENA_PUSH(a, v, n, cap, value)                                                                                \
    do {                                                                                                               \
        if ((n) == (cap)) {                                                                                            \
            (v) = arena_grow((a), (v), sizeof *(v), (size_t)(n), (cap) ? 2 * (size_t)(cap) : 8);                       \
            (cap) = (cap) ? 2 * (cap) : 8;                                                                             \
        }                                                                                                              \
        (v)[(n)++] = (value);                                                                                          \
    } while (0)
void *arena_grow(Arena *a, void *old, size_t size, size_t n, size_t cap);

/* ---- text -------------------------------------------------------------------------------- */

/* A growing text in an arena, always ended by '\0' once something was written. */
typedef struct Text {
    Arena *arena;
    char *v;
    size_t n, cap;
} Text;

void text_add(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The shortest decimal that reads back as the same float32: "0.1", "-inf", "nan", "3". */
void text_add_float(Text *t, float x);
const char *text_get(Text *t); /* "" when empty */

/* A lexer for the text forms: identifiers ([A-Za-z_][A-Za-z0-9_.]*), integers, floats, strings
 * ("…" with \" and \\), and single or double punctuation; '#' starts a comment to the end of the line. */
typedef enum TokKind { TOK_END, TOK_NAME, TOK_INT, TOK_FLOAT, TOK_STRING, TOK_PUNCT } TokKind;

typedef struct Lexer {
    Arena *arena;
    const char *file; /* for messages */
    const char *p;    /* what comes next */
    int line;
    TokKind kind;     /* the current token … */
    const char *text; /* … its text (of a string: the contents) */
    int64_t i;        /* of TOK_INT */
    double f;         /* of TOK_INT and TOK_FLOAT */
    Diag *diag;
    bool failed; /* once set, every lex_ function returns false and moves no more */
} Lexer;

void lex_open(Lexer *l, Arena *arena, const char *file, const char *text, Diag *d);
void lex_next(Lexer *l);
bool lex_is(const Lexer *l, const char *text);                /* current token is this name or punctuation */
bool lex_take(Lexer *l, const char *text);                    /* … and goes on if it is */
bool lex_want(Lexer *l, const char *text);                    /* … and is an error if it is not */
bool lex_name(Lexer *l, const char **out);                    /* a name is wanted */
bool lex_int(Lexer *l, int64_t lo, int64_t hi, int64_t *out); /* an integer in lo … hi; a leading '-' is fine */
bool lex_number(Lexer *l, double *out);                       /* int or float, a leading '-', inf, nan */
bool lex_end(Lexer *l, const char *what); /* all is well and at its end, else "one WHAT is wanted, more stands after it" */
bool lex_fail(Lexer *l, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* DIAG_SPEC, file:line: */

#endif
