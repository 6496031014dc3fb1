/* Networks of single layers, from text: each layer as a spec has it, on an input of its own; and running them on numbers
 * that the caller sets. */
#ifndef LUNETTE_FRONTEND_LAYERS_H
#define LUNETTE_FRONTEND_LAYERS_H

#include "frontend/model.h"

typedef struct LayerText {
    const char *layer; /* "conv { 8, 3, pad = 1 }"; several in a chain: "pad { 1 }:maxpool { 2 }" */
    const char *input; /* channels and extents: "3, 32, 32" */
} LayerText;

typedef struct Layers {
    const LayerText *v;
    int n;
} Layers;

/* A ModelSource of Layers: layer i is output y1, y2 … of input x1, x2 …; one alone y of x. */
Graph *layers_read(Arena *a, const void *layers, const LunetteOptions *o, Diag *d);
/* The list of an input from what a user writes, as `explain` takes it: L, C,L, C,H,W or C,D,H,W; HxW has one channel.
 * NULL with DIAG_USAGE. */
const char *layers_input(Arena *a, const char *text, Diag *d);

/* ---- running ------------------------------------------------------------------------------------------------- */

typedef struct LayerData {
    const Node *node, *input; /* as written: whose value y is, and what x is */
    float *x, *y;             /* plain; y has guards around it */
    float *w, *b;             /* of `node`; NULL where it has none */
} LayerData;

typedef struct LayersRun {
    LunetteModel *m;
    LayerData *layer;
    int n;
    void **x, **y; /* of the network, in its order */
} LayersRun;

/* Everything before code: x, w and b are there, zero, to be set. Of the options cpu, threads and batch count; nothing is
 * cached. Close it, if it failed too. */
bool layers_load(LayersRun *r, Arena *a, const Layers *l, const LunetteOptions *o, Diag *d);
/* Compiles and runs once. */
bool layers_run(LayersRun *r, Diag *d);
/* Elements next to y that were written. */
int64_t layers_spoiled(const LayerData *l);
void layers_close(LayersRun *r);

/* ---- integers ------------------------------------------------------------------------------------------------- */

uint64_t seed_mix(uint64_t seed);
uint64_t seed_with(uint64_t seed, const char *text);
/* Integers −most … most at every `period`-th place, 0 at the others. */
void layers_fill(uint64_t seed, int64_t most, int64_t period, float *v, int64_t n);

#endif
