#include "codegen/compile.h"
#include "codegen/cache.h"
#include "codegen/lift.h"
#include "codegen/link.h"
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
    ElfImage image;      /* until it is linked */
    size_t object_bytes;
    KernelFn fn;
    bool cached;
} Unit;

struct CodeLib {
    Unit *unit;
    int *unit_of;   /* by kernel */
    intptr_t **arg; /* by kernel; NULL: it has none */
    CodeMap map;
    CodeStats stats;
};

/* One call of code_open, as its threads see it. */
typedef struct Work {
    CodeLib *lib;
    const Target *target;
    Cache *cache;
    const CodeOptions *options;
    atomic_int next; /* unit to take */
    atomic_int left; /* units that are not compiled yet */
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

static bool compile_unit(Work *w, Unit *u, Machine *m, Diag *d) {
    void *bytes;
    size_t n;
    if (!machine_emit(m, u->kernel, u->symbol, EMIT_OBJECT, &bytes, &n, d)) return false;
    bool good = elf_image(bytes, n, u->symbol, &u->image, d);
    if (!good) diag_prefix(d, "kernel %s", u->kernel->name);
    if (good && w->cache) cache_put(w->cache, &u->key, bytes, n);
    u->object_bytes = n;
    mem_free(bytes);
    return good;
}

/* Takes units until there are none, and other work while others compile. The target machine is made for the first unit
 * that needs it. */
static void *work_compile(void *arg) {
    Work *w = arg;
    Machine *m = NULL;
    Diag d = {0};
    for (int i; !atomic_load(&w->failed) && (i = atomic_fetch_add(&w->next, 1)) < w->lib->stats.distinct;) {
        Unit *u = &w->lib->unit[i];
        if (u->cached) continue;
        if (!m) m = machine_open(w->target, &d);
        if (!m || !compile_unit(w, u, m, &d)) {
            work_fail(w, &d);
            break;
        }
        atomic_fetch_sub(&w->left, 1);
    }
    machine_close(m);
    const CodeOptions *o = w->options;
    while (o->idle && !atomic_load(&w->failed) && atomic_load(&w->left) > 0 && o->idle(o->idle_ctx)) {}
    return NULL;
}

/* The caller is one of the threads; if others cannot be had it does their work. */
static bool compile_all(Work *w) {
    pthread_t id[MAX_THREADS];
    pthread_attr_t attr;
    int n = 0, units = w->lib->stats.compiled, threads = w->options->threads;
    if (threads > units && (!w->options->idle || units == 0)) threads = units;
    atomic_store(&w->left, units);
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

static bool take_unit(Unit *u, Cache *c) {
    void *bytes;
    if (!cache_get(c, &u->key, &bytes, &u->object_bytes)) return false;
    bool good = elf_image(bytes, u->object_bytes, u->symbol, &u->image, NULL);
    mem_free(bytes);
    return good;
}

static void take_cached(CodeLib *lib, Cache *c) {
    for (int i = 0; c && i < lib->stats.distinct; i++) {
        lib->unit[i].cached = take_unit(&lib->unit[i], c);
        lib->stats.cached += lib->unit[i].cached;
    }
    lib->stats.compiled = lib->stats.distinct - lib->stats.cached;
}

static bool link_all(CodeLib *lib, Diag *d) {
    size_t bytes = 0;
    for (int i = 0; i < lib->stats.distinct; i++) bytes += code_map_bytes(&lib->unit[i].image);
    if (!code_map_open(&lib->map, bytes, d)) return false;
    for (int i = 0; i < lib->stats.distinct; i++) {
        Unit *u = &lib->unit[i];
        u->fn = code_map_add(&lib->map, &u->image);
        lib->stats.object_bytes += (int64_t)u->object_bytes;
    }
    return code_map_seal(&lib->map, d);
}

/* perf reads start, size and name from this file; a failure to write it is no matter. */
static void write_perf_map(const CodeLib *lib) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    FILE *f = fopen(path, "a");
    if (!f) return;
    for (int i = 0; i < lib->stats.distinct; i++) {
        const Unit *u = &lib->unit[i];
        fprintf(f, "%lx %zx %s\n", (unsigned long)(uintptr_t)u->fn, u->image.code_bytes, u->kernel->name);
    }
    fclose(f);
}

static void free_images(CodeLib *lib) {
    for (int i = 0; i < lib->stats.distinct; i++) {
        elf_image_free(&lib->unit[i].image);
        lib->unit[i].kernel = NULL;
    }
}

static bool fill(CodeLib *lib, const Kernel *const *kernels, int n, const Target *t, const CodeOptions *o, Diag *d) {
    if (!find_units(lib, kernels, n, t, d)) return false;
    Work w = {.lib = lib, .target = t, .options = o, .diag = d};
    if (o->cache_dir)
        w.cache = cache_open(o->cache_dir, CACHE_LIMIT, lib->stats.cache_note, sizeof lib->stats.cache_note);
    take_cached(lib, w.cache);
    pthread_mutex_init(&w.lock, NULL);
    bool good = compile_all(&w);
    pthread_mutex_destroy(&w.lock);
    cache_close(w.cache);
    good = good && link_all(lib, d);
    if (good && o->perf_map) write_perf_map(lib);
    free_images(lib);
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
    code_map_close(&lib->map);
    if (lib->unit) free_images(lib);
    mem_free(lib->unit);
    mem_free(lib->unit_of);
    for (int i = 0; lib->arg && i < lib->stats.kernels; i++) mem_free(lib->arg[i]);
    mem_free(lib->arg);
    mem_free(lib);
}
