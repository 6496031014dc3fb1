/* The loop interpreter: what a kernel means, bit for bit.
 *
 * float32 with one rounding an operation; `+=` of a product and fma() round once or twice as `fma`
 * says; max, min and select are C's ternaries; exp, log, tanh, sigmoid are the programs of
 * ir/mathfn.h; stores happen in the order of the loops. Generated code must give the same bits
 * (NaNs are equal whatever theirs are). */
#ifndef LUNETTE_RUNTIME_INTERP_H
#define LUNETTE_RUNTIME_INTERP_H

#include "ir/loop.h"

/* Runs tasks begin … end−1 of a verified kernel (numbered as kernel_tasks says, row-major over the
 * par loops of a nest). buf[i] is the memory of parameter i, dense, as its type says; outputs must
 * not overlap other parameters. Registers and scratch buffers are NaN at the start of each life.
 * Several threads may run parts of one kernel at once. False with DIAG_MACHINE (no memory) or
 * DIAG_INTERNAL (an access out of bounds). */
bool interp_run(const Kernel *k, void *const *buf, int64_t begin, int64_t end, bool fma, Diag *d);

#endif
