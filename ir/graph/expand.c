/* expand: what is written as one node and computed by several becomes several.
 *
 *   y: conv(x, w, b) pad=… pad_mode=reflect       y: conv(pad(x) mode=reflect, w, b)            no padding of its own
 *   y: conv(x, w, b) kernel=k algorithm=im2col →  y: conv(im2col(x), kernelrows(w), b) kernel=1
 *   y: conv(x, w, b) algorithm=winograd        →  y: winooutput(winoproduct(winoinput(x), winoweight(w)), b)
 *   y: pad(x) of many axes by elements of x    →  y: pad(pad(x)), a few axes each
 *   y: convtranspose(x, w, b)                  →  y: convtranspose(x, turnweight(w), b)         out before in, as conv has it
 *
 * Needs: after fold. Keeps: the node itself with its name, schedule and origin; the new nodes in front of it have no
 * origin. Sets: padding that a window sees is zeros (what the op ignores, for a pool), every convolution is direct. */
#include "ir/passes.h"

#include "ir/ops/im2col.h"
#include "ir/ops/pad.h"
#include "ir/ops/winograd.h"

/* Inserted before `user`, named after it. */
static Node *insert(Graph *g, Node *user, Op op, const char *suffix, Node *x, const AttrAny *attr) {
    return graph_insert(g, user, op, arena_printf(g->arena, "%s.%s", user->name, suffix), &x, 1, attr);
}

static bool pads_any(const Pads *pad) {
    for (int i = 0; i < pad->n; i++)
        if (pad->lo[i] || pad->hi[i]) return true;
    return false;
}

/* A `pad` before the window op `user`, whose own padding becomes none. */
static void pad_before(Graph *g, Node *user, Pads *pad, PadMode mode, float value) {
    int spatial = pad->n;
    AttrAny attr;
    if (!pads_any(pad)) return;
    attr_defaults(OP_PAD, &attr);
    attr.PAD.mode = pad_word_of(mode);
    attr.PAD.value = mode == PAD_CONSTANT ? value : 0;
    attr.PAD.pads.n = 2 * (2 + spatial);
    for (int i = 0; i < spatial; i++) {
        attr.PAD.pads.v[2 + i] = pad->lo[i];
        attr.PAD.pads.v[4 + spatial + i] = pad->hi[i];
    }
    user->in[0] = insert(g, user, OP_PAD, "pad", user->in[0], &attr);
    *pad = (Pads){.n = spatial};
}

static void expand_im2col(Graph *g, Node *n) {
    CONV_attr *c = &n->attr.CONV;
    AttrAny attr;
    attr_defaults(OP_IM2COL, &attr);
    attr.IM2COL.kernel = c->kernel;
    attr.IM2COL.stride = c->stride;
    attr.IM2COL.pad = c->pad;
    attr.IM2COL.dilation = c->dilation;
    attr.IM2COL.flip = c->flip;
    n->in[0] = insert(g, n, OP_IM2COL, "im2col", n->in[0], &attr);
    attr_defaults(OP_KERNELROWS, &attr);
    n->in[1] = insert(g, n, OP_KERNELROWS, "rows", n->in[1], &attr);
    for (int i = 0; i < c->kernel.n; i++) c->kernel.v[i] = c->stride.v[i] = c->dilation.v[i] = 1;
    c->pad = (Pads){.n = c->kernel.n};
    c->flip = 0;
}

static void expand_winograd(Graph *g, Node *n, const Dims *tile) {
    CONV_attr c = n->attr.CONV;
    AttrAny attr;
    attr_defaults(OP_WINOINPUT, &attr);
    attr.WINOINPUT.tile = *tile;
    attr.WINOINPUT.kernel = c.kernel;
    attr.WINOINPUT.pad = c.pad;
    Node *in[2] = {insert(g, n, OP_WINOINPUT, "tiles", n->in[0], &attr)};
    attr_defaults(OP_WINOWEIGHT, &attr);
    attr.WINOWEIGHT.tile = *tile;
    in[1] = insert(g, n, OP_WINOWEIGHT, "tileweight", n->in[1], &attr);
    attr_defaults(OP_WINOPRODUCT, &attr);
    n->in[0] = graph_insert(g, n, OP_WINOPRODUCT, arena_printf(g->arena, "%s.products", n->name), in, 2, &attr);
    if (n->n_in > 2) n->in[1] = n->in[2];
    n->n_in--;
    n->op = OP_WINOOUTPUT;
    attr_defaults(OP_WINOOUTPUT, &n->attr);
    n->attr.WINOOUTPUT.tile = *tile;
    n->attr.WINOOUTPUT.kernel = c.kernel;
    n->attr.WINOOUTPUT.out.n = tile->n;
    for (int i = 0; i < tile->n; i++) n->attr.WINOOUTPUT.out.v[i] = n->type.axis[2 + i].extent;
}

