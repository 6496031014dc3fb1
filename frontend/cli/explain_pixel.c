/* One output: its window, its sum. And all outputs, when there are values. */
#include "frontend/explain_cli.h"

#include <string.h>

enum { ACROSS = 7 }; /* terms a line */

/* Returns how many terms are padding. */
static int64_t print_window(const ExplainLayer *l, const int64_t *pixel) {
    int64_t padding = 0, first = pixel[0] / l->out_group * l->in_group;
    for (int64_t t = 0; t < l->taps; t++) padding += explain_tap(l, pixel, t).padding;
    printf("  window: channel%s %lld", l->in_group > 1 ? "s" : "", (long long)first);
    if (l->in_group > 1) printf(" … %lld", (long long)(first + l->in_group - 1));
    for (int i = 0; i < l->n; i++) {
        const ExplainAxis *x = &l->axis[i];
        int64_t at = pixel[1 + i] * x->stride - x->lo;
        printf("; %c from %lld·%lld − %lld = %lld to %lld", explain_letter(l, i), (long long)pixel[1 + i],
               (long long)x->stride, (long long)x->lo, (long long)at, (long long)(at + x->span - 1));
        if (x->dilation > 1) printf(" by %lld", (long long)x->dilation);
    }
    printf("\n  %lld term%s, %lld of them padding\n\n", (long long)l->taps, l->taps == 1 ? "" : "s",
           (long long)padding);
    return padding;
}

/* Whether a tap falls on position `at` of an axis for output i. */
static bool taps_at(const ExplainAxis *x, int64_t i, int64_t at) {
    int64_t t = at - (i * x->stride - x->lo);
    return t >= 0 && t < x->span && t % x->dilation == 0;
}

/* One channel with its padding, as far as it fits on a screen: ■ in the window, □ in it but padding, · and ░
 * the rest of the input and of the padding. */
static void print_map(const ExplainLayer *l, const int64_t *pixel) {
    static const ExplainAxis none = {.in = 1, .kernel = 1, .stride = 1, .dilation = 1, .span = 1};
    const ExplainAxis *w = &l->axis[l->n - 1], *h = l->n == 2 ? &l->axis[0] : &none;
    int64_t i = l->n == 2 ? pixel[1] : 0, j = pixel[l->n];
    if (l->n > 2 || w->in + w->lo + w->hi > 48 || h->in + h->lo + h->hi > 32) return;
    for (int64_t y = -h->lo; y < h->in + h->hi; y++) {
        printf("      ");
        for (int64_t x = -w->lo; x < w->in + w->hi; x++) {
            bool tap = taps_at(h, i, y) && taps_at(w, j, x), inside = y >= 0 && y < h->in && x >= 0 && x < w->in;
            printf(" %s", tap ? inside ? "■" : "□" : inside ? "·" : "░");
        }
        printf("\n");
    }
    printf("      ■ in the window, □ in it and padding, · input, ░ padding\n\n");
}

static const char *weight_of(Arena *a, const ExplainLayer *l, const ExplainTap *t) {
    int64_t v[2 + EXPLAIN_AXES] = {t->o, t->cw};
    memcpy(v + 2, t->k, sizeof t->k);
    return explain_at(a, "w", v, 2 + l->n);
}

static const char *input_of(Arena *a, const ExplainLayer *l, const ExplainTap *t) {
    int64_t v[1 + EXPLAIN_AXES] = {t->c};
    memcpy(v + 1, t->at, sizeof t->at);
    return explain_at(a, "x", v, 1 + l->n);
}

static const char *padding_name(const ExplainLayer *l) { return l->op == EXPLAIN_MAXPOOL ? "(−∞)" : "(0)"; }

static const char *symbolic(Arena *a, const ExplainLayer *l, const ExplainTap *t) {
    const char *x = t->padding ? padding_name(l) : input_of(a, l, t);
    return l->op == EXPLAIN_CONV ? arena_printf(a, "%s·%s", x, weight_of(a, l, t)) : x;
}

static const char *factor(Arena *a, double v) { return arena_printf(a, v < 0 ? "(−%.9g)" : "%.9g", v < 0 ? -v : v); }

static const char *numeric(Arena *a, const Explain *e, const ExplainTap *t) {
    const char *x = t->padding ? padding_name(&e->l) : factor(a, e->x[t->x]);
    return e->w ? arena_printf(a, "%s·%s", x, factor(a, e->w[t->w])) : x;
}

/* A row of the kernel a line; longer ones are broken. */
static void print_terms(const Explain *e, Arena *a, bool numbers) {
    const ExplainLayer *l = &e->l;
    int64_t row = l->axis[l->n - 1].kernel;
    int across = row < ACROSS ? (int)row : ACROSS;
    const char *align = "lllllll";
    bool max = l->op == EXPLAIN_MAXPOOL;
    TextTable table;
    table_open(&table, a, align + ACROSS - across);
    for (int64_t i = 0; i < l->taps; i++) {
        ExplainTap t = explain_tap(l, e->pixel, i);
        table_cell(&table, "%s%s%s",
                   max ? ""
                   : i ? "+ "
                       : "  ",
                   numbers ? numeric(a, e, &t) : symbolic(a, l, &t), max && i < l->taps - 1 ? "," : "");
        if (i % row == row - 1)
            while (table.n % across) table_cell(&table, "%s", "");
    }
    /* indented: the table prints lines of its own, so the indent is part of each first cell */
    for (int i = 0; i < table.n; i += across) table.cell[i] = arena_printf(a, "      %s", table.cell[i]);
    table_print(&table, stdout);
}

void explain_print_pixel(const Explain *e, Arena *a) {
    const ExplainLayer *l = &e->l;
    long long divisor = l->op == EXPLAIN_AVGPOOL ? explain_divisor(l, e->pixel) : 1, o = e->pixel[0];
    const char *y = explain_at(a, "y", e->pixel, 1 + l->n);
    bool bias = l->op == EXPLAIN_CONV && l->bias;
    printf("%s of %s\n", y, e->name ? e->name : explain_op_name[l->op]);
    int64_t padding = print_window(l, e->pixel);
    print_map(l, e->pixel);
    printf("  %s =%s\n", y,
           l->op == EXPLAIN_MAXPOOL   ? " the largest of"
           : l->op == EXPLAIN_AVGPOOL ? arena_printf(a, " 1/%lld of the sum", divisor)
                                      : "");
    print_terms(e, a, false);
    if (bias) printf("      + b[%lld]\n", o);
    if (padding) printf("  %s stands for padding\n", padding_name(l));
    if (!e->x) return;
    printf("\n  with the values\n");
    print_terms(e, a, true);
    if (bias) printf("      + %.9g\n", e->b ? e->b[o] : 0);
    printf("  %s = %.9g\n", y, explain_value(l, e->pixel, e->x, e->w, e->b));
}

/* One line a row; the channels of a layer with axes to spare are named. */
void explain_print_values(const Explain *e) {
    const ExplainLayer *l = &e->l;
    int64_t row = l->axis[l->n - 1].out, pixel[1 + EXPLAIN_AXES];
    for (int64_t i = 0; i < l->outputs; i++) {
        explain_pixel(l, i, pixel);
        if (l->out_channels > 1 && i % l->positions == 0) printf("channel %lld\n", (long long)pixel[0]);
        else if (l->n == 3 && i % (row * l->axis[1].out) == 0) printf("\n");
        printf("%.9g%s", explain_value(l, pixel, e->x, e->w, e->b), i % row == row - 1 ? "\n" : " ");
    }
}
