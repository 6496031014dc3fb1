/* Weights of Winograd's algorithm, straight from where they lie: G g Gᵀ in double for a few output channels at a time, rounded once. */
#include "frontend/pack_part.h"

#include "ir/ops/winograd.h"

#include <string.h>

enum { LANES = 8 };

typedef double Lane[LANES];

typedef struct TileStream {
    const float *from;   /* [o c r s] */
    const double *scale; /* [o], NULL: none */
    float *to;
    const MapFile *map; /* that the weight lies in; NULL: none */
    WinoAxis h, w;
    int64_t outs, ins;
    int64_t o_block, o_outer, o_inner, c_block, c_outer, c_inner, h_step, w_step; /* steps in the packed memory */
} TileStream;

/* y = G x along the rows (from r to t of them), then along the columns. */
static void transform(const TileStream *s, Lane x[WINO_MOST][WINO_MOST], Lane y[WINO_MOST][WINO_MOST]) {
    Lane mid[WINO_MOST][WINO_MOST];
    memset(mid, 0, sizeof mid);
    for (int i = 0; i < s->h.t; i++)
        for (int k = 0; k < s->h.r; k++)
            for (int j = 0; j < s->w.r; j++)
                for (int l = 0; l < LANES; l++) mid[i][j][l] += s->h.g[i][k] * x[k][j][l];
    for (int i = 0; i < s->h.t; i++)
        for (int j = 0; j < s->w.t; j++) {
            memset(y[i][j], 0, sizeof y[i][j]);
            for (int k = 0; k < s->w.r; k++)
                for (int l = 0; l < LANES; l++) y[i][j][l] += s->w.g[j][k] * mid[i][k][l];
        }
}

/* Blocks of LANES output channels begin … end−1. */
static void tile_slices(void *ctx, int64_t begin, int64_t end, int thread) {
    const TileStream *s = ctx;
    const int64_t taps = (int64_t)s->h.r * s->w.r;
    (void)thread;
    for (int64_t o = begin * LANES; o < end * LANES && o < s->outs; o += LANES) {
        int n = s->outs - o < LANES ? (int)(s->outs - o) : LANES;
        int64_t at[LANES];
        for (int l = 0; l < n; l++) at[l] = (o + l) / s->o_block * s->o_outer + (o + l) % s->o_block * s->o_inner;
        for (int64_t c = 0; c < s->ins; c++) {
            Lane x[WINO_MOST][WINO_MOST] = {{{0}}}, y[WINO_MOST][WINO_MOST];
            float *to = s->to + c / s->c_block * s->c_outer + c % s->c_block * s->c_inner;
            for (int l = 0; l < n; l++) {
                const float *from = s->from + ((o + l) * s->ins + c) * taps;
                for (int64_t k = 0; k < taps; k++)
                    x[k / s->w.r][k % s->w.r][l] = s->scale ? (double)from[k] * s->scale[o + l] : (double)from[k];
            }
            transform(s, x, y);
            for (int i = 0; i < s->h.t; i++)
                for (int j = 0; j < s->w.t; j++)
                    for (int l = 0; l < n; l++) to[i * s->h_step + j * s->w_step + at[l]] = (float)y[i][j][l];
        }
        const float *done = s->from + o * s->ins * taps; /* its pages go at once: a weight may be large */
        if (s->map) mapfile_release(s->map, done, sizeof *done * (size_t)(n * s->ins * taps));
    }
}

/* How far one step along the axis goes in memory; 0: there is no such axis. */
static int64_t step_of(const Type *t, char letter) {
    int64_t step = 1;
    for (int i = t->rank - 1; i >= 0; step *= t->axis[i--].extent)
        if (t->axis[i].letter == letter) return step;
    return 0;
}

bool pack_winograd(const LunetteModel *m, Arena *a, const Node *node, char *out, Pool *pool, Diag *d) {
    const Node *packed = node, *n = node;
    while (n->op == OP_RELAYOUT) n = n->in[0];
    if (n->op != OP_WINOWEIGHT || n == packed) return false;
    const Dims *tile = &n->attr.WINOWEIGHT.tile;
    const Node *scale, *source = streamed_source(n->in[0], &scale);
    if (!source) return false;
    const Type *t = &packed->type, plain = type_plain(&source->type);
    const RefTensor *rows = scale ? constant_value(m, a, scale, d) : NULL;
    if (scale && !rows) return false;
    TileStream s = {.from = m->weight[source->origin->id],
                    .scale = rows ? rows->v : NULL,
                    .to = (float *)(void *)out,
                    .outs = plain.axis[0].extent,
                    .ins = plain.axis[1].extent,
                    .o_block = type_block(t, 'o'),
                    .c_block = type_block(t, 'c'),
                    .h_step = step_of(t, 'h'),
                    .w_step = step_of(t, 'w')};
    s.o_outer = step_of(t, s.o_block > 1 ? 'O' : 'o');
    s.c_outer = step_of(t, s.c_block > 1 ? 'C' : 'c');
    s.o_inner = step_of(t, 'o');
    s.c_inner = step_of(t, 'c');
    int last = tile->n - 1;
    wino_axis(&s.h, last > 0 ? tile->v[0] : 1, last > 0 ? plain.axis[2].extent : 1);
    wino_axis(&s.w, tile->v[last], plain.axis[2 + last].extent);
    s.map = m->file ? m->file->map : NULL;
    int64_t slices = (s.outs + LANES - 1) / LANES;
    if (pool) pool_run(pool, tile_slices, &s, slices);
    else tile_slices(&s, 0, slices, 0);
    if (m->file) mapfile_release(m->file->map, s.from, type_bytes(&source->type));
    return true;
}
