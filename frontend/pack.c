/* Packing: constants into the memory that kernels read, once, when a model is built; while kernels are compiled, by the
 * threads that have none to compile.
 *
 * Most are weights in another layout, their rows perhaps scaled by a batch norm. Those go straight from where they lie (a
 * mapped file) to where they are wanted (transformed for Winograd's algorithm: pack_winograd.c), shared between threads, each value computed in double and rounded once; pages of
 * the file that were read are given back at once. Everything else is evaluated whole, by the reference. */
#include "frontend/pack_part.h"

#include "runtime/reference.h"

#include <ctype.h>
#include <stdatomic.h>
#include <string.h>

/* ---- what is evaluated ------------------------------------------------------------------------------ */

static RefTensor *weight_tensor(const LunetteModel *m, Arena *a, const Node *w) {
    return ref_from_f32(a, &w->origin->type, m->weight[w->origin->id]);
}

const RefTensor *constant_value(const LunetteModel *m, Arena *a, const Node *node, Diag *d) {
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, m->graph->n_node);
    /* only the weights that this one needs: those it reaches */
    bool *needed = ARENA_ARRAY(a, bool, m->graph->n_node);
    needed[node->id] = true;
    for (int i = node->id; i >= 0; i--) {
        const Node *n = m->graph->node[i];
        if (!needed[i]) continue;
        if (n->op == OP_WEIGHT) value[i] = weight_tensor(m, a, n);
        for (int j = 0; j < n->n_in; j++) needed[n->in[j]->id] = true;
    }
    return reference_eval(a, m->graph, value, node, false, d) ? value[node->id] : NULL;
}

/* The halo, if any, as a kernel would store it. */
static void pack_halo(const Type *t, char *out) {
    int64_t memory = type_memory_elements(t);
    if (memory == type_elements(t)) return;
    for (int64_t i = 0; i < memory; i++) dtype_put(t->dtype, out, i, (double)t->halo);
}

/* memory[…] = the elements in logical order: the bits of a weight, or values that are stored now. */
static void pack_values(Arena *a, const Type *t, const char *bits, const double *v, char *out) {
    int64_t n = type_elements(t), *at = ARENA_ARRAY(a, int64_t, n);
    size_t size = dtype_bytes(t->dtype);
    type_offsets(t, at);
    pack_halo(t, out);
    for (int64_t e = 0; bits && e < n; e++) memcpy(out + (size_t)at[e] * size, bits + (size_t)e * size, size);
    for (int64_t e = 0; v && e < n; e++) dtype_put(t->dtype, out, at[e], v[e]);
}

/* A constant straight from a weight, perhaps in another layout: no arithmetic to do. */
static const Node *plain_source(const Node *n) {
    while (n->op == OP_RELAYOUT) n = n->in[0];
    return n->op == OP_WEIGHT ? n : NULL;
}

static bool pack_whole(const LunetteModel *m, Arena *a, const Node *node, char *out, Diag *d) {
    const Node *source = plain_source(node);
    const RefTensor *value = source ? NULL : constant_value(m, a, node, d);
    if (!source && !value) return false;
    pack_values(a, &node->type, source ? m->weight[source->origin->id] : NULL, value ? value->v : NULL, out);
    return true;
}

/* ---- what is streamed ------------------------------------------------------------------------------- */

/* The axes of the packed memory that have more than one place, outermost first: how far a step goes in the plain weight,
 * and along its rows. */
typedef struct Stream {
    const float *from;
    float *to;
    const double *scale; /* [rows], NULL: none */
    int rank;
    int64_t extent[MAX_AXES], step[MAX_AXES], row[MAX_AXES];
    int64_t slice; /* elements of the packed memory in one step of the outermost axis */
} Stream;

/* The two innermost axes: most often channels by a block of outputs. */
static void stream_tile(const Stream *s, const float *from, int64_t row, float *to) {
    const int outer = s->rank - 2, inner = s->rank - 1;
    const int64_t n = s->extent[inner], step = s->step[inner], row_step = s->row[inner];
    for (int64_t j = 0; j < s->extent[outer]; j++) {
        const float *f = from + j * s->step[outer];
        const double *scale = s->scale ? s->scale + row + j * s->row[outer] : NULL;
        for (int64_t i = 0; i < n && !scale; i++) to[i] = f[i * step];
        for (int64_t i = 0; i < n && scale; i++) to[i] = (float)((double)f[i * step] * scale[i * row_step]);
        to += n;
    }
}

static void stream_axis(const Stream *s, int axis, const float *from, int64_t row, float *to) {
    if (axis == s->rank - 2) {
        stream_tile(s, from, row, to);
        return;
    }
    int64_t inside = 1;
    for (int i = axis + 1; i < s->rank; i++) inside *= s->extent[i];
    for (int64_t i = 0; i < s->extent[axis]; i++)
        stream_axis(s, axis + 1, from + i * s->step[axis], row + i * s->row[axis], to + i * inside);
}

