#include "frontend/cli/suite.h"

#include "frontend/check_suite.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_IMAGES = 2, GROUP = 50 };
static const double MOST_WORK = 1e11;    /* multiply-adds of native code for one case: below a second or two */
static const double MOST_ELEMENTS = 3e8; /* of an image, in or out */
enum { LARGE_IMAGE = 1 << 24, DEFINITION_WORK = 50000000 };

/* ---- options ---------------------------------------------------------------------------------------------------- */

static bool set_kind(SuiteArgs *s, const char *value, Diag *d) {
    for (int i = 0; i <= DESCRIPTOR_POOL; i++)
        if (strcmp(value, descriptor_kind_name[i]) == 0) {
            s->layer.kind = (DescriptorKind)i;
            return s->kind_given = true;
        }
    return diag_fail(d, DIAG_USAGE, "--kind wants conv, deconv or pool, not '%.100s'", value);
}

static bool set_batch(SuiteArgs *s, const char *value, CliOptions *o, Diag *d) {
    uint64_t v = 0;
    if (strspn(value, "0123456789") != strlen(value)) {
        s->file = value;
        return true;
    }
    if (!cli_number(value, "--batch", 1, 65536, &v, d)) return false;
    o->model.batch = (int64_t)v;
    return true;
}

bool suite_option(SuiteArgs *s, int key, const char *value, CliOptions *o, bool *good, Diag *d) {
    uint64_t v = 0;
    *good = true;
    if (layer_option(&s->layer, key, value, good, d)) return true;
    switch (key) {
    case KEY_BATCH_OR_FILE: *good = set_batch(s, value, o, d); return true;
    case KEY_KIND: *good = set_kind(s, value, d); return true;
    case KEY_MAX_SPATIAL:
        *good = cli_number(value, "--max-spatial", 1, 1 << 20, &v, d);
        s->max_spatial = (int64_t)v;
        return true;
    case KEY_RANDOM: *good = cli_number(value, "--random", 1, 100000000, &s->random, d); return true;
    case KEY_LAWS: s->laws = true; return true;
    default: return false;
    }
}

bool suite_wanted(const SuiteArgs *s) {
    return s->layer.descriptor || s->layer.layer || s->file || s->random || s->laws || s->kind_given ||
           s->max_spatial || s->layer.algorithm || s->layer.pool_given;
}

/* Lists lie in folders named after what they are: conv/shapes_alexnet. */
static void kind_of_folder(SuiteArgs *s) {
    char path[PATH_MAX];
    if (!realpath(s->file, path)) return;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    const char *folder = strrchr(path, '/');
    for (int i = 0; i <= DESCRIPTOR_POOL && folder; i++)
        if (strcmp(folder + 1, descriptor_kind_name[i]) == 0) s->layer.kind = (DescriptorKind)i;
}

static bool args_fit(const SuiteArgs *s, const CliOptions *o, Diag *d) {
    const LayerArgs *l = &s->layer;
    bool descriptors = l->descriptor || s->file;
    if (!layer_args_fit(l, o->arg, d)) return false;
    if (!!l->descriptor + !!l->layer + !!s->file + !!s->random + s->laws + !!o->arg > 1)
        return diag_fail(d, DIAG_USAGE,
                         "one of a spec, a descriptor, --batch FILE, --layer, --random and --laws is wanted, "
                         "not several");
    const char *with = o->model.weights ? "-w" : o->model.n_set ? "--set" : o->model.n_constant ? "--const" : NULL;
    if (o->model.n_shape) with = "--shape";
    if (o->model.cache_dir) with = "--cache-dir";
    if (with) return diag_fail(d, DIAG_USAGE, "%s does not go with the check of layers", with);
    if (o->model.batch && !l->layer) return diag_fail(d, DIAG_USAGE, "--batch N is for a spec or a --layer");
    if (s->kind_given && !s->file) return diag_fail(d, DIAG_USAGE, "--kind is for --batch FILE");
    if (s->max_spatial && !descriptors) return diag_fail(d, DIAG_USAGE, "--max-spatial is for descriptors");
    if (l->algorithm && !descriptors) return diag_fail(d, DIAG_USAGE, "--algorithm is for descriptors");
    if (l->pool_given && (!descriptors || l->kind != DESCRIPTOR_POOL))
        return diag_fail(d, DIAG_USAGE, "--pooling is for pools");
    return true;
}

