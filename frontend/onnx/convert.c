/* The ops but for windows: what each ONNX node becomes, and what of it is computed here. */
#include "frontend/onnx/import.h"

#include <ctype.h>
#include <float.h>
#include <string.h>

static bool node_is(const Import *im, const char *op) { return strcmp(im->node->op_type, op) == 0; }

static void dims_get(const Node *x, int64_t *dim) {
    for (int i = 0; i < x->type.rank; i++) dim[i] = x->type.axis[i].extent;
}

static const char *shape_of(Import *im, const Node *x) {
    int64_t dim[MAX_AXES];
    dims_get(x, dim);
    return import_dims(im->a, dim, x->type.rank);
}

/* Axis `a` of `rank`, negative from the end; −1 with a message. */
static int axis_of(Import *im, int64_t a, int rank) {
    if (a >= -rank && a < rank) return (int)(a < 0 ? a + rank : a);
    import_fail(im, DIAG_SPEC, "axis %lld of %d", (long long)a, rank);
    return -1;
}

/* ---- one input, one value ---------------------------------------------------------------------------- */

static bool emit_unary(Import *im, Op op, const AttrAny *attr) {
    Node *x = onnx_activation(im, 0);
    return x && onnx_result(im, onnx_emit(im, op, &x, 1, attr));
}

static bool convert_relu(Import *im) { return emit_unary(im, OP_RELU, NULL); }
static bool convert_tanh(Import *im) { return emit_unary(im, OP_TANH, NULL); }
static bool convert_sigmoid(Import *im) { return emit_unary(im, OP_SIGMOID, NULL); }

/* A pointwise op without attributes that has the same name in small letters; −1: there is none. */
static int namesake(const Import *im, int inputs) {
    char name[32];
    size_t n = strlen(im->node->op_type);
    if (n >= sizeof name) return -1;
    for (size_t i = 0; i <= n; i++) name[i] = (char)tolower((unsigned char)im->node->op_type[i]);
    int op = op_find(name);
    if (op < 0 || !(op_table[op].flags & OPF_POINTWISE) || op_table[op].n_attr || op_table[op].max_in != inputs)
        return -1;
    return op;
}

static bool convert_namesake(Import *im) {
    int op = namesake(im, 1);
    if (op < 0) return import_fail(im, DIAG_UNSUPPORTED, "this op is not known");
    return emit_unary(im, (Op)op, NULL);
}

static bool convert_leakyrelu(Import *im) {
    AttrAny attr = {0};
    return onnx_attr_float(im, "alpha", 0.01f, &attr.LEAKYRELU.alpha) && emit_unary(im, OP_LEAKYRELU, &attr);
}

static bool clip_bound(Import *im, const char *name, int i, float *out) {
    if (im->opset < 11) return onnx_attr_float(im, name, *out, out);
    if (onnx_attr(im, name)) return import_fail(im, DIAG_UNSUPPORTED, "'%s' is an input in this opset", name);
    if (!onnx_has_input(im, i)) return true;
    const Const *c = onnx_constant(im, i, name);
    if (!c) return false;
    if (!c->f || c->n != 1) return import_fail(im, DIAG_SPEC, "%s is not a number", name);
    *out = c->f[0];
    return true;
}

/* Any bounds, where there is an op clip with min and max. */
static bool emit_clip(Import *im, float lo, float hi) {
    int op = op_find("clip");
    AttrAny attr;
    Diag why = {0};
    if (op < 0 || op_table[op].n_attr != 2)
        return import_fail(im, DIAG_UNSUPPORTED, "from %g to %g; 0 to 6 and 0 upward are known", (double)lo,
                           (double)hi);
    attr_defaults((Op)op, &attr);
    for (int i = 0; i < 2; i++) {
        const AttrInfo *info = &op_table[op].attr[i];
        bool is_min = strcmp(info->name, "min") == 0;
        if (info->type != ATTR_FLOAT || (!is_min && strcmp(info->name, "max") != 0))
            return import_fail(im, DIAG_UNSUPPORTED, "from %g to %g", (double)lo, (double)hi);
        if (!attr_set((Op)op, info, &attr, (double[]){is_min ? lo : hi}, 1, &why))
            return import_fail(im, DIAG_UNSUPPORTED, "%s", why.text);
    }
    return emit_unary(im, (Op)op, &attr);
}

