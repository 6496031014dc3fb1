/* Messages and memory for the commands. */
#include "frontend/cli/cli.h"

void cli_say(const char *fmt, ...) {
    char text[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
    progress_end();
    fprintf(stderr, "lunette: %s\n", text);
}

int cli_fail(const Diag *d) {
    cli_say("%s", d->kind == DIAG_NONE ? "failed without a reason" : d->text);
    return d->kind == DIAG_NONE ? DIAG_INTERNAL : (int)d->kind;
}

int cli_with_arena(int (*body)(Arena *a, void *ctx), void *ctx) {
    Diag d = {0};
    Arena *a = arena_open(&d);
    if (!a) return cli_fail(&d);
    volatile int code = DIAG_MACHINE;
    if (ARENA_TRY(a)) code = body(a, ctx);
    else cli_say("out of memory");
    ARENA_END(a);
    arena_close(a);
    return code;
}

void cli_notes(const LunetteModel *m) {
    const char *note;
    for (int i = 0; (note = lunette_note(m, i)) != NULL; i++) cli_say("%s", note);
}
