/* A reduction nest as a register tile: which of its loops become vector, several vectors and positions, how the loops
 * outside are cut into strips and shared between threads, and the steps that say so. The sizes come from
 * schedule_cost.c.
 *
 * The body of the innermost reduction loop stays short (up to 4 input channels): longer ones make LLVM hoist loads and
 * spill. Indirect loads are done lane by lane, and with these it is not unrolled at all: a 3×3 convolution of sampled
 * positions is twice as fast so, in a fifth of the time to compile. */
#include "ir/loop/rewrite.h"
#include "ir/schedule_choice.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_BODY = 4, MOST_TASKS = 1024 };

bool tile_loads_follow(const Choice *c, const Expr *e, int var, bool all) {
    if (e->kind == EXPR_LOAD) {
        Affine at = affine_linear(c->a, &c->k->buf[e->buf].type, e->sub);
        return affine_coef(&at, var) != 0 || (e->take && expr_moves(c->a, c->k, e, var));
    }
    if (e->kind != EXPR_CALL) return all;
    bool some = false, every = true;
    for (int i = 0; i < fn_args(e->fn); i++) {
        bool one = tile_loads_follow(c, e->arg[i], var, all);
        some |= one;
        every &= one;
    }
    return all ? every : some;
}

/* A load takes each element of this loop from another cache line, and lies along memory in the reduction. */
static bool gathers(const Choice *c, const Expr *e, int var, int reduction) {
    if (e->kind == EXPR_LOAD) {
        Affine at = affine_linear(c->a, &c->k->buf[e->buf].type, e->sub);
        return affine_coef(&at, var) >= 16 && affine_coef(&at, reduction) == 1;
    }
    bool any = false;
    if (e->kind == EXPR_CALL)
        for (int i = 0; i < fn_args(e->fn); i++) any |= gathers(c, e->arg[i], var, reduction);
    return any;
}

/* The loop of the result that is contiguous there and in every load that follows it. */
int tile_find_vector(const Choice *c, const Path *p) {
    for (int i = 1; i < p->n; i++) { /* the outermost, n, stays outside */
        bool contiguous = choice_coef(c, p->store, p->var[i]) == 1 && choice_extent(c, p->var[i]) > 1 &&
                          !source_conditional(c, p->var[i]);
        if (contiguous && !gathers(c, p->store->value, p->var[i], p->var[p->n - 1])) return p->var[i];
    }
    return -1;
}

/* Where both move one axis of the result, the blocks of the one must be the whole other: else the tile has holes. */
static bool has_holes(const Choice *c, const Path *p, int var, int vec, bool split) {
    for (int i = 0; i < c->k->buf[p->store->buf].type.rank; i++) {
        int64_t step = affine_coef(&p->store->sub[i], var);
        if (step != 0 && affine_coef(&p->store->sub[i], vec) != 0 && (split || step != choice_extent(c, vec)))
            return true;
    }
    return false;
}

/* Beside positions further on along the same axis the loop leaves places out, which other nests of the kernel set: two of three residues of a
 * transposed convolution. */
static bool leaves_gaps(const Choice *c, const Path *p, int var) {
    for (int i = 0; i < c->k->buf[p->store->buf].type.rank; i++) {
        int64_t own = affine_coef(&p->store->sub[i], var), next = 0;
        for (int j = 0; j < p->n && own != 0; j++) {
            int64_t step = affine_coef(&p->store->sub[i], p->var[j]);
            if (p->var[j] != var && step > own && (next == 0 || step < next)) next = step;
        }
        if (next != 0 && next != own * choice_extent(c, var)) return true;
    }
    return false;
}

