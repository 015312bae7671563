/* The connections of one port, and which ports are told one by one.
 *
 * A host has few ports that somebody listens on, but may be connected to all that
 * there are elsewhere; of those the ones that somebody asked for and the busiest
 * are told, all others as one. Pure; any thread. */
#ifndef SOCKWATCH_CORE_CONN_ROW_H
#define SOCKWATCH_CORE_CONN_ROW_H

#include "core/connection.h"
#include "core/port_set.h"

struct conn_row {
    uint16_t port;
    uint32_t states[STATE_COUNT];
    uint32_t not_accepted; /* established ones that no process has accepted yet */
};

/* Which remote ports are told one by one. */
struct conn_choice {
    const uint16_t *ports; /* asked for: of tcp always, of others when there is any; borrowed */
    size_t port_count;
    size_t top; /* and as many of the others, the busiest; CONN_TOP_MAX at most */
    /* Whether somebody else asks for a port; NULL: nobody does. */
    bool (*asks)(const void *arg, enum protocol protocol, uint16_t port);
    const void *arg;
};

enum { CONN_TOP_MAX = 100, CONN_PORTS_MAX = 256 };

/* Finds the ports that are told one by one. Port 0, which is none, never is.
 *
 * sums    sockets of each port, by its number
 * ports   those that there are; of several that are equally busy the first are chosen
 *
 * Returns how many there are in the set. */
size_t conn_choose(const uint32_t *sums, const struct port_set *ports, enum protocol protocol,
                   const struct conn_choice *choice, struct port_set *ret_chosen);

#endif
