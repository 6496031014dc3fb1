/* What the ops mean: known answers, an independent evaluation of random networks from definitions,
 * in double and in float32 with sums in random order, which must stay within the error bounds. */
#include "runtime/reference.h"
#include "tests/naive_ops.h"
#include "tests/random_graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- random networks ------------------------------------------------------------------------- */

static int seen[OP_COUNT];
static double worst_ratio, mean_ratio_sum;
static int64_t ratios;

static void same(const Graph *g, const Node *n, const RefTensor *have, const RefTensor *want, bool bound) {
    for (int64_t i = 0; i < type_elements(&have->type); i++) {
        double diff = fabs(have->v[i] - want->v[i]), room = bound ? have->err[i] : 1e-12 * (1 + fabs(want->v[i]));
        if (have->v[i] == want->v[i]) diff = 0; /* also −∞ */
        if (!(diff <= room))
            fail_msg("%s[%lld]: %.17g, %.17g by definition, %g allowed\n%s", n->name, (long long)i, have->v[i],
                     want->v[i], room, graph_text(g->arena, g));
        if (!bound || room == 0) continue;
        worst_ratio = fmax(worst_ratio, diff / room);
        mean_ratio_sum += diff / room;
        ratios++;
    }
}

static RefTensor **sources(Arena *a, const Graph *g, uint64_t *seed) {
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    for (int i = 0; i < g->n_node; i++)
        if (op_table[g->node[i]->op].flags & OPF_SOURCE)
            value[i] = ref_from_f32(a, &g->node[i]->type, random_tensor(a, g->node[i], seed));
    return value;
}

static void check_network(uint64_t seed) {
    static Naive wide, narrow;
    Diag d = {0};
    Arena *a = arena_open(&d);
    Graph *g = random_graph(a, &seed, &d);
    if (!g || !graph_verify(g, &d)) fail_msg("seed %llu: %s", (unsigned long long)seed, d.text);
    RefTensor **value = sources(a, g, &seed);
    RefTensor **exact = arena_copy(a, value, sizeof *value * (size_t)g->n_node);
    RefTensor **rough = arena_copy(a, value, sizeof *value * (size_t)g->n_node);
    narrow.narrow = true;
    narrow.seed = seed;
    for (int i = 0; i < g->n_out; i++) assert_true(reference_eval(a, g, value, g->out[i].node, true, &d));
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        seen[n->op]++;
        if (op_table[n->op].flags & OPF_SOURCE) continue;
        exact[i] = naive_node(a, &wide, n, exact);
        same(g, n, value[i], exact[i], false);
        rough[i] = naive_node(a, &narrow, n, rough);
        same(g, n, value[i], rough[i], true);
    }
    arena_close(a);
}

static void test_random_networks(void **state) {
    (void)state;
    const char *runs = getenv("LUNETTE_TEST_RUNS");
    int n = runs ? atoi(runs) : 1000;
    for (int i = 0; i < n; i++) check_network((uint64_t)i * 7919 + 1);
    for (int op = 0; op < OP_COUNT; op++)
        if (!(op_table[op].flags & OPF_INTERNAL) && seen[op] == 0) fail_msg("no network had %s", op_table[op].name);
    print_message("error over bound: largest %.3f, mean %.3g\n", worst_ratio, mean_ratio_sum / (double)ratios);
    assert_true(worst_ratio > 0.05); /* a bound that is never near proves nothing */
}

/* ---- known answers --------------------------------------------------------------------------- */

/* One graph text, values for its inputs and weights in order, the value of its output. */
typedef struct Known {
    const char *text;
    double in[6][40];
    double out[40];
} Known;

