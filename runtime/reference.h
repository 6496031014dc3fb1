/* The first oracle: the graph as it was written, each op's `eval` in double, with an error bound
 * for every element. */
#ifndef LUNETTE_RUNTIME_REFERENCE_H
#define LUNETTE_RUNTIME_REFERENCE_H

#include "ir/graph.h"

/* value[i] for node id i: those that are set are taken as they are (inputs and weights must be), the
 * others are evaluated as far as `wanted` needs them. with_err asks for error bounds. False with
 * DIAG_INTERNAL when an input or a weight that is needed has no value. */
bool reference_eval(Arena *a, const Graph *g, RefTensor **value, const Node *wanted, bool with_err, Diag *d);

/* Zeros in the plain form of this type. */
RefTensor *ref_tensor_new(Arena *a, const Type *type, bool with_err);
/* Data in the layout of `layout_type`, of its element type, halo and all, as a plain tensor without error bounds. */
RefTensor *ref_from_f32(Arena *a, const Type *layout_type, const void *data);

#endif
