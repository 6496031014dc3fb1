/* Register tiles.
 *
 * A reduction nest (y = init; y += x·w; y = tail) becomes a register tile: one loop of the result is
 * the vector, one that w follows and x does not gives several vectors for each x, and positions give
 * several x for each w. The tile keeps the whole reduction: vectors × positions accumulators, as many
 * as the registers hold beside the weights and one broadcast, and at least the latency of the
 * multiply-add times the units. Its cost a reduction step is modelled as
 *
 *     max(multiply-adds, latency bound) + ½ · weight loads + 1/20 · positions           32 registers
 *     max(multiply-adds, loads, latency bound) + 1/5 · weight loads + 3/100 · positions   16 registers
 *
 * summed over full and rest tiles; the cheapest wins. (The broadcasts of x are nearly free, as operands
 * from memory, but not quite: with several vectors a tile reads each x once for all of them. Measured on
 * Zen 4, shares of peak, 1×28 and 2×14: 3×3 64→64 at 56×56 98.5 and 99.4 %, 1×1 256→64 95.5 and 97.6 %;
 * 1×7 and 3×7 on 3×3 512→512 at 7×7: 94.9 and 97.8 %.) The body of the innermost reduction loop stays
 * short (up to 4 input channels): longer ones make LLVM hoist loads and spill. Indirect loads are done lane by
 * lane, and with these it is not unrolled at all: a 3×3 convolution of sampled positions is twice as fast so, in a
 * fifth of the time to compile. */
#include "ir/schedule_choice.h"

/* Registers that a vector of this many elements takes: whole ones, then a power of two each. */
int64_t vector_parts(int64_t width, int lanes) {
    return width / lanes + __builtin_popcountll((uint64_t)(width % lanes));
}

/* What one reduction step of a tile costs, in multiply-adds of a vector. */
static double tile_step_cost(const Choice *c, int64_t many, int64_t positions, int64_t vectors, bool weights) {
    double fmas = (double)(many * positions * vectors), least = c->t->fma_latency;
    double w = (double)(many * vectors), x = (double)positions;
    if (!weights) w = (double)(positions * vectors), x = 0;
    if (c->t->vector_registers >= 32) return (fmas > least ? fmas : least) + 0.5 * w + 0.05 * x;
    /* without broadcasts as operands: as many loads a cycle as multiply-adds, beside each other; just enough accumulators for the
     * latency lose where something else delays one (Zen 3, 1×1 256→128 at 56×56, medians: 2×6 0.93 of 2×4, 3×4 0.90) */
    double most = fmas > 1.1 * least ? fmas : 1.1 * least;
    return (w + x > most ? w + x : most) + (weights ? 0.2 * w + 0.03 * x : 0.5 * w);
}

static double tile_cost(const Choice *c, const TileChoice *t, int64_t many_all, int64_t position_all, int64_t vectors,
                        bool weights) {
    double cost = 0;
    for (int r = 0; r < 2; r++)
        for (int q = 0; q < 2; q++) {
            int64_t many = r ? many_all % t->n_many : t->n_many, times = r ? 1 : many_all / t->n_many;
            int64_t positions = q ? position_all % t->n_position : t->n_position,
                    again = q ? 1 : position_all / t->n_position;
            if (many > 0 && positions > 0)
                cost += (double)(times * again) * tile_step_cost(c, many, positions, vectors, weights);
        }
    return cost;
}

/* Sorted by cost; of two that cost as good as the same the first stays before. */
static void keep_best(TileChoice best[TILE_RANKS], int *n, const TileChoice *one) {
    int at = *n;
    while (at > 0 && one->cost < best[at - 1].cost * 0.999) at--;
    if (at == TILE_RANKS) return;
    if (*n < TILE_RANKS) ++*n;
    for (int i = *n - 1; i > at; i--) best[i] = best[i - 1];
    best[at] = *one;
}

