/* The text form of graphs: round trips, and one message per error. */
#include "ir/graph.h"
#include "tests/random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
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
    "    conv1: conv(image, conv1.weight, conv1.bias) out=6 kernel=[5 5] pad=[2 2 2 2] : f32[n1 c6 h28 w28] @ "
    "\"lenet5.lua\":3\n"
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
    "    y: conv(in, packed, shift) out=32 kernel=[3 3] stride=[2 2] pad=[1 1 1 2] by \"split w 2 -> wo wi;\" \"\" "
    "\"order \\\"h\\\"\""
    " : f32[n1 C2 h5 w5<0,3> c16]\n"
    "    z: scaleshift(y, scale, shift) : f32[n1 c32 h5 w5]\n"
    "    return z = z\n}\n",
    "graph words {\n" /* no word is reserved */
    "    return: input() : f32[n1 c2 d3 h4 w5]\n"
    "    by: maxpool(return) kernel=[1 2 3] stride=[1 2 3] pad=[0 0 0 0 1 2] : f32[n1 c2 d3 h2 w2]\n"
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
    const char *text =
        graph_text(a, parse_good(a, "graph g { # a comment\n"
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
static const struct {
    const char *body, *message;
} wrong[] = {
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
    {X "y: maxpool(x) kernel=[1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1] : f32[n1]", "t.g:3: kernel: more than 16 numbers"},
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
     "t.g:4: conv: weight has 64 input channels, x has 128 (1 group); weight is f32[o4 c64 h1 w1], x is f32[n1 c128 h8 "
     "w8]"},
    {X "w: weight() : f32[o4 c16 h1 w1]\ny: conv(x, w) out=4 kernel=1 groups=4 : f32[n1]",
     "t.g:4: conv: weight has 64 input channels, x has 128 (4 groups); weight is f32[o4 c16 h1 w1], x is f32[n1 c128 "
     "h8 w8]"},
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
     "t.g:4: conv: along h the kernel spans 9 (extent 5, dilation 2), but the padded input has 8 (0 + 8 + 0); x is "
     "f32[n1 c128 h8 w8]"},
    {"x: input() : f32[n1 c1 w1000000000]\nw: weight() : f32[o4096 c1 w1]\ny: conv(x, w) out=4096 kernel=1 : f32[n1]",
     "t.g:4: conv: a tensor of more than 2^40 elements"},
    {"x: input() : f32[n1024 c1024 h1000 w1]\nw: weight() : f32[o1 c1024 h1 w1]\ny: conv(x, w) out=1 kernel=1 pad=[0 "
     "1000] stride=2000 : f32[n1]",
     "t.g:4: conv: the padded input would have more than 2^40 elements"},
    {X "y: dense(x, x) out=4 : f32[n1]",
     "t.g:3: dense: x is f32[n1 c128 h8 w8], but axes n c are needed: flatten it first"},
    {V "w: weight() : f32[o4 c9]\ny: dense(v, w) out=4 : f32[n1]",
     "t.g:4: dense: weight is f32[o4 c9], but f32[o4 c10] is needed; x is f32[n1 c10]"},
    {V "w: weight() : f32[o4 c10]\nb: weight() : f32[o5]\ny: dense(v, w, b) out=4 : f32[n1]",
     "t.g:5: dense: bias is f32[o5], but one axis of 4 is needed for f32[n1 c10]"},
    /* the others */
    {X "y: maxpool(x) kernel=3 dilation=2 pad=[0 0 0 5] : f32[n1]",
     "t.g:3: maxpool: along w the padding 5 is not less than the window, which spans 5; x is f32[n1 c128 h8 w8]"},
    {X "y: avgpool(x) kernel=9 : f32[n1]", "t.g:3: avgpool: along h the kernel spans 9 (extent 9, dilation 1), but the "
                                           "padded input has 8 (0 + 8 + 0); x is f32[n1 c128 h8 w8]"},
    {V "y: maxpool(v) kernel=9 : f32[n1]",
     "t.g:3: maxpool: x is f32[n1 c10], but axes n c and 1 to 3 of d h w are needed"},
    {V "y: globalavgpool(v) : f32[n1]",
     "t.g:3: globalavgpool: x is f32[n1 c10], but axes n c and 1 to 3 of d h w are needed"},
    {"w: weight() : f32[o4]\ny: flatten(w) axis=2 : f32[n1]", "t.g:3: flatten: there is no axis 2; x is f32[o4]"},
    {"w: weight() : f32[o4]\ny: softmax(w) : f32[n1]",
     "t.g:3: softmax: there is no axis 1; x is f32[o4]"},
    {V "a: weight() : f32[c10]\nb: weight() : f32[c9]\ny: batchnorm(v, a, a, b, a) : f32[n1]",
     "t.g:5: batchnorm: running_mean is f32[c9], but one axis of 10 is needed for f32[n1 c10]"},
    {V "b: weight() : f32[c9]\ny: scaleshift(v, b, b) : f32[n1]",
     "t.g:4: scaleshift: scale is f32[c9], but one axis of 10 is needed for f32[n1 c10]"},
    {V X "y: add(v, x) : f32[n1]",
     "t.g:4: add: shapes that broadcast are needed, but input 1 is f32[n1 c10], input 2 is f32[n1 c128 h8 w8]"},
    {X "z: input() : f32[n1 c3 h8 w7]\ny: concat(x, z) : f32[n1]",
     "t.g:4: concat: input 2 is f32[n1 c3 h8 w7], input 1 is f32[n1 c128 h8 w8]: only axis 1 may differ"},
    {V "w: weight() : f32[c10]\ny: bnscale(w, v) : f32[c10]", "t.g:4: bnscale: 'v' is not a constant"},
    {"w: weight() : f32[c10 w2]\ny: scalerows(w, w) : f32[c10]",
     "t.g:3: scalerows: weight is f32[c10 w2], but a first axis o is needed"},
    /* types that contradict */
    {X "y: relu(x) : f32[n1 c128 h8 w9]", "t.g:3: relu: axis w is 9 in the type, 8 by the inputs"},
    {X "y: relu(x) : f32[n1 C9 h8 w8 c16]", "t.g:3: relu: axis c is 144 in the type, 128 by the inputs"},
    {X "y: relu(x) : f32[n1 c128 w8 h8]", "t.g:3: relu: the type has other axes than the inputs give"},
    {"x: input() : f32[n1 z128]", "t.g:2: input: axis 'z' is none of n c o d h w t u v"},
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_short_forms),
        cmocka_unit_test(test_random_round_trip), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_damaged_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
