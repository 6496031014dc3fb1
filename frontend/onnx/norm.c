/* Softmax, norms and reductions. */
#include "frontend/onnx/import.h"

#include <float.h>
#include <string.h>

/* ---- softmax ----------------------------------------------------------------------------------------------- */

/* Until opset 12 x is taken as a matrix: the axes before `axis` are rows, the others are one. */
static Node *matrix_softmax(Import *im, Op op, Node *x, int axis) {
    int64_t dim[MAX_AXES], matrix[2] = {1, 1};
    node_dims(x, dim);
    for (int i = 0; i < x->type.rank; i++) matrix[i >= axis] *= dim[i];
    return make_reshape(im, make_unary(im, op, make_reshape(im, x, matrix, 2)), dim, x->type.rank);
}

bool convert_softmax(Import *im) {
    Node *x = onnx_activation(im, 0);
    int64_t given;
    Op op = node_is(im, "Softmax") ? OP_SOFTMAX : OP_LOGSOFTMAX;
    if (!x || !onnx_attr_int(im, "axis", im->opset < 13 ? 1 : -1, &given)) return false;
    if (im->opset < 13 && given == x->type.rank)
        return import_fail(im, DIAG_SPEC, "axis %lld of %s", (long long)given, node_shape(im, x));
    int axis = onnx_axis(im, given, x->type.rank);
    if (axis < 0) return false;
    bool one = im->opset >= 13;
    for (int i = 0, wide = 0; i < x->type.rank && !one; i++) { /* one axis alone that is not 1 */
        wide += i >= axis && x->type.axis[i].extent != 1;
        if (i + 1 == x->type.rank) one = wide == (x->type.axis[axis].extent != 1);
    }
    if (!one) return onnx_result(im, matrix_softmax(im, op, x, axis));
    Make m = make_op(im, op);
    make_number(&m, "axis", axis);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* ---- batch norm -------------------------------------------------------------------------------------------- */

static bool is_vector(Import *im, int i, const Node *x) {
    const Node *v = onnx_activation(im, i);
    if (!v) return false;
    if (v->type.rank == 1 && x->type.rank >= 2 && v->type.axis[0].extent == x->type.axis[1].extent) return true;
    return import_fail(im, DIAG_SPEC, "input %d is %s, x is %s", i + 1, node_shape(im, v), node_shape(im, x));
}

/* The value of each channel as [c 1 1 …], to stand beside x; it may be there for each feature already. */
static Node *channel_node(Import *im, Node *v, const Node *x) {
    int64_t dim[MAX_AXES] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (v && v->type.rank == x->type.rank - 1) return v;
    dim[0] = x->type.axis[1].extent;
    return make_reshape(im, v, dim, x->type.rank - 1);
}

/* (x − mean) / √(var + eps) · scale + b, where they are no weights. */
static Node *open_batchnorm(Import *im, Node *x, Node *const v[4], float eps) {
    Node *c[4];
    for (int i = 0; i < 4; i++) c[i] = channel_node(im, v[i], x);
    Node *deviation = make_unary(im, OP_SQRT, make_binary(im, OP_ADD, c[3], make_constant(im, (double)eps)));
    Node *y = make_binary(im, OP_DIV, make_binary(im, OP_SUB, x, c[2]), deviation);
    return make_binary(im, OP_ADD, make_binary(im, OP_MUL, y, c[0]), c[1]);
}

static Node *channel_mean(Import *im, Node *x) {
    int64_t axes[MAX_AXES];
    int n = 0;
    for (int i = 0; i < x->type.rank; i++)
        if (i != 1) axes[n++] = i;
    Make m = make_op(im, OP_REDUCEMEAN);
    make_ints(&m, "axes", axes, n);
    make_number(&m, "keep", 0);
    return make_node(&m, &x, 1);
}

/* old · momentum + new · (1 − momentum) */
static Node *running(Import *im, Node *old, Node *now, float momentum) {
    Node *a = make_binary(im, OP_MUL, old, make_constant(im, (double)momentum));
    return make_binary(im, OP_ADD, a, make_binary(im, OP_MUL, now, make_constant(im, (double)(1 - momentum))));
}

static bool training_batchnorm(Import *im, Node *x, Node *const v[4], float eps, float momentum) {
    Node *mean = channel_mean(im, x);
    Node *centred = mean ? make_binary(im, OP_SUB, x, channel_node(im, mean, x)) : NULL;
    Node *var = centred ? channel_mean(im, make_binary(im, OP_MUL, centred, centred)) : NULL;
    if (!var) return false;
    Node *now[4] = {v[0], v[1], mean, var};
    return onnx_result(im, open_batchnorm(im, x, now, eps)) &&
           (!onnx_has_output(im, 1) || onnx_result_at(im, 1, running(im, v[2], mean, momentum))) &&
           (!onnx_has_output(im, 2) || onnx_result_at(im, 2, running(im, v[3], var, momentum)));
}

/* Weights for a batch norm that can be folded. */
static bool stored_batchnorm(Import *im, Node *x, float eps) {
    static const char *const suffix[] = {"weight", "bias", "running_mean", "running_var"};
    Node *in[5] = {x};
    for (int i = 0; i < 4; i++) {
        const Const *c = onnx_constant(im, 1 + i, suffix[i]);
        if (!c) return false;
        if (!c->f) return import_fail(im, DIAG_SPEC, "%s is not of floats", suffix[i]);
        in[1 + i] = onnx_weight(im, suffix[i], "c", c->dim, c->f);
        if (!in[1 + i]) return false;
    }
    AttrAny attr;
    attr_defaults(OP_BATCHNORM, &attr);
    attr.BATCHNORM.eps = eps;
    return onnx_result(im, onnx_emit(im, OP_BATCHNORM, in, 5, &attr));
}

/* Up to opset 8, spatial = 0: scale, bias, mean and variance of each element of an image. */
static bool feature_batchnorm(Import *im, Node *x, float eps) {
    Node *v[4];
    for (int i = 0; i < 4; i++) {
        v[i] = onnx_activation(im, 1 + i);
        bool fits = v[i] && v[i]->type.rank == x->type.rank - 1;
        for (int k = 1; k < x->type.rank && fits; k++) fits = v[i]->type.axis[k - 1].extent == x->type.axis[k].extent;
        if (!v[i]) return false;
        if (!fits)
            return import_fail(im, DIAG_SPEC, "spatial = 0, input %d is %s, x is %s", i + 2, node_shape(im, v[i]),
                               node_shape(im, x));
    }
    return onnx_result(im, open_batchnorm(im, x, v, eps));
}

/* An attribute from opset 14 on; before, there are the outputs of training, unless is_test says otherwise. */
static bool batchnorm_trains(Import *im, int64_t *training) {
    int64_t test;
    if (!onnx_attr_int(im, "training_mode", 0, training) || !onnx_attr_int(im, "is_test", 0, &test)) return false;
    for (size_t i = 1; i < im->node->n_output && im->opset < 14 && !test; i++)
        if (im->node->output[i] && *im->node->output[i]) *training = 1;
    return true;
}

bool convert_batchnorm(Import *im) {
    int64_t spatial, training;
    float eps, momentum;
    bool stored = true;
    Node *x = onnx_activation(im, 0), *v[4];
    if (!x || !onnx_attr_int(im, "spatial", 1, &spatial) || !batchnorm_trains(im, &training) ||
        !onnx_attr_float(im, "epsilon", 1e-5f, &eps) || !onnx_attr_float(im, "momentum", 0.9f, &momentum))
        return false;
    if (!spatial && training) return import_fail(im, DIAG_UNSUPPORTED, "spatial = 0 in training mode");
    if (!spatial && x->type.rank != 2) return feature_batchnorm(im, x, eps);
    for (int i = 0; i < 4; i++) {
        if (!is_vector(im, 1 + i, x)) return false;
        stored &= onnx_is_constant(im, 1 + i);
    }
    if (!training && stored && x->type.dtype == DT_F32) return stored_batchnorm(im, x, eps);
    for (int i = 0; i < 4; i++) v[i] = onnx_activation(im, 1 + i);
    if (training) return training_batchnorm(im, x, v, eps, momentum);
    return onnx_result(im, open_batchnorm(im, x, v, eps));
}

/* ---- other norms ------------------------------------------------------------------------------------------- */

bool convert_instancenorm(Import *im) {
    float eps;
    Node *x = onnx_activation(im, 0), *in[3] = {x};
    if (!x || !onnx_attr_float(im, "epsilon", 1e-5f, &eps)) return false;
    for (int i = 1; i < 3; i++) {
        if (!is_vector(im, i, x)) return false;
        in[i] = onnx_activation(im, i);
    }
    Make m = make_op(im, OP_INSTANCENORM);
    make_number(&m, "eps", (double)eps);
    make_number(&m, "affine", 1);
    return onnx_result(im, make_node(&m, in, 3));
}

/* Scale and bias are one a channel, or one a group (opset 18, which repeats them). */
static Node *per_channel(Import *im, Node *v, int64_t channels, int64_t groups) {
    int64_t own = v && v->type.rank == 1 ? v->type.axis[0].extent : 0;
    if (own == channels) return v;
    if (own != groups) {
        import_fail(im, DIAG_SPEC, "scale and bias are needed for each channel or group");
        return NULL;
    }
    Make m = make_op(im, OP_EXPAND);
    make_ints(&m, "shape", (int64_t[]){groups, channels / groups}, 2);
    Node *column = make_reshape(im, v, (int64_t[]){groups, 1}, 2);
    return make_reshape(im, make_node(&m, &column, 1), &channels, 1);
}

bool convert_groupnorm(Import *im) {
    float eps;
    int64_t groups;
    Node *x = onnx_activation(im, 0), *in[3] = {x};
    if (!x || !onnx_attr_float(im, "epsilon", 1e-5f, &eps) || !onnx_attr_int(im, "num_groups", 0, &groups))
        return false;
    int64_t channels = x->type.rank > 1 ? x->type.axis[1].extent : 0;
    if (groups < 1 || channels % groups)
        return import_fail(im, DIAG_SPEC, "%lld groups of %s", (long long)groups, node_shape(im, x));
    for (int i = 1; i < 3; i++) {
        in[i] = per_channel(im, onnx_activation(im, i), channels, groups);
        if (!in[i]) return false;
    }
    Make m = make_op(im, OP_GROUPNORM);
    make_number(&m, "groups", (double)groups);
    make_number(&m, "eps", (double)eps);
    return onnx_result(im, make_node(&m, in, 3));
}

static Node *mean_of(Import *im, Node *x, int axis) {
    int64_t axes[MAX_AXES];
    int n = 0;
    for (int i = axis; i < x->type.rank; i++) axes[n++] = i;
    Make m = make_op(im, OP_REDUCEMEAN);
    make_ints(&m, "axes", axes, n);
    return make_node(&m, &x, 1);
}

/* The other outputs: the mean, and 1 / √(variance + eps). */
static bool layernorm_statistics(Import *im, Node *x, int axis, float eps) {
    if (!onnx_has_output(im, 1) && !onnx_has_output(im, 2)) return true;
    Node *mean = mean_of(im, x, axis), *centred = make_binary(im, OP_SUB, x, mean);
    if (onnx_has_output(im, 1) && !onnx_result_at(im, 1, mean)) return false;
    if (!onnx_has_output(im, 2)) return true;
    Node *square = make_binary(im, OP_MUL, centred, centred), *var = square ? mean_of(im, square, axis) : NULL;
    Node *deviation = make_unary(im, OP_SQRT, make_binary(im, OP_ADD, var, make_constant(im, (double)eps)));
    return onnx_result_at(im, 2, make_binary(im, OP_DIV, make_constant(im, 1), deviation));
}

bool convert_layernorm(Import *im) {
    float eps;
    int64_t given;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_float(im, "epsilon", 1e-5f, &eps) || !onnx_attr_int(im, "axis", -1, &given)) return false;
    int axis = onnx_axis(im, given, x->type.rank);
    if (axis < 0) return false;
    Make m = make_op(im, OP_LAYERNORM);
    make_number(&m, "axis", axis);
    make_number(&m, "eps", (double)eps);
    make_number(&m, "affine", 0);
    Node *y = make_node(&m, &x, 1), *scale = onnx_activation(im, 1);
    y = scale ? make_binary(im, OP_MUL, y, scale) : NULL;
    if (y && onnx_has_input(im, 2)) {
        Node *bias = onnx_activation(im, 2);
        y = bias ? make_binary(im, OP_ADD, y, bias) : NULL;
    }
    return y && layernorm_statistics(im, x, axis, eps) && onnx_result(im, y);
}

