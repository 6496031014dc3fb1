/* spec_load: reads the file, runs it in the sandbox, checks what came out. */
#include "frontend/lua/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DEFAULT_MEMORY = 256 << 20, DEFAULT_SECONDS = 10, MAX_SECONDS = 1000000 };

/* ---- the file ------------------------------------------------------------------------------ */

typedef struct Source {
    char *text;   /* mem_alloc */
    size_t n, at; /* at: what Lua has read */
} Source;

static bool source_read_all(Source *src, int fd, const char *path, Diag *d) {
    while (src->n < SPEC_FILE) {
        ssize_t got = read(fd, src->text + src->n, SPEC_FILE - src->n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return diag_fail(d, DIAG_FILE, "%.300s: cannot read: %s", path, strerror(errno));
        if (got == 0) return true;
        src->n += (size_t)got;
    }
    return diag_fail(d, DIAG_FILE, "%.300s: a spec of less than %d MB expected", path, SPEC_FILE >> 20);
}

static bool source_read(Source *src, int fd, const char *path, Diag *d) {
    struct stat st;
    if (fstat(fd, &st) != 0) return diag_fail(d, DIAG_FILE, "%.300s: cannot read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return diag_fail(d, DIAG_FILE, "%.300s: a file expected, this is %s", path,
                         S_ISDIR(st.st_mode) ? "a directory" : "none");
    src->text = mem_alloc(SPEC_FILE);
    if (!src->text) return diag_fail(d, DIAG_MACHINE, "out of memory");
    return source_read_all(src, fd, path, d);
}

static bool source_open(Source *src, const char *path, Diag *d) {
    /* O_NONBLOCK: opening a pipe must not wait for its writer, it is refused at once. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return diag_fail(d, DIAG_FILE, "%.300s: cannot open: %s", path, strerror(errno));
    bool ok = source_read(src, fd, path, d);
    close(fd);
    return ok;
}

static bool source_copy(Source *src, const char *text, Diag *d) {
    src->n = strlen(text);
    if (src->n >= SPEC_FILE) return diag_fail(d, DIAG_SPEC, "a spec of less than %d MB expected", SPEC_FILE >> 20);
    src->text = mem_alloc(src->n + 1);
    if (!src->text) return diag_fail(d, DIAG_MACHINE, "out of memory");
    memcpy(src->text, text, src->n);
    return true;
}

/* Steps over a byte order mark and the text of a first line "#!…", as lua does. */
static void source_skip_head(Source *src) {
    if (src->n >= 3 && memcmp(src->text, "\xef\xbb\xbf", 3) == 0) src->at = 3;
    if (src->at == src->n || src->text[src->at] != '#') return;
    while (src->at < src->n && src->text[src->at] != '\n') src->at++;
}

/* A lua_Reader. Small pieces, since the compiler can be slow (long chains of `or` take quadratic
 * time) and is interrupted only here and when it allocates. */
static const char *source_piece(lua_State *L, void *arg, size_t *n) {
    Source *src = arg;
    const char *p = src->text + src->at;
    sandbox_check_time(L);
    *n = src->n - src->at < 256 ? src->n - src->at : 256;
    src->at += *n;
    return *n ? p : NULL;
}

/* ---- running it ---------------------------------------------------------------------------- */

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The graph is named after the file: "lenet5" for specs/lenet5.lua. */
static void make_graph(void *arg) {
    Spec *s = arg;
    char *name = arena_strdup(s->arena, base_name(s->path));
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, ".lua") == 0) name[n - 4] = '\0';
    s->graph = graph_new(s->arena, name);
}

static void compile(lua_State *L, Source *src) {
    if (src->at < src->n && src->text[src->at] == LUA_SIGNATURE[0])
        spec_fail(L, 0, "this is Lua bytecode; a spec is Lua text");
    if (lua_load(L, source_piece, src, "=" SPEC_CHUNK, "t") != LUA_OK) lua_error(L);
}

