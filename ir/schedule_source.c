/* Kernels that compute what they read: a chain of scratch buffers, each set by nests of its own, in front of the nests of the result.
 * Positions of the result are cut into strips, and each strip computes the part of the sources that it reads, so that this stays in
 * the second-level cache. */
#include "ir/loop/rewrite.h"
#include "ir/schedule_choice.h"

#include <string.h>

static bool is_scratch(const Kernel *k, const Stmt *s) {
    return s && s->kind == STMT_ALLOC && k->buf[s->buf].kind == BUF_SCRATCH;
}

static bool stores_to(const Stmt *s, int buf) {
    if (s->kind == STMT_STORE) return s->buf == buf;
    for (const Stmt *b = s->body; b; b = b->next)
        if (stores_to(b, buf)) return true;
    return false;
}

/* What stands behind the statements that set the scratch. */
static const Stmt *behind(const Stmt *alloc) {
    const Stmt *s = alloc->body;
    while (s && stores_to(s, alloc->buf)) s = s->next;
    return s;
}

int source_count(const Kernel *k) {
    int n = 0;
    for (const Stmt *s = k->body; is_scratch(k, s); s = behind(s)) n++;
    return n;
}

const Stmt *source_main_nests(const Kernel *k) {
    const Stmt *s = k->body;
    while (is_scratch(k, s)) s = behind(s);
    return s;
}

static bool conditional_in(const Stmt *s, int var) {
    for (; s; s = s->next)
        if ((s->kind == STMT_FOR && s->var == var && s->guard) || conditional_in(s->body, var)) return true;
    return false;
}

bool source_conditional(const Choice *c, int var) { return c->inside && conditional_in(c->nests, var); }

/* ---- strips ------------------------------------------------------------------------------------------------- */

enum { LEAST_STRIPS = 10, LEAST_TILES = 4 };

static const Expr *scratch_load(const Choice *c, const Expr *e) {
    if (e->kind == EXPR_LOAD) return c->k->buf[e->buf].kind == BUF_SCRATCH ? e : NULL;
    const Expr *found = NULL;
    for (int i = 0; e->kind == EXPR_CALL && i < fn_args(e->fn) && !found; i++) found = scratch_load(c, e->arg[i]);
    return found;
}

/* The outermost loop over positions: it moves the load along an axis that is none of channels or images. */
static int position_loop(const Choice *c, const Path *p, const Expr *x) {
    for (int i = 1; i < p->n; i++)
        for (int axis = 0; axis < c->k->buf[x->buf].type.rank; axis++)
            if (affine_coef(&x->sub[axis], p->var[i]) && !strchr("nCcOoGg", c->k->buf[x->buf].type.axis[axis].letter))
                return p->var[i];
    return -1;
}

/* Bytes of the operand of a product that is not the other: weights. */
static double product_weights(const Choice *c, const Path *p) {
    const Expr *e = p->store ? p->store->value : NULL;
    if (!e || e->kind != EXPR_CALL || e->fn != FN_MUL) return 0;
    const Expr *x = c->k->buf[p->store->buf].kind == BUF_OUT ? scratch_load(c, e) : e->arg[0];
    return (double)tile_load_bytes(c, e->arg[e->arg[0] == x]);
}

/* Of all sources, whole. */
static double scratch_bytes(const Choice *c) {
    double bytes = 0;
    for (const Stmt *s = c->k->body; is_scratch(c->k, s); s = behind(s))
        bytes += (double)type_bytes(&c->k->buf[s->buf].type);
    return bytes;
}

/* All weights pass for each strip: they must stay in the second-level cache beside it. Measured on Zen 3 (512 KB), medians against
 * two kernels, a 3×3 convolution and a 2×2 pool: 37 KB of weights 0.95, 147 KB 0.98, 590 KB 1.0 to 1.1. Of a chain of sources
 * more would be written and read again. */
