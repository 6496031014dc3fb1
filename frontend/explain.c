#include "frontend/explain.h"

#include <math.h>

const char *const explain_op_name[] = {"conv", "maxpool", "avgpool"};
const char *const explain_pad_name[] = {"per side", "total", "valid", "same", "same_lower", "half", "full"};

/* ---- an axis --------------------------------------------------------------------------------------------- */

int64_t explain_span(int64_t kernel, int64_t dilation) { return dilation * (kernel - 1) + 1; }

int64_t explain_out(int64_t in, int64_t pad, int64_t span, int64_t stride) {
    int64_t room = in + pad - span;
    return room < 0 ? 0 : room / stride + 1;
}

int64_t explain_out_ceil(int64_t in, int64_t lo, int64_t hi, int64_t span, int64_t stride) {
    int64_t room = in + lo + hi - span;
    if (room < 0) return 0;
    int64_t out = (room + stride - 1) / stride + 1;
    return (out - 1) * stride >= in + lo ? out - 1 : out;
}

int64_t explain_axis_out(const ExplainLayer *l, const ExplainAxis *x, int64_t lo, int64_t hi) {
    int64_t span = explain_span(x->kernel, x->dilation);
    return l->ceil ? explain_out_ceil(x->in, lo, hi, span, x->stride) : explain_out(x->in, lo + hi, span, x->stride);
}

void explain_pad(ExplainPad rule, const ExplainAxis *x, int64_t *lo, int64_t *hi) {
    int64_t span = explain_span(x->kernel, x->dilation), total = x->lo + x->hi;
    int64_t same = ((x->in + x->stride - 1) / x->stride - 1) * x->stride + span - x->in;
    if (same < 0) same = 0;
    *lo = x->lo, *hi = x->hi;
    switch (rule) {
    case EXPLAIN_SIDES:
    case EXPLAIN_PADS: break;
    case EXPLAIN_TOTAL: *lo = total / 2, *hi = total - total / 2; break;
    case EXPLAIN_VALID: *lo = *hi = 0; break;
    case EXPLAIN_SAME: *lo = same / 2, *hi = same - same / 2; break;
    case EXPLAIN_SAME_LOWER: *lo = same - same / 2, *hi = same / 2; break;
    case EXPLAIN_HALF: *lo = *hi = span / 2; break;
    case EXPLAIN_FULL: *lo = *hi = span - 1; break;
    }
}

/* Tap t meets the input at output positions i with 0 ≤ i·s + t·d − lo < l: one division a tap. */
static void count_hits(ExplainAxis *x) {
    x->hits = x->live = 0;
    for (int64_t t = 0; t < x->kernel; t++) {
        int64_t shift = x->lo - t * x->dilation; /* shift ≤ i·s < l + shift */
        int64_t first = shift <= 0 ? 0 : (shift + x->stride - 1) / x->stride;
        int64_t end = x->in + shift <= 0 ? 0 : (x->in + shift - 1) / x->stride + 1;
        if (end > x->out) end = x->out;
        if (end <= first) continue;
        x->hits += end - first;
        x->live++;
    }
}

/* ---- a layer --------------------------------------------------------------------------------------------- */

static bool axis_fits(ExplainLayer *l, int i, ExplainFault *fault, Diag *d) {
    ExplainAxis *x = &l->axis[i];
    explain_pad(l->pad, x, &x->lo, &x->hi);
    x->span = explain_span(x->kernel, x->dilation);
    x->out = explain_axis_out(l, x, x->lo, x->hi);
    if (x->out == 0) {
        *fault = FAULT_KERNEL;
        return diag_fail(d, DIAG_USAGE, "the kernel spans %lld positions, the input with its padding has %lld",
                         (long long)x->span, (long long)(x->in + x->lo + x->hi));
    }
    if (l->op != EXPLAIN_CONV && (x->lo >= x->span || x->hi >= x->span)) {
        *fault = FAULT_PAD;
        return diag_fail(d, DIAG_USAGE, "a pool's padding must be less than its window, which spans %lld positions",
                         (long long)x->span);
    }
    x->left = x->in + x->lo + x->hi - x->span - (x->out - 1) * x->stride;
    if (x->left < 0) x->left = 0; /* the last window of ceil mode reaches further */
    x->reach = (ExplainReach){x->span, x->stride, -x->lo};
    count_hits(x);
    return true;
}

static bool groups_fit(ExplainLayer *l, ExplainFault *fault, Diag *d) {
    if (l->op != EXPLAIN_CONV) l->groups = l->out_channels = l->in_channels;
    if (l->out_channels == 0) l->out_channels = l->groups; /* not given: the fewest there can be */
    *fault = FAULT_GROUPS;
    if (l->in_channels % l->groups)
        return diag_fail(d, DIAG_USAGE, "%lld groups do not divide the input's %lld channels", (long long)l->groups,
                         (long long)l->in_channels);
    if (l->out_channels % l->groups)
        return diag_fail(d, DIAG_USAGE, "%lld groups do not divide the %lld output channels", (long long)l->groups,
                         (long long)l->out_channels);
    *fault = FAULT_NONE;
    l->in_group = l->in_channels / l->groups;
    l->out_group = l->out_channels / l->groups;
    return true;
}

