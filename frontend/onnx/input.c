/* The inputs of a model: their types, and what the user says of open extents and of inputs that are known. */
#include "frontend/onnx/import.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const char *s) { return s ? s : ""; }

/* The value of --set NAME=N; 0 when there is none, −1 with a message. */
static int64_t set_value(Import *im, const char *name) {
    size_t len = strlen(name);
    for (int i = 0; i < im->o->n_set; i++) {
        const char *set = im->o->set[i];
        if (strncmp(set, name, len) != 0 || set[len] != '=') continue;
        char *end;
        long long v = strtoll(set + len + 1, &end, 10);
        im->set_used[i] = true;
        if (isdigit((unsigned char)set[len + 1]) && !*end && v >= 1 && v <= 1 << 30) return v;
        import_fail(im, DIAG_USAGE, "--set %.200s: a whole number from 1 to %d expected", set, 1 << 30);
        return -1;
    }
    return 0;
}

static bool input_extent(Import *im, const char *input, const Onnx__TensorShapeProto__Dimension *dim, int axis,
                         int64_t *out) {
    bool open = dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    const char *name =
        dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ? text(dim->dim_param) : "";
    int64_t set = open && *name ? set_value(im, name) : 0;
    if (set < 0) return false;
    *out = set ? set : open ? im->o->batch : dim->dim_value;
    if (open && axis > 0 && !set) {
        if (!*name)
            return import_fail(im, DIAG_USAGE,
                               "axis %d of input '%.100s' has neither size nor name: give it by --shape %.100s=D,D…",
                               axis, input, input);
        return import_fail(im, DIAG_USAGE,
                           "axis %d of input '%.100s' has the open size '%.100s': give it by --set %.100s=N", axis,
                           input, name, name);
    }
    if (axis == 0 && im->o->batch > 1 && *out != im->o->batch)
        return import_fail(im, DIAG_USAGE, "the batch of input '%.100s' is %lld, --batch %lld does not fit", input,
                           (long long)*out, (long long)im->o->batch);
    return true;
}

static bool dtype_of(int32_t data_type, DType *out) {
    switch (data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16: *out = DT_F32; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: *out = DT_I64; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32: *out = DT_I32; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8: *out = DT_U8; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL: *out = DT_BOOL; return true;
    default: return false;
    }
}

/* --shape NAME=D,D…: the numbers, at most MAX_RANK; n = −1 when there is none. */
static bool shape_given(Import *im, const char *name, int64_t *dim, int *n) {
    size_t len = strlen(name);
    *n = -1;
    for (int i = 0; i < im->o->n_shape; i++) {
        const char *p = im->o->shapes[i];
        if (strncmp(p, name, len) != 0 || p[len] != '=') continue;
        if (*n >= 0) return import_fail(im, DIAG_USAGE, "--shape %.200s: it has a shape already", p);
        im->shape_used[i] = true;
        *n = 0;
        for (p += len; *p == (*n ? ',' : '=') && *n < MAX_RANK; ++*n) {
            char *end;
            long long v = strtoll(p + 1, &end, 10);
            if (!isdigit((unsigned char)p[1]) || v < 1 || v > 1 << 30) break;
            dim[*n] = v;
            p = end;
        }
        if (*p)
            return import_fail(im, DIAG_USAGE, "--shape %.200s: at most %d extents from 1 to %d expected",
                               im->o->shapes[i], MAX_RANK, 1 << 30);
    }
    return true;
}

