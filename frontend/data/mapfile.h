/* A whole file, read-only in memory. */
#ifndef LUNETTE_DATA_MAPFILE_H
#define LUNETTE_DATA_MAPFILE_H

#include "ir/base.h"

typedef struct MapFile {
    const uint8_t *data; /* [size], page-aligned */
    size_t size;         /* ≥ 1 */
    char path[];         /* as given */
} MapFile;

/* Maps the regular file `path`; NULL with DIAG_FILE (missing, a directory, a pipe, empty, not
 * readable) or DIAG_MACHINE. The mapping is private, but a file that somebody else shortens while
 * it is mapped makes reads beyond its new end fault: that cannot be checked from here. */
MapFile *mapfile_open(const char *path, Diag *d);
void mapfile_close(MapFile *m); /* NULL is fine */
/* Gives back the memory of the whole pages in this part of the file, which are read again when they are needed again.
 * Nothing happens where the part is not in the mapping. */
void mapfile_release(const MapFile *m, const void *from, size_t bytes);

/* The whole of a text file, '\0' at its end, in the arena; NULL with DIAG_FILE, or DIAG_SPEC when there is a
 * '\0' inside. Jumps to the arena's `oom` with nothing left open. */
char *text_load(Arena *a, const char *path, Diag *d);

#endif
