/* Reads the text form of a graph. Every node goes through graph_op, so a text gets the same checks
 * as a spec; what the text says of types is checked against the answer. */
#include "ir/graph.h"

#include <limits.h>
#include <string.h>

typedef struct Line { /* one node, as read */
    const char *name;
    Op op;
    Node **in;    int n_in, cap_in;
    AttrAny attr;
    const char *schedule;
    Type type;
    SrcLoc loc;
    int at; /* line of the text */
} Line;

static bool parse_op(Lexer *l, Line *line) {
    const char *name;
    if (!lex_name(l, &name)) return false;
    int op = op_find(name);
    if (op >= 0) {
        line->op = (Op)op;
        attr_defaults(line->op, &line->attr);
        return true;
    }
    const char *names[OP_COUNT];
    for (int i = 0; i < OP_COUNT; i++) names[i] = op_table[i].name;
    const char *near = text_nearest(name, names, OP_COUNT);
    return near ? lex_fail(l, "there is no op '%s'; did you mean '%s'?", name, near)
                : lex_fail(l, "there is no op '%s'", name);
}

static bool parse_inputs(Lexer *l, const Graph *g, Line *line) {
    if (!lex_want(l, "(")) return false;
    while (!lex_is(l, ")")) {
        const char *name;
        if (line->n_in && !lex_want(l, ",")) return false;
        if (!lex_name(l, &name)) return false;
        Node *n = graph_find(g, name);
        if (!n) return lex_fail(l, "no node '%s' before this one", name);
        ARENA_PUSH(l->arena, line->in, line->n_in, line->cap_in, n);
    }
    return lex_want(l, ")");
}

static const AttrInfo *parse_attr_name(Lexer *l, Op op) {
    const OpInfo *o = &op_table[op];
    const char *name, *names[32];
    if (!lex_name(l, &name)) return NULL;
    for (int i = 0; i < o->n_attr; i++)
        if (strcmp(o->attr[i].name, name) == 0) return &o->attr[i];
    int n = 0;
    for (; n < o->n_attr && n < (int)COUNT_OF(names); n++) names[n] = o->attr[n].name;
    const char *near = text_nearest(name, names, (size_t)n);
    if (near) lex_fail(l, "%s has no attribute '%s'; did you mean '%s'?", o->name, name, near);
    else lex_fail(l, "%s has no attribute '%s'", o->name, name);
    return NULL;
}

static bool parse_attr(Lexer *l, Line *line) {
    const AttrInfo *info = parse_attr_name(l, line->op);
    double v[MAX_INTS] = {0};
    int n = 0;
    Diag d = {0};
    const char *word;
    if (!info || !lex_want(l, "=")) return false;
    if (info->type == ATTR_ENUM)
        return lex_name(l, &word) && (attr_set_text(line->op, info, &line->attr, word, &d) ||
                                      lex_fail(l, "%s: %s", op_table[line->op].name, d.text));
    if (lex_take(l, "[")) {
        while (!l->failed && !lex_is(l, "]")) {
            if (n == (int)COUNT_OF(v)) return lex_fail(l, "%s: more than %d numbers", info->name, n);
            if (!lex_number(l, &v[n++])) return false;
        }
        if (!lex_want(l, "]")) return false;
    } else if (!lex_number(l, &v[n++])) {
        return false;
    }
    return attr_set(line->op, info, &line->attr, v, n, &d) || lex_fail(l, "%s: %s", op_table[line->op].name, d.text);
}

static bool parse_string(Lexer *l, const char **out) {
    if (l->failed) return false;
    if (l->kind != TOK_STRING) return lex_fail(l, "a string expected, '%.80s' found", l->text);
    *out = l->text;
    lex_next(l);
    return true;
}

