/* exp, log, tanh, sigmoid, erf, expm1, log1p in single precision.
 *
 * exp       Cody and Waite (Software Manual for the Elementary Functions, 1980): n = round(x/ln 2) by
 *           adding 1.5·2^23, r = x − n·ln 2 with ln 2 in two parts, the first so short that its product
 *           with n is exact; e^r = 1 + r + r²·Q(r); 2^n in two factors, so that the one rounding of a
 *           subnormal result is the last multiplication.
 * tanh      with t = e^2|x| − 1 from the same reduction: (2^n − 1) + 2^n·(r + r²·Q) loses nothing near
 *           0. tanh|x| = t/(t + 2), and the sign is put back as a bit. From 9.02 on it rounds to 1.
 * sigmoid   e = e^−|x| ≤ 1 cannot overflow: x < 0 ? e/(1 + e) : 1/(1 + e).
 * log       x = 2^k·(1 + f), √½ ≤ 1 + f < √2; log(1 + f) = f − f²/2 + f³·R(f) as in Moshier's Cephes,
 *           plus k·ln 2 in two parts; subnormals are scaled by 2^25 first.
 *
 * expm1     t of tanh, with 2^(n − 1) and doubled at the end, so that 2^128 is never needed; x itself near 0.
 * log1p     log of u = 1 + x with what u lost put back into f; x itself near 0.
 * erf       x + x·P(x²) up to 0.93, then 1 − e^q(x) with a polynomial q, both of Juffa's (public) erff; 1 − e^q as in
 *           tanh. From 4 on it rounds to 1.
 *
 * Q and R: weighted least squares reweighted towards minimax (Lawson), coefficients rounded to float32
 * one after the other, the rest fitted anew each time. Their own relative error: Q 2^-28.2, R 2^-30.2.
 *
 * Largest error over all arguments, in ULP of the float32 result (`test_mathfn all`; tanh measured for
 * 2^-16 ≤ |x| < 10, sigmoid for 2^-26 ≤ |x|: what is left rounds to x, ½, 0 or 1):
 *             fma      mul+add
 *   exp       1.013    0.989
 *   log       0.806    0.822
 *   tanh      2.606    2.668
 *   sigmoid   2.402    2.402
 *   erf       0.989    1.157
 *   expm1     1.462    1.580
 *   log1p     1.380    1.380
 */
#include "ir/mathfn.h"

#include <float.h>
#include <math.h>

#define OP2(o, x, y)                                                                                                   \
    { .op = (o), .a = (x), .b = (y) }
#define OP1I(o, x, n)                                                                                                  \
    { .op = (o), .a = (x), .i = (n) }
#define FMA3(x, y, z)                                                                                                  \
    { .op = MATH_FMA, .a = (x), .b = (y), .c = (z) }
#define SELECT_LT(l, r, yes, no)                                                                                       \
    { .op = MATH_LT, .a = (yes), .b = (no), .c = (l), .d = (r) }
#define FLOAT(v)                                                                                                       \
    { .op = MATH_FLOAT, .f = (v) }
#define INT(v)                                                                                                         \
    { .op = MATH_INT, .i = (v) }

#define LN2_HI      0x1.62e4p-1f /* 15 bits */
#define LN2_LO      0x1.7f7d1cp-20f
#define LOG2_E      0x1.715476p+0f
#define ROUND_MAGIC 12582912.0f /* 1.5·2^23: the sum's last bit is worth 1 */
enum { ROUND_MAGIC_BITS = 0x4B400000, SIGN_BIT = INT32_MIN, NO_SIGN = INT32_MAX, ONE_BIAS = 127 };

/* ---- e^x − 1 and n, from the argument at `x` --------------------------------------------- */

