#include "ir/ops/rows.h"

#include <assert.h>
#include <ctype.h>

/* Elements of a register: partial sums hide the latency of the addition; neighbouring rows share cache lines. */
enum { PART_LEVELS = 5, ROW_LANES = 64 };

/* ---- registers --------------------------------------------------------------------------------- */

static int register_of(Rows *r, const char *name, int64_t lanes) {
    Type t = {.dtype = DT_F32, .rank = 1, .axis = {{'l', (int32_t)lanes, 0, 0}}};
    return kernel_add_buf(r->l->k, name, BUF_REG, &t);
}

int rows_reg(Rows *r, const char *name) {
    assert(r->n_reg < (int)COUNT_OF(r->reg));
    return r->reg[r->n_reg++] = register_of(r, name, r->lanes);
}

const Expr *rows_get(const Rows *r, int reg) { return expr_load(r->l->k, reg, &r->lane); }
Stmt *rows_put(const Rows *r, int reg, const Expr *value) {
    return stmt_store(r->l->k, reg, &r->lane, STORE_SET, value);
}

/* ---- loops ------------------------------------------------------------------------------------- */

static const char *loop_name(const Rows *r, int axis, const char *pass) {
    return arena_printf(r->l->a, "%c_%s", r->plain.axis[axis].letter, pass);
}

static const char *chunk_name(const Rows *r) {
    return arena_printf(r->l->a, "%c", toupper((unsigned char)r->plain.axis[r->lane_axis].letter));
}

void rows_lanes(Rows *r, Nest *nest, const char *pass) {
    r->lane = affine_const(0);
    if (!r->lane_kept) return;
    r->lane = nest_loop(r->l, nest, loop_name(r, r->lane_axis, pass), r->lanes);
    r->at.v[r->lane_axis] = affine_add(r->l->a, r->lane_base, r->lane);
}

/* Position `within` along a reduced axis. */
static void reduced_at(Rows *r, int axis, Affine within) {
    r->at.v[axis] = axis == 1 && r->groups > 1 ? affine_add(r->l->a, r->group, within) : within;
}

/* The reduced axes but for the one along memory. */
static void other_axes(Rows *r, Nest *nest, const char *pass) {
    for (int i = 0; i < r->plain.rank; i++)
        if (axis_in(r->reduced, i) && i != r->lane_axis)
            reduced_at(r, i, nest_loop(r->l, nest, loop_name(r, i, pass), r->plain.axis[i].extent));
}

void rows_elements(Rows *r, Nest *nest, const char *pass) {
    other_axes(r, nest, pass);
    rows_lanes(r, nest, pass);
    if (r->lane_kept || r->lane_axis < 0) return;
    int i = r->lane_axis;
    reduced_at(r, i, nest_loop(r->l, nest, loop_name(r, i, pass), r->plain.axis[i].extent));
}

const Expr *rows_x(Rows *r) { return lower_read(r->l, r->x, &r->at); }

/* ---- folds ------------------------------------------------------------------------------------- */

static Stmt *fold_into(Rows *r, int reg, const Affine *at, FoldOp op, const Expr *value) {
    Kernel *k = r->l->k;
    switch (op) {
    case FOLD_SUM: return stmt_store(k, reg, at, STORE_ADD, value);
    case FOLD_MAX: return stmt_store(k, reg, at, STORE_MAX, value);
    case FOLD_PRODUCT: break;
    }
    return stmt_store(k, reg, at, STORE_SET, expr_call(r->l->a, FN_MUL, expr_load(k, reg, at), value, NULL, NULL));
}

/* Along memory: partial results of 32 lanes, and of 16, 8 … for what 32 leaves over, each joined to the next. */
typedef struct Parts {
    Rows *r;
    const char *pass;
    FoldOp op;
    int top; /* the largest has 2^top lanes */
    int64_t extent;
    int reg[PART_LEVELS + 1];
} Parts;

static Affine parts_lane(const Parts *p, Nest *nest, int level) {
    const char *name =
        arena_printf(p->r->l->a, "%c%d_%s", p->r->plain.axis[p->r->lane_axis].letter, 1 << level, p->pass);
    return nest_loop(p->r->l, nest, name, (int64_t)1 << level);
}

/* Whether this level takes elements of its own, not only what the level above has. */
static bool parts_takes(const Parts *p, int level) { return level == p->top || (p->extent >> level & 1); }

static Stmt *parts_clear(const Parts *p, int level, float start) {
    Nest nest = {0};
    Affine lane = parts_lane(p, &nest, level);
    return nest_close(p->r->l, &nest,
                      stmt_store(p->r->l->k, p->reg[level], &lane, STORE_SET, expr_const(p->r->l->a, start)));
}

