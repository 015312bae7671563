#include "core/duration.h"
#include "core/judge.h"

#include <errno.h>
#include <string.h>

void judge_begin_summary(struct evaluation *ev, const struct site *site)
{
    struct buf *out = &ev->text;

    buf_truncate(out, 0);
    buf_str(out, site->entry->name);
    buf_str(out, ": ");
    buf_str(out, protocol_name(site->protocol));
    if (site->entry->match.path) {
        buf_char(out, ' ');
        buf_str(out, site->entry->match.path);
    } else {
        buf_str(out, " port ");
        judge_describe_number(out, site->port);
    }
    buf_char(out, ' ');
}

void judge_name_listeners(struct evaluation *ev, const struct site *site, bool only_exposed, enum rule rule)
{
    size_t named = 0;

    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];

        if (site->notes[l->index].role == ROLE_NONE || (only_exposed && !judge_is_exposed(site, l)))
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

int judge_add_of_site(struct evaluation *ev, const struct site *site, enum rule rule, bool undetermined)
{
    const struct expect *e = site->entry;
    struct finding *f = judge_add(ev);

    if (!f)
        return -ENOMEM;
    f->key.rule = rule;
    f->key.protocol = site->protocol;
    f->key.has_port = protocol_is_ip(site->protocol);
    f->key.port = site->port;
    memcpy(f->key.name, e->name, sizeof f->key.name);
    f->undetermined = undetermined;
    f->severity = e->severity;
    f->for_ms = e->for_ms;
    *(undetermined ? &ev->service->untold : &ev->service->broken) |= 1u << rule;
    return 0;
}

/* Names who was given the port by the kernel, of several the first: until it is
 * free the service cannot come back. */
static void name_taker(struct evaluation *ev, const struct site *site)
{
    const struct listener *l = NULL;

    for (size_t i = 0; !l && i < site->count; i++)
        if (site->listeners[i]->auto_port)
            l = site->listeners[i];
    if (!l)
        return;
    buf_str(&ev->text, "; the kernel gave the port to another that asked for any (");
    judge_describe(&ev->text, l);
    if (l->followed > 0 && l->members[0].owners) {
        buf_str(&ev->text, " by ");
        judge_describe_owner(&ev->text, l->members[0].owners);
    }
    buf_char(&ev->text, ')');
}

static int find_not_listening(struct evaluation *ev, const struct site *site)
{
    judge_begin_summary(ev, site);
    buf_str(&ev->text, "has no listener");
    name_taker(ev, site);
    judge_name_probe(ev, site);
    return judge_add_of_site(ev, site, RULE_NOT_LISTENING, !ev->service->seen);
}

static int find_loopback_only(struct evaluation *ev, const struct site *site)
{
    judge_begin_summary(ev, site);
    buf_str(&ev->text, "is bound only to loopback (");
    judge_name_listeners(ev, site, false, RULE_LOOPBACK_ONLY);
    buf_str(&ev->text, "), expected beyond it");
    judge_name_probe(ev, site);
    return judge_add_of_site(ev, site, RULE_LOOPBACK_ONLY, false);
}

/* "192.0.2.10, 192.0.2.11", of a mask of the entry's addresses. */
static void name_addresses(struct buf *out, const struct matcher *match, uint64_t mask)
{
    char text[IP_ADDR_TEXT_MAX];
    size_t named = 0;

    for (size_t i = 0; i < match->address_count; i++) {
        if (!(mask >> i & 1) || named++ >= JUDGE_ENDPOINTS)
            continue;
        ip_addr_format(&match->addresses[i], text);
        buf_str(out, named > 1 ? ", " : "");
        buf_str(out, text);
    }
    if (named > JUDGE_ENDPOINTS)
        buf_fmt(out, " and %zu more", named - JUDGE_ENDPOINTS);
}

static void name_where_expected(struct buf *out, const struct site *site)
{
    if (site->entry->match.address_count > 0)
        name_addresses(out, &site->entry->match, UINT64_MAX);
    else
        buf_str(out, "loopback");
}

