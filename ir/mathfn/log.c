/* log    x = 2^k·(1 + f), √½ ≤ 1 + f < √2; log(1 + f) = f − f²/2 + f³·R(f) as in Moshier's Cephes, plus k·ln 2 in two
 *        parts; subnormals are scaled by 2^25 first.
 * log1p  log of u = 1 + x with what u lost put back into f; x itself near 0. */
#include "ir/mathfn/blocks.h"

#include <float.h>
#include <math.h>

#define SQRT_HALF_BITS 0x3F3504F3

/* clang-format off */

/* log(1 + f) + k·ln 2. R is fitted like Q of REDUCE; its own relative error is 2^-30.2. */
#define LOG_POLY(I, P, f, k)                                                                                           \
    I(P##_C8, FLOAT(0x1.13c372p-4f))                                                                                   \
    I(P##_C7, FLOAT(-0x1.dda1bp-4f))                                                                                   \
    I(P##_R7, FMA(P##_C8, f, P##_C7))                                                                                  \
    I(P##_C6, FLOAT(0x1.e6df82p-4f))                                                                                   \
    I(P##_R6, FMA(P##_R7, f, P##_C6))                                                                                  \
    I(P##_C5, FLOAT(-0x1.fc3d26p-4f))                                                                                  \
    I(P##_R5, FMA(P##_R6, f, P##_C5))                                                                                  \
    I(P##_C4, FLOAT(0x1.233acp-3f))                                                                                    \
    I(P##_R4, FMA(P##_R5, f, P##_C4))                                                                                  \
    I(P##_C3, FLOAT(-0x1.555b9p-3f))                                                                                   \
    I(P##_R3, FMA(P##_R4, f, P##_C3))                                                                                  \
    I(P##_C2, FLOAT(0x1.99a47ap-3f))                                                                                   \
    I(P##_R2, FMA(P##_R3, f, P##_C2))                                                                                  \
    I(P##_C1, FLOAT(-0x1.000008p-2f))                                                                                  \
    I(P##_R1, FMA(P##_R2, f, P##_C1))                                                                                  \
    I(P##_C0, FLOAT(0x1.555548p-2f))                                                                                   \
    I(P##_R, FMA(P##_R1, f, P##_C0))                                                                                   \
    I(P##_FF, MUL(f, f))                                                                                               \
    I(P##_FFF, MUL(P##_FF, f))                                                                                         \
    I(P##_Y0, MUL(P##_FFF, P##_R))                                                                                     \
    I(P##_LN2LO, FLOAT(LN2_LO))                                                                                        \
    I(P##_Y1, FMA(k, P##_LN2LO, P##_Y0))                                                                               \
    I(P##_HALF, FLOAT(-0.5f))                                                                                          \
    I(P##_Y2, FMA(P##_HALF, P##_FF, P##_Y1))                                                                           \
    I(P##_Y3, ADD(f, P##_Y2))                                                                                          \
    I(P##_LN2HI, FLOAT(LN2_HI))                                                                                        \
    I(P##_Y4, FMA(k, P##_LN2HI, P##_Y3))

#define LOG(I)                                                                                                         \
    I(X, ARG(0))                                                                                                       \
    I(NORMAL, FLOAT(FLT_MIN))                                                                                          \
    I(UP, FLOAT(0x1p25f))                                                                                              \
    I(XUP, MUL(X, UP))                                                                                                 \
    I(N, IF_LESS(X, NORMAL, XUP, X))                                                                                   \
    I(KUP, FLOAT(25))                                                                                                  \
    I(ZERO, FLOAT(0))                                                                                                  \
    I(K0, IF_LESS(X, NORMAL, KUP, ZERO)) /* scaled if subnormal */                                                     \
    LOG_SPLIT(I, SP, N, SQRT_HALF_BITS)                                                                                \
    I(ONE, FLOAT(1))                                                                                                   \
    I(F, SUB(SP_M, ONE))                                                                                               \
    I(K, SUB(SP_K, K0))                                                                                                \
    LOG_POLY(I, POLY, F, K)                                                                                            \
    /* inf and NaN give themselves, ±0 gives −inf, what is negative gives NaN */                                       \
    I(INF, FLOAT(INFINITY))                                                                                            \
    I(S1, IF_LESS(X, INF, POLY_Y4, X))                                                                                 \
    I(TINY, FLOAT(FLT_TRUE_MIN))                                                                                       \
    I(MINF, FLOAT(-INFINITY))                                                                                          \
    I(S2, IF_LESS(X, TINY, MINF, S1))                                                                                  \
    I(NO_NUMBER, FLOAT(NAN))                                                                                           \
    I(Y, IF_LESS(X, ZERO, NO_NUMBER, S2))
MATH_PROGRAM(math_log, LOG)

/* u = 1 + x is off by c = x − (u − 1), exactly so where it matters: 1 + x = 2^k·(1 + f), f = m − 1 + c·2^-k. */
#define LOG1P(I)                                                                                                       \
    I(X, ARG(0))                                                                                                       \
    I(ONE, FLOAT(1))                                                                                                   \
    I(U, ADD(X, ONE))                                                                                                  \
    I(U1, SUB(U, ONE))                                                                                                 \
    I(C, SUB(X, U1))                                                                                                   \
    LOG_SPLIT(I, SP, U, SQRT_HALF_BITS)                                                                                \
    I(M1, SUB(SP_M, ONE))                                                                                              \
    I(BIAS, INT(ONE_BIAS))                                                                                             \
    I(E, ISUB(BIAS, SP_KI))                                                                                            \
    I(EBITS, SHL(E, 23))                                                                                               \
    I(DOWN, FLOAT_OF(EBITS)) /* 2^-k */                                                                                \
    I(CK, MUL(C, DOWN))                                                                                                \
    I(BIG, FLOAT(0x1p26f)) /* the correction is nothing from here on, and 2^-k no number in the end */                 \
    I(ZERO, FLOAT(0))                                                                                                  \
    I(CORR, IF_LESS(X, BIG, CK, ZERO))                                                                                 \
    I(F, ADD(M1, CORR))                                                                                                \
    LOG_POLY(I, POLY, F, SP_K)                                                                                         \
    /* as for log, with u; near 0 it is x itself, sign and all */                                                      \
    I(INF, FLOAT(INFINITY))                                                                                            \
    I(S1, IF_LESS(U, INF, POLY_Y4, U))                                                                                 \
    I(TINY, FLOAT(FLT_TRUE_MIN))                                                                                       \
    I(MINF, FLOAT(-INFINITY))                                                                                          \
    I(S2, IF_LESS(U, TINY, MINF, S1))                                                                                  \
    I(NO_NUMBER, FLOAT(NAN))                                                                                           \
    I(S3, IF_LESS(U, ZERO, NO_NUMBER, S2))                                                                             \
    I(BITS, BITS_OF(X))                                                                                                \
    I(MASK, INT(NO_SIGN))                                                                                              \
    I(ABITS, AND(BITS, MASK))                                                                                          \
    I(ABS, FLOAT_OF(ABITS))                                                                                            \
    I(NEAR, FLOAT(0x1p-25f))                                                                                           \
    I(Y, IF_LESS(ABS, NEAR, X, S3))
MATH_PROGRAM(math_log1p, LOG1P)