static int find_many(const Choice *c, const Path *p, int vec, bool split) {
    for (int i = p->n - 1; i >= 0; i--) {
        int var = p->var[i];
        if (var == vec || choice_coef(c, p->store, var) == 0 || choice_extent(c, var) == 1) continue;
        if (source_conditional(c, var)) continue;
        if (has_holes(c, p, var, vec, split) || leaves_gaps(c, p, var)) continue;
        const Expr *e = p->store->value;
        if (e->kind == EXPR_CALL && e->fn == FN_MUL && !tile_loads_follow(c, e, var, true)) {
            /* x stands still and w moves: the operand without the vector loop must not follow */
            const Expr *x = tile_loads_follow(c, e->arg[0], vec, false) ? e->arg[1] : e->arg[0];
            if (!tile_loads_follow(c, x, var, false)) return var;
        }
    }
    return -1;
}

/* The innermost loop over positions: the smallest step in the result that is neither of the others. */
static int find_position(const Choice *c, const Path *p, int vec, bool split, int many) {
    int best = -1;
    for (int i = 0; i < p->n; i++) {
        int var = p->var[i];
        int64_t coef = choice_coef(c, p->store, var);
        if (var == vec || var == many || coef == 0 || choice_extent(c, var) == 1 || i == 0) continue;
        if (source_conditional(c, var) || has_holes(c, p, var, vec, split)) continue;
        if (best < 0 || coef < choice_coef(c, p->store, best)) best = var;
    }
    return best;
}

/* Unrolling this reduction loop would let neighbouring positions share loads: LLVM then keeps them all
 * alive, and spills once there are many. */
static bool window_overlaps(const Choice *c, const Expr *e, int reduction, int position) {
    if (e->kind == EXPR_LOAD) {
        Affine at = affine_linear(c->a, &c->k->buf[e->buf].type, e->sub);
        return affine_coef(&at, reduction) != 0 && affine_coef(&at, reduction) == affine_coef(&at, position);
    }
    bool any = false;
    if (e->kind == EXPR_CALL)
        for (int i = 0; i < fn_args(e->fn); i++) any |= window_overlaps(c, e->arg[i], reduction, position);
    return any;
}

/* Loops and sizes of the tile. */
static TileChoice plan_tile(const Choice *c, const Path *p, int vec) {
    TileChoice t = {.vec = vec, .vec_extent = choice_extent(c, vec), .n_many = 1, .n_position = 1};
    int lanes = target_lanes(c->t);
    if (t.vec_extent > 2 * lanes || (t.vec_extent > lanes && t.vec_extent % lanes == 0)) t.vec_split = lanes;
    t.many = find_many(c, p, vec, t.vec_split > 0);
    t.position = find_position(c, p, vec, t.vec_split > 0, t.many);
    const Expr *e = p->store->value;
    bool weights = e->kind == EXPR_CALL && e->fn == FN_MUL &&
                   !(tile_loads_follow(c, e->arg[0], vec, false) && tile_loads_follow(c, e->arg[1], vec, false));
    if (t.vec_split > 0 && t.many < 0) { /* the vector loop's own blocks are the several vectors */
        int64_t blocks = t.vec_extent / lanes, most = t.position >= 0 ? 2 : 8;
        t.vec_split = lanes * (blocks < most ? blocks : most);
        if (t.vec_split > 64) t.vec_split = 64;
    }
    /* Depthwise: the several vectors are neighbouring positions, whose windows LLVM keeps in registers; rows of them do not fit
     * beside. */
    if (!weights && t.many >= 0) t.position = -1;
    tile_choose_size(c, &t, weights);
    return t;
}

bool tile_is_reduction(const Choice *c, const Path *p, int i) {
    return i > 0 && choice_coef(c, p->store, p->var[i]) == 0;
}

/* ---- loops outside ----------------------------------------------------------------------------------- */

static void outer_add(OuterList *list, const Outer *one) { list->v[list->n++] = *one; }

/* A loop that is split: the parts outside and inside. Without an inner part it is whole. */
typedef struct Parts {
    const char *outer, *inner;
    int64_t times; /* of the outer part */
    bool rest;
} Parts;

