/* Data movement and resampling: known answers (numpy's, and those in ONNX's own descriptions), what is refused, and that
 * 64-bit integers keep all their bits in the kernels. */
#include "ir/lower.h"
#include "ir/plan.h"
#include "ir/plan_build.h"
#include "runtime/interp.h"
#include "runtime/reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* One graph text of an x (and perhaps an index), their values, that of y. */
typedef struct Known {
    const char *text;
    double in[2][32];
    double out[32];
} Known;

#define COUNTING                                                                                                       \
    { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }

static const Known known[] = {
    {"x: input() : f32[n2 c3] y: transpose(x) : f32[n3 c2]", {{1, 2, 3, 4, 5, 6}}, {1, 4, 2, 5, 3, 6}},
    {"x: input() : f32[n2 c1 w3] y: transpose(x) perm=[2 0 -2] : f32[n3 c2 w1]",
     {{1, 2, 3, 4, 5, 6}},
     {1, 4, 2, 5, 3, 6}},
    {"x: input() : f32[n2 c3] y: reshape(x) shape=[3 2] : f32[n3 c2]", {{1, 2, 3, 4, 5, 6}}, {1, 2, 3, 4, 5, 6}},
    {"x: input() : f32[n2 c3] y: reshape(x) shape=[0 1 -1] : f32[n2 c1 w3]", {{1, 2, 3, 4, 5, 6}}, {1, 2, 3, 4, 5, 6}},
    {"x: input() : f32[n1 c1] y: reshape(x) : f32[]", {{7}}, {7}},
    {"x: input() : f32[n1 c3 w1] y: squeeze(x) : f32[n3]", {{1, 2, 3}}, {1, 2, 3}},
    {"x: input() : f32[n1 c3 w1] y: squeeze(x) axes=[-1] : f32[n1 c3]", {{1, 2, 3}}, {1, 2, 3}},
    {"x: input() : f32[n3] y: unsqueeze(x) axes=[-1 0] : f32[n1 c3 w1]", {{1, 2, 3}}, {1, 2, 3}},
    {"x: input() : f32[n1 c2 w2] y: flatten(x) axis=-1 : f32[n2 c2]", {{1, 2, 3, 4}}, {1, 2, 3, 4}},
    {"x: input() : f32[n1 c2 w2] y: flatten(x) axis=0 : f32[n1 c4]", {{1, 2, 3, 4}}, {1, 2, 3, 4}},
    {"x: input() : f32[n1 c2 w2] y: flatten(x) axis=3 : f32[n4 c1]", {{1, 2, 3, 4}}, {1, 2, 3, 4}},
    /* a[-1:-7:-2], a[1:100:2], a[::-1] of 1 … 6 */
    {"x: input() : f32[n6] y: slice(x) start=[-1] stop=[-7] step=[-2] : f32[n3]", {{1, 2, 3, 4, 5, 6}}, {6, 4, 2}},
    {"x: input() : f32[n6] y: slice(x) start=[1] stop=[100] step=[2] : f32[n3]", {{1, 2, 3, 4, 5, 6}}, {2, 4, 6}},
    {"x: input() : f32[n6] y: slice(x) step=[-1] : f32[n6]", {{1, 2, 3, 4, 5, 6}}, {6, 5, 4, 3, 2, 1}},
    {"x: input() : f32[n2 c3] y: slice(x) start=[100] stop=[-100] axes=[-1] step=[-2] : f32[n2 c2]",
     {{1, 2, 3, 4, 5, 6}},
     {3, 1, 6, 4}},
    {"x: input() : f32[n2 c3] y: reverse(x) axes=[1] : f32[n2 c3]", {{1, 2, 3, 4, 5, 6}}, {3, 2, 1, 6, 5, 4}},
    {"x: input() : f32[n2 c3] y: reverse(x) : f32[n2 c3]", {{1, 2, 3, 4, 5, 6}}, {6, 5, 4, 3, 2, 1}},
    {"x: input() : f32[n2 c2] y: concat(x, x) axis=0 : f32[n4 c2]", {{1, 2, 3, 4}}, {1, 2, 3, 4, 1, 2, 3, 4}},
    {"x: input() : f32[n2 c2] y: concat(x, x) axis=-1 : f32[n2 c4]", {{1, 2, 3, 4}}, {1, 2, 1, 2, 3, 4, 3, 4}},
    {"x: input() : f32[n2 c1] y: expand(x) shape=[2 1 3] : f32[n2 c2 w3]",
     {{1, 2}},
     {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2}},
    {"x: input() : f32[n2 c3] y: expand(x) shape=[1] : f32[n2 c3]", {{1, 2, 3, 4, 5, 6}}, {1, 2, 3, 4, 5, 6}},
    /* numpy.take; −3 is the first, and what is beyond is at the end */
    {"x: input() : f32[n2 c3] i: input() : i64[n2 c2] y: gather(x, i) axis=1 : f32[n2 c2 w2]",
     {{1, 2, 3, 4, 5, 6}, {0, -1, -3, 9}},
     {1, 3, 1, 3, 4, 6, 4, 6}},
    {"x: input() : f32[n2 c3] i: input() : i32[] y: gather(x, i) axis=0 : f32[n3]",
     {{1, 2, 3, 4, 5, 6}, {1}},
     {4, 5, 6}},
    {"x: input() : f32[n2 c3 w4] y: shape(x) : i64[n3]", {{0}}, {2, 3, 4}},
    {"x: input() : f32[n2 c3 w4] y: shape(x) start=-2 stop=-1 : i64[n1]", {{0}}, {3}},
    {"x: input() : f32[n6] y: cast(x) to=i32 : i32[n6]",
     {{1.9, -1.9, 3e9, -3e9, NAN, -0.5}},
     {1, -1, 2147483647, -2147483648.0, 0, 0}},
    {"x: input() : f32[n4] y: cast(x) to=u8 : u8[n4]", {{255.5, -3, 300, 7}}, {255, 0, 255, 7}},
    {"x: input() : f32[n3] y: cast(x) to=bool : bool[n3]", {{0.25, 0, -2}}, {1, 0, 1}},
    {"x: input() : f32[n1 c8 h1 w1] y: depthtospace(x) block=2 : f32[n1 c2 h2 w2]",
     {{0, 1, 2, 3, 4, 5, 6, 7}},
     {0, 2, 4, 6, 1, 3, 5, 7}},
    {"x: input() : f32[n1 c8 h1 w1] y: depthtospace(x) block=2 mode=crd : f32[n1 c2 h2 w2]",
     {{0, 1, 2, 3, 4, 5, 6, 7}},
     {0, 1, 2, 3, 4, 5, 6, 7}},
    {"x: input() : f32[n1 c2 h2 w2] y: spacetodepth(x) block=2 : f32[n1 c8 h1 w1]",
     {{0, 2, 4, 6, 1, 3, 5, 7}},
     {0, 1, 2, 3, 4, 5, 6, 7}},
    {"x: input() : f32[n1 c6] y: channelshuffle(x) groups=2 : f32[n1 c6]", {{0, 1, 2, 3, 4, 5}}, {0, 3, 1, 4, 2, 5}},
    /* ONNX's examples */
    {"x: input() : f32[n1 c1 h2 w2] y: resize(x) scales=[2 3] : f32[n1 c1 h4 w6]",
     {{1, 2, 3, 4}},
     {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}},
    {"x: input() : f32[n1 c1 h2 w4] y: resize(x) scales=[0.6 0.6] : f32[n1 c1 h1 w2]", {COUNTING}, {1, 3}},
    {"x: input() : f32[n1 c1 h2 w4] y: resize(x) scales=[0.6 0.6] mode=linear : f32[n1 c1 h1 w2]",
     {COUNTING},
     {2.6666665, 4.3333331}},
    {"x: input() : f32[n1 c1 h2 w4] y: resize(x) scales=[0.6 0.6] mode=linear coordinates=align_corners : f32[n1 c1 h1 "
     "w2]",
     {COUNTING},
     {1, 3.142857}},
    {"x: input() : f32[n1 c1 h2 w2] y: resize(x) scales=[2 2] mode=linear : f32[n1 c1 h4 w4]",
     {{1, 2, 3, 4}},
     {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}},
    {"x: input() : f32[n1 c1 h2 w2] y: resize(x) scales=[2 2] mode=linear coordinates=align_corners : f32[n1 c1 h4 w4]",
     {{1, 2, 3, 4}},
     {1, 1.33333333, 1.66666667, 2, 1.66666667, 2, 2.33333333, 2.66666667, 2.33333333, 2.66666667, 3, 3.33333333, 3,
      3.33333333, 3.66666667, 4}},
    {"x: input() : f32[n1 c1 h4 w4] y: resize(x) scales=[0.8 0.8] mode=cubic : f32[n1 c1 h3 w3]",
     {COUNTING},
     {1.47119141, 2.78125, 4.08251953, 6.71142578, 8.02148438, 9.32275391, 11.91650391, 13.2265625, 14.52783203}},
    {"x: input() : f32[n1 c1 h4 w4] y: resize(x) scales=[0.8 0.8] mode=cubic cubic_a=-0.5 exclude_outside=1 : f32[n1 "
     "c1 h3 w3]",
     {COUNTING},
     {1.36812675, 2.6695014, 4.0133367, 6.57362535, 7.875, 9.2188353, 11.94896657, 13.25034122, 14.59417652}},
    {"x: input() : f32[n1 c1 h4 w4] y: resize(x) scales=[0.6 0.6] mode=linear antialias=1 : f32[n1 c1 h2 w2]",
     {COUNTING},
     {2.875, 4.5, 9.375, 11}},
    {"x: input() : f32[n1 c1 h4 w4] y: resize(x) scales=[0.6 0.6] mode=cubic antialias=1 : f32[n1 c1 h2 w2]",
     {COUNTING},
     {2.5180721, 4.2858863, 9.589329, 11.357142}},
    {"x: input() : f32[n1 c1 h4 w4] y: resize(x) sizes=[3 3] mode=linear coordinates=tf_crop_and_resize roi=[0.4 0.6 "
     "0.6 0.8] "
     ": f32[n1 c1 h3 w3]",
     {COUNTING},
     {7.6, 7.9, 8.2, 8.8, 9.1, 9.4, 10, 10.3, 10.6}},
    {"x: input() : f32[n1 c1 h4 w4] y: resize(x) sizes=[3 3] mode=linear coordinates=tf_crop_and_resize roi=[0.4 0.6 "
     "1.2 1.7] "
     "extrapolation=10 : f32[n1 c1 h3 w3]",
     {COUNTING},
     {7.6, 10, 10, 12.4, 10, 10, 10, 10, 10}},
    {"x: input() : f32[n1 c1 h2 w2] y: resize(x) scales=[2.3 2.94] mode=linear coordinates=half_pixel_symmetric : "
     "f32[n1 c1 h4 w5]",
     {{1, 2, 3, 4}},
     {1,          1.15986395, 1.5,        1.84013605, 2,          1.56521738, 1.72508133,
      2.06521738, 2.40535343, 2.56521738, 2.43478262, 2.59464657, 2.93478262, 3.27491867,
      3.43478262, 3,          3.15986395, 3.5,        3.84013605, 4}},
    {"x: input() : f32[n4] y: resize(x) sizes=[8] axes=[0] coordinates=align_corners nearest=floor : f32[n8]",
     {COUNTING},
     {1, 1, 1, 2, 2, 3, 3, 4}},
    {"x: input() : f32[n4] y: resize(x) sizes=[8] axes=[0] coordinates=asymmetric nearest=ceil : f32[n8]",
     {COUNTING},
     {1, 2, 2, 3, 3, 4, 4, 4}},
    {"x: input() : f32[n4] y: resize(x) sizes=[8] axes=[0] nearest=round_prefer_ceil : f32[n8]",
     {COUNTING},
     {1, 1, 2, 2, 3, 3, 4, 4}},
    /* torch.nn.Upsample */
    {"x: input() : f32[n1 c1 w2] y: upsample(x) scale=3 : f32[n1 c1 w6]", {{1, 2}}, {1, 1, 1, 2, 2, 2}},
    {"x: input() : f32[n1 c1 w2] y: upsample(x) scale=2 mode=linear : f32[n1 c1 w4]", {{1, 2}}, {1, 1.25, 1.75, 2}},
};

