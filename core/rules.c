#include "core/rules.h"
#include "core/array.h"
#include "core/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *rule_name(enum rule rule)
{
    switch (rule) {
    case RULE_NOT_LISTENING: return "NotListening";
    case RULE_LOOPBACK_ONLY: return "LoopbackOnly";
    case RULE_EXPOSED: return "Exposed";
    case RULE_WRONG_ADDRESS: return "WrongAddress";
    case RULE_WRONG_OWNER: return "WrongOwner";
    case RULE_UNEXPECTED_LISTENER: return "UnexpectedListener";
    case RULE_ACCEPT_QUEUE_SATURATED: return "AcceptQueueSaturated";
    case RULE_BLIND: return "Blind";
    case RULE_COUNT: break;
    }
    return "unknown";
}

int judge_add(struct verdict *v, const struct finding *finding, struct buf *summary)
{
    struct finding *findings = array_grow(v->findings, &v->capacity, v->count + 1, sizeof *findings);
    int r = findings && !summary->failed ? 0 : -ENOMEM;

    if (findings)
        v->findings = findings;
    if (r == 0) {
        v->findings[v->count] = *finding;
        (void)snprintf(v->findings[v->count++].summary, SUMMARY_MAX, "%s",
                       buf_text(summary)); /* cut on purpose */
    }
    buf_done(summary);
    return r;
}

void judge_describe(struct buf *out, const struct listener *l)
{
    char text[ENDPOINT_TEXT_MAX];

    endpoint_format(&l->address, l->family, l->port, l->interface, text);
    buf_str(out, text);
}

void judge_describe_owner(struct buf *out, const struct owner_set *owners)
{
    const struct holder *holder = NULL;

    if (!owners)
        return;
    for (size_t i = 0; i < owners->count; i++)
        if (!holder || (holder_is_activator(holder) && !holder_is_activator(&owners->holders[i])))
            holder = &owners->holders[i];
    if (!holder) {
        buf_fmt(out, "user %s%s%s", owners->user, *owners->unit ? ", unit " : "", owners->unit);
        return;
    }
    buf_fmt(out, "%s[%u]", holder->process, holder->pid);
    if (*holder->user)
        buf_fmt(out, ", user %s", holder->user);
    if (*holder->unit)
        buf_fmt(out, ", unit %s", holder->unit);
}

void judge_note_untold(struct evaluation *ev, const struct listener *l)
{
    if (listener_sight(l) != SIGHT_NOT_YET)
        ev->verdict->listener_rules[l - ev->listeners] |= 1u << RULE_BLIND;
}

bool rules_is_own(const struct ip_ports *own, const struct listener *l)
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
    if (visibility == VISIBILITY_ABSENT || !judge_needs_others(policy, protocol))
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
    if (owner_pattern_is_set(&e->match.owner))
        mask |= 1u << RULE_WRONG_OWNER;
    if (e->accept_queue > 0)
        mask |= 1u << RULE_ACCEPT_QUEUE_SATURATED;
    return mask;
}

bool rules_is_listening(const struct listener_table *table, const struct policy *policy,
                        const struct expect *expect, uint16_t port)
{
    size_t count;
    const struct listener *l = listener_table_port(table, expect->match.protocol, port, &count);

    for (size_t i = 0; i < count; i++)
        if (judge_is_candidate(policy, expect, &l[i]))
            return true;
    return false;
}

int rules_evaluate(const struct snapshot *snapshot, const struct policy *policy, const struct ip_ports *own,
                   struct verdict *ret)
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
        r = judge_expect(&ev, &policy->expects[i]);
    for (size_t i = 0; r == 0 && i < ev.listener_count; i++)
        r = judge_other(&ev, &ev.listeners[i]);
    for (size_t i = 0; r == 0 && i < PROTOCOL_COUNT; i++)
        r = judge_class(&ev, (enum protocol)i);
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

/* As much of the listener as the key tells, which is nothing of its owner: one
 * socket of somebody who is not known to be allowed. */
static struct listener key_listener(const struct alert_key *key)
{
    static const struct member anybody;
    uint32_t ifindex =
        strcmp(key->interface, "lo") == 0; /* which only says whether it is the loopback device */
    struct listener l = {
        .protocol = key->protocol,
        .family = key->family,
        .address = key->address,
        .port = key->port,
        .scope = scope_of(key->address, ifindex),
        .sockets = 1,
        .members = &anybody,
    };

    return l;
}

bool rules_can_produce(const struct policy *policy, const struct alert_key *key)
{
    struct listener l;
    bool untold;

    if (key->rule == RULE_BLIND)
        return true; /* about what was seen just now, in any case */
    if (key->has_endpoint) {
        l = key_listener(key);
        return judge_by_allows(policy, &l, &untold) == key->rule;
    }
    for (size_t i = 0; i < policy->expect_count; i++) {
        const struct expect *e = &policy->expects[i];

        if (strcmp(e->name, key->name) == 0 && e->match.protocol == key->protocol &&
            port_ranges_contain(e->match.ports, e->match.port_count, key->port))
            return (rules_used(e) & 1u << key->rule) != 0;
    }
    return false;
}
