#include "core/judge.h"

#include <errno.h>
#include <string.h>

/* An entry on a listener's port with an address owns the listener that is bound
 * to exactly that address. */
static bool asks_for(const struct expect *e, const struct listener *l)
{
    return e->match.has_address && ip_addr_compare(&e->match.address, &l->address) == 0;
}

/* An entry on one of its ports, the listeners there that concern it, and what
 * holds for those together that are the service. */
struct site {
    const struct expect *entry;
    uint16_t port;
    enum want_scope want;
    const struct listener *const *listeners; /* borrowed */
    struct note *notes;                      /* of all listeners, by their index */
    size_t count;
    size_t found, loopback;
    bool serves_address;
};

/* A listener that another entry asks for by its address is not the service, but
 * where the service should be public and this one is on loopback, it is what
 * the operator must be told about. One that nobody asks for is the matter of
 * the entry that asks for no address, if there is one; a wildcard serves them
 * all, but where the entry has its own address bound, that gets the
 * connections, and the wildcard is left to the entry that it has of its own.
 * What sits on a port that the kernel chose is nobody's service.
 *
 * has_bound   something on the port is bound to the entry's address */
static enum role role_of(const struct site *site, const struct listener *l, const struct note *note,
                         bool has_bound)
{
    const struct matcher *match = &site->entry->match;
    bool unwanted_loopback = !match->has_address && match->scope == WANT_PUBLIC && l->scope == SCOPE_LOOPBACK;

    if (l->auto_port)
        return ROLE_NONE;
    if (asks_for(site->entry, l))
        return ROLE_BOUND;
    if (note->askers > 0)
        return unwanted_loopback ? ROLE_BESIDE : ROLE_NONE;
    if (!match->has_address)
        return ROLE_SERVES;
    if (note->has_open && (has_bound || !ip_addr_is_any(l->address)))
        return ROLE_NONE;
    return has_bound ? ROLE_BESIDE : ROLE_SERVES;
}

/* Whether connections to the address reach the listener. */
static bool serves_address(const struct listener *l, const struct ip_addr *address)
{
    if (l->scope == SCOPE_LOOPBACK && !ip_addr_is_loopback(*address))
        return false; /* also where it is bound to the address, but to the loopback device */
    return ip_addr_is_any(l->address) ? family_serves(l->family, address->version)
                                      : ip_addr_compare(&l->address, address) == 0;
}

static void assign_roles(struct site *site)
{
    const struct matcher *match = &site->entry->match;
    bool has_bound = false;

    for (size_t i = 0; match->has_address && i < site->count; i++)
        has_bound |= asks_for(site->entry, site->listeners[i]);
    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];

        struct note *note = &site->notes[l->index];

        note->role = role_of(site, l, note, has_bound);
        if (note->role == ROLE_NONE)
            continue;
        site->found++;
        site->loopback += l->scope == SCOPE_LOOPBACK;
        site->serves_address |= match->has_address && serves_address(l, &match->address);
    }
}

/* A listener on an expected port is the entry's matter, unless the entry wants
 * one address, has it, and this is another one that is not exposed. */
static void cover(struct site *site)
{
    const struct matcher *match = &site->entry->match;

    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];
        enum role role = site->notes[l->index].role;
        bool exposed = site->want == WANT_LOOPBACK && l->scope != SCOPE_LOOPBACK;

        if (role != ROLE_NONE && (role == ROLE_BOUND || !match->has_address || !site->serves_address ||
                                  exposed || serves_address(l, &match->address)))
            site->notes[l->index].covered = true;
    }
}

/* "web: tcp port 80 " */
static void begin_summary(struct evaluation *ev, const struct site *site)
{
    struct buf *out = &ev->text;

    buf_truncate(out, 0);
    buf_str(out, site->entry->name);
    buf_str(out, ": ");
    buf_str(out, protocol_name(site->entry->match.protocol));
    buf_str(out, " port ");
    judge_describe_number(out, site->port);
    buf_char(out, ' ');
}

/* Names the service's listeners, all or only those bound beyond loopback, and
 * marks them as breaking the rule. */
static void name_listeners(struct evaluation *ev, const struct site *site, bool only_exposed, enum rule rule)
{
    size_t named = 0;

    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];

        if (site->notes[l->index].role == ROLE_NONE || (only_exposed && l->scope == SCOPE_LOOPBACK))
            continue;
        judge_mark(ev, l, rule, site->entry->severity);
        if (named++ >= JUDGE_ENDPOINTS)
            continue;
        buf_str(&ev->text, named > 1 ? ", " : "");
        judge_describe(&ev->text, l);
    }
    if (named > JUDGE_ENDPOINTS)
        buf_fmt(&ev->text, " and %zu more", named - JUDGE_ENDPOINTS);
}

