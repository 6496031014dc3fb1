#include "frontend/data/writer.h"

#include "frontend/data/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct FileWriter {
    int fd;
    char *path; /* the final name */
    char *temp;
};

enum { TEMP_SUFFIX = 48, TEMP_TRIES = 100 };

static void writer_free(FileWriter *w) {
    mem_free(w->path);
    mem_free(w->temp);
    mem_free(w);
}

/* Renaming over a device or a pipe would replace it. */
static bool writer_check_target(const char *path, Diag *d) {
    struct stat st;
    if (stat(path, &st) != 0) return true;
    if (S_ISDIR(st.st_mode)) return data_fail(d, DIAG_FILE, path, "cannot write: this is a directory");
    if (!S_ISREG(st.st_mode)) return data_fail(d, DIAG_FILE, path, "cannot write: this is no regular file");
    return true;
}

static bool writer_set_names(FileWriter *w, const char *path, Diag *d) {
    char *real = realpath(path, NULL); /* NULL when it does not exist yet */
    const char *name = real ? real : path;
    size_t n = strlen(name) + 1;
    w->path = mem_alloc(n);
    w->temp = mem_alloc(n + TEMP_SUFFIX);
    bool ok = w->path && w->temp;
    if (ok) memcpy(w->path, name, n);
    free(real);
    return ok ? true : data_oom(d, path, n);
}

/* Not mkstemp, whose files are 0600: the result shall have the user's usual permissions. */
static bool writer_create(FileWriter *w, Diag *d) {
    for (int i = 0; i < TEMP_TRIES; i++) {
        size_t n = strlen(w->path);
        snprintf(w->temp, n + TEMP_SUFFIX, "%s.%ld-%d.tmp", w->path, (long)getpid(), i);
        w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0) return true;
        if (errno != EEXIST) break;
    }
    return data_errno(d, w->path, "write", errno);
}

FileWriter *writer_open(const char *path, Diag *d) {
    if (!writer_check_target(path, d)) return NULL;
    FileWriter *w = mem_alloc(sizeof *w);
    if (!w) {
        data_oom(d, path, sizeof *w);
        return NULL;
    }
    if (writer_set_names(w, path, d) && writer_create(w, d)) return w;
    writer_free(w);
    return NULL;
}

bool writer_add(FileWriter *w, const void *p, size_t n, Diag *d) {
    const char *from = p;
    while (n) {
        ssize_t done = write(w->fd, from, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return data_errno(d, w->path, "write", done ? errno : ENOSPC);
        from += done;
        n -= (size_t)done;
    }
    return true;
}

bool writer_commit(FileWriter *w, Diag *d) {
    int error = fsync(w->fd) == 0 ? 0 : errno;
    if (close(w->fd) != 0 && !error) error = errno;
    if (!error && rename(w->temp, w->path) != 0) error = errno;
    if (error) {
        unlink(w->temp);
        data_errno(d, w->path, "write", error);
    }
    writer_free(w);
    return !error;
}

void writer_abort(FileWriter *w) {
    if (!w) return;
    close(w->fd);
    unlink(w->temp);
    writer_free(w);
}