/* ---- what is told ------------------------------------------------------------------------------------------------- */

typedef struct Tally {
    const SuiteArgs *s;
    CliOptions *o;
    Arena *arena;
    int64_t passed, failed, unsupported;
    double start;
    json_t *cases;
} Tally;

/* In single quotes for the shell. */
static const char *quoted(Arena *a, const char *text) {
    Text t = {.arena = a};
    text_add(&t, "'");
    for (; *text; text++)
        if (*text == '\'') text_add(&t, "'\\''");
        else text_add(&t, "%c", *text);
    text_add(&t, "'");
    return text_get(&t);
}

/* What came from a file or an argument goes to the terminal without its control bytes. */
static const char *clean(Arena *a, const char *text) {
    char *copy = arena_strdup(a, text);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f) *p = '?';
    return copy;
}

static void tell_json(Tally *t, const SuiteCase *c, const char *name, const char *repro) {
    const char *full = arena_printf(t->arena, "lunette check %s", repro);
    static const char *const verdict[] = {"passed", "failed", "not supported"};
    json_push(&t->cases, json_pack("{s:o, s:s, s:o, s:o, s:I, s:I, s:b}", "case", json_text(name), "verdict",
                                   verdict[c->verdict], "why", json_text(c->why), "repro", json_text(full), "outputs",
                                   (json_int_t)c->outputs, "compared", (json_int_t)c->compared, "exact", c->exact));
}

static void tell(Tally *t, Arena *a, const SuiteCase *c, const char *name, const char *repro, const char *note,
                 bool failures_only) {
    int64_t *count[] = {&t->passed, &t->failed, &t->unsupported};
    ++*count[c->verdict];
    name = clean(a, name), repro = clean(a, repro);
    if (failures_only && c->verdict != SUITE_FAILED) return;
    if (t->o->json) {
        tell_json(t, c, name, repro);
        return;
    }
    progress_end(); /* the rows show it from here on */
    switch (c->verdict) {
    case SUITE_PASSED:
        if (c->compared < c->outputs)
            printf("passed  %s  %lld of %lld outputs%s%s\n", name, (long long)c->compared, (long long)c->outputs,
                   c->exact ? "" : ", within rounding", note);
        else printf("passed  %s%s%s\n", name, c->exact ? "" : "  within rounding", note);
        break;
    case SUITE_FAILED: printf("FAILED: %s: %s\n  lunette check %s\n", name, clean(a, c->why), repro); break;
    case SUITE_UNSUPPORTED: printf("not supported: %s: %s\n", name, clean(a, c->why)); break;
    }
}

static int finish(Tally *t) {
    double seconds = clock_seconds() - t->start;
    int code = t->failed ? DIAG_DIFFERS : t->unsupported && !t->passed ? DIAG_UNSUPPORTED : 0;
    progress_end();
    if (t->o->json) {
        json_t *all =
            json_pack("{s:b, s:I, s:I, s:I, s:I, s:f, s:o}", "good", t->failed == 0, "passed", (json_int_t)t->passed,
                      "failed", (json_int_t)t->failed, "not_supported", (json_int_t)t->unsupported, "seed",
                      (json_int_t)t->o->model.seed, "seconds", seconds, "cases", t->cases);
        int shown = json_show(all);
        return shown ? shown : code;
    }
    printf("%lld passed, %lld failed, %lld not supported (%.1f s)\n", (long long)t->passed, (long long)t->failed,
           (long long)t->unsupported, seconds);
    return code;
}

static SuiteOptions suite_options(const Tally *t, int64_t batch) {
    return (SuiteOptions){.seed = t->o->model.seed,
                          .batch = batch,
                          .cpu = t->o->model.cpu,
                          .threads = t->o->model.threads ? t->o->model.threads : pool_cpus(),
                          .work = t->s->full ? 0 : DEFINITION_WORK};
}

