/* Kernels whose results may lie over inputs (`out y : … over z`), run in both ways. */
#ifndef LUNETTE_TESTS_RANDOM_OVER_H
#define LUNETTE_TESTS_RANDOM_OVER_H

#include "ir/loop.h"

/* All tasks of the kernel on these parameters; fails by itself. */
typedef void OverRun(const Kernel *k, void **buf, void *ctx);

/* Runs the kernel twice on random data: each result that is over an input in that input's memory, and in memory of its own
 * that holds the same before. Where the two differ in a bit, as a message in the kernel's arena; NULL if they do not. */
const char *over_difference(const Kernel *k, uint64_t seed, OverRun *run, void *ctx);

#endif
