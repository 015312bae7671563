/* Inside of the connection counter: the sockets of one protocol and direction, by
 * port and state. Counting a socket costs the same whatever else was counted, and
 * telling the ports costs what is told. Only core/conn_table.c includes this. */
#ifndef SOCKWATCH_CORE_CONN_PLANE_H
#define SOCKWATCH_CORE_CONN_PLANE_H

#include "core/conn_row.h"

/* Begins as {0}. Both arrays are allocated when first needed. */
struct conn_plane {
    uint32_t (*states)[STATE_COUNT]; /* owned; of each port; slot 0, which is no state: not accepted */
    uint32_t *sums;                  /* owned; of each port, in all states */
    struct port_set ports;           /* that are told */
    size_t count;                    /* of them */
    uint64_t totals[STATE_COUNT];    /* of all ports */
};

/* Lets a port be told, also while it has no socket. Returns 0 or -ENOMEM. */
int conn_plane_put(struct conn_plane *plane, uint16_t port);

/* Counts a socket. Returns 0 or -ENOMEM. */
int conn_plane_add(struct conn_plane *plane, uint16_t port, uint8_t state, bool not_accepted);

/* Forgets what was counted. */
void conn_plane_reset(struct conn_plane *plane);
void conn_plane_done(struct conn_plane *plane);

/* Makes rows of the ports that are told, or of some of them, in order.
 *
 * count   how many they are
 *
 * Returns owned, or NULL when memory runs out. */
struct conn_row *conn_plane_rows(const struct conn_plane *plane, const struct port_set *ports, size_t count);

#endif
