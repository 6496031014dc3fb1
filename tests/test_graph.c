/* The graph level: text round trips, one message per error, copies, uses, dead nodes, the verifier. */
#include "ir/graph.h"
#include "tests/random_graph.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static Graph *parse(Arena *a, const char *text, Diag *d) {
    Lexer l;
    lex_open(&l, a, "t.g", text, d);
    Graph *g = graph_parse(&l);
    if (g && l.kind != TOK_END) lex_fail(&l, "trailing text");
    return l.failed ? NULL : g;
}

static Graph *parse_good(Arena *a, const char *text) {
    Diag d = {0};
    Graph *g = parse(a, text, &d);
    if (!g || !graph_verify(g, &d)) fail_msg("%s\n%s", d.text, text);
    return g;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Canonical texts. */
static const char *const texts[] = {
    "graph empty {\n}\n",
    "graph \"a b.\\\"c\\\\\" {\n    x: input() : f32[n1 c2]\n}\n",
    "graph lenet {\n"
    "    image: input() : f32[n1 c1 h28 w28] @ \"lenet5.lua\":2\n"
    "    conv1.weight: weight() : f32[o6 c1 h5 w5] @ \"lenet5.lua\":3\n"
    "    conv1.bias: weight() : f32[o6] @ \"lenet5.lua\":3\n"
    "    conv1: conv(image, conv1.weight, conv1.bias) out=6 kernel=[5 5] pad=[2 2 2 2] : f32[n1 c6 h28 w28] @ \"lenet5.lua\":3\n"
    "    pool: avgpool(conv1) kernel=[2 3] stride=[2 3] count_pad=0 : f32[n1 c6 h14 w9]\n"
    "    y: leakyrelu(pool) alpha=-0.1 : f32[n1 c6 h14 w9] @ \"\":7\n"
    "    return output = y, raw = conv1\n}\n",
    /* after layout: blocks, halos, relayouts; what passes make */
    "graph laid {\n"
    "    x: input() : f32[n1 c32 h9 w9]\n"
    "    w: weight() : f32[o32 c32 h3 w3]\n"
    "    s: weight() : f32[c32]\n"
    "    v: weight() : f32[c32]\n"
    "    scale: bnscale(s, v) eps=0.25 : f32[c32]\n"
    "    shift: bnshift(v, s, scale) : f32[c32]\n"
    "    rows: scalerows(w, scale) : f32[o32 c32 h3 w3]\n"
    "    packed: relayout(rows) : f32[O1 C2 h3 w3 c16 o32]\n"
    "    in: relayout(x) : f32[n1 C2 h9<1,1> w9<1,2> c16 halo -inf]\n"
    "    y: conv(in, packed, shift) out=32 kernel=[3 3] stride=[2 2] pad=[1 1 1 2] by \"split w 2 -> wo wi;\" \"\" \"order \\\"h\\\"\""
    " : f32[n1 C2 h5 w5<0,3> c16]\n"
    "    z: scaleshift(y, scale, shift) : f32[n1 c32 h5 w5]\n"
    "    return z = z\n}\n",
    "graph words {\n" /* no word is reserved */
    "    return: input() : f32[n1 c2 d3 h4 w5]\n"
    "    by: maxpool(return) kernel=[1 2 3] pad=[0 0 0 0 1 2] : f32[n1 c2 d3 h2 w2]\n"
    "    graph: concat(by, by, by) : f32[n1 c6 d3 h2 w2]\n"
    "    return return = graph\n}\n",
};

static void test_round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        Arena *a = arena_open(NULL);
        assert_string_equal(graph_text(a, parse_good(a, texts[i])), texts[i]);
        arena_close(a);
    }
}

