/* What each op becomes in ONNX: a row of the table. */
#include "frontend/onnx/export_node.h"

#include <assert.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

typedef struct ExportRow {
    const char *onnx;        /* one node of this type, with … */
    const char *attrs;       /* … these attributes: "strides=stride transB=1" … */
    bool (*emit)(Export *e); /* … or what this makes */
    const char *refused;     /* or why ONNX cannot say it. Nothing at all: by its formula */
    enum {
        TYPES_FLOAT,     /* computes in float32, as kernels do: others are cast, inputs and result */
        TYPES_ANY,       /* moves data: tensors of any element type go in and out as they are */
        TYPES_INDEX_OUT, /* computes in float32 a result that is int64 in any case */
        TYPES_INDEX_IN,  /* all inputs but the first are indices */
    } types;
} ExportRow;

/* ---- what several rows use --------------------------------------------------------------------------- */

static const char *node_of(Export *e, const char *op) { return export_node(e, op, NULL, e->in, e->n->n_in); }

/* ---- layers ------------------------------------------------------------------------------------------ */

static bool emit_constant(Export *e) {
    export_node(e, "Constant", NULL, NULL, 0);
    export_attr_float(e, "value_float", e->n->attr.CONSTANT.value);
    return true;
}

/* ---- activations that ONNX has in parts -------------------------------------------------------------- */

static bool emit_clip(Export *e) {
    const CLIP_attr *c = &e->n->attr.CLIP;
    const char *lo = c->min > -FLT_MAX ? export_number(e, "min", c->min) : "";
    const char *hi = c->max < FLT_MAX ? export_number(e, "max", c->max) : "";
    EXPORT_NODE(e, "Clip", NULL, e->in[0], lo, hi);
    return true;
}

static bool emit_relu6(Export *e) {
    EXPORT_NODE(e, "Clip", NULL, e->in[0], export_number(e, "min", 0), export_number(e, "max", 6));
    return true;
}

static bool emit_silu(Export *e) {
    const char *x = e->in[0];
    EXPORT_NODE(e, "Mul", NULL, x, EXPORT_NODE(e, "Sigmoid", "sigmoid", x));
    return true;
}

static bool emit_mish(Export *e) {
    const char *x = e->in[0];
    EXPORT_NODE(e, "Mul", NULL, x, EXPORT_NODE(e, "Tanh", "tanh", EXPORT_NODE(e, "Softplus", "softplus", x)));
    return true;
}

/* x beyond the threshold differs from the softplus by less than float32 can say from 17 on. */
static bool emit_softplus(Export *e) {
    const SOFTPLUS_attr *s = &e->n->attr.SOFTPLUS;
    const char *x = e->in[0], *scaled = x, *y;
    bool whole = s->threshold >= 17;
    if (s->beta == 1 && whole) {
        EXPORT_NODE(e, "Softplus", NULL, x);
        return true;
    }
    if (s->beta != 1) scaled = EXPORT_NODE(e, "Mul", "scaled", x, export_number(e, "beta", s->beta));
    y = EXPORT_NODE(e, "Softplus", "softplus", scaled);
    if (s->beta != 1) y = EXPORT_NODE(e, "Div", whole ? NULL : "divided", y, export_number(e, "beta", s->beta));
    if (whole) return true;
    const char *over = EXPORT_NODE(e, "Greater", "over", scaled, export_number(e, "threshold", s->threshold));
    EXPORT_NODE(e, "Where", NULL, over, x, y);
    return true;
}

/* ---- the table --------------------------------------------------------------------------------------- */

#define INTERNAL "passes make it: a graph as written has none"

