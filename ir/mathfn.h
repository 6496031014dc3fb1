/* exp, log, tanh, sigmoid, erf, expm1, log1p, pow as straight-line programs of float and integer operations: the one
 * definition that the emitter turns into vector code and the interpreter executes, so that both
 * give the same bits. Generated code calls nothing. ir/mathfn/ has them, a family
 * a file, with the polynomials and their sources, and their largest error in ULP (table.c). */
#ifndef LUNETTE_IR_MATHFN_H
#define LUNETTE_IR_MATHFN_H

#include "ir/loop.h"

typedef enum MathOp {
    MATH_IN,     /* argument i (float) */
    MATH_FLOAT,  /* the constant f */
    MATH_INT,    /* the constant i (int32) */
    MATH_ADD, MATH_SUB, MATH_MUL, MATH_DIV, /* float a, b: one rounding each */
    MATH_FMA,    /* a·b + c, one rounding or two as the target says */
    MATH_MAX, MATH_MIN, /* a > b ? a : b;  a < b ? a : b */
    MATH_LT,     /* c < d ? a : b on floats, false for NaN */
    MATH_BITS,   /* float → int32, the same bits */
    MATH_UNBITS, /* int32 → float, the same bits */
    MATH_IADD, MATH_ISUB, MATH_IAND, MATH_IOR, /* int32, wrapping */
    MATH_ISHL, MATH_ISHR, MATH_ISAR,           /* a by the constant i, 0 … 31 */
    MATH_ITOF,   /* int32 → float, exact in all uses */
} MathOp;

typedef struct MathIns {
    MathOp op;
    uint8_t a, b, c, d; /* earlier instructions */
    float f;
    int32_t i;
} MathIns;

typedef struct MathProgram {
    const MathIns *ins; /* the last one is the result, a float */
    int n;
} MathProgram;

/* The program of a function that has one; NULL for functions that need none. */
const MathProgram *math_program(Fn fn);

#endif
