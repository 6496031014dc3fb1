/* slice, reverse, concat: parts of axes. */
#include "ir/ops/axes.h"
#include "ir/ops/move.h"
#include "ir/ops/ops.h"

/* What is taken of each axis. */
typedef struct Cut {
    int64_t start, step, extent;
} Cut;

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* numpy's rule: numbers from the end are negative, those beyond either end stand for it. */
static Cut cut_of(int64_t extent, const SLICE_attr *s, int i) {
    int64_t step = s->step.n ? s->step.v[i] : 1;
    int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? extent : extent - 1; /* where the first and the last may stand */
    int64_t start = s->start.n ? s->start.v[i] : step > 0 ? 0 : extent - 1;
    int64_t stop = s->stop.n ? s->stop.v[i] : step > 0 ? extent : -extent - 1;
    start = clamp(start < 0 ? start + extent : start, lo, hi);
    stop = clamp(stop < 0 ? stop + extent : stop, lo, hi);
    int64_t span = step > 0 ? stop - start : start - stop, size = step > 0 ? step : -step;
    return (Cut){start, step, span > 0 ? (span + size - 1) / size : 0};
}

/* Number i of the lists is about this axis; the axes from the first on when they are not given. */
static int slice_axis(const SLICE_attr *s, int rank, int i) {
    if (s->axes.n == 0) return i;
    return s->axes.v[i] < 0 ? s->axes.v[i] + rank : s->axes.v[i];
}

static int slice_count(const SLICE_attr *s) {
    return s->axes.n ? s->axes.n : s->start.n ? s->start.n : s->stop.n ? s->stop.n : s->step.n;
}

static void slice_cuts(const Node *n, const Type *x, Cut cut[MAX_AXES]) {
    const SLICE_attr *s = &n->attr.SLICE;
    for (int i = 0; i < x->rank; i++) cut[i] = (Cut){0, 1, x->axis[i].extent};
    for (int i = 0; i < slice_count(s); i++) {
        int axis = slice_axis(s, x->rank, i);
        cut[axis] = cut_of(x->axis[axis].extent, s, i);
    }
}

static bool slice_check(const SLICE_attr *s, const Type *x, Diag *d) {
    int n = slice_count(s);
    const Ints *lists[] = {&s->start, &s->stop, &s->step};
    char text[SHAPE_TEXT];
    AxisSet axes;
    for (int i = 0; i < 3; i++)
        if (lists[i]->n && lists[i]->n != n)
            return diag_fail(d, DIAG_SPEC, "axes, start, stop and step have %d and %d numbers", n, lists[i]->n);
    if (n > x->rank) return diag_fail(d, DIAG_SPEC, "%d axes are to be cut; x is %s", n, shape_text(text, x));
    for (int i = 0; i < s->step.n; i++)
        if (s->step.v[i] == 0) return diag_fail(d, DIAG_SPEC, "a step of 0");
    return axes_of(&axes, &s->axes, 0, x, d);
}

bool slice_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    Cut cut[MAX_AXES];
    int64_t extent[MAX_AXES];
    char text[SHAPE_TEXT];
    if (!slice_check(&n->attr.SLICE, &x, d)) return false;
    slice_cuts(n, &x, cut);
    for (int i = 0; i < x.rank; i++) {
        extent[i] = cut[i].extent;
        if (extent[i] == 0)
            return diag_fail(d, DIAG_UNSUPPORTED, "nothing is left along axis %d; x is %s", i, shape_text(text, &x));
    }
    return type_of_rank(&n->type, x.dtype, x.rank, extent, d);
}

static Move slice_move(const Node *n) {
    Type x = shape_in(n, 0);
    Move m = {0};
    Cut cut[MAX_AXES];
    char name[2];
    slice_cuts(n, &x, cut);
    for (int i = 0; i < x.rank; i++) {
        m.in_base[i] = cut[i].start;
        move_digit(&m, move_name(name, &x, i), cut[i].extent, i, 1, i, cut[i].step);
    }
    return m;
}
MOVED(slice)

