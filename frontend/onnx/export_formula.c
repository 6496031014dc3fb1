/* Pointwise ops by their formula: a node for each operation of it. */
#include "frontend/onnx/export_node.h"
#include "ir/loop.h"

#include <string.h>

enum { MOST_LEAVES = 16, MOST_VALUES = 128 };

typedef struct Formula {
    Export *e;
    const char *leaf_name[MOST_LEAVES]; /* inputs, then attributes */
    const Expr *leaf[MOST_LEAVES];
    const char *leaf_value[MOST_LEAVES];
    int n_leaf;
    const Expr *root;
    const Expr *expr[MOST_VALUES]; /* done so far … */
    const char *value[MOST_VALUES];
    int n_value;
} Formula;

static void leaf_add(Formula *f, const char *name, size_t n, const char *value) {
    if (f->n_leaf == MOST_LEAVES) return; /* then its name is not known: said there */
    f->leaf_name[f->n_leaf] = arena_printf(f->e->a, "%.*s", (int)n, name);
    f->leaf[f->n_leaf] = expr_const(f->e->a, 0); /* an object to know it by */
    f->leaf_value[f->n_leaf++] = value;
}

static void leaves_add(Formula *f, const char *const *in) {
    const OpInfo *o = &op_table[f->e->n->op];
    int i = 0;
    for (const char *s = o->inputs; *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        leaf_add(f, s, n, in[i++]);
        s += n;
    }
    for (int k = 0; k < o->n_attr; k++) {
        const AttrInfo *info = &o->attr[k];
        const void *at = (const char *)&f->e->n->attr + info->offset;
        float v = info->type == ATTR_FLOAT ? *(const float *)at : (float)*(const int32_t *)at;
        leaf_add(f, info->name, strlen(info->name), export_number(f->e, info->name, v));
    }
}

/* Nodes of one name and as many inputs. Others are made below. */
static const char *namesake(Fn fn) {
    static const char *const names[FN_COUNT] = {
        [FN_NEG] = "Neg",   [FN_ABS] = "Abs", [FN_SQRT] = "Sqrt", [FN_EXP] = "Exp", [FN_LOG] = "Log",
        [FN_TANH] = "Tanh", [FN_ERF] = "Erf", [FN_ADD] = "Add",   [FN_SUB] = "Sub", [FN_MUL] = "Mul",
        [FN_DIV] = "Div",   [FN_MAX] = "Max", [FN_MIN] = "Min",   [FN_POW] = "Pow", [FN_SIGMOID] = "Sigmoid",
    };
    return names[fn];
}

static const char *comparison(Fn fn) {
    return fn == FN_LT ? "Less" : fn == FN_LE ? "LessOrEqual" : fn == FN_EQ ? "Equal" : NULL;
}

/* One operation; NULL with a message. */
static const char *call(Formula *f, const Expr *x, const char *const *v, const char *suffix) {
    Export *e = f->e;
    const char *name = namesake(x->fn), *test = comparison(x->fn), *step;
    if (name) return export_node(e, name, suffix, v, fn_args(x->fn));
    if (test) {
        step = export_node(e, test, "test", v, 2);
        return EXPORT_NODE(e, "Where", suffix, step, v[2], v[3]);
    }
    if (x->fn == FN_EXPM1) {
        step = EXPORT_NODE(e, "Exp", "exp", v[0]);
        return EXPORT_NODE(e, "Sub", suffix, step, export_number(e, "one", 1));
    }
    if (x->fn == FN_LOG1P) {
        step = EXPORT_NODE(e, "Add", "more", v[0], export_number(e, "one", 1));
        return EXPORT_NODE(e, "Log", suffix, step);
    }
    if (x->fn == FN_FMA) {
        step = export_node(e, "Mul", "product", v, 2);
        return EXPORT_NODE(e, "Add", suffix, step, v[2]);
    }
    export_fail(e, "its formula has %s, which ONNX has no node for", fn_name(x->fn));
    return NULL;
}

/* Recursion as deep as the formula, which is a row of ours. */
static const char *walk(Formula *f, const Expr *x) {
    const char *v[4] = {0}, *value;
    for (int i = 0; i < f->n_leaf; i++)
        if (f->leaf[i] == x) return f->leaf_value[i];
    for (int i = 0; i < f->n_value; i++)
        if (f->expr[i] == x) return f->value[i];
    if (x->kind == EXPR_CONST) {
        value = export_number(f->e, "c", x->value);
    } else {
        for (int i = 0; i < fn_args(x->fn); i++)
            if (!(v[i] = walk(f, x->arg[i]))) return NULL;
        value = call(f, x, v, x == f->root ? NULL : "step");
    }
    if (f->n_value == MOST_VALUES) return value;
    f->expr[f->n_value] = x;
    f->value[f->n_value++] = value;
    return value;
}

bool export_formula(Export *e, const char *const *in) {
    Formula f = {.e = e};
    leaves_add(&f, in);
    f.root = expr_parse_formula(e->a, op_table[e->n->op].formula, f.leaf_name, f.leaf, f.n_leaf, e->d);
    if (!f.root) return false;
    const char *value = walk(&f, f.root);
    if (value && value != e->result) EXPORT_NODE(e, "Identity", NULL, value);
    return value != NULL;
}
