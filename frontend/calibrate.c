/* Statistics for batch norms with random weights: those that a random input has there. */
#include "frontend/model.h"
#include "runtime/reference.h"

enum { MEAN = 3, VARIANCE = 4 }; /* inputs of a batch norm */

static bool has_statistics(const Node *n) {
    return n->op == OP_BATCHNORM && !n->attr.BATCHNORM.training && n->in[MEAN]->op == OP_WEIGHT &&
           n->in[VARIANCE]->op == OP_WEIGHT;
}

static RefTensor *random_source(Arena *a, const Node *n, uint64_t seed) {
    void *data = arena_alloc(a, type_bytes(&n->type) + 1);
    if (n->type.dtype == DT_F32) random_fill(seed, n->name, -1, 1, data, type_elements(&n->type));
    else random_whole(seed, n->name, n->type.dtype, data, type_elements(&n->type));
    return ref_from_f32(a, &n->type, data);
}

/* Inputs are [n c …]. Of channels with a single value nothing can be said; they keep what they have. */
static void set_statistics(const RefTensor *x, float *mean, float *variance) {
    int64_t images = x->type.axis[0].extent, channels = x->type.axis[1].extent, positions = 1;
    for (int i = 2; i < x->type.rank; i++) positions *= x->type.axis[i].extent;
    int64_t n = images * positions;
    for (int64_t c = 0; n > 1 && c < channels; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++) sum += x->v[(i / positions * channels + c) * positions + i % positions];
        for (int64_t i = 0; i < n; i++) {
            double off = x->v[(i / positions * channels + c) * positions + i % positions] - sum / (double)n;
            squares += off * off;
        }
        mean[c] = (float)(sum / (double)n);
        variance[c] = (float)(squares / (double)n);
    }
}

static bool calibrate_node(LunetteModel *m, Arena *a, const Node *n, RefTensor **value, Diag *d) {
    const Node *x = n->in[0], *mean = n->in[MEAN], *variance = n->in[VARIANCE];
    if (!reference_eval(a, m->written, value, x, false, d)) return false;
    /* random weights are in memory of the model's own */
    set_statistics(value[x->id], (float *)(uintptr_t)m->weight[mean->id], (float *)(uintptr_t)m->weight[variance->id]);
    value[mean->id] = ref_from_f32(a, &mean->type, m->weight[mean->id]);
    value[variance->id] = ref_from_f32(a, &variance->type, m->weight[variance->id]);
    return true;
}

bool random_calibrate(LunetteModel *m, Arena *a, Diag *d) {
    const Graph *g = m->written;
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (n->op == OP_WEIGHT) value[i] = ref_from_f32(a, &n->type, m->weight[i]);
        else if (n->op == OP_INPUT) value[i] = random_source(a, n, m->options.seed);
    }
    for (int i = 0; i < g->n_node; i++)
        if (has_statistics(g->node[i]) && !calibrate_node(m, a, g->node[i], value, d)) return false;
    return true;
}
