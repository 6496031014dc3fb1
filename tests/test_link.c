/* Objects to code in memory: what LLVM makes is taken, and whatever else a file may hold is refused without harm. */
#include "codegen/cache.h"
#include "codegen/compile.h"
#include "codegen/elf.h"
#include "codegen/lift.h"
#include "codegen/target.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Its object has constants and a table, so relocations. */
static const char *const text =
    "kernel k(in x : f32[c4 w16], out y : f32[c4 w16])"
    " table n = { 4, 6, 6, 6 } table k = { 0.5, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } {"
    " par c 4 { vec w 16 { y[c, w] = exp(x[c, w]) / n[c] + k[w] * 3; } } }";

static Arena *arena;
static Target target;
static const Kernel *kernel;
static char *object; /* of `kernel`, its function called "sym" */
static size_t object_bytes;

static int open_all(void **state) {
    (void)state;
    Diag d = {0};
    Lexer l;
    arena = arena_open(&d);
    lex_open(&l, arena, "test", text, &d);
    Kernel *k = kernel_parse(&l);
    void *bytes;
    if (!k || !kernel_verify(k, &d) || !target_host(&target, &d) ||
        !emit_object(k, &target, "sym", EMIT_OBJECT, &bytes, &object_bytes, &d)) {
        print_error("%s\n", d.text);
        return 1;
    }
    kernel = k;
    object = bytes;
    return 0;
}

static int close_all(void **state) {
    (void)state;
    mem_free(object);
    arena_close(arena);
    return 0;
}

/* ---- a copy to damage -------------------------------------------------------------------------- */

static char *copy_object(void) {
    char *p = malloc(object_bytes);
    assert_non_null(p);
    return memcpy(p, object, object_bytes);
}

static Elf64_Shdr *section_at(char *p, unsigned i) {
    return (Elf64_Shdr *)(void *)(p + ((Elf64_Ehdr *)(void *)p)->e_shoff) + i;
}

static Elf64_Shdr *section_of(char *p, unsigned type) {
    for (unsigned i = 0; i < ((Elf64_Ehdr *)(void *)p)->e_shnum; i++)
        if (section_at(p, i)->sh_type == type) return section_at(p, i);
    fail_msg("the object has no section of type %u", type);
    return NULL;
}

static Elf64_Shdr *code_section(char *p) {
    for (unsigned i = 0; i < ((Elf64_Ehdr *)(void *)p)->e_shnum; i++)
        if (section_at(p, i)->sh_flags & SHF_EXECINSTR) return section_at(p, i);
    fail_msg("the object has no code");
    return NULL;
}

static Elf64_Rela *first_rela(char *p) { return (Elf64_Rela *)(void *)(p + section_of(p, SHT_RELA)->sh_offset); }

static Elf64_Sym *function_symbol(char *p) {
    Elf64_Shdr *table = section_of(p, SHT_SYMTAB);
    Elf64_Sym *sym = (Elf64_Sym *)(void *)(p + table->sh_offset);
    for (uint64_t i = 0; i < table->sh_size / sizeof *sym; i++)
        if (ELF64_ST_TYPE(sym[i].st_info) == STT_FUNC) return &sym[i];
    fail_msg("the object has no function");
    return NULL;
}

