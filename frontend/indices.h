/* Tensors that hold places in others: the indexes of gather and of maxunpool. A kernel cannot say that an index is out of
 * range (gather takes the element at the end, maxunpool drops the value), so those that come from outside are looked at
 * before a run. */
#ifndef LUNETTE_FRONTEND_INDICES_H
#define LUNETTE_FRONTEND_INDICES_H

#include "ir/graph.h"

/* [g->n_node]: the node that takes all elements of this one as indexes, as they are or in another shape or element type; of
 * several gathers the one with the fewest places. NULL if there is none. */
const Node **index_users(Arena *a, const Graph *g);
/* Places that a gather has, 0 for other nodes (and NULL). */
int64_t index_places(const Node *user);
/* What element i may be, one of them for each `draw`: any place for gather; for maxunpool one in the window that the pool had
 * there, so that maxpoolindex could have made it. */
int64_t index_draw(const Node *user, int64_t i, uint64_t draw);
/* Whether all elements are in −places … places − 1; else DIAG_FILE "NAME: element 5 is 12, not in -10 … 9". */
bool index_check(const Type *t, const void *data, int64_t places, const char *name, Diag *d);

#endif
