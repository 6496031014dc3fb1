/* Goldens of steps and passes: tests/golden/NAME.txt holds
 *
 *     kernel … { … }              or  graph … { … }
 *     >>> split w 14 -> wo wi         >>> fold
 *     kernel … by { … } { … }         graph … { … }
 *
 * or, for what must be refused, `!!! message` behind the step; several cases a file, apart by lines of
 * "----". Both sides are also run: the two kernels by the interpreter, the two graphs by the reference,
 * on random data. So a golden cannot bless a wrong rewrite.
 *
 *     test_golden --update     writes what comes out into the files (both sides still run) */
#include "ir/loop.h"
#include "ir/passes.h"
#include "runtime/interp.h"
#include "runtime/reference.h"
#include "tests/random_graph.h"
#include "tests/random_nest.h"
#include "tests/random_over.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool update;

typedef struct Golden {
    Arena *a;
    const char *file;
    int number; /* of the case in the file */
} Golden;

static void golden_fail(const Golden *g, const char *what) { fail_msg("%s, case %d: %s", g->file, g->number, what); }

/* ---- kernels ------------------------------------------------------------------------------------ */

static Kernel *read_kernel(const Golden *g, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, g->a, g->file, text, &d);
    Kernel *k = kernel_parse(&l);
    if (!k || !kernel_verify(k, &d)) golden_fail(g, d.text);
    return k;
}

static void run_over(const Kernel *k, void **buf, void *ctx) {
    Diag d = {0};
    if (!interp_run(k, buf, 0, kernel_tasks(k), true, &d)) golden_fail(ctx, d.text);
}

/* Sums in another order differ by rounding; everything else is the same to the bit. */
static void same_result(const Golden *g, const Kernel *x, const Kernel *y, const char *step) {
    uint64_t seed = 7, again = 7;
    Diag d = {0};
    void **p = random_buffers(x, &seed), **q = random_buffers(y, &again);
    bool reorders = strncmp(step, "order", 5) == 0 || strncmp(step, "rfactor", 7) == 0;
    if (!interp_run(x, p, 0, kernel_tasks(x), true, &d) || !interp_run(y, q, 0, kernel_tasks(y), true, &d))
        golden_fail(g, d.text);
    if (random_buffers_difference(x, p, q, reorders ? 1e-5 : 0))
        golden_fail(g, "the two sides compute different results");
    if (over_difference(y, 7, run_over, (void *)(uintptr_t)g)) golden_fail(g, "in place it computes something else");
    random_buffers_free(x, p);
    random_buffers_free(y, q);
}

static const char *run_kernel(const Golden *g, const char *before, const char *step) {
    Kernel *x = read_kernel(g, before), *y = kernel_clone(g->a, x);
    Diag d = {0};
    if (!kernel_schedule(y, step, NULL, &d)) return arena_printf(g->a, "!!! %s\n", d.text);
    same_result(g, x, y, step);
    const char *text = kernel_text(g->a, y);
    same_result(g, x, read_kernel(g, text), step);
    return text;
}

/* ---- graphs ------------------------------------------------------------------------------------- */

static Graph *read_graph(const Golden *g, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, g->a, g->file, text, &d);
    Graph *graph = graph_parse(&l);
    if (!graph || !graph_verify(graph, &d)) golden_fail(g, d.text);
    return graph;
}

/* The sources of both graphs have the same names; the outputs are compared in order. */
static void same_outputs(const Golden *golden, const Graph *x, const Graph *y) {
    const Graph *both[2] = {x, y};
    RefTensor **value[2];
    Diag d = {0};
    for (int s = 0; s < 2; s++) {
        value[s] = ARENA_ARRAY(golden->a, RefTensor *, both[s]->n_node);
        for (int i = 0; i < both[s]->n_node; i++) {
            const Node *n = both[s]->node[i];
            if (n->op != OP_INPUT && n->op != OP_WEIGHT) continue;
            uint64_t seed = 1469598103934665603u;
            for (const char *c = n->name; *c; c++) seed = (seed ^ (unsigned char)*c) * 1099511628211u;
            value[s][i] = ref_from_f32(golden->a, &n->type, random_tensor(golden->a, n, &seed));
        }
    }
    if (x->n_out != y->n_out) golden_fail(golden, "another number of outputs");
    for (int o = 0; o < x->n_out; o++) {
        const Node *p = x->out[o].node, *q = y->out[o].node;
        if (!reference_eval(golden->a, x, value[0], p, false, &d) ||
            !reference_eval(golden->a, y, value[1], q, false, &d))
            golden_fail(golden, d.text);
        for (int64_t i = 0; i < type_elements(&p->type); i++) {
            double u = value[0][p->id]->v[i], v = value[1][q->id]->v[i];
            if (!(fabs(u - v) <= 1e-9 * (1 + fabs(u)))) golden_fail(golden, "the two sides mean different things");
        }
    }
}

