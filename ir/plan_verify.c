/* The plan verifier: see plan.h. Coverage of a box by a union of boxes is decided exactly: cut the
 * wanted box at one covering box into the parts outside it, and ask again for each. */
#include "ir/plan.h"

static bool covers(const Box *have, int n_have, const Box *want, int rank) {
    for (int h = 0; h < n_have; h++) {
        const Box *b = &have[h];
        bool meets = true;
        for (int i = 0; i < rank; i++) meets &= b->lo[i] <= want->hi[i] && want->lo[i] <= b->hi[i];
        if (!meets) continue;
        Box rest = *want; /* shrinks to what is inside b, its outside parts being asked for on the way */
        for (int i = 0; i < rank; i++) {
            Box part = rest;
            if (rest.lo[i] < b->lo[i]) {
                part.hi[i] = b->lo[i] - 1;
                if (!covers(have + h + 1, n_have - h - 1, &part, rank)) return false;
                rest.lo[i] = b->lo[i];
            }
            part = rest;
            if (rest.hi[i] > b->hi[i]) {
                part.lo[i] = b->hi[i] + 1;
                if (!covers(have + h + 1, n_have - h - 1, &part, rank)) return false;
                rest.hi[i] = b->hi[i];
            }
        }
        return true;
    }
    return false;
}

bool boxes_cover(Arena *a, const Box *have, int n_have, const Box *want, int rank) {
    (void)a;
    return covers(have, n_have, want, rank);
}

static Box whole_box(const Type *t) {
    Box all = {{0}, {0}};
    for (int i = 0; i < t->rank; i++) all.hi[i] = (int64_t)t->axis[i].extent + t->axis[i].lo + t->axis[i].hi - 1;
    return all;
}

static bool boxes_inside(const Box *b, int n, const Type *t) {
    Box all = whole_box(t);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < t->rank; j++)
            if (b[i].lo[j] < 0 || b[i].lo[j] > b[i].hi[j] || b[i].hi[j] > all.hi[j]) return false;
    return true;
}

/* The buffer whose memory this one is (a part of), and a box of it as a box of that. */
static int whole_of(const Plan *p, int buf) { return p->buf[buf].is_part ? p->buf[buf].whole : buf; }

static Box box_in_whole(const Plan *p, int buf, Box b) {
    if (!p->buf[buf].is_part) return b;
    b.lo[p->buf[buf].axis] += p->buf[buf].from;
    b.hi[p->buf[buf].axis] += p->buf[buf].from;
    return b;
}

static int64_t buf_end(const PlanBuf *b) { return b->at + (int64_t)type_bytes(&b->type); }

static bool share_memory(const PlanBuf *x, const PlanBuf *y) {
    return x->place == y->place && (x->place == PLACE_ARENA || x->place == PLACE_WEIGHTS) && x->at < buf_end(y) &&
           y->at < buf_end(x);
}

/* Two buffers of one whole have an element in common. */
static bool parts_meet(const Plan *p, int x, int y) {
    int64_t from_x = plan_part_offset(p, x), from_y = plan_part_offset(p, y);
    return from_x < from_y + (int64_t)type_bytes(&p->buf[y].type) &&
           from_y < from_x + (int64_t)type_bytes(&p->buf[x].type);
}

/* A part lies in its whole as plan.h says. */
static bool part_verify(const Plan *p, int buf, Diag *d) {
    const PlanBuf *b = &p->buf[buf];
    if (!b->is_part) return true;
    const PlanBuf *whole = b->whole < buf ? &p->buf[b->whole] : NULL;
    bool good = whole && !whole->is_part && whole->place == b->place && b->place != PLACE_WEIGHTS &&
                b->place != PLACE_INPUT && b->axis < b->type.rank && b->type.rank == whole->type.rank;
    for (int i = 0; good && i < b->type.rank; i++) {
        const Axis *x = &b->type.axis[i], *y = &whole->type.axis[i];
        bool same = x->extent == y->extent && x->lo == y->lo && x->hi == y->hi;
        if (i < b->axis) good = same && x->extent + x->lo + x->hi == 1;
        else if (i == b->axis) good = !x->lo && !x->hi && !y->lo && !y->hi && b->from + x->extent <= y->extent;
        else good = same;
    }
    good = good && b->type.dtype == whole->type.dtype && b->first == whole->first && b->last == whole->last &&
           b->at == whole->at + (b->place == PLACE_ARENA ? plan_part_offset(p, buf) : 0);
    return good || diag_fail(d, DIAG_INTERNAL, "plan: %s is no part of the buffer that is named", b->name);
}

static bool fits_kernel(const Plan *p, const PlanStep *s) {
    return s->kernel >= 0 && s->kernel < p->n_kernel && p->kernel[s->kernel].n_arg == s->n_arg;
}

