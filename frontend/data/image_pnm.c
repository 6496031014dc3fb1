/* PGM and PPM: P2, P3 (decimal text), P5, P6 (binary). Read here because TurboJPEG's loader takes a
 * path only and allocates what the header claims before it looks at the data. */
#include "frontend/data/fail.h"
#include "frontend/data/image_codec.h"

typedef struct Pnm {
    ImageJob *job;
    size_t at;
} Pnm;

static bool pnm_fail(const Pnm *f, const char *wanted) {
    return data_fail(f->job->diag, DIAG_FILE, f->job->name, "damaged PNM: %s expected at byte %zu", wanted, f->at);
}

static bool space_is(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void space_skip(Pnm *f) {
    for (; f->at < f->job->n; f->at++) {
        uint8_t c = f->job->p[f->at];
        if (c == '#')
            while (f->at + 1 < f->job->n && f->job->p[f->at] != '\n') f->at++;
        else if (!space_is(c)) break;
    }
}

/* A decimal number of at most 9 digits, not above `top`. */
static bool number_read(Pnm *f, const char *what, uint32_t top, uint32_t *out) {
    space_skip(f);
    size_t from = f->at;
    uint32_t v = 0;
    for (; f->at < f->job->n && f->at - from < 9; f->at++) {
        uint8_t c = f->job->p[f->at];
        if (c < '0' || c > '9') break;
        v = v * 10 + (c - '0');
    }
    bool ended = f->at == f->job->n || space_is(f->job->p[f->at]) || f->job->p[f->at] == '#';
    if (f->at == from || !ended || v > top) {
        f->at = from;
        return pnm_fail(f, what);
    }
    *out = v;
    return true;
}

static uint8_t sample_scale(uint32_t v, uint32_t top) { return (uint8_t)(top == 255 ? v : (v * 255 + top / 2) / top); }

static bool text_read(Pnm *f, size_t samples, uint32_t top) {
    for (size_t i = 0; i < samples; i++) {
        uint32_t v;
        if (!number_read(f, "a sample", top, &v)) return false;
        f->job->image.pixels[i] = sample_scale(v, top);
    }
    space_skip(f);
    return f->at == f->job->n ? true : pnm_fail(f, "the end");
}

static bool binary_read(Pnm *f, size_t samples, uint32_t top) {
    size_t bytes = top > 255 ? 2 : 1; /* two: the high byte first */
    if (f->job->n - f->at != samples * bytes)
        return data_fail(f->job->diag, DIAG_FILE, f->job->name, "%zu bytes of pixels expected, %zu found",
                         samples * bytes, f->job->n - f->at);
    const uint8_t *p = f->job->p + f->at;
    for (size_t i = 0; i < samples; i++, p += bytes) {
        uint32_t v = bytes == 2 ? (uint32_t)p[0] << 8 | p[1] : p[0];
        if (v > top)
            return data_fail(f->job->diag, DIAG_FILE, f->job->name, "sample %u is above the file's maximum %u", v, top);
        f->job->image.pixels[i] = sample_scale(v, top);
    }
    return true;
}

bool image_decode_pnm(ImageJob *job) {
    Pnm f = {job, 2};
    char kind = (char)job->p[1];
    if (kind != '2' && kind != '3' && kind != '5' && kind != '6')
        return data_fail(job->diag, DIAG_UNSUPPORTED, job->name, "P%c files are not supported, only PGM and PPM", kind);
    uint32_t width, height, top;
    if (!number_read(&f, "a width", 999999999, &width) || !number_read(&f, "a height", 999999999, &height) ||
        !number_read(&f, "a maximum of 1 to 65535", 65535, &top))
        return false;
    if (top == 0) return pnm_fail(&f, "a maximum of 1 to 65535");
    if (f.at == job->n || !space_is(job->p[f.at])) return pnm_fail(&f, "a space");
    f.at++;
    if (!image_take(job, width, height, kind == '2' || kind == '5' ? 1 : 3)) return false;
    size_t samples = (size_t)width * height * (size_t)job->image.channels;
    return kind < '4' ? text_read(&f, samples, top) : binary_read(&f, samples, top);
}
