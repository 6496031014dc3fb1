/* Plans: text, what the verifier refuses, boxes_cover against counting, placement. */
#include "ir/plan.h"
#include "tests/random_nest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Arena *open_arena(void) {
    Diag d = {0};
    Arena *a = arena_open(&d);
    if (!ARENA_TRY(a)) fail_msg("out of memory");
    return a;
}

static Plan *try_parse(Arena *a, const char *text, Diag *d) {
    Lexer l;
    lex_open(&l, a, "plan", text, d);
    return plan_parse(&l);
}

static Plan *read_plan(Arena *a, const char *text) {
    Diag d = {0};
    Plan *p = try_parse(a, text, &d);
    if (!p) fail_msg("%s", d.text);
    return p;
}

static const char *plan_text(Arena *a, const Plan *p) {
    Text t = {.arena = a};
    plan_print(&t, p);
    return text_get(&t);
}

/* x → k0 → a (arena 0) → k1, with weights → b (arena 64) → k2 → scores. The halo of a is written apart. */
static const char good[] = "plan net {\n"
                           "    arena 128\n"
                           "    live 128\n"
                           "    weights 64\n"
                           "    input \"x\" : f32[n1 c4]\n"
                           "    output \"scores\" : f32[n1 c4]\n"
                           "    buffer b0 \"x\" : f32[n1 c4] at input 0\n"
                           "    buffer b1 \"a\" : f32[n1 c4<1,1>] at arena 0 live 0 1\n"
                           "    buffer b2 \"w\" : f32[c6] at weights 0\n"
                           "    buffer b3 \"b\" : f32[n1 c4] at arena 64 live 1 2\n"
                           "    buffer b4 \"c\" : f32[n1 c4] at output 0\n"
                           "    kernel k0 tasks 1 {\n"
                           "        rank 2 reads [0:0 0:3]\n"
                           "        rank 2 writes [0:0 1:4] writes [0:0 0:0] writes [0:0 5:5]\n"
                           "    }\n"
                           "    kernel k1 tasks 4 {\n"
                           "        rank 2 reads [0:0 0:5]\n"
                           "        rank 1 reads [0:5]\n"
                           "        rank 2 writes [0:0 0:3]\n"
                           "    }\n"
                           "    kernel k2 tasks 2 {\n"
                           "        rank 2 reads [0:0 0:3]\n"
                           "        rank 2 writes [0:0 0:3]\n"
                           "    }\n"
                           "    step \"a\" k0(b0, b1)\n"
                           "    step \"b\" k1(b1, b2, b3)\n"
                           "    step \"c\" k2(b3, b4)\n"
                           "}\n";

