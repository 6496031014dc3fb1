/* The op table as data, from ir/ops.def. */
#include "ir/ops/ops.h"

#include <float.h>
#include <limits.h>
#include <string.h>

/* How often c stands in a string literal of fewer than 128 characters, as a constant expression. */
#define AT1(s, i, c) ((s)[(i) < sizeof(s) ? (i) : sizeof(s) - 1] == (c))
#define AT4(s, i, c) (AT1(s, i, c) + AT1(s, (i) + 1, c) + AT1(s, (i) + 2, c) + AT1(s, (i) + 3, c))
#define AT16(s, i, c) (AT4(s, i, c) + AT4(s, (i) + 4, c) + AT4(s, (i) + 8, c) + AT4(s, (i) + 12, c))
#define AT64(s, i, c) (AT16(s, i, c) + AT16(s, (i) + 16, c) + AT16(s, (i) + 32, c) + AT16(s, (i) + 48, c))
#define COUNT_CHAR(s, c) (AT64(s, 0, c) + AT64(s, 64, c))
#define WORDS(s) (sizeof(s) > 1 ? 1 + COUNT_CHAR(s, ' ') : 0)
#define MIN_IN(s) (WORDS(s) - COUNT_CHAR(s, '?'))
#define MAX_IN(s) (COUNT_CHAR(s, '*') ? INT_MAX : WORDS(s))

#define OP(id, name, inputs, ...) _Static_assert(sizeof(inputs) <= 128, "COUNT_CHAR looks at 128 characters");
#define POINTWISE(id, name, inputs, ...) OP(id, name, inputs)
#define ATTR(...)
#define ENUM(id, name, position, def, words, doc) OP(id, name, words)
#define END(id)
#include "ir/ops.def"

/* Each ends with an empty row, for ops that have no attributes. */
#define OP(id, ...) static const AttrInfo id##_info[] = {
#define POINTWISE(id, ...) OP(id)
#define ATTR(id, type, name, position, def, lo, hi, doc)                                           \
    {ATTR_##type, #name, offsetof(id##_attr, name), position, def, lo, hi, doc, NULL},
#define ENUM(id, name, position, def, words, doc)                                                  \
    {ATTR_ENUM, #name, offsetof(id##_attr, name), position, def, 0, COUNT_CHAR(words, '|'), doc, words},
#define END(id)                                                                                    \
    { .name = NULL }                                                                               \
    }                                                                                              \
    ;
#include "ir/ops.def"

#define OPF_NOT_LOWERED (OPF_SOURCE | OPF_CONSTANT | OPF_FOLDED)

const OpInfo op_table[OP_COUNT] = {
#define ROW(id, name_, inputs_, doc_)                                                              \
    .name = #name_, .inputs = inputs_, .doc = doc_, .min_in = MIN_IN(inputs_), .max_in = MAX_IN(inputs_), \
    .attr = id##_info, .n_attr = COUNT_OF(id##_info) - 1
#define OP(id, name_, inputs_, flags_, doc_)                                                       \
    [OP_##id] = {ROW(id, name_, inputs_, doc_), .flags = (flags_),                                 \
                 .shape = (flags_) & OPF_SOURCE ? NULL : name_##_shape,                            \
                 .params = (flags_) & OPF_PARAMS ? name_##_params : NULL,                          \
                 .eval = (flags_) & OPF_SOURCE ? NULL : name_##_eval,                              \
                 .lower = (flags_) & OPF_NOT_LOWERED ? NULL : name_##_lower},
#define POINTWISE(id, name_, inputs_, formula_, doc_)                                              \
    [OP_##id] = {ROW(id, name_, inputs_, doc_), .flags = OPF_POINTWISE, .formula = formula_,       \
                 .shape = pointwise_shape, .eval = pointwise_eval, .lower = pointwise_lower},
#define ATTR(...)
#define ENUM(...)
#define END(id)
#include "ir/ops.def"
};

int op_find(const char *name) {
    for (int i = 0; i < OP_COUNT; i++)
        if (strcmp(op_table[i].name, name) == 0) return i;
    return -1;
}