static const Known known[] = {
    {"x: input() : f32[n1 c1 h4 w4] w: weight() : f32[o1 c1 h2 w2] y: conv(x, w) out=1 kernel=2 : f32[n1 c1 h3 w3]",
     {{1, 2, 3, 2, 2, 3, 2, 5, 1, 2, 2, 1, 0, 2, 1, 2}, {-1, 1, -1, 1}},
     {2, 0, 2, 2, -1, 2, 3, -1, 0}},
    {"x: input() : f32[n1 c1 w6] w: weight() : f32[o1 c1 w3] y: conv(x, w) out=1 kernel=3 : f32[n1 c1 w4]",
     {{1, 0, 2, 2, 3, 1}, {3, 2, 2}},
     {7, 8, 16, 14}},
    {"x: input() : f32[n1 c1 w6] w: weight() : f32[o1 c1 w3] b: weight() : f32[o1]"
     " y: conv(x, w, b) out=1 kernel=3 stride=2 pad=[1 0] : f32[n1 c1 w3]",
     {{1, 0, 2, 2, 3, 1}, {3, 2, 2}, {10}},
     {12, 18, 24}}, /* windows 0 1 0, 0 2 2, 2 3 1 */
    {"x: input() : f32[n1 c1 w6] w: weight() : f32[o1 c1 w3] y: conv(x, w) out=1 kernel=3 flip=1 : f32[n1 c1 w4]",
     {{1, 0, 2, 2, 3, 1}, {3, 2, 2}},
     {8, 10, 17, 13}},
    {"x: input() : f32[n1 c1 w6] w: weight() : f32[o1 c1 w3] y: conv(x, w) out=1 kernel=3 pad=1 pad_mode=reflect : f32[n1 c1 w6]",
     {{1, 0, 2, 2, 3, 1}, {3, 2, 2}},
     {2, 7, 8, 16, 14, 17}},
    {"x: input() : f32[n1 c1 w6] w: weight() : f32[o1 c1 w3] y: conv(x, w) out=1 kernel=3 pad=1 pad_mode=edge : f32[n1 c1 w6]",
     {{1, 0, 2, 2, 3, 1}, {3, 2, 2}},
     {5, 7, 8, 16, 14, 13}},
    {"x: input() : f32[n1 c1 w6] w: weight() : f32[o1 c1 w3] y: conv(x, w) out=1 kernel=3 pad=[2 0] pad_mode=circular algorithm=im2col : f32[n1 c1 w6]",
     {{1, 0, 2, 2, 3, 1}, {3, 2, 2}},
     {13, 5, 7, 8, 16, 14}},
    {"x: input() : f32[n1 c1 w6] w: weight() : f32[o1 c1 w3] y: conv(x, w) out=1 kernel=3 pad=1 pad_mode=constant pad_value=10 : f32[n1 c1 w6]",
     {{1, 0, 2, 2, 3, 1}, {3, 2, 2}},
     {32, 7, 8, 16, 14, 31}},
    {"x: input() : f32[n1 c1 w3] w: weight() : f32[c1 o1 w3] y: convtranspose(x, w) out=1 kernel=3 stride=2 : f32[n1 c1 w7]",
     {{1, 2, 3}, {1, 10, 100}},
     {1, 10, 102, 20, 203, 30, 300}},
    {"x: input() : f32[n1 c1 w3] w: weight() : f32[c1 o1 w3] y: convtranspose(x, w) out=1 kernel=3 stride=2 pad=1 output_pad=1 : f32[n1 c1 w6]",
     {{1, 2, 3}, {1, 10, 100}},
     {10, 102, 20, 203, 30, 300}},
    {"x: input() : f32[n1 c1 w3] w: weight() : f32[c1 o1 w3] y: convtranspose(x, w) out=1 kernel=3 dilation=2 : f32[n1 c1 w7]",
     {{1, 2, 3}, {1, 10, 100}},
     {1, 2, 13, 20, 130, 200, 300}},
    {"x: input() : f32[n1 c1 w3] w: weight() : f32[c1 o1 w3] y: convtranspose(x, w) out=1 kernel=3 stride=2 flip=1 : f32[n1 c1 w7]",
     {{1, 2, 3}, {1, 10, 100}},
     {100, 10, 201, 20, 302, 30, 3}},
    {"x: input() : f32[n1 c1 w1] w: weight() : f32[c1 o1 w2] b: weight() : f32[o1] y: convtranspose(x, w, b) out=1 kernel=2 pad=[-1 -2] : f32[n1 c1 w5]",
     {{1}, {1, 10}, {5}},
     {5, 6, 15, 5, 5}},
    {"x: input() : f32[n1 c2 w2] w: weight() : f32[c2 o1 w2] y: convtranspose(x, w) out=2 kernel=2 groups=2 : f32[n1 c2 w3]",
     {{1, 2, 3, 4}, {1, 10, 2, 20}},
     {1, 12, 20, 6, 68, 80}},
    {"x: input() : f32[n1 c2 w2] w: weight() : f32[c2 o2 w1] b: weight() : f32[o2] y: convtranspose(x, w, b) out=2 kernel=1 : f32[n1 c2 w2]",
     {{1, 2, 3, 4}, {1, 10, 2, 20}, {1, 2}},
     {8, 11, 72, 102}},
    {"x: input() : f32[n1 c1 h2 w2] w: weight() : f32[c1 o1 h2 w2] y: convtranspose(x, w) out=1 kernel=2 : f32[n1 c1 h3 w3]",
     {{1, 2, 3, 4}, {1, 1, 1, 1}},
     {1, 3, 2, 4, 10, 6, 3, 7, 4}},
    {"x: input() : f32[n1 c3] y: pad(x) pads=[0 1 0 -1] value=9 : f32[n1 c3]",
     {{1, 2, 3}},
     {9, 1, 2}},
    {"x: input() : f32[n2 c3] y: pad(x) pads=[1 2 0 1] mode=reflect : f32[n3 c6]",
     {{1, 2, 3, 4, 5, 6}},
     {6, 5, 4, 5, 6, 5, 3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5}},
    {"x: input() : f32[n1 c3] y: pad(x) pads=[0 2 0 1] mode=edge : f32[n1 c6]",
     {{1, 2, 3}},
     {1, 1, 1, 2, 3, 3}},
    {"x: input() : f32[n1 c3] y: pad(x) pads=[0 2 0 3] mode=circular : f32[n1 c8]",
     {{1, 2, 3}},
     {2, 3, 1, 2, 3, 1, 2, 3}},
    {"x: input() : f32[n1 c3] y: pad(x) pads=[0 -1 0 2] mode=circular : f32[n1 c4]",
     {{1, 2, 3}},
     {2, 3, 2, 3}},
    {"x: input() : f32[n1 c2 w3] y: im2col(x) kernel=2 : f32[n1 c4 w2]",
     {{1, 2, 3, 4, 5, 6}},
     {1, 2, 2, 3, 4, 5, 5, 6}},
    {"x: input() : f32[n1 c2 w3] y: im2col(x) kernel=2 flip=1 : f32[n1 c4 w2]",
     {{1, 2, 3, 4, 5, 6}},
     {2, 3, 1, 2, 5, 6, 4, 5}},
    {"w: weight() : f32[o2 c1 w2] y: kernelrows(w) : f32[o2 c2 w1]",
     {{1, 2, 3, 4}},
     {1, 2, 3, 4}},
    {"w: weight() : f32[c2 o2 w1] y: turnweight(w) : f32[o2 c2 w1]",
     {{1, 2, 3, 4}},
     {1, 3, 2, 4}},
    {"w: weight() : f32[c4 o1 w1] y: turnweight(w) groups=2 : f32[o2 c2 w1]",
     {{1, 2, 3, 4}},
     {1, 2, 3, 4}},
    {"x: input() : f32[n1 c2 w3] w: weight() : f32[o4 c1 w2] y: conv(x, w) out=4 kernel=2 dilation=2 groups=2 : f32[n1 "
     "c4 w1]",
     {{1, 2, 3, 4, 5, 6}, {1, 0, 0, 1, 1, 1, 2, 3}},
     {1, 3, 10, 26}},
    {"x: input() : f32[n1 c1 d2 h2 w2] w: weight() : f32[o1 c1 d2 h2 w2] y: conv(x, w) out=1 kernel=2 : f32[n1 c1 d1 "
     "h1 w1]",
     {{1, 2, 3, 4, 5, 6, 7, 8}, {1, -1, 1, -1, 1, -1, 1, 1}},
     {12}},
    {"x: input() : f32[n2 c3] w: weight() : f32[o2 c3] b: weight() : f32[o2] y: dense(x, w, b) out=2 : f32[n2 c2]",
     {{1, 2, 3, 4, 5, 6}, {1, 0, -1, 2, 1, 0}, {0.5, -1}},
     {-1.5, 3, -1.5, 12}},
    {"x: input() : f32[n1 c2 w2] a: weight() : f32[c2] b: weight() : f32[c2] m: weight() : f32[c2] v: weight() : "
     "f32[c2]"
     " y: batchnorm(x, a, b, m, v) eps=0 : f32[n1 c2 w2]",
     {{1, 2, 3, 4}, {2, 1}, {0, 5}, {1, 3}, {4, 0.25}},
     {0, 1, 5, 7}},
    {"x: input() : f32[n1 c1 w5] y: maxpool(x) kernel=3 stride=2 pad=1 : f32[n1 c1 w3]",
     {{-1, -5, 3, -2, -7}},
     {-1, 3, -2}},
    {"x: input() : f32[n1 c1 w5] y: maxpool(x) kernel=2 stride=1 dilation=3 : f32[n1 c1 w2]",
     {{5, 1, 2, 3, 4}},
     {5, 4}},
    {"x: input() : f32[n1 c1 w4] y: avgpool(x) kernel=3 stride=2 pad=1 : f32[n1 c1 w2]", {{3, 6, 9, 12}}, {3, 9}},
    {"x: input() : f32[n1 c1 w4] y: avgpool(x) kernel=3 stride=2 pad=1 count_pad=0 : f32[n1 c1 w2]",
     {{3, 6, 9, 12}},
     {4.5, 9}},
    {"x: input() : f32[n1 c2 h2 w2] y: globalavgpool(x) : f32[n1 c2 h1 w1]", {{1, 2, 3, 4, -1, -1, -1, -5}}, {2.5, -2}},
    {"x: input() : f32[n2 c1 w2] z: input() : f32[n2 c2 w2] y: concat(x, z, x) : f32[n2 c4 w2]",
     {{1, 2, 3, 4}, {5, 6, 7, 8, 9, 10, 11, 12}},
     {1, 2, 5, 6, 7, 8, 1, 2, 3, 4, 9, 10, 11, 12, 3, 4}},
    {"x: input() : f32[n1 c2 w2] y: flatten(x) : f32[n1 c4]", {{1, 2, 3, 4}}, {1, 2, 3, 4}},
    {"x: input() : f32[n1 c2 w2] y: softmax(x) : f32[n1 c2 w2]",
     {{1000, 0, 1000, 0.6931471805599453}},
     {0.5, 0.33333333333333331, 0.5, 0.66666666666666663}},
    {"x: input() : f32[n1 c3] y: softmax(x) : f32[n1 c3]", {{0, -1e13, -INFINITY}}, {1, 0, 0}},
    {"x: input() : f32[n1 c4] y: logsoftmax(x) : f32[n1 c4]",
     {{7, 7, 7, 7}},
     {-1.3862943611198906, -1.3862943611198906, -1.3862943611198906, -1.3862943611198906}},
    {"x: input() : f32[n1 c3] z: input() : f32[n1 c3] y: add(x, z) : f32[n1 c3]",
     {{1, 2, 3}, {0.5, -2, 4}},
     {1.5, 0, 7}},
    {"x: input() : f32[n1 c5] z: input() : f32[n1 c5] y: pow(x, z) : f32[n1 c5]",
     {{2, -2, 9, 0, -2}, {10, 3, 0.5, 2, -1}},
     {1024, -8, 3, 0, -0.5}},
    {"x: input() : f32[n1 c3] y: relu(x) : f32[n1 c3]", {{1, -2, 3}}, {1, 0, 3}},
    {"x: input() : f32[n1 c3] y: leakyrelu(x) alpha=0.25 : f32[n1 c3]", {{1, -2, 3}}, {1, -0.5, 3}},
    {"x: input() : f32[n1 c3] y: relu6(x) : f32[n1 c3]", {{1, -2, 8}}, {1, 0, 6}},
    {"x: input() : f32[n1 c3] y: tanh(x) : f32[n1 c3]", {{0, 1, -100}}, {0, 0.76159415595576485, -1}},
    {"x: input() : f32[n1 c3] y: sigmoid(x) : f32[n1 c3]", {{0, 1, -1000}}, {0.5, 0.7310585786300049, 0}},
    {"x: input() : f32[n1 c2 w2] a: weight() : f32[c2] b: weight() : f32[c2] y: scaleshift(x, a, b) : f32[n1 c2 w2]",
     {{1, 2, 3, 4}, {2, -1}, {0.5, 1}},
     {2.5, 4.5, -2, -3}},
    {"x: input() : f32[n1 c2 w2] y: relayout(x) : f32[n1 C2 w2 c1]", {{1, 2, 3, 4}}, {1, 2, 3, 4}},
    {"g: weight() : f32[c2] v: weight() : f32[c2] y: bnscale(g, v) eps=0 : f32[c2]", {{3, 8}, {9, 4}}, {1, 4}},
    {"b: weight() : f32[c2] m: weight() : f32[c2] s: weight() : f32[c2] y: bnshift(b, m, s) : f32[c2]",
     {{1, 2}, {3, 4}, {10, -1}},
     {-29, 6}},
    {"b: weight() : f32[c2] m: weight() : f32[c2] s: weight() : f32[c2] o: weight() : f32[o2] y: bnshift(b, m, s, o) : "
     "f32[c2]",
     {{1, 2}, {3, 4}, {10, -1}, {5, 6}},
     {21, 0}},
    {"w: weight() : f32[o2 c1 w2] s: weight() : f32[c2] y: scalerows(w, s) : f32[o2 c1 w2]",
     {{1, 2, 3, 4}, {2, -1}},
     {2, 4, -3, -4}},
};

