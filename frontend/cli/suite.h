/* lunette check on single layers: descriptors, a file of them, a layer, random ones, laws. */
#ifndef LUNETTE_CLI_SUITE_H
#define LUNETTE_CLI_SUITE_H

#include "frontend/cli/layer_args.h"

typedef struct SuiteArgs {
    LayerArgs layer;
    const char *file;    /* of --batch */
    bool kind_given;     /* --kind: of what the file's lines are; else layer.kind */
    int64_t max_spatial; /* 0: none */
    uint64_t random;     /* how many; 0: not asked for */
    bool laws, full;
} SuiteArgs;

enum { KEY_KIND = CLI_KEY + 0x200, KEY_MAX_SPATIAL, KEY_RANDOM, KEY_LAWS, KEY_BATCH_OR_FILE };

#define SUITE_OPTIONS                                                                                                  \
    {"batch",                                                                                                          \
     KEY_BATCH_OR_FILE,                                                                                                \
     "N|FILE",                                                                                                         \
     0,                                                                                                                \
     "Images a run of the network (default 1), or a file of descriptors to check, one after the other",                \
     0},                                                                                                               \
        {"kind",                                                                                                       \
         KEY_KIND,                                                                                                     \
         "conv|deconv|pool",                                                                                           \
         0,                                                                                                            \
         "What the descriptors of the file are (default: the name of its folder, else conv)",                          \
         0},                                                                                                           \
        {"max-spatial", KEY_MAX_SPATIAL, "N", 0, "Cuts extents of descriptors down to about N", 0},                    \
        {"random", KEY_RANDOM, "N", 0, "Checks N random layers: convolutions, transposed ones, pools", 0}, {           \
        "laws", KEY_LAWS, NULL, 0, "Checks laws of convolution that need no reference", 0                              \
    }

/* As layer_option, for both sets of options; images go to o->model.batch. */
bool suite_option(SuiteArgs *s, int key, const char *value, CliOptions *o, bool *good, Diag *d);
bool suite_wanted(const SuiteArgs *s);
/* The exit code. */
int suite_run(SuiteArgs *s, Arena *a, CliOptions *o);
/* --laws: laws.c */
int laws_run(Arena *a, CliOptions *o);

#endif
