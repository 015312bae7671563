#include "daemon/one_shot.h"
#include "daemon/write_file.h"
#include "config/read_file.h"
#include "core/err.h"
#include "exporters/baseline.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
    va_list args;

    (void)fputs("sockwatch baseline: ", stderr); /* nowhere to say that it failed */
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return EXIT_ERROR;
}

static void report_blindness(const struct cycle *cycle)
{
    struct buf notes;

    buf_init(&notes);
    cycle_describe_blindness(cycle, &notes);
    (void)fputs(buf_text(&notes), stderr); /* nowhere to say that it failed */
    buf_done(&notes);
}

/* Whether two names are those of one file that is there. */
static bool is_same_file(const char *path, const char *other)
{
    struct stat a, b;

    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A shell has emptied a file that is standard output before it could be read. */
static int check_standard_output(const struct one_shot *o)
{
    const char *config_path = o->options.config_path;
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/fd/1", path, sizeof path - 1);

    if (o->options.output_path || !config_path || length < 0)
        return EXIT_OK;
    path[length] = '\0';
    if (!is_same_file(config_path, path) && config_find_drop_in(o->config, config_path, path) != 1)
        return EXIT_OK;
    return complain("standard output is %s, which a shell empties before it can be read: what it said is "
                    "lost. Put that back, then use --output %s --force",
                    path, path);
}

/* is_cut   it is not whole: it would let something pass, or forbid it */
static int write_out(const struct options *options, bool is_cut, struct buf *out)
{
    const char *path = options->output_path;
    int r;

    if (out->failed)
        return complain("%s", err_str(-ENOMEM));
    if (out->len > FILE_BYTES_MAX)
        return complain("%zu bytes would be too large for a configuration file, expected at most %d",
                        out->len, FILE_BYTES_MAX);
    if (!path)
        return print_out(out) == EXIT_OK && !is_cut ? EXIT_OK : EXIT_ERROR;
    if (is_cut)
        return complain("%s is not written: not every listener would be in it", path);
    r = write_file(path, buf_text(out), out->len, options->force);
    if (r == -EEXIST)
        return complain("%s is there already; --force replaces it", path);
    if (r < 0)
        return complain("%s cannot be written: %s", path,
                        r == -ENOTSUP ? "what is there is no regular file" : err_str(r));
    return EXIT_OK;
}

/* Loads the configuration's own file for being written again.
 *
 * ret   owned; NULL when it is not what will be written */
static int load_own(const struct options *options, struct config **ret)
{
    struct buf errors;
    int r = 0;

    *ret = NULL;
    if (!options->config_path || !is_same_file(options->config_path, options->output_path))
        return 0;
    buf_init(&errors);
    r = config_load_alone(options->config_path, ret, &errors);
    (void)fputs(buf_text(&errors), stderr); /* nowhere to say that it failed */
    buf_done(&errors);
    return r;
}

static int make(struct one_shot *o, struct baseline *b)
{
    baseline_render(b, &o->out);
    report_blindness(&o->cycle);
    return write_out(&o->options, listener_table_dropped(b->table, DROPPED_LISTENERS) > 0, &o->out);
}

static int make_whole(struct one_shot *o, struct baseline *b)
{
    struct config *own = NULL;
    int status;

    if (o->options.output_path && load_own(&o->options, &own) < 0)
        return EXIT_ERROR;
    b->kept = own ? own : o->config;
    b->beside_drop_ins = own;
    status = make(o, b);
    config_unref(own);
    return status;
}

static int make_drop_in(struct one_shot *o, struct baseline *b)
{
    int status = make(o, b);

    if (status == EXIT_OK && !o->config->policy.unexpected.enabled)
        (void)complain("%s has no \"unexpected\" block: without unexpected: {}; nothing is said of a "
                       "listener that no entry is about",
                       o->options.config_path);
    return status;
}

static int print_baseline(struct one_shot *o)
{
    const struct options *options = &o->options;
    struct baseline b = {
        .table = o->cycle.host.listeners,
        .own = &o->own,
        .local_ports = collectors_local_ports(),
        .config = o->config,
        .with_process = options->with_process,
    };
    int r = 0;

    if (check_standard_output(o) != EXIT_OK)
        return EXIT_ERROR;
    if (options->output_path && options->config_path)
        r = config_find_drop_in(o->config, options->config_path, options->output_path);
    if (r < 0)
        return complain("%s: %s", options->output_path,
                        r == -EINVAL ? "would not be read, expected a name *.conf" : err_str(r));
    return r > 0 ? make_drop_in(o, &b) : make_whole(o, &b);
}

static int run(const struct command *command, int argc, char **argv)
{
    return one_shot_run(command, argc, argv, print_baseline);
}

const struct command command_baseline = {
    .name = "baseline",
    .arguments = "[--config FILE] [--output FILE [--force]] [--with-process]",
    .summary = "Print a configuration that declares what listens now",
    .help = "  --config FILE   the configuration in use, of which everything is kept\n"
            "                  (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --output FILE   write this file, whole or not at all, instead of printing\n"
            "  --force         replace FILE if it is there\n"
            "  --with-process  entries name processes, too\n"
            "  --help          print this help\n\n"
            "A FILE in the include_dir of the configuration gets entries only, those that\n"
            "the other files do not have; any other is a configuration of its own.\n\n"
            "What no entry of the configuration is about is added to it: services with a\n"
            "well-known name become expect entries, the rest allow entries, with port,\n"
            "protocol, addresses, and with user and unit as far as the sockets tell them.\n"
            "Which processes listen is seen by root only, and by a service that was given\n"
            "the right to. \"sockwatch check\" with the result finds nothing wrong right\n"
            "afterwards, but for what the entries that were there before say.\n\n"
            "Exit status: 0 done, 1 could not look, or not at all of it, or could not write,\n"
            "2 usage error.\n",
    .takes_config = true,
    .takes_output = true,
    .usage_status = EXIT_USAGE,
    .failure_status = EXIT_ERROR,
    .run = run,
};
