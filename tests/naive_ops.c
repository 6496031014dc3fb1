#include "tests/naive_ops.h"
#include "runtime/reference.h"
#include "tests/naive_move.h"
#include "tests/naive_norm.h"
#include "tests/naive_pool.h"
#include "tests/naive_windows.h"
#include "tests/random_nest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static double rnd(const Naive *e, double x) { return e->narrow ? (double)(float)x : x; }

static void term(Naive *e, double x) {
    assert_true(e->n < (int)COUNT_OF(e->term));
    e->term[e->n++] = x;
}

static double total(Naive *e) {
    double sum = 0;
    while (e->n) {
        int i = e->narrow ? random_in(&e->seed, 0, e->n - 1) : 0;
        sum = rnd(e, sum + e->term[i]);
        e->term[i] = e->term[--e->n];
    }
    return sum;
}

/* Element (n, c, position) of a plain tensor; `inside` false: the position is in the padding. */
static double at(const RefTensor *t, int64_t n, int64_t c, const int64_t *p, bool *inside) {
    int64_t i = n * t->type.axis[1].extent + c;
    *inside = true;
    for (int k = 2; k < t->type.rank; k++) {
        if (p[k - 2] < 0 || p[k - 2] >= t->type.axis[k].extent) *inside = false;
        i = i * t->type.axis[k].extent + p[k - 2];
    }
    return *inside ? t->v[i] : 0;
}

/* The next tuple below the extents, row-major; false after the last. */
static bool next(int64_t *v, const int64_t *extent, int n) {
    for (int i = n - 1; i >= 0; i--) {
        if (++v[i] < extent[i]) return true;
        v[i] = 0;
    }
    return false;
}

static double naive_dense(Naive *e, const RefTensor *const *in, const int64_t *o) {
    int64_t c = in[0]->type.axis[1].extent;
    for (int64_t i = 0; i < c; i++) term(e, rnd(e, in[0]->v[o[0] * c + i] * in[1]->v[o[1] * c + i]));
    if (in[2]) term(e, in[2]->v[o[1]]);
    return total(e);
}

static double naive_mean(Naive *e, const RefTensor *x, const int64_t *o) {
    int64_t planes = (int64_t)x->type.axis[0].extent * x->type.axis[1].extent, n = type_elements(&x->type) / planes;
    for (int64_t i = 0; i < n; i++) term(e, x->v[(o[0] * x->type.axis[1].extent + o[1]) * n + i]);
    return rnd(e, total(e) / (double)n);
}

/* As a float kernel would: the scale and the shift first. */
static double naive_batchnorm(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o) {
    bool inside;
    double x = at(in[0], o[0], o[1], o + 2, &inside), mean = in[3]->v[o[1]];
    double s = in[1]->v[o[1]] / sqrt(in[4]->v[o[1]] + (double)n->attr.BATCHNORM.eps);
    if (!e->narrow) return (x - mean) * s + in[2]->v[o[1]];
    return rnd(e, rnd(e, x * rnd(e, s)) + rnd(e, in[2]->v[o[1]] - mean * s));
}

static double naive_softmax(Naive *e, const RefTensor *x, const int64_t *o, bool logarithm) {
    bool inside;
    double max = -INFINITY;
    for (int64_t c = 0; c < x->type.axis[1].extent; c++) max = fmax(max, at(x, o[0], c, o + 2, &inside));
    for (int64_t c = 0; c < x->type.axis[1].extent; c++)
        term(e, rnd(e, exp(rnd(e, at(x, o[0], c, o + 2, &inside) - max))));
    double sum = total(e), t = rnd(e, at(x, o[0], o[1], o + 2, &inside) - max);
    return logarithm ? rnd(e, t - rnd(e, log(sum))) : rnd(e, rnd(e, exp(t)) / sum);
}

static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

/* What a pointwise row with attributes must mean. */
static double naive_with_attrs(const Naive *e, const Node *n, double x) {
    const AttrAny *a = &n->attr;
    double alpha;
    switch ((int)n->op) {
    case OP_CLIP: return fmin(fmax(x, (double)a->CLIP.min), (double)a->CLIP.max);
    case OP_LEAKYRELU: return x > 0 ? x : rnd(e, (double)a->LEAKYRELU.alpha * x);
    case OP_THRESHOLDEDRELU: return x > (double)a->THRESHOLDEDRELU.alpha ? x : 0;
    case OP_ELU: return x > 0 ? x : rnd(e, (double)a->ELU.alpha * rnd(e, expm1(x)));
    case OP_SELU: return rnd(e, (double)a->SELU.gamma * (x > 0 ? x : rnd(e, (double)a->SELU.alpha * rnd(e, expm1(x)))));
    case OP_CELU: alpha = (double)a->CELU.alpha; return x > 0 ? x : rnd(e, alpha * rnd(e, expm1(rnd(e, x / alpha))));
    case OP_HARDSIGMOID:
        return fmin(fmax(rnd(e, rnd(e, (double)a->HARDSIGMOID.alpha * x) + (double)a->HARDSIGMOID.beta), 0), 1);
    case OP_SOFTPLUS:
        alpha = rnd(e, (double)a->SOFTPLUS.beta * x);
        return alpha > (double)a->SOFTPLUS.threshold ? x : rnd(e, rnd(e, softplus(alpha)) / (double)a->SOFTPLUS.beta);
    default: return NAN;
    }
}

