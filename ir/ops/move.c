#include "ir/ops/move.h"
#include "ir/ops/ops.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

void move_digit(Move *m, const char *name, int64_t extent, int out, int64_t out_step, int in, int64_t in_step) {
    assert(m->n < MAX_DIGITS && strlen(name) < sizeof m->digit->name);
    Digit *d = &m->digit[m->n++];
    *d = (Digit){.extent = extent, .out = out, .in = in, .out_step = out_step, .in_step = in_step};
    memcpy(d->name, name, strlen(name) + 1);
}

const char *move_name(char buf[2], const Type *t, int axis) {
    buf[0] = t->axis[axis].letter;
    buf[1] = '\0';
    return buf;
}

int extents_of(const Type *t, int64_t extent[MAX_AXES]) {
    for (int i = 0; i < t->rank; i++) extent[i] = t->axis[i].extent;
    return t->rank;
}

/* ---- meaning --------------------------------------------------------------------------------- */

static void ref_copy(const RefTensor *from, int64_t i, RefTensor *to, int64_t at, int64_t n) {
    memcpy(to->v + at, from->v + i, sizeof *to->v * (size_t)n);
    if (!to->err) return;
    if (from->err) memcpy(to->err + at, from->err + i, sizeof *to->err * (size_t)n);
    else memset(to->err + at, 0, sizeof *to->err * (size_t)n);
}

void move_all(const RefTensor *x, RefTensor *out) { ref_copy(x, 0, out, 0, type_elements(&out->type)); }

static void strides_of(const Type *t, int64_t stride[MAX_AXES]) {
    int64_t s = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        stride[i] = s;
        s *= t->axis[i].extent;
    }
}

typedef struct Walk {
    const RefTensor *x;
    RefTensor *out;
    int n;
    int64_t extent[MAX_DIGITS], from[MAX_DIGITS], to[MAX_DIGITS];
} Walk;

static void walk(const Walk *w, int k, int64_t from, int64_t to) {
    if (k == w->n) {
        ref_copy(w->x, from, w->out, to, 1);
        return;
    }
    for (int64_t i = 0; i < w->extent[k]; i++) walk(w, k + 1, from + i * w->from[k], to + i * w->to[k]);
}

void move_eval(const Move *m, const RefTensor *x, RefTensor *out) {
    Walk w = {.x = x, .out = out, .n = m->n};
    int64_t in[MAX_AXES], to[MAX_AXES], from_base = 0, to_base = 0;
    strides_of(&x->type, in);
    strides_of(&out->type, to);
    for (int i = 0; i < x->type.rank; i++) from_base += m->in_base[i] * in[i];
    for (int i = 0; i < out->type.rank; i++) to_base += m->out_base[i] * to[i];
    for (int k = 0; k < m->n; k++) {
        const Digit *d = &m->digit[k];
        w.extent[k] = d->extent;
        w.from[k] = d->in == NO_AXIS ? 0 : d->in_step * in[d->in];
        w.to[k] = d->out_step * to[d->out];
    }
    walk(&w, 0, from_base, to_base);
}

/* ---- lowering ---------------------------------------------------------------------------------- */

/* The loops of one digit: channels are cut where blocks of either side say, and the innermost part of blocked
 * channels is kept back for the end. */
static Affine open_digit(Lower *l, Nest *nest, Nest *last, const Digit *d, const Node *x) {
    int64_t cuts[MAX_CUTS], blocks = 1;
    int n = 0;
    if (d->out == 1 && d->out_step == 1) n = lower_out_blocks(l, cuts);
    if (d->in == 1 && d->in_step == 1 && n < MAX_CUTS) cuts[n++] = type_block(&x->type, 'c');
    for (int i = 0; i < n; i++) blocks = cuts[i] > blocks ? cuts[i] : blocks;
    const char *name = arena_strdup(l->a, d->name),
               *outer = arena_printf(l->a, "%c", toupper((unsigned char)d->name[0]));
    if (blocks == 1 && nest->n == 0 && last->n == 0) return nest_loop_always(l, nest, name, d->extent);
    if (blocks == 1) return nest_loop(l, nest, name, d->extent);
    Nest digits = {0};
    Affine at = nest_digits(l, &digits, name, outer, d->extent, cuts, n);
    int inner = digits.n > 0 && d->out == 1 && d->out_step == 1; /* in a flat result channels are not */
    for (int i = 0; i < digits.n - inner; i++) nest->var[nest->n++] = digits.var[i];
    if (inner) last->var[last->n++] = digits.var[digits.n - 1];
    return at;
}

void move_lower(Lower *l, const Move *m, const Node *x) {
    Nest nest = {0}, last = {0};
    Type from = type_plain(&x->type), to = type_plain(&l->group->anchor->type);
    Index in = {.n = from.rank}, out = {.n = to.rank};
    for (int i = 0; i < from.rank; i++) in.v[i] = affine_const(m->in_base[i]);
    for (int i = 0; i < to.rank; i++) out.v[i] = affine_const(m->out_base[i]);
    if (m->n == 0) nest_loop_always(l, &nest, "n", 1);
    for (int k = 0; k < m->n; k++) {
        const Digit *d = &m->digit[k];
        Affine i = open_digit(l, &nest, &last, d, x);
        out.v[d->out] = affine_add(l->a, out.v[d->out], affine_scale(l->a, i, d->out_step));
        if (d->in != NO_AXIS) in.v[d->in] = affine_add(l->a, in.v[d->in], affine_scale(l->a, i, d->in_step));
    }
    for (int i = 0; i < last.n; i++) nest.var[nest.n++] = last.var[i];
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &out, lower_read(l, x, &in))));
}