/* `good` with the first `from` replaced. */
static const char *changed(Arena *a, const char *from, const char *to) {
    const char *at = strstr(good, from);
    if (!at) fail_msg("'%s' is not in the plan", from);
    return arena_printf(a, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
}

/* ---- text --------------------------------------------------------------------------------------- */

static void test_round_trip(void **state) {
    (void)state;
    Arena *a = open_arena();
    Diag d = {0};
    Plan *p = read_plan(a, good);
    assert_true(plan_verify(p, &d));
    assert_string_equal(plan_text(a, p), good);
    assert_string_equal(plan_text(a, read_plan(a, plan_text(a, p))), good);
    /* names that need quotes, in every place */
    p->name = "my-net \"2\"";
    p->buf[0].name = p->input[0].name = p->step[0].name = "a\"b\\c";
    Plan *q = read_plan(a, plan_text(a, p));
    assert_string_equal(q->name, p->name);
    assert_string_equal(q->buf[0].name, p->buf[0].name);
    assert_string_equal(plan_text(a, q), plan_text(a, p));
    arena_close(a);
}

static const struct {
    const char *from, *to, *message;
} bad_text[] = {
    {"plan net", "graph net", "plan:1: 'plan' expected, 'graph' found"},
    {"plan net {", "plan net", "plan:2: '{' expected, 'arena' found"},
    {"plan net", "plan 7", "plan:1: a name expected, '7' found"},
    {"arena 128", "arena -1", "plan:2: -1 is not in 0 … 281474976710656"},
    {"arena 128", "arena much", "plan:2: an integer expected, 'much' found"},
    {"live 128", "lives 128", "plan:3: a line of a plan expected, 'lives' found"},
    {"weights 64", "weights 99999999999999999999", "plan:4: number too long"},
    {"input \"x\"", "input x", "plan:5: a name in quotes expected, 'x' found"},
    {"f32[n1 c4]", "f32[n1 c0]", "plan:5: extent of 'c0' is not in 1 … 1073741824"},
    {"f32[n1 c4]", "f16[n1 c4]", "plan:5: an element type expected: f32, i64, i32, u8 or bool, 'f16' found"},
    {"f32[n1 c4]", "f32[n1 c4", "plan:6: an axis such as c64 expected, 'output' found"},
    {"buffer b1", "buffer b2", "plan:8: there is no b2"},
    {"buffer b1", "buffer b0", "plan:8: buffers are numbered in order"},
    {"buffer b1", "buffer q1", "plan:8: b0, b1 … expected, 'q1' found"},
    {"buffer b1", "buffer b", "plan:8: b0, b1 … expected, 'b' found"},
    {"buffer b1", "buffer b99999999999", "plan:8: b0, b1 … expected, 'b99999999999' found"},
    {"at arena", "at sea", "plan:8: arena, weights, input or output expected, 'sea' found"},
    {"live 0 1", "live 0", "plan:9: an integer expected, 'buffer' found"},
    {"at input 0", "at input", "plan:8: an integer expected, 'buffer' found"},
    {"kernel k0", "kernel k1", "plan:12: there is no k1"},
    {"kernel k1", "kernel k0", "plan:16: kernels are numbered in order"},
    {"tasks 1", "tasks 0", "plan:12: 0 is not in 1 … 1099511627776"},
    {"rank 2", "rank 11", "plan:13: 11 is not in 0 … 10"},
    {"rank 2", "rank 3", "plan:13: an integer expected, ']' found"},
    {"rank 1", "rank 0", "plan:18: ']' expected, '0' found"},
    {"reads [0:0", "reads [0", "plan:13: ':' expected, '0' found"},
    {"reads [", "reads ", "plan:13: '[' expected, '0' found"},
    {"reads [0:0", "reads [-1:0", "plan:13: -1 is not in 0 … 1099511627776"},
    {"reads", "eats", "plan:13: '}' expected, 'eats' found"},
    {"k0(b0, b1)", "k0(b0 b1)", "plan:25: ',' expected, 'b1' found"},
    {"k0(b0, b1)", "k0(b0, b5)", "plan:25: there is no b5"},
    {"k0(b0, b1)", "k3(b0, b1)", "plan:25: there is no k3"},
    {"k0(b0, b1)", "k0(b0, b1", "plan:26: ',' expected, 'step' found"},
    {"step \"a\"", "step \"a", "plan:25: string is not closed"},
};

static void test_bad_text(void **state) {
    (void)state;
    Arena *a = open_arena();
    for (size_t i = 0; i < COUNT_OF(bad_text); i++) {
        Diag d = {0};
        assert_null(try_parse(a, changed(a, bad_text[i].from, bad_text[i].to), &d));
        assert_string_equal(d.text, bad_text[i].message);
        assert_int_equal(d.kind, DIAG_SPEC);
    }
    arena_close(a);
}

/* Every prefix, and every text with one byte changed: refused or read, never a crash; what is read verifies or not. */
static void test_damaged_text(void **state) {
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 3000; i++) {
        Arena *a = open_arena();
        char *text = arena_strdup(a, good);
        size_t at = random_next(&seed) % (sizeof good - 1);
        if (i < (int)sizeof good - 1) text[i] = '\0';
        else text[at] = "0123456789 []{}\":,()brkxz\n\001\377"[random_next(&seed) % 28];
        Diag d = {0}, why = {0};
        Plan *p = try_parse(a, text, &d);
        if (!p) assert_int_equal(d.kind, DIAG_SPEC);
        if (!p) assert_true(d.text[0] != '\0');
        else if (!plan_verify(p, &why)) assert_int_equal(why.kind, DIAG_INTERNAL);
        if (p) assert_string_equal(plan_text(a, read_plan(a, plan_text(a, p))), plan_text(a, p));
        arena_close(a);
    }
}

/* ---- what the verifier refuses -------------------------------------------------------------------- */

