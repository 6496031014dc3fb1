/* The nests of Winograd's transforms and products. A tile's rows are transformed first, into a small buffer, then its columns:
 *
 *     for n for C for h for w { reg mid[t, t, c]: for x { mid[·, x] = Bᵀ column x of the tile };  for i { y[tile i, ·] = row i of mid · B } }
 */
#include "ir/lower.h"
#include "ir/ops/ops.h"
#include "ir/ops/winograd.h"

#include <math.h>

/* Σ row[k]·x[k], which terms stand in the sum chosen by `parity` (−1: all); NULL: none. */
static const Expr *combine(Lower *l, const double *row, const Expr *const *x, int n, int parity) {
    const Expr *sum = NULL;
    for (int pass = 0; pass < 2; pass++) /* what is only added first: the others are multiply-adds */
        for (int k = 0; k < n; k++) {
            if (row[k] == 0 || (parity >= 0 && k % 2 != parity) || (fabs(row[k]) == 1) == pass) continue;
            if (fabs(row[k]) == 1 && !sum) sum = row[k] > 0 ? x[k] : expr_call(l->a, FN_NEG, x[k], NULL, NULL, NULL);
            else if (fabs(row[k]) == 1) sum = expr_call(l->a, row[k] > 0 ? FN_ADD : FN_SUB, sum, x[k], NULL, NULL);
            else if (!sum) sum = expr_call(l->a, FN_MUL, x[k], expr_const(l->a, (float)row[k]), NULL, NULL);
            else sum = expr_call(l->a, FN_FMA, x[k], expr_const(l->a, (float)row[k]), sum, NULL);
        }
    return sum;
}

/* Two neighbouring rows agree in one half of the terms and have the other sign in the rest: points p and −p. */
static bool is_pair(const double *x, const double *y, int n) {
    for (int k = 0; k < n; k++)
        if (x[k] != (k % 2 ? -y[k] : y[k])) return false;
    return true;
}

/* value[i] = row i of the matrix times x. */
static void apply_rows(Lower *l, const double (*row)[WINO_MOST], int rows, int n, const Expr *const *x,
                       const Expr **value) {
    for (int i = 0; i < rows; i++) {
        bool pair = i + 1 < rows && is_pair(row[i], row[i + 1], n);
        const Expr *even = pair ? combine(l, row[i], x, n, 0) : NULL, *odd = pair ? combine(l, row[i], x, n, 1) : NULL;
        if (!even || !odd) {
            value[i] = combine(l, row[i], x, n, -1);
            if (!value[i]) value[i] = expr_const(l->a, 0);
            continue;
        }
        value[i] = expr_call(l->a, FN_ADD, even, odd, NULL, NULL);
        value[i + 1] = expr_call(l->a, FN_SUB, even, odd, NULL, NULL);
        i++;
    }
}

/* The same for the transposed matrix's pairs: columns j and j + 1 of Aᵀ agree or differ in sign row by row, so their terms are added and
 * subtracted once for all rows. */
static void apply_columns(Lower *l, const double (*row)[WINO_MOST], int rows, int n, const Expr *const *x,
                          const Expr **value) {
    const Expr *term[2][WINO_MOST]; /* for even and odd rows */
    double coef[WINO_MOST][WINO_MOST] = {{0}};
    int terms = 0;
    for (int j = 0; j < n; j++) {
        bool pair = j + 1 < n && rows > 1;
        for (int i = 0; i < rows && pair; i++) pair = row[i][j] == (i % 2 ? -row[i][j + 1] : row[i][j + 1]);
        for (int i = 0; i < rows; i++) coef[i][terms] = row[i][j];
        term[0][terms] = pair ? expr_call(l->a, FN_ADD, x[j], x[j + 1], NULL, NULL) : x[j];
        term[1][terms++] = pair ? expr_call(l->a, FN_SUB, x[j], x[j + 1], NULL, NULL) : x[j];
        j += pair;
    }
    for (int i = 0; i < rows; i++) value[i] = combine(l, coef[i], term[i % 2], terms, -1);
}

/* What the three nests share. */
typedef struct Tiles {
    Lower *l;
    int spatial;
    WinoAxis h, w; /* h: one place if there is only w */
    int64_t channels, block;
    int mid; /* the buffer of one direction's results */
    Nest outer;
    Affine n, block_at, tile_h, tile_w; /* channel of the block's first, tile numbers */
} Tiles;

