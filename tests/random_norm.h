/* What random networks need to know of norms, reductions and products of matrices. */
#ifndef LUNETTE_TESTS_RANDOM_NORM_H
#define LUNETTE_TESTS_RANDOM_NORM_H

#include "ir/graph.h"

/* Puts attributes that fit x in the place of random ones. False: x is too large for this op. */
bool random_norm(Op op, const Type *x, uint64_t *seed, AttrAny *attr);
/* The inputs of matmul and gemm, the first being x: matrices that fit it, of weights. Gives how many; 0 for other ops. */
int random_matrices(Graph *g, Op op, Node *x, uint64_t *seed, AttrAny *attr, Node **in);
/* What keeps the op in its domain and its results from growing: an op for its first input; OP_COUNT: nothing. */
Op random_norm_guard(Op op);

#endif
