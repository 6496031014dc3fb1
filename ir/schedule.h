/* The model that chooses a kernel's schedule from the plain nest and the target's numbers. All
 * tuning knowledge is in schedule.c. */
#ifndef LUNETTE_IR_SCHEDULE_H
#define LUNETTE_IR_SCHEDULE_H

#include "ir/loop.h"

typedef struct Schedule {
    const char *steps;  /* for kernel_schedule; "" leaves the nest as it is */
    const char *reason; /* "2×14 tile, 28 accumulators of 32 registers" */
} Schedule;

Schedule schedule_choose(Arena *a, const Kernel *k, const Target *t);

/* The model's choice and others that may be better on a given machine: tiles that cost nearly as little, and other strips
 * and chunks. Each is different; the first is schedule_choose's. Whether they are legal kernel_schedule says. Returns how
 * many, at most MOST_CANDIDATES. */
enum { MOST_CANDIDATES = 16 };
int schedule_candidates(Arena *a, const Kernel *k, const Target *t, Schedule out[MOST_CANDIDATES]);

#endif
