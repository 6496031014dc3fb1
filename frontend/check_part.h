/* What the files frontend/check*.c share. */
#ifndef LUNETTE_FRONTEND_CHECK_PART_H
#define LUNETTE_FRONTEND_CHECK_PART_H

#include "frontend/check.h"
#include "frontend/data/array.h"
#include "runtime/reference.h"

#include <dirent.h>

/* A file of --against. */
typedef struct AgainstFile {
    const Node *node; /* of the graph as written */
    const char *name; /* the file's, without .npy */
    Array array;
    CheckTensor *row;
    bool done;
} AgainstFile;

typedef struct Check {
    LunetteModel *m;
    const CheckOptions *o;
    CheckReport *report;
    int threads;
    const void **inputs; /* [plan->n_input] */
    void **outputs;      /* [plan->n_output]: of the kernels run one by one */
    AgainstFile *file;
    int n_file;
    DIR *folder;        /* of --against, while it is read */
    const bool *native; /* [written->n_node]: a kernel's result */
    uint64_t *digest;   /* [graph->n_node]: of the memory that a kernel or the user gave a value; 0: none yet */
} Check;

/* One kernel being checked; its memory is its arena's. */
typedef struct StepCheck {
    Check *c;
    Arena *arena;
    CheckRow *row;
    int step, n_in;
    const Kernel *kernel; /* scheduled */
    Node *const *arg;     /* [n_in + 1], the last is the result */
    void **args;          /* [n_in + 1]: values at the boundary, and `native` */
    int over;             /* the argument that the result lies over; −1: none */
    void *native, *nest;  /* [memory] of the result, of its type */
    DType type;
    int64_t memory, elements;
    int64_t *at;         /* [elements]: logical element → memory */
    double *ref, *bound; /* [elements]; bound: with the rounding of the result */
    bool whole;          /* every task was interpreted */
} StepCheck;

/* ---- check_memory.c ----------------------------------------------------------------------- */

enum { CHECK_VALUE_TEXT = 48 };

/* Aligned as a plan's buffers are. */
void *memory_aligned(Arena *a, size_t bytes);
/* Marks n elements as not written; and whether element i has been since. A u8 that has may look as if it had not. */
void memory_unwrite(DType t, void *data, int64_t n);
bool memory_written(DType t, const void *data, int64_t i);
const void *memory_at(DType t, const void *data, int64_t i);
/* The same bits; any NaN is as good as another, but for what was not written. */
bool memory_same(DType t, const void *x, const void *y, int64_t i);
uint64_t memory_digest(const void *data, size_t bytes); /* never 0 */
/* "0.5 (3f000000)" or "17", in `out`. */
const char *memory_text(DType t, const void *data, int64_t i, char out[CHECK_VALUE_TEXT]);

/* ---- check_jobs.c ------------------------------------------------------------------------- */

/* Runs fn in an arena of its own; out of memory is DIAG_MACHINE. */
typedef bool CheckScoped(Arena *a, void *ctx, Diag *d);
bool check_scoped(CheckScoped *fn, void *ctx, Diag *d);

/* Runs jobs 0 … n−1 on some threads; the first failure is reported, the other jobs may be left out. */
typedef bool CheckJob(void *ctx, int64_t job, Diag *d);
bool check_parallel(int threads, int64_t n, CheckJob *fn, void *ctx, Diag *d);

/* ---- check_sample.c ----------------------------------------------------------------------- */

/* Marks the tasks to interpret: all of a small kernel or with `full`; else the first, the last, an
 * inner one of every par loop in all combinations, for each nest, and more spread between them, at
 * least `least` in all. */
void sample_tasks(const Kernel *k, bool full, int64_t least, uint8_t *want /* [kernel_tasks(k)] */);

/* ---- check_step.c ------------------------------------------------------------------------- */

bool step_check(StepCheck *s, Diag *d);
/* The logical index of a memory element of the result. */
void step_index(const StepCheck *s, int64_t memory, char out[CHECK_INDEX_TEXT]);
void index_text(const Type *plain, int64_t element, char out[CHECK_INDEX_TEXT]);
/* Adds a fault and its sentence. */
void row_fault(CheckRow *r, unsigned fault, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void why_add(char why[CHECK_WHY_TEXT], const char *fmt, va_list ap);

/* ---- check_local.c: the reference of one kernel --------------------------------------------- */

/* Two channels (or output rows of a weight) to change places in one tensor of the reference. */
typedef struct Swap {
    const Node *node; /* of local_graph */
    int axis;
    int64_t first, second;
} Swap;

/* The graph that tells what a kernel should compute, and its node for one of the kernel's arguments (as the passes
 * left it). Constants without a name in the graph as written have none there. */
const Graph *local_graph(const StepCheck *s);
const Node *local_node(const StepCheck *s, const Node *arg);
/* The kernel's result from the values at its boundary, evaluated on that graph. */
const RefTensor *local_reference(Arena *a, const StepCheck *s, const Swap *swap, bool with_err, Diag *d);
/* Sets s->ref and s->bound. */
bool local_evaluate(StepCheck *s, Diag *d);
/* Compares the nest (native where it was not interpreted) with them; sets ratio, at, exact. Returns how
 * many are out of bound; the sentence is added only with `blame`. */
int64_t local_compare(StepCheck *s, bool blame);

/* |got − ref| in units of the bound; 0 when they are alike, inf or NaN included. */
double bound_ratio(double got, double ref, double bound);

/* ---- check_trust.c -------------------------------------------------------------------------- */

/* Notes MISTRUSTED where the data would not notice a wrong answer. */
bool trust_check(StepCheck *s, Diag *d);

/* ---- check_exact.c -------------------------------------------------------------------------- */

/* Fresh small numbers for one input of a kernel, halo set. */
void exact_input(const StepCheck *s, const Node *input, void *out);
/* All ops of the kernel are exact on such numbers. */
bool exact_kernel(const StepCheck *s);

/* ---- check_whole.c -------------------------------------------------------------------------- */

typedef struct Whole Whole;
/* Starts the reference of the whole network in a thread of its own. */
Whole *whole_start(Check *c);
/* Waits for it, and compares the outputs when `good`. */
bool whole_finish(Whole *w, bool good, Diag *d);

/* ---- check_against.c ------------------------------------------------------------------------ */

bool against_open(Check *c, const char *dir, Diag *d);
void against_close(Check *c);
/* Compares a value, `v` or the elements at[i] of `data`, with the files of this node. */
void against_value(Check *c, const Node *node, CheckSource source, const double *v, const void *data,
                   const int64_t *at);

#endif
