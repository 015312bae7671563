#include "core/rules.h"
#include "core/array.h"
#include "core/judge.h"
#include "core/text.h"

#include <assert.h>
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
    case RULE_FLAPPING: return "Flapping";
    case RULE_DROPPING: return "Dropping";
    case RULE_WRONG_OWNER: return "WrongOwner";
    case RULE_UNEXPECTED_LISTENER: return "UnexpectedListener";
    case RULE_ACCEPT_QUEUE_SATURATED: return "AcceptQueueSaturated";
    case RULE_CONNECTIONS_OUT_OF_RANGE: return "ConnectionsOutOfRange";
    case RULE_STUCK_CONNECTIONS: return "StuckConnections";
    case RULE_UNREACHABLE: return "Unreachable";
    case RULE_EPHEMERAL_PORTS_EXHAUSTED: return "EphemeralPortsExhausted";
    case RULE_BLIND: return "Blind";
    case RULE_COUNT: break;
    }
    return "unknown";
}

struct finding *judge_add(struct evaluation *ev)
{
    struct verdict *v = ev->verdict;
    struct finding *f = array_grow(v->findings, &v->capacity, v->count + 1, sizeof *f);
    size_t length = ev->text.len;

    if (!f)
        return NULL;
    v->findings = f;
    if (ev->text.failed)
        return NULL;
    if (length >= SUMMARY_MAX)
        length = text_cut(buf_text(&ev->text), SUMMARY_MAX - 1);
    f += v->count++;
    *f = (struct finding){.undetermined = false};
    memcpy(f->summary, buf_text(&ev->text), length);
    return f;
}

/* As often as this is asked for, printf would be most of what judging costs. */
void judge_describe_number(struct buf *out, uint32_t number)
{
    char digits[sizeof "4294967295"], *first = digits + sizeof digits;

    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    buf_add(out, first, (size_t)(digits + sizeof digits - first));
}

void judge_describe(struct buf *out, const struct listener *l)
{
    char text[LISTENER_PLACE_MAX];

    listener_place(l, text);
    buf_str(out, text);
}

static void describe_part(struct buf *out, const char *what, const char *name)
{
    if (!*name)
        return;
    buf_str(out, what);
    buf_str(out, name);
}

static void describe_program(struct buf *out, const struct program *program)
{
    if (!program)
        return;
    describe_part(out, ", exe ", program->path);
    if (program->deleted)
        buf_str(out, " (deleted)");
    if (program->standing == PROGRAM_FOREIGN)
        buf_str(out, " (not the host's)");
}

/* The number stands for a name that is unknown. */
static void describe_user(struct buf *out, const char *name, bool uid_known, uint32_t uid)
{
    describe_part(out, "user ", name);
    if (!*name && uid_known)
        buf_fmt(out, "user %u", uid);
}

void judge_describe_owner(struct buf *out, const struct owner_set *owners)
{
    const struct holder *holder = NULL;

    if (!owners)
        return;
    for (size_t i = 0; i < owners->count; i++)
        if (!holder || (holder_is_activator(holder) && !holder_is_activator(owners->holders[i])))
            holder = owners->holders[i];
    if (!holder) {
        describe_user(out, owners->user, true, owners->uid);
        describe_part(out, ", unit ", owners->unit);
        return;
    }
    buf_str(out, holder->process);
    buf_char(out, '[');
    judge_describe_number(out, holder->pid);
    buf_char(out, ']');
    if (*holder->user || holder->uid_known)
        buf_str(out, ", ");
    describe_user(out, holder->user, holder->uid_known, holder->uid);
    describe_part(out, ", unit ", holder->unit);
    describe_program(out, holder->program);
}

void judge_mark(struct evaluation *ev, const struct listener *l, enum rule rule, enum severity severity)
{
    struct listener_verdict *v = &ev->verdict->listeners[l->index];

    if (!(v->rules & 1u << rule) || severity > (enum severity)v->severities[rule])
        v->severities[rule] = (uint8_t)severity;
    v->rules |= 1u << rule;
}

void judge_note_untold(struct evaluation *ev, const struct listener *l)
{
    bool marked = ev->verdict->listeners[l->index].rules & 1u << RULE_BLIND;

    if (marked)
        return;
    judge_mark(ev, l, RULE_BLIND, ev->verdict->classes[l->protocol].severity);
    ev->classes[l->protocol].untold++;
}

bool judge_is_unseen(const struct owner_set *owners)
{
    return owner_sight(owners) != SIGHT_NOT_YET && !(owners && owner_set_awaits_name(owners));
}

static void need_class(struct class_verdict *class, enum severity severity)
{
    if (!class->needed || severity > class->severity)
        class->severity = severity;
    class->needed = true;
}

/* A rule is about listeners that no entry expects. A protocol that the kernel
 * does not have cannot hide one. */
static void need_others(struct evaluation *ev, const struct matcher *match, enum severity severity)
{
    for (int p = -1; (p = matcher_next_protocol(match, p)) < PROTOCOL_COUNT;) {
        ev->classes[p].others = true;
        if (ev->inv->classes[p].visibility != VISIBILITY_ABSENT)
            need_class(&ev->verdict->classes[p], severity);
    }
}

