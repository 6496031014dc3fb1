/* lunette check --laws: a row a law. */
#include "frontend/check_laws.h"
#include "frontend/cli/suite.h"

enum { CASES = 20 };

static json_t *law_json(const LawResult *r) {
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:o}", "law", r->name, "says", r->says, "held", r->held, "failed",
                     r->failed, "not_supported", r->unsupported, "why", json_text(r->why));
}

static void law_row(TextTable *t, const LawResult *r) {
    table_cell(t, "%s", r->name);
    table_cell(t, "%s", r->says);
    table_cell(t, "%d", r->held);
    table_cell(t, "%d", r->failed);
    table_cell(t, "%d", r->unsupported);
}

static int give_text(const LawResult *r, Arena *a, uint64_t seed, double seconds) {
    TextTable t;
    int failed = 0, held = 0, cases = 0;
    table_open(&t, a, "llrrr");
    table_row(&t, "law||held|failed|not supported");
    for (int i = 0; i < law_count; i++) law_row(&t, &r[i]);
    table_print(&t, stdout);
    for (int i = 0; i < law_count; i++) {
        if (r[i].why[0]) printf("%s%s: %s\n", r[i].failed ? "FAILED: " : "not supported: ", r[i].name, r[i].why);
        failed += r[i].failed, held += r[i].held, cases += r[i].held + r[i].failed + r[i].unsupported;
    }
    printf("\n%d laws, %d of %d cases hold, %d failed, seed %llu (%.1f s)\n", law_count, held, cases, failed,
           (unsigned long long)seed, seconds);
    if (failed) printf("  lunette check --laws --seed %llu\n", (unsigned long long)seed);
    return failed ? DIAG_DIFFERS : 0;
}

static int give_json(const LawResult *r, uint64_t seed, double seconds) {
    json_t *list = json_array();
    int failed = 0;
    for (int i = 0; i < law_count; i++) {
        failed += r[i].failed;
        json_push(&list, law_json(&r[i]));
    }
    int code = json_show(json_pack("{s:b, s:I, s:f, s:o}", "good", failed == 0, "seed", (json_int_t)seed, "seconds",
                                   seconds, "laws", list));
    return code ? code : failed ? DIAG_DIFFERS : 0;
}

int laws_run(Arena *a, CliOptions *o) {
    LawOptions lo = {
        .seed = o->model.seed, .cases = CASES, .threads = o->model.threads ? o->model.threads : 1, .cpu = o->model.cpu};
    LawResult *r = ARENA_ARRAY(a, LawResult, law_count);
    double start = clock_seconds();
    progress_begin("checking laws", law_count);
    for (int i = 0; i < law_count; i++) {
        if (!law_check(i, &lo, &r[i], &o->diag)) return cli_fail(&o->diag);
        progress_set(i + 1);
    }
    progress_end();
    double seconds = clock_seconds() - start;
    return o->json ? give_json(r, o->model.seed, seconds) : give_text(r, a, o->model.seed, seconds);
}
