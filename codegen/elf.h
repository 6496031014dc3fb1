/* Just enough of ELF64 to look at the objects LLVM makes. */
#ifndef LUNETTE_CODEGEN_ELF_H
#define LUNETTE_CODEGEN_ELF_H

#include "ir/base.h"

typedef struct ElfFacts {
    const char *undefined; /* the first symbol that another object would have to define, or NULL */
    uint64_t code_bytes;   /* size of the symbol asked for; 0 if it is not there */
} ElfFacts;

/* False if these bytes are no x86-64 relocatable object. Reads nothing outside of them. */
bool elf_facts(const void *bytes, size_t n, const char *symbol, ElfFacts *out);

#endif
