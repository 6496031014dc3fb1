/* lunette check: a row a kernel, a row an output, one line that says it all. */
#include "frontend/check.h"
#include "frontend/cli/cli.h"
#include "frontend/cli/input.h"
#include "frontend/cli/suite.h"

#include <math.h>
#include <stdlib.h>

enum { KEY_EXACT = CLI_KEY, KEY_FULL, KEY_AGAINST, KEY_RTOL };

typedef struct CheckCommand {
    CliOptions o;
    CheckOptions check;
    const char **in; /* the -i arguments */
    int n_in;
    bool rtol_given;
    SuiteArgs suite;

    LunetteModel *model;
    const void **x; /* [inputs]: NULL without a file */
    CheckReport *report;
} CheckCommand;

static const struct argp_option options[] = {
    {"input", 'i', "[NAME=]FILE", 0, "An input, as for run; without one it is random in 0…1 from the seed", 0},
    {"exact", KEY_EXACT, NULL, 0, "Small integers for each kernel alone: what is exact on them must not differ at all",
     0},
    {"full", KEY_FULL, NULL, 0, "Interprets every task of large kernels too", 0},
    {"against", KEY_AGAINST, "DIR", 0,
     "Compares with npy files named after tensors, from another framework; those of inputs are the input", 0},
    {"rtol", KEY_RTOL, "X", 0, "Relative L2 error allowed by --against (default 1e-4)", 0},
    LAYER_OPTIONS,
    SUITE_OPTIONS,
    {0},
};

static bool check_option(int key, const char *value, void *own, Diag *d) {
    CheckCommand *c = own;
    bool good;
    if (suite_option(&c->suite, key, value, &c->o, &good, d)) return good;
    switch (key) {
    case 'i': c->in[c->n_in++] = value; return true;
    case KEY_EXACT: c->check.exact = true; return true;
    case KEY_FULL: c->check.full = true; return true;
    case KEY_AGAINST: c->check.against = value; return true;
    case KEY_RTOL: {
        char *end;
        c->check.rtol = strtod(value, &end);
        c->rtol_given = true;
        if (end != value && *end == '\0' && c->check.rtol > 0 && c->check.rtol <= 1) return true;
        return diag_fail(d, DIAG_USAGE, "--rtol wants a number above 0, at most 1, not '%.100s'", value);
    }
    default: return diag_fail(d, DIAG_INTERNAL, "option %d has no meaning", key);
    }
}

static bool options_fit(const CheckCommand *c, Diag *d) {
    const char *with = c->o.model.weights ? "-w" : c->n_in ? "-i" : c->check.against ? "--against" : NULL;
    if (c->check.exact && with)
        return diag_fail(d, DIAG_USAGE, "--exact makes its own weights and inputs: %s does not go with it", with);
    if (c->rtol_given && !c->check.against) return diag_fail(d, DIAG_USAGE, "--rtol is for --against");
    return true;
}

/* ---- the model ---------------------------------------------------------------------------------- */

static bool open_model(CheckCommand *c, Diag *d) {
    LunetteOptions *o = &c->o.model;
    o->random_weights = !o->weights;
    if (c->check.exact) o->accuracy = LUNETTE_ACCURACY_STRICT; /* what the model chooses keeps whole numbers whole */
    progress_begin("compiling", 0);
    c->model = model_load(c->o.arg, o, NULL, NULL, d);
    bool good = c->model && (c->check.exact ? check_exact_weights(c->model, o->seed, d) : model_weights(c->model, d)) &&
                model_build(c->model, d);
    progress_end();
    if (good) cli_notes(c->model);
    return good;
}

/* One batch of a file. */
static bool read_input(Arena *a, const char *path, const LunetteTensor *t, int64_t batch, const void **out, Diag *d) {
    InputFile f;
    void *x = arena_alloc(a, t->bytes);
    if (!input_open(&f, path, t, batch, d)) return false;
    bool good = f.images >= batch;
    if (good) input_read(&f, 0, batch ? batch : 1, t, x);
    else diag_fail(d, DIAG_FILE, "%s: %lld images, but the batch is %lld", path, (long long)f.images, (long long)batch);
    input_close(&f);
    *out = x;
    return good;
}

