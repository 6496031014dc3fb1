/* An axis that is written with a period of s is folded into two, o = s·q + r: a store of every s-th element is a box of
 * rows q and columns r there, and the union of boxes is decided as anywhere (boxes_cover). */
#include "ir/plan_stride.h"

#include <string.h>

enum { MAX_BOXES = 4096, MAX_SPLIT = 512 };

typedef struct Interval {
    int64_t lo, hi;
} Interval;

/* One axis of one store as a union of pieces, each rows × columns; rows alone where the axis is not folded. */
typedef struct Pieces {
    int n;
    Interval row[MAX_SPLIT], column[MAX_SPLIT];
} Pieces;

typedef struct Fold {
    int64_t period[MAX_AXES], origin[MAX_AXES], lo[MAX_AXES], hi[MAX_AXES]; /* period 1: not folded */
    int rank, folded;
    Box *box;
    int n_box, cap_box;
} Fold;

static int64_t floor_div(int64_t x, int64_t d) { return x / d - (x % d < 0); }

static bool piece(Pieces *p, int64_t row, int64_t last_row, int64_t column, int64_t last_column) {
    if (p->n == MAX_SPLIT) return false;
    p->row[p->n] = (Interval){row, last_row};
    p->column[p->n++] = (Interval){column, last_column};
    return true;
}

/* All of lo … hi: the end of a row, whole rows, the start of a row. */
static bool interval_pieces(int64_t lo, int64_t hi, int64_t s, Pieces *p) {
    int64_t first = floor_div(lo, s), last = floor_div(hi, s), from = lo - first * s, to = hi - last * s;
    if (s == 1) return piece(p, lo, hi, 0, 0);
    if (first == last) return piece(p, first, first, from, to);
    bool head = from > 0, tail = to < s - 1;
    if (head && !piece(p, first, first, from, s - 1)) return false;
    if (tail && !piece(p, last, last, 0, to)) return false;
    return first + head > last - tail || piece(p, first + head, last - tail, 0, s - 1);
}

/* The values of an affine form: rows from the terms that are multiples of the period, columns from the others. */
static bool axis_pieces(const Kernel *k, const Fold *f, int axis, const Affine *sub, Pieces *p) {
    int64_t s = f->period[axis], lo, hi;
    Affine rows, columns, x = affine_offset(*sub, -f->origin[axis]);
    affine_range(k, &x, &lo, &hi);
    if (affine_dense(k, sub) > 0) return interval_pieces(lo, hi, s, p);
    bool inside = affine_divmod(k, x, s, &rows, &columns);
    int64_t n = affine_dense(k, &rows), base = rows.base;
    if (n == 0) return false;
    affine_range(k, &columns, &lo, &hi);
    bool steps = columns.n == 1 && (columns.term[0].coef == 1 || columns.term[0].coef == -1);
    if (inside && (columns.n == 0 || steps || affine_dense(k, &columns) > 0))
        return piece(p, base, base + n - 1, lo, hi);
    if (columns.n != 1) return false;
    for (int64_t j = 0; j < k->var[columns.term[0].var].extent; j++) { /* one by one */
        int64_t at = columns.base + columns.term[0].coef * j, row = floor_div(at, s);
        if (!piece(p, base + row, base + row + n - 1, at - row * s, at - row * s)) return false;
    }
    return true;
}

/* The product of the pieces of all axes. */
static bool add_boxes(Arena *a, Fold *f, const Pieces *p) {
    int which[MAX_AXES] = {0}, axis = 0;
    while (axis >= 0) {
        Box b = {{0}, {0}};
        for (int i = 0, to = 0; i < f->rank; i++) {
            b.lo[to] = p[i].row[which[i]].lo;
            b.hi[to++] = p[i].row[which[i]].hi;
            if (f->period[i] == 1) continue;
            b.lo[to] = p[i].column[which[i]].lo;
            b.hi[to++] = p[i].column[which[i]].hi;
        }
        bool seen = false;
        for (int i = 0; i < f->n_box; i++) seen |= memcmp(&f->box[i], &b, sizeof b) == 0;
        if (!seen) ARENA_PUSH(a, f->box, f->n_box, f->cap_box, b);
        if (f->n_box > MAX_BOXES) return false;
        for (axis = f->rank - 1; axis >= 0 && ++which[axis] == p[axis].n; axis--) which[axis] = 0;
    }
    return true;
}

