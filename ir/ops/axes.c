#include "ir/ops/axes.h"
#include "ir/ops/ops.h"

AxisSet axis_one(int32_t axis, const Type *x, Diag *d) {
    char text[SHAPE_TEXT];
    int at = axis < 0 ? axis + x->rank : axis;
    if (at >= 0 && at < x->rank) return 1u << at;
    diag_fail(d, DIAG_SPEC, "there is no axis %d; x is %s", axis, shape_text(text, x));
    return 0;
}

AxisSet axes_all(const Type *x) { return (1u << x->rank) - 1; }

bool axes_of(AxisSet *out, const Ints *axes, AxisSet none, const Type *x, Diag *d) {
    *out = axes->n ? 0 : none;
    for (int i = 0; i < axes->n; i++) {
        AxisSet one = axis_one(axes->v[i], x, d);
        if (!one) return false;
        if (*out & one) return diag_fail(d, DIAG_SPEC, "axis %d is listed twice", axes->v[i]);
        *out |= one;
    }
    return true;
}

bool axes_reduced(Type *t, const Type *x, DType dtype, AxisSet axes, bool keep, Diag *d) {
    int64_t extent[MAX_AXES];
    int rank = 0;
    for (int i = 0; i < x->rank; i++) {
        if (!axis_in(axes, i)) extent[rank++] = x->axis[i].extent;
        else if (keep) extent[rank++] = 1;
    }
    return type_of_rank(t, dtype, rank, extent, d);
}

/* Offsets of all elements along the axes in the set. */
static int64_t *offsets(Arena *a, const Type *x, AxisSet axes, int64_t *count) {
    int64_t n = 1, step = 1;
    for (int i = 0; i < x->rank; i++)
        if (axis_in(axes, i)) n *= x->axis[i].extent;
    int64_t *at = ARENA_ARRAY(a, int64_t, n), inner = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        int64_t extent = x->axis[i].extent;
        if (axis_in(axes, i)) {
            for (int64_t k = 0; k < n; k++) at[k] += k / inner % extent * step;
            inner *= extent;
        }
        step *= extent;
    }
    *count = n;
    return at;
}

Groups groups_make(Arena *a, const Type *x, AxisSet axes) {
    Groups g;
    g.base = offsets(a, x, axes_all(x) & ~axes, &g.n_group);
    g.member = offsets(a, x, axes, &g.n_member);
    return g;
}
