/* LLVM around the emitter: target machine, passes, output. */
#include "codegen/emit.h"
#include "codegen/emit_state.h"
#include "codegen/llvm.h"

#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <string.h>

struct Machine {
    Target target;
    LLVMTargetMachineRef tm;
};

/* mem2reg: the slots of register tiles become values. early-cse: unrolled copies share loads and
 * address sums. licm: what a plain nest adds up in memory moves to a register, which the alias scopes
 * allow (3 times as fast). gvn, instcombine, simplifycfg and instsimplify gained nothing in any kernel
 * tried. Measured on a 3x3 convolution with a 2x14 tile: 1.5 of 12 ms. */
const char *llvm_passes(void) { return "function(mem2reg,early-cse<memssa>,loop-mssa(licm))"; }

const char *llvm_version(void) { return LLVM_VERSION_STRING; }

/* Only the one target of this system: all of LLVM's would cost more than a kernel. */
static void init_target(void) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

/* To be disposed of by the caller; NULL with `d`. */
static LLVMTargetMachineRef target_machine(const Target *t, Diag *d) {
    if (!llvm_load(d)) return NULL;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_target);
    LLVMTargetRef target;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(t->triple, &target, &message)) {
        diag_fail(d, DIAG_UNSUPPORTED, "LLVM: %s", message);
        LLVMDisposeMessage(message);
        return NULL;
    }
    LLVMTargetMachineRef tm = LLVMCreateTargetMachine(target, t->triple, t->cpu, t->features, LLVMCodeGenLevelDefault,
                                                      LLVMRelocPIC, LLVMCodeModelSmall);
    if (!tm) diag_fail(d, DIAG_INTERNAL, "LLVM makes no target machine for %s, %s", t->triple, t->cpu);
    return tm;
}

Machine *machine_open(const Target *t, Diag *d) {
    LLVMTargetMachineRef tm = target_machine(t, d);
    Machine *m = tm ? mem_alloc(sizeof *m) : NULL;
    if (m) {
        m->target = *t;
        m->tm = tm;
        LLVMSetTargetMachineAsmVerbosity(tm, true);
    } else if (tm) {
        LLVMDisposeTargetMachine(tm);
        diag_fail(d, DIAG_MACHINE, "out of memory");
    }
    return m;
}

void machine_close(Machine *m) {
    if (!m) return;
    LLVMDisposeTargetMachine(m->tm);
    mem_free(m);
}

static bool fail_message(Diag *d, const Kernel *k, const char *what, char *message) {
    diag_fail(d, DIAG_INTERNAL, "kernel %s: %s: %s", k->name, what, message ? message : "no message");
    LLVMDisposeMessage(message);
    return false;
}

static void note_error(LLVMDiagnosticInfoRef info, void *diag) {
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError) return;
    char *text = LLVMGetDiagInfoDescription(info);
    diag_fail(diag, DIAG_INTERNAL, "LLVM: %s", text);
    LLVMDisposeMessage(text);
}

static bool copy_out(const char *from, size_t size, void **bytes, size_t *n, Diag *d) {
    char *p = mem_alloc(size + 1);
    if (!p) return diag_fail(d, DIAG_MACHINE, "out of memory");
    memcpy(p, from, size);
    *bytes = p;
    *n = size;
    return true;
}

static bool put_text(LLVMModuleRef module, void **bytes, size_t *n, Diag *d) {
    char *text = LLVMPrintModuleToString(module);
    bool good = copy_out(text, strlen(text), bytes, n, d);
    LLVMDisposeMessage(text);
    return good;
}

static bool run_passes(Emit *e, Machine *m) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(e->module, llvm_passes(), m->tm, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error) return true;
    char *text = LLVMGetErrorMessage(error);
    diag_fail(e->d, DIAG_INTERNAL, "kernel %s: LLVM passes: %s", e->k->name, text);
    LLVMDisposeErrorMessage(text);
    return false;
}

