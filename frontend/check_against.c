/* --against DIR: npy files named after tensors of the network as written, from another framework. Those
 * of inputs are used as inputs; the others are compared, by relative L2 error, with what the kernels
 * computed, or with the reference where a value is inside a kernel. */
#include "frontend/check_part.h"

#include "frontend/data/npy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- files -------------------------------------------------------------------------------------- */

static const Node *named_tensor(const Graph *g, const char *name) {
    for (int i = 0; i < g->n_out; i++)
        if (strcmp(g->out[i].name, name) == 0) return g->out[i].node;
    return graph_find(g, name);
}

static bool shape_fits(const Type *t, const Array *a) {
    bool same = a->rank == t->rank;
    for (int i = 0; same && i < t->rank; i++) same = a->shape[i] == t->axis[i].extent;
    return same;
}

static void want_text(const Type *t, char out[ARRAY_SHAPE_TEXT]) {
    int64_t shape[MAX_AXES];
    for (int i = 0; i < t->rank; i++) shape[i] = t->axis[i].extent;
    array_shape_text(out, t->rank, shape);
}

static bool load_file(const char *path, const Node *node, Array *out, Diag *d) {
    if (!npy_load(path, out, d)) return false;
    if (shape_fits(&node->type, out)) return true;
    char found[ARRAY_SHAPE_TEXT], wanted[ARRAY_SHAPE_TEXT];
    array_shape_text(found, out->rank, out->shape);
    want_text(&node->type, wanted);
    array_close(out);
    return diag_fail(d, DIAG_FILE, "%s: %s is %s, the network has %s", path, node->name, found, wanted);
}

static bool take_input(Check *c, const char *path, const Node *node, Diag *d) {
    for (int i = 0; i < c->m->plan->n_input; i++) {
        if (strcmp(c->m->plan->input[i].name, node->name) != 0) continue;
        if (c->inputs[i]) return true; /* one that was given goes before */
        void *data = arena_alloc(c->report->arena, type_bytes(&node->type));
        Array array;
        if (!load_file(path, node, &array, d)) return false;
        bool good = array_to(&array, model_elem(node->type.dtype), data, path, node->name, d);
        array_close(&array);
        if (!good) return false;
        c->inputs[i] = data;
    }
    return true;
}

static bool take_file(Check *c, const char *dir, const char *file, Diag *d) {
    Arena *a = c->report->arena;
    const char *name = arena_printf(a, "%.*s", (int)(strlen(file) - strlen(".npy")), file);
    const char *path = arena_printf(a, "%s/%s", dir, file);
    const Node *node = named_tensor(c->m->written, name);
    if (!node) {
        CheckReport *r = c->report;
        ARENA_PUSH(a, r->unknown, r->n_unknown, r->cap_unknown, arena_strdup(a, file));
        return true;
    }
    if (node->op == OP_INPUT) return take_input(c, path, node, d);
    AgainstFile *f = &c->file[c->n_file];
    f->node = node;
    f->name = name;
    return load_file(path, node, &f->array, d) && ++c->n_file;
}

static int by_node(const void *x, const void *y) {
    return ((const AgainstFile *)x)->node->id - ((const AgainstFile *)y)->node->id;
}

static int by_text(const void *x, const void *y) { return strcmp(*(char *const *)x, *(char *const *)y); }

static bool is_npy(const char *name) {
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".npy") == 0;
}

/* The npy files of the folder by name, whatever order the file system has. The folder is closed by
 * against_close when memory runs out here. */
static bool list_files(Check *c, const char *dir, char ***names, int *n, Diag *d) {
    Arena *a = c->report->arena;
    int cap = 0;
    c->folder = opendir(dir);
    if (!c->folder) return diag_fail(d, DIAG_FILE, "%s: %s", dir, strerror(errno));
    for (struct dirent *e; (e = readdir(c->folder));)
        if (is_npy(e->d_name)) ARENA_PUSH(a, *names, *n, cap, arena_strdup(a, e->d_name));
    if (*n) qsort(*names, (size_t)*n, sizeof **names, by_text);
    return true;
}

static bool inputs_known(const Check *c, const char *dir, Diag *d) {
    for (int i = 0; i < c->m->plan->n_input; i++)
        if (!c->inputs[i]) {
            const char *name = c->m->plan->input[i].name;
            return diag_fail(d, DIAG_FILE, "%s: no %s.npy, and input %s is not given (-i): nothing to compare on", dir,
                             name, name);
        }
    return true;
}

bool against_open(Check *c, const char *dir, Diag *d) {
    Arena *a = c->report->arena;
    char **names = NULL;
    int n = 0;
    if (!list_files(c, dir, &names, &n, d)) return false;
    c->file = ARENA_ARRAY(a, AgainstFile, n);
    c->report->tensor = ARENA_ARRAY(a, CheckTensor, n);
    for (int i = 0; i < n; i++)
        if (!take_file(c, dir, names[i], d)) return false;
    if (c->n_file == 0)
        return diag_fail(d, DIAG_FILE, "%s: no npy file is named after a tensor of the network, like %s.npy", dir,
                         c->m->written->out[0].node->name);
    qsort(c->file, (size_t)c->n_file, sizeof *c->file, by_node);
    for (int i = 0; i < c->n_file; i++) {
        c->file[i].row = &c->report->tensor[i];
        *c->file[i].row = (CheckTensor){.name = c->file[i].name, .elements = type_elements(&c->file[i].node->type)};
    }
    c->report->n_tensor = c->n_file;
    return inputs_known(c, dir, d);
}

void against_close(Check *c) {
    for (int i = 0; i < c->n_file; i++) array_close(&c->file[i].array);
    if (c->folder) closedir(c->folder);
}

/* ---- comparing ---------------------------------------------------------------------------------- */

typedef struct Compare {
    const Array *array;
    const double *v;
    const void *data; /* else, of this type */
    DType type;
    const int64_t *at;
    double error;
} Compare;

/* Of floats that the file has in double the float32 is meant. */
static double wanted_value(const Compare *c, int64_t i) {
    double y = array_get(c->array, (size_t)i);
    return c->array->type == ELEM_F64 ? (double)(float)y : y;
}

static void compare(Compare *c) {
    int64_t n = (int64_t)array_elements(c->array);
    double error = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = c->v ? c->v[i] : dtype_get(c->type, c->data, c->at[i]), y = wanted_value(c, i);
        if (x == y || (isnan(x) && isnan(y))) {
            size += isfinite(y) ? y * y : 0;
            continue;
        }
        error += (x - y) * (x - y);
        size += y * y;
    }
    c->error = error == 0 ? 0 : sqrt(error) / sqrt(size);
    if (isnan(c->error)) c->error = INFINITY;
}

void against_value(Check *c, const Node *node, CheckSource source, const double *v, const void *data,
                   const int64_t *at) {
    for (int i = 0; i < c->n_file; i++) {
        AgainstFile *file = &c->file[i];
        if (file->node != node || file->done) continue;
        Compare job = {.array = &file->array, .v = v, .data = data, .type = node->type.dtype, .at = at};
        compare(&job);
        file->row->source = source;
        file->row->error = job.error;
        file->row->departs = !(job.error <= c->report->rtol);
        file->done = true;
    }
}
