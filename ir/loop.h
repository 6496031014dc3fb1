/* The loop level: a kernel is one or more loop nests over buffers, canonical by construction.
 * Extents are constants and subscripts are affine forms over loop variables. The four loop marks
 * (for, par, unroll, vec) all mean the same as `for`: the emitter acts on them, the interpreter
 * ignores them. ir/README.md has the grammar and the meaning.
 *
 *   kernel conv1(in x : f32[C4 h58 w58 c16], in w : f32[O4 C4 h3 w3 c16 o16], in b : f32[o64],
 *                out y : f32[C4 h56 w56 c16])
 *   by { split w 14 -> wo wi; … }
 *   {
 *       par O 4 { par h 56 { for wo 4 {
 *           reg acc : f32[w14 o16] {
 *               unroll wi 14 { vec o 16 { acc[wi, o] = b[16*O + o]; } }
 *               …
 *           }
 *       } } }
 *   }
 */
#ifndef LUNETTE_IR_LOOP_H
#define LUNETTE_IR_LOOP_H

#include "ir/target.h"
#include "ir/type.h"

/* ---- affine forms ------------------------------------------------------------------------ */

typedef struct Term {
    int var;      /* index into Kernel.var */
    int64_t coef; /* never 0 */
} Term;

typedef struct Affine { /* base + Σ coef·var; terms by ascending var, each var once; immutable */
    int64_t base;
    int n;
    const Term *term;
} Affine;

/* ---- expressions: immutable, shared freely (a DAG) ---------------------------------------- */

enum { MAX_TAKE = 1 << 24 }; /* floats hold every index below */

/* name in text, arguments */
#define LOOP_FNS(X)                                                                                \
    X(NEG, "neg", 1) X(ABS, "abs", 1) X(SQRT, "sqrt", 1) X(EXP, "exp", 1) X(LOG, "log", 1)         \
    X(TANH, "tanh", 1) X(SIGMOID, "sigmoid", 1)                                                    \
    X(ERF, "erf", 1) X(EXPM1, "expm1", 1) X(LOG1P, "log1p", 1) X(POW, "pow", 2)                    \
    X(ADD, "+", 2) X(SUB, "-", 2) X(MUL, "*", 2) X(DIV, "/", 2)                                    \
    X(MAX, "max", 2)  /* max(a, b) is a > b ? a : b */                                             \
    X(MIN, "min", 2)  /* min(a, b) is a < b ? a : b */                                             \
    X(FMA, "fma", 3)  /* fma(a, b, c): a·b + c as the target rounds it, once or twice */           \
    X(LT, "<", 4)     /* select(a < b, x, y): false when a or b is NaN */                          \
    X(LE, "<=", 4) X(EQ, "==", 4)

typedef enum Fn {
#define X(id, text, n) FN_##id,
    LOOP_FNS(X)
#undef X
    FN_COUNT
} Fn;

typedef enum ExprKind {
    EXPR_CONST, /* value */
    EXPR_LOAD,  /* buf[sub …], with take in an axis: sub + the value taken */
    EXPR_INDEX, /* an affine form as a float */
    EXPR_TABLE, /* table[sub[0]] : a constant table of floats */
    EXPR_CALL,  /* fn(arg …) */
} ExprKind;

/* The indirect part of a subscript, computed at run time: index clamped to 0 … limit−1 (NaN: 0) and truncated. So
 * the subscript is in bounds by construction. */
typedef struct TakeIndex {
    const struct Expr *index; /* NULL: the subscript is affine */
    int64_t limit;            /* 1 … MAX_TAKE */
} TakeIndex;

typedef struct Expr {
    ExprKind kind;
    float value;
    int buf;           /* LOAD: into Kernel.buf; TABLE: into Kernel.table */
    const Affine *sub; /* LOAD: one a buffer axis; INDEX, TABLE: one */
    const TakeIndex *take; /* LOAD: one a buffer axis, n_take of them, one at least with an index; NULL and 0: none */
    int n_take;
    Fn fn;
    const struct Expr *arg[4];
} Expr;

/* ---- statements --------------------------------------------------------------------------- */

typedef enum Mark { MARK_FOR, MARK_PAR, MARK_UNROLL, MARK_VEC } Mark;

typedef enum StoreOp { STORE_SET, STORE_ADD, STORE_MAX } StoreOp; /* =  +=  max= */

typedef enum StmtKind { STMT_FOR, STMT_STORE, STMT_ALLOC, STMT_PREFETCH } StmtKind;

/* Iterations of a loop that are carried out: those with lo <= form < hi. The form has the loop's own variable and none of
 * the loops inside. The others would add nothing (step `clip`), so proofs may take the loop as a whole. */
