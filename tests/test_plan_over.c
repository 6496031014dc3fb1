/* Plans whose results lie over an operand: text, placement, and what the verifier refuses. */
#include "ir/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* x → k0 → a → k0 → z; k1(a, z) → y over z; k1(x, y) → v over y; k0(v) → scores. k1 may lay its result over the second
 * operand. */
static const char good[] = "plan residual {\n"
                           "    arena 128\n"
                           "    live 128\n"
                           "    weights 0\n"
                           "    input \"x\" : f32[n1 c4]\n"
                           "    output \"scores\" : f32[n1 c4]\n"
                           "    buffer b0 \"x\" : f32[n1 c4] at input 0\n"
                           "    buffer b1 \"a\" : f32[n1 c4] at arena 0 live 0 2\n"
                           "    buffer b2 \"z\" : f32[n1 c4] at arena 64 live 1 2\n"
                           "    buffer b3 \"y\" : f32[n1 c4] at arena 64 live 2 3 over b2\n"
                           "    buffer b4 \"v\" : f32[n1 c4] at arena 64 live 3 4 over b3\n"
                           "    buffer b5 \"c\" : f32[n1 c4] at output 0\n"
                           "    kernel k0 tasks 1 {\n"
                           "        rank 2 reads [0:0 0:3]\n"
                           "        rank 2 writes [0:0 0:3]\n"
                           "    }\n"
                           "    kernel k1 tasks 1 {\n"
                           "        rank 2 reads [0:0 0:3]\n"
                           "        rank 2 reads [0:0 0:3]\n"
                           "        rank 2 writes [0:0 0:3] over 1\n"
                           "    }\n"
                           "    step \"a\" k0(b0, b1)\n"
                           "    step \"z\" k0(b1, b2)\n"
                           "    step \"y\" k1(b1, b2, b3)\n"
                           "    step \"v\" k1(b0, b3, b4)\n"
                           "    step \"c\" k0(b4, b5)\n"
                           "}\n";

static Plan *read_plan(Arena *a, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "plan", text, &d);
    Plan *p = plan_parse(&l);
    if (!p) fail_msg("%s", d.text);
    return p;
}

static const char *plan_text(Arena *a, const Plan *p) {
    Text t = {.arena = a};
    plan_print(&t, p);
    return text_get(&t);
}

static Arena *open_arena(void) {
    Diag d = {0};
    Arena *a = arena_open(&d);
    if (!ARENA_TRY(a)) fail_msg("out of memory");
    return a;
}

/* The memory of z, y and v is one, alive from step 1 to 4, and counts once. */
static void test_text_and_placement(void **state) {
    (void)state;
    Arena *a = open_arena();
    Diag d = {0};
    Plan *p = read_plan(a, good);
    if (!plan_verify(p, &d)) fail_msg("%s", d.text);
    assert_string_equal(plan_text(a, p), good);
    int over[] = {-1, -1, 1, 1, -1};
    for (int s = 0; s < p->n_step; s++) assert_int_equal(plan_step_over(p, s), over[s]);
    plan_place(p);
    if (!plan_verify(p, &d)) fail_msg("%s", d.text);
    assert_string_equal(plan_text(a, p), good);
    /* with memory of their own, three are alive at steps 2 */
    p->buf[3].is_over = p->buf[4].is_over = false;
    plan_place(p);
    if (!plan_verify(p, &d)) fail_msg("%s", d.text);
    assert_int_equal(p->live_bytes, 192);
    arena_close(a);
}

static const struct {
    const char *from, *to, *message;
} bad[] = {
    /* z, or y, is read after it was overwritten: outside its life, and if it lived longer it would not be over */
    {"k1(b0, b3, b4)", "k1(b2, b3, b4)", "plan: step v uses z outside its life"},
    {"live 1 2", "live 1 3", "plan: y does not lie over the buffer that is named"},
    {"live 2 3 over b2", "live 2 4 over b2", "plan: v does not lie over the buffer that is named"},
    {"k0(b4, b5)", "k0(b3, b5)", "plan: step c uses y outside its life"},
    /* nothing says that they may share memory */
    {"live 2 3 over b2", "live 2 3", "plan: z and y live at the same time in the same memory"},
    {"writes [0:0 0:3] over 1", "writes [0:0 0:3]", "plan: y does not lie over the buffer that is named"},
    {"writes [0:0 0:3] over 1", "writes [0:0 0:3] over 0", "plan: y does not lie over the buffer that is named"},
    {"writes [0:0 0:3] over 1", "writes [0:0 0:3] over 3", "plan: y does not lie over the buffer that is named"},
    {"writes [0:0 0:3] over 1", "writes [0:0 0:3] over 2", "plan: y does not lie over the buffer that is named"},
    /* not the same memory */
    {"at arena 64 live 2 3", "at arena 0 live 2 3", "plan: y does not lie over the buffer that is named"},
    {"\"y\" : f32[n1 c4]", "\"y\" : f32[n1 c2<1,1>]", "plan: y does not lie over the buffer that is named"},
    {"\"y\" : f32[n1 c4]", "\"y\" : i32[n1 c4]", "plan: y does not lie over the buffer that is named"},
    {"live 2 3 over b2", "live 2 3 over b0", "plan: y does not lie over the buffer that is named"},
    {"live 2 3 over b2", "live 2 3 over b1", "plan: y does not lie over the buffer that is named"},
    /* the operand is there a second time */
    {"k1(b1, b2, b3)", "k1(b2, b2, b3)", "plan: step y is given y and with it z and writes it"},
    {"k1(b1, b2, b3)", "k1(b2, b1, b3)", "plan: y does not lie over the buffer that is named"},
    /* two results over one value */
    {"k1(b0, b3, b4)\n    step \"c\"", "k1(b0, b3, b4)\n    step \"d\" k1(b0, b3, b4)\n    step \"c\"",
     "plan: step d uses y outside its life"},
    {"at arena 64 live 3 4 over b3", "at arena 64 live 2 4 over b2",
     "plan: v does not lie over the buffer that is named"},
};

static void test_refused(void **state) {
    (void)state;
    Arena *a = open_arena();
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *at = strstr(good, bad[i].from);
        if (!at) fail_msg("'%s' is not in the plan", bad[i].from);
        Diag d = {0};
        Plan *p =
            read_plan(a, arena_printf(a, "%.*s%s%s", (int)(at - good), good, bad[i].to, at + strlen(bad[i].from)));
        if (plan_verify(p, &d)) fail_msg("not refused: %s → %s", bad[i].from, bad[i].to);
        assert_string_equal(d.text, bad[i].message);
        assert_int_equal(d.kind, DIAG_INTERNAL);
    }
    arena_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_placement),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
