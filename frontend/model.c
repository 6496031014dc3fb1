/* Loading a model: everything up to the plan, without LLVM's code generator. */
#include "frontend/model.h"

#include "codegen/target.h"
#include "frontend/algorithm.h"
#include "frontend/indices.h"
#include "frontend/lua/schedules.h"
#include "frontend/lua/spec.h"
#include "frontend/onnx/onnx.h"
#include "ir/plan_over.h"

#include <string.h>

/* More than any network needs to become a plan: a hostile one stops here. */
#define COMPILE_MEMORY ((size_t)4 << 30)

static void options_copy(Arena *a, LunetteOptions *to, const LunetteOptions *from) {
    static const LunetteOptions none;
    *to = from ? *from : none;
    if (to->threads < 1) to->threads = 1;
    if (to->batch < 1) to->batch = 1;
    if (to->weights) to->weights = arena_strdup(a, to->weights);
    if (to->schedules) to->schedules = arena_strdup(a, to->schedules);
    if (to->cpu) to->cpu = arena_strdup(a, to->cpu);
    if (to->cache_dir) to->cache_dir = arena_strdup(a, to->cache_dir);
    const char **set = ARENA_ARRAY(a, const char *, to->n_set);
    for (int i = 0; i < to->n_set; i++) set[i] = arena_strdup(a, from->set[i]);
    to->set = set;
    const char **constants = ARENA_ARRAY(a, const char *, to->n_constant);
    for (int i = 0; i < to->n_constant; i++) constants[i] = arena_strdup(a, from->constants[i]);
    to->constants = constants;
    const char **shapes = ARENA_ARRAY(a, const char *, to->n_shape);
    for (int i = 0; i < to->n_shape; i++) shapes[i] = arena_strdup(a, from->shapes[i]);
    to->shapes = shapes;
}

/* A dump from after layout that is read back keeps its layouts. */
static bool has_layouts(const Graph *g) {
    for (int i = 0; i < g->n_node; i++)
        if (!type_is_plain(&g->node[i]->type)) return true;
    return false;
}

static bool run_passes(LunetteModel *m, ModelTrace *trace, void *ctx, Diag *d) {
    bool laid_out = has_layouts(m->written);
    m->context.target = &m->target;
    if (trace) trace(ctx, NULL, m->graph, &m->context);
    for (int i = 0; i < pass_count; i++) {
        if (pass_table[i].run != pass_layout || !laid_out) pass_table[i].run(m->graph, &m->context);
        if (!graph_verify(m->graph, d)) {
            diag_prefix(d, "after %s", pass_table[i].name);
            return false;
        }
        if (trace) trace(ctx, &pass_table[i], m->graph, &m->context);
    }
    return true;
}

/* The schedule that the user gave for a node of this group, and where. */
static const Node *given_schedule(const Group *g) {
    for (int i = 0; i < group_size(g); i++)
        if (group_node(g, i)->schedule) return group_node(g, i);
    return NULL;
}

static void note(LunetteModel *m, const char *text) { ARENA_PUSH(m->arena, m->note, m->n_note, m->cap_note, text); }

/* From the file of schedules: whether there is one for this group and it is legal. */
static bool schedule_from_file(LunetteModel *m, ScheduleList *file, const Group *g, ModelKernel *k) {
    for (int i = 0; i < file->n; i++) {
        Diag why = {0};
        if (!file->v[i].layer || strcmp(file->v[i].layer, g->anchor->name) != 0) continue;
        bool legal = kernel_schedule(k->kernel, file->v[i].steps, NULL, &why);
        if (!legal)
            note(m, arena_printf(m->arena, "%s: %s: no longer legal, skipped: %s", m->options.schedules, g->anchor->name, why.text));
        file->v[i].layer = NULL; /* used */
        k->reason = "from the schedules file";
        return legal;
    }
    return false;
}

/* Networks of repeated blocks have many groups of one nest: its schedule is found and proved once. */
static const ModelKernel *chosen_before(const LunetteModel *m, const ModelKernel *k) {
    for (const ModelKernel *other = m->kernel; other < k; other++)
        if (other->nest && strcmp(other->nest, k->nest) == 0) return other;
    return NULL;
}

/* The model promises speed, not that every nest has the form it knows: the next schedule that is legal, or the kernel as lowered. */
static void choose_another(LunetteModel *m, ModelKernel *k, const char *why) {
    Schedule next[MOST_CANDIDATES];
    int n = schedule_candidates(m->arena, k->plain.kernel, &m->target, next);
    for (int i = 1; i < n; i++) {
        if (!kernel_schedule(k->kernel, next[i].steps, NULL, NULL)) continue;
        k->reason = arena_printf(m->arena, "%s; the first choice was refused: %s", next[i].reason, why);
        return;
    }
    k->reason = arena_printf(m->arena, "as lowered, for %s", why);
}