/* The elements of one level, for one position in the other axes. */
static Stmt *parts_take(const Parts *p, int level, RowValue *value, void *ctx) {
    Rows *r = p->r;
    Nest nest = {0};
    Affine at = affine_const(level == p->top ? 0 : p->extent >> (level + 1) << (level + 1));
    if (level == p->top) {
        const char *name = arena_printf(r->l->a, "%s_%s", chunk_name(r), p->pass);
        at = affine_scale(r->l->a, nest_loop(r->l, &nest, name, p->extent >> level), (int64_t)1 << level);
    }
    Affine lane = parts_lane(p, &nest, level);
    reduced_at(r, r->lane_axis, affine_add(r->l->a, at, lane));
    return nest_close(r->l, &nest, fold_into(r, p->reg[level], &lane, p->op, value(r, ctx)));
}

static const Expr *fold_pair(const Rows *r, FoldOp op, const Expr *x, const Expr *y) {
    return expr_call(r->l->a, op == FOLD_SUM ? FN_ADD : op == FOLD_MAX ? FN_MAX : FN_MUL, x, y, NULL, NULL);
}

/* The two halves of the level above. */
static Stmt *parts_join(const Parts *p, int level) {
    Kernel *k = p->r->l->k;
    Nest nest = {0};
    Affine lane = parts_lane(p, &nest, level), other = affine_offset(lane, (int64_t)1 << level);
    const Expr *low = expr_load(k, p->reg[level + 1], &lane), *high = expr_load(k, p->reg[level + 1], &other);
    const Expr *both = fold_pair(p->r, p->op, low, high);
    if (parts_takes(p, level)) return nest_close(p->r->l, &nest, fold_into(p->r, p->reg[level], &lane, p->op, both));
    return nest_close(p->r->l, &nest, stmt_store(k, p->reg[level], &lane, STORE_SET, both));
}

static Stmt *fold_parts(Rows *r, const char *pass, int reg, FoldOp op, float start, RowValue *value, void *ctx) {
    Parts p = {.r = r, .pass = pass, .op = op, .extent = r->plain.axis[r->lane_axis].extent};
    while (p.top < PART_LEVELS && p.extent >> (p.top + 1)) p.top++;
    p.reg[0] = reg;
    for (int i = 1; i <= p.top; i++)
        p.reg[i] = register_of(r, arena_printf(r->l->a, "%s%d", pass, 1 << i), (int64_t)1 << i);
    Stmt *clear = NULL, *take = NULL, *join = NULL;
    Nest nest = {0};
    other_axes(r, &nest, pass);
    for (int i = p.top; i >= 0; i--) {
        if (i < p.top) join = stmt_append(join, parts_join(&p, i));
        if (!parts_takes(&p, i)) continue;
        clear = stmt_append(clear, parts_clear(&p, i, start));
        take = stmt_append(take, parts_take(&p, i, value, ctx));
    }
    Stmt *body = stmt_append(clear, stmt_append(nest_close(r->l, &nest, take), join));
    for (int i = 1; i <= p.top; i++) body = stmt_alloc(r->l->k, p.reg[i], body);
    return body;
}

Stmt *rows_fold(Rows *r, const char *pass, int reg, FoldOp op, float start, RowValue *value, void *ctx) {
    r->lane = affine_const(0);
    bool along = r->lane_axis >= 0 && !r->lane_kept;
    if (along && r->plain.axis[r->lane_axis].extent >= 2) return fold_parts(r, pass, reg, op, start, value, ctx);
    Nest clear = {0}, nest = {0};
    rows_lanes(r, &clear, pass);
    Stmt *body = nest_close(r->l, &clear, rows_put(r, reg, expr_const(r->l->a, start)));
    rows_elements(r, &nest, pass);
    return stmt_append(body, nest_close(r->l, &nest, fold_into(r, reg, &r->lane, op, value(r, ctx))));
}

Stmt *rows_set(Rows *r, const char *pass, int reg, RowValue *value, void *ctx) {
    Nest nest = {0};
    rows_lanes(r, &nest, pass);
    return nest_close(r->l, &nest, rows_put(r, reg, value(r, ctx)));
}

/* ---- rows -------------------------------------------------------------------------------------- */

Index rows_result(const Rows *r, bool keep) {
    Index y = {0};
    for (int i = 0; i < r->plain.rank; i++) {
        if (!axis_in(r->reduced, i)) y.v[y.n++] = r->at.v[i];
        else if (keep) y.v[y.n++] = affine_const(0);
    }
    return y;
}

double rows_count(const Rows *r) {
    double n = 1;
    for (int i = 0; i < r->plain.rank; i++)
        if (axis_in(r->reduced, i)) n *= r->plain.axis[i].extent;
    return n;
}