/* by "one" "two": the lines of the schedule. */
static bool parse_schedule(Lexer *l, const char **out) {
    if (!lex_take(l, "by")) return true;
    Text t = {.arena = l->arena};
    const char *line = "", *between = "";
    do {
        if (!parse_string(l, &line)) return false;
        text_add(&t, "%s%s", between, line);
        between = "\n";
    } while (!l->failed && l->kind == TOK_STRING);
    *out = text_get(&t);
    return true;
}

static bool parse_loc(Lexer *l, SrcLoc *loc) {
    int64_t line;
    if (!lex_take(l, "@")) return true;
    if (!parse_string(l, &loc->file) || !lex_want(l, ":") || !lex_int(l, 0, INT_MAX, &line)) return false;
    if (loc->file[0] == '\0') loc->file = NULL;
    loc->line = (int)line;
    return true;
}

/* The text may give the type another layout than the plain one that `shape` answers. */
static bool node_retype(Lexer *l, Node *n, const Line *line) {
    Type plain = type_plain(&n->type);
    Diag d = {0};
    n->type = line->type;
    return graph_check_layout(&line->type, &plain, &d) ||
           diag_fail(l->diag, DIAG_SPEC, "%s:%d: %s: %s", l->file, line->at, op_table[n->op].name, d.text);
}

static bool line_build(Lexer *l, Graph *g, const Line *line) {
    SrcLoc at = {l->file, line->at};
    Node *n = NULL;
    if (op_table[line->op].flags & OPF_SOURCE) {
        if (line->n_in)
            return diag_fail(l->diag, DIAG_SPEC, "%s:%d: %s has no inputs", l->file, line->at, op_table[line->op].name);
        n = line->op == OP_INPUT ? graph_input(g, line->name, at, &line->type, l->diag)
                                 : graph_weight(g, line->name, at, &line->type, l->diag);
    } else {
        n = graph_op(g, line->op, line->name, at, line->in, line->n_in, &line->attr, l->diag);
    }
    if (!n || !node_retype(l, n, line)) return false;
    n->loc = line->loc;
    n->schedule = line->schedule;
    return true;
}

static bool parse_node(Lexer *l, Graph *g, Line *line) {
    if (!parse_op(l, line) || !parse_inputs(l, g, line)) return false;
    while (!l->failed && !lex_is(l, ":") && !lex_is(l, "by"))
        if (!parse_attr(l, line)) return false;
    if (!parse_schedule(l, &line->schedule) || !lex_want(l, ":") || !type_parse(l, &line->type) ||
        !parse_loc(l, &line->loc))
        return false;
    if (!line_build(l, g, line)) l->failed = true;
    return !l->failed;
}

static bool parse_outputs(Lexer *l, Graph *g) {
    do {
        const char *name, *of;
        if (!lex_name(l, &name) || !lex_want(l, "=") || !lex_name(l, &of)) return false;
        Node *n = graph_find(g, of);
        if (!n) return lex_fail(l, "no node '%s'", of);
        Diag d = {0};
        if (!graph_output(g, name, n, &d)) return lex_fail(l, "%s", d.text);
    } while (lex_take(l, ","));
    return true;
}

/* Nodes, then "return …", which a node named `return` does not end. */
static bool parse_body(Lexer *l, Graph *g) {
    while (!l->failed && !lex_is(l, "}")) {
        Line line = {.at = l->line};
        if (!lex_name(l, &line.name)) return false;
        if (lex_take(l, ":")) {
            if (!parse_node(l, g, &line)) return false;
        } else if (strcmp(line.name, "return") == 0) {
            return parse_outputs(l, g);
        } else {
            return lex_want(l, ":");
        }
    }
    return !l->failed;
}

Graph *graph_parse(Lexer *l) {
    const char *name = "";
    if (!lex_want(l, "graph")) return NULL;
    if (l->kind == TOK_STRING ? !parse_string(l, &name) : !lex_name(l, &name)) return NULL;
    Graph *g = graph_new(l->arena, name);
    return lex_want(l, "{") && parse_body(l, g) && lex_want(l, "}") ? g : NULL;
}
