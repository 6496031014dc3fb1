/* The memory that sweeps read, and how large the caches are. */
#include "frontend/cli/roof.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { CACHES = 8, HUGE_PAGE = 2 << 20 };
static const int64_t LEAST_MEMORY = (int64_t)64 << 20, MOST_MEMORY = (int64_t)1 << 30, USUAL_L3 = 32 << 20;

const char *const level_name[LEVELS] = {"L1", "L2", "L3", "memory"};

static bool cache_line(int index, const char *file, char text[32]) {
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, file);
    FILE *f = fopen(path, "r");
    bool good = f && fgets(text, 32, f);
    if (f) fclose(f);
    return good;
}

/* Of what CPU 0 shares with its neighbours; sysconf, where targets have their sizes from, knows the last cache of a whole
 * socket on some machines. */
static int64_t cache_bytes(int level, int64_t otherwise) {
    char text[32];
    for (int i = 0; i < CACHES; i++) {
        int of = 0;
        long long size = 0;
        char unit = 0;
        if (!cache_line(i, "level", text) || sscanf(text, "%d", &of) != 1 || of != level) continue;
        if (!cache_line(i, "type", text) || text[0] == 'I') continue;
        if (cache_line(i, "size", text) && sscanf(text, "%lld%c", &size, &unit) == 2 && size > 0)
            return unit == 'K' ? size << 10 : unit == 'M' ? size << 20 : otherwise;
    }
    return otherwise;
}

bool sweep_memory_open(SweepMemory *m, const Target *t, Diag *d) {
    m->cache[LEVEL_L1] = cache_bytes(1, t->l1_bytes);
    m->cache[LEVEL_L2] = cache_bytes(2, t->l2_bytes);
    m->cache[LEVEL_L3] = cache_bytes(3, t->l3_bytes ? t->l3_bytes : USUAL_L3);
    int64_t size = 4 * m->cache[LEVEL_L3];
    size = size < LEAST_MEMORY ? LEAST_MEMORY : size > MOST_MEMORY ? MOST_MEMORY : size;
    m->size = (size_t)size & ~(size_t)(HUGE_PAGE - 1);
    void *at = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return diag_fail(d, DIAG_MACHINE, "no memory to measure its bandwidth: %zu bytes", m->size);
    m->at = at;
    madvise(at, m->size, MADV_HUGEPAGE); /* refused: the pages are small */
    memset(at, 0x3c, m->size); /* pages never written are all the same one of zeros; these are floats near 0.01 */
    return true;
}

void sweep_memory_close(SweepMemory *m) {
    if (m->at) munmap(m->at, m->size);
    m->at = NULL;
}
