#include "tests/fuzz/text.h"

#include <string.h>

static bool read_text(TextReader *read, Arena *a, const char *text, const char **printed, Diag *d) {
    Lexer l;
    lex_open(&l, a, "input", text, d);
    return read(a, &l, printed, d);
}

static bool read_twice(TextReader *read, Arena *a, const char *text, Diag *d) {
    const char *printed, *again;
    if (!read_text(read, a, text, &printed, d)) return false;
    Diag own = {0};
    if (!read_text(read, a, printed, &again, &own)) fuzz_bug(__FILE__, __LINE__, printed, &own);
    if (strcmp(printed, again) != 0) {
        fprintf(stderr, "%s\n---- reads and prints as\n%s\n", printed, again);
        fuzz_bug(__FILE__, __LINE__, "a text stays as it is", &own);
    }
    return true;
}

void fuzz_text(TextReader *read, const uint8_t *data, size_t size) {
    Diag d = {0};
    long live = mem_live();
    Arena *a = arena_open(&d);
    volatile bool good = false;
    if (!a) return;
    a->limit = (size_t)256 << 20;
    if (ARENA_TRY(a)) {
        char *text = arena_alloc(a, size + 1); /* a '\0' inside ends it: files with one are refused before */
        if (size) memcpy(text, data, size);
        good = read_twice(read, a, text, &d);
    } else {
        diag_fail(&d, DIAG_MACHINE, "out of memory");
    }
    ARENA_END(a);
    arena_close(a);
    fuzz_check(good, &d, live);
}
