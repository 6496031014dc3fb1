/* A single layer given on the command line in place of a network: a benchdnn descriptor, or the layer as a spec has it. */
#ifndef LUNETTE_CLI_LAYER_ARGS_H
#define LUNETTE_CLI_LAYER_ARGS_H

#include "frontend/cli/cli.h"
#include "frontend/descriptor.h"
#include "frontend/layers.h"

typedef struct LayerArgs {
    DescriptorKind kind;
    const char *descriptor; /* of --conv, --deconv or --pool */
    const char *layer, *input;
    const char *algorithm; /* NULL: what the op's attribute says */
    PoolKind pool;
    bool pool_given;
} LayerArgs;

enum { KEY_CONV = CLI_KEY + 0x100, KEY_DECONV, KEY_POOL, KEY_POOLING, KEY_ALGORITHM, KEY_LAYER };

/* Rows of a command's own options. */
#define LAYER_OPTIONS                                                                                                    \
    {"conv", KEY_CONV, "DESC", 0, "A convolution as a benchdnn descriptor, such as ic64ih56oc64oh56kh3ph1", 0},          \
        {"deconv", KEY_DECONV, "DESC", 0, "A transposed convolution, likewise", 0},                                      \
        {"pool", KEY_POOL, "DESC", 0, "A pool, likewise", 0},                                                            \
        {"pooling",                                                                                                      \
         KEY_POOLING,                                                                                                    \
         "max|avg_p|avg_np",                                                                                             \
         0,                                                                                                              \
         "What --pool takes of a window: the maximum (default), or the mean with or without padding",                    \
         0},                                                                                                             \
        {"algorithm", KEY_ALGORITHM, "NAME", 0, "How the convolution of a descriptor is computed: direct, im2col …", 0}, \
    {                                                                                                                    \
        "layer", KEY_LAYER, "LAYER", 0, "A layer as a spec has it, 'conv{8, 3, pad=1}', on an --input C,H,W", 0          \
    }

/* Whether the key is one of these; *good tells whether its value is. */
bool layer_option(LayerArgs *l, int key, const char *value, bool *good, Diag *d);
/* One layer, or a network, and no more. */
bool layer_args_fit(const LayerArgs *l, const char *spec, Diag *d);
/* What descriptor_layer adds for --algorithm: ", algorithm = …". DIAG_USAGE for a word that the op does not know,
 * DIAG_UNSUPPORTED when it has no choice at all. */
const char *layer_args_more(const LayerArgs *l, DescriptorKind kind, Arena *a, Diag *d);
/* The layer, and how many images it wants (1 for --layer). */
bool layer_args_text(const LayerArgs *l, Arena *a, LayerText *out, int64_t *batch, Diag *d);

#endif