enum {
    RED_LOG2E,
    RED_MAGIC,
    RED_T,
    RED_NF,
    RED_HI,
    RED_R1,
    RED_LO,
    RED_R,
    RED_C4,
    RED_C3,
    RED_Q3,
    RED_C2,
    RED_Q2,
    RED_C1,
    RED_Q1,
    RED_C0,
    RED_Q,
    RED_RR,
    RED_P, /* e^r − 1 */
    RED_TI,
    RED_MI,
    RED_N, /* the integer n */
    RED_SIZE
};
#define REDUCE(at, x)                                                                                                  \
    [(at) +                                                                                                            \
        RED_LOG2E] = FLOAT(LOG2_E),                                                                                    \
        [(at) + RED_MAGIC] = FLOAT(ROUND_MAGIC), [(at) + RED_T] = FMA3((x), (at) + RED_LOG2E, (at) + RED_MAGIC),       \
        [(at) + RED_NF] = OP2(MATH_SUB, (at) + RED_T, (at) + RED_MAGIC), [(at) + RED_HI] = FLOAT(-LN2_HI),             \
        [(at) + RED_R1] = FMA3((at) + RED_NF, (at) + RED_HI, (x)), [(at) + RED_LO] = FLOAT(-LN2_LO),                   \
        [(at) + RED_R] = FMA3((at) + RED_NF, (at) + RED_LO, (at) + RED_R1), [(at) + RED_C4] = FLOAT(0x1.6a4d78p-10f),  \
        [(at) + RED_C3] = FLOAT(0x1.12398ep-7f), [(at) + RED_Q3] = FMA3((at) + RED_C4, (at) + RED_R, (at) + RED_C3),   \
        [(at) + RED_C2] = FLOAT(0x1.5558bp-5f), [(at) + RED_Q2] = FMA3((at) + RED_Q3, (at) + RED_R, (at) + RED_C2),    \
        [(at) + RED_C1] = FLOAT(0x1.555492p-3f), [(at) + RED_Q1] = FMA3((at) + RED_Q2, (at) + RED_R, (at) + RED_C1),   \
        [(at) + RED_C0] = FLOAT(0x1.fffffcp-2f), [(at) + RED_Q] = FMA3((at) + RED_Q1, (at) + RED_R, (at) + RED_C0),    \
        [(at) + RED_RR] = OP2(MATH_MUL, (at) + RED_R, (at) + RED_R),                                                   \
        [(at) + RED_P] = FMA3((at) + RED_RR, (at) + RED_Q, (at) + RED_R),                                              \
        [(at) + RED_TI] = {.op = MATH_BITS, .a = (at) + RED_T}, [(at) + RED_MI] = INT(ROUND_MAGIC_BITS),               \
        [(at) + RED_N] = OP2(MATH_ISUB, (at) + RED_TI, (at) + RED_MI)

/* (1 + p)·2^n, rounded once even where it is subnormal */
enum { SC_ONE, SC_E, SC_BIAS, SC_N1, SC_N2, SC_B1, SC_B2, SC_I1, SC_I2, SC_S1, SC_S2, SC_Y1, SC_Y, SC_SIZE };
#define SCALE(at, p, n)                                                                                                \
    [(at) + SC_ONE] = FLOAT(1), [(at) + SC_E] = OP2(MATH_ADD, (p), (at) + SC_ONE), [(at) + SC_BIAS] = INT(ONE_BIAS),   \
            [(at) + SC_N1] = OP1I(MATH_ISAR, (n), 1), [(at) + SC_N2] = OP2(MATH_ISUB, (n), (at) + SC_N1),              \
            [(at) + SC_B1] = OP2(MATH_IADD, (at) + SC_N1, (at) + SC_BIAS),                                             \
            [(at) + SC_B2] = OP2(MATH_IADD, (at) + SC_N2, (at) + SC_BIAS),                                             \
            [(at) + SC_I1] = OP1I(MATH_ISHL, (at) + SC_B1, 23), [(at) + SC_I2] = OP1I(MATH_ISHL, (at) + SC_B2, 23),    \
            [(at) + SC_S1] = {.op = MATH_UNBITS, .a = (at) + SC_I1},                                                   \
            [(at) + SC_S2] = {.op = MATH_UNBITS, .a = (at) + SC_I2},                                                   \
            [(at) + SC_Y1] = OP2(MATH_MUL, (at) + SC_E, (at) + SC_S1),                                                 \
            [(at) + SC_Y] = OP2(MATH_MUL, (at) + SC_Y1, (at) + SC_S2)

/* ---- the programs ------------------------------------------------------------------------ */

