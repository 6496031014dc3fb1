/* Random networks for tests: 3 to 10 layers of every op a user may write, over 1, 2 or 3 spatial
 * axes, odd sizes, groups, residual adds, batch norms after convolutions and elsewhere. Small: a run
 * takes some ten million multiply-adds at the very most. Every node that nobody uses is an output. */
#ifndef LUNETTE_TESTS_RANDOM_GRAPH_H
#define LUNETTE_TESTS_RANDOM_GRAPH_H

#include "ir/graph.h"

/* NULL with `d` when no layer could be made, which is a bug. */
Graph *random_graph(Arena *a, uint64_t *seed, Diag *d);
/* Convolutions behind cheap layers, large enough to be computed in strips with what they read. */
Graph *random_chain(Arena *a, uint64_t *seed, Diag *d);
/* Values for an input or a weight, in plain layout: so scaled that activations keep their size;
 * running_var is positive. */
float *random_tensor(Arena *a, const Node *n, uint64_t *seed);

#endif
