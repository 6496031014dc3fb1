/* ONNX models: what they compute against numpy's answers, what is not known, and damaged files. tests/onnx/make.py made
 * those of tests/onnx. */
#include "tests/test_models.h"

#include "frontend/onnx/onnx.h"

#define OWN(name) TESTS_DIR "/onnx/" name

/* ---- helpers ------------------------------------------------------------------------------------- */

static void check_files(const char *model, int64_t batch, const char *input, const char *output) {
    int64_t n_in, n_out;
    float *x = load_floats(input, &n_in), *wanted = load_floats(output, &n_out);
    LunetteModel *m = open_good(model, NULL, batch);
    assert_int_equal(lunette_input(m, 0).elements, n_in);
    assert_int_equal(lunette_output(m, 0).elements, n_out);
    float *y = malloc((size_t)n_out * sizeof *y);
    assert_non_null(y);
    assert_int_equal(lunette_run(m, (const void *[]){x}, (void *[]){y}, NULL), LUNETTE_OK);
    double off = distance(y, wanted, n_out);
    print_message("%s: relative error %.2g\n", strrchr(model, '/') + 1, off);
    assert_true(off <= 1e-5);
    lunette_close(m);
    free(x);
    free(wanted);
    free(y);
}

static void refused(const char *path, LunetteOptions o, DiagKind kind, const char *part) {
    Diag d = {0};
    long before = mem_live();
    assert_null(model_load(path, &o, NULL, NULL, &d));
    assert_int_equal(mem_live(), before);
    if (d.kind != kind || !strstr(d.text, part)) fail_msg("%s: %d %s", path, d.kind, d.text);
}

/* ---- right answers --------------------------------------------------------------------------------- */

static void test_small(void **state) {
    (void)state;
    check_files(OWN("small.onnx"), 3, OWN("small.in.npy"), OWN("small.out.npy"));
}

/* Shape arithmetic, comparisons, choices, places and branches of constants. */
static void test_folded(void **state) {
    (void)state;
    check_files(OWN("folded.onnx"), 2, OWN("folded.in.npy"), OWN("folded.out.npy"));
}

static void test_integers(void **state) {
    (void)state;
    LunetteModel *m = open_good(OWN("total.onnx"), NULL, 2);
    const int64_t x[6] = {1, -2, 30, 4, 5, 600};
    int64_t y = 0;
    assert_int_equal(m->written->out[0].node->type.dtype, DT_I64);
    assert_int_equal(lunette_run(m, (const void *[]){x}, (void *[]){&y}, NULL), LUNETTE_OK);
    assert_int_equal(y, 638);
    lunette_close(m);
}

static void test_unread(void **state) {
    (void)state;
    LunetteModel *m = open_good(OWN("unread.onnx"), NULL, 1);
    const float x[4] = {-1, -5, -7, -9};
    float y[3];
    assert_int_equal(lunette_output(m, 0).elements, 3);
    assert_int_equal(lunette_run(m, (const void *[]){x}, (void *[]){y}, NULL), LUNETTE_OK);
    assert_memory_equal(y, ((float[]){-1, -5, -9}), sizeof y);
    lunette_close(m);
}

static void test_names(void **state) {
    (void)state;
    LunetteModel *m = open_good(OWN("names.onnx"), NULL, 2);
    assert_string_equal(lunette_input(m, 0).name, "_1_in_0");
    assert_int_equal(lunette_input(m, 0).extent[0], 2);
    assert_string_equal(lunette_output(m, 0).name, "out_0");
    assert_string_equal(lunette_output(m, 1).name, "out.0");
    assert_non_null(graph_find(m->written, "a_b"));
    assert_non_null(graph_find(m->written, "a.b"));
    lunette_close(m);
}

static void test_constants(void **state) {
    (void)state;
    const char *const files[] = {"shape=" OWN("given.shape.npy"), "shape=" OWN("given.shape.pb")};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        Diag d = {0};
        LunetteModel *m =
            model_load(OWN("given.onnx"), &(LunetteOptions){.constants = &files[i], .n_constant = 1}, NULL, NULL, &d);
        if (!m) fail_msg("%s", d.text);
        assert_int_equal(lunette_input_count(m), 1);
        assert_int_equal(lunette_output(m, 0).extent[0], 3);
        assert_int_equal(lunette_output(m, 0).extent[1], 4);
        model_close(m);
    }
}

