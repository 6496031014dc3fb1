/* Random weights and inputs: the same for the same seed and name. */
#include "frontend/indices.h"
#include "frontend/model.h"

#include <math.h>

enum { SMALL_MOST = 9 }; /* of integers that mean nothing in particular */

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014): one step of a 64-bit counter, well mixed. */
static uint64_t splitmix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t state_of(uint64_t seed, const char *name) {
    uint64_t state = seed ^ 0xcbf29ce484222325u;
    for (const char *p = name; *p; p++) state = (state ^ (unsigned char)*p) * 0x100000001b3u;
    return state;
}

void random_fill(uint64_t seed, const char *name, float lo, float hi, float *out, int64_t n) {
    uint64_t state = state_of(seed, name);
    for (int64_t i = 0; i < n; i++) out[i] = lo + (hi - lo) * (float)(splitmix(&state) >> 40) * 0x1p-24f;
}

static void fill_whole(uint64_t seed, const char *name, DType type, const Node *user, void *out, int64_t n) {
    uint64_t state = state_of(seed, name);
    bool alike = n > 1; /* which would show nothing: few bits easily are */
    for (int64_t i = 0; i < n; i++) {
        uint64_t draw = splitmix(&state) >> 16, most = type == DT_BOOL ? 1 : SMALL_MOST;
        dtype_put(type, out, i, (double)(user ? index_draw(user, i, draw) : (int64_t)(draw % (most + 1))));
        alike &= dtype_get(type, out, i) == dtype_get(type, out, 0);
    }
    if (alike && !user) dtype_put(type, out, n - 1, dtype_get(type, out, 0) == 0);
}

void random_whole(uint64_t seed, const char *name, DType type, void *out, int64_t n) {
    fill_whole(seed, name, type, NULL, out, n);
}

/* An input or weight of the graph as written. */
static void fill(const LunetteModel *m, uint64_t seed, const Node *source, float lo, float hi, void *out) {
    const Type *t = &source->type;
    const Node *user = m->index_user[source->id];
    if (!user && t->dtype == DT_F32) random_fill(seed, source->name, lo, hi, out, type_elements(t));
    else fill_whole(seed, source->name, t->dtype, user, out, type_elements(t));
}

void random_input(const LunetteModel *m, uint64_t seed, int i, float lo, float hi, void *out) {
    fill(m, seed, graph_find(m->written, m->plan->input[i].name), lo, hi, out);
}

/* ---- weights ------------------------------------------------------------------------------------- */

static const Node *user_of(const Graph *g, const Node *weight, int *place) {
    for (int i = 0; i < g->n_node; i++)
        for (int j = 0; j < g->node[i]->n_in; j++)
            if (g->node[i]->in[j] == weight) {
                *place = j;
                return g->node[i];
            }
    return NULL;
}

void random_weight(const LunetteModel *m, uint64_t seed, const Node *weight, void *out) {
    int place = 0;
    const Node *user = user_of(m->written, weight, &place);
    int64_t n = type_elements(&weight->type);
    float lo = -0.1f, hi = 0.1f;
    if (user && user->op == OP_BATCHNORM && (place == 1 || place == 4)) {
        lo = 0.5f, hi = 1.5f; /* scale and variance */
    } else if (place == 1 && weight->type.rank > 1) {
        hi = sqrtf(6.0f / (float)(n / weight->type.axis[0].extent)); /* He et al. 2015: variance 2 / fan-in */
        lo = -hi;
    }
    fill(m, seed, weight, lo, hi, out);
}
