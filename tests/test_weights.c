/* Which tensors of a weight file are taken, passed over and refused: the same in safetensors and npz. */
#include "frontend/lunette.h"
#include "tests/test_data.h"

enum { CHANNELS = 2, MOST_TENSORS = 6 };

/* A batch norm of two channels as PyTorch saves it: four vectors and a count of steps. */
static const char *const names[] = {
    "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked", "bn.scale"};
static const float vector[CHANNELS] = {1, 2};
static const int64_t steps = 12345;

static void write_safetensors(const char *path, int first, int n) {
    Tensor tensors[MOST_TENSORS];
    for (int i = 0; i < n; i++) {
        Array v = {.type = ELEM_F32, .rank = 1, .shape = {CHANNELS}, .data = vector, .bytes = sizeof vector};
        Array s = {.type = ELEM_I64, .data = &steps, .bytes = sizeof steps};
        tensors[i] = (Tensor){names[first + i], first + i == 4 ? s : v};
    }
    Diag d = {0};
    if (!safetensors_write(path, tensors, (size_t)n, NULL, &d)) fail_msg("%s", d.text);
}

static void write_npz(const char *path, int first, int n) {
    static Bytes member[MOST_TENSORS];
    char name[MOST_TENSORS][64];
    const char *list[MOST_TENSORS];
    for (int i = 0; i < n; i++) {
        if (first + i == 4)
            npy_make(&member[i], 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n", &steps, sizeof steps);
        else
            npy_make(&member[i], 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", vector,
                     sizeof vector);
        snprintf(name[i], sizeof name[i], "%s.npy", names[first + i]);
        list[i] = name[i];
    }
    zip_write(path, list, member, n, ZIP_CM_STORE);
}

/* Opens the network with n tensors from `first` on, from either kind of file. */
static void opens(int first, int n, LunetteStatus wanted, const char *message) {
    const char *spec = at("net.lua"), *file[] = {at("w.safetensors"), at("w.npz")};
    const char *text = "return input { 'x', 2, 3, 3 }:batchnorm { name = 'bn' }\n";
    bytes_write(spec, text, strlen(text));
    write_safetensors(file[0], first, n);
    write_npz(file[1], first, n);
    for (int i = 0; i < 2; i++) {
        LunetteModel *m = NULL;
        LunetteError e = {LUNETTE_OK, ""};
        LunetteOptions o = {.weights = file[i], .threads = 1, .no_cache = 1};
        LunetteStatus status = lunette_open(spec, &o, &m, &e);
        lunette_close(m);
        if (status != wanted || (message && !strstr(e.message, message)))
            fail_msg("%s, %d tensors from %s on: status %d, %s", file[i], n, names[first], status, e.message);
    }
}

static void test_taken(void **state) {
    (void)state;
    opens(0, 4, LUNETTE_OK, NULL);
    opens(0, 5, LUNETTE_OK, NULL); /* the count of steps is passed over */
}

static void test_refused(void **state) {
    (void)state;
    opens(0, 6, LUNETTE_FILE, "bn.scale is not a weight of this network");
    opens(1, 4, LUNETTE_FILE, "bn.weight is missing, the network wants");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
