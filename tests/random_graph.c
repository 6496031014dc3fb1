#include "tests/random_graph.h"
#include "tests/random_move.h"
#include "tests/random_nest.h"
#include "tests/random_norm.h"
#include "tests/random_windows.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { MAX_ELEMENTS = 8000 }; /* of what a layer may take */

typedef struct Maker {
    Arena *a;
    uint64_t *seed;
    Graph *g;
    Node **act;
    int n_act, cap_act; /* activations, oldest first */
} Maker;

static int pick(Maker *m, int lo, int hi) { return random_in(m->seed, lo, hi); }

static int pick_of(Maker *m, const int *v, size_t n) { return v[random_next(m->seed) % n]; }
#define PICK_OF(m, ...) pick_of(m, (const int[]){__VA_ARGS__}, COUNT_OF(((const int[]){__VA_ARGS__})))

static int min_int(int a, int b) { return a < b ? a : b; }

/* ---- attributes ------------------------------------------------------------------------------ */

static double pick_number(Maker *m, const AttrInfo *info, int spatial) {
    int lo = (int)info->lo;
    switch (info->type) {
    case ATTR_BOOL: return pick(m, 0, 1);
    case ATTR_INT: return pick(m, lo, (int)fmin(info->hi, lo + 12));
    case ATTR_FLOAT: {
        double from = fmax(info->lo, -2), to = fmin(info->hi, 2);
        return from + (to - from) * 0.5 * (1 + (double)random_float(m->seed));
    }
    case ATTR_DIMS: return pick(m, lo, (int)fmin(info->hi, lo ? lo + (spatial == 3 ? 1 : 3) : 3));
    case ATTR_PADS: return pick(m, 0, 2);
    case ATTR_ENUM: return pick(m, 0, (int)info->hi);
    case ATTR_FLOATS: return 0.25 * pick(m, 2, 10);
    case ATTR_INTS: return pick(m, (int)fmax(info->lo, -3), (int)fmin(info->hi, 4));
    }
    return 0;
}

/* As many numbers as the attribute may have; 0: leave it out. */
static int pick_count(Maker *m, const AttrInfo *info, int spatial) {
    bool wanted = info->def < info->lo;
    if (!wanted && pick(m, 0, 1)) return 0;
    switch (info->type) {
    case ATTR_INT:
    case ATTR_FLOAT:
    case ATTR_ENUM:
    case ATTR_BOOL: return 1;
    case ATTR_FLOATS:
    case ATTR_INTS: return pick(m, 1, spatial + 2);
    case ATTR_DIMS: return pick(m, 0, 1) ? spatial : 1;
    case ATTR_PADS: return PICK_OF(m, 1, spatial, 2 * spatial);
    }
    return 0;
}

static void random_attrs(Maker *m, Op op, int spatial, AttrAny *attr) {
    attr_defaults(op, attr);
    for (int i = 0; i < op_table[op].n_attr; i++) {
        const AttrInfo *info = &op_table[op].attr[i];
        double v[MAX_INTS];
        int n = pick_count(m, info, spatial);
        for (int k = 0; k < n; k++) v[k] = pick_number(m, info, spatial);
        if (n) attr_set(op, info, attr, v, n, NULL);
    }
}

/* Channels and groups that divide each other; now and then an output of x's own shape, for residuals. */
static void random_conv(Maker *m, const Type *x, CONV_attr *c) {
    int channels = x->axis[1].extent, spatial = x->rank - 2;
    c->groups = PICK_OF(m, 1, 1, 1, 2, 3, 4, channels);
    if (channels % c->groups) c->groups = 1;
    c->out = c->groups * pick(m, 1, min_int(4, 1 + 32 / c->groups));
    if (c->groups == 1) c->out = PICK_OF(m, 1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 24, 32);
    if (pick(m, 0, 2)) return;
    c->out = channels;
    c->stride = (Dims){0};
    c->dilation = (Dims){.n = 1, .v = {pick(m, 1, 2)}};
    c->kernel = (Dims){.n = spatial};
    c->pad = (Pads){.n = spatial};
    for (int i = 0; i < spatial; i++) {
        c->kernel.v[i] = PICK_OF(m, 1, 3, 3);
        c->pad.lo[i] = c->pad.hi[i] = c->dilation.v[0] * (c->kernel.v[i] - 1) / 2;
    }
}

/* A dilated window may stand with all its taps in the padding, if they step over the whole input. */
static void tame_dilation(const Type *x, Dims *dilation) {
    for (int i = 2; i < x->rank; i++)
        for (int k = 0; k < dilation->n; k++)
            if (x->axis[i].extent < dilation->v[k]) *dilation = (Dims){0};
}

