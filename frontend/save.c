#include "frontend/save.h"

#include "frontend/data/fail.h"
#include "frontend/data/writer.h"
#include "frontend/lua/spec.h"
#include "frontend/lua/write.h"
#include "frontend/onnx/export.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- specs ------------------------------------------------------------------------------------- */

/* A name in a comment: what could end the line becomes '?'. */
static const char *in_comment(Arena *a, const char *text) {
    char *s = arena_strdup(a, text);
    for (char *p = s; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127) *p = '?';
    return s;
}

static bool text_make(const LunetteModel *m, const char *name, const char *from, Text *t, Diag *d) {
    const char *own = in_comment(m->arena, name);
    text_add(t, "-- %s as a spec, written by lunette import.\n", in_comment(m->arena, from));
    text_add(t, "-- lunette run %s.lua -w %s.safetensors\n\n", own, own);
    return spec_text(t, m->written, d);
}

/* Whether the spec says this graph. */
static bool read_back(const LunetteModel *m, const char *path, const char *text, Diag *d) {
    SpecOptions o = {.batch = 1};
    Diag why = {0};
    const Graph *g = spec_load_text(m->arena, path, text, &o, &why);
    if (g && graph_same(m->arena, m->written, g, &why)) return true;
    DiagKind kind = why.kind == DIAG_SPEC ? DIAG_UNSUPPORTED : why.kind; /* it is larger than a spec may be */
    return diag_fail(d, kind, "a spec cannot say this model: %s", why.text);
}

static bool weights_write(const LunetteModel *m, const char *path, Diag *d) {
    static const char *const metadata[] = {"format", "pt", NULL};
    Tensor *tensor = ARENA_ARRAY(m->arena, Tensor, m->written->n_node);
    size_t n = 0;
    for (int i = 0; i < m->written->n_node; i++) {
        const Node *w = m->written->node[i];
        if (w->op != OP_WEIGHT) continue;
        Tensor *t = &tensor[n++];
        t->name = w->name;
        t->array = (Array){.type = model_elem(w->type.dtype), .rank = w->type.rank, .data = m->weight[i]};
        for (int k = 0; k < w->type.rank; k++) t->array.shape[k] = w->type.axis[k].extent;
        t->array.bytes = type_bytes(&w->type);
    }
    return safetensors_write(path, tensor, n, metadata, d);
}

/* The weights get their name first: a spec that is there has them. */
static bool files_write(const LunetteModel *m, const Text *text, const SpecFiles *files, Diag *d) {
    FileWriter *w = writer_open(files->spec, d);
    if (!w) return false;
    if (writer_add(w, text->v, text->n, d) && weights_write(m, files->weights, d)) return writer_commit(w, d);
    writer_abort(w);
    return false;
}

static bool spec_write(const LunetteModel *m, const char *folder, const char *name, const char *from, SpecFiles *out,
                       Diag *d) {
    Text text = {.arena = m->arena};
    const char *slash = *folder && folder[strlen(folder) - 1] == '/' ? "" : "/";
    out->spec = arena_printf(m->arena, "%s%s%s.lua", folder, slash, name);
    out->weights = arena_printf(m->arena, "%s%s%s.safetensors", folder, slash, name);
    if (!text_make(m, name, from, &text, d) || !read_back(m, out->spec, text_get(&text), d)) return false;
    bool made = mkdir(folder, 0777) == 0;
    if (!made && errno != EEXIST) return data_errno(d, folder, "make the folder", errno);
    if (files_write(m, &text, out, d)) return true;
    if (made) rmdir(folder);
    return false;
}

bool save_spec(const LunetteModel *m, const char *folder, const char *name, const char *from, SpecFiles *out, Diag *d) {
    volatile bool good = false;
    if (ARENA_TRY(m->arena)) good = spec_write(m, folder, name, from, out, d);
    else diag_fail(d, DIAG_MACHINE, "out of memory while writing the spec");
    ARENA_END(m->arena);
    return good;
}

/* ---- ONNX -------------------------------------------------------------------------------------- */

bool save_onnx(const LunetteModel *m, const char *path, Diag *d) {
    volatile bool good = false;
    if (ARENA_TRY(m->arena)) good = onnx_save(m->arena, path, m->written, m->weight, d);
    else diag_fail(d, DIAG_MACHINE, "out of memory while writing %s", path);
    ARENA_END(m->arena);
    return good;
}
