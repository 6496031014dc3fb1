/* Options by glibc's argp. Its own messages are off (they take two lines); what went wrong is found
 * out here from where it stopped. */
#include "frontend/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BATCH = 0x400, KEY_SET, KEY_SHAPE, KEY_CONST, KEY_CPU, KEY_SCHEDULES, KEY_SEED, KEY_CACHE_DIR, KEY_NO_CACHE, KEY_ALGORITHM, KEY_ACCURACY, KEY_JSON, KEY_HELP };
enum { MAX_BATCH = 65536, MAX_OPTIONS = 40 };

typedef struct SharedOption {
    unsigned group;
    struct argp_option o;
} SharedOption;

static const SharedOption shared[] = {
    {CLI_WEIGHTS, {"weights", 'w', "FILE", 0, "Weights: a safetensors or npz file", 0}},
    {CLI_WEIGHTS,
     {"seed", KEY_SEED, "N", 0, "Random weights where there is no -w, random input where there is none", 0}},
    {CLI_GRAPH, {"batch", KEY_BATCH, "N", 0, "Images a run of the network, 1 to 65536 (default 1)", 0}},
    {CLI_GRAPH, {"set", KEY_SET, "NAME=VALUE", 0, "Sets a param() of the spec; may be repeated", 0}},
    {CLI_GRAPH,
     {"shape", KEY_SHAPE, "NAME=D,D…", 0, "Extents of an input of an ONNX model that leaves them open; may be repeated", 0}},
    {CLI_GRAPH,
     {"const", KEY_CONST, "NAME=FILE", 0,
      "An input of an ONNX model that is known (shapes, axes, pads): npy or .pb; may "
      "be repeated",
      0}},
    {CLI_CPU, {"cpu", KEY_CPU, "NAME", 0, "Compiles for this CPU, by LLVM's name (default: this machine)", 0}},
    {CLI_CPU, {"algorithm", KEY_ALGORITHM, "NAME", 0,
      "How convolutions are computed that do not say it: auto (default), direct, im2col, winograd", 0}},
    {CLI_CPU, {"accuracy", KEY_ACCURACY, "NAME", 0,
      "default, or strict: nothing that exceeds the error bound of a direct convolution", 0}},
    {CLI_CPU, {"schedules", KEY_SCHEDULES, "FILE", 0, "Schedules by layer, as `lunette tune` writes them", 0}},
    {CLI_BUILD, {"threads", 't', "N", 0, "Threads, 1 to 256 (default 1)", 0}},
    {CLI_BUILD,
     {"cache-dir", KEY_CACHE_DIR, "DIR", 0,
      "Where compiled kernels are kept (default: ~/.cache/lunette, or under XDG_CACHE_HOME)", 0}},
    {CLI_BUILD, {"no-cache", KEY_NO_CACHE, NULL, 0, "Keeps no compiled kernels and uses none", 0}},
    {CLI_JSON, {"json", KEY_JSON, NULL, 0, "Prints JSON", 0}},
    {~0u, {"help", KEY_HELP, NULL, 0, "Prints this", -1}},
};

typedef struct Parse {
    const CliSyntax *syntax;
    CliOptions *o;
    void *own;
    const struct argp *argp;
    bool helped;
} Parse;

bool cli_number(const char *text, const char *what, uint64_t lo, uint64_t hi, uint64_t *out, Diag *d) {
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && v >= lo && v <= hi) {
        *out = v;
        return true;
    }
    return diag_fail(d, DIAG_USAGE, "%s wants a whole number from %llu to %llu, not '%.100s'", what,
                     (unsigned long long)lo, (unsigned long long)hi, text);
}

bool cli_real(const char *text, const char *what, double lo, double hi, double *out, Diag *d) {
    char *end;
    double v = strtod(text, &end);
    if (strspn(text, "0123456789.") == strlen(text) && end != text && *end == '\0' && v >= lo && v <= hi) {
        *out = v;
        return true;
    }
    return diag_fail(d, DIAG_USAGE, "%s wants a number from %g to %g, not '%.100s'", what, lo, hi, text);
}

