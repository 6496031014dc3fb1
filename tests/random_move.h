/* What random networks need to know of data movement and resampling. */
#ifndef LUNETTE_TESTS_RANDOM_MOVE_H
#define LUNETTE_TESTS_RANDOM_MOVE_H

#include "ir/graph.h"

/* Ops that take x of any rank and element type. */
bool random_moves(Op op);
/* Puts attributes that fit x in the place of random ones. False: x does not fit the op. */
bool random_move(Op op, const Type *x, uint64_t *seed, AttrAny *attr);
/* The inputs, x being the first: for concat activations that fit it, for gather an index; of a cast of floats the attribute
 * too. Gives how many; 0 for other ops. */
int random_move_inputs(Graph *g, Node *const *act, int n_act, Op op, Node *x, uint64_t *seed, AttrAny *attr, Node **in);

#endif
