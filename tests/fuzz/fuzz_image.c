/* PNG, JPEG, PGM and PPM. */
#include "frontend/data/image.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Diag d = {0};
    Image im;
    long live = mem_live();
    bool good = image_decode(data, size, "input", &im, &d);
    if (good) image_close(&im);
    fuzz_check(good, &d, live);
    return 0;
}