static bool convert_clip(Import *im) {
    float lo = -FLT_MAX, hi = FLT_MAX;
    if (!clip_bound(im, "min", 1, &lo) || !clip_bound(im, "max", 2, &hi)) return false;
    if (lo == 0 && hi == 6) return emit_unary(im, OP_RELU6, NULL);
    if (lo == 0 && hi >= FLT_MAX) return emit_unary(im, OP_RELU, NULL);
    return emit_clip(im, lo, hi);
}

static bool convert_identity(Import *im) { return onnx_result(im, onnx_activation(im, 0)); }
static const Const *fold_identity(Import *im) { return onnx_constant(im, 0, "the input"); }

static bool convert_dropout(Import *im) {
    if (onnx_has_input(im, 2)) {
        const Const *c = onnx_constant(im, 2, "training_mode");
        if (!c) return false;
        if (!c->i || c->n != 1 || c->i[0]) return import_fail(im, DIAG_UNSUPPORTED, "training_mode");
    }
    if (im->node->n_output > 1 && im->node->output[1] && import_value(im, im->node->output[1])->uses)
        return import_fail(im, DIAG_UNSUPPORTED, "the second output, mask");
    return convert_identity(im);
}

/* Until opset 12 all axes from `axis` on are one; since 13 it is one axis. */
static bool convert_softmax(Import *im) {
    Node *x = onnx_activation(im, 0);
    int64_t given;
    if (!x || !onnx_attr_int(im, "axis", im->opset < 13 ? 1 : -1, &given)) return false;
    int axis = axis_of(im, given, x->type.rank);
    if (axis < 0) return false;
    for (int i = 0; i < x->type.rank && im->opset < 13; i++)
        if (i >= axis && i != 1 && x->type.axis[i].extent != 1)
            return import_fail(im, DIAG_UNSUPPORTED, "over all axes of %s from %d on; only channels are known",
                               shape_of(im, x), axis);
    if (axis != 1 && (im->opset >= 13 || axis > 1))
        return import_fail(im, DIAG_UNSUPPORTED, "along axis %d of %s; only channels, axis 1, are known", axis,
                           shape_of(im, x));
    return onnx_result(im, onnx_emit(im, node_is(im, "Softmax") ? OP_SOFTMAX : OP_LOGSOFTMAX, &x, 1, NULL));
}

/* ---- sums, products, norms --------------------------------------------------------------------------- */

static float *filled(Import *im, int64_t n, float x) {
    float *v = const_room(im, sizeof *v, n);
    for (int64_t i = 0; v && i < n; i++) v[i] = x;
    return v;
}

/* A batch norm; NULL: ones for scale and variance, zeros for the others. */
static bool emit_norm(Import *im, Node *x, const float *const v[4], float eps) {
    static const char *const suffix[] = {"weight", "bias", "running_mean", "running_var"};
    int64_t channels = x->type.axis[1].extent;
    Node *in[5] = {x};
    for (int i = 0; i < 4; i++) {
        const float *data = v[i] ? v[i] : filled(im, channels, i == 0 || i == 3 ? 1 : 0);
        in[1 + i] = onnx_weight(im, suffix[i], "c", &channels, data);
        if (!in[1 + i]) return false;
    }
    AttrAny attr = {.BATCHNORM = {.eps = eps}};
    return onnx_result(im, onnx_emit(im, OP_BATCHNORM, in, 5, &attr));
}

