#include "frontend/data/mapfile.h"

#include "frontend/data/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool mapfile_check(const char *path, const struct stat *st, Diag *d) {
    if (S_ISDIR(st->st_mode)) return data_fail(d, DIAG_FILE, path, "a file expected, this is a directory");
    if (!S_ISREG(st->st_mode)) return data_fail(d, DIAG_FILE, path, "a regular file expected, this is none");
    if (st->st_size <= 0) return data_fail(d, DIAG_FILE, path, "data expected, the file is empty");
    if ((uintmax_t)st->st_size > PTRDIFF_MAX)
        return data_fail(d, DIAG_MACHINE, path, "too large for this machine's addresses");
    return true;
}

static bool mapfile_map(MapFile *m, int fd, Diag *d) {
    struct stat st;
    if (fstat(fd, &st) != 0) return data_errno(d, m->path, "read", errno);
    if (!mapfile_check(m->path, &st, d)) return false;
    m->size = (size_t)st.st_size;
    void *p = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return data_errno(d, m->path, "map", errno);
    m->data = p;
    return true;
}

MapFile *mapfile_open(const char *path, Diag *d) {
    size_t n = strlen(path) + 1;
    MapFile *m = mem_alloc(sizeof *m + n);
    if (!m) {
        data_oom(d, path, sizeof *m + n);
        return NULL;
    }
    memcpy(m->path, path, n);
    /* O_NONBLOCK: opening a pipe must not wait for its writer, it is refused at once. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok = fd >= 0 ? mapfile_map(m, fd, d) : data_errno(d, path, "open", errno);
    if (fd >= 0) close(fd);
    if (ok) return m;
    mem_free(m);
    return NULL;
}

void mapfile_release(const MapFile *m, const void *from, size_t bytes) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), base = (uintptr_t)m->data, start = (uintptr_t)from;
    if (start < base || start - base > m->size || bytes > m->size - (start - base)) return;
    uintptr_t first = (start + page - 1) / page * page, last = (start + bytes) / page * page;
    if (first < last) madvise((void *)first, last - first, MADV_DONTNEED);
}

void mapfile_close(MapFile *m) {
    if (!m) return;
    munmap((void *)(uintptr_t)m->data, m->size);
    mem_free(m);
}

char *text_load(Arena *a, const char *path, Diag *d) {
    MapFile *map = mapfile_open(path, d);
    if (!map) return NULL;
    if (memchr(map->data, '\0', map->size)) {
        mapfile_close(map);
        diag_fail(d, DIAG_SPEC, "%s: not a text", path);
        return NULL;
    }
    char *volatile text = NULL;
    jmp_buf outer;
    memcpy(outer, a->oom, sizeof outer);
    if (setjmp(a->oom) == 0) text = arena_alloc(a, map->size + 1);
    memcpy(a->oom, outer, sizeof outer);
    if (text) memcpy(text, map->data, map->size);
    mapfile_close(map);
    if (!text) longjmp(a->oom, 1);
    return text;
}
