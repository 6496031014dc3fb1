#include "frontend/data/fail.h"
#include "frontend/data/npy.h"
#include "frontend/data/npy_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>

struct Npz {
    MapFile *map;
    zip_t *zip;
};

enum { LABEL_TEXT = 512 };
#define MEMBER_CAP ((uint64_t)16 << 30)
/* deflate makes at most 258 bytes of 2 bits: 1032 of a byte (zlib's technical notes). What a member
 * claims beyond that cannot be there, so memory is bounded by the bytes of the file. */
#define DEFLATE_RATIO 1032u

static bool npz_fail(const Npz *z, zip_error_t *e, const char *what, Diag *d) {
    DiagKind kind = zip_error_code_zip(e) == ZIP_ER_MEMORY ? DIAG_MACHINE : DIAG_FILE;
    return data_fail(d, kind, z->map->path, "%s: %s", what, zip_error_strerror(e));
}

static bool npz_open_zip(Npz *z, Diag *d) {
    zip_error_t e;
    zip_error_init(&e);
    zip_source_t *source = zip_source_buffer_create(z->map->data, z->map->size, 0, &e);
    z->zip = source ? zip_open_from_source(source, ZIP_RDONLY, &e) : NULL;
    if (!z->zip) npz_fail(z, &e, "cannot read the archive", d);
    if (!z->zip && source) zip_source_free(source);
    zip_error_fini(&e);
    return z->zip != NULL;
}

/* Every name must be there and lead back to its own member. */
static bool npz_check_names(const Npz *z, Diag *d) {
    for (size_t i = 0; i < npz_count(z); i++) {
        const char *name = zip_get_name(z->zip, i, 0);
        if (!name) return npz_fail(z, zip_get_error(z->zip), "cannot read a member's name", d);
        if (zip_name_locate(z->zip, name, 0) != (zip_int64_t)i)
            return data_fail(d, DIAG_FILE, z->map->path, "two members are named '%s'", name);
    }
    return true;
}

Npz *npz_open_map(MapFile *map, Diag *d) {
    Npz *z = mem_alloc(sizeof *z);
    if (!z) {
        data_oom(d, map->path, sizeof *z);
        mapfile_close(map);
        return NULL;
    }
    z->map = map;
    if (npz_open_zip(z, d) && npz_check_names(z, d)) return z;
    npz_close(z);
    return NULL;
}

Npz *npz_open(const char *path, Diag *d) {
    MapFile *map = mapfile_open(path, d);
    return map ? npz_open_map(map, d) : NULL;
}

void npz_close(Npz *z) {
    if (!z) return;
    if (z->zip) zip_discard(z->zip);
    mapfile_close(z->map);
    mem_free(z);
}

size_t npz_count(const Npz *z) { return (size_t)zip_get_num_entries(z->zip, 0); }
const char *npz_name(const Npz *z, size_t member) { return zip_get_name(z->zip, member, 0); }

bool npz_find(const Npz *z, const char *name, size_t *member) {
    char longer[LABEL_TEXT];
    zip_int64_t i = zip_name_locate(z->zip, name, 0);
    if (i < 0 && snprintf(longer, sizeof longer, "%s.npy", name) < (int)sizeof longer)
        i = zip_name_locate(z->zip, longer, 0);
    if (i >= 0) *member = (size_t)i;
    return i >= 0;
}

/* One member while it is read. */
typedef struct Member {
    const Npz *npz;
    zip_file_t *file;
    uint64_t size;          /* as declared */
    char label[LABEL_TEXT]; /* "a.npz:x.npy" */
} Member;

static bool member_stat(Member *m, size_t index, Diag *d) {
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    zip_stat_t st;
    if (zip_stat_index(m->npz->zip, index, 0, &st) != 0 || (st.valid & needed) != needed)
        return data_fail(d, DIAG_FILE, m->label, "cannot read the member's entry");
    if (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE)
        return data_fail(d, DIAG_UNSUPPORTED, m->label, "only stored and deflated members are supported (method %d)",
                         st.comp_method);
    if (st.size > MEMBER_CAP)
        return data_fail(d, DIAG_UNSUPPORTED, m->label, "a member of %" PRIu64 " bytes, at most %" PRIu64 " supported",
                         (uint64_t)st.size, MEMBER_CAP);
    if (st.comp_size > m->npz->map->size || st.size / DEFLATE_RATIO > st.comp_size ||
        (st.comp_method == ZIP_CM_STORE && st.size > st.comp_size))
        return data_fail(d, DIAG_FILE, m->label,
                         "declares %" PRIu64 " bytes of data, which its %" PRIu64 " bytes cannot hold",
                         (uint64_t)st.size, (uint64_t)st.comp_size);
    m->size = st.size;
    return true;
}

