/* Compiled objects kept on disk. What lies there will be run, so a directory that others can write to
 * is not used. Nothing that goes wrong here is an error: the kernel is then just compiled. */
#ifndef LUNETTE_CODEGEN_CACHE_H
#define LUNETTE_CODEGEN_CACHE_H

#include "ir/loop.h"

enum { CACHE_KEY_TEXT = 33 };
#define CACHE_LIMIT ((int64_t)256 << 20) /* bytes on disk; the entries longest unused go first */

typedef struct CacheKey {
    char text[CACHE_KEY_TEXT]; /* 32 hex digits */
} CacheKey;

/* Hash of all that decides the code: the kernel's text (Lift.text), the target, `options`, the versions
 * of Lunette and LLVM and the passes. */
CacheKey cache_key(Arena *a, const char *kernel, const Target *t, const char *options);

/* The default directory: $XDG_CACHE_HOME/lunette, else $HOME/.cache/lunette; false if neither is
 * set or it is too long. The one place that reads the environment; for the driver to call. */
bool cache_default_dir(char *out, size_t size);

typedef struct Cache Cache;

/* Makes the directory (0700, with its parents) if need be. NULL with why[] when it cannot be used:
 * not a directory, not ours, writable for others, no memory, … */
Cache *cache_open(const char *dir, int64_t limit, char *why, size_t why_size);
void cache_close(Cache *c); /* removes the oldest entries above the limit; NULL is fine */

/* The object of this key, mem_alloc'd; false when there is none that is whole. Several threads may
 * use one cache at a time, and several processes one directory. */
bool cache_get(Cache *c, const CacheKey *key, void **bytes, size_t *n);
void cache_put(Cache *c, const CacheKey *key, const void *bytes, size_t n);

#endif
