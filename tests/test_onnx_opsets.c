/* ONNX models: what the opsets did otherwise, against numpy's answers; shapes given by the user, tensors in other files, and
 * what is refused. tests/onnx/opsets.py made the models. */
#include "tests/test_models.h"

#include "frontend/onnx/onnx.h"

#include <limits.h>

#define OWN(name) TESTS_DIR "/onnx/" name

/* ---- helpers ------------------------------------------------------------------------------------- */

static LunetteModel *loaded(const char *path, LunetteOptions o) {
    Diag d = {0};
    LunetteModel *m = model_load(path, &o, NULL, NULL, &d);
    if (!m) fail_msg("%s", d.text);
    return m;
}

static void refused(const char *path, LunetteOptions o, DiagKind kind, const char *part) {
    Diag d = {0};
    long before = mem_live();
    LunetteModel *m = model_load(path, &o, NULL, NULL, &d);
    bool good = m && model_weights(m, &d);
    model_close(m);
    assert_false(good);
    assert_int_equal(mem_live(), before);
    if (d.kind != kind || !strstr(d.text, part)) fail_msg("%s: %d %s", path, d.kind, d.text);
}

enum { MOST_OUTPUTS = 64 };

static void run(LunetteModel *m, const float *x, float **y) {
    assert_int_equal(lunette_run(m, (const void *[]){x}, (void **)y, NULL), LUNETTE_OK);
}

/* The first output is what the input must be, then each result stands before what it must be. */
static void check_pairs(const char *path) {
    LunetteModel *m = open_good(path, NULL, 1);
    int n = lunette_output_count(m);
    assert_in_range(n, 3, MOST_OUTPUTS);
    assert_int_equal(n % 2, 1);
    float *y[MOST_OUTPUTS], *x = calloc((size_t)lunette_input(m, 0).elements, sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < n; i++) {
        y[i] = malloc((size_t)lunette_output(m, i).elements * sizeof *y[i]);
        assert_non_null(y[i]);
    }
    run(m, x, y);
    assert_int_equal(lunette_output(m, 0).elements, lunette_input(m, 0).elements);
    memcpy(x, y[0], (size_t)lunette_input(m, 0).elements * sizeof *x);
    run(m, x, y);
    for (int i = 1; i < n; i += 2) {
        LunetteTensor got = lunette_output(m, i), wanted = lunette_output(m, i + 1);
        bool same = got.rank == wanted.rank;
        for (int k = 0; k < got.rank && same; k++) same = got.extent[k] == wanted.extent[k];
        if (!same) fail_msg("%s: the shape of %s", path, got.name);
        double off = distance(y[i], y[i + 1], got.elements);
        if (!(off <= 1e-5)) fail_msg("%s: %s is off by %g", path, got.name, off);
    }
    for (int i = 0; i < n; i++) free(y[i]);
    free(x);
    lunette_close(m);
}

