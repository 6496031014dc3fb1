/* The walk over an ONNX graph: values by name, inputs, constants first, then the rest, outputs. */
#include "frontend/onnx/import.h"

#include "frontend/data/fail.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPSET_NEWEST = 26,
    MOST_NODES = 1 << 14,     /* passes look at all users of a node: far more than networks have */
    NAME_MOST = 128,          /* characters of a name that are kept */
    CONSTANTS = 64,           /* bytes of constants a byte of file … */
    CONSTANTS_BASE = 16 << 20 /* … and more */
};

/* ---- messages and names ---------------------------------------------------------------------------- */

bool import_fail(Import *im, DiagKind kind, const char *fmt, ...) {
    Diag own = {0};
    va_list ap;
    va_start(ap, fmt);
    diag_vfail(&own, kind, fmt, ap);
    va_end(ap);
    if (!im->node) return data_fail(im->d, kind, im->path, "%s", own.text);
    const char *name = im->node->name && *im->node->name ? im->node->name
                       : im->node->n_output              ? im->node->output[0]
                                                         : "";
    return data_fail(im->d, kind, im->path, "node '%.100s' (%.60s, opset %lld): %s", name,
                     im->node->op_type ? im->node->op_type : "", (long long)im->opset, own.text);
}

const char *import_dims(Arena *a, const int64_t *dim, int rank) {
    Text t = {.arena = a};
    text_add(&t, "[");
    for (int i = 0; i < rank; i++) text_add(&t, "%s%lld", i ? ", " : "", (long long)dim[i]);
    text_add(&t, "]");
    return text_get(&t);
}

const char *import_name(Arena *a, const char *name) {
    size_t n = strlen(name);
    if (n > NAME_MOST) n = NAME_MOST;
    char *s = arena_alloc(a, n + 3), *to = s;
    if (n == 0 || isdigit((unsigned char)*name) || *name == '.') *to++ = '_';
    for (size_t i = 0; i < n; i++) *to++ = isalnum((unsigned char)name[i]) || name[i] == '.' ? name[i] : '_';
    for (char *p = s; *p; p++) /* a dot stands between parts only */
        if (*p == '.' && (p[1] == '.' || p[1] == '\0')) *p = '_';
    return s;
}

const char *import_node_name(const Import *im) {
    const char *name = im->node->name;
    return name && *name ? name : im->node->output[0];
}

/* One that many nodes want does not cost more and more. */
const char *import_fresh(Import *im, const char *name) {
    const char *wanted = import_name(im->a, name);
    if (graph_find(im->g, wanted)) wanted = arena_printf(im->a, "%s_%d", wanted, im->index + 1);
    return graph_fresh_name(im->g, wanted);
}

/* ---- values ---------------------------------------------------------------------------------------- */

