/* For the tests of ir/mathfn/: its programs executed apart from interpreter and emitter, as native kernels, and errors
 * in ULP. */
#ifndef LUNETTE_TESTS_NAIVE_MATH_H
#define LUNETTE_TESTS_NAIVE_MATH_H

#include "codegen/compile.h"

/* out[i] = fn(arg[0][i], arg[1][i]) by the function's program, with one rounding for a multiply-add or two. */
void naive_math(Fn fn, bool fma, const float *const arg[2], float *out, int n);

/* |got − want| in units of the last place of a float32 of want's size; an infinity is 2^128 where want is finite. INFINITY
 * for a zero of the wrong sign, and for a NaN that should be none or the other way round. */
double ulp_error(float got, double want);

enum { MATH_CHUNK = 1 << 14 };

/* A function over MATH_CHUNK elements, compiled for a target with two roundings and one with fma. */
typedef struct MathCode {
    Arena *arena;
    CodeLib *lib[2];
    KernelFn run[2]; /* [fma]; NULL: does not run on this machine */
} MathCode;

void math_code_open(MathCode *m, Fn fn);
void math_code_run(const MathCode *m, int fma, const float *const arg[2], float *out);
void math_code_close(MathCode *m);

/* LUNETTE_TEST_ALL_FLOATS=1: the long form of a test. */
bool test_all_floats(void);

#endif
