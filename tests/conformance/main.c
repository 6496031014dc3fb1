/* Runs cases of ONNX's test suites, each in a process of its own, and counts.
 *
 *   conformance [--filter PART] CASES EXCEPTIONS DATA
 *
 * CASES: a line a case, of which the first word is its folder below DATA. EXCEPTIONS: cases that need not pass, each
 * with its reason. Exit code 0: all others pass; 77: DATA is not there. */
#include "tests/conformance/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60, MOST_JOBS = 64, SKIPPED = 77, LINE = 1200 };

typedef struct Entry {
    char *name, *rest;
    CaseResult result;
} Entry;

typedef struct List {
    Entry *v;
    int n;
} List;

typedef struct Job {
    pid_t pid; /* 0: free */
    int pipe;
    Entry *entry;
} Job;

static void *checked(void *p) {
    if (p) return p;
    fprintf(stderr, "conformance: out of memory\n");
    exit(DIAG_MACHINE);
}

/* ---- lists ----------------------------------------------------------------------------------------- */

static void list_add(List *l, const char *name, const char *rest) {
    l->v = checked(realloc(l->v, (size_t)(l->n + 1) * sizeof *l->v));
    l->v[l->n++] = (Entry){.name = checked(strdup(name)), .rest = checked(strdup(rest))};
}

/* Lines "NAME rest"; '#' starts a comment. */
static List list_read(const char *path, const char *filter) {
    List l = {0};
    char line[LINE];
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(DIAG_FILE);
    }
    while (fgets(line, sizeof line, f)) {
        size_t n = strcspn(line, " \t\n");
        char *rest = line + n + strspn(line + n, " \t");
        rest[strcspn(rest, "\n")] = '\0';
        if (n == 0 || line[0] == '#') continue;
        line[n] = '\0';
        if (!filter || strstr(line, filter)) list_add(&l, line, rest == line + n ? "" : rest);
    }
    fclose(f);
    return l;
}

static const Entry *list_find(const List *l, const char *name) {
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->v[i].name, name) == 0) return &l->v[i];
    return NULL;
}

static void list_free(List *l) {
    for (int i = 0; i < l->n; i++) {
        free(l->v[i].name);
        free(l->v[i].rest);
    }
    free(l->v);
}

/* ---- processes ------------------------------------------------------------------------------------- */

static void job_start(Job *j, Entry *e, const char *data) {
    int ends[2];
    if (pipe(ends) != 0 || (fflush(stdout), j->pid = fork()) < 0) {
        perror("conformance");
        exit(DIAG_MACHINE);
    }
    if (j->pid == 0) {
        char folder[LINE + 200];
        CaseResult r;
        close(ends[0]);
        alarm(SECONDS);
        snprintf(folder, sizeof folder, "%s/%s", data, e->name);
        case_run(folder, &r);
        _exit(write(ends[1], &r, sizeof r) == sizeof r ? 0 : 1); /* fits in the pipe */
    }
    close(ends[1]);
    j->pipe = ends[0];
    j->entry = e;
}

static void job_end(Job *j, int status) {
    CaseResult *r = &j->entry->result;
    bool whole = read(j->pipe, r, sizeof *r) == sizeof *r && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    close(j->pipe);
    j->pid = 0;
    if (whole) return;
    *r = (CaseResult){.verdict = CASE_BROKEN};
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(r->text, sizeof r->text, "more than %d s", SECONDS);
    else if (WIFSIGNALED(status)) snprintf(r->text, sizeof r->text, "crash: %s", strsignal(WTERMSIG(status)));
    else snprintf(r->text, sizeof r->text, "exit code %d", WEXITSTATUS(status));
}

static void run_all(List *l, const char *data) {
    Job job[MOST_JOBS] = {0};
    long n_job = sysconf(_SC_NPROCESSORS_ONLN);
    n_job = n_job < 1 ? 1 : n_job > MOST_JOBS ? MOST_JOBS : n_job;
    for (int next = 0, running = 0; next < l->n || running;) {
        for (int i = 0; i < n_job && next < l->n; i++)
            if (!job[i].pid) {
                job_start(&job[i], &l->v[next++], data);
                running++;
            }
        int status;
        pid_t pid = wait(&status);
        for (int i = 0; i < n_job; i++)
            if (pid > 0 && job[i].pid == pid) {
                job_end(&job[i], status);
                running--;
            }
    }
}

