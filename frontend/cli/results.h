/* What a run gave: printed, written, compared with labels. */
#ifndef LUNETTE_CLI_RESULTS_H
#define LUNETTE_CLI_RESULTS_H

#include "frontend/cli/cli.h"

typedef struct Result {
    LunetteTensor tensor; /* one run's: [batch …] */
    void *v;              /* [images …], of its type */
} Result;

typedef struct Results {
    int64_t images, batch; /* model_batch; 0: images is 1 */
    int n;
    Result *result; /* [n] outputs of the network */
    int64_t right;  /* images whose class is the label's; −1: no labels */
    int threads;
    double open_seconds, run_seconds;
} Results;

/* Index of the largest value, the first of equal ones; NaN is never it unless all are. */
int64_t result_class(const float *v, int64_t n);

/* Whether `path` is one for this many outputs: FILE.npy for one, a folder for any number (one that is there, or that
 * results_write makes because the path ends in '/'). */
bool results_check_path(const char *path, int outputs, Diag *d);
/* One of the outputs, in this shape, to FILE.npy or DIR/NAME.npy; makes the folder if need be. The file is written whole
 * or not at all. */
bool result_write(const char *path, const LunetteTensor *t, const int64_t *shape, const void *v, Diag *d);
bool results_write(const Results *r, const char *path, Diag *d);
/* Counts the images whose class in the first output that has one is the label in the IDX file: the largest of a vector of
 * floats, or the one integer of an image. */
bool results_compare(Results *r, const char *labels, Diag *d);
/* The values in rows, or when they are many, the least, the mean and the largest. */
void tensor_print(LunetteType type, const void *v, int64_t n, int64_t row);
/* Lines: the `top` classes of a vector, or one line an image with its class; small tensors whole. */
void results_print(const Results *r, int top);
/* "images", "outputs": [{name, type, shape, data}] (no data when they were written to a file), "accuracy" … */
json_t *results_json(const Results *r, bool with_data);

#endif
