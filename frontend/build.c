/* Building and running: code, packed weights, memory, threads. */
#include "frontend/model.h"

#include "codegen/cache.h"
#include "codegen/target.h"
#include "frontend/indices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool pack_when_idle(void *packing) { return packing_step(packing, NULL); }

static bool compile(LunetteModel *m, Packing *packing, Diag *d) {
    int n = m->plan->n_step;
    char dir[4096];
    CodeOptions o = {
        .threads = pool_cpus(), .cache_dir = m->options.cache_dir, .idle = pack_when_idle, .idle_ctx = packing};
    if (m->options.no_cache) o.cache_dir = NULL;
    else if (!o.cache_dir && cache_default_dir(dir, sizeof dir)) o.cache_dir = dir;
    const Kernel **kernels = ARENA_ARRAY(m->arena, const Kernel *, n);
    for (int i = 0; i < n; i++) kernels[i] = m->kernel[i].kernel;
    if (!target_runs_here(&m->target))
        return diag_fail(d, DIAG_USAGE, "code for %s does not run on this machine", m->target.cpu);
    if (!code_open(&m->code, kernels, n, &m->target, &o, d)) return false;
    m->fn = ARENA_ARRAY(m->arena, KernelFn, n);
    for (int i = 0; i < n; i++) m->fn[i] = code_fn(m->code, i);
    return true;
}

void *model_buffer(const LunetteModel *m, int buf, const void *const *inputs, void *const *outputs) {
    const PlanBuf *b = &m->plan->buf[buf];
    if (b->is_part) {
        char *whole = model_buffer(m, b->whole, inputs, outputs);
        return whole ? whole + plan_part_offset(m->plan, buf) : NULL;
    }
    switch (b->place) {
    case PLACE_ARENA: return m->memory + b->at;
    case PLACE_WEIGHTS: return m->weights + b->at;
    case PLACE_INPUT: return inputs ? (void *)(uintptr_t)inputs[b->at] : NULL;
    case PLACE_OUTPUT: return outputs ? outputs[b->at] : NULL;
    }
    return NULL;
}

static void bind_args(LunetteModel *m) {
    m->args = ARENA_ARRAY(m->arena, void **, m->plan->n_step);
    m->cut = ARENA_ARRAY(m->arena, int64_t *, m->plan->n_step);
    for (int s = 0; s < m->plan->n_step; s++) {
        const PlanStep *step = &m->plan->step[s];
        m->cut[s] = ARENA_ARRAY(m->arena, int64_t, pool_threads(m->pool) + 1);
        kernel_cut(m->kernel[s].kernel, pool_threads(m->pool), m->cut[s]);
        m->args[s] = ARENA_ARRAY(m->arena, void *, step->n_arg);
        for (int i = 0; i < step->n_arg; i++) m->args[s][i] = model_buffer(m, step->buf[i], NULL, NULL);
    }
}

/* What gather takes as index: an input is looked at before each run, a weight now. */
static bool find_indices(LunetteModel *m, Diag *d) {
    const Graph *g = m->written;
    m->places = ARENA_ARRAY(m->arena, int64_t, m->plan->n_input);
    for (int i = 0; i < m->plan->n_input; i++)
        m->places[i] = index_places(m->index_user[graph_find(g, m->plan->input[i].name)->id]);
    for (int i = 0; i < g->n_node; i++) {
        const Node *w = g->node[i];
        if (w->op != OP_WEIGHT || w->type.dtype == DT_F32 || !m->weight[i]) continue;
        int64_t places = index_places(m->index_user[i]);
        if (places && !index_check(&w->type, m->weight[i], places, w->name, d)) return false;
    }
    return true;
}

bool model_inputs_good(const LunetteModel *m, const void *const *inputs, Diag *d) {
    for (int i = 0; i < m->plan->n_input; i++) {
        char name[256];
        const PlanPort *p = &m->plan->input[i];
        if (m->places[i] == 0 || !inputs[i]) continue;
        snprintf(name, sizeof name, "input '%.200s'", p->name);
        if (!index_check(&p->type, inputs[i], m->places[i], name, d)) return false;
    }
    return true;
}

/* Threads that have nothing to compile pack weights; what is left then is shared by the pool. */
static bool compile_and_pack(LunetteModel *m, Diag *d) {
    Packing packing;
    packing_open(&packing, m);
    bool good = compile(m, &packing, d);
    while (good && packing_step(&packing, m->pool)) {}
    return packing_close(&packing, d) && good;
}

static bool open_memory(LunetteModel *m, Diag *d) {
    m->memory = memory_open(m->plan->arena_bytes, &m->memory_size, d);
    if (!m->memory) return false;
    m->weights = memory_open(m->plan->weight_bytes, &m->weights_size, d);
    return m->weights && scratch_open(&m->scratch, m->plan->scratch_bytes, m->options.threads, d);
}

bool model_build(LunetteModel *m, Diag *d) {
    volatile bool good = false;
    if (ARENA_TRY(m->arena)) {
        m->pool = open_memory(m, d) ? pool_open(m->options.threads, d) : NULL;
        good = m->pool && find_indices(m, d) && compile_and_pack(m, d);
        if (good) bind_args(m);
    } else {
        diag_fail(d, DIAG_MACHINE, "out of memory while building");
    }
    ARENA_END(m->arena);
    return good;
}

typedef struct StepCall {
    KernelFn fn;
    void *const *args;
    const intptr_t *values;
    const Scratch *scratch;
} StepCall;

static void step_tasks(void *ctx, int64_t begin, int64_t end, int thread) {
    const StepCall *c = ctx;
    c->fn(c->args, c->values, scratch_of(c->scratch, thread), (intptr_t)begin, (intptr_t)end);
}

void model_run_step(LunetteModel *m, int step, void *const *args) {
    StepCall call = {m->fn[step], args, code_args(m->code, step), &m->scratch};
    pool_run_cut(m->pool, step_tasks, &call, m->cut[step]);
}

void model_run(LunetteModel *m, const void *const *inputs, void *const *outputs) {
    for (int s = 0; s < m->plan->n_step; s++) {
        const PlanStep *step = &m->plan->step[s];
        for (int i = 0; i < step->n_arg; i++) {
            Place place = m->plan->buf[step->buf[i]].place;
            if (place == PLACE_INPUT || place == PLACE_OUTPUT)
                m->args[s][i] = model_buffer(m, step->buf[i], inputs, outputs);
        }
        model_run_step(m, s, m->args[s]);
    }
}

void model_close(LunetteModel *m) {
    if (!m) return;
    pool_close(m->pool);
    code_close(m->code);
    safetensors_close(m->file);
    mem_free(m->weight_block);
    scratch_close(&m->scratch);
    memory_close(m->weights, m->weights_size);
    memory_close(m->memory, m->memory_size);
    arena_close(m->arena);
}
