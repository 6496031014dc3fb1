/* The whole compiler on random networks, for every CPU level the host has: what the graph as written
 * means (double, with error bounds) = the plain nests = the scheduled nests = native code. The first
 * three agree within the derived bound, the last two to the bit. In native code alone results lie in the memory of operands
 * where the plan says so.
 *
 *   test_compiler [N [FIRST]]     N networks from seed FIRST on; prints the seed of each failure */
#include "frontend/model.h"
#include "codegen/target.h"
#include "runtime/interp.h"
#include "runtime/reference.h"
#include "tests/random_graph.h"
#include "tests/random_nest.h"
#include "tests/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const cpus[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4", NULL};

typedef struct Case {
    uint64_t seed;
    Graph *g;
} Case;

static Graph *from_seed(Arena *a, const void *from, const LunetteOptions *o, Diag *d) {
    (void)o;
    uint64_t seed = *(const uint64_t *)from;
    return random_graph(a, &seed, d);
}

static Graph *chain_from_seed(Arena *a, const void *from, const LunetteOptions *o, Diag *d) {
    (void)o;
    uint64_t seed = *(const uint64_t *)from;
    return random_chain(a, &seed, d);
}

typedef struct Run {
    LunetteModel *m;
    Arena *a;
    float **buf[3];    /* plain, scheduled, native: memory of each plan buffer */
    RefTensor **value; /* of the graph as written */
    uint64_t seed;
    const char *cpu;
} Run;

static void fail_at(const Run *r, const char *what, const char *why) {
    fail_msg("seed %llu, %s: %s: %s", (unsigned long long)r->seed, r->cpu ? r->cpu : "host", what, why);
}

static void set_inputs(Run *r) {
    LunetteModel *m = r->m;
    uint64_t seed = r->seed ^ 0x5eed;
    r->value = ARENA_ARRAY(r->a, RefTensor *, m->written->n_node);
    for (int i = 0; i < m->written->n_node; i++) {
        const Node *n = m->written->node[i];
        if (n->op != OP_INPUT && n->op != OP_WEIGHT) continue;
        float *v = random_tensor(r->a, n, &seed);
        r->value[i] = ref_from_f32(r->a, &n->type, v);
        if (n->op == OP_WEIGHT) m->weight[i] = v;
        for (int b = 0; b < m->plan->n_buf; b++)
            if (m->plan->buf[b].place == PLACE_INPUT && strcmp(m->plan->input[m->plan->buf[b].at].name, n->name) == 0)
                for (int k = 0; k < 3; k++) memcpy(r->buf[k][b], v, type_bytes(&n->type));
    }
}

static int in_place; /* results in the memory of an operand, of all cases */

static void make_buffers(Run *r) {
    const Plan *p = r->m->plan;
    for (int k = 0; k < 3; k++) {
        r->buf[k] = ARENA_ARRAY(r->a, float *, p->n_buf);
        for (int b = 0; b < p->n_buf; b++) {
            int64_t n = type_memory_elements(&p->buf[b].type);
            if (p->buf[b].is_part) {
                r->buf[k][b] = r->buf[k][p->buf[b].whole] + plan_part_offset(p, b) / (int64_t)sizeof(float);
                continue;
            }
            if (k == 2 && p->buf[b].is_over) {
                r->buf[k][b] = r->buf[k][p->buf[b].over];
                in_place++;
                continue;
            }
            r->buf[k][b] = arena_alloc(r->a, type_bytes(&p->buf[b].type));
            for (int64_t i = 0; i < n && p->buf[b].type.dtype == DT_F32; i++) r->buf[k][b][i] = NAN;
        }
    }
}

static void pack(Run *r) {
    Diag d = {0};
    for (int b = 0; b < r->m->plan->n_buf; b++) {
        if (r->m->plan->buf[b].place != PLACE_WEIGHTS) continue;
        if (!constant_pack(r->m, r->m->buf_node[b], r->buf[0][b], NULL, &d)) fail_at(r, "pack", d.text);
        for (int k = 1; k < 3; k++) memcpy(r->buf[k][b], r->buf[0][b], type_bytes(&r->m->plan->buf[b].type));
    }
}

static bool same_bits(float x, float y) { return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y)); }

/* One value in its layout against the reference, element by element, and its halo. */
static void compare(Run *r, int b, int which) {
    const Node *n = r->m->buf_node[b];
    const char *names[] = {"plain nest", "scheduled nest", "native code"};
    Diag d = {0};
    if (!n->origin) return; /* a pass made it: its users show whether it is right */
    if (!reference_eval(r->a, r->m->written, r->value, n->origin, true, &d)) fail_at(r, n->name, d.text);
    const RefTensor *ref = r->value[n->origin->id], *got = ref_from_f32(r->a, &n->type, r->buf[which][b]);
    int64_t count = type_elements(&n->type);
    for (int64_t i = 0; i < count; i++) {
        double bound = (ref->err ? ref->err[i] : 0) + 0x1p-24 * fabs(ref->v[i]) + 0x1p-149;
        if (fabs(got->v[i] - ref->v[i]) <= bound) continue;
        fail_at(r, names[which],
                arena_printf(r->a, "%s[%lld] is %.9g, the reference %.9g, the bound %.3g\n%s", n->name, (long long)i,
                             got->v[i], ref->v[i], bound, kernel_text(r->a, r->m->kernel[0].kernel)));
    }
}

