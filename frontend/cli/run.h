/* lunette run in parts: run.c networks, run_kernel.c single kernels. */
#ifndef LUNETTE_CLI_RUN_H
#define LUNETTE_CLI_RUN_H

#include "frontend/cli/input.h"
#include "frontend/cli/results.h"

typedef struct Run {
    CliOptions o;
    const char **in; /* the -i arguments */
    int n_in;
    const char *out, *labels;
    int top;

    LunetteModel *model;
    InputFile *file; /* [inputs] */
    bool *taken;     /* … that have a file; the others are random */
    void **x;        /* [inputs]: one batch */
    void **y;        /* [outputs]: one batch */
    Results results;
} Run;

/* Compiles the kernel whose text is in the file o.arg and runs it on -i files or random numbers. `ctx` is a Run;
 * returns the exit code. */
int run_kernel(Arena *a, void *ctx);

#endif