/* The clamps keep n in −150 … 128; a NaN passes both, since it is not less and not greater. */
enum { EXP_X, EXP_LO, EXP_A, EXP_HI, EXP_B, EXP_RED, EXP_SC = EXP_RED + RED_SIZE };
static const MathIns exp_ins[] = {
    [EXP_X] = {.op = MATH_IN},
    [EXP_LO] = FLOAT(-104), /* e^−104 < 2^−150 rounds to 0 */
    [EXP_A] = OP2(MATH_MAX, EXP_LO, EXP_X),
    [EXP_HI] = FLOAT(89), /* overflows in the last multiplication */
    [EXP_B] = OP2(MATH_MIN, EXP_HI, EXP_A),
    REDUCE(EXP_RED, EXP_B),
    SCALE(EXP_SC, EXP_RED + RED_P, EXP_RED + RED_N),
};

enum {
    SIG_X,
    SIG_BITS,
    SIG_SIGN,
    SIG_NBITS,
    SIG_NEG,
    SIG_LO,
    SIG_A,
    SIG_RED,
    SIG_SC = SIG_RED + RED_SIZE,
    SIG_D = SIG_SC + SC_SIZE,
    SIG_ZERO,
    SIG_N,
    SIG_Y
};
static const MathIns sigmoid_ins[] = {
    [SIG_X] = {.op = MATH_IN},
    [SIG_BITS] = {.op = MATH_BITS, .a = SIG_X},
    [SIG_SIGN] = INT(SIGN_BIT),
    [SIG_NBITS] = OP2(MATH_IOR, SIG_BITS, SIG_SIGN),
    [SIG_NEG] = {.op = MATH_UNBITS, .a = SIG_NBITS}, /* −|x| */
    [SIG_LO] = FLOAT(-104),
    [SIG_A] = OP2(MATH_MAX, SIG_LO, SIG_NEG),
    REDUCE(SIG_RED, SIG_A),
    SCALE(SIG_SC, SIG_RED + RED_P, SIG_RED + RED_N),
    [SIG_D] = OP2(MATH_ADD, SIG_SC + SC_ONE, SIG_SC + SC_Y),
    [SIG_ZERO] = FLOAT(0),
    [SIG_N] = SELECT_LT(SIG_X, SIG_ZERO, SIG_SC + SC_Y, SIG_SC + SC_ONE),
    [SIG_Y] = OP2(MATH_DIV, SIG_N, SIG_D),
};

enum {
    TANH_X,
    TANH_BITS,
    TANH_SBIT,
    TANH_SIGN,
    TANH_MASK,
    TANH_ABITS,
    TANH_ABS,
    TANH_HI,
    TANH_A,
    TANH_2A,
    TANH_RED,
    TANH_BIAS = TANH_RED + RED_SIZE,
    TANH_B,
    TANH_SI,
    TANH_S,
    TANH_ONE,
    TANH_S1,
    TANH_T,
    TANH_TWO,
    TANH_D,
    TANH_Q,
    TANH_QBITS,
    TANH_YBITS,
    TANH_Y
};
static const MathIns tanh_ins[] = {
    [TANH_X] = {.op = MATH_IN},
    [TANH_BITS] = {.op = MATH_BITS, .a = TANH_X},
    [TANH_SBIT] = INT(SIGN_BIT),
    [TANH_SIGN] = OP2(MATH_IAND, TANH_BITS, TANH_SBIT),
    [TANH_MASK] = INT(NO_SIGN),
    [TANH_ABITS] = OP2(MATH_IAND, TANH_BITS, TANH_MASK),
    [TANH_ABS] = {.op = MATH_UNBITS, .a = TANH_ABITS},
    [TANH_HI] = FLOAT(9.5f), /* t/(t + 2) is 1 by then, and t finite */
    [TANH_A] = OP2(MATH_MIN, TANH_HI, TANH_ABS),
    [TANH_2A] = OP2(MATH_ADD, TANH_A, TANH_A),
    REDUCE(TANH_RED, TANH_2A),
    [TANH_BIAS] = INT(ONE_BIAS),
    [TANH_B] = OP2(MATH_IADD, TANH_RED + RED_N, TANH_BIAS),
    [TANH_SI] = OP1I(MATH_ISHL, TANH_B, 23),
    [TANH_S] = {.op = MATH_UNBITS, .a = TANH_SI}, /* 2^n, 0 ≤ n ≤ 27 */
    [TANH_ONE] = FLOAT(1),
    [TANH_S1] = OP2(MATH_SUB, TANH_S, TANH_ONE),
    [TANH_T] = FMA3(TANH_RED + RED_P, TANH_S, TANH_S1),
    [TANH_TWO] = FLOAT(2),
    [TANH_D] = OP2(MATH_ADD, TANH_T, TANH_TWO),
    [TANH_Q] = OP2(MATH_DIV, TANH_T, TANH_D),
    [TANH_QBITS] = {.op = MATH_BITS, .a = TANH_Q},
    [TANH_YBITS] = OP2(MATH_IOR, TANH_QBITS, TANH_SIGN),
    [TANH_Y] = {.op = MATH_UNBITS, .a = TANH_YBITS},
};

