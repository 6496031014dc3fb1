#include "ir/ops/winograd.h"

#include "ir/ops/ops.h"
#include "ir/ops/sums.h"

#include <math.h>
#include <string.h>

/* ---- matrices ------------------------------------------------------------------------------------------ */

/* Coefficients of Π (x − p[i]) over the points but for `without` (−1: all), lowest power first. Returns the degree. */
static int product_of_roots(const double *p, int n, int without, double c[WINO_MOST + 1]) {
    int degree = 0;
    memset(c, 0, sizeof *c * (WINO_MOST + 1));
    c[0] = 1;
    for (int i = 0; i < n; i++) {
        if (i == without) continue;
        for (int k = ++degree; k > 0; k--) c[k] = c[k - 1] - p[i] * c[k];
        c[0] *= -p[i];
    }
    return degree;
}

bool wino_axis(WinoAxis *w, int m, int r) {
    static const double three[] = {0, 1, -1}, five[] = {0, 0.75, -0.75, 1.5, -1.5};
    int t = m + r - 1, n = t - 1;
    const double *p = t == 4 ? three : five;
    *w = (WinoAxis){.m = m, .r = r, .t = t};
    if (m < 1 || r < 1 || (t != 1 && t != 4 && t != 6)) return false;
    if (t == 1) {
        w->bt[0][0] = w->g[0][0] = w->at[0][0] = 1;
        return true;
    }
    for (int j = 0; j < n; j++) {
        double c[WINO_MOST + 1], scale = 1;
        int degree = product_of_roots(p, n, j, c);
        for (int k = 0; k <= degree; k++) w->bt[j][k] = c[k];
        for (int l = 0; l < n; l++)
            if (l != j) scale *= p[j] - p[l];
        for (int k = 0; k < r; k++) w->g[j][k] = (k ? pow(p[j], k) : 1) / scale;
        for (int i = 0; i < m; i++) w->at[i][j] = i ? pow(p[j], i) : 1;
    }
    double c[WINO_MOST + 1]; /* infinity */
    int degree = product_of_roots(p, n, -1, c);
    for (int k = 0; k <= degree; k++) w->bt[n][k] = c[k];
    w->g[n][r - 1] = 1;
    w->at[m - 1][n] = 1;
    return true;
}

/* Cycles of a core with two units of 8 lanes, which get 8 bytes of weights from memory in each. */
enum { MACS = 16, WEIGHT_BYTES = 8, TRANSFORM = 100 }; /* of a tile of 6×6 and 8 channels, measured on Zen 3 */

static double layer_cost(double macs, double weights) { return macs / MACS * 1.05 + 4 * weights / WEIGHT_BYTES; }

static double conv_size(const Node *n, double *positions) {
    *positions = 1; /* of one image: so that any batch is computed alike */
    for (int i = 2; i < n->type.rank; i++) *positions *= n->type.axis[i].extent;
    return (double)n->attr.CONV.out * n->in[0]->type.axis[1].extent;
}

static double tile_cost(const Node *n, const Dims *tile) {
    double positions, channels = conv_size(n, &positions), places = 1, tiles = 1;
    for (int i = 0; i < tile->n; i++) {
        places *= tile->v[i] + n->attr.CONV.kernel.v[i] - 1;
        tiles *= (n->type.axis[2 + i].extent + tile->v[i] - 1) / tile->v[i];
    }
    double planes = (double)(n->attr.CONV.out + n->in[0]->type.axis[1].extent) / 8;
    return layer_cost(tiles * places * channels, places * channels) +
           tiles * planes * TRANSFORM * places / (WINO_MOST * WINO_MOST);
}

static bool axes_fit(const Node *n, const Dims *tile) {
    WinoAxis w;
    bool any = false;
    for (int i = 0; i < tile->n; i++) {
        if (!wino_axis(&w, tile->v[i], n->attr.CONV.kernel.v[i])) return false;
        any |= n->attr.CONV.kernel.v[i] > 1;
    }
    return any;
}

bool wino_fits(const Node *n, Dims *tile) {
    const CONV_attr *c = &n->attr.CONV;
    double least = INFINITY;
    if (n->op != OP_CONV || c->groups != 1 || c->flip || c->kernel.n > 2 || !n->in[1]->constant) return false;
    for (int i = 0; i < c->kernel.n; i++)
        if (c->stride.v[i] != 1 || c->dilation.v[i] != 1) return false;
    for (int m = 2; m <= 4; m += 2) { /* the same along all axes that are transformed */
        Dims one = {.n = c->kernel.n};
        for (int i = 0; i < one.n; i++) one.v[i] = c->kernel.v[i] == 1 ? 1 : m;
        if (!axes_fit(n, &one) || tile_cost(n, &one) >= least) continue;
        least = tile_cost(n, &one);
        *tile = one;
    }
    return least < (double)INFINITY;
}

