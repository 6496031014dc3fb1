/* From a verified kernel to machine code:
 *
 *     void SYMBOL(void *const *buf, const intptr_t *arg, void *scratch, intptr_t begin, intptr_t end)
 *
 * runs tasks begin … end−1 (numbered as kernel_tasks does); buf[i] is the memory of parameter i, arg
 * the kernel's values of what is lifted (lift.h), scratch kernel_scratch bytes of this thread's own, 64-byte aligned (NULL if that is 0).
 * Parameters must not overlap each other in memory if one of them is written: the optimizer is told so. The code calls nothing,
 * touches no memory but its buffers, its stack (at most a few tens of KB) and constants of its own, and gives the bits of the
 * interpreter. */
#ifndef LUNETTE_CODEGEN_EMIT_H
#define LUNETTE_CODEGEN_EMIT_H

#include "ir/loop.h"

typedef enum EmitOutput {
    EMIT_OBJECT,
    EMIT_ASSEMBLY,  /* verbose, as text */
    EMIT_LLVM,      /* LLVM IR as the emitter makes it */
    EMIT_OPTIMIZED, /* LLVM IR after the passes */
} EmitOutput;

/* An LLVM target machine: of one thread, for many kernels. */
typedef struct Machine Machine;
Machine *machine_open(const Target *t, Diag *d);
void machine_close(Machine *m); /* NULL is fine */

/* bytes: mem_alloc'd, for the caller to free, *n of them and a '\0'. An LLVM context of its own a
 * call. Whether an object can be linked is for elf_image to say. */
bool machine_emit(Machine *m, const Kernel *k, const char *symbol, EmitOutput kind, void **bytes, size_t *n, Diag *d);

/* The three in one. */
bool emit_object(const Kernel *k, const Target *t, const char *symbol, EmitOutput kind, void **bytes, size_t *n,
                 Diag *d);

typedef struct SpillCount {
    int stores, loads;             /* vector registers to and from the stack, in the whole kernel */
    int inner_stores, inner_loads; /* … of these in innermost loops */
    int instructions;
} SpillCount;

bool codegen_count_spills(const Kernel *k, const Target *t, SpillCount *out, Diag *d);

/* Compiled and run by tests and the compile driver. */
typedef void (*KernelFn)(void *const *buf, const intptr_t *arg, void *scratch, intptr_t begin, intptr_t end);

/* "19.1.7", as the build found it: part of the cache's key. */
const char *llvm_version(void);
/* The passes that are run, as LLVM spells them: part of the key too. */
const char *llvm_passes(void);

#endif
