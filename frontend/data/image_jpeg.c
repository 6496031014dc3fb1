#include "frontend/data/fail.h"
#include "frontend/data/image_codec.h"

#include <string.h>
#include <turbojpeg.h>

/* TurboJPEG tells a lack of memory from a damaged file only in its text: libjpeg's "Insufficient
 * memory (case %d)" and its own "Memory allocation failure". */
static bool jpeg_fail(ImageJob *job, tjhandle tj) {
    const char *text = tjGetErrorStr2(tj);
    bool memory = strstr(text, "Insufficient memory") || strstr(text, "Memory allocation");
    return data_fail(job->diag, memory ? DIAG_MACHINE : DIAG_FILE, job->name, "cannot read JPEG: %s", text);
}

static bool jpeg_read(ImageJob *job, tjhandle tj) {
    /* libjpeg takes a file without a frame for one of tables, and sets none of these. */
    int width = 0, height = 0, subsampling = 0, space = 0;
    if (tjDecompressHeader3(tj, job->p, (unsigned long)job->n, &width, &height, &subsampling, &space) != 0)
        return jpeg_fail(job, tj);
    if (width == 0) return data_fail(job->diag, DIAG_FILE, job->name, "cannot read JPEG: there is no picture in it");
    if (space == TJCS_CMYK || space == TJCS_YCCK)
        return data_fail(job->diag, DIAG_UNSUPPORTED, job->name, "CMYK pictures are not supported");
    bool gray = space == TJCS_GRAY;
    if (!image_take(job, (uint64_t)width, (uint64_t)height, gray ? 1 : 3)) return false;
    /* Without STOPONWARNING a picture that is cut off would be filled up with gray. */
    const int flags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;
    if (tjDecompress2(tj, job->p, (unsigned long)job->n, job->image.pixels, width, width * job->image.channels, height,
                      gray ? TJPF_GRAY : TJPF_RGB, flags) != 0)
        return jpeg_fail(job, tj);
    return true;
}

bool image_decode_jpeg(ImageJob *job) {
    tjhandle tj = tjInitDecompress();
    if (!tj) return data_oom(job->diag, job->name, 0);
    bool ok = jpeg_read(job, tj);
    tjDestroy(tj);
    return ok;
}
