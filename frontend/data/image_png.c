#include "frontend/data/fail.h"
#include "frontend/data/image_codec.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

/* libpng reports an error by a jump and asks us for memory. What must outlive the jump is here. */
typedef struct PngJob {
    ImageJob *job;
    png_struct *png;
    png_info *info;
    size_t at; /* bytes of the file read */
    png_byte **rows;
    bool no_memory;
    jmp_buf failed;
} PngJob;

static void *png_take_memory(png_struct *png, size_t n) {
    PngJob *j = png_get_mem_ptr(png);
    void *p = mem_alloc(n);
    if (!p) j->no_memory = true;
    return p;
}

static void png_give_memory(png_struct *png, void *p) {
    (void)png;
    mem_free(p);
}

static void png_on_error(png_struct *png, const char *text) {
    PngJob *j = png_get_error_ptr(png);
    if (j->no_memory) data_oom(j->job->diag, j->job->name, 0);
    else data_fail(j->job->diag, DIAG_FILE, j->job->name, "damaged PNG: %s", text);
    longjmp(j->failed, 1);
}

/* Warnings are about chunks we do not use. */
static void png_on_warning(png_struct *png, const char *text) {
    (void)png;
    (void)text;
}

static void png_on_read(png_struct *png, png_byte *out, size_t n) {
    PngJob *j = png_get_io_ptr(png);
    if (n > j->job->n - j->at) png_error(png, "cut off");
    memcpy(out, j->job->p + j->at, n);
    j->at += n;
}

/* Whatever the file has becomes 8 bits a sample, gray or RGB, with alpha when there is transparency. */
static void png_set_form(PngJob *j) {
    png_set_expand(j->png);
    png_set_scale_16(j->png);
    png_set_interlace_handling(j->png);
    png_read_update_info(j->png, j->info);
}

static bool rows_take(PngJob *j, size_t row_bytes) {
    size_t n = (size_t)j->job->image.height;
    j->rows = mem_alloc(n * sizeof *j->rows);
    if (!j->rows) return data_oom(j->job->diag, j->job->name, n * sizeof *j->rows);
    for (size_t i = 0; i < n; i++) j->rows[i] = j->job->image.pixels + i * row_bytes;
    return true;
}

/* [H W C+1] → [H W C] in place; the alpha must be opaque everywhere. */
static bool alpha_drop(ImageJob *job) {
    Image *im = &job->image;
    size_t pixels = (size_t)im->width * (size_t)im->height;
    int all = im->channels, kept = all - 1;
    if (kept != 1 && kept != 3) return true; /* gray or RGB already */
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *from = im->pixels + i * (size_t)all;
        if (from[kept] != 255)
            return data_fail(job->diag, DIAG_UNSUPPORTED, job->name,
                             "pixel (%zu, %zu) is transparent, only opaque pictures are supported",
                             i % (size_t)im->width, i / (size_t)im->width);
        memmove(im->pixels + i * (size_t)kept, from, (size_t)kept);
    }
    im->channels = kept;
    uint8_t *smaller = mem_realloc(im->pixels, pixels * (size_t)kept);
    if (smaller) im->pixels = smaller; /* if not, the larger block is as good */
    return true;
}

/* The part that libpng may jump out of. */
static bool png_read(PngJob *j) {
    if (setjmp(j->failed)) return false;
    png_set_read_fn(j->png, j, png_on_read);
    png_set_user_limits(j->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* image_take has the limit */
    /* Text, profiles, suggested palettes: passed over without taking the memory that their heads claim. */
    png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_chunk_malloc_max(j->png, j->job->n); /* no chunk is longer than its file */
    png_read_info(j->png, j->info);
    uint64_t width = png_get_image_width(j->png, j->info), height = png_get_image_height(j->png, j->info);
    if (!image_check(j->job, width, height)) return false; /* before libpng takes memory for a row */
    png_set_form(j);
    int channels = png_get_channels(j->png, j->info);
    if (!image_take(j->job, width, height, channels) || !rows_take(j, png_get_rowbytes(j->png, j->info))) return false;
    png_read_image(j->png, j->rows);
    png_read_end(j->png, NULL);
    return true;
}

bool image_decode_png(ImageJob *job) {
    PngJob j = {.job = job};
    j.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &j, png_on_error, png_on_warning, &j, png_take_memory,
                                     png_give_memory);
    if (!j.png) return data_oom(job->diag, job->name, 0);
    j.info = png_create_info_struct(j.png);
    bool ok = j.info ? png_read(&j) : data_oom(job->diag, job->name, 0);
    png_destroy_read_struct(&j.png, &j.info, NULL);
    mem_free(j.rows);
    return ok && alpha_drop(job);
}
