/* Layers one by one, on integers: native code against the definition (frontend/definition.h), output by output. Sums of
 * products stay below 2^24, so every order of additions gives the same float32 and the answer must be equal, not near; a
 * mean over a number of elements that is no power of two may be off by its roundings.
 *
 * Unlike check_model nothing is interpreted: thousands of small layers, or large ones of which a sample of the outputs
 * is compared, take little time. */
#ifndef LUNETTE_FRONTEND_CHECK_SUITE_H
#define LUNETTE_FRONTEND_CHECK_SUITE_H

#include "frontend/layers.h"

typedef enum SuiteVerdict { SUITE_PASSED, SUITE_FAILED, SUITE_UNSUPPORTED } SuiteVerdict;

enum { SUITE_WHY = 600 };

typedef struct SuiteCase {
    LayerText text;
    SuiteVerdict verdict;
    char why[SUITE_WHY]; /* "" when it passed */
    DiagKind refused;    /* of one that is not supported: by the spec's rules or by the compiler's */
    int64_t outputs, compared;
    bool exact;
} SuiteCase;

typedef struct SuiteOptions {
    uint64_t seed;
    int64_t batch;
    int threads;
    const char *cpu; /* NULL: this machine */
    int64_t work;    /* terms that the definition may sum for one case: of more, a sample is compared; 0: all */
    void (*tamper)(void *ctx, int number, float *y, int64_t n); /* tests only: may spoil a result; may be NULL */
    void *ctx;
} SuiteOptions;

/* Gives all cases their verdict. They are compiled as one network; one that cannot be is found out. False with `d` when
 * the machine could not do it (memory). */
bool suite_check(SuiteCase *v, int n, const SuiteOptions *o, Diag *d);

/* ---- random layers: check_random.c ---------------------------------------------------------------------------- */

/* Case `number` of a seed: a convolution, transposed convolution or pool of 1 to 3 axes with whatever attributes the op
 * table has for it. The same for the same numbers. */
LayerText random_layer(Arena *a, uint64_t seed, uint64_t number);

#endif