/* The place of the value among the words. */
static bool cli_word(const char *value, const char *what, const char *const *words, size_t n, int *out, Diag *d) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(value, words[i]) == 0) {
            *out = (int)i;
            return true;
        }
    char list[128] = "";
    for (size_t i = 0; i < n; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", words[i]);
    return diag_fail(d, DIAG_USAGE, "%s wants %s, not '%.100s'", what, list, value);
}

static bool shared_option(int key, const char *value, CliOptions *o) {
    static const char *const algorithms[] = {"auto", "direct", "im2col", "winograd"}, *const accuracies[] = {"default", "strict"};
    int word;
    uint64_t v = 0;
    switch (key) {
    case 'w': o->model.weights = value; return true;
    case 't':
        if (!cli_number(value, "--threads", 1, CLI_MOST_THREADS, &v, &o->diag)) return false;
        o->model.threads = (int)v;
        return true;
    case KEY_SEED:
        if (!cli_number(value, "--seed", 0, UINT64_MAX, &v, &o->diag)) return false;
        o->model.seed = v;
        o->seeded = true;
        return true;
    case KEY_BATCH:
        if (!cli_number(value, "--batch", 1, MAX_BATCH, &v, &o->diag)) return false;
        o->model.batch = (int64_t)v;
        return true;
    case KEY_SET:
        if (strchr(value, '=') == NULL || *value == '=')
            return diag_fail(&o->diag, DIAG_USAGE, "--set wants NAME=VALUE, not '%.100s'", value);
        o->set[o->model.n_set++] = value;
        return true;
    case KEY_SHAPE:
        if (strchr(value, '=') == NULL || *value == '=')
            return diag_fail(&o->diag, DIAG_USAGE, "--shape wants NAME=D,D…, not '%.100s'", value);
        o->shape[o->model.n_shape++] = value;
        return true;
    case KEY_CONST:
        if (strchr(value, '=') == NULL || *value == '=')
            return diag_fail(&o->diag, DIAG_USAGE, "--const wants NAME=FILE, not '%.100s'", value);
        o->constant[o->model.n_constant++] = value;
        return true;
    case KEY_CPU: o->model.cpu = value; return true;
    case KEY_ALGORITHM:
        if (!cli_word(value, "--algorithm", algorithms, COUNT_OF(algorithms), &word, &o->diag)) return false;
        o->model.algorithm = (LunetteAlgorithm)word;
        return true;
    case KEY_ACCURACY:
        if (!cli_word(value, "--accuracy", accuracies, COUNT_OF(accuracies), &word, &o->diag)) return false;
        o->model.accuracy = (LunetteAccuracy)word;
        return true;
    case KEY_SCHEDULES: o->model.schedules = value; return true;
    case KEY_CACHE_DIR: o->model.cache_dir = value; return true;
    case KEY_NO_CACHE: o->model.no_cache = 1; return true;
    case KEY_JSON: o->json = true; return true;
    default: return diag_fail(&o->diag, DIAG_INTERNAL, "option %d has no meaning", key);
    }
}

/* argp stopped at an option it does not know, or one with too few or too many values: the argument
 * it has just passed, or stands in (-xyz). */
static const char *culprit(const struct argp_state *state) {
    const char *before = state->next > 0 ? state->argv[state->next - 1] : "";
    return before[0] != '-' && state->next < state->argc ? state->argv[state->next] : before;
}

static void explain(const struct argp_state *state, Parse *p) {
    const char *at = culprit(state), *names[MAX_OPTIONS];
    bool is_long = strncmp(at, "--", 2) == 0;
    size_t n = 0, len = is_long ? strcspn(at + 2, "=") : 0;
    Diag *d = &p->o->diag;
    for (const struct argp_option *o = p->argp->options; o->name || o->key; o++) {
        bool same =
            is_long ? strncmp(at + 2, o->name, len) == 0 && o->name[len] == '\0' : *at && at[strlen(at) - 1] == o->key;
        names[n++] = o->name;
        if (!same) continue;
        if (o->arg) diag_fail(d, DIAG_USAGE, "%.100s wants a value: %s", at, o->arg);
        else diag_fail(d, DIAG_USAGE, "--%s takes no value", o->name);
        return;
    }
    const char *near = is_long ? text_nearest(at + 2, names, n) : NULL;
    if (near) diag_fail(d, DIAG_USAGE, "%s has no option '%.100s', did you mean --%s?", p->syntax->name, at, near);
    else
        diag_fail(d, DIAG_USAGE, "%s has no option '%.100s'; lunette %s --help lists them", p->syntax->name, at,
                  p->syntax->name);
}

