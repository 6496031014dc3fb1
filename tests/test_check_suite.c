/* The check of single layers: the definition against numbers worked out by hand, and that what is wrong is found out. */
#include "frontend/check_laws.h"
#include "frontend/check_suite.h"
#include "frontend/definition.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static Arena *arena;

static int open_arena(void **state) {
    (void)state;
    arena = arena_open(NULL);
    return !arena;
}

static int close_arena(void **state) {
    (void)state;
    arena_close(arena);
    return 0;
}

/* ---- the definition ------------------------------------------------------------------------------------------------ */

typedef struct Worked {
    LayerText text;
    float x[16], w[6];
    int n;
    float y[16];
} Worked;

#define LINE                                                                                                           \
    {1, 0, 2, 2, 3, 1}, { 3, 2, 2 }
#define PLANE                                                                                                          \
    { 1, 2, 3, 2, 2, 3, 2, 5, 1, 2, 2, 1, 0, 2, 1, 2 }
static const Worked worked[] = {
    {{"conv { 1, 3, pad = { 0, 1 }, bias = false }", "1, 6"}, LINE, 5, {7, 8, 16, 14, 11}},
    {{"conv { 1, 3, bias = false }", "1, 6"}, LINE, 4, {7, 8, 16, 14}},
    {{"conv { 1, 3, pad = 1, bias = false }", "1, 6"}, LINE, 6, {2, 7, 8, 16, 14, 11}},
    {{"conv { 1, 3, pad = { 0, 1 }, stride = 2, bias = false }", "1, 6"}, LINE, 3, {7, 16, 11}},
    {{"conv { 1, 2, dilation = 3, bias = false }", "1, 6"}, {1, 0, 2, 2, 3, 1}, {3, 2}, 3, {7, 6, 8}},
    {{"conv { 1, 2, bias = false }", "1, 4, 4"}, PLANE, {-1, 1, -1, 1}, 9, {2, 0, 2, 2, -1, 2, 3, -1, 0}},
    {{"conv { 2, 1, groups = 2, bias = false }", "2, 3"},
     {1, 2, 3, 4, 5, 6},
     {10, 100},
     6,
     {10, 20, 30, 400, 500, 600}},
    {{"conv { 4, 1, groups = 2, bias = false }", "2, 1"}, {3, 5}, {1, 2, 3, 4}, 4, {3, 6, 15, 20}},
    {{"maxpool { 2 }", "1, 4, 4"}, PLANE, {0}, 4, {3, 5, 2, 2}},
    {{"maxpool { 2, 1, pad = 1 }", "1, 3"}, {-1, -5, -2}, {0}, 4, {-1, -1, -2, -2}},
    {{"avgpool { 2 }", "1, 4, 4"}, PLANE, {0}, 4, {2, 3, 1.25f, 1.5f}},
    {{"avgpool { 2, 2, pad = 1 }", "1, 4"}, {2, 4, 6, 8}, {0}, 3, {1, 5, 4}},
    {{"avgpool { 2, 2, pad = 1, count_pad = false }", "1, 4"}, {2, 4, 6, 8}, {0}, 3, {2, 5, 8}},
};

