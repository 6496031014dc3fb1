/* Nodes of the graph, made from an op of the table and attributes by their names there. */
#include "frontend/onnx/import.h"

#include <string.h>

Make make_op(Import *im, Op op) {
    Make m = {.im = im, .op = op, .good = true};
    attr_defaults(op, &m.attr);
    return m;
}

static const AttrInfo *info_of(const Make *m, const char *name) {
    const OpInfo *op = &op_table[m->op];
    for (int i = 0; i < op->n_attr; i++)
        if (strcmp(op->attr[i].name, name) == 0) return &op->attr[i];
    return NULL;
}

static void set(Make *m, const char *name, const double *v, int n) {
    const AttrInfo *info = info_of(m, name);
    Diag why = {0};
    if (!m->good || n == 0) return;
    if (!info) m->good = import_fail(m->im, DIAG_INTERNAL, "%s has no attribute %s", op_table[m->op].name, name);
    else if (!attr_set(m->op, info, &m->attr, v, n, &why))
        m->good = import_fail(m->im, DIAG_UNSUPPORTED, "%s", why.text);
}

void make_number(Make *m, const char *name, double v) { set(m, name, &v, 1); }

void make_ints(Make *m, const char *name, const int64_t *v, int n) {
    double d[MAX_INTS];
    if (n > MAX_INTS) m->good = import_fail(m->im, DIAG_UNSUPPORTED, "%s has %d numbers", name, n);
    for (int i = 0; i < n && n <= MAX_INTS; i++) d[i] = (double)v[i];
    if (n >= 0 && n <= MAX_INTS) set(m, name, d, n);
}

void make_floats(Make *m, const char *name, const float *v, int n) {
    double d[MAX_INTS];
    if (n > MAX_INTS) m->good = import_fail(m->im, DIAG_UNSUPPORTED, "%s has %d numbers", name, n);
    for (int i = 0; i < n && n <= MAX_INTS; i++) d[i] = (double)v[i];
    if (n >= 0 && n <= MAX_INTS) set(m, name, d, n);
}

void make_word(Make *m, const char *name, const char *word) {
    const AttrInfo *info = info_of(m, name);
    Diag why = {0};
    if (!m->good) return;
    if (!info) m->good = import_fail(m->im, DIAG_INTERNAL, "%s has no attribute %s", op_table[m->op].name, name);
    else if (!attr_set_text(m->op, info, &m->attr, word, &why))
        m->good = import_fail(m->im, DIAG_UNSUPPORTED, "%s", why.text);
}

void make_dims(Make *m, const char *name, const Dims *v) {
    double d[MAX_SPATIAL];
    for (int i = 0; i < v->n; i++) d[i] = v->v[i];
    set(m, name, d, v->n);
}

void make_spatial_pads(Make *m, const Pads *v) {
    double d[2 * MAX_SPATIAL];
    for (int i = 0; i < v->n; i++) d[i] = v->lo[i], d[v->n + i] = v->hi[i];
    set(m, "pad", d, 2 * v->n);
}

Node *make_node(Make *m, Node *const *in, int n_in) {
    for (int i = 0; i < n_in; i++)
        if (!in[i]) return NULL;
    return m->good ? onnx_emit(m->im, m->op, in, n_in, &m->attr) : NULL;
}

Node *make_unary(Import *im, Op op, Node *x) {
    Make m = make_op(im, op);
    return make_node(&m, &x, 1);
}

Node *make_binary(Import *im, Op op, Node *x, Node *y) {
    Make m = make_op(im, op);
    return make_node(&m, (Node *[]){x, y}, 2);
}

Node *make_constant(Import *im, double v) {
    Make m = make_op(im, OP_CONSTANT);
    make_number(&m, "value", v);
    return make_node(&m, NULL, 0);
}

Node *make_reshape(Import *im, Node *x, const int64_t *dim, int rank) {
    int64_t n = 1, from[MAX_AXES];
    bool fits = rank <= MAX_RANK, same = x && rank == x->type.rank;
    if (!x) return NULL;
    for (int i = 0; i < rank && fits; i++) fits = dim[i] >= 1 && !__builtin_mul_overflow(n, dim[i], &n);
    node_dims(x, from);
    if (!fits || n != type_elements(&x->type)) {
        import_fail(im, DIAG_SPEC, "%s cannot become %s", import_dims(im->a, from, x->type.rank),
                    import_dims(im->a, dim, rank < ONNX_MAX_RANK ? rank : ONNX_MAX_RANK));
        return NULL;
    }
    for (int i = 0; same && i < rank; i++) same = from[i] == dim[i];
    if (same) return x;
    if (rank == 2 && x->type.rank >= 2 && dim[0] == from[0]) return make_unary(im, OP_FLATTEN, x);
    if (rank == 0) return make_unary(im, OP_SQUEEZE, x);
    Make m = make_op(im, OP_RESHAPE);
    make_ints(&m, "shape", dim, rank);
    return make_node(&m, &x, 1);
}
