/* Norms, reductions, products. */
#include "frontend/onnx/export_node.h"

#include <string.h>

static int rank_of(const Export *e) { return e->n->in[0]->type.rank; }

/* Which axes a list names, as positive numbers in their order; `none` where it is empty. */
static int axes_of(const Export *e, const Ints *axes, const int32_t *none, int n_none, int32_t out[MAX_INTS]) {
    int rank = rank_of(e), n = 0;
    if (axes->n == 0 && n_none) memcpy(out, none, sizeof *none * (size_t)n_none);
    for (; n < axes->n; n++) out[n] = axes->v[n] < 0 ? axes->v[n] + rank : axes->v[n];
    return axes->n ? n : n_none;
}

static int axes_but(const Export *e, int but, int32_t out[MAX_INTS]) {
    int n = 0;
    for (int i = 0; i < rank_of(e); i++)
        if (i != but) out[n++] = i;
    return n;
}

static const char *filled(Export *e, const char *suffix, int rank, const int64_t *dim, float x) {
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)dim[i];
    float *v = ARENA_ARRAY(e->a, float, n);
    for (size_t i = 0; i < n; i++) v[i] = x;
    return export_floats(e, suffix, dim, rank, v);
}

/* ---- reductions --------------------------------------------------------------------------------------- */

/* The axes of a sum are an input in this opset, those of others an attribute. */
static const char *reduce(Export *e, const char *op, const char *suffix, const char *x, const int32_t *axes, int n,
                          bool keep) {
    int64_t list[MAX_INTS];
    const char *y;
    for (int i = 0; i < n; i++) list[i] = axes[i];
    if (n && strcmp(op, "ReduceSum") == 0) {
        y = EXPORT_NODE(e, op, suffix, x, export_list(e, "axes", list, n));
    } else {
        y = EXPORT_NODE(e, op, suffix, x);
        if (n) export_attr_ints(e, "axes", axes, n);
    }
    export_attr_int(e, "keepdims", keep);
    return y;
}

bool emit_reduce(Export *e) {
    const Ints *axes = export_attr_at(e, "axes");
    const int32_t *keep = export_attr_at(e, "keep");
    int32_t v[MAX_INTS];
    int n = axes_of(e, axes, NULL, 0, v);
    reduce(e, e->row, NULL, e->in[0], v, n, *keep != 0);
    return true;
}

/* ---- norms -------------------------------------------------------------------------------------------- */

/* x by a weight and plus a bias for each channel, as far as they are there; the last node makes the result. */
static void affine(Export *e, const char *x, int weight) {
    const Node *n = e->n;
    if (n->n_in > weight + 1) {
        x = EXPORT_NODE(e, "Mul", "scaled", x, export_by_channel(e, weight));
        EXPORT_NODE(e, "Add", NULL, x, export_by_channel(e, weight + 1));
    } else if (n->n_in > weight) {
        EXPORT_NODE(e, "Mul", NULL, x, export_by_channel(e, weight));
    } else {
        EXPORT_NODE(e, "Identity", NULL, x);
    }
}

/* (x - mean) / √(variance + eps), or / (√variance + eps). */
static const char *normalised(Export *e, const char *suffix, const int32_t *axes, int n, float eps, bool outside) {
    const char *x = e->in[0], *mean = reduce(e, "ReduceMean", "mean", x, axes, n, true);
    const char *centred = EXPORT_NODE(e, "Sub", "centred", x, mean);
    const char *square = EXPORT_NODE(e, "Mul", "square", centred, centred);
    const char *spread = reduce(e, "ReduceMean", "variance", square, axes, n, true),
               *epsilon = export_number(e, "eps", eps);
    if (outside) spread = EXPORT_NODE(e, "Add", "more", EXPORT_NODE(e, "Sqrt", "deviation", spread), epsilon);
    else spread = EXPORT_NODE(e, "Sqrt", "deviation", EXPORT_NODE(e, "Add", "more", spread, epsilon));
    return EXPORT_NODE(e, "Div", suffix, centred, spread);
}

bool emit_batchnorm(Export *e) {
    int32_t axes[MAX_INTS];
    if (e->n->attr.BATCHNORM.training) {
        int n = axes_but(e, 1, axes);
        affine(e, normalised(e, "normalised", axes, n, e->n->attr.BATCHNORM.eps, false), 1);
        return true;
    }
    export_node(e, "BatchNormalization", NULL, e->in, e->n->n_in);
    export_attr_float(e, "epsilon", e->n->attr.BATCHNORM.eps);
    return true;
}

bool emit_instancenorm(Export *e) {
    int64_t channels = e->n->in[0]->type.axis[1].extent;
    const char *weight = e->n->n_in > 1 ? e->in[1] : filled(e, "weight", 1, &channels, 1);
    const char *bias = e->n->n_in > 2 ? e->in[2] : filled(e, "bias", 1, &channels, 0);
    EXPORT_NODE(e, "InstanceNormalization", NULL, e->in[0], weight, bias);
    export_attr_float(e, "epsilon", e->n->attr.INSTANCENORM.eps);
    return true;
}

