/* The table of ONNX's ops. */
#include "frontend/onnx/import.h"

#include <string.h>

#define WINDOW  "auto_pad dilations kernel_shape pads strides"
#define POOL    WINDOW " ceil_mode storage_order"
#define BINARY  convert_binary, NULL, 2, 2, "axis broadcast"
#define MANY    convert_variadic, NULL, 1, 4096, ""
#define UNARY   convert_unary, NULL, 1, 1
#define COMPARE NULL, fold_compare, 2, 2, ""
#define REDUCE  convert_reduce, NULL, 1, 2, "axes keepdims noop_with_empty_axes"

static const OnnxOp table[] = {
    {"Abs", UNARY, ""},
    {"Add", BINARY},
    {"And", COMPARE},
    {"ArgMax", convert_argmax, NULL, 1, 1, "axis keepdims select_last_index"},
    {"ArgMin", convert_argmax, NULL, 1, 1, "axis keepdims select_last_index"},
    {"AveragePool", convert_avgpool, NULL, 1, 1, POOL " count_include_pad"},
    {"BatchNormalization", convert_batchnorm, NULL, 5, 5, "epsilon is_test momentum spatial training_mode"},
    {"Cast", convert_cast, NULL, 1, 1, "to saturate round_mode"},
    {"Ceil", NULL, fold_round, 1, 1, ""},
    {"Celu", UNARY, "alpha"},
    {"Clip", convert_clip, NULL, 1, 3, "max min"},
    {"Concat", convert_concat, NULL, 1, 4096, "axis"},
    {"Constant", NULL, fold_constant, 0, 0, "value value_float value_floats value_int value_ints"},
    {"ConstantOfShape", NULL, fold_fill, 1, 1, "value"},
    {"Conv", convert_conv, NULL, 2, 3, WINDOW " group"},
    {"ConvTranspose", convert_convtranspose, NULL, 2, 3, WINDOW " group output_padding output_shape"},
    {"DepthToSpace", convert_depthtospace, NULL, 1, 1, "blocksize mode"},
    {"Div", BINARY},
    {"Dropout", convert_dropout, NULL, 1, 3, "is_test ratio seed"},
    {"Elu", UNARY, "alpha"},
    {"Equal", COMPARE},
    {"Erf", UNARY, ""},
    {"Exp", UNARY, ""},
    {"Expand", convert_expand, NULL, 2, 2, ""},
    {"Flatten", convert_reshape, fold_reshape, 1, 1, "axis"},
    {"Floor", NULL, fold_round, 1, 1, ""},
    {"Gather", convert_gather, NULL, 2, 2, "axis"},
    {"Gelu", convert_gelu, NULL, 1, 1, "approximate"},
    {"Gemm", convert_gemm, NULL, 2, 3, "alpha beta broadcast transA transB"},
    {"GlobalAveragePool", convert_globalpool, NULL, 1, 1, ""},
    {"GlobalLpPool", convert_globalpool, NULL, 1, 1, "p"},
    {"GlobalMaxPool", convert_globalpool, NULL, 1, 1, ""},
    {"Greater", COMPARE},
    {"GreaterOrEqual", COMPARE},
    {"GroupNormalization", convert_groupnorm, NULL, 3, 3, "epsilon num_groups stash_type"},
    {"HardSigmoid", UNARY, "alpha beta"},
    {"HardSwish", UNARY, ""},
    {"Identity", convert_identity, fold_identity, 1, 1, ""},
    {"If", convert_if, NULL, 1, 1, "else_branch then_branch"},
    {"InstanceNormalization", convert_instancenorm, NULL, 3, 3, "epsilon"},
    {"LRN", convert_lrn, NULL, 1, 1, "alpha beta bias size"},
    {"LayerNormalization", convert_layernorm, NULL, 2, 3, "axis epsilon stash_type"},
    {"LeakyRelu", UNARY, "alpha"},
    {"Less", COMPARE},
    {"LessOrEqual", COMPARE},
    {"Log", UNARY, ""},
    {"LogSoftmax", convert_softmax, NULL, 1, 1, "axis"},
    {"LpNormalization", convert_lpnorm, NULL, 1, 1, "axis p"},
    {"LpPool", convert_lppool, NULL, 1, 1, WINDOW " ceil_mode p"},
    {"MatMul", convert_matmul, NULL, 2, 2, ""},
    {"Max", MANY},
    {"MaxPool", convert_maxpool, NULL, 1, 1, POOL},
    {"MaxUnpool", convert_maxunpool, NULL, 2, 3, "kernel_shape pads strides"},
    {"Mean", MANY},
    {"MeanVarianceNormalization", convert_mvn, NULL, 1, 1, "axes"},
    {"Min", MANY},
    {"Mish", UNARY, ""},
    {"Mod", NULL, fold_mod, 2, 2, "fmod"},
    {"Mul", BINARY},
    {"Neg", UNARY, ""},
    {"NonZero", NULL, fold_nonzero, 1, 1, ""},
    {"Not", NULL, fold_not, 1, 1, ""},
    {"Or", COMPARE},
    {"PRelu", convert_prelu, NULL, 2, 2, ""},
    {"Pad", convert_pad, NULL, 1, 4, "mode pads paddings value"},
    {"Pow", BINARY},
    {"Range", NULL, fold_range, 3, 3, ""},
    {"Reciprocal", convert_reciprocal, NULL, 1, 1, ""},
    {"ReduceL1", REDUCE},
    {"ReduceL2", REDUCE},
    {"ReduceLogSum", REDUCE},
    {"ReduceLogSumExp", REDUCE},
    {"ReduceMax", REDUCE},
    {"ReduceMean", REDUCE},
    {"ReduceMin", REDUCE},
    {"ReduceProd", REDUCE},
    {"ReduceSum", REDUCE},
    {"ReduceSumSquare", REDUCE},
    {"Relu", UNARY, ""},
    {"Reshape", convert_reshape, fold_reshape, 1, 2, "allowzero shape"},
    {"Resize", convert_resize, NULL, 2, 4,
     "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
     "keep_aspect_ratio_policy mode nearest_mode"},
    {"Round", NULL, fold_round, 1, 1, ""},
    {"ScatterND", NULL, fold_scatter, 3, 3, "reduction"},
    {"Selu", UNARY, "alpha gamma"},
    {"Shape", convert_shape, NULL, 1, 1, "end start"},
    {"Sigmoid", UNARY, ""},
    {"Sign", convert_sign, NULL, 1, 1, ""},
    {"Size", convert_size, NULL, 1, 1, ""},
    {"Slice", convert_slice, NULL, 1, 5, "axes ends starts"},
    {"Softmax", convert_softmax, NULL, 1, 1, "axis"},
    {"Softplus", UNARY, ""},
    {"Softsign", UNARY, ""},
    {"SpaceToDepth", convert_depthtospace, NULL, 1, 1, "blocksize"},
    {"Split", convert_split, NULL, 1, 2, "axis num_outputs split"},
    {"Sqrt", UNARY, ""},
    {"Squeeze", convert_reshape, fold_reshape, 1, 2, "axes"},
    {"Sub", BINARY},
    {"Sum", MANY},
    {"Tanh", UNARY, ""},
    {"ThresholdedRelu", UNARY, "alpha"},
    {"Tile", convert_tile, NULL, 2, 3, ""},
    {"Transpose", convert_transpose, fold_transpose, 1, 1, "perm"},
    {"Trilu", NULL, fold_trilu, 1, 2, "upper"},
    {"Unsqueeze", convert_reshape, fold_reshape, 1, 2, "axes"},
    {"Upsample", convert_upsample, NULL, 1, 2, "height_scale mode scales width_scale"},
    {"Where", NULL, fold_where, 3, 3, ""},
    {"Xor", COMPARE},
};

