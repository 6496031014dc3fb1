/* lunette run: through the public interface. */
#include "frontend/cli/run.h"

#include "frontend/model.h"

#include <string.h>

enum { KEY_LABELS = CLI_KEY, KEY_TOP };

static const struct argp_option options[] = {
    {"input", 'i', "[NAME=]FILE", 0,
     "An input: npy, FILE.npz:member, IDX (gzip or not), PNG, JPEG, PGM, PPM; bytes of pictures and IDX are scaled to "
     "0…1 where the input is f32; one of integers takes integers that it can hold, as they are",
     0},
    {"output", 'o', "FILE.npy|DIR", 0, "Writes the output, or all outputs by their names into a folder", 0},
    {"labels", KEY_LABELS, "FILE", 0, "Compares the classes with the labels in an IDX file and prints the accuracy", 0},
    {"top", KEY_TOP, "N", 0, "Prints the N largest of a vector (default 5)", 0},
    {0},
};

static bool run_option(int key, const char *value, void *own, Diag *d) {
    Run *r = own;
    uint64_t v;
    switch (key) {
    case 'i': r->in[r->n_in++] = value; return true;
    case 'o': r->out = value; return true;
    case KEY_LABELS: r->labels = value; return true;
    case KEY_TOP:
        if (!cli_number(value, "--top", 1, 1000000, &v, d)) return false;
        r->top = (int)v;
        return true;
    default: return diag_fail(d, DIAG_INTERNAL, "option %d has no meaning", key);
    }
}

static bool status(LunetteStatus s, const LunetteError *e, Diag *d) {
    return s == LUNETTE_OK || diag_fail(d, (DiagKind)s, "%s", e->message);
}

/* Inputs without a file are random; all files hold the same number of images. */
static bool open_inputs(Run *r, Diag *d) {
    int with_images = -1;
    r->results.batch = model_batch(r->model);
    r->results.images = r->results.batch ? r->results.batch : 1;
    for (int k = 0; k < r->n_in; k++) {
        const char *path;
        int i = input_choose(r->in[k], r->model, r->taken, &path, d);
        LunetteTensor t = i >= 0 ? lunette_input(r->model, i) : (LunetteTensor){0};
        if (i < 0 || !input_open(&r->file[i], path, &t, r->results.batch, d)) return false;
        r->taken[i] = true;
        if (with_images >= 0 && r->file[i].images != r->results.images)
            return diag_fail(d, DIAG_FILE, "%s: %lld images, but input %s has %lld", path, (long long)r->file[i].images,
                             lunette_input(r->model, with_images).name, (long long)r->results.images);
        with_images = i;
        r->results.images = r->file[i].images;
    }
    for (int i = 0; i < lunette_input_count(r->model); i++) {
        LunetteTensor t = lunette_input(r->model, i);
        if (r->taken[i]) continue;
        if (!r->o.seeded)
            return diag_fail(d, DIAG_USAGE,
                             "input %s has no file: give one (-i %s=FILE), or a seed for random numbers (--seed N)",
                             t.name, t.name);
        random_input(r->model, r->o.model.seed, i, -1, 1, r->x[i]);
    }
    return true;
}

static void say_what_is_random(const Run *r) {
    unsigned long long seed = r->o.model.seed;
    if (r->o.model.random_weights && r->model->weight_block) cli_say("weights are random, from seed %llu", seed);
    for (int i = 0; i < lunette_input_count(r->model); i++)
        if (!r->taken[i]) cli_say("input %s is random, from seed %llu", lunette_input(r->model, i).name, seed);
}

static bool room(void **p, size_t one, int64_t images, Diag *d) {
    size_t bytes;
    *p = size_mul(one, (size_t)images, &bytes) ? mem_alloc(bytes) : NULL;
    return *p || diag_fail(d, DIAG_MACHINE, "out of memory for %lld × %zu bytes", (long long)images, one);
}

static bool make_room(Run *r, Arena *a, Diag *d) {
    int n = lunette_input_count(r->model);
    r->file = ARENA_ARRAY(a, InputFile, n);
    r->taken = ARENA_ARRAY(a, bool, n);
    r->x = ARENA_ARRAY(a, void *, n);
    r->results.n = lunette_output_count(r->model);
    r->y = ARENA_ARRAY(a, void *, r->results.n);
    r->results.result = ARENA_ARRAY(a, Result, r->results.n);
    for (int i = 0; i < n; i++)
        if (!room(&r->x[i], lunette_input(r->model, i).bytes, 1, d)) return false;
    for (int i = 0; i < r->results.n; i++) {
        r->results.result[i].tensor = lunette_output(r->model, i);
        if (!room(&r->y[i], r->results.result[i].tensor.bytes, 1, d)) return false;
    }
    return true;
}

static bool make_results(Run *r, Diag *d) {
    for (int i = 0; i < r->results.n; i++)
        if (!room(&r->results.result[i].v, image_bytes(&r->results.result[i].tensor, r->results.batch),
                  r->results.images, d))
            return false;
    return true;
}