/* The extents of an input: as --shape says, as the model says, or as --set and --batch say of what it leaves open. */
static bool input_extents(Import *im, const char *name, const Onnx__TensorShapeProto *shape, int64_t *extent,
                          int *rank) {
    int given;
    if (!shape_given(im, name, extent, &given)) return false;
    if (!shape && given < 0)
        return import_fail(im, DIAG_USAGE, "input '%.100s' has no shape: give it by --shape %.100s=D,D…", name, name);
    if (given >= 0 && shape && shape->n_dim != (size_t)given)
        return import_fail(im, DIAG_USAGE, "--shape %.100s has %d extents, the model %zu", name, given, shape->n_dim);
    if (given > 0 && im->o->batch > 1 && extent[0] != im->o->batch)
        return import_fail(im, DIAG_USAGE, "the batch of input '%.100s' is %lld, --batch %lld does not fit", name,
                           (long long)extent[0], (long long)im->o->batch);
    if (!shape) return *rank = given, true;
    if (shape->n_dim > MAX_RANK)
        return import_fail(im, DIAG_UNSUPPORTED, "input '%.100s' has %zu axes; at most %d are known", name,
                           shape->n_dim, MAX_RANK);
    *rank = (int)shape->n_dim;
    for (int i = 0; i < *rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        bool open = dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (given < 0 && !input_extent(im, name, dim, i, &extent[i])) return false;
        if (given >= 0 && !open && dim->dim_value != extent[i])
            return import_fail(im, DIAG_USAGE, "--shape %.100s: axis %d is %lld in the model", name, i,
                               (long long)dim->dim_value);
    }
    return true;
}

static bool import_input(Import *im, const Onnx__ValueInfoProto *from) {
    const char *name = text(from->name);
    Value *v = import_value(im, name);
    if (value_is_constant(v)) return true; /* before IR version 4 initialisers are inputs too */
    if (!*name || v->node) return import_fail(im, DIAG_SPEC, "there are two inputs '%.100s'", name);
    const Onnx__TypeProto *t = from->type;
    if (!t || t->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !t->tensor_type)
        return import_fail(im, DIAG_UNSUPPORTED, "input '%.100s' is not a tensor", name);
    const Onnx__TypeProto__Tensor *tensor = t->tensor_type;
    DType dtype;
    if (!dtype_of(tensor->elem_type, &dtype))
        return import_fail(
            im, DIAG_UNSUPPORTED,
            "input '%.100s' has data type %d; float, float16, bfloat16, int64, int32, uint8, bool are known", name,
            tensor->elem_type);
    int rank = 0;
    int64_t extent[MAX_RANK];
    if (!input_extents(im, name, tensor->shape, extent, &rank)) return false;
    Type type;
    Diag why = {0};
    if (!type_of_rank(&type, dtype, rank, extent, &why))
        return import_fail(im, DIAG_SPEC, "input '%.100s': %s", name, why.text);
    v->node = graph_input(im->g, import_fresh(im, name), (SrcLoc){im->path, 0}, &type, &why);
    if (v->node && type_elements(&type) == 0)
        v->constant = const_filled(im, dtype, extent, rank, 0); /* all is known of it */
    return v->node || import_fail(im, DIAG_SPEC, "input '%.100s': %s", name, why.text);
}

/* What --const knows is a constant of the graph, whatever an initialiser says. */
static bool bind_constants(Import *im) {
    for (int i = 0; i < im->o->n_constant; i++) {
        const char *given = im->o->constants[i], *equals = strchr(given, '=');
        size_t len = equals ? (size_t)(equals - given) : 0, k = 0;
        while (k < im->from->n_input && (!equals || strncmp(text(im->from->input[k]->name), given, len) != 0 ||
                                         im->from->input[k]->name[len] != '\0'))
            k++;
        if (k == im->from->n_input)
            return import_fail(im, DIAG_USAGE, "--const %.200s: there is no input of this name", given);
        Value *v = import_value(im, im->from->input[k]->name);
        if (v->constant) return import_fail(im, DIAG_USAGE, "--const %.200s: it has a file already", given);
        v->tensor = NULL;
        v->constant = file_const(im, equals + 1);
        if (!v->constant) return false;
    }
    return true;
}

bool import_inputs(Import *im) {
    if (!bind_constants(im)) return false;
    for (size_t i = 0; i < im->from->n_input; i++) {
        im->index = (int)i;
        if (!import_input(im, im->from->input[i])) return false;
    }
    for (int i = 0; i < im->o->n_set; i++)
        if (!im->set_used[i])
            return import_fail(im, DIAG_USAGE, "--set %.200s: no input has an open dimension of this name",
                               im->o->set[i]);
    for (int i = 0; i < im->o->n_shape; i++)
        if (!im->shape_used[i])
            return import_fail(im, DIAG_USAGE, "--shape %.200s: there is no input of this name", im->o->shapes[i]);
    return true;
}