/* x = 2^k·(1 + f), √½ ≤ 1 + f < √2, for a normal positive x */
enum { LS_BITS, LS_SQRT, LS_OVER, LS_KI, LS_KBITS, LS_MBITS, LS_M, LS_ONE, LS_F, LS_K, LS_SIZE };
#define LOG_SPLIT(at, x)                                                                                               \
    [(at) + LS_BITS] = {.op = MATH_BITS, .a = (x)}, [(at) + LS_SQRT] = INT(0x3F3504F3), /* √½ */                    \
        [(at) + LS_OVER] = OP2(MATH_ISUB, (at) + LS_BITS, (at) + LS_SQRT),                                             \
            [(at) + LS_KI] = OP1I(MATH_ISAR, (at) + LS_OVER, 23),                                                      \
            [(at) + LS_KBITS] = OP1I(MATH_ISHL, (at) + LS_KI, 23),                                                     \
            [(at) + LS_MBITS] = OP2(MATH_ISUB, (at) + LS_BITS, (at) + LS_KBITS),                                       \
            [(at) + LS_M] = {.op = MATH_UNBITS, .a = (at) + LS_MBITS}, [(at) + LS_ONE] = FLOAT(1),                     \
            [(at) + LS_F] = OP2(MATH_SUB, (at) + LS_M, (at) + LS_ONE),                                                 \
            [(at) + LS_K] = {.op = MATH_ITOF, .a = (at) + LS_KI}

/* log(1 + f) + k·ln 2 */
enum {
    LP_C8,
    LP_C7,
    LP_R7,
    LP_C6,
    LP_R6,
    LP_C5,
    LP_R5,
    LP_C4,
    LP_R4,
    LP_C3,
    LP_R3,
    LP_C2,
    LP_R2,
    LP_C1,
    LP_R1,
    LP_C0,
    LP_R,
    LP_FF,
    LP_FFF,
    LP_Y0,
    LP_LN2LO,
    LP_Y1,
    LP_HALF,
    LP_Y2,
    LP_Y3,
    LP_LN2HI,
    LP_Y4,
    LP_SIZE
};
#define LOG_POLY(at, f, k)                                                                                             \
    [(at) + LP_C8] = FLOAT(0x1.13c372p-4f), [(at) + LP_C7] = FLOAT(-0x1.dda1bp-4f),                                    \
            [(at) + LP_R7] = FMA3((at) + LP_C8, (f), (at) + LP_C7), [(at) + LP_C6] = FLOAT(0x1.e6df82p-4f),            \
            [(at) + LP_R6] = FMA3((at) + LP_R7, (f), (at) + LP_C6), [(at) + LP_C5] = FLOAT(-0x1.fc3d26p-4f),           \
            [(at) + LP_R5] = FMA3((at) + LP_R6, (f), (at) + LP_C5), [(at) + LP_C4] = FLOAT(0x1.233acp-3f),             \
            [(at) + LP_R4] = FMA3((at) + LP_R5, (f), (at) + LP_C4), [(at) + LP_C3] = FLOAT(-0x1.555b9p-3f),            \
            [(at) + LP_R3] = FMA3((at) + LP_R4, (f), (at) + LP_C3), [(at) + LP_C2] = FLOAT(0x1.99a47ap-3f),            \
            [(at) + LP_R2] = FMA3((at) + LP_R3, (f), (at) + LP_C2), [(at) + LP_C1] = FLOAT(-0x1.000008p-2f),           \
            [(at) + LP_R1] = FMA3((at) + LP_R2, (f), (at) + LP_C1), [(at) + LP_C0] = FLOAT(0x1.555548p-2f),            \
            [(at) + LP_R] = FMA3((at) + LP_R1, (f), (at) + LP_C0), [(at) + LP_FF] = OP2(MATH_MUL, (f), (f)),           \
            [(at) + LP_FFF] = OP2(MATH_MUL, (at) + LP_FF, (f)),                                                        \
            [(at) + LP_Y0] = OP2(MATH_MUL, (at) + LP_FFF, (at) + LP_R), [(at) + LP_LN2LO] = FLOAT(LN2_LO),             \
            [(at) + LP_Y1] = FMA3((k), (at) + LP_LN2LO, (at) + LP_Y0), [(at) + LP_HALF] = FLOAT(-0.5f),                \
            [(at) + LP_Y2] = FMA3((at) + LP_HALF, (at) + LP_FF, (at) + LP_Y1),                                         \
            [(at) + LP_Y3] = OP2(MATH_ADD, (f), (at) + LP_Y2), [(at) + LP_LN2HI] = FLOAT(LN2_HI),                      \
            [(at) + LP_Y4] = FMA3((k), (at) + LP_LN2HI, (at) + LP_Y3)

