/* Tensors whose data are in files beside the model. */
#include "frontend/onnx/import.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *entry(const Onnx__TensorProto *t, const char *key) {
    for (size_t i = 0; i < t->n_external_data; i++)
        if (t->external_data[i]->key && t->external_data[i]->value && strcmp(t->external_data[i]->key, key) == 0)
            return t->external_data[i]->value;
    return NULL;
}

/* A size in bytes; `otherwise` when it is not there. */
static bool number(Import *im, const Onnx__TensorProto *t, const char *key, const char *name, size_t otherwise,
                   size_t *out) {
    const char *text = entry(t, key);
    char *end;
    *out = otherwise;
    if (!text) return true;
    unsigned long long v = strtoull(text, &end, 10);
    *out = (size_t)v;
    if (*text >= '0' && *text <= '9' && !*end && v < SIZE_MAX / 2) return true;
    return import_fail(im, DIAG_SPEC, "tensor '%.100s': %s is '%.60s'", name, key, text);
}

/* The folder of the model without links, with a slash at the end. */
static bool folder_of(const char *path, char out[PATH_MAX + 1]) {
    char copy[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof copy) return false;
    memcpy(copy, path, n);
    copy[n] = '\0';
    if (!realpath(n ? copy : slash ? "/" : ".", out)) return false;
    n = strlen(out);
    if (n == 0 || n >= PATH_MAX) return false;
    if (out[n - 1] != '/') memcpy(out + n, "/", 2);
    return true;
}

/* A path that leads out of the folder, also by a link, is refused before it is opened. */
static const char *inside(Import *im, const char *location, const char *name) {
    char folder[PATH_MAX + 1], found[PATH_MAX];
    const char *path = NULL;
    if (folder_of(im->path, folder)) path = arena_printf(im->a, "%s%s", folder, location);
    bool outside = !*location || *location == '/' || !path || !realpath(path, found) ||
                   strncmp(found, folder, strlen(folder)) != 0;
    if (!outside) return arena_strdup(im->a, found);
    import_fail(im, DIAG_FILE, "tensor '%.100s': its file '%.200s' is not there, or not in the model's folder", name,
                location);
    return NULL;
}

static const MapFile *open_data(Import *im, const char *location, const char *name) {
    OnnxFile *f = im->file;
    for (int i = 0; i < f->n_data; i++)
        if (strcmp(f->data_name[i], location) == 0) return f->data[i];
    if (f->n_data == (int)COUNT_OF(f->data)) {
        import_fail(im, DIAG_UNSUPPORTED, "more than %d files of tensors", f->n_data);
        return NULL;
    }
    const char *path = inside(im, location, name);
    MapFile *map = path ? mapfile_open(path, im->d) : NULL;
    if (!map) return NULL;
    f->data[f->n_data] = map;
    f->data_name[f->n_data++] = location;
    return map;
}

bool external_data(Import *im, const Onnx__TensorProto *t, const char *name, const void **data, size_t *bytes) {
    const char *location = entry(t, "location");
    size_t offset;
    if (!im->file) return import_fail(im, DIAG_UNSUPPORTED, "tensor '%.100s' has its data in another file", name);
    if (!location) return import_fail(im, DIAG_SPEC, "tensor '%.100s' does not say which file has its data", name);
    const MapFile *map = open_data(im, location, name);
    if (!map || !number(im, t, "offset", name, 0, &offset)) return false;
    if (offset > map->size)
        return import_fail(im, DIAG_FILE, "tensor '%.100s' begins after the end of '%.200s'", name, location);
    if (!number(im, t, "length", name, map->size - offset, bytes)) return false;
    if (*bytes > map->size - offset)
        return import_fail(im, DIAG_FILE, "tensor '%.100s' reaches beyond the end of '%.200s'", name, location);
    *data = (const char *)map->data + offset;
    return true;
}
