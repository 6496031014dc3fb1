#include "tests/naive_norm.h"
#include "tests/random_nest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static double rnd(const Naive *e, double x) { return e->narrow ? (double)(float)x : x; }

static double total(Naive *e) {
    double sum = 0;
    while (e->n) {
        int i = e->narrow ? random_in(&e->seed, 0, e->n - 1) : 0;
        sum = rnd(e, sum + e->term[i]);
        e->term[i] = e->term[--e->n];
    }
    return sum;
}

/* ---- elements that belong together ------------------------------------------------------------ */

typedef struct Together {
    double v[1 << 14];
    int n;
} Together;

static Together group;

static bool listed(const int32_t *axes, int n, int axis, int rank) {
    for (int i = 0; i < n; i++)
        if (axes[i] == axis || axes[i] + rank == axis) return true;
    return false;
}

static double element(const RefTensor *x, const int64_t *o) {
    int64_t i = 0;
    for (int k = 0; k < x->type.rank; k++) i = i * x->type.axis[k].extent + o[k];
    return x->v[i];
}

/* All elements of x that agree with o in the axes that are not listed; per_group > 0: and whose channels divided by this
 * agree. */
static void gather(const RefTensor *x, const int64_t *o, const int32_t *axes, int n_axes, int64_t per_group) {
    int rank = x->type.rank;
    int64_t first[MAX_AXES], end[MAX_AXES], at[MAX_AXES];
    for (int k = 0; k < rank; k++) {
        bool whole = listed(axes, n_axes, k, rank), grouped = k == 1 && per_group;
        at[k] = first[k] = grouped ? o[1] / per_group * per_group : whole ? 0 : o[k];
        end[k] = grouped ? first[k] + per_group : whole ? x->type.axis[k].extent : o[k] + 1;
    }
    group.n = 0;
    for (int k = rank; k >= 0;) {
        assert_true(group.n < (int)COUNT_OF(group.v));
        group.v[group.n++] = element(x, at);
        for (k = rank - 1; k >= 0 && ++at[k] == end[k]; k--) at[k] = first[k];
    }
}

/* Σ f(v) of what was gathered. */
static double sum_of(Naive *e, double (*f)(const Naive *e, double v, double shift), double shift) {
    for (int i = 0; i < group.n; i++) e->term[e->n++] = f(e, group.v[i], shift);
    return total(e);
}

static double itself(const Naive *e, double v, double shift) { return (void)e, (void)shift, v; }
static double size(const Naive *e, double v, double shift) { return (void)e, (void)shift, fabs(v); }
static double power2(const Naive *e, double v, double shift) { return rnd(e, rnd(e, v - shift) * rnd(e, v - shift)); }
static double power_e(const Naive *e, double v, double shift) { return rnd(e, exp(rnd(e, v - shift))); }

static double largest(void) {
    double m = -INFINITY;
    for (int i = 0; i < group.n; i++) m = fmax(m, group.v[i]);
    return m;
}

static double product(Naive *e) {
    double p = 1;
    while (group.n) {
        int i = e->narrow ? random_in(&e->seed, 0, group.n - 1) : 0;
        p = rnd(e, p * group.v[i]);
        group.v[i] = group.v[--group.n];
    }
    return p;
}

/* ---- reductions ------------------------------------------------------------------------------- */

static double reduce(Naive *e, const char *name) {
    double min = INFINITY, m = largest();
    for (int i = 0; i < group.n; i++) min = fmin(min, group.v[i]);
    if (strcmp(name, "reducesum") == 0) return sum_of(e, itself, 0);
    if (strcmp(name, "reducemean") == 0) return rnd(e, sum_of(e, itself, 0) / group.n);
    if (strcmp(name, "reducemax") == 0) return m;
    if (strcmp(name, "reducemin") == 0) return min;
    if (strcmp(name, "reduceprod") == 0) return product(e);
    if (strcmp(name, "reducel1") == 0) return sum_of(e, size, 0);
    if (strcmp(name, "reducel2") == 0) return rnd(e, sqrt(sum_of(e, power2, 0)));
    if (strcmp(name, "reducesumsquare") == 0) return sum_of(e, power2, 0);
    if (strcmp(name, "reducelogsum") == 0) return rnd(e, log(sum_of(e, itself, 0)));
    if (strcmp(name, "reducelogsumexp") == 0) return rnd(e, m + rnd(e, log(sum_of(e, power_e, m))));
    fail_msg("tests/naive_norm.c does not know %s", name);
    return NAN;
}

/* The axes of x for a result without some of them. */
static void widen(const int64_t *o, int rank, const int32_t *axes, int n_axes, bool keep, int64_t *full) {
    for (int k = 0, from = 0; k < rank; k++) {
        bool gone = listed(axes, n_axes, k, rank);
        full[k] = gone ? 0 : o[from];
        from += !gone || keep;
    }
}