static const ExportRow table[OP_COUNT] = {
    [OP_CONSTANT] = {.emit = emit_constant},
    [OP_CONV] = {.emit = emit_conv},
    [OP_CONVTRANSPOSE] = {.emit = emit_convtranspose},
    [OP_PAD] = {.emit = emit_pad, .types = TYPES_ANY},
    [OP_DENSE] = {"Gemm", "transB=1"},
    [OP_BATCHNORM] = {.emit = emit_batchnorm},
    [OP_INSTANCENORM] = {.emit = emit_instancenorm},
    [OP_GROUPNORM] = {.emit = emit_groupnorm},
    [OP_LAYERNORM] = {.emit = emit_layernorm},
    [OP_CHANNELNORM] = {.emit = emit_channelnorm},
    [OP_MVN] = {.emit = emit_mvn},
    [OP_L2NORM] = {.emit = emit_l2norm},
    [OP_LRN] = {"LRN", "size=size alpha=alpha beta=beta bias=k"},
    [OP_PRELU] = {.emit = emit_prelu},
    [OP_SLOPE] = {.emit = emit_slope},
    [OP_MATMUL] = {.emit = emit_matmul},
    [OP_GEMM] = {"Gemm", "alpha=alpha beta=beta transA=trans_a transB=trans_b"},
    [OP_REDUCESUM] = {"ReduceSum", .emit = emit_reduce},
    [OP_REDUCEMEAN] = {"ReduceMean", .emit = emit_reduce},
    [OP_REDUCEMAX] = {"ReduceMax", .emit = emit_reduce},
    [OP_REDUCEMIN] = {"ReduceMin", .emit = emit_reduce},
    [OP_REDUCEPROD] = {"ReduceProd", .emit = emit_reduce},
    [OP_REDUCEL1] = {"ReduceL1", .emit = emit_reduce},
    [OP_REDUCEL2] = {"ReduceL2", .emit = emit_reduce},
    [OP_REDUCESUMSQUARE] = {"ReduceSumSquare", .emit = emit_reduce},
    [OP_REDUCELOGSUM] = {"ReduceLogSum", .emit = emit_reduce},
    [OP_REDUCELOGSUMEXP] = {"ReduceLogSumExp", .emit = emit_reduce},
    [OP_MAXPOOL] = {.emit = emit_maxpool},
    [OP_AVGPOOL] = {.emit = emit_avgpool},
    [OP_LPPOOL] = {.emit = emit_lppool},
    [OP_MAXPOOLINDEX] = {.emit = emit_maxpoolindex, .types = TYPES_INDEX_OUT},
    [OP_MAXUNPOOL] = {.emit = emit_maxunpool, .types = TYPES_INDEX_IN},
    [OP_ADAPTIVEMAXPOOL] = {.emit = emit_adaptivemaxpool},
    [OP_ADAPTIVEAVGPOOL] = {.emit = emit_adaptiveavgpool},
    [OP_GLOBALMAXPOOL] = {"GlobalMaxPool", ""},
    [OP_GLOBALLPPOOL] = {.emit = emit_globallppool},
    [OP_ARGMAX] = {"ArgMax", "axis=axis keepdims=keep select_last_index=last", .types = TYPES_INDEX_OUT},
    [OP_ARGMIN] = {"ArgMin", "axis=axis keepdims=keep select_last_index=last", .types = TYPES_INDEX_OUT},
    [OP_GLOBALAVGPOOL] = {"GlobalAveragePool", ""},
    [OP_FLATTEN] = {"Flatten", "axis=axis", .types = TYPES_ANY},
    [OP_CONCAT] = {"Concat", "axis=axis", .types = TYPES_ANY},
    [OP_RESHAPE] = {.emit = emit_reshape, .types = TYPES_ANY},
    [OP_SQUEEZE] = {.emit = emit_squeeze, .types = TYPES_ANY},
    [OP_UNSQUEEZE] = {.emit = emit_unsqueeze, .types = TYPES_ANY},
    [OP_TRANSPOSE] = {.emit = emit_transpose, .types = TYPES_ANY},
    [OP_EXPAND] = {.emit = emit_expand, .types = TYPES_ANY},
    [OP_SLICE] = {.emit = emit_slice, .types = TYPES_ANY},
    [OP_REVERSE] = {.emit = emit_reverse, .types = TYPES_ANY},
    [OP_GATHER] = {.emit = emit_gather, .types = TYPES_ANY},
    [OP_SHAPE] = {.emit = emit_shape, .types = TYPES_ANY},
    [OP_CAST] = {.emit = emit_cast, .types = TYPES_ANY},
    [OP_DEPTHTOSPACE] = {.emit = emit_depthtospace, .types = TYPES_ANY},
    [OP_SPACETODEPTH] = {.emit = emit_spacetodepth, .types = TYPES_ANY},
    [OP_CHANNELSHUFFLE] = {.emit = emit_channelshuffle, .types = TYPES_ANY},
    [OP_RESIZE] = {.emit = emit_resize},
    [OP_UPSAMPLE] = {.emit = emit_upsample},
    [OP_SOFTMAX] = {"Softmax", "axis=axis"},
    [OP_LOGSOFTMAX] = {"LogSoftmax", "axis=axis"},
    [OP_ADD] = {"Add", ""},
    [OP_SUB] = {"Sub", ""},
    [OP_MUL] = {"Mul", ""},
    [OP_DIV] = {"Div", ""},
    [OP_MIN] = {"Min", ""},
    [OP_MAX] = {"Max", ""},
    [OP_IDENTITY] = {"Identity", "", .types = TYPES_ANY},
    [OP_NEG] = {"Neg", ""},
    [OP_ABS] = {"Abs", ""},
    [OP_SQRT] = {"Sqrt", ""},
    [OP_EXP] = {"Exp", ""},
    [OP_LOG] = {"Log", ""},
    [OP_ERF] = {"Erf", ""},
    [OP_CLIP] = {.emit = emit_clip},
    [OP_RELU] = {"Relu", ""},
    [OP_LEAKYRELU] = {"LeakyRelu", "alpha=alpha"},
    [OP_THRESHOLDEDRELU] = {"ThresholdedRelu", "alpha=alpha"},
    [OP_RELU6] = {.emit = emit_relu6},
    [OP_ELU] = {"Elu", "alpha=alpha"},
    [OP_SELU] = {"Selu", "alpha=alpha gamma=gamma"},
    [OP_CELU] = {"Celu", "alpha=alpha"},
    [OP_SILU] = {.emit = emit_silu},
    [OP_HARDSWISH] = {"HardSwish", ""},
    [OP_POW] = {"Pow", ""},
    [OP_HARDSIGMOID] = {"HardSigmoid", "alpha=alpha beta=beta"},
    [OP_SOFTPLUS] = {.emit = emit_softplus},
    [OP_MISH] = {.emit = emit_mish},
    [OP_SOFTSIGN] = {"Softsign", ""},
    [OP_TANH] = {"Tanh", ""},
    [OP_SIGMOID] = {"Sigmoid", ""},
};

