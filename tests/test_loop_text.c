/* The text form of kernels: canonical text, round trips, and one message per malformed text. */
#include "tests/random_nest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static Kernel *parse(Arena *a, const char *text, Diag *d) {
    Lexer l;
    lex_open(&l, a, "t.k", text, d);
    Kernel *k = kernel_parse(&l);
    if (k && l.kind != TOK_END) lex_fail(&l, "trailing text");
    return l.failed ? NULL : k;
}

static const char *reprint(Arena *a, const char *text) {
    Diag d = {0};
    Kernel *k = parse(a, text, &d);
    if (!k) fail_msg("%s\n%s", d.text, text);
    return kernel_text(a, k);
}

static const char *wrap(Arena *a, const char *body) {
    return arena_printf(a,
                        "kernel k(in x : f32[c8 h9 w9], in b : f32[c8], out y : f32[c8 h9 w9])\n"
                        "table t = { 0.25, -2 }\n{\n    %s\n}\n",
                        body);
}

/* ---- canonical text ---------------------------------------------------------------------- */

static const struct {
    const char *in, *out; /* NULL: the same */
} bodies[] = {
    {"y[0, 0, 0] = 1;", NULL},
    {"for c 8 { y[c, 0, 0] += b[c]; }", NULL},
    {"par c 8{unroll h 9{vec w 9{y[c,h,w]max=x[c,h,w];}}}",
     "par c 8 { unroll h 9 { vec w 9 { y[c, h, w] max= x[c, h, w]; } } }"},
    {"for O 2 { for o 4 { y[o + O*4, 1 + 0, 3 - 2] = 0; } }", "for O 2 { for o 4 { y[4*O + o, 1, 1] = 0; } }"},
    {"for i 3 { for j 3 { y[0, j + i + j + 1, 8 - i] = 0; } }",
     "for i 3 { for j 3 { y[0, i + 2*j + 1, 8 - i] = 0; } }"},
    {"for i 3 { y[i - i, -3*i + 8, i*2 + 0] = 0; }", "for i 3 { y[0, 8 - 3*i, 2*i] = 0; }"},
    {"for i 3 { y[i, 0, 0] = index(2*i - 5) + t[1]; }", NULL},
    {"y[0, 0, 0] = 1 + 2*3 - 4/(5 + 6) - (7 - 8)*9/(2*3);", NULL},
    {"y[0, 0, 0] = ((1 + 2)) + (3 + 4) + (5*6)*7;", "y[0, 0, 0] = 1 + 2 + (3 + 4) + 5*6*7;"},
    {"y[0, 0, 0] = -1 - -0.5*-inf + nan + 1e-45 + -0;", NULL},
    {"y[0, 0, 0] = -b[1] * -(2) + neg(3);", "y[0, 0, 0] = neg(b[1])*neg(2) + neg(3);"},
    {"y[0, 0, 0] = fma(b[0], b[1], max(min(1, 2), abs(sqrt(3))));", NULL},
    {"y[0, 0, 0] = exp(log(tanh(sigmoid(b[0]))));", NULL},
    {"y[0, 0, 0] = select(1 < 2, 3, 4) + select(1 <= 2, 3, 4) + select(1 == 2, 3, 4);", NULL},
    {"y[0, 0, 0] = select(1 + b[0] > 2, 3, 4) - select(1 >= 2, 3, 4);",
     "y[0, 0, 0] = select(2 < 1 + b[0], 3, 4) - select(2 <= 1, 3, 4);"},
    {"y[0, 0, 0] = max(t0, t0*0.1) with t0 = b[0] + 1;", NULL},
    {"y[0, 0, 0] = u*u + v with w = exp(b[0]), v = w*w, u = v - w;",
     "y[0, 0, 0] = t2*t2 + t1 with t0 = exp(b[0]), t1 = t0*t0, t2 = t1 - t0;"},
    {"y[0, 0, 0] = once with once = b[0] + 1;", "y[0, 0, 0] = b[0] + 1;"},
    {"y[0, 0, 0] = x + x with x = b[0];", "y[0, 0, 0] = b[0] + b[0];"}, /* a leaf is not worth a name */
    {"reg acc : f32[w14 o16] {\n        acc[0, 1] = 0;\n        y[0, 0, 0] = acc[0, 1];\n    }", NULL},
    {"scratch for : f32[] {\n        for[] = 0;\n    }", NULL}, /* no word is reserved */
    {"for i 2 {\n        for j 2 { y[i, j, 0] = 0; }\n        y[i, 2, 0] = 1;\n    }", NULL},
    {"for i 2 { y[0, 0, i] = 0; }\n    for i 3 { y[1, 0, i] = 0; }", NULL},
    {"y[0, 0, 0] = b[take(b[0], 8)];", NULL},
    {"for i 2 { y[0, 0, 0] = x[1 + take(b[i]*2, 3) - i+2, 0 , i] ; }",
     "for i 2 { y[0, 0, 0] = x[take(b[i]*2, 3) - i + 3, 0, i]; }"},
    {"for i 2 { y[0, 0, 0] = x[4 - i, take(index(i), 9), i*3 + take(t[i], 4)]; }",
     "for i 2 { y[0, 0, 0] = x[4 - i, take(index(i), 9), take(t[i], 4) + 3*i]; }"},
    {"y[0, 0, 0] = b[take(b[take(b[take(-1, 1)], 2)], 3) + 5];",
     "y[0, 0, 0] = b[take(b[take(b[take(-1, 1)], 2)], 3) + 5];"},
    {"y[0, 0, 0] = x[take(u, 8), take(u, 9), 0] + v*v with u = b[0] + 1, v = b[take(u, 3)];",
     "y[0, 0, 0] = x[take(t0, 8), take(t0, 9), 0] + t1*t1 with t0 = b[0] + 1, t1 = b[take(t0, 3)];"},
    {"for take 3 { y[0, take, 1] = b[take + 2] + b[take(index(take), 5) + take]; }", NULL}, /* no word is reserved */
};