static bool convert_batchnorm(Import *im) {
    int64_t spatial, training;
    float eps;
    const float *v[4];
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_int(im, "spatial", 1, &spatial) || !onnx_attr_int(im, "training_mode", 0, &training) ||
        !onnx_attr_float(im, "epsilon", 1e-5f, &eps))
        return false;
    if (!spatial) return import_fail(im, DIAG_UNSUPPORTED, "spatial = 0");
    if (training) return import_fail(im, DIAG_UNSUPPORTED, "training_mode = 1");
    for (size_t i = 1; i < im->node->n_output; i++)
        if (im->node->output[i] && *im->node->output[i])
            return import_fail(im, DIAG_UNSUPPORTED, "outputs of training");
    for (int i = 0; i < 4; i++) {
        static const char *const what[] = {"scale", "B", "mean", "var"};
        const Const *c = onnx_constant(im, 1 + i, what[i]);
        if (!c) return false;
        if (!c->f || c->rank != 1 || c->n != x->type.axis[1].extent)
            return import_fail(im, DIAG_SPEC, "%s is %s, x is %s", what[i], import_dims(im->a, c->dim, c->rank),
                               shape_of(im, x));
        v[i] = c->f;
    }
    return emit_norm(im, x, v, eps);
}

/* Where the constant of a sum or product is given per channel: a batch norm that does just that. */
static bool emit_affine(Import *im, Node *x, const float *v) {
    const float *norm[4] = {0};
    int64_t channels = x->type.axis[1].extent;
    float *own = NULL;
    if (node_is(im, "Mul")) norm[0] = v;
    else if (node_is(im, "Add")) norm[1] = v;
    else if (node_is(im, "Sub")) norm[2] = v;
    else own = const_room(im, sizeof *own, channels);
    for (int64_t i = 0; own && i < channels; i++) own[i] = 1 / v[i];
    if (own) norm[0] = own;
    return (norm[0] || norm[1] || norm[2]) && emit_norm(im, x, norm, 0);
}

/* Until opset 6 shapes broadcast only when told to, from an axis on. */
static bool broadcast_axis(Import *im, int *at) {
    int64_t axis = -1, broadcast = 1;
    *at = -1;
    if (im->opset >= 7) return true;
    if (!onnx_attr_int(im, "axis", -1, &axis) || !onnx_attr_int(im, "broadcast", 0, &broadcast)) return false;
    if (axis < -1 || axis > ONNX_MAX_RANK) return import_fail(im, DIAG_UNSUPPORTED, "axis = %lld", (long long)axis);
    *at = (int)axis;
    return true;
}

static bool convert_binary(Import *im) {
    Value *a = import_value(im, im->node->input[0]), *b = import_value(im, im->node->input[1]);
    int at;
    if (!broadcast_axis(im, &at)) return false;
    bool commutes = node_is(im, "Add") || node_is(im, "Mul");
    if (value_is_constant(a) && commutes && im->opset >= 7) {
        Value *other = a;
        a = b;
        b = other;
    }
    if (!a->node) return import_fail(im, DIAG_UNSUPPORTED, "its first input is a constant");
    if (value_is_constant(b)) {
        const Const *c = value_const(im, b);
        if (!c) return false;
        const float *v = const_per_channel(im, c, a->node->type.rank, at, a->node->type.axis[1].extent);
        if (v) return emit_affine(im, a->node, v);
        return import_fail(im, DIAG_UNSUPPORTED, "of %s and the constant %s; one number a channel is known",
                           shape_of(im, a->node), import_dims(im->a, c->dim, c->rank));
    }
    int op = namesake(im, 2);
    if (op < 0) return import_fail(im, DIAG_UNSUPPORTED, "of two values that are not constant");
    if (!type_equal(&a->node->type, &b->node->type))
        return import_fail(im, DIAG_UNSUPPORTED, "of %s and %s; equal shapes are known", shape_of(im, a->node),
                           shape_of(im, b->node));
    return onnx_result(im, onnx_emit(im, (Op)op, (Node *[]){a->node, b->node}, 2, NULL));
}

static bool convert_sum(Import *im) {
    if (im->node->n_input == 1) return convert_identity(im);
    if (im->node->n_input > 2) return import_fail(im, DIAG_UNSUPPORTED, "of more than two inputs");
    Node *x = onnx_activation(im, 0), *y = x ? onnx_activation(im, 1) : NULL;
    if (!y) return false;
    if (!type_equal(&x->type, &y->type))
        return import_fail(im, DIAG_UNSUPPORTED, "of %s and %s; equal shapes are known", shape_of(im, x),
                           shape_of(im, y));
    return onnx_result(im, onnx_emit(im, OP_ADD, (Node *[]){x, y}, 2, NULL));
}

/* ---- dense ------------------------------------------------------------------------------------------- */