bool tile_extents_agree(const Choice *c, const Stmt *s, const char *name, int64_t extent) {
    for (; s; s = s->next) {
        bool same = s->kind == STMT_FOR && strcmp(choice_name(c, s->var), name) == 0;
        if ((same && choice_extent(c, s->var) != extent) || !tile_extents_agree(c, s->body, name, extent)) return false;
    }
    return true;
}

/* A loop and what strips or chunks leave of it: its name by now, and how long it is. */
static Parts loop_whole(const Choice *c, const TileChoice *t, int var) {
    if (var < 0) return (Parts){0};
    if (var != t->strip && var != t->chunk) return (Parts){choice_name(c, var), NULL, choice_extent(c, var), false};
    return (Parts){arena_printf(c->a, "%s_r", choice_name(c, var)), NULL, var == t->strip ? t->n_strip : t->n_chunk,
                   false};
}

const char *tile_loop_name(const Choice *c, const TileChoice *t, int var) { return loop_whole(c, t, var).outer; }

/* Splits what is left of a loop for tiles of n. */
static Parts loop_split(Choice *c, const TileChoice *t, int var, int64_t n) {
    Parts whole = loop_whole(c, t, var);
    if (var < 0 || n == 0) return whole;
    const char *name = choice_name(c, var);
    bool alike = tile_extents_agree(c, c->k->body, name, choice_extent(c, var));
    Parts p = {arena_printf(c->a, "%s_o", name), arena_printf(c->a, "%s_i", name), (whole.times + n - 1) / n,
               whole.times % n != 0 || !alike};
    choice_step(c, "split %s %lld -> %s %s", whole.outer, (long long)n, p.outer, p.inner);
    return p;
}

/* Cuts the strip loop, and puts the strips outside the channels before these are split: the rest of a split is a nest
 * beside, and both must lie in the one loop over strips. */
static void cut_strips(Choice *c, const Path *p, const TileChoice *t) {
    const char *name = choice_name(c, t->strip);
    Text order = {.arena = c->a};
    choice_step(c, "split %s %lld -> %s_s %s_r", name, (long long)t->n_strip, name, name);
    bool placed = false;
    for (int i = 0; i < p->n; i++) {
        if (!placed && (p->var[i] == t->many || p->var[i] == t->strip || (c->sources && i == 1))) {
            text_add(&order, " %s_s", name);
            placed = true;
        }
        text_add(&order, " %s", loop_whole(c, t, p->var[i]).outer);
    }
    choice_step(c, "order%s", text_get(&order));
}

/* The loops of the result outside the tile: strips of positions, blocks of output channels, positions within the strip,
 * so that weights of a block stay in the first-level cache and a strip of x in the second. */
static OuterList outer_loops(const Choice *c, const Path *p, const TileChoice *t, const Parts *many,
                             const Parts *position, const Parts *vec) {
    OuterList list = {0};
    bool placed = t->strip < 0;
    for (int i = 0; i < p->n; i++) {
        int var = p->var[i];
        if (tile_is_reduction(c, p, i)) continue;
        if (!placed && (var == t->many || var == t->strip || (c->sources && i == 1))) {
            const char *strips = arena_printf(c->a, "%s_s", choice_name(c, t->strip));
            outer_add(&list, &(Outer){strips, t->strip, choice_extent(c, t->strip) / t->n_strip, false, false});
            placed = true;
        }
        Parts part = var == t->many       ? *many
                     : var == t->position ? *position
                     : var == t->vec      ? *vec
                                          : loop_whole(c, t, var);
        if (var == t->vec && !vec->inner) continue; /* whole in the tile */
        outer_add(&list, &(Outer){part.outer, var, part.times, part.rest, false});
        if (var != t->many || t->chunk < 0) continue;
        const char *chunks = arena_printf(c->a, "%s_s", choice_name(c, t->chunk));
        outer_add(&list, &(Outer){chunks, t->chunk, choice_extent(c, t->chunk) / t->n_chunk, false, true});
    }
    return list;
}

