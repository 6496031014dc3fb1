#include "frontend/cli/input.h"

#include "frontend/data/fail.h"
#include "frontend/data/load.h"
#include "frontend/model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int input_named(InputName *name, const void *of, int n, const char *text, size_t len) {
    for (int i = 0; i < n; i++)
        if (strncmp(name(of, i), text, len) == 0 && name(of, i)[len] == '\0') return i;
    return -1;
}

int input_choose_by(const char *text, InputName *name, const void *of, int n, const bool *taken, const char **path,
                    Diag *d) {
    const char *equals = strchr(text, '=');
    int i = equals ? input_named(name, of, n, text, (size_t)(equals - text)) : -1;
    *path = i >= 0 ? equals + 1 : text;
    if (i >= 0 && taken[i]) diag_fail(d, DIAG_USAGE, "input %s has two files", name(of, i));
    if (i >= 0) return taken[i] ? -1 : i;
    if (equals && access(text, F_OK) != 0) {
        diag_fail(d, DIAG_USAGE, "there is no input '%.*s', but %s%s", (int)(equals - text), text,
                  n ? name(of, 0) : "none", n > 1 ? " and others" : "");
        return -1;
    }
    for (i = 0; i < n; i++)
        if (!taken[i]) return i;
    diag_fail(d, DIAG_USAGE, "-i %.200s is too many: there %s %d input%s", text, n == 1 ? "is" : "are", n,
              n == 1 ? "" : "s");
    return -1;
}

static const char *model_input_name(const void *m, int i) { return lunette_input(m, i).name; }

int input_choose(const char *text, const LunetteModel *m, const bool *taken, const char **path, Diag *d) {
    return input_choose_by(text, model_input_name, m, lunette_input_count(m), taken, path, d);
}

int64_t model_batch(const LunetteModel *m) {
    int inputs = lunette_input_count(m), all = inputs + lunette_output_count(m);
    int64_t batch = 0;
    for (int i = 0; i < all; i++) {
        LunetteTensor t = i < inputs ? lunette_input(m, i) : lunette_output(m, i - inputs);
        if (t.rank == 0 || (i > 0 && t.extent[0] != batch)) return 0;
        batch = t.extent[0];
    }
    return batch;
}

/* ---- shapes ---------------------------------------------------------------------------------------- */

/* Whether the array is [shape] or [n, shape]. */
static bool match(const Array *a, const int64_t *shape, int rank, int64_t *images) {
    if (a->rank != rank && a->rank != rank + 1) return false;
    *images = a->rank > rank ? a->shape[0] : 1;
    return rank == 0 || memcmp(a->shape + (a->rank - rank), shape, (size_t)rank * sizeof *shape) == 0;
}

static bool fits(const Array *a, const LunetteTensor *t, int64_t *images) {
    bool whole = match(a, t->extent + 1, t->rank - 1, images);
    if (a->data_kind == DATA_IMAGE) return whole && a->rank == t->rank - 1; /* planes of colour are not images */
    bool gray = a->data_kind == DATA_IDX && t->rank > 2 && t->extent[1] == 1;
    return whole || (gray && match(a, t->extent + 2, t->rank - 2, images));
}

static bool fits_whole(const Array *a, const LunetteTensor *t, int64_t *images) {
    bool exact = a->rank == t->rank && match(a, t->extent, t->rank, images);
    *images = 1;
    return exact ||
           (t->rank > 0 && t->extent[0] == 1 && a->rank == t->rank - 1 && match(a, t->extent + 1, t->rank - 1, images));
}

static bool shape_fail(const Array *a, const char *path, const LunetteTensor *t, int64_t batch, Diag *d) {
    char have[ARRAY_SHAPE_TEXT], want[ARRAY_SHAPE_TEXT];
    const char *what = a->data_kind == DATA_IMAGE ? "the picture is [channels, height, width]" : "the array is";
    int from = batch ? 1 : 0;
    return data_fail(d, DIAG_FILE, path, "%s %s, but input %s wants %s%s", what,
                     array_shape_text(have, a->rank, a->shape), t->name,
                     array_shape_text(want, t->rank - from, t->extent + from),
                     a->data_kind == DATA_IMAGE || !batch ? "" : " or [n] of these");
}

/* ---- numbers --------------------------------------------------------------------------------------- */

/* The array becomes one of this integer type. */
static bool make_integers(Array *a, ElemType type, const char *path, const char *name, Diag *d) {
    Array made;
    size_t bytes = 0;
    if (!shape_size(type, a->rank, a->shape, NULL, &bytes)) return data_oom(d, path, SIZE_MAX);
    void *heap = mem_alloc(bytes + 1);
    if (!heap) return data_oom(d, path, bytes);
    array_own(&made, type, a->data_kind, a->rank, a->shape, heap);
    bool good = array_to(a, type, heap, path, name, d);
    array_close(a);
    *a = made;
    return good;
}

bool input_open(InputFile *f, const char *path, const LunetteTensor *t, int64_t batch, Diag *d) {
    char what[300];
    *f = (InputFile){.scale = 1};
    if (!data_load(path, &f->array, d)) return false;
    bool good = batch ? fits(&f->array, t, &f->images) : fits_whole(&f->array, t, &f->images);
    if (!good) shape_fail(&f->array, path, t, batch, d);
    if (good && f->images < 1) good = data_fail(d, DIAG_FILE, path, "there are no images in it");
    snprintf(what, sizeof what, "input %.200s", t->name);
    if (good && t->type != LUNETTE_F32) good = make_integers(&f->array, model_elem((DType)t->type), path, what, d);
    else if (f->array.data_kind != DATA_NPY && f->array.type == ELEM_U8) f->scale = 1.0f / 255.0f;
    if (!good) array_close(&f->array);
    return good;
}

void input_read(const InputFile *f, int64_t first, int64_t n, const LunetteTensor *t, void *out) {
    size_t one = f->array.bytes / (size_t)f->images, count = array_elements(&f->array) / (size_t)f->images * (size_t)n;
    Array part = {.type = f->array.type, .rank = 1, .shape = {(int64_t)count}, .bytes = one * (size_t)n};
    part.data = (const char *)f->array.data + (size_t)first * one;
    if (t->type != LUNETTE_F32) {
        memcpy(out, part.data, part.bytes);
        return;
    }
    float *v = out;
    array_to_f32(&part, v);
    if (f->scale != 1)
        for (size_t i = 0; i < count; i++) v[i] *= f->scale;
}

void input_close(InputFile *f) { array_close(&f->array); }
