/* safetensors files, every tensor of them. */
#include "frontend/data/safetensors.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Diag d = {0};
    long live = mem_live();
    const char *path = fuzz_file("input", data, size);
    if (!path) return 0;
    Safetensors *s = safetensors_open(path, &d);
    bool good = s != NULL;
    for (size_t i = 0; s && i < s->n; i++) {
        const Tensor *t = &s->tensors[i];
        float *v = malloc(array_elements(&t->array) * sizeof *v + 1);
        if (v) array_to_f32(&t->array, v);
        free(v);
        if (safetensors_find(s, t->name) != &t->array)
            fuzz_bug(__FILE__, __LINE__, "a tensor is found by its name", &d);
    }
    if (s) safetensors_metadata(s, "format");
    safetensors_close(s);
    fuzz_check(good, &d, live);
    return 0;
}
