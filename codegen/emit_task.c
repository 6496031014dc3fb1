/* The function around the nests: parameters, constants, and the loop over tasks. */
#include "codegen/emit_state.h"

#include <stdio.h>
#include <string.h>

static LLVMMetadataRef md_text(Emit *e, const char *s) { return LLVMMDStringInContext2(e->ctx, s, strlen(s)); }

/* Whether two buffers may have memory in common: a result and the input it is over, scratch of lives one after the other. */
static bool may_share(const Emit *e, const int64_t *scratch, int x, int y) {
    const Buf *b = e->k->buf;
    if (b[x].kind == BUF_REG || b[y].kind == BUF_REG) return false;
    if (b[x].kind == BUF_SCRATCH && b[y].kind == BUF_SCRATCH)
        return scratch[x] < scratch[y] + (int64_t)type_bytes(&b[y].type) &&
               scratch[y] < scratch[x] + (int64_t)type_bytes(&b[x].type);
    return x == y || (b[x].is_over && b[x].over == y) || (b[y].is_over && b[y].over == x);
}

/* One alias scope a memory, scratch too; each access is in its own and outside all others, so that a store to
 * the output does not keep the loads of weights inside the loops. */
static void make_scopes(Emit *e, const int64_t *scratch) {
    int n = e->k->n_buf;
    LLVMMetadataRef name = md_text(e, "lunette.kernel"), *scope = ARENA_ARRAY(e->a, LLVMMetadataRef, n),
                    *others = ARENA_ARRAY(e->a, LLVMMetadataRef, n);
    LLVMMetadataRef domain = LLVMMDNodeInContext2(e->ctx, &name, 1);
    for (int i = 0; i < n; i++) {
        char text[32];
        snprintf(text, sizeof text, "lunette.buffer%d", i);
        LLVMMetadataRef part[] = {md_text(e, text), domain};
        scope[i] = LLVMMDNodeInContext2(e->ctx, part, 2);
    }
    for (int i = 0; i < n; i++) {
        int m = 0, own = e->k->buf[i].is_over ? e->k->buf[i].over : i;
        if (e->k->buf[i].kind == BUF_REG) continue;
        for (int j = 0; j < n; j++)
            if (e->k->buf[j].kind != BUF_REG && !may_share(e, scratch, i, j)) others[m++] = scope[j];
        e->buf[i].scope = LLVMMetadataAsValue(e->ctx, LLVMMDNodeInContext2(e->ctx, &scope[own], 1));
        if (m) e->buf[i].others = LLVMMetadataAsValue(e->ctx, LLVMMDNodeInContext2(e->ctx, others, (size_t)m));
    }
    e->md_scope = LLVMGetMDKindIDInContext(e->ctx, "alias.scope", 11);
    e->md_noalias = LLVMGetMDKindIDInContext(e->ctx, "noalias", 7);
}

static void make_params(Emit *e) {
    LLVMValueRef list = LLVMGetParam(e->fn, 0);
    for (int i = 0; i < e->k->n_param; i++) {
        LLVMValueRef at = LLVMConstInt(e->i64, (unsigned)i, false);
        LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, e->ptr, list, &at, 1, "");
        e->buf[i].base = LLVMBuildLoad2(e->b, e->ptr, p, e->k->buf[i].name);
        e->buf[i].ready = true;
    }
    int64_t *at = ARENA_ARRAY(e->a, int64_t, e->k->n_buf);
    kernel_scratch(e->k, at);
    for (int i = e->k->n_param; i < e->k->n_buf; i++) {
        if (e->k->buf[i].kind != BUF_SCRATCH) continue;
        LLVMValueRef offset = LLVMConstInt(e->i64, (uint64_t)at[i], false);
        e->buf[i].base = LLVMBuildInBoundsGEP2(e->b, e->i8, LLVMGetParam(e->fn, 2), &offset, 1, e->k->buf[i].name);
        e->buf[i].ready = true;
    }
    make_scopes(e, at);
}

