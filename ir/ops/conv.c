/* conv: cross-correlation over 1, 2 or 3 spatial axes; dense: the same without any.
 *
 *   y[n o p] = bias[o] + Σ over c in o's group, taps k of w[o c k] · x[n c p·stride + k·dilation − pad]
 *
 * `flip` (true convolution) takes w[o c K−1−k]. What stands in the padding is pad_mode's; kernels see zeros only: `expand`
 * pads before the others, and makes im2col of the algorithm im2col.
 */
#include "ir/lower.h"
#include "ir/ops/im2col.h"
#include "ir/ops/ops.h"
#include "ir/ops/pad.h"
#include "ir/ops/sums.h"
#include "ir/ops/winograd.h"

#include <string.h>

/* ---- shapes ---------------------------------------------------------------------------------- */

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }

static bool conv_groups(const Node *n, const Type *x, Diag *d) {
    int32_t groups = n->attr.CONV.groups, channels = x->axis[1].extent;
    char text[SHAPE_TEXT];
    if (channels % groups)
        return diag_fail(d, DIAG_SPEC, "x has %d channels, which %d groups do not divide; x is %s", channels, groups,
                         shape_text(text, x));
    if (n->attr.CONV.out % groups)
        return diag_fail(d, DIAG_SPEC, "%d output channels, which %d groups do not divide; x is %s", n->attr.CONV.out,
                         groups, shape_text(text, x));
    return true;
}

/* o64 c3 h7 w7: what the attributes and x say the weight is. */
static bool conv_weight_type(const Node *n, const Type *x, Type *weight, Diag *d) {
    char letters[MAX_AXES + 1] = "oc";
    int64_t extent[MAX_AXES] = {n->attr.CONV.out, x->axis[1].extent / n->attr.CONV.groups};
    for (int i = 2; i < x->rank; i++) {
        letters[i] = x->axis[i].letter;
        extent[i] = n->attr.CONV.kernel.v[i - 2];
    }
    return type_make(weight, letters, extent, d);
}

int conv_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    if (!shape_activation(&x, 1, d) || !conv_groups(n, &x, d)) return 0;
    out[0].suffix = "weight";
    out[1].suffix = "bias";
    if (!conv_weight_type(n, &x, &out[0].type, d)) return 0;
    if (n->attr.CONV.bias && !type_make(&out[1].type, "o", (int64_t[]){n->attr.CONV.out}, d)) return 0;
    return n->attr.CONV.bias ? 2 : 1;
}

static bool conv_check_weight(const Node *n, const Type *x, Diag *d) {
    Type weight = shape_in(n, 1), wanted;
    char have[SHAPE_TEXT], of[SHAPE_TEXT], want[SHAPE_TEXT];
    int32_t groups = n->attr.CONV.groups;
    if (weight.rank == x->rank && weight.axis[1].letter == 'c' && (int64_t)weight.axis[1].extent * groups != x->axis[1].extent)
        return diag_fail(d, DIAG_SPEC, "weight has %lld input channels, x has %d (%d group%s); weight is %s, x is %s",
                         (long long)weight.axis[1].extent * groups, x->axis[1].extent, groups, plural(groups),
                         shape_text(have, &weight), shape_text(of, x));
    if (!conv_weight_type(n, x, &wanted, d)) return false;
    Type computed = weight; /* a weight that the network computes has an activation's letters */
    for (int i = 0; i < weight.rank && i < wanted.rank; i++) computed.axis[i].letter = wanted.axis[i].letter;
    if (type_equal(&weight, &wanted) || (!n->in[1]->constant && type_equal(&computed, &wanted))) return true;
    return diag_fail(d, DIAG_SPEC, "weight is %s, but %s is needed; x is %s", shape_text(have, &weight),
                     shape_text(want, &wanted), shape_text(of, x));
}

static bool conv_window(const Node *n, const Type *x, Window *w, Diag *d) {
    const CONV_attr *c = &n->attr.CONV;
    return window_make(w, x, &c->kernel, &c->stride, &c->dilation, &c->pad, d);
}

