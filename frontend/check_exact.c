/* Data on which most ops are exact: small integers, and batch norms that fold without rounding.
 *
 * float32 holds every integer below 2^24, so sums of products that stay below are the same in any
 * order. A scale γ/√(v + ε) is exact in double when v + ε is exactly the square of q·2^k with q = 1 or
 * 1.5: v is chosen as that square − ε where float32 holds the difference, and γ = an integer · q · 2^k.
 * Where a tail saturates (tanh, sigmoid, relu6) the integers are scaled by a power of two, so that the
 * sums come to lie where the function still moves; products and sums stay exact. */
#include "frontend/check_part.h"
#include "frontend/indices.h"

#include <math.h>
#include <string.h>

enum {
    WEIGHT_MOST = 4,   /* |weights| of convolutions and dense layers … */
    FOLDED_MOST = 8,   /* … once a batch norm has doubled them */
    OFFSET_MOST = 2,   /* biases, means, shifts */
    MOVED_MOST = 1000, /* inputs: wide, so that few of them are alike */
    CURVED_MOST = 8,   /* … of functions that saturate */
    EXACT_BITS = 24,
    WEIGHT_ALIGN = 8, /* bytes */
};

/* ---- weights ---------------------------------------------------------------------------------- */

static int64_t fan_in(const Node *weight) { return type_elements(&weight->type) / type_extent(&weight->type, 'o'); }

/* The sums of a layer this wide would pass 2^24: smaller weights. */
static int64_t amplitude(int64_t terms) {
    return terms * WEIGHT_MOST * FOLDED_MOST < (int64_t)1 << (EXACT_BITS - 1) ? WEIGHT_MOST : 1;
}

static void fill_integers(uint64_t seed, const char *name, int64_t most, float *out, int64_t n) {
    random_fill(seed, name, (float)-most, (float)(most + 1), out, n);
    for (int64_t i = 0; i < n; i++) out[i] = fminf(floorf(out[i]), (float)most);
}

/* [a b …]: neighbours along a and along b differ at the first element of what follows, odd from even, so
 * that swapping them cannot go unnoticed by chance. */
static void make_distinct(float *v, int64_t a, int64_t b, int64_t inner, int64_t most) {
    for (int64_t i = 0; i < a * b; i++) {
        float *x = &v[i * inner];
        bool odd = (i / b + i % b) % 2, is_odd = fmodf(*x, 2) != 0;
        if (odd != is_odd) *x += *x < (float)most ? 1 : -1;
    }
}

static void fill_tensor(uint64_t seed, const char *name, const Type *plain, int64_t most, float *out) {
    int64_t n = type_elements(plain), a = plain->rank > 0 ? plain->axis[0].extent : 1;
    int64_t b = plain->rank > 1 ? plain->axis[1].extent : 1;
    if (n == 0) return;
    fill_integers(seed, name, most, out, n);
    make_distinct(out, a, b, n / (a * b), most);
}

/* q·2^k and the variance whose sum with eps is its square. */
static double exact_deviation(double eps, float *variance) {
    for (int k = -24; k <= 24; k++)
        for (double q = 1; q < 2; q += 0.5) {
            double square = ldexp(q * q, 2 * k);
            *variance = (float)(square - eps);
            if (square > eps && *variance > 0 && (double)*variance + eps == square) return ldexp(q, k);
        }
    *variance = 1;
    return 1; /* eps is no float32 of 0 … 1: cannot be */
}

/* γ = 1 or 2 in size, either sign, times the deviation. */
static void fill_scale(uint64_t seed, const char *name, double deviation, float *out, int64_t n) {
    random_fill(seed, name, 0, 4, out, n);
    for (int64_t i = 0; i < n; i++) {
        int which = (int)out[i];
        out[i] = (float)(deviation * (which & 1 ? 2 : 1) * (which & 2 ? -1 : 1));
    }
}

static void fill_batchnorm(uint64_t seed, const Node *bn, int place, const Node *w, float *out) {
    int64_t n = type_elements(&w->type);
    float variance;
    double deviation = exact_deviation((double)bn->attr.BATCHNORM.eps, &variance);
    if (place == 1) fill_scale(seed, w->name, deviation, out, n);
    else if (place == 4)
        for (int64_t i = 0; i < n; i++) out[i] = variance;
    else fill_integers(seed, w->name, OFFSET_MOST, out, n);
}

