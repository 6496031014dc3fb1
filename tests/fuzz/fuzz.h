/* What the fuzz targets share. A target gives one reader any bytes; it may say no, but with one line and a code that
 * blames the input, and nothing may be left behind. libFuzzer makes the bytes and watches for crashes, hangs and memory. */
#ifndef LUNETTE_TESTS_FUZZ_H
#define LUNETTE_TESTS_FUZZ_H

#include "ir/base.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what should hold, with the message that is there, and aborts. */
void fuzz_bug(const char *file, int line, const char *condition, const Diag *d) __attribute__((noreturn));

/* The bytes as a file of this name, in a folder of this process; NULL for none (empty files are refused at once). */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);
/* What must hold after a reader: an answer without a message, or none with a message about the input; `live` blocks
 * of memory as before. */
void fuzz_check(bool good, const Diag *d, long live);

#endif