/* The matrix as [out in]. */
static const Const *dense_matrix(Import *im, const Node *x, const Const *m, bool transposed) {
    if (x->type.rank != 2) {
        import_fail(im, DIAG_UNSUPPORTED, "of %s; two axes are known", shape_of(im, x));
        return NULL;
    }
    if (!m->f || m->rank != 2 || m->dim[transposed] != x->type.axis[1].extent || m->dim[!transposed] < 1 ||
        m->dim[!transposed] > 1 << 24) {
        import_fail(im, DIAG_SPEC, "%s and %s do not fit", shape_of(im, x), import_dims(im->a, m->dim, m->rank));
        return NULL;
    }
    return transposed ? m : const_transposed(im, m, (int64_t[]){1, 0});
}

static bool emit_dense(Import *im, Node *x, const Const *m, const float *bias, const Onnx__NodeProto *last) {
    Node *in[3] = {x, onnx_weight(im, "weight", "oc", m->dim, m->f)};
    if (!in[1]) return false;
    if (bias) {
        in[2] = onnx_weight(im, "bias", "o", m->dim, bias);
        if (!in[2]) return false;
    }
    AttrAny attr = {.DENSE = {.out = (int32_t)m->dim[0], .bias = bias != NULL}};
    return onnx_result_of(im, last, onnx_emit(im, OP_DENSE, in, bias ? 3 : 2, &attr));
}

static bool convert_matmul(Import *im) {
    Node *x = onnx_activation(im, 0);
    const Const *m = x ? onnx_constant(im, 1, "the right side") : NULL;
    const Onnx__NodeProto *last = im->node;
    m = m ? dense_matrix(im, x, m, false) : NULL;
    if (!m) return false;
    const float *bias = onnx_bias_after(im, 2, m->dim[0], &last);
    return emit_dense(im, x, m, bias, last);
}

static bool convert_gemm(Import *im) {
    float alpha, beta;
    int64_t trans_a, trans_b;
    if (!onnx_attr_float(im, "alpha", 1, &alpha) || !onnx_attr_float(im, "beta", 1, &beta) ||
        !onnx_attr_int(im, "transA", 0, &trans_a) || !onnx_attr_int(im, "transB", 0, &trans_b))
        return false;
    if (alpha != 1) return import_fail(im, DIAG_UNSUPPORTED, "alpha = %g", (double)alpha);
    if (trans_a) return import_fail(im, DIAG_UNSUPPORTED, "transA = 1");
    Node *x = onnx_activation(im, 0);
    const Const *m = x ? onnx_constant(im, 1, "B") : NULL;
    m = m ? dense_matrix(im, x, m, trans_b != 0) : NULL;
    if (!m) return false;
    const float *bias = NULL;
    if (onnx_has_input(im, 2) && beta != 0) {
        const Const *c = onnx_constant(im, 2, "C");
        if (!c) return false;
        if (beta != 1) return import_fail(im, DIAG_UNSUPPORTED, "beta = %g", (double)beta);
        bias = const_per_channel(im, c, 2, -1, m->dim[0]);
        if (!bias)
            return import_fail(im, DIAG_UNSUPPORTED, "C is %s for %lld columns; one number a column is known",
                               import_dims(im->a, c->dim, c->rank), (long long)m->dim[0]);
    }
    return emit_dense(im, x, m, bias, im->node);
}

/* ---- shapes ------------------------------------------------------------------------------------------ */

static bool same_dims(const Node *x, const int64_t *dim, int rank) {
    bool same = x->type.rank == rank;
    for (int i = 0; i < rank && same; i++) same = x->type.axis[i].extent == dim[i];
    return same;
}

