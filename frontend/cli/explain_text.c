/* The facts about a layer, a section a question. */
#include "frontend/explain_cli.h"

#include <string.h>

typedef long long ll; /* what printf wants for the many int64_t here */

/* "5×5" of one field of all axes. */
static const char *sizes(Arena *a, const ExplainLayer *l, size_t field) {
    int64_t v[EXPLAIN_AXES];
    for (int i = 0; i < l->n; i++) memcpy(&v[i], (const char *)&l->axis[i] + field, sizeof v[i]);
    return explain_join(a, "×", v, l->n);
}
#define SIZES(field) sizes(a, l, offsetof(ExplainAxis, field))

static void head(const Explain *e, Arena *a) {
    const ExplainLayer *l = &e->l;
    if (e->name) printf("%s, ", e->name);
    printf("%s: %lld×%s → %lld×%s\n", explain_op_name[l->op], (ll)l->in_channels, SIZES(in), (ll)l->out_channels,
           SIZES(out));
    printf("  kernel %s, stride %s", SIZES(kernel), SIZES(stride));
    printf(", dilation %s", SIZES(dilation));
    printf(", padding ");
    if (l->pad != EXPLAIN_SIDES) printf("%s: ", explain_pad_name[l->pad]);
    for (int i = 0; i < l->n; i++)
        printf("%s%c %lld + %lld", i ? ", " : "", explain_letter(l, i), (ll)l->axis[i].lo, (ll)l->axis[i].hi);
    if (l->op == EXPLAIN_CONV) printf(", %lld group%s", (ll)l->groups, l->groups == 1 ? "" : "s");
    if (l->op == EXPLAIN_AVGPOOL) printf(", padding %s", l->count_pad ? "counts" : "does not count");
    if (l->padded_by) printf(", padded by %s", l->padded_by);
    if (l->ceil) printf(", rounded up");
    printf("\n");
}

static bool same_axis(const ExplainAxis *x, const ExplainAxis *y) {
    return memcmp(x, y, offsetof(ExplainAxis, reach)) == 0;
}

/* The axes before this one are like it: "h, w" is told once. */
static bool told_before(const ExplainLayer *l, int axis) {
    for (int i = 0; i < axis; i++)
        if (same_axis(&l->axis[i], &l->axis[axis])) return true;
    return false;
}

static const char *axes_like(Arena *a, const ExplainLayer *l, int axis) {
    Text t = {.arena = a};
    for (int i = axis; i < l->n; i++)
        if (same_axis(&l->axis[i], &l->axis[axis])) text_add(&t, "%s%c", i > axis ? ", " : "", explain_letter(l, i));
    return text_get(&t);
}

static void print_rule(const ExplainLayer *l, const ExplainAxis *x) {
    ll in = x->in, s = x->stride, k = x->span, p = x->lo + x->hi, o = (x->in + x->stride - 1) / x->stride;
    switch (l->pad) {
    case EXPLAIN_SIDES: printf("     p = left + right = %lld + %lld = %lld\n", (ll)x->lo, (ll)x->hi, p); break;
    case EXPLAIN_VALID: printf("     p = 0\n"); break;
    case EXPLAIN_TOTAL:
        printf("     p = %lld: left ⌊p/2⌋ = %lld, right ⌈p/2⌉ = %lld\n", p, (ll)x->lo, (ll)x->hi);
        break;
    case EXPLAIN_SAME:
    case EXPLAIN_SAME_LOWER:
        printf("     o = ⌈l / s⌉ = ⌈%lld / %lld⌉ = %lld\n", in, s, o);
        printf("     p = max(s(o − 1) + k − l, 0) = max(%lld·%lld + %lld − %lld, 0) = %lld: ", s, o - 1, k, in, p);
        if (l->pad == EXPLAIN_SAME) printf("left ⌊p/2⌋ = %lld, right ⌈p/2⌉ = %lld\n", (ll)x->lo, (ll)x->hi);
        else printf("left ⌈p/2⌉ = %lld, right ⌊p/2⌋ = %lld\n", (ll)x->lo, (ll)x->hi);
        break;
    case EXPLAIN_HALF: printf("     ⌊k/2⌋ = %lld a side, p = %lld\n", (ll)x->lo, p); break;
    case EXPLAIN_FULL: printf("     k − 1 = %lld a side, p = %lld\n", (ll)x->lo, p); break;
    case EXPLAIN_PADS: break;
    }
}