/* Adds the finding that the summary is about. Returns 0 or -ENOMEM. */
static int add_finding(struct evaluation *ev, const struct site *site, enum rule rule, bool undetermined)
{
    const struct expect *e = site->entry;
    struct finding *f = judge_add(ev);

    if (!f)
        return -ENOMEM;
    f->key.rule = rule;
    f->key.protocol = e->match.protocol;
    f->key.has_port = true;
    f->key.port = site->port;
    memcpy(f->key.name, e->name, sizeof f->key.name);
    f->undetermined = undetermined;
    f->severity = e->severity;
    f->for_ms = e->for_ms;
    *(undetermined ? &ev->service->untold : &ev->service->broken) |= 1u << rule;
    return 0;
}

static int find_not_listening(struct evaluation *ev, const struct site *site)
{
    begin_summary(ev, site);
    buf_str(&ev->text, "has no listener");
    return add_finding(ev, site, RULE_NOT_LISTENING, !ev->service->seen);
}

/* LoopbackOnly or Exposed: the service is bound to another scope than it
 * should be. */
static int find_wrong_scope(struct evaluation *ev, const struct site *site, enum rule rule)
{
    bool exposed = rule == RULE_EXPOSED;

    begin_summary(ev, site);
    buf_str(&ev->text, exposed ? "is bound beyond loopback (" : "is bound only to loopback (");
    name_listeners(ev, site, exposed, rule);
    buf_str(&ev->text, exposed ? "), expected only on loopback" : "), expected beyond it");
    return add_finding(ev, site, rule, false);
}

/* Whether an IP version is served. Where the service must be reachable from
 * outside and some listener is, those on loopback serve nobody. */
static bool serves_version(const struct site *site, uint8_t version)
{
    bool beyond = site->want == WANT_PUBLIC && site->loopback < site->found;

    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];

        if (site->notes[l->index].role != ROLE_NONE && family_serves(l->family, version) &&
            !(beyond && l->scope == SCOPE_LOOPBACK))
            return true;
    }
    return false;
}

static int find_wrong_address(struct evaluation *ev, const struct site *site)
{
    const struct expect *e = site->entry;
    bool wrong_address = e->match.has_address && !site->serves_address;
    bool wrong_ipv4 = e->families[0] && !serves_version(site, 4);
    bool wrong_ipv6 = e->families[1] && !serves_version(site, 6);
    char text[IP_ADDR_TEXT_MAX];

    if (!wrong_address && !wrong_ipv4 && !wrong_ipv6)
        return 0;
    begin_summary(ev, site);
    buf_str(&ev->text, "is not served on ");
    if (wrong_address) {
        ip_addr_format(&e->match.address, text);
        buf_str(&ev->text, text);
    } else {
        buf_str(&ev->text, wrong_ipv4 ? wrong_ipv6 ? "IPv4 and IPv6" : "IPv4" : "IPv6");
    }
    buf_str(&ev->text, ", bound to ");
    name_listeners(ev, site, false, RULE_WRONG_ADDRESS);
    return add_finding(ev, site, RULE_WRONG_ADDRESS, false);
}

/* Judges the sockets of a listener one by one: of two programs that share a
 * port, one may be the wrong one.
 *
 * ret_wrong    whose is the first that differs; filled when one does
 * ret_unseen   whether one hangs on an owner that nobody is looking for any more */
static enum owner_match match_owners(const struct expect *e, const struct listener *l,
                                     const struct owner_set **ret_wrong, bool *ret_unseen)
{
    enum owner_match worst = OWNER_MATCHES;

    *ret_unseen = false;
    for (uint32_t i = 0; i < l->followed && worst != OWNER_DIFFERS; i++) {
        enum owner_match match = owner_match(&e->match.owner, l->members[i].owners);

        *ret_unseen |= match == OWNER_UNTOLD && judge_is_unseen(l->members[i].owners);
        if (match == OWNER_DIFFERS)
            *ret_wrong = l->members[i].owners;
        if (match > worst)
            worst = match;
    }
    /* Those that are not followed are of the same user, or nobody knows whose. */
    if (worst == OWNER_MATCHES && l->followed < l->sockets && !l->uid_known) {
        *ret_unseen = true;
        worst = OWNER_UNTOLD;
    }
    return worst;
}

static void describe_wrong(const struct listener *l, const struct owner_set *owners, struct buf *out)
{
    judge_describe(out, l);
    buf_str(out, " by ");
    judge_describe_owner(out, owners);
    if (l->sockets > 1)
        buf_fmt(out, ", with one of %u sockets of %s", l->sockets,
                listener_sharing(l) == SHARING_USERS ? "several users" : "one user");
}

