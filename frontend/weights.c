/* Weights: from a file or at random, and packed into the layouts that kernels read. */
#include "frontend/model.h"

#include "frontend/data/npy.h"

#include <string.h>

ElemType model_elem(DType t) {
    static const ElemType of[] = {
        [DT_F32] = ELEM_F32, [DT_I64] = ELEM_I64, [DT_I32] = ELEM_I32, [DT_U8] = ELEM_U8, [DT_BOOL] = ELEM_BOOL};
    return of[t];
}

/* ---- files ------------------------------------------------------------------------------------- */

static const char *shape_of(Arena *a, const int64_t *extent, int rank) {
    Text t = {.arena = a};
    text_add(&t, "[");
    for (int i = 0; i < rank; i++) text_add(&t, "%s%lld", i ? ", " : "", (long long)extent[i]);
    text_add(&t, "]");
    return text_get(&t);
}

static bool shape_matches(LunetteModel *m, const Node *w, const Array *found, Diag *d) {
    int64_t wanted[MAX_AXES];
    bool same = found->rank == w->type.rank;
    for (int i = 0; i < w->type.rank; i++) {
        wanted[i] = w->type.axis[i].extent;
        same &= i < found->rank && found->shape[i] == wanted[i];
    }
    if (same) return true;
    return diag_fail(d, DIAG_FILE, "%s: %s is %s, the network wants %s (%s:%d)", m->options.weights, w->name,
                     shape_of(m->arena, found->shape, found->rank), shape_of(m->arena, wanted, w->type.rank),
                     w->loc.file ? w->loc.file : "graph", w->loc.line);
}

/* Heap room for all weights that cannot be used where they lie. */
static char *weight_room(LunetteModel *m, const bool *copied, Diag *d) {
    size_t bytes = 64;
    for (int i = 0; i < m->written->n_node; i++)
        if (copied[i]) bytes += (type_bytes(&m->written->node[i]->type) + 63) & ~(size_t)63;
    m->weight_block = mem_alloc(bytes);
    if (!m->weight_block) diag_fail(d, DIAG_MACHINE, "no memory for %zu bytes of weights", bytes);
    return m->weight_block;
}

static char *weight_next(char *at, const Node *w) { return at + ((type_bytes(&w->type) + 63) & ~(size_t)63); }

static bool weight_read(const LunetteModel *m, const Node *w, const Array *from, void *at, Diag *d) {
    return array_to(from, model_elem(w->type.dtype), at, m->options.weights, w->name, d);
}

/* A tensor of the file: a weight of the network, or the step counter that PyTorch keeps beside a batch norm's. */
static bool tensor_known(const LunetteModel *m, const char *name, Diag *d) {
    size_t len = strlen(name), tail = strlen("num_batches_tracked");
    if (len >= tail && strcmp(name + len - tail, "num_batches_tracked") == 0) return true;
    const char **names = ARENA_ARRAY(m->arena, const char *, m->written->n_node);
    size_t n = 0;
    for (int i = 0; i < m->written->n_node; i++)
        if (m->written->node[i]->op == OP_WEIGHT) {
            if (strcmp(m->written->node[i]->name, name) == 0) return true;
            names[n++] = m->written->node[i]->name;
        }
    const char *near = text_nearest(name, names, n);
    return diag_fail(d, DIAG_FILE, "%s: %s is not a weight of this network%s%s", m->options.weights, name,
                     near ? "; it has " : "", near ? near : "");
}

