/* layout: blocked activations with physical halos, packed weights.
 *
 * Needs: no BATCHNORM. Keeps: the plain form of every type. Sets: types of activations with
 * positions to [n C … c16] where the channels divide into blocks; halos as the convolutions and pools that
 * read them need; RELAYOUT nodes where a value must exist in a second layout (inputs and outputs of
 * the network, consumers that want another halo value), and on the weights of convolutions and dense
 * layers. After this every node's type is what its memory will look like.
 *
 * A block is the widest that keeps every index affine: the lanes of the target if they divide the
 * channels, all channels if they are fewer, else a smaller power of two. */
#include "ir/passes.h"

#include "ir/ops/convtranspose.h"
#include "ir/ops/move.h"
#include "ir/ops/winograd.h"

#include <math.h>
#include <string.h>

/* ---- blocks ------------------------------------------------------------------------------------ */

static bool block_fits_group(int64_t block, int64_t in_group) { return in_group % block == 0 || block % in_group == 0; }

/* Whether block b of node x keeps the indexes of this user of x affine (or of x itself). */
static bool block_fits(const Node *user, const Node *x, int64_t b) {
    if (user->op == OP_CONV || user->op == OP_CONVTRANSPOSE) {
        bool conv = user->op == OP_CONV;
        int64_t groups = conv ? user->attr.CONV.groups : user->attr.CONVTRANSPOSE.groups;
        if (user == x) return block_fits_group(b, type_extent(&x->type, 'c') / groups);
        return user->in[0] != x || block_fits_group(b, type_extent(&x->type, 'c') / groups);
    }
    if (user->op == OP_PAD) { /* runs of padded channels start anywhere */
        int rank = type_plain(&user->type).rank;
        return b == 1 || (rank > 1 && user->attr.PAD.pads.v[1] == 0 && user->attr.PAD.pads.v[rank + 1] == 0);
    }
    if (user->op == OP_SLICE && user != x) return b == 1 || slice_keeps_blocks(user, b);
    if (user->op == OP_REVERSE && user != x) return b == 1 || !reverse_moves_channels(user);
    if (user->op == OP_RESIZE) return b == 1 || !resize_moves_channels(user);
    if (user->op == OP_CONCAT && concat_axis(user) == 1) {
        int64_t offset = 0;
        for (int i = 0; i < user->n_in; i++) {
            if (user == x && offset % b != 0) return false;
            offset += type_extent(&user->in[i]->type, 'c');
        }
    }
    return true;
}

static bool block_legal(const Graph *g, const Node *x, int64_t b) {
    if (!block_fits(x, x, b)) return false;
    for (int i = 0; i < g->n_node; i++)
        for (int j = 0; j < g->node[i]->n_in; j++)
            if (g->node[i]->in[j] == x && !block_fits(g->node[i], x, b)) return false;
    return true;
}

static int64_t block_choose(const Graph *g, const Node *x, int lanes) {
    int64_t channels = type_extent(&x->type, 'c');
    if (channels <= lanes && block_legal(g, x, channels)) return channels;
    for (int64_t b = lanes; b > 1; b /= 2)
        if (channels % b == 0 && block_legal(g, x, b)) return b;
    return 1;
}

/* [n c h w] → [n C h w c16] */
static Type type_blocked(const Type *plain, int64_t block) {
    if (block <= 1) return *plain;
    Type t = {.dtype = plain->dtype};
    t.axis[t.rank++] = plain->axis[0];
    t.axis[t.rank++] = (Axis){'C', (int32_t)(plain->axis[1].extent / block), 0, 0};
    for (int i = 2; i < plain->rank; i++) t.axis[t.rank++] = plain->axis[i];
    t.axis[t.rank++] = (Axis){'c', (int32_t)block, 0, 0};
    return t;
}

