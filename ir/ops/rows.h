/* Nests that treat the elements along some axes together: a row is one group of them, and every op here reads its
 * rows several times (the maximum, then the sum of exponentials, then the quotients). What is known of a row is
 * kept in registers.
 *
 *   for n, for h … (kept axes) { reg mean[lanes] … { pass; pass; pass } }
 *
 * The lane loop runs along memory. When that axis is kept, neighbouring rows are the lanes: a register has an
 * element for each, and passes are loops over the other axes with the lane loop innermost. When it is reduced, a
 * row lies along memory: registers have one element, and rows_fold keeps partial sums for the lanes. Both ways the
 * lane loops become vectors. */
#ifndef LUNETTE_IR_OPS_ROWS_H
#define LUNETTE_IR_OPS_ROWS_H

#include "ir/lower.h"
#include "ir/ops/axes.h"

typedef struct Rows {
    Lower *l;
    const Node *node, *x;
    AxisSet reduced;
    Type plain;     /* of x; with groups, axis 1 is the channels of a group */
    int64_t groups; /* of channels, each a row of its own; 1: the channels are one axis like others */
    Affine group;   /* the first channel of the open one */
    Index at;       /* the element (kept axes: the row) that the innermost open loop is at */
    Affine lane;    /* … and its register element */
    int lane_axis;  /* along memory; −1: x has one element */
    bool lane_kept;
    int64_t lanes;      /* elements of a register */
    Affine lane_base;   /* position along the lane axis without the lane */
    int reg[16], n_reg; /* made so far */
} Rows;

typedef enum FoldOp { FOLD_SUM, FOLD_MAX, FOLD_PRODUCT } FoldOp;

/* The statements of a row. */
typedef Stmt *RowBody(Rows *r, void *ctx);
/* What a fold takes from the element r->at. */
typedef const Expr *RowValue(Rows *r, void *ctx);

/* Adds the nests for all rows of x, an input of n; channels are reduced within each of so many groups. */
void rows_emit(Lower *l, const Node *n, const Node *x, AxisSet reduced, int64_t groups, RowBody *body, void *ctx);

int rows_reg(Rows *r, const char *name);
const Expr *rows_get(const Rows *r, int reg); /* its element of the open lane */
Stmt *rows_put(const Rows *r, int reg, const Expr *value);
/* Opens a loop over the lanes of registers, or over all elements of the row. */
void rows_lanes(Rows *r, Nest *nest, const char *pass);
void rows_elements(Rows *r, Nest *nest, const char *pass);
const Expr *rows_x(Rows *r); /* x there */
/* Sets the register to start, then folds a value of each element into it. */
Stmt *rows_fold(Rows *r, const char *pass, int reg, FoldOp op, float start, RowValue *value, void *ctx);
/* One value a row, from registers. */
Stmt *rows_set(Rows *r, const char *pass, int reg, RowValue *value, void *ctx);
/* The row's place in a result without the reduced axes, or with extent 1 in their place. */
Index rows_result(const Rows *r, bool keep);
/* Elements of a row. */
double rows_count(const Rows *r);

#endif
