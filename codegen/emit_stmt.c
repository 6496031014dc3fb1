/* Statements. The marks of loops are acted on here and nowhere else. */
#include "codegen/emit_state.h"

bool emit_stmts(Emit *e, const Stmt *list) {
    for (; list; list = list->next)
        if (!emit_stmt(e, list)) return false;
    return true;
}

static bool emit_assign(Emit *e, const Stmt *s) {
    if (++e->instances > MAX_INSTANCES)
        return diag_fail(e->d, DIAG_UNSUPPORTED, "kernel %s: more than %d stores after unrolling", e->k->name,
                         MAX_INSTANCES);
    memo_clear(&e->values);
    memo_clear(&e->scalars);
    DType dtype = e->k->buf[s->buf].type.dtype;
    LLVMValueRef v = NULL;
    const Expr *x = s->value;
    bool product = x->kind == EXPR_CALL && x->fn == FN_MUL;
    switch (s->op) {
    case STORE_SET:
        v = stmt_moves(e->k, s) ? emit_load(e, x->buf, x->sub, x->take) : emit_to(e, dtype, emit_expr(e, x));
        break;
    case STORE_ADD:
        if (product) {
            LLVMValueRef a = emit_expr(e, x->arg[0]), b = emit_expr(e, x->arg[1]);
            v = emit_fma(e, a, b, emit_load(e, s->buf, s->sub, NULL));
        } else {
            v = emit_expr(e, x);
            v = LLVMBuildFAdd(e->b, emit_load(e, s->buf, s->sub, NULL), v, "");
        }
        break;
    case STORE_MAX:
        v = emit_expr(e, x);
        v = emit_max(e, emit_load(e, s->buf, s->sub, NULL), v);
        break;
    }
    emit_store(e, s->buf, s->sub, v);
    return true;
}

static LLVMValueRef emit_int64(Emit *e, int64_t v) { return LLVMConstInt(e->i64, (uint64_t)v, true); }

/* The iterations of a loop: v = first … end−1, as i64. */
typedef struct Range {
    LLVMValueRef first, end;
} Range;

/* The pointers move on, at the end of the body. `entry` is the branch into the loop. */
static void close_steps(Emit *e, const VarNow *var, const Range *r, LLVMValueRef entry) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b), from[] = {LLVMGetInstructionParent(entry), here};
    for (int i = 0; i < var->n_step; i++) {
        const Step *s = &var->step[i];
        LLVMValueRef by = s->by, next = LLVMBuildGEP2(e->b, s->element, s->phi, &by, 1, ""), base = s->base;
        if (!LLVMIsAConstantInt(r->first)) {
            LLVMPositionBuilderBefore(e->b, entry);
            LLVMValueRef skip = LLVMBuildNSWMul(e->b, r->first, by, "");
            base = LLVMBuildGEP2(e->b, s->element, base, &skip, 1, "");
            LLVMPositionBuilderAtEnd(e->b, here);
        }
        LLVMValueRef value[] = {base, next};
        LLVMAddIncoming(s->phi, value, from, 2);
    }
}

/* Whether there are more iterations. A variable that only counts counts down: that takes no register for the end
 * and, as "is not 0", no comparison. Where all operands are vectors from memory it is compared: without, LLVM loads
 * them so early that a strided depthwise window spills in its inner loop. */
static LLVMValueRef close_count(Emit *e, LLVMValueRef phi, const Range *r, LLVMValueRef entry, bool scalars) {
    LLVMValueRef zero = emit_int64(e, 0), one = emit_int64(e, 1), count = r->end;
    bool down = !LLVMGetFirstUse(phi);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b), from[] = {LLVMGetInstructionParent(entry), here};
    LLVMValueRef next = down ? LLVMBuildNSWSub(e->b, phi, one, "") : LLVMBuildNSWAdd(e->b, phi, one, "");
    if (down && !LLVMIsAConstantInt(r->first)) {
        LLVMPositionBuilderBefore(e->b, entry);
        count = LLVMBuildNSWSub(e->b, r->end, r->first, "");
        LLVMPositionBuilderAtEnd(e->b, here);
    }
    LLVMValueRef value[] = {down ? count : r->first, next};
    LLVMAddIncoming(phi, value, from, 2);
    if (!down) return LLVMBuildICmp(e->b, LLVMIntSLT, next, r->end, "");
    return LLVMBuildICmp(e->b, scalars ? LLVMIntNE : LLVMIntSGT, next, zero, "");
}

/* max(x, 0)/d, rounded up */
static LLVMValueRef emit_steps(Emit *e, LLVMValueRef x, int64_t d) {
    LLVMValueRef zero = emit_int64(e, 0);
    x = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, x, zero, ""), x, zero, "");
    return d == 1 ? x : LLVMBuildUDiv(e->b, LLVMBuildNSWAdd(e->b, x, emit_int64(e, d - 1), ""), emit_int64(e, d), "");
}

