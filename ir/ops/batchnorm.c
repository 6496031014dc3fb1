/* batchnorm and what passes make of it: a scale and a shift per channel, in the weights of the
 * convolution before it (scalerows, bnshift as its bias) or in a scaleshift of their own.
 *
 *   y = (x − running_mean) · s + bias,  s = weight / √(running_var + eps)
 *
 * In training mode mean and variance are those of x over batch and positions: that is norm.c's.
 */
#include "ir/lower.h"
#include "ir/ops/norm.h"
#include "ir/ops/ops.h"

#include <assert.h>

#include <math.h>

/* ---- shapes ---------------------------------------------------------------------------------- */

static const char *const batchnorm_vectors[] = {"weight", "bias", "running_mean", "running_var"};

int batchnorm_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    if (!shape_activation(&x, 0, d)) return 0;
    for (int i = 0; i < 4; i++) {
        out[i].suffix = batchnorm_vectors[i];
        if (!type_make(&out[i].type, "c", (int64_t[]){x.axis[1].extent}, d)) return 0;
    }
    return 4;
}

bool batchnorm_shape(Node *n, Diag *d) {
    n->type = shape_in(n, 0);
    if (!shape_activation(&n->type, 0, d)) return false;
    if (n->n_in != 5 && !n->attr.BATCHNORM.training)
        return diag_fail(d, DIAG_SPEC, "running_mean and running_var are needed but in training mode");
    for (int i = 0; i + 1 < n->n_in; i++) {
        if (!shape_vector(n, 1 + i, batchnorm_vectors[i], n->type.axis[1].extent, &n->type, d)) return false;
        if (!n->attr.BATCHNORM.training && !graph_is_constant(n->in[1 + i])) /* fold computes scale and shift before any run */
            return diag_fail(d, DIAG_SPEC, "%s must be a weight, but '%s' is not a constant", batchnorm_vectors[i], n->in[1 + i]->name);
    }
    return true;
}

bool scaleshift_shape(Node *n, Diag *d) {
    n->type = shape_in(n, 0);
    return shape_activation(&n->type, 0, d) && shape_vector(n, 1, "scale", n->type.axis[1].extent, &n->type, d) &&
           shape_vector(n, 2, "shift", n->type.axis[1].extent, &n->type, d);
}

/* Vectors of one length, on constants. */
static bool vectors_shape(Node *n, const char *const *names, Diag *d) {
    Type first = shape_in(n, 0);
    if (!shape_constants(n, d)) return false;
    for (int i = 0; i < n->n_in; i++)
        if (!shape_vector(n, i, names[i], first.axis[0].extent, &first, d)) return false;
    return type_make(&n->type, "c", (int64_t[]){first.axis[0].extent}, d);
}

bool bnscale_shape(Node *n, Diag *d) {
    return vectors_shape(n, (const char *const[]){"weight", "running_var"}, d);
}

bool bnshift_shape(Node *n, Diag *d) {
    return vectors_shape(n, (const char *const[]){"bias", "running_mean", "scale", "before"}, d);
}

