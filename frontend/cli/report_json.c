/* A bench for programs. */
#include "frontend/cli/bench.h"

/* Takes `value` over. False without memory. */
static bool put(json_t *o, const char *key, json_t *value) { return o && json_object_set_new(o, key, value) == 0; }

/* `o` itself, or NULL if anything did not go in. */
static json_t *whole_or_none(json_t *o, bool good) {
    if (good) return o;
    json_decref(o);
    return NULL;
}

bool work_json(json_t *o, const Row *r) {
    return put(o, "ms", json_real(1e3 * r->seconds)) && put(o, "median_ms", json_real(1e3 * r->median)) &&
           put(o, "gflops", json_real(r->gflops)) && put(o, "share", json_real(r->peak_share)) &&
           put(o, "gbytes", json_real(r->gbytes)) && put(o, "macs", json_integer(r->work.macs)) &&
           put(o, "bytes", json_integer(r->work.bytes)) && put(o, "weight_bytes", json_integer(r->work.weight_bytes)) &&
           put(o, "bound", json_string(r->bound.by)) && put(o, "bound_ms", json_real(1e3 * r->bound.seconds)) &&
           put(o, "bound_share", json_real(r->bound_share));
}

/* ---- kernels ---------------------------------------------------------------------------------------- */

/* The kernel with each number of threads. */
static json_t *kernel_threads(const Bench *b, Arena *a, int step) {
    json_t *list = json_array();
    for (int run = 0; run < b->n_run; run++) {
        int s = bench_step(b, run, step);
        if (s < 0) continue;
        Row r = bench_row(b, a, run, s);
        json_push(&list, json_pack("{si sf sf sf sf ss sf}", "threads", b->threads[run], "ms", 1e3 * r.seconds,
                                   "median_ms", 1e3 * r.median, "gflops", r.gflops, "gbytes", r.gbytes, "bound",
                                   r.bound.by, "bound_share", r.bound_share));
    }
    return list;
}

static json_t *spills_json(const SpillCount *c) {
    return json_pack("{si si si si si}", "stores", c->stores, "loads", c->loads, "inner_stores", c->inner_stores,
                     "inner_loads", c->inner_loads, "instructions", c->instructions);
}

static json_t *kernel_json(const Bench *b, Arena *a, int s) {
    Row r = bench_row(b, a, 0, s);
    const ModelKernel *k = &b->run[0].model->kernel[s];
    json_t *o = json_pack("{ss ss}", "name", r.name, "kernel", k->kernel->name);
    bool good = work_json(o, &r) && put(o, "schedule", json_text(k->reason)) &&
                put(o, "steps", json_text(k->kernel->steps)) && put(o, "by_threads", kernel_threads(b, a, s));
    if (b->against != AGAINST_NONE)
        good = good && put(o, "against_ms", r.beside > 0 ? json_real(1e3 * r.beside) : json_null()) &&
               put(o, "ratio", r.beside > 0 ? json_number(r.beside / r.seconds) : json_null());
    if (b->spills) good = good && put(o, "spills", spills_json(&b->spills[s]));
    return whole_or_none(o, good);
}

/* ---- runs ------------------------------------------------------------------------------------------- */

static json_t *bandwidths_json(const Roof *m) {
    json_t *o = json_object();
    bool good = true;
    for (Level l = 0; l < LEVELS; l++) good = good && put(o, level_name[l], json_real(m->gbytes[l]));
    return whole_or_none(o, good);
}

/* What a number of threads gives: into the whole report for the first, into its row of by_threads for each. */
static bool run_json(json_t *o, const Bench *b, Arena *a, int run) {
    const BenchRun *of = &b->run[run];
    Sums sums = bench_sums(b, a, run);
    double median = samples_part(a, &of->whole, 0.5), first = samples_part(a, &b->run[0].whole, 0.5);
    return put(o, "threads", json_integer(b->threads[run])) && put(o, "median_ms", json_real(1e3 * median)) &&
           put(o, "min_ms", json_real(1e3 * samples_part(a, &of->whole, 0))) &&
           put(o, "p90_ms", json_real(1e3 * samples_part(a, &of->whole, 0.9))) &&
           put(o, "runs", json_integer(of->whole.n)) && put(o, "speed_up", json_number(first / median)) &&
           put(o, "peak_gflops", json_real(of->roof->gflops)) && put(o, "read_gbytes", bandwidths_json(of->roof)) &&
           put(o, "gflops", json_real(rate(2.0 * (double)sums.macs, median))) &&
           put(o, "kernels_ms", json_real(1e3 * sums.median)) &&
           put(o, "difference_ms", json_real(1e3 * (median - sums.median))) &&
           put(o, "bound_ms", json_real(1e3 * sums.bound));
}

static json_t *runs_json(const Bench *b, Arena *a) {
    json_t *list = json_array();
    for (int r = 0; r < b->n_run; r++) {
        json_t *o = json_object();
        json_push(&list, whole_or_none(o, run_json(o, b, a, r)));
    }
    return list;
}

static json_t *compile_json(const CodeStats *c) {
    return json_pack("{si si si si sf}", "kernels", c->kernels, "distinct", c->distinct, "compiled", c->compiled,
                     "cached", c->cached, "seconds", c->seconds);
}

int report_json(const Bench *b, Arena *a) {
    const LunetteModel *m = b->run[0].model;
    const CodeStats *c = code_stats(m->code);
    json_t *kernels = json_array();
    for (int s = 0; s < m->plan->n_step; s++) json_push(&kernels, kernel_json(b, a, s));
    json_t *o = json_pack(
        "{so ss sI sb sf sI sb ss sI sI sI sI}", "spec", json_text(b->o.arg), "cpu", m->target.cpu, "batch",
        (json_int_t)images_a_run(b), "cold", b->cold, "first_answer_ms", 1e3 * b->first_answer, "seed",
        (json_int_t)b->o.model.seed, "random_weights", b->o.model.random_weights, "against", against_name[b->against],
        "arena_bytes", (json_int_t)m->plan->arena_bytes, "packed_weight_bytes", (json_int_t)m->plan->weight_bytes,
        "scratch_bytes", (json_int_t)m->plan->scratch_bytes, "object_bytes", (json_int_t)c->object_bytes);
    bool good = put(o, "kernels", kernels) && run_json(o, b, a, 0) && put(o, "by_threads", runs_json(b, a)) &&
                put(o, "compile", compile_json(c));
    return json_show(whole_or_none(o, good));
}
