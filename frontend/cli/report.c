#include "frontend/cli/bench.h"

#include "frontend/cli/facts.h"
#include "frontend/cli/input.h"

#include <string.h>

/* One kernel's numbers; rates of what takes no time are 0. */
typedef struct Row {
    const char *name;
    double seconds, beside; /* least ones */
    double median;
    double gflops, share, gbytes;
    int64_t macs, bytes;
} Row;

static double rate(double amount, double seconds) { return seconds > 0 ? 1e-9 * amount / seconds : 0; }

/* "conv1 + tanh_1" */
static const char *group_name(Arena *a, const Group *g) {
    Text t = {.arena = a};
    text_add(&t, "%s", g->anchor->name);
    for (int i = 0; i < g->n_tail; i++) text_add(&t, " + %s", g->tail[i]->name);
    return text_get(&t);
}

static Row row_of(const Bench *b, Arena *a, int s, double peak) {
    const LunetteModel *m = b->model;
    const PlanStep *step = &m->plan->step[s];
    Row r = {.name = group_name(a, &m->context.groups.v[s]), .seconds = samples_part(a, &b->kernel[s], 0)};
    r.median = samples_part(a, &b->kernel[s], 0.5);
    r.macs = group_macs(&m->context.groups.v[s]);
    for (int i = 0; i < step->n_arg; i++) r.bytes += (int64_t)type_bytes(&m->plan->buf[step->buf[i]].type);
    r.gflops = rate(2.0 * (double)r.macs, r.seconds);
    r.gbytes = rate((double)r.bytes, r.seconds);
    r.share = peak > 0 ? r.gflops / peak : 0;
    if (b->beside) r.beside = samples_part(a, &b->beside[s], 0);
    return r;
}

/* ---- text ------------------------------------------------------------------------------------------ */

static void print_row(const Bench *b, TextTable *t, const Row *r, int s) {
    table_cell(t, "%s", r->name);
    table_cell(t, "%.2f", 1e6 * r->seconds);
    if (r->macs) table_cell(t, "%.1f GFLOP/s", r->gflops);
    else table_cell(t, "%.1f GB/s   ", r->gbytes);
    if (r->macs) table_cell(t, "%.1f %%", 100 * r->share);
    else table_cell(t, "-");
    if (b->beside) {
        table_cell(t, "%.2f", 1e6 * r->beside);
        table_cell(t, "%.1fx", r->seconds > 0 ? r->beside / r->seconds : 0);
    }
    if (b->spills)
        table_cell(t, "%d (%d inner)", b->spills[s].stores + b->spills[s].loads,
                   b->spills[s].inner_stores + b->spills[s].inner_loads);
    table_cell(t, "%s", b->model->kernel[s].reason);
}

static void print_table(const Bench *b, Arena *a, double peak) {
    TextTable t;
    const char *beside = b->against == AGAINST_PLAIN ? "plain µs|ratio|" : "reference µs|ratio|";
    table_open(&t, a, arena_printf(a, "lrrr%s%sl", b->beside ? "rr" : "", b->spills ? "r" : ""));
    table_row(&t, arena_printf(a, "kernel|µs|rate|of peak|%s%sschedule", b->beside ? beside : "",
                               b->spills ? "spills|" : ""));
    for (int s = 0; s < b->model->plan->n_step; s++) {
        Row r = row_of(b, a, s, peak);
        print_row(b, &t, &r, s);
    }
    table_print(&t, stdout);
}

static int64_t all_macs(const Bench *b) {
    int64_t sum = 0;
    for (int s = 0; s < b->model->plan->n_step; s++) sum += group_macs(&b->model->context.groups.v[s]);
    return sum;
}

static int64_t images_a_run(const Bench *b) {
    int64_t batch = model_batch(b->model);
    return batch ? batch : 1;
}