static bool open_inputs(CheckCommand *c, Arena *a, Diag *d) {
    int n = lunette_input_count(c->model);
    bool *taken = ARENA_ARRAY(a, bool, n);
    c->x = ARENA_ARRAY(a, const void *, n);
    c->check.inputs = c->x;
    for (int k = 0; k < c->n_in; k++) {
        const char *path;
        int i = input_choose(c->in[k], c->model, taken, &path, d);
        if (i < 0) return false;
        LunetteTensor t = lunette_input(c->model, i);
        if (!read_input(a, path, &t, model_batch(c->model), &c->x[i], d)) return false;
        taken[i] = true;
    }
    return model_inputs_good(c->model, c->x, d);
}

/* What is random is said, before the report. */
static void say_random(const CheckCommand *c) {
    unsigned long long seed = c->o.model.seed;
    if (c->check.exact) {
        cli_say("weights and inputs are small integers, from seed %llu", seed);
        return;
    }
    bool random_input = false;
    for (int i = 0; i < lunette_input_count(c->model); i++) random_input |= !c->x[i] && !c->check.against;
    if (!c->o.model.weights && c->model->weight_block) cli_say("weights are random, from seed %llu", seed);
    if (random_input) cli_say("input is random, from seed %llu", seed);
}

static void show_progress(void *ctx, const char *kernel, int done, int of) {
    (void)ctx;
    (void)kernel;
    (void)of;
    progress_set(done);
}

static bool run_check(CheckCommand *c, Diag *d) {
    c->check.seed = c->o.model.seed;
    c->check.progress = show_progress;
    progress_begin("checking kernels", c->model->plan->n_step);
    c->report = check_model(c->model, &c->check, d);
    progress_end();
    return c->report != NULL;
}

/* ---- for people --------------------------------------------------------------------------------- */

static const char *verdict(unsigned faults) {
    return faults & ~(unsigned)CHECK_MISTRUSTED ? "DIFFERS" : faults ? "MISTRUSTED" : "agrees";
}

static void kernel_table(Arena *a, const CheckReport *r) {
    TextTable t;
    table_open(&t, a, "llrlllll");
    table_row(&t, "kernel|ops|outputs|tasks|native : nest|nest : reference|worst at|");
    for (int i = 0; i < r->n_row; i++) {
        const CheckRow *k = &r->row[i];
        table_cell(&t, "%s", k->name);
        table_cell(&t, "%s", k->ops);
        table_cell(&t, "%lld", (long long)k->outputs);
        if (k->interpreted < k->tasks)
            table_cell(&t, "sampled %lld/%lld", (long long)k->interpreted, (long long)k->tasks);
        else table_cell(&t, "all %lld", (long long)k->tasks);
        table_cell(&t, "%s", k->faults & (CHECK_CODE | CHECK_OUTSIDE) ? "other bits" : "same bits");
        if (k->exact) table_cell(&t, "exact");
        else table_cell(&t, "%.3g of bound", k->ratio);
        table_cell(&t, "%s", k->exact ? "" : k->at);
        table_cell(&t, "%s", verdict(k->faults));
    }
    table_print(&t, stdout);
    for (int i = 0; i < r->n_row; i++)
        if (r->row[i].faults) printf("%s: %s\n", r->row[i].name, r->row[i].why);
}

static void output_table(Arena *a, const CheckReport *r) {
    TextTable t;
    if (r->n_output == 0) return;
    table_open(&t, a, "lrlrll");
    table_row(&t, "output|elements|to the reference|relative error|worst at|");
    for (int i = 0; i < r->n_output; i++) {
        const CheckOutput *o = &r->output[i];
        table_cell(&t, "%s", o->name);
        table_cell(&t, "%lld", (long long)o->elements);
        table_cell(&t, o->bound < 1 ? "%.3g of bound" : "%.3g of bound (wider than the values)", o->ratio);
        table_cell(&t, "%.2g", o->error);
        table_cell(&t, "%s", o->at);
        table_cell(&t, "%s", verdict(o->faults));
    }
    putchar('\n');
    table_print(&t, stdout);
    for (int i = 0; i < r->n_output; i++)
        if (r->output[i].faults) printf("%s: %s\n", r->output[i].name, r->output[i].why);
}

static const char *source_text(CheckSource s) {
    switch (s) {
    case CHECK_NATIVE: return "native";
    case CHECK_FUSED: return "the reference: it is inside a kernel";
    case CHECK_WEIGHT: return "the weight as given";
    }
    return "";
}

