/* Arenas and threads for the parts of a check. */
#include "frontend/check_part.h"

#include <pthread.h>
#include <stdatomic.h>

bool check_scoped(CheckScoped *fn, void *ctx, Diag *d) {
    Arena *a = arena_open(d);
    if (!a) return false;
    volatile bool good = false;
    if (ARENA_TRY(a)) good = fn(a, ctx, d);
    else diag_fail(d, DIAG_MACHINE, "out of memory while checking");
    ARENA_END(a);
    arena_close(a);
    return good;
}

typedef struct Jobs {
    CheckJob *fn;
    void *ctx;
    int64_t n;
    _Atomic int64_t next;
    atomic_bool failed;
    pthread_mutex_t lock;
    Diag *d;
} Jobs;

static void *jobs_run(void *ctx) {
    Jobs *j = ctx;
    for (;;) {
        int64_t job = atomic_fetch_add(&j->next, 1);
        if (job >= j->n || atomic_load(&j->failed)) return NULL;
        Diag d = {0};
        if (j->fn(j->ctx, job, &d)) continue;
        pthread_mutex_lock(&j->lock);
        if (!atomic_exchange(&j->failed, true) && j->d) *j->d = d;
        pthread_mutex_unlock(&j->lock);
    }
}

bool check_parallel(int threads, int64_t n, CheckJob *fn, void *ctx, Diag *d) {
    enum { MOST = 64 };
    pthread_t helper[MOST];
    int helpers = 0;
    Jobs j = {.fn = fn, .ctx = ctx, .n = n, .d = d};
    pthread_mutex_init(&j.lock, NULL);
    while (helpers < threads - 1 && helpers < MOST && helpers + 1 < n) {
        if (pthread_create(&helper[helpers], NULL, jobs_run, &j) != 0) break; /* fewer do it too */
        helpers++;
    }
    jobs_run(&j);
    for (int i = 0; i < helpers; i++) pthread_join(helper[i], NULL);
    pthread_mutex_destroy(&j.lock);
    return !atomic_load(&j.failed);
}
