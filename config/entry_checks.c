#include "config/entry_checks.h"
#include "config/config.h"

#include <string.h>

static void check_matcher(const struct matcher *match, schema_report_fn *report, void *arg)
{
    for (size_t i = 0; match->protocol == PROTOCOL_RAW && i < match->port_count; i++) {
        if (match->ports[i].last > UINT8_MAX) {
            report(arg, "port", "is out of range, expected an IP protocol number 1-%d with protocol \"raw\"",
                   UINT8_MAX);
            break;
        }
    }
    if (match->has_address && match->scope != WANT_ANY &&
        (match->scope == WANT_LOOPBACK) != ip_addr_is_loopback(match->address))
        report(arg, "scope", "contradicts address, expected a scope that the address belongs to, or none");
}

static bool ports_overlap(const struct matcher *a, const struct matcher *b)
{
    if (a->protocol != b->protocol)
        return false;
    for (size_t i = 0; i < a->port_count; i++)
        for (size_t k = 0; k < b->port_count; k++)
            if (a->ports[i].first <= b->ports[k].last && b->ports[k].first <= a->ports[i].last)
                return true;
    return false;
}

/* The same port in one entry twice would give one series twice. */
static bool ports_repeat(const struct matcher *match)
{
    for (size_t i = 0; i < match->port_count; i++)
        for (size_t k = i + 1; k < match->port_count; k++)
            if (match->ports[i].first <= match->ports[k].last &&
                match->ports[k].first <= match->ports[i].last)
                return true;
    return false;
}

static void check_against_earlier(const struct expect *earlier, const struct expect *e,
                                  schema_report_fn *report, void *arg)
{
    if (!ports_overlap(&earlier->match, &e->match))
        return;
    if (strcmp(earlier->name, e->name) == 0)
        report(arg, "name", "\"%s\" is used before for the same port, expected another name", e->name);
    else if (earlier->match.has_address == e->match.has_address &&
             ip_addr_compare(&earlier->match.address, &e->match.address) == 0)
        report(arg, "name",
               "the port is expected before as \"%s\", expected an address that tells the two apart",
               earlier->name);
}

void entry_checks_expect(const void *base, const void *element, schema_report_fn *report, void *arg)
{
    const struct policy *policy = &((const struct config *)base)->policy;
    const struct expect *e = element;

    check_matcher(&e->match, report, arg);
    if (port_ranges_total(e->match.ports, e->match.port_count) > ENTRY_PORTS_MAX)
        report(arg, "ports", "name more than %d ports, expected fewer: every one of them must listen",
               ENTRY_PORTS_MAX);
    if (ports_repeat(&e->match))
        report(arg, "ports", "name a port twice, expected each port once");
    if (e->accept_queue > 0 && e->match.protocol != PROTOCOL_TCP && e->match.protocol != PROTOCOL_SCTP)
        report(arg, "accept_queue", "contradicts protocol, expected protocol \"tcp\" or \"sctp\", or none");
    if (e->match.has_address && e->families[e->match.address.version == 4 ? 1 : 0])
        report(arg, "families", "contradict address, expected the family of the address, or none");
    for (const struct expect *earlier = policy->expects; *e->name && earlier < e; earlier++)
        check_against_earlier(earlier, e, report, arg);
}

void entry_checks_allow(const void *base, const void *element, schema_report_fn *report, void *arg)
{
    (void)base; /* allow entries may repeat each other */
    check_matcher(&((const struct allow *)element)->match, report, arg);
}
