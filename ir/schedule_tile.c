/* Register tiles.
 *
 * A reduction nest (y = init; y += x·w; y = tail) becomes a register tile: one loop of the result is
 * the vector, one that w follows and x does not gives several vectors for each x, and positions give
 * several x for each w. The tile keeps the whole reduction: vectors × positions accumulators, as many
 * as the registers hold beside the weights and one broadcast, and at least the latency of the
 * multiply-add times the units. Its cost a reduction step is modelled as
 *
 *     max(multiply-adds, latency bound) + ½ · weight loads + 1/20 · positions
 *
 * summed over full and rest tiles; the cheapest wins. (The broadcasts of x are nearly free, as operands
 * from memory, but not quite: with several vectors a tile reads each x once for all of them. Measured on
 * Zen 4, shares of peak, 1×28 and 2×14: 3×3 64→64 at 56×56 98.5 and 99.4 %, 1×1 256→64 95.5 and 97.6 %;
 * 1×7 and 3×7 on 3×3 512→512 at 7×7: 94.9 and 97.8 %.) The body of the innermost reduction loop stays
 * short (up to 4 input channels): longer ones make LLVM hoist loads and spill. Indirect loads are done lane by
 * lane, and with these it is not unrolled at all: a 3×3 convolution of sampled positions is twice as fast so, in a
 * fifth of the time to compile. */
#include "ir/loop/rewrite.h"
#include "ir/schedule_choice.h"

#include <stdlib.h>

enum { SHORT_BODY = 4, MOST_TASKS = 1024 };

typedef struct TileChoice {
    int vec;                       /* the vector loop … */
    int64_t vec_extent, vec_split; /* … split by this first; 0: whole */
    int many;                      /* several vectors for each x; −1 if none */
    int position;                  /* several positions; −1 if none */
    int64_t n_many, n_position;
    double cost;
} TileChoice;

/* Registers that a vector of this many elements takes: whole ones, then a power of two each. */
static int64_t vector_parts(int64_t width, int lanes) {
    return width / lanes + __builtin_popcountll((uint64_t)(width % lanes));
}

static bool loads_follow(const Choice *c, const Expr *e, int var, bool all) {
    if (e->kind == EXPR_LOAD) {
        Affine at = affine_linear(c->a, &c->k->buf[e->buf].type, e->sub);
        return affine_coef(&at, var) != 0 || (e->take && expr_moves(c->a, c->k, e, var));
    }
    if (e->kind != EXPR_CALL) return all;
    bool some = false, every = true;
    for (int i = 0; i < fn_args(e->fn); i++) {
        bool one = loads_follow(c, e->arg[i], var, all);
        some |= one;
        every &= one;
    }
    return all ? every : some;
}

/* Accumulators of a tile, and what one reduction step costs in cycles. */
static double tile_step_cost(const Choice *c, int64_t many, int64_t positions, int64_t vectors, bool weights) {
    double fmas = (double)(many * positions * vectors), least = c->t->fma_latency / 2.0;
    double loads =
        weights ? 0.5 * (double)(many * vectors) + 0.05 * (double)positions : 0.5 * (double)(positions * vectors);
    return (fmas > least ? fmas : least) + loads;
}

static double tile_cost(const Choice *c, const TileChoice *t, int64_t many_all, int64_t position_all, int64_t vectors,
                        bool weights) {
    double cost = 0;
    for (int r = 0; r < 2; r++)
        for (int q = 0; q < 2; q++) {
            int64_t many = r ? many_all % t->n_many : t->n_many, times = r ? 1 : many_all / t->n_many;
            int64_t positions = q ? position_all % t->n_position : t->n_position,
                    again = q ? 1 : position_all / t->n_position;
            if (many > 0 && positions > 0)
                cost += (double)(times * again) * tile_step_cost(c, many, positions, vectors, weights);
        }
    return cost;
}

