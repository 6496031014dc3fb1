/* Kernels to callable functions: one for all that are equal but for lifted constants (lift.h), from the
 * cache or compiled by several threads, linked into the process. LLVM is loaded when there is one to compile. */
#ifndef LUNETTE_CODEGEN_COMPILE_H
#define LUNETTE_CODEGEN_COMPILE_H

#include "codegen/emit.h"

typedef struct CodeOptions {
    int threads;           /* that compile; < 1 is 1 */
    const char *cache_dir; /* NULL: no cache */
    bool perf_map;         /* names the code in /tmp/perf-PID.map */
    /* Other work for threads that find no kernel left while others still compile, or NULL: a piece of it a call, false
     * when none is left. Called by several threads at a time, and not at all when nothing is compiled. */
    bool (*idle)(void *ctx);
    void *idle_ctx;
} CodeOptions;

typedef struct CodeStats {
    int kernels, distinct, compiled, cached; /* distinct = compiled + cached */
    double seconds;                          /* all of code_open */
    int64_t object_bytes;
    char cache_note[256]; /* why there is no cache; "" if there is, or none was wanted */
} CodeStats;

typedef struct CodeLib CodeLib;

/* The kernels are verified ones; they are read only here. The code lives until code_close. */
bool code_open(CodeLib **out, const Kernel *const *kernels, int n, const Target *t, const CodeOptions *o, Diag *d);
KernelFn code_fn(const CodeLib *lib, int kernel);
const intptr_t *code_args(const CodeLib *lib, int kernel); /* what its function is called with; NULL: nothing */
const CodeStats *code_stats(const CodeLib *lib);
void code_close(CodeLib *lib); /* NULL is fine */

#endif
