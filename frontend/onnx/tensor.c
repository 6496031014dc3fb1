/* Constants: tensors of the file as float32 or int64, and what is computed with them. */
#include "frontend/onnx/import.h"

#include "frontend/data/load.h"

#include <string.h>

void *const_room(Import *im, size_t size, int64_t n) {
    size_t bytes;
    if (!size_mul(size, (size_t)n, &bytes) || bytes > im->most - im->computed) {
        import_fail(im, DIAG_UNSUPPORTED, "the constants of this model take more than %zu bytes", im->most);
        return NULL;
    }
    im->computed += bytes;
    return arena_alloc(im->a, bytes ? bytes : 1);
}

/* ---- decoding -------------------------------------------------------------------------------------- */

static bool elem_of(int32_t data_type, ElemType *out) {
    switch (data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: *out = ELEM_F32; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16: *out = ELEM_F16; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16: *out = ELEM_BF16; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: *out = ELEM_F64; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: *out = ELEM_I64; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32: *out = ELEM_I32; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8: *out = ELEM_U8; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8: *out = ELEM_I8; return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL: *out = ELEM_BOOL; return true;
    default: return false;
    }
}

/* The numbers of a typed field (float_data …); halves and bools stand in the low bits of int32_data. */
static bool typed_data(Import *im, const Onnx__TensorProto *t, Array *v, size_t n, size_t *given) {
    v->data = v->type == ELEM_F32   ? (const void *)t->float_data
              : v->type == ELEM_F64 ? (const void *)t->double_data
              : v->type == ELEM_I64 ? (const void *)t->int64_data
                                    : t->int32_data;
    *given = v->type == ELEM_F32   ? t->n_float_data
             : v->type == ELEM_F64 ? t->n_double_data
             : v->type == ELEM_I64 ? t->n_int64_data
                                   : t->n_int32_data;
    if (*given != n || elem_bytes(v->type) == 8 || v->type == ELEM_F32 || v->type == ELEM_I32) return true;
    void *narrow = const_room(im, elem_bytes(v->type), (int64_t)n);
    for (size_t i = 0; narrow && i < n; i++)
        if (v->type == ELEM_BOOL) ((uint8_t *)narrow)[i] = t->int32_data[i] != 0;
        else if (elem_bytes(v->type) == 1) ((uint8_t *)narrow)[i] = (uint8_t)t->int32_data[i];
        else ((uint16_t *)narrow)[i] = (uint16_t)t->int32_data[i];
    v->data = narrow;
    return narrow != NULL;
}

static bool tensor_view(Import *im, const Onnx__TensorProto *t, const char *name, Array *v) {
    size_t n, bytes;
    if (t->segment) return import_fail(im, DIAG_UNSUPPORTED, "tensor '%.100s' is in segments", name);
    if (!elem_of(t->data_type, &v->type))
        return import_fail(im, DIAG_UNSUPPORTED,
                           "tensor '%.100s' has data type %d; float, float16, bfloat16, double, int64, int32, int8, "
                           "uint8, bool are known",
                           name, t->data_type);
    if (t->n_dims > ONNX_MAX_RANK)
        return import_fail(im, DIAG_UNSUPPORTED, "tensor '%.100s' has %zu axes", name, t->n_dims);
    v->rank = (int)t->n_dims;
    for (int i = 0; i < v->rank; i++) v->shape[i] = t->dims[i];
    if (!shape_size(v->type, v->rank, v->shape, &n, &bytes))
        return import_fail(im, DIAG_SPEC, "tensor '%.100s' cannot be %s", name, import_dims(im->a, v->shape, v->rank));
    v->bytes = bytes;
    size_t given;
    if (t->n_external_data ||
        (t->has_data_location && t->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT)) {
        if (!external_data(im, t, name, &v->data, &given)) return false;
        if (given == bytes) return true;
        return import_fail(im, DIAG_FILE,
                           "tensor '%.100s' is %s of %s, which is %zu bytes, but the other file gives it %zu", name,
                           import_dims(im->a, v->shape, v->rank), elem_name(v->type), bytes, given);
    }
    if (t->has_raw_data) {
        v->data = t->raw_data.data;
        given = t->raw_data.len;
        if (given == bytes) return true;
        return import_fail(im, DIAG_FILE, "tensor '%.100s' is %s of %s, which is %zu bytes, but it has %zu", name,
                           import_dims(im->a, v->shape, v->rank), elem_name(v->type), bytes, given);
    }
    if (!typed_data(im, t, v, n, &given)) return false;
    return given == n || import_fail(im, DIAG_FILE, "tensor '%.100s' is %s, which is %zu numbers, but it has %zu", name,
                                     import_dims(im->a, v->shape, v->rank), n, given);
}

