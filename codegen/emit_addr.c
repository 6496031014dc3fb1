/* Addresses. The offset of an access is a sum over the open loops; the partial sum up to each loop is
 * computed right where that loop's variable is set, constants come last:
 *
 *     for h { p1 = x + 928*h;  for C { p2 = p1 + 53824*C;  load p2[16*0 + 3]; load p2[16*1 + 3]; … } }
 *
 * so nothing is left for LICM to move, unrolled copies share one pointer, and their constants end up
 * as displacements in the instructions. In a loop p2 is a pointer that steps by 53824. What is lifted is the
 * same for all tasks of a nest and made before the first: an unrolled loop with a lifted coefficient has one
 * register for each multiple, added in the instruction (p2[i], p2[2*i]). */
#include "codegen/emit_state.h"

#include <string.h>

LLVMTypeRef emit_type(const Emit *e, LLVMTypeRef scalar, int lanes) {
    (void)e;
    return lanes == 1 ? scalar : LLVMVectorType(scalar, (unsigned)lanes);
}

static LLVMValueRef lane_index(const Emit *e, int lane) { return LLVMConstInt(e->i32, (unsigned)lane, false); }

/* lanes of a and b (numbered through both): first, first + step, … */
static LLVMValueRef shuffle(Emit *e, LLVMValueRef a, LLVMValueRef b, const int *lane, int n) {
    LLVMValueRef mask[VEC_MOST];
    for (int i = 0; i < n; i++) mask[i] = lane[i] < 0 ? LLVMGetPoison(e->i32) : lane_index(e, lane[i]);
    return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(mask, (unsigned)n), "");
}

LLVMValueRef emit_splat(Emit *e, LLVMValueRef scalar) {
    if (e->lanes == 1) return scalar;
    static const int zeros[VEC_MOST];
    LLVMValueRef none = LLVMGetPoison(emit_type(e, LLVMTypeOf(scalar), e->lanes));
    LLVMValueRef one = LLVMBuildInsertElement(e->b, none, scalar, lane_index(e, 0), "");
    return shuffle(e, one, none, zeros, e->lanes);
}

LLVMValueRef emit_load_arg(Emit *e, int arg) {
    LLVMValueRef at = LLVMConstInt(e->i64, (unsigned)arg, false);
    LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, e->i64, LLVMGetParam(e->fn, 1), &at, 1, "");
    LLVMValueRef v = LLVMBuildLoad2(e->b, e->i64, p, "arg");
    LLVMSetMetadata(v, LLVMGetMDKindIDInContext(e->ctx, "invariant.load", 14),
                    LLVMMetadataAsValue(e->ctx, LLVMMDNodeInContext2(e->ctx, NULL, 0)));
    return v;
}

LLVMValueRef emit_arg(Emit *e, int arg) {
    if (e->arg[arg]) return e->arg[arg];
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, e->setup);
    e->arg[arg] = emit_load_arg(e, arg);
    LLVMPositionBuilderAtEnd(e->b, here);
    return e->arg[arg];
}

/* What is added to a base: v·coef·factor, in elements. */
typedef struct Addend {
    LLVMValueRef v;
    int64_t coef;
    LLVMValueRef factor; /* NULL: 1 */
    LLVMValueRef ready;  /* put before this */
    VarNow *loop;        /* the rolled loop that steps a pointer; NULL: none does */
    bool hide;           /* of a pointer into a parameter: what is on the stack must not seem to be known elsewhere */
} Addend;

static LLVMValueRef build_addend(Emit *e, const Addend *x) {
    LLVMValueRef c = LLVMConstInt(e->i64, (uint64_t)x->coef, true);
    LLVMValueRef v = x->coef == 1 ? x->v : LLVMBuildNSWMul(e->b, x->v, c, "");
    return x->factor ? LLVMBuildNSWMul(e->b, v, x->factor, "") : v;
}