static void choose_schedule(LunetteModel *m, ModelKernel *k) {
    k->nest = kernel_nameless_text(m->arena, k->plain.kernel);
    const ModelKernel *same = chosen_before(m, k);
    if (same) {
        k->kernel = kernel_clone(m->arena, same->kernel);
        k->kernel->name = k->plain.kernel->name;
        k->reason = same->reason;
        return;
    }
    Diag why = {0};
    Schedule s = schedule_choose(m->arena, k->plain.kernel, &m->target);
    k->reason = s.reason;
    if (!kernel_schedule(k->kernel, s.steps, NULL, &why)) choose_another(m, k, why.text);
}

static bool schedule_kernel(LunetteModel *m, const Group *g, ModelKernel *k, ScheduleList *file, Diag *d) {
    k->kernel = kernel_clone(m->arena, k->plain.kernel);
    const Node *given = given_schedule(g);
    k->reason = "as lowered";
    if (m->options.plain) return true;
    if (given) {
        k->reason = "given in the spec";
        const char *where = arena_printf(m->arena, "%s:%d: %s", given->loc.file ? given->loc.file : "graph",
                                         given->loc.line, given->name);
        return kernel_schedule(k->kernel, given->schedule, where, d);
    }
    if (!schedule_from_file(m, file, g, k)) choose_schedule(m, k);
    const char *algorithm = algorithm_text(m->arena, g);
    if (algorithm) k->reason = arena_printf(m->arena, "%s; %s", algorithm, k->reason);
    return true;
}

static bool lower_all(LunetteModel *m, Diag *d) {
    int n = m->context.groups.n;
    m->kernel = ARENA_ARRAY(m->arena, ModelKernel, n);
    Lowered *lowered = ARENA_ARRAY(m->arena, Lowered, n);
    Kernel **scheduled = ARENA_ARRAY(m->arena, Kernel *, n);
    ScheduleList file = {0};
    if (m->options.schedules && !m->options.plain && !schedules_load(m->arena, m->options.schedules, &file, d)) return false;
    for (int i = 0; i < n; i++) {
        ModelKernel *k = &m->kernel[i];
        const Group *g = &m->context.groups.v[i];
        if (!lower_group(m->arena, g, &k->plain, d) || !schedule_kernel(m, g, k, &file, d)) return false;
        lowered[i] = k->plain;
        scheduled[i] = k->kernel;
    }
    for (int i = 0; i < file.n; i++)
        if (file.v[i].layer)
            note(m, arena_printf(m->arena, "%s: %s: no kernel begins with this layer, skipped", m->options.schedules, file.v[i].layer));
    if (!m->options.plain) plan_inplace(m->graph, lowered, scheduled, n);
    m->plan = plan_build(m->arena, m->graph, lowered, (const Kernel *const *)scheduled, n, &m->buf_node, &m->kernel_of);
    return plan_verify(m->plan, d);
}

/* The one source that is not a ModelSource (NULL stands for it): its graph brings the weights. */
static void read_onnx(LunetteModel *m, const char *path, Diag *d) {
    OnnxOptions o = {.batch = m->options.batch,
                     .set = m->options.set,
                     .n_set = m->options.n_set,
                     .constants = m->options.constants,
                     .n_constant = m->options.n_constant,
                     .shapes = m->options.shapes,
                     .n_shape = m->options.n_shape};
    OnnxModel from = {0};
    if (m->options.weights) {
        diag_fail(d, DIAG_USAGE, "%s has its weights: -w %s does not go with it", path, m->options.weights);
        return;
    }
    if (!onnx_load(m->arena, path, &o, &from, d)) return;
    m->written = from.graph;
    m->weight = from.weight;
    m->embedded = true;
}

static bool load_written(LunetteModel *m, ModelSource *source, const void *from, Diag *d) {
    if (source) m->written = source(m->arena, from, &m->options, d);
    else read_onnx(m, from, d);
    if (!m->written || !graph_verify(m->written, d)) return false;
    m->index_user = index_users(m->arena, m->written);
    if (!m->embedded) m->weight = ARENA_ARRAY(m->arena, const void *, m->written->n_node);
    return true;
}

static bool load_stages(LunetteModel *m, ModelSource *source, const void *from, ModelTrace *trace, void *ctx, Diag *d) {
    bool known = m->options.cpu ? target_named(&m->target, m->options.cpu, d) : target_host(&m->target, d);
    if (!known || !load_written(m, source, from, d)) return false;
    choose_algorithms(m->written, m->options.algorithm, m->options.accuracy);
    m->graph = graph_copy(m->arena, m->written);
    bool good = run_passes(m, trace, ctx, d) && lower_all(m, d);
    if (!good && d->kind == DIAG_INTERNAL && has_layouts(m->written))
        d->kind = DIAG_UNSUPPORTED; /* the user's layouts, not ours */
    return good;
}

