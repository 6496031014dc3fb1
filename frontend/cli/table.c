#include "frontend/cli/cli.h"

#include <string.h>

void table_open(TextTable *t, Arena *a, const char *align) {
    *t = (TextTable){.arena = a, .align = align, .columns = (int)strlen(align)};
}

static void push(TextTable *t, char *text) { ARENA_PUSH(t->arena, t->cell, t->n, t->cap, text); }

void table_cell(TextTable *t, const char *fmt, ...) {
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    push(t, arena_strdup(t->arena, text));
}

void table_row(TextTable *t, const char *cells) {
    for (int c = 0; c < t->columns; c++) {
        size_t n = strcspn(cells, "|");
        push(t, arena_printf(t->arena, "%.*s", (int)n, cells));
        cells += n + (cells[n] == '|');
    }
}

/* Characters, not bytes: "2×14 tile" is 9 wide. */
static int width_of(const char *s) {
    int n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void table_print(const TextTable *t, FILE *f) {
    int *width = ARENA_ARRAY(t->arena, int, t->columns);
    for (int i = 0; i < t->n; i++) {
        int w = width_of(t->cell[i]);
        if (w > width[i % t->columns]) width[i % t->columns] = w;
    }
    for (int i = 0; i < t->n; i++) {
        int c = i % t->columns, room = width[c] - width_of(t->cell[i]);
        bool last = c == t->columns - 1, left = t->align[c] == 'l';
        fprintf(f, "%*s%s%*s%s", left ? 0 : room, "", t->cell[i], left && !last ? room : 0, "", last ? "\n" : "  ");
    }
}
