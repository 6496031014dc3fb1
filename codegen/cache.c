#include "codegen/cache.h"
#include "codegen/emit.h"
#include "ir/mathfn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

/* From the build: a hash of the emitter's sources, so that old code does not outlive a change to it. */
#ifndef LUNETTE_CODE
#define LUNETTE_CODE ""
#endif

struct Cache {
    int dir;
    int64_t limit;
    _Atomic unsigned temporary; /* numbers names of files being written */
    _Atomic bool wrote;
};

/* An entry is this, then `n` bytes. Of our own machine: no byte order. */
typedef struct Header {
    char magic[8];
    uint64_t n;
    XXH128_hash_t key, sum; /* of the name and of the bytes: a file under a wrong name is no entry */
} Header;

static const char magic[8] = "LUNETTE1";

/* exp, log, …: a kernel's text names them, but the code holds what they were at the time. */
static uint64_t hash_math(void) {
    uint64_t h = 0;
    for (int fn = 0; fn < FN_COUNT; fn++) {
        const MathProgram *p = math_program((Fn)fn);
        for (int j = 0; p && j < p->n; j++) {
            const MathIns *m = &p->ins[j];
            int32_t field[7] = {(int32_t)m->op, m->a, m->b, m->c, m->d, 0, m->i};
            memcpy(&field[5], &m->f, sizeof m->f);
            h = XXH3_64bits_withSeed(field, sizeof field, h);
        }
    }
    return h;
}

CacheKey cache_key(Arena *a, const char *kernel, const Target *t, const char *options) {
    /* One field a line, and the only one of several lines last: no two lists read the same. */
    Text text = {.arena = a};
    text_add(&text, "%s\n%s\n%s\n%d %d\n%s\n", t->triple, t->cpu, t->features, t->vector_bytes, t->fma, options);
    text_add(&text, "%s\n%s\n%s\n%llx\n", LUNETTE_VERSION " " LUNETTE_CODE, llvm_version(), llvm_passes(),
             (unsigned long long)hash_math());
    text_add(&text, "%s", kernel);
    CacheKey key;
    XXH128_hash_t h = XXH3_128bits(text.v, text.n);
    snprintf(key.text, sizeof key.text, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
    return key;
}

bool cache_default_dir(char *out, size_t size) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (base && base[0] == '/') n = snprintf(out, size, "%s/lunette", base); /* XDG: relative ones are ignored */
    else if (home && home[0]) n = snprintf(out, size, "%s/.cache/lunette", home);
    return n > 0 && (size_t)n < size;
}

/* mkdir -p; what exists is fine. */
static void make_dirs(const char *dir) {
    char path[4096];
    size_t n = strlen(dir);
    if (n >= sizeof path) return;
    for (size_t i = 1; i <= n; i++) {
        if (dir[i] != '/' && dir[i] != '\0') continue;
        memcpy(path, dir, i);
        path[i] = '\0';
        mkdir(path, 0700);
    }
}

static const char *refuse_dir(int fd) {
    struct stat s;
    if (fstat(fd, &s) != 0) return strerror(errno);
    if (s.st_uid != geteuid()) return "belongs to another user";
    if (s.st_mode & (S_IWGRP | S_IWOTH)) return "others may write to it";
    return NULL;
}

Cache *cache_open(const char *dir, int64_t limit, char *why, size_t why_size) {
    make_dirs(dir);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *reason = fd < 0 ? strerror(errno) : refuse_dir(fd);
    Cache *c = reason ? NULL : mem_alloc(sizeof *c);
    if (c) {
        c->dir = fd;
        c->limit = limit;
        return c;
    }
    snprintf(why, why_size, "cache directory %s: %s", dir, reason ? reason : "out of memory");
    if (fd >= 0) close(fd);
    return NULL;
}

static bool read_all(int fd, void *to, size_t n) {
    for (char *p = to; n > 0;) {
        ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const void *from, size_t n) {
    for (const char *p = from; n > 0;) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        p += put;
        n -= (size_t)put;
    }
    return true;
}

static bool same_hash(XXH128_hash_t a, XXH128_hash_t b) { return a.low64 == b.low64 && a.high64 == b.high64; }
static XXH128_hash_t key_hash(const CacheKey *key) { return XXH3_128bits(key->text, sizeof key->text - 1); }