static const struct {
    const char *from, *to, *message;
} bad_plan[] = {
    {"at arena 64 live 1 2", "at arena 0 live 1 2", "plan: a and b live at the same time in the same memory"},
    {"arena 64 live", "arena 32 live", "plan: buffer b lies outside its memory"}, /* not aligned */
    {"arena 64 live", "arena 128 live", "plan: buffer b lies outside its memory"},
    {"arena 128", "arena 64", "plan: buffer b lies outside its memory"},
    {"tasks 1 {", "tasks 1 scratch 64 {", "plan: kernel k0 needs more scratch than there is"},
    {"weights 64", "weights 16", "plan: buffer w lies outside its memory"},
    {"at input 0", "at input 1", "plan: buffer x lies outside its memory"},
    {"at output 0", "at output 1", "plan: buffer c lies outside its memory"},
    {"input \"x\" : f32[n1 c4]", "input \"x\" : f32[n1 c3]", "plan: buffer x has another type than its port"},
    {"output \"scores\" : f32[n1 c4]", "output \"scores\" : f32[n1 c5]",
     "plan: buffer c has another type than its port"},
    {"output \"scores\" : f32[n1 c4]", "output \"scores\" : f32[n1 c4] output \"more\" : f32[n1 c4]",
     "plan: output more is 0 buffers"},
    {"    kernel k0", "    buffer b5 \"d\" : f32[n1 c4] at output 0\n    kernel k0",
     "plan: output scores is 2 buffers"},
    {"    kernel k0", "    buffer b5 \"v\" : f32[c6] at weights 0\n    kernel k0",
     "plan: w and v live at the same time in the same memory"},
    {" writes [0:0 5:5]", "", "plan: step b reads elements 0…0 0…5 of a that nothing has written"},
    {" writes [0:0 0:0]", "", "plan: step b reads elements 0…0 0…5 of a that nothing has written"},
    {"writes [0:0 1:4]", "writes [0:0 1:2] writes [0:0 4:4]",
     "plan: step b reads elements 0…0 0…5 of a that nothing has written"},
    {"writes [0:0 1:4]", "writes [0:0 1:6]", "plan: step a goes beyond a"},
    {"writes [0:0 1:4]", "writes [0:0 4:1]", "plan: step a goes beyond a"},
    {"rank 1 reads [0:5]", "rank 1 reads [0:6]", "plan: step b goes beyond w"},
    {"rank 2 reads [0:0 0:3]", "rank 2 reads [0:0 0:4]", "plan: step a goes beyond x"},
    {"k1(b1, b2, b3)", "k1(b1, b2)", "plan: step b does not fit its kernel"},
    {"k1(b1, b2, b3)", "k1(b1, b2, b3, b3)", "plan: step b does not fit its kernel"},
    {"k1(b1, b2, b3)", "k1(b1, b1, b3)", "plan: step b: a has another rank"},
    {"k2(b3, b4)", "k2(b3, b3)", "plan: step c is given b twice and writes it"},
    {"k0(b0, b1)", "k0(b1, b0)", "plan: step a reads elements 0…0 0…3 of a that nothing has written"},
    {"k2(b3, b4)", "k2(b3, b0)", "plan: step c writes x, which is no place to write to"},
    {"live 0 1", "live 1 1", "plan: step a uses a outside its life"},
    {"live 1 2", "live 1 1", "plan: step c uses b outside its life"},
    {"live 1 2", "", "plan: step b uses b outside its life"},
    {"    step \"c\" k2(b3, b4)\n", "", "plan: output c is not written whole"},
    {"    step \"a\" k0(b0, b1)\n", "", "plan: step b uses b outside its life"},
    {"    kernel k2 tasks 2 {\n        rank 2 reads [0:0 0:3]\n        rank 2 writes [0:0 0:3]\n",
     "    kernel k2 tasks 2 {\n        rank 2 reads [0:0 0:3]\n        rank 2 writes [0:0 0:1] writes [0:0 3:3]\n",
     "plan: output c is not written whole"},
};

