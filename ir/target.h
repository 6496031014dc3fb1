/* The machine as a row of numbers: all that scheduling and the interpreter need to know of it.
 * codegen/target.c fills it in. */
#ifndef LUNETTE_IR_TARGET_H
#define LUNETTE_IR_TARGET_H

#include "ir/base.h"

typedef struct Target {
    char cpu[64]; /* as LLVM names it: "znver4", "x86-64-v3" */
    char triple[96];
    char features[2048];  /* LLVM's feature string, may be empty */
    int vector_bytes;     /* 64 with AVX-512, 32 with AVX, 16 with SSE */
    int vector_registers; /* 32 or 16 */
    int fma_latency;      /* cycles, times units: accumulators needed to keep the units busy */
    int64_t l1_bytes, l2_bytes, l3_bytes;
    bool fma; /* a multiply-add is one rounding (fma) or two (mul, add) */
} Target;

static inline int target_lanes(const Target *t) { return t->vector_bytes / 4; }

#endif
