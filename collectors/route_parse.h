/* rtnetlink bytes: asking the kernel how it would route to an address, which
 * tells whether the address is its own. Pure; any thread.
 * Source: rtnetlink(7), linux/rtnetlink.h. */
#ifndef SOCKWATCH_COLLECTORS_ROUTE_PARSE_H
#define SOCKWATCH_COLLECTORS_ROUTE_PARSE_H

#include "core/net.h"

/* Room for any request. */
#define ROUTE_REQUEST_MAX 128

/* Writes a request for the route to an address.
 *
 * ifindex   the interface of a link-local address, 0 for any other
 *
 * Returns its length in bytes. */
size_t route_request(const struct ip_addr *address, uint32_t ifindex, uint32_t sequence,
                     char ret_bytes[static ROUTE_REQUEST_MAX]);

/* Reads the answer, what one receive call returned.
 *
 * Returns 1 when a socket bound to the address can receive (it is local,
 * broadcast or anycast here), 0 when it cannot now, ERR_SEQUENCE,
 * or -EBADMSG when the answer makes no sense. */
int route_parse(const void *bytes, size_t length, uint32_t sequence);

#endif