static Graph *parse(Arena *a, const char *body, Diag *d) {
    Lexer l;
    lex_open(&l, a, "t.g", arena_printf(a, "graph t {\n%s\nreturn y = y }", body), d);
    return graph_parse(&l);
}

static void test_known(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT_OF(known); k++) {
        Diag d = {0};
        Arena *a = arena_open(&d);
        Graph *g = parse(a, known[k].text, &d);
        if (!g || !graph_verify(g, &d)) fail_msg("%s\n%s", d.text, known[k].text);
        RefTensor **value = ARENA_ARRAY(a, RefTensor *, g->n_node);
        for (int i = 0; i < g->n_node - 1; i++) {
            value[i] = ref_tensor_new(a, &g->node[i]->type, false);
            memcpy(value[i]->v, known[k].in[i], sizeof(double) * (size_t)type_elements(&value[i]->type));
        }
        const Node *y = g->out[0].node;
        assert_true(reference_eval(a, g, value, y, true, &d));
        for (int64_t i = 0; i < type_elements(&y->type); i++) {
            double have = value[y->id]->v[i], want = known[k].out[i];
            if (!(fabs(have - want) <= 1e-6 * (1 + fabs(want)) && value[y->id]->err[i] < 1e-4))
                fail_msg("%s\n[%d]: %.17g ± %g, expected %.17g", known[k].text, (int)i, have, value[y->id]->err[i],
                         want);
        }
        arena_close(a);
    }
}