static void stream_slices(void *ctx, int64_t begin, int64_t end, int thread) {
    const Stream *s = ctx;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        stream_axis(s, 1, s->from + i * s->step[0], i * s->row[0], s->to + i * s->slice);
    }
}

static void stream_push(Stream *s, int at, int64_t extent, int64_t step, int64_t row) {
    for (int i = s->rank++; i > at; i--) {
        s->extent[i] = s->extent[i - 1];
        s->step[i] = s->step[i - 1];
        s->row[i] = s->row[i - 1];
    }
    s->extent[at] = extent;
    s->step[at] = step;
    s->row[at] = row;
}

/* [O C h w c o] of the plain weight [o c h w]; false if the layout has halos. */
static bool stream_axes(Stream *s, const Type *t) {
    Type plain = type_plain(t);
    int64_t stride[MAX_AXES], all = 1;
    for (int i = plain.rank - 1; i >= 0; all *= plain.axis[i--].extent) stride[i] = all;
    for (int i = 0; i < t->rank; i++) {
        char letter = t->axis[i].letter, small = (char)tolower((unsigned char)letter);
        int of = type_find(&plain, small);
        int64_t block = letter == small ? 1 : type_block(t, small);
        if (t->axis[i].lo || t->axis[i].hi) return false;
        if (t->axis[i].extent > 1) stream_push(s, s->rank, t->axis[i].extent, stride[of] * block, of == 0 ? block : 0);
    }
    while (s->rank < 3) stream_push(s, s->rank ? s->rank - 1 : 0, 1, 0, 0); /* slices of tiles, if only of one row */
    s->slice = 1;
    for (int i = 1; i < s->rank; i++) s->slice *= s->extent[i];
    return true;
}

const Node *streamed_source(const Node *n, const Node **scale) {
    *scale = NULL;
    if (n->type.dtype != DT_F32) return NULL;
    while (n->op == OP_RELAYOUT) n = n->in[0];
    if (n->op == OP_SCALEROWS) {
        *scale = n->in[1];
        n = n->in[0];
    }
    return n->op == OP_WEIGHT && n->type.dtype == DT_F32 ? n : NULL;
}

/* False with no message: not of this kind. */
static bool pack_streamed(const LunetteModel *m, Arena *a, const Node *node, char *out, Pool *pool, Diag *d) {
    const Node *scale, *source = streamed_source(node, &scale);
    Stream s = {0};
    if (!source || type_elements(&node->type) == 0 || !stream_axes(&s, &node->type)) return false;
    const RefTensor *rows = scale ? constant_value(m, a, scale, d) : NULL;
    if (scale && !rows) return false;
    s.scale = rows ? rows->v : NULL;
    s.from = m->weight[source->origin->id];
    s.to = (float *)(void *)out;
    if (pool) pool_run(pool, stream_slices, &s, s.extent[0]);
    else stream_slices(&s, 0, s.extent[0], 0);
    if (m->file) mapfile_release(m->file->map, s.from, type_bytes(&source->type));
    return true;
}

bool constant_pack(const LunetteModel *m, const Node *node, void *out, Pool *pool, Diag *d) {
    Arena *a = arena_open(d);
    Diag own = {0};
    if (!a) return false;
    volatile bool good = false;
    if (ARENA_TRY(a))
        good = pack_streamed(m, a, node, out, pool, &own) || pack_winograd(m, a, node, out, pool, &own) ||
               (own.kind == DIAG_NONE && pack_whole(m, a, node, out, &own));
    else diag_fail(&own, DIAG_MACHINE, "out of memory while packing weights");
    ARENA_END(a);
    arena_close(a);
    return good || diag_fail(d, own.kind, "%s", own.text);
}

/* ---- all of a model's ------------------------------------------------------------------------------- */

void packing_open(Packing *p, LunetteModel *m) {
    *p = (Packing){.model = m};
    pthread_mutex_init(&p->lock, NULL);
}

/* Of several buffers that fail the first counts. All before it were taken before it, so it is the same in each run. */
static void packing_fail(Packing *p, int buf, const Diag *d) {
    pthread_mutex_lock(&p->lock);
    if (p->why.kind == DIAG_NONE || buf < p->failed) {
        p->failed = buf;
        p->why = *d;
    }
    pthread_mutex_unlock(&p->lock);
    atomic_store(&p->next, p->model->plan->n_buf);
}

bool packing_step(Packing *p, Pool *pool) {
    const LunetteModel *m = p->model;
    const Plan *plan = m->plan;
    for (int b; (b = atomic_fetch_add(&p->next, 1)) < plan->n_buf;) {
        Diag d = {0};
        if (plan->buf[b].place != PLACE_WEIGHTS) continue;
        if (!constant_pack(m, m->buf_node[b], m->weights + plan->buf[b].at, pool, &d)) packing_fail(p, b, &d);
        return true;
    }
    return false;
}

bool packing_close(Packing *p, Diag *d) {
    pthread_mutex_destroy(&p->lock);
    return p->why.kind == DIAG_NONE || diag_fail(d, p->why.kind, "%s", p->why.text);
}
