/* Runs one nest. The code is written once and built four times: multiply-add in one rounding or
 * two, and for the processor at hand (AVX2 and FMA instructions, chosen when it runs) or for any;
 * without the FMA instruction fmaf is a call, slow but right.
 *
 * Bit-exactness rests on the compiler doing one rounding an operation: this file must be built with
 * -ffp-contract=off and without -ffast-math. Loops are in fixed chunks so that they are vectorised
 * at -O2 too. */
#include "runtime/interp_code.h"

#include <math.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "the interpreter must not be built with -ffast-math"
#endif

#define HOT static inline __attribute__((always_inline))

enum { CHUNK = 16 }; /* divides STRIP */

HOT float muladd(float x, float y, float old, bool fma) {
    if (fma) return __builtin_fmaf(x, y, old);
    float product = x * y;
    return product + old;
}

/* Written with a mask, so that x and y are both loaded: from `c ? x[i] : y[i]` gcc 12.2 -O3 makes masked
 * loads and takes one mask for two vectors (wrong code). */
HOT uint32_t choose(bool c, uint32_t x, uint32_t y) {
    uint32_t mask = 0u - (uint32_t)c;
    return (x & mask) | (y & ~mask);
}

/* ---- target += x · y over two loops ------------------------------------------------------ */

/* The target overlaps neither x nor y (Nest.is_mac). At -O3 gcc would unroll the loop before it can
 * vectorise it. */
HOT void mac_chunk(float *restrict t, const float *restrict x, int64_t sx, const float *restrict y, int64_t sy,
                   bool fma) {
#pragma GCC ivdep
#pragma GCC unroll 1
    for (int i = 0; i < CHUNK; i++) t[i] = muladd(x[i * sx], y[i * sy], t[i], fma);
}

HOT void mac_any(float *restrict t, int64_t st, const float *restrict x, int64_t sx, const float *restrict y,
                 int64_t sy, int64_t n, bool fma) {
    for (int64_t i = 0; i < n; i++) t[i * st] = muladd(x[i * sx], y[i * sy], t[i * st], fma);
}

/* sx, sy: 0 or 1, known where this is inlined */
HOT void mac_row(float *restrict t, const float *restrict x, int64_t sx, const float *restrict y, int64_t sy, int64_t n,
                 bool fma) {
    int64_t i = 0;
    for (; i + CHUNK <= n; i += CHUNK) mac_chunk(t + i, x + i * sx, sx, y + i * sy, sy, fma);
    mac_any(t + i, 1, x + i * sx, sx, y + i * sy, sy, n - i, fma);
}

HOT void mac_dot(float *t, const float *x, int64_t sx, const float *y, int64_t sy, int64_t n, bool fma) {
    float sum = *t;
    for (int64_t i = 0; i < n; i++) sum = muladd(x[i * sx], y[i * sy], sum, fma);
    *t = sum;
}

HOT void run_mac(const Run *r, const Nest *n, bool fma) {
    const Access *at = n->access, *ax = at + 1, *ay = at + 2;
    int in = n->n_loops - 1, out = in - 1;
    float *t = (float *)r->memory[at->memory] + at->at;
    const float *x = (const float *)r->memory[ax->memory] + ax->at, *y = (const float *)r->memory[ay->memory] + ay->at;
    int64_t st = at->stride[in], sx = ax->stride[in], sy = ay->stride[in], length = n->extent[in];
    for (int64_t j = 0, m = out < 0 ? 1 : n->extent[out]; j < m; j++) {
        if (st == 1 && sx == 0 && sy == 1) mac_row(t, x, 0, y, 1, length, fma);
        else if (st == 1 && sx == 1 && sy == 0) mac_row(t, x, 1, y, 0, length, fma);
        else if (st == 1 && sx == 1 && sy == 1) mac_row(t, x, 1, y, 1, length, fma);
        else if (st == 0) mac_dot(t, x, sx, y, sy, length, fma);
        else mac_any(t, st, x, sx, y, sy, length, fma);
        if (out < 0) break;
        t += at->stride[out];
        x += ax->stride[out];
        y += ay->stride[out];
    }
}

