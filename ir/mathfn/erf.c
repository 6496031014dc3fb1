/* erf: x + x·P(x²) up to 0.93, then 1 − e^q(x) with a polynomial q, both of Juffa's (public) erff; 1 − e^q as in tanh:
 * (1 − 2^n) − 2^n·p of REDUCE, −26 ≤ n ≤ 0. From 4 on it rounds to 1. */
#include "ir/mathfn/blocks.h"

/* clang-format off */

#define ERF(I)                                                                                                         \
    I(X, ARG(0))                                                                                                       \
    I(BITS, BITS_OF(X))                                                                                                \
    I(SBIT, INT(SIGN_BIT))                                                                                             \
    I(SIGN, AND(BITS, SBIT))                                                                                           \
    I(MASK, INT(NO_SIGN))                                                                                              \
    I(ABITS, AND(BITS, MASK))                                                                                          \
    I(ABS, FLOAT_OF(ABITS))                                                                                            \
    I(HI, FLOAT(4)) /* rounds to 1 */                                                                                  \
    I(A, MIN_OF(HI, ABS))                                                                                              \
    I(AA, MUL(A, A))                                                                                                   \
    I(C6, FLOAT(-0x1.38e000p-11f))                                                                                     \
    I(C5, FLOAT(0x1.471a58p-8f))                                                                                       \
    I(R5, FMA(C6, AA, C5))                                                                                             \
    I(C4, FLOAT(-0x1.b691b2p-6f))                                                                                      \
    I(R4, FMA(R5, AA, C4))                                                                                             \
    I(C3, FLOAT(0x1.ce1c44p-4f))                                                                                       \
    I(R3, FMA(R4, AA, C3))                                                                                             \
    I(C2, FLOAT(-0x1.812700p-2f))                                                                                      \
    I(R2, FMA(R3, AA, C2))                                                                                             \
    I(C1, FLOAT(0x1.06eba8p-3f))                                                                                       \
    I(R1, FMA(R2, AA, C1))                                                                                             \
    I(NEAR, FMA(R1, A, A))                                                                                             \
    I(D7, FLOAT(-0x1.220000p-16f))                                                                                     \
    I(D6, FLOAT(0x1.91cfb2p-12f))                                                                                      \
    I(P6, FMA(D7, A, D6))                                                                                              \
    I(D5, FLOAT(-0x1.fd1438p-9f))                                                                                      \
    I(P5, FMA(P6, A, D5))                                                                                              \
    I(D4, FLOAT(0x1.8d6342p-6f))                                                                                       \
    I(P4, FMA(P5, A, D4))                                                                                              \
    I(D3, FLOAT(-0x1.b55cb8p-4f))                                                                                      \
    I(P3, FMA(P4, A, D3))                                                                                              \
    I(D2, FLOAT(-0x1.450aa0p-1f))                                                                                      \
    I(P2, FMA(P3, A, D2))                                                                                              \
    I(D1, FLOAT(-0x1.079d0cp-3f))                                                                                      \
    I(P1, FMA(P2, A, D1))                                                                                              \
    I(ZERO, FLOAT(0))                                                                                                  \
    I(NEG, SUB(ZERO, A))                                                                                               \
    I(Q, FMA(P1, A, NEG)) /* log(1 − erf a) */                                                                         \
    REDUCE(I, RED, Q)                                                                                                  \
    I(BIAS, INT(ONE_BIAS))                                                                                             \
    I(B, IADD(RED_N, BIAS))                                                                                            \
    I(SI, SHL(B, 23))                                                                                                  \
    I(S, FLOAT_OF(SI))                                                                                                 \
    I(ONE, FLOAT(1))                                                                                                   \
    I(S1, SUB(ONE, S))                                                                                                 \
    I(NEGS, SUB(ZERO, S))                                                                                              \
    I(FAR, FMA(RED_P, NEGS, S1))                                                                                       \
    I(EDGE, FLOAT(0.927734375f))                                                                                       \
    I(ABSY, IF_LESS(A, EDGE, NEAR, FAR))                                                                               \
    I(ABSBITS, BITS_OF(ABSY))                                                                                          \
    I(YBITS, OR(ABSBITS, SIGN))                                                                                        \
    I(Y, FLOAT_OF(YBITS))
MATH_PROGRAM(math_erf, ERF)
