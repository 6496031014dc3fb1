#include "frontend/cli/layer_args.h"

#include "ir/graph.h"

#include <string.h>

static bool set_descriptor(LayerArgs *l, DescriptorKind kind, const char *value, Diag *d) {
    if (l->descriptor) return diag_fail(d, DIAG_USAGE, "one descriptor is wanted, '%.100s' is too many", value);
    l->descriptor = value;
    l->kind = kind;
    return true;
}

static bool set_pooling(LayerArgs *l, const char *value, Diag *d) {
    static const char *const names[] = {"max", "avg_p", "avg_np"};
    for (int i = 0; i < (int)COUNT_OF(names); i++)
        if (strcmp(value, names[i]) == 0) {
            l->pool = (PoolKind)i;
            return l->pool_given = true;
        }
    return diag_fail(d, DIAG_USAGE, "--pooling wants max, avg_p or avg_np, not '%.100s'", value);
}

bool layer_option(LayerArgs *l, int key, const char *value, bool *good, Diag *d) {
    *good = true;
    switch (key) {
    case KEY_CONV: *good = set_descriptor(l, DESCRIPTOR_CONV, value, d); return true;
    case KEY_DECONV: *good = set_descriptor(l, DESCRIPTOR_DECONV, value, d); return true;
    case KEY_POOL: *good = set_descriptor(l, DESCRIPTOR_POOL, value, d); return true;
    case KEY_POOLING: *good = set_pooling(l, value, d); return true;
    case KEY_ALGORITHM: l->algorithm = value; return true;
    case KEY_LAYER: l->layer = value; return true;
    default: return false;
    }
}

bool layer_args_fit(const LayerArgs *l, const char *spec, Diag *d) {
    if (!!l->descriptor + !!l->layer + !!spec > 1)
        return diag_fail(d, DIAG_USAGE, "one of a spec, a descriptor and a --layer is wanted, not several");
    if (l->layer && !l->input) return diag_fail(d, DIAG_USAGE, "--layer wants the size of its input: -i 3,32,32");
    if (l->layer && l->algorithm)
        return diag_fail(d, DIAG_USAGE, "--algorithm is for descriptors: a layer says algorithm = \"%.50s\"",
                         l->algorithm);
    return true;
}

static bool is_one_of(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strcspn(p, "|") == n && strncmp(p, word, n) == 0) return true;
    return false;
}

const char *layer_args_more(const LayerArgs *l, DescriptorKind kind, Arena *a, Diag *d) {
    static const char *const op_name[] = {"conv", "convtranspose", "maxpool"};
    int op = op_find(op_name[kind]);
    if (!l->algorithm) return "";
    for (int i = 0; op >= 0 && i < op_table[op].n_attr; i++) {
        const AttrInfo *info = &op_table[op].attr[i];
        if (strcmp(info->name, "algorithm") != 0) continue;
        if (is_one_of(info->words, l->algorithm)) return arena_printf(a, ", algorithm = \"%s\"", l->algorithm);
        diag_fail(d, DIAG_USAGE, "--algorithm wants one of %s, not '%.100s'", info->words, l->algorithm);
        return NULL;
    }
    diag_fail(d, DIAG_UNSUPPORTED, "--algorithm: %s has no choice of algorithms", op_name[kind]);
    return NULL;
}

bool layer_args_text(const LayerArgs *l, Arena *a, LayerText *out, int64_t *batch, Diag *d) {
    if (l->layer) {
        *batch = 1;
        *out = (LayerText){l->layer, layers_input(a, l->input, d)};
        return out->input != NULL;
    }
    Descriptor x;
    const char *more = layer_args_more(l, l->kind, a, d);
    if (!more || !descriptor_read(&x, l->kind, l->descriptor, d)) return false;
    *batch = x.batch;
    return descriptor_layer(&x, l->pool, more, a, &out->layer, &out->input, d);
}
