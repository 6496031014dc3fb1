#include "codegen/compile.h"
#include "codegen/cache.h"
#include "codegen/elf.h"
#include "codegen/jit.h"
#include "codegen/lift.h"
#include "codegen/target.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 64, SYMBOL = 2 + CACHE_KEY_TEXT, STACK = 16 << 20 };

/* A distinct object, of one kernel or several. */
typedef struct Unit {
    const Kernel *kernel;
    CacheKey key;
    char symbol[SYMBOL]; /* "k_" and the key: the same in every process, as the cache wants */
    void *bytes;
    size_t n;
    KernelFn fn;
    bool cached;
} Unit;

struct CodeLib {
    Unit *unit;
    int *unit_of;   /* by kernel */
    intptr_t **arg; /* by kernel; NULL: it has none */
    Jit *jit;
    CodeStats stats;
};

/* One call of code_open, as its threads see it. */
typedef struct Work {
    CodeLib *lib;
    const Target *target;
    Cache *cache;
    atomic_int next; /* unit to take */
    atomic_bool failed;
    pthread_mutex_t lock; /* of diag */
    Diag *diag;
} Work;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void work_fail(Work *w, const Diag *d) {
    pthread_mutex_lock(&w->lock);
    diag_fail(w->diag, d->kind, "%s", d->text);
    pthread_mutex_unlock(&w->lock);
    atomic_store(&w->failed, true);
}

/* Takes units until there are none. The target machine is made for the first that needs it. */
static void *work_compile(void *arg) {
    Work *w = arg;
    Machine *m = NULL;
    Diag d = {0};
    for (int i; !atomic_load(&w->failed) && (i = atomic_fetch_add(&w->next, 1)) < w->lib->stats.distinct;) {
        Unit *u = &w->lib->unit[i];
        if (u->cached) continue;
        if (!m) m = machine_open(w->target, &d);
        if (!m || !machine_emit(m, u->kernel, u->symbol, EMIT_OBJECT, &u->bytes, &u->n, &d)) {
            work_fail(w, &d);
            break;
        }
        if (w->cache) cache_put(w->cache, &u->key, u->bytes, u->n);
    }
    machine_close(m);
    return NULL;
}

/* The caller is one of the threads; if others cannot be had it does their work. */
static bool compile_all(Work *w, int threads) {
    pthread_t id[MAX_THREADS];
    pthread_attr_t attr;
    int n = 0;
    if (threads > w->lib->stats.compiled) threads = w->lib->stats.compiled;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    if (threads > 1 && pthread_attr_init(&attr) == 0) {
        pthread_attr_setstacksize(&attr, STACK);
        while (n < threads - 1 && pthread_create(&id[n], &attr, work_compile, w) == 0) n++;
        pthread_attr_destroy(&attr);
    }
    work_compile(w);
    for (int i = 0; i < n; i++) pthread_join(id[i], NULL);
    return !atomic_load(&w->failed);
}

static int find_unit(const CodeLib *lib, const CacheKey *key) {
    for (int i = 0; i < lib->stats.distinct; i++)
        if (strcmp(lib->unit[i].key.text, key->text) == 0) return i;
    return -1;
}

static void add_unit(CodeLib *lib, int kernel, const Kernel *k, const CacheKey *key) {
    int at = find_unit(lib, key);
    if (at < 0) {
        at = lib->stats.distinct++;
        Unit *u = &lib->unit[at];
        u->kernel = k;
        u->key = *key;
        snprintf(u->symbol, sizeof u->symbol, "k_%s", key->text);
    }
    lib->unit_of[kernel] = at;
}

static intptr_t *copy_args(const Lift *l) {
    intptr_t *v = mem_alloc((size_t)l->n_arg * sizeof *v);
    for (int i = 0; v && i < l->n_arg; i++) v[i] = l->arg[i].value;
    return v;
}

static bool find_units(CodeLib *lib, const Kernel *const *kernels, int n, const Target *t, Diag *d) {
    Arena *a = arena_open(d);
    if (!a) return false;
    volatile bool good = false;
    if (ARENA_TRY(a)) {
        good = true;
        for (int i = 0; i < n && good; i++) {
            Lift *l = lift_kernel(a, kernels[i]);
            CacheKey key = cache_key(a, text_get(&l->text), t, "");
            add_unit(lib, i, kernels[i], &key);
            if (l->n_arg) good = (lib->arg[i] = copy_args(l)) || diag_fail(d, DIAG_MACHINE, "out of memory");
        }
    } else diag_fail(d, DIAG_MACHINE, "out of memory");
    ARENA_END(a);
    arena_close(a);
    return good;
}

