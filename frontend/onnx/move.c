/* Ops that move values: transposes, slices, joins, paddings, gathers. */
#include "frontend/onnx/import.h"

#include <math.h>
#include <string.h>

/* ---- transposes ------------------------------------------------------------------------------------------ */

static bool permutation(Import *im, int rank, int64_t *perm) {
    const int64_t *v;
    int n;
    bool seen[ONNX_MAX_RANK] = {0};
    if (!onnx_attr_ints(im, "perm", &v, &n)) return false;
    for (int i = 0; i < rank; i++) perm[i] = rank - 1 - i;
    if (n >= 0 && n != rank) return import_fail(im, DIAG_SPEC, "perm has %d numbers for %d axes", n, rank);
    for (int i = 0; i < n; i++) {
        if (v[i] < 0 || v[i] >= rank || seen[v[i]])
            return import_fail(im, DIAG_SPEC, "%s is no permutation", import_dims(im->a, v, n));
        seen[v[i]] = true;
        perm[i] = v[i];
    }
    return true;
}

bool convert_transpose(Import *im) {
    int64_t perm[ONNX_MAX_RANK];
    Node *x = onnx_activation(im, 0);
    if (!x || !permutation(im, x->type.rank, perm)) return false;
    bool same = true;
    for (int i = 0; i < x->type.rank; i++) same &= perm[i] == i;
    if (same) return onnx_result(im, x);
    Make m = make_op(im, OP_TRANSPOSE);
    make_ints(&m, "perm", perm, x->type.rank);
    return onnx_result(im, make_node(&m, &x, 1));
}

const Const *fold_transpose(Import *im) {
    int64_t perm[ONNX_MAX_RANK];
    const Const *c = onnx_constant(im, 0, "the input");
    return c && permutation(im, c->rank, perm) ? const_transposed(im, c, perm) : NULL;
}

/* ---- joining and cutting ----------------------------------------------------------------------------------- */

static bool is_empty(Import *im, int i) {
    Value *v = import_value(im, im->node->input[i]);
    const Const *c = !v->node && value_is_constant(v) ? value_const(im, v) : NULL;
    return c && c->n == 0;
}

bool convert_concat(Import *im) {
    int64_t given;
    int n = (int)im->node->n_input, count = 0;
    Node **in = ARENA_ARRAY(im->a, Node *, n);
    if (im->opset >= 4 && !onnx_attr(im, "axis")) return import_fail(im, DIAG_SPEC, "axis is missing");
    if (!onnx_attr_int(im, "axis", 1, &given)) return false;
    for (int i = 0; i < n; i++) {
        if (onnx_has_input(im, i) && is_empty(im, i)) continue;
        in[count] = onnx_activation(im, i);
        if (!in[count++]) return false;
    }
    if (count == 0) return import_fail(im, DIAG_UNSUPPORTED, "of empty tensors");
    int axis = onnx_axis(im, given, in[0]->type.rank);
    if (axis < 0) return false;
    Make m = make_op(im, OP_CONCAT);
    make_number(&m, "axis", axis);
    return onnx_result(im, count == 1 ? in[0] : make_node(&m, in, count));
}

static Node *emit_slice(Import *im, Node *x, int axis, int64_t start, int64_t stop, int64_t step) {
    Make m = make_op(im, OP_SLICE);
    make_ints(&m, "axes", (int64_t[]){axis}, 1);
    make_ints(&m, "start", &start, 1);
    make_ints(&m, "stop", &stop, 1);
    make_ints(&m, "step", &step, 1);
    return make_node(&m, &x, 1);
}

/* Without sizes equal parts, the last one smaller. */
static bool split_sizes(Import *im, int64_t extent, int parts, int64_t *size) {
    const int64_t *v;
    int n;
    int64_t sum = 0, wanted;
    if (!onnx_ints(im, "split", 12, 1, &v, &n) || !onnx_attr_int(im, "num_outputs", parts, &wanted)) return false;
    if (wanted != parts || (n >= 0 && n != parts))
        return import_fail(im, DIAG_SPEC, "%lld parts, but %d outputs", n >= 0 ? (long long)n : (long long)wanted,
                           parts);
    int64_t each = (extent + parts - 1) / parts;
    for (int i = 0; i < parts; i++) {
        size[i] = n >= 0 ? v[i] : extent - sum < each ? extent - sum : each;
        if (size[i] < 0 || size[i] > extent - sum)
            return import_fail(im, DIAG_SPEC, "the parts do not add up to %lld", (long long)extent);
        sum += size[i];
    }
    return sum == extent || import_fail(im, DIAG_SPEC, "the parts do not add up to %lld", (long long)extent);
}