enum {
    LOG_X,
    LOG_MIN,
    LOG_UP,
    LOG_XUP,
    LOG_N,
    LOG_KUP,
    LOG_ZERO,
    LOG_K0, /* scaled if subnormal */
    LOG_SP,
    LOG_K = LOG_SP + LS_SIZE,
    LOG_PO,
    LOG_INF = LOG_PO + LP_SIZE,
    LOG_S1,
    LOG_TINY,
    LOG_MINF,
    LOG_S2,
    LOG_NAN,
    LOG_Y
};
static const MathIns log_ins[] = {
    [LOG_X] = {.op = MATH_IN},
    [LOG_MIN] = FLOAT(FLT_MIN),
    [LOG_UP] = FLOAT(0x1p25f),
    [LOG_XUP] = OP2(MATH_MUL, LOG_X, LOG_UP),
    [LOG_N] = SELECT_LT(LOG_X, LOG_MIN, LOG_XUP, LOG_X),
    [LOG_KUP] = FLOAT(25),
    [LOG_ZERO] = FLOAT(0),
    [LOG_K0] = SELECT_LT(LOG_X, LOG_MIN, LOG_KUP, LOG_ZERO),
    LOG_SPLIT(LOG_SP, LOG_N),
    [LOG_K] = OP2(MATH_SUB, LOG_SP + LS_K, LOG_K0),
    LOG_POLY(LOG_PO, LOG_SP + LS_F, LOG_K),
    /* inf and NaN give themselves, ±0 gives −inf, what is negative gives NaN */
    [LOG_INF] = FLOAT(INFINITY),
    [LOG_S1] = SELECT_LT(LOG_X, LOG_INF, LOG_PO + LP_Y4, LOG_X),
    [LOG_TINY] = FLOAT(FLT_TRUE_MIN),
    [LOG_MINF] = FLOAT(-INFINITY),
    [LOG_S2] = SELECT_LT(LOG_X, LOG_TINY, LOG_MINF, LOG_S1),
    [LOG_NAN] = FLOAT(NAN),
    [LOG_Y] = SELECT_LT(LOG_X, LOG_ZERO, LOG_NAN, LOG_S2),
};