/* These wait for the op or attribute to be there. */
static const struct {
    const char *op, *attr;
    Worked v;
} later[] = {
    {"convtranspose", NULL, {{"convtranspose { 1, 3, bias = false }", "1, 2"}, {1, 10}, {1, 2, 3}, 4, {1, 12, 23, 30}}},
    {"convtranspose",
     NULL,
     {{"convtranspose { 1, 3, stride = 2, pad = { 1, 0 }, bias = false }", "1, 2"},
      {1, 10},
      {1, 2, 3},
      4,
      {2, 13, 20, 30}}},
    {"convtranspose",
     "output_pad",
     {{"convtranspose { 1, 2, stride = 3, output_pad = 1, bias = false }", "1, 2"},
      {1, 10},
      {1, 2},
      6,
      {1, 2, 0, 10, 20, 0}}},
    {"convtranspose",
     "groups",
     {{"convtranspose { 4, 1, groups = 2, bias = false }", "2, 1"}, {3, 5}, {1, 2, 3, 4}, 4, {3, 6, 15, 20}}},
    {"avgpool", "ceil", {{"avgpool { 2, 2, ceil = true }", "1, 3"}, {2, 4, 6}, {0}, 2, {3, 6}}},
    {"avgpool", "ceil", {{"avgpool { 3, 2, pad = 1, ceil = true }", "1, 4"}, {3, 6, 9, 12}, {0}, 3, {3, 9, 6}}},
    {"maxpool", "ceil", {{"maxpool { 2, 2, ceil = true }", "1, 3"}, {2, 4, -6}, {0}, 2, {4, -6}}},
    {"avgpool", "dilation", {{"avgpool { 2, 1, dilation = 2 }", "1, 4"}, {2, 4, 6, 8}, {0}, 2, {4, 6}}},
    {"pad",
     NULL,
     {{"pad { {0, 0, 2, 0, 0, 1}, value = 9 }:maxpool { 2, 1 }", "1, 2"}, {1, 10}, {0}, 4, {9, 9, 10, 10}}},
    {"pad",
     NULL,
     {{"pad { {0, 0, 2, 0, 0, 2}, mode = \"reflect\" }:conv { 1, 2, bias = false }", "1, 3"},
      {1, 2, 3},
      {1, 10},
      6,
      {23, 12, 21, 32, 23, 12}}},
    {"pad",
     NULL,
     {{"pad { {0, 0, -1, 0, 0, -1} }:conv { 1, 2, bias = false }", "1, 4"}, {1, 2, 3, 4}, {1, 10}, 1, {32}}},
    {"conv", "flip", {{"conv { 1, 3, flip = true, bias = false }", "1, 6"}, LINE, 4, {8, 10, 17, 13}}},
    {"conv",
     "pad_mode",
     {{"conv { 1, 3, pad = 2, pad_mode = \"reflect\", bias = false }", "1, 3"},
      {1, 2, 3},
      {1, 10, 100},
      5,
      {123, 212, 321, 232, 123}}},
    {"conv",
     "pad_mode",
     {{"conv { 1, 3, pad = 1, pad_mode = \"edge\", bias = false }", "1, 3"},
      {1, 2, 3},
      {1, 10, 100},
      3,
      {211, 321, 332}}},
    {"conv",
     "pad_mode",
     {{"conv { 1, 3, pad = 1, pad_mode = \"circular\", bias = false }", "1, 3"},
      {1, 2, 3},
      {1, 10, 100},
      3,
      {213, 321, 132}}},
    {"conv",
     "pad_value",
     {{"conv { 1, 3, pad = 1, pad_mode = \"constant\", pad_value = 7, bias = false }", "1, 3"},
      {1, 2, 3},
      {1, 10, 100},
      3,
      {217, 321, 732}}},
};

static void run_worked(const Worked *k) {
    LayersRun r;
    Diag d = {0};
    Definition f;
    DefinedTaps taps;
    if (!layers_load(&r, arena, &(Layers){&k->text, 1}, &(LunetteOptions){.threads = 1, .batch = 1}, &d))
        fail_msg("%s: %s", k->text.layer, d.text);
    const LayerData *l = &r.layer[0];
    memcpy(l->x, k->x, sizeof *l->x * (size_t)type_elements(&l->input->type));
    if (l->w) memcpy(l->w, k->w, sizeof *l->w * (size_t)type_elements(&l->node->in[1]->type));
    if (!layers_run(&r, &d)) fail_msg("%s: %s", k->text.layer, d.text);
    assert_true(definition_of(&f, l->node));
    assert_int_equal(f.outputs, k->n);
    definition_taps(&taps, &f, arena);
    for (int i = 0; i < k->n; i++) {
        double terms, v = definition_value(&f, &taps, i, l->x, l->w, l->b, &terms);
        if (v != (double)k->y[i]) fail_msg("%s: output %d is %g, not %g", k->text.layer, i, v, (double)k->y[i]);
        if (l->y[i] != k->y[i])
            fail_msg("%s: native output %d is %g, not %g", k->text.layer, i, (double)l->y[i], (double)k->y[i]);
    }
    assert_true(layers_spoiled(l) == 0);
    layers_close(&r);
}