static Affine times(Lower *l, Affine x, int64_t by) { return affine_scale(l->a, x, by); }
static Affine plus(Lower *l, Affine x, Affine y) { return affine_add(l->a, x, y); }

/* Loops over all digits of the channels but the last, which is the block: the lanes that are transformed together. */
static void open_channels(Tiles *t) {
    Lower *l = t->l;
    Nest digits = {0};
    int64_t cuts[MAX_CUTS];
    int n_cuts = lower_out_blocks(l, cuts);
    cuts[n_cuts++] = type_block(&l->group->anchor->in[0]->type, 'c');
    bool blocked = false;
    for (int i = 0; i < n_cuts; i++) blocked |= cuts[i] > 1;
    t->block_at = nest_digits(l, &digits, "c", "C", t->channels, cuts, n_cuts);
    t->block = 1;
    if (blocked && digits.n > 0) {
        int last = digits.var[--digits.n];
        t->block = l->k->var[last].extent;
        t->block_at = affine_subst(l->a, t->block_at, last, affine_const(0));
    }
    for (int i = 0; i < digits.n; i++) t->outer.var[t->outer.n++] = digits.var[i];
}

/* Opens the loops over images, blocks of channels and tiles; tiles_first: strips of tiles outside the channels. */
static void tiles_open(Tiles *t, Lower *l, const Type *plain, const Dims *tile, const Dims *kernel, int64_t tiles_h,
                       int64_t tiles_w, bool tiles_first) {
    *t = (Tiles){.l = l, .spatial = tile->n, .channels = plain->axis[1].extent};
    wino_axis(&t->h, tile->n > 1 ? tile->v[0] : 1, tile->n > 1 ? kernel->v[0] : 1);
    wino_axis(&t->w, tile->v[tile->n - 1], kernel->v[tile->n - 1]);
    t->n = nest_loop_always(l, &t->outer, "n", plain->axis[0].extent);
    if (!tiles_first) open_channels(t);
    t->tile_h = nest_loop(l, &t->outer, "h", tiles_h);
    t->tile_w = nest_loop(l, &t->outer, "w", tiles_w);
    if (tiles_first) open_channels(t);
}

static Index index_at(const Tiles *t, Affine c, Affine h, Affine w) {
    Index x = {.n = 2 + t->spatial};
    x.v[0] = t->n;
    x.v[1] = plus(t->l, t->block_at, c);
    if (t->spatial > 1) x.v[2] = h;
    x.v[1 + t->spatial] = w;
    return x;
}

/* A buffer of rows × columns × channels of the block. */
static int mid_buffer(const Tiles *t, const char *name, int rows, int columns) {
    Type type = {
        .dtype = DT_F32, .rank = 3, .axis = {{'a', rows, 0, 0}, {'b', columns, 0, 0}, {'c', (int32_t)t->block, 0, 0}}};
    int buf = kernel_add_buf(t->l->k, arena_printf(t->l->a, "%s%s", name, t->l->suffix), BUF_REG, &type);
    return buf;
}

static Stmt *store_mid(const Tiles *t, int buf, Affine a, Affine b, Affine c, const Expr *value) {
    return stmt_store(t->l->k, buf, (Affine[]){a, b, c}, STORE_SET, value);
}

static const Expr *load_mid(const Tiles *t, int buf, Affine a, Affine b, Affine c) {
    return expr_load(t->l->k, buf, (Affine[]){a, b, c});
}

