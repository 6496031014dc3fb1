/* Laws of convolution that need no reference: two layers that must give the same, on integers, to the bit. Random small
 * layers, native code on both sides. */
#ifndef LUNETTE_FRONTEND_CHECK_LAWS_H
#define LUNETTE_FRONTEND_CHECK_LAWS_H

#include "frontend/layers.h"

enum { LAW_WHY = 900 };

typedef struct LawResult {
    const char *name, *says; /* "adjoint", "<conv(x), y> = <x, convtranspose(y)>" */
    int held, failed, unsupported;
    char why[LAW_WHY]; /* of the first that failed, else of the first that is not supported; "" if there is none */
} LawResult;

typedef struct LawOptions {
    uint64_t seed;
    int cases, threads;
    const char *cpu; /* NULL: this machine */
    void (*tamper)(void *ctx, float *y,
                   int64_t n); /* tests only: may spoil the result of the first layer; may be NULL */
    void *ctx;
} LawOptions;

extern const int law_count;
/* False with `d` when the machine could not do it. */
bool law_check(int law, const LawOptions *o, LawResult *out, Diag *d);

#endif
