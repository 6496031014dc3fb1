#include "frontend/definition.h"

#include <math.h>
#include <string.h>

/* ---- attributes by name ---------------------------------------------------------------------------------------- */

static const AttrInfo *attr_find(const Node *n, const char *name) {
    const OpInfo *op = &op_table[n->op];
    for (int i = 0; i < op->n_attr; i++)
        if (strcmp(op->attr[i].name, name) == 0) return &op->attr[i];
    return NULL;
}

static const void *attr_of(const Node *n, const char *name) {
    const AttrInfo *info = attr_find(n, name);
    return info ? (const char *)&n->attr + info->offset : NULL;
}

static int64_t integer(const Node *n, const char *name, int64_t def) {
    const int32_t *v = attr_of(n, name);
    return v ? *v : def;
}

static int64_t axis_number(const Node *n, const char *name, int i, int64_t def) {
    const Dims *v = attr_of(n, name);
    return v && v->n > i ? v->v[i] : def;
}

/* Whether the attribute is this word. */
static bool is_word(const Node *n, const char *name, const char *word) {
    const AttrInfo *info = attr_find(n, name);
    if (!info || info->type != ATTR_ENUM) return false;
    const char *p = info->words;
    for (int64_t i = integer(n, name, 0); i > 0; i--) p += strcspn(p, "|") + 1;
    return strcspn(p, "|") == strlen(word) && strncmp(p, word, strlen(word)) == 0;
}

static DefinedPad pad_mode(const Node *n, const char *name) {
    static const char *const words[] = {"zero", "reflect", "edge", "circular", "constant"};
    for (int i = 1; i < (int)COUNT_OF(words); i++)
        if (is_word(n, name, words[i])) return (DefinedPad)i;
    return PAD_ZERO;
}

/* ---- from a node ------------------------------------------------------------------------------------------------ */

static bool kind_of(const Node *n, DefinedAs *as) {
    static const struct {
        const char *op;
        DefinedAs as;
    } known[] = {{"conv", DEFINED_CONV},
                 {"convtranspose", DEFINED_TRANSPOSE},
                 {"maxpool", DEFINED_MAX},
                 {"avgpool", DEFINED_MEAN}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        *as = known[i].as;
        if (strcmp(op_table[n->op].name, known[i].op) == 0) return true;
    }
    return false;
}

/* A pad op in front is the window's padding, when it leaves batch and channels and the window has none of its own. */
static bool take_pad(Definition *f, const Node *pad) {
    static const struct {
        const char *word;
        DefinedPad mode;
    } modes[] = {{"constant", PAD_CONSTANT}, {"reflect", PAD_REFLECT}, {"edge", PAD_EDGE}, {"circular", PAD_CIRCULAR}};
    const Ints *pads = attr_of(pad, "pads");
    const float *value = attr_of(pad, "value");
    const Type *x = &pad->in[0]->type;
    if (!pads || pads->n != 2 * x->rank || f->mode != PAD_ZERO) return false;
    for (int i = 0; i < x->rank; i++) {
        DefinedAxis *a = i < 2 ? NULL : &f->axis[3 - f->n + i - 2];
        int32_t before = pads->v[i], after = pads->v[x->rank + i];
        if (a ? a->before || a->after : before || after) return false;
        if (!a) continue;
        a->in = x->axis[i].extent;
        a->before = before;
        a->after = after;
    }
    for (size_t i = 0; i < COUNT_OF(modes); i++)
        if (is_word(pad, "mode", modes[i].word)) f->mode = modes[i].mode;
    f->pad_value = value ? (double)*value : 0;
    return true;
}

const Node *definition_input(const Node *n) {
    const Node *x = n->in[0];
    return strcmp(op_table[x->op].name, "pad") == 0 ? x->in[0] : x;
}

bool definition_of(Definition *f, const Node *n) {
    *f = (Definition){.taps = 1};
    if (!kind_of(n, &f->as) || n->type.dtype != DT_F32 || n->in[0]->type.dtype != DT_F32) return false;
    const Type *x = &n->in[0]->type, *y = &n->type;
    const Pads *pad = attr_of(n, "pad");
    f->n = x->rank - 2;
    f->batch = x->axis[0].extent;
    f->in_channels = x->axis[1].extent;
    f->out_channels = y->axis[1].extent;
    f->groups = n->n_in > 1 ? integer(n, "groups", 1) : f->in_channels;
    f->flip = integer(n, "flip", 0);
    f->count_pad = integer(n, "count_pad", 1);
    f->mode = pad_mode(n, "pad_mode");
    const float *value = attr_of(n, "pad_value");
    f->pad_value = value ? (double)*value : 0;
    for (int i = 0; i < 3; i++) f->axis[i] = (DefinedAxis){1, 1, 1, 1, 1, 0, 0};
    for (int i = 0; i < f->n; i++) {
        DefinedAxis *a = &f->axis[3 - f->n + i];
        a->in = x->axis[2 + i].extent;
        a->out = y->axis[2 + i].extent;
        a->kernel = axis_number(n, "kernel", i, 1);
        a->stride = axis_number(n, "stride", i, 1);
        a->dilation = axis_number(n, "dilation", i, 1);
        a->before = pad ? pad->lo[i] : 0;
        a->after = pad ? pad->hi[i] : 0;
        f->taps *= a->kernel;
    }
    f->taps *= f->in_channels / f->groups;
    f->outputs = type_elements(y);
    return definition_input(n) == n->in[0] || take_pad(f, n->in[0]);
}

