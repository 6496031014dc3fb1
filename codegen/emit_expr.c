#include "codegen/emit_state.h"

#include <string.h>

LLVMValueRef emit_const(Emit *e, float f) {
    /* By its bits: a NaN keeps them on the way through double. */
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    LLVMValueRef c = LLVMConstBitCast(LLVMConstInt(e->i32, bits, false), e->f32), all[VEC_MOST];
    if (e->lanes == 1) return c;
    for (int i = 0; i < e->lanes; i++) all[i] = c;
    return LLVMConstVector(all, (unsigned)e->lanes);
}

static LLVMValueRef call_intrinsic(Emit *e, const char *name, LLVMValueRef *arg, unsigned n) {
    LLVMTypeRef type = LLVMTypeOf(arg[0]);
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->module, id, &type, 1);
    return LLVMBuildCall2(e->b, LLVMIntrinsicGetType(e->ctx, id, &type, 1), fn, arg, n, "");
}

LLVMValueRef emit_fma(Emit *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
    /* llvm.fma would be a call to fmaf on a target without it. */
    if (!e->t->fma) return LLVMBuildFAdd(e->b, LLVMBuildFMul(e->b, a, b, ""), c, "");
    LLVMValueRef arg[] = {a, b, c};
    return call_intrinsic(e, "llvm.fma", arg, 3);
}

static LLVMValueRef compare(Emit *e, LLVMRealPredicate p, LLVMValueRef a, LLVMValueRef b, LLVMValueRef x,
                            LLVMValueRef y) {
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, p, a, b, ""), x, y, "");
}

/* One vmaxps on x86, NaN and −0 included. */
LLVMValueRef emit_max(Emit *e, LLVMValueRef a, LLVMValueRef b) { return compare(e, LLVMRealOGT, a, b, a, b); }

static LLVMValueRef emit_call(Emit *e, const Expr *x) {
    LLVMValueRef v[4] = {0};
    for (int i = 0; i < fn_args(x->fn); i++) v[i] = emit_expr(e, x->arg[i]);
    switch (x->fn) {
    case FN_NEG: return LLVMBuildFNeg(e->b, v[0], "");
    case FN_ABS: return call_intrinsic(e, "llvm.fabs", v, 1);
    case FN_SQRT: return call_intrinsic(e, "llvm.sqrt", v, 1);
    case FN_EXP:
    case FN_LOG:
    case FN_TANH:
    case FN_SIGMOID:
    case FN_ERF:
    case FN_EXPM1:
    case FN_LOG1P:
    case FN_POW: return emit_math(e, math_program(x->fn), v);
    case FN_ADD: return LLVMBuildFAdd(e->b, v[0], v[1], "");
    case FN_SUB: return LLVMBuildFSub(e->b, v[0], v[1], "");
    case FN_MUL: return LLVMBuildFMul(e->b, v[0], v[1], "");
    case FN_DIV: return LLVMBuildFDiv(e->b, v[0], v[1], "");
    case FN_MAX: return emit_max(e, v[0], v[1]);
    case FN_MIN: return compare(e, LLVMRealOLT, v[0], v[1], v[0], v[1]);
    case FN_FMA: return emit_fma(e, v[0], v[1], v[2]);
    case FN_LT: return compare(e, LLVMRealOLT, v[0], v[1], v[2], v[3]);
    case FN_LE: return compare(e, LLVMRealOLE, v[0], v[1], v[2], v[3]);
    case FN_EQ: return compare(e, LLVMRealOEQ, v[0], v[1], v[2], v[3]);
    case FN_COUNT: break;
    }
    return NULL;
}

/* An affine form as a float: one rounding, from the exact integer. */
static LLVMValueRef emit_index(Emit *e, const Affine *x) {
    LLVMValueRef v = emit_affine(e, lift_access(e->lift, -1, x, true));
    int64_t lo, hi, coef = e->vec < 0 ? 0 : affine_coef(x, e->vec);
    affine_range(e->k, x, &lo, &hi);
    bool narrow = lo >= INT32_MIN && hi <= INT32_MAX; /* 64-bit lanes have no conversion before AVX-512 */
    LLVMTypeRef type = narrow ? e->i32 : e->i64;
    if (narrow) v = LLVMBuildTrunc(e->b, v, e->i32, "");
    v = emit_splat(e, v);
    if (e->lanes > 1 && coef != 0) {
        LLVMValueRef step[VEC_MOST];
        for (int i = 0; i < e->lanes; i++) step[i] = LLVMConstInt(type, (uint64_t)(coef * i), true);
        v = LLVMBuildAdd(e->b, v, LLVMConstVector(step, (unsigned)e->lanes), "");
    }
    return LLVMBuildSIToFP(e->b, v, emit_type(e, e->f32, e->lanes), "");
}

LLVMValueRef emit_expr(Emit *e, const Expr *x) {
    LLVMValueRef v = memo_get(&e->values, x);
    if (v) return v;
    switch (x->kind) {
    case EXPR_CONST: v = emit_const(e, x->value); break;
    case EXPR_LOAD: v = emit_from(e, e->k->buf[x->buf].type.dtype, emit_load(e, x->buf, x->sub, x->take)); break;
    case EXPR_INDEX: v = emit_index(e, x->sub); break;
    case EXPR_TABLE: v = emit_table(e, x->buf, x->sub); break;
    case EXPR_CALL: v = emit_call(e, x); break;
    }
    memo_put(e->a, &e->values, x, v);
    return v;
}
