/* Tensor types. The type is the layout, and nothing else records it.
 *
 *   f32[n1 c64 h56 w56]                  NCHW, as users see it
 *   f32[n1 C4 h56<1,1> w56<1,1> c16]     NCHW16c with a halo of one zero on each side of h and w
 *   f32[n1 C4 h56<0,1> w56<0,1> c16 halo -inf]
 *   f32[O2 C4 h3 w3 c16 o32]             a packed weight
 *
 * A capital letter is the outer part of a blocked axis: logical channel = C * 16 + c. The extents
 * exclude the halo; memory is dense and row-major over extent + lo + hi, the last axis fastest.
 * Letters: n batch, c (input) channel, o output channel, d h w spatial. */
#ifndef LUNETTE_IR_TYPE_H
#define LUNETTE_IR_TYPE_H

#include "ir/base.h"

/* Kernels compute in float32 whatever a buffer holds: loads and stores convert (ir/README.md, 3.2). A bool is a byte, 0 or 1. */
typedef enum DType { DT_F32, DT_I64, DT_I32, DT_U8, DT_BOOL } DType;

enum { MAX_AXES = 10, MAX_RANK = 8, MAX_SPATIAL = 3 }; /* a plain activation has at most MAX_RANK axes */

typedef struct Axis {
    char letter;
    int32_t extent; /* without the halo; 0 only where there is nothing to compute */
    int32_t lo, hi; /* halo before and after, ≥ 0 */
} Axis;

typedef struct Type {
    DType dtype;
    int rank;
    Axis axis[MAX_AXES];
    float halo; /* what the halo holds; 0 when there is none */
} Type;

size_t dtype_bytes(DType t);
const char *dtype_name(DType t); /* "f32" */
/* Element i of an array of this type, as a number; and the other way round, as a kernel stores it. */
double dtype_get(DType t, const void *data, int64_t i);
void dtype_put(DType t, void *data, int64_t i, double v);
/* What a store makes of a number: of an integer type truncated toward zero, saturated, NaN 0; bool 0 or 1; f32 as it is. */
double dtype_stored(DType t, double v);
/* Letters of an activation of this rank: a letter is a position, whatever the axis means to the network.
 * "" "n" "nc" "ncw" "nchw" "ncdhw" "nctdhw" "ncutdhw" "ncvutdhw"; NULL above MAX_RANK. */
const char *type_letters(int rank);
/* Elements of the logical tensor, and of the memory with halos. Types are checked when made, so
 * these cannot overflow (at most 2^40 elements). */
int64_t type_elements(const Type *t);
int64_t type_memory_elements(const Type *t);
size_t type_bytes(const Type *t); /* of the memory */
bool type_equal(const Type *a, const Type *b);
bool type_same_memory(const Type *a, const Type *b); /* alike but for what the halo holds */
/* Position of the axis with this letter, −1 if there is none. */
int type_find(const Type *t, char letter);
/* Logical extent of an axis given by its small letter, both parts of a blocked axis multiplied: 1 if absent. */
int64_t type_extent(const Type *t, char letter);
/* Block of an axis (16 of C4 … c16; 1 when the axis is not blocked, i.e. there is no capital). */
int32_t type_block(const Type *t, char letter);
bool type_is_plain(const Type *t); /* no blocked axis, no halo */
/* The type as the user sees it: no blocks, no halo. Blocked c comes where C stands. */
Type type_plain(const Type *t);
/* Axes d, h, w of a plain or blocked type, in order. */
int type_spatial(const Type *t, Axis out[MAX_SPATIAL]);
/* f32 of these letters and extents: type_make("nchw", (int64_t[]){1, 3, 224, 224}). False, with
 * `d`, if an extent is < 1 or the size would exceed 2^40 elements. */
bool type_make(Type *t, const char *letters, const int64_t *extents, Diag *d);
/* An activation of this element type, rank and extents; an extent may be 0, which inputs, weights and outputs may have, but
 * no value that is computed. */
bool type_of_rank(Type *t, DType dtype, int rank, const int64_t *extents, Diag *d);

void type_print(Text *t, const Type *type);
const char *type_text(Arena *a, const Type *type);
bool type_parse(Lexer *l, Type *type);

/* Calls fn for the memory position of each logical element in logical (plain row-major) order:
 * position[i] is the offset in memory elements. Used by packing and by the reference. */
void type_offsets(const Type *t, int64_t *position /* [type_elements(t)] */);

#endif