static bool is_there(const char *op_name, const char *attr) {
    int op = op_find(op_name);
    for (int i = 0; op >= 0 && attr && i < op_table[op].n_attr; i++)
        if (strcmp(op_table[op].attr[i].name, attr) == 0) return true;
    return op >= 0 && !attr;
}

static void test_worked(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(worked); i++) run_worked(&worked[i]);
    for (size_t i = 0; i < COUNT_OF(later); i++)
        if (is_there(later[i].op, later[i].attr)) run_worked(&later[i].v);
}

static void test_input(void **state) {
    (void)state;
    static const char *const good[][2] = {{"224", "1, 224"},         {"3,224", "3, 224"}, {"3,8,9", "3, 8, 9"},
                                          {"3,7,8,9", "3, 7, 8, 9"}, {"8x9", "1, 8, 9"},  {"7x8x9", "1, 7, 8, 9"}};
    static const char *const bad[] = {"",          ",",       "3,",   "3,8,", "x", "8x",           "3,8x9",
                                      "1,2,3,4,5", "1x2x3x4", "-3,8", "3, 8", "a", "12345678901,2"};
    for (size_t i = 0; i < COUNT_OF(good); i++) assert_string_equal(layers_input(arena, good[i][0], NULL), good[i][1]);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        Diag d = {0};
        if (layers_input(arena, bad[i], &d)) fail_msg("accepted: %s", bad[i]);
        assert_int_equal(d.kind, DIAG_USAGE);
    }
}

/* ---- the suite ------------------------------------------------------------------------------------------------------ */

static SuiteOptions options(void) { return (SuiteOptions){.seed = 1, .batch = 2, .threads = 2}; }

static void test_random(void **state) {
    (void)state;
    enum { N = 60 };
    SuiteCase c[N];
    SuiteOptions o = options();
    Diag d = {0};
    memset(c, 0, sizeof c);
    for (int i = 0; i < N; i++) {
        LayerText again = random_layer(arena, 7, (uint64_t)i);
        c[i].text = random_layer(arena, 7, (uint64_t)i);
        assert_string_equal(c[i].text.layer, again.layer);
        assert_string_equal(c[i].text.input, again.input);
    }
    assert_string_not_equal(c[0].text.layer, c[1].text.layer);
    assert_true(suite_check(c, N, &o, &d));
    for (int i = 0; i < N; i++)
        if (c[i].verdict != SUITE_PASSED) fail_msg("%s on %s: %s", c[i].text.layer, c[i].text.input, c[i].why);
}

typedef struct Spoil {
    int number;
    int64_t at; /* below 0: from the end */
} Spoil;

static void spoil(void *ctx, int number, float *y, int64_t n) {
    const Spoil *s = ctx;
    if (number == s->number) y[s->at < 0 ? n + s->at : s->at] += 1;
}

static void spoil_next(void *ctx, int number, float *y, int64_t n) {
    const Spoil *s = ctx;
    if (number == s->number) y[s->at < 0 ? s->at : n + s->at] = 0;
}

static const LayerText three[] = {
    {"conv { 4, 3, pad = 1 }", "3, 6, 5"}, {"maxpool { 2 }", "3, 6, 5"}, {"avgpool { 3 }", "3, 6, 6"}};

static void check_three(SuiteCase c[3], const SuiteOptions *o) {
    Diag d = {0};
    memset(c, 0, 3 * sizeof *c);
    for (int i = 0; i < 3; i++) c[i].text = three[i];
    if (!suite_check(c, 3, o, &d)) fail_msg("%s", d.text);
}

