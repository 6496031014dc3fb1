#include "tests/random_move.h"
#include "tests/random_nest.h"

#include <string.h>

enum { MAX_GROWN = 2000 }; /* of what is made larger */

bool random_moves(Op op) {
    switch ((int)op) {
    case OP_FLATTEN:
    case OP_RESHAPE:
    case OP_SQUEEZE:
    case OP_UNSQUEEZE:
    case OP_TRANSPOSE:
    case OP_SLICE:
    case OP_REVERSE:
    case OP_CONCAT:
    case OP_EXPAND:
    case OP_GATHER:
    case OP_SHAPE:
    case OP_CAST:
    case OP_DEPTHTOSPACE:
    case OP_SPACETODEPTH:
    case OP_CHANNELSHUFFLE:
    case OP_RESIZE:
    case OP_UPSAMPLE: return true;
    default: return false;
    }
}

static int any_axis(const Type *x, uint64_t *seed) { return x->rank ? random_in(seed, -x->rank, x->rank - 1) : 0; }

static int either_way(int axis, int rank, uint64_t *seed) { return random_in(seed, 0, 1) ? axis : axis - rank; }

/* The axes in random order. */
static int shuffled(int rank, uint64_t *seed, int32_t *v) {
    for (int i = 0; i < rank; i++) {
        int k = random_in(seed, 0, i);
        v[i] = v[k];
        v[k] = i;
    }
    return rank;
}

/* Some of them. */
static Ints some_axes(int rank, uint64_t *seed) {
    Ints axes = {0};
    axes.n = shuffled(rank, seed, axes.v);
    axes.n = rank ? random_in(seed, 1, rank) : 0;
    for (int i = 0; i < axes.n; i++) axes.v[i] = either_way(axes.v[i], rank, seed);
    return axes;
}

/* The elements in 1 … 6 factors; now and then as a wild card, or as x has them. */
static Ints random_shape(const Type *x, uint64_t *seed) {
    int64_t left = type_elements(x);
    Ints shape = {.n = random_in(seed, left > 1, 6)};
    for (int i = 0; i < shape.n; i++) {
        int64_t f = i == shape.n - 1 ? left : random_in(seed, 1, 12);
        while (left % f) f--;
        shape.v[i] = (int32_t)f;
        left /= f;
    }
    if (shape.n && random_in(seed, 0, 1)) shape.v[random_in(seed, 0, shape.n - 1)] = -1;
    for (int i = 0; i < shape.n && i < x->rank; i++)
        if (shape.v[i] == x->axis[i].extent && random_in(seed, 0, 1)) shape.v[i] = 0;
    return shape;
}

static void random_squeeze(const Type *x, uint64_t *seed, Ints *axes) {
    *axes = (Ints){0};
    if (random_in(seed, 0, 1)) return;
    for (int i = 0; i < x->rank; i++)
        if (x->axis[i].extent == 1 && random_in(seed, 0, 1)) axes->v[axes->n++] = either_way(i, x->rank, seed);
}

static bool random_unsqueeze(const Type *x, uint64_t *seed, Ints *axes) {
    int more = random_in(seed, 1, 2);
    if (x->rank + more > 6) return false;
    axes->n = shuffled(x->rank + more, seed, axes->v);
    axes->n = more;
    for (int i = 0; i < more; i++) axes->v[i] = either_way(axes->v[i], x->rank + more, seed);
    return true;
}

/* Numbers far beyond the ends too; most leave something. */
static void random_slice(const Type *x, uint64_t *seed, SLICE_attr *s) {
    *s = (SLICE_attr){.axes = some_axes(x->rank, seed)};
    s->start.n = s->stop.n = s->step.n = s->axes.n;
    for (int i = 0; i < s->axes.n; i++) {
        int l = x->axis[s->axes.v[i] < 0 ? s->axes.v[i] + x->rank : s->axes.v[i]].extent;
        bool back = random_in(seed, 0, 2) == 0;
        int32_t low = random_in(seed, -l - 2, l / 2 - l), high = random_in(seed, l / 2 + 1, l + 2);
        s->step.v[i] = (back ? -1 : 1) * random_in(seed, 1, 3);
        s->start.v[i] = back ? high : low;
        s->stop.v[i] = back ? low - l : high;
        if (random_in(seed, 0, 9) == 0) s->stop.v[i] = back ? INT32_MIN : INT32_MAX;
    }
    if (random_in(seed, 0, 3) == 0) s->step.n = 0;
    for (int i = 0; s->step.n == 0 && i < s->axes.n; i++)
        if (s->start.v[i] > 0) s->start.v[i] = 0, s->stop.v[i] = INT32_MAX;
}