static void choose_tile(const Choice *c, TileChoice *t, bool weights) {
    int lanes = target_lanes(c->t);
    int64_t width = t->vec_split ? t->vec_split : t->vec_extent, vectors = vector_parts(width, lanes);
    int64_t many_all = t->many >= 0 ? choice_extent(c, t->many) : 1,
            position_all = t->position >= 0 ? choice_extent(c, t->position) : 1;
    /* Without broadcasts from memory as an operand (AVX-512's), each position needs a register for one, and
     * LLVM loads many ahead: 1×12 spills where 2×6 does not. */
    int64_t most_positions = c->t->vector_registers >= 32 ? 28 : 6;
    t->cost = -1;
    TileChoice best = *t;
    for (int64_t m = 1; m <= many_all && m <= 8; m++)
        for (int64_t p = 1; p <= position_all && p <= most_positions; p++) {
            int64_t registers = m * p * vectors + (weights ? m * vectors : 0) + 1;
            if (registers > c->t->vector_registers - 1 && m * p > 1) continue;
            TileChoice one = *t;
            one.n_many = m;
            one.n_position = p;
            one.cost = tile_cost(c, &one, many_all, position_all, vectors, weights);
            if (best.cost < 0 || one.cost < best.cost * 0.999) best = one;
        }
    *t = best;
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
        bool contiguous = choice_coef(c, p->store, p->var[i]) == 1 && choice_extent(c, p->var[i]) > 1;
        if (contiguous && !gathers(c, p->store->value, p->var[i], p->var[p->n - 1])) return p->var[i];
    }
    return -1;
}

/* Where both move one axis of the result, the blocks of the one must be the whole other: else the tile has holes. */
static bool has_holes(const Choice *c, const Path *p, int var, int vec, bool split) {
    for (int i = 0; i < c->k->buf[p->store->buf].type.rank; i++) {
        int64_t step = affine_coef(&p->store->sub[i], var);
        if (step != 0 && affine_coef(&p->store->sub[i], vec) != 0 && (split || step != choice_extent(c, vec))) return true;
    }
    return false;
}

static int find_many(const Choice *c, const Path *p, int vec, bool split) {
    for (int i = p->n - 1; i >= 0; i--) {
        int var = p->var[i];
        if (var == vec || choice_coef(c, p->store, var) == 0 || choice_extent(c, var) == 1) continue;
        if (has_holes(c, p, var, vec, split)) continue;
        const Expr *e = p->store->value;
        if (e->kind == EXPR_CALL && e->fn == FN_MUL && !loads_follow(c, e, var, true)) {
            /* x stands still and w moves: the operand without the vector loop must not follow */
            const Expr *x = loads_follow(c, e->arg[0], vec, false) ? e->arg[1] : e->arg[0];
            if (!loads_follow(c, x, var, false)) return var;
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
        if (has_holes(c, p, var, vec, split)) continue;
        if (best < 0 || coef < choice_coef(c, p->store, best)) best = var;
    }
    return best;
}

/* A loop that the tile splits: the names of its parts. NULL where there is no such loop. */
typedef struct Parts {
    const char *outer, *inner;
} Parts;

static Parts tile_split(Choice *c, int var, int64_t n) {
    if (var < 0 || n == 0) return (Parts){NULL, NULL};
    const char *name = choice_name(c, var);
    Parts parts = {arena_printf(c->a, "%s_o", name), arena_printf(c->a, "%s_i", name)};
    choice_step(c, "split %s %lld -> %s %s", name, (long long)n, parts.outer, parts.inner);
    return parts;
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
                   !(loads_follow(c, e->arg[0], vec, false) && loads_follow(c, e->arg[1], vec, false));
    if (t.vec_split > 0 && t.many < 0) { /* the vector loop's own blocks are the several vectors */
        int64_t blocks = t.vec_extent / lanes, most = t.position >= 0 ? 2 : 8;
        t.vec_split = lanes * (blocks < most ? blocks : most);
        if (t.vec_split > 64) t.vec_split = 64;
    }
    choose_tile(c, &t, weights);
    return t;
}

static bool is_reduction(const Choice *c, const Path *p, int i) {
    return i > 0 && choice_coef(c, p->store, p->var[i]) == 0;
}

/* The loops of the result outside the tile, in their order: blocks of output channels before positions, so
 * that their weights stay in the cache. Gives the innermost of them. */
static const char *order_outside(const Choice *c, const Path *p, const TileChoice *t, Parts many, Parts position,
                                 Parts vec, Text *order) {
    const char *at = NULL;
    for (int i = 0; i < p->n; i++) {
        int var = p->var[i];
        if (is_reduction(c, p, i)) continue;
        const char *name = var == t->many       ? many.outer
                           : var == t->position ? position.outer
                           : var == t->vec      ? vec.outer
                                                : choice_name(c, var);
        if (!name) continue;
        text_add(order, " %s", name);
        at = name;
    }
    return at;
}

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
        if (is_reduction(c, p, i)) {
            count++;
            last = p->var[i];
        }
    const char *unroll = NULL;
    for (int i = 0; i < p->n; i++) {
        int var = p->var[i];
        int64_t extent = choice_extent(c, var);
        if (!is_reduction(c, p, i)) continue;
        if (var == last && extent > SHORT_BODY && extent % SHORT_BODY == 0 && count > 1 && !indirect) {
            Parts parts = tile_split(c, var, SHORT_BODY);
            text_add(order, " %s %s", parts.outer, parts.inner);
            unroll = parts.inner;
            continue;
        }
        text_add(order, " %s", choice_name(c, var));
        /* with more than half of the registers taken there is no room for the shared loads */
        bool full = 2 * t->n_many * t->n_position > c->t->vector_registers;
        bool spills = full && t->position >= 0 && window_overlaps(c, p->store->value, var, t->position);
        if (var == last && extent <= SHORT_BODY && !spills && !indirect) unroll = choice_name(c, var);
    }
    return unroll;
}