/* Images first … first+n−1; what is left of the batch is zero and its results are not kept. */
static bool run_batch(Run *r, int64_t first, int64_t n, Diag *d) {
    LunetteError e;
    for (int i = 0; i < lunette_input_count(r->model); i++) {
        LunetteTensor t = lunette_input(r->model, i);
        size_t used = (size_t)n * image_bytes(&t, r->results.batch);
        if (!r->taken[i]) continue;
        input_read(&r->file[i], first, n, &t, r->x[i]);
        memset((char *)r->x[i] + used, 0, t.bytes - used);
    }
    double start = clock_seconds();
    if (!status(lunette_run(r->model, (const void *const *)r->x, r->y, &e), &e, d)) return false;
    r->results.run_seconds += clock_seconds() - start;
    for (int i = 0; i < r->results.n; i++) {
        size_t one = image_bytes(&r->results.result[i].tensor, r->results.batch);
        memcpy((char *)r->results.result[i].v + (size_t)first * one, r->y[i], (size_t)n * one);
    }
    return true;
}

static bool run_all(Run *r, Diag *d) {
    int64_t batch = r->results.batch ? r->results.batch : 1, images = r->results.images;
    bool good = true;
    progress_begin("images", images);
    for (int64_t first = 0; first < images && good; first += batch) {
        good = run_batch(r, first, images - first < batch ? images - first : batch, d);
        progress_set(first);
    }
    progress_end();
    return good;
}

static bool open_model(Run *r, Diag *d) {
    LunetteError e;
    r->o.model.random_weights = r->o.seeded && !r->o.model.weights;
    progress_begin("compiling", 0);
    double start = clock_seconds();
    LunetteStatus s = lunette_open(r->o.arg, &r->o.model, &r->model, &e);
    r->results.open_seconds = clock_seconds() - start;
    progress_end();
    if (r->model) cli_notes(r->model);
    return status(s, &e, d);
}

static int give_results(Run *r, Diag *d) {
    Results *y = &r->results;
    if (r->out && !results_write(y, r->out, d)) return cli_fail(d);
    say_what_is_random(r);
    if (r->o.json) {
        json_t *j = results_json(y, !r->out);
        json_t *seed = r->o.seeded ? json_integer((json_int_t)r->o.model.seed) : json_null();
        if (!j || json_object_set_new(j, "spec", json_text(r->o.arg)) != 0 ||
            json_object_set_new(j, "seed", seed) != 0) {
            json_decref(j);
            j = NULL;
        }
        return json_show(j);
    }
    if (!r->out || r->labels) results_print(y, r->top);
    return 0;
}

static int run_body(Arena *a, void *ctx) {
    Run *r = ctx;
    Diag *d = &r->o.diag;
    bool good = open_model(r, d) && (!r->out || results_check_path(r->out, lunette_output_count(r->model), d)) &&
                make_room(r, a, d) && open_inputs(r, d) && make_results(r, d) && run_all(r, d) &&
                (!r->labels || results_compare(&r->results, r->labels, d));
    int code = good ? give_results(r, d) : cli_fail(d);
    int inputs = r->x ? lunette_input_count(r->model) : 0, outputs = r->y ? r->results.n : 0;
    for (int i = 0; i < inputs; i++) {
        mem_free(r->x[i]);
        if (r->taken[i]) input_close(&r->file[i]);
    }
    for (int i = 0; i < outputs; i++) {
        mem_free(r->y[i]);
        mem_free(r->results.result[i].v);
    }
    return code;
}

static bool is_kernel(const char *path) {
    size_t n = strlen(path);
    return n > 7 && strcmp(path + n - 7, ".kernel") == 0;
}

int cli_run(int argc, char **argv) {
    static const CliSyntax syntax = {
        .name = "run",
        .args = "SPEC",
        .doc = "Compiles the network SPEC and runs it on its inputs. SPEC may also be a graph in FILE.graph or one "
               "kernel in "
               "FILE.kernel, as lunette dump prints them; a kernel's inputs are the memory of its parameters.",
        .shared = CLI_MODEL | CLI_WEIGHTS | CLI_BUILD | CLI_JSON,
        .options = options,
        .option = run_option,
    };
    Run r = {.top = 5, .results = {.right = -1}};
    r.in = mem_alloc(sizeof *r.in * (size_t)argc);
    if (!r.in) {
        cli_say("out of memory");
        return DIAG_MACHINE;
    }
    int code = DIAG_MACHINE;
    if (cli_parse(&syntax, argc, argv, &r.o, &r)) {
        r.results.threads = r.o.model.threads ? r.o.model.threads : 1;
        code = cli_with_arena(is_kernel(r.o.arg) ? run_kernel : run_body, &r);
        lunette_close(r.model);
        cli_close(&r.o);
    } else {
        code = r.o.exit;
    }
    mem_free(r.in);
    return code;
}
