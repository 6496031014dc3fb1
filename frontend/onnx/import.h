/* What the parts of the ONNX importer share. */
#ifndef LUNETTE_ONNX_IMPORT_H
#define LUNETTE_ONNX_IMPORT_H

#include "frontend/data/array.h"
#include "frontend/onnx/onnx.h"

#include <onnx/onnx.pb-c.h> /* made by protoc-c, in the build folder */

/* ---- file.c: bytes to messages --------------------------------------------------------------------- */

typedef struct OnnxFile {
    Onnx__ModelProto *model;
    size_t size;              /* of the file */
    struct OnnxBlock *blocks; /* all memory of the messages */
    size_t taken;
    bool full, oom; /* why unpacking failed: its bound, or the machine's */
} OnnxFile;

bool onnx_open(OnnxFile *f, const char *path, Diag *d);
void onnx_close(OnnxFile *f);

/* ---- values ---------------------------------------------------------------------------------------- */

enum { ONNX_MAX_RANK = ARRAY_MAX_RANK };

/* A constant: float32, or int64 for shapes and axes. */
typedef struct Const {
    int rank;
    int64_t dim[ONNX_MAX_RANK], n;
    const float *f; /* one of the two is NULL, unless n is 0 */
    const int64_t *i;
} Const;

typedef struct Value {
    const char *name;
    const Onnx__TensorProto *tensor; /* an initialiser, decoded when it is used */
    const Const *constant;
    Node *node; /* an activation */
    int uses;   /* node inputs and network outputs that read it … */
    int user;   /* … and the last such node, −1: an output */
} Value;

typedef struct Bound {
    Node *node;
    const float *data;
} Bound;

typedef struct Import {
    Arena *a;
    const char *path;
    const OnnxOptions *o;
    Diag *d;
    const Onnx__GraphProto *from;
    int64_t opset;
    Graph *g;
    Value *slot; /* by name: open addressing */
    size_t n_slot;
    bool *set_used;              /* [o->n_set] */
    bool *done;                  /* [from->n_node]: folded, or part of an earlier node */
    const Onnx__NodeProto *node; /* the current one; NULL: none */
    int index;                   /* its place */
    size_t computed, most;       /* bytes of constants made here, and how many there may be */
    Bound *weight;
    int n_weight, cap_weight;
} Import;

/* "path: node 'conv1' (Conv, opset 7): …"; returns false. */
bool import_fail(Import *im, DiagKind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The name as Lunette allows it: [A-Za-z_][A-Za-z0-9_.]* */
const char *import_name(Arena *a, const char *name);
Value *import_value(Import *im, const char *name); /* made when it is not there yet */
bool value_is_constant(const Value *v);
bool value_is_made(const Value *v);
/* "[1, 3, 8]" */
const char *import_dims(Arena *a, const int64_t *dim, int rank);

/* ---- tensor.c -------------------------------------------------------------------------------------- */

/* Room for n numbers of constants; NULL with a message when the model asks for too much. */
void *const_room(Import *im, size_t size, int64_t n);
const Const *tensor_const(Import *im, const Onnx__TensorProto *t, const char *name);
/* The constant behind a value, decoded; NULL with a message. */
const Const *value_const(Import *im, Value *v);
const Const *const_reshaped(Import *im, const Const *c, const int64_t *dim, int rank);
const Const *const_transposed(Import *im, const Const *c, const int64_t *perm);
/* Whether c, broadcast to `rank` axes from axis `at` (−1: the last ones), differs along axis 1 alone; then its value for each
 * channel, else NULL (without a message, but for memory). */
const float *const_per_channel(Import *im, const Const *c, int rank, int at, int64_t channels);

/* ---- nodes.c: what a node's attributes and inputs are ---------------------------------------------- */

bool onnx_attr_int(Import *im, const char *name, int64_t otherwise, int64_t *out);
bool onnx_attr_float(Import *im, const char *name, float otherwise, float *out);
/* n = −1 when it is not given */
bool onnx_attr_ints(Import *im, const char *name, const int64_t **v, int *n);
bool onnx_attr_is(Import *im, const char *name, const char *otherwise, const char *wanted, bool *is);
const Onnx__AttributeProto *onnx_attr(const Import *im, const char *name);

bool onnx_has_input(const Import *im, int i);
Node *onnx_activation(Import *im, int i);
const Const *onnx_constant(Import *im, int i, const char *what);
/* Integers that are an attribute up to opset `last`, input i after it; n = −1 when they are not given. */
bool onnx_ints(Import *im, const char *name, int last, int i, const int64_t **v, int *n);

/* Sets the first output of the current node. */
bool onnx_result(Import *im, Node *n);
bool onnx_result_of(Import *im, const Onnx__NodeProto *node, Node *n);
/* Makes the op, with a name from the current node; NULL with a message. */
Node *onnx_emit(Import *im, Op op, Node *const *in, int n_in, const AttrAny *attr);
Node *onnx_weight(Import *im, const char *suffix, const char *letters, const int64_t *extent, const float *data);
/* When the only reader of the current node's result is an Add of a constant per channel: that constant, and the
 * Add in *add. NULL otherwise. */
const float *onnx_bias_after(Import *im, int rank, int64_t channels, const Onnx__NodeProto **add);

/* ---- convert.c, window.c: one function an op ------------------------------------------------------- */

typedef struct OnnxOp {
    const char *name;
    bool (*convert)(Import *im);
    const Const *(*fold)(Import *im); /* when all inputs are constants; NULL: never */
    int min_in, max_in;
    const char *attrs; /* those it knows */
} OnnxOp;

const OnnxOp *onnx_op_find(const char *name);

bool convert_conv(Import *im);
bool convert_maxpool(Import *im);
bool convert_avgpool(Import *im);
bool convert_globalavgpool(Import *im);
bool convert_globalmaxpool(Import *im);

#endif
