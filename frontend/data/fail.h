/* Messages about data files: "path: what was expected, what came", always one line. */
#ifndef LUNETTE_DATA_FAIL_H
#define LUNETTE_DATA_FAIL_H

#include "ir/base.h"

/* diag_fail with "path: " in front. */
bool data_fail(Diag *d, DiagKind kind, const char *path, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* DIAG_MACHINE "path: out of memory (N bytes)". */
bool data_oom(Diag *d, const char *path, size_t bytes);
/* "path: cannot VERB: strerror". DIAG_MACHINE where the machine is short of something (memory,
 * descriptors, disk), DIAG_FILE otherwise. */
bool data_errno(Diag *d, const char *path, const char *verb, int error);

#endif
