/* Between image.c and its three decoders. */
#ifndef LUNETTE_DATA_IMAGE_CODEC_H
#define LUNETTE_DATA_IMAGE_CODEC_H

#include "frontend/data/image.h"

/* One picture being read. */
typedef struct ImageJob {
    const uint8_t *p; /* the file … */
    size_t n;         /* … and its bytes */
    const char *name;
    Image image; /* pixels are freed by image_decode when the decoder fails */
    Diag *diag;
} ImageJob;

/* Checks the extents. No codec here puts more than 8256 pixels in a
 * byte (deflate: 1032 bytes in one, 8 pixels in each; JPEG: a bit for a block of 64, taken for up
 * to 16 blocks), so a small file that claims a huge picture is refused before memory is taken. */
bool image_check(const ImageJob *job, uint64_t width, uint64_t height);
/* Checks the extents and takes memory for the pixels. */
bool image_take(ImageJob *job, uint64_t width, uint64_t height, int channels);

/* Each fills job->image. */
bool image_decode_png(ImageJob *job);
bool image_decode_jpeg(ImageJob *job);
bool image_decode_pnm(ImageJob *job);

#endif
