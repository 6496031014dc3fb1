/* What random networks need to know of convolutions and padding. */
#ifndef LUNETTE_TESTS_RANDOM_WINDOWS_H
#define LUNETTE_TESTS_RANDOM_WINDOWS_H

#include "ir/graph.h"

/* Puts attributes that fit x in the place of random ones, for pad and transposed convolutions. */
void random_windows(Op op, const Type *x, uint64_t *seed, AttrAny *attr);

#endif
