#include "tests/random_windows.h"
#include "tests/random_nest.h"

static void random_pad(const Type *x, uint64_t *seed, PAD_attr *p) {
    p->pads = (Ints){.n = 2 * x->rank};
    for (int i = 0; i < x->rank; i++) {
        bool channels = i < 2, some = random_in(seed, 0, channels ? 4 : 1) == 0;
        if (!some) continue;
        p->pads.v[i] = random_in(seed, -1, 2);
        p->pads.v[x->rank + i] = random_in(seed, -1, 2);
    }
}

static void random_transposed(const Type *x, uint64_t *seed, CONVTRANSPOSE_attr *c) {
    static const int32_t groups[] = {1, 1, 1, 2, 3, 4};
    int32_t channels = x->axis[1].extent;
    c->groups = random_in(seed, 0, 5) ? groups[random_in(seed, 0, 5)] : channels;
    if (channels % c->groups) c->groups = 1;
    c->out = c->groups * random_in(seed, 1, c->groups == 1 ? 17 : 3);
    for (int i = 0; i < c->output_pad.n; i++) c->output_pad.v[i] = random_in(seed, 0, 1);
}

void random_windows(Op op, const Type *x, uint64_t *seed, AttrAny *attr) {
    if (op == OP_PAD) random_pad(x, seed, &attr->PAD);
    if (op == OP_CONVTRANSPOSE && x->rank >= 2) random_transposed(x, seed, &attr->CONVTRANSPOSE);
}