static void tensor_table(Arena *a, const CheckReport *r) {
    TextTable t;
    const CheckTensor *first = NULL;
    if (r->n_tensor == 0) return;
    table_open(&t, a, "lrrll");
    table_row(&t, "tensor|elements|relative error|of|");
    for (int i = 0; i < r->n_tensor; i++) {
        const CheckTensor *x = &r->tensor[i];
        if (x->departs && !first) first = x;
        table_cell(&t, "%s", x->name);
        table_cell(&t, "%lld", (long long)x->elements);
        table_cell(&t, "%.2g", x->error);
        table_cell(&t, "%s", source_text(x->source));
        table_cell(&t, "%s", x->departs ? "DEPARTS" : "agrees");
    }
    putchar('\n');
    table_print(&t, stdout);
    if (first)
        printf("%s is the first that departs: relative error %.3g, more than %g\n", first->name, first->error, r->rtol);
}

typedef struct Counts {
    int differ, mistrusted, exact, bound; /* of kernels */
    double worst;                         /* ratio of those within the bound */
    int outputs_wrong, tensors_wrong;
    double outputs_worst, outputs_error, outputs_bound;
} Counts;

static Counts count(const CheckReport *r) {
    Counts n = {0};
    for (int i = 0; i < r->n_row; i++) {
        const CheckRow *k = &r->row[i];
        if (k->faults & ~(unsigned)CHECK_MISTRUSTED) n.differ++;
        else if (k->faults) n.mistrusted++;
        else if (r->exact ? k->must_be_exact : k->exact) n.exact++;
        else n.bound++, n.worst = fmax(n.worst, k->ratio);
    }
    for (int i = 0; i < r->n_output; i++) {
        n.outputs_wrong += r->output[i].faults != 0;
        n.outputs_worst = fmax(n.outputs_worst, r->output[i].ratio);
        n.outputs_error = fmax(n.outputs_error, r->output[i].error);
        n.outputs_bound = fmax(n.outputs_bound, r->output[i].bound);
    }
    for (int i = 0; i < r->n_tensor; i++) n.tensors_wrong += r->tensor[i].departs;
    return n;
}

static const char *plural(int n) { return n == 1 ? "" : "s"; }

static void summary(const CheckReport *r) {
    Counts n = count(r);
    putchar('\n');
    if (n.differ + n.mistrusted) {
        printf("%d of %d kernel%s differ%s", n.differ, r->n_row, plural(r->n_row), r->n_row == 1 ? "s" : "");
        if (n.mistrusted) printf(", %d mistrusted: the data would not notice a wrong answer", n.mistrusted);
    } else {
        printf("%d kernel%s agree%s: %d exact", r->n_row, plural(r->n_row), r->n_row == 1 ? "s" : "", n.exact);
        if (n.bound) printf(", %d within %.2g of the bound", n.bound, n.worst);
    }
    if (n.outputs_wrong) printf("; %d of %d output%s not good", n.outputs_wrong, r->n_output, plural(r->n_output));
    else if (n.outputs_bound >= 1)
        printf("; outputs have a relative error of %.1e, their bound says nothing", n.outputs_error);
    else if (r->n_output)
        printf("; outputs within %.2g of the bound, relative error %.1e", n.outputs_worst, n.outputs_error);
    if (r->n_tensor) printf("; %d of %d tensors depart", n.tensors_wrong, r->n_tensor);
    printf(" (%.1f s)\n", r->seconds);
}

/* ---- for programs --------------------------------------------------------------------------------- */

static json_t *faults_json(unsigned faults) {
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {CHECK_CODE, "code"},
        {CHECK_NEST, "nest"},
        {CHECK_HALO, "halo"},
        {CHECK_OUTSIDE, "outside"},
        {CHECK_MISTRUSTED, "mistrusted"},
        {CHECK_PLAN, "plan"},
    };
    json_t *list = json_array();
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (faults & names[i].bit) json_push(&list, json_string(names[i].name));
    return list;
}

static json_t *kernel_json(const CheckRow *k) {
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:b, s:b}", "name", json_text(k->name), "ops",
                     json_text(k->ops), "faults", faults_json(k->faults), "why", json_text(k->why), "outputs",
                     (json_int_t)k->outputs, "tasks", (json_int_t)k->tasks, "interpreted", (json_int_t)k->interpreted,
                     "compared", (json_int_t)k->compared, "ratio", json_number(k->ratio), "worst_at", json_text(k->at),
                     "exact", k->exact, "must_be_exact", k->must_be_exact);
}

static json_t *output_json(const CheckOutput *o) {
    return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "name", json_text(o->name), "faults",
                     faults_json(o->faults), "why", json_text(o->why), "elements", (json_int_t)o->elements, "ratio",
                     json_number(o->ratio), "worst_at", json_text(o->at), "relative_error", json_number(o->error),
                     "relative_bound", json_number(o->bound));
}

