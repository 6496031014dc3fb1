/* lunette bench in parts: roof*.c what the machine can do at most, measure.c the clock, against.c what is set beside
 * the schedules, report.c the numbers of a kernel, report_text.c and report_json.c what is printed, bench_batch.c
 * layers from a file.
 *
 * Of a kernel the least time counts, and of the machine the best burst: what else runs on the machine only
 * adds time, and to long measurements more than to short ones, so that medians of the two would not compare.
 * Whole runs have median, least and 90th percentile; their median is set beside the sum of the kernels' medians. */
#ifndef LUNETTE_CLI_BENCH_H
#define LUNETTE_CLI_BENCH_H

#include "frontend/cli/cli.h"
#include "frontend/cli/layer_args.h"
#include "frontend/cli/roof.h"
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

/* ---- the bench -------------------------------------------------------------------------------------- */

enum { MOST_COUNTS = 16 }; /* of numbers of threads */

/* The network with one number of threads. */
typedef struct BenchRun {
    LunetteModel *model;
    Roof *roof;
    Samples whole;   /* seconds a run */
    Samples *kernel; /* [n_step] seconds */
} BenchRun;

typedef enum Against { AGAINST_NONE, AGAINST_PLAIN, AGAINST_REFERENCE, AGAINST_IM2COL } Against;

extern const char *const against_name[]; /* "none", "plain" … */

/* What is compared: another model's steps, or layers of the reference, each with the kernel that does the same. */
typedef struct Beside {
    LunetteModel *model; /* NULL for the reference */
    int n;
    Samples *part; /* [n] seconds */
    int *of;       /* [n] the step of the network; −1: none */
} Beside;

typedef struct Bench {
    CliOptions o;
    double seconds;
    Against against;
    bool count_spills, cold;
    LayerArgs layer;
    LayerText text;         /* of a single layer; NULLs when it is a network */
    const char *conv_batch; /* a file of descriptors */
    int threads[MOST_COUNTS], n_run;

    Arena *roof_arena;
    SweepMemory memory;
    Roof roof[MOST_COUNTS];

    BenchRun run[MOST_COUNTS]; /* the first is what is compared, counted and told in full */
    Beside beside;
    void **x, **y;       /* inputs, outputs */
    double first_answer; /* seconds since the process was started */
    Roof *widest;        /* of the most threads: empties all caches that are used */
    const void *last;    /* the model whose memory the caches hold; NULL: none */
    SpillCount *spills;  /* [n_step] or NULL */
} Bench;

/* Opens the model of b->text or b->o.arg once for each number of threads. Close it, if it failed too. */
bool bench_open(Bench *b, Arena *a, Diag *d);
LunetteModel *bench_model(const Bench *b, const LunetteOptions *o, Diag *d); /* the same with other options */
void bench_close(Bench *b);

/* Runs until time and count are reached: each number of threads, what is compared and the bursts in turn. */
void bench_measure(Bench *b, Arena *a);
/* Every convolution lowered as im2col, or no schedules: opens the model and finds out what goes with what. */
bool beside_open(Bench *b, Arena *a, Diag *d);
/* The double reference, op by op, once; an op's time goes to the kernel it has become part of. */
bool bench_reference(Bench *b, Arena *a, Diag *d);

/* Every line of b->conv_batch; the exit code. */
int bench_batch(Bench *b, Arena *a);

/* ---- numbers ---------------------------------------------------------------------------------------- */

/* One kernel's numbers; rates of what takes no time are 0. */
typedef struct Row {
    const char *name;
    double seconds, median; /* the least one counts */
    double beside;          /* what is compared; 0: nothing takes its place there */
    double gflops, gbytes;
    double peak_share; /* of the multiply-add peak */
    Work work;
    Bound bound;
    double bound_share;
} Row;

Row bench_row(const Bench *b, Arena *a, int run, int step);

/* All kernels of a run: medians, bounds. */
typedef struct Sums {
    double median, bound;
    int64_t macs;
} Sums;

Sums bench_sums(const Bench *b, Arena *a, int run);
/* The step of another number of threads that has the name; −1: none. Passes may come out differently there. */
int bench_step(const Bench *b, int run, int step);
double rate(double amount, double seconds); /* in 1e9 a second */
int64_t images_a_run(const Bench *b);

int bench_report(const Bench *b, Arena *a);

/* report_text.c */
int report_text(const Bench *b, Arena *a);
void rate_cells(TextTable *t, const Row *r); /* GFLOP/s or GB/s, and the share of the bound */

/* report_json.c */
int report_json(const Bench *b, Arena *a);
bool work_json(json_t *o, const Row *r); /* times, rates and bound into an object; false without memory */

#endif
