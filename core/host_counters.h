/* What the kernel counts for a network namespace as a whole, beside its single
 * sockets: connection attempts and datagrams that were lost, and what TCP holds.
 * Plain data.
 *
 * A kernel tells what it has: what it did not say is not known, and never 0.
 * Source: linux/snmp.h, net/ipv4/proc.c. */
#ifndef SOCKWATCH_CORE_HOST_COUNTERS_H
#define SOCKWATCH_CORE_HOST_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers of events since the namespace was made, but for the last three, which
 * are how much there is now. */
enum host_counter {
    HOST_TCP_LISTEN_OVERFLOWS,
    HOST_TCP_LISTEN_DROPS,
    HOST_TCP_REQUEST_QUEUE_FULL_DROPS,
    HOST_TCP_REQUEST_QUEUE_FULL_COOKIES,
    HOST_TCP_SYNCOOKIES_SENT,
    HOST_TCP_SYNCOOKIES_RECEIVED,
    HOST_TCP_SYNCOOKIES_FAILED,
    HOST_TCP_BACKLOG_DROPS,
    HOST_TCP_ABORTS_ON_MEMORY,
    HOST_TCP_TIME_WAIT_OVERFLOWS,
    HOST_TCP_EMBRYONIC_RESETS,
    HOST_UDP_RECEIVE_BUFFER_ERRORS_IPV4,
    HOST_UDP_RECEIVE_BUFFER_ERRORS_IPV6,
    HOST_UDP_IN_ERRORS_IPV4,
    HOST_UDP_IN_ERRORS_IPV6,
    HOST_UDP_NO_PORTS_IPV4,
    HOST_UDP_NO_PORTS_IPV6,
    HOST_TCP_ORPHANS, /* of all namespaces together */
    HOST_TCP_TIME_WAIT_SOCKETS,
    HOST_TCP_MEMORY_BYTES, /* of all namespaces together */
    HOST_COUNTER_COUNT
};

struct host_counters {
    bool known[HOST_COUNTER_COUNT];
    uint64_t values[HOST_COUNTER_COUNT]; /* 0 where not known */
};

/* Whether both tell the same. */
bool host_counters_are_same(const struct host_counters *a, const struct host_counters *b);

#endif
