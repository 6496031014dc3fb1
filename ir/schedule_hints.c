/* Steps that go with a register tile and change no loop of it: what of a window lies in the halo only is left out, and what the next tile
 * or chunk needs is fetched ahead. */
#include "ir/schedule_choice.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_WINDOW = 64 };

static bool is_reduction_var(const Choice *c, const Path *p, int var) {
    for (int i = 0; i < p->n; i++)
        if (p->var[i] == var) return tile_is_reduction(c, p, i);
    return false;
}

/* ---- the halo -------------------------------------------------------------------------------------------- */

/* How many of at, at + step, … (n of them) are below the limit. */
static int64_t steps_below(int64_t at, int64_t step, int64_t n, int64_t limit) {
    int64_t steps = at >= limit ? 0 : (limit - at + step - 1) / step;
    return steps < n ? steps : n;
}

/* The share of this reduction loop's iterations that meet nothing but the halo along an axis of x; 0 where a loop of the tile
 * moves x along it too: then it depends on the position within the tile. */
static double share_in_halo(const Choice *c, const Path *p, const TileChoice *t, const Expr *x, int var) {
    for (int axis = 0; x->kind == EXPR_LOAD && !x->take && axis < c->k->buf[x->buf].type.rank; axis++) {
        const Buf *b = &c->k->buf[x->buf];
        const Affine *sub = &x->sub[axis];
        if (affine_coef(sub, var) == 0 || b->kind != BUF_IN || b->halo != 0 || (b->lo[axis] == 0 && b->hi[axis] == 0))
            continue;
        int other = -1;
        for (int i = 0; i < sub->n; i++) {
            int v = sub->term[i].var;
            if (v == t->position || v == t->many || v == t->vec || (v != var && is_reduction_var(c, p, v))) return 0;
            if (v != var && other >= 0) return 0;
            if (v != var) other = v;
        }
        int64_t n = choice_extent(c, var), m = other < 0 ? 1 : choice_extent(c, other), out = 0;
        int64_t step = other < 0 ? 1 : affine_coef(sub, other);
        if (step < 0) return 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t at = sub->base + i * affine_coef(sub, var);
            int64_t end = b->type.axis[axis].extent - b->hi[axis];
            out += steps_below(at, step, m, b->lo[axis]) + m - steps_below(at, step, m, end);
        }
        return (double)out / (double)(n * m);
    }
    return 0;
}

/* Iterations of the window that meet the halo only are left out: rows above and below, not columns, which are positions of a
 * tile. Measured on Zen 3, medians against reading the zeros: 5×5 64→64 at 14×14 (14 % of the taps) 0.92, 3×3 64→64 at 7×7 (10 %)
 * 0.94, 256→256 at 14×14 (5 %) 0.96, 128→128 at 28×28 (2 %) 0.985. The window's rows lie outside the channels, in memory too: inside
 * them their number changes too often to be predicted, and nothing is gained. */
void clip_windows(Choice *c, const Path *p, const TileChoice *t, const char *unrolled) {
    const Expr *e = p->store->value;
    double left = 1;
    for (int i = 1; i < p->n; i++) {
        int var = p->var[i];
        const char *name = choice_name(c, var);
        if (!tile_is_reduction(c, p, i) || var == t->chunk || choice_extent(c, var) > MOST_WINDOW ||
            (unrolled && strcmp(unrolled, name) == 0) || p->store->op != STORE_ADD || e->kind != EXPR_CALL ||
            e->fn != FN_MUL)
            continue;
        double share = share_in_halo(c, p, t, e->arg[0], var) + share_in_halo(c, p, t, e->arg[1], var);
        if (share < 0.01) continue;
        choice_step(c, "clip %s", name);
        left *= 1 - share;
    }
    if (left < 1) text_add(&c->reason, "; %.1f %% of the window in the halo, left out", 100 * (1 - left));
}

/* ---- what is fetched ahead ------------------------------------------------------------------------------- */

