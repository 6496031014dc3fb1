/* The graph level: what the user wrote, then what passes make of it. Nodes are typed when they are
 * made and stand in topological order; each carries the line of the spec that made it.
 *
 * Text form (graph_print.c and graph_parse.c; ir/README.md has the grammar):
 *
 *   graph lenet5 {
 *       image: input() : f32[n1 c1 h28 w28] @ "lenet5.lua":2
 *       conv1.weight: weight() : f32[o6 c1 h5 w5] @ "lenet5.lua":3
 *       conv1: conv(image, conv1.weight, conv1.bias) out=6 kernel=[5 5] pad=[2 2 2 2] : f32[n1 c6 h28 w28] @ "lenet5.lua":3
 *       return output = softmax_1
 *   }
 */
#ifndef LUNETTE_IR_GRAPH_H
#define LUNETTE_IR_GRAPH_H

#include "ir/type.h"

struct Lower; /* ir/lower.h: the one bridge to the loop level */

enum {
    OPF_SOURCE = 1,   /* has no inputs, made by graph_input or graph_weight */
    OPF_CONSTANT = 2, /* its inputs must be constants: it has no lowering */
    OPF_PARAMS = 4,   /* has weights of its own: NAME_params lists them */
    OPF_ANCHOR = 8,   /* lowering can apply a pointwise tail at its final store */
    OPF_INTERNAL = 16,/* made by passes only */
    OPF_POINTWISE = 32,
    OPF_FOLDED = 64,  /* passes replace it: it has no lowering (sources and constants have none either) */
    OPF_PLAIN = 128,  /* its lowering wants channels that are not blocked, in its inputs and its result */
    OPF_EXACT = 256,  /* exact on small integers: it moves or compares values; pointwise ops' formulas tell */
    OPF_DENSE = 512,  /* it reads its first input as plain memory: no blocks, no halo */
};

typedef enum Op {
#define OP(id, ...) OP_##id,
#define POINTWISE(id, ...) OP_##id,
#define ATTR(...)
#define ENUM(...)
#define END(id)
#include "ir/ops.def"
    OP_COUNT
} Op;

/* ---- attributes ---------------------------------------------------------------------------- */

/* In a node n is the number of spatial axes. Before graph_op n may also be 0 (not given) or 1 (the
 * same for all axes); and of Pads −k: k numbers as the user wrote them, lo[0 … 2] then hi[0 … 2],
 * whose meaning (one an axis, or all before and all after) is known once x is. */
typedef struct Dims { int n; int32_t v[MAX_SPATIAL]; } Dims;
/* Numbers, or a rule that gives them once x, kernel and stride are known: pads_resolve (ops/window.c). A node has numbers. */
typedef enum PadRule { PADS_GIVEN, PADS_SAME, PADS_SAME_LOWER, PADS_FULL } PadRule;
typedef struct Pads { int n; int32_t lo[MAX_SPATIAL], hi[MAX_SPATIAL]; PadRule rule; } Pads;
enum { MAX_INTS = 2 * MAX_RANK };
typedef struct Ints { int n; int32_t v[MAX_INTS]; } Ints; /* n = 0: not given */
typedef struct Floats { int n; float v[MAX_INTS]; } Floats;

typedef enum AttrType { ATTR_INT, ATTR_FLOAT, ATTR_BOOL, ATTR_DIMS, ATTR_PADS, ATTR_INTS, ATTR_FLOATS, ATTR_ENUM } AttrType;

#define ATTR_C_INT int32_t
#define ATTR_C_FLOAT float
#define ATTR_C_BOOL int32_t
#define ATTR_C_DIMS Dims
#define ATTR_C_PADS Pads
#define ATTR_C_INTS Ints
#define ATTR_C_FLOATS Floats

/* struct CONV_attr { int32_t out; Dims kernel; … } and so on, from the rows. */
#define OP(id, ...) typedef struct id##_attr { char first_;
#define POINTWISE(id, ...) typedef struct id##_attr { char first_;
#define ATTR(id, type, name, ...) ATTR_C_##type name;
#define ENUM(id, name, ...) int32_t name;
#define END(id) } id##_attr;
#include "ir/ops.def"

