/* The check itself is checked: every kind of fault, planted on purpose, is found and blamed on the
 * right part, and nothing else is. */
#include "frontend/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const specs[] = {"specs/lenet5.lua", "specs/smallcnn.lua"};

static LunetteModel *model_make(const char *spec, bool exact) {
    Diag d = {0};
    LunetteOptions o = {.random_weights = 1, .seed = 5, .no_cache = 1, .accuracy = LUNETTE_ACCURACY_STRICT};
    LunetteModel *m = model_load(spec, &o, NULL, NULL, &d);
    bool good = m && (exact ? check_exact_weights(m, 5, &d) : model_weights(m, &d)) && model_build(m, &d);
    if (!good) fail_msg("%s: %s", spec, d.text);
    return m;
}

static CheckReport *report_make(LunetteModel *m, CheckOptions *o) {
    Diag d = {0};
    CheckReport *r = check_model(m, o, &d);
    if (!r) fail_msg("%s", d.text);
    return r;
}

static int step_named(const LunetteModel *m, const char *name) {
    for (int i = 0; i < m->plan->n_step; i++)
        if (strcmp(m->plan->step[i].name, name) == 0) return i;
    fail_msg("no step %s", name);
    return -1;
}

/* Only this row has faults, and these. */
static void assert_blamed(const CheckReport *r, int step, unsigned faults, const char *words) {
    assert_false(r->good);
    for (int i = 0; i < r->n_row; i++) {
        if (r->row[i].faults != (i == step ? faults : 0))
            fail_msg("%s: faults %u: %s", r->row[i].name, r->row[i].faults, r->row[i].why);
        if (i == step) assert_non_null(strstr(r->row[i].why, words));
    }
}

/* ---- sound models pass --------------------------------------------------------------------------- */

static void test_sound(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++)
        for (int exact = 0; exact < 2; exact++) {
            LunetteModel *m = model_make(specs[i], exact);
            CheckReport *r = report_make(m, &(CheckOptions){.exact = exact, .threads = 2});
            for (int k = 0; k < r->n_row; k++)
                if (r->row[k].faults) fail_msg("%s", r->row[k].why);
            assert_true(r->good);
            assert_int_equal(r->n_row, m->plan->n_step);
            assert_int_equal(r->n_output, exact ? 0 : 1);
            check_close(r);
            model_close(m);
        }
}

/* ---- one wrong bit of native code ------------------------------------------------------------------ */

typedef struct Flip {
    const LunetteModel *m;
    int step;
    int64_t logical;
    uint32_t bit;
} Flip;

static void flip(void *ctx, int step, void *result, void *given, int64_t n) {
    float *out = result, *input = given;
    const Flip *f = ctx;
    (void)n;
    if (input || step != f->step) return;
    const PlanStep *s = &f->m->plan->step[step];
    const Type *t = &f->m->plan->buf[s->buf[s->n_arg - 1]].type;
    int64_t *at = mem_alloc(sizeof *at * (size_t)type_elements(t));
    assert_non_null(at);
    type_offsets(t, at);
    int64_t place = at[f->logical % type_elements(t)];
    uint32_t bits;
    memcpy(&bits, &out[place], sizeof bits);
    bits ^= f->bit;
    memcpy(&out[place], &bits, sizeof bits);
    mem_free(at);
}

static void test_code_generator(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++)
        for (int exact = 0; exact < 2; exact++) {
            LunetteModel *m = model_make(specs[i], exact);
            for (int step = 0; step < m->plan->n_step; step++) {
                Flip f = {m, step, 7 * step + 3, 1};
                CheckReport *r = report_make(m, &(CheckOptions){.exact = exact, .tamper = flip, .ctx = &f});
                assert_blamed(r, step, CHECK_CODE, "the code generator differs from the nest in 1 of");
                check_close(r);
            }
            model_close(m);
        }
}

/* ---- a wrong weight: what lowering, a pass, a schedule or packing could do ---------------------------- */

