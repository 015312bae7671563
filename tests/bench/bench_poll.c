/* What a listener poll costs, with few sockets in the namespace and with many.
 *
 * usage: bench_poll SOCKETS ROUNDS
 *
 * Makes 60 listeners and measures the CPU time of the whole listener poll (all
 * protocols and the owners, as the daemon does it), of its TCP part, and of
 * "ss -tln". What finding an owner costs is bench_owners' matter: here nothing
 * is new, but for the first poll, and the median is a poll that looks for none. Then
 * makes SOCKETS connected sockets on loopback, in child processes because of
 * the limit on open files, and measures again. Each round takes one of each
 * kind, so that they are paired; medians are printed. Run it in a network
 * namespace of its own (tests/bench/run does). */
#include "collectors/collectors.h"
#include "collectors/sock_diag.h"
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS = 60, FIRST_PORT = 20000, PAIRS_PER_CHILD = 5000, CHILDREN_MAX = 400 };

enum kind { KIND_POLL, KIND_TCP, KIND_SS, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {
    "listener poll, all protocols",
    "  of which TCP",
    "ss -tln",
};

static struct sockaddr_in loopback(unsigned host, unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(0x7f000000u + host),
    };
}

static int open_listener(unsigned host, unsigned port)
{
    struct sockaddr_in name = loopback(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || listen(fd, 4096) < 0)
        die("listener");
    return fd;
}

/* Each child has its own loopback address, so that ephemeral ports suffice. */
static void hold_pairs(unsigned child, unsigned pairs, int ready)
{
    struct sockaddr_in name = loopback(2 + child, FIRST_PORT);
    int listener;

    if (close_range(STDERR_FILENO + 1, (unsigned)ready - 1, 0) < 0) /* the parent's listeners are its own */
        die("descriptors");
    listener = open_listener(2 + child, FIRST_PORT);
    for (unsigned i = 0; i < pairs; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);

        if (client < 0 || connect(client, (struct sockaddr *)&name, sizeof name) < 0)
            die("connection");
        if (accept(listener, NULL, NULL) < 0)
            die("accept");
    }
    if (close(listener) < 0 || write(ready, "", 1) != 1)
        die("ready");
    (void)pause(); /* until it is killed */
    exit(0);
}

static size_t start_children(unsigned sockets, pid_t *children)
{
    size_t count = 0;
    unsigned left = sockets / 2;
    int ready[2];

    if (pipe(ready) < 0)
        die("pipe");
    while (left > 0 && count < CHILDREN_MAX) {
        unsigned pairs = left < PAIRS_PER_CHILD ? left : PAIRS_PER_CHILD;
        char byte;
        pid_t pid = fork();

        if (pid < 0)
            die("fork");
        if (pid == 0)
            hold_pairs((unsigned)count, pairs, ready[1]);
        children[count++] = pid;
        if (read(ready[0], &byte, 1) != 1)
            die("child");
        left -= pairs;
    }
    return count;
}

struct bench {
    struct collectors *collectors;
    struct sock_diag *diag;
    struct listener_table *table;
    struct policy policy;
};

static double measure_poll(struct bench *b)
{
    const struct listener_poll how = {.limit = 4096, .policy = &b->policy, .previous = b->table};
    struct listener_table *next;
    double before = own_cpu();

    if (collectors_poll_listeners(b->collectors, &how, &next) < 0)
        die("poll");
    before = own_cpu() - before;
    listener_table_free(b->table);
    b->table = next;
    return before;
}

static int discard(void *arg, const struct nlmsghdr *msg)
{
    (void)arg;
    (void)msg;
    return 0;
}

static double measure_tcp(struct bench *b)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    double before = own_cpu();
    uint64_t malformed = 0;

    for (size_t i = 0; i < sizeof families; i++) {
        const struct inet_diag_query query = {
            .family = families[i],
            .protocol = IPPROTO_TCP,
            .states = 1u << STATE_LISTEN,
            .with_memory = true, /* as the poll asks */
        };

        if (sock_diag_dump(b->diag, &query, discard, NULL, &malformed) < 0)
            die("dump");
    }
    return own_cpu() - before;
}

static void measure(struct bench *b, size_t rounds, double ret_medians[KIND_COUNT])
{
    double *values[KIND_COUNT];

    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (!(values[kind] = calloc(rounds, sizeof(double))))
            die("memory");
    for (size_t i = 0; i < rounds; i++) {
        /* ss has just walked every socket and left the caches cold; what that
         * costs is not the poll's. */
        (void)measure_poll(b);
        values[KIND_POLL][i] = measure_poll(b);
        values[KIND_TCP][i] = measure_tcp(b);
        values[KIND_SS][i] = measure_ss("-tln");
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        ret_medians[kind] = median(values[kind], rounds);
        free(values[kind]);
    }
}

int main(int argc, char **argv)
{
    unsigned sockets = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0, count;
    double few[KIND_COUNT], many[KIND_COUNT];
    pid_t children[CHILDREN_MAX];
    struct bench b = {0};

    if (sockets == 0 || rounds == 0) {
        (void)fprintf(stderr, "usage: bench_poll SOCKETS ROUNDS\n");
        return 2;
    }
    for (unsigned i = 0; i < LISTENERS; i++)
        (void)open_listener(1, FIRST_PORT + 1 + i); /* stays open to the end */
    if (collectors_open(&b.collectors) < 0 || sock_diag_open(&b.diag) < 0)
        die("netlink");
    measure(&b, rounds, few);
    count = start_children(sockets, children);
    measure(&b, rounds, many);
    for (size_t i = 0; i < count; i++)
        (void)kill(children[i], SIGKILL); /* ours, and waiting for it */
    (void)printf("CPU time, median of %zu rounds, %d listeners   %10s %10u sockets   ratio\n", rounds,
                 LISTENERS, "0", sockets);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        (void)printf("%-47s %8.3f ms %8.3f ms %13.2f\n", kind_names[kind], few[kind] * 1e3, many[kind] * 1e3,
                     many[kind] / few[kind]);
    (void)printf("ss -tln costs %.1f and %.1f times the whole listener poll\n", few[KIND_SS] / few[KIND_POLL],
                 many[KIND_SS] / many[KIND_POLL]);
    listener_table_free(b.table);
    sock_diag_close(b.diag);
    collectors_close(b.collectors);
    return 0;
}
