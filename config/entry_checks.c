#include "config/entry_checks.h"
#include "config/config.h"
#include "config/entry_pairs.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64, PORT_WORDS = (UINT16_MAX + 1) / WORD_BITS };

static void check_matcher(const struct matcher *match, size_t index, schema_report_fn *report, void *arg)
{
    for (size_t i = 0; match->protocol == PROTOCOL_RAW && i < match->port_count; i++) {
        if (match->ports[i].last > UINT8_MAX) {
            report(arg, index, "port",
                   "is out of range, expected an IP protocol number 1-%d with protocol \"raw\"", UINT8_MAX);
            break;
        }
    }
    if (match->has_address && match->scope != WANT_ANY &&
        (match->scope == WANT_LOOPBACK) != ip_addr_is_loopback(match->address))
        report(arg, index, "scope",
               "contradicts address, expected a scope that the address belongs to, or none");
}

/* The same port in one entry twice would give one series twice. No port is
 * looked at three times, however many the ranges and however wide. */
static bool ports_repeat(const struct matcher *match)
{
    uint64_t seen[PORT_WORDS];

    if (match->port_count < 2)
        return false;
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < match->port_count; i++) {
        unsigned first = match->ports[i].first, last = match->ports[i].last;

        for (unsigned word = first / WORD_BITS; word <= last / WORD_BITS; word++) {
            unsigned from = word == first / WORD_BITS ? first % WORD_BITS : 0;
            unsigned to = word == last / WORD_BITS ? last % WORD_BITS : WORD_BITS - 1;
            uint64_t ports = UINT64_MAX >> (WORD_BITS - 1 - (to - from)) << from;

            if (seen[word] & ports)
                return true;
            seen[word] |= ports;
        }
    }
    return false;
}

static void check_expect(const struct expect *e, size_t index, schema_report_fn *report, void *arg)
{
    check_matcher(&e->match, index, report, arg);
    if (port_ranges_total(e->match.ports, e->match.port_count) > ENTRY_PORTS_MAX)
        report(arg, index, "ports", "name more than %d ports, expected fewer: every one of them must listen",
               ENTRY_PORTS_MAX);
    if (ports_repeat(&e->match))
        report(arg, index, "ports", "name a port twice, expected each port once");
    if (e->accept_queue > 0 && e->match.protocol != PROTOCOL_TCP && e->match.protocol != PROTOCOL_SCTP)
        report(arg, index, "accept_queue",
               "contradicts protocol, expected protocol \"tcp\" or \"sctp\", or none");
    if (e->match.has_address && e->families[e->match.address.version == 4 ? 1 : 0])
        report(arg, index, "families", "contradict address, expected the family of the address, or none");
}

static void report_pair(const struct policy *policy, const struct entry_pair *pair, schema_report_fn *report,
                        void *arg)
{
    const struct expect *earlier = &policy->expects[pair->earlier], *e = &policy->expects[pair->later];

    if (strcmp(earlier->name, e->name) == 0)
        report(arg, pair->later, "name", "\"%s\" is used before for the same port, expected another name",
               e->name);
    else
        report(arg, pair->later, "name",
               "the port is expected before as \"%s\", expected an address that tells the two apart",
               earlier->name);
}

int entry_checks_expects(const void *base, schema_report_fn *report, void *arg)
{
    const struct policy *policy = &((const struct config *)base)->policy;
    struct entry_pair *pairs;
    size_t count;
    int r;

    for (size_t i = 0; i < policy->expect_count; i++)
        check_expect(&policy->expects[i], i, report, arg);
    r = entry_pairs_find(policy, &pairs, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        report_pair(policy, &pairs[i], report, arg);
    free(pairs);
    return 0;
}

/* Entries that ask for an address are told apart by it; all others on a port are
 * asked about each listener there. Returns 0 or -ENOMEM. */
static int check_crowd(const struct policy *policy, schema_report_fn *report, void *arg)
{
    struct port_index index = {.count = 0};
    size_t entry = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < policy->allow_count; i++) {
        const struct matcher *match = &policy->allows[i].match;

        r = port_index_add(&index, 0, match->protocol, match->ports,
                           match->has_address ? 0 : match->port_count);
    }
    port_index_seal(&index);
    if (r == 0)
        r = port_index_crowd(&index, ALLOWS_OF_PORT_MAX, &entry);
    if (r > 0)
        report(arg, entry, "ports",
               "are those of more than %d entries without an address, expected fewer: each listener is "
               "compared with "
               "them all",
               ALLOWS_OF_PORT_MAX);
    port_index_done(&index);
    return r < 0 ? r : 0;
}

int entry_checks_allows(const void *base, schema_report_fn *report, void *arg)
{
    const struct policy *policy = &((const struct config *)base)->policy;

    for (size_t i = 0; i < policy->allow_count; i++) /* which may repeat each other */
        check_matcher(&policy->allows[i].match, i, report, arg);
    return check_crowd(policy, report, arg);
}
