/* Checking a built model: every kernel's native code against the interpreted scheduled nest, the nest
 * against the double reference of the graph as written, and whole outputs against that reference.
 * Nothing here prints: frontend/cli/check.c does.
 *
 * What is held to what, for each kernel on its own input values:
 *
 *   native code = scheduled nest, bit for bit, halos included      else CHECK_CODE
 *   |nest − reference| ≤ bound + rounding of the result            else CHECK_NEST
 *
 * The reference of a kernel starts from the values at the group's boundary, so that a bound is never
 * older than one kernel. That each kernel reads just what another wrote is compared too (CHECK_PLAN), so the
 * kernels' checks add up to one of the network. Whole outputs have the bound of the whole network, which for
 * deep ones says little. */
#ifndef LUNETTE_FRONTEND_CHECK_H
#define LUNETTE_FRONTEND_CHECK_H

#include "frontend/model.h"

/* What is wrong with a kernel or an output; several may be. */
enum {
    CHECK_CODE = 1,        /* the code generator: native differs from the nest */
    CHECK_NEST = 2,        /* passes, lowering, schedule, packing: the nest differs from the reference */
    CHECK_HALO = 4,        /* the halo does not hold what its type says */
    CHECK_OUTSIDE = 8,     /* native code wrote outside its buffer */
    CHECK_MISTRUSTED = 16, /* the data would not notice a wrong answer */
    CHECK_PLAN = 32,       /* a kernel was not given what another one computed */
};

enum { CHECK_INDEX_TEXT = 96, CHECK_WHY_TEXT = 600 };

typedef struct CheckRow {       /* a kernel, that is a plan step */
    const char *name, *ops;     /* "conv1", "conv tanh" */
    unsigned faults;            /* 0: it agrees */
    char why[CHECK_WHY_TEXT];   /* a sentence a fault, with "; " between them */
    int64_t outputs;            /* logical elements of the result */
    int64_t tasks, interpreted; /* of the scheduled nest */
    int64_t compared;           /* memory elements compared bit for bit, halo included */
    double ratio;               /* largest |nest − reference| / bound … */
    char at[CHECK_INDEX_TEXT];  /* … and where: "n0 c3 h5 w7" */
    bool exact;                 /* every element is the reference, rounded to float32 */
    bool must_be_exact;         /* … and has to be: integers through ops that are exact on them */
} CheckRow;

typedef struct CheckOutput { /* a whole output against the reference of the whole network */
    const char *name;
    unsigned faults;
    char why[CHECK_WHY_TEXT];
    int64_t elements;
    double ratio;
    char at[CHECK_INDEX_TEXT];
    double error; /* ‖output − reference‖ / ‖reference‖ */
    double bound; /* ‖bound‖ / ‖reference‖: what the bound is worth; ≥ 1 is nothing */
} CheckOutput;

/* Where the value came from that was compared with a file. */
typedef enum CheckSource { CHECK_NATIVE, CHECK_FUSED, CHECK_WEIGHT } CheckSource;

typedef struct CheckTensor { /* a tensor of --against */
    const char *name;
    CheckSource source; /* FUSED: inside a kernel, so the reference stands in for it */
    int64_t elements;
    double error; /* relative L2 */
    bool departs;
} CheckTensor;

typedef struct CheckReport {
    Arena *arena;
    bool exact, good; /* good: no faults, no tensor departs */
    CheckRow *row;
    int n_row;
    CheckOutput *output;
    int n_output; /* none with `exact` */
    CheckTensor *tensor;
    int n_tensor; /* in the order of the graph */
    double rtol;
    const char **unknown;
    int n_unknown, cap_unknown; /* files of DIR that are no tensor's */
    double seconds;
} CheckReport;

typedef struct CheckOptions {
    bool exact;                 /* small integers for each kernel alone; needs check_exact_weights */
    bool full;                  /* interpret every task of large kernels too */
    uint64_t seed;              /* of inputs that are not given */
    const void *const *inputs;  /* [plan->n_input], plain; NULL or a NULL entry: random, floats in [0, 1) */
    const char *against;        /* a folder of npy files named after tensors; NULL: none */
    double rtol;                /* … and the relative L2 error allowed; 0: 1e-4 */
    int threads;                /* of the check itself; 0: one a CPU */
    /* Told after each kernel; may be NULL. */
    void (*progress)(void *ctx, const char *kernel, int done, int of);
    /* Tests only: may spoil a kernel's native result before it is compared (`out`) or, with `exact`, an
     * input before the kernel runs (`input`, `out` NULL); may be NULL. */
    void (*tamper)(void *ctx, int step, void *out, void *input, int64_t n);
    void *ctx;
} CheckOptions;

/* Gives every weight of the graph as written small integers (batch norms: powers of two and integers, so that
 * folding is exact); instead of model_weights, before model_build. */
bool check_exact_weights(LunetteModel *m, uint64_t seed, Diag *d);

/* Runs and checks. NULL with `d` when it could not be done: never a report that checked less than it
 * says. */
CheckReport *check_model(LunetteModel *m, const CheckOptions *o, Diag *d);
void check_close(CheckReport *r); /* NULL is fine */

#endif
