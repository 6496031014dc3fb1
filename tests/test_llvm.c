/* LLVM at arm's length: what is known of the machine without it is what it says, and where it cannot be loaded cached
 * kernels still run. */
#include "codegen/compile.h"
#include "codegen/host.h"
#include "codegen/target.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The linker gives all calls of dlopen to this. */
static bool hidden;
void *__real_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags) { return __real_dlopen(hidden ? "libhidden.so.0" : name, flags); }

static char dir[] = "/tmp/lunette-llvm-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : 1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command);
}

static bool is_mapped(const char *part) {
    FILE *f = fopen("/proc/self/maps", "r");
    char line[500];
    bool found = false;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) found = found || strstr(line, part);
    fclose(f);
    return found;
}

static bool run_kernel(CodeStats *stats, Diag *d) {
    static const char *const text = "kernel k(in x : f32[w20], out y : f32[w20]) { vec w 20 { y[w] = x[w] + 1; } }";
    Arena *a = arena_open(NULL);
    Lexer l;
    lex_open(&l, a, "test", text, d);
    Kernel *k = kernel_parse(&l);
    Target t;
    CodeLib *lib;
    if (!k || !kernel_verify(k, d) || !target_host(&t, d)) fail_msg("%s", d->text);
    bool good = code_open(&lib, (const Kernel *const *)&k, 1, &t, &(CodeOptions){.threads = 2, .cache_dir = dir}, d);
    if (good) {
        float x[20] = {0}, y[20];
        code_fn(lib, 0)((void *[]){x, y}, code_args(lib, 0), NULL, 0, 1);
        assert_true(y[0] == 1 && y[19] == 1);
        *stats = *code_stats(lib);
    }
    code_close(lib);
    arena_close(a);
    return good;
}

/* In this order: without LLVM and without a cache, with LLVM, and without it again, in a process that has not loaded it. */
static void test_missing(void **state) {
    (void)state;
    Diag d = {0};
    CodeStats s;
    hidden = true;
    assert_false(run_kernel(&s, &d));
    assert_int_equal(d.kind, DIAG_MACHINE);
    if (!strstr(d.text, "is needed to compile and cannot be loaded: libhidden.so.0: cannot open shared object"))
        fail_msg("%s", d.text);
    assert_null(strchr(d.text, '\n'));
}

static void test_warm(void **state) {
    (void)state;
    char command[200];
    Diag d = {0};
    CodeStats s;
    snprintf(command, sizeof command, "'%s/test_llvm' fill '%s'", BUILD_DIR, dir);
    assert_int_equal(system(command), 0);
    assert_false(is_mapped("libLLVM"));
    hidden = true;
    if (!run_kernel(&s, &d)) fail_msg("%s", d.text);
    assert_int_equal(s.cached, 1);
    assert_false(is_mapped("libLLVM"));
}

/* In a process of its own. */
static int fill_cache(const char *where) {
    Diag d = {0};
    CodeStats s;
    snprintf(dir, sizeof dir, "%s", where);
    bool good = run_kernel(&s, &d) && s.compiled == 1 && is_mapped("libLLVM");
    if (!good) print_error("%s\n", d.text);
    return !good;
}

/* ---- the machine ------------------------------------------------------------------------------- */

static char *ask_llvm(const char *function) {
    void *library = dlopen(LLVM_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void *p = library ? dlsym(library, function) : NULL;
    if (!p) fail_msg("%s", dlerror());
    char *(*ask)(void);
    memcpy(&ask, &p, sizeof ask);
    return ask();
}

static bool lists(const char *features, const char *one, size_t n) {
    for (const char *p = strstr(features, one); p; p = strstr(p + 1, one))
        if ((p == features || p[-1] == ',') && (p[n] == ',' || p[n] == '\0')) return true;
    return false;
}

static void test_features(void **state) {
    (void)state;
    char ours[2048], one[64];
    int n = 0;
    hidden = false;
    char *theirs = ask_llvm("LLVMGetHostCPUFeatures");
    assert_false(host_features(ours, 20));
    assert_true(host_features(ours, sizeof ours));
    for (const char *p = ours; *p; n++) {
        size_t k = strcspn(p, ",");
        snprintf(one, sizeof one, "%.*s", (int)k, p);
        if (!lists(theirs, one, k)) fail_msg("LLVM does not say %s", one);
        p += k + (p[k] == ',');
    }
    assert_true(n > 40);
    free(theirs);
}

static void test_cpu(void **state) {
    (void)state;
    hidden = false;
    char *theirs = ask_llvm("LLVMGetHostCPUName");
    Diag d = {0};
    Target host, named;
    const char *ours = host_cpu();
    assert_true(target_host(&host, &d));
    assert_true(target_runs_here(&host));
    if (ours) assert_string_equal(ours, host.cpu);
    /* Only a CPU that target_named does not know either may go by its level. */
    if (target_named(&named, theirs, &d)) assert_string_equal(host.cpu, theirs);
    else assert_memory_equal(host.cpu, "x86-64", 6);
    free(theirs);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "fill") == 0) return fill_cache(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_warm),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_cpu),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