void tile_choose_size(const Choice *c, TileChoice *t, bool weights) {
    int lanes = target_lanes(c->t);
    int64_t width = t->vec_split ? t->vec_split : t->vec_extent, vectors = vector_parts(width, lanes);
    int64_t many_all = t->many >= 0 ? choice_extent(c, t->many) : 1,
            position_all = t->position >= 0 ? choice_extent(c, t->position) : 1;
    /* Without broadcasts from memory as an operand (AVX-512's), each position needs a register for one, and
     * LLVM loads many ahead: 1×12 spills where 2×6 does not. */
    int64_t most_positions = c->t->vector_registers >= 32 ? 28 : 6;
    int64_t most_registers = c->t->vector_registers >= 32 ? 31 : c->t->vector_registers; /* 3×4 of 16 does not spill */
    if (t->position < 0 && weights &&
        many_all > 4) { /* a product with one vector: bound by memory, best read at four places at once */
        t->n_many = 4;
        t->cost = tile_cost(c, t, many_all, 1, vectors, weights);
        return;
    }
    TileChoice best[TILE_RANKS];
    int n = 0;
    for (int64_t m = 1; m <= many_all && m <= 8; m++)
        for (int64_t p = 1; p <= position_all && p <= most_positions; p++) {
            int64_t registers = m * p * vectors + (weights ? m * vectors : 0) + 1;
            if (registers > most_registers && m * p > 1) continue;
            TileChoice one = *t;
            one.n_many = m;
            one.n_position = p;
            one.cost = tile_cost(c, &one, many_all, position_all, vectors, weights);
            keep_best(best, &n, &one);
        }
    *t = best[c->variant.rank < n ? c->variant.rank : n - 1];
}

/* ---- what stays in the second-level cache -------------------------------------------------------------------- */

int64_t divisor_below(int64_t n, int64_t most, int64_t least) {
    for (int64_t d = most < n ? most : n; d >= least && d > 0; d--)
        if (n % d == 0) return d;
    return n;
}

enum { ENOUGH_TASKS = 16 };

/* With blocks of output channels outside, all of x passes for each block, x·blocks bytes; with strips outside, all
 * weights pass for each strip. Which matters where x does not stay in the second-level cache and a multiply-add of a
 * vector needs much of it: 2 bytes in a 1×1 with two vectors, 0.2 in a 3×3. Rows of many blocked channels are as many
 * streams, more than a prefetcher follows. Measured on Zen 3 (512 KB), medians against no strips: 1×1 256→64 at 56×56 in
 * strips of 114 KB 0.42, of 230 KB 0.46, of 800 KB 0.59; 512→512 at 14×14 in strips of 57 KB 0.82; 3×3 128→128 at
 * 112×112 in 1 to 8 rows 0.96–0.98, 256→256 at 56×56 the same with and without. */
int64_t strip_choose(Choice *c, const Traffic *t, int64_t extent, int64_t least) {
    double l2 = (double)c->t->l2_bytes, all = t->x * (double)t->blocks;
    CacheVariant v = c->variant.caches;
    bool forced = v == CACHE_SMALL_STRIPS || v == CACHE_LARGE_STRIPS;
    if (v == CACHE_PLAIN || v == CACHE_CHUNKS) return 0;
    if (t->blocks == 1 || (!forced && t->x <= l2 / 2)) return 0;
    bool bound = v == CACHE_SMALL_STRIPS ||
                 (!forced && all >= 0.5 * t->fmas); /* by memory, if all of x came from there each time */
    if (forced) l2 /= bound ? 2 : 1;
    int64_t fits = (int64_t)((double)extent * l2 / (bound ? 4 : 2) / t->x);
    if (t->rest && fits > extent / ENOUGH_TASKS) fits = extent / ENOUGH_TASKS;
    int64_t strip = divisor_below(extent, fits > least ? fits : least, least);
    double strips = (double)extent / (double)strip;
    if (strip == extent || (!forced && t->w * strips > (bound ? all : 0.15 * t->fmas))) return 0;
    text_add(&c->reason, "; x %.1f MB > L2: %lld strips outside the output channels", 1e-6 * t->x, (long long)strips);
    return strip;
}