enum { LINE = 64, MOST_FETCHED = 16 }; /* lines in an iteration */

/* Elements that a load goes through while the tile and the reduction loops inside `loop` move: a box. */
static int64_t box_inside(const Choice *c, const Path *p, const TileChoice *t, const Expr *x, int loop) {
    int64_t all = 1;
    for (int axis = 0; axis < c->k->buf[x->buf].type.rank; axis++) {
        int64_t extent = 1;
        bool inside = false;
        for (int i = 0; i < p->n; i++) {
            int var = p->var[i];
            int64_t n = 1, step = llabs(affine_coef(&x->sub[axis], var));
            if (var == t->position) n = t->n_position;
            else if (var == t->many) n = t->n_many;
            else if (var == t->vec) n = t->vec_split ? t->vec_split : t->vec_extent;
            else if (inside && tile_is_reduction(c, p, i)) n = choice_extent(c, var);
            inside |= var == loop;
            extent += step * (n - 1);
        }
        all *= extent;
    }
    return all;
}

/* x of the next tile, a little in each iteration of the reduction over channels: rows of blocked channels are as many streams, which no
 * prefetcher follows. Measured on Zen 3, medians against none: 1×1 256→64 at 56×56 0.34, 512→128 at 28×28 0.6, 1024→256 at 14×14 0.8;
 * 3×3 0.95; 1×1 with 64 channels 0.9; ResNet-50 0.88. Fetching what a tail reads gains 1 to 4 % more, what is written loses 2. */
static void fetch_tiles(Choice *c, const Path *p, const TileChoice *t, const Outer *last, const Expr *x, int loop) {
    const Buf *b = &c->k->buf[x->buf];
    int64_t bytes = (int64_t)dtype_bytes(b->type.dtype), lines = box_inside(c, p, t, x, loop) * bytes / LINE;
    Affine at = affine_linear(c->a, &b->type, x->sub);
    int64_t step = affine_coef(&at, t->position) * t->n_position * bytes;
    if (last->var != t->position || step < LINE || lines > MOST_FETCHED || tile_load_bytes(c, x) < c->t->l1_bytes)
        return;
    choice_step(c, "prefetch %s at %s in %s", b->name, last->name, tile_loop_name(c, t, loop));
}

/* The weights of the next chunk, shared out among the positions. */
static void fetch_chunk(Choice *c, const Path *p, const TileChoice *t, const OuterList *list, const Expr *w, int loop) {
    int64_t shares = 1,
            lines = box_inside(c, p, t, w, loop) * (int64_t)dtype_bytes(c->k->buf[w->buf].type.dtype) / LINE;
    for (int i = list->n - 1; i >= 0 && !list->v[i].sums; i--) shares *= list->v[i].rest ? 1 : list->v[i].times;
    if (lines <= MOST_FETCHED * shares)
        choice_step(c, "prefetch %s at %s_s in %s", c->k->buf[w->buf].name, choice_name(c, t->chunk),
                    tile_loop_name(c, t, loop));
}

void fetch_ahead(Choice *c, const Path *p, const TileChoice *t, const OuterList *list) {
    const Expr *e = p->store->value;
    int loop = tile_longest_reduction(c, p);
    if (loop < 0 || t->position < 0 || e->kind != EXPR_CALL || e->fn != FN_MUL) return;
    bool second = !tile_loads_follow(c, e->arg[0], t->position, false);
    const Expr *x = e->arg[second], *w = e->arg[!second];
    if (x->kind == EXPR_LOAD && !x->take && c->k->buf[x->buf].kind == BUF_IN && c->k->buf[x->buf].kind == BUF_IN &&
        tile_loads_follow(c, x, loop, false))
        fetch_tiles(c, p, t, &list->v[list->n - 1], x, loop);
    if (t->fetch && w->kind == EXPR_LOAD && !w->take) fetch_chunk(c, p, t, list, w, loop);
}
