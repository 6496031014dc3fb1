/* Kernels as text. */
#include "ir/loop.h"

#include "tests/fuzz/text.h"

static bool read_kernel(Arena *a, Lexer *l, const char **printed, Diag *d) {
    const Kernel *k = kernel_parse(l);
    if (!k || !lex_end(l, "kernel")) return false;
    Diag own = {0};
    *printed = kernel_text(a, k);
    return kernel_verify(k, &own) || diag_fail(d, DIAG_SPEC, "%s", own.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_text(read_kernel, data, size);
    return 0;
}