static void test_canonical(void **state) {
    Arena *a = *state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        const char *text = reprint(a, wrap(a, bodies[i].in));
        assert_string_equal(text, wrap(a, bodies[i].out ? bodies[i].out : bodies[i].in));
        assert_string_equal(reprint(a, text), text);
    }
}

static void test_head(void **state) {
    Arena *a = *state;
    assert_string_equal(
        reprint(a, "kernel layer1.0.conv1(out y : f32[n1]) by{split w 14->wo wi ;; order O h wo;}{y[0]=1;}"),
        "kernel layer1.0.conv1(out y : f32[n1])\nby { split w 14 -> wo wi; order O h wo }\n{\n    y[0] = 1;\n}\n");
    assert_string_equal(reprint(a, "kernel k(out y : f32[n1]) by { } { y[0] = 1; }"),
                        "kernel k(out y : f32[n1])\n{\n    y[0] = 1;\n}\n");
    /* a halo counts as memory */
    assert_string_equal(reprint(a, "kernel k(out y : f32[n1<2,3> halo -inf]) { y[5] = 1; } # ends"),
                        "kernel k(out y : f32[n6])\n{\n    y[5] = 1;\n}\n");
    const char *steps =
        "split a 2 -> b c; split d 2 -> e f; split g 2 -> h i; split j 2 -> k l; split m 2 -> n o; order a b c d e f g";
    const char *text = reprint(a, arena_printf(a, "kernel k(out y : f32[n1]) by { %s } { y[0] = 1; }", steps));
    Diag d = {0};
    assert_string_equal(parse(a, text, &d)->steps, steps);
    assert_string_equal(reprint(a, text), text);
}

