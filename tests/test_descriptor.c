/* benchdnn descriptors: what known lines mean, what is wrong with wrong ones, and that every line of the shape lists is
 * read and can be a layer. */
#include "frontend/data/mapfile.h"
#include "frontend/descriptor.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LISTS SOURCE_DIR "/../shared/data/benchdnn"

static Arena *arena;

static int open_arena(void **state) {
    (void)state;
    arena = arena_open(NULL);
    return !arena;
}

static int close_arena(void **state) {
    (void)state;
    arena_close(arena);
    return 0;
}

/* ---- what lines mean ---------------------------------------------------------------------------------------------- */

typedef struct Known {
    DescriptorKind kind;
    const char *text, *full, *layer, *input;
} Known;

static const Known known[] = {
    /* one axis of the two stands for both; the name needs no quotes */
    {DESCRIPTOR_CONV, "g2mb256ic96ih27oc256oh27kh5ph2n\"alexnet:conv2\"",
     "g2mb256ic96ih27iw27oc256oh27ow27kh5kw5sh1sw1ph2pw2dh0dw0n\"alexnet:conv2\"",
     "conv { out = 256, kernel = {5, 5}, stride = {1, 1}, pad = {2, 2, 2, 2}, groups = 2 }", "96, 27, 27"},
    {DESCRIPTOR_CONV, "ic64ih56oc64oh56kh3ph1nname", "g1mb2ic64ih56iw56oc64oh56ow56kh3kw3sh1sw1ph1pw1dh0dw0n\"name\"",
     "conv { out = 64, kernel = {3, 3}, stride = {1, 1}, pad = {1, 1, 1, 1} }", "64, 56, 56"},
    /* no output: it is computed; '_' means nothing */
    {DESCRIPTOR_CONV, "_g8_ic64oc64_iw9kw2_n\"1d\"", "g8mb2ic64iw9oc64ow8kw2sw1pw0dw0n\"1d\"",
     "conv { out = 64, kernel = {2}, stride = {1}, pad = {0, 0}, groups = 8 }", "64, 9"},
    {DESCRIPTOR_CONV, "g3_ic6oc6_id56kd3sd2_",
     "g3mb2ic6id56ih56iw56oc6od27oh27ow27kd3kh3kw3sd2sh2sw2pd0ph0pw0dd0dh0dw0",
     "conv { out = 6, kernel = {3, 3, 3}, stride = {2, 2, 2}, pad = {0, 0, 0, 0, 0, 0}, groups = 3 }", "6, 56, 56, 56"},
    /* dilation counts from 0 */
    {DESCRIPTOR_CONV, "mb20ic4ih8oc6oh1kh3sh2ph1dh3", "g1mb20ic4ih8iw8oc6oh1ow1kh3kw3sh2sw2ph1pw1dh3dw3",
     "conv { out = 6, kernel = {3, 3}, stride = {2, 2}, pad = {1, 1, 0, 0}, dilation = {4, 4} }", "4, 8, 8"},
    /* fewer positions left over than a stride are dropped by rounding, more are not part of the input */
    {DESCRIPTOR_CONV, "ic8ih35oc8oh7kh1sh5ph0", "g1mb2ic8ih35iw35oc8oh7ow7kh1kw1sh5sw5ph0pw0dh0dw0",
     "conv { out = 8, kernel = {1, 1}, stride = {5, 5}, pad = {0, 0, 0, 0} }", "8, 35, 35"},
    {DESCRIPTOR_CONV, "ic8iw40oc8ow7kw1sw5pw0", "g1mb2ic8iw40oc8ow7kw1sw5pw0dw0",
     "conv { out = 8, kernel = {1}, stride = {5}, pad = {0, 0} }", "8, 31"},
    /* padding that is not given is half of what the output needs; the rest is behind */
    {DESCRIPTOR_POOL, "mb50ic64_ih112oh56_kh3sh2n\"p\"", "mb50ic64ih112iw112oh56ow56kh3kw3sh2sw2ph0pw0dh0dw0n\"p\"",
     "maxpool { kernel = {3, 3}, stride = {2, 2}, pad = {0, 0, 1, 1} }", "64, 112, 112"},
    {DESCRIPTOR_POOL, "ic35_iw10ih9_ow3oh3_pw0ph1_kw2kh2_sw4sh4", "mb2ic35ih9iw10oh3ow3kh2kw2sh4sw4ph1pw0dh0dw0",
     "maxpool { kernel = {2, 2}, stride = {4, 4}, pad = {1, 0, 0, 0} }", "35, 9, 10"},
    /* a window may lie in the padding alone: then the padding is an op of its own, of all axes */
    {DESCRIPTOR_POOL, "ic32_iw13ih36_ow14oh17_pw6ph0_kw6kh4_sw1sh2", "mb2ic32ih36iw13oh17ow14kh4kw6sh2sw1ph0pw6dh0dw0",
     "pad { {0, 0, 0, 6, 0, 0, 0, 0}, value = -3.4028234663852886e38 }:maxpool { kernel = {4, 6}, stride = {2, 1}, pad "
     "= {0, 0, 0, 0} }",
     "32, 36, 13"},
    /* a stride of 1 and no padding do not make an axis */
    {DESCRIPTOR_CONV, "ic3oc4iw9kw3sh1ph0dh0", "g1mb2ic3iw9oc4ow7kw3sw1pw0dw0",
     "conv { out = 4, kernel = {3}, stride = {1}, pad = {0, 0} }", "3, 9"},
    /* transposed: the output as given takes less of the far end, or more */
    {DESCRIPTOR_DECONV, "g1mb96ic64ih112oc3oh224kh7sh2ph3", "g1mb96ic64ih112iw112oc3oh224ow224kh7kw7sh2sw2ph3pw3dh0dw0",
     "convtranspose { out = 3, kernel = {7, 7}, stride = {2, 2}, pad = {3, 3, 2, 2} }", "64, 112, 112"},
    {DESCRIPTOR_DECONV, "mb50_oc512oh56_ic256ih28_kh1sh2ph0",
     "g1mb50ic256ih28iw28oc512oh56ow56kh1kw1sh2sw2ph0pw0dh0dw0",
     "convtranspose { out = 512, kernel = {1, 1}, stride = {2, 2}, pad = {0, 0, 0, 0}, output_pad = {1, 1} }",
     "256, 28, 28"},
    {DESCRIPTOR_DECONV, "ic8oc8iw5kw1sw2ow14pw0", "g1mb2ic8iw5oc8ow14kw1sw2pw0dw0",
     "convtranspose { out = 8, kernel = {1}, stride = {2}, pad = {0, -5} }", "8, 5"},
    {DESCRIPTOR_DECONV, "ic8oc8iw5kw3sw2", "g1mb2ic8iw5oc8ow11kw3sw2pw0dw0",
     "convtranspose { out = 8, kernel = {3}, stride = {2}, pad = {0, 0} }", "8, 5"},
};