/* What a reshape of an activation can be here: nothing at all, or a flatten. */
static bool emit_reshaped(Import *im, Node *x, const int64_t *dim, int rank) {
    int64_t n = 1;
    bool fits = true;
    for (int i = 0; i < rank && fits; i++) fits = dim[i] >= 0 && !__builtin_mul_overflow(n, dim[i], &n);
    if (!fits || n != type_elements(&x->type))
        return import_fail(im, DIAG_SPEC, "%s cannot become %s", shape_of(im, x), import_dims(im->a, dim, rank));
    if (same_dims(x, dim, rank)) return onnx_result(im, x);
    if (rank == 2 && dim[0] == x->type.axis[0].extent) return onnx_result(im, onnx_emit(im, OP_FLATTEN, &x, 1, NULL));
    return import_fail(im, DIAG_UNSUPPORTED, "from %s to %s; only [n, c…] to [n, all the rest] is known",
                       shape_of(im, x), import_dims(im->a, dim, rank));
}

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
        int axis = axis_of(im, v[i], from_rank);
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
        int axis = axis_of(im, v[i], from_rank + n);
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

static bool convert_shape(Import *im) {
    int64_t from[MAX_AXES], dim[ONNX_MAX_RANK];
    int rank;
    Node *x = onnx_activation(im, 0);
    if (!x) return false;
    dims_get(x, from);
    return shape_target(im, from, x->type.rank, dim, &rank) && emit_reshaped(im, x, dim, rank);
}

static const Const *fold_shape(Import *im) {
    const Const *c = onnx_constant(im, 0, "the input");
    int64_t dim[ONNX_MAX_RANK];
    int rank;
    if (!c || !shape_target(im, c->dim, c->rank, dim, &rank)) return NULL;
    return const_reshaped(im, c, dim, rank);
}

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

/* Moving only axes of extent 1 past each other would be a reshape; other transposes are not known. */
static bool convert_transpose(Import *im) {
    int64_t perm[ONNX_MAX_RANK];
    Node *x = onnx_activation(im, 0);
    if (!x || !permutation(im, x->type.rank, perm)) return false;
    for (int i = 0; i < x->type.rank; i++)
        if (perm[i] != i)
            return import_fail(im, DIAG_UNSUPPORTED, "of %s by %s; only constants are transposed", shape_of(im, x),
                               import_dims(im->a, perm, x->type.rank));
    return onnx_result(im, x);
}

static const Const *fold_transpose(Import *im) {
    int64_t perm[ONNX_MAX_RANK];
    const Const *c = onnx_constant(im, 0, "the input");
    return c && permutation(im, c->rank, perm) ? const_transposed(im, c, perm) : NULL;
}

static bool convert_concat(Import *im) {
    int64_t given;
    int n = (int)im->node->n_input;
    Node **in = ARENA_ARRAY(im->a, Node *, n);
    if (im->opset >= 4 && !onnx_attr(im, "axis")) return import_fail(im, DIAG_SPEC, "axis is missing");
    if (!onnx_attr_int(im, "axis", 1, &given)) return false;
    for (int i = 0; i < n; i++) {
        in[i] = onnx_activation(im, i);
        if (!in[i]) return false;
    }
    int axis = axis_of(im, given, in[0]->type.rank);
    if (axis < 0) return false;
    if (axis != 1) return import_fail(im, DIAG_UNSUPPORTED, "along axis %d; only channels, axis 1, are known", axis);
    return onnx_result(im, n == 1 ? in[0] : onnx_emit(im, OP_CONCAT, in, n, NULL));
}

/* ---- constants --------------------------------------------------------------------------------------- */

static const Const *numbers(Import *im, const float *f, const int64_t *v, int rank, size_t n) {
    Const *c = ARENA_NEW(im->a, Const);
    *c = (Const){.rank = rank, .dim = {(int64_t)n}, .n = (int64_t)n};
    void *to = const_room(im, f ? sizeof *f : sizeof *v, (int64_t)n);
    if (!to) return NULL;
    if (n) memcpy(to, f ? (const void *)f : (const void *)v, n * (f ? sizeof *f : sizeof *v));
    if (f) c->f = to;
    else c->i = to;
    return c;
}

static const Const *fold_constant(Import *im) {
    static const float none;
    const Onnx__AttributeProto *a;
    if ((a = onnx_attr(im, "value")) != NULL && a->t) return tensor_const(im, a->t, im->node->output[0]);
    if ((a = onnx_attr(im, "value_float")) != NULL && a->has_f) return numbers(im, &a->f, NULL, 0, 1);
    if ((a = onnx_attr(im, "value_int")) != NULL && a->has_i) return numbers(im, NULL, &a->i, 0, 1);
    if ((a = onnx_attr(im, "value_floats")) != NULL)
        return numbers(im, a->n_floats ? a->floats : &none, NULL, 1, a->n_floats);
    if ((a = onnx_attr(im, "value_ints")) != NULL) return numbers(im, NULL, a->ints, 1, a->n_ints);
    import_fail(im, DIAG_UNSUPPORTED, "its value is not a tensor, numbers or a number");
    return NULL;
}

