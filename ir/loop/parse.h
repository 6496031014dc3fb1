/* What the two halves of the loop parser share: parse.c reads kernels and statements,
 * parse_expr.c affine forms and expressions. */
#ifndef LUNETTE_IR_LOOP_PARSE_H
#define LUNETTE_IR_LOOP_PARSE_H

#include "ir/loop.h"

/* Bounds on what a text may ask for. They keep recursion off the end of the stack and every affine
 * form far from overflow; real kernels stay well below. */
enum {
    MAX_NESTING = 64,     /* loops and reg/scratch in each other */
    MAX_EXPR_DEPTH = 200, /* of the whole DAG, bindings included, since later passes recurse over it */
    MAX_BINDINGS = 1000,  /* of one store */
    MAX_CALLS = 4096,     /* functions and operators of one store: walks over them are quadratic */
    MAX_NAMES = 4096,     /* buffers; tables */
    MAX_LOOPS = 1 << 16,
    MAX_TABLE = 1 << 24,
    MAX_LOOP_EXTENT = 1 << 30,
};
static const int64_t max_coef = (int64_t)1 << 40;
static const int64_t max_reach = (int64_t)1 << 42;      /* Σ |coef|·extent + |base| */
static const int64_t max_iterations = (int64_t)1 << 50; /* of one loop with all that enclose it */

/* An expression and its depth: 1 for a leaf. NULL after an error. */
typedef struct Sized {
    const Expr *e;
    int depth;
} Sized;

typedef struct Named { /* a binding of the store being read */
    const char *name;
    Sized value;
} Named;

typedef struct Parser {
    Lexer *l;
    Arena *arena;
    Kernel *k;                       /* NULL: a formula, whose names are the bindings and nothing else */
    int loop[MAX_NESTING], n_loop;   /* variables of the enclosing loops, outermost first */
    int alive[MAX_NESTING], n_alive; /* registers and scratch buffers of the enclosing statements */
    int nesting;
    int expr_depth; /* recursion now */
    int n_calls;    /* in this store */
    Named *bound;
    int n_bound, cap_bound;
} Parser;

/* A buffer that can be named here (a parameter, or alive), −1 if there is none. */
int parse_find_buf(const Parser *p, const char *name);
bool parse_affine(Parser *p, Affine *out);
/* "[sub, …]" with n subscripts; NULL after an error. `name` is for the message. `takes` (one a subscript, cleared by
 * the caller) is where indirect parts go, NULL where there cannot be any. */
typedef struct TakeText {
    Sized index; /* .e NULL: none */
    int64_t limit;
} TakeText;
const Affine *parse_subs(Parser *p, const char *name, int n, TakeText *takes);
Sized parse_expr(Parser *p);
/* The value of a store, up to its ';': an expression and perhaps "with t0 = …, t1 = …". */
const Expr *parse_value(Parser *p);

#endif
