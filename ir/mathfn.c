/* exp, log, tanh, sigmoid in single precision.
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
 */
#include "ir/mathfn.h"

#include <float.h>
#include <math.h>

#define OP2(o, x, y) {.op = (o), .a = (x), .b = (y)}
#define OP1I(o, x, n) {.op = (o), .a = (x), .i = (n)}
#define FMA3(x, y, z) {.op = MATH_FMA, .a = (x), .b = (y), .c = (z)}
#define SELECT_LT(l, r, yes, no) {.op = MATH_LT, .a = (yes), .b = (no), .c = (l), .d = (r)}
#define FLOAT(v) {.op = MATH_FLOAT, .f = (v)}
#define INT(v) {.op = MATH_INT, .i = (v)}

#define LN2_HI 0x1.62e4p-1f /* 15 bits */
#define LN2_LO 0x1.7f7d1cp-20f
#define LOG2_E 0x1.715476p+0f
#define ROUND_MAGIC 12582912.0f /* 1.5·2^23: the sum's last bit is worth 1 */
enum { ROUND_MAGIC_BITS = 0x4B400000, SIGN_BIT = INT32_MIN, NO_SIGN = INT32_MAX, ONE_BIAS = 127 };

/* ---- e^x − 1 and n, from the argument at `x` --------------------------------------------- */

enum {
    RED_LOG2E, RED_MAGIC, RED_T, RED_NF, RED_HI, RED_R1, RED_LO, RED_R, RED_C4, RED_C3, RED_Q3, RED_C2,
    RED_Q2, RED_C1, RED_Q1, RED_C0, RED_Q, RED_RR, RED_P, /* e^r − 1 */
    RED_TI, RED_MI, RED_N, /* the integer n */
    RED_SIZE
};
#define REDUCE(at, x)                                                                              \
    [(at) + RED_LOG2E] = FLOAT(LOG2_E),                                                            \
    [(at) + RED_MAGIC] = FLOAT(ROUND_MAGIC),                                                       \
    [(at) + RED_T] = FMA3((x), (at) + RED_LOG2E, (at) + RED_MAGIC),                                \
    [(at) + RED_NF] = OP2(MATH_SUB, (at) + RED_T, (at) + RED_MAGIC),                               \
    [(at) + RED_HI] = FLOAT(-LN2_HI),                                                              \
    [(at) + RED_R1] = FMA3((at) + RED_NF, (at) + RED_HI, (x)),                                     \
    [(at) + RED_LO] = FLOAT(-LN2_LO),                                                              \
    [(at) + RED_R] = FMA3((at) + RED_NF, (at) + RED_LO, (at) + RED_R1),                            \
    [(at) + RED_C4] = FLOAT(0x1.6a4d78p-10f),                                                      \
    [(at) + RED_C3] = FLOAT(0x1.12398ep-7f),                                                       \
    [(at) + RED_Q3] = FMA3((at) + RED_C4, (at) + RED_R, (at) + RED_C3),                            \
    [(at) + RED_C2] = FLOAT(0x1.5558bp-5f),                                                        \
    [(at) + RED_Q2] = FMA3((at) + RED_Q3, (at) + RED_R, (at) + RED_C2),                            \
    [(at) + RED_C1] = FLOAT(0x1.555492p-3f),                                                       \
    [(at) + RED_Q1] = FMA3((at) + RED_Q2, (at) + RED_R, (at) + RED_C1),                            \
    [(at) + RED_C0] = FLOAT(0x1.fffffcp-2f),                                                       \
    [(at) + RED_Q] = FMA3((at) + RED_Q1, (at) + RED_R, (at) + RED_C0),                             \
    [(at) + RED_RR] = OP2(MATH_MUL, (at) + RED_R, (at) + RED_R),                                   \
    [(at) + RED_P] = FMA3((at) + RED_RR, (at) + RED_Q, (at) + RED_R),                              \
    [(at) + RED_TI] = {.op = MATH_BITS, .a = (at) + RED_T},                                        \
    [(at) + RED_MI] = INT(ROUND_MAGIC_BITS),                                                       \
    [(at) + RED_N] = OP2(MATH_ISUB, (at) + RED_TI, (at) + RED_MI)

