/* Input data of any kind, told by its content and never by its name. */
#ifndef LUNETTE_DATA_LOAD_H
#define LUNETTE_DATA_LOAD_H

#include "frontend/data/array.h"

/* Reads an input file:
 *   npy                     as it is (DATA_NPY)
 *   npz                     "FILE:member", or FILE alone when it has one member (DATA_NPY)
 *   IDX, gzip or not        [as its extents say], u8 for MNIST (DATA_IDX)
 *   PNG, JPEG, PGM, PPM     u8 [C H W], C = 1 or 3 (DATA_IMAGE)
 * The caller owns `out` (array_close). False with DIAG_FILE, DIAG_UNSUPPORTED or DIAG_MACHINE and one
 * line "path: what was expected, what came"; `out` is then empty. A file whose name holds a ':' is
 * taken by its whole name if there is one. */
bool data_load(const char *path, Array *out, Diag *d);

#endif
