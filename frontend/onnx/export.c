/* The file: names of values, nodes, initialisers, the bytes. */
#include "frontend/onnx/export_node.h"

#include "frontend/data/fail.h"
#include "frontend/data/writer.h"

#include <setjmp.h>
#include <string.h>

/* ---- names ----------------------------------------------------------------------------------------- */

static const char **taken_slot(const Export *e, const char *name) {
    uint32_t h = 2166136261u; /* FNV-1a */
    for (const char *p = name; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    size_t i = h & (e->cap_taken - 1);
    while (e->taken[i] && strcmp(e->taken[i], name) != 0) i = (i + 1) & (e->cap_taken - 1);
    return &e->taken[i];
}

static void taken_grow(Export *e) {
    const char **old = e->taken;
    size_t n = e->cap_taken;
    e->cap_taken = n ? 2 * n : 1024;
    e->taken = ARENA_ARRAY(e->a, const char *, e->cap_taken);
    for (size_t i = 0; i < n; i++)
        if (old[i]) *taken_slot(e, old[i]) = old[i];
}

/* A name that no value has yet: this one, or with a number. */
static const char *fresh_value(Export *e, const char *wanted) {
    const char *name = wanted;
    if (2 * (e->n_taken + 1) > e->cap_taken) taken_grow(e);
    for (int i = 2; *taken_slot(e, name); i++) name = arena_printf(e->a, "%s_%d", wanted, i);
    name = arena_strdup(e->a, name);
    *taken_slot(e, name) = name;
    e->n_taken++;
    return name;
}

static bool is_source(const Node *n) { return n->op == OP_INPUT || n->op == OP_WEIGHT; }

/* Inputs and outputs keep their names in any case; a value that is an output is called so. */
static const char **name_values(Export *e) {
    const Graph *g = e->g;
    const char **out = ARENA_ARRAY(e->a, const char *, g->n_out);
    e->value = ARENA_ARRAY(e->a, const char *, g->n_node);
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->op == OP_INPUT) e->value[i] = fresh_value(e, g->node[i]->name);
    for (int i = 0; i < g->n_out; i++) {
        const Node *n = g->out[i].node;
        out[i] = fresh_value(e, g->out[i].name);
        if (!is_source(n) && !e->value[n->id]) e->value[n->id] = out[i];
    }
    for (int i = 0; i < g->n_node; i++)
        if (!e->value[i]) e->value[i] = fresh_value(e, g->node[i]->name);
    return out;
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

bool export_fail(Export *e, const char *fmt, ...) {
    Diag own = {0};
    va_list ap;
    va_start(ap, fmt);
    diag_vfail(&own, DIAG_UNSUPPORTED, fmt, ap);
    va_end(ap);
    return diag_fail(e->d, DIAG_UNSUPPORTED, "node '%.100s' (%s): %s", e->n->name, op_table[e->n->op].name, own.text);
}

static const char *with_suffix(Export *e, const char *suffix) {
    return arena_printf(e->a, "%s.%s", e->n->name, suffix);
}

const char *export_fresh(Export *e, const char *suffix) { return fresh_value(e, with_suffix(e, suffix)); }

static void node_new(Export *e, const char *op, const char *name, const char *const *in, int n_in,
                     const char *const *out, int n_out) {
    Onnx__NodeProto *p = ARENA_NEW(e->a, Onnx__NodeProto);
    onnx__node_proto__init(p);
    p->op_type = arena_strdup(e->a, op);
    p->name = arena_strdup(e->a, name);
    p->n_input = (size_t)n_in;
    p->input = ARENA_ARRAY(e->a, char *, n_in);
    for (int i = 0; i < n_in; i++) p->input[i] = arena_strdup(e->a, in[i]);
    p->n_output = (size_t)n_out;
    p->output = ARENA_ARRAY(e->a, char *, n_out);
    for (int i = 0; i < n_out; i++) p->output[i] = arena_strdup(e->a, out[i]);
    ARENA_PUSH(e->a, e->node, e->n_node, e->cap_node, p);
    e->last = p;
}

const char *export_node(Export *e, const char *op, const char *suffix, const char *const *in, int n_in) {
    const char *name = suffix ? with_suffix(e, suffix) : e->n->name, *out = suffix ? fresh_value(e, name) : e->result;
    node_new(e, op, name, in, n_in, &out, 1);
    return out;
}

void export_node_outputs(Export *e, const char *op, const char *suffix, const char *in, const char *const *out,
                         int n_out) {
    node_new(e, op, with_suffix(e, suffix), &in, 1, out, n_out);
}

static Onnx__AttributeProto *attr_new(Export *e, const char *name, Onnx__AttributeProto__AttributeType type) {
    Onnx__NodeProto *n = e->last;
    Onnx__AttributeProto *p = ARENA_NEW(e->a, Onnx__AttributeProto);
    Onnx__AttributeProto **list = ARENA_ARRAY(e->a, Onnx__AttributeProto *, n->n_attribute + 1);
    onnx__attribute_proto__init(p);
    p->name = arena_strdup(e->a, name);
    p->has_type = true;
    p->type = type;
    if (n->n_attribute) memcpy(list, n->attribute, n->n_attribute * sizeof(Onnx__AttributeProto *));
    list[n->n_attribute++] = p;
    n->attribute = list;
    return p;
}

void export_attr_int(Export *e, const char *name, int64_t v) {
    Onnx__AttributeProto *p = attr_new(e, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    p->has_i = true;
    p->i = v;
}

void export_attr_ints(Export *e, const char *name, const int32_t *v, int n) {
    if (n == 0) return; /* ONNX's checker takes no empty list */
    Onnx__AttributeProto *p = attr_new(e, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    p->n_ints = (size_t)n;
    p->ints = ARENA_ARRAY(e->a, int64_t, n);
    for (int i = 0; i < n; i++) p->ints[i] = v[i];
}

void export_attr_float(Export *e, const char *name, float v) {
    Onnx__AttributeProto *p = attr_new(e, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    p->has_f = true;
    p->f = v;
}

void export_attr_text(Export *e, const char *name, const char *v) {
    Onnx__AttributeProto *p = attr_new(e, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    p->has_s = true;
    p->s.data = (uint8_t *)arena_strdup(e->a, v);
    p->s.len = strlen(v);
}

void export_attr_pads(Export *e, const char *name, const Pads *p) {
    int32_t v[2 * MAX_SPATIAL];
    for (int i = 0; i < p->n; i++) {
        v[i] = p->lo[i];
        v[p->n + i] = p->hi[i];
    }
    export_attr_ints(e, name, v, 2 * p->n);
}

/* ---- initialisers ---------------------------------------------------------------------------------- */

int export_elem(DType t) {
    switch (t) {
    case DT_F32: return ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    case DT_I64: return ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    case DT_I32: return ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    case DT_U8: return ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
    case DT_BOOL: return ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
    }
    return ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED;
}

static const char *tensor_add(Export *e, const char *name, int elem, const int64_t *dim, int rank, const void *data,
                              size_t bytes) {
    Onnx__TensorProto *p = ARENA_NEW(e->a, Onnx__TensorProto);
    onnx__tensor_proto__init(p);
    p->name = arena_strdup(e->a, name);
    p->has_data_type = true;
    p->data_type = elem;
    p->n_dims = (size_t)rank;
    p->dims = rank ? arena_copy(e->a, dim, sizeof *dim * (size_t)rank) : NULL;
    ExportTensor t = {p, data, bytes};
    ARENA_PUSH(e->a, e->tensor, e->n_tensor, e->cap_tensor, t);
    return name;
}

const char *export_floats(Export *e, const char *suffix, const int64_t *dim, int rank, const float *v) {
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)dim[i];
    return tensor_add(e, export_fresh(e, suffix), ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, dim, rank, v, n * sizeof *v);
}

const char *export_number(Export *e, const char *suffix, float v) {
    return export_floats(e, suffix, NULL, 0, arena_copy(e->a, &v, sizeof v));
}

const char *export_integers(Export *e, const char *suffix, const int64_t *dim, int rank, const int64_t *v) {
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)dim[i];
    return tensor_add(e, export_fresh(e, suffix), ONNX__TENSOR_PROTO__DATA_TYPE__INT64, dim, rank, v, n * sizeof *v);
}

const char *export_list(Export *e, const char *suffix, const int64_t *v, int n) {
    const int64_t *own = n ? arena_copy(e->a, v, sizeof *v * (size_t)n) : NULL;
    return export_integers(e, suffix, (int64_t[]){n}, 1, own);
}

const char *export_cast(Export *e, const char *value, DType from, DType to, const char *suffix) {
    if (from == to) return value;
    value = EXPORT_NODE(e, "Cast", suffix, value);
    export_attr_int(e, "to", export_elem(to));
    return value;
}

static void add_weight(Export *e, const Node *n, const void *data) {
    int64_t dim[MAX_AXES];
    for (int i = 0; i < n->type.rank; i++) dim[i] = n->type.axis[i].extent;
    tensor_add(e, e->value[n->id], export_elem(n->type.dtype), dim, n->type.rank, data, type_bytes(&n->type));
}

/* ---- inputs and outputs ---------------------------------------------------------------------------- */

static Onnx__ValueInfoProto *value_info(Export *e, const char *name, const Type *type) {
    Onnx__ValueInfoProto *v = ARENA_NEW(e->a, Onnx__ValueInfoProto);
    Onnx__TypeProto *t = ARENA_NEW(e->a, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *tensor = ARENA_NEW(e->a, Onnx__TypeProto__Tensor);
    Onnx__TensorShapeProto *shape = ARENA_NEW(e->a, Onnx__TensorShapeProto);
    onnx__value_info_proto__init(v);
    onnx__type_proto__init(t);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    shape->n_dim = (size_t)type->rank;
    shape->dim = ARENA_ARRAY(e->a, Onnx__TensorShapeProto__Dimension *, type->rank);
    for (int i = 0; i < type->rank; i++) {
        Onnx__TensorShapeProto__Dimension *dim = ARENA_NEW(e->a, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(dim);
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = type->axis[i].extent;
        shape->dim[i] = dim;
    }
    tensor->has_elem_type = true;
    tensor->elem_type = export_elem(type->dtype);
    tensor->shape = shape;
    t->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    t->tensor_type = tensor;
    v->name = arena_strdup(e->a, name);
    v->type = t;
    return v;
}

/* An output that has no value of its own: an input, a weight, or another output's. */
static void outputs_alias(Export *e, const char *const *out) {
    for (int i = 0; i < e->g->n_out; i++) {
        const Node *n = e->g->out[i].node;
        if (e->value[n->id] == out[i]) continue;
        node_new(e, "Identity", out[i], &e->value[n->id], 1, &out[i], 1);
    }
}

static Onnx__GraphProto *graph_make(Export *e, const char *const *out) {
    const Graph *g = e->g;
    Onnx__GraphProto *p = ARENA_NEW(e->a, Onnx__GraphProto);
    onnx__graph_proto__init(p);
    p->name = arena_strdup(e->a, g->name);
    p->input = ARENA_ARRAY(e->a, Onnx__ValueInfoProto *, g->n_node);
    p->output = ARENA_ARRAY(e->a, Onnx__ValueInfoProto *, g->n_out);
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->op == OP_INPUT) p->input[p->n_input++] = value_info(e, e->value[i], &g->node[i]->type);
    for (int i = 0; i < g->n_out; i++) p->output[p->n_output++] = value_info(e, out[i], &g->out[i].node->type);
    p->n_node = (size_t)e->n_node;
    p->node = e->node;
    return p;
}

/* ---- bytes: the model and the graph without the tensors, then these ---------------------------------- */

/* Field numbers of onnx.proto, with the wire type of what has a length. */
enum { FIELD_GRAPH = 7 << 3 | 2, FIELD_INITIALIZER = 5 << 3 | 2, FIELD_RAW_DATA = 9 << 3 | 2 };

static size_t varint(uint8_t out[10], uint64_t v) {
    size_t n = 0;
    for (; v >= 128; v >>= 7) out[n++] = (uint8_t)(v | 128);
    out[n++] = (uint8_t)v;
    return n;
}

static size_t field_size(uint64_t n) {
    uint8_t bytes[10];
    return 1 + varint(bytes, n) + (size_t)n;
}

static bool put_field(FileWriter *w, uint8_t field, uint64_t n, Diag *d) {
    uint8_t bytes[11] = {field};
    return writer_add(w, bytes, 1 + varint(bytes + 1, n), d);
}

static bool put_message(FileWriter *w, Arena *a, const ProtobufCMessage *m, Diag *d) {
    uint8_t *bytes = arena_alloc(a, protobuf_c_message_get_packed_size(m) + 1);
    return writer_add(w, bytes, protobuf_c_message_pack(m, bytes), d);
}

static uint64_t tensor_size(const ExportTensor *t) {
    return protobuf_c_message_get_packed_size(&t->head->base) + field_size(t->bytes);
}

static bool put_tensor(FileWriter *w, Arena *a, const ExportTensor *t, Diag *d) {
    return put_field(w, FIELD_INITIALIZER, tensor_size(t), d) && put_message(w, a, &t->head->base, d) &&
           put_field(w, FIELD_RAW_DATA, t->bytes, d) && writer_add(w, t->data, t->bytes, d);
}

static Onnx__ModelProto *model_head(Export *e) {
    Onnx__ModelProto *m = ARENA_NEW(e->a, Onnx__ModelProto);
    Onnx__OperatorSetIdProto *set = ARENA_NEW(e->a, Onnx__OperatorSetIdProto);
    onnx__model_proto__init(m);
    onnx__operator_set_id_proto__init(set);
    m->has_ir_version = true;
    m->ir_version = EXPORT_IR_VERSION;
    m->producer_name = arena_strdup(e->a, "lunette");
    m->producer_version = arena_strdup(e->a, LUNETTE_VERSION);
    set->domain = arena_strdup(e->a, "");
    set->has_version = true;
    set->version = EXPORT_OPSET;
    m->n_opset_import = 1;
    m->opset_import = ARENA_ARRAY(e->a, Onnx__OperatorSetIdProto *, 1);
    m->opset_import[0] = set;
    return m;
}

/* Memory may run out while the file is open: onnx_save closes it. */
static bool put_model(Export *e, const Onnx__GraphProto *g, const char *path) {
    const Onnx__ModelProto *m = model_head(e);
    size_t graph = protobuf_c_message_get_packed_size(&g->base);
    for (int i = 0; i < e->n_tensor; i++) graph += field_size(tensor_size(&e->tensor[i]));
    if (protobuf_c_message_get_packed_size(&m->base) + field_size(graph) > INT32_MAX)
        return data_fail(e->d, DIAG_UNSUPPORTED, path, "the model has %.1f GB, an ONNX file at most 2",
                         (double)graph / (1 << 30));
    e->w = writer_open(path, e->d);
    bool good = e->w && put_message(e->w, e->a, &m->base, e->d) && put_field(e->w, FIELD_GRAPH, graph, e->d) &&
                put_message(e->w, e->a, &g->base, e->d);
    for (int i = 0; i < e->n_tensor && good; i++) good = put_tensor(e->w, e->a, &e->tensor[i], e->d);
    return good;
}

/* ---- all ------------------------------------------------------------------------------------------- */

static bool export_all(Export *e, const void *const *weight, const char *path) {
    const char **out = name_values(e);
    for (int i = 0; i < e->g->n_node; i++) {
        const Node *n = e->g->node[i];
        if (n->op == OP_WEIGHT) add_weight(e, n, weight[i]);
        if (is_source(n)) continue;
        e->n = n;
        e->result = e->value[i];
        if (!export_op(e)) return false;
    }
    outputs_alias(e, out);
    return put_model(e, graph_make(e, out), path);
}

bool onnx_save(Arena *a, const char *path, const Graph *g, const void *const *weight, Diag *d) {
    Export *volatile e = NULL;
    volatile bool good = false, oom = false;
    jmp_buf outer;
    memcpy(&outer, &a->oom, sizeof outer);
    if (setjmp(a->oom) == 0) {
        e = ARENA_NEW(a, Export);
        *e = (Export){.a = a, .g = g, .d = d};
        good = export_all(e, weight, path);
    } else {
        oom = true;
    }
    memcpy(&a->oom, &outer, sizeof outer);
    if (good) return writer_commit(e->w, d);
    if (e) writer_abort(e->w);
    if (oom) longjmp(a->oom, 1);
    return false;
}