bool conv_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    Window w;
    if (!shape_activation(&x, 1, d) || !conv_groups(n, &x, d) || !conv_check_weight(n, &x, d)) return false;
    if (n->n_in == 3 && !shape_vector(n, 2, "bias", n->attr.CONV.out, &x, d)) return false;
    n->attr.CONV.bias = n->n_in == 3; /* the inputs say it; the attribute is for conv_params */
    pads_resolve(&n->attr.CONV.pad, &x, &n->attr.CONV.kernel, &n->attr.CONV.stride, &n->attr.CONV.dilation);
    if (!conv_window(n, &x, &w, d) || !window_type(n, &x, n->attr.CONV.out, &w, d)) return false;
    Type matrix;
    Dims tile;
    if (n->attr.CONV.algorithm == CONV_WINOGRAD && !wino_fits(n, &tile))
        return diag_fail(d, DIAG_SPEC,
                         "Winograd's algorithm is for 1 or 2 axes, 1, 3 or 5 taps along each, stride and dilation 1, one group, and a "
                         "weight that is known when the network is compiled");
    return pads_fit((PadMode)n->attr.CONV.pad_mode, &x, &n->attr.CONV.pad, d) &&
           (n->attr.CONV.algorithm != CONV_IM2COL || im2col_type(&matrix, &x, &n->attr.CONV.kernel, &n->type, d));
}

static bool dense_activation(const Type *x, Diag *d) {
    char text[SHAPE_TEXT];
    if (x->rank == 2 && x->axis[0].letter == 'n' && x->axis[1].letter == 'c') return true;
    return diag_fail(d, DIAG_SPEC, "x is %s, but axes n c are needed: flatten it first", shape_text(text, x));
}

int dense_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    int64_t o = n->attr.DENSE.out;
    if (!dense_activation(&x, d)) return 0;
    out[0].suffix = "weight";
    out[1].suffix = "bias";
    if (!type_make(&out[0].type, "oc", (int64_t[]){o, x.axis[1].extent}, d)) return 0;
    if (!type_make(&out[1].type, "o", &o, d)) return 0;
    return n->attr.DENSE.bias ? 2 : 1;
}

bool dense_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0), weight = shape_in(n, 1), wanted;
    char have[SHAPE_TEXT], want[SHAPE_TEXT], of[SHAPE_TEXT];
    if (!dense_activation(&x, d)) return false;
    if (!type_make(&wanted, "oc", (int64_t[]){n->attr.DENSE.out, x.axis[1].extent}, d)) return false;
    if (!type_equal(&weight, &wanted))
        return diag_fail(d, DIAG_SPEC, "weight is %s, but %s is needed; x is %s", shape_text(have, &weight),
                         shape_text(want, &wanted), shape_text(of, &x));
    if (n->n_in == 3 && !shape_vector(n, 2, "bias", n->attr.DENSE.out, &x, d)) return false;
    n->attr.DENSE.bias = n->n_in == 3;
    return shape_set(n, &x, n->attr.DENSE.out, NULL, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* The taps of one output, all input channels of its group: c, kd, kh, kw as the weight has them.
 * Input that is padded in memory makes every tap a constant offset, and a weight row w[o] runs over
 * the offsets in order, so one flat loop does all kernels. For speed a TILE of output positions is
 * gathered first, x at [tap][position], and then summed for all output channels. */
typedef struct Taps {
    Window w;
    int64_t batch, groups, in_group, out_group; /* channels of a group */
    int64_t padded[3], plane;                   /* extents and elements of one padded input channel */
    int64_t n;
    const int64_t *offset; /* [n] */
} Taps;

/* The taps of each channel the other way round. */
static void taps_reverse(int64_t *offset, int64_t channels, int64_t n) {
    for (int64_t *end = offset + channels * n; offset < end; offset += n)
        for (int64_t i = 0; i < n / 2; i++) {
            int64_t keep = offset[i];
            offset[i] = offset[n - 1 - i];
            offset[n - 1 - i] = keep;
        }
}

static Taps taps_make(Arena *a, const Node *n, const Type *x, const Pads *pad) {
    const CONV_attr *conv = &n->attr.CONV;
    Taps t = {.batch = x->axis[0].extent, .groups = conv->groups};
    window_make(&t.w, x, &conv->kernel, &conv->stride, &conv->dilation, pad, NULL);
    t.in_group = x->axis[1].extent / t.groups;
    t.out_group = n->attr.CONV.out / t.groups;
    for (int i = 0; i < 3; i++) t.padded[i] = t.w.in[i] + t.w.lo[i] + t.w.hi[i];
    t.plane = t.padded[0] * t.padded[1] * t.padded[2];
    const int64_t *k = t.w.kernel, *step = t.w.dilation;
    int64_t *offset = ARENA_ARRAY(a, int64_t, t.in_group * k[0] * k[1] * k[2]);
    for (int64_t c = 0; c < t.in_group; c++)
        for (int64_t d = 0; d < k[0]; d++)
            for (int64_t h = 0; h < k[1]; h++)
                for (int64_t w = 0; w < k[2]; w++)
                    offset[t.n++] = c * t.plane + (d * step[0] * t.padded[1] + h * step[1]) * t.padded[2] + w * step[2];
    if (conv->flip) taps_reverse(offset, t.in_group, t.n / t.in_group);
    t.offset = offset;
    return t;
}

/* `channels` planes of x into the interior of planes that are zero around it. */
static void taps_pad(const Taps *t, const double *x, int64_t channels, double *padded) {
    const Window *w = &t->w;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t d = 0; d < w->in[0]; d++)
            for (int64_t h = 0; h < w->in[1]; h++) {
                double *row = padded + c * t->plane + ((d + w->lo[0]) * t->padded[1] + h + w->lo[1]) * t->padded[2];
                memcpy(row + w->lo[2], x + ((c * w->in[0] + d) * w->in[1] + h) * w->in[2], sizeof *x * (size_t)w->in[2]);
            }
}

