/* Ops of constants alone: the comparisons, choices and roundings of which exporters make shapes, masks and sizes. Integers
 * stay integers. Constants may be empty. And If, whose condition is such a constant. */
#include "frontend/onnx/import.h"

#include <math.h>
#include <string.h>

static bool is_float(const Const *c) { return c->dtype == DT_F32; }
static double number(const Const *c, int64_t i) { return is_float(c) ? (double)c->f[i] : (double)c->i[i]; }

/* What const_filled made is written to once. */
static float *floats_of(Const *c) { return (float *)(uintptr_t)c->f; }
static int64_t *integers_of(Const *c) { return (int64_t *)(uintptr_t)c->i; }

static void copy_element(Const *to, int64_t at, const Const *from, int64_t i) {
    if (is_float(to)) floats_of(to)[at] = from->f[i];
    else integers_of(to)[at] = from->i[i];
}

/* ---- broadcasting ------------------------------------------------------------------------------------------- */

/* The first n inputs, and zeros of the shape that they have together. */
static Const *broadcast_inputs(Import *im, int n, const Const **in, DType type) {
    int64_t dim[ONNX_MAX_RANK];
    int rank = 0;
    for (int k = 0; k < n; k++) {
        in[k] = onnx_constant(im, k, "an input");
        if (!in[k]) return NULL;
        rank = in[k]->rank > rank ? in[k]->rank : rank;
    }
    for (int i = 0; i < rank; i++) dim[i] = 1;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < in[k]->rank; i++) {
            int64_t own = in[k]->dim[i], *all = &dim[rank - in[k]->rank + i];
            if (own != 1 && *all != 1 && own != *all) {
                import_fail(im, DIAG_SPEC, "%s and %s do not broadcast", import_dims(im->a, in[0]->dim, in[0]->rank),
                            import_dims(im->a, in[k]->dim, in[k]->rank));
                return NULL;
            }
            if (own != 1) *all = own;
        }
    return const_filled(im, type, dim, rank, 0);
}

/* The element of c behind element i of y. */
static int64_t source(const Const *c, const Const *y, int64_t i) {
    int64_t at = 0, step = 1;
    for (int k = c->rank - 1; k >= 0; k--) {
        int64_t extent = y->dim[y->rank - c->rank + k];
        if (c->dim[k] != 1) at += i % extent * step;
        step *= c->dim[k];
        i /= extent;
    }
    return at;
}

/* ---- comparisons and logic ---------------------------------------------------------------------------------- */

static bool less(const Const *a, int64_t i, const Const *b, int64_t j) {
    return is_float(a) ? a->f[i] < b->f[j] : a->i[i] < b->i[j];
}

static bool equal(const Const *a, int64_t i, const Const *b, int64_t j) {
    return is_float(a) ? a->f[i] >= b->f[j] && a->f[i] <= b->f[j] : a->i[i] == b->i[j];
}

static bool related(const Import *im, const Const *a, int64_t i, const Const *b, int64_t j) {
    if (node_is(im, "Equal")) return equal(a, i, b, j);
    if (node_is(im, "Less")) return less(a, i, b, j);
    if (node_is(im, "Greater")) return less(b, j, a, i);
    if (node_is(im, "LessOrEqual")) return less(a, i, b, j) || equal(a, i, b, j);
    if (node_is(im, "GreaterOrEqual")) return less(b, j, a, i) || equal(a, i, b, j);
    bool x = a->i[i] != 0, y = b->i[j] != 0;
    return node_is(im, "And") ? x && y : node_is(im, "Or") ? x || y : x != y;
}

const Const *fold_compare(Import *im) {
    const Const *in[2];
    Const *y = broadcast_inputs(im, 2, in, DT_BOOL);
    bool logic = node_is(im, "And") || node_is(im, "Or") || node_is(im, "Xor");
    if (!y) return NULL;
    if (is_float(in[0]) != is_float(in[1]) || (logic && (in[0]->dtype != DT_BOOL || in[1]->dtype != DT_BOOL))) {
        import_fail(im, DIAG_SPEC, "its inputs are %s and %s", dtype_name(in[0]->dtype), dtype_name(in[1]->dtype));
        return NULL;
    }
    for (int64_t i = 0; i < y->n; i++)
        integers_of(y)[i] = related(im, in[0], source(in[0], y, i), in[1], source(in[1], y, i));
    return y;
}