static void refuse(char *p, const char *part) {
    Diag d = {0};
    ElfImage image;
    assert_false(elf_image(p, object_bytes, "sym", &image, &d));
    assert_null(image.bytes);
    assert_int_equal(d.kind, DIAG_INTERNAL);
    if (!strstr(d.text, part)) fail_msg("'%s' instead of '%s'", d.text, part);
    free(p);
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void test_image(void **state) {
    (void)state;
    Diag d = {0};
    ElfImage image;
    if (!elf_image(object, object_bytes, "sym", &image, &d)) fail_msg("%s", d.text);
    assert_true(image.n <= object_bytes + 64 && image.entry + image.code_bytes <= image.n);
    elf_image_free(&image);
    assert_false(elf_image(object, object_bytes, "other", &image, &d));
    assert_non_null(strstr(d.text, "does not define the kernel"));
    mem_fail_after(1);
    d = (Diag){0};
    assert_false(elf_image(object, object_bytes, "sym", &image, &d));
    mem_fail_after(2);
    assert_false(elf_image(object, object_bytes, "sym", &image, &d));
    mem_fail_after(0);
    assert_int_equal(d.kind, DIAG_MACHINE);
}

static void test_sections(void **state) {
    (void)state;
    char *p = copy_object();
    ((Elf64_Ehdr *)(void *)p)->e_machine = EM_AARCH64;
    refuse(p, "no relocatable one for x86-64");
    ((Elf64_Ehdr *)(void *)(p = copy_object()))->e_shoff = UINT64_MAX - 8;
    refuse(p, "its sections outside");
    ((Elf64_Ehdr *)(void *)(p = copy_object()))->e_shnum = UINT16_MAX;
    refuse(p, "its sections outside");
    ((Elf64_Ehdr *)(void *)(p = copy_object()))->e_shentsize = 1;
    refuse(p, "its sections outside");
    code_section(p = copy_object())->sh_offset = UINT64_MAX - 1;
    refuse(p, "a section outside");
    code_section(p = copy_object())->sh_size = object_bytes;
    refuse(p, "a section outside");
    code_section(p = copy_object())->sh_addralign = 3;
    refuse(p, "impossible alignment");
    code_section(p = copy_object())->sh_addralign = 4096;
    refuse(p, "impossible alignment");
    code_section(p = copy_object())->sh_flags |= SHF_WRITE;
    refuse(p, "not loaded");
    code_section(p = copy_object())->sh_type = SHT_NOBITS;
    refuse(p, "not loaded");
    p = copy_object();
    for (unsigned i = 1; i < ((Elf64_Ehdr *)(void *)p)->e_shnum; i++) { /* each is the whole file */
        Elf64_Shdr *s = section_at(p, i);
        s->sh_type = SHT_PROGBITS;
        s->sh_flags = SHF_ALLOC;
        s->sh_offset = 0;
        s->sh_size = object_bytes;
    }
    refuse(p, "overlap");
}

static void test_symbols(void **state) {
    (void)state;
    char *p = copy_object();
    function_symbol(p)->st_shndx = SHN_UNDEF;
    refuse(p, "the object needs sym");
    function_symbol(p = copy_object())->st_shndx = SHN_ABS;
    refuse(p, "nowhere in it");
    function_symbol(p = copy_object())->st_value = UINT64_MAX - 4;
    refuse(p, "nowhere in it");
    function_symbol(p = copy_object())->st_size = object_bytes;
    refuse(p, "nowhere in it");
    function_symbol(p = copy_object())->st_size = 0;
    refuse(p, "without code");
    function_symbol(p = copy_object())->st_name = UINT32_MAX;
    refuse(p, "name is outside");
    section_of(p = copy_object(), SHT_SYMTAB)->sh_link = 1000;
    refuse(p, "without names");
    code_section(p = copy_object())->sh_flags &= ~(uint64_t)SHF_EXECINSTR;
    refuse(p, "without code");
}

static void test_relocations(void **state) {
    (void)state;
    char *p = copy_object();
    first_rela(p)->r_info = ELF64_R_INFO(ELF64_R_SYM(first_rela(p)->r_info), R_X86_64_64);
    refuse(p, "relocation of type 1");
    p = copy_object();
    first_rela(p)->r_info = ELF64_R_INFO((uint64_t)UINT32_MAX, R_X86_64_PC32);
    refuse(p, "without a symbol");
    first_rela(p = copy_object())->r_info = ELF64_R_INFO((uint64_t)0, R_X86_64_PC32);
    refuse(p, "nowhere in it");
    first_rela(p = copy_object())->r_offset = UINT64_MAX - 1;
    refuse(p, "outside of its section");
    p = copy_object();
    first_rela(p)->r_offset = code_section(p)->sh_size - 3;
    refuse(p, "outside of its section");
    first_rela(p = copy_object())->r_addend = INT64_MAX;
    refuse(p, "too far");
    first_rela(p = copy_object())->r_addend = INT64_MIN;
    refuse(p, "too far");
    section_of(p = copy_object(), SHT_RELA)->sh_type = SHT_REL;
    refuse(p, "cannot be read");
    section_of(p = copy_object(), SHT_RELA)->sh_link = 1;
    refuse(p, "cannot be read");
}

/* Every byte changed in three ways, and every length, in memory that ends where the object does: the sanitizers see what
 * is read or written beyond. */
static void test_damage(void **state) {
    (void)state;
    static const unsigned char changes[] = {0x01, 0x80, 0xff};
    ElfImage image;
    long before = mem_live();
    char *p = copy_object();
    for (size_t i = 0; i < object_bytes; i++)
        for (size_t c = 0; c < sizeof changes; c++) {
            p[i] = (char)(p[i] ^ changes[c]);
            if (elf_image(p, object_bytes, "sym", &image, NULL)) elf_image_free(&image);
            p[i] = (char)(p[i] ^ changes[c]);
        }
    free(p);
    for (size_t n = 0; n < object_bytes; n += 1 + n / 100) {
        char *cut = malloc(n + (n == 0));
        memcpy(cut, object, n);
        assert_false(elf_image(cut, n, "sym", &image, NULL));
        free(cut);
    }
    assert_int_equal(mem_live(), before);
}

/* ---- in a cache, in memory ----------------------------------------------------------------------- */

static void access_of(const void *address, char out[5]) {
    FILE *f = fopen("/proc/self/maps", "r");
    char line[500];
    assert_non_null(f);
    out[0] = '\0';
    while (fgets(line, sizeof line, f)) {
        unsigned long from, to;
        char how[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, how) == 3 && from <= (uintptr_t)address && (uintptr_t)address < to)
            memcpy(out, how, 5);
    }
    fclose(f);
}

