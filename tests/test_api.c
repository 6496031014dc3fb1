/* The public interface: what it says of a model, what it refuses and how, the same bits for any batch, any number of
 * threads and any neighbours, and memory that runs out at every request of an opening. */
#include "frontend/data/safetensors.h"
#include "frontend/lunette.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SPEC(name)    SOURCE_DIR "/specs/" name ".lua"
#define WEIGHTS(name) SOURCE_DIR "/specs/weights/" name ".safetensors"

enum { PIXELS = 28 * 28, CLASSES = 10, MOST_IMAGES = 8 };

static char dir[] = "/tmp/lunette-api-XXXXXX"; /* for this run's files … */
static char cache[64];                         /* … and compiled kernels */
static float images[MOST_IMAGES * PIXELS];

/* ---- helpers ------------------------------------------------------------------------------------- */

static const char *in_dir(const char *name) {
    static char path[16][128];
    static int next;
    char *p = path[next++ % 16];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static const char *write_text(const char *name, const char *text) {
    const char *path = in_dir(name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static LunetteModel *open_good(const char *spec, LunetteOptions o) {
    LunetteModel *m = NULL;
    LunetteError e = {LUNETTE_INTERNAL, "not set"};
    if (!o.cache_dir) o.cache_dir = cache;
    if (lunette_open(spec, &o, &m, &e) != LUNETTE_OK) fail_msg("%s: %s", spec, e.message);
    assert_non_null(m);
    assert_int_equal(e.status, LUNETTE_OK);
    assert_string_equal(e.message, "");
    return m;
}

static void run_good(LunetteModel *m, const float *x, float *y) {
    LunetteError e = {LUNETTE_INTERNAL, "not set"};
    assert_int_equal(lunette_run(m, (const void *[]){x}, (void *[]){y}, &e), LUNETTE_OK);
    assert_string_equal(e.message, "");
}

static int remove_entry(const char *path, const struct stat *s, int flag, struct FTW *at) {
    (void)s, (void)flag, (void)at;
    return remove(path);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return 1;
    snprintf(cache, sizeof cache, "%s/cache", dir);
    uint32_t r = 1;
    for (int i = 0; i < MOST_IMAGES * PIXELS; i++) {
        r = r * 1664525u + 1013904223u; /* Numerical Recipes' */
        images[i] = (float)(r >> 24) / 255.0f;
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- what a model says of itself ------------------------------------------------------------------- */

static void test_open(void **state) {
    (void)state;
    long before = mem_live();
    LunetteModel *m = open_good(SPEC("lenet5"), (LunetteOptions){.weights = WEIGHTS("lenet5-fashion"), .batch = 3});
    assert_int_equal(lunette_input_count(m), 1);
    assert_int_equal(lunette_output_count(m), 1);
    LunetteTensor x = lunette_input(m, 0), y = lunette_output(m, 0);
    assert_string_equal(x.name, "image");
    assert_int_equal(x.rank, 4);
    const int64_t wanted[] = {3, 1, 28, 28};
    for (int i = 0; i < 4; i++) assert_int_equal(x.extent[i], wanted[i]);
    assert_int_equal(x.elements, 3 * PIXELS);
    assert_true(y.name && y.name[0]);
    assert_int_equal(y.rank, 2);
    assert_int_equal(y.extent[0], 3);
    assert_int_equal(y.extent[1], CLASSES);
    assert_int_equal(y.elements, 3 * CLASSES);
    float out[3 * CLASSES];
    run_good(m, images, out);
    for (int i = 0; i < 3; i++) {
        float sum = 0;
        for (int c = 0; c < CLASSES; c++) sum += out[i * CLASSES + c];
        assert_true(fabsf(sum - 1) < 1e-5f);
    }
    lunette_close(m);
    lunette_close(NULL);
    assert_int_equal(mem_live(), before);
    assert_string_equal(lunette_version(), LUNETTE_VERSION);
}

/* Two inputs, two named outputs, one axis in space. */
static void test_ports(void **state) {
    (void)state;
    const char *spec = write_text("two.lua", "local a, b = input { 'a', 2, 5 }, input { 'b', 2, 5 }\n"
                                             "return { sum = a + b, mean = a:globalavgpool() }\n");
    LunetteModel *m = open_good(spec, (LunetteOptions){0});
    assert_int_equal(lunette_input_count(m), 2);
    assert_int_equal(lunette_output_count(m), 2);
    float a[10], b[10], out[2][10];
    void *at[2] = {out[0], out[1]};
    for (int i = 0; i < 10; i++) a[i] = (float)i, b[i] = 100.0f;
    bool swapped = strcmp(lunette_input(m, 0).name, "a") != 0;
    assert_string_equal(lunette_input(m, swapped).name, "a");
    assert_int_equal(lunette_input(m, 0).rank, 3);
    assert_int_equal(lunette_input(m, 0).type, LUNETTE_F32);
    assert_int_equal(lunette_input(m, 0).bytes, sizeof a);
    assert_int_equal(lunette_run(m, (const void *[]){swapped ? b : a, swapped ? a : b}, at, NULL), LUNETTE_OK);
    for (int i = 0; i < 2; i++) {
        bool sum = strcmp(lunette_output(m, i).name, "sum") == 0;
        if (!sum) assert_string_equal(lunette_output(m, i).name, "mean");
        assert_int_equal(lunette_output(m, i).elements, sum ? 10 : 2);
        if (sum) assert_true(out[i][0] == 100 && out[i][9] == 109);
        else assert_true(out[i][0] == 2 && out[i][1] == 7);
    }
    lunette_close(m);
}

/* Nothing of the caller's is needed after the call. */
static void test_strings(void **state) {
    (void)state;
    char spec[] = SPEC("lenet5"), weights[] = WEIGHTS("lenet5-fashion"), cpu[] = "x86-64-v2", set[] = "classes=10",
         where[sizeof cache];
    const char *sets[] = {set};
    memcpy(where, cache, sizeof cache);
    LunetteOptions o = {.weights = weights, .cpu = cpu, .set = sets, .n_set = 1, .cache_dir = where};
    LunetteModel *m = open_good(spec, o);
    char *mine[] = {spec, weights, cpu, set, where};
    for (int i = 0; i < 5; i++) memset(mine[i], '?', strlen(mine[i]));
    sets[0] = NULL;
    float y[CLASSES];
    run_good(m, images, y);
    assert_string_equal(lunette_input(m, 0).name, "image");
    lunette_close(m);
}

/* ---- what it refuses ------------------------------------------------------------------------------- */

typedef struct Wrong {
    const char *spec;
    LunetteOptions o;
    LunetteStatus status;
    const char *says[2]; /* parts of the message */
} Wrong;

static void expect_wrong(const Wrong *w) {
    long before = mem_live();
    LunetteModel *m = (LunetteModel *)images; /* must become NULL */
    LunetteError e = {LUNETTE_OK, ""};
    LunetteOptions o = w->o;
    o.cache_dir = cache;
    LunetteStatus status = lunette_open(w->spec, &o, &m, &e);
    const char *named = w->spec ? w->spec : "NULL";
    if (status != w->status) fail_msg("%s: status %d, not %d (%s)", named, status, w->status, e.message);
    for (int i = 0; i < 2; i++)
        if (w->says[i] && !strstr(e.message, w->says[i]))
            fail_msg("%s: '%s' is not in '%s'", named, w->says[i], e.message);
    assert_int_equal(e.status, status);
    assert_true(e.message[0] && !strchr(e.message, '\n'));
    assert_null(m);
    m = (LunetteModel *)images;
    assert_int_equal(lunette_open(w->spec, &o, &m, NULL), status); /* no LunetteError: the status alone */
    assert_null(m);
    assert_int_equal(mem_live(), before);
}

static void test_wrong_open(void **state) {
    (void)state;
    const char *net = SPEC("lenet5"), *trained = WEIGHTS("lenet5-mnist"),
               *not_lua = write_text("bad.lua", "local x = input {\n");
    const char *line = write_text("line.lua", "local x = input { 'x', 1, 8, 8 }\nreturn x:conv { 4, 9 }\n"),
               *text = write_text("text", "no tensors");
    const char *key = write_text("key.lua", "return input { 'x', 1, 8, 8 }:conv { 4, 3, strid = 2 }\n");
    const char *list[] = {"classes=11"}, *unknown[] = {"clases=3"}, *no_value[] = {"classes"};
    const Wrong wrong[] = {
        {NULL, {0}, LUNETTE_USAGE, {"NULL"}},
        {in_dir("none.lua"), {0}, LUNETTE_FILE, {"none.lua: cannot open"}},
        {dir, {0}, LUNETTE_FILE, {"directory"}},
        {not_lua, {0}, LUNETTE_SPEC, {"bad.lua:"}},
        {line, {.random_weights = 1}, LUNETTE_SPEC, {"line.lua:2: conv"}},
        {key, {.random_weights = 1}, LUNETTE_SPEC, {"key.lua:1: ", "did you mean"}},
        {net, {0}, LUNETTE_USAGE, {"weights"}},
        {net, {.weights = in_dir("none")}, LUNETTE_FILE, {"none: cannot open"}},
        {net, {.weights = dir}, LUNETTE_FILE, {"directory"}},
        {net, {.weights = text}, LUNETTE_FILE, {"text: ", "safetensors"}},
        {net, {.weights = WEIGHTS("smallcnn-mnist")}, LUNETTE_FILE, {"conv1.weight is missing", "f32[o6 c1 h5 w5]"}},
        {net,
         {.weights = trained, .set = list, .n_set = 1},
         LUNETTE_FILE,
         {"fc3.weight is [10, 84], the network wants [11, 84]", "lenet5.lua:16"}},
        {net, {.weights = trained, .set = unknown, .n_set = 1}, LUNETTE_USAGE, {"did you mean 'classes'?"}},
        {net, {.weights = trained, .set = no_value, .n_set = 1}, LUNETTE_USAGE, {"NAME=VALUE"}},
        {net, {.weights = trained, .n_set = 1}, LUNETTE_USAGE, {"NULL"}},
        {net, {.weights = trained, .n_set = -1}, LUNETTE_USAGE, {"-1 parameters"}},
        {net, {.weights = trained, .cpu = "haswel"}, LUNETTE_USAGE, {"did you mean 'haswell'?"}},
        {net, {.weights = trained, .cpu = ""}, LUNETTE_USAGE, {"unknown CPU ''"}},
        {net, {.weights = trained, .threads = -1}, LUNETTE_USAGE, {"-1 threads"}},
        {net, {.weights = trained, .threads = 1000000}, LUNETTE_USAGE, {"1000000 threads"}},
        {net, {.weights = trained, .batch = -1}, LUNETTE_USAGE, {"batch -1"}},
        {net, {.weights = trained, .batch = INT64_MAX}, LUNETTE_SPEC, {"lenet5.lua:11: input", "9223372036854775807"}},
        {net, {.weights = trained, .batch = 1 << 30}, LUNETTE_SPEC, {"lenet5.lua:12: conv", "2^40 elements"}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) expect_wrong(&wrong[i]);
}

/* 3 TB: most systems refuse them at once, one that promises any amount does not. */
static void test_too_large(void **state) {
    (void)state;
    LunetteModel *m;
    LunetteError e;
    LunetteOptions o = {.weights = WEIGHTS("lenet5-mnist"), .batch = 1 << 27, .cache_dir = cache};
    LunetteStatus status = lunette_open(SPEC("lenet5"), &o, &m, &e);
    if (status != LUNETTE_OK && (status != LUNETTE_MACHINE || !strstr(e.message, "memory")))
        fail_msg("status %d, %s", status, e.message);
    assert_true((m != NULL) == (status == LUNETTE_OK));
    lunette_close(m);
}

/* A cache that cannot be used is no error. */
static void test_wrong_cache(void **state) {
    (void)state;
    LunetteModel *m = open_good(
        SPEC("lenet5"), (LunetteOptions){.weights = WEIGHTS("lenet5-mnist"), .cache_dir = write_text("file", "")});
    float y[CLASSES];
    run_good(m, images, y);
    lunette_close(m);
}

static void test_wrong_run(void **state) {
    (void)state;
    LunetteModel *m = open_good(SPEC("lenet5"), (LunetteOptions){.weights = WEIGHTS("lenet5-mnist")});
    float y[CLASSES], again[CLASSES];
    run_good(m, images, y);
    const void *in[] = {images}, *no_in[] = {NULL};
    void *out[] = {again}, *no_out[] = {NULL};
    const struct {
        const void *const *in;
        void *const *out;
        const char *says;
    } wrong[] = {{NULL, out, "input image is NULL"},
                 {no_in, out, "input image is NULL"},
                 {in, NULL, "is NULL"},
                 {in, no_out, "is NULL"}};
    for (int i = 0; i < 4; i++) {
        LunetteError e = {LUNETTE_OK, ""};
        assert_int_equal(lunette_run(m, wrong[i].in, wrong[i].out, &e), LUNETTE_USAGE);
        assert_int_equal(e.status, LUNETTE_USAGE);
        assert_non_null(strstr(e.message, wrong[i].says));
        assert_int_equal(lunette_run(m, wrong[i].in, wrong[i].out, NULL), LUNETTE_USAGE);
    }
    run_good(m, images, again); /* as good as before */
    assert_memory_equal(y, again, sizeof y);
    lunette_close(m);
}

/* ---- the same bits ----------------------------------------------------------------------------------- */

static const struct Net {
    const char *spec, *weights;
} nets[] = {{SPEC("lenet5"), WEIGHTS("lenet5-mnist")}, {SPEC("smallcnn"), WEIGHTS("smallcnn-mnist")}};

/* `n` images in one run. */
static void answer(const struct Net *net, int n, int threads, float *y) {
    LunetteModel *m = open_good(net->spec, (LunetteOptions){.weights = net->weights, .batch = n, .threads = threads});
    run_good(m, images, y);
    lunette_close(m);
}

static void test_batch(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        float alone[MOST_IMAGES * CLASSES], together[MOST_IMAGES * CLASSES];
        LunetteModel *m = open_good(nets[i].spec, (LunetteOptions){.weights = nets[i].weights});
        for (int n = 0; n < MOST_IMAGES; n++) run_good(m, images + n * PIXELS, alone + n * CLASSES);
        lunette_close(m);
        for (int n = 2; n <= MOST_IMAGES; n += n == 3 ? 2 : n == 5 ? 3 : 1) {
            answer(&nets[i], n, 1, together);
            assert_memory_equal(alone, together, (size_t)n * CLASSES * sizeof *alone);
        }
    }
}

static void test_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        float one[MOST_IMAGES * CLASSES], more[MOST_IMAGES * CLASSES];
        answer(&nets[i], MOST_IMAGES, 1, one);
        for (int threads = 2; threads <= 4; threads++) {
            answer(&nets[i], MOST_IMAGES, threads, more);
            assert_memory_equal(one, more, sizeof one);
        }
        answer(&nets[i], 1, 1, one);
        answer(&nets[i], 1, 4, more);
        assert_memory_equal(one, more, CLASSES * sizeof *one);
    }
}

/* A model in a thread of its own: opened, run many times, closed. No cmocka here: it is the first thread's alone. */
typedef struct Neighbour {
    const struct Net *net;
    const float *wanted; /* [MOST_IMAGES CLASSES] */
    bool good;
    LunetteError error;
} Neighbour;

static void *neighbour(void *arg) {
    Neighbour *b = arg;
    LunetteModel *m;
    LunetteOptions o = {.weights = b->net->weights, .batch = MOST_IMAGES, .threads = 2, .cache_dir = cache};
    float y[MOST_IMAGES * CLASSES];
    b->good = lunette_open(b->net->spec, &o, &m, &b->error) == LUNETTE_OK;
    for (int i = 0; i < 50 && b->good; i++) {
        memset(y, 0, sizeof y);
        b->good = lunette_run(m, (const void *[]){images}, (void *[]){y}, &b->error) == LUNETTE_OK &&
                  memcmp(y, b->wanted, sizeof y) == 0;
    }
    lunette_close(m);
    return NULL;
}

static void test_neighbours(void **state) {
    (void)state;
    float wanted[2][MOST_IMAGES * CLASSES];
    long before = mem_live();
    Neighbour b[2];
    pthread_t id[2];
    for (int i = 0; i < 2; i++) answer(&nets[i], MOST_IMAGES, 1, wanted[i]);
    for (int i = 0; i < 2; i++) b[i] = (Neighbour){.net = &nets[i], .wanted = wanted[i]};
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&id[i], NULL, neighbour, &b[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(id[i], NULL);
    for (int i = 0; i < 2; i++)
        if (!b[i].good)
            fail_msg("%s: %s", b[i].net->spec,
                     b[i].error.message[0] ? b[i].error.message : "other numbers beside another model");
    assert_int_equal(mem_live(), before);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static int open_files(void) {
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    if (!d) return 0;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static const char tiny[] = "local x = input { 'x', 2, 6, 6 }\nreturn x:conv { 4, 3, name = 'c' }:relu()\n";

static const char *write_weights(void) {
    static const float w[4 * 2 * 3 * 3] = {1, -1, 0.5f}, b[4] = {0.25f};
    const char *path = in_dir("tiny.safetensors");
    const Tensor tensors[] = {
        {"c.weight", {.type = ELEM_F32, .rank = 4, .shape = {4, 2, 3, 3}, .data = w, .bytes = sizeof w}},
        {"c.bias", {.type = ELEM_F32, .rank = 1, .shape = {4}, .data = b, .bytes = sizeof b}},
    };
    Diag d = {0};
    if (!safetensors_write(path, tensors, 2, NULL, &d)) fail_msg("%s", d.text);
    return path;
}

/* The n-th request and all later ones fail, for n = 1, 2, … until the model opens. LLVM's requests are its own. */
static long fail_everywhere(const char *spec, const LunetteOptions *o) {
    long before = mem_live();
    for (long n = 1;; n++) {
        LunetteModel *m = NULL;
        LunetteError e = {LUNETTE_OK, ""};
        assert_true(n < 100000);
        mem_fail_after(n);
        LunetteStatus status = lunette_open(spec, o, &m, &e);
        mem_fail_after(0);
        assert_int_equal(e.status, status);
        lunette_close(m);
        if (mem_live() != before)
            fail_msg("request %ld fails: %ld blocks are lost (status %d, %s)", n, mem_live() - before, status,
                     e.message);
        if (status == LUNETTE_OK) return n;
        assert_null(m);
        if (status != LUNETTE_MACHINE) fail_msg("request %ld fails: status %d, %s", n, status, e.message);
        assert_true(e.message[0] && !strchr(e.message, '\n'));
    }
}

static void test_memory_open(void **state) {
    (void)state;
    const char *spec = write_text("tiny.lua", tiny);
    LunetteOptions o = {.weights = write_weights(), .threads = 1, .cache_dir = cache};
    lunette_close(open_good(spec, o));
    int files = open_files();
    long cached = fail_everywhere(spec, &o);
    o.no_cache = 1;
    long compiled = fail_everywhere(spec, &o);
    o = (LunetteOptions){.random_weights = 1, .threads = 1, .cache_dir = cache};
    long random = fail_everywhere(spec, &o);
    assert_int_equal(open_files(), files);
    print_message(
        "each of the requests for memory fails once: %ld with the cache, %ld without, %ld with random weights\n",
        cached - 1, compiled - 1, random - 1);
}

/* A run asks for none. */
static void test_memory_run(void **state) {
    (void)state;
    LunetteModel *m = open_good(SPEC("lenet5"), (LunetteOptions){.weights = WEIGHTS("lenet5-mnist"), .threads = 2});
    float before[CLASSES], y[CLASSES];
    run_good(m, images, before);
    mem_fail_after(1);
    LunetteStatus status = lunette_run(m, (const void *[]){images}, (void *[]){y}, NULL);
    mem_fail_after(0);
    assert_int_equal(status, LUNETTE_OK);
    assert_memory_equal(before, y, sizeof y);
    lunette_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),       cmocka_unit_test(test_ports),       cmocka_unit_test(test_strings),
        cmocka_unit_test(test_wrong_open), cmocka_unit_test(test_too_large),   cmocka_unit_test(test_wrong_cache),
        cmocka_unit_test(test_wrong_run),  cmocka_unit_test(test_batch),       cmocka_unit_test(test_threads),
        cmocka_unit_test(test_neighbours), cmocka_unit_test(test_memory_open), cmocka_unit_test(test_memory_run),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
