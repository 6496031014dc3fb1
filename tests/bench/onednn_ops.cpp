/* All ops but convolutions. */
#include "onednn.h"

#include <algorithm>
#include <cstring>
#include <jansson.h>
#include <stdexcept>

using namespace dnnl;

static const auto INFERENCE = prop_kind::forward_inference;

static std::string text(json_t *step, const char *key) { return json_string_value(json_object_get(step, key)); }

static int64_t whole(json_t *step, const char *key) { return json_integer_value(json_object_get(step, key)); }

static float real(json_t *step, const char *key) { return (float)json_number_value(json_object_get(step, key)); }

void Net::dense(json_t *step) {
    memory x = in(step);
    Dims out = json_dims(step, "shape"), w = x.get_desc().dims();
    w[0] = out[1];
    bool bias = whole(step, "bias") >= 0;
    Post post;
    post.act = json_act(step);
    inner_product_forward::desc d =
        bias ? inner_product_forward::desc(INFERENCE, any(x.get_desc().dims()), any(w), any({out[1]}), any(out))
             : inner_product_forward::desc(INFERENCE, any(x.get_desc().dims()), any(w), any(out));
    inner_product_forward::primitive_desc p(d, post.attr(), engine);
    memory y = allocate(p.dst_desc());
    Args args = {{DNNL_ARG_SRC, in_layout(x, p.src_desc())},
                 {DNNL_ARG_WEIGHTS, prepared(constant(whole(step, "weight"), w), p.weights_desc())},
                 {DNNL_ARG_DST, y}};
    if (bias) args[DNNL_ARG_BIAS] = constant(whole(step, "bias"), {out[1]});
    push(inner_product_forward(p), args);
    name(text(step, "out"), y);
}

/* An instance norm is a batch norm of one image by its own statistics. */
void Net::norm(json_t *step) {
    memory x = in(step);
    Dims channels = {x.get_desc().dims()[1]};
    Act a = json_act(step);
    bool known = text(step, "op") == "batchnorm", relu = a.name == "relu" && a.alpha == 0;
    if (!known && x.get_desc().dims()[0] != 1) throw std::runtime_error("instance norm of several images");
    auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
    if (known) flags = flags | normalization_flags::use_global_stats;
    if (relu) flags = flags | normalization_flags::fuse_norm_relu;
    batch_normalization_forward::primitive_desc p({INFERENCE, x.get_desc(), real(step, "epsilon"), flags}, engine);
    memory y = allocate(p.dst_desc());
    Args args = {{DNNL_ARG_SRC, x},
                 {DNNL_ARG_SCALE, constant(whole(step, "scale"), channels)},
                 {DNNL_ARG_SHIFT, constant(whole(step, "shift"), channels)},
                 {DNNL_ARG_DST, y}};
    if (known) {
        memory mean(plain(channels), engine), variance(plain(channels), engine);
        std::fill_n((float *)mean.get_data_handle(), channels[0], 0.0f);
        std::fill_n((float *)variance.get_data_handle(), channels[0], 1.0f);
        args[DNNL_ARG_MEAN] = mean;
        args[DNNL_ARG_VARIANCE] = variance;
    }
    push(batch_normalization_forward(p), args);
    name(text(step, "out"), relu ? y : activated(y, a));
}

