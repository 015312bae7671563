/* How many connections an expected service has.
 *
 * Connections are counted by the local port, whichever of several listeners there
 * has accepted them; and less often than listeners are polled. */
#include "core/judge.h"

#include <errno.h>

/* How long connections go uncounted until somebody is told: a count that fails is
 * mostly followed by one that does not, and that comes after ten seconds. */
#define UNCOUNTED_FOR_MS INT64_C(15000)

static bool is_counted(const struct evaluation *ev, enum protocol protocol)
{
    return ev->connections && conn_table_complete(ev->connections, protocol);
}

/* The counts of the site's port, by enum sock_state. */
static const uint32_t *counts_of(const struct evaluation *ev, const struct site *site)
{
    static const uint32_t none[STATE_COUNT];
    const uint32_t *counts = conn_table_port(ev->connections, site->protocol, site->port);

    return counts ? counts : none;
}

/* The state of a socket that waits for connections, and is counted with them. */
static enum sock_state waiting_state(enum protocol protocol)
{
    return protocol_accepts(protocol) ? STATE_LISTEN : STATE_CLOSE;
}

/* Marks the service's listeners as breaking the rule. */
static void mark_listeners(struct evaluation *ev, const struct site *site, enum rule rule)
{
    for (size_t i = 0; i < site->count; i++)
        if (site->notes[site->listeners[i]->index].role >= ROLE_SERVES)
            judge_mark(ev, site->listeners[i], rule, site->entry->severity);
}

static int add_found(struct evaluation *ev, const struct site *site, enum rule rule)
{
    mark_listeners(ev, site, rule);
    return judge_add_of_site(ev, site, rule, false);
}

static int add_untold(struct evaluation *ev, const struct site *site, enum rule rule)
{
    judge_begin_summary(ev, site);
    buf_str(&ev->text, "has connections that are not counted yet");
    return judge_add_of_site(ev, site, rule, true);
}

static void describe_count(struct buf *out, uint32_t count, const char *kind, const char *state)
{
    buf_str(out, "has ");
    judge_describe_number(out, count);
    buf_str(out, kind);
    buf_str(out, count == 1 ? "connection" : "connections");
    buf_str(out, state);
}

/* Before anybody can have connected there is no connection: a count that is older
 * than the service says nothing about whether there are too few. */
static int find_too_few(struct evaluation *ev, const struct site *site, const uint32_t *counts)
{
    if (counts[waiting_state(site->protocol)] == 0)
        return add_untold(ev, site, RULE_CONNECTIONS_OUT_OF_RANGE);
    judge_begin_summary(ev, site);
    describe_count(&ev->text, counts[STATE_ESTABLISHED], " established ", "");
    buf_fmt(&ev->text, ", expected %lld at least", (long long)site->entry->connections.min);
    return add_found(ev, site, RULE_CONNECTIONS_OUT_OF_RANGE);
}

static int find_too_many(struct evaluation *ev, const struct site *site, const uint32_t *counts)
{
    uint32_t not_accepted = conn_table_not_accepted(ev->connections, site->protocol, site->port);

    judge_begin_summary(ev, site);
    describe_count(&ev->text, counts[STATE_ESTABLISHED], " established ", "");
    buf_fmt(&ev->text, ", expected %lld at most", (long long)site->entry->connections.max);
    if (not_accepted > 0)
        buf_fmt(&ev->text, "; %u of them the program has not accepted yet", not_accepted);
    return add_found(ev, site, RULE_CONNECTIONS_OUT_OF_RANGE);
}

static int find_out_of_range(struct evaluation *ev, const struct site *site)
{
    const struct expect *e = site->entry;
    const uint32_t *counts;

    if (!e->connections_limited)
        return 0;
    if (!is_counted(ev, site->protocol))
        return add_untold(ev, site, RULE_CONNECTIONS_OUT_OF_RANGE);
    counts = counts_of(ev, site);
    if (counts[STATE_ESTABLISHED] < e->connections.min)
        return find_too_few(ev, site, counts);
    return counts[STATE_ESTABLISHED] > e->connections.max ? find_too_many(ev, site, counts) : 0;
}

static int find_stuck(struct evaluation *ev, const struct site *site)
{
    const struct expect *e = site->entry;
    uint32_t count;

    if (!expect_limits_close_wait(e, site->protocol))
        return 0;
    if (!is_counted(ev, site->protocol))
        return add_untold(ev, site, RULE_STUCK_CONNECTIONS);
    count = counts_of(ev, site)[STATE_CLOSE_WAIT];
    if (count <= e->close_wait_max)
        return 0;
    judge_begin_summary(ev, site);
    describe_count(&ev->text, count, " ", " in CLOSE_WAIT");
    buf_fmt(&ev->text, ", expected %lld at most: the other side has closed them, and the program does not",
            (long long)e->close_wait_max);
    return add_found(ev, site, RULE_STUCK_CONNECTIONS);
}

int judge_connections(struct evaluation *ev, const struct site *site)
{
    int r = find_out_of_range(ev, site);

    return r == 0 ? find_stuck(ev, site) : r;
}

/* Whether a rule is about local ports, and which there are is not known. */
static bool lacks_ports(const struct evaluation *ev, enum protocol protocol)
{
    return protocol == PROTOCOL_TCP && policy_uses_ephemeral(ev->policy) &&
           !conn_table_ephemeral(ev->connections)->known;
}

int judge_class_connections(struct evaluation *ev, enum protocol protocol)
{
    struct finding *f;

    if (!ev->classes[protocol].connections || !ev->connections)
        return 0;
    if (!is_counted(ev, protocol))
        buf_fmt(&ev->text, "%s connections cannot be counted, which a rule is about",
                protocol_name(protocol));
    else if (lacks_ports(ev, protocol))
        buf_str(&ev->text,
                "ip_local_port_range and ip_local_reserved_ports cannot be read, which a rule needs");
    else
        return 0;
    f = judge_add(ev);
    if (!f)
        return -ENOMEM;
    f->key = (struct alert_key){.rule = RULE_BLIND, .protocol = protocol};
    f->severity = ev->verdict->classes[protocol].severity;
    f->for_ms = UNCOUNTED_FOR_MS;
    return 0;
}