static void expand_conv(Graph *g, Node *n) {
    CONV_attr *c = &n->attr.CONV;
    if (c->pad_mode != PAD_ZERO) pad_before(g, n, &c->pad, (PadMode)c->pad_mode, c->pad_value);
    c->pad_mode = PAD_ZERO;
    c->pad_value = 0;
    if (c->algorithm == CONV_IM2COL) expand_im2col(g, n);
    Dims tile;
    bool winograd = c->algorithm == CONV_WINOGRAD && wino_fits(n, &tile);
    c->algorithm = 0;
    if (winograd) expand_winograd(g, n, &tile);
}

/* maxpool has "ignore" before the modes. */
static void expand_pool(Graph *g, Node *n) {
    AttrAny *a = &n->attr;
    Pads *pad = n->op == OP_MAXPOOL ? &a->MAXPOOL.pad : n->op == OP_AVGPOOL ? &a->AVGPOOL.pad : &a->LPPOOL.pad;
    int32_t *mode = n->op == OP_MAXPOOL ? &a->MAXPOOL.pad_mode : n->op == OP_AVGPOOL ? &a->AVGPOOL.pad_mode : &a->LPPOOL.pad_mode;
    float *value = n->op == OP_MAXPOOL ? &a->MAXPOOL.pad_value : n->op == OP_AVGPOOL ? &a->AVGPOOL.pad_value : &a->LPPOOL.pad_value;
    if (*mode) pad_before(g, n, pad, (PadMode)(*mode - (n->op == OP_MAXPOOL)), *value);
    *mode = 0;
    *value = 0;
}

/* Axes are padded one by one, so any set of them may come first; crops do, with all that they allow for. */
static void expand_pad(Graph *g, Node *n) {
    Ints *pads = &n->attr.PAD.pads;
    int rank = pads->n / 2, padded = 0;
    if (pad_mode_of(&n->attr.PAD) == PAD_CONSTANT) return;
    AttrAny attr = n->attr;
    for (int i = 0; i < rank; i++) {
        bool some = pads->v[i] > 0 || pads->v[rank + i] > 0;
        padded += some;
        if (some && padded > MAX_PADDED_AXES) attr.PAD.pads.v[i] = attr.PAD.pads.v[rank + i] = 0; /* stays for n … */
        else pads->v[i] = pads->v[rank + i] = 0;                                                 /* … or is done */
    }
    if (padded <= MAX_PADDED_AXES) {
        n->attr = attr;
        return;
    }
    n->in[0] = insert(g, n, OP_PAD, "part", n->in[0], &attr);
    expand_pad(g, n);
}

static void expand_convtranspose(Graph *g, Node *n) {
    AttrAny attr;
    if (type_plain(&n->in[1]->type).axis[0].letter == 'o') return; /* fold did it */
    attr_defaults(OP_TURNWEIGHT, &attr);
    attr.TURNWEIGHT.groups = n->attr.CONVTRANSPOSE.groups;
    n->in[1] = insert(g, n, OP_TURNWEIGHT, "turned", n->in[1], &attr);
}

void pass_expand(Graph *g, PassContext *c) {
    (void)c;
    for (int i = 0; i < g->n_node; i++) {
        Node *n = g->node[i];
        if (n->op == OP_CONV) expand_conv(g, n);
        else if (n->op == OP_MAXPOOL || n->op == OP_AVGPOOL || n->op == OP_LPPOOL) expand_pool(g, n);
        else if (n->op == OP_CONVTRANSPOSE) expand_convtranspose(g, n);
        else if (n->op == OP_PAD) expand_pad(g, n);
        while (g->node[i] != n) i++;
    }
}
