#include "tests/random_nest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kernels are made as text: the shapes below are then easy to read, and the parser has work. */
typedef struct Maker {
    Arena *a;
    uint64_t *seed;
    Text params, tables, body;
    int piece; /* number of the nest at the top; names end with it */
    bool small;
    int n_tables;
} Maker;

uint64_t random_next(uint64_t *seed) {
    uint64_t z = (*seed += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int random_in(uint64_t *seed, int lo, int hi) { return lo + (int)(random_next(seed) % (uint64_t)(hi - lo + 1)); }

float random_float(uint64_t *seed) { return (float)random_in(seed, -(1 << 20), 1 << 20) * 0x1p-20f; }

static int pick(Maker *m, int lo, int hi) { return random_in(m->seed, lo, hi); }

static const char *one_of(Maker *m, const char *const *v, size_t n) { return v[random_next(m->seed) % n]; }
#define ONE_OF(m, ...) one_of(m, (const char *const[]){__VA_ARGS__}, COUNT_OF(((const char *const[]){__VA_ARGS__})))

static void add_param(Maker *m, const char *text) { text_add(&m->params, "%s%s", m->params.n ? ", " : "", text); }

/* ---- values ------------------------------------------------------------------------------ */

static const char *random_value(Maker *m, const char *const *leaf, size_t n_leaves, int depth) {
    if (depth == 0 || pick(m, 0, 5) == 0) {
        if (pick(m, 0, 4)) return one_of(m, leaf, n_leaves);
        return ONE_OF(m, "0", "1", "-1", "0.5", "-0.25", "3", "1e-3", "inf", "-0");
    }
    const char *x = random_value(m, leaf, n_leaves, depth - 1), *y = random_value(m, leaf, n_leaves, depth - 1);
    switch (pick(m, 0, 9)) {
    case 0:
    case 1: return arena_printf(m->a, "(%s %s %s)", x, ONE_OF(m, "+", "-"), y);
    case 2:
    case 3: return arena_printf(m->a, "%s*(%s)", x, y);
    case 4: return arena_printf(m->a, "(%s)/(1.5 + abs(%s))", x, y);
    case 5: return arena_printf(m->a, "%s(%s, %s)", ONE_OF(m, "max", "min"), x, y);
    case 6: return arena_printf(m->a, "%s(%s)", ONE_OF(m, "neg", "abs", "exp", "tanh", "sigmoid"), x);
    case 7: return arena_printf(m->a, "%s(abs(%s))", ONE_OF(m, "sqrt", "log"), x);
    case 8: return arena_printf(m->a, "fma(%s, %s, %s)", x, y, one_of(m, leaf, n_leaves));
    default:
        return arena_printf(m->a, "select(%s %s %s, %s, %s)", x, ONE_OF(m, "<", "<=", "==", ">", ">="), y,
                            one_of(m, leaf, n_leaves), x);
    }
}

/* What a fused tail does to one value, which stands there as %s. */
static const char *random_tail(Maker *m, const char *value) {
    switch (pick(m, 0, 4)) {
    case 0: return arena_printf(m->a, "max(%s, 0)", value);
    case 1: return arena_printf(m->a, "max(t0, t0*0.1) with t0 = %s + 0.5", value);
    case 2: return arena_printf(m->a, "%s(%s)", ONE_OF(m, "tanh", "sigmoid", "exp"), value);
    case 3: return arena_printf(m->a, "min(max(%s, 0), 6)", value);
    default: return arena_printf(m->a, "t1/(t1 + 1) with t0 = exp(%s), t1 = t0*t0", value);
    }
}

static const char *random_table(Maker *m, int n) {
    const char *name = arena_printf(m->a, "t%d", m->n_tables++);
    text_add(&m->tables, "table %s = {", name);
    for (int i = 0; i < n; i++) {
        text_add(&m->tables, i ? ", " : " ");
        text_add_float(&m->tables, random_float(m->seed));
    }
    text_add(&m->tables, " }\n");
    return name;
}

/* ---- nests ------------------------------------------------------------------------------- */

/* A halo along some axis of x, or none. */
static const char *random_halo(Maker *m, int h, int w) {
    int lo = pick(m, 0, 1), hi = h > lo ? pick(m, 0, 1) : 0, left = pick(m, 0, w > 2 ? 2 : 0);
    return pick(m, 0, 1) ? arena_printf(m->a, " halo 0 h<%d,%d> w<%d,0>", lo, hi, left) : "";
}

static void make_conv(Maker *m) {
    int p = m->piece, big = m->small ? 2 : 1;
    int o = pick(m, 0, 2) ? pick(m, 1, 8) : 32 / big, c = pick(m, 1, 8 / big), h = pick(m, 1, 6),
        w = pick(m, 1, 14 / big);
    int kh = pick(m, 1, 3), kw = pick(m, 1, 3), stride = pick(m, 1, 2), dilation = pick(m, 1, 2);
    bool depthwise = pick(m, 0, 3) == 0;
    if (depthwise) c = 1;
    const char *channel = depthwise ? "o" : "c";
    int rows = stride * (h - 1) + dilation * (kh - 1) + 1, columns = stride * (w - 1) + dilation * (kw - 1) + 1;
    add_param(m, arena_printf(m->a, "in x%d : f32[c%d h%d w%d]%s", p, depthwise ? o : c, rows, columns,
                              random_halo(m, rows, columns)));
    add_param(m, arena_printf(m->a, "in w%d : f32[o%d c%d h%d w%d], in b%d : f32[o%d], out y%d : f32[o%d h%d w%d]", p,
                              o, c, kh, kw, p, o, p, o, h, w));
    const char *y = arena_printf(m->a, "y%d[o, h, w]", p), *tail = random_tail(m, y);
    const char *mac = arena_printf(m->a, "%s += x%d[%s, %d*h + %d*i, %d*w + %d*j]*w%d[o, c, i, j];", y, p, channel,
                                   stride, dilation, stride, dilation, p);
    if (pick(m, 0, 1)) {
        text_add(
            &m->body,
            "for o %d { for h %d { for w %d { %s = b%d[o]; for c %d { for i %d { for j %d { %s } } } %s = %s; } } }\n",
            o, h, w, y, p, c, kh, kw, mac, y, tail);
        return;
    }
    const char *plane = arena_printf(m->a, "for h %d { for w %d", h, w);
    text_add(&m->body, "for o %d { %s { %s = b%d[o]; } } for c %d { for i %d { for j %d { %s { %s } } } } }", o, plane,
             y, p, c, kh, kw, plane, mac);
    text_add(&m->body, " %s { %s = %s; } } }\n", plane, y, tail);
}

static void make_reduction(Maker *m) {
    int p = m->piece, r = pick(m, 1, 20), k = pick(m, 1, m->small ? 50 : 150);
    const char *op = ONE_OF(m, "+=", "max=");
    const char *leaf[] = {arena_printf(m->a, "x%d[n, c]", p), arena_printf(m->a, "b%d[c]", p),
                          arena_printf(m->a, "%s[%d - c]", random_table(m, k), k - 1)};
    add_param(m,
              arena_printf(m->a, "in x%d : f32[n%d c%d], in b%d : f32[c%d], out y%d : f32[n%d]", p, r, k, p, k, p, r));
    text_add(&m->body, "for n %d { y%d[n] = %s; for c %d { y%d[n] %s %s; } y%d[n] = %s; }\n", r, p,
             *op == 'm' ? "-inf" : "0.25", k, p, op, random_value(m, leaf, COUNT_OF(leaf), 2), p,
             random_tail(m, arena_printf(m->a, "y%d[n]", p)));
}

static void make_pointwise(Maker *m) {
    int p = m->piece, c = pick(m, 1, 9), h = pick(m, 1, 12), w = pick(m, 1, m->small ? 12 : 30);
    bool turned = pick(m, 0, 2) == 0;
    const char *leaf[] = {arena_printf(m->a, "x%d[c, h, w]", p),
                          arena_printf(m->a, "x%d[%d - c, h, w]", p, c - 1),
                          arena_printf(m->a, "b%d[c]", p),
                          arena_printf(m->a, "%s[h + 2*w]", random_table(m, h + 2 * w)),
                          "index(c + 3*w)",
                          arena_printf(m->a, "index(%d - w)", w)};
    const char *shared = random_value(m, leaf, COUNT_OF(leaf), 2), *names[] = {"a", "b", leaf[0]};
    add_param(m, arena_printf(m->a, "in x%d : f32[c%d h%d w%d], in b%d : f32[c%d]", p, c, h, w, p, c));
    add_param(m, turned ? arena_printf(m->a, "out y%d : f32[w%d c%d h%d]", p, w, c, h)
                        : arena_printf(m->a, "out y%d : f32[c%d h%d w%d]", p, c, h, w));
    text_add(&m->body, "for c %d { for h %d { for w %d { y%d[%s] = %s with a = %s, b = a*%s; } } }\n", c, h, w, p,
             turned ? "w, c, h" : "c, h, w", random_value(m, names, COUNT_OF(names), 3), shared, leaf[2]);
}

static void make_softmax(Maker *m) {
    int p = m->piece, n = pick(m, 1, 8), c = pick(m, 1, m->small ? 40 : 130);
    add_param(m, arena_printf(m->a, "in x%d : f32[n%d c%d], out y%d : f32[n%d c%d]", p, n, c, p, n, c));
    text_add(&m->body,
             "for n %d { scratch m%d : f32[] { scratch s%d : f32[] { m%d[] = -inf; for c %d { m%d[] max= x%d[n, c]; }"
             " s%d[] = 0; for c %d { y%d[n, c] = exp(x%d[n, c] - m%d[]); s%d[] += y%d[n, c]; }"
             " for c %d { y%d[n, c] = y%d[n, c]/s%d[]; } } } }\n",
             n, p, p, p, c, p, p, p, c, p, p, p, p, p, c, p, p, p);
}

/* A frame of zeros or another number around an intermediate value, which a window then goes over. */
static void make_chain(Maker *m) {
    int p = m->piece, h = pick(m, 1, 9), w = pick(m, 1, 12), lo = pick(m, 0, 2), hi = pick(m, 0, 2), s = pick(m, 1, 2);
    int k = pick(m, 1, 3), H = h + lo + hi, W = w + lo, oh = H >= k ? (H - k) / s + 1 : 0,
        ow = W >= k ? (W - k) / s + 1 : 0;
    if (oh < 1 || ow < 1) return make_softmax(m);
    const char *leaf[] = {arena_printf(m->a, "x%d[h.t, w.t]", p), arena_printf(m->a, "x%d[h.t + 1, w.t]", p), "0.5"};
    bool sums = pick(m, 0, 1);
    add_param(m, arena_printf(m->a, "in x%d : f32[h%d w%d], in u%d : f32[a3 b3], out y%d : f32[h%d w%d]", p, h + 1, w,
                              p, p, oh, ow));
    text_add(&m->body, "scratch mid%d : f32[h%d w%d] { for h.t %d { for w.t %d { mid%d[h.t + %d, w.t + %d] = %s; ", p,
             H, W, h, w, p, lo, lo, random_value(m, leaf, COUNT_OF(leaf), 2));
    if (sums) text_add(&m->body, "for k.t 2 { mid%d[h.t + %d, w.t + %d] += x%d[h.t + k.t, w.t]*0.5; } ", p, lo, lo, p);
    text_add(&m->body, "} } ");
    if (lo) text_add(&m->body, "for eh %d { for ew %d { mid%d[eh, ew] = 0; } } ", lo, W, p);
    if (hi) text_add(&m->body, "for eh %d { for ew %d { mid%d[eh + %d, ew] = 2; } } ", hi, W, p, lo + h);
    if (lo) text_add(&m->body, "for eh %d { for ew %d { mid%d[eh + %d, ew] = 0; } } ", h, lo, p, lo);
    text_add(&m->body,
             "for n 1 { for h %d { for w %d { y%d[h, w] = 0; for kh %d { for kw %d { y%d[h, w] += mid%d[%d*h + kh, "
             "%d*w + kw]*u%d[kh, "
             "kw]; } } } } } }\n",
             oh, ow, p, k, k, p, p, s, s, p);
}

/* y[i + gap] from y[i]: loops whose order is their meaning. */
static void make_recurrence(Maker *m) {
    int p = m->piece, n = pick(m, 1, 4), w = pick(m, 2, 90), gap = pick(m, 1, 4);
    const char *leaf[] = {arena_printf(m->a, "y%d[n, w]", p), arena_printf(m->a, "x%d[n, w]", p), "0.75"};
    const char *op = ONE_OF(m, "=", "+=", "max=");
    add_param(m, arena_printf(m->a, "in x%d : f32[n%d w%d], out y%d : f32[n%d w%d]", p, n, w + gap, p, n, w + gap));
    text_add(&m->body, "for n %d { for w %d { y%d[n, w] = x%d[n, w]; }", n, w + gap, p, p);
    text_add(&m->body, " for w %d { y%d[n, w + %d] %s tanh(%s); }", w, p, gap, op,
             random_value(m, leaf, COUNT_OF(leaf), 2));
    text_add(&m->body, " for w %d { y%d[n, w] = y%d[n, w + %d] - y%d[n, w]; } }\n", w, p, p, gap, p);
}

/* ---- indirect loads, element types -------------------------------------------------------- */

static const char *random_dtype(Maker *m) { return ONE_OF(m, "f32", "f32", "i64", "i32", "u8", "bool"); }

/* The index of a take: some lie outside the axis, some are no numbers. */
static const char *random_index(Maker *m, const char *const *leaf, size_t n_leaves) {
    switch (pick(m, 0, 4)) {
    case 0: return one_of(m, leaf, n_leaves);
    case 1: return arena_printf(m->a, "%s*7.5 - 2", one_of(m, leaf, n_leaves));
    case 2: return arena_printf(m->a, "9*(%s)", random_value(m, leaf, n_leaves, 2));
    case 3:
        return arena_printf(m->a, "select(%s < 0.25, nan, %s)", one_of(m, leaf, n_leaves), one_of(m, leaf, n_leaves));
    default: return arena_printf(m->a, "%s + %s", one_of(m, leaf, n_leaves), one_of(m, leaf, n_leaves));
    }
}

/* A subscript in an axis of n elements, where a loop of that many may help. */
static const char *random_sub(Maker *m, const char *loop, int n, const char *index) {
    int limit = pick(m, 1, n);
    switch (pick(m, 0, 4)) {
    case 0: return loop;
    case 1: return arena_printf(m->a, "take(%s, %d)", index, n);
    case 2: return arena_printf(m->a, "take(%s, %d) + %d", index, limit, n - limit);
    case 3: return arena_printf(m->a, "%d - %s + take(%s, 1)", n - 1, loop, index);
    default: return arena_printf(m->a, "take(i%d[%s], %d)", m->piece, loop, n); /* its own index, a row of them */
    }
}

static void make_take(Maker *m) {
    int p = m->piece, c = pick(m, 1, 6), h = pick(m, 1, 9), w = pick(m, 1, m->small ? 12 : 40);
    int most = c > h ? c : h;
    if (w > most) most = w;
    const char *leaf[] = {arena_printf(m->a, "u%d[h, w]", p),
                          arena_printf(m->a, "i%d[w]", p),
                          arena_printf(m->a, "i%d[h]", p),
                          arena_printf(m->a, "u%d[take(i%d[h], %d), w]", p, p, h),
                          arena_printf(m->a, "%s[h + w]", random_table(m, h + w)),
                          "index(c + 2*h - w)"};
    const char *index = random_index(m, leaf, COUNT_OF(leaf));
    add_param(m, arena_printf(m->a, "in x%d : %s[c%d h%d w%d], in u%d : %s[h%d w%d], in i%d : %s[w%d]", p,
                              random_dtype(m), c, h, w, p, random_dtype(m), h, w, p, random_dtype(m), most));
    const char *load = arena_printf(m->a, "x%d[%s, %s, %s]", p, random_sub(m, "c", c, "e"), random_sub(m, "h", h, "e"),
                                    random_sub(m, "w", w, pick(m, 0, 1) ? "e" : leaf[2]));
    const char *loops = arena_printf(m->a, "for c %d { for h %d { for w %d {", c, h, w);
    if (pick(m, 0, 3) == 0) { /* a sum */
        add_param(m, arena_printf(m->a, "out y%d : f32[h%d w%d]", p, h, w));
        text_add(&m->body,
                 "for h %d { for w %d { y%d[h, w] = 0; for c %d { y%d[h, w] += %s*u%d[h, w] with e = %s; } } }\n", h, w,
                 p, c, p, load, p, index);
        return;
    }
    const char *value = pick(m, 0, 1) ? load : arena_printf(m->a, "%s*%s + e", load, ONE_OF(m, "0.5", "1e3", "1e19"));
    add_param(m, arena_printf(m->a, "out y%d : %s[c%d h%d w%d]", p, random_dtype(m), c, h, w));
    text_add(&m->body, "%s y%d[c, h, w] = %s with e = %s; } } }\n", loops, p, value, index);
}

/* From one element type to another, or within one: then no bit changes. */
static void make_typed(Maker *m) {
    int p = m->piece, h = pick(m, 1, 8), w = pick(m, 1, m->small ? 20 : 70);
    const char *from = random_dtype(m), *to = pick(m, 0, 1) ? from : random_dtype(m);
    const char *leaf[] = {arena_printf(m->a, "x%d[h, w]", p),
                          arena_printf(m->a, "x%d[h, %d - w]", p, w - 1),
                          "-0.5",
                          "3e9",
                          "-1e19",
                          "nan"};
    add_param(m, arena_printf(m->a, "in x%d : %s[h%d w%d], out y%d : %s[w%d h%d]", p, from, h, w, p, to, w, h));
    add_param(m, arena_printf(m->a, "out z%d : %s[h%d w%d]", p, to, h, w));
    text_add(&m->body, "for h %d { for w %d { y%d[w, h] = %s; z%d[h, w] = %s; } }\n", h, w, p, one_of(m, leaf, 2), p,
             pick(m, 0, 1) ? arena_printf(m->a, "y%d[w, h]", p) : random_value(m, leaf, COUNT_OF(leaf), 3));
}

Kernel *random_nest(Arena *a, uint64_t *seed) {
    static void (*const make[])(Maker *) = {make_conv,    make_conv,       make_chain, make_reduction, make_pointwise,
                                            make_softmax, make_recurrence, make_take,  make_take,      make_typed};
    Maker m = {.a = a, .seed = seed, .params.arena = a, .tables.arena = a, .body.arena = a};
    int pieces = pick(&m, 0, 2) ? 1 : pick(&m, 2, 3);
    m.small = pieces > 1;
    for (; m.piece < pieces; m.piece++) make[random_next(seed) % COUNT_OF(make)](&m);
    const char *text =
        arena_printf(a, "kernel random(%s)\n%s{\n%s}\n", text_get(&m.params), text_get(&m.tables), text_get(&m.body));
    Diag d = {0};
    Lexer l;
    lex_open(&l, a, "random", text, &d);
    Kernel *k = kernel_parse(&l);
    if (!k) {
        fprintf(stderr, "%s\n%s\n", d.text, text);
        abort();
    }
    return k;
}

static void random_element(DType t, void *v, int64_t at, uint64_t *seed) {
    uint64_t bits = random_next(seed);
    int64_t small = (int64_t)(bits >> 8) % 45 - 4;
    if (bits % 8 == 0) small = (int64_t)random_next(seed);
    switch (t) {
    case DT_F32: ((float *)v)[at] = random_float(seed); break;
    case DT_I64: ((int64_t *)v)[at] = small; break;
    case DT_I32: ((int32_t *)v)[at] = (int32_t)small; break;
    case DT_U8: ((uint8_t *)v)[at] = (uint8_t)small; break;
    case DT_BOOL: ((uint8_t *)v)[at] = (uint8_t)(bits >> 8 & 1); break;
    }
}

static void fill_halo(const Buf *b, void *v) {
    for (int64_t e = 0; e < type_memory_elements(&b->type); e++) {
        bool inside = true;
        int64_t rest = e;
        for (int i = b->type.rank - 1; i >= 0; rest /= b->type.axis[i--].extent) {
            int64_t at = rest % b->type.axis[i].extent;
            inside &= at >= b->lo[i] && at < b->type.axis[i].extent - b->hi[i];
        }
        if (!inside) ((float *)v)[e] = b->halo;
    }
}

void **random_buffers(const Kernel *k, uint64_t *seed) {
    void **buf = mem_alloc(sizeof *buf * (size_t)k->n_param);
    for (int i = 0; i < k->n_param; i++) {
        buf[i] = mem_alloc(type_bytes(&k->buf[i].type));
        if (k->buf[i].kind != BUF_IN) continue;
        for (int64_t j = 0; j < type_memory_elements(&k->buf[i].type); j++)
            random_element(k->buf[i].type.dtype, buf[i], j, seed);
        fill_halo(&k->buf[i], buf[i]);
    }
    return buf;
}

static double element_value(DType t, const void *v, int64_t at) {
    switch (t) {
    case DT_F32: return (double)((const float *)v)[at];
    case DT_I64: return (double)((const int64_t *)v)[at];
    case DT_I32: return (double)((const int32_t *)v)[at];
    case DT_U8:
    case DT_BOOL: return (double)((const uint8_t *)v)[at];
    }
    return 0;
}

const char *random_buffers_difference(const Kernel *k, void *const *x, void *const *y, double tolerance) {
    for (int i = 0; i < k->n_param; i++) {
        DType t = k->buf[i].type.dtype;
        size_t bytes = dtype_bytes(t);
        for (int64_t j = 0; j < type_memory_elements(&k->buf[i].type); j++) {
            if (memcmp((char *)x[i] + (size_t)j * bytes, (char *)y[i] + (size_t)j * bytes, bytes) == 0) continue;
            double u = element_value(t, x[i], j), v = element_value(t, y[i], j);
            if (t == DT_F32 && isnan(u) && isnan(v)) continue;
            if (t == DT_F32 && tolerance > 0 && fabs(u - v) <= tolerance * (1 + fabs(u))) continue;
            return arena_printf(k->arena, "%s[%lld] is %.17g, not %.17g", k->buf[i].name, (long long)j, v, u);
        }
    }
    return NULL;
}

void random_buffers_free(const Kernel *k, void **buf) {
    for (int i = 0; i < k->n_param; i++) mem_free(buf[i]);
    mem_free(buf);
}