static bool member_read(Member *m, void *out, size_t n, Diag *d) {
    uint8_t *to = out;
    while (n) {
        size_t step = n < (1u << 30) ? n : 1u << 30;
        zip_int64_t got = zip_fread(m->file, to, step);
        if (got < 0) {
            zip_error_t *e = zip_file_get_error(m->file);
            return data_fail(d, zip_error_code_zip(e) == ZIP_ER_MEMORY ? DIAG_MACHINE : DIAG_FILE, m->label,
                             "cannot read: %s", zip_error_strerror(e));
        }
        if (got == 0) return data_fail(d, DIAG_FILE, m->label, "cut off: %zu more bytes expected", n);
        to += got;
        n -= (size_t)got;
    }
    return true;
}

/* The end must be here; reading up to it also makes libzip compare the checksum. */
static bool member_end(Member *m, Diag *d) {
    char more;
    zip_int64_t got = zip_fread(m->file, &more, 1);
    if (got == 0) return true;
    if (got > 0) return data_fail(d, DIAG_FILE, m->label, "more bytes than its header wants");
    return data_fail(d, DIAG_FILE, m->label, "cannot read: %s", zip_error_strerror(zip_file_get_error(m->file)));
}

static bool member_header(Member *m, NpyHeader *h, Diag *d) {
    uint8_t start[NPY_START];
    size_t n;
    if (m->size < NPY_START) return data_fail(d, DIAG_FILE, m->label, "not an npy file");
    if (!member_read(m, start, sizeof start, d) || !npy_header_bytes(start, sizeof start, m->label, &n, d))
        return false;
    if (n > m->size)
        return data_fail(d, DIAG_FILE, m->label, "cut off: npy header of %zu bytes, %" PRIu64 " found", n, m->size);
    uint8_t *head = mem_alloc(n);
    if (!head) return data_oom(d, m->label, n);
    memcpy(head, start, sizeof start);
    bool ok = member_read(m, head + sizeof start, n - sizeof start, d) && npy_header_parse(head, n, m->label, h, d);
    mem_free(head);
    return ok;
}

static bool member_data(Member *m, Array *out, Diag *d) {
    NpyHeader h;
    if (!member_header(m, &h, d)) return false;
    if (m->size - h.start != h.bytes) {
        char text[ARRAY_SHAPE_TEXT];
        return data_fail(d, DIAG_FILE, m->label, "%s%s needs %zu bytes of data, %" PRIu64 " found", elem_name(h.type),
                         array_shape_text(text, h.rank, h.shape), h.bytes, m->size - h.start);
    }
    uint8_t *raw = mem_alloc(h.bytes);
    if (!raw) return data_oom(d, m->label, h.bytes);
    if (member_read(m, raw, h.bytes, d) && member_end(m, d)) return npy_finish(&h, raw, NULL, m->label, out, d);
    mem_free(raw);
    return false;
}

bool npz_read(Npz *z, size_t member, Array *out, Diag *d) {
    Member m = {.npz = z};
    *out = (Array){0};
    const char *name = zip_get_name(z->zip, member, 0);
    if (!name) return data_fail(d, DIAG_FILE, z->map->path, "there is no member %zu", member);
    snprintf(m.label, sizeof m.label, "%.390s:%.100s", z->map->path, name);
    if (!member_stat(&m, member, d)) return false;
    m.file = zip_fopen_index(z->zip, member, 0);
    if (!m.file)
        return data_fail(d, zip_error_code_zip(zip_get_error(z->zip)) == ZIP_ER_MEMORY ? DIAG_MACHINE : DIAG_FILE,
                         m.label, "cannot read: %s", zip_strerror(z->zip));
    bool ok = member_data(&m, out, d);
    zip_fclose(m.file);
    return ok;
}