/* (1 + p)·2^n, rounded once even where it is subnormal */
enum {
    SC_ONE, SC_E, SC_BIAS, SC_N1, SC_N2, SC_B1, SC_B2, SC_I1, SC_I2, SC_S1, SC_S2, SC_Y1, SC_Y,
    SC_SIZE
};
#define SCALE(at, p, n)                                                                            \
    [(at) + SC_ONE] = FLOAT(1),                                                                    \
    [(at) + SC_E] = OP2(MATH_ADD, (p), (at) + SC_ONE),                                             \
    [(at) + SC_BIAS] = INT(ONE_BIAS),                                                              \
    [(at) + SC_N1] = OP1I(MATH_ISAR, (n), 1),                                                      \
    [(at) + SC_N2] = OP2(MATH_ISUB, (n), (at) + SC_N1),                                            \
    [(at) + SC_B1] = OP2(MATH_IADD, (at) + SC_N1, (at) + SC_BIAS),                                 \
    [(at) + SC_B2] = OP2(MATH_IADD, (at) + SC_N2, (at) + SC_BIAS),                                 \
    [(at) + SC_I1] = OP1I(MATH_ISHL, (at) + SC_B1, 23),                                            \
    [(at) + SC_I2] = OP1I(MATH_ISHL, (at) + SC_B2, 23),                                            \
    [(at) + SC_S1] = {.op = MATH_UNBITS, .a = (at) + SC_I1},                                       \
    [(at) + SC_S2] = {.op = MATH_UNBITS, .a = (at) + SC_I2},                                       \
    [(at) + SC_Y1] = OP2(MATH_MUL, (at) + SC_E, (at) + SC_S1),                                     \
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
    SIG_X, SIG_BITS, SIG_SIGN, SIG_NBITS, SIG_NEG, SIG_LO, SIG_A, SIG_RED, SIG_SC = SIG_RED + RED_SIZE,
    SIG_D = SIG_SC + SC_SIZE, SIG_ZERO, SIG_N, SIG_Y
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
    TANH_X, TANH_BITS, TANH_SBIT, TANH_SIGN, TANH_MASK, TANH_ABITS, TANH_ABS, TANH_HI, TANH_A, TANH_2A,
    TANH_RED, TANH_BIAS = TANH_RED + RED_SIZE, TANH_B, TANH_SI, TANH_S, TANH_ONE, TANH_S1, TANH_T,
    TANH_TWO, TANH_D, TANH_Q, TANH_QBITS, TANH_YBITS, TANH_Y
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

