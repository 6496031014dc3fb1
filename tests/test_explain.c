/* Convolution arithmetic: known answers, counting by hand, and random descriptors against what the graph's ops say
 * and the reference computes. */
#include "frontend/explain.h"
#include "ir/graph.h"
#include "runtime/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ExplainLayer read(const char *text, const char *input) {
    ExplainLayer l;
    Diag d = {0};
    if (!explain_read(&l, text, input, &d)) fail_msg("%s for %s: %s", text, input, d.text);
    return l;
}

/* ---- known answers --------------------------------------------------------------------------------------- */

typedef struct Known {
    const char *text, *input;
    int n;
    int64_t lo[EXPLAIN_AXES], hi[EXPLAIN_AXES], out[EXPLAIN_AXES];
} Known;

static const Known known[] = {
    {"conv{kernel=5, stride=2, pad='valid'}", "224", 1, {0}, {0}, {110}},
    {"conv{kernel=5, stride=2, pad='same'}", "224", 1, {1}, {2}, {112}},
    {"conv{kernel=5, stride=2, pad='same_lower'}", "224", 1, {2}, {1}, {112}},
    {"conv{kernel=5, stride=2, pad='full'}", "224", 1, {4}, {4}, {114}},
    {"conv{kernel={5,5}, stride={2,2}, total={1,1}}", "224x224", 2, {0, 0}, {1, 1}, {111, 111}},
    {"conv{kernel={5,1}, stride=2, pad='total 1,1'}", "1,224,224", 2, {0, 0}, {1, 1}, {111, 113}},
    {"conv{64, 7, stride=2, pad=3}", "3,224,224", 2, {3, 3}, {3, 3}, {112, 112}},
    {"conv{kernel=3, dilation=2, pad='same'}", "7", 1, {2}, {2}, {7}},
    {"conv{kernel=3, pad={0,2}}", "6", 1, {0}, {2}, {6}},
    {"conv{kernel=3, pad={0,1,2,3}}", "6x6", 2, {0, 1}, {2, 3}, {6, 8}},
    {"conv{kernel=3, pad={1,2}}", "6x6", 2, {1, 2}, {1, 2}, {6, 8}},
    {"conv{kernel=1, stride=5, pad='same'}", "11", 1, {0}, {0}, {3}},
    {"maxpool{3, 2, pad='same'}", "64,112,112", 2, {0, 0}, {1, 1}, {56, 56}},
    {"avgpool{2}", "5,4,6,8", 3, {0, 0, 0}, {0, 0, 0}, {2, 3, 4}},
};

static void test_known(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        const Known *k = &known[i];
        ExplainLayer l = read(k->text, k->input);
        if (l.n != k->n) fail_msg("%s has %d axes", k->text, l.n);
        for (int a = 0; a < l.n; a++) {
            const ExplainAxis *x = &l.axis[a];
            if (x->lo != k->lo[a] || x->hi != k->hi[a] || x->out != k->out[a])
                fail_msg("%s, axis %d: %lld + %lld → %lld", k->text, a, (long long)x->lo, (long long)x->hi,
                         (long long)x->out);
        }
    }
    assert_int_equal(explain_out_ceil(112, 0, 0, 3, 3), 38);
    assert_int_equal(explain_out_ceil(224, 1, 1, 3, 2), 113);
    assert_int_equal(explain_out_ceil(5, 0, 0, 1, 3), 2); /* a third window would begin right of the input */
}

static void check_values(const char *text, const char *input, const double *x, const double *w, int n,
                         const double *want) {
    ExplainLayer l = read(text, input);
    assert_int_equal(l.outputs, n);
    for (int i = 0; i < n; i++) {
        int64_t pixel[1 + EXPLAIN_AXES];
        explain_pixel(&l, i, pixel);
        double y = explain_value(&l, pixel, x, w, NULL);
        if (y != want[i]) fail_msg("%s: output %d is %g, not %g", text, i, y, want[i]);
    }
}