/* In ceil mode the last window may reach beyond the padding, where nothing counts. */
static bool overhangs(const DefinedAxis *a) {
    return (a->out - 1) * a->stride + (a->kernel - 1) * a->dilation >= a->before + a->in + a->after;
}

bool definition_exact(const Definition *f) {
    if (f->as != DEFINED_MEAN) return true;
    for (int i = 0; i < 3; i++)
        if (overhangs(&f->axis[i])) return false;
    return f->count_pad && (f->taps & (f->taps - 1)) == 0;
}

/* ---- one output -------------------------------------------------------------------------------------------------- */

void definition_taps(DefinedTaps *t, const Definition *f, Arena *a) {
    for (int i = 0; i < 3; i++) {
        t->tap[i] = ARENA_ARRAY(a, int64_t, f->axis[i].kernel);
        t->at[i] = ARENA_ARRAY(a, int64_t, f->axis[i].kernel);
    }
}

enum { NOTHING = -2, CONSTANT = -1 };

/* Where position i of the padded axis lies in the input. */
static int64_t source(DefinedPad mode, int64_t i, int64_t l) {
    if (i >= 0 && i < l) return i;
    switch (mode) {
    case PAD_ZERO: break;
    case PAD_CONSTANT: return CONSTANT;
    case PAD_EDGE: return i < 0 ? 0 : l - 1;
    case PAD_CIRCULAR: return ((i % l) + l) % l;
    case PAD_REFLECT:
        while (l > 1 && (i < 0 || i >= l)) i = i < 0 ? -i : 2 * (l - 1) - i;
        return l > 1 ? i : 0;
    }
    return NOTHING;
}

/* The taps of output position o that are not nothing. */
static void axis_taps(const Definition *f, int axis, int64_t o, DefinedTaps *t) {
    const DefinedAxis *a = &f->axis[axis];
    t->n[axis] = t->counted[axis] = 0;
    for (int64_t k = 0; k < a->kernel; k++) {
        int64_t i = o * a->stride + k * a->dilation - a->before;
        if (f->as == DEFINED_TRANSPOSE) {
            i = o + a->before - k * a->dilation;
            if (i < 0 || i % a->stride) continue;
            i /= a->stride;
        }
        if (f->as != DEFINED_TRANSPOSE && i >= a->in + a->after) continue;
        t->counted[axis]++;
        int64_t at = source(f->mode, i, a->in);
        if (at == NOTHING) continue;
        t->tap[axis][t->n[axis]] = f->flip ? a->kernel - 1 - k : k;
        t->at[axis][t->n[axis]++] = at;
    }
}

typedef struct Terms {
    double sum, size, most;
    int64_t n;
} Terms;

/* All taps of one input channel; w NULL: the values themselves. */
static void plane_terms(const Definition *f, const DefinedTaps *t, const float *x, const float *w, Terms *r) {
    const DefinedAxis *a = f->axis;
    for (int64_t d = 0; d < t->n[0]; d++)
        for (int64_t h = 0; h < t->n[1]; h++) {
            int64_t row = (t->at[0][d] * a[1].in + t->at[1][h]) * a[2].in;
            int64_t weight = (t->tap[0][d] * a[1].kernel + t->tap[1][h]) * a[2].kernel;
            bool outside = t->at[0][d] == CONSTANT || t->at[1][h] == CONSTANT;
            for (int64_t k = 0; k < t->n[2]; k++) {
                double v = outside || t->at[2][k] == CONSTANT ? f->pad_value : (double)x[row + t->at[2][k]];
                if (w) v *= (double)w[weight + t->tap[2][k]];
                r->sum += v;
                r->size += fabs(v);
                r->most = v > r->most ? v : r->most;
            }
            r->n += t->n[2];
        }
}

double definition_value(const Definition *f, DefinedTaps *t, int64_t element, const float *x, const float *w,
                        const float *b, double *terms) {
    const DefinedAxis *a = f->axis;
    int64_t at[3], plane = a[0].in * a[1].in * a[2].in, window = a[0].kernel * a[1].kernel * a[2].kernel;
    for (int i = 2; i >= 0; i--) {
        at[i] = element % a[i].out;
        element /= a[i].out;
        axis_taps(f, i, at[i], t);
    }
    int64_t o = element % f->out_channels, n = element / f->out_channels;
    int64_t in_group = f->in_channels / f->groups, out_group = f->out_channels / f->groups, g = o / out_group;
    Terms r = {.most = -INFINITY};
    for (int64_t c = 0; c < in_group; c++) {
        int64_t from = g * in_group + c;
        /* weights are [o c k …] with c within the group; of a transposed convolution [c o k …] with o within the group */
        int64_t row = f->as == DEFINED_TRANSPOSE ? from * out_group + o % out_group : o * in_group + c;
        plane_terms(f, t, x + (n * f->in_channels + from) * plane, w ? w + row * window : NULL, &r);
    }
    if (b) r.sum += (double)b[o], r.size += fabs((double)b[o]);
    *terms = r.size;
    switch (f->as) {
    case DEFINED_CONV:
    case DEFINED_TRANSPOSE: return r.sum;
    case DEFINED_MAX: return r.most;
    case DEFINED_MEAN: break;
    }
    double divisor = (double)(f->count_pad ? t->counted[0] * t->counted[1] * t->counted[2] : r.n);
    *terms = r.size / divisor;
    return r.sum / divisor;
}
