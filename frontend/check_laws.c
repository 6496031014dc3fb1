#include "frontend/check_laws.h"

#include "frontend/check_law_part.h"
#include "frontend/check_part.h"
#include "frontend/definition.h"

#include <stdio.h>
#include <string.h>

enum { INPUT_MOST = 60, WEIGHT_MOST = 4, BIAS_MOST = 1000 };

/* ---- random layers ------------------------------------------------------------------------------------------------ */

int64_t law_draw(LawCase *c, int64_t lo, int64_t hi) {
    c->state += 0x9e3779b97f4a7c15u;
    return lo + (int64_t)(seed_mix(c->state) % (uint64_t)(hi - lo + 1));
}

static int64_t span(const LawLayer *l, int i) { return (l->kernel[i] - 1) * l->dilation[i] + 1; }

static int64_t out_extent(const LawLayer *l, int i) {
    return (l->in[i] + l->lo[i] + l->hi[i] - span(l, i)) / l->stride[i] + 1;
}

void law_layer(LawCase *c, LawLayer *l, const char *op, int axes) {
    static const int64_t largest[] = {0, 20, 9, 5};
    bool pool = strncmp(op, "conv", 4) != 0;
    *l = (LawLayer){.op = op, .n = axes, .groups = 1, .bias = !pool && law_draw(c, 0, 1), .more = ""};
    l->groups = !pool && law_draw(c, 0, 3) == 0 ? law_draw(c, 2, 4) : 1;
    l->channels = l->groups * law_draw(c, 1, 6);
    l->out = pool ? l->channels : l->groups * law_draw(c, 1, 6);
    for (int i = 0; i < axes; i++) {
        l->kernel[i] = law_draw(c, 1, 4);
        l->stride[i] = law_draw(c, 1, 3);
        l->dilation[i] = pool || law_draw(c, 0, 2) ? 1 : law_draw(c, 2, 3);
        l->lo[i] = law_draw(c, 0, span(l, i) - 1);
        l->hi[i] = law_draw(c, 0, span(l, i) - 1);
        int64_t least = span(l, i) - l->lo[i] - l->hi[i];
        /* transposed, a smaller input leaves nothing between the paddings */
        if (strcmp(op, "convtranspose") == 0) least = (l->lo[i] + l->hi[i] - span(l, i)) / l->stride[i] + 2;
        if (least < 1) least = 1;
        l->in[i] = law_draw(c, least, least + largest[axes]);
    }
}

static void add_list(Text *t, const char *name, const int64_t *v, const int64_t *more, int n) {
    text_add(t, ", %s = {", name);
    for (int i = 0; i < n; i++) text_add(t, "%s%lld", i ? ", " : "", (long long)v[i]);
    for (int i = 0; i < n && more; i++) text_add(t, ", %lld", (long long)more[i]);
    text_add(t, "}");
}

LayerText law_text(LawCase *c, const LawLayer *l) {
    static const int64_t one[] = {1, 1, 1}, zero[3];
    Text t = {.arena = c->arena}, in = {.arena = c->arena};
    size_t bytes = sizeof *one * (size_t)l->n;
    bool pool = strncmp(l->op, "conv", 4) != 0;
    text_add(&t, "%s { ", l->op);
    if (!pool)
        text_add(&t, "out = %lld, bias = %s, groups = %lld", (long long)l->out, l->bias ? "true" : "false",
                 (long long)l->groups);
    add_list(&t, "kernel", l->kernel, NULL, l->n);
    add_list(&t, "stride", l->stride, NULL, l->n);
    if (!l->no_pad) add_list(&t, "pad", l->lo, l->hi, l->n);
    if (memcmp(l->dilation, one, bytes) != 0) add_list(&t, "dilation", l->dilation, NULL, l->n);
    if (memcmp(l->output_pad, zero, bytes) != 0) add_list(&t, "output_pad", l->output_pad, NULL, l->n);
    text_add(&t, "%s }", l->more);
    text_add(&in, "%lld", (long long)l->channels);
    for (int i = 0; i < l->n; i++) text_add(&in, ", %lld", (long long)l->in[i]);
    char *text = arena_strdup(c->arena, text_get(&t)), *comma = strstr(text, "{ , ");
    if (comma) memmove(comma + 2, comma + 4, strlen(comma + 4) + 1);
    return (LayerText){text, text_get(&in)};
}

/* ---- numbers ------------------------------------------------------------------------------------------------------ */

static int64_t size_of(const LawCase *c, int side, int input) {
    const LayerData *l = c->l[side];
    return type_elements(input ? &l->node->in[input]->type : &l->input->type);
}

static void copy(float *to, const float *from, int64_t n) {
    if (to) memcpy(to, from, (size_t)n * sizeof *to);
}