/* Whether a loop from place n on, or the tile's positions, move an axis of the store by more than the loop at place i:
 * iterations of loop i then interleave, which only both together as tasks are proved not to. */
static bool interleaves(const Choice *c, const Path *p, const TileChoice *t, const OuterList *list, int i, int n) {
    bool tile = t->position >= 0 && t->n_position > 1 && list->v[i].var != t->position && list->v[i].times > 1;
    for (int axis = 0; axis < c->k->buf[p->store->buf].type.rank; axis++) {
        int64_t own = llabs(affine_coef(&p->store->sub[axis], list->v[i].var));
        if (own && tile && llabs(affine_coef(&p->store->sub[axis], t->position)) > own) return true;
        for (int j = n; j < list->n && own; j++)
            if (llabs(affine_coef(&p->store->sub[axis], list->v[j].var)) > own) return true;
    }
    return false;
}

/* Threads take the outer loops, from the outside, up to the first that has a rest behind it. If that is the outermost but
 * for a single image, the loop over images goes, and the rest becomes a nest at the top with tasks of its own. */
static void par_outside(Choice *c, const Path *p, const TileChoice *t, const OuterList *list) {
    Text par = {.arena = c->a};
    int64_t tasks = 1;
    bool apart = list->n > 1 && list->v[0].times == 1 && list->v[1].rest;
    int first = apart ? 1 : 0, n = first;
    for (; n < list->n && tasks < MOST_TASKS && !list->v[n].sums && (!list->v[n].rest || (apart && n == first)); n++) {
        tasks *= list->v[n].times;
        if (c->sources && list->v[n].var == t->strip) break; /* the sources are inside */
    }
    if (c->sources && n < list->n) n++;
    for (int i = first; i < n; i++) {
        if (!interleaves(c, p, t, list, i, n)) continue;
        n--; /* one loop less, and all that are left once more */
        i = first - 1;
    }
    tasks = 1;
    for (int i = first; i < n; i++) {
        text_add(&par, " %s", list->v[i].name);
        tasks *= list->v[i].times;
    }
    if (tasks > 1 && apart) choice_step(c, "drop %s", list->v[0].name);
    if (tasks > 1) choice_step(c, "par%s", text_get(&par));
}

/* ---- the reduction ----------------------------------------------------------------------------------- */

static bool loads_indirectly(const Choice *c, const Stmt *store) {
    AccessList list = {0};
    Stmt alone = *store;
    alone.next = NULL;
    accesses_collect(c->a, &alone, -1, &list);
    for (int i = 0; i < list.n; i++)
        if (list.v[i].take) return true;
    return false;
}

/* The reduction's loops; the innermost is cut to a short body. Gives the loop to unroll, NULL if none. */
static const char *order_reduction(Choice *c, const Path *p, const TileChoice *t, Text *order) {
    int count = 0, last = -1;
    bool indirect = loads_indirectly(c, p->store);
    for (int i = 0; i < p->n; i++)
        if (tile_is_reduction(c, p, i)) {
            count++;
            last = p->var[i];
        }
    const char *unroll = NULL;
    for (int i = 0; i < p->n; i++) {
        int var = p->var[i];
        int64_t extent = choice_extent(c, var);
        if (!tile_is_reduction(c, p, i)) continue;
        if (var == last && var != t->chunk && extent > SHORT_BODY && extent % SHORT_BODY == 0 && count > 1 &&
            !indirect) {
            Parts parts = loop_split(c, t, var, SHORT_BODY);
            text_add(order, " %s %s", parts.outer, parts.inner);
            unroll = parts.inner;
            continue;
        }
        text_add(order, " %s", loop_whole(c, t, var).outer);
        /* with more than half of the registers taken there is no room for the shared loads */
        bool full = 2 * t->n_many * t->n_position > c->t->vector_registers;
        bool spills = full && t->position >= 0 && window_overlaps(c, p->store->value, var, t->position);
        if (var == last && extent <= SHORT_BODY && !spills && !indirect) unroll = choice_name(c, var);
    }
    return unroll;
}