/* Not for little work: 2^16 vectors take about ten microseconds. */
int64_t strip_for_tasks(Choice *c, const Traffic *t, int64_t extent, int64_t n, int64_t tasks) {
    enum { LEAST_TILES = 4, LITTLE = 1 << 16 };
    if (tasks >= ENOUGH_TASKS || t->fmas < LITTLE) return 0;
    int64_t strip = divisor_below(extent, extent * tasks / ENOUGH_TASKS, LEAST_TILES * n);
    if (strip == extent) return 0;
    text_add(&c->reason, "; %lld strips, for tasks", (long long)(extent / strip));
    return strip;
}

/* A block's weights pass once for each tile of positions. If they do not stay in the second-level cache beside the
 * rows of x, the reduction is done in chunks whose weights do, with the sums in memory between chunks: two loads and
 * stores for each of hundreds of multiply-adds. Measured on Zen 3 (512 KB), medians against no chunks: 3×3 512→512 at
 * 28×28, 295 KB a block, in chunks of 147 KB 0.96, 74 KB 0.92, 37 KB 0.90; 256→256, 147 KB a block: the same. */
static int64_t chunk_of_bytes(int64_t extent, double panel, double bytes) {
    int64_t fits = (int64_t)((double)extent * bytes / panel);
    return divisor_below(extent, fits > 1 ? fits : 1, 1);
}

/* With few positions weights do not come from a cache often enough to pay for coming from memory, which no prefetcher hides:
 * several panels are as many streams. In small chunks, each fetched while the one before is used. Measured on Zen 3, weights in
 * memory, least times against no chunks: 1×1 2048→512 at 7×7 in chunks of 4 KB 0.91, 8 KB 0.92, 16 KB 0.95, 512→2048 0.91, 0.93,
 * 0.94; 3×3 512→512 at 7×7, medians, 6.9 KB 0.94, 14 KB 1.0 of chunks of 55 KB that are not fetched ahead; 1×1 at 14×14: a loss. */
int64_t chunk_to_fetch(Choice *c, const Traffic *t, int64_t extent) {
    enum { FEW_POSITIONS = 100, LEAST_PASSES = 4 };
    double positions = t->fmas * c->t->vector_bytes / t->w;
    if (c->variant.caches != CACHE_MODEL || extent < 2) return 0;
    if (positions >= FEW_POSITIONS || t->passes < LEAST_PASSES || t->w <= 2.0 * (double)c->t->l2_bytes) return 0;
    int64_t chunk = chunk_of_bytes(extent, t->w / (double)t->blocks, (double)c->t->l1_bytes / 8);
    if (chunk == extent) return 0;
    text_add(&c->reason, "; %.0f positions for %.1f MB of weights: %lld chunks of the reduction, fetched ahead",
             positions, 1e-6 * t->w, (long long)(extent / chunk));
    return chunk;
}

int64_t chunk_choose(Choice *c, const Traffic *t, int64_t extent) {
    double l2 = (double)c->t->l2_bytes, panel = t->w / (double)t->blocks;
    if (c->variant.caches == CACHE_CHUNKS) l2 /= 2;
    else if (c->variant.caches != CACHE_MODEL) return 0;
    if (t->passes < 8 || panel <= l2 * 3 / 8 || extent < 2) return 0;
    int64_t chunk = chunk_of_bytes(extent, panel, l2 / 8);
    if (chunk == extent) return 0;
    text_add(&c->reason, "; weights of a block %.0f KB > L2: %lld chunks of the reduction", 1e-3 * panel,
             (long long)(extent / chunk));
    return chunk;
}