static void test_constants_refused(void **state) {
    (void)state;
    static const struct {
        const char *given[2];
        DiagKind kind;
        const char *part;
    } cases[] = {
        {{"form=" OWN("given.shape.pb")}, DIAG_USAGE, "there is no input of this name"},
        {{"shape"}, DIAG_USAGE, "there is no input of this name"},
        {{"shape=" OWN("given.shape.pb"), "shape=" OWN("given.shape.npy")}, DIAG_USAGE, "it has a file already"},
        {{"shape=" OWN("none.npy")}, DIAG_FILE, "none.npy"},
        {{"shape=" OWN("given.onnx")}, DIAG_FILE, "given.onnx"},
        {{"shape=" OWN("small.in.npy")}, DIAG_SPEC, "shape is not a short list of integers"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        refused(OWN("given.onnx"),
                (LunetteOptions){.constants = cases[i].given, .n_constant = cases[i].given[1] ? 2 : 1}, cases[i].kind,
                cases[i].part);
    refused(OWN("given.onnx"), (LunetteOptions){.n_constant = 1}, DIAG_USAGE, "1 constants");
    refused(OWN("given.onnx"), (LunetteOptions){0}, DIAG_UNSUPPORTED, "'shape'");
    refused(SOURCE_DIR "/specs/tiny.lua", (LunetteOptions){.constants = cases[0].given, .n_constant = 1}, DIAG_USAGE,
            "only an ONNX model");
}

/* ---- what is refused ------------------------------------------------------------------------------- */

static void test_refused(void **state) {
    (void)state;
    LunetteOptions none = {0};
    refused(OWN("unknown.onnx"), none, DIAG_UNSUPPORTED, "node 'determinant' (Det, opset 11): this op is not known");
    refused(OWN("cycle.onnx"), none, DIAG_SPEC, "node 'first' (Add, opset 13): input 'b' is made by no earlier node");
    refused(OWN("choice.onnx"), none, DIAG_UNSUPPORTED,
            "node 'choose' (If, opset 13): the condition 'c' is not a constant");
    refused(OWN("elsewhere.onnx"), none, DIAG_FILE, "tensor 'w': its file '../weights.bin' is not there, or not in");
    refused(OWN("open.onnx"), none, DIAG_USAGE, "open size 'height': give it by --set height=N");
    refused(OWN("none.onnx"), none, DIAG_FILE, "none.onnx");
    refused(OWN("small.onnx"), (LunetteOptions){.weights = "w.npz"}, DIAG_USAGE, "-w w.npz does not go with it");
    const char *set[] = {"height=5", "width=3", "height=0"};
    refused(OWN("open.onnx"), (LunetteOptions){.set = set, .n_set = 2}, DIAG_USAGE, "--set width=3");
    refused(OWN("open.onnx"), (LunetteOptions){.set = set + 2, .n_set = 1}, DIAG_USAGE, "--set height=0");
    Diag d = {0};
    LunetteModel *m =
        model_load(OWN("open.onnx"), &(LunetteOptions){.batch = 2, .set = set, .n_set = 1}, NULL, NULL, &d);
    assert_non_null(m);
    assert_int_equal(lunette_input(m, 0).extent[0], 2);
    assert_int_equal(lunette_input(m, 0).extent[2], 5);
    model_close(m);
    if (access(SHARED("onnx/mnist-7.onnx"), R_OK) == 0)
        refused(SHARED("onnx/mnist-7.onnx"), (LunetteOptions){.batch = 4}, DIAG_USAGE, "batch of input 'Input3' is 1");
}

/* ---- damage ---------------------------------------------------------------------------------------- */

static char damaged[] = "/tmp/lunette-onnx-XXXXXX.onnx";
static char *bytes;
static size_t size;

static void write_damaged(const void *data, size_t n) {
    FILE *f = fopen(damaged, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Loads or says why not; returns whether it loaded. */
static bool survives(void) {
    Diag d = {0};
    LunetteModel *m = model_load(damaged, NULL, NULL, NULL, &d);
    bool good = m && model_weights(m, &d);
    model_close(m);
    if (!good && d.kind != DIAG_SPEC && d.kind != DIAG_UNSUPPORTED && d.kind != DIAG_FILE && d.kind != DIAG_USAGE)
        fail_msg("%d %s", d.kind, d.text);
    assert_true(good == (d.text[0] == '\0'));
    return good;
}

static int setup(void **state) {
    (void)state;
    int fd = mkstemps(damaged, 5);
    FILE *f = fopen(OWN("small.onnx"), "r");
    if (fd < 0 || close(fd) != 0 || !f) return 1;
    bytes = malloc(1 << 16);
    size = fread(bytes, 1, 1 << 16, f);
    return fclose(f) != 0 || size == 0;
}

static int teardown(void **state) {
    (void)state;
    free(bytes);
    return remove(damaged);
}

static void test_cut(void **state) {
    (void)state;
    long before = mem_live();
    int good = 0;
    for (size_t n = 0; n < size; n++) {
        write_damaged(bytes, n);
        good += survives();
    }
    print_message("%zu cuts: %d still a model\n", size, good);
    assert_int_equal(mem_live(), before);
}

static void test_flipped(void **state) {
    (void)state;
    long before = mem_live();
    int good = 0;
    for (size_t i = 0; i < 8 * size; i++) {
        bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
        write_damaged(bytes, size);
        bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
        good += survives();
    }
    print_message("%zu bits: %d still a model\n", 8 * size, good);
    assert_in_range(good, 1, 8 * size);
    assert_int_equal(mem_live(), before);
}

/* Messages in messages, and 2 bytes that become 200: neither the stack nor memory follows. */
static void test_bombs(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    static const char levels[] = "\x3a\x0a\x2a\x32"; /* graph, node, attribute, graph: length follows */
    char *bomb = malloc(SIZE), *p = bomb + SIZE;
    assert_non_null(bomb);
    for (int level = 0; p - bomb > 32 || level % 3 != 1; level++) { /* the last is a node of the graph */
        unsigned n = (unsigned)(bomb + SIZE - p);
        *--p = (char)(n >> 14);
        *--p = (char)(n >> 7 | 128);
        *--p = (char)(n | 128);
        *--p = level % 3 == 0 ? levels[1] : level % 3 == 1 ? levels[3] : levels[2];
    }
    unsigned n = (unsigned)(bomb + SIZE - p);
    *--p = (char)(n >> 14);
    *--p = (char)(n >> 7 | 128);
    *--p = (char)(n | 128);
    *--p = levels[0];
    write_damaged(p, (size_t)(bomb + SIZE - p));
    refused(damaged, (LunetteOptions){0}, DIAG_FILE, "not an ONNX model");
    for (int i = 4; i < SIZE - 1; i += 2) { /* empty nodes */
        bomb[i] = 0x0a;
        bomb[i + 1] = 0;
    }
    n = SIZE - 4;
    bomb[0] = 0x3a;
    bomb[1] = (char)(n | 128);
    bomb[2] = (char)(n >> 7 | 128);
    bomb[3] = (char)(n >> 14);
    write_damaged(bomb, SIZE);
    refused(damaged, (LunetteOptions){0}, DIAG_FILE, "times its size");
    free(bomb);
}

/* Memory that ends at every request leaves nothing behind. */
static void test_memory(void **state) {
    (void)state;
    long before = mem_live();
    bool good = false;
    for (long n = 1; !good && n < 10000; n++) {
        Diag d = {0};
        mem_fail_after(n);
        LunetteModel *m = model_load(OWN("small.onnx"), NULL, NULL, NULL, &d);
        mem_fail_after(0);
        good = m != NULL;
        if (!good && d.kind != DIAG_MACHINE) fail_msg("request %ld: %d %s", n, d.kind, d.text);
        model_close(m);
        assert_int_equal(mem_live(), before);
    }
    assert_true(good);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_folded),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_constants_refused),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