static void fill_weight(const LunetteModel *m, uint64_t seed, const Node *w, void *out) {
    const Graph *g = m->written;
    const Node *user = NULL;
    int place = 0;
    if (w->type.dtype != DT_F32) {
        random_weight(m, seed, w, out);
        return;
    }
    for (int i = 0; i < g->n_node && !user; i++)
        for (int j = 0; j < g->node[i]->n_in; j++)
            if (g->node[i]->in[j] == w) {
                user = g->node[i];
                place = j;
                break;
            }
    if (user && user->op == OP_BATCHNORM) fill_batchnorm(seed, user, place, w, out);
    else fill_tensor(seed, w->name, &w->type, w->type.rank > 1 ? amplitude(fan_in(w)) : OFFSET_MOST, out);
}

bool check_exact_weights(LunetteModel *m, uint64_t seed, Diag *d) {
    const Graph *g = m->written;
    size_t all = WEIGHT_ALIGN;
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->op == OP_WEIGHT) all += type_bytes(&g->node[i]->type) + WEIGHT_ALIGN;
    char *at = m->weight_block = mem_alloc(all);
    if (!at) return diag_fail(d, DIAG_MACHINE, "no memory for %zu bytes of weights", all);
    for (int i = 0; i < g->n_node; i++) {
        if (g->node[i]->op != OP_WEIGHT) continue;
        fill_weight(m, seed, g->node[i], at);
        m->weight[i] = at;
        at += (type_bytes(&g->node[i]->type) + WEIGHT_ALIGN - 1) / WEIGHT_ALIGN * WEIGHT_ALIGN;
    }
    return true;
}

/* ---- inputs ----------------------------------------------------------------------------------- */

static const Group *step_group(const StepCheck *s) { return &s->c->m->context.groups.v[s->step]; }

static bool is_pow2(double x) {
    int e;
    return frexp(fabs(x), &e) == 0.5;
}

/* How far from 0 the op still moves; 0 where it does everywhere. */
static double saturates(const Node *n) {
    static const Op near[] = {OP_TANH, OP_SIGMOID, OP_ERF, OP_SOFTSIGN};
    static const Op far[] = {OP_RELU6, OP_CLIP,           OP_EXP,  OP_ELU,       OP_SELU,        OP_CELU,
                             OP_GELU,  OP_GELUTANH,       OP_SILU, OP_HARDSWISH, OP_HARDSIGMOID, OP_SOFTPLUS,
                             OP_MISH,  OP_THRESHOLDEDRELU, OP_POW};
    for (size_t i = 0; i < COUNT_OF(near); i++)
        if (n->op == near[i]) return 1;
    for (size_t i = 0; i < COUNT_OF(far); i++)
        if (n->op == far[i]) return 4;
    return 0;
}

/* Functions with a pole or an end at 0 get numbers above it. */
static bool wants_positive(const Group *g) {
    bool wants = false;
    for (int i = 0; i < group_size(g); i++) {
        Op op = group_node(g, i)->op;
        wants |= op == OP_LOG || op == OP_SQRT || op == OP_DIV || op == OP_POW ||
                 op == OP_REDUCELOGSUM || op == OP_REDUCEPROD;
    }
    return wants;
}

static int64_t window_terms(const Node *n) {
    NodeWindow w;
    int64_t terms = 1;
    if (!node_window(n, &w)) return type_elements(&n->in[0]->type) / type_elements(&n->type);
    for (int i = 0; i < w.kernel.n; i++) terms *= w.kernel.v[i];
    return terms;
}

/* How many products a matmul or gemm adds up; 0: it is none, or scales them. */
static int64_t product_terms(const Node *n) {
    bool trans = false, scales = false;
    if (n->op == OP_MATMUL) trans = n->attr.MATMUL.trans_x;
    else if (n->op == OP_GEMM) trans = n->attr.GEMM.trans_a, scales = n->attr.GEMM.alpha != 1 || n->attr.GEMM.beta != 1;
    else if (n->op == OP_PANELPRODUCT)
        trans = n->attr.PANELPRODUCT.trans_x, scales = n->attr.PANELPRODUCT.alpha != 1 || n->attr.PANELPRODUCT.beta != 1;
    else return 0;
    const Type *x = &n->in[0]->type;
    return scales ? 0 : x->axis[trans && x->rank > 1 ? x->rank - 2 : x->rank - 1].extent;
}

/* Numbers k·2^-shift, |k| ≤ most. */
typedef struct Numbers {
    int64_t most;
    int shift;
} Numbers;

static bool is_layer(const Node *n) { return n->op == OP_CONV || n->op == OP_CONVTRANSPOSE || n->op == OP_DENSE; }