/* The service is bound beyond where it should be. */
static int find_exposed(struct evaluation *ev, const struct site *site)
{
    bool exposed = false, told = false;

    for (size_t i = 0; i < site->count; i++) {
        bool is = judge_is_exposed(site, site->listeners[i]);

        exposed |= is;
        told |= is && !site->notes[site->listeners[i]->index].awaited;
    }
    if (!exposed || (!told && judge_answers(site)))
        return judge_closed(ev, site);
    judge_begin_summary(ev, site);
    buf_str(&ev->text, "is bound beyond ");
    name_where_expected(&ev->text, site);
    buf_str(&ev->text, " (");
    if (told)
        judge_name_listeners(ev, site, true, RULE_EXPOSED);
    buf_str(&ev->text, "), expected ");
    buf_str(&ev->text, site->entry->match.address_count > 0 ? "there and nowhere else" : "only on loopback");
    if (judge_answers(site))
        judge_name_answer(ev, site, "; and ");
    return judge_add_of_site(ev, site, RULE_EXPOSED, !told);
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
    bool wrong_address = site->missing != 0;
    bool wrong_ipv4 = e->families[0] && !serves_version(site, 4);
    bool wrong_ipv6 = e->families[1] && !serves_version(site, 6);

    if (!wrong_address && !wrong_ipv4 && !wrong_ipv6)
        return 0;
    judge_begin_summary(ev, site);
    buf_str(&ev->text, "is not served on ");
    if (wrong_address)
        name_addresses(&ev->text, &e->match, site->missing);
    else
        buf_str(&ev->text, wrong_ipv4 ? wrong_ipv6 ? "IPv4 and IPv6" : "IPv4" : "IPv6");
    buf_str(&ev->text, ", bound to ");
    judge_name_listeners(ev, site, false, RULE_WRONG_ADDRESS);
    judge_name_probe(ev, site);
    return judge_add_of_site(ev, site, RULE_WRONG_ADDRESS, false);
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
    if (worst == OWNER_MATCHES && listener_has_strangers(l)) {
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
    judge_begin_summary(ev, site);
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
    judge_name_probe(ev, site);
    return judge_add_of_site(ev, site, RULE_WRONG_OWNER, differ == 0);
}

static int find_saturated(struct evaluation *ev, const struct site *site)
{
    const struct expect *e = site->entry;
    double too_much = expect_accept_queue(e, site->protocol);
    const struct listener *fullest = NULL;
    struct buf *out = &ev->text;
    struct queue queue;

    if (too_much <= 0)
        return 0;
    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];

        if (site->notes[l->index].role < ROLE_SERVES || !l->queue.known ||
            queue_saturation(l->queue.fullest) < too_much)
            continue;
        judge_mark(ev, l, RULE_ACCEPT_QUEUE_SATURATED, e->severity);
        if (!fullest || queue_saturation(l->queue.fullest) > queue_saturation(fullest->queue.fullest))
            fullest = l;
    }
    if (!fullest)
        return 0;
    judge_begin_summary(ev, site);
    queue = fullest->queue.fullest;
    buf_fmt(out, "has an accept queue that is %.0f %% full (", queue_saturation(queue) * 100);
    judge_describe(out, fullest);
    if (fullest->sockets > 1)
        buf_fmt(out, ", the fullest of %u sockets", fullest->sockets);
    buf_fmt(out, ": %u waiting, limit %u), expected less than %.0f %%", queue.length, queue.limit,
            too_much * 100);
    if (judge_probe_ended(site, PROBE_TIMEOUT)) /* of which the queue is the cause */
        judge_name_probe(ev, site);
    return judge_add_of_site(ev, site, RULE_ACCEPT_QUEUE_SATURATED, false);
}

/* What is new about the service. It goes on where one of its listeners does; what
 * stands beside it does not matter. */
static void note_news(struct evaluation *ev, const struct site *site)
{
    size_t serving = 0, renewed = 0;

    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];

        if (site->notes[l->index].role < ROLE_SERVES)
            continue;
        serving++;
        renewed += l->renewed;
        ev->service->dropped += l->drops.known ? l->drops.fresh : 0;
    }
    ev->service->renewed = serving > 0 && renewed == serving;
}