void winoinput_lower(Lower *l, const Node *n) {
    const WINOINPUT_attr *attr = &n->attr.WINOINPUT;
    Type x = type_plain(&n->in[0]->type), y = type_plain(&n->type);
    Tiles t;
    int th = attr->tile.n > 1 ? attr->tile.v[0] + attr->kernel.v[0] - 1 : 1;
    int tw = attr->tile.v[attr->tile.n - 1] + attr->kernel.v[attr->tile.n - 1] - 1;
    tiles_open(&t, l, &x, &attr->tile, &attr->kernel, attr->tile.n > 1 ? y.axis[2].extent / th : 1,
               y.axis[1 + attr->tile.n].extent / tw, false);
    int mid = mid_buffer(&t, "mid", th, tw);
    const Expr *from[WINO_MOST] = {NULL}, *to[WINO_MOST];
    Nest columns = {0}, rows = {0};

    Affine b = nest_loop(l, &columns, "b", tw), c = nest_loop(l, &columns, "c", t.block);
    Affine w = affine_offset(plus(l, times(l, t.tile_w, t.w.m), b), -attr->pad.lo[attr->tile.n - 1]);
    for (int i = 0; i < th; i++) {
        Affine h = affine_offset(times(l, t.tile_h, t.h.m), i - (attr->tile.n > 1 ? attr->pad.lo[0] : 0));
        Index at = index_at(&t, c, h, w);
        from[i] = lower_read(l, n->in[0], &at);
    }
    apply_rows(l, t.h.bt, th, th, from, to);
    Stmt *first = NULL;
    for (int i = 0; i < th; i++) first = stmt_append(first, store_mid(&t, mid, affine_const(i), b, c, to[i]));
    first = nest_close(l, &columns, first);

    Affine a = nest_loop(l, &rows, "a", th);
    c = nest_loop(l, &rows, "c", t.block);
    for (int j = 0; j < tw; j++) from[j] = load_mid(&t, mid, a, affine_const(j), c);
    apply_rows(l, t.w.bt, tw, tw, from, to);
    Stmt *second = NULL;
    for (int j = 0; j < tw; j++) {
        Index at = index_at(&t, c, plus(l, times(l, t.tile_h, th), a), affine_offset(times(l, t.tile_w, tw), j));
        second = stmt_append(second, lower_write(l, &at, STORE_SET, to[j]));
    }
    second = nest_close(l, &rows, second);
    lower_emit(l, nest_close(l, &t.outer, stmt_alloc(l->k, mid, stmt_append(first, second))));
}

/* y[n, o, t·h + a, t·w + b] = Σ x[n, c, t·h + a, t·w + b]·w[o, c, a, b] */
void winoproduct_lower(Lower *l, const Node *n) {
    Type x = type_plain(&n->in[0]->type), w = type_plain(&n->in[1]->type);
    int spatial = x.rank - 2;
    int64_t cuts[MAX_CUTS], blocks[] = {type_block(&n->in[0]->type, 'c'), type_block(&n->in[1]->type, 'c')};
    int n_cuts = lower_out_blocks(l, cuts);
    cuts[n_cuts++] = type_block(&n->in[1]->type, 'o');
    Nest outer = {0}, inner = {0}, o_digits = {0}, c_digits = {0};
    Index to = {.n = x.rank}, from = {.n = x.rank}, by = {.n = w.rank};
    to.v[0] = from.v[0] = nest_loop_always(l, &outer, "n", x.axis[0].extent);
    for (int i = 2; i < x.rank; i++) by.v[i] = nest_loop(l, &outer, i == x.rank - 1 ? "b" : "a", w.axis[i].extent);
    to.v[1] = by.v[0] = nest_digits(l, &o_digits, "o", "O", w.axis[0].extent, cuts, n_cuts);
    for (int i = 0; i + 1 < o_digits.n; i++) outer.var[outer.n++] = o_digits.var[i];
    for (int i = 2; i < x.rank; i++) {
        Affine tile = nest_loop(l, &outer, spatial_name(i - 2, spatial), x.axis[i].extent / w.axis[i].extent);
        to.v[i] = from.v[i] = plus(l, times(l, tile, w.axis[i].extent), by.v[i]);
    }
    for (int i = o_digits.n ? o_digits.n - 1 : 0; i < o_digits.n; i++) outer.var[outer.n++] = o_digits.var[i];
    from.v[1] = by.v[1] = nest_digits(l, &c_digits, "c", "C", x.axis[1].extent, blocks, 2);
    for (int i = 0; i < c_digits.n; i++) inner.var[inner.n++] = c_digits.var[i];
    const Expr *product =
        expr_call(l->a, FN_MUL, lower_read(l, n->in[0], &from), lower_read(l, n->in[1], &by), NULL, NULL);
    Stmt *body = lower_write(l, &to, STORE_SET, expr_const(l->a, 0));
    body = stmt_append(body, nest_close(l, &inner, lower_write(l, &to, STORE_ADD, product)));
    lower_emit(l, nest_close(l, &outer, body));
}