/* Whether a value may be blocked: [n c w], [n c h w] or [n c d h w] of floats, from a kernel that can write blocks. */
static bool can_block(const Node *n) {
    Axis s[MAX_SPATIAL];
    bool sources = n->op == OP_INPUT || graph_is_constant(n), plain = op_table[n->op].flags & OPF_PLAIN;
    return !sources && !plain && n->type.dtype == DT_F32 && type_spatial(&n->type, s) > 0 &&
           n->type.rank <= 2 + MAX_SPATIAL;
}

/* A convolution with fewer output channels, in all or in a group, than a vector has lanes: its vectors run along w, in the
 * input too. (Depthwise has a channel in each lane.) Measured on Zen 3: 9×9 32→3 at 256×256 17 → 76 % of peak, 5×5 1→6 at
 * 28×28 32 → 75 %. */
static bool has_few_outputs(const Node *n, int lanes) {
    Axis s[MAX_SPATIAL];
    if (n->op != OP_CONV) return false;
    int last = type_spatial(&n->type, s) - 1;
    int64_t groups = n->attr.CONV.groups, out = n->attr.CONV.out / groups,
            in = type_extent(&n->in[0]->type, 'c') / groups;
    bool few =
        groups == 1 ? out < lanes && s[last].extent >= 2 * lanes : out > 1 && in > 1 && out < lanes && in < lanes;
    int64_t uses = out; /* of an element of x: fewer do not pay for the copy without blocks */
    for (int i = 0; i <= last; i++) uses *= n->attr.CONV.kernel.v[i];
    if (n->in[0]->op != OP_INPUT && uses < 16) return false;
    return few && n->attr.CONV.stride.v[last] == 1 && s[last].extent >= lanes;
}

/* Such a convolution, or what is computed of it alone and so in its kernel. */
static bool ends_few_outputs(const Graph *g, const Node *n, int lanes) {
    Type y = type_plain(&n->type);
    if (has_few_outputs(n, lanes)) return true;
    if (!(op_table[n->op].flags & OPF_POINTWISE)) return false;
    for (int i = 0; i < n->n_in; i++) { /* each value has one user here: no node is seen twice */
        Type x = type_plain(&n->in[i]->type);
        if (type_equal(&x, &y) && graph_count_uses(g, n->in[i]) == 1 && ends_few_outputs(g, n->in[i], lanes))
            return true;
    }
    return false;
}

/* Whether the user's kernel reads this input without blocks only: where its axes count from the last, c is another one. */
static bool reads_plain(const Node *user, const Node *x, int lanes) {
    if ((op_table[user->op].flags & OPF_PLAIN) || (user->in[0] == x && has_few_outputs(user, lanes))) return true;
    return (op_table[user->op].flags & OPF_POINTWISE) && type_plain(&x->type).rank != type_plain(&user->type).rank;
}

/* ---- halos ------------------------------------------------------------------------------------- */

typedef struct Halo {
    int n;
    int32_t lo[MAX_SPATIAL], hi[MAX_SPATIAL];
    float value;
} Halo;

/* What this node reads around its input: false if nothing. */
static bool halo_needed(const Node *n, Halo *h) {
    NodeWindow w;
    *h = (Halo){0};
    if (n->op == OP_CONVTRANSPOSE) {
        bool some = false;
        convtranspose_reach(n, h->lo, h->hi);
        h->n = n->attr.CONVTRANSPOSE.kernel.n;
        for (int i = 0; i < h->n; i++) some |= h->lo[i] || h->hi[i];
        return some;
    }
    if (n->op == OP_WINOINPUT) {
        bool some = false;
        wino_reach(n, h->lo, h->hi);
        h->n = n->attr.WINOINPUT.tile.n;
        for (int i = 0; i < h->n; i++) some |= h->lo[i] || h->hi[i];
        return some;
    }
    if (n->op == OP_MAXUNPOOL || !node_window(n, &w)) return false;
    if (n->op == OP_MAXPOOL || n->op == OP_MAXPOOLINDEX) h->value = -INFINITY;
    Axis in[MAX_SPATIAL], out[MAX_SPATIAL];
    h->n = type_spatial(&n->in[0]->type, in);
    type_spatial(&n->type, out);
    bool any = false;
    for (int i = 0; i < h->n; i++) {
        int64_t span = (int64_t)(w.kernel.v[i] - 1) * w.dilation.v[i];
        int64_t last = (int64_t)(out[i].extent - 1) * w.stride.v[i] + span - w.pad.lo[i];
        h->lo[i] = w.pad.lo[i];
        h->hi[i] = last >= in[i].extent ? (int32_t)(last - in[i].extent + 1) : 0;
        any |= h->lo[i] || h->hi[i];
    }
    return any;
}

