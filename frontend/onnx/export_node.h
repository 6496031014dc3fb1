/* Between export.c, which makes the file, and export_*.c, which say what ops become. */
#ifndef LUNETTE_ONNX_EXPORT_NODE_H
#define LUNETTE_ONNX_EXPORT_NODE_H

#include "frontend/onnx/export.h"

#include <onnx/onnx.pb-c.h> /* made by protoc-c, in the build folder */

/* An initialiser: a weight, or a number that an op needs. */
typedef struct ExportTensor {
    Onnx__TensorProto *head; /* all but the data */
    const void *data;
    size_t bytes;
} ExportTensor;

typedef struct Export {
    Arena *a;
    const Graph *g;
    Diag *d;
    const char **value; /* [g->n_node] what each node's result is called */
    const char **taken; /* names of values: open addressing */
    size_t n_taken, cap_taken;
    Onnx__NodeProto **node;
    int n_node, cap_node;
    ExportTensor *tensor;
    int n_tensor, cap_tensor;
    const Node *n;         /* the current node … */
    const char **in;       /* … its inputs … */
    const char *row;       /* … the ONNX op of its row … */
    const char *result;    /* … and what its last ONNX node makes */
    Onnx__NodeProto *last; /* the last one made: attributes go to it */
    struct FileWriter *w;  /* while the file is being written */
} Export;

/* "node 'conv1' (conv): …"; returns false. */
bool export_fail(Export *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A name for a value on the way to the current node's: NAME.SUFFIX, or with a number. */
const char *export_fresh(Export *e, const char *suffix);
/* Adds a node and gives the name of what it makes; suffix NULL: the result itself, else a value on the way to it. */
const char *export_node(Export *e, const char *op, const char *suffix, const char *const *in, int n_in);
/* A node of one input with several outputs. */
void export_node_outputs(Export *e, const char *op, const char *suffix, const char *in, const char *const *out,
                         int n_out);
#define EXPORT_NODE(e, op, suffix, ...)                                                                                \
    export_node(e, op, suffix, (const char *[]){__VA_ARGS__}, (int)COUNT_OF(((const char *[]){__VA_ARGS__})))
/* Attributes of the last node. */
void export_attr_int(Export *e, const char *name, int64_t v);
void export_attr_ints(Export *e, const char *name, const int32_t *v, int n);
void export_attr_float(Export *e, const char *name, float v);
void export_attr_text(Export *e, const char *name, const char *v);
void export_attr_pads(Export *e, const char *name, const Pads *p);
/* Initialisers: a number, a list of integers, any float32 tensor. The data are not copied. */
const char *export_number(Export *e, const char *suffix, float v);
const char *export_list(Export *e, const char *suffix, const int64_t *v, int n);
const char *export_floats(Export *e, const char *suffix, const int64_t *dim, int rank, const float *v);
const char *export_integers(Export *e, const char *suffix, const int64_t *dim, int rank, const int64_t *v);
/* The value in another element type; itself when it has that. */
const char *export_cast(Export *e, const char *value, DType from, DType to, const char *suffix);
/* float32 within what this type holds. */
const char *export_saturated(Export *e, const char *x, DType to);
/* The current node by its formula. */
bool export_formula(Export *e, const char *const *in);
int export_elem(DType t);

/* Elements of the axes from this one on: axes may have none. */
int64_t export_product(const Type *t, int from);
const char *export_reshape(Export *e, const char *suffix, const char *x, const int64_t *dim, int rank);
/* Input i, a vector, so that it broadcasts along the channels of input 0. */
const char *export_by_channel(Export *e, int i);

typedef struct ExportPad {
    int rank;
    int64_t extent[MAX_AXES], lo[MAX_AXES], hi[MAX_AXES]; /* ≥ 0 */
    const char *mode;                                     /* "constant", "reflect", "edge", "circular" */
    float value;
    DType dtype;
} ExportPad;

/* Input 0 with these pads of its spatial axes; mode: a place in "zero|reflect|edge|circular|constant". */
const char *export_spatial_pads(Export *e, const Pads *pad, int mode, float value);
const char *export_padded(Export *e, const char *suffix, const char *x, const ExportPad *p);

/* export_ops.c: the current node; the attribute of this name, of the type that the table says. */
bool export_op(Export *e);
const void *export_attr_at(const Export *e, const char *name);

/* What rows call. */
bool emit_batchnorm(Export *e), emit_instancenorm(Export *e), emit_groupnorm(Export *e), emit_layernorm(Export *e);
bool emit_channelnorm(Export *e), emit_mvn(Export *e), emit_l2norm(Export *e), emit_reduce(Export *e);
bool emit_maxpool(Export *e), emit_avgpool(Export *e), emit_lppool(Export *e), emit_globallppool(Export *e);
bool emit_maxpoolindex(Export *e), emit_maxunpool(Export *e), emit_adaptivemaxpool(Export *e),
    emit_adaptiveavgpool(Export *e);
bool emit_reshape(Export *e), emit_squeeze(Export *e), emit_unsqueeze(Export *e), emit_transpose(Export *e);
bool emit_expand(Export *e), emit_slice(Export *e), emit_reverse(Export *e), emit_gather(Export *e),
    emit_shape(Export *e);
bool emit_cast(Export *e), emit_depthtospace(Export *e), emit_spacetodepth(Export *e), emit_channelshuffle(Export *e);
bool emit_resize(Export *e), emit_upsample(Export *e);
bool emit_matmul(Export *e), emit_prelu(Export *e), emit_slope(Export *e), emit_pad(Export *e), emit_conv(Export *e),
    emit_convtranspose(Export *e);

#endif
