/* Lunette: convolutional networks as native code. The public interface.
 *
 *   LunetteError error;
 *   LunetteModel *model = NULL;
 *   LunetteOptions options = {.weights = "lenet5.safetensors"};
 *   if (lunette_open("lenet5.lua", &options, &model, &error) != LUNETTE_OK) { puts(error.message); … }
 *   float *image = …, scores[10];                       // sizes: lunette_input, lunette_output
 *   lunette_run(model, (const void *[]){image}, (void *[]){scores}, &error);
 *   lunette_close(model);
 *
 * Tensors are dense and row by row, the last axis fastest, of 0 to 8 axes, batch first: an image is [n c h w]. Most are
 * float32; others (class numbers, indexes, masks) say so. The library never prints, exits or aborts on bad input, and
 * keeps no pointer to the caller's memory after a call returns. A model may be run by one thread at a time; several
 * models may live and run at once. */
#ifndef LUNETTE_H
#define LUNETTE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values are the exit codes of the command line. */
typedef enum LunetteStatus {
    LUNETTE_OK = 0,
    LUNETTE_DIFFERS = 1,     /* checked, and not good */
    LUNETTE_USAGE = 2,       /* an option or argument */
    LUNETTE_SPEC = 3,        /* the network description */
    LUNETTE_UNSUPPORTED = 4, /* well formed, but not something Lunette does */
    LUNETTE_FILE = 5,        /* a weight or data file */
    LUNETTE_INTERNAL = 70,   /* a bug in Lunette */
    LUNETTE_MACHINE = 71,    /* memory, threads, disk */
} LunetteStatus;

typedef struct LunetteError {
    LunetteStatus status;
    char message[1000]; /* one line; "" after success */
} LunetteError;

/* How convolutions are computed. AUTO: as the model thinks best. IM2COL and WINOGRAD: where that is possible. */
typedef enum LunetteAlgorithm { LUNETTE_AUTO = 0, LUNETTE_DIRECT, LUNETTE_IM2COL, LUNETTE_WINOGRAD } LunetteAlgorithm;
/* DEFAULT: what is about as accurate as sums in float32: Winograd's F(2, r) and F(4, 3). STRICT: nothing beyond the bound of a direct
 * convolution, so no Winograd that a spec does not ask for. */
typedef enum LunetteAccuracy { LUNETTE_ACCURACY_DEFAULT = 0, LUNETTE_ACCURACY_STRICT } LunetteAccuracy;

typedef struct LunetteOptions {
    const char *weights; /* a safetensors or npz file; NULL: random weights from `seed` when `random_weights`,
                              * else an error if the network has any */
    int random_weights;  /* 1: random weights from `seed` */
    uint64_t seed;
    int threads;            /* 1 … 1024; 0: 1; negative: LUNETTE_USAGE, as for batch and n_set */
    int64_t batch;          /* images a run, the n of every input; 0: 1 */
    const char *const *set; /* n_set parameters "name=value" for the spec's param() */
    int n_set;
    const char *const *constants; /* n_constant inputs of an ONNX model that are known, "shape=FILE": npy or what else
                                   * an input may be, or a TensorProto (.pb); they are no longer inputs */
    int n_constant;
    const char *const
        *shapes; /* n_shape extents of inputs of an ONNX model that leaves them open, "image=1,3,224,224" */
    int n_shape;
    const char *schedules; /* a file of schedules by layer, as `lunette tune` writes; NULL: none. Those that do not fit (an unknown
                            * layer, steps that are not legal) are left out and noted */
    const char *cpu; /* LLVM's name; NULL: the host's */
    const char
        *cache_dir; /* compiled kernels are kept here; NULL: the default: $XDG_CACHE_HOME/lunette or ~/.cache/lunette */
    int no_cache;   /* 1: keep nothing */
    int plain;      /* 1: the nests as lowered, without schedules: slow, for comparison */
    LunetteAlgorithm algorithm; /* of convolutions that do not say one */
    LunetteAccuracy accuracy;   /* what the model may choose */
} LunetteOptions;

typedef enum LunetteType {
    LUNETTE_F32,  /* float */
    LUNETTE_I64,  /* int64_t */
    LUNETTE_I32,  /* int32_t */
    LUNETTE_U8,   /* uint8_t */
    LUNETTE_BOOL, /* a byte, 0 or 1 */
} LunetteType;

enum { LUNETTE_MAX_RANK = 8 };

typedef struct LunetteTensor {
    const char *name; /* owned by the model */
    LunetteType type;
    int rank;                         /* 0: one number */
    int64_t extent[LUNETTE_MAX_RANK]; /* batch first */
    int64_t elements;
    size_t bytes; /* all elements */
} LunetteTensor;

typedef struct LunetteModel LunetteModel;

/* Reads the network description (a Lua spec), compiles it, packs the weights. *model is NULL on
 * failure. `options` may be NULL. `error` may be NULL. The strings are not kept. */
LunetteStatus lunette_open(const char *spec, const LunetteOptions *options, LunetteModel **model, LunetteError *error);

int lunette_input_count(const LunetteModel *model);
int lunette_output_count(const LunetteModel *model);
/* Input or output i, 0 … count−1. */
LunetteTensor lunette_input(const LunetteModel *model, int i);
LunetteTensor lunette_output(const LunetteModel *model, int i);

/* Remark i about how the model was compiled, NULL when there are no more; owned by the model. */
const char *lunette_note(const LunetteModel *model, int i);

/* Runs the network once. inputs[i] and outputs[i] point to as many elements, of their type and aligned for it, as
 * lunette_input(i) and lunette_output(i) say; they may not overlap. Allocates nothing. The answer is the same to the
 * bit for any number of threads. An input that the network gathers by must have indexes in range, else LUNETTE_FILE:
 * "input 'ids': element 5 is 12, not in -10 … 9"; nothing is run then. */
LunetteStatus lunette_run(LunetteModel *model, const void *const *inputs, void *const *outputs, LunetteError *error);

/* Frees everything; NULL is fine. */
void lunette_close(LunetteModel *model);

/* "0.1.0" */
const char *lunette_version(void);

#ifdef __cplusplus
}
#endif

#endif
