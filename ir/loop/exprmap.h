/* A map from expression nodes to integers (0 when not set), so that a walk over a DAG sees every
 * node once however often it is shared. */
#ifndef LUNETTE_IR_LOOP_EXPRMAP_H
#define LUNETTE_IR_LOOP_EXPRMAP_H

#include "ir/loop.h"

typedef struct ExprMap {
    Arena *arena;
    struct ExprSlot {
        const Expr *key;
        int value;
    } * slot; /* open addressing, cap a power of two */
    size_t n, cap;
} ExprMap;

static inline struct ExprSlot *exprmap_slot(struct ExprSlot *slot, size_t cap, const Expr *e) {
    size_t i = (size_t)((uintptr_t)e >> 4) * 0x9E3779B97F4A7C15u >> 20 & (cap - 1);
    while (slot[i].key && slot[i].key != e) i = (i + 1) & (cap - 1);
    return &slot[i];
}

/* Where the value of this node is kept. Valid until the next call. */
static inline int *exprmap_at(ExprMap *m, const Expr *e) {
    if (2 * m->n >= m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 32;
        struct ExprSlot *bigger = ARENA_ARRAY(m->arena, struct ExprSlot, cap);
        for (size_t i = 0; i < m->cap; i++)
            if (m->slot[i].key) *exprmap_slot(bigger, cap, m->slot[i].key) = m->slot[i];
        m->slot = bigger;
        m->cap = cap;
    }
    struct ExprSlot *s = exprmap_slot(m->slot, m->cap, e);
    if (!s->key) {
        s->key = e;
        m->n++;
    }
    return &s->value;
}

#endif
