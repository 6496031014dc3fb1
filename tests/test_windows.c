/* Convolutions, transposed ones and padding: what is refused, the phases of a transposed convolution by counting, and
 * the proof that strided nests write all of a result. What the ops mean is in test_ops. */
#include "ir/graph.h"
#include "ir/loop/rewrite.h"
#include "ir/ops/phase.h"
#include "ir/plan_stride.h"
#include "tests/random_nest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- refused ----------------------------------------------------------------------------------- */

static const struct {
    const char *node, *message;
} refused[] = {
    {"y: conv(x, w) out=4 kernel=3 pad=8 pad_mode=reflect",
     "conv: along h 8 elements cannot be reflected: less than the extent 8 are needed; x is f32[n1 c2 h8 w8]"},
    {"y: conv(x, w) out=4 kernel=3 pad=9 pad_mode=circular",
     "conv: along h 9 elements cannot be repeated in a circle: at most the extent 8 can; x is f32[n1 c2 h8 w8]"},
    {"y: pad(x) pads=[0 0 1 0 0 0 8 0] mode=reflect",
     "pad: along axis 2 8 elements cannot be reflected: less than the extent 8 are needed; x is f32[n1 c2 h8 w8]"},
    {"y: pad(x) pads=[0 0 -4 0 0 0 5 0] mode=circular",
     "pad: along axis 2 5 elements cannot be repeated in a circle: at most the extent 4 can; x is f32[n1 c2 h8 w8]"},
    {"y: pad(x) pads=[0 -1 0 0 0 -1 0 0]",
     "pad: along axis 1 1 and 1 elements are cropped, of 2; x is f32[n1 c2 h8 w8]"},
    {"y: pad(x) pads=[1 1]",
     "pad: pads has 2 numbers, 8 are needed: before each axis, then after each; x is f32[n1 c2 h8 w8]"},
    {"y: pad(x)", "pad: pads is not given"},
    {"y: convtranspose(x, w) out=5 kernel=3",
     "convtranspose: weight is f32[o4 c2 h3 w3], but f32[c2 o5 h3 w3] is needed (1 group); x is f32[n1 c2 h8 w8]"},
    {"y: convtranspose(x, w) out=4 kernel=3 output_pad=1",
     "convtranspose: along h output_pad 1 is not less than the stride 1 or the dilation 1; x is f32[n1 c2 h8 w8]"},
    {"y: convtranspose(x, w) out=4 kernel=3 pad=5", "convtranspose: along h nothing is left: (8 - 1) * 1 + 3 of the "
                                                    "kernel + 0 of output_pad - 5 - 5 is 0; x is f32[n1 c2 h8 w8]"},
    {"y: convtranspose(x, w) out=3 kernel=3 groups=2",
     "convtranspose: 3 output channels, which 2 groups do not divide; x is f32[n1 c2 h8 w8]"},
    {"v: weight() : f32[c2 o4 h64 w64] y: convtranspose(x, v) out=4 kernel=64 stride=1009 dilation=400",
     "convtranspose: along w a stride of 1009 with a dilation of 400 would take more than 256 loop nests in all"},
};

static void check_refused(const char *node, const char *message) {
    Diag d = {0};
    Arena *a = arena_open(&d);
    Lexer l;
    lex_open(
        &l, a, "t.g",
        arena_printf(a, "graph t { x: input() : f32[n1 c2 h8 w8] w: weight() : f32[o4 c2 h3 w3] %s : f32[n1] }", node),
        &d);
    assert_null(graph_parse(&l));
    assert_int_equal(d.kind, strstr(message, "nests") ? DIAG_UNSUPPORTED : DIAG_SPEC);
    if (!strstr(d.text, message)) fail_msg("%s\n%s\nexpected %s", node, d.text, message);
    arena_close(a);
}

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) check_refused(refused[i].node, refused[i].message);
}

/* ---- phases ------------------------------------------------------------------------------------ */

typedef struct Axis1 {
    int64_t l, k, s, d, lo, o;
} Axis1;

/* Every result stands in one phase, and meets there just the pairs (i, k) with i·s + k·d − lo = o. */
static void check_phases(const Axis1 *x) {
    static Phases p;
    static int seen[512], met[512][64];
    memset(seen, 0, sizeof seen);
    memset(met, 0, sizeof met);
    phases_make(&p, x->o, x->k, x->s, x->d, x->lo);
    assert_true(p.n > 0);
    for (const Phase *f = p.v; f < p.v + p.n; f++)
        for (int64_t j = 0; j < f->n_j; j++)
            for (int64_t q = 0; q < f->n_q; q++) {
                int64_t o = x->s * q + f->r + f->step * j;
                assert_true(o >= 0 && o < x->o);
                seen[o]++;
                for (int64_t m = 0; m < f->taps; m++) {
                    int64_t k = f->k0 + j + f->k_step * m, i = q + f->a + f->turn * j - f->i_step * m;
                    assert_true(k >= 0 && k < x->k);
                    assert_int_equal(i * x->s + k * x->d - x->lo, o);
                    met[o][k]++;
                }
            }
    for (int64_t o = 0; o < x->o; o++) {
        assert_int_equal(seen[o], 1);
        for (int64_t k = 0; k < x->k; k++) assert_int_equal(met[o][k], (o + x->lo - k * x->d) % x->s == 0);
    }
}