enum { TILE = SUM_TILE, BLOCK_BYTES = 1 << 18 }; /* a block of tiles, to stay in the second-level cache over all channels */

/* Output positions p … p+TILE−1 of a group, the last one again past the end. */
static void tile_gather(const Taps *t, const double *group, int64_t p, double *tile /* [t->n TILE] */) {
    const int64_t *out = t->w.out, *stride = t->w.stride;
    const double *at[TILE];
    for (int i = 0; i < TILE; i++, p += p + 1 < out[0] * out[1] * out[2]) {
        int64_t row = p / out[2], d = row / out[1] * stride[0], h = row % out[1] * stride[1];
        at[i] = group + (d * t->padded[1] + h) * t->padded[2] + p % out[2] * stride[2];
    }
    for (int64_t k = 0; k < t->n; k++)
        for (int i = 0; i < TILE; i++) tile[k * TILE + i] = at[i][t->offset[k]];
}

/* y[o p] += Σ w·x for the channels of a group and `count` positions from p on, gathered in `tiles`. */
static void block_sum(const Taps *t, const double *tiles, const double *w, int64_t p, int64_t count, double *y) {
    int64_t plane = t->w.out[0] * t->w.out[1] * t->w.out[2];
    for (int64_t o = 0; o < t->out_group; o += 2) {
        bool two = o + 1 < t->out_group;
        double *y0 = y + o * plane + p, *y1 = y0 + plane;
        for (int64_t at = 0; at < count; at += TILE) {
            double sum[2][TILE];
            tile_sum(t->n, tiles + at * t->n, w + o * t->n, w + (o + two) * t->n, sum);
            for (int64_t i = 0; i < TILE && at + i < count; i++) {
                y0[at + i] += sum[0][i];
                if (two) y1[at + i] += sum[1][i];
            }
        }
    }
}

/* y[n o …] += Σ w·x. */
static void taps_sum(Arena *a, const Taps *t, const double *w, const double *x, double *y) {
    int64_t channels = t->groups * t->in_group, size = t->w.in[0] * t->w.in[1] * t->w.in[2];
    int64_t plane = t->w.out[0] * t->w.out[1] * t->w.out[2];
    int64_t block = BLOCK_BYTES / (t->n * TILE * (int64_t)sizeof *x) * TILE; /* positions */
    if (block == 0) block = TILE;
    double *padded = ARENA_ARRAY(a, double, channels * t->plane), *tiles = ARENA_ARRAY(a, double, block * t->n);
    for (int64_t n = 0; n < t->batch; n++) {
        taps_pad(t, x + n * channels * size, channels, padded);
        for (int64_t g = 0; g < t->groups; g++)
            for (int64_t p = 0; p < plane; p += block) {
                int64_t count = plane - p < block ? plane - p : block;
                for (int64_t i = 0; i < count; i += TILE)
                    tile_gather(t, padded + g * t->in_group * t->plane, p + i, tiles + i * t->n);
                block_sum(t, tiles, w + g * t->out_group * t->n, p, count, y + (n * t->groups + g) * t->out_group * plane);
            }
    }
}

