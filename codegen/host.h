/* The CPU we run on, by its own account and the system's. */
#ifndef LUNETTE_CODEGEN_HOST_H
#define LUNETTE_CODEGEN_HOST_H

#include "ir/base.h"

/* LLVM's name of it ("znver3"), or NULL if it is none of those known here. */
const char *host_cpu(void);
/* In LLVM's form, "+avx2,-avx512f,…": each feature that can change the code of a kernel is named, with '-' also where the
 * CPU has it but a hypervisor or the system's saved registers leave it out. False if `size` is too small. */
bool host_features(char *out, size_t size);

#endif
