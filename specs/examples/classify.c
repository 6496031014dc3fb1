/* The three most probable classes of one image: example_classify SPEC WEIGHTS IMAGE.
 * IMAGE is a grey binary PGM of the network's size, or a text of as many numbers as its input has. */
#include "frontend/lunette.h"

#include <stdio.h>
#include <stdlib.h>

static int fail(LunetteStatus status, const char *what, const char *why) {
    fprintf(stderr, "example_classify: %s%s\n", what, why);
    return status;
}

/* The next number in a PGM's head, behind comments that run from '#' to the end of the line; or -1. */
static int pgm_number(FILE *f) {
    int v, c;
    while (fscanf(f, " %1[#]", (char[2]){0}) == 1)
        while ((c = fgetc(f)) != '\n' && c != EOF) {}
    return fscanf(f, "%6d", &v) == 1 ? v : -1;
}

/* Brightness 0 ... 1 of a PGM, or the numbers of a text, to x; false if they are not what the tensor wants. */
static int read_image(FILE *f, const LunetteTensor *t, float *x) {
    int64_t n = 0;
    int byte;
    if (fgetc(f) == 'P' && fgetc(f) == '5') {
        int width = pgm_number(f), height = pgm_number(f), top = pgm_number(f);
        if (t->rank != 4 || t->extent[1] != 1 || t->extent[2] != height || t->extent[3] != width || top < 1 || top > 255) return 0;
        for (fgetc(f); n < t->elements && (byte = fgetc(f)) != EOF; n++) x[n] = (float)byte / (float)top;
        return n == t->elements && fgetc(f) == EOF;
    }
    rewind(f);
    while (n < t->elements && fscanf(f, "%f", &x[n]) == 1) n++;
    return n == t->elements && fscanf(f, " %1[^\n]", (char[2]){0}) == EOF;
}

int main(int argc, char **argv) {
    LunetteModel *model;
    LunetteError error;
    if (argc != 4) return fail(LUNETTE_USAGE, "usage: example_classify SPEC WEIGHTS IMAGE", "");
    if (lunette_open(argv[1], &(LunetteOptions){.weights = argv[2]}, &model, &error)) return fail(error.status, error.message, "");
    LunetteTensor in = lunette_input(model, 0), out = lunette_output(model, 0);
    float *x = malloc((size_t)in.elements * sizeof *x), *y = malloc((size_t)out.elements * sizeof *y);
    FILE *f = fopen(argv[3], "rb");
    int code = 0, one = lunette_input_count(model) == 1 && lunette_output_count(model) == 1;
    if (!one || in.type != LUNETTE_F32 || out.type != LUNETTE_F32) code = fail(LUNETTE_UNSUPPORTED, argv[1], ": one input and one output wanted, both float32");
    else if (!x || !y) code = fail(LUNETTE_MACHINE, "out of memory", "");
    else if (!f || !read_image(f, &in, x)) code = fail(LUNETTE_FILE, argv[3], ": not an image that fits the network's input");
    else if (lunette_run(model, (const void *[]){x}, (void *[]){y}, &error)) code = fail(error.status, error.message, "");
    for (int i = 0; code == 0 && i < 3 && i < out.elements; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < out.elements; c++) best = y[c] > y[best] ? c : best;
        printf("class %lld: %.2f %%\n", (long long)best, 100.0 * (double)y[best]);
        y[best] = -1; /* printed */
    }
    if (f) fclose(f);
    free(x), free(y);
    lunette_close(model);
    return code;
}
