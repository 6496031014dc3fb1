/* The thread pool: every task once, on the thread it belongs to. Run under the thread sanitizer too. */
#include "runtime/pool.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MOST = 1000 };

typedef struct Job {
    int count[MOST], thread[MOST];
} Job;

static void count_tasks(void *ctx, int64_t begin, int64_t end, int thread) {
    Job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        j->count[i]++;
        j->thread[i] = thread;
    }
}

static void check_run(Pool *p, Job *j, int64_t tasks) {
    memset(j, 0, sizeof *j);
    pool_run(p, count_tasks, j, tasks);
    for (int64_t i = 0; i < MOST; i++) assert_int_equal(j->count[i], i < tasks);
    for (int64_t i = 1; i < tasks; i++) assert_true(j->thread[i - 1] <= j->thread[i]); /* contiguous parts */
    if (tasks >= pool_threads(p) && tasks > 1) assert_int_equal(j->thread[tasks - 1], pool_threads(p) - 1);
}

static void test_tasks(void **state) {
    (void)state;
    static Job j;
    for (int threads = 1; threads <= 4; threads++) {
        Diag d = {0};
        Pool *p = pool_open(threads, &d);
        assert_non_null(p);
        assert_int_equal(pool_threads(p), threads);
        for (int64_t tasks = 0; tasks < 20; tasks++) check_run(p, &j, tasks);
        check_run(p, &j, MOST);
        check_run(p, &j, MOST - 1);
        pool_close(p);
    }
}

/* Parts as they are given, some of them empty. */
static void test_cut(void **state) {
    (void)state;
    static const int64_t cuts[][4] = {{0, 5, 6, 9}, {0, 0, 7, 7}, {0, 3, 3, 8}, {0, 0, 0, 4}, {0, 0, 0, 0}};
    static Job j;
    Diag d = {0};
    Pool *p = pool_open(3, &d);
    assert_non_null(p);
    for (size_t c = 0; c < COUNT_OF(cuts); c++) {
        memset(&j, 0, sizeof j);
        pool_run_cut(p, count_tasks, &j, cuts[c]);
        int parts = 0;
        for (int t = 0; t < 3; t++) parts += cuts[c][t] < cuts[c][t + 1];
        for (int64_t i = 0; i < MOST; i++) assert_int_equal(j.count[i], i < cuts[c][3]);
        for (int t = 0; t < 3; t++)
            for (int64_t i = cuts[c][t]; i < cuts[c][t + 1]; i++) assert_int_equal(j.thread[i], parts > 1 ? t : 0);
    }
    pool_close(p);
}

static void step(void *ctx, int64_t begin, int64_t end, int thread) {
    Job *j = ctx;
    (void)thread;
    for (int64_t i = begin; i < end; i++) j->count[i] = j->thread[7 - i] + 1; /* of another thread, last run */
}

static void swap(void *ctx, int64_t begin, int64_t end, int thread) {
    Job *j = ctx;
    (void)thread;
    for (int64_t i = begin; i < end; i++) j->thread[i] = j->count[i];
}

/* What one run wrote the next one reads, in other threads: after thousands of runs in a row, and
 * with pauses long enough for the workers to fall asleep. */
static void test_order(void **state) {
    (void)state;
    static Job j;
    for (int threads = 1; threads <= 4; threads++) {
        Pool *p = pool_open(threads, NULL);
        memset(&j, 0, sizeof j);
        for (int r = 0; r < 3000; r++) {
            pool_run(p, step, &j, 8);
            pool_run(p, swap, &j, 8);
            if (r % 500 == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        for (int i = 0; i < 8; i++) assert_int_equal(j.thread[i], 3000);
        pool_close(p);
    }
}

static void slow(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)begin, (void)end;
    if (thread) nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* the caller falls asleep meanwhile */
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void test_slow_worker(void **state) {
    (void)state;
    atomic_int done = 0;
    Pool *p = pool_open(3, NULL);
    for (int r = 0; r < 10; r++) {
        pool_run(p, slow, &done, 3);
        assert_int_equal(done, 3 * (r + 1));
    }
    pool_close(p);
}

static void *use_pool(void *arg) {
    static _Thread_local Job j;
    (void)arg;
    Pool *p = pool_open(2, NULL);
    for (int r = 0; r < 200; r++) {
        memset(&j, 0, sizeof j);
        pool_run(p, count_tasks, &j, 100);
        for (int i = 0; i < 100; i++)
            if (j.count[i] != 1) return "wrong";
    }
    pool_close(p);
    return NULL;
}

static void test_several_pools(void **state) {
    (void)state;
    pthread_t id[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&id[i], NULL, use_pool, NULL), 0);
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(id[i], &result);
        assert_null(result);
    }
}

static void test_open(void **state) {
    (void)state;
    Diag d = {0}, e = {0}, f = {0};
    cpu_set_t before, after;
    long live = mem_live();
    assert_null(pool_open(0, &d));
    assert_int_equal(d.kind, DIAG_USAGE);
    assert_null(pool_open(1000000, &e));
    mem_fail_after(1);
    assert_null(pool_open(2, &f));
    mem_fail_after(0);
    assert_int_equal(f.kind, DIAG_MACHINE);
    assert_true(pool_cpus() >= 1);
    sched_getaffinity(0, sizeof before, &before);
    Pool *p = pool_open(2, NULL);
    static Job j;
    check_run(p, &j, 100);
    sched_getaffinity(0, sizeof after, &after);
    assert_true(CPU_EQUAL(&before, &after)); /* the caller's own is left alone */
    pool_close(p);
    pool_close(NULL);
    assert_int_equal(mem_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks),       cmocka_unit_test(test_cut),           cmocka_unit_test(test_order),
        cmocka_unit_test(test_slow_worker), cmocka_unit_test(test_several_pools), cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
