#include "frontend/memory.h"

#include "ir/plan.h"

#include <sys/mman.h>

char *memory_open(int64_t bytes, size_t *size, Diag *d) {
    const size_t huge = (size_t)2 << 20, page = (size_t)bytes >= huge / 2 ? huge : 4096;
    *size = ((size_t)bytes + PLAN_ALIGN + page - 1) & ~(page - 1);
    size_t spare = page == huge ? huge : 0; /* a huge page is aligned to its size: what is cut off to get there */
    char *p = mmap(NULL, *size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        diag_fail(d, DIAG_MACHINE, "no memory for %zu bytes", *size);
        return NULL;
    }
    if (!spare) return p;
    size_t before = (huge - (uintptr_t)p % huge) % huge;
    if (before) munmap(p, before);
    if (spare > before) munmap(p + before + *size, spare - before);
    madvise(p + before, *size, MADV_HUGEPAGE); /* refused: the pages are small */
    return p + before;
}

void memory_close(char *memory, size_t size) {
    if (memory) munmap(memory, size);
}

bool scratch_open(Scratch *s, int64_t bytes, int threads, Diag *d) {
    const int64_t page = 4096;
    *s = (Scratch){.step = (bytes + page - 1) / page * page};
    if (bytes) s->memory = memory_open(s->step * threads, &s->size, d);
    return bytes == 0 || s->memory;
}

void *scratch_of(const Scratch *s, int thread) { return s->memory ? s->memory + s->step * thread : NULL; }

void scratch_close(Scratch *s) { memory_close(s->memory, s->size); }
