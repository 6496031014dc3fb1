/* lunette explain in parts: cli/explain.c options and input, explain_layer.c a layer of a spec, explain_names.c the
 * frameworks' words, explain_text.c the facts, explain_pixel.c one output and values, explain_matrix.c the dense
 * matrix, explain_json.c all of it as JSON. */
#ifndef LUNETTE_FRONTEND_EXPLAIN_CLI_H
#define LUNETTE_FRONTEND_EXPLAIN_CLI_H

#include "frontend/cli/cli.h"
#include "frontend/explain.h"

enum {
    EXPLAIN_SIDE = 64,      /* of a matrix that is printed */
    EXPLAIN_TERMS = 4096,   /* of one output that are printed */
    EXPLAIN_VALUES = 4096,  /* outputs that are computed … */
    EXPLAIN_WORK = 1 << 24, /* … and terms in all of them */
};

typedef struct Explain {
    CliOptions o;
    const char *layer, *input, *pixel_text;
    const char **value_text; /* the --values arguments */
    int n_value_text;
    bool matrix;

    ExplainLayer l;
    const char *name; /* of the layer in the network, NULL without one */
    const struct Node *transposed; /* a transposed convolution, in the place of l */
    bool has_pixel;
    int64_t pixel[1 + EXPLAIN_AXES];
    double *x, *w, *b; /* x NULL: no values; w NULL for pools, b when not given */
} Explain;

int cli_explain(int argc, char **argv);

/* explain_transposed.c: "convtranspose{…}" on e->input becomes e->transposed; its facts. */
bool explain_is_transposed(const char *text);
bool explain_read_transposed(Explain *e, Arena *a, Diag *d);
void explain_print_transposed(const Explain *e, Arena *a);

/* The layer e->layer of the spec e->o.arg, its receptive field through the network. */
bool explain_from_spec(Explain *e, Arena *a, Diag *d);

/* How each says this padding of an axis: "padding=2", "'SAME'", "pad: 2", "auto_pad=SAME_UPPER"; "–" if it cannot. */
const char *explain_pytorch(Arena *a, const ExplainLayer *l, ExplainPad rule, int axis, int64_t lo, int64_t hi);
const char *explain_tensorflow(Arena *a, const ExplainLayer *l, ExplainPad rule, int64_t lo, int64_t hi);
const char *explain_caffe(Arena *a, const ExplainLayer *l, int axis, int64_t lo, int64_t hi);
const char *explain_onnx(Arena *a, const ExplainLayer *l, ExplainPad rule, int64_t lo, int64_t hi);

static inline char explain_letter(const ExplainLayer *l, int axis) { return "dhw"[EXPLAIN_AXES - l->n + axis]; }
/* "2×3×4" of n numbers, apart by `between`. */
const char *explain_join(Arena *a, const char *between, const int64_t *v, int n);
/* "x[0,1,2]" */
const char *explain_at(Arena *a, const char *of, const int64_t *v, int n);
/* The same numbers as a name in a matrix: "x012", without a channel when there is only one. */
const char *explain_label(Arena *a, const ExplainLayer *l, char of, const int64_t *v);

void explain_print_facts(const Explain *e, Arena *a);
void explain_print_pixel(const Explain *e, Arena *a);
void explain_print_values(const Explain *e);
void explain_print_matrix(const Explain *e, Arena *a);
int explain_json(const Explain *e);
/* Entry of the dense matrix in numbers (values, or 1/n of a mean) and the tap it comes from; false: zero. The rows of
 * one output at a time: cell[inputs], −1 or the tap. */
void explain_row(const ExplainLayer *l, int64_t row, int64_t *cell);

#endif
