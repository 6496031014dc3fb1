/* The readers of a text form: what is read prints as something that reads the same. */
#ifndef LUNETTE_TESTS_FUZZ_TEXT_H
#define LUNETTE_TESTS_FUZZ_TEXT_H

#include "tests/fuzz/fuzz.h"

/* Parses one thing; sets *printed to its text when it is good. */
typedef bool TextReader(Arena *a, Lexer *l, const char **printed, Diag *d);

/* Twice: the input, and what it prints as. */
void fuzz_text(TextReader *read, const uint8_t *data, size_t size);

#endif
