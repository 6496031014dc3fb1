#include "codegen/elf.h"

#include <elf.h>
#include <string.h>

typedef struct Bytes {
    const char *p;
    size_t n;
} Bytes;

static bool inside(Bytes b, uint64_t at, uint64_t size) { return at <= b.n && size <= b.n - at; }

static bool section(Bytes b, const Elf64_Ehdr *h, unsigned i, Elf64_Shdr *out) {
    if (i >= h->e_shnum || h->e_shoff > b.n || !inside(b, h->e_shoff + (uint64_t)i * sizeof *out, sizeof *out))
        return false;
    memcpy(out, b.p + h->e_shoff + (uint64_t)i * sizeof *out, sizeof *out);
    return out->sh_type == SHT_NOBITS || inside(b, out->sh_offset, out->sh_size);
}

static const char *name_at(Bytes b, const Elf64_Shdr *names, uint32_t at) {
    if (at >= names->sh_size) return NULL;
    const char *s = b.p + names->sh_offset + at;
    return memchr(s, '\0', names->sh_size - at) ? s : NULL;
}

static bool read_symbols(Bytes b, const Elf64_Ehdr *h, const Elf64_Shdr *s, const char *symbol, ElfFacts *out) {
    Elf64_Shdr names;
    if (!section(b, h, s->sh_link, &names) || names.sh_type != SHT_STRTAB) return false;
    for (uint64_t i = 1; i < s->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym sym;
        memcpy(&sym, b.p + s->sh_offset + i * sizeof sym, sizeof sym);
        const char *name = name_at(b, &names, sym.st_name);
        if (!name) return false;
        if (sym.st_shndx == SHN_UNDEF && !out->undefined) out->undefined = name;
        if (sym.st_shndx != SHN_UNDEF && strcmp(name, symbol) == 0) out->code_bytes = sym.st_size;
    }
    return true;
}

bool elf_facts(const void *bytes, size_t n, const char *symbol, ElfFacts *out) {
    Bytes b = {bytes, n};
    Elf64_Ehdr h;
    *out = (ElfFacts){0};
    if (n < sizeof h) return false;
    memcpy(&h, bytes, sizeof h);
    if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_type != ET_REL ||
        h.e_machine != EM_X86_64)
        return false;
    for (unsigned i = 0; i < h.e_shnum; i++) {
        Elf64_Shdr s;
        if (!section(b, &h, i, &s)) return false;
        if (s.sh_type == SHT_SYMTAB && !read_symbols(b, &h, &s, symbol, out)) return false;
    }
    return true;
}
