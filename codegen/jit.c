#include "codegen/jit.h"
#include "codegen/llvm_target.h"

#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <string.h>

struct Jit {
    LLVMOrcLLJITRef llvm;
};

static bool fail_error(Diag *d, const char *what, LLVMErrorRef error) {
    char *text = LLVMGetErrorMessage(error);
    diag_fail(d, DIAG_MACHINE, "%s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return false;
}

Jit *jit_open(const Target *t, Diag *d) {
    LLVMTargetMachineRef tm = llvm_target_machine(t, d);
    Jit *j = tm ? mem_alloc(sizeof *j) : NULL;
    if (tm && !j) diag_fail(d, DIAG_MACHINE, "out of memory");
    if (!j) {
        if (tm) LLVMDisposeTargetMachine(tm);
        return NULL;
    }
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(tm));
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&j->llvm, builder);
    if (!error) return j;
    fail_error(d, "LLVM's JIT cannot start", error);
    mem_free(j);
    return NULL;
}

void jit_close(Jit *j) {
    if (!j) return;
    LLVMErrorRef error = LLVMOrcDisposeLLJIT(j->llvm);
    if (error) LLVMConsumeError(error);
    mem_free(j);
}

bool jit_add(Jit *j, const char *symbol, const void *bytes, size_t n, Diag *d) {
    LLVMMemoryBufferRef object = LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes, n, symbol);
    LLVMErrorRef error = LLVMOrcLLJITAddObjectFile(j->llvm, LLVMOrcLLJITGetMainJITDylib(j->llvm), object);
    return !error || fail_error(d, "LLVM's JIT refuses an object", error);
}

KernelFn jit_find(Jit *j, const char *symbol, Diag *d) {
    LLVMOrcExecutorAddress address = 0;
    LLVMErrorRef error = LLVMOrcLLJITLookup(j->llvm, &address, symbol);
    if (error) {
        fail_error(d, "LLVM's JIT cannot link a kernel", error);
        return NULL;
    }
    KernelFn fn;
    void *p = (void *)(uintptr_t)address;
    memcpy(&fn, &p, sizeof fn);
    return fn;
}
