/* Threads that run the tasks of one kernel after another. Fork and join cost about a microsecond
 * while the threads still spin, some more when they had gone to sleep. */
#ifndef LUNETTE_RUNTIME_POOL_H
#define LUNETTE_RUNTIME_POOL_H

#include "ir/base.h"

typedef struct Pool Pool;

/* Tasks begin … end−1, run by thread `thread` of 0 … threads−1; never called with none. */
typedef void (*PoolFn)(void *ctx, int64_t begin, int64_t end, int thread);

/* `threads` in all, the caller of pool_run among them (as number 0). Unless there are more of them
 * than CPUs this process may use, each worker is bound to a CPU of its own, the least used by the
 * pools of this process. NULL with DIAG_MACHINE. */
Pool *pool_open(int threads, Diag *d);
void pool_close(Pool *p); /* NULL is fine */
int pool_threads(const Pool *p);

/* Runs all tasks and returns when they are done. Thread i always gets the i-th of `threads`
 * contiguous parts, so memory stays with its thread. Allocates nothing. One call at a time. */
void pool_run(Pool *p, PoolFn fn, void *ctx, int64_t tasks);

/* The same with the parts given: thread i gets the tasks cut[i] … cut[i + 1]−1, of [threads + 1] ascending numbers. */
void pool_run_cut(Pool *p, PoolFn fn, void *ctx, const int64_t *cut);

/* CPUs this process may use. */
int pool_cpus(void);

#endif
