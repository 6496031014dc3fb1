/* prefetch x at w_o in C
 *
 *   for w_o 14 { … for C 32 {                        →   for w_o 14 { … for C 32 {
 *       … x[C, h, 4*w_o + w_i, c] …                          prefetch x[C, h, 4*w_o + 4, 0]; prefetch x[C, h, 4*w_o + 6, 0];
 *   } }                                                      … } }
 *
 * Each iteration of the inner loop fetches the cache lines that it will touch in the next iteration of the outer one and has not
 * touched in this one. Where loops between the two come to the same lines again, each of their iterations fetches a share. The two may
 * be one loop. What is fetched in the last iteration lies elsewhere, perhaps outside the buffer: a prefetch never fails.
 * Always legal; refused where it would be no hint but a burden: no lines to fetch, or more than MOST_LINES of them. */
#include "ir/loop/rewrite.h"

#include <stdlib.h>
#include <string.h>

enum { LINE = 64, MOST_LINES = 32, MOST_ELEMENTS = 1 << 14, MOST_BETWEEN = 16 };

typedef struct Ahead {
    const char *outer, *inner;
    int buf;
    int outer_var; /* of the outer loop around, −1 outside */
    int between[MOST_BETWEEN], n_between;
    bool seen, found; /* such loops, and lines to fetch in one of them */
} Ahead;

/* Sorted line numbers, each once. */
typedef struct Lines {
    int64_t *v;
    int n;
} Lines;

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* The lines of a box of elements, `shift` elements further on. */
static Lines lines_of(Kernel *k, const Type *type, const Tile *tile, int64_t shift) {
    int64_t stride[MAX_AXES], n = 1, line = LINE / (int64_t)dtype_bytes(type->dtype), at[MAX_AXES] = {0};
    int64_t all = 1;
    for (int i = type->rank - 1; i >= 0; all *= type->axis[i--].extent) stride[i] = all;
    for (int i = 0; i < type->rank; i++) n *= tile->extent[i];
    Lines l = {ARENA_ARRAY(k->arena, int64_t, n), 0};
    for (int64_t e = 0; e < n; e++) {
        int64_t offset = shift;
        for (int i = 0; i < type->rank; i++) offset += at[i] * tile->step[i] * stride[i];
        l.v[e] = floor_div(offset, line);
        for (int i = type->rank - 1; i >= 0 && ++at[i] == tile->extent[i]; i--) at[i] = 0;
    }
    qsort(l.v, (size_t)n, sizeof *l.v, by_number);
    for (int64_t e = 0; e < n; e++)
        if (l.n == 0 || l.v[l.n - 1] != l.v[e]) l.v[l.n++] = l.v[e];
    return l;
}

static bool lines_have(const Lines *l, int64_t line) {
    return bsearch(&line, l->v, (size_t)l->n, sizeof *l->v, by_number) != NULL;
}

/* Which of the iterations that come to the same lines this is, of how many: enough of the innermost loops for `lines` shares. */
static Affine share_index(Kernel *k, const Ahead *p, const Tile *tile, int rank, int lines, int64_t *shares) {
    Affine t = affine_const(0);
    *shares = 1;
    for (int i = p->n_between - 1; i >= 0 && *shares < lines; i--) {
        bool moves = false;
        for (int j = 0; j < rank; j++) moves |= affine_coef(&tile->outer[j], p->between[i]) != 0;
        if (moves || k->var[p->between[i]].extent == 1) continue;
        t = affine_add(k->arena, t, affine_scale(k->arena, affine_var(k->arena, p->between[i]), *shares));
        *shares *= k->var[p->between[i]].extent;
    }
    return t;
}

/* A run of lines one after the other, from `first` on. */
static Stmt *fetch_run(Kernel *k, const Ahead *p, const Tile *tile, int64_t first, int lines, int *total) {
    const Type *type = &k->buf[p->buf].type;
    int64_t shares, line = LINE / (int64_t)dtype_bytes(type->dtype);
    Affine share = share_index(k, p, tile, type->rank, lines, &shares), sub[MAX_AXES];
    int64_t each = (lines + shares - 1) / shares;
    Affine next = affine_offset(affine_var(k->arena, p->outer_var), 1);
    Stmt *list = NULL;
    for (int64_t q = 0; q < each; q++) {
        for (int i = 0; i < type->rank; i++)
            sub[i] = affine_offset(affine_subst(k->arena, tile->outer[i], p->outer_var, next), tile->lo[i]);
        Affine offset = affine_offset(affine_scale(k->arena, share, each * line), (first + q) * line);
        sub[type->rank - 1] = affine_add(k->arena, sub[type->rank - 1], offset);
        list = stmt_append(list, stmt_prefetch(k, p->buf, sub));
    }
    *total += (int)each;
    return list;
}

