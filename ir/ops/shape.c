/* flatten, concat, relayout: values move, none is computed; and the constant. */
#include "ir/lower.h"
#include "ir/ops/ops.h"

#include <string.h>

bool flatten_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    if (!shape_activation(&x, 0, d)) return false;
    int64_t batch = x.axis[0].extent;
    return type_make(&n->type, "nc", (int64_t[]){batch, type_elements(&x) / batch}, d);
}

static bool concat_alike(const Type *x, const Type *y) {
    Type other = *y;
    if (y->rank != x->rank) return false;
    other.axis[1].extent = x->axis[1].extent;
    return type_equal(&other, x);
}

bool concat_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    int64_t channels = 0, spatial[MAX_AXES] = {0};
    char first[SHAPE_TEXT], other[SHAPE_TEXT];
    if (!shape_activation(&x, 0, d)) return false;
    for (int i = 0; i < n->n_in; i++) {
        Type y = shape_in(n, i);
        if (!concat_alike(&x, &y))
            return diag_fail(d, DIAG_SPEC, "input %d is %s, input 1 is %s: only the channels may differ", i + 1,
                             shape_text(other, &y), shape_text(first, &x));
        channels += y.axis[1].extent;
    }
    for (int i = 2; i < x.rank; i++) spatial[i - 2] = x.axis[i].extent;
    return shape_set(n, &x, channels, spatial, d);
}

bool constant_shape(Node *n, Diag *d) { return type_of_rank(&n->type, DT_F32, 0, NULL, d); }

bool relayout_shape(Node *n, Diag *d) {
    (void)d;
    n->type = shape_in(n, 0);
    return true;
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* n values from `from` at `i`, errors too, to `to` at `at`. */
static void ref_copy(const RefTensor *from, int64_t i, RefTensor *to, int64_t at, int64_t n) {
    memcpy(to->v + at, from->v + i, sizeof *to->v * (size_t)n);
    if (!to->err) return;
    if (from->err) memcpy(to->err + at, from->err + i, sizeof *to->err * (size_t)n);
    else memset(to->err + at, 0, sizeof *to->err * (size_t)n);
}

/* Plain tensors are row-major, so c and all after it are one axis already. */
void flatten_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)n;
    ref_copy(in[0], 0, out, 0, type_elements(&out->type));
}

void relayout_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    flatten_eval(a, n, in, out);
}

void constant_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)in;
    out->v[0] = (double)n->attr.CONSTANT.value;
    if (out->err) out->err[0] = 0;
}

void concat_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    int64_t batch = out->type.axis[0].extent, at = 0;
    for (int64_t b = 0; b < batch; b++)
        for (int i = 0; i < n->n_in; i++) {
            int64_t size = type_elements(&in[i]->type) / batch;
            ref_copy(in[i], b * size, out, at, size);
            at += size;
        }
}

/* ---- lowering ---------------------------------------------------------------------------------- */

void relayout_lower(Lower *l, const Node *n) {
    Nest nest = {0};
    Index at;
    nest_result(l, &nest, &at);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &at, lower_read(l, n->in[0], &at))));
}

/* Loops over the input; the output channel is (c·D + d)·H·W …, affine in them. */
void flatten_lower(Lower *l, const Node *n) {
    const Node *x = n->in[0];
    Type t = type_plain(&x->type);
    int64_t cut = type_block(&x->type, 'c');
    Nest nest = {0};
    Index in = {.n = t.rank}, out = {.n = 2};
    in.v[0] = out.v[0] = nest_loop_always(l, &nest, "n", t.axis[0].extent);
    in.v[1] = out.v[1] = nest_digits(l, &nest, "c", "C", t.axis[1].extent, &cut, 1);
    for (int i = 2; i < t.rank; i++) {
        in.v[i] = nest_loop(l, &nest, spatial_name(i - 2, t.rank - 2), t.axis[i].extent);
        out.v[1] = affine_add(l->a, affine_scale(l->a, out.v[1], t.axis[i].extent), in.v[i]);
    }
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &out, lower_read(l, x, &in))));
}

/* A nest an input, its channels moved behind those of the inputs before it. */
void concat_lower(Lower *l, const Node *n) {
    int64_t before = 0, block = type_block(&n->type, 'c');
    for (int i = 0; i < n->n_in; i++) {
        const Node *x = n->in[i];
        Type t = type_plain(&x->type);
        int64_t cuts[] = {block, type_block(&x->type, 'c')};
        Nest nest = {0}, digits = {0};
        Index in = {.n = t.rank}, out;
        in.v[0] = nest_loop_always(l, &nest, "n", t.axis[0].extent);
        in.v[1] = nest_digits(l, &digits, "c", "C", t.axis[1].extent, cuts, 2);
        int inner = digits.n > 0 && (cuts[0] > 1 || cuts[1] > 1);
        for (int j = 0; j < digits.n - inner; j++) nest.var[nest.n++] = digits.var[j];
        for (int j = 2; j < t.rank; j++) in.v[j] = nest_loop(l, &nest, spatial_name(j - 2, t.rank - 2), t.axis[j].extent);
        for (int j = digits.n - inner; j < digits.n; j++) nest.var[nest.n++] = digits.var[j];
        out = in;
        out.v[1] = affine_offset(in.v[1], before);
        lower_emit(l, nest_close(l, &nest, lower_write(l, &out, STORE_SET, lower_read(l, x, &in))));
        before += t.axis[1].extent;
    }
}
