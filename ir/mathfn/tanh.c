/* tanh     with t = e^2|x| − 1 from REDUCE: (2^n − 1) + 2^n·p loses nothing near 0. tanh|x| = t/(t + 2), and the sign
 *          is put back as a bit. From 9.02 on it rounds to 1.
 * sigmoid  e = e^−|x| ≤ 1 cannot overflow: x < 0 ? e/(1 + e) : 1/(1 + e). */
#include "ir/mathfn/blocks.h"

/* clang-format off */

#define TANH(I)                                                                                                        \
    I(X, ARG(0))                                                                                                       \
    I(BITS, BITS_OF(X))                                                                                                \
    I(SBIT, INT(SIGN_BIT))                                                                                             \
    I(SIGN, AND(BITS, SBIT))                                                                                           \
    I(MASK, INT(NO_SIGN))                                                                                              \
    I(ABITS, AND(BITS, MASK))                                                                                          \
    I(ABS, FLOAT_OF(ABITS))                                                                                            \
    I(HI, FLOAT(9.5f)) /* t/(t + 2) is 1 by then, and t finite */                                                      \
    I(A, MIN_OF(HI, ABS))                                                                                              \
    I(A2, ADD(A, A))                                                                                                   \
    REDUCE(I, RED, A2)                                                                                                 \
    I(BIAS, INT(ONE_BIAS))                                                                                             \
    I(B, IADD(RED_N, BIAS))                                                                                            \
    I(SI, SHL(B, 23))                                                                                                  \
    I(S, FLOAT_OF(SI)) /* 2^n, 0 ≤ n ≤ 27 */                                                                           \
    I(ONE, FLOAT(1))                                                                                                   \
    I(S1, SUB(S, ONE))                                                                                                 \
    I(T, FMA(RED_P, S, S1))                                                                                            \
    I(TWO, FLOAT(2))                                                                                                   \
    I(D, ADD(T, TWO))                                                                                                  \
    I(Q, DIV(T, D))                                                                                                    \
    I(QBITS, BITS_OF(Q))                                                                                               \
    I(YBITS, OR(QBITS, SIGN))                                                                                          \
    I(Y, FLOAT_OF(YBITS))
MATH_PROGRAM(math_tanh, TANH)

#define SIGMOID(I)                                                                                                     \
    I(X, ARG(0))                                                                                                       \
    I(BITS, BITS_OF(X))                                                                                                \
    I(SIGN, INT(SIGN_BIT))                                                                                             \
    I(NBITS, OR(BITS, SIGN))                                                                                           \
    I(NEG, FLOAT_OF(NBITS)) /* −|x| */                                                                                 \
    I(LO, FLOAT(-104))                                                                                                 \
    I(A, MAX_OF(LO, NEG))                                                                                              \
    REDUCE(I, RED, A)                                                                                                  \
    I(ONE, FLOAT(1))                                                                                                   \
    I(E, ADD(RED_P, ONE))                                                                                              \
    SCALE(I, SC, E, RED_N)                                                                                             \
    I(D, ADD(ONE, SC_Y))                                                                                               \
    I(ZERO, FLOAT(0))                                                                                                  \
    I(N, IF_LESS(X, ZERO, SC_Y, ONE))                                                                                  \
    I(Y, DIV(N, D))
MATH_PROGRAM(math_sigmoid, SIGMOID)
