/* The head of an npy file, shared by npy.c and npz.c:
 *
 *   \x93NUMPY, version (major, minor), header length (2 bytes little-endian; 4 from version 2 on),
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } spaces \n
 */
#ifndef LUNETTE_DATA_NPY_HEADER_H
#define LUNETTE_DATA_NPY_HEADER_H

#include "frontend/data/array.h"

/* NPY_START: enough bytes for npy_header_bytes; no npy file is shorter. */
enum { NPY_MAGIC = 6, NPY_START = 12, NPY_HEADER_CAP = 1 << 16 };

typedef struct NpyHeader {
    ElemType type;
    bool swapped; /* the file's byte order is not this machine's */
    bool fortran; /* the first axis is the fastest */
    int rank;
    int64_t shape[ARRAY_MAX_RANK];
    size_t start; /* of the data, in bytes from the magic */
    size_t bytes; /* of the data */
} NpyHeader;

bool npy_is(const uint8_t *p, size_t n);
/* Bytes from the magic to the data, from the first NPY_START bytes; at most NPY_HEADER_CAP. */
bool npy_header_bytes(const uint8_t *p, size_t n, const char *name, size_t *bytes, Diag *d);
/* Reads the head in p[0 … n−1], which must all be there. `name` is for messages. DIAG_FILE,
 * DIAG_UNSUPPORTED (an element type or rank that Lunette does not hold). */
bool npy_header_parse(const uint8_t *p, size_t n, const char *name, NpyHeader *h, Diag *d);
/* Makes `out` from the data as the file has them: from `raw`, a block of mem_alloc that is taken over,
 * or, when raw is NULL, copied from `data`. Swaps bytes and transposes as the header says. */
bool npy_finish(const NpyHeader *h, void *raw, const uint8_t *data, const char *name, Array *out, Diag *d);

#endif