static void test_known(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        const Known *k = &known[i];
        Descriptor x, again;
        Diag d = {0};
        const char *layer, *input;
        Text full = {.arena = arena};
        if (!descriptor_read(&x, k->kind, k->text, &d)) fail_msg("%s: %s", k->text, d.text);
        descriptor_print(&full, &x);
        assert_string_equal(text_get(&full), k->full);
        assert_true(descriptor_read(&again, k->kind, k->full, &d));
        assert_memory_equal(&x, &again, sizeof x);
        assert_true(descriptor_layer(&x, POOL_MAX, "", arena, &layer, &input, &d));
        assert_string_equal(layer, k->layer);
        assert_string_equal(input, k->input);
    }
}

static void test_pooling(void **state) {
    (void)state;
    Descriptor x;
    Diag d = {0};
    const char *layer, *input;
    assert_true(descriptor_read(&x, DESCRIPTOR_POOL, "ic4ih8kh3ph1", &d));
    assert_true(descriptor_layer(&x, POOL_AVG_P, "", arena, &layer, &input, &d));
    assert_string_equal(layer, "avgpool { kernel = {3, 3}, stride = {1, 1}, pad = {1, 1, 1, 1} }");
    assert_true(descriptor_layer(&x, POOL_AVG_NP, "", arena, &layer, &input, &d));
    assert_string_equal(layer, "avgpool { kernel = {3, 3}, stride = {1, 1}, pad = {1, 1, 1, 1}, count_pad = false }");
    assert_true(descriptor_read(&x, DESCRIPTOR_CONV, "ic4oc4ih8kh3", &d));
    assert_true(descriptor_layer(&x, POOL_MAX, ", algorithm = \"im2col\"", arena, &layer, &input, &d));
    assert_non_null(strstr(layer, ", algorithm = \"im2col\" }"));
}

