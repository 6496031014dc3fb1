/* The passes over a graph, in the order they run. They work in place on a copy of the graph as
 * written, and cannot fail: what they cannot improve they leave. Each has its contract at the head
 * of its file: ir/graph/NAME.c. */
#ifndef LUNETTE_IR_PASSES_H
#define LUNETTE_IR_PASSES_H

#include "ir/graph.h"
#include "ir/lower.h"
#include "ir/target.h"

typedef struct PassContext {
    const Target *target;
    GroupList groups; /* set by fuse */
} PassContext;

typedef struct Pass {
    const char *name;
    char letter; /* of `lunette dump -d` */
    void (*run)(Graph *g, PassContext *c);
} Pass;

extern const Pass pass_table[];
extern const int pass_count;

void pass_fold(Graph *g, PassContext *c);
void pass_expand(Graph *g, PassContext *c);
void pass_layout(Graph *g, PassContext *c);
void pass_place(Graph *g, PassContext *c);
void pass_fuse(Graph *g, PassContext *c);

/* ir/graph/place.c. home[i]: the concat in whose memory node i could lie if their layouts agree, NULL if none. The graph is in
 * any layout; nodes have their ids. */
Node **graph_find_homes(Graph *g);
/* A concat whose inputs all lie in its place: no kernel is needed. */
bool graph_is_placed(const Node *concat);

/* ir/graph/fuse_source.c, a part of fuse: groups become sources of others. */
void fuse_sources(Graph *g, PassContext *c);

/* ir/graph/panels.c, a part of layout. */
void graph_cut_panels(Graph *g);

#endif
