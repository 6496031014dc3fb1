/* Random nests under random schedules: every step that is accepted keeps the meaning. The plain nest,
 * the scheduled nest and its text read back are interpreted, the scheduled one is compiled: the
 * last three agree to the bit, and with the first too unless a step changed the order of a sum. Results are put over
 * inputs where that is legal; nest and native code then give the same bits in that memory and in memory of their own.
 *
 *   test_schedule [N [FIRST]] */
#include "codegen/compile.h"
#include "codegen/target.h"
#include "runtime/interp.h"
#include "tests/random_nest.h"
#include "tests/random_over.h"
#include "tests/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int n_cases = 150;
static uint64_t first_seed = 1;

static const char *random_var(const Kernel *k, uint64_t *seed) { return k->var[random_in(seed, 0, k->n_var - 1)].name; }

static const char *random_order(Arena *a, const Kernel *k, uint64_t *seed) {
    Text t = {.arena = a};
    int *place = ARENA_ARRAY(a, int, k->n_var);
    for (int i = 0; i < k->n_var; i++) place[i] = i;
    for (int i = k->n_var - 1; i > 0; i--) {
        int j = random_in(seed, 0, i), swap = place[i];
        place[i] = place[j];
        place[j] = swap;
    }
    text_add(&t, "order");
    for (int i = 0; i < k->n_var; i++) {
        bool seen = false; /* names repeat */
        for (int j = 0; j < i; j++) seen |= strcmp(k->var[place[i]].name, k->var[place[j]].name) == 0;
        if (!seen) text_add(&t, " %s", k->var[place[i]].name);
    }
    return text_get(&t);
}

/* A loop that is alone in another, and that other one; any two where there is none. */
static const char *random_fuse(Arena *a, const Kernel *k, int number, uint64_t *seed) {
    const char *outer = random_var(k, seed), *inner = random_var(k, seed);
    int skip = random_in(seed, 0, 3);
    for (const Stmt *s = k->body; s && s->kind != STMT_STORE; s = s->body) {
        if (s->kind != STMT_FOR || s->body->kind != STMT_FOR) continue;
        outer = k->var[s->var].name;
        inner = k->var[s->body->var].name;
        if (skip-- == 0) break;
    }
    return arena_printf(a, "fuse %s %s -> f%d", outer, inner, number);
}

static const char *random_scratch(const Kernel *k, uint64_t *seed) {
    const char *name = k->buf[random_in(seed, 0, k->n_buf - 1)].name;
    for (int i = 0; i < k->n_buf; i++)
        if (k->buf[i].kind == BUF_SCRATCH && random_in(seed, 0, 2)) name = k->buf[i].name;
    return name;
}

static const char *random_step(Arena *a, const Kernel *k, int number, uint64_t *seed) {
    const char *var = random_var(k, seed);
    switch (random_in(seed, 0, 13)) {
    case 0:
    case 1: return arena_printf(a, "split %s %d -> s%d t%d", var, random_in(seed, 1, 9), number, number);
    case 2: return random_order(a, k, seed);
    case 3: return arena_printf(a, "stage %s at %s -> acc", k->buf[random_in(seed, 0, k->n_buf - 1)].name, var);
    case 4: return arena_printf(a, "rfactor %s %d -> r%d", var, random_in(seed, 2, 5), number);
    case 5: return arena_printf(a, "par %s", var);
    case 6: return arena_printf(a, "unroll %s", var);
    case 7: return random_fuse(a, k, number, seed);
    case 8: return arena_printf(a, "drop %s", var);
    case 9: return arena_printf(a, "clip %s", var);
    case 10:
        return arena_printf(a, "prefetch %s at %s in %s", k->buf[random_in(seed, 0, k->n_buf - 1)].name, var,
                            random_var(k, seed));
    case 11:
    case 12: return arena_printf(a, "compute %s at %s", random_scratch(k, seed), var);
    default: return arena_printf(a, "vec %s", var);
    }
}

typedef struct Tally {
    int tried, legal, native, over, computed;
} Tally;

/* Every pair of a result and an input that is legal. */
static bool put_over(Kernel *k) {
    bool any = false;
    for (int y = 0; y < k->n_param; y++)
        for (int z = 0; z < y; z++)
            if (k->buf[y].kind == BUF_OUT && k->buf[z].kind == BUF_IN)
                any |= kernel_schedule(k, arena_printf(k->arena, "inplace %s over %s", k->buf[y].name, k->buf[z].name),
                                       NULL, NULL);
    return any;
}

static bool schedule_randomly(Kernel *k, uint64_t *seed, Tally *tally) {
    bool reordered = false;
    for (int i = 0; i < 10; i++) {
        const char *step = random_step(k->arena, k, i, seed);
        Diag d = {0};
        tally->tried++;
        if (!kernel_schedule(k, step, NULL, &d)) {
            assert_true(d.text[0] != '\0');
            continue;
        }
        tally->legal++;
        tally->computed += strncmp(step, "compute", 7) == 0;
        reordered |= strncmp(step, "order", 5) == 0 || strncmp(step, "rfactor", 7) == 0;
    }
    return reordered;
}

static void compare(const Kernel *k, void **x, void **y, bool to_the_bit, const char *what, uint64_t seed) {
    const char *difference = random_buffers_difference(k, x, y, to_the_bit ? 0 : 1e-4);
    if (difference)
        fail_msg("seed %llu: %s: %s\n%s", (unsigned long long)seed, what, difference, kernel_text(k->arena, k));
}

