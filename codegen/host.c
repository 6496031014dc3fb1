#include "codegen/host.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>

typedef enum Leaf { LEAF_1, LEAF_7, LEAF_7_1, LEAF_EXTENDED, LEAF_COUNT } Leaf;
typedef enum Register { EAX, EBX, ECX, EDX, REGISTER_COUNT } Register;
/* What the system must save of a thread's registers for the feature to be of use. */
typedef enum Saved { SAVED_SSE, SAVED_AVX, SAVED_AVX512 } Saved;

typedef struct Cpuid {
    unsigned leaf[LEAF_COUNT][REGISTER_COUNT];
    char vendor[13];
    Saved saved;
} Cpuid;

typedef struct FeatureRow {
    const char *name; /* LLVM's */
    Leaf leaf;
    Register reg;
    int bit;
    Saved needs;
} FeatureRow;

static const FeatureRow features[] = {
    {"sse3", LEAF_1, ECX, 0, SAVED_SSE},
    {"pclmul", LEAF_1, ECX, 1, SAVED_SSE},
    {"ssse3", LEAF_1, ECX, 9, SAVED_SSE},
    {"fma", LEAF_1, ECX, 12, SAVED_AVX},
    {"cx16", LEAF_1, ECX, 13, SAVED_SSE},
    {"sse4.1", LEAF_1, ECX, 19, SAVED_SSE},
    {"sse4.2", LEAF_1, ECX, 20, SAVED_SSE},
    {"movbe", LEAF_1, ECX, 22, SAVED_SSE},
    {"popcnt", LEAF_1, ECX, 23, SAVED_SSE},
    {"aes", LEAF_1, ECX, 25, SAVED_SSE},
    {"avx", LEAF_1, ECX, 28, SAVED_AVX},
    {"f16c", LEAF_1, ECX, 29, SAVED_AVX},
    {"bmi", LEAF_7, EBX, 3, SAVED_SSE},
    {"avx2", LEAF_7, EBX, 5, SAVED_AVX},
    {"bmi2", LEAF_7, EBX, 8, SAVED_SSE},
    {"avx512f", LEAF_7, EBX, 16, SAVED_AVX512},
    {"avx512dq", LEAF_7, EBX, 17, SAVED_AVX512},
    {"adx", LEAF_7, EBX, 19, SAVED_SSE},
    {"avx512ifma", LEAF_7, EBX, 21, SAVED_AVX512},
    {"avx512cd", LEAF_7, EBX, 28, SAVED_AVX512},
    {"sha", LEAF_7, EBX, 29, SAVED_SSE},
    {"avx512bw", LEAF_7, EBX, 30, SAVED_AVX512},
    {"avx512vl", LEAF_7, EBX, 31, SAVED_AVX512},
    {"avx512vbmi", LEAF_7, ECX, 1, SAVED_AVX512},
    {"avx512vbmi2", LEAF_7, ECX, 6, SAVED_AVX512},
    {"gfni", LEAF_7, ECX, 8, SAVED_SSE},
    {"vaes", LEAF_7, ECX, 9, SAVED_AVX},
    {"vpclmulqdq", LEAF_7, ECX, 10, SAVED_AVX},
    {"avx512vnni", LEAF_7, ECX, 11, SAVED_AVX512},
    {"avx512bitalg", LEAF_7, ECX, 12, SAVED_AVX512},
    {"avx512vpopcntdq", LEAF_7, ECX, 14, SAVED_AVX512},
    {"avx512vp2intersect", LEAF_7, EDX, 8, SAVED_AVX512},
    {"avx512fp16", LEAF_7, EDX, 23, SAVED_AVX512},
    {"avxvnni", LEAF_7_1, EAX, 4, SAVED_AVX},
    {"avx512bf16", LEAF_7_1, EAX, 5, SAVED_AVX512},
    {"avxifma", LEAF_7_1, EAX, 23, SAVED_AVX},
    {"avxvnniint8", LEAF_7_1, EDX, 4, SAVED_AVX},
    {"avxneconvert", LEAF_7_1, EDX, 5, SAVED_AVX},
    {"avxvnniint16", LEAF_7_1, EDX, 10, SAVED_AVX},
    {"sahf", LEAF_EXTENDED, ECX, 0, SAVED_SSE},
    {"lzcnt", LEAF_EXTENDED, ECX, 5, SAVED_SSE},
    {"sse4a", LEAF_EXTENDED, ECX, 6, SAVED_SSE},
    {"xop", LEAF_EXTENDED, ECX, 11, SAVED_AVX},
    {"fma4", LEAF_EXTENDED, ECX, 16, SAVED_AVX},
    {"tbm", LEAF_EXTENDED, ECX, 21, SAVED_SSE},
};

