/* Scratch memory for calls of compiled kernels. */
#ifndef LUNETTE_TESTS_SCRATCH_H
#define LUNETTE_TESTS_SCRATCH_H

#include "ir/loop.h"

#include <stdlib.h>
#include <string.h>

/* For one thread, until the next call; all NaN, so that a read before a write shows. NULL if the kernel needs none. */
static inline void *scratch_for(const Kernel *k) {
    static void *memory;
    size_t bytes = (size_t)kernel_scratch(k, NULL);
    free(memory);
    memory = bytes ? aligned_alloc(64, bytes) : NULL;
    if (memory) memset(memory, 0xFF, bytes);
    return memory;
}

#endif
