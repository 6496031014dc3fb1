/* The Lua front end: specs and the graphs they give (tests/specs/ok), specs and the one message that each gives
 * (tests/specs/bad), files that are no specs, memory that runs out, patterns against Lua's own.
 *
 *   test_spec [--bless] [FOLDER]     from tests/specs by default; --bless writes the .graph files anew
 *
 * The head of a spec may hold, a line each:
 *   -- expect: MESSAGE      -- kind: usage | machine    -- set: K=V    -- batch: N
 *   -- seconds: S           -- memory: MB */
#include "frontend/lua/state.h"
#include "frontend/lua/spec.h"

#include <fcntl.h>
#include <glob.h>
#include <lualib.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static bool bless;

/* ---- cases --------------------------------------------------------------------------------- */

typedef struct Case {
    char text[32][1100]; /* the lines of the head */
    const char *set[8];
    char expect[1100];
    DiagKind kind;
    SpecOptions option;
} Case;

static bool take(const char *line, const char *key, const char **value) {
    char head[40];
    int n = snprintf(head, sizeof head, "-- %s: ", key);
    *value = line + n;
    return strncmp(line, head, (size_t)n) == 0;
}

static void case_line(Case *c, const char *line) {
    const char *v;
    if (take(line, "expect", &v)) snprintf(c->expect, sizeof c->expect, "%s", v);
    else if (take(line, "kind", &v)) c->kind = strcmp(v, "usage") == 0 ? DIAG_USAGE : DIAG_MACHINE;
    else if (take(line, "set", &v)) c->set[c->option.n_set++] = v;
    else if (take(line, "batch", &v)) c->option.batch = atoll(v);
    else if (take(line, "seconds", &v)) c->option.seconds = atof(v);
    else if (take(line, "memory", &v)) c->option.memory_limit = (size_t)atoi(v) << 20;
}

static void case_read(Case *c, const char *path) {
    memset(c, 0, sizeof *c);
    c->option = (SpecOptions){.batch = 1, .set = c->set};
    c->kind = DIAG_SPEC;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (int i = 0; i < 32 && fgets(c->text[i], sizeof c->text[i], f) && strncmp(c->text[i], "--", 2) == 0; i++) {
        c->text[i][strcspn(c->text[i], "\n")] = '\0';
        case_line(c, c->text[i]);
    }
    fclose(f);
}

/* ---- good specs ---------------------------------------------------------------------------- */