static void random_expand(const Type *x, uint64_t *seed, Ints *shape) {
    int rank = x->rank + (x->rank < 5 ? random_in(seed, 0, 1) : 0);
    *shape = (Ints){.n = rank ? random_in(seed, 1, rank) : 1};
    for (int i = 0; i < shape->n; i++) {
        int k = i - shape->n + x->rank;
        int64_t own = k < 0 ? 1 : x->axis[k].extent;
        shape->v[i] = (int32_t)(own == 1                ? random_in(seed, 1, 3)
                                : random_in(seed, 0, 1) ? own
                                : random_in(seed, 0, 1) ? 1
                                                        : -1);
        if (k < 0 && shape->v[i] < 0) shape->v[i] = 1;
    }
}

static bool random_resize(const Type *x, uint64_t *seed, RESIZE_attr *a) {
    a->axes = random_in(seed, 0, 1) && x->rank > 2 ? (Ints){0} : some_axes(x->rank, seed);
    int count = a->axes.n ? a->axes.n : x->rank - 2, given = random_in(seed, 0, 4);
    if (a->axes.n > 3 || count > 3) return false;
    a->sizes = (Ints){.n = given == 0 || given > 2 ? count : 0};
    a->scales = (Floats){.n = given == 0 || given <= 2 ? count : 0};
    a->roi = (Floats){0};
    for (int i = 0; i < count; i++) {
        int k = a->axes.n ? a->axes.v[i] < 0 ? a->axes.v[i] + x->rank : a->axes.v[i] : 2 + i, l = x->axis[k].extent;
        a->sizes.v[i] = random_in(seed, 0, 2) ? random_in(seed, 1, l + 4) : l * random_in(seed, 1, 3);
        a->scales.v[i] = 0.25f * (float)random_in(seed, l == 1 ? 4 : l < 4 ? 2 : 1, 10);
    }
    if (a->coordinates == 5 && random_in(seed, 0, 1)) {
        a->roi.n = 2 * count;
        for (int i = 0; i < count; i++) {
            a->roi.v[i] = 0.25f * (float)random_in(seed, -1, 2);
            a->roi.v[count + i] = a->roi.v[i] + 0.25f * (float)random_in(seed, 2, 5);
        }
    }
    if (x->dtype != DT_F32) a->mode = 0;
    return true;
}

static bool random_blocks(Op op, const Type *x, uint64_t *seed, AttrAny *attr) {
    if (x->rank < 3 || x->rank > 5) return false;
    int b = random_in(seed, 1, 3), tiles = 1;
    for (int i = 2; i < x->rank; i++) tiles *= b;
    if (op == OP_DEPTHTOSPACE) attr->DEPTHTOSPACE.block = x->axis[1].extent % tiles ? 1 : b;
    else attr->SPACETODEPTH.block = b;
    return true;
}

