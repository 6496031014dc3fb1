/* Graphs as specs: what is written reads back as the same graph, with weights that give the same bits.
 *
 *   test_import_spec [N [FIRST]]     N random networks from seed FIRST on */
#include "tests/test_save.h"

#include "frontend/lua/spec.h"
#include "frontend/lua/write.h"

#include <glob.h>

static int n_cases = 200;
static uint64_t first_seed = 1;

/* ---- graphs ---------------------------------------------------------------------------------------- */

static const char *text_of(Arena *a, const Graph *g) {
    Text t = {.arena = a};
    Diag d = {0};
    if (!spec_text(&t, g, &d)) fail_msg("%s", d.text);
    return text_get(&t);
}

static Graph *read_text(Arena *a, const char *text) {
    SpecOptions o = {.batch = 1};
    Diag d = {0};
    FILE *f = fopen(at("text.lua"), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    Graph *g = spec_load(a, at("text.lua"), &o, &d);
    if (!g) fail_msg("%s\n%s", d.text, text);
    return g;
}

static void same_or_fail(Arena *a, const Graph *g, const char *text) {
    Diag d = {0};
    if (!graph_same(a, g, read_text(a, text), &d)) fail_msg("%s\n%s\n%s", d.text, graph_text(a, g), text);
}

static void test_random(void **state) {
    (void)state;
    for (int i = 0; i < n_cases; i++) {
        Diag d = {0};
        uint64_t seed = first_seed + (uint64_t)i;
        Arena *a = arena_open(&d);
        Graph *g = random_graph(a, &seed, &d);
        if (!g) fail_msg("%s", d.text);
        same_or_fail(a, g, text_of(a, g));
        arena_close(a);
    }
}

/* What random graphs do not have: shared and foreign weights, element types, names, order of outputs, schedules. */
static const char *const odd[] = {
    "return input { \"x\", shape = {}, type = \"bool\" }\n",
    "return { a = input { \"none\", shape = { 0, 3 } }, b = input { \"x\", 3 } }\n",
    "return { a = input { \"x\", shape = { 5 }, type = \"i64\" } }\n",
    "local x = input { \"x\", shape = { 4, 3, 8, 8 } }\n"
    "local w = weight { \"shared\", 3, 3, 3, 3, axes = \"ochw\" }\n"
    "local a = x:conv(w, { 3, 3, pad = 1, bias = false, name = \"layer1.0.conv\" })\n"
    "local b = conv(a, w, { 3, 3, pad = { 1, 2, 1, 0 }, bias = false, schedule = { 'split w 2 -> wo wi', 'unroll wi' } "
    "})\n"
    "return { { \"z\", a + weight { \"p\", 3, 1, 1 } }, { \"a.b\", b }, { \"c\", b } }\n",
    "local x = input { \"concat\", 3, 8 }\n"
    "local y = weight { \"end\", 3, 8 } + x\n"
    "return { (x + y):relu { name = \"relu\" }, x - y, (x * x / y):clip { -0.1, 3e38 }, x:selu { alpha = 1/3 } }\n",
    "local x = input { \"x\", 2, 6 }\n"
    "return { [\"in\"] = concat { x, x:relu() }, [\"z.end\"] = x:relu { name = \"a.b\" }, [\"a.a\"] = x:relu { name = "
    "\"a_b\" } }\n",
    "local x = input { \"x\", 2, 6 }\n"
    "return { shape(x:relu()), shape { x, 1, 2, name = \"s\" } }\n",
    "local x = input { \"x\", 2 }\n"
    "for i = 1, 300 do x = x + x:tanh() * x:relu() end\n"
    "return x\n",
};

static void test_odd(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        Diag d = {0};
        Arena *a = arena_open(&d);
        const Graph *g = read_text(a, odd[i]);
        same_or_fail(a, g, text_of(a, g));
        arena_close(a);
    }
}

/* The spec that is written is one that a person could have written. */
static void test_readable(void **state) {
    (void)state;
    static const char wanted[] = "local image = input { \"image\", 1, 28, 28 }\n"
                                 "local softmax_1 = image\n"
                                 "    :conv { 8, 3, pad = 1, name = \"conv1\" }\n"
                                 "    :relu()\n"
                                 "    :maxpool { 2, 2 }\n"
                                 "    :flatten()\n"
                                 "    :dense { 10, name = \"fc\" }\n"
                                 "    :softmax()\n"
                                 "return softmax_1\n";
    Diag d = {0};
    SpecOptions o = {.batch = 1};
    Arena *a = arena_open(&d);
    Graph *g = spec_load(a, SOURCE_DIR "/specs/tiny.lua", &o, &d);
    assert_non_null(g);
    assert_string_equal(text_of(a, g), wanted);
    arena_close(a);
}

/* ---- models ---------------------------------------------------------------------------------------- */

static void import_as(const char *model, const char *name, SpecFiles *files) {
    Diag d = {0};
    LunetteModel *m = model_read(model, NULL, &d);
    SpecFiles own;
    if (!m || !model_weights(m, &d) || !save_spec(m, at("out"), name, name, &own, &d)) fail_msg("%s", d.text);
    files->spec = strdup(own.spec);
    files->weights = strdup(own.weights);
    model_close(m);
}