static json_t *tensor_json(const CheckTensor *t) {
    static const char *const source[] = {
        [CHECK_NATIVE] = "native", [CHECK_FUSED] = "reference", [CHECK_WEIGHT] = "weight"};
    return json_pack("{s:o, s:s, s:I, s:o, s:b}", "name", json_text(t->name), "of", source[t->source], "elements",
                     (json_int_t)t->elements, "relative_error", json_number(t->error), "departs", t->departs);
}

static json_t *report_json(const CheckCommand *c) {
    const CheckReport *r = c->report;
    json_t *kernels = json_array(), *outputs = json_array(), *tensors = json_array();
    for (int i = 0; i < r->n_row; i++) json_push(&kernels, kernel_json(&r->row[i]));
    for (int i = 0; i < r->n_output; i++) json_push(&outputs, output_json(&r->output[i]));
    for (int i = 0; i < r->n_tensor; i++) json_push(&tensors, tensor_json(&r->tensor[i]));
    return json_pack("{s:o, s:b, s:b, s:b, s:I, s:o, s:o, s:o, s:o}", "spec", json_text(c->o.arg), "good", r->good,
                     "exact", r->exact, "full", c->check.full, "seed", (json_int_t)c->o.model.seed, "kernels", kernels,
                     "outputs", outputs, "tensors", tensors, "seconds", json_number(r->seconds));
}

/* ---- the command ------------------------------------------------------------------------------------ */

static int give_report(CheckCommand *c, Arena *a) {
    const CheckReport *r = c->report;
    for (int i = 0; i < r->n_unknown; i++)
        cli_say("%s/%s is not named after a tensor of the network", c->check.against, r->unknown[i]);
    if (c->o.json) {
        int code = json_show(report_json(c));
        return code ? code : r->good ? 0 : DIAG_DIFFERS;
    }
    kernel_table(a, r);
    output_table(a, r);
    tensor_table(a, r);
    summary(r);
    return r->good ? 0 : DIAG_DIFFERS;
}

/* Layers without a network: -i is then the size of a --layer's input. */
static int check_layers(CheckCommand *c, Arena *a) {
    Diag *d = &c->o.diag;
    const char *with = c->check.against                                    ? "--against"
                       : c->rtol_given                                     ? "--rtol"
                       : c->n_in > 1 || (c->n_in && !c->suite.layer.layer) ? "-i"
                                                                           : NULL;
    if (with) {
        diag_fail(d, DIAG_USAGE, "%s does not go with the check of layers", with);
        return cli_fail(d);
    }
    c->suite.layer.input = c->n_in ? c->in[0] : NULL;
    c->suite.full = c->check.full;
    return suite_run(&c->suite, a, &c->o);
}

static int check_body(Arena *a, void *ctx) {
    CheckCommand *c = ctx;
    Diag *d = &c->o.diag;
    if (suite_wanted(&c->suite)) return check_layers(c, a);
    if (!c->o.arg) {
        diag_fail(d, DIAG_USAGE, "check wants a SPEC: lunette check [OPTION...] SPEC");
        return cli_fail(d);
    }
    if (!options_fit(c, d) || !open_model(c, d) || !open_inputs(c, a, d)) return cli_fail(d);
    say_random(c);
    return run_check(c, d) ? give_report(c, a) : cli_fail(d);
}

int cli_check(int argc, char **argv) {
    static const CliSyntax syntax = {
        .name = "check",
        .args = "[SPEC]",
        .doc = "Compiles the network SPEC and compares every kernel, native and interpreted, with the reference in "
               "double. Or, without a SPEC, checks single layers on small integers, where native code must equal their "
               "definition: a descriptor, a file of them, a --layer, random ones.",
        .shared = CLI_MODEL | CLI_WEIGHTS | CLI_BUILD | CLI_JSON,
        .options = options,
        .option = check_option,
    };
    CheckCommand c = {.in = mem_alloc(sizeof *c.in * (size_t)argc)};
    if (!c.in) {
        cli_say("out of memory");
        return DIAG_MACHINE;
    }
    int code = DIAG_MACHINE;
    if (cli_parse(&syntax, argc, argv, &c.o, &c)) {
        code = cli_with_arena(check_body, &c);
        check_close(c.report);
        model_close(c.model);
        cli_close(&c.o);
    } else {
        code = c.o.exit;
    }
    mem_free(c.in);
    return code;
}
