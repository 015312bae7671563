/* What judging costs.
 *
 * usage: bench_judge ROUNDS
 *
 * Judges made-up listeners by made-up policies: one with everything as it is
 * expected, two where everything is wrong, one with many listeners and few
 * entries, and some as large as they come. Beside each stands a plain walk over
 * the same listeners that writes the address and port of each once, with the C
 * library's inet_ntop() and snprintf() and nothing of ours, so that the ratio of
 * the two depends little on the machine and only on what judging costs. Each
 * round takes both, so that they are paired; medians are printed, and the ratio
 * is the median of the rounds' ratios. */
#include "core/rules.h"
#include "tests/bench/bench.h"
#include "tests/unit/judged.h"
#include "tests/unit/looks.h"

#include <arpa/inet.h>
#include <stdint.h>

enum { FIRST_PORT = 1024, HOSTS = 200, FINDINGS_MAX = 2000 };

struct bench_case {
    const char *name;
    size_t entries, listeners;
    uint16_t apart;  /* the listeners' ports are so much higher than the entries' */
    uint8_t network; /* first number of the listeners' addresses; 0 for the wildcard */
    bool one_port;   /* each entry and each listener has an address of its own on one port */
};

static const struct bench_case cases[] = {
    {"1000 entries, 1000 listeners, in order", 1000, 1000, 0, 0, false},
    {"1000 entries, 1000 listeners, all on loopback", 1000, 1000, 0, 127, false},
    {"1000 entries, 1000 listeners, all on other ports", 1000, 1000, 1000, 10, false},
    {"10 entries, 4000 listeners, in order", 10, 4000, 0, 0, false},
    {"40000 entries, 60000 listeners, in order", 40000, 60000, 0, 0, false},
    {"25000 entries, 60000 listeners, of one port", 25000, 60000, 0, 10, true},
    {"25000 entries, 60000 others, of one port", 25000, 60000, 30000, 10, true},
};

/* A policy and what it judges. */
struct subject {
    struct policy policy;
    const struct listener_table *table;
    size_t findings;
};

static void *must(void *memory)
{
    if (!memory)
        die("memory");
    return memory;
}

static struct port_range *ports(size_t first, size_t last)
{
    struct port_range *range = must(calloc(1, sizeof *range));

    *range = (struct port_range){(uint16_t)first, (uint16_t)last};
    return range;
}

/* The address of the i-th of those that share a port. */
static struct ip_addr address_of(const struct bench_case *c, size_t i)
{
    return (struct ip_addr){.version = 4,
                            .bytes = {c->network, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static struct ip_addr *address(struct ip_addr value)
{
    struct ip_addr *copy = must(malloc(sizeof *copy));

    *copy = value;
    return copy;
}

/* One port an entry; beyond those all wildcards are allowed, and nothing else. */
static void make_policy(struct policy *policy, const struct bench_case *c)
{
    policy->expects = must(calloc(c->entries, sizeof *policy->expects));
    policy->allows = must(calloc(1, sizeof *policy->allows));
    policy->expect_count = c->entries;
    policy->allow_count = 1;
    for (size_t i = 0; i < c->entries; i++) {
        struct expect *e = &policy->expects[i];
        size_t port = FIRST_PORT + i;

        (void)snprintf(e->name, sizeof e->name, "service-%zu", i); /* fits */
        if (c->one_port)
            e->match = (struct matcher){.ports = ports(FIRST_PORT, FIRST_PORT),
                                        .port_count = 1,
                                        .address_count = 1,
                                        .addresses = address(address_of(c, i))};
        else
            e->match = (struct matcher){.scope = WANT_PUBLIC, .ports = ports(port, port), .port_count = 1};
    }
    policy->allows[0].match = (struct matcher){.ports = ports(1, UINT16_MAX),
                                               .port_count = 1,
                                               .address_count = 1,
                                               .addresses = address((struct ip_addr){.version = 4})};
    policy->unexpected.enabled = true;
    if (policy_seal(policy) < 0)
        die("policy");
}

static const struct listener_table *make_table(const struct bench_case *c)
{
    struct listener_builder *b = must(new_builder(1000));
    const struct listener_table *table;

    for (size_t i = 0; i < c->listeners; i++) {
        uint8_t host = (uint8_t)(c->network ? 1 + i % HOSTS : 0);
        struct listener_row row = {
            .address = {.version = 4, .bytes = {c->network, 0, 0, host}},
            .port = (uint16_t)(FIRST_PORT + c->apart + i),
            .cookie = i + 1,
        };

        if (c->one_port) {
            row.address = address_of(c, c->apart + i);
            row.port = FIRST_PORT;
        }
        if (listener_builder_add(b, &row) < 0)
            die("listener");
    }
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        listener_builder_end(b, (enum protocol)i, PART_ALL, VISIBILITY_OK, 0);
    table = seal_all(b);
    listener_builder_free(b);
    if (!table)
        die("table");
    return table;
}

static double measure_judging(struct subject *s)
{
    static const struct own_sockets none;
    const struct judge_bounds bounds = {.findings = FINDINGS_MAX};
    const struct verdict *v;
    struct inventory inv;
    double before = own_cpu();

    listener_table_inventory(s->table, &inv);
    v = judge_inventory(&inv, &s->policy, &none, &bounds);
    before = own_cpu() - before;
    if (!v)
        die("verdict");
    s->findings = v->count;
    verdict_unref(v);
    return before;
}

static double measure_walk(const struct subject *s)
{
    size_t count, length = 0;
    const struct listener *l = listener_table_all(s->table, &count);
    char address[INET_ADDRSTRLEN], text[INET_ADDRSTRLEN + sizeof ":65535"];
    double before = own_cpu();

    for (size_t i = 0; i < count; i++) {
        if (!inet_ntop(AF_INET, l[i].address.bytes, address, sizeof address))
            die("walk");
        length += (size_t)snprintf(text, sizeof text, "%s:%u", address, l[i].port); /* fits */
    }
    before = own_cpu() - before;
    if (length == 0)
        die("walk");
    return before;
}

static void measure(const struct bench_case *c, size_t rounds)
{
    struct subject s = {.findings = 0};
    double *judging = must(calloc(rounds, sizeof *judging));
    double *walks = must(calloc(rounds, sizeof *walks));
    double *ratios = must(calloc(rounds, sizeof *ratios));

    make_policy(&s.policy, c);
    s.table = make_table(c);
    for (size_t i = 0; i < rounds; i++) {
        judging[i] = measure_judging(&s);
        walks[i] = measure_walk(&s);
        ratios[i] = judging[i] / walks[i];
    }
    printf("%-50s %8.1f us, %8.1f us a walk: ratio %5.2f; %zu findings\n", c->name,
           median(judging, rounds) * 1e6, median(walks, rounds) * 1e6, median(ratios, rounds), s.findings);
    listener_table_unref(s.table);
    policy_done(&s.policy);
    free(judging);
    free(walks);
    free(ratios);
}

int main(int argc, char **argv)
{
    long rounds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

    if (rounds < 1) {
        (void)fprintf(stderr, "usage: bench_judge ROUNDS\n");
        return 2;
    }
    printf("CPU time of judging, beside a walk that prints the listeners' addresses; medians of %ld rounds\n",
           rounds);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        measure(&cases[i], (size_t)rounds);
    return 0;
}