static bool weights_fit(const Choice *c, double strips) {
    double w = 0;
    for (const Stmt *s = c->k->body; s; s = is_scratch(c->k, s) ? behind(s) : NULL) {
        Path path = {0}, best = {0};
        Stmt first = is_scratch(c->k, s) ? *s->body : *s;
        first.next = NULL;
        choice_find_reduction(&first, &path, &best);
        w += product_weights(c, &best);
    }
    return w <= (double)c->t->l2_bytes / 2 || (c->sources > 1 && w * strips <= 3 * scratch_bytes(c));
}

/* How often a strip of n iterations computes each element that it reads: more than once where the windows of two strips overlap. */
static double times_computed(const Choice *c, const Expr *x, int var, int64_t n) {
    double times = 1;
    for (int axis = 0; axis < c->k->buf[x->buf].type.rank; axis++) {
        int64_t step = affine_coef(&x->sub[axis], var), lo, hi;
        if (!step) continue;
        affine_range(c->k, &x->sub[axis], &lo, &hi);
        int64_t extent = choice_extent(c, var), all = hi - lo + 1, part = all - step * (extent - n);
        times *= (double)(part * (extent / n)) / (double)all;
    }
    return times;
}

/* What is computed again, a few operations an element, must be little beside what is done with each. */
static bool worth_again(const Choice *c, const Path *p, const Expr *x, int var, int64_t n) {
    enum { OPERATIONS = 4 };
    double work = 1;
    for (int i = 0; i < p->n; i++) work *= (double)choice_extent(c, p->var[i]);
    work /= (double)tile_load_bytes(c, x) / (double)dtype_bytes(DT_F32);
    return (times_computed(c, x, var, n) - 1) * OPERATIONS <= 0.1 * work;
}

/* The strip loop for this nest, and how many of its iterations are a strip that fits so much of the second-level cache, so that there
 * are enough strips to share; false: none. */
static bool cut(Choice *c, const Path *p, const Expr *x, double room, int position, int64_t n_position, int *strip,
                int64_t *n_strip) {
    int var = x ? position_loop(c, p, x) : -1;
    if (var < 0) return false;
    int64_t extent = choice_extent(c, var), most = extent / LEAST_STRIPS, images = choice_extent(c, p->var[0]);
    double bytes = scratch_bytes(c) / (double)images;
    int64_t fits = (int64_t)((double)extent * (double)c->t->l2_bytes * room / bytes);
    *n_strip = divisor_below(extent, fits < most ? fits : most, var == position ? LEAST_TILES * n_position : 1);
    *strip = var;
    double strips = (double)extent / (double)*n_strip;
    if (*n_strip > most || *n_strip > fits || !weights_fit(c, strips) || !worth_again(c, p, x, var, *n_strip) ||
        !tile_extents_agree(c, c->k->body, choice_name(c, var), extent))
        return false;
    text_add(&c->reason, "%scomputed with what it reads, in %.0f strips of %.0f KB", c->reason.n ? "; " : "", strips,
             1e-3 * bytes / strips);
    return true;
}

bool source_strips(Choice *c, const Path *p, TileChoice *t) {
    return cut(c, p, scratch_load(c, p->store->value), 0.25, t->position, t->n_position, &t->strip, &t->n_strip);
}

/* The first load of a scratch buffer in the nest. */
static const Expr *nest_scratch_load(const Choice *c, const Stmt *s) {
    const Expr *x = s->kind == STMT_STORE ? scratch_load(c, s->value) : NULL;
    for (const Stmt *b = s->body; b && !x; b = b->next) x = nest_scratch_load(c, b);
    return x;
}

/* The loop inside it over the last axis of positions; −1: none. */
static int inner_position(const Choice *c, const Path *p, const Expr *x, int outer) {
    int best = -1;
    for (int i = 1; i < p->n; i++) {
        Path one = {.n = 2, .var = {p->var[0], p->var[i]}};
        if (p->var[i] != outer && position_loop(c, &one, x) >= 0) best = p->var[i];
    }
    return best;
}