typedef union AttrAny {
#define OP(id, ...) id##_attr id;
#define POINTWISE(id, ...) id##_attr id;
#define ATTR(...)
#define ENUM(...)
#define END(id)
#include "ir/ops.def"
} AttrAny;

typedef struct AttrInfo {
    AttrType type;
    const char *name;
    size_t offset;   /* in the op's attribute struct */
    int position;    /* 1, 2 … : place in a list without names; 0: by name only */
    double def, lo, hi;
    const char *doc;
    const char *words; /* ENUM: "zero|reflect|edge"; the value is the place of the word */
} AttrInfo;

/* ---- nodes --------------------------------------------------------------------------------- */

typedef struct SrcLoc { const char *file; int line; } SrcLoc; /* file may be NULL */

typedef struct Node {
    Op op;
    int id;           /* place in Graph.node */
    const char *name; /* unique in the graph */
    SrcLoc loc;
    Type type;        /* of the result; passes may change its layout, not its plain form */
    int n_in;
    struct Node **in;
    AttrAny attr;
    bool constant; /* a weight, a constant, or made of such alone: evaluated once, when weights are packed */
    struct Node *home;    /* set by pass place: this value is a part of that one's memory, NULL if it has its own: … */
    int home_axis;        /* … along this axis of both types, whose outer axes have extent 1, … */
    int64_t home_from;    /* … from here on */
    const char *schedule; /* the user's steps for the kernel this node anchors, NULL if none */
    struct Node *origin;  /* in a copy made by graph_copy: the node of the graph as written whose value
                           * this node has (in plain layout), NULL for values the user did not name */
} Node;

typedef struct GraphOutput { const char *name; Node *node; } GraphOutput;

typedef struct Graph {
    Arena *arena;
    const char *name;
    Node **node;      int n_node, cap_node;
    GraphOutput *out; int n_out, cap_out;
    Node **slot;      int n_slot; /* nodes by name: open addressing, a power of two, at most half full; a pass that
                                   * renames nodes ends with graph_remove_dead, which builds it anew */
} Graph;

Graph *graph_new(Arena *a, const char *name);
bool graph_is_name(const char *s); /* [A-Za-z_][A-Za-z0-9_]*, parts joined by dots */
/* A name that no node has: `wanted` itself, else wanted_2, wanted_3 … */
const char *graph_fresh_name(Graph *g, const char *wanted);
Node *graph_find(const Graph *g, const char *name); /* NULL if there is none */
/* An input of the network or a weight; NULL with DIAG_SPEC when the name is taken or not a name. */
Node *graph_input(Graph *g, const char *name, SrcLoc loc, const Type *type, Diag *d);
Node *graph_weight(Graph *g, const char *name, SrcLoc loc, const Type *type, Diag *d);
/* A node of this op with these inputs, weights among them; `name` NULL: a fresh one after the op, `attr` NULL:
 * defaults. Nothing is added on failure. Checks arity, attribute ranges and shapes and gives the
 * type. NULL with DIAG_SPEC: "net.lua:41: conv: weight has 64 input channels, x has 128 (1 group)". */
Node *graph_op(Graph *g, Op op, const char *name, SrcLoc loc, Node *const *in, int n_in,
               const AttrAny *attr, Diag *d);
/* The same, from the activations alone: makes the weight nodes the op needs first, named
 * NAME.weight, NAME.bias … as PyTorch does. */
Node *graph_op_with_params(Graph *g, Op op, const char *name, SrcLoc loc, Node *const *in, int n_in,
                           const AttrAny *attr, Diag *d);
/* As graph_op, for passes: inserted before `before` in the order (NULL: at the end) with its line, under a fresh
 * name like `name`; asserts instead of messages. A schedule and another layout of the type are set afterwards. */
Node *graph_insert(Graph *g, Node *before, Op op, const char *name, Node *const *in, int n_in, const AttrAny *attr);
bool graph_output(Graph *g, const char *name, Node *node, Diag *d);
/* A copy for the passes to work on; its nodes' `origin` point to g's nodes. */
Graph *graph_copy(Arena *a, const Graph *g);
/* Every use of `from` (outputs too) becomes one of `to`, but for uses by `except` (may be NULL). */
void graph_replace_uses(Graph *g, Node *from, Node *to, const Node *except);
int graph_count_uses(const Graph *g, const Node *node); /* outputs count */
void graph_remove_dead(Graph *g); /* nodes that no output needs (inputs stay); renumbers */
bool graph_is_constant(const Node *n); /* Node.constant */