/* A part of nothing is known: it is empty. */
static bool split_part(Import *im, int i, const int64_t *dim, int rank, DType type, int axis, int64_t start,
                       int64_t size) {
    int64_t own[ONNX_MAX_RANK], n = 1;
    if (!onnx_has_output(im, i)) return true;
    for (int k = 0; k < rank; k++) n *= own[k] = k == axis ? size : dim[k];
    if (n > 0) {
        Node *x = onnx_activation(im, 0);
        return x && onnx_result_at(im, i, emit_slice(im, x, axis, start, start + size, 1));
    }
    const Const *c = const_filled(im, type, own, rank, 0);
    return c && onnx_constant_result(im, i, c);
}

bool convert_split(Import *im) {
    int64_t given, start = 0, dim[ONNX_MAX_RANK];
    int parts = (int)im->node->n_output, rank;
    DType type;
    if (!onnx_dims(im, dim, &rank, &type) || !onnx_attr_int(im, "axis", 0, &given)) return false;
    int axis = onnx_axis(im, given, rank);
    if (axis < 0) return false;
    if (parts > 4096) return import_fail(im, DIAG_UNSUPPORTED, "%d parts", parts);
    int64_t *size = ARENA_ARRAY(im->a, int64_t, parts);
    if (!split_sizes(im, dim[axis], parts, size)) return false;
    for (int i = 0; i < parts; i++) {
        if (!split_part(im, i, dim, rank, type, axis, start, size[i])) return false;
        start += size[i];
    }
    return true;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* numpy's rule: negative from the end, then cut to the axis; a negative step starts at the last element at most. The result
 * is what our slice takes: it counts a stop of −1 from the end too, so a backward slice to the start has −extent − 1. */
static bool slice_bounds(Import *im, int64_t extent, int64_t *start, int64_t *stop, int64_t *step, int64_t *count) {
    if (*step == 0) return import_fail(im, DIAG_SPEC, "a step of 0");
    *step = clamp(*step, -extent, extent);
    int64_t lo = *step < 0 ? -1 : 0, hi = *step < 0 ? extent - 1 : extent;
    *start = clamp(*start < 0 ? clamp(*start, -extent - 1, 0) + extent : *start, *step < 0 ? 0 : lo, hi);
    *stop = clamp(*stop < 0 ? clamp(*stop, -extent - 1, 0) + extent : *stop, lo, hi);
    int64_t far = *step > 0 ? *stop - *start : *start - *stop, by = *step > 0 ? *step : -*step;
    *count = far > 0 ? (far + by - 1) / by : 0;
    if (*stop < 0) *stop = -extent - 1;
    return true;
}

bool convert_slice(Import *im) {
    const int64_t *start, *stop, *axes, *step;
    int n, n_stop, n_axes, n_step;
    int64_t from[MAX_INTS], to[MAX_INTS], by[MAX_INTS], at[MAX_INTS], dim[MAX_AXES], all = 1;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_ints(im, "starts", 9, 1, &start, &n) || !onnx_ints(im, "ends", 9, 2, &stop, &n_stop) ||
        !onnx_ints(im, "axes", 9, 3, &axes, &n_axes) || !onnx_ints(im, "steps", 0, 4, &step, &n_step))
        return false;
    if (n < 0 || n > x->type.rank || n_stop != n || (n_axes >= 0 && n_axes != n) || (n_step >= 0 && n_step != n))
        return import_fail(im, DIAG_SPEC, "%d starts, %d ends, %d axes, %d steps for %s", n, n_stop, n_axes, n_step,
                           node_shape(im, x));
    node_dims(x, dim);
    for (int i = 0; i < n; i++) {
        int axis = onnx_axis(im, n_axes >= 0 ? axes[i] : i, x->type.rank);
        if (axis < 0) return false;
        at[i] = axis, from[i] = start[i], to[i] = stop[i], by[i] = n_step >= 0 ? step[i] : 1;
        if (!slice_bounds(im, x->type.axis[axis].extent, &from[i], &to[i], &by[i], &dim[axis])) return false;
    }
    for (int i = 0; i < x->type.rank; i++) all *= dim[i];
    if (all == 0) {
        const Const *c = const_filled(im, x->type.dtype, dim, x->type.rank, 0);
        return c && onnx_constant_result(im, 0, c);
    }
    if (n == 0) return onnx_result(im, x);
    Make m = make_op(im, OP_SLICE);
    make_ints(&m, "axes", at, n);
    make_ints(&m, "start", from, n);
    make_ints(&m, "stop", to, n);
    make_ints(&m, "step", by, n);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* ---- repeating, padding, picking --------------------------------------------------------------------------- */

bool convert_expand(Import *im) {
    const int64_t *v;
    int n;
    int64_t dim[MAX_AXES], own[MAX_AXES];
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_ints(im, "shape", 0, 1, &v, &n)) return false;
    int rank = n > x->type.rank ? n : x->type.rank;
    if (rank > MAX_RANK) return import_fail(im, DIAG_UNSUPPORTED, "%d axes", rank);
    node_dims(x, own);
    for (int i = 0; i < rank; i++) {
        int64_t have = i < rank - x->type.rank ? 1 : own[i - rank + x->type.rank],
                want = i < rank - n ? 1 : v[i - rank + n];
        if (want < 1 || (have != 1 && want != 1 && have != want))
            return import_fail(im, DIAG_SPEC, "%s to %s", node_shape(im, x), import_dims(im->a, v, n));
        dim[i] = have > want ? have : want;
    }
    if (rank == x->type.rank && memcmp(dim, own, sizeof *dim * (size_t)rank) == 0) return onnx_result(im, x);
    Make m = make_op(im, OP_EXPAND);
    make_ints(&m, "shape", dim, rank);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* Up to opset 5: a number of copies along one axis, both of x's own type. */
static bool old_repeats(Import *im, const Node *x, int64_t repeats[MAX_AXES]) {
    double v[2] = {0};
    for (int i = 0; i < 2; i++) {
        const Const *c = onnx_constant(im, 1 + i, i ? "the axis" : "tiles");
        if (!c) return false;
        if (c->n == 1) v[i] = c->f ? (double)c->f[0] : (double)c->i[0];
        if (c->n != 1 || !(fabs(v[i]) <= 1 << 30) || v[i] != trunc(v[i]))
            return import_fail(im, DIAG_SPEC, "tiles and axis are no whole numbers");
    }
    int axis = onnx_axis(im, (int64_t)v[1], x->type.rank);
    for (int i = 0; i < x->type.rank; i++) repeats[i] = i == axis ? (int64_t)v[0] : 1;
    return axis >= 0;
}

static bool repeats_of(Import *im, const Node *x, int64_t repeats[MAX_AXES]) {
    const int64_t *v;
    int n;
    if (im->opset < 6) return old_repeats(im, x, repeats);
    if (im->node->n_input != 2) return import_fail(im, DIAG_SPEC, "it has %zu inputs", im->node->n_input);
    if (!onnx_ints(im, "repeats", 0, 1, &v, &n)) return false;
    if (n != x->type.rank) return import_fail(im, DIAG_SPEC, "%d repeats for %s", n, node_shape(im, x));
    for (int i = 0; i < n; i++) repeats[i] = v[i];
    return true;
}

/* Axis by axis: a new one before it is expanded and becomes a part of it. */
bool convert_tile(Import *im) {
    int64_t repeats[MAX_AXES], dim[MAX_AXES];
    Node *x = onnx_activation(im, 0);
    if (!x || !repeats_of(im, x, repeats)) return false;
    int rank = x->type.rank;
    node_dims(x, dim);
    for (int i = rank - 1; i >= 0 && x; i--) {
        if (repeats[i] < 1 || repeats[i] > 1 << 30)
            return import_fail(im, DIAG_UNSUPPORTED, "%lld repeats", (long long)repeats[i]);
        if (repeats[i] == 1) continue;
        int64_t split[3] = {1, 1, 1};
        for (int k = 0; k < rank; k++) split[k < i ? 0 : 2] *= dim[k];
        Make m = make_op(im, OP_EXPAND);
        make_ints(&m, "shape", (int64_t[]){split[0], repeats[i], split[2]}, 3);
        Node *apart = make_reshape(im, x, split, 3);
        dim[i] *= repeats[i];
        x = make_reshape(im, make_node(&m, &apart, 1), dim, rank);
    }
    return onnx_result(im, x);
}

static bool pad_value(Import *im, double *value) {
    float v = 0;
    *value = 0;
    if (im->opset < 11) {
        if (!onnx_attr_float(im, "value", 0, &v)) return false;
        *value = (double)v;
        return true;
    }
    if (!onnx_has_input(im, 2)) return true;
    const Const *c = onnx_constant(im, 2, "the value");
    if (!c) return false;
    if (c->n != 1) return import_fail(im, DIAG_SPEC, "the value is not a number");
    *value = c->f ? (double)c->f[0] : (double)c->i[0];
    return true;
}

/* Pads of some axes, as given from opset 18 on, to pads of all. */
static bool pad_spread(Import *im, const Node *x, const int64_t *v, int n, int64_t pads[2 * MAX_AXES]) {
    const int64_t *axes = NULL;
    int rank = x->type.rank, n_axes = -1;
    if (im->opset >= 18 && !onnx_ints(im, "axes", 0, 3, &axes, &n_axes)) return false;
    int count = n_axes >= 0 ? n_axes : rank;
    if (n != 2 * count) return import_fail(im, DIAG_SPEC, "%d pads for %d axes", n, count);
    for (int i = 0; i < 2 * rank; i++) pads[i] = 0;
    for (int i = 0; i < count; i++) {
        int axis = onnx_axis(im, n_axes >= 0 ? axes[i] : i, rank);
        if (axis < 0) return false;
        pads[axis] = v[i];
        pads[rank + axis] = v[count + i];
    }
    return true;
}

bool convert_pad(Import *im) {
    static const char *const modes[][2] = {
        {"constant", "constant"}, {"reflect", "reflect"}, {"edge", "edge"}, {"wrap", "circular"}};
    const int64_t *v;
    int n;
    int64_t pads[2 * MAX_AXES];
    double value;
    bool is = false;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_ints(im, im->opset < 2 ? "paddings" : "pads", 10, 1, &v, &n) || !pad_value(im, &value) ||
        !pad_spread(im, x, v, n, pads))
        return false;
    Make m = make_op(im, OP_PAD);
    for (size_t i = 0; i < COUNT_OF(modes) && !is; i++) {
        if (!onnx_attr_is(im, "mode", "constant", modes[i][0], &is)) return false;
        if (is) make_word(&m, "mode", modes[i][1]);
    }
    if (!is) return import_fail(im, DIAG_UNSUPPORTED, "this mode is not known");
    make_ints(&m, "pads", pads, 2 * x->type.rank);
    make_number(&m, "value", value);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* Indexes that are known lie in the axis. */
static bool indexes_fit(Import *im, int64_t extent) {
    const Const *c = onnx_is_constant(im, 1) ? onnx_constant(im, 1, "the index") : NULL;
    for (int64_t i = 0; c && c->i && i < c->n; i++)
        if (c->i[i] < -extent || c->i[i] >= extent)
            return import_fail(im, DIAG_SPEC, "index %lld of %lld", (long long)c->i[i], (long long)extent);
    return c || !onnx_is_constant(im, 1);
}

bool convert_gather(Import *im) {
    int64_t given;
    Node *x = onnx_activation(im, 0), *index = x ? onnx_activation(im, 1) : NULL;
    if (!index || !onnx_attr_int(im, "axis", 0, &given)) return false;
    int axis = onnx_axis(im, given, x->type.rank);
    if (axis < 0 || !indexes_fit(im, x->type.axis[axis].extent)) return false;
    Make m = make_op(im, OP_GATHER);
    make_number(&m, "axis", axis);
    return onnx_result(im, make_node(&m, (Node *[]){x, index}, 2));
}

bool convert_depthtospace(Import *im) {
    int64_t block;
    bool crd, dcr;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_int(im, "blocksize", 0, &block)) return false;
    bool to_space = node_is(im, "DepthToSpace");
    Make m = make_op(im, to_space ? OP_DEPTHTOSPACE : OP_SPACETODEPTH);
    make_number(&m, "block", (double)block);
    if (to_space) {
        if (!onnx_attr_is(im, "mode", "DCR", "CRD", &crd) || !onnx_attr_is(im, "mode", "DCR", "DCR", &dcr))
            return false;
        if (!crd && !dcr) return import_fail(im, DIAG_UNSUPPORTED, "this mode is not known");
        make_word(&m, "mode", crd ? "crd" : "dcr");
    }
    return onnx_result(im, make_node(&m, &x, 1));
}
