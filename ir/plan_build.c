#include "ir/plan_build.h"

#include "ir/plan_over.h"
#include "ir/plan_stride.h"

#include <string.h>

/* ---- what a kernel reads and writes ------------------------------------------------------------- */

static void add_box(Arena *a, const Kernel *k, const Access *x, PlanArg *arg) {
    Box b = {{0}, {0}};
    for (int i = 0; i < arg->rank; i++) {
        access_range(k, x, i, &b.lo[i], &b.hi[i]);
        if (x->take && x->take[i].index) b.hi[i] += x->take[i].limit - 1;
    }
    Box *list = x->write ? arg->written : arg->read;
    int n = x->write ? arg->n_written : arg->n_read;
    for (int i = 0; i < n; i++)
        if (memcmp(&list[i], &b, sizeof b) == 0) return;
    if (x->write) ARENA_PUSH(a, arg->written, arg->n_written, arg->cap_written, b);
    else ARENA_PUSH(a, arg->read, arg->n_read, arg->cap_read, b);
}

/* A condition that cuts the values of one axis and nothing else. */
static bool cuts_axis(Arena *a, const Kernel *k, const Access *x, const Guard *g) {
    for (int i = 0; i < k->buf[x->buf].type.rank; i++) {
        Affine rest = affine_add(a, x->sub[i], affine_scale(a, g->form, -1));
        if (rest.n == 0) return true;
    }
    return false;
}

/* A store certainly writes its whole box when each axis takes every value, no loop moves two axes, and conditions only make
 * the box smaller. */
static bool writes_box(Arena *a, const Kernel *k, const Access *x) {
    for (const Conditions *c = x->conditions; c; c = c->outer)
        if (!cuts_axis(a, k, x, c->guard)) return false;
    bool *used = ARENA_ARRAY(a, bool, k->n_var);
    for (int i = 0; i < k->buf[x->buf].type.rank; i++) {
        if (affine_dense(k, &x->sub[i]) == 0) return false;
        for (int j = 0; j < x->sub[i].n; j++) {
            if (used[x->sub[i].term[j].var]) return false;
            used[x->sub[i].term[j].var] = true;
        }
    }
    return true;
}

/* A kernel may see plain memory as one axis: then it reads perhaps all of it, and certainly writes all if it writes the whole
 * axis. */
static void widen_boxes(PlanArg *arg, const Buf *buf, const Type *type) {
    Box all = {{0}, {0}};
    arg->rank = type->rank;
    for (int i = 0; i < type->rank; i++)
        all.hi[i] = (int64_t)type->axis[i].extent + type->axis[i].lo + type->axis[i].hi - 1;
    bool whole = false;
    for (int i = 0; i < arg->n_written; i++)
        whole |= arg->written[i].lo[0] == 0 && arg->written[i].hi[0] == buf->type.axis[0].extent - 1;
    if (arg->n_read) arg->read[0] = all, arg->n_read = 1;
    if (arg->n_written) arg->written[0] = all, arg->n_written = whole;
}

/* From the plain nest, where a whole result is one box; the schedule changes the order, not the elements. */
static PlanKernel kernel_facts(Arena *a, const Lowered *lowered, const Kernel *scheduled) {
    const Kernel *k = lowered->kernel;
    PlanKernel f = {.tasks = kernel_tasks(scheduled),
                    .scratch = kernel_scratch(scheduled, NULL),
                    .n_arg = k->n_param,
                    .arg = ARENA_ARRAY(a, PlanArg, k->n_param)};
    AccessList list = {0};
    accesses_collect(a, k->body, -1, &list);
    for (int i = 0; i < k->n_param; i++) {
        f.arg[i].rank = k->buf[i].type.rank;
        f.arg[i].is_over = scheduled->buf[i].is_over;
        f.arg[i].over = scheduled->buf[i].over;
    }
    for (int i = 0; i < list.n; i++) {
        const Access *x = &list.v[i];
        if (x->buf >= k->n_param) continue;
        /* what it reads of its own result it has set before: the loop level's concern */
        if (!x->write && k->buf[x->buf].kind == BUF_OUT) continue;
        if (x->write && (x->stmt->op != STORE_SET || !writes_box(a, k, x))) continue;
        add_box(a, k, x, &f.arg[x->buf]);
    }
    for (int i = 0; i < k->n_param; i++) {
        Box together;
        PlanArg *arg = &f.arg[i];
        if (k->buf[i].kind == BUF_OUT && strided_cover(a, k, &list, i, &together))
            ARENA_PUSH(a, arg->written, arg->n_written, arg->cap_written, together);
    }
    for (int i = 0; i < k->n_param; i++)
        if (k->buf[i].type.rank != lowered->arg[i]->type.rank)
            widen_boxes(&f.arg[i], &k->buf[i], &lowered->arg[i]->type);
    return f;
}

