#include "frontend/onnx/import.h"

#include <string.h>

bool onnx_load(Arena *a, const char *path, const OnnxOptions *o, OnnxModel *out, Diag *d) {
    OnnxFile file;
    if (!onnx_open(&file, path, d)) return false;
    volatile bool good = false, oom = false;
    jmp_buf outer;
    memcpy(outer, a->oom, sizeof outer);
    if (setjmp(a->oom) == 0) {
        Import *im = ARENA_NEW(a, Import);
        *im = (Import){.a = a, .path = path, .file = &file, .o = o, .d = d};
        good = import_model(im, &file, out);
    } else {
        oom = true;
    }
    memcpy(a->oom, outer, sizeof outer);
    onnx_close(&file);
    if (oom) longjmp(a->oom, 1);
    return good;
}
