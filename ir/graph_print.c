/* The text form of a graph; graph_parse.c reads it back to the same graph. */
#include "ir/graph.h"

#include <ctype.h>
#include <string.h>

/* A string as the lexer reads it. It cannot hold control characters: they become '?'. */
static void print_string(Text *t, const char *s, size_t n) {
    text_add(t, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\') text_add(t, "\\%c", c);
        else text_add(t, "%c", iscntrl(c) ? '?' : c);
    }
    text_add(t, "\"");
}

/* One string a line: the parser joins them by newlines. */
static void print_schedule(Text *t, const char *s) {
    text_add(t, " by");
    for (;;) {
        size_t n = strcspn(s, "\n");
        text_add(t, " ");
        print_string(t, s, n);
        if (s[n] == '\0') return;
        s += n + 1;
    }
}

static void print_node(Text *t, const Node *n) {
    text_add(t, "    %s: %s(", n->name, op_table[n->op].name);
    for (int i = 0; i < n->n_in; i++) text_add(t, "%s%s", i ? ", " : "", n->in[i]->name);
    text_add(t, ")");
    attr_print(t, n->op, &n->attr);
    if (n->schedule) print_schedule(t, n->schedule);
    text_add(t, " : ");
    type_print(t, &n->type);
    if (n->loc.file || n->loc.line) {
        const char *file = n->loc.file ? n->loc.file : "";
        text_add(t, " @ ");
        print_string(t, file, strlen(file));
        text_add(t, ":%d", n->loc.line);
    }
    if (n->home) text_add(t, " # in %s from %c%lld", n->home->name, n->type.axis[n->home_axis].letter, (long long)n->home_from);
    text_add(t, "\n");
}

void graph_print(Text *t, const Graph *g) {
    text_add(t, "graph ");
    if (graph_is_name(g->name)) text_add(t, "%s", g->name);
    else print_string(t, g->name, strlen(g->name));
    text_add(t, " {\n");
    for (int i = 0; i < g->n_node; i++) print_node(t, g->node[i]);
    for (int i = 0; i < g->n_out; i++)
        text_add(t, "%s %s = %s", i ? "," : "    return", g->out[i].name, g->out[i].node->name);
    text_add(t, "%s}\n", g->n_out ? "\n" : "");
}

const char *graph_text(Arena *a, const Graph *g) {
    Text t = {.arena = a};
    graph_print(&t, g);
    return text_get(&t);
}