static void test_worked(void **state) {
    (void)state;
    const double x[] = {1, 0, 2, 2, 3, 1}, w[] = {3, 2, 2};
    const double x2[] = {1, 2, 3, 2, 2, 3, 2, 5, 1, 2, 2, 1, 0, 2, 1, 2}, w2[] = {-1, 1, -1, 1};
    check_values("conv{kernel=3, total=1}", "6", x, w, 5, (double[]){7, 8, 16, 14, 11});
    check_values("conv{kernel=3, pad=0}", "6", x, w, 4, (double[]){7, 8, 16, 14});
    check_values("conv{kernel=3, pad='same'}", "6", x, w, 6, (double[]){2, 7, 8, 16, 14, 11});
    check_values("conv{kernel=3, total=1, stride=2}", "6", x, w, 3, (double[]){7, 16, 11});
    check_values("conv{kernel=2}", "4x4", x2, w2, 9, (double[]){2, 0, 2, 2, -1, 2, 3, -1, 0});
}

/* ---- random descriptors ---------------------------------------------------------------------------------- */

static uint64_t seed = 1;

static int below(int n) { /* xorshift64* */
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (int)((seed * 0x2545f4914f6cdd1dULL >> 33) % (uint64_t)n);
}

static void random_list(Text *t, const char *name, int n, int lo, int hi) {
    text_add(t, ", %s={", name);
    for (int i = 0; i < n; i++) text_add(t, "%s%d", i ? ", " : "", lo + below(hi - lo + 1));
    text_add(t, "}");
}

typedef struct Random {
    const char *text, *input;
} Random;

static Random random_layer(Arena *a) {
    static const char *const words[] = {"valid", "same", "same_lower", "half", "full"};
    int n = 1 + below(3), op = below(4), groups = 1 + below(3), pad = below(8);
    Text t = {.arena = a}, in = {.arena = a};
    text_add(&t, "%s{", op < 2 ? "conv" : op == 2 ? "maxpool" : "avgpool");
    if (op < 2)
        text_add(&t, "out=%d, groups=%d, bias=%s, ", groups * (1 + below(2)), groups, below(2) ? "true" : "false");
    text_add(&t, "kernel=%d", 1 + below(3)); /* so that the lists below may be put after a comma */
    if (below(2)) random_list(&t, "stride", n, 1, 3);
    if (below(2)) random_list(&t, "dilation", n, 1, 2);
    if (op >= 2 && below(2)) text_add(&t, ", ceil=%s", below(3) ? "true" : "false");
    if (op < 2 && below(2)) text_add(&t, ", flip=%s", below(2) ? "true" : "false");
    if (op == 3 && below(2)) text_add(&t, ", count_pad=%s", below(2) ? "true" : "false");
    if (pad < 5) text_add(&t, ", pad=\"%s\"", words[pad]);
    else if (pad == 5) random_list(&t, "total", n, 0, 3);
    else random_list(&t, "pad", pad == 6 ? n : 2 * n, 0, 2);
    text_add(&t, "}");
    text_add(&in, "%d", groups * (1 + below(2)));
    for (int i = 0; i < n; i++) text_add(&in, ",%d", 1 + below(n == 3 ? 6 : 9));
    return (Random){text_get(&t), text_get(&in)};
}

static Op attributes(const ExplainLayer *l, AttrAny *attr) {
    static const Op ops[] = {OP_CONV, OP_MAXPOOL, OP_AVGPOOL};
    Dims kernel = {.n = l->n}, stride = kernel, dilation = kernel;
    Pads pad = {.n = l->n};
    for (int i = 0; i < l->n; i++) {
        kernel.v[i] = (int32_t)l->axis[i].kernel, stride.v[i] = (int32_t)l->axis[i].stride;
        dilation.v[i] = (int32_t)l->axis[i].dilation;
        pad.lo[i] = (int32_t)l->axis[i].lo, pad.hi[i] = (int32_t)l->axis[i].hi;
    }
    attr_defaults(ops[l->op], attr);
    if (l->op == EXPLAIN_CONV) {
        attr->CONV.kernel = kernel, attr->CONV.stride = stride, attr->CONV.dilation = dilation, attr->CONV.pad = pad;
        attr->CONV.out = (int32_t)l->out_channels, attr->CONV.groups = (int32_t)l->groups, attr->CONV.bias = l->bias;
        attr->CONV.flip = l->flip;
    } else if (l->op == EXPLAIN_MAXPOOL) {
        attr->MAXPOOL.kernel = kernel, attr->MAXPOOL.stride = stride;
        attr->MAXPOOL.dilation = dilation, attr->MAXPOOL.pad = pad, attr->MAXPOOL.ceil = l->ceil;
    } else {
        attr->AVGPOOL.kernel = kernel, attr->AVGPOOL.stride = stride, attr->AVGPOOL.pad = pad;
        attr->AVGPOOL.dilation = dilation, attr->AVGPOOL.ceil = l->ceil;
        attr->AVGPOOL.count_pad = l->count_pad;
    }
    return ops[l->op];
}

