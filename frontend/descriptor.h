/* One layer in one line, as the shape lists of benchdnn (oneDNN) have them:
 *
 *   g2mb256_ic96ih27_oc256oh27_kh5_ph2n"alexnet:conv2"
 *
 * A letter pair and a whole number each; '_' parts them and means nothing. g groups, mb images, ic oc channels;
 * then for the axes d, h, w: i input, o output, k kernel, s stride, p padding before the axis, d dilation, which
 * counts from 0 here (0 is dense); n the name, which is all that follows, with or without quotes.
 *
 * What is left out:
 *   g = 1, mb = 2, s = 1, d = 0.
 *   d and h and w:  from h alone w is the same, from d alone h and w are. An axis is there when any of its numbers is.
 *   o:  what the window gives with padding p on both sides, p = 0 if it is not given.
 *   p:  half of what the output needs, rounded down:  ((o − 1)s + k' − i) / 2,  k' = (k − 1)(d + 1) + 1
 * The padding after the axis follows from the output, (o − 1)s + k' − i − p; below 0, positions at the end are read by no
 * window. A transposed convolution (deconv) is the same with i and o exchanged in both formulas. */
#ifndef LUNETTE_FRONTEND_DESCRIPTOR_H
#define LUNETTE_FRONTEND_DESCRIPTOR_H

#include "ir/base.h"

enum { DESCRIPTOR_AXES = 3 };

typedef enum DescriptorKind { DESCRIPTOR_CONV, DESCRIPTOR_DECONV, DESCRIPTOR_POOL } DescriptorKind;

typedef struct DescriptorAxis {
    int64_t in, out, kernel, stride, pad; /* pad: before the axis */
    int64_t dilation;                     /* 1 is dense */
    int64_t after;                        /* padding after the axis; may be below 0 */
} DescriptorAxis;

typedef struct Descriptor {
    DescriptorKind kind;
    int n; /* axes, the last is w */
    DescriptorAxis axis[DESCRIPTOR_AXES];
    int64_t groups, batch, in_channels, out_channels; /* a pool has as many out as in */
    char name[80];                                    /* "" if it has none; the start of a longer one */
} Descriptor;

extern const char *const descriptor_kind_name[]; /* "conv", "deconv", "pool" */

/* False with DIAG_USAGE, "at column 7: …". */
bool descriptor_read(Descriptor *x, DescriptorKind kind, const char *text, Diag *d);
/* The line again, everything in it: "g1mb2ic3ih8iw8oc…". */
void descriptor_print(Text *t, const Descriptor *x);
/* At most so many images, and extents cut down to about `spatial` (0: no limit), so that windows at both ends lie as they
 * did: the input is shorter by a multiple of the stride. Nothing else changes. */
void descriptor_cap(Descriptor *x, int64_t spatial, int64_t batch);

/* What a pool takes of its window. */
typedef enum PoolKind { POOL_MAX, POOL_AVG_P, POOL_AVG_NP } PoolKind; /* the mean with padding counted, and without */

/* The same as a layer of a spec, "conv { out = 256, kernel = {5, 5}, … }", on an input of the extents *input, "96, 27, 27".
 * `more` are attributes to add, " , algorithm = …" or "". DIAG_UNSUPPORTED when no layer computes it. */
bool descriptor_layer(const Descriptor *x, PoolKind pool, const char *more, Arena *a, const char **layer,
                      const char **input, Diag *d);

/* ---- files ------------------------------------------------------------------------------------------------ */

/* The next descriptor of a file's text: words parted by white space, '#' begins a comment. NULL at the end; *line is
 * the line it stands in, from 1 (0 before the first call). */
const char *descriptor_next(Arena *a, const char **text, int *line);

#endif
