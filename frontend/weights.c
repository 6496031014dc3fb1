/* Weights: from a file or at random, and packed into the layouts that kernels read. */
#include "frontend/model.h"

#include "frontend/data/npy.h"
#include "runtime/reference.h"

#include <math.h>
#include <string.h>

/* ---- random ------------------------------------------------------------------------------------ */

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014): one step of a 64-bit counter, well mixed. */
static uint64_t splitmix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void random_fill(uint64_t seed, const char *name, float lo, float hi, float *out, int64_t n) {
    uint64_t state = seed ^ 0xcbf29ce484222325u;
    for (const char *p = name; *p; p++) state = (state ^ (unsigned char)*p) * 0x100000001b3u;
    for (int64_t i = 0; i < n; i++) out[i] = lo + (hi - lo) * (float)(splitmix(&state) >> 40) * 0x1p-24f;
}

static const Node *user_of(const Graph *g, const Node *weight, int *place) {
    for (int i = 0; i < g->n_node; i++)
        for (int j = 0; j < g->node[i]->n_in; j++)
            if (g->node[i]->in[j] == weight) {
                *place = j;
                return g->node[i];
            }
    return NULL;
}

void random_weight(uint64_t seed, const Graph *g, const Node *weight, float *out) {
    int place = 0;
    const Node *user = user_of(g, weight, &place);
    int64_t n = type_elements(&weight->type);
    float lo = -0.1f, hi = 0.1f;
    if (user && user->op == OP_BATCHNORM && (place == 1 || place == 4)) {
        lo = 0.5f, hi = 1.5f; /* scale and variance */
    } else if (place == 1 && weight->type.rank > 1) {
        hi = sqrtf(6.0f / (float)(n / weight->type.axis[0].extent)); /* He et al. 2015: variance 2 / fan-in */
        lo = -hi;
    }
    random_fill(seed, weight->name, lo, hi, out, n);
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
static float *weight_room(LunetteModel *m, const bool *copied, Diag *d) {
    size_t bytes = 64;
    for (int i = 0; i < m->written->n_node; i++)
        if (copied[i]) bytes += (type_bytes(&m->written->node[i]->type) + 63) & ~(size_t)63;
    m->weight_block = mem_alloc(bytes);
    if (!m->weight_block) diag_fail(d, DIAG_MACHINE, "no memory for %zu bytes of weights", bytes);
    return m->weight_block;
}

static float *weight_next(float *at, const Node *w) {
    return at + ((type_bytes(&w->type) + 63) & ~(size_t)63) / sizeof *at;
}

static bool extra_tensor(const LunetteModel *m, const char *name, Diag *d) {
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
        copied[i] = found->type != ELEM_F32 || (uintptr_t)found->data % sizeof(float) != 0;
        m->weight[i] = found->data;
    }
    for (size_t i = 0; i < m->file->n; i++) {
        const char *name = m->file->tensors[i].name;
        size_t len = strlen(name), tail = strlen("num_batches_tracked");
        if (len >= tail && strcmp(name + len - tail, "num_batches_tracked") == 0) continue; /* PyTorch's step counter */
        if (!extra_tensor(m, name, d)) return false;
    }
    float *at = weight_room(m, copied, d);
    if (!at) return false;
    for (int i = 0; i < m->written->n_node; i++)
        if (copied[i]) {
            array_to_f32(safetensors_find(m->file, m->written->node[i]->name), at);
            m->weight[i] = at;
            at = weight_next(at, m->written->node[i]);
        }
    return true;
}

static bool all_copied(LunetteModel *m, bool *copied) {
    bool any = false;
    for (int i = 0; i < m->written->n_node; i++) any |= copied[i] = m->written->node[i]->op == OP_WEIGHT;
    return any;
}

static bool bind_npz_members(LunetteModel *m, Npz *z, float *at, Diag *d) {
    for (size_t i = 0; i < npz_count(z); i++) {
        const char *name = npz_name(z, i);
        size_t len = strlen(name);
        if (len > 4 && strcmp(name + len - 4, ".npy") == 0) len -= 4;
        if (!extra_tensor(m, arena_printf(m->arena, "%.*s", (int)len, name), d)) return false;
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
        bool good = shape_matches(m, w, &found, d);
        if (good) array_to_f32(&found, at);
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
    float *at = weight_room(m, copied, d);
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
    float *at = weight_room(m, copied, d);
    if (!at) return false;
    for (int i = 0; i < m->written->n_node; i++) {
        if (!copied[i]) continue;
        random_weight(m->options.seed, m->written, m->written->node[i], at);
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

/* ---- packing ----------------------------------------------------------------------------------- */

/* A constant straight from a weight, perhaps in another layout: no arithmetic to do. */
static const Node *plain_source(const Node *n) {
    while (n->op == OP_RELAYOUT) n = n->in[0];
    return n->op == OP_WEIGHT ? n : NULL;
}

static RefTensor *weight_tensor(const LunetteModel *m, Arena *a, const Node *w) {
    return ref_from_f32(a, &w->origin->type, m->weight[w->origin->id]);
}

static const RefTensor *constant_value(const LunetteModel *m, Arena *a, const Node *node, Diag *d) {
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, m->graph->n_node);
    /* only the weights that this one needs: those it reaches */
    bool *needed = ARENA_ARRAY(a, bool, m->graph->n_node);
    needed[node->id] = true;
    for (int i = node->id; i >= 0; i--) {
        const Node *n = m->graph->node[i];
        if (!needed[i]) continue;
        if (n->op == OP_WEIGHT) value[i] = weight_tensor(m, a, n);
        for (int j = 0; j < n->n_in; j++) needed[n->in[j]->id] = true;
    }
    return reference_eval(a, m->graph, value, node, false, d) ? value[node->id] : NULL;
}

/* memory[…] = round(value[e]) for the logical elements in order; the halo, if any, is set first. */
static void pack_values(const Type *t, const int64_t *at, int64_t n, const double *v, const float *f, float *out) {
    int64_t memory = type_memory_elements(t);
    if (memory != n)
        for (int64_t i = 0; i < memory; i++) out[i] = t->halo;
    for (int64_t e = 0; e < n; e++) out[at[e]] = f ? f[e] : (float)v[e];
}

bool constant_pack(const LunetteModel *m, const Node *node, float *out, Diag *d) {
    Arena *a = arena_open(d);
    if (!a) return false;
    volatile bool good = false;
    if (ARENA_TRY(a)) {
        const Node *source = plain_source(node);
        int64_t n = type_elements(&node->type);
        const RefTensor *value = source ? NULL : constant_value(m, a, node, d);
        if (source && type_is_plain(&node->type)) {
            memcpy(out, m->weight[source->origin->id], (size_t)n * sizeof *out);
            good = true;
        } else if (source || value) {
            int64_t *at = ARENA_ARRAY(a, int64_t, n);
            type_offsets(&node->type, at);
            pack_values(&node->type, at, n, value ? value->v : NULL, source ? m->weight[source->origin->id] : NULL,
                        out);
            good = true;
        }
    } else {
        diag_fail(d, DIAG_MACHINE, "out of memory while packing weights");
    }
    ARENA_END(a);
    arena_close(a);
    return good;
}
