/* Which schedule for which nest.
 *
 * A reduction nest (y = init; y += x·w; y = tail) becomes a register tile: one loop of the result is
 * the vector, one that w follows and x does not gives several vectors for each x, and positions give
 * several x for each w. The tile keeps the whole reduction: vectors × positions accumulators, as many
 * as the registers hold beside the weights and one broadcast, and at least the latency of the
 * multiply-add times the units. Its cost a reduction step is modelled as
 *
 *     max(multiply-adds, latency bound) + ½ · weight loads
 *
 * summed over full and rest tiles; the cheapest wins. The body of the innermost reduction loop stays
 * short (up to 4 input channels): longer ones make LLVM hoist loads and spill.
 *
 * Everything else is a sweep over memory: the contiguous loop is the vector. */
#include "ir/schedule.h"

#include <string.h>

enum { MAX_PATH = 24, SHORT_BODY = 4, PAR_WORK = 4096 };

/* The loops around one store, outermost first. */
typedef struct Path { int n, var[MAX_PATH]; const Stmt *store; } Path;

typedef struct Choice {
    Arena *a;
    const Kernel *k;
    const Target *t;
    Text steps, reason;
} Choice;

static void step(Choice *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void step(Choice *c, const char *fmt, ...) {
    char one[512];
    va_list ap;
    va_start(ap, fmt);
    __builtin_vsnprintf(one, sizeof one, fmt, ap);
    va_end(ap);
    text_add(&c->steps, "%s%s", c->steps.n ? "; " : "", one);
}

static const char *name_of(const Choice *c, int var) { return c->k->var[var].name; }
static int64_t extent_of(const Choice *c, int var) { return c->k->var[var].extent; }

/* The deepest reduction store of a nest, with its loops. */
static void find_reduction(const Stmt *s, Path *path, Path *best) {
    for (; s; s = s->next) {
        if (s->kind == STMT_STORE) {
            if (s->op != STORE_SET && path->n > best->n) {
                *best = *path;
                best->store = s;
            }
            continue;
        }
        if (s->kind == STMT_FOR) {
            if (path->n == MAX_PATH) continue;
            path->var[path->n++] = s->var;
        }
        find_reduction(s->body, path, best);
        if (s->kind == STMT_FOR) path->n--;
    }
}

static int64_t target_coef(const Choice *c, const Stmt *store, int var) {
    Affine at = affine_linear(c->a, &c->k->buf[store->buf].type, store->sub);
    return affine_coef(&at, var);
}

static bool has_alloc(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == STMT_ALLOC || has_alloc(s->body)) return true;
    return false;
}

/* ---- sweeps ------------------------------------------------------------------------------------- */

static bool loop_sets_contiguous(const Choice *c, const Stmt *loop) {
    for (const Stmt *b = loop->body; b; b = b->next)
        if (b->kind != STMT_STORE || b->op != STORE_SET || target_coef(c, b, loop->var) != 1) return false;
    return true;
}

/* Steps address all loops of a name: every one of them must do. */
static bool name_sets_contiguous(const Choice *c, const Stmt *s, const char *name) {
    for (; s; s = s->next) {
        if (s->kind == STMT_FOR && strcmp(name_of(c, s->var), name) == 0 && !loop_sets_contiguous(c, s)) return false;
        if (!name_sets_contiguous(c, s->body, name)) return false;
    }
    return true;
}

/* The longest loop of that name. */
static int64_t name_extent(const Choice *c, const Stmt *s, const char *name) {
    int64_t most = 0;
    for (; s; s = s->next) {
        int64_t inner = name_extent(c, s->body, name);
        if (s->kind == STMT_FOR && strcmp(name_of(c, s->var), name) == 0 && extent_of(c, s->var) > inner) inner = extent_of(c, s->var);
        if (inner > most) most = inner;
    }
    return most;
}

