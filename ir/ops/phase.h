/* A transposed convolution as ordinary ones: along an axis the results o = s·q + r of one residue r see every s-th tap
 * only, each at its own distance, so that they are a convolution with a small dense kernel. Consecutive residues whose
 * taps and positions are alike form one phase, so that a stride of 32 is not 32 phases.
 *
 *   o = s·q + r + step·j            position q < n_q of residue number j < n_j
 *   k = k0 + j + (s/g)·m            tap m < taps, g = gcd(s, d): the only ones with s | o + p − k·d
 *   i = q + a + turn·j − (d/g)·m    the element of x that it meets; in the zeros around x it may be */
#ifndef LUNETTE_IR_OPS_PHASE_H
#define LUNETTE_IR_OPS_PHASE_H

#include "ir/base.h"

typedef struct Phase {
    int64_t r, step, n_j, n_q;
    int64_t taps; /* 0: nothing but the bias */
    int64_t k0, k_step, a, turn, i_step;
} Phase;

/* Nests of one kernel: a product over the axes, and so of one axis. */
enum { MAX_PHASES = 256 };

typedef struct Phases {
    int n; /* −1: more than MAX_PHASES */
    Phase v[MAX_PHASES];
} Phases;

/* One axis: o results, kernel k, stride s ≤ 2^16, dilation d, p cut off in front. */
void phases_make(Phases *out, int64_t o, int64_t k, int64_t s, int64_t d, int64_t p);
/* Nests, each residue by itself where they do not follow each other: what the proof that all of y is written works on. */
int64_t phases_pieces(const Phases *p);
/* First and last element of x that is met (0 and −1: none). */
void phases_reach(const Phases *p, int64_t *first, int64_t *last);

#endif
