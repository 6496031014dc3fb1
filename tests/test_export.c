/* Graphs as ONNX models: what is written is read again and computes the same; ONNX's own checker has nothing against it,
 * and an evaluator in numpy (tests/onnx/evaluate.py) that knows only the standard gives the same numbers.
 *
 *   test_export [N [FIRST]]     N random networks from seed FIRST on */
#include "tests/test_save.h"

#include "frontend/data/npy.h"
#include "frontend/onnx/export.h"
#include "runtime/reference.h"

static int n_cases = 40;
static uint64_t first_seed = 1;

/* ---- every op has its row -------------------------------------------------------------------------- */

static void test_rows(void **state) {
    (void)state;
    for (int op = 0; op < OP_COUNT; op++) {
        if (op_table[op].flags & (OPF_SOURCE | OPF_INTERNAL)) continue;
        if (!onnx_has_row((Op)op)) fail_msg("no row in export_ops.c: %s", op_table[op].name);
    }
}

/* ---- out and in again ------------------------------------------------------------------------------ */

static bool same_attrs(Arena *a, const Node *x, const Node *y) {
    Text p = {.arena = a}, q = {.arena = a};
    attr_print(&p, x->op, &x->attr);
    attr_print(&q, y->op, &y->attr);
    return strcmp(text_get(&p), text_get(&q)) == 0;
}

/* The same layers in the same order: then nothing may differ. */
static bool one_to_one(const LunetteModel *m, const LunetteModel *back) {
    const Graph *a = m->written, *b = back->written;
    bool same = a->n_node == b->n_node;
    for (int i = 0; i < a->n_node && same; i++)
        same = a->node[i]->op == b->node[i]->op && same_attrs(back->arena, a->node[i], b->node[i]);
    return same;
}

static void same_ports(const LunetteModel *a, const LunetteModel *b) {
    assert_int_equal(lunette_input_count(a), lunette_input_count(b));
    assert_int_equal(lunette_output_count(a), lunette_output_count(b));
    for (int i = 0; i < lunette_input_count(a); i++)
        assert_string_equal(lunette_input(a, i).name, lunette_input(b, i).name);
    for (int i = 0; i < lunette_output_count(a); i++)
        assert_string_equal(lunette_output(a, i).name, lunette_output(b, i).name);
}

/* 1: the same bits, 0: nearly, −1: the importer does not know an op of it. */
static int round_trip(LunetteModel *m, const char *path, const char *what) {
    Diag d = {0};
    double error;
    if (!save_onnx(m, path, &d)) fail_msg("%s: %s", what, d.text);
    LunetteModel *back = model_from(path, NULL, 0, &d);
    if (!back && d.kind == DIAG_UNSUPPORTED) {
        print_message("%s: %s\n", what, d.text);
        return -1;
    }
    if (!back) fail_msg("%s: %s", what, d.text);
    same_ports(m, back);
    bool same = same_answers(m, back, 7, &error), whole = one_to_one(m, back);
    if (whole && !same) fail_msg("%s: same ops, other bits: error %g", what, error);
    if (error > 1e-3)
        fail_msg("%s: error %g", what, error); /* in float32, of several ops for one: evaluate.py is exact */
    model_close(back);
    return same;
}

static void test_random(void **state) {
    (void)state;
    int same = 0, read = 0;
    for (int i = 0; i < n_cases; i++) {
        char what[64];
        uint64_t seed = first_seed + (uint64_t)i;
        snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        LunetteModel *m = random_model(seed);
        int how = round_trip(m, at("random.onnx"), what);
        read += how >= 0;
        same += how > 0;
        model_close(m);
    }
    print_message("%d networks: %d read again, %d of them give the same bits\n", n_cases, read, same);
    assert_true(2 * read >= n_cases);
}

