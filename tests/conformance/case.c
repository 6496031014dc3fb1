#include "tests/conformance/case.h"

#include "frontend/model.h"
#include "frontend/onnx/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Case {
    Arena *a;
    const char *folder, *model;
    CaseResult *r;
    int n_in; /* of the model, initialisers not counted */
    const char **name;
    bool *integer; /* or boolean */
} Case;

static bool case_end(Case *c, Verdict v, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool case_end(Case *c, Verdict v, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->r->text, sizeof c->r->text, fmt, ap);
    va_end(ap);
    c->r->verdict = v;
    return false;
}

/* ---- files ----------------------------------------------------------------------------------------- */

static bool is_initializer(const Onnx__GraphProto *g, const char *name) {
    for (size_t i = 0; i < g->n_initializer; i++)
        if (g->initializer[i]->name && strcmp(g->initializer[i]->name, name) == 0) return true;
    return false;
}

static bool is_integer(const Onnx__ValueInfoProto *v) {
    if (!v->type || v->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) return false;
    int32_t type = v->type->tensor_type->elem_type;
    return type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 &&
           type != ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16 && type != ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
}

static bool read_inputs(Case *c) {
    OnnxFile file;
    Diag d = {0};
    if (!onnx_open(&file, c->model, &d)) return case_end(c, CASE_BROKEN, "%s", d.text);
    const Onnx__GraphProto *g = file.model->graph;
    c->name = ARENA_ARRAY(c->a, const char *, g->n_input);
    c->integer = ARENA_ARRAY(c->a, bool, g->n_input);
    for (size_t i = 0; i < g->n_input; i++) {
        if (is_initializer(g, g->input[i]->name)) continue;
        c->name[c->n_in] = arena_strdup(c->a, g->input[i]->name);
        c->integer[c->n_in++] = is_integer(g->input[i]);
    }
    onnx_close(&file);
    return true;
}

static const char *tensor_path(const Case *c, int set, const char *which, int i) {
    return arena_printf(c->a, "%s/test_data_set_%d/%s_%d.pb", c->folder, set, which, i);
}

static bool tensor_read(Case *c, int set, const char *which, int i, Array *out) {
    Diag d = {0};
    return onnx_tensor_load(c->a, tensor_path(c, set, which, i), out, &d) || case_end(c, CASE_BROKEN, "%s", d.text);
}

/* ---- values ---------------------------------------------------------------------------------------- */

static bool same_element(DType own, ElemType file) {
    switch (own) {
    case DT_F32: return file == ELEM_F32 || file == ELEM_F16 || file == ELEM_BF16 || file == ELEM_F64;
    case DT_I64: return file == ELEM_I64;
    case DT_I32: return file == ELEM_I32;
    case DT_U8: return file == ELEM_U8;
    case DT_BOOL: return file == ELEM_BOOL;
    }
    return false;
}

static bool same_type(const Type *own, const Array *file) {
    bool same = own->rank == file->rank && same_element(own->dtype, file->type);
    for (int i = 0; same && i < own->rank; i++) same = own->axis[i].extent == file->shape[i];
    return same;
}

static bool type_differs(Case *c, const char *what, const PlanPort *port, const Array *file) {
    char shape[ARRAY_SHAPE_TEXT];
    return case_end(c, CASE_WRONG, "%s %s is %s, but the file's %s%s", what, port->name, type_text(c->a, &port->type),
                    elem_name(file->type), array_shape_text(shape, file->rank, file->shape));
}

static void *port_room(Arena *a, const Type *t) {
    return arena_alloc(a, (size_t)type_elements(t) * dtype_bytes(t->dtype) + PLAN_ALIGN);
}

static bool inputs_read(Case *c, const LunetteModel *m, int set, const bool *bound, const void **x) {
    int port = 0;
    for (int i = 0; i < c->n_in; i++) {
        Array v;
        if (bound[i]) continue;
        if (port == m->plan->n_input) return case_end(c, CASE_BROKEN, "input %s is missing", c->name[i]);
        const PlanPort *p = &m->plan->input[port];
        if (!tensor_read(c, set, "input", i, &v)) return false;
        if (!same_type(&p->type, &v)) return type_differs(c, "input", p, &v);
        void *to = port_room(c->a, &p->type);
        if (p->type.dtype == DT_F32) array_to_f32(&v, to);
        else memcpy(to, v.data, v.bytes);
        x[port++] = to;
    }
    return port == m->plan->n_input || case_end(c, CASE_BROKEN, "input %s is too many", m->plan->input[port].name);
}

static bool float_agrees(double y, double wanted) {
    if (isnan(wanted) || isinf(wanted)) return isnan(wanted) ? isnan(y) : y == wanted;
    return fabs(y - wanted) <= CASE_ABSOLUTE + CASE_RELATIVE * fabs(wanted);
}

static bool floats_agree(Case *c, const PlanPort *p, const float *y, const Array *wanted) {
    size_t n = array_elements(wanted), wrong = 0, first = 0;
    float *w = arena_alloc(c->a, n * sizeof *w + 1);
    array_to_f32(wanted, w);
    for (size_t i = n; i-- > 0;)
        if (!float_agrees(y[i], w[i])) {
            wrong++;
            first = i;
        }
    return wrong == 0 || case_end(c, CASE_WRONG, "output %s: %zu of %zu differ, the first at %zu: %.9g, wanted %.9g",
                                  p->name, wrong, n, first, (double)y[first], (double)w[first]);
}

