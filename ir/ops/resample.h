/* Resampling along one axis: what each position of the result is made of. Shared by resize and upsample. */
#ifndef LUNETTE_IR_OPS_RESAMPLE_H
#define LUNETTE_IR_OPS_RESAMPLE_H

#include "ir/lower.h"

/* The words of RESIZE's attributes. */
typedef enum ResizeMode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } ResizeMode;
typedef enum Coordinates {
    COORD_HALF_PIXEL,
    COORD_PYTORCH_HALF_PIXEL,
    COORD_ALIGN_CORNERS,
    COORD_ASYMMETRIC,
    COORD_TF_HALF_PIXEL_FOR_NN,
    COORD_TF_CROP_AND_RESIZE,
    COORD_HALF_PIXEL_SYMMETRIC,
} Coordinates;
typedef enum Rounding { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, ROUND_FLOOR, ROUND_CEIL } Rounding;

typedef struct ResampleRule {
    ResizeMode mode;
    Coordinates coordinates;
    Rounding rounding; /* nearest */
    double cubic_a;
    bool exclude_outside, antialias;
} ResampleRule;

typedef struct Resample {
    int64_t in, out;
    double scale, wide;    /* out/in and out, or what was given and the extent before rounding */
    double roi_lo, roi_hi; /* of tf_crop_and_resize */
    int taps;              /* for each position; 1: weights are all 1 */
    int64_t *index;        /* [out·taps], in the input */
    double *weight;        /* [out·taps] */
    bool *outside;         /* [out]: the extrapolation value stands here; NULL: nowhere */
    int64_t step, repeat;  /* of one tap: index[o] = base + o·step, or o/repeat; 0 where neither holds */
} Resample;

/* Taps along one axis, from double arithmetic throughout. in, out, scale, wide and roi are set. */
void resample_make(Arena *a, Resample *r, const ResampleRule *rule);
/* How many taps it would have. */
double resample_taps(const ResampleRule *rule, double scale);
/* Whether each position is simply its own. */
bool resample_is_identity(const Resample *r, const ResampleRule *rule);
/* The result of resampling axis i of x by axis[i]. */
void resample_eval(const Resample *axis, double extrapolation, const RefTensor *x, RefTensor *out);
void resample_lower(Lower *l, const Node *n, const Resample *axis, double extrapolation);

#endif
