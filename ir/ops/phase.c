#include "ir/ops/phase.h"

enum { MAX_STRIDE = 1 << 16 };

static int64_t gcd(int64_t a, int64_t b) {
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static void add(Phases *out, Phase p) {
    if (out->n == MAX_PHASES) out->n = -1;
    if (out->n >= 0) out->v[out->n++] = p;
}

/* Positions of residue r. */
static int64_t positions(int64_t o, int64_t s, int64_t r) { return r < o ? (o - 1 - r) / s + 1 : 0; }

/* Residues that no tap meets, in arithmetic progressions of the same number of positions. */
static void add_rest(Phases *out, int64_t o, int64_t s, bool *seen) {
    for (int64_t r = 0; r < s && r < o && out->n >= 0; r++) {
        if (seen[r]) continue;
        Phase p = {.r = r, .n_j = 1, .n_q = positions(o, s, r)};
        int64_t next = r + 1;
        while (next < s && seen[next]) next++;
        p.step = next - r;
        for (seen[r] = true; next < s && !seen[next] && positions(o, s, next) == p.n_q; next += p.step) {
            seen[next] = true;
            p.n_j++;
        }
        add(out, p);
    }
}

void phases_make(Phases *out, int64_t o, int64_t k, int64_t s, int64_t d, int64_t p) {
    bool seen[MAX_STRIDE] = {false};
    int64_t g = gcd(s, d), period = s / g, step = d % s, last_r = 0;
    Phase *run = NULL;
    out->n = 0;
    if (2 * step > s) step -= s; /* fewer turns through the residues */
    for (int64_t k0 = 0; k0 < period && k0 < k && out->n >= 0; k0++) {
        int64_t r = (k0 * d - p) % s;
        if (r < 0) r += s;
        seen[r] = true;
        Phase one = {.r = r,
                     .step = step,
                     .n_j = 1,
                     .n_q = positions(o, s, r),
                     .taps = (k - 1 - k0) / period + 1,
                     .k0 = k0,
                     .k_step = period,
                     .a = (r + p - k0 * d) / s,
                     .turn = (step - d) / s,
                     .i_step = d / g};
        bool goes_on = run && r == last_r + step && run->n_q == one.n_q && run->taps == one.taps;
        last_r = r;
        if (goes_on) run->n_j++;
        else if (one.n_q) add(out, one);
        if (!goes_on) run = one.n_q && out->n > 0 ? &out->v[out->n - 1] : NULL;
    }
    add_rest(out, o, s, seen);
    for (int i = 0; i < out->n; i++)
        if (out->v[i].n_j == 1) out->v[i].step = 1, out->v[i].turn = 0;
}

int64_t phases_pieces(const Phases *p) {
    int64_t n = 0;
    for (int i = 0; i < p->n; i++) n += p->v[i].step == 1 || p->v[i].step == -1 ? 1 : p->v[i].n_j;
    return p->n < 0 ? MAX_PHASES + 1 : n;
}

void phases_reach(const Phases *p, int64_t *first, int64_t *last) {
    bool any = false;
    *first = 0;
    *last = -1;
    for (int i = 0; i < p->n; i++) {
        const Phase *f = &p->v[i];
        if (f->taps == 0) continue;
        int64_t turn = f->turn * (f->n_j - 1);
        int64_t lo = f->a + (turn < 0 ? turn : 0) - f->i_step * (f->taps - 1);
        int64_t hi = f->a + (turn > 0 ? turn : 0) + f->n_q - 1;
        if (!any || lo < *first) *first = lo;
        if (!any || hi > *last) *last = hi;
        any = true;
    }
}
