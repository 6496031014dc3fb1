/* The reference of the whole network, with bounds from the inputs on, beside the kernels' checks in a
 * thread of its own where there may be several. A value lives in an arena of its own until its last user is done, so that deep
 * networks take no more memory than they must. */
#include "frontend/check_part.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct Whole {
    Check *c;
    pthread_t thread;
    bool threaded;     /* else it is done at the end */
    Arena **arena;     /* [n_node]: what a value lives in */
    RefTensor **value; /* [n_node] */
    int *last_use;     /* [n_node]: n_node for outputs, −1 for values nobody needs */
    atomic_bool stop;
    bool good;
    Diag diag;
};

/* ---- evaluating --------------------------------------------------------------------------------- */

static const void *input_data(const Check *c, const Node *n) {
    for (int i = 0; i < c->m->plan->n_input; i++)
        if (strcmp(c->m->plan->input[i].name, n->name) == 0) return c->inputs[i];
    return NULL;
}

static bool node_value(Whole *w, int id) {
    const LunetteModel *m = w->c->m;
    const Node *n = m->written->node[id];
    Arena *a = w->arena[id] = arena_open(&w->diag);
    if (!a) return false;
    volatile bool good = false;
    if (ARENA_TRY(a)) {
        const void *data = n->op == OP_INPUT ? input_data(w->c, n) : n->op == OP_WEIGHT ? m->weight[id] : NULL;
        if (data) w->value[id] = ref_from_f32(a, &n->type, data);
        good = data || reference_eval(a, m->written, w->value, n, true, &w->diag);
    } else {
        diag_fail(&w->diag, DIAG_MACHINE, "out of memory while evaluating %s", n->name);
    }
    ARENA_END(a);
    return good;
}

static void drop(Whole *w, int id) {
    arena_close(w->arena[id]);
    w->arena[id] = NULL;
    w->value[id] = NULL;
}

static bool evaluate_all(Whole *w) {
    const Graph *g = w->c->m->written;
    for (int id = 0; id < g->n_node; id++) {
        const Node *n = g->node[id];
        if (w->last_use[id] < 0) continue;
        if (atomic_load(&w->stop)) return false;
        if (!node_value(w, id)) return false;
        CheckSource source = n->op == OP_WEIGHT ? CHECK_WEIGHT : CHECK_FUSED;
        if (!w->c->native[id]) against_value(w->c, n, source, w->value[id]->v, NULL, NULL);
        for (int j = 0; j < n->n_in; j++)
            if (w->last_use[n->in[j]->id] == id && w->value[n->in[j]->id]) drop(w, n->in[j]->id);
    }
    return true;
}

static void *whole_thread(void *ctx) {
    Whole *w = ctx;
    w->good = evaluate_all(w);
    return NULL;
}

/* What outputs and files ask for, and until when it is needed. */
static void find_uses(Whole *w) {
    const Graph *g = w->c->m->written;
    for (int i = 0; i < g->n_node; i++) w->last_use[i] = -1;
    for (int i = 0; i < w->c->n_file; i++) w->last_use[w->c->file[i].node->id] = w->c->file[i].node->id;
    for (int i = 0; i < g->n_out; i++) w->last_use[g->out[i].node->id] = g->n_node;
    for (int i = g->n_node - 1; i >= 0; i--) {
        if (w->last_use[i] < 0) continue;
        for (int j = 0; j < g->node[i]->n_in; j++) {
            int *last = &w->last_use[g->node[i]->in[j]->id];
            if (*last < i) *last = i;
        }
    }
}

Whole *whole_start(Check *c) {
    Arena *a = c->report->arena;
    int n = c->m->written->n_node;
    Whole *w = ARENA_NEW(a, Whole);
    w->c = c;
    w->arena = ARENA_ARRAY(a, Arena *, n);
    w->value = ARENA_ARRAY(a, RefTensor *, n);
    w->last_use = ARENA_ARRAY(a, int, n);
    find_uses(w);
    w->threaded = c->threads > 1 && pthread_create(&w->thread, NULL, whole_thread, w) == 0;
    return w;
}

/* ---- comparing ---------------------------------------------------------------------------------- */

static void output_fault(CheckOutput *out, unsigned fault, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void output_fault(CheckOutput *out, unsigned fault, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    out->faults |= fault;
    why_add(out->why, fmt, ap);
    va_end(ap);
}

static void compare_output(const RefTensor *ref, const void *got, CheckOutput *out) {
    double error = 0, bound = 0, size = 0;
    int64_t wrong = 0, worst = 0, broken = 0;
    out->ratio = -1;
    out->elements = type_elements(&ref->type);
    for (int64_t e = 0; e < out->elements; e++) {
        double v = ref->v[e], b = (ref->err ? ref->err[e] : 0) + 0x1p-24 * fabs(v) + 0x1p-149,
               x = dtype_get(ref->type.dtype, got, e);
        double ratio = bound_ratio(x, v, b);
        wrong += !(ratio <= 1);
        broken += !isfinite(v); /* a bound may be: then it says nothing, as one that is wider than the values */
        if (ratio > out->ratio) out->ratio = ratio, worst = e;
        error += (x - v) * (x - v);
        bound += b * b;
        size += v * v;
    }
    out->error = error > 0 ? sqrt(error / size) : error;
    out->bound = size > 0 ? sqrt(bound / size) : 0;
    index_text(&ref->type, worst, out->at);
    if (wrong)
        output_fault(out, CHECK_NEST,
                     "differs from the reference of the whole network: %.9g against %.9g at %s, "
                     "%.3g times the bound, %lld of %lld elements out of bound",
                     dtype_get(ref->type.dtype, got, worst), ref->v[worst], out->at, out->ratio, (long long)wrong,
                     (long long)out->elements);
    if (broken)
        output_fault(out, CHECK_MISTRUSTED, "the reference is not finite in %lld elements",
                     (long long)broken);
}

static bool all_same(const Type *t, const void *x, const void *y) {
    int64_t n = type_elements(t);
    for (int64_t i = 0; i < n; i++)
        if (!memory_same(t->dtype, x, y, i)) return false;
    return true;
}

/* The network run as a user runs it gives what its kernels gave one by one. */
static bool compare_run(Arena *a, void *ctx, Diag *d) {
    (void)d;
    Check *c = ctx;
    const Plan *p = c->m->plan;
    void **again = ARENA_ARRAY(a, void *, p->n_output);
    for (int i = 0; i < p->n_output; i++) again[i] = memory_aligned(a, type_bytes(&p->output[i].type));
    model_run(c->m, c->inputs, again);
    for (int i = 0; i < p->n_output; i++)
        if (!all_same(&p->output[i].type, again[i], c->outputs[i]))
            output_fault(&c->report->output[i], CHECK_PLAN,
                         "a run of the whole network differs from its kernels run one by one");
    return true;
}

bool whole_finish(Whole *w, bool good, Diag *d) {
    Check *c = w->c;
    const Graph *g = c->m->written;
    if (!good) atomic_store(&w->stop, true);
    if (w->threaded) pthread_join(w->thread, NULL);
    else if (good) whole_thread(w);
    if (good && !w->good) {
        *d = w->diag;
        good = false;
    }
    for (int i = 0; good && i < g->n_out; i++)
        compare_output(w->value[g->out[i].node->id], c->outputs[i], &c->report->output[i]);
    good = good && check_scoped(compare_run, c, d);
    for (int i = 0; i < g->n_node; i++) drop(w, i);
    return good;
}
