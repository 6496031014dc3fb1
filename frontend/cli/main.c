/* The command line: finds the command, runs it, sees that what it printed got out. */
#include "frontend/cli/cli.h"
#include "frontend/explain_cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

typedef struct Command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *doc;
} Command;

static const Command commands[] = {
    {"run", cli_run, "runs a network on images or arrays"},
    {"check", cli_check, "compares every kernel with the reference"},
    {"show", cli_show, "layers: shape, parameters, multiply-adds, receptive field, bytes"},
    {"bench", cli_bench, "time and share of what the machine can do, kernel by kernel"},
    {"tune", cli_tune, "times other schedules and keeps the best in a file"},
    {"dump", cli_dump, "what the compiler makes of a network, stage by stage"},
    {"explain", cli_explain, "the arithmetic of a convolution or pool, with its numbers"},
    {"import", cli_import, "an ONNX model as a Lua spec and its weights"},
    {"export", cli_export, "a network as an ONNX model"},
    {"ops", cli_ops, "the operations a network may use"},
};

static void print_help(void) {
    printf("Usage: lunette COMMAND [OPTION...] SPEC\n"
           "Compiles convolutional networks, described by a Lua spec, to native code.\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) printf("  %-8s %s\n", commands[i].name, commands[i].doc);
    printf("\n`lunette COMMAND --help` lists the options of a command; `lunette --version` prints the version.\n"
           "Exit codes: 0 good, 1 checked and not good, 2 usage, 3 the spec, 4 unsupported, 5 a bad file,\n"
           "70 a bug of ours, 71 the machine (memory, threads, disk).\n");
}

static int unknown_command(const char *name) {
    const char *names[COUNT_OF(commands)];
    for (size_t i = 0; i < COUNT_OF(commands); i++) names[i] = commands[i].name;
    const char *near = text_nearest(name, names, COUNT_OF(commands));
    if (near) cli_say("there is no command '%s', did you mean %s?", name, near);
    else cli_say("there is no command '%s'; lunette --help lists them", name);
    return DIAG_USAGE;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        cli_say("a command is needed; lunette --help lists them");
        return DIAG_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("lunette %s\n", lunette_version());
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        char name[32];
        snprintf(name, sizeof name, "lunette %s", commands[i].name);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    return unknown_command(argv[1]);
}

int main(int argc, char **argv) {
    clock_start();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error, which is told below */
    argp_err_exit_status = DIAG_USAGE;
    int code = dispatch(argc, argv);
    errno = 0;
    bool lost = ferror(stdout);
    if (fclose(stdout) == 0 && !lost) return code;
    cli_say("cannot write the output: %s", errno ? strerror(errno) : "write error");
    return DIAG_MACHINE;
}
