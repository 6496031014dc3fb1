#include "frontend/data/safetensors.h"

#include "frontend/data/fail.h"
#include "frontend/data/safetensors_dtype.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_START = 8, HEADER_CAP = 100000000 };

static const char *const dtype_names[] = {
    [ELEM_BOOL] = "BOOL", [ELEM_U8] = "U8",   [ELEM_I8] = "I8",   [ELEM_U16] = "U16", [ELEM_I16] = "I16",
    [ELEM_U32] = "U32",   [ELEM_I32] = "I32", [ELEM_U64] = "U64", [ELEM_I64] = "I64", [ELEM_F16] = "F16",
    [ELEM_BF16] = "BF16", [ELEM_F32] = "F32", [ELEM_F64] = "F64",
};

const char *safetensors_dtype(ElemType t) { return dtype_names[t]; }

static bool dtype_read(const json_t *v, const char *name, const char *path, ElemType *out, Diag *d) {
    const char *text = json_string_value(v);
    if (!text) return data_fail(d, DIAG_FILE, path, "tensor '%s': \"dtype\" must be a string", name);
    for (size_t i = 0; i < COUNT_OF(dtype_names); i++)
        if (strcmp(text, dtype_names[i]) == 0) {
            *out = (ElemType)i;
            return true;
        }
    return data_fail(d, DIAG_UNSUPPORTED, path, "tensor '%s': element type '%s' is not supported", name, text);
}

static bool shape_read(const json_t *v, const char *name, const char *path, Array *a, Diag *d) {
    if (!json_is_array(v)) return data_fail(d, DIAG_FILE, path, "tensor '%s': \"shape\" must be a list", name);
    size_t rank = json_array_size(v);
    if (rank > ARRAY_MAX_RANK)
        return data_fail(d, DIAG_UNSUPPORTED, path, "tensor '%s': at most %d axes are supported, %zu found", name,
                         ARRAY_MAX_RANK, rank);
    a->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(v, i);
        a->shape[i] = json_integer_value(extent);
        if (!json_is_integer(extent) || a->shape[i] < 0)
            return data_fail(d, DIAG_FILE, path, "tensor '%s': extent %zu of \"shape\" must be an integer ≥ 0", name,
                             i);
    }
    if (shape_size(a->type, a->rank, a->shape, NULL, &a->bytes)) return true;
    char text[ARRAY_SHAPE_TEXT];
    return data_fail(d, DIAG_FILE, path, "tensor '%s': shape %s is too large", name,
                     array_shape_text(text, a->rank, a->shape));
}

/* data_offsets [begin, end] of the `size` bytes at `data`. */
static bool offsets_read(const json_t *v, const char *name, const char *path, const uint8_t *data, size_t size,
                         Array *a, Diag *d) {
    const json_t *b = json_array_get(v, 0), *e = json_array_get(v, 1);
    if (json_array_size(v) != 2 || !json_is_integer(b) || !json_is_integer(e))
        return data_fail(d, DIAG_FILE, path, "tensor '%s': \"data_offsets\" must be two integers", name);
    json_int_t begin = json_integer_value(b), end = json_integer_value(e);
    if (begin < 0 || end < begin || (uintmax_t)end > size)
        return data_fail(d, DIAG_FILE, path, "tensor '%s': bytes %lld … %lld are not within the file's %zu data bytes",
                         name, (long long)begin, (long long)end, size);
    if ((uintmax_t)(end - begin) != a->bytes) {
        char text[ARRAY_SHAPE_TEXT];
        return data_fail(d, DIAG_FILE, path, "tensor '%s': %s%s needs %zu bytes, %lld found", name, elem_name(a->type),
                         array_shape_text(text, a->rank, a->shape), a->bytes, (long long)(end - begin));
    }
    a->data = data + begin;
    return true;
}

static bool tensor_read(const json_t *v, const char *path, const uint8_t *data, size_t size, Tensor *t, Diag *d) {
    if (!json_is_object(v)) return data_fail(d, DIAG_FILE, path, "tensor '%s': an object expected", t->name);
    if (json_object_size(v) != 3 || !json_object_get(v, "dtype") || !json_object_get(v, "shape") ||
        !json_object_get(v, "data_offsets"))
        return data_fail(d, DIAG_FILE, path, "tensor '%s': exactly dtype, shape and data_offsets expected", t->name);
    return dtype_read(json_object_get(v, "dtype"), t->name, path, &t->array.type, d) &&
           shape_read(json_object_get(v, "shape"), t->name, path, &t->array, d) &&
           offsets_read(json_object_get(v, "data_offsets"), t->name, path, data, size, &t->array, d);
}

