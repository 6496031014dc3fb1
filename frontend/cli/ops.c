/* lunette ops: the op table. */
#include "frontend/cli/cli.h"

#include "ir/graph.h"

#include <string.h>

static const char *type_word(AttrType t) {
    switch (t) {
    case ATTR_INT: return "integer";
    case ATTR_FLOAT: return "number";
    case ATTR_BOOL: return "boolean";
    case ATTR_DIMS: return "one an axis";
    case ATTR_PADS: return "one a side";
    case ATTR_INTS: return "integers";
    case ATTR_FLOATS: return "numbers";
    case ATTR_ENUM: return "word";
    }
    return "";
}

/* A default below the range says that the attribute must be given. */
static bool is_required(const AttrInfo *at) { return at->def < at->lo; }

static bool attr_is_list(const AttrInfo *at) { return at->type == ATTR_INTS || at->type == ATTR_FLOATS; }

static json_t *attr_json(const AttrInfo *at) {
    json_t *def = is_required(at) || attr_is_list(at) ? json_null()
                  : at->type == ATTR_BOOL                  ? json_boolean(at->def != 0)
                                                           : json_number(at->def);
    json_t *words = at->words ? json_text(at->words) : json_null();
    return json_pack("{ss ss si so sf sf so ss}", "name", at->name, "type", type_word(at->type), "position", at->position,
                     "default", def, "lo", at->lo, "hi", at->hi, "words", words, "doc", at->doc);
}

static json_t *op_json(const OpInfo *op) {
    json_t *attrs = json_array();
    for (int i = 0; i < op->n_attr; i++) json_push(&attrs, attr_json(&op->attr[i]));
    return json_pack("{ss ss ss so so}", "name", op->name, "inputs", op->inputs, "doc", op->doc, "formula",
                     op->formula ? json_text(op->formula) : json_null(), "attributes", attrs);
}

static void attr_range(TextTable *t, Arena *a, const AttrInfo *at) {
    if (is_required(at)) table_cell(t, "must be given");
    else if (at->type == ATTR_BOOL) table_cell(t, "default %s", at->def != 0 ? "true" : "false");
    else if (at->type == ATTR_ENUM) table_cell(t, "default %s", attr_word(a, at, (int)at->def));
    else if (attr_is_list(at)) table_cell(t, "%s", "");
    else table_cell(t, "default %g", at->def);
    if (at->type == ATTR_BOOL) table_cell(t, "%s", "");
    else if (at->type == ATTR_ENUM) table_cell(t, "%s", at->words);
    else table_cell(t, "%.8g to %.8g", at->lo, at->hi);
}

static void attr_rows(TextTable *t, Arena *a, const OpInfo *op) {
    for (int i = 0; i < op->n_attr; i++) {
        const AttrInfo *at = &op->attr[i];
        table_cell(t, "    %s", at->name);
        table_cell(t, "%s", type_word(at->type));
        attr_range(t, a, at);
        table_cell(t, "%s", at->doc);
    }
}

static void print_op(Arena *a, const OpInfo *op) {
    printf("%s(%s)  %s\n", op->name, op->inputs, op->doc);
    TextTable t;
    table_open(&t, a, "lllll");
    attr_rows(&t, a, op);
    table_print(&t, stdout);
}

/* What a spec may not say is left out of the list, but can be asked for by name: it stands in dumps. */
static bool is_listed(const OpInfo *op) { return !(op->flags & OPF_INTERNAL) && op != &op_table[OP_WEIGHT]; }

static int unknown_op(const char *name) {
    const char *names[OP_COUNT];
    for (int i = 0; i < OP_COUNT; i++) names[i] = op_table[i].name;
    const char *near = text_nearest(name, names, OP_COUNT);
    cli_say("there is no op '%s'%s%s%s", name, near ? ", did you mean " : "; lunette ops lists them", near ? near : "",
            near ? "?" : "");
    return DIAG_USAGE;
}

static int show_ops(Arena *a, void *ctx) {
    const CliOptions *o = ctx;
    int only = o->arg ? op_find(o->arg) : -1;
    if (o->arg && only < 0) return unknown_op(o->arg);
    json_t *list = o->json ? json_array() : NULL;
    for (int i = 0; i < OP_COUNT; i++) {
        if (only >= 0 ? i != only : !is_listed(&op_table[i])) continue;
        if (o->json) json_push(&list, op_json(&op_table[i]));
        else print_op(a, &op_table[i]);
    }
    return o->json ? json_show(list) : 0;
}

int cli_ops(int argc, char **argv) {
    static const CliSyntax syntax = {
        .name = "ops",
        .args = "[NAME]",
        .doc = "Lists the operations with their inputs (? optional, * any number) and attributes, or one of them.",
        .shared = CLI_JSON,
    };
    CliOptions o = {0};
    if (!cli_parse(&syntax, argc, argv, &o, NULL)) return o.exit;
    int code = cli_with_arena(show_ops, &o);
    cli_close(&o);
    return code;
}
