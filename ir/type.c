#include "ir/type.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {[DT_F32] = {"f32", 4}, [DT_I64] = {"i64", 8}, [DT_I32] = {"i32", 4}, [DT_U8] = {"u8", 1}, [DT_BOOL] = {"bool", 1}};

enum { MAX_EXTENT = 1 << 30 };
static const int64_t max_elements = (int64_t)1 << 40;

size_t dtype_bytes(DType t) { return dtypes[t].bytes; }
const char *dtype_name(DType t) { return dtypes[t].name; }

double dtype_get(DType t, const void *data, int64_t i) {
    switch (t) {
    case DT_F32: return (double)((const float *)data)[i];
    case DT_I64: return (double)((const int64_t *)data)[i];
    case DT_I32: return ((const int32_t *)data)[i];
    case DT_U8:
    case DT_BOOL: return ((const uint8_t *)data)[i];
    }
    return 0;
}

static double whole_between(double v, double lo, double hi) {
    if (isnan(v)) return 0;
    v = trunc(v);
    return v < lo ? lo : v > hi ? hi : v + 0.0; /* no −0 */
}

double dtype_stored(DType t, double v) {
    switch (t) {
    case DT_F32: return v;
    case DT_I64: return whole_between(v, -0x1p63, 0x1p63);
    case DT_I32: return whole_between(v, -0x1p31, 0x1p31 - 1);
    case DT_U8: return whole_between(v, 0, 255);
    case DT_BOOL: return v != 0;
    }
    return v;
}

void dtype_put(DType t, void *data, int64_t i, double v) {
    v = dtype_stored(t, v);
    switch (t) {
    case DT_F32: ((float *)data)[i] = (float)v; break;
    case DT_I64: ((int64_t *)data)[i] = v >= 0x1p63 ? INT64_MAX : (int64_t)v; break;
    case DT_I32: ((int32_t *)data)[i] = (int32_t)v; break;
    case DT_U8:
    case DT_BOOL: ((uint8_t *)data)[i] = (uint8_t)v; break;
    }
}

const char *type_letters(int rank) {
    static const char *const letters[] = {"", "n", "nc", "ncw", "nchw", "ncdhw", "nctdhw", "ncutdhw", "ncvutdhw"};
    return rank >= 0 && rank <= MAX_RANK ? letters[rank] : NULL;
}

int64_t type_elements(const Type *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->axis[i].extent;
    return n;
}

static int64_t axis_memory(const Axis *a) { return (int64_t)a->extent + a->lo + a->hi; }

int64_t type_memory_elements(const Type *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= axis_memory(&t->axis[i]);
    return n;
}

size_t type_bytes(const Type *t) { return (size_t)type_memory_elements(t) * dtype_bytes(t->dtype); }

bool type_equal(const Type *a, const Type *b) {
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    bool halo = false;
    for (int i = 0; i < a->rank; i++) {
        const Axis *x = &a->axis[i], *y = &b->axis[i];
        if (x->letter != y->letter || x->extent != y->extent || x->lo != y->lo || x->hi != y->hi) return false;
        halo |= x->lo || x->hi;
    }
    return !halo || memcmp(&a->halo, &b->halo, sizeof a->halo) == 0;
}

bool type_same_memory(const Type *a, const Type *b) {
    Type same_halo = *b;
    same_halo.halo = a->halo;
    return type_equal(a, &same_halo);
}

int type_find(const Type *t, char letter) {
    for (int i = 0; i < t->rank; i++)
        if (t->axis[i].letter == letter) return i;
    return -1;
}

int64_t type_extent(const Type *t, char letter) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (tolower((unsigned char)t->axis[i].letter) == letter) n *= t->axis[i].extent;
    return n;
}

int32_t type_block(const Type *t, char letter) {
    if (type_find(t, (char)toupper((unsigned char)letter)) < 0) return 1;
    int inner = type_find(t, letter);
    return inner < 0 ? 1 : t->axis[inner].extent;
}

bool type_is_plain(const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (isupper((unsigned char)t->axis[i].letter) || t->axis[i].lo || t->axis[i].hi) return false;
    return true;
}

Type type_plain(const Type *t) {
    Type p = {.dtype = t->dtype};
    for (int i = 0; i < t->rank; i++) {
        char letter = t->axis[i].letter, small = (char)tolower((unsigned char)letter);
        if (letter == small && type_find(t, (char)toupper((unsigned char)letter)) >= 0) continue;
        p.axis[p.rank++] = (Axis){small, (int32_t)type_extent(t, small), 0, 0};
    }
    return p;
}

int type_spatial(const Type *t, Axis out[MAX_SPATIAL]) {
    int n = 0;
    for (int i = 0; i < t->rank; i++)
        if (strchr("dhw", t->axis[i].letter)) out[n++] = t->axis[i];
    return n;
}

static bool make(Type *t, DType dtype, const char *letters, const int64_t *extents, int64_t least, Diag *d) {
    *t = (Type){.dtype = dtype};
    int64_t total = 1;
    for (int i = 0; letters[i]; i++) {
        if (i == MAX_AXES) return diag_fail(d, DIAG_UNSUPPORTED, "a tensor of more than %d axes", MAX_AXES);
        if (extents[i] < least || extents[i] > MAX_EXTENT)
            return diag_fail(d, DIAG_SPEC, "extent %lld of axis %c is not in %lld … %d", (long long)extents[i],
                             letters[i], (long long)least, MAX_EXTENT);
        if (__builtin_mul_overflow(total, extents[i], &total) || total > max_elements)
            return diag_fail(d, DIAG_SPEC, "a tensor of more than 2^40 elements");
        t->axis[t->rank++] = (Axis){letters[i], (int32_t)extents[i], 0, 0};
    }
    return true;
}

