#include "tests/naive_pool.h"
#include "tests/naive_windows.h"

#include <math.h>
#include <string.h>

static double rnd(const Naive *e, double x) { return e->narrow ? (double)(float)x : x; }

typedef struct Plane {
    const double *v;
    int n;
    int64_t extent[3];
} Plane;

static Plane plane_of(const RefTensor *x, const int64_t *o) {
    Plane p = {.n = x->type.rank - 2};
    int64_t size = 1;
    for (int i = 0; i < p.n; i++) size *= p.extent[i] = x->type.axis[2 + i].extent;
    p.v = x->v + (o[0] * x->type.axis[1].extent + o[1]) * size;
    return p;
}

/* Position number i of the plane. */
static void position(const Plane *p, int64_t i, int64_t *at) {
    for (int k = p->n - 1; k >= 0; i /= p->extent[k--]) at[k] = i % p->extent[k];
}

static int64_t positions(const Plane *p) {
    int64_t n = 1;
    for (int k = 0; k < p->n; k++) n *= p->extent[k];
    return n;
}

/* Whether `at` is a tap of the window behind output o (without batch and channel). */
static bool in_window(const NodeWindow *w, const int64_t *o, const int64_t *at, int n) {
    for (int k = 0; k < n; k++) {
        int64_t from = at[k] - (o[k] * w->stride.v[k] - w->pad.lo[k]);
        if (from < 0 || from % w->dilation.v[k] || from / w->dilation.v[k] >= w->kernel.v[k]) return false;
    }
    return true;
}

/* ⌊o·l/out⌋ ≤ at < ⌈(o + 1)·l/out⌉ */
static bool in_adaptive(const Dims *out, const int64_t *o, const int64_t *at, const Plane *p) {
    for (int k = 0; k < p->n; k++)
        if (at[k] < o[k] * p->extent[k] / out->v[k] || at[k] * out->v[k] >= (o[k] + 1) * p->extent[k]) return false;
    return true;
}

static bool sees(const Node *n, const int64_t *o, const int64_t *at, const Plane *p) {
    NodeWindow w;
    if (n->op == OP_ADAPTIVEMAXPOOL) return in_adaptive(&n->attr.ADAPTIVEMAXPOOL.out, o + 2, at, p);
    if (n->op == OP_ADAPTIVEAVGPOOL) return in_adaptive(&n->attr.ADAPTIVEAVGPOOL.out, o + 2, at, p);
    return !node_window(n, &w) || in_window(&w, o + 2, at, p->n);
}

/* The value of a tap, in the plane or what it is padded with. */
static double tap(const Plane *p, const int64_t *at, const char *mode, double value) {
    int64_t i = 0;
    for (int k = 0; k < p->n; k++) {
        int64_t from = naive_walk(mode, at[k], p->extent[k]);
        if (from < 0) return value;
        i = i * p->extent[k] + from;
    }
    return p->v[i];
}

/* What a pool's padding holds: a word, its constant, and whether it counts at all. */
typedef struct Padding {
    const char *mode;
    double value;
    bool counts;
} Padding;

static Padding padding_of(const Node *n) {
    static const char *const modes[] = {"zero", "reflect", "edge", "circular", "constant"};
    const AttrAny *a = &n->attr;
    Padding p = {.mode = "zero", .counts = n->op == OP_LPPOOL || n->op == OP_AVGPOOL};
    int word = 0;
    if (n->op == OP_LPPOOL) word = a->LPPOOL.pad_mode, p.value = (double)a->LPPOOL.pad_value;
    if (n->op == OP_AVGPOOL) word = a->AVGPOOL.pad_mode, p.value = (double)a->AVGPOOL.pad_value;
    if (n->op == OP_AVGPOOL && word == 0) p.counts = a->AVGPOOL.count_pad;
    if (n->op == OP_MAXPOOL && a->MAXPOOL.pad_mode) {
        word = a->MAXPOOL.pad_mode - 1;
        p.value = (double)a->MAXPOOL.pad_value;
        p.counts = true;
    }
    p.mode = modes[word];
    if (strcmp(p.mode, "constant") != 0) p.value = 0;
    return p;
}

