/* The command line of every subcommand, read with getopt_long in one way. Main
 * thread only. */
#ifndef SOCKWATCH_DAEMON_OPTIONS_H
#define SOCKWATCH_DAEMON_OPTIONS_H

#include "config/config.h"
#include "exporters/view.h"

enum {
    EXIT_OK = 0,
    EXIT_ERROR = 1,
    EXIT_USAGE = 2,
    EXIT_WRONG_CONFIG = 78, /* EX_CONFIG of sysexits.h: another start would end likewise */
};

/* A subcommand. */
struct command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;   /* for the list of subcommands */
    const char *help;      /* for its --help: the options and the exit status */
    bool takes_listen;
    bool takes_json;
    bool takes_all;
    bool takes_filter; /* --port, --protocol, --problems */
    bool takes_config;
    bool takes_output; /* --output, --force, --with-process */
    bool takes_debug;
    bool makes_probes; /* where it looks once */
    int max_operands;
    int usage_status;   /* exit status of a usage error */
    int failure_status; /* likewise when what it is for cannot be done */
    int (*run)(const struct command *command, int argc, char **argv);
};

/* What was given. */
struct options {
    const char *config_path; /* NULL: not given */
    struct ip_ports listen;  /* owned */
    const char *output_path; /* NULL: standard output */
    bool force;
    bool with_process;
    bool json;
    bool all;
    struct view_filter filter;
    struct port_range *ports; /* owned; the filter's */
    bool debug;
    char **operands;
    int operand_count;
};

/* Reads the options of a subcommand; argv[0] is its name.
 *
 * Returns true when the subcommand shall go on. Otherwise *ret_status is the
 * exit status: 0 after --help, that of a usage error after a message. */
bool options_parse(const struct command *command, int argc, char **argv, struct options *ret,
                   int *ret_status);
void options_done(struct options *options);

/* Loads the file given, or the default one if it exists, or the defaults.
 *
 * options   remembers which file it was: from then on that file must be there. What
 *           will be written is left out, if it is one of the files of include_dir
 * errors    a line for each error
 *
 * Returns 0 and fills *ret (owned), or a negative error. */
int options_load_config(struct options *options, struct config **ret, struct buf *errors);

/* Prints one usage error with a line of help, to standard error. Returns
 * command->usage_status. */
__attribute__((format(printf, 2, 3))) int options_usage_error(const struct command *command,
                                                              const char *format, ...);

#endif
