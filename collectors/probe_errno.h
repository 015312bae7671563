/* What the error of a TCP connect says: something of the target, or something of this
 * host alone. Pure; any thread. */
#ifndef SOCKWATCH_COLLECTORS_PROBE_ERRNO_H
#define SOCKWATCH_COLLECTORS_PROBE_ERRNO_H

#include "core/probe.h"

/* error   as connect() or SO_ERROR told it, positive; 0: connected
 *
 * Returns 0 and fills *ret, or -error where it is no fault of the target's.
 * Source: connect(2), Linux net/ipv4/icmp.c, net/ipv6/icmp.c, net/ipv4/fib_semantics.c. */
int probe_errno_result(int error, enum probe_result *ret);

#endif