static void test_refused(void **state) {
    (void)state;
    Arena *a = open_arena();
    for (size_t i = 0; i < COUNT_OF(bad_plan); i++) {
        Diag d = {0};
        Plan *p = read_plan(a, changed(a, bad_plan[i].from, bad_plan[i].to));
        if (plan_verify(p, &d)) fail_msg("not refused: %s → %s", bad_plan[i].from, bad_plan[i].to);
        assert_string_equal(d.text, bad_plan[i].message);
        assert_int_equal(d.kind, DIAG_INTERNAL);
    }
    /* numbers that no text can hold */
    Diag d = {0};
    Plan *p = read_plan(a, good);
    p->step[1].kernel = 3;
    assert_false(plan_verify(p, &d));
    p = read_plan(a, good);
    p->step[1].buf[0] = -1;
    d = (Diag){0};
    assert_false(plan_verify(p, &d));
    p = read_plan(a, good);
    p->buf[1].at = -64;
    d = (Diag){0};
    assert_false(plan_verify(p, &d));
    arena_close(a);
}

/* ---- parts ------------------------------------------------------------------------------------------ */

/* x → k0 → left and right, which are the halves of both → k1 → scores. */
static const char parts[] = "plan halves {\n"
                            "    arena 64\n"
                            "    live 64\n"
                            "    weights 0\n"
                            "    input \"x\" : f32[n1 c4]\n"
                            "    output \"scores\" : f32[n1 c8]\n"
                            "    buffer b0 \"x\" : f32[n1 c4] at input 0\n"
                            "    buffer b1 \"both\" : f32[n1 c8] at arena 0 live 0 2\n"
                            "    buffer b2 \"left\" : f32[n1 c4] at arena 0 live 0 2 part b1 axis 1 from 0\n"
                            "    buffer b3 \"right\" : f32[n1 c4] at arena 16 live 0 2 part b1 axis 1 from 4\n"
                            "    buffer b4 \"y\" : f32[n1 c8] at output 0\n"
                            "    kernel k0 tasks 1 {\n"
                            "        rank 2 reads [0:0 0:3]\n"
                            "        rank 2 writes [0:0 0:3]\n"
                            "    }\n"
                            "    kernel k1 tasks 1 {\n"
                            "        rank 2 reads [0:0 0:7]\n"
                            "        rank 2 writes [0:0 0:7]\n"
                            "    }\n"
                            "    step \"left\" k0(b0, b2)\n"
                            "    step \"right\" k0(b2, b3)\n"
                            "    step \"y\" k1(b1, b4)\n"
                            "}\n";

static const struct {
    const char *from, *to, *message;
} bad_part[] = {
    {"k0(b2, b3)", "k0(b2, b2)", "plan: step right is given left twice and writes it"},
    {"k0(b2, b3)", "k0(b0, b2)", "plan: step y reads elements 0…0 0…7 of both that nothing has written"},
    {"k0(b0, b2)", "k0(b3, b2)", "plan: step left reads elements 0…0 0…3 of right that nothing has written"},
    {"k1(b1, b4)", "k1(b4, b1)", "plan: step y reads elements 0…0 0…7 of y that nothing has written"},
    {"arena 16 live", "arena 0 live", "plan: right is no part of the buffer that is named"},
    {"axis 1 from 4", "axis 1 from 5", "plan: right is no part of the buffer that is named"},
    {"axis 1 from 4", "axis 0 from 4", "plan: right is no part of the buffer that is named"},
    {"part b1 axis 1 from 4", "part b2 axis 1 from 4", "plan: right is no part of the buffer that is named"},
    {"part b1 axis 1 from 4", "part b0 axis 1 from 0", "plan: right is no part of the buffer that is named"},
    {"at arena 16 live 0 2", "at arena 16 live 1 2", "plan: right is no part of the buffer that is named"},
    {"\"right\" : f32[n1 c4]", "\"right\" : f32[n1 c4<0,1>]", "plan: right is no part of the buffer that is named"},
    {"\"right\" : f32[n1 c4]", "\"right\" : i32[n1 c4]", "plan: right is no part of the buffer that is named"},
};

static void test_parts(void **state) {
    (void)state;
    Arena *a = open_arena();
    Diag d = {0};
    Plan *p = read_plan(a, parts);
    if (!plan_verify(p, &d)) fail_msg("%s", d.text);
    assert_string_equal(plan_text(a, p), parts);
    plan_place(p);
    assert_string_equal(plan_text(a, p), parts);
    for (size_t i = 0; i < COUNT_OF(bad_part); i++) {
        const char *at = strstr(parts, bad_part[i].from);
        if (!at) fail_msg("'%s' is not in the plan", bad_part[i].from);
        d = (Diag){0};
        p = read_plan(
            a, arena_printf(a, "%.*s%s%s", (int)(at - parts), parts, bad_part[i].to, at + strlen(bad_part[i].from)));
        if (plan_verify(p, &d)) fail_msg("not refused: %s → %s", bad_part[i].from, bad_part[i].to);
        assert_string_equal(d.text, bad_part[i].message);
    }
    arena_close(a);
}

