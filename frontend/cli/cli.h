/* What the commands of `lunette` share: options, messages, tables, JSON, time.
 *
 * stdout is data, stderr is messages: one line each, "lunette: MESSAGE". Exit codes are DiagKind's. */
#ifndef LUNETTE_CLI_H
#define LUNETTE_CLI_H

#include "frontend/lunette.h"
#include "ir/base.h"

#include <argp.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>

/* ---- commands: each gets "lunette NAME" as argv[0] and returns an exit code ----------------------- */

int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_show(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_dump(int argc, char **argv);
int cli_ops(int argc, char **argv);
int cli_tune(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_export(int argc, char **argv);

/* ---- options.c ------------------------------------------------------------------------------------ */

/* Which of the shared options a command has. */
enum {
    CLI_GRAPH = 1,   /* --batch --set --const */
    CLI_CPU = 16,    /* --cpu */
    CLI_MODEL = CLI_GRAPH | CLI_CPU,
    CLI_WEIGHTS = 2, /* --weights --seed */
    CLI_BUILD = 4,   /* --threads --cache-dir --no-cache */
    CLI_JSON = 8,
};

typedef struct CliOptions {
    LunetteOptions model;
    bool json;
    bool seeded;      /* --seed was given */
    const char *arg;  /* the argument that is no option: a spec; NULL if none was given */
    const char **set; /* what model.set points to; freed by cli_close */
    const char **constant; /* … and model.constants */
    const char **shape;    /* … and model.shapes */
    Diag diag;
    int exit; /* of a failed cli_parse */
} CliOptions;

typedef struct CliSyntax {
    const char *name; /* "run" */
    const char *args; /* "SPEC"; "[NAME]" when it may be left out */
    const char *doc;
    unsigned shared;                   /* CLI_ flags */
    const struct argp_option *options; /* the command's own, ended by {0}; NULL if none. Keys ≥ CLI_KEY or letters */
    bool (*option)(int key, const char *value, void *own, Diag *d);
} CliSyntax;

enum { CLI_MOST_THREADS = 256 };
enum { CLI_KEY = 0x1000 }; /* long options without a letter begin here; the shared ones are below */

/* True: go on. False: o->exit is the exit code, what there was to say has been said. */
bool cli_parse(const CliSyntax *s, int argc, char **argv, CliOptions *o, void *own);
void cli_close(CliOptions *o);
/* A whole decimal number in lo … hi, nothing before or after it; `what` is for the message. */
bool cli_number(const char *text, const char *what, uint64_t lo, uint64_t hi, uint64_t *out, Diag *d);
/* A decimal fraction in lo … hi. */
bool cli_real(const char *text, const char *what, double lo, double hi, double *out, Diag *d);

/* ---- say.c ---------------------------------------------------------------------------------------- */

/* "lunette: …" on stderr; control bytes that came from a file or an argument are shown as '?'. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says the message and returns its exit code (70 when there is none: a failure without a reason is ours). */
int cli_fail(const Diag *d);
/* Says what there is to remark about a model. */
void cli_notes(const LunetteModel *m);
/* Runs body with an arena of its own; memory that runs out in it is a message and 71. */
int cli_with_arena(int (*body)(Arena *a, void *ctx), void *ctx);

/* ---- progress.c ----------------------------------------------------------------------------------- */

/* A line on a terminal's stderr, from the second second on, kept up by a thread: "what … 34 of 100, 3 s". */
void progress_begin(const char *what, int64_t total); /* total 0: no count */
void progress_set(int64_t done);
void progress_end(void); /* takes the line away; fine without a beginning */

/* ---- clock.c -------------------------------------------------------------------------------------- */

double clock_seconds(void); /* monotonic */
/* Seconds since the process was started, loading of libraries included: against field 22 of
 * /proc/self/stat, which counts in hundredths rounded down, so up to 10 ms too long, never too short.
 * Without /proc, since clock_start. */
double clock_since_start(void);
void clock_start(void);

/* ---- table.c -------------------------------------------------------------------------------------- */

typedef struct TextTable {
    Arena *arena;
    const char *align; /* 'l' or 'r' a column */
    int columns;
    char **cell; /* row by row */
    int n, cap;
} TextTable;

void table_open(TextTable *t, Arena *a, const char *align);
/* One cell after the other; a row is full when it has as many as `align` has letters. */
void table_cell(TextTable *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Titles or other texts, one a column, parted by '|'. */
void table_row(TextTable *t, const char *cells);
void table_print(const TextTable *t, FILE *f);

/* ---- json.c --------------------------------------------------------------------------------------- */

/* Numbers that JSON cannot say (nan, inf) become null, bytes that are no UTF-8 '?'. All give NULL
 * when memory is short, and json_put_* make the whole value NULL then. */
json_t *json_number(double x);
json_t *json_text(const char *s);
/* Appends, taking `item` over; *list becomes NULL (freed) when that fails. */
void json_push(json_t **list, json_t *item);
/* Prints and frees; returns the exit code. */
int json_show(json_t *value);

#endif
