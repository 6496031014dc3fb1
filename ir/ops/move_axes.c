/* transpose, squeeze, unsqueeze, flatten, reshape, expand: other axes for the same elements. */
#include "ir/ops/axes.h"
#include "ir/ops/move.h"
#include "ir/ops/ops.h"

/* Names the loops after the input's axes, where each moves along one of them. */
static void digit_along(Move *m, const Type *x, int in, int out, int64_t out_step) {
    char name[2];
    move_digit(m, move_name(name, x, in), x->axis[in].extent, out, out_step, in, 1);
}

/* ---- transpose --------------------------------------------------------------------------------- */

static int perm_at(const Node *n, int rank, int i) {
    const Ints *perm = &n->attr.TRANSPOSE.perm;
    if (perm->n == 0) return rank - 1 - i;
    return perm->v[i] < 0 ? perm->v[i] + rank : perm->v[i];
}

bool transpose_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    const Ints *perm = &n->attr.TRANSPOSE.perm;
    int64_t extent[MAX_AXES];
    char text[SHAPE_TEXT];
    AxisSet all;
    if (perm->n && perm->n != x.rank)
        return diag_fail(d, DIAG_SPEC, "perm has %d axes; x is %s", perm->n, shape_text(text, &x));
    if (!axes_of(&all, perm, 0, &x, d)) return false;
    for (int i = 0; i < x.rank; i++) extent[i] = x.axis[perm_at(n, x.rank, i)].extent;
    return type_of_rank(&n->type, x.dtype, x.rank, extent, d);
}

static Move transpose_move(const Node *n) {
    Type y = type_plain(&n->type);
    Move m = {0};
    char name[2];
    for (int i = 0; i < y.rank; i++)
        move_digit(&m, move_name(name, &y, i), y.axis[i].extent, i, 1, perm_at(n, y.rank, i), 1);
    return m;
}
MOVED(transpose)

/* ---- squeeze and unsqueeze ----------------------------------------------------------------------- */

/* Those of extent 1 where nothing is listed. */
static bool squeezed(const Node *n, const Type *x, AxisSet *axes, Diag *d) {
    AxisSet ones = 0;
    char text[SHAPE_TEXT];
    for (int i = 0; i < x->rank; i++)
        if (x->axis[i].extent == 1) ones |= 1u << i;
    if (!axes_of(axes, &n->attr.SQUEEZE.axes, ones, x, d)) return false;
    if (*axes & ~ones) return diag_fail(d, DIAG_SPEC, "only axes of extent 1 can go; x is %s", shape_text(text, x));
    return true;
}

bool squeeze_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    AxisSet axes;
    return squeezed(n, &x, &axes, d) && axes_reduced(&n->type, &x, x.dtype, axes, false, d);
}

static Move squeeze_move(const Node *n) {
    Type x = shape_in(n, 0);
    Move m = {0};
    AxisSet axes;
    squeezed(n, &x, &axes, NULL);
    for (int i = 0, k = 0; i < x.rank; i++)
        if (!axis_in(axes, i)) digit_along(&m, &x, i, k++, 1);
    return m;
}
MOVED(squeeze)

/* Axes count in the result. */
static bool unsqueezed(const Node *n, const Type *x, AxisSet *axes, Diag *d) {
    const Ints *list = &n->attr.UNSQUEEZE.axes;
    if (x->rank + list->n > MAX_RANK)
        return diag_fail(d, DIAG_UNSUPPORTED, "a tensor of %d axes; at most %d are known", x->rank + list->n, MAX_RANK);
    Type y = *x;
    for (int i = 0; i < list->n; i++) y.axis[y.rank++] = (Axis){'n', 1, 0, 0};
    return axes_of(axes, list, 0, &y, d);
}

bool unsqueeze_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    AxisSet axes;
    int64_t extent[MAX_AXES];
    if (!unsqueezed(n, &x, &axes, d)) return false;
    int rank = x.rank + n->attr.UNSQUEEZE.axes.n;
    for (int i = 0, k = 0; i < rank; i++) extent[i] = axis_in(axes, i) ? 1 : x.axis[k++].extent;
    return type_of_rank(&n->type, x.dtype, rank, extent, d);
}

static Move unsqueeze_move(const Node *n) {
    Type x = shape_in(n, 0), y = type_plain(&n->type);
    Move m = {0};
    AxisSet axes;
    unsqueezed(n, &x, &axes, NULL);
    for (int i = 0, k = 0; i < y.rank; i++)
        if (!axis_in(axes, i)) digit_along(&m, &x, k++, i, 1);
    return m;
}
MOVED(unsqueeze)

/* ---- flatten ------------------------------------------------------------------------------------- */

/* Axes before this one are the rows. −r … r, as the end may be meant too. */
static int flatten_axis(const Node *n, const Type *x) {
    int32_t axis = n->attr.FLATTEN.axis;
    return axis < 0 ? axis + x->rank : axis;
}