bool wino_pays(const Node *n) {
    enum { LEAST_CHANNELS = 16 };
    Dims tile;
    double positions, channels, taps = 1;
    if (!wino_fits(n, &tile)) return false;
    if (n->attr.CONV.out < LEAST_CHANNELS || n->in[0]->type.axis[1].extent < LEAST_CHANNELS) return false;
    channels = conv_size(n, &positions);
    for (int i = 0; i < tile.n; i++) taps *= n->attr.CONV.kernel.v[i];
    return tile_cost(n, &tile) <= 0.8 * layer_cost(positions * channels * taps, taps * channels);
}

/* ---- tensors ------------------------------------------------------------------------------------------- */

/* Tiles of a plane: axes h w, of which h may be missing. */
typedef struct WinoPlane {
    WinoAxis axis[2]; /* h, w */
    int64_t in[2], pad[2], tiles[2], out[2];
} WinoPlane;

static bool plane_axes(WinoPlane *p, const Dims *tile, const Dims *kernel) {
    int skip = 2 - tile->n;
    *p = (WinoPlane){.in = {1, 1}, .tiles = {1, 1}, .out = {1, 1}};
    bool good = tile->n >= 1 && tile->n <= 2 && kernel->n == tile->n && (skip == 0 || wino_axis(&p->axis[0], 1, 1));
    for (int i = 0; good && i < tile->n; i++) good = wino_axis(&p->axis[skip + i], tile->v[i], kernel->v[i]);
    return good;
}

static bool plane_of_input(WinoPlane *p, const Node *n) {
    const WINOINPUT_attr *a = &n->attr.WINOINPUT;
    Type x = shape_in(n, 0);
    if (!plane_axes(p, &a->tile, &a->kernel) || x.rank != 2 + a->tile.n) return false;
    for (int i = 0, at = 2 - a->tile.n; i < a->tile.n; i++, at++) {
        p->in[at] = x.axis[2 + i].extent;
        p->pad[at] = a->pad.lo[i];
        p->out[at] = p->in[at] + a->pad.lo[i] + a->pad.hi[i] - a->kernel.v[i] + 1;
        p->tiles[at] = (p->out[at] + a->tile.v[i] - 1) / a->tile.v[i];
        if (p->out[at] < 1) return false;
    }
    return true;
}

static bool plane_of_output(WinoPlane *p, const Node *n) {
    const WINOOUTPUT_attr *a = &n->attr.WINOOUTPUT;
    Type x = shape_in(n, 0);
    if (!plane_axes(p, &a->tile, &a->kernel) || x.rank != 2 + a->tile.n) return false;
    for (int i = 0, at = 2 - a->tile.n; i < a->tile.n; i++, at++) {
        p->tiles[at] = x.axis[2 + i].extent / p->axis[at].t;
        p->out[at] = a->out.v[i];
    }
    return true;
}

bool winoinput_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    WinoPlane p;
    int64_t extent[MAX_SPATIAL];
    if (!shape_activation(&x, 1, d)) return false;
    if (!plane_of_input(&p, n)) return diag_fail(d, DIAG_SPEC, "no tiles of this size");
    for (int i = 0, at = 4 - x.rank; i < x.rank - 2; i++, at++) extent[i] = p.tiles[at] * p.axis[at].t;
    return shape_set(n, &x, x.axis[1].extent, extent, d);
}

bool winoweight_shape(Node *n, Diag *d) {
    Type w = shape_in(n, 0);
    const Dims *tile = &n->attr.WINOWEIGHT.tile;
    char letters[MAX_AXES + 1] = "";
    int64_t extent[MAX_AXES];
    if (w.rank != 2 + tile->n) return diag_fail(d, DIAG_SPEC, "a tile of %d axes", tile->n);
    for (int i = 0; i < w.rank; i++) {
        letters[i] = w.axis[i].letter;
        extent[i] = w.axis[i].extent + (i < 2 ? 0 : tile->v[i - 2] - 1);
    }
    return type_make(&n->type, letters, extent, d);
}