/* ---- refused ------------------------------------------------------------------------------------- */

static const char *const refused[][2] = {
    {"y: reshape(x) shape=[4 2] : f32[]", "reshape: x is f32[n2 c3], 6 elements, which do not make up the shape given"},
    {"y: reshape(x) shape=[-1 4] : f32[]",
     "reshape: x is f32[n2 c3], 6 elements, which do not make up the shape given"},
    {"y: reshape(x) shape=[-1 -1] : f32[]", "reshape: two extents are to be inferred"},
    {"y: reshape(x) shape=[1073741824 1073741824 1073741824] : f32[]",
     "6 elements, which do not make up the shape given"},
    {"y: reshape(x) shape=[2 3 0] : f32[]", "reshape: extent 3 is to be that of x, which is f32[n2 c3]"},
    {"y: reshape(x) shape=[1 1 1 1 1 1 1 1 6] : f32[]", "reshape: a tensor of 9 axes; at most 8 are known"},
    {"y: transpose(x) perm=[0 0] : f32[]", "transpose: axis 0 is listed twice"},
    {"y: transpose(x) perm=[0] : f32[]", "transpose: perm has 1 axes; x is f32[n2 c3]"},
    {"y: squeeze(x) axes=[0] : f32[]", "squeeze: only axes of extent 1 can go; x is f32[n2 c3]"},
    {"y: unsqueeze(x) axes=[5] : f32[]", "unsqueeze: there is no axis 5"},
    {"y: unsqueeze(x) : f32[]", "unsqueeze: axes is not given"},
    {"y: flatten(x) axis=3 : f32[]", "flatten: there is no axis 3; x is f32[n2 c3]"},
    {"y: slice(x) start=[2] : f32[]", "slice: nothing is left along axis 0; x is f32[n2 c3]"},
    {"y: slice(x) start=[0] step=[0] : f32[]", "slice: a step of 0"},
    {"y: slice(x) start=[0 0] stop=[1] : f32[]", "slice: axes, start, stop and step have 2 and 1 numbers"},
    {"y: slice(x) start=[0 0 0] : f32[]", "slice: 3 axes are to be cut; x is f32[n2 c3]"},
    {"z: transpose(x) : f32[n3 c2] y: concat(x, z) : f32[]",
     "concat: input 2 is f32[n3 c2], input 1 is f32[n2 c3]: only axis 1 may differ"},
    {"y: concat(x) axis=2 : f32[]", "concat: there is no axis 2; x is f32[n2 c3]"},
    {"y: expand(x) shape=[4 3] : f32[]", "expand: extent 1 is 4, which x, f32[n2 c3], does not broadcast to"},
    {"y: gather(x, x) : f32[]", "gather: the index is f32[n2 c3], but i64, i32 or u8 are needed"},
    {"y: shape(x) start=2 : f32[]", "shape: no axis from 2 to 2; x is f32[n2 c3]"},
    {"y: channelshuffle(x) groups=2 : f32[]",
     "channelshuffle: channels that divide into 2 groups are needed; x is f32[n2 c3]"},
    {"y: depthtospace(x) block=2 : f32[]", "1 to 3 of d h w are needed"},
    {"y: resize(x) sizes=[2] : f32[]", "resize: x is f32[n2 c3], but at least one of d h w is needed, or axes"},
    {"y: resize(x) axes=[0 1] : f32[]", "resize: sizes or scales expected"},
    {"y: resize(x) axes=[0 1] sizes=[1 2 3] : f32[]", "resize: 3 numbers given for 2 axes; x is f32[n2 c3]"},
    {"y: resize(x) axes=[0 1] scales=[0.25 1] : f32[]",
     "resize: axis 0 would have no elements, or too many; x is f32[n2 c3]"},
    {"y: resize(x) axes=[0] sizes=[1073741824] : f32[]", "resize: axis 0 is too long to be resampled; x is f32[n2 c3]"},
    {"y: resize(x) axes=[0] scales=[1e-9] sizes=[2] mode=cubic antialias=1 : f32[]",
     "resize: axis 0 is too long to be resampled"},
    {"i: cast(x) to=i64 : i64[n2 c3] y: resize(i) axes=[0] sizes=[4] mode=linear : f32[]",
     "resize: only f32 is interpolated"},
};