enum {
    LOG_X, LOG_MIN, LOG_UP, LOG_XUP, LOG_N, LOG_KUP, LOG_ZERO, LOG_K0, /* scaled if subnormal */
    LOG_BITS, LOG_SQRT, LOG_OVER, LOG_KI, LOG_KBITS, LOG_MBITS, LOG_M, LOG_ONE, LOG_F, LOG_KF, LOG_K,
    LOG_C8, LOG_C7, LOG_R7, LOG_C6, LOG_R6, LOG_C5, LOG_R5, LOG_C4, LOG_R4, LOG_C3, LOG_R3, LOG_C2, LOG_R2,
    LOG_C1, LOG_R1, LOG_C0, LOG_R, LOG_FF, LOG_FFF, LOG_Y0, LOG_LN2LO, LOG_Y1, LOG_HALF, LOG_Y2, LOG_Y3,
    LOG_LN2HI, LOG_Y4, LOG_INF, LOG_S1, LOG_TINY, LOG_MINF, LOG_S2, LOG_NAN, LOG_Y
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
    [LOG_BITS] = {.op = MATH_BITS, .a = LOG_N},
    [LOG_SQRT] = INT(0x3F3504F3), /* √½ */
    [LOG_OVER] = OP2(MATH_ISUB, LOG_BITS, LOG_SQRT),
    [LOG_KI] = OP1I(MATH_ISAR, LOG_OVER, 23),
    [LOG_KBITS] = OP1I(MATH_ISHL, LOG_KI, 23),
    [LOG_MBITS] = OP2(MATH_ISUB, LOG_BITS, LOG_KBITS),
    [LOG_M] = {.op = MATH_UNBITS, .a = LOG_MBITS},
    [LOG_ONE] = FLOAT(1),
    [LOG_F] = OP2(MATH_SUB, LOG_M, LOG_ONE),
    [LOG_KF] = {.op = MATH_ITOF, .a = LOG_KI},
    [LOG_K] = OP2(MATH_SUB, LOG_KF, LOG_K0),
    [LOG_C8] = FLOAT(0x1.13c372p-4f),
    [LOG_C7] = FLOAT(-0x1.dda1bp-4f),
    [LOG_R7] = FMA3(LOG_C8, LOG_F, LOG_C7),
    [LOG_C6] = FLOAT(0x1.e6df82p-4f),
    [LOG_R6] = FMA3(LOG_R7, LOG_F, LOG_C6),
    [LOG_C5] = FLOAT(-0x1.fc3d26p-4f),
    [LOG_R5] = FMA3(LOG_R6, LOG_F, LOG_C5),
    [LOG_C4] = FLOAT(0x1.233acp-3f),
    [LOG_R4] = FMA3(LOG_R5, LOG_F, LOG_C4),
    [LOG_C3] = FLOAT(-0x1.555b9p-3f),
    [LOG_R3] = FMA3(LOG_R4, LOG_F, LOG_C3),
    [LOG_C2] = FLOAT(0x1.99a47ap-3f),
    [LOG_R2] = FMA3(LOG_R3, LOG_F, LOG_C2),
    [LOG_C1] = FLOAT(-0x1.000008p-2f),
    [LOG_R1] = FMA3(LOG_R2, LOG_F, LOG_C1),
    [LOG_C0] = FLOAT(0x1.555548p-2f),
    [LOG_R] = FMA3(LOG_R1, LOG_F, LOG_C0),
    [LOG_FF] = OP2(MATH_MUL, LOG_F, LOG_F),
    [LOG_FFF] = OP2(MATH_MUL, LOG_FF, LOG_F),
    [LOG_Y0] = OP2(MATH_MUL, LOG_FFF, LOG_R),
    [LOG_LN2LO] = FLOAT(LN2_LO),
    [LOG_Y1] = FMA3(LOG_K, LOG_LN2LO, LOG_Y0),
    [LOG_HALF] = FLOAT(-0.5f),
    [LOG_Y2] = FMA3(LOG_HALF, LOG_FF, LOG_Y1),
    [LOG_Y3] = OP2(MATH_ADD, LOG_F, LOG_Y2),
    [LOG_LN2HI] = FLOAT(LN2_HI),
    [LOG_Y4] = FMA3(LOG_K, LOG_LN2HI, LOG_Y3),
    /* inf and NaN give themselves, ±0 gives −inf, what is negative gives NaN */
    [LOG_INF] = FLOAT(INFINITY),
    [LOG_S1] = SELECT_LT(LOG_X, LOG_INF, LOG_Y4, LOG_X),
    [LOG_TINY] = FLOAT(FLT_TRUE_MIN),
    [LOG_MINF] = FLOAT(-INFINITY),
    [LOG_S2] = SELECT_LT(LOG_X, LOG_TINY, LOG_MINF, LOG_S1),
    [LOG_NAN] = FLOAT(NAN),
    [LOG_Y] = SELECT_LT(LOG_X, LOG_ZERO, LOG_NAN, LOG_S2),
};

static const MathProgram exp_program = {exp_ins, COUNT_OF(exp_ins)};
static const MathProgram log_program = {log_ins, COUNT_OF(log_ins)};
static const MathProgram tanh_program = {tanh_ins, COUNT_OF(tanh_ins)};
static const MathProgram sigmoid_program = {sigmoid_ins, COUNT_OF(sigmoid_ins)};

const MathProgram *math_program(Fn fn) {
    switch (fn) {
    case FN_EXP:
        return &exp_program;
    case FN_LOG:
        return &log_program;
    case FN_TANH:
        return &tanh_program;
    case FN_SIGMOID:
        return &sigmoid_program;
    case FN_NEG: case FN_ABS: case FN_SQRT: case FN_ADD: case FN_SUB: case FN_MUL: case FN_DIV: case FN_MAX:
    case FN_MIN: case FN_FMA: case FN_LT: case FN_LE: case FN_EQ: case FN_COUNT:
        return NULL;
    }
    return NULL;
}
