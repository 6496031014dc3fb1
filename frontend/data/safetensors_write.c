#include "frontend/data/fail.h"
#include "frontend/data/safetensors.h"
#include "frontend/data/safetensors_dtype.h"
#include "frontend/data/writer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_ALIGN = 8 };

static bool metadata_add(json_t *root, const char *path, const char *const *metadata, Diag *d) {
    if (!metadata) return true;
    json_t *o = json_object();
    bool ok = o != NULL;
    for (; ok && metadata[0]; metadata += 2) ok = json_object_set_new(o, metadata[0], json_string(metadata[1])) == 0;
    if (ok) return json_object_set_new(root, "__metadata__", o) == 0 ? true : data_oom(d, path, 0);
    json_decref(o);
    return data_fail(d, DIAG_FILE, path, "metadata must be UTF-8");
}

static json_t *shape_json(const Array *a) {
    json_t *shape = json_array();
    for (int i = 0; i < a->rank; i++)
        if (json_array_append_new(shape, json_integer(a->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return shape;
}

static bool tensor_add(json_t *root, const char *path, const Tensor *t, size_t *at, Diag *d) {
    size_t bytes, end;
    if (!shape_size(t->array.type, t->array.rank, t->array.shape, NULL, &bytes) || bytes != t->array.bytes ||
        !size_add(*at, bytes, &end))
        return data_fail(d, DIAG_INTERNAL, path, "tensor '%s': the shape does not match its bytes", t->name);
    if (strcmp(t->name, "__metadata__") == 0 || json_object_get(root, t->name))
        return data_fail(d, DIAG_FILE, path, "cannot write tensor '%s': this name is taken", t->name);
    json_t *v = json_pack("{s:s, s:o, s:[I,I]}", "dtype", safetensors_dtype(t->array.type), "shape",
                          shape_json(&t->array), "data_offsets", (json_int_t)*at, (json_int_t)end);
    if (!v) return data_oom(d, path, 0);
    if (json_object_set_new(root, t->name, v) != 0)
        return data_fail(d, DIAG_FILE, path, "cannot write tensor '%s': its name must be UTF-8", t->name);
    *at = end;
    return true;
}

static bool header_write(FileWriter *w, const char *text, Diag *d) {
    size_t n = strlen(text), padding = (HEADER_ALIGN - n % HEADER_ALIGN) % HEADER_ALIGN;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)(n + padding) >> 8 * i);
    return writer_add(w, length, sizeof length, d) && writer_add(w, text, n, d) && writer_add(w, "       ", padding, d);
}

static bool file_write(const char *path, const char *header, const Tensor *tensors, size_t n, Diag *d) {
    FileWriter *w = writer_open(path, d);
    if (!w) return false;
    bool ok = header_write(w, header, d);
    for (size_t i = 0; ok && i < n; i++) ok = writer_add(w, tensors[i].array.data, tensors[i].array.bytes, d);
    if (ok) return writer_commit(w, d);
    writer_abort(w);
    return false;
}

bool safetensors_write(const char *path, const Tensor *tensors, size_t n, const char *const *metadata, Diag *d) {
    json_t *root = json_object();
    if (!root) return data_oom(d, path, 0);
    size_t at = 0;
    bool ok = metadata_add(root, path, metadata, d);
    for (size_t i = 0; ok && i < n; i++) ok = tensor_add(root, path, &tensors[i], &at, d);
    char *text = ok ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (ok && !text) ok = data_oom(d, path, 0);
    ok = ok && file_write(path, text, tensors, n, d);
    free(text);
    return ok;
}