/* Tiles of an image too wide for a row of them to be a strip: parts of a row. */
static bool cut_row(Choice *c, const Path *p, const Expr *x, int rows, int *strip, int64_t *n_strip) {
    int var = rows < 0 ? -1 : inner_position(c, p, x, rows);
    if (var < 0 || c->sources < 2) return false;
    int64_t extent = choice_extent(c, var), images = choice_extent(c, p->var[0]), all = extent * choice_extent(c, rows);
    double one = scratch_bytes(c) / (double)(images * all);
    *strip = var;
    *n_strip = divisor_below(extent, (int64_t)((double)c->t->l2_bytes / 2 / one), LEAST_TILES);
    double strips = (double)(all / *n_strip);
    if (*n_strip == extent || !weights_fit(c, strips)) return false;
    text_add(&c->reason, "computed with what it reads, in %.0f strips of %.0f KB", strips,
             1e-3 * one * (double)*n_strip);
    return true;
}

/* Tile by tile: positions are the outer loops of the nest already, and registers in it keep the order as it is. Measured on Zen 3, medians,
 * 128→128 at 112×112 with 2.4 MB of weights: three kernels 1.3, strips of 1 MB 1.0, of 2 MB 1.0 (two threads: 1.14), of 4 MB 1.3; 64→64 at
 * 224×224, rows of 1 MB instead of parts of a row 1.0 (two threads: 1.08). */
static void sweep_tiles(Choice *c, const Path *p, const Expr *x) {
    int64_t n_rows, n = 0;
    int rows = -1, strip = -1;
    bool whole = cut(c, p, x, 0.5, -1, 1, &rows, &n_rows);
    if (!whole && !cut_row(c, p, x, rows, &strip, &n)) {
        whole =
            cut(c, p, x, 2, -1, 1, &rows, &n_rows); /* then in the third-level cache, instead of all of the sources */
        if (!whole) return;
    }
    if (!whole) n_rows = 1;
    const char *name = choice_name(c, rows), *part = whole ? name : choice_name(c, strip);
    choice_step(c, "split %s %lld -> %s_s %s_r", name, (long long)n_rows, name, name);
    if (!whole) choice_step(c, "split %s %lld -> %s_s %s_r", part, (long long)n, part, part);
    if (!source_steps(c, arena_printf(c->a, "%s_s", part))) return;
    choose_vectors(c, c->k->body->next);
    choose_vectors(c, c->nests);
    choice_step(c, "par %s %s_s", choice_name(c, p->var[0]), name);
    if (!whole) choice_step(c, "par %s_r %s_s", name, part);
}

/* A result that is copied, or computed element by element. */
static void sweep_elements(Choice *c, const Path *p, const Expr *x) {
    int strip;
    int64_t n;
    if (!cut(c, p, x, 0.25, -1, 1, &strip, &n)) return;
    const char *name = choice_name(c, strip);
    choice_step(c, "split %s %lld -> %s_s %s_r", name, (long long)n, name, name);
    Text order = {.arena = c->a};
    for (int i = 0; i < p->n; i++) {
        if (i == 1) text_add(&order, " %s_s", name);
        text_add(&order, " %s%s", choice_name(c, p->var[i]), p->var[i] == strip ? "_r" : "");
    }
    choice_step(c, "order%s", text_get(&order));
    if (!source_steps(c, arena_printf(c->a, "%s_s", name))) return;
    choose_vectors(c, c->k->body->next);
    choose_vectors(c, c->nests);
    choice_step(c, "par %s %s_s", choice_name(c, p->var[0]), name);
}

void source_sweep(Choice *c) {
    Path p = {0};
    const Stmt *s = c->nests;
    for (; s->kind == STMT_FOR && !s->body->next && p.n < MAX_PATH; s = s->body) p.var[p.n++] = s->var;
    const Expr *x = nest_scratch_load(c, c->nests);
    if (p.n < 2 || !x) return;
    if (s->kind == STMT_STORE) sweep_elements(c, &p, x);
    else sweep_tiles(c, &p, x);
}