/* u = 1 + x is off by c = x − (u − 1), exactly so where it matters: 1 + x = 2^k·(1 + f), f = m − 1 + c·2^-k. */
enum {
    L1P_X,
    L1P_ONE,
    L1P_U,
    L1P_U1,
    L1P_C,
    L1P_SPLIT,
    L1P_BIAS = L1P_SPLIT + LS_SIZE,
    L1P_E,
    L1P_EBITS,
    L1P_DOWN,
    L1P_CK,
    L1P_BIG,
    L1P_ZERO,
    L1P_CORR,
    L1P_F,
    L1P_POLY,
    L1P_INF = L1P_POLY + LP_SIZE,
    L1P_S1,
    L1P_TINY,
    L1P_MINF,
    L1P_S2,
    L1P_NAN,
    L1P_S3,
    L1P_BITS,
    L1P_MASK,
    L1P_ABITS,
    L1P_ABS,
    L1P_NEAR,
    L1P_Y
};
static const MathIns log1p_ins[] = {
    [L1P_X] = {.op = MATH_IN},
    [L1P_ONE] = FLOAT(1),
    [L1P_U] = OP2(MATH_ADD, L1P_X, L1P_ONE),
    [L1P_U1] = OP2(MATH_SUB, L1P_U, L1P_ONE),
    [L1P_C] = OP2(MATH_SUB, L1P_X, L1P_U1),
    LOG_SPLIT(L1P_SPLIT, L1P_U),
    [L1P_BIAS] = INT(ONE_BIAS),
    [L1P_E] = OP2(MATH_ISUB, L1P_BIAS, L1P_SPLIT + LS_KI),
    [L1P_EBITS] = OP1I(MATH_ISHL, L1P_E, 23),
    [L1P_DOWN] = {.op = MATH_UNBITS, .a = L1P_EBITS}, /* 2^-k */
    [L1P_CK] = OP2(MATH_MUL, L1P_C, L1P_DOWN),
    [L1P_BIG] = FLOAT(0x1p26f), /* the correction is nothing from here on, and 2^-k no number in the end */
    [L1P_ZERO] = FLOAT(0),
    [L1P_CORR] = SELECT_LT(L1P_X, L1P_BIG, L1P_CK, L1P_ZERO),
    [L1P_F] = OP2(MATH_ADD, L1P_SPLIT + LS_F, L1P_CORR),
    LOG_POLY(L1P_POLY, L1P_F, L1P_SPLIT + LS_K),
    /* as for log, with u; near 0 it is x itself, sign and all */
    [L1P_INF] = FLOAT(INFINITY),
    [L1P_S1] = SELECT_LT(L1P_U, L1P_INF, L1P_POLY + LP_Y4, L1P_U),
    [L1P_TINY] = FLOAT(FLT_TRUE_MIN),
    [L1P_MINF] = FLOAT(-INFINITY),
    [L1P_S2] = SELECT_LT(L1P_U, L1P_TINY, L1P_MINF, L1P_S1),
    [L1P_NAN] = FLOAT(NAN),
    [L1P_S3] = SELECT_LT(L1P_U, L1P_ZERO, L1P_NAN, L1P_S2),
    [L1P_BITS] = {.op = MATH_BITS, .a = L1P_X},
    [L1P_MASK] = INT(NO_SIGN),
    [L1P_ABITS] = OP2(MATH_IAND, L1P_BITS, L1P_MASK),
    [L1P_ABS] = {.op = MATH_UNBITS, .a = L1P_ABITS},
    [L1P_NEAR] = FLOAT(0x1p-25f),
    [L1P_Y] = SELECT_LT(L1P_ABS, L1P_NEAR, L1P_X, L1P_S3),
};

enum {
    EM1_X,
    EM1_LO,
    EM1_A,
    EM1_HI,
    EM1_B,
    EM1_RED,
    EM1_BIAS = EM1_RED + RED_SIZE,
    EM1_N,
    EM1_SI,
    EM1_S,
    EM1_HALF,
    EM1_S1,
    EM1_T,
    EM1_2T,
    EM1_BITS,
    EM1_MASK,
    EM1_ABITS,
    EM1_ABS,
    EM1_NEAR,
    EM1_Y
};
static const MathIns expm1_ins[] = {
    [EM1_X] = {.op = MATH_IN},
    [EM1_LO] = FLOAT(-25), /* rounds to −1 */
    [EM1_A] = OP2(MATH_MAX, EM1_LO, EM1_X),
    [EM1_HI] = FLOAT(89), /* overflows in the last addition */
    [EM1_B] = OP2(MATH_MIN, EM1_HI, EM1_A),
    REDUCE(EM1_RED, EM1_B),
    [EM1_BIAS] = INT(ONE_BIAS - 1),
    [EM1_N] = OP2(MATH_IADD, EM1_RED + RED_N, EM1_BIAS),
    [EM1_SI] = OP1I(MATH_ISHL, EM1_N, 23),
    [EM1_S] = {.op = MATH_UNBITS, .a = EM1_SI}, /* 2^(n − 1), −37 ≤ n − 1 ≤ 127 */
    [EM1_HALF] = FLOAT(0.5f),
    [EM1_S1] = OP2(MATH_SUB, EM1_S, EM1_HALF),
    [EM1_T] = FMA3(EM1_RED + RED_P, EM1_S, EM1_S1),
    [EM1_2T] = OP2(MATH_ADD, EM1_T, EM1_T),
    [EM1_BITS] = {.op = MATH_BITS, .a = EM1_X},
    [EM1_MASK] = INT(NO_SIGN),
    [EM1_ABITS] = OP2(MATH_IAND, EM1_BITS, EM1_MASK),
    [EM1_ABS] = {.op = MATH_UNBITS, .a = EM1_ABITS},
    [EM1_NEAR] = FLOAT(0x1p-25f),
    [EM1_Y] = SELECT_LT(EM1_ABS, EM1_NEAR, EM1_X, EM1_2T),
};