typedef struct Guard {
    Affine form;
    int64_t lo, hi;
} Guard;

/* A list of statements is linked by `next`. += with a product on top is a multiply-add: one
 * rounding or two as the target says; max= stores max(old, value); both are for f32. = converts to the
 * element type of the target: truncated, saturated, NaN is 0; for bool 1 unless the value is 0. A prefetch does nothing: it
 * names an element whose cache line is wanted soon, and that may lie outside its buffer. */
typedef struct Stmt {
    StmtKind kind;
    struct Stmt *next;
    struct Stmt *body; /* FOR, ALLOC */
    int var;           /* FOR: its variable, 0 … extent−1; every loop has a variable of its own */
    Mark mark;         /* FOR */
    const Guard *guard; /* FOR; NULL: all iterations */
    int buf;           /* STORE: target; ALLOC: the REG or SCRATCH buffer that lives in `body`; PREFETCH: a parameter or scratch */
    const Affine *sub; /* STORE, PREFETCH: one a buffer axis */
    StoreOp op;        /* STORE */
    const Expr *value; /* STORE */
} Stmt;

typedef struct Var {
    const char *name; /* unique among the enclosing loops; steps address loops by name, all that have it */
    int64_t extent;   /* ≥ 1 */
} Var;

typedef enum BufKind {
    BUF_IN, BUF_OUT,      /* parameters, in the order of Kernel.buf: buf[0 … n_param−1] */
    BUF_REG, BUF_SCRATCH, /* declared by an ALLOC: a register tile, a per-thread buffer */
} BufKind;

typedef struct Buf {
    const char *name; /* unique in the kernel */
    BufKind kind;
    Type type;        /* the whole memory: extents include halos, lo = hi = 0; REG and SCRATCH hold f32 */
    int32_t lo[MAX_AXES], hi[MAX_AXES]; /* IN: so many elements at the ends of each axis hold `halo`, whoever calls */
    float halo;
    bool is_over;     /* OUT: may be given the memory of an input, or memory of its own, with the same results … */
    int over;         /* … this one */
} Buf;

typedef struct Table {
    const char *name;
    int n;
    const float *v;
} Table;

typedef struct Kernel {
    Arena *arena; /* owns everything below */
    const char *name;
    Buf *buf;     int n_buf, cap_buf;   /* parameters first */
    int n_param;
    Var *var;     int n_var, cap_var;
    Table *table; int n_table, cap_table;
    const char *steps; /* the schedule applied so far, "split w 14 -> wo wi; …"; "" if none */
    Stmt *body;
} Kernel;

Kernel *kernel_new(Arena *a, const char *name);
/* Parameters must be added before registers and scratch. The type may have halos: they are counted in, and those of inputs
 * remembered. */
int kernel_add_buf(Kernel *k, const char *name, BufKind kind, const Type *type);
int kernel_add_var(Kernel *k, const char *name, int64_t extent);
int kernel_add_table(Kernel *k, const char *name, const float *v, int n);
Kernel *kernel_clone(Arena *a, const Kernel *k); /* a deep copy of what steps change: bufs, vars, statements */

/* ---- affine.c ----------------------------------------------------------------------------- */

Affine affine_const(int64_t c);
Affine affine_var(Arena *a, int var);
Affine affine_add(Arena *a, Affine x, Affine y);
Affine affine_scale(Arena *a, Affine x, int64_t c);
Affine affine_offset(Affine x, int64_t c);
Affine affine_subst(Arena *a, Affine x, int var, Affine by);
int64_t affine_coef(const Affine *x, int var);
bool affine_equal(const Affine *x, const Affine *y);
/* Smallest and largest value over all iterations. */
void affine_range(const Kernel *k, const Affine *x, int64_t *lo, int64_t *hi);
/* The same over iterations that meet all of these conditions: a bound, the tighter one of the range and what each condition by itself says. */
void affine_range_if(const Kernel *k, const Affine *x, const Guard *const *guard, int n, int64_t *lo, int64_t *hi);
/* How many values x takes, if they are all those between its smallest and its largest; 0 if that cannot be proved. */
int64_t affine_dense(const Kernel *k, const Affine *x);
/* ⌊x/d⌋ and x mod d as affine forms, where that can be proved: terms whose coefficient d divides
 * go to the quotient, and the rest must stay within 0 … d−1. False if not. */
bool affine_divmod(const Kernel *k, Affine x, int64_t d, Affine *quotient, Affine *remainder);
/* A buffer's row-major memory offset in elements for these subscripts. */
Affine affine_linear(Arena *a, const Type *type, const Affine *sub);

