#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[256];

void fuzz_bug(const char *file, int line, const char *condition, const Diag *d) {
    fprintf(stderr, "%s:%d: %s\nmessage (%d): %s\n", file, line, condition, d->kind, d->text);
    abort();
}

static void folder_remove(void) {
    if (*path) unlink(path);
    rmdir(folder);
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size) {
    if (size == 0) return NULL;
    if (!*folder) {
        strcpy(folder, "/tmp/lunette-fuzz-XXXXXX");
        if (!mkdtemp(folder)) abort();
        atexit(folder_remove);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0) abort();
    return path;
}

static bool is_one_line(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127) return false;
    return true;
}

static void want(bool holds, const char *what, const Diag *d) {
    if (!holds) fuzz_bug(__FILE__, __LINE__, what, d);
}

void fuzz_check(bool good, const Diag *d, long live) {
    want(mem_live() == live, "all memory is free again", d);
    want(good == (d->kind == DIAG_NONE) && good == (d->text[0] == '\0'), "a message when it failed, and only then", d);
    want(is_one_line(d->text), "a message is one line", d);
    /* the machine: what an input asks for is bounded, but may be more than a limit of ours */
    want(good || d->kind == DIAG_SPEC || d->kind == DIAG_UNSUPPORTED || d->kind == DIAG_FILE || d->kind == DIAG_USAGE ||
             d->kind == DIAG_MACHINE,
         "the message blames the input", d);
}
