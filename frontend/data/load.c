#include "frontend/data/load.h"

#include "frontend/data/fail.h"
#include "frontend/data/idx.h"
#include "frontend/data/image.h"
#include "frontend/data/npy.h"
#include "frontend/data/npy_header.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* [H W C] → [C H W]. Takes the pixels over. */
static bool image_to_array(Image *im, const char *path, Array *out, Diag *d) {
    size_t c = (size_t)im->channels, pixels = (size_t)im->width * (size_t)im->height;
    uint8_t *planes = im->pixels;
    if (c > 1) {
        planes = mem_alloc(pixels * c);
        if (!planes) {
            image_close(im);
            return data_oom(d, path, pixels * c);
        }
        for (size_t k = 0; k < c; k++)
            for (size_t i = 0; i < pixels; i++) planes[k * pixels + i] = im->pixels[i * c + k];
        mem_free(im->pixels);
    }
    int64_t shape[3] = {im->channels, im->height, im->width};
    array_own(out, ELEM_U8, DATA_IMAGE, 3, shape, planes);
    return true;
}

static bool load_image(MapFile *map, Array *out, Diag *d) {
    Image im;
    bool ok = image_decode(map->data, map->size, map->path, &im, d) && image_to_array(&im, map->path, out, d);
    mapfile_close(map);
    return ok;
}

/* "x.npy, y.npy, …" of the first members, for a message. */
static const char *members_text(const Npz *z, char *out, size_t size) {
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < npz_count(z) && n < size; i++) {
        if (i == 8) {
            snprintf(out + n, size - n, ", …");
            break;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", npz_name(z, i));
    }
    return out;
}

static bool member_choose(const Npz *z, const char *path, const char *member, size_t *index, Diag *d) {
    char names[300];
    if (member)
        return npz_find(z, member, index) ? true
                                          : data_fail(d, DIAG_FILE, path, "there is no member '%s', only: %s", member,
                                                      members_text(z, names, sizeof names));
    *index = 0;
    if (npz_count(z) == 1) return true;
    return data_fail(d, DIAG_FILE, path, "one member expected, or FILE:member; the archive has %zu%s%s", npz_count(z),
                     npz_count(z) ? ": " : "", members_text(z, names, sizeof names));
}

static bool load_npz(MapFile *map, const char *path, const char *member, Array *out, Diag *d) {
    size_t index;
    Npz *z = npz_open_map(map, d);
    bool ok = z && member_choose(z, path, member, &index, d) && npz_read(z, index, out, d);
    npz_close(z);
    return ok;
}

static bool zip_is(const uint8_t *p, size_t n) {
    return n >= 4 && (memcmp(p, "PK\3\4", 4) == 0 || memcmp(p, "PK\5\6", 4) == 0); /* the second: an empty one */
}

/* Either IDX or the gzip that may hold it. */
static bool idx_may_be(const uint8_t *p, size_t n) { return idx_is(p, n) || (n >= 2 && p[0] == 0x1f && p[1] == 0x8b); }

static bool load_file(const char *path, const char *member, Array *out, Diag *d) {
    MapFile *map = mapfile_open(path, d);
    if (!map) return false;
    const uint8_t *p = map->data;
    size_t n = map->size;
    if (zip_is(p, n)) return load_npz(map, path, member, out, d);
    if (!member && npy_is(p, n)) return npy_load_map(map, out, d);
    if (!member && image_is(p, n)) return load_image(map, out, d);
    bool idx = !member && idx_may_be(p, n);
    mapfile_close(map);
    if (idx) return idx_load(path, out, d);
    return data_fail(d, DIAG_FILE, path,
                     member ? "an npz archive expected, to take ':%s' from"
                            : "an npy, npz, IDX, PNG, JPEG, PGM or PPM file expected",
                     member);
}

/* Where "FILE:member" parts: the first ':' after the name of a regular file; NULL if there is none. */
static const char *member_split(const char *path, char *file, size_t size) {
    for (const char *at = strchr(path, ':'); at; at = strchr(at + 1, ':')) {
        struct stat st;
        size_t n = (size_t)(at - path);
        if (n >= size) return NULL;
        memcpy(file, path, n);
        file[n] = '\0';
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) return at + 1;
    }
    return NULL;
}

bool data_load(const char *path, Array *out, Diag *d) {
    char file[4096]; /* PATH_MAX */
    struct stat st;
    *out = (Array){0};
    if (stat(path, &st) == 0) return load_file(path, NULL, out, d);
    const char *member = member_split(path, file, sizeof file);
    return member ? load_file(file, member, out, d) : load_file(path, NULL, out, d);
}
