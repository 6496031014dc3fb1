/* Numbers about a graph. */
#ifndef LUNETTE_CLI_FACTS_H
#define LUNETTE_CLI_FACTS_H

#include "ir/lower.h"

/* Multiply-adds of a convolution or a dense layer, plain or blocked, the whole batch; 0 for other ops. */
int64_t node_macs(const Node *n);
int64_t group_macs(const Group *g);
/* Elements of the trained weights that the node takes: not the running statistics of a batch norm. */
int64_t node_params(const Node *n);
/* Those of all nodes, a shared weight once. */
int64_t graph_params(Arena *a, const Graph *g);

/* How much of the input one element of a value depends on, an axis at a time: `extent` positions;
 * neighbours in the value are `jump` positions apart. */
typedef struct Reach {
    int n; /* spatial axes */
    int64_t extent[MAX_SPATIAL], jump[MAX_SPATIAL];
} Reach;

/* [g->n_node], for a graph as written. Through a window of k at dilation d and stride s:
 * extent += (k − 1)·d·jump, jump *= s (Dumoulin & Visin 2016); where branches meet, the larger. */
Reach *graph_reach(Arena *a, const Graph *g);

#endif
