/* prelu: x where x > 0, else the channel's weight times x. */
#include "ir/lower.h"
#include "ir/ops/approx.h"
#include "ir/ops/ops.h"

int prelu_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    if (!shape_activation(&x, 0, d)) return 0;
    out[0].suffix = "weight";
    return type_make(&out[0].type, "c", (int64_t[]){n->attr.PRELU.shared ? 1 : x.axis[1].extent}, d) ? 1 : 0;
}

bool prelu_shape(Node *n, Diag *d) {
    Type weight = shape_in(n, 1);
    n->type = shape_in(n, 0);
    if (!shape_activation(&n->type, 0, d)) return false;
    n->attr.PRELU.shared = weight.rank == 1 && weight.axis[0].extent == 1; /* the weight says it */
    return n->attr.PRELU.shared || shape_vector(n, 1, "weight", n->type.axis[1].extent, &n->type, d);
}

/* Where x̂ may have either sign, it may be x̂ or slope·x̂. */
static Approx prelu_value(Approx x, Approx slope) {
    Approx below = approx_mul(slope, x);
    double v = x.v > 0 ? x.v : below.v;
    if (x.v - x.e > 0) return x;
    if (x.v + x.e <= 0) return below;
    return approx(v, fmax(x.e + fabs(v - x.v), below.e + fabs(v - below.v)));
}

void prelu_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    int64_t batch = type_extent(&n->type, 'n'), channels = type_extent(&n->type, 'c');
    int64_t plane = type_elements(&out->type) / (batch * channels);
    for (int64_t i = 0; i < type_elements(&out->type); i++) {
        int64_t c = n->attr.PRELU.shared ? 0 : i / plane % channels;
        approx_put(out, i, prelu_value(approx_at(in[0], i), approx_at(in[1], c)));
    }
}

void prelu_lower(Lower *l, const Node *n) {
    Nest nest = {0};
    Index at;
    nest_result(l, &nest, &at);
    Index channel = {1, {n->attr.PRELU.shared ? affine_const(0) : at.v[1]}};
    const Expr *x = lower_read(l, n->in[0], &at);
    const Expr *below = expr_call(l->a, FN_MUL, lower_read(l, n->in[1], &channel), x, NULL, NULL);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &at, expr_call(l->a, FN_LT, expr_const(l->a, 0), x, x, below))));
}
