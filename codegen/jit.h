/* Objects in memory to code that runs: a thin cover of LLVM's LLJIT. */
#ifndef LUNETTE_CODEGEN_JIT_H
#define LUNETTE_CODEGEN_JIT_H

#include "codegen/emit.h"

typedef struct Jit Jit;

Jit *jit_open(const Target *t, Diag *d);
void jit_close(Jit *j); /* the code is gone; NULL is fine */
/* The bytes are copied. Symbols must differ between objects. */
bool jit_add(Jit *j, const char *symbol, const void *bytes, size_t n, Diag *d);
KernelFn jit_find(Jit *j, const char *symbol, Diag *d);

#endif
