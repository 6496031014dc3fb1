/* What the files frontend/check_law*.c share. */
#ifndef LUNETTE_FRONTEND_CHECK_LAW_PART_H
#define LUNETTE_FRONTEND_CHECK_LAW_PART_H

#include "frontend/layers.h"

enum { LAW_BATCH = 2 };

typedef struct LawCase {
    Arena *arena;
    const char *cpu;
    uint64_t state;    /* of the random numbers */
    LayerText text[2]; /* the two sides */
    LayerData *l[2];
} LawCase;

typedef struct LawLayer {
    const char *op, *more; /* more: further attributes, ", flip = true" */
    int n;
    int64_t in[3], kernel[3], stride[3], dilation[3], lo[3], hi[3], output_pad[3];
    int64_t channels, out, groups;
    bool bias, no_pad; /* no_pad: `more` has the padding */
} LawLayer;

/* lo … hi */
int64_t law_draw(LawCase *c, int64_t lo, int64_t hi);
/* A random layer that fits its input. */
void law_layer(LawCase *c, LawLayer *l, const char *op, int axes);
LayerText law_text(LawCase *c, const LawLayer *l);

/* check_law_schedule.c: a convolution, and the same with a random legal schedule. */
void law_draw_schedule(LawCase *c);

#endif
