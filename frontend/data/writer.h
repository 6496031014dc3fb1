/* Writes a file whole or not at all: into a temporary file beside it, which takes its name at the end. */
#ifndef LUNETTE_DATA_WRITER_H
#define LUNETTE_DATA_WRITER_H

#include "ir/base.h"

typedef struct FileWriter FileWriter;

/* Begins to write `path` (through a symbolic link: the file it names). NULL with DIAG_FILE (no such
 * folder, not allowed, an existing thing that is no regular file) or DIAG_MACHINE. */
FileWriter *writer_open(const char *path, Diag *d);
/* Appends. False with DIAG_MACHINE (disk full); the writer is then only good for writer_abort. */
bool writer_add(FileWriter *w, const void *p, size_t n, Diag *d);
/* Flushes to the disk and gives the file its name. Closes the writer, also when it fails. */
bool writer_commit(FileWriter *w, Diag *d);
/* Removes what was written and closes the writer. NULL is fine. */
void writer_abort(FileWriter *w);

#endif