/* Windows at both ends lie as they did: padding and what is left over are the same. */
static void test_cap(void **state) {
    (void)state;
    static const struct {
        DescriptorKind kind;
        const char *text;
        int64_t spatial, in, out;
    } cases[] = {
        {DESCRIPTOR_CONV, "mb256ic3oc96ih227kh11sh4ph0", 20, 19, 3},
        {DESCRIPTOR_CONV, "ic3oc4ih224oh224kh3ph1", 16, 16, 16},
        {DESCRIPTOR_CONV, "ic3oc4ih9kh9ph0", 2, 9, 1},
        {DESCRIPTOR_DECONV, "ic3oc4ih55oh227kh11sh4ph0", 31, 6, 31},
        {DESCRIPTOR_POOL, "ic4ih112oh56kh3sh2", 10, 10, 5},
        {DESCRIPTOR_CONV, "ic3oc4ih8kh3", 0, 8, 6},
        {DESCRIPTOR_CONV, "ic8oc8iw40ow7kw1sw5pw0", 1, 10, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Descriptor x, cut;
        Diag d = {0};
        assert_true(descriptor_read(&x, cases[i].kind, cases[i].text, &d));
        cut = x;
        descriptor_cap(&cut, cases[i].spatial, 2);
        assert_true(cut.batch == 2);
        assert_int_equal(cut.axis[0].in, cases[i].in);
        assert_int_equal(cut.axis[0].out, cases[i].out);
        assert_int_equal(cut.axis[0].after, x.axis[0].after);
        Text t = {.arena = arena};
        Descriptor again;
        descriptor_print(&t, &cut);
        assert_true(descriptor_read(&again, cases[i].kind, text_get(&t), &d));
        assert_memory_equal(&cut, &again, sizeof cut);
    }
}

/* ---- what is wrong ------------------------------------------------------------------------------------------------ */

static const struct {
    DescriptorKind kind;
    const char *text, *message;
} wrong[] = {
    {DESCRIPTOR_CONV, "", "ic is missing"},
    {DESCRIPTOR_CONV, "ic3", "oc is missing"},
    {DESCRIPTOR_CONV, "ic3oc4", "there is no axis: one of iw, ih and id is wanted"},
    {DESCRIPTOR_CONV, "ic3oc4ih8", "kh is missing or 0"},
    {DESCRIPTOR_CONV, "ic3oc4kh3", "ih is missing or 0"},
    {DESCRIPTOR_CONV, "ic3oc4ih8kh0", "at column 10: kh is missing or 0"},
    {DESCRIPTOR_CONV, "ic3oc0ih8kh3", "at column 4: oc is 0"},
    {DESCRIPTOR_CONV, "ic3oc4ih8kh3sh0", "at column 13: sh is 0"},
    {DESCRIPTOR_CONV, "ic3oc4ih8oh0kh3", "at column 10: oh is 0"},
    {DESCRIPTOR_CONV, "g0ic3oc4ih8kh3", "at column 1: g is 0"},
    {DESCRIPTOR_CONV, "g2ic3oc4ih8kh3", "at column 1: 2 groups do not divide ic3"},
    {DESCRIPTOR_CONV, "g2ic4oc5ih8kh3", "at column 1: 2 groups do not divide oc5"},
    {DESCRIPTOR_CONV, "ic3oc4ih8kh9", "along h the kernel spans 9 positions, the input with its padding has 8"},
    {DESCRIPTOR_CONV, "ic3oc4ih8kh3dh4", "along h the kernel spans 11 positions, the input with its padding has 8"},
    {DESCRIPTOR_CONV, "ic3oc4ih8khx", "at column 12: a whole number is wanted after kh"},
    {DESCRIPTOR_CONV, "ic3oc4ih8kh-3", "at column 12: a whole number is wanted after kh"},
    {DESCRIPTOR_CONV, "ic3oc4ih8kh", "at column 12: a whole number is wanted after kh"},
    {DESCRIPTOR_CONV, "ic3oc4ih8kh3q7", "at column 13: no conv descriptor has 'q7' here"},
    {DESCRIPTOR_CONV, "ic3oc4ih8kh3 kw3", "at column 13: no conv descriptor has '?' here"},
    {DESCRIPTOR_CONV, "ic3oc4ih8ih9kh3", "at column 10: ih is given twice"},
    {DESCRIPTOR_CONV, "ic3oc4ih99999999999999999999kh3", "at column 7: ih is more than 2147483647"},
    {DESCRIPTOR_CONV, "ic3oc4id8kd3ih8kh3", "with d, either both of h and w are wanted or none"},
    {DESCRIPTOR_POOL, "g2ic4ih8kh3", "at column 1: no pool descriptor has 'g2ic4ih8kh3' here"},
    {DESCRIPTOR_POOL, "ic4oc4ih8kh3", "at column 4: no pool descriptor has 'oc4ih8kh3' here"},
    {DESCRIPTOR_DECONV, "ic4oc4ih2kh3ph5", "along h the padding leaves no output: oh would be -6"},
};

static void test_wrong(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        Descriptor x;
        Diag d = {0};
        if (descriptor_read(&x, wrong[i].kind, wrong[i].text, &d)) fail_msg("accepted: %s", wrong[i].text);
        assert_int_equal(d.kind, DIAG_USAGE);
        assert_string_equal(d.text, wrong[i].message);
    }
}

