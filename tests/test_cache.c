/* The cache on disk: what is whole is found again, what is not is compiled again. */
#include "codegen/cache.h"
#include "codegen/compile.h"
#include "codegen/target.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/lunette-cache-XXXXXX", path[500];

static const char *at(const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static Cache *open_at(const char *name, int64_t limit) {
    char why[200] = "";
    Cache *c = cache_open(at(name), limit, why, sizeof why);
    if (!c) fail_msg("%s", why);
    return c;
}

static CacheKey key_of(int i) {
    CacheKey k;
    snprintf(k.text, sizeof k.text, "%032x", i);
    return k;
}

static bool has(Cache *c, int i, const char *wanted) {
    void *bytes;
    size_t n;
    CacheKey key = key_of(i);
    if (!cache_get(c, &key, &bytes, &n)) return false;
    assert_int_equal(n, strlen(wanted));
    assert_memory_equal(bytes, wanted, n);
    mem_free(bytes);
    return true;
}

static void put(Cache *c, int i, const char *text) {
    CacheKey key = key_of(i);
    cache_put(c, &key, text, strlen(text));
}

static void test_round_trip(void **state) {
    (void)state;
    Cache *c = open_at("a/b/c", 1 << 20);
    struct stat s;
    assert_int_equal(stat(at("a/b/c"), &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    assert_false(has(c, 1, ""));
    put(c, 1, "one");
    put(c, 2, "two");
    assert_true(has(c, 1, "one") && has(c, 2, "two") && !has(c, 3, ""));
    put(c, 1, "other");
    assert_true(has(c, 1, "other"));
    cache_close(c);
    c = open_at("a/b/c", 1 << 20);
    assert_true(has(c, 1, "other"));
    cache_close(c);
}

static size_t entry_read(const char *name, unsigned char *to, size_t size) {
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    size_t n = fread(to, 1, size, f);
    fclose(f);
    return n;
}

static void entry_write(const char *name, const void *from, size_t n) {
    unlink(name);
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(from, 1, n, f), n);
    fclose(f);
    chmod(name, 0600);
}

/* Every byte changed, every shorter length, more at the end, another's entry. */
static void test_damage(void **state) {
    (void)state;
    Cache *c = open_at("damage", 1 << 20);
    char name[600];
    unsigned char b[256];
    snprintf(name, sizeof name, "%s/%s", at("damage"), key_of(7).text);
    put(c, 7, "some bytes of code");
    size_t n = entry_read(name, b, sizeof b);
    for (size_t i = 0; i < n; i++) {
        b[i] ^= 0x10;
        entry_write(name, b, n);
        assert_false(has(c, 7, ""));
        b[i] ^= 0x10;
        entry_write(name, b, i);
        assert_false(has(c, 7, ""));
    }
    entry_write(name, b, n + 1);
    assert_false(has(c, 7, ""));
    entry_write(name, b, n);
    assert_true(has(c, 7, "some bytes of code"));
    chmod(name, 0666); /* others could have written it */
    assert_false(has(c, 7, ""));
    snprintf(name, sizeof name, "%s/%s", at("damage"), key_of(8).text);
    entry_write(name, b, n); /* whole, but under a wrong name */
    assert_false(has(c, 8, ""));
    put(c, 8, "good"); /* replaces it */
    assert_true(has(c, 8, "good"));
    snprintf(name, sizeof name, "%s/%s", at("damage"), key_of(9).text);
    assert_int_equal(symlink("/dev/zero", name), 0);
    assert_false(has(c, 9, ""));
    unlink(name);
    assert_int_equal(mkfifo(name, 0600), 0);
    assert_false(has(c, 9, "")); /* and does not wait */
    cache_close(c);
}

static void refuse(const char *dir, const char *part) {
    char why[300] = "";
    assert_null(cache_open(dir, 1, why, sizeof why));
    if (!strstr(why, part)) fail_msg("%s", why);
}

static void test_refused(void **state) {
    (void)state;
    entry_write(at("file"), "x", 1);
    refuse(at("file"), "Not a directory");
    refuse(at("file/below"), "Not a directory");
    assert_int_equal(mkdir(at("open"), 0700), 0);
    chmod(at("open"), 0770);
    refuse(at("open"), "others may write");
    if (geteuid() == 0) {
        assert_int_equal(mkdir(at("foreign"), 0700), 0);
        assert_int_equal(chown(at("foreign"), 1, 1), 0);
        refuse(at("foreign"), "another user");
    }
    refuse("", "No such file");
    mem_fail_after(1);
    refuse(at("memory"), "out of memory");
    mem_fail_after(0);
}

static void test_bounded(void **state) {
    (void)state;
    char text[1001] = "", name[600];
    memset(text, 'x', 1000);
    Cache *c = open_at("bounded", 5500); /* an entry is 1000 bytes and a head below 100 */
    for (int i = 0; i < 8; i++) {
        put(c, i, text);
        struct timespec t[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
        snprintf(name, sizeof name, "%s/%s", at("bounded"), key_of(i).text);
        assert_int_equal(utimensat(AT_FDCWD, name, t, 0), 0);
    }
    entry_write(at("bounded/README"), "not ours", 8);
    assert_true(has(c, 0, text)); /* used now: the youngest */
    cache_close(c);
    c = open_at("bounded", 5500);
    for (int i = 0; i < 8; i++) assert_int_equal(has(c, i, text), i == 0 || i > 3);
    assert_int_equal(access(at("bounded/README"), F_OK), 0);
    cache_close(c);
}

static void test_default_dir(void **state) {
    (void)state;
    char dir[100];
    setenv("HOME", "/home/x", 1);
    setenv("XDG_CACHE_HOME", "/var/y", 1);
    assert_true(cache_default_dir(dir, sizeof dir));
    assert_string_equal(dir, "/var/y/lunette");
    setenv("XDG_CACHE_HOME", "relative", 1);
    assert_true(cache_default_dir(dir, sizeof dir));
    assert_string_equal(dir, "/home/x/.cache/lunette");
    assert_false(cache_default_dir(dir, 10));
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_false(cache_default_dir(dir, sizeof dir));
}

static Kernel *read_kernel(Arena *a, const char *text) {
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "test", text, &d);
    Kernel *k = kernel_parse(&l);
    if (!k || !kernel_verify(k, &d)) fail_msg("%s", d.text);
    return k;
}

static const char *const one = "kernel one(in x : f32[w20], out y : f32[w20]) { vec w 20 { y[w] = x[w] + 1; } }";
static const char *const two = "kernel two(in x : f32[w20], out y : f32[w20]) { vec w 20 { y[w] = x[w] + 2; } }";

static void test_key(void **state) {
    (void)state;
    Arena *a = arena_open(NULL);
    const char *k = "one", *other = "two";
    Target t, u;
    Diag d = {0};
    assert_true(target_named(&t, "x86-64-v3", &d) && target_named(&u, "x86-64-v4", &d));
    CacheKey x = cache_key(a, k, &t, ""), y = cache_key(a, k, &t, "");
    assert_string_equal(x.text, y.text);
    y = cache_key(a, other, &t, "");
    assert_string_not_equal(x.text, y.text);
    y = cache_key(a, k, &u, "");
    assert_string_not_equal(x.text, y.text);
    y = cache_key(a, k, &t, "o");
    assert_string_not_equal(x.text, y.text);
    arena_close(a);
}

/* Opens a library of both kernels and runs them; what was compiled is the answer. */
static int compile_both(const char *dir) {
    Arena *a = arena_open(NULL);
    const Kernel *list[] = {read_kernel(a, one), read_kernel(a, two)};
    Target t;
    Diag d = {0};
    CodeLib *lib;
    float x[20] = {0}, y[20];
    void *buf[] = {x, y};
    assert_true(target_host(&t, &d));
    if (!code_open(&lib, list, 2, &t, &(CodeOptions){.threads = 2, .cache_dir = dir}, &d)) fail_msg("%s", d.text);
    for (int i = 0; i < 2; i++) {
        code_fn(lib, i)(buf, code_args(lib, i), NULL, 0, 1);
        for (int j = 0; j < 20; j++) assert_true(y[j] == (float)(i + 1));
    }
    int compiled = code_stats(lib)->compiled;
    assert_int_equal(code_stats(lib)->cached, 2 - compiled);
    code_close(lib);
    arena_close(a);
    return compiled;
}

static void test_compile(void **state) {
    (void)state;
    char dir[600];
    snprintf(dir, sizeof dir, "%s", at("code"));
    assert_int_equal(compile_both(NULL), 2);
    assert_int_equal(compile_both(dir), 2);
    assert_int_equal(compile_both(dir), 0);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        char name[900];
        unsigned char b[8192];
        snprintf(name, sizeof name, "%s/%s", dir, e->d_name);
        size_t n = entry_read(name, b, sizeof b);
        b[n / 2] ^= 1;
        entry_write(name, b, n);
    }
    closedir(d);
    assert_int_equal(compile_both(dir), 2);
    assert_int_equal(compile_both(dir), 0);
    chmod(dir, 0500); /* cannot be written to: root can all the same */
    assert_int_equal(compile_both(dir), 0);
    chmod(dir, 0777);
    assert_int_equal(compile_both(dir), 2);
    chmod(dir, 0700);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_damage), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounded),     cmocka_unit_test(test_key),    cmocka_unit_test(test_compile),
        cmocka_unit_test(test_default_dir),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