bool scalerows_shape(Node *n, Diag *d) {
    n->type = shape_in(n, 0);
    char text[SHAPE_TEXT];
    if (!shape_constants(n, d)) return false;
    if (n->type.rank < 1 || n->type.axis[0].letter != 'o')
        return diag_fail(d, DIAG_SPEC, "weight is %s, but a first axis o is needed", shape_text(text, &n->type));
    return shape_vector(n, 1, "scale", n->type.axis[0].extent, &n->type, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

static const double unit = 0x1p-24; /* of rounding, float32 */

static double err_at(const RefTensor *t, int64_t i) { return t && t->err ? t->err[i] : 0; }

/* Roundings that the shift may meet when this batch norm becomes part of the convolution before it:
 * it is then the bias, at worst the first summand of all. */
static double folded_terms(const Node *n) {
    const Node *before = n->in[0];
    if (before->op != OP_CONV && before->op != OP_CONVTRANSPOSE && before->op != OP_DENSE) return 0;
    const Type *w = &before->in[1]->type;
    if (before->op == OP_CONVTRANSPOSE) /* of each output channel at most all taps of its group's inputs */
        return (double)type_elements(w) / (double)before->attr.CONVTRANSPOSE.out;
    return (double)(type_elements(w) / type_extent(w, 'o'));
}

/* y = x·s + t, t made of parts whose magnitudes add up to t_abs; s and t are rounded once, and so
 * are product and sum, hence γ_3 for each, and for t what else it may meet. */
typedef struct Affine1 {
    double s, t, t_abs, s_err, t_err;
} Affine1;

static void affine_put(const Affine1 *f, double t_gamma, const RefTensor *x, RefTensor *out, int64_t at, int64_t n) {
    double s = fabs(f->s) + f->s_err, gamma = ref_gamma(3);
    for (int64_t i = at; i < at + n; i++) {
        out->v[i] = x->v[i] * f->s + f->t;
        if (!out->err) continue;
        double e = err_at(x, i), size = fabs(x->v[i]) + e;
        out->err[i] = fabs(f->s) * e + f->s_err * size + f->t_err + gamma * s * size + t_gamma * (f->t_abs + f->t_err) + 0x1p-148;
    }
}

/* All but the channels. */
static Norm training_norm(const Node *n) {
    int rank = shape_in(n, 0).rank;
    return (Norm){.axes = ((1u << rank) - 1) & ~2u, .groups = 1, .affine = 2, .eps = n->attr.BATCHNORM.eps};
}

void batchnorm_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    if (n->attr.BATCHNORM.training) {
        Norm norm = training_norm(n);
        norm_eval(a, &norm, in, out);
        return;
    }
    int64_t channels = type_extent(&n->type, 'c'), batch = type_extent(&n->type, 'n');
    int64_t plane = type_elements(&out->type) / (batch * channels);
    double t_gamma = ref_gamma(3 + folded_terms(n));
    for (int64_t i = 0; i < batch * channels; i++) {
        int64_t c = i % channels;
        double s = in[1]->v[c] / sqrt(in[4]->v[c] + (double)n->attr.BATCHNORM.eps), mean = in[3]->v[c];
        Affine1 f = {.s = s, .t = in[2]->v[c] - mean * s, .t_abs = fabs(in[2]->v[c]) + fabs(mean * s)};
        affine_put(&f, t_gamma, in[0], out, i * plane, plane);
    }
}

void scaleshift_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    int64_t channels = type_extent(&n->type, 'c'), batch = type_extent(&n->type, 'n');
    int64_t plane = type_elements(&out->type) / (batch * channels);
    for (int64_t i = 0; i < batch * channels; i++) {
        int64_t c = i % channels;
        Affine1 f = {in[1]->v[c], in[2]->v[c], fabs(in[2]->v[c]), err_at(in[1], c), err_at(in[2], c)};
        affine_put(&f, ref_gamma(3), in[0], out, i * plane, plane);
    }
}

/* The constants below are computed in double and rounded when they are packed: their error is that
 * rounding and what their inputs bring. */

void bnscale_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    for (int64_t i = 0; i < type_elements(&out->type); i++) {
        out->v[i] = in[0]->v[i] / sqrt(in[1]->v[i] + (double)n->attr.BNSCALE.eps);
        if (out->err) out->err[i] = unit * fabs(out->v[i]) + 0x1p-149;
    }
}

void bnshift_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)n;
    for (int64_t i = 0; i < type_elements(&out->type); i++) {
        double centred = (in[3] ? in[3]->v[i] : 0) - in[1]->v[i];
        out->v[i] = in[0]->v[i] + centred * in[2]->v[i];
        if (out->err) out->err[i] = unit * fabs(out->v[i]) + (1 + unit) * fabs(centred) * err_at(in[2], i) + 0x1p-149;
    }
}

void scalerows_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)n;
    int64_t rows = out->type.axis[0].extent, row = type_elements(&out->type) / rows;
    for (int64_t i = 0; i < rows * row; i++) {
        double w = in[0]->v[i];
        out->v[i] = w * in[1]->v[i / row];
        if (out->err) out->err[i] = unit * fabs(out->v[i]) + (1 + unit) * fabs(w) * err_at(in[1], i / row) + 0x1p-149;
    }
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* fold replaced the others. */
void batchnorm_lower(Lower *l, const Node *n) {
    assert(n->attr.BATCHNORM.training);
    Norm norm = training_norm(n);
    norm_lower(l, n, &norm, n->n_in < 3 ? n->n_in : 3);
}

void scaleshift_lower(Lower *l, const Node *n) {
    Nest nest = {0};
    Index at;
    nest_result(l, &nest, &at);
    Index channel = {1, {at.v[1]}};
    const Expr *value = expr_call(l->a, FN_FMA, lower_read(l, n->in[0], &at), lower_read(l, n->in[1], &channel), lower_read(l, n->in[2], &channel), NULL);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &at, value)));
}
