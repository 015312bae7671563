#include "core/rules.h"
#include "core/buf.h"
#include "core/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A summary names this many listeners, then how many more there are. */
enum { ENDPOINTS_NAMED = 4 };

struct evaluation {
    const struct listener_table *table;
    const struct listener *listeners;
    size_t listener_count;
    const struct policy *policy;
    const struct own_sockets *own;
    struct verdict *verdict;
    bool *covered; /* per listener: an expect entry answers for it */
};

const char *rule_name(enum rule rule)
{
    switch (rule) {
    case RULE_NOT_LISTENING: return "NotListening";
    case RULE_LOOPBACK_ONLY: return "LoopbackOnly";
    case RULE_EXPOSED: return "Exposed";
    case RULE_WRONG_ADDRESS: return "WrongAddress";
    case RULE_UNEXPECTED_LISTENER: return "UnexpectedListener";
    case RULE_BLIND: return "Blind";
    case RULE_COUNT: break;
    }
    return "unknown";
}

/* Takes summary's text. */
static int add_finding(struct verdict *v, const struct finding *finding, struct buf *summary)
{
    int r = 0;

    if (v->count == v->capacity) {
        size_t capacity = v->capacity ? v->capacity * 2 : 16;
        struct finding *findings = reallocarray(v->findings, capacity, sizeof *findings);

        if (!findings)
            r = -ENOMEM;
        else {
            v->findings = findings;
            v->capacity = capacity;
        }
    }
    if (r == 0 && summary->failed)
        r = -ENOMEM;
    if (r == 0) {
        v->findings[v->count] = *finding;
        (void)snprintf(v->findings[v->count++].summary, SUMMARY_MAX, "%s",
                       buf_text(summary)); /* cut on purpose */
    }
    buf_done(summary);
    return r;
}

/* An entry with an address owns the listener bound to exactly that address. */
static bool claims(const struct expect *e, const struct listener *l)
{
    return e->match.has_address && e->match.protocol == l->protocol &&
           ip_addr_compare(&e->match.address, &l->address) == 0 &&
           port_ranges_contain(e->match.ports, e->match.port_count, l->port);
}

/* Whether a listener on the entry's port counts as the entry's service. One
 * that another entry claims does not, but where the service should be public
 * and this one is on loopback, it is what the operator must be told about. One
 * that nobody claims is the matter of the entry that asks for no address, if
 * there is one; a wildcard serves them all. */
static bool is_candidate(const struct policy *policy, const struct expect *e, const struct listener *l)
{
    bool other_claims = false, other_is_open = false;

    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct expect *other = &policy->expects[i];

        if (other == e || other->match.protocol != l->protocol ||
            !port_ranges_contain(other->match.ports, other->match.port_count, l->port))
            continue;
        other_claims |= claims(other, l);
        other_is_open |= !other->match.has_address;
    }
    if (claims(e, l))
        return true;
    if (other_claims)
        return !e->match.has_address && e->match.scope == WANT_PUBLIC && l->scope == SCOPE_LOOPBACK;
    return !e->match.has_address || !other_is_open || ip_addr_is_any(l->address);
}

/* Whether connections to the address reach the listener. */
static bool serves_address(const struct listener *l, const struct ip_addr *address)
{
    if (l->scope == SCOPE_LOOPBACK && !ip_addr_is_loopback(*address))
        return false; /* also where it is bound to the address, but to the loopback device */
    return ip_addr_is_any(l->address) ? family_serves(l->family, address->version)
                                      : ip_addr_compare(&l->address, address) == 0;
}

static void describe(struct buf *out, const struct listener *l)
{
    char text[ENDPOINT_TEXT_MAX];

    endpoint_format(&l->address, l->family, l->port, l->interface, text);
    buf_str(out, text);
}

/* The service's listeners on one port, and what holds for them together. */
struct candidates {
    const struct listener *first;
    size_t count; /* on the port; those that are not candidates are skipped */
    size_t found, loopback;
    bool serves_address;
};

static struct candidates find_candidates(const struct evaluation *ev, const struct expect *e, uint16_t port)
{
    struct candidates c = {0};

