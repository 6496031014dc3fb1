/* Pictures and IDX files. */
#include "test_data.h"

static void load(const char *name, Array *a) {
    Diag d = {0};
    if (!data_load(at(name), a, &d)) fail_msg("%s", d.text);
}

static void check_shape(const Array *a, DataKind kind, int rank, int64_t s0, int64_t s1, int64_t s2) {
    const int64_t wanted[] = {s0, s1, s2};
    assert_int_equal(a->data_kind, kind);
    assert_int_equal(a->rank, rank);
    assert_memory_equal(a->shape, wanted, (size_t)rank * sizeof *wanted);
}

static void check_wrong(const char *name, const void *p, size_t n, DiagKind kind, const char *part) {
    Diag d = {0};
    bytes_write(at(name), p, n);
    assert_fails(use_data(at(name), &d), &d, kind, part);
}

/* ---- IDX --------------------------------------------------------------------------------- */

static void test_idx(void **state) {
    (void)state;
    Bytes b;
    idx_make(&b);
    bytes_write(at("a.idx"), b.v, b.n);
    gzip_write(at("a.gz"), b.v, b.n);
    for (int gz = 0; gz < 2; gz++) {
        Array a;
        load(gz ? "a.gz" : "a.idx", &a);
        check_shape(&a, DATA_IDX, 3, 2, 3, 4);
        assert_int_equal(a.type, ELEM_U8);
        assert_memory_equal(a.data, b.v + 16, 24);
        array_close(&a);
    }
    Array a;
    bytes_write(at("b.idx"), "\0\0\x0b\x01\0\0\0\x02\x01\x02\xff\xfe", 12);
    load("b.idx", &a);
    assert_int_equal(a.type, ELEM_I16);
    assert_int_equal(((const int16_t *)a.data)[0], 258);
    assert_int_equal(((const int16_t *)a.data)[1], -2);
    array_close(&a);
    bytes_write(at("c.idx"), "\0\0\x0e\x01\0\0\0\x01\x3f\xf0\0\0\0\0\0\0", 16);
    load("c.idx", &a);
    assert_true(*(const double *)a.data == 1);
    array_close(&a);
}

/* More than one block of growth. */
static void test_idx_large(void **state) {
    (void)state;
    size_t n = (5u << 20) + 3;
    uint8_t *v = malloc(n + 8);
    memcpy(v, "\0\0\x08\x01", 4);
    for (int i = 0; i < 4; i++) v[4 + i] = (uint8_t)(n >> (24 - 8 * i));
    for (size_t i = 0; i < n; i++) v[8 + i] = (uint8_t)(i * 7 >> 3);
    gzip_write(at("large.gz"), v, n + 8);
    Array a;
    load("large.gz", &a);
    assert_int_equal(a.bytes, n);
    assert_memory_equal(a.data, v + 8, n);
    array_close(&a);
    free(v);
}

static void test_idx_wrong(void **state) {
    (void)state;
    Bytes b;
    idx_make(&b);
    check_wrong("w.idx", b.v, b.n - 1, DIAG_FILE, "cut off: u8[2, 3, 4] needs 24 bytes of data, 23 found");
    check_wrong("w.idx", b.v, b.n + 1, DIAG_FILE, "more than the 24 bytes");
    check_wrong("w.idx", b.v, 10, DIAG_FILE, "cut off in the extents");
    check_wrong("w.idx", "\0\0\x08\x01\xff\xff\xff\xff", 8, DIAG_FILE, "needs 4294967295 bytes of data, 0 found");
    check_wrong("w.idx", "\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", 12, DIAG_UNSUPPORTED, "too large");
    check_wrong("w.idx", "\0\0\x08\x0b", 4, DIAG_UNSUPPORTED, "at most 10 axes are supported, 11 found");
    check_wrong("w.idx", "\0\0\x07\x01\0\0\0\x01z", 9, DIAG_FILE, "an npy, npz, IDX");
    Diag d = {0}, e = {0}, f = {0};
    gzip_write(at("w.gz"), "hello, world", 12);
    assert_fails(use_data(at("w.gz"), &d), &d, DIAG_FILE, "not an IDX file");
    gzip_write(at("w.gz"), b.v, b.n);
    bytes_read(at("w.gz"), &b);
    check_wrong("w.gz", b.v, b.n - 1, DIAG_FILE, "unexpected end of file");
    b.v[b.n - 8] ^= 1;
    bytes_write(at("w.gz"), b.v, b.n);
    assert_fails(use_data(at("w.gz"), &e), &e, DIAG_FILE, "data check");
    Array a;
    bytes_write(at("w.idx"), "abcdefgh", 8);
    assert_fails(idx_load(at("w.idx"), &a, &f), &f, DIAG_FILE, "not an IDX file");
}

/* ---- PNG --------------------------------------------------------------------------------- */