/* Which classes some rule needs. */
static void find_needs(struct evaluation *ev)
{
    const struct policy *policy = ev->policy;
    const struct matcher all = {.protocols = policy_unexpected(policy)};
    struct class_verdict *classes = ev->verdict->classes;

    for (size_t i = 0; i < policy->expect_count; i++)
        for (int p = -1; (p = matcher_next_protocol(&policy->expects[i].match, p)) < PROTOCOL_COUNT;) {
            need_class(&classes[p], policy->expects[i].severity);
            ev->classes[p].connections |= expect_counts_connections(&policy->expects[i], (enum protocol)p);
        }
    if (policy_uses_ephemeral(policy)) {
        need_class(&classes[PROTOCOL_TCP], policy->ephemeral.severity);
        ev->classes[PROTOCOL_TCP].connections = true;
    }
    for (size_t i = 0; i < policy->allow_count; i++)
        if (policy->allows[i].match.scope == WANT_LOOPBACK || policy->allows[i].match.address_count > 0)
            need_others(ev, &policy->allows[i].match, SEVERITY_WARNING);
    for (size_t i = 0; i < policy->deny_count; i++)
        need_others(ev, &policy->denies[i].match, policy->denies[i].severity);
    if (all.protocols != 0)
        need_others(ev, &all, policy->unexpected.severity);
}

/* Rules that count what happens over time. */
#define RULES_OF_PAST (1u << RULE_FLAPPING | 1u << RULE_DROPPING)

static uint32_t rules_used(const struct expect *e, enum protocol protocol)
{
    uint32_t mask = 1u << RULE_NOT_LISTENING;
    enum want_scope want = matcher_scope(&e->match);

    if (want == WANT_PUBLIC)
        mask |= 1u << RULE_LOOPBACK_ONLY;
    if (want == WANT_LOOPBACK || e->match.address_count > 0)
        mask |= 1u << RULE_EXPOSED;
    if (e->match.address_count > 0 || e->families[0] || e->families[1])
        mask |= 1u << RULE_WRONG_ADDRESS;
    if (owner_pattern_is_set(&e->match.owner))
        mask |= 1u << RULE_WRONG_OWNER;
    if (e->flapping.max > 0)
        mask |= 1u << RULE_FLAPPING;
    if (e->drops_limited)
        mask |= 1u << RULE_DROPPING;
    if (expect_accept_queue(e, protocol) > 0)
        mask |= 1u << RULE_ACCEPT_QUEUE_SATURATED;
    if (e->connections_limited)
        mask |= 1u << RULE_CONNECTIONS_OUT_OF_RANGE;
    if (expect_limits_close_wait(e, protocol))
        mask |= 1u << RULE_STUCK_CONNECTIONS;
    return mask;
}

/* Its ports, once for each protocol. */
static size_t matcher_services(const struct matcher *match)
{
    return port_ranges_total(match->ports, match->port_count) * protocols_count(matcher_protocols(match));
}

/* What is known before any rule is looked at. Returns 0 or -ENOMEM. */
static int begin_verdict(struct evaluation *ev)
{
    const struct policy *policy = ev->policy;
    struct verdict *v = ev->verdict;
    size_t services = 0;

    for (size_t i = 0; i < policy->expect_count; i++)
        services += matcher_services(&policy->expects[i].match);
    v->services = calloc(services + 1, sizeof *v->services);
    v->listeners = calloc(ev->inv->total + 1, sizeof *v->listeners);
    ev->notes = calloc(ev->inv->total + 1, sizeof *ev->notes);
    if (!v->services || !v->listeners || !ev->notes)
        return -ENOMEM;
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        const struct class_view *view = &ev->inv->classes[i];

        v->classes[i].seen = view->visibility == VISIBILITY_OK;
        v->classes[i].complete =
            v->classes[i].seen && view->others == VISIBILITY_OK && view->unread == 0 && !ev->inv->behind[i];
    }
    find_needs(ev);
    judge_survey(ev);
    return 0;
}

/* Judges all ports of an expected service by one of its protocols. */
static int judge_ports(struct evaluation *ev, size_t expect, enum protocol protocol)
{
    const struct expect *e = &ev->policy->expects[expect];
    struct verdict *v = ev->verdict;
    struct port_cursor cursor = {0};
    uint32_t used = rules_used(e, protocol) & ~RULES_OF_PAST;
    uint16_t port;
    int r = 0;

    while (r == 0 && port_ranges_next(e->match.ports, e->match.port_count, &cursor, &port)) {
        ev->service = &v->services[v->service_count++];
        *ev->service = (struct service_verdict){.expect = expect,
                                                .protocol = protocol,
                                                .port = port,
                                                .seen = v->classes[protocol].seen,
                                                .used = used | judge_probe_rules(e, protocol, port)};
        if (ev->service->seen)
            r = judge_expect(ev, e, port);
    }
    return r;
}

