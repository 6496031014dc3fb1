/* The bridge from graph to loops: a group (an anchor and the pointwise tail fused to it, and groups whose results nothing else reads)
 * becomes one kernel of plain nests. Ops describe themselves in logical indexes; layouts, halos and the tail are
 * put in here, so that no op knows of them.
 *
 * Channels: a loop over channels is cut into digits where a blocked type needs it, so that block and
 * remainder stay affine (channel = 16*C + c). Names: n batch; O o output channels; C c input (or the
 * only) channels; g groups; d h w output positions; kd kh kw the window. Loops of one iteration are
 * left out, n is always there. The result of a source is scratch t1, t2, …, set by loops h.t1, w.t1, … before it is read: all of
 * it, until a schedule says where (step `compute`). */
#ifndef LUNETTE_IR_LOWER_H
#define LUNETTE_IR_LOWER_H

#include "ir/graph.h"
#include "ir/loop.h"

typedef struct Group {
    Node *anchor;
    Node **tail;
    int n_tail; /* pointwise, each takes the value before it and perhaps others */
    const struct Group *
        *source;  /* groups that have none, in an order in which they can run: this kernel computes what it */
    int n_source; /* … or one behind alone reads */
} Group;

static inline Node *group_result(const Group *g) { return g->n_tail ? g->tail[g->n_tail - 1] : g->anchor; }
/* All nodes, sources first: node i of group_size. */
int group_size(const Group *g);
Node *group_node(const Group *g, int i);
/* "norm + relu > conv1 + relu_1": sources, then the group itself. */
void group_print(Text *t, const Group *g);

typedef struct GroupList {
    Group *v;
    int n, cap;
} GroupList;

typedef struct Lowered {
    Kernel *kernel;
    Node **arg; /* the node behind each parameter; the last one is the group's result */
} Lowered;

/* The plain kernel of a group, verified. False with DIAG_INTERNAL if the layout cannot be lowered. */
bool lower_group(Arena *a, const Group *group, Lowered *out, Diag *d);

/* ---- what the ops' lower functions use ------------------------------------------------------------ */

typedef struct Lower {
    Arena *a;
    Kernel *k;
    const Group *group; /* the one being lowered */
    Node **value;       /* [k->n_buf], what a parameter or scratch holds; NULL of registers */
    int n_value;
    int out;            /* the result's buffer */
    const char *suffix; /* of loop names: ".t1", or "" */
    Stmt *nests;        /* so far */
    Diag *d;            /* a layout that cannot be lowered is noted here */
} Lower;

/* Loops being opened, outermost first. */
typedef struct Nest {
    int n, var[4 * MAX_AXES];
} Nest;

/* Logical subscripts of a tensor, in plain order (n c h w, o c h w). */
typedef struct Index {
    int n;
    Affine v[MAX_AXES];
} Index;

/* Opens a loop and gives its variable; nothing and 0 when extent is 1. */
Affine nest_loop(Lower *l, Nest *nest, const char *name, int64_t extent);
/* The same, kept even when extent is 1. */
Affine nest_loop_always(Lower *l, Nest *nest, const char *name, int64_t extent);
/* Loops over 0 … extent−1 as digits: cuts[i] > 1 are block sizes in units of this loop that must not be
 * crossed; those that reach the extent are ignored. The innermost is called `name`, the outermost `outer`. */
Affine nest_digits(Lower *l, Nest *nest, const char *name, const char *outer, int64_t extent, const int64_t *cuts,
                   int n_cuts);
Stmt *nest_close(Lower *l, const Nest *nest, Stmt *body);
/* The loop name of axis i of a plain type: its letter. */
const char *axis_name(const Lower *l, const Type *t, int i);
/* Names of the spatial loops: "d" "h" "w" for axis i of n. */
const char *spatial_name(int i, int n);
const char *window_name(int i, int n); /* "kd" "kh" "kw" */

/* Blocks of the channels of the result and of all inputs of the tail. */
enum { MAX_CUTS = 24 };
int lower_out_blocks(const Lower *l, int64_t cuts[MAX_CUTS]);

/* x[index] for an input of the anchor (or of the tail). index may step into the halo. */
const Expr *lower_read(Lower *l, const Node *x, const Index *index);
/* The same with indirect subscripts: take[i].index, if there is one, is added to index->v[i]. Axes taken are not blocked. */
const Expr *lower_read_take(Lower *l, const Node *x, const Index *index, const TakeIndex *take);
/* The same for an input that broadcasts to the result: index is the result's, axes count from the last, extents of 1 stay at 0. */
const Expr *lower_read_broadcast(Lower *l, const Node *x, const Index *index);
/* Element `at` of x, of plain memory without a halo, in the order of memory: the kernel sees x as one axis (OPF_DENSE). */
const Expr *lower_read_flat(Lower *l, const Node *x, Affine at);
/* The same of the result, when there is no tail. */
Stmt *lower_write_flat(Lower *l, Affine at, const Expr *value);
/* The result as an accumulator: y[index] op value. */
Stmt *lower_write(Lower *l, const Index *index, StoreOp op, const Expr *value);
const Expr *lower_read_out(Lower *l, const Index *index);
/* The final store: y[index] = tail(value). */
Stmt *lower_finish(Lower *l, const Index *index, const Expr *value);
bool lower_has_tail(const Lower *l);
/* Adds a nest. */
void lower_emit(Lower *l, Stmt *nest);

/* Loops n, channel digits and positions of the result; gives the index. */
void nest_result(Lower *l, Nest *nest, Index *index);

/* The formula of a pointwise op on these values. */
const Expr *pointwise_expr(Lower *l, const Node *n, const Expr *const *in);

#endif