/* Beyond 0.93: 1 − e^q = (1 − 2^n) − 2^n·(e^r − 1), −26 ≤ n ≤ 0. */
enum {
    ERF_X,
    ERF_BITS,
    ERF_SBIT,
    ERF_SIGN,
    ERF_MASK,
    ERF_ABITS,
    ERF_ABS,
    ERF_HI,
    ERF_A,
    ERF_AA,
    ERF_C6,
    ERF_C5,
    ERF_R5,
    ERF_C4,
    ERF_R4,
    ERF_C3,
    ERF_R3,
    ERF_C2,
    ERF_R2,
    ERF_C1,
    ERF_R1,
    ERF_NEAR,
    ERF_D7,
    ERF_D6,
    ERF_P6,
    ERF_D5,
    ERF_P5,
    ERF_D4,
    ERF_P4,
    ERF_D3,
    ERF_P3,
    ERF_D2,
    ERF_P2,
    ERF_D1,
    ERF_P1,
    ERF_ZERO,
    ERF_NEG,
    ERF_Q,
    ERF_RED,
    ERF_BIAS = ERF_RED + RED_SIZE,
    ERF_B,
    ERF_SI,
    ERF_S,
    ERF_ONE,
    ERF_S1,
    ERF_NEGS,
    ERF_FAR,
    ERF_EDGE,
    ERF_ABSY,
    ERF_ABSBITS,
    ERF_YBITS,
    ERF_Y
};
static const MathIns erf_ins[] = {
    [ERF_X] = {.op = MATH_IN},
    [ERF_BITS] = {.op = MATH_BITS, .a = ERF_X},
    [ERF_SBIT] = INT(SIGN_BIT),
    [ERF_SIGN] = OP2(MATH_IAND, ERF_BITS, ERF_SBIT),
    [ERF_MASK] = INT(NO_SIGN),
    [ERF_ABITS] = OP2(MATH_IAND, ERF_BITS, ERF_MASK),
    [ERF_ABS] = {.op = MATH_UNBITS, .a = ERF_ABITS},
    [ERF_HI] = FLOAT(4), /* rounds to 1 */
    [ERF_A] = OP2(MATH_MIN, ERF_HI, ERF_ABS),
    [ERF_AA] = OP2(MATH_MUL, ERF_A, ERF_A),
    [ERF_C6] = FLOAT(-0x1.38e000p-11f),
    [ERF_C5] = FLOAT(0x1.471a58p-8f),
    [ERF_R5] = FMA3(ERF_C6, ERF_AA, ERF_C5),
    [ERF_C4] = FLOAT(-0x1.b691b2p-6f),
    [ERF_R4] = FMA3(ERF_R5, ERF_AA, ERF_C4),
    [ERF_C3] = FLOAT(0x1.ce1c44p-4f),
    [ERF_R3] = FMA3(ERF_R4, ERF_AA, ERF_C3),
    [ERF_C2] = FLOAT(-0x1.812700p-2f),
    [ERF_R2] = FMA3(ERF_R3, ERF_AA, ERF_C2),
    [ERF_C1] = FLOAT(0x1.06eba8p-3f),
    [ERF_R1] = FMA3(ERF_R2, ERF_AA, ERF_C1),
    [ERF_NEAR] = FMA3(ERF_R1, ERF_A, ERF_A),
    [ERF_D7] = FLOAT(-0x1.220000p-16f),
    [ERF_D6] = FLOAT(0x1.91cfb2p-12f),
    [ERF_P6] = FMA3(ERF_D7, ERF_A, ERF_D6),
    [ERF_D5] = FLOAT(-0x1.fd1438p-9f),
    [ERF_P5] = FMA3(ERF_P6, ERF_A, ERF_D5),
    [ERF_D4] = FLOAT(0x1.8d6342p-6f),
    [ERF_P4] = FMA3(ERF_P5, ERF_A, ERF_D4),
    [ERF_D3] = FLOAT(-0x1.b55cb8p-4f),
    [ERF_P3] = FMA3(ERF_P4, ERF_A, ERF_D3),
    [ERF_D2] = FLOAT(-0x1.450aa0p-1f),
    [ERF_P2] = FMA3(ERF_P3, ERF_A, ERF_D2),
    [ERF_D1] = FLOAT(-0x1.079d0cp-3f),
    [ERF_P1] = FMA3(ERF_P2, ERF_A, ERF_D1),
    [ERF_ZERO] = FLOAT(0),
    [ERF_NEG] = OP2(MATH_SUB, ERF_ZERO, ERF_A),
    [ERF_Q] = FMA3(ERF_P1, ERF_A, ERF_NEG), /* log(1 − erf a) */
    REDUCE(ERF_RED, ERF_Q),
    [ERF_BIAS] = INT(ONE_BIAS),
    [ERF_B] = OP2(MATH_IADD, ERF_RED + RED_N, ERF_BIAS),
    [ERF_SI] = OP1I(MATH_ISHL, ERF_B, 23),
    [ERF_S] = {.op = MATH_UNBITS, .a = ERF_SI},
    [ERF_ONE] = FLOAT(1),
    [ERF_S1] = OP2(MATH_SUB, ERF_ONE, ERF_S),
    [ERF_NEGS] = OP2(MATH_SUB, ERF_ZERO, ERF_S),
    [ERF_FAR] = FMA3(ERF_RED + RED_P, ERF_NEGS, ERF_S1),
    [ERF_EDGE] = FLOAT(0.927734375f),
    [ERF_ABSY] = SELECT_LT(ERF_A, ERF_EDGE, ERF_NEAR, ERF_FAR),
    [ERF_ABSBITS] = {.op = MATH_BITS, .a = ERF_ABSY},
    [ERF_YBITS] = OP2(MATH_IOR, ERF_ABSBITS, ERF_SIGN),
    [ERF_Y] = {.op = MATH_UNBITS, .a = ERF_YBITS},
};