bool convert_lrn(Import *im) {
    float alpha, beta, bias;
    int64_t size;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_float(im, "alpha", 1e-4f, &alpha) || !onnx_attr_float(im, "beta", 0.75f, &beta) ||
        !onnx_attr_float(im, "bias", 1, &bias) || !onnx_attr_int(im, "size", 0, &size))
        return false;
    Make m = make_op(im, OP_LRN);
    make_number(&m, "size", (double)size);
    make_number(&m, "alpha", (double)alpha);
    make_number(&m, "beta", (double)beta);
    make_number(&m, "k", (double)bias);
    return onnx_result(im, make_node(&m, &x, 1));
}

bool convert_mvn(Import *im) {
    const int64_t *v;
    int n;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_ints(im, "axes", &v, &n)) return false;
    Make m = make_op(im, OP_MVN);
    make_ints(&m, "axes", n >= 0 ? v : (int64_t[]){0, 2, 3}, n >= 0 ? n : 3);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* x over its norm along an axis; where that is 0, x, which is 0. */
bool convert_lpnorm(Import *im) {
    int64_t given, p;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_int(im, "axis", -1, &given) || !onnx_attr_int(im, "p", 2, &p)) return false;
    int axis = onnx_axis(im, given, x->type.rank);
    if (axis < 0) return false;
    if (p != 1 && p != 2) return import_fail(im, DIAG_SPEC, "p = %lld", (long long)p);
    Make m = make_op(im, p == 1 ? OP_REDUCEL1 : OP_REDUCEL2);
    make_ints(&m, "axes", (int64_t[]){axis}, 1);
    Node *norm = make_binary(im, OP_MAX, make_node(&m, &x, 1), make_constant(im, (double)FLT_MIN));
    return onnx_result(im, make_binary(im, OP_DIV, x, norm));
}