static Graph *parse(Arena *a, const char *body, Diag *d) {
    Lexer l;
    lex_open(&l, a, "t.g", arena_printf(a, "graph t {\n%s\nreturn y = y }", body), d);
    return graph_parse(&l);
}

static void test_known(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT_OF(known); k++) {
        Diag d = {0};
        Arena *a = arena_open(&d);
        Graph *g = parse(a, known[k].text, &d);
        if (!g || !graph_verify(g, &d)) fail_msg("%s\n%s", d.text, known[k].text);
        RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
        for (int i = 0, source = 0; i < g->n_node; i++) {
            if (!(op_table[g->node[i]->op].flags & OPF_SOURCE)) continue;
            value[i] = ref_tensor_new(a, &g->node[i]->type, false);
            memcpy(value[i]->v, known[k].in[source++], sizeof(double) * (size_t)type_elements(&value[i]->type));
        }
        const Node *y = g->out[0].node;
        assert_true(reference_eval(a, g, value, y, true, &d));
        for (int64_t i = 0; i < type_elements(&y->type); i++) {
            double have = value[y->id]->v[i], want = known[k].out[i];
            if (!(fabs(have - want) <= 1e-12) || !(value[y->id]->err[i] < 1e-3))
                fail_msg("%s\n[%d]: %.17g ± %g, expected %.17g", known[k].text, (int)i, have, value[y->id]->err[i],
                         want);
        }
        arena_close(a);
    }
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* NaN and −0 go where max(a, b) = a > b ? a : b sends them. */
static void test_max_of_nan(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Diag d = {0};
    Graph *g =
        parse(a, "x: input() : f32[n1 c1 w4] r: relu(x) : f32[n1 c1 w4] y: maxpool(x) kernel=2 : f32[n1 c1 w2]", &d);
    RefTensor *value[3] = {ref_tensor_new(a, &g->node[0]->type, false)};
    memcpy(value[0]->v, (double[]){NAN, 2, 3, NAN}, 4 * sizeof(double));
    assert_true(reference_eval(a, g, value, g->node[1], false, &d));
    assert_true(reference_eval(a, g, value, g->node[2], false, &d));
    assert_null(value[1]->err);
    assert_true(isnan(value[1]->v[0]) && value[1]->v[1] == 2 && isnan(value[1]->v[3]));
    assert_true(value[2]->v[0] == 2 && isnan(value[2]->v[1]));
    arena_close(a);
}

