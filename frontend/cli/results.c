#include "frontend/cli/results.h"

#include "frontend/cli/input.h"
#include "frontend/data/fail.h"
#include "frontend/data/load.h"
#include "frontend/data/npy.h"
#include "frontend/model.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

enum { PRINTED = 1000 }; /* values of an image that are printed one by one */

int64_t result_class(const float *v, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (v[i] > v[best] || isnan(v[best])) best = i;
    return best;
}

/* ---- files ----------------------------------------------------------------------------------------- */

static bool is_folder(const char *path) {
    struct stat st;
    return (*path && path[strlen(path) - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

bool results_check_path(const char *path, int outputs, Diag *d) {
    size_t n = strlen(path);
    if (is_folder(path)) return true;
    if (outputs > 1)
        return diag_fail(d, DIAG_USAGE, "-o %.200s: for %d outputs a folder is needed (an existing one, or DIR/)", path,
                         outputs);
    if (n > 4 && strcmp(path + n - 4, ".npy") == 0) return true;
    return diag_fail(d, DIAG_USAGE, "-o wants FILE.npy or a folder (an existing one, or DIR/), not '%.200s'", path);
}

bool result_write(const char *path, const LunetteTensor *t, const int64_t *shape, const void *v, Diag *d) {
    char file[4096];
    ElemType type = model_elem((DType)t->type);
    if (!is_folder(path)) return npy_write(path, type, t->rank, shape, v, d);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) return data_errno(d, path, "make the folder", errno);
    int n = snprintf(file, sizeof file, "%s/%s.npy", path, t->name);
    if (n < 0 || (size_t)n >= sizeof file) return diag_fail(d, DIAG_USAGE, "-o: the name is too long");
    return npy_write(file, type, t->rank, shape, v, d);
}

/* Of all images. */
static void result_shape(const Results *r, const LunetteTensor *t, int64_t shape[LUNETTE_MAX_RANK]) {
    memcpy(shape, t->extent, sizeof *shape * LUNETTE_MAX_RANK);
    if (r->batch) shape[0] = r->images;
}

bool results_write(const Results *r, const char *path, Diag *d) {
    for (int i = 0; i < r->n; i++) {
        int64_t shape[LUNETTE_MAX_RANK];
        result_shape(r, &r->result[i].tensor, shape);
        if (!result_write(path, &r->result[i].tensor, shape, r->result[i].v, d)) return false;
    }
    return true;
}

/* ---- labels ---------------------------------------------------------------------------------------- */

/* [n c] of floats, perhaps with more axes of 1 */
static bool is_scores(const Results *r, const LunetteTensor *t) {
    return r->batch && t->type == LUNETTE_F32 && t->rank > 1 && image_elements(t, r->batch) == t->extent[1];
}

/* One integer an image */
static bool is_class(const Results *r, const LunetteTensor *t) {
    return r->batch && t->type != LUNETTE_F32 && image_elements(t, r->batch) == 1;
}

static const Result *first_classes(const Results *r) {
    for (int i = 0; i < r->n; i++)
        if (is_scores(r, &r->result[i].tensor) || is_class(r, &r->result[i].tensor)) return &r->result[i];
    return NULL;
}

static int64_t image_class(const Results *r, const Result *y, int64_t image) {
    if (is_class(r, &y->tensor)) return (int64_t)dtype_get((DType)y->tensor.type, y->v, image);
    int64_t classes = y->tensor.extent[1];
    return result_class((const float *)y->v + image * classes, classes);
}

static bool count_right(Results *r, const Result *y, const Array *labels, const float *label, const char *path,
                        Diag *d) {
    char shape[ARRAY_SHAPE_TEXT];
    if (labels->rank != 1 || labels->shape[0] != r->images)
        return data_fail(d, DIAG_FILE, path, "the labels are %s, but [%lld] are needed, one an image",
                         array_shape_text(shape, labels->rank, labels->shape), (long long)r->images);
    r->right = 0;
    for (int64_t i = 0; i < r->images; i++) {
        if (is_scores(r, &y->tensor) && !(label[i] >= 0 && label[i] < (float)y->tensor.extent[1]))
            return data_fail(d, DIAG_FILE, path, "label %lld is %g, but output %s has %lld classes", (long long)i,
                             (double)label[i], y->tensor.name, (long long)y->tensor.extent[1]);
        r->right += (double)image_class(r, y, i) == (double)label[i];
    }
    return true;
}

bool results_compare(Results *r, const char *path, Diag *d) {
    Array labels;
    const Result *y = first_classes(r);
    if (!y) return diag_fail(d, DIAG_USAGE, "--labels: no output of the network is a vector of classes, or a class");
    if (!data_load(path, &labels, d)) return false;
    float *label = mem_alloc(array_elements(&labels) * sizeof *label + 1);
    bool good = label || data_oom(d, path, array_elements(&labels) * sizeof *label);
    if (good) {
        array_to_f32(&labels, label);
        good = count_right(r, y, &labels, label, path, d);
    }
    mem_free(label);
    array_close(&labels);
    return good;
}

/* ---- text ------------------------------------------------------------------------------------------ */

/* The `top` largest, largest first, with their indexes. */
static void print_top(const float *v, int64_t n, int top) {
    int64_t last = -1;
    for (int k = 0; k < top && k < n; k++) {
        int64_t best = -1;
        for (int64_t i = 0; i < n; i++) {
            bool after = last < 0 || v[i] < v[last] || (v[i] == v[last] && i > last);
            if (after && (best < 0 || v[i] > v[best])) best = i;
        }
        if (best < 0) break; /* what is left is NaN */
        printf("%lld %.9g\n", (long long)best, (double)v[best]);
        last = best;
    }
}

static void value_print(LunetteType type, const void *v, int64_t i, char after) {
    if (type == LUNETTE_I64) printf("%lld%c", (long long)((const int64_t *)v)[i], after);
    else printf("%.9g%c", dtype_get((DType)type, v, i), after);
}

void tensor_print(LunetteType type, const void *v, int64_t n, int64_t row) {
    if (n > PRINTED) {
        double lo = INFINITY, hi = -INFINITY, sum = 0;
        for (int64_t i = 0; i < n; i++) {
            double x = dtype_get((DType)type, v, i);
            lo = fmin(lo, x);
            hi = fmax(hi, x);
            sum += x;
        }
        printf("least %.9g, mean %.9g, largest %.9g (all values: -o FILE.npy or --json)\n", lo, sum / (double)n, hi);
        return;
    }
    for (int64_t i = 0; i < n; i++) value_print(type, v, i, (i + 1) % row == 0 ? '\n' : ' ');
}

static void print_images(const Results *r, const Result *y, int top) {
    const LunetteTensor *t = &y->tensor;
    int64_t one = image_elements(t, r->batch), row = t->rank > (r->batch ? 1 : 0) ? t->extent[t->rank - 1] : 1;
    for (int64_t i = 0; i < r->images; i++) {
        const char *v = (const char *)y->v + (size_t)i * image_bytes(t, r->batch);
        if (is_scores(r, t) && r->images == 1) {
            print_top((const float *)(const void *)v, one, top);
        } else if (is_scores(r, t)) {
            int64_t best = image_class(r, y, i);
            printf("%lld %lld ", (long long)i, (long long)best);
            value_print(t->type, v, best, '\n');
        } else if (one == 1 && r->images > 1) {
            printf("%lld ", (long long)i);
            value_print(t->type, v, 0, '\n');
        } else {
            if (r->images > 1) printf("# image %lld\n", (long long)i);
            tensor_print(t->type, v, one, row);
        }
    }
}

static void print_result(const Results *r, const Result *y, int top) {
    const LunetteTensor *t = &y->tensor;
    char shape[ARRAY_SHAPE_TEXT];
    int64_t extent[LUNETTE_MAX_RANK];
    result_shape(r, t, extent);
    const char *columns = "";
    if (is_scores(r, t)) columns = r->images > 1 ? ": image, class, value" : ": class, value";
    else if (r->images > 1 && image_elements(t, r->batch) == 1) columns = ": image, value";
    printf("# %s %s%s\n", t->name, array_shape_text(shape, t->rank, extent), columns);
    print_images(r, y, top);
}

void results_print(const Results *r, int top) {
    if (r->right < 0) {
        for (int i = 0; i < r->n; i++) print_result(r, &r->result[i], top);
        return;
    }
    printf("accuracy %lld / %lld = %.2f %%\n", (long long)r->right, (long long)r->images,
           100.0 * (double)r->right / (double)r->images);
    printf("%.0f images a second, %d thread%s\n", (double)r->images / r->run_seconds, r->threads,
           r->threads == 1 ? "" : "s");
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static json_t *value_json(LunetteType type, const void *v, int64_t i) {
    switch (type) {
    case LUNETTE_F32: break;
    case LUNETTE_BOOL: return json_boolean(((const uint8_t *)v)[i]);
    case LUNETTE_I64: return json_integer(((const int64_t *)v)[i]);
    case LUNETTE_I32:
    case LUNETTE_U8: return json_integer((json_int_t)dtype_get((DType)type, v, i));
    }
    return json_number(dtype_get((DType)type, v, i));
}

static json_t *values_json(const Result *y, int64_t *next, const int64_t *extent, int rank) {
    if (rank == 0) return value_json(y->tensor.type, y->v, (*next)++);
    json_t *list = json_array();
    for (int64_t i = 0; i < extent[0] && list; i++) json_push(&list, values_json(y, next, extent + 1, rank - 1));
    return list;
}

json_t *results_json(const Results *r, bool with_data) {
    json_t *outputs = json_array();
    for (int i = 0; i < r->n; i++) {
        const LunetteTensor *t = &r->result[i].tensor;
        json_t *shape = json_array();
        int64_t extent[LUNETTE_MAX_RANK], next = 0;
        result_shape(r, t, extent);
        for (int k = 0; k < t->rank; k++) json_push(&shape, json_integer(extent[k]));
        json_t *one = json_pack("{ss ss so}", "name", t->name, "type", dtype_name((DType)t->type), "shape", shape);
        if (one && with_data &&
            json_object_set_new(one, "data", values_json(&r->result[i], &next, extent, t->rank)) != 0) {
            json_decref(one);
            one = NULL;
        }
        json_push(&outputs, one);
    }
    json_t *right = r->right < 0 ? json_null() : json_integer(r->right);
    json_t *accuracy = r->right < 0 ? json_null() : json_real((double)r->right / (double)r->images);
    return json_pack("{sI si sf sf sf so so so}", "images", (json_int_t)r->images, "threads", r->threads,
                     "open_seconds", r->open_seconds, "run_seconds", r->run_seconds, "images_per_second",
                     (double)r->images / r->run_seconds, "right", right, "accuracy", accuracy, "outputs", outputs);
}