/* What callers and files see is plain in any graph. */
static bool ports_are_plain(const Graph *g, const char *path, Diag *d) {
    const Node *bad = NULL;
    for (int i = 0; i < g->n_node; i++)
        if ((g->node[i]->op == OP_INPUT || g->node[i]->op == OP_WEIGHT) && !type_is_plain(&g->node[i]->type))
            bad = g->node[i];
    for (int i = 0; i < g->n_out; i++)
        if (!type_is_plain(&g->out[i].node->type)) bad = g->out[i].node;
    return !bad || diag_fail(d, DIAG_SPEC, "%s: %s is an input, a weight or an output and must have a plain type", path,
                             bad->name);
}

/* A graph in its text form, as `lunette dump -d w` prints it. */
static Graph *graph_read(Arena *a, const char *path, const LunetteOptions *o, Diag *d) {
    if (o->batch > 1 || o->n_set) {
        diag_fail(d, DIAG_USAGE, "%s: batch and parameters can only be set for a Lua spec", path);
        return NULL;
    }
    char *text = text_load(a, path, d);
    if (!text) return NULL;
    Lexer l;
    lex_open(&l, a, path, text, d);
    Graph *g = graph_parse(&l);
    bool good = g && lex_end(&l, "graph") && ports_are_plain(g, path, d);
    return good ? g : NULL;
}

Graph *model_read_spec(Arena *a, const void *path, const LunetteOptions *o, Diag *d) {
    size_t n = strlen(path);
    if (n > 6 && strcmp((const char *)path + n - 6, ".graph") == 0) return graph_read(a, path, o, d);
    SpecOptions so = {.batch = o->batch, .set = o->set, .n_set = o->n_set};
    return spec_load(a, path, &so, d);
}

static LunetteModel *load_model(ModelSource *source, const void *from, const LunetteOptions *o, bool compile,
                                ModelTrace *trace, void *ctx, Diag *d) {
    if (o && o->n_constant && (o->n_constant < 0 || !o->constants || source)) {
        diag_fail(d, DIAG_USAGE, "%d constants%s: not possible", o->n_constant,
                  source ? ", which only an ONNX model has inputs for" : o->constants ? "" : " (NULL)");
        return NULL;
    }
    if (o && o->n_shape && (o->n_shape < 0 || !o->shapes || source)) {
        diag_fail(d, DIAG_USAGE, "%d shapes%s: not possible", o->n_shape,
                  source ? ", which only an ONNX model leaves open" : o->shapes ? "" : " (NULL)");
        return NULL;
    }
    if (o && (o->threads < 0 || o->batch < 0 || o->n_set < 0 || (o->n_set && !o->set))) {
        diag_fail(d, DIAG_USAGE, "%d threads, batch %lld, %d parameters%s: not possible", o->threads,
                  (long long)o->batch, o->n_set, o->set ? "" : " (NULL)");
        return NULL;
    }
    LunetteModel *volatile m = NULL;
    Arena *arena = arena_open(d);
    if (!arena) return NULL;
    arena->limit = COMPILE_MEMORY;
    volatile bool good = false;
    if (ARENA_TRY(arena)) {
        m = ARENA_NEW(arena, LunetteModel);
        m->arena = arena;
        options_copy(arena, &m->options, o);
        good = compile ? load_stages(m, source, from, trace, ctx, d) : load_written(m, source, from, d);
    } else {
        diag_fail(d, DIAG_MACHINE, "out of memory while compiling");
    }
    ARENA_END(arena);
    if (good) return m;
    arena_close(arena);
    return NULL;
}

LunetteModel *model_load_from(ModelSource *source, const void *from, const LunetteOptions *o, ModelTrace *trace,
                              void *ctx, Diag *d) {
    return load_model(source, from, o, true, trace, ctx, d);
}

static ModelSource *source_of(const char *spec) {
    size_t n = strlen(spec);
    return n > 5 && strcmp(spec + n - 5, ".onnx") == 0 ? NULL : model_read_spec;
}

LunetteModel *model_load(const char *spec, const LunetteOptions *o, ModelTrace *trace, void *ctx, Diag *d) {
    return load_model(source_of(spec), spec, o, true, trace, ctx, d);
}

LunetteModel *model_read(const char *spec, const LunetteOptions *o, Diag *d) {
    return load_model(source_of(spec), spec, o, false, NULL, NULL, d);
}
