/* Matrix products. One with a constant matrix on the right is a dense layer. */
#include "frontend/onnx/import.h"

/* x · m as a dense layer: x is [n c], m a constant [c o], or [o c] when it is given so. */
static bool can_be_dense(Import *im, const Node *x, int i) {
    Value *v = import_value(im, im->node->input[i]);
    return x->type.rank == 2 && x->type.dtype == DT_F32 && !x->constant && value_is_constant(v);
}

/* The matrix as [out in]; NULL: it does not fit, or is empty. */
static const Const *dense_matrix(Import *im, const Node *x, const Const *m, bool transposed) {
    if (!m->f || m->rank != 2 || m->dim[transposed] != x->type.axis[1].extent || m->dim[!transposed] < 1 ||
        m->dim[!transposed] > 1 << 24) {
        import_fail(im, DIAG_SPEC, "%s and %s do not fit", node_shape(im, x), import_dims(im->a, m->dim, m->rank));
        return NULL;
    }
    return transposed ? m : const_transposed(im, m, (int64_t[]){1, 0});
}

static bool emit_dense(Import *im, Node *x, const Const *m, const float *bias, const Onnx__NodeProto *last) {
    Node *in[3] = {x, onnx_weight(im, "weight", "oc", m->dim, m->f)};
    if (!in[1]) return false;
    if (bias) {
        in[2] = onnx_weight(im, "bias", "o", m->dim, bias);
        if (!in[2]) return false;
    }
    AttrAny attr = {.DENSE = {.out = (int32_t)m->dim[0], .bias = bias != NULL}};
    return onnx_result_of(im, last, onnx_emit(im, OP_DENSE, in, bias ? 3 : 2, &attr));
}

bool convert_matmul(Import *im) {
    Node *x = onnx_activation(im, 0);
    if (!x) return false;
    const Const *m = can_be_dense(im, x, 1) ? onnx_constant(im, 1, "the right side") : NULL;
    if (!m || m->rank != 2) {
        Node *y = onnx_activation(im, 1);
        return y && onnx_result(im, make_binary(im, OP_MATMUL, x, y));
    }
    const Onnx__NodeProto *last = im->node;
    m = dense_matrix(im, x, m, false);
    if (!m) return false;
    const float *bias = onnx_bias_after(im, 2, m->dim[0], &last);
    return emit_dense(im, x, m, bias, last);
}

typedef struct Gemm {
    float alpha, beta;
    int64_t trans_a, trans_b;
} Gemm;

/* Until opset 6 a bias broadcasts only when told to, which changes nothing where it fits. */
static bool gemm_general(Import *im, const Gemm *g, Node *a) {
    Node *in[3] = {a, onnx_activation(im, 1)};
    int n = 2;
    if (!in[1]) return false;
    if (onnx_has_input(im, 2) && g->beta != 0) {
        in[n++] = onnx_activation(im, 2);
        if (!in[2]) return false;
    }
    Make m = make_op(im, OP_GEMM);
    make_number(&m, "alpha", (double)g->alpha);
    make_number(&m, "beta", (double)g->beta);
    make_number(&m, "trans_a", g->trans_a != 0);
    make_number(&m, "trans_b", g->trans_b != 0);
    return onnx_result(im, make_node(&m, in, n));
}

bool convert_gemm(Import *im) {
    Gemm g;
    Node *x = onnx_activation(im, 0);
    if (!x || !onnx_attr_float(im, "alpha", 1, &g.alpha) || !onnx_attr_float(im, "beta", 1, &g.beta) ||
        !onnx_attr_int(im, "transA", 0, &g.trans_a) || !onnx_attr_int(im, "transB", 0, &g.trans_b))
        return false;
    bool has_c = onnx_has_input(im, 2) && g.beta != 0;
    bool dense =
        g.alpha == 1 && !g.trans_a && can_be_dense(im, x, 1) && (!has_c || (g.beta == 1 && onnx_is_constant(im, 2)));
    if (!dense) return gemm_general(im, &g, x);
    const Const *m = onnx_constant(im, 1, "B"), *c = NULL;
    const float *bias = NULL;
    m = m ? dense_matrix(im, x, m, g.trans_b != 0) : NULL;
    if (!m) return false;
    if (has_c) {
        c = onnx_constant(im, 2, "C");
        bias = c ? const_per_channel(im, c, 2, -1, m->dim[0]) : NULL;
        if (!c) return false;
        if (!bias) return gemm_general(im, &g, x);
    }
    return emit_dense(im, x, m, bias, im->node);
}