/* ---- the sources in a strip ---------------------------------------------------------------------------------- */

static Stmt *find_alloc(const Kernel *k, Stmt *s, const char *name) {
    for (; s; s = s->next) {
        if (is_scratch(k, s) && strcmp(k->buf[s->buf].name, name) == 0) return s;
        Stmt *inside = find_alloc(k, s->body, name);
        if (inside) return inside;
    }
    return NULL;
}

/* The kernel after the steps so far and these; NULL if they are not legal. */
static Kernel *scheduled(Choice *c, const char *more) {
    Kernel *k = kernel_clone(c->a, c->plain);
    return kernel_schedule(k, text_get(&c->steps), NULL, NULL) && kernel_schedule(k, more, NULL, NULL) ? k : NULL;
}

/* A sweep over blocks of channels reads a short run of each, which no prefetcher is quick enough for: what the next block needs is
 * fetched while one is done. Measured on Zen 3, 1×1 320→128 at 28×28 behind a batch norm and a relu in 14 strips, medians: 0.94 of
 * without. Fetching the strip itself ahead of the tiles that read it: 1.05. */
static void fetch_blocks(Choice *c, const Choice *inner) {
    enum { LEAST_BLOCKS = 4 };
    const Stmt *blocks = NULL, *runs = NULL, *lanes = NULL, *s = inner->nests;
    for (; s->kind == STMT_FOR && !s->body->next; s = s->body) {
        if (!blocks && choice_extent(inner, s->var) >= LEAST_BLOCKS) blocks = s;
        runs = lanes;
        lanes = s;
    }
    bool tiles = s->kind == STMT_ALLOC; /* each run is one tile then */
    if (tiles) runs = lanes;
    if ((s->kind != STMT_STORE && !tiles) || !blocks || !runs || blocks == runs) return;
    AccessList list = {0};
    Stmt alone = *s;
    alone.next = NULL;
    accesses_collect(c->a, &alone, -1, &list);
    for (int i = 0; i < list.n; i++) {
        const Buf *b = &inner->k->buf[list.v[i].buf];
        Affine at = affine_linear(c->a, &b->type, list.v[i].sub);
        if (b->kind != BUF_IN || !affine_coef(&at, blocks->var) || !affine_coef(&at, runs->var)) continue;
        if (!tiles && affine_coef(&at, lanes->var) != 1) continue; /* a line a lane */
        const char *step = arena_printf(c->a, "prefetch %s at %s in %s", b->name, choice_name(inner, blocks->var),
                                        choice_name(inner, runs->var));
        if (scheduled(c, step)) choice_step(c, "%s", step);
        if (tiles) return; /* the others are of the same tile */
    }
}

/* The schedule of one source where it stands by now. */
static bool schedule_source(Choice *c, const char *name) {
    Kernel *k = scheduled(c, "");
    if (!k) return false;
    Stmt *alloc = find_alloc(k, k->body, name), *last;
    if (!alloc) return false;
    Choice inner = {
        .a = c->a, .k = k, .t = c->t, .nests = alloc->body, .inside = true, .steps.arena = c->a, .reason.arena = c->a};
    for (last = alloc->body; last->next != behind(alloc); last = last->next) {}
    last->next = NULL; /* in a copy: only these nests are to be seen */
    choose_nests(&inner);
    if (inner.steps.n) choice_step(c, "%s", text_get(&inner.steps));
    fetch_blocks(c, &inner);
    return true;
}

bool source_steps(Choice *c, const char *strips) {
    for (int i = c->sources; i >= 1; i--) choice_step(c, "compute t%d at %s", i, strips);
    for (int i = 1; i <= c->sources; i++)
        if (!schedule_source(c, arena_printf(c->a, "t%d", i))) return false;
    return true;
}
