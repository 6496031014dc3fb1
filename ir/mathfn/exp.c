/* exp    (1 + p)·2^n of REDUCE.
 * expm1  (2^n − 1) + 2^n·p, with 2^(n − 1) and doubled at the end, so that 2^128 is never needed; x itself near 0. */
#include "ir/mathfn/blocks.h"

/* clang-format off */

/* The clamps keep n in −150 … 128; a NaN passes both, since it is not less and not greater. */
#define EXP(I)                                                                                                         \
    I(X, ARG(0))                                                                                                       \
    I(LO, FLOAT(-104)) /* e^−104 < 2^−150 rounds to 0 */                                                               \
    I(A, MAX_OF(LO, X))                                                                                                \
    I(HI, FLOAT(89)) /* overflows in the last multiplication */                                                        \
    I(B, MIN_OF(HI, A))                                                                                                \
    REDUCE(I, RED, B)                                                                                                  \
    I(ONE, FLOAT(1))                                                                                                   \
    I(E, ADD(RED_P, ONE))                                                                                              \
    SCALE(I, SC, E, RED_N)
MATH_PROGRAM(math_exp, EXP)

#define EXPM1(I)                                                                                                       \
    I(X, ARG(0))                                                                                                       \
    I(LO, FLOAT(-25)) /* rounds to −1 */                                                                               \
    I(A, MAX_OF(LO, X))                                                                                                \
    I(HI, FLOAT(89)) /* overflows in the last addition */                                                              \
    I(B, MIN_OF(HI, A))                                                                                                \
    REDUCE(I, RED, B)                                                                                                  \
    I(BIAS, INT(ONE_BIAS - 1))                                                                                         \
    I(N, IADD(RED_N, BIAS))                                                                                            \
    I(SI, SHL(N, 23))                                                                                                  \
    I(S, FLOAT_OF(SI)) /* 2^(n − 1), −37 ≤ n − 1 ≤ 127 */                                                              \
    I(HALF, FLOAT(0.5f))                                                                                               \
    I(S1, SUB(S, HALF))                                                                                                \
    I(T, FMA(RED_P, S, S1))                                                                                            \
    I(T2, ADD(T, T))                                                                                                   \
    I(BITS, BITS_OF(X))                                                                                                \
    I(MASK, INT(NO_SIGN))                                                                                              \
    I(ABITS, AND(BITS, MASK))                                                                                          \
    I(ABS, FLOAT_OF(ABITS))                                                                                            \
    I(NEAR, FLOAT(0x1p-25f))                                                                                           \
    I(Y, IF_LESS(ABS, NEAR, X, T2))
MATH_PROGRAM(math_expm1, EXPM1)
