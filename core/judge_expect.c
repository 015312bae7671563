#include "core/judge.h"

#include <string.h>

/* An entry with an address owns the listener bound to exactly that address. */
static bool claims(const struct expect *e, const struct listener *l)
{
    return e->match.has_address && e->match.protocol == l->protocol &&
           ip_addr_compare(&e->match.address, &l->address) == 0 &&
           port_ranges_contain(e->match.ports, e->match.port_count, l->port);
}

/* Which other entries have a say in a listener. */
struct others {
    bool claim; /* one of them owns it by its address */
    bool open;  /* one of them asks for no address */
};

static struct others find_others(const struct policy *policy, const struct expect *e,
                                 const struct listener *l)
{
    struct others others = {.claim = false};

    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct expect *other = &policy->expects[i];

        if (other == e || other->match.protocol != l->protocol ||
            !port_ranges_contain(other->match.ports, other->match.port_count, l->port))
            continue;
        others.claim |= claims(other, l);
        others.open |= !other->match.has_address;
    }
    return others;
}

/* Whether a listener on the entry's port counts as the entry's service. One
 * that another entry claims does not, but where the service should be public
 * and this one is on loopback, it is what the operator must be told about. One
 * that nobody claims is the matter of the entry that asks for no address, if
 * there is one; a wildcard serves them all. What sits on a port that the kernel
 * chose is nobody's service. */
bool judge_is_candidate(const struct policy *policy, const struct expect *e, const struct listener *l)
{
    struct others others;

    if (l->auto_port)
        return false;
    if (claims(e, l))
        return true;
    others = find_others(policy, e, l);
    if (others.claim)
        return !e->match.has_address && e->match.scope == WANT_PUBLIC && l->scope == SCOPE_LOOPBACK;
    return !e->match.has_address || !others.open || ip_addr_is_any(l->address);
}

/* Whether connections to the address reach the listener. */
static bool serves_address(const struct listener *l, const struct ip_addr *address)
{
    if (l->scope == SCOPE_LOOPBACK && !ip_addr_is_loopback(*address))
        return false; /* also where it is bound to the address, but to the loopback device */
    return ip_addr_is_any(l->address) ? family_serves(l->family, address->version)
                                      : ip_addr_compare(&l->address, address) == 0;
}

/* The service's listeners on one port, and what holds for them together. */
struct candidates {
    const struct listener *first;
    size_t count; /* on the port; those that are not candidates are skipped */
    size_t found, loopback;
    bool serves_address;
    bool claimed; /* the entry owns one of them by its address */
};

/* Whether a listener on the port is one of the candidates, given which the entry
 * owns by its address: with one of those, a wildcard that has an entry of its
 * own is left to that. */
static bool concerns(const struct evaluation *ev, const struct expect *e, const struct candidates *c,
                     const struct listener *l)
{
    if (!judge_is_candidate(ev->policy, e, l))
        return false;
    return !c->claimed || claims(e, l) || !find_others(ev->policy, e, l).open;
}

static struct candidates find_candidates(const struct evaluation *ev, const struct expect *e, uint16_t port)
{
    struct candidates c = {0};

    c.first = listener_table_port(ev->table, e->match.protocol, port, &c.count);
    for (size_t i = 0; i < c.count; i++)
        c.claimed |= claims(e, &c.first[i]);
    for (size_t i = 0; i < c.count; i++) {
        const struct listener *l = &c.first[i];

        if (!concerns(ev, e, &c, l))
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

        if (!concerns(ev, e, c, l) || (only_exposed && l->scope == SCOPE_LOOPBACK))
            continue;
        ev->verdict->listener_rules[l - ev->listeners] |= 1u << rule;
        if (named < JUDGE_ENDPOINTS) {
            buf_str(out, named ? ", " : "");
            judge_describe(out, l);
        }
        named++;
    }
    if (named > JUDGE_ENDPOINTS)
        buf_fmt(out, " and %zu more", named - JUDGE_ENDPOINTS);
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
    return judge_add(ev->verdict, &f, &summary);
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
    return judge_add(ev->verdict, &f, &summary);
}

/* Whether an IP version is served. Where the service must be reachable from
 * outside and some listener is, those on loopback serve nobody. */
