/* From the kernel to tables: the collectors and what they share.
 *
 * One const table registers them. A collector that fails marks its class of
 * sockets as failed in the table and the poll goes on with the next one.
 * Nothing here logs; a caller that wants to know looks at the tables and at
 * the runs. Main thread only. */
#ifndef SOCKWATCH_COLLECTORS_COLLECTORS_H
#define SOCKWATCH_COLLECTORS_COLLECTORS_H

#include "core/snapshot.h"

struct collectors;

/* ret   returns owned; filled on success only
 *
 * Returns 0, -ENOMEM, or -errno when the kernel gives no sock_diag socket. */
int collectors_open(struct collectors **ret);
void collectors_close(struct collectors *c);

/* How to read listeners. Everything is borrowed. */
struct listener_poll {
    size_t limit; /* services kept at most, as in listener_builder_new() */
    const struct policy *policy;
    const struct listener_table *previous; /* of the poll before, or NULL: a listener of it that is
                                              not found is looked for a second time */
    const struct services *services;       /* may be NULL */
    bool auto_ports;                       /* also datagram sockets whose port the kernel chose */
};

/* Reads all listeners, and looks for their owners.
 *
 * ret   returns owned; filled on success only
 *
 * Returns 0 or -ENOMEM. What could not be read is in the table's classes. */
int collectors_poll_listeners(struct collectors *c, const struct listener_poll *how,
                              struct listener_table **ret);

/* Counts all connections. Returns as collectors_poll_listeners(); what could
 * not be read is not complete in the table. */
int collectors_poll_connections(struct collectors *c, struct conn_table **ret);

/* The last run of every collector; the array has COLLECTOR_RUNS_MAX places.
 * Returns their number. */
size_t collectors_runs(const struct collectors *c, struct collector_run *ret_runs);

/* Messages and lines of the kernel's that made no sense, since the start. */
uint64_t collectors_malformed(const struct collectors *c, size_t run_index);

/* Forgets what was found out and is believed for a while: what the kernel does
 * not support, so that a diag module loaded meanwhile is used (done by itself
 * every five minutes), users' names, and who holds which socket. */
void collectors_refresh(struct collectors *c);

/* Reads the host's settings that make a bind scope mean something else. */
struct caveats collectors_caveats(void);

/* Reads the system's services and protocols databases. Returns owned, or NULL
 * when memory runs out; a system without the databases yields an empty table. */
struct services *collectors_services(void);

#endif