/* The last tile of an axis may reach beyond the result. */
static Affine cut_loop(Lower *l, Nest *nest, const char *name, Affine tile, int m, int64_t extent, Guard *guard) {
    Affine i = nest_loop(l, nest, name, m), at = plus(l, times(l, tile, m), i);
    int64_t lo, hi;
    affine_range(l->k, &at, &lo, &hi);
    *guard = (Guard){at, 0, hi >= extent ? extent : 0}; /* hi 0: none is needed */
    return at;
}

static Stmt *close_cut(Lower *l, int var, const Guard *guard, Stmt *body) {
    Stmt *loop = stmt_for(l->k, var, MARK_FOR, body);
    if (guard->hi) loop->guard = arena_copy(l->a, guard, sizeof *guard);
    return loop;
}

void winooutput_lower(Lower *l, const Node *n) {
    const WINOOUTPUT_attr *attr = &n->attr.WINOOUTPUT;
    Type x = type_plain(&n->in[0]->type), y = type_plain(&n->type);
    Tiles t;
    int th = attr->tile.n > 1 ? attr->tile.v[0] + attr->kernel.v[0] - 1 : 1;
    int tw = attr->tile.v[attr->tile.n - 1] + attr->kernel.v[attr->tile.n - 1] - 1;
    tiles_open(&t, l, &x, &attr->tile, &attr->kernel, attr->tile.n > 1 ? x.axis[2].extent / th : 1,
               x.axis[1 + attr->tile.n].extent / tw, true);
    int mid = mid_buffer(&t, "mid", t.h.m, tw), last = mid_buffer(&t, "last", t.h.m, t.w.m);
    const Expr *from[WINO_MOST] = {NULL}, *to[WINO_MOST];
    Nest columns = {0}, rows = {0};

    Affine b = nest_loop(l, &columns, "b", tw), c = nest_loop(l, &columns, "c", t.block);
    for (int i = 0; i < th; i++) {
        Index at = index_at(&t, c, affine_offset(times(l, t.tile_h, th), i), plus(l, times(l, t.tile_w, tw), b));
        from[i] = lower_read(l, n->in[0], &at);
    }
    apply_columns(l, t.h.at, t.h.m, th, from, to);
    Stmt *body = NULL, *part = NULL;
    for (int i = 0; i < t.h.m; i++) part = stmt_append(part, store_mid(&t, mid, affine_const(i), b, c, to[i]));
    body = nest_close(l, &columns, part);

    Affine a = nest_loop(l, &rows, "a", t.h.m);
    c = nest_loop(l, &rows, "c", t.block);
    for (int j = 0; j < tw; j++) from[j] = load_mid(&t, mid, a, affine_const(j), c);
    apply_columns(l, t.w.at, t.w.m, tw, from, to);
    part = NULL;
    for (int j = 0; j < t.w.m; j++) part = stmt_append(part, store_mid(&t, last, a, affine_const(j), c, to[j]));
    body = stmt_append(body, nest_close(l, &rows, part));

    Nest cut_h = {0}, cut_w = {0}, lane = {0};
    Guard guard_h, guard_w;
    Affine out_h = cut_loop(l, &cut_h, "i", t.tile_h, t.h.m, attr->tile.n > 1 ? y.axis[2].extent : 1, &guard_h);
    Affine out_w = cut_loop(l, &cut_w, "j", t.tile_w, t.w.m, y.axis[1 + attr->tile.n].extent, &guard_w);
    c = nest_loop(l, &lane, "c", t.block);
    Affine i = cut_h.n ? affine_var(l->a, cut_h.var[0]) : affine_const(0);
    Affine j = cut_w.n ? affine_var(l->a, cut_w.var[0]) : affine_const(0);
    Index at = index_at(&t, c, out_h, out_w), bias = {1, {at.v[1]}};
    const Expr *value = load_mid(&t, last, i, j, c);
    if (n->n_in > 1) value = expr_call(l->a, FN_ADD, value, lower_read(l, n->in[1], &bias), NULL, NULL);
    part = nest_close(l, &lane, lower_finish(l, &at, value));
    if (cut_w.n) part = close_cut(l, cut_w.var[0], &guard_w, part);
    if (cut_h.n) part = close_cut(l, cut_h.var[0], &guard_h, part);
    body = stmt_append(body, part);
    lower_emit(l, nest_close(l, &t.outer, stmt_alloc(l->k, mid, stmt_alloc(l->k, last, body))));
}
