/* lunette explain: what the arithmetic of a convolution says, with its numbers. */
#include "frontend/explain_cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_LAYER = CLI_KEY, KEY_INPUT, KEY_PIXEL, KEY_MATRIX, KEY_VALUES };

static const struct argp_option options[] = {
    {"layer", KEY_LAYER, "NAME", 0, "Explains this layer of the spec WHAT", 0},
    {"input", KEY_INPUT, "C,H,W", 0, "Size of the input: L, C,L, C,H,W, C,D,H,W; 224x224 has one channel", 0},
    {"pixel", KEY_PIXEL, "C,Y,X", 0, "Shows the window and the sum behind this output, counted from 0", 0},
    {"matrix", KEY_MATRIX, NULL, 0, "Prints the dense matrix that the layer is", 0},
    {"values", KEY_VALUES, "x=… w=…", 0, "Computes with these numbers, row-major (b=… for a bias)", 0},
    {0},
};

static bool option(int key, const char *value, void *own, Diag *d) {
    Explain *e = own;
    switch (key) {
    case KEY_LAYER: e->layer = value; return true;
    case KEY_INPUT: e->input = value; return true;
    case KEY_PIXEL: e->pixel_text = value; return true;
    case KEY_MATRIX: return e->matrix = true;
    case KEY_VALUES: e->value_text[e->n_value_text++] = value; return true;
    default: return diag_fail(d, DIAG_INTERNAL, "option %d has no meaning", key);
    }
}

/* ---- small arguments ------------------------------------------------------------------------------------- */

static bool read_pixel(Explain *e, Diag *d) {
    const ExplainLayer *l = &e->l;
    const char *p = e->pixel_text;
    for (int i = 0; i <= l->n; i++) {
        int64_t most = (i ? l->axis[i - 1].out : l->out_channels) - 1;
        char *end;
        errno = 0;
        long long v = isdigit((unsigned char)*p) ? strtoll(p, &end, 10) : -1;
        char what[2] = {i ? explain_letter(l, i - 1) : 'c'};
        if (v < 0 || (*end != ',' && *end != '\0') || (*end == '\0') != (i == l->n))
            return diag_fail(d, DIAG_USAGE, "--pixel wants %d whole numbers, the channel first, not '%.100s'", l->n + 1,
                             e->pixel_text);
        if (errno || v > most)
            return diag_fail(d, DIAG_USAGE, "--pixel %.100s: at column %d: the output's %s goes from 0 to %lld",
                             e->pixel_text, (int)(p - e->pixel_text) + 1, what, (long long)most);
        e->pixel[i] = v;
        p = end + 1;
    }
    return e->has_pixel = true;
}

typedef struct List {
    double *v;
    int n, cap;
    bool given;
} List;

/* "x=1,0 2; 3 w=1,2": numbers apart by commas, semicolons or blanks, after the name they belong to. */
static bool read_list(Arena *a, const char *text, List list[3], Diag *d) {
    static const char names[] = "xwb";
    List *to = NULL;
    for (const char *p = text; *p;) {
        const char *name = strchr(names, *p);
        char *end;
        if (isspace((unsigned char)*p) || *p == ',' || *p == ';') {
            p++;
        } else if (name && p[1] == '=') {
            to = &list[name - names];
            if (to->given) return diag_fail(d, DIAG_USAGE, "--values: %c is given twice", *p);
            to->given = true;
            p += 2;
        } else {
            double v = strtod(p, &end);
            int shown = 0;
            while (shown < 20 && p[shown] > ' ' && p[shown] < 0x7f) shown++;
            bool number = to && end != p && isfinite(v) && (!*end || strchr(",; \t\n", *end));
            if (!number)
                return diag_fail(d, DIAG_USAGE, "--values: at column %d: %s is wanted, not '%.*s'", (int)(p - text) + 1,
                                 to ? "a number, x=, w= or b=" : "x=, w= or b=", shown ? shown : 1, shown ? p : "?");
            ARENA_PUSH(a, to->v, to->n, to->cap, v);
            p = end;
        }
    }
    return true;
}

static bool list_fits(const List *list, char name, const char *what, int64_t n, Diag *d) {
    if (list->n == n) return true;
    return diag_fail(d, DIAG_USAGE, "--values: %c has %d numbers, but %s has %lld", name, list->n, what, (long long)n);
}

static bool read_values(Explain *e, Arena *a, Diag *d) {
    const ExplainLayer *l = &e->l;
    List list[3] = {{0}};
    bool conv = l->op == EXPLAIN_CONV;
    for (int i = 0; i < e->n_value_text; i++)
        if (!read_list(a, e->value_text[i], list, d)) return false;
    if (!list_fits(&list[0], 'x', "the input", l->inputs, d)) return false;
    if (!conv && (list[1].given || list[2].given))
        return diag_fail(d, DIAG_USAGE, "--values: a pool has no w and no b");
    if (conv && !list_fits(&list[1], 'w', "the kernel", l->weights, d)) return false;
    if (list[2].given && !l->bias) return diag_fail(d, DIAG_USAGE, "--values: this layer has no bias");
    if (list[2].given && !list_fits(&list[2], 'b', "the bias", l->out_channels, d)) return false;
    if (l->outputs > EXPLAIN_VALUES || l->taps > EXPLAIN_WORK / l->outputs)
        return diag_fail(d, DIAG_USAGE,
                         "--values computes at most %d outputs of %d terms in all, this layer has %lld outputs",
                         EXPLAIN_VALUES, EXPLAIN_WORK, (long long)l->outputs);
    e->x = list[0].v;
    e->w = list[1].v;
    e->b = list[2].v;
    return true;
}

