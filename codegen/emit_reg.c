/* Register tiles. A tile whose subscripts are all constants after
 * unrolling becomes slots, one stack variable a vector, each read and written whole: LLVM's mem2reg
 * then keeps it in registers, always. The slots follow the chunks of the vec loops over the tile, so that
 * pieces of other sizes (a scalar of a vector) are rare; they are cut out of the slots. Any other
 * tile is plain stack memory. */
#include "codegen/emit_state.h"

static bool var_will_be_known(const Emit *e, int var) {
    Mark mark = e->lift->loop[var].mark;
    return e->k->var[var].extent == 1 || mark == MARK_UNROLL || mark == MARK_VEC;
}

/* What a scan of the tile's accesses finds. */
typedef struct Scan {
    int buf;
    bool constant;   /* all subscripts will be */
    int64_t vectors; /* extent of the vec loop that runs along the memory; 1 if there is none */
    Memo seen;       /* expressions */
} Scan;

static void scan_access(Emit *e, Scan *s, const Affine *sub) {
    const Access *x = lift_access(e->lift, s->buf, sub, true);
    for (int i = 0; i < x->n; i++) {
        int var = x->term[i].var;
        if (!var_will_be_known(e, var)) s->constant = false;
        if (e->lift->loop[var].mark == MARK_VEC && x->term[i].coef == 1 && e->k->var[var].extent > s->vectors)
            s->vectors = e->k->var[var].extent;
    }
}

static void scan_expr(Emit *e, Scan *s, const Expr *x) {
    if (memo_get(&s->seen, x)) return;
    memo_put(e->a, &s->seen, x, (void *)(uintptr_t)x);
    if (x->kind == EXPR_LOAD && x->buf == s->buf) scan_access(e, s, x->sub);
    const Expr *operand[MAX_AXES];
    int n = expr_operands(x, operand);
    for (int i = 0; i < n; i++) scan_expr(e, s, operand[i]);
}

static void scan_stmts(Emit *e, Scan *s, const Stmt *list) {
    for (; list; list = list->next) {
        switch (list->kind) {
        case STMT_FOR:
        case STMT_ALLOC: scan_stmts(e, s, list->body); break;
        case STMT_PREFETCH: break;
        case STMT_STORE:
            if (list->buf == s->buf) scan_access(e, s, list->sub);
            scan_expr(e, s, list->value);
            break;
        }
    }
}

static LLVMValueRef stack_variable(Emit *e, LLVMTypeRef type) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, e->entry_end);
    LLVMValueRef v = LLVMBuildAlloca(e->b, type, "");
    LLVMPositionBuilderAtEnd(e->b, here);
    return v;
}

/* Slots along the memory: runs of `run` elements, each cut as a vec loop of that extent is. */
static void make_slots(Emit *e, BufNow *r, int64_t elements, int64_t run) {
    r->slot = ARENA_ARRAY(e->a, Slot, elements);
    r->slot_of = ARENA_ARRAY(e->a, int, elements);
    for (int at = 0; at < elements;) {
        int64_t left = run - at % run;
        int lanes = target_lanes(e->t);
        while (lanes > left) lanes /= 2;
        r->slot[r->n_slot] = (Slot){stack_variable(e, emit_type(e, e->f32, lanes)), at, lanes};
        for (int i = 0; i < lanes; i++) r->slot_of[at + i] = r->n_slot;
        r->n_slot++;
        at += lanes;
    }
}

static bool make_memory(Emit *e, BufNow *r, const Buf *buf, int64_t elements) {
    e->stack_bytes += 4 * elements;
    if (elements > STACK_BYTES / 4 || e->stack_bytes > STACK_BYTES)
        return diag_fail(e->d, DIAG_UNSUPPORTED, "kernel %s: buffer %s: more than %d KB on the stack", e->k->name,
                         buf->name, STACK_BYTES >> 10);
    r->base = stack_variable(e, LLVMArrayType2(e->f32, (uint64_t)elements));
    LLVMSetAlignment(r->base, 64);
    return true;
}

bool emit_alloc(Emit *e, const Stmt *alloc) {
    BufNow *r = &e->buf[alloc->buf];
    const Buf *buf = &e->k->buf[alloc->buf];
    int64_t elements = type_memory_elements(&buf->type);
    if (r->ready) return true; /* another life of it, or an unrolled copy: one is over before the next begins */
    r->ready = true;
    Scan s = {alloc->buf, elements <= STACK_BYTES / 4, 1, {0}};
    scan_stmts(e, &s, e->k->body); /* all its lives */
    if (!s.constant) return make_memory(e, r, buf, elements);
    int64_t row = buf->type.rank ? buf->type.axis[buf->type.rank - 1].extent : 1;
    make_slots(e, r, elements, s.vectors <= 1 || row % s.vectors == 0 ? s.vectors : row);
    return true;
}

static LLVMValueRef lane_const(const Emit *e, int64_t lane) { return LLVMConstInt(e->i32, (uint64_t)lane, false); }

static LLVMValueRef slot_load(Emit *e, const Slot *s) {
    return LLVMBuildLoad2(e->b, emit_type(e, e->f32, s->lanes), s->memory, "");
}

static LLVMValueRef element_load(Emit *e, const BufNow *r, int64_t at) {
    const Slot *s = &r->slot[r->slot_of[at]];
    LLVMValueRef v = slot_load(e, s);
    return s->lanes == 1 ? v : LLVMBuildExtractElement(e->b, v, lane_const(e, at - s->start), "");
}

static void element_store(Emit *e, const BufNow *r, int64_t at, LLVMValueRef x) {
    const Slot *s = &r->slot[r->slot_of[at]];
    if (s->lanes > 1) x = LLVMBuildInsertElement(e->b, slot_load(e, s), x, lane_const(e, at - s->start), "");
    LLVMBuildStore(e->b, x, s->memory);
}

LLVMValueRef reg_load(Emit *e, BufNow *r, int64_t at, int64_t coef) {
    const Slot *s = &r->slot[r->slot_of[at]];
    if (e->lanes == 1) return element_load(e, r, at);
    if (coef == 0) return emit_splat(e, element_load(e, r, at));
    if (coef == 1 && s->start == at && s->lanes == e->lanes) return slot_load(e, s);
    LLVMValueRef v = LLVMGetPoison(emit_type(e, e->f32, e->lanes));
    for (int i = 0; i < e->lanes; i++)
        v = LLVMBuildInsertElement(e->b, v, element_load(e, r, at + i * coef), lane_const(e, i), "");
    return v;
}

void reg_store(Emit *e, BufNow *r, int64_t at, int64_t coef, LLVMValueRef v) {
    const Slot *s = &r->slot[r->slot_of[at]];
    if (e->lanes == 1) {
        element_store(e, r, at, v);
        return;
    }
    if (coef == 1 && s->start == at && s->lanes == e->lanes) {
        LLVMBuildStore(e->b, v, s->memory);
        return;
    }
    for (int i = 0; i < e->lanes; i++)
        element_store(e, r, at + i * coef, LLVMBuildExtractElement(e->b, v, lane_const(e, i), ""));
}