/* The options that a case has from the command. */
static const char *shared_text(const Tally *t, Arena *a) {
    Text r = {.arena = a};
    if (t->o->model.seed) text_add(&r, " --seed %llu", (unsigned long long)t->o->model.seed);
    if (t->o->model.cpu) text_add(&r, " --cpu %s", t->o->model.cpu);
    return text_get(&r);
}

/* ---- descriptors -------------------------------------------------------------------------------------------------- */

static void sizes(const Descriptor *x, double *work, double *image) {
    double in = (double)x->in_channels, out = (double)x->out_channels;
    *work = x->kind == DESCRIPTOR_POOL ? in : in * out / (double)x->groups;
    *work *= (double)x->batch;
    for (int i = 0; i < x->n; i++) {
        const DescriptorAxis *a = &x->axis[i];
        in *= (double)a->in, out *= (double)a->out;
        *work *= (double)a->kernel * (double)(x->kind == DESCRIPTOR_DECONV ? a->in : a->out);
    }
    *image = in > out ? in : out;
}

/* Two images at most, and so large ones that time and memory last. The note says if extents were cut. */
static const char *cap(const SuiteArgs *s, Descriptor *x) {
    Descriptor before = *x;
    double work, image;
    descriptor_cap(x, s->max_spatial, MOST_IMAGES);
    sizes(x, &work, &image);
    if (image > LARGE_IMAGE) x->batch = 1;
    for (int64_t spatial = 1 << 16; spatial >= 1 && (work > MOST_WORK || image > MOST_ELEMENTS); spatial /= 2) {
        descriptor_cap(x, spatial, 0);
        sizes(x, &work, &image);
    }
    for (int i = 0; i < x->n; i++)
        if (x->axis[i].in != before.axis[i].in) return ", extents cut";
    return "";
}

static const char *descriptor_repro(const Tally *t, Arena *a, const char *text) {
    const SuiteArgs *s = t->s;
    static const char *const pooling[] = {"", " --pooling avg_p", " --pooling avg_np"};
    Text r = {.arena = a};
    text_add(&r, "--%s %s%s%s", descriptor_kind_name[s->layer.kind], quoted(a, text), pooling[s->layer.pool],
             shared_text(t, a));
    if (s->max_spatial) text_add(&r, " --max-spatial %lld", (long long)s->max_spatial);
    if (s->layer.algorithm) text_add(&r, " --algorithm %s", s->layer.algorithm);
    if (s->full) text_add(&r, " --full");
    return text_get(&r);
}

/* One layer alone that is not possible is an error, not a row. */
static bool alone(const SuiteCase *c, Diag *d) {
    return c->verdict != SUITE_UNSUPPORTED || diag_fail(d, c->refused ? c->refused : DIAG_UNSUPPORTED, "%s", c->why);
}

/* `where` is "" or the place in a file, for messages. */
static bool check_descriptor(Tally *t, Arena *a, const char *text, const char *where, Diag *d) {
    const LayerArgs *l = &t->s->layer;
    Descriptor x;
    Diag own = {0};
    SuiteCase c = {0};
    const char *more = layer_args_more(l, l->kind, a, d), *note = "";
    if (!more) return false;
    if (!descriptor_read(&x, l->kind, text, d)) {
        if (*where) diag_prefix(d, "%s", where);
        if (*where) d->kind = DIAG_FILE;
        return false;
    }
    note = cap(t->s, &x);
    if (descriptor_layer(&x, l->pool, more, a, &c.text.layer, &c.text.input, &own)) {
        SuiteOptions o = suite_options(t, x.batch);
        if (!suite_check(&c, 1, &o, d)) return false;
    } else {
        c.verdict = SUITE_UNSUPPORTED;
        snprintf(c.why, sizeof c.why, "%.*s", (int)sizeof c.why - 1, own.text);
    }
    if (!*where && !alone(&c, d)) return false;
    tell(t, a, &c, text, descriptor_repro(t, a, text), note, false);
    return true;
}

typedef struct FileCase {
    Tally *t;
    const char *text, *where;
    Diag *d;
    bool good;
} FileCase;

static int file_case(Arena *a, void *ctx) {
    FileCase *f = ctx;
    f->good = check_descriptor(f->t, a, f->text, f->where, f->d);
    return 0;
}

