/* Loads and stores of elements that are no f32, and loads at places computed at run time. */
#include "runtime/interp_code.h"

#include <string.h>

/* Where each iteration of a strip finds its element. */
static void places(const Nest *n, const Access *x, int64_t first, int count, int64_t at[STRIP]) {
    int64_t stride = x->stride[n->n_loops - 1];
    for (int i = 0; i < count; i++) at[i] = x->at + (first + i) * stride;
    for (int j = 0; j < x->n_take; j++) {
        const Take *t = &x->take[j];
        const float *index = n->strip[t->strip].f;
        for (int i = 0; i < count; i++) {
            float v = index[i] > 0 ? index[i] : 0; /* NaN: 0 */
            at[i] += t->stride * (int32_t)(v < t->last ? v : t->last);
        }
    }
}

void interp_load(const Run *r, const Nest *n, const Access *x, int64_t first, int count, float *y) {
    int64_t at[STRIP];
    const void *memory = r->memory[x->memory];
    places(n, x, first, count, at);
    switch (x->dtype) {
    case DT_F32:
        for (int i = 0; i < count; i++) y[i] = ((const float *)memory)[at[i]];
        break;
    case DT_I64:
        for (int i = 0; i < count; i++) y[i] = (float)((const int64_t *)memory)[at[i]];
        break;
    case DT_I32:
        for (int i = 0; i < count; i++) y[i] = (float)((const int32_t *)memory)[at[i]];
        break;
    case DT_U8:
    case DT_BOOL:
        for (int i = 0; i < count; i++) y[i] = (float)((const uint8_t *)memory)[at[i]];
        break;
    }
}

/* Truncated, saturated; NaN is 0. */
static int64_t to_i64(float v) {
    if (v >= 0x1p63f) return INT64_MAX;
    return v >= -0x1p63f ? (int64_t)v : v < 0 ? INT64_MIN : 0;
}

static int32_t to_i32(float v) {
    if (v >= 0x1p31f) return INT32_MAX;
    return v >= -0x1p31f ? (int32_t)v : v < 0 ? INT32_MIN : 0;
}

static uint8_t to_u8(float v) { return v >= 255 ? 255 : v > 0 ? (uint8_t)v : 0; }

static void store_converted(const Run *r, const Nest *n, int64_t first, int count) {
    const Access *target = &n->access[0];
    const float *x = n->strip[n->x].f;
    int64_t at[STRIP];
    void *memory = r->memory[target->memory];
    places(n, target, first, count, at);
    switch (target->dtype) {
    case DT_F32: break; /* not converted */
    case DT_I64:
        for (int i = 0; i < count; i++) ((int64_t *)memory)[at[i]] = to_i64(x[i]);
        break;
    case DT_I32:
        for (int i = 0; i < count; i++) ((int32_t *)memory)[at[i]] = to_i32(x[i]);
        break;
    case DT_U8:
        for (int i = 0; i < count; i++) ((uint8_t *)memory)[at[i]] = to_u8(x[i]);
        break;
    case DT_BOOL:
        for (int i = 0; i < count; i++) ((uint8_t *)memory)[at[i]] = x[i] != 0;
        break;
    }
}

static void store_moved(const Run *r, const Nest *n, int64_t first, int count) {
    const Access *target = &n->access[0], *from = &n->access[n->x];
    int64_t at[STRIP], source[STRIP];
    size_t bytes = dtype_bytes(target->dtype);
    places(n, target, first, count, at);
    places(n, from, first, count, source);
    char *to = r->memory[target->memory];
    const char *x = r->memory[from->memory];
    for (int i = 0; i < count; i++) memmove(to + (size_t)at[i] * bytes, x + (size_t)source[i] * bytes, bytes);
}

void interp_store(const Run *r, const Nest *n, int64_t first, int count) {
    if (n->combine == COMBINE_MOVE) store_moved(r, n, first, count);
    else store_converted(r, n, first, count);
}