static void test_specs(void **state) {
    (void)state;
    static const char *const nets[][2] = {
        {"lenet5", SOURCE_DIR "/specs/weights/lenet5-fashion.safetensors"},
        {"smallcnn", SOURCE_DIR "/specs/weights/smallcnn-mnist.safetensors"},
        {"tiny", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(nets); i++) {
        Diag d = {0};
        char path[256];
        snprintf(path, sizeof path, "%s/specs/%s.lua", SOURCE_DIR, nets[i][0]);
        LunetteModel *m = model_from(path, nets[i][1], 1, &d);
        if (!m) fail_msg("%s", d.text);
        assert_int_equal(round_trip(m, at("spec.onnx"), nets[i][0]), 1);
        model_close(m);
    }
}

/* ---- names that meet ------------------------------------------------------------------------------- */

static Graph *odd_names(Arena *a, const void *from, const LunetteOptions *o, Diag *d) {
    (void)from, (void)o;
    Graph *g = graph_new(a, "odd");
    Type t;
    SrcLoc loc = {NULL, 0};
    assert_true(type_make(&t, "nc", (int64_t[]){1, 4}, d));
    Node *x = graph_input(g, "x", loc, &t, d);
    Node *y = graph_op(g, OP_RELU, "y", loc, &x, 1, NULL, d), *z = graph_op(g, OP_TANH, "z", loc, &y, 1, NULL, d);
    bool good = graph_output(g, "z", y, d) && graph_output(g, "y", z, d) && graph_output(g, "again", z, d) &&
                graph_output(g, "same", x, d);
    return good ? g : NULL;
}

/* Outputs that are called as other nodes are, one value under two names, an input as an output. */
static void test_names(void **state) {
    (void)state;
    Diag d = {0};
    LunetteOptions o = {.no_cache = 1};
    LunetteModel *m = model_load_from(odd_names, NULL, &o, NULL, NULL, &d);
    if (!m || !model_weights(m, &d) || !model_build(m, &d)) fail_msg("%s", d.text);
    assert_int_equal(round_trip(m, at("names.onnx"), "names"), 1);
    model_close(m);
}

/* ---- ONNX's own checker, and numpy ----------------------------------------------------------------- */

/* NaN where float32 may have another answer: which of two equals is the larger. */
static void write_npy(Arena *a, const char *path, const char *suffix, int i, const RefTensor *v) {
    Diag d = {0};
    int64_t n = type_elements(&v->type), shape[MAX_AXES];
    float *f = ARENA_ARRAY(a, float, n);
    for (int64_t k = 0; k < n; k++) {
        bool sure = !v->err || v->err[k] <= 1e-3 * fmax(1, fabs(v->v[k]));
        f[k] = sure ? (float)v->v[k] : NAN;
    }
    for (int k = 0; k < v->type.rank; k++) shape[k] = v->type.axis[k].extent;
    const char *file = arena_printf(a, "%s.%s%d.npy", path, suffix, i);
    if (!npy_write(file, ELEM_F32, v->type.rank, shape, f, &d)) fail_msg("%s", d.text);
}

/* A random network, and what the reference makes of random inputs, as NAME.onnx, NAME.onnx.in0.npy, NAME.onnx.out0.npy. */
static void write_case(uint64_t seed, const char *path) {
    Diag d = {0};
    Arena *a = arena_open(&d);
    const Graph *g = random_graph(a, &seed, &d);
    if (!g) fail_msg("%s: %s", path, d.text);
    RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
    const void **weight = ARENA_ARRAY(a, const void *, g->n_node);
    int inputs = 0;
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (n->op != OP_INPUT && n->op != OP_WEIGHT) continue;
        weight[i] = random_tensor(a, n, &seed);
        value[i] = ref_from_f32(a, &n->type, weight[i]);
        if (n->op == OP_INPUT) write_npy(a, path, "in", inputs++, value[i]);
    }
    if (!onnx_save(a, path, g, weight, &d)) fail_msg("%s: %s", path, d.text);
    for (int i = 0; i < g->n_out; i++) {
        if (!reference_eval(a, g, value, g->out[i].node, true, &d)) fail_msg("%s: %s", path, d.text);
        write_npy(a, path, "out", i, value[g->out[i].node->id]);
    }
    arena_close(a);
}

static void test_standard(void **state) {
    (void)state;
    if (system("/usr/bin/python3 -c 'import onnx, numpy' 2>/dev/null") != 0) {
        print_message("python3-onnx is not there: skipped\n");
        skip();
    }
    for (int i = 0; i < 2 * n_cases; i++) {
        char name[64];
        snprintf(name, sizeof name, "seed%llu.onnx", (unsigned long long)first_seed + (uint64_t)i);
        write_case(first_seed + (uint64_t)i, at(name));
    }
    char command[700];
    snprintf(command, sizeof command, "/usr/bin/python3 %s/onnx/evaluate.py %s/seed*.onnx", TESTS_DIR, folder);
    fflush(NULL);
    assert_int_equal(system(command), 0);
}

