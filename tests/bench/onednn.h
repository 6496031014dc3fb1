/* oneDNN as a contender: what its files share. A bench tool, built by `make bench` alone; for oneDNN 2. */
#ifndef LUNETTE_BENCH_ONEDNN_H
#define LUNETTE_BENCH_ONEDNN_H

#include <cstdint>
#include <dnnl.hpp>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#if DNNL_VERSION_MAJOR != 2
#error "written for oneDNN 2, which Debian 12 has"
#endif

using dnnl::memory;
using Dims = memory::dims;
using Desc = memory::desc;
using Args = std::unordered_map<int, memory>;

Desc plain(const Dims &dims); /* row by row */
Desc any(const Dims &dims);   /* the layout that the library likes best */

/* An activation as a post-op or an op: "relu", "clip", …; "" is none. */
struct Act {
    std::string name;
    float alpha = 0, beta = 0;
    dnnl::algorithm algorithm() const;
};

/* ---- onednn_conv.cpp ------------------------------------------------------------------------------ */

struct Conv {
    bool transposed = false;
    Dims in, out, kernel, strides, dilations /* 0 is dense */, before, after;
    int64_t groups = 1;
    bool bias = true;
    Dims weights() const; /* as the library counts: [g] o i k… */
};

/* What is done with the result, in this order. */
struct Post {
    enum Sum { NONE, IN_PLACE, BINARY } sum = NONE;
    Desc addend; /* of BINARY */
    Act act;
    dnnl::primitive_attr attr() const;
};

struct Chosen {
    dnnl::primitive primitive;
    Desc src, weights, dst;
    std::string implementation;
};

/* The direct implementation; when `tune`, Winograd's where it takes less time. Throws dnnl::error when there is none. */
Chosen conv_choose(const dnnl::engine &engine, const Conv &c, const Post &post, bool tune);
/* The layout of weights in ONNX, for a transposed convolution [i o k…]. */
Desc conv_file_weights(const Conv &c);

/* ---- onednn_net.cpp, onednn_ops.cpp --------------------------------------------------------------- */

typedef struct json_t json_t;

/* The steps of onnx_steps.py as primitives, ready to run. */
class Net {
  public:
    /* BASE.steps and BASE.weights. Throws std::runtime_error or dnnl::error. */
    Net(const std::string &base, bool tune);
    void run();
    memory input, output; /* row by row */

  private:
    struct Step {
        dnnl::primitive primitive;
        Args args;
        void (*own)(const Args &) = nullptr; /* in place of a primitive */
    };
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    bool tune;
    std::vector<float> weights;
    std::vector<Step> steps;
    std::map<std::string, memory> value;
    std::map<std::string, int> last; /* the step that reads a value last */
    int now = 0;                     /* the step that is being made */

    /* Memory of values is used again when they are no longer needed. */
    std::multimap<size_t, void *> idle;
    std::map<void *, size_t> owned;
    std::map<void *, int> names; /* how many live values lie there */
    std::vector<memory> passing; /* of this step alone */
    memory allocate(const Desc &d);
    void let_go(void *p);
    void name(const std::string &name, const memory &m);
    void end_step();
    bool may_overwrite(const std::string &name);

    void push(const dnnl::primitive &p, const Args &args) { steps.push_back({p, args}); }
    memory in_layout(const memory &m, const Desc &d);
    memory constant(int64_t at, const Dims &dims);
    memory prepared(memory m, const Desc &d); /* reordered now, once */
    const memory &in(json_t *step, int i = 0);

    void make(json_t *step);
    void conv(json_t *step);
    memory conv_target(json_t *step, const Chosen &c, Post &post, const memory &x);
    Chosen conv_with_post(json_t *step, const Conv &c, Post &post, const memory &x);
    void dense(json_t *step);
    void norm(json_t *step);
    void pool(json_t *step);
    void lrn(json_t *step);
    void softmax(json_t *step);
    void act(json_t *step);
    memory activated(const memory &m, const Act &a);
    void binary(json_t *step);
    memory operand(json_t *o, size_t rank);
    void concat(json_t *step);
    void resize(json_t *step);
    void reshape(json_t *step);
    void pad(json_t *step);
};

/* Parts of a step. */
Dims json_dims(json_t *object, const char *key);
Act json_act(json_t *step);

/* ---- onednn_layers.cpp ---------------------------------------------------------------------------- */

/* Times each descriptor of a benchdnn file: "name<tab>descriptor<tab>threads<tab>median_ms<tab>min_ms<tab>GFLOP/s<tab>implementation". */
int layers_main(const std::string &name, const char *file, int threads, double seconds, bool tune);

#endif
