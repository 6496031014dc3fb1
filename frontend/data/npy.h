/* NumPy's npy files (versions 1 to 3, either byte order, C and Fortran order) and npz archives of them. */
#ifndef LUNETTE_DATA_NPY_H
#define LUNETTE_DATA_NPY_H

#include "frontend/data/array.h"

/* Reads a file; the array maps it when its bytes can be used as they are. The data must end where the
 * file ends. False with DIAG_FILE, DIAG_UNSUPPORTED (records, strings, complex, rank > 10) or
 * DIAG_MACHINE; `out` is then empty. */
bool npy_load(const char *path, Array *out, Diag *d);
/* The same of a mapped file, which the call takes over, also when it fails. */
bool npy_load_map(MapFile *map, Array *out, Diag *d);
/* Writes an array in C order, whole or not at all. Not for ELEM_BF16, which npy lacks (DIAG_UNSUPPORTED). */
bool npy_write(const char *path, ElemType type, int rank, const int64_t *shape, const void *data, Diag *d);

typedef struct Npz Npz;

/* Opens an archive. NULL with DIAG_FILE (no zip file, two members of one name) or DIAG_MACHINE. */
Npz *npz_open(const char *path, Diag *d);
/* The same of a mapped file, which the call takes over, also when it fails. */
Npz *npz_open_map(MapFile *map, Diag *d);
void npz_close(Npz *z); /* NULL is fine */
size_t npz_count(const Npz *z);
const char *npz_name(const Npz *z, size_t member); /* with its ".npy"; lives as long as z */
/* The member of this name, ".npy" may be left out. */
bool npz_find(const Npz *z, const char *name, size_t *member);
/* Reads a member to the heap: stored or deflated, not encrypted, at most 16 GB, its size exactly what
 * its header wants, checksum good. Errors as npy_load. */
bool npz_read(Npz *z, size_t member, Array *out, Diag *d);

#endif
