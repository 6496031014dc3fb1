#include "ir/plan.h"

#include <stdlib.h>
#include <string.h>

static int64_t aligned(int64_t bytes) { return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN; }

static void find_lives(Plan *p) {
    for (int b = 0; b < p->n_buf; b++) p->buf[b].first = p->buf[b].last = -1;
    for (int s = 0; s < p->n_step; s++)
        for (int i = 0; i < p->step[s].n_arg; i++) {
            PlanBuf *b = &p->buf[p->step[s].buf[i]];
            if (b->first < 0) b->first = s;
            b->last = s;
        }
    for (int b = 0; b < p->n_buf; b++) { /* a part keeps the whole alive … */
        if (!p->buf[b].is_part || p->buf[b].first < 0) continue;
        PlanBuf *whole = &p->buf[p->buf[b].whole];
        if (whole->first < 0 || p->buf[b].first < whole->first) whole->first = p->buf[b].first;
        if (p->buf[b].last > whole->last) whole->last = p->buf[b].last;
    }
    for (int b = 0; b < p->n_buf; b++) { /* … and itself as long */
        if (!p->buf[b].is_part) continue;
        p->buf[b].first = p->buf[p->buf[b].whole].first;
        p->buf[b].last = p->buf[p->buf[b].whole].last;
    }
}

int64_t plan_part_offset(const Plan *p, int buf) {
    const PlanBuf *b = &p->buf[buf];
    if (!b->is_part) return 0;
    int64_t step = (int64_t)dtype_bytes(b->type.dtype);
    for (int i = b->axis + 1; i < b->type.rank; i++)
        step *= (int64_t)b->type.axis[i].extent + b->type.axis[i].lo + b->type.axis[i].hi;
    return b->from * step;
}

int plan_step_over(const Plan *p, int step) {
    const PlanStep *s = &p->step[step];
    const PlanBuf *result = &p->buf[s->buf[s->n_arg - 1]];
    for (int i = 0; i + 1 < s->n_arg && result->is_over; i++)
        if (s->buf[i] == result->over) return i;
    return -1;
}

static bool live_together(const PlanBuf *x, const PlanBuf *y) { return x->first <= y->last && y->first <= x->last; }

static int64_t buf_bytes(const PlanBuf *b) { return aligned((int64_t)type_bytes(&b->type)); }

/* The lowest offset at which b overlaps none of the placed ones that live with it. */
static int64_t lowest_place(PlanBuf *const *placed, int n, const PlanBuf *b) {
    int64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n; i++) {
            int64_t end = placed[i]->at + buf_bytes(placed[i]);
            if (!live_together(placed[i], b) || at >= end || placed[i]->at >= at + buf_bytes(b)) continue;
            at = end;
            moved = true;
        }
    }
    return at;
}

/* The highest such offset that ends at `top` or before; negative if there is none. */
static int64_t highest_place(PlanBuf *const *placed, int n, const PlanBuf *b, int64_t top) {
    int64_t at = top - buf_bytes(b);
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n; i++) {
            int64_t end = placed[i]->at + buf_bytes(placed[i]);
            if (!live_together(placed[i], b) || at >= end || placed[i]->at >= at + buf_bytes(b)) continue;
            at = placed[i]->at - buf_bytes(b);
            moved = true;
        }
    }
    return at;
}

static int by_size(const void *x, const void *y) {
    const PlanBuf *a = *(PlanBuf *const *)x, *b = *(PlanBuf *const *)y;
    int64_t m = buf_bytes(a), n = buf_bytes(b);
    if (m != n) return m < n ? 1 : -1;
    return a < b ? -1 : 1;
}

static int by_life(const void *x, const void *y) {
    const PlanBuf *a = *(PlanBuf *const *)x, *b = *(PlanBuf *const *)y;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a < b ? -1 : 1;
}

/* Places all, each at the lowest offset; with `top`, those that cannot lie at 0 as high below it as they
 * can, so that a chain of values changes ends and needs no more than two neighbours do. */
static int64_t place_all(PlanBuf **todo, int n, int64_t top) {
    int64_t bytes = 0;
    for (int i = 0; i < n; i++) {
        int64_t low = lowest_place(todo, i, todo[i]), high = top && low > 0 ? highest_place(todo, i, todo[i], top) : -1;
        todo[i]->at = high >= 0 ? high : low;
        if (todo[i]->at + buf_bytes(todo[i]) > bytes) bytes = todo[i]->at + buf_bytes(todo[i]);
    }
    return bytes;
}

static int64_t most_live(const Plan *p, PlanBuf *const *todo, int n) {
    int64_t most = 0;
    for (int s = 0; s < p->n_step; s++) {
        int64_t live = 0;
        for (int i = 0; i < n; i++)
            if (todo[i]->first <= s && s <= todo[i]->last) live += buf_bytes(todo[i]);
        if (live > most) most = live;
    }
    return most;
}

static void place_weights(Plan *p) {
    p->weight_bytes = 0;
    for (int b = 0; b < p->n_buf; b++) {
        if (p->buf[b].place != PLACE_WEIGHTS) continue;
        p->buf[b].at = p->weight_bytes;
        p->weight_bytes += buf_bytes(&p->buf[b]);
    }
}

/* The smaller of the two placements. */
static void place_arena(Plan *p, PlanBuf **todo, int n) {
    p->arena_bytes = 0;
    p->live_bytes = most_live(p, todo, n);
    if (n == 0) return;
    qsort(todo, (size_t)n, sizeof *todo, by_size);
    p->arena_bytes = place_all(todo, n, 0);
    if (p->arena_bytes == p->live_bytes) return;
    qsort(todo, (size_t)n, sizeof *todo, by_life);
    int64_t other = place_all(todo, n, p->live_bytes);
    if (other < p->arena_bytes) {
        p->arena_bytes = other;
        return;
    }
    qsort(todo, (size_t)n, sizeof *todo, by_size);
    place_all(todo, n, 0);
}

/* Places what has memory of its own, and what lies over it: a memory is taken from the first value in it to the
 * last. */
static void place_wholes(Plan *p) {
    PlanBuf *memory = arena_copy(p->arena, p->buf, sizeof *p->buf * (size_t)p->n_buf);
    PlanBuf **todo = ARENA_ARRAY(p->arena, PlanBuf *, p->n_buf), **of = ARENA_ARRAY(p->arena, PlanBuf *, p->n_buf);
    int n = 0;
    for (int b = 0; b < p->n_buf; b++) {
        of[b] = p->buf[b].is_over ? of[p->buf[b].over] : &memory[b];
        if (of[b]->last < p->buf[b].last) of[b]->last = p->buf[b].last;
        if (p->buf[b].place == PLACE_ARENA && !p->buf[b].is_part && !p->buf[b].is_over) todo[n++] = &memory[b];
    }
    place_arena(p, todo, n);
    for (int b = 0; b < p->n_buf; b++)
        if (p->buf[b].place == PLACE_ARENA) p->buf[b].at = of[b]->at;
}

void plan_place(Plan *p) {
    find_lives(p);
    place_weights(p);
    place_wholes(p);
    p->scratch_bytes = 0;
    for (int i = 0; i < p->n_kernel; i++)
        if (p->kernel[i].scratch > p->scratch_bytes) p->scratch_bytes = p->kernel[i].scratch;
    for (int b = 0; b < p->n_buf; b++) {
        if (!p->buf[b].is_part) continue;
        const PlanBuf *whole = &p->buf[p->buf[b].whole];
        p->buf[b].at = whole->at + (whole->place == PLACE_ARENA ? plan_part_offset(p, b) : 0);
    }
}
