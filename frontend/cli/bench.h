/* lunette bench in parts: peak.c the machine, measure.c the clock, against.c what is set beside the
 * schedules, report.c the table.
 *
 * Of a kernel the least time counts, and of the peak the best burst: what else runs on the machine only
 * adds time, and to long measurements more than to short ones, so that medians of the two would not compare.
 * Whole runs have median, least and 90th percentile. */
#ifndef LUNETTE_CLI_BENCH_H
#define LUNETTE_CLI_BENCH_H

#include "frontend/cli/cli.h"
#include "frontend/cli/layer_args.h"
#include "frontend/model.h"

/* ---- samples: seconds, or whatever is measured again and again -------------------------------------- */

typedef struct Samples {
    double *v;
    int n, cap;
} Samples;

void samples_add(Arena *a, Samples *s, double x);
/* The smallest value that at least `part` of all do not exceed: 0 is the least, 0.5 the median, 1 the largest. 0 without
 * samples. */
double samples_part(Arena *a, const Samples *s, double part);

/* ---- peak.c ----------------------------------------------------------------------------------------- */

/* Multiply-adds in registers alone, compiled by the same code generator for the same target. */
typedef struct Peak {
    CodeLib *code;
    KernelFn fn;
    Pool *pool; /* borrowed: all its threads work */
    void *args[4];
    double flops; /* a burst, all threads */
} Peak;

bool peak_open(Peak *p, Arena *a, const Target *t, Pool *pool, Diag *d);
double peak_burst(const Peak *p); /* GFLOP/s; takes a fraction of a millisecond */
void peak_close(Peak *p);

/* ---- the bench -------------------------------------------------------------------------------------- */

typedef enum Against { AGAINST_NONE, AGAINST_PLAIN, AGAINST_REFERENCE } Against;

typedef struct Bench {
    CliOptions o;
    double seconds;
    Against against;
    bool count_spills;
    LayerArgs layer;
    LayerText text; /* of a single layer; NULLs when it is a network */

    LunetteModel *model, *plain; /* plain: the same network, unscheduled */
    Peak peak;
    void **x, **y;       /* inputs, outputs */
    double first_answer; /* seconds since the process was started */

    Samples whole, bursts; /* seconds a run; GFLOP/s */
    Samples *kernel;       /* [n_step] seconds */
    Samples *beside;       /* [n_step] the same of what is compared; NULL if nothing is */
    SpillCount *spills;    /* [n_step] or NULL */
} Bench;

/* Runs until time and count are reached, the peak and what is compared in turn with the network. */
void bench_measure(Bench *b, Arena *a);
/* The double reference, op by op, once; an op's time goes to the kernel it has become part of. */
bool bench_reference(Bench *b, Arena *a, Diag *d);
int bench_report(const Bench *b, Arena *a);

#endif
