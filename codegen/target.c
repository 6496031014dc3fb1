#include "codegen/target.h"
#include "codegen/host.h"

#include <llvm/Config/llvm-config.h>
#include <string.h>
#include <unistd.h>

/* The levels of the x86-64 psABI. What a CPU adds beyond its level is listed because LLVM may use
 * it in the code it selects. */
typedef enum Level { LEVEL_V1, LEVEL_V2, LEVEL_AVX, LEVEL_V3, LEVEL_V4, LEVEL_COUNT } Level;

#define NEEDS_V2 "cx16,sahf,popcnt,sse3,ssse3,sse4.1,sse4.2"
#define NEEDS_V3 NEEDS_V2 ",avx,avx2,bmi,bmi2,f16c,fma,lzcnt,movbe"
#define NEEDS_V4 NEEDS_V3 ",avx512f,avx512bw,avx512cd,avx512dq,avx512vl"

typedef struct LevelRow {
    const char *cpu;   /* LLVM's name of a CPU that has these features and not more */
    const char *needs; /* LLVM's feature names */
    int vector_bytes, vector_registers;
    bool fma;
} LevelRow;

static const LevelRow levels[LEVEL_COUNT] = {
    [LEVEL_V1] = {"x86-64", "", 16, 16, false},
    [LEVEL_V2] = {"x86-64-v2", NEEDS_V2, 16, 16, false},
    [LEVEL_AVX] = {"x86-64-v2", NEEDS_V2 ",avx", 32, 16, false},
    [LEVEL_V3] = {"x86-64-v3", NEEDS_V3, 32, 16, true},
    [LEVEL_V4] = {"x86-64-v4", NEEDS_V4, 64, 32, true},
};

typedef struct CpuRow {
    const char *name;
    Level level;
    const char *more;
    int units; /* for multiply-adds of whole vectors; 0: two */
} CpuRow;

#define ICELAKE "avx512vbmi,avx512vbmi2,avx512ifma,avx512vnni,avx512bitalg,avx512vpopcntdq,gfni,vaes,vpclmulqdq"

static const CpuRow cpus[] = {
    {"x86-64", LEVEL_V1, "", 0},
    {"x86-64-v2", LEVEL_V2, "", 0},
    {"x86-64-v3", LEVEL_V3, "", 0},
    {"x86-64-v4", LEVEL_V4, "", 0},
    {"nehalem", LEVEL_V2, "", 0},
    {"westmere", LEVEL_V2, "", 0},
    {"silvermont", LEVEL_V2, "movbe", 0},
    {"goldmont", LEVEL_V2, "movbe", 0},
    {"tremont", LEVEL_V2, "movbe,gfni", 0},
    {"sandybridge", LEVEL_AVX, "", 0},
    {"ivybridge", LEVEL_AVX, "f16c", 0},
    {"haswell", LEVEL_V3, "", 0},
    {"broadwell", LEVEL_V3, "adx", 0},
    {"skylake", LEVEL_V3, "adx", 0},
    {"alderlake", LEVEL_V3, "adx,gfni,avxvnni", 0},
    {"raptorlake", LEVEL_V3, "adx,gfni,avxvnni", 0},
    {"meteorlake", LEVEL_V3, "adx,gfni,avxvnni", 0},
    {"arrowlake", LEVEL_V3, "adx,gfni,avxvnni", 0},
    {"skylake-avx512", LEVEL_V4, "adx", 0},
    {"cascadelake", LEVEL_V4, "adx,avx512vnni", 0},
    {"cooperlake", LEVEL_V4, "adx,avx512vnni,avx512bf16", 0},
    {"icelake-client", LEVEL_V4, ICELAKE, 0},
    {"icelake-server", LEVEL_V4, ICELAKE, 0},
    {"tigerlake", LEVEL_V4, ICELAKE, 0},
    {"rocketlake", LEVEL_V4, ICELAKE, 0},
    {"sapphirerapids", LEVEL_V4, ICELAKE ",avx512bf16,avx512fp16", 0},
    {"emeraldrapids", LEVEL_V4, ICELAKE ",avx512bf16,avx512fp16", 0},
    {"graniterapids", LEVEL_V4, ICELAKE ",avx512bf16,avx512fp16", 0},
    {"znver1", LEVEL_V3, "adx,sse4a", 0},
    {"znver2", LEVEL_V3, "adx,sse4a", 0},
    {"znver3", LEVEL_V3, "adx,sse4a", 0},
    {"znver4", LEVEL_V4, "sse4a,avx512bf16," ICELAKE, 1},
    {"znver5", LEVEL_V4, "sse4a,avx512bf16,avxvnni," ICELAKE, 0},
};

