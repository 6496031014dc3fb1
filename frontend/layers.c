#include "frontend/layers.h"

#include "frontend/lua/spec.h"

#include <string.h>

enum { GUARD = 64, MOST_ELEMENTS = 1 << 30 };
#define PATTERN 0x7fc5a5a5u /* a NaN that no arithmetic makes */

/* ---- text ------------------------------------------------------------------------------------------------------ */

static const char *port_name(Arena *a, char letter, int i, int n) {
    return n == 1 ? arena_printf(a, "%c", letter) : arena_printf(a, "%c%d", letter, i + 1);
}

Graph *layers_read(Arena *a, const void *from, const LunetteOptions *o, Diag *d) {
    const Layers *l = from;
    Text t = {.arena = a};
    SpecOptions so = {.batch = o->batch, .set = o->set, .n_set = o->n_set};
    text_add(&t, "local y = {} ");
    for (int i = 0; i < l->n; i++)
        text_add(&t, "y.%s = input { \"%s\", %s }:%s\n", port_name(a, 'y', i, l->n), port_name(a, 'x', i, l->n),
                 l->v[i].input, l->v[i].layer);
    text_add(&t, "return y\n");
    return spec_load_text(a, "layer", text_get(&t), &so, d);
}

const char *layers_input(Arena *a, const char *text, Diag *d) {
    Text t = {.arena = a};
    bool channels = strchr(text, ',') != NULL, planes = !channels && strchr(text, 'x');
    const char *p = text;
    if (!channels) text_add(&t, "1");
    for (int n = 0; n < MAX_SPATIAL + channels; n++, p++) {
        size_t digits = strspn(p, "0123456789");
        if (digits == 0 || digits > 10) break;
        text_add(&t, "%s%.*s", t.n ? ", " : "", (int)digits, p);
        p += digits;
        if (*p == '\0') return text_get(&t);
        if (*p != (planes ? 'x' : ',')) break;
    }
    diag_fail(d, DIAG_USAGE, "the input is L, C,L, C,H,W or C,D,H,W, or HxW with one channel, not '%.100s'", text);
    return NULL;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static float *aligned(Arena *a, int64_t n) {
    char *p = arena_alloc(a, (size_t)n * sizeof(float) + PLAN_ALIGN);
    return (float *)(((uintptr_t)p + PLAN_ALIGN - 1) & ~(uintptr_t)(PLAN_ALIGN - 1));
}

/* Floats that hold a tensor of any element type. */
static int64_t floats_for(const Type *t) { return (int64_t)((type_bytes(t) + sizeof(float) - 1) / sizeof(float)); }

static void make_ports(LayersRun *r, Arena *a) {
    const Plan *p = r->m->plan;
    const uint32_t pattern = PATTERN;
    r->x = ARENA_ARRAY(a, void *, p->n_input);
    r->y = ARENA_ARRAY(a, void *, p->n_output);
    for (int i = 0; i < p->n_input; i++) r->x[i] = aligned(a, floats_for(&p->input[i].type));
    for (int i = 0; i < p->n_output; i++) {
        int64_t n = floats_for(&p->output[i].type) + 2 * GUARD;
        float *block = aligned(a, n);
        for (int64_t k = 0; k < n; k++) memcpy(&block[k], &pattern, sizeof pattern);
        r->y[i] = block + GUARD;
    }
}

/* In one block that the model owns. */
static bool make_weights(LunetteModel *m, Diag *d) {
    const Graph *g = m->written;
    size_t all = 1;
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->op == OP_WEIGHT) all += (size_t)floats_for(&g->node[i]->type);
    float *at = m->weight_block = mem_alloc(all * sizeof *at);
    if (!at) return diag_fail(d, DIAG_MACHINE, "no memory for %zu weights", all);
    for (int i = 0; i < g->n_node; i++) {
        if (g->node[i]->op != OP_WEIGHT) continue;
        m->weight[i] = at;
        at += floats_for(&g->node[i]->type);
    }
    return true;
}

static int port_find(const PlanPort *port, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(port[i].name, name) == 0) return i;
    return -1;
}

static float *weight_of(const LayersRun *r, const Node *n, int i) {
    return i < n->n_in && n->in[i]->op == OP_WEIGHT ? (float *)(uintptr_t)r->m->weight[n->in[i]->id] : NULL;
}

static void find_layer(LayersRun *r, Arena *a, int i) {
    const Plan *p = r->m->plan;
    LayerData *l = &r->layer[i];
    int out = port_find(p->output, p->n_output, port_name(a, 'y', i, r->n));
    l->node = l->input = r->m->written->out[out].node;
    while (l->input->n_in) l->input = l->input->in[0];
    l->x = r->x[port_find(p->input, p->n_input, port_name(a, 'x', i, r->n))];
    l->y = r->y[out];
    l->w = weight_of(r, l->node, 1);
    l->b = weight_of(r, l->node, 2);
}

/* What is asked for may be larger than the machine: it would not fail before all its memory is full. */
static bool sizes_fit(const LunetteModel *m, Diag *d) {
    int64_t all = 0;
    for (int i = 0; i < m->written->n_node; i++) all += type_elements(&m->written->node[i]->type);
    return all <= MOST_ELEMENTS || diag_fail(d, DIAG_UNSUPPORTED,
                                             "inputs, weights and results have %lld elements, more "
                                             "than %d are not checked",
                                             (long long)all, MOST_ELEMENTS);
}

bool layers_load(LayersRun *r, Arena *a, const Layers *l, const LunetteOptions *with, Diag *d) {
    LunetteOptions o = {.cpu = with->cpu, .threads = with->threads, .batch = with->batch, .no_cache = 1,
                        .accuracy = LUNETTE_ACCURACY_STRICT}; /* whole numbers stay whole */
    *r = (LayersRun){.n = l->n, .m = model_load_from(layers_read, l, &o, NULL, NULL, d)};
    if (!r->m || !sizes_fit(r->m, d) || !make_weights(r->m, d)) return false;
    make_ports(r, a);
    r->layer = ARENA_ARRAY(a, LayerData, l->n);
    for (int i = 0; i < l->n; i++) find_layer(r, a, i);
    return true;
}

bool layers_run(LayersRun *r, Diag *d) {
    if (!model_build(r->m, d)) return false;
    model_run(r->m, (const void *const *)r->x, (void *const *)r->y);
    return true;
}

int64_t layers_spoiled(const LayerData *l) {
    int64_t spoiled = 0, n = type_elements(&l->node->type);
    for (int i = 0; i < 2 * GUARD; i++) {
        uint32_t bits;
        memcpy(&bits, i < GUARD ? &l->y[i - GUARD] : &l->y[n + i - GUARD], sizeof bits);
        spoiled += bits != PATTERN;
    }
    return spoiled;
}

void layers_close(LayersRun *r) { model_close(r->m); }

/* ---- integers --------------------------------------------------------------------------------------------------- */

/* splitmix64's finish (Steele, Lea & Flood 2014) */
uint64_t seed_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t seed_with(uint64_t seed, const char *text) {
    for (; *text; text++) seed = seed_mix(seed + 0x9e3779b97f4a7c15u + (unsigned char)*text);
    return seed;
}

void layers_fill(uint64_t seed, int64_t most, int64_t period, float *v, int64_t n) {
    for (int64_t i = 0; i < n; i += period) {
        uint64_t h = seed_mix(seed + (uint64_t)i * 0x9e3779b97f4a7c15u) >> 32;
        v[i] = (float)((int64_t)((h * (uint64_t)(2 * most + 1)) >> 32) - most);
    }
}
