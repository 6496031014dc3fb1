/* All that explain knows as one JSON object. */
#include "frontend/explain_cli.h"

typedef json_int_t in;

static json_t *list(const int64_t *v, int n) {
    json_t *a = json_array();
    for (int i = 0; i < n; i++) json_push(&a, json_integer(v[i]));
    return a;
}

static json_t *paddings(Arena *a, const ExplainLayer *l, int axis) {
    const ExplainAxis *x = &l->axis[axis];
    json_t *all = json_array();
    for (int rule = 0; rule < EXPLAIN_PADS; rule++) {
        int64_t lo, hi;
        ExplainPad r = (ExplainPad)rule;
        explain_pad(r, x, &lo, &hi);
        json_push(&all,
                  json_pack("{ss s[II] sI sI ss ss ss ss}", "convention", explain_pad_name[rule], "pad", (in)lo, (in)hi,
                            "total", (in)(lo + hi), "output", (in)explain_axis_out(l, x, lo, hi),
                            "pytorch", explain_pytorch(a, l, r, axis, lo, hi), "tensorflow",
                            explain_tensorflow(a, l, r, lo, hi), "caffe", explain_caffe(a, l, axis, lo, hi), "onnx",
                            explain_onnx(a, l, r, lo, hi)));
    }
    return all;
}

static json_t *axes(Arena *a, const ExplainLayer *l) {
    json_t *all = json_array();
    for (int i = 0; i < l->n; i++) {
        const ExplainAxis *x = &l->axis[i];
        char name[2] = {explain_letter(l, i)};
        json_push(&all, json_pack("{ss sI sI sI sI s[II] sI sI sI so so}", "axis", name, "input", (in)x->in, "kernel",
                                  (in)x->kernel, "stride", (in)x->stride, "dilation", (in)x->dilation, "pad", (in)x->lo,
                                  (in)x->hi, "span", (in)x->span, "output", (in)x->out, "unused", (in)x->left,
                                  "receptive_field",
                                  json_pack("{sI sI sI sf}", "size", (in)x->reach.extent, "jump", (in)x->reach.jump,
                                            "start", (in)x->reach.begin, "centre",
                                            (double)x->reach.begin + (double)(x->reach.extent - 1) / 2),
                                  "paddings", paddings(a, l, i)));
    }
    return all;
}

static json_t *term(const Explain *e, int64_t i) {
    const ExplainLayer *l = &e->l;
    ExplainTap t = explain_tap(l, e->pixel, i);
    json_t *j = json_pack("{sI so sb}", "channel", (in)t.c, "position", list(t.at, l->n), "padding", (int)t.padding);
    if (l->op == EXPLAIN_CONV && j) {
        int64_t w[2 + EXPLAIN_AXES] = {t.o, t.cw, t.k[0], t.k[1], t.k[2]};
        json_object_set_new(j, "weight", list(w, 2 + l->n));
    }
    if (e->x && j) json_object_set_new(j, "x", t.padding ? json_null() : json_number(e->x[t.x]));
    if (e->w && j) json_object_set_new(j, "w", json_number(e->w[t.w]));
    return j;
}

static json_t *pixel(const Explain *e) {
    const ExplainLayer *l = &e->l;
    json_t *terms = json_array();
    for (int64_t i = 0; i < l->taps; i++) json_push(&terms, term(e, i));
    json_t *j = json_pack("{so so}", "at", list(e->pixel, 1 + l->n), "terms", terms);
    if (j && l->op == EXPLAIN_AVGPOOL) json_object_set_new(j, "divisor", json_integer(explain_divisor(l, e->pixel)));
    if (j && e->x) json_object_set_new(j, "value", json_number(explain_value(l, e->pixel, e->x, e->w, e->b)));
    return j;
}

static json_t *values(const Explain *e) {
    json_t *all = json_array();
    for (int64_t i = 0; i < e->l.outputs; i++) {
        int64_t at[1 + EXPLAIN_AXES];
        explain_pixel(&e->l, i, at);
        json_push(&all, json_number(explain_value(&e->l, at, e->x, e->w, e->b)));
    }
    return all;
}

/* Rows of entries: 0, or the place of the weight counted from 1 (its number when there are values), or 1/n. */
static json_t *rows(const Explain *e, Arena *a) {
    const ExplainLayer *l = &e->l;
    json_t *all = json_array();
    int64_t *cell = ARENA_ARRAY(a, int64_t, l->inputs), at[1 + EXPLAIN_AXES];
    for (int64_t r = 0; r < l->outputs; r++) {
        json_t *row = json_array();
        explain_pixel(l, r, at);
        explain_row(l, r, cell);
        for (int64_t i = 0; i < l->inputs; i++) {
            int64_t w = cell[i] < 0 || l->op != EXPLAIN_CONV ? 0 : explain_tap(l, at, cell[i]).w;
            if (cell[i] < 0) json_push(&row, json_integer(0));
            else if (l->op == EXPLAIN_AVGPOOL) json_push(&row, json_number(1 / (double)explain_divisor(l, at)));
            else json_push(&row, e->w ? json_number(e->w[w]) : json_integer(w + 1));
        }
        json_push(&all, row);
    }
    return all;
}

static json_t *dense(const Explain *e, Arena *a) {
    const ExplainLayer *l = &e->l;
    json_t *j =
        json_pack("{sI sI sI sI sf}", "rows", (in)l->outputs, "columns", (in)l->inputs, "entries", (in)l->entries,
                  "nonzero", (in)l->nonzero, "sparsity", 1 - (double)l->nonzero / (double)l->entries);
    if (j && l->op == EXPLAIN_CONV) json_object_set_new(j, "distinct", json_integer(l->shared));
    if (j && l->op == EXPLAIN_CONV) json_object_set_new(j, "mlp_parameters", json_integer(l->mlp));
    if (j && e->matrix) json_object_set_new(j, "matrix", rows(e, a));
    return j;
}

static int show(Arena *a, void *ctx) {
    const Explain *e = ctx;
    const ExplainLayer *l = &e->l;
    int64_t input[1 + EXPLAIN_AXES] = {l->in_channels}, output[1 + EXPLAIN_AXES] = {l->out_channels};
    for (int i = 0; i < l->n; i++) input[1 + i] = l->axis[i].in, output[1 + i] = l->axis[i].out;
    json_t *j =
        json_pack("{ss so so ss sI so sI sI sI so}", "op", explain_op_name[l->op], "input", list(input, 1 + l->n),
                  "output", list(output, 1 + l->n), "padding", explain_pad_name[l->pad], "groups", (in)l->groups,
                  "axes", axes(a, l), "parameters", (in)l->params, "macs", (in)l->macs, "terms", (in)l->taps, "im2col",
                  json_pack("{sI sI sI}", "matrices", (in)l->groups, "rows", (in)l->taps, "columns", (in)l->positions));
    if (j && e->name) json_object_set_new(j, "layer", json_text(e->name));
    if (j && l->padded_by) json_object_set_new(j, "padded_by", json_text(l->padded_by));
    if (j && l->op != EXPLAIN_MAXPOOL && !l->padded_by) json_object_set_new(j, "dense", dense(e, a));
    if (j && e->has_pixel) json_object_set_new(j, "pixel", pixel(e));
    if (j && e->x) json_object_set_new(j, "values", values(e));
    return json_show(j);
}

int explain_json(const Explain *e) {
    Explain copy = *e;
    return cli_with_arena(show, &copy);
}
