/* One kernel: native code into memory with guards around it, the scheduled nest interpreted into
 * memory of its own, both compared bit for bit, then with the reference. */
#include "frontend/check_part.h"

#include "runtime/interp.h"

#include <stdio.h>
#include <string.h>

enum { GUARD = 64, LEAST_OUTPUTS = 4096 };

/* ---- texts ------------------------------------------------------------------------------------ */

void index_text(const Type *plain, int64_t element, char out[CHECK_INDEX_TEXT]) {
    int64_t digit[MAX_AXES] = {0};
    out[0] = '\0';
    if (type_elements(plain) == 0) return;
    for (int i = plain->rank - 1; i >= 0; i--) {
        digit[i] = element % plain->axis[i].extent;
        element /= plain->axis[i].extent;
    }
    int n = 0;
    for (int i = 0; i < plain->rank && n < CHECK_INDEX_TEXT; i++)
        n += snprintf(out + n, (size_t)(CHECK_INDEX_TEXT - n), "%s%c%lld", i ? " " : "", plain->axis[i].letter,
                      (long long)digit[i]);
}

void step_index(const StepCheck *s, int64_t memory, char out[CHECK_INDEX_TEXT]) {
    Type plain = type_plain(&s->arg[s->n_in]->type);
    for (int64_t e = 0; e < s->elements; e++)
        if (s->at[e] == memory) {
            index_text(&plain, e, out);
            return;
        }
    snprintf(out, CHECK_INDEX_TEXT, "element %lld of memory, in the halo", (long long)memory);
}

void why_add(char why[CHECK_WHY_TEXT], const char *fmt, va_list ap) {
    size_t n = strlen(why);
    if (n) n += (size_t)snprintf(why + n, CHECK_WHY_TEXT - n, "; ");
    if (n < CHECK_WHY_TEXT) vsnprintf(why + n, CHECK_WHY_TEXT - n, fmt, ap);
}

void row_fault(CheckRow *r, unsigned fault, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    r->faults |= fault;
    why_add(r->why, fmt, ap);
    va_end(ap);
}

/* ---- arguments -------------------------------------------------------------------------------- */

/* The values at the boundary: where the steps before left them, or fresh ones with `exact`. Of an operand that the result
 * lies over a copy, as native code destroys it. */
static void set_args(StepCheck *s) {
    const LunetteModel *m = s->c->m;
    const PlanStep *step = &m->plan->step[s->step];
    s->args = ARENA_ARRAY(s->arena, void *, s->n_in + 1);
    s->over = plan_step_over(m->plan, s->step);
    for (int i = 0; i < s->n_in; i++) {
        if (s->c->o->exact && !graph_is_constant(s->arg[i])) {
            void *fresh = memory_aligned(s->arena, type_bytes(&s->arg[i]->type));
            exact_input(s, s->arg[i], fresh);
            s->args[i] = fresh;
        } else {
            s->args[i] = model_buffer(m, step->buf[i], s->c->inputs, s->c->outputs);
        }
    }
    if (s->over < 0) return;
    size_t bytes = type_bytes(&s->arg[s->over]->type);
    s->args[s->over] = memcpy(memory_aligned(s->arena, bytes), s->args[s->over], bytes);
}

/* Memory is reused: what lies at the boundary must still be what was put there. */
static void check_boundary(StepCheck *s) {
    for (int i = 0; i < s->n_in; i++) {
        const Node *n = s->arg[i];
        if (graph_is_constant(n)) continue;
        uint64_t now = memory_digest(s->args[i], type_bytes(&n->type)), *before = &s->c->digest[n->id];
        if ((n->op == OP_INPUT || graph_is_placed(n)) && *before == 0) *before = now; /* no kernel left it */
        if (*before != now) row_fault(s->row, CHECK_PLAN, "its input %s is not what the kernel before left", n->name);
    }
}

/* ---- native ----------------------------------------------------------------------------------- */

/* As in a run: the operand that the result lies over is in the result's memory. */
static void run_over(StepCheck *s) {
    void *operand = s->over < 0 ? NULL : s->args[s->over];
    if (operand) s->args[s->over] = memcpy(s->native, operand, type_bytes(&s->arg[s->over]->type));
    model_run_step(s->c->m, s->step, s->args);
    if (operand) s->args[s->over] = operand;
}

