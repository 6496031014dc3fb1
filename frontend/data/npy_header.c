#include "frontend/data/npy_header.h"

#include "frontend/data/fail.h"

#include <inttypes.h>
#include <string.h>

/* A cursor in the dict. */
typedef struct Dict {
    const char *p, *end;
    const char *name; /* of the file */
    Diag *diag;
} Dict;

static bool dict_fail(const Dict *t, const char *wanted) {
    size_t left = (size_t)(t->end - t->p);
    int shown = left < 24 ? (int)left : 24;
    return data_fail(t->diag, DIAG_FILE, t->name, "bad npy header: %s expected at '%.*s'", wanted, shown, t->p);
}

static void dict_skip(Dict *t) {
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\n' || *t->p == '\t')) t->p++;
}

static bool dict_take(Dict *t, char c) {
    dict_skip(t);
    if (t->p == t->end || *t->p != c) return false;
    t->p++;
    return true;
}

static bool dict_want(Dict *t, char c) {
    if (dict_take(t, c)) return true;
    return dict_fail(t, (char[]){'\'', c, '\'', '\0'});
}

/* A quoted string without escapes: 'text' or "text". */
static bool dict_string(Dict *t, char *out, size_t size) {
    dict_skip(t);
    char quote = t->p < t->end ? *t->p : '\0';
    if (quote != '\'' && quote != '"') return dict_fail(t, "a string");
    const char *from = t->p + 1, *to = memchr(from, quote, (size_t)(t->end - from));
    if (!to || (size_t)(to - from) >= size || memchr(from, '\\', (size_t)(to - from)))
        return dict_fail(t, "a short string");
    memcpy(out, from, (size_t)(to - from));
    out[to - from] = '\0';
    t->p = to + 1;
    return true;
}

static bool dict_word(Dict *t, const char *word) {
    size_t n = strlen(word);
    dict_skip(t);
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n) != 0) return false;
    t->p += n;
    return true;
}

static bool dict_bool(Dict *t, bool *out) {
    *out = dict_word(t, "True");
    return *out || dict_word(t, "False") ? true : dict_fail(t, "True or False");
}

static bool dict_extent(Dict *t, int64_t *out) {
    dict_skip(t);
    const char *from = t->p;
    *out = 0;
    for (; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++)
        if (__builtin_mul_overflow(*out, (int64_t)10, out) ||
            __builtin_add_overflow(*out, (int64_t)(*t->p - '0'), out)) {
            t->p = from;
            return dict_fail(t, "a smaller extent");
        }
    return t->p > from ? true : dict_fail(t, "an extent ≥ 0");
}

/* A tuple: (), (3,), (3, 4), (3, 4,). */
static bool dict_shape(Dict *t, NpyHeader *h) {
    if (!dict_want(t, '(')) return false;
    h->rank = 0;
    while (!dict_take(t, ')')) {
        if (h->rank == ARRAY_MAX_RANK)
            return data_fail(t->diag, DIAG_UNSUPPORTED, t->name, "at most %d axes are supported, more found",
                             ARRAY_MAX_RANK);
        if (!dict_extent(t, &h->shape[h->rank++])) return false;
        if (dict_take(t, ',')) continue;
        if (h->rank == 1) return dict_fail(t, "','"); /* (3) is no tuple */
        return dict_want(t, ')');
    }
    return true;
}

static bool elem_find(char kind, char size, ElemType *out) {
    static const struct {
        char text[3];
        ElemType type;
    } table[] = {
        {"b1", ELEM_BOOL}, {"u1", ELEM_U8},  {"i1", ELEM_I8},  {"u2", ELEM_U16}, {"i2", ELEM_I16}, {"u4", ELEM_U32},
        {"i4", ELEM_I32},  {"u8", ELEM_U64}, {"i8", ELEM_I64}, {"f2", ELEM_F16}, {"f4", ELEM_F32}, {"f8", ELEM_F64},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].text[0] == kind && table[i].text[1] == size) {
            *out = table[i].type;
            return true;
        }
    return false;
}

