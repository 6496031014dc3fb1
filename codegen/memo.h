/* A map from pointers to pointers, that is cleared by one increment. */
#ifndef LUNETTE_CODEGEN_MEMO_H
#define LUNETTE_CODEGEN_MEMO_H

#include "ir/base.h"

typedef struct MemoRow {
    const void *key;
    void *value;
    unsigned generation;
} MemoRow;

typedef struct Memo { /* all zeros: empty */
    MemoRow *row;
    unsigned cap, n, generation;
} Memo;

void *memo_get(const Memo *m, const void *key); /* NULL: not there */
void memo_put(Arena *a, Memo *m, const void *key, void *value);
static inline void memo_clear(Memo *m) { m->generation++, m->n = 0; }

#endif