bool type_make(Type *t, const char *letters, const int64_t *extents, Diag *d) {
    return make(t, DT_F32, letters, extents, 1, d);
}

bool type_of_rank(Type *t, DType dtype, int rank, const int64_t *extents, Diag *d) {
    if (rank > MAX_RANK) return diag_fail(d, DIAG_UNSUPPORTED, "a tensor of %d axes; at most %d are known", rank, MAX_RANK);
    return make(t, dtype, type_letters(rank), extents, 0, d);
}

void type_print(Text *t, const Type *type) {
    text_add(t, "%s[", dtypes[type->dtype].name);
    bool halo = false;
    for (int i = 0; i < type->rank; i++) {
        const Axis *a = &type->axis[i];
        text_add(t, "%s%c%d", i ? " " : "", a->letter, a->extent);
        if (a->lo || a->hi) {
            text_add(t, "<%d,%d>", a->lo, a->hi);
            halo = true;
        }
    }
    if (halo && type->halo != 0) {
        text_add(t, " halo ");
        text_add_float(t, type->halo);
    }
    text_add(t, "]");
}

const char *type_text(Arena *a, const Type *type) {
    Text t = {.arena = a};
    type_print(&t, type);
    return text_get(&t);
}

static bool axis_parse(Lexer *l, Axis *a, int64_t *total) {
    const char *name;
    if (!lex_name(l, &name)) return false;
    size_t digits = strspn(name + 1, "0123456789");
    if (!isalpha((unsigned char)name[0]) || digits == 0 || name[1 + digits] || digits > 10)
        return lex_fail(l, "an axis such as c64 expected, '%s' found", name);
    int64_t extent = 0, lo = 0, hi = 0;
    for (size_t i = 1; i <= digits; i++) extent = extent * 10 + (name[i] - '0');
    if (extent < 1 || extent > MAX_EXTENT) return lex_fail(l, "extent of '%s' is not in 1 … %d", name, MAX_EXTENT);
    if (lex_take(l, "<") && !(lex_int(l, 0, MAX_EXTENT / 4, &lo) && lex_want(l, ",") &&
                              lex_int(l, 0, MAX_EXTENT / 4, &hi) && lex_want(l, ">")))
        return false;
    if (__builtin_mul_overflow(*total, extent + lo + hi, total) || *total > max_elements)
        return lex_fail(l, "a tensor of more than 2^40 elements");
    *a = (Axis){name[0], (int32_t)extent, (int32_t)lo, (int32_t)hi};
    return true;
}

static bool dtype_parse(Lexer *l, DType *t) {
    for (size_t i = 0; i < COUNT_OF(dtypes); i++)
        if (lex_take(l, dtypes[i].name)) {
            *t = (DType)i;
            return true;
        }
    return lex_fail(l, "an element type expected: f32, i64, i32, u8 or bool, '%.80s' found", l->text);
}

bool type_parse(Lexer *l, Type *type) {
    *type = (Type){.dtype = DT_F32};
    int64_t total = 1;
    if (!dtype_parse(l, &type->dtype) || !lex_want(l, "[")) return false;
    while (!lex_is(l, "]") && !lex_is(l, "halo")) {
        if (type->rank == MAX_AXES) return lex_fail(l, "more than %d axes", MAX_AXES);
        Axis a;
        if (!axis_parse(l, &a, &total)) return false;
        if (type_find(type, a.letter) >= 0) return lex_fail(l, "axis %c twice", a.letter);
        type->axis[type->rank++] = a;
    }
    if (lex_take(l, "halo")) {
        double halo;
        if (!lex_number(l, &halo)) return false;
        type->halo = (float)halo;
    }
    return lex_want(l, "]");
}

/* How one logical axis moves through memory: `outer` a block, `inner` an element within it. */
typedef struct AxisWalk {
    int64_t extent, block, outer, inner;
} AxisWalk;

static int64_t *offsets_fill(const AxisWalk *axis, int rank, int64_t base, int64_t *out) {
    if (rank == 0) {
        *out = base;
        return out + 1;
    }
    int64_t within = 0;
    for (int64_t i = 0; i < axis->extent; i++) {
        if (rank == 1) *out++ = base + within * axis->inner;
        else out = offsets_fill(axis + 1, rank - 1, base + within * axis->inner, out);
        if (++within == axis->block) {
            within = 0;
            base += axis->outer;
        }
    }
    return out;
}

void type_offsets(const Type *t, int64_t *position) {
    int64_t stride[MAX_AXES], s = 1, base = 0;
    for (int i = t->rank - 1; i >= 0; i--) {
        stride[i] = s;
        base += s * t->axis[i].lo;
        s *= axis_memory(&t->axis[i]);
    }
    Type plain = type_plain(t);
    AxisWalk walk[MAX_AXES];
    for (int i = 0; i < plain.rank; i++) {
        char small = plain.axis[i].letter;
        int outer = type_find(t, (char)toupper((unsigned char)small)), inner = type_find(t, small);
        walk[i] = (AxisWalk){plain.axis[i].extent, type_block(t, small), stride[outer < 0 ? inner : outer],
                             inner < 0 ? 0 : stride[inner]};
    }
    offsets_fill(walk, plain.rank, base, position);
}
