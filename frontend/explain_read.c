/* A layer and its input from text. Everything is read first, each attribute with the column where it stands, then
 * spread over the axes: their number is known only when all has been read. */
#include "frontend/explain.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 1 << 16, MOST_CHANNELS = 1 << 24, MOST_EXTENT = INT32_MAX };

typedef enum Attr { KERNEL, STRIDE, PAD, TOTAL, DILATION, GROUPS, OUT, BIAS, COUNT_PAD, FLIP, CEIL, ATTRS } Attr;
typedef enum Form { ONE, LIST, SIDES, FLAG } Form; /* numbers: one; one an axis; two an axis or a word */

enum { CONV = 1 << EXPLAIN_CONV, MAX = 1 << EXPLAIN_MAXPOOL, AVG = 1 << EXPLAIN_AVGPOOL };

static const struct {
    const char *name;
    unsigned ops;
    Form form;
    int64_t lo, hi;
} attrs[ATTRS] = {
    [KERNEL] = {"kernel", CONV | MAX | AVG, LIST, 1, MOST},
    [STRIDE] = {"stride", CONV | MAX | AVG, LIST, 1, MOST},
    [PAD] = {"pad", CONV | MAX | AVG, SIDES, 0, MOST},
    [TOTAL] = {"total", CONV | MAX | AVG, LIST, 0, 2 * MOST},
    [DILATION] = {"dilation", CONV | MAX | AVG, LIST, 1, MOST},
    [GROUPS] = {"groups", CONV, ONE, 1, MOST_CHANNELS},
    [OUT] = {"out", CONV, ONE, 1, MOST_CHANNELS},
    [BIAS] = {"bias", CONV, FLAG, 0, 1},
    [COUNT_PAD] = {"count_pad", AVG, FLAG, 0, 1},
    [FLIP] = {"flip", CONV, FLAG, 0, 1},
    [CEIL] = {"ceil", MAX | AVG, FLAG, 0, 1},
};

/* What stands without a name, in order, as in a spec: conv{8, 3}, maxpool{3, 2}. */
static const Attr by_place[][2] = {{OUT, KERNEL}, {KERNEL, STRIDE}, {KERNEL, STRIDE}};

typedef struct Value {
    int column; /* 0: not given */
    int n;
    int64_t v[2 * EXPLAIN_AXES];
    char word[24]; /* of a string */
} Value;

typedef struct Reader {
    const char *text, *p;
    Diag *d;
    ExplainOp op;
    Value value[ATTRS];
} Reader;

static int column(const Reader *r) { return (int)(r->p - r->text) + 1; }

__attribute__((format(printf, 3, 4))) static bool fail(Reader *r, int at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    diag_vfail(r->d, DIAG_USAGE, fmt, ap);
    va_end(ap);
    diag_prefix(r->d, "at column %d", at);
    return false;
}

static void blanks(Reader *r) {
    while (isspace((unsigned char)*r->p)) r->p++;
}

/* "what is wanted, not 'rest'": of the rest, the printable start. */
static bool wanted(Reader *r, const char *what) {
    int n = 0;
    while (n < 16 && r->p[n] > ' ' && r->p[n] < 0x7f) n++;
    if (*r->p == '\0') return fail(r, column(r), "%s is wanted, but the text ends", what);
    return fail(r, column(r), "%s is wanted, not '%.*s'", what, n ? n : 1, n ? r->p : "?");
}

static bool take(Reader *r, char c) {
    blanks(r);
    if (*r->p != c) return false;
    r->p++;
    blanks(r);
    return true;
}

static int word_length(const char *p) {
    int n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_') n++;
    return isdigit((unsigned char)*p) ? 0 : n;
}

