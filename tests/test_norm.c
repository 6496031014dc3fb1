/* Norms, reductions and products of matrices: known answers, and the messages of those that do not fit. */
#include "runtime/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static Graph *parse(Arena *a, const char *body, Diag *d) {
    Lexer l;
    lex_open(&l, a, "t.g", arena_printf(a, "graph t {\n%s\nreturn y = y }", body), d);
    return graph_parse(&l);
}

/* One graph text, values for its inputs and weights in order, the value of its output. */
typedef struct Known {
    const char *text;
    double in[5][16];
    double out[16];
} Known;

#define X6 "x: input() : f32[n1 c2 w3] "
static const Known known[] = {
    {X6 "y: reducesum(x) axes=[-1] keep=0 : f32[n1 c2]", {{1, 2, 3, 4, 5, 6}}, {6, 15}},
    {X6 "y: reducesum(x) axes=[1] : f32[n1 c1 w3]", {{1, 2, 3, 4, 5, 6}}, {5, 7, 9}},
    {X6 "y: reducesum(x) keep=0 : f32[]", {{1, 2, 3, 4, 5, 6}}, {21}},
    {X6 "y: reducemean(x) axes=[0 2] : f32[n1 c2 w1]", {{1, 2, 3, 4, 5, 9}}, {2, 6}},
    {X6 "y: reducemax(x) axes=[1 2] keep=0 : f32[n1]", {{-1, -2, -3, -4, -5, -0.5}}, {-0.5}},
    {X6 "y: reducemin(x) axes=[2] : f32[n1 c2 w1]", {{1, 2, 3, 4, 5, -6}}, {1, -6}},
    {X6 "y: reduceprod(x) axes=[1] keep=0 : f32[n1 c3]", {{1, 2, 3, 4, 5, -6}}, {4, 10, -18}},
    {X6 "y: reducel1(x) axes=[2] : f32[n1 c2 w1]", {{1, -2, 3, 4, 5, -6}}, {6, 15}},
    {X6 "y: reducel2(x) axes=[2] : f32[n1 c2 w1]", {{2, -3, 6, 1, 2, -2}}, {7, 3}},
    {X6 "y: reducesumsquare(x) axes=[2] : f32[n1 c2 w1]", {{2, -3, 6, 1, 2, -2}}, {49, 9}},
    {X6 "y: reducelogsum(x) axes=[2] : f32[n1 c2 w1]", {{0.25, 0.25, 0.5, 1, 1, 1}}, {0, 1.0986122886681098}},
    {X6 "y: reducelogsumexp(x) axes=[2] : f32[n1 c2 w1]",
     {{1000, 1000, -1000, -2000, -2000, -2000}},
     {1000.6931471805599, -1998.9013877113318}},
    {X6 "y: reducelogsumexp(x) axes=[2] : f32[n1 c2 w1]",
     {{-INFINITY, -INFINITY, -INFINITY, INFINITY, 1, 2}},
     {-INFINITY, INFINITY}},
    {"x: input() : f32[] y: reducesum(x) : f32[]", {{7}}, {7}},
    {X6 "y: argmax(x) axis=2 : i64[n1 c2]", {{1, 3, 3, -2, -1, -1}}, {1, 1}},
    {X6 "y: argmax(x) axis=-1 keep=1 last=1 : i64[n1 c2 w1]", {{1, 3, 3, -2, -1, -1}}, {2, 2}},
    {X6 "y: argmin(x) : i64[n1 c3]", {{1, 5, 3, 4, 5, -6}}, {0, 0, 1}},
    {X6 "y: argmin(x) last=1 : i64[n1 c3]", {{1, 5, 3, 4, 5, -6}}, {0, 1, 1}},
    {X6 "y: argmax(x) axis=2 : i64[n1 c2]", {{NAN, 1, 2, -INFINITY, -INFINITY, NAN}}, {2, 0}},
    {X6 "y: softmax(x) axis=-1 : f32[n1 c2 w3]",
     {{0, 0, 0, 1000, 1000, -INFINITY}},
     {1. / 3, 1. / 3, 1. / 3, 0.5, 0.5, 0}},
    {X6 "y: logsoftmax(x) axis=2 : f32[n1 c2 w3]",
     {{7, 7, 7, 1, 1, 1}},
     {-1.0986122886681098, -1.0986122886681098, -1.0986122886681098, -1.0986122886681098, -1.0986122886681098,
      -1.0986122886681098}},
    {"x: input() : f32[n1 c2 w4] g: weight() : f32[w4] b: weight() : f32[w4] y: layernorm(x, g, b) eps=0 : f32[n1 c2 "
     "w4]",
     {{1, 1, 3, 3, 1000, 1000, 1002, 1002}, {1, 2, 1, 2}, {0, 0, 10, 10}},
     {-1, -2, 11, 12, -1, -2, 11, 12}},
    {"x: input() : f32[n1 c2 w2] y: layernorm(x) axis=1 eps=0 affine=0 bias=0 : f32[n1 c2 w2]",
     {{1, 1, 3, 3}},
     {-1, -1, 1, 1}},
    {"x: input() : f32[n1 c2 w2] g: weight() : f32[c2] y: channelnorm(x, g) eps=0 bias=0 : f32[n1 c2 w2]",
     {{1, 4, 3, 0}, {1, 2}},
     {-1, 1, 2, -2}},
    {"x: input() : f32[n1 c2 w2] g: weight() : f32[c2] b: weight() : f32[c2] y: instancenorm(x, g, b) eps=0 affine=1 : "
     "f32[n1 c2 w2]",
     {{1, 3, 5, 3}, {1, 2}, {0, 10}},
     {-1, 1, 12, 8}},
    {"x: input() : f32[n1 c4 w1] y: groupnorm(x) groups=2 eps=0 affine=0 : f32[n1 c4 w1]",
     {{1, 3, 10, 6}},
     {-1, 1, 1, -1}},
    {"x: input() : f32[n2 c1 w2] y: mvn(x) eps=0 : f32[n2 c1 w2]", {{1, 3, 3, 1}}, {-1, 1, 1, -1}},
    {"x: input() : f32[n1 c1 w2] y: mvn(x) eps=1 : f32[n1 c1 w2]", {{1, 3}}, {-0.5, 0.5}},
    {"x: input() : f32[n2 c2] g: weight() : f32[c2] b: weight() : f32[c2] y: batchnorm(x, g, b) eps=0 training=1 : "
     "f32[n2 c2]",
     {{1, 7, 3, 3}, {1, 2}, {0, 1}},
     {-1, 3, 1, -1}},
    {"x: input() : f32[n1 c2 w2] y: l2norm(x) : f32[n1 c2 w2]", {{3, 0, 4, 0}}, {0.6, 0, 0.8, 0}},
    {"x: input() : f32[n1 c2 w1] y: l2norm(x) eps=1 : f32[n1 c2 w1]", {{0.25, 0.5}}, {0.25, 0.5}},
    {"x: input() : f32[n1 c4 w1] y: lrn(x) size=3 alpha=3 beta=1 k=1 : f32[n1 c4 w1]",
     {{1, 1, 2, 4}},
     {1. / 3, 1. / 7, 2. / 22, 4. / 21}},
    {"x: input() : f32[n1 c3 w1] y: lrn(x) size=2 alpha=2 beta=0.5 k=3 : f32[n1 c3 w1]",
     {{1, 0, 6}},
     {0.5, 0, 6 / 6.2449979983983983}},
    {"x: input() : f32[n1 c2 w2] s: weight() : f32[c2] y: prelu(x, s) : f32[n1 c2 w2]",
     {{1, -1, -2, 2}, {0.5, 3}},
     {1, -0.5, -6, 2}},
    {"x: input() : f32[n1 c2 w2] s: weight() : f32[c1] y: prelu(x, s) shared=1 : f32[n1 c2 w2]",
     {{1, -1, -2, 2}, {2}},
     {1, -2, -4, 2}},
    {"x: input() : f32[n1 c2 w2] s: weight() : f32[c2 w1] y: slope(x, s) : f32[n1 c2 w2]",
     {{1, -1, -2, 2}, {0.5, 3}},
     {1, -0.5, -6, 2}},
    {"x: input() : f32[n2 c3] z: input() : f32[n3 c2] y: matmul(x, z) : f32[n2 c2]",
     {{1, 2, 3, 4, 5, 6}, {1, 0, 0, 1, 1, 1}},
     {4, 5, 10, 11}},
    {"x: input() : f32[n3 c2] z: input() : f32[n2 c3] y: matmul(x, z) trans_x=1 trans_y=1 : f32[n2 c2]",
     {{1, 4, 2, 5, 3, 6}, {1, 0, 1, 0, 1, 1}},
     {4, 5, 10, 11}},
    {"x: input() : f32[n2 c1 w2] z: input() : f32[n1 c2 w1] y: matmul(x, z) : f32[n2 c1 w1]",
     {{1, 2, 3, 4}, {1, 10}},
     {21, 43}},
    {"x: input() : f32[n2] z: input() : f32[n2 c3] y: matmul(x, z) : f32[n3]",
     {{1, 2}, {1, 2, 3, 4, 5, 6}},
     {9, 12, 15}},
    {"x: input() : f32[n2 c2] z: input() : f32[n2] y: matmul(x, z) : f32[n2]", {{1, 2, 3, 4}, {1, -1}}, {-1, -1}},
    {"x: input() : f32[n2] z: input() : f32[n2] y: matmul(x, z) : f32[]", {{1, 2}, {3, 4}}, {11}},
    {"x: input() : f32[n2 c1] z: input() : f32[n2 c1] c: input() : f32[n1 c2] y: gemm(x, z, c) alpha=2 beta=0.5 "
     "trans_b=1 : f32[n2 c2]",
     {{1, 2}, {3, 4}, {10, 20}},
     {11, 18, 17, 26}},
    {"x: input() : f32[n2 c1] z: input() : f32[n1 c2] c: input() : f32[n2 c1] y: gemm(x, z, c) : f32[n2 c2]",
     {{1, 2}, {3, 4}, {10, 20}},
     {13, 14, 26, 28}},
    {"z: input() : f32[n2 c2] y: panels(z) trans=1 : f32[n1 c2 w64]", {{1, 2, 3, 4}}, {1, 3}},
};

