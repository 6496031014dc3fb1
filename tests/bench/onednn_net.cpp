/* A network: its values, their memory, and convolutions with what is fused into them. */
#include "onednn.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <jansson.h>
#include <stdexcept>

using namespace dnnl;

Dims json_dims(json_t *object, const char *key) {
    json_t *list = json_object_get(object, key);
    Dims d;
    for (size_t i = 0; i < json_array_size(list); i++) d.push_back(json_integer_value(json_array_get(list, i)));
    return d;
}

Act json_act(json_t *step) {
    json_t *a = json_object_get(step, "act");
    if (!a) return {};
    return {json_string_value(json_array_get(a, 0)), (float)json_number_value(json_array_get(a, 1)),
            (float)json_number_value(json_array_get(a, 2))};
}

static std::string text(json_t *step, const char *key) {
    const char *s = json_string_value(json_object_get(step, key));
    return s ? s : "";
}

static int64_t whole(json_t *step, const char *key) { return json_integer_value(json_object_get(step, key)); }

/* ---- memory ------------------------------------------------------------------------------------- */

memory Net::allocate(const Desc &d) {
    const size_t page = 4096, bytes = (d.get_size() + page - 1) / page * page;
    auto found = idle.lower_bound(bytes);
    if (found != idle.end() && found->first <= 4 * bytes) {
        void *p = found->second;
        idle.erase(found);
        return memory(d, engine, p);
    }
    void *p = aligned_alloc(page, bytes);
    if (!p) throw std::runtime_error("out of memory");
    memset(p, 0, bytes);
    owned[p] = bytes;
    return memory(d, engine, p);
}

void Net::let_go(void *p) {
    auto found = owned.find(p);
    if (found != owned.end()) idle.insert({found->second, p});
}

void Net::name(const std::string &name, const memory &m) {
    value[name] = m;
    names[m.get_data_handle()]++;
}

/* The value dies with this step, and no other one lies there. */
bool Net::may_overwrite(const std::string &name) {
    void *p = value.at(name).get_data_handle();
    return last[name] == now && owned.count(p) && names[p] == 1;
}

void Net::end_step() {
    for (const memory &m : passing) let_go(m.get_data_handle());
    passing.clear();
    for (auto v = value.begin(); v != value.end();) {
        void *p = v->second.get_data_handle();
        if (last[v->first] > now) {
            ++v;
            continue;
        }
        if (--names[p] == 0) let_go(p);
        v = value.erase(v);
    }
}

memory Net::in_layout(const memory &m, const Desc &d) {
    if (m.get_desc() == d) return m;
    memory other = allocate(d);
    passing.push_back(other);
    push(reorder(m, other), {{DNNL_ARG_FROM, m}, {DNNL_ARG_TO, other}});
    return other;
}

memory Net::constant(int64_t at, const Dims &dims) { return memory(plain(dims), engine, &weights.at(at)); }

memory Net::prepared(memory m, const Desc &d) {
    if (m.get_desc() == d) return m;
    memory other(d, engine);
    reorder(m, other).execute(stream, m, other);
    stream.wait();
    return other;
}

const memory &Net::in(json_t *step, int i) {
    return value.at(json_string_value(json_array_get(json_object_get(step, "in"), i)));
}

/* ---- convolutions ------------------------------------------------------------------------------- */

static Conv conv_of(json_t *step, const memory &x) {
    Conv c;
    c.transposed = text(step, "op") == "deconv";
    c.in = x.get_desc().dims();
    c.out = json_dims(step, "shape");
    c.kernel = json_dims(step, "kernel");
    c.strides = json_dims(step, "strides");
    c.dilations = json_dims(step, "dilations");
    for (auto &d : c.dilations) d--;
    c.before = json_dims(step, "before");
    c.after = json_dims(step, "after");
    for (auto &p : c.after) p = std::max<memory::dim>(p, 0); /* positions that no window reads are no padding */
    c.groups = whole(step, "groups");
    c.bias = whole(step, "bias") >= 0;
    return c;
}

/* A sum goes into its addend's memory when that is free afterwards, else the addend is read beside it; where there is no
 * such primitive, it is copied first. */
Chosen Net::conv_with_post(json_t *step, const Conv &c, Post &post, const memory &x) {
    std::string addend = text(step, "sum");
    post.act = json_act(step);
    if (!addend.empty()) {
        const memory &a = value.at(addend);
        bool free = may_overwrite(addend) && a.get_data_handle() != x.get_data_handle();
        post.sum = free ? Post::IN_PLACE : Post::BINARY;
        post.addend = a.get_desc();
    }
    try {
        return conv_choose(engine, c, post, tune);
    } catch (const error &) {
        if (post.sum != Post::BINARY) throw;
    }
    post.sum = Post::IN_PLACE;
    return conv_choose(engine, c, post, tune);
}

