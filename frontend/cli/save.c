/* lunette import: an ONNX model becomes a spec. lunette export: a spec becomes an ONNX model. */
#include "frontend/save.h"
#include "frontend/cli/cli.h"

#include <string.h>

typedef struct Save {
    CliOptions o;
    const char *out;
    bool calibrate;
    LunetteModel *model;
} Save;

enum { KEY_CALIBRATE = CLI_KEY };

static bool save_option(int key, const char *value, void *own, Diag *d) {
    Save *s = own;
    switch (key) {
    case 'o': s->out = value; return true;
    case KEY_CALIBRATE: s->calibrate = true; return true;
    default: return diag_fail(d, DIAG_INTERNAL, "option %d has no meaning", key);
    }
}

static bool ends_in(const char *text, const char *end) {
    size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

static int save_command(const CliSyntax *syntax, int argc, char **argv, int (*body)(Arena *a, void *ctx)) {
    Save s = {0};
    if (!cli_parse(syntax, argc, argv, &s.o, &s)) return s.o.exit;
    int code = cli_with_arena(body, &s);
    model_close(s.model);
    cli_close(&s.o);
    return code;
}

/* ---- import ---------------------------------------------------------------------------------------- */

static int import_body(Arena *a, void *ctx) {
    Save *s = ctx;
    Diag *d = &s->o.diag;
    const char *slash = strrchr(s->o.arg, '/'), *base = slash ? slash + 1 : s->o.arg;
    SpecFiles files;
    if (!ends_in(base, ".onnx"))
        diag_fail(d, DIAG_USAGE, "import wants an ONNX model (NAME.onnx), not '%.200s'", s->o.arg);
    else if (!s->out || !*s->out)
        diag_fail(d, DIAG_USAGE, "import wants a folder for the spec and its weights: -o DIR");
    if (d->kind) return cli_fail(d);
    const char *name = arena_printf(a, "%.*s", (int)(strlen(base) - strlen(".onnx")), base);
    s->model = model_read(s->o.arg, &s->o.model, d);
    if (!s->model || !model_weights(s->model, d) || !save_spec(s->model, s->out, name, base, &files, d))
        return cli_fail(d);
    printf("%s\n%s\n", files.spec, files.weights);
    return 0;
}

int cli_import(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"output", 'o', "DIR", 0, "The folder; made when it is not there, files that are there are replaced", 0}, {0}};
    static const CliSyntax syntax = {
        .name = "import",
        .args = "MODEL.onnx",
        .doc = "Writes an ONNX model as a Lua spec with its weights, DIR/MODEL.lua and DIR/MODEL.safetensors, which "
               "compute the same to the bit. Prints the names of both files.",
        .shared = CLI_GRAPH,
        .options = options,
        .option = save_option,
    };
    return save_command(&syntax, argc, argv, import_body);
}

/* ---- export ---------------------------------------------------------------------------------------- */

static int export_body(Arena *a, void *ctx) {
    Save *s = ctx;
    Diag *d = &s->o.diag;
    s->o.model.random_weights = s->o.seeded && !s->o.model.weights;
    if (!s->out || !ends_in(s->out, ".onnx"))
        diag_fail(d, DIAG_USAGE, "export wants a file for the model: -o FILE.onnx");
    else if (s->calibrate && (!s->o.model.random_weights || ends_in(s->o.arg, ".onnx")))
        diag_fail(d, DIAG_USAGE, "--calibrate is for random weights: a spec and --seed N, no -w");
    if (d->kind) return cli_fail(d);
    s->model = model_read(s->o.arg, &s->o.model, d);
    if (!s->model || !model_weights(s->model, d) || (s->calibrate && !random_calibrate(s->model, a, d)) ||
        !save_onnx(s->model, s->out, d))
        return cli_fail(d);
    if (s->o.model.random_weights && s->model->weight_block)
        cli_say("weights are random, from seed %llu", (unsigned long long)s->o.model.seed);
    return 0;
}

int cli_export(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"output", 'o', "FILE.onnx", 0, "The model", 0},
        {"calibrate", KEY_CALIBRATE, NULL, 0,
         "With --seed: batch norms get the mean and variance that a random input has there, so that values keep their "
         "size through deep networks",
         0},
        {0}};
    static const CliSyntax syntax = {
        .name = "export",
        .args = "SPEC",
        .doc =
            "Writes the network SPEC with its weights as an ONNX model (opset 17), for the viewers and runtimes that "
            "read those. The batch is fixed.",
        .shared = CLI_GRAPH | CLI_WEIGHTS,
        .options = options,
        .option = save_option,
    };
    return save_command(&syntax, argc, argv, export_body);
}
