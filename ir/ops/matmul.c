/* matmul: products of matrices, the last two axes, for each position of the axes before; gemm: one product, scaled,
 * plus a matrix. panels and panelproduct: what the pass layout makes of most of them, the right matrix cut into panels of
 * 64 columns, each dense in memory (zeros after the last column): [k j] becomes [J k 64]. Reading columns of a wide matrix
 * itself is a step of a whole row from k to k + 1, which caches do not like: 1024×1024×1024 on Zen 4 takes 15 times as long.
 *
 *   matmul  z[… i j] = Σ_k x[… i k] · y[… k j], axes before the last two broadcast as in numpy; a vector is one row on the
 *           left, one column on the right, without that axis in the result
 *   gemm    z[i j] = alpha · Σ_k a[i k] · b[k j] + beta · c[i j], c broadcasting */
#include "ir/lower.h"
#include "ir/ops/approx.h"
#include "ir/ops/ops.h"

/* One operand: its axes as the product has them, with two matrix axes. */
typedef struct Matrix {
    Type type;
    int row, column; /* its axes with these meanings; −1: a vector has one of them only */
    int64_t rows, columns;
    int batch; /* how many axes before the matrix */
    int panel; /* the axis of panels before the rows; −1: none */
} Matrix;

typedef struct Product {
    Matrix x, y;
    int64_t i, j, k;
    int batch;
    int64_t extent[MAX_AXES]; /* of the result: batch, then i and j as far as there are */
    int rank;
} Product;

/* ---- shapes ---------------------------------------------------------------------------------- */

static Matrix matrix_of(const Node *n, int in, bool transposed) {
    Matrix m = {.type = shape_in(n, in), .row = -1, .column = -1, .panel = -1, .rows = 1, .columns = 1};
    int last = m.type.rank - 1;
    if (m.type.rank == 1) {
        if (in == 0) m.column = 0;
        else m.row = 0;
    } else {
        m.row = transposed ? last : last - 1;
        m.column = transposed ? last - 1 : last;
        m.batch = m.type.rank - 2;
    }
    if (m.row >= 0) m.rows = m.type.axis[m.row].extent;
    if (m.column >= 0) m.columns = m.type.axis[m.column].extent;
    return m;
}

/* Extent of batch axis k of the result in this operand, 1 where it has no such axis. */
static int64_t batch_extent(const Matrix *m, int batch, int k) {
    int at = k - (batch - m->batch);
    return at < 0 ? 1 : m->type.axis[at].extent;
}

enum { PANEL = 64 };

/* panels > 0: input 1 is cut into panels of so many columns in all. */
static Product product_of(const Node *n, bool trans_x, bool trans_y, int64_t panels) {
    Product p = {.x = matrix_of(n, 0, trans_x), .y = matrix_of(n, 1, trans_y)};
    if (panels) {
        p.y.panel = --p.y.batch;
        p.y.columns = panels;
    }
    p.i = p.x.rows;
    p.j = p.y.columns;
    p.k = p.x.columns;
    p.batch = p.x.batch > p.y.batch ? p.x.batch : p.y.batch;
    for (int k = 0; k < p.batch; k++) {
        int64_t x = batch_extent(&p.x, p.batch, k), y = batch_extent(&p.y, p.batch, k);
        p.extent[p.rank++] = x > y ? x : y;
    }
    if (p.x.row >= 0) p.extent[p.rank++] = p.i;
    if (p.y.column >= 0) p.extent[p.rank++] = p.j;
    return p;
}

static bool product_shape(Node *n, const Product *p, Diag *d) {
    char x[SHAPE_TEXT], y[SHAPE_TEXT];
    shape_text(x, &p->x.type);
    shape_text(y, &p->y.type);
    if (p->x.columns != p->y.rows)
        return diag_fail(d, DIAG_SPEC,
                         "the rows of the left matrix have %lld elements, the columns of the right one %lld; the "
                         "inputs are %s and %s",
                         (long long)p->x.columns, (long long)p->y.rows, x, y);
    for (int k = 0; k < p->batch; k++) {
        int64_t a = batch_extent(&p->x, p->batch, k), b = batch_extent(&p->y, p->batch, k);
        if (a != b && a != 1 && b != 1)
            return diag_fail(d, DIAG_SPEC, "the axes before the matrices do not broadcast: the inputs are %s and %s", x,
                             y);
    }
    return type_of_rank(&n->type, DT_F32, p->rank, p->extent, d);
}

