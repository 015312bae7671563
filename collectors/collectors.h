/* From the kernel to tables: the sources and what they share.
 *
 * One const table registers them. A source that fails marks its class of
 * sockets as failed and the poll goes on with the next one. Listeners are read
 * at once; what can be long, counting connections and looking for owners, is
 * done in steps between the polls. Nothing here logs or reads a clock: a
 * caller passes the time in, and looks at the tables and at the runs. One
 * thread. */
#ifndef SOCKWATCH_COLLECTORS_COLLECTORS_H
#define SOCKWATCH_COLLECTORS_COLLECTORS_H

#include "core/budget.h"
#include "core/history.h"
#include "core/snapshot.h"
#include "core/status.h"

struct collectors;

/* ret   returns owned; filled on success only
 *
 * Returns 0, -ENOMEM, or -errno when the kernel gives no sock_diag socket. */
int collectors_open(struct collectors **ret);
void collectors_close(struct collectors *c);

/* How to read listeners. Everything is borrowed. */
struct listener_poll {
    const struct limits *limits;
    const struct policy *policy;
    const struct services *services; /* may be NULL; must outlive what is made of it */
    const struct history *history;   /* tells who was shown before; may be NULL */
    const struct listener_table
        *previous;        /* what was shown before, which stays where a look takes longer; may be NULL */
    bool auto_ports;      /* also datagram sockets whose port the kernel chose */
    bool wait_for_owners; /* look for all owners first */
    bool anew;            /* what was found is wanted also where it is the same */
};

/* Reads all listeners, chooses those that are shown one by one, and tells what
 * is known of their owners by now.
 *
 * clock   of its budget only the clock is used
 * ret     borrowed until the next poll; NULL when nothing has changed since the
 *         last one, and then nothing was allocated; filled on success only
 *
 * Returns 0 or -ENOMEM. What could not be read is in the classes. */
int collectors_poll_listeners(struct collectors *c, const struct listener_poll *how,
                              const struct budget *clock, const struct inventory **ret);

/* Whether something was found out that the last poll could not tell. */
bool collectors_have_news(const struct collectors *c);

/* Whether the last poll listed any class of listeners over netlink. */
bool collectors_saw_anything(const struct collectors *c);

/* Begins to count all connections, and to read what the kernel counts itself,
 * unless that is under way.
 *
 * by_unit   count them by unit, too */
void collectors_begin_connections(struct collectors *c, bool by_unit, int64_t now_ms);

/* When collectors_step() is wanted next, on CLOCK_MONOTONIC: now or earlier
 * when there is something to do, INT64_MAX for never. */
int64_t collectors_due_ms(const struct collectors *c, int64_t now_ms);

/* Goes on with what takes long, until the budget is spent or nothing is due. */
void collectors_step(struct collectors *c, const struct budget *budget);

/* Takes the connections once they are counted.
 *
 * choice   which remote ports are told one by one
 * ret   returns owned (a reference); filled when 1 is returned
 *
 * Returns 1, 0 when they are not counted yet, or -ENOMEM: this count is lost.
 * What could not be read is not complete in the table. */
int collectors_take_connections(struct collectors *c, const struct conn_choice *choice,
                                const struct conn_table **ret);

/* Takes them by unit, after collectors_take_connections() has returned 1. Returns
 * owned (a reference), or NULL where that was not asked for, or could not be read. */
const struct unit_table *collectors_take_units(struct collectors *c);

/* What the kernel counted itself, as it was when connections were taken last;
 * borrowed. Nothing is known before that. */
const struct host_counters *collectors_host_counters(const struct collectors *c);

/* The last run of every source; the array has COLLECTOR_RUNS_MAX places.
 * Returns their number. */
size_t collectors_runs(const struct collectors *c, struct collector_run *ret_runs);

/* Forgets what was found out and is believed for a while: what the kernel does
 * not support, so that a diag module loaded meanwhile is used (done by itself
 * every five minutes), users' names, and who holds which socket. The next poll
 * tells all in any case. */
void collectors_refresh(struct collectors *c);

/* Readable when the host's addresses or interfaces have changed, and
 * collectors_note_host() is to be called; -1 where the kernel does not tell. */
int collectors_host_fd(const struct collectors *c);
void collectors_note_host(struct collectors *c);

/* Reads the host's settings that make a bind scope mean something else. */
struct caveats collectors_caveats(void);

/* The ports that the kernel chooses from by itself. */
struct port_range collectors_local_ports(void);

/* Reads the system's services and protocols databases. Returns owned, or NULL
 * when memory runs out; a system without the databases yields an empty table. */
struct services *collectors_services(void);

#endif