/* What only a program makes: variables numbered against the nesting, nodes shared by address. */
static void test_built(void **state) {
    Arena *a = *state;
    Type type;
    assert_true(type_make(&type, "hw", (int64_t[]){4, 6}, NULL));
    Kernel *k = kernel_new(a, "built");
    int x = kernel_add_buf(k, "x", BUF_IN, &type), y = kernel_add_buf(k, "y", BUF_OUT, &type);
    int w = kernel_add_var(k, "w", 6), h = kernel_add_var(k, "h", 3);
    Affine at[] = {affine_offset(affine_var(a, h), 1), affine_var(a, w)};
    Affine sum = affine_add(a, affine_scale(a, affine_var(a, h), 2), affine_scale(a, affine_var(a, w), -3));
    const Expr *load = expr_load(k, x, at), *e = expr_call(a, FN_EXP, load, NULL, NULL, NULL);
    const Expr *value = expr_call(a, FN_ADD, expr_call(a, FN_DIV, e, load, NULL, NULL),
                                  expr_call(a, FN_MUL, e, expr_index(a, sum), NULL, NULL), NULL, NULL);
    k->body = stmt_for(k, h, MARK_PAR, stmt_for(k, w, MARK_FOR, stmt_store(k, y, at, STORE_SET, value)));
    const char *text = kernel_text(a, k);
    assert_string_equal(
        text, "kernel built(in x : f32[h4 w6], out y : f32[h4 w6])\n{\n    par h 3 { for w 6 {\n"
              "        y[h + 1, w] = t0/x[h + 1, w] + t0*index(2*h - 3*w) with t0 = exp(x[h + 1, w]);\n    } }\n}\n");
    assert_string_equal(reprint(a, text), text);
}

/* The element types of parameters. */
static void test_types(void **state) {
    Arena *a = *state;
    const char *text = "kernel k(in a : i64[n2], in b : i32[n2 c3], in c : u8[n2], in d : bool[], out y : bool[n2])\n"
                       "{\n    y[0] = d[];\n}\n";
    assert_string_equal(reprint(a, text), text);
}

static void test_random(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 500; i++) {
        Arena *a = arena_open(NULL);
        Diag d = {0};
        Kernel *k = random_nest(a, &seed);
        if (!kernel_verify(k, &d)) fail_msg("%s\n%s", d.text, kernel_text(a, k));
        const char *text = kernel_text(a, k);
        assert_string_equal(reprint(a, text), text);
        assert_string_equal(kernel_text(a, kernel_clone(a, k)), text);
        arena_close(a);
    }
}

/* Every float32 constant comes back as it was: a sample over all exponents. */
static void test_constants(void **state) {
    (void)state;
    for (uint32_t u = 1; u < 0xFFFF0000u; u += 1900037) {
        Arena *a = arena_open(NULL);
        float v, again;
        memcpy(&v, &u, sizeof v);
        Text t = {.arena = a};
        text_add_float(&t, v);
        const Expr *e = expr_parse_formula(a, text_get(&t), NULL, NULL, 0, NULL);
        assert_non_null(e);
        assert_int_equal(e->kind, EXPR_CONST);
        again = e->value;
        assert_true(isnan(v) ? isnan(again) : memcmp(&v, &again, sizeof v) == 0);
        arena_close(a);
    }
}

/* ---- messages ---------------------------------------------------------------------------- */