static const char *run_graph(const Golden *g, const char *before, const char *pass) {
    static const Target target = {
        .cpu = "sixteen lanes", .vector_bytes = 64, .vector_registers = 32, .fma_latency = 8, .fma = true};
    Graph *x = read_graph(g, before), *y = graph_copy(g->a, x);
    PassContext c = {.target = &target};
    Diag d = {0};
    for (const char *p = pass; *p; p += strspn(p, "; ")) { /* "layout; place" */
        size_t n = strcspn(p, "; ");
        int i = 0;
        while (i < pass_count && (strncmp(pass_table[i].name, p, n) != 0 || pass_table[i].name[n])) i++;
        if (i == pass_count) golden_fail(g, "no such pass");
        pass_table[i].run(y, &c);
        p += n;
    }
    if (!graph_verify(y, &d)) golden_fail(g, d.text);
    same_outputs(g, x, y);
    Text t = {.arena = g->a};
    text_add(&t, "%s", graph_text(g->a, y));
    for (int i = 0; i < c.groups.n; i++) {
        text_add(&t, "# group ");
        group_print(&t, &c.groups.v[i]);
        text_add(&t, "\n");
    }
    same_outputs(g, x, read_graph(g, text_get(&t)));
    return text_get(&t);
}

/* ---- files -------------------------------------------------------------------------------------- */

static char *trim(char *s) {
    while (*s == '\n' || *s == ' ') s++;
    for (char *e = s + strlen(s); e > s && (e[-1] == '\n' || e[-1] == ' '); e--) e[-1] = '\0';
    return s;
}

/* One case: "before >>> step \n after"; gives what the file should hold. */
static const char *run_case(const Golden *g, char *text) {
    char *mark = strstr(text, ">>>");
    if (!mark) golden_fail(g, "no line with >>>");
    char *step = mark + 3, *after = strchr(step, '\n');
    *mark = '\0';
    if (after) *after++ = '\0';
    else after = step + strlen(step);
    char *before = trim(text);
    step = trim(step);
    char *body = before; /* comments may come before the text */
    while (*body == '#') body = trim(strchr(body, '\n') ? strchr(body, '\n') : body + strlen(body));
    const char *got = strncmp(body, "graph", 5) == 0 ? run_graph(g, before, step) : run_kernel(g, before, step);
    char *made = trim(arena_strdup(g->a, got));
    if (!update && strcmp(made, trim(after)) != 0) golden_fail(g, arena_printf(g->a, ">>> %s gives\n%s", step, made));
    return arena_printf(g->a, "%s\n\n>>> %s\n\n%s\n", before, step, made);
}

static void run_file(const char *path) {
    Diag d = {0};
    Arena *a = arena_open(&d);
    if (!ARENA_TRY(a)) fail_msg("out of memory");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = arena_alloc(a, 1 << 20);
    text[fread(text, 1, (1 << 20) - 1, f)] = '\0';
    fclose(f);
    Text out = {.arena = a};
    Golden g = {a, path, 0};
    for (char *p = text; p;) {
        char *end = strstr(p, "\n----\n"), *next = end ? end + 6 : NULL;
        if (end) *end = '\0';
        g.number++;
        text_add(&out, "%s%s", g.number > 1 ? "\n----\n" : "", run_case(&g, p));
        p = next;
    }
    if (update) {
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(text_get(&out), f);
        fclose(f);
    }
    arena_close(a);
}

static void test_goldens(void **state) {
    (void)state;
    DIR *dir = opendir(TESTS_DIR "/golden");
    assert_non_null(dir);
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[4096];
        if (!strstr(e->d_name, ".txt")) continue;
        snprintf(path, sizeof path, TESTS_DIR "/golden/%s", e->d_name);
        run_file(path);
        n++;
    }
    closedir(dir);
    assert_true(n >= 8);
}

int main(int argc, char **argv) {
    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