static void test_png(void **state) {
    (void)state;
    static const int colors[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_GRAY_ALPHA,
                                 PNG_COLOR_TYPE_RGBA};
    for (int i = 0; i < 8; i++) {
        Array a;
        int color = colors[i % 4], c = color & PNG_COLOR_MASK_COLOR ? 3 : 1;
        png_write(at("a.png"), color, 8, i / 4 ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 255);
        load("a.png", &a);
        check_shape(&a, DATA_IMAGE, 3, c, 5, 7);
        const uint8_t *v = a.data;
        for (int k = 0; k < c * 35; k++) assert_int_equal(v[k % c * 35 + k / c], (uint8_t)(3 * k));
        array_close(&a);
    }
    Array a;
    png_write(at("a.png"), PNG_COLOR_TYPE_PALETTE, 2, PNG_INTERLACE_NONE, 0);
    load("a.png", &a);
    check_shape(&a, DATA_IMAGE, 3, 3, 5, 7);
    const uint8_t *v = a.data;
    assert_int_equal(v[1], 10);
    assert_int_equal(v[35 + 2], 50);
    assert_int_equal(v[70 + 3], 255);
    array_close(&a);
    png_write(at("a.png"), PNG_COLOR_TYPE_GRAY, 2, PNG_INTERLACE_NONE, 0);
    load("a.png", &a);
    assert_memory_equal(a.data, ((uint8_t[]){0, 85, 170, 255, 0, 85, 170}), 7);
    array_close(&a);
    png_write(at("a.png"), PNG_COLOR_TYPE_RGB, 16, PNG_INTERLACE_NONE, 0);
    load("a.png", &a);
    check_shape(&a, DATA_IMAGE, 3, 3, 5, 7);
    array_close(&a);
}

/* A PNG head that claims w × h and nothing else; libpng reads it before any pixel. */
static size_t png_claim(uint8_t *p, uint32_t w, uint32_t h) {
    memcpy(p, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16);
    for (int i = 0; i < 4; i++) {
        p[16 + i] = (uint8_t)(w >> (24 - 8 * i));
        p[20 + i] = (uint8_t)(h >> (24 - 8 * i));
    }
    memcpy(p + 24, "\x08\x02\0\0\0", 5);
    uint32_t crc = (uint32_t)crc32(0, p + 12, 17);
    for (int i = 0; i < 4; i++) p[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    memcpy(p + 33, "\0\0\0\x01IDAT\0", 9);
    crc = (uint32_t)crc32(0, p + 37, 5);
    for (int i = 0; i < 4; i++) p[42 + i] = (uint8_t)(crc >> (24 - 8 * i));
    return 46;
}

static void test_png_wrong(void **state) {
    (void)state;
    Bytes b;
    Diag d = {0};
    png_write(at("w.png"), PNG_COLOR_TYPE_RGBA, 8, PNG_INTERLACE_NONE, 254);
    assert_fails(use_data(at("w.png"), &d), &d, DIAG_UNSUPPORTED, "pixel (0, 0) is transparent");
    png_write(at("w.png"), PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE, 0);
    bytes_read(at("w.png"), &b);
    check_wrong("w.png", b.v, b.n - 1, DIAG_FILE, "damaged PNG: cut off");
    check_wrong("w.png", b.v, b.n / 2, DIAG_FILE, "damaged PNG");
    b.v[b.n - 20] ^= 1;
    check_wrong("w.png", b.v, b.n, DIAG_FILE, "damaged PNG");
    uint8_t claim[64];
    check_wrong("w.png", claim, png_claim(claim, 30000, 30000), DIAG_UNSUPPORTED, "at most 400000000 pixels");
    check_wrong("w.png", claim, png_claim(claim, 0x7fffffff, 1), DIAG_UNSUPPORTED, "at most 400000000 pixels");
    check_wrong("w.png", claim, png_claim(claim, 10000, 10000), DIAG_FILE, "which its 46 bytes cannot hold");
    check_wrong("w.png", claim, png_claim(claim, 0, 5), DIAG_FILE, "damaged PNG");
}

/* ---- JPEG -------------------------------------------------------------------------------- */

static void test_jpeg(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        Array a;
        bool gray = i % 2;
        jpeg_write(at("a.jpg"), 33, 17, gray, i / 2 ? TJFLAG_PROGRESSIVE : 0);
        load("a.jpg", &a);
        check_shape(&a, DATA_IMAGE, 3, gray ? 1 : 3, 17, 33);
        const uint8_t *v = a.data;
        for (size_t k = 0; k < a.bytes; k++) assert_in_range(v[k] + 6, k % 33 * 4 + 20, k % 33 * 4 + 32);
        array_close(&a);
    }
}

static void test_jpeg_wrong(void **state) {
    (void)state;
    Bytes b;
    jpeg_write(at("w.jpg"), 16, 16, false, 0);
    bytes_read(at("w.jpg"), &b);
    check_wrong("w.jpg", b.v, b.n - 2, DIAG_FILE, "cannot read JPEG");
    check_wrong("w.jpg", b.v, b.n / 2, DIAG_FILE, "cannot read JPEG");
    for (size_t i = 0; i + 9 < b.n; i++)
        if (b.v[i] == 0xff && b.v[i + 1] == 0xc0) memcpy(b.v + i + 5, "\xea\x60\xea\x60", 4); /* 60000 × 60000 */
    check_wrong("w.jpg", b.v, b.n, DIAG_UNSUPPORTED, "at most 400000000 pixels");
    check_wrong("w.jpg", "\xff\xd8\xff\xd9", 4, DIAG_FILE, "there is no picture"); /* tables only */
    check_wrong("w.jpg", "\xff\xd8\xff\xe0", 4, DIAG_FILE, "cannot read JPEG");
}