static bool type_has_halo(const Type *t) {
    for (int i = 0; i < t->rank; i++)
        if (t->axis[i].lo || t->axis[i].hi) return true;
    return false;
}

static void type_widen(Type *t, const Halo *h) {
    int s = 0;
    for (int i = 0; i < t->rank; i++) {
        if (!strchr("dhw", t->axis[i].letter)) continue;
        if (h->lo[s] > t->axis[i].lo) t->axis[i].lo = h->lo[s];
        if (h->hi[s] > t->axis[i].hi) t->axis[i].hi = h->hi[s];
        s++;
    }
    t->halo = h->value;
}

static Node *insert_relayout(Graph *g, Node *before, Node *x, const char *suffix, const Type *type) {
    AttrAny attr;
    attr_defaults(OP_RELAYOUT, &attr);
    const char *name = graph_fresh_name(g, arena_printf(g->arena, "%s.%s", x->name, suffix));
    Node *r = graph_insert(g, before, OP_RELAYOUT, name, &x, 1, &attr);
    r->type = *type;
    r->loc = x->loc;
    r->origin = x->origin;
    return r;
}

/* A copy of x for users that cannot read it as it lies: one that is there already if its halo value fits. */
static Node *padded_copy(Graph *g, Node *user, Node *x, const Halo *h, int lanes) {
    bool unblocked = (op_table[user->op].flags & OPF_PLAIN) || has_few_outputs(user, lanes);
    for (int i = 0; i < user->id; i++) {
        Node *r = g->node[i];
        if (r->op != OP_RELAYOUT || r->in[0] != x || (type_has_halo(&r->type) && r->type.halo != h->value)) continue;
        if (r->home) continue; /* a part of a concat: its halo is that of the whole */
        if (unblocked && type_block(&r->type, 'c') > 1) continue;
        type_widen(&r->type, h);
        return r;
    }
    Type plain = type_plain(&x->type), t = x->type;
    if (x->op == OP_INPUT)
        t = plain.axis[1].extent < lanes || unblocked ? plain : type_blocked(&plain, block_choose(g, x, lanes));
    for (int i = 0; i < t.rank; i++) t.axis[i].lo = t.axis[i].hi = 0;
    type_widen(&t, h);
    return insert_relayout(g, user, x, type_has_halo(&t) ? "padded" : "blocked", &t);
}

/* A copy as plain memory: one that is there already, else a new one. */
static Node *dense_copy(Graph *g, Node *user, Node *x) {
    Type plain = type_plain(&x->type);
    for (int i = 0; i < user->id; i++)
        if (g->node[i]->op == OP_RELAYOUT && g->node[i]->in[0] == x && type_is_plain(&g->node[i]->type))
            return g->node[i];
    return insert_relayout(g, user, x, "plain", &plain);
}

/* A copy without blocks: one that is there already, else a new one. */
static Node *plain_copy(Graph *g, Node *user, Node *x) {
    Type plain = type_plain(&x->type);
    for (int i = 0; i < user->id; i++)
        if (g->node[i]->op == OP_RELAYOUT && g->node[i]->in[0] == x && type_block(&g->node[i]->type, 'c') == 1)
            return g->node[i];
    return insert_relayout(g, user, x, "plain", &plain);
}

/* The halo goes to the producer (of all that the value is a part of) if it can have one of this value; else this user reads
 * a copy. */
