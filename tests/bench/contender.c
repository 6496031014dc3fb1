/* Lunette as a contender: times BASE.onnx on BASE.in.f32 through the public interface.
 *
 *   bench_contender BASE THREADS SECONDS     prints the line of timing.h, the error against BASE.out.f32
 *   bench_contender --input BASE             writes BASE.in.f32, uniform in [−1, 1), always the same
 *   bench_contender --output BASE            writes BASE.out.f32: Lunette's own answer
 *
 * The model has one input and one output, both float32. */
#include "frontend/lunette.h"
#include "tests/bench/timing.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Contender {
    const char *base;
    LunetteModel *model;
    LunetteTensor in, out;
    float *x, *y;
} Contender;

static int fail(LunetteStatus status, const char *message) {
    fprintf(stderr, "lunette: %s\n", message);
    return status;
}

static int open_model(Contender *c, int threads) {
    char path[4096];
    LunetteOptions options = {.threads = threads};
    LunetteError error;
    snprintf(path, sizeof path, "%s.onnx", c->base);
    if (lunette_open(path, &options, &c->model, &error) != LUNETTE_OK) return fail(error.status, error.message);
    if (lunette_input_count(c->model) != 1 || lunette_output_count(c->model) != 1)
        return fail(LUNETTE_UNSUPPORTED, "a model here has one input and one output");
    c->in = lunette_input(c->model, 0);
    c->out = lunette_output(c->model, 0);
    if (c->in.type != LUNETTE_F32 || c->out.type != LUNETTE_F32)
        return fail(LUNETTE_UNSUPPORTED, "input and output are float32 here");
    c->y = malloc(c->out.bytes);
    return c->y ? 0 : fail(LUNETTE_MACHINE, "out of memory");
}

static int read_input(Contender *c) {
    c->x = bench_read(c->base, ".in.f32", (size_t)c->in.elements);
    return c->x ? 0 : LUNETTE_FILE;
}

static int run_once(Contender *c) {
    LunetteError error;
    LunetteStatus s = lunette_run(c->model, (const void *[]){c->x}, (void *[]){c->y}, &error);
    return s == LUNETTE_OK ? 0 : fail(s, error.message);
}

/* What run_once has shown to work. */
static void run_again(void *ctx) {
    Contender *c = ctx;
    lunette_run(c->model, (const void *[]){c->x}, (void *[]){c->y}, NULL);
}

static int write_input(Contender *c) {
    uint32_t state = 1;
    c->x = malloc(c->in.bytes);
    if (!c->x) return fail(LUNETTE_MACHINE, "out of memory");
    for (int64_t i = 0; i < c->in.elements; i++) {
        state = state * 1664525u + 1013904223u; /* the upper bits of a linear congruence are good enough */
        c->x[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
    return bench_write(c->base, ".in.f32", c->x, (size_t)c->in.elements) ? 0 : LUNETTE_MACHINE;
}

static int write_output(Contender *c) {
    int code = read_input(c);
    if (!code) code = run_once(c);
    if (!code && !bench_write(c->base, ".out.f32", c->y, (size_t)c->out.elements)) code = LUNETTE_MACHINE;
    return code;
}

static int measure(Contender *c, int threads, double seconds) {
    int code = read_input(c);
    if (!code) code = run_once(c);
    if (code) return code;
    size_t n = (size_t)c->out.elements;
    float *expected = bench_read(c->base, ".out.f32", n);
    if (!expected) return LUNETTE_FILE;
    double error = bench_error(c->y, expected, n);
    free(expected);
    BenchTimes times;
    char name[64];
    snprintf(name, sizeof name, "lunette %s", lunette_version());
    if (!bench_time(run_again, c, seconds, &times)) code = fail(LUNETTE_MACHINE, "out of memory");
    else bench_print(name, bench_name(c->base), threads, &times, error);
    free(times.ms);
    return code;
}

int main(int argc, char **argv) {
    bool input = argc == 3 && strcmp(argv[1], "--input") == 0, output = argc == 3 && strcmp(argv[1], "--output") == 0;
    int threads = argc == 4 ? atoi(argv[2]) : 1;
    double seconds = argc == 4 ? atof(argv[3]) : 1;
    if ((argc != 4 && !input && !output) || threads < 1 || seconds <= 0)
        return fail(LUNETTE_USAGE, "bench_contender BASE THREADS SECONDS, or --input BASE, or --output BASE");
    Contender c = {.base = argc == 4 ? argv[1] : argv[2]};
    int code = open_model(&c, threads);
    if (!code) code = input ? write_input(&c) : output ? write_output(&c) : measure(&c, threads, seconds);
    lunette_close(c.model);
    free(c.x);
    free(c.y);
    return code;
}
