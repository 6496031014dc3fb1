#include "tests/naive_windows.h"
#include "tests/random_nest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static double rnd(const Naive *e, double x) { return e->narrow ? (double)(float)x : x; }

/* The words of pad_mode and of pad's mode, as the table of ops lists them. */
static const char *const conv_modes[] = {"zero", "reflect", "edge", "circular", "constant"};
static const char *const pad_modes[] = {"constant", "reflect", "edge", "circular"};

int64_t naive_walk(const char *mode, int64_t i, int64_t l) {
    while (i < 0 || i >= l) {
        if (strcmp(mode, "reflect") == 0) i = i < 0 ? -i : l - 1 - (i - (l - 1));
        else if (strcmp(mode, "edge") == 0) i += i < 0 ? 1 : -1;
        else if (strcmp(mode, "circular") == 0) i += i < 0 ? l : -l;
        else return -1;
    }
    return i;
}

/* Element p of x, of which `crop` elements before each axis and those from `end` on are as if not there. */
static double element(const RefTensor *x, const int64_t *p, const int64_t *crop, const int64_t *end, const char *mode,
                      double value) {
    int64_t at = 0;
    for (int i = 0; i < x->type.rank; i++) {
        int64_t from = naive_walk(mode, p[i] - crop[i], end[i] - crop[i]);
        if (from < 0) return value;
        at = at * x->type.axis[i].extent + crop[i] + from;
    }
    return x->v[at];
}

static double sum_in_some_order(Naive *e) {
    double sum = 0;
    while (e->n) {
        int i = e->narrow ? random_in(&e->seed, 0, e->n - 1) : 0;
        sum = rnd(e, sum + e->term[i]);
        e->term[i] = e->term[--e->n];
    }
    return sum;
}

static void add_term(Naive *e, double x) {
    assert_true(e->n < (int)COUNT_OF(e->term));
    e->term[e->n++] = x;
}

/* Tap number i, in the order of the weight. */
static void tap_of(const Dims *kernel, int64_t i, int64_t k[3]) {
    for (int a = kernel->n - 1; a >= 0; i /= kernel->v[a--]) k[a] = i % kernel->v[a];
}

static int64_t tap_count(const Dims *kernel) {
    int64_t n = 1;
    for (int a = 0; a < kernel->n; a++) n *= kernel->v[a];
    return n;
}

static double conv(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o) {
    const CONV_attr *c = &n->attr.CONV;
    int64_t taps = tap_count(&c->kernel), in_group = in[0]->type.axis[1].extent / c->groups, p[5] = {o[0]}, k[3];
    int64_t none[5] = {0}, all[5];
    for (int i = 0; i < in[0]->type.rank; i++) all[i] = in[0]->type.axis[i].extent;
    for (int64_t t = 0; t < taps; t++) {
        tap_of(&c->kernel, t, k);
        for (int a = 0; a < c->kernel.n; a++)
            p[2 + a] = o[2 + a] * c->stride.v[a] + k[a] * c->dilation.v[a] - c->pad.lo[a];
        for (int64_t i = 0; i < in_group; i++) {
            p[1] = o[1] / (c->out / c->groups) * in_group + i;
            double value = c->pad_mode == 4 ? (double)c->pad_value : 0;
            double x = element(in[0], p, none, all, conv_modes[c->pad_mode], value);
            add_term(e, rnd(e, x * in[1]->v[(o[1] * in_group + i) * taps + (c->flip ? taps - 1 - t : t)]));
        }
    }
    if (in[2]) add_term(e, in[2]->v[o[1]]);
    return sum_in_some_order(e);
}

/* Every x and every tap that lands on o: position·stride + tap·dilation − padding. */
static double transposed(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o) {
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    const Type *x = &in[0]->type;
    int64_t taps = tap_count(&c->kernel), in_group = x->axis[1].extent / c->groups, out_group = c->out / c->groups;
    int64_t plane = type_elements(x) / x->axis[0].extent / x->axis[1].extent, k[3];
    for (int64_t i = 0; i < plane; i++)
        for (int64_t t = 0; t < taps; t++) {
            int64_t rest = i;
            bool lands = true;
            tap_of(&c->kernel, t, k);
            for (int a = c->kernel.n - 1; a >= 0; a--) {
                int64_t at = rest % x->axis[2 + a].extent;
                rest /= x->axis[2 + a].extent;
                lands &= at * c->stride.v[a] + k[a] * c->dilation.v[a] - c->pad.lo[a] == o[2 + a];
            }
            for (int64_t j = 0; j < in_group && lands; j++) {
                int64_t ch = o[1] / out_group * in_group + j, w = (ch * out_group + o[1] % out_group) * taps;
                add_term(e, rnd(e, in[0]->v[(o[0] * x->axis[1].extent + ch) * plane + i] *
                                       in[1]->v[w + (c->flip ? taps - 1 - t : t)]));
            }
        }
    if (in[2]) add_term(e, in[2]->v[o[1]]);
    return sum_in_some_order(e);
}

static double padded(const Node *n, const RefTensor *x, const int64_t *o) {
    int64_t p[MAX_AXES], crop[MAX_AXES], end[MAX_AXES];
    int rank = x->type.rank;
    for (int i = 0; i < rank; i++) {
        int64_t before = n->attr.PAD.pads.v[i], after = n->attr.PAD.pads.v[rank + i];
        crop[i] = before < 0 ? -before : 0;
        end[i] = x->type.axis[i].extent + (after < 0 ? after : 0);
        p[i] = o[i] - before;
    }
    return element(x, p, crop, end, pad_modes[n->attr.PAD.mode], (double)n->attr.PAD.value);
}

bool naive_windows(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, double *out) {
    if (n->op == OP_CONV) *out = conv(e, n, in, o);
    else if (n->op == OP_CONVTRANSPOSE) *out = transposed(e, n, in, o);
    else if (n->op == OP_PAD) *out = padded(n, in[0], o);
    else return false;
    return true;
}