/* What a pointwise row must mean. A row without a case here fails the test. */
static double naive_pointwise(const Naive *e, const Node *n, double x, double y) {
    const char *name = op_table[n->op].name;
    if (strcmp(name, "add") == 0) return rnd(e, x + y);
    if (strcmp(name, "relu") == 0) return fmax(x, 0);
    if (strcmp(name, "sub") == 0) return rnd(e, x - y);
    if (strcmp(name, "mul") == 0) return rnd(e, x * y);
    if (strcmp(name, "div") == 0) return rnd(e, x / y);
    if (strcmp(name, "slope") == 0) return x > 0 ? x : rnd(e, x * y);
    if (strcmp(name, "pow") == 0) return rnd(e, pow(x, y));
    if (strcmp(name, "min") == 0) return fmin(x, y);
    if (strcmp(name, "max") == 0) return fmax(x, y);
    if (strcmp(name, "identity") == 0) return x;
    if (strcmp(name, "neg") == 0) return -x;
    if (strcmp(name, "abs") == 0) return fabs(x);
    if (strcmp(name, "sqrt") == 0) return rnd(e, sqrt(x));
    if (strcmp(name, "exp") == 0) return rnd(e, exp(x));
    if (strcmp(name, "log") == 0) return rnd(e, log(x));
    if (strcmp(name, "erf") == 0) return rnd(e, 1 - erfc(x));
    if (strcmp(name, "gelu") == 0) return rnd(e, rnd(e, x * 0.5) * rnd(e, erfc(rnd(e, -x * 0.70710678118654752440))));
    if (strcmp(name, "gelutanh") == 0)
        return rnd(e, rnd(e, x * 0.5) *
                          rnd(e, 1 + rnd(e, tanh(rnd(e, (double)0.7978845608f *
                                                            rnd(e, x + rnd(e, (double)0.044715f * x * x * x)))))));
    if (strcmp(name, "silu") == 0) return rnd(e, x / rnd(e, 1 + exp(-x)));
    if (strcmp(name, "hardswish") == 0) return rnd(e, rnd(e, x * fmin(fmax(rnd(e, x + 3), 0), 6)) / 6);
    if (strcmp(name, "mish") == 0) return rnd(e, x * rnd(e, tanh(rnd(e, softplus(x)))));
    if (strcmp(name, "softsign") == 0) return rnd(e, x / rnd(e, 1 + fabs(x)));
    if (op_table[n->op].n_attr) return naive_with_attrs(e, n, x);
    if (strcmp(name, "relu6") == 0) return fmin(fmax(x, 0), 6);
    if (strcmp(name, "tanh") == 0) return rnd(e, tanh(x));
    if (strcmp(name, "sigmoid") == 0) return rnd(e, 0.5 + 0.5 * tanh(0.5 * x));
    fail_msg("tests/naive_ops.c does not know %s", name);
    return NAN;
}

/* Element o of the result in an input that may broadcast: its last axes are the result's last, those of extent 1 repeat. */
static double spread(const RefTensor *x, const int64_t *o, int rank) {
    int64_t at = 0;
    for (int k = 0; k < x->type.rank; k++) {
        int64_t extent = x->type.axis[k].extent;
        at = at * extent + (extent == 1 ? 0 : o[rank - x->type.rank + k]);
    }
    return x->v[at];
}

static double naive(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, int64_t i) {
    int rank = type_plain(&n->type).rank;
    if (op_table[n->op].flags & OPF_POINTWISE)
        return naive_pointwise(e, n, spread(in[0], o, rank), n->n_in > 1 ? spread(in[1], o, rank) : 0);
    double norm;
    if (naive_move(e, n, in, o, i, &norm)) return norm;
    if (naive_windows(e, n, in, o, &norm)) return norm;
    if (naive_norm(e, n, in, o, &norm) || (rank >= 3 && naive_pool(e, n, in, o, &norm))) return norm;
    if (n->op == OP_CONSTANT) return (double)n->attr.CONSTANT.value;
    if (n->op == OP_DENSE) return naive_dense(e, in, o);
    if (n->op == OP_GLOBALAVGPOOL) return naive_mean(e, in[0], o);
    if (n->op == OP_BATCHNORM) return naive_batchnorm(e, n, in, o);
    if (n->op == OP_SOFTMAX || n->op == OP_LOGSOFTMAX) return naive_softmax(e, in[0], o, n->op == OP_LOGSOFTMAX);
    fail_msg("tests/naive_ops.c does not know %s", op_table[n->op].name);
    return NAN;
}

RefTensor *naive_node(Arena *a, Naive *e, const Node *n, RefTensor *const *value) {
    RefTensor *out = ref_tensor_new(a, &n->type, false);
    const RefTensor *in[8] = {NULL};
    int64_t o[MAX_AXES] = {0}, extent[MAX_AXES], i = 0;
    for (int k = 0; k < n->n_in; k++) in[k] = value[n->in[k]->id];
    for (int k = 0; k < out->type.rank; k++) extent[k] = out->type.axis[k].extent;
    do {
        out->v[i] = naive(e, n, in, o, i);
        i++;
    } while (next(o, extent, out->type.rank));
    return out;
}
