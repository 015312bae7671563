/* One cycle: collect, judge. It holds everything that lives from one poll to
 * the next: the collectors, the current snapshot and verdict, the alerts, the
 * counters. The daemon turns it forever, the other subcommands once. Main
 * thread only. */
#ifndef SOCKWATCH_DAEMON_CYCLE_H
#define SOCKWATCH_DAEMON_CYCLE_H

#include "collectors/collectors.h"
#include "config/config.h"
#include "exporters/prom.h"

struct cycle {
    struct collectors *collectors;
    struct services *services;
    struct snapshot snapshot;
    struct verdict verdict;
    struct alerts alerts;
    struct counters counters;
    struct prom_dropped dropped;
    struct instant config_loaded; /* the configuration in use */
    bool last_reload_successful;
};

/* Both clocks, now. */
struct instant instant_now(void);

/* Opens what polling needs. Returns 0, or a negative error for err_str(). */
int cycle_open(struct cycle *c);

/* Frees everything, in reverse order. */
void cycle_close(struct cycle *c);

/* What to collect, as a mask; CYCLE_AUTO_PORTS adds to the listeners the
 * datagram sockets whose port the kernel chose. */
enum { CYCLE_LISTENERS = 1, CYCLE_CONNECTIONS = 2, CYCLE_AUTO_PORTS = 4 };

/* Polls what is asked for; the rest of the snapshot stays.
 *
 * Returns 0, or -ENOMEM: what could not be collected stays, too. */
int cycle_collect(struct cycle *c, const struct config *config, unsigned what);

/* Judges the snapshot and moves the alerts on.
 *
 * ignore_for   conditions fire at once
 *
 * Returns 0 or -ENOMEM: the alerts of before stay. */
int cycle_judge(struct cycle *c, const struct config *config, const struct ip_ports *own, bool ignore_for,
                alert_transition_fn *on_transition, void *arg);

/* Whether sock_diag listed any class of listeners in the last poll. */
bool cycle_sees_anything(const struct cycle *c);

/* What an exporter may look at; borrows from both. Only a daemon, which polls
 * for long, has counted restarts. */
struct view cycle_view(const struct cycle *c, const struct config *config, bool has_history);

#define CYCLE_ROUTE_LOCALNET_TEXT \
    "route_localnet is set on an interface: listeners on 127.0.0.0/8 may be reachable from outside"

/* A line when the class cannot be read, or only in part, and why. */
void cycle_describe_class(const struct cycle *c, enum protocol protocol, struct buf *out);

/* Such a line for each class that may hold sockets unseen, and one for each
 * caveat of the host. */
void cycle_describe_blindness(const struct cycle *c, struct buf *out);

#endif