memory Net::conv_target(json_t *step, const Chosen &c, Post &post, const memory &x) {
    if (post.sum != Post::IN_PLACE) return allocate(c.dst);
    std::string addend = text(step, "sum");
    memory a = value.at(addend);
    if (a.get_desc() == c.dst && may_overwrite(addend) && a.get_data_handle() != x.get_data_handle()) return a;
    memory copy = allocate(c.dst);
    push(reorder(a, copy), {{DNNL_ARG_FROM, a}, {DNNL_ARG_TO, copy}});
    return copy;
}

void Net::conv(json_t *step) {
    memory x = in(step);
    Conv c = conv_of(step, x);
    Post post;
    Chosen p = conv_with_post(step, c, post, x);
    memory file(conv_file_weights(c), engine, &weights.at(whole(step, "weight")));
    Args args = {{DNNL_ARG_SRC, in_layout(x, p.src)}, {DNNL_ARG_WEIGHTS, prepared(file, p.weights)}};
    if (c.bias) args[DNNL_ARG_BIAS] = constant(whole(step, "bias"), {c.out[1]});
    if (post.sum == Post::BINARY)
        args[DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1] = value.at(text(step, "sum"));
    memory y = args[DNNL_ARG_DST] = conv_target(step, p, post, x);
    push(p.primitive, args);
    name(text(step, "out"), y);
}

/* ---- the whole ---------------------------------------------------------------------------------- */

void Net::make(json_t *step) {
    static const std::map<std::string, void (Net::*)(json_t *)> makers = {
        {"conv", &Net::conv},         {"deconv", &Net::conv},   {"dense", &Net::dense},   {"batchnorm", &Net::norm},
        {"instancenorm", &Net::norm}, {"pool", &Net::pool},     {"lrn", &Net::lrn},       {"softmax", &Net::softmax},
        {"act", &Net::act},           {"binary", &Net::binary}, {"concat", &Net::concat}, {"resize", &Net::resize},
        {"reshape", &Net::reshape},   {"pad", &Net::pad},
    };
    std::string op = text(step, "op");
    try {
        (this->*makers.at(op))(step);
    } catch (const error &e) {
        throw std::runtime_error(op + " " + text(step, "out") + ": " + e.message);
    }
}

static std::vector<json_t *> read_steps(const std::string &path) {
    std::ifstream f(path);
    std::vector<json_t *> steps;
    for (std::string line; std::getline(f, line);) {
        json_t *step = json_loads(line.c_str(), 0, nullptr);
        if (!step) throw std::runtime_error(path + " is not what onnx_steps.py writes");
        steps.push_back(step);
    }
    if (steps.empty()) throw std::runtime_error("cannot read " + path);
    return steps;
}

static std::vector<float> read_weights(const std::string &path) {
    std::ifstream f(path, std::ios::binary | std::ios::ate);
    if (!f) throw std::runtime_error("cannot read " + path);
    std::vector<float> w((size_t)f.tellg() / sizeof(float));
    f.seekg(0);
    f.read((char *)w.data(), (std::streamsize)(w.size() * sizeof(float)));
    return w;
}

Net::Net(const std::string &base, bool tune) : tune(tune), weights(read_weights(base + ".weights")) {
    std::vector<json_t *> list = read_steps(base + ".steps");
    json_t *head = list[0];
    for (size_t i = 1; i < list.size(); i++) {
        json_t *names = json_object_get(list[i], "in");
        for (size_t k = 0; k < json_array_size(names); k++) last[json_string_value(json_array_get(names, k))] = (int)i;
        if (json_object_get(list[i], "sum")) last[text(list[i], "sum")] = (int)i;
    }
    std::string result = text(head, "output");
    last[result] = (int)list.size();
    input = memory(plain(json_dims(head, "shape")), engine);
    name(text(head, "input"), input);
    for (size_t i = 1; i < list.size(); i++) {
        now = (int)i;
        make(list[i]);
        end_step();
    }
    memory y = value.at(result);
    output = memory(plain(y.get_desc().dims()), engine);
    push(reorder(y, output), {{DNNL_ARG_FROM, y}, {DNNL_ARG_TO, output}});
    for (json_t *step : list) json_decref(step);
}

void Net::run() {
    for (const Step &s : steps)
        if (s.own) s.own(s.args);
        else s.primitive.execute(stream, s.args);
    stream.wait();
}
