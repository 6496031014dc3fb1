/* What the parts of the schedule model share. Private to ir/schedule*.c. */
#ifndef LUNETTE_IR_SCHEDULE_CHOICE_H
#define LUNETTE_IR_SCHEDULE_CHOICE_H

#include "ir/schedule.h"

enum { MAX_PATH = 24 };

/* The loops around one store, outermost first. */
typedef struct Path {
    int n, var[MAX_PATH];
    const Stmt *store;
} Path;

/* A schedule in the making. */
typedef struct Choice {
    Arena *a;
    const Kernel *k;
    const Target *t;
    Text steps, reason;
} Choice;

void choice_step(Choice *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *choice_name(const Choice *c, int var);
int64_t choice_extent(const Choice *c, int var);
/* How far the loop moves the store's target in memory, in elements. */
int64_t choice_coef(const Choice *c, const Stmt *store, int var);
/* Vectors for the loops of these nests that set contiguous elements. */
void choose_vectors(Choice *c, const Stmt *nests);

/* schedule_tile.c: the loop of a reduction's result that becomes the vector, −1 if none can; and the
 * register tile around it. */
int tile_find_vector(const Choice *c, const Path *p);
void choose_tile_schedule(Choice *c, const Path *p, int vec);

#endif
