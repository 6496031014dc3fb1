/* Graphs as ONNX models: opset 17, float32 weights as raw data, shapes fixed. Each op has a row in export_ops.c: the ONNX
 * node that it is, the nodes that make it up, or why ONNX cannot say it. Values and nodes keep their names. */
#ifndef LUNETTE_ONNX_EXPORT_H
#define LUNETTE_ONNX_EXPORT_H

#include "ir/graph.h"

enum { EXPORT_OPSET = 17, EXPORT_IR_VERSION = 8 };

/* Writes the graph, as written, whole or not at all; weight[i]: the data of node i when it is a WEIGHT. False with
 * DIAG_UNSUPPORTED (an op ONNX cannot say, a model of more than 2 GB), DIAG_FILE or DIAG_MACHINE. Takes memory for the
 * nodes alone: weights go to the file from where they are. Jumps to the arena's `oom` with nothing left open. */
bool onnx_save(Arena *a, const char *path, const Graph *g, const void *const *weight, Diag *d);
/* Whether there is a row for this op: what it becomes or why not. */
bool onnx_has_row(Op op);

#endif