static void run(const Kernel *k, void **buf, bool fma) {
    Diag d = {0};
    if (!interp_run(k, buf, 0, kernel_tasks(k), fma, &d)) fail_msg("%s", d.text);
}

static void run_nest(const Kernel *k, void **buf, void *ctx) { run(k, buf, ((const Target *)ctx)->fma); }

static void run_native(const Kernel *k, void **buf, void *ctx) {
    code_fn(ctx, 0)(buf, code_args(ctx, 0), scratch_for(k), 0, (intptr_t)kernel_tasks(k));
}

static void same_over(const Kernel *k, OverRun *way, void *ctx, const char *what, uint64_t seed) {
    const char *difference = over_difference(k, seed, way, ctx);
    if (difference)
        fail_msg("seed %llu: %s in place: %s\n%s", (unsigned long long)seed, what, difference,
                 kernel_text(k->arena, k));
}

static void run_case(uint64_t number, const Target *t, Tally *tally) {
    Diag d = {0};
    uint64_t seed = number;
    Arena *a = arena_open(&d);
    if (!ARENA_TRY(a)) fail_msg("out of memory");
    Kernel *plain = random_nest(a, &seed), *k = kernel_clone(a, plain);
    if (random_in(&seed, 0, 1)) put_over(k); /* then the steps must keep it so, or be refused */
    bool reordered = schedule_randomly(k, &seed, tally);
    put_over(k);
    for (int i = 0; i < k->n_param; i++) tally->over += k->buf[i].is_over;
    Lexer l;
    lex_open(&l, a, "text", kernel_text(a, k), &d);
    Kernel *again = kernel_parse(&l);
    if (!again || !kernel_verify(again, &d))
        fail_msg("seed %llu: %s\n%s", (unsigned long long)number, d.text, kernel_text(a, k));
    void **buf[4];
    for (int i = 0; i < 4; i++) {
        uint64_t data = number;
        buf[i] = random_buffers(plain, &data);
    }
    run(plain, buf[0], t->fma);
    run(k, buf[1], t->fma);
    run(again, buf[2], t->fma);
    compare(k, buf[0], buf[1], !reordered, "the scheduled nest", number);
    compare(k, buf[1], buf[2], true, "the nest read back", number);
    same_over(k, run_nest, &(Target){.fma = t->fma}, "the nest", number);
    CodeLib *code;
    CodeOptions o = {.threads = 1};
    if (code_open(&code, (const Kernel *const[]){k}, 1, t, &o, &d)) {
        code_fn(code, 0)(buf[3], code_args(code, 0), scratch_for(k), 0, (intptr_t)kernel_tasks(k));
        compare(k, buf[1], buf[3], true, "native code", number);
        same_over(k, run_native, code, "native code", number);
        code_close(code);
        tally->native++;
    } else if (d.kind != DIAG_UNSUPPORTED) {
        fail_msg("seed %llu: %s", (unsigned long long)number, d.text);
    }
    for (int i = 0; i < 4; i++) random_buffers_free(plain, buf[i]);
    arena_close(a);
}

/* A few large tasks and many small ones: parts have equal work, not equal numbers. */
static void test_cut(void **state) {
    (void)state;
    static const struct {
        const char *body;
        int parts;
        int64_t cut[5];
    } cases[] = {
        {"par h 14 { for w 100 { y[h, w] = x[h, w]; } } par h 1 { y[14, h] = 0; } par h 3 { y[15, h] = 0; }",
         2,
         {0, 7, 18}},
        {"par h 14 { for w 100 { y[h, w] = x[h, w]; } } for h 1 { y[14, h] = 0; }", 4, {0, 4, 7, 11, 15}},
        {"for w 1 { y[15, w] = 0; } par h 3 { for w 100 { y[h, w] = x[h, w]; } }", 4, {0, 2, 2, 3, 4}},
        {"for h 14 { for w 100 { y[h, w] = x[h, w]; } }", 2, {0, 1, 1}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Diag d = {0};
        Lexer l;
        int64_t cut[5];
        Arena *a = arena_open(&d);
        lex_open(&l, a, "cut",
                 arena_printf(a, "kernel k(in x : f32[h16 w100], out y : f32[h16 w100]) { %s }", cases[i].body), &d);
        Kernel *k = kernel_parse(&l);
        if (!k || !kernel_verify(k, &d)) fail_msg("%s", d.text);
        kernel_cut(k, cases[i].parts, cut);
        for (int p = 0; p <= cases[i].parts; p++) assert_int_equal(cut[p], cases[i].cut[p]);
        arena_close(a);
    }
}

static void test_random_schedules(void **state) {
    (void)state;
    static const char *const cpus[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4", "native"};
    Tally tally = {0};
    for (int i = 0; i < n_cases; i++) {
        Target t;
        Diag d = {0};
        assert_true(target_named(&t, cpus[i % COUNT_OF(cpus)], &d));
        if (!target_runs_here(&t)) assert_true(target_host(&t, &d));
        run_case(first_seed + (uint64_t)i, &t, &tally);
    }
    printf("%d steps tried, %d legal, %d kernels compiled, %d results over an input, %d computed where they are read\n",
           tally.tried, tally.legal, tally.native, tally.over, tally.computed);
    assert_true(tally.computed >= n_cases / 50 && tally.legal > n_cases && tally.native > n_cases / 2 &&
                tally.over > n_cases / 50);
}

int main(int argc, char **argv) {
    if (argc > 1) n_cases = atoi(argv[1]);
    if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut), cmocka_unit_test(test_random_schedules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
