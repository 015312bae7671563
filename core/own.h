/* sockwatch's own listening sockets: how they are told from those of others.
 *
 * An address tells nothing: somebody else may serve it in another address family,
 * or when sockwatch does not. The daemon knows its sockets by their cookies. A
 * look from outside can only tell by what an unprivileged user cannot choose,
 * which is the user of a socket and its system unit; and the answer of whoever is
 * trusted for that. Pure; any thread. */
#ifndef SOCKWATCH_CORE_OWN_H
#define SOCKWATCH_CORE_OWN_H

#include "core/inventory.h"

/* The cookies of its listening sockets, which no other socket ever has. Whoever
 * found them owns them. */
struct own_sockets {
    uint64_t *cookies;
    size_t count;
};

/* Whether all sockets of a listener are sockwatch's own. */
bool own_has(const struct own_sockets *own, const struct listener *l);

/* Whether a TCP socket that is bound to no interface stands where a sockwatch
 * would open one that is to serve there. */
bool own_stands_at(const struct ip_port *served, const struct ip_addr *address, uint16_t port);

/* What a look from outside says to a listener that stands where sockwatch is to
 * serve. */
enum own_proof {
    OWN_NONE,   /* it cannot be told, whatever it answers: its user may be anybody */
    OWN_ANSWER, /* it is sockwatch's if it says so */
    OWN_UNIT,   /* it is the service's */
};

/* uid   who asks, and trusts himself */
enum own_proof own_proof(const struct listener *l, uint32_t uid);

/* Fills in where to connect so that this listener answers, and no other one.
 * Returns whether there is such an address. */
bool own_reach(const struct inventory *inv, const struct listener *l, struct ip_port *ret);

#endif
