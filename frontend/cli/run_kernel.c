#include "frontend/cli/run.h"

#include "codegen/compile.h"
#include "codegen/target.h"
#include "frontend/model.h"

#include <string.h>

typedef struct KernelRun {
    Run *r;
    const Kernel *kernel;
    CodeLib *code;
    Pool *pool;
    Scratch scratch;
    void **buf; /* [n_param]: memory of the parameters, dense */
    int random; /* … that have random numbers */
} KernelRun;

static const Kernel *kernel_read(Arena *a, const char *path, Diag *d) {
    char *text = text_load(a, path, d);
    if (!text) return NULL;
    Lexer l;
    lex_open(&l, a, path, text, d);
    const Kernel *k = kernel_parse(&l);
    if (!k || !lex_end(&l, "kernel")) return NULL;
    if (kernel_verify(k, d)) return k;
    d->kind = DIAG_SPEC; /* not a bug of ours: somebody wrote it */
    diag_prefix(d, "%s", path);
    return NULL;
}

static bool options_fit(const Run *r, Diag *d) {
    const CliOptions *o = &r->o;
    if (!r->labels && !o->model.weights && !o->model.n_set && !o->model.batch && !o->json) return true;
    return diag_fail(d, DIAG_USAGE, "%s: a kernel has no weights, parameters, batch, labels or JSON", o->arg);
}

/* Outputs take no files: they have no name here, and count as taken. */
static const char *input_name(const void *kernel, int i) {
    const Buf *b = &((const Kernel *)kernel)->buf[i];
    return b->kind == BUF_IN ? b->name : "";
}

/* A parameter as the file of an input sees it: the memory, halo and all. */
static bool param_tensor(const Kernel *k, int i, LunetteTensor *t, Diag *d) {
    const Type *type = &k->buf[i].type;
    *t = (LunetteTensor){.name = k->buf[i].name,
                         .type = (LunetteType)type->dtype,
                         .rank = type->rank,
                         .elements = type_memory_elements(type),
                         .bytes = type_bytes(type)};
    if (t->rank > LUNETTE_MAX_RANK)
        return diag_fail(d, DIAG_UNSUPPORTED, "parameter %s has more than %d axes", t->name, LUNETTE_MAX_RANK);
    for (int x = 0; x < type->rank; x++)
        t->extent[x] = (int64_t)type->axis[x].extent + type->axis[x].lo + type->axis[x].hi;
    return true;
}

static bool load_file(KernelRun *u, const char *text, bool *taken, Diag *d) {
    const char *path;
    InputFile file;
    LunetteTensor t;
    int i = input_choose_by(text, input_name, u->kernel, u->kernel->n_param, taken, &path, d);
    if (i < 0 || !param_tensor(u->kernel, i, &t, d) || !input_open(&file, path, &t, 0, d)) return false;
    input_read(&file, 0, 1, &t, u->buf[i]);
    input_close(&file);
    return taken[i] = true;
}

/* Integers 0 … 9, bits 0 and 1. */
static void random_param(uint64_t seed, const Buf *b, void *out) {
    int64_t n = type_memory_elements(&b->type);
    if (b->type.dtype == DT_F32) random_fill(seed, b->name, -1, 1, out, n);
    else random_whole(seed, b->name, b->type.dtype, out, n);
}

static bool load_params(KernelRun *u, Arena *a, Diag *d) {
    const Kernel *k = u->kernel;
    const Run *r = u->r;
    bool *taken = ARENA_ARRAY(a, bool, k->n_param);
    u->buf = ARENA_ARRAY(a, void *, k->n_param);
    for (int i = 0; i < k->n_param; i++) {
        u->buf[i] = arena_alloc(a, type_bytes(&k->buf[i].type));
        taken[i] = k->buf[i].kind != BUF_IN;
    }
    for (int n = 0; n < r->n_in; n++)
        if (!load_file(u, r->in[n], taken, d)) return false;
    for (int i = 0; i < k->n_param; i++) {
        const char *name = k->buf[i].name;
        if (taken[i]) continue;
        if (!r->o.seeded)
            return diag_fail(d, DIAG_USAGE,
                             "input %s has no file: give one (-i %s=FILE), or a seed for random numbers (--seed N)",
                             name, name);
        random_param(r->o.model.seed, &k->buf[i], u->buf[i]);
        u->random++;
    }
    return true;
}

static bool compile(KernelRun *u, Diag *d) {
    const LunetteOptions *o = &u->r->o.model;
    CodeOptions c = {.threads = 1};
    Target t;
    if (!(o->cpu ? target_named(&t, o->cpu, d) : target_host(&t, d))) return false;
    if (!target_runs_here(&t)) return diag_fail(d, DIAG_USAGE, "code for %s does not run on this machine", t.cpu);
    u->pool = pool_open(o->threads ? o->threads : 1, d);
    return u->pool && scratch_open(&u->scratch, kernel_scratch(u->kernel, NULL), pool_threads(u->pool), d) &&
           code_open(&u->code, &u->kernel, 1, &t, &c, d);
}

static void tasks(void *ctx, int64_t begin, int64_t end, int thread) {
    const KernelRun *u = ctx;
    code_fn(u->code, 0)(u->buf, code_args(u->code, 0), scratch_of(&u->scratch, thread), (intptr_t)begin, (intptr_t)end);
}

static bool give(const KernelRun *u, int i, Diag *d) {
    LunetteTensor t;
    const void *v = u->buf[i];
    if (!param_tensor(u->kernel, i, &t, d)) return false;
    if (u->r->out) return result_write(u->r->out, &t, t.extent, v, d);
    char shape[ARRAY_SHAPE_TEXT];
    printf("# %s %s\n", t.name, array_shape_text(shape, t.rank, t.extent));
    tensor_print(t.type, v, t.elements, t.rank ? t.extent[t.rank - 1] : 1);
    return true;
}

static bool run(KernelRun *u, Arena *a, Diag *d) {
    u->kernel = options_fit(u->r, d) ? kernel_read(a, u->r->o.arg, d) : NULL;
    if (!u->kernel) return false;
    const Kernel *k = u->kernel;
    int outputs = 0;
    for (int i = 0; i < k->n_param; i++) outputs += k->buf[i].kind == BUF_OUT;
    if (u->r->out && !results_check_path(u->r->out, outputs, d)) return false;
    if (!load_params(u, a, d) || !compile(u, d)) return false;
    pool_run(u->pool, tasks, u, kernel_tasks(k));
    for (int i = 0; i < k->n_param; i++)
        if (k->buf[i].kind == BUF_OUT && !give(u, i, d)) return false;
    if (u->random) cli_say("%d inputs are random, from seed %llu", u->random, (unsigned long long)u->r->o.model.seed);
    return true;
}

int run_kernel(Arena *a, void *ctx) {
    KernelRun u = {.r = ctx};
    Diag *d = &u.r->o.diag;
    bool good = run(&u, a, d);
    pool_close(u.pool);
    scratch_close(&u.scratch);
    code_close(u.code);
    return good ? 0 : cli_fail(d);
}
