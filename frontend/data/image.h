/* Pictures: PNG, JPEG, PGM and PPM, told by their first bytes. */
#ifndef LUNETTE_DATA_IMAGE_H
#define LUNETTE_DATA_IMAGE_H

#include "ir/base.h"

typedef struct Image {
    int width, height; /* ≥ 1, at most 400 million pixels */
    int channels;      /* 1: gray, 3: red, green, blue */
    uint8_t *pixels;   /* [height width channels], from mem_alloc */
} Image;

/* Whether these are the first bytes of a PNG, JPEG or PNM file. */
bool image_is(const uint8_t *p, size_t n);
/* Reads a picture. Samples of more or fewer than 8 bits are scaled to 0 … 255, palettes resolved. An
 * alpha channel is dropped when it is opaque everywhere and refused otherwise (DIAG_UNSUPPORTED), as
 * are CMYK and bitmaps. Colour profiles, gamma and EXIF rotation are not applied. DIAG_FILE: damaged,
 * cut off, or any warning of the library; DIAG_MACHINE. `out` is empty after a failure. */
bool image_load(const char *path, Image *out, Diag *d);
/* The same of n bytes in memory; `name` is for messages. */
bool image_decode(const uint8_t *p, size_t n, const char *name, Image *out, Diag *d);
void image_close(Image *im); /* NULL and an empty image are fine */

#endif
