/* convtranspose: the gradient of a convolution by its input, over 1, 2 or 3 spatial axes.
 *
 *   y[n o i·stride + k·dilation − pad] += w[c o k] · x[n c i]        for c in o's group, and bias[o] everywhere
 *
 * along each axis o = (l − 1)·stride − pad before − pad after + dilation·(k − 1) + 1 + output_pad. `flip` takes w[c o K−1−k].
 * The weight is [in out/groups k…] with letters c o …, as PyTorch has it; or, as passes leave it, [out in/groups k…] with
 * letters o c …, as a convolution has it (turnweight). Kernels read x like convolutions: phase.h.
 */
#include "ir/ops/convtranspose.h"

#include "ir/lower.h"
#include "ir/ops/ops.h"
#include "ir/ops/phase.h"
#include "ir/ops/sums.h"

#include <stdlib.h>
#include <string.h>

/* ---- shapes ---------------------------------------------------------------------------------- */

static bool groups_divide(const Node *n, const Type *x, Diag *d) {
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    char text[SHAPE_TEXT];
    if (x->axis[1].extent % c->groups)
        return diag_fail(d, DIAG_SPEC, "x has %d channels, which %d groups do not divide; x is %s", x->axis[1].extent,
                         c->groups, shape_text(text, x));
    if (c->out % c->groups)
        return diag_fail(d, DIAG_SPEC, "%d output channels, which %d groups do not divide; x is %s", c->out, c->groups,
                         shape_text(text, x));
    return true;
}

/* The weight as the user has it, or as passes leave it. */
static bool weight_type(const Node *n, const Type *x, bool turned, Type *weight, Diag *d) {
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    char letters[MAX_AXES + 1] = "co";
    int64_t extent[MAX_AXES] = {x->axis[1].extent, c->out / c->groups};
    if (turned) {
        memcpy(letters, "oc", 2);
        extent[0] = c->out;
        extent[1] = x->axis[1].extent / c->groups;
    }
    for (int i = 2; i < x->rank; i++) {
        letters[i] = x->axis[i].letter;
        extent[i] = c->kernel.v[i - 2];
    }
    return type_make(weight, letters, extent, d);
}

int convtranspose_params(const Node *n, ParamSpec out[4], Diag *d) {
    Type x = shape_in(n, 0);
    int64_t o = n->attr.CONVTRANSPOSE.out;
    if (!shape_activation(&x, 1, d) || !groups_divide(n, &x, d)) return 0;
    out[0].suffix = "weight";
    out[1].suffix = "bias";
    if (!weight_type(n, &x, false, &out[0].type, d)) return 0;
    if (n->attr.CONVTRANSPOSE.bias && !type_make(&out[1].type, "o", &o, d)) return 0;
    return n->attr.CONVTRANSPOSE.bias ? 2 : 1;
}

static bool check_weight(const Node *n, const Type *x, Diag *d) {
    Type weight = shape_in(n, 1), wanted, turned;
    char have[SHAPE_TEXT], of[SHAPE_TEXT], want[SHAPE_TEXT];
    if (!weight_type(n, x, false, &wanted, d) || !weight_type(n, x, true, &turned, d)) return false;
    if (type_equal(&weight, &wanted) || type_equal(&weight, &turned)) return true;
    return diag_fail(d, DIAG_SPEC, "weight is %s, but %s is needed (%d group%s); x is %s", shape_text(have, &weight),
                     shape_text(want, &wanted), n->attr.CONVTRANSPOSE.groups,
                     n->attr.CONVTRANSPOSE.groups == 1 ? "" : "s", shape_text(of, x));
}

static int64_t span_of(const CONVTRANSPOSE_attr *c, int i) {
    return (int64_t)c->dilation.v[i] * (c->kernel.v[i] - 1) + 1;
}

/* "same": o = l·stride, as TensorFlow has it; where the kernel is shorter than the stride, all that is missing comes
 * behind. "full": k − 1 a side. */
static void resolve(CONVTRANSPOSE_attr *c) {
    for (int i = 0; i < c->pad.n && c->pad.rule != PADS_GIVEN; i++) {
        int64_t total = span_of(c, i) - c->stride.v[i] + c->output_pad.v[i];
        if (c->pad.rule == PADS_FULL) total = 2 * (span_of(c, i) - 1);
        if (total > INT32_MAX) total = INT32_MAX; /* axis_extent refuses it */
        int64_t lo = total < 0 ? 0 : c->pad.rule == PADS_SAME_LOWER ? total - total / 2 : total / 2;
        c->pad.lo[i] = (int32_t)lo;
        c->pad.hi[i] = (int32_t)(total - lo);
    }
    c->pad.rule = PADS_GIVEN;
}

