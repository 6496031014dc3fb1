/* A model in its stages, as the command line sees it: what is behind the handle of lunette.h.
 *
 *   model_load     spec → graph → passes → groups → kernels → schedules → plan     (no LLVM)
 *   model_weights  a weight file or random numbers, bound to the graph as written
 *   model_build    kernels → code; weights packed; arena, thread pool
 *   model_run
 */
#ifndef LUNETTE_FRONTEND_MODEL_H
#define LUNETTE_FRONTEND_MODEL_H

#include "codegen/compile.h"
#include "frontend/data/safetensors.h"
#include "frontend/lunette.h"
#include "ir/passes.h"
#include "ir/plan_build.h"
#include "ir/schedule.h"
#include "runtime/pool.h"

typedef struct ModelKernel {
    Lowered plain;      /* as lowered, before its schedule */
    Kernel *kernel;     /* scheduled: what is compiled */
    const char *reason; /* of the schedule; "given in the spec" when it was */
} ModelKernel;

/* Sees the graph after each pass (`after` NULL and once before the first: as written). */
typedef void ModelTrace(void *ctx, const Pass *after, const Graph *g, const PassContext *c);

struct LunetteModel {
    Arena *arena;
    LunetteOptions options;
    Target target;
    Graph *written;      /* as the user wrote it: the reference */
    Graph *graph;        /* after the passes */
    PassContext context; /* groups */
    ModelKernel *kernel; /* [context.groups.n], in the order of the plan's steps */
    Plan *plan;
    const Node **buf_node; /* [plan->n_buf] */
    const int *kernel_of;  /* [plan->n_step] → plan->kernel */

    const float **weight; /* [written->n_node]: data of WEIGHT nodes, plain layout; NULL for others */
    bool embedded;        /* the weights came with the graph, in the arena (ONNX) */
    void *weight_block;   /* what is not mapped */
    Safetensors *file;    /* what is */

    CodeLib *code;
    KernelFn *fn; /* [plan->n_step] */
    Pool *pool;
    char *weights; /* packed, 64-byte aligned */
    size_t weights_size;
    char *memory; /* the arena of the plan */
    size_t memory_size;
    void ***args; /* [n_step][n_arg]: parameters; inputs and outputs are put in by each run */
};

/* Where the graph comes from: `from` is what model_load_from was given. NULL with `d`. */
typedef Graph *ModelSource(Arena *a, const void *from, const LunetteOptions *o, Diag *d);
Graph *model_read_spec(Arena *a, const void *path, const LunetteOptions *o, Diag *d);

/* NULL with `d`. Copies the options; `trace` may be NULL. */
LunetteModel *model_load_from(ModelSource *source, const void *from, const LunetteOptions *o, ModelTrace *trace,
                              void *ctx, Diag *d);
/* A Lua spec, a graph as text (.graph) or an ONNX model (.onnx). */
LunetteModel *model_load(const char *spec, const LunetteOptions *o, ModelTrace *trace, void *ctx, Diag *d);
/* Those of the model itself (ONNX), else from options.weights, else random from options.seed when
 * options.random_weights. Missing, extra and mis-shaped tensors are errors (DIAG_FILE) that name the tensor, what
 * was wanted and what was found. */
bool model_weights(LunetteModel *m, Diag *d);
/* Sets one weight's data to another array, before model_build (`check --exact`). */
bool model_build(LunetteModel *m, Diag *d);
void model_run(LunetteModel *m, const float *const *inputs, float *const *outputs);
/* One step alone on given parameter memory, all tasks, by the pool. */
void model_run_step(LunetteModel *m, int step, void *const *args);
void model_close(LunetteModel *m);

/* Memory of a plan buffer for this run's inputs and outputs. */
void *model_buffer(const LunetteModel *m, int buf, const float *const *inputs, float *const *outputs);

/* Random weights: uniform with variance 2 / fan-in for what is multiplied, statistics near (0, 1). The same
 * for the same seed and name. */
void random_weight(uint64_t seed, const Graph *g, const Node *weight, float *out);
/* Uniform in [lo, hi), the same for the same seed and name. */
void random_fill(uint64_t seed, const char *name, float lo, float hi, float *out, int64_t n);

/* The float32 values of a constant node in its layout, halos included: evaluated in double from the weights of the
 * graph as written, rounded once. */
bool constant_pack(const LunetteModel *m, const Node *node, float *out, Diag *d);

#endif