static double naive_reduce(Naive *e, const Node *n, const RefTensor *x, const int64_t *o) {
    const REDUCESUM_attr *a = &n->attr.REDUCESUM;
    int64_t full[MAX_AXES];
    int32_t axes[MAX_AXES];
    int n_axes = a->axes.n ? a->axes.n : x->type.rank;
    for (int i = 0; i < n_axes; i++) axes[i] = a->axes.n ? a->axes.v[i] : i;
    widen(o, x->type.rank, axes, n_axes, a->keep, full);
    gather(x, full, axes, n_axes, 0);
    return reduce(e, op_table[n->op].name);
}

static double naive_arg(const Node *n, const RefTensor *x, const int64_t *o) {
    const ARGMAX_attr *a = &n->attr.ARGMAX;
    int64_t full[MAX_AXES];
    int best = 0;
    widen(o, x->type.rank, &a->axis, 1, a->keep, full);
    gather(x, full, &a->axis, 1, 0);
    for (int i = 1; i < group.n; i++) {
        double d = n->op == OP_ARGMIN ? group.v[best] - group.v[i] : group.v[i] - group.v[best];
        if (d > 0 || (d == 0 && a->last)) best = i;
    }
    return best;
}

static double naive_softmax(Naive *e, const RefTensor *x, const int64_t *o, int32_t axis, bool logarithm) {
    gather(x, o, &axis, 1, 0);
    double m = largest(), sum = sum_of(e, power_e, m), t = rnd(e, element(x, o) - m);
    return logarithm ? rnd(e, t - rnd(e, log(sum))) : rnd(e, rnd(e, exp(t)) / sum);
}

/* ---- norms ------------------------------------------------------------------------------------ */

/* (x − mean) / deviation of what was gathered, dividing where the kernels multiply. */
static double standard(Naive *e, double x, float eps, bool outside) {
    double mean = rnd(e, sum_of(e, itself, 0) / group.n), var = rnd(e, sum_of(e, power2, mean) / group.n);
    double sigma = outside ? rnd(e, rnd(e, sqrt(var)) + (double)eps) : rnd(e, sqrt(rnd(e, var + (double)eps)));
    return rnd(e, rnd(e, x - mean) / sigma);
}

static double affine(Naive *e, double y, const RefTensor *weight, const RefTensor *bias, int64_t at) {
    if (weight) y = rnd(e, y * weight->v[at]);
    return bias ? rnd(e, y + bias->v[at]) : y;
}

static double naive_layernorm(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o) {
    int rank = in[0]->type.rank, first = n->attr.LAYERNORM.axis, n_axes = 0;
    int32_t axes[MAX_AXES];
    int64_t at = 0;
    for (int k = first < 0 ? first + rank : first; k < rank; k++) {
        axes[n_axes++] = k;
        at = at * in[0]->type.axis[k].extent + o[k];
    }
    gather(in[0], o, axes, n_axes, 0);
    return affine(e, standard(e, element(in[0], o), n->attr.LAYERNORM.eps, false), in[1], in[2], at);
}

