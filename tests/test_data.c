/* Weights and data files: what is written is read back, and what is wrong is said. */
#include "test_data.h"

#include "frontend/data/fail.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

/* ---- arrays ------------------------------------------------------------------------------ */

static void check_widen(ElemType t, const void *data, size_t n, const float *wanted) {
    uint8_t raw[65];
    float out[8];
    memcpy(raw + 1, data, n * elem_bytes(t)); /* unaligned */
    Array a = {.type = t, .rank = 1, .shape = {(int64_t)n}, .data = raw + 1, .bytes = n * elem_bytes(t)};
    assert_int_equal(array_elements(&a), n);
    array_to_f32(&a, out);
    for (size_t i = 0; i < n; i++)
        if (isnan(wanted[i])) assert_true(isnan(out[i]));
        else assert_memory_equal(&out[i], &wanted[i], sizeof *out); /* −0 is not 0 */
}

static void test_widen(void **state) {
    (void)state;
    check_widen(ELEM_BOOL, (uint8_t[]){0, 1, 7}, 3, (float[]){0, 1, 1});
    check_widen(ELEM_U8, (uint8_t[]){0, 255}, 2, (float[]){0, 255});
    check_widen(ELEM_I8, (int8_t[]){-128, 127}, 2, (float[]){-128, 127});
    check_widen(ELEM_U16, (uint16_t[]){65535}, 1, (float[]){65535});
    check_widen(ELEM_I16, (int16_t[]){-32768}, 1, (float[]){-32768});
    check_widen(ELEM_U32, (uint32_t[]){UINT32_MAX}, 1, (float[]){4294967296.f});
    check_widen(ELEM_I32, (int32_t[]){INT32_MIN, 16777217}, 2, (float[]){-2147483648.f, 16777216});
    check_widen(ELEM_U64, (uint64_t[]){UINT64_MAX}, 1, (float[]){18446744073709551616.f});
    check_widen(ELEM_I64, (int64_t[]){INT64_MIN, -3}, 2, (float[]){-9223372036854775808.f, -3});
    check_widen(ELEM_F16, (uint16_t[]){0x3c00, 0x8000, 0x0001, 0x83ff, 0x7bff, 0xfc00, 0x7e01, 0x3555}, 8,
                (float[]){1, -0.f, 0x1p-24f, -0x3ffp-24f, 65504, -INFINITY, NAN, 0x1.554p-2f});
    check_widen(ELEM_BF16, (uint16_t[]){0x3f80, 0xff80, 0x4049, 0x0001}, 4,
                (float[]){1, -INFINITY, 3.140625f, 0x1p-133f});
    check_widen(ELEM_F32, (float[]){0.1f, -0.f}, 2, (float[]){0.1f, -0.f});
    check_widen(ELEM_F64, (double[]){0.1, 1e300, -1e-300, NAN}, 4, (float[]){0.1f, INFINITY, -0.f, NAN});
}

static void test_shape_size(void **state) {
    (void)state;
    size_t n, bytes;
    char text[ARRAY_SHAPE_TEXT];
    int64_t huge[ARRAY_MAX_RANK];
    for (int i = 0; i < ARRAY_MAX_RANK; i++) huge[i] = INT64_MIN;
    assert_true(shape_size(ELEM_F64, 0, NULL, &n, &bytes));
    assert_int_equal(n, 1);
    assert_int_equal(bytes, 8);
    assert_true(shape_size(ELEM_F32, 3, (int64_t[]){2, 0, 5}, &n, &bytes));
    assert_int_equal(n + bytes, 0);
    assert_false(shape_size(ELEM_U8, 1, (int64_t[]){-1}, &n, &bytes));
    assert_false(shape_size(ELEM_U8, 2, (int64_t[]){INT64_C(1) << 32, INT64_C(1) << 32}, &n, &bytes));
    assert_false(shape_size(ELEM_U8, 3, (int64_t[]){0, INT64_C(1) << 32, INT64_C(1) << 32}, &n, &bytes));
    assert_false(shape_size(ELEM_F64, 1, (int64_t[]){INT64_C(1) << 60}, &n, &bytes));
    assert_string_equal(array_shape_text(text, 2, (int64_t[]){3, 4}), "[3, 4]");
    assert_int_equal(strlen(array_shape_text(text, ARRAY_MAX_RANK, huge)), ARRAY_MAX_RANK * 22);
}

/* ---- what cannot be opened ----------------------------------------------------------------- */

static void test_no_file(void **state) {
    (void)state;
    Diag d = {0}, e = {0}, f = {0}, g = {0}, h = {0};
    assert_fails(use_data(at("none"), &d), &d, DIAG_FILE, "cannot open: No such file");
    assert_fails(use_data(folder, &e), &e, DIAG_FILE, "directory");
    bytes_write(at("empty"), "", 0);
    assert_fails(use_safetensors(at("empty"), &f), &f, DIAG_FILE, "empty");
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    assert_fails(use_data(at("pipe"), &g), &g, DIAG_FILE, "regular file"); /* and does not wait */
    bytes_write(at("text"), "hello", 5);
    assert_fails(use_data(at("text"), &h), &h, DIAG_FILE, "an npy, npz, IDX, PNG");
    assert_false(use_data(at("none"), NULL));
}