static bool file_is_ours(int fd, uint64_t *size) {
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || s.st_uid != geteuid() || (s.st_mode & (S_IWGRP | S_IWOTH)))
        return false;
    *size = (uint64_t)s.st_size;
    return true;
}

static bool read_entry(int fd, const CacheKey *key, void **bytes, size_t *n) {
    Header h;
    uint64_t size;
    if (!file_is_ours(fd, &size) || !read_all(fd, &h, sizeof h)) return false;
    if (memcmp(h.magic, magic, sizeof magic) != 0 || !same_hash(h.key, key_hash(key))) return false;
    if (size < sizeof h || h.n != size - sizeof h || h.n == 0) return false;
    void *p = mem_alloc(h.n);
    if (!p) return false;
    if (read_all(fd, p, h.n) && same_hash(h.sum, XXH3_128bits(p, h.n))) {
        *bytes = p;
        *n = h.n;
        return true;
    }
    mem_free(p);
    return false;
}

bool cache_get(Cache *c, const CacheKey *key, void **bytes, size_t *n) {
    int fd = openat(c->dir, key->text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return false;
    bool good = read_entry(fd, key, bytes, n);
    struct timespec used[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    if (good) futimens(fd, used); /* its age decides what goes when there is too much */
    close(fd);
    return good;
}

void cache_put(Cache *c, const CacheKey *key, const void *bytes, size_t n) {
    char name[80];
    snprintf(name, sizeof name, "tmp.%ld.%u", (long)getpid(), c->temporary++);
    int fd = openat(c->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return;
    Header h = {.n = n, .key = key_hash(key), .sum = XXH3_128bits(bytes, n)};
    memcpy(h.magic, magic, sizeof magic);
    bool good = write_all(fd, &h, sizeof h) && write_all(fd, bytes, n);
    good = close(fd) == 0 && good;
    /* rename: a reader sees the old entry, none, or the whole new one. */
    if (!good || renameat(c->dir, name, c->dir, key->text) != 0) unlinkat(c->dir, name, 0);
    c->wrote = true;
}

typedef struct File {
    char name[80];
    struct timespec used;
    int64_t size;
} File;

static int by_age(const void *a, const void *b) {
    const struct timespec *x = &((const File *)a)->used, *y = &((const File *)b)->used;
    if (x->tv_sec != y->tv_sec) return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static bool is_entry_name(const char *s) {
    return strspn(s, "0123456789abcdef") == CACHE_KEY_TEXT - 1 && s[CACHE_KEY_TEXT - 1] == '\0';
}

/* All entries, and the leftovers of writers that died (an hour is enough for any write). */
static File *list_files(Cache *c, DIR *d, size_t *n) {
    size_t cap = 256;
    File *v = mem_alloc(cap * sizeof *v);
    time_t now = time(NULL);
    *n = 0;
    for (struct dirent *e; v && (e = readdir(d)) != NULL;) {
        struct stat s;
        bool temporary = strncmp(e->d_name, "tmp.", 4) == 0;
        if ((!temporary && !is_entry_name(e->d_name)) || fstatat(c->dir, e->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (temporary) {
            if (s.st_mtime + 3600 < now) unlinkat(c->dir, e->d_name, 0);
            continue;
        }
        if (*n == cap) {
            File *more = mem_realloc(v, 2 * cap * sizeof *v);
            if (!more) break;
            v = more;
            cap *= 2;
        }
        File *f = &v[(*n)++];
        memcpy(f->name, e->d_name, CACHE_KEY_TEXT);
        f->used = s.st_mtim;
        f->size = s.st_size;
    }
    return v;
}

static void remove_oldest(Cache *c) {
    int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) close(fd);
        return;
    }
    size_t n;
    File *v = list_files(c, d, &n);
    closedir(d);
    if (!v) return;
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) total += v[i].size;
    qsort(v, n, sizeof *v, by_age);
    for (size_t i = 0; i < n && total > c->limit; i++)
        if (unlinkat(c->dir, v[i].name, 0) == 0) total -= v[i].size;
    mem_free(v);
}

void cache_close(Cache *c) {
    if (!c) return;
    if (c->wrote) remove_oldest(c);
    close(c->dir);
    mem_free(c);
}