/* Short forms and comments read as what they stand for. */
static void test_short_forms(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    const char *text = graph_text(a, parse_good(a, "graph g { # a comment\n"
                                                   "x: input() : f32[n1 c1 d9 h9 w9]\n"
                                                   "a: maxpool(x) kernel=3 stride=2 pad=1 : f32[n1 c1 d5 h5 w5]\n"
                                                   "b: maxpool(x) kernel=[3 3 3] stride=0 pad=[0 1 2] : f32[n1 c1 d3 h3 w4]\n"
                                                   "c: maxpool(x) kernel=2 pad=[1 0 0 0 1 1] dilation=1 : f32[n1 c1 d5 h5 w5] }"));
    assert_non_null(strstr(text, "a: maxpool(x) kernel=[3 3 3] stride=[2 2 2] pad=[1 1 1 1 1 1] : f32"));
    assert_non_null(strstr(text, "b: maxpool(x) kernel=[3 3 3] stride=[3 3 3] pad=[0 1 2 0 1 2] : f32"));
    assert_non_null(strstr(text, "c: maxpool(x) kernel=[2 2 2] stride=[2 2 2] pad=[1 0 0 0 1 1] : f32"));
    arena_close(a);
}

static void test_random_round_trip(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        Diag d = {0};
        uint64_t s = seed * 104729;
        Arena *a = arena_open(&d);
        Graph *g = random_graph(a, &s, &d);
        if (!g || !graph_verify(g, &d)) fail_msg("%s", d.text);
        const char *text = graph_text(a, g);
        assert_string_equal(graph_text(a, parse_good(a, text)), text);
        assert_string_equal(graph_text(a, graph_copy(a, g)), text);
        arena_close(a);
    }
}

/* ---- errors ---------------------------------------------------------------------------------- */