bool winoproduct_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0), w = shape_in(n, 1);
    int64_t extent[MAX_SPATIAL];
    if (!shape_activation(&x, 1, d)) return false;
    if (w.rank != x.rank || w.axis[1].extent != x.axis[1].extent)
        return diag_fail(d, DIAG_SPEC, "weight does not fit x");
    for (int i = 2; i < x.rank; i++) {
        if (x.axis[i].extent % w.axis[i].extent) return diag_fail(d, DIAG_SPEC, "weight does not fit the tiles of x");
        extent[i - 2] = x.axis[i].extent;
    }
    return shape_set(n, &x, w.axis[0].extent, extent, d);
}

bool winooutput_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    const WINOOUTPUT_attr *a = &n->attr.WINOOUTPUT;
    WinoPlane p;
    int64_t extent[MAX_SPATIAL];
    if (!shape_activation(&x, 1, d)) return false;
    if (!plane_of_output(&p, n)) return diag_fail(d, DIAG_SPEC, "no tiles of this size");
    for (int i = 0, at = 4 - x.rank; i < x.rank - 2; i++, at++) {
        extent[i] = a->out.v[i];
        if (x.axis[2 + i].extent % p.axis[at].t || extent[i] > p.tiles[at] * p.axis[at].m)
            return diag_fail(d, DIAG_SPEC, "x is not made of such tiles");
    }
    return (n->n_in < 2 || shape_vector(n, 1, "bias", x.axis[1].extent, &x, d)) &&
           shape_set(n, &x, x.axis[1].extent, extent, d);
}

/* ---- meaning ------------------------------------------------------------------------------------------- */

/* y = P x Qᵀ for a matrix x of pc × qc; `magnitude` takes the absolute values of P and Q. */
static void sandwich(const double (*p)[WINO_MOST], int pr, int pc, const double (*q)[WINO_MOST], int qr, int qc,
                     bool magnitude, const double x[WINO_MOST][WINO_MOST], double y[WINO_MOST][WINO_MOST]) {
    double mid[WINO_MOST][WINO_MOST];
    for (int i = 0; i < pr; i++)
        for (int j = 0; j < qc; j++) {
            mid[i][j] = 0;
            for (int k = 0; k < pc; k++) mid[i][j] += (magnitude ? fabs(p[i][k]) : p[i][k]) * x[k][j];
        }
    for (int i = 0; i < pr; i++)
        for (int j = 0; j < qr; j++) {
            y[i][j] = 0;
            for (int k = 0; k < qc; k++) y[i][j] += (magnitude ? fabs(q[j][k]) : q[j][k]) * mid[i][k];
        }
}

/* Roundings of a transform along both axes: a product and an addition for each of up to 6 terms, twice, and its constants. */
static double transform_gamma(void) { return ref_gamma(4 * WINO_MOST); }

/* value, or what may be off by: |M||x| γ + |M| e (1 + γ). */
static double one_or_bound(const double *v, const double *err, int64_t i, bool bound) {
    double gamma = transform_gamma(), e = err ? err[i] : 0;
    return bound ? gamma * fabs(v[i]) + e * (1 + gamma) : v[i];
}

static void input_planes(const WinoPlane *p, int64_t planes, const double *x, const double *err, bool bound,
                         double *y) {
    int th = p->axis[0].t, tw = p->axis[1].t;
    int64_t width = p->tiles[1] * tw, height = p->tiles[0] * th;
    for (int64_t c = 0; c < planes; c++)
        for (int64_t h = 0; h < p->tiles[0]; h++)
            for (int64_t w = 0; w < p->tiles[1]; w++) {
                double d[WINO_MOST][WINO_MOST], v[WINO_MOST][WINO_MOST];
                for (int i = 0; i < th; i++)
                    for (int j = 0; j < tw; j++) {
                        int64_t at_h = h * p->axis[0].m + i - p->pad[0], at_w = w * p->axis[1].m + j - p->pad[1];
                        bool inside = at_h >= 0 && at_h < p->in[0] && at_w >= 0 && at_w < p->in[1];
                        d[i][j] = inside ? one_or_bound(x, err, (c * p->in[0] + at_h) * p->in[1] + at_w, bound) : 0;
                    }
                sandwich(p->axis[0].bt, th, th, p->axis[1].bt, tw, tw, bound, d, v);
                for (int i = 0; i < th; i++)
                    for (int j = 0; j < tw; j++) y[(c * height + h * th + i) * width + w * tw + j] = v[i][j];
            }
}

void winoinput_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    WinoPlane p;
    (void)a;
    plane_of_input(&p, n);
    int64_t planes = (int64_t)in[0]->type.axis[0].extent * in[0]->type.axis[1].extent;
    input_planes(&p, planes, in[0]->v, NULL, false, out->v);
    if (out->err) input_planes(&p, planes, in[0]->v, in[0]->err, true, out->err);
}