static void test_message_is_one_line(void **state) {
    (void)state;
    Diag d = {0};
    char path[3000];
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    data_fail(&d, DIAG_FILE, path, "a\nb\x1b[31m %s", path);
    assert_non_null(strstr(d.text, ": a?b?[31m pp"));
    assert_true(strlen(d.text) < sizeof d.text);
}

/* ---- safetensors -------------------------------------------------------------------------- */

static void test_safetensors_round_trip(void **state) {
    (void)state;
    const float w[6] = {1, -2, 3, -4, 5, 0.1f};
    const int64_t steps = 12345;
    const Tensor tensors[] = {
        {"conv1.weight", {.type = ELEM_F32, .rank = 3, .shape = {1, 2, 3}, .data = w, .bytes = sizeof w}},
        {"empty", {.type = ELEM_U8, .rank = 2, .shape = {0, 4}}},
        {"bn.num_batches_tracked", {.type = ELEM_I64, .rank = 0, .data = &steps, .bytes = sizeof steps}},
        {"käse \"quoted\"", {.type = ELEM_BF16, .rank = 1, .shape = {2}, .data = w, .bytes = 4}},
    };
    const char *const metadata[] = {"format", "pt", "seed", "1", NULL};
    Diag d = {0};
    if (!safetensors_write(at("a.st"), tensors, COUNT_OF(tensors), metadata, &d)) fail_msg("%s", d.text);
    Safetensors *s = safetensors_open(at("a.st"), &d);
    if (!s) fail_msg("%s", d.text);
    assert_int_equal(s->n, COUNT_OF(tensors));
    assert_string_equal(safetensors_metadata(s, "seed"), "1");
    assert_null(safetensors_metadata(s, "none"));
    for (size_t i = 0; i < COUNT_OF(tensors); i++) {
        const Array *a = safetensors_find(s, tensors[i].name), *b = &tensors[i].array;
        assert_non_null(a);
        assert_string_equal(s->tensors[i].name, tensors[i].name);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->rank, b->rank);
        assert_memory_equal(a->shape, b->shape, sizeof a->shape);
        assert_int_equal(a->bytes, b->bytes);
        if (a->bytes) assert_memory_equal(a->data, b->data, a->bytes);
    }
    assert_int_equal((uintptr_t)s->tensors[0].array.data % 8, 0);
    safetensors_close(s);
    Bytes one, two;
    bytes_read(at("a.st"), &one);
    assert_true(safetensors_write(at("a.st"), tensors, COUNT_OF(tensors), metadata, &d));
    bytes_read(at("a.st"), &two);
    assert_int_equal(one.n, two.n);
    assert_memory_equal(one.v, two.v, one.n);
    assert_true(safetensors_write(at("none.st"), NULL, 0, NULL, &d));
    assert_true(use_safetensors(at("none.st"), &d));
}