bool random_move(Op op, const Type *x, uint64_t *seed, AttrAny *attr) {
    int64_t elements = type_elements(x), channels = x->rank > 1 ? x->axis[1].extent : 1;
    switch ((int)op) {
    case OP_FLATTEN: attr->FLATTEN.axis = random_in(seed, -x->rank, x->rank); return true;
    case OP_RESHAPE: attr->RESHAPE.shape = random_shape(x, seed); return true;
    case OP_SQUEEZE: random_squeeze(x, seed, &attr->SQUEEZE.axes); return true;
    case OP_UNSQUEEZE: return random_unsqueeze(x, seed, &attr->UNSQUEEZE.axes);
    case OP_TRANSPOSE:
        attr->TRANSPOSE.perm.n = random_in(seed, 0, 4) ? shuffled(x->rank, seed, attr->TRANSPOSE.perm.v) : 0;
        return true;
    case OP_SLICE: random_slice(x, seed, &attr->SLICE); return x->rank > 0;
    case OP_REVERSE: attr->REVERSE.axes = some_axes(x->rank, seed); return true;
    case OP_CONCAT: attr->CONCAT.axis = any_axis(x, seed); return x->rank > 0;
    case OP_EXPAND: random_expand(x, seed, &attr->EXPAND.shape); return elements <= MAX_GROWN / 4;
    case OP_GATHER: attr->GATHER.axis = any_axis(x, seed); return x->rank > 0 && elements <= MAX_GROWN;
    case OP_SHAPE:
        attr->SHAPE.start = x->rank ? any_axis(x, seed) : 0;
        attr->SHAPE.stop = random_in(seed, 0, 1) ? 8 : x->rank;
        return x->rank > 0;
    case OP_CAST: /* truncation needs what is right to the bit: of floats, inputs */
        attr->CAST.to = random_in(seed, 0, x->dtype == DT_F32 ? 0 : 4);
        return true;
    case OP_DEPTHTOSPACE:
    case OP_SPACETODEPTH: return random_blocks(op, x, seed, attr);
    case OP_CHANNELSHUFFLE: {
        int groups = random_in(seed, 1, 4);
        attr->CHANNELSHUFFLE.groups = channels % groups ? (int32_t)channels : groups;
        return x->rank > 1;
    }
    case OP_RESIZE: return elements <= MAX_GROWN && x->rank > 0 && random_resize(x, seed, &attr->RESIZE);
    case OP_UPSAMPLE:
        if (x->dtype != DT_F32) attr->UPSAMPLE.mode = 0;
        return elements <= MAX_GROWN / 4;
    default: return true;
    }
}

/* ---- inputs ---------------------------------------------------------------------------------------- */

static Node *alike_but(Node *const *act, int n_act, const Node *x, int axis, uint64_t *seed) {
    int from = random_in(seed, 0, n_act - 1);
    for (int i = 0; i < n_act; i++) {
        Node *y = act[(from + i) % n_act];
        Type type = y->type;
        if (type.rank != x->type.rank) continue;
        type.axis[axis].extent = x->type.axis[axis].extent;
        if (type_equal(&type, &x->type)) return y;
    }
    return (Node *)x;
}

/* Whole numbers that a network has, or new ones. */
static Node *random_index(Graph *g, Node *const *act, int n_act, uint64_t *seed) {
    for (int tries = 0; tries < 4; tries++) {
        Node *y = act[random_in(seed, 0, n_act - 1)];
        if (y->type.dtype != DT_F32 && y->type.dtype != DT_BOOL && type_elements(&y->type) <= 8) return y;
    }
    Type type;
    int rank = random_in(seed, 0, 2);
    int64_t extent[2] = {random_in(seed, 1, 4), random_in(seed, 1, 3)};
    SrcLoc loc = {"random", 0};
    if (!type_of_rank(&type, random_in(seed, 0, 1) ? DT_I64 : DT_I32, rank, extent, NULL)) return NULL;
    if (random_in(seed, 0, 1)) return graph_weight(g, graph_fresh_name(g, "index"), loc, &type, NULL);
    return graph_input(g, graph_fresh_name(g, "index"), loc, &type, NULL);
}

/* 8x, in whole numbers: exact when x is an input. */
static Node *whole(Graph *g, Node *x) {
    AttrAny eight = {.CONSTANT = {.value = 8}}, to = {.CAST = {.to = DT_I32}};
    SrcLoc loc = {"random", 0};
    Node *in[2] = {x, graph_op(g, OP_CONSTANT, NULL, loc, NULL, 0, &eight, NULL)};
    Node *more = graph_op(g, OP_MUL, NULL, loc, in, 2, NULL, NULL);
    return graph_op(g, OP_CAST, NULL, loc, &more, 1, &to, NULL);
}

int random_move_inputs(Graph *g, Node *const *act, int n_act, Op op, Node *x, uint64_t *seed, AttrAny *attr,
                       Node **in) {
    in[0] = x;
    if (op == OP_CONCAT) {
        int axis = attr->CONCAT.axis < 0 ? attr->CONCAT.axis + x->type.rank : attr->CONCAT.axis,
            n = random_in(seed, 1, 3);
        for (int i = 1; i < n; i++) in[i] = alike_but(act, n_act, x, axis, seed);
        return n;
    }
    if (op == OP_GATHER) {
        in[1] = random_index(g, act, n_act, seed);
        return in[1] ? 2 : 0;
    }
    if (op == OP_CAST && x->op == OP_INPUT && x->type.dtype == DT_F32) {
        in[0] = whole(g, x);
        attr->CAST.to = random_in(seed, 0, 4);
    }
    return random_moves(op) ? 1 : 0;
}
