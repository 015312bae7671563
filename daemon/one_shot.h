/* The subcommands that look at the kernel once and print what they see: what
 * they have in common. Main thread only. */
#ifndef SOCKWATCH_DAEMON_ONE_SHOT_H
#define SOCKWATCH_DAEMON_ONE_SHOT_H

#include "daemon/commands.h"
#include "daemon/cycle.h"

struct one_shot {
    struct options options;
    struct config *config;
    struct cycle cycle;     /* listeners, owners and connections were read and judged, ignoring "for" */
    struct own_sockets own; /* as far as they can be told; the cookies are owned */
    struct view view;       /* of that */
    struct buf out;         /* for what is to be printed */
};

/* Does what the subcommand is for. Returns its exit status. */
typedef int one_shot_fn(struct one_shot *o);

/* Reads options and configuration, looks, and calls fn. What cannot be had is
 * said on standard error. Returns the exit status, which is the command's
 * failure_status where fn could not be called. */
int one_shot_run(const struct command *command, int argc, char **argv, one_shot_fn *fn);

#endif
