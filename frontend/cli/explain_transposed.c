/* The facts about a transposed convolution: the size of its result, what the paddings of each convention make of it,
 * its cost, and the ordinary convolutions that compute it. */
#include "frontend/explain_cli.h"

#include "frontend/layers.h"
#include "ir/ops/convtranspose.h"
#include "ir/ops/phase.h"

#include <string.h>

typedef long long ll;

bool explain_is_transposed(const char *text) {
    while (*text == ' ') text++;
    return strncmp(text, "convtranspose", 13) == 0;
}

bool explain_read_transposed(Explain *e, Arena *a, Diag *d) {
    LayerText one = {.layer = e->o.arg, .input = layers_input(a, e->input, d)};
    LunetteOptions o = {.batch = 1};
    if (!one.input) return false;
    const Graph *g = layers_read(a, &(Layers){&one, 1}, &o, d);
    for (int i = 0; g && i < g->n_node; i++)
        if (g->node[i]->op == OP_CONVTRANSPOSE) e->transposed = g->node[i];
    return g && (e->transposed || diag_fail(d, DIAG_USAGE, "this is no single convtranspose{…}"));
}

typedef struct AxisFacts {
    char letter;
    ll in, out, kernel, span, stride, dilation, lo, hi, extra;
} AxisFacts;

static AxisFacts axis_facts(const Node *n, int i) {
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    Axis x[MAX_SPATIAL], y[MAX_SPATIAL];
    type_spatial(&n->in[0]->type, x);
    type_spatial(&n->type, y);
    return (AxisFacts){
        x[i].letter,    x[i].extent,      y[i].extent,  c->kernel.v[i], (ll)c->dilation.v[i] * (c->kernel.v[i] - 1) + 1,
        c->stride.v[i], c->dilation.v[i], c->pad.lo[i], c->pad.hi[i],   c->output_pad.v[i]};
}

static const char *extents(Arena *a, const Type *t) {
    Axis axis[MAX_SPATIAL];
    int64_t v[MAX_SPATIAL];
    int n = type_spatial(t, axis);
    for (int i = 0; i < n; i++) v[i] = axis[i].extent;
    return explain_join(a, "×", v, n);
}

/* A padding that a convention gives, and the extent of the result with it. */
static void pad_row(TextTable *t, const AxisFacts *x, const char *name, ll lo, ll hi, const char *note) {
    ll out = (x->in - 1) * x->stride + x->span + x->extra - lo - hi;
    table_cell(t, "%s", lo == x->lo && hi == x->hi ? "  →" : "   ");
    table_cell(t, "%s", name);
    table_cell(t, "%lld", lo + hi);
    table_cell(t, "%lld + %lld", lo, hi);
    if (out >= 1) table_cell(t, "%lld", out);
    else table_cell(t, "none");
    table_cell(t, "%s", note);
}

static void paddings(const AxisFacts *x, Arena *a) {
    ll same = x->span - x->stride + x->extra, before = same < 0 ? 0 : same / 2;
    TextTable t;
    table_open(&t, a, "llrlrl");
    table_row(&t, "||p|sides|o|");
    pad_row(&t, x, "per side", x->lo, x->hi,
            x->lo == x->hi ? arena_printf(a, "PyTorch padding=%lld, output_padding=%lld", x->lo, x->extra) : "");
    pad_row(&t, x, "valid", 0, 0, x->extra ? "" : "TensorFlow \"VALID\"");
    pad_row(&t, x, "same", before, same - before,
            x->extra ? "o = l·s" : "o = l·s: TensorFlow \"SAME\", ONNX SAME_UPPER");
    pad_row(&t, x, "full", x->span - 1, x->span - 1, "undoes a convolution with full padding");
    table_print(&t, stdout);
}

static void output_size(const Node *n, Arena *a) {
    printf("\nOutput size: o = (l − 1)·s + k − p + output_pad\n");
    for (int i = 0; i < n->attr.CONVTRANSPOSE.kernel.n; i++) {
        AxisFacts x = axis_facts(n, i);
        printf("  %c: l = %lld, kernel %lld, s = %lld\n", x.letter, x.in, x.kernel, x.stride);
        if (x.dilation > 1)
            printf("     k = d(kernel − 1) + 1 = %lld·%lld + 1 = %lld\n", x.dilation, x.kernel - 1, x.span);
        printf("     p = left + right = %lld + %lld = %lld\n", x.lo, x.hi, x.lo + x.hi);
        printf("     o = (%lld − 1)·%lld + %lld − %lld + %lld = %lld\n", x.in, x.stride, x.span, x.lo + x.hi, x.extra,
               x.out);
        paddings(&x, a);
    }
}

static void cost(const Node *n) {
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    ll in = type_extent(&n->in[0]->type, 'c'), weights = (ll)type_elements(&n->in[1]->type);
    printf("\nCost\n  parameters      %lld = %lld·(%d/%d)·%lld weights", weights + (n->n_in == 3 ? c->out : 0), in,
           c->out, c->groups, weights / in / (c->out / c->groups));
    if (n->n_in == 3) printf(" + %d bias%s", c->out, c->out == 1 ? "" : "es");
    printf("\n  multiply-adds   %lld, an image (zeros around x counted)\n",
           (ll)c->out * (in / c->groups) * (ll)convtranspose_terms(n));
}

/* Results o = s·q + r of one residue r see every s-th tap only. */
static void phases(const Node *n) {
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    printf("\nAs convolutions with stride 1: which taps k meet the results o = s·q + r\n");
    for (int i = 0; i < c->kernel.n; i++) {
        AxisFacts x = axis_facts(n, i);
        Phases p;
        phases_make(&p, x.out, x.kernel, x.stride, x.dilation, x.lo);
        for (int k = 0; k < p.n; k++) {
            const Phase *f = &p.v[k];
            printf("  %c: r = %lld", x.letter, (ll)f->r);
            if (f->n_j > 1) printf(" … %lld", (ll)(f->r + f->step * (f->n_j - 1)));
            if (f->n_j > 2 && f->step != 1) printf(" by %lld", (ll)f->step);
            if (f->taps == 0) printf(": none, the bias alone");
            else if (f->taps == 1) printf(": k = %lld", (ll)f->k0);
            else printf(": k = %lld, %lld … (%lld of them)", (ll)f->k0, (ll)(f->k0 + f->k_step), (ll)f->taps);
            if (f->taps && f->n_j > 1) printf(", then one more for each r");
            printf("; %lld position%s\n", (ll)f->n_q, f->n_q == 1 ? "" : "s");
        }
    }
}

void explain_print_transposed(const Explain *e, Arena *a) {
    const Node *n = e->transposed;
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    if (e->name) printf("%s, ", e->name);
    printf("convtranspose: %lld×%s → %d×%s\n", (ll)type_extent(&n->in[0]->type, 'c'), extents(a, &n->in[0]->type),
           c->out, extents(a, &n->type));
    printf("  %d group%s%s\n", c->groups, c->groups == 1 ? "" : "s", c->flip ? ", the kernel reversed" : "");
    output_size(n, a);
    cost(n);
    phases(n);
}
