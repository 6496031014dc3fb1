/* Random layers as text, in every form that a spec may give them. Small: at most some ten thousand terms. */
#include "frontend/check_suite.h"

#include "ir/graph.h"

#include <string.h>

enum { MOST_TERMS = 60000 };

typedef struct RandomAxis {
    int64_t in, kernel, stride, dilation, lo, hi, output_pad;
} RandomAxis;

typedef struct RandomLayer {
    uint64_t state;
    Arena *a;
    int op; /* into op_table */
    bool conv, transpose, mean;
    int n;
    RandomAxis axis[3];
    int64_t in, out, groups;
    const char *pad, *mode; /* as text; mode NULL: zero */
} RandomLayer;

/* splitmix64 (Steele, Lea & Flood 2014) */
static uint64_t next(RandomLayer *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t draw(RandomLayer *r, int64_t lo, int64_t hi) {
    return lo + (int64_t)(next(r) % (uint64_t)(hi - lo + 1));
}
static bool chance(RandomLayer *r, int percent) { return draw(r, 1, 100) <= percent; }

static bool has_attr(const RandomLayer *r, const char *name) {
    const OpInfo *op = &op_table[r->op];
    for (int i = 0; i < op->n_attr; i++)
        if (strcmp(op->attr[i].name, name) == 0) return true;
    return false;
}

static int64_t span(const RandomAxis *x) { return (x->kernel - 1) * x->dilation + 1; }

/* ---- what it is ---------------------------------------------------------------------------------------------------- */

static void draw_op(RandomLayer *r) {
    static const char *const names[] = {"conv",          "conv",          "conv",    "conv",
                                        "convtranspose", "convtranspose", "maxpool", "avgpool"};
    do r->op = op_find(names[draw(r, 0, COUNT_OF(names) - 1)]);
    while (r->op < 0);
    const char *name = op_table[r->op].name;
    r->conv = strncmp(name, "conv", 4) == 0;
    r->transpose = strcmp(name, "convtranspose") == 0;
    r->mean = strcmp(name, "avgpool") == 0;
}

/* Dense, grouped, depthwise with a multiplier, pointwise and odd numbers of channels. */
static void draw_channels(RandomLayer *r) {
    r->groups = 1;
    r->in = draw(r, 1, 20);
    r->out = draw(r, 1, 20);
    if (chance(r, 15)) r->in = 16 * draw(r, 1, 3);
    if (chance(r, 15)) r->out = 16 * draw(r, 1, 3);
    if (!r->conv || chance(r, 60)) return;
    r->groups = draw(r, 2, 12);
    bool depthwise = chance(r, 50);
    r->in = depthwise ? r->groups : r->groups * draw(r, 1, 4);
    r->out = r->groups * (depthwise ? draw(r, 1, 3) : draw(r, 1, 4));
}

static void draw_axes(RandomLayer *r) {
    static const int64_t largest[] = {0, 40, 16, 7}, kernels[] = {0, 9, 6, 4};
    r->n = (int)draw(r, 1, 3);
    for (int i = 0; i < r->n; i++) {
        RandomAxis *x = &r->axis[i];
        x->kernel = chance(r, 20) ? 1 : draw(r, 1, kernels[r->n]);
        x->stride = chance(r, 50) ? 1 : draw(r, 1, 4);
        x->dilation = chance(r, 65) || !has_attr(r, "dilation") ? 1 : draw(r, 2, 3);
        x->in = draw(r, 1, largest[r->n]);
    }
}

/* ---- padding -------------------------------------------------------------------------------------------------------- */

/* "{1, 2, 0, 3}" or one number. */
static const char *pad_text(RandomLayer *r, bool symmetric) {
    Text t = {.arena = r->a};
    for (int i = 0; i < (symmetric ? 1 : 2) * r->n; i++)
        text_add(&t, "%s%lld", i ? ", " : "{", (long long)(i < r->n ? r->axis[i].lo : r->axis[i - r->n].hi));
    text_add(&t, "}");
    return text_get(&t);
}

static void set_pad(RandomLayer *r, int64_t lo, int64_t hi) {
    for (int i = 0; i < r->n; i++) r->axis[i].lo = lo, r->axis[i].hi = hi;
}

static int64_t smallest_span(const RandomLayer *r) {
    int64_t least = span(&r->axis[0]);
    for (int i = 1; i < r->n; i++)
        if (span(&r->axis[i]) < least) least = span(&r->axis[i]);
    return least;
}

/* Rules are for windows that read; what they give is computed here too, so that a window fits. */
static bool draw_pad_rule(RandomLayer *r) {
    int64_t total;
    switch (draw(r, 0, 4)) {
    case 0:
    case 1: {
        bool lower = chance(r, 50);
        for (int i = 0; i < r->n; i++) {
            RandomAxis *x = &r->axis[i];
            int64_t p = ((x->in + x->stride - 1) / x->stride - 1) * x->stride + span(x) - x->in;
            if (p < 0) p = 0;
            x->lo = lower ? p - p / 2 : p / 2;
            x->hi = p - x->lo;
        }
        r->pad = lower ? "\"same_lower\"" : "\"same\"";
        return true;
    }
    case 2:
        for (int i = 0; i < r->n; i++) r->axis[i].lo = r->axis[i].hi = span(&r->axis[i]) - 1;
        r->pad = "\"full\"";
        return true;
    case 3:
        total = draw(r, 0, smallest_span(r) - 1);
        set_pad(r, total / 2, total - total / 2);
        r->pad = arena_printf(r->a, "\"total %lld\"", (long long)total);
        return true;
    default: r->pad = "\"valid\""; return true;
    }
}

static void draw_pad(RandomLayer *r) {
    r->pad = NULL;
    set_pad(r, 0, 0);
    if (chance(r, 20)) return;
    if (!r->transpose && chance(r, 35) && draw_pad_rule(r)) return;
    int64_t most = smallest_span(r) - 1;
    if (r->conv && !r->transpose && chance(r, 30)) most += 3; /* more than the window: whole rows of zeros */
    if (chance(r, 30)) {
        int64_t p = draw(r, 0, most);
        set_pad(r, p, p);
        r->pad = arena_printf(r->a, "%lld", (long long)p);
        return;
    }
    bool symmetric = chance(r, 30);
    for (int i = 0; i < r->n; i++) {
        RandomAxis *x = &r->axis[i];
        x->lo = draw(r, 0, most < span(x) + 2 ? most : span(x) + 2);
        x->hi = symmetric ? x->lo : draw(r, 0, most);
    }
    r->pad = pad_text(r, symmetric);
}

static void draw_pad_mode(RandomLayer *r) {
    static const char *const modes[] = {"reflect", "edge", "circular", "constant"};
    r->mode = NULL;
    if (r->transpose || !has_attr(r, "pad_mode") || !chance(r, 25)) return;
    int mode = (int)draw(r, 0, 3);
    for (int i = 0; i < r->n; i++) {
        const RandomAxis *x = &r->axis[i];
        int64_t most = mode == 0 ? x->in - 1 : mode == 2 ? x->in : INT32_MAX;
        if (x->lo > most || x->hi > most) return;
    }
    r->mode = modes[mode];
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static int64_t out_extent(const RandomLayer *r, const RandomAxis *x) {
    if (r->transpose) return (x->in - 1) * x->stride + span(x) + x->output_pad - x->lo - x->hi;
    int64_t room = x->in + x->lo + x->hi - span(x);
    return room < 0 ? 0 : room / x->stride + 1;
}

static bool fits(RandomLayer *r) {
    int64_t terms = r->out * r->in / r->groups;
    for (int i = 0; i < r->n; i++) {
        RandomAxis *x = &r->axis[i];
        x->output_pad = 0;
        if (r->transpose && x->stride > 1 && has_attr(r, "output_pad")) x->output_pad = draw(r, 0, x->stride - 1);
        int64_t out = out_extent(r, x);
        if (out < 1) return false;
        terms *= out * x->kernel;
    }
    return terms <= MOST_TERMS;
}

static const char *list(RandomLayer *r, int64_t (*of)(const RandomAxis *)) {
    Text t = {.arena = r->a};
    bool same = true;
    for (int i = 1; i < r->n; i++) same &= of(&r->axis[i]) == of(&r->axis[0]);
    if (same) return arena_printf(r->a, "%lld", (long long)of(&r->axis[0]));
    for (int i = 0; i < r->n; i++) text_add(&t, "%s%lld", i ? ", " : "{", (long long)of(&r->axis[i]));
    text_add(&t, "}");
    return text_get(&t);
}

static int64_t of_kernel(const RandomAxis *x) { return x->kernel; }
static int64_t of_stride(const RandomAxis *x) { return x->stride; }
static int64_t of_dilation(const RandomAxis *x) { return x->dilation; }
static int64_t of_output_pad(const RandomAxis *x) { return x->output_pad; }

static const char *write_layer(RandomLayer *r) {
    Text t = {.arena = r->a};
    text_add(&t, "%s { ", op_table[r->op].name);
    if (r->conv) text_add(&t, "out = %lld, ", (long long)r->out);
    text_add(&t, "kernel = %s", list(r, of_kernel));
    text_add(&t, ", stride = %s", list(r, of_stride));
    if (r->pad) text_add(&t, ", pad = %s", r->pad);
    if (r->mode) text_add(&t, ", pad_mode = \"%s\"", r->mode);
    if (r->mode && strcmp(r->mode, "constant") == 0) text_add(&t, ", pad_value = %lld", (long long)draw(r, -9, 9));
    bool dilated = false, extended = false;
    for (int i = 0; i < r->n; i++) dilated |= r->axis[i].dilation > 1, extended |= r->axis[i].output_pad > 0;
    if (dilated) text_add(&t, ", dilation = %s", list(r, of_dilation));
    if (extended) text_add(&t, ", output_pad = %s", list(r, of_output_pad));
    if (r->groups > 1) text_add(&t, ", groups = %lld", (long long)r->groups);
    if (r->conv && chance(r, 30)) text_add(&t, ", bias = false");
    if (has_attr(r, "flip") && chance(r, 20)) text_add(&t, ", flip = true");
    if (has_attr(r, "algorithm") && chance(r, 20)) text_add(&t, ", algorithm = \"im2col\"");
    if (has_attr(r, "count_pad") && chance(r, 50)) text_add(&t, ", count_pad = false");
    if (has_attr(r, "ceil") && chance(r, 30)) text_add(&t, ", ceil = true");
    text_add(&t, " }");
    return text_get(&t);
}

LayerText random_layer(Arena *a, uint64_t seed, uint64_t number) {
    RandomLayer r = {.a = a, .state = seed * 0xd1342543de82ef95u + number};
    next(&r);
    draw_op(&r);
    do {
        draw_channels(&r);
        draw_axes(&r);
        draw_pad(&r);
        draw_pad_mode(&r);
    } while (!fits(&r));
    Text in = {.arena = a};
    text_add(&in, "%lld", (long long)r.in);
    for (int i = 0; i < r.n; i++) text_add(&in, ", %lld", (long long)r.axis[i].in);
    return (LayerText){write_layer(&r), text_get(&in)};
}
