/* The interpreter's own form of a kernel, shared by its files: interp_code.c makes it,
 * interp_exec.c runs one nest of it (interp_type.c its elements that are no f32), interp.c the statements around.
 *
 * A perfect nest of loops around one store is the unit of work ("Nest"). The memory offsets of its
 * accesses are kept incrementally, and the innermost loop goes in strips of up to STRIP iterations:
 * every instruction of the value is computed for the whole strip before the next one. */
#ifndef LUNETTE_RUNTIME_INTERP_CODE_H
#define LUNETTE_RUNTIME_INTERP_CODE_H

#include "ir/loop.h"
#include "ir/mathfn.h"

enum { STRIP = 64 };

typedef union Strip { /* a value for every iteration of a strip */
    float f[STRIP];
    uint32_t u[STRIP];
} Strip;

typedef enum Code {
    CODE_LOAD,    /* access `a`, f32 */
    CODE_CONVERT, /* access `a`, another type */
    CODE_TAKE,    /* access `a` and its takes, any type */
    CODE_INDEX,   /* access `a` as a value */
    CODE_NEG,
    CODE_ABS,
    CODE_SQRT,
    CODE_ADD,
    CODE_SUB,
    CODE_MUL,
    CODE_DIV,
    CODE_MAX,
    CODE_MIN,
    CODE_FMA,
    CODE_LT,
    CODE_LE,
    CODE_EQ, /* a < b ? c : d */
    CODE_IADD,
    CODE_ISUB,
    CODE_IAND,
    CODE_IOR,
    CODE_ISHL,
    CODE_ISHR,
    CODE_ISAR,
    CODE_ITOF,
} Code;

typedef struct Ins {
    Code code;
    int y;          /* the strip it writes */
    int a, b, c, d; /* strips it reads; of a load the access; of a shift b is the distance */
} Ins;

/* What an indirect subscript adds to an access: stride times the index in a strip, clamped and truncated. */
typedef struct Take {
    int strip;
    float last; /* limit − 1 */
    int64_t stride;
} Take;

/* Memory that moves with the loops: element = base + Σ coef·outer variable + Σ stride·own loop.
 * An index as a value is one too; it has no memory. */
typedef struct Access {
    int memory; /* into Run.memory: buffers, then tables; −1: an index */
    DType dtype;
    const Take *take; /* [n_take] */
    int n_take;
    Affine outer;
    int64_t *stride; /* [n_loops] */
    int64_t at;      /* now */
} Access;

/* How a strip of values goes to memory: old is what stands there. */
typedef enum Combine {
    COMBINE_SET,
    COMBINE_ADD,
    COMBINE_MAX,
    COMBINE_FMA,     /* old + x·y, rounded as the target says */
    COMBINE_CONVERT, /* set an element that is no f32 */
    COMBINE_MOVE,    /* set an element that is no f32 to the bits of access x */
} Combine;

typedef struct Nest {
    int n_loops; /* at least 1: a bare store has a loop of one iteration */
    int64_t *extent, *digit;
    Access *access;
    int n_access, cap_access; /* [0] is the target */
    Ins *ins;
    int n_ins, cap_ins;
    Strip *strip; /* constants are filled in once */
    int x, y;     /* the strips to combine; y for COMBINE_FMA only; x an access for COMBINE_MOVE */
    Combine combine;
    int step;    /* iterations in a strip: 1 where each must see the store of the one before */
    bool is_mac; /* COMBINE_FMA of two loads x, y: accesses 1 and 2, no strips needed */
} Nest;

typedef enum NodeKind { NODE_LOOP, NODE_NEST, NODE_ALLOC } NodeKind;

typedef struct Node {
    NodeKind kind;
    struct Node *next;
    struct Node *body;  /* LOOP, ALLOC */
    int var;            /* LOOP */
    int64_t extent;     /* LOOP */
    const Guard *guard; /* LOOP, may be NULL */
    int memory;         /* ALLOC */
    size_t bytes;       /* ALLOC */
    Nest *nest;
} Node;

typedef struct Run {
    Arena *arena;
    const Kernel *k;
    void **memory;          /* [n_buf + n_table] */
    int64_t *var;           /* [n_var]: the values of loops outside the nests */
    const Guard *guard[64]; /* while compiling: conditions of the loops around */
    int n_guard;
    bool fma;
} Run;

/* The statements as nodes, in the run's arena. NULL with DIAG_INTERNAL. */
Node *interp_compile(Run *r, const Stmt *s, Diag *d);

/* interp_type.c: `count` iterations of the innermost loop from `first` on. A load of any type, with takes or not;
 * the target, of another type than f32, set to what nest and strips say. */
void interp_load(const Run *r, const Nest *n, const Access *x, int64_t first, int count, float *y);
void interp_store(const Run *r, const Nest *n, int64_t first, int count);

/* Runs a nest at the present values of the outer variables. */
void interp_nest(const Run *r, Nest *n);

#endif
