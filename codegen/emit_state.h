/* The emitter's own: what its files share. Only codegen/ includes it. */
#ifndef LUNETTE_CODEGEN_EMIT_STATE_H
#define LUNETTE_CODEGEN_EMIT_STATE_H

#include "codegen/lift.h"
#include "codegen/memo.h"
#include "codegen/llvm.h"
#include "ir/mathfn.h"

enum {
    VEC_MOST = 64,           /* iterations of a vec loop; the verifier's limit */
    STACK_BYTES = 32 << 10,  /* all buffers of a kernel that live on the stack */
    MAX_INSTANCES = 1 << 15, /* stores after unrolling */
    MAX_TERMS = 64,
};

/* A pointer that a rolled loop moves on: its value in the next iteration is made when the body is. */
typedef struct Step {
    LLVMValueRef phi, base, by; /* by: elements, i64 */
    LLVMTypeRef element;
} Step;

/* What is known of a loop variable where the builder stands. */
typedef struct VarNow {
    bool known; /* a constant: extent 1, unrolled, or the first lane of a chunk of a vec loop */
    int64_t value;
    LLVMValueRef v;     /* i64, when not known */
    LLVMValueRef ready; /* the branch before which everything computed from v alone is put */
    bool rolled;        /* a loop of the code, which has steps; a task's is none */
    bool innermost;     /* no loop of the code inside */
    LLVMValueRef entry; /* the branch into it */
    Step *step;
    int n_step, cap_step;
} VarNow;

/* A register tile is a set of slots, each a vector that LLVM's mem2reg turns into a value. */
typedef struct Slot {
    LLVMValueRef memory;
    int start, lanes; /* elements of the tile */
} Slot;

typedef struct BufNow {
    LLVMValueRef base;  /* pointer; NULL for a tile kept in slots */
    LLVMValueRef scope; /* metadata: !alias.scope and !noalias, not of what is on the stack */
    LLVMValueRef others;
    bool ready; /* set up */
    Slot *slot;
    int *slot_of; /* by element */
    int n_slot;
} BufNow;

typedef struct GepRow { /* base + v·coef·factor, made once */
    LLVMValueRef base, v, factor, result;
    int64_t coef;
} GepRow;

typedef struct Emit {
    const Kernel *k;
    Lift *lift;
    const Target *t;
    Arena *a;
    Diag *d;
    LLVMContextRef ctx;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMValueRef fn;
    LLVMValueRef entry_end; /* the branch that ends the entry block: allocas go before it */
    LLVMTypeRef f32, i8, i32, i64, ptr;
    VarNow *var;         /* [n_var] */
    BufNow *buf;         /* [n_buf] */
    LLVMValueRef *table; /* [n_table] constant arrays */
    int depth;           /* open loops */
    LLVMValueRef *arg;   /* [lift->n_arg] as loaded by the nest; NULL: not yet … */
    LLVMValueRef setup;  /* … before this branch: what is the same for all its tasks */
    int vec;             /* the variable of the open vec loop, −1 if none … */
    int lanes;           /* … and the lanes of the chunk being emitted; 1 outside */
    GepRow *gep;
    int n_gep, cap_gep;
    Memo values;  /* Expr → LLVMValueRef, of one instance of a store */
    Memo scalars; /* … of what is the same in all lanes of a vector */
    int instances;
    int scalar_loads; /* of one element, also for all lanes of a vector, so far */
    int64_t stack_bytes;
    unsigned md_scope, md_noalias;
} Emit;

/* emit_addr.c: memory. An access is a list of subscripts; `lanes` and the coefficient of the vec
 * variable say which elements are meant. */
LLVMTypeRef emit_type(const Emit *e, LLVMTypeRef scalar, int lanes);
LLVMValueRef emit_splat(Emit *e, LLVMValueRef scalar);
/* As they are in memory; take: NULL, or the indirect parts of the subscripts. */
LLVMValueRef emit_load(Emit *e, int buf, const Affine *sub, const TakeIndex *take);
void emit_store(Emit *e, int buf, const Affine *sub, LLVMValueRef v);
void emit_prefetch(Emit *e, int buf, const Affine *sub); /* for reading, into all levels of cache */
LLVMValueRef emit_affine(Emit *e, const Access *x); /* its value for lane 0, i64 */
LLVMValueRef emit_table(Emit *e, int table, const Affine *x);
/* A value of arg, i64: the same for all tasks of the nest. */
LLVMValueRef emit_arg(Emit *e, int arg);
LLVMValueRef emit_load_arg(Emit *e, int arg); /* … at this place */

/* emit_reg.c: buffers on the stack and in registers. */
bool emit_alloc(Emit *e, const Stmt *alloc);
LLVMValueRef reg_load(Emit *e, BufNow *r, int64_t at, int64_t coef);
void reg_store(Emit *e, BufNow *r, int64_t at, int64_t coef, LLVMValueRef v);

/* emit_expr.c: values, of e->lanes lanes. */
LLVMValueRef emit_expr(Emit *e, const Expr *x);
LLVMValueRef emit_fma(Emit *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
LLVMValueRef emit_max(Emit *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef emit_const(Emit *e, float v);

/* emit_convert.c: f32 from and to the element type of a buffer. */
LLVMTypeRef emit_element(const Emit *e, DType t);
LLVMValueRef emit_from(Emit *e, DType t, LLVMValueRef v);
LLVMValueRef emit_to(Emit *e, DType t, LLVMValueRef v);
/* 0 … limit−1 as an integer: index as TakeIndex says. */
LLVMValueRef emit_take(Emit *e, const TakeIndex *take);
/* emit_take for all lanes at once, where the index is the same in all. */
LLVMValueRef emit_take_scalar(Emit *e, const TakeIndex *take);

/* emit_math.c */
LLVMValueRef emit_math(Emit *e, const MathProgram *p, const LLVMValueRef *arg);

/* emit_stmt.c: one statement; all of a list. */
bool emit_stmt(Emit *e, const Stmt *s);
bool emit_stmts(Emit *e, const Stmt *list);
/* emit_task.c: all nests, and the function around them. */
bool emit_function(Emit *e, const char *symbol);

#endif