/* ---- PGM, PPM ------------------------------------------------------------------------------ */

static void check_pnm(const char *text, size_t n, int64_t c, int64_t h, int64_t w, const uint8_t *wanted) {
    Array a;
    bytes_write(at("a.pnm"), text, n);
    load("a.pnm", &a);
    check_shape(&a, DATA_IMAGE, 3, c, h, w);
    assert_memory_equal(a.data, wanted, (size_t)(c * h * w));
    array_close(&a);
}

#define TEXT(s) (s), sizeof(s) - 1

static void test_pnm(void **state) {
    (void)state;
    check_pnm(TEXT("P5 3 2 255\nabcdef"), 1, 2, 3, (const uint8_t *)"abcdef");
    check_pnm(TEXT("P5\n# a comment\n3 # and one\n2\n255\nabcdef"), 1, 2, 3, (const uint8_t *)"abcdef");
    check_pnm(TEXT("P6 2 1 255 abcdef"), 3, 1, 2, (const uint8_t *)"adbecf");
    check_pnm(TEXT("P2 3 1 15 0 15 # last\n 5"), 1, 1, 3, (const uint8_t[]){0, 255, 85});
    check_pnm(TEXT("P3 1 1 255 1 2 3\n"), 3, 1, 1, (const uint8_t[]){1, 2, 3});
    check_pnm(TEXT("P5 2 1 65535\n\xff\xff\x80\x80"), 1, 1, 2, (const uint8_t[]){255, 128});
}

static void test_pnm_wrong(void **state) {
    (void)state;
    check_wrong("w.pnm", TEXT("P5 3 2 255\nabcde"), DIAG_FILE, "6 bytes of pixels expected, 5 found");
    check_wrong("w.pnm", TEXT("P5 3 2 255\nabcdefg"), DIAG_FILE, "6 bytes of pixels expected, 7 found");
    check_wrong("w.pnm", TEXT("P5 0 2 255\n"), DIAG_FILE, "no pixels");
    check_wrong("w.pnm", TEXT("P5 3 2 0\nabcdef"), DIAG_FILE, "a maximum of 1 to 65535");
    check_wrong("w.pnm", TEXT("P5 3 2 65536\nabcdef"), DIAG_FILE, "a maximum of 1 to 65535");
    check_wrong("w.pnm", TEXT("P5 3 -2 255\nabcdef"), DIAG_FILE, "a height expected at byte 5");
    check_wrong("w.pnm", TEXT("P5 3 2 100\nabcdef"), DIAG_FILE, "sample 101 is above");
    check_wrong("w.pnm", TEXT("P5 3 2 255"), DIAG_FILE, "a space");
    check_wrong("w.pnm", TEXT("P5 99999 99999 255\na"), DIAG_UNSUPPORTED, "at most 400000000 pixels");
    check_wrong("w.pnm", TEXT("P5 9999 9999 255\na"), DIAG_FILE, "cannot hold");
    check_wrong("w.pnm", TEXT("P5 99999999999999999999 1 255\na"), DIAG_FILE, "a width");
    check_wrong("w.pnm", TEXT("P2 3 1 15 0 16 5"), DIAG_FILE, "a sample expected at byte 12");
    check_wrong("w.pnm", TEXT("P2 3 1 15 0 1"), DIAG_FILE, "a sample");
    check_wrong("w.pnm", TEXT("P2 3 1 15 0 1 2 3"), DIAG_FILE, "the end");
    check_wrong("w.pnm", TEXT("P4 8 1\na"), DIAG_UNSUPPORTED, "P4 files are not supported");
}

static void test_image_load(void **state) {
    (void)state;
    Image im;
    Diag d = {0}, e = {0};
    bytes_write(at("i.ppm"), TEXT("P6 2 1 255 abcdef"));
    assert_true(image_load(at("i.ppm"), &im, &d));
    assert_int_equal(im.width, 2);
    assert_int_equal(im.height, 1);
    assert_int_equal(im.channels, 3);
    assert_memory_equal(im.pixels, "abcdef", 6);
    image_close(&im);
    bytes_write(at("i.ppm"), TEXT("GIF89a"));
    assert_fails(image_load(at("i.ppm"), &im, &e), &e, DIAG_FILE, "a PNG, JPEG, PGM or PPM picture expected");
    assert_null(im.pixels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx),        cmocka_unit_test(test_idx_large), cmocka_unit_test(test_idx_wrong),
        cmocka_unit_test(test_png),        cmocka_unit_test(test_png_wrong), cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_jpeg_wrong), cmocka_unit_test(test_pnm),       cmocka_unit_test(test_pnm_wrong),
        cmocka_unit_test(test_image_load),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
