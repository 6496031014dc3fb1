/* How the programs of ir/mathfn.h are written: a list of named instructions, each naming earlier ones.
 *
 *     #define SQUARE_PLUS_ONE(I)                                                                       \
 *         I(X, ARG(0))                                                                                 \
 *         I(ONE, FLOAT(1))                                                                             \
 *         I(Y, FMA(X, X, ONE))
 *     MATH_PROGRAM(math_square_plus_one, SQUARE_PLUS_ONE)
 *
 * A block is a list with a prefix P for its names, so that a program can have it more than once. */
#ifndef LUNETTE_IR_MATHFN_PROGRAM_H
#define LUNETTE_IR_MATHFN_PROGRAM_H

#include "ir/mathfn.h"

#define OP2(o, x, y)              {.op = (o), .a = (x), .b = (y)}
#define OP1I(o, x, n)             {.op = (o), .a = (x), .i = (n)}
#define ARG(n)                    {.op = MATH_IN, .i = (n)}
#define FLOAT(v)                  {.op = MATH_FLOAT, .f = (v)}
#define INT(v)                    {.op = MATH_INT, .i = (v)}
#define ADD(x, y)                 OP2(MATH_ADD, x, y)
#define SUB(x, y)                 OP2(MATH_SUB, x, y)
#define MUL(x, y)                 OP2(MATH_MUL, x, y)
#define DIV(x, y)                 OP2(MATH_DIV, x, y)
#define FMA(x, y, z)              {.op = MATH_FMA, .a = (x), .b = (y), .c = (z)}
#define MAX_OF(x, y)              OP2(MATH_MAX, x, y)
#define MIN_OF(x, y)              OP2(MATH_MIN, x, y)
#define IF_LESS(l, r, yes, no)    {.op = MATH_LT, .a = (yes), .b = (no), .c = (l), .d = (r)}
#define BITS_OF(x)                {.op = MATH_BITS, .a = (x)}
#define FLOAT_OF(x)               {.op = MATH_UNBITS, .a = (x)}
#define IADD(x, y)                OP2(MATH_IADD, x, y)
#define ISUB(x, y)                OP2(MATH_ISUB, x, y)
#define AND(x, y)                 OP2(MATH_IAND, x, y)
#define OR(x, y)                  OP2(MATH_IOR, x, y)
#define SHL(x, n)                 OP1I(MATH_ISHL, x, n)
#define SAR(x, n)                 OP1I(MATH_ISAR, x, n)
#define FROM_INT(x)               {.op = MATH_ITOF, .a = (x)}

#define MATH_NAME(name, ...) name,
#define MATH_INS(name, ...)  [name] = __VA_ARGS__,
#define MATH_PROGRAM(function, LIST)                                                                                   \
    const MathProgram *function(void) {                                                                                \
        enum { LIST(MATH_NAME) LENGTH };                                                                               \
        static const MathIns ins[] = {LIST(MATH_INS)};                                                                 \
        static const MathProgram program = {ins, LENGTH};                                                              \
        _Static_assert(LENGTH <= 256, "operands are bytes");                                                           \
        return &program;                                                                                               \
    }

enum { SIGN_BIT = INT32_MIN, NO_SIGN = INT32_MAX, ONE_BIAS = 127 };
enum { ROUND_MAGIC_BITS = 0x4B400000 };
#define ROUND_MAGIC 12582912.0f /* 1.5·2^23: the sum's last bit is worth 1 */
#define LN2_HI      0x1.62e4p-1f /* 15 bits */
#define LN2_LO      0x1.7f7d1cp-20f

const MathProgram *math_exp(void);
const MathProgram *math_expm1(void);
const MathProgram *math_log(void);
const MathProgram *math_log1p(void);
const MathProgram *math_tanh(void);
const MathProgram *math_sigmoid(void);
const MathProgram *math_erf(void);
const MathProgram *math_pow(void);

#endif