/* The node of the group whose sums are largest. */
static const Node *main_node(const Group *g) {
    const Node *n = g->anchor;
    for (int i = 0; i < group_size(g) && !is_layer(n); i++)
        if (is_layer(group_node(g, i))) n = group_node(g, i);
    return n;
}

static Numbers numbers_for(const StepCheck *s) {
    const Group *g = step_group(s);
    const Node *n = main_node(g);
    double reach = 0;
    for (int i = 0; i < group_size(g); i++) reach = fmax(reach, saturates(group_node(g, i)));
    if (is_layer(n)) {
        int64_t terms = fan_in(n->in[1]), most = ((int64_t)1 << (EXACT_BITS - 1)) / (terms * FOLDED_MOST);
        most = most < 1 ? 1 : most > MOVED_MOST ? MOVED_MOST : most;
        /* k products of numbers up to a and b add up to about a·b·√k / 2, which 2^-shift brings to the reach */
        double size = (double)(most * amplitude(terms)) * sqrt((double)terms) / 2;
        return (Numbers){most, reach > 0 && size > reach ? (int)ceil(log2(size / reach)) : 0};
    }
    if (n->op == OP_CAST && n->type.dtype == DT_BOOL) return (Numbers){1, 0};
    if (n->op == OP_CAST && n->type.dtype == DT_U8) return (Numbers){UINT8_MAX, 0};
    if (product_terms(n)) { /* both sides up to `most`, a weight up to WEIGHT_MOST */
        double most = floor(sqrt(ldexp(1, EXACT_BITS - 1) / (double)product_terms(n)));
        return (Numbers){most < 1 ? 1 : most > MOVED_MOST ? MOVED_MOST : (int64_t)most, 0};
    }
    if (n->op == OP_REDUCEPROD) return (Numbers){3, 1}; /* about 1, so that products of many stay in range */
    bool softmax = n->op == OP_SOFTMAX || n->op == OP_LOGSOFTMAX;
    if (reach > 0 || softmax) return (Numbers){CURVED_MOST, softmax ? 0 : 1};
    if (n->op == OP_AVGPOOL || n->op == OP_GLOBALAVGPOOL) {
        int64_t most = ((int64_t)1 << (EXACT_BITS - 1)) / window_terms(n);
        return (Numbers){most < 1 ? 1 : most > MOVED_MOST ? MOVED_MOST : most, 0};
    }
    return (Numbers){MOVED_MOST, 0};
}

/* The node of the group that takes the input as index. */
static const Node *index_taker(const StepCheck *s, const Node *input) {
    const Node *n = step_group(s)->anchor;
    bool takes = (n->op == OP_GATHER || n->op == OP_MAXUNPOOL) && n->in[1] == input && n->in[0] != input;
    return takes ? n : NULL;
}

/* For gather places one after the other, from somewhere on. */
static void fill_indices(const Node *user, uint64_t seed, float *v, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t draw = (uint64_t)i + seed % 1000;
        if (user->op == OP_MAXUNPOOL) draw = draw * 0x9e3779b97f4a7c15u >> 40; /* not the same in each plane */
        v[i] = (float)index_draw(user, i, draw);
    }
}

static void fill_numbers(const StepCheck *s, const Node *input, Numbers numbers, float *v) {
    Type plain = type_plain(&input->type);
    int64_t n = type_elements(&plain);
    uint64_t seed = s->c->o->seed ^ (uint64_t)(s->step + 1);
    /* One written value in two layouts has the same numbers in both. */
    const char *name = input->origin ? input->origin->name : input->name;
    const Node *user = index_taker(s, input);
    if (user) {
        fill_indices(user, seed, v, n);
        return;
    }
    if (plain.dtype == DT_BOOL) numbers = (Numbers){1, 0};
    if (plain.dtype == DT_U8) numbers = (Numbers){UINT8_MAX, 0};
    fill_tensor(seed, name, &plain, numbers.most, v);
    bool positive = wants_positive(step_group(s)), small = plain.dtype == DT_U8 || plain.dtype == DT_BOOL;
    for (int64_t i = 0; i < n; i++) {
        if (positive || small) v[i] = fabsf(v[i]) + (small ? 0 : 1);
        v[i] = ldexpf(v[i], -numbers.shift);
    }
}

