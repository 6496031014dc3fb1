/* An input file as a number of images for one input of the network. */
#ifndef LUNETTE_CLI_INPUT_H
#define LUNETTE_CLI_INPUT_H

#include "frontend/data/array.h"
#include "frontend/lunette.h"

typedef struct InputFile {
    Array array;
    int64_t images;
    float scale; /* 1/255 for images and IDX of bytes, 1 otherwise */
} InputFile;

/* Which input "[NAME=]FILE" is for: by its name, or the first that has no file yet (taken[i]). The
 * file is *path. −1 with DIAG_USAGE. */
int input_choose(const char *text, const LunetteModel *m, const bool *taken, const char **path, Diag *d);
/* The same for n inputs of anything, whose names are name(of, i). */
typedef const char *InputName(const void *of, int i);
int input_choose_by(const char *text, InputName *name, const void *of, int n, const bool *taken, const char **path,
                    Diag *d);

/* Reads the file and sees that its shape fits: one image [c h w], or any number of them [n c h w].
 * IDX files may leave out a channel axis of 1. The batch of `t` does not matter. */
bool input_open(InputFile *f, const char *path, const LunetteTensor *t, Diag *d);
/* Images first … first+n−1 as float32. */
void input_read(const InputFile *f, int64_t first, int64_t n, float *out);
void input_close(InputFile *f);

/* Elements of one image of a tensor with batch. */
static inline int64_t image_elements(const LunetteTensor *t) { return t->elements / t->extent[0]; }

#endif
