/* IDX, the format of MNIST: 0 0 type rank, `rank` big-endian 32-bit extents, the data; plain or gzip. */
#ifndef LUNETTE_DATA_IDX_H
#define LUNETTE_DATA_IDX_H

#include "frontend/data/array.h"

/* Whether these are the first bytes of an IDX file that is not compressed. */
bool idx_is(const uint8_t *p, size_t n);
/* Reads a file of at most 4 GB of data to the heap. Memory grows with the data that are there, not
 * with what the extents claim. False with DIAG_FILE (magic, cut off, bytes left over, checksum),
 * DIAG_UNSUPPORTED (rank > 10, too large) or DIAG_MACHINE; `out` is then empty. */
bool idx_load(const char *path, Array *out, Diag *d);

#endif
