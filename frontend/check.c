/* check: the kernels one by one in the order of the plan, then whole outputs. */
#include "frontend/check_part.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* "conv tanh": the ops of a group. */
static const char *group_ops(Arena *a, const Group *g) {
    Text t = {.arena = a};
    for (int i = 0; i < group_size(g); i++) text_add(&t, "%s%s", i ? " " : "", op_table[group_node(g, i)->op].name);
    return text_get(&t);
}

/* ---- setting up ----------------------------------------------------------------------------------- */

static void make_rows(Check *c) {
    CheckReport *r = c->report;
    const Plan *p = c->m->plan;
    bool *native = ARENA_ARRAY(r->arena, bool, c->m->written->n_node);
    r->n_row = p->n_step;
    r->row = ARENA_ARRAY(r->arena, CheckRow, p->n_step);
    for (int i = 0; i < p->n_step; i++) {
        const Node *result = c->m->buf_node[p->step[i].buf[p->step[i].n_arg - 1]];
        r->row[i].name = arena_strdup(r->arena, p->step[i].name);
        r->row[i].ops = group_ops(r->arena, &c->m->context.groups.v[i]);
        if (result->origin) native[result->origin->id] = true;
    }
    c->native = native;
    c->digest = ARENA_ARRAY(r->arena, uint64_t, c->m->graph->n_node);
    if (r->exact) return;
    r->n_output = p->n_output;
    r->output = ARENA_ARRAY(r->arena, CheckOutput, p->n_output);
    for (int i = 0; i < p->n_output; i++) r->output[i].name = arena_strdup(r->arena, p->output[i].name);
}

static void input_at_random(const Check *c, int i) {
    void *v = arena_alloc(c->report->arena, type_bytes(&c->m->plan->input[i].type));
    random_input(c->m, c->o->seed, i, 0, 1, v);
    c->inputs[i] = v;
}

static bool make_ports(Check *c, Diag *d) {
    Arena *a = c->report->arena;
    const Plan *p = c->m->plan;
    c->inputs = ARENA_ARRAY(a, const void *, p->n_input);
    c->outputs = ARENA_ARRAY(a, void *, p->n_output);
    for (int i = 0; i < p->n_input; i++) c->inputs[i] = c->o->inputs ? c->o->inputs[i] : NULL;
    for (int i = 0; i < p->n_output; i++) c->outputs[i] = memory_aligned(a, type_bytes(&p->output[i].type));
    if (c->o->against && !against_open(c, c->o->against, d)) return false;
    for (int i = 0; i < p->n_input; i++)
        if (!c->inputs[i]) input_at_random(c, i);
    return model_inputs_good(c->m, c->inputs, d);
}

/* ---- the kernels ---------------------------------------------------------------------------------- */

typedef struct StepJob {
    Check *c;
    int step;
} StepJob;

static bool one_step(Arena *a, void *ctx, Diag *d) {
    const StepJob *j = ctx;
    Check *c = j->c;
    const PlanStep *step = &c->m->plan->step[j->step];
    StepCheck s = {.c = c, .arena = a, .row = &c->report->row[j->step], .step = j->step, .n_in = step->n_arg - 1};
    s.kernel = c->m->kernel[j->step].kernel;
    s.arg = c->m->kernel[j->step].plain.arg;
    const Node *result = s.arg[s.n_in];
    s.type = result->type.dtype;
    s.memory = type_memory_elements(&result->type);
    s.elements = type_elements(&result->type);
    if (!step_check(&s, d)) {
        diag_prefix(d, "%s", s.row->name);
        return false;
    }
    if (result->origin) against_value(c, result->origin, CHECK_NATIVE, NULL, s.native, s.at);
    return true;
}

static bool all_steps(Check *c, Diag *d) {
    int n = c->m->plan->n_step;
    for (int i = 0; i < n; i++) {
        if (!check_scoped(one_step, &(StepJob){c, i}, d)) return false;
        if (c->o->progress) c->o->progress(c->o->ctx, c->report->row[i].name, i + 1, n);
    }
    return true;
}

/* ---- the whole -------------------------------------------------------------------------------------- */

static void judge(CheckReport *r) {
    r->good = true;
    for (int i = 0; i < r->n_row; i++) r->good &= r->row[i].faults == 0;
    for (int i = 0; i < r->n_output; i++) r->good &= r->output[i].faults == 0;
    for (int i = 0; i < r->n_tensor; i++) r->good &= !r->tensor[i].departs;
}

static bool all_compared(const Check *c, Diag *d) {
    for (int i = 0; i < c->n_file; i++)
        if (!c->file[i].done) return diag_fail(d, DIAG_INTERNAL, "check: tensor %s was not compared", c->file[i].name);
    return true;
}

static bool run_check(Check *c, Diag *d) {
    make_rows(c);
    if (!make_ports(c, d)) return false;
    if (c->o->exact) return all_steps(c, d);
    Whole *w = whole_start(c);
    return whole_finish(w, all_steps(c, d), d) && all_compared(c, d);
}

static CheckReport *report_open(const CheckOptions *o, Diag *d) {
    Arena *a = arena_open(d);
    if (!a) return NULL;
    CheckReport *volatile r = NULL;
    if (ARENA_TRY(a)) {
        r = ARENA_NEW(a, CheckReport);
        r->arena = a;
        r->exact = o->exact;
        r->rtol = o->rtol > 0 ? o->rtol : 1e-4;
    } else {
        diag_fail(d, DIAG_MACHINE, "out of memory while checking");
    }
    ARENA_END(a);
    if (!r) arena_close(a);
    return r;
}

CheckReport *check_model(LunetteModel *m, const CheckOptions *o, Diag *d) {
    double start = now();
    CheckReport *r = report_open(o, d);
    if (!r) return NULL;
    Check c = {.m = m, .o = o, .report = r, .threads = o->threads > 0 ? o->threads : pool_cpus()};
    volatile bool done = false;
    if (ARENA_TRY(r->arena)) done = run_check(&c, d);
    else diag_fail(d, DIAG_MACHINE, "out of memory while checking");
    ARENA_END(r->arena);
    against_close(&c);
    if (!done) {
        check_close(r);
        return NULL;
    }
    judge(r);
    r->seconds = now() - start;
    return r;
}

void check_close(CheckReport *r) {
    if (r) arena_close(r->arena);
}
