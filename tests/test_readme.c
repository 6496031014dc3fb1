/* The examples of ir/README.md are run. Fenced blocks by tag:
 *
 *   graph, plan       parses, verifies, and prints as the same text
 *   kernel            the same, and is interpreted on random data: all tasks at once and one by one give the
 *                     same bits, no NaN comes out
 *   kernel-refused    a kernel, then `!!! message`: the parser or the verifier says just that
 *   step              a kernel (graph), `>>> steps` (a pass), then the result or `!!! message`; both sides
 *                     are interpreted (evaluated) and agree
 *   schedule          steps for the last kernel block before it; both sides are interpreted and agree
 *   no tag, text, ebnf, c, lua, sh    read by people only; every other tag is an error
 *
 *     test_readme [FILE] [--update]     --update writes what comes out into the file */
#include "ir/loop.h"
#include "ir/passes.h"
#include "ir/plan.h"
#include "runtime/interp.h"
#include "runtime/reference.h"
#include "tests/random_graph.h"
#include "tests/random_nest.h"
#include "tests/random_over.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool update;
static const char *path = SOURCE_DIR "/ir/README.md";

typedef struct Block {
    Arena *a;
    const char *tag;
    int line;     /* of its first line */
    Kernel *last; /* of the last kernel block, for `schedule` */
} Block;

static void block_fail(const Block *b, const char *what) { fail_msg("%s:%d (%s): %s", path, b->line, b->tag, what); }

static char *trim(char *s) {
    while (*s == '\n' || *s == ' ') s++;
    for (char *e = s + strlen(s); e > s && (e[-1] == '\n' || e[-1] == ' '); e--) e[-1] = '\0';
    return s;
}

/* What was printed must be what stands there. */
static const char *same_text(const Block *b, const char *there, const char *made) {
    made = trim(arena_strdup(b->a, made));
    if (!update && strcmp(made, there) != 0) block_fail(b, arena_printf(b->a, "should read\n%s", made));
    return made;
}

static void all_read(const Block *b, const Lexer *l) {
    if (l->kind != TOK_END) block_fail(b, arena_printf(b->a, "'%s' follows", l->text));
}

/* ---- kernels ------------------------------------------------------------------------------------ */

/* NULL with `d` when it is refused. */
static Kernel *kernel_try(const Block *b, const char *text, Diag *d) {
    Lexer l;
    lex_open(&l, b->a, "kernel", text, d);
    Kernel *k = kernel_parse(&l);
    if (k) all_read(b, &l);
    return k && kernel_verify(k, d) ? k : NULL;
}

static Kernel *kernel_read(const Block *b, const char *text) {
    Diag d = {0};
    Kernel *k = kernel_try(b, text, &d);
    if (!k) block_fail(b, d.text);
    return k;
}

static void **kernel_run(const Block *b, const Kernel *k, bool fma, bool one_by_one) {
    uint64_t seed = 7;
    Diag d = {0};
    void **buf = random_buffers(k, &seed);
    int64_t tasks = kernel_tasks(k), step = one_by_one ? 1 : tasks;
    for (int64_t t = 0; t < tasks; t += step)
        if (!interp_run(k, buf, t, t + step, fma, &d)) block_fail(b, d.text);
    return buf;
}

static bool same_bits(const Kernel *k, void **x, void **y) {
    for (int i = 0; i < k->n_param; i++)
        if (memcmp(x[i], y[i], type_bytes(&k->buf[i].type)) != 0) return false;
    return true;
}

static bool has_nan(const Kernel *k, void **x) {
    for (int i = 0; i < k->n_param; i++)
        for (int64_t j = 0; j < type_memory_elements(&k->buf[i].type); j++)
            if (k->buf[i].type.dtype == DT_F32 && isnan(((const float *)x[i])[j])) return true;
    return false;
}

static void kernel_try_tasks(const Block *b, const Kernel *k) {
    for (int fma = 0; fma < 2; fma++) {
        void **all = kernel_run(b, k, fma, false), **each = kernel_run(b, k, fma, true);
        if (!same_bits(k, all, each)) block_fail(b, "its tasks one by one give other bits");
        if (has_nan(k, all)) block_fail(b, "gives a NaN");
        random_buffers_free(k, all);
        random_buffers_free(k, each);
    }
}

static void run_over(const Kernel *k, void **buf, void *ctx) {
    Diag d = {0};
    if (!interp_run(k, buf, 0, kernel_tasks(k), true, &d)) block_fail(ctx, d.text);
}

