/* Models that others trained, against the answers that another runtime or their authors published. */
#include "tests/test_models.h"

#include <jansson.h>

/* ---- answers of another runtime -------------------------------------------------------------------- */

/* A port's name, of which Lunette keeps letters, digits, dots and underscores. */
static bool same_name(const char *own, const char *onnx) {
    for (; *own && *onnx; own++, onnx++)
        if (*own != *onnx && *own != '_') return false;
    return *own == *onnx;
}

static int port_named(const LunetteModel *m, bool output, const char *name) {
    int n = output ? lunette_output_count(m) : lunette_input_count(m);
    for (int i = 0; i < n; i++)
        if (same_name((output ? lunette_output(m, i) : lunette_input(m, i)).name, name)) return i;
    fail_msg("there is no %s '%s'", output ? "output" : "input", name);
    return -1;
}

typedef struct Ports {
    int n;
    float *v[8]; /* by the model's order */
} Ports;

static Ports ports_load(const LunetteModel *m, const char *folder, const json_t *names, bool output) {
    Ports p = {.n = (int)json_array_size(names)};
    assert_int_equal(p.n, output ? lunette_output_count(m) : lunette_input_count(m));
    assert_in_range(p.n, 1, COUNT_OF(p.v));
    for (int k = 0; k < p.n; k++) {
        char path[1000];
        int64_t n;
        int at = port_named(m, output, json_string_value(json_array_get(names, (size_t)k)));
        snprintf(path, sizeof path, "%s/%s_%d.npy", folder, output ? "output" : "input", k);
        assert_null(p.v[at]);
        p.v[at] = load_floats(path, &n);
        assert_int_equal(n, (output ? lunette_output(m, at) : lunette_input(m, at)).elements);
    }
    return p;
}

static void ports_free(Ports *p) {
    for (int i = 0; i < p->n; i++) free(p->v[i]);
}

static void test_expected(void **state) {
    const char *name = *state;
    char model[1000], folder[1000], path[1100];
    snprintf(model, sizeof model, SHARED("onnx/%s.onnx"), name);
    snprintf(folder, sizeof folder, SHARED("expected/%s"), name);
    snprintf(path, sizeof path, "%s/names.json", folder);
    wanted_or_skip(path);
    json_t *names = json_load_file(path, 0, NULL);
    assert_non_null(names);
    LunetteModel *m = open_good(model, NULL, 0);
    Ports x = ports_load(m, folder, json_object_get(names, "inputs"), false);
    Ports wanted = ports_load(m, folder, json_object_get(names, "outputs"), true), y = {.n = wanted.n};
    for (int i = 0; i < y.n; i++) {
        y.v[i] = malloc((size_t)lunette_output(m, i).elements * sizeof(float));
        assert_non_null(y.v[i]);
    }
    assert_int_equal(lunette_run(m, (const void *const *)x.v, (void *const *)y.v, NULL), LUNETTE_OK);
    bool good = true;
    for (int i = 0; i < y.n; i++) {
        double off = distance(y.v[i], wanted.v[i], lunette_output(m, i).elements);
        print_message("%s: %s: relative error %.2g\n", name, lunette_output(m, i).name, off);
        good = good && off <= 1e-5; /* NaN is not */
    }
    assert_true(good);
    lunette_close(m);
    ports_free(&x);
    ports_free(&wanted);
    ports_free(&y);
    json_decref(names);
}

/* ---- classes of MNIST ------------------------------------------------------------------------------ */

