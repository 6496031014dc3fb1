/* TensorProto files. */
#include "frontend/onnx/onnx.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Diag d = {0};
    long live = mem_live();
    const char *path = fuzz_file("input.pb", data, size);
    Arena *a = path ? arena_open(&d) : NULL;
    volatile bool good = false;
    if (!a) return 0;
    if (ARENA_TRY(a)) {
        Array v;
        good = onnx_tensor_load(a, path, &v, &d);
        if (good) array_to_f32(&v, ARENA_ARRAY(a, float, array_elements(&v) + 1));
    } else {
        diag_fail(&d, DIAG_MACHINE, "out of memory");
    }
    ARENA_END(a);
    arena_close(a);
    fuzz_check(good, &d, live);
    return 0;
}