static void test_found_out(void **state) {
    (void)state;
    SuiteCase c[3];
    SuiteOptions o = options();
    check_three(c, &o);
    for (int i = 0; i < 3; i++) assert_int_equal(c[i].verdict, SUITE_PASSED);
    assert_true(c[0].exact && c[1].exact && !c[2].exact); /* a mean of 9 is rounded */
    assert_int_equal(c[0].outputs, 240);
    assert_int_equal(c[0].compared, 240);
    for (int i = 0; i < 3; i++)
        for (int at = -1; at <= 1; at++) {
            Spoil s = {i, at};
            o.tamper = spoil, o.ctx = &s;
            check_three(c, &o);
            for (int k = 0; k < 3; k++) assert_int_equal(c[k].verdict, k == i ? SUITE_FAILED : SUITE_PASSED);
            assert_non_null(strstr(c[i].why, "1 of "));
            if (i == 0 && at == 1) assert_non_null(strstr(c[i].why, "at n0 c0 h0 w1 native"));
            assert_non_null(strstr(c[i].why, i == 0 ? "kernels agree with the op's own" : "; alone it passes"));
        }
    for (int at = -3; at <= 3; at += 6) {
        Spoil s = {1, at};
        o.tamper = spoil_next, o.ctx = &s;
        check_three(c, &o);
        assert_int_equal(c[1].verdict, SUITE_FAILED);
        assert_non_null(strstr(c[1].why, "next to its output"));
    }
}

/* Of many outputs a sample is compared, borders and corners in it. */
static void test_sample(void **state) {
    (void)state;
    SuiteCase c = {.text = {"conv { 8, 3, pad = 1 }", "4, 40, 40"}};
    Spoil s = {0, -1};
    SuiteOptions o = options();
    Diag d = {0};
    o.work = 100000;
    assert_true(suite_check(&c, 1, &o, &d));
    assert_int_equal(c.verdict, SUITE_PASSED);
    assert_true(c.compared < c.outputs && c.compared > 1000);
    o.tamper = spoil, o.ctx = &s;
    assert_true(suite_check(&c, 1, &o, &d));
    assert_int_equal(c.verdict, SUITE_FAILED);
    assert_non_null(strstr(c.why, "n1 c7 h39 w39"));
}

/* One that is impossible does not spoil the others. */
static void test_refused(void **state) {
    (void)state;
    SuiteCase c[5] = {{.text = three[0]},
                      {.text = {"conv { 4, 9 }", "3, 6, 5"}},
                      {.text = three[1]},
                      {.text = {"relu()", "3, 6, 5"}},
                      {.text = three[2]}};
    SuiteOptions o = options();
    Diag d = {0};
    assert_true(suite_check(c, 5, &o, &d));
    assert_int_equal(c[1].verdict, SUITE_UNSUPPORTED);
    assert_non_null(strstr(c[1].why, "the kernel spans 9"));
    assert_int_equal(c[3].verdict, SUITE_UNSUPPORTED);
    for (int i = 0; i < 5; i += 2) assert_int_equal(c[i].verdict, SUITE_PASSED);
}

/* ---- laws ------------------------------------------------------------------------------------------------------------ */

static void spoil_first(void *ctx, float *y, int64_t n) {
    (void)ctx;
    y[n - 1] += 1;
}

static void test_laws(void **state) {
    (void)state;
    for (int i = 0; i < law_count; i++) {
        LawOptions o = {.seed = 3, .cases = 6, .threads = 1};
        LawResult r;
        Diag d = {0};
        assert_true(law_check(i, &o, &r, &d));
        if (r.failed) fail_msg("%s: %s", r.name, r.why);
        assert_int_equal(r.held + r.unsupported, o.cases);
        if (!r.held) continue;
        o.tamper = spoil_first;
        assert_true(law_check(i, &o, &r, &d));
        assert_true(r.failed > 0 && r.why[0]); /* of the adjoint one number of y may be 0 */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_worked), cmocka_unit_test(test_input),
                                       cmocka_unit_test(test_random), cmocka_unit_test(test_found_out),
                                       cmocka_unit_test(test_sample), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_laws)};
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
