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

/* max(x, 0)/d, rounded up */
static LLVMValueRef emit_steps(Emit *e, LLVMValueRef x, int64_t d) {
    LLVMValueRef zero = emit_int64(e, 0);
    x = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, x, zero, ""), x, zero, "");
    return d == 1 ? x : LLVMBuildUDiv(e->b, LLVMBuildNSWAdd(e->b, x, emit_int64(e, d - 1), ""), emit_int64(e, d), "");
}

/* The iterations that a condition lets through are a range: lo <= c*v + rest < hi. */
static void emit_range(Emit *e, const Stmt *s, LLVMValueRef *first, LLVMValueRef *end) {
    const Guard *g = s->guard;
    int64_t c = affine_coef(&g->form, s->var);
    Affine outside = affine_subst(e->a, g->form, s->var, affine_const(0));
    LLVMValueRef rest = emit_affine(e, &outside), lo = emit_int64(e, g->lo), hi = emit_int64(e, g->hi);
    if (c > 0) {
        *first = emit_steps(e, LLVMBuildNSWSub(e->b, lo, rest, ""), c);
        *end = emit_steps(e, LLVMBuildNSWSub(e->b, hi, rest, ""), c);
    } else { /* rest − hi < |c|*v <= rest − lo */
        LLVMValueRef next = LLVMBuildNSWAdd(e->b, rest, emit_int64(e, 1), "");
        *first = emit_steps(e, LLVMBuildNSWSub(e->b, next, hi, ""), -c);
        *end = emit_steps(e, LLVMBuildNSWSub(e->b, next, lo, ""), -c);
    }
    LLVMValueRef all = emit_int64(e, e->k->var[s->var].extent);
    *end = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, *end, all, ""), *end, all, "");
}

static bool has_rolled(const Emit *e, const Stmt *list) {
    for (; list; list = list->next) {
        bool rolled = list->kind == STMT_FOR && list->mark == MARK_FOR && e->k->var[list->var].extent > 1;
        if (rolled || has_rolled(e, list->body)) return true;
    }
    return false;
}

static bool emit_rolled(Emit *e, const Stmt *s, int64_t extent) {
    if (e->depth + 1 >= MAX_TERMS)
        return diag_fail(e->d, DIAG_UNSUPPORTED, "kernel %s: more than %d nested loops", e->k->name, MAX_TERMS);
    LLVMBasicBlockRef head = LLVMAppendBasicBlockInContext(e->ctx, e->fn, "");
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(e->ctx, e->fn, "");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->ctx, e->fn, "");
    LLVMValueRef first = emit_int64(e, 0), end = emit_int64(e, extent);
    if (s->guard) {
        emit_range(e, s, &first, &end);
        LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, first, end, ""), head, after);
    } else {
        LLVMBuildBr(e->b, head);
    }
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderAtEnd(e->b, head);
    LLVMValueRef phi = LLVMBuildPhi(e->b, e->i64, e->k->var[s->var].name);
    VarNow *var = &e->var[s->var];
    var->known = false;
    var->outer = has_rolled(e, s->body);
    var->v = phi;
    var->ready = LLVMBuildBr(e->b, body);
    var->depth = ++e->depth;
    LLVMPositionBuilderAtEnd(e->b, body);
    if (!emit_stmts(e, s->body)) return false;
    e->depth--;
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->b);
    LLVMValueRef next = LLVMBuildNUWAdd(e->b, phi, LLVMConstInt(e->i64, 1, false), "");
    LLVMSetNSW(next, true);
    LLVMValueRef more = LLVMBuildICmp(e->b, LLVMIntULT, next, end, "");
    LLVMBuildCondBr(e->b, more, head, after);
    LLVMValueRef value[] = {first, next};
    LLVMBasicBlockRef from[] = {before, latch};
    LLVMAddIncoming(phi, value, from, 2);
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
    case MARK_PAR: return emit_rolled(e, s, extent); /* the par loops that are tasks are not seen here */
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
