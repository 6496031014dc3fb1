/* im2col: the windows of a convolution as columns of a matrix, so that the convolution is one with a 1×1
 * kernel; kernelrows: its weight to match. `expand` makes both.
 *
 *   y[n, c·K + tap, o] = x[n, c, o·stride + tap·dilation − pad],  K taps in the order of the kernel, or reversed
 */
#include "ir/lower.h"
#include "ir/ops/im2col.h"
#include "ir/ops/ops.h"

#include <string.h>

static int64_t taps(const Dims *kernel) {
    int64_t k = 1;
    for (int i = 0; i < kernel->n; i++) k *= kernel->v[i];
    return k;
}

bool im2col_type(Type *t, const Type *x, const Dims *kernel, const Type *out, Diag *d) {
    int64_t extent[MAX_AXES] = {x->axis[0].extent}, k = 1;
    for (int i = 0; i < kernel->n; i++)
        if (__builtin_mul_overflow(k, (int64_t)kernel->v[i], &k))
            return diag_fail(d, DIAG_SPEC, "a kernel of more than 2^40 taps");
    if (__builtin_mul_overflow(k, (int64_t)x->axis[1].extent, &extent[1])) extent[1] = INT64_MAX;
    for (int i = 2; i < x->rank; i++) extent[i] = out->axis[i].extent;
    if (type_of_rank(t, x->dtype, x->rank, extent, d)) return true;
    diag_prefix(d, "the im2col matrix");
    return false;
}

static bool im2col_window(const Node *n, Window *w, Diag *d) {
    const IM2COL_attr *a = &n->attr.IM2COL;
    Type x = shape_in(n, 0);
    return window_make(w, &x, &a->kernel, &a->stride, &a->dilation, &a->pad, d);
}

bool im2col_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    Window w;
    return shape_activation(&x, 1, d) && im2col_window(n, &w, d) &&
           window_type(n, &x, x.axis[1].extent * taps(&n->attr.IM2COL.kernel), &w, d);
}

bool kernelrows_shape(Node *n, Diag *d) {
    Type w = shape_in(n, 0);
    char letters[MAX_AXES + 1] = "";
    int64_t extent[MAX_AXES] = {w.axis[0].extent, type_elements(&w) / w.axis[0].extent};
    for (int i = 0; i < w.rank; i++) {
        letters[i] = w.axis[i].letter;
        if (i >= 2) extent[i] = 1;
    }
    return type_make(&n->type, letters, extent, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* Input position of output position o under tap k along an axis, −1 outside. */
static int64_t place(const Window *w, int axis, int64_t o, int64_t k) {
    int64_t at = o * w->stride[axis] + k * w->dilation[axis] - w->lo[axis];
    return at >= 0 && at < w->in[axis] ? at : -1;
}

/* One row of the matrix: tap k of a plane of x at all output positions. */
static void row_eval(const Window *w, const int64_t k[3], const double *x, double *y) {
    for (int64_t d = 0; d < w->out[0]; d++)
        for (int64_t h = 0; h < w->out[1]; h++) {
            int64_t pd = place(w, 0, d, k[0]), ph = place(w, 1, h, k[1]);
            for (int64_t o = 0; o < w->out[2]; o++) {
                int64_t pw = place(w, 2, o, k[2]);
                *y++ = pd < 0 || ph < 0 || pw < 0 ? 0 : x[(pd * w->in[1] + ph) * w->in[2] + pw];
            }
        }
}

static void matrix_eval(const Node *n, const Window *w, const double *x, double *y) {
    int64_t planes = (int64_t)n->in[0]->type.axis[0].extent * type_extent(&n->in[0]->type, 'c');
    int64_t in = w->in[0] * w->in[1] * w->in[2], out = w->out[0] * w->out[1] * w->out[2];
    int64_t all = w->kernel[0] * w->kernel[1] * w->kernel[2];
    for (int64_t p = 0; p < planes; p++)
        for (int64_t tap = 0; tap < all; tap++) {
            int64_t t = n->attr.IM2COL.flip ? all - 1 - tap : tap;
            int64_t k[3] = {t / w->kernel[2] / w->kernel[1], t / w->kernel[2] % w->kernel[1], t % w->kernel[2]};
            row_eval(w, k, x + p * in, y + (p * all + tap) * out);
        }
}

void im2col_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    Window w;
    im2col_window(n, &w, NULL);
    matrix_eval(n, &w, in[0]->v, out->v);
    if (!out->err) return;
    if (in[0]->err) matrix_eval(n, &w, in[0]->err, out->err);
    else memset(out->err, 0, sizeof *out->err * (size_t)type_elements(&out->type));
}

void kernelrows_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)n;
    size_t bytes = sizeof *out->v * (size_t)type_elements(&out->type);
    memcpy(out->v, in[0]->v, bytes);
    if (!out->err) return;
    if (in[0]->err) memcpy(out->err, in[0]->err, bytes);
    else memset(out->err, 0, bytes);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

void im2col_lower(Lower *l, const Node *n) {
    const IM2COL_attr *a = &n->attr.IM2COL;
    Type x = type_plain(&n->in[0]->type), y = type_plain(&n->type);
    int spatial = a->kernel.n;
    Nest nest = {0};
    Index in = {.n = x.rank}, out = {.n = x.rank};
    in.v[0] = out.v[0] = nest_loop_always(l, &nest, "n", x.axis[0].extent);
    in.v[1] = out.v[1] = nest_loop(l, &nest, "c", x.axis[1].extent);
    for (int i = 0; i < spatial; i++) {
        Affine k = nest_loop(l, &nest, window_name(i, spatial), a->kernel.v[i]);
        out.v[1] = affine_add(l->a, affine_scale(l->a, out.v[1], a->kernel.v[i]), k);
        if (a->flip) k = affine_offset(affine_scale(l->a, k, -1), a->kernel.v[i] - 1);
        in.v[2 + i] = affine_offset(affine_scale(l->a, k, a->dilation.v[i]), -a->pad.lo[i]);
    }
    for (int i = 0; i < spatial; i++) {
        out.v[2 + i] = nest_loop(l, &nest, spatial_name(i, spatial), y.axis[2 + i].extent);
        in.v[2 + i] = affine_add(l->a, in.v[2 + i], affine_scale(l->a, out.v[2 + i], a->stride.v[i]));
    }
    lower_emit(l, nest_close(l, &nest, lower_write(l, &out, STORE_SET, lower_read(l, n->in[0], &in))));
}

/* Of a weight that the network computes. */
void kernelrows_lower(Lower *l, const Node *n) {
    Type w = type_plain(&n->in[0]->type);
    Nest nest = {0};
    Index in = {.n = w.rank}, out = {.n = w.rank};
    in.v[0] = out.v[0] = nest_loop_always(l, &nest, "o", w.axis[0].extent);
    in.v[1] = out.v[1] = nest_loop(l, &nest, "c", w.axis[1].extent);
    for (int i = 2; i < w.rank; i++) {
        in.v[i] = nest_loop(l, &nest, window_name(i - 2, w.rank - 2), w.axis[i].extent);
        out.v[1] = affine_add(l->a, affine_scale(l->a, out.v[1], w.axis[i].extent), in.v[i]);
        out.v[i] = affine_const(0);
    }
    lower_emit(l, nest_close(l, &nest, lower_write(l, &out, STORE_SET, lower_read(l, n->in[0], &in))));
}