static void take_cached(CodeLib *lib, Cache *c) {
    for (int i = 0; i < lib->stats.distinct; i++) {
        Unit *u = &lib->unit[i];
        ElfFacts facts;
        if (!c || !cache_get(c, &u->key, &u->bytes, &u->n)) continue;
        u->cached = elf_facts(u->bytes, u->n, u->symbol, &facts) && facts.code_bytes > 0 && !facts.undefined;
        if (u->cached) {
            lib->stats.cached++;
            continue;
        }
        mem_free(u->bytes);
        u->bytes = NULL;
    }
    lib->stats.compiled = lib->stats.distinct - lib->stats.cached;
}

static bool link_all(CodeLib *lib, const Target *t, Diag *d) {
    lib->jit = jit_open(t, d);
    if (!lib->jit) return false;
    for (int i = 0; i < lib->stats.distinct; i++) {
        Unit *u = &lib->unit[i];
        if (!jit_add(lib->jit, u->symbol, u->bytes, u->n, d)) return false;
        lib->stats.object_bytes += (int64_t)u->n;
    }
    for (int i = 0; i < lib->stats.distinct; i++) {
        Unit *u = &lib->unit[i];
        u->fn = jit_find(lib->jit, u->symbol, d);
        if (!u->fn) return false;
    }
    return true;
}

/* perf reads start, size and name from this file; a failure to write it is no matter. */
static void write_perf_map(const CodeLib *lib) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    FILE *f = fopen(path, "a");
    if (!f) return;
    for (int i = 0; i < lib->stats.distinct; i++) {
        const Unit *u = &lib->unit[i];
        ElfFacts facts;
        if (elf_facts(u->bytes, u->n, u->symbol, &facts))
            fprintf(f, "%lx %lx %s\n", (unsigned long)(uintptr_t)u->fn, (unsigned long)facts.code_bytes,
                    u->kernel->name);
    }
    fclose(f);
}

static void free_objects(CodeLib *lib) {
    for (int i = 0; i < lib->stats.distinct; i++) {
        mem_free(lib->unit[i].bytes);
        lib->unit[i].bytes = NULL;
        lib->unit[i].kernel = NULL;
    }
}

static bool fill(CodeLib *lib, const Kernel *const *kernels, int n, const Target *t, const CodeOptions *o, Diag *d) {
    if (!find_units(lib, kernels, n, t, d)) return false;
    Work w = {.lib = lib, .target = t, .diag = d};
    if (o->cache_dir)
        w.cache = cache_open(o->cache_dir, CACHE_LIMIT, lib->stats.cache_note, sizeof lib->stats.cache_note);
    take_cached(lib, w.cache);
    pthread_mutex_init(&w.lock, NULL);
    bool good = compile_all(&w, o->threads);
    pthread_mutex_destroy(&w.lock);
    cache_close(w.cache);
    double linking = seconds();
    good = good && link_all(lib, t, d);
    lib->stats.link_seconds = seconds() - linking;
    if (good && o->perf_map) write_perf_map(lib);
    free_objects(lib);
    return good;
}

bool code_open(CodeLib **out, const Kernel *const *kernels, int n, const Target *t, const CodeOptions *o, Diag *d) {
    double start = seconds();
    *out = NULL;
    if (!target_runs_here(t)) return diag_fail(d, DIAG_UNSUPPORTED, "this machine does not run code for %s", t->cpu);
    CodeLib *lib = mem_alloc(sizeof *lib);
    if (!lib) return diag_fail(d, DIAG_MACHINE, "out of memory");
    lib->stats.kernels = n;
    size_t count = n > 0 ? (size_t)n : 1;
    lib->unit = mem_alloc(count * sizeof *lib->unit);
    lib->unit_of = mem_alloc(count * sizeof *lib->unit_of);
    lib->arg = mem_alloc(count * sizeof *lib->arg);
    bool good = lib->unit && lib->unit_of && lib->arg ? fill(lib, kernels, n, t, o, d)
                                                      : diag_fail(d, DIAG_MACHINE, "out of memory");
    lib->stats.seconds = seconds() - start;
    if (good) *out = lib;
    else code_close(lib);
    return good;
}

KernelFn code_fn(const CodeLib *lib, int kernel) { return lib->unit[lib->unit_of[kernel]].fn; }
const intptr_t *code_args(const CodeLib *lib, int kernel) { return lib->arg[kernel]; }
const CodeStats *code_stats(const CodeLib *lib) { return &lib->stats; }

void code_close(CodeLib *lib) {
    if (!lib) return;
    jit_close(lib->jit);
    if (lib->unit) free_objects(lib);
    mem_free(lib->unit);
    mem_free(lib->unit_of);
    for (int i = 0; lib->arg && i < lib->stats.kernels; i++) mem_free(lib->arg[i]);
    mem_free(lib->arg);
    mem_free(lib);
}
