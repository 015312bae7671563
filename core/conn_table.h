/* Connection counts by protocol, direction, port and state.
 *
 * A socket whose local port somebody listens on is counted by that port, any
 * other by the remote one. A conn_counter is the flat table that a collector counts
 * into while kernel messages arrive; nothing is kept per socket, so its size does
 * not grow with their number. It is one thread's. Sealing turns it into a
 * conn_table, a sparse const value that any thread may read. */
#ifndef SOCKWATCH_CORE_CONN_TABLE_H
#define SOCKWATCH_CORE_CONN_TABLE_H

#include "core/conn_row.h"
#include "core/ephemeral.h"

struct conn_counter;
struct conn_table;

/* Returns owned, or NULL when memory runs out. */
struct conn_counter *conn_counter_new(void);
void conn_counter_free(struct conn_counter *c);

/* Lets the local ports of TCP connections be counted as well, by another counter,
 * which is told who listens, reset and sealed with this one, but begins by itself.
 * Keeps it; NULL for none. */
void conn_counter_set_ports(struct conn_counter *c, struct ephemeral_counter *ports);

/* Forgets what was counted, and who listens. */
void conn_counter_begin(struct conn_counter *c);

/* Somebody listens on the port: sockets of it that are counted from now on are
 * inbound. A TCP or SCTP socket that listens says so itself when it is counted, and
 * the kernel lists those first. */
void conn_counter_listen(struct conn_counter *c, enum protocol protocol, uint16_t port);

/* Which direction a socket of the port has that is counted now. */
enum direction conn_counter_direction(const struct conn_counter *c, enum protocol protocol,
                                      uint16_t local_port);

/* Counts one socket. Returns 0, -EINVAL when its state is not one of enum
 * sock_state, which a newer kernel may send, or -ENOMEM; nothing is counted then. */
int conn_counter_add(struct conn_counter *c, enum protocol protocol, const struct connection *connection);

/* Forgets what was counted for a protocol whose dump failed half-way. */
void conn_counter_reset(struct conn_counter *c, enum protocol protocol);

/* Says that the protocol was read to the end, so that a 0 is a real 0. */
void conn_counter_complete(struct conn_counter *c, enum protocol protocol);

/* Makes a table of all counted so far and empties the counter.
 *
 * choice   which remote ports are told one by one; NULL: all
 *
 * Returns owned (a reference), or NULL when memory runs out. */
const struct conn_table *conn_counter_seal(struct conn_counter *c, const struct conn_choice *choice);
const struct conn_table *conn_table_ref(const struct conn_table *t);
void conn_table_unref(const struct conn_table *t);

/* Whether both tell the same; either may be NULL. */
bool conn_table_is_same(const struct conn_table *a, const struct conn_table *b);

/* Whether the protocol was read to the end. */
bool conn_table_complete(const struct conn_table *t, enum protocol protocol);

/* Counts of one local port that somebody listens on, indexed by enum sock_state;
 * NULL when it has no socket at all. Valid as long as t. */
const uint32_t *conn_table_port(const struct conn_table *t, enum protocol protocol, uint16_t port);

/* How many of its established connections no process has accepted yet. */
uint32_t conn_table_not_accepted(const struct conn_table *t, enum protocol protocol, uint16_t port);

/* The ports of a direction, local ones of inbound and remote ones of outbound, in
 * order. Valid as long as t. */
const struct conn_row *conn_table_rows(const struct conn_table *t, enum protocol protocol,
                                       enum direction direction, size_t *ret_count);

/* Outbound sockets of ports that are not among the rows, and those that are
 * connected to nobody, indexed by enum sock_state. */
const uint64_t *conn_table_other(const struct conn_table *t, enum protocol protocol);

/* Counts of all ports and both directions together, indexed by enum sock_state. */
const uint64_t *conn_table_totals(const struct conn_table *t, enum protocol protocol);

/* The local ports in use, not known unless TCP was read to the end. Valid as long as t. */
const struct ephemeral *conn_table_ephemeral(const struct conn_table *t);

#endif
