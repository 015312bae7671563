#include "core/own.h"

#include <string.h>

/* What the service is installed as, and whom it runs as. No unprivileged user
 * can start a system unit, or choose the name that is known for a user. */
static const char service_unit[] = "sockwatch.service", service_user[] = "sockwatch";

static bool has_cookie(const struct own_sockets *own, uint64_t cookie)
{
    for (size_t i = 0; cookie != 0 && i < own->count; i++)
        if (own->cookies[i] == cookie)
            return true;
    return false;
}

bool own_has(const struct own_sockets *own, const struct listener *l)
{
    if (own->count == 0 || l->protocol != PROTOCOL_TCP || l->sockets == 0 || l->followed < l->sockets)
        return false;
    for (uint32_t i = 0; i < l->sockets; i++)
        if (!has_cookie(own, l->members[i].cookie))
            return false;
    return true;
}

bool own_stands_at(const struct ip_port *served, const struct ip_addr *address, uint16_t port)
{
    struct ip_addr wanted = ip_addr_unmap(served->address);

    if (served->port != port)
        return false;
    /* On a host without IPv6 "[::]" becomes 0.0.0.0. */
    return ip_addr_compare(&wanted, address) == 0 ||
           (wanted.version == 6 && ip_addr_is_any(wanted) && ip_addr_is_any(*address));
}

static bool is_service(const char *unit)
{
    return strcmp(unit, service_unit) == 0;
}

/* Where it is not known in which unit a socket was made, everybody who holds it
 * has to be of the service. */
static bool is_of_service(const struct owner_set *owners)
{
    if (*owners->unit)
        return is_service(owners->unit);
    for (size_t i = 0; i < owners->count; i++)
        if (!is_service(owners->holders[i]->unit))
            return false;
    return owners->count > 0 && owners->unlisted == 0;
}

enum own_proof own_proof(const struct listener *l, uint32_t uid)
{
    const struct owner_set *owners;

    /* sockwatch shares its sockets with nobody. */
    if (l->protocol != PROTOCOL_TCP || l->sockets != 1 || l->followed != 1 || l->members[0].cookie == 0)
        return OWN_NONE;
    owners = l->members[0].owners;
    if (owners && is_of_service(owners))
        return OWN_UNIT;
    if (l->members[0].uid == 0 || l->members[0].uid == uid ||
        (owners && strcmp(owners->user, service_user) == 0))
        return OWN_ANSWER;
    return OWN_NONE;
}

/* A wildcard is reached over loopback, of both families over IPv4, which a host
 * has in any case. */
static struct ip_addr address_of(const struct listener *l)
{
    static const struct ip_addr loopback4 = {.version = 4, .bytes = {127, 0, 0, 1}},
                                loopback6 = {.version = 6, .bytes = {[15] = 1}};

    if (!ip_addr_is_any(l->address))
        return l->address;
    return family_serves(l->family, 4) ? loopback4 : loopback6;
}

static bool serves(const struct listener *l, const struct ip_addr *address)
{
    return ip_addr_compare(&l->address, address) == 0 ||
           (ip_addr_is_any(l->address) && family_serves(l->family, address->version));
}

bool own_reach(const struct inventory *inv, const struct listener *l, struct ip_port *ret)
{
    const struct ip_addr address = address_of(l);
    size_t count, serving = 0;
    const struct listener *on_port = inventory_port(inv, PROTOCOL_TCP, l->port, &count);

    for (size_t i = 0; i < count; i++)
        serving += serves(&on_port[i], &address);
    *ret = (struct ip_port){.address = address, .port = l->port};
    return serving == 1 && serves(l, &address);
}