static int n_sources;

static void run_case(ModelSource *source, uint64_t seed, const char *cpu) {
    Diag d = {0};
    LunetteOptions o = {.cpu = cpu, .batch = 1};
    LunetteModel *m = model_load_from(source, &seed, &o, NULL, NULL, &d);
    Run r = {.m = m, .seed = seed, .cpu = cpu, .a = arena_open(&d)};
    if (!m) fail_at(&r, "load", d.text);
    if (!ARENA_TRY(r.a) || !ARENA_TRY(m->arena)) fail_at(&r, "arena", "out of memory");
    make_buffers(&r);
    set_inputs(&r);
    pack(&r);
    const Kernel **kernels = ARENA_ARRAY(r.a, const Kernel *, m->plan->n_step);
    for (int i = 0; i < m->plan->n_step; i++) kernels[i] = m->kernel[i].kernel;
    CodeLib *code = NULL;
    bool native = target_runs_here(&m->target);
    CodeOptions co = {.threads = 2};
    if (native && !code_open(&code, kernels, m->plan->n_step, &m->target, &co, &d)) fail_at(&r, "compile", d.text);
    for (int s = 0; s < m->plan->n_step; s++) {
        const PlanStep *step = &m->plan->step[s];
        void *args[3][64];
        assert_true(step->n_arg <= 64);
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < step->n_arg; i++) args[k][i] = r.buf[k][step->buf[i]];
        const char *reason = m->kernel[s].reason;
        n_sources += m->context.groups.v[s].n_source > 0;
        if (strncmp(reason, "as lowered, for", 15) == 0 || strstr(reason, "was refused")) fail_at(&r, step->name, reason);
        const Kernel *plain = m->kernel[s].plain.kernel, *scheduled = m->kernel[s].kernel;
        if (!interp_run(plain, args[0], 0, kernel_tasks(plain), m->target.fma, &d)) fail_at(&r, step->name, d.text);
        if (!interp_run(scheduled, args[1], 0, kernel_tasks(scheduled), m->target.fma, &d))
            fail_at(&r, step->name, d.text);
        int out = step->buf[step->n_arg - 1];
        compare(&r, out, 0);
        compare(&r, out, 1);
        if (!native) continue;
        code_fn(code, s)(args[2], code_args(code, s), scratch_for(scheduled), 0, (intptr_t)kernel_tasks(scheduled));
        const Type *type = &m->plan->buf[out].type;
        int64_t n = type->dtype == DT_F32 ? type_memory_elements(type) : 0;
        if (n == 0 && memcmp(r.buf[1][out], r.buf[2][out], type_bytes(type)) != 0)
            fail_at(&r, step->name, arena_printf(r.a, "native and nest differ\n%s", kernel_text(r.a, scheduled)));
        for (int64_t i = 0; i < n; i++)
            if (!same_bits(r.buf[1][out][i], r.buf[2][out][i]))
                fail_at(&r, step->name,
                        arena_printf(r.a, "element %lld: native %.9g, nest %.9g\n%s", (long long)i,
                                     (double)r.buf[2][out][i], (double)r.buf[1][out][i], kernel_text(r.a, scheduled)));
    }
    code_close(code);
    arena_close(r.a);
    model_close(m);
}

static int n_cases = 40;
static uint64_t first_seed = 1;

static void test_random_networks(void **state) {
    (void)state;
    for (int i = 0; i < n_cases; i++)
        for (size_t c = 0; c < COUNT_OF(cpus); c++) run_case(from_seed, first_seed + (uint64_t)i, cpus[c]);
    printf("%d results in place\n", in_place);
    assert_true(n_cases < 40 || in_place > n_cases / 4);
}

static void test_random_chains(void **state) {
    (void)state;
    for (int i = 0; i < n_cases; i++)
        for (size_t c = 0; c < COUNT_OF(cpus); c++) run_case(chain_from_seed, first_seed + (uint64_t)i, cpus[c]);
    printf("%d kernels compute what they read\n", n_sources);
    assert_true(n_cases < 40 || n_sources > n_cases / 2);
}

int main(int argc, char **argv) {
    if (argc > 1) n_cases = atoi(argv[1]);
    if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_networks), cmocka_unit_test(test_random_chains)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
