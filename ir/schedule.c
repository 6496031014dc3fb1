/* Which schedule for which nest: a reduction becomes a register tile (schedule_tile.c) where some loop of
 * its result is contiguous, running sums where not; everything else is a sweep over memory with the
 * contiguous loop as vector. */
#include "ir/schedule_choice.h"

#include <string.h>

enum { PAR_WORK = 4096 };

void choice_step(Choice *c, const char *fmt, ...) {
    char one[512];
    va_list ap;
    va_start(ap, fmt);
    __builtin_vsnprintf(one, sizeof one, fmt, ap);
    va_end(ap);
    text_add(&c->steps, "%s%s", c->steps.n ? "; " : "", one);
}

const char *choice_name(const Choice *c, int var) { return c->k->var[var].name; }
int64_t choice_extent(const Choice *c, int var) { return c->k->var[var].extent; }

/* The deepest reduction store of a nest, with its loops. */
void choice_find_reduction(const Stmt *s, Path *path, Path *best) {
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
        choice_find_reduction(s->body, path, best);
        if (s->kind == STMT_FOR) path->n--;
    }
}

int64_t choice_coef(const Choice *c, const Stmt *store, int var) {
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
    if (loop->guard) return false;
    for (const Stmt *b = loop->body; b; b = b->next)
        if (b->kind != STMT_STORE || choice_coef(c, b, loop->var) != 1) return false;
    return true;
}

/* Steps address all loops of a name: every one of them must do. */
static bool name_sets_contiguous(const Choice *c, const Stmt *s, const char *name) {
    for (; s; s = s->next) {
        if (s->kind == STMT_FOR && strcmp(choice_name(c, s->var), name) == 0 && !loop_sets_contiguous(c, s))
            return false;
        if (!name_sets_contiguous(c, s->body, name)) return false;
    }
    return true;
}

/* The longest loop of that name. */
static int64_t name_extent(const Choice *c, const Stmt *s, const char *name) {
    int64_t most = 0;
    for (; s; s = s->next) {
        int64_t inner = name_extent(c, s->body, name);
        if (s->kind == STMT_FOR && strcmp(choice_name(c, s->var), name) == 0 && choice_extent(c, s->var) > inner)
            inner = choice_extent(c, s->var);
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
        const char *name = choice_name(c, s->var);
        bool good =
            choice_extent(c, s->var) > 1 && loop_sets_contiguous(c, s) && name_sets_contiguous(c, c->k->body, name);
        for (int i = 0; i < *n_done; i++) good &= strcmp(done[i], name) != 0;
        if (!good) continue;
        done[(*n_done)++] = name;
        if (name_extent(c, c->k->body, name) > 4 * lanes) {
            choice_step(c, "split %s %d -> %s_o %s_v", name, 4 * lanes, name, name);
            choice_step(c, "vec %s_v", name);
        } else {
            choice_step(c, "vec %s", name);
        }
    }
}

/* Registers live within one iteration. */
static bool moves_all_targets(const Choice *c, const Stmt *s, int var) {
    for (; s; s = s->next) {
        bool own = s->kind == STMT_STORE && c->k->buf[s->buf].kind != BUF_OUT;
        if (own) continue;
        if (s->kind == STMT_STORE ? choice_coef(c, s, var) == 0 : !moves_all_targets(c, s->body, var)) return false;
    }
    return true;
}

/* How often the stores inside are carried out, for one iteration of the loops outside. */
static int64_t store_count(const Choice *c, const Stmt *s) {
    int64_t n = 0;
    for (; s; s = s->next)
        n += s->kind == STMT_STORE ? 1 : (s->kind == STMT_FOR ? choice_extent(c, s->var) : 1) * store_count(c, s->body);
    return n;
}

/* Outer loops worth sharing between threads: those around everything that each result moves with,
 * while one iteration does not become too little work. */
static void sweep_par(Choice *c, const Stmt *nest) {
    int64_t work = 1, tasks = 1;
    for (const Stmt *s = nest; s && s->kind == STMT_FOR; s = s->body->next ? NULL : s->body) {
        work *= choice_extent(c, s->var);
        if (s->body->kind == STMT_ALLOC) work *= store_count(c, s->body);
    }
    Text names = {.arena = c->a};
    for (const Stmt *s = nest; s && s->kind == STMT_FOR; s = s->body->next ? NULL : s->body) {
        bool innermost = s->body->kind == STMT_STORE, once = choice_extent(c, s->var) == 1;
        bool moves = once || moves_all_targets(c, s->body, s->var);
        if (innermost || work / tasks <= PAR_WORK || tasks >= 256 || !moves) break;
        tasks *= choice_extent(c, s->var);
        text_add(&names, " %s", choice_name(c, s->var));
    }
    if (tasks > 1) choice_step(c, "par%s", text_get(&names));
}

