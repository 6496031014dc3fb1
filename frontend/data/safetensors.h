/* safetensors: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
 *
 *   {"__metadata__": {"k": "v"}, "conv1.weight": {"dtype": "F32", "shape": [6, 1, 5, 5], "data_offsets": [0, 600]}}
 *
 * As the format says, the tensors cover the data exactly: no overlaps, no holes, nothing after. */
#ifndef LUNETTE_DATA_SAFETENSORS_H
#define LUNETTE_DATA_SAFETENSORS_H

#include "frontend/data/array.h"

typedef struct Tensor {
    const char *name;
    Array array; /* a view: owned by the file, or by whoever hands it to safetensors_write */
} Tensor;

typedef struct Safetensors {
    size_t n;
    Tensor *tensors; /* [n], by their place in the file */
    MapFile *map;
    struct json_t *header; /* owns the names */
} Safetensors;

/* Maps and checks a file. NULL with DIAG_FILE (damaged), DIAG_UNSUPPORTED (an element type or rank
 * Lunette does not hold) or DIAG_MACHINE. */
Safetensors *safetensors_open(const char *path, Diag *d);
void safetensors_close(Safetensors *s);                                /* NULL is fine; the tensors' data go with it */
const Array *safetensors_find(const Safetensors *s, const char *name); /* NULL if there is none */
const char *safetensors_metadata(const Safetensors *s, const char *key); /* NULL if there is none */

/* Writes the tensors in the order given, whole or not at all. `metadata`: key, value, key, value, …,
 * NULL; or NULL. Names must be UTF-8, unlike each other and not "__metadata__" (DIAG_FILE). */
bool safetensors_write(const char *path, const Tensor *tensors, size_t n, const char *const *metadata, Diag *d);

#endif
