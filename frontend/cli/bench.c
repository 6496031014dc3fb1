/* lunette bench. */
#include "frontend/cli/bench.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_SECONDS = CLI_KEY, KEY_AGAINST, KEY_SPILLS, KEY_COLD, KEY_CONV_BATCH };

static const struct argp_option options[] = {
    {"seconds", KEY_SECONDS, "S", 0,
     "Measures for this long (default 2), and at least 5 runs; of --conv-batch each layer", 0},
    {"against", KEY_AGAINST, "plain|im2col|reference", 0,
     "Sets the unscheduled nests (compiled), every convolution as im2col, or the double reference beside the kernels",
     0},
    {"cold", KEY_COLD, NULL, 0,
     "Empties the caches before each run, by reading four times as much as the last of them holds", 0},
    {"threads", 't', "N[,N…]", 0,
     "Threads, 1 to 256 (default 1); several numbers are measured in turn and compared, the first told of in full", 0},
    LAYER_OPTIONS,
    {"conv-batch", KEY_CONV_BATCH, "FILE", 0,
     "Convolutions, one descriptor after the other, a row each. One that is not possible is told in its row, and the "
     "exit code is that of the first such one",
     0},
    {"input", 'i', "C,H,W", 0, "Size of the input of a --layer", 0},
    {"spills", KEY_SPILLS, NULL, 0, "Counts vector registers that the code keeps on the stack (compiles once more)", 0},
    {0},
};

/* "1,2,4" */
static bool set_threads(Bench *b, const char *value, Diag *d) {
    const char *p = value;
    for (b->n_run = 0; b->n_run < MOST_COUNTS; p++) {
        size_t digits = strspn(p, "0123456789");
        int n = digits > 0 && digits < 4 ? atoi(p) : 0;
        if (n < 1 || n > CLI_MOST_THREADS) break;
        for (int i = 0; i < b->n_run; i++)
            if (b->threads[i] == n) return diag_fail(d, DIAG_USAGE, "--threads has %d twice", n);
        b->threads[b->n_run++] = n;
        p += digits;
        if (*p == '\0') return true;
        if (*p != ',') break;
    }
    return diag_fail(d, DIAG_USAGE,
                     "--threads wants a whole number from 1 to %d, or up to %d of them such as 1,2,4, not '%.100s'",
                     CLI_MOST_THREADS, MOST_COUNTS, value);
}

static bool set_against(Bench *b, const char *value, Diag *d) {
    for (Against x = AGAINST_PLAIN; x <= AGAINST_IM2COL; x++) {
        if (strcmp(value, against_name[x]) != 0) continue;
        b->against = x;
        return true;
    }
    return diag_fail(d, DIAG_USAGE, "--against wants plain, im2col or reference, not '%.100s'", value);
}

static bool bench_option(int key, const char *value, void *own, Diag *d) {
    Bench *b = own;
    bool good;
    if (layer_option(&b->layer, key, value, &good, d)) return good;
    switch (key) {
    case 'i': b->layer.input = value; return true;
    case 't': return set_threads(b, value, d);
    case KEY_SECONDS: return cli_real(value, "--seconds", 0.001, 3600, &b->seconds, d);
    case KEY_SPILLS: return b->count_spills = true;
    case KEY_COLD: return b->cold = true;
    case KEY_CONV_BATCH: b->conv_batch = value; return true;
    case KEY_AGAINST: return set_against(b, value, d);
    default: return diag_fail(d, DIAG_INTERNAL, "option %d has no meaning", key);
    }
}

/* A layer in place of a network; its descriptor says how many images, unless --batch does. */
static bool find_layer(Bench *b, Arena *a, Diag *d) {
    int64_t batch;
    if (!layer_args_fit(&b->layer, b->o.arg, d)) return false;
    if (!b->layer.descriptor && !b->layer.layer)
        return b->o.arg || diag_fail(d, DIAG_USAGE, "bench wants a SPEC: lunette bench [OPTION...] SPEC");
    if (b->o.model.weights)
        return diag_fail(d, DIAG_USAGE, "a single layer has random weights: -w does not go with it");
    if (!layer_args_text(&b->layer, a, &b->text, &batch, d)) return false;
    if (!b->o.model.batch) b->o.model.batch = batch;
    b->o.arg = b->layer.layer ? b->layer.layer : b->layer.descriptor;
    return true;
}

static void say_what_is_random(const Bench *b) {
    bool weights = b->o.model.random_weights && b->run[0].model->weight_block;
    cli_say("%s random, from seed %llu", weights ? "weights and input are" : "input is",
            (unsigned long long)b->o.model.seed);
}

static bool count_spills(Bench *b, Arena *a, Diag *d) {
    const LunetteModel *m = b->run[0].model;
    int n = m->plan->n_step;
    b->spills = ARENA_ARRAY(a, SpillCount, n);
    progress_begin("counting spills: kernels", n);
    for (int i = 0; i < n; i++) {
        if (!codegen_count_spills(m->kernel[i].kernel, &m->target, &b->spills[i], d)) return false;
        progress_set(i);
    }
    progress_end();
    return true;
}

static int bench_body(Arena *a, void *ctx) {
    Bench *b = ctx;
    Diag *d = &b->o.diag;
    b->roof_arena = a;
    if (b->conv_batch) return bench_batch(b, a);
    bool good = find_layer(b, a, d) && bench_open(b, a, d);
    if (good && (b->against == AGAINST_PLAIN || b->against == AGAINST_IM2COL)) good = beside_open(b, a, d);
    if (good) bench_measure(b, a);
    if (good && b->against == AGAINST_REFERENCE) good = bench_reference(b, a, d);
    if (good && b->count_spills) good = count_spills(b, a, d);
    if (!good) return cli_fail(d);
    say_what_is_random(b);
    return bench_report(b, a);
}

static const char doc[] =
    "Measures the network SPEC, or a single layer, on random input: whole runs, and each kernel in its place within "
    "runs, "
    "of which the least time counts."
    "\vA kernel takes at least as long as its multiply-adds at the peak of the machine; as the bytes of all its "
    "parameters, once, at the read bandwidth of the smallest level (L1, L2, L3, memory) that holds them together; and "
    "as "
    "the bytes of its weights at that of the smallest level that holds all a run touches, which is memory with --cold. "
    "The "
    "longest of these is its bound: `98 % of peak` and `84 % of memory` say which it is, and what share of the "
    "kernel's "
    "time it is. Peak and bandwidths are the best of many bursts in between, with as many threads as the run: "
    "multiply-adds in registers, sums over part of each cache and over four times the last one.";

int cli_bench(int argc, char **argv) {
    static const CliSyntax syntax = {
        .name = "bench",
        .args = "[SPEC]",
        .doc = doc,
        .shared = CLI_MODEL | CLI_WEIGHTS | CLI_BUILD | CLI_JSON,
        .options = options,
        .option = bench_option,
    };
    Bench *b = mem_alloc(sizeof *b);
    if (!b) {
        cli_say("out of memory");
        return DIAG_MACHINE;
    }
    *b = (Bench){.seconds = 2, .threads = {1}, .n_run = 1};
    int code;
    if (cli_parse(&syntax, argc, argv, &b->o, b)) {
        code = cli_with_arena(bench_body, b);
        bench_close(b);
        for (int i = 0; i < MOST_COUNTS; i++) roof_close(&b->roof[i]);
        sweep_memory_close(&b->memory);
        cli_close(&b->o);
    } else code = b->o.exit;
    mem_free(b);
    return code;
}
