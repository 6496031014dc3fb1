/* What the machine can do at most, measured in the same minutes as the kernels: multiply-adds in registers, and bytes
 * read from each level of memory. The code of the bursts is made by the same code generator for the same target.
 *
 * The model: a kernel takes at least as long as
 *   its multiply-adds at the measured peak;
 *   the bytes of all its parameters, each read or written once (a result over an operand is one
 *   with that), at the read bandwidth of the smallest level that holds
 *   them together: what a kernel uses, another has just made;
 *   the bytes of its weights at that of the smallest level that holds all that a run touches, for between two uses of a
 *   weight lies a whole run. When caches were flushed before, that level is memory.
 * The largest of the three is its bound. A bound is nothing to be reached: writes cost more than reads, and a kernel may
 * read its input more than once. */
#ifndef LUNETTE_CLI_ROOF_H
#define LUNETTE_CLI_ROOF_H

#include "frontend/model.h"

typedef enum Level { LEVEL_L1, LEVEL_L2, LEVEL_L3, LEVEL_MEMORY, LEVELS } Level;

extern const char *const level_name[LEVELS];

/* ---- what the sweeps read -------------------------------------------------------------------------- */

/* Four times the last cache (but 64 MB at least, 1 GB at most), on huge pages where the system gives them: page tables would be measured else. */
typedef struct SweepMemory {
    char *at;
    size_t size;
    int64_t cache[LEVEL_MEMORY]; /* bytes: of a core, of a core, shared */
} SweepMemory;

bool sweep_memory_open(SweepMemory *m, const Target *t, Diag *d);
void sweep_memory_close(SweepMemory *m);

/* ---- the bursts ------------------------------------------------------------------------------------ */

typedef struct Roof {
    const SweepMemory *memory;
    int threads;
    Pool *pool; /* of so many threads, borrowed: set before each use */
    CodeLib *code;
    void *sink; /* where the bursts leave what they computed */

    double flops;         /* of a burst, all threads */
    double bytes[LEVELS]; /* likewise */
    size_t next;          /* where the next sweep of memory begins */

    /* The best so far: what else runs on the machine only takes away. */
    double gflops, gbytes[LEVELS];
    int bursts;
} Roof;

bool roof_open(Roof *m, Arena *a, const Target *t, int threads, const SweepMemory *memory, Diag *d);
/* Measures all of it once: a few milliseconds, after which nothing else is in the caches. */
void roof_burst(Roof *m);
/* Reads all of the sweep memory by all threads: nothing else is in the caches any more. */
void roof_flush(Roof *m);
void roof_close(Roof *m);

/* ---- bounds ---------------------------------------------------------------------------------------- */

typedef struct Work {
    int64_t macs;
    int64_t bytes;        /* of all parameters, once */
    int64_t weight_bytes; /* of those that are weights */
    int64_t run_bytes;    /* all that a whole run touches; so large that no cache holds it when it is cold */
} Work;

typedef struct Bound {
    double seconds;
    const char *by; /* "peak" or the name of a level */
} Bound;

Work roof_work(const LunetteModel *m, int step, bool cold);
Bound roof_bound(const Roof *m, const Work *w);

#endif
