/* Random legal schedules: steps are tried at random, and those that prove themselves legal stay. */
#include "frontend/check_law_part.h"

#include <string.h>

enum { STEPS_TRIED = 14 };

static const char *random_var(LawCase *c, const Kernel *k) { return k->var[law_draw(c, 0, k->n_var - 1)].name; }

/* All loops in random order, each name once. */
static const char *random_order(LawCase *c, const Kernel *k) {
    Text t = {.arena = c->arena};
    int *place = ARENA_ARRAY(c->arena, int, k->n_var);
    for (int i = 0; i < k->n_var; i++) place[i] = i;
    for (int i = k->n_var - 1; i > 0; i--) {
        int j = (int)law_draw(c, 0, i), swap = place[i];
        place[i] = place[j];
        place[j] = swap;
    }
    text_add(&t, "order");
    for (int i = 0; i < k->n_var; i++) {
        bool seen = false;
        for (int j = 0; j < i; j++) seen |= strcmp(k->var[place[i]].name, k->var[place[j]].name) == 0;
        if (!seen) text_add(&t, " %s", k->var[place[i]].name);
    }
    return text_get(&t);
}

static const char *random_step(LawCase *c, const Kernel *k, int number) {
    const char *var = random_var(c, k);
    Arena *a = c->arena;
    switch (law_draw(c, 0, 7)) {
    case 0:
    case 1: return arena_printf(a, "split %s %d -> s%d t%d", var, (int)law_draw(c, 1, 9), number, number);
    case 2: return random_order(c, k);
    case 3: return arena_printf(a, "stage %s at %s -> acc%d", k->buf[law_draw(c, 0, k->n_buf - 1)].name, var, number);
    case 4: return arena_printf(a, "rfactor %s %d -> r%d", var, (int)law_draw(c, 2, 5), number);
    case 5: return arena_printf(a, "par %s", var);
    case 6: return arena_printf(a, "unroll %s", var);
    default: return arena_printf(a, "vec %s", var);
    }
}

/* The kernel of the convolution as it is lowered. */
static Kernel *find_kernel(const LunetteModel *m, Arena *a) {
    for (int i = 0; i < m->context.groups.n; i++) {
        Op op = m->context.groups.v[i].anchor->op;
        if (strncmp(op_table[op].name, "conv", 4) == 0) return kernel_clone(a, m->kernel[i].plain.kernel);
    }
    return NULL;
}

void law_draw_schedule(LawCase *c) {
    LawLayer l;
    Diag d = {0};
    const char *op = op_find("convtranspose") >= 0 && law_draw(c, 0, 3) == 0 ? "convtranspose" : "conv";
    law_layer(c, &l, op, (int)law_draw(c, 1, 3));
    c->text[0] = c->text[1] = law_text(c, &l);
    LunetteOptions o = {.no_cache = 1, .batch = LAW_BATCH, .cpu = c->cpu};
    LunetteModel *m = model_load_from(layers_read, &(Layers){c->text, 1}, &o, NULL, NULL, &d);
    Kernel *k = m ? find_kernel(m, c->arena) : NULL;
    for (int i = 0; i < STEPS_TRIED && k; i++) {
        Diag refused = {0};
        kernel_schedule(k, random_step(c, k, i), NULL, &refused);
    }
    if (k && k->steps[0]) {
        l.more = arena_printf(c->arena, ", schedule = \"%s\"", k->steps);
        c->text[1] = law_text(c, &l);
    }
    model_close(m);
}