/* ---- boxes ---------------------------------------------------------------------------------------- */

enum { SIDE = 5 };

static Box random_box(uint64_t *seed, int rank, int longest) {
    Box b = {{0}, {0}};
    for (int i = 0; i < rank; i++) {
        int length = random_in(seed, 1, longest);
        b.lo[i] = random_in(seed, 0, SIDE - length);
        b.hi[i] = b.lo[i] + length - 1;
    }
    return b;
}

static bool box_has(const Box *b, const int64_t *at, int rank) {
    for (int i = 0; i < rank; i++)
        if (at[i] < b->lo[i] || at[i] > b->hi[i]) return false;
    return true;
}

static bool counted_cover(const Box *have, int n, const Box *want, int rank) {
    int64_t at[3];
    memcpy(at, want->lo, sizeof at);
    for (;;) {
        bool any = false;
        for (int i = 0; i < n && !any; i++) any = box_has(&have[i], at, rank);
        if (!any) return false;
        int axis = rank - 1;
        while (axis >= 0 && ++at[axis] > want->hi[axis]) at[axis] = want->lo[axis], axis--;
        if (axis < 0) return true;
    }
}

static void test_boxes(void **state) {
    (void)state;
    Arena *a = open_arena();
    uint64_t seed = 3;
    int covered = 0, all = 20000;
    for (int i = 0; i < all; i++) {
        Box have[12];
        int rank = random_in(&seed, 0, 3), n = random_in(&seed, 0, 12);
        for (int j = 0; j < n; j++) have[j] = random_box(&seed, rank, SIDE);
        Box want = random_box(&seed, rank, 1 + i % SIDE);
        bool truth = counted_cover(have, n, &want, rank);
        covered += truth;
        assert_int_equal(boxes_cover(a, have, n, &want, rank), truth);
    }
    assert_true(covered > all / 10 && covered < all * 9 / 10);
    arena_close(a);
}

/* A box in pieces, cut at random, covers it; without one element of one piece it does not. */
static void test_boxes_with_a_hole(void **state) {
    (void)state;
    Arena *a = open_arena();
    uint64_t seed = 4;
    for (int i = 0; i < 2000; i++) {
        int rank = random_in(&seed, 1, 3), n = 1;
        Box want = random_box(&seed, rank, SIDE), part[8] = {want};
        while (n < 8) {
            Box *b = &part[random_next(&seed) % (uint64_t)n];
            int axis = random_in(&seed, 0, rank - 1);
            if (b->lo[axis] == b->hi[axis]) {
                if (random_in(&seed, 0, 3) == 0) break;
                continue;
            }
            part[n] = *b;
            b->hi[axis] = random_in(&seed, (int)b->lo[axis], (int)b->hi[axis] - 1);
            part[n].lo[axis] = b->hi[axis] + 1;
            n++;
        }
        assert_true(boxes_cover(a, part, n, &want, rank));
        int hole = random_in(&seed, 0, n - 1), axis = random_in(&seed, 0, rank - 1);
        if (part[hole].lo[axis]++ == part[hole].hi[axis]) part[hole] = part[--n];
        assert_false(boxes_cover(a, part, n, &want, rank));
    }
    arena_close(a);
}

/* ---- placement -------------------------------------------------------------------------------------- */

static Type vector_of(int64_t n) {
    Type t;
    assert_true(type_make(&t, "n", &n, NULL));
    return t;
}

static int add_buf(Plan *p, const char *name, int64_t elements, Place place, int64_t at) {
    PlanBuf b = {.name = name, .type = vector_of(elements), .place = place, .at = at};
    ARENA_PUSH(p->arena, p->buf, p->n_buf, p->cap_buf, b);
    return p->n_buf - 1;
}

