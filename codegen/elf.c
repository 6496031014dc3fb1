#include "codegen/elf.h"

#include <elf.h>
#include <string.h>

#define NOT_LOADED UINT64_MAX

typedef struct Object {
    const char *p;
    size_t n;
    Elf64_Ehdr head;
    uint64_t *place; /* [e_shnum]: where the section is in the image, or NOT_LOADED */
    Diag *d;
} Object;

static bool refuse(const Object *o, const char *why) { return diag_fail(o->d, DIAG_INTERNAL, "the object %s", why); }

static bool inside(const Object *o, uint64_t at, uint64_t size) { return at <= o->n && size <= o->n - at; }

static bool read_head(Object *o) {
    if (o->n < sizeof o->head) return refuse(o, "is cut off");
    memcpy(&o->head, o->p, sizeof o->head);
    const Elf64_Ehdr *h = &o->head;
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_type != ET_REL || h->e_machine != EM_X86_64)
        return refuse(o, "is no relocatable one for x86-64");
    if (h->e_shentsize != sizeof(Elf64_Shdr) || !inside(o, h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr)))
        return refuse(o, "has its sections outside of it");
    return true;
}

/* i < e_shnum */
static bool section(const Object *o, uint64_t i, Elf64_Shdr *out) {
    memcpy(out, o->p + o->head.e_shoff + i * sizeof *out, sizeof *out);
    if (out->sh_type == SHT_NULL || out->sh_type == SHT_NOBITS || inside(o, out->sh_offset, out->sh_size)) return true;
    return refuse(o, "has a section outside of it");
}

static bool place_section(Object *o, unsigned i, const Elf64_Shdr *s, uint64_t *end, uint64_t *loaded) {
    o->place[i] = NOT_LOADED;
    if (!(s->sh_flags & SHF_ALLOC)) return true;
    uint64_t align = s->sh_addralign ? s->sh_addralign : 1;
    if (s->sh_type != SHT_PROGBITS || (s->sh_flags & (SHF_WRITE | SHF_TLS)))
        return refuse(o, "has a section of a kind that is not loaded");
    if (align > ELF_ALIGN || (align & (align - 1))) return refuse(o, "has a section with an impossible alignment");
    /* Each has bytes of its own, which bounds the image. */
    if (s->sh_size > o->n - *loaded) return refuse(o, "has sections that overlap");
    *loaded += s->sh_size;
    o->place[i] = (*end + align - 1) & ~(align - 1);
    *end = o->place[i] + s->sh_size;
    return true;
}

static bool load_sections(Object *o, ElfImage *out) {
    uint64_t end = 0, loaded = 0;
    Elf64_Shdr s;
    for (unsigned i = 0; i < o->head.e_shnum; i++)
        if (!section(o, i, &s) || !place_section(o, i, &s, &end, &loaded)) return false;
    out->bytes = mem_alloc(end ? end : 1);
    if (!out->bytes) return diag_fail(o->d, DIAG_MACHINE, "out of memory");
    out->n = end;
    for (unsigned i = 0; i < o->head.e_shnum; i++)
        if (section(o, i, &s) && o->place[i] != NOT_LOADED)
            memcpy(out->bytes + o->place[i], o->p + s.sh_offset, s.sh_size);
    return true;
}

static uint64_t symbol_count(const Elf64_Shdr *table) { return table->sh_size / sizeof(Elf64_Sym); }

/* i < symbol_count */
static Elf64_Sym symbol_at(const Object *o, const Elf64_Shdr *table, uint64_t i) {
    Elf64_Sym sym;
    memcpy(&sym, o->p + table->sh_offset + i * sizeof sym, sizeof sym);
    return sym;
}

/* `size` bytes from the symbol on are in its section, and that in the image. */
static bool symbol_place(const Object *o, const Elf64_Sym *sym, uint64_t size, uint64_t *at, bool *code) {
    Elf64_Shdr s;
    if (sym->st_shndx >= o->head.e_shnum || o->place[sym->st_shndx] == NOT_LOADED || !section(o, sym->st_shndx, &s) ||
        sym->st_value > s.sh_size || size > s.sh_size - sym->st_value)
        return refuse(o, "has a symbol that is nowhere in it");
    *at = o->place[sym->st_shndx] + sym->st_value;
    *code = (s.sh_flags & SHF_EXECINSTR) != 0;
    return true;
}

static const char *name_at(const Object *o, const Elf64_Shdr *names, uint32_t at) {
    if (at >= names->sh_size) return NULL;
    const char *s = o->p + names->sh_offset + at;
    return memchr(s, '\0', names->sh_size - at) ? s : NULL;
}

