/* The graph level: building nodes, parameters and names, what passes do to a graph, the verifier. */
#include "ir/graph.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static Graph *parse_good(Arena *a, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "t.g", text, &d);
    Graph *g = graph_parse(&l);
    if (!g || !graph_verify(g, &d)) fail_msg("%s\n%s", d.text, text);
    return g;
}

/* ---- building -------------------------------------------------------------------------------- */

static const SrcLoc here = {"net.lua", 41};

static Graph *small_graph(Arena *a, Node **x) {
    Type type;
    Graph *g = graph_new(a, "g");
    assert_true(type_make(&type, "nchw", (int64_t[]){1, 6, 5, 5}, NULL));
    *x = graph_input(g, "x", here, &type, NULL);
    assert_non_null(*x);
    return g;
}

static void test_params(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Diag d = {0};
    Node *x;
    Graph *g = small_graph(a, &x);
    AttrAny attr;
    attr_defaults(OP_CONV, &attr);
    attr.CONV.out = 4;
    attr.CONV.groups = 2;
    attr.CONV.kernel = (Dims){2, {3, 1}};
    Node *c = graph_op_with_params(g, OP_CONV, "l.0", here, &x, 1, &attr, &d);
    Node *bn = graph_op_with_params(g, OP_BATCHNORM, NULL, here, &c, 1, NULL, &d);
    attr.CONV.bias = 0;
    Node *plain = graph_op_with_params(g, OP_CONV, NULL, here, &bn, 1, &attr, &d);
    Node *relu = graph_op_with_params(g, OP_RELU, NULL, here, &plain, 1, NULL, &d);
    assert_true(c && bn && plain && relu && graph_verify(g, &d));
    assert_string_equal(
        graph_text(a, g),
        "graph g {\n"
        "    x: input() : f32[n1 c6 h5 w5] @ \"net.lua\":41\n"
        "    l.0.weight: weight() : f32[o4 c3 h3 w1] @ \"net.lua\":41\n"
        "    l.0.bias: weight() : f32[o4] @ \"net.lua\":41\n"
        "    l.0: conv(x, l.0.weight, l.0.bias) out=4 kernel=[3 1] groups=2 : f32[n1 c4 h3 w5] @ \"net.lua\":41\n"
        "    batchnorm.weight: weight() : f32[c4] @ \"net.lua\":41\n"
        "    batchnorm.bias: weight() : f32[c4] @ \"net.lua\":41\n"
        "    batchnorm.running_mean: weight() : f32[c4] @ \"net.lua\":41\n"
        "    batchnorm.running_var: weight() : f32[c4] @ \"net.lua\":41\n"
        "    batchnorm: batchnorm(l.0, batchnorm.weight, batchnorm.bias, batchnorm.running_mean, batchnorm.running_var)"
        " : f32[n1 c4 h3 w5] @ \"net.lua\":41\n"
        "    conv.weight: weight() : f32[o4 c2 h3 w1] @ \"net.lua\":41\n"
        "    conv: conv(batchnorm, conv.weight) out=4 kernel=[3 1] groups=2 bias=0 : f32[n1 c4 h1 w5] @ "
        "\"net.lua\":41\n"
        "    relu: relu(conv) : f32[n1 c4 h1 w5] @ \"net.lua\":41\n}\n");
    arena_close(a);
}

/* A failure leaves the graph as it was. */
static void test_failure_leaves_no_trace(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Node *x;
    Graph *g = small_graph(a, &x);
    AttrAny attr;
    attr_defaults(OP_CONV, &attr);
    attr.CONV.out = 4;
    attr.CONV.kernel = (Dims){1, {9}};
    Diag d = {0};
    assert_null(graph_op_with_params(g, OP_CONV, "c", here, &x, 1, &attr, &d));
    assert_string_equal(
        d.text, "net.lua:41: conv: along h the kernel spans 9 (extent 9, dilation 1), but the padded input has 5 "
                "(0 + 5 + 0); x is f32[n1 c6 h5 w5]");
    attr.CONV.out = 0;
    d = (Diag){0};
    assert_null(graph_op_with_params(g, OP_CONV, "c", here, &x, 1, &attr, &d));
    assert_string_equal(d.text, "net.lua:41: conv: out is not given");
    d = (Diag){0};
    assert_null(graph_op_with_params(g, OP_CONV, "c", here, NULL, 0, &attr, &d));
    assert_string_equal(d.text, "net.lua:41: conv: 2 or 3 inputs expected (x weight bias?), 0 given");
    d = (Diag){0};
    assert_null(graph_op(g, OP_RELU, "a-b", here, &x, 1, NULL, &d));
    assert_string_equal(d.text, "net.lua:41: relu: 'a-b' is not a name");
    d = (Diag){0};
    assert_null(graph_op(g, OP_RELU, "x", (SrcLoc){NULL, 0}, &x, 1, NULL, &d));
    assert_string_equal(d.text, "relu: the name 'x' is taken since line 41");
    assert_null(graph_op(g, OP_RELU, "x", here, &x, 1, NULL, NULL)); /* d may be NULL */
    assert_int_equal(g->n_node, 1);
    assert_null(graph_find(g, "c.weight"));
    attr.CONV.out = 1;
    attr.CONV.kernel.v[0] = 1;
    assert_non_null(graph_op_with_params(g, OP_CONV, "c", here, &x, 1, &attr, NULL));
    arena_close(a);
}

