#include "codegen/llvm.h"

#include <dlfcn.h>
#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <string.h>

LlvmApi llvm_api;

typedef struct Function {
    const char *name;
    size_t at; /* of its pointer in llvm_api */
} Function;

static const Function functions[] = {
#define LLVM_FUNCTION(name) {#name, offsetof(LlvmApi, p_##name)},
#include "codegen/llvm_functions.def"
#undef LLVM_FUNCTION
};

static bool find_functions(void *library, Diag *d) {
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        void *p = dlsym(library, functions[i].name);
        if (!p) return diag_fail(d, DIAG_MACHINE, LUNETTE_LLVM_SONAME " has no %s", functions[i].name);
        memcpy((char *)&llvm_api + functions[i].at, &p, sizeof p);
    }
    return true;
}

/* Code of another version would go to the cache under the name of this one. */
static bool check_version(Diag *d) {
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    if (major == LLVM_VERSION_MAJOR && minor == LLVM_VERSION_MINOR) return true;
    return diag_fail(d, DIAG_MACHINE, LUNETTE_LLVM_SONAME " is LLVM %u.%u.%u, but Lunette was built for %s", major,
                     minor, patch, LLVM_VERSION_STRING);
}

/* As the system finds it, else where the build saw it. */
static bool load(Diag *d) {
    void *library = dlopen(LUNETTE_LLVM_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!library) library = dlopen(LUNETTE_LLVM_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        return diag_fail(d, DIAG_MACHINE, LUNETTE_LLVM_SONAME " is needed to compile and cannot be loaded: %s",
                         why ? why : "no reason given");
    }
    if (find_functions(library, d) && check_version(d)) return true;
    dlclose(library);
    return false;
}

bool llvm_load(Diag *d) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool loaded;
    pthread_mutex_lock(&lock);
    if (!loaded) loaded = load(d); /* what failed may be tried again */
    bool good = loaded;
    pthread_mutex_unlock(&lock);
    return good;
}