static bool read_number(Reader *r, int64_t lo, int64_t hi, const char *what, int64_t *out) {
    int at = column(r);
    bool minus = *r->p == '-', large = false;
    const char *p = r->p + minus;
    if (!isdigit((unsigned char)*p)) return wanted(r, "a whole number");
    for (*out = 0; isdigit((unsigned char)*p); p++) {
        large |= *out > hi;
        if (!large) *out = *out * 10 + (*p - '0');
    }
    if (*p == '.' || (word_length(p) && *p != 'x')) return wanted(r, "a whole number"); /* x: 224x224 */
    if (minus || large || *out < lo || *out > hi)
        return fail(r, at, "%s must be from %lld to %lld, not %.*s%s", what, (long long)lo, (long long)hi,
                    (int)(p - r->p > 20 ? 20 : p - r->p), r->p, p - r->p > 20 ? "…" : "");
    r->p = p;
    return true;
}

/* ---- the layer as written -------------------------------------------------------------------------------- */

/* "same" … or "total 1", "total 1,2", which is the attribute total. */
static bool read_word(Reader *r, Value *v) {
    int at = column(r);
    char quote = *r->p++;
    const char *end = strchr(r->p, quote);
    if (!end) return fail(r, at, "this string has no end");
    bool total = strncmp(r->p, "total", 5) == 0 && end - r->p > 5;
    if (total) {
        Value *t = &r->value[TOTAL];
        if (t->column) return fail(r, at, "total is given twice");
        t->column = at;
        r->p += 5;
        blanks(r);
        take(r, '=');
        do {
            if (t->n == EXPLAIN_AXES) return fail(r, column(r), "more numbers than there can be axes");
            if (!read_number(r, attrs[TOTAL].lo, attrs[TOTAL].hi, "total", &t->v[t->n++])) return false;
        } while (take(r, ','));
        if (r->p != end) return wanted(r, "the end of the string");
    } else if (end - r->p >= (int)sizeof v->word) return fail(r, at, "there is no such padding");
    else memcpy(v->word, r->p, (size_t)(end - r->p));
    r->p = end + 1;
    if (total) v->column = 0; /* it has become another attribute */
    else if (!v->word[0]) return fail(r, at, "a padding is wanted between the quotes");
    return true;
}

static bool read_flag(Reader *r, Value *v) {
    int n = word_length(r->p);
    bool yes = n == 4 && strncmp(r->p, "true", 4) == 0, no = n == 5 && strncmp(r->p, "false", 5) == 0;
    if (!yes && !no) return wanted(r, "true or false");
    v->v[v->n++] = yes;
    r->p += n;
    return true;
}

static bool read_value(Reader *r, Attr a) {
    Value *v = &r->value[a];
    int most = attrs[a].form == SIDES ? 2 * EXPLAIN_AXES : EXPLAIN_AXES;
    if (v->column) return fail(r, column(r), "%s is given twice", attrs[a].name);
    v->column = column(r);
    if (attrs[a].form == FLAG) return read_flag(r, v);
    if (*r->p == '"' || *r->p == '\'') return attrs[a].form == SIDES ? read_word(r, v) : wanted(r, "a whole number");
    if (attrs[a].form == ONE || *r->p != '{')
        return read_number(r, attrs[a].lo, attrs[a].hi, attrs[a].name, &v->v[v->n++]);
    take(r, '{');
    do {
        if (v->n == most) return fail(r, column(r), "more numbers than there can be axes");
        if (!read_number(r, attrs[a].lo, attrs[a].hi, attrs[a].name, &v->v[v->n++])) return false;
    } while (take(r, ','));
    return take(r, '}') || wanted(r, "a comma or }");
}

static bool read_attr_name(Reader *r, Attr *a) {
    const char *names[ATTRS], *start = r->p;
    char name[24];
    int n = word_length(start), at = column(r);
    size_t known = 0;
    snprintf(name, sizeof name, "%.*s", n, start);
    r->p += n;
    if (!take(r, '=')) return wanted(r, "= after an attribute's name");
    for (int i = 0; i < ATTRS; i++) {
        if (!(attrs[i].ops & 1u << r->op)) continue;
        names[known++] = attrs[i].name;
        *a = (Attr)i;
        if (strlen(attrs[i].name) == (size_t)n && strncmp(attrs[i].name, start, (size_t)n) == 0) return true;
    }
    const char *near = text_nearest(name, names, known);
    return fail(r, at, "%s has no attribute '%s'%s%s%s", explain_op_name[r->op], name, near ? "; did you mean '" : "",
                near ? near : "", near ? "'?" : "");
}

