/* Counting sockets of a port on which somebody listens. */
#ifndef SOCKWATCH_TESTS_UNIT_COUNTED_H
#define SOCKWATCH_TESTS_UNIT_COUNTED_H

#include "core/conn_table.h"

/* Returns as conn_counter_add(). */
static inline int count_socket(struct conn_counter *c, enum protocol protocol, uint16_t port, uint8_t state)
{
    const struct connection connection = {.local_port = port, .state = state, .inode = 1};

    conn_counter_listen(c, protocol, port);
    return conn_counter_add(c, protocol, &connection);
}

/* Likewise one that no process has. */
static inline int count_nobodys(struct conn_counter *c, enum protocol protocol, uint16_t port, uint8_t state)
{
    const struct connection connection = {.local_port = port, .state = state};

    conn_counter_listen(c, protocol, port);
    return conn_counter_add(c, protocol, &connection);
}

#endif