static const struct {
    const char *text, *message;
} wrong[] = {
    {"", "t.k:1: 'kernel' expected, 'end of text' found"},
    {"kernel 5()", "t.k:1: a name expected, '5' found"},
    {"kernel k(x : f32[n1]) {}", "t.k:1: 'in' or 'out' expected, 'x' found"},
    {"kernel k(in x : f64[n1]) {}", "t.k:1: an element type expected: f32, i64, i32, u8 or bool, 'f64' found"},
    {"kernel k(in x : f32[n1],\nin x : f32[n1]) {}", "t.k:2: there is already a buffer or table 'x'"},
    {"kernel k(in x : f32[n1] out y : f32[n1]) {}", "t.k:1: ',' expected, 'out' found"},
    {"kernel k(in x : f32[n1])\ntable x = { 1 } {}", "t.k:2: there is already a buffer or table 'x'"},
    {"kernel k(in x : f32[n1])\ntable t = { } {}", "t.k:2: a number expected, '}' found"},
    {"kernel k(in x : f32[n1])\ntable t = { 1e39 } {}", "t.k:2: 1e39 does not fit in float32"},
    {"kernel k(in x : f32[n1])\nby { split", "t.k:2: '}' expected after the steps, 'end of text' found"},
    {"kernel k(in x : f32[n1])\nby { \"a\" } {}", "t.k:2: '}' expected after the steps, 'a' found"},
    {"kernel k(in x : f32[n1])\n{\n}", "t.k:3: a statement expected, '}' found"},
    {"kernel k(out y : f32[n1])\n{ y[0] = 1;", "t.k:2: a statement expected, 'end of text' found"},
    {"kernel k(out y : f32[n1])\n{ y[0] = 1; } }", "t.k:2: trailing text"},
};

