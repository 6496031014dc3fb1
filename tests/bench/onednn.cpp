/* oneDNN as a contender.
 *
 *   onednn net BASE THREADS SECONDS [--tune]       the steps BASE.steps on BASE.in.f32; the line of timing.h
 *   onednn layers FILE THREADS SECONDS [--tune]    each descriptor of a benchdnn file
 *
 * Every convolution has the layout that the library likes best, weights are reordered before, sums and activations are
 * post-ops. --tune measures Winograd against direct for each layer and takes the faster one. */
#include "onednn.h"
#include "timing.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <omp.h>

using Floats = std::unique_ptr<float, decltype(&free)>;

static size_t elements(const memory &m) { return m.get_desc().get_size() / sizeof(float); }

static int net_main(const std::string &name, const char *base, int threads, double seconds, bool tune) {
    Net net(base, tune);
    Floats x(bench_read(base, ".in.f32", elements(net.input)), free);
    Floats expected(bench_read(base, ".out.f32", elements(net.output)), free);
    if (!x || !expected) return 5;
    memcpy(net.input.get_data_handle(), x.get(), net.input.get_desc().get_size());
    net.run();
    double error = bench_error((const float *)net.output.get_data_handle(), expected.get(), elements(net.output));
    BenchTimes times;
    if (!bench_time([](void *n) { ((Net *)n)->run(); }, &net, seconds, &times)) return 71;
    bench_print(name.c_str(), bench_name(base), threads, &times, error);
    free(times.ms);
    return 0;
}

int main(int argc, char **argv) {
    bool tune = argc == 6 && strcmp(argv[5], "--tune") == 0;
    bool net = argc > 1 && strcmp(argv[1], "net") == 0, layers = argc > 1 && strcmp(argv[1], "layers") == 0;
    int threads = argc > 3 ? atoi(argv[3]) : 0;
    double seconds = argc > 4 ? atof(argv[4]) : 0;
    if ((!net && !layers) || (argc != 5 && !tune) || threads < 1 || seconds <= 0) {
        fprintf(stderr, "usage: onednn net BASE|layers FILE THREADS SECONDS [--tune]\n");
        return 2;
    }
    omp_set_num_threads(threads);
    const dnnl_version_t *v = dnnl_version();
    char name[64];
    snprintf(name, sizeof name, "onednn%s %d.%d.%d", tune ? "-tuned" : "", v->major, v->minor, v->patch);
    try {
        return net ? net_main(name, argv[2], threads, seconds, tune)
                   : layers_main(name, argv[2], threads, seconds, tune);
    } catch (const std::exception &e) {
        fprintf(stderr, "onednn: %s: %s\n", argv[2], e.what());
        return 4;
    }
}