static void make_tables(Emit *e) {
    for (int i = 0; i < e->k->n_table; i++) {
        const Table *t = &e->k->table[i];
        LLVMValueRef *v = ARENA_ARRAY(e->a, LLVMValueRef, t->n);
        for (int j = 0; j < t->n; j++) v[j] = emit_const(e, t->v[j]);
        LLVMValueRef g = LLVMAddGlobal(e->module, LLVMArrayType2(e->f32, (uint64_t)t->n), t->name);
        LLVMSetInitializer(g, LLVMConstArray2(e->f32, v, (uint64_t)t->n));
        LLVMSetGlobalConstant(g, true);
        LLVMSetLinkage(g, LLVMPrivateLinkage);
        LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
        LLVMSetAlignment(g, 64);
        e->table[i] = g;
    }
}

static void add_attribute(Emit *e, const char *name, const char *value) {
    LLVMAttributeRef a =
        LLVMCreateStringAttribute(e->ctx, name, (unsigned)strlen(name), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(e->fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

static void make_attributes(Emit *e) {
    char bits[16];
    snprintf(bits, sizeof bits, "%d", e->t->vector_bytes * 8);
    add_attribute(e, "target-cpu", e->t->cpu);
    /* Only how code is ordered and costed, not what it may use. With Zen 4's own tuning 2x14 tiles of
     * two channels spill twice in the inner loop (82 % of peak instead of 95 %), with this one no tile
     * of 96 tried does. */
    if (e->t->vector_bytes == 64) add_attribute(e, "tune-cpu", "sapphirerapids");
    if (e->t->features[0]) add_attribute(e, "target-features", e->t->features);
    /* Some CPUs are tuned to 256-bit vectors; ours are meant as they stand. */
    add_attribute(e, "prefer-vector-width", bits);
    add_attribute(e, "min-legal-vector-width", bits);
    add_attribute(e, "no-builtins", "");
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8); /* no .eh_frame to link */
    LLVMAddAttributeAtIndex(e->fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->ctx, nounwind, 0));
}

static LLVMBasicBlockRef new_block(Emit *e) { return LLVMAppendBasicBlockInContext(e->ctx, e->fn, ""); }
static LLVMValueRef int64_const(Emit *e, int64_t v) { return LLVMConstInt(e->i64, (uint64_t)v, true); }

/* The par variables of task `t` of a nest, the innermost fastest: 32-bit divisions. */
static void decode_task(Emit *e, LLVMValueRef t, const int *vars, int n) {
    LLVMValueRef rest = LLVMBuildTrunc(e->b, t, e->i32, "");
    for (int i = n - 1; i >= 0; i--) {
        VarNow *var = &e->var[vars[i]];
        int64_t extent = e->k->var[vars[i]].extent;
        var->known = extent == 1;
        var->value = 0;
        if (extent == 1) continue;
        LLVMValueRef v = rest;
        if (i > 0) {
            LLVMValueRef by = LLVMBuildTrunc(e->b, emit_arg(e, e->lift->loop[vars[i]].extent), e->i32, "");
            v = LLVMBuildURem(e->b, rest, by, "");
            rest = LLVMBuildUDiv(e->b, rest, by, "");
        }
        var->v = LLVMBuildZExt(e->b, v, e->i64, e->k->var[vars[i]].name);
    }
}

static LLVMValueRef clamp(Emit *e, LLVMValueRef x, LLVMIntPredicate keep, LLVMValueRef limit) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, keep, x, limit, ""), x, limit, "");
}

