/* npy and npz files. */
#include "test_data.h"

/* ---- npy --------------------------------------------------------------------------------- */

static void test_npy_round_trip(void **state) {
    (void)state;
    static const int64_t shapes[][3] = {{0}, {5}, {2, 3}, {2, 3, 4}, {2, 0, 4}};
    static const int ranks[] = {0, 1, 2, 3, 3};
    float v[24];
    for (int i = 0; i < 24; i++) v[i] = (float)i / 7;
    for (size_t k = 0; k < COUNT_OF(ranks); k++) {
        Diag d = {0};
        Array a;
        size_t n;
        assert_true(npy_write(at("a.npy"), ELEM_F32, ranks[k], shapes[k], v, &d));
        assert_true(data_load(at("a.npy"), &a, &d));
        assert_true(shape_size(ELEM_F32, ranks[k], shapes[k], &n, NULL));
        assert_int_equal(a.data_kind, DATA_NPY);
        assert_int_equal(a.rank, ranks[k]);
        assert_int_equal(array_elements(&a), n);
        for (int i = 0; i < a.rank; i++) assert_int_equal(a.shape[i], shapes[k][i]);
        if (n) assert_memory_equal(a.data, v, n * sizeof *v);
        array_close(&a);
        array_close(&a); /* twice is fine */
    }
}

static void check_npy(int version, const char *dict, const void *data, size_t n, const float *wanted, size_t elements) {
    Bytes b;
    Diag d = {0};
    Array a;
    float out[16];
    npy_make(&b, version, dict, data, n);
    bytes_write(at("b.npy"), b.v, b.n);
    if (!npy_load(at("b.npy"), &a, &d)) fail_msg("%s", d.text);
    assert_int_equal(array_elements(&a), elements);
    array_to_f32(&a, out);
    for (size_t i = 0; i < elements; i++) assert_true(out[i] == wanted[i]);
    array_close(&a);
}

static void test_npy_forms(void **state) {
    (void)state;
    const float six[] = {0, 1, 2, 3, 4, 5}, transposed[] = {0, 2, 4, 1, 3, 5};
    const float deep[] = {0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11}; /* shape (2, 3, 2) from Fortran order 0 … 11 */
    uint8_t u8[12], big[12] = {0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5};
    for (int i = 0; i < 12; i++) u8[i] = (uint8_t)i;
    check_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", six, 24, six, 6);
    check_npy(2, "{\"shape\":(6,),\"descr\":\"=f4\",\"fortran_order\":False}  \n", six, 24, six, 6);
    check_npy(3, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3,)}", u8, 6, six, 6);
    check_npy(1, "{'descr': '>u2', 'fortran_order': False, 'shape': (6,)}", big, 12, six, 6);
    check_npy(1, "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3)}", big, 12, transposed, 6);
    check_npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", six, 24, transposed, 6);
    check_npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 2)}", u8, 12, deep, 12);
    check_npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (6,)}", u8, 6, six, 6);
    check_npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (0, 3)}", u8, 0, NULL, 0);
    check_npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': ()}", u8 + 5, 1, (float[]){1}, 1);
    check_npy(1, "{'descr': '>f8', 'fortran_order': False, 'shape': ()}", "\x3f\xf0\0\0\0\0\0\0", 8, (float[]){1}, 1);
    check_npy(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (1,)}", "\0\x3c", 2, (float[]){1}, 1);
}