static void imports(const char *model, const char *name) {
    Diag d = {0};
    SpecFiles files;
    double error;
    import_as(model, name, &files);
    LunetteModel *a = model_from(model, NULL, 1, &d), *b = model_from(files.spec, files.weights, 1, &d);
    if (!a || !b) fail_msg("%s", d.text);
    assert_true(same_answers(a, b, 7, &error));
    model_close(a);
    model_close(b);
    free((char *)files.spec);
    free((char *)files.weights);
}

static void test_small(void **state) {
    (void)state;
    imports(TESTS_DIR "/onnx/small.onnx", "small");
    imports(TESTS_DIR "/onnx/small.onnx", "small"); /* over the files that are there */
    imports(TESTS_DIR "/onnx/opset1.onnx", "opset1");
    imports(TESTS_DIR "/onnx/opset7.onnx", "opset7");
    imports(TESTS_DIR "/onnx/opset18.onnx", "opset18"); /* with the largest finite number as a constant */
}

static void test_mnist(void **state) {
    (void)state;
    wanted_or_skip(SHARED("onnx/mnist-7.onnx"));
    imports(SHARED("onnx/mnist-7.onnx"), "mnist-7");
}

static void test_squeezenet(void **state) {
    (void)state;
    wanted_or_skip(SHARED("onnx/SqueezeNet_fp16.onnx"));
    imports(SHARED("onnx/SqueezeNet_fp16.onnx"), "SqueezeNet_fp16");
}

/* Several outputs, NHWC inputs, names of TensorFlow. */
static void test_detectors(void **state) {
    (void)state;
    wanted_or_skip(SHARED("onnx/blazeface_front_128.onnx"));
    imports(SHARED("onnx/blazeface_front_128.onnx"), "blazeface_front_128");
    imports(SHARED("onnx/version-RFB-320_simplified.onnx"), "version-RFB-320_simplified");
}

/* ONNX's own cases, as far as they are known without their constants: each is a spec, and an ONNX model, again. */
static void test_cases(void **state) {
    (void)state;
    glob_t found = {0};
    int read = 0;
    if (glob("/usr/share/libonnx-testdata/data/*/test_*/model.onnx", 0, NULL, &found) != 0) {
        print_message("libonnx-testdata is not there: skipped\n");
        skip();
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        Diag d = {0};
        LunetteModel *m = model_read(found.gl_pathv[i], NULL, &d);
        SpecFiles files;
        if (!m) continue;
        d = (Diag){0};
        if (!model_weights(m, &d) || !save_spec(m, at("cases"), "case", "case", &files, &d) ||
            !save_onnx(m, at("case.onnx"), &d))
            fail_msg("%s: %s", found.gl_pathv[i], d.text);
        model_close(m);
        read++;
    }
    print_message("%zu cases, %d of them read\n", found.gl_pathc, read);
    globfree(&found);
    assert_true(read >= 300);
}

/* ---- what goes wrong leaves nothing ---------------------------------------------------------------- */

static void refused(const char *where, const char *name, DiagKind kind, const char *says) {
    Diag d = {0};
    SpecFiles files;
    LunetteModel *m = model_read(TESTS_DIR "/onnx/small.onnx", NULL, &d);
    assert_true(m && model_weights(m, &d));
    assert_false(save_spec(m, where, name, name, &files, &d));
    if (d.kind != kind || !strstr(d.text, says)) fail_msg("%d %s", d.kind, d.text);
    model_close(m);
}

static void test_refused(void **state) {
    (void)state;
    FILE *f = fopen(at("file"), "w");
    assert_non_null(f);
    fclose(f);
    refused(at("file"), "small", DIAG_FILE, "file");
    refused(at("none/none"), "small", DIAG_FILE, "none/none: cannot make the folder");
    mkdir(at("taken"), 0777);
    mkdir(at("taken/small.safetensors"), 0777);
    refused(at("taken"), "small", DIAG_FILE, "this is a directory");
    assert_int_not_equal(access(at("taken/small.lua"), F_OK), 0);
    refused(at("fresh"), "a/b", DIAG_FILE, "");
    assert_int_not_equal(access(at("fresh"), F_OK), 0);
}

/* Memory that ends at every request: both files or none, and nothing is left behind. */
static void test_memory(void **state) {
    (void)state;
    bool good = false;
    long before = mem_live();
    for (long n = 1; !good && n < 10000; n++) {
        Diag d = {0};
        SpecFiles files;
        LunetteModel *m = model_read(TESTS_DIR "/onnx/small.onnx", NULL, &d);
        assert_true(m && model_weights(m, &d));
        mem_fail_after(n);
        good = save_spec(m, at("memory"), "small", "small", &files, &d);
        mem_fail_after(0);
        if (!good && d.kind != DIAG_MACHINE) fail_msg("request %ld: %d %s", n, d.kind, d.text);
        assert_true(good == (access(at("memory/small.lua"), F_OK) == 0));
        model_close(m);
        assert_int_equal(mem_live(), before);
    }
    assert_true(good);
}

int main(int argc, char **argv) {
    if (argc > 1) n_cases = atoi(argv[1]);
    if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_odd),       cmocka_unit_test(test_readable),
        cmocka_unit_test(test_small),  cmocka_unit_test(test_mnist),     cmocka_unit_test(test_squeezenet),
        cmocka_unit_test(test_cases),  cmocka_unit_test(test_detectors), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