static const MathProgram exp_program = {exp_ins, COUNT_OF(exp_ins)};
static const MathProgram log_program = {log_ins, COUNT_OF(log_ins)};
static const MathProgram tanh_program = {tanh_ins, COUNT_OF(tanh_ins)};
static const MathProgram sigmoid_program = {sigmoid_ins, COUNT_OF(sigmoid_ins)};
static const MathProgram erf_program = {erf_ins, COUNT_OF(erf_ins)};
static const MathProgram expm1_program = {expm1_ins, COUNT_OF(expm1_ins)};
static const MathProgram log1p_program = {log1p_ins, COUNT_OF(log1p_ins)};

const MathProgram *math_program(Fn fn) {
    switch (fn) {
    case FN_EXP: return &exp_program;
    case FN_LOG: return &log_program;
    case FN_TANH: return &tanh_program;
    case FN_SIGMOID: return &sigmoid_program;
    case FN_ERF: return &erf_program;
    case FN_EXPM1: return &expm1_program;
    case FN_LOG1P: return &log1p_program;
    case FN_NEG:
    case FN_ABS:
    case FN_SQRT:
    case FN_ADD:
    case FN_SUB:
    case FN_MUL:
    case FN_DIV:
    case FN_MAX:
    case FN_MIN:
    case FN_FMA:
    case FN_LT:
    case FN_LE:
    case FN_EQ:
    case FN_COUNT: return NULL;
    }
    return NULL;
}