static Product matmul_product(const Node *n) {
    return product_of(n, n->attr.MATMUL.trans_x, n->attr.MATMUL.trans_y, 0);
}
static Product panel_product(const Node *n) {
    return product_of(n, n->attr.PANELPRODUCT.trans_x, false, n->attr.PANELPRODUCT.columns);
}
static Product gemm_product(const Node *n) { return product_of(n, n->attr.GEMM.trans_a, n->attr.GEMM.trans_b, 0); }

bool matmul_shape(Node *n, Diag *d) {
    char text[SHAPE_TEXT];
    for (int i = 0; i < 2; i++) {
        Type x = shape_in(n, i);
        if (x.rank == 0) return diag_fail(d, DIAG_SPEC, "input %d is %s: no matrix", i + 1, shape_text(text, &x));
    }
    Product p = matmul_product(n);
    return product_shape(n, &p, d);
}

/* What a gemm adds, if anything. */
static bool gemm_side(const Node *n, const Product *p, Diag *d) {
    char text[SHAPE_TEXT], of[SHAPE_TEXT];
    if (n->n_in < 3) return true;
    Type c = shape_in(n, 2);
    bool fits = c.rank <= 2;
    for (int i = 0; fits && i < c.rank; i++) {
        int64_t extent = c.axis[i].extent;
        fits = extent == 1 || extent == p->extent[2 - c.rank + i];
    }
    return fits || diag_fail(d, DIAG_SPEC, "c is %s, which does not broadcast to %s", shape_text(text, &c),
                             shape_text(of, &n->type));
}

bool gemm_shape(Node *n, Diag *d) {
    char text[SHAPE_TEXT];
    for (int i = 0; i < 2; i++) {
        Type x = shape_in(n, i);
        if (x.rank != 2)
            return diag_fail(d, DIAG_SPEC, "input %d is %s, but two axes are needed", i + 1, shape_text(text, &x));
    }
    Product p = gemm_product(n);
    return product_shape(n, &p, d) && gemm_side(n, &p, d);
}

bool panels_shape(Node *n, Diag *d) {
    Matrix y = matrix_of(n, 0, n->attr.PANELS.trans);
    int64_t extent[MAX_AXES];
    if (y.type.rank < 2) return diag_fail(d, DIAG_SPEC, "no matrix");
    for (int i = 0; i < y.batch; i++) extent[i] = y.type.axis[i].extent;
    extent[y.batch] = (y.columns + PANEL - 1) / PANEL;
    extent[y.batch + 1] = y.rows;
    extent[y.batch + 2] = PANEL;
    return type_of_rank(&n->type, DT_F32, y.batch + 3, extent, d);
}

bool panelproduct_shape(Node *n, Diag *d) {
    Type x = shape_in(n, 0), y = shape_in(n, 1);
    int64_t columns = n->attr.PANELPRODUCT.columns;
    if (x.rank < 1 || y.rank < 3 || y.axis[y.rank - 1].extent != PANEL ||
        y.axis[y.rank - 3].extent != (columns + PANEL - 1) / PANEL)
        return diag_fail(d, DIAG_SPEC, "no panels of %lld columns", (long long)columns);
    Product p = panel_product(n);
    return product_shape(n, &p, d) && gemm_side(n, &p, d);
}

/* ---- meaning --------------------------------------------------------------------------------- */

/* Steps through memory of a plain tensor along each of its axes. */
static void steps_of(const Type *t, int64_t step[MAX_AXES]) {
    int64_t s = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        step[i] = s;
        s *= t->axis[i].extent;
    }
}

/* Where an operand's matrix starts for batch position b (row-major over the result's batch axes). */
static int64_t matrix_at(const Matrix *m, const int64_t step[MAX_AXES], const Product *p, int64_t b) {
    int64_t at = 0;
    for (int k = p->batch - 1; k >= 0; k--) {
        int axis = k - (p->batch - m->batch);
        if (axis >= 0 && m->type.axis[axis].extent > 1) at += b % p->extent[k] * step[axis];
        b /= p->extent[k];
    }
    return at;
}