/* A command's own option takes the place of a shared one of that name. */
static bool own_option(const CliSyntax *s, const char *name) {
    for (const struct argp_option *x = s->options; x && (x->name || x->key); x++)
        if (x->name && strcmp(x->name, name) == 0) return true;
    return false;
}

static error_t parse_key(int key, char *value, struct argp_state *state) {
    Parse *p = state->input;
    CliOptions *o = p->o;
    switch (key) {
    case ARGP_KEY_INIT:
    case ARGP_KEY_SUCCESS:
    case ARGP_KEY_FINI:
    case ARGP_KEY_NO_ARGS: return 0;
    case ARGP_KEY_ERROR:
        if (!p->helped && o->diag.kind == DIAG_NONE) explain(state, p);
        return 0;
    case ARGP_KEY_ARG:
        if (o->arg)
            diag_fail(&o->diag, DIAG_USAGE, "%s takes one %s: '%.100s' is too many", p->syntax->name, p->syntax->args,
                      value);
        o->arg = value;
        return o->diag.kind ? EINVAL : 0;
    case ARGP_KEY_END:
        if (!o->arg && p->syntax->args[0] != '[')
            diag_fail(&o->diag, DIAG_USAGE, "%s wants a %s: lunette %s [OPTION...] %s", p->syntax->name,
                      p->syntax->args, p->syntax->name, p->syntax->args);
        return o->diag.kind ? EINVAL : 0;
    case KEY_HELP:
        argp_help(p->argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_DOC | ARGP_HELP_LONG, state->argv[0]);
        p->helped = true;
        return ECANCELED;
    default: break;
    }
    for (size_t i = 0; i < COUNT_OF(shared); i++)
        if (shared[i].o.key == key && (shared[i].group & p->syntax->shared) &&
            !own_option(p->syntax, shared[i].o.name))
            return shared_option(key, value, o) ? 0 : EINVAL;
    if (!p->syntax->option) return ARGP_ERR_UNKNOWN;
    return p->syntax->option(key, value, p->own, &o->diag) ? 0 : EINVAL;
}

bool cli_parse(const CliSyntax *s, int argc, char **argv, CliOptions *o, void *own) {
    struct argp_option options[MAX_OPTIONS];
    int n = 0;
    for (const struct argp_option *x = s->options; x && (x->name || x->key); x++) options[n++] = *x;
    for (size_t i = 0; i < COUNT_OF(shared); i++)
        if ((shared[i].group & s->shared && !own_option(s, shared[i].o.name)) || shared[i].o.key == KEY_HELP)
            options[n++] = shared[i].o;
    options[n] = (struct argp_option){0};
    struct argp argp = {options, parse_key, s->args, s->doc, NULL, NULL, NULL};
    Parse p = {s, o, own, &argp, false};
    o->set = mem_alloc(sizeof *o->set * (size_t)argc);
    o->constant = mem_alloc(sizeof *o->constant * (size_t)argc);
    o->shape = mem_alloc(sizeof *o->shape * (size_t)argc);
    if (!o->set || !o->constant || !o->shape) diag_fail(&o->diag, DIAG_MACHINE, "out of memory");
    else argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, NULL, &p);
    o->model.set = o->set;
    o->model.constants = o->constant;
    o->model.shapes = o->shape;
    if (o->diag.kind == DIAG_NONE && !p.helped) return true;
    o->exit = p.helped ? 0 : cli_fail(&o->diag);
    cli_close(o);
    return false;
}

void cli_close(CliOptions *o) {
    mem_free(o->set);
    mem_free(o->constant);
    mem_free(o->shape);
}
