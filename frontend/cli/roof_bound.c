/* How long a kernel takes at least: the model is in roof.h. */
#include "frontend/cli/roof.h"

#include "frontend/cli/facts.h"

static int64_t ports_bytes(const PlanPort *port, int n) {
    int64_t sum = 0;
    for (int i = 0; i < n; i++) sum += (int64_t)type_bytes(&port[i].type);
    return sum;
}

Work roof_work(const LunetteModel *m, int step, bool cold) {
    const Plan *p = m->plan;
    Work w = {.macs = group_macs(&m->context.groups.v[step])};
    int last = plan_step_over(p, step) < 0 ? p->step[step].n_arg : p->step[step].n_arg - 1; /* one memory counts once */
    for (int i = 0; i < last; i++) {
        const PlanBuf *buf = &p->buf[p->step[step].buf[i]];
        int64_t bytes = (int64_t)type_bytes(&buf->type);
        w.bytes += bytes;
        if (buf->place == PLACE_WEIGHTS) w.weight_bytes += bytes;
    }
    w.run_bytes =
        p->arena_bytes + p->weight_bytes + ports_bytes(p->input, p->n_input) + ports_bytes(p->output, p->n_output);
    if (cold) w.run_bytes = INT64_MAX;
    return w;
}

static Level level_holding(const Roof *m, int64_t bytes) {
    Level l = 0;
    while (l < LEVEL_MEMORY && bytes > m->memory->cache[l] * (l == LEVEL_L3 ? 1 : m->threads)) l++;
    return l;
}

/* Takes the bound's place when it is larger. */
static void bound_add(Bound *b, double amount, double giga_a_second, const char *by) {
    double seconds = giga_a_second > 0 ? 1e-9 * amount / giga_a_second : 0;
    if (seconds > b->seconds) *b = (Bound){seconds, by};
}

Bound roof_bound(const Roof *m, const Work *w) {
    Bound b = {0, "peak"};
    Level passing = level_holding(m, w->bytes), weights = level_holding(m, w->run_bytes);
    bound_add(&b, 2.0 * (double)w->macs, m->gflops, "peak");
    bound_add(&b, (double)w->bytes, m->gbytes[passing], level_name[passing]);
    bound_add(&b, (double)w->weight_bytes, m->gbytes[weights], level_name[weights]);
    return b;
}