static void halo_give(Graph *g, Node *user, const Halo *h, int lanes) {
    Node *x = user->in[0], *whole = x->home ? x->home : x;
    if (x->op != OP_INPUT && (!type_has_halo(&whole->type) || whole->type.halo == h->value))
        type_widen(&whole->type, h);
    else user->in[0] = padded_copy(g, user, x, h, lanes);
}

/* ---- parts of a concat ---------------------------------------------------------------------------- */

/* Copies for the inputs that cannot lie in a concat's memory, if others can: then all can. */
static void copy_strays(Graph *g) {
    Node **home = graph_find_homes(g);
    int n = g->n_node;
    Node **node = ARENA_ARRAY(g->arena, Node *, n);
    for (int i = 0; i < n; i++) node[i] = g->node[i];
    for (int i = 0; i < n; i++) {
        bool any = false;
        if (node[i]->op != OP_CONCAT) continue;
        Node *whole = home[i] ? home[i] : node[i];
        for (int k = 0; k < node[i]->n_in; k++) any |= node[i]->in[k]->id < n && home[node[i]->in[k]->id] == whole;
        if (!any) continue;
        for (int k = 0; k < node[i]->n_in; k++) {
            Node *x = node[i]->in[k];
            if (home[x->id] == whole) continue;
            node[i]->in[k] = insert_relayout(g, node[i], x, "part", &x->type);
            node[i]->in[k]->constant = false; /* its place is not among the weights */
        }
    }
}

/* What will lie in another's memory (ir/graph/place.c) has its blocks, and so has what is computed with it. */
static void agree_on_blocks(Graph *g, int64_t *block) {
    Node **home = graph_find_homes(g);
    for (int i = g->n_node - 1; i >= 0; i--) {
        Node *n = g->node[i];
        n->home = home[i];
        if (!home[i]) continue;
        int64_t b = block[home[i]->id];
        if (b != block[i] &&
            !(type_extent(&n->type, 'c') % b == 0 && (b == 1 || (can_block(n) && block_legal(g, n, b))))) {
            n->home = NULL;
            continue;
        }
        block[i] = b;
        while (b > 1 && (op_table[n->op].flags & OPF_POINTWISE)) { /* a convolution's activation: both the same */
            Node *x = n->in[0];
            Type t = type_plain(&x->type), y = type_plain(&n->type);
            if (!can_block(x) || !type_equal(&t, &y) || graph_count_uses(g, x) != 1 || home[x->id] ||
                !block_legal(g, x, b))
                break;
            block[x->id] = b;
            n = x;
        }
    }
}

/* Halos are known: parts have those of the whole. */
static void agree_on_halos(Graph *g) {
    for (int i = 0; i < g->n_node; i++) {
        Node *n = g->node[i];
        if (!n->home) continue;
        for (int k = 0; k < n->type.rank; k++) {
            int of = type_find(&n->home->type, n->type.axis[k].letter);
            if (of < 0 || !strchr("dhw", n->type.axis[k].letter)) continue;
            n->type.axis[k].lo = n->home->type.axis[of].lo;
            n->type.axis[k].hi = n->home->type.axis[of].hi;
        }
        n->type.halo = n->home->type.halo;
    }
    for (int i = 0; i < g->n_node; i++) g->node[i]->home = NULL; /* place says, from the types */
}

/* An input of many channels that a window slides over is read many times: blocked, it stays in the cache. */
static bool wants_blocks(const Graph *g, const Node *user, int lanes) {
    NodeWindow w;
    if (op_table[user->op].flags & OPF_PLAIN || has_few_outputs(user, lanes) || !node_window(user, &w)) return false;
    const Node *x = user->in[0];
    return x->op == OP_INPUT && type_extent(&x->type, 'c') >= lanes && block_choose(g, x, lanes) > 1;
}

/* ---- weights ------------------------------------------------------------------------------------ */

/* What one phase of a transposed convolution reads lies together: along an axis it takes every stride-th tap, so the
 * residue of a tap goes outside. Only where the stride divides the kernel: a type has no gaps. */