    c.first = listener_table_port(ev->table, e->match.protocol, port, &c.count);
    for (size_t i = 0; i < c.count; i++) {
        const struct listener *l = &c.first[i];

        if (!is_candidate(ev->policy, e, l))
            continue;
        c.found++;
        c.loopback += l->scope == SCOPE_LOOPBACK;
        c.serves_address |= e->match.has_address && serves_address(l, &e->match.address);
    }
    return c;
}

/* Names the candidates, all or only those bound beyond loopback, and marks
 * them as concerned by the rule. */
static void name_candidates(struct evaluation *ev, const struct expect *e, const struct candidates *c,
                            bool only_exposed, enum rule rule, struct buf *out)
{
    size_t named = 0;

    for (size_t i = 0; i < c->count; i++) {
        const struct listener *l = &c->first[i];

        if (!is_candidate(ev->policy, e, l) || (only_exposed && l->scope == SCOPE_LOOPBACK))
            continue;
        ev->verdict->listener_rules[l - ev->listeners] |= 1u << rule;
        if (named < ENDPOINTS_NAMED) {
            buf_str(out, named ? ", " : "");
            describe(out, l);
        }
        named++;
    }
    if (named > ENDPOINTS_NAMED)
        buf_fmt(out, " and %zu more", named - ENDPOINTS_NAMED);
}

static struct finding expect_finding(const struct expect *e, uint16_t port, enum rule rule)
{
    struct finding f = {
        .key = {.rule = rule, .protocol = e->match.protocol, .has_port = true, .port = port},
        .severity = e->severity,
        .for_ms = e->for_ms,
    };

    memcpy(f.key.name, e->name, sizeof f.key.name);
    return f;
}

static void begin_summary(struct buf *out, const struct expect *e, uint16_t port)
{
    buf_init(out);
    buf_fmt(out, "%s: %s port %u ", e->name, protocol_name(e->match.protocol), port);
}

static int find_not_listening(struct evaluation *ev, const struct expect *e, uint16_t port)
{
    struct finding f = expect_finding(e, port, RULE_NOT_LISTENING);
    struct buf summary;

    begin_summary(&summary, e, port);
    buf_str(&summary, "has no listener");
    return add_finding(ev->verdict, &f, &summary);
}

/* LoopbackOnly or Exposed: the service is bound to another scope than it
 * should be. */
static int find_wrong_scope(struct evaluation *ev, const struct expect *e, uint16_t port,
                            const struct candidates *c, enum rule rule)
{
    struct finding f = expect_finding(e, port, rule);
    bool exposed = rule == RULE_EXPOSED;
    struct buf summary;

    begin_summary(&summary, e, port);
    buf_str(&summary, exposed ? "is bound beyond loopback (" : "is bound only to loopback (");
    name_candidates(ev, e, c, exposed, rule, &summary);
    buf_str(&summary, exposed ? "), expected only on loopback" : "), expected beyond it");
    return add_finding(ev->verdict, &f, &summary);
}

/* Whether an IP version is served. Where the service must be reachable from
 * outside and some listener is, those on loopback serve nobody. */
static bool serves_version(const struct evaluation *ev, const struct expect *e, const struct candidates *c,
                           uint8_t version)
{
    bool beyond = matcher_scope(&e->match) == WANT_PUBLIC && c->loopback < c->found;

    for (size_t i = 0; i < c->count; i++) {
        const struct listener *l = &c->first[i];

        if (is_candidate(ev->policy, e, l) && family_serves(l->family, version) &&
            !(beyond && l->scope == SCOPE_LOOPBACK))
            return true;
    }
    return false;
}

