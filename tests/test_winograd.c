/* Winograd's algorithm: its matrices are those of a filter, its results about as accurate as a direct convolution's in float32, its
 * bound is one, and the choice is the same for any batch. Random networks with it are in test_compiler. */
#include "frontend/model.h"
#include "ir/ops/winograd.h"
#include "runtime/reference.h"
#include "tests/random_nest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_matrices(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {2, 3}, {4, 3}, {2, 5}, {3, 2}, {5, 2}, {3, 4}};
    WinoAxis w;
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        int m = sizes[s][0], r = sizes[s][1];
        uint64_t seed = 1 + s;
        double d[WINO_MOST], g[WINO_MOST];
        assert_true(wino_axis(&w, m, r));
        assert_int_equal(w.t, m + r - 1);
        for (int i = 0; i < w.t; i++) d[i] = (double)random_float(&seed), g[i] = (double)random_float(&seed);
        for (int i = 0; i < m; i++) {
            double wanted = 0, y = 0;
            for (int k = 0; k < r; k++) wanted += g[k] * d[i + k];
            for (int j = 0; j < w.t; j++) {
                double u = 0, v = 0;
                for (int k = 0; k < r; k++) u += w.g[j][k] * g[k];
                for (int k = 0; k < w.t; k++) v += w.bt[j][k] * d[k];
                y += w.at[i][j] * u * v;
            }
            if (fabs(y - wanted) > 1e-13) fail_msg("F(%d, %d): output %d is %.17g, not %.17g", m, r, i, y, wanted);
        }
    }
    assert_false(wino_axis(&w, 4, 4));
    assert_false(wino_axis(&w, 0, 3));
}

/* ---- one layer ------------------------------------------------------------------------------------------ */

typedef struct Layer {
    int n, in, out, h, w, kh, kw, pad;
    int algorithm; /* of the node */
} Layer;

/* relu(x) → convolution */
static Graph *layer_graph(Arena *a, const void *from, const LunetteOptions *o, Diag *d) {
    const Layer *l = from;
    Graph *g = graph_new(a, "layer");
    SrcLoc loc = {"test", 1};
    Type type;
    AttrAny attr;
    (void)o;
    if (!type_make(&type, "nchw", (int64_t[]){l->n, l->in, l->h, l->w}, d)) return NULL;
    Node *x = graph_input(g, "x", loc, &type, d);
    if (!x) return NULL;
    x = graph_op(g, OP_RELU, "r", loc, &x, 1, NULL, d);
    attr_defaults(OP_CONV, &attr);
    attr.CONV.out = l->out;
    attr.CONV.kernel = (Dims){2, {l->kh, l->kw}};
    attr.CONV.pad = (Pads){.n = 2, .lo = {l->pad, l->pad}, .hi = {l->pad, l->pad}};
    attr.CONV.algorithm = l->algorithm;
    Node *y = graph_op_with_params(g, OP_CONV, "c", loc, &x, 1, &attr, d);
    return y && graph_output(g, "y", y, d) ? g : NULL;
}

static LunetteModel *layer_open(const Layer *l, LunetteAccuracy accuracy) {
    Diag d = {0};
    LunetteOptions o = {.random_weights = 1, .seed = 3, .batch = l->n, .no_cache = 1, .accuracy = accuracy};
    LunetteModel *m = model_load_from(layer_graph, l, &o, NULL, NULL, &d);
    if (!m) fail_msg("%s", d.text);
    return m;
}

typedef struct Error {
    double relative; /* L2, against double */
    double of_bound; /* the largest share */
} Error;

