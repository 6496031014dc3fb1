/* Paddings in the words of the frameworks, and names of elements. */
#include "frontend/explain_cli.h"

/* Only torch pools with holes, whatever the stride. */
static bool is_holey_pool(const ExplainLayer *l) {
    bool holes = false;
    for (int i = 0; i < l->n; i++) holes |= l->axis[i].dilation > 1;
    return holes && l->op != EXPLAIN_CONV;
}

static bool strides_are_one(const ExplainLayer *l) {
    bool one = true;
    for (int i = 0; i < l->n; i++) one &= l->axis[i].stride == 1;
    return one;
}

/* torch.nn.ConvNd: padding 'valid', 'same' (stride 1 only) or one number an axis; pools one number, at most half
 * the window. What is left is torch.nn.functional.pad before the layer. */
const char *explain_pytorch(Arena *a, const ExplainLayer *l, ExplainPad rule, int axis, int64_t lo, int64_t hi) {
    bool conv = l->op == EXPLAIN_CONV, even = lo == hi && (conv || lo <= l->axis[axis].span / 2);
    if (conv && rule == EXPLAIN_VALID) return "padding='valid'";
    if (conv && rule == EXPLAIN_SAME && strides_are_one(l)) return "padding='same'";
    const char *ceil = l->ceil ? ", ceil_mode=True" : "";
    if (even) return arena_printf(a, "padding=%lld%s", (long long)lo, ceil);
    return arena_printf(a, "F.pad (%lld, %lld)%s", (long long)lo, (long long)hi, ceil);
}

/* tf.nn.conv2d and max_pool2d take lists of paddings beside the two names, the others do not: tf.pad before them. */
const char *explain_tensorflow(Arena *a, const ExplainLayer *l, ExplainPad rule, int64_t lo, int64_t hi) {
    if (is_holey_pool(l) || l->ceil) return "–";
    if (rule == EXPLAIN_SAME) return "\"SAME\"";
    if (lo == 0 && hi == 0) return "\"VALID\"";
    bool lists = l->n == 2 && l->op != EXPLAIN_AVGPOOL;
    return arena_printf(a, lists ? "[%lld, %lld]" : "tf.pad [%lld, %lld]", (long long)lo, (long long)hi);
}

/* One number for both sides; pools of two axes only. They round the size up, and drop a last window that begins
 * right of the input only where there is padding. */
const char *explain_caffe(Arena *a, const ExplainLayer *l, int axis, int64_t lo, int64_t hi) {
    const ExplainAxis *x = &l->axis[axis];
    bool conv = l->op == EXPLAIN_CONV;
    if (lo != hi || (!conv && (l->n != 2 || is_holey_pool(l)))) return "–";
    int64_t down = explain_out(x->in, lo + hi, x->span, x->stride);
    int64_t up = explain_out_ceil(x->in, lo, hi, x->span, x->stride);
    if (lo == 0 && down > 0) up = down + ((x->in - x->span) % x->stride != 0);
    if (conv || up == explain_axis_out(l, x, lo, hi)) return arena_printf(a, "pad: %lld", (long long)lo);
    return arena_printf(a, "pad: %lld, o = %lld", (long long)lo, (long long)up);
}

const char *explain_onnx(Arena *a, const ExplainLayer *l, ExplainPad rule, int64_t lo, int64_t hi) {
    if (l->ceil) return arena_printf(a, "pads=[%lld, %lld], ceil_mode=1", (long long)lo, (long long)hi);
    if (rule == EXPLAIN_VALID) return "VALID";
    if (rule == EXPLAIN_SAME) return "SAME_UPPER";
    if (rule == EXPLAIN_SAME_LOWER) return "SAME_LOWER";
    return arena_printf(a, "pads=[%lld, %lld]", (long long)lo, (long long)hi);
}

const char *explain_join(Arena *a, const char *between, const int64_t *v, int n) {
    Text t = {.arena = a};
    for (int i = 0; i < n; i++) text_add(&t, "%s%lld", i ? between : "", (long long)v[i]);
    return text_get(&t);
}

const char *explain_at(Arena *a, const char *of, const int64_t *v, int n) {
    return arena_printf(a, "%s[%s]", of, explain_join(a, ",", v, n));
}

/* Digits side by side where each number has one, else commas between. */
const char *explain_label(Arena *a, const ExplainLayer *l, char of, const int64_t *v) {
    int64_t kept[2 + EXPLAIN_AXES];
    int channels = of == 'w' ? 2 : 1, n = 0;
    bool several[2] = {of == 'x' ? l->in_channels > 1 : l->out_channels > 1, l->in_group > 1}, wide = false;
    for (int i = 0; i < channels; i++)
        if (several[i]) kept[n++] = v[i];
    for (int i = 0; i < l->n; i++) {
        const ExplainAxis *x = &l->axis[i];
        kept[n++] = v[channels + i];
        wide |= (of == 'x' ? x->in : of == 'y' ? x->out : x->kernel) > 10;
    }
    wide |= l->in_channels > 10 || l->out_channels > 10;
    return arena_printf(a, "%c%s", of, explain_join(a, wide ? "," : "", kept, n));
}