const Const *fold_not(Import *im) {
    const Const *x = onnx_constant(im, 0, "the input");
    if (x && is_float(x)) import_fail(im, DIAG_SPEC, "its input is %s", dtype_name(x->dtype));
    Const *y = x && !is_float(x) ? const_filled(im, DT_BOOL, x->dim, x->rank, 0) : NULL;
    for (int64_t i = 0; y && i < y->n; i++) integers_of(y)[i] = x->i[i] == 0;
    return y;
}

const Const *fold_where(Import *im) {
    const Const *in[3], *first = onnx_constant(im, 1, "an input");
    Const *y = first ? broadcast_inputs(im, 3, in, first->dtype) : NULL;
    if (!y) return NULL;
    if (in[0]->dtype != DT_BOOL || in[2]->dtype != first->dtype) {
        import_fail(im, DIAG_SPEC, "its inputs are %s, %s and %s", dtype_name(in[0]->dtype), dtype_name(in[1]->dtype),
                    dtype_name(in[2]->dtype));
        return NULL;
    }
    for (int64_t i = 0; i < y->n; i++) {
        const Const *from = in[in[0]->i[source(in[0], y, i)] ? 1 : 2];
        copy_element(y, i, from, source(from, y, i));
    }
    return y;
}

/* ---- rounding and remainders -------------------------------------------------------------------------------- */

/* Floor, Ceil, Round; integers are what they are. */
const Const *fold_round(Import *im) {
    const Const *x = onnx_constant(im, 0, "the input");
    if (!x || !is_float(x)) return x;
    Const *y = const_filled(im, DT_F32, x->dim, x->rank, 0);
    for (int64_t i = 0; y && i < y->n; i++) {
        float v = x->f[i];
        floats_of(y)[i] = node_is(im, "Floor") ? floorf(v) : node_is(im, "Ceil") ? ceilf(v) : rintf(v);
    }
    return y;
}

/* The remainder has the divisor's sign, with fmod = 1 the dividend's. */
static bool remainder_of(Import *im, int64_t a, int64_t b, bool as_c, int64_t *out) {
    if (b == 0) return import_fail(im, DIAG_SPEC, "a division by zero");
    int64_t r = b == -1 ? 0 : a % b; /* the least integer has no quotient by −1 */
    *out = !as_c && r != 0 && (r < 0) != (b < 0) ? r + b : r;
    return true;
}

const Const *fold_mod(Import *im) {
    const Const *in[2], *first = onnx_constant(im, 0, "an input");
    Const *y = first ? broadcast_inputs(im, 2, in, first->dtype) : NULL;
    int64_t as_c;
    if (!y || !onnx_attr_int(im, "fmod", 0, &as_c)) return NULL;
    if (in[0]->dtype != in[1]->dtype || (is_float(y) && !as_c)) {
        import_fail(im, DIAG_SPEC, "its inputs are %s and %s, with fmod = %lld", dtype_name(in[0]->dtype),
                    dtype_name(in[1]->dtype), (long long)as_c);
        return NULL;
    }
    for (int64_t i = 0; i < y->n; i++) {
        int64_t a = source(in[0], y, i), b = source(in[1], y, i);
        if (is_float(y)) floats_of(y)[i] = fmodf(in[0]->f[a], in[1]->f[b]);
        else if (!remainder_of(im, in[0]->i[a], in[1]->i[b], as_c != 0, &integers_of(y)[i])) return NULL;
    }
    return y;
}

/* ---- places ------------------------------------------------------------------------------------------------- */

/* NonZero: the indexes of what is not 0, an axis a row. */
const Const *fold_nonzero(Import *im) {
    const Const *x = onnx_constant(im, 0, "the input");
    int64_t count = 0;
    if (!x) return NULL;
    for (int64_t i = 0; i < x->n; i++) count += number(x, i) < 0 || number(x, i) > 0 || isnan(number(x, i));
    Const *y = const_filled(im, DT_I64, (int64_t[]){x->rank, count}, 2, 0);
    for (int64_t i = 0, at = 0; y && i < x->n; i++) {
        if (number(x, i) >= 0 && number(x, i) <= 0) continue;
        int64_t rest = i;
        for (int k = x->rank - 1; k >= 0; k--) {
            integers_of(y)[k * count + at] = rest % x->dim[k];
            rest /= x->dim[k];
        }
        at++;
    }
    return y;
}

/* Where row `at` of the indexes points in x; −1 with a message. */
static int64_t scatter_at(Import *im, const Const *x, const int64_t *index, int depth, int64_t slice) {
    int64_t at = 0;
    for (int k = 0; k < depth; k++) {
        int64_t v = index[k] < 0 ? index[k] + x->dim[k] : index[k];
        if (v < 0 || v >= x->dim[k]) {
            import_fail(im, DIAG_SPEC, "index %lld of %lld", (long long)index[k], (long long)x->dim[k]);
            return -1;
        }
        at = at * x->dim[k] + v;
    }
    return at * slice;
}

