#include "frontend/data/array.h"

#include "frontend/data/fail.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} elem_table[] = {
    [ELEM_BOOL] = {"bool", 1}, [ELEM_U8] = {"u8", 1},   [ELEM_I8] = {"i8", 1},     [ELEM_U16] = {"u16", 2},
    [ELEM_I16] = {"i16", 2},   [ELEM_U32] = {"u32", 4}, [ELEM_I32] = {"i32", 4},   [ELEM_U64] = {"u64", 8},
    [ELEM_I64] = {"i64", 8},   [ELEM_F16] = {"f16", 2}, [ELEM_BF16] = {"bf16", 2}, [ELEM_F32] = {"f32", 4},
    [ELEM_F64] = {"f64", 8},
};

size_t elem_bytes(ElemType t) { return elem_table[t].bytes; }
const char *elem_name(ElemType t) { return elem_table[t].name; }

bool shape_size(ElemType t, int rank, const int64_t *shape, size_t *elements, size_t *bytes) {
    size_t size = elem_bytes(t);
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0 || (uint64_t)shape[i] > PTRDIFF_MAX) return false;
        if (shape[i] == 0) empty = true;
        else if (!size_mul(size, (size_t)shape[i], &size)) return false;
    }
    if (size > PTRDIFF_MAX) return false;
    if (empty) size = 0;
    if (elements) *elements = size / elem_bytes(t);
    if (bytes) *bytes = size;
    return true;
}

const char *array_shape_text(char out[ARRAY_SHAPE_TEXT], int rank, const int64_t *shape) {
    size_t n = (size_t)snprintf(out, ARRAY_SHAPE_TEXT, "[");
    for (int i = 0; i < rank; i++)
        n += (size_t)snprintf(out + n, ARRAY_SHAPE_TEXT - n, "%s%lld", i ? ", " : "", (long long)shape[i]);
    snprintf(out + n, ARRAY_SHAPE_TEXT - n, "]");
    return out;
}
_Static_assert(ARRAY_MAX_RANK * 22 + 3 <= ARRAY_SHAPE_TEXT, "the longest shape fits");

void array_own(Array *a, ElemType t, DataKind kind, int rank, const int64_t *shape, void *heap) {
    *a = (Array){.type = t, .data_kind = kind, .rank = rank, .data = heap, .heap = heap};
    if (rank) memcpy(a->shape, shape, (size_t)rank * sizeof *shape);
    shape_size(t, rank, shape, NULL, &a->bytes);
}

size_t array_elements(const Array *a) { return a->bytes / elem_bytes(a->type); }