/* The first step of a buffer that lies over another is given both, and its kernel may be. */
static bool made_over(const Plan *p, int buf) {
    const PlanBuf *y = &p->buf[buf];
    const PlanStep *s = y->first >= 0 && y->first < p->n_step ? &p->step[y->first] : NULL;
    if (!s || !fits_kernel(p, s)) return false;
    for (int i = 0; i < s->n_arg; i++) {
        const PlanArg *arg = &p->kernel[s->kernel].arg[i];
        if (s->buf[i] == buf) return arg->is_over && arg->over < s->n_arg && s->buf[arg->over] == y->over;
    }
    return false;
}

/* What lies over another is where that is, of its layout, and made by the last step that uses it. */
static bool over_verify(const Plan *p, int buf, Diag *d) {
    const PlanBuf *y = &p->buf[buf];
    if (!y->is_over) return true;
    const PlanBuf *z = y->over < buf ? &p->buf[y->over] : NULL;
    bool good = z && y->place == PLACE_ARENA && z->place == PLACE_ARENA && !y->is_part && !z->is_part &&
                y->at == z->at && y->first == z->last && type_same_memory(&y->type, &z->type) && made_over(p, buf);
    return good || diag_fail(d, DIAG_INTERNAL, "plan: %s does not lie over the buffer that is named", y->name);
}

/* Both are alive, in one memory, and should not be. */
static bool collide(const Plan *p, const PlanBuf *x, const PlanBuf *y) {
    bool together = x->place == PLACE_WEIGHTS || (x->first <= y->last && y->first <= x->last);
    bool over = (x->is_over && &p->buf[x->over] == y) || (y->is_over && &p->buf[y->over] == x);
    return share_memory(x, y) && together && !over;
}

/* Parameters i and j of a kernel that writes i have elements in common, and it is not made for that. */
static bool overlap(const Plan *p, const PlanStep *s, int i, int j) {
    const PlanBuf *x = &p->buf[s->buf[i]], *y = &p->buf[s->buf[j]];
    const PlanArg *arg = &p->kernel[s->kernel].arg[i];
    bool same = s->buf[j] == s->buf[i] || share_memory(x, y) ||
                (whole_of(p, s->buf[j]) == whole_of(p, s->buf[i]) && parts_meet(p, s->buf[j], s->buf[i]));
    bool meant = arg->is_over && arg->over == j && x->is_over && x->over == s->buf[j];
    return same && arg->n_written > 0 && !meant;
}

/* What earlier steps have written to buffer b and nothing else has overwritten since. */
typedef struct Written {
    Box *v;
    int n, cap;
} Written;

static const char *box_text(Arena *a, const Box *b, int rank) {
    Text t = {.arena = a};
    for (int i = 0; i < rank; i++) text_add(&t, "%s%lld…%lld", i ? " " : "", (long long)b->lo[i], (long long)b->hi[i]);
    return text_get(&t);
}

static bool step_verify(const Plan *p, const PlanStep *s, Written *written, Diag *d) {
    if (!fits_kernel(p, s)) return diag_fail(d, DIAG_INTERNAL, "plan: step %s does not fit its kernel", s->name);
    const PlanKernel *k = &p->kernel[s->kernel];
    for (int i = 0; i < s->n_arg; i++) {
        const PlanBuf *b = &p->buf[s->buf[i]];
        if (k->arg[i].rank != b->type.rank)
            return diag_fail(d, DIAG_INTERNAL, "plan: step %s: %s has another rank", s->name, b->name);
        if (!boxes_inside(k->arg[i].read, k->arg[i].n_read, &b->type) ||
            !boxes_inside(k->arg[i].written, k->arg[i].n_written, &b->type))
            return diag_fail(d, DIAG_INTERNAL, "plan: step %s goes beyond %s", s->name, b->name);
        for (int j = 0; j < s->n_arg; j++) {
            const PlanBuf *o = &p->buf[s->buf[j]];
            if (j != i && overlap(p, s, i, j))
                return diag_fail(d, DIAG_INTERNAL, "plan: step %s is given %s%s%s and writes it", s->name, b->name,
                                 o == b ? " twice" : " and with it ", o == b ? "" : o->name);
        }
        for (int r = 0; r < k->arg[i].n_read; r++) {
            if (b->place == PLACE_WEIGHTS || b->place == PLACE_INPUT) continue;
            /* a kernel may read what it has itself written before: its own nests are its verifier's */
            Written *w = &written[whole_of(p, s->buf[i])];
            Box read = box_in_whole(p, s->buf[i], k->arg[i].read[r]);
            if (!boxes_cover(p->arena, w->v, w->n, &read, k->arg[i].rank))
                return diag_fail(d, DIAG_INTERNAL, "plan: step %s reads elements %s of %s that nothing has written",
                                 s->name, box_text(p->arena, &k->arg[i].read[r], k->arg[i].rank), b->name);
        }
    }
    for (int i = 0; i < s->n_arg; i++) {
        const PlanBuf *b = &p->buf[s->buf[i]];
        if (k->arg[i].n_written == 0) continue;
        if (b->place == PLACE_WEIGHTS || b->place == PLACE_INPUT)
            return diag_fail(d, DIAG_INTERNAL, "plan: step %s writes %s, which is no place to write to", s->name,
                             b->name);
        int whole = whole_of(p, s->buf[i]);
        for (int o = 0; o < p->n_buf; o++)
            if (o != whole && !p->buf[o].is_part && share_memory(&p->buf[o], b)) written[o].n = 0;
        Written *w = &written[whole];
        for (int r = 0; r < k->arg[i].n_written; r++) {
            Box box = box_in_whole(p, s->buf[i], k->arg[i].written[r]);
            ARENA_PUSH(p->arena, w->v, w->n, w->cap, box);
        }
    }
    return true;
}