/* A batch norm that became a bias may be the first summand: small products then vanish in it, one
 * after the other, and the bound of conv then batchnorm must allow for that. */
static void test_folded_bias(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Diag d = {0};
    Graph *g =
        parse(a,
              "x: input() : f32[n1 c512 w1] k: weight() : f32[o1 c512 w1] c: conv(x, k) out=1 kernel=1 : f32[n1 c1 w1]"
              " g: weight() : f32[c1] b: weight() : f32[c1] m: weight() : f32[c1] v: weight() : f32[c1]"
              " y: batchnorm(c, g, b, m, v) eps=0 : f32[n1 c1 w1]",
              &d);
    assert_non_null(g);
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    for (int i = 0; i < g->n_node; i++) {
        if (!(op_table[g->node[i]->op].flags & OPF_SOURCE)) continue;
        value[i] = ref_tensor_new(a, &g->node[i]->type, false);
        for (int64_t k = 0; k < type_elements(&g->node[i]->type); k++) value[i]->v[k] = 1;
    }
    for (int k = 0; k < 512; k++) value[0]->v[k] = 0x1p-25;
    value[graph_find(g, "m")->id]->v[0] = 0;
    const Node *y = g->out[0].node;
    assert_true(reference_eval(a, g, value, y, true, &d));
    float sum = 1;
    for (int k = 0; k < 512; k++) sum += 0x1p-25f;
    assert_true(sum == 1); /* off by 2^-16 */
    assert_true(fabs((double)sum - value[y->id]->v[0]) <= value[y->id]->err[0]);
    arena_close(a);
}