static void test_npy_wrong(void **state) {
    (void)state;
    static const struct {
        const char *dict;
        size_t data;
        DiagKind kind;
        const char *part;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23, DIAG_FILE,
         "f32[2, 3] needs 24 bytes of data, 23"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 25, DIAG_FILE, "needs 24 bytes of data, 25"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", 12, DIAG_FILE, "',' expected at ')}'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", 12, DIAG_FILE, "an extent ≥ 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3 4)}", 48, DIAG_FILE, "expected at '4)}'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 0, DIAG_FILE,
         "a smaller extent"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 0, DIAG_FILE, "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}", 0, DIAG_FILE, "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1)}", 4, DIAG_UNSUPPORTED,
         "at most 10"},
        {"{'descr': '<f4', 'fortran_order': False}", 0, DIAG_FILE, "shape is missing"},
        {"{'fortran_order': False, 'shape': ()}", 0, DIAG_FILE, "descr is missing"},
        {"{'descr': '<f4', 'shape': ()}", 4, DIAG_FILE, "fortran_order is missing"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': ()}", 4, DIAG_FILE, "second key 'descr'"},
        {"{'descr': '<f4', 'colour': 'red'}", 4, DIAG_FILE, "unknown key 'colour'"},
        {"{'descr': '<f4', 'fortran_order': 1, 'shape': ()}", 4, DIAG_FILE, "True or False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", 4, DIAG_FILE, "the end expected"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': ()}", 8, DIAG_UNSUPPORTED, "'<c8'"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", 8, DIAG_UNSUPPORTED, "'|O'"},
        {"{'descr': '<f\n4', 'fortran_order': False, 'shape': ()}", 8, DIAG_UNSUPPORTED, "'<f?4'"},
        {"{'descr': '|f4', 'fortran_order': False, 'shape': ()}", 4, DIAG_FILE, "no byte order"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, DIAG_UNSUPPORTED, "records"},
        {"{'descr': '<f4", 4, DIAG_FILE, "a short string"},
        {"[]", 4, DIAG_FILE, "'{' expected"},
        {"", 4, DIAG_FILE, "npy"},
    };
    uint8_t zeros[64] = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Bytes b;
        Diag d = {0};
        npy_make(&b, 1, cases[i].dict, zeros, cases[i].data);
        bytes_write(at("c.npy"), b.v, b.n);
        assert_fails(use_data(at("c.npy"), &d), &d, cases[i].kind, cases[i].part);
    }
    Diag d = {0}, e = {0}, f = {0};
    bytes_write(at("c.npy"), "\x93NUMPY\x04\0\x10\0{}          ", 22);
    assert_fails(use_data(at("c.npy"), &d), &d, DIAG_UNSUPPORTED, "this is 4.0");
    bytes_write(at("c.npy"), "\x93NUMPY\x02\0\xff\xff\xff\xff{}          ", 24);
    assert_fails(use_data(at("c.npy"), &e), &e, DIAG_FILE, "npy header of 4294967295 bytes, at most");
    bytes_write(at("c.npy"), "\x93NUMPY\x01\0\xff\0{}          ", 22);
    assert_fails(use_data(at("c.npy"), &f), &f, DIAG_FILE, "cut off");
}

/* ---- npz --------------------------------------------------------------------------------- */

static void check_member(const char *path, const char *member, int64_t extent) {
    Diag d = {0};
    Array a;
    char full[600];
    snprintf(full, sizeof full, "%s:%s", path, member);
    if (!data_load(full, &a, &d)) fail_msg("%s", d.text);
    assert_int_equal(a.shape[0], extent);
    assert_int_equal(a.data_kind, DATA_NPY);
    array_close(&a);
}

static void test_npz(void **state) {
    (void)state;
    Bytes b[3];
    npy_make_f32(&b[0]);
    npy_make(&b[1], 1, "{'descr': '>i2', 'fortran_order': True, 'shape': (3, 1), }", "\0\1\0\2\0\3", 6);
    memcpy(b[2].v, "hello, world", b[2].n = 12);
    for (int method = 0; method < 2; method++) {
        zip_write(at("a.npz"), (const char *[]){"x.npy", "y.npy", "note"}, b, 3,
                  method ? ZIP_CM_DEFLATE : ZIP_CM_STORE);
        check_member(at("a.npz"), "x", 2);
        check_member(at("a.npz"), "y.npy", 3);
        Diag d = {0}, e = {0}, f = {0};
        assert_fails(use_data(at("a.npz"), &d), &d, DIAG_FILE, "has 3: x.npy, y.npy, note");
        assert_fails(use_data(at("a.npz:z"), &e), &e, DIAG_FILE, "there is no member 'z', only: x.npy");
        assert_fails(use_data(at("a.npz:note"), &f), &f, DIAG_FILE, "a.npz:note: not an npy file");
    }
    zip_write(at("one.npz"), (const char *[]){"y.npy"}, &b[1], 1, ZIP_CM_DEFLATE);
    Array a;
    Diag d = {0};
    assert_true(data_load(at("one.npz"), &a, &d));
    assert_int_equal(((const int16_t *)a.data)[2], 3);
    array_close(&a);
    Npz *z = npz_open(at("one.npz"), &d);
    assert_int_equal(npz_count(z), 1);
    assert_string_equal(npz_name(z, 0), "y.npy");
    assert_false(npz_read(z, 1, &a, &d));
    npz_close(z);
    /* a file whose name holds a ':' goes before a member */
    bytes_write(at("p:q"), b[0].v, b[0].n);
    Diag e = {0};
    assert_true(use_data(at("p:q"), &e));
    Diag f = {0};
    assert_fails(use_data(at("p:q:r"), &f), &f, DIAG_FILE, "an npz archive expected, to take ':r' from");
}