static void output_size(const ExplainLayer *l, Arena *a) {
    const char *open = l->ceil ? "⌈" : "⌊", *close = l->ceil ? "⌉" : "⌋";
    printf("\nOutput size: o = %s(l + p − k) / s%s + 1\n", open, close);
    for (int i = 0; i < l->n; i++) {
        const ExplainAxis *x = &l->axis[i];
        ll p = x->lo + x->hi, room = x->in + p - x->span;
        if (told_before(l, i)) continue;
        printf("  %s: l = %lld, kernel %lld, s = %lld\n", axes_like(a, l, i), (ll)x->in, (ll)x->kernel, (ll)x->stride);
        if (x->dilation > 1)
            printf("     k = d(kernel − 1) + 1 = %lld·%lld + 1 = %lld\n", (ll)x->dilation, (ll)x->kernel - 1,
                   (ll)x->span);
        print_rule(l, x);
        ll windows = (l->ceil ? room + x->stride - 1 : room) / x->stride + 1;
        printf("     o = %s(%lld + %lld − %lld) / %lld%s + 1 = %s%lld / %lld%s + 1 = %lld\n", open, (ll)x->in, p,
               (ll)x->span, (ll)x->stride, close, open, room, (ll)x->stride, close, windows);
        if (windows > x->out)
            printf("     the last window would begin behind the input: %lld\n", (ll)x->out);
        if (x->left)
            printf("     the last %lld of the %lld padded positions %s in no window\n", (ll)x->left, (ll)x->in + p,
                   x->left == 1 ? "is" : "are");
    }
}

static void pad_row(TextTable *t, Arena *a, const ExplainLayer *l, int axis, ExplainPad rule) {
    const ExplainAxis *x = &l->axis[axis];
    int64_t lo, hi, out;
    explain_pad(rule, x, &lo, &hi);
    out = explain_axis_out(l, x, lo, hi);
    table_cell(t, "%s", rule == l->pad ? "  →" : "   ");
    table_cell(t, "%s", explain_pad_name[rule]);
    table_cell(t, "%lld", (ll)(lo + hi));
    table_cell(t, "%lld + %lld", (ll)lo, (ll)hi);
    if (out) table_cell(t, "%lld", (ll)out);
    else table_cell(t, "none");
    table_cell(t, "%s", explain_pytorch(a, l, rule, axis, lo, hi));
    table_cell(t, "%s", explain_tensorflow(a, l, rule, lo, hi));
    table_cell(t, "%s", explain_caffe(a, l, axis, lo, hi));
    table_cell(t, "%s", explain_onnx(a, l, rule, lo, hi));
}

static void paddings(const ExplainLayer *l, Arena *a) {
    for (int i = 0; i < l->n; i++) {
        if (told_before(l, i)) continue;
        TextTable t;
        table_open(&t, a, "llrlrllll");
        printf("\nPadding by each convention, along %s\n", axes_like(a, l, i));
        table_row(&t, "||p|sides|o|PyTorch|TensorFlow|Caffe|ONNX");
        for (int rule = 0; rule < EXPLAIN_PADS; rule++) pad_row(&t, a, l, i, (ExplainPad)rule);
        table_print(&t, stdout);
    }
    if (l->padded_by) return;
    if (l->op == EXPLAIN_AVGPOOL)
        printf(
            "  TensorFlow's mean never counts padding; Caffe's does, and PyTorch's unless count_include_pad=False.\n");
    if (l->op == EXPLAIN_MAXPOOL) printf("  A maximum is padded with −∞, not with zeros.\n");
}