/* The longest loop of the reduction but for the innermost, which has the body: blocks of channels. */
int tile_longest_reduction(const Choice *c, const Path *p) {
    int best = -1;
    for (int i = 1; i + 1 < p->n; i++) {
        int var = p->var[i];
        if (tile_is_reduction(c, p, i) &&
            tile_extents_agree(c, c->k->body, choice_name(c, var), choice_extent(c, var)) &&
            (best < 0 || choice_extent(c, var) > choice_extent(c, best)))
            best = var;
    }
    return best;
}

/* Bytes of the box that a load of this expression goes through, the largest of several. */
int64_t tile_load_bytes(const Choice *c, const Expr *e) {
    int64_t most = 0;
    if (e->kind == EXPR_LOAD) {
        const Type *t = &c->k->buf[e->buf].type;
        most = (int64_t)dtype_bytes(t->dtype);
        for (int i = 0; i < t->rank; i++) {
            int64_t lo, hi;
            affine_range(c->k, &e->sub[i], &lo, &hi);
            most *= hi - lo + 1;
        }
    }
    for (int i = 0; e->kind == EXPR_CALL && i < fn_args(e->fn); i++) {
        int64_t one = tile_load_bytes(c, e->arg[i]);
        if (one > most) most = one;
    }
    return most;
}

/* ---- strips ------------------------------------------------------------------------------------------- */

bool tile_follows_alone(const Choice *c, const Expr *x, const Expr *w, int var) {
    return tile_loads_follow(c, x, var, false) && !tile_loads_follow(c, w, var, false);
}

Traffic tile_traffic(const Choice *c, const Path *p, const TileChoice *t, const Expr *x, const Expr *w) {
    Traffic m = {
        .fmas = 1, .passes = 1, .blocks = t->many < 0 ? 1 : (choice_extent(c, t->many) + t->n_many - 1) / t->n_many};
    int64_t images = choice_extent(c, p->var[0]), groups = 1;
    for (int i = 1; i < p->n; i++) {
        int var = p->var[i];
        m.fmas *= (double)choice_extent(c, var);
        if (tile_is_reduction(c, p, i)) continue;
        bool moves_x = tile_loads_follow(c, x, var, false), moves_w = tile_loads_follow(c, w, var, false);
        if (moves_x && moves_w && var != t->vec) groups *= choice_extent(c, var);
        if (moves_x && !moves_w)
            m.passes *= var == t->position ? (choice_extent(c, var) + t->n_position - 1) / t->n_position
                                           : choice_extent(c, var);
    }
    m.groups = groups;
    m.rest = t->many >= 0 && choice_extent(c, t->many) % t->n_many != 0;
    m.fmas /= (double)(target_lanes(c->t) * groups);
    m.x = (double)(tile_load_bytes(c, x) / (images * groups));
    m.w = (double)(tile_load_bytes(c, w) / groups);
    return m;
}

