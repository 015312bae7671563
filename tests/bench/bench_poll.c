/* What a cycle that finds nothing new costs, beside the bare question to the
 * kernel.
 *
 * usage: bench_poll ROUNDS
 *
 * With 60 listeners and with 4,000 it measures the CPU time of
 *
 *   the bare TCP LISTEN dump of both families, received and discarded: the
 *   reference that the ratios are to;
 *   the listener poll, all protocols;
 *   the cycle: that poll, and the upkeep of owners that falls due when a cycle
 *   is turned once a second (its clock is a made one, so that no second has to
 *   pass);
 *   "ss -tln".
 *
 * Each round takes one of each kind, so that they are paired; medians are
 * printed. It holds the listeners itself. Run it in a network namespace of its
 * own (tests/bench/run does); beside many sockets, run hold_sockets there. */
#include "collectors/collectors.h"
#include "collectors/sock_diag.h"
#include "tests/bench/bench.h"
#include "tests/unit/looks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { FIRST_PORT = 20000, SETTLE_CYCLES = 200, CYCLE_US = 1000000 };

enum kind { KIND_BARE, KIND_POLL, KIND_CYCLE, KIND_SS, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {
    "bare TCP LISTEN dump of both families",
    "listener poll, all protocols, nothing new",
    "cycle: poll and the owners' upkeep",
    "ss -tln",
};

struct bench {
    struct collectors *collectors;
    struct sock_diag *diag;
    struct policy policy;
    int64_t skipped_us; /* how far the made clock is ahead */
};

static int64_t made_clock_us(void *arg)
{
    const struct bench *b = arg;

    return (int64_t)(clock_seconds(CLOCK_MONOTONIC) * 1e6) + b->skipped_us;
}

static struct budget endless(struct bench *b)
{
    return (struct budget){.now_us = made_clock_us, .arg = b, .until_us = BUDGET_NO_END};
}

static void open_listeners(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        (void)open_listener(FIRST_PORT + i); /* open to the end */
}

/* Returns whether it found something new. */
static bool poll_once(struct bench *b)
{
    const struct limits limits = limits_of(8192);
    const struct listener_poll how = {.limits = &limits, .policy = &b->policy};
    const struct budget clock = endless(b);
    const struct inventory *inv;

    if (collectors_poll_listeners(b->collectors, &how, &clock, &inv) < 0)
        die("poll");
    return inv;
}

static double measure_poll(struct bench *b)
{
    double before = own_cpu();
    bool is_new = poll_once(b);

    before = own_cpu() - before;
    if (is_new) {
        errno = 0;
        die("something new was found");
    }
    return before;
}

/* A second passes, and what has fallen due in it is done. */
static double measure_cycle(struct bench *b)
{
    double before = own_cpu();

    b->skipped_us += CYCLE_US;
    (void)poll_once(b); /* nothing new, or a holder that was looked at anew */
    while (collectors_due_ms(b->collectors, made_clock_us(b) / 1000) <= made_clock_us(b) / 1000) {
        const struct budget step = {.now_us = made_clock_us, .arg = b, .until_us = made_clock_us(b) + 1000};

        collectors_step(b->collectors, &step);
    }
    return own_cpu() - before;
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
    const struct budget to_the_end = endless(b);
    double before = own_cpu();
    uint64_t malformed = 0;

    for (size_t i = 0; i < sizeof families; i++) {
        const struct inet_diag_query query = {
            .family = families[i],
            .protocol = IPPROTO_TCP,
            .states = 1u << STATE_LISTEN,
        };

        if (sock_diag_begin(b->diag, &query) < 0 ||
            sock_diag_step(b->diag, &to_the_end, discard, NULL, &malformed) < 0)
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
    for (int i = 0; i < SETTLE_CYCLES; i++) /* until the owners are looked at ever more seldom */
        (void)measure_cycle(b);
    for (size_t i = 0; i < rounds; i++) {
        values[KIND_SS][i] = measure_ss("-tln");
        (void)poll_once(b); /* ss has left the caches cold; what that costs is nobody's */
        values[KIND_BARE][i] = measure_bare(b);
        values[KIND_POLL][i] = measure_poll(b);
        values[KIND_CYCLE][i] = measure_cycle(b);
        (void)poll_once(b); /* what the cycle may have found is no news to the next poll */
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        ret_medians[kind] = median(values[kind], rounds);
        free(values[kind]);
    }
}

int main(int argc, char **argv)
{
    static const unsigned counts[] = {60, 4000};
    size_t rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    struct bench b = {.policy = {.expect_count = 0}};
    unsigned held = 0;

    if (rounds == 0) {
        (void)fprintf(stderr, "usage: bench_poll ROUNDS\n");
        return 2;
    }
    if (policy_seal(&b.policy) < 0 || collectors_open(&b.collectors) < 0 || sock_diag_open(&b.diag) < 0)
        die("netlink");
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        double medians[KIND_COUNT];

        open_listeners(held, counts[i]);
        held = counts[i];
        measure(&b, rounds, medians);
        (void)printf("CPU time, median of %zu rounds, %u listeners\n", rounds, counts[i]);
        for (int kind = 0; kind < KIND_COUNT; kind++)
            (void)printf("  %-44s %9.3f ms  %6.2f times the bare dump\n", kind_names[kind],
                         medians[kind] * 1e3, medians[kind] / medians[KIND_BARE]);
        (void)fflush(stdout); /* or the next child prints it again */
    }
    sock_diag_close(b.diag);
    collectors_close(b.collectors);
    policy_done(&b.policy);
    return 0;
}
