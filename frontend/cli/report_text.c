/* A bench as tables. */
#include "frontend/cli/bench.h"

static const char *threads_text(Arena *a, int n) { return arena_printf(a, "%d thread%s", n, n == 1 ? "" : "s"); }

/* ---- kernels ---------------------------------------------------------------------------------------- */

void rate_cells(TextTable *t, const Row *r) {
    if (r->work.macs) table_cell(t, "%.1f GFLOP/s", r->gflops);
    else table_cell(t, "%.1f GB/s   ", r->gbytes);
    table_cell(t, "%.1f %% of %-6s", 100 * r->bound_share, r->bound.by);
}

/* The least time of the same kernel with the other numbers of threads. */
static void time_cells(const Bench *b, Arena *a, TextTable *t, int step) {
    for (int run = 0; run < b->n_run; run++) {
        int s = bench_step(b, run, step);
        if (s < 0) table_cell(t, "-");
        else table_cell(t, "%.2f", 1e6 * samples_part(a, &b->run[run].kernel[s], 0));
    }
}

static void print_row(const Bench *b, Arena *a, TextTable *t, int s) {
    Row r = bench_row(b, a, 0, s);
    table_cell(t, "%s", r.name);
    time_cells(b, a, t, s);
    rate_cells(t, &r);
    if (b->against != AGAINST_NONE) {
        if (r.beside > 0) table_cell(t, "%.2f", 1e6 * r.beside);
        else table_cell(t, "-");
        if (r.beside > 0 && r.seconds > 0) table_cell(t, "%.1fx", r.beside / r.seconds);
        else table_cell(t, "-");
    }
    if (b->spills)
        table_cell(t, "%d (%d inner)", b->spills[s].stores + b->spills[s].loads,
                   b->spills[s].inner_stores + b->spills[s].inner_loads);
    table_cell(t, "%s", b->run[0].model->kernel[s].reason);
}

static const char *time_titles(const Bench *b, Arena *a) {
    Text t = {.arena = a};
    if (b->n_run == 1) return "µs|";
    for (int r = 0; r < b->n_run; r++) text_add(&t, "%s%s|", r ? "" : "µs: ", threads_text(a, b->threads[r]));
    return text_get(&t);
}