/* The same pointer, of which LLVM knows nothing, at the entry of an innermost loop. Without it loop strength reduction sees
 * through all levels of the nest and may give each load of a tile a pointer of its own, twenty of them on the stack: a 3×3
 * convolution with a 2×5 tile in chunks of 16 channels ran at 70 % of the peak instead of 92 %. */
static LLVMValueRef hide_pointer(Emit *e, LLVMValueRef p, LLVMValueRef entry) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, entry);
    LLVMTypeRef type = LLVMFunctionType(e->ptr, &e->ptr, 1, false);
    LLVMValueRef same = LLVMGetInlineAsm(type, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef call = LLVMBuildCall2(e->b, type, same, &p, 1, "");
    static const char *const pure[] = {"nounwind", "willreturn", "memory"}; /* memory: none */
    for (size_t i = 0; i < COUNT_OF(pure); i++) {
        unsigned kind = LLVMGetEnumAttributeKindForName(pure[i], strlen(pure[i]));
        LLVMAttributeRef one = LLVMCreateEnumAttribute(e->ctx, kind, 0);
        LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, one);
    }
    LLVMPositionBuilderAtEnd(e->b, here);
    return call;
}

/* base + by·(the loop's variable). LLVM would make such pointers of products too, but gives up where several
 * invariants are added to them. */
static LLVMValueRef stepping_pointer(Emit *e, LLVMValueRef base, LLVMTypeRef element, const Addend *a) {
    if (a->loop->innermost && a->hide) base = hide_pointer(e, base, a->loop->entry);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, a->v); /* a phi itself */
    LLVMValueRef phi = LLVMBuildPhi(e->b, e->ptr, "");
    LLVMPositionBuilderAtEnd(e->b, here);
    LLVMValueRef by = a->factor ? a->factor : LLVMConstInt(e->i64, (uint64_t)a->coef, true);
    Step step = {phi, base, by, element};
    ARENA_PUSH(e->a, a->loop->step, a->loop->n_step, a->loop->cap_step, step);
    return phi;
}

static LLVMValueRef sum_before(Emit *e, LLVMValueRef base, LLVMTypeRef element, const Addend *a, bool inbounds) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, a->ready);
    LLVMValueRef x = build_addend(e, a);
    if (element && inbounds) x = LLVMBuildInBoundsGEP2(e->b, element, base, &x, 1, "");
    else if (element) x = LLVMBuildGEP2(e->b, element, base, &x, 1, "");
    else if (base) x = LLVMBuildNSWAdd(e->b, base, x, "");
    LLVMPositionBuilderAtEnd(e->b, here);
    return x;
}

/* Its sum with base: a pointer to elements of this type; element NULL: an i64, or NULL for 0. */
static LLVMValueRef add_term(Emit *e, LLVMValueRef base, LLVMTypeRef element, const Addend *a, bool inbounds) {
    for (int i = e->n_gep - 1; i >= 0; i--) {
        const GepRow *g = &e->gep[i];
        if (g->base == base && g->v == a->v && g->coef == a->coef && g->factor == a->factor) return g->result;
    }
    LLVMValueRef x =
        a->loop && element ? stepping_pointer(e, base, element, a) : sum_before(e, base, element, a, inbounds);
    GepRow row = {base, a->v, a->factor, x, a->coef};
    ARENA_PUSH(e->a, e->gep, e->n_gep, e->cap_gep, row);
    return x;
}

/* Where an access lies by loops whose variables are constants here: a constant … */
static int64_t known_part(const Emit *e, const Access *x) {
    int64_t sum = x->base;
    for (int i = 0; i < x->n; i++) {
        const LiftTerm *t = &x->term[i];
        if (e->var[t->var].known && t->arg < 0) sum += t->coef * e->var[t->var].value;
    }
    return sum;
}