/* The values of the taps behind output o that count. */
static int64_t window_values(const Node *n, const int64_t *o, const Plane *p, double *v) {
    Padding padding = padding_of(n);
    NodeWindow w;
    node_window(n, &w);
    int64_t k[3] = {0}, at[3], count = 0;
    for (bool more = true; more;) {
        bool beyond = false, inside = true; /* beyond: of ceil mode, behind the padding */
        for (int i = 0; i < p->n; i++) {
            at[i] = o[2 + i] * w.stride.v[i] + k[i] * w.dilation.v[i] - w.pad.lo[i];
            beyond |= at[i] >= p->extent[i] + w.pad.hi[i];
            inside &= at[i] >= 0 && at[i] < p->extent[i];
        }
        if (inside || (padding.counts && !beyond)) v[count++] = tap(p, at, padding.mode, padding.value);
        more = false;
        for (int i = 0; i < p->n && !more; i++) {
            more = ++k[i] < w.kernel.v[i];
            if (!more) k[i] = 0;
        }
    }
    return count;
}

static double root(const Naive *e, double sum, double power) { return rnd(e, pow(sum, rnd(e, 1 / power))); }

static double window_pool(Naive *e, const Node *n, const int64_t *o, const Plane *p) {
    static double v[1 << 12];
    int64_t count = window_values(n, o, p, v);
    double max = -INFINITY, sum = 0, power = n->op == OP_LPPOOL ? (double)n->attr.LPPOOL.p : 1;
    for (int64_t i = 0; i < count; i++) {
        max = v[i] > max ? v[i] : max;
        sum = rnd(e, sum + (n->op == OP_LPPOOL ? rnd(e, pow(fabs(v[i]), power)) : v[i]));
    }
    if (n->op == OP_MAXPOOL) return max;
    return n->op == OP_AVGPOOL ? rnd(e, sum / (double)count) : root(e, sum, power);
}

static double global_norm(Naive *e, const Plane *p, double power) {
    double sum = 0;
    for (int64_t i = 0; i < positions(p); i++) sum = rnd(e, sum + rnd(e, pow(fabs(p->v[i]), power)));
    return root(e, sum, power);
}

static double mean_of(Naive *e, const Node *n, const int64_t *o, const Plane *p) {
    double sum = 0, count = 0;
    int64_t at[3];
    for (int64_t i = positions(p) - 1; i >= 0; i--) {
        position(p, i, at);
        if (!sees(n, o, at, p)) continue;
        sum = rnd(e, sum + p->v[i]);
        count++;
    }
    return rnd(e, sum / count);
}

static double max_of(const Node *n, const int64_t *o, const Plane *p, int64_t *where) {
    double max = -INFINITY;
    int64_t at[3];
    *where = 0;
    for (int64_t i = 0; i < positions(p); i++) {
        position(p, i, at);
        if (sees(n, o, at, p) && p->v[i] > max) max = p->v[i], *where = i;
    }
    return max;
}

static double index_of(const Node *n, const int64_t *o, const Plane *p, const RefTensor *x) {
    int64_t i, at[3], index = 0, step = 1;
    max_of(n, o, p, &i);
    position(p, i, at);
    bool column = n->attr.MAXPOOLINDEX.order;
    for (int k = 0; k < p->n; k++) {
        int axis = column ? k : p->n - 1 - k;
        index += at[axis] * step;
        step *= p->extent[axis];
    }
    if (n->attr.MAXPOOLINDEX.count) index += (o[0] * x->type.axis[1].extent + o[1]) * step;
    return (double)index;
}

static double unpooled(const Node *n, const RefTensor *const *in, const int64_t *o) {
    Plane x = plane_of(in[0], o), index = plane_of(in[1], o);
    int64_t place = 0;
    double y = 0;
    for (int k = n->attr.MAXUNPOOL.count ? 0 : 2; k < n->type.rank; k++) place = place * n->type.axis[k].extent + o[k];
    for (int64_t i = 0; i < positions(&x); i++)
        if (index.v[i] == (double)place) y = x.v[i];
    return y;
}

bool naive_pool(Naive *e, const Node *n, const RefTensor *const *in, const int64_t *o, double *out) {
    Plane p = plane_of(in[0], o);
    int64_t where;
    if (n->op == OP_MAXPOOL || n->op == OP_AVGPOOL || n->op == OP_LPPOOL) *out = window_pool(e, n, o, &p);
    else if (n->op == OP_GLOBALLPPOOL) *out = global_norm(e, &p, (double)n->attr.GLOBALLPPOOL.p);
    else if (n->op == OP_ADAPTIVEAVGPOOL) *out = mean_of(e, n, o, &p);
    else if (n->op == OP_ADAPTIVEMAXPOOL || n->op == OP_GLOBALMAXPOOL) *out = max_of(n, o, &p, &where);
    else if (n->op == OP_MAXPOOLINDEX) *out = index_of(n, o, &p, in[0]);
    else if (n->op == OP_MAXUNPOOL) *out = unpooled(n, in, o);
    else return false;
    return true;
}
