/* relayout: the same values elsewhere; and the constant. */
#include "ir/ops/move.h"
#include "ir/ops/ops.h"

bool constant_shape(Node *n, Diag *d) { return type_of_rank(&n->type, DT_F32, 0, NULL, d); }

bool relayout_shape(Node *n, Diag *d) {
    (void)d;
    n->type = shape_in(n, 0);
    return true;
}

/* ---- meaning --------------------------------------------------------------------------------- */

void relayout_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)n;
    move_all(in[0], out);
}

void constant_eval(Arena *a, const Node *n, const RefTensor *const *in, RefTensor *out) {
    (void)a;
    (void)in;
    out->v[0] = (double)n->attr.CONSTANT.value;
    if (out->err) out->err[0] = 0;
}

/* ---- lowering ---------------------------------------------------------------------------------- */

void relayout_lower(Lower *l, const Node *n) {
    Nest nest = {0};
    Index at;
    nest_result(l, &nest, &at);
    lower_emit(l, nest_close(l, &nest, lower_finish(l, &at, lower_read(l, n->in[0], &at))));
}
