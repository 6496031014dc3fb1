/* Axes by number, for ops that treat some of them alike: which they are, and the elements along them. */
#ifndef LUNETTE_IR_OPS_AXES_H
#define LUNETTE_IR_OPS_AXES_H

#include "ir/graph.h"

/* Bit i: axis i, outermost first. */
typedef unsigned AxisSet;

static inline bool axis_in(AxisSet s, int i) { return s >> i & 1; }

/* One axis, negative from the end, as a set. 0 with `d` if x has no such axis. */
AxisSet axis_one(int32_t axis, const Type *x, Diag *d);
/* Those listed; `none` where nothing is. False with `d` if x has no such axis or one is listed twice. */
bool axes_of(AxisSet *out, const Ints *axes, AxisSet none, const Type *x, Diag *d);
AxisSet axes_all(const Type *x);
/* x without these axes, or with extent 1 in their place. */
bool axes_reduced(Type *t, const Type *x, DType dtype, AxisSet axes, bool keep, Diag *d);

/* A tensor as groups of elements that agree in all axes but these: element m of group g is base[g] + member[m],
 * both in row-major order. */
typedef struct Groups {
    int64_t n_group, n_member;
    int64_t *base, *member;
} Groups;

Groups groups_make(Arena *a, const Type *x, AxisSet axes);

#endif