static bool axis_extent(const CONVTRANSPOSE_attr *c, const Type *x, int i, int64_t *o, Diag *d) {
    char text[SHAPE_TEXT], letter = x->axis[2 + i].letter;
    int64_t l = x->axis[2 + i].extent, s = c->stride.v[i], all = (l - 1) * s + span_of(c, i);
    if (c->output_pad.v[i] && c->output_pad.v[i] >= s && c->output_pad.v[i] >= c->dilation.v[i])
        return diag_fail(d, DIAG_SPEC,
                         "along %c output_pad %d is not less than the stride %lld or the dilation %d; x is %s", letter,
                         c->output_pad.v[i], (long long)s, c->dilation.v[i], shape_text(text, x));
    *o = all - c->pad.lo[i] - c->pad.hi[i] + c->output_pad.v[i];
    if (*o >= 1) return true;
    return diag_fail(
        d, DIAG_SPEC,
        "along %c nothing is left: (%lld - 1) * %lld + %lld of the kernel + %d of output_pad - %d - %d is %lld; "
        "x is %s",
        letter, (long long)l, (long long)s, (long long)span_of(c, i), c->output_pad.v[i], c->pad.lo[i], c->pad.hi[i],
        (long long)*o, shape_text(text, x));
}

static void axis_phases(const CONVTRANSPOSE_attr *c, int64_t o, int i, Phases *out) {
    phases_make(out, o, c->kernel.v[i], c->stride.v[i], c->dilation.v[i], c->pad.lo[i]);
}

/* Whether that many nests and so wide a frame around x are no trouble. */
static bool check_phases(const CONVTRANSPOSE_attr *c, const Type *x, const int64_t *spatial, Diag *d) {
    int64_t nests = 1, elements = (int64_t)x->axis[0].extent * x->axis[1].extent;
    Phases p;
    for (int i = 0; i < c->kernel.n; i++) {
        axis_phases(c, spatial[i], i, &p);
        nests *= phases_pieces(&p);
        if (nests > MAX_PHASES)
            return diag_fail(d, DIAG_UNSUPPORTED,
                             "along %c a stride of %d with a dilation of %d would take more than %d loop nests in all",
                             x->axis[2 + i].letter, c->stride.v[i], c->dilation.v[i], MAX_PHASES);
        int64_t first, last, l = x->axis[2 + i].extent;
        phases_reach(&p, &first, &last);
        l += (first < 0 ? -first : 0) + (last >= l ? last - l + 1 : 0);
        if (__builtin_mul_overflow(elements, l, &elements) || elements >> 40)
            return diag_fail(d, DIAG_SPEC, "the padded input would have more than 2^40 elements");
    }
    return true;
}

bool convtranspose_shape(Node *n, Diag *d) {
    CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    Type x = shape_in(n, 0);
    int64_t spatial[MAX_SPATIAL];
    if (!shape_activation(&x, 1, d) || !groups_divide(n, &x, d) || !check_weight(n, &x, d)) return false;
    if (n->n_in == 3 && !shape_vector(n, 2, "bias", c->out, &x, d)) return false;
    c->bias = n->n_in == 3;
    resolve(c);
    for (int i = 0; i < c->kernel.n; i++)
        if (!axis_extent(c, &x, i, &spatial[i], d)) return false;
    return shape_set(n, &x, c->out, spatial, d) && check_phases(c, &x, spatial, d);
}

void convtranspose_reach(const Node *n, int32_t lo[MAX_SPATIAL], int32_t hi[MAX_SPATIAL]) {
    Axis x[MAX_SPATIAL], y[MAX_SPATIAL];
    Phases p;
    int64_t first, last;
    type_spatial(&n->in[0]->type, x);
    type_spatial(&n->type, y);
    for (int i = 0; i < n->attr.CONVTRANSPOSE.kernel.n; i++) {
        axis_phases(&n->attr.CONVTRANSPOSE, y[i].extent, i, &p);
        phases_reach(&p, &first, &last);
        lo[i] = first < 0 ? (int32_t)-first : 0;
        hi[i] = last >= x[i].extent ? (int32_t)(last - x[i].extent + 1) : 0;
    }
}

