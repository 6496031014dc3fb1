/* Convolutions of any kind: the library's best layouts, direct or Winograd. */
#include "onednn.h"

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace dnnl;

Desc plain(const Dims &dims) {
    Dims stride(dims.size());
    memory::dim s = 1;
    for (size_t i = dims.size(); i-- > 0; s *= dims[i]) stride[i] = s;
    return Desc(dims, memory::data_type::f32, stride);
}

Desc any(const Dims &dims) { return Desc(dims, memory::data_type::f32, memory::format_tag::any); }

dnnl::algorithm Act::algorithm() const {
    static const std::map<std::string, dnnl::algorithm> known = {
        {"relu", dnnl::algorithm::eltwise_relu},         {"clip", dnnl::algorithm::eltwise_clip},
        {"elu", dnnl::algorithm::eltwise_elu},           {"tanh", dnnl::algorithm::eltwise_tanh},
        {"logistic", dnnl::algorithm::eltwise_logistic}, {"hardswish", dnnl::algorithm::eltwise_hardswish},
    };
    return known.at(name);
}

Dims Conv::weights() const {
    Dims w = groups > 1 ? Dims{groups, out[1] / groups, in[1] / groups} : Dims{out[1], in[1]};
    w.insert(w.end(), kernel.begin(), kernel.end());
    return w;
}

primitive_attr Post::attr() const {
    primitive_attr a;
    post_ops p;
    if (sum == IN_PLACE) p.append_sum(1);
    if (sum == BINARY) p.append_binary(algorithm::binary_add, addend);
    if (!act.name.empty()) p.append_eltwise(1, act.algorithm(), act.alpha, act.beta);
    a.set_post_ops(p);
    return a;
}

Desc conv_file_weights(const Conv &c) {
    Dims w = c.weights();
    if (!c.transposed) return plain(w);
    size_t o = c.groups > 1 ? 1 : 0;
    Dims file = w;
    std::swap(file[o], file[o + 1]);
    Dims stride(w.size());
    memory::dim s = 1;
    for (size_t i = w.size(); i-- > 0; s *= file[i]) stride[i] = s;
    std::swap(stride[o], stride[o + 1]);
    return Desc(w, memory::data_type::f32, stride);
}

template <typename Forward> static Chosen choose(const engine &engine, const Conv &c, const Post &post, algorithm how) {
    const auto kind = prop_kind::forward_inference;
    auto desc = c.bias ? typename Forward::desc(kind, how, any(c.in), any(c.weights()), any({c.out[1]}), any(c.out),
                                                c.strides, c.dilations, c.before, c.after)
                       : typename Forward::desc(kind, how, any(c.in), any(c.weights()), any(c.out), c.strides,
                                                c.dilations, c.before, c.after);
    typename Forward::primitive_desc d(desc, post.attr(), engine);
    return {Forward(d), d.src_desc(), d.weights_desc(), d.dst_desc(), d.impl_info_str()};
}

static memory zeros(const Desc &d, const engine &engine) {
    memory m(d, engine);
    memset(m.get_data_handle(), 0, d.get_size());
    return m;
}

/* The least of a few runs, in seconds. */
static double least_time(const engine &engine, const Conv &c, const Post &post, const Chosen &p) {
    enum { RUNS = 6 };
    stream s(engine);
    Args args = {{DNNL_ARG_SRC, zeros(p.src, engine)},
                 {DNNL_ARG_WEIGHTS, zeros(p.weights, engine)},
                 {DNNL_ARG_DST, zeros(p.dst, engine)}};
    if (c.bias) args[DNNL_ARG_BIAS] = zeros(plain({c.out[1]}), engine);
    if (post.sum == Post::BINARY) args[DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1] = zeros(post.addend, engine);
    double least = 1e30;
    for (int i = 0; i < RUNS; i++) {
        auto begin = std::chrono::steady_clock::now();
        p.primitive.execute(s, args);
        s.wait();
        least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return least;
}

Chosen conv_choose(const engine &engine, const Conv &c, const Post &post, bool tune) {
    if (c.transposed) return choose<deconvolution_forward>(engine, c, post, algorithm::deconvolution_direct);
    Chosen direct = choose<convolution_forward>(engine, c, post, algorithm::convolution_direct);
    if (!tune) return direct;
    try {
        Chosen winograd = choose<convolution_forward>(engine, c, post, algorithm::convolution_winograd);
        if (least_time(engine, c, post, winograd) < least_time(engine, c, post, direct)) return winograd;
    } catch (const error &) { /* not for this layer */
    }
    return direct;
}
