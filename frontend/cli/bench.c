/* lunette bench. */
#include "frontend/cli/bench.h"

#include <string.h>

enum { KEY_SECONDS = CLI_KEY, KEY_AGAINST, KEY_SPILLS };

static const struct argp_option options[] = {
    {"seconds", KEY_SECONDS, "S", 0, "Measures for this long (default 2), and at least 5 runs", 0},
    {"against", KEY_AGAINST, "plain|reference", 0,
     "Sets the unscheduled nests (compiled) or the double reference beside the kernels", 0},
    LAYER_OPTIONS,
    {"input", 'i', "C,H,W", 0, "Size of the input of a --layer", 0},
    {"spills", KEY_SPILLS, NULL, 0, "Counts vector registers that the code keeps on the stack (compiles once more)", 0},
    {0},
};

static bool bench_option(int key, const char *value, void *own, Diag *d) {
    Bench *b = own;
    bool good;
    if (layer_option(&b->layer, key, value, &good, d)) return good;
    switch (key) {
    case 'i': b->layer.input = value; return true;
    case KEY_SECONDS: return cli_real(value, "--seconds", 0.001, 3600, &b->seconds, d);
    case KEY_SPILLS: b->count_spills = true; return true;
    case KEY_AGAINST:
        if (strcmp(value, "plain") == 0) b->against = AGAINST_PLAIN;
        else if (strcmp(value, "reference") == 0) b->against = AGAINST_REFERENCE;
        else return diag_fail(d, DIAG_USAGE, "--against wants plain or reference, not '%.100s'", value);
        return true;
    default: return diag_fail(d, DIAG_INTERNAL, "option %d has no meaning", key);
    }
}

static LunetteModel *open_model(const Bench *b, const LunetteOptions *o, Diag *d) {
    LunetteModel *m = b->text.layer ? model_load_from(layers_read, &(Layers){&b->text, 1}, o, NULL, NULL, d)
                                    : model_load(b->o.arg, o, NULL, NULL, d);
    if (m && model_weights(m, d) && model_build(m, d)) return m;
    model_close(m);
    return NULL;
}

/* From the cache line on, as a careful caller would have it. */
static void *aligned(Arena *a, const Type *t) {
    uintptr_t p = (uintptr_t)arena_alloc(a, type_bytes(t) + PLAN_ALIGN);
    return (void *)((p + PLAN_ALIGN - 1) & ~(uintptr_t)(PLAN_ALIGN - 1));
}

static void make_tensors(Bench *b, Arena *a) {
    const Plan *p = b->model->plan;
    b->x = ARENA_ARRAY(a, void *, p->n_input);
    b->y = ARENA_ARRAY(a, void *, p->n_output);
    for (int i = 0; i < p->n_output; i++) b->y[i] = aligned(a, &p->output[i].type);
    for (int i = 0; i < p->n_input; i++) {
        b->x[i] = aligned(a, &p->input[i].type);
        random_input(b->model, b->o.model.seed, i, -1, 1, b->x[i]);
    }
}

/* A layer in place of a network; its descriptor says how many images, unless --batch does. */
static bool find_layer(Bench *b, Arena *a, Diag *d) {
    int64_t batch;
    if (!layer_args_fit(&b->layer, b->o.arg, d)) return false;
    if (!b->layer.descriptor && !b->layer.layer)
        return b->o.arg || diag_fail(d, DIAG_USAGE, "bench wants a SPEC: lunette bench [OPTION...] SPEC");
    if (b->o.model.weights) return diag_fail(d, DIAG_USAGE, "a single layer has random weights: -w does not go with it");
    if (!layer_args_text(&b->layer, a, &b->text, &batch, d)) return false;
    if (!b->o.model.batch) b->o.model.batch = batch;
    b->o.arg = b->layer.layer ? b->layer.layer : b->layer.descriptor;
    return true;
}

static bool open_bench(Bench *b, Arena *a, Diag *d) {
    if (!find_layer(b, a, d)) return false;
    if (!b->o.seeded) b->o.model.seed = 1;
    b->o.model.random_weights = !b->o.model.weights;
    progress_begin("compiling", 0);
    b->model = open_model(b, &b->o.model, d);
    progress_end();
    if (!b->model) return false;
    make_tensors(b, a);
    model_run(b->model, (const void *const *)b->x, b->y);
    b->first_answer = clock_since_start();
    b->kernel = ARENA_ARRAY(a, Samples, b->model->plan->n_step);
    if (b->against != AGAINST_NONE) b->beside = ARENA_ARRAY(a, Samples, b->model->plan->n_step);
    if (b->against != AGAINST_PLAIN) return true;
    LunetteOptions plain = b->o.model;
    plain.plain = 1;
    progress_begin("compiling the plain nests", 0);
    b->plain = open_model(b, &plain, d);
    progress_end();
    return b->plain != NULL;
}

static void say_what_is_random(const Bench *b) {
    bool weights = b->o.model.random_weights && b->model->weight_block;
    cli_say("%s random, from seed %llu", weights ? "weights and input are" : "input is",
            (unsigned long long)b->o.model.seed);
}

static bool count_spills(Bench *b, Arena *a, Diag *d) {
    int n = b->model->plan->n_step;
    b->spills = ARENA_ARRAY(a, SpillCount, n);
    progress_begin("counting spills: kernels", n);
    for (int i = 0; i < n; i++) {
        if (!codegen_count_spills(b->model->kernel[i].kernel, &b->model->target, &b->spills[i], d)) return false;
        progress_set(i);
    }
    progress_end();
    return true;
}

static int bench_body(Arena *a, void *ctx) {
    Bench *b = ctx;
    Diag *d = &b->o.diag;
    bool good = open_bench(b, a, d) && peak_open(&b->peak, a, &b->model->target, b->model->pool, d);
    if (good) bench_measure(b, a);
    if (good && b->against == AGAINST_REFERENCE) good = bench_reference(b, a, d);
    if (good && b->count_spills) good = count_spills(b, a, d);
    if (!good) return cli_fail(d);
    say_what_is_random(b);
    return bench_report(b, a);
}

int cli_bench(int argc, char **argv) {
    static const CliSyntax syntax = {
        .name = "bench",
        .args = "[SPEC]",
        .doc = "Measures the network SPEC, or a single layer, on random input: whole runs, and each kernel in its place within runs, of "
               "which the least time counts. The share is that of the multiply-add peak with these threads, the best "
               "of many bursts in between.",
        .shared = CLI_MODEL | CLI_WEIGHTS | CLI_BUILD | CLI_JSON,
        .options = options,
        .option = bench_option,
    };
    Bench b = {.seconds = 2};
    if (!cli_parse(&syntax, argc, argv, &b.o, &b)) return b.o.exit;
    int code = cli_with_arena(bench_body, &b);
    peak_close(&b.peak);
    model_close(b.plain);
    model_close(b.model);
    cli_close(&b.o);
    return code;
}
