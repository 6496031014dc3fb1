/* What the parts of the ONNX importer share. */
#ifndef LUNETTE_ONNX_IMPORT_H
#define LUNETTE_ONNX_IMPORT_H

#include "frontend/data/array.h"
#include "frontend/onnx/onnx.h"

#include <onnx/onnx.pb-c.h> /* made by protoc-c, in the build folder */

/* ---- file.c: bytes to messages --------------------------------------------------------------------- */

typedef struct OnnxFile {
    Onnx__ModelProto *model; /* one of the two, as the file was opened */
    Onnx__TensorProto *tensor;
    size_t size;              /* of the file */
    struct OnnxBlock *blocks; /* all memory of the messages */
    MapFile *data[16];        /* other files that hold tensors */
    const char *data_name[16];
    int n_data;
    size_t taken;
    bool full, oom; /* why unpacking failed: its bound, or the machine's */
} OnnxFile;

bool onnx_open(OnnxFile *f, const char *path, Diag *d);
bool onnx_open_tensor(OnnxFile *f, const char *path, Diag *d);
void onnx_close(OnnxFile *f);

/* ---- values ---------------------------------------------------------------------------------------- */

enum { ONNX_MAX_RANK = ARRAY_MAX_RANK };

/* A constant: float32, or int64 for all integers and bools. It may be empty, which a node may not. */
typedef struct Const {
    DType dtype;
    int rank;
    int64_t dim[ONNX_MAX_RANK], n;
    const float *f; /* one of the two is NULL, unless n is 0 */
    const int64_t *i;
} Const;

typedef struct Value {
    const char *name;
    const Onnx__TensorProto *tensor; /* an initialiser, decoded when it is used */
    const Const *constant;
    Node *node; /* an activation, or made of constants by nodes */
    int uses;   /* node inputs and network outputs that read it … */
    int user;   /* … and the last such node, −1: an output */
} Value;

typedef struct Bound {
    Node *node;
    const Const *value;
} Bound;

typedef struct Import {
    Arena *a;
    const char *path;
    OnnxFile *file; /* NULL: a tensor by itself */
    const OnnxOptions *o;
    Diag *d;
    const Onnx__GraphProto *from;
    int64_t opset;
    Graph *g;
    Value *slot; /* by name: open addressing */
    size_t n_slot;
    bool *set_used;              /* [o->n_set] */
    bool *shape_used;            /* [o->n_shape] */
    bool *done;                  /* [from->n_node]: folded, or part of an earlier node */
    const Onnx__NodeProto *node; /* the current one; NULL: none */
    int index;                   /* its place */
    size_t computed, most;       /* bytes of constants made here, and how many there may be */
    Bound *weight;
    int n_weight, cap_weight;
    RefTensor **known; /* [n_known] what nodes made of constants were found to be, by their ids */
    bool *needed;      /* [n_known] scratch of eval.c */
    int n_known;
    double work; /* spent on them */
} Import;

