/* What the tests of frontend/data share: a folder of their own, and files made at run time. */
#ifndef LUNETTE_TEST_DATA_H
#define LUNETTE_TEST_DATA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frontend/data/array.h"
#include "frontend/data/idx.h"
#include "frontend/data/image.h"
#include "frontend/data/load.h"
#include "frontend/data/npy.h"
#include "frontend/data/safetensors.h"

#include <dirent.h>
#include <fcntl.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <turbojpeg.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

static char folder[64];

/* The path of a file in the test's folder; good until four more calls. */
static inline const char *at(const char *name) {
    static char paths[4][512];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return p;
}

static inline int folder_make(void **state) {
    (void)state;
    strcpy(folder, "/tmp/lunette-data-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

/* Files in the folder that are no directories. */
static inline int folder_count(void) {
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));) n += e->d_type != DT_DIR;
    closedir(dir);
    return n;
}

static inline int folder_remove(void **state) {
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) remove(at(e->d_name));
    closedir(dir);
    return rmdir(folder);
}

typedef struct Bytes {
    size_t n;
    uint8_t v[8192];
} Bytes;

/* In place: ext4 flushes a file to the disk that was cut to nothing and written anew, a millisecond
 * for each of the thousands of damaged files. */
static inline void bytes_write(const char *path, const void *p, size_t n) {
    int file = open(path, O_WRONLY | O_CREAT, 0666);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, p, n, 0), n);
    assert_int_equal(ftruncate(file, (off_t)n), 0);
    assert_int_equal(close(file), 0);
}

static inline void bytes_read(const char *path, Bytes *b) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    b->n = fread(b->v, 1, sizeof b->v, f);
    assert_true(b->n < sizeof b->v);
    fclose(f);
}

/* ---- files ------------------------------------------------------------------------------- */

/* npy bytes of a dict and data; version 1, 2 or 3. */
static inline void npy_make(Bytes *b, int version, const char *dict, const void *data, size_t n) {
    size_t length = strlen(dict), prefix = version == 1 ? 10 : 12;
    memcpy(b->v, "\x93NUMPY", 6);
    b->v[6] = (uint8_t)version;
    b->v[7] = 0;
    for (size_t i = 8; i < prefix; i++) b->v[i] = (uint8_t)(length >> 8 * (i - 8));
    memcpy(b->v + prefix, dict, length);
    if (n) memcpy(b->v + prefix + length, data, n);
    b->n = prefix + length + n;
}