static void relate_same(LawCase *c) {
    copy(c->l[1]->x, c->l[0]->x, size_of(c, 0, 0));
    if (c->l[0]->w) copy(c->l[1]->w, c->l[0]->w, size_of(c, 0, 1));
    if (c->l[0]->b) copy(c->l[1]->b, c->l[0]->b, size_of(c, 0, 2));
}

static bool holds_same(const LawCase *c, char why[LAW_WHY]) {
    const LayerData *a = c->l[0], *b = c->l[1];
    int64_t n = type_elements(&a->node->type);
    if (type_elements(&b->node->type) != n) {
        snprintf(why, LAW_WHY, "they have %lld and %lld outputs", (long long)n,
                 (long long)type_elements(&b->node->type));
        return false;
    }
    for (int64_t i = 0; i < n; i++) {
        if (a->y[i] == b->y[i]) continue;
        char at[CHECK_INDEX_TEXT];
        index_text(&a->node->type, i, at);
        snprintf(why, LAW_WHY, "at %s they give %.9g and %.9g", at, (double)a->y[i], (double)b->y[i]);
        return false;
    }
    return true;
}

/* ---- the laws ------------------------------------------------------------------------------------------------------ */

static const char *draw_conv(LawCase *c) {
    return op_find("convtranspose") >= 0 && law_draw(c, 0, 2) == 0 ? "convtranspose" : "conv";
}

/* The transposed convolution takes y's shape back to x's: what the stride left over becomes output padding. */
static void draw_adjoint(LawCase *c) {
    LawLayer l, t;
    law_layer(c, &l, "conv", (int)law_draw(c, 1, 3));
    l.bias = false;
    t = l;
    t.op = "convtranspose";
    t.channels = l.out, t.out = l.channels;
    for (int i = 0; i < l.n; i++) {
        t.in[i] = out_extent(&l, i);
        t.output_pad[i] = (l.in[i] + l.lo[i] + l.hi[i] - span(&l, i)) % l.stride[i];
    }
    c->text[0] = law_text(c, &l);
    c->text[1] = law_text(c, &t);
}

/* [out, in / groups, …] of the one is [in, out / groups, …] of the other. */
static void relate_adjoint(LawCase *c) { copy(c->l[1]->w, c->l[0]->w, size_of(c, 0, 1)); }

