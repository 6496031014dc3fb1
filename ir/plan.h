/* The plan level: which kernels run in which order on which memory. Self-contained: kernels are
 * known by number and by what they read and write, so that a plan can be printed, read back and
 * verified alone.
 *
 *   plan lenet5 {
 *       arena 20480
 *       live 20480
 *       weights 247808
 *       input "image" : f32[n1 c1 h28 w28]
 *       output "output" : f32[n1 c10]
 *       buffer b0 "conv1" : f32[n1 C1 h28 w28 c6] at arena 0 live 0 2
 *       buffer b1 "conv1.weight" : f32[O1 c1 h5 w5 o6] at weights 0
 *       buffer b2 "image" : f32[n1 c1 h28 w28] at input 0
 *       kernel k0 tasks 28 {
 *           rank 4 reads [0:0 0:0 0:31 0:31]
 *           …                                    one line a parameter
 *       }
 *       step "conv1" k0(b2, b1, b0)
 *   }
 */
#ifndef LUNETTE_IR_PLAN_H
#define LUNETTE_IR_PLAN_H

#include "ir/type.h"

typedef enum Place { PLACE_ARENA, PLACE_WEIGHTS, PLACE_INPUT, PLACE_OUTPUT } Place;

enum { PLAN_ALIGN = 64 };

typedef struct PlanBuf {
    const char *name; /* of the value it holds */
    Type type;
    Place place;
    int64_t at;      /* ARENA, WEIGHTS: offset in bytes, 64-byte aligned (but of parts); INPUT, OUTPUT: which one */
    int first, last; /* ARENA: steps that write it first and read it last; of a part: as the whole */
    bool is_part;    /* of another buffer's memory, … */
    int whole;       /* … which is no part itself and stands before; … */
    int axis;        /* … the axes outside this one have extent 1 in both, those inside are the same, … */
    int64_t from;    /* … and the part starts here */
    bool is_over;    /* ARENA: in the memory of another that is no part and of the same layout, … */
    int over;        /* … which stands before, and which the step that makes this one is the last to use */
} PlanBuf;

/* A box of memory elements of one buffer: lo[i] ≤ subscript i ≤ hi[i]. */
typedef struct Box {
    int64_t lo[MAX_AXES], hi[MAX_AXES];
} Box;

/* What a kernel does with one parameter: an upper bound of what it reads and a lower bound of what
 * it certainly writes, both as unions of boxes. */
typedef struct PlanArg {
    int rank;
    Box *read;
    int n_read, cap_read;
    Box *written;
    int n_written, cap_written;
    bool is_over; /* may lie in the memory of another parameter … */
    int over;     /* … this one */
} PlanArg;

typedef struct PlanKernel {
    int64_t tasks;
    int64_t scratch; /* bytes that each thread needs besides the parameters */
    int n_arg;
    PlanArg *arg;
} PlanKernel;

typedef struct PlanStep {
    const char *name;
    int kernel;
    int n_arg;
    int *buf; /* into Plan.buf */
} PlanStep;

typedef struct PlanPort {
    const char *name;
    Type type;
} PlanPort; /* an input or output: plain type */

typedef struct Plan {
    Arena *arena;
    const char *name;
    int64_t arena_bytes, weight_bytes;
    int64_t scratch_bytes; /* of a thread: the most that a kernel needs */
    int64_t live_bytes;    /* the largest sum of buffers that are live at once: what the arena cannot be below */
    PlanPort *input;
    int n_input, cap_input;
    PlanPort *output;
    int n_output, cap_output;
    PlanBuf *buf;
    int n_buf, cap_buf;
    PlanKernel *kernel;
    int n_kernel, cap_kernel;
    PlanStep *step;
    int n_step, cap_step;
} Plan;

/* Bytes from the start of the whole to the start of a part; 0 of a buffer that is none. */
int64_t plan_part_offset(const Plan *p, int buf);
/* Which argument of the step its result lies over; −1: none. */
int plan_step_over(const Plan *p, int step);
/* Gives every ARENA buffer its life from the steps, and its offset so that no two that live at the
 * same time overlap: the smaller of two placements, largest first at the lowest free place, or in order of
 * life from both ends; what lies over another has its memory, which counts once. Sets arena_bytes, live_bytes and scratch_bytes. WEIGHTS buffers are laid one after the other. */
void plan_place(Plan *p);
/* The union of `have` covers every element of `want`. */
bool boxes_cover(Arena *a, const Box *have, int n_have, const Box *want, int rank);
/* Proves that buffers that live together do not overlap, and that every element read was written in this
 * run (by an earlier step, later than anything else that shares its memory) or is an input or a
 * weight; and that every output is written whole. False with DIAG_INTERNAL. */
bool plan_verify(const Plan *p, Diag *d);
void plan_print(Text *t, const Plan *p);
Plan *plan_parse(Lexer *l); /* NULL with DIAG_SPEC */

#endif
