/* Plans as text. */
#include "ir/plan.h"

#include "tests/fuzz/text.h"

static bool read_plan(Arena *a, Lexer *l, const char **printed, Diag *d) {
    const Plan *p = plan_parse(l);
    if (!p || !lex_end(l, "plan")) return false;
    Diag own = {0};
    Text t = {.arena = a};
    plan_print(&t, p);
    *printed = text_get(&t);
    return plan_verify(p, &own) || diag_fail(d, DIAG_SPEC, "%s", own.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_text(read_plan, data, size);
    return 0;
}
