/* Addresses. The offset of an access is a sum over the open loops; the partial sum up to each loop is
 * computed right where that loop's variable is set, constants come last:
 *
 *     for h { p1 = x + 928*h;  for C { p2 = p1 + 53824*C;  load p2[16*0 + 3]; load p2[16*1 + 3]; … } }
 *
 * so nothing is left for LICM to move, unrolled copies share one pointer, and their constants end up
 * as displacements in the instructions. */
#include "codegen/emit_state.h"

#include <string.h>

static unsigned memo_slot(const Memo *m, const void *key) {
    return (unsigned)(((uintptr_t)key >> 4) * 0x9E3779B97F4A7C15u >> 32) & (m->cap - 1);
}

void *memo_get(const Memo *m, const void *key) {
    if (m->cap == 0) return NULL;
    for (unsigned i = memo_slot(m, key);; i = (i + 1) & (m->cap - 1)) {
        if (m->row[i].generation != m->generation + 1) return NULL;
        if (m->row[i].key == key) return m->row[i].value;
    }
}

static void memo_set(Memo *m, const void *key, void *value) {
    unsigned i = memo_slot(m, key);
    while (m->row[i].generation == m->generation + 1 && m->row[i].key != key) i = (i + 1) & (m->cap - 1);
    m->row[i] = (MemoRow){key, value, m->generation + 1};
}

void memo_put(Arena *a, Memo *m, const void *key, void *value) {
    if (2 * m->n >= m->cap) {
        Memo bigger = {NULL, m->cap ? 2 * m->cap : 64, 0, m->generation};
        bigger.row = ARENA_ARRAY(a, MemoRow, bigger.cap);
        for (unsigned i = 0; i < m->cap; i++)
            if (m->row[i].generation == m->generation + 1) memo_set(&bigger, m->row[i].key, m->row[i].value);
        bigger.n = m->n;
        *m = bigger;
    }
    memo_set(m, key, value);
    m->n++;
}

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

typedef struct Linear {
    const Type *type; /* two buffers may share a subscript list */
    Affine x;
} Linear;

const Affine *emit_linear(Emit *e, const Type *type, const Affine *sub) {
    Linear *known = memo_get(&e->linear, sub);
    if (known && known->type == type) return &known->x;
    known = ARENA_NEW(e->a, Linear);
    *known = (Linear){type, affine_linear(e->a, type, sub)};
    memo_put(e->a, &e->linear, sub, known);
    return &known->x;
}

/* The same pointer, of which LLVM knows nothing. Without it loop strength reduction sees through all levels of a nest and may
 * give each load of a tile a pointer of its own, twenty of them on the stack: a 3x3 convolution with a 2x5 tile, 16 channels at
 * a time, ran at 70 % of the peak instead of 95 %. */
static LLVMValueRef hide_pointer(Emit *e, LLVMValueRef p) {
    LLVMTypeRef type = LLVMFunctionType(e->ptr, &e->ptr, 1, false);
    LLVMValueRef same = LLVMGetInlineAsm(type, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef call = LLVMBuildCall2(e->b, type, same, &p, 1, "");
    static const char *const pure[] = {"nounwind", "willreturn"};
    for (size_t i = 0; i < COUNT_OF(pure); i++) {
        unsigned kind = LLVMGetEnumAttributeKindForName(pure[i], strlen(pure[i]));
        LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                 LLVMCreateEnumAttribute(e->ctx, kind, 0));
    }
    unsigned memory = LLVMGetEnumAttributeKindForName("memory", 6); /* none */
    LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                             LLVMCreateEnumAttribute(e->ctx, memory, 0));
    return call;
}

/* v·coef added to base (a pointer to elements of this type; NULL: an i64 sum), put where v is set. */
static LLVMValueRef add_term(Emit *e, LLVMValueRef base, LLVMTypeRef element, const VarNow *var, int64_t coef,
                             bool inbounds) {
    for (int i = e->n_gep - 1; i >= 0; i--) {
        const GepRow *g = &e->gep[i];
        if (g->base == base && g->v == var->v && g->coef == coef) return g->result;
    }
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, var->ready);
    LLVMValueRef x = coef == 1 ? var->v : LLVMBuildNSWMul(e->b, var->v, LLVMConstInt(e->i64, (uint64_t)coef, true), "");
    if (base && inbounds) x = LLVMBuildInBoundsGEP2(e->b, element, base, &x, 1, "");
    else if (base) x = LLVMBuildGEP2(e->b, element, base, &x, 1, "");
    if (base && var->outer) x = hide_pointer(e, x);
    LLVMPositionBuilderAtEnd(e->b, here);
    GepRow row = {base, var->v, x, coef};
    ARENA_PUSH(e->a, e->gep, e->n_gep, e->cap_gep, row);
    return x;
}

/* The terms of x over variables that are not constants here, outermost loop first; returns the rest. */
static int64_t split_terms(const Emit *e, const Affine *x, Term *out, int *n) {
    int64_t base = x->base;
    *n = 0;
    for (int i = 0; i < x->n; i++) {
        const VarNow *v = &e->var[x->term[i].var];
        if (v->known) {
            base += x->term[i].coef * v->value;
            continue;
        }
        int at = (*n)++;
        for (; at > 0 && e->var[out[at - 1].var].depth > v->depth; at--) out[at] = out[at - 1];
        out[at] = x->term[i];
    }
    return base;
}

