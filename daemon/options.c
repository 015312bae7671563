#include "daemon/options.h"
#include "core/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OPTION_HELP = 'h',
    OPTION_CONFIG = 'c',
    OPTION_LISTEN = 'l',
    OPTION_JSON = 'j',
    OPTION_ALL = 'a',
    OPTION_PORT = 'p',
    OPTION_PROTOCOL = 'P',
    OPTION_PROBLEMS = 'w',
    OPTION_OUTPUT = 'o',
    OPTION_FORCE = 'f',
    OPTION_WITH_PROCESS = 'x',
    OPTION_DEBUG = 'd',
};

int options_usage_error(const struct command *command, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "sockwatch %s: ", command->name);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\nusage: sockwatch %s %s (see sockwatch %s --help)\n", command->name,
                  command->arguments, command->name);
    return command->usage_status;
}

static void print_help(const struct command *command)
{
    (void)printf("Usage: sockwatch %s %s\n\n%s.\n\n%s", command->name, command->arguments, command->summary,
                 command->help);
}

static bool add_listen(const struct command *command, struct options *options, const char *text,
                       int *ret_status)
{
    struct ip_port address;

    if (ip_port_parse(text, &address) < 0) {
        *ret_status = options_usage_error(
            command,
            "--listen: \"%s\" is not valid, expected ADDRESS:PORT such as 127.0.0.1:10066 or [::]:10066",
            text);
        return false;
    }
    for (size_t i = 0; i < options->listen.count; i++) {
        if (options->listen.items[i].port == address.port &&
            ip_addr_compare(&options->listen.items[i].address, &address.address) == 0) {
            *ret_status = options_usage_error(command, "--listen: %s is given twice", text);
            return false;
        }
    }
    if (ip_ports_add(&options->listen, &address) < 0) {
        (void)fprintf(stderr, "sockwatch: %s\n", err_str(-ENOMEM));
        *ret_status = EXIT_ERROR;
        return false;
    }
    return true;
}

static bool set_ports(const struct command *command, struct options *options, const char *text,
                      int *ret_status)
{
    int r;

    if (options->ports) {
        *ret_status =
            options_usage_error(command, "--port is given twice, expected one list such as 22,80,8000-8100");
        return false;
    }
    r = port_ranges_parse(text, &options->ports, &options->filter.port_count);
    options->filter.ports = options->ports;
    if (r == 0)
        return true;
    if (r == -ENOMEM) {
        (void)fprintf(stderr, "sockwatch: %s\n", err_str(r));
        *ret_status = EXIT_ERROR;
    } else {
        *ret_status = options_usage_error(
            command, "--port: \"%s\" is not valid, expected ports up to 65535 such as 22,80,8000-8100", text);
    }
    return false;
}

static bool set_protocol(const struct command *command, struct options *options, const char *text,
                         int *ret_status)
{
    struct view_filter *filter = &options->filter;

    if (filter->one_protocol) {
        *ret_status = options_usage_error(command, "--protocol is given twice");
        return false;
    }
    filter->one_protocol = protocol_parse(text, &filter->protocol) == 0;
    if (!filter->one_protocol)
        *ret_status = options_usage_error(
            command, "--protocol: \"%s\" is not valid, expected tcp, udp, udplite, sctp, raw, unix or packet",
            text);
    return filter->one_protocol;
}

