/* Every small file cut off at every byte, with every bit flipped, and with memory failing at every
 * request: an error with a message or a success, never a crash, a leak or a file left behind. */
#include "test_data.h"

typedef struct Sample {
    const char *name;
    bool (*use)(const char *path, Diag *d);
} Sample;

static const Sample samples[] = {
    {"s.safetensors", use_safetensors},
    {"s.npy", use_data},
    {"fortran.npy", use_data},
    {"s.npz:x", use_data},
    {"deflated.npz:x", use_data},
    {"s.idx", use_data},
    {"s.gz", use_data},
    {"gray.png", use_data},
    {"rgba.png", use_data},
    {"palette.png", use_data},
    {"gray.jpg", use_data},
    {"rgb.jpg", use_data},
    {"progressive.jpg", use_data},
    {"s.pgm", use_data},
    {"text.ppm", use_data},
};

static int samples_make(void **state) {
    if (folder_make(state) != 0) return -1;
    Bytes b;
    safetensors_make(&b,
                     "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                     "\"b\":{\"dtype\":\"F16\",\"shape\":[1,3],\"data_offsets\":[8,14]}}",
                     14);
    bytes_write(at("s.safetensors"), b.v, b.n);
    idx_make(&b);
    bytes_write(at("s.idx"), b.v, b.n);
    gzip_write(at("s.gz"), b.v, b.n);
    npy_make(&b, 2, "{'descr': '>u2', 'fortran_order': True, 'shape': (2, 3), }\n", "\0\1\0\2\0\3\0\4\0\5\0\6", 12);
    bytes_write(at("fortran.npy"), b.v, b.n);
    zip_write(at("s.npz"), (const char *[]){"x.npy"}, &b, 1, ZIP_CM_STORE);
    npy_make_f32(&b);
    bytes_write(at("s.npy"), b.v, b.n);
    zip_write(at("deflated.npz"), (const char *[]){"x.npy"}, &b, 1, ZIP_CM_DEFLATE);
    png_write(at("gray.png"), PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, 255);
    png_write(at("rgba.png"), PNG_COLOR_TYPE_RGBA, 8, PNG_INTERLACE_ADAM7, 255);
    png_write(at("palette.png"), PNG_COLOR_TYPE_PALETTE, 2, PNG_INTERLACE_NONE, 255);
    jpeg_write(at("gray.jpg"), 8, 8, true, 0);
    jpeg_write(at("rgb.jpg"), 20, 18, false, 0);
    jpeg_write(at("progressive.jpg"), 16, 16, false, TJFLAG_PROGRESSIVE);
    bytes_write(at("s.pgm"), "P5 3 2 255\nabcdef", 17);
    bytes_write(at("text.ppm"), "P3 2 1 9 1 2 3 4 5 6\n", 21);
    return 0;
}

/* The sample's bytes; `damaged` becomes where to put them, `use` what to open. */
static void sample_open(const Sample *s, Bytes *b, char *damaged, char *use, size_t size) {
    char file[64];
    const char *member = strchr(s->name, ':');
    snprintf(file, sizeof file, "%.*s", (int)strcspn(s->name, ":"), s->name);
    bytes_read(at(file), b);
    snprintf(damaged, size, "%s/damaged", folder);
    snprintf(use, size, "%s/damaged%s", folder, member ? member : "");
}

static void check_use(const Sample *s, const char *use, bool may_succeed, const char *how, size_t where) {
    Diag d = {0};
    long live = mem_live();
    bool ok = s->use(use, &d);
    assert_int_equal(mem_live(), live);
    if (ok && !may_succeed) fail_msg("%s, %s %zu: read without an error", s->name, how, where);
    if (ok && d.kind != DIAG_NONE) fail_msg("%s, %s %zu: success, but '%s'", s->name, how, where, d.text);
    if (!ok) assert_message(&d);
}

static void test_cut_off(void **state) {
    (void)state;
    for (const Sample *s = samples; s < samples + COUNT_OF(samples); s++) {
        Bytes b;
        char damaged[600], use[600];
        sample_open(s, &b, damaged, use, sizeof use);
        bytes_write(damaged, b.v, b.n);
        Diag d = {0};
        if (!s->use(use, &d)) fail_msg("%s: %s", s->name, d.text);
        for (size_t n = 0; n < b.n; n++) {
            bytes_write(damaged, b.v, n);
            /* text may end with its last digit or its white space */
            check_use(s, use, strcmp(s->name, "text.ppm") == 0 && n == b.n - 1, "cut at", n);
        }
    }
}

static void test_flipped_bits(void **state) {
    (void)state;
    for (const Sample *s = samples; s < samples + COUNT_OF(samples); s++) {
        Bytes b;
        char damaged[600], use[600];
        sample_open(s, &b, damaged, use, sizeof use);
        for (size_t bit = 0; bit < 8 * b.n; bit++) {
            b.v[bit / 8] ^= (uint8_t)(1 << bit % 8);
            bytes_write(damaged, b.v, b.n);
            check_use(s, use, true, "bit", bit);
            b.v[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

/* Makes the 1st, 2nd, … request and all after it fail, until the call gets by. */
static int check_memory(bool (*use)(const char *path, Diag *d), const char *path) {
    long live = mem_live();
    for (int n = 1;; n++) {
        Diag d = {0};
        mem_fail_after(n);
        bool ok = use(path, &d);
        mem_fail_after(0);
        assert_int_equal(mem_live(), live);
        if (ok) return n;
        assert_int_equal(d.kind, DIAG_MACHINE);
        assert_message(&d);
    }
}

static void test_no_memory(void **state) {
    (void)state;
    for (const Sample *s = samples; s < samples + COUNT_OF(samples); s++) {
        int n = check_memory(s->use, at(s->name));
        if (n < 2) fail_msg("%s: read without memory", s->name);
    }
}

static bool use_npy_write(const char *path, Diag *d) {
    return npy_write(path, ELEM_U8, 1, (const int64_t[]){3}, "abc", d);
}

static bool use_safetensors_write(const char *path, Diag *d) {
    const Tensor t = {"t", {.type = ELEM_U8, .rank = 1, .shape = {3}, .data = "abc", .bytes = 3}};
    return safetensors_write(path, &t, 1, (const char *const[]){"k", "v", NULL}, d);
}

static void test_no_memory_to_write(void **state) {
    (void)state;
    int files = folder_count();
    assert_int_equal(check_memory(use_npy_write, at("new.npy")), 4);
    assert_int_equal(check_memory(use_safetensors_write, at("new.safetensors")), 4);
    assert_int_equal(folder_count(), files + 2);
}

/* The growing block of a large IDX file. */
static void test_no_memory_to_grow(void **state) {
    (void)state;
    size_t n = 5u << 20;
    uint8_t *v = calloc(1, n + 8);
    memcpy(v, "\0\0\x08\x01\0\x50\0\0", 8);
    gzip_write(at("large.gz"), v, n + 8);
    free(v);
    assert_true(check_memory(use_data, at("large.gz")) > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_off),           cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_no_memory),         cmocka_unit_test(test_no_memory_to_write),
        cmocka_unit_test(test_no_memory_to_grow),
    };
    return cmocka_run_group_tests(tests, samples_make, folder_remove);
}
