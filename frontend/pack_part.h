/* What the files of packing share. */
#ifndef LUNETTE_FRONTEND_PACK_PART_H
#define LUNETTE_FRONTEND_PACK_PART_H

#include "frontend/model.h"

/* A constant evaluated in double; NULL with `d`. */
const RefTensor *constant_value(const LunetteModel *m, Arena *a, const Node *node, Diag *d);
/* A float32 weight, its rows perhaps scaled (scalerows), in another layout. NULL where it is none. */
const Node *streamed_source(const Node *n, const Node **scale);
/* pack_winograd.c. False with no message: not of this kind. */
bool pack_winograd(const LunetteModel *m, Arena *a, const Node *node, char *out, Pool *pool, Diag *d);

#endif
