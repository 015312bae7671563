/* The subcommands; each is one file, and main.c has the table. */
#ifndef SOCKWATCH_DAEMON_COMMANDS_H
#define SOCKWATCH_DAEMON_COMMANDS_H

#include "daemon/options.h"

extern const struct command command_daemon;
extern const struct command command_list;
extern const struct command command_check;
extern const struct command command_metrics;
extern const struct command command_baseline;
extern const struct command command_config;

/* Loads the configuration; every error goes to standard error. Returns 0 and
 * fills *ret (owned), or a negative error. */
int load_config(struct options *options, struct config **ret);

/* Writes all of out to standard output and empties it. Returns EXIT_OK, or
 * EXIT_ERROR when memory ran out before or writing failed, having said so. */
int print_out(struct buf *out);

#endif