/* Numbers as large as they may be overflow nothing (the sanitizers watch), and nothing but a message comes of odd ones. */
static void test_hostile(void **state) {
    (void)state;
    static const char *const keys[] = {"g",  "mb", "id", "iw", "oh", "ow", "od", "kw", "kd", "sh",   "sw",
                                       "sd", "ph", "pw", "pd", "dh", "dw", "dd", "_",  "x",  "\xff", "i"};
    static const char *const numbers[] = {"2147483647", "2147483646", "65536", "1", "2", "7", "0", "2147483648", ""};
    uint64_t seed = 1;
    int read = 0;
    for (int i = 0; i < 20000; i++) {
        Text t = {.arena = arena};
        Descriptor x;
        Diag d = {0};
        const char *layer, *input;
        text_add(&t, "ic2oc2ih%skh%s", numbers[i % 6], numbers[i / 6 % 6]);
        for (size_t k = 0; k < COUNT_OF(keys); k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bool odd = k >= 18 || (seed >> 40) % 50 == 0;
            if ((seed >> 33) % (k >= 18 ? 60 : 6) == 0)
                text_add(&t, "%s%s", keys[k], numbers[(seed >> 50) % (odd ? COUNT_OF(numbers) : 6)]);
        }
        if (!descriptor_read(&x, (DescriptorKind)(i % 2), text_get(&t), &d)) {
            assert_true(d.kind == DIAG_USAGE && d.text[0]);
            continue;
        }
        read++;
        descriptor_cap(&x, 1 + i % 50, 2);
        if (!descriptor_layer(&x, POOL_MAX, "", arena, &layer, &input, &d)) assert_int_equal(d.kind, DIAG_UNSUPPORTED);
    }
    assert_true(read > 500);
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

static void test_words(void **state) {
    (void)state;
    const char *text = "# a comment\n\nic1ih2kh1n\"a b#c\" ic2 # rest\n#end\n\tic3#x", *at = text;
    int line = 0;
    assert_string_equal(descriptor_next(arena, &at, &line), "ic1ih2kh1n\"a b#c\"");
    assert_int_equal(line, 3);
    assert_string_equal(descriptor_next(arena, &at, &line), "ic2");
    assert_int_equal(line, 3);
    assert_string_equal(descriptor_next(arena, &at, &line), "ic3");
    assert_int_equal(line, 5);
    assert_null(descriptor_next(arena, &at, &line));
    assert_null(descriptor_next(arena, &at, &line));
}

static int read_list(DescriptorKind kind, const char *path) {
    Diag d = {0};
    char *text = text_load(arena, path, &d);
    const char *at = text, *one;
    int line = 0, n = 0;
    if (!text) fail_msg("%s", d.text);
    for (; (one = descriptor_next(arena, &at, &line)); n++) {
        Descriptor x;
        const char *layer, *input;
        if (!descriptor_read(&x, kind, one, &d)) fail_msg("%s:%d: %s", path, line, d.text);
        if (!descriptor_layer(&x, POOL_MAX, "", arena, &layer, &input, &d)) fail_msg("%s:%d: %s", path, line, d.text);
        assert_true(x.name[0] || kind != DESCRIPTOR_CONV);
    }
    return n;
}

static void test_lists(void **state) {
    (void)state;
    static const int wanted[] = {280, 60, 45}; /* descriptors there are, without comments */
    for (int kind = 0; kind <= DESCRIPTOR_POOL; kind++) {
        const char *folder = arena_printf(arena, LISTS "/%s", descriptor_kind_name[kind]);
        DIR *dir = opendir(folder);
        int n = 0;
        if (!dir) {
            printf("%s is not there\n", folder);
            skip();
        }
        for (struct dirent *e; (e = readdir(dir));)
            if (e->d_name[0] != '.')
                n += read_list((DescriptorKind)kind, arena_printf(arena, "%s/%s", folder, e->d_name));
        closedir(dir);
        assert_int_equal(n, wanted[kind]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known),   cmocka_unit_test(test_pooling),
                                       cmocka_unit_test(test_cap),     cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_hostile), cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_lists)};
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