static bool fetch_lines(Kernel *k, const Ahead *p, const Tile *tile, Stmt **out, Diag *d) {
    const Buf *b = &k->buf[p->buf];
    int64_t elements = 1, shift = 0;
    for (int i = 0; i < b->type.rank; i++) {
        elements *= tile->extent[i];
        shift = shift * b->type.axis[i].extent + affine_coef(&tile->outer[i], p->outer_var);
    }
    if (shift == 0) return diag_fail(d, DIAG_SPEC, "loop %s does not move %s", p->outer, b->name);
    if (elements > MOST_ELEMENTS)
        return diag_fail(d, DIAG_SPEC, "an iteration of loop %s touches %lld elements of %s, too many to fetch",
                         p->inner, (long long)elements, b->name);
    Lines now = lines_of(k, &b->type, tile, 0), then = lines_of(k, &b->type, tile, shift);
    int64_t base = shift / (LINE / (int64_t)dtype_bytes(b->type.dtype));
    int total = 0;
    for (int i = 0; i < then.n;) {
        int n = 0;
        while (i + n < then.n && then.v[i + n] == then.v[i] + n && !lines_have(&now, then.v[i + n])) n++;
        if (n) *out = stmt_append(*out, fetch_run(k, p, tile, then.v[i] - base, n, &total));
        i += n ? n : 1;
    }
    return total <= MOST_LINES ||
           diag_fail(d, DIAG_SPEC, "%d lines of %s would be fetched in an iteration of loop %s, at most %d are", total,
                     b->name, p->inner, MOST_LINES);
}

static bool fetch_in(Kernel *k, Ahead *p, Stmt *loop, Diag *d) {
    AccessList list = {0};
    Tile tile;
    accesses_collect(k->arena, loop->body, p->buf, &list);
    if (list.n == 0) return true; /* a loop of that name that has nothing to do with the buffer */
    for (int i = 0; i < list.n; i++)
        if (list.v[i].take)
            return diag_fail(d, DIAG_SPEC, "%s is read at places that are known at run time only (take)",
                             k->buf[p->buf].name);
    Stmt *fetches = NULL;
    if (!tile_of(k, loop->body, &list, p->buf, &tile, d) || !fetch_lines(k, p, &tile, &fetches, d)) return false;
    p->seen = true;
    if (!fetches) return true; /* a rest of few elements may lie in one line with the next */
    loop->body = stmt_append(fetches, loop->body);
    p->found = true;
    return true;
}

static bool walk(Kernel *k, Ahead *p, Stmt *s, Diag *d) {
    for (; s; s = s->next) {
        if (s->kind != STMT_FOR) {
            if (!walk(k, p, s->body, d)) return false;
            continue;
        }
        const char *name = k->var[s->var].name;
        bool outer = strcmp(name, p->outer) == 0, inside = p->outer_var >= 0;
        if (outer) p->outer_var = s->var;
        else if (inside && p->n_between == MOST_BETWEEN)
            return diag_fail(d, DIAG_SPEC, "more than %d loops inside loop %s", MOST_BETWEEN, p->outer);
        else if (inside) p->between[p->n_between++] = s->var;
        if (p->outer_var >= 0 && strcmp(name, p->inner) == 0) {
            if (s->mark == MARK_VEC) return diag_fail(d, DIAG_SPEC, "loop %s is a vector", name);
            if (!outer) p->n_between--;
            if (!fetch_in(k, p, s, d)) return false;
            if (!outer) p->n_between++;
        } else if (!walk(k, p, s->body, d)) {
            return false;
        }
        if (outer) p->outer_var = -1;
        else if (inside) p->n_between--;
    }
    return true;
}

bool step_prefetch(Kernel *k, Lexer *l, Diag *d) {
    Ahead p = {.buf = -1, .outer_var = -1};
    const char *name;
    if (!lex_name(l, &name) || !lex_want(l, "at") || !lex_name(l, &p.outer) || !lex_want(l, "in") ||
        !lex_name(l, &p.inner))
        return false;
    for (int i = 0; i < k->n_buf; i++)
        if (k->buf[i].kind != BUF_REG && strcmp(k->buf[i].name, name) == 0) p.buf = i;
    if (p.buf < 0) return diag_fail(d, DIAG_SPEC, "no parameter or scratch named %s", name);
    if (!walk(k, &p, k->body, d)) return false;
    if (p.seen && !p.found) return diag_fail(d, DIAG_SPEC, "loop %s goes to no new line of %s", p.outer, name);
    return p.found || diag_fail(d, DIAG_SPEC, "%s is not used in a loop %s inside a loop %s", name, p.inner, p.outer);
}