/* A step that reads `n` buffers whole and writes the last one whole. */
static void add_step(Plan *p, const int *in, int n, int out) {
    PlanKernel k = {.tasks = 1, .n_arg = n + 1, .arg = ARENA_ARRAY(p->arena, PlanArg, n + 1)};
    PlanStep s = {"step", p->n_kernel, n + 1, ARENA_ARRAY(p->arena, int, n + 1)};
    for (int i = 0; i <= n; i++) {
        s.buf[i] = i < n ? in[i] : out;
        PlanArg *arg = &k.arg[i];
        Box whole = {{0}, {p->buf[s.buf[i]].type.axis[0].extent - 1}};
        arg->rank = 1;
        if (i < n) ARENA_PUSH(p->arena, arg->read, arg->n_read, arg->cap_read, whole);
        else ARENA_PUSH(p->arena, arg->written, arg->n_written, arg->cap_written, whole);
    }
    ARENA_PUSH(p->arena, p->kernel, p->n_kernel, p->cap_kernel, k);
    ARENA_PUSH(p->arena, p->step, p->n_step, p->cap_step, s);
}

static Plan *new_plan(Arena *a) {
    Plan *p = ARENA_NEW(a, Plan);
    p->arena = a;
    p->name = "random";
    PlanPort in = {"x", vector_of(3)}, out = {"y", vector_of(5)};
    ARENA_PUSH(a, p->input, p->n_input, p->cap_input, in);
    ARENA_PUSH(a, p->output, p->n_output, p->cap_output, out);
    add_buf(p, "x", 3, PLACE_INPUT, 0);
    return p;
}

static void check_placed(Plan *p) {
    Diag d = {0};
    plan_place(p);
    if (!plan_verify(p, &d)) fail_msg("%s\n%s", d.text, plan_text(p->arena, p));
    assert_true(p->arena_bytes >= p->live_bytes);
    const char *text = plan_text(p->arena, p);
    assert_string_equal(plan_text(p->arena, read_plan(p->arena, text)), text);
}

/* Values written once and read any number of times later. */
static void test_place_random(void **state) {
    (void)state;
    uint64_t seed = 5;
    double worst = 1;
    for (int round = 0; round < 300; round++) {
        Arena *a = open_arena();
        Plan *p = new_plan(a);
        int steps = random_in(&seed, 1, 30);
        for (int s = 0; s < steps; s++) {
            int in[3], n = random_in(&seed, 1, 3);
            for (int i = 0; i < n; i++) in[i] = random_in(&seed, 0, p->n_buf - 1);
            if (random_in(&seed, 0, 4) == 0) in[n - 1] = add_buf(p, "w", random_in(&seed, 1, 500), PLACE_WEIGHTS, 0);
            int out = add_buf(p, "v", random_in(&seed, 1, 5000), PLACE_ARENA, 0);
            add_step(p, in, n, out);
        }
        int last = p->n_buf - 1;
        add_step(p, &last, 1, add_buf(p, "y", 5, PLACE_OUTPUT, 0));
        check_placed(p);
        if (p->live_bytes && (double)p->arena_bytes / (double)p->live_bytes > worst)
            worst = (double)p->arena_bytes / (double)p->live_bytes;
        arena_close(a);
    }
    printf("    random lives: arena at most %.3f of what is live at once\n", worst);
    assert_true(worst < 1.6); /* largest first, lowest place: what it reaches here, not a law */
}

/* One value after the other, each read by the next step, perhaps with an addition over two. */
static void test_place_chains(void **state) {
    (void)state;
    uint64_t seed = 6;
    for (int round = 0; round < 300; round++) {
        Arena *a = open_arena();
        Plan *p = new_plan(a);
        int steps = random_in(&seed, 2, 40), before = 0;
        for (int s = 0; s < steps; s++) {
            int out = add_buf(p, "v", random_in(&seed, 1, 5000), PLACE_ARENA, 0);
            add_step(p, &before, 1, out);
            before = out;
        }
        add_step(p, &before, 1, add_buf(p, "y", 5, PLACE_OUTPUT, 0));
        check_placed(p);
        if ((double)p->arena_bytes > 1.05 * (double)p->live_bytes)
            fail_msg("round %d: arena %lld, live %lld", round, (long long)p->arena_bytes, (long long)p->live_bytes);
        arena_close(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_damaged_text),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_boxes_with_a_hole),
        cmocka_unit_test(test_place_random),
        cmocka_unit_test(test_place_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