/* The layer as a network of one node; NULL when the graph refuses it. */
static Node *build(Graph *g, const ExplainLayer *l, Diag *d) {
    static const char *const letters[] = {"ncw", "nchw", "ncdhw"};
    int64_t extent[2 + EXPLAIN_AXES] = {1, l->in_channels};
    SrcLoc here = {"test", 1};
    AttrAny attr;
    Type type;
    for (int i = 0; i < l->n; i++) extent[2 + i] = l->axis[i].in;
    assert_true(type_make(&type, letters[l->n - 1], extent, d));
    Node *x = graph_input(g, "x", here, &type, d);
    Op op = attributes(l, &attr);
    return graph_op_with_params(g, op, "y", here, &x, 1, &attr, d);
}

/* Small integers: sums are exact. */
static void fill(Arena *a, const Graph *g, RefTensor **value, double **plain) {
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (!(op_table[n->op].flags & OPF_SOURCE)) continue;
        int64_t size = type_elements(&n->type);
        float *v = ARENA_ARRAY(a, float, size);
        plain[i] = ARENA_ARRAY(a, double, size);
        for (int64_t k = 0; k < size; k++) plain[i][k] = v[k] = (float)(below(9) - 4);
        value[i] = ref_from_f32(a, &n->type, v);
    }
}

static void check_against(Arena *a, const Random *r, const ExplainLayer *l, Graph *g, Node *y) {
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    double **plain = ARENA_ARRAY(a, double *, g->n_node);
    int64_t params = 0;
    Diag d = {0};
    for (int i = 0; i < g->n_node; i++) params += g->node[i]->op == OP_WEIGHT ? type_elements(&g->node[i]->type) : 0;
    if (params != l->params) fail_msg("%s: %lld parameters", r->text, (long long)params);
    if (y->op == OP_CONV) {
        const Type *w = &y->in[1]->type;
        assert_int_equal(l->macs, type_elements(&y->type) * (type_elements(w) / type_extent(w, 'o')));
    }
    if (type_elements(&y->type) != l->outputs || type_extent(&y->type, 'c') != l->out_channels)
        fail_msg("%s for %s: %lld outputs", r->text, r->input, (long long)type_elements(&y->type));
    for (int i = 0; i < l->n; i++) assert_int_equal(y->type.axis[2 + i].extent, l->axis[i].out);
    fill(a, g, value, plain);
    assert_true(reference_eval(a, g, value, y, false, &d));
    for (int64_t i = 0; i < l->outputs; i++) {
        int64_t pixel[1 + EXPLAIN_AXES];
        explain_pixel(l, i, pixel);
        double v = explain_value(l, pixel, plain[y->in[0]->id], y->n_in > 1 ? plain[y->in[1]->id] : NULL,
                                 y->n_in > 2 ? plain[y->in[2]->id] : NULL);
        double want = value[y->id]->v[i]; /* NaN: the mean of nothing */
        if (v != want && !(isnan(v) && isnan(want)))
            fail_msg("%s for %s: output %lld is %g, not %g", r->text, r->input, (long long)i, v, want);
    }
}

