/* pad: elements more along any axes, or fewer: a negative number crops, before anything is padded.
 *
 *   y[… i …] = x[… s(i − before) …],  s the identity inside; outside, with an axis of n elements:
 *     reflect    −1 → 1, −2 → 2, n → n−2      the edge itself is not repeated
 *     edge       −1 → 0, −2 → 0, n → n−1
 *     circular   −1 → n−1,       n → 0
 *     constant   a number
 */
#include "ir/ops/pad.h"

#include "ir/lower.h"
#include "ir/ops/ops.h"

#include <stdio.h>
#include <string.h>

static const PadMode modes[] = {PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_CIRCULAR}; /* by word of `pad` */

PadMode pad_mode_of(const PAD_attr *p) { return modes[p->mode]; }

int32_t pad_word_of(PadMode mode) {
    for (int i = 1; i < (int)COUNT_OF(modes); i++)
        if (modes[i] == mode) return i;
    return 0;
}

static bool by_constant(PadMode mode) { return mode == PAD_ZERO || mode == PAD_CONSTANT; }

/* ---- shapes ---------------------------------------------------------------------------------- */

bool pad_fits(PadMode mode, int64_t extent, int64_t lo, int64_t hi, const char *what, const Type *x, Diag *d) {
    char text[SHAPE_TEXT];
    int64_t left = extent + (lo < 0 ? lo : 0) + (hi < 0 ? hi : 0), widest = lo > hi ? lo : hi;
    if (left < 1)
        return diag_fail(d, DIAG_SPEC, "along %s %lld and %lld elements are cropped, of %lld; x is %s", what,
                         (long long)(lo < 0 ? -lo : 0), (long long)(hi < 0 ? -hi : 0), (long long)extent,
                         shape_text(text, x));
    if (mode == PAD_REFLECT && widest >= left)
        return diag_fail(d, DIAG_SPEC,
                         "along %s %lld elements cannot be reflected: less than the extent %lld are needed; x is %s",
                         what, (long long)widest, (long long)left, shape_text(text, x));
    if (mode == PAD_CIRCULAR && widest > left)
        return diag_fail(d, DIAG_SPEC,
                         "along %s %lld elements cannot be repeated in a circle: at most the extent %lld can; x is %s",
                         what, (long long)widest, (long long)left, shape_text(text, x));
    return true;
}

bool pads_fit(PadMode mode, const Type *x, const Pads *pad, Diag *d) {
    int64_t extent[MAX_AXES];
    Type padded;
    for (int i = 0; i < x->rank; i++) {
        extent[i] = x->axis[i].extent;
        if (i < 2) continue;
        char what[] = {x->axis[i].letter, '\0'};
        if (!pad_fits(mode, extent[i], pad->lo[i - 2], pad->hi[i - 2], what, x, d)) return false;
        extent[i] += (int64_t)pad->lo[i - 2] + pad->hi[i - 2];
    }
    return type_of_rank(&padded, x->dtype, x->rank, extent, d);
}

