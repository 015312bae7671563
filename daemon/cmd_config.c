#include "daemon/commands.h"
#include "core/err.h"

#include <string.h>

static int check(const char *path)
{
    struct options options = {.config_path = path};
    struct config *config = NULL;
    struct buf out;

    if (load_config(&options, &config) < 0)
        return EXIT_ERROR;
    config_unref(config);
    buf_init(&out);
    buf_fmt(&out, "%s: valid\n", path);
    return print_out(&out);
}

static int show(const char *path)
{
    struct options options = {.config_path = path};
    struct config *config = NULL;
    struct buf out;

    if (load_config(&options, &config) < 0)
        return EXIT_ERROR;
    buf_init(&out);
    config_show(config, &out);
    config_unref(config);
    return print_out(&out);
}

static int run(const struct command *command, int argc, char **argv)
{
    struct options options;
    const char *action;
    int status;

    if (!options_parse(command, argc, argv, &options, &status))
        return status;
    action = options.operand_count > 0 ? options.operands[0] : "";
    if (strcmp(action, "check") == 0 && options.operand_count == 2)
        status = check(options.operands[1]);
    else if (strcmp(action, "check") == 0)
        status = options_usage_error(command, "check needs a FILE");
    else if (strcmp(action, "show") == 0)
        status = show(options.operand_count == 2 ? options.operands[1] : NULL);
    else
        status = options_usage_error(command, "expected check or show");
    options_done(&options);
    return status;
}

const struct command command_config = {
    .name = "config",
    .arguments = "check FILE | show [FILE]",
    .summary = "Validate a configuration, or print it with all defaults",
    .help = "  check FILE   say what is wrong with the file, every error with its line\n"
            "  show [FILE]  print the effective configuration; it can be loaded again\n"
            "               (default: " CONFIG_DEFAULT_PATH ", or none)\n"
            "  --help       print this help\n\n"
            "Exit status: 0 valid, 1 wrong or unreadable, 2 usage error.\n",
    .max_operands = 2,
    .usage_status = EXIT_USAGE,
    .run = run,
};