#define X "x: input() : f32[n1 c128 h8 w8]\n"
#define V "v: input() : f32[n1 c10]\n"
static const struct { const char *body, *message; } wrong[] = {
    /* syntax and names */
    {"x input() : f32[n1 c1]", "t.g:2: ':' expected, 'input' found"},
    {"x: inputs() : f32[n1 c1]", "t.g:2: there is no op 'inputs'; did you mean 'input'?"},
    {"x: quux() : f32[n1 c1]", "t.g:2: there is no op 'quux'"},
    {"y: relu(x) : f32[n1 c1]", "t.g:2: no node 'x' before this one"},
    {X X, "t.g:3: input: the name 'x' is taken"},
    {"w: weight() : f32[o1] @ \"a.lua\":4\nw: weight() : f32[o1]", "t.g:3: weight: the name 'w' is taken since line 4"},
    {"x: input(x) : f32[n1]", "t.g:2: no node 'x' before this one"},
    {V "x: input(v) : f32[n1]", "t.g:3: input has no inputs"},
    {V "y: add(v v) : f32[n1 c10]", "t.g:3: ',' expected, 'v' found"},
    {V "y: relu(v) : f32[n1 c10] @ 3", "t.g:3: a string expected, '3' found"},
    {V "y: relu(v) by : f32[n1 c10]", "t.g:3: a string expected, ':' found"},
    {V "return v", "t.g:4: '=' expected, '}' found"},
    {V "return a = w", "t.g:4: no node 'w'"},
    {V "return a = v, a = v", "t.g:4: there are two outputs 'a'"},
    /* attributes */
    {X "y: maxpool(x) kernal=2 : f32[n1]", "t.g:3: maxpool has no attribute 'kernal'; did you mean 'kernel'?"},
    {X "y: relu(x) size=2 : f32[n1]", "t.g:3: relu has no attribute 'size'"},
    {X "y: maxpool(x) kernel=[2 2 2 2] : f32[n1]",
     "t.g:3: maxpool: kernel: one number, or one for each spatial axis expected, 4 given"},
    {X "y: maxpool(x) kernel=[2 2 2 2 2 2 2] : f32[n1]", "t.g:3: kernel: more than 6 numbers"},
    {X "y: maxpool(x) kernel=[2 2 2] : f32[n1]",
     "t.g:3: maxpool: kernel: one number, or one for each spatial axis expected, 3 given for 2 spatial axes"},
    {X "y: maxpool(x) kernel=2 pad=[1 1 1] : f32[n1]",
     "t.g:3: maxpool: pad: one number, or one or two for each spatial axis expected, 3 given for 2 spatial axes"},
    {X "y: maxpool(x) kernel=2 pad=[] : f32[n1]",
     "t.g:3: maxpool: pad: one number, or one or two for each spatial axis expected, 0 given"},
    {X "y: maxpool(x) kernel=2.5 : f32[n1]", "t.g:3: maxpool: kernel = 2.5: an integer expected"},
    {X "y: maxpool(x) kernel=0 : f32[n1]", "t.g:3: maxpool: kernel = 0 is not in 1 … 65536"},
    {X "y: maxpool(x) kernel=2 pad=-1 : f32[n1]", "t.g:3: maxpool: pad = -1 is not in 0 … 65536"},
    {X "y: maxpool(x) stride=2 : f32[n1]", "t.g:3: maxpool: kernel is not given"},
    {X "y: avgpool(x) kernel=2 count_pad=2 : f32[n1]", "t.g:3: avgpool: count_pad = 2 is not in 0 … 1"},
    {X "y: leakyrelu(x) alpha=nan : f32[n1]", "t.g:3: leakyrelu: alpha = nan is not in -1000000 … 1000000"},
    {X "y: leakyrelu(x) alpha=[1 2] : f32[n1]", "t.g:3: leakyrelu: alpha: one number expected, 2 given"},
    /* arity */
    {X "y: conv(x) out=1 kernel=1 : f32[n1]", "t.g:3: conv: 2 or 3 inputs expected (x weight bias?), 1 given"},
    {X "y: relu(x, x) : f32[n1]", "t.g:3: relu: 1 input expected (x), 2 given"},
    {X "y: add(x) : f32[n1]", "t.g:3: add: 2 inputs expected (x y), 1 given"},
    {"y: concat() : f32[n1]", "t.g:2: concat: at least 1 input expected (x*), 0 given"},
    /* conv and dense */
    {X "w: weight() : f32[o4 c64 h1 w1]\ny: conv(x, w) out=4 kernel=1 : f32[n1]",
     "t.g:4: conv: weight has 64 input channels, x has 128 (1 group); weight is f32[o4 c64 h1 w1], x is f32[n1 c128 h8 w8]"},
    {X "w: weight() : f32[o4 c16 h1 w1]\ny: conv(x, w) out=4 kernel=1 groups=4 : f32[n1]",
     "t.g:4: conv: weight has 64 input channels, x has 128 (4 groups); weight is f32[o4 c16 h1 w1], x is f32[n1 c128 h8 w8]"},
    {X "w: weight() : f32[o4 c128 h1 w2]\ny: conv(x, w) out=4 kernel=1 : f32[n1]",
     "t.g:4: conv: weight is f32[o4 c128 h1 w2], but f32[o4 c128 h1 w1] is needed; x is f32[n1 c128 h8 w8]"},
    {X "w: weight() : f32[o4 c128 h1 w1]\ny: conv(x, w, w) out=4 kernel=1 : f32[n1]",
     "t.g:4: conv: bias is f32[o4 c128 h1 w1], but one axis of 4 is needed for f32[n1 c128 h8 w8]"},
    {X "y: conv(x, x) out=4 kernel=1 groups=3 : f32[n1]",
     "t.g:3: conv: x has 128 channels, which 3 groups do not divide; x is f32[n1 c128 h8 w8]"},
    {X "y: conv(x, x) out=3 kernel=1 groups=4 : f32[n1]",
     "t.g:3: conv: 3 output channels, which 4 groups do not divide; x is f32[n1 c128 h8 w8]"},
    {V "y: conv(v, v) out=3 kernel=1 : f32[n1]",
     "t.g:3: conv: x is f32[n1 c10], but axes n c and 1 to 3 of d h w are needed"},
    {X "w: weight() : f32[o4 c128 h5 w3]\ny: conv(x, w) out=4 kernel=[5 3] dilation=[2 1] : f32[n1]",
     "t.g:4: conv: along h the kernel spans 9 (extent 5, dilation 2), but the padded input has 8 (0 + 8 + 0); x is f32[n1 c128 h8 w8]"},
    {"x: input() : f32[n1 c1 w1000000000]\nw: weight() : f32[o4096 c1 w1]\ny: conv(x, w) out=4096 kernel=1 : f32[n1]",
     "t.g:4: conv: a tensor of more than 2^40 elements"},
    {"x: input() : f32[n1024 c1024 h1000 w1]\nw: weight() : f32[o1 c1024 h1 w1]\ny: conv(x, w) out=1 kernel=1 pad=[0 1000] stride=2000 : f32[n1]",
     "t.g:4: conv: the padded input would have more than 2^40 elements"},
    {X "y: dense(x, x) out=4 : f32[n1]", "t.g:3: dense: x is f32[n1 c128 h8 w8], but axes n c are needed: flatten it first"},
    {V "w: weight() : f32[o4 c9]\ny: dense(v, w) out=4 : f32[n1]",
     "t.g:4: dense: weight is f32[o4 c9], but f32[o4 c10] is needed; x is f32[n1 c10]"},
    {V "w: weight() : f32[o4 c10]\nb: weight() : f32[o5]\ny: dense(v, w, b) out=4 : f32[n1]",
     "t.g:5: dense: bias is f32[o5], but one axis of 4 is needed for f32[n1 c10]"},
    /* the others */
    {X "y: maxpool(x) kernel=3 dilation=2 pad=[0 0 0 5] : f32[n1]",
     "t.g:3: maxpool: along w the padding 5 is not less than the window, which spans 5; x is f32[n1 c128 h8 w8]"},
    {X "y: avgpool(x) kernel=9 : f32[n1]",
     "t.g:3: avgpool: along h the kernel spans 9 (extent 9, dilation 1), but the padded input has 8 (0 + 8 + 0); x is f32[n1 c128 h8 w8]"},
    {V "y: maxpool(v) kernel=9 : f32[n1]", "t.g:3: maxpool: x is f32[n1 c10], but axes n c and 1 to 3 of d h w are needed"},
    {V "y: globalavgpool(v) : f32[n1]", "t.g:3: globalavgpool: x is f32[n1 c10], but axes n c and 1 to 3 of d h w are needed"},
    {"w: weight() : f32[o4]\ny: flatten(w) : f32[n1]", "t.g:3: flatten: x is f32[o4], but axes n c and at most 3 of d h w are needed"},
    {"w: weight() : f32[o4]\ny: softmax(w) : f32[n1]", "t.g:3: softmax: x is f32[o4], but axes n c and at most 3 of d h w are needed"},
    {V "a: weight() : f32[c10]\nb: weight() : f32[c9]\ny: batchnorm(v, a, a, b, a) : f32[n1]",
     "t.g:5: batchnorm: running_mean is f32[c9], but one axis of 10 is needed for f32[n1 c10]"},
    {V "b: weight() : f32[c9]\ny: scaleshift(v, b, b) : f32[n1]",
     "t.g:4: scaleshift: scale is f32[c9], but one axis of 10 is needed for f32[n1 c10]"},
    {V X "y: add(v, x) : f32[n1]", "t.g:4: add: one shape is needed, but input 1 is f32[n1 c10], input 2 is f32[n1 c128 h8 w8]"},
    {X "z: input() : f32[n1 c3 h8 w7]\ny: concat(x, z) : f32[n1]",
     "t.g:4: concat: input 2 is f32[n1 c3 h8 w7], input 1 is f32[n1 c128 h8 w8]: only the channels may differ"},
    {V "w: weight() : f32[c10]\ny: bnscale(w, v) : f32[c10]", "t.g:4: bnscale: 'v' is not a constant"},
    {"w: weight() : f32[c10 w2]\ny: scalerows(w, w) : f32[c10]", "t.g:3: scalerows: weight is f32[c10 w2], but a first axis o is needed"},
    /* types that contradict */
    {X "y: relu(x) : f32[n1 c128 h8 w9]", "t.g:3: relu: axis w is 9 in the type, 8 by the inputs"},
    {X "y: relu(x) : f32[n1 C9 h8 w8 c16]", "t.g:3: relu: axis c is 144 in the type, 128 by the inputs"},
    {X "y: relu(x) : f32[n1 c128 w8 h8]", "t.g:3: relu: the type has other axes than the inputs give"},
    {"x: input() : f32[n1 z128]", "t.g:2: input: axis 'z' is none of n c o d h w"},
    {"x: input() : f32[n1 c8 C16]", "t.g:2: input: axis C stands after its inner part"},
    {"x: input() : f32[C1000000 c1000000]", "t.g:2: input: axis C has more than 2^30 elements"},
};