/* ---- the table --------------------------------------------------------------------------------------- */

#define POOL "auto_pad ceil_mode dilations kernel_shape pads storage_order strides"

static const OnnxOp table[] = {
    {"Abs", convert_namesake, NULL, 1, 1, ""},
    {"Add", convert_binary, NULL, 2, 2, "axis broadcast"},
    {"AveragePool", convert_avgpool, NULL, 1, 1, POOL " count_include_pad"},
    {"BatchNormalization", convert_batchnorm, NULL, 5, 5, "epsilon is_test momentum spatial training_mode"},
    {"Ceil", convert_namesake, NULL, 1, 1, ""},
    {"Clip", convert_clip, NULL, 1, 3, "max min"},
    {"Concat", convert_concat, NULL, 1, 4096, "axis"},
    {"Constant", NULL, fold_constant, 0, 0, "value value_float value_floats value_int value_ints"},
    {"Conv", convert_conv, NULL, 2, 3, "auto_pad dilations group kernel_shape pads strides"},
    {"Div", convert_binary, NULL, 2, 2, "axis broadcast"},
    {"Dropout", convert_dropout, NULL, 1, 3, "is_test ratio seed"},
    {"Erf", convert_namesake, NULL, 1, 1, ""},
    {"Exp", convert_namesake, NULL, 1, 1, ""},
    {"Flatten", convert_shape, fold_shape, 1, 1, "axis"},
    {"Floor", convert_namesake, NULL, 1, 1, ""},
    {"Gemm", convert_gemm, NULL, 2, 3, "alpha beta broadcast transA transB"},
    {"GlobalAveragePool", convert_globalavgpool, NULL, 1, 1, ""},
    {"GlobalMaxPool", convert_globalmaxpool, NULL, 1, 1, ""},
    {"HardSwish", convert_namesake, NULL, 1, 1, ""},
    {"Identity", convert_identity, fold_identity, 1, 1, ""},
    {"LeakyRelu", convert_leakyrelu, NULL, 1, 1, "alpha"},
    {"Log", convert_namesake, NULL, 1, 1, ""},
    {"LogSoftmax", convert_softmax, NULL, 1, 1, "axis"},
    {"MatMul", convert_matmul, NULL, 2, 2, ""},
    {"MaxPool", convert_maxpool, NULL, 1, 1, POOL},
    {"Mish", convert_namesake, NULL, 1, 1, ""},
    {"Mul", convert_binary, NULL, 2, 2, "axis broadcast"},
    {"Neg", convert_namesake, NULL, 1, 1, ""},
    {"Reciprocal", convert_namesake, NULL, 1, 1, ""},
    {"Relu", convert_relu, NULL, 1, 1, ""},
    {"Reshape", convert_shape, fold_shape, 1, 2, "allowzero shape"},
    {"Sigmoid", convert_sigmoid, NULL, 1, 1, ""},
    {"Softmax", convert_softmax, NULL, 1, 1, "axis"},
    {"Softplus", convert_namesake, NULL, 1, 1, ""},
    {"Softsign", convert_namesake, NULL, 1, 1, ""},
    {"Sqrt", convert_namesake, NULL, 1, 1, ""},
    {"Squeeze", convert_shape, fold_shape, 1, 2, "axes"},
    {"Sub", convert_binary, NULL, 2, 2, "axis broadcast"},
    {"Sum", convert_sum, NULL, 1, 4096, ""},
    {"Tanh", convert_tanh, NULL, 1, 1, ""},
    {"Transpose", convert_transpose, fold_transpose, 1, 1, "perm"},
    {"Unsqueeze", convert_shape, fold_shape, 1, 2, "axes"},
};

const OnnxOp *onnx_op_find(const char *name) {
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}