bool pad_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    const Ints *pads = &n->attr.PAD.pads;
    int64_t extent[MAX_AXES];
    char text[SHAPE_TEXT];
    if (pads->n != 2 * x.rank)
        return diag_fail(d, DIAG_SPEC,
                         "pads has %d number%s, %d are needed: before each axis, then after each; x is %s", pads->n,
                         pads->n == 1 ? "" : "s", 2 * x.rank, shape_text(text, &x));
    for (int i = 0; i < x.rank; i++) {
        char what[24];
        int64_t lo = pads->v[i], hi = pads->v[x.rank + i];
        snprintf(what, sizeof what, "axis %d", i);
        if (!pad_fits(pad_mode_of(&n->attr.PAD), x.axis[i].extent, lo, hi, what, &x, d)) return false;
        extent[i] = x.axis[i].extent + lo + hi;
    }
    return type_of_rank(&n->type, x.dtype, x.rank, extent, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* The element that stands at i of an axis of this extent, i < 0 or ≥ extent in the padding; −1: the constant. */
static int64_t source(PadMode mode, int64_t extent, int64_t i) {
    if (i >= 0 && i < extent) return i;
    switch (mode) {
    case PAD_REFLECT: return i < 0 ? -i : 2 * (extent - 1) - i;
    case PAD_EDGE: return i < 0 ? 0 : extent - 1;
    case PAD_CIRCULAR: return i < 0 ? i + extent : i - extent;
    case PAD_ZERO:
    case PAD_CONSTANT: break;
    }
    return -1;
}

/* Offsets of the sources along one axis, −1: the constant. */
static const int64_t *sources(Arena *a, PadMode mode, int64_t extent, int64_t step, int64_t lo, int64_t hi) {
    int64_t first = lo < 0 ? -lo : 0, left = extent - first - (hi < 0 ? -hi : 0), n = extent + lo + hi;
    int64_t *at = ARENA_ARRAY(a, int64_t, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = source(mode, left, i - (lo > 0 ? lo : 0));
        at[i] = from < 0 ? -1 : (first + from) * step;
    }
    return at;
}

typedef struct Filling {
    const RefTensor *x;
    RefTensor *out;
    double value;
    const int64_t *at[MAX_AXES];
    int64_t next; /* of out */
} Filling;

static void fill(Filling *f, int axis, int64_t from) {
    if (axis == f->out->type.rank) {
        f->out->v[f->next] = from < 0 ? f->value : f->x->v[from];
        if (f->out->err) f->out->err[f->next] = from >= 0 && f->x->err ? f->x->err[from] : 0;
        f->next++;
        return;
    }
    for (int64_t i = 0; i < f->out->type.axis[axis].extent; i++) {
        int64_t at = f->at[axis][i];
        fill(f, axis + 1, from < 0 || at < 0 ? -1 : from + at);
    }
}

static void pad_fill(Arena *a, const RefTensor *x, PadMode mode, double value, const int64_t *lo, const int64_t *hi,
                     RefTensor *out) {
    Filling f = {.x = x, .out = out, .value = mode == PAD_ZERO ? 0 : value};
    int64_t step = 1;
    for (int i = x->type.rank - 1; i >= 0; i--) {
        f.at[i] = sources(a, mode, x->type.axis[i].extent, step, lo[i], hi[i]);
        step *= x->type.axis[i].extent;
    }
    fill(&f, 0, 0);
}

RefTensor *ref_pad(Arena *a, const RefTensor *x, PadMode mode, double value, const int64_t *lo, const int64_t *hi) {
    RefTensor *out = ARENA_NEW(a, RefTensor);
    out->type = x->type;
    for (int i = 0; i < x->type.rank; i++) out->type.axis[i].extent += (int32_t)(lo[i] + hi[i]);
    int64_t n = type_elements(&out->type);
    out->v = ARENA_ARRAY(a, double, n);
    if (x->err) out->err = ARENA_ARRAY(a, double, n);
    pad_fill(a, x, mode, value, lo, hi, out);
    return out;
}

RefTensor *ref_pad_spatial(Arena *a, const RefTensor *x, PadMode mode, double value, const Pads *pad) {
    int64_t lo[MAX_AXES] = {0}, hi[MAX_AXES] = {0};
    for (int i = 0; i < pad->n; i++) {
        lo[2 + i] = pad->lo[i];
        hi[2 + i] = pad->hi[i];
    }
    return ref_pad(a, x, mode, value, lo, hi);
}

void pad_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    const Ints *pads = &n->attr.PAD.pads;
    int64_t lo[MAX_AXES], hi[MAX_AXES];
    for (int i = 0; i < out->type.rank; i++) {
        lo[i] = pads->v[i];
        hi[i] = pads->v[out->type.rank + i];
    }
    pad_fill(a, in[0], pad_mode_of(&n->attr.PAD), (double)n->attr.PAD.value, lo, hi, out);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* Result positions at … at+n−1 of one axis: element from + step·i of x, or the constant. */
typedef struct Run {
    int64_t at, n, from, step;
    bool constant;
} Run;

/* Before, inside, after: n = 0 where there is none. */
typedef struct AxisRuns {
    Run run[3];
    Run whole; /* all of the axis, for what is constant anyway */
} AxisRuns;

static AxisRuns axis_runs(PadMode mode, int64_t extent, int64_t lo, int64_t hi) {
    int64_t first = lo < 0 ? -lo : 0, left = extent - first - (hi < 0 ? -hi : 0);
    int64_t before = lo > 0 ? lo : 0, after = hi > 0 ? hi : 0, end = first + left;
    AxisRuns r = {.whole = {0, extent + lo + hi, 0, 0, true}};
    r.run[1] = (Run){before, left, first, 1, false};
    switch (mode) {
    case PAD_REFLECT:
        r.run[0] = (Run){0, before, first + before, -1, false};
        r.run[2] = (Run){before + left, after, end - 2, -1, false};
        break;
    case PAD_EDGE:
        r.run[0] = (Run){0, before, first, 0, false};
        r.run[2] = (Run){before + left, after, end - 1, 0, false};
        break;
    case PAD_CIRCULAR:
        r.run[0] = (Run){0, before, end - before, 1, false};
        r.run[2] = (Run){before + left, after, first, 1, false};
        break;
    case PAD_ZERO:
    case PAD_CONSTANT:
        r.run[0] = (Run){0, before, 0, 0, true};
        r.run[2] = (Run){before + left, after, 0, 0, true};
        break;
    }
    return r;
}

/* One box of the result: a run along each axis. Every nest has a loop for each axis, so that a step of a
 * schedule that is legal for one of them is for all. */
static void box_nest(Lower *l, const Node *n, const Run *run) {
    const Node *x = n->in[0];
    int rank = type_plain(&n->type).rank;
    Nest nest = {0}, digits = {0};
    Index in = {.n = rank}, out = {.n = rank};
    int64_t cuts[MAX_CUTS];
    int n_cuts = lower_out_blocks(l, cuts);
    bool constant = false, blocked = false;
    if (n_cuts < MAX_CUTS) cuts[n_cuts++] = type_block(&x->type, 'c');
    for (int i = 0; i < n_cuts; i++) blocked |= cuts[i] > 1;
    Type plain = type_plain(&n->type);
    int keep = 0;
    for (int i = 0; i < rank; i++) {
        const char *name = axis_name(l, &plain, i);
        Affine at = i == 1 && blocked                    ? nest_digits(l, &digits, "c", "C", run[i].n, cuts, n_cuts)
                    : i == 0 || plain.axis[i].extent > 1 ? nest_loop_always(l, &nest, name, run[i].n)
                                                         : affine_const(0);
        keep = digits.n ? digits.n - 1 : 0; /* the digit within a block is innermost */
        for (int j = 0; i == 1 && j < keep; j++) nest.var[nest.n++] = digits.var[j];
        out.v[i] = affine_offset(at, run[i].at);
        in.v[i] = affine_offset(affine_scale(l->a, at, run[i].step), run[i].from);
        constant |= run[i].constant;
    }
    for (int j = keep; j < digits.n; j++) nest.var[nest.n++] = digits.var[j];
    if (rank == 0) nest_loop_always(l, &nest, "n", 1);
    PadMode mode = pad_mode_of(&n->attr.PAD);
    const Expr *value = constant ? expr_const(l->a, mode == PAD_ZERO ? 0 : n->attr.PAD.value) : lower_read(l, x, &in);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &out, value)));
}

