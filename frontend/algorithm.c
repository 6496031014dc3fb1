#include "frontend/algorithm.h"

#include "ir/ops/im2col.h"
#include "ir/ops/winograd.h"

/* Where a matrix would be too large, or there are no tiles, a convolution stays direct. */
static void choose(Node *n, LunetteAlgorithm wanted, LunetteAccuracy accuracy) {
    int32_t *algorithm = &n->attr.CONV.algorithm;
    Type matrix;
    Dims tile;
    Diag no = {0};
    switch (wanted) {
    case LUNETTE_AUTO:
        if (accuracy == LUNETTE_ACCURACY_DEFAULT && wino_pays(n)) *algorithm = CONV_WINOGRAD;
        break;
    case LUNETTE_DIRECT: break;
    case LUNETTE_IM2COL:
        if (im2col_type(&matrix, &n->in[0]->type, &n->attr.CONV.kernel, &n->type, &no)) *algorithm = CONV_IM2COL;
        break;
    case LUNETTE_WINOGRAD:
        if (wino_fits(n, &tile)) *algorithm = CONV_WINOGRAD;
        break;
    }
}

void choose_algorithms(Graph *g, LunetteAlgorithm wanted, LunetteAccuracy accuracy) {
    for (int i = 0; i < g->n_node; i++)
        if (g->node[i]->op == OP_CONV && g->node[i]->attr.CONV.algorithm == 0) choose(g->node[i], wanted, accuracy);
}

const char *algorithm_text(Arena *a, const Group *group) {
    for (int i = 0; i < group_size(group); i++) {
        const Node *n = group_node(group, i);
        if (n->op == OP_WINOPRODUCT) n = n->in[0];
        if (n->op != OP_WINOINPUT) continue;
        Text t = {.arena = a};
        const Dims *list[] = {&n->attr.WINOINPUT.tile, &n->attr.WINOINPUT.kernel};
        text_add(&t, "Winograd F(");
        for (int k = 0; k < 2; k++)
            for (int j = 0; j < list[k]->n; j++) text_add(&t, "%s%d", j ? "×" : k ? ", " : "", list[k]->v[j]);
        text_add(&t, ")");
        return text_get(&t);
    }
    return NULL;
}
