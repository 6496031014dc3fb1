/* Networks with tensors that are no float32: indexes, masks, class numbers, of any rank, as inputs, outputs, weights and
 * between; through the public interface and through check. */
#include "frontend/check.h"
#include "frontend/data/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/lunette-typed-XXXXXX";

static const char *in_dir(const char *name) {
    static char path[8][128];
    static int next;
    char *p = path[next++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static const char *spec(const char *text) {
    const char *path = in_dir("net.lua");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static LunetteModel *open_good(const char *text, const char *weights, int64_t batch) {
    LunetteModel *m = NULL;
    LunetteError e;
    LunetteOptions o = {.weights = weights, .random_weights = 1, .no_cache = 1, .batch = batch, .threads = 2};
    if (lunette_open(spec(text), &o, &m, &e) != LUNETTE_OK) fail_msg("%s\n%s", text, e.message);
    return m;
}

static void run_good(LunetteModel *m, const void *const *in, void *const *out) {
    LunetteError e;
    if (lunette_run(m, in, out, &e) != LUNETTE_OK) fail_msg("%s", e.message);
}

static void assert_port(LunetteTensor t, const char *name, LunetteType type, int rank, const int64_t *extent,
                        size_t bytes) {
    assert_string_equal(t.name, name);
    assert_int_equal(t.type, type);
    assert_int_equal(t.rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(t.extent[i], extent[i]);
    assert_int_equal(t.bytes, bytes);
}

/* ---- the public interface -------------------------------------------------------------------------- */

static void test_ports(void **state) {
    (void)state;
    LunetteModel *m = open_good("local ids = input { 'ids', 3, type = 'i64' }\n"
                                "local one = input { 'one', shape = {}, type = 'i32' }\n"
                                "local far = input { 'far', shape = { 1, 2, 1, 2, 1, 2, 1, 3 }, type = 'u8' }\n"
                                "local mask = input { 'mask', shape = { 5 }, type = 'bool' }\n"
                                "return { { 'a', ids:cast { 'f32' } }, { 'b', one:reshape { { 1, 1 } } },\n"
                                "         { 'c', far:transpose() }, { 'd', mask:cast { 'i64' } } }\n",
                                NULL, 2);
    assert_port(lunette_input(m, 0), "ids", LUNETTE_I64, 2, (int64_t[]){2, 3}, 48);
    assert_port(lunette_input(m, 1), "one", LUNETTE_I32, 0, NULL, 4);
    assert_port(lunette_input(m, 2), "far", LUNETTE_U8, 8, (int64_t[]){1, 2, 1, 2, 1, 2, 1, 3}, 24);
    assert_port(lunette_input(m, 3), "mask", LUNETTE_BOOL, 1, (int64_t[]){5}, 5);
    assert_port(lunette_output(m, 0), "a", LUNETTE_F32, 2, (int64_t[]){2, 3}, 24);
    assert_port(lunette_output(m, 1), "b", LUNETTE_I32, 2, (int64_t[]){1, 1}, 4);
    assert_port(lunette_output(m, 2), "c", LUNETTE_U8, 8, (int64_t[]){3, 1, 2, 1, 2, 1, 2, 1}, 24);
    assert_port(lunette_output(m, 3), "d", LUNETTE_I64, 1, (int64_t[]){5}, 40);
    int64_t ids[6] = {-7, 0, 1, 2, 1 << 24, -(1 << 24)}, d[5];
    int32_t one = INT32_MIN, b = 0;
    uint8_t far[24], c[24], mask[5] = {1, 0, 0, 1, 1};
    float a[6];
    for (int i = 0; i < 24; i++) far[i] = (uint8_t)(i * 11);
    run_good(m, (const void *[]){ids, &one, far, mask}, (void *[]){a, &b, c, d});
    for (int i = 0; i < 6; i++) assert_true(a[i] == (float)ids[i]);
    assert_int_equal(b, INT32_MIN); /* moved, so that nothing of it is lost */
    for (int i = 0; i < 24; i++) {  /* axes 1 3 5 7 of 2 2 2 3 turned round */
        int p = i / 12, q = i / 6 % 2, r = i / 3 % 2, s = i % 3;
        assert_int_equal(c[((s * 2 + r) * 2 + q) * 2 + p], far[i]);
    }
    for (int i = 0; i < 5; i++) assert_int_equal(d[i], mask[i]);
    lunette_close(m);
}

/* What float32 cannot hold goes through layers that only move. */
static void test_moved(void **state) {
    (void)state;
    LunetteModel *m = open_good("local x = input { 'x', shape = { 2, 3 }, type = 'i64' }\n"
                                "return concat { x, x:reverse { 1 }:slice { 0, 2, 1 } }:transpose()\n",
                                NULL, 0);
    const int64_t x[6] = {INT64_MAX, INT64_MIN, 3, (int64_t)1 << 53 | 1, -1, (1 << 24) + 1};
    const int64_t wanted[10] = {x[0], x[3], x[1], x[4], x[2], x[5], x[2], x[5], x[1], x[4]};
    int64_t y[10];
    run_good(m, (const void *[]){x}, (void *[]){y});
    assert_memory_equal(y, wanted, sizeof y);
    lunette_close(m);
}

static void test_cast(void **state) {
    (void)state;
    LunetteModel *m = open_good("local x = input { 'x', shape = { 8 } }\n"
                                "return { x:cast { 'i64' }, x:cast { 'i32' }, x:cast { 'u8' }, x:cast { 'bool' },\n"
                                "         x:cast { 'i32' } * x:cast { 'i32' } }\n",
                                NULL, 0);
    const float x[8] = {-2.9f, 2.9f, 1e30f, -1e30f, NAN, 0, 300, -0.5f};
    int64_t a[8];
    int32_t b[8], e[8];
    uint8_t c[8], d[8];
    run_good(m, (const void *[]){x}, (void *[]){a, b, c, d, e});
    const int64_t wanted_a[8] = {-2, 2, INT64_MAX, INT64_MIN, 0, 0, 300, 0};
    const int32_t wanted_b[8] = {-2, 2, INT32_MAX, INT32_MIN, 0, 0, 300, 0};
    const int32_t wanted_e[8] = {4, 4, INT32_MAX, INT32_MAX, 0, 0, 90000, 0};
    const uint8_t wanted_c[8] = {0, 2, 255, 0, 0, 0, 255, 0}, wanted_d[8] = {1, 1, 1, 1, 1, 0, 1, 1};
    assert_memory_equal(a, wanted_a, sizeof a);
    assert_memory_equal(b, wanted_b, sizeof b);
    assert_memory_equal(c, wanted_c, sizeof c);
    assert_memory_equal(d, wanted_d, sizeof d);
    assert_memory_equal(e, wanted_e, sizeof e);
    lunette_close(m);
}

/* Where the maxima are, and back. */
static void test_pool_indices(void **state) {
    (void)state;
    LunetteModel *m = open_good("local x = input { 'x', 1, 4, 4 }\n"
                                "local y, at = x:maxpool { 2 }, x:maxpoolindex { 2 }\n"
                                "return { at, y:maxunpool { at, 2 }, y:reshape { { 0, -1 } }:argmax { 1 } }\n",
                                NULL, 0);
    const float x[16] = {1, 5, 2, 0, 3, 4, 9, 8, -1, -2, 7, 7, -3, -1, 6, 7};
    int64_t at[4], best;
    float back[16], wanted[16] = {0};
    run_good(m, (const void *[]){x}, (void *[]){at, back, &best});
    const int64_t wanted_at[4] = {1, 6, 8, 10};
    assert_memory_equal(at, wanted_at, sizeof at);
    for (int i = 0; i < 4; i++) wanted[wanted_at[i]] = x[wanted_at[i]];
    for (int i = 0; i < 16; i++) assert_true(back[i] == wanted[i]);
    assert_int_equal(best, 1);
    lunette_close(m);
}

/* ---- indexes --------------------------------------------------------------------------------------- */

static const char rows_of[] = "local ids = input { 'ids', 6, type = 'i64' }\n"
                              "local x = input { 'x', shape = { 10, 2 } }\n"
                              "local small = input { 'small', shape = { 2 }, type = 'i64' }\n"
                              "local at = ids:reshape { { -1, 2 } }:cast { 'i32' }\n"
                              "return { x:gather { at }, x:slice { 0, 4, 0 }:gather(small) }\n";

static void test_gather(void **state) {
    (void)state;
    LunetteModel *m = open_good(rows_of, NULL, 0);
    int64_t ids[6] = {0, 9, -1, -10, 3, 3}, small[2] = {-4, 3};
    float x[20], y[12], z[4];
    for (int i = 0; i < 20; i++) x[i] = (float)i / 8;
    run_good(m, (const void *[]){ids, x, small}, (void *[]){y, z});
    for (int i = 0; i < 12; i++) {
        int64_t row = ids[i / 2] < 0 ? ids[i / 2] + 10 : ids[i / 2];
        assert_true(y[i] == x[row * 2 + i % 2]);
    }
    assert_true(z[0] == x[0] && z[1] == x[1] && z[2] == x[6] && z[3] == x[7]);
    static const struct {
        int64_t value;
        const char *says;
    } wrong[] = {{10, "input 'ids': element 4 is 10, not in -10 … 9"},
                 {-11, "input 'ids': element 4 is -11, not in -10 … 9"},
                 {INT64_MAX, "input 'ids': element 4 is 9223372036854775807, not in -10 … 9"}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        LunetteError e;
        y[0] = -1;
        ids[4] = wrong[i].value;
        assert_int_equal(lunette_run(m, (const void *[]){ids, x, small}, (void *[]){y, z}, &e), LUNETTE_FILE);
        assert_string_equal(e.message, wrong[i].says);
        assert_true(y[0] == -1); /* nothing was run */
    }
    ids[4] = 0;
    small[1] = 4;
    LunetteError e;
    assert_int_equal(lunette_run(m, (const void *[]){ids, x, small}, (void *[]){y, z}, &e), LUNETTE_FILE);
    assert_string_equal(e.message, "input 'small': element 1 is 4, not in -4 … 3");
    lunette_close(m);
}

/* Computed ones are clamped: nothing beyond x is read. */
static void test_gather_computed(void **state) {
    (void)state;
    LunetteModel *m = open_good("local at = input { 'at', shape = { 4 } }\n"
                                "local x = input { 'x', shape = { 5 } }\n"
                                "return x:gather { (at * 2):cast { 'i64' } }\n",
                                NULL, 0);
    const float at[4] = {1, 1e20f, -1e20f, -0.5f}, x[5] = {10, 11, 12, 13, 14};
    float y[4];
    run_good(m, (const void *[]){at, x}, (void *[]){y});
    assert_true(y[0] == 12 && y[1] == 14 && y[2] == 10 && y[3] == 14);
    lunette_close(m);
}

/* ---- weights --------------------------------------------------------------------------------------- */

static const char table_of[] = "local x = input { 'x', shape = { 4, 3 } }\n"
                               "local at = weight { 'at', 3, type = 'i64' }\n"
                               "local keep = weight { 'keep', 3, type = 'bool' }\n"
                               "return { x:gather { at }, x * keep:cast { 'f32' }, at:reshape { { 3, 1 } },\n"
                               "         (at + at):concat { at, axis = 0 } }\n";

static const char *weights_of(ElemType type, const void *at, size_t bytes) {
    static const uint8_t keep[3] = {1, 0, 1};
    const char *path = in_dir("w.safetensors");
    const Tensor tensors[] = {
        {"at", {.type = type, .rank = 1, .shape = {3}, .data = at, .bytes = bytes}},
        {"keep", {.type = ELEM_BOOL, .rank = 1, .shape = {3}, .data = keep, .bytes = sizeof keep}}};
    Diag d = {0};
    if (!safetensors_write(path, tensors, 2, NULL, &d)) fail_msg("%s", d.text);
    return path;
}

static void refuse_weights(const char *weights, const char *says) {
    LunetteModel *m = NULL;
    LunetteError e;
    LunetteOptions o = {.weights = weights, .no_cache = 1};
    assert_int_equal(lunette_open(spec(table_of), &o, &m, &e), LUNETTE_FILE);
    if (!strstr(e.message, says)) fail_msg("%s: %s expected", e.message, says);
}

static void test_weights(void **state) {
    (void)state;
    const int64_t at[3] = {3, -4, 1};
    const uint8_t bytes[3] = {3, 0, 1};
    for (int narrow = 0; narrow < 2; narrow++) { /* u8 in the file is as good */
        const char *w = narrow ? weights_of(ELEM_U8, bytes, sizeof bytes) : weights_of(ELEM_I64, at, sizeof at);
        LunetteModel *m = open_good(table_of, w, 0);
        float x[12], rows[9], kept[12];
        int64_t moved[3], sum[6];
        for (int i = 0; i < 12; i++) x[i] = (float)i + 1;
        run_good(m, (const void *[]){x}, (void *[]){rows, kept, moved, sum});
        const int64_t row[3] = {3, 0, 1};
        for (int i = 0; i < 9; i++) assert_true(rows[i] == x[row[i / 3] * 3 + i % 3]);
        for (int i = 0; i < 12; i++) assert_true(kept[i] == (i % 3 == 1 ? 0 : x[i]));
        for (int i = 0; i < 3; i++) {
            int64_t v = narrow ? bytes[i] : at[i];
            assert_true(moved[i] == v && sum[i] == 2 * v && sum[3 + i] == v);
        }
        lunette_close(m);
    }
    refuse_weights(weights_of(ELEM_F32, (float[]){0, 1, 2}, 12),
                   "the numbers are f32, but at is i64: integers expected");
    refuse_weights(weights_of(ELEM_I64, (int64_t[]){0, 1, 4}, 24), "at: element 2 is 4, not in -4 … 3");
    refuse_weights(weights_of(ELEM_U64, (uint64_t[]){0, UINT64_MAX, 1}, 24), "element 1 is 18446744073709551615");
}

/* ---- check ----------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    bool whole; /* has no batch */
} networks[] = {
    {rows_of, false},
    {table_of, true},
    {"local x = input { 'x', 8, 6, 6 }\n"
     "local y, at = x:conv { 8, 3, pad = 1 }:maxpool { 2 }, x:maxpoolindex { 2 }\n"
     "return { { 'at', at }, { 'back', y:maxunpool { at, 2 } }, { 'best', y:flatten():argmax { 1 } },\n"
     "         { 'least', x:argmin { 1, keep = true } } }\n",
     false},
    {"local x, m = input { 'x', 3, 40, 40 }, input { 'm', 3, 1, 40, type = 'bool' }\n"
     "local u = input { 'u', 3, type = 'u8' }\n"
     "return { { 'masked', x * m:cast { 'f32' } }, { 'bytes', (x * 200):cast { 'u8' } },\n"
     "         { 'bits', (x:max(0.5) - 0.5):cast { 'bool' } }, { 'u', u:reshape { { -1 } } }, { 'whole', (x * 99):cast "
     "{ 'i32' } } }\n",
     false},
    {"local d = input { 'd', shape = { 2, 3, 1, 2, 2, 1, 2, 2 }, type = 'i64' }\n"
     "local s = input { 's', shape = {}, type = 'i32' }\n"
     "return { d:transpose(), d + s, s:cast { 'f32' } ^ 2 }\n",
     true},
};

static LunetteModel *model_make(const char *text, bool exact, uint64_t seed, int64_t batch) {
    Diag d = {0};
    LunetteOptions o = {.random_weights = 1, .seed = seed, .threads = 2, .no_cache = 1, .batch = batch};
    LunetteModel *m = model_load(spec(text), &o, NULL, NULL, &d);
    bool good = m && (exact ? check_exact_weights(m, seed, &d) : model_weights(m, &d)) && model_build(m, &d);
    if (!good) fail_msg("%s\n%s", text, d.text);
    return m;
}

static CheckReport *check_made(LunetteModel *m, CheckOptions o) {
    Diag d = {0};
    CheckReport *r = check_model(m, &o, &d);
    if (!r) fail_msg("%s", d.text);
    return r;
}

static void test_check(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(networks); i++)
        for (int k = 0; k < 8; k++) {
            uint64_t seed = (uint64_t)k + 1;
            LunetteModel *m = model_make(networks[i].text, k & 1, seed, k < 4 || networks[i].whole ? 1 : 2);
            CheckReport *r = check_made(m, (CheckOptions){.exact = k & 1, .seed = seed, .threads = 2});
            for (int row = 0; row < r->n_row; row++)
                if (r->row[row].faults)
                    fail_msg("%s\nseed %d: %s: %s", networks[i].text, k + 1, r->row[row].name, r->row[row].why);
            for (int out = 0; out < r->n_output; out++)
                if (r->output[out].faults)
                    fail_msg("%s\n%s: %s", networks[i].text, r->output[out].name, r->output[out].why);
            assert_true(r->good);
            check_close(r);
            model_close(m);
        }
}

typedef struct Spoil {
    int step;
    size_t size;
    int64_t at; /* element; beyond the last: −1 */
} Spoil;

/* One bit of one element of what native code made. */
static void spoil(void *ctx, int step, void *out, void *input, int64_t n) {
    const Spoil *s = ctx;
    if (input || step != s->step) return;
    ((uint8_t *)out)[(size_t)(s->at < 0 ? n : s->at % n) * s->size] ^= 1;
}

/* A wrong bit in a result of any type is seen, and so is one behind it. */
static void test_noticed(void **state) {
    (void)state;
    bool seen[DT_BOOL + 1] = {false};
    for (size_t i = 0; i < COUNT_OF(networks); i++) {
        LunetteModel *m = model_make(networks[i].text, false, 1, 1);
        for (int step = 0; step < m->plan->n_step; step++)
            for (int at = -1; at < 5; at += 3) {
                const PlanStep *s = &m->plan->step[step];
                DType type = m->plan->buf[s->buf[s->n_arg - 1]].type.dtype;
                Spoil wrong = {step, dtype_bytes(type), at};
                CheckReport *r = check_made(m, (CheckOptions){.seed = 1, .tamper = spoil, .ctx = &wrong});
                unsigned wanted = at < 0 ? CHECK_OUTSIDE : CHECK_CODE;
                if ((r->row[step].faults & wanted) != wanted)
                    fail_msg("%s: %s: faults %u: %s", networks[i].text, r->row[step].name, r->row[step].faults,
                             r->row[step].why);
                seen[type] = true;
                check_close(r);
            }
        model_close(m);
    }
    for (int type = 0; type <= DT_BOOL; type++)
        if (!seen[type]) fail_msg("no kernel made %s", dtype_name((DType)type));
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),        cmocka_unit_test(test_moved),  cmocka_unit_test(test_cast),
        cmocka_unit_test(test_pool_indices), cmocka_unit_test(test_gather), cmocka_unit_test(test_gather_computed),
        cmocka_unit_test(test_weights),      cmocka_unit_test(test_check),  cmocka_unit_test(test_noticed),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