static bool read_attrs(Reader *r) {
    int place = 0;
    if (!take(r, '{')) return wanted(r, "{ with the layer's attributes");
    while (!take(r, '}')) {
        Attr a = KERNEL;
        if (*r->p == '\0') return wanted(r, "an attribute or }");
        if (word_length(r->p)) {
            if (!read_attr_name(r, &a)) return false;
        } else {
            if (place == 2) return wanted(r, "NAME = for an attribute");
            a = by_place[r->op][place++];
        }
        if (!read_value(r, a)) return false;
        if (take(r, ',')) continue;
        if (take(r, '}')) break;
        return wanted(r, "a comma or }");
    }
    return *r->p == '\0' || wanted(r, "nothing after the layer");
}

static bool read_layer(Reader *r) {
    blanks(r);
    int n = word_length(r->p);
    for (int i = 0; i < 3; i++)
        if (strlen(explain_op_name[i]) == (size_t)n && strncmp(r->p, explain_op_name[i], (size_t)n) == 0) {
            r->op = (ExplainOp)i;
            r->p += n;
            return read_attrs(r);
        }
    return wanted(r, "conv, maxpool or avgpool");
}

/* ---- the input ------------------------------------------------------------------------------------------- */

/* L · C,L · C,H,W · C,D,H,W, and HxW for axes without a comma between them. *single: one number, which stands
 * for as many axes as the layer has. */
static bool read_input(Reader *r, ExplainLayer *l, bool *single) {
    int64_t v[1 + EXPLAIN_AXES] = {0};
    int n = 0;
    bool channels = false, axes = false, more;
    do {
        blanks(r);
        if (n == 1 + EXPLAIN_AXES) return fail(r, column(r), "at most channels and 3 axes are possible");
        if (!read_number(r, 1, MOST_EXTENT, "an extent", &v[n])) return false;
        n++;
        bool comma = !(axes && *r->p == ',') && take(r, ','); /* after 5x5 no more channels can come */
        channels |= comma && n == 1;
        axes |= *r->p == 'x' && !comma;
        more = comma || (*r->p == 'x' && r->p++);
    } while (more);
    if (*r->p) return wanted(r, "a comma, an x or the end");
    *single = n == 1;
    if (!channels && n > EXPLAIN_AXES) return fail(r, 1, "at most 3 axes are possible");
    l->in_channels = channels ? v[0] : 1;
    l->n = n - channels;
    if (l->in_channels > MOST_CHANNELS) return fail(r, 1, "at most %d channels are possible", MOST_CHANNELS);
    for (int i = 0; i < l->n; i++) l->axis[i].in = v[i + channels];
    return true;
}

/* ---- both together --------------------------------------------------------------------------------------- */

/* How many axes the longest list names. Two paddings alone are the sides of one axis: with a kernel of two
 * numbers they still become one an axis. */
static int axes_named(const Reader *r) {
    int most = 1;
    for (int a = 0; a < ATTRS; a++) {
        int n = a == PAD && r->value[a].n % 2 == 0 ? r->value[a].n / 2 : r->value[a].n;
        if (n > most) most = n;
    }
    return most;
}

static bool spread(Reader *r, Attr a, int n, int64_t def, int64_t out[EXPLAIN_AXES]) {
    const Value *v = &r->value[a];
    if (v->n > 1 && v->n != n)
        return fail(r, v->column, "%s has %d numbers, but the input has %d %s", attrs[a].name, v->n, n,
                    n == 1 ? "axis" : "axes");
    for (int i = 0; i < n; i++) out[i] = v->n ? v->v[v->n == 1 ? 0 : i] : def;
    return true;
}