static bool matrix_fits(const Explain *e, Diag *d) {
    const ExplainLayer *l = &e->l;
    if (l->op == EXPLAIN_MAXPOOL)
        return diag_fail(d, DIAG_USAGE, "--matrix: a maximum is no linear map, so a maxpool has no matrix");
    if (l->inputs <= EXPLAIN_SIDE && l->outputs <= EXPLAIN_SIDE) return true;
    return diag_fail(d, DIAG_USAGE,
                     "--matrix prints at most %d rows and %d columns, this matrix has %lld and %lld: give a smaller "
                     "input, or leave --matrix out, its numbers are told all the same",
                     EXPLAIN_SIDE, EXPLAIN_SIDE, (long long)l->outputs, (long long)l->inputs);
}

/* ---- the command ----------------------------------------------------------------------------------------- */

static bool get_layer(Explain *e, Arena *a, Diag *d) {
    if (e->layer && e->input)
        return diag_fail(d, DIAG_USAGE, "--layer and --input do not go together: a layer of a spec has its input");
    if (e->layer) return explain_from_spec(e, a, d);
    if (!strchr(e->o.arg, '{') && strchr(e->o.arg, '.'))
        return diag_fail(d, DIAG_USAGE, "explain wants the layer of a spec: --layer NAME; lunette show lists them");
    if (!e->input) return diag_fail(d, DIAG_USAGE, "explain wants the size of the input: --input 3,224,224");
    if (explain_is_transposed(e->o.arg)) return explain_read_transposed(e, a, d);
    return explain_read(&e->l, e->o.arg, e->input, d);
}

static int body(Arena *a, void *ctx) {
    Explain *e = ctx;
    Diag *d = &e->o.diag;
    bool good = get_layer(e, a, d);
    if (good && e->l.padded_by && (e->pixel_text || e->n_value_text || e->matrix))
        good = diag_fail(d, DIAG_UNSUPPORTED, "--pixel, --values and --matrix are for padding by zeros; this is by %s",
                         e->l.padded_by);
    if (good && e->transposed && (e->pixel_text || e->n_value_text || e->matrix || e->o.json))
        good = diag_fail(d, DIAG_USAGE, "--pixel, --values, --matrix and --json are for conv, maxpool and avgpool");
    if (good && e->transposed) {
        explain_print_transposed(e, a);
        return 0;
    }
    good = good && (!e->pixel_text || read_pixel(e, d)) && (!e->n_value_text || read_values(e, a, d)) &&
           (!e->matrix || matrix_fits(e, d));
    if (good && e->has_pixel && e->l.taps > EXPLAIN_TERMS)
        good = diag_fail(d, DIAG_USAGE, "--pixel shows at most %d terms, one output of this layer has %lld",
                         EXPLAIN_TERMS, (long long)e->l.taps);
    if (!good) return cli_fail(d);
    if (e->o.json) return explain_json(e);
    /* What is asked for by an option comes alone: it shall fit on one screen. */
    if (!e->has_pixel && !e->matrix && !e->x) explain_print_facts(e, a);
    if (e->matrix) explain_print_matrix(e, a);
    if (e->has_pixel) explain_print_pixel(e, a);
    else if (e->x) explain_print_values(e);
    return 0;
}

/* `--values x=1,2 w=3,4`: what follows in the form NAME=… is told to argp as further --values. */
static char **join_values(Arena *a, int argc, char **argv) {
    char **v = ARENA_ARRAY(a, char *, argc + 1);
    bool values = false;
    for (int i = 0; i < argc; i++) {
        bool list = values && argv[i][0] && strchr("xwb", argv[i][0]) && argv[i][1] == '=';
        bool first = i > 0 && strcmp(argv[i - 1], "--values") == 0;
        v[i] = list && !first ? arena_printf(a, "--values=%s", argv[i]) : argv[i];
        values = first || list || strncmp(argv[i], "--values", 8) == 0;
    }
    return v;
}

typedef struct Call {
    int argc;
    char **argv;
} Call;

static int call(Arena *a, void *ctx) {
    static const CliSyntax syntax = {
        .name = "explain",
        .args = "WHAT",
        .doc =
            "Explains a layer (of a convtranspose{…} less): its output size with the formula, padding in every "
            "convention, parameters, receptive "
            "field, matrices. WHAT is a layer, 'conv{out=8, kernel=3, stride=2, pad=\"same\"}' (also maxpool, "
            "avgpool), "
            "for an --input, or a spec, of which --layer names one. Attributes: kernel, stride, dilation, groups, out, "
            "bias, flip (conv); kernel, stride, dilation, ceil (pools), count_pad (avgpool); pad = N, one number an "
            "axis, two an "
            "axis (all before, then all after), \"valid\", \"same\", \"same_lower\", \"half\", \"full\" or \"total "
            "N\"; total = N is the same: left ⌊N/2⌋, right ⌈N/2⌉.",
        .shared = CLI_GRAPH | CLI_JSON,
        .options = options,
        .option = option,
    };
    const Call *c = ctx;
    Explain e = {.value_text = ARENA_ARRAY(a, const char *, c->argc + 1)};
    if (!cli_parse(&syntax, c->argc, join_values(a, c->argc, c->argv), &e.o, &e)) return e.o.exit;
    int code = cli_with_arena(body, &e);
    cli_close(&e.o);
    return code;
}

int cli_explain(int argc, char **argv) { return cli_with_arena(call, &(Call){argc, argv}); }
