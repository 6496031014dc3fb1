#include "tests/random_over.h"
#include "tests/random_nest.h"

#include <string.h>

const char *over_difference(const Kernel *k, uint64_t seed, OverRun *run, void *ctx) {
    uint64_t again = seed;
    void **apart = random_buffers(k, &seed), **shared = random_buffers(k, &again);
    void **given = ARENA_ARRAY(k->arena, void *, k->n_param), **got = ARENA_ARRAY(k->arena, void *, k->n_param);
    for (int i = 0; i < k->n_param; i++) given[i] = got[i] = shared[i];
    for (int i = 0; i < k->n_param; i++) {
        if (!k->buf[i].is_over) continue;
        int z = k->buf[i].over;
        memcpy(apart[i], apart[z], type_bytes(&k->buf[i].type));
        given[i] = got[i] = shared[z];
        got[z] = apart[z]; /* the result stands where it was */
    }
    run(k, apart, ctx);
    run(k, given, ctx);
    const char *difference = random_buffers_difference(k, apart, got, 0);
    random_buffers_free(k, apart);
    random_buffers_free(k, shared);
    return difference;
}