static bool spread_pad(Reader *r, ExplainLayer *l) {
    const Value *p = &r->value[PAD], *t = &r->value[TOTAL];
    int64_t total[EXPLAIN_AXES];
    if (p->column && t->column)
        return fail(r, p->column > t->column ? p->column : t->column, "pad and total are both given");
    if (p->word[0]) {
        const char *names[EXPLAIN_PADS];
        int n = 0;
        for (int i = EXPLAIN_VALID; i < EXPLAIN_PADS; i++) {
            names[n++] = explain_pad_name[i];
            l->pad = (ExplainPad)i;
            if (strcmp(p->word, explain_pad_name[i]) == 0) return true;
        }
        const char *near = text_nearest(p->word, names, (size_t)n);
        if (near) return fail(r, p->column, "there is no padding '%s'; did you mean '%s'?", p->word, near);
        return fail(r, p->column,
                    "there is no padding '%s'; there are valid, same, same_lower, half, full and \"total N\"", p->word);
    }
    if (t->column) {
        l->pad = EXPLAIN_TOTAL;
        if (!spread(r, TOTAL, l->n, 0, total)) return false;
        for (int i = 0; i < l->n; i++) l->axis[i].lo = total[i];
        return true;
    }
    l->pad = EXPLAIN_SIDES;
    if (p->n > 1 && p->n != l->n && p->n != 2 * l->n)
        return fail(r, p->column, "pad has %d numbers: 1, %d (one an axis) or %d (before, then after) are wanted", p->n,
                    l->n, 2 * l->n);
    for (int i = 0; i < l->n && p->n; i++) {
        l->axis[i].lo = p->v[p->n == 1 ? 0 : i];
        l->axis[i].hi = p->n == 2 * l->n ? p->v[l->n + i] : l->axis[i].lo;
    }
    return true;
}

static bool spread_all(Reader *r, ExplainLayer *l, bool single) {
    int64_t kernel[EXPLAIN_AXES], stride[EXPLAIN_AXES], dilation[EXPLAIN_AXES];
    const Value *v = r->value;
    if (!v[KERNEL].column) return fail(r, column(r), "%s needs a kernel: kernel = 3", explain_op_name[r->op]);
    if (single) l->n = axes_named(r);
    for (int i = 1; i < l->n && single; i++) l->axis[i].in = l->axis[0].in;
    if (!spread(r, KERNEL, l->n, 0, kernel) || !spread(r, STRIDE, l->n, 0, stride) ||
        !spread(r, DILATION, l->n, 1, dilation) || !spread_pad(r, l))
        return false;
    for (int i = 0; i < l->n; i++) {
        ExplainAxis *x = &l->axis[i];
        x->kernel = kernel[i];
        x->stride = stride[i] ? stride[i] : r->op == EXPLAIN_CONV ? 1 : kernel[i]; /* a pool's window */
        x->dilation = dilation[i];
    }
    l->op = r->op;
    l->groups = v[GROUPS].n ? v[GROUPS].v[0] : 1;
    l->out_channels = v[OUT].n ? v[OUT].v[0] : 0;
    l->bias = r->op == EXPLAIN_CONV && (!v[BIAS].n || v[BIAS].v[0]);
    l->flip = v[FLIP].n && v[FLIP].v[0];
    l->ceil = v[CEIL].n && v[CEIL].v[0];
    l->count_pad = !v[COUNT_PAD].n || v[COUNT_PAD].v[0];
    return true;
}

static int column_of(const Reader *r, ExplainFault fault) {
    const Value *v = r->value;
    int pad = v[PAD].column ? v[PAD].column : v[TOTAL].column;
    switch (fault) {
    case FAULT_KERNEL: return v[KERNEL].column;
    case FAULT_PAD: return pad ? pad : v[KERNEL].column;
    case FAULT_GROUPS: return v[GROUPS].column ? v[GROUPS].column : v[OUT].column;
    case FAULT_NONE:
    case FAULT_SIZE: break;
    }
    return 1;
}

bool explain_read(ExplainLayer *l, const char *text, const char *input, Diag *d) {
    Reader r = {.text = text, .p = text, .d = d}, in = {.text = input, .p = input, .d = d};
    ExplainFault fault;
    bool single = false;
    *l = (ExplainLayer){0};
    if (!read_layer(&r)) return false;
    if (!read_input(&in, l, &single)) {
        diag_prefix(d, "--input");
        return false;
    }
    if (!spread_all(&r, l, single)) return false;
    if (explain_layer(l, &fault, d)) return true;
    diag_prefix(d, "at column %d", column_of(&r, fault));
    return false;
}
