#include "frontend/cli/cli.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

static double started; /* of clock_seconds, in main */

static double read_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_seconds(void) { return read_clock(CLOCK_MONOTONIC); }

void clock_start(void) { started = clock_seconds(); }

/* Field 22, in clock ticks since boot; the name in field 2 may hold anything, so fields are counted
 * from its closing parenthesis. Negative when it cannot be read. */
static double start_of_process(void) {
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "r");
    if (!f) return -1;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    unsigned long long ticks;
    if (!p ||
        sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &ticks) != 1)
        return -1;
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

double clock_since_start(void) {
    double in_main = clock_seconds() - started, at = start_of_process();
    double all = read_clock(CLOCK_BOOTTIME) - at;
    return at >= 0 && all >= in_main ? all : in_main;
}
