/* Data movement as digits: loops, each of which moves along one axis of the result and perhaps one of the input. So
 * every transposition, slice, block-to-space and the like is one table, from which follow meaning and nest. */
#ifndef LUNETTE_IR_OPS_MOVE_H
#define LUNETTE_IR_OPS_MOVE_H

#include "ir/lower.h"

enum { NO_AXIS = -1, MAX_DIGITS = 3 * MAX_RANK };

/* for i in 0 … extent−1: result axis `out` moves by out_step·i, input axis `in` by in_step·i. */
typedef struct Digit {
    char name[4]; /* of the loop; of channels in blocks the outer part is C */
    int64_t extent;
    int out, in; /* `in` NO_AXIS: the same element again */
    int64_t out_step, in_step;
} Digit;

typedef struct Move {
    int n;
    Digit digit[MAX_DIGITS]; /* outermost loop first */
    int64_t out_base[MAX_AXES], in_base[MAX_AXES];
} Move;

void move_digit(Move *m, const char *name, int64_t extent, int out, int64_t out_step, int in, int64_t in_step);
/* The loop name of an axis: its letter. */
const char *move_name(char buf[2], const Type *t, int axis);
/* What the nest writes of the result. */
void move_eval(const Move *m, const RefTensor *x, RefTensor *out);
/* A nest that copies x so, and applies the tail. */
void move_lower(Lower *l, const Move *m, const Node *x);
/* The elements of x in row-major order under another shape. */
void move_all(const RefTensor *x, RefTensor *out);

/* The two functions of an op that is one move, op##_move(n). */
#define MOVED(op)                                                                                                      \
    void op##_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {                              \
        (void)a;                                                                                                       \
        Move m = op##_move(n);                                                                                         \
        move_eval(&m, in[0], out);                                                                                     \
    }                                                                                                                  \
    void op##_lower(Lower *l, const Node *n) {                                                                         \
        Move m = op##_move(n);                                                                                         \
        move_lower(l, &m, n->in[0]);                                                                                   \
    }

/* Extents of a plain type; its rank. */
int extents_of(const Type *t, int64_t extent[MAX_AXES]);
/* What passes ask (ir/graph/layout.c): channels in these blocks stay whole in a slice of them, … */
bool slice_keeps_blocks(const Node *n, int64_t block);
/* … are reversed, … */
bool reverse_moves_channels(const Node *n);
/* … are resampled; … */
bool resize_moves_channels(const Node *n);
/* … and the axis of a concat. */
int concat_axis(const Node *n);

#endif
