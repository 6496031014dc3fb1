/* ONNX files: protobuf messages, unpacked by protobuf-c from bounded memory. */
#include "frontend/onnx/import.h"

#include "frontend/data/fail.h"

#include <string.h>

enum {
    DEPTH = 32,        /* of messages in messages: the unpacker recurses */
    GROWTH = 64,       /* bytes of memory a byte of file: an empty node of 2 bytes makes 150, a real one is far below */
    BASE = 1024 * 1024 /* small models */
};

/* ---- memory ---------------------------------------------------------------------------------------- */

typedef struct OnnxBlock {
    _Alignas(16) struct OnnxBlock *next;
} OnnxBlock;

static void *block_alloc(void *ctx, size_t size) {
    OnnxFile *f = ctx;
    size_t most = f->size > SIZE_MAX / GROWTH - BASE ? SIZE_MAX : f->size * GROWTH + BASE, all;
    if (!size_add(size, sizeof(OnnxBlock), &all) || all > most || f->taken > most - all) {
        f->full = true;
        return NULL;
    }
    OnnxBlock *b = mem_alloc(all);
    if (!b) {
        f->oom = true;
        return NULL;
    }
    f->taken += all;
    b->next = f->blocks;
    f->blocks = b;
    return b + 1;
}

/* Everything goes at once, in onnx_close. */
static void block_free(void *ctx, void *p) {
    (void)ctx;
    (void)p;
}

/* ---- before unpacking ------------------------------------------------------------------------------ */

typedef struct Scan {
    const uint8_t *p, *end;
} Scan;

static bool scan_varint(Scan *s, uint64_t *out) {
    *out = 0;
    for (int shift = 0; shift < 70 && s->p < s->end; shift += 7) {
        uint8_t byte = *s->p++;
        if (shift < 64) *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static bool scan_skip(Scan *s, uint64_t n) {
    if (n > (uint64_t)(s->end - s->p)) return false;
    s->p += n;
    return true;
}

/* Whether the lengths fit and messages are nested at most `depth` deep. */
static bool scan_message(const ProtobufCMessageDescriptor *m, Scan s, int depth) {
    uint64_t key, n;
    if (depth == 0) return false;
    while (s.p < s.end) {
        if (!scan_varint(&s, &key)) return false;
        const ProtobufCFieldDescriptor *f =
            key >> 3 <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(m, (unsigned)(key >> 3)) : NULL;
        bool good = false;
        switch (key & 7) {
        case 0: good = scan_varint(&s, &n); break;
        case 1: good = scan_skip(&s, 8); break;
        case 2: {
            if (!scan_varint(&s, &n)) return false;
            Scan inner = {s.p, s.p};
            good = scan_skip(&s, n);
            inner.end = s.p;
            if (good && f && f->type == PROTOBUF_C_TYPE_MESSAGE) good = scan_message(f->descriptor, inner, depth - 1);
            break;
        }
        case 5: good = scan_skip(&s, 4); break;
        default: break;
        }
        if (!good) return false;
    }
    return true;
}

/* ---- files ----------------------------------------------------------------------------------------- */

static ProtobufCMessage *file_unpack(OnnxFile *f, const char *path, const ProtobufCMessageDescriptor *type,
                                     const char *what, Diag *d) {
    *f = (OnnxFile){0};
    MapFile *map = mapfile_open(path, d);
    if (!map) return NULL;
    ProtobufCMessage *message = NULL;
    ProtobufCAllocator allocator = {block_alloc, block_free, f};
    f->size = map->size;
    bool sane = scan_message(type, (Scan){map->data, map->data + map->size}, DEPTH);
    if (sane) message = protobuf_c_message_unpack(type, &allocator, map->size, map->data);
    mapfile_close(map);
    if (message) return message;
    size_t taken = f->taken;
    bool full = f->full, oom = f->oom;
    onnx_close(f);
    if (oom) data_oom(d, path, taken);
    else if (full) data_fail(d, DIAG_FILE, path, "would take more than %d times its size in memory", GROWTH);
    else data_fail(d, DIAG_FILE, path, "not an ONNX %s, or cut short, or damaged", what);
    return NULL;
}

bool onnx_open(OnnxFile *f, const char *path, Diag *d) {
    ProtobufCMessage *message = file_unpack(f, path, &onnx__model_proto__descriptor, "model", d);
    f->model = (Onnx__ModelProto *)message;
    return message != NULL;
}

bool onnx_open_tensor(OnnxFile *f, const char *path, Diag *d) {
    ProtobufCMessage *message = file_unpack(f, path, &onnx__tensor_proto__descriptor, "tensor", d);
    f->tensor = (Onnx__TensorProto *)message;
    return message != NULL;
}

void onnx_close(OnnxFile *f) {
    for (int i = 0; i < f->n_data; i++) mapfile_close(f->data[i]);
    f->n_data = 0;
    while (f->blocks) {
        OnnxBlock *next = f->blocks->next;
        mem_free(f->blocks);
        f->blocks = next;
    }
    *f = (OnnxFile){0};
}
