/* Parts that several programs have: the reductions of exp and log, and scaling by a power of two. */
#ifndef LUNETTE_IR_MATHFN_BLOCKS_H
#define LUNETTE_IR_MATHFN_BLOCKS_H

#include "ir/mathfn/program.h"

/* clang-format off */

/* e^x = 2^n·(1 + p), Cody and Waite (Software Manual for the Elementary Functions, 1980): n = round(x/ln 2) by
 * adding 1.5·2^23, r = x − n·ln 2 with ln 2 in two parts, the first so short that its product with n is exact;
 * p = r + r²·Q(r). Q: weighted least squares reweighted towards minimax (Lawson), coefficients rounded to float32
 * one after the other, the rest fitted anew each time; its own relative error is 2^-28.2. */
#define REDUCE(I, P, x)                                                                                                \
    I(P##_LOG2E, FLOAT(0x1.715476p+0f))                                                                                \
    I(P##_MAGIC, FLOAT(ROUND_MAGIC))                                                                                   \
    I(P##_T, FMA(x, P##_LOG2E, P##_MAGIC))                                                                             \
    I(P##_NF, SUB(P##_T, P##_MAGIC))                                                                                   \
    I(P##_HI, FLOAT(-LN2_HI))                                                                                          \
    I(P##_R1, FMA(P##_NF, P##_HI, x))                                                                                  \
    I(P##_LO, FLOAT(-LN2_LO))                                                                                          \
    I(P##_R, FMA(P##_NF, P##_LO, P##_R1))                                                                              \
    I(P##_C4, FLOAT(0x1.6a4d78p-10f))                                                                                  \
    I(P##_C3, FLOAT(0x1.12398ep-7f))                                                                                   \
    I(P##_Q3, FMA(P##_C4, P##_R, P##_C3))                                                                              \
    I(P##_C2, FLOAT(0x1.5558bp-5f))                                                                                    \
    I(P##_Q2, FMA(P##_Q3, P##_R, P##_C2))                                                                              \
    I(P##_C1, FLOAT(0x1.555492p-3f))                                                                                   \
    I(P##_Q1, FMA(P##_Q2, P##_R, P##_C1))                                                                              \
    I(P##_C0, FLOAT(0x1.fffffcp-2f))                                                                                   \
    I(P##_Q, FMA(P##_Q1, P##_R, P##_C0))                                                                               \
    I(P##_RR, MUL(P##_R, P##_R))                                                                                       \
    I(P##_P, FMA(P##_RR, P##_Q, P##_R)) /* e^r − 1 */                                                                  \
    I(P##_TI, BITS_OF(P##_T))                                                                                          \
    I(P##_MI, INT(ROUND_MAGIC_BITS))                                                                                   \
    I(P##_N, ISUB(P##_TI, P##_MI)) /* the integer n */

/* e·2^n for −150 ≤ n ≤ 129, in two factors: where the result is subnormal, the one rounding of e's bits is the last
 * multiplication. */
#define SCALE(I, P, e, n)                                                                                              \
    I(P##_BIAS, INT(ONE_BIAS))                                                                                         \
    I(P##_N1, SAR(n, 1))                                                                                               \
    I(P##_N2, ISUB(n, P##_N1))                                                                                         \
    I(P##_B1, IADD(P##_N1, P##_BIAS))                                                                                  \
    I(P##_B2, IADD(P##_N2, P##_BIAS))                                                                                  \
    I(P##_I1, SHL(P##_B1, 23))                                                                                         \
    I(P##_I2, SHL(P##_B2, 23))                                                                                         \
    I(P##_S1, FLOAT_OF(P##_I1))                                                                                        \
    I(P##_S2, FLOAT_OF(P##_I2))                                                                                        \
    I(P##_Y1, MUL(e, P##_S1))                                                                                          \
    I(P##_Y, MUL(P##_Y1, P##_S2))

/* x = 2^k·m for a normal positive x, m from the float32 on whose bits are `least`, ½ < it < 1, to twice it. */
#define LOG_SPLIT(I, P, x, least)                                                                                      \
    I(P##_BITS, BITS_OF(x))                                                                                            \
    I(P##_LEAST, INT(least))                                                                                           \
    I(P##_OVER, ISUB(P##_BITS, P##_LEAST))                                                                             \
    I(P##_KI, SAR(P##_OVER, 23))                                                                                       \
    I(P##_KBITS, SHL(P##_KI, 23))                                                                                      \
    I(P##_MBITS, ISUB(P##_BITS, P##_KBITS))                                                                            \
    I(P##_M, FLOAT_OF(P##_MBITS))                                                                                      \
    I(P##_K, FROM_INT(P##_KI))

/* clang-format on */

#endif