static bool bind_safetensors(LunetteModel *m, Diag *d) {
    m->file = safetensors_open(m->options.weights, d);
    if (!m->file) return false;
    bool *copied = ARENA_ARRAY(m->arena, bool, m->written->n_node);
    for (int i = 0; i < m->written->n_node; i++) {
        const Node *w = m->written->node[i];
        if (w->op != OP_WEIGHT) continue;
        const Array *found = safetensors_find(m->file, w->name);
        if (!found)
            return diag_fail(d, DIAG_FILE, "%s: %s is missing, the network wants %s", m->options.weights, w->name,
                             type_text(m->arena, &w->type));
        if (!shape_matches(m, w, found, d)) return false;
        copied[i] = found->type != model_elem(w->type.dtype) || w->type.dtype == DT_BOOL ||
                    (uintptr_t)found->data % dtype_bytes(w->type.dtype) != 0;
        m->weight[i] = found->data;
    }
    for (size_t i = 0; i < m->file->n; i++)
        if (!tensor_known(m, m->file->tensors[i].name, d)) return false;
    char *at = weight_room(m, copied, d);
    if (!at) return false;
    for (int i = 0; i < m->written->n_node; i++)
        if (copied[i]) {
            const Node *w = m->written->node[i];
            if (!weight_read(m, w, safetensors_find(m->file, w->name), at, d)) return false;
            m->weight[i] = at;
            at = weight_next(at, w);
        }
    return true;
}

static bool all_copied(LunetteModel *m, bool *copied) {
    bool any = false;
    for (int i = 0; i < m->written->n_node; i++) any |= copied[i] = m->written->node[i]->op == OP_WEIGHT;
    return any;
}

static bool bind_npz_members(LunetteModel *m, Npz *z, char *at, Diag *d) {
    for (size_t i = 0; i < npz_count(z); i++) {
        const char *name = npz_name(z, i);
        size_t len = strlen(name);
        if (len > 4 && strcmp(name + len - 4, ".npy") == 0) len -= 4;
        if (!tensor_known(m, arena_printf(m->arena, "%.*s", (int)len, name), d)) return false;
    }
    for (int i = 0; i < m->written->n_node; i++) {
        const Node *w = m->written->node[i];
        size_t member;
        if (w->op != OP_WEIGHT) continue;
        if (!npz_find(z, w->name, &member))
            return diag_fail(d, DIAG_FILE, "%s: %s is missing, the network wants %s", m->options.weights, w->name,
                             type_text(m->arena, &w->type));
        Array found = {0};
        if (!npz_read(z, member, &found, d)) return false;
        bool good = shape_matches(m, w, &found, d) && weight_read(m, w, &found, at, d);
        array_close(&found);
        if (!good) return false;
        m->weight[i] = at;
        at = weight_next(at, w);
    }
    return true;
}

static bool bind_npz(LunetteModel *m, Diag *d) {
    bool *copied = ARENA_ARRAY(m->arena, bool, m->written->n_node);
    all_copied(m, copied);
    char *at = weight_room(m, copied, d);
    Npz *z = at ? npz_open(m->options.weights, d) : NULL;
    if (!z) return false;
    bool good = bind_npz_members(m, z, at, d);
    npz_close(z);
    return good;
}

static bool bind_random(LunetteModel *m, Diag *d) {
    bool *copied = ARENA_ARRAY(m->arena, bool, m->written->n_node);
    if (!all_copied(m, copied)) return true;
    if (!m->options.random_weights)
        return diag_fail(d, DIAG_USAGE,
                         "the network has weights: give a file (-w FILE), or a seed for random ones (--seed N)");
    char *at = weight_room(m, copied, d);
    if (!at) return false;
    for (int i = 0; i < m->written->n_node; i++) {
        if (!copied[i]) continue;
        random_weight(m, m->options.seed, m->written->node[i], at);
        m->weight[i] = at;
        at = weight_next(at, m->written->node[i]);
    }
    return true;
}

bool model_weights(LunetteModel *m, Diag *d) {
    volatile bool good = false;
    const char *file = m->options.weights;
    if (ARENA_TRY(m->arena)) {
        size_t len = file ? strlen(file) : 0;
        if (m->embedded) good = true;
        else if (!file) good = bind_random(m, d);
        else if (len > 4 && strcmp(file + len - 4, ".npz") == 0) good = bind_npz(m, d);
        else good = bind_safetensors(m, d);
    } else {
        diag_fail(d, DIAG_MACHINE, "out of memory while reading weights");
    }
    ARENA_END(m->arena);
    return good;
}