/* … and multiples of args, the same for all tasks; NULL: nothing. */
static LLVMValueRef known_args(Emit *e, const Access *x) {
    LLVMValueRef sum = NULL;
    for (int i = 0; i < x->n; i++) {
        const LiftTerm *t = &x->term[i];
        int64_t value = e->var[t->var].value;
        if (!e->var[t->var].known || t->arg < 0 || value == 0) continue;
        sum = add_term(e, sum, NULL, &(Addend){emit_arg(e, t->arg), value, NULL, e->setup, NULL, false}, false);
    }
    return sum;
}

/* The term, if its variable is not known. */
static bool open_term(Emit *e, const LiftTerm *t, Addend *out) {
    VarNow *v = &e->var[t->var];
    if (v->known) return false;
    *out = (Addend){v->v,
                    t->arg < 0 ? t->coef : 1,
                    t->arg < 0 ? NULL : emit_arg(e, t->arg),
                    v->ready,
                    v->rolled && e->lift->loop[t->var].far ? v : NULL,
                    false};
    return true;
}

LLVMValueRef emit_affine(Emit *e, const Access *x) {
    LLVMValueRef sum = NULL;
    for (int i = 0; i < x->n; i++) {
        Addend a;
        if (!open_term(e, &x->term[i], &a)) continue;
        LLVMValueRef t = add_term(e, NULL, NULL, &a, false);
        sum = sum ? LLVMBuildNSWAdd(e->b, sum, t, "") : t;
    }
    int64_t base = known_part(e, x);
    LLVMValueRef c = LLVMConstInt(e->i64, (uint64_t)base, true);
    return !sum ? c : base == 0 ? sum : LLVMBuildNSWAdd(e->b, sum, c, "");
}

/* A memory and how it is told from the others. */
typedef struct Memory {
    LLVMValueRef base;
    const BufNow *scopes; /* NULL: a table */
    DType dtype;
} Memory;

static LLVMValueRef emit_address(Emit *e, const Memory *m, const Access *x) {
    LLVMTypeRef element = emit_element(e, m->dtype);
    LLVMValueRef p = m->base, same = known_args(e, x);
    if (x->base_arg >= 0)
        p = add_term(e, p, element, &(Addend){emit_arg(e, x->base_arg), 1, NULL, e->setup, NULL, false}, x->inside);
    for (int i = 0; i < x->n; i++) {
        Addend a;
        if (!open_term(e, &x->term[i], &a)) continue;
        a.hide = m->scopes && m->scopes->scope;
        p = add_term(e, p, element, &a, x->inside);
    }
    int64_t rest = known_part(e, x);
    LLVMValueRef c = LLVMConstInt(e->i64, (uint64_t)rest, true), *more[] = {same ? &same : NULL, rest ? &c : NULL};
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        if (!more[i]) continue;
        p = x->inside ? LLVMBuildInBoundsGEP2(e->b, element, p, more[i], 1, "")
                      : LLVMBuildGEP2(e->b, element, p, more[i], 1, "");
    }
    return p;
}

static LLVMValueRef pointer_at(Emit *e, const Memory *m, LLVMValueRef p, int64_t elements) {
    if (elements == 0) return p;
    LLVMValueRef c = LLVMConstInt(e->i64, (uint64_t)elements, true);
    return LLVMBuildInBoundsGEP2(e->b, emit_element(e, m->dtype), p, &c, 1, "");
}

static void mark_access(Emit *e, const Memory *m, LLVMValueRef access) {
    LLVMSetAlignment(access, (unsigned)dtype_bytes(m->dtype));
    if (!m->scopes || !m->scopes->scope) return;
    LLVMSetMetadata(access, e->md_scope, m->scopes->scope);
    if (m->scopes->others) LLVMSetMetadata(access, e->md_noalias, m->scopes->others);
}

static LLVMValueRef load_lanes(Emit *e, const Memory *m, LLVMValueRef p, int lanes) {
    LLVMValueRef v = LLVMBuildLoad2(e->b, emit_type(e, emit_element(e, m->dtype), lanes), p, "");
    mark_access(e, m, v);
    return v;
}

