#include "frontend/data/idx.h"

#include "frontend/data/fail.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#define IDX_CAP ((size_t)4 << 30)
enum { FIRST_BLOCK = 1 << 20 };

/* The file as it is read: gzread passes plain files through. */
typedef struct IdxFile {
    const char *path;
    gzFile gz;
    ElemType type;
    int rank;
    int64_t shape[ARRAY_MAX_RANK];
    size_t bytes;
} IdxFile;

static bool idx_type(uint8_t code, ElemType *out) {
    switch (code) {
    case 0x08: *out = ELEM_U8; return true;
    case 0x09: *out = ELEM_I8; return true;
    case 0x0b: *out = ELEM_I16; return true;
    case 0x0c: *out = ELEM_I32; return true;
    case 0x0d: *out = ELEM_F32; return true;
    case 0x0e: *out = ELEM_F64; return true;
    default: return false;
    }
}

bool idx_is(const uint8_t *p, size_t n) {
    ElemType t;
    return n >= 4 && p[0] == 0 && p[1] == 0 && idx_type(p[2], &t) && p[3] > 0;
}

static bool gz_fail(const IdxFile *f, Diag *d) {
    int code, error = errno;
    const char *text = gzerror(f->gz, &code);
    if (code == Z_ERRNO) return data_errno(d, f->path, "read", error);
    if (code == Z_MEM_ERROR) return data_oom(d, f->path, 0);
    /* zlib puts the path before its message */
    size_t n = strlen(f->path);
    if (strncmp(text, f->path, n) == 0 && strncmp(text + n, ": ", 2) == 0) text += n + 2;
    return data_fail(d, DIAG_FILE, f->path, "cannot read: %s", text);
}

/* Reads up to n bytes (n < 2³¹); false on an error, *got < n at the end of the file. */
static bool gz_read(const IdxFile *f, void *out, size_t n, size_t *got, Diag *d) {
    *got = 0;
    while (*got < n) {
        int step = gzread(f->gz, (uint8_t *)out + *got, (unsigned)(n - *got));
        if (step < 0) return gz_fail(f, d);
        if (step == 0) break;
        *got += (size_t)step;
    }
    /* A compressed file that is cut off is an error only in gzerror. */
    int code;
    gzerror(f->gz, &code);
    return *got < n && code != Z_OK && code != Z_STREAM_END ? gz_fail(f, d) : true;
}

static bool extents_read(IdxFile *f, int rank, Diag *d) {
    uint8_t raw[4 * ARRAY_MAX_RANK];
    size_t got;
    if (rank > ARRAY_MAX_RANK)
        return data_fail(d, DIAG_UNSUPPORTED, f->path, "at most %d axes are supported, %d found", ARRAY_MAX_RANK, rank);
    if (!gz_read(f, raw, (size_t)rank * 4, &got, d)) return false;
    if (got != (size_t)rank * 4) return data_fail(d, DIAG_FILE, f->path, "cut off in the extents");
    f->rank = rank;
    for (int i = 0; i < rank; i++) {
        const uint8_t *p = raw + 4 * i;
        f->shape[i] = (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    }
    return true;
}

static bool head_read(IdxFile *f, Diag *d) {
    uint8_t magic[4];
    size_t got;
    if (!gz_read(f, magic, sizeof magic, &got, d)) return false;
    if (!idx_is(magic, got) || !idx_type(magic[2], &f->type))
        return data_fail(d, DIAG_FILE, f->path, "not an IDX file: 0, 0, a type and a number of axes expected first");
    if (!extents_read(f, magic[3], d)) return false;
    char text[ARRAY_SHAPE_TEXT];
    if (shape_size(f->type, f->rank, f->shape, NULL, &f->bytes) && f->bytes <= IDX_CAP) return true;
    return data_fail(d, DIAG_UNSUPPORTED, f->path, "%s%s is too large, at most %zu bytes are supported",
                     elem_name(f->type), array_shape_text(text, f->rank, f->shape), IDX_CAP);
}

/* Twice the room, at most what the header wants. */
static bool room_grow(const IdxFile *f, uint8_t **p, size_t *room, Diag *d) {
    size_t next = *room > f->bytes / 2 ? f->bytes : 2 * *room;
    uint8_t *q = mem_realloc(*p, next);
    if (!q) return data_oom(d, f->path, next);
    *p = q;
    *room = next;
    return true;
}

static bool data_read(IdxFile *f, uint8_t **p, Diag *d) {
    size_t room = f->bytes < FIRST_BLOCK ? f->bytes : FIRST_BLOCK, have = 0, got;
    *p = mem_alloc(room);
    if (!*p) return data_oom(d, f->path, room);
    while (have < f->bytes) {
        if (have == room && !room_grow(f, p, &room, d)) return false;
        size_t step = room - have < ((size_t)1 << 30) ? room - have : (size_t)1 << 30;
        if (!gz_read(f, *p + have, step, &got, d)) return false;
        have += got;
        if (got < step) {
            char text[ARRAY_SHAPE_TEXT];
            return data_fail(d, DIAG_FILE, f->path, "cut off: %s%s needs %zu bytes of data, %zu found",
                             elem_name(f->type), array_shape_text(text, f->rank, f->shape), f->bytes, have);
        }
    }
    uint8_t more;
    if (!gz_read(f, &more, 1, &got, d)) return false; /* also compares the checksum of a gzip file */
    return got == 0 ? true
                    : data_fail(d, DIAG_FILE, f->path, "more than the %zu bytes of data its extents want", f->bytes);
}

static bool idx_read(IdxFile *f, Array *out, Diag *d) {
    uint8_t *p = NULL;
    if (!head_read(f, d)) return false;
    if (!data_read(f, &p, d)) {
        mem_free(p);
        return false;
    }
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) bytes_swap(p, f->bytes, elem_bytes(f->type));
    array_own(out, f->type, DATA_IDX, f->rank, f->shape, p);
    return true;
}

bool idx_load(const char *path, Array *out, Diag *d) {
    *out = (Array){0};
    MapFile *map = mapfile_open(path, d); /* only for its checks and messages: zlib's say little */
    if (!map) return false;
    mapfile_close(map);
    IdxFile f = {.path = path};
    errno = 0;
    f.gz = gzopen(path, "rb");
    if (!f.gz) return errno ? data_errno(d, path, "open", errno) : data_oom(d, path, 0);
    bool ok = idx_read(&f, out, d);
    gzclose_r(f.gz);
    return ok;
}