/* As an instance norm of [n, groups, all the rest]: opset 17 has no node for it. */
bool emit_groupnorm(Export *e) {
    const Type *x = &e->n->in[0]->type;
    int64_t groups = e->n->attr.GROUPNORM.groups, dim[MAX_AXES];
    int64_t grouped[3] = {x->axis[0].extent, groups, export_product(x, 1) / groups};
    for (int i = 0; i < x->rank; i++) dim[i] = x->axis[i].extent;
    const char *y = export_reshape(e, "grouped", e->in[0], grouped, 3);
    y = EXPORT_NODE(e, "InstanceNormalization", "normalised", y, filled(e, "ones", 1, &groups, 1),
                    filled(e, "zeros", 1, &groups, 0));
    export_attr_float(e, "epsilon", e->n->attr.GROUPNORM.eps);
    affine(e, export_reshape(e, "shaped", y, dim, x->rank), 1);
    return true;
}

bool emit_layernorm(Export *e) {
    const Type *x = &e->n->in[0]->type;
    int axis = e->n->attr.LAYERNORM.axis < 0 ? e->n->attr.LAYERNORM.axis + x->rank : e->n->attr.LAYERNORM.axis;
    int64_t dim[MAX_AXES];
    for (int i = axis; i < x->rank; i++) dim[i - axis] = x->axis[i].extent;
    const char *weight = e->n->n_in > 1 ? e->in[1] : filled(e, "weight", x->rank - axis, dim, 1);
    if (e->n->n_in > 2) EXPORT_NODE(e, "LayerNormalization", NULL, e->in[0], weight, e->in[2]);
    else EXPORT_NODE(e, "LayerNormalization", NULL, e->in[0], weight);
    export_attr_int(e, "axis", axis);
    export_attr_float(e, "epsilon", e->n->attr.LAYERNORM.eps);
    return true;
}

bool emit_channelnorm(Export *e) {
    affine(e, normalised(e, "normalised", (int32_t[]){1}, 1, e->n->attr.CHANNELNORM.eps, false), 1);
    return true;
}

bool emit_mvn(Export *e) {
    const MVN_attr *m = &e->n->attr.MVN;
    int32_t none[MAX_INTS], axes[MAX_INTS];
    int n = axes_of(e, &m->axes, none, axes_but(e, 1, none), axes);
    if (m->eps != 1e-9f) {
        normalised(e, NULL, axes, n, m->eps, true);
        return true;
    }
    EXPORT_NODE(e, "MeanVarianceNormalization", NULL, e->in[0]);
    export_attr_ints(e, "axes", axes, n);
    return true;
}

bool emit_l2norm(Export *e) {
    const L2NORM_attr *l = &e->n->attr.L2NORM;
    int32_t axes[MAX_INTS];
    int n = axes_of(e, &l->axes, (int32_t[]){1}, 1, axes);
    const char *length = reduce(e, "ReduceL2", "length", e->in[0], axes, n, true);
    if (l->eps > 0) length = EXPORT_NODE(e, "Max", "least", length, export_number(e, "eps", l->eps));
    EXPORT_NODE(e, "Div", NULL, e->in[0], length);
    return true;
}

/* ---- products, slopes --------------------------------------------------------------------------------- */

static const char *transposed(Export *e, int i, const char *suffix, bool wanted) {
    int32_t perm[MAX_AXES];
    int rank = e->n->in[i]->type.rank;
    if (!wanted || rank < 2) return e->in[i];
    for (int k = 0; k < rank; k++) perm[k] = k;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    const char *y = EXPORT_NODE(e, "Transpose", suffix, e->in[i]);
    export_attr_ints(e, "perm", perm, rank);
    return y;
}

bool emit_matmul(Export *e) {
    const char *x = transposed(e, 0, "x", e->n->attr.MATMUL.trans_x);
    EXPORT_NODE(e, "MatMul", NULL, x, transposed(e, 1, "y", e->n->attr.MATMUL.trans_y));
    return true;
}

bool emit_prelu(Export *e) {
    EXPORT_NODE(e, "PRelu", NULL, e->in[0], export_by_channel(e, 1));
    return true;
}

/* A PRelu's slope broadcasts to x, not x to the slope. */
bool emit_slope(Export *e) {
    const Node *n = e->n;
    bool fits = n->type.rank == n->in[0]->type.rank;
    for (int i = 0; i < n->type.rank && fits; i++) fits = n->type.axis[i].extent == n->in[0]->type.axis[i].extent;
    if (!fits) return export_formula(e, e->in);
    EXPORT_NODE(e, "PRelu", NULL, e->in[0], e->in[1]);
    return true;
}
