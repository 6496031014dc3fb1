/* From CPU names to the numbers of ir/target.h. Only x86-64 so far. Nothing here asks LLVM,
 * so that a run with a warm cache does without it. */
#ifndef LUNETTE_CODEGEN_TARGET_H
#define LUNETTE_CODEGEN_TARGET_H

#include "ir/target.h"

/* The machine we run on; one with a CPU that has no name here is its level of the psABI and the features beyond. */
bool target_host(Target *t, Diag *d);
/* A CPU by LLVM's name, on the host's system ("native" is target_host). Cache sizes are the host's.
 * DIAG_USAGE, with the nearest name, for one that is not known. */
bool target_named(Target *t, const char *cpu, Diag *d);
/* This process can execute code made for the target. */
bool target_runs_here(const Target *t);

#endif
