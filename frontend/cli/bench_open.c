/* Models, machines and tensors of a bench. */
#include "frontend/cli/bench.h"

LunetteModel *bench_model(const Bench *b, const LunetteOptions *o, Diag *d) {
    LunetteModel *m = b->text.layer ? model_load_from(layers_read, &(Layers){&b->text, 1}, o, NULL, NULL, d)
                                    : model_load(b->o.arg, o, NULL, NULL, d);
    if (m && model_weights(m, d) && model_build(m, d)) {
        cli_notes(m);
        return m;
    }
    model_close(m);
    return NULL;
}

/* From the cache line on, as a careful caller would have it. */
static void *aligned(Arena *a, const Type *t) {
    uintptr_t p = (uintptr_t)arena_alloc(a, type_bytes(t) + PLAN_ALIGN);
    return (void *)((p + PLAN_ALIGN - 1) & ~(uintptr_t)(PLAN_ALIGN - 1));
}

static void make_tensors(Bench *b, Arena *a) {
    const LunetteModel *m = b->run[0].model;
    const Plan *p = m->plan;
    b->x = ARENA_ARRAY(a, void *, p->n_input);
    b->y = ARENA_ARRAY(a, void *, p->n_output);
    for (int i = 0; i < p->n_output; i++) b->y[i] = aligned(a, &p->output[i].type);
    for (int i = 0; i < p->n_input; i++) {
        b->x[i] = aligned(a, &p->input[i].type);
        random_input(m, b->o.model.seed, i, -1, 1, b->x[i]);
    }
}

static bool open_models(Bench *b, Arena *a, Diag *d) {
    for (int r = 0; r < b->n_run; r++) {
        BenchRun *run = &b->run[r];
        LunetteOptions o = b->o.model;
        o.threads = b->threads[r];
        run->model = bench_model(b, &o, d);
        if (!run->model) return false;
        run->kernel = ARENA_ARRAY(a, Samples, run->model->plan->n_step);
        if (r > 0) continue;
        make_tensors(b, a);
        model_run(run->model, (const void *const *)b->x, b->y);
        b->first_answer = clock_since_start();
    }
    return true;
}

/* What was measured of the machine is kept for the next layer of a file. */
static bool open_roofs(Bench *b, Diag *d) {
    for (int r = 0; r < b->n_run; r++) {
        const LunetteModel *m = b->run[r].model;
        Roof *roof = &b->roof[r];
        if (!b->memory.at && !sweep_memory_open(&b->memory, &m->target, d)) return false;
        if (!roof->code && !roof_open(roof, b->roof_arena, &m->target, b->threads[r], &b->memory, d)) return false;
        roof->pool = m->pool;
        b->run[r].roof = roof;
        if (!b->widest || b->widest->threads < roof->threads) b->widest = roof;
    }
    return true;
}

bool bench_open(Bench *b, Arena *a, Diag *d) {
    if (!b->o.seeded) b->o.model.seed = 1;
    b->o.model.threads = b->threads[0];
    b->o.model.random_weights = !b->o.model.weights;
    progress_begin("compiling", 0);
    bool good = open_models(b, a, d) && open_roofs(b, d);
    progress_end();
    return good;
}

void bench_close(Bench *b) {
    for (int r = 0; r < b->n_run; r++) {
        model_close(b->run[r].model);
        b->run[r] = (BenchRun){0};
    }
    model_close(b->beside.model);
    b->beside = (Beside){0};
}