static void patch_all(Bytes *b, const char *from, const char *to, size_t n) {
    int found = 0;
    for (size_t i = 0; i + n <= b->n; i++)
        if (memcmp(b->v + i, from, n) == 0) {
            memcpy(b->v + i, to, n);
            found++;
        }
    assert_true(found > 0);
}

static void check_npz_bytes(const Bytes *b, DiagKind kind, const char *part) {
    Diag d = {0};
    bytes_write(at("w.npz"), b->v, b->n);
    assert_fails(use_data(at("w.npz:x"), &d), &d, kind, part);
}

static void test_npz_wrong(void **state) {
    (void)state;
    Bytes b[2], file;
    npy_make_f32(&b[0]);
    npy_make_f32(&b[1]);
    zip_write(at("w.npz"), (const char *[]){"x.npy", "y.npy"}, b, 2, ZIP_CM_STORE);
    bytes_read(at("w.npz"), &file);
    Bytes same = file, sum = file, big = file;
    patch_all(&same, "y.npy", "x.npy", 5);
    check_npz_bytes(&same, DIAG_FILE, "two members are named 'x.npy'");
    patch_all(&sum, "\0\0\x80\x3f", "\0\0\x81\x3f", 4); /* a weight changes, its checksum does not */
    check_npz_bytes(&sum, DIAG_FILE, "CRC");
    size_t at_size = 0; /* the size in the first entry of the central directory */
    for (size_t i = 0; i + 4 < big.n && !at_size; i++)
        if (memcmp(big.v + i, "PK\1\2", 4) == 0) at_size = i + 24;
    big.v[at_size + 3] = 0x70;
    check_npz_bytes(&big, DIAG_FILE, "cannot hold");
    /* 100 MB of zeros in 100 KB: refused by its header, not unpacked */
    static const char dict[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}";
    size_t n = 100u << 20;
    uint8_t *bomb = calloc(1, n);
    npy_make(&b[0], 1, dict, NULL, 0);
    memcpy(bomb, b[0].v, b[0].n);
    int code;
    zip_t *z = zip_open(at("bomb.npz"), ZIP_CREATE | ZIP_TRUNCATE, &code);
    zip_int64_t index = zip_file_add(z, "x.npy", zip_source_buffer(z, bomb, n, 0), 0);
    zip_set_file_compression(z, (zip_uint64_t)index, ZIP_CM_DEFLATE, 1);
    assert_int_equal(zip_close(z), 0);
    free(bomb);
    Diag d = {0};
    assert_fails(use_data(at("bomb.npz"), &d), &d, DIAG_FILE, "f32[3] needs 12 bytes of data, 1048575");
    Diag e = {0};
    bytes_write(at("w.npz"), "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
    assert_fails(use_data(at("w.npz"), &e), &e, DIAG_FILE, "the archive has 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy_round_trip), cmocka_unit_test(test_npy_forms),
        cmocka_unit_test(test_npy_wrong),      cmocka_unit_test(test_npz),
        cmocka_unit_test(test_npz_wrong),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