/* Not one alone: it may feed an output that tanh has brought to 1 anyway. */
static void spoil(float *w, int64_t n, float factor) {
    for (int64_t i = 0; i < n; i += 5) w[i] *= factor;
}

static void test_nest(void **state) {
    (void)state;
    int found = 0;
    for (size_t i = 0; i < COUNT_OF(specs); i++)
        for (int exact = 0; exact < 2; exact++) {
            LunetteModel *m = model_make(specs[i], exact);
            for (int step = 0; step < m->plan->n_step; step++) {
                const PlanStep *s = &m->plan->step[step];
                const PlanBuf *b = s->n_arg > 2 ? &m->plan->buf[s->buf[1]] : NULL;
                if (!b || b->place != PLACE_WEIGHTS) continue;
                float *w = (float *)(m->weights + b->at);
                spoil(w, type_memory_elements(&b->type), 2);
                CheckReport *r = report_make(m, &(CheckOptions){.exact = exact});
                spoil(w, type_memory_elements(&b->type), 0.5f);
                assert_false(r->row[step].faults & CHECK_CODE);
                if (!(r->row[step].faults & CHECK_NEST)) fail_msg("%s: not noticed", r->row[step].name);
                assert_non_null(strstr(r->row[step].why, "the nest differs from the reference"));
                for (int k = 0; k < r->n_row; k++)
                    if (k != step) assert_int_equal(r->row[k].faults, 0);
                check_close(r);
                found++;
            }
            model_close(m);
        }
    assert_int_equal(found, 2 * (5 + 7)); /* layers with weights */
}

/* A permuted weight is what swapped channels look like. */
static void test_swapped_weights(void **state) {
    (void)state;
    LunetteModel *m = model_make(specs[1], true);
    const PlanBuf *b = NULL;
    int step = 0;
    for (; step < m->plan->n_step; step++) {
        b = &m->plan->buf[m->plan->step[step].buf[1]];
        if (strncmp(m->plan->step[step].name, "layer4", 6) == 0) break;
    }
    assert_int_equal(b->place, PLACE_WEIGHTS);
    float *w = (float *)(m->weights + b->at), keep = w[0];
    int64_t other = 1;
    while (w[other] == w[0]) other++;
    w[0] = w[other];
    w[other] = keep;
    CheckReport *r = report_make(m, &(CheckOptions){.exact = true});
    assert_blamed(r, step, CHECK_NEST, "the nest differs from the reference");
    check_close(r);
    model_close(m);
}

/* ---- halos, memory ---------------------------------------------------------------------------------- */

static void spoil_halo(void *ctx, int step, void *result, void *given, int64_t n) {
    float *out = result, *input = given;
    if (!input && step == *(int *)ctx) out[n - 1] = 3; /* the last corner */
}

static void test_halo(void **state) {
    (void)state;
    LunetteModel *m = model_make(specs[1], false);
    int step = step_named(m, "maxpool_1"); /* with a halo for the convolution behind it */
    CheckReport *r = report_make(m, &(CheckOptions){.tamper = spoil_halo, .ctx = &step});
    assert_blamed(r, step, CHECK_CODE | CHECK_HALO, "of the halo are not 0");
    check_close(r);
    model_close(m);
}

static void spoil_guard(void *ctx, int step, void *result, void *given, int64_t n) {
    float *out = result, *input = given;
    if (!input && step == *(int *)ctx) out[n] = 3; /* behind the last */
}

static void test_outside(void **state) {
    (void)state;
    LunetteModel *m = model_make(specs[0], false);
    int step = 2;
    CheckReport *r = report_make(m, &(CheckOptions){.tamper = spoil_guard, .ctx = &step});
    assert_blamed(r, 2, CHECK_OUTSIDE, "next to its buffer");
    check_close(r);
    model_close(m);
}

