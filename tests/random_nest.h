/* Random kernels for tests: legal (kernel_verify), unscheduled, at most 20,000 elements of
 * parameters. Convolutions, reductions, pointwise nests with tables and shared nodes, softmax with
 * scratch buffers, recurrences, indirect loads, all element types; one to three nests at the top. */
#ifndef LUNETTE_TESTS_RANDOM_NEST_H
#define LUNETTE_TESTS_RANDOM_NEST_H

#include "ir/loop.h"

/* The next number of the sequence (splitmix64). */
uint64_t random_next(uint64_t *seed);
/* lo … hi */
int random_in(uint64_t *seed, int lo, int hi);
/* A float in −1 … 1. */
float random_float(uint64_t *seed);

Kernel *random_nest(Arena *a, uint64_t *seed);

/* Fresh memory for all parameters (mem_alloc), inputs random, outputs 0; freed by random_buffers_free. Integers are
 * mostly small, some have all bits. */
void **random_buffers(const Kernel *k, uint64_t *seed);
void random_buffers_free(const Kernel *k, void **buf);

/* Where two sets of parameters differ, as a message in the kernel's arena; NULL if they do not. f32 may differ by
 * tolerance·(1 + |x|), with 0 not in a bit; NaNs are equal. Other types must be the same. */
const char *random_buffers_difference(const Kernel *k, void *const *x, void *const *y, double tolerance);

#endif
