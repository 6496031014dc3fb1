/* lunette bench --conv-batch FILE: convolutions one after the other, a row each. */
#include "frontend/cli/bench.h"

typedef struct Batch {
    Bench *b;
    int64_t images; /* of --batch; 0: each as its descriptor says */
    const char *descriptor, *where;
    TextTable table;
    json_t *list;
    Diag fatal; /* ends it */
    int code;   /* of the first layer that was not possible */
} Batch;

static bool options_fit(const Bench *b, Diag *d) {
    const LunetteOptions *m = &b->o.model;
    const char *with = m->weights            ? "-w"
                       : m->n_set            ? "--set"
                       : m->n_constant       ? "--const"
                       : m->n_shape          ? "--shape"
                       : b->layer.input      ? "-i"
                       : b->layer.pool_given ? "--pooling"
                       : b->against          ? "--against"
                       : b->count_spills     ? "--spills"
                       : b->n_run > 1        ? "more than one number of threads"
                                             : NULL;
    if (b->layer.descriptor || b->layer.layer || b->o.arg)
        return diag_fail(d, DIAG_USAGE,
                         "one of a spec, a descriptor, --conv-batch FILE and a --layer is wanted, not several");
    return !with || diag_fail(d, DIAG_USAGE, "%s does not go with --conv-batch", with);
}

/* ---- rows ------------------------------------------------------------------------------------------- */

/* All that computes the layer, which may be several kernels (im2col); not the changes of layout around it. */
static Row layer_row(const Bench *b, Arena *a, const char **reason) {
    const LunetteModel *m = b->run[0].model;
    Row sum = {.bound.by = "peak"};
    double longest = -1;
    for (int s = 0; s < m->plan->n_step; s++) {
        if (m->context.groups.v[s].anchor->op == OP_RELAYOUT) continue;
        Row r = bench_row(b, a, 0, s);
        sum.seconds += r.seconds, sum.median += r.median, sum.bound.seconds += r.bound.seconds;
        sum.work.macs += r.work.macs, sum.work.bytes += r.work.bytes, sum.work.weight_bytes += r.work.weight_bytes;
        if (r.bound.seconds <= longest) continue;
        longest = r.bound.seconds;
        sum.bound.by = r.bound.by;
        *reason = m->kernel[s].reason;
    }
    double peak = b->run[0].roof->gflops;
    sum.gflops = rate(2.0 * (double)sum.work.macs, sum.seconds);
    sum.gbytes = rate((double)sum.work.bytes, sum.seconds);
    sum.peak_share = peak > 0 ? sum.gflops / peak : 0;
    sum.bound_share = sum.seconds > 0 ? sum.bound.seconds / sum.seconds : 0;
    return sum;
}

static void tell_row(Batch *t, Arena *a) {
    const char *reason = "";
    Row r = layer_row(t->b, a, &reason);
    double whole = samples_part(a, &t->b->run[0].whole, 0.5);
    if (t->b->o.json) {
        json_t *o = json_pack("{so so sI sf si sb so}", "layer", json_text(t->descriptor), "at", json_text(t->where),
                              "batch", (json_int_t)images_a_run(t->b), "whole_ms", 1e3 * whole, "threads",
                              t->b->threads[0], "cold", t->b->cold, "schedule", json_text(reason));
        bool good = work_json(o, &r) && json_object_set_new(o, "peak_gflops", json_real(t->b->roof[0].gflops)) == 0;
        if (!good) json_decref(o);
        json_push(&t->list, good ? o : NULL);
        return;
    }
    table_cell(&t->table, "%s", t->descriptor);
    table_cell(&t->table, "%.2f", 1e6 * r.seconds);
    rate_cells(&t->table, &r);
    table_cell(&t->table, "%.2f", 1e6 * whole);
    table_cell(&t->table, "%s", reason);
}

static void tell_failure(Batch *t, const Diag *d) {
    if (t->code == 0) t->code = (int)d->kind;
    if (t->b->o.json) {
        json_push(&t->list, json_pack("{so so so si}", "layer", json_text(t->descriptor), "at", json_text(t->where),
                                      "error", json_text(d->text), "exit", (int)d->kind));
        return;
    }
    table_cell(&t->table, "%s", t->descriptor);
    for (int i = 0; i < 4; i++) table_cell(&t->table, "-");
    table_cell(&t->table, "not possible: %s", d->text);
}

/* ---- layers ----------------------------------------------------------------------------------------- */

static bool open_layer(Batch *t, Arena *a, Diag *d) {
    Bench *b = t->b;
    int64_t images;
    b->layer.descriptor = b->o.arg = t->descriptor;
    if (!layer_args_text(&b->layer, a, &b->text, &images, d)) {
        if (d->kind == DIAG_USAGE) d->kind = DIAG_FILE;
        return false;
    }
    b->o.model.batch = t->images ? t->images : images;
    if (bench_open(b, a, d)) return true;
    if (d->kind == DIAG_SPEC) d->kind = DIAG_UNSUPPORTED; /* the spec was made here, of a good descriptor */
    return false;
}

static int batch_layer(Arena *a, void *ctx) {
    Batch *t = ctx;
    Diag d = {0};
    if (open_layer(t, a, &d)) {
        bench_measure(t->b, a);
        tell_row(t, a);
    } else if (d.kind == DIAG_INTERNAL || d.kind == DIAG_MACHINE) {
        diag_prefix(&d, "%s: %s", t->where, t->descriptor);
        t->fatal = d;
    } else tell_failure(t, &d);
    return 0;
}

static bool measure_file(Batch *t, Arena *a, const char *text, Diag *d) {
    const char *path = t->b->conv_batch;
    int line = 0;
    while ((t->descriptor = descriptor_next(a, &text, &line))) {
        t->where = arena_printf(a, "%s:%d", path, line);
        int failed = cli_with_arena(batch_layer, t);
        bench_close(t->b);
        if (failed) return diag_fail(d, DIAG_MACHINE, "%s: out of memory", t->where);
        if (t->fatal.kind) *d = t->fatal;
        if (t->fatal.kind) return false;
    }
    return t->table.n > t->table.columns || json_array_size(t->list) ||
           diag_fail(d, DIAG_FILE, "%s: there are no descriptors in it", path);
}

int bench_batch(Bench *b, Arena *a) {
    Batch t = {.b = b, .images = b->o.model.batch, .list = b->o.json ? json_array() : NULL};
    Diag *d = &b->o.diag;
    char *text = NULL;
    bool good = options_fit(b, d) && layer_args_more(&b->layer, DESCRIPTOR_CONV, a, d) &&
                (text = text_load(a, b->conv_batch, d));
    table_open(&t.table, a, "lrrrrl");
    table_row(&t.table, "layer|µs|rate|of bound    |whole µs|schedule");
    if (good) good = measure_file(&t, a, text, d);
    if (!good) {
        json_decref(t.list);
        return cli_fail(d);
    }
    if (!b->o.json) table_print(&t.table, stdout);
    int shown = b->o.json ? json_show(t.list) : 0;
    return shown ? shown : t.code;
}
