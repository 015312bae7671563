#include "daemon/clock.h"
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

/* What is expected, then what listens. */
static void write_tables(struct one_shot *o)
{
    struct table_style style = output_style();

    style.now_ms = clock_now().wall_ms;
    if (table_expected(&o->view, &style, &o->out) > 0)
        buf_char(&o->out, '\n');
    table_listeners(&o->view, &style, &o->out);
}

static int list(struct one_shot *o)
{
    struct running_answer known;
    struct buf notes;
    int status;

    running_ask(o->cycle.host.listeners, &o->config->policy, o->cycle.verdict, &known);
    buf_init(&notes);
    o->view.restarts = known.restarts;
    o->view.since_ms = known.since_ms;
    o->view.filter = &o->options.filter;
    if (o->options.json) {
        json_listeners(&o->view, &o->out);
    } else {
        write_tables(o);
        cycle_describe_blindness(&o->cycle, &notes);
    }
    status = print_out(&o->out);
    (void)fputs(buf_text(&notes), stderr); /* nowhere to say that it failed */
    buf_done(&notes);
    running_answer_done(&known);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    return one_shot_run(command, argc, argv, list);
}

const struct command command_list = {
    .name = "list",
    .arguments = "[--json] [--all] [--port LIST] [--protocol P] [--problems] [--config FILE]",
    .summary = "Look at the kernel once and print what is expected and every listener",
    .help = "  --json           print JSON instead of tables\n"
            "  --all            also sockets on ports that the kernel chose, which are clients\n"
            "                   mostly, unix listeners that nothing expects, and packet\n"
            "                   sockets, which see what passes an interface\n"
            "  --port LIST      only what is on these ports, as 22,80,8000-8100\n"
            "  --protocol P     only tcp, udp, udplite, sctp, raw, unix or packet\n"
            "  --problems       only what is not as expected, or cannot be told\n"
            "  --config FILE    what is expected, and which rules each listener breaks\n"
            "                   (default: " CONFIG_DEFAULT_PATH ", if it exists)\n"
            "  --help           print this help\n\n"
            "Each probe is made once, and waited for as long as its probe_timeout.\n\n"
            "First comes each expected service on each of its ports, the worst on top:\n"
            "  STATUS        MISSING has no listener, WRONG breaks a rule, UNKNOWN cannot be\n"
            "                told, or OK\n"
            "  FOR           how long it has been MISSING or WRONG, as the daemon that runs\n"
            "                here has seen\n"
            "  RULES         those that it breaks; with a ?, those of which it cannot be told\n\n"
            "Then every listener; \"-\" is what does not apply or cannot be told:\n"
            "  ADDRESS:PORT  * serves IPv4 and IPv6; of a raw socket the IP protocol number; of\n"
            "                a unix socket its path, or its abstract name as @name; of a packet\n"
            "                socket the Ethernet protocol and the interface\n"
            "  SCOPE         what it is bound to: any, address, link-local, loopback; absent is\n"
            "                an address that the host does not have now\n"
            "  CLASS         of the port: well-known, registered, dynamic\n"
            "  SERVICE       what the port is known for; with a ?, although process, program\n"
            "                and unit are not called so\n"
            "  QUEUE         connections waiting to be accepted/backlog limit; with a B, the\n"
            "                bytes waiting to be read from a UDP or raw socket; summed over\n"
            "                all sockets that share the address\n"
            "  DROPS         connections or datagrams that the sockets had to drop\n"
            "  CONNS         established connections of the port\n"
            "  RESTARTS      how often sockets were replaced by new ones, as the daemon has\n"
            "                counted\n"
            "  OWNER         process[PID], +N for so many more that hold the socket; (user) of\n"
            "                the socket where no process is seen: those of others are seen by\n"
            "                root only. (deleted) stands before one whose program's file was\n"
            "                replaced or removed, or never was on a disk\n"
            "  USER, UNIT    of these processes: the user, the systemd unit\n"
            "  EXE           the file of the process's program; \"not the host's\" where this host\n"
            "                has another one there, or none\n"
            "  RULES         those that the listener breaks; NOTES where a port is marked that\n"
            "                the kernel chose, or several sockets share an address\n\n"
            "Where the terminal is too narrow, the few cells that are much longer than others\n"
            "are cut, or their row goes on below; then EXE, UNIT, DROPS and CLASS are left out,\n"
            "in this order; then RULES go below their row; then USER and SERVICE are left out\n"
            "and owners are cut. COLUMNS in the environment is the width, if set; a file or a\n"
            "pipe gets what the tables need.\n"
            "A terminal gets colours, unless NO_COLOR is set or TERM is dumb.\n\n"
            "Exit status: 0 done, 1 could not look, 2 usage error.\n",
    .takes_json = true,
    .takes_all = true,
    .takes_filter = true,
    .takes_config = true,
    .makes_probes = true,
    .usage_status = EXIT_USAGE,
    .failure_status = EXIT_ERROR,
    .run = run,
};