static void store_lanes(Emit *e, const Memory *m, LLVMValueRef p, LLVMValueRef v) {
    mark_access(e, m, LLVMBuildStore(e->b, v, p));
}

/* Every step-th element from p on, by whole vectors that lie between the first and the last element
 * (so inside the buffer) and shuffles: for step 2 two loads and one shuffle. */
static LLVMValueRef load_strided(Emit *e, const Memory *m, LLVMValueRef p, int step) {
    int n = e->lanes, last = (n - 1) * step, lane[VEC_MOST];
    LLVMValueRef all = NULL;
    for (int taken = 0; taken < n;) {
        int from = taken * step < last - (n - 1) ? taken * step : last - (n - 1);
        LLVMValueRef part = load_lanes(e, m, pointer_at(e, m, p, from), n);
        int first = taken;
        while (taken < n && taken * step < from + n) taken++;
        for (int i = 0; i < n; i++) {
            bool ours = i >= first && i < taken;
            int base = all ? n : 0; /* the new part is the second operand, after the first time */
            lane[i] = ours ? i * step - from + base : all && i < first ? i : -1;
        }
        LLVMValueRef none = LLVMGetPoison(LLVMTypeOf(part));
        all = shuffle(e, all ? all : part, all ? part : none, lane, n);
    }
    return all;
}

/* offset: a vector of integers, of what the lanes add besides their step; NULL: nothing. */
static LLVMValueRef load_gather(Emit *e, const Memory *m, LLVMValueRef p, int64_t step, LLVMValueRef offset) {
    LLVMTypeRef element = emit_element(e, m->dtype);
    LLVMValueRef v = LLVMGetPoison(emit_type(e, element, e->lanes));
    for (int i = 0; i < e->lanes; i++) {
        LLVMValueRef at = p;
        if (offset) {
            LLVMValueRef o = LLVMBuildExtractElement(e->b, offset, lane_index(e, i), "");
            if (LLVMTypeOf(o) != e->i64) o = LLVMBuildSExt(e->b, o, e->i64, "");
            at = LLVMBuildInBoundsGEP2(e->b, element, at, &o, 1, "");
        }
        LLVMValueRef x = load_lanes(e, m, pointer_at(e, m, at, i * step), 1);
        v = LLVMBuildInsertElement(e->b, v, x, lane_index(e, i), "");
    }
    return v;
}

static int64_t lane_coef(const Emit *e, const Access *x) { return e->vec < 0 ? 0 : access_coef(x, e->vec); }

static LLVMValueRef load_memory(Emit *e, const Memory *m, LLVMValueRef p, int64_t coef) {
    if (e->lanes == 1 || coef == 0) e->scalar_loads++;
    if (e->lanes == 1) return load_lanes(e, m, p, 1);
    if (coef == 0) return emit_splat(e, load_lanes(e, m, p, 1));
    if (coef == 1) return load_lanes(e, m, p, e->lanes);
    if (coef >= 2 && coef <= 4) return load_strided(e, m, p, (int)coef);
    return load_gather(e, m, p, coef, NULL);
}

static bool varies(const Emit *e, const TakeIndex *take) {
    return e->lanes > 1 && take->index && expr_moves(e->a, e->k, take->index, e->vec);
}

/* Σ take·stride, of one lane or of all: 32-bit where the memory is small enough, for there are vectors of these. */
static LLVMValueRef taken_offset(Emit *e, const Type *type, const TakeIndex *take, bool each_lane) {
    LLVMValueRef sum = NULL;
    bool wide = type_memory_elements(type) > INT32_MAX || !each_lane;
    LLVMTypeRef integer = wide ? e->i64 : e->i32;
    int64_t stride = 1;
    for (int i = type->rank - 1; i >= 0; stride *= type->axis[i].extent, i--) {
        if (!take[i].index) continue;
        LLVMValueRef t = each_lane ? emit_take(e, &take[i]) : emit_take_scalar(e, &take[i]);
        if (wide) t = LLVMBuildZExt(e->b, t, emit_type(e, integer, each_lane ? e->lanes : 1), "");
        LLVMValueRef by = LLVMConstInt(integer, (uint64_t)stride, false);
        if (stride != 1) t = LLVMBuildNSWMul(e->b, t, each_lane ? emit_splat(e, by) : by, "");
        sum = sum ? LLVMBuildNSWAdd(e->b, sum, t, "") : t;
    }
    return sum;
}

