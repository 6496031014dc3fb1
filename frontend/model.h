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
#include "frontend/memory.h"
#include "ir/passes.h"
#include "ir/plan_build.h"
#include "ir/schedule.h"
#include "runtime/pool.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct ModelKernel {
    Lowered plain;      /* as lowered, before its schedule */
    Kernel *kernel;     /* scheduled: what is compiled */
    const char *reason; /* of the schedule; "given in the spec" when it was */
    const char *nest;   /* nameless text of the plain kernel, where the schedule is the model's; NULL elsewhere */
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
    const char **note; /* remarks, [n_note] */
    int n_note, cap_note;
    Plan *plan;
    const Node **buf_node; /* [plan->n_buf] */
    const int *kernel_of;  /* [plan->n_step] → plan->kernel */

    const void **weight; /* [written->n_node]: data of WEIGHT nodes, plain, of their type; NULL for others */
    const Node **index_user; /* [written->n_node]: frontend/indices.h */
    bool embedded;        /* the weights came with the graph, in the arena (ONNX) */
    void *weight_block;   /* what is not mapped */
    Safetensors *file;    /* what is */

    CodeLib *code;
    KernelFn *fn; /* [plan->n_step] */
    Pool *pool;
    int64_t *places; /* [plan->n_input]: of an input that gather takes as index, 0 of others */
    char *weights;   /* packed, 64-byte aligned */
    size_t weights_size;
    char *memory; /* the arena of the plan */
    size_t memory_size;
    Scratch scratch;
    int64_t **cut; /* [n_step][threads + 1]: the tasks of each thread */
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
/* The graph as written alone, for what does not compile it; model_weights may follow. */
LunetteModel *model_read(const char *spec, const LunetteOptions *o, Diag *d);
/* Those of the model itself (ONNX), else from options.weights, else random from options.seed when
 * options.random_weights. Missing, extra and mis-shaped tensors are errors (DIAG_FILE) that name the tensor, what
 * was wanted and what was found. */
bool model_weights(LunetteModel *m, Diag *d);
bool model_build(LunetteModel *m, Diag *d);
/* Indexes in range (of inputs that are not NULL): DIAG_FILE "input 'ids': element 5 is 12, not in -10 … 9". */
bool model_inputs_good(const LunetteModel *m, const void *const *inputs, Diag *d);
void model_run(LunetteModel *m, const void *const *inputs, void *const *outputs);
/* One step alone on given parameter memory, all tasks, by the pool. */
void model_run_step(LunetteModel *m, int step, void *const *args);
void model_close(LunetteModel *m);

/* Memory of a plan buffer for this run's inputs and outputs. */
void *model_buffer(const LunetteModel *m, int buf, const void *const *inputs, void *const *outputs);
/* An element type as files have it. */
ElemType model_elem(DType t);

/* random.c: the same for the same seed and name. Weights: uniform with variance 2 / fan-in for what is multiplied,
 * statistics near (0, 1). */
void random_weight(const LunetteModel *m, uint64_t seed, const Node *weight, void *out);
/* Input i of the plan: f32 uniform in [lo, hi), bool 0 and 1, integers 0 … 9, indexes of gather and maxunpool places that
 * there are. */
void random_input(const LunetteModel *m, uint64_t seed, int i, float lo, float hi, void *out);
/* Integers 0 … 9, bools 0 and 1; not all the same. */
void random_whole(uint64_t seed, const char *name, DType type, void *out, int64_t n);
/* Uniform in [lo, hi). */
void random_fill(uint64_t seed, const char *name, float lo, float hi, float *out, int64_t n);
/* calibrate.c: gives batch norms with random weights the mean and variance that a random input (from options.seed) has
 * there, evaluated in double, so that values keep their size through deep networks. */
bool random_calibrate(LunetteModel *m, Arena *a, Diag *d);

/* pack.c: the values of a constant node in its type and layout, halos included: evaluated in double from the weights of
 * the graph as written, rounded once. Shared by the threads of `pool`, NULL: the caller's alone. */
bool constant_pack(const LunetteModel *m, const Node *node, void *out, Pool *pool, Diag *d);

/* All constants of a model's plan into m->weights, a buffer at a time: several threads may take steps at once, without a
 * pool then. */
typedef struct Packing {
    LunetteModel *model;
    atomic_int next; /* plan buffer to look at */
    pthread_mutex_t lock;
    int failed; /* the first buffer that did, and … */
    Diag why;
} Packing;

void packing_open(Packing *p, LunetteModel *m);
bool packing_step(Packing *p, Pool *pool); /* false: none is left, or one has failed */
bool packing_close(Packing *p, Diag *d);   /* whether all is well; after all steps, in all threads */

#endif