/* Whether `type` is a layout of the tensor `plain`: known letters, blocks that multiply to the same
 * extents, memory of at most 2^40 elements. */
bool graph_check_layout(const Type *type, const Type *plain, Diag *d);
/* Verifies order, arity, types against `shape` (plain forms equal), names. DIAG_INTERNAL. */
bool graph_verify(const Graph *g, Diag *d);
void graph_print(Text *t, const Graph *g);
const char *graph_text(Arena *a, const Graph *g);
Graph *graph_parse(Lexer *l); /* NULL with DIAG_SPEC */

/* ---- attributes by table ------------------------------------------------------------------- */

/* Defaults of all attributes of an op. DIMS/PADS defaults have n = 0 and are spread by graph_op to the spatial
 * axes of x with AttrInfo.def. */
void attr_defaults(Op op, AttrAny *attr);
/* Sets one attribute from numbers (1 for INT FLOAT BOOL; 1 or n for DIMS; 1, n or 2n for PADS); checks the
 * range and that integers are whole. Message without place: the caller puts it before. */
bool attr_set(Op op, const AttrInfo *info, AttrAny *attr, const double *v, int n, Diag *d);
/* Sets an attribute from a word: one of an ENUM; of PADS "same" "same_lower" "valid" "full", or "total 3" (also one number
 * an axis), of which ⌊p/2⌋ stand before and ⌈p/2⌉ after. */
bool attr_set_text(Op op, const AttrInfo *info, AttrAny *attr, const char *text, Diag *d);
/* Word i of an ENUM, in an arena. */
const char *attr_word(Arena *a, const AttrInfo *info, int i);
/* Spreads DIMS and PADS to the spatial axes of x (NULL: an op without inputs), checks the ranges and that what must
 * be given is. graph_op does it before `shape`. */
bool attr_spread(Op op, AttrAny *attr, const Type *x, Diag *d);
void attr_print(Text *t, Op op, const AttrAny *attr); /* " out=6 kernel=[5 5]": those that differ from the default */

/* The attributes kernel, stride, dilation and pad of an op that has them (dilation: 1s for one that lacks it). */
typedef struct NodeWindow { Dims kernel, stride, dilation; Pads pad; } NodeWindow;
bool node_window(const Node *n, NodeWindow *w); /* false: it has no window */

/* ---- the op table -------------------------------------------------------------------------- */

typedef struct ParamSpec { const char *suffix; Type type; } ParamSpec; /* "weight", f32[o64 c3 h7 w7] */

/* A tensor of the reference: plain layout, in double. err[i] bounds |v[i] − what float32 kernels
 * may compute|; NULL when errors are not asked for. abs-sums etc. are the op's own business. */
typedef struct RefTensor {
    Type type; /* plain */
    double *v;
    double *err;
} RefTensor;

typedef struct OpInfo {
    const char *name, *inputs, *doc;
    int min_in, max_in; /* from `inputs`; max_in is INT_MAX for "x*" */
    unsigned flags;
    const AttrInfo *attr; int n_attr;
    const char *formula; /* pointwise ops */
    /* Sets n->type from the inputs' types and the attributes (DIMS/PADS already spread). */
    bool (*shape)(Node *n, Diag *d);
    /* The weights it needs, from the activation inputs: returns how many, perhaps 0; 0 with `d` on errors. */
    int (*params)(const Node *n, ParamSpec out[4], Diag *d);
    /* What the op means, as plain loops in double; and the error bound when out->err is not NULL
     * (γ_k = k·u/(1 − k·u), u = 2^-24; Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
     * NULL inputs for absent optional ones. Cannot fail; scratch from the arena. */
    void (*eval)(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out);
    /* The plain loop nest: ir/lower.h. NULL for ops that passes replace. */
    void (*lower)(struct Lower *l, const Node *n);
} OpInfo;

extern const OpInfo op_table[OP_COUNT];
int op_find(const char *name); /* −1 if there is none */

static inline double ref_gamma(double k) {
    const double u = 0x1p-24;
    return k * u / (1 - k * u);
}

#endif