static int64_t cache_bytes(int name, int64_t otherwise) {
    long v = sysconf(name);
    return v > 0 ? v : otherwise;
}

static bool fill_system(Target *t, Diag *d) {
    *t = (Target){.triple = LLVM_DEFAULT_TARGET_TRIPLE};
    if (strncmp(t->triple, "x86_64", 6) != 0)
        return diag_fail(d, DIAG_UNSUPPORTED, "code generation for %s is not supported, only x86-64", t->triple);
    t->l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
    t->l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 256 << 10);
    t->l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 0);
    return true;
}

static const CpuRow *find_cpu(const char *name) {
    for (size_t i = 0; i < COUNT_OF(cpus); i++)
        if (strcmp(cpus[i].name, name) == 0) return &cpus[i];
    return NULL;
}

static void fill_level(Target *t, Level level) {
    t->vector_bytes = levels[level].vector_bytes;
    t->vector_registers = levels[level].vector_registers;
    t->fma = levels[level].fma;
    /* Latency 4 times the units (Haswell wants 10, but has only 16 registers to tile). */
    const CpuRow *row = find_cpu(t->cpu);
    t->fma_latency = 4 * (row && row->units ? row->units : 2);
}

/* "+name" stands in LLVM's "+a,-b,…". */
static bool has_feature(const char *features, const char *name, size_t n) {
    for (const char *p = features; *p;) {
        size_t k = strcspn(p, ",");
        if (k == n + 1 && p[0] == '+' && strncmp(p + 1, name, n) == 0) return true;
        p += k + (p[k] == ',');
    }
    return false;
}

static bool has_features(const char *features, const char *needs) {
    for (const char *p = needs; *p;) {
        size_t k = strcspn(p, ",");
        if (!has_feature(features, p, k)) return false;
        p += k + (p[k] == ',');
    }
    return true;
}

bool target_host(Target *t, Diag *d) {
    if (!fill_system(t, d)) return false;
    if (!host_features(t->features, sizeof t->features))
        return diag_fail(d, DIAG_INTERNAL, "the list of this machine's features is too long");
    Level level = LEVEL_V1;
    for (int i = LEVEL_V2; i < LEVEL_COUNT; i++)
        if (has_features(t->features, levels[i].needs)) level = (Level)i;
    const char *cpu = host_cpu();
    if (!cpu) cpu = levels[level].cpu;
    memcpy(t->cpu, cpu, strlen(cpu) + 1);
    fill_level(t, level);
    return true;
}

bool target_named(Target *t, const char *cpu, Diag *d) {
    if (strcmp(cpu, "native") == 0) return target_host(t, d);
    const CpuRow *row = find_cpu(cpu);
    if (!row) {
        const char *names[COUNT_OF(cpus)];
        for (size_t i = 0; i < COUNT_OF(cpus); i++) names[i] = cpus[i].name;
        const char *near = text_nearest(cpu, names, COUNT_OF(cpus));
        return diag_fail(d, DIAG_USAGE, "unknown CPU '%.60s'%s%s%s", cpu, near ? ": did you mean '" : "",
                         near ? near : "; known are x86-64-v2, x86-64-v3, x86-64-v4, haswell, znver4, …",
                         near ? "'?" : "");
    }
    if (!fill_system(t, d)) return false;
    memcpy(t->cpu, row->name, strlen(row->name) + 1);
    fill_level(t, row->level);
    return true;
}

bool target_runs_here(const Target *t) {
    Target host;
    if (!target_host(&host, NULL)) return false;
    if (strcmp(t->cpu, host.cpu) == 0 && strcmp(t->features, host.features) == 0) return true;
    const CpuRow *row = find_cpu(t->cpu);
    if (!row || t->features[0]) return false; /* the features of another machine */
    return has_features(host.features, levels[row->level].needs) && has_features(host.features, row->more);
}