void Net::pool(json_t *step) {
    static const std::map<std::string, algorithm> kinds = {{"max", algorithm::pooling_max},
                                                           {"avg_include", algorithm::pooling_avg_include_padding},
                                                           {"avg_exclude", algorithm::pooling_avg_exclude_padding}};
    memory x = in(step);
    Dims after = json_dims(step, "after");
    for (auto &a : after) a = std::max<memory::dim>(a, 0);
    pooling_forward::primitive_desc p({INFERENCE, kinds.at(text(step, "kind")), x.get_desc(),
                                       any(json_dims(step, "shape")), json_dims(step, "strides"),
                                       json_dims(step, "kernel"), json_dims(step, "before"), after},
                                      engine);
    memory y = allocate(p.dst_desc());
    push(pooling_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
    name(text(step, "out"), y);
}

void Net::lrn(json_t *step) {
    memory x = in(step);
    lrn_forward::primitive_desc p({INFERENCE, algorithm::lrn_across_channels, x.get_desc(), whole(step, "size"),
                                   real(step, "alpha"), real(step, "beta"), real(step, "k")},
                                  engine);
    memory y = allocate(p.dst_desc());
    push(lrn_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
    name(text(step, "out"), y);
}

void Net::softmax(json_t *step) {
    memory x = in(step);
    softmax_forward::primitive_desc p({INFERENCE, x.get_desc(), (int)whole(step, "axis")}, engine);
    memory y = allocate(p.dst_desc());
    push(softmax_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
    name(text(step, "out"), y);
}

/* In place. */
memory Net::activated(const memory &m, const Act &a) {
    if (a.name.empty()) return m;
    eltwise_forward::primitive_desc p({INFERENCE, a.algorithm(), m.get_desc(), a.alpha, a.beta}, engine);
    push(eltwise_forward(p), {{DNNL_ARG_SRC, m}, {DNNL_ARG_DST, m}});
    return m;
}

void Net::act(json_t *step) {
    std::string from = json_string_value(json_array_get(json_object_get(step, "in"), 0));
    memory x = value.at(from), y = may_overwrite(from) ? x : allocate(x.get_desc());
    Act a = json_act(step);
    eltwise_forward::primitive_desc p({INFERENCE, a.algorithm(), x.get_desc(), a.alpha, a.beta}, engine);
    push(eltwise_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
    name(text(step, "out"), y);
}

/* A value or a constant, with as many axes as the result. */
memory Net::operand(json_t *o, size_t rank) {
    const char *from = json_string_value(json_object_get(o, "name"));
    Dims dims = json_dims(o, "shape");
    memory m = from ? value.at(from) : constant(whole(o, "weight"), dims.empty() ? Dims{1} : dims);
    if (dims.size() == rank) return m;
    dims.insert(dims.begin(), rank - dims.size(), 1);
    return memory(plain(dims), engine, in_layout(m, plain(m.get_desc().dims())).get_data_handle());
}

void Net::binary(json_t *step) {
    static const std::map<std::string, algorithm> kinds = {{"add", algorithm::binary_add},
                                                           {"sub", algorithm::binary_sub},
                                                           {"mul", algorithm::binary_mul},
                                                           {"div", algorithm::binary_div}};
    Dims out = json_dims(step, "shape");
    json_t *list = json_object_get(step, "operand");
    memory a = operand(json_array_get(list, 0), out.size()), b = operand(json_array_get(list, 1), out.size());
    std::string kind = text(step, "kind");
    if (a.get_desc().dims() != out && (kind == "add" || kind == "mul")) std::swap(a, b);
    if (b.get_desc().dims() == out) b = in_layout(b, a.get_desc());
    Post post;
    post.act = json_act(step);
    binary::primitive_desc p;
    try {
        p = binary::primitive_desc({kinds.at(kind), a.get_desc(), b.get_desc(), a.get_desc()}, post.attr(), engine);
    } catch (const error &) { /* not in these layouts */
        a = in_layout(a, plain(a.get_desc().dims()));
        b = in_layout(b, plain(b.get_desc().dims()));
        p = binary::primitive_desc({kinds.at(kind), a.get_desc(), b.get_desc(), plain(out)}, post.attr(), engine);
    }
    memory y = allocate(p.dst_desc());
    push(dnnl::binary(p), {{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b}, {DNNL_ARG_DST, y}});
    name(text(step, "out"), y);
}

void Net::concat(json_t *step) {
    std::vector<Desc> from;
    Args args;
    int n = (int)json_array_size(json_object_get(step, "in"));
    for (int i = 0; i < n; i++) {
        args[DNNL_ARG_MULTIPLE_SRC + i] = in(step, i);
        from.push_back(in(step, i).get_desc());
    }
    concat::primitive_desc p((int)whole(step, "axis"), from, engine);
    memory y = args[DNNL_ARG_DST] = allocate(p.dst_desc());
    push(dnnl::concat(p), args);
    name(text(step, "out"), y);
}

void Net::resize(json_t *step) {
    memory x = in(step);
    auto how = text(step, "kind") == "nearest" ? algorithm::resampling_nearest : algorithm::resampling_linear;
    resampling_forward::primitive_desc p({INFERENCE, how, x.get_desc(), any(json_dims(step, "shape"))}, engine);
    memory y = allocate(p.dst_desc());
    push(resampling_forward(p), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
    name(text(step, "out"), y);
}

/* The same memory under another shape, when it is row by row. */
void Net::reshape(json_t *step) {
    memory x = in(step), rows = x;
    if (x.get_desc() != plain(x.get_desc().dims())) {
        rows = allocate(plain(x.get_desc().dims()));
        push(reorder(x, rows), {{DNNL_ARG_FROM, x}, {DNNL_ARG_TO, rows}});
    }
    name(text(step, "out"), memory(plain(json_dims(step, "shape")), engine, rows.get_data_handle()));
}

/* ---- padding, which the library has not ------------------------------------------------------------ */

/* A layout as images of h × w cells. */
struct Cells {
    memory::format_tag tag;
    int64_t images, cell; /* floats in a cell */
};

static bool cells_of(const Desc &d, Cells *c) {
    Dims n = d.dims();
    if (n.size() != 4) return false;
    const Cells known[] = {{memory::format_tag::abcd, n[0] * n[1], 1},
                           {memory::format_tag::acdb, n[0], n[1]},
                           {memory::format_tag::aBcd8b, n[0] * ((n[1] + 7) / 8), 8},
                           {memory::format_tag::aBcd16b, n[0] * ((n[1] + 15) / 16), 16}};
    for (const Cells &k : known)
        if (d == Desc(n, memory::data_type::f32, k.tag)) {
            *c = k;
            return true;
        }
    return false;
}

/* Which position of n a padded one shows; reflected at the ends, or −1. */
static int64_t reflected(int64_t i, int64_t n, bool reflect) {
    if (i >= 0 && i < n) return i;
    return !reflect ? -1 : i < 0 ? -i : 2 * (n - 1) - i;
}

static void pad_cells(const Args &args, bool reflect) {
    const memory &x = args.at(DNNL_ARG_SRC), &y = args.at(DNNL_ARG_DST);
    const int32_t *before = (const int32_t *)args.at(DNNL_ARG_WORKSPACE).get_data_handle();
    Cells c;
    if (!cells_of(x.get_desc(), &c)) return; /* Net::pad has seen to it */
    Dims in = x.get_desc().dims(), out = y.get_desc().dims();
    const float *from = (const float *)x.get_data_handle();
    float *to = (float *)y.get_data_handle();
#pragma omp parallel for collapse(2)
    for (int64_t i = 0; i < c.images; i++)
        for (int64_t h = 0; h < out[2]; h++)
            for (int64_t w = 0; w < out[3]; w++) {
                int64_t sh = reflected(h - before[0], in[2], reflect), sw = reflected(w - before[1], in[3], reflect);
                float *at = to + ((i * out[2] + h) * out[3] + w) * c.cell;
                if (sh < 0 || sw < 0) memset(at, 0, sizeof *at * (size_t)c.cell);
                else memcpy(at, from + ((i * in[2] + sh) * in[3] + sw) * c.cell, sizeof *at * (size_t)c.cell);
            }
}

void Net::pad(json_t *step) {
    memory x = in(step);
    Dims before = json_dims(step, "before");
    Cells c;
    if (!cells_of(x.get_desc(), &c)) x = in_layout(x, plain(x.get_desc().dims()));
    if (!cells_of(x.get_desc(), &c)) throw std::runtime_error("padding of other than images");
    memory y = allocate(Desc(json_dims(step, "shape"), memory::data_type::f32, c.tag));
    memory place(Desc({2}, memory::data_type::s32, memory::format_tag::a), engine);
    for (size_t i = 0; i < 2; i++) ((int32_t *)place.get_data_handle())[i] = (int32_t)before[i];
    Step s = {{}, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}, {DNNL_ARG_WORKSPACE, place}}};
    if (text(step, "kind") == "reflect") s.own = [](const Args &a) { pad_cells(a, true); };
    else s.own = [](const Args &a) { pad_cells(a, false); };
    steps.push_back(s);
    name(text(step, "out"), y);
}