/* Whether a loop from place n on moves an axis of the store by more than the loop at place i: iterations of loop i then
 * interleave, which only both together as tasks are proved not to. */
static bool interleaves(const Choice *c, const Path *p, int i, int n) {
    for (int axis = 0; axis < c->k->buf[p->store->buf].type.rank; axis++) {
        int64_t own = llabs(affine_coef(&p->store->sub[axis], p->var[i]));
        for (int j = n; j < p->n && own; j++)
            if (llabs(affine_coef(&p->store->sub[axis], p->var[j])) > own) return true;
    }
    return false;
}

/* Threads take the outer loops, from the outside, up to the first that has a rest behind it. */
static void par_outside(Choice *c, const Path *p, const TileChoice *t, Parts many) {
    Text par = {.arena = c->a};
    int64_t tasks = 1;
    int n = 0;
    for (; n < p->n && tasks < MOST_TASKS && !is_reduction(c, p, n); n++) {
        int var = p->var[n];
        int64_t extent = choice_extent(c, var);
        if (var == t->position || var == t->vec || (var == t->many && extent % t->n_many)) break;
        tasks *= var == t->many ? extent / t->n_many : extent;
    }
    for (int i = 0; i < n; i++) {
        if (!interleaves(c, p, i, n)) continue;
        n--; /* one loop less, and all that are left once more */
        i = -1;
    }
    tasks = 1;
    for (int i = 0; i < n; i++) {
        bool is_many = p->var[i] == t->many;
        text_add(&par, " %s", is_many ? many.outer : choice_name(c, p->var[i]));
        tasks *= choice_extent(c, p->var[i]) / (is_many ? t->n_many : 1);
    }
    if (tasks > 1) choice_step(c, "par%s", text_get(&par));
}

void choose_tile_schedule(Choice *c, const Path *p, int vec) {
    TileChoice t = plan_tile(c, p, vec);
    Parts vector = tile_split(c, vec, t.vec_split), many = tile_split(c, t.many, t.n_many),
          position = tile_split(c, t.position, t.n_position);
    if (!vector.inner) vector.inner = choice_name(c, vec);
    Text order = {.arena = c->a};
    const char *at = order_outside(c, p, &t, many, position, vector, &order);
    const char *unroll = order_reduction(c, p, &t, &order);
    /* positions outside the several vectors: the other way round every broadcast stays alive and spills */
    if (position.inner) text_add(&order, " %s", position.inner);
    if (many.inner) text_add(&order, " %s", many.inner);
    choice_step(c, "order%s %s", text_get(&order), vector.inner);
    choice_step(c, "stage %s at %s -> acc", c->k->buf[p->store->buf].name, at);
    par_outside(c, p, &t, many);
    if (unroll) choice_step(c, "unroll %s", unroll);
    if (many.inner) choice_step(c, "unroll %s", many.inner);
    if (position.inner) choice_step(c, "unroll %s", position.inner);
    choice_step(c, "vec %s", vector.inner);
    choose_vectors(c, c->k->body->next); /* the other nests: halos */

    int lanes = target_lanes(c->t);
    int64_t vectors = t.n_many * vector_parts(t.vec_split ? t.vec_split : t.vec_extent, lanes);
    text_add(&c->reason, "%lld×%lld tile of %lld-lane vectors: %lld accumulators, %d registers", (long long)vectors,
             (long long)t.n_position, (long long)(t.vec_extent < lanes ? t.vec_extent : lanes),
             (long long)(vectors * t.n_position), c->t->vector_registers);
}