/* Innermost loops that only set contiguous elements become vectors, for each name once. */
static void sweep_vectors(Choice *c, const Stmt *s, const char **done, int *n_done) {
    int lanes = target_lanes(c->t);
    for (; s; s = s->next) {
        sweep_vectors(c, s->body, done, n_done);
        if (s->kind != STMT_FOR || *n_done == MAX_PATH) continue;
        const char *name = name_of(c, s->var);
        bool good = extent_of(c, s->var) > 1 && loop_sets_contiguous(c, s) && name_sets_contiguous(c, c->k->body, name);
        for (int i = 0; i < *n_done; i++) good &= strcmp(done[i], name) != 0;
        if (!good) continue;
        done[(*n_done)++] = name;
        if (name_extent(c, c->k->body, name) > 4 * lanes) {
            step(c, "split %s %d -> %s_o %s_v", name, 4 * lanes, name, name);
            step(c, "vec %s_v", name);
        } else {
            step(c, "vec %s", name);
        }
    }
}

static bool moves_all_targets(const Choice *c, const Stmt *s, int var) {
    for (; s; s = s->next) {
        if (s->kind == STMT_STORE ? target_coef(c, s, var) == 0 : !moves_all_targets(c, s->body, var)) return false;
    }
    return true;
}

/* Outer loops worth sharing between threads: those around everything that each result moves with,
 * while one iteration does not become too little work. */
static void sweep_par(Choice *c, const Stmt *nest) {
    int64_t work = 1, tasks = 1;
    for (const Stmt *s = nest; s && s->kind == STMT_FOR; s = s->body->next ? NULL : s->body) work *= extent_of(c, s->var);
    Text names = {.arena = c->a};
    for (const Stmt *s = nest; s && s->kind == STMT_FOR; s = s->body->next ? NULL : s->body) {
        bool innermost = s->body->kind != STMT_FOR;
        if (innermost || work / tasks <= PAR_WORK || tasks >= 256 || !moves_all_targets(c, s->body, s->var)) break;
        tasks *= extent_of(c, s->var);
        text_add(&names, " %s", name_of(c, s->var));
    }
    if (tasks > 1) step(c, "par%s", text_get(&names));
}

/* A reduction whose result has no contiguous loop: the innermost loop of the reduction becomes as many
 * running sums as a vector has lanes. */
static bool choose_running_sums(Choice *c, const Path *p) {
    int last = p->var[p->n - 1], lanes = target_lanes(c->t);
    if (target_coef(c, p->store, last) != 0 || extent_of(c, last) < 2 * lanes) return false;
    step(c, "rfactor %s %d -> %s_r", name_of(c, last), lanes, name_of(c, last));
    step(c, "vec %s_r", name_of(c, last));
    text_add(&c->reason, "%d running sums, joined as a tree", lanes);
    return true;
}

static void choose_sweep(Choice *c, const char *reason) {
    const char *done[MAX_PATH];
    int n_done = 0;
    const Stmt *first = c->k->body;
    sweep_par(c, first);
    sweep_vectors(c, c->k->body, done, &n_done);
    text_add(&c->reason, "%s", reason);
}

/* ---- register tiles ------------------------------------------------------------------------------- */

typedef struct Tile {
    int vec;     /* the vector loop … */
    int64_t vec_extent, vec_split; /* … split by this first; 0: whole */
    int many;    /* several vectors for each x; −1 if none */
    int position;/* several positions; −1 if none */
    int64_t n_many, n_position;
    double cost;
} TileChoice;

/* Registers that a vector of this many elements takes: whole ones, then a power of two each. */
static int64_t vector_parts(int64_t width, int lanes) { return width / lanes + __builtin_popcountll((uint64_t)(width % lanes)); }

