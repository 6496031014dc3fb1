/* A node's attributes, inputs and results. */
#include "frontend/onnx/import.h"

#include <string.h>

/* ---- attributes ------------------------------------------------------------------------------------ */

const Onnx__AttributeProto *onnx_attr(const Import *im, const char *name) {
    for (size_t i = 0; i < im->node->n_attribute; i++)
        if (im->node->attribute[i]->name && strcmp(im->node->attribute[i]->name, name) == 0)
            return im->node->attribute[i];
    return NULL;
}

/* Before IR version 2 attributes have no type: then the field that is there says it. */
static bool attr_typed(Import *im, const Onnx__AttributeProto *a, Onnx__AttributeProto__AttributeType type,
                       bool there) {
    if (a->has_type && a->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED ? a->type == type : there)
        return true;
    return import_fail(im, DIAG_SPEC, "the attribute '%.60s' has the wrong type", a->name);
}

bool onnx_attr_int(Import *im, const char *name, int64_t otherwise, int64_t *out) {
    const Onnx__AttributeProto *a = onnx_attr(im, name);
    *out = a ? a->i : otherwise;
    return !a || attr_typed(im, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, a->has_i);
}

bool onnx_attr_float(Import *im, const char *name, float otherwise, float *out) {
    const Onnx__AttributeProto *a = onnx_attr(im, name);
    *out = a ? a->f : otherwise;
    return !a || attr_typed(im, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, a->has_f);
}

bool onnx_attr_ints(Import *im, const char *name, const int64_t **v, int *n) {
    const Onnx__AttributeProto *a = onnx_attr(im, name);
    *v = a ? a->ints : NULL;
    *n = a ? (int)(a->n_ints < 1000 ? a->n_ints : 1000) : -1;
    return !a || attr_typed(im, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, a->n_ints > 0);
}

bool onnx_attr_is(Import *im, const char *name, const char *otherwise, const char *wanted, bool *is) {
    const Onnx__AttributeProto *a = onnx_attr(im, name);
    if (!a) *is = strcmp(otherwise, wanted) == 0;
    else *is = a->s.len == strlen(wanted) && memcmp(a->s.data, wanted, a->s.len) == 0;
    return !a || attr_typed(im, a, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, a->has_s);
}

/* ---- inputs ---------------------------------------------------------------------------------------- */

bool node_is(const Import *im, const char *op) { return strcmp(im->node->op_type, op) == 0; }

void node_dims(const Node *x, int64_t *dim) {
    for (int i = 0; i < x->type.rank; i++) dim[i] = x->type.axis[i].extent;
}

const char *node_shape(Import *im, const Node *x) {
    int64_t dim[MAX_AXES];
    node_dims(x, dim);
    return import_dims(im->a, dim, x->type.rank);
}

int onnx_axis(Import *im, int64_t a, int rank) {
    if (a >= -rank && a < rank) return (int)(a < 0 ? a + rank : a);
    import_fail(im, DIAG_SPEC, "axis %lld of %d", (long long)a, rank);
    return -1;
}

bool onnx_has_output(Import *im, int i) {
    const Onnx__NodeProto *n = im->node;
    return (size_t)i < n->n_output && n->output[i] && *n->output[i] && import_value(im, n->output[i])->uses;
}

bool onnx_is_constant(Import *im, int i) {
    return onnx_has_input(im, i) && value_is_constant(import_value(im, im->node->input[i]));
}

bool onnx_has_input(const Import *im, int i) {
    return (size_t)i < im->node->n_input && im->node->input[i] && *im->node->input[i];
}

Node *onnx_activation(Import *im, int i) {
    Value *v = onnx_has_input(im, i) ? import_value(im, im->node->input[i]) : NULL;
    if (!v) import_fail(im, DIAG_SPEC, "input %d is missing", i + 1);
    if (!v || v->node) return v ? v->node : NULL;
    const Const *c = value_const(im, v);
    v->node = c ? const_node(im, c) : NULL;
    return v->node;
}