/* Handles one option. Returns whether to go on with the next. */
static bool take_option(const struct command *command, int option, char **argv, struct options *options,
                        int *ret_status)
{
    switch (option) {
    case OPTION_HELP:
        print_help(command);
        *ret_status = EXIT_OK;
        return false;
    case OPTION_CONFIG: options->config_path = optarg; return true;
    case OPTION_LISTEN: return add_listen(command, options, optarg, ret_status);
    case OPTION_JSON: options->json = true; return true;
    case OPTION_ALL: options->all = true; return true;
    case OPTION_PORT: return set_ports(command, options, optarg, ret_status);
    case OPTION_PROTOCOL: return set_protocol(command, options, optarg, ret_status);
    case OPTION_PROBLEMS: options->filter.problems = true; return true;
    case OPTION_OUTPUT: options->output_path = optarg; return true;
    case OPTION_FORCE: options->force = true; return true;
    case OPTION_WITH_PROCESS: options->with_process = true; return true;
    case OPTION_DEBUG: options->debug = true; return true;
    case ':': *ret_status = options_usage_error(command, "%s needs a value", argv[optind - 1]); return false;
    default:
        if (optopt != 0)
            *ret_status = options_usage_error(command, "-%c is not an option here", optopt);
        else
            *ret_status = options_usage_error(command, "%s is not an option here", argv[optind - 1]);
        return false;
    }
}

/* Those that a subcommand takes; with the one that ends them there are thirteen. */
enum { OPTIONS_MAX = 13 };

static void name_options(const struct command *command, struct option ret[static OPTIONS_MAX])
{
    const struct {
        bool is_taken;
        struct option option;
    } all[OPTIONS_MAX - 1] = {
        {true, {"help", no_argument, NULL, OPTION_HELP}},
        {command->takes_config, {"config", required_argument, NULL, OPTION_CONFIG}},
        {command->takes_listen, {"listen", required_argument, NULL, OPTION_LISTEN}},
        {command->takes_json, {"json", no_argument, NULL, OPTION_JSON}},
        {command->takes_all, {"all", no_argument, NULL, OPTION_ALL}},
        {command->takes_filter, {"port", required_argument, NULL, OPTION_PORT}},
        {command->takes_filter, {"protocol", required_argument, NULL, OPTION_PROTOCOL}},
        {command->takes_filter, {"problems", no_argument, NULL, OPTION_PROBLEMS}},
        {command->takes_output, {"output", required_argument, NULL, OPTION_OUTPUT}},
        {command->takes_output, {"force", no_argument, NULL, OPTION_FORCE}},
        {command->takes_output, {"with-process", no_argument, NULL, OPTION_WITH_PROCESS}},
        {command->takes_debug, {"debug", no_argument, NULL, OPTION_DEBUG}},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].is_taken)
            *ret++ = all[i].option;
    *ret = (struct option){0};
}

bool options_parse(const struct command *command, int argc, char **argv, struct options *ret, int *ret_status)
{
    struct option all[OPTIONS_MAX];
    int option;

    *ret = (struct options){0};
    name_options(command, all);
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":h", all, NULL)) != -1) {
        if (!take_option(command, option, argv, ret, ret_status)) {
            options_done(ret);
            return false;
        }
    }
    ret->operands = argv + optind;
    ret->operand_count = argc - optind;
    if (ret->force && !ret->output_path) {
        *ret_status = options_usage_error(command, "--force needs --output, which names what it replaces");
        options_done(ret);
        return false;
    }
    if (ret->operand_count > command->max_operands) {
        *ret_status = options_usage_error(command, "\"%s\" is one argument too many",
                                          ret->operands[command->max_operands]);
        options_done(ret);
        return false;
    }
    return true;
}

void options_done(struct options *options)
{
    free(options->listen.items);
    options->listen = (struct ip_ports){0};
    free(options->ports);
    options->ports = NULL;
    options->filter = (struct view_filter){0};
}

int options_load_config(struct options *options, struct config **ret, struct buf *errors)
{
    const char *path = options->config_path ? options->config_path : CONFIG_DEFAULT_PATH;
    int r;

    if (!options->config_path && access(CONFIG_DEFAULT_PATH, F_OK) < 0 && errno == ENOENT) {
        *ret = config_new();
        r = *ret ? 0 : -ENOMEM;
    } else {
        r = config_load_without(path, options->output_path, ret, errors);
        if (r == 0)
            options->config_path = path;
    }
    if (r == -ENOMEM)
        buf_fmt(errors, "sockwatch: %s\n", err_str(r));
    return r;
}
