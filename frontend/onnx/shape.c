/* Reshapes, and the shape of a value as a constant. */
#include "frontend/onnx/import.h"

#include <string.h>

/* ---- targets ------------------------------------------------------------------------------------------- */

/* The shape that a Reshape asks for, of a tensor with these dimensions. */
static bool reshape_target(Import *im, const int64_t *from, int from_rank, int64_t *dim, int *rank) {
    const int64_t *v;
    int n, open = -1;
    int64_t keep, all = 1, known = 1;
    if (!onnx_attr_int(im, "allowzero", 0, &keep) || !onnx_ints(im, "shape", 4, 1, &v, &n)) return false;
    if (n < 0) return import_fail(im, DIAG_SPEC, "the shape is missing");
    if (n > ONNX_MAX_RANK) return import_fail(im, DIAG_UNSUPPORTED, "%d axes", n);
    for (int i = 0; i < from_rank; i++)
        if (__builtin_mul_overflow(all, from[i], &all)) return import_fail(im, DIAG_SPEC, "the input is too large");
    for (int i = 0; i < n; i++) {
        dim[i] = v[i];
        if (v[i] == 0 && !keep && i >= from_rank) return import_fail(im, DIAG_SPEC, "axis %d has no size", i);
        if (v[i] == 0 && !keep) dim[i] = from[i];
        if (dim[i] < -1 || (dim[i] == -1 && open >= 0))
            return import_fail(im, DIAG_SPEC, "the shape is %s", import_dims(im->a, v, n));
        if (dim[i] == -1) open = i;
        else if (__builtin_mul_overflow(known, dim[i], &known))
            return import_fail(im, DIAG_SPEC, "the shape is %s", import_dims(im->a, v, n));
    }
    if (open >= 0) {
        if (known == 0 || all % known)
            return import_fail(im, DIAG_SPEC, "%s cannot become %s", import_dims(im->a, from, from_rank),
                               import_dims(im->a, v, n));
        dim[open] = all / known;
    }
    *rank = n;
    return true;
}

static bool flatten_target(Import *im, const int64_t *from, int from_rank, int64_t *dim, int *rank) {
    int64_t axis;
    if (!onnx_attr_int(im, "axis", 1, &axis)) return false;
    if (axis < -from_rank || axis > from_rank)
        return import_fail(im, DIAG_SPEC, "axis %lld of %d", (long long)axis, from_rank);
    if (axis < 0) axis += from_rank;
    dim[0] = dim[1] = 1;
    for (int i = 0; i < from_rank; i++)
        if (__builtin_mul_overflow(dim[i >= axis], from[i], &dim[i >= axis]))
            return import_fail(im, DIAG_SPEC, "the input is too large");
    *rank = 2;
    return true;
}

static bool squeeze_target(Import *im, const int64_t *from, int from_rank, int64_t *dim, int *rank) {
    const int64_t *v;
    int n, kept = 0;
    bool gone[ONNX_MAX_RANK] = {0};
    if (!onnx_ints(im, "axes", 12, 1, &v, &n)) return false;
    for (int i = 0; i < from_rank; i++) gone[i] = n < 0 && from[i] == 1;
    for (int i = 0; i < n; i++) {
        int axis = onnx_axis(im, v[i], from_rank);
        if (axis < 0) return false;
        if (from[axis] != 1)
            return import_fail(im, DIAG_SPEC, "axis %d of %s is not 1", axis, import_dims(im->a, from, from_rank));
        gone[axis] = true;
    }
    for (int i = 0; i < from_rank; i++)
        if (!gone[i]) dim[kept++] = from[i];
    *rank = kept;
    return true;
}

static bool unsqueeze_target(Import *im, const int64_t *from, int from_rank, int64_t *dim, int *rank) {
    const int64_t *v;
    int n, at = 0;
    bool fresh[ONNX_MAX_RANK] = {0};
    if (!onnx_ints(im, "axes", 12, 1, &v, &n)) return false;
    if (n < 0) return import_fail(im, DIAG_SPEC, "the axes are missing");
    if (n > ONNX_MAX_RANK - from_rank) return import_fail(im, DIAG_UNSUPPORTED, "%d axes and %d", from_rank, n);
    for (int i = 0; i < n; i++) {
        int axis = onnx_axis(im, v[i], from_rank + n);
        if (axis < 0) return false;
        if (fresh[axis]) return import_fail(im, DIAG_SPEC, "axis %d twice", axis);
        fresh[axis] = true;
    }
    *rank = from_rank + n;
    for (int i = 0; i < *rank; i++) dim[i] = fresh[i] ? 1 : from[at++];
    return true;
}

static bool shape_target(Import *im, const int64_t *from, int from_rank, int64_t *dim, int *rank) {
    if (node_is(im, "Reshape")) return reshape_target(im, from, from_rank, dim, rank);
    if (node_is(im, "Flatten")) return flatten_target(im, from, from_rank, dim, rank);
    if (node_is(im, "Squeeze")) return squeeze_target(im, from, from_rank, dim, rank);
    return unsqueeze_target(im, from, from_rank, dim, rank);
}