static void test_phases(void **state) {
    (void)state;
    uint64_t seed = 5;
    for (int n = 0; n < 20000; n++) {
        Axis1 x = {.l = random_in(&seed, 1, 9),
                   .k = random_in(&seed, 1, 12),
                   .s = random_in(&seed, 1, 12),
                   .d = random_in(&seed, 1, 9)};
        x.lo = random_in(&seed, -5, 20);
        x.o = (x.l - 1) * x.s + (x.k - 1) * x.d + 1 - x.lo + random_in(&seed, -9, 9);
        if (x.o >= 1) check_phases(&x);
    }
    Phases p;
    phases_make(&p, 568, 64, 32, 1, 0); /* of FCN-32s: all residues alike */
    assert_int_equal(p.n, 2);           /* but for the last 568 mod 32 = 24 */
    phases_make(&p, 512, 64, 32, 1, 16);
    assert_int_equal(p.n, 2);
    phases_make(&p, 512, 64, 32, 2, 16);
    assert_int_equal(p.n, 3);
}

/* ---- coverage ---------------------------------------------------------------------------------- */

static const struct {
    const char *nests;
    bool covered;
} strided[] = {
    {"for n 1 { for w 8 { y[2*w] = 0; } } for n 1 { for w 8 { y[2*w + 1] = 0; } }", true},
    {"for n 1 { for w 8 { y[2*w] = 0; } } for n 1 { for w 7 { y[2*w + 1] = 0; } }", true}, /* 0 … 14 */
    {"for n 1 { for w 8 { y[2*w] = 0; } } for n 1 { for w 6 { y[2*w + 1] = 0; } }", false},
    {"for n 1 { for w 5 { y[3*w] = 0; } } for n 1 { for w 5 { for r 2 { y[3*w + r + 1] = 0; } } }", true},
    {"for n 1 { for w 5 { y[3*w] = 0; } } for n 1 { for w 4 { for r 2 { y[3*w - r + 2] = 0; } } } for n 1 { y[13] = 0; "
     "}",
     true},
    {"for n 1 { for w 5 { y[3*w] = 0; } } for n 1 { for w 4 { for r 2 { y[3*w - r + 2] = 0; } } } for n 1 { y[14] = 0; "
     "}",
     false},
    {"for n 1 { for w 3 { for r 3 { y[5*w + 2*r] = 0; } } } for n 1 { for w 3 { for r 2 { y[5*w + 2*r + 1] = 0; } } }",
     true},
    {"for n 1 { for w 3 { for r 2 { y[5*w + 2*r] = 0; } } } for n 1 { for w 3 { for r 2 { y[5*w + 2*r + 1] = 0; } } }",
     false},
    {"for n 1 { for w 4 { y[4*w] = 0; } } for n 1 { for w 4 { y[4*w + 2] = 0; } }", false},
    {"for n 1 { for w 8 { y[2*w] += 1; } } for n 1 { for w 8 { y[2*w + 1] = 0; } }", false},
};

static void test_strided_cover(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(strided); i++) {
        Diag d = {0};
        Arena *a = arena_open(&d);
        Lexer l;
        lex_open(&l, a, "t.k", arena_printf(a, "kernel t(out y : f32[w16]) { %s }", strided[i].nests), &d);
        Kernel *k = kernel_parse(&l);
        if (!k || !kernel_verify(k, &d)) fail_msg("%s\n%s", strided[i].nests, d.text);
        AccessList list = {0};
        accesses_collect(a, k->body, -1, &list);
        Box box;
        if (strided_cover(a, k, &list, 0, &box) != strided[i].covered) fail_msg("%s", strided[i].nests);
        arena_close(a);
    }
}

/* Two axes: the rows of one phase are no rows of the other's columns. */
static void test_strided_planes(void **state) {
    (void)state;
    for (int hole = 0; hole < 5; hole++) {
        Diag d = {0};
        Arena *a = arena_open(&d);
        Lexer l;
        Text t = {.arena = a};
        text_add(&t, "kernel t(out y : f32[h8 w10]) {");
        for (int r = 0; r < 4; r++)
            if (r + 1 != hole)
                text_add(&t, "for n 1 { for h 4 { for w 5 { y[2*h + %d, 2*w + %d] = 0; } } }", r / 2, r % 2);
        text_add(&t, "}");
        lex_open(&l, a, "t.k", text_get(&t), &d);
        Kernel *k = kernel_parse(&l);
        if (!k || !kernel_verify(k, &d)) fail_msg("%s", d.text);
        AccessList list = {0};
        accesses_collect(a, k->body, -1, &list);
        Box box;
        assert_int_equal(strided_cover(a, k, &list, 0, &box), hole == 0);
        if (hole == 0) assert_true(box.lo[0] == 0 && box.hi[0] == 7 && box.lo[1] == 0 && box.hi[1] == 9);
        arena_close(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_strided_cover),
        cmocka_unit_test(test_strided_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
