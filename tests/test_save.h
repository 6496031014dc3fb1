/* What the tests of import and export share: a folder of their own, networks that are run on seeded numbers. */
#ifndef LUNETTE_TEST_SAVE_H
#define LUNETTE_TEST_SAVE_H

#include "frontend/model.h"
#include "frontend/save.h"
#include "tests/random_graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SHARED(name) SOURCE_DIR "/../shared/data/" name

static char folder[64];

static inline int folder_make(void **state) {
    (void)state;
    strcpy(folder, "/tmp/lunette-save-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_remove(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

/* The path of a file in the test's folder; good until four more calls. */
static inline const char *at(const char *name) {
    static char paths[4][512];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return p;
}

static inline void wanted_or_skip(const char *path) {
    if (access(path, R_OK) == 0) return;
    print_message("%s is not there: skipped\n", path);
    skip();
}

static inline Graph *from_seed(Arena *a, const void *from, const LunetteOptions *o, Diag *d) {
    (void)o;
    uint64_t seed = *(const uint64_t *)from;
    return random_graph(a, &seed, d);
}

/* A random network with random weights, compiled. */
static inline LunetteModel *random_model(uint64_t seed) {
    Diag d = {0};
    LunetteOptions o = {.random_weights = 1, .seed = seed, .no_cache = 1};
    LunetteModel *m = model_load_from(from_seed, &seed, &o, NULL, NULL, &d);
    if (!m || !model_weights(m, &d) || !model_build(m, &d)) fail_msg("seed %llu: %s", (unsigned long long)seed, d.text);
    return m;
}

/* NULL with `d`. */
static inline LunetteModel *model_from(const char *path, const char *weights, uint64_t seed, Diag *d) {
    LunetteOptions o = {.weights = weights, .seed = seed, .random_weights = !weights, .no_cache = 1};
    LunetteModel *m = model_load(path, &o, NULL, NULL, d);
    if (m && model_weights(m, d) && model_build(m, d)) return m;
    model_close(m);
    return NULL;
}

/* Outputs of one run on seeded inputs, one after the other; freed by the caller. */
static inline char *answers(LunetteModel *m, uint64_t seed) {
    void *in[16], *out[256];
    int inputs = lunette_input_count(m), outputs = lunette_output_count(m);
    size_t bytes = 0;
    assert_true(inputs <= 16 && outputs <= 256);
    for (int i = 0; i < inputs; i++) {
        in[i] = malloc(lunette_input(m, i).bytes + 1);
        random_input(m, seed, i, -1, 1, in[i]);
    }
    for (int i = 0; i < outputs; i++) bytes += (lunette_output(m, i).bytes + 7) & ~(size_t)7;
    char *all = malloc(bytes + 1), *next = all;
    for (int i = 0; i < outputs; i++) {
        out[i] = next;
        next += (lunette_output(m, i).bytes + 7) & ~(size_t)7;
    }
    assert_int_equal(lunette_run(m, (const void *const *)in, out, NULL), LUNETTE_OK);
    for (int i = 0; i < inputs; i++) free(in[i]);
    return all;
}

/* One output: the sums of squares of the differences and of x. */
static inline bool same_output(const LunetteTensor *t, const void *x, const void *y, double sum[2]) {
    const float *f = x, *g = y;
    bool same = true;
    if (t->type != LUNETTE_F32) return memcmp(x, y, t->bytes) == 0;
    for (int64_t i = 0; i < t->elements; i++) {
        if (isnan(f[i]) && isnan(g[i])) continue;
        same &= memcmp(&f[i], &g[i], sizeof *f) == 0;
        if (f[i] == g[i]) continue;
        sum[0] += ((double)f[i] - (double)g[i]) * ((double)f[i] - (double)g[i]);
        sum[1] += (double)f[i] * (double)f[i];
    }
    return same;
}

/* Whether both give the same bits (any NaN is as good as another); the relative L2 error is *error. */
static inline bool same_answers(LunetteModel *a, LunetteModel *b, uint64_t seed, double *error) {
    char *x = answers(a, seed), *y = answers(b, seed), *p = x, *q = y;
    double sum[2] = {0, 1e-30};
    bool same = true;
    assert_int_equal(lunette_output_count(a), lunette_output_count(b));
    for (int i = 0; i < lunette_output_count(a); i++) {
        LunetteTensor t = lunette_output(a, i), u = lunette_output(b, i);
        assert_int_equal(t.bytes, u.bytes);
        same &= same_output(&t, p, q, sum);
        p += (t.bytes + 7) & ~(size_t)7;
        q += (t.bytes + 7) & ~(size_t)7;
    }
    *error = sqrt(sum[0] / sum[1]);
    free(x);
    free(y);
    return same;
}

#endif