static double naive_channels(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o) {
    static const int32_t all[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const RefTensor *x = in[0];
    float eps = 0;
    if (n->op == OP_CHANNELNORM) {
        eps = n->attr.CHANNELNORM.eps;
        gather(x, o, all + 1, 1, 0);
    } else if (n->op == OP_INSTANCENORM) {
        eps = n->attr.INSTANCENORM.eps;
        gather(x, o, all + 2, 6, 0);
    } else if (n->op == OP_GROUPNORM) {
        eps = n->attr.GROUPNORM.eps;
        gather(x, o, all + 2, 6, x->type.axis[1].extent / n->attr.GROUPNORM.groups);
    } else {
        eps = n->attr.BATCHNORM.eps;
        gather(x, o, (const int32_t[]){0, 2, 3, 4}, 4, 0);
    }
    return affine(e, standard(e, element(x, o), eps, false), in[1], in[2], o[1]);
}

static double naive_mvn(Naive *e, const Node *n, const RefTensor *x, const int64_t *o) {
    static const int32_t without_channels[] = {0, 2, 3, 4, 5, 6, 7};
    const MVN_attr *a = &n->attr.MVN;
    gather(x, o, a->axes.n ? a->axes.v : without_channels, a->axes.n ? a->axes.n : 7, 0);
    return standard(e, element(x, o), a->eps, true);
}

static double naive_l2norm(Naive *e, const Node *n, const RefTensor *x, const int64_t *o) {
    static const int32_t channels = 1;
    const L2NORM_attr *a = &n->attr.L2NORM;
    gather(x, o, a->axes.n ? a->axes.v : &channels, a->axes.n ? a->axes.n : 1, 0);
    return rnd(e, element(x, o) / fmax(rnd(e, sqrt(sum_of(e, power2, 0))), (double)a->eps));
}

static double naive_lrn(Naive *e, const Node *n, const RefTensor *x, const int64_t *o) {
    const LRN_attr *a = &n->attr.LRN;
    static const int32_t channels = 1;
    gather(x, o, &channels, 1, 0);
    int all = group.n, first = (int)o[1] - (a->size - 1) / 2, kept = 0;
    for (int i = 0; i < all; i++)
        if (i >= first && i < first + a->size) group.v[kept++] = group.v[i];
    group.n = kept;
    double s = rnd(e, rnd(e, (double)a->alpha / a->size) * sum_of(e, power2, 0));
    return rnd(e, element(x, o) / rnd(e, pow(rnd(e, (double)a->k + s), (double)a->beta)));
}

/* ---- products --------------------------------------------------------------------------------- */

/* An element of a matrix among the last two axes, or of a vector; the axes before broadcast. */
static double entry(const RefTensor *x, const int64_t *batch, int n_batch, int64_t row, int64_t column, bool trans) {
    int rank = x->type.rank, own = rank - 2;
    int64_t o[MAX_AXES];
    for (int k = 0; k < own; k++) o[k] = x->type.axis[k].extent == 1 ? 0 : batch[n_batch - own + k];
    if (rank == 1) {
        o[0] = row + column; /* the other one is 0 */
    } else {
        o[rank - 2] = trans ? column : row;
        o[rank - 1] = trans ? row : column;
    }
    return element(x, o);
}

static double dot(Naive *e, const RefTensor *const *in, const int64_t *o, int rank, bool trans_x, bool trans_y) {
    bool row = in[0]->type.rank > 1, column = in[1]->type.rank > 1;
    int n_batch = rank - row - column, last = in[0]->type.rank - 1;
    int64_t i = row ? o[n_batch] : 0, j = column ? o[rank - 1] : 0;
    int64_t terms = in[0]->type.axis[row && trans_x ? last - 1 : last].extent;
    for (int64_t k = 0; k < terms; k++)
        e->term[e->n++] = rnd(e, entry(in[0], o, n_batch, i, k, trans_x) * entry(in[1], o, n_batch, k, j, trans_y));
    return total(e);
}

static double naive_gemm(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o) {
    const GEMM_attr *a = &n->attr.GEMM;
    double y = rnd(e, (double)a->alpha * dot(e, in, o, 2, a->trans_a, a->trans_b));
    if (!in[2]) return y;
    int64_t at[2] = {0, 0};
    int rank = in[2]->type.rank;
    for (int k = 0; k < rank; k++) at[k] = in[2]->type.axis[k].extent == 1 ? 0 : o[2 - rank + k];
    return rnd(e, y + rnd(e, (double)a->beta * element(in[2], at)));
}

static double naive_prelu(Naive *e, const RefTensor *const *in, const int64_t *o) {
    double x = element(in[0], o);
    return x > 0 ? x : rnd(e, x * in[1]->v[type_elements(&in[1]->type) == 1 ? 0 : o[1]]);
}

bool naive_norm(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, double *out) {
    const char *name = op_table[n->op].name;
    int rank = type_plain(&n->type).rank;
    if (strncmp(name, "reduce", 6) == 0) *out = naive_reduce(e, n, in[0], o);
    else if (n->op == OP_ARGMAX || n->op == OP_ARGMIN) *out = naive_arg(n, in[0], o);
    else if (n->op == OP_SOFTMAX) *out = naive_softmax(e, in[0], o, n->attr.SOFTMAX.axis, false);
    else if (n->op == OP_LOGSOFTMAX) *out = naive_softmax(e, in[0], o, n->attr.LOGSOFTMAX.axis, true);
    else if (n->op == OP_LAYERNORM) *out = naive_layernorm(e, n, in, o);
    else if (n->op == OP_CHANNELNORM || n->op == OP_INSTANCENORM || n->op == OP_GROUPNORM ||
             (n->op == OP_BATCHNORM && n->attr.BATCHNORM.training))
        *out = naive_channels(e, n, in, o);
    else if (n->op == OP_MVN) *out = naive_mvn(e, n, in[0], o);
    else if (n->op == OP_L2NORM) *out = naive_l2norm(e, n, in[0], o);
    else if (n->op == OP_LRN) *out = naive_lrn(e, n, in[0], o);
    else if (n->op == OP_PRELU) *out = naive_prelu(e, in, o);
    else if (n->op == OP_MATMUL) *out = dot(e, in, o, rank, n->attr.MATMUL.trans_x, n->attr.MATMUL.trans_y);
    else if (n->op == OP_GEMM) *out = naive_gemm(e, n, in, o);
    else return false;
    return true;
}