static double inner(const float *x, const float *y, int64_t n) {
    double sum = 0; /* of integers far below 2^53 */
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

static bool holds_adjoint(const LawCase *c, char why[LAW_WHY]) {
    const LayerData *a = c->l[0], *b = c->l[1];
    double left = inner(a->y, b->x, type_elements(&a->node->type)), right = inner(a->x, b->y, size_of(c, 0, 0));
    if (type_elements(&b->node->type) == size_of(c, 0, 0) && left == right) return true;
    snprintf(why, LAW_WHY, "<conv(x), y> is %.17g, <x, convtranspose(y)> is %.17g", left, right);
    return false;
}

static void draw_groups(LawCase *c) {
    LawLayer l;
    const char *op = draw_conv(c);
    do law_layer(c, &l, op, (int)law_draw(c, 1, 3));
    while (l.groups == 1);
    c->text[0] = law_text(c, &l);
    l.groups = 1;
    c->text[1] = law_text(c, &l);
}

/* Row r of the weight lies in group r / (rows / g) and becomes that block of the dense row; zeros around it. */
static void relate_groups(LawCase *c) {
    relate_same(c);
    const Type *small = &c->l[0]->node->in[1]->type, *dense = &c->l[1]->node->in[1]->type;
    int64_t rows = small->axis[0].extent, columns = small->axis[1].extent, all = dense->axis[1].extent;
    int64_t taps = type_elements(small) / (rows * columns), groups = all / columns;
    memset(c->l[1]->w, 0, (size_t)type_elements(dense) * sizeof(float));
    for (int64_t r = 0; r < rows; r++) {
        int64_t group = r / (rows / groups);
        copy(c->l[1]->w + (r * all + group * columns) * taps, c->l[0]->w + r * columns * taps, columns * taps);
    }
}

static void draw_dilation(LawCase *c) {
    LawLayer l;
    law_layer(c, &l, draw_conv(c), (int)law_draw(c, 1, 3));
    for (int i = 0; i < l.n; i++) {
        int64_t before = span(&l, i);
        if (l.dilation[i] == 1) l.dilation[i] = law_draw(c, 2, 3);
        l.in[i] += span(&l, i) - before; /* so that it fits still */
    }
    c->text[0] = law_text(c, &l);
    for (int i = 0; i < l.n; i++) l.kernel[i] = span(&l, i), l.dilation[i] = 1;
    c->text[1] = law_text(c, &l);
}

static void relate_dilation(LawCase *c) {
    relate_same(c);
    Definition f, g;
    definition_of(&f, c->l[0]->node);
    definition_of(&g, c->l[1]->node);
    const DefinedAxis *a = f.axis, *b = g.axis;
    int64_t taps = a[0].kernel * a[1].kernel * a[2].kernel, stuffed = b[0].kernel * b[1].kernel * b[2].kernel;
    memset(c->l[1]->w, 0, (size_t)size_of(c, 1, 1) * sizeof(float));
    for (int64_t i = 0; i < size_of(c, 0, 1); i++) {
        int64_t k = i % taps, w = k % a[2].kernel, h = k / a[2].kernel % a[1].kernel, d = k / a[2].kernel / a[1].kernel;
        int64_t at = (d * a[0].dilation * b[1].kernel + h * a[1].dilation) * b[2].kernel + w * a[2].dilation;
        c->l[1]->w[i / taps * stuffed + at] = c->l[0]->w[i];
    }
}

/* One more axis in front, of extent 1. */
static void draw_depth(LawCase *c) {
    static const char *const ops[] = {"conv", "conv", "convtranspose", "maxpool", "avgpool"};
    LawLayer l, deep;
    const char *op = ops[law_draw(c, 0, COUNT_OF(ops) - 1)];
    law_layer(c, &l, op_find(op) < 0 ? "conv" : op, (int)law_draw(c, 1, 2));
    deep = l;
    deep.n = l.n + 1;
    for (int i = 0; i < l.n; i++) {
        deep.in[i + 1] = l.in[i], deep.kernel[i + 1] = l.kernel[i], deep.stride[i + 1] = l.stride[i];
        deep.dilation[i + 1] = l.dilation[i], deep.lo[i + 1] = l.lo[i], deep.hi[i + 1] = l.hi[i];
    }
    deep.in[0] = deep.kernel[0] = deep.dilation[0] = 1;
    deep.lo[0] = deep.hi[0] = 0;
    deep.stride[0] = law_draw(c, 1, 3);
    c->text[0] = law_text(c, &l);
    c->text[1] = law_text(c, &deep);
}

static void draw_algorithm(LawCase *c) {
    LawLayer l;
    law_layer(c, &l, "conv", (int)law_draw(c, 1, 3));
    l.more = ", algorithm = \"direct\"";
    c->text[0] = law_text(c, &l);
    l.more = ", algorithm = \"im2col\"";
    c->text[1] = law_text(c, &l);
}

static void draw_full(LawCase *c) {
    LawLayer l;
    law_layer(c, &l, "conv", (int)law_draw(c, 1, 3));
    l.no_pad = true;
    l.more = ", pad = \"full\"";
    c->text[0] = law_text(c, &l);
    l.more = ", pad = \"valid\"";
    c->text[1] = law_text(c, &l);
    Text t = {.arena = c->arena};
    for (int side = 0; side < 2; side++) {
        text_add(&t, "%s0, 0", side ? ", " : ""); /* batch, channels */
        for (int i = 0; i < l.n; i++) text_add(&t, ", %lld", (long long)span(&l, i) - 1);
    }
    c->text[1].layer = arena_printf(c->arena, "pad { {%s} }:%s", text_get(&t), c->text[1].layer);
}

typedef struct Law {
    const char *name, *says;
    const char *op, *attr; /* what it needs: an op and one of its attributes, or NULL */
    void (*draw)(LawCase *c);
    void (*relate)(LawCase *c); /* sets the numbers of the second layer; the first has random ones */
    bool (*holds)(const LawCase *c, char why[LAW_WHY]);
} Law;

static const Law laws[] = {
    {"adjoint", "<conv(x), y> = <x, convtranspose(y)>", "convtranspose", NULL, draw_adjoint, relate_adjoint,
     holds_adjoint},
    {"groups", "groups = a dense kernel of diagonal blocks", "conv", NULL, draw_groups, relate_groups, holds_same},
    {"dilation", "dilation = a kernel stuffed with zeros", "conv", NULL, draw_dilation, relate_dilation, holds_same},
    {"depth", "an axis of extent 1 more = one less", "conv", NULL, draw_depth, relate_same, holds_same},
    {"im2col", "im2col = direct", "conv", "algorithm", draw_algorithm, relate_same, holds_same},
    {"full", "full(x) = valid(pad(x))", "pad", NULL, draw_full, relate_same, holds_same},
    {"schedule", "any legal schedule = any other", "conv", NULL, law_draw_schedule, relate_same, holds_same},
};

const int law_count = COUNT_OF(laws);

/* ---- checking ------------------------------------------------------------------------------------------------------ */

typedef struct LawRun {
    const Law *law;
    const LawOptions *o;
    LawResult *out;
    LawCase *v;
    int n;
    LayersRun run;
} LawRun;

static void failed(LawRun *r, const LawCase *c, const char *why) {
    if (r->out->failed++ == 0)
        snprintf(r->out->why, LAW_WHY, "%.300s: %s on {%s}, %s on {%s}", why, c->text[0].layer, c->text[0].input,
                 c->text[1].layer, c->text[1].input);
}

static void set_numbers(const LawRun *r, LawCase *c) {
    for (int side = 0; side < 2; side++) {
        LayerData *l = c->l[side];
        uint64_t seed = seed_mix(c->state + (uint64_t)side);
        layers_fill(seed, INPUT_MOST, 1, l->x, size_of(c, side, 0));
        if (l->w) layers_fill(seed + 1, WEIGHT_MOST, 1, l->w, size_of(c, side, 1));
        if (l->b) layers_fill(seed + 2, BIAS_MOST, 1, l->b, size_of(c, side, 2));
    }
    r->law->relate(c);
}

static bool run_laws(Arena *a, void *ctx, Diag *d) {
    LawRun *r = ctx;
    LayerText *text = ARENA_ARRAY(a, LayerText, 2 * r->n);
    char why[LAW_WHY];
    for (int i = 0; i < 2 * r->n; i++) text[i] = r->v[i / 2].text[i % 2];
    LunetteOptions o = {.cpu = r->o->cpu, .threads = r->o->threads, .batch = LAW_BATCH};
    if (!layers_load(&r->run, a, &(Layers){text, 2 * r->n}, &o, d)) return false;
    for (int i = 0; i < r->n; i++) {
        LawCase *c = &r->v[i];
        for (int side = 0; side < 2; side++) c->l[side] = &r->run.layer[2 * i + side];
        set_numbers(r, c);
    }
    if (!layers_run(&r->run, d)) return false;
    for (int i = 0; i < r->n; i++) {
        const LawCase *c = &r->v[i];
        if (r->o->tamper) r->o->tamper(r->o->ctx, c->l[0]->y, type_elements(&c->l[0]->node->type));
        if (r->law->holds(c, why)) r->out->held++;
        else failed(r, c, why);
    }
    return true;
}

static bool one_network(LawRun *r, Diag *d) {
    bool good = check_scoped(run_laws, r, d);
    layers_close(&r->run);
    return good;
}

/* Those that cannot be compiled with the others are looked for by halves. */
static bool try_laws(LawRun r, Diag *d) {
    Diag own = {0};
    if (one_network(&r, &own)) return true;
    if (own.kind == DIAG_MACHINE || own.kind == DIAG_USAGE) return diag_fail(d, own.kind, "%s", own.text);
    if (r.n > 1) {
        LawRun first = r, second = r;
        first.n = r.n / 2, second.n = r.n - first.n, second.v += first.n;
        return try_laws(first, d) && try_laws(second, d);
    }
    if (own.kind != DIAG_UNSUPPORTED) {
        failed(&r, r.v, own.text);
        return true;
    }
    if (r.out->unsupported++ == 0 && !r.out->failed) snprintf(r.out->why, LAW_WHY, "%.*s", LAW_WHY - 1, own.text);
    return true;
}

static bool is_there(const Law *law) {
    int op = op_find(law->op);
    for (int i = 0; op >= 0 && law->attr && i < op_table[op].n_attr; i++)
        if (strcmp(op_table[op].attr[i].name, law->attr) == 0) return true;
    return op >= 0 && !law->attr;
}

static bool all_cases(Arena *a, void *ctx, Diag *d) {
    LawRun *r = ctx;
    r->v = ARENA_ARRAY(a, LawCase, r->n);
    for (int i = 0; i < r->n; i++) {
        LawCase *c = &r->v[i];
        c->arena = a;
        c->cpu = r->o->cpu;
        c->state = seed_mix(seed_with(r->o->seed, r->law->name) + (uint64_t)i);
        r->law->draw(c);
    }
    return try_laws(*r, d);
}

bool law_check(int number, const LawOptions *o, LawResult *out, Diag *d) {
    const Law *law = &laws[number];
    *out = (LawResult){.name = law->name, .says = law->says};
    LawRun r = {.law = law, .o = o, .out = out, .n = o->cases};
    if (is_there(law)) return check_scoped(all_cases, &r, d);
    out->unsupported = o->cases;
    snprintf(out->why, LAW_WHY, "there is no %s%s%s", law->op, law->attr ? " with the attribute " : "",
             law->attr ? law->attr : "");
    return true;
}
