#include "daemon/one_shot.h"
#include "exporters/prom.h"

static int print_metrics(struct one_shot *o)
{
    const struct prom_dropped before = {{0}};
    struct prom_dropped cut;

    prom_render(&o->view, &before, &o->out, &cut);
    return print_out(&o->out);
}

static int run(const struct command *command, int argc, char **argv)
{
    return one_shot_run(command, argc, argv, print_metrics);
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
    .makes_probes = true,
    .usage_status = EXIT_USAGE,
    .failure_status = EXIT_ERROR,
    .run = run,
};