static void random_pool(Op op, const Type *x, AttrAny *attr) {
    if (op == OP_MAXPOOL) tame_dilation(x, &attr->MAXPOOL.dilation);
    if (op == OP_AVGPOOL) tame_dilation(x, &attr->AVGPOOL.dilation);
    if (op == OP_MAXPOOLINDEX) tame_dilation(x, &attr->MAXPOOLINDEX.dilation);
}

/* ---- layers ---------------------------------------------------------------------------------- */

static Node *pick_x(Maker *m) {
    for (int tries = 0; tries < 20; tries++) {
        Node *x = m->act[pick(m, 0, 2) ? m->n_act - 1 : pick(m, 0, m->n_act - 1)];
        if (type_elements(&x->type) <= MAX_ELEMENTS && x->type.dtype == DT_F32) return x;
    }
    return m->act[0];
}

/* Of any element type: what is only moved. */
static Node *pick_any(Maker *m) {
    Node *x = m->act[pick(m, 0, 1) ? m->n_act - 1 : pick(m, 0, m->n_act - 1)];
    return type_elements(&x->type) <= MAX_ELEMENTS ? x : m->act[0];
}

static Op pick_op(Maker *m, int spatial) {
    for (;;) {
        Op op = (Op)pick(m, 0, OP_COUNT - 1);
        if (spatial && pick(m, 0, 3) == 0) op = OP_CONV;
        if (op_table[op].flags & OPF_POINTWISE && pick(m, 0, 2)) continue; /* most rows are */
        if (!(op_table[op].flags & (OPF_SOURCE | OPF_INTERNAL)) && op_table[op].max_in > 0) return op;
    }
}

/* Another activation that may stand beside x: of the same shape, or for concat all but the channels. */
static Node *pick_beside(Maker *m, const Node *x, bool any_channels) {
    int from = pick(m, 0, m->n_act - 1);
    for (int i = 0; i < m->n_act; i++) {
        Node *y = m->act[(from + i) % m->n_act];
        Type type = y->type;
        if (any_channels) type.axis[1].extent = x->type.axis[1].extent;
        if (type_equal(&type, &x->type)) return y;
    }
    return (Node *)x;
}

/* A number, or a weight with some of x's last axes, each whole or 1. */
static Node *pick_broadcast(Maker *m, const Node *x) {
    SrcLoc loc = {"random", m->n_act};
    AttrAny attr = {.CONSTANT = {.value = 0.5f * (float)pick(m, 1, 5)}};
    if (pick(m, 0, 2) == 0) return graph_op(m->g, OP_CONSTANT, NULL, loc, NULL, 0, &attr, NULL);
    Type plain = type_plain(&x->type), type;
    int rank = pick(m, 0, plain.rank);
    int64_t extent[MAX_AXES];
    for (int i = 0; i < rank; i++) extent[i] = pick(m, 0, 1) ? plain.axis[plain.rank - rank + i].extent : 1;
    if (!type_of_rank(&type, DT_F32, rank, extent, NULL)) return (Node *)x;
    return graph_weight(m->g, graph_fresh_name(m->g, "side"), loc, &type, NULL);
}

static int pick_inputs(Maker *m, Op op, Node *x, Node *in[4]) {
    const OpInfo *o = &op_table[op];
    int n = o->flags & OPF_PARAMS ? 1 : o->max_in == INT_MAX ? pick(m, 1, 3) : pick(m, o->min_in, o->max_in);
    in[0] = x;
    for (int i = 1; i < n; i++) in[i] = pick_beside(m, x, o->max_in == INT_MAX);
    if (n == 2 && o->flags & OPF_POINTWISE && pick(m, 0, 2) == 0) in[1] = pick_broadcast(m, x);
    if (n == 2 && pick(m, 0, 1)) {
        in[0] = in[1];
        in[1] = x;
    }
    return n;
}

/* x pooled, and where its maxima stand; or x and such indexes of another pool with as many windows. */
static bool unpool_inputs(Maker *m, Node *x, AttrAny *attr, Node *in[4]) {
    MAXUNPOOL_attr *u = &attr->MAXUNPOOL;
    AttrAny pool, where;
    SrcLoc loc = {"random", m->n_act};
    attr_defaults(OP_MAXPOOL, &pool);
    attr_defaults(OP_MAXPOOLINDEX, &where);
    u->pad = (Pads){0};
    pool.MAXPOOL.kernel = where.MAXPOOLINDEX.kernel = u->kernel;
    pool.MAXPOOL.stride = where.MAXPOOLINDEX.stride = u->stride;
    where.MAXPOOLINDEX.count = u->count;
    in[0] = graph_op(m->g, OP_MAXPOOL, NULL, loc, &x, 1, &pool, NULL);
    in[1] = in[0] ? graph_op(m->g, OP_MAXPOOLINDEX, NULL, loc, &x, 1, &where, NULL) : NULL;
    u->out = (Dims){.n = x->type.rank - 2};
    for (int i = 0; i < u->out.n; i++) u->out.v[i] = x->type.axis[2 + i].extent;
    return in[1] != NULL;
}

