/* npz archives, every member of them. */
#include "frontend/data/npy.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Diag d = {0};
    long live = mem_live();
    const char *path = fuzz_file("input", data, size);
    Npz *z = path ? npz_open(path, &d) : NULL;
    bool good = z != NULL;
    if (!path) return 0;
    for (size_t i = 0; z && i < npz_count(z); i++) {
        Array a;
        Diag own = {0};
        long before = mem_live();
        bool read = npz_read(z, i, &a, &own);
        if (read) array_close(&a);
        fuzz_check(read, &own, before);
    }
    npz_close(z);
    fuzz_check(good, &d, live);
    return 0;
}