static void test_safetensors_wrong(void **state) {
    (void)state;
    static const struct {
        const char *json;
        size_t data;
        DiagKind kind;
        const char *part;
    } cases[] = {
        {"{}", 1, DIAG_FILE, "1 bytes after the last tensor"},
        {"[]", 0, DIAG_FILE, "must begin with '{'"},
        {"", 0, DIAG_FILE, "must begin with '{'"},
        {"{", 0, DIAG_FILE, "bad header"},
        {"{} x", 0, DIAG_FILE, "bad header"},
        {"{\"a\": 1}", 0, DIAG_FILE, "an object expected"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{}}", 4, DIAG_FILE, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, DIAG_FILE,
         "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, DIAG_FILE, "exactly dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":0}}", 4, DIAG_FILE, "exactly dtype"},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, DIAG_UNSUPPORTED, "'F8_E4M3'"},
        {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, DIAG_FILE, "must be a string"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, DIAG_FILE, "must be a list"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, DIAG_FILE, "integer ≥ 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, DIAG_FILE, "integer ≥ 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", 4, DIAG_FILE,
         "bad header"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, DIAG_FILE,
         "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4, DIAG_FILE,
         "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, DIAG_UNSUPPORTED,
         "at most 10"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, DIAG_FILE,
         "f32[2] needs 8 bytes, 4 found"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, DIAG_FILE, "two integers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{}}}", 4, DIAG_FILE, "two integers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, DIAG_FILE, "not within"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, DIAG_FILE, "not within"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 4, DIAG_FILE,
         "not within the file's 4 data bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, DIAG_FILE, "a hole"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_"
         "offsets\":[3,6]}}",
         6, DIAG_FILE, "an overlap"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_"
         "offsets\":[2,2]}}",
         4, DIAG_FILE, "'b' begins at data byte 2"},
        {"{\"__metadata__\":[]}", 0, DIAG_FILE, "must be an object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, DIAG_FILE, "metadata 'a' must be a string"},
        {"{\"a\\nb\":1}", 0, DIAG_FILE, "tensor 'a?b'"},
        {"{\"a\\u0000b\":{}}", 0, DIAG_FILE, "bad header"},
        {"{\"\xff\":{}}", 0, DIAG_FILE, "bad header"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Bytes b;
        Diag d = {0};
        safetensors_make(&b, cases[i].json, cases[i].data);
        bytes_write(at("b.st"), b.v, b.n);
        assert_fails(use_safetensors(at("b.st"), &d), &d, cases[i].kind, cases[i].part);
    }
    Diag d = {0}, e = {0}, f = {0};
    bytes_write(at("b.st"), "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    assert_fails(use_safetensors(at("b.st"), &d), &d, DIAG_FILE, "a header of 18446744073709551615 bytes");
    bytes_write(at("b.st"), "\x03\0\0\0\0\0\0\0{}", 10);
    assert_fails(use_safetensors(at("b.st"), &e), &e, DIAG_FILE, "cut off: a header of 3 bytes, 2 found");
    bytes_write(at("b.st"), "\x03", 1);
    assert_fails(use_safetensors(at("b.st"), &f), &f, DIAG_FILE, "only 1 bytes");
}

static void test_safetensors_write_wrong(void **state) {
    (void)state;
    const uint8_t v[4] = {1, 2, 3, 4};
    Array a = {.type = ELEM_U8, .rank = 1, .shape = {4}, .data = v, .bytes = 4};
    const Tensor twice[] = {{"a", a}, {"a", a}}, reserved[] = {{"__metadata__", a}}, bad[] = {{"\xff", a}};
    const char *const metadata[] = {"k", "\xff", NULL};
    Diag d = {0}, e = {0}, f = {0}, g = {0};
    int before = folder_count();
    assert_fails(safetensors_write(at("no.st"), twice, 2, NULL, &d), &d, DIAG_FILE, "taken");
    assert_fails(safetensors_write(at("no.st"), reserved, 1, NULL, &e), &e, DIAG_FILE, "taken");
    assert_fails(safetensors_write(at("no.st"), bad, 1, NULL, &f), &f, DIAG_FILE, "UTF-8");
    assert_fails(safetensors_write(at("no.st"), twice, 1, metadata, &g), &g, DIAG_FILE, "UTF-8");
    assert_int_equal(folder_count(), before);
}

/* ---- writing whole or not at all ------------------------------------------------------------ */

static void test_write_fails_whole(void **state) {
    (void)state;
    static float v[65536];
    const int64_t small[] = {1}, large[] = {65536};
    Diag d = {0};
    Array a;
    assert_true(npy_write(at("keep.npy"), ELEM_F32, 1, small, v, &d));
    int before = folder_count();
    struct rlimit old, limit;
    getrlimit(RLIMIT_FSIZE, &old);
    limit = (struct rlimit){8192, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    bool ok = npy_write(at("keep.npy"), ELEM_F32, 1, large, v, &d);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_fails(ok, &d, DIAG_MACHINE, "cannot write");
    assert_int_equal(folder_count(), before);
    Diag e = {0};
    assert_true(npy_load(at("keep.npy"), &a, &e));
    assert_int_equal(a.shape[0], 1);
    array_close(&a);
}

static void test_write_places(void **state) {
    (void)state;
    const uint8_t v[4] = {1, 2, 3, 4};
    const int64_t shape[] = {4};
    Diag d = {0}, e = {0}, f = {0}, g = {0};
    Array a;
    assert_fails(npy_write(at("no/such/a.npy"), ELEM_U8, 1, shape, v, &d), &d, DIAG_FILE, "No such file");
    assert_fails(npy_write(folder, ELEM_U8, 1, shape, v, &e), &e, DIAG_FILE, "directory");
    assert_fails(npy_write(at("x.npy"), ELEM_BF16, 1, shape, v, &f), &f, DIAG_UNSUPPORTED, "bf16");
    assert_false(npy_write("/dev/null", ELEM_U8, 1, shape, v, &g));
    assert_int_equal(g.kind, DIAG_FILE);
    /* through a link, to the file it names, with usual permissions */
    Diag h = {0};
    struct stat st;
    mode_t mask = umask(022);
    bytes_write(at("real.npy"), "old", 3);
    assert_int_equal(symlink("real.npy", at("link.npy")), 0);
    assert_true(npy_write(at("link.npy"), ELEM_U8, 1, shape, v, &h));
    umask(mask);
    assert_int_equal(lstat(at("link.npy"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(at("real.npy"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_true(npy_load(at("real.npy"), &a, &h));
    assert_memory_equal(a.data, v, 4);
    array_close(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widen),
        cmocka_unit_test(test_shape_size),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_message_is_one_line),
        cmocka_unit_test(test_safetensors_round_trip),
        cmocka_unit_test(test_safetensors_wrong),
        cmocka_unit_test(test_safetensors_write_wrong),
        cmocka_unit_test(test_write_fails_whole),
        cmocka_unit_test(test_write_places),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