void winoweight_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    const Type *w = &in[0]->type;
    Dims kernel = {.n = w->rank - 2};
    WinoPlane p;
    (void)a;
    for (int i = 0; i < kernel.n; i++) kernel.v[i] = w->axis[2 + i].extent;
    plane_axes(&p, &n->attr.WINOWEIGHT.tile, &kernel);
    const WinoAxis *h = &p.axis[0], *v = &p.axis[1];
    int64_t planes = (int64_t)w->axis[0].extent * w->axis[1].extent, from = h->r * v->r, to = h->t * v->t;
    for (int64_t c = 0; c < planes; c++) {
        double x[WINO_MOST][WINO_MOST], y[WINO_MOST][WINO_MOST];
        for (int bound = 0; bound < 1 + (out->err != NULL); bound++) {
            for (int i = 0; i < h->r; i++)
                for (int j = 0; j < v->r; j++) {
                    int64_t at = c * from + i * v->r + j;
                    x[i][j] = bound ? in[0]->err ? in[0]->err[at] : 0 : in[0]->v[at];
                }
            sandwich(h->g, h->t, h->r, v->g, v->t, v->r, bound, x, y);
            for (int i = 0; i < h->t; i++)
                for (int j = 0; j < v->t; j++) (bound ? out->err : out->v)[c * to + i * v->t + j] = y[i][j];
        }
        for (int64_t i = 0; out->err && i < to; i++) /* computed in double, rounded once */
            out->err[c * to + i] += 0x1p-24 * fabs(out->v[c * to + i]);
    }
}

/* y[n o p] += Σ w[o c p mod t]·x[n c p] */
static void product_sum(const RefTensor *x, const RefTensor *w, const double *xv, const double *wv, double *y) {
    bool flat = x->type.rank == 3;
    int64_t channels = x->type.axis[1].extent, outs = w->type.axis[0].extent;
    int64_t rows = flat ? 1 : x->type.axis[2].extent, width = x->type.axis[x->type.rank - 1].extent;
    int64_t th = flat ? 1 : w->type.axis[2].extent, tw = w->type.axis[w->type.rank - 1].extent;
    for (int64_t n = 0; n < x->type.axis[0].extent; n++)
        for (int64_t o = 0; o < outs; o++)
            for (int64_t c = 0; c < channels; c++)
                for (int64_t h = 0; h < rows; h++) {
                    const double *from = xv + ((n * channels + c) * rows + h) * width;
                    const double *by = wv + ((o * channels + c) * th + h % th) * tw;
                    double *to = y + ((n * outs + o) * rows + h) * width;
                    for (int64_t i = 0; i < width; i += tw)
                        for (int64_t j = 0; j < tw; j++) to[i + j] += by[j] * from[i + j];
                }
}

void winoproduct_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)n;
    int64_t planes = (int64_t)out->type.axis[0].extent, outs = out->type.axis[1].extent;
    int64_t plane = type_elements(&out->type) / (planes * outs);
    fill_channels(out->v, planes, outs, plane, NULL);
    product_sum(in[0], in[1], in[0]->v, in[1]->v, out->v);
    if (!out->err) return;
    SumBound b = sum_bound(a, in[0]->type.axis[1].extent, in[0], in[1], NULL, outs);
    fill_channels(out->err, planes, outs, plane, b.start);
    product_sum(in[0], in[1], b.x, b.w, out->err);
    if (b.x_of_err_w) product_sum(in[0], in[1], b.x_of_err_w, in[1]->err, out->err);
}

static void output_planes(const WinoPlane *p, int64_t planes, const double *x, const double *err, bool bound,
                          double *y) {
    int th = p->axis[0].t, tw = p->axis[1].t;
    int64_t width = p->tiles[1] * tw, height = p->tiles[0] * th;
    for (int64_t c = 0; c < planes; c++)
        for (int64_t h = 0; h < p->tiles[0]; h++)
            for (int64_t w = 0; w < p->tiles[1]; w++) {
                double m[WINO_MOST][WINO_MOST], v[WINO_MOST][WINO_MOST];
                for (int i = 0; i < th; i++)
                    for (int j = 0; j < tw; j++)
                        m[i][j] = one_or_bound(x, err, (c * height + h * th + i) * width + w * tw + j, bound);
                sandwich(p->axis[0].at, p->axis[0].m, th, p->axis[1].at, p->axis[1].m, tw, bound, m, v);
                for (int i = 0; i < p->axis[0].m; i++)
                    for (int j = 0; j < p->axis[1].m; j++) {
                        int64_t at_h = h * p->axis[0].m + i, at_w = w * p->axis[1].m + j;
                        if (at_h < p->out[0] && at_w < p->out[1])
                            y[(c * p->out[0] + at_h) * p->out[1] + at_w] = v[i][j];
                    }
            }
}