static bool output_agrees(Case *c, const PlanPort *p, const void *y, const Array *wanted) {
    if (!same_type(&p->type, wanted)) return type_differs(c, "output", p, wanted);
    if (p->type.dtype == DT_F32) return floats_agree(c, p, y, wanted);
    if (wanted->bytes == 0 || memcmp(y, wanted->data, wanted->bytes) == 0) return true;
    size_t size = elem_bytes(wanted->type), at = 0;
    while (memcmp((const char *)y + at * size, (const char *)wanted->data + at * size, size) == 0) at++;
    return case_end(c, CASE_WRONG, "output %s differs, first at %zu of %zu", p->name, at, array_elements(wanted));
}

/* ---- running --------------------------------------------------------------------------------------- */

static bool run_set(Case *c, LunetteModel *m, int set, const bool *bound) {
    const void **x = ARENA_ARRAY(c->a, const void *, m->plan->n_input + 1);
    void **y = ARENA_ARRAY(c->a, void *, m->plan->n_output + 1);
    if (!inputs_read(c, m, set, bound, x)) return false;
    for (int i = 0; i < m->plan->n_output; i++) {
        y[i] = port_room(c->a, &m->plan->output[i].type);
        memset(y[i], 0xa5,
               (size_t)type_elements(&m->plan->output[i].type) * dtype_bytes(m->plan->output[i].type.dtype));
    }
    model_run(m, x, y);
    for (int i = 0; i < m->plan->n_output; i++) {
        Array wanted;
        if (!tensor_read(c, set, "output", i, &wanted)) return false;
        if (!output_agrees(c, &m->plan->output[i], y[i], &wanted)) return false;
    }
    return true;
}

static LunetteModel *model_make(Case *c, int set, const bool *bound, Diag *d) {
    const char **constant = ARENA_ARRAY(c->a, const char *, c->n_in);
    LunetteOptions o = {.no_cache = 1, .constants = constant};
    for (int i = 0; i < c->n_in; i++)
        if (bound[i])
            constant[o.n_constant++] = arena_printf(c->a, "%s=%s", c->name[i], tensor_path(c, set, "input", i));
    LunetteModel *m = model_load(c->model, &o, NULL, NULL, d);
    if (m && model_weights(m, d) && model_build(m, d)) return m;
    model_close(m);
    return NULL;
}

/* Whether there is more to bind than before. */
static bool choose_bound(const Case *c, Known known, bool *bound) {
    bool more = known == KNOWN_NOTHING;
    for (int i = 0; i < c->n_in; i++) {
        bool now = known == KNOWN_NOTHING ? false : c->integer[i] || (known == KNOWN_OTHERS && i > 0);
        if (now && !bound[i]) more = true;
        bound[i] = now;
    }
    return more;
}

/* The message without the file's name; of several the first that is not about what is known of the inputs. */
static void keep_message(Case *c, const Diag *d) {
    size_t n = strlen(c->model);
    const char *had = c->r->text;
    if (*had && strncmp(had, "input '", 7) != 0 && !strstr(had, "a constant")) return;
    case_end(c, CASE_REFUSED, "%s", strncmp(d->text, c->model, n) == 0 ? d->text + n + 2 : d->text);
}

static bool set_works(Case *c, int set) {
    LunetteModel *m = NULL;
    bool *bound = ARENA_ARRAY(c->a, bool, c->n_in);
    for (Known known = KNOWN_NOTHING; known < KNOWN_COUNT && !m; known++) {
        Diag d = {0};
        if (!choose_bound(c, known, bound)) continue;
        m = model_make(c, set, bound, &d);
        if (d.kind == DIAG_INTERNAL) return case_end(c, CASE_BROKEN, "%s", d.text);
        if (!m) keep_message(c, &d);
        else if (known > c->r->known) c->r->known = known;
    }
    if (!m) return false;
    *c->r = (CaseResult){.known = c->r->known};
    bool good = run_set(c, m, set, bound);
    model_close(m);
    return good;
}

static void run_sets(Case *c) {
    c->model = arena_printf(c->a, "%s/model.onnx", c->folder);
    if (!read_inputs(c)) return;
    int sets = 0;
    while (access(tensor_path(c, sets, "output", 0), R_OK) == 0) {
        if (!set_works(c, sets++)) return;
    }
    if (sets == 0) case_end(c, CASE_BROKEN, "%s: there is no test_data_set_0", c->folder);
}

void case_run(const char *folder, CaseResult *r) {
    *r = (CaseResult){0};
    Diag d = {0};
    Case c = {.a = arena_open(&d), .folder = folder, .r = r};
    if (!c.a) {
        case_end(&c, CASE_BROKEN, "%s", d.text);
        return;
    }
    if (ARENA_TRY(c.a)) run_sets(&c);
    else case_end(&c, CASE_BROKEN, "out of memory");
    ARENA_END(c.a);
    arena_close(c.a);
}