/* The parts of an output that are not listed are 0. */
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
        int64_t n = type_elements(&y->type) < 16 ? type_elements(&y->type) : 16;
        for (int64_t i = 0; i < n; i++) {
            double have = value[y->id]->v[i], want = known[k].out[i];
            bool equal = have == want || fabs(have - want) <= 1e-12 * (1 + fabs(want));
            if (!equal || !(value[y->id]->err[i] < 1))
                fail_msg("%s\n[%d]: %.17g ± %g, expected %.17g", known[k].text, (int)i, have, value[y->id]->err[i],
                         want);
        }
        arena_close(a);
    }
}

static const struct {
    const char *body, *message;
} wrong[] = {
    {X6 "y: softmax(x) axis=3 : f32[n1 c2 w3]", "t.g:2: softmax: there is no axis 3; x is f32[n1 c2 w3]"},
    {X6 "y: reducesum(x) axes=[1 -2] : f32[]", "t.g:2: reducesum: axis -2 is listed twice"},
    {X6 "y: argmax(x) axis=-4 : i64[]", "t.g:2: argmax: there is no axis -4; x is f32[n1 c2 w3]"},
    {X6 "g: weight() : f32[w2] y: layernorm(x, g) : f32[n1 c2 w3]",
     "t.g:2: layernorm: weight is f32[w2], but f32[w3] is needed; x is f32[n1 c2 w3]"},
    {"x: input() : f32[n2] y: channelnorm(x) : f32[n2]",
     "t.g:2: channelnorm: x is f32[n2], but at least 2 axes are needed"},
    {X6 "y: groupnorm(x) groups=3 : f32[n1 c2 w3]",
     "t.g:2: groupnorm: x has 2 channels, which 3 groups do not divide; x is f32[n1 c2 w3]"},
    {X6 "g: weight() : f32[c2] y: batchnorm(x, g, g) : f32[n1 c2 w3]",
     "t.g:2: batchnorm: running_mean and running_var are needed but in training mode"},
    {"x: input() : f32[n2] y: l2norm(x) : f32[n2]",
     "t.g:2: l2norm: x is f32[n2], which has no axis 1: axes must be given"},
    {"x: input() : f32[n2 c3] y: matmul(x, x) : f32[n2 c3]",
     "t.g:2: matmul: the rows of the left matrix have 3 elements, the columns of the right one 2; the inputs are "
     "f32[n2 c3] and "
     "f32[n2 c3]"},
    {"x: input() : f32[n2 c1 w1] z: input() : f32[n3 c1 w1] y: matmul(x, z) : f32[n2 c1 w1]",
     "t.g:2: matmul: the axes before the matrices do not broadcast: the inputs are f32[n2 c1 w1] and f32[n3 c1 w1]"},
    {"x: input() : f32[] y: matmul(x, x) : f32[]", "t.g:2: matmul: input 1 is f32[]: no matrix"},
    {X6 "y: gemm(x, x) : f32[n1 c1]", "t.g:2: gemm: input 1 is f32[n1 c2 w3], but two axes are needed"},
    {"x: input() : f32[n2 c2] z: input() : f32[n3] y: gemm(x, x, z) : f32[n2 c2]",
     "t.g:2: gemm: c is f32[n3], which does not broadcast to f32[n2 c2]"},
};

static void test_wrong(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT_OF(wrong); k++) {
        Diag d = {0};
        Arena *a = arena_open(&d);
        if (parse(a, wrong[k].body, &d)) fail_msg("accepted: %s", wrong[k].body);
        assert_string_equal(d.text, wrong[k].message);
        arena_close(a);
    }
}

/* A mean that is large beside the deviation costs what the mean is off by, not its square root: two passes. */
static void test_large_mean(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Diag d = {0};
    Graph *g = parse(a, "x: input() : f32[n1 c64] y: layernorm(x) affine=0 bias=0 : f32[n1 c64]", &d);
    RefTensor *value[2] = {ref_tensor_new(a, &g->node[0]->type, false)};
    for (int i = 0; i < 64; i++) value[0]->v[i] = 1000 + (i % 2 ? 0.5 : -0.5);
    assert_true(reference_eval(a, g, value, g->node[1], true, &d));
    for (int i = 0; i < 64; i++) {
        assert_true(fabs(value[1]->v[i] - (i % 2 ? 1 : -1)) < 1e-4);
        assert_true(value[1]->err[i] < 0.02);
    }
    arena_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_large_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
