/* Spills, counted in the comments of LLVM's verbose assembly:
 *
 *     .LBB0_7:                     #   Parent Loop BB0_2 Depth=1
 *                                  # =>  This Inner Loop Header: Depth=2
 *         vmovups %zmm3, 64(%rsp)  # 64-byte Spill
 *     # %bb.8:                     #   in Loop: Header=BB0_7 Depth=2
 */
#include "codegen/emit.h"

#include <string.h>

typedef struct Line {
    const char *p;
    size_t n;
} Line;

static bool next_line(const char **text, Line *out) {
    if (!**text) return false;
    size_t n = strcspn(*text, "\n");
    *out = (Line){*text, n};
    *text += n + ((*text)[n] == '\n');
    return true;
}

static const char *find(Line l, const char *word) { return memmem(l.p, l.n, word, strlen(word)); }

static bool is_instruction(Line l) { return l.n > 1 && l.p[0] == '\t' && l.p[1] != '.' && l.p[1] != '#'; }

/* The comments that follow a label say which loop its block is in. `*inner` is kept up to date. */
static void track_loop(Line l, const char *text, bool *inner) {
    const char *at;
    if ((l.p[0] == '.' && find(l, ":")) || find(l, "# %bb.")) *inner = false;
    if (find(l, "Inner Loop Header: Depth=")) *inner = true;
    else if ((at = find(l, "in Loop: Header=")) != NULL) {
        char label[32] = ".L"; /* the header's own comment tells whether it is an innermost one */
        size_t n = strcspn(at += strlen("in Loop: Header="), " \n");
        if (n + 4 > sizeof label) return;
        memcpy(label + 2, at, n);
        memcpy(label + 2 + n, ":", 2);
        const char *header = strstr(text, label);
        size_t block = header ? strcspn(header, "\t") : 0;
        *inner = header && memmem(header, block, "Inner Loop Header", 17);
    }
}

static void count_line(Line l, bool inner, SpillCount *out) {
    if (!is_instruction(l)) return;
    out->instructions++;
    if (!find(l, "mm")) return; /* xmm, ymm, zmm */
    if (find(l, "Spill")) {
        out->stores++;
        out->inner_stores += inner;
    } else if (find(l, "Reload")) {
        out->loads++;
        out->inner_loads += inner;
    }
}

bool codegen_count_spills(const Kernel *k, const Target *t, SpillCount *out, Diag *d) {
    void *text;
    size_t n;
    *out = (SpillCount){0};
    if (!emit_object(k, t, "kernel", EMIT_ASSEMBLY, &text, &n, d)) return false;
    bool inner = false;
    Line l;
    for (const char *p = text; next_line(&p, &l);) {
        track_loop(l, text, &inner);
        count_line(l, inner, out);
    }
    mem_free(text);
    return true;
}