static bool descr_parse(Dict *t, NpyHeader *h) {
    char text[32];
    dict_skip(t);
    if (t->p < t->end && *t->p == '[')
        return data_fail(t->diag, DIAG_UNSUPPORTED, t->name, "arrays of records are not supported");
    if (!dict_string(t, text, sizeof text)) return false;
    if (strlen(text) != 3 || !strchr("<>=|", text[0]) || !elem_find(text[1], text[2], &h->type))
        return data_fail(t->diag, DIAG_UNSUPPORTED, t->name, "element type '%s' is not supported", text);
    if (text[0] == '|' && elem_bytes(h->type) != 1)
        return data_fail(t->diag, DIAG_FILE, t->name, "bad npy header: '%s' has no byte order", text);
    const char foreign = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<';
    h->swapped = text[0] == foreign && elem_bytes(h->type) > 1;
    return true;
}

enum { DESCR = 1, ORDER = 2, SHAPE = 4 };

/* A key that was not there before; adds its bit to `seen`. */
static bool dict_key(Dict *t, int *seen, int *bit) {
    char key[16];
    if (!dict_string(t, key, sizeof key)) return false;
    *bit = 0;
    if (strcmp(key, "descr") == 0) *bit = DESCR;
    if (strcmp(key, "fortran_order") == 0) *bit = ORDER;
    if (strcmp(key, "shape") == 0) *bit = SHAPE;
    if (!*bit || (*seen & *bit))
        return data_fail(t->diag, DIAG_FILE, t->name, "bad npy header: %s key '%s'", *bit ? "second" : "unknown", key);
    *seen |= *bit;
    return dict_want(t, ':');
}

/* The three keys, each once, in any order. */
static bool dict_parse(Dict *t, NpyHeader *h) {
    int seen = 0, bit = 0;
    if (!dict_want(t, '{')) return false;
    while (!dict_take(t, '}')) {
        if (!dict_key(t, &seen, &bit)) return false;
        bool ok = bit == DESCR ? descr_parse(t, h) : bit == ORDER ? dict_bool(t, &h->fortran) : dict_shape(t, h);
        if (!ok) return false;
        if (dict_take(t, ',')) continue;
        if (!dict_want(t, '}')) return false;
        break;
    }
    dict_skip(t);
    if (t->p != t->end) return dict_fail(t, "the end");
    if (seen == (DESCR | ORDER | SHAPE)) return true;
    return data_fail(t->diag, DIAG_FILE, t->name, "bad npy header: %s is missing",
                     !(seen & DESCR)   ? "descr"
                     : !(seen & ORDER) ? "fortran_order"
                                       : "shape");
}

bool npy_is(const uint8_t *p, size_t n) { return n >= NPY_MAGIC && memcmp(p, "\x93NUMPY", NPY_MAGIC) == 0; }

/* Bytes before the dict: magic, version, length. */
static size_t npy_prefix(const uint8_t *p) { return p[NPY_MAGIC] == 1 ? 10 : 12; }

bool npy_header_bytes(const uint8_t *p, size_t n, const char *name, size_t *bytes, Diag *d) {
    if (n < NPY_START || !npy_is(p, n)) return data_fail(d, DIAG_FILE, name, "not an npy file");
    if (p[6] < 1 || p[6] > 3 || p[7] != 0)
        return data_fail(d, DIAG_UNSUPPORTED, name, "npy versions 1.0 to 3.0 are supported, this is %d.%d", p[6], p[7]);
    size_t prefix = npy_prefix(p);
    uint64_t length = 0;
    for (size_t i = prefix; i-- > 8;) length = length << 8 | p[i];
    *bytes = prefix + (size_t)length;
    if (*bytes < NPY_START) return data_fail(d, DIAG_FILE, name, "bad npy header: only %zu bytes", (size_t)length);
    if (length <= NPY_HEADER_CAP - prefix) return true;
    return data_fail(d, DIAG_FILE, name, "npy header of %" PRIu64 " bytes, at most %zu allowed", length,
                     NPY_HEADER_CAP - prefix);
}

bool npy_header_parse(const uint8_t *p, size_t n, const char *name, NpyHeader *h, Diag *d) {
    *h = (NpyHeader){0};
    if (!npy_header_bytes(p, n, name, &h->start, d)) return false;
    if (h->start > n) return data_fail(d, DIAG_FILE, name, "cut off: npy header of %zu bytes, %zu found", h->start, n);
    Dict t = {(const char *)p + npy_prefix(p), (const char *)p + h->start, name, d};
    if (!dict_parse(&t, h)) return false;
    char text[ARRAY_SHAPE_TEXT];
    if (shape_size(h->type, h->rank, h->shape, NULL, &h->bytes)) return true;
    return data_fail(d, DIAG_FILE, name, "shape %s is too large", array_shape_text(text, h->rank, h->shape));
}
