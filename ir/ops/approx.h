/* Numbers with a bound on what a float32 kernel may be off by: each operation carries the bounds of its
 * operands on and adds its own rounding, u = 2^-24 (Higham, Accuracy and Stability of Numerical
 * Algorithms, 2.2 and 3.1). An infinite bound says that nothing is known. */
#ifndef LUNETTE_IR_OPS_APPROX_H
#define LUNETTE_IR_OPS_APPROX_H

#include "ir/graph.h"

#include <float.h>
#include <math.h>

typedef struct Approx {
    double v, e;
} Approx;

static inline Approx approx(double v, double e) { return (Approx){v, e}; }
/* Element i of an input. */
static inline Approx approx_at(const RefTensor *t, int64_t i) { return (Approx){t->v[i], t->err ? t->err[i] : 0}; }

/* `units` roundings of the result; beyond float32 a kernel may have an infinity. */
static inline Approx approx_round(double v, double e, double units) {
    double size = fabs(v) + e, bound = e + units * 0x1p-24 * size + units * 0x1p-149;
    return (Approx){v, size <= (double)FLT_MAX ? bound : INFINITY};
}

static inline Approx approx_add(Approx a, Approx b) { return approx_round(a.v + b.v, a.e + b.e, 1); }
static inline Approx approx_sub(Approx a, Approx b) { return approx_round(a.v - b.v, a.e + b.e, 1); }

static inline Approx approx_mul(Approx a, Approx b) {
    return approx_round(a.v * b.v, fabs(a.v) * b.e + fabs(b.v) * a.e + a.e * b.e, 1);
}

/* A divisor that may be 0 leaves nothing known. */
static inline Approx approx_div(Approx a, Approx b) {
    double v = a.v / b.v, least = fabs(b.v) - b.e;
    return approx_round(v, least > 0 ? (a.e + fabs(v) * b.e) / least : INFINITY, 1);
}

/* Of what kernels never have negative: |√x̂ − √x| = |x̂ − x| / (√x̂ + √x), and at most √|x̂ − x|. */
static inline Approx approx_sqrt(Approx a) {
    double v = sqrt(a.v), least = a.v - a.e;
    return approx_round(v, a.e == 0 ? 0 : least >= 0 ? a.e / (v + sqrt(least)) : sqrt(a.e), 1);
}

/* ir/mathfn/ states errors in ULP, of which one is at most two units. */
static inline Approx approx_log(Approx a) {
    return approx_round(log(a.v), a.e == 0 ? 0 : a.e < a.v ? -log1p(-a.e / a.v) : INFINITY, 2);
}

static inline Approx approx_exp(Approx a) {
    double v = exp(a.v);
    Approx y = approx_round(v, a.e == 0 ? 0 : v * expm1(a.e), 4);
    y.e += 0x1p-126; /* what it may flush */
    return y;
}

/* A result that may be NaN has no bound. */
static inline double approx_error(Approx a) { return isnan(a.e) ? INFINITY : a.e; }

static inline void approx_put(RefTensor *out, int64_t i, Approx a) {
    out->v[i] = a.v;
    if (out->err) out->err[i] = approx_error(a);
}

/* γ_k, infinite where so many roundings may leave nothing. */
static inline double approx_gamma(double k) { return k < 0x1p23 ? ref_gamma(k) : INFINITY; }

/* What a sum is made of. */
typedef struct SumOf {
    double sum, abs, err; /* Σ x, Σ |x|, Σ of their errors */
    double n;
} SumOf;

static inline void sum_add(SumOf *s, double x, double e) {
    s->sum += x;
    s->abs += fabs(x);
    s->err += e;
    s->n++;
}

/* The sum in any order, from 0 and with partial sums, each term being rounded `more` times before; over `divisor`, by
 * which a kernel divides or whose reciprocal it multiplies with (1: neither). */
static inline Approx sum_total(const SumOf *s, double more, double divisor) {
    double gamma = approx_gamma(s->n + 1 + more + (divisor == 1 ? 0 : 3));
    double size = s->abs + s->err, bound = (s->err + gamma * size) / divisor + (1 + more * s->n) * 0x1p-149;
    return (Approx){s->sum / divisor, size <= (double)FLT_MAX ? bound : INFINITY};
}

#endif
