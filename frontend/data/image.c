#include "frontend/data/image.h"

#include "frontend/data/fail.h"
#include "frontend/data/image_codec.h"
#include "frontend/data/mapfile.h"

#include <inttypes.h>
#include <string.h>

enum { PIXEL_CAP = 400 * 1000 * 1000, PIXELS_PER_BYTE = 8256 };

static bool png_is(const uint8_t *p, size_t n) { return n >= 8 && memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0; }
static bool jpeg_is(const uint8_t *p, size_t n) { return n >= 3 && memcmp(p, "\xff\xd8\xff", 3) == 0; }

static bool pnm_is(const uint8_t *p, size_t n) {
    return n >= 3 && p[0] == 'P' && p[1] >= '1' && p[1] <= '7' && (strchr(" \t\r\n\v\f#", p[2]) && p[2]);
}

bool image_is(const uint8_t *p, size_t n) { return png_is(p, n) || jpeg_is(p, n) || pnm_is(p, n); }

bool image_check(const ImageJob *job, uint64_t width, uint64_t height) {
    if (width == 0 || height == 0) return data_fail(job->diag, DIAG_FILE, job->name, "the picture has no pixels");
    if (width > PIXEL_CAP || height > PIXEL_CAP / width)
        return data_fail(job->diag, DIAG_UNSUPPORTED, job->name,
                         "a picture of %" PRIu64 " x %" PRIu64 ", at most %d pixels are supported", width, height,
                         PIXEL_CAP);
    if (width * height / PIXELS_PER_BYTE > job->n)
        return data_fail(job->diag, DIAG_FILE, job->name,
                         "declares %" PRIu64 " x %" PRIu64 " pixels, which its %zu bytes cannot hold", width, height,
                         job->n);
    return true;
}

bool image_take(ImageJob *job, uint64_t width, uint64_t height, int channels) {
    if (!image_check(job, width, height)) return false;
    size_t bytes = (size_t)(width * height) * (size_t)channels;
    job->image = (Image){(int)width, (int)height, channels, mem_alloc(bytes)};
    return job->image.pixels ? true : data_oom(job->diag, job->name, bytes);
}

bool image_decode(const uint8_t *p, size_t n, const char *name, Image *out, Diag *d) {
    ImageJob job = {.p = p, .n = n, .name = name, .diag = d};
    bool ok = png_is(p, n)    ? image_decode_png(&job)
              : jpeg_is(p, n) ? image_decode_jpeg(&job)
              : pnm_is(p, n)  ? image_decode_pnm(&job)
                              : data_fail(d, DIAG_FILE, name, "a PNG, JPEG, PGM or PPM picture expected");
    if (!ok) image_close(&job.image);
    *out = job.image;
    return ok;
}

bool image_load(const char *path, Image *out, Diag *d) {
    *out = (Image){0};
    MapFile *map = mapfile_open(path, d);
    if (!map) return false;
    bool ok = image_decode(map->data, map->size, path, out, d);
    mapfile_close(map);
    return ok;
}

void image_close(Image *im) {
    if (!im) return;
    mem_free(im->pixels);
    *im = (Image){0};
}