void winooutput_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    WinoPlane p;
    (void)a;
    plane_of_output(&p, n);
    int64_t images = out->type.axis[0].extent, channels = out->type.axis[1].extent, plane = p.out[0] * p.out[1];
    output_planes(&p, images * channels, in[0]->v, NULL, false, out->v);
    if (out->err) output_planes(&p, images * channels, in[0]->v, in[0]->err, true, out->err);
    for (int64_t i = 0; n->n_in > 1 && i < images * channels * plane; i++) {
        int64_t c = i / plane % channels;
        out->v[i] += in[1]->v[c];
        if (out->err) out->err[i] += (in[1]->err ? in[1]->err[c] : 0) + 0x1p-23 * fabs(in[1]->v[c]);
    }
    for (int64_t i = 0; out->err && i < images * channels * plane; i++)
        out->err[i] += 0x1p-24 * fabs(out->v[i]) + 0x1p-140;
}

/* ---- the bound of a convolution -------------------------------------------------------------------------- */

static RefTensor tensor_new(Arena *a, const Type *type) {
    int64_t n = type_elements(type);
    return (RefTensor){.type = *type, .v = ARENA_ARRAY(a, double, n), .err = ARENA_ARRAY(a, double, n)};
}

/* The four ops on nodes that are in no graph. */
void wino_bound(Arena *a, const Node *conv, const Pads *pad, const RefTensor *const *in, double *err) {
    const CONV_attr *c = &conv->attr.CONV;
    Dims tile;
    wino_fits(conv, &tile);
    Node x = {.type = in[0]->type}, w = {.type = in[1]->type}, b = {0};
    if (in[2]) b.type = in[2]->type;
    Node input = {.op = OP_WINOINPUT, .n_in = 1, .in = (Node *[]){&x}};
    input.attr.WINOINPUT.tile = tile;
    input.attr.WINOINPUT.kernel = c->kernel;
    input.attr.WINOINPUT.pad = *pad;
    Node weight = {.op = OP_WINOWEIGHT, .n_in = 1, .in = (Node *[]){&w}};
    weight.attr.WINOWEIGHT.tile = tile;
    Node product = {.op = OP_WINOPRODUCT, .n_in = 2, .in = (Node *[]){&input, &weight}};
    Node output = {.op = OP_WINOOUTPUT, .n_in = in[2] ? 2 : 1, .in = (Node *[]){&product, &b}};
    output.attr.WINOOUTPUT.tile = tile;
    output.attr.WINOOUTPUT.kernel = c->kernel;
    output.attr.WINOOUTPUT.out.n = c->kernel.n;
    for (int i = 0; i < c->kernel.n; i++) output.attr.WINOOUTPUT.out.v[i] = conv->type.axis[2 + i].extent;
    if (!winoinput_shape(&input, NULL) || !winoweight_shape(&weight, NULL) || !winoproduct_shape(&product, NULL))
        return;
    RefTensor v = tensor_new(a, &input.type), u = tensor_new(a, &weight.type), m = tensor_new(a, &product.type);
    RefTensor y = tensor_new(a, &conv->type);
    winoinput_eval(a, &input, in, &v);
    winoweight_eval(a, &weight, &in[1], &u);
    winoproduct_eval(a, &product, (const RefTensor *[]){&v, &u}, &m);
    winooutput_eval(a, &output, (const RefTensor *[]){&m, in[2]}, &y);
    memcpy(err, y.err, sizeof *err * (size_t)type_elements(&y.type));
}

void wino_reach(const Node *n, int32_t lo[MAX_SPATIAL], int32_t hi[MAX_SPATIAL]) {
    WinoPlane p;
    const Dims *tile = &n->attr.WINOINPUT.tile;
    plane_of_input(&p, n);
    for (int i = 0, at = 2 - tile->n; i < tile->n; i++, at++) {
        int64_t last = (p.tiles[at] - 1) * p.axis[at].m + p.axis[at].t - 1 - p.pad[at];
        lo[i] = (int32_t)p.pad[at];
        hi[i] = last >= p.in[at] ? (int32_t)(last - p.in[at] + 1) : 0;
    }
}