/* Something writes to memory that still is to be read. */
static void clobber(void *ctx, const char *kernel, int done, int of) {
    LunetteModel *m = ctx;
    (void)kernel, (void)of;
    if (done != 3) return;
    const PlanStep *s = &m->plan->step[3];
    ((float *)model_buffer(m, s->buf[0], NULL, NULL))[40] += 1;
}

static void test_plan(void **state) {
    (void)state;
    LunetteModel *m = model_make(specs[0], false);
    CheckReport *r = report_make(m, &(CheckOptions){.progress = clobber, .ctx = m});
    assert_blamed(r, 3, CHECK_PLAN, "is not what the kernel before left");
    check_close(r);
    model_close(m);
}

/* ---- mistrusted ------------------------------------------------------------------------------------- */

static void no_input(void *ctx, int step, void *result, void *given, int64_t n) {
    float *out = result, *input = given;
    if (!out && step == *(int *)ctx) memset(input, 0, sizeof *input * (size_t)n);
}

static void test_dull_numbers(void **state) {
    (void)state;
    LunetteModel *m = model_make(specs[1], true);
    for (int step = 0; step < m->plan->n_step; step++) {
        CheckReport *r = report_make(m, &(CheckOptions){.exact = true, .tamper = no_input, .ctx = &step});
        assert_blamed(r, step, CHECK_MISTRUSTED, "is one number everywhere");
        check_close(r);
    }
    model_close(m);
}

typedef struct Same {
    const LunetteModel *m;
    int step;
} Same;

/* Every channel of the input holds what the first one does. */
static void same_channels(void *ctx, int step, void *result, void *given, int64_t n) {
    float *out = result, *input = given;
    const Same *s = ctx;
    (void)n;
    if (out || step != s->step) return;
    const Type *t = &s->m->plan->buf[s->m->plan->step[step].buf[0]].type;
    int64_t all = type_elements(t), plane = all / type_extent(t, 'c'), *at = mem_alloc(sizeof *at * (size_t)all);
    assert_non_null(at);
    type_offsets(t, at);
    for (int64_t e = 0; e < all; e++) input[at[e]] = input[at[e % plane]];
    mem_free(at);
}

static void test_swapped_channels(void **state) {
    (void)state;
    LunetteModel *m = model_make(specs[1], true);
    Same s = {m, step_named(m, "layer2.conv")}; /* 16 channels */
    CheckReport *r = report_make(m, &(CheckOptions){.exact = true, .tamper = same_channels, .ctx = &s});
    assert_blamed(r, s.step, CHECK_MISTRUSTED, "two channels of maxpool_1 are swapped");
    check_close(r);
    model_close(m);
}

static void test_dull_image(void **state) {
    (void)state;
    static const float image[28 * 28];
    LunetteModel *m = model_make(specs[0], false);
    CheckReport *r = report_make(m, &(CheckOptions){.inputs = (const void *[]){image}});
    assert_false(r->good);
    assert_true(r->row[0].faults == CHECK_MISTRUSTED);
    check_close(r);
    model_close(m);
}

/* ---- out of memory ---------------------------------------------------------------------------------- */

static void test_memory(void **state) {
    (void)state;
    for (int exact = 0; exact < 2; exact++) {
        LunetteModel *m = model_make(specs[0], exact);
        CheckReport *r = NULL;
        long live = mem_live();
        for (long n = 1; !r; n += 1 + n / 8) {
            Diag d = {0};
            mem_fail_after(n);
            r = check_model(m, &(CheckOptions){.exact = exact, .threads = 1}, &d);
            mem_fail_after(0);
            if (r) break;
            assert_int_equal(d.kind, DIAG_MACHINE);
            assert_int_equal(mem_live(), live);
        }
        assert_true(r->good);
        check_close(r);
        assert_int_equal(mem_live(), live);
        model_close(m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_code_generator),
        cmocka_unit_test(test_nest),
        cmocka_unit_test(test_swapped_weights),
        cmocka_unit_test(test_halo),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_dull_numbers),
        cmocka_unit_test(test_swapped_channels),
        cmocka_unit_test(test_dull_image),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