/* Sums in another order differ by rounding; everything else is the same to the bit. */
static void same_result(const Block *b, const Kernel *x, const Kernel *y, const char *steps) {
    bool reorders = strstr(steps, "order") || strstr(steps, "rfactor");
    void **p = kernel_run(b, x, true, false), **q = kernel_run(b, y, true, false);
    if (random_buffers_difference(x, p, q, reorders ? 1e-5 : 0))
        block_fail(b, "the two sides compute different results");
    if (over_difference(y, 7, run_over, (void *)(uintptr_t)b)) block_fail(b, "in place it computes something else");
    random_buffers_free(x, p);
    random_buffers_free(y, q);
}

static const char *run_kernel(Block *b, char *text) {
    b->last = kernel_read(b, text);
    kernel_try_tasks(b, b->last);
    return same_text(b, text, kernel_text(b->a, b->last));
}

static const char *run_refused(Block *b, char *text) {
    Diag d = {0};
    char *mark = strstr(text, "!!!");
    if (!mark) block_fail(b, "no line with !!!");
    *mark = '\0';
    char *before = trim(text), *message = trim(mark + 3);
    if (kernel_try(b, before, &d)) block_fail(b, "is not refused");
    return arena_printf(b->a, "%s\n!!! %s", before, same_text(b, message, d.text));
}

static const char *step_kernel(const Block *b, const char *before, const char *steps) {
    Kernel *x = kernel_read(b, before), *y = kernel_clone(b->a, x);
    Diag d = {0};
    if (!kernel_schedule(y, steps, NULL, &d)) return arena_printf(b->a, "!!! %s", d.text);
    const char *text = kernel_text(b->a, y);
    same_result(b, x, y, steps);
    same_result(b, x, kernel_read(b, text), steps);
    return text;
}

static const char *run_schedule(Block *b, char *text) {
    Diag d = {0};
    if (!b->last) block_fail(b, "no kernel block before it");
    Kernel *y = kernel_clone(b->a, b->last);
    if (!kernel_schedule(y, text, NULL, &d)) block_fail(b, d.text);
    same_result(b, b->last, y, text);
    kernel_try_tasks(b, kernel_read(b, kernel_text(b->a, y)));
    return text;
}

/* ---- graphs ------------------------------------------------------------------------------------- */

static Graph *graph_read(const Block *b, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, b->a, "graph", text, &d);
    Graph *g = graph_parse(&l);
    if (!g || !graph_verify(g, &d)) block_fail(b, d.text);
    all_read(b, &l);
    return g;
}

static RefTensor **graph_values(const Block *b, const Graph *g) {
    RefTensor **value = ARENA_ARRAY(b->a, RefTensor *, g->n_node);
    Diag d = {0};
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (n->op != OP_INPUT && n->op != OP_WEIGHT) continue;
        uint64_t seed = 1;
        for (const char *c = n->name; *c; c++) seed = (seed ^ (unsigned char)*c) * 1099511628211u;
        value[i] = ref_from_f32(b->a, &n->type, random_tensor(b->a, n, &seed));
    }
    for (int i = 0; i < g->n_out; i++)
        if (!reference_eval(b->a, g, value, g->out[i].node, false, &d)) block_fail(b, d.text);
    return value;
}

static void same_outputs(const Block *b, const Graph *x, const Graph *y) {
    RefTensor **p = graph_values(b, x), **q = graph_values(b, y);
    if (x->n_out != y->n_out) block_fail(b, "another number of outputs");
    for (int o = 0; o < x->n_out; o++) {
        const Node *u = x->out[o].node, *v = y->out[o].node;
        for (int64_t i = 0; i < type_elements(&u->type); i++) {
            double r = p[u->id]->v[i], s = q[v->id]->v[i];
            if (!(fabs(r - s) <= 1e-9 * (1 + fabs(r)))) block_fail(b, "the two sides mean different things");
        }
    }
}

static const char *run_graph(Block *b, char *text) { return same_text(b, text, graph_text(b->a, graph_read(b, text))); }

static const char *step_graph(const Block *b, const char *before, const char *pass) {
    static const Target target = {
        .cpu = "sixteen lanes", .vector_bytes = 64, .vector_registers = 32, .fma_latency = 8, .fma = true};
    Graph *x = graph_read(b, before), *y = graph_copy(b->a, x);
    PassContext c = {.target = &target};
    Diag d = {0};
    int i = 0;
    while (i < pass_count && strcmp(pass_table[i].name, pass) != 0) i++;
    if (i == pass_count) block_fail(b, "no such pass");
    pass_table[i].run(y, &c);
    if (!graph_verify(y, &d)) block_fail(b, d.text);
    same_outputs(b, x, y);
    Text t = {.arena = b->a};
    text_add(&t, "%s", graph_text(b->a, y));
    for (i = 0; i < c.groups.n; i++) {
        text_add(&t, "# group ");
        group_print(&t, &c.groups.v[i]);
        text_add(&t, "\n");
    }
    same_outputs(b, x, graph_read(b, text_get(&t)));
    return text_get(&t);
}