/* ---- build.c: statements and expressions --------------------------------------------------- */

Stmt *stmt_for(Kernel *k, int var, Mark mark, Stmt *body);
Stmt *stmt_store(Kernel *k, int buf, const Affine *sub, StoreOp op, const Expr *value); /* copies sub */
Stmt *stmt_prefetch(Kernel *k, int buf, const Affine *sub); /* copies sub */
Stmt *stmt_alloc(Kernel *k, int buf, Stmt *body);
bool stmts_late(const Stmt *list); /* a loop in it has a condition, or there is a prefetch */
Stmt *stmt_append(Stmt *list, Stmt *more); /* either may be NULL */
const Expr *expr_const(Arena *a, float v);
const Expr *expr_load(Kernel *k, int buf, const Affine *sub); /* copies sub */
/* take: one a buffer axis, copied; index NULL where the subscript is affine. Only inputs are loaded so. */
const Expr *expr_load_take(Kernel *k, int buf, const Affine *sub, const TakeIndex *take);
const Expr *expr_index(Arena *a, Affine x);
const Expr *expr_table(Arena *a, int table, Affine x);
const Expr *expr_call(Arena *a, Fn fn, const Expr *x, const Expr *y, const Expr *z, const Expr *w);
int fn_args(Fn fn);
const char *fn_name(Fn fn);
/* What this node is computed from: the arguments of a call, the indexes of an indirect load. Gives how many. */
int expr_operands(const Expr *e, const Expr *operand[MAX_AXES]);
/* The value changes with this loop. */
bool expr_moves(Arena *a, const Kernel *k, const Expr *e, int var);
/* The store moves the bits of what it loads: no conversion, so an i64 keeps all of them. */
bool stmt_moves(const Kernel *k, const Stmt *store);

/* ---- text: print.c, parse.c; print then parse gives the same text --------------------------- */

void kernel_print(Text *t, const Kernel *k);
const char *kernel_text(Arena *a, const Kernel *k);
/* What a kernel is, apart from its name: kernels of one text are one. */
const char *kernel_nameless_text(Arena *a, const Kernel *k);
/* One kernel; the lexer stands at "kernel". Names, ranges and subscript counts are checked here,
 * the rest by kernel_verify. NULL with DIAG_SPEC, file:line. */
Kernel *kernel_parse(Lexer *l);
/* An expression whose only names are the given ones ("x", "alpha", …): the formulas of pointwise
 * ops. leaf[i] is put where names[i] stands. NULL with `d`. */
const Expr *expr_parse_formula(Arena *a, const char *formula, const char *const *names,
                               const Expr *const *leaf, int n, Diag *d);

/* ---- verify.c ------------------------------------------------------------------------------- */

/* Proves every access in bounds, every par and vec loop free of conflicts, the nest well formed
 * (par loops outermost, vec loops innermost, buffers used inside their life, outputs only of this
 * kernel written), results over an input free to lie in its memory. False with DIAG_INTERNAL and the
 * statement that could not be proved. */
bool kernel_verify(const Kernel *k, Diag *d);
/* No two iterations of the loops in vars[0 … n) (which differ in one of them) touch the same element,
 * one of them writing, inside this statement list. */
bool loops_independent(const Kernel *k, const Stmt *body, const int *vars, int n, Diag *d);

/* Tasks: the iterations of the par loops, numbered through all top-level nests in order (a nest
 * without par is one task). */
int64_t kernel_tasks(const Kernel *k);
/* Bytes that all scratch buffers take in each thread: one inside another lies behind it, those that do not live together share. at: NULL or
 * [n_buf], of each its offset (64-byte aligned). */
int64_t kernel_scratch(const Kernel *k, int64_t *at);
/* par loops of one top-level statement, outermost first: their vars; returns how many. */
int nest_par_vars(const Stmt *nest, int vars[MAX_AXES]);
int64_t nest_tasks(const Kernel *k, const Stmt *nest);
/* The tasks in so many parts of about the same work (iterations of stores): part i is cut[i] … cut[i + 1]−1, cut[0] is 0. */
void kernel_cut(const Kernel *k, int parts, int64_t *cut);

/* ---- steps: step.c and one file a step ------------------------------------------------------- */

/* Applies "split w 14 -> wo wi; order O h wo …" to the kernel, step by step, each verified. False
 * with DIAG_SPEC and "step N 'text': reason"; the kernel is then unchanged. `where` is put before
 * the message ("net.lua:7: conv1"), may be NULL. */
bool kernel_schedule(Kernel *k, const char *steps, const char *where, Diag *d);

#endif