static bool serves_version(const struct evaluation *ev, const struct expect *e, const struct candidates *c,
                           uint8_t version)
{
    bool beyond = matcher_scope(&e->match) == WANT_PUBLIC && c->loopback < c->found;

    for (size_t i = 0; i < c->count; i++) {
        const struct listener *l = &c->first[i];

        if (concerns(ev, e, c, l) && family_serves(l->family, version) &&
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
    return judge_add(ev->verdict, &f, &summary);
}

/* Whether a candidate is who gets the service's connections: what is bound to
 * an address gets them before a wildcard does. */
static bool answers(const struct evaluation *ev, const struct expect *e, const struct candidates *c,
                    const struct listener *l)
{
    if (!concerns(ev, e, c, l))
        return false;
    if (e->match.has_address)
        return claims(e, l) || !c->claimed;
    return !find_others(ev->policy, e, l).claim;
}

/* Judges the sockets of a listener one by one: of two programs that share a
 * port, one may be the wrong one. Names the first that differs. */
static enum owner_match judge_owners(struct evaluation *ev, const struct expect *e, const struct listener *l,
                                     struct buf *out)
{
    enum owner_match worst = OWNER_MATCHES;

    for (uint32_t i = 0; i < l->sockets; i++) {
        enum owner_match match = owner_match(&e->match.owner, l->members[i].owners);

        if (match == OWNER_DIFFERS && worst != OWNER_DIFFERS) {
            judge_describe(out, l);
            buf_str(out, " by ");
            judge_describe_owner(out, l->members[i].owners);
            if (l->sockets > 1)
                buf_fmt(out, ", with one of %u sockets of %s", l->sockets,
                        listener_sharing(l) == SHARING_USERS ? "several users" : "one user");
        }
        if (match > worst)
            worst = match;
    }
    if (worst == OWNER_DIFFERS)
        ev->verdict->listener_rules[l - ev->listeners] |= 1u << RULE_WRONG_OWNER;
    return worst;
}

static int find_wrong_owner(struct evaluation *ev, const struct expect *e, uint16_t port,
                            const struct candidates *c)
{
    struct finding f = expect_finding(e, port, RULE_WRONG_OWNER);
    size_t differ = 0, untold = 0;
    struct buf summary;

    if (!owner_pattern_is_set(&e->match.owner))
        return 0;
    begin_summary(&summary, e, port);
    buf_str(&summary, "is held at ");
    for (size_t i = 0; i < c->count; i++) {
        const struct listener *l = &c->first[i];
        struct buf who;
        enum owner_match match;

        if (!answers(ev, e, c, l))
            continue;
        buf_init(&who);
        match = judge_owners(ev, e, l, &who);
        if (match == OWNER_DIFFERS && differ++ < JUDGE_ENDPOINTS / 2)
            buf_fmt(&summary, "%s%s", differ > 1 ? " and " : "", buf_text(&who));
        if (match == OWNER_UNTOLD) {
            judge_note_untold(ev, l);
            untold++;
        }
        summary.failed |= who.failed;
        buf_done(&who);
    }
    if (differ == 0 && untold == 0) {
        buf_done(&summary);
        return 0;
    }
    buf_str(&summary, "; expected ");
    owner_pattern_describe(&e->match.owner, &summary);
    f.undetermined = differ == 0;
    return judge_add(ev->verdict, &f, &summary);
}

static int find_saturated(struct evaluation *ev, const struct expect *e, uint16_t port,
                          const struct candidates *c)
{
    struct finding f = expect_finding(e, port, RULE_ACCEPT_QUEUE_SATURATED);
    const struct listener *fullest = NULL;
    struct buf summary;

    if (e->accept_queue <= 0)
        return 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct listener *l = &c->first[i];

        if (!answers(ev, e, c, l) || !l->queue.known || l->queue.saturation_ratio < e->accept_queue)
            continue;
        ev->verdict->listener_rules[l - ev->listeners] |= 1u << RULE_ACCEPT_QUEUE_SATURATED;
        if (!fullest || l->queue.saturation_ratio > fullest->queue.saturation_ratio)
            fullest = l;
    }
    if (!fullest)
        return 0;
    begin_summary(&summary, e, port);
    buf_str(&summary, "has an accept queue ");
    if (fullest->sockets > 1)
        buf_fmt(&summary, "in one of %u sockets ", fullest->sockets);
    buf_fmt(&summary, "that is %.0f %% full (", fullest->queue.saturation_ratio * 100);
    judge_describe(&summary, fullest);
    buf_fmt(&summary, ": %llu waiting, limit %llu), expected less than %.0f %%",
            (unsigned long long)fullest->queue.length, (unsigned long long)fullest->queue.limit,
            e->accept_queue * 100);
    return judge_add(ev->verdict, &f, &summary);
}

/* A listener on an expected port is the entry's matter, unless the entry wants
 * one address, has it, and this is another one that is not exposed. */
static void cover(struct evaluation *ev, const struct expect *e, const struct candidates *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct listener *l = &c->first[i];
        bool exposed = matcher_scope(&e->match) == WANT_LOOPBACK && l->scope != SCOPE_LOOPBACK;

        if (!concerns(ev, e, c, l))
            continue;
        if (!e->match.has_address || !c->serves_address || exposed || claims(e, l) ||
            serves_address(l, &e->match.address))
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
    if (r == 0)
        r = find_wrong_owner(ev, e, port, &c);
    if (r == 0)
        r = find_saturated(ev, e, port, &c);
    return r;
}

int judge_expect(struct evaluation *ev, const struct expect *e)
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
