/* What `make demo` shows: a network compiled without a cache, the 10,000 test images of Fashion-MNIST classified, a few
 * of them drawn.   lunette_demo SPEC WEIGHTS FOLDER   (FOLDER: t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz) */
#include "frontend/data/load.h"
#include "frontend/model.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, LINES = SIDE / 2, BATCH = 100, SHOWN = 4, GAP = 2, ON = 96 };

static const char *const class_name[CLASSES] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                                "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

typedef struct Test {
    Array images, labels; /* u8 [count 28 28], u8 [count] */
    int64_t count;
} Test;

typedef struct Answer {
    int class;
    float sure; /* its probability */
} Answer;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const uint8_t *pixels(const Test *t, int64_t image) { return (const uint8_t *)t->images.data + image * PIXELS; }
static int label(const Test *t, int64_t image) { return ((const uint8_t *)t->labels.data)[image]; }

/* ---- the data ---------------------------------------------------------------------------------- */

static bool load_file(const char *folder, const char *name, Array *out, Diag *d) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path) return diag_fail(d, DIAG_USAGE, "%.100s...: the path is too long", folder);
    return data_load(path, out, d);
}

static bool load_test(Test *t, const char *folder, Diag *d) {
    if (!load_file(folder, "t10k-images-idx3-ubyte.gz", &t->images, d) || !load_file(folder, "t10k-labels-idx1-ubyte.gz", &t->labels, d)) return false;
    const Array *x = &t->images, *y = &t->labels;
    bool good = x->type == ELEM_U8 && x->rank == 3 && x->shape[1] == SIDE && x->shape[2] == SIDE && y->type == ELEM_U8 && y->rank == 1;
    if (!good || x->shape[0] != y->shape[0] || x->shape[0] < SHOWN)
        return diag_fail(d, DIAG_FILE, "%s: images of 28 x 28 bytes and as many labels wanted", folder);
    t->count = x->shape[0];
    for (int64_t i = 0; i < t->count; i++)
        if (label(t, i) >= CLASSES) return diag_fail(d, DIAG_FILE, "%s: label %d of image %lld is not a class", folder, label(t, i), (long long)i);
    return true;
}

/* ---- the network --------------------------------------------------------------------------------- */

static bool open_model(const char *spec, const char *weights, int64_t batch, LunetteModel **m, Diag *d) {
    LunetteOptions o = {.weights = weights, .threads = pool_cpus(), .batch = batch, .no_cache = 1};
    LunetteError e;
    if (lunette_open(spec, &o, m, &e) != LUNETTE_OK) return diag_fail(d, (DiagKind)e.status, "%s", e.message);
    bool one = lunette_input_count(*m) == 1 && lunette_output_count(*m) == 1;
    if (one && lunette_input(*m, 0).elements == batch * PIXELS && lunette_output(*m, 0).elements == batch * CLASSES) return true;
    return diag_fail(d, DIAG_UNSUPPORTED, "%s: a network from 28 x 28 pixels to 10 classes wanted", spec);
}

/* Images first … first+n−1, from their bytes to their classes. */
static void classify(LunetteModel *m, const Test *t, int64_t first, int64_t n, Answer *answer) {
    static float x[BATCH * PIXELS], y[BATCH * CLASSES];
    const uint8_t *p = pixels(t, first);
    for (int64_t i = 0; i < n * PIXELS; i++) x[i] = (float)p[i] / 255.0f;
    lunette_run(m, (const void *[]){x}, (void *[]){y}, NULL);
    for (int64_t i = 0; i < n; i++) {
        Answer best = {0, y[i * CLASSES]};
        for (int c = 1; c < CLASSES; c++)
            if (y[i * CLASSES + c] > best.sure) best = (Answer){c, y[i * CLASSES + c]};
        answer[first + i] = best;
    }
}

static int64_t parameters(const LunetteModel *m) {
    int64_t n = 0;
    for (int i = 0; i < m->written->n_node; i++)
        if (m->written->node[i]->op == OP_WEIGHT) n += type_elements(&m->written->node[i]->type);
    return n;
}

static bool show_compile(const char *spec, const char *weights, const Test *t, LunetteModel **m, Answer *answer, Diag *d) {
    double start = seconds();
    if (!open_model(spec, weights, 1, m, d)) return false;
    double opened = seconds();
    classify(*m, t, 0, 1, answer);
    double answered = seconds();
    const CodeStats *s = code_stats((*m)->code);
    printf("== %s: %lld parameters, compiled for %s\n", spec, (long long)parameters(*m), (*m)->target.cpu);
    printf("   %d kernels in %d objects: %d compiled, %d from a cache (none is used here)\n", s->kernels, s->distinct,
           s->compiled, s->cached);
    printf("   %6.1f ms  code: kernels through LLVM, linked into this process\n", 1e3 * s->seconds);
    printf("   %6.1f ms  all of opening: spec, graph, loop nests, schedules, code, weights, threads\n", 1e3 * (opened - start));
    printf("   %6.1f ms  from opening the spec to the first answer\n", 1e3 * (answered - start));
    fflush(stdout);
    return true;
}

static void show_accuracy(LunetteModel *m, int64_t batch, const Test *t, Answer *answer) {
    double start = seconds();
    for (int64_t i = 0; i < t->count; i += batch) classify(m, t, i, t->count - i < batch ? t->count - i : batch, answer);
    double took = seconds() - start;
    int64_t right = 0;
    for (int64_t i = 0; i < t->count; i++) right += answer[i].class == label(t, i);
    printf("   batch %3lld: %lld right, %.2f %%; %.0f images per second\n", (long long)batch, (long long)right,
           100.0 * (double)right / (double)t->count, (double)t->count / took);
    fflush(stdout);
}

