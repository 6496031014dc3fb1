/* ONNX models as graphs. The nodes become ops of ir/ops.def, initialisers become weights with their data; what is
 * constant (shapes, reshaped or transposed weights) is computed here. A node keeps its name, as far as Lunette's
 * names allow; its line is its place in the file, from 1.
 *
 * The first dimension of an input is the batch when the file leaves it open. Other open dimensions need a size:
 * --set NAME=N. Half precision is widened: everything is computed in float32.
 *
 * A file is never trusted: it is scanned for depth before it is unpacked, unpacking takes a bounded multiple of
 * the file's size, so does what is computed here, and node inputs must have been made by an earlier node. */
#ifndef LUNETTE_ONNX_ONNX_H
#define LUNETTE_ONNX_ONNX_H

#include "frontend/data/array.h"
#include "ir/graph.h"

typedef struct OnnxOptions {
    int64_t batch;          /* ≥ 1 */
    const char *const *set; /* "height=240": the --set arguments */
    int n_set;
    const char *const *constants; /* "shape=FILE": the --const arguments, inputs that are known: FILE is what data_load
                                   * reads, or a TensorProto (.pb) */
    int n_constant;
    const char *const *shapes; /* "image=1,3,224,224": the --shape arguments */
    int n_shape;
} OnnxOptions;

typedef struct OnnxModel {
    Graph *graph;
    const void **weight; /* [graph->n_node]: data of WEIGHT nodes, of their type, in the arena; NULL for others */
} OnnxModel;

/* Reads the model into the arena. False with `d`: DIAG_FILE when it cannot be read or is not ONNX, DIAG_SPEC when
 * it is not a valid model, DIAG_UNSUPPORTED with node, op and opset, DIAG_USAGE for --set and --batch. Jumps to the
 * arena's `oom` with nothing left open. */
bool onnx_load(Arena *a, const char *path, const OnnxOptions *o, OnnxModel *out, Diag *d);

/* Reads one tensor, as ONNX's test suites keep them (input_0.pb: a TensorProto); its data are in the arena. Errors
 * and the arena's `oom` as above. */
bool onnx_tensor_load(Arena *a, const char *path, Array *out, Diag *d);

#endif
