/* The trained networks on all 10,000 test images, through the public interface: every class against PyTorch's on the same
 * weights (specs/weights, *.predictions.idx.gz), the accuracy against its accuracy, and the same bits for 1 and 2 threads.
 * MNIST lies beside the project (shared/data/mnist) or not at all; Fashion-MNIST comes with Debian. */
#include "frontend/data/load.h"
#include "frontend/lunette.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { IMAGES = 10000, PIXELS = 28 * 28, CLASSES = 10, BATCH = 100, MOST_DIFFER = 2, THREADED = 500 };

typedef struct Data {
    const char *name, *title, *folder;
    bool present;
    Array images, labels;
} Data;

static Data mnist = {.name = "mnist", .title = "MNIST", .folder = SOURCE_DIR "/../shared/data/mnist"};
static Data fashion = {.name = "fashion", .title = "Fashion-MNIST", .folder = "/usr/share/datasets/fashion-mnist"};

typedef struct Case {
    const char *net;
    Data *data;
    int least_right; /* of IMAGES */
} Case;

static const char *in_folder(const char *folder, const char *file) {
    static char path[4][1024];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, file);
    return p;
}

static void load(const char *path, int rank, Array *a) {
    Diag d = {0};
    if (!data_load(path, a, &d)) fail_msg("%s", d.text);
    assert_int_equal(a->type, ELEM_U8);
    assert_int_equal(a->rank, rank);
    assert_int_equal(a->shape[0], IMAGES);
    assert_int_equal(a->bytes, rank == 3 ? IMAGES * PIXELS : IMAGES);
}

static void data_open(Data *s) {
    const char *images = in_folder(s->folder, "t10k-images-idx3-ubyte.gz"),
               *labels = in_folder(s->folder, "t10k-labels-idx1-ubyte.gz");
    s->present = access(images, R_OK) == 0 && access(labels, R_OK) == 0;
    if (!s->present) return;
    load(images, 3, &s->images);
    load(labels, 1, &s->labels);
}

static int setup(void **state) {
    (void)state;
    data_open(&mnist);
    data_open(&fashion);
    if (!mnist.present && !fashion.present) print_message("MNIST and Fashion-MNIST absent: nothing to classify\n");
    else if (!mnist.present) print_message("MNIST absent: Fashion-MNIST only\n");
    else if (!fashion.present) print_message("Fashion-MNIST absent: MNIST only\n");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    Data *all[] = {&mnist, &fashion};
    for (int i = 0; i < 2; i++) {
        array_close(&all[i]->images);
        array_close(&all[i]->labels);
    }
    return 0;
}

/* The file of this case's network in specs/weights. */
static const char *weights_file(const Case *c, const char *suffix) {
    char name[128];
    snprintf(name, sizeof name, "%s-%s.%s", c->net, c->data->name, suffix);
    return in_folder(SOURCE_DIR "/specs/weights", name);
}

static LunetteModel *open_model(const Case *c, int threads) {
    char spec[64];
    LunetteOptions o = {.weights = weights_file(c, "safetensors"), .threads = threads, .batch = BATCH};
    LunetteModel *m = NULL;
    LunetteError e;
    snprintf(spec, sizeof spec, "%s.lua", c->net);
    if (lunette_open(in_folder(SOURCE_DIR "/specs", spec), &o, &m, &e) != LUNETTE_OK) fail_msg("%s", e.message);
    assert_int_equal(lunette_input(m, 0).elements, BATCH * PIXELS);
    assert_int_equal(lunette_output(m, 0).elements, BATCH * CLASSES);
    return m;
}

/* Images first … first+BATCH−1. */
static void run(LunetteModel *m, const Data *s, int first, float *y /* [BATCH CLASSES] */) {
    static float x[BATCH * PIXELS];
    LunetteError e;
    const uint8_t *p = (const uint8_t *)s->images.data + first * PIXELS;
    for (int i = 0; i < BATCH * PIXELS; i++) x[i] = (float)p[i] / 255.0f;
    if (lunette_run(m, (const void *[]){x}, (void *[]){y}, &e) != LUNETTE_OK) fail_msg("%s", e.message);
}

static int largest(const float *y) {
    int best = 0;
    for (int c = 1; c < CLASSES; c++)
        if (y[c] > y[best]) best = c;
    return best;
}

static void absent(const Case *c) {
    if (c->data->present) return;
    print_message("%s on %s: skipped, %s has no such data\n", c->net, c->data->title, c->data->folder);
    skip();
}

static void test_predictions(void **state) {
    const Case *c = *state;
    absent(c);
    Array torch = {0};
    load(weights_file(c, "predictions.idx.gz"), 1, &torch);
    LunetteModel *m = open_model(c, 2);
    int right = 0, torch_right = 0, differ = 0;
    for (int first = 0; first < IMAGES; first += BATCH) {
        float y[BATCH * CLASSES];
        run(m, c->data, first, y);
        for (int i = 0; i < BATCH; i++) {
            int class = largest(y + i * CLASSES), label = ((const uint8_t *)c->data->labels.data)[first + i];
            int wanted = ((const uint8_t *)torch.data)[first + i];
            if (class != wanted && differ < 5)
                print_message("%s on %s: image %d is %d, by PyTorch %d\n", c->net, c->data->title, first + i, class,
                              wanted);
            right += class == label;
            torch_right += wanted == label;
            differ += class != wanted;
        }
    }
    lunette_close(m);
    array_close(&torch);
    print_message("%s on %s: %d right (%.2f %%), PyTorch %d, %d classes differ\n", c->net, c->data->title, right,
                  100.0 * right / IMAGES, torch_right, differ);
    assert_true(differ <= MOST_DIFFER);
    assert_true(abs(right - torch_right) <= MOST_DIFFER);
    assert_true(right >= c->least_right);
}

static void test_threads(void **state) {
    const Case *c = *state;
    absent(c);
    LunetteModel *one = open_model(c, 1), *two = open_model(c, 2);
    for (int first = 0; first < THREADED; first += BATCH) {
        float y1[BATCH * CLASSES], y2[BATCH * CLASSES];
        run(one, c->data, first, y1);
        run(two, c->data, first, y2);
        assert_memory_equal(y1, y2, sizeof y1);
    }
    lunette_close(one);
    lunette_close(two);
}

int main(void) {
    static Case smallcnn_mnist = {"smallcnn", &mnist, 9920}, smallcnn_fashion = {"smallcnn", &fashion, 9200};
    static Case lenet5_mnist = {"lenet5", &mnist, 9880}, lenet5_fashion = {"lenet5", &fashion, 8800};
    const struct CMUnitTest tests[] = {
        {"lenet5_mnist", test_predictions, NULL, NULL, &lenet5_mnist},
        {"lenet5_fashion", test_predictions, NULL, NULL, &lenet5_fashion},
        {"smallcnn_mnist", test_predictions, NULL, NULL, &smallcnn_mnist},
        {"smallcnn_fashion", test_predictions, NULL, NULL, &smallcnn_fashion},
        {"lenet5_mnist_threads", test_threads, NULL, NULL, &lenet5_mnist},
        {"lenet5_fashion_threads", test_threads, NULL, NULL, &lenet5_fashion},
        {"smallcnn_mnist_threads", test_threads, NULL, NULL, &smallcnn_mnist},
        {"smallcnn_fashion_threads", test_threads, NULL, NULL, &smallcnn_fashion},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
