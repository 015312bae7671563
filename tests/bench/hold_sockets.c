/* Holds connected sockets for as long as its standard input is open.
 *
 * usage: hold_sockets SOCKETS PROCESSES
 *
 * Both ends of SOCKETS/2 connections over loopback, spread over PROCESSES
 * processes, each with a loopback address of its own, so that ephemeral ports
 * suffice. Prints "ready" when all are there. Run it in a network namespace of
 * its own. */
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { PORT = 19999, FIRST_HOST = 1000, PROCESSES_MAX = 1000 };

static struct sockaddr_in address_of(unsigned process)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(PORT),
        .sin_addr.s_addr = htonl(0x7f000000u + FIRST_HOST + process),
    };
}

static _Noreturn void hold(unsigned process, unsigned pairs, int ready)
{
    const struct sockaddr_in name = address_of(process);
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || listener < 0 ||
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(listener, (const struct sockaddr *)&name, sizeof name) < 0 || listen(listener, 16) < 0)
        die("listener");
    for (unsigned i = 0; i < pairs; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);

        if (client < 0 || connect(client, (const struct sockaddr *)&name, sizeof name) < 0)
            die("connection");
        if (accept(listener, NULL, NULL) < 0)
            die("accept");
    }
    if (close(listener) < 0 || write(ready, "", 1) != 1 || close(ready) < 0)
        die("ready");
    for (;;)
        (void)pause(); /* until it is killed */
}

/* Makes room for so many descriptors, beyond the hard limit where that may be. */
static void allow_descriptors(unsigned count)
{
    struct rlimit limit = {.rlim_cur = count, .rlim_max = count};
    struct rlimit now;

    if (getrlimit(RLIMIT_NOFILE, &now) < 0 || (now.rlim_cur < count && setrlimit(RLIMIT_NOFILE, &limit) < 0))
        die("limit of descriptors");
}

int main(int argc, char **argv)
{
    unsigned sockets = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    unsigned processes = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    int ready[2];
    char byte;

    if (sockets == 0 || processes == 0 || processes > PROCESSES_MAX) {
        (void)fprintf(stderr, "usage: hold_sockets SOCKETS PROCESSES\n");
        return 2;
    }
    allow_descriptors(sockets / processes + 64);
    if (pipe(ready) < 0)
        die("pipe");
    for (unsigned i = 0; i < processes; i++) {
        pid_t pid = fork();

        if (pid < 0)
            die("fork");
        if (pid == 0)
            hold(i, sockets / 2 / processes, ready[1]);
    }
    if (close(ready[1]) < 0) /* so that a process that ended early is noticed */
        die("pipe");
    for (unsigned i = 0; i < processes; i++)
        if (read(ready[0], &byte, 1) != 1) {
            (void)fputs("hold_sockets: some process could not make its sockets\n", stderr);
            return 1;
        }
    (void)puts("ready");
    (void)fflush(stdout); /* who waits for it, notices */
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0; /* which ends the others, too */
}