static void test_opsets(void **state) {
    (void)state;
    check_pairs(OWN("opset1.onnx"));
    check_pairs(OWN("opset7.onnx"));
    check_pairs(OWN("opset18.onnx"));
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *path;
        DiagKind kind;
        const char *part;
    } cases[] = {
        {OWN("refused.inputs.onnx"), DIAG_SPEC, "node 'y' (Clip, opset 6): it has 2 inputs"},
        {OWN("refused.axis.onnx"), DIAG_SPEC, "node 'y' (Add, opset 6): axis = 2147483648"},
        {OWN("refused.index.onnx"), DIAG_SPEC, "node 'y' (Gather, opset 13): index 3 of 3"},
        {OWN("refused.output.onnx"), DIAG_UNSUPPORTED, "node 'y' (MaxPool, opset 12): output 3, 'z', is not known"},
        {OWN("refused.policy.onnx"), DIAG_UNSUPPORTED, "this keep_aspect_ratio_policy is not known"},
        {OWN("refused.nan.onnx"), DIAG_SPEC, "node 'y' (Clip, opset 13): min is not a number"},
        {OWN("refused.extent.onnx"), DIAG_UNSUPPORTED, "an output of 8 on axis 3, without pads it is 196611"},
        {OWN("refused.work.onnx"), DIAG_UNSUPPORTED, "constant 'd' takes too long to compute"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        refused(cases[i].path, (LunetteOptions){0}, cases[i].kind, cases[i].part);
}

/* ---- shapes ---------------------------------------------------------------------------------------- */

static void test_shapes(void **state) {
    (void)state;
    const char *x = "x=2,3,5", *const both[] = {"x=2,3,5", "x=2,3,5"};
    LunetteModel *m = loaded(OWN("no_shape.onnx"), (LunetteOptions){.shapes = &x, .n_shape = 1});
    assert_int_equal(lunette_output(m, 0).rank, 3);
    assert_int_equal(lunette_output(m, 0).extent[2], 5);
    model_close(m);
    m = loaded(OWN("unnamed.onnx"), (LunetteOptions){.shapes = &x, .n_shape = 1, .batch = 2});
    assert_int_equal(lunette_input(m, 0).extent[0], 2);
    assert_int_equal(lunette_input(m, 0).extent[2], 5);
    model_close(m);
    refused(OWN("no_shape.onnx"), (LunetteOptions){0}, DIAG_USAGE, "give it by --shape x=D,D");
    refused(OWN("unnamed.onnx"), (LunetteOptions){0}, DIAG_USAGE, "neither size nor name: give it by --shape x=D,D");
    refused(OWN("no_shape.onnx"), (LunetteOptions){.shapes = both, .n_shape = 2}, DIAG_USAGE, "it has a shape already");
    refused(OWN("unnamed.onnx"), (LunetteOptions){.shapes = &x, .n_shape = 1, .batch = 3}, DIAG_USAGE, "--batch 3");
    const char *other = "z=2,3,4,4";
    refused(OWN("unknown.onnx"), (LunetteOptions){.shapes = &other, .n_shape = 1}, DIAG_USAGE,
            "--shape z=2,3,4,4: there is no input of this name");
    static const struct {
        const char *shape, *part;
    } bad[] = {
        {"z=2,3,5", "give it by --shape x=D,D"},     {"x=2,4,5", "axis 1 is 3 in the model"},
        {"x=2,3", "has 2 extents, the model 3"},     {"x=2,3,0", "at most 8 extents from 1 to"},
        {"x=2,3,-5", "at most 8 extents from 1 to"}, {"x=", "at most 8 extents from 1 to"},
        {"x=2,3,5,", "at most 8 extents from 1 to"}, {"x=1,1,1,1,1,1,1,1,1", "at most 8 extents from 1 to"},
        {"x", "give it by --shape x=D,D"},           {"x=2,3,99999999999999999999", "at most 8 extents from 1 to"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refused(OWN("unnamed.onnx"), (LunetteOptions){.shapes = &bad[i].shape, .n_shape = 1}, DIAG_USAGE, bad[i].part);
}

/* ---- tensors in other files -------------------------------------------------------------------------- */

static char folder[] = "/tmp/lunette-external-XXXXXX";
static char model[PATH_MAX], weights[PATH_MAX];

static size_t read_all(const char *path, char *to, size_t most) {
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(to, 1, most, f);
    assert_int_equal(fclose(f), 0);
    return n;
}

static void write_all(const char *path, const char *from, size_t n) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(from, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return 1;
    snprintf(model, sizeof model, "%s/external.onnx", folder);
    snprintf(weights, sizeof weights, "%s/weights.bin", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    remove(model);
    remove(weights);
    return remove(folder);
}

static void test_external(void **state) {
    (void)state;
    LunetteModel *m = open_good(OWN("external.onnx"), NULL, 1);
    float x[] = {1, 10, 100}, y[2];
    assert_int_equal(lunette_run(m, (const void *[]){x}, (void *[]){y}, NULL), LUNETTE_OK);
    assert_true(y[0] == 321 + 7 && y[1] == 654 + 8);
    lunette_close(m);
}

/* The model with this in place of its file's name, which is as long. */
static void write_model(const char *name) {
    char bytes[1024];
    size_t n = read_all(OWN("external.onnx"), bytes, sizeof bytes), len = strlen("weights.bin"), found = 0;
    assert_int_equal(strlen(name), len);
    for (size_t i = 0; i + len <= n; i++)
        if (memcmp(bytes + i, "weights.bin", len) == 0) memcpy(bytes + i, name, len), found++;
    assert_int_equal(found, 2);
    write_all(model, bytes, n);
}

static void test_external_refused(void **state) {
    (void)state;
    char bytes[64];
    LunetteOptions none = {0};
    size_t n = read_all(OWN("weights.bin"), bytes, sizeof bytes);
    write_model("weights.bin");
    refused(model, none, DIAG_FILE, "its file 'weights.bin' is not there");
    write_all(weights, bytes, n);
    model_close(loaded(model, none));
    write_all(weights, bytes, 31); /* of the 32 that the first one needs */
    refused(model, none, DIAG_FILE, "tensor 'w' reaches beyond the end of 'weights.bin'");
    write_all(weights, bytes, 7);
    refused(model, none, DIAG_FILE, "tensor 'w' begins after the end of 'weights.bin'");
    write_all(weights, bytes, n - 1);
    refused(model, none, DIAG_FILE, "tensor 'b' is [2] of f32, which is 8 bytes, but the other file gives it 7");
    assert_int_equal(remove(weights), 0);
    assert_int_equal(symlink(OWN("weights.bin"), weights), 0); /* a link out of the folder */
    refused(model, none, DIAG_FILE, "not in the model's folder");
    assert_int_equal(remove(weights), 0);
    static const char *const outside[] = {"/etc/passwd", "../external", "a/../../etc", "..........."};
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        write_model(outside[i]);
        refused(model, none, DIAG_FILE, "not in the model's folder");
    }
    write_model("./././././."); /* the folder itself */
    refused(model, none, DIAG_FILE, folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opsets),   cmocka_unit_test(test_refused),          cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_external), cmocka_unit_test(test_external_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
