#include "daemon/commands.h"

static int run(const struct command *command, int argc, char **argv)
{
    struct config *config = NULL;
    struct options options;
    struct cycle cycle = {0};
    struct buf out;
    int status = EXIT_ERROR;
    struct view view;

    if (!options_parse(command, argc, argv, &options, &status))
        return status;
    buf_init(&out);
    if (load_config(&options, &config) == 0 &&
        look_once(config, CYCLE_LISTENERS | CYCLE_CONNECTIONS, &cycle) == 0) {
        view = cycle_view(&cycle, config, false);
        prom_render(&view, &cycle.dropped, &out);
        status = print_out(&out);
    }
    buf_done(&out);
    cycle_close(&cycle);
    config_free(config);
    options_done(&options);
    return status;
}

const struct command command_metrics = {
    .name = "metrics",
    .arguments = "[--config FILE]",
    .summary = "Look at the kernel once and print the metrics",
    .help = "  --config FILE  (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --help         print this help\n\n"
            "The output is one exposition in the Prometheus text format, for\n"
            "node_exporter's textfile directory or for debugging. Alerts ignore \"for\".\n\n"
            "Exit status: 0 done, 1 could not look, 2 usage error.\n",
    .takes_config = true,
    .usage_status = EXIT_USAGE,
    .run = run,
};
