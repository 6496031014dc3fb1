#include "tests/random_norm.h"
#include "tests/random_nest.h"

#include <math.h>
#include <string.h>

enum { MAX_TOGETHER = 1200 }; /* the naive definitions look at all elements for each result */

/* Elements that are all alike are divided by the root of it: what they are off by must not grow too much. */
#define LEAST_EPS 1e-3f

static bool is_reduce(Op op) { return strncmp(op_table[op].name, "reduce", 6) == 0; }

/* Each axis by chance, some counted from the end. */
static void random_axes(const Type *x, uint64_t *seed, Ints *axes) {
    *axes = (Ints){0};
    if (random_in(seed, 0, 3) == 0) return;
    for (int i = 0; i < x->rank; i++)
        if (random_in(seed, 0, 1)) axes->v[axes->n++] = random_in(seed, 0, 1) ? i : i - x->rank;
}

bool random_norm(Op op, const Type *x, uint64_t *seed, AttrAny *attr) {
    int32_t axis = x->rank ? random_in(seed, -x->rank, x->rank - 1) : 0;
    int64_t channels = x->rank > 1 ? x->axis[1].extent : 1;
    switch ((int)op) {
    case OP_SOFTMAX: attr->SOFTMAX.axis = axis; break;
    case OP_LOGSOFTMAX: attr->LOGSOFTMAX.axis = axis; break;
    case OP_ARGMAX: attr->ARGMAX.axis = axis; break;
    case OP_ARGMIN: attr->ARGMIN.axis = axis; break;
    case OP_LAYERNORM:
        attr->LAYERNORM.axis = axis;
        attr->LAYERNORM.eps = fmaxf(attr->LAYERNORM.eps, LEAST_EPS);
        break;
    case OP_GROUPNORM:
        attr->GROUPNORM.eps = fmaxf(attr->GROUPNORM.eps, LEAST_EPS);
        attr->GROUPNORM.groups = random_in(seed, 1, 4);
        if (channels % attr->GROUPNORM.groups) attr->GROUPNORM.groups = (int32_t)channels;
        break;
    case OP_MVN:
        random_axes(x, seed, &attr->MVN.axes);
        attr->MVN.eps = fmaxf(attr->MVN.eps, 0.05f);
        break;
    case OP_L2NORM:
        random_axes(x, seed, &attr->L2NORM.axes);
        attr->L2NORM.eps = fmaxf(attr->L2NORM.eps, 0.05f);
        break;
    case OP_LRN:
        if (x->rank < 2) return false;
        attr->LRN.k = fmaxf(attr->LRN.k, 0.1f);
        break;
    case OP_MATMUL:
        if (x->rank < 1) return false;
        break;
    case OP_GEMM:
        if (x->rank < 2 || x->rank > 2 + MAX_SPATIAL) return false;
        break;
    case OP_BATCHNORM: attr->BATCHNORM.eps = fmaxf(attr->BATCHNORM.eps, LEAST_EPS); break;
    case OP_CHANNELNORM: attr->CHANNELNORM.eps = fmaxf(attr->CHANNELNORM.eps, LEAST_EPS); break;
    case OP_INSTANCENORM: attr->INSTANCENORM.eps = fmaxf(attr->INSTANCENORM.eps, LEAST_EPS); break;
    case OP_PRELU: break;
    default:
        if (!is_reduce(op)) return true;
        random_axes(x, seed, &attr->REDUCESUM.axes);
    }
    return type_elements(x) <= MAX_TOGETHER;
}

Op random_norm_guard(Op op) {
    if (op == OP_REDUCELOGSUM) return OP_EXP;
    bool grows = is_reduce(op) && op != OP_REDUCEMAX && op != OP_REDUCEMIN && op != OP_REDUCEMEAN;
    return grows || op == OP_MATMUL || op == OP_GEMM || op == OP_LRN ? OP_TANH : OP_COUNT;
}

static Node *matrix(Graph *g, const char *name, const int64_t *extent, int rank) {
    Type type;
    if (!type_of_rank(&type, DT_F32, rank, extent, NULL)) return NULL;
    return graph_weight(g, graph_fresh_name(g, name), (SrcLoc){"random", 0}, &type, NULL);
}

/* The other operand of a matmul: the axes before the matrices as x has them or 1, on either side. */
static int random_matmul(Graph *g, Node *x, uint64_t *seed, MATMUL_attr *a, Node **in) {
    Type t = type_plain(&x->type);
    int rank = random_in(seed, 1, t.rank > 2 ? t.rank : 2);
    int64_t extent[MAX_AXES], other = random_in(seed, 1, 80);
    bool left = random_in(seed, 0, 2) == 0; /* x stands right */
    int row = t.rank == 1 ? 0 : t.rank - 2, column = t.rank - 1;
    bool trans = left ? a->trans_y : a->trans_x;
    int64_t shared = t.axis[(left != trans) && t.rank > 1 ? row : column].extent;
    for (int i = 0; i < rank - 2; i++) extent[i] = random_in(seed, 0, 1) ? t.axis[i + t.rank - rank].extent : 1;
    bool flip = left ? a->trans_x : a->trans_y;
    if (rank == 1) extent[0] = shared;
    else {
        extent[rank - 2] = left != flip ? other : shared;
        extent[rank - 1] = left != flip ? shared : other;
    }
    Node *w = matrix(g, "matrix", extent, rank);
    in[0] = left ? w : x;
    in[1] = left ? x : w;
    return w ? 2 : 0;
}

static int random_gemm(Graph *g, Node *x, uint64_t *seed, GEMM_attr *a, Node **in) {
    if (x->type.rank > 2) x = graph_op(g, OP_FLATTEN, NULL, (SrcLoc){"random", 0}, &x, 1, NULL, NULL);
    Type t = type_plain(&x->type);
    int64_t k = t.axis[a->trans_a ? 0 : 1].extent, rows = t.axis[a->trans_a ? 1 : 0].extent,
            columns = random_in(seed, 1, 80);
    in[0] = x;
    in[1] = matrix(g, "matrix", a->trans_b ? (int64_t[]){columns, k} : (int64_t[]){k, columns}, 2);
    int rank = random_in(seed, 0, 3);
    if (rank == 3 || !in[1]) return in[1] ? 2 : 0;
    int64_t c[2] = {random_in(seed, 0, 1) ? rows : 1, random_in(seed, 0, 1) ? columns : 1};
    in[2] = matrix(g, "side", c + 2 - rank, rank);
    return 3;
}

int random_matrices(Graph *g, Op op, Node *x, uint64_t *seed, AttrAny *attr, Node **in) {
    if (op == OP_MATMUL) return random_matmul(g, x, seed, &attr->MATMUL, in);
    return op == OP_GEMM ? random_gemm(g, x, seed, &attr->GEMM, in) : 0;
}