/* ScatterND: x with slices of it replaced. */
const Const *fold_scatter(Import *im) {
    const Const *x = onnx_constant(im, 0, "the data"), *index = x ? onnx_constant(im, 1, "the indexes") : NULL;
    const Const *v = index ? onnx_constant(im, 2, "the updates") : NULL;
    bool plain;
    if (!v || !onnx_attr_is(im, "reduction", "none", "none", &plain)) return NULL;
    if (!plain) {
        import_fail(im, DIAG_UNSUPPORTED, "this reduction is not known");
        return NULL;
    }
    int64_t depth = index->rank ? index->dim[index->rank - 1] : 0, slice = x->n > 0;
    for (int k = (int)depth; slice && depth <= x->rank && k < x->rank; k++) slice *= x->dim[k];
    if (depth < 1 || depth > x->rank || is_float(index) || x->dtype != v->dtype || index->n / depth * slice != v->n) {
        import_fail(im, DIAG_SPEC, "data %s, indexes %s and updates %s do not fit", import_dims(im->a, x->dim, x->rank),
                    import_dims(im->a, index->dim, index->rank), import_dims(im->a, v->dim, v->rank));
        return NULL;
    }
    Const *y = const_filled(im, x->dtype, x->dim, x->rank, 0);
    for (int64_t i = 0; y && i < y->n; i++) copy_element(y, i, x, i);
    for (int64_t row = 0; y && row < index->n / depth; row++) {
        int64_t at = scatter_at(im, x, index->i + row * depth, (int)depth, slice);
        if (at < 0) return NULL;
        for (int64_t i = 0; i < slice; i++) copy_element(y, at + i, v, row * slice + i);
    }
    return y;
}

/* Trilu: of the last two axes what is above the diagonal k, or below it. */
const Const *fold_trilu(Import *im) {
    const Const *x = onnx_constant(im, 0, "the input"), *k = NULL;
    int64_t upper;
    if (!x || !onnx_attr_int(im, "upper", 1, &upper)) return NULL;
    if (onnx_has_input(im, 1) && !(k = onnx_constant(im, 1, "k"))) return NULL;
    if (x->rank < 2 || (k && (k->n != 1 || is_float(k)))) {
        import_fail(im, DIAG_SPEC, "%s is no matrix, or k no integer", import_dims(im->a, x->dim, x->rank));
        return NULL;
    }
    Const *y = const_filled(im, x->dtype, x->dim, x->rank, 0);
    double diagonal = k ? (double)k->i[0] : 0;
    for (int64_t i = 0; y && i < y->n; i++) {
        int64_t column = i % x->dim[x->rank - 1], row = i / x->dim[x->rank - 1] % x->dim[x->rank - 2];
        double past = (double)(column - row) - diagonal;
        if (upper ? past >= 0 : past <= 0) copy_element(y, i, x, i);
    }
    return y;
}

/* ---- branches ----------------------------------------------------------------------------------------------- */

/* If: the nodes of the branch that a known condition takes; its outputs are the node's. */
bool convert_if(Import *im) {
    const Const *c = onnx_constant(im, 0, "the condition");
    if (!c) return false;
    if (c->n != 1 || c->dtype != DT_BOOL) return import_fail(im, DIAG_SPEC, "its condition is not one bool");
    const Onnx__AttributeProto *a = onnx_attr(im, c->i[0] ? "then_branch" : "else_branch");
    const Onnx__GraphProto *g = a ? a->g : NULL;
    if (!g || g->n_input || g->n_output != im->node->n_output)
        return import_fail(im, DIAG_SPEC, "its branch is missing, has inputs or has not %zu outputs",
                           im->node->n_output);
    if (!import_branch(im, g)) return false;
    for (size_t i = 0; i < g->n_output; i++) {
        const char *name = g->output[i]->name ? g->output[i]->name : "", *out = im->node->output[i];
        if (!out || !*out) continue;
        const Value *from = import_value(im, name);
        Value *to = import_value(im, out);
        if (!value_is_made(from)) return import_fail(im, DIAG_SPEC, "output '%.100s' is made by no node", name);
        if (value_is_made(to)) return import_fail(im, DIAG_SPEC, "'%.100s' is made twice", out);
        to->tensor = from->tensor;
        to->constant = from->constant;
        to->node = from->node;
    }
    return true;
}
