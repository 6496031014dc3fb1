#include "codegen/emit_state.h"

static LLVMValueRef int_const(Emit *e, int32_t i) {
    LLVMValueRef c = LLVMConstInt(e->i32, (uint32_t)i, false), all[VEC_MOST];
    if (e->lanes == 1) return c;
    for (int l = 0; l < e->lanes; l++) all[l] = c;
    return LLVMConstVector(all, (unsigned)e->lanes);
}

static LLVMValueRef less_select(Emit *e, LLVMRealPredicate p, LLVMValueRef a, LLVMValueRef b, LLVMValueRef x,
                                LLVMValueRef y) {
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, p, a, b, ""), x, y, "");
}

static LLVMValueRef math_ins(Emit *e, const MathIns *m, LLVMValueRef const *v, const LLVMValueRef *arg) {
    LLVMValueRef a = v[m->a], b = v[m->b];
    switch (m->op) {
    case MATH_IN: return arg[m->i];
    case MATH_FLOAT: return emit_const(e, m->f);
    case MATH_INT: return int_const(e, m->i);
    case MATH_ADD: return LLVMBuildFAdd(e->b, a, b, "");
    case MATH_SUB: return LLVMBuildFSub(e->b, a, b, "");
    case MATH_MUL: return LLVMBuildFMul(e->b, a, b, "");
    case MATH_DIV: return LLVMBuildFDiv(e->b, a, b, "");
    case MATH_FMA: return emit_fma(e, a, b, v[m->c]);
    case MATH_MAX: return emit_max(e, a, b);
    case MATH_MIN: return less_select(e, LLVMRealOLT, a, b, a, b);
    case MATH_LT: return less_select(e, LLVMRealOLT, v[m->c], v[m->d], a, b);
    case MATH_BITS: return LLVMBuildBitCast(e->b, a, emit_type(e, e->i32, e->lanes), "");
    case MATH_UNBITS: return LLVMBuildBitCast(e->b, a, emit_type(e, e->f32, e->lanes), "");
    case MATH_IADD: return LLVMBuildAdd(e->b, a, b, "");
    case MATH_ISUB: return LLVMBuildSub(e->b, a, b, "");
    case MATH_IAND: return LLVMBuildAnd(e->b, a, b, "");
    case MATH_IOR: return LLVMBuildOr(e->b, a, b, "");
    case MATH_ISHL: return LLVMBuildShl(e->b, a, int_const(e, m->i), "");
    case MATH_ISHR: return LLVMBuildLShr(e->b, a, int_const(e, m->i), "");
    case MATH_ISAR: return LLVMBuildAShr(e->b, a, int_const(e, m->i), "");
    case MATH_ITOF: return LLVMBuildSIToFP(e->b, a, emit_type(e, e->f32, e->lanes), "");
    }
    return NULL;
}

LLVMValueRef emit_math(Emit *e, const MathProgram *p, const LLVMValueRef *arg) {
    LLVMValueRef v[256]; /* operands are bytes */
    for (int i = 0; i < p->n; i++) {
        v[i] = arg[0]; /* constants and MATH_IN name operands 0 without having any */
        v[i] = math_ins(e, &p->ins[i], v, arg);
    }
    return v[p->n - 1];
}
