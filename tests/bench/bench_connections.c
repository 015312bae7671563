/* What counting connections costs beside many sockets.
 *
 * usage: bench_connections HOLD_SOCKETS SOCKETS PROCESSES ROUNDS
 *
 * Lets hold_sockets, of which the path is given, hold SOCKETS connected sockets in
 * PROCESSES processes, and measures the CPU time of
 *
 *   the bare TCP dump of both families in all states, received and discarded: the
 *   reference that the ratios are to;
 *   the connections' poll, all protocols and the host's counters, sealed;
 *   the same by unit.
 *
 * Each round takes one of each kind, so that they are paired; medians are
 * printed, and the longest step of all, which is what a poll of listeners may have
 * to wait for. Run it in a network namespace of its own (tests/bench/run does). */
#include "collectors/collectors.h"
#include "collectors/sock_diag.h"
#include "collectors/socket_class.h"
#include "tests/bench/bench.h"

#include <netinet/in.h>

/* As the daemon does it. */
enum { STEP_US = 1000, TOP = 20 };

enum kind { KIND_BARE, KIND_COUNT, KIND_BY_UNIT, KINDS };

static const char *const kind_names[KINDS] = {
    "bare TCP dump of both families",
    "connections polled, all protocols",
    "connections polled by unit",
};

struct bench {
    struct collectors *collectors;
    struct sock_diag *diag;
    int64_t sockets; /* the last poll found, of TCP */
    struct {
        double wall, cpu; /* seconds */
    } longest[KINDS];     /* step */
};

static int64_t clock_us(void *arg)
{
    (void)arg;
    return (int64_t)(clock_seconds(CLOCK_MONOTONIC) * 1e6);
}

static int discard(void *arg, const struct nlmsghdr *msg)
{
    (void)arg;
    (void)msg;
    return 0;
}

static double measure_bare(struct bench *b)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    const struct budget endless = {.now_us = clock_us, .until_us = BUDGET_NO_END};
    double before = own_cpu();
    uint64_t malformed = 0;

    for (size_t i = 0; i < sizeof families; i++) {
        const struct inet_diag_query query = {
            .family = families[i],
            .protocol = IPPROTO_TCP,
            .states = socket_class_of(PROTOCOL_TCP)->connection_states,
        };

        if (sock_diag_begin(b->diag, &query) < 0 ||
            sock_diag_step(b->diag, &endless, discard, NULL, &malformed) < 0)
            die("dump");
    }
    return own_cpu() - before;
}

/* Takes what was counted as well, once all is. Returns whether it is. */
static bool step_once(struct bench *b, enum kind kind, const struct conn_table **ret)
{
    const struct conn_choice choice = {.top = TOP};
    double wall = clock_seconds(CLOCK_MONOTONIC), cpu = own_cpu();
    const struct budget step = {.now_us = clock_us, .until_us = clock_us(NULL) + STEP_US};
    int r;

    collectors_step(b->collectors, &step);
    r = collectors_take_connections(b->collectors, &choice, ret);
    if (r < 0)
        die("memory");
    wall = clock_seconds(CLOCK_MONOTONIC) - wall;
    cpu = own_cpu() - cpu;
    if (wall > b->longest[kind].wall)
        b->longest[kind].wall = wall;
    if (cpu > b->longest[kind].cpu)
        b->longest[kind].cpu = cpu;
    return r > 0;
}

static void note_sockets(struct bench *b, const struct conn_table *table)
{
    const uint64_t *totals = conn_table_totals(table, PROTOCOL_TCP);

    if (!conn_table_complete(table, PROTOCOL_TCP))
        die("counting");
    b->sockets = 0;
    for (size_t i = 0; i < STATE_COUNT; i++)
        b->sockets += (int64_t)totals[i];
}

static double measure_count(struct bench *b, enum kind kind)
{
    double before = own_cpu();
    const struct conn_table *table = NULL;

    collectors_begin_connections(b->collectors, kind == KIND_BY_UNIT, clock_us(NULL) / 1000);
    while (!step_once(b, kind, &table))
        ;
    unit_table_unref(collectors_take_units(b->collectors));
    before = own_cpu() - before;
    note_sockets(b, table);
    conn_table_unref(table);
    return before;
}

static void measure(struct bench *b, size_t rounds, double ret_medians[KINDS])
{
    double *values[KINDS];

    for (int kind = 0; kind < KINDS; kind++)
        if (!(values[kind] = calloc(rounds, sizeof(double))))
            die("memory");
    for (size_t i = 0; i < rounds; i++) {
        values[KIND_BARE][i] = measure_bare(b);
        values[KIND_COUNT][i] = measure_count(b, KIND_COUNT);
        values[KIND_BY_UNIT][i] = measure_count(b, KIND_BY_UNIT);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        ret_medians[kind] = median(values[kind], rounds);
        free(values[kind]);
    }
}

/* Returns when the sockets are there. They go when we do. */
static void hold(char *program, char *sockets, char *processes)
{
    char *const arguments[] = {program, sockets, processes, NULL};
    int to[2], from[2];
    char byte;
    pid_t pid;

    if (pipe(to) < 0 || pipe(from) < 0 || (pid = fork()) < 0)
        die("hold_sockets");
    if (pid == 0) {
        if (dup2(to[0], STDIN_FILENO) < 0 || dup2(from[1], STDOUT_FILENO) < 0 || close(to[1]) < 0)
            die("hold_sockets");
        (void)execv(program, arguments);
        die(program);
    }
    if (close(from[1]) < 0 || read(from[0], &byte, 1) != 1)
        die("hold_sockets");
}

int main(int argc, char **argv)
{
    size_t rounds = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
    struct bench b = {.sockets = 0};
    double medians[KINDS];

    if (rounds == 0) {
        (void)fprintf(stderr, "usage: bench_connections HOLD_SOCKETS SOCKETS PROCESSES ROUNDS\n");
        return 2;
    }
    hold(argv[1], argv[2], argv[3]);
    if (collectors_open(&b.collectors) < 0 || sock_diag_open(&b.diag) < 0)
        die("netlink");
    measure(&b, rounds, medians);
    (void)printf("CPU time, median of %zu rounds, %lld TCP sockets\n", rounds, (long long)b.sockets);
    for (int kind = 0; kind < KINDS; kind++) {
        (void)printf("  %-36s %9.3f ms  %5.2f times the bare dump", kind_names[kind], medians[kind] * 1e3,
                     medians[kind] / medians[KIND_BARE]);
        if (kind != KIND_BARE)
            (void)printf(", longest step %.2f ms (%.2f ms of CPU)", b.longest[kind].wall * 1e3,
                         b.longest[kind].cpu * 1e3);
        (void)printf("\n");
    }
    (void)printf("  by unit to not by unit: %.2f\n", medians[KIND_BY_UNIT] / medians[KIND_COUNT]);
    sock_diag_close(b.diag);
    collectors_close(b.collectors);
    return 0;
}