/* Argument: the source, as light userdata. */
static int run(lua_State *L) {
    Spec *s = spec_of(L);
    Source *src = lua_touserdata(L, 1);
    spec_guarded(L, make_graph, s);
    value_register(L);
    library_push(L); /* at 1 */
    compile(L, src);
    lua_pushvalue(L, 1);
    lua_setupvalue(L, 2, 1);
    sandbox_start_clock(L);
    lua_call(L, 0, LUA_MULTRET);
    lua_remove(L, 1);
    if (!spec_of(L)->schedules_alone) outputs_add(L);
    return 0;
}

static void run_protected(Spec *s, Source *src) {
    lua_State *L = s->L;
    lua_pushcfunction(L, spec_on_error);
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, src);
    int status = lua_pcall(L, 1, 0, 1);
    if (s->diag->kind != DIAG_NONE) return;
    if (status == LUA_ERRMEM) spec_diag_memory(s);
    else if (status != LUA_OK) spec_diag(s, 0, "calls nested too deep"); /* even the message handler failed */
}

/* Control characters, which a message may have from strings of the spec, become spaces. */
static void clean_text(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127) *text = ' ';
}

static int64_t deadline_after(double seconds) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!(seconds > 0)) seconds = DEFAULT_SECONDS;
    if (seconds > MAX_SECONDS) seconds = MAX_SECONDS;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + (int64_t)(seconds * 1e9);
}

static void spec_run(Spec *s, Source *src) {
    lua_State *L = lua_newstate(sandbox_alloc, s);
    if (!L) {
        spec_diag_memory(s);
        return;
    }
    *(Spec **)lua_getextraspace(L) = s;
    s->L = L;
    run_protected(s, src);
    s->L = NULL;
    lua_close(L);
}

/* The arena may hold as many bytes more as Lua may, unless its owner allows less. */
static void arena_limit(Spec *s) {
    size_t limit;
    if (!size_add(s->arena->total, s->limit, &limit)) limit = SIZE_MAX;
    s->arena_limited = !s->arena->limit || limit < s->arena->limit;
    if (s->arena_limited) s->arena->limit = limit;
}

/* Runs what is in the file, or in the text if there is one, within the limits. */
static void load_limited(Spec *s, const char *text) {
    Source src = {0};
    s->limit = s->option->memory_limit ? s->option->memory_limit : DEFAULT_MEMORY;
    s->deadline = deadline_after(s->option->seconds);
    size_t outer_limit = s->arena->limit;
    arena_limit(s);
    if (text ? source_copy(&src, text, s->diag) : source_open(&src, s->path, s->diag)) {
        source_skip_head(&src);
        spec_run(s, &src);
    }
    mem_free(src.text);
    s->arena->limit = outer_limit;
}

static Graph *load(Arena *a, const char *path, const char *text, const SpecOptions *o, Diag *d) {
    Diag own = {0};
    Spec s = {.arena = a, .path = path, .option = o, .diag = &own};
    load_limited(&s, text);
    if (own.kind == DIAG_NONE) schedules_apply(&s);
    if (own.kind == DIAG_NONE) param_check_set(&s);
    if (own.kind == DIAG_NONE && o->batch > 1 && !s.has_batch)
        diag_fail(&own, DIAG_USAGE, "--batch %lld: all inputs of %.300s have their whole shape", (long long)o->batch, path);
    if (own.kind == DIAG_NONE) return s.graph;
    clean_text(own.text);
    diag_fail(d, own.kind, "%s", own.text);
    return NULL;
}

Graph *spec_load(Arena *a, const char *path, const SpecOptions *o, Diag *d) { return load(a, path, NULL, o, d); }

Graph *spec_load_text(Arena *a, const char *name, const char *text, const SpecOptions *o, Diag *d) {
    return load(a, name, text, o, d);
}

bool schedules_load(Arena *a, const char *path, ScheduleList *out, Diag *d) {
    static const SpecOptions none = {.batch = 1};
    Diag own = {0};
    Spec s = {.arena = a, .path = path, .option = &none, .diag = &own, .schedules_alone = true};
    load_limited(&s, NULL);
    *out = s.schedules;
    if (own.kind == DIAG_NONE) return true;
    clean_text(own.text);
    return diag_fail(d, own.kind, "%s", own.text);
}