/* Steps from row to row, from column to column, and from panel to panel, of an operand. */
typedef struct Steps {
    int64_t axis[MAX_AXES], row, column, panel;
} Steps;

static Steps matrix_steps(const Matrix *m) {
    Steps s = {0};
    steps_of(&m->type, s.axis);
    s.row = m->row < 0 ? 0 : s.axis[m->row];
    s.column = m->column < 0 ? 0 : s.axis[m->column];
    s.panel = m->panel < 0 ? PANEL * s.column : s.axis[m->panel];
    return s;
}

/* out[b i j] += Σ_k x·y */
static void product_sum(const Product *p, const double *x, const double *y, double *out) {
    Steps xs = matrix_steps(&p->x), ys = matrix_steps(&p->y);
    int64_t batches = 1;
    for (int k = 0; k < p->batch; k++) batches *= p->extent[k];
    for (int64_t b = 0; b < batches; b++) {
        const double *left = x + matrix_at(&p->x, xs.axis, p, b), *right = y + matrix_at(&p->y, ys.axis, p, b);
        for (int64_t i = 0; i < p->i; i++, out += p->j)
            for (int64_t k = 0; k < p->k; k++) {
                double a = left[i * xs.row + k * xs.column];
                for (int64_t j = 0; j < p->j; j++)
                    out[j] += a * right[j / PANEL * ys.panel + k * ys.row + j % PANEL * ys.column];
            }
    }
}

/* |x|·(e_y + γ(|y| + e_y)) + e_x·(1 + γ)(|y| + e_y): each of k products is rounded once and meets k additions. */
static void product_err(Arena *a, const Product *p, const RefTensor *x, const RefTensor *y, double *err) {
    int64_t n_x = type_elements(&x->type), n_y = type_elements(&y->type);
    double *size_x = ARENA_ARRAY(a, double, n_x), *size_y = ARENA_ARRAY(a, double, n_y),
           *by_y = ARENA_ARRAY(a, double, n_y);
    double gamma = approx_gamma((double)p->k + 3);
    for (int64_t i = 0; i < n_x; i++) size_x[i] = fabs(x->v[i]);
    for (int64_t i = 0; i < n_y; i++) {
        double e = y->err ? y->err[i] : 0;
        size_y[i] = (1 + gamma) * (fabs(y->v[i]) + e);
        by_y[i] = e + gamma * (fabs(y->v[i]) + e);
    }
    product_sum(p, size_x, by_y, err);
    if (x->err) product_sum(p, x->err, size_y, err);
}

static void product_eval(Arena *a, const Product *p, const RefTensor *const *in, RefTensor *out) {
    product_sum(p, in[0]->v, in[1]->v, out->v);
    if (!out->err) return;
    product_err(a, p, in[0], in[1], out->err);
    for (int64_t i = 0; i < type_elements(&out->type); i++) {
        double size = fabs(out->v[i]) + out->err[i];
        out->err[i] = size <= (double)FLT_MAX ? out->err[i] + (double)(p->k + 3) * 0x1p-149 : INFINITY;
    }
}

void matmul_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Product p = matmul_product(n);
    product_eval(a, &p, in, out);
}

/* Element (i, j) of what broadcasts to a matrix. */
static int64_t broadcast_at(const Type *c, int64_t i, int64_t j) {
    int64_t columns = c->rank > 0 ? c->axis[c->rank - 1].extent : 1;
    if (columns == 1) j = 0;
    if (c->rank < 2 || c->axis[0].extent == 1) i = 0;
    return i * columns + j;
}

/* alpha · out + beta · c */
static void side_eval(const Product *p, float alpha, float beta, const RefTensor *side, RefTensor *out) {
    for (int64_t i = 0; i < p->i; i++)
        for (int64_t j = 0; j < p->j; j++) {
            int64_t at = i * p->j + j;
            Approx v = approx_at(out, at);
            if (alpha != 1) v = approx_mul(approx((double)alpha, 0), v);
            if (side) {
                Approx c = approx_at(side, broadcast_at(&side->type, i, j));
                v = approx_add(v, beta == 1 ? c : approx_mul(approx((double)beta, 0), c));
            }
            approx_put(out, at, v);
        }
}

