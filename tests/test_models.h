/* What the tests of whole models share. Models and data of others lie in ../shared, where that is there. */
#ifndef LUNETTE_TEST_MODELS_H
#define LUNETTE_TEST_MODELS_H

#include "frontend/data/load.h"
#include "frontend/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SHARED(name) SOURCE_DIR "/../shared/data/" name

static inline void wanted_or_skip(const char *path) {
    if (access(path, R_OK) == 0) return;
    print_message("%s is not there: skipped\n", path);
    skip();
}

static inline float *load_floats(const char *path, int64_t *n) {
    Array a;
    Diag d = {0};
    if (!data_load(path, &a, &d)) fail_msg("%s", d.text);
    *n = (int64_t)array_elements(&a);
    float *v = malloc((size_t)*n * sizeof *v);
    assert_non_null(v);
    array_to_f32(&a, v);
    array_close(&a);
    return v;
}

/* weights NULL: the model's own */
static inline LunetteModel *open_good(const char *path, const char *weights, int64_t batch) {
    LunetteOptions o = {.weights = weights, .batch = batch, .no_cache = 1};
    LunetteError e;
    LunetteModel *m = NULL;
    if (lunette_open(path, &o, &m, &e) != LUNETTE_OK) fail_msg("%s", e.message);
    return m;
}

/* The relative error ‖a − b‖ / ‖b‖ in L2 */
static inline double distance(const float *a, const float *b, int64_t n) {
    double difference = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(difference / size);
}

#endif
