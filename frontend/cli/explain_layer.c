/* A layer of a network as explain sees it, with its receptive field through all before it. */
#include "frontend/explain_cli.h"

#include "frontend/model.h"
#include "ir/ops/phase.h"

#include <string.h>

enum { FAR = 1 << 30 }; /* receptive fields beyond are told as this: far more than any input has */

typedef struct Field {
    int n;
    ExplainReach v[EXPLAIN_AXES];
} Field;

static int64_t near(int64_t a, int64_t b) {
    int64_t p;
    if (__builtin_mul_overflow(a, b, &p)) return (a < 0) == (b < 0) ? FAR : -FAR;
    return p > FAR ? FAR : p < -FAR ? -FAR : p;
}

static void through(Field *f, const ExplainLayer *l) {
    for (int i = 0; i < f->n && i < l->n; i++) {
        const ExplainAxis *x = &l->axis[i];
        f->v[i].extent += near(x->span - 1, f->v[i].jump);
        f->v[i].begin -= near(x->lo, f->v[i].jump);
        f->v[i].jump = near(f->v[i].jump, x->stride);
    }
}

/* Of a transposed convolution's results each sees every taps-th x, and a stride of them lies between two x. */
static void through_transposed(Field *f, const CONVTRANSPOSE_attr *c) {
    for (int i = 0; i < f->n && i < c->kernel.n; i++) {
        Phases p;
        int64_t first, last, s = c->stride.v[i];
        phases_make(&p, 1, c->kernel.v[i], s, c->dilation.v[i], c->pad.lo[i]); /* result 0 */
        phases_reach(&p, &first, &last);
        int64_t step = 1, most = 1;
        phases_make(&p, s, c->kernel.v[i], s, c->dilation.v[i], c->pad.lo[i]);
        for (int k = 0; k < p.n; k++)
            if (p.v[k].taps > most) most = p.v[k].taps, step = p.v[k].i_step;
        f->v[i].extent += near((most - 1) * step, f->v[i].jump);
        f->v[i].begin += near(first, f->v[i].jump);
        f->v[i].jump = f->v[i].jump / s > 1 ? f->v[i].jump / s : 1;
    }
}

/* Where branches meet, all that any of them sees. */
static void join(Field *f, const Field *g) {
    if (g->n > f->n) {
        *f = *g;
        return;
    }
    for (int i = 0; i < g->n; i++) {
        ExplainReach *to = &f->v[i];
        const ExplainReach *from = &g->v[i];
        int64_t end = to->begin + to->extent, other = from->begin + from->extent;
        if (other > end) end = other;
        if (from->begin < to->begin) to->begin = from->begin;
        if (from->jump > to->jump) to->jump = from->jump;
        to->extent = end - to->begin;
    }
}

static void set_axes(ExplainLayer *l, const Type *x, const Dims *kernel, const Dims *stride, const Dims *dilation,
                     const Pads *pad) {
    Axis axis[MAX_SPATIAL];
    l->in_channels = type_extent(x, 'c');
    l->groups = 1;
    l->n = type_spatial(x, axis);
    for (int i = 0; i < l->n; i++)
        l->axis[i] = (ExplainAxis){.in = axis[i].extent,
                                   .kernel = kernel->v[i],
                                   .stride = stride->v[i],
                                   .dilation = dilation->v[i],
                                   .lo = pad->lo[i],
                                   .hi = pad->hi[i]};
}

/* The word of a pad_mode that is not the default. */
static const char *padded_by(const Node *n, int mode) {
    static const char *const words[] = {"zeros", "reflection", "its edge", "its other end", "a constant"};
    return mode ? words[mode - (n->op == OP_MAXPOOL)] : NULL;
}

/* False when the node is none that explain knows. */
static bool layer_of(const Node *n, ExplainLayer *l) {
    const Type *x = n->n_in ? &n->in[0]->type : NULL;
    *l = (ExplainLayer){0};
    if (n->op == OP_CONV) {
        const CONV_attr *c = &n->attr.CONV;
        set_axes(l, x, &c->kernel, &c->stride, &c->dilation, &c->pad);
        l->op = EXPLAIN_CONV;
        l->out_channels = c->out;
        l->groups = c->groups;
        l->flip = c->flip;
        l->padded_by = padded_by(n, c->pad_mode);
        l->bias = n->n_in == 3;
    } else if (n->op == OP_MAXPOOL) {
        const MAXPOOL_attr *p = &n->attr.MAXPOOL;
        set_axes(l, x, &p->kernel, &p->stride, &p->dilation, &p->pad);
        l->op = EXPLAIN_MAXPOOL;
        l->padded_by = padded_by(n, p->pad_mode);
        l->ceil = p->ceil;
    } else if (n->op == OP_AVGPOOL) {
        const AVGPOOL_attr *p = &n->attr.AVGPOOL;
        set_axes(l, x, &p->kernel, &p->stride, &p->dilation, &p->pad);
        l->op = EXPLAIN_AVGPOOL;
        l->padded_by = padded_by(n, p->pad_mode);
        l->ceil = p->ceil;
        l->count_pad = p->count_pad;
    } else return false;
    return true;
}

