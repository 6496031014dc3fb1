#include "frontend/data/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool data_fail(Diag *d, DiagKind kind, const char *path, const char *fmt, ...) {
    if (!d || d->kind != DIAG_NONE) return false;
    char text[sizeof d->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_fail(d, kind, "%.400s: %.590s", path, text);
    return false;
}

bool data_oom(Diag *d, const char *path, size_t bytes) {
    return data_fail(d, DIAG_MACHINE, path, "out of memory (%zu bytes wanted)", bytes);
}

bool data_errno(Diag *d, const char *path, const char *verb, int error) {
    bool machine = error == ENOMEM || error == EMFILE || error == ENFILE || error == ENOSPC || error == EDQUOT ||
                   error == EFBIG || error == EIO;
    return data_fail(d, machine ? DIAG_MACHINE : DIAG_FILE, path, "cannot %s: %s", verb, strerror(error));
}
