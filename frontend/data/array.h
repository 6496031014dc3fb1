/* A dense array as a file holds it: element type, shape, bytes in C order (last axis fastest). */
#ifndef LUNETTE_DATA_ARRAY_H
#define LUNETTE_DATA_ARRAY_H

#include "frontend/data/mapfile.h"

typedef enum ElemType {
    ELEM_BOOL, /* a byte, 0 is false */
    ELEM_U8,
    ELEM_I8,
    ELEM_U16,
    ELEM_I16,
    ELEM_U32,
    ELEM_I32,
    ELEM_U64,
    ELEM_I64,
    ELEM_F16,
    ELEM_BF16,
    ELEM_F32,
    ELEM_F64,
} ElemType;

size_t elem_bytes(ElemType t);
const char *elem_name(ElemType t); /* "f32", … */

/* Where an array came from. Images and IDX files of u8 hold brightness 0 … 255, which a caller
 * scales by 1/255; the numbers of an npy file are meant as they stand. */
typedef enum DataKind { DATA_NPY, DATA_IDX, DATA_IMAGE } DataKind;

enum { ARRAY_MAX_RANK = 10, ARRAY_SHAPE_TEXT = 256 };

typedef struct Array {
    ElemType type;
    DataKind data_kind;
    int rank;                      /* 0: one number */
    int64_t shape[ARRAY_MAX_RANK]; /* each ≥ 0 */
    const void *data;              /* [shape], host byte order; may be unaligned when it is mapped */
    size_t bytes;                  /* of data */
    void *heap;                    /* what array_close frees: a block of mem_alloc … */
    MapFile *map;                  /* … or a mapping; both NULL in a view */
} Array;

/* Elements and bytes of a shape; false when an extent is negative or the size, zero extents
 * counted as one, exceeds PTRDIFF_MAX. Either result may be NULL. */
bool shape_size(ElemType t, int rank, const int64_t *shape, size_t *elements, size_t *bytes);
/* "[1, 28, 28]", cut to fit; returns `out`. */
const char *array_shape_text(char out[ARRAY_SHAPE_TEXT], int rank, const int64_t *shape);

/* Makes `a` the owner of `heap` (from mem_alloc), which holds the data. The size must be checked. */
void array_own(Array *a, ElemType t, DataKind kind, int rank, const int64_t *shape, void *heap);
size_t array_elements(const Array *a);
/* Every element as float32, rounded to nearest (f64, wide integers); false is 0, true is 1. */
void array_to_f32(const Array *a, float *out /* [array_elements(a)] */);
bool elem_is_float(ElemType t);
/* Element i as a number. */
double array_get(const Array *a, size_t i);
/* Every element as `type`, one of f32, i64, i32, u8 and bool. f32 takes any array; an integer type integers that it can
 * hold, bool those that are 0 or 1. DIAG_FILE otherwise: "PATH: element 3 is 300, but WHAT (u8) holds 0 … 255". */
bool array_to(const Array *a, ElemType type, void *out, const char *path, const char *what, Diag *d);
/* Turns the byte order of each element of `size` bytes round. */
void bytes_swap(void *data, size_t bytes, size_t size);
/* Frees what the array owns and empties it; NULL and an empty array are fine. */
void array_close(Array *a);

#endif
