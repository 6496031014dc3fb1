/* Ops that work element by element: one input, two that broadcast, or any number of them. */
#include "frontend/onnx/import.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- one input ------------------------------------------------------------------------------------- */

/* ONNX's name and attributes with its defaults; where the default of ours differs, ONNX's is set. */
typedef struct Unary {
    const char *name;
    Op op;
    struct {
        const char *name;
        float def;
    } attr[2];
} Unary;

static const Unary unary[] = {
    {"Abs", OP_ABS, {{0}}},
    {"Celu", OP_CELU, {{"alpha", 1}}},
    {"Elu", OP_ELU, {{"alpha", 1}}},
    {"Erf", OP_ERF, {{0}}},
    {"Exp", OP_EXP, {{0}}},
    {"HardSigmoid", OP_HARDSIGMOID, {{"alpha", 0.2f}, {"beta", 0.5f}}},
    {"HardSwish", OP_HARDSWISH, {{0}}},
    {"LeakyRelu", OP_LEAKYRELU, {{"alpha", 0.01f}}},
    {"Log", OP_LOG, {{0}}},
    {"Mish", OP_MISH, {{0}}},
    {"Neg", OP_NEG, {{0}}},
    {"Relu", OP_RELU, {{0}}},
    {"Selu", OP_SELU, {{"alpha", 1.67326319217681884765625f}, {"gamma", 1.05070102214813232421875f}}},
    {"Sigmoid", OP_SIGMOID, {{0}}},
    {"Softplus", OP_SOFTPLUS, {{0}}},
    {"Softsign", OP_SOFTSIGN, {{0}}},
    {"Sqrt", OP_SQRT, {{0}}},
    {"Tanh", OP_TANH, {{0}}},
    {"ThresholdedRelu", OP_THRESHOLDEDRELU, {{"alpha", 1}}},
};

bool convert_unary(Import *im) {
    const Unary *u = NULL;
    Node *x = onnx_activation(im, 0);
    for (size_t i = 0; i < COUNT_OF(unary) && !u; i++)
        if (node_is(im, unary[i].name)) u = &unary[i];
    if (!x || !u) return false;
    Make m = make_op(im, u->op);
    for (size_t i = 0; i < COUNT_OF(u->attr) && u->attr[i].name; i++) {
        float v, def = u->attr[i].def;
        if (u->op == OP_SELU && im->opset < 6) def = i == 0 ? 1.6732f : 1.0507f;
        if (!onnx_attr_float(im, u->attr[i].name, def, &v)) return false;
        make_number(&m, u->attr[i].name, (double)v);
    }
    return onnx_result(im, make_node(&m, &x, 1));
}

bool convert_gelu(Import *im) {
    bool none, tanh;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_is(im, "approximate", "none", "none", &none) ||
        !onnx_attr_is(im, "approximate", "none", "tanh", &tanh))
        return false;
    if (!none && !tanh) return import_fail(im, DIAG_UNSUPPORTED, "this approximation is not known");
    return onnx_result(im, make_unary(im, tanh ? OP_GELUTANH : OP_GELU, x));
}

bool convert_reciprocal(Import *im) {
    Node *x = onnx_activation(im, 0);
    return x && onnx_result(im, make_binary(im, OP_DIV, make_constant(im, 1), x));
}

/* x · 2¹²⁷ · 2¹²⁷ within −1 … 1: exact, for the least float32 is 2⁻¹⁴⁹. */
bool convert_sign(Import *im) {
    Node *x = onnx_activation(im, 0);
    for (int i = 0; i < 2 && x; i++) x = make_binary(im, OP_MUL, x, make_constant(im, 0x1p127));
    Make m = make_op(im, OP_CLIP);
    make_number(&m, "min", -1);
    make_number(&m, "max", 1);
    return x && onnx_result(im, make_node(&m, &x, 1));
}

static bool clip_bound(Import *im, const char *name, int i, float *out) {
    if (im->opset < 11) return onnx_attr_float(im, name, *out, out);
    if (onnx_attr(im, name)) return import_fail(im, DIAG_UNSUPPORTED, "'%s' is an input in this opset", name);
    if (!onnx_has_input(im, i)) return true;
    const Const *c = onnx_constant(im, i, name);
    if (!c) return false;
    if (c->n != 1) return import_fail(im, DIAG_SPEC, "%s is not a number", name);
    *out = c->f ? c->f[0] : (float)c->i[0];
    return *out == *out || import_fail(im, DIAG_SPEC, "%s is not a number", name);
}