/* ---- rows that are one node -------------------------------------------------------------------------- */

static const AttrInfo *attr_find(Op op, const char *name, size_t n) {
    for (int i = 0; i < op_table[op].n_attr; i++)
        if (strlen(op_table[op].attr[i].name) == n && memcmp(op_table[op].attr[i].name, name, n) == 0)
            return &op_table[op].attr[i];
    return NULL;
}

const void *export_attr_at(const Export *e, const char *name) {
    const AttrInfo *info = attr_find(e->n->op, name, strlen(name));
    assert(info);
    return (const char *)&e->n->attr + info->offset;
}

static bool attr_copy(Export *e, const char *name, const AttrInfo *info) {
    const void *at = (const char *)&e->n->attr + info->offset;
    const Dims *dims = at;
    const Ints *ints = at;
    switch (info->type) {
    case ATTR_INT:
    case ATTR_BOOL: export_attr_int(e, name, *(const int32_t *)at); return true;
    case ATTR_FLOAT: export_attr_float(e, name, *(const float *)at); return true;
    case ATTR_DIMS: export_attr_ints(e, name, dims->v, dims->n); return true;
    case ATTR_PADS: export_attr_pads(e, name, at); return true;
    case ATTR_INTS:
        if (ints->n) export_attr_ints(e, name, ints->v, ints->n);
        return true;
    case ATTR_ENUM: export_attr_text(e, name, attr_word(e->a, info, *(const int32_t *)at)); return true;
    case ATTR_FLOATS: break;
    }
    return export_fail(e, "a list of numbers as attribute %s has no place in the table", info->name);
}

/* "strides=stride transB=1": the value of an attribute, or a number. */
static bool attrs_copy(Export *e, const char *attrs) {
    for (const char *p = attrs; *p; p += strspn(p, " ")) {
        size_t to = strcspn(p, "="), from = strcspn(p + to + 1, " ");
        const char *name = arena_printf(e->a, "%.*s", (int)to, p), *value = p + to + 1;
        const AttrInfo *info = attr_find(e->n->op, value, from);
        p = value + from;
        if (*value >= '0' && *value <= '9') export_attr_int(e, name, atoi(value));
        else if (!info) return diag_fail(e->d, DIAG_INTERNAL, "export: %s has no '%s'", op_table[e->n->op].name, value);
        else if (!attr_copy(e, name, info)) return false;
    }
    return true;
}

bool onnx_has_row(Op op) {
    const ExportRow *r = &table[op];
    return r->onnx || r->emit || r->refused || op_table[op].formula;
}

static bool export_row(Export *e) {
    const Op op = e->n->op;
    const ExportRow *r = &table[op];
    if (op_table[op].flags & OPF_INTERNAL) return export_fail(e, INTERNAL);
    if (r->refused) return export_fail(e, "%s", r->refused);
    e->row = r->onnx;
    if (r->emit) return r->emit(e);
    if (r->onnx) {
        node_of(e, r->onnx);
        return attrs_copy(e, r->attrs);
    }
    if (op_table[op].formula) return export_formula(e, e->in);
    return export_fail(e, "nothing is known that says it in ONNX");
}

bool export_op(Export *e) {
    const Node *n = e->n;
    const char *result = e->result;
    int types = table[n->op].types;
    e->in = ARENA_ARRAY(e->a, const char *, n->n_in);
    for (int i = 0; i < n->n_in; i++) {
        e->in[i] = e->value[n->in[i]->id];
        if (types == TYPES_ANY || (types == TYPES_INDEX_IN && i > 0)) continue;
        e->in[i] = export_cast(e, e->in[i], n->in[i]->type.dtype, DT_F32, "float");
    }
    if (types == TYPES_ANY || types == TYPES_INDEX_OUT || n->type.dtype == DT_F32) return export_row(e);
    e->result = export_fresh(e, "computed");
    if (!export_row(e)) return false;
    const char *computed = export_saturated(e, e->result, n->type.dtype);
    e->result = result;
    export_cast(e, computed, DT_F32, n->type.dtype, NULL);
    return true;
}