static bool metadata_check(json_t *v, const char *path, Diag *d) {
    const char *key;
    json_t *value;
    if (!json_is_object(v)) return data_fail(d, DIAG_FILE, path, "\"__metadata__\" must be an object");
    json_object_foreach(v, key, value) {
        if (!json_is_string(value)) return data_fail(d, DIAG_FILE, path, "metadata '%s' must be a string", key);
    }
    return true;
}

static int tensor_compare(const void *a, const void *b) {
    const Array *x = &((const Tensor *)a)->array, *y = &((const Tensor *)b)->array;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    if (p != q) return p < q ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty tensors come first */
}

/* Sorts by place; every tensor must begin where the one before it ends, the last end the file. */
static bool places_check(Safetensors *s, const uint8_t *data, Diag *d) {
    const uint8_t *at = data;
    if (s->n) qsort(s->tensors, s->n, sizeof *s->tensors, tensor_compare);
    for (size_t i = 0; i < s->n; i++) {
        const Tensor *t = &s->tensors[i];
        const uint8_t *begin = t->array.data;
        if (begin != at)
            return data_fail(d, DIAG_FILE, s->map->path, "tensor '%s' begins at data byte %zu, %zu expected (%s)",
                             t->name, (size_t)(begin - data), (size_t)(at - data),
                             begin > at ? "a hole" : "an overlap");
        at = begin + t->array.bytes;
    }
    size_t left = s->map->size - (size_t)(at - s->map->data);
    return left == 0 ? true : data_fail(d, DIAG_FILE, s->map->path, "%zu bytes after the last tensor", left);
}

static bool header_length(const MapFile *m, size_t *length, Diag *d) {
    if (m->size < HEADER_START)
        return data_fail(d, DIAG_FILE, m->path, "not a safetensors file: only %zu bytes", m->size);
    uint64_t n = 0;
    for (int i = HEADER_START - 1; i >= 0; i--) n = n << 8 | m->data[i];
    if (n > HEADER_CAP)
        return data_fail(d, DIAG_FILE, m->path, "not a safetensors file: a header of %llu bytes, at most %d allowed",
                         (unsigned long long)n, HEADER_CAP);
    if (n > m->size - HEADER_START)
        return data_fail(d, DIAG_FILE, m->path, "cut off: a header of %llu bytes, %zu found", (unsigned long long)n,
                         m->size - HEADER_START);
    if (n == 0 || m->data[HEADER_START] != '{')
        return data_fail(d, DIAG_FILE, m->path, "not a safetensors file: the header must begin with '{'");
    *length = (size_t)n;
    return true;
}

static bool header_parse(Safetensors *s, size_t length, Diag *d) {
    json_error_t e;
    s->header = json_loadb((const char *)s->map->data + HEADER_START, length, JSON_REJECT_DUPLICATES, &e);
    if (s->header) return true;
    if (json_error_code(&e) == json_error_out_of_memory) return data_oom(d, s->map->path, length);
    return data_fail(d, DIAG_FILE, s->map->path, "bad header at byte %d: %s", HEADER_START + e.position, e.text);
}

static bool safetensors_read(Safetensors *s, Diag *d) {
    size_t length = 0, bytes;
    if (!header_length(s->map, &length, d) || !header_parse(s, length, d)) return false;
    const uint8_t *data = s->map->data + HEADER_START + length;
    size_t size = s->map->size - HEADER_START - length;
    if (!size_mul(json_object_size(s->header), sizeof *s->tensors, &bytes) || !(s->tensors = mem_alloc(bytes)))
        return data_oom(d, s->map->path, json_object_size(s->header));
    const char *name;
    json_t *v;
    json_object_foreach(s->header, name, v) {
        if (strcmp(name, "__metadata__") == 0) {
            if (!metadata_check(v, s->map->path, d)) return false;
            continue;
        }
        Tensor *t = &s->tensors[s->n++];
        t->name = name;
        if (!tensor_read(v, s->map->path, data, size, t, d)) return false;
    }
    return places_check(s, data, d);
}

Safetensors *safetensors_open(const char *path, Diag *d) {
    Safetensors *s = mem_alloc(sizeof *s);
    if (!s) {
        data_oom(d, path, sizeof *s);
        return NULL;
    }
    s->map = mapfile_open(path, d);
    if (s->map && safetensors_read(s, d)) return s;
    safetensors_close(s);
    return NULL;
}

void safetensors_close(Safetensors *s) {
    if (!s) return;
    json_decref(s->header);
    mapfile_close(s->map);
    mem_free(s->tensors);
    mem_free(s);
}

const Array *safetensors_find(const Safetensors *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->tensors[i].name, name) == 0) return &s->tensors[i].array;
    return NULL;
}

const char *safetensors_metadata(const Safetensors *s, const char *key) {
    return json_string_value(json_object_get(json_object_get(s->header, "__metadata__"), key));
}