static Error layer_error(const Layer *l) {
    Diag d = {0};
    LunetteModel *m = layer_open(l, LUNETTE_ACCURACY_STRICT);
    if (!model_weights(m, &d) || !model_build(m, &d)) fail_msg("%s", d.text);
    Arena *a = arena_open(&d);
    const Graph *g = m->written;
    const Node *y = g->out[0].node;
    int64_t n = type_elements(&y->type);
    float *x = ARENA_ARRAY(a, float, type_elements(&m->plan->input[0].type)), *out = ARENA_ARRAY(a, float, n);
    random_input(m, 7, 0, -1, 1, x);
    model_run(m, (const void *[]){x}, (void *[]){out});
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    for (int i = 0; i < g->n_node; i++) {
        if (g->node[i]->op == OP_INPUT) value[i] = ref_from_f32(a, &g->node[i]->type, x);
        if (g->node[i]->op == OP_WEIGHT) value[i] = ref_from_f32(a, &g->node[i]->type, m->weight[i]);
    }
    if (!reference_eval(a, g, value, y, true, &d)) fail_msg("%s", d.text);
    double off = 0, size = 0;
    Error e = {0};
    for (int64_t i = 0; i < n; i++) {
        double ref = value[y->id]->v[i], by = (double)out[i] - ref, bound = value[y->id]->err[i] + 0x1p-24 * fabs(ref);
        off += by * by;
        size += ref * ref;
        if (fabs(by) > e.of_bound * bound) e.of_bound = fabs(by) / bound;
    }
    e.relative = sqrt(off / size);
    arena_close(a);
    model_close(m);
    return e;
}

/* At most 2.5 times as far from double as a direct convolution, and within its own bound. */
static void test_accuracy(void **state) {
    (void)state;
    static const Layer layers[] = {{1, 64, 64, 28, 28, 3, 3, 1, 0},
                                   {1, 256, 64, 14, 14, 3, 3, 1, 0},
                                   {1, 512, 32, 7, 7, 3, 3, 1, 0},
                                   {2, 32, 32, 23, 19, 5, 5, 2, 0},
                                   {1, 96, 96, 17, 17, 1, 3, 0, 0}};
    for (size_t i = 0; i < COUNT_OF(layers); i++) {
        Layer direct = layers[i], winograd = layers[i];
        direct.algorithm = 1;
        winograd.algorithm = CONV_WINOGRAD;
        Error d = layer_error(&direct), w = layer_error(&winograd);
        printf("%d -> %d, %dx%d at %dx%d: relative error %.2g direct, %.2g Winograd; %.2g and %.2g of the bound\n",
               direct.in, direct.out, direct.kh, direct.kw, direct.h, direct.w, d.relative, w.relative, d.of_bound,
               w.of_bound);
        assert_true(w.relative <= 2.5 * d.relative && d.of_bound <= 1 && w.of_bound <= 1);
    }
}

/* ---- the choice ----------------------------------------------------------------------------------------- */

static int chosen(const Layer *l, LunetteAccuracy accuracy) {
    LunetteModel *m = layer_open(l, accuracy);
    int algorithm = m->written->out[0].node->attr.CONV.algorithm;
    model_close(m);
    return algorithm;
}

static void test_choice(void **state) {
    (void)state;
    static const Layer pays[] = {
        {1, 64, 64, 56, 56, 3, 3, 1, 0}, {1, 512, 512, 7, 7, 3, 3, 1, 0}, {1, 64, 64, 28, 28, 5, 5, 2, 0}};
    static const Layer does_not[] = {
        {1, 3, 64, 56, 56, 3, 3, 1, 0}, {1, 64, 8, 56, 56, 3, 3, 1, 0}, {1, 64, 64, 56, 56, 1, 1, 0, 0}};
    for (size_t i = 0; i < COUNT_OF(pays); i++)
        for (int n = 1; n <= 8; n += 7) {
            Layer l = pays[i];
            l.n = n;
            assert_int_equal(chosen(&l, LUNETTE_ACCURACY_DEFAULT), CONV_WINOGRAD);
            assert_int_equal(chosen(&l, LUNETTE_ACCURACY_STRICT), 0);
        }
    for (size_t i = 0; i < COUNT_OF(does_not); i++) assert_int_equal(chosen(&does_not[i], LUNETTE_ACCURACY_DEFAULT), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrices), cmocka_unit_test(test_accuracy),
                                       cmocka_unit_test(test_choice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