void exact_input(const StepCheck *s, const Node *input, void *out) {
    const Type *t = &input->type;
    Numbers numbers = numbers_for(s);
    int64_t n = type_elements(t), memory = type_memory_elements(t);
    int64_t *at = ARENA_ARRAY(s->arena, int64_t, n);
    float *v = ARENA_ARRAY(s->arena, float, n);
    if (t->dtype != DT_F32) numbers.shift = 0;
    fill_numbers(s, input, numbers, v);
    type_offsets(t, at);
    for (int64_t i = 0; i < memory; i++) dtype_put(t->dtype, out, i, (double)t->halo);
    for (int64_t i = 0; i < n; i++) dtype_put(t->dtype, out, at[i], (double)v[i]);
    if (s->c->o->tamper) s->c->o->tamper(s->c->o->ctx, s->step, NULL, out, memory);
}

/* ---- which ops are exact ------------------------------------------------------------------------ */

/* A mean over a power of two of elements is exact; a border that counts fewer is no such number. */
static bool mean_exact(const Node *n) {
    if (!is_pow2((double)window_terms(n))) return false;
    if (n->op == OP_GLOBALAVGPOOL || (n->attr.AVGPOOL.count_pad && !n->attr.AVGPOOL.ceil)) return true;
    for (int i = 0; i < n->attr.AVGPOOL.pad.n; i++)
        if (n->attr.AVGPOOL.pad.lo[i] || n->attr.AVGPOOL.pad.hi[i]) return false;
    return !n->attr.AVGPOOL.ceil;
}

/* A formula that only adds, subtracts, compares and chooses. */
static bool formula_exact(const char *formula) {
    for (const char *p = formula; *p; p++) {
        if (*p == '*' || *p == '/') return false;
        size_t name = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789");
        static const char *const exact[] = {"max", "min", "abs", "neg", "select"};
        bool known = p[name] != '(';
        for (size_t i = 0; i < COUNT_OF(exact); i++) known |= strlen(exact[i]) == name && memcmp(exact[i], p, name) == 0;
        if (name && !known) return false;
        if (name) p += name - 1;
    }
    return true;
}

static bool sums_exact(const Node *n, Numbers numbers) {
    int64_t terms = fan_in(n->in[1]);
    /* offsets count in units of 2^-shift */
    double most = (double)terms * (double)numbers.most * 2 * (double)amplitude(terms) +
                  ldexp(4 * OFFSET_MOST * OFFSET_MOST, numbers.shift);
    return most < ldexp(1, EXACT_BITS);
}

static bool op_exact(const Node *n, Numbers numbers) {
    const OpInfo *op = &op_table[n->op];
    if (n->op == OP_CONV || n->op == OP_CONVTRANSPOSE || n->op == OP_DENSE) return sums_exact(n, numbers);
    if (n->op == OP_AVGPOOL || n->op == OP_GLOBALAVGPOOL) return mean_exact(n);
    if (product_terms(n)) {
        double terms = (double)product_terms(n), most = (double)(numbers.most > WEIGHT_MOST ? numbers.most : WEIGHT_MOST);
        return terms * most * (double)numbers.most + most < ldexp(1, EXACT_BITS);
    }
    if (n->op == OP_LEAKYRELU) return n->attr.LEAKYRELU.alpha == 0 || is_pow2((double)n->attr.LEAKYRELU.alpha);
    return op->flags & OPF_EXACT || (op->formula && formula_exact(op->formula));
}

/* Whether constant `wanted` is of the weights' integers: made of them by moving alone, or by folding. */
static bool constant_exact(const StepCheck *s, const Node *wanted) {
    const Graph *g = s->c->m->graph;
    bool *exact = ARENA_ARRAY(s->arena, bool, wanted->id + 1);
    for (int i = 0; i <= wanted->id; i++) {
        const Node *n = g->node[i];
        unsigned flags = op_table[n->op].flags;
        if (!graph_is_constant(n)) continue;
        exact[i] = flags & (OPF_EXACT | OPF_CONSTANT);
        if (n->op == OP_CONSTANT) exact[i] = n->attr.CONSTANT.value == rintf(n->attr.CONSTANT.value);
        for (int j = 0; j < n->n_in; j++) exact[i] &= exact[n->in[j]->id];
    }
    return exact[wanted->id];
}

bool exact_kernel(const StepCheck *s) {
    const Group *g = step_group(s);
    Numbers numbers = numbers_for(s);
    bool exact = true;
    int layers = 0; /* numbers are for the sums of one */
    for (int i = 0; i < group_size(g) && exact; i++) {
        exact = op_exact(group_node(g, i), numbers);
        layers += is_layer(group_node(g, i));
    }
    exact &= layers <= 1;
    for (int i = 0; i < s->n_in && exact; i++)
        exact = !graph_is_constant(s->arg[i]) || s->arg[i]->op == OP_WEIGHT || constant_exact(s, s->arg[i]);
    return exact;
}