/* A parameter seen with fewer axes does not tell in the kernel's text what it is. */
static bool views_equal(const Kernel *k, const Lowered *x, const Lowered *y) {
    for (int i = 0; i < k->n_param; i++) {
        const Type *s = &x->arg[i]->type, *t = &y->arg[i]->type;
        bool seen_whole = k->buf[i].type.rank == s->rank && k->buf[i].type.rank == t->rank;
        if (!seen_whole && !type_equal(s, t)) return false;
    }
    return true;
}

/* ---- buffers ------------------------------------------------------------------------------------ */

typedef struct Build {
    Arena *a;
    Plan *p;
    const Graph *g;
    const Node **node; /* behind each buffer */
    int cap;
} Build;

static int port_of(const Build *b, const Node *n, bool output) {
    if (output) {
        for (int i = 0; i < b->g->n_out; i++)
            if (b->g->out[i].node == n) return i;
        return -1;
    }
    for (int i = 0; i < b->p->n_input; i++)
        if (n->op == OP_INPUT && strcmp(b->p->input[i].name, n->name) == 0) return i;
    return -1;
}

static int buf_of(Build *b, const Node *n) {
    for (int i = 0; i < b->p->n_buf; i++)
        if (b->node[i] == n) return i;
    PlanBuf buf = {.name = n->name, .type = n->type, .place = PLACE_ARENA};
    if (n->home) {
        buf.is_part = true;
        buf.whole = buf_of(b, n->home);
        buf.axis = n->home_axis;
        buf.from = n->home_from;
        buf.place = b->p->buf[buf.whole].place;
    }
    int in = port_of(b, n, false), out = port_of(b, n, true);
    if (graph_is_constant(n)) buf.place = PLACE_WEIGHTS;
    else if (in >= 0) buf.place = PLACE_INPUT, buf.at = in;
    else if (out >= 0 && !n->home) buf.place = PLACE_OUTPUT, buf.at = out;
    int count = b->p->n_buf;
    ARENA_PUSH(b->a, b->node, count, b->cap, n);
    ARENA_PUSH(b->a, b->p->buf, b->p->n_buf, b->p->cap_buf, buf);
    return b->p->n_buf - 1;
}

static void add_ports(Build *b) {
    for (int i = 0; i < b->g->n_node; i++) {
        const Node *n = b->g->node[i];
        PlanPort port = {n->name, n->type};
        if (n->op == OP_INPUT) ARENA_PUSH(b->a, b->p->input, b->p->n_input, b->p->cap_input, port);
    }
    for (int i = 0; i < b->g->n_out; i++) {
        PlanPort port = {b->g->out[i].name, b->g->out[i].node->type};
        ARENA_PUSH(b->a, b->p->output, b->p->n_output, b->p->cap_output, port);
    }
}

/* The result goes where an operand is that ends here, if the kernel is made for that. */
static void lay_over(const Build *b, const PlanStep *s, const Kernel *k, const Lowered *lowered, int n, int step) {
    PlanBuf *y = &b->p->buf[s->buf[s->n_arg - 1]];
    const Buf *out = &k->buf[s->n_arg - 1];
    y->is_over = out->is_over && plan_may_lie_over(b->g, lowered, n, step, out->over);
    if (y->is_over) y->over = s->buf[out->over];
}

Plan *plan_build(Arena *a, const Graph *g, const Lowered *lowered, const Kernel *const *scheduled, int n,
                 const Node ***buf_node, const int **kernel_of) {
    Plan *p = ARENA_NEW(a, Plan);
    p->arena = a;
    p->name = g->name;
    Build b = {.a = a, .p = p, .g = g};
    int *kernel = ARENA_ARRAY(a, int, n);
    const char **text = ARENA_ARRAY(a, const char *, n);
    add_ports(&b);
    for (int i = 0; i < n; i++) {
        kernel[i] = -1;
        text[i] = kernel_nameless_text(a, scheduled[i]);
        for (int j = 0; j < i && kernel[i] < 0; j++)
            if (strcmp(text[i], text[j]) == 0 && views_equal(scheduled[i], &lowered[i], &lowered[j]))
                kernel[i] = kernel[j];
        if (kernel[i] < 0) {
            kernel[i] = p->n_kernel;
            PlanKernel facts = kernel_facts(a, &lowered[i], scheduled[i]);
            ARENA_PUSH(a, p->kernel, p->n_kernel, p->cap_kernel, facts);
        }
        PlanStep s = {lowered[i].kernel->name, kernel[i], lowered[i].kernel->n_param,
                      ARENA_ARRAY(a, int, lowered[i].kernel->n_param)};
        for (int j = 0; j < s.n_arg; j++) s.buf[j] = buf_of(&b, lowered[i].arg[j]);
        lay_over(&b, &s, scheduled[i], lowered, n, i);
        ARENA_PUSH(a, p->step, p->n_step, p->cap_step, s);
    }
    plan_place(p);
    *buf_node = b.node;
    *kernel_of = kernel;
    return p;
}
