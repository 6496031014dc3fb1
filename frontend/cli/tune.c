/* lunette tune: for each kernel that matters the model's schedule and some others (ir/schedule.h), timed in turns on the
 * network's own memory; what is faster is written to a file for --schedules. */
#include "frontend/cli/bench.h"
#include "frontend/data/writer.h"
#include "frontend/model.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_SECONDS = CLI_KEY, LEAST_ROUNDS = 5 };
static const double WORTH = 0.97; /* of the model's time: what is nearly as good is noise */

/* A distinct kernel, timed in the first step that has it. */
typedef struct Tuned {
    int step;
    double share; /* of a run: all steps that have this kernel */
    int n;        /* candidates, the model's first */
    Schedule schedule[MOST_CANDIDATES];
    const Kernel *kernel[MOST_CANDIDATES];
    Samples time[MOST_CANDIDATES];
    int best;
} Tuned;

typedef struct Tune {
    CliOptions o;
    const char *out;
    double seconds;
    LunetteModel *model;
    void **x, **y;
    Tuned *tuned;
    int n_tuned;
} Tune;

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Where the schedules go (needed)", 0},
    {"seconds", KEY_SECONDS, "S", 0, "Times candidates for about this long in all (default 5)", 0},
    {0},
};

static bool tune_option(int key, const char *value, void *own, Diag *d) {
    Tune *t = own;
    switch (key) {
    case 'o': t->out = value; return true;
    case KEY_SECONDS: return cli_real(value, "--seconds", 0.01, 3600, &t->seconds, d);
    default: return diag_fail(d, DIAG_INTERNAL, "option %d has no meaning", key);
    }
}

static bool tune_open(Tune *t, Arena *a, Diag *d) {
    if (!t->o.seeded) t->o.model.seed = 1;
    t->o.model.random_weights = !t->o.model.weights;
    if (t->o.model.schedules)
        return diag_fail(d, DIAG_USAGE, "tune begins with the model's own schedules: --schedules does not go with it");
    progress_begin("compiling", 0);
    t->model = model_load(t->o.arg, &t->o.model, NULL, NULL, d);
    bool good = t->model && model_weights(t->model, d) && model_build(t->model, d);
    progress_end();
    if (!good) return false;
    const Plan *p = t->model->plan;
    t->x = ARENA_ARRAY(a, void *, p->n_input);
    t->y = ARENA_ARRAY(a, void *, p->n_output);
    for (int i = 0; i < p->n_output; i++) t->y[i] = arena_alloc(a, type_bytes(&p->output[i].type));
    for (int i = 0; i < p->n_input; i++) {
        t->x[i] = arena_alloc(a, type_bytes(&p->input[i].type));
        random_input(t->model, t->o.model.seed, i, -1, 1, t->x[i]);
    }
    return true;
}

/* The share of each step in a run: the least of a few. */
static double *step_shares(Tune *t, Arena *a) {
    LunetteModel *m = t->model;
    int n = m->plan->n_step;
    double *least = ARENA_ARRAY(a, double, n), all = 0;
    for (int round = 0; round < LEAST_ROUNDS; round++) {
        model_run(m, (const void *const *)t->x, t->y);
        for (int s = 0; s < n; s++) {
            double then = clock_seconds();
            model_run_step(m, s, m->args[s]);
            double now = clock_seconds() - then;
            if (round == 0 || now < least[s]) least[s] = now;
        }
    }
    for (int s = 0; s < n; s++) all += least[s];
    for (int s = 0; s < n; s++) least[s] /= all;
    return least;
}

static bool given(const LunetteModel *m, int step) {
    const Group *g = &m->context.groups.v[step];
    bool some = false;
    for (int i = 0; i < group_size(g); i++) some |= group_node(g, i)->schedule != NULL;
    return some;
}

/* Kernels by their share, largest first, until nearly all of a run is covered. What the spec schedules itself stays. */
static int by_share(const void *a, const void *b) {
    double x = ((const Tuned *)a)->share, y = ((const Tuned *)b)->share;
    return (x < y) - (x > y);
}

static void find_kernels(Tune *t, Arena *a) {
    const LunetteModel *m = t->model;
    const double *share = step_shares(t, a);
    t->tuned = ARENA_ARRAY(a, Tuned, m->plan->n_step);
    for (int s = 0; s < m->plan->n_step; s++) {
        int at = 0;
        while (at < t->n_tuned && m->kernel_of[t->tuned[at].step] != m->kernel_of[s]) at++;
        if (at == t->n_tuned && given(m, s)) continue;
        if (at == t->n_tuned) t->tuned[t->n_tuned++].step = s;
        t->tuned[at].share += share[s];
    }
    qsort(t->tuned, (size_t)t->n_tuned, sizeof *t->tuned, by_share);
    double covered = 0;
    int n = 0;
    for (; n < t->n_tuned && covered < 0.98; n++) covered += t->tuned[n].share;
    t->n_tuned = n;
}

