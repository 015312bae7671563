/* Listeners that are never wanted. */
#include "core/judge.h"

/* A wildcard is bound to each address of its versions. */
static bool address_matches(const struct matcher *match, const struct listener *l)
{
    if (match->address_count == 0 || matcher_asks_for(match, &l->address))
        return true;
    for (size_t i = 0; ip_addr_is_any(l->address) && i < match->address_count; i++)
        if (family_serves(l->family, match->addresses[i].version))
            return true;
    return false;
}

static bool place_matches(const struct matcher *match, const struct listener *l)
{
    return judge_scope_matches(match->scope, l->scope) && address_matches(match, l);
}

/* One socket of a listener is enough. */
static enum owner_match match_sockets(const struct matcher *match, const struct listener *l,
                                      struct objection *ret)
{
    enum owner_match best = OWNER_DIFFERS;
    bool others = listener_has_strangers(l);

    ret->unseen = others;
    for (uint32_t i = 0; i < l->followed && best != OWNER_MATCHES; i++) {
        const struct owner_set *owners = l->members[i].owners;
        enum owner_match socket = owner_match_unwanted(&match->owner, owners);

        ret->unseen |= socket == OWNER_UNTOLD && judge_is_unseen(owners);
        if (socket >= best && ret->owners)
            continue;
        ret->owners = owners;
        best = socket < best ? socket : best;
    }
    return best == OWNER_DIFFERS && others ? OWNER_UNTOLD : best;
}

/* What the worst entry says: one that is sure before one that is not. */
static struct objection judge_by_denies(const struct policy *policy, const struct listener *l)
{
    struct objection worst = {.rule = RULE_COUNT};
    const struct deny *d;
    struct port_walk walk;

    policy_walk_denies(policy, l->protocol, l->port, &walk);
    while ((d = policy_next_deny(policy, &walk))) {
        struct objection said = {
            .rule = RULE_UNEXPECTED_LISTENER, .what = "listens, but is denied", .severity = d->severity};
        enum owner_match match;

        if (!place_matches(&d->match, l))
            continue;
        match = match_sockets(&d->match, l, &said);
        said.untold = match == OWNER_UNTOLD;
        if (match == OWNER_DIFFERS)
            continue;
        if (worst.rule == RULE_COUNT || said.untold < worst.untold ||
            (said.untold == worst.untold && said.severity > worst.severity))
            worst = said;
    }
    return worst;
}

int judge_denied(struct evaluation *ev, const struct listener *l)
{
    struct objection objection;

    if (ev->verdict->listeners[l->index].own || listener_is_client(l) || !judge_was_read(ev, l))
        return 0;
    objection = judge_by_denies(ev->policy, l);
    if (objection.rule == RULE_COUNT)
        return 0;
    /* While its owner is looked for nothing else is said of it. */
    ev->notes[l->index].denied = !objection.untold || !objection.unseen;
    return judge_object(ev, l, &objection);
}

bool judge_could_deny(const struct policy *policy, const struct listener *l)
{
    const struct deny *d;
    struct port_walk walk;

    policy_walk_denies(policy, l->protocol, l->port, &walk);
    while ((d = policy_next_deny(policy, &walk)))
        if (place_matches(&d->match, l))
            return true;
    return false;
}
