#include "runtime/pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE = 64,
    MAX_THREADS = 1024,
    STACK = 1 << 20,      /* kernels keep some tens of KB on the stack */
    SPIN_NS = 100 * 1000, /* a worker waits awake this long for the next kernel */
};

typedef struct Worker {
    pthread_t id;
    struct Pool *pool;
    int thread;
    int cpu; /* −1: any */
} Worker;

struct Pool {
    /* Written by pool_run, read by all workers. */
    _Alignas(LINE) atomic_uint go; /* counts runs; the word workers sleep on */
    PoolFn fn;
    void *ctx;
    int64_t tasks;
    const int64_t *cut; /* NULL: equal parts */
    bool stop;
    /* Written by the workers. */
    _Alignas(LINE) atomic_uint busy; /* workers not yet done; the word the caller sleeps on */
    _Alignas(LINE) atomic_uint asleep;
    atomic_bool caller_asleep;
    /* Constant. */
    _Alignas(LINE) int threads;
    int started; /* workers */
    bool spin;   /* not when threads share CPUs: a spinning one would keep the others from working */
    int caller_cpu;
    Worker *worker;
    void *block; /* what was allocated */
};

/* ---- CPUs ------------------------------------------------------------------------------------ */

static cpu_set_t allowed; /* when the first pool was made */
static int n_allowed;
static atomic_int cpu_users[CPU_SETSIZE];

static void read_allowed(void) {
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) CPU_ZERO(&allowed);
    n_allowed = CPU_COUNT(&allowed);
    if (n_allowed == 0) n_allowed = 1;
}

int pool_cpus(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_allowed);
    return n_allowed;
}

/* The allowed CPU with fewest users, from `first` on; counted as used. */
static int cpu_take(int first) {
    int best = -1;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        int cpu = (first + i) % CPU_SETSIZE;
        if (!CPU_ISSET(cpu, &allowed)) continue;
        if (best < 0 || atomic_load(&cpu_users[cpu]) < atomic_load(&cpu_users[best])) best = cpu;
    }
    if (best >= 0) atomic_fetch_add(&cpu_users[best], 1);
    return best;
}

static void cpu_give(int cpu) {
    if (cpu >= 0) atomic_fetch_sub(&cpu_users[cpu], 1);
}

static void bind_thread(int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one); /* refused: it runs anywhere, only slower */
}

/* The calling thread keeps its own affinity. But if it happens to run where a worker is bound, both
 * would share that CPU until the kernel balances load, milliseconds later: it is moved away. */
static void leave_worker_cpu(const Pool *p) {
    if (p->caller_cpu < 0) return;
    int here = sched_getcpu();
    for (int i = 0; i < p->started; i++) {
        if (p->worker[i].cpu != here) continue;
        cpu_set_t mine;
        if (sched_getaffinity(0, sizeof mine, &mine) != 0 || !CPU_ISSET(p->caller_cpu, &mine)) return;
        bind_thread(p->caller_cpu);
        sched_setaffinity(0, sizeof mine, &mine);
        return;
    }
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void futex_wait(atomic_uint *word, unsigned value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0); }

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static int64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Spins while *word == value (or, for `until`, != value); false when it took too long. */
static bool spin_while(atomic_uint *word, unsigned value, bool until) {
    int64_t start = 0;
    for (;;) {
        for (int i = 0; i < 64; i++) {
            if ((atomic_load_explicit(word, memory_order_acquire) == value) == until) return true;
            relax();
        }
        int64_t now = nanoseconds();
        if (start == 0) start = now;
        if (now - start > SPIN_NS) return false;
    }
}

/* Waits for a run after `seen` and returns its number. A sleeper counts itself before it looks a last
 * time, the caller raises `go` before it looks for sleepers: one of them sees the other. */
static unsigned wait_go(Pool *p, unsigned seen) {
    if (!p->spin || !spin_while(&p->go, seen, false)) {
        atomic_fetch_add(&p->asleep, 1);
        while (atomic_load(&p->go) == seen) futex_wait(&p->go, seen);
        atomic_fetch_sub(&p->asleep, 1);
    }
    return atomic_load_explicit(&p->go, memory_order_acquire);
}

static void wait_done(Pool *p) {
    if (p->spin && spin_while(&p->busy, 0, true)) return;
    atomic_store(&p->caller_asleep, true);
    for (unsigned left; (left = atomic_load(&p->busy)) != 0;) futex_wait(&p->busy, left);
    atomic_store(&p->caller_asleep, false);
}