LLVMValueRef emit_affine(Emit *e, const Affine *x) {
    Term term[MAX_TERMS];
    int n;
    int64_t base = split_terms(e, x, term, &n);
    LLVMValueRef sum = NULL;
    for (int i = 0; i < n; i++) {
        LLVMValueRef t = add_term(e, NULL, NULL, &e->var[term[i].var], term[i].coef, false);
        sum = sum ? LLVMBuildNSWAdd(e->b, sum, t, "") : t;
    }
    LLVMValueRef c = LLVMConstInt(e->i64, (uint64_t)base, true);
    return !sum ? c : base == 0 ? sum : LLVMBuildNSWAdd(e->b, sum, c, "");
}

/* Where the loops of the first `n` terms alone lead stays inside a memory of `size` elements: only
 * then is the partial sum an inbounds pointer (x[57 − h] is not, before the 57 is added). */
static bool prefix_inside(const Emit *e, const Term *term, int n, int64_t size) {
    int64_t lo = 0, hi = 0;
    for (int i = 0; i < n; i++) {
        int64_t reach = term[i].coef * (e->k->var[term[i].var].extent - 1);
        if (reach < 0) lo += reach;
        else hi += reach;
    }
    return lo >= 0 && hi < size;
}

/* A memory and how it is told from the others. */
typedef struct Memory {
    LLVMValueRef base;
    const BufNow *scopes; /* NULL: a table */
    DType dtype;
    int64_t size; /* elements */
} Memory;

static LLVMValueRef emit_address(Emit *e, const Memory *m, const Affine *x) {
    Term term[MAX_TERMS];
    int n;
    int64_t rest = split_terms(e, x, term, &n);
    bool inside = true;
    LLVMTypeRef element = emit_element(e, m->dtype);
    LLVMValueRef p = m->base;
    for (int i = 0; i < n; i++) {
        inside = inside && prefix_inside(e, term, i + 1, m->size);
        p = add_term(e, p, element, &e->var[term[i].var], term[i].coef, inside);
    }
    if (rest == 0) return p;
    LLVMValueRef c = LLVMConstInt(e->i64, (uint64_t)rest, true);
    return inside ? LLVMBuildInBoundsGEP2(e->b, element, p, &c, 1, "") : LLVMBuildGEP2(e->b, element, p, &c, 1, "");
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

static int64_t lane_coef(const Emit *e, const Affine *x) { return e->vec < 0 ? 0 : affine_coef(x, e->vec); }

static LLVMValueRef load_memory(Emit *e, const Memory *m, LLVMValueRef p, int64_t coef) {
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
static LLVMValueRef load_taken(Emit *e, const Memory *m, const Type *type, const Affine *x, const TakeIndex *take) {
    bool each_lane = false;
    for (int i = 0; i < type->rank; i++) each_lane |= varies(e, &take[i]);
    LLVMValueRef offset = taken_offset(e, type, take, each_lane), p = emit_address(e, m, x);
    if (each_lane) return load_gather(e, m, p, lane_coef(e, x), offset);
    p = LLVMBuildInBoundsGEP2(e->b, emit_element(e, m->dtype), p, &offset, 1, "");
    return load_memory(e, m, p, lane_coef(e, x));
}

static int64_t const_at(const Emit *e, const Affine *x) {
    Term term[MAX_TERMS];
    int n;
    return split_terms(e, x, term, &n);
}

static Memory memory_of(const Emit *e, int buf) {
    const Type *type = &e->k->buf[buf].type;
    return (Memory){e->buf[buf].base, &e->buf[buf], type->dtype, type_memory_elements(type)};
}

LLVMValueRef emit_load(Emit *e, int buf, const Affine *sub, const TakeIndex *take) {
    const Type *type = &e->k->buf[buf].type;
    const Affine *x = emit_linear(e, type, sub);
    if (!e->buf[buf].base) return reg_load(e, &e->buf[buf], const_at(e, x), lane_coef(e, x));
    Memory m = memory_of(e, buf);
    return take ? load_taken(e, &m, type, x, take) : load_memory(e, &m, emit_address(e, &m, x), lane_coef(e, x));
}

void emit_store(Emit *e, int buf, const Affine *sub, LLVMValueRef v) {
    const Affine *x = emit_linear(e, &e->k->buf[buf].type, sub);
    int64_t coef = lane_coef(e, x);
    if (!e->buf[buf].base) {
        reg_store(e, &e->buf[buf], const_at(e, x), coef, v);
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
    m.size = 0; /* the address may lie outside */
    LLVMValueRef p = emit_address(e, &m, emit_linear(e, &e->k->buf[buf].type, sub));
    LLVMValueRef value[] = {p, LLVMConstInt(e->i32, 0, false), LLVMConstInt(e->i32, 3, false),
                            LLVMConstInt(e->i32, 1, false)};
    LLVMBuildCall2(e->b, type, fn, value, 4, "");
}

LLVMValueRef emit_table(Emit *e, int table, const Affine *x) {
    Memory m = {e->table[table], NULL, DT_F32, e->k->table[table].n};
    return load_memory(e, &m, emit_address(e, &m, x), lane_coef(e, x));
}