/* *to *= by; false from the first overflow on. */
static bool times(bool *good, int64_t *to, int64_t by) {
    if (*good && __builtin_mul_overflow(*to, by, to)) *good = false;
    return *good;
}

static bool count(ExplainLayer *l) {
    bool good = true, conv = l->op == EXPLAIN_CONV;
    l->taps = l->in_group, l->inputs = l->in_channels, l->outputs = l->out_channels, l->positions = 1;
    l->nonzero = l->shared = l->out_channels;
    times(&good, &l->nonzero, l->in_group);
    times(&good, &l->shared, l->in_group);
    for (int i = 0; i < l->n; i++) {
        const ExplainAxis *x = &l->axis[i];
        times(&good, &l->taps, x->kernel);
        times(&good, &l->inputs, x->in);
        times(&good, &l->outputs, x->out);
        times(&good, &l->positions, x->out);
        times(&good, &l->nonzero, x->hits);
        times(&good, &l->shared, x->live);
    }
    l->weights = conv ? l->taps : 0;
    times(&good, &l->weights, l->out_channels);
    l->macs = conv ? l->taps : 0;
    times(&good, &l->macs, l->outputs);
    l->column = l->taps;
    times(&good, &l->column, l->positions);
    times(&good, &l->column, l->groups);
    l->entries = l->inputs;
    times(&good, &l->entries, l->outputs);
    bool bias = conv && l->bias;
    good = good && !__builtin_add_overflow(l->weights, bias ? l->out_channels : 0, &l->params) &&
           !__builtin_add_overflow(l->entries, bias ? l->outputs : 0, &l->mlp);
    if (!conv) l->shared = -1;
    return good;
}

bool explain_layer(ExplainLayer *l, ExplainFault *fault, Diag *d) {
    *fault = FAULT_NONE;
    if (!groups_fit(l, fault, d)) return false;
    for (int i = 0; i < l->n; i++)
        if (!axis_fits(l, i, fault, d)) return false;
    if (count(l)) return true;
    *fault = FAULT_SIZE;
    return diag_fail(d, DIAG_USAGE, "the layer is too large: its numbers pass 2^63");
}

/* ---- one output, one entry ------------------------------------------------------------------------------- */

ExplainTap explain_tap(const ExplainLayer *l, const int64_t pixel[1 + EXPLAIN_AXES], int64_t tap) {
    ExplainTap t = {.o = pixel[0], .w = pixel[0] * l->taps + tap};
    for (int i = l->n - 1; i >= 0; i--) {
        const ExplainAxis *x = &l->axis[i];
        t.k[i] = tap % x->kernel;
        tap /= x->kernel;
        t.at[i] = pixel[1 + i] * x->stride + t.k[i] * x->dilation - x->lo;
        t.padding |= t.at[i] < 0 || t.at[i] >= x->in;
    }
    int64_t all = l->taps / l->in_group;
    if (l->flip) t.w = (pixel[0] * l->in_group + tap) * all + all - 1 - (t.w - pixel[0] * l->taps) % all;
    for (int i = 0; i < l->n && l->flip; i++) t.k[i] = l->axis[i].kernel - 1 - t.k[i];
    t.cw = tap;
    t.c = t.x = pixel[0] / l->out_group * l->in_group + tap;
    for (int i = 0; i < l->n; i++) t.x = t.padding ? -1 : t.x * l->axis[i].in + t.at[i];
    return t;
}

void explain_pixel(const ExplainLayer *l, int64_t i, int64_t pixel[1 + EXPLAIN_AXES]) {
    for (int k = l->n - 1; k >= 0; k--) {
        pixel[1 + k] = i % l->axis[k].out;
        i /= l->axis[k].out;
    }
    pixel[0] = i;
}

/* Taps beyond the padding, which ceil mode may have, never count. */
int64_t explain_divisor(const ExplainLayer *l, const int64_t pixel[1 + EXPLAIN_AXES]) {
    int64_t n = 0;
    for (int64_t t = 0; t < l->taps; t++) {
        ExplainTap tap = explain_tap(l, pixel, t);
        bool counts = l->count_pad || !tap.padding;
        for (int i = 0; i < l->n; i++) counts &= tap.at[i] < l->axis[i].in + l->axis[i].hi;
        n += counts;
    }
    return n;
}

double explain_value(const ExplainLayer *l, const int64_t pixel[1 + EXPLAIN_AXES], const double *x, const double *w,
                     const double *b) {
    double sum = b ? b[pixel[0]] : 0, most = -INFINITY;
    for (int64_t t = 0; t < l->taps; t++) {
        ExplainTap at = explain_tap(l, pixel, t);
        if (at.padding) continue;
        sum += l->op == EXPLAIN_CONV ? x[at.x] * w[at.w] : x[at.x];
        most = x[at.x] > most ? x[at.x] : most;
    }
    if (l->op == EXPLAIN_MAXPOOL) return most;
    return l->op == EXPLAIN_AVGPOOL ? sum / (double)explain_divisor(l, pixel) : sum;
}