/* ---- work ------------------------------------------------------------------------------------ */

static void run_part(const Pool *p, int thread) {
    int64_t n = p->threads, share = p->tasks / n, rest = p->tasks % n;
    int64_t begin = thread * share + (thread < rest ? thread : rest);
    int64_t end = begin + share + (thread < rest);
    if (p->cut) begin = p->cut[thread], end = p->cut[thread + 1];
    if (begin < end) p->fn(p->ctx, begin, end, thread);
}

static void *work(void *arg) {
    Worker *w = arg;
    Pool *p = w->pool;
    if (w->cpu >= 0) bind_thread(w->cpu);
    for (unsigned seen = 0;;) {
        seen = wait_go(p, seen);
        if (p->stop) return NULL;
        run_part(p, w->thread);
        if (atomic_fetch_sub(&p->busy, 1) == 1 && atomic_load(&p->caller_asleep)) futex_wake(&p->busy);
    }
}

static void start_run(Pool *p) {
    atomic_fetch_add(&p->go, 1);
    if (atomic_load(&p->asleep) > 0) futex_wake(&p->go);
}

static void run(Pool *p, PoolFn fn, void *ctx, int64_t tasks, const int64_t *cut) {
    leave_worker_cpu(p);
    p->fn = fn;
    p->ctx = ctx;
    p->tasks = tasks;
    p->cut = cut;
    atomic_store(&p->busy, (unsigned)p->started);
    start_run(p);
    run_part(p, 0);
    wait_done(p);
}

void pool_run(Pool *p, PoolFn fn, void *ctx, int64_t tasks) {
    if (tasks <= 0) return;
    if (p->threads == 1 || tasks == 1) fn(ctx, 0, tasks, 0);
    else run(p, fn, ctx, tasks, NULL);
}

void pool_run_cut(Pool *p, PoolFn fn, void *ctx, const int64_t *cut) {
    int parts = 0;
    for (int i = 0; i < p->threads; i++) parts += cut[i] < cut[i + 1];
    if (parts == 1) fn(ctx, cut[0], cut[p->threads], 0); /* nothing to share */
    else if (parts) run(p, fn, ctx, 0, cut);
}

/* ---- life ------------------------------------------------------------------------------------ */

static Pool *pool_new(int threads) {
    void *block = mem_alloc(sizeof(Pool) + LINE + (size_t)threads * sizeof(Worker));
    if (!block) return NULL;
    Pool *p = (Pool *)(((uintptr_t)block + LINE - 1) & ~(uintptr_t)(LINE - 1));
    p->block = block;
    p->worker = (Worker *)(p + 1);
    p->threads = threads;
    p->spin = threads <= pool_cpus();
    p->caller_cpu = -1;
    return p;
}

static bool start_worker(Pool *p, int thread) {
    Worker *w = &p->worker[p->started];
    w->pool = p;
    w->thread = thread;
    w->cpu = p->caller_cpu < 0 ? -1 : cpu_take((p->caller_cpu + thread) % CPU_SETSIZE);
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) return false;
    pthread_attr_setstacksize(&attr, STACK);
    bool good = pthread_create(&w->id, &attr, work, w) == 0;
    pthread_attr_destroy(&attr);
    if (good) p->started++;
    else cpu_give(w->cpu);
    return good;
}

Pool *pool_open(int threads, Diag *d) {
    if (threads < 1 || threads > MAX_THREADS) {
        diag_fail(d, DIAG_USAGE, "%d threads: 1 to %d are possible", threads, MAX_THREADS);
        return NULL;
    }
    Pool *p = pool_new(threads);
    if (!p) {
        diag_fail(d, DIAG_MACHINE, "out of memory");
        return NULL;
    }
    if (threads > 1 && p->spin) p->caller_cpu = cpu_take(0);
    for (int i = 1; i < threads; i++) {
        if (start_worker(p, i)) continue;
        diag_fail(d, DIAG_MACHINE, "cannot start thread %d of %d", i + 1, threads);
        pool_close(p);
        return NULL;
    }
    return p;
}

void pool_close(Pool *p) {
    if (!p) return;
    p->stop = true;
    start_run(p);
    for (int i = 0; i < p->started; i++) {
        pthread_join(p->worker[i].id, NULL);
        cpu_give(p->worker[i].cpu);
    }
    cpu_give(p->caller_cpu);
    mem_free(p->block);
}

int pool_threads(const Pool *p) { return p->threads; }