/* In place where the model's own is, if that is legal. */
static void put_over(Kernel *one, const Kernel *model) {
    const Buf *y = &model->buf[model->n_param - 1];
    if (!y->is_over) return;
    const char *step = arena_printf(one->arena, "inplace %s over %s", y->name, model->buf[y->over].name);
    kernel_schedule(one, step, NULL, NULL);
}

/* Candidates that are legal, as kernels. */
static void find_candidates(Tune *t, Arena *a, Tuned *k) {
    const Kernel *plain = t->model->kernel[k->step].plain.kernel;
    Schedule all[MOST_CANDIDATES];
    int n = schedule_candidates(a, plain, &t->model->target, all);
    for (int i = 0; i < n; i++) {
        Kernel *one = kernel_clone(a, plain);
        if (!kernel_schedule(one, all[i].steps, NULL, NULL)) continue;
        put_over(one, t->model->kernel[k->step].kernel);
        k->schedule[k->n] = all[i];
        k->kernel[k->n++] = one;
    }
}

/* The parameters of a step. Where its result lies over an operand each run destroys that, so it is put back before the
 * next; and a candidate that is not made for this stores its result elsewhere. */
typedef struct Params {
    void *const *args;
    void **apart;          /* NULL: nothing lies over another */
    void *operand, *saved; /* [bytes] */
    size_t bytes;
} Params;

static Params params_of(const LunetteModel *m, int step, Arena *a) {
    const PlanStep *s = &m->plan->step[step];
    Params p = {.args = m->args[step]};
    int over = plan_step_over(m->plan, step);
    if (over < 0) return p;
    p.operand = p.args[over];
    p.bytes = type_bytes(&m->plan->buf[s->buf[over]].type);
    p.saved = arena_copy(a, p.operand, p.bytes);
    p.apart = arena_copy(a, p.args, sizeof *p.apart * (size_t)s->n_arg);
    char *own = arena_alloc(a, p.bytes + PLAN_ALIGN);
    p.apart[s->n_arg - 1] = own + (PLAN_ALIGN - (uintptr_t)own % PLAN_ALIGN) % PLAN_ALIGN;
    return p;
}

static void *const *params_ready(const Params *p, const Kernel *k) {
    if (!p->apart) return p->args;
    memcpy(p->operand, p->saved, p->bytes);
    return k->buf[k->n_param - 1].is_over ? p->args : p->apart;
}

typedef struct Call {
    KernelFn fn;
    void *const *args;
    const intptr_t *values;
    const Scratch *scratch;
} Call;

static void call_tasks(void *ctx, int64_t begin, int64_t end, int thread) {
    const Call *c = ctx;
    c->fn(c->args, c->values, scratch_of(c->scratch, thread), (intptr_t)begin, (intptr_t)end);
}

static bool time_candidates(Tune *t, Arena *a, Tuned *k, double seconds, Diag *d) {
    LunetteModel *m = t->model;
    CodeOptions o = {.threads = pool_cpus(), .cache_dir = NULL};
    CodeLib *code;
    int64_t bytes = 0;
    for (int i = 0; i < k->n; i++) {
        int64_t own = kernel_scratch(k->kernel[i], NULL);
        if (own > bytes) bytes = own;
    }
    Scratch scratch;
    if (!code_open(&code, k->kernel, k->n, &m->target, &o, d)) return false;
    if (!scratch_open(&scratch, bytes, pool_threads(m->pool), d)) {
        code_close(code);
        return false;
    }
    const Params params = params_of(m, k->step, a);
    int64_t **cut = ARENA_ARRAY(a, int64_t *, k->n);
    for (int i = 0; i < k->n; i++) {
        cut[i] = ARENA_ARRAY(a, int64_t, pool_threads(m->pool) + 1);
        kernel_cut(k->kernel[i], pool_threads(m->pool), cut[i]);
    }
    double start = clock_seconds();
    for (int round = 0; round < LEAST_ROUNDS || clock_seconds() - start < seconds; round++)
        for (int i = 0; i < k->n; i++) {
            int which = round % 2 ? k->n - 1 - i : i; /* so that none always runs after the same one */
            Call call = {code_fn(code, which), params_ready(&params, k->kernel[which]), code_args(code, which),
                         &scratch};
            double then = clock_seconds();
            pool_run_cut(m->pool, call_tasks, &call, cut[which]);
            if (round > 0) samples_add(a, &k->time[which], clock_seconds() - then);
        }
    scratch_close(&scratch);
    code_close(code);
    for (int i = 1; i < k->n; i++) {
        double best = samples_part(a, &k->time[k->best], 0.5) * (k->best ? 1 : WORTH);
        if (samples_part(a, &k->time[i], 0.5) < best) k->best = i;
    }
    return true;
}

