/* Large memory, and what each thread needs of it for kernels. */
#ifndef LUNETTE_FRONTEND_MEMORY_H
#define LUNETTE_FRONTEND_MEMORY_H

#include "ir/base.h"

/* Zeroed, 64-byte aligned and more; huge pages where the system gives them. *size is for memory_close. NULL with DIAG_MACHINE. */
char *memory_open(int64_t bytes, size_t *size, Diag *d);
void memory_close(char *memory, size_t size); /* NULL is fine */

/* `bytes` (kernel_scratch) for each of `threads`; none where no kernel needs any. */
typedef struct Scratch {
    char *memory;
    size_t size;
    int64_t step;
} Scratch;

bool scratch_open(Scratch *s, int64_t bytes, int threads, Diag *d);
void *scratch_of(const Scratch *s, int thread); /* NULL: none */
void scratch_close(Scratch *s);

#endif
