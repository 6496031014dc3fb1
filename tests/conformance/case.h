/* One case of ONNX's test suites: a folder with model.onnx and test_data_set_K/{input,output}_I.pb. */
#ifndef LUNETTE_TESTS_CONFORMANCE_CASE_H
#define LUNETTE_TESTS_CONFORMANCE_CASE_H

#include "ir/base.h"

/* What the model was told before it was compiled. The first that loads is run. */
typedef enum Known {
    KNOWN_NOTHING,  /* every input comes at run time */
    KNOWN_INTEGERS, /* integers and booleans are bound: shapes, axes, pads, … */
    KNOWN_OTHERS,   /* all but the first input are: weights, scales, limits */
    KNOWN_COUNT
} Known;

typedef enum Verdict {
    CASE_PASSED,
    CASE_WRONG,   /* another answer */
    CASE_REFUSED, /* Lunette says that it cannot; the message is its own */
    CASE_BROKEN,  /* a bug's message, a crash, too long; or the case's files cannot be read */
} Verdict;

typedef struct CaseResult {
    Verdict verdict;
    Known known;
    char text[1100]; /* why it did not pass */
} CaseResult;

/* Answers must agree to |y − wanted| ≤ CASE_ABSOLUTE + CASE_RELATIVE·|wanted|, integers and booleans exactly; element types
 * and shapes must be the same. */
#define CASE_RELATIVE 1e-3
#define CASE_ABSOLUTE 1e-7

void case_run(const char *folder, CaseResult *r);

#endif
