/* Networks as files: a spec with its weights from an ONNX model, an ONNX model from a spec. */
#ifndef LUNETTE_FRONTEND_SAVE_H
#define LUNETTE_FRONTEND_SAVE_H

#include "frontend/model.h"

typedef struct SpecFiles {
    const char *spec, *weights; /* FOLDER/NAME.lua, FOLDER/NAME.safetensors; in the model's arena */
} SpecFiles;

/* Writes the graph as written, which has its weights, as a spec: both files or none, replacing those that are there; the
 * folder is made. The spec is read back before it gets its name and must give the same graph, so that it computes the
 * same bits. `from`: what the head of the spec names. */
bool save_spec(const LunetteModel *m, const char *folder, const char *name, const char *from, SpecFiles *out, Diag *d);
/* Writes the graph as written, which has its weights, as an ONNX model. */
bool save_onnx(const LunetteModel *m, const char *path, Diag *d);

#endif
