/* The numbers of a bench. */
#include "frontend/cli/bench.h"
#include "frontend/cli/facts.h"

#include "frontend/cli/input.h"

double rate(double amount, double seconds) { return seconds > 0 ? 1e-9 * amount / seconds : 0; }

static double beside_seconds(const Beside *x, Arena *a, int step) {
    double sum = 0;
    for (int i = 0; i < x->n; i++)
        if (x->of[i] == step) sum += samples_part(a, &x->part[i], 0);
    return sum;
}

Row bench_row(const Bench *b, Arena *a, int run, int step) {
    const BenchRun *of = &b->run[run];
    Text name = {.arena = a};
    group_print(&name, &of->model->context.groups.v[step]);
    Row r = {.name = text_get(&name),
             .seconds = samples_part(a, &of->kernel[step], 0),
             .median = samples_part(a, &of->kernel[step], 0.5),
             .work = roof_work(of->model, step, b->cold)};
    r.gflops = rate(2.0 * (double)r.work.macs, r.seconds);
    r.gbytes = rate((double)r.work.bytes, r.seconds);
    r.peak_share = of->roof->gflops > 0 ? r.gflops / of->roof->gflops : 0;
    r.bound = roof_bound(of->roof, &r.work);
    r.bound_share = r.seconds > 0 ? r.bound.seconds / r.seconds : 0;
    if (run == 0) r.beside = beside_seconds(&b->beside, a, step);
    return r;
}

Sums bench_sums(const Bench *b, Arena *a, int run) {
    const BenchRun *of = &b->run[run];
    Sums sums = {0};
    for (int s = 0; s < of->model->plan->n_step; s++) {
        Work w = roof_work(of->model, s, b->cold);
        sums.median += samples_part(a, &of->kernel[s], 0.5);
        sums.bound += roof_bound(of->roof, &w).seconds;
    }
    const Graph *g = of->model->written; /* an algorithm may do with fewer */
    for (int i = 0; i < g->n_node; i++) sums.macs += node_macs(g->node[i]);
    return sums;
}

int64_t images_a_run(const Bench *b) {
    int64_t batch = model_batch(b->run[0].model);
    return batch ? batch : 1;
}

int bench_report(const Bench *b, Arena *a) { return b->o.json ? report_json(b, a) : report_text(b, a); }