/* The iterations that a condition lets through are a range: lo <= c*v + rest < hi. */
static Range emit_range(Emit *e, const LiftLoop *loop) {
    int64_t c = loop->guard_coef;
    LLVMValueRef rest = emit_affine(e, loop->guard), lo = emit_arg(e, loop->guard_lo), hi = emit_arg(e, loop->guard_hi);
    LLVMValueRef all = loop->extent < 0 ? emit_int64(e, 1) : emit_arg(e, loop->extent);
    Range r;
    if (c > 0) {
        r.first = emit_steps(e, LLVMBuildNSWSub(e->b, lo, rest, ""), c);
        r.end = emit_steps(e, LLVMBuildNSWSub(e->b, hi, rest, ""), c);
    } else { /* rest − hi < |c|*v <= rest − lo */
        LLVMValueRef next = LLVMBuildNSWAdd(e->b, rest, emit_int64(e, 1), "");
        r.first = emit_steps(e, LLVMBuildNSWSub(e->b, next, hi, ""), -c);
        r.end = emit_steps(e, LLVMBuildNSWSub(e->b, next, lo, ""), -c);
    }
    r.end = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, r.end, all, ""), r.end, all, "");
    return r;
}

static bool has_rolled(const Emit *e, const Stmt *list) {
    for (; list; list = list->next) {
        bool rolled = list->kind == STMT_FOR && list->mark == MARK_FOR && e->k->var[list->var].extent > 1;
        if (rolled || has_rolled(e, list->body)) return true;
    }
    return false;
}

static bool emit_rolled(Emit *e, const Stmt *s) {
    if (e->depth + 1 >= MAX_TERMS)
        return diag_fail(e->d, DIAG_UNSUPPORTED, "kernel %s: more than %d nested loops", e->k->name, MAX_TERMS);
    LLVMBasicBlockRef head = LLVMAppendBasicBlockInContext(e->ctx, e->fn, "");
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(e->ctx, e->fn, "");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->ctx, e->fn, "");
    const LiftLoop *loop = &e->lift->loop[s->var];
    Range r = s->guard ? emit_range(e, loop) : (Range){emit_int64(e, 0), emit_arg(e, loop->extent)};
    LLVMValueRef some = s->guard ? LLVMBuildICmp(e->b, LLVMIntSLT, r.first, r.end, "") : NULL;
    LLVMValueRef entry = some ? LLVMBuildCondBr(e->b, some, head, after) : LLVMBuildBr(e->b, head);
    LLVMPositionBuilderAtEnd(e->b, head);
    LLVMValueRef phi = LLVMBuildPhi(e->b, e->i64, e->k->var[s->var].name);
    VarNow *var = &e->var[s->var];
    *var = (VarNow){.v = phi, .rolled = true, .innermost = !has_rolled(e, s->body), .entry = entry};
    var->ready = LLVMBuildBr(e->b, body);
    e->depth++;
    int scalar_loads = e->scalar_loads;
    LLVMPositionBuilderAtEnd(e->b, body);
    if (!emit_stmts(e, s->body)) return false;
    e->depth--;
    LLVMMoveBasicBlockAfter(after, LLVMGetLastBasicBlock(e->fn));
    close_steps(e, var, &r, entry);
    LLVMValueRef more = close_count(e, phi, &r, entry, e->scalar_loads > scalar_loads);
    LLVMBuildCondBr(e->b, more, head, after);
    LLVMPositionBuilderAtEnd(e->b, after);
    return true;
}

static bool emit_known(Emit *e, const Stmt *s, int64_t value) {
    e->var[s->var].known = true;
    e->var[s->var].value = value;
    return emit_stmts(e, s->body);
}

static bool emit_unrolled(Emit *e, const Stmt *s, int64_t extent) {
    for (int64_t i = 0; i < extent; i++)
        if (!emit_known(e, s, i)) return false;
    return true;
}

/* The vec loop in chunks of a power of two lanes, at most a register each: 48 is 16 16 16, 6 is 4 2.
 * No two of its iterations touch the same element, so a chunk may run its statements one by one. */
static bool emit_vector(Emit *e, const Stmt *s, int64_t extent) {
    int64_t lanes = target_lanes(e->t);
    bool good = true;
    if (e->vec >= 0 || extent > VEC_MOST)
        return diag_fail(e->d, DIAG_INTERNAL, "kernel %s: vec loop %s cannot be vectors", e->k->name,
                         e->k->var[s->var].name);
    e->vec = s->var;
    for (int64_t at = 0; good && at < extent; at += lanes) {
        while (lanes > extent - at) lanes /= 2;
        e->lanes = (int)lanes;
        good = emit_known(e, s, at);
    }
    e->vec = -1;
    e->lanes = 1;
    return good;
}

static bool emit_loop(Emit *e, const Stmt *s) {
    int64_t extent = e->k->var[s->var].extent;
    if (extent == 1 && !s->guard) return emit_known(e, s, 0);
    switch (s->mark) {
    case MARK_FOR:
    case MARK_PAR: return emit_rolled(e, s); /* the par loops that are tasks are not seen here */
    case MARK_UNROLL: return emit_unrolled(e, s, extent);
    case MARK_VEC: return emit_vector(e, s, extent);
    }
    return false;
}

bool emit_stmt(Emit *e, const Stmt *s) {
    switch (s->kind) {
    case STMT_FOR: return emit_loop(e, s);
    case STMT_STORE: return emit_assign(e, s);
    case STMT_ALLOC: return emit_alloc(e, s) && emit_stmts(e, s->body);
    case STMT_PREFETCH: emit_prefetch(e, s->buf, s->sub); return true;
    }
    return false;
}