static bool check_file(Tally *t, Diag *d) {
    char *text = text_load(t->arena, t->s->file, d);
    const char *at = text, *one;
    int line = 0;
    if (!text) return false;
    progress_begin("checking descriptors", 0);
    while ((one = descriptor_next(t->arena, &at, &line))) {
        FileCase f = {t, one, arena_printf(t->arena, "%s:%d", t->s->file, line), d, false};
        if (cli_with_arena(file_case, &f) != 0) return diag_fail(d, DIAG_MACHINE, "out of memory");
        if (!f.good) return false;
        fflush(stdout);
        progress_set(t->passed + t->failed + t->unsupported);
    }
    return true;
}

/* ---- layers -------------------------------------------------------------------------------------------------------- */

static const char *layer_repro(const Tally *t, Arena *a, const LayerText *x, int64_t batch) {
    Text r = {.arena = a};
    text_add(&r, "--layer %s -i ", quoted(a, x->layer));
    for (const char *p = x->input; *p; p++)
        if (*p != ' ') text_add(&r, "%c", *p);
    if (batch > 1) text_add(&r, " --batch %lld", (long long)batch);
    text_add(&r, "%s", shared_text(t, a));
    return text_get(&r);
}

static bool check_layer(Tally *t, Diag *d) {
    SuiteCase c = {0};
    int64_t batch;
    if (!layer_args_text(&t->s->layer, t->arena, &c.text, &batch, d)) return false;
    if (t->o->model.batch) batch = t->o->model.batch;
    SuiteOptions o = suite_options(t, batch);
    if (!suite_check(&c, 1, &o, d)) return false;
    if (!alone(&c, d)) return false;
    tell(t, t->arena, &c, c.text.layer, layer_repro(t, t->arena, &c.text, batch), "", false);
    return true;
}

typedef struct RandomGroup {
    Tally *t;
    uint64_t first;
    int n;
    Diag *d;
    bool good;
} RandomGroup;

static int random_group(Arena *a, void *ctx) {
    RandomGroup *g = ctx;
    SuiteCase *c = ARENA_ARRAY(a, SuiteCase, g->n);
    int64_t batch = 1 + (int64_t)(g->first / GROUP % 3);
    SuiteOptions o = suite_options(g->t, batch);
    for (int i = 0; i < g->n; i++) c[i].text = random_layer(a, g->t->o->model.seed, g->first + (uint64_t)i);
    g->good = suite_check(c, g->n, &o, g->d);
    for (int i = 0; i < g->n && g->good; i++) {
        /* all of them are meant to be possible */
        if (c[i].verdict == SUITE_UNSUPPORTED) c[i].verdict = SUITE_FAILED;
        tell(g->t, a, &c[i], c[i].text.layer, layer_repro(g->t, a, &c[i].text, batch), "", true);
    }
    return 0;
}

static bool check_random(Tally *t, Diag *d) {
    progress_begin("checking random layers", (int64_t)t->s->random);
    for (uint64_t i = 0; i < t->s->random; i += GROUP) {
        uint64_t left = t->s->random - i;
        RandomGroup g = {t, i, left < GROUP ? (int)left : GROUP, d, false};
        if (cli_with_arena(random_group, &g) != 0) return diag_fail(d, DIAG_MACHINE, "out of memory");
        if (!g.good) return false;
        fflush(stdout);
        progress_set((int64_t)i);
    }
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

int suite_run(SuiteArgs *s, Arena *a, CliOptions *o) {
    Diag *d = &o->diag;
    if (s->file && !s->kind_given) kind_of_folder(s);
    Tally t = {.s = s, .o = o, .arena = a, .start = clock_seconds()};
    if (!args_fit(s, o, d)) return cli_fail(d);
    if (s->laws) return laws_run(a, o);
    if (o->json) t.cases = json_array();
    bool good = s->file          ? check_file(&t, d)
                : s->random      ? check_random(&t, d)
                : s->layer.layer ? check_layer(&t, d)
                : s->layer.descriptor
                    ? check_descriptor(&t, a, s->layer.descriptor, "", d)
                    : diag_fail(d, DIAG_USAGE, "a descriptor, --batch FILE, --layer, --random or --laws is wanted");
    if (good) return finish(&t);
    json_decref(t.cases);
    return cli_fail(d);
}