/* ---- any value, a strip at a time -------------------------------------------------------- */

HOT void run_load(float *y, const float *x, int64_t stride, int n) {
    if (stride == 1) {
        memcpy(y, x, sizeof *y * (size_t)n);
    } else {
        for (int i = 0; i < n; i++) y[i] = x[i * stride];
    }
}

/* Whole chunks: what lies in a strip past the end of the loop is computed too, and ignored. */
#define EACH(expr)                                                                                                     \
    for (int chunk = 0; chunk < n; chunk += CHUNK) {                                                                   \
        _Pragma("GCC ivdep") for (int i = chunk; i < chunk + CHUNK; i++) expr;                                         \
    }                                                                                                                  \
    break

HOT void run_ins(const Run *r, const Nest *nest, const Ins *ins, int64_t first, int n, bool fma) {
    Strip *s = nest->strip, *y = &s[ins->y];
    if (ins->code <= CODE_INDEX) {
        const Access *x = &nest->access[ins->a];
        if (ins->code == CODE_CONVERT || ins->code == CODE_TAKE) {
            interp_load(r, nest, x, first, n, y->f);
            return;
        }
        int64_t stride = x->stride[nest->n_loops - 1], at = x->at + first * stride;
        if (ins->code == CODE_LOAD) run_load(y->f, (const float *)r->memory[x->memory] + at, stride, n);
        else
            for (int i = 0; i < n; i++) y->f[i] = (float)(at + i * stride);
        return;
    }
    const Strip *a = &s[ins->a], *b = &s[ins->b], *c = &s[ins->c], *d = &s[ins->d];
    switch (ins->code) {
    case CODE_LOAD:
    case CODE_CONVERT:
    case CODE_TAKE:
    case CODE_INDEX: break;
    case CODE_NEG: EACH(y->u[i] = a->u[i] ^ 0x80000000u);
    case CODE_ABS: EACH(y->u[i] = a->u[i] & 0x7FFFFFFFu);
    case CODE_SQRT: EACH(y->f[i] = sqrtf(a->f[i]));
    case CODE_ADD: EACH(y->f[i] = a->f[i] + b->f[i]);
    case CODE_SUB: EACH(y->f[i] = a->f[i] - b->f[i]);
    case CODE_MUL: EACH(y->f[i] = a->f[i] * b->f[i]);
    case CODE_DIV: EACH(y->f[i] = a->f[i] / b->f[i]);
    case CODE_MAX: EACH(y->f[i] = a->f[i] > b->f[i] ? a->f[i] : b->f[i]);
    case CODE_MIN: EACH(y->f[i] = a->f[i] < b->f[i] ? a->f[i] : b->f[i]);
    case CODE_FMA: EACH(y->f[i] = muladd(a->f[i], b->f[i], c->f[i], fma));
    case CODE_LT: EACH(y->u[i] = choose(a->f[i] < b->f[i], c->u[i], d->u[i]));
    case CODE_LE: EACH(y->u[i] = choose(a->f[i] <= b->f[i], c->u[i], d->u[i]));
    case CODE_EQ: EACH(y->u[i] = choose(a->f[i] == b->f[i], c->u[i], d->u[i]));
    case CODE_IADD: EACH(y->u[i] = a->u[i] + b->u[i]);
    case CODE_ISUB: EACH(y->u[i] = a->u[i] - b->u[i]);
    case CODE_IAND: EACH(y->u[i] = a->u[i] & b->u[i]);
    case CODE_IOR: EACH(y->u[i] = a->u[i] | b->u[i]);
    case CODE_ISHL: EACH(y->u[i] = a->u[i] << ins->b);
    case CODE_ISHR: EACH(y->u[i] = a->u[i] >> ins->b);
    case CODE_ISAR: EACH(y->u[i] = (uint32_t)((int32_t)a->u[i] >> ins->b));
    case CODE_ITOF: EACH(y->f[i] = (float)(int32_t)a->u[i]);
    }
}