/* The outermost loop over positions is cut into strips, or the longest of the reduction into chunks. */
static void plan_caches(Choice *c, const Path *p, TileChoice *t) {
    const Expr *e = p->store->value;
    if (t->many < 0 || e->kind != EXPR_CALL || e->fn != FN_MUL) return;
    bool first = tile_loads_follow(c, e->arg[0], t->many, false);
    const Expr *x = e->arg[first], *w = e->arg[!first];
    Traffic m = tile_traffic(c, p, t, x, w);
    int chunk = tile_longest_reduction(c, p);
    t->n_chunk = chunk < 0 ? 0 : chunk_to_fetch(c, &m, choice_extent(c, chunk));
    if (t->n_chunk) {
        t->chunk = chunk;
        t->fetch = true;
        return;
    }
    for (int i = 1; i < p->n && t->strip < 0 && t->chunk < 0; i++) {
        int var = p->var[i];
        int64_t extent = choice_extent(c, var);
        if (tile_is_reduction(c, p, i)) {
            if (chunk < 0) return;
            t->n_chunk = chunk_choose(c, &m, choice_extent(c, chunk));
            if (t->n_chunk) t->chunk = chunk;
            return;
        }
        if (!tile_extents_agree(c, c->k->body, choice_name(c, var), extent)) continue;
        if (var == t->many || var == t->vec || !tile_follows_alone(c, x, w, var)) continue;
        t->n_strip = strip_choose(c, &m, extent, var == t->position ? t->n_position : 1);
        if (!t->n_strip && var == t->position)
            t->n_strip =
                strip_for_tasks(c, &m, extent, t->n_position, choice_extent(c, p->var[0]) * m.groups * m.blocks);
        if (t->n_strip) t->strip = var;
        while (i + 1 < p->n && !tile_is_reduction(c, p, i + 1)) i++;
    }
}

void choose_tile_schedule(Choice *c, const Path *p, int vec) {
    TileChoice t = plan_tile(c, p, vec);
    int lanes = target_lanes(c->t);
    int64_t vectors = t.n_many * vector_parts(t.vec_split ? t.vec_split : t.vec_extent, lanes);
    text_add(&c->reason, "%lld×%lld tile of %lld-lane vectors: %lld accumulators, %d registers", (long long)vectors,
             (long long)t.n_position, (long long)(t.vec_extent < lanes ? t.vec_extent : lanes),
             (long long)(vectors * t.n_position), c->t->vector_registers);
    t.strip = t.chunk = -1;
    if (c->sources && !source_strips(c, p, &t)) return;
    if (!c->sources && !c->inside) plan_caches(c, p, &t);
    if (t.strip >= 0) cut_strips(c, p, &t);
    if (t.chunk >= 0)
        choice_step(c, "split %s %lld -> %s_s %s_r", choice_name(c, t.chunk), (long long)t.n_chunk,
                    choice_name(c, t.chunk), choice_name(c, t.chunk));

    Parts vector = loop_split(c, &t, vec, t.vec_split), many = loop_split(c, &t, t.many, t.n_many),
          position = loop_split(c, &t, t.position, t.n_position);
    OuterList list = outer_loops(c, p, &t, &many, &position, &vector);
    if (!vector.inner) vector.inner = choice_name(c, vec);
    Text order = {.arena = c->a};
    for (int i = 0; i < list.n; i++) text_add(&order, " %s", list.v[i].name);
    const char *unroll = order_reduction(c, p, &t, &order);
    /* positions outside the several vectors: the other way round every broadcast stays alive and spills */
    if (position.inner) text_add(&order, " %s", position.inner);
    if (many.inner) text_add(&order, " %s", many.inner);
    choice_step(c, "order%s %s", text_get(&order), vector.inner);
    choice_step(c, "stage %s at %s -> acc", c->k->buf[p->store->buf].name, list.v[list.n - 1].name);
    choose_vectors(c, c->inside ? c->nests->next
                                : c->k->body->next); /* the other nests, halos: it splits, which comes before clip */
    if (c->sources && !source_steps(c, arena_printf(c->a, "%s_s", choice_name(c, t.strip)))) return;
    clip_windows(c, p, &t, unroll);
    fetch_ahead(c, p, &t, &list);
    if (!c->inside) par_outside(c, p, &t, &list);
    if (unroll) choice_step(c, "unroll %s", unroll);
    if (many.inner) choice_step(c, "unroll %s", many.inner);
    if (position.inner) choice_step(c, "unroll %s", position.inner);
    choice_step(c, "vec %s", vector.inner);
}
