#include "daemon/one_shot.h"
#include "daemon/running.h"
#include "exporters/json.h"
#include "exporters/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* When the terminal does not tell how wide it is. */
enum { WIDTH_ASSUMED = 80 };

/* A width of 0 lets the table be as wide as it needs: what is not read on a
 * terminal is searched or sent to somebody. */
static struct table_style output_style(void)
{
    const char *columns = getenv("COLUMNS"), *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    struct table_style style = {0};
    struct winsize size;
    char *end;

    style.colour = is_terminal && (!no_colour || !*no_colour) && term && *term && strcmp(term, "dumb") != 0;
    if (columns && *columns >= '0' && *columns <= '9') { /* strtoul() reads "-1", too */
        style.width = strtoul(columns, &end, 10);
        if (*end)
            style.width = 0;
    }
    if (style.width == 0 && is_terminal) {
        style.width = WIDTH_ASSUMED;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
            style.width = size.ws_col;
    }
    return style;
}

static int list(struct one_shot *o)
{
    uint64_t *restarts = running_restarts(o->cycle.host.listeners, o->cycle.verdict);
    struct table_style style;
    struct buf notes;
    int status;

    buf_init(&notes);
    o->view.restarts = restarts;
    if (o->options.json) {
        json_listeners(&o->view, &o->out);
    } else {
        style = output_style();
        table_listeners(&o->view, &style, &o->out);
        cycle_describe_blindness(&o->cycle, &notes);
    }
    status = print_out(&o->out);
    (void)fputs(buf_text(&notes), stderr); /* nowhere to say that it failed */
    buf_done(&notes);
    free(restarts);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    return one_shot_run(command, argc, argv, list);
}

const struct command command_list = {
    .name = "list",
    .arguments = "[--json] [--all] [--config FILE]",
    .summary = "Look at the kernel once and print every listener",
    .help = "  --json         print JSON instead of a table\n"
            "  --all          also UDP sockets on ports that the kernel chose, which are clients\n"
            "                 mostly\n"
            "  --config FILE  name the rules that each listener breaks\n"
            "                 (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --help         print this help\n\n"
            "Columns; \"-\" is what does not apply or cannot be told:\n"
            "  ADDRESS:PORT  * serves IPv4 and IPv6; of a raw socket the IP protocol number\n"
            "  SCOPE         what it is bound to: any, address, link-local, loopback; absent is\n"
            "                an address that the host does not have now\n"
            "  CLASS         of the port: well-known, registered, dynamic\n"
            "  SERVICE       what the port is known for\n"
            "  QUEUE         connections waiting to be accepted/backlog limit; with a B, the\n"
            "                bytes waiting to be read from a UDP or raw socket; summed over\n"
            "                all sockets that share the address\n"
            "  DROPS         connections or datagrams that the sockets had to drop\n"
            "  CONNS         established connections of the port\n"
            "  RESTARTS      how often sockets were replaced by new ones, as the daemon that\n"
            "                runs here has counted\n"
            "  OWNER         process[PID], +N for so many more that hold the socket; (user) of\n"
            "                the socket where no process is seen: those of others are seen by\n"
            "                root only. (deleted) stands before one whose program's file was\n"
            "                replaced or removed, or never was on a disk\n"
            "  USER, UNIT    of these processes: the user, the systemd unit\n"
            "  EXE           the file of the process's program; \"not the host's\" where this host\n"
            "                has another one there, or none\n"
            "  RULES         those that the listener breaks; NOTES where a port is marked that\n"
            "                the kernel chose\n\n"
            "Where the terminal is too narrow, EXE, UNIT, DROPS and CLASS are left out, in this\n"
            "order; then RULES go below their row; then USER and SERVICE are left out and\n"
            "owners are cut. COLUMNS in the environment is the width, if set; a file or a pipe\n"
            "gets what the table needs.\n"
            "A terminal gets colours, unless NO_COLOR is set or TERM is dumb.\n\n"
            "Exit status: 0 done, 1 could not look, 2 usage error.\n",
    .takes_json = true,
    .takes_all = true,
    .takes_config = true,
    .usage_status = EXIT_USAGE,
    .failure_status = EXIT_ERROR,
    .run = run,
};