static void test_refused(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT_OF(refused); k++) {
        Diag d = {0};
        Arena *a = arena_open(&d);
        Graph *g = parse(a, arena_printf(a, "x: input() : f32[n2 c3] %s", refused[k][0]), &d);
        if (g || !strstr(d.text, refused[k][1])) fail_msg("%s\n%s", refused[k][0], d.text);
        arena_close(a);
    }
}

/* ---- all bits ------------------------------------------------------------------------------------ */

/* What a float cannot hold; where it went tells its number. */
static int64_t big(int64_t i) { return INT64_MAX - 1000 * i; }

static const char *const moved[] = {
    "y: transpose(x) perm=[2 0 1] : i64[n4 c2 w3]",
    "y: reshape(x) shape=[3 8] : i64[n3 c8]",
    "y: flatten(x) axis=2 : i64[n6 c4]",
    "y: unsqueeze(x) axes=[0] : i64[n1 c2 h3 w4]",
    "y: slice(x) start=[-1] stop=[-4] axes=[1] step=[-1] : i64[n2 c3 w4]",
    "y: reverse(x) : i64[n2 c3 w4]",
    "y: concat(x, x) axis=0 : i64[n4 c3 w4]",
    "y: expand(x) shape=[2 1 1 1] : i64[n2 c2 h3 w4]",
    "y: gather(x, i) axis=2 : i64[n2 c3 w2]",
    "y: cast(x) to=i64 : i64[n2 c3 w4]",
    "y: channelshuffle(x) groups=3 : i64[n2 c3 w4]",
    "y: spacetodepth(x) block=2 : i64[n2 c6 w2]",
    "y: resize(x) sizes=[7] : i64[n2 c3 w7]",
    "y: upsample(x) scale=2 : i64[n2 c3 w8]",
};