/* hits, nonzero and shared by going over all terms. */
static void check_counts(Arena *a, const Random *r, const ExplainLayer *l) {
    bool *used = ARENA_ARRAY(a, bool, l->out_channels * l->taps);
    int64_t nonzero = 0, shared = 0;
    for (int64_t i = 0; i < l->outputs; i++) {
        int64_t pixel[1 + EXPLAIN_AXES];
        explain_pixel(l, i, pixel);
        for (int64_t t = 0; t < l->taps; t++) {
            ExplainTap tap = explain_tap(l, pixel, t);
            assert_true(tap.padding || (tap.x >= 0 && tap.x < l->inputs));
            if (tap.padding) continue;
            nonzero++;
            shared += !used[tap.w];
            used[tap.w] = true;
        }
    }
    if (nonzero != l->nonzero) fail_msg("%s for %s: %lld not zero", r->text, r->input, (long long)nonzero);
    if (l->op == EXPLAIN_CONV && shared != l->shared)
        fail_msg("%s for %s: %lld shared", r->text, r->input, (long long)shared);
}

/* What the rule says, by its definition: the least padding that gives ⌈l/s⌉ windows. */
static void check_same(const ExplainLayer *l) {
    for (int i = 0; i < l->n; i++) {
        const ExplainAxis *x = &l->axis[i];
        int64_t out = (x->in + x->stride - 1) / x->stride, p = 0;
        while (explain_out(x->in, p, x->span, x->stride) < out) p++;
        assert_int_equal(x->lo + x->hi, p);
        assert_int_equal(l->pad == EXPLAIN_SAME ? x->lo : x->hi, p / 2);
        assert_int_equal(x->out, out);
    }
}

/* Whether it is a layer; a refused one the graph must refuse, too. */
static bool check_random(void) {
    Diag d = {0}, gd = {0};
    Arena *a = arena_open(&d);
    if (!a || !ARENA_TRY(a)) fail_msg("out of memory");
    Random r = random_layer(a);
    ExplainLayer l;
    bool good = explain_read(&l, r.text, r.input, &d);
    Graph *g = graph_new(a, "g");
    Node *y = l.axis[0].kernel ? build(g, &l, &gd) : NULL;
    if (good) {
        if (!y) fail_msg("%s for %s is good, but the graph says: %s", r.text, r.input, gd.text);
        check_against(a, &r, &l, g, y);
        check_counts(a, &r, &l);
        if (l.pad == EXPLAIN_SAME || l.pad == EXPLAIN_SAME_LOWER) check_same(&l);
    } else {
        if (y) fail_msg("%s for %s: %s, but the graph is content", r.text, r.input, d.text);
        if (d.kind != DIAG_USAGE || strncmp(d.text, "at column ", 10) != 0) fail_msg("%s: %s", r.text, d.text);
    }
    arena_close(a);
    return good;
}

static void test_random(void **state) {
    (void)state;
    int good = 0, refused = 0;
    for (int i = 0; i < 4000; i++)
        if (check_random()) good++;
        else refused++;
    print_message("%d layers as the graph has them, %d refused by both\n", good, refused);
    assert_true(good > 2000 && refused > 100);
}

/* ---- damage ---------------------------------------------------------------------------------------------- */

static void test_damage(void **state) {
    (void)state;
    static const char bytes[] = "{}=,\"'x0123456789-. abckpsdt\t\xc3";
    Diag d = {0};
    Arena *a = arena_open(&d);
    if (!a || !ARENA_TRY(a)) fail_msg("out of memory");
    for (int i = 0; i < 20000; i++) {
        Random r = random_layer(a);
        char *text = arena_strdup(a, r.text), *input = arena_strdup(a, r.input);
        ExplainLayer l;
        for (int k = below(4); k >= 0; k--) text[below((int)strlen(r.text))] = bytes[below((int)sizeof bytes)];
        if (below(2)) input[below((int)strlen(r.input))] = bytes[below((int)sizeof bytes)];
        Diag e = {0};
        if (explain_read(&l, text, input, &e)) continue;
        if (e.kind != DIAG_USAGE || !strstr(e.text, "at column ")) fail_msg("%s for %s: %s", text, input, e.text);
    }
    arena_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_worked),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