/* Opens the block of what is the same for all tasks of the nest, if [*from, *to) has any. */
static void open_nest(Emit *e, const LiftNest *nest, LLVMValueRef *from, LLVMValueRef *to, LLVMBasicBlockRef head,
                      LLVMBasicBlockRef after) {
    LLVMBasicBlockRef setup = new_block(e);
    for (int i = 0; i < e->lift->n_arg; i++) e->arg[i] = NULL;
    e->n_gep = 0;
    LLVMValueRef first = nest->first < 0 ? int64_const(e, 0) : emit_load_arg(e, nest->first);
    LLVMValueRef tasks = nest->tasks < 0 ? int64_const(e, 1) : emit_load_arg(e, nest->tasks);
    *from = clamp(e, LLVMBuildNSWSub(e->b, LLVMGetParam(e->fn, 3), first, ""), LLVMIntSGT, int64_const(e, 0));
    *to = clamp(e, LLVMBuildNSWSub(e->b, LLVMGetParam(e->fn, 4), first, ""), LLVMIntSLT, tasks);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, *from, *to, ""), setup, after);
    LLVMPositionBuilderAtEnd(e->b, setup);
    e->setup = LLVMBuildBr(e->b, head);
}

/* for (t = max(begin − first, 0); t < min(end − first, tasks); t++) { decode; body } */
static bool emit_nest(Emit *e, const Stmt *nest, const LiftNest *lifted) {
    int vars[MAX_AXES], n = nest_par_vars(nest, vars);
    if (nest_tasks(e->k, nest) > INT32_MAX)
        return diag_fail(e->d, DIAG_UNSUPPORTED, "kernel %s: more than 2^31 tasks", e->k->name);
    LLVMBasicBlockRef head = new_block(e), body = new_block(e), after = new_block(e);
    LLVMValueRef from, to;
    open_nest(e, lifted, &from, &to, head, after);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderAtEnd(e->b, head);
    LLVMValueRef t = LLVMBuildPhi(e->b, e->i64, "task");
    decode_task(e, t, vars, n);
    LLVMValueRef ready = LLVMBuildBr(e->b, body);
    const Stmt *s = nest;
    for (int i = 0; i < n; i++, s = s->body) e->var[vars[i]].ready = ready;
    e->depth += n;
    LLVMPositionBuilderAtEnd(e->b, body);
    if (n > 0 ? !emit_stmts(e, s) : !emit_stmt(e, nest)) return false;
    e->depth -= n;
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->b);
    LLVMValueRef next = LLVMBuildNSWAdd(e->b, t, int64_const(e, 1), "");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, next, to, ""), head, after);
    LLVMValueRef value[] = {from, next};
    LLVMBasicBlockRef block[] = {before, latch};
    LLVMAddIncoming(t, value, block, 2);
    LLVMPositionBuilderAtEnd(e->b, after);
    return true;
}

static void open_function(Emit *e, const char *symbol) {
    LLVMTypeRef arg[] = {e->ptr, e->ptr, e->ptr, e->i64, e->i64};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->ctx), arg, COUNT_OF(arg), false);
    e->fn = LLVMAddFunction(e->module, symbol, type);
    make_attributes(e);
    LLVMBasicBlockRef entry = new_block(e), start = new_block(e);
    LLVMPositionBuilderAtEnd(e->b, entry);
    e->entry_end = LLVMBuildBr(e->b, start);
    LLVMPositionBuilderBefore(e->b, e->entry_end);
    make_params(e);
    LLVMPositionBuilderAtEnd(e->b, start);
}

bool emit_function(Emit *e, const char *symbol) {
    const Kernel *k = e->k;
    e->lift = lift_kernel(e->a, k);
    e->arg = ARENA_ARRAY(e->a, LLVMValueRef, e->lift->n_arg);
    e->var = ARENA_ARRAY(e->a, VarNow, k->n_var);
    e->buf = ARENA_ARRAY(e->a, BufNow, k->n_buf);
    e->table = ARENA_ARRAY(e->a, LLVMValueRef, k->n_table);
    e->vec = -1;
    e->lanes = 1;
    make_tables(e);
    open_function(e, symbol);
    const LiftNest *nest = e->lift->nest;
    for (const Stmt *s = k->body; s; s = s->next)
        if (!emit_nest(e, s, nest++)) return false;
    LLVMBuildRetVoid(e->b);
    return true;
}
