#include "daemon/one_shot.h"
#include "exporters/baseline.h"

#include <stdio.h>
#include <stdlib.h>

/* A baseline that is not whole would let something pass, or forbid it. */
static int report_gaps(const struct cycle *cycle)
{
    int status = EXIT_OK;
    struct buf notes;

    buf_init(&notes);
    cycle_describe_blindness(cycle, &notes);
    (void)fputs(buf_text(&notes), stderr); /* nowhere to say that it failed */
    buf_done(&notes);
    if (listener_table_dropped(cycle->host.listeners, DROPPED_LISTENERS) > 0)
        status = EXIT_ERROR;
    return status;
}

static int print_baseline(struct one_shot *o)
{
    int status;

    baseline_render(o->cycle.host.listeners, o->config, &o->own, collectors_local_ports(), &o->out);
    status = print_out(&o->out);
    return report_gaps(&o->cycle) == EXIT_OK ? status : EXIT_ERROR;
}

static int run(const struct command *command, int argc, char **argv)
{
    return one_shot_run(command, argc, argv, print_baseline);
}

const struct command command_baseline = {
    .name = "baseline",
    .arguments = "[--config FILE]",
    .summary = "Print a configuration that declares what listens now",
    .help = "  --config FILE  take the other settings from here\n"
            "                 (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --help         print this help\n\n"
            "Services with a well-known name become expect entries, the rest allow entries,\n"
            "with port, protocol, scope and owner. Which processes listen is seen by root\n"
            "only. \"sockwatch check\" with the result finds nothing wrong right afterwards.\n\n"
            "Exit status: 0 done, 1 could not look, or not at all of it, 2 usage error.\n",
    .takes_config = true,
    .usage_status = EXIT_USAGE,
    .failure_status = EXIT_ERROR,
    .run = run,
};
