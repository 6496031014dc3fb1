/* What kernels share: constants outside the register tile become values of `arg`, and kernels equal but
 * for these have one text, one object and each its own vector of values.
 *
 *   lifted    extents of `for` and `par` loops, above 1; the bounds of conditions; the numbers of tasks and of the first task of a nest;
 *             of an access to a parameter: coefficients of `for`, `par` and `unroll` loops and the constant, above LIFT_SMALL
 *   constant  extents of `unroll` and `vec` loops, coefficients of lanes, small coefficients and constants (positions
 *             in a tile are displacements in instructions); all of an indirect access and of accesses to registers,
 *             scratch and tables. When the unrolled loops with large coefficients give more than LIFT_COPIES places,
 *             each of which would take a register, these coefficients are constant too
 *
 * The emitter knows an access only as what is here, and the text shows all of that: so equal texts are equal code. */
#ifndef LUNETTE_CODEGEN_LIFT_H
#define LUNETTE_CODEGEN_LIFT_H

#include "codegen/memo.h"
#include "ir/loop.h"

enum { LIFT_SMALL = 32, LIFT_COPIES = 4 };

typedef struct LiftTerm {
    int var;
    int64_t coef;
    int arg; /* ≥ 0: it is this value of arg, and coef does not count */
} LiftTerm;

typedef struct Access { /* a place in memory, or any affine form */
    int n;
    const LiftTerm *term; /* outermost loop first; loops of one iteration are left out */
    int64_t base;
    int base_arg; /* ≥ 0: likewise */
    bool inside;  /* no partial sum of it is outside the memory */
    int buf;      /* −1: none */
    bool exact;
    struct Access *next; /* with the same subscripts */
} Access;

typedef struct LiftLoop {
    int number; /* in the text, from 1: the order of the loops there */
    Mark mark;
    int extent; /* its arg; −1: it is a constant */
    const Access *guard; /* of its condition lo <= guard_coef·v + guard < hi; NULL: it has none … */
    int64_t guard_coef;
    int guard_lo, guard_hi; /* … the args */
    bool far;   /* an access steps by more than an element; where none does one variable is the index of all */
} LiftLoop;

typedef struct LiftNest {
    int first, tasks; /* their args; −1: no task before it; one task */
} LiftNest;

typedef struct LiftArg {
    int buf, var; /* what it is a coefficient of; −1: it is none */
    intptr_t value;
} LiftArg;

typedef struct Lift {
    Arena *arena;
    const Kernel *k;
    LiftLoop *loop; /* [k->n_var] */
    LiftNest *nest; /* a top-level statement */
    int n_nest, cap_nest;
    LiftArg *arg;
    int n_arg, cap_arg;
    Memo access; /* subscripts → Access, a list */
    int n_loops;
    Text text; /* names of kernel, buffers and loops are not in it */
} Lift;

Lift *lift_kernel(Arena *a, const Kernel *k);

/* The access with these subscripts; exact: nothing of it is lifted. buf −1: one form as it stands. */
const Access *lift_access(Lift *l, int buf, const Affine *sub, bool exact);
/* The same for an address that may lie outside the buffer. */
const Access *lift_place(Lift *l, int buf, const Affine *sub);
int64_t access_coef(const Access *x, int var);

/* lift_text.c: fills l->text, and with it loops, nests and args in the order of the text. */
void lift_print(Lift *l);

#endif