static int find_wrong_address(struct evaluation *ev, const struct expect *e, uint16_t port,
                              const struct candidates *c)
{
    bool wrong_address = e->match.has_address && !c->serves_address;
    bool wrong_family[2] = {
        e->families[0] && !serves_version(ev, e, c, 4),
        e->families[1] && !serves_version(ev, e, c, 6),
    };
    struct finding f = expect_finding(e, port, RULE_WRONG_ADDRESS);
    char text[IP_ADDR_TEXT_MAX];
    struct buf summary;

    if (!wrong_address && !wrong_family[0] && !wrong_family[1])
        return 0;
    begin_summary(&summary, e, port);
    buf_str(&summary, "is not served on ");
    if (wrong_address) {
        ip_addr_format(&e->match.address, text);
        buf_str(&summary, text);
    } else {
        buf_fmt(&summary, "%s%s%s", wrong_family[0] ? "IPv4" : "",
                wrong_family[0] && wrong_family[1] ? " and " : "", wrong_family[1] ? "IPv6" : "");
    }
    buf_str(&summary, ", bound to ");
    name_candidates(ev, e, c, false, RULE_WRONG_ADDRESS, &summary);
    return add_finding(ev->verdict, &f, &summary);
}

/* A listener on an expected port is the entry's matter, unless the entry wants
 * one address, has it, and this is another one that is not exposed. */
static void cover(struct evaluation *ev, const struct expect *e, const struct candidates *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct listener *l = &c->first[i];
        bool exposed = matcher_scope(&e->match) == WANT_LOOPBACK && l->scope != SCOPE_LOOPBACK;

        if (!is_candidate(ev->policy, e, l))
            continue;
        if (!e->match.has_address || !c->serves_address || exposed || serves_address(l, &e->match.address))
            ev->covered[l - ev->listeners] = true;
    }
}

static int evaluate_port(struct evaluation *ev, const struct expect *e, uint16_t port)
{
    struct candidates c = find_candidates(ev, e, port);
    enum want_scope want = matcher_scope(&e->match);
    bool loopback_only = want == WANT_PUBLIC && c.loopback == c.found;
    int r = 0;

    if (c.found == 0)
        return find_not_listening(ev, e, port);
    cover(ev, e, &c);
    if (loopback_only)
        r = find_wrong_scope(ev, e, port, &c, RULE_LOOPBACK_ONLY);
    /* An address that is not served because all is on loopback was just said. */
    if (r == 0 && !(loopback_only && e->match.has_address))
        r = find_wrong_address(ev, e, port, &c);
    if (r == 0 && want == WANT_LOOPBACK && c.loopback < c.found)
        r = find_wrong_scope(ev, e, port, &c, RULE_EXPOSED);
    return r;
}

static int evaluate_expect(struct evaluation *ev, const struct expect *e)
{
    struct port_cursor cursor = {0};
    uint16_t port;
    int r = 0;

    if (!ev->verdict->seen[e->match.protocol])
        return 0;
    while (r == 0 && port_ranges_next(e->match.ports, e->match.port_count, &cursor, &port))
        r = evaluate_port(ev, e, port);
    return r;
}

static bool is_own(const struct own_sockets *own, const struct listener *l)
{
    for (size_t i = 0; l->protocol == PROTOCOL_TCP && i < own->count; i++) {
        struct ip_addr address = ip_addr_unmap(own->items[i].address);

        if (own->items[i].port != l->port)
            continue;
        /* On a host without IPv6 "[::]" becomes 0.0.0.0. */
        if (ip_addr_compare(&address, &l->address) == 0 ||
            (ip_addr_is_any(address) && ip_addr_is_any(l->address) && !*l->interface))
            return true;
    }
    return false;
}

/* Whether an allow entry is about the listener, its scope left aside. */
static bool allow_matches(const struct allow *a, const struct listener *l)
{
    return a->match.protocol == l->protocol &&
           port_ranges_contain(a->match.ports, a->match.port_count, l->port) &&
           (!a->match.has_address || ip_addr_compare(&a->match.address, &l->address) == 0);
}

static bool scope_matches(enum want_scope want, enum scope scope)
{
    switch (want) {
    case WANT_ANY: return true;
    case WANT_PUBLIC: return scope != SCOPE_LOOPBACK;
    case WANT_LOOPBACK: return scope == SCOPE_LOOPBACK;
    }
    return false;
}