void gemm_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Product p = gemm_product(n);
    product_eval(a, &p, in, out);
    side_eval(&p, n->attr.GEMM.alpha, n->attr.GEMM.beta, in[2], out);
}

void panelproduct_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    Product p = panel_product(n);
    product_eval(a, &p, in, out);
    if (in[2] || n->attr.PANELPRODUCT.alpha != 1)
        side_eval(&p, n->attr.PANELPRODUCT.alpha, n->attr.PANELPRODUCT.beta, in[2], out);
}

void panels_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    Matrix y = matrix_of(n, 0, n->attr.PANELS.trans);
    Steps s = matrix_steps(&y);
    int64_t matrix = y.rows * y.columns, panels = (y.columns + PANEL - 1) / PANEL * PANEL, at = 0;
    for (int64_t b = 0; b < type_elements(&y.type) / matrix; b++)
        for (int64_t j = 0; j < panels; j += PANEL)
            for (int64_t k = 0; k < y.rows; k++)
                for (int64_t i = j; i < j + PANEL; i++, at++) {
                    Approx v = i < y.columns ? approx_at(in[0], b * matrix + k * s.row + i * s.column) : approx(0, 0);
                    approx_put(out, at, v);
                }
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* An operand at (batch, row, column). */
static const Expr *matrix_read(Lower *l, const Node *x, const Matrix *m, const Product *p, const Index *z, Affine row,
                               Affine column) {
    Index at = {.n = m->type.rank};
    for (int i = 0; i < m->batch; i++)
        at.v[i] = m->type.axis[i].extent == 1 ? affine_const(0) : z->v[i + p->batch - m->batch];
    if (m->row >= 0) at.v[m->row] = row;
    if (m->column >= 0) at.v[m->column] = column;
    if (m->panel >= 0) affine_divmod(l->k, column, PANEL, &at.v[m->panel], &at.v[m->column]);
    return lower_read(l, x, &at);
}

/* A block of the result: rows first + BLOCK_ROWS·I + i, columns alike; I and J are tasks. */
typedef struct Block {
    int64_t first_row, row_blocks, rows, first_column, column_blocks, columns;
} Block;

enum { BLOCK_ROWS = 28, BLOCK_COLUMNS = PANEL };

typedef struct ProductLower {
    const Node *n;
    Product p;
    /* What is stored once the sum stands, NULL: the sum itself. */
    const Expr *(*finish)(Lower *l, const Node *n, const Index *z, const Expr *sum);
} ProductLower;

/* z = 0; for k: z += x·y, the rest outside: the loop over columns is contiguous in z and in y. All loops stand in
 * each block, so that one schedule fits them all. */
static void product_block(Lower *l, const ProductLower *c, const Block *b) {
    const Product *p = &c->p;
    Nest outer = {0}, inner = {0};
    Index z = {.n = p->rank};
    Type t = type_plain(&c->n->type);
    if (p->batch == 0) nest_loop_always(l, &outer, "n", 1);
    for (int i = 0; i < p->batch; i++) z.v[i] = nest_loop_always(l, &outer, axis_name(l, &t, i), p->extent[i]);
    Affine ib = nest_loop_always(l, &outer, "I", b->row_blocks),
           jb = nest_loop_always(l, &outer, "J", b->column_blocks);
    Affine i = nest_loop_always(l, &outer, "i", b->rows), j = nest_loop_always(l, &outer, "j", b->columns);
    Affine row = affine_offset(affine_add(l->a, affine_scale(l->a, ib, BLOCK_ROWS), i), b->first_row);
    Affine column = affine_offset(affine_add(l->a, affine_scale(l->a, jb, BLOCK_COLUMNS), j), b->first_column);
    int at = p->batch;
    if (p->x.row >= 0) z.v[at++] = row;
    if (p->y.column >= 0) z.v[at] = column;
    Affine k = nest_loop_always(l, &inner, "k", p->k);
    const Expr *x = matrix_read(l, c->n->in[0], &p->x, p, &z, row, k);
    const Expr *y = matrix_read(l, c->n->in[1], &p->y, p, &z, k, column);
    Stmt *body = lower_write(l, &z, STORE_SET, expr_const(l->a, 0));
    body = stmt_append(body,
                       nest_close(l, &inner, lower_write(l, &z, STORE_ADD, expr_call(l->a, FN_MUL, x, y, NULL, NULL))));
    const Expr *sum = lower_read_out(l, &z), *value = c->finish ? c->finish(l, c->n, &z, sum) : sum;
    if (value != sum || lower_has_tail(l)) body = stmt_append(body, lower_finish(l, &z, value));
    lower_emit(l, nest_close(l, &outer, body));
}