static inline void npy_make_f32(Bytes *b) {
    const float v[6] = {0, 1, 2, 3, 4, 5};
    npy_make(b, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", v, sizeof v);
}

static inline void safetensors_make(Bytes *b, const char *json, size_t data) {
    size_t n = strlen(json);
    for (int i = 0; i < 8; i++) b->v[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(b->v + 8, json, n);
    for (size_t i = 0; i < data; i++) b->v[8 + n + i] = (uint8_t)(i & 63);
    b->n = 8 + n + data;
}

/* u8 [2 3 4] = 0, 1, 2, … */
static inline void idx_make(Bytes *b) {
    memcpy(b->v, "\0\0\x08\x03\0\0\0\x02\0\0\0\x03\0\0\0\x04", 16);
    for (int i = 0; i < 24; i++) b->v[16 + i] = (uint8_t)i;
    b->n = 40;
}

static inline void gzip_write(const char *path, const void *p, size_t n) {
    gzFile gz = gzopen(path, "wb");
    assert_non_null(gz);
    assert_int_equal(gzwrite(gz, p, (unsigned)n), (int)n);
    assert_int_equal(gzclose(gz), Z_OK);
}

/* One archive of the given members; the bytes must live until the call returns. */
static inline void zip_write(const char *path, const char *const *names, const Bytes *members, int n, int method) {
    int code;
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    assert_non_null(z);
    for (int i = 0; i < n; i++) {
        zip_source_t *s = zip_source_buffer(z, members[i].v, members[i].n, 0);
        zip_int64_t index = zip_file_add(z, names[i], s, 0);
        assert_true(index >= 0);
        assert_int_equal(zip_set_file_compression(z, (zip_uint64_t)index, method, 9), 0);
    }
    assert_int_equal(zip_close(z), 0);
}

/* A PNG of 7 × 5 whose sample k is 3·k (mod 256); alpha, where there is one, is `alpha`. */
static inline void png_write(const char *path, int color, int depth, int interlace, int alpha) {
    FILE *f = fopen(path, "wb");
    png_struct *png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_info *info = png_create_info_struct(png);
    png_init_io(png, f);
    png_set_IHDR(png, info, 7, 5, depth, color, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    int channels = png_get_channels(png, info);
    png_color palette[4] = {{0, 0, 0}, {10, 20, 30}, {40, 50, 60}, {255, 255, 255}};
    if (color == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 4);
    png_write_info(png, info);
    uint8_t rows[5][64];
    uint8_t *row[5];
    for (int y = 0, k = 0; y < 5; y++) {
        row[y] = rows[y];
        memset(rows[y], 0, sizeof rows[y]);
        for (int i = 0; i < 7 * channels * depth / 8; i++)
            rows[y][i] =
                (color & PNG_COLOR_MASK_ALPHA) && i % channels == channels - 1 ? (uint8_t)alpha : (uint8_t)(3 * k++);
        if (depth < 8) memset(rows[y], 0x1b, 7); /* samples 0 1 2 3 … at depth 2 */
    }
    png_write_image(png, row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

/* A smooth JPEG of w × h, gray or RGB. */
static inline void jpeg_write(const char *path, int w, int h, bool gray, int flags) {
    uint8_t pixels[64 * 64 * 3], *out = NULL;
    unsigned long n = 0;
    int channels = gray ? 1 : 3;
    for (int i = 0; i < w * h * channels; i++) pixels[i] = (uint8_t)(i / channels % w * 4 + 20);
    tjhandle tj = tjInitCompress();
    assert_int_equal(tjCompress2(tj, pixels, w, 0, h, gray ? TJPF_GRAY : TJPF_RGB, &out, &n,
                                 gray ? TJSAMP_GRAY : TJSAMP_420, 90, flags),
                     0);
    bytes_write(path, out, n);
    tjFree(out);
    tjDestroy(tj);
}

/* ---- readers ----------------------------------------------------------------------------- */

/* Opens, uses every element, closes. */
static inline bool use_array(const Array *a) {
    size_t n = array_elements(a);
    float *v = malloc(n * sizeof *v + 1);
    array_to_f32(a, v);
    volatile float sum = 0;
    for (size_t i = 0; i < n; i++) sum = sum + v[i];
    free(v);
    return true;
}

static inline bool use_data(const char *path, Diag *d) {
    Array a;
    bool ok = data_load(path, &a, d) && use_array(&a);
    array_close(&a);
    return ok;
}

static inline bool use_safetensors(const char *path, Diag *d) {
    Safetensors *s = safetensors_open(path, d);
    if (!s) return false;
    for (size_t i = 0; i < s->n; i++) use_array(&s->tensors[i].array);
    assert_null(safetensors_find(s, "no such tensor"));
    safetensors_close(s);
    return true;
}

/* A failure must say what it is, in one line that begins with the path. */
static inline void assert_message(const Diag *d) {
    assert_true(d->kind == DIAG_FILE || d->kind == DIAG_UNSUPPORTED || d->kind == DIAG_MACHINE);
    assert_ptr_equal(strchr(d->text, '\n'), NULL);
    assert_true(strncmp(d->text, folder, strlen(folder)) == 0);
    assert_non_null(strstr(d->text, ": "));
}

static inline void assert_fails(bool ok, const Diag *d, DiagKind kind, const char *part) {
    if (ok || d->kind != kind || !strstr(d->text, part))
        fail_msg("wanted kind %d '…%s…', got %s %d '%s'", kind, part, ok ? "success" : "kind", d->kind, d->text);
    assert_message(d);
}

#endif