static bool put_code(Emit *e, Machine *m, EmitOutput kind, void **bytes, size_t *n) {
    char *message = NULL;
    LLVMMemoryBufferRef code = NULL;
    LLVMCodeGenFileType type = kind == EMIT_OBJECT ? LLVMObjectFile : LLVMAssemblyFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(m->tm, e->module, type, &message, &code))
        return fail_message(e->d, e->k, "LLVM code generation", message);
    const char *start = LLVMGetBufferStart(code);
    size_t size = LLVMGetBufferSize(code);
    bool good = !e->d || e->d->kind == DIAG_NONE; /* what note_error wrote */
    good = good && copy_out(start, size, bytes, n, e->d);
    LLVMDisposeMemoryBuffer(code);
    return good;
}

static bool emit_module(Emit *e, Machine *m, const char *symbol) {
    e->f32 = LLVMFloatTypeInContext(e->ctx);
    e->i8 = LLVMInt8TypeInContext(e->ctx);
    e->i32 = LLVMInt32TypeInContext(e->ctx);
    e->i64 = LLVMInt64TypeInContext(e->ctx);
    e->ptr = LLVMPointerTypeInContext(e->ctx, 0);
    LLVMSetTarget(e->module, e->t->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(m->tm);
    LLVMSetModuleDataLayout(e->module, layout);
    LLVMDisposeTargetData(layout);
    if (!emit_function(e, symbol)) return false;
    char *message = NULL;
    if (LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message))
        return fail_message(e->d, e->k, "the emitter made wrong IR", message);
    LLVMDisposeMessage(message);
    return true;
}

static bool emit_all(Emit *e, Machine *m, const char *symbol, EmitOutput kind, void **bytes, size_t *n) {
    if (!emit_module(e, m, symbol)) return false;
    if (kind == EMIT_LLVM) return put_text(e->module, bytes, n, e->d);
    if (!run_passes(e, m)) return false;
    if (kind == EMIT_OPTIMIZED) return put_text(e->module, bytes, n, e->d);
    return put_code(e, m, kind, bytes, n);
}

/* The arena's jump ends here, before anything of LLVM's would be lost. */
static bool emit_guarded(Emit *e, Machine *m, const char *symbol, EmitOutput kind, void **bytes, size_t *n) {
    volatile bool good = false;
    if (ARENA_TRY(e->a)) good = emit_all(e, m, symbol, kind, bytes, n);
    else diag_fail(e->d, DIAG_MACHINE, "out of memory");
    ARENA_END(e->a);
    return good;
}

bool machine_emit(Machine *m, const Kernel *k, const char *symbol, EmitOutput kind, void **bytes, size_t *n, Diag *d) {
    Diag own = {0}; /* LLVM's errors are seen even when the caller wants no message */
    Emit e = {.k = k, .t = &m->target, .d = &own};
    *bytes = NULL;
    *n = 0;
    e.a = arena_open(d);
    if (!e.a) return false;
    e.ctx = LLVMContextCreate();
    LLVMContextSetDiscardValueNames(e.ctx, kind == EMIT_OBJECT);
    LLVMContextSetDiagnosticHandler(e.ctx, note_error, &own);
    e.module = LLVMModuleCreateWithNameInContext(symbol, e.ctx);
    e.b = LLVMCreateBuilderInContext(e.ctx);
    bool good = emit_guarded(&e, m, symbol, kind, bytes, n);
    LLVMDisposeBuilder(e.b);
    LLVMDisposeModule(e.module);
    LLVMContextDispose(e.ctx);
    arena_close(e.a);
    return good || diag_fail(d, own.kind ? own.kind : DIAG_INTERNAL, "%s", own.text);
}

bool emit_object(const Kernel *k, const Target *t, const char *symbol, EmitOutput kind, void **bytes, size_t *n,
                 Diag *d) {
    Machine *m = machine_open(t, d);
    bool good = m && machine_emit(m, k, symbol, kind, bytes, n, d);
    machine_close(m);
    return good;
}