static const struct {
    const char *body, *message;
} wrong_bodies[] = {
    {"while c 3 { }", "t.k:4: a statement expected, 'while' found"},
    {"for c { y[0, 0, 0] = 1; }", "t.k:4: an integer expected, '{' found"},
    {"for c 0 { y[0, 0, 0] = 1; }", "t.k:4: 0 is not in 1 … 1073741824"},
    {"for c 2 { for c 2 { y[0, 0, 0] = 1; } }", "t.k:4: loop 'c' inside another loop 'c'"},
    {"for c 1000000000 { for d 1000000000 { y[0, 0, 0] = 1; } }", "t.k:4: more than 2^50 iterations"},
    {"reg y : f32[n1] { y[0] = 1; }", "t.k:4: there is already a buffer or table 'y'"},
    {"reg r : f32[n1] { r[0] = 1; } y[0, 0, 0] = r[0];", "t.k:4: no buffer or table 'r' here"},
    {"z[0] = 1;", "t.k:4: no buffer 'z' here"},
    {"t[0] = 1;", "t.k:4: no buffer 't' here"},
    {"y[0, 0] = 1;", "t.k:4: 'y' has 3 axes, here are 2 subscripts"},
    {"y[0, 0, 0, 0] = 1;", "t.k:4: 'y' has 3 axes, here are 4 subscripts"},
    {"y[0 0, 0] = 1;", "t.k:4: ',' expected, '0' found"},
    {"y[c, 0, 0] = 1;", "t.k:4: no loop 'c' around this statement"},
    {"for i 2 { y[i*i, 0, 0] = 1; }", "t.k:4: an integer expected, 'i' found"},
    {"for i 2 { y[0, i - -1, 0] = 1; }", "t.k:4: a loop name expected, '-' found"},
    {"for i 2 { y[2.5*i, 0, 0] = 1; }", "t.k:4: a loop name expected, '2.5' found"},
    {"for i 2 { y[1099511627777*i, 0, 0] = 1; }", "t.k:4: 1099511627777 is not in 0 … 1099511627776"},
    {"for i 2 { y[1099511627776*i + 1099511627776*i, 0, 0] = 1; }",
     "t.k:4: the numbers of this subscript are too large"},
    {"for i 1000000 { y[1099511627776*i, 0, 0] = 1; }", "t.k:4: the numbers of this subscript are too large"},
    {"y[9999999999999999999, 0, 0] = 1;", "t.k:4: number too long"},
    {"y[0, 0, 0] -= 1;", "t.k:4: =, += or max= expected, '-' found"},
    {"y[0, 0, 0] max 1;", "t.k:4: =, += or max= expected, '1' found"},
    {"y[0, 0, 0] = ;", "t.k:4: an expression expected, ';' found"},
    {"y[0, 0, 0] = 1", "t.k:5: ';' expected, '}' found"},
    {"y[0, 0, 0] = (1 + 2;", "t.k:4: ')' expected, ';' found"},
    {"y[0, 0, 0] = 1 +;", "t.k:4: an expression expected, ';' found"},
    {"y[0, 0, 0] = b;", "t.k:4: 'b' is not defined (a loop variable as a value is index(b))"},
    {"y[0, 0, 0] = sin(1);", "t.k:4: no function 'sin'"},
    {"y[0, 0, 0] = max(1);", "t.k:4: ',' expected, ')' found"},
    {"y[0, 0, 0] = exp(1, 2);", "t.k:4: ')' expected, ',' found"},
    {"y[0, 0, 0] = select(1, 2, 3);", "t.k:4: <, <=, ==, > or >= expected, ',' found"},
    {"y[0, 0, 0] = index(1.5);", "t.k:4: a loop name expected, '1.5' found"},
    {"y[0, 0, 0] = t[0, 0];", "t.k:4: 't' has 1 axes, here are 2 subscripts"},
    {"y[0, 0, 0] = 1e99;", "t.k:4: 1e99 does not fit in float32"},
    {"y[0, 0, 0] = u with u = v, v = 1;", "t.k:4: 'v' is not defined (a loop variable as a value is index(v))"},
    {"y[0, 0, 0] = u with u = 1, u = 2;", "t.k:4: 'u' is bound twice"},
    {"y[0, 0, 0] = u with inf = 1;", "t.k:4: 'inf' is a constant"},
    {"y[0, 0, 0] = 1 2 with u = 1;", "t.k:4: 'with' expected, '2' found"},
    {"y[take(b[0], 8), 0, 0] = 1;", "t.k:4: take(…) stands in the subscripts of loads from buffers only"},
    {"y[0, 0, 0] = t[take(b[0], 2)];", "t.k:4: take(…) stands in the subscripts of loads from buffers only"},
    {"y[0, 0, 0] = index(take(b[0], 2));", "t.k:4: take(…) stands in the subscripts of loads from buffers only"},
    {"y[0, 0, 0] = b[take(b[0], 2) + take(b[1], 2)];", "t.k:4: a subscript has one take(…), which is added"},
    {"y[0, 0, 0] = b[4 - take(b[0], 2)];", "t.k:4: a subscript has one take(…), which is added"},
    {"y[0, 0, 0] = b[2*take(b[0], 2)];", "t.k:4: no loop 'take' around this statement"},
    {"y[0, 0, 0] = b[take(b[0])];", "t.k:4: ',' expected, ')' found"},
    {"y[0, 0, 0] = b[take(b[0], 0)];", "t.k:4: 0 is not in 1 … 16777216"},
    {"y[0, 0, 0] = b[take(b[0], 16777217)];", "t.k:4: 16777217 is not in 1 … 16777216"},
    {"y[0, 0, 0] = b[take(0 0, 2)];", "t.k:4: ',' expected, '0' found"},
    {"y[0, 0, 0] = $;", "t.k:4: an expression expected, '$' found"},
};

static void check_message(Arena *a, const char *text, const char *message) {
    Diag d = {0};
    assert_null(parse(a, text, &d));
    assert_int_equal(d.kind, DIAG_SPEC);
    assert_string_equal(d.text, message);
}

static void test_malformed(void **state) {
    Arena *a = *state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) check_message(a, wrong[i].text, wrong[i].message);
    for (size_t i = 0; i < COUNT_OF(wrong_bodies); i++)
        check_message(a, wrap(a, wrong_bodies[i].body), wrong_bodies[i].message);
}

