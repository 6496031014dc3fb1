/* Layers alone, from the shape lists of benchdnn: g2mb1_ic96ih27_oc256oh27_kh5_ph2n"name". */
#include "onednn.h"
#include "timing.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

using Numbers = std::map<std::string, int64_t>;

/* Letters and a number each; 'n' begins the name, the rest. */
static Numbers numbers_of(const std::string &text) {
    static const std::string keys = " g mb ic oc id ih iw od oh ow kd kh kw sd sh sw pd ph pw dd dh dw ";
    Numbers n;
    for (size_t at = 0; at < text.size();) {
        if (text[at] == '_') {
            at++;
            continue;
        }
        if (text[at] == 'n') break;
        size_t letters = at;
        while (at < text.size() && isalpha((unsigned char)text[at])) at++;
        std::string key = text.substr(letters, at - letters);
        if (keys.find(" " + key + " ") == std::string::npos) throw std::runtime_error("no descriptor: " + text);
        char *end;
        n[key] = strtoll(text.c_str() + at, &end, 10);
        at = (size_t)(end - text.c_str());
    }
    return n;
}

/* Of axis w from h from d, whichever is there. */
static int64_t along(const Numbers &n, char what, char axis, int64_t otherwise) {
    static const std::string order = "dhw";
    for (size_t i = order.find(axis) + 1; i-- > 0;) {
        auto found = n.find({what, order[i]});
        if (found != n.end()) return found->second;
    }
    return otherwise;
}

/* The axes that are there: with one of them all after it. */
static std::string axes_of(const Numbers &n) {
    const std::string axes = "dhw";
    for (size_t i = 0; i < axes.size(); i++)
        for (char what : std::string("ioksp"))
            if (n.count({what, axes[i]})) return axes.substr(i);
    throw std::runtime_error("no axis");
}

static void add_axis(Conv *c, const Numbers &n, char axis) {
    int64_t in = along(n, 'i', axis, 1), k = along(n, 'k', axis, 1), s = along(n, 's', axis, 1);
    int64_t dilation = along(n, 'd', axis, 0), span = (k - 1) * (dilation + 1) + 1;
    int64_t pad = along(n, 'p', axis, -1), out = along(n, 'o', axis, -1);
    if (out < 0) {
        pad = std::max<int64_t>(pad, 0);
        out = (in + 2 * pad - span) / s + 1;
    }
    int64_t all = (out - 1) * s + span - in;
    if (pad < 0) pad = std::max<int64_t>(all, 0) / 2;
    c->in.push_back(in);
    c->out.push_back(out);
    c->kernel.push_back(k);
    c->strides.push_back(s);
    c->dilations.push_back(dilation);
    c->before.push_back(pad);
    c->after.push_back(std::max<int64_t>(all - pad, 0));
}

static Conv conv_of(const std::string &text) {
    const int64_t usual_batch = 2; /* of benchdnn, when mb is left out */
    Numbers n = numbers_of(text);
    Conv c;
    c.groups = n.count("g") ? n["g"] : 1;
    int64_t batch = n.count("mb") ? n["mb"] : usual_batch;
    c.in = {batch, n["ic"]};
    c.out = {batch, n["oc"]};
    for (char axis : axes_of(n)) add_axis(&c, n, axis);
    return c;
}

static double flops(const Conv &c) {
    double f = 2.0 * (double)c.out[1] * (double)c.in[1] / (double)c.groups;
    for (auto k : c.kernel) f *= (double)k;
    for (size_t i = 2; i < c.out.size(); i++) f *= (double)c.out[i];
    return f * (double)c.out[0];
}

struct Layer {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    Chosen chosen;
    Args args;

    explicit Layer(const Conv &c, bool tune) {
        chosen = conv_choose(engine, c, Post(), tune);
        args = {{DNNL_ARG_SRC, filled(chosen.src)},
                {DNNL_ARG_WEIGHTS, filled(chosen.weights)},
                {DNNL_ARG_BIAS, filled(plain({c.out[1]}))},
                {DNNL_ARG_DST, filled(chosen.dst)}};
    }
    memory filled(const Desc &d) {
        memory m(d, engine);
        float *v = (float *)m.get_data_handle();
        for (size_t i = 0; i < d.get_size() / sizeof *v; i++) v[i] = (float)((i * 37) % 64) / 64 - 0.5f;
        return m;
    }
    static void run(void *ctx) {
        Layer *l = (Layer *)ctx;
        l->chosen.primitive.execute(l->stream, l->args);
        l->stream.wait();
    }
};

static void layer_line(const std::string &name, const std::string &text, int threads, double seconds, bool tune) {
    try {
        Conv c = conv_of(text);
        Layer layer(c, tune);
        BenchTimes times;
        if (!bench_time(Layer::run, &layer, seconds, &times)) throw std::runtime_error("out of memory");
        double ms = bench_median(&times);
        printf("%s\t%s\t%d\t%.5g\t%.5g\t%.5g\t%s\n", name.c_str(), text.c_str(), threads, ms, times.ms[0],
               1e-6 * flops(c) / ms, layer.chosen.implementation.c_str());
        free(times.ms);
    } catch (const std::exception &e) {
        printf("%s\t%s\t%d\tnot run\t%s\n", name.c_str(), text.c_str(), threads, e.what());
    }
    fflush(stdout);
}

int layers_main(const std::string &name, const char *file, int threads, double seconds, bool tune) {
    std::ifstream f(file);
    if (!f) throw std::runtime_error("cannot be read");
    for (std::string line; std::getline(f, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        for (std::string text; words >> text;)
            if (text[0] != '-') layer_line(name, text, threads, seconds, tune);
    }
    return 0;
}
