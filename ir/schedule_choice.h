/* What the parts of the schedule model share. Private to ir/schedule*.c. */
#ifndef LUNETTE_IR_SCHEDULE_CHOICE_H
#define LUNETTE_IR_SCHEDULE_CHOICE_H

#include "ir/schedule.h"

enum { MAX_PATH = 24 };

/* The loops around one store, outermost first. */
typedef struct Path {
    int n, var[MAX_PATH];
    const Stmt *store;
} Path;

/* What the tuner tries besides the model's choice. */
typedef enum CacheVariant {
    CACHE_MODEL,
    CACHE_PLAIN,
    CACHE_SMALL_STRIPS,
    CACHE_LARGE_STRIPS,
    CACHE_CHUNKS,
    CACHE_VARIANTS
} CacheVariant;
enum { TILE_RANKS = 4 };

typedef struct Variant {
    int rank; /* of the tile's size by the model: 0 the best, below TILE_RANKS */
    CacheVariant caches;
} Variant;

/* A schedule in the making. */
typedef struct Choice {
    Arena *a;
    const Kernel *k, *plain; /* after the steps that were applied at once; before any */
    const Target *t;
    const Stmt *nests; /* of the kernel's result, or of a source */
    int sources;       /* scratch buffers that are set first, to be computed in strips of the result's positions */
    bool inside;       /* the nests are of a source, in such a strip: no strips and no tasks of their own */
    Text steps, reason;
    Variant variant; /* {0}: what the model thinks best */
} Choice;

void choice_step(Choice *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *choice_name(const Choice *c, int var);
int64_t choice_extent(const Choice *c, int var);
/* How far the loop moves the store's target in memory, in elements. */
int64_t choice_coef(const Choice *c, const Stmt *store, int var);
/* Vectors for the loops of these nests that set contiguous elements. */
void choose_vectors(Choice *c, const Stmt *nests);

/* A register tile and the loops around it. */
typedef struct TileChoice {
    int vec;                       /* the vector loop … */
    int64_t vec_extent, vec_split; /* … split by this first; 0: whole */
    int many;                      /* several vectors for each x; −1 if none */
    int position;                  /* several positions; −1 if none */
    int64_t n_many, n_position;
    double cost;
    int strip;       /* the loop over positions that is cut into strips; −1 if none */
    int64_t n_strip; /* iterations of it in a strip */
    int chunk;       /* the reduction loop that is cut into chunks, outside the positions; −1 if none */
    int64_t n_chunk; /* iterations of it in a chunk */
    bool fetch;      /* weights of the next chunk are fetched ahead */
} TileChoice;

/* schedule_cost.c. Registers that a vector of this many elements takes: whole ones, then a power of two each. */
int64_t vector_parts(int64_t width, int lanes);
/* Sets n_many, n_position and cost from the loops; `weights`: one operand stands still in the vector loop. */
void tile_choose_size(const Choice *c, TileChoice *t, bool weights);
/* What a tile's nest moves, for one image and group. */
typedef struct Traffic {
    double x, w;    /* bytes of the operand that moves with positions, and of the other */
    double fmas;    /* vector multiply-adds */
    int64_t blocks; /* how often all positions pass: blocks of output channels */
    int64_t groups;
    bool rest;      /* the last block is smaller: then blocks are no tasks within a strip */
    int64_t passes; /* how often a block's weights pass: tiles of positions */
} Traffic;

/* The largest divisor of n that is at most `most` (and at least `least`, else n). */
int64_t divisor_below(int64_t n, int64_t most, int64_t least);
/* Iterations of the strip loop (of `extent`) that a strip should have, at least `least`; 0: no strips. Adds the reason. */
int64_t strip_choose(Choice *c, const Traffic *t, int64_t extent, int64_t least);
/* The same where all positions are one loop, of tiles of n, so that there are enough tasks to share: without strips there
 * are `tasks`. */
int64_t strip_for_tasks(Choice *c, const Traffic *t, int64_t extent, int64_t n, int64_t tasks);
/* Iterations of the reduction loop that a chunk should have; 0: no chunks. Adds the reason. */
int64_t chunk_choose(Choice *c, const Traffic *t, int64_t extent);
/* The same where weights of a chunk should be fetched while the one before is used. */
int64_t chunk_to_fetch(Choice *c, const Traffic *t, int64_t extent);

/* A loop outside the tile, or what is left of one that the tile or the strips split. */
typedef struct Outer {
    const char *name;
    int var;
    int64_t times;
    bool rest; /* a shorter iteration stands behind it, as a nest of its own */
    bool sums; /* over chunks of the reduction: no tasks */
} Outer;

typedef struct OuterList {
    int n;
    Outer v[2 * MAX_PATH];
} OuterList;

/* schedule_source.c: what this kernel computes and then reads itself. */
int source_count(const Kernel *k);
/* The nests that set the kernel's result: behind those of sources. */
const Stmt *source_main_nests(const Kernel *k);
/* The strip loop that the sources are computed in, with its iterations; false where they are not worth it. Adds the reason. */
bool source_strips(Choice *c, const Path *p, TileChoice *t);
/* Steps for a result that has no reduction: none if it is not worth it. */
void source_sweep(Choice *c);
/* Steps that put the sources into the strip loop and schedule them there; false if they are not legal. */
bool source_steps(Choice *c, const char *strips);
/* A loop with a condition: it is not split, nor a vector. */
bool source_conditional(const Choice *c, int var);

/* schedule.c: the deepest reduction store of a list of nests, with its loops; `path` begins empty. */
void choice_find_reduction(const Stmt *s, Path *path, Path *best);
/* The steps for c->nests. */
void choose_nests(Choice *c);

/* schedule_tile.c. Some load of the expression moves with the loop (all: every one does). */
bool tile_loads_follow(const Choice *c, const Expr *e, int var, bool all);
/* The path's i-th loop belongs to the reduction. */
bool tile_is_reduction(const Choice *c, const Path *p, int i);
/* What the nest moves; x and w as the operands of its product. */
Traffic tile_traffic(const Choice *c, const Path *p, const TileChoice *t, const Expr *x, const Expr *w);
/* Loops that one operand moves with and the other does not: positions, of x, and output channels, of w. */
bool tile_follows_alone(const Choice *c, const Expr *x, const Expr *w, int var);
/* All loops of that name are as long: then a split has a rest in all nests or in none. */
bool tile_extents_agree(const Choice *c, const Stmt *s, const char *name, int64_t extent);
/* The longest loop of the reduction but for the innermost, −1 if there is none. */
int tile_longest_reduction(const Choice *c, const Path *p);
/* Bytes of the box that a load of this expression goes through, the largest of several. */
int64_t tile_load_bytes(const Choice *c, const Expr *e);
/* What the loop is called once strips and chunks are cut. */
const char *tile_loop_name(const Choice *c, const TileChoice *t, int var);

/* schedule_hints.c. unrolled: the reduction loop that will be, NULL if none. */
void clip_windows(Choice *c, const Path *p, const TileChoice *t, const char *unrolled);
void fetch_ahead(Choice *c, const Path *p, const TileChoice *t, const OuterList *list);

/* schedule_tile.c: the loop of a reduction's result that becomes the vector, −1 if none can; and the
 * register tile around it. */
int tile_find_vector(const Choice *c, const Path *p);
void choose_tile_schedule(Choice *c, const Path *p, int vec);

#endif