static Node *one(Maker *m, Op op, Node *x, const AttrAny *attr) {
    return graph_op(m->g, op, NULL, (SrcLoc){"random", m->n_act}, &x, 1, attr, NULL);
}

/* Keeps arguments in the domain of the op and results from growing without end, as networks do. */
static void guard_inputs(Maker *m, Op op, Node **in) {
    AttrAny range = {.CLIP = {.min = 0.25f, .max = 4}};
    if (op == OP_LOG || op == OP_SQRT) in[0] = one(m, OP_CLIP, in[0], &range);
    if (op == OP_DIV) in[1] = one(m, OP_CLIP, in[1], &range);
    if (op == OP_POW) in[0] = one(m, OP_CLIP, in[0], &range), in[1] = one(m, OP_TANH, in[1], NULL);
    if (op == OP_EXP) in[0] = one(m, OP_TANH, in[0], NULL);
    Op first = random_norm_guard(op);
    if (first == OP_EXP) in[0] = one(m, OP_TANH, in[0], NULL);
    if (first != OP_COUNT) in[0] = one(m, first, in[0], NULL);
    if (op == OP_MUL) in[1] = one(m, OP_SIGMOID, in[1], NULL);
}

/* Attributes that do not fit are met by trying again. */
static bool add_layer(Maker *m, Diag *d) {
    for (int tries = 0; tries < 100; tries++) {
        Node *x = pick_x(m), *in[4];
        int spatial = x->type.rank > 2 && x->type.rank <= 2 + MAX_SPATIAL ? x->type.rank - 2 : 0;
        Op op = pick_op(m, spatial);
        if (random_moves(op)) x = pick_any(m);
        AttrAny attr;
        random_attrs(m, op, spatial, &attr);
        if (op == OP_CONV && spatial) random_conv(m, &x->type, &attr.CONV);
        random_pool(op, &x->type, &attr);
        random_windows(op, &x->type, m->seed, &attr);
        if (!random_norm(op, &x->type, m->seed, &attr) || !random_move(op, &x->type, m->seed, &attr)) continue;
        int n_in = random_matrices(m->g, op, x, m->seed, &attr, in);
        if (n_in == 0) n_in = random_move_inputs(m->g, m->act, m->n_act, op, x, m->seed, &attr, in);
        if (n_in == 0) n_in = pick_inputs(m, op, x, in);
        if (op == OP_MAXUNPOOL && (spatial < 1 || spatial > MAX_SPATIAL || !unpool_inputs(m, x, &attr, in))) continue;
        guard_inputs(m, op, in);
        Node *n = graph_op_with_params(m->g, op, NULL, (SrcLoc){"random", m->n_act}, in, n_in, &attr, NULL);
        if (!n) continue;
        ARENA_PUSH(m->a, m->act, m->n_act, m->cap_act, n);
        return true;
    }
    return diag_fail(d, DIAG_INTERNAL, "random_graph: no layer fits");
}

static bool add_inputs(Maker *m, Diag *d) {
    static const char *const letters[] = {"ncw", "nchw", "ncdhw"};
    static const int largest[] = {40, 11, 6};
    int spatial = PICK_OF(m, 1, 2, 2, 2, 3);
    int64_t extent[5] = {pick(m, 1, 2), PICK_OF(m, 1, 2, 3, 4, 6, 8, 13, 16, 24)};
    for (int i = 0; i < spatial; i++) extent[2 + i] = pick(m, spatial == 3 ? 2 : 3, largest[spatial - 1]);
    Type type;
    if (!type_make(&type, letters[spatial - 1], extent, d)) return false;
    for (int i = 0; i < 1 + (pick(m, 0, 4) == 0); i++) {
        Node *x = graph_input(m->g, i ? "other" : "x", (SrcLoc){"random", 0}, &type, d);
        if (!x) return false;
        ARENA_PUSH(m->a, m->act, m->n_act, m->cap_act, x);
    }
    return true;
}