static bool memory_verify(const Plan *p, Diag *d) {
    for (int i = 0; i < p->n_buf; i++) {
        const PlanBuf *b = &p->buf[i];
        if (!part_verify(p, i, d) || !over_verify(p, i, d)) return false;
        if (b->is_part) continue; /* its place and life are those of the whole */
        int64_t room = b->place == PLACE_ARENA     ? p->arena_bytes
                       : b->place == PLACE_WEIGHTS ? p->weight_bytes
                                                   : INT64_MAX;
        int ports = b->place == PLACE_INPUT ? p->n_input : b->place == PLACE_OUTPUT ? p->n_output : 1;
        bool port = b->place == PLACE_INPUT || b->place == PLACE_OUTPUT;
        if (b->at < 0 || (port ? b->at >= ports : buf_end(b) > room || b->at % PLAN_ALIGN))
            return diag_fail(d, DIAG_INTERNAL, "plan: buffer %s lies outside its memory", b->name);
        if (port && !type_equal(&b->type, b->place == PLACE_INPUT ? &p->input[b->at].type : &p->output[b->at].type))
            return diag_fail(d, DIAG_INTERNAL, "plan: buffer %s has another type than its port", b->name);
        for (int j = 0; j < i; j++)
            if (!p->buf[j].is_part && collide(p, b, &p->buf[j]))
                return diag_fail(d, DIAG_INTERNAL, "plan: %s and %s live at the same time in the same memory",
                                 p->buf[j].name, b->name);
    }
    for (int i = 0; i < p->n_kernel; i++)
        if (p->kernel[i].scratch > p->scratch_bytes)
            return diag_fail(d, DIAG_INTERNAL, "plan: kernel k%d needs more scratch than there is", i);
    return true;
}

/* Each output is one buffer, written whole. */
static bool outputs_verify(const Plan *p, const Written *written, Diag *d) {
    for (int o = 0; o < p->n_output; o++) {
        int buf = -1, n = 0;
        for (int i = 0; i < p->n_buf; i++)
            if (p->buf[i].place == PLACE_OUTPUT && p->buf[i].at == o && !p->buf[i].is_part) buf = i, n++;
        if (type_elements(&p->output[o].type) == 0) continue;
        if (n != 1) return diag_fail(d, DIAG_INTERNAL, "plan: output %s is %d buffers", p->output[o].name, n);
        Box all = whole_box(&p->buf[buf].type);
        if (!boxes_cover(p->arena, written[buf].v, written[buf].n, &all, p->buf[buf].type.rank))
            return diag_fail(d, DIAG_INTERNAL, "plan: output %s is not written whole", p->buf[buf].name);
    }
    return true;
}

bool plan_verify(const Plan *p, Diag *d) {
    if (!memory_verify(p, d)) return false;
    Written *written = ARENA_ARRAY(p->arena, Written, p->n_buf);
    for (int s = 0; s < p->n_step; s++) {
        const PlanStep *step = &p->step[s];
        for (int i = 0; i < step->n_arg; i++) {
            if (step->buf[i] < 0 || step->buf[i] >= p->n_buf)
                return diag_fail(d, DIAG_INTERNAL, "plan: step %s: no such buffer", step->name);
            const PlanBuf *b = &p->buf[step->buf[i]];
            if (b->place == PLACE_ARENA && (s < b->first || s > b->last))
                return diag_fail(d, DIAG_INTERNAL, "plan: step %s uses %s outside its life", step->name, b->name);
        }
        if (!step_verify(p, step, written, d)) return false;
    }
    return outputs_verify(p, written, d);
}
