/* From an object that LLVM made to its image: the bytes that are in memory when its code runs. Such an object refers to
 * nothing outside of it and has no absolute addresses, so its image runs wherever it lies. */
#ifndef LUNETTE_CODEGEN_ELF_H
#define LUNETTE_CODEGEN_ELF_H

#include "ir/base.h"

enum { ELF_ALIGN = 64 }; /* of an image in memory; no section wants more */

typedef struct ElfImage {
    char *bytes; /* mem_alloc'd, NULL: none; `n` of them */
    size_t n;
    size_t entry;      /* where the function begins … */
    size_t code_bytes; /* … and its length */
} ElfImage;

/* False, with an empty image, if these bytes are no x86-64 relocatable object that defines the function `symbol` and needs
 * nothing else (DIAG_INTERNAL), or there is no memory. Whatever the bytes are, none outside of them is read and none
 * outside of the image written. */
bool elf_image(const void *bytes, size_t n, const char *symbol, ElfImage *out, Diag *d);
void elf_image_free(ElfImage *image);

#endif