static uint32_t value_hash(const char *s) { /* FNV-1a */
    uint32_t h = 2166136261u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

Value *import_value(Import *im, const char *name) {
    size_t i = value_hash(name) & (im->n_slot - 1);
    while (im->slot[i].name && strcmp(im->slot[i].name, name) != 0) i = (i + 1) & (im->n_slot - 1);
    if (!im->slot[i].name) im->slot[i].name = name;
    return &im->slot[i];
}

bool value_is_constant(const Value *v) { return v->tensor || v->constant || (v->node && v->node->constant); }
bool value_is_made(const Value *v) { return v->node || value_is_constant(v); }

static const char *text(const char *s) { return s ? s : ""; }

/* The graph that attribute i is, a branch of an If, or NULL. */
static const Onnx__GraphProto *branch(const Onnx__NodeProto *n, size_t i) { return n->attribute[i]->g; }

/* Names and nodes, in branches too; messages are nested so deep only as file.c lets them. */
static void count_graph(const Onnx__GraphProto *g, size_t *names, size_t *nodes) {
    *names += g->n_input + g->n_output + g->n_initializer;
    *nodes += g->n_node;
    for (size_t k = 0; k < g->n_node; k++) {
        *names += g->node[k]->n_input + g->node[k]->n_output;
        for (size_t i = 0; i < g->node[k]->n_attribute; i++)
            if (branch(g->node[k], i)) count_graph(branch(g->node[k], i), names, nodes);
    }
}

/* What a branch of node `user` reads has more than one reader: no node there may swallow another. */
static void use_in_branch(Import *im, const Onnx__GraphProto *g, int user) {
    for (size_t k = 0; k < g->n_node; k++) {
        for (size_t i = 0; i < g->node[k]->n_input; i++) {
            Value *v = import_value(im, text(g->node[k]->input[i]));
            v->uses += 2;
            v->user = user;
        }
        for (size_t i = 0; i < g->node[k]->n_attribute; i++)
            if (branch(g->node[k], i)) use_in_branch(im, branch(g->node[k], i), user);
    }
    for (size_t i = 0; i < g->n_output; i++) import_value(im, text(g->output[i]->name))->uses += 2;
}

static void values_make(Import *im, size_t names) {
    const Onnx__GraphProto *g = im->from;
    im->n_slot = 64;
    while (im->n_slot < 2 * names) im->n_slot *= 2;
    im->slot = ARENA_ARRAY(im->a, Value, im->n_slot);
    for (size_t k = 0; k < g->n_node; k++) {
        for (size_t i = 0; i < g->node[k]->n_input; i++) {
            Value *v = import_value(im, text(g->node[k]->input[i]));
            v->uses++;
            v->user = (int)k;
        }
        for (size_t i = 0; i < g->node[k]->n_attribute; i++)
            if (branch(g->node[k], i)) use_in_branch(im, branch(g->node[k], i), (int)k);
    }
    for (size_t k = 0; k < g->n_output; k++) {
        Value *v = import_value(im, text(g->output[k]->name));
        v->uses++;
        v->user = -1;
    }
}

static bool initializers(Import *im, const Onnx__GraphProto *g) {
    if (g->n_sparse_initializer) return import_fail(im, DIAG_UNSUPPORTED, "sparse initialisers");
    for (size_t i = 0; i < g->n_initializer; i++) {
        const char *name = text(g->initializer[i]->name);
        Value *v = import_value(im, name);
        if (!*name) return import_fail(im, DIAG_SPEC, "initialiser %zu has no name", i + 1);
        if (v->tensor) return import_fail(im, DIAG_SPEC, "there are two initialisers '%.100s'", name);
        v->tensor = g->initializer[i];
    }
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

static bool known_domain(const char *domain) { return !*text(domain) || strcmp(domain, "ai.onnx") == 0; }

static const OnnxOp *op_of(const Onnx__NodeProto *n) {
    return known_domain(n->domain) ? onnx_op_find(text(n->op_type)) : NULL;
}

static bool word_in(const char *words, const char *word) {
    size_t len = strlen(word);
    for (const char *p = words; len && (p = strstr(p, word)) != NULL; p += len)
        if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0')) return true;
    return false;
}

/* What holds for every op: it is known, with these attributes and this number of inputs. */
static bool node_fits(Import *im, const OnnxOp *op) {
    const Onnx__NodeProto *n = im->node;
    if (!op) {
        if (!known_domain(n->domain))
            return import_fail(im, DIAG_UNSUPPORTED, "the domain '%.60s' is not known", n->domain);
        return import_fail(im, DIAG_UNSUPPORTED, "this op is not known");
    }
    for (size_t i = 0; i < n->n_attribute; i++) {
        const Onnx__AttributeProto *a = n->attribute[i];
        if (*text(a->ref_attr_name))
            return import_fail(im, DIAG_UNSUPPORTED, "attribute '%.60s' refers to another", a->name);
        if (!word_in(op->attrs, text(a->name)) && strcmp(text(a->name), "consumed_inputs") != 0)
            return import_fail(im, DIAG_UNSUPPORTED, "the attribute '%.60s' is not known", text(a->name));
    }
    if (n->n_output < 1 || !*text(n->output[0])) return import_fail(im, DIAG_SPEC, "it has no output");
    int most = onnx_most_inputs(op, im->opset);
    if (n->n_input < (size_t)op->min_in || n->n_input > (size_t)most)
        return import_fail(im, DIAG_SPEC, "it has %zu inputs; it takes %d to %d", n->n_input, op->min_in, most);
    return true;
}

/* Whatever of its outputs is read was made. */
static bool outputs_made(Import *im) {
    for (size_t i = 1; i < im->node->n_output; i++)
        if (onnx_has_output(im, (int)i) && !value_is_made(import_value(im, im->node->output[i])))
            return import_fail(im, DIAG_UNSUPPORTED, "output %zu, '%.100s', is not known", i + 1, im->node->output[i]);
    return true;
}

static bool fold_node(Import *im, const OnnxOp *op) {
    if (!node_fits(im, op)) return false;
    Value *out = import_value(im, im->node->output[0]);
    if (value_is_made(out)) return import_fail(im, DIAG_SPEC, "'%.100s' is made twice", out->name);
    out->constant = op->fold(im);
    im->done[im->index] = true;
    return out->constant != NULL;
}

static bool all_constant(Import *im) {
    for (size_t i = 0; i < im->node->n_input; i++)
        if (*text(im->node->input[i]) && !value_is_constant(import_value(im, im->node->input[i]))) return false;
    return true;
}

/* Constants first, so that a node may look at what follows it (onnx_bias_after). */
static bool fold_constants(Import *im) {
    for (im->index = 0; im->index < (int)im->from->n_node; im->index++) {
        im->node = im->from->node[im->index];
        const OnnxOp *op = op_of(im->node);
        if (!op || !op->fold || !all_constant(im)) continue;
        if (!fold_node(im, op)) return false;
    }
    return true;
}

static bool convert_node(Import *im) {
    const OnnxOp *op = op_of(im->node);
    if (!node_fits(im, op)) return false;
    for (size_t i = 0; i < im->node->n_input; i++) {
        const char *name = text(im->node->input[i]);
        if (*name && !value_is_made(import_value(im, name)))
            return import_fail(im, DIAG_SPEC, "input '%.100s' is made by no earlier node", name);
    }
    bool fold = op->fold && all_constant(im);
    if (!fold && !op->convert) return import_fail(im, DIAG_UNSUPPORTED, "it is known for constants only");
    return (fold ? fold_node(im, op) : op->convert(im)) && outputs_made(im);
}

static bool convert_all(Import *im) {
    for (im->index = 0; im->index < (int)im->from->n_node; im->index++) {
        im->node = im->from->node[im->index];
        if (!im->done[im->index] && !convert_node(im)) return false;
    }
    im->node = NULL;
    return true;
}

bool import_branch(Import *im, const Onnx__GraphProto *g) {
    const Onnx__NodeProto *outer = im->node;
    if (!initializers(im, g)) return false;
    for (size_t k = 0; k < g->n_node; k++) {
        im->node = g->node[k];
        if (!convert_node(im)) return false;
    }
    im->node = outer;
    return true;
}

Node *onnx_emit(Import *im, Op op, Node *const *in, int n_in, const AttrAny *attr) {
    Diag why = {0};
    const char *name = import_fresh(im, import_node_name(im));
    Node *n = graph_op(im->g, op, name, (SrcLoc){NULL, 0}, in, n_in, attr, &why);
    if (n) n->loc = (SrcLoc){im->path, im->index + 1};
    else import_fail(im, why.kind, "%s", why.text);
    return n;
}

Node *onnx_weight(Import *im, const char *suffix, const char *letters, const int64_t *extent, const float *data) {
    Type type;
    Diag why = {0};
    if (!data) return NULL;
    const char *name = import_node_name(im);
    if (!type_make(&type, letters, extent, &why)) {
        import_fail(im, DIAG_SPEC, "%s: %s", suffix, why.text);
        return NULL;
    }
    name = import_fresh(im, arena_printf(im->a, "%.100s.%s", import_name(im->a, name), suffix));
    Node *n = graph_weight(im->g, name, (SrcLoc){im->path, im->index + 1}, &type, &why);
    if (!n) {
        import_fail(im, DIAG_SPEC, "%s: %s", suffix, why.text);
        return NULL;
    }
    Const *value = ARENA_NEW(im->a, Const);
    *value = (Const){.dtype = DT_F32, .rank = type.rank, .n = type_elements(&type), .f = data};
    node_dims(n, value->dim);
    Bound bound = {n, value};
    ARENA_PUSH(im->a, im->weight, im->n_weight, im->cap_weight, bound);
    return n;
}

/* ---- outputs --------------------------------------------------------------------------------------- */

static bool output_taken(const Graph *g, const char *name) {
    for (int i = 0; i < g->n_out; i++)
        if (strcmp(g->out[i].name, name) == 0) return true;
    return false;
}

static bool outputs(Import *im) {
    if (im->from->n_output == 0) return import_fail(im, DIAG_SPEC, "the graph has no outputs");
    if (im->from->n_output > 256) return import_fail(im, DIAG_UNSUPPORTED, "%zu outputs", im->from->n_output);
    for (size_t i = 0; i < im->from->n_output; i++) {
        const char *from = text(im->from->output[i]->name), *name = import_name(im->a, from);
        Value *v = import_value(im, from);
        if (!v->node && value_is_constant(v)) {
            const Const *c = value_const(im, v);
            v->node = c ? const_node(im, c) : NULL;
            if (!v->node) return false;
        }
        if (!v->node) return import_fail(im, DIAG_SPEC, "output '%.100s' is made by no node", from);
        while (output_taken(im->g, name)) name = arena_printf(im->a, "%s_", name);
        if (!graph_output(im->g, name, v->node, im->d)) return false;
    }
    return true;
}

/* ---- all ------------------------------------------------------------------------------------------- */

static bool choose_opset(Import *im, const Onnx__ModelProto *m) {
    im->opset = m->n_opset_import ? 0 : 1;
    for (size_t i = 0; i < m->n_opset_import; i++)
        if (known_domain(m->opset_import[i]->domain)) im->opset = m->opset_import[i]->version;
    if (im->opset >= 1 && im->opset <= OPSET_NEWEST) return true;
    return import_fail(im, DIAG_UNSUPPORTED, "opset %lld; 1 to %d are known", (long long)im->opset, OPSET_NEWEST);
}

/* What a weight holds, in its element type. */
static const void *bound_data(Import *im, const Bound *b) {
    const Const *c = b->value;
    if (c->f) return c->f;
    if (c->dtype == DT_I64) return c->i;
    void *to = const_room(im, dtype_bytes(c->dtype), c->n);
    for (int64_t i = 0; to && i < c->n; i++)
        if (c->dtype == DT_I32) ((int32_t *)to)[i] = (int32_t)c->i[i];
        else ((uint8_t *)to)[i] = (uint8_t)(c->dtype == DT_BOOL ? c->i[i] != 0 : c->i[i]);
    return to;
}

static bool bind_weights(Import *im, OnnxModel *out) {
    out->weight = ARENA_ARRAY(im->a, const void *, im->g->n_node);
    for (int i = 0; i < im->n_weight; i++) {
        const Node *n = im->weight[i].node;
        if (n->id >= im->g->n_node || im->g->node[n->id] != n) continue;
        out->weight[n->id] = bound_data(im, &im->weight[i]);
        if (!out->weight[n->id]) return false;
    }
    return true;
}

bool import_model(Import *im, const OnnxFile *f, OnnxModel *out) {
    im->from = f->model->graph;
    if (!im->from) return import_fail(im, DIAG_SPEC, "the model has no graph");
    if (!choose_opset(im, f->model)) return false;
    size_t names = 0, nodes = 0;
    count_graph(im->from, &names, &nodes);
    if (nodes > MOST_NODES)
        return import_fail(im, DIAG_UNSUPPORTED, "%zu nodes; at most %d are possible", nodes, MOST_NODES);
    im->most = f->size > (SIZE_MAX - CONSTANTS_BASE) / CONSTANTS ? SIZE_MAX : f->size * CONSTANTS + CONSTANTS_BASE;
    im->g = graph_new(im->a, import_name(im->a, text(im->from->name)));
    im->set_used = ARENA_ARRAY(im->a, bool, im->o->n_set);
    im->shape_used = ARENA_ARRAY(im->a, bool, im->o->n_shape);
    im->done = ARENA_ARRAY(im->a, bool, im->from->n_node);
    values_make(im, names);
    if (!initializers(im, im->from) || !import_inputs(im) || !fold_constants(im) || !convert_all(im) || !outputs(im))
        return false;
    graph_remove_dead(im->g);
    out->graph = im->g;
    return bind_weights(im, out);
}