static void test_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        Arena *a = arena_open(NULL);
        Diag d = {0};
        Graph *g = parse(a, arena_printf(a, "graph t {\n%s\n}", wrong[i].body), &d);
        if (g) fail_msg("accepted: %s", wrong[i].body);
        assert_string_equal(d.text, wrong[i].message);
        assert_int_equal(d.kind, DIAG_SPEC);
        arena_close(a);
    }
}

/* Every prefix and every text with one byte changed is read or refused, nothing else. */
static void test_damaged_texts(void **state) {
    (void)state;
    static const char bytes[] = "\"#:@9{";
    for (size_t i = 2; i < 4; i++)
        for (size_t at = 0; at < strlen(texts[i]); at++)
            for (size_t b = 0; b < sizeof bytes; b++) { /* the '\0' cuts it off */
                Arena *a = arena_open(NULL);
                Diag d = {0};
                char *text = arena_strdup(a, texts[i]);
                text[at] = bytes[b];
                Graph *g = parse(a, text, &d);
                assert_true(g ? graph_verify(g, &d) : d.kind == DIAG_SPEC);
                arena_close(a);
            }
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
    assert_string_equal(graph_text(a, g),
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
                        "    conv: conv(batchnorm, conv.weight) out=4 kernel=[3 1] groups=2 bias=0 : f32[n1 c4 h1 w5] @ \"net.lua\":41\n"
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
    assert_string_equal(d.text, "net.lua:41: conv: along h the kernel spans 9 (extent 9, dilation 1), but the padded input has 5 "
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
    static const char *const good[] = {"a", "_", "layer1.0.conv1", "A_b.c9"}, *const bad[] = {"", "1a", "a..b", "a.", ".a", "a b", "é"};
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
    assert_int_equal(op_table[OP_BATCHNORM].min_in, 5);
    assert_int_equal(op_table[OP_INPUT].max_in, 0);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static void test_insert_and_replace(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    Graph *g = parse_good(a, "graph g {\n x: input() : f32[n1 c4 w3] @ \"n.lua\":1\n y: relu(x) : f32[n1 c4 w3] @ \"n.lua\":2\n"
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
    Graph *g = parse_good(a, "graph g { x: input() : f32[n1 c4] w: weight() : f32[o2 c4] v: weight() : f32[o2 c4]\n"
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

static void test_copy(void **state) {
    (void)state;
    Arena *a = arena_open(NULL), *b = arena_open(NULL);
    Graph *g = parse_good(a, texts[3]);
    Graph *copy = graph_copy(b, g);
    for (int i = 0; i < g->n_node; i++) {
        assert_ptr_equal(copy->node[i]->origin, g->node[i]);
        assert_ptr_not_equal(copy->node[i]->name, g->node[i]->name);
    }
    assert_true(graph_is_constant(graph_find(copy, "packed")));
    assert_false(graph_is_constant(graph_find(copy, "in")));
    assert_false(graph_is_constant(graph_find(copy, "y")));
    arena_close(a); /* the copy stands alone */
    assert_string_equal(graph_text(b, copy), texts[3]);
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

static const struct { void (*how)(Graph *); const char *message; } broken[] = {
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
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_short_forms),
        cmocka_unit_test(test_random_round_trip),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_damaged_texts),
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