static float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float float_of_half(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, fraction = h & 1023u;
    if (exponent == 0) { /* zero and subnormals: fraction · 2⁻²⁴ */
        float x = (float)fraction * 0x1p-24f;
        return sign ? -x : x;
    }
    if (exponent == 31) return float_of_bits(sign | 0x7f800000u | fraction << 13);
    return float_of_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

/* memcpy, for mapped data may start at any byte. */
#define WIDEN(T, expression)                                                                                           \
    for (size_t i = 0; i < n; i++) {                                                                                   \
        T v;                                                                                                           \
        memcpy(&v, p + i * sizeof v, sizeof v);                                                                        \
        out[i] = (expression);                                                                                         \
    }                                                                                                                  \
    return

void array_to_f32(const Array *a, float *out) {
    const uint8_t *p = a->data;
    size_t n = array_elements(a);
    switch (a->type) {
    case ELEM_BOOL: WIDEN(uint8_t, v != 0);
    case ELEM_U8: WIDEN(uint8_t, v);
    case ELEM_I8: WIDEN(int8_t, v);
    case ELEM_U16: WIDEN(uint16_t, v);
    case ELEM_I16: WIDEN(int16_t, v);
    case ELEM_U32: WIDEN(uint32_t, (float)v);
    case ELEM_I32: WIDEN(int32_t, (float)v);
    case ELEM_U64: WIDEN(uint64_t, (float)v);
    case ELEM_I64: WIDEN(int64_t, (float)v);
    case ELEM_F16: WIDEN(uint16_t, float_of_half(v));
    case ELEM_BF16: WIDEN(uint16_t, float_of_bits((uint32_t)v << 16));
    case ELEM_F32:
        if (n) memcpy(out, p, n * sizeof *out);
        return;
    case ELEM_F64: WIDEN(double, (float)v);
    }
}

/* ---- integers ------------------------------------------------------------------------------------ */

bool elem_is_float(ElemType t) { return t == ELEM_F16 || t == ELEM_BF16 || t == ELEM_F32 || t == ELEM_F64; }

/* Element i of an array of integers; false: above INT64_MAX. */
static bool integer_at(const Array *a, size_t i, int64_t *out) {
    const uint8_t *p = (const uint8_t *)a->data + i * elem_bytes(a->type);
    uint64_t wide = 0;
    memcpy(&wide, p, elem_bytes(a->type));
    switch (a->type) {
    case ELEM_BOOL: *out = wide != 0; return true;
    case ELEM_I8: *out = (int8_t)wide; return true;
    case ELEM_I16: *out = (int16_t)wide; return true;
    case ELEM_I32: *out = (int32_t)wide; return true;
    case ELEM_U8:
    case ELEM_U16:
    case ELEM_U32:
    case ELEM_U64:
    case ELEM_I64:
    case ELEM_F16:
    case ELEM_BF16:
    case ELEM_F32:
    case ELEM_F64: break;
    }
    *out = (int64_t)wide;
    return a->type != ELEM_U64 || wide <= INT64_MAX;
}

double array_get(const Array *a, size_t i) {
    size_t size = elem_bytes(a->type);
    Array one = {.type = a->type, .data = (const char *)a->data + i * size, .bytes = size};
    int64_t whole;
    float narrow;
    double wide;
    if (a->type == ELEM_F64) {
        memcpy(&wide, one.data, sizeof wide);
        return wide;
    }
    if (!elem_is_float(a->type)) return integer_at(a, i, &whole) ? (double)whole : (double)(uint64_t)whole;
    array_to_f32(&one, &narrow);
    return (double)narrow;
}

static void integer_put(ElemType type, void *out, size_t i, int64_t v) {
    if (type == ELEM_I64) ((int64_t *)out)[i] = v;
    else if (type == ELEM_I32) ((int32_t *)out)[i] = (int32_t)v;
    else ((uint8_t *)out)[i] = (uint8_t)v;
}

bool array_to(const Array *a, ElemType type, void *out, const char *path, const char *what, Diag *d) {
    size_t n = array_elements(a);
    if (type == ELEM_F32) {
        array_to_f32(a, out);
        return true;
    }
    if (elem_is_float(a->type))
        return data_fail(d, DIAG_FILE, path, "the numbers are %s, but %s is %s: integers expected", elem_name(a->type),
                         what, elem_name(type));
    int64_t lo = type == ELEM_I64 ? INT64_MIN : type == ELEM_I32 ? INT32_MIN : 0;
    int64_t hi = type == ELEM_I64 ? INT64_MAX : type == ELEM_I32 ? INT32_MAX : type == ELEM_U8 ? UINT8_MAX : 1;
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        if (!integer_at(a, i, &v))
            return data_fail(d, DIAG_FILE, path, "element %zu is %llu, but %s (%s) holds at most %lld", i,
                             (unsigned long long)(uint64_t)v, what, elem_name(type), (long long)hi);
        if (v < lo || v > hi)
            return data_fail(d, DIAG_FILE, path, "element %zu is %lld, but %s (%s) holds %lld … %lld", i, (long long)v,
                             what, elem_name(type), (long long)lo, (long long)hi);
        integer_put(type, out, i, v);
    }
    return true;
}

void bytes_swap(void *data, size_t bytes, size_t size) {
    uint8_t *p = data;
    for (size_t i = 0; i < bytes; i += size)
        for (size_t a = i, b = i + size - 1; a < b; a++, b--) {
            uint8_t t = p[a];
            p[a] = p[b];
            p[b] = t;
        }
}

void array_close(Array *a) {
    if (!a) return;
    mem_free(a->heap);
    mapfile_close(a->map);
    *a = (Array){0};
}
