/* Memory of tensors of any element type, of which some elements may not have been written yet. */
#include "frontend/check_part.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What stands where nothing was written: as f32 a NaN that no arithmetic makes, as i64 and i32 a number that no arithmetic in
 * float32 makes, as bool none; a u8 may be it, so that kernels which make those are interpreted whole. */
static const uint8_t pattern[8] = {0xa5, 0xa5, 0xc5, 0x7f, 0xa5, 0xa5, 0xc5, 0x7f};

void *memory_aligned(Arena *a, size_t bytes) {
    char *p = arena_alloc(a, bytes + PLAN_ALIGN);
    return (void *)(((uintptr_t)p + PLAN_ALIGN - 1) & ~(uintptr_t)(PLAN_ALIGN - 1));
}

void memory_unwrite(DType t, void *data, int64_t n) {
    size_t size = dtype_bytes(t);
    for (int64_t i = 0; i < n; i++) memcpy((char *)data + (size_t)i * size, pattern, size);
}

const void *memory_at(DType t, const void *data, int64_t i) { return (const char *)data + i * (int64_t)dtype_bytes(t); }

bool memory_written(DType t, const void *data, int64_t i) {
    return memcmp(memory_at(t, data, i), pattern, dtype_bytes(t)) != 0;
}

bool memory_same(DType t, const void *x, const void *y, int64_t i) {
    if (memcmp(memory_at(t, x, i), memory_at(t, y, i), dtype_bytes(t)) == 0) return true;
    bool nan = isnan(dtype_get(t, x, i)) && isnan(dtype_get(t, y, i));
    return nan && memory_written(t, x, i) && memory_written(t, y, i);
}

/* FNV-1a (Fowler, Noll, Vo) over words of 4 bytes, then the bytes that are left; never 0. */
uint64_t memory_digest(const void *data, size_t bytes) {
    uint64_t h = 0xcbf29ce484222325u;
    const char *p = data;
    for (size_t at = 0; at < bytes;) {
        uint32_t word = 0;
        size_t n = bytes - at < sizeof word ? bytes - at : sizeof word;
        memcpy(&word, p + at, n);
        h = (h ^ word) * 0x100000001b3u;
        at += n;
    }
    return h | 1;
}

const char *memory_text(DType t, const void *data, int64_t i, char out[CHECK_VALUE_TEXT]) {
    uint32_t bits;
    if (t == DT_I64) {
        snprintf(out, CHECK_VALUE_TEXT, "%lld", (long long)((const int64_t *)data)[i]);
    } else if (t != DT_F32) {
        snprintf(out, CHECK_VALUE_TEXT, "%.0f", dtype_get(t, data, i));
    } else {
        memcpy(&bits, memory_at(t, data, i), sizeof bits);
        snprintf(out, CHECK_VALUE_TEXT, "%.9g (%08x)", dtype_get(t, data, i), bits);
    }
    return out;
}