typedef struct ModelRow {
    const char *vendor;
    unsigned family, first, last; /* models */
    const char *name;
    const char *with; /* a feature that this one has; the rows of a model go from most to least */
} ModelRow;

#define INTEL "GenuineIntel"
#define AMD   "AuthenticAMD"

static const ModelRow models[] = {
    {INTEL, 6, 0x1a, 0x1a, "nehalem", NULL},
    {INTEL, 6, 0x1e, 0x1f, "nehalem", NULL},
    {INTEL, 6, 0x2e, 0x2e, "nehalem", NULL},
    {INTEL, 6, 0x25, 0x25, "westmere", NULL},
    {INTEL, 6, 0x2c, 0x2c, "westmere", NULL},
    {INTEL, 6, 0x2f, 0x2f, "westmere", NULL},
    {INTEL, 6, 0x2a, 0x2a, "sandybridge", NULL},
    {INTEL, 6, 0x2d, 0x2d, "sandybridge", NULL},
    {INTEL, 6, 0x3a, 0x3a, "ivybridge", NULL},
    {INTEL, 6, 0x3e, 0x3e, "ivybridge", NULL},
    {INTEL, 6, 0x3c, 0x3c, "haswell", NULL},
    {INTEL, 6, 0x3f, 0x3f, "haswell", NULL},
    {INTEL, 6, 0x45, 0x46, "haswell", NULL},
    {INTEL, 6, 0x3d, 0x3d, "broadwell", NULL},
    {INTEL, 6, 0x47, 0x47, "broadwell", NULL},
    {INTEL, 6, 0x4f, 0x4f, "broadwell", NULL},
    {INTEL, 6, 0x56, 0x56, "broadwell", NULL},
    {INTEL, 6, 0x4e, 0x4e, "skylake", NULL},
    {INTEL, 6, 0x5e, 0x5e, "skylake", NULL},
    {INTEL, 6, 0x8e, 0x8e, "skylake", NULL},
    {INTEL, 6, 0x9e, 0x9e, "skylake", NULL},
    {INTEL, 6, 0xa5, 0xa6, "skylake", NULL},
    {INTEL, 6, 0x55, 0x55, "cooperlake", "avx512bf16"},
    {INTEL, 6, 0x55, 0x55, "cascadelake", "avx512vnni"},
    {INTEL, 6, 0x55, 0x55, "skylake-avx512", NULL},
    {INTEL, 6, 0xa7, 0xa7, "rocketlake", NULL},
    {INTEL, 6, 0x7d, 0x7e, "icelake-client", NULL},
    {INTEL, 6, 0x8c, 0x8d, "tigerlake", NULL},
    {INTEL, 6, 0x97, 0x97, "alderlake", NULL},
    {INTEL, 6, 0x9a, 0x9a, "alderlake", NULL},
    {INTEL, 6, 0xb7, 0xb7, "raptorlake", NULL},
    {INTEL, 6, 0xba, 0xba, "raptorlake", NULL},
    {INTEL, 6, 0xbf, 0xbf, "raptorlake", NULL},
    {INTEL, 6, 0xaa, 0xaa, "meteorlake", NULL},
    {INTEL, 6, 0xac, 0xac, "meteorlake", NULL},
    {INTEL, 6, 0xb5, 0xb5, "arrowlake", NULL},
    {INTEL, 6, 0xc5, 0xc5, "arrowlake", NULL},
    {INTEL, 6, 0x6a, 0x6a, "icelake-server", NULL},
    {INTEL, 6, 0x6c, 0x6c, "icelake-server", NULL},
    {INTEL, 6, 0x8f, 0x8f, "sapphirerapids", NULL},
    {INTEL, 6, 0xcf, 0xcf, "emeraldrapids", NULL},
    {INTEL, 6, 0xad, 0xad, "graniterapids", NULL},
    {INTEL, 6, 0x37, 0x37, "silvermont", NULL},
    {INTEL, 6, 0x4a, 0x4a, "silvermont", NULL},
    {INTEL, 6, 0x4c, 0x4d, "silvermont", NULL},
    {INTEL, 6, 0x5a, 0x5a, "silvermont", NULL},
    {INTEL, 6, 0x5d, 0x5d, "silvermont", NULL},
    {INTEL, 6, 0x5c, 0x5c, "goldmont", NULL},
    {INTEL, 6, 0x5f, 0x5f, "goldmont", NULL},
    {INTEL, 6, 0x86, 0x86, "tremont", NULL},
    {INTEL, 6, 0x8a, 0x8a, "tremont", NULL},
    {INTEL, 6, 0x96, 0x96, "tremont", NULL},
    {INTEL, 6, 0x9c, 0x9c, "tremont", NULL},
    {AMD, 0x17, 0x01, 0x2f, "znver1", NULL},
    {AMD, 0x17, 0x30, 0xaf, "znver2", NULL},
    {AMD, 0x19, 0x00, 0x0f, "znver3", NULL},
    {AMD, 0x19, 0x20, 0x5f, "znver3", NULL},
    {AMD, 0x19, 0x10, 0x1f, "znver4", NULL},
    {AMD, 0x19, 0x60, 0x7f, "znver4", NULL},
    {AMD, 0x19, 0xa0, 0xaf, "znver4", NULL},
    {AMD, 0x1a, 0x00, 0x77, "znver5", NULL},
};

