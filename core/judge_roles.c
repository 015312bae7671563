/* Which listeners on an expected port are the service. */
#include "core/judge.h"

#include <string.h>

/* Several paths may share what stands for their port. */
static bool is_at_path(const struct matcher *match, const struct listener *l)
{
    return l->protocol != PROTOCOL_UNIX || strcmp(match->path, l->path) == 0;
}

/* An entry with addresses owns the listeners that are bound to exactly those.
 *
 * A listener that another entry asks for by its address is not the service, but
 * where the service should be public and this one is on loopback, it is what
 * the operator must be told about. One that nobody asks for is the matter of
 * the entry that asks for no address, if there is one; a wildcard serves them
 * all, but where the entry has an address of its own bound, that gets the
 * connections, and the wildcard is left to the entry that it has of its own.
 * What sits on a port that the kernel chose is nobody's service: a program that
 * asked for any and got this one is not what clients look for here.
 *
 * has_bound   something on the port is bound to an address of the entry's */
static enum role role_of(const struct site *site, const struct listener *l, const struct note *note,
                         bool has_bound)
{
    const struct matcher *match = &site->entry->match;
    bool addressed = match->address_count > 0;
    bool unwanted_loopback = !addressed && match->scope == WANT_PUBLIC && l->scope == SCOPE_LOOPBACK;

    if (l->auto_port || !is_at_path(match, l))
        return ROLE_NONE;
    if (matcher_asks_for(match, &l->address))
        return ROLE_BOUND;
    if (note->askers > 0)
        return unwanted_loopback ? ROLE_BESIDE : ROLE_NONE;
    if (!addressed)
        return ROLE_SERVES;
    if (note->has_open && (has_bound || !ip_addr_is_any(l->address)))
        return ROLE_NONE;
    return has_bound ? ROLE_BESIDE : ROLE_SERVES;
}

/* Whether some socket of a listener is, or may be, of the owner that the entry
 * asks for.
 *
 * ret_awaited   set when that hangs on an owner who is looked for */
static bool may_be_of_owner(const struct expect *e, const struct listener *l, bool *ret_awaited)
{
    *ret_awaited = false;
    for (uint32_t i = 0; i < l->followed; i++) {
        const struct owner_set *owners = l->members[i].owners;
        enum owner_match match = owner_match(&e->match.owner, owners);

        if (match == OWNER_MATCHES || (match == OWNER_UNTOLD && judge_is_unseen(owners))) {
            *ret_awaited = false;
            return true;
        }
        *ret_awaited |= match == OWNER_UNTOLD;
    }
    return *ret_awaited || l->followed < l->sockets;
}

bool judge_serves(const struct listener *l, const struct ip_addr *address)
{
    if (l->scope == SCOPE_LOOPBACK && !ip_addr_is_loopback(*address))
        return false; /* also where it is bound to the address, but to the loopback device */
    return ip_addr_is_any(l->address) ? family_serves(l->family, address->version)
                                      : ip_addr_compare(&l->address, address) == 0;
}

/* Which of the entry's addresses the listener serves, as a mask. */
static uint64_t served_addresses(const struct matcher *match, const struct listener *l)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < match->address_count; i++)
        if (judge_serves(l, &match->addresses[i]))
            mask |= UINT64_C(1) << i;
    return mask;
}

/* Where the entry has its address, a listener beside it may be somebody else's. */
static void assign_role(struct site *site, const struct listener *l, bool has_bound)
{
    const struct matcher *match = &site->entry->match;
    struct note *note = &site->notes[l->index];

    note->awaited = false;
    note->role = role_of(site, l, note, has_bound);
    if (note->role == ROLE_BESIDE && match->address_count > 0 &&
        !may_be_of_owner(site->entry, l, &note->awaited))
        note->role = ROLE_NONE;
    if (note->role == ROLE_NONE)
        return;
    site->found++;
    site->loopback += l->scope == SCOPE_LOOPBACK;
    site->missing &= ~served_addresses(match, l);
}

void judge_assign_roles(struct site *site)
{
    const struct matcher *match = &site->entry->match;
    bool has_bound = false;

    for (size_t i = 0; match->address_count > 0 && i < site->count; i++)
        has_bound |= matcher_asks_for(match, &site->listeners[i]->address);
    if (match->address_count > 0)
        site->missing = UINT64_MAX >> (MATCHER_ADDRESSES_MAX - match->address_count);
    for (size_t i = 0; i < site->count; i++)
        assign_role(site, site->listeners[i], has_bound);
}

bool judge_is_exposed(const struct site *site, const struct listener *l)
{
    enum role role = site->notes[l->index].role;

    if (role == ROLE_NONE || l->scope == SCOPE_LOOPBACK)
        return false;
    if (site->want == WANT_LOOPBACK)
        return site->entry->match.address_count == 0 || role != ROLE_BOUND;
    return site->entry->match.address_count > 0 && role != ROLE_BOUND &&
           (site->missing == 0 || ip_addr_is_any(l->address));
}

void judge_cover(struct site *site)
{
    const struct matcher *match = &site->entry->match;

    for (size_t i = 0; i < site->count; i++) {
        const struct listener *l = site->listeners[i];
        enum role role = site->notes[l->index].role;

        if (role != ROLE_NONE && (role == ROLE_BOUND || match->address_count == 0 || site->missing != 0 ||
                                  judge_is_exposed(site, l) || served_addresses(match, l) != 0))
            site->notes[l->index].covered = true;
    }
}
