/* An input file as a number of images for one input of the network. */
#ifndef LUNETTE_CLI_INPUT_H
#define LUNETTE_CLI_INPUT_H

#include "frontend/data/array.h"
#include "frontend/lunette.h"

typedef struct InputFile {
    Array array; /* of the input's type, unless that is f32: then of any */
    int64_t images;
    float scale; /* 1/255 for images and IDX of bytes, 1 otherwise and for inputs that are not f32 */
} InputFile;

/* Which input "[NAME=]FILE" is for: by its name, or the first that has no file yet (taken[i]). The
 * file is *path. −1 with DIAG_USAGE. */
int input_choose(const char *text, const LunetteModel *m, const bool *taken, const char **path, Diag *d);
/* The same for n inputs of anything, whose names are name(of, i). */
typedef const char *InputName(const void *of, int i);
int input_choose_by(const char *text, InputName *name, const void *of, int n, const bool *taken, const char **path,
                    Diag *d);

/* Images a run: the first extent of all inputs and outputs, if that is the same. Else 0: then tensors are taken whole. */
int64_t model_batch(const LunetteModel *m);

/* Reads the file and sees that its shape fits: with a batch one image [c h w], or any number of them [n c h w]; IDX files
 * may leave out a channel axis of 1. Without one the whole shape (a first 1 may be left out). An input of f32 takes any
 * numbers, another one integers that its type holds. */
bool input_open(InputFile *f, const char *path, const LunetteTensor *t, int64_t batch, Diag *d);
/* Images first … first+n−1 in the input's type. */
void input_read(const InputFile *f, int64_t first, int64_t n, const LunetteTensor *t, void *out);
void input_close(InputFile *f);

/* Elements of one image of a tensor; of all of it without a batch. */
static inline int64_t image_elements(const LunetteTensor *t, int64_t batch) {
    return batch ? t->elements / batch : t->elements;
}
static inline size_t image_bytes(const LunetteTensor *t, int64_t batch) {
    return batch ? t->bytes / (size_t)batch : t->bytes;
}

#endif
