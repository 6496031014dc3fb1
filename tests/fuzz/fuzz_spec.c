/* Lua specs: what is read is also compiled, as far as without LLVM. */
#include "frontend/model.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Diag d = {0};
    long live = mem_live();
    const char *path = fuzz_file("input.lua", data, size);
    if (!path) return 0;
    LunetteModel *m = model_load(path, NULL, NULL, NULL, &d);
    model_close(m);
    fuzz_check(m != NULL, &d, live);
    return 0;
}