/* A constant frame: along each axis the slabs before and after, over the inside of the axes before it and all of
 * those behind it. */
static void frame_nests(Lower *l, const Node *n, const AxisRuns *runs, int rank) {
    Run run[MAX_AXES];
    for (int axis = 0; axis < rank; axis++)
        for (int side = 0; side < 3; side += 2) {
            if (runs[axis].run[side].n == 0) continue;
            for (int i = 0; i < rank; i++)
                run[i] = i < axis ? runs[i].run[1] : i == axis ? runs[i].run[side] : runs[i].whole;
            box_nest(l, n, run);
        }
}

/* All combinations of runs but the one inside. */
static void border_nests(Lower *l, const Node *n, const AxisRuns *runs, int rank) {
    Run run[MAX_AXES];
    int which[MAX_AXES] = {0}, axis = 0;
    while (axis >= 0) {
        bool inside = true, empty = false;
        for (int i = 0; i < rank; i++) {
            run[i] = runs[i].run[which[i]];
            inside &= which[i] == 1;
            empty |= run[i].n == 0;
        }
        if (!inside && !empty) box_nest(l, n, run);
        for (axis = rank - 1; axis >= 0 && ++which[axis] == 3; axis--) which[axis] = 0;
    }
}

void pad_lower(Lower *l, const Node *n) {
    Type x = type_plain(&n->in[0]->type);
    const Ints *pads = &n->attr.PAD.pads;
    PadMode mode = pad_mode_of(&n->attr.PAD);
    AxisRuns runs[MAX_AXES] = {0};
    Run inside[MAX_AXES] = {0};
    for (int i = 0; i < x.rank; i++) {
        runs[i] = axis_runs(mode, x.axis[i].extent, pads->v[i], pads->v[x.rank + i]);
        inside[i] = runs[i].run[1];
    }
    box_nest(l, n, inside);
    if (by_constant(mode)) frame_nests(l, n, runs, x.rank);
    else border_nests(l, n, runs, x.rank);
}