static int find_about_listener(struct evaluation *ev, const struct listener *l, enum rule rule)
{
    struct finding f = {
        .key = {.rule = rule,
                .protocol = l->protocol,
                .has_port = true,
                .port = l->port,
                .has_endpoint = true,
                .family = l->family,
                .address = l->address},
        .severity = ev->policy->unexpected.severity,
        .for_ms = ev->policy->unexpected.for_ms,
    };
    struct buf summary;

    memcpy(f.key.interface, l->interface, sizeof f.key.interface);
    buf_init(&summary);
    buf_fmt(&summary, "%s ", protocol_name(l->protocol));
    describe(&summary, l);
    if (*l->service_name)
        buf_fmt(&summary, " (%s)", l->service_name);
    buf_str(&summary, rule == RULE_EXPOSED ? " is bound beyond loopback, allowed only on loopback"
                                           : " listens, but is neither expected nor allowed");
    ev->verdict->listener_rules[l - ev->listeners] |= 1u << rule;
    return add_finding(ev->verdict, &f, &summary);
}

/* What is wrong with a listener that no expect entry answers for: Exposed,
 * UnexpectedListener, or RULE_COUNT for nothing. */
static enum rule judge_listener(const struct policy *policy, const struct listener *l)
{
    bool only_loopback_allowed = false;

    for (size_t i = 0; i < policy->allow_count; i++) {
        const struct allow *a = &policy->allows[i];

        if (!allow_matches(a, l))
            continue;
        if (scope_matches(a->match.scope, l->scope))
            return RULE_COUNT;
        only_loopback_allowed |= a->match.scope == WANT_LOOPBACK;
    }
    if (only_loopback_allowed)
        return RULE_EXPOSED;
    if (!policy->unexpected.enabled || (policy->unexpected.ignore_loopback && l->scope == SCOPE_LOOPBACK))
        return RULE_COUNT;
    return RULE_UNEXPECTED_LISTENER;
}

static int evaluate_listener(struct evaluation *ev, const struct listener *l)
{
    enum rule rule;

    if (!ev->verdict->seen[l->protocol] || ev->covered[l - ev->listeners] || is_own(ev->own, l))
        return 0;
    rule = judge_listener(ev->policy, l);
    return rule == RULE_COUNT ? 0 : find_about_listener(ev, l, rule);
}

/* Whether a rule is about listeners on ports that no entry expects. */
static bool judges_other_ports(const struct policy *policy, enum protocol protocol)
{
    for (size_t i = 0; i < policy->allow_count; i++)
        if (policy->allows[i].match.protocol == protocol && policy->allows[i].match.scope == WANT_LOOPBACK)
            return true;
    return policy->unexpected.enabled;
}

static int evaluate_class(struct evaluation *ev, enum protocol protocol)
{
    const struct class_view *view = listener_table_class(ev->table, protocol);
    struct finding f = {.key = {.rule = RULE_BLIND, .protocol = protocol}};
    struct buf summary;

    if (view->visibility == VISIBILITY_UNKNOWN || (view->visibility == VISIBILITY_OK && view->cut == 0))
        return 0;
    if (!rules_need(ev->policy, protocol, view->visibility, &f.severity))
        return 0;
    if (view->visibility == VISIBILITY_OK && !judges_other_ports(ev->policy, protocol))
        return 0; /* expected ports are never cut */
    buf_init(&summary);
    if (view->visibility == VISIBILITY_OK) {
        buf_fmt(&summary, "%u %s listeners beyond limits.listeners are not judged", view->cut,
                protocol_name(protocol));
    } else {
        buf_fmt(&summary, "%s sockets cannot be read: %s", protocol_name(protocol),
                err_str(view->visibility == VISIBILITY_FAILED ? view->error : ERR_UNSUPPORTED));
    }
    return add_finding(ev->verdict, &f, &summary);
}

bool rules_need(const struct policy *policy, enum protocol protocol, enum visibility visibility,
                enum severity *ret_severity)
{
    bool needed = false;

