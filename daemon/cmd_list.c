#include "daemon/commands.h"
#include "exporters/json.h"
#include "exporters/table.h"

#include <pwd.h>
#include <stdio.h>

static void user_name(uint32_t uid, char *ret_name, size_t size)
{
    const struct passwd *user = getpwuid(uid);

    if (user)
        (void)snprintf(ret_name, size, "%s", user->pw_name);
    else
        (void)snprintf(ret_name, size, "%u", uid);
}

static int run(const struct command *command, int argc, char **argv)
{
    struct config *config = NULL;
    struct options options;
    struct cycle cycle = {0};
    struct buf out, notes;
    int status = EXIT_ERROR;
    struct view view;

    if (!options_parse(command, argc, argv, &options, &status))
        return status;
    buf_init(&out);
    buf_init(&notes);
    if (load_config(&options, &config) < 0 || look_once(config, &cycle) < 0)
        goto out;
    view = cycle_view(&cycle, config);
    if (options.json) {
        json_listeners(&view, &out);
    } else {
        table_listeners(&view, user_name, &out);
        cycle_describe_blindness(&cycle, &notes);
    }
    status = print_out(&out);
    (void)fputs(buf_text(&notes), stderr); /* nowhere to say that it failed */
out:
    buf_done(&notes);
    buf_done(&out);
    cycle_close(&cycle);
    config_free(config);
    options_done(&options);
    return status;
}

const struct command command_list = {
    .name = "list",
    .arguments = "[--json] [--config FILE]",
    .summary = "Look at the kernel once and print every listener",
    .help = "  --json         print JSON instead of a table\n"
            "  --config FILE  name the rules that each listener breaks\n"
            "                 (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --help         print this help\n\n"
            "Columns: QUEUE is connections waiting to be accepted / backlog limit, CONNS the\n"
            "established connections of the port, OWNER the user the socket belongs to.\n"
            "An address of * serves IPv4 and IPv6. UDP sockets on ports that the kernel chose\n"
            "are clients mostly and are left out.\n\n"
            "Exit status: 0 done, 1 could not look, 2 usage error.\n",
    .takes_json = true,
    .takes_config = true,
    .usage_status = EXIT_USAGE,
    .run = run,
};