/* Where the lanes share the indexes, their elements lie as those of an affine access do. */
static LLVMValueRef load_taken(Emit *e, const Memory *m, const Type *type, const Access *x, const TakeIndex *take) {
    bool each_lane = false;
    for (int i = 0; i < type->rank; i++) each_lane |= varies(e, &take[i]);
    LLVMValueRef offset = taken_offset(e, type, take, each_lane), p = emit_address(e, m, x);
    if (each_lane) return load_gather(e, m, p, lane_coef(e, x), offset);
    p = LLVMBuildInBoundsGEP2(e->b, emit_element(e, m->dtype), p, &offset, 1, "");
    return load_memory(e, m, p, lane_coef(e, x));
}

static Memory memory_of(const Emit *e, int buf) {
    const Type *type = &e->k->buf[buf].type;
    return (Memory){e->buf[buf].base, &e->buf[buf], type->dtype};
}

LLVMValueRef emit_load(Emit *e, int buf, const Affine *sub, const TakeIndex *take) {
    const Type *type = &e->k->buf[buf].type;
    const Access *x = lift_access(e->lift, buf, sub, take != NULL);
    if (!e->buf[buf].base) return reg_load(e, &e->buf[buf], known_part(e, x), lane_coef(e, x));
    Memory m = memory_of(e, buf);
    return take ? load_taken(e, &m, type, x, take) : load_memory(e, &m, emit_address(e, &m, x), lane_coef(e, x));
}

void emit_store(Emit *e, int buf, const Affine *sub, LLVMValueRef v) {
    const Access *x = lift_access(e->lift, buf, sub, false);
    int64_t coef = lane_coef(e, x);
    if (!e->buf[buf].base) {
        reg_store(e, &e->buf[buf], known_part(e, x), coef, v);
        return;
    }
    Memory m = memory_of(e, buf);
    LLVMValueRef p = emit_address(e, &m, x);
    if (e->lanes == 1 || coef == 1) {
        store_lanes(e, &m, p, v);
        return;
    }
    for (int i = 0; i < e->lanes; i++)
        store_lanes(e, &m, pointer_at(e, &m, p, i * coef), LLVMBuildExtractElement(e->b, v, lane_index(e, i), ""));
}

void emit_prefetch(Emit *e, int buf, const Affine *sub) {
    LLVMTypeRef arg[] = {e->ptr, e->i32, e->i32, e->i32};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->ctx), arg, 4, false);
    LLVMValueRef fn = LLVMGetNamedFunction(e->module, "llvm.prefetch.p0");
    if (!fn) fn = LLVMAddFunction(e->module, "llvm.prefetch.p0", type);
    Memory m = memory_of(e, buf);
    LLVMValueRef p = emit_address(e, &m, lift_place(e->lift, buf, sub));
    LLVMValueRef value[] = {p, LLVMConstInt(e->i32, 0, false), LLVMConstInt(e->i32, 3, false),
                            LLVMConstInt(e->i32, 1, false)};
    LLVMBuildCall2(e->b, type, fn, value, 4, "");
}

LLVMValueRef emit_table(Emit *e, int table, const Affine *sub) {
    const Access *x = lift_access(e->lift, -1, sub, true);
    Memory m = {e->table[table], NULL, DT_F32};
    return load_memory(e, &m, emit_address(e, &m, x), lane_coef(e, x));
}