/* Judges a service that is there. */
static int judge_site(struct evaluation *ev, const struct site *site)
{
    int r = 0;

    if (site->want == WANT_PUBLIC && site->loopback == site->found)
        r = find_loopback_only(ev, site);
    if (r == 0)
        r = find_wrong_address(ev, site);
    if (r == 0)
        r = find_exposed(ev, site);
    if (r == 0)
        r = find_wrong_owner(ev, site);
    if (r == 0)
        r = find_saturated(ev, site);
    if (r == 0)
        r = judge_connections(ev, site);
    if (r == 0)
        r = judge_unreachable(ev, site);
    return r;
}

/* Nothing was found. Where there was no room for all sockets that says nothing. */
static int find_nothing(struct evaluation *ev, const struct site *site)
{
    int r;

    ev->service->seen = ev->inv->classes[site->protocol].unread == 0;
    ev->classes[site->protocol].unsure |= !ev->service->seen;
    r = find_not_listening(ev, site);
    if (r == 0)
        r = judge_closed(ev, site);
    return r == 0 ? judge_unreachable(ev, site) : r;
}

/* Judges a service once it is known what of it was found. */
static int judge_found(struct evaluation *ev, struct site *site)
{
    judge_look_at_probe(ev, site);
    if (site->found == 0)
        return find_nothing(ev, site);
    judge_cover(site);
    return judge_site(ev, site);
}

int judge_expect(struct evaluation *ev, const struct expect *e, uint16_t port)
{
    struct site site = {.entry = e,
                        .protocol = ev->service->protocol,
                        .port = port,
                        .want = matcher_scope(&e->match),
                        .notes = ev->notes};
    size_t count;
    const struct listener *l = inventory_port(ev->inv, site.protocol, port, &count);

    if (!l)
        return judge_found(ev, &site);
    if (judge_gather(ev, e, l, count) < 0)
        return -ENOMEM;
    site.listeners = ev->site;
    site.count = ev->site_count;
    judge_assign_roles(&site);
    ev->service->found = (uint32_t)site.found;
    if (site.found > 0)
        note_news(ev, &site);
    return judge_found(ev, &site);
}

/* Ends the summary with " in 10m, expected 3 at most". The window is how long it
 * has been so: it fires at once. */
static int find_too_often(struct evaluation *ev, const struct site *site, enum rule rule,
                          const struct allowed_rate *rate)
{
    char window[DURATION_TEXT_MAX];
    int r;

    duration_format(rate->window_ms, window);
    buf_fmt(&ev->text, " in %s, expected %lld at most", window, (long long)rate->max);
    r = judge_add_of_site(ev, site, rule, false);
    if (r == 0)
        ev->verdict->findings[ev->verdict->count - 1].for_ms = 0;
    return r;
}

static int find_flapping(struct evaluation *ev, const struct site *site)
{
    const struct allowed_rate *rate = &site->entry->flapping;
    uint64_t interrupted = ev->service->past.interrupted;

    if (rate->max <= 0 || interrupted <= (uint64_t)rate->max)
        return 0;
    judge_begin_summary(ev, site);
    buf_fmt(&ev->text, "was interrupted %llu times", (unsigned long long)interrupted);
    return find_too_often(ev, site, RULE_FLAPPING, rate);
}

/* What a socket of the protocol drops. */
static const char *dropped_thing(enum protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_TCP:
    case PROTOCOL_SCTP:
    case PROTOCOL_UNIX: return "connection attempt";
    case PROTOCOL_UDP:
    case PROTOCOL_UDPLITE: return "datagram";
    case PROTOCOL_RAW:
    case PROTOCOL_PACKET: return "packet";
    case PROTOCOL_COUNT: break;
    }
    return "drop";
}

static int find_dropping(struct evaluation *ev, const struct site *site)
{
    const struct allowed_rate *rate = &site->entry->drops;
    uint64_t dropped = ev->service->past.dropped;

    if (!site->entry->drops_limited || dropped <= (uint64_t)rate->max)
        return 0;
    judge_begin_summary(ev, site);
    buf_fmt(&ev->text, "dropped %llu %s%s", (unsigned long long)dropped, dropped_thing(ev->service->protocol),
            dropped == 1 ? "" : "s");
    return find_too_often(ev, site, RULE_DROPPING, rate);
}

int judge_past(struct evaluation *ev, const struct expect *e)
{
    const struct site site = {.entry = e, .protocol = ev->service->protocol, .port = ev->service->port};
    int r = find_flapping(ev, &site);

    return r == 0 ? find_dropping(ev, &site) : r;
}