/* XCR0: bits 1 and 2 are the vectors of SSE and AVX, 5 to 7 those of AVX-512 and its masks. */
static Saved read_saved(const Cpuid *c) {
    enum { OSXSAVE = 1 << 27, AVX = 1 << 28 };
    const unsigned *ecx = &c->leaf[LEAF_1][ECX];
    unsigned low, high;
    if (!(*ecx & OSXSAVE) || !(*ecx & AVX)) return SAVED_SSE;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x06) != 0x06) return SAVED_SSE;
    return (low & 0xe0) == 0xe0 ? SAVED_AVX512 : SAVED_AVX;
}

/* A leaf that the CPU does not have stays zero. */
static void read_leaf(Cpuid *c, Leaf to, unsigned leaf, unsigned sub) {
    unsigned *r = c->leaf[to];
    if (!__get_cpuid_count(leaf, sub, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) memset(r, 0, sizeof c->leaf[to]);
}

static void read_cpuid(Cpuid *c) {
    unsigned most, name[3];
    *c = (Cpuid){0};
    if (!__get_cpuid(0, &most, &name[0], &name[2], &name[1])) return;
    memcpy(c->vendor, name, sizeof name);
    read_leaf(c, LEAF_1, 1, 0);
    read_leaf(c, LEAF_7, 7, 0);
    if (c->leaf[LEAF_7][EAX] >= 1) read_leaf(c, LEAF_7_1, 7, 1);
    read_leaf(c, LEAF_EXTENDED, 0x80000001, 0);
    c->saved = read_saved(c);
}

static bool has_row(const Cpuid *c, const FeatureRow *f) {
    return (c->leaf[f->leaf][f->reg] >> f->bit & 1) && c->saved >= f->needs;
}

static bool has_named(const Cpuid *c, const char *name) {
    for (size_t i = 0; i < COUNT_OF(features); i++)
        if (strcmp(features[i].name, name) == 0) return has_row(c, &features[i]);
    return false;
}

const char *host_cpu(void) {
    Cpuid c;
    read_cpuid(&c);
    unsigned id = c.leaf[LEAF_1][EAX], family = id >> 8 & 15, model = id >> 4 & 15;
    if (family == 6 || family == 15) model += (id >> 16 & 15) << 4;
    if (family == 15) family += id >> 20 & 255;
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        const ModelRow *m = &models[i];
        if (strcmp(m->vendor, c.vendor) == 0 && m->family == family && m->first <= model && model <= m->last &&
            (!m->with || has_named(&c, m->with)))
            return m->name;
    }
    return NULL;
}

bool host_features(char *out, size_t size) {
    Cpuid c;
    size_t n = 0;
    read_cpuid(&c);
    for (size_t i = 0; i < COUNT_OF(features); i++) {
        int put = snprintf(out + n, size - n, "%s%c%s", n ? "," : "", has_row(&c, &features[i]) ? '+' : '-',
                           features[i].name);
        if (put < 0 || (size_t)put >= size - n) return false;
        n += (size_t)put;
    }
    return true;
}
