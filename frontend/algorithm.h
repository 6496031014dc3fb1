/* How convolutions are computed. */
#ifndef LUNETTE_FRONTEND_ALGORITHM_H
#define LUNETTE_FRONTEND_ALGORITHM_H

#include "frontend/lunette.h"
#include "ir/lower.h"

/* Writes the choice into the nodes that have none: the reference takes its bounds from there. */
void choose_algorithms(Graph *g, LunetteAlgorithm wanted, LunetteAccuracy accuracy);
/* "Winograd F(4×4, 3×3)" for a kernel of it, NULL for others. */
const char *algorithm_text(Arena *a, const Group *group);

#endif
