/* The dense matrix of a small layer: one row an output element, one column an input element. */
#include "frontend/explain_cli.h"

#include <string.h>

void explain_row(const ExplainLayer *l, int64_t row, int64_t *cell) {
    int64_t pixel[1 + EXPLAIN_AXES];
    explain_pixel(l, row, pixel);
    for (int64_t i = 0; i < l->inputs; i++) cell[i] = -1;
    for (int64_t t = 0; t < l->taps; t++) {
        ExplainTap tap = explain_tap(l, pixel, t);
        if (!tap.padding) cell[tap.x] = t;
    }
}

static const char *input_label(Arena *a, const ExplainLayer *l, int64_t i) {
    int64_t v[1 + EXPLAIN_AXES];
    for (int k = l->n - 1; k >= 0; k--) {
        v[1 + k] = i % l->axis[k].in;
        i /= l->axis[k].in;
    }
    v[0] = i;
    return explain_label(a, l, 'x', v);
}

static const char *entry(Arena *a, const Explain *e, const int64_t *pixel, int64_t tap) {
    const ExplainLayer *l = &e->l;
    if (tap < 0) return "·";
    if (l->op == EXPLAIN_AVGPOOL) return arena_printf(a, "1/%lld", (long long)explain_divisor(l, pixel));
    ExplainTap t = explain_tap(l, pixel, tap);
    if (e->w) return arena_printf(a, "%.6g", e->w[t.w]);
    int64_t v[2 + EXPLAIN_AXES] = {t.o, t.cw};
    memcpy(v + 2, t.k, sizeof t.k);
    return explain_label(a, l, 'w', v);
}

static void print_table(const Explain *e, Arena *a) {
    const ExplainLayer *l = &e->l;
    char align[EXPLAIN_SIDE + 5] = {0};
    int64_t pixel[1 + EXPLAIN_AXES], *cell = ARENA_ARRAY(a, int64_t, l->inputs);
    int extra = e->x ? 4 : 2;
    TextTable t;
    memset(align, 'r', (size_t)(l->inputs + extra));
    table_open(&t, a, align);
    table_cell(&t, "%s", "");
    table_cell(&t, "%s", "│");
    for (int64_t i = 0; i < l->inputs; i++) table_cell(&t, "%s", input_label(a, l, i));
    for (int i = 2; i < extra; i++) table_cell(&t, "%s", i == 2 ? "" : "y");
    for (int64_t r = 0; r < l->outputs; r++) {
        explain_pixel(l, r, pixel);
        explain_row(l, r, cell);
        table_cell(&t, "%s", explain_label(a, l, 'y', pixel));
        table_cell(&t, "%s", "│");
        for (int64_t i = 0; i < l->inputs; i++) table_cell(&t, "%s", entry(a, e, pixel, cell[i]));
        if (!e->x) continue;
        table_cell(&t, "%s", "·x =");
        table_cell(&t, "%.6g", explain_value(l, pixel, e->x, e->w, NULL));
    }
    table_print(&t, stdout);
}

void explain_print_matrix(const Explain *e, Arena *a) {
    const ExplainLayer *l = &e->l;
    printf("y = M x%s: M is [%lld × %lld], a row for each output, a column for each input; · is zero\n\n",
           l->op == EXPLAIN_CONV && l->bias ? " + b" : "", (long long)l->outputs, (long long)l->inputs);
    print_table(e, a);
    printf("\nentries   %lld\nnot zero  %lld (%.4g %% are zero)\n", (long long)l->entries, (long long)l->nonzero,
           100 * (1 - (double)l->nonzero / (double)l->entries));
    if (l->op == EXPLAIN_CONV)
        printf("distinct  %lld weights are all of them; a fully connected layer of this size has %lld parameters, "
               "this one %lld\n",
               (long long)l->shared, (long long)l->mlp, (long long)l->params);
    if (e->has_pixel || e->x) printf("\n");
}