bool flatten_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    char text[SHAPE_TEXT];
    int axis = flatten_axis(n, &x);
    int64_t extent[2] = {1, 1};
    if (axis < 0 || axis > x.rank)
        return diag_fail(d, DIAG_SPEC, "there is no axis %d; x is %s", n->attr.FLATTEN.axis, shape_text(text, &x));
    for (int i = 0; i < x.rank; i++) extent[i >= axis] *= x.axis[i].extent;
    return type_of_rank(&n->type, x.dtype, 2, extent, d);
}

static Move flatten_move(const Node *n) {
    Type x = shape_in(n, 0);
    int axis = flatten_axis(n, &x);
    int64_t step[2] = {1, 1};
    Move m = {.n = x.rank};
    for (int i = x.rank - 1; i >= 0; i--) {
        Move one = {0};
        digit_along(&one, &x, i, i >= axis, step[i >= axis]);
        m.digit[i] = one.digit[0];
        step[i >= axis] *= x.axis[i].extent;
    }
    return m;
}
MOVED(flatten)

/* ---- reshape ------------------------------------------------------------------------------------- */

enum { MAX_FLAT = 1 << 30 }; /* the longest axis */

bool reshape_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    const Ints *shape = &n->attr.RESHAPE.shape;
    int64_t extent[MAX_INTS], known = 1, all = type_elements(&x);
    int wild = -1;
    char text[SHAPE_TEXT];
    if (shape->n > MAX_RANK)
        return diag_fail(d, DIAG_UNSUPPORTED, "a tensor of %d axes; at most %d are known", shape->n, MAX_RANK);
    for (int i = 0; i < shape->n; i++) {
        extent[i] = shape->v[i];
        if (extent[i] == 0 && i >= x.rank)
            return diag_fail(d, DIAG_SPEC, "extent %d is to be that of x, which is %s", i + 1, shape_text(text, &x));
        if (extent[i] == 0) extent[i] = x.axis[i].extent;
        if (extent[i] < 0 && wild >= 0) return diag_fail(d, DIAG_SPEC, "two extents are to be inferred");
        if (extent[i] < 0) wild = i;
        else if (__builtin_mul_overflow(known, extent[i], &known)) known = INT64_MAX;
        if (known > all) break;
    }
    if (wild >= 0 && all % known == 0) extent[wild] = all / known;
    if (known > all || (wild >= 0 ? all % known != 0 : known != all))
        return diag_fail(d, DIAG_SPEC, "x is %s, %lld elements, which do not make up the shape given",
                         shape_text(text, &x), (long long)all);
    if (all > MAX_FLAT) return diag_fail(d, DIAG_UNSUPPORTED, "x has more than 2^30 elements");
    return type_of_rank(&n->type, x.dtype, shape->n, extent, d);
}

void reshape_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)n;
    move_all(in[0], out);
}

/* Element i of x, in the order of memory, is element i of the result. */
void reshape_lower(Lower *l, const Node *n) {
    Type y = type_plain(&n->type);
    Nest nest = {0};
    Index at;
    if (!lower_has_tail(l) && type_is_plain(&n->type)) {
        Affine e = nest_loop_always(l, &nest, "e", type_elements(&y));
        lower_emit(l, nest_close(l, &nest, lower_write_flat(l, e, lower_read_flat(l, n->in[0], e))));
        return;
    }
    nest_result(l, &nest, &at);
    Affine e = affine_linear(l->a, &y, at.v);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &at, lower_read_flat(l, n->in[0], e))));
}

/* ---- expand --------------------------------------------------------------------------------------- */

/* numpy's rule in both directions: a 1 in the shape keeps what x has; so does −1. */
bool expand_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    const Ints *shape = &n->attr.EXPAND.shape;
    int rank = shape->n > x.rank ? shape->n : x.rank;
    int64_t extent[MAX_INTS];
    char text[SHAPE_TEXT];
    for (int i = 0; i < rank; i++) {
        int at = i - (rank - x.rank), k = i - (rank - shape->n);
        int64_t have = at < 0 ? 1 : x.axis[at].extent, want = k < 0 || shape->v[k] == -1 ? have : shape->v[k];
        if (want < 1 || (have != want && have != 1 && want != 1))
            return diag_fail(d, DIAG_SPEC, "extent %d is %lld, which x, %s, does not broadcast to", k + 1,
                             (long long)want, shape_text(text, &x));
        extent[i] = have > want ? have : want;
    }
    return type_of_rank(&n->type, x.dtype, rank, extent, d);
}

static Move expand_move(const Node *n) {
    Type x = shape_in(n, 0), y = type_plain(&n->type);
    Move m = {0};
    char name[2];
    for (int i = 0; i < y.rank; i++) {
        int at = i - (y.rank - x.rank);
        bool spread = at < 0 || x.axis[at].extent == 1;
        move_digit(&m, move_name(name, &y, i), y.axis[i].extent, i, 1, spread ? NO_AXIS : at, 1);
    }
    return m;
}
MOVED(expand)