static void show_agreement(const Test *t, const Answer *one, const Answer *many) {
    int64_t differ = 0;
    for (int64_t i = 0; i < t->count; i++) differ += one[i].class != many[i].class || one[i].sure != many[i].sure;
    if (differ) printf("   %lld answers DIFFER between the two\n", (long long)differ);
    else printf("   both give the same classes and, to the bit, the same probabilities\n");
}

/* ---- the pictures ---------------------------------------------------------------------------------- */

/* A character is two pixels, one above the other. */
typedef enum Style {
    STYLE_ASCII,  /* their mean as a character that is thin or fat */
    STYLE_BLOCKS, /* half blocks, each pixel on or off */
    STYLE_GREY,   /* half blocks in two of the terminal's 24 greys */
} Style;

static Style choose_style(void) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) return STYLE_ASCII;
    bool plain = (no_color && no_color[0]) || !term || strcmp(term, "dumb") == 0 || !isatty(STDOUT_FILENO);
    return plain ? STYLE_BLOCKS : STYLE_GREY;
}

static int columns(void) {
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void draw_line(Style style, const uint8_t *above, const uint8_t *below) {
    static const char *const half[] = {" ", "\u2580", "\u2584", "\u2588"};
    for (int x = 0; x < SIDE; x++) {
        int a = above[x], b = below[x];
        switch (style) {
        case STYLE_ASCII: putchar(" .:-=+*#%@"[(a + b) * 9 / 510]); break;
        case STYLE_BLOCKS: fputs(half[(a >= ON) + 2 * (b >= ON)], stdout); break;
        case STYLE_GREY: printf("\033[38;5;%d;48;5;%dm\u2580", 232 + a * 23 / 255, 232 + b * 23 / 255); break;
        }
    }
    if (style == STYLE_GREY) fputs("\033[0m", stdout);
}

/* Line 0 … LINES−1 of an image and the two lines under it, SIDE characters wide. */
static void draw(Style style, const Test *t, int64_t image, const Answer *a, int line) {
    char text[64];
    int truth = label(t, image);
    if (line < LINES) {
        draw_line(style, pixels(t, image) + 2 * line * SIDE, pixels(t, image) + (2 * line + 1) * SIDE);
        return;
    }
    if (line == LINES) snprintf(text, sizeof text, "%s, %.1f %%", class_name[a->class], 100.0 * (double)a->sure);
    else snprintf(text, sizeof text, "%s%s", truth == a->class ? "right" : "wrong, it is: ", truth == a->class ? "" : class_name[truth]);
    printf("%-*s", SIDE, text);
}

/* The first images and the next that the network gets wrong, if it does, as many beside each other as the terminal is wide. */
static void show_images(const Test *t, const Answer *answer) {
    int64_t image[SHOWN], n = 0, wrong = SHOWN - 1;
    for (int64_t i = t->count - 1; i >= SHOWN - 1; i--)
        if (answer[i].class != label(t, i)) wrong = i;
    while (n < SHOWN - 1) image[n] = n, n++;
    image[n] = wrong;
    Style style = choose_style();
    int row = (columns() - GAP) / (SIDE + GAP);
    row = row < 1 ? 1 : row > SHOWN ? SHOWN : row;
    if (answer[wrong].class == label(t, wrong)) printf("== the first %d test images\n", SHOWN);
    else printf("== the first %d test images, and the next that it gets wrong\n", SHOWN - 1);
    for (int from = 0; from < SHOWN; from += row)
        for (int line = 0; line < LINES + 2; line++) {
            for (int i = from; i < SHOWN && i < from + row; i++) {
                printf("%*s", GAP, "");
                draw(style, t, image[i], &answer[image[i]], line);
            }
            putchar('\n');
        }
}

/* ---- all of it ------------------------------------------------------------------------------------- */

static bool demo(char **arg, Test *t, Answer **answer, LunetteModel **one, LunetteModel **many, Diag *d) {
    if (!load_test(t, arg[3], d)) return false;
    for (int i = 0; i < 2; i++)
        if (!(answer[i] = mem_alloc((size_t)t->count * sizeof *answer[i]))) return diag_fail(d, DIAG_MACHINE, "out of memory");
    if (!show_compile(arg[1], arg[2], t, one, answer[0], d) || !open_model(arg[1], arg[2], BATCH, many, d)) return false;
    printf("== %lld Fashion-MNIST test images, from bytes to classes, %d thread%s\n", (long long)t->count, pool_cpus(), pool_cpus() > 1 ? "s" : "");
    show_accuracy(*one, 1, t, answer[0]);
    show_accuracy(*many, BATCH, t, answer[1]);
    show_agreement(t, answer[0], answer[1]);
    show_images(t, answer[0]);
    return true;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: lunette_demo SPEC WEIGHTS FOLDER\n");
        return DIAG_USAGE;
    }
    Test t = {.count = 0};
    Answer *answer[2] = {NULL, NULL};
    LunetteModel *one = NULL, *many = NULL;
    Diag d = {0};
    if (!demo(argv, &t, answer, &one, &many, &d)) fprintf(stderr, "lunette_demo: %s\n", d.text);
    lunette_close(one);
    lunette_close(many);
    for (int i = 0; i < 2; i++) mem_free(answer[i]);
    array_close(&t.images);
    array_close(&t.labels);
    return (int)d.kind;
}