/* What reaches over all positions is seen from 0 on. */
static bool sees_all(const Node *n) {
    return n->op == OP_GLOBALAVGPOOL || n->op == OP_GLOBALMAXPOOL || n->op == OP_GLOBALLPPOOL ||
           n->op == OP_ADAPTIVEAVGPOOL || n->op == OP_ADAPTIVEMAXPOOL || n->op == OP_FLATTEN;
}

static bool field_of(const Node *n, Field *of, Diag *d) {
    Field *f = &of[n->id];
    Axis axis[MAX_SPATIAL];
    ExplainLayer l;
    ExplainFault fault;
    if (n->op == OP_INPUT) f->n = type_spatial(&n->type, axis);
    for (int i = 0; i < f->n; i++) f->v[i] = (ExplainReach){1, 1, 0};
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i]->op != OP_WEIGHT) join(f, &of[n->in[i]->id]);
    if (layer_of(n, &l)) {
        if (!explain_layer(&l, &fault, d)) return false;
        through(f, &l);
    } else if (n->op == OP_CONVTRANSPOSE) {
        through_transposed(f, &n->attr.CONVTRANSPOSE);
    } else if (sees_all(n)) {
        int spatial = type_spatial(&n->in[0]->type, axis);
        for (int i = 0; i < f->n && i < spatial; i++) {
            f->v[i].extent += near(axis[i].extent - 1, f->v[i].jump);
            f->v[i].jump = near(f->v[i].jump, axis[i].extent);
        }
    }
    return true;
}

static bool no_layer(const Explain *e, Arena *a, const Graph *g, Diag *d) {
    const char **names = ARENA_ARRAY(a, const char *, g->n_node);
    Text list = {.arena = a};
    ExplainLayer l;
    int n = 0;
    for (int i = 0; i < g->n_node; i++) {
        if (!layer_of(g->node[i], &l)) continue;
        if (n < 12) text_add(&list, "%s%s", n ? ", " : "", g->node[i]->name);
        names[n++] = g->node[i]->name;
    }
    const Node *there = graph_find(g, e->layer);
    if (there && there->op != OP_WEIGHT)
        return diag_fail(d, DIAG_USAGE, "'%.100s' is of op %s; explain knows conv, maxpool and avgpool: %s%s", e->layer,
                         op_table[there->op].name, n ? text_get(&list) : "the network has none", n > 12 ? " …" : "");
    const char *near_name = text_nearest(e->layer, names, (size_t)n);
    if (near_name) return diag_fail(d, DIAG_USAGE, "there is no layer '%.100s', did you mean %s?", e->layer, near_name);
    return diag_fail(d, DIAG_USAGE, "there is no layer '%.100s'; there are %s%s", e->layer,
                     n ? text_get(&list) : "none that explain knows", n > 12 ? " …" : "");
}

bool explain_from_spec(Explain *e, Arena *a, Diag *d) {
    LunetteOptions o = e->o.model;
    if (o.batch < 1) o.batch = 1;
    const Graph *g = model_read_spec(a, e->o.arg, &o, d);
    if (!g) return false;
    const Node *n = graph_find(g, e->layer);
    ExplainFault fault;
    if (n && n->op == OP_CONVTRANSPOSE) {
        e->transposed = n;
        e->name = n->name;
        return true;
    }
    if (!n || !layer_of(n, &e->l)) return no_layer(e, a, g, d);
    Field *of = ARENA_ARRAY(a, Field, g->n_node);
    for (int i = 0; i <= n->id; i++)
        if (g->node[i]->op != OP_WEIGHT && !field_of(g->node[i], of, d)) return false;
    if (!explain_layer(&e->l, &fault, d)) return false;
    for (int i = 0; i < e->l.n; i++) e->l.axis[i].reach = of[n->id].v[i];
    e->name = n->name;
    return true;
}
