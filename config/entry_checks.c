#include "config/entry_checks.h"
#include "config/config.h"
#include "config/entry_connections.h"
#include "config/entry_pairs.h"
#include "config/probe_keys.h"
#include "config/entry_path.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64, PORT_WORDS = (UINT16_MAX + 1) / WORD_BITS };

static void check_matcher(const struct matcher *match, const char *list, size_t index,
                          const struct schema_reporter *to)
{
    char where[SCHEMA_STANDS_MAX];

    for (size_t i = 0; matcher_has_protocol(match, PROTOCOL_RAW) && i < match->port_count; i++) {
        if (match->ports[i].last > UINT8_MAX) {
            to->report(to->arg, index, "port",
                       "is out of range, expected an IP protocol number 1-%d with protocol \"raw\"",
                       UINT8_MAX);
            break;
        }
    }
    if (match->address_count == 0 || match->scope == WANT_ANY)
        return;
    to->stands(to->arg, list, index, "address", where);
    to->report(
        to->arg, index, "scope",
        "contradicts address (%s), expected one of the two: an address is bound there and nowhere else",
        where);
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

static bool has_family(const struct matcher *match, uint8_t version)
{
    for (size_t i = 0; i < match->address_count; i++)
        if (match->addresses[i].version == version)
            return true;
    return match->address_count == 0;
}

static void check_sizes(const struct expect *e, size_t index, const struct schema_reporter *to)
{
    size_t protocols = protocols_count(matcher_protocols(&e->match));

    if (port_ranges_total(e->match.ports, e->match.port_count) * protocols > ENTRY_PORTS_MAX)
        to->report(to->arg, index, "ports",
                   "name more than %d ports, expected fewer: every one of them must listen", ENTRY_PORTS_MAX);
    else if (e->match.port_count * protocols * e->match.address_count > ENTRY_CLAIMS_MAX)
        to->report(to->arg, index, "address",
                   "with ports names more than %d pairs of address and ports, expected fewer, or several "
                   "entries",
                   ENTRY_CLAIMS_MAX);
    if (ports_repeat(&e->match))
        to->report(to->arg, index, "ports", "name a port twice, expected each port once");
}

static void check_expect(const struct expect *e, size_t index, const struct schema_reporter *to)
{
    bool has_queue =
        matcher_has_protocol(&e->match, PROTOCOL_TCP) || matcher_has_protocol(&e->match, PROTOCOL_SCTP);

    if (entry_path_concerns(&e->match)) {
        entry_path_check(e, index, to);
        return;
    }
    if (matcher_has_protocol(&e->match, PROTOCOL_PACKET))
        to->report(to->arg, index, "protocol",
                   "may not be \"packet\" here, expected it in allow or deny: such a socket serves nobody");
    check_matcher(&e->match, "expect", index, to);
    check_sizes(e, index, to);
    entry_connections_check(e, index, to);
    if (e->accept_queue_given && e->accept_queue > 0 && !has_queue)
        to->report(to->arg, index, "accept_queue",
                   "contradicts protocol, expected protocol \"tcp\" or \"sctp\", or none");
    if ((e->families[0] && !has_family(&e->match, 4)) || (e->families[1] && !has_family(&e->match, 6)))
        to->report(to->arg, index, "families",
                   "contradict address, expected families of the addresses, or none");
}

static void report_pair(const struct policy *policy, const struct entry_pair *pair,
                        const struct schema_reporter *to)
{
    const struct expect *earlier = &policy->expects[pair->earlier], *e = &policy->expects[pair->later];
    char where[SCHEMA_STANDS_MAX];

    to->stands(to->arg, "expect", pair->earlier, "name", where);
    if (strcmp(earlier->name, e->name) == 0)
        to->report(to->arg, pair->later, "name", "\"%s\" is used before for %s (%s), expected another name",
                   e->name, e->match.path ? "a unix socket" : "the same port", where);
    else
        to->report(to->arg, pair->later, "name",
                   "the port is expected before as \"%s\" (%s), expected an address that tells the two apart",
                   earlier->name, where);
}

int entry_checks_expects(const void *base, const struct schema_reporter *to)
{
    const struct policy *policy = &((const struct config *)base)->policy;
    struct entry_pair *pairs = NULL;
    size_t count = 0;
    int r;

    for (size_t i = 0; i < policy->expect_count; i++)
        check_expect(&policy->expects[i], i, to);
    r = probe_keys_check(policy, to);
    if (r == 0)
        r = entry_pairs_find(policy, &pairs, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        report_pair(policy, &pairs[i], to);
    free(pairs);
    return 0;
}

/* Of an index that tells how many entries a listener is compared with. */
enum { SPACE_ALL, SPACE_LISTED, SPACE_NONE };

/* Entries that ask for one address are told apart by it; all others on a port, and
 * those on every port, are asked about each listener there. */
static uint32_t space_of_allow(const struct matcher *match)
{
    if (match->address_count == 0 || match->port_count == 0)
        return SPACE_ALL;
    return match->address_count > 1 ? SPACE_LISTED : SPACE_NONE;
}

static int add_to_crowd(struct port_index *index, uint32_t space, const struct matcher *match)
{
    size_t count;
    const struct port_range *ports = matcher_ports(match, &count);

    return port_index_add(index, space, matcher_protocols(match), ports, space == SPACE_NONE ? 0 : count);
}

/* Seals the index, which is done away with, and reports a crowd. Returns whether
 * there was none, or -ENOMEM. */
static int check_crowd(struct port_index *index, const char *which, const struct schema_reporter *to)
{
    size_t entry = 0;
    int r;

    port_index_seal(index);
    r = port_index_crowd(index, ALLOWS_OF_PORT_MAX, &entry);
    if (r > 0)
        to->report(to->arg, entry, "ports",
                   "are those of more than %d %s, expected fewer: each listener is compared with them all",
                   ALLOWS_OF_PORT_MAX, which);
    return r < 0 ? r : r == 0;
}

/* A packet socket has no port: whose it is, is all that an entry can ask. */
static void check_packet(const struct matcher *match, size_t index, const struct schema_reporter *to)
{
    static const char none[] =
        "contradicts protocol \"packet\", expected none: such a socket has only an owner";

    if (!matcher_has_protocol(match, PROTOCOL_PACKET))
        return;
    if (protocols_count(match->protocols) > 1)
        to->report(to->arg, index, "protocol", "names \"packet\" and others, expected several entries");
    if (match->port_count > 0)
        to->report(to->arg, index, "port", "%s", none);
    if (match->address_count > 0)
        to->report(to->arg, index, "address", "%s", none);
}

/* Of entries about listeners that need not be there. */
static void check_others(const struct matcher *match, size_t index, const struct schema_reporter *to)
{
    check_packet(match, index, to);
    if (entry_path_concerns(match))
        to->report(to->arg, index, "protocol",
                   "may not be \"unix\" here, expected it in expect only: other unix sockets are not judged");
}

static void check_allow(const struct allow *a, size_t index, const struct schema_reporter *to)
{
    check_matcher(&a->match, "allow", index, to);
    check_others(&a->match, index, to);
    for (int p = -1; a->kernel_chosen && (p = matcher_next_protocol(&a->match, p)) < PROTOCOL_COUNT;)
        if (p == PROTOCOL_RAW || p == PROTOCOL_SCTP || p == PROTOCOL_PACKET)
            to->report(
                to->arg, index, "kernel_chosen",
                "contradicts protocol \"%s\", of which the kernel does not tell, expected \"tcp\" or \"udp\"",
                protocol_name((enum protocol)p));
}

int entry_checks_allows(const void *base, const struct schema_reporter *to)
{
    const struct policy *policy = &((const struct config *)base)->policy;
    struct port_index index = {.count = 0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < policy->allow_count; i++) { /* which may repeat each other */
        const struct matcher *match = &policy->allows[i].match;

        check_allow(&policy->allows[i], i, to);
        r = add_to_crowd(&index, space_of_allow(match), match);
    }
    if (r == 0)
        r = check_crowd(&index, "entries without an address, or with several", to);
    port_index_done(&index);
    return r < 0 ? r : 0;
}

/* Whether a part of an owner that is denied is the one that is expected. */
static bool covers_text(const char *denied, const char *expected)
{
    return !denied || (expected && strcmp(denied, expected) == 0);
}

static bool covers_owner(const struct owner_pattern *denied, const struct owner_pattern *expected)
{
    return covers_text(denied->unit, expected->unit) && covers_text(denied->user, expected->user) &&
           covers_text(denied->exe, expected->exe) && covers_text(denied->process, expected->process);
}

/* Whether wherever the one may be the other is, too. */
static bool covers_place(const struct matcher *denied, const struct matcher *expected)
{
    bool addressed = expected->address_count > 0;
    bool all_asked_for = addressed, beyond = addressed || expected->scope == WANT_PUBLIC;

    for (size_t i = 0; i < expected->address_count; i++) {
        all_asked_for &= matcher_asks_for(denied, &expected->addresses[i]);
        beyond &= !ip_addr_is_loopback(expected->addresses[i]);
    }
    if (denied->address_count > 0)
        return all_asked_for;
    switch (denied->scope) {
    case WANT_ANY: return true;
    case WANT_PUBLIC: return beyond;
    case WANT_LOOPBACK: break;
    }
    return matcher_scope(expected) == WANT_LOOPBACK;
}

/* The first deny entry that leaves an expected service no place on a port. */
static const struct deny *find_denial(const struct policy *policy, const struct port_index *denies,
                                      const struct expect *e, enum protocol protocol, uint16_t port)
{
    struct port_walk walk;
    size_t i;

    port_walk_begin(&walk, denies, 0, protocol, port);
    while (port_walk_next(&walk, denies, &i)) {
        const struct deny *d = &policy->denies[i];

        if (covers_place(&d->match, &e->match) && covers_owner(&d->match.owner, &e->match.owner))
            return d;
    }
    return NULL;
}

static void check_denial(const struct policy *policy, const struct port_index *denies, size_t expect,
                         const struct schema_reporter *to)
{
    const struct expect *e = &policy->expects[expect];
    const struct deny *d = NULL;
    char where[SCHEMA_STANDS_MAX];

    if (entry_path_concerns(&e->match))
        return;
    for (int p = -1; !d && (p = matcher_next_protocol(&e->match, p)) < PROTOCOL_COUNT;) {
        struct port_cursor cursor = {0};
        uint16_t port;

        while (!d && port_ranges_next(e->match.ports, e->match.port_count, &cursor, &port))
            d = find_denial(policy, denies, e, (enum protocol)p, port);
    }
    if (!d)
        return;
    to->stands(to->arg, "expect", expect, "name", where);
    to->report(to->arg, (size_t)(d - policy->denies), "ports",
               "deny a port on which \"%s\" is expected (%s), expected one of the two", e->name, where);
}

int entry_checks_denies(const void *base, const struct schema_reporter *to)
{
    const struct policy *policy = &((const struct config *)base)->policy;
    struct port_index index = {.count = 0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < policy->deny_count; i++) {
        const struct matcher *match = &policy->denies[i].match;

        check_matcher(match, "deny", i, to);
        check_others(match, i, to);
        r = add_to_crowd(&index, SPACE_ALL, match);
    }
    if (r == 0)
        r = check_crowd(&index, "entries", to);
    for (size_t i = 0; r > 0 && policy->deny_count > 0 && i < policy->expect_count; i++)
        check_denial(policy, &index, i, to);
    port_index_done(&index);
    return r < 0 ? r : 0;
}
