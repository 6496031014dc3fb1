#include "frontend/cli/cli.h"

#include <math.h>
#include <string.h>

json_t *json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

json_t *json_text(const char *s) {
    json_t *t = json_string(s);
    char *copy = t ? NULL : mem_alloc(strlen(s) + 1);
    if (!copy) return t;
    for (size_t i = 0; s[i]; i++) copy[i] = (unsigned char)s[i] < 0x80 ? s[i] : '?';
    t = json_string(copy);
    mem_free(copy);
    return t;
}

void json_push(json_t **list, json_t *item) {
    if (*list && json_array_append_new(*list, item) == 0) return;
    if (!*list) json_decref(item);
    json_decref(*list);
    *list = NULL;
}

int json_show(json_t *value) {
    if (!value) {
        cli_say("out of memory");
        return DIAG_MACHINE;
    }
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(value);
    return 0;
}