/* Whole blocks and the rest, of rows and of columns: up to four nests. */
static void product_nests(Lower *l, const ProductLower *c) {
    int64_t i = c->p.i, j = c->p.j;
    for (int part = 0; part < 4; part++) {
        int64_t rows = i < BLOCK_ROWS ? 0 : i / BLOCK_ROWS, columns = j < BLOCK_COLUMNS ? 0 : j / BLOCK_COLUMNS;
        Block b = {0, rows, BLOCK_ROWS, 0, columns, BLOCK_COLUMNS};
        if (part & 1) b.first_column = columns * BLOCK_COLUMNS, b.column_blocks = 1, b.columns = j % BLOCK_COLUMNS;
        if (part & 2) b.first_row = rows * BLOCK_ROWS, b.row_blocks = 1, b.rows = i % BLOCK_ROWS;
        if (b.row_blocks && b.rows && b.column_blocks && b.columns) product_block(l, c, &b);
    }
}

void matmul_lower(Lower *l, const Node *n) {
    ProductLower c = {.n = n, .p = matmul_product(n)};
    product_nests(l, &c);
}

static const Expr *gemm_finish(Lower *l, const Node *n, const Index *z, const Expr *v) {
    bool panels = n->op == OP_PANELPRODUCT;
    float alpha = panels ? n->attr.PANELPRODUCT.alpha : n->attr.GEMM.alpha;
    float beta = panels ? n->attr.PANELPRODUCT.beta : n->attr.GEMM.beta;
    if (alpha != 1) v = expr_call(l->a, FN_MUL, expr_const(l->a, alpha), v, NULL, NULL);
    if (n->n_in < 3) return v;
    const Expr *c = lower_read_broadcast(l, n->in[2], z);
    if (beta != 1) c = expr_call(l->a, FN_MUL, expr_const(l->a, beta), c, NULL, NULL);
    return expr_call(l->a, FN_ADD, v, c, NULL, NULL);
}

void gemm_lower(Lower *l, const Node *n) {
    ProductLower c = {.n = n, .p = gemm_product(n), .finish = gemm_finish};
    product_nests(l, &c);
}

void panelproduct_lower(Lower *l, const Node *n) {
    ProductLower c = {.n = n, .p = panel_product(n), .finish = gemm_finish};
    product_nests(l, &c);
}

/* Whole panels, then the last one: its columns, and zeros. */
void panels_lower(Lower *l, const Node *n) {
    Matrix m = matrix_of(n, 0, n->attr.PANELS.trans);
    int64_t whole = m.columns / PANEL, rest = m.columns % PANEL;
    const int64_t panels[] = {whole, rest > 0, rest > 0}, first[] = {0, 0, rest},
                  columns[] = {PANEL, rest, PANEL - rest};
    for (int part = 0; part < 3; part++) {
        if (panels[part] == 0) continue;
        Nest nest = {0};
        Index to = {.n = m.batch + 3}, from = {.n = m.type.rank};
        if (m.batch == 0) nest_loop_always(l, &nest, "n", 1);
        for (int i = 0; i < m.batch; i++)
            to.v[i] = from.v[i] = nest_loop_always(l, &nest, axis_name(l, &m.type, i), m.type.axis[i].extent);
        Affine panel = affine_offset(nest_loop(l, &nest, "J", panels[part]), part ? whole : 0);
        Affine k = nest_loop(l, &nest, "k", m.rows),
               j = affine_offset(nest_loop(l, &nest, "j", columns[part]), first[part]);
        to.v[m.batch] = panel;
        to.v[m.batch + 1] = from.v[m.row] = k;
        to.v[m.batch + 2] = j;
        from.v[m.column] = affine_add(l->a, affine_scale(l->a, panel, PANEL), j);
        const Expr *value = part == 2 ? expr_const(l->a, 0) : lower_read(l, n->in[0], &from);
        lower_emit(l, nest_close(l, &nest, lower_write(l, &to, STORE_SET, value)));
    }
}
