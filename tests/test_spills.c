/* No kernel of the bench's networks moves a vector register to the stack in an inner loop: counted in
 * the assembly, for AVX2 and AVX-512. */
#include "codegen/emit.h"
#include "codegen/target.h"
#include "frontend/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const specs[] = {
    "specs/lenet5.lua",       "specs/smallcnn.lua",     "tests/specs/bench/layers.lua", "specs/alexnet.lua",       "specs/vgg16.lua",
    "specs/resnet18.lua",     "specs/resnet50.lua",     "specs/inception_v3.lua",       "specs/densenet121.lua",   "specs/xception.lua",
    "specs/mobilenet_v1.lua", "specs/mobilenet_v2.lua", "specs/squeezenet1_1.lua",      "specs/dcgan.lua",         "specs/style.lua",
    "specs/c3d.lua",
};
static const char *const cpus[] = {"x86-64-v3", "x86-64-v4"};

static int bad; /* kernels that spill in an inner loop */

static void count_kernels(const char *spec, const char *cpu) {
    Diag d = {0};
    LunetteOptions o = {.cpu = cpu};
    LunetteModel *m = model_load(spec, &o, NULL, NULL, &d);
    if (!m) fail_msg("%s: %s", spec, d.text);
    int stores = 0, loads = 0, seen = 0;
    for (int i = 0; i < m->plan->n_step; i++) {
        SpillCount c;
        if (m->kernel_of[i] < seen) continue; /* as a step before */
        seen = m->kernel_of[i] + 1;
        if (!codegen_count_spills(m->kernel[i].kernel, &m->target, &c, &d))
            fail_msg("%s: %s", m->kernel[i].kernel->name, d.text);
        if (c.inner_stores || c.inner_loads) {
            bad++;
            print_error("%s, %s for %s: %d stores and %d loads of spilled registers in inner loops\n", spec,
                     m->kernel[i].kernel->name, cpu, c.inner_stores, c.inner_loads);
        }
        stores += c.stores;
        loads += c.loads;
    }
    printf("%s for %s: %d distinct kernels, none spills in an inner loop; outside: %d stores, %d loads\n", spec, cpu,
           seen, stores, loads);
    model_close(m);
}

static void test_spills(void **state) {
    (void)state;
    for (size_t s = 0; s < COUNT_OF(specs); s++)
        for (size_t c = 0; c < COUNT_OF(cpus); c++) count_kernels(specs[s], cpus[c]);
    assert_int_equal(bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spills)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
