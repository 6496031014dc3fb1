/* What is set beside the kernels: the network without schedules, the network with im2col, the double reference. */
#include "frontend/cli/bench.h"

#include "runtime/reference.h"

#include <string.h>

const char *const against_name[] = {"none", "plain", "reference", "im2col"};

/* ---- another model ----------------------------------------------------------------------------------- */

static int step_named(const LunetteModel *m, const char *name) {
    for (int s = 0; s < m->plan->n_step; s++)
        if (strcmp(m->context.groups.v[s].anchor->name, name) == 0) return s;
    return -1;
}

int bench_step(const Bench *b, int run, int step) {
    return step_named(b->run[run].model, b->run[0].model->context.groups.v[step].anchor->name);
}

/* The first step after s that reads what s makes; −1: none. */
static int reader_of(const Plan *p, int s) {
    int made = p->step[s].buf[p->step[s].n_arg - 1];
    for (int t = s + 1; t < p->n_step; t++)
        for (int i = 0; i + 1 < p->step[t].n_arg; i++)
            if (p->step[t].buf[i] == made) return t;
    return -1;
}

/* A step goes with the kernel whose anchor has its name; one that the network does not have (the matrix of im2col, a
 * copy in plain layout for it) with the kernel of who reads it. */
static int *partners(const LunetteModel *m, const LunetteModel *other, Arena *a) {
    int n = other->plan->n_step, *of = ARENA_ARRAY(a, int, n);
    for (int s = n - 1; s >= 0; s--) {
        of[s] = step_named(m, other->context.groups.v[s].anchor->name);
        int reader = of[s] < 0 ? reader_of(other->plan, s) : -1;
        if (reader >= 0) of[s] = of[reader];
    }
    return of;
}

bool beside_open(Bench *b, Arena *a, Diag *d) {
    Beside *other = &b->beside;
    LunetteOptions o = b->o.model;
    o.plain = b->against == AGAINST_PLAIN;
    if (b->against == AGAINST_IM2COL) o.algorithm = LUNETTE_IM2COL;
    progress_begin("compiling what is compared", 0);
    other->model = bench_model(b, &o, d);
    progress_end();
    if (!other->model) return false;
    other->n = other->model->plan->n_step;
    other->part = ARENA_ARRAY(a, Samples, other->n);
    other->of = partners(b->run[0].model, other->model, a);
    return true;
}

/* ---- the reference ----------------------------------------------------------------------------------- */

/* Which kernel each node of the graph as written has become part of; −1 for none. A value that a
 * pass did away with (a convolution before its batch norm) went where its user went. */
static int *kernels_of_nodes(const LunetteModel *m, Arena *a) {
    const Graph *w = m->written;
    int *of = ARENA_ARRAY(a, int, w->n_node);
    for (int i = 0; i < w->n_node; i++) of[i] = -1;
    for (int k = 0; k < m->context.groups.n; k++) {
        const Group *g = &m->context.groups.v[k];
        for (int i = 0; i < group_size(g); i++) {
            const Node *n = group_node(g, i);
            if (n->origin && n->op != OP_RELAYOUT) of[n->origin->id] = k;
        }
    }
    for (int i = w->n_node - 1; i >= 0; i--)
        for (int j = 0; j < w->node[i]->n_in; j++) {
            int x = w->node[i]->in[j]->id;
            if (of[x] < 0) of[x] = of[i];
        }
    return of;
}

bool bench_reference(Bench *b, Arena *a, Diag *d) {
    const LunetteModel *m = b->run[0].model;
    const Graph *g = m->written;
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    int input = 0;
    b->beside = (Beside){NULL, g->n_node, ARENA_ARRAY(a, Samples, g->n_node), kernels_of_nodes(m, a)};
    progress_begin("the reference: layers", g->n_node);
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (n->op == OP_INPUT) value[i] = ref_from_f32(a, &n->type, b->x[input++]);
        if (n->op == OP_WEIGHT) value[i] = ref_from_f32(a, &n->type, m->weight[i]);
        double start = clock_seconds();
        if (!reference_eval(a, g, value, n, false, d)) return false;
        samples_add(a, &b->beside.part[i], clock_seconds() - start);
        progress_set(i);
    }
    progress_end();
    return true;
}