/* ---- what goes wrong leaves nothing ---------------------------------------------------------------- */

static Graph *after_layout(Arena *a, const void *from, const LunetteOptions *o, Diag *d) {
    (void)from, (void)o;
    Graph *g = graph_new(a, "laid_out");
    Type t;
    assert_true(type_make(&t, "nc", (int64_t[]){1, 4}, d));
    Node *x = graph_input(g, "x", (SrcLoc){NULL, 0}, &t, d);
    return graph_output(g, "y", graph_insert(g, NULL, OP_RELAYOUT, "x.copy", &x, 1, NULL), d) ? g : NULL;
}

static void test_refused(void **state) {
    (void)state;
    Diag d = {0};
    LunetteModel *m = model_from(SOURCE_DIR "/specs/tiny.lua", NULL, 1, &d);
    assert_non_null(m);
    assert_false(save_onnx(m, at("none/tiny.onnx"), &d));
    assert_int_equal(d.kind, DIAG_FILE);
    model_close(m);
    d = (Diag){0};
    m = model_load_from(after_layout, NULL, NULL, NULL, NULL, &d);
    assert_true(m && model_weights(m, &d));
    assert_false(save_onnx(m, at("refused.onnx"), &d));
    assert_int_equal(d.kind, DIAG_UNSUPPORTED);
    assert_non_null(strstr(d.text, "node 'x.copy' (relayout)"));
    assert_int_not_equal(access(at("refused.onnx"), F_OK), 0);
    model_close(m);
}

/* The size is known before the first byte: the data are not looked at. */
static void test_large(void **state) {
    (void)state;
    Diag d = {0};
    Type t, w;
    Arena *a = arena_open(&d);
    SrcLoc loc = {NULL, 0};
    Graph *g = graph_new(a, "large");
    assert_true(type_make(&t, "nc", (int64_t[]){1, 4}, &d) && type_make(&w, "oc", (int64_t[]){1 << 27, 4}, &d));
    AttrAny attr = {.DENSE = {.out = 1 << 24, .bias = 0}};
    assert_true(type_make(&w, "oc", (int64_t[]){1 << 24, 4}, &d));
    Node *x = graph_input(g, "x", loc, &t, &d);
    static const void *weight[32];
    for (int i = 0; i < 9; i++) { /* of 256 MB each */
        Node *in[] = {x, graph_weight(g, arena_printf(a, "w%d", i), loc, &w, &d)};
        Node *y = graph_op(g, OP_DENSE, NULL, loc, in, 2, &attr, &d);
        if (!y || !graph_output(g, y->name, y, &d)) fail_msg("%s", d.text);
    }
    assert_false(onnx_save(a, at("large.onnx"), g, weight, &d));
    assert_int_equal(d.kind, DIAG_UNSUPPORTED);
    assert_non_null(strstr(d.text, "2"));
    assert_int_not_equal(access(at("large.onnx"), F_OK), 0);
    arena_close(a);
}

static void test_memory(void **state) {
    (void)state;
    bool good = false;
    long before = mem_live();
    for (long n = 1; !good && n < 10000; n++) {
        Diag d = {0};
        LunetteOptions o = {.random_weights = 1};
        LunetteModel *m = model_read(SOURCE_DIR "/specs/lenet5.lua", &o, &d);
        assert_true(m && model_weights(m, &d));
        mem_fail_after(n);
        good = save_onnx(m, at("memory.onnx"), &d);
        mem_fail_after(0);
        if (!good && d.kind != DIAG_MACHINE) fail_msg("request %ld: %d %s", n, d.kind, d.text);
        assert_true(good == (access(at("memory.onnx"), F_OK) == 0));
        model_close(m);
        assert_int_equal(mem_live(), before);
    }
    assert_true(good);
}

int main(int argc, char **argv) {
    if (argc > 1) n_cases = atoi(argv[1]);
    if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),  cmocka_unit_test(test_random),   cmocka_unit_test(test_specs),
        cmocka_unit_test(test_names), cmocka_unit_test(test_standard), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_large), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