static void run_native(StepCheck *s) {
    Check *c = s->c;
    size_t size = dtype_bytes(s->type), bytes = (size_t)s->memory * size;
    char *block = memory_aligned(s->arena, bytes + 2 * GUARD * size);
    s->native = block + GUARD * size;
    memory_unwrite(s->type, block, s->memory + 2 * GUARD);
    s->args[s->n_in] = s->native;
    run_over(s);
    if (!c->o->exact) { /* what the next kernels read */
        void *place = model_buffer(c->m, c->m->plan->step[s->step].buf[s->n_in], c->inputs, c->outputs);
        memcpy(place, s->native, bytes);
        c->digest[s->arg[s->n_in]->id] = memory_digest(s->native, bytes);
    }
    if (c->o->tamper) c->o->tamper(c->o->ctx, s->step, s->native, NULL, s->memory);
    int64_t spoiled = 0;
    for (int i = 0; i < GUARD; i++)
        spoiled += memory_written(s->type, block, i) + memory_written(s->type, s->native, s->memory + i);
    if (spoiled)
        row_fault(s->row, CHECK_OUTSIDE, "native code wrote %lld elements next to its buffer", (long long)spoiled);
}

/* ---- the nest --------------------------------------------------------------------------------- */

typedef struct Range {
    int64_t begin, end;
} Range;

typedef struct NestJobs {
    StepCheck *s;
    Range *range;
    bool reference; /* job 0 is the reference */
} NestJobs;

static bool nest_job(void *ctx, int64_t job, Diag *d) {
    const NestJobs *j = ctx;
    StepCheck *s = j->s;
    if (j->reference && job-- == 0) return local_evaluate(s, d);
    void *buf[MAX_AXES * 8];
    void **args = s->n_in + 1 <= (int)COUNT_OF(buf) ? buf : mem_alloc(sizeof *args * (size_t)(s->n_in + 1));
    if (!args) return diag_fail(d, DIAG_MACHINE, "out of memory while checking");
    memcpy(args, s->args, sizeof *args * (size_t)s->n_in);
    args[s->n_in] = s->nest;
    bool good = interp_run(s->kernel, args, j->range[job].begin, j->range[job].end, s->c->m->target.fma, d);
    if (args != buf) mem_free(args);
    return good;
}

/* Runs of tasks that are wanted and not done, each short enough to be shared between threads. */
static int64_t collect_ranges(StepCheck *s, const uint8_t *want, uint8_t *done, Range *range) {
    int64_t n = 0, longest = s->row->tasks / (4 * s->c->threads) + 1;
    for (int64_t t = 0; t < s->row->tasks; t++) {
        if (!want[t] || done[t]) continue;
        if (n && range[n - 1].end == t && t - range[n - 1].begin < longest) range[n - 1].end++;
        else range[n++] = (Range){t, t + 1};
        done[t] = 1;
        s->row->interpreted++;
    }
    return n;
}

static int64_t nest_written(const StepCheck *s) {
    int64_t n = 0;
    for (int64_t e = 0; e < s->elements; e++) n += memory_written(s->type, s->nest, s->at[e]);
    return n;
}

/* Interprets a sample, or more of it until it has written enough; the reference beside the first. */
static bool run_nest(StepCheck *s, bool full, uint8_t *done, Diag *d) {
    int64_t tasks = s->row->tasks, enough = s->elements < LEAST_OUTPUTS ? s->elements : LEAST_OUTPUTS;
    int64_t least = s->memory ? enough * tasks / s->memory + 1 : tasks;
    uint8_t *want = ARENA_ARRAY(s->arena, uint8_t, tasks);
    NestJobs j = {.s = s, .reference = s->row->interpreted == 0, .range = ARENA_ARRAY(s->arena, Range, tasks)};
    do {
        sample_tasks(s->kernel, full, least, want);
        int64_t n = collect_ranges(s, want, done, j.range);
        if (!check_parallel(s->c->threads, n + j.reference, nest_job, &j, d)) return false;
        j.reference = false;
        least = 2 * least < tasks ? 2 * least : tasks;
    } while (s->row->interpreted < tasks && nest_written(s) < enough);
    s->whole = s->row->interpreted == tasks;
    return true;
}