static void test_names(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Node *x;
    Graph *g = small_graph(a, &x);
    static const char *const good[] = {"a", "_", "layer1.0.conv1", "A_b.c9"}, *const bad[] = {"",   "1a",  "a..b", "a.",
                                                                                              ".a", "a b", "é"};
    for (size_t i = 0; i < COUNT_OF(good); i++) assert_true(graph_is_name(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(graph_is_name(bad[i]));
    for (int i = 1; i <= 2000; i++) { /* and the table of names grows */
        Node *n = graph_op(g, OP_RELU, NULL, here, &x, 1, NULL, NULL);
        assert_string_equal(n->name, i == 1 ? "relu" : arena_printf(a, "relu_%d", i));
    }
    assert_string_equal(graph_fresh_name(g, "tanh"), "tanh");
    assert_true(graph_find(g, "relu_1234")->id == 1234);
    assert_null(graph_find(g, "relu_2001"));
    Diag d = {0};
    assert_false(graph_output(g, "a b", x, &d));
    assert_string_equal(d.text, "output 'a b' is not a name");
    assert_true(graph_verify(g, NULL));
    arena_close(a);
}

static void test_attr_set(void **state) {
    (void)state;
    AttrAny attr;
    attr_defaults(OP_LEAKYRELU, &attr);
    assert_true(attr.LEAKYRELU.alpha == 0.01f);
    assert_true(attr_set(OP_LEAKYRELU, &op_table[OP_LEAKYRELU].attr[0], &attr, (double[]){0.5}, 1, NULL));
    assert_true(attr.LEAKYRELU.alpha == 0.5f);
    for (int op = 0; op < OP_COUNT; op++) {
        assert_int_equal(op_find(op_table[op].name), op);
        int last = 0;
        for (int i = 0; i < op_table[op].n_attr; i++) { /* places run 1, 2 … without a gap */
            int p = op_table[op].attr[i].position;
            assert_true(p == 0 || p == ++last);
        }
    }
    assert_int_equal(op_find("nothing"), -1);
    assert_int_equal(op_table[OP_CONV].min_in, 2);
    assert_int_equal(op_table[OP_CONV].max_in, 3);
    assert_int_equal(op_table[OP_CONCAT].min_in, 1);
    assert_int_equal(op_table[OP_CONCAT].max_in, INT_MAX);
    assert_int_equal(op_table[OP_BATCHNORM].min_in, 3); /* training has no stored statistics */
    assert_int_equal(op_table[OP_INPUT].max_in, 0);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static void test_insert_and_replace(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Graph *g = parse_good(
        a, "graph g {\n x: input() : f32[n1 c4 w3] @ \"n.lua\":1\n y: relu(x) : f32[n1 c4 w3] @ \"n.lua\":2\n"
           " z: add(x, y) : f32[n1 c4 w3]\n return o = z, p = x }");
    Node *x = graph_find(g, "x"), *y = graph_find(g, "y");
    assert_int_equal(graph_count_uses(g, x), 3);
    Node *r = graph_insert(g, y, OP_RELAYOUT, "y", &x, 1, NULL);
    graph_replace_uses(g, x, r, r);
    assert_int_equal(graph_count_uses(g, x), 1);
    assert_int_equal(graph_count_uses(g, r), 3);
    Node *t = graph_insert(g, NULL, OP_TANH, "t", &r, 1, NULL);
    assert_int_equal(t->id, 4);
    assert_string_equal(graph_text(a, g), "graph g {\n"
                                          "    x: input() : f32[n1 c4 w3] @ \"n.lua\":1\n"
                                          "    y_2: relayout(x) : f32[n1 c4 w3] @ \"n.lua\":2\n"
                                          "    y: relu(y_2) : f32[n1 c4 w3] @ \"n.lua\":2\n"
                                          "    z: add(y_2, y) : f32[n1 c4 w3]\n"
                                          "    t: tanh(y_2) : f32[n1 c4 w3]\n"
                                          "    return o = z, p = y_2\n}\n");
    assert_true(graph_verify(g, NULL));
    graph_remove_dead(g);
    assert_null(graph_find(g, "t"));
    assert_int_equal(g->n_node, 4);
    assert_true(graph_verify(g, NULL));
    arena_close(a);
}

static void test_remove_dead(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Graph *g = parse_good(
        a, "graph g { x: input() : f32[n1 c4] w: weight() : f32[o2 c4] v: weight() : f32[o2 c4]\n"
           "unused: input() : f32[n1 c1] a: dense(x, w) out=2 : f32[n1 c2] b: dense(x, v) out=2 : f32[n1 c2]\n"
           "c: relu(b) : f32[n1 c2] d: relu(a) : f32[n1 c2] return o = d }");
    graph_remove_dead(g);
    const char *left[] = {"x", "w", "unused", "a", "d"};
    assert_int_equal(g->n_node, COUNT_OF(left));
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        assert_string_equal(g->node[i]->name, left[i]);
        assert_int_equal(g->node[i]->id, i);
    }
    assert_true(graph_verify(g, NULL));
    arena_close(a);
}

/* As after layout, with a constant and an activation in other layouts. */
static const char laid[] =
    "graph laid {\n"
    "    x: input() : f32[n1 c32 w9]\n"
    "    w: weight() : f32[o32 c32 w3]\n"
    "    packed: relayout(w) : f32[O1 C2 w3 c16 o32]\n"
    "    in: relayout(x) : f32[n1 C2 w9<1,1> c16]\n"
    "    y: conv(in, packed) out=32 kernel=[3] pad=[1 1] bias=0 by \"split w 3\" : f32[n1 C2 w9 c16] @ \"n.lua\":7\n"
    "    return z = y\n}\n";

static void test_copy(void **state) {
    (void)state;
    Arena *a = arena_open(NULL), *b = arena_open(NULL);
    Graph *g = parse_good(a, laid);
    Graph *copy = graph_copy(b, g);
    for (int i = 0; i < g->n_node; i++) {
        assert_ptr_equal(copy->node[i]->origin, g->node[i]);
        assert_ptr_not_equal(copy->node[i]->name, g->node[i]->name);
    }
    assert_true(graph_is_constant(graph_find(copy, "packed")));
    assert_false(graph_is_constant(graph_find(copy, "in")));
    assert_false(graph_is_constant(graph_find(copy, "y")));
    arena_close(a); /* the copy stands alone */
    assert_string_equal(graph_text(b, copy), laid);
    assert_true(graph_verify(copy, NULL));
    arena_close(b);
}

/* ---- the verifier ---------------------------------------------------------------------------- */

static void break_order(Graph *g) { g->node[1]->in[0] = g->node[2]; }
static void break_id(Graph *g) { g->node[1]->id = 2; }
static void break_type(Graph *g) { g->node[1]->type.axis[1].extent = 5; }
static void break_halo(Graph *g) { g->node[1]->type.axis[2].lo = -1; }
static void break_name(Graph *g) { g->node[1]->name = "x"; }
static void break_arity(Graph *g) { g->node[1]->n_in = 0; }
static void break_attr(Graph *g) { g->node[2]->attr.MAXPOOL.stride.n = 1; }
static void break_output(Graph *g) { g->out[0].node = NULL; }

static const struct {
    void (*how)(Graph *);
    const char *message;
} broken[] = {
    {break_order, "graph g: node 'y' (relu): input 'z' stands after it"},
    {break_id, "graph g: node 'y' (relu): id 2 in place 1"},
    {break_type, "graph g: node 'y' (relu): axis c is 5 in the type, 4 by the inputs"},
    {break_halo, "graph g: node 'y' (relu): axis h has extent 3<-1,0>"},
    {break_name, "graph g: node 'x' (relu): two nodes have this name"},
    {break_arity, "graph g: node 'y' (relu): 0 inputs"},
    {break_attr, "graph g: node 'z' (maxpool): attributes are not in the form graph_op gives them"},
    {break_output, "graph g: output 'o' is not in the graph"},
};

static void test_verify(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        Arena *a = arena_open(NULL);
        Diag d = {0};
        Graph *g = parse_good(a, "graph g { x: input() : f32[n1 c4 h3 w3] y: relu(x) : f32[n1 c4 h3 w3]\n"
                                 "z: maxpool(y) kernel=3 : f32[n1 c4 h1 w1] return o = z }");
        broken[i].how(g);
        assert_false(graph_verify(g, &d));
        assert_string_equal(d.text, broken[i].message);
        assert_int_equal(d.kind, DIAG_INTERNAL);
        arena_close(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_failure_leaves_no_trace),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_attr_set),
        cmocka_unit_test(test_insert_and_replace),
        cmocka_unit_test(test_remove_dead),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