static void print_kernels(const Bench *b, Arena *a) {
    TextTable t;
    Text align = {.arena = a};
    bool compared = b->against != AGAINST_NONE;
    text_add(&align, "l");
    for (int r = 0; r < b->n_run; r++) text_add(&align, "r");
    text_add(&align, "rr%s%sl", compared ? "rr" : "", b->spills ? "r" : "");
    table_open(&t, a, text_get(&align));
    table_row(&t, arena_printf(a, "kernel|%srate|of bound    |%s%s%sschedule", time_titles(b, a),
                               compared ? against_name[b->against] : "", compared ? " µs|ratio|" : "",
                               b->spills ? "spills|" : ""));
    for (int s = 0; s < b->run[0].model->plan->n_step; s++) print_row(b, a, &t, s);
    table_print(&t, stdout);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

static void print_threads(const Bench *b, Arena *a) {
    TextTable t;
    double first = samples_part(a, &b->run[0].whole, 0.5);
    table_open(&t, a, "rrrrrrr");
    table_row(&t, "threads|median ms|speed-up|GFLOP/s|of peak|peak GFLOP/s|memory GB/s");
    for (int r = 0; r < b->n_run; r++) {
        double median = samples_part(a, &b->run[r].whole, 0.5), peak = b->run[r].roof->gflops;
        double gflops = rate(2.0 * (double)bench_sums(b, a, r).macs, median);
        table_cell(&t, "%d", b->threads[r]);
        table_cell(&t, "%.4f", 1e3 * median);
        table_cell(&t, "%.2f", median > 0 ? first / median : 0);
        table_cell(&t, "%.1f", gflops);
        table_cell(&t, "%.1f %%", peak > 0 ? 100 * gflops / peak : 0);
        table_cell(&t, "%.1f", peak);
        table_cell(&t, "%.1f", b->run[r].roof->gbytes[LEVEL_MEMORY]);
    }
    printf("\n");
    table_print(&t, stdout);
}

static void print_roof(const Roof *m) {
    printf("machine: peak %.1f GFLOP/s; reads", m->gflops);
    for (Level l = 0; l < LEVELS; l++) printf("%s %s %.1f GB/s", l ? "," : "", level_name[l], m->gbytes[l]);
    printf("\n");
}

static void print_sums(const Bench *b, Arena *a) {
    Sums sums = bench_sums(b, a, 0);
    double median = samples_part(a, &b->run[0].whole, 0.5), peak = b->run[0].roof->gflops;
    double gflops = rate(2.0 * (double)sums.macs, median);
    printf(
        "rate: %.1f GFLOP/s, %.1f %% of the peak of %.1f GFLOP/s; the kernels' bounds add up to %.4f ms, %.1f %% of a "
        "run\n",
        gflops, peak > 0 ? 100 * gflops / peak : 0, peak, 1e3 * sums.bound, median > 0 ? 100 * sums.bound / median : 0);
    printf("kernels: medians add up to %.4f ms, a whole run takes %.4f ms, %+.4f ms\n", 1e3 * sums.median, 1e3 * median,
           1e3 * (median - sums.median));
}

static void print_beside(const Bench *b, Arena *a) {
    double sum = 0, own = 0, elsewhere = 0;
    for (int i = 0; i < b->beside.n; i++) {
        double least = samples_part(a, &b->beside.part[i], 0);
        *(b->beside.of[i] < 0 ? &elsewhere : &sum) += least;
    }
    for (int s = 0; s < b->run[0].model->plan->n_step; s++) own += samples_part(a, &b->run[0].kernel[s], 0);
    printf("%s: least times add up to %.4f ms, the kernels' to %.4f ms, %.2fx", against_name[b->against],
           1e3 * (sum + elsewhere), 1e3 * own, own > 0 ? (sum + elsewhere) / own : 0);
    if (elsewhere > 0) printf("; %.4f ms of it belong to no kernel", 1e3 * elsewhere);
    printf("\n");
}

static void print_whole(const Bench *b, Arena *a) {
    const LunetteModel *m = b->run[0].model;
    const Samples *whole = &b->run[0].whole;
    const CodeStats *c = code_stats(m->code);
    double median = samples_part(a, whole, 0.5);
    printf("\n%s on %s, %s, batch %lld%s\n", m->written->name, m->target.cpu, threads_text(a, b->threads[0]),
           (long long)images_a_run(b), b->cold ? ", cold: caches emptied before each run" : "");
    printf("a run: median %.4f ms, least %.4f ms, 90 of 100 within %.4f ms (%d runs); %.0f images a second\n",
           1e3 * median, 1e3 * samples_part(a, whole, 0), 1e3 * samples_part(a, whole, 0.9), whole->n,
           (double)images_a_run(b) / median);
    print_sums(b, a);
    if (b->against != AGAINST_NONE) print_beside(b, a);
    print_roof(b->run[0].roof);
    printf("memory: arena %lld bytes, packed weights %lld bytes, object code %lld bytes",
           (long long)m->plan->arena_bytes, (long long)m->plan->weight_bytes, (long long)c->object_bytes);
    if (m->plan->scratch_bytes) printf(", scratch %lld bytes a thread", (long long)m->plan->scratch_bytes);
    printf("\n");
    printf("first answer: %.0f ms from the start of the process; %d kernels in %d objects, %d compiled and %d from the "
           "cache in %.0f ms\n",
           1e3 * b->first_answer, c->kernels, c->distinct, c->compiled, c->cached, 1e3 * c->seconds);
}

int report_text(const Bench *b, Arena *a) {
    print_kernels(b, a);
    print_whole(b, a);
    if (b->n_run > 1) print_threads(b, a);
    return 0;
}