/* No loop moves two axes: then what is written is the product of what is along each. */
static bool is_product(Arena *a, const Kernel *k, const Access *x, int rank) {
    bool *used = ARENA_ARRAY(a, bool, k->n_var);
    for (int i = 0; i < rank; i++)
        for (int j = 0; j < x->sub[i].n; j++) {
            if (used[x->sub[i].term[j].var]) return false;
            used[x->sub[i].term[j].var] = true;
        }
    return true;
}

/* The period of an axis: the largest step of a store that is not dense there. */
static void fold_axis(const Kernel *k, Fold *f, const Access *x, bool first) {
    for (int i = 0; i < f->rank; i++) {
        int64_t lo, hi;
        affine_range(k, &x->sub[i], &lo, &hi);
        if (first || lo < f->lo[i]) f->lo[i] = lo;
        if (first || hi > f->hi[i]) f->hi[i] = hi;
        if (affine_dense(k, &x->sub[i]) > 0) continue;
        if (f->period[i] == 1 || lo < f->origin[i]) f->origin[i] = lo;
        for (int j = 0; j < x->sub[i].n; j++)
            if (x->sub[i].term[j].coef > f->period[i]) f->period[i] = x->sub[i].term[j].coef;
    }
}

static bool sets(const Access *x, int buf) { return x->write && x->buf == buf && x->stmt->op == STORE_SET; }

static bool fold_make(Arena *a, const Kernel *k, const AccessList *list, int buf, Fold *f) {
    bool first = true;
    f->rank = k->buf[buf].type.rank;
    for (int i = 0; i < f->rank; i++) f->period[i] = 1;
    for (int i = 0; i < list->n; i++) {
        if (!sets(&list->v[i], buf)) continue;
        if (!is_product(a, k, &list->v[i], f->rank)) return false;
        fold_axis(k, f, &list->v[i], first);
        first = false;
    }
    for (int i = 0; i < f->rank; i++) f->folded += f->period[i] > 1;
    return f->folded > 0 && f->rank + f->folded <= MAX_AXES;
}

bool strided_cover(Arena *a, const Kernel *k, const AccessList *list, int buf, Box *box) {
    Fold f = {0};
    if (!fold_make(a, k, list, buf, &f)) return false;
    Pieces *p = ARENA_ARRAY(a, Pieces, f.rank);
    for (int i = 0; i < list->n; i++) {
        if (!sets(&list->v[i], buf)) continue;
        for (int axis = 0; axis < f.rank; axis++) {
            p[axis].n = 0;
            if (!axis_pieces(k, &f, axis, &list->v[i].sub[axis], &p[axis])) return false;
        }
        if (!add_boxes(a, &f, p)) return false;
    }
    Fold want = f;
    want.box = NULL;
    want.n_box = want.cap_box = 0;
    *box = (Box){{0}, {0}};
    for (int axis = 0; axis < f.rank; axis++) {
        box->lo[axis] = f.lo[axis];
        box->hi[axis] = f.hi[axis];
        p[axis].n = 0;
        interval_pieces(f.lo[axis] - f.origin[axis], f.hi[axis] - f.origin[axis], f.period[axis], &p[axis]);
    }
    if (!add_boxes(a, &want, p)) return false;
    for (int i = 0; i < want.n_box; i++)
        if (!boxes_cover(a, f.box, f.n_box, &want.box[i], f.rank + f.folded)) return false;
    return true;
}