/* '%' in the piece becomes its number. */
static const char *repeat(Arena *a, const char *piece, int n) {
    Text t = {.arena = a};
    int head = (int)strcspn(piece, "%");
    for (int i = 0; i < n; i++) {
        if (piece[head]) text_add(&t, "%.*s%d%s", head, piece, i, piece + head + 1);
        else text_add(&t, "%s", piece);
    }
    return text_get(&t);
}

/* Text that would overflow the stack, here or in a later pass. */
static void test_deep(void **state) {
    Arena *a = *state;
    const char *deep = "t.k:4: the expression is more than 200 deep";
    static const char *const opening[] = {"(", "-", "neg(", "max(1, ", "1 + (", "select(1 < ", "b[take("};
    for (size_t i = 0; i < COUNT_OF(opening); i++)
        check_message(a, wrap(a, arena_printf(a, "y[0, 0, 0] = %s", repeat(a, opening[i], 100000))), deep);
    check_message(a, wrap(a, arena_printf(a, "y[0, 0, 0] = 1%s;", repeat(a, " + 1", 100000))), deep);
    Text chain = {.arena = a};
    for (int i = 0; i < 300; i++) text_add(&chain, ", u%d = u%d + u%d", i + 1, i, i);
    check_message(a, wrap(a, arena_printf(a, "y[0, 0, 0] = u300 with u0 = b[0]%s;", text_get(&chain))), deep);
    check_message(a, wrap(a, repeat(a, "for i% 1 { ", 100000)), "t.k:4: statements are nested more than 64 deep");
    check_message(a, wrap(a, repeat(a, "reg r% : f32[] { ", 1000)), "t.k:4: statements are nested more than 64 deep");
    /* what is allowed does round-trip */
    const char *text = wrap(a, arena_printf(a, "y[0, 0, 0] = 1%s;", repeat(a, " + b[1]", 199)));
    assert_string_equal(reprint(a, reprint(a, text)), reprint(a, text));
    text = wrap(a, arena_printf(a, "y[0, 0, 0] = %s1%s;", repeat(a, "neg(", 199), repeat(a, ")", 199)));
    assert_string_equal(reprint(a, text), reprint(a, reprint(a, text)));
    text = wrap(a, arena_printf(a, "y[0, 0, 0] = %s1%s;", repeat(a, "b[take(", 199), repeat(a, ", 8)]", 199)));
    assert_string_equal(reprint(a, text), text);
}

/* ---- formulas ---------------------------------------------------------------------------- */

static void test_formula(void **state) {
    Arena *a = *state;
    Diag d = {0};
    const char *const names[] = {"x", "alpha"};
    const Expr *leaf[] = {expr_const(a, 2), expr_const(a, 3)};
    const Expr *e = expr_parse_formula(a, "select(x < 0, alpha*x, x)", names, leaf, 2, &d);
    assert_non_null(e);
    assert_int_equal(e->fn, FN_LT);
    assert_ptr_equal(e->arg[0], leaf[0]);
    assert_int_equal(e->arg[2]->fn, FN_MUL);
    assert_ptr_equal(e->arg[2]->arg[0], leaf[1]);
    static const struct {
        const char *text, *message;
    } bad[] = {{"x + y", "formula:1: 'y' is not defined"},
               {"x 2", "formula:1: the end expected, '2' found"},
               {"x[0]", "formula:1: no buffer or table 'x' here"},
               {"index(x)", "formula:1: no function 'index'"},
               {"", "formula:1: an expression expected, 'end of text' found"}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        d = (Diag){0};
        assert_null(expr_parse_formula(a, bad[i].text, names, leaf, 2, &d));
        assert_string_equal(d.text, bad[i].message);
    }
}

static int open_arena(void **state) {
    *state = arena_open(NULL);
    return *state == NULL;
}

static int close_arena(void **state) {
    arena_close(*state);
    return mem_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical), cmocka_unit_test(test_head),      cmocka_unit_test(test_built),
        cmocka_unit_test(test_random),    cmocka_unit_test(test_constants), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_deep),      cmocka_unit_test(test_formula),   cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