static bool phases_apart(const Node *n) {
    const CONVTRANSPOSE_attr *t = &n->attr.CONVTRANSPOSE;
    bool any = false, all = n->op == OP_CONVTRANSPOSE;
    for (int i = 0; all && i < t->kernel.n; i++) {
        all = t->dilation.v[i] == 1 && t->kernel.v[i] % t->stride.v[i] == 0;
        any |= t->stride.v[i] > 1;
    }
    return all && any;
}

/* conv: [o c h w] → [O C h w c o16], as the blocks of its output and input say; transposed convolution with a stride of 2:
 * [O h2 w2 C H W c o16], h and w the residues; dense: [O c o16]. Only what is packed before any run: a weight that the
 * network computes is read as it lies. */
static void pack_weight(Graph *g, Node *n, int lanes) {
    Node *w = n->in[1];
    if (!graph_is_constant(w)) return;
    Type plain = type_plain(&w->type), t = {.dtype = plain.dtype};
    int64_t out = plain.axis[0].extent, in = plain.axis[1].extent;
    int64_t o_block = type_block(&n->type, 'c'), c_block = type_block(&n->in[0]->type, 'c');
    if (n->op == OP_DENSE) o_block = out % lanes == 0 ? lanes : out;
    if (in % c_block != 0) c_block = 1;
    int32_t outside[MAX_AXES] = {0};
    bool phases = phases_apart(n);
    for (int i = 2; i < plain.rank; i++) {
        if (phases) outside[i] = n->attr.CONVTRANSPOSE.stride.v[i - 2];
        if (n->op == OP_CONV && c_block > 1 && i < plain.rank - 1) outside[i] = plain.axis[i].extent;
    }
    t.axis[t.rank++] = (Axis){o_block > 1 ? 'O' : 'o', (int32_t)(out / o_block), 0, 0};
    for (int i = 2; i < plain.rank; i++)
        if (outside[i] > 1) t.axis[t.rank++] = (Axis){plain.axis[i].letter, outside[i], 0, 0};
    t.axis[t.rank++] = (Axis){c_block > 1 ? 'C' : 'c', (int32_t)(in / c_block), 0, 0};
    for (int i = 2; i < plain.rank; i++) {
        Axis k = plain.axis[i];
        if (outside[i] > 1) k = (Axis){(char)(k.letter - 'a' + 'A'), k.extent / outside[i], 0, 0};
        t.axis[t.rank++] = k;
    }
    if (c_block > 1) t.axis[t.rank++] = (Axis){'c', (int32_t)c_block, 0, 0};
    if (o_block > 1) t.axis[t.rank++] = (Axis){'o', (int32_t)o_block, 0, 0};
    if (!type_equal(&t, &w->type)) n->in[1] = insert_relayout(g, n, w, "packed", &t);
}

/* Tiles and what they are multiplied by: each place of a tile is a matrix of its own, [h6 w6 n C H W c8] and [h6 w6 O C H1 W1 c8 o8]. */
static Type tiles_outside(const Type *blocked, const Type *weight) {
    Type t = {.dtype = blocked->dtype}, rest = {0};
    for (int i = 0; i < blocked->rank; i++) {
        Axis x = blocked->axis[i];
        int at = strchr("hw", x.letter) ? type_find(weight, x.letter) : -1;
        int32_t places = at < 0 ? 1 : weight->axis[at].extent;
        if (places > 1) {
            t.axis[t.rank++] = (Axis){x.letter, places, 0, 0};
            x = (Axis){(char)(x.letter - 'a' + 'A'), x.extent / places, 0, 0};
        }
        rest.axis[rest.rank++] = x;
    }
    for (int i = 0; i < rest.rank; i++) t.axis[t.rank++] = rest.axis[i];
    return t;
}

