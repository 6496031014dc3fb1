#include "runtime/reference.h"

#include <ctype.h>
#include <math.h>

RefTensor *ref_tensor_new(Arena *a, const Type *type, bool with_err) {
    RefTensor *t = ARENA_NEW(a, RefTensor);
    t->type = type_plain(type);
    t->v = ARENA_ARRAY(a, double, type_elements(type));
    if (with_err) t->err = ARENA_ARRAY(a, double, type_elements(type));
    return t;
}

/* ---- layouts --------------------------------------------------------------------------------- */

static void memory_strides(const Type *t, int64_t stride[MAX_AXES], int64_t *base) {
    int64_t s = 1;
    *base = 0;
    for (int i = t->rank - 1; i >= 0; i--) {
        const Axis *x = &t->axis[i];
        stride[i] = s;
        *base += s * x->lo;
        s *= (int64_t)x->extent + x->lo + x->hi;
    }
}

/* Where position p of each logical axis lies in memory, relative to position 0: the offset of an
 * element is the sum over its axes. */
static int64_t *axis_offsets(Arena *a, const Type *t, char letter, const int64_t stride[MAX_AXES]) {
    int outer = type_find(t, (char)toupper((unsigned char)letter)), inner = type_find(t, letter);
    int64_t n = type_extent(t, letter), block = outer < 0 ? n : inner < 0 ? 1 : t->axis[inner].extent;
    int64_t *offset = ARENA_ARRAY(a, int64_t, n);
    for (int64_t p = 0; p < n; p++)
        offset[p] = (outer < 0 ? 0 : p / block * stride[outer]) + (inner < 0 ? 0 : p % block * stride[inner]);
    return offset;
}

RefTensor *ref_from_f32(Arena *a, const Type *layout_type, const void *data) {
    RefTensor *t = ref_tensor_new(a, layout_type, false);
    if (type_elements(layout_type) == 0) return t;
    const Type *plain = &t->type;
    int64_t stride[MAX_AXES], base, digit[MAX_AXES] = {0}, *offset[MAX_AXES];
    memory_strides(layout_type, stride, &base);
    for (int i = 0; i < plain->rank; i++) offset[i] = axis_offsets(a, layout_type, plain->axis[i].letter, stride);
    int last = plain->rank - 1;
    int64_t row = last < 0 ? 1 : plain->axis[last].extent, rows = type_elements(plain) / row;
    for (int64_t r = 0; r < rows; r++) {
        int64_t at = base;
        for (int i = 0; i < last; i++) at += offset[i][digit[i]];
        for (int64_t k = 0; k < row; k++)
            t->v[r * row + k] = dtype_get(layout_type->dtype, data, at + (last < 0 ? 0 : offset[last][k]));
        for (int i = last - 1; i >= 0; i--) {
            if (++digit[i] < plain->axis[i].extent) break;
            digit[i] = 0;
        }
    }
    return t;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

/* How far the stored result may be from `stored`, when the value before may be e off. */
static double stored_error(DType t, double stored, double v, double e) {
    if (t == DT_BOOL) return e > 0 && fabs(v) <= e;
    return fmax(dtype_stored(t, v + e) - stored, stored - dtype_stored(t, v - e));
}

/* The result as its element type holds it. */
static void store_whole(RefTensor *t) {
    int64_t n = type_elements(&t->type);
    for (int64_t i = 0; i < n; i++) {
        double v = t->v[i], stored = dtype_stored(t->type.dtype, v);
        if (t->err) t->err[i] = stored_error(t->type.dtype, stored, v, isnan(t->err[i]) ? INFINITY : t->err[i]);
        t->v[i] = stored;
    }
}

static RefTensor *node_eval(Arena *a, const Node *n, RefTensor *const *value, bool with_err) {
    enum { OPTIONAL = 8 }; /* more than any op has: absent ones are NULL */
    const RefTensor **in = ARENA_ARRAY(a, const RefTensor *, n->n_in + OPTIONAL);
    for (int i = 0; i < n->n_in; i++) in[i] = value[n->in[i]->id];
    RefTensor *out = ref_tensor_new(a, &n->type, with_err);
    op_table[n->op].eval(a, n, in, out);
    if (n->type.dtype != DT_F32) store_whole(out);
    for (int64_t i = 0; with_err && i < type_elements(&out->type); i++)
        if (isnan(out->err[i])) out->err[i] = INFINITY; /* ∞·0 and the like: nothing is known */
    return out;
}

bool reference_eval(Arena *a, const Graph *g, RefTensor **value, const Node *wanted, bool with_err, Diag *d) {
    bool *needed = ARENA_ARRAY(a, bool, g->n_node);
    needed[wanted->id] = true;
    for (int i = wanted->id; i >= 0; i--) { /* users stand after what they use */
        const Node *n = g->node[i];
        if (!needed[i] || value[i]) continue;
        if (op_table[n->op].flags & OPF_SOURCE)
            return diag_fail(d, DIAG_INTERNAL, "reference: '%s' has no value", n->name);
        for (int k = 0; k < n->n_in; k++) needed[n->in[k]->id] = true;
    }
    for (int i = 0; i <= wanted->id; i++)
        if (needed[i] && !value[i]) value[i] = node_eval(a, g->node[i], value, with_err);
    return true;
}
