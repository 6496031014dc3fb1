/* depthtospace, spacetodepth, channelshuffle: channels change places with each other or with positions. */
#include "ir/ops/move.h"
#include "ir/ops/ops.h"

#include <string.h>

enum { DCR, CRD }; /* words of DEPTHTOSPACE.mode */

static int64_t power(int64_t b, int n) {
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= b;
    return p;
}

/* Channels times `up` over `down`, each position times the block over or under it. */
static bool depth_shape(Node *n, const Type *x, int64_t block, bool to_space, Diag *d) {
    int spatial = x->rank - 2;
    int64_t extent[MAX_SPATIAL], channels = x->axis[1].extent, blocks = power(block, spatial);
    char text[SHAPE_TEXT];
    if (to_space && channels % blocks)
        return diag_fail(d, DIAG_SPEC, "%lld channels do not divide into %lld positions; x is %s", (long long)channels,
                         (long long)blocks, shape_text(text, x));
    for (int i = 0; i < spatial; i++) {
        extent[i] = x->axis[2 + i].extent;
        if (!to_space && extent[i] % block)
            return diag_fail(d, DIAG_SPEC, "the block is %lld along %c, which does not divide it; x is %s",
                             (long long)block, x->axis[2 + i].letter, shape_text(text, x));
        extent[i] = to_space ? extent[i] * block : extent[i] / block;
    }
    bool ok = shape_set(n, x, to_space ? channels / blocks : channels * blocks, extent, d);
    n->type.dtype = x->dtype;
    return ok;
}

bool depthtospace_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    return shape_activation(&x, 1, d) && depth_shape(n, &x, n->attr.DEPTHTOSPACE.block, true, d);
}

bool spacetodepth_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    return shape_activation(&x, 1, d) && depth_shape(n, &x, n->attr.SPACETODEPTH.block, false, d);
}

/* y[n, c, h·b + i, w·b + j] = x[n, (i·b + j)·C + c, h, w]; of mode crd x[n, c·b² + i·b + j, h, w]. */
static Move depthtospace_move(const Node *n) {
    Type x = shape_in(n, 0), y = type_plain(&n->type);
    int64_t b = n->attr.DEPTHTOSPACE.block, blocks = power(b, x.rank - 2), channels = y.axis[1].extent;
    bool crd = n->attr.DEPTHTOSPACE.mode == CRD;
    Move m = {0};
    char name[3] = "?";
    move_digit(&m, "n", x.axis[0].extent, 0, 1, 0, 1);
    move_digit(&m, "c", channels, 1, 1, 1, crd ? blocks : 1);
    int64_t step = crd ? blocks : blocks * channels;
    for (int i = 2; i < x.rank; i++) {
        step /= b;
        name[0] = x.axis[i].letter, name[1] = '\0';
        move_digit(&m, name, x.axis[i].extent, i, b, i, 1);
        name[1] = 'b';
        move_digit(&m, name, b, i, 1, 1, step);
    }
    return m;
}
MOVED(depthtospace)

/* y[n, (i·b + j)·C + c, h, w] = x[n, c, h·b + i, w·b + j] */
static Move spacetodepth_move(const Node *n) {
    Type x = shape_in(n, 0), y = type_plain(&n->type);
    int64_t b = n->attr.SPACETODEPTH.block, channels = x.axis[1].extent, step = power(b, x.rank - 2) * channels;
    Move m = {0};
    char name[3] = "?b";
    move_digit(&m, "n", x.axis[0].extent, 0, 1, 0, 1);
    for (int i = 2; i < x.rank; i++) {
        step /= b;
        name[0] = x.axis[i].letter;
        move_digit(&m, name, b, 1, step, i, 1);
    }
    move_digit(&m, "c", channels, 1, 1, 1, 1);
    name[1] = '\0';
    for (int i = 2; i < x.rank; i++) {
        name[0] = x.axis[i].letter;
        move_digit(&m, name, y.axis[i].extent, i, 1, i, b);
    }
    return m;
}
MOVED(spacetodepth)

/* ---- channelshuffle ------------------------------------------------------------------------------- */

bool channelshuffle_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0);
    int64_t extent[MAX_AXES];
    char text[SHAPE_TEXT];
    int32_t groups = n->attr.CHANNELSHUFFLE.groups;
    if (x.rank < 2 || x.axis[1].extent % groups)
        return diag_fail(d, DIAG_SPEC, "channels that divide into %d groups are needed; x is %s", groups,
                         shape_text(text, &x));
    return type_of_rank(&n->type, x.dtype, extents_of(&x, extent), extent, d);
}

/* Channel j of group i becomes channel i of group j. */
static Move channelshuffle_move(const Node *n) {
    Type x = shape_in(n, 0);
    int64_t groups = n->attr.CHANNELSHUFFLE.groups, each = x.axis[1].extent / groups;
    Move m = {0};
    char name[2];
    move_digit(&m, "n", x.axis[0].extent, 0, 1, 0, 1);
    move_digit(&m, "c", each, 1, groups, 1, 1);
    move_digit(&m, "g", groups, 1, 1, 1, each);
    for (int i = 2; i < x.rank; i++) move_digit(&m, move_name(name, &x, i), x.axis[i].extent, i, 1, i, 1);
    return m;
}
MOVED(channelshuffle)