static bool loads_follow(const Choice *c, const Expr *e, int var, bool all) {
    if (e->kind == EXPR_LOAD) {
        Affine at = affine_linear(c->a, &c->k->buf[e->buf].type, e->sub);
        return affine_coef(&at, var) != 0;
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
    double loads = weights ? 0.5 * (double)(many * vectors) : 0.5 * (double)(positions * vectors);
    return (fmas > least ? fmas : least) + loads;
}

static double tile_cost(const Choice *c, const TileChoice *t, int64_t many_all, int64_t position_all, int64_t vectors, bool weights) {
    double cost = 0;
    for (int r = 0; r < 2; r++)
        for (int q = 0; q < 2; q++) {
            int64_t many = r ? many_all % t->n_many : t->n_many, times = r ? 1 : many_all / t->n_many;
            int64_t positions = q ? position_all % t->n_position : t->n_position, again = q ? 1 : position_all / t->n_position;
            if (many > 0 && positions > 0) cost += (double)(times * again) * tile_step_cost(c, many, positions, vectors, weights);
        }
    return cost;
}

static void choose_tile(const Choice *c, TileChoice *t, bool weights) {
    int lanes = target_lanes(c->t);
    int64_t width = t->vec_split ? t->vec_split : t->vec_extent, vectors = vector_parts(width, lanes);
    int64_t many_all = t->many >= 0 ? extent_of(c, t->many) : 1, position_all = t->position >= 0 ? extent_of(c, t->position) : 1;
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

/* The loop of the result that is contiguous there and in every load that follows it. */
static int find_vector(const Choice *c, const Path *p) {
    for (int i = 1; i < p->n; i++) /* the outermost, n, stays outside */
        if (target_coef(c, p->store, p->var[i]) == 1 && extent_of(c, p->var[i]) > 1) return p->var[i];
    return -1;
}

static int find_many(const Choice *c, const Path *p, int vec) {
    for (int i = p->n - 1; i >= 0; i--) {
        int var = p->var[i];
        if (var == vec || target_coef(c, p->store, var) == 0 || extent_of(c, var) == 1) continue;
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
static int find_position(const Choice *c, const Path *p, int vec, int many) {
    int best = -1;
    for (int i = 0; i < p->n; i++) {
        int var = p->var[i];
        int64_t coef = target_coef(c, p->store, var);
        if (var == vec || var == many || coef == 0 || extent_of(c, var) == 1 || i == 0) continue;
        if (best < 0 || coef < target_coef(c, p->store, best)) best = var;
    }
    return best;
}

/* split NAME by n; the outer and inner names. A loop that is taken whole is split too, so that the tile
 * always has the same form. */
static void tile_split(Choice *c, int var, int64_t n, const char **outer, const char **inner) {
    const char *name = name_of(c, var);
    *outer = arena_printf(c->a, "%s_o", name);
    *inner = arena_printf(c->a, "%s_i", name);
    step(c, "split %s %lld -> %s %s", name, (long long)n, *outer, *inner);
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

static void choose_reduction(Choice *c, const Path *p, int vec) {
    TileChoice t = {.vec = vec, .vec_extent = extent_of(c, vec), .n_many = 1, .n_position = 1};
    int lanes = target_lanes(c->t);
    if (t.vec_extent > 2 * lanes || (t.vec_extent > lanes && t.vec_extent % lanes == 0)) t.vec_split = lanes;
    t.many = find_many(c, p, vec);
    t.position = find_position(c, p, vec, t.many);
    const Expr *e = p->store->value;
    bool weights = e->kind == EXPR_CALL && e->fn == FN_MUL && !(loads_follow(c, e->arg[0], vec, false) && loads_follow(c, e->arg[1], vec, false));
    bool blocks = t.vec_split > 0 && t.many < 0; /* the vector loop's own blocks are the several vectors */
    if (blocks) {
        int64_t n_blocks = t.vec_extent / lanes;
        int64_t most = t.position >= 0 ? 2 : 8;
        t.vec_split = lanes * (n_blocks < most ? n_blocks : most);
        if (t.vec_split > 64) t.vec_split = 64;
    }
    choose_tile(c, &t, weights);

    const char *many_o = NULL, *many_i = NULL, *pos_o = NULL, *pos_i = NULL, *vec_o = NULL, *vec_v = name_of(c, vec);
    if (t.vec_split) tile_split(c, vec, t.vec_split, &vec_o, &vec_v);
    if (t.many >= 0) tile_split(c, t.many, t.n_many, &many_o, &many_i);
    if (t.position >= 0) tile_split(c, t.position, t.n_position, &pos_o, &pos_i);

    Text order = {.arena = c->a}, par = {.arena = c->a};
    const char *at = name_of(c, p->var[0]);
    text_add(&order, "order");
    /* outside: blocks of output channels first (their weights stay in the cache), then positions */
    for (int i = 0; i < p->n; i++) {
        int var = p->var[i];
        if (target_coef(c, p->store, var) == 0 && i > 0) continue;
        const char *name = var == t.many ? many_o : var == t.position ? pos_o : var == vec ? vec_o : name_of(c, var);
        if (!name) continue;
        text_add(&order, " %s", name);
        at = name;
    }
    int reduction = 0, last = -1;
    for (int i = 1; i < p->n; i++)
        if (target_coef(c, p->store, p->var[i]) == 0) {
            reduction++;
            last = p->var[i];
        }
    const char *unroll_last = NULL;
    for (int i = 1; i < p->n; i++) {
        int var = p->var[i];
        if (target_coef(c, p->store, var) != 0) continue;
        if (var == last && extent_of(c, var) > SHORT_BODY && extent_of(c, var) % SHORT_BODY == 0 && reduction > 1) {
            const char *o, *in;
            tile_split(c, var, SHORT_BODY, &o, &in);
            text_add(&order, " %s %s", o, in);
            unroll_last = in;
        } else {
            text_add(&order, " %s", name_of(c, var));
            bool spills = t.position >= 0 && t.n_position > 8 && window_overlaps(c, e, var, t.position);
            if (var == last && extent_of(c, var) <= SHORT_BODY && !spills) unroll_last = name_of(c, var);
        }
    }
    /* positions outside the several vectors: the other way round every broadcast stays alive and spills */
    if (pos_i) text_add(&order, " %s", pos_i);
    if (many_i) text_add(&order, " %s", many_i);
    text_add(&order, " %s", vec_v);
    step(c, "%s", text_get(&order));
    step(c, "stage %s at %s -> acc", c->k->buf[p->store->buf].name, at);

    /* threads take the outer loops, from the outside */
    int64_t tasks = 1;
    for (int i = 0; i < p->n && tasks < 1024; i++) {
        int var = p->var[i];
        if (target_coef(c, p->store, var) == 0 && i > 0) break;
        if (var == t.position || var == vec) break; /* behind these come rests */
        int64_t n = var == t.many ? extent_of(c, var) / t.n_many : extent_of(c, var);
        if (var == t.many && extent_of(c, var) % t.n_many) break;
        text_add(&par, " %s", var == t.many ? many_o : name_of(c, var));
        tasks *= n;
    }
    if (tasks > 1) step(c, "par%s", text_get(&par));
    if (unroll_last) step(c, "unroll %s", unroll_last);
    if (many_i) step(c, "unroll %s", many_i);
    if (pos_i) step(c, "unroll %s", pos_i);
    step(c, "vec %s", vec_v);
    int64_t vectors = vector_parts(t.vec_split ? t.vec_split : t.vec_extent, lanes);
    text_add(&c->reason, "%lld×%lld tile of %lld-lane vectors: %lld accumulators, %d registers", (long long)(t.n_many * vectors), (long long)t.n_position,
             (long long)(t.vec_extent < lanes ? t.vec_extent : lanes), (long long)(t.n_many * vectors * t.n_position), c->t->vector_registers);

    /* the other nests: halos */
    const char *done[MAX_PATH];
    int n_done = 0;
    sweep_vectors(c, c->k->body->next, done, &n_done);
}

Schedule schedule_choose(Arena *a, const Kernel *k, const Target *t) {
    Choice c = {.a = a, .k = k, .t = t, .steps.arena = a, .reason.arena = a};
    Path path = {0}, best = {0};
    if (k->body && !has_alloc(k->body)) find_reduction(k->body, &path, &best);
    int vec = best.store ? find_vector(&c, &best) : -1;
    if (vec >= 0) choose_reduction(&c, &best, vec);
    else if (!best.store || !choose_running_sums(&c, &best)) choose_sweep(&c, best.store ? "no contiguous loop of the result is a vector" : "a sweep over memory, contiguous loop as vector");
    return (Schedule){text_get(&c.steps), text_get(&c.reason)};
}