static void cost(const ExplainLayer *l, Arena *a) {
    printf("\nCost\n");
    if (l->op != EXPLAIN_CONV) {
        printf("  no parameters; %lld outputs of %lld values each\n", (ll)l->outputs, (ll)l->taps);
        return;
    }
    printf("  parameters      %lld = %lld·(%lld/%lld)·%s weights", (ll)l->params, (ll)l->out_channels,
           (ll)l->in_channels, (ll)l->groups, sizes(a, l, offsetof(ExplainAxis, kernel)));
    if (l->bias) printf(" + %lld bias%s", (ll)l->out_channels, l->out_channels == 1 ? "" : "es");
    printf("\n  multiply-adds   %lld = %lld outputs · %lld terms, an image\n", (ll)l->macs, (ll)l->outputs,
           (ll)l->taps);
}

/* Four digits, and no exponent for the many times that a dense layer has more. */
static const char *ratio(Arena *a, int64_t x, int64_t y) {
    double r = y ? (double)x / (double)y : 0;
    return arena_printf(a, r < 1000 ? "%.4g" : "%.0f", r);
}

static double half(int64_t n) { return (double)n / 2; }

static void reach(const Explain *e, Arena *a) {
    const ExplainLayer *l = &e->l;
    TextTable t;
    table_open(&t, a, "lrrrr");
    printf("\nReceptive field, in positions of the %s input\n", e->name ? "network's" : "layer's");
    table_row(&t, "|size|jump|start|centre");
    for (int i = 0; i < l->n; i++) {
        const ExplainReach *r = &l->axis[i].reach;
        table_cell(&t, "  %c", explain_letter(l, i));
        table_cell(&t, "%lld", (ll)r->extent);
        table_cell(&t, "%lld", (ll)r->jump);
        table_cell(&t, "%lld", (ll)r->begin);
        table_cell(&t, "%g", (double)r->begin + half(r->extent - 1));
    }
    table_print(&t, stdout);
    printf("  Output 0 sees positions start … start + size − 1 (below 0: padding), output i those i·jump further.\n");
}

static void matrices(const ExplainLayer *l, Arena *a) {
    const char *many = l->groups > 1 ? "a group: " : "";
    printf("\nAs a matrix\n");
    if (l->op == EXPLAIN_CONV)
        printf("  im2col          %s[%lld × %lld] · [%lld × %lld] → [%lld × %lld]\n", many, (ll)l->out_group,
               (ll)l->taps, (ll)l->taps, (ll)l->positions, (ll)l->out_group, (ll)l->positions);
    else printf("  im2col          a channel: [%lld × %lld]\n", (ll)l->taps, (ll)l->positions);
    printf("                  %lld elements, %s times the input's %lld\n", (ll)l->column,
           ratio(a, l->column, l->inputs), (ll)l->inputs);
    if (l->op == EXPLAIN_MAXPOOL || l->padded_by) return; /* no linear map; one whose borders add up weights */
    printf("  dense           [%lld × %lld], %lld entries, %lld of them not zero (%.4g %% are zero)\n", (ll)l->outputs,
           (ll)l->inputs, (ll)l->entries, (ll)l->nonzero, 100 * (1 - (double)l->nonzero / (double)l->entries));
    if (l->op != EXPLAIN_CONV) return;
    printf("                  made of %lld distinct weights, each in %s places on average\n", (ll)l->shared,
           ratio(a, l->nonzero, l->shared));
    printf("  as an MLP       %lld parameters, %s times as many\n", (ll)l->mlp, ratio(a, l->mlp, l->params));
}

void explain_print_facts(const Explain *e, Arena *a) {
    head(e, a);
    output_size(&e->l, a);
    paddings(&e->l, a);
    cost(&e->l, a);
    reach(e, a);
    matrices(&e->l, a);
}