static void widen_integers(const Array *v, int64_t n, int64_t *to) {
    const void *from = v->data;
    int32_t wide;
    for (int64_t i = 0; i < n; i++) {
        const char *at = (const char *)from + (size_t)i * elem_bytes(v->type); /* perhaps unaligned */
        if (v->type == ELEM_I64) memcpy(&to[i], at, sizeof *to);
        else if (v->type == ELEM_I32) memcpy(&wide, at, sizeof wide), to[i] = wide;
        else if (v->type == ELEM_I8) to[i] = *(const int8_t *)at;
        else to[i] = v->type == ELEM_BOOL ? *at != 0 : *(const uint8_t *)at;
    }
}

/* The element type of a kernel's buffer that holds these. */
static DType dtype_for(ElemType t) {
    return t == ELEM_I64                   ? DT_I64
           : t == ELEM_I32 || t == ELEM_I8 ? DT_I32
           : t == ELEM_U8                  ? DT_U8
           : t == ELEM_BOOL                ? DT_BOOL
                                           : DT_F32;
}

static const Const *array_const(Import *im, const Array *v) {
    Const *c = ARENA_NEW(im->a, Const);
    c->rank = v->rank;
    memcpy(c->dim, v->shape, sizeof c->dim);
    c->n = (int64_t)array_elements(v);
    c->dtype = dtype_for(v->type);
    if (c->dtype != DT_F32) {
        int64_t *to = const_room(im, sizeof *to, c->n);
        if (to) widen_integers(v, c->n, to);
        c->i = to;
    } else {
        float *to = const_room(im, sizeof *to, c->n);
        if (to && c->n) array_to_f32(v, to);
        c->f = to;
    }
    return c->i || c->f ? c : NULL;
}

const Const *tensor_const(Import *im, const Onnx__TensorProto *t, const char *name) {
    Array v = {0};
    return tensor_view(im, t, name, &v) ? array_const(im, &v) : NULL;
}

/* ---- files ------------------------------------------------------------------------------------------- */

bool onnx_tensor_load(Arena *a, const char *path, Array *out, Diag *d) {
    OnnxFile file;
    *out = (Array){0};
    if (!onnx_open_tensor(&file, path, d)) return false;
    volatile bool good = false, oom = false;
    jmp_buf outer;
    memcpy(outer, a->oom, sizeof outer);
    if (setjmp(a->oom) == 0) {
        Import im = {.a = a, .path = path, .d = d, .most = SIZE_MAX};
        good = tensor_view(&im, file.tensor, file.tensor->name ? file.tensor->name : "", out);
        if (good) out->data = arena_copy(a, out->data, out->bytes);
    } else {
        oom = true;
    }
    memcpy(a->oom, outer, sizeof outer);
    onnx_close(&file);
    if (oom) longjmp(a->oom, 1);
    return good;
}

static bool is_tensor_file(const char *path) {
    size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".pb") == 0;
}

const Const *file_const(Import *im, const char *path) {
    Array v;
    if (!(is_tensor_file(path) ? onnx_tensor_load(im->a, path, &v, im->d) : data_load(path, &v, im->d))) return NULL;
    const Const *volatile c = NULL;
    volatile bool oom = false;
    jmp_buf outer;
    memcpy(outer, im->a->oom, sizeof outer);
    if (setjmp(im->a->oom) == 0) c = array_const(im, &v);
    else oom = true;
    memcpy(im->a->oom, outer, sizeof outer);
    array_close(&v);
    if (oom) longjmp(im->a->oom, 1);
    return c;
}

const Const *value_const(Import *im, Value *v) {
    if (!v->constant && v->tensor) v->constant = tensor_const(im, v->tensor, v->name);
    if (!v->constant && v->node && v->node->constant) v->constant = node_const(im, v->node);
    return v->constant;
}

const Const *const_integers(Import *im, const int64_t *v, int n) {
    Const *c = const_filled(im, DT_I64, (int64_t[]){n}, 1, 0);
    if (c && n) memcpy((void *)(uintptr_t)c->i, v, (size_t)n * sizeof *v);
    return c;
}

