#include "codegen/link.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

size_t code_map_bytes(const ElfImage *image) { return (image->n + ELF_ALIGN - 1) & ~(size_t)(ELF_ALIGN - 1); }

bool code_map_open(CodeMap *m, size_t bytes, Diag *d) {
    *m = (CodeMap){.size = bytes ? bytes : 1};
    void *p = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return diag_fail(d, DIAG_MACHINE, "no memory for %zu bytes of code", bytes);
    m->base = p;
    return true;
}

KernelFn code_map_add(CodeMap *m, const ElfImage *image) {
    char *at = m->base + m->used;
    m->used += code_map_bytes(image);
    memcpy(at, image->bytes, image->n);
    KernelFn fn; /* ISO C has no conversion from data to function pointers */
    void *entry = at + image->entry;
    memcpy(&fn, &entry, sizeof fn);
    return fn;
}

bool code_map_seal(CodeMap *m, Diag *d) {
    if (mprotect(m->base, m->size, PROT_READ | PROT_EXEC) == 0) return true;
    return diag_fail(d, DIAG_MACHINE, "the system refuses to run code made here: %s", strerror(errno));
}

void code_map_close(CodeMap *m) {
    if (m->base) munmap(m->base, m->size);
    *m = (CodeMap){0};
}
