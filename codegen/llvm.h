/* LLVM's C API, loaded when something has to be compiled: a process whose kernels all come from the cache does without
 * libLLVM. The build lists the functions that the files of codegen/ call (llvm_functions.def) and makes each name stand
 * for a pointer in `llvm_api` (llvm_calls.h), so that calls look as if the library was linked. */
#ifndef LUNETTE_CODEGEN_LLVM_H
#define LUNETTE_CODEGEN_LLVM_H

#include "ir/base.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

typedef struct LlvmApi {
#define LLVM_FUNCTION(name) __typeof__(name) *p_##name;
#include "codegen/llvm_functions.def"
#undef LLVM_FUNCTION
} LlvmApi;

extern LlvmApi llvm_api;

#include "codegen/llvm_calls.h"

/* To be called before anything of LLVM's: finds and checks the library, once. DIAG_MACHINE if it is not there, lacks a
 * function, or is another version than the one that Lunette was built for. */
bool llvm_load(Diag *d);

#endif