const Const *const_floats(Import *im, const float *v, int64_t n) {
    Const *c = const_filled(im, DT_F32, &n, 1, 0);
    if (c && n) memcpy((void *)(uintptr_t)c->f, v, (size_t)n * sizeof *v);
    return c;
}

Const *const_filled(Import *im, DType type, const int64_t *dim, int rank, double v) {
    Const *c = ARENA_NEW(im->a, Const);
    *c = (Const){.dtype = type, .rank = rank, .n = 1};
    bool fits = true;
    for (int i = 0; i < rank && fits; i++) {
        c->dim[i] = dim[i];
        fits = dim[i] >= 0 && !__builtin_mul_overflow(c->n, dim[i], &c->n);
    }
    if (!fits) {
        import_fail(im, DIAG_SPEC, "a tensor cannot be %s", import_dims(im->a, dim, rank));
        return NULL;
    }
    float *f = type == DT_F32 ? const_room(im, sizeof *f, c->n) : NULL;
    int64_t *i = type == DT_F32 ? NULL : const_room(im, sizeof *i, c->n);
    for (int64_t k = 0; f && k < c->n; k++) f[k] = (float)v;
    for (int64_t k = 0; i && k < c->n; k++) i[k] = (int64_t)v;
    c->f = f;
    c->i = i;
    return f || i ? c : NULL;
}

/* ---- computing ------------------------------------------------------------------------------------- */

const Const *const_reshaped(Import *im, const Const *c, const int64_t *dim, int rank) {
    int64_t n = 1;
    bool fits = rank <= ONNX_MAX_RANK;
    for (int i = 0; i < rank && fits; i++) fits = dim[i] >= 0 && !__builtin_mul_overflow(n, dim[i], &n);
    if (!fits || n != c->n) {
        import_fail(im, DIAG_SPEC, "%s cannot become %s", import_dims(im->a, c->dim, c->rank),
                    import_dims(im->a, dim, rank < ONNX_MAX_RANK ? rank : ONNX_MAX_RANK));
        return NULL;
    }
    Const *y = ARENA_NEW(im->a, Const);
    *y = (Const){.dtype = c->dtype, .rank = rank, .n = n, .f = c->f, .i = c->i};
    for (int i = 0; i < rank; i++) y->dim[i] = dim[i];
    return y;
}

const Const *const_transposed(Import *im, const Const *c, const int64_t *perm) {
    int64_t stride[ONNX_MAX_RANK], at[ONNX_MAX_RANK] = {0}, step = 1, from = 0;
    Const *y = ARENA_NEW(im->a, Const);
    *y = (Const){.dtype = c->dtype, .rank = c->rank, .n = c->n};
    for (int i = c->rank - 1; i >= 0; i--) {
        stride[i] = step;
        if (c->n) step *= c->dim[i];
    }
    for (int i = 0; i < c->rank; i++) y->dim[i] = c->dim[perm[i]];
    float *f = c->f ? const_room(im, sizeof *f, c->n) : NULL;
    int64_t *v = c->i ? const_room(im, sizeof *v, c->n) : NULL;
    if (!f && !v) return NULL;
    for (int64_t e = 0; e < c->n; e++) {
        if (f) f[e] = c->f[from];
        else v[e] = c->i[from];
        for (int i = y->rank - 1; i >= 0; i--) { /* the next element of y */
            from += stride[perm[i]];
            if (++at[i] < y->dim[i]) break;
            from -= at[i] * stride[perm[i]];
            at[i] = 0;
        }
    }
    y->f = f;
    y->i = v;
    return y;
}

const float *const_per_channel(Import *im, const Const *c, int rank, int at, int64_t channels) {
    if (at < 0) at = rank - c->rank;
    if (!c->f || at < 0 || at > rank - c->rank) return NULL;
    int64_t own = 1;
    for (int i = 0; i < c->rank; i++) {
        if (at + i == 1) own = c->dim[i];
        else if (c->dim[i] != 1) return NULL;
    }
    if (own == channels) return c->f;
    if (own != 1) return NULL;
    float *v = const_room(im, sizeof *v, channels);
    for (int64_t i = 0; v && i < channels; i++) v[i] = c->f[0];
    return v;
}
