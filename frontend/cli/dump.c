/* lunette dump: the text of every stage. Between the texts stand only comments, so a dump of one
 * graph, kernel or plan can be read back. */
#include "frontend/cli/cli.h"

#include "codegen/emit.h"
#include "frontend/model.h"

#include <string.h>

enum { KEY_LAYER = CLI_KEY };

typedef struct Dump {
    CliOptions o;
    const char *letters, *layer;
    LunetteModel *model;
    Arena *arena;
    const char *before; /* the graph's text before the pass */
    Machine *machine;
} Dump;

static const struct {
    char letter;
    const char *doc;
} stages[] = {
    {'w', "the graph as written"},
    {'f', "the graph after fold"},
    {'e', "the graph after expand"},
    {'l', "the graph after layout"},
    {'m', "the graph after place"},
    {'g', "the graph after fuse, and its groups"},
    {'k', "kernels as lowered"},
    {'s', "kernels with their schedules"},
    {'p', "the plan"},
    {'i', "LLVM IR as emitted"},
    {'o', "LLVM IR after the passes"},
    {'a', "assembly"},
};

static const struct argp_option options[] = {
    {"dump", 'd', "LETTERS", 0,
     "Stages (default s): w graph as written, f e l m g after fold, expand, layout, place, fuse, k kernels as lowered, s scheduled, p "
     "plan, "
     "i LLVM IR, o optimized, a assembly",
     0},
    {"layer", KEY_LAYER, "NAME", 0, "Only the kernels of this layer (k s i o a)", 0},
    {0},
};

static bool check_letters(const char *letters, Diag *d) {
    char known[COUNT_OF(stages) + 1] = "";
    for (size_t i = 0; i < COUNT_OF(stages); i++) known[i] = stages[i].letter;
    size_t good = strspn(letters, known);
    if (*letters == '\0') return diag_fail(d, DIAG_USAGE, "-d wants letters: %s (lunette dump --help)", known);
    return letters[good] == '\0' ||
           diag_fail(d, DIAG_USAGE, "-d has no letter '%c', only %s (lunette dump --help)", letters[good], known);
}

static bool dump_option(int key, const char *value, void *own, Diag *d) {
    Dump *u = own;
    if (key == KEY_LAYER) u->layer = value;
    else u->letters = value;
    return key == KEY_LAYER || check_letters(value, d);
}

static bool wanted(const Dump *u, char letter) { return strchr(u->letters, letter) != NULL; }

/* ---- graphs --------------------------------------------------------------------------------------- */

static void print_groups(Arena *a, const GroupList *groups) {
    for (int i = 0; i < groups->n; i++) {
        const Group *g = &groups->v[i];
        Text t = {.arena = a};
        group_print(&t, g);
        printf("# group %s: %s\n", group_result(g)->name, text_get(&t));
    }
}

static void see_graph(void *ctx, const Pass *after, const Graph *g, const PassContext *c) {
    Dump *u = ctx;
    const char *text = graph_text(u->arena, g);
    bool same = u->before && strcmp(text, u->before) == 0;
    u->before = text;
    if (!wanted(u, after ? after->letter : 'w')) return;
    if (!after) printf("# as written\n%s", text);
    else if (same) printf("# after %s: unchanged\n", after->name);
    else printf("# after %s\n%s", after->name, text);
    if (after && after->run == pass_fuse) print_groups(u->arena, &c->groups);
}

/* ---- kernels -------------------------------------------------------------------------------------- */

static bool node_is(const Node *n, const char *name) {
    return strcmp(n->name, name) == 0 || (n->origin && strcmp(n->origin->name, name) == 0);
}

static bool kernel_wanted(const Dump *u, int i) {
    if (!u->layer) return true;
    const Group *g = &u->model->context.groups.v[i];
    bool found = strcmp(u->model->kernel[i].kernel->name, u->layer) == 0;
    for (int k = 0; k < group_size(g); k++) found |= node_is(group_node(g, k), u->layer);
    return found;
}

static bool check_layer(Dump *u, Diag *d) {
    int n = u->model->context.groups.n;
    const char **names = ARENA_ARRAY(u->arena, const char *, n);
    for (int i = 0; i < n; i++) {
        if (kernel_wanted(u, i)) return true;
        names[i] = u->model->kernel[i].kernel->name;
    }
    const char *near = text_nearest(u->layer, names, (size_t)n);
    return diag_fail(d, DIAG_USAGE, "no kernel has a layer '%.100s'%s%s", u->layer,
                     near ? ", did you mean " : "; -d g lists them", near ? near : "");
}

static bool emit(Dump *u, const Kernel *k, EmitOutput kind, Diag *d) {
    void *bytes;
    size_t n;
    if (!u->machine) u->machine = machine_open(&u->model->target, d);
    if (!u->machine || !machine_emit(u->machine, k, k->name, kind, &bytes, &n, d)) return false;
    fwrite(bytes, 1, n, stdout);
    mem_free(bytes);
    return true;
}

static bool dump_kernel(Dump *u, char letter, int i, Diag *d) {
    const ModelKernel *k = &u->model->kernel[i];
    switch (letter) {
    case 'k': printf("%s", kernel_text(u->arena, k->plain.kernel)); return true;
    case 's': printf("# %s\n%s", k->reason, kernel_text(u->arena, k->kernel)); return true;
    case 'i': return emit(u, k->kernel, EMIT_LLVM, d);
    case 'o': return emit(u, k->kernel, EMIT_OPTIMIZED, d);
    case 'a': return emit(u, k->kernel, EMIT_ASSEMBLY, d);
    default: return true;
    }
}

static int dump_body(Arena *a, void *ctx) {
    Dump *u = ctx;
    Diag *d = &u->o.diag;
    u->arena = a;
    u->model = model_load(u->o.arg, &u->o.model, see_graph, u, d);
    if (!u->model || (u->layer && !check_layer(u, d))) return cli_fail(d);
    cli_notes(u->model);
    for (size_t s = 0; s < COUNT_OF(stages); s++) {
        if (!wanted(u, stages[s].letter)) continue;
        if (stages[s].letter == 'p') {
            Text t = {.arena = a};
            plan_print(&t, u->model->plan);
            printf("%s", text_get(&t));
        }
        for (int i = 0; i < u->model->context.groups.n; i++)
            if (kernel_wanted(u, i) && !dump_kernel(u, stages[s].letter, i, d)) return cli_fail(d);
    }
    return 0;
}

int cli_dump(int argc, char **argv) {
    static const CliSyntax syntax = {
        .name = "dump",
        .args = "SPEC",
        .doc = "Prints what the compiler makes of the network SPEC at its stages. A graph in a file named *.graph may "
               "stand wherever a SPEC does.",
        .shared = CLI_MODEL,
        .options = options,
        .option = dump_option,
    };
    Dump u = {.letters = "s"};
    if (!cli_parse(&syntax, argc, argv, &u.o, &u)) return u.o.exit;
    int code = cli_with_arena(dump_body, &u);
    machine_close(u.machine);
    model_close(u.model);
    cli_close(&u.o);
    return code;
}
