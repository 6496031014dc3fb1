#include "codegen/memo.h"

static unsigned memo_slot(const Memo *m, const void *key) {
    return (unsigned)(((uintptr_t)key >> 4) * 0x9E3779B97F4A7C15u >> 32) & (m->cap - 1);
}

void *memo_get(const Memo *m, const void *key) {
    if (m->cap == 0) return NULL;
    for (unsigned i = memo_slot(m, key);; i = (i + 1) & (m->cap - 1)) {
        if (m->row[i].generation != m->generation + 1) return NULL;
        if (m->row[i].key == key) return m->row[i].value;
    }
}

static void memo_set(Memo *m, const void *key, void *value) {
    unsigned i = memo_slot(m, key);
    while (m->row[i].generation == m->generation + 1 && m->row[i].key != key) i = (i + 1) & (m->cap - 1);
    m->row[i] = (MemoRow){key, value, m->generation + 1};
}

void memo_put(Arena *a, Memo *m, const void *key, void *value) {
    if (2 * m->n >= m->cap) {
        Memo bigger = {NULL, m->cap ? 2 * m->cap : 64, 0, m->generation};
        bigger.row = ARENA_ARRAY(a, MemoRow, bigger.cap);
        for (unsigned i = 0; i < m->cap; i++)
            if (m->row[i].generation == m->generation + 1) memo_set(&bigger, m->row[i].key, m->row[i].value);
        bigger.n = m->n;
        *m = bigger;
    }
    memo_set(m, key, value);
    m->n++;
}