HOT float combine_one(Combine c, float old, float x, float y, bool fma) {
    switch (c) {
    case COMBINE_SET: return x;
    case COMBINE_ADD: return old + x;
    case COMBINE_MAX: return old > x ? old : x;
    case COMBINE_FMA: return muladd(x, y, old, fma);
    case COMBINE_CONVERT:
    case COMBINE_MOVE: break; /* no f32 */
    }
    return x;
}

/* `c` is known where this is inlined. In order: with stride 0 all go to one element. */
HOT void combine_strip(Combine c, float *t, int64_t stride, const float *x, const float *y, int n, bool fma) {
    if (stride == 0) {
        float old = *t;
        for (int i = 0; i < n; i++) old = combine_one(c, old, x[i], y[i], fma);
        *t = old;
    } else {
        for (int i = 0; i < n; i++) t[i * stride] = combine_one(c, t[i * stride], x[i], y[i], fma);
    }
}

HOT void run_strips(const Run *r, const Nest *n, bool fma) {
    int in = n->n_loops - 1;
    int64_t stride = n->access[0].stride[in], length = n->extent[in];
    bool typed = n->combine == COMBINE_CONVERT || n->combine == COMBINE_MOVE;
    float *t = typed ? NULL : (float *)r->memory[n->access[0].memory] + n->access[0].at;
    const float *x = typed ? NULL : n->strip[n->x].f, *y = n->strip[n->y].f;
    for (int64_t first = 0; first < length; first += n->step) {
        int m = length - first < n->step ? (int)(length - first) : n->step;
        for (int i = 0; i < n->n_ins; i++) run_ins(r, n, &n->ins[i], first, m, fma);
        if (typed) {
            interp_store(r, n, first, m);
            continue;
        }
        float *to = t + first * stride;
        switch (n->combine) {
        case COMBINE_SET: combine_strip(COMBINE_SET, to, stride, x, y, m, fma); break;
        case COMBINE_ADD: combine_strip(COMBINE_ADD, to, stride, x, y, m, fma); break;
        case COMBINE_MAX: combine_strip(COMBINE_MAX, to, stride, x, y, m, fma); break;
        case COMBINE_FMA: combine_strip(COMBINE_FMA, to, stride, x, y, m, fma); break;
        case COMBINE_CONVERT:
        case COMBINE_MOVE: break;
        }
    }
}

/* ---- the other loops --------------------------------------------------------------------- */

/* On to the next iteration of loops 0 … last; false after the last one. */
HOT bool next_iteration(Nest *n, int last) {
    for (int j = last; j >= 0; j--) {
        n->digit[j]++;
        for (int i = 0; i < n->n_access; i++) n->access[i].at += n->access[i].stride[j];
        if (n->digit[j] < n->extent[j]) return true;
        for (int i = 0; i < n->n_access; i++) n->access[i].at -= n->access[i].stride[j] * n->extent[j];
        n->digit[j] = 0;
    }
    return false;
}

HOT void run_nest(const Run *r, Nest *n, bool fma) {
    for (int i = 0; i < n->n_access; i++) {
        Access *x = &n->access[i];
        x->at = x->outer.base;
        for (int j = 0; j < x->outer.n; j++) x->at += x->outer.term[j].coef * r->var[x->outer.term[j].var];
    }
    int last = n->n_loops - (n->is_mac ? 3 : 2);
    do {
        if (n->is_mac) run_mac(r, n, fma);
        else run_strips(r, n, fma);
    } while (next_iteration(n, last));
}

static void nest_any_two(const Run *r, Nest *n) { run_nest(r, n, false); }
static void nest_any_fma(const Run *r, Nest *n) { run_nest(r, n, true); }

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void nest_avx_two(const Run *r, Nest *n) { run_nest(r, n, false); }
__attribute__((target("avx2,fma"))) static void nest_avx_fma(const Run *r, Nest *n) { run_nest(r, n, true); }
#endif

void interp_nest(const Run *r, Nest *n) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2")) {
        if (r->fma) nest_avx_fma(r, n);
        else nest_avx_two(r, n);
        return;
    }
#endif
    if (r->fma) nest_any_fma(r, n);
    else nest_any_two(r, n);
}
