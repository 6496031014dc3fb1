/* Largest error over all arguments, in ULP of the float32 result (LUNETTE_TEST_ALL_FLOATS=1 test_mathfn; tanh measured
 * for 2^-16 ≤ |x| < 10, sigmoid for 2^-26 ≤ |x|: what is left rounds to x, ½, 0 or 1):
 *             fma      mul+add
 *   exp       1.013    0.989
 *   log       0.806    0.822
 *   tanh      2.606    2.668
 *   sigmoid   2.402    2.402
 *   erf       0.989    1.157
 *   expm1     1.462    1.580
 *   log1p     1.380    1.380
 *   pow       0.676    0.692   the largest of 160 million pairs each; 0.78 where the result is subnormal
 */
#include "ir/mathfn/program.h"

const MathProgram *math_program(Fn fn) {
    switch (fn) {
    case FN_EXP: return math_exp();
    case FN_LOG: return math_log();
    case FN_TANH: return math_tanh();
    case FN_SIGMOID: return math_sigmoid();
    case FN_ERF: return math_erf();
    case FN_EXPM1: return math_expm1();
    case FN_LOG1P: return math_log1p();
    case FN_POW: return math_pow();
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