bool slice_keeps_blocks(const Node *n, int64_t block) {
    Type x = shape_in(n, 0);
    Cut cut[MAX_AXES];
    if (x.rank < 2) return false;
    slice_cuts(n, &x, cut);
    return cut[1].step == 1 && cut[1].start % block == 0 && cut[1].extent % block == 0;
}

/* ---- reverse -------------------------------------------------------------------------------------- */

static bool reversed(const Node *n, const Type *x, AxisSet *axes, Diag *d) {
    return axes_of(axes, &n->attr.REVERSE.axes, axes_all(x), x, d);
}

bool reverse_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    AxisSet axes;
    int64_t extent[MAX_AXES];
    return reversed(n, &x, &axes, d) && type_of_rank(&n->type, x.dtype, extents_of(&x, extent), extent, d);
}

static Move reverse_move(const Node *n) {
    Type x = shape_in(n, 0);
    Move m = {0};
    AxisSet axes;
    char name[2];
    reversed(n, &x, &axes, NULL);
    for (int i = 0; i < x.rank; i++) {
        bool back = axis_in(axes, i);
        m.in_base[i] = back ? x.axis[i].extent - 1 : 0;
        move_digit(&m, move_name(name, &x, i), x.axis[i].extent, i, 1, i, back ? -1 : 1);
    }
    return m;
}
MOVED(reverse)

bool reverse_moves_channels(const Node *n) {
    Type x = shape_in(n, 0);
    AxisSet axes;
    reversed(n, &x, &axes, NULL);
    return axis_in(axes, 1);
}

/* ---- concat --------------------------------------------------------------------------------------- */

int concat_axis(const Node *n) {
    int32_t axis = n->attr.CONCAT.axis;
    return axis < 0 ? axis + type_plain(&n->in[0]->type).rank : axis;
}

static bool concat_alike(const Type *x, const Type *y, int axis) {
    if (y->rank != x->rank || y->dtype != x->dtype) return false;
    for (int i = 0; i < x->rank; i++)
        if (i != axis && x->axis[i].extent != y->axis[i].extent) return false;
    return true;
}

bool concat_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    int64_t extent[MAX_AXES], joined = 0;
    char first[SHAPE_TEXT], other[SHAPE_TEXT];
    if (!axis_one(n->attr.CONCAT.axis, &x, d)) return false;
    int axis = concat_axis(n), rank = extents_of(&x, extent);
    for (int i = 0; i < n->n_in; i++) {
        Type y = shape_in(n, i);
        if (!concat_alike(&x, &y, axis))
            return diag_fail(d, DIAG_SPEC, "input %d is %s, input 1 is %s: only axis %d may differ", i + 1,
                             shape_text(other, &y), shape_text(first, &x), axis);
        joined += y.axis[axis].extent;
    }
    extent[axis] = joined;
    return type_of_rank(&n->type, x.dtype, rank, extent, d);
}

/* A nest an input, along the axis behind those of the inputs before it. */
static Move concat_move(const Node *n, int input, int64_t before) {
    Type x = shape_in(n, input), y = type_plain(&n->type);
    Move m = {0};
    char name[2];
    m.out_base[concat_axis(n)] = before;
    for (int i = 0; i < x.rank; i++) move_digit(&m, move_name(name, &y, i), x.axis[i].extent, i, 1, i, 1);
    return m;
}

void concat_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    int64_t before = 0;
    for (int i = 0; i < n->n_in; i++) {
        Move m = concat_move(n, i, before);
        move_eval(&m, in[i], out);
        before += in[i]->type.axis[concat_axis(n)].extent;
    }
}

void concat_lower(Lower *l, const Node *n) {
    int64_t before = 0;
    for (int i = 0; i < n->n_in; i++) {
        Move m = concat_move(n, i, before);
        move_lower(l, &m, n->in[i]);
        before += shape_in(n, i).axis[concat_axis(n)].extent;
    }
}
