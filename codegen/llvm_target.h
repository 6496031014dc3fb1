/* A target machine of LLVM's, for the files of codegen/ that need one. */
#ifndef LUNETTE_CODEGEN_LLVM_TARGET_H
#define LUNETTE_CODEGEN_LLVM_TARGET_H

#include "ir/target.h"

#include <llvm-c/TargetMachine.h>

/* To be disposed of by the caller; NULL with `d`. */
LLVMTargetMachineRef llvm_target_machine(const Target *t, Diag *d);

#endif