/* ---- reductions -------------------------------------------------------------------------------------------- */

static int reduce_op(const Import *im) {
    static const struct {
        const char *name;
        Op op;
    } ops[] = {
        {"ReduceMean", OP_REDUCEMEAN},     {"ReduceSum", OP_REDUCESUM},
        {"ReduceMax", OP_REDUCEMAX},       {"ReduceMin", OP_REDUCEMIN},
        {"ReduceProd", OP_REDUCEPROD},     {"ReduceL1", OP_REDUCEL1},
        {"ReduceL2", OP_REDUCEL2},         {"ReduceSumSquare", OP_REDUCESUMSQUARE},
        {"ReduceLogSum", OP_REDUCELOGSUM}, {"ReduceLogSumExp", OP_REDUCELOGSUMEXP},
    };
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        if (node_is(im, ops[i].name)) return ops[i].op;
    return -1;
}

/* The axes became an input in opset 13 for the sum, in 18 for the others. */
bool convert_reduce(Import *im) {
    const int64_t *v;
    int n, op = reduce_op(im), last = op == OP_REDUCESUM ? 12 : 17;
    int64_t keep, noop;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_ints(im, "axes", last, 1, &v, &n) || !onnx_attr_int(im, "keepdims", 1, &keep) ||
        !onnx_attr_int(im, "noop_with_empty_axes", 0, &noop))
        return false;
    if (n <= 0 && noop) return onnx_result(im, x);
    Make m = make_op(im, (Op)op);
    if (n > 0) make_ints(&m, "axes", v, n);
    make_number(&m, "keep", keep != 0);
    Node *y = make_node(&m, &x, 1);
    if (!y || y->type.dtype == x->type.dtype) return onnx_result(im, y);
    Make cast = make_op(im, OP_CAST); /* what integers come to is one */
    make_word(&cast, "to", dtype_name(x->type.dtype));
    return onnx_result(im, make_node(&cast, &y, 1));
}

bool convert_argmax(Import *im) {
    int64_t given, keep, last;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_int(im, "axis", 0, &given) || !onnx_attr_int(im, "keepdims", 1, &keep) ||
        !onnx_attr_int(im, "select_last_index", 0, &last))
        return false;
    int axis = onnx_axis(im, given, x->type.rank);
    if (axis < 0) return false;
    Make m = make_op(im, node_is(im, "ArgMax") ? OP_ARGMAX : OP_ARGMIN);
    make_number(&m, "axis", axis);
    make_number(&m, "keep", keep != 0);
    make_number(&m, "last", last != 0);
    return onnx_result(im, make_node(&m, &x, 1));
}