static bool read_symbols(const Object *o, const Elf64_Shdr *table, const char *symbol, ElfImage *out) {
    Elf64_Shdr names;
    if (table->sh_link >= o->head.e_shnum || !section(o, table->sh_link, &names) || names.sh_type != SHT_STRTAB)
        return refuse(o, "has symbols without names");
    for (uint64_t i = 1; i < symbol_count(table); i++) {
        Elf64_Sym sym = symbol_at(o, table, i);
        const char *name = name_at(o, &names, sym.st_name);
        uint64_t at;
        bool code;
        if (!name) return refuse(o, "has a symbol whose name is outside of it");
        if (sym.st_shndx == SHN_UNDEF) return diag_fail(o->d, DIAG_INTERNAL, "the object needs %.100s", name);
        /* the name of the module, of type STT_FILE, may be the same */
        if (ELF64_ST_TYPE(sym.st_info) != STT_FUNC || strcmp(name, symbol) != 0) continue;
        if (!symbol_place(o, &sym, sym.st_size, &at, &code)) return false;
        if (!code || sym.st_size == 0) return refuse(o, "has a function without code");
        out->entry = at;
        out->code_bytes = sym.st_size;
    }
    return true;
}

/* A field of 4 bytes, at `at` in the image: the distance from it to a symbol, and an addend. */
static bool relocate(const Object *o, const Elf64_Shdr *table, const Elf64_Rela *r, uint64_t at, ElfImage *out) {
    uint64_t type = ELF64_R_TYPE(r->r_info), i = ELF64_R_SYM(r->r_info), to;
    int64_t value;
    bool code;
    if (type != R_X86_64_PC32 && type != R_X86_64_PLT32)
        return diag_fail(o->d, DIAG_INTERNAL, "the object has a relocation of type %u", (unsigned)type);
    if (i >= symbol_count(table)) return refuse(o, "has a relocation without a symbol");
    Elf64_Sym sym = symbol_at(o, table, i);
    if (!symbol_place(o, &sym, 0, &to, &code)) return false;
    if (__builtin_add_overflow((int64_t)to - (int64_t)at, r->r_addend, &value) || value != (int32_t)value)
        return refuse(o, "has a relocation that is too far");
    int32_t field = (int32_t)value;
    memcpy(out->bytes + at, &field, sizeof field);
    return true;
}

static bool relocate_section(const Object *o, const Elf64_Shdr *s, ElfImage *out) {
    Elf64_Shdr table, target;
    if (s->sh_info >= o->head.e_shnum || o->place[s->sh_info] == NOT_LOADED) return true;
    if (s->sh_type != SHT_RELA || s->sh_link >= o->head.e_shnum || !section(o, s->sh_link, &table) ||
        table.sh_type != SHT_SYMTAB || !section(o, s->sh_info, &target))
        return refuse(o, "has relocations that cannot be read");
    for (uint64_t i = 0; i < s->sh_size / sizeof(Elf64_Rela); i++) {
        Elf64_Rela r;
        memcpy(&r, o->p + s->sh_offset + i * sizeof r, sizeof r);
        if (r.r_offset > target.sh_size || target.sh_size - r.r_offset < sizeof(int32_t))
            return refuse(o, "has a relocation outside of its section");
        if (!relocate(o, &table, &r, o->place[s->sh_info] + r.r_offset, out)) return false;
    }
    return true;
}

static bool make_image(Object *o, const char *symbol, ElfImage *out) {
    if (!load_sections(o, out)) return false;
    for (unsigned i = 0; i < o->head.e_shnum; i++) {
        Elf64_Shdr s;
        if (!section(o, i, &s)) return false;
        if (s.sh_type == SHT_SYMTAB && !read_symbols(o, &s, symbol, out)) return false;
        if ((s.sh_type == SHT_RELA || s.sh_type == SHT_REL) && !relocate_section(o, &s, out)) return false;
    }
    return out->code_bytes > 0 || refuse(o, "does not define the kernel");
}

bool elf_image(const void *bytes, size_t n, const char *symbol, ElfImage *out, Diag *d) {
    Object o = {.p = bytes, .n = n, .d = d};
    *out = (ElfImage){0};
    if (!read_head(&o)) return false;
    o.place = mem_alloc((o.head.e_shnum + 1u) * sizeof *o.place);
    bool good = o.place ? make_image(&o, symbol, out) : diag_fail(d, DIAG_MACHINE, "out of memory");
    mem_free(o.place);
    if (!good) elf_image_free(out);
    return good;
}

void elf_image_free(ElfImage *image) {
    mem_free(image->bytes);
    *image = (ElfImage){0};
}
