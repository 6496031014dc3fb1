/* Attributes by table: defaults, setting from numbers, spreading to the spatial axes, printing. */
#include "ir/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *attr_at(AttrAny *attr, const AttrInfo *info) { return (char *)attr + info->offset; }
static const void *attr_get(const AttrAny *attr, const AttrInfo *info) { return (const char *)attr + info->offset; }

void attr_defaults(Op op, AttrAny *attr) {
    memset(attr, 0, sizeof *attr);
    for (int i = 0; i < op_table[op].n_attr; i++) {
        const AttrInfo *info = &op_table[op].attr[i];
        switch (info->type) {
        case ATTR_INT:
        case ATTR_ENUM:
        case ATTR_BOOL: *(int32_t *)attr_at(attr, info) = (int32_t)info->def; break;
        case ATTR_FLOAT: *(float *)attr_at(attr, info) = (float)info->def; break;
        case ATTR_DIMS:
        case ATTR_INTS:
        case ATTR_FLOATS:
        case ATTR_PADS: break; /* n = 0 */
        }
    }
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool attr_is_whole(const AttrInfo *info) { return info->type != ATTR_FLOAT && info->type != ATTR_FLOATS; }

static bool attr_check(const AttrInfo *info, double v, Diag *d) {
    if (attr_is_whole(info) && v != floor(v))
        return diag_fail(d, DIAG_SPEC, "%s = %.10g: an integer expected", info->name, v);
    double stored = attr_is_whole(info) ? v : (double)(float)v; /* 3.4028235e38 is FLT_MAX, and larger as a double */
    if (!(v >= info->lo && v <= info->hi) && !(stored >= info->lo && stored <= info->hi)) /* also NaN */
        return diag_fail(d, DIAG_SPEC, "%s = %.10g is not in %.10g … %.10g", info->name, v, info->lo, info->hi);
    return true;
}

static bool attr_check_given(const AttrInfo *info, double v, Diag *d) {
    if (info->def < info->lo && v == info->def) return diag_fail(d, DIAG_SPEC, "%s is not given", info->name);
    return attr_check(info, v, d);
}

/* ---- setting --------------------------------------------------------------------------------- */

static bool attr_count_ok(AttrType type, int n) {
    switch (type) {
    case ATTR_INT:
    case ATTR_FLOAT:
    case ATTR_ENUM:
    case ATTR_BOOL: return n == 1;
    case ATTR_INTS:
    case ATTR_FLOATS: return n >= 1 && n <= MAX_INTS;
    case ATTR_DIMS: return n >= 1 && n <= MAX_SPATIAL;
    case ATTR_PADS: return n >= 1 && (n <= MAX_SPATIAL || n == 4 || n == 6);
    }
    return false;
}

static const char *attr_count_text(AttrType type) {
    switch (type) {
    case ATTR_INT:
    case ATTR_FLOAT:
    case ATTR_BOOL: return "one number";
    case ATTR_ENUM: return "one word";
    case ATTR_INTS: return "1 to 16 integers";
    case ATTR_FLOATS: return "1 to 16 numbers";
    case ATTR_DIMS: return "one number, or one for each spatial axis";
    case ATTR_PADS: return "one number, or one or two for each spatial axis";
    }
    return "";
}

static int32_t *pads_raw(Pads *p, int i) { return i < MAX_SPATIAL ? &p->lo[i] : &p->hi[i - MAX_SPATIAL]; }

static void pads_set(Pads *p, const double *v, int n) {
    *p = (Pads){.n = n == 1 ? 1 : -n};
    for (int i = 0; i < n; i++) *pads_raw(p, i) = (int32_t)v[i];
    if (n == 1) p->hi[0] = p->lo[0];
}

bool attr_set(Op op, const AttrInfo *info, AttrAny *attr, const double *v, int n, Diag *d) {
    (void)op; /* info tells all, so far */
    if (!attr_count_ok(info->type, n))
        return diag_fail(d, DIAG_SPEC, "%s: %s expected, %d given", info->name, attr_count_text(info->type), n);
    for (int i = 0; i < n; i++)
        if (!attr_check(info, v[i], d)) return false;
    void *at = attr_at(attr, info);
    switch (info->type) {
    case ATTR_INT:
    case ATTR_ENUM:
    case ATTR_BOOL: *(int32_t *)at = (int32_t)v[0]; break;
    case ATTR_FLOAT: *(float *)at = (float)v[0]; break;
    case ATTR_INTS:
        *(Ints *)at = (Ints){.n = n};
        for (int i = 0; i < n; i++) ((Ints *)at)->v[i] = (int32_t)v[i];
        break;
    case ATTR_FLOATS:
        *(Floats *)at = (Floats){.n = n};
        for (int i = 0; i < n; i++) ((Floats *)at)->v[i] = (float)v[i];
        break;
    case ATTR_DIMS:
        *(Dims *)at = (Dims){.n = n};
        for (int i = 0; i < n; i++) ((Dims *)at)->v[i] = (int32_t)v[i];
        break;
    case ATTR_PADS: pads_set(at, v, n); break;
    }
    return true;
}

/* ---- words ----------------------------------------------------------------------------------- */

const char *attr_word(Arena *a, const AttrInfo *info, int i) {
    const char *p = info->words;
    for (; i > 0; i--) p += strcspn(p, "|") + 1;
    return arena_printf(a, "%.*s", (int)strcspn(p, "|"), p);
}

static bool word_set(const AttrInfo *info, int32_t *out, const char *text, Diag *d) {
    size_t n = strlen(text);
    const char *p = info->words;
    for (int32_t i = 0;; i++, p++) {
        size_t word = strcspn(p, "|");
        if (word == n && memcmp(p, text, n) == 0) {
            *out = i;
            return true;
        }
        p += word;
        if (!*p) return diag_fail(d, DIAG_SPEC, "%s = '%.60s': one of %s expected", info->name, text, info->words);
    }
}

/* The numbers after "total", one or one an axis; 0 of them: not that. */
static int total_numbers(const AttrInfo *info, const char *p, int32_t v[MAX_SPATIAL]) {
    int n = 0;
    for (p += strspn(p, " ,"); *p; p += strspn(p, " ,")) {
        char *end;
        unsigned long one = strtoul(p, &end, 10);
        if (*p < '0' || *p > '9' || (*end && !strchr(" ,", *end)) || (double)one > info->hi || n == MAX_SPATIAL) return 0;
        v[n++] = (int32_t)one;
        p = end;
    }
    return n;
}

/* ⌊p/2⌋ before and ⌈p/2⌉ after. */
static bool total_set(const AttrInfo *info, Pads *out, const char *text, Diag *d) {
    int32_t v[MAX_SPATIAL];
    int n = total_numbers(info, text, v);
    if (n == 0)
        return diag_fail(d, DIAG_SPEC, "%s = 'total%.60s': after total a number of at most %.10g expected, or one an axis",
                         info->name, text, info->hi);
    *out = (Pads){.n = n == 1 ? 1 : -2 * n};
    for (int i = 0; i < n; i++) {
        *pads_raw(out, i) = v[i] / 2;
        *pads_raw(out, n == 1 ? MAX_SPATIAL : n + i) = v[i] - v[i] / 2;
    }
    return true;
}

static bool rule_set(const AttrInfo *info, Pads *out, const char *text, Diag *d) {
    static const char *const rules[] = {[PADS_GIVEN] = "valid", "same", "same_lower", "full"};
    for (int i = 0; i < (int)COUNT_OF(rules); i++)
        if (strcmp(rules[i], text) == 0) {
            *out = (Pads){.n = 1, .rule = (PadRule)i};
            return true;
        }
    if (strncmp(text, "total", 5) == 0) return total_set(info, out, text + 5, d);
    return diag_fail(d, DIAG_SPEC, "%s = '%.60s': numbers, \"same\", \"same_lower\", \"valid\", \"full\" or \"total N\" expected",
                     info->name, text);
}

bool attr_set_text(Op op, const AttrInfo *info, AttrAny *attr, const char *text, Diag *d) {
    (void)op;
    if (info->type == ATTR_ENUM) return word_set(info, attr_at(attr, info), text, d);
    if (info->type == ATTR_PADS) return rule_set(info, attr_at(attr, info), text, d);
    return diag_fail(d, DIAG_SPEC, "%s: %s expected, '%.60s' given", info->name, attr_count_text(info->type), text);
}

/* ---- spreading ------------------------------------------------------------------------------- */

static bool spread_fail(const AttrInfo *info, int given, int spatial, Diag *d) {
    return diag_fail(d, DIAG_SPEC, "%s: %s expected, %d given for %d spatial %s", info->name,
                     attr_count_text(info->type), given, spatial, spatial == 1 ? "axis" : "axes");
}

static bool dims_spread(const AttrInfo *info, Dims *v, int spatial, Diag *d) {
    if (v->n == 0) *v = (Dims){.n = 1, .v = {(int32_t)info->def}};
    if (v->n != 1 && v->n != spatial) return spread_fail(info, v->n, spatial, d);
    for (int i = v->n; i < spatial; i++) v->v[i] = v->v[0];
    v->n = spatial;
    for (int i = 0; i < spatial; i++)
        if (!attr_check_given(info, v->v[i], d)) return false;
    return true;
}

/* Where number i of the user's k stands: before d, h, w, then after d, h, w; one an axis goes to both sides. */
static bool pads_spread_raw(const AttrInfo *info, Pads *p, int spatial, Diag *d) {
    int k = -p->n;
    if (k != spatial && k != 2 * spatial) return spread_fail(info, k, spatial, d);
    Pads out = {.n = spatial};
    for (int i = 0; i < spatial && i < MAX_SPATIAL; i++) {
        out.lo[i] = *pads_raw(p, i);
        out.hi[i] = *pads_raw(p, k == spatial ? i : spatial + i);
    }
    *p = out; /* numbers: a rule has none */
    return true;
}

static bool pads_spread(const AttrInfo *info, Pads *p, int spatial, Diag *d) {
    if (p->n == 0) *p = (Pads){.n = 1, .lo = {(int32_t)info->def}, .hi = {(int32_t)info->def}};
    if (p->n < 0 && !pads_spread_raw(info, p, spatial, d)) return false;
    if (p->n != 1 && p->n != spatial) return spread_fail(info, p->n, spatial, d);
    for (int i = p->n; i < spatial; i++) {
        p->lo[i] = p->lo[0];
        p->hi[i] = p->hi[0];
    }
    p->n = spatial;
    for (int i = 0; i < spatial; i++)
        if (!attr_check(info, p->lo[i], d) || !attr_check(info, p->hi[i], d)) return false;
    return true;
}

static bool attr_spread_one(const AttrInfo *info, AttrAny *attr, int spatial, Diag *d) {
    void *at = attr_at(attr, info);
    switch (info->type) {
    case ATTR_INT:
    case ATTR_ENUM:
    case ATTR_BOOL: return attr_check_given(info, *(int32_t *)at, d);
    case ATTR_FLOATS:
        return ((Floats *)at)->n || info->def >= info->lo || diag_fail(d, DIAG_SPEC, "%s is not given", info->name);
    case ATTR_INTS:
        return ((Ints *)at)->n || info->def >= info->lo || diag_fail(d, DIAG_SPEC, "%s is not given", info->name);
    case ATTR_FLOAT: return attr_check_given(info, (double)*(float *)at, d);
    case ATTR_DIMS: return dims_spread(info, at, spatial, d);
    case ATTR_PADS: return pads_spread(info, at, spatial, d);
    }
    return false;
}

static bool attr_is_spatial(const AttrInfo *info) { return info->type == ATTR_DIMS || info->type == ATTR_PADS; }

bool attr_spread(Op op, AttrAny *attr, const Type *x, Diag *d) {
    Axis axis[MAX_SPATIAL];
    int spatial = 0;
    if (x) {
        Type plain = type_plain(x);
        spatial = type_spatial(&plain, axis);
    }
    for (int i = 0; i < op_table[op].n_attr; i++) {
        const AttrInfo *info = &op_table[op].attr[i];
        /* Without spatial axes there is nothing to spread to; `shape` says so better than we could. */
        if (attr_is_spatial(info) && spatial == 0) continue;
        if (!attr_spread_one(info, attr, spatial, d)) return false;
    }
    return true;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void dims_print(Text *t, const AttrInfo *info, const Dims *v) {
    bool differs = false;
    for (int i = 0; i < v->n; i++) differs |= v->v[i] != (int32_t)info->def;
    if (!differs) return;
    text_add(t, " %s=[", info->name);
    for (int i = 0; i < v->n; i++) text_add(t, "%s%d", i ? " " : "", v->v[i]);
    text_add(t, "]");
}

static void pads_print(Text *t, const AttrInfo *info, const Pads *p) {
    int n = p->n < 0 ? -p->n : 2 * p->n;
    bool differs = false;
    int32_t v[2 * MAX_SPATIAL];
    for (int i = 0; i < n; i++) {
        v[i] = p->n < 0 ? *pads_raw((Pads *)p, i) : i < p->n ? p->lo[i] : p->hi[i - p->n];
        differs |= v[i] != (int32_t)info->def;
    }
    if (!differs) return;
    text_add(t, " %s=[", info->name);
    for (int i = 0; i < n; i++) text_add(t, "%s%d", i ? " " : "", v[i]);
    text_add(t, "]");
}

static void ints_print(Text *t, const AttrInfo *info, const Ints *v) {
    if (v->n == 0) return;
    text_add(t, " %s=[", info->name);
    for (int i = 0; i < v->n; i++) text_add(t, "%s%d", i ? " " : "", v->v[i]);
    text_add(t, "]");
}

static void floats_print(Text *t, const AttrInfo *info, const Floats *v) {
    if (v->n == 0) return;
    text_add(t, " %s=[", info->name);
    for (int i = 0; i < v->n; i++) {
        if (i) text_add(t, " ");
        text_add_float(t, v->v[i]);
    }
    text_add(t, "]");
}

static void attr_print_one(Text *t, const AttrInfo *info, const void *at) {
    switch (info->type) {
    case ATTR_INT:
    case ATTR_BOOL:
        if (*(const int32_t *)at != (int32_t)info->def) text_add(t, " %s=%d", info->name, *(const int32_t *)at);
        break;
    case ATTR_FLOAT:
        if (*(const float *)at == (float)info->def) break;
        text_add(t, " %s=", info->name);
        text_add_float(t, *(const float *)at);
        break;
    case ATTR_DIMS: dims_print(t, info, at); break;
    case ATTR_PADS: pads_print(t, info, at); break;
    case ATTR_INTS: ints_print(t, info, at); break;
    case ATTR_FLOATS: floats_print(t, info, at); break;
    case ATTR_ENUM:
        if (*(const int32_t *)at == (int32_t)info->def) break;
        text_add(t, " %s=%s", info->name, attr_word(t->arena, info, *(const int32_t *)at));
        break;
    }
}

void attr_print(Text *t, Op op, const AttrAny *attr) {
    for (int i = 0; i < op_table[op].n_attr; i++) {
        const AttrInfo *info = &op_table[op].attr[i];
        attr_print_one(t, info, attr_get(attr, info));
    }
}

/* ---- by name --------------------------------------------------------------------------------- */

static const void *attr_named(const Node *n, const char *name, AttrType type) {
    const OpInfo *op = &op_table[n->op];
    for (int i = 0; i < op->n_attr; i++)
        if (op->attr[i].type == type && strcmp(op->attr[i].name, name) == 0) return attr_get(&n->attr, &op->attr[i]);
    return NULL;
}

bool node_window(const Node *n, NodeWindow *w) {
    const Dims *kernel = attr_named(n, "kernel", ATTR_DIMS), *stride = attr_named(n, "stride", ATTR_DIMS);
    const Dims *dilation = attr_named(n, "dilation", ATTR_DIMS);
    const Pads *pad = attr_named(n, "pad", ATTR_PADS);
    if (!kernel || !stride || !pad) return false;
    *w = (NodeWindow){*kernel, *stride, {kernel->n, {1, 1, 1}}, *pad};
    if (dilation) w->dilation = *dilation;
    return true;
}