const Const *onnx_constant(Import *im, int i, const char *what) {
    Value *v = onnx_has_input(im, i) ? import_value(im, im->node->input[i]) : NULL;
    if (!v) import_fail(im, DIAG_SPEC, "%s is missing", what);
    else if (!value_is_constant(v)) import_fail(im, DIAG_UNSUPPORTED, "%s '%.100s' is not a constant", what, v->name);
    return v && value_is_constant(v) ? value_const(im, v) : NULL;
}

bool onnx_dims(Import *im, int64_t dim[ONNX_MAX_RANK], int *rank, DType *type) {
    Value *v = onnx_has_input(im, 0) ? import_value(im, im->node->input[0]) : NULL;
    if (v && value_is_constant(v) && (!v->node || v->constant)) {
        const Const *c = value_const(im, v);
        if (!c) return false;
        *rank = c->rank;
        *type = c->dtype;
        memcpy(dim, c->dim, sizeof c->dim);
        return true;
    }
    const Node *x = onnx_activation(im, 0);
    if (!x) return false;
    *rank = x->type.rank;
    *type = x->type.dtype;
    node_dims(x, dim);
    return true;
}

bool onnx_ints(Import *im, const char *name, int last, int i, const int64_t **v, int *n) {
    if (im->opset <= last) return onnx_attr_ints(im, name, v, n);
    *v = NULL;
    *n = -1;
    if (onnx_attr(im, name)) return import_fail(im, DIAG_UNSUPPORTED, "'%s' is an input in this opset", name);
    if (!onnx_has_input(im, i)) return true;
    const Const *c = onnx_constant(im, i, name);
    if (!c) return false;
    if (c->rank > 1 || (c->n && !c->i) || c->n > 1000)
        return import_fail(im, DIAG_SPEC, "%s is not a short list of integers", name);
    *v = c->i;
    *n = (int)c->n;
    return true;
}

/* ---- results --------------------------------------------------------------------------------------- */

bool onnx_result_of(Import *im, const Onnx__NodeProto *node, Node *n) {
    if (!n) return false;
    Value *v = import_value(im, node->output[0]);
    if (value_is_made(v)) return import_fail(im, DIAG_SPEC, "'%.100s' is made twice", v->name);
    v->node = n;
    return true;
}

bool onnx_result(Import *im, Node *n) { return onnx_result_of(im, im->node, n); }

bool onnx_result_at(Import *im, int i, Node *n) {
    if (!n) return false;
    Value *v = import_value(im, im->node->output[i]);
    if (value_is_made(v)) return import_fail(im, DIAG_SPEC, "'%.100s' is made twice", v->name);
    v->node = n;
    return true;
}

bool onnx_constant_result(Import *im, int i, const Const *c) {
    Value *v = import_value(im, im->node->output[i]);
    if (value_is_made(v)) return import_fail(im, DIAG_SPEC, "'%.100s' is made twice", v->name);
    v->constant = c;
    return true;
}

const float *onnx_bias_after(Import *im, int rank, int64_t channels, const Onnx__NodeProto **add) {
    const Value *v = import_value(im, im->node->output[0]);
    if (v->uses != 1 || v->user <= im->index || im->done[v->user]) return NULL;
    const Onnx__NodeProto *n = im->from->node[v->user];
    if (!n->op_type || strcmp(n->op_type, "Add") != 0 || (n->domain && *n->domain) || n->n_input != 2 ||
        n->n_output != 1 || !n->output[0] || !*n->output[0] || n->n_attribute)
        return NULL; /* attributes: the broadcasts of opsets before 7, see convert_binary */
    if (im->opset < 7) return NULL;
    const char *other = n->input[strcmp(n->input[0], v->name) == 0];
    Value *bias = import_value(im, other);
    const Const *c = value_is_constant(bias) ? value_const(im, bias) : NULL;
    const float *data = c ? const_per_channel(im, c, rank, -1, channels) : NULL;
    if (!data) return NULL;
    *add = n;
    im->done[v->user] = true;
    return data;
}