static void print_whole(const Bench *b, Arena *a, double peak) {
    double median = samples_part(a, &b->whole, 0.5), gflops = rate(2.0 * (double)all_macs(b), median);
    int threads = b->model->options.threads;
    const CodeStats *c = code_stats(b->model->code);
    printf("\n%s on %s, %d thread%s, batch %lld\n", b->model->written->name, b->model->target.cpu, threads,
           threads == 1 ? "" : "s", (long long)images_a_run(b));
    printf("a run: median %.4f ms, least %.4f ms, 90 of 100 within %.4f ms (%d runs); %.0f images a second\n",
           1e3 * median, 1e3 * samples_part(a, &b->whole, 0), 1e3 * samples_part(a, &b->whole, 0.9), b->whole.n,
           (double)images_a_run(b) / median);
    printf("rate: %.1f GFLOP/s, %.1f %% of the peak of %.1f GFLOP/s\n", gflops, peak > 0 ? 100 * gflops / peak : 0,
           peak);
    printf("first answer: %.0f ms from the start of the process; %d kernels, %d compiled and %d from the cache in %.0f "
           "ms\n",
           1e3 * b->first_answer, c->kernels, c->compiled, c->cached, 1e3 * c->seconds);
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static bool put(json_t *o, const char *key, json_t *value) { return o && json_object_set_new(o, key, value) == 0; }

static json_t *kernel_json(const Bench *b, Arena *a, int s, double peak) {
    Row r = row_of(b, a, s, peak);
    const ModelKernel *k = &b->model->kernel[s];
    json_t *o = json_pack("{ss ss sf sf sf sf sf sI sI so so}", "name", r.name, "kernel", k->kernel->name, "ms",
                          1e3 * r.seconds, "median_ms", 1e3 * r.median, "gflops", r.gflops, "share", r.share, "gbytes",
                          r.gbytes, "macs", (json_int_t)r.macs, "bytes", (json_int_t)r.bytes, "schedule",
                          json_text(k->reason), "steps", json_text(k->kernel->steps));
    bool good = o != NULL;
    if (b->beside)
        good = good && put(o, "against_ms", json_real(1e3 * r.beside)) &&
               put(o, "ratio", json_number(r.beside / r.seconds));
    if (b->spills) {
        const SpillCount *c = &b->spills[s];
        good = good && put(o, "spills",
                           json_pack("{si si si si si}", "stores", c->stores, "loads", c->loads, "inner_stores",
                                     c->inner_stores, "inner_loads", c->inner_loads, "instructions", c->instructions));
    }
    if (good) return o;
    json_decref(o);
    return NULL;
}

static int report_json(const Bench *b, Arena *a, double peak) {
    static const char *const against[] = {"none", "plain", "reference"};
    double median = samples_part(a, &b->whole, 0.5);
    const CodeStats *c = code_stats(b->model->code);
    json_t *kernels = json_array();
    for (int s = 0; s < b->model->plan->n_step; s++) json_push(&kernels, kernel_json(b, a, s, peak));
    return json_show(json_pack(
        "{so ss si sI sf sf sf si sf sf sf sI sb ss s{si si si si sf} so}", "spec", json_text(b->o.arg), "cpu",
        b->model->target.cpu, "threads", b->model->options.threads, "batch", (json_int_t)images_a_run(b), "median_ms",
        1e3 * median, "min_ms", 1e3 * samples_part(a, &b->whole, 0), "p90_ms", 1e3 * samples_part(a, &b->whole, 0.9),
        "runs", b->whole.n, "peak_gflops", peak, "gflops", rate(2.0 * (double)all_macs(b), median), "first_answer_ms",
        1e3 * b->first_answer, "seed", (json_int_t)b->o.model.seed, "random_weights", b->o.model.random_weights,
        "against", against[b->against], "compile", "kernels", c->kernels, "distinct", c->distinct, "compiled",
        c->compiled, "cached", c->cached, "seconds", c->seconds, "kernels", kernels));
}

int bench_report(const Bench *b, Arena *a) {
    double peak = samples_part(a, &b->bursts, 1);
    if (b->o.json) return report_json(b, a, peak);
    print_table(b, a, peak);
    print_whole(b, a, peak);
    return 0;
}