/* ---- comparing -------------------------------------------------------------------------------- */

/* Elements that the sampled tasks did not write are left out, but with all tasks there are none: then
 * one that only native code wrote, or only the nest, is a difference too. */
static void compare_bits(StepCheck *s) {
    int64_t differ = 0, first = 0;
    s->row->compared = 0;
    for (int64_t i = 0; i < s->memory; i++) {
        if (!s->whole && !memory_written(s->type, s->nest, i)) continue;
        s->row->compared++;
        if (!memory_same(s->type, s->native, s->nest, i) && differ++ == 0) first = i;
    }
    if (differ == 0) return;
    char at[CHECK_INDEX_TEXT], native[CHECK_VALUE_TEXT], nest[CHECK_VALUE_TEXT];
    step_index(s, first, at);
    row_fault(s->row, CHECK_CODE,
              "the code generator differs from the nest in %lld of %lld elements, first at %s: native %s, nest %s",
              (long long)differ, (long long)s->row->compared, at, memory_text(s->type, s->native, first, native),
              memory_text(s->type, s->nest, first, nest));
}

static void compare_halo(StepCheck *s) {
    if (s->memory == s->elements) return;
    uint8_t *inside = ARENA_ARRAY(s->arena, uint8_t, s->memory);
    char halo[8] = {0}, is[CHECK_VALUE_TEXT], wanted[CHECK_VALUE_TEXT];
    dtype_put(s->type, halo, 0, (double)s->arg[s->n_in]->type.halo);
    for (int64_t e = 0; e < s->elements; e++) inside[s->at[e]] = 1;
    int64_t wrong = 0, first = 0;
    for (int64_t i = 0; i < s->memory; i++)
        if (!inside[i] && memcmp(memory_at(s->type, s->native, i), halo, dtype_bytes(s->type)) != 0 && wrong++ == 0)
            first = i;
    if (wrong)
        row_fault(s->row, CHECK_HALO, "%lld elements of the halo are not %s, first element %lld of memory: %s",
                  (long long)wrong, memory_text(s->type, halo, 0, wanted), (long long)first,
                  memory_text(s->type, s->native, first, is));
}

static bool compare_all(StepCheck *s, uint8_t *done, Diag *d) {
    /* An element out of bound where the nest was not interpreted: whose fault it is takes the whole nest. */
    if (local_compare(s, false) > 0 && !s->whole && !run_nest(s, true, done, d)) return false;
    compare_bits(s);
    local_compare(s, true);
    compare_halo(s);
    if (s->row->must_be_exact && !s->row->exact && !(s->row->faults & CHECK_NEST))
        row_fault(s->row, CHECK_NEST,
                  "the nest differs from the reference, though within the bound: these integers must come out exactly, "
                  "not so at %s",
                  s->row->at);
    return trust_check(s, d);
}

bool step_check(StepCheck *s, Diag *d) {
    s->row->tasks = kernel_tasks(s->kernel);
    s->row->outputs = s->elements;
    s->row->must_be_exact = s->c->o->exact && exact_kernel(s);
    s->at = ARENA_ARRAY(s->arena, int64_t, s->elements);
    type_offsets(&s->arg[s->n_in]->type, s->at);
    set_args(s);
    if (!s->c->o->exact) check_boundary(s);
    run_native(s);
    s->nest = memory_aligned(s->arena, (size_t)s->memory * dtype_bytes(s->type));
    s->ref = ARENA_ARRAY(s->arena, double, s->elements);
    s->bound = ARENA_ARRAY(s->arena, double, s->elements);
    memory_unwrite(s->type, s->nest, s->memory);
    uint8_t *done = ARENA_ARRAY(s->arena, uint8_t, s->row->tasks);
    return run_nest(s, s->c->o->full || s->type == DT_U8, done, d) && compare_all(s, done, d);
}