static bool tune_kernels(Tune *t, Arena *a, Diag *d) {
    find_kernels(t, a);
    progress_begin("tuning kernels", t->n_tuned);
    bool good = true;
    for (int i = 0; good && i < t->n_tuned; i++) {
        find_candidates(t, a, &t->tuned[i]);
        for (int s = 0; s < t->tuned[i].step; s++)
            model_run_step(t->model, s, t->model->args[s]); /* what it reads is there */
        if (t->tuned[i].n > 1) good = time_candidates(t, a, &t->tuned[i], t->seconds * t->tuned[i].share, d);
        progress_set(i + 1);
    }
    progress_end();
    return good;
}

/* ---- results ---------------------------------------------------------------------------------------- */

static double median_ms(Arena *a, const Samples *s) { return 1e3 * samples_part(a, s, 0.5); }

static void put_steps(Text *f, const char *steps) {
    for (const char *p = steps; *p;) {
        size_t n = strcspn(p, ";");
        text_add(f, "        \"%.*s\",\n", (int)n, p);
        p += n;
        p += strspn(p, "; ");
    }
}

/* An entry for every layer that has the kernel. */
static void put_layers(const Tune *t, Text *f, Arena *a, const Tuned *k) {
    const LunetteModel *m = t->model;
    for (int s = 0; s < m->plan->n_step; s++) {
        if (m->kernel_of[s] != m->kernel_of[k->step] || given(m, s)) continue;
        text_add(f, "    [\"%s\"] = { -- %.4f ms, the model's %.4f: %s\n", m->context.groups.v[s].anchor->name,
                 median_ms(a, &k->time[k->best]), median_ms(a, &k->time[0]), k->schedule[k->best].reason);
        put_steps(f, k->schedule[k->best].steps);
        text_add(f, "    },\n");
    }
}

static bool tune_write(const Tune *t, Arena *a, Diag *d) {
    Text f = {.arena = a};
    text_add(&f, "-- %s on %s, %d thread%s: schedules that were faster than the model's (lunette tune)\nschedules {\n",
             t->model->written->name, t->model->target.cpu, t->model->options.threads,
             t->model->options.threads == 1 ? "" : "s");
    for (int i = 0; i < t->n_tuned; i++)
        if (t->tuned[i].best > 0) put_layers(t, &f, a, &t->tuned[i]);
    text_add(&f, "}\n");
    FileWriter *w = writer_open(t->out, d);
    if (!w) return false;
    if (writer_add(w, f.v, f.n, d)) return writer_commit(w, d);
    writer_abort(w);
    return false;
}

static int tune_report(const Tune *t, Arena *a) {
    TextTable table;
    double saved = 0;
    int better = 0;
    table_open(&table, a, "lrrrrl");
    table_row(&table, "kernel|of a run|tried|model ms|best ms|schedule");
    for (int i = 0; i < t->n_tuned; i++) {
        const Tuned *k = &t->tuned[i];
        double model = median_ms(a, &k->time[0]), best = median_ms(a, &k->time[k->best]);
        if (k->best) saved += k->share * (1 - best / model);
        better += k->best > 0;
        table_cell(&table, "%s", t->model->context.groups.v[k->step].anchor->name);
        table_cell(&table, "%.1f %%", 100 * k->share);
        table_cell(&table, "%d", k->n);
        table_cell(&table, "%.4f", model);
        table_cell(&table, "%.4f", best);
        table_cell(&table, "%s", k->best ? k->schedule[k->best].reason : "the model's");
    }
    table_print(&table, stdout);
    printf("\n%d of %d kernels have a better schedule, written to %s; together they save %.1f %% of a run\n", better,
           t->n_tuned, t->out, 100 * saved);
    return 0;
}

static int tune_body(Arena *a, void *ctx) {
    Tune *t = ctx;
    Diag *d = &t->o.diag;
    if (!t->out) diag_fail(d, DIAG_USAGE, "tune wants -o FILE for the schedules");
    bool good = t->out && tune_open(t, a, d) && tune_kernels(t, a, d) && tune_write(t, a, d);
    return good ? tune_report(t, a) : cli_fail(d);
}

int cli_tune(int argc, char **argv) {
    static const CliSyntax syntax = {
        .name = "tune",
        .args = "SPEC",
        .doc = "Times a handful of legal schedules for every kernel that matters, in turns on the network's own "
               "memory, and writes "
               "those that beat the model's to a file for --schedules.",
        .shared = CLI_MODEL | CLI_WEIGHTS | CLI_BUILD,
        .options = options,
        .option = tune_option,
    };
    Tune t = {.seconds = 5};
    if (!cli_parse(&syntax, argc, argv, &t.o, &t)) return t.o.exit;
    int code = cli_with_arena(tune_body, &t);
    model_close(t.model);
    cli_close(&t.o);
    return code;
}
