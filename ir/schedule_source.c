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

/* A strip of x fits a quarter of the second-level cache, and there are enough of them to share. All weights pass for each
 * strip: they must stay in the cache too, or be few beside the multiply-adds. */
bool source_strips(Choice *c, const Path *p, TileChoice *t) {
    const Expr *e = p->store->value;
    if (e->kind != EXPR_CALL || e->fn != FN_MUL) return false;
    bool first = e->arg[0]->kind == EXPR_LOAD && c->k->buf[e->arg[0]->buf].kind == BUF_SCRATCH;
    const Expr *x = e->arg[!first], *w = e->arg[first];
    if (x->kind != EXPR_LOAD || c->k->buf[x->buf].kind != BUF_SCRATCH) return false;
    Traffic m = tile_traffic(c, p, t, x, w);
    double l2 = (double)c->t->l2_bytes;
    for (int i = 1; i < p->n && t->strip < 0; i++) {
        int var = p->var[i];
        int64_t extent = choice_extent(c, var), least = var == t->position ? LEAST_TILES * t->n_position : 1;
        if (tile_is_reduction(c, p, i)) return false;
        if (var == t->many || var == t->vec || !tile_follows_alone(c, x, w, var)) continue;
        if (!tile_extents_agree(c, c->k->body, choice_name(c, var), extent)) return false;
        int64_t fits = (int64_t)((double)extent * l2 / 4 / m.x), most = extent / LEAST_STRIPS;
        t->n_strip = divisor_below(extent, fits < most ? fits : most, least);
        if (t->n_strip > most || t->n_strip > fits) return false;
        t->strip = var;
    }
    if (t->strip < 0) return false;
    double strips = (double)choice_extent(c, t->strip) / (double)t->n_strip;
    if (m.w > l2 / 2 && m.w * strips > 0.15 * m.fmas) return false;
    text_add(&c->reason, "; computed with what it reads, in %.0f strips of %.0f KB", strips, 1e-3 * m.x / strips);
    return true;
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
    const Stmt *blocks = NULL, *runs = NULL, *s = inner->nests;
    for (; s->kind == STMT_FOR && !s->body->next; s = s->body) {
        if (!blocks && choice_extent(inner, s->var) >= LEAST_BLOCKS) blocks = s;
        if (s->body->kind == STMT_FOR) runs = s;
    }
    if (s->kind != STMT_STORE || !blocks || blocks == runs) return;
    AccessList list = {0};
    Stmt alone = *s;
    alone.next = NULL;
    accesses_collect(c->a, &alone, -1, &list);
    for (int i = 0; i < list.n; i++) {
        const Buf *b = &inner->k->buf[list.v[i].buf];
        Affine at = affine_linear(c->a, &b->type, list.v[i].sub);
        if (b->kind != BUF_IN || !affine_coef(&at, blocks->var) || !affine_coef(&at, runs->var)) continue;
        const char *step = arena_printf(c->a, "prefetch %s at %s in %s", b->name, choice_name(inner, blocks->var),
                                        choice_name(inner, runs->var));
        if (scheduled(c, step)) choice_step(c, "%s", step);
    }
}

/* The schedule of one source where it stands by now. */
static bool schedule_source(Choice *c, const char *name) {
    Kernel *k = scheduled(c, "");
    if (!k) return false;
    Stmt *alloc = find_alloc(k, k->body, name), *last;
    if (!alloc) return false;
    Choice inner = {.a = c->a, .k = k, .t = c->t, .nests = alloc->body, .inside = true, .steps.arena = c->a, .reason.arena = c->a};
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
