#include "config/entry_checks.h"
#include "config/config.h"
#include "config/entry_pairs.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64, PORT_WORDS = (UINT16_MAX + 1) / WORD_BITS };

static void check_matcher(const struct matcher *match, size_t index, const struct schema_reporter *to)
{
    for (size_t i = 0; match->protocol == PROTOCOL_RAW && i < match->port_count; i++) {
        if (match->ports[i].last > UINT8_MAX) {
            to->report(to->arg, index, "port",
                       "is out of range, expected an IP protocol number 1-%d with protocol \"raw\"",
                       UINT8_MAX);
            break;
        }
    }
    if (match->has_address && match->scope != WANT_ANY &&
        (match->scope == WANT_LOOPBACK) != ip_addr_is_loopback(match->address))
        to->report(to->arg, index, "scope",
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

static void check_expect(const struct expect *e, size_t index, const struct schema_reporter *to)
{
    check_matcher(&e->match, index, to);
    if (port_ranges_total(e->match.ports, e->match.port_count) > ENTRY_PORTS_MAX)
        to->report(to->arg, index, "ports",
                   "name more than %d ports, expected fewer: every one of them must listen", ENTRY_PORTS_MAX);
    if (ports_repeat(&e->match))
        to->report(to->arg, index, "ports", "name a port twice, expected each port once");
    if (e->accept_queue > 0 && e->match.protocol != PROTOCOL_TCP && e->match.protocol != PROTOCOL_SCTP)
        to->report(to->arg, index, "accept_queue",
                   "contradicts protocol, expected protocol \"tcp\" or \"sctp\", or none");
    if (e->match.has_address && e->families[e->match.address.version == 4 ? 1 : 0])
        to->report(to->arg, index, "families",
                   "contradict address, expected the family of the address, or none");
}

static void report_pair(const struct policy *policy, const struct entry_pair *pair,
                        const struct schema_reporter *to)
{
    const struct expect *earlier = &policy->expects[pair->earlier], *e = &policy->expects[pair->later];

    char where[SCHEMA_STANDS_MAX];

    to->stands(to->arg, "expect", pair->earlier, "name", where);
    if (strcmp(earlier->name, e->name) == 0)
        to->report(to->arg, pair->later, "name",
                   "\"%s\" is used before for the same port (%s), expected another name", e->name, where);
    else
        to->report(to->arg, pair->later, "name",
                   "the port is expected before as \"%s\" (%s), expected an address that tells the two apart",
                   earlier->name, where);
}

int entry_checks_expects(const void *base, const struct schema_reporter *to)
{
    const struct policy *policy = &((const struct config *)base)->policy;
    struct entry_pair *pairs;
    size_t count;
    int r;

    for (size_t i = 0; i < policy->expect_count; i++)
        check_expect(&policy->expects[i], i, to);
    r = entry_pairs_find(policy, &pairs, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        report_pair(policy, &pairs[i], to);
    free(pairs);
    return 0;
}

/* Entries that ask for an address are told apart by it; all others on a port are
 * asked about each listener there. Returns 0 or -ENOMEM. */
static int check_crowd(const struct policy *policy, const struct schema_reporter *to)
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
        to->report(to->arg, entry, "ports",
                   "are those of more than %d entries without an address, expected fewer: each listener is "
                   "compared with "
                   "them all",
                   ALLOWS_OF_PORT_MAX);
    port_index_done(&index);
    return r < 0 ? r : 0;
}

int entry_checks_allows(const void *base, const struct schema_reporter *to)
{
    const struct policy *policy = &((const struct config *)base)->policy;

    for (size_t i = 0; i < policy->allow_count; i++) /* which may repeat each other */
        check_matcher(&policy->allows[i].match, i, to);
    return check_crowd(policy, to);
}