    *ret_severity = SEVERITY_WARNING;
    for (size_t i = 0; i < policy->expect_count; i++) {
        if (policy->expects[i].match.protocol != protocol)
            continue;
        needed = true;
        if (policy->expects[i].severity > *ret_severity)
            *ret_severity = policy->expects[i].severity;
    }
    if (visibility == VISIBILITY_ABSENT || !judges_other_ports(policy, protocol))
        return needed;
    if (policy->unexpected.enabled && policy->unexpected.severity > *ret_severity)
        *ret_severity = policy->unexpected.severity;
    return true;
}

uint32_t rules_used(const struct expect *e)
{
    uint32_t mask = 1u << RULE_NOT_LISTENING;
    enum want_scope want = matcher_scope(&e->match);

    if (want == WANT_PUBLIC)
        mask |= 1u << RULE_LOOPBACK_ONLY;
    if (want == WANT_LOOPBACK)
        mask |= 1u << RULE_EXPOSED;
    if (e->match.has_address || e->families[0] || e->families[1])
        mask |= 1u << RULE_WRONG_ADDRESS;
    return mask;
}

bool rules_is_listening(const struct listener_table *table, const struct policy *policy,
                        const struct expect *expect, uint16_t port)
{
    size_t count;
    const struct listener *l = listener_table_port(table, expect->match.protocol, port, &count);

    for (size_t i = 0; i < count; i++)
        if (is_candidate(policy, expect, &l[i]))
            return true;
    return false;
}

int rules_evaluate(const struct snapshot *snapshot, const struct policy *policy,
                   const struct own_sockets *own, struct verdict *ret)
{
    struct verdict verdict = {0};
    struct evaluation ev = {.table = snapshot->listeners, .policy = policy, .own = own, .verdict = &verdict};
    int r = -ENOMEM;

    ev.listeners = listener_table_all(ev.table, &ev.listener_count);
    verdict.listener_rules = calloc(ev.listener_count + 1, sizeof *verdict.listener_rules);
    ev.covered = calloc(ev.listener_count + 1, sizeof *ev.covered);
    if (!verdict.listener_rules || !ev.covered)
        goto out;
    r = 0;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        const struct class_view *view = listener_table_class(ev.table, (enum protocol)i);

        verdict.seen[i] = view->visibility == VISIBILITY_OK;
        verdict.complete[i] = verdict.seen[i] && view->cut == 0;
    }
    for (size_t i = 0; r == 0 && i < policy->expect_count; i++)
        r = evaluate_expect(&ev, &policy->expects[i]);
    for (size_t i = 0; r == 0 && i < ev.listener_count; i++)
        r = evaluate_listener(&ev, &ev.listeners[i]);
    for (size_t i = 0; r == 0 && i < PROTOCOL_COUNT; i++)
        r = evaluate_class(&ev, (enum protocol)i);
out:
    free(ev.covered);
    if (r < 0)
        verdict_done(&verdict);
    else
        *ret = verdict;
    return r;
}

void verdict_done(struct verdict *verdict)
{
    free(verdict->findings);
    free(verdict->listener_rules);
    *verdict = (struct verdict){0};
}

/* As much of the listener as the key tells. */
static struct listener key_listener(const struct alert_key *key)
{
    uint32_t ifindex =
        strcmp(key->interface, "lo") == 0; /* which only says whether it is the loopback device */
    struct listener l = {
        .protocol = key->protocol,
        .family = key->family,
        .address = key->address,
        .port = key->port,
        .scope = scope_of(key->address, ifindex),
    };

    return l;
}

bool rules_can_produce(const struct policy *policy, const struct alert_key *key)
{
    struct listener l;

    if (key->rule == RULE_BLIND)
        return true; /* about what was seen just now, in any case */
    if (key->has_endpoint) {
        l = key_listener(key);
        return judge_listener(policy, &l) == key->rule;
    }
    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct expect *e = &policy->expects[i];

        if (strcmp(e->name, key->name) == 0 && e->match.protocol == key->protocol &&
            port_ranges_contain(e->match.ports, e->match.port_count, key->port))
            return (rules_used(e) & 1u << key->rule) != 0;
    }
    return false;
}
