#include "daemon/commands.h"
#include "version.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_daemon, &command_list, &command_check, &command_metrics, &command_baseline, &command_config,
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_help(void)
{
    (void)printf("Usage: sockwatch COMMAND [OPTION]...\n\n"
                 "Watches the kernel's socket tables and tells when what listens is not what\n"
                 "should listen.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    (void)printf("\n  --help     print this help; sockwatch COMMAND --help tells more\n"
                 "  --version  print the version\n");
}

static int usage_error(const char *before, const char *what, const char *after)
{
    (void)fprintf(stderr, "sockwatch: %s%s%s\nusage: sockwatch COMMAND [OPTION]... (see sockwatch --help)\n",
                  before, what, after);
    return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!name)
        return usage_error("expected a command", "", "");
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return EXIT_OK;
    }
    if (strcmp(name, "--version") == 0) {
        (void)printf("sockwatch %s (%s)\n", SOCKWATCH_VERSION, SOCKWATCH_REVISION);
        return EXIT_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i]->run(commands[i], argc - 1, argv + 1);
    return usage_error("\"", name, "\" is not a command");
}

int main(int argc, char **argv)
{
    int status = run(argc, argv);

    return status == EXIT_OK && (fflush(stdout) != 0 || ferror(stdout)) ? EXIT_ERROR : status;
}