/* A bound that the network computes: max with the lower one first, then min with the upper one. */
static bool clip_by_values(Import *im, Node *x) {
    if (onnx_has_input(im, 1)) x = make_binary(im, OP_MAX, x, onnx_activation(im, 1));
    if (x && onnx_has_input(im, 2)) x = make_binary(im, OP_MIN, x, onnx_activation(im, 2));
    return onnx_result(im, x);
}

bool convert_clip(Import *im) {
    float lo = -FLT_MAX, hi = FLT_MAX;
    Node *x = onnx_activation(im, 0);
    if (!x) return false;
    bool open = im->opset >= 11 && ((onnx_has_input(im, 1) && !onnx_is_constant(im, 1)) ||
                                    (onnx_has_input(im, 2) && !onnx_is_constant(im, 2)));
    if (open) return clip_by_values(im, x);
    if (!clip_bound(im, "min", 1, &lo) || !clip_bound(im, "max", 2, &hi)) return false;
    if (lo == 0 && hi == 6) return onnx_result(im, make_unary(im, OP_RELU6, x));
    if (lo == 0 && hi >= FLT_MAX) return onnx_result(im, make_unary(im, OP_RELU, x));
    if (lo == -INFINITY || hi == INFINITY) { /* which a clip would make the largest finite numbers */
        if (lo > -INFINITY) x = make_binary(im, OP_MAX, make_constant(im, (double)lo), x);
        if (hi < INFINITY) x = make_binary(im, OP_MIN, make_constant(im, (double)hi), x);
        return onnx_result(im, x);
    }
    Make m = make_op(im, OP_CLIP);
    if (lo > -FLT_MAX) make_number(&m, "min", (double)lo);
    if (hi < FLT_MAX) make_number(&m, "max", (double)hi);
    return onnx_result(im, make_node(&m, &x, 1));
}

/* ---- two inputs and more ------------------------------------------------------------------------------- */

/* Until opset 6 shapes broadcast only when told to, and the second's axes stand from `axis` on: it gets axes of 1 behind. */
static Node *old_broadcast(Import *im, const Node *x, Node *y) {
    int64_t axis, broadcast, dim[MAX_AXES];
    if (!onnx_attr_int(im, "axis", -1, &axis) || !onnx_attr_int(im, "broadcast", 0, &broadcast)) return NULL;
    if (!broadcast || axis < 0) return y;
    if (axis > x->type.rank) {
        import_fail(im, DIAG_SPEC, "axis = %lld", (long long)axis);
        return NULL;
    }
    int rank = y->type.rank, behind = x->type.rank - (int)axis - rank;
    if (behind <= 0) return y;
    node_dims(y, dim);
    for (int i = 0; i < behind; i++) dim[rank + i] = 1;
    return make_reshape(im, y, dim, rank + behind);
}

static int binary_op(const Import *im) {
    static const struct {
        const char *name;
        Op op;
    } ops[] = {
        {"Add", OP_ADD}, {"Sub", OP_SUB},  {"Mul", OP_MUL}, {"Div", OP_DIV}, {"Pow", OP_POW},
        {"Sum", OP_ADD}, {"Mean", OP_ADD}, {"Max", OP_MAX}, {"Min", OP_MIN},
    };
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        if (node_is(im, ops[i].name)) return ops[i].op;
    return -1;
}

bool convert_binary(Import *im) {
    int op = binary_op(im);
    Node *x = onnx_activation(im, 0), *y = x ? onnx_activation(im, 1) : NULL;
    if (y && im->opset < 7) y = old_broadcast(im, x, y);
    if (!x || !y || op < 0) return false;
    return onnx_result(im, make_binary(im, (Op)op, x, y));
}

/* Sum, Mean, Max, Min of any number. */
bool convert_variadic(Import *im) {
    int op = binary_op(im), n = (int)im->node->n_input;
    Node *x = onnx_activation(im, 0);
    for (int i = 1; i < n && x; i++) {
        Node *y = onnx_activation(im, i);
        x = y ? make_binary(im, (Op)op, x, y) : NULL;
    }
    if (x && node_is(im, "Mean") && n > 1) x = make_binary(im, OP_DIV, x, make_constant(im, n));
    return onnx_result(im, x);
}

