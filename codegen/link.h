/* Images of objects to code that runs: all in one mapping, which is never writable and executable at once. */
#ifndef LUNETTE_CODEGEN_LINK_H
#define LUNETTE_CODEGEN_LINK_H

#include "codegen/elf.h"
#include "codegen/emit.h"

typedef struct CodeMap {
    char *base;
    size_t size, used;
} CodeMap;

/* What an image takes of a map. */
size_t code_map_bytes(const ElfImage *image);
/* Room for so many bytes, to be written. */
bool code_map_open(CodeMap *m, size_t bytes, Diag *d);
/* Copies an image, for which there must be room. Its function may be called once the map is sealed. */
KernelFn code_map_add(CodeMap *m, const ElfImage *image);
/* From here on it can be read and run, but not be written. */
bool code_map_seal(CodeMap *m, Diag *d);
void code_map_close(CodeMap *m); /* one that was never opened is fine */

#endif
