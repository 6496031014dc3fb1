/* Values are f32; what a buffer of another type holds is converted where it is loaded and stored. All by
 * instructions: nothing here becomes a call. */
#include "codegen/emit_state.h"

#include <string.h>

LLVMTypeRef emit_element(const Emit *e, DType t) {
    switch (t) {
    case DT_F32: return e->f32;
    case DT_I64: return e->i64;
    case DT_I32: return e->i32;
    case DT_U8:
    case DT_BOOL: return e->i8;
    }
    return NULL;
}

LLVMValueRef emit_from(Emit *e, DType t, LLVMValueRef v) {
    LLVMTypeRef f32 = emit_type(e, e->f32, e->lanes);
    switch (t) {
    case DT_F32: return v;
    case DT_I64:
    case DT_I32: return LLVMBuildSIToFP(e->b, v, f32, "");
    case DT_U8:
    case DT_BOOL: return LLVMBuildUIToFP(e->b, v, f32, "");
    }
    return NULL;
}

/* v > 0 ? min(v, most) : 0, so NaN is 0, as an i32. */
static LLVMValueRef clamped(Emit *e, LLVMValueRef v, float most) {
    LLVMValueRef zero = emit_const(e, 0), top = emit_const(e, most);
    v = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, v, zero, ""), v, zero, "");
    v = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, v, top, ""), v, top, "");
    return LLVMBuildFPToSI(e->b, v, emit_type(e, e->i32, e->lanes), "");
}

static LLVMValueRef saturated(Emit *e, LLVMValueRef v, LLVMTypeRef to) {
    static const char name[] = "llvm.fptosi.sat";
    LLVMTypeRef types[] = {emit_type(e, to, e->lanes), LLVMTypeOf(v)};
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->module, id, types, 2);
    return LLVMBuildCall2(e->b, LLVMIntrinsicGetType(e->ctx, id, types, 2), fn, &v, 1, "");
}

LLVMValueRef emit_to(Emit *e, DType t, LLVMValueRef v) {
    LLVMTypeRef i8 = emit_type(e, e->i8, e->lanes);
    switch (t) {
    case DT_F32: return v;
    case DT_I64:
    case DT_I32: return saturated(e, v, emit_element(e, t));
    case DT_U8: return LLVMBuildTrunc(e->b, clamped(e, v, 255), i8, "");
    case DT_BOOL: return LLVMBuildZExt(e->b, LLVMBuildFCmp(e->b, LLVMRealUNE, v, emit_const(e, 0), ""), i8, "");
    }
    return NULL;
}

LLVMValueRef emit_take(Emit *e, const TakeIndex *take) {
    return clamped(e, emit_expr(e, take->index), (float)(take->limit - 1));
}

LLVMValueRef emit_take_scalar(Emit *e, const TakeIndex *take) {
    int lanes = e->lanes;
    if (lanes == 1) return emit_take(e, take);
    Memo vectors = e->values;
    e->values = e->scalars;
    e->lanes = 1;
    LLVMValueRef v = emit_take(e, take);
    e->lanes = lanes;
    e->scalars = e->values;
    e->values = vectors;
    return v;
}
