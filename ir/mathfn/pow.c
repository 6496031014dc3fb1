/* pow(x, y) = 2^(y·log₂|x|) with the special cases of C99.
 *
 * The exponent is up to 2^7 and must be known to some 2^-30: it and the logarithm are sums of two floats,
 * high + low. The products of such numbers are exact by Dekker (A floating-point technique for extending the
 * available precision, 1971): factors are split into halves of 12 bits, whose products are exact with or without fma.
 *
 *   |x| = 2^k·m, √⅔ ≤ m < 2·√⅔, c = 1 or 1.5 next to m, s = (m − c)/(m + c), |s| ≤ 0.101;
 *   log₂|x| = k + log₂ c + 2/(3 ln 2)·s·(3 + s² + s⁴·R(s²)), R fitted to 3/5 + 3/7·s² + … with an error of 2^-44;
 *   t = y·log₂|x| = n + f, |f| ≤ ½;
 *   2^f = 1 + f·ln 2 + f²·Q(f), its error is 2^-33, with f·ln 2 as high + low.
 *
 * So a power of two has an exact logarithm, and a result that is a float32 comes out exactly. */
#include "ir/mathfn/blocks.h"

#include <float.h>
#include <math.h>

/* clang-format off */

/* x = x_HI + x_LO, 12 bits each; HIGH_BITS is the mask. */
#define HALVES(I, x)                                                                                                   \
    I(x##_BITS, BITS_OF(x))                                                                                            \
    I(x##_TOP, AND(x##_BITS, HIGH_BITS))                                                                               \
    I(x##_HI, FLOAT_OF(x##_TOP))                                                                                       \
    I(x##_LO, SUB(x, x##_HI))

/* x·y = P + P_ERR exactly, unless the error is below the subnormals. */
#define PRODUCT(I, P, x, y)                                                                                            \
    I(P, MUL(x, y))                                                                                                    \
    I(P##_NEG, SUB(ZERO, P))                                                                                           \
    I(P##_E1, FMA(x##_HI, y##_HI, P##_NEG))                                                                            \
    I(P##_E2, FMA(x##_HI, y##_LO, P##_E1))                                                                             \
    I(P##_E3, FMA(x##_LO, y##_HI, P##_E2))                                                                             \
    I(P##_ERR, FMA(x##_LO, y##_LO, P##_E3))

#define POW_CONSTANTS(I)                                                                                               \
    I(ZERO, FLOAT(0))                                                                                                  \
    I(ONE, FLOAT(1))                                                                                                   \
    I(TINY, FLOAT(FLT_TRUE_MIN)) /* |v| < TINY: v is ±0 */                                                             \
    I(INF, FLOAT(INFINITY))                                                                                            \
    I(MINF, FLOAT(-INFINITY))                                                                                          \
    I(MASK, INT(NO_SIGN))                                                                                              \
    I(HIGH_BITS, INT(~0xFFF))

/* AX = |x| = 2^K·SP_M */
#define POW_SPLIT(I)                                                                                                   \
    I(X_BITS, BITS_OF(X))                                                                                              \
    I(AX_BITS, AND(X_BITS, MASK))                                                                                      \
    I(AX, FLOAT_OF(AX_BITS))                                                                                           \
    I(NORMAL, FLOAT(FLT_MIN))                                                                                          \
    I(UP, FLOAT(0x1p25f))                                                                                              \
    I(AXUP, MUL(AX, UP))                                                                                               \
    I(AXN, IF_LESS(AX, NORMAL, AXUP, AX))                                                                              \
    I(KUP, FLOAT(25))                                                                                                  \
    I(K0, IF_LESS(AX, NORMAL, KUP, ZERO)) /* scaled if subnormal */                                                    \
    LOG_SPLIT(I, SP, AXN, 0x3F5105EC) /* √⅔ */                                                                         \
    I(K, SUB(SP_K, K0))

/* S + SL = (m − c)/(m + c), and log₂ c = D + DL, D so short that K + D is exact */
#define POW_QUOTIENT(I)                                                                                                \
    I(EDGE, FLOAT(0x1.3988e2p+0f)) /* √1.5 */                                                                          \
    I(C15, FLOAT(1.5f))                                                                                                \
    I(C, IF_LESS(SP_M, EDGE, ONE, C15))                                                                                \
    I(D15, FLOAT(0x1.2b8p-1f))                                                                                         \
    I(D, IF_LESS(SP_M, EDGE, ZERO, D15))                                                                               \
    I(DL15, FLOAT(0x1.a39fbep-20f))                                                                                    \
    I(DL, IF_LESS(SP_M, EDGE, ZERO, DL15))                                                                             \
    I(F, SUB(SP_M, C)) /* exact */                                                                                     \
    I(G, ADD(SP_M, C))                                                                                                 \
    I(GC, SUB(G, C))                                                                                                   \
    I(NGL, SUB(GC, SP_M)) /* m + c = G − NGL */                                                                        \
    I(NG, SUB(ZERO, G))                                                                                                \
    I(V, DIV(ONE, G))                                                                                                  \
    I(S, MUL(F, V))                                                                                                    \
    HALVES(I, NG)                                                                                                      \
    HALVES(I, S)                                                                                                       \
    I(REST1, FMA(S_HI, NG_HI, F)) /* what the quotient leaves: m − c − S·(m + c) */                                    \
    I(REST2, FMA(S_HI, NG_LO, REST1))                                                                                  \
    I(REST3, FMA(S_LO, NG_HI, REST2))                                                                                  \
    I(REST4, FMA(S_LO, NG_LO, REST3))                                                                                  \
    I(REST, FMA(S, NGL, REST4))                                                                                        \
    I(SL, MUL(REST, V))

/* T + TL = 3 + s² + s⁴·R(s²) */
#define POW_SERIES(I)                                                                                                  \
    PRODUCT(I, Z, S, S)                                                                                                \
    I(S2, ADD(S, S))                                                                                                   \
    I(ZL, FMA(S2, SL, Z_ERR))                                                                                          \
    I(R2, FLOAT(0x1.5b6c66p-2f))                                                                                       \
    I(R1, FLOAT(0x1.b6d0dap-2f))                                                                                       \
    I(R0, FLOAT(0x1.333336p-1f))                                                                                       \
    I(R3, FMA(R2, Z, R1))                                                                                              \
    I(R, FMA(R3, Z, R0))                                                                                               \
    I(ZZ, MUL(Z, Z))                                                                                                   \
    I(W, FMA(ZZ, R, ZL))                                                                                               \
    I(THREE, FLOAT(3))                                                                                                 \
    I(T, ADD(THREE, Z))                                                                                                \
    I(T1, SUB(T, THREE))                                                                                               \
    I(T2, SUB(Z, T1))                                                                                                  \
    I(TL, ADD(T2, W))

/* L + LL = log₂|x| of a finite x that is not 0, LOG = L for those and ±inf for what they leave */
#define POW_LOG(I)                                                                                                     \
    HALVES(I, T)                                                                                                       \
    PRODUCT(I, P, S, T)                                                                                                \
    I(PL1, FMA(S, TL, P_ERR))                                                                                          \
    I(PL, FMA(SL, T, PL1))                                                                                             \
    I(U, FLOAT(0x1.ec709ep-1f)) /* 2/(3 ln 2) */                                                                       \
    I(UL, FLOAT(-0x1.e2fe02p-28f))                                                                                     \
    HALVES(I, P)                                                                                                       \
    HALVES(I, U)                                                                                                       \
    PRODUCT(I, Q, P, U)                                                                                                \
    I(QL1, FMA(P, UL, Q_ERR))                                                                                          \
    I(QL, FMA(PL, U, QL1))                                                                                             \
    I(KD, ADD(K, D)) /* 0, or larger than Q: their sum's error is exact */                                             \
    I(L, ADD(KD, Q))                                                                                                   \
    I(L1, SUB(L, KD))                                                                                                  \
    I(L2, SUB(Q, L1))                                                                                                  \
    I(L3, ADD(QL, DL))                                                                                                 \
    I(LL, ADD(L2, L3))                                                                                                 \
    I(L4, IF_LESS(AX, INF, L, AX)) /* inf, NaN */                                                                      \
    I(LOG, IF_LESS(AX, TINY, MINF, L4))

/* E + EL = y·log₂|x|, clamped where the result overflows or is 0; EL is 0 where only E counts. A finite y makes
 * 1 of y·log₂ 1; 2^60 overflows whatever else x is. */
#define POW_EXPONENT(I)                                                                                                \
    I(YMAX, FLOAT(0x1p60f))                                                                                            \
    I(YMIN, FLOAT(-0x1p60f))                                                                                           \
    I(Y1, MIN_OF(YMAX, Y))                                                                                             \
    I(Y2, MAX_OF(YMIN, Y1))                                                                                            \
    HALVES(I, Y2)                                                                                                      \
    HALVES(I, LOG)                                                                                                     \
    PRODUCT(I, M, Y2, LOG)                                                                                             \
    I(ML, FMA(Y2, LL, M_ERR))                                                                                          \
    I(M_BITS, BITS_OF(M))                                                                                              \
    I(AM_BITS, AND(M_BITS, MASK))                                                                                      \
    I(AM, FLOAT_OF(AM_BITS))                                                                                           \
    I(FAR, FLOAT(256))                                                                                                 \
    I(EL, IF_LESS(AM, FAR, ML, ZERO))                                                                                  \
    I(EMIN, FLOAT(-151))                                                                                               \
    I(EMAX, FLOAT(129))                                                                                                \
    I(E1, MAX_OF(EMIN, M))                                                                                             \
    I(E, MIN_OF(EMAX, E1))

/* N and H + HL = f */
#define POW_REDUCE(I)                                                                                                  \
    I(MAGIC, FLOAT(ROUND_MAGIC))                                                                                       \
    I(ROUNDED, ADD(E, MAGIC))                                                                                          \
    I(NF, SUB(ROUNDED, MAGIC))                                                                                         \
    I(ROUNDED_BITS, BITS_OF(ROUNDED))                                                                                  \
    I(MAGIC_BITS, INT(ROUND_MAGIC_BITS))                                                                               \
    I(N, ISUB(ROUNDED_BITS, MAGIC_BITS))                                                                               \
    I(H0, SUB(E, NF))                                                                                                  \
    I(H, ADD(H0, EL))                                                                                                  \
    I(H1, SUB(H, H0))                                                                                                  \
    I(HL, SUB(EL, H1))

/* RAISED_Y = 2^n·2^f */
#define POW_EXP(I)                                                                                                     \
    HALVES(I, H)                                                                                                       \
    I(LN2, FLOAT(0x1.62e43p-1f))                                                                                       \
    I(LN2_12, FLOAT(0x1.62ep-1f)) /* 12 bits */                                                                        \
    I(LN2_REST, FLOAT(0x1.0bfbe8p-15f))                                                                                \
    I(B, MUL(H_HI, LN2_12)) /* exact */                                                                                \
    I(BL1, MUL(H_LO, LN2))                                                                                             \
    I(BL2, FMA(H_HI, LN2_REST, BL1))                                                                                   \
    I(BL, FMA(HL, LN2, BL2))                                                                                           \
    I(Q5, FLOAT(0x1.0112ccp-16f))                                                                                      \
    I(Q4, FLOAT(0x1.4424bp-13f))                                                                                       \
    I(Q3, FLOAT(0x1.5d86f8p-10f))                                                                                      \
    I(Q2, FLOAT(0x1.3b2a48p-7f))                                                                                       \
    I(Q1, FLOAT(0x1.c6b08ep-5f))                                                                                       \
    I(Q0, FLOAT(0x1.ebfbep-3f))                                                                                        \
    I(QA, FMA(Q5, H, Q4))                                                                                              \
    I(QB, FMA(QA, H, Q3))                                                                                              \
    I(QC, FMA(QB, H, Q2))                                                                                              \
    I(QD, FMA(QC, H, Q1))                                                                                              \
    I(QE, FMA(QD, H, Q0))                                                                                              \
    I(HH, MUL(H, H))                                                                                                   \
    I(TAIL, FMA(HH, QE, BL))                                                                                           \
    I(A0, ADD(ONE, B))                                                                                                 \
    I(A1, SUB(A0, ONE))                                                                                                \
    I(A2, SUB(B, A1))                                                                                                  \
    I(A3, ADD(A2, TAIL))                                                                                               \
    I(A, ADD(A0, A3))                                                                                                  \
    SCALE(I, RAISED, A, N)

/* DIST: how far |y| is from the nearest even integer: 0, 1 for an odd one, else between. From 2^24 on all are even. */
#define POW_PARITY(I)                                                                                                  \
    I(Y_BITS, BITS_OF(Y))                                                                                              \
    I(AY_BITS, AND(Y_BITS, MASK))                                                                                      \
    I(AY, FLOAT_OF(AY_BITS))                                                                                           \
    I(EVEN_UNIT, FLOAT(0x1p24f)) /* the sum's last bit is worth 2 */                                                   \
    I(AY1, MIN_OF(EVEN_UNIT, AY))                                                                                      \
    I(EVEN1, ADD(AY1, EVEN_UNIT))                                                                                      \
    I(EVEN, SUB(EVEN1, EVEN_UNIT))                                                                                     \
    I(OFF, SUB(AY1, EVEN))                                                                                             \
    I(OFF_BITS, BITS_OF(OFF))                                                                                          \
    I(DIST_BITS, AND(OFF_BITS, MASK))                                                                                  \
    I(DIST, FLOAT_OF(DIST_BITS))

/* x's sign for an odd y; NaN for a finite x < 0 and a y that is no integer; then 1 for y = 0 or x = 1, be the other NaN */
#define POW_SPECIAL(I)                                                                                                 \
    I(ODD, IF_LESS(DIST, ONE, ZERO, X))                                                                                \
    I(ODD_BITS, BITS_OF(ODD))                                                                                          \
    I(SBIT, INT(SIGN_BIT))                                                                                             \
    I(SIGN, AND(ODD_BITS, SBIT))                                                                                       \
    I(RAISED_BITS, BITS_OF(RAISED_Y))                                                                                  \
    I(SIGNED_BITS, OR(RAISED_BITS, SIGN))                                                                              \
    I(SIGNED, FLOAT_OF(SIGNED_BITS))                                                                                   \
    I(NOT_ODD, IF_LESS(DIST, ONE, X, ZERO))                                                                            \
    I(NO_INTEGER, IF_LESS(ZERO, DIST, NOT_ODD, ZERO)) /* x where y is none */                                          \
    I(NO_NUMBER, FLOAT(NAN))                                                                                           \
    I(REAL1, IF_LESS(NO_INTEGER, ZERO, NO_NUMBER, SIGNED))                                                             \
    I(REAL, IF_LESS(MINF, NO_INTEGER, REAL1, SIGNED))                                                                  \
    I(X1, SUB(X, ONE))                                                                                                 \
    I(X1_BITS, BITS_OF(X1))                                                                                            \
    I(AX1_BITS, AND(X1_BITS, MASK))                                                                                    \
    I(AX1, FLOAT_OF(AX1_BITS))                                                                                         \
    I(OF_ONE, IF_LESS(AX1, TINY, ONE, REAL))                                                                           \
    I(TO_ZERO, IF_LESS(AY, TINY, ONE, OF_ONE))

#define POW(I)                                                                                                         \
    I(X, ARG(0))                                                                                                       \
    I(Y, ARG(1))                                                                                                       \
    POW_CONSTANTS(I)                                                                                                   \
    POW_SPLIT(I)                                                                                                       \
    POW_QUOTIENT(I)                                                                                                    \
    POW_SERIES(I)                                                                                                      \
    POW_LOG(I)                                                                                                         \
    POW_EXPONENT(I)                                                                                                    \
    POW_REDUCE(I)                                                                                                      \
    POW_EXP(I)                                                                                                         \
    POW_PARITY(I)                                                                                                      \
    POW_SPECIAL(I)
MATH_PROGRAM(math_pow, POW)
