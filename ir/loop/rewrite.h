/* What the steps share: walking a nest and rewriting subscripts. Private to ir/loop. */
#ifndef LUNETTE_IR_LOOP_REWRITE_H
#define LUNETTE_IR_LOOP_REWRITE_H

#include "ir/loop.h"

/* The conditions of the loops around something, from the inside. */
typedef struct Conditions {
    const Guard *guard;
    const struct Conditions *outer;
} Conditions;

/* One reference to a buffer in a nest. */
typedef struct Access {
    const Stmt *stmt; /* the store it belongs to */
    const Affine *sub;
    const TakeIndex *take; /* of an indirect load, NULL of any other access */
    int buf;
    bool write; /* the store's target; += and max= read it as well */
    const Conditions *conditions;
} Access;

typedef struct AccessList {
    Access *v;
    int n, cap;
} AccessList;

typedef struct ExprList {
    const Expr **v;
    int n, cap;
} ExprList;

/* The nodes of an expression, each once, arguments before their users. */
void expr_collect(Arena *a, const Expr *e, ExprList *out);
/* All accesses of a statement list in textual order, a store's reads before its write. buf < 0: of
 * every buffer. */
void accesses_collect(Arena *a, const Stmt *body, int buf, AccessList *out);
/* The values of a subscript, affine, in the iterations that are carried out. */
void access_range(const Kernel *k, const Access *x, int axis, int64_t *lo, int64_t *hi);
/* The two never touch the same element, whatever the iterations: by their ranges, or by strides. */
bool accesses_disjoint(const Kernel *k, const Access *x, const Access *y);
/* Iterations that touch the same element, one in x, one in y, agree in all of the loops vars[0 … n): −1;
 * else the first of these that could not be proved. Other loops may have any value in either. */
int loops_differ(const Kernel *k, const Access *x, const Access *y, const int *vars, int n);
bool subs_equal(const Kernel *k, int buf, const Affine *x, const Affine *y);
/* bound[v]: loop v is inside this statement list. */
bool *vars_bound(Arena *a, const Kernel *k, const Stmt *body);

/* Replaces variable `var` by `by` and, where `map` is set, the subscripts of buffer `from`: a copy of
 * the statement list; DAG sharing is kept. */
typedef struct Rewrite {
    Kernel *k;
    int var;
    Affine by;                                                  /* var < 0: none */
    int from;                                                   /* < 0: none */
    int to;                                                     /* the buffer that takes its place … */
    const Affine *(*map)(struct Rewrite *r, const Affine *sub); /* … and its subscripts */
    void *ctx;
} Rewrite;

Stmt *stmt_rewrite(Rewrite *r, const Stmt *body);
/* A copy of the list with each loop's variable a new one. */
Stmt *stmt_fresh(Kernel *k, const Stmt *body);

/* The part of a buffer that a statement list touches while the loops outside it stand still:
 * sub[i] = outer[i] + lo[i] + step[i]·(0 … extent[i]−1). */
typedef struct Tile {
    Affine outer[MAX_AXES];
    int64_t lo[MAX_AXES], extent[MAX_AXES], step[MAX_AXES];
} Tile;

/* The tile that all these accesses share; false with a message if their outer parts differ. */
bool tile_of(Kernel *k, const Stmt *body, const AccessList *list, int buf, Tile *tile, Diag *d);
/* Where in the tile a subscript of this axis lies: (sub − outer − lo) / step. */
Affine tile_inside(Kernel *k, const Tile *t, int axis, Affine sub);
/* `wanted`, or with a number behind it: a name that no buffer has. */
const char *buf_fresh_name(Kernel *k, const char *wanted);
/* A REG buffer for it: the axes of extent above 1 (or one of extent 1), with the buffer's letters;
 * axis_of[i] says which buffer axis axis i of the register is. extra > 0 puts an axis of its own of this
 * extent first. −1 with a message if it would be too large or have too many axes. */
int tile_register(Kernel *k, int buf, const Tile *tile, const char *name, int64_t extra, int axis_of[MAX_AXES],
                  Diag *d);

/* Calls fn on every loop with this name; fn returns the list that takes its place, NULL if it failed.
 * False when fn failed or no such loop is there (message with the loops there are). */
typedef Stmt *LoopFn(Kernel *k, Stmt *loop, void *ctx, Diag *d);
bool loops_replace(Kernel *k, const char *name, LoopFn *fn, void *ctx, Diag *d);

/* The steps: each reads its arguments from the lexer, which stands behind the step's name. */
bool step_split(Kernel *k, Lexer *l, Diag *d);
bool step_fuse(Kernel *k, Lexer *l, Diag *d);
bool step_drop(Kernel *k, Lexer *l, Diag *d);
bool step_order(Kernel *k, Lexer *l, Diag *d);
bool step_compute(Kernel *k, Lexer *l, Diag *d);
bool step_stage(Kernel *k, Lexer *l, Diag *d);
bool step_clip(Kernel *k, Lexer *l, Diag *d);
bool step_prefetch(Kernel *k, Lexer *l, Diag *d);
bool step_rfactor(Kernel *k, Lexer *l, Diag *d);
bool step_par(Kernel *k, Lexer *l, Diag *d);
bool step_unroll(Kernel *k, Lexer *l, Diag *d);
bool step_vec(Kernel *k, Lexer *l, Diag *d);
bool step_inplace(Kernel *k, Lexer *l, Diag *d);

/* inplace.c: every result that is over an input may be; for the verifier. */
bool inplace_verify(const Kernel *k, Diag *d);

#endif