static int compiled_with(const char *dir) {
    Diag d = {0};
    CodeLib *lib;
    char how[5];
    float x[64] = {0}, y[64];
    void *buf[] = {x, y};
    if (!code_open(&lib, &kernel, 1, &target, &(CodeOptions){.threads = 1, .cache_dir = dir}, &d))
        fail_msg("%s", d.text);
    KernelFn fn = code_fn(lib, 0);
    void *address;
    memcpy(&address, &fn, sizeof address);
    access_of(address, how);
    assert_string_equal(how, "r-xp");
    fn(buf, code_args(lib, 0), NULL, 0, 4);
    for (int c = 0; c < 4; c++) assert_true(y[16 * c] == 1.f / (c ? 6.f : 4.f) + 0.5f * 3);
    int compiled = code_stats(lib)->compiled;
    code_close(lib);
    return compiled;
}

/* With a good checksum, too, an entry that is no good object is made anew. */
static void test_cache(void **state) {
    (void)state;
    char dir[] = "/tmp/lunette-link-XXXXXX", command[80], why[200];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(compiled_with(dir), 1);
    assert_int_equal(compiled_with(dir), 0);
    CacheKey key = cache_key(arena, text_get(&lift_kernel(arena, kernel)->text), &target, "");
    Cache *c = cache_open(dir, 1 << 20, why, sizeof why);
    assert_non_null(c);
    char *p = copy_object();
    first_rela(p)->r_offset = UINT32_MAX;
    cache_put(c, &key, p, object_bytes);
    assert_int_equal(compiled_with(dir), 1);
    assert_int_equal(compiled_with(dir), 0);
    cache_put(c, &key, object, object_bytes); /* sound, but of another function */
    assert_int_equal(compiled_with(dir), 1);
    cache_put(c, &key, object, object_bytes / 2);
    assert_int_equal(compiled_with(dir), 1);
    cache_close(c);
    free(p);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image),       cmocka_unit_test(test_sections), cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_relocations), cmocka_unit_test(test_damage),   cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