/* A slope for each channel, before opset 7 without the axes behind it. */
bool convert_prelu(Import *im) {
    Node *x = onnx_activation(im, 0), *slope = x ? onnx_activation(im, 1) : NULL;
    if (!slope) return false;
    if (im->opset < 7 && slope->type.rank == 1 && x->type.rank > 2) {
        int64_t dim[MAX_AXES] = {slope->type.axis[0].extent, 1, 1, 1, 1, 1, 1, 1};
        slope = make_reshape(im, slope, dim, x->type.rank - 1);
    }
    return onnx_result(im, make_binary(im, OP_SLOPE, x, slope));
}

/* ---- what changes nothing ------------------------------------------------------------------------------ */

bool convert_identity(Import *im) { return onnx_result(im, onnx_activation(im, 0)); }
const Const *fold_identity(Import *im) { return onnx_constant(im, 0, "the input"); }

static bool dropout_trains(Import *im, bool *trains) {
    *trains = false;
    if (!onnx_has_input(im, 2)) return true;
    const Const *mode = onnx_constant(im, 2, "training_mode"), *ratio = NULL;
    if (!mode) return false;
    if (!mode->i || mode->n != 1) return import_fail(im, DIAG_SPEC, "training_mode is no bool");
    if (!mode->i[0]) return true;
    if (onnx_has_input(im, 1)) {
        ratio = onnx_constant(im, 1, "ratio");
        if (!ratio) return false;
    }
    *trains = !ratio || ratio->n != 1 || !ratio->f || ratio->f[0] != 0;
    return true;
}

/* The mask of what is kept: all. */
static bool dropout_mask(Import *im, const Node *x) {
    int64_t dim[MAX_AXES];
    node_dims(x, dim);
    DType type = im->opset < 10 ? DT_F32 : DT_BOOL;
    const Const *c = const_filled(im, type, dim, x->type.rank, 1);
    return c && onnx_constant_result(im, 1, c);
}

bool convert_dropout(Import *im) {
    bool trains;
    Node *x = onnx_activation(im, 0);
    if (!x || !dropout_trains(im, &trains)) return false;
    if (trains) return import_fail(im, DIAG_UNSUPPORTED, "training_mode with a ratio above 0: its result is random");
    if (onnx_has_output(im, 1) && !dropout_mask(im, x)) return false;
    return onnx_result(im, x);
}

typedef struct CastTo {
    int32_t onnx;
    const char *name, *word; /* the standard's and ours */
} CastTo;

static const CastTo cast_to[] = {
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, "FLOAT", "f32"},
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, "FLOAT16", "f32"},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, "BFLOAT16", "f32"},
    {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, "DOUBLE", "f32"},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, "INT64", "i64"},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, "INT32", "i32"},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, "UINT8", "u8"},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, "BOOL", "bool"},
};

/* Until opset 5 the type is a word; NULL with a message. */
static const CastTo *cast_type(Import *im) {
    int64_t type = 0;
    if (!onnx_attr(im, "to")) {
        import_fail(im, DIAG_SPEC, "to is missing");
        return NULL;
    }
    if (im->opset >= 6 && !onnx_attr_int(im, "to", 0, &type)) return NULL;
    for (size_t i = 0; i < COUNT_OF(cast_to); i++) {
        bool is = cast_to[i].onnx == type;
        if (im->opset < 6 && !onnx_attr_is(im, "to", "", cast_to[i].name, &is)) return NULL;
        if (is) return &cast_to[i];
    }
    if (im->opset < 6) import_fail(im, DIAG_UNSUPPORTED, "to this data type");
    else import_fail(im, DIAG_UNSUPPORTED, "to data type %lld", (long long)type);
    return NULL;
}

bool convert_cast(Import *im) {
    Node *x = onnx_activation(im, 0);
    const CastTo *to = x ? cast_type(im) : NULL;
    if (!to) return false;
    if (strcmp(dtype_name(x->type.dtype), to->word) == 0) return onnx_result(im, x);
    Make m = make_op(im, OP_CAST);
    make_word(&m, "to", to->word);
    return onnx_result(im, make_node(&m, &x, 1));
}
