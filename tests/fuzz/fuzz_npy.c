/* npy files. */
#include "frontend/data/npy.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Diag d = {0};
    Array a;
    long live = mem_live();
    const char *path = fuzz_file("input", data, size);
    if (!path) return 0;
    bool good = npy_load(path, &a, &d);
    float *v = good ? malloc(array_elements(&a) * sizeof *v + 1) : NULL;
    if (v) array_to_f32(&a, v);
    free(v);
    if (good) array_close(&a);
    fuzz_check(good, &d, live);
    return 0;
}
