#include "core/judge.h"
#include "core/err.h"

#include <string.h>

/* Whether an allow entry is about the listener, its scope and owner left aside. */
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

/* How the allow entries stand to a socket, from good to bad. */
enum standing { STANDING_ALLOWED, STANDING_UNTOLD, STANDING_EXPOSED, STANDING_UNKNOWN };

static enum standing allow_standing(const struct allow *a, const struct listener *l,
                                    const struct owner_set *owners)
{
    enum owner_match owner;

    if (!allow_matches(a, l)) /* most are about other ports */
        return STANDING_UNKNOWN;
    owner = owner_match(&a->match.owner, owners);
    if (owner == OWNER_DIFFERS)
        return STANDING_UNKNOWN;
    if (!scope_matches(a->match.scope, l->scope))
        return a->match.scope == WANT_LOOPBACK ? STANDING_EXPOSED : STANDING_UNKNOWN;
    return owner == OWNER_UNTOLD ? STANDING_UNTOLD : STANDING_ALLOWED;
}

static enum standing best_standing(const struct policy *policy, const struct listener *l,
                                   const struct owner_set *owners)
{
    enum standing best = STANDING_UNKNOWN;

    for (size_t i = 0; i < policy->allow_count; i++) {
        enum standing standing = allow_standing(&policy->allows[i], l, owners);

        if (standing < best)
            best = standing;
    }
    return best;
}

/* The standing of the socket that is worst off, of several the first, and in
 * *ret_owners who holds it. */
static enum standing worst_standing(const struct policy *policy, const struct listener *l,
                                    const struct owner_set **ret_owners)
{
    enum standing worst = STANDING_ALLOWED;

    *ret_owners = NULL;
    for (uint32_t i = 0; i < l->sockets; i++) {
        enum standing standing = best_standing(policy, l, l->members[i].owners);

        if (i > 0 && standing <= worst)
            continue;
        *ret_owners = l->members[i].owners;
        worst = standing;
    }
    return worst;
}

static int find_about_listener(struct evaluation *ev, const struct listener *l, enum rule rule,
                               bool undetermined)
{
    struct finding f = {
        .undetermined = undetermined,
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
    const struct owner_set *owners;
    struct buf summary;

    (void)worst_standing(ev->policy, l, &owners); /* which the rule has told */
    memcpy(f.key.interface, l->interface, sizeof f.key.interface);
    buf_init(&summary);
    buf_fmt(&summary, "%s ", protocol_name(l->protocol));
    judge_describe(&summary, l);
    if (*l->service_name)
        buf_fmt(&summary, " (%s)", l->service_name);
    buf_str(&summary, rule == RULE_EXPOSED ? " is bound beyond loopback, allowed only on loopback"
                                           : " listens, but is neither expected nor allowed");
    if (owners) {
        buf_str(&summary, " (");
        judge_describe_owner(&summary, owners);
        buf_str(&summary, l->sockets > 1 ? ", and other sockets)" : ")");
    }
    if (!undetermined)
        ev->verdict->listener_rules[l - ev->listeners] |= 1u << rule;
    return judge_add(ev->verdict, &f, &summary);
}

/* What is wrong with a listener that no expect entry answers for: Exposed,
 * UnexpectedListener, or RULE_COUNT for nothing. Each of its sockets must be
 * allowed. *ret_untold: it hangs on an owner that cannot be seen. */
enum rule judge_by_allows(const struct policy *policy, const struct listener *l, bool *ret_untold)
{
    const struct owner_set *owners;
    enum standing worst = worst_standing(policy, l, &owners);
    bool judges_all =
        policy->unexpected.enabled && !(policy->unexpected.ignore_loopback && l->scope == SCOPE_LOOPBACK);

    *ret_untold = worst == STANDING_UNTOLD;
    if (worst == STANDING_EXPOSED)
        return RULE_EXPOSED;
    return worst == STANDING_ALLOWED || !judges_all ? RULE_COUNT : RULE_UNEXPECTED_LISTENER;
}

int judge_other(struct evaluation *ev, const struct listener *l)
{
    enum rule rule;
    bool untold;

    if (!ev->verdict->seen[l->protocol] || ev->covered[l - ev->listeners] || l->auto_port ||
        rules_is_own(ev->own, l))
        return 0;
    rule = judge_by_allows(ev->policy, l, &untold);
    if (rule != RULE_COUNT && untold)
        judge_note_untold(ev, l);
    return rule == RULE_COUNT ? 0 : find_about_listener(ev, l, rule, untold);
}

bool judge_needs_others(const struct policy *policy, enum protocol protocol)
{
    for (size_t i = 0; i < policy->allow_count; i++)
        if (policy->allows[i].match.protocol == protocol && policy->allows[i].match.scope == WANT_LOOPBACK)
            return true;
    return policy->unexpected.enabled;
}

/* Names the listeners whose owners a rule needs and cannot see. Returns
 * whether there are any. */
static bool describe_untold(const struct evaluation *ev, enum protocol protocol, struct buf *out)
{
    bool hidden = false;
    size_t count = 0;
    struct buf names;

    buf_init(&names);
    for (size_t i = 0; i < ev->listener_count; i++) {
        const struct listener *l = &ev->listeners[i];

        if (l->protocol != protocol || !(ev->verdict->listener_rules[i] & 1u << RULE_BLIND))
            continue;
        hidden |= listener_sight(l) == SIGHT_HIDDEN;
        if (count < JUDGE_ENDPOINTS) {
            buf_str(&names, count > 0 ? ", " : "");
            judge_describe(&names, l);
        }
        count++;
    }
    if (count > 0)
        buf_fmt(out, "who holds %zu %s listener%s that a rule is about cannot be seen (%s%s): %s", count,
                protocol_name(protocol), count == 1 ? "" : "s", buf_text(&names),
                count > JUDGE_ENDPOINTS ? ", ..." : "",
                hidden ? "this takes CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH in the host's PID namespace"
                       : "no process here does");
    out->failed |= names.failed;
    buf_done(&names);
    return count > 0;
}

int judge_class(struct evaluation *ev, enum protocol protocol)
{
    const struct class_view *view = listener_table_class(ev->table, protocol);
    struct finding f = {.key = {.rule = RULE_BLIND, .protocol = protocol}};
    bool is_blind = true;
    struct buf summary;

    if (view->visibility == VISIBILITY_UNKNOWN ||
        !rules_need(ev->policy, protocol, view->visibility, &f.severity))
        return 0;
    buf_init(&summary);
    if (view->visibility != VISIBILITY_OK)
        buf_fmt(&summary, "%s sockets cannot be read: %s", protocol_name(protocol),
                err_str(view->visibility == VISIBILITY_FAILED ? view->error : ERR_UNSUPPORTED));
    else if (view->cut > 0 && judge_needs_others(ev->policy, protocol)) /* expected ports are never cut */
        buf_fmt(&summary, "%u %s listeners beyond limits.listeners are not judged", view->cut,
                protocol_name(protocol));
    else {
        is_blind = describe_untold(ev, protocol, &summary);
        f.for_ms = 1; /* a holder may just have ended: it must be so at the next poll, too */
    }
    if (is_blind)
        return judge_add(ev->verdict, &f, &summary);
    buf_done(&summary);
    return 0;
}