/* Inputs that came in a later opset: what they say was an attribute before, or was not there. */
static const struct {
    const char *name;
    int opset, max_in; /* before this opset, at most so many */
} earlier[] = {
    {"Clip", 11, 1},      {"Dropout", 12, 1},         {"Pad", 11, 1},          {"Pad", 18, 3},
    {"ReduceL1", 18, 1},  {"ReduceL2", 18, 1},        {"ReduceLogSum", 18, 1}, {"ReduceLogSumExp", 18, 1},
    {"ReduceMax", 18, 1}, {"ReduceMean", 18, 1},      {"ReduceMin", 18, 1},    {"ReduceProd", 18, 1},
    {"ReduceSum", 13, 1}, {"ReduceSumSquare", 18, 1}, {"Reshape", 5, 1},       {"Resize", 11, 2},
    {"Slice", 10, 1},     {"Split", 13, 1},           {"Squeeze", 13, 1},      {"Unsqueeze", 13, 1},
    {"Upsample", 9, 1},
};

int onnx_most_inputs(const OnnxOp *op, int64_t opset) {
    for (size_t i = 0; i < COUNT_OF(earlier); i++)
        if (strcmp(earlier[i].name, op->name) == 0 && opset < earlier[i].opset) return earlier[i].max_in;
    return op->max_in;
}

const OnnxOp *onnx_op_find(const char *name) {
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}
