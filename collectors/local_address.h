/* Whether an address is one of this host's, now.
 *
 * A socket may be bound to an address that the host does not have (IP_FREEBIND,
 * ip_nonlocal_bind, an address removed meanwhile). Lists of interface addresses
 * do not tell: a "local" route makes whole networks local that no interface
 * names. So the kernel's routing decision is asked for. Main thread only. */
#ifndef SOCKWATCH_COLLECTORS_LOCAL_ADDRESS_H
#define SOCKWATCH_COLLECTORS_LOCAL_ADDRESS_H

#include "core/listener.h"

struct local_addresses;

/* Returns owned, or NULL when memory runs out. */
struct local_addresses *local_addresses_new(void);
void local_addresses_free(struct local_addresses *a);

/* Forgets all answers: the host has changed, or nobody can tell whether it has. */
void local_addresses_forget(struct local_addresses *a);

/* Begins a poll, which may ask the kernel for a number of addresses: whoever
 * makes sockets chooses theirs. */
void local_addresses_begin(struct local_addresses *a);

/* Nobody "has" a multicast group, so about those nothing is told either.
 *
 * ifindex         the interface the socket is bound to, 0 for none. Interfaces
 *                 may have routing tables of their own (VRF), so only link-local
 *                 addresses can be told there.
 * ret_malformed   is increased by 1 when the kernel's answer made no sense
 *
 * Returns PRESENCE_UNKNOWN where it cannot be told, or not in this poll. */
enum presence local_addresses_look(struct local_addresses *a, const struct ip_addr *address, uint32_t ifindex,
                                   uint64_t *ret_malformed);

#endif