bool convert_reshape(Import *im) {
    int64_t from[MAX_AXES], dim[ONNX_MAX_RANK];
    int rank;
    Node *x = onnx_activation(im, 0);
    if (!x) return false;
    node_dims(x, from);
    return shape_target(im, from, x->type.rank, dim, &rank) && onnx_result(im, make_reshape(im, x, dim, rank));
}

const Const *fold_reshape(Import *im) {
    const Const *c = onnx_constant(im, 0, "the input");
    int64_t dim[ONNX_MAX_RANK];
    int rank;
    if (!c || !shape_target(im, c->dim, c->rank, dim, &rank)) return NULL;
    return const_reshaped(im, c, dim, rank);
}

/* ---- shapes as constants ----------------------------------------------------------------------------------- */

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

bool convert_shape(Import *im) {
    int64_t dim[ONNX_MAX_RANK], start, end;
    int rank;
    DType type;
    if (!onnx_dims(im, dim, &rank, &type) || !onnx_attr_int(im, "start", 0, &start) ||
        !onnx_attr_int(im, "end", rank, &end))
        return false;
    start = clamp(start < 0 ? start + rank : start, 0, rank);
    end = clamp(end < 0 ? end + rank : end, start, rank);
    const Const *c = const_integers(im, dim + start, (int)(end - start));
    return c && onnx_constant_result(im, 0, c);
}

bool convert_size(Import *im) {
    int64_t dim[ONNX_MAX_RANK], n = 1;
    int rank;
    DType type;
    if (!onnx_dims(im, dim, &rank, &type)) return false;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(n, dim[i], &n)) return import_fail(im, DIAG_SPEC, "the input is too large");
    const Const *list = const_integers(im, &n, 1), *c = list ? const_reshaped(im, list, NULL, 0) : NULL;
    return c && onnx_constant_result(im, 0, c);
}

/* ConstantOfShape: one value, as often as a shape says. */
const Const *fold_fill(Import *im) {
    const Const *shape = onnx_constant(im, 0, "the shape"), *value = NULL;
    const Onnx__AttributeProto *a = onnx_attr(im, "value");
    if (!shape) return NULL;
    if (a && a->t && !(value = tensor_const(im, a->t, "value"))) return NULL;
    if ((shape->n && !shape->i) || shape->n > ONNX_MAX_RANK || (value && value->n != 1)) {
        import_fail(im, DIAG_SPEC, "a shape and one value are needed");
        return NULL;
    }
    double v = value && value->f ? (double)value->f[0] : 0;
    Const *c = const_filled(im, value ? value->dtype : DT_F32, shape->i, (int)shape->n, v);
    for (int64_t i = 0; c && c->i && i < c->n; i++) ((int64_t *)(uintptr_t)c->i)[i] = value->i[0];
    return c;
}

/* Range: start, start + step … below limit. */
const Const *fold_range(Import *im) {
    const Const *v[3];
    double x[3];
    for (int i = 0; i < 3; i++) {
        v[i] = onnx_constant(im, i, "a bound");
        if (!v[i]) return NULL;
        if (v[i]->n != 1 || v[i]->dtype != v[0]->dtype) {
            import_fail(im, DIAG_SPEC, "three numbers of one type are needed");
            return NULL;
        }
        x[i] = v[i]->f ? (double)v[i]->f[0] : (double)v[i]->i[0];
    }
    double count = x[2] == 0 ? -1 : (x[1] - x[0]) / x[2];
    if (!(count >= -1e15 && count <= 1 << 30) || x[2] == 0) {
        import_fail(im, DIAG_SPEC, "from %g to %g by %g", x[0], x[1], x[2]);
        return NULL;
    }
    int64_t n = count <= 0 ? 0 : (int64_t)count + ((double)(int64_t)count < count);
    Const *c = const_filled(im, v[0]->dtype, &n, 1, 0);
    for (int64_t i = 0; c && i < n; i++)
        if (c->f) ((float *)(uintptr_t)c->f)[i] = (float)(x[0] + (double)i * x[2]);
        else ((int64_t *)(uintptr_t)c->i)[i] = (int64_t)((uint64_t)v[0]->i[0] + (uint64_t)i * (uint64_t)v[2]->i[0]);
    return c;
}

/* ---- constants --------------------------------------------------------------------------------------------- */

const Const *fold_constant(Import *im) {
    const Onnx__AttributeProto *a;
    if ((a = onnx_attr(im, "value")) != NULL && a->t) return tensor_const(im, a->t, im->node->output[0]);
    if ((a = onnx_attr(im, "value_float")) != NULL && a->has_f) return const_filled(im, DT_F32, NULL, 0, (double)a->f);
    if ((a = onnx_attr(im, "value_int")) != NULL && a->has_i) {
        const Const *list = const_integers(im, &a->i, 1);
        return list ? const_reshaped(im, list, NULL, 0) : NULL;
    }
    if ((a = onnx_attr(im, "value_floats")) != NULL) return const_floats(im, a->floats, (int64_t)a->n_floats);
    if ((a = onnx_attr(im, "value_ints")) != NULL && a->n_ints <= INT32_MAX)
        return const_integers(im, a->ints, (int)a->n_ints);
    import_fail(im, DIAG_UNSUPPORTED, "its value is not a tensor, numbers or a number");
    return NULL;
}