Graph *random_graph(Arena *a, uint64_t *seed, Diag *d) {
    Maker m = {.a = a, .seed = seed, .g = graph_new(a, "random")};
    if (!add_inputs(&m, d)) return NULL;
    for (int layers = pick(&m, 3, 10); layers > 0; layers--)
        if (!add_layer(&m, d)) return NULL;
    for (int i = 0; i < m.n_act; i++)
        if (m.act[i]->op != OP_INPUT && graph_count_uses(m.g, m.act[i]) == 0 &&
            !graph_output(m.g, m.act[i]->name, m.act[i], d))
            return NULL;
    return m.g;
}

static Node *add_cheap(Maker *m, Node *x) {
    Op op = (Op)PICK_OF(m, OP_RELU, OP_TANH, OP_BATCHNORM, OP_BATCHNORM, OP_PRELU, OP_SILU, OP_MUL);
    AttrAny attr;
    attr_defaults(op, &attr);
    Node *in[2] = {x, op == OP_MUL ? pick_broadcast(m, x) : NULL};
    Node *n = graph_op_with_params(m->g, op, NULL, (SrcLoc){"random", m->n_act}, in, 1 + (in[1] != NULL), &attr, NULL);
    return n ? n : x;
}

static Node *add_conv(Maker *m, Node *x) {
    for (int tries = 0; tries < 100; tries++) {
        AttrAny attr;
        random_attrs(m, OP_CONV, 2, &attr);
        random_conv(m, &x->type, &attr.CONV);
        if (pick(m, 0, 1)) { /* Winograd's algorithm where it can be */
            attr.CONV.algorithm = 3;
            attr.CONV.groups = 1;
            attr.CONV.stride = attr.CONV.dilation = (Dims){0};
            attr.CONV.flip = 0;
            attr.CONV.kernel = (Dims){2, {PICK_OF(m, 1, 3, 3, 5), PICK_OF(m, 1, 3, 3, 5)}};
        }
        Node *n = graph_op_with_params(m->g, OP_CONV, NULL, (SrcLoc){"random", m->n_act}, &x, 1, &attr, NULL);
        if (n) return n;
    }
    return x;
}

Graph *random_chain(Arena *a, uint64_t *seed, Diag *d) {
    Maker m = {.a = a, .seed = seed, .g = graph_new(a, "chain")};
    int64_t extent[4] = {pick(&m, 1, 2), PICK_OF(&m, 1, 3, 4, 8, 16, 24, 40), PICK_OF(&m, 10, 12, 16, 20, 24, 28, 30),
                         pick(&m, 1, 20)};
    Type type;
    Node *x = type_make(&type, "nchw", extent, d) ? graph_input(m.g, "x", (SrcLoc){"random", 0}, &type, d) : NULL;
    if (!x) return NULL;
    for (int layers = pick(&m, 1, 3); layers > 0; layers--) {
        for (int cheap = pick(&m, 1, 3); cheap > 0; cheap--) x = add_cheap(&m, x);
        x = add_conv(&m, x);
        if (type_elements(&x->type) > MAX_ELEMENTS) break;
    }
    if (pick(&m, 0, 1)) x = add_cheap(&m, x);
    return x->op != OP_INPUT && graph_output(m.g, "y", x, d) ? m.g : NULL;
}

/* Small whole numbers, negative ones too where there are any. */
static void *random_integers(Arena *a, const Type *type, uint64_t *seed) {
    void *v = arena_alloc(a, type_bytes(type));
    for (int64_t i = 0; i < type_elements(type); i++) {
        int x = random_in(seed, -7, 9);
        switch (type->dtype) {
        case DT_F32: ((float *)v)[i] = (float)x; break;
        case DT_I64: ((int64_t *)v)[i] = x; break;
        case DT_I32: ((int32_t *)v)[i] = x; break;
        case DT_U8: ((uint8_t *)v)[i] = (uint8_t)(x & 15); break;
        case DT_BOOL: ((uint8_t *)v)[i] = x > 0; break;
        }
    }
    return v;
}

float *random_tensor(Arena *a, const Node *n, uint64_t *seed) {
    if (n->type.dtype != DT_F32) return random_integers(a, &n->type, seed);
    int64_t elements = type_elements(&n->type);
    float *v = ARENA_ARRAY(a, float, elements);
    const char *suffix = strrchr(n->name, '.');
    bool is_var = suffix && strcmp(suffix, ".running_var") == 0;
    bool is_kernel = n->op == OP_WEIGHT && n->type.rank > 1;
    float scale = is_kernel ? 1.7f / sqrtf((float)(elements / n->type.axis[0].extent)) : 1;
    for (int64_t i = 0; i < elements; i++) v[i] = is_var ? 1 + 0.5f * random_float(seed) : scale * random_float(seed);
    return v;
}