/* Wrong classes among the test images; a pixel of 0 … 255 goes in as (pixel − mean) / deviation. */
static int mnist_errors(LunetteModel *m, float mean, float deviation) {
    enum { IMAGES = 10000, PIXELS = 28 * 28, CLASSES = 10 };
    int64_t n;
    float *images = load_floats(SHARED("mnist/t10k-images-idx3-ubyte.gz"), &n);
    assert_int_equal(n, IMAGES * PIXELS);
    float *labels = load_floats(SHARED("mnist/t10k-labels-idx1-ubyte.gz"), &n), y[CLASSES];
    assert_int_equal(n, IMAGES);
    int errors = 0;
    for (int i = 0; i < IMAGES * PIXELS; i++) images[i] = (images[i] - mean) / deviation;
    for (int i = 0; i < IMAGES; i++) {
        assert_int_equal(lunette_run(m, (const void *[]){images + i * PIXELS}, (void *[]){y}, NULL), LUNETTE_OK);
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (y[c] > y[best]) best = c;
        errors += best != (int)labels[i];
    }
    lunette_close(m);
    free(images);
    free(labels);
    return errors;
}

static void test_mnist_7(void **state) {
    (void)state;
    wanted_or_skip(SHARED("onnx/mnist-7.onnx"));
    int errors = mnist_errors(open_good(SHARED("onnx/mnist-7.onnx"), NULL, 0), 0, 1);
    print_message("mnist-7: %d errors\n", errors);
    assert_in_range(errors, 108, 110);
}

static void test_jq_cnn_mnist(void **state) {
    (void)state;
    wanted_or_skip(SHARED("safetensors/jq_cnn_mnist.safetensors"));
    LunetteModel *m =
        open_good(TESTS_DIR "/conformance/jq_cnn_mnist.lua", SHARED("safetensors/jq_cnn_mnist.safetensors"), 0);
    int errors = mnist_errors(m, 0.1307f * 255, 0.3081f * 255);
    print_message("jq_cnn_mnist: %d errors\n", errors);
    assert_in_range(errors, 304, 306);
}

/* ---- a class of ImageNet --------------------------------------------------------------------------- */

/* Published probabilities of the picture, its channels in the order blue, green, red. */
static void test_squeezenet(void **state) {
    (void)state;
    enum { PLANE = 224 * 224, CLASSES = 1000 };
    wanted_or_skip(SHARED("onnx/SqueezeNet_fp16.onnx"));
    int64_t n;
    float *rgb = load_floats(SHARED("images/fish.png"), &n), y[CLASSES], wanted[CLASSES];
    assert_int_equal(n, 3 * PLANE);
    float *bgr = malloc((size_t)n * sizeof *bgr);
    assert_non_null(bgr);
    for (int c = 0; c < 3; c++) memcpy(bgr + c * PLANE, rgb + (2 - c) * PLANE, PLANE * sizeof *bgr);
    FILE *f = fopen(SHARED("expected/Squeezenet_fp16_fish_input_CPU.csv"), "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "Index,Value"), 0);
    for (int i = 0, at; i < CLASSES; i++) assert_int_equal(fscanf(f, "%d,%f", &at, &wanted[i]), 2);
    fclose(f);
    LunetteModel *m = open_good(SHARED("onnx/SqueezeNet_fp16.onnx"), NULL, 0);
    assert_int_equal(lunette_run(m, (const void *[]){bgr}, (void *[]){y}, NULL), LUNETTE_OK);
    float worst = 0;
    for (int i = 0; i < CLASSES; i++) worst = fmaxf(worst, fabsf(y[i] - wanted[i]));
    print_message("SqueezeNet_fp16: worst %.2g from the published probabilities\n", (double)worst);
    assert_true(worst <= 1e-3f);
    lunette_close(m);
    free(rgb);
    free(bgr);
}

int main(void) {
    static char mnist[] = "mnist-7", slim[] = "version-slim-320", rfb[] = "version-RFB-320_simplified",
                blazeface[] = "blazeface_front_128";
    const struct CMUnitTest tests[] = {
        {"mnist-7", test_expected, NULL, NULL, mnist},
        {"version-slim-320", test_expected, NULL, NULL, slim},
        {"version-RFB-320_simplified", test_expected, NULL, NULL, rfb},
        {"blazeface_front_128", test_expected, NULL, NULL, blazeface},
        cmocka_unit_test(test_mnist_7),
        cmocka_unit_test(test_jq_cnn_mnist),
        cmocka_unit_test(test_squeezenet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
