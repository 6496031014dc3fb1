/* IDX files, gzip or not. */
#include "frontend/data/idx.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Diag d = {0};
    Array a;
    long live = mem_live();
    const char *path = fuzz_file("input", data, size);
    if (!path) return 0;
    bool good = idx_load(path, &a, &d);
    if (good) array_close(&a);
    fuzz_check(good, &d, live);
    return 0;
}