static int judge_services(struct evaluation *ev)
{
    const struct policy *policy = ev->policy;
    int r = 0;

    for (size_t i = 0; r == 0 && i < policy->expect_count; i++)
        for (int p = -1;
             r == 0 && (p = matcher_next_protocol(&policy->expects[i].match, p)) < PROTOCOL_COUNT;)
            r = judge_ports(ev, i, (enum protocol)p);
    return r;
}

/* Lets a judge look at each listener: first at those that are chosen. */
static int judge_each(struct evaluation *ev, int (*judge)(struct evaluation *ev, const struct listener *l))
{
    int r = 0;

    for (int chosen = 1; r == 0 && chosen >= 0; chosen--) {
        struct inventory_cursor cursor = {0};
        const struct listener *l;

        while (r == 0 && (l = inventory_next(ev->inv, &cursor)))
            if (l->chosen == chosen)
                r = judge(ev, l);
    }
    return r;
}

const struct verdict *rules_judge(const struct observed *observed, const struct policy *policy,
                                  const struct judge_bounds *bounds)
{
    struct verdict *verdict = calloc(1, sizeof *verdict);
    struct evaluation ev = {.inv = observed->inventory,
                            .connections = observed->connections,
                            .probes = observed->probes,
                            .own = observed->own,
                            .policy = policy,
                            .bounds = bounds,
                            .verdict = verdict};
    int r;

    assert(policy_is_sealed(policy));
    if (!verdict)
        return NULL;
    ref_init(&verdict->ref);
    r = begin_verdict(&ev);
    if (r == 0)
        r = judge_services(&ev);
    /* What is denied comes first, so that nothing else takes its room. */
    if (r == 0 && policy->deny_count > 0)
        r = judge_each(&ev, judge_denied);
    if (r == 0)
        r = judge_each(&ev, judge_other);
    if (r == 0)
        r = judge_ephemeral(&ev);
    for (size_t i = 0; r == 0 && i < PROTOCOL_COUNT; i++)
        r = judge_class(&ev, (enum protocol)i);
    free(ev.notes);
    free(ev.site);
    uid_counts_done(&ev.uids);
    buf_done(&ev.text);
    if (r == 0)
        return verdict;
    verdict_unref(verdict);
    return NULL;
}

const struct verdict *verdict_add_past(const struct verdict *v, const struct policy *policy,
                                       const struct service_past *past)
{
    struct verdict *verdict = ref_unseal(v);
    struct evaluation ev = {.policy = policy, .verdict = verdict};
    int r = 0;

    for (size_t i = 0; r == 0 && i < verdict->service_count; i++) {
        const struct expect *e = &policy->expects[verdict->services[i].expect];

        ev.service = &verdict->services[i];
        ev.service->past = past[i];
        ev.service->used |= rules_used(e, ev.service->protocol) & RULES_OF_PAST;
        r = judge_past(&ev, e);
    }
    buf_done(&ev.text);
    if (r == 0)
        return verdict;
    verdict_unref(verdict);
    return NULL;
}

const struct verdict *verdict_cut(const struct verdict *v, const struct inventory *inv)
{
    struct verdict *cut = ref_unseal(v);
    struct inventory_cursor cursor = {0};
    const struct listener *l;
    size_t count = 0;

    /* None moves to a place behind its own. */
    while ((l = inventory_next_chosen(inv, &cursor)))
        cut->listeners[count++] = cut->listeners[l->index];
    if (count < inv->total) {
        void *fewer = realloc(cut->listeners, (count + 1) * sizeof *cut->listeners);

        if (fewer)
            cut->listeners = fewer;
    }
    return cut;
}

const struct verdict *verdict_ref(const struct verdict *v)
{
    ref_take(&v->ref);
    return v;
}

void verdict_unref(const struct verdict *v)
{
    if (!v || !ref_drop(&v->ref))
        return;
    free(v->findings);
    free(v->services);
    free(v->listeners);
    free(ref_unseal(v));
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
        .followed = 1,
        .members = &anybody,
        .interface = key->interface,
        .service_name = "",
    };

    return l;
}

bool rules_can_produce(const struct policy *policy, const struct alert_key *key)
{
    const struct expect *e;
    struct listener l;

    if (key->rule == RULE_BLIND)
        return true; /* about what was seen just now, in any case */
    if (key->rule == RULE_EPHEMERAL_PORTS_EXHAUSTED)
        return policy_uses_ephemeral(policy);
    if (key->has_endpoint) {
        l = key_listener(key);
        if (judge_by_allows(policy, &l).rule == key->rule ||
            (key->rule == RULE_UNEXPECTED_LISTENER && judge_could_deny(policy, &l)))
            return true;
        l.auto_port = true; /* which the key does not tell either */
        return judge_by_allows(policy, &l).rule == key->rule;
    }
    e = policy_service(policy, key->name, key->protocol, key->port);
    return e &&
           (rules_used(e, key->protocol) | judge_probe_rules(e, key->protocol, key->port)) & 1u << key->rule;
}