static int find_wrong_owner(struct evaluation *ev, const struct site *site)
{
    const struct expect *e = site->entry;
    size_t differ = 0, untold = 0;

    if (!owner_pattern_is_set(&e->match.owner))
        return 0;
    begin_summary(ev, site);
    buf_str(&ev->text, "is held at ");
    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];
        const struct owner_set *wrong = NULL;
        bool unseen = false;
        enum owner_match match =
            site->notes[l->index].role >= ROLE_SERVES ? match_owners(e, l, &wrong, &unseen) : OWNER_MATCHES;

        if (match == OWNER_DIFFERS)
            judge_mark(ev, l, RULE_WRONG_OWNER, e->severity);
        if (match == OWNER_DIFFERS && differ++ < JUDGE_ENDPOINTS / 2) {
            buf_str(&ev->text, differ > 1 ? " and " : "");
            describe_wrong(l, wrong, &ev->text);
        }
        if (match == OWNER_UNTOLD && unseen)
            judge_note_untold(ev, l);
        untold += match == OWNER_UNTOLD;
    }
    if (differ == 0 && untold == 0)
        return 0;
    buf_str(&ev->text, "; expected ");
    owner_pattern_describe(&e->match.owner, &ev->text);
    return add_finding(ev, site, RULE_WRONG_OWNER, differ == 0);
}

static int find_saturated(struct evaluation *ev, const struct site *site)
{
    const struct expect *e = site->entry;
    const struct listener *fullest = NULL;
    struct buf *out = &ev->text;
    struct queue queue;

    if (e->accept_queue <= 0)
        return 0;
    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];

        if (site->notes[l->index].role < ROLE_SERVES || !l->queue.known ||
            queue_saturation(l->queue.fullest) < e->accept_queue)
            continue;
        judge_mark(ev, l, RULE_ACCEPT_QUEUE_SATURATED, e->severity);
        if (!fullest || queue_saturation(l->queue.fullest) > queue_saturation(fullest->queue.fullest))
            fullest = l;
    }
    if (!fullest)
        return 0;
    begin_summary(ev, site);
    queue = fullest->queue.fullest;
    buf_fmt(out, "has an accept queue that is %.0f %% full (", queue_saturation(queue) * 100);
    judge_describe(out, fullest);
    if (fullest->sockets > 1)
        buf_fmt(out, ", the fullest of %u sockets", fullest->sockets);
    buf_fmt(out, ": %u waiting, limit %u), expected less than %.0f %%", queue.length, queue.limit,
            e->accept_queue * 100);
    return add_finding(ev, site, RULE_ACCEPT_QUEUE_SATURATED, false);
}

/* Judges a service that is there. */
static int judge_site(struct evaluation *ev, const struct site *site)
{
    bool loopback_only = site->want == WANT_PUBLIC && site->loopback == site->found;
    int r = 0;

    if (loopback_only)
        r = find_wrong_scope(ev, site, RULE_LOOPBACK_ONLY);
    /* An address that is not served because all is on loopback was just said. */
    if (r == 0 && !(loopback_only && site->entry->match.has_address))
        r = find_wrong_address(ev, site);
    if (r == 0 && site->want == WANT_LOOPBACK && site->loopback < site->found)
        r = find_wrong_scope(ev, site, RULE_EXPOSED);
    if (r == 0)
        r = find_wrong_owner(ev, site);
    if (r == 0)
        r = find_saturated(ev, site);
    return r;
}

/* Nothing was found. Where there was no room for all sockets that says nothing. */
static int find_nothing(struct evaluation *ev, const struct site *site)
{
    enum protocol protocol = site->entry->match.protocol;

    ev->service->seen = ev->inv->classes[protocol].unread == 0;
    ev->classes[protocol].unsure |= !ev->service->seen;
    return find_not_listening(ev, site);
}

int judge_expect(struct evaluation *ev, const struct expect *e, uint16_t port)
{
    struct site site = {.entry = e, .port = port, .want = matcher_scope(&e->match), .notes = ev->notes};
    size_t count;
    const struct listener *l = inventory_port(ev->inv, e->match.protocol, port, &count);

    if (!l)
        return find_nothing(ev, &site);
    if (judge_gather(ev, e, l, count) < 0)
        return -ENOMEM;
    site.listeners = ev->site;
    site.count = ev->site_count;
    assign_roles(&site);
    ev->service->found = (uint32_t)site.found;
    if (site.found == 0)
        return find_nothing(ev, &site);
    cover(&site);
    return judge_site(ev, &site);
}