/* A reduction whose result has no contiguous loop: the innermost loop of the reduction becomes as many
 * running sums as a vector has lanes. */
static bool choose_running_sums(Choice *c, const Path *p) {
    int last = p->var[p->n - 1], lanes = target_lanes(c->t);
    if (choice_coef(c, p->store, last) != 0 || choice_extent(c, last) < 2 * lanes) return false;
    choice_step(c, "rfactor %s %d -> %s_r", choice_name(c, last), lanes, choice_name(c, last));
    choice_step(c, "vec %s_r", choice_name(c, last));
    text_add(&c->reason, "%d running sums, joined as a tree", lanes);
    return true;
}

void choose_vectors(Choice *c, const Stmt *nests) {
    const char *done[MAX_PATH];
    int n_done = 0;
    sweep_vectors(c, nests, done, &n_done);
}

static void choose_sweep(Choice *c) {
    if (!c->inside) sweep_par(c, c->nests);
    choose_vectors(c, c->nests);
    if (!c->inside) text_add(&c->reason, "a sweep over memory, contiguous loop as vector");
}

/* Neighbouring loops over positions become one where memory has neither a halo nor a stride between rows: tiles then
 * cross rows, and 7×7 positions are 49 in a line. Sources do as well, or nobody does. */
static void fuse_positions(Choice *c) {
    static const char *const steps[] = {"fuse h%s w%s -> hw%s", "fuse d%s hw%s -> dhw%s", "fuse d%s h%s -> dh%s"};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        Text all = {.arena = c->a};
        for (int source = 0; source <= c->sources; source++) {
            const char *of = source ? arena_printf(c->a, ".t%d", source) : "";
            text_add(&all, "%s", source ? "; " : "");
            text_add(&all, steps[i], of, of, of);
        }
        Kernel *k = kernel_clone(c->a, c->k);
        if (!kernel_schedule(k, text_get(&all), NULL, NULL)) continue;
        choice_step(c, "%s", text_get(&all));
        c->k = k;
        c->nests = source_main_nests(k);
    }
}

static Path find_tile(Choice *c) {
    Path path = {0}, best = {0};
    if (!has_alloc(c->nests)) choice_find_reduction(c->nests, &path, &best);
    return best;
}

void choose_nests(Choice *c) {
    Path best = find_tile(c);
    if (best.store && !c->inside) {
        fuse_positions(c);
        best = find_tile(c);
    }
    int vec = best.store ? tile_find_vector(c, &best) : -1;
    if (vec >= 0) choose_tile_schedule(c, &best, vec);
    else if (c->sources) source_sweep(c);
    else if ((!best.store || c->inside || !choose_running_sums(c, &best))) choose_sweep(c);
}

static Schedule choose(Arena *a, const Kernel *k, const Target *t, Variant v) {
    Choice c = {.a = a,
                .k = k,
                .plain = k,
                .t = t,
                .nests = source_main_nests(k),
                .sources = source_count(k),
                .steps.arena = a,
                .reason.arena = a,
                .variant = v};
    if (c.nests) choose_nests(&c);
    return (Schedule){text_get(&c.steps), text_get(&c.reason)};
}

Schedule schedule_choose(Arena *a, const Kernel *k, const Target *t) { return choose(a, k, t, (Variant){0}); }

static void add_candidate(Arena *a, const Kernel *k, const Target *t, Variant v, Schedule *out, int *n) {
    Schedule s = choose(a, k, t, v);
    for (int i = 0; i < *n; i++)
        if (strcmp(out[i].steps, s.steps) == 0) return;
    if (*n < MOST_CANDIDATES) out[(*n)++] = s;
}

int schedule_candidates(Arena *a, const Kernel *k, const Target *t, Schedule out[MOST_CANDIDATES]) {
    int n = 0;
    for (int rank = 0; rank < TILE_RANKS; rank++)
        for (int v = 0; v < (rank == 0 ? CACHE_VARIANTS : CACHE_MODEL + 1); v++)
            add_candidate(a, k, t, (Variant){rank, (CacheVariant)v}, out, &n);
    for (int v = 1; v < CACHE_VARIANTS; v++) add_candidate(a, k, t, (Variant){1, (CacheVariant)v}, out, &n);
    return n;
}