int64_t convtranspose_terms(const Node *n) {
    Axis y[MAX_SPATIAL];
    Phases p;
    int64_t all = 1;
    type_spatial(&n->type, y);
    for (int i = 0; i < n->attr.CONVTRANSPOSE.kernel.n; i++) {
        int64_t axis = 0;
        axis_phases(&n->attr.CONVTRANSPOSE, y[i].extent, i, &p);
        for (int k = 0; k < p.n; k++) axis += p.v[k].n_q * p.v[k].n_j * p.v[k].taps;
        all *= axis;
    }
    return all;
}

bool turnweight_shape(Node *n, Diag *d) {
    Type w = shape_in(n, 0);
    int32_t groups = n->attr.TURNWEIGHT.groups;
    char letters[MAX_AXES + 1] = "oc";
    int64_t extent[MAX_AXES] = {(int64_t)w.axis[1].extent * groups, w.axis[0].extent / groups};
    for (int i = 2; i < w.rank; i++) {
        letters[i] = w.axis[i].letter;
        extent[i] = w.axis[i].extent;
    }
    return type_make(&n->type, letters, extent, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* Rows of the weight, [o k][c] for one group: what one element of x is multiplied by, for all channels. */
typedef struct Scatter {
    const CONVTRANSPOSE_attr *c;
    int64_t batch, in_group, out_group, taps;
    int64_t in[3], out[3], stride[3], dilation[3], pad[3], kernel[3]; /* d h w, 1 where x has none */
} Scatter;

static Scatter scatter_make(const Node *n) {
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    Type x = shape_in(n, 0), y = type_plain(&n->type);
    Scatter s = {.c = c,
                 .batch = x.axis[0].extent,
                 .in_group = x.axis[1].extent / c->groups,
                 .out_group = c->out / c->groups,
                 .taps = 1,
                 .in = {1, 1, 1},
                 .out = {1, 1, 1},
                 .stride = {1, 1, 1},
                 .dilation = {1, 1, 1},
                 .kernel = {1, 1, 1}};
    for (int i = 0; i < c->kernel.n; i++) {
        int at = 3 - c->kernel.n + i;
        s.in[at] = x.axis[2 + i].extent;
        s.out[at] = y.axis[2 + i].extent;
        s.stride[at] = c->stride.v[i];
        s.dilation[at] = c->dilation.v[i];
        s.pad[at] = c->pad.lo[i];
        s.taps *= s.kernel[at] = c->kernel.v[i];
    }
    return s;
}

/* [o k][c] of group g. */
static void weight_rows(const Scatter *s, const Type *w, const double *v, int64_t g, double *rows) {
    bool turned = w->axis[0].letter == 'o';
    for (int64_t o = 0; o < s->out_group; o++)
        for (int64_t k = 0; k < s->taps; k++)
            for (int64_t c = 0; c < s->in_group; c++) {
                int64_t tap = s->c->flip ? s->taps - 1 - k : k;
                int64_t row =
                    turned ? (g * s->out_group + o) * s->in_group + c : (g * s->in_group + c) * s->out_group + o;
                rows[(o * s->taps + k) * s->in_group + c] = v[row * s->taps + tap];
            }
}

/* Where position p of x under tap k goes; −1: cut off. */
static int64_t lands(const Scatter *s, int64_t p, int64_t k) {
    int64_t at = 0, in = s->in[0] * s->in[1] * s->in[2], taps = s->taps;
    for (int i = 0; i < 3; i++) {
        int64_t o = p / (in /= s->in[i]) * s->stride[i] + k / (taps /= s->kernel[i]) * s->dilation[i] - s->pad[i];
        p %= in;
        k %= taps;
        if (o < 0 || o >= s->out[i]) return -1;
        at = at * s->out[i] + o;
    }
    return at;
}

enum { TILE = SUM_TILE };

/* A tile of positions of x times all rows, added where it lands. */
static void scatter_tile(const Scatter *s, const double *tile, const double *rows, int64_t p, int64_t count,
                         double *y) {
    int64_t n = s->out_group * s->taps, plane = s->out[0] * s->out[1] * s->out[2];
    double sum[2][TILE];
    for (int64_t k = 0; k < s->taps; k++) {
        int64_t to[TILE];
        for (int64_t i = 0; i < count; i++) to[i] = lands(s, p + i, k);
        for (int64_t r = k; r < n; r += 2 * s->taps) {
            int64_t other = r + s->taps < n ? r + s->taps : r; /* the next output channel */
            tile_sum(s->in_group, tile, rows + r * s->in_group, rows + other * s->in_group, sum);
            for (int64_t i = 0; i < count; i++) {
                if (to[i] < 0) continue;
                y[r / s->taps * plane + to[i]] += sum[0][i];
                if (other != r) y[other / s->taps * plane + to[i]] += sum[1][i];
            }
        }
    }
}

/* y[n o …] += Σ w·x. */
static void scatter_sum(Arena *a, const Scatter *s, const Type *w_type, const double *w, const double *x, double *y) {
    int64_t in = s->in[0] * s->in[1] * s->in[2], out = s->out[0] * s->out[1] * s->out[2];
    double *rows = ARENA_ARRAY(a, double, s->out_group * s->taps * s->in_group),
           *tile = ARENA_ARRAY(a, double, s->in_group *TILE);
    for (int64_t g = 0; g < s->c->groups; g++) {
        weight_rows(s, w_type, w, g, rows);
        for (int64_t n = 0; n < s->batch; n++) {
            const double *from = x + (n * s->c->groups + g) * s->in_group * in;
            for (int64_t p = 0; p < in; p += TILE) {
                int64_t count = in - p < TILE ? in - p : TILE;
                for (int64_t c = 0; c < s->in_group; c++)
                    for (int64_t i = 0; i < TILE; i++) tile[c * TILE + i] = i < count ? from[c * in + p + i] : 0;
                scatter_tile(s, tile, rows, p, count, y + (n * s->c->groups + g) * s->out_group * out);
            }
        }
    }
}

void convtranspose_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Scatter s = scatter_make(n);
    int64_t channels = s.c->out, plane = s.out[0] * s.out[1] * s.out[2], terms = s.in_group;
    fill_channels(out->v, s.batch, channels, plane, in[2] ? in[2]->v : NULL);
    scatter_sum(a, &s, &in[1]->type, in[1]->v, in[0]->v, out->v);
    if (!out->err) return;
    Phases p;
    for (int i = 0; i < s.c->kernel.n; i++) { /* no result has more terms than its phase has taps */
        int64_t most = 0;
        axis_phases(s.c, s.out[3 - s.c->kernel.n + i], i, &p);
        for (int k = 0; k < p.n; k++) most = p.v[k].taps > most ? p.v[k].taps : most;
        terms *= most;
    }
    SumBound b = sum_bound(a, terms, in[0], in[1], in[2], channels);
    fill_channels(out->err, s.batch, channels, plane, b.start);
    scatter_sum(a, &s, &in[1]->type, b.w, b.x, out->err);
    if (b.x_of_err_w) scatter_sum(a, &s, &in[1]->type, in[1]->err, b.x_of_err_w, out->err);
}

static void turn(const Node *n, const double *w, double *out) {
    Type t = shape_in(n, 0);
    int64_t groups = n->attr.TURNWEIGHT.groups, in = t.axis[0].extent / groups, o_n = t.axis[1].extent;
    int64_t taps = type_elements(&t) / (t.axis[0].extent * o_n);
    for (int64_t g = 0; g < groups; g++)
        for (int64_t o = 0; o < o_n; o++)
            for (int64_t c = 0; c < in; c++, out += taps)
                memcpy(out, w + ((g * in + c) * o_n + o) * taps, sizeof *w * (size_t)taps);
}

void turnweight_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    turn(n, in[0]->v, out->v);
    if (!out->err) return;
    if (in[0]->err) turn(n, in[0]->err, out->err);
    else memset(out->err, 0, sizeof *out->err * (size_t)type_elements(&out->type));
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* Which loops of each name some nest has: then all have them, so that a step of a schedule that is legal for one nest
 * is for all. */
typedef struct TransposeLower {
    const Node *n;
    int spatial;
    int64_t in_group, out_group;
    bool has_residue[MAX_SPATIAL], has_position[MAX_SPATIAL], has_window[MAX_SPATIAL];
} TransposeLower;

static const char *residue_name(int i, int n) { return (const char *[]){"rd", "rh", "rw"}[MAX_SPATIAL - n + i]; }

static Affine loop(Lower *l, Nest *nest, bool has, const char *name, int64_t extent) {
    return has ? nest_loop_always(l, nest, name, extent) : affine_const(0);
}

/* Loops over groups and output channels; those within a block go innermost, after the positions. */
typedef struct Channels {
    Nest outer, inner;
    Affine group, channel;
} Channels;

static Channels channel_loops(Lower *l, const TransposeLower *t) {
    int64_t group_cuts[MAX_CUTS], blocks[MAX_CUTS];
    int n_blocks = lower_out_blocks(l, blocks), n_group = 0;
    Nest o = {0}, g = {0};
    Channels c = {0};
    if (n_blocks < MAX_CUTS) blocks[n_blocks++] = type_block(&t->n->in[1]->type, 'o');
    for (int i = 0; i < n_blocks && n_group < MAX_CUTS; i++)
        group_cuts[n_group++] = blocks[i] / t->out_group; /* 0 and 1 are no cuts */
    if (n_group < MAX_CUTS) group_cuts[n_group++] = type_block(&t->n->in[0]->type, 'c') / t->in_group;
    c.group = nest_digits(l, &g, "g", "G", t->n->attr.CONVTRANSPOSE.groups, group_cuts, n_group);
    Affine at = nest_digits(l, &o, "o", "O", t->out_group, blocks, n_blocks);
    c.channel = affine_add(l->a, affine_scale(l->a, c.group, t->out_group), at);
    bool g_inner = t->out_group == 1 && g.n > 0;
    for (int i = 0; i < g.n; i++) {
        Nest *to = i < g.n - g_inner ? &c.outer : &c.inner;
        to->var[to->n++] = g.var[i];
    }
    for (int i = 0; i < o.n; i++) {
        Nest *to = i < o.n - 1 ? &c.outer : &c.inner;
        to->var[to->n++] = o.var[i];
    }
    return c;
}

static void nest_append(Nest *nest, const Nest *more) {
    for (int i = 0; i < more->n; i++) nest->var[nest->n++] = more->var[i];
}

/* y += Σ x·w over the taps of this phase, and the input channels of the group. */
static Stmt *phase_sum(Lower *l, const TransposeLower *t, const Phase *const *phase, const Channels *ch, const Index *y,
                       const Affine *q, const Affine *j) {
    const Node *x_node = t->n->in[0], *w_node = t->n->in[1];
    int64_t cuts[2] = {type_block(&x_node->type, 'c'), type_block(&w_node->type, 'c')};
    Nest inner = {0}, digits = {0};
    Index x = {.n = 2 + t->spatial}, w = {.n = 2 + t->spatial};
    x.v[0] = y->v[0];
    w.v[0] = y->v[1];
    w.v[1] = nest_digits(l, &digits, "c", "C", t->in_group, cuts, 2);
    x.v[1] = affine_add(l->a, affine_scale(l->a, ch->group, t->in_group), w.v[1]);
    int keep = digits.n > 1 ? digits.n - 1 : 0;
    for (int i = 0; i < keep; i++) inner.var[inner.n++] = digits.var[i];
    for (int i = 0; i < t->spatial; i++) {
        const Phase *p = phase[i];
        Affine m = loop(l, &inner, t->has_window[i], window_name(i, t->spatial), p->taps);
        Affine k = affine_offset(affine_add(l->a, j[i], affine_scale(l->a, m, p->k_step)), p->k0);
        if (t->n->attr.CONVTRANSPOSE.flip)
            k = affine_offset(affine_scale(l->a, k, -1), t->n->attr.CONVTRANSPOSE.kernel.v[i] - 1);
        w.v[2 + i] = k;
        Affine at = affine_add(l->a, q[i], affine_scale(l->a, j[i], p->turn));
        x.v[2 + i] = affine_offset(affine_add(l->a, at, affine_scale(l->a, m, -p->i_step)), p->a);
    }
    for (int i = keep; i < digits.n; i++) inner.var[inner.n++] = digits.var[i];
    const Expr *product = expr_call(l->a, FN_MUL, lower_read(l, x_node, &x), lower_read(l, w_node, &w), NULL, NULL);
    return nest_close(l, &inner, lower_write(l, y, STORE_ADD, product));
}

static void phase_nest(Lower *l, const TransposeLower *t, const Phase *const *phase) {
    const Node *bias = t->n->n_in > 2 ? t->n->in[2] : NULL;
    Nest outer = {0};
    Index y = {.n = 2 + t->spatial};
    Affine q[MAX_SPATIAL], j[MAX_SPATIAL];
    bool sums = true;
    y.v[0] = nest_loop_always(l, &outer, "n", t->n->type.axis[0].extent);
    Channels ch = channel_loops(l, t);
    y.v[1] = ch.channel;
    nest_append(&outer, &ch.outer);
    for (int i = 0; i < t->spatial; i++) {
        j[i] = loop(l, &outer, t->has_residue[i], residue_name(i, t->spatial), phase[i]->n_j);
        int64_t stride = t->n->attr.CONVTRANSPOSE.stride.v[i];
        q[i] = loop(l, &outer, t->has_position[i], spatial_name(i, t->spatial), phase[i]->n_q);
        Affine r = affine_offset(affine_scale(l->a, j[i], phase[i]->step), phase[i]->r);
        y.v[2 + i] = affine_add(l->a, affine_scale(l->a, q[i], stride), r);
        sums &= phase[i]->taps > 0;
    }
    nest_append(&outer, &ch.inner);
    Index b = {1, {y.v[1]}};
    const Expr *init = bias ? lower_read(l, bias, &b) : expr_const(l->a, 0);
    Stmt *body = sums ? lower_write(l, &y, STORE_SET, init) : lower_finish(l, &y, init);
    if (sums) body = stmt_append(body, phase_sum(l, t, phase, &ch, &y, q, j));
    if (sums && lower_has_tail(l)) body = stmt_append(body, lower_finish(l, &y, lower_read_out(l, &y)));
    lower_emit(l, nest_close(l, &outer, body));
}

/* One nest: a phase along each axis. */
typedef struct Combination {
    const Phase *phase[MAX_SPATIAL];
    int64_t work;
    int number;
} Combination;

static int by_work(const void *x, const void *y) {
    const Combination *p = x, *q = y;
    return p->work != q->work ? (p->work < q->work ? 1 : -1) : p->number - q->number;
}

static Combination combine(const Phases *phases, int spatial, int number) {
    Combination c = {.work = 1, .number = number};
    for (int i = spatial - 1; i >= 0; i--) {
        const Phase *p = &phases[i].v[number % phases[i].n];
        number /= phases[i].n;
        c.phase[i] = p;
        if (__builtin_mul_overflow(c.work, p->n_q * p->n_j * p->taps, &c.work)) c.work = INT64_MAX;
    }
    return c;
}

/* The nests with most work first: the schedule is chosen for the first. */
void convtranspose_lower(Lower *l, const Node *n) {
    const CONVTRANSPOSE_attr *c = &n->attr.CONVTRANSPOSE;
    Axis y[MAX_SPATIAL];
    TransposeLower t = {.n = n, .spatial = type_spatial(&n->type, y), .out_group = c->out / c->groups};
    t.in_group = type_extent(&n->in[0]->type, 'c') / c->groups;
    Phases *phases = ARENA_ARRAY(l->a, Phases, t.spatial);
    int count = 1;
    for (int i = 0; i < t.spatial; i++) {
        axis_phases(c, y[i].extent, i, &phases[i]);
        count *= phases[i].n;
        for (int k = 0; k < phases[i].n; k++) {
            t.has_residue[i] |= phases[i].v[k].n_j > 1;
            t.has_position[i] |= phases[i].v[k].n_q > 1;
            t.has_window[i] |= phases[i].v[k].taps > 1;
        }
    }
    Combination *all = ARENA_ARRAY(l->a, Combination, count);
    for (int i = 0; i < count; i++) all[i] = combine(phases, t.spatial, i);
    qsort(all, (size_t)count, sizeof *all, by_work);
    for (int i = 0; i < count; i++) phase_nest(l, &t, all[i].phase);
}

/* Of a weight that the network computes. */
void turnweight_lower(Lower *l, const Node *n) {
    Type w = type_plain(&n->in[0]->type);
    int64_t groups = n->attr.TURNWEIGHT.groups, in = w.axis[0].extent / groups, out = w.axis[1].extent;
    Nest nest = {0};
    Index from = {.n = w.rank}, to = {.n = w.rank};
    Affine g = nest_loop_always(l, &nest, "g", groups), o = nest_loop(l, &nest, "o", out);
    Affine c = nest_loop(l, &nest, "c", in);
    from.v[0] = affine_add(l->a, affine_scale(l->a, g, in), c);
    from.v[1] = o;
    to.v[0] = affine_add(l->a, affine_scale(l->a, g, out), o);
    to.v[1] = c;
    for (int i = 2; i < w.rank; i++)
        from.v[i] = to.v[i] = nest_loop(l, &nest, window_name(i - 2, w.rank - 2), w.axis[i].extent);
    lower_emit(l, nest_close(l, &nest, lower_write(l, &to, STORE_SET, lower_read(l, n->in[0], &from))));
}
