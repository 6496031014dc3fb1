#include "frontend/data/npy.h"

#include "frontend/data/fail.h"
#include "frontend/data/npy_header.h"
#include "frontend/data/writer.h"

#include <stdio.h>
#include <string.h>

/* out in C order from data whose first axis is the fastest. */
static void bytes_transpose(const NpyHeader *h, const uint8_t *data, uint8_t *out) {
    size_t size = elem_bytes(h->type), stride[ARRAY_MAX_RANK], from = 0, step = size;
    int64_t at[ARRAY_MAX_RANK] = {0};
    for (int k = 0; k < h->rank; k++) {
        stride[k] = step;
        step *= (size_t)h->shape[k];
    }
    for (size_t to = 0; to < h->bytes; to += size) {
        memcpy(out + to, data + from, size);
        for (int k = h->rank - 1; k >= 0; k--) {
            from += stride[k];
            if (++at[k] < h->shape[k]) break;
            at[k] = 0;
            from -= stride[k] * (size_t)h->shape[k];
        }
    }
}

bool npy_finish(const NpyHeader *h, void *raw, const uint8_t *data, const char *name, Array *out, Diag *d) {
    bool transposed = h->fortran && h->rank > 1 && h->bytes > 0;
    uint8_t *heap = raw;
    if (!raw || transposed) {
        heap = mem_alloc(h->bytes);
        if (heap && transposed) bytes_transpose(h, raw ? raw : data, heap);
        else if (heap && h->bytes) memcpy(heap, data, h->bytes);
        mem_free(raw);
        if (!heap) return data_oom(d, name, h->bytes);
    }
    if (h->swapped) bytes_swap(heap, h->bytes, elem_bytes(h->type));
    array_own(out, h->type, DATA_NPY, h->rank, h->shape, heap);
    return true;
}

static bool npy_read(MapFile *map, Array *out, Diag *d) {
    NpyHeader h;
    if (!npy_header_parse(map->data, map->size, map->path, &h, d)) return false;
    size_t found = map->size - h.start;
    if (found != h.bytes) {
        char text[ARRAY_SHAPE_TEXT];
        return data_fail(d, DIAG_FILE, map->path, "%s%s needs %zu bytes of data, %zu found", elem_name(h.type),
                         array_shape_text(text, h.rank, h.shape), h.bytes, found);
    }
    if (h.swapped || (h.fortran && h.rank > 1)) return npy_finish(&h, NULL, map->data + h.start, map->path, out, d);
    array_own(out, h.type, DATA_NPY, h.rank, h.shape, NULL);
    out->data = map->data + h.start;
    out->map = map;
    return true;
}

bool npy_load_map(MapFile *map, Array *out, Diag *d) {
    *out = (Array){0};
    bool ok = npy_read(map, out, d);
    if (out->map != map) mapfile_close(map);
    return ok;
}

bool npy_load(const char *path, Array *out, Diag *d) {
    *out = (Array){0};
    MapFile *map = mapfile_open(path, d);
    return map && npy_load_map(map, out, d);
}

static const char *descr_of(ElemType t) {
    static const char *const names[] = {
        [ELEM_BOOL] = "|b1", [ELEM_U8] = "|u1",  [ELEM_I8] = "|i1",  [ELEM_U16] = "<u2", [ELEM_I16] = "<i2",
        [ELEM_U32] = "<u4",  [ELEM_I32] = "<i4", [ELEM_U64] = "<u8", [ELEM_I64] = "<i8", [ELEM_F16] = "<f2",
        [ELEM_BF16] = NULL,  [ELEM_F32] = "<f4", [ELEM_F64] = "<f8",
    };
    return names[t];
}

enum { WRITE_HEADER = 512, WRITE_ALIGN = 64 }; /* NumPy aligns the data so, for mapping */

/* The head of a version 1 file; returns its length. */
static size_t header_print(char out[WRITE_HEADER], const char *descr, int rank, const int64_t *shape) {
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    size_t n = 10 + (size_t)sprintf(out + 10, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < rank; i++)
        n += (size_t)sprintf(out + n, "%s%lld%s", i ? " " : "", (long long)shape[i],
                             i + 1 < rank || rank == 1 ? "," : "");
    n += (size_t)sprintf(out + n, "), }");
    while ((n + 1) % WRITE_ALIGN) out[n++] = ' ';
    out[n++] = '\n';
    out[8] = (char)((n - 10) & 255);
    out[9] = (char)((n - 10) >> 8);
    return n;
}

bool npy_write(const char *path, ElemType type, int rank, const int64_t *shape, const void *data, Diag *d) {
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "descr_of says '<'");
    char header[WRITE_HEADER];
    size_t bytes = 0;
    if (rank < 0 || rank > ARRAY_MAX_RANK || !shape_size(type, rank, shape, NULL, &bytes))
        return data_fail(d, DIAG_INTERNAL, path, "cannot write: a shape of rank %d is too large", rank);
    if (!descr_of(type)) return data_fail(d, DIAG_UNSUPPORTED, path, "npy files cannot hold %s", elem_name(type));
    size_t n = header_print(header, descr_of(type), rank, shape);
    FileWriter *w = writer_open(path, d);
    if (!w) return false;
    if (writer_add(w, header, n, d) && writer_add(w, data, bytes, d)) return writer_commit(w, d);
    writer_abort(w);
    return false;
}