static void test_all_bits(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT_OF(moved); k++) {
        Diag d = {0};
        Arena *a = arena_open(&d);
        Graph *g = parse(a, arena_printf(a, "x: input() : i64[n2 c3 w4] i: input() : i64[n2] %s", moved[k]), &d);
        if (!g) fail_msg("%s\n%s", d.text, moved[k]);
        Node *y = g->out[0].node;
        Lowered low;
        if (!lower_group(a, &(Group){.anchor = y}, &low, &d)) fail_msg("%s\n%s", d.text, moved[k]);
        RefTensor *value[3] = {ref_tensor_new(a, &g->node[0]->type, false),
                               ref_tensor_new(a, &g->node[1]->type, false)};
        int64_t x[24], index[2] = {3, -3}, out[64] = {0};
        for (int i = 0; i < 24; i++) {
            x[i] = big(i);
            value[0]->v[i] = i;
        }
        for (int i = 0; i < 2; i++) value[1]->v[i] = (double)index[i];
        assert_true(reference_eval(a, g, value, y, false, &d));
        void *args[3];
        int n = 0;
        for (; n < low.kernel->n_param - 1; n++) args[n] = low.arg[n] == g->node[0] ? x : index;
        args[n] = out;
        assert_true(interp_run(low.kernel, args, 0, kernel_tasks(low.kernel), true, &d));
        for (int64_t i = 0; i < type_elements(&y->type); i++)
            if (out[i] != big((int64_t)value[2]->v[i])) fail_msg("%s: element %d", moved[k], (int)i);
        arena_close(a);
    }
}