void conv_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    const CONV_attr *conv = &n->attr.CONV;
    const RefTensor *x = in[0];
    Pads pad = conv->pad;
    if (conv->pad_mode != PAD_ZERO) {
        x = ref_pad_spatial(a, x, (PadMode)conv->pad_mode, (double)conv->pad_value, &pad);
        pad = (Pads){.n = pad.n};
    }
    Taps t = taps_make(a, n, &x->type, &pad);
    int64_t channels = n->attr.CONV.out, plane = t.w.out[0] * t.w.out[1] * t.w.out[2];
    fill_channels(out->v, t.batch, channels, plane, in[2] ? in[2]->v : NULL);
    taps_sum(a, &t, in[1]->v, x->v, out->v);
    if (!out->err) return;
    if (conv->algorithm == CONV_WINOGRAD) {
        wino_bound(a, n, &pad, (const RefTensor *[]){x, in[1], in[2]}, out->err);
        return;
    }
    SumBound b = sum_bound(a, t.n, x, in[1], in[2], channels);
    fill_channels(out->err, t.batch, channels, plane, b.start);
    taps_sum(a, &t, b.w, b.x, out->err);
    if (b.x_of_err_w) taps_sum(a, &t, in[1]->err, b.x_of_err_w, out->err);
}

static double dot(const double *x, const double *y, int64_t n) {
    double s[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) s[k] += x[i + k] * y[i + k];
    for (; i < n; i++) s[0] += x[i] * y[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* y[n o] += Σ w[o c]·x[n c] */
static void dense_sum(const Node *n, const double *w, const double *x, double *y) {
    int64_t batch = type_extent(&n->type, 'n'), o_n = n->attr.DENSE.out, c_n = type_extent(&n->in[1]->type, 'c');
    for (int64_t i = 0; i < batch; i++)
        for (int64_t o = 0; o < o_n; o++) y[i * o_n + o] += dot(w + o * c_n, x + i * c_n, c_n);
}

void dense_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    int64_t o_n = n->attr.DENSE.out, batch = type_elements(&out->type) / o_n;
    fill_channels(out->v, batch, o_n, 1, in[2] ? in[2]->v : NULL);
    dense_sum(n, in[1]->v, in[0]->v, out->v);
    if (!out->err) return;
    SumBound b = sum_bound(a, type_extent(&n->in[1]->type, 'c'), in[0], in[1], in[2], o_n);
    fill_channels(out->err, batch, o_n, 1, b.start);
    dense_sum(n, b.w, b.x, out->err);
    if (b.x_of_err_w) dense_sum(n, in[1]->err, b.x_of_err_w, out->err);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* y[n, g·Og + o, p] = Σ x[n, g·Cg + c, p·stride + k·dilation − pad] · w[g·Og + o, c, k], then the tail.
 * Dense is the same without positions. */
typedef struct ConvLower {
    const Node *x, *weight, *bias;
    int spatial;
    int64_t groups, out_group, in_group;
    Dims kernel, stride, dilation;
    Pads pad;
    bool flip;
} ConvLower;

static void conv_nest(Lower *l, const ConvLower *c) {
    int64_t cuts[MAX_CUTS], group_cuts[MAX_CUTS], blocks[MAX_CUTS];
    int n_blocks = lower_out_blocks(l, blocks), n_group = 0;
    int64_t x_block = type_block(&c->x->type, 'c');
    blocks[n_blocks++] = type_block(&c->weight->type, 'o');
    for (int i = 0; i < n_blocks; i++) group_cuts[n_group++] = blocks[i] / c->out_group; /* 0 and 1 are no cuts */
    group_cuts[n_group++] = x_block / c->in_group;
    cuts[0] = x_block;
    cuts[1] = type_block(&c->weight->type, 'c');

    Nest outer = {0}, inner = {0};
    Index y = {.n = 2 + c->spatial}, x = {.n = 2 + c->spatial}, w = {.n = 2 + c->spatial};
    Nest o_digits = {0}, g_digits = {0};
    x.v[0] = y.v[0] = nest_loop_always(l, &outer, "n", c->x->type.axis[0].extent);
    Affine g = nest_digits(l, &g_digits, "g", "G", c->groups, group_cuts, n_group);
    Affine o = nest_digits(l, &o_digits, "o", "O", c->out_group, blocks, n_blocks);
    y.v[1] = affine_add(l->a, affine_scale(l->a, g, c->out_group), o);
    w.v[0] = y.v[1];
    /* the digits that lie within a block go innermost: they are contiguous in memory */
    bool g_inner = c->out_group == 1 && g_digits.n > 0;
    int keep_g = g_digits.n - g_inner, keep_o = o_digits.n > 0 ? o_digits.n - 1 : 0;
    for (int i = 0; i < keep_g; i++) outer.var[outer.n++] = g_digits.var[i];
    for (int i = 0; i < keep_o; i++) outer.var[outer.n++] = o_digits.var[i];
    Affine at[MAX_SPATIAL];
    for (int i = 0; i < c->spatial; i++) {
        int64_t extent = group_result(l->group)->type.rank ? type_extent(&group_result(l->group)->type, *spatial_name(i, c->spatial)) : 1;
        y.v[2 + i] = nest_loop(l, &outer, spatial_name(i, c->spatial), extent);
        at[i] = affine_offset(affine_scale(l->a, y.v[2 + i], c->stride.v[i]), -c->pad.lo[i]);
    }
    for (int i = keep_g; i < g_digits.n; i++) outer.var[outer.n++] = g_digits.var[i];
    for (int i = keep_o; i < o_digits.n; i++) outer.var[outer.n++] = o_digits.var[i];

    Nest c_digits = {0};
    w.v[1] = nest_digits(l, &c_digits, "c", "C", c->in_group, cuts, 2);
    x.v[1] = affine_add(l->a, affine_scale(l->a, g, c->in_group), w.v[1]);
    int keep_c = c_digits.n > 1 ? c_digits.n - 1 : 0;
    for (int i = 0; i < c->spatial; i++) {
        for (int j = 0; j < keep_c && i == c->spatial - 1; j++) inner.var[inner.n++] = c_digits.var[j];
        w.v[2 + i] = nest_loop(l, &inner, window_name(i, c->spatial), c->kernel.v[i]);
        x.v[2 + i] = affine_add(l->a, at[i], affine_scale(l->a, w.v[2 + i], c->dilation.v[i]));
        if (c->flip) w.v[2 + i] = affine_offset(affine_scale(l->a, w.v[2 + i], -1), c->kernel.v[i] - 1);
    }
    for (int i = c->spatial ? keep_c : 0; i < c_digits.n; i++) inner.var[inner.n++] = c_digits.var[i];

    Index b = {1, {y.v[1]}};
    const Expr *init = c->bias ? lower_read(l, c->bias, &b) : expr_const(l->a, 0);
    const Expr *product = expr_call(l->a, FN_MUL, lower_read(l, c->x, &x), lower_read(l, c->weight, &w), NULL, NULL);
    Stmt *body = lower_write(l, &y, STORE_SET, init);
    body = stmt_append(body, nest_close(l, &inner, lower_write(l, &y, STORE_ADD, product)));
    if (lower_has_tail(l)) body = stmt_append(body, lower_finish(l, &y, lower_read_out(l, &y)));
    lower_emit(l, nest_close(l, &outer, body));
}

void conv_lower(Lower *l, const Node *n) {
    const CONV_attr *a = &n->attr.CONV;
    ConvLower c = {.x = n->in[0], .weight = n->in[1], .bias = n->n_in > 2 ? n->in[2] : NULL, .spatial = a->kernel.n,
                   .groups = a->groups, .out_group = a->out / a->groups, .in_group = type_extent(&n->in[0]->type, 'c') / a->groups,
                   .kernel = a->kernel, .stride = a->stride, .dilation = a->dilation, .pad = a->pad,
                   .flip = a->flip};
    conv_nest(l, &c);
}

void dense_lower(Lower *l, const Node *n) {
    ConvLower c = {.x = n->in[0], .weight = n->in[1], .bias = n->n_in > 2 ? n->in[2] : NULL,
                   .groups = 1, .out_group = n->attr.DENSE.out, .in_group = type_extent(&n->in[0]->type, 'c')};
    conv_nest(l, &c);
}