/* ---- counts ---------------------------------------------------------------------------------------- */

/* "node 'y' (Det, opset 11): reason" → "Det: reason": what cases have in common. */
static const char *reason(const char *text, char out[LINE]) {
    const char *open = strstr(text, "' ("), *comma = open ? strchr(open, ',') : NULL;
    const char *colon = comma ? strstr(comma, "): ") : NULL;
    if (strncmp(text, "node '", 6) != 0 || !colon) return text;
    snprintf(out, LINE, "%.*s: %s", (int)(comma - open - 3), open + 3, colon + 3);
    return out;
}

static int by_count(const void *a, const void *b) { return *(const int *)b - *(const int *)a; }

typedef struct Reason {
    int n;
    char text[LINE], example[LINE];
} Reason;

static void print_reasons(const List *l) {
    enum { MOST = 40 };
    Reason *v = checked(calloc((size_t)l->n + 1, sizeof *v));
    char own[LINE];
    int n = 0;
    for (int i = 0; i < l->n; i++) {
        if (l->v[i].result.verdict != CASE_REFUSED) continue;
        const char *text = reason(l->v[i].result.text, own);
        int k = 0;
        while (k < n && strncmp(v[k].text, text, LINE - 1) != 0) k++;
        if (k == n) {
            snprintf(v[n].text, LINE, "%s", text);
            snprintf(v[n++].example, LINE, "%s", l->v[i].name);
        }
        v[k].n++;
    }
    qsort(v, (size_t)n, sizeof *v, by_count);
    if (n) printf("Why not supported:\n");
    for (int i = 0; i < n && i < MOST; i++) printf("%5d  %s (%s)\n", v[i].n, v[i].text, v[i].example);
    if (n > MOST) printf("       and %d other reasons\n", n - MOST);
    free(v);
}

/* Prints what did not pass; returns how many of these should have. Nothing excuses a crash. */
static int report(const List *l, const List *exceptions) {
    static const char *const words[] = {"passed", "FAILED", "not supported", "BROKEN"};
    int count[COUNT_OF(words)] = {0}, known[KNOWN_COUNT] = {0}, excused = 0;
    for (int i = 0; i < l->n; i++) {
        const Entry *e = &l->v[i], *exception = list_find(exceptions, e->name);
        Verdict v = e->result.verdict;
        count[v]++;
        if (v == CASE_PASSED) {
            known[e->result.known]++;
            if (exception) printf("%s: passes, though it is an exception (%s)\n", e->name, exception->rest);
            continue;
        }
        if (v == CASE_BROKEN) exception = NULL;
        excused += exception != NULL;
        printf("%s: %s%s%s: %s\n", e->name, words[v], exception ? ", an exception: " : "",
               exception ? exception->rest : "", e->result.text);
    }
    print_reasons(l);
    printf(
        "%d ONNX cases: %d passed (%d with all inputs at run time, %d with integers bound, %d with all but the first "
        "bound), %d failed, %d not supported; %d of these are exceptions\n",
        l->n, count[CASE_PASSED], known[KNOWN_NOTHING], known[KNOWN_INTEGERS], known[KNOWN_OTHERS],
        count[CASE_WRONG] + count[CASE_BROKEN], count[CASE_REFUSED], excused);
    return l->n - count[CASE_PASSED] - excused;
}

int main(int argc, char **argv) {
    const char *filter = argc == 6 && strcmp(argv[1], "--filter") == 0 ? argv[2] : NULL;
    if (argc != 4 && !filter) {
        fprintf(stderr, "usage: conformance [--filter PART] CASES EXCEPTIONS DATA\n");
        return DIAG_USAGE;
    }
    char **arg = argv + argc - 3;
    if (access(arg[2], R_OK) != 0) {
        printf("%s is not there (Debian's package libonnx-testdata): skipped\n", arg[2]);
        return SKIPPED;
    }
    List cases = list_read(arg[0], filter), exceptions = list_read(arg[1], NULL);
    if (cases.n == 0) {
        fprintf(stderr, "conformance: no case is chosen\n");
        return DIAG_USAGE;
    }
    run_all(&cases, arg[2]);
    int bad = report(&cases, &exceptions);
    list_free(&cases);
    list_free(&exceptions);
    return bad ? DIAG_DIFFERS : 0;
}