/* ---- one axis ------------------------------------------------------------------------------------ */

/* Kernels that see memory as one axis have one text for all shapes, but the plan's boxes have the shapes. */
static void test_flat_views(void **state) {
    (void)state;
    Diag d = {0};
    Arena *a = arena_open(&d);
    Graph *g =
        parse(a,
              "x: input() : f32[n2 c3] v: reshape(x) shape=[3 2] : f32[n3 c2] w: reshape(v) shape=[2 3] : f32[n2 c3]"
              " y: reshape(w) shape=[3 2] : f32[n3 c2]",
              &d);
    assert_non_null(g);
    Lowered low[3];
    const Kernel *kernel[3];
    for (int i = 0; i < 3; i++) {
        assert_true(lower_group(a, &(Group){.anchor = g->node[1 + i]}, &low[i], &d));
        kernel[i] = low[i].kernel;
        assert_int_equal(kernel[i]->buf[0].type.rank, 1);
    }
    const Node **buf_node;
    const int *kernel_of;
    Plan *p = plan_build(a, g, low, kernel, 3, &buf_node, &kernel_of);
    if (!plan_verify(p, &d)) fail_msg("%s", d.text);
    assert_int_equal(p->n_kernel, 2);
    assert_int_equal(kernel_of[0], kernel_of[2]);
    assert_int_equal(p->kernel[0].arg[1].n_written, 1);
    assert_int_equal(p->kernel[0].arg[1].written[0].hi[0], 2);
    assert_int_equal(p->kernel[0].arg[1].written[0].hi[1], 1);
    arena_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_all_bits),
        cmocka_unit_test(test_flat_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