/* Channels cut where the blocks of x, of the result and of its tail say. */
static Affine channel_digits(Rows *r, Nest *digits) {
    int64_t cuts[MAX_CUTS];
    int n_cuts = lower_out_blocks(r->l, cuts);
    if (n_cuts < MAX_CUTS) cuts[n_cuts++] = type_block(&r->x->type, 'c');
    return nest_digits(r->l, digits, "c", "C", r->plain.axis[1].extent, cuts, n_cuts);
}

/* The lanes are channels that lie in blocks, in x or in the result. */
static bool lanes_in_blocks(const Rows *r) {
    int64_t cuts[MAX_CUTS];
    int n_cuts = lower_out_blocks(r->l, cuts);
    bool blocked = type_block(&r->x->type, 'c') > 1;
    for (int i = 0; i < n_cuts; i++) blocked |= cuts[i] > 1;
    return blocked && r->lane_axis == 1;
}

/* Channels within a block are the lanes. */
static int64_t channel_lanes(Rows *r, Nest *outer) {
    Nest digits = {0};
    Affine c = channel_digits(r, &digits);
    if (digits.n == 0) {
        r->lane_base = c;
        return 1;
    }
    int last = digits.var[digits.n - 1];
    for (int i = 0; i + 1 < digits.n; i++) outer->var[outer->n++] = digits.var[i];
    r->lane_base = affine_subst(r->l->a, c, last, affine_const(0));
    return r->l->k->var[last].extent;
}

/* The axis whose elements lie beside each other in memory. */
static int memory_axis(const Rows *r) {
    if (type_block(&r->x->type, 'c') > 1) return 1;
    int i = r->plain.rank - 1;
    while (i >= 0 && r->plain.axis[i].extent == 1) i--;
    return i;
}

/* Kept axes around a row; of the lane axis, `count` chunks of ROW_LANES from `first` on. */
static void open_kept(Rows *r, Nest *outer, int64_t first, int64_t count) {
    for (int i = 0; i < r->plain.rank; i++) {
        int64_t extent = r->plain.axis[i].extent;
        if (i == r->lane_axis || axis_in(r->reduced, i)) continue;
        if (i == 0) r->at.v[i] = nest_loop_always(r->l, outer, "n", extent);
        else if (i == 1) r->at.v[i] = channel_digits(r, outer);
        else r->at.v[i] = nest_loop(r->l, outer, axis_name(r->l, &r->plain, i), extent);
    }
    if (r->groups > 1)
        r->group = affine_scale(r->l->a, nest_loop(r->l, outer, "g", r->groups), r->plain.axis[1].extent);
    if (!r->lane_kept) return;
    if (lanes_in_blocks(r)) {
        r->lanes = channel_lanes(r, outer);
        return;
    }
    Affine chunk = nest_loop(r->l, outer, chunk_name(r), count);
    r->lane_base = affine_offset(affine_scale(r->l->a, chunk, ROW_LANES), first);
}

static void emit_chunks(Rows r, int64_t first, int64_t count, int64_t lanes, RowBody *body, void *ctx) {
    Nest outer = {0};
    bool opened = r.plain.rank > 0 && r.lane_axis != 0 && !axis_in(r.reduced, 0);
    if (!opened) nest_loop_always(r.l, &outer, "n", 1); /* something must hold the passes together */
    r.at = (Index){.n = r.plain.rank};
    r.lanes = lanes;
    open_kept(&r, &outer, first, count);
    Stmt *row = body(&r, ctx);
    for (int i = r.n_reg - 1; i >= 0; i--) row = stmt_alloc(r.l->k, r.reg[i], row);
    lower_emit(r.l, nest_close(r.l, &outer, row));
}

void rows_emit(Lower *l, const Node *n, const Node *x, AxisSet reduced, int64_t groups, RowBody *body, void *ctx) {
    Rows r = {.l = l, .node = n, .x = x, .reduced = reduced, .plain = type_plain(&x->type), .groups = groups};
    if (groups > 1) r.plain.axis[1].extent /= (int32_t)groups;
    r.lane_axis = memory_axis(&r);
    r.lane_kept = r.lane_axis >= 0 && !axis_in(reduced, r.lane_axis);
    int64_t extent = r.lane_kept ? r.plain.axis[r.lane_axis].extent : 1, count = extent / ROW_LANES;
    if (lanes_in_blocks(&r) || !r.lane_kept) {
        emit_chunks(r, 0, 1, 1, body, ctx);
        return;
    }
    if (count) emit_chunks(r, 0, count, ROW_LANES, body, ctx);
    if (extent % ROW_LANES) emit_chunks(r, count * ROW_LANES, 1, extent % ROW_LANES, body, ctx);
}
