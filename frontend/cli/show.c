/* lunette show: the layers as written, and what the plan takes. */
#include "frontend/cli/cli.h"

#include "frontend/cli/facts.h"
#include "frontend/model.h"

#include <string.h>

enum { LINE_WIDTH = 118 };

typedef struct Show {
    CliOptions o;
    LunetteModel *model;
    const Reach *reach;
    int64_t params, macs, bytes; /* totals */
} Show;

static bool is_layer(const Node *n) { return n->op != OP_WEIGHT; }

/* "[1 6 28 28]", "i64[1 5]" */
static const char *shape_of(Arena *a, const Type *t) {
    Text s = {.arena = a};
    text_add(&s, "%s[", t->dtype == DT_F32 ? "" : dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) text_add(&s, "%s%d", i ? " " : "", t->axis[i].extent);
    text_add(&s, "]");
    return text_get(&s);
}

static const char *reach_of(Arena *a, const Reach *r) {
    Text s = {.arena = a};
    for (int i = 0; i < r->n; i++) text_add(&s, "%s%lld", i ? "x" : "", (long long)r->extent[i]);
    return r->n ? text_get(&s) : "-";
}

static void add_totals(Show *s, Arena *a) {
    const Graph *g = s->model->written;
    s->params = graph_params(a, g);
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (is_layer(n)) s->bytes += (int64_t)type_bytes(&n->type);
        s->macs += node_macs(n);
    }
}

static void print_layers(Show *s, Arena *a) {
    const Graph *g = s->model->written;
    TextTable t;
    table_open(&t, a, "lllrrlr");
    table_row(&t, "layer|op|output|parameters|multiply-adds|receptive field|bytes");
    for (int i = 0; i < g->n_node; i++) {
        const Node *n = g->node[i];
        if (!is_layer(n)) continue;
        table_cell(&t, "%s", n->name);
        table_cell(&t, "%s", op_table[n->op].name);
        table_cell(&t, "%s", shape_of(a, &n->type));
        table_cell(&t, "%lld", (long long)node_params(n));
        table_cell(&t, "%lld", (long long)node_macs(n));
        table_cell(&t, "%s", reach_of(a, &s->reach[i]));
        table_cell(&t, "%zu", type_bytes(&n->type));
    }
    table_row(&t, "total||");
    t.n -= t.columns - 3;
    table_cell(&t, "%lld", (long long)s->params);
    table_cell(&t, "%lld", (long long)s->macs);
    table_cell(&t, "%s", "");
    table_cell(&t, "%lld", (long long)s->bytes);
    table_print(&t, stdout);
}

/* "3 results lie over an operand: relu_2 over relu_1, …", in lines */
static void print_over(const Plan *p) {
    int n = 0, line;
    for (int i = 0; i < p->n_buf; i++) n += p->buf[i].is_over;
    if (n == 0) return;
    line = printf("%d result%s in the memory of an operand:", n, n == 1 ? " lies" : "s lie");
    for (int i = 0; i < p->n_buf; i++) {
        const PlanBuf *b = &p->buf[i];
        if (!b->is_over) continue;
        const char *over = p->buf[b->over].name;
        int room = (int)(strlen(b->name) + strlen(over)) + 8;
        if (line + room > LINE_WIDTH) line = printf("\n   ") - 1;
        line += printf(" %s over %s%s", b->name, over, --n ? "," : "\n");
    }
}

static int show_text(Show *s, Arena *a) {
    const Plan *p = s->model->plan;
    print_layers(s, a);
    printf("\n%d kernels for %s; activations %lld bytes in an arena of %lld (%lld live at once at most); packed "
           "weights %lld bytes%s\n",
           p->n_step, s->model->target.cpu, (long long)s->bytes, (long long)p->arena_bytes, (long long)p->live_bytes,
           (long long)p->weight_bytes,
           p->scratch_bytes ? arena_printf(a, "; scratch %lld bytes a thread", (long long)p->scratch_bytes) : "");
    print_over(p);
    return 0;
}

static json_t *layer_json(const Show *s, const Node *n) {
    json_t *shape = json_array(), *reach = json_array();
    const Reach *r = &s->reach[n->id];
    for (int i = 0; i < n->type.rank; i++) json_push(&shape, json_integer(n->type.axis[i].extent));
    for (int i = 0; i < r->n; i++) json_push(&reach, json_integer(r->extent[i]));
    return json_pack("{ss ss ss so sI sI so sI}", "name", n->name, "op", op_table[n->op].name, "type",
                     dtype_name(n->type.dtype), "shape", shape, "parameters", (json_int_t)node_params(n), "macs",
                     (json_int_t)node_macs(n), "receptive_field", reach, "bytes", (json_int_t)type_bytes(&n->type));
}

static int show_json(Show *s) {
    const Graph *g = s->model->written;
    const Plan *p = s->model->plan;
    json_t *layers = json_array(), *over = json_array();
    for (int i = 0; i < p->n_buf; i++)
        if (p->buf[i].is_over)
            json_push(&over, json_pack("{so so}", "result", json_text(p->buf[i].name), "operand",
                                       json_text(p->buf[p->buf[i].over].name)));
    for (int i = 0; i < g->n_node; i++)
        if (is_layer(g->node[i])) json_push(&layers, layer_json(s, g->node[i]));
    return json_show(json_pack(
        "{so so sI sI sI ss si sI sI sI sI so}", "spec", json_text(s->o.arg), "layers", layers, "parameters",
        (json_int_t)s->params, "macs", (json_int_t)s->macs, "bytes", (json_int_t)s->bytes, "cpu", s->model->target.cpu,
        "kernels", p->n_step, "arena_bytes", (json_int_t)p->arena_bytes, "live_bytes", (json_int_t)p->live_bytes,
        "weight_bytes", (json_int_t)p->weight_bytes, "scratch_bytes", (json_int_t)p->scratch_bytes, "in_place", over));
}

static int show_body(Arena *a, void *ctx) {
    Show *s = ctx;
    progress_begin("reading the network", 0);
    s->model = model_load(s->o.arg, &s->o.model, NULL, NULL, &s->o.diag);
    progress_end();
    if (!s->model) return cli_fail(&s->o.diag);
    cli_notes(s->model);
    s->reach = graph_reach(a, s->model->written);
    add_totals(s, a);
    return s->o.json ? show_json(s) : show_text(s, a);
}

int cli_show(int argc, char **argv) {
    static const CliSyntax syntax = {
        .name = "show",
        .args = "SPEC",
        .doc =
            "Lists the layers of the network SPEC: output shape, parameters, multiply-adds, how much of the input one "
            "output depends on, bytes of the output; and the memory that the compiled network takes. Needs no weights.",
        .shared = CLI_MODEL | CLI_JSON,
    };
    Show s = {0};
    if (!cli_parse(&syntax, argc, argv, &s.o, NULL)) return s.o.exit;
    int code = cli_with_arena(show_body, &s);
    model_close(s.model);
    cli_close(&s.o);
    return code;
}
