#include "frontend/descriptor.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *const descriptor_kind_name[] = {"conv", "deconv", "pool"};

enum { MOST = INT32_MAX };
enum { D, H, W };

/* The numbers as they were given; those of an axis: i o k s p d. */
typedef enum Field { IN, OUT, KERNEL, STRIDE, PAD, DILATION, FIELDS } Field;
typedef enum Common { GROUPS, BATCH, IN_CHANNELS, OUT_CHANNELS, COMMONS } Common;

typedef struct Number {
    int64_t v;
    int column; /* 0: not given */
} Number;

typedef struct Reader {
    const char *text, *p;
    DescriptorKind kind;
    Number common[COMMONS], axis[3][FIELDS];
    Diag *d;
} Reader;

static const char *const common_key[COMMONS] = {"g", "mb", "ic", "oc"};
static const char field_letter[] = "iokspd", axis_letter[] = "dhw";

static int column(const Reader *r) { return (int)(r->p - r->text) + 1; }

__attribute__((format(printf, 3, 4))) static bool fail(Reader *r, int at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    diag_vfail(r->d, DIAG_USAGE, fmt, ap);
    va_end(ap);
    if (at) diag_prefix(r->d, "at column %d", at);
    return false;
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

static bool read_number(Reader *r, const char *key, int at, Number *out) {
    if (out->column) return fail(r, at, "%s is given twice", key);
    if (!isdigit((unsigned char)*r->p)) return fail(r, column(r), "a whole number is wanted after %s", key);
    for (out->v = 0; isdigit((unsigned char)*r->p); r->p++) {
        out->v = out->v * 10 + (*r->p - '0');
        if (out->v > MOST) return fail(r, at, "%s is more than %d", key, MOST);
    }
    out->column = at;
    return true;
}

/* The number that this key sets; NULL if there is no such key. */
static Number *find_key(Reader *r, char key[3]) {
    const char *p = r->p;
    bool pool = r->kind == DESCRIPTOR_POOL;
    for (int i = 0; i < COMMONS; i++) {
        size_t n = strlen(common_key[i]);
        if (strncmp(p, common_key[i], n) != 0 || (pool && (i == GROUPS || i == OUT_CHANNELS))) continue;
        snprintf(key, 3, "%s", common_key[i]);
        return &r->common[i];
    }
    const char *field = *p ? strchr(field_letter, p[0]) : NULL, *axis = *p && p[1] ? strchr(axis_letter, p[1]) : NULL;
    if (!field || !axis) return NULL;
    snprintf(key, 3, "%.2s", p);
    return &r->axis[axis - axis_letter][field - field_letter];
}

static bool read_name(Reader *r, Descriptor *x) {
    const char *start = r->p + 1;
    size_t n = strlen(start);
    while (n && isspace((unsigned char)start[n - 1])) n--;
    if (n >= 2 && start[0] == '"' && start[n - 1] == '"') start++, n -= 2;
    for (size_t i = 0; i < n && i + 1 < sizeof x->name; i++)
        x->name[i] = (unsigned char)start[i] < ' ' || start[i] == 0x7f ? '?' : start[i];
    return true;
}

static bool read_all(Reader *r, Descriptor *x) {
    char key[3];
    while (isspace((unsigned char)*r->p)) r->p++;
    for (; *r->p;) {
        if (*r->p == '_') {
            r->p++;
            continue;
        }
        if (*r->p == 'n') return read_name(r, x);
        Number *to = find_key(r, key);
        int at = column(r), shown = 0;
        while (shown < 12 && r->p[shown] > ' ' && r->p[shown] < 0x7f) shown++;
        if (!to && isspace((unsigned char)*r->p) && r->p[strspn(r->p, " \t\n\r\f\v")] == '\0') return true;
        if (!to)
            return fail(r, at, "no %s descriptor has '%.*s' here", descriptor_kind_name[r->kind], shown ? shown : 1,
                        shown ? r->p : "?");
        r->p += strlen(key);
        if (!read_number(r, key, at, to)) return false;
    }
    return true;
}

/* ---- what was left out ---------------------------------------------------------------------------------------- */

static int64_t span(const DescriptorAxis *x) { return (x->kernel - 1) * x->dilation + 1; }

/* The last position that windows over `n` outputs reach, padding before counted in: (n − 1)s + k'. Numbers below 2^31
 * make products below 2^62. */
static int64_t reach(const DescriptorAxis *x, int64_t n) { return (n - 1) * x->stride + span(x); }

/* Any number makes the axis; a stride of 1 and a padding of 0 do not, nor does the dilation of a pool. */
static bool axis_given(const Reader *r, int axis) {
    const Number *v = r->axis[axis];
    return v[IN].v || v[KERNEL].v || v[OUT].v || (v[DILATION].v && r->kind != DESCRIPTOR_POOL) ||
           (v[STRIDE].column && v[STRIDE].v != 1) || v[PAD].v;
}

static bool fill_out(Reader *r, char name, DescriptorAxis *x) {
    bool deconv = r->kind == DESCRIPTOR_DECONV;
    if (deconv) x->out = reach(x, x->in) - 2 * x->pad;
    else x->out = x->in + 2 * x->pad < span(x) ? 0 : (x->in + 2 * x->pad - span(x)) / x->stride + 1;
    if (x->out >= 1) return true;
    if (deconv)
        return fail(r, 0, "along %c the padding leaves no output: o%c would be %lld", name, name, (long long)x->out);
    return fail(r, 0, "along %c the kernel spans %lld positions, the input with its padding has %lld", name,
                (long long)span(x), (long long)(x->in + 2 * x->pad));
}

static bool fill_axis(Reader *r, int axis, DescriptorAxis *x) {
    const Number *v = r->axis[axis];
    char name = axis_letter[axis];
    static const Field needed[] = {IN, KERNEL};
    for (int i = 0; i < 2; i++)
        if (!v[needed[i]].v) return fail(r, v[needed[i]].column, "%c%c is missing or 0", field_letter[needed[i]], name);
    if (v[STRIDE].column && !v[STRIDE].v) return fail(r, v[STRIDE].column, "s%c is 0", name);
    if (v[OUT].column && !v[OUT].v) return fail(r, v[OUT].column, "o%c is 0", name);
    *x = (DescriptorAxis){.in = v[IN].v, .out = v[OUT].v, .kernel = v[KERNEL].v, .pad = v[PAD].v};
    x->stride = v[STRIDE].column ? v[STRIDE].v : 1;
    x->dilation = v[DILATION].v + 1;
    if (!v[OUT].column && !fill_out(r, name, x)) return false;
    bool deconv = r->kind == DESCRIPTOR_DECONV;
    int64_t needs = deconv ? reach(x, x->in) - x->out : reach(x, x->out) - x->in;
    if (v[OUT].column && !v[PAD].column) x->pad = needs > 0 ? needs / 2 : 0;
    x->after = needs - x->pad;
    return true;
}

static bool fill_axes(Reader *r, Descriptor *x) {
    bool given[3];
    DescriptorAxis axis[3];
    for (int i = 0; i < 3; i++) {
        given[i] = axis_given(r, i);
        if (given[i] && !fill_axis(r, i, &axis[i])) return false;
    }
    if (!given[D] && !given[H] && !given[W]) return fail(r, 0, "there is no axis: one of iw, ih and id is wanted");
    if (given[D] && given[H] != given[W]) return fail(r, 0, "with d, either both of h and w are wanted or none");
    x->n = given[D] ? 3 : given[H] ? 2 : 1;
    for (int i = 0; i < x->n; i++) {
        int from = 3 - x->n + i;
        x->axis[i] = axis[given[from] ? from : given[H] ? H : D];
    }
    return true;
}

static bool fill_common(Reader *r, Descriptor *x) {
    const Number *v = r->common;
    bool pool = r->kind == DESCRIPTOR_POOL;
    for (int i = 0; i < COMMONS; i++)
        if (v[i].column && !v[i].v) return fail(r, v[i].column, "%s is 0", common_key[i]);
    if (!v[IN_CHANNELS].column) return fail(r, 0, "ic is missing");
    if (!pool && !v[OUT_CHANNELS].column) return fail(r, 0, "oc is missing");
    x->groups = v[GROUPS].column ? v[GROUPS].v : 1;
    x->batch = v[BATCH].column ? v[BATCH].v : 2;
    x->in_channels = v[IN_CHANNELS].v;
    x->out_channels = pool ? x->in_channels : v[OUT_CHANNELS].v;
    for (int i = IN_CHANNELS; i <= OUT_CHANNELS && !pool; i++)
        if (v[i].v % x->groups)
            return fail(r, v[GROUPS].column, "%lld groups do not divide %s%lld", (long long)x->groups, common_key[i],
                        (long long)v[i].v);
    return true;
}

bool descriptor_read(Descriptor *x, DescriptorKind kind, const char *text, Diag *d) {
    Reader r = {.text = text, .p = text, .kind = kind, .d = d};
    *x = (Descriptor){.kind = kind};
    return read_all(&r, x) && fill_common(&r, x) && fill_axes(&r, x);
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

void descriptor_print(Text *t, const Descriptor *x) {
    bool pool = x->kind == DESCRIPTOR_POOL;
    const char *letter = axis_letter + 3 - x->n;
    if (!pool) text_add(t, "g%lld", (long long)x->groups);
    text_add(t, "mb%lldic%lld", (long long)x->batch, (long long)x->in_channels);
    for (int i = 0; i < x->n; i++) text_add(t, "i%c%lld", letter[i], (long long)x->axis[i].in);
    if (!pool) text_add(t, "oc%lld", (long long)x->out_channels);
    for (int i = 0; i < x->n; i++) text_add(t, "o%c%lld", letter[i], (long long)x->axis[i].out);
    for (int i = 0; i < x->n; i++) text_add(t, "k%c%lld", letter[i], (long long)x->axis[i].kernel);
    for (int i = 0; i < x->n; i++) text_add(t, "s%c%lld", letter[i], (long long)x->axis[i].stride);
    for (int i = 0; i < x->n; i++) text_add(t, "p%c%lld", letter[i], (long long)x->axis[i].pad);
    for (int i = 0; i < x->n; i++) text_add(t, "d%c%lld", letter[i], (long long)x->axis[i].dilation - 1);
    if (x->name[0]) text_add(t, "n\"%s\"", x->name);
}

void descriptor_cap(Descriptor *x, int64_t spatial, int64_t batch) {
    if (batch && x->batch > batch) x->batch = batch;
    for (int i = 0; i < x->n && spatial; i++) {
        DescriptorAxis *a = &x->axis[i];
        /* the side that has a position every `stride` of the other's */
        int64_t *coarse = x->kind == DESCRIPTOR_DECONV ? &a->in : &a->out;
        int64_t *fine = x->kind == DESCRIPTOR_DECONV ? &a->out : &a->in;
        int64_t more = *fine > spatial ? (*fine - spatial + a->stride - 1) / a->stride : 0;
        if (*coarse - spatial > more) more = *coarse - spatial;
        if (more > *coarse - 1) more = *coarse - 1;
        int64_t unread = fine == &a->in && a->after < 0 ? -a->after : 0, spare = (*fine - unread - 1) / a->stride;
        if (more > spare) more = spare;
        if (more <= 0) continue;
        *coarse -= more;
        *fine -= more * a->stride;
    }
}

/* ---- as a layer ------------------------------------------------------------------------------------------------ */

/* "{3, 5}" of a member of the axes. */
static const char *list(Arena *a, const int64_t *v, int n) {
    Text t = {.arena = a};
    for (int i = 0; i < n; i++) text_add(&t, "%s%lld", i ? ", " : "{", (long long)v[i]);
    text_add(&t, "}");
    return text_get(&t);
}

/* Positions at the end that no window reads: fewer than a stride are left over by the output's rounding; of more, the input
 * is the part that is read. */
static bool drop_unread(const Descriptor *x, int i, DescriptorAxis *a, Diag *d) {
    *a = x->axis[i];
    if (a->after >= 0) return true;
    if (x->kind == DESCRIPTOR_DECONV) return true;
    if (-a->after >= a->stride) a->in += a->after;
    a->after = 0;
    return a->in >= 1 ||
           diag_fail(d, DIAG_UNSUPPORTED, "no window reaches the input along %c", axis_letter[3 - x->n + i]);
}

static const char *op_of(const Descriptor *x, PoolKind pool) {
    if (x->kind == DESCRIPTOR_CONV) return "conv";
    if (x->kind == DESCRIPTOR_DECONV) return "convtranspose";
    return pool == POOL_MAX ? "maxpool" : "avgpool";
}

bool descriptor_layer(const Descriptor *x, PoolKind pool, const char *more, Arena *a, const char **layer,
                      const char **input, Diag *d) {
    int64_t kernel[3], stride[3], dilation[3], pad[6], output_pad[3];
    int n = x->n;
    bool outside = false, dilated = false, extended = false; /* a pool may have windows that lie in the padding alone */
    Text in = {.arena = a}, t = {.arena = a};
    text_add(&in, "%lld", (long long)x->in_channels);
    for (int i = 0; i < n; i++) {
        DescriptorAxis s;
        if (!drop_unread(x, i, &s, d)) return false;
        kernel[i] = s.kernel, stride[i] = s.stride, dilation[i] = s.dilation;
        /* of a transposed convolution: output padding, negative padding where that is more than a stride */
        output_pad[i] = s.after < 0 && -s.after < s.stride ? -s.after : 0;
        pad[i] = s.pad, pad[n + i] = output_pad[i] ? 0 : s.after;
        outside |= pad[i] >= span(&s) || pad[n + i] >= span(&s);
        dilated |= s.dilation > 1;
        extended |= output_pad[i] > 0;
        text_add(&in, ", %lld", (long long)s.in);
    }
    outside &= x->kind == DESCRIPTOR_POOL;
    if (outside && pool == POOL_AVG_NP)
        return diag_fail(d, DIAG_UNSUPPORTED,
                         "a window that lies in the padding alone has no mean without the padding");
    if (outside) {
        /* the smallest number stands for nothing in a maximum */
        int64_t around[2 * (2 + DESCRIPTOR_AXES)] = {0};
        for (int i = 0; i < 2 * n; i++) around[i < n ? 2 + i : 4 + i] = pad[i], pad[i] = 0;
        text_add(&t, "pad { %s, value = %s }:", list(a, around, 2 * (2 + n)),
                 pool == POOL_MAX ? "-3.4028234663852886e38" : "0");
    }
    text_add(&t, "%s { ", op_of(x, pool));
    if (x->kind != DESCRIPTOR_POOL) text_add(&t, "out = %lld, ", (long long)x->out_channels);
    text_add(&t, "kernel = %s, stride = %s, pad = %s", list(a, kernel, n), list(a, stride, n), list(a, pad, 2 * n));
    if (dilated) text_add(&t, ", dilation = %s", list(a, dilation, n));
    if (extended) text_add(&t, ", output_pad = %s", list(a, output_pad, n));
    if (x->groups > 1) text_add(&t, ", groups = %lld", (long long)x->groups);
    if (x->kind == DESCRIPTOR_POOL && pool == POOL_AVG_NP) text_add(&t, ", count_pad = false");
    text_add(&t, "%s }", more);
    *layer = text_get(&t);
    *input = text_get(&in);
    return true;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

const char *descriptor_next(Arena *a, const char **text, int *line) {
    const char *p = *text;
    if (*line == 0) *line = 1;
    for (; *p; p++) {
        if (*p == '#') p += strcspn(p, "\n");
        if (*p == '\n') ++*line;
        if (!*p || !isspace((unsigned char)*p)) break;
    }
    size_t n = 0;
    bool quoted = false; /* a name may have blanks and '#' within its quotes */
    while (p[n] && p[n] != '\n' && (quoted || (!isspace((unsigned char)p[n]) && p[n] != '#'))) quoted ^= p[n++] == '"';
    *text = p + n;
    return n ? arena_printf(a, "%.*s", (int)n, p) : NULL;
}