/* ---- plans, steps ------------------------------------------------------------------------------- */

static const char *run_plan(Block *b, char *text) {
    Diag d = {0};
    Lexer l;
    Text t = {.arena = b->a};
    lex_open(&l, b->a, "plan", text, &d);
    Plan *p = plan_parse(&l);
    if (!p || !plan_verify(p, &d)) block_fail(b, d.text);
    all_read(b, &l);
    plan_print(&t, p);
    return same_text(b, text, text_get(&t));
}

static const char *run_step(Block *b, char *text) {
    char *mark = strstr(text, ">>>"), *after = mark ? strchr(mark, '\n') : NULL;
    if (!mark) block_fail(b, "no line with >>>");
    *mark = '\0';
    if (after) *after++ = '\0';
    else after = mark + 3 + strlen(mark + 3);
    char *before = trim(text), *step = trim(mark + 3);
    const char *made = strncmp(before, "graph", 5) == 0 ? step_graph(b, before, step) : step_kernel(b, before, step);
    return arena_printf(b->a, "%s\n>>> %s\n%s", before, step, same_text(b, trim(after), made));
}

/* ---- the file ----------------------------------------------------------------------------------- */

typedef const char *RunFn(Block *b, char *text);

static const struct {
    const char *tag;
    RunFn *run;
    int at_least;
} tags[] = {
    {"graph", run_graph, 2}, {"kernel", run_kernel, 3}, {"kernel-refused", run_refused, 1},
    {"plan", run_plan, 1},   {"step", run_step, 7},     {"schedule", run_schedule, 1},
};
static const char *const unread[] = {"", "text", "ebnf", "c", "lua", "sh"};

static RunFn *tag_find(const Block *b, int count[]) {
    for (size_t i = 0; i < COUNT_OF(tags); i++)
        if (strcmp(tags[i].tag, b->tag) == 0) {
            count[i]++;
            return tags[i].run;
        }
    for (size_t i = 0; i < COUNT_OF(unread); i++)
        if (strcmp(unread[i], b->tag) == 0) return NULL;
    block_fail(b, "no such tag");
    return NULL;
}

static char *line_end(char *s) { return s + strcspn(s, "\n"); }

static int line_number(const char *text, const char *at) {
    int n = 1;
    for (; text < at; text++) n += *text == '\n';
    return n;
}

/* Runs all blocks; gives the file as it should be. */
static const char *run_text(Arena *a, char *text, int count[]) {
    Text out = {.arena = a};
    Block b = {.a = a};
    char *from = text, *p = text;
    while (*p) {
        char *next = *line_end(p) ? line_end(p) + 1 : line_end(p);
        if (strncmp(p, "```", 3) != 0) {
            p = next;
            continue;
        }
        char *body = next, *end = body;
        b.tag = trim(arena_printf(a, "%.*s", (int)(line_end(p) - p - 3), p + 3));
        b.line = line_number(text, p) + 1;
        while (*end && strncmp(end, "```", 3) != 0) end = *line_end(end) ? line_end(end) + 1 : line_end(end);
        if (!*end) block_fail(&b, "the block has no end");
        RunFn *run = tag_find(&b, count);
        if (run) {
            const char *made = run(&b, trim(arena_printf(a, "%.*s", (int)(end - body), body)));
            text_add(&out, "%.*s%s\n", (int)(body - from), from, made);
            from = end;
        }
        p = *line_end(end) ? line_end(end) + 1 : line_end(end);
    }
    text_add(&out, "%s", from);
    return text_get(&out);
}

static void test_readme(void **state) {
    (void)state;
    Diag d = {0};
    Arena *a = arena_open(&d);
    if (!ARENA_TRY(a)) fail_msg("out of memory");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = arena_alloc(a, 1 << 20);
    text[fread(text, 1, (1 << 20) - 1, f)] = '\0';
    fclose(f);
    int count[COUNT_OF(tags)] = {0};
    const char *made = run_text(a, text, count);
    if (update) {
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(made, f);
        fclose(f);
    } else {
        for (size_t i = 0; i < COUNT_OF(tags); i++)
            if (count[i] < tags[i].at_least)
                fail_msg("%s: %d blocks of %s, at least %d should be", path, count[i], tags[i].tag, tags[i].at_least);
    }
    arena_close(a);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--update") == 0) update = true;
        else path = argv[i];
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readme)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
