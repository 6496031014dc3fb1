/* Specs from graphs: what frontend/lua reads, written. */
#ifndef LUNETTE_FRONTEND_LUA_WRITE_H
#define LUNETTE_FRONTEND_LUA_WRITE_H

#include "ir/graph.h"

/* Appends a spec that spec_load reads as this graph: the same nodes, names, attributes, schedules and outputs. Inputs whose
 * batch is not 1 have their whole shape. False with DIAG_UNSUPPORTED for a graph that passes have changed. */
bool spec_text(Text *t, const Graph *g, Diag *d);
/* Whether y is x again but for lines and order: DIAG_INTERNAL with the first node that is not. */
bool graph_same(Arena *a, const Graph *x, const Graph *y, Diag *d);

#endif