/* "path: node 'conv1' (Conv, opset 7): …"; returns false. */
bool import_fail(Import *im, DiagKind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The name as Lunette allows it: [A-Za-z_][A-Za-z0-9_.]* */
const char *import_name(Arena *a, const char *name);
const char *import_fresh(Import *im, const char *name); /* like it, and no node's yet */
const char *import_node_name(const Import *im);         /* of the current node: its own, else its first output's */
Value *import_value(Import *im, const char *name);      /* made when it is not there yet */
bool value_is_constant(const Value *v);
bool value_is_made(const Value *v);
bool import_inputs(Import *im); /* input.c */
bool import_model(Import *im, const OnnxFile *f, OnnxModel *out);
/* The nodes of a branch of the current node, which stays the current one. */
bool import_branch(Import *im, const Onnx__GraphProto *g);
/* "[1, 3, 8]" */
const char *import_dims(Arena *a, const int64_t *dim, int rank);

/* ---- external.c ------------------------------------------------------------------------------------ */

/* The bytes of a tensor whose data are in another file, which stays open with the model; it must lie in the model's folder. */
bool external_data(Import *im, const Onnx__TensorProto *t, const char *name, const void **data, size_t *bytes);

/* ---- tensor.c -------------------------------------------------------------------------------------- */

/* Room for n numbers of constants; NULL with a message when the model asks for too much. */
void *const_room(Import *im, size_t size, int64_t n);
const Const *tensor_const(Import *im, const Onnx__TensorProto *t, const char *name);
/* The constant in a file of --const. */
const Const *file_const(Import *im, const char *path);
/* The constant behind a value, decoded or evaluated; NULL with a message. */
const Const *value_const(Import *im, Value *v);
/* The dimensions of input 0, which may be an empty constant. */
bool onnx_dims(Import *im, int64_t dim[ONNX_MAX_RANK], int *rank, DType *type);
/* A list of integers, of floats; a tensor of one value. */
const Const *const_integers(Import *im, const int64_t *v, int n);
const Const *const_floats(Import *im, const float *v, int64_t n);
Const *const_filled(Import *im, DType type, const int64_t *dim, int rank, double v);
const Const *const_reshaped(Import *im, const Const *c, const int64_t *dim, int rank);
const Const *const_transposed(Import *im, const Const *c, const int64_t *perm);
/* Whether c, broadcast to `rank` axes from axis `at` (−1: the last ones), differs along axis 1 alone; then its value for each
 * channel, else NULL (without a message, but for memory). */
const float *const_per_channel(Import *im, const Const *c, int rank, int at, int64_t channels);

/* ---- eval.c: between constants and nodes ------------------------------------------------------------ */

/* The value of a node that is made of constants; NULL with a message. */
const Const *node_const(Import *im, const Node *n);
/* A weight of this value; NULL with a message, also for an empty one. */
Node *const_node(Import *im, const Const *c);

/* ---- nodes.c: what a node's attributes and inputs are ---------------------------------------------- */

bool onnx_attr_int(Import *im, const char *name, int64_t otherwise, int64_t *out);
bool onnx_attr_float(Import *im, const char *name, float otherwise, float *out);
/* n = −1 when it is not given */
bool onnx_attr_ints(Import *im, const char *name, const int64_t **v, int *n);
bool onnx_attr_is(Import *im, const char *name, const char *otherwise, const char *wanted, bool *is);
const Onnx__AttributeProto *onnx_attr(const Import *im, const char *name);

bool node_is(const Import *im, const char *op);
void node_dims(const Node *x, int64_t *dim);
const char *node_shape(Import *im, const Node *x); /* "[1, 3, 8]" */
/* Axis `a` of `rank`, negative from the end; −1 with a message. */
int onnx_axis(Import *im, int64_t a, int rank);

bool onnx_has_input(const Import *im, int i);
bool onnx_has_output(Import *im, int i); /* and somebody reads it */
bool onnx_is_constant(Import *im, int i);
/* Input i as a node, constants too; NULL with a message. */
Node *onnx_activation(Import *im, int i);
const Const *onnx_constant(Import *im, int i, const char *what);
/* Integers that are an attribute up to opset `last`, input i after it; n = −1 when they are not given. */
bool onnx_ints(Import *im, const char *name, int last, int i, const int64_t **v, int *n);

/* Sets the first output of the current node, or output i; false when n is NULL, whose reason was said. */
bool onnx_result(Import *im, Node *n);
bool onnx_result_at(Import *im, int i, Node *n);
bool onnx_constant_result(Import *im, int i, const Const *c);
bool onnx_result_of(Import *im, const Onnx__NodeProto *node, Node *n);
/* Makes the op, with a name from the current node; NULL with a message. */
Node *onnx_emit(Import *im, Op op, Node *const *in, int n_in, const AttrAny *attr);
Node *onnx_weight(Import *im, const char *suffix, const char *letters, const int64_t *extent, const float *data);
/* When the only reader of the current node's result is an Add of a constant per channel: that constant, and the
 * Add in *add. NULL otherwise. */
const float *onnx_bias_after(Import *im, int rank, int64_t channels, const Onnx__NodeProto **add);

/* ---- make.c: nodes by the names of their attributes ------------------------------------------------------ */

typedef struct Make {
    Import *im;
    Op op;
    AttrAny attr;
    bool good; /* false: the reason was said, and no node is made */
} Make;

Make make_op(Import *im, Op op);
void make_number(Make *m, const char *name, double v);
void make_ints(Make *m, const char *name, const int64_t *v, int n); /* n < 1: leaves it out */
void make_floats(Make *m, const char *name, const float *v, int n);
void make_word(Make *m, const char *name, const char *word);
void make_dims(Make *m, const char *name, const Dims *v);
void make_spatial_pads(Make *m, const Pads *v);
/* All give NULL when an input is NULL, whose reason was said, or with a message. */
Node *make_node(Make *m, Node *const *in, int n_in);
Node *make_unary(Import *im, Op op, Node *x);
Node *make_binary(Import *im, Op op, Node *x, Node *y);
Node *make_constant(Import *im, double v);
Node *make_reshape(Import *im, Node *x, const int64_t *dim, int rank);

/* ---- convert.c: the table; one function an op, by families in the other files ------------------------------------------------------- */

typedef struct OnnxOp {
    const char *name;
    bool (*convert)(Import *im); /* nodes, whose inputs may be constants; NULL: of constants only */
    const Const *(*fold)(
        Import *im); /* when all inputs are constants: needed where they may be empty, or hold more than
                                       * a double; NULL: `convert` will do */
    int min_in, max_in;
    const char *attrs; /* those it knows */
} OnnxOp;

const OnnxOp *onnx_op_find(const char *name);
int onnx_most_inputs(const OnnxOp *op, int64_t opset);

bool convert_unary(Import *im);
bool convert_gelu(Import *im);
bool convert_reciprocal(Import *im);
bool convert_clip(Import *im);
bool convert_binary(Import *im);
bool convert_variadic(Import *im);
bool convert_prelu(Import *im);
bool convert_identity(Import *im);
bool convert_dropout(Import *im);
bool convert_cast(Import *im);
bool convert_matmul(Import *im);
bool convert_gemm(Import *im);
bool convert_reshape(Import *im);
bool convert_shape(Import *im);
bool convert_size(Import *im);
bool convert_transpose(Import *im);
bool convert_concat(Import *im);
bool convert_split(Import *im);
bool convert_slice(Import *im);
bool convert_expand(Import *im);
bool convert_tile(Import *im);
bool convert_pad(Import *im);
bool convert_gather(Import *im);
bool convert_depthtospace(Import *im);
bool convert_softmax(Import *im);
bool convert_batchnorm(Import *im);
bool convert_instancenorm(Import *im);
bool convert_groupnorm(Import *im);
bool convert_layernorm(Import *im);
bool convert_lrn(Import *im);
bool convert_mvn(Import *im);
bool convert_lpnorm(Import *im);
bool convert_reduce(Import *im);
bool convert_argmax(Import *im);
bool convert_conv(Import *im);
bool convert_convtranspose(Import *im);
bool convert_maxpool(Import *im);
bool convert_avgpool(Import *im);
bool convert_lppool(Import *im);
bool convert_globalpool(Import *im);
bool convert_maxunpool(Import *im);
bool convert_resize(Import *im);
bool convert_upsample(Import *im);
const Const *fold_reshape(Import *im);
const Const *fold_fill(Import *im);
const Const *fold_range(Import *im);
const Const *fold_constant(Import *im);
const Const *fold_transpose(Import *im);
const Const *fold_identity(Import *im);
const Const *fold_compare(Import *im);
const Const *fold_not(Import *im);
const Const *fold_where(Import *im);
const Const *fold_round(Import *im);
const Const *fold_mod(Import *im);
const Const *fold_nonzero(Import *im);
const Const *fold_scatter(Import *im);
const Const *fold_trilu(Import *im);
bool convert_sign(Import *im);
bool convert_if(Import *im);

#endif