static void test_missing_value(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Diag d = {0};
    Graph *g = parse(a, "x: input() : f32[n1 c1] y: relu(x) : f32[n1 c1]", &d);
    RefTensor *value[2] = {NULL};
    assert_false(reference_eval(a, g, value, g->node[1], false, &d));
    assert_string_equal(d.text, "reference: 'x' has no value");
    arena_close(a);
}

/* Every layout of one tensor reads as the same plain one, halo left out. */
static void test_layouts(void **state) {
    (void)state;
    static const char *const layouts[] = {
        "f32[n2 c6 h3 w4]", "f32[n2 C3 h3 w4 c2]",   "f32[n2 C2 h3<1,2> w4<0,3> c3 halo -inf]",
        "f32[N2 C6 H3 W4]", "f32[w4<2,0> h3 c6 n2]",
    };
    for (size_t k = 0; k < COUNT_OF(layouts); k++) {
        Arena *a = arena_open(NULL);
        Diag d = {0};
        Type type;
        Lexer l;
        lex_open(&l, a, "t", layouts[k], &d);
        assert_true(type_parse(&l, &type));
        int64_t n = type_elements(&type), memory = type_memory_elements(&type);
        int64_t *position = ARENA_ARRAY(a, int64_t, n);
        float *data = ARENA_ARRAY(a, float, memory);
        for (int64_t i = 0; i < memory; i++) data[i] = -1;
        type_offsets(&type, position);
        for (int64_t i = 0; i < n; i++) data[position[i]] = (float)i;
        RefTensor *t = ref_from_f32(a, &type, data);
        assert_true(type_is_plain(&t->type));
        for (int64_t i = 0; i < n; i++) assert_true(t->v[i] == (double)i);
        arena_close(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),         cmocka_unit_test(test_max_of_nan), cmocka_unit_test(test_folded_bias),
        cmocka_unit_test(test_missing_value), cmocka_unit_test(test_layouts),    cmocka_unit_test(test_random_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
