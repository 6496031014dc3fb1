#include "frontend/check_suite.h"

#include "frontend/check_part.h"
#include "frontend/definition.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { SUM_BITS = 23, WEIGHT_MOST = 4, INPUT_MOST = 1000, MAX_MOST = 1 << 22, CORNERS = 243 };

typedef struct Job { /* a case in its network */
    SuiteCase *c;
    const LayerData *l;
    Definition f;
    bool defined;
    int64_t count;         /* outputs to compare */
    int64_t chunk;         /* … at a time */
    _Atomic int64_t wrong; /* outputs */
    _Atomic int64_t first; /* the least of them; −1 */
} Job;

typedef struct Suite {
    const SuiteOptions *o;
    SuiteCase *c;
    Job *job;
    int n;
    LayersRun run;
} Suite;

static void refused(SuiteCase *c, DiagKind kind, const char *why) {
    bool known = kind == DIAG_UNSUPPORTED || kind == DIAG_SPEC;
    c->verdict = known ? SUITE_UNSUPPORTED : SUITE_FAILED;
    c->refused = kind;
    snprintf(c->why, sizeof c->why, "%.*s", SUITE_WHY - 1, why);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

typedef struct Numbers {
    int64_t x, w, period; /* largest of the input and of the weights; every period-th weight is not 0 */
} Numbers;

static Numbers numbers_for(const Definition *f) {
    const int64_t sum = (int64_t)1 << SUM_BITS;
    Numbers n = {MAX_MOST, WEIGHT_MOST, 1};
    if (f->as == DEFINED_MAX) return n;
    if (f->as == DEFINED_MEAN || f->taps > sum / WEIGHT_MOST) n.w = 1;
    n.x = sum / (f->taps * n.w);
    if (n.x > INPUT_MOST) n.x = INPUT_MOST;
    if (n.x < 1) n.x = 1;
    int64_t pad = (int64_t)ceil(fabs(f->pad_value)), largest = f->mode == PAD_CONSTANT && pad > n.x ? pad : n.x;
    n.period = (f->taps * n.w * largest + sum - 1) / sum;
    return n;
}

/* The data of a case depend on the seed and on what it is, not on its company. */
static void fill_job(const Suite *s, Job *j) {
    const LayerData *l = j->l;
    Numbers n = numbers_for(&j->f);
    uint64_t seed = seed_with(seed_with(s->o->seed, j->c->text.layer), j->c->text.input);
    layers_fill(seed, n.x, 1, l->x, type_elements(&l->input->type));
    if (l->w) layers_fill(seed_mix(seed + 1), n.w, n.period, l->w, type_elements(&l->node->in[1]->type));
    if (l->b) layers_fill(seed_mix(seed + 2), INPUT_MOST, 1, l->b, type_elements(&l->node->in[2]->type));
}

static void open_job(Suite *s, int i) {
    Job *j = &s->job[i];
    j->c = &s->c[i];
    j->l = &s->run.layer[i];
    j->defined = definition_of(&j->f, j->l->node) && definition_input(j->l->node) == j->l->input;
    if (!j->defined) {
        refused(j->c, DIAG_UNSUPPORTED, "it is not one convolution, transposed convolution or pool");
        return;
    }
    j->c->outputs = j->f.outputs;
    j->c->exact = definition_exact(&j->f);
    fill_job(s, j);
}

/* ---- comparing ---------------------------------------------------------------------------------------------------- */

/* Every combination of first, middle and last of all axes, then places at even distances. */
static int64_t sample(const Job *j, int64_t i) {
    const Definition *f = &j->f;
    if (j->count == f->outputs) return i;
    if (i >= CORNERS) {
        int64_t n = j->count - CORNERS, step = f->outputs / n;
        return (i - CORNERS) * step + (int64_t)(seed_mix((uint64_t)i) % (uint64_t)step);
    }
    int64_t extent[] = {f->batch, f->out_channels, f->axis[0].out, f->axis[1].out, f->axis[2].out}, at = 0;
    for (int k = 0; k < 5; k++, i /= 3) {
        int64_t place = i % 3 == 0 ? 0 : i % 3 == 1 ? extent[k] - 1 : extent[k] / 2;
        at = at * extent[k] + place;
    }
    return at;
}

static bool agrees(const Job *j, float got, double ref, double terms) {
    if ((double)got == ref || (isnan(got) && isnan(ref))) return true; /* NaN: a mean of nothing */
    return !j->c->exact && fabs((double)got - ref) <= (double)(j->f.taps + 4) * 0x1p-24 * terms;
}

static void note_wrong(Job *j, int64_t element) {
    atomic_fetch_add(&j->wrong, 1);
    int64_t first = atomic_load(&j->first);
    while ((first < 0 || element < first) && !atomic_compare_exchange_weak(&j->first, &first, element)) {}
}

typedef struct Piece {
    Job *job;
    int64_t begin, end;
} Piece;

static bool compare_piece(Arena *a, void *ctx, Diag *d) {
    const Piece *p = ctx;
    Job *j = p->job;
    DefinedTaps taps;
    (void)d;
    definition_taps(&taps, &j->f, a);
    for (int64_t i = p->begin; i < p->end; i++) {
        int64_t element = sample(j, i);
        double terms, ref = definition_value(&j->f, &taps, element, j->l->x, j->l->w, j->l->b, &terms);
        if (!agrees(j, j->l->y[element], ref, terms)) note_wrong(j, element);
    }
    return true;
}

static bool piece_job(void *ctx, int64_t job, Diag *d) {
    Piece *piece = ctx;
    return check_scoped(compare_piece, &piece[job], d);
}

static void plan_sample(const SuiteOptions *o, Job *j) {
    enum { CHUNK_TERMS = 1 << 22 };
    j->count = j->f.outputs;
    if (o->work && j->f.outputs > o->work / j->f.taps) {
        int64_t afford = o->work / j->f.taps;
        j->count = afford < 2 * CORNERS ? 2 * CORNERS : afford;
        if (j->count > j->f.outputs) j->count = j->f.outputs;
    }
    j->chunk = CHUNK_TERMS / j->f.taps + 1;
    j->c->compared = j->count;
    j->first = -1;
}

static bool compare_all(Suite *s, Arena *a, Diag *d) {
    int n = 0, cap = 0;
    Piece *piece = NULL;
    for (int i = 0; i < s->n; i++) {
        Job *j = &s->job[i];
        if (!j->defined) continue;
        plan_sample(s->o, j);
        for (int64_t at = 0; at < j->count; at += j->chunk) {
            Piece p = {j, at, at + j->chunk < j->count ? at + j->chunk : j->count};
            ARENA_PUSH(a, piece, n, cap, p);
        }
    }
    return check_parallel(s->o->threads, n, piece_job, piece, d);
}

static void judge(Arena *a, Job *j) {
    SuiteCase *c = j->c;
    DefinedTaps taps;
    double terms;
    char at[CHECK_INDEX_TEXT];
    int64_t wrong = atomic_load(&j->wrong), first = atomic_load(&j->first), spoiled = layers_spoiled(j->l);
    c->verdict = wrong || spoiled ? SUITE_FAILED : SUITE_PASSED;
    if (spoiled)
        snprintf(c->why, sizeof c->why, "native code wrote %lld elements next to its output", (long long)spoiled);
    if (!wrong) return;
    definition_taps(&taps, &j->f, a);
    double ref = definition_value(&j->f, &taps, first, j->l->x, j->l->w, j->l->b, &terms);
    index_text(&j->l->node->type, first, at);
    snprintf(c->why, sizeof c->why,
             "at %s native code gives %.9g, the definition %.17g; %lld of %lld compared outputs differ", at,
             (double)j->l->y[first], ref, (long long)wrong, (long long)j->count);
}

/* ---- whose fault it is ------------------------------------------------------------------------------------------- */

enum { DIAGNOSED_TERMS = 1 << 26 };

/* The same numbers through check_model: code against nest against the op's own reference. */
static void diagnose(const Suite *s, SuiteCase *c) {
    Diag d = {0};
    CheckOptions o = {.inputs = (const void *const *)s->run.x, .threads = s->o->threads};
    CheckReport *r = check_model(s->run.m, &o, &d);
    size_t n = strlen(c->why), room = sizeof c->why - n;
    int bad = -1;
    for (int i = 0; r && i < r->n_row && bad < 0; i++)
        if (r->row[i].faults & ~(unsigned)CHECK_MISTRUSTED) bad = i;
    if (!r) snprintf(c->why + n, room, "; %s", d.text);
    else if (bad >= 0) snprintf(c->why + n, room, "; kernel %s: %s", r->row[bad].name, r->row[bad].why);
    else snprintf(c->why + n, room, "; its kernels agree with the op's own reference");
    check_close(r);
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

static bool check_all(Arena *a, void *ctx, Diag *d) {
    Suite *s = ctx;
    LayerText *text = ARENA_ARRAY(a, LayerText, s->n);
    s->job = ARENA_ARRAY(a, Job, s->n);
    for (int i = 0; i < s->n; i++) text[i] = s->c[i].text;
    LunetteOptions o = {.cpu = s->o->cpu, .threads = s->o->threads, .batch = s->o->batch};
    if (!layers_load(&s->run, a, &(Layers){text, s->n}, &o, d)) return false;
    for (int i = 0; i < s->n; i++) open_job(s, i);
    if (!layers_run(&s->run, d)) return false;
    for (int i = 0; i < s->n; i++)
        if (s->job[i].defined && s->o->tamper) s->o->tamper(s->o->ctx, i, s->job[i].l->y, s->job[i].f.outputs);
    if (!compare_all(s, a, d)) return false;
    for (int i = 0; i < s->n; i++)
        if (s->job[i].defined) judge(a, &s->job[i]);
    const Job *first = &s->job[0];
    if (s->n == 1 && s->c->verdict == SUITE_FAILED && first->f.outputs < DIAGNOSED_TERMS / first->f.taps)
        diagnose(s, s->c);
    return true;
}

static bool try_check(SuiteCase *v, int n, const SuiteOptions *o, Diag *d) {
    Suite s = {.o = o, .c = v, .n = n};
    bool good = check_scoped(check_all, &s, d);
    layers_close(&s.run);
    return good;
}

/* A case that failed in company is looked at alone. */
static bool look_again(SuiteCase *v, int n, const SuiteOptions *o, Diag *d) {
    for (int i = 0; i < n && n > 1; i++) {
        if (v[i].verdict != SUITE_FAILED) continue;
        SuiteCase alone = {.text = v[i].text};
        if (!suite_check(&alone, 1, o, d)) return false;
        if (alone.verdict == SUITE_FAILED) v[i] = alone;
        else strncat(v[i].why, "; alone it passes", sizeof v[i].why - strlen(v[i].why) - 1);
    }
    return true;
}

/* What cannot be compiled with the others is looked for by halves. */
bool suite_check(SuiteCase *v, int n, const SuiteOptions *o, Diag *d) {
    Diag own = {0};
    if (n == 0 || try_check(v, n, o, &own)) return look_again(v, n, o, d);
    if (own.kind == DIAG_USAGE) return diag_fail(d, DIAG_USAGE, "%s", own.text); /* the CPU */
    if (n > 1) return suite_check(v, n / 2, o, d) && suite_check(v + n / 2, n - n / 2, o, d);
    if (own.kind == DIAG_MACHINE) return diag_fail(d, DIAG_MACHINE, "%s", own.text);
    refused(v, own.kind, own.text);
    return true;
}