static void pack_tiles(Graph *g, Node *product) {
    Node *u = product->in[1];
    Type plain = type_plain(&u->type), t = {.dtype = plain.dtype};
    int32_t o = (int32_t)type_block(&product->type, 'c'), c = (int32_t)type_block(&product->in[0]->type, 'c');
    for (int i = 2; i < plain.rank; i++)
        if (plain.axis[i].extent > 1) t.axis[t.rank++] = plain.axis[i];
    t.axis[t.rank++] = (Axis){o > 1 ? 'O' : 'o', plain.axis[0].extent / o, 0, 0};
    t.axis[t.rank++] = (Axis){c > 1 ? 'C' : 'c', plain.axis[1].extent / c, 0, 0};
    for (int i = 2; i < plain.rank; i++) {
        char letter = plain.axis[i].letter;
        t.axis[t.rank++] = (Axis){plain.axis[i].extent > 1 ? (char)(letter - 'a' + 'A') : letter, 1, 0, 0};
    }
    if (c > 1) t.axis[t.rank++] = (Axis){'c', c, 0, 0};
    if (o > 1) t.axis[t.rank++] = (Axis){'o', o, 0, 0};
    product->in[1] = insert_relayout(g, product, u, "packed", &t);
}

/* ---- the pass ------------------------------------------------------------------------------------ */

static void plain_outputs(Graph *g) {
    for (int i = 0; i < g->n_out; i++) {
        Node *n = g->out[i].node;
        Type plain = type_plain(&n->type);
        if (type_elements(&plain) == 0) continue;
        bool own = n->op != OP_INPUT && !graph_is_constant(n);  /* a value that a kernel writes … */
        for (int j = 0; j < i; j++) own &= g->out[j].node != n; /* … to one place */
        if (own && type_equal(&plain, &n->type)) continue;
        Node *r = insert_relayout(g, NULL, n, "plain", &plain);
        r->constant = false; /* the kernel that copies it runs, whatever it copies */
        g->out[i].node = r;
    }
}

void pass_layout(Graph *g, PassContext *c) {
    int lanes = target_lanes(c->target);
    graph_cut_panels(g);
    copy_strays(g);
    int64_t *block = ARENA_ARRAY(g->arena, int64_t, g->n_node);
    for (int i = 0; i < g->n_node; i++)
        block[i] =
            can_block(g->node[i]) && !ends_few_outputs(g, g->node[i], lanes) ? block_choose(g, g->node[i], lanes) : 1;
    agree_on_blocks(g, block);
    for (int i = 0; i < g->n_node; i++)
        if (block[i] > 1) g->node[i]->type = type_blocked(&g->node[i]->type, block[i]);
    for (int i = 0; i < g->n_node; i++) {
        Node *n = g->node[i];
        if (n->op != OP_WINOPRODUCT) continue;
        n->type = tiles_outside(&n->type, &n->in[1]->type);
        n->in[0]->type = tiles_outside(&n->in[0]->type, &n->in[1]->type);
    }
    for (int i = 0; i < g->n_node; i++) {
        Node *n = g->node[i];
        Halo h;
        for (int k = 0; k < n->n_in; k++)
            if (type_block(&n->in[k]->type, 'c') > 1 && reads_plain(n, n->in[k], lanes))
                n->in[k] = plain_copy(g, n, n->in[k]);
        if (halo_needed(n, &h) || wants_blocks(g, n, lanes)) halo_give(g, n, &h, lanes);
        if (n->op == OP_CONV || n->op == OP_CONVTRANSPOSE || n->op == OP_DENSE) pack_weight(g, n, lanes);
        if (n->op == OP_WINOPRODUCT) pack_tiles(g, n);
        while (g->node[i] != n) i++;
    }
    agree_on_halos(g);
    for (int i = 0; i < g->n_node; i++) { /* halos are known only now */
        Node *n = g->node[i];
        if (op_table[n->op].flags & OPF_DENSE && !type_is_plain(&n->in[0]->type)) n->in[0] = dense_copy(g, n, n->in[0]);
        while (g->node[i] != n) i++;
    }
    plain_outputs(g);
}
