#include "frontend/cli/cli.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

/* A thread of its own, because what takes long (compiling, one run of a big network) does not come
 * back to tell. It is only started when stderr is a terminal. */
static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool running, stopped;
    const char *what;
    int64_t total;
    atomic_llong done;
    double start;
} bar = {.lock = PTHREAD_MUTEX_INITIALIZER, .stop = PTHREAD_COND_INITIALIZER};

static void draw(void) {
    double seconds = clock_seconds() - bar.start;
    long long done = atomic_load(&bar.done);
    if (bar.total) fprintf(stderr, "\r\033[K%s: %lld of %lld, %.0f s", bar.what, done, (long long)bar.total, seconds);
    else fprintf(stderr, "\r\033[K%s: %.0f s", bar.what, seconds);
    fflush(stderr);
}

static void *keep_up(void *unused) {
    (void)unused;
    bool drawn = false;
    pthread_mutex_lock(&bar.lock);
    while (!bar.stopped) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200 * 1000 * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&bar.stop, &bar.lock, &until);
        if (bar.stopped || clock_seconds() - bar.start < 1) continue;
        draw();
        drawn = true;
    }
    pthread_mutex_unlock(&bar.lock);
    if (drawn) fprintf(stderr, "\r\033[K");
    return NULL;
}

void progress_begin(const char *what, int64_t total) {
    progress_end();
    if (!isatty(STDERR_FILENO)) return;
    bar.what = what;
    bar.total = total;
    bar.start = clock_seconds();
    bar.stopped = false;
    atomic_store(&bar.done, 0);
    bar.running = pthread_create(&bar.thread, NULL, keep_up, NULL) == 0;
}

void progress_set(int64_t done) { atomic_store_explicit(&bar.done, done, memory_order_relaxed); }

void progress_end(void) {
    if (!bar.running) return;
    pthread_mutex_lock(&bar.lock);
    bar.stopped = true;
    pthread_cond_signal(&bar.stop);
    pthread_mutex_unlock(&bar.lock);
    pthread_join(bar.thread, NULL);
    bar.running = false;
}