static char *read_text(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) return NULL;
    static char text[1 << 20];
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool ok_case(const char *path) {
    char golden[300];
    static Case c;
    Diag d = {0};
    Arena *a = arena_open(&d);
    bool good = false;
    case_read(&c, path);
    Graph *g = spec_load(a, path, &c.option, &d);
    snprintf(golden, sizeof golden, "%.*s.graph", (int)(strlen(path) - 4), path);
    if (!g) {
        fprintf(stderr, "%s: %s\n", path, d.text);
    } else if (ARENA_TRY(a)) {
        const char *text = graph_text(a, g), *want;
        if (bless) write_text(golden, text);
        want = read_text(golden);
        good = graph_verify(g, &d) && want && strcmp(text, want) == 0;
        if (!good)
            fprintf(stderr, "%s: %s\n--- got\n%s--- expected\n%s", path, d.text, text, want ? want : "no golden\n");
    }
    ARENA_END(a);
    arena_close(a);
    return good;
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Stopping may take a while after the time is over, but not long, even on a loaded machine. */
static bool bad_case(const char *path) {
    static Case c;
    Diag d = {0};
    Arena *a = arena_open(&d);
    case_read(&c, path);
    double start = seconds_now();
    Graph *g = spec_load(a, path, &c.option, &d);
    bool late = c.option.seconds > 0 && seconds_now() - start > c.option.seconds + 4;
    bool good = !g && !late && d.kind == c.kind && strcmp(d.text, c.expect) == 0;
    if (!good) fprintf(stderr, "%s: kind %d\n--- got\n%s\n--- expected\n%s\n", path, d.kind, d.text, c.expect);
    arena_close(a);
    return good;
}

static void run_folder(const char *folder, bool (*one)(const char *path)) {
    glob_t files;
    int wrong = 0;
    long live = mem_live();
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(glob("*.lua", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) wrong += !one(files.gl_pathv[i]);
    fprintf(stderr, "%s: %zu specs\n", folder, files.gl_pathc);
    globfree(&files);
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(mem_live(), live);
}

static void test_ok(void **state) {
    (void)state;
    run_folder("ok", ok_case);
}

static void test_bad(void **state) {
    (void)state;
    run_folder("bad", bad_case);
}

/* ---- files --------------------------------------------------------------------------------- */

static void expect_file(const char *path, DiagKind kind, const char *message) {
    Diag d = {0};
    SpecOptions o = {.batch = 1};
    Arena *a = arena_open(&d);
    assert_null(spec_load(a, path, &o, &d));
    assert_string_equal(d.text, message);
    assert_int_equal(d.kind, kind);
    arena_close(a);
}

/* Makes a folder for the test's own files and goes there. */
static int enter_scratch(void **state) {
    static char folder[] = "/tmp/test_spec.XXXXXX";
    *state = getcwd(NULL, 0);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_scratch(void **state) {
    char *scratch = getcwd(NULL, 0);
    int failed = chdir(*state);
    glob_t files;
    char pattern[300];
    snprintf(pattern, sizeof pattern, "%s/*", scratch);
    if (glob(pattern, 0, NULL, &files) == 0) {
        for (size_t i = 0; i < files.gl_pathc; i++) unlink(files.gl_pathv[i]);
        globfree(&files);
    }
    rmdir(scratch);
    free(scratch);
    free(*state);
    return failed;
}

static void test_files(void **state) {
    (void)state;
    expect_file("none.lua", DIAG_FILE, "none.lua: cannot open: No such file or directory");
    expect_file(".", DIAG_FILE, ".: a file expected, this is a directory");
    assert_int_equal(mkfifo("pipe.lua", 0600), 0);
    expect_file("pipe.lua", DIAG_FILE, "pipe.lua: a file expected, this is none");
    write_text("empty.lua", "");
    expect_file("empty.lua", DIAG_SPEC,
                "empty.lua:1: the spec must return one tensor or a table of them (return y, return { a, b } or "
                "return { boxes = b, scores = s }); it returns nothing");
    write_text("large.lua", "");
    assert_int_equal(truncate("large.lua", 1 << 24), 0);
    expect_file("large.lua", DIAG_FILE, "large.lua: a spec of less than 16 MB expected");
    write_text("zero.lua", "");
    assert_int_equal(truncate("zero.lua", 1000), 0);
    expect_file("zero.lua", DIAG_SPEC, "zero.lua:1: unexpected symbol");
    write_text("head.lua", "\xef\xbb\xbf#!/usr/bin/lunette\nreturn y");
    expect_file("head.lua", DIAG_SPEC, "head.lua:2: unknown name 'y'");
}

static int write_chunk(lua_State *L, const void *p, size_t n, void *file) {
    (void)L;
    return fwrite(p, 1, n, file) != n;
}

static void test_bytecode(void **state) {
    (void)state;
    lua_State *L = luaL_newstate();
    assert_int_equal(luaL_loadstring(L, "return 1"), LUA_OK);
    FILE *f = fopen("code.lua", "w");
    lua_dump(L, write_chunk, f, 0);
    fclose(f);
    lua_close(L);
    expect_file("code.lua", DIAG_SPEC, "code.lua: this is Lua bytecode; a spec is Lua text");
}

/* Lua itself shortens names over 60 characters in its messages. */
static void test_long_path(void **state) {
    (void)state;
    char path[200], message[300];
    memset(path, 'x', 150);
    strcpy(path + 150, ".lua");
    write_text(path, "\nlocal x = nil + 1\n");
    snprintf(message, sizeof message, "%s:2: attempt to perform arithmetic on a nil value", path);
    expect_file(path, DIAG_SPEC, message);
}

/* What the compiler itself takes long for: the list of jumps is walked for every `or`. */
static void test_slow_compile(void **state) {
    (void)state;
    FILE *f = fopen("slow.lua", "w");
    fputs("return a", f);
    for (int i = 0; i < 3000000; i++) fputs(" or a", f);
    fclose(f);
    Diag d = {0};
    SpecOptions o = {.batch = 1, .seconds = 0.2};
    Arena *a = arena_open(&d);
    double start = seconds_now();
    assert_null(spec_load(a, "slow.lua", &o, &d));
    assert_string_equal(d.text, "slow.lua: the spec runs for more than 0.2 s");
    assert_true(seconds_now() - start < 4);
    arena_close(a);
}

/* ---- memory -------------------------------------------------------------------------------- */

static const char small_spec[] =
    "local c = param('classes', 10)\n"
    "local x = input { 'image', 1, 8, 8 }\n"
    "local y = scope('block', function() return x:conv { 4, 3, pad = 1, schedule = { 'a', 'b' } }:relu() end)\n"
    "for k, v in pairs { b = 1, a = 2 } do y = y + y end\n"
    "local s = ('a,b'):gsub('%w', '%0%0')\n"
    "return { [s:match('%a')] = y, whole = x.shape and y:conv { c, 8, name = tostring(s:len()) and 'fc' } }\n";

/* One run with every request from the n-th on failing. */
static bool run_short_of_memory(long n) {
    Diag d = {0};
    const char *const set[] = {"classes=3"};
    SpecOptions o = {.batch = 1, .set = set, .n_set = 1};
    long live = mem_live();
    Arena *a = arena_open(&d);
    mem_fail_after(n);
    Graph *g = spec_load(a, "small.lua", &o, &d);
    mem_fail_after(0);
    if (!g) {
        assert_int_equal(d.kind, DIAG_MACHINE);
        assert_string_equal(d.text, "out of memory");
    }
    arena_close(a);
    assert_int_equal(mem_live(), live);
    return g != NULL;
}

static void test_short_of_memory(void **state) {
    (void)state;
    write_text("small.lua", small_spec);
    long n = 1;
    while (!run_short_of_memory(n)) n++;
    assert_true(n > 100);
}

/* The same for the limit of Lua's memory. */
static void test_limits(void **state) {
    (void)state;
    bool enough = false;
    write_text("small.lua", small_spec);
    for (size_t limit = 1; !enough; limit += 499) {
        Diag d = {0};
        SpecOptions o = {.batch = 1, .memory_limit = limit};
        long live = mem_live();
        Arena *a = arena_open(&d);
        enough = spec_load(a, "small.lua", &o, &d) != NULL;
        if (!enough) assert_non_null(strstr(d.text, "the spec uses more than "));
        if (!enough) assert_int_equal(d.kind, DIAG_SPEC);
        arena_close(a);
        assert_int_equal(mem_live(), live);
    }
}

/* What print writes is bounded. */
static void test_print(void **state) {
    (void)state;
    int terminal = dup(2), null = open("print.txt", O_CREAT | O_RDWR, 0600);
    struct stat st;
    write_text("print.lua", "print('\27[31m', 1, nil)\nlocal s = ('x'):rep(1 << 20)\nwhile true do print(s) end\n");
    dup2(null, 2);
    expect_file("print.lua", DIAG_SPEC, "print.lua:3: print: more than 64 KB");
    dup2(terminal, 2);
    assert_int_equal(fstat(null, &st), 0);
    assert_int_equal(st.st_size, 1 << 16);
    char head[12] = {0};
    assert_int_equal(pread(null, head, 11, 0), 11);
    assert_string_equal(head, "?[31m\t1\tnil");
    close(null);
    close(terminal);
}

/* The caller's own place to jump to must be there again afterwards. */
static void test_arena_is_restored(void **state) {
    (void)state;
    Diag d = {0};
    SpecOptions o = {.batch = 1};
    Arena *a = arena_open(&d);
    volatile bool jumped = false;
    a->limit = 1 << 20;
    if (ARENA_TRY(a)) {
        write_text("grow.lua", "local x = input { 'x', 1 }\nwhile true do x = x:relu() end\n");
        assert_null(spec_load(a, "grow.lua", &o, &d));
        assert_string_equal(d.text, "out of memory");
        assert_int_equal(d.kind, DIAG_MACHINE);
        assert_int_equal(a->limit, 1 << 20);
        arena_alloc(a, 1 << 21);
    } else {
        jumped = true;
    }
    ARENA_END(a);
    assert_true(jumped);
    arena_close(a);
}

/* ---- patterns ------------------------------------------------------------------------------ */

static void test_patterns(void **state) {
    (void)state;
    Diag d = {0};
    SpecOptions o = {.batch = 1};
    Spec s = {.option = &o, .diag = &d, .path = "none", .deadline = INT64_MAX};
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    *(Spec **)lua_getextraspace(L) = &s;
    if (luaL_loadfile(L, "patterns.lua") != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
    lua_newtable(L);
    text_library_add(L);
    lua_getglobal(L, "string");
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
    lua_close(L);
}

int main(int argc, char **argv) {
    bless = argc > 1 && strcmp(argv[1], "--bless") == 0;
    const char *folder = argc > 1 + bless ? argv[1 + bless] : "tests/specs";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ok),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_patterns),
    };
    const struct CMUnitTest scratch_tests[] = {
        cmocka_unit_test(test_files),        cmocka_unit_test(test_bytecode),          cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_slow_compile), cmocka_unit_test(test_short_of_memory),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_print),        cmocka_unit_test(test_arena_is_restored),
    };
    if (chdir(folder) != 0) {
        perror(folder);
        return 2;
    }
    int failed = cmocka_run_group_tests_name("specs", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("spec files", scratch_tests, enter_scratch, leave_scratch);
}
