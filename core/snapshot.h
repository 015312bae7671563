/* A snapshot: all that sockwatch knows of the sockets at one moment, sealed.
 *
 * It is a list of spaces, one per network namespace, the host's first. Each
 * joins the newest listener table with the newest connection table, which are
 * polled at different rates; a table that did not change is shared with the
 * snapshot before. A snapshot is const from the moment it is made, and any
 * thread may read it. */
#ifndef SOCKWATCH_CORE_SNAPSHOT_H
#define SOCKWATCH_CORE_SNAPSHOT_H

#include "core/conn_table.h"
#include "core/host_counters.h"
#include "core/listener_table.h"
#include "core/unit_counts.h"
#include "core/probe.h"

/* Things about the host that a bind scope cannot show. */
struct caveats {
    bool route_localnet_known;
    bool route_localnet; /* some interface routes 127.0.0.0/8 from outside */
};

/* One network namespace. What could be seen of it, its tables tell. */
struct space {
    const char *name; /* static; "" for the host's */
    const struct listener_table *listeners;
    const struct conn_table *connections; /* NULL until they were read */
    const struct unit_table *units;       /* likewise; NULL also where nobody asks for it */
    struct caveats caveats;
    struct host_counters counters;      /* nothing is known until connections were read */
    const struct probe_results *probes; /* by the entries of the policy; NULL for none */
};

struct snapshot;

/* Seals a snapshot, which takes references to the tables of its spaces.
 *
 * Returns owned (a reference), or NULL when memory runs out. */
const struct snapshot *snapshot_new(const struct space *spaces, size_t count);
const struct snapshot *snapshot_ref(const struct snapshot *s);
void snapshot_unref(const struct snapshot *s);

/* All spaces; valid as long as s. */
const struct space *snapshot_spaces(const struct snapshot *s, size_t *ret_count);

/* The host's own, which every snapshot has. */
const struct space *snapshot_host(const struct snapshot *s);

/* Counts of a local port, or NULL when connections of the protocol were not
 * read. A port without any socket yields a row of zeros. Indexed by enum
 * sock_state. */
const uint32_t *space_connections(const struct space *s, enum protocol protocol, uint16_t port);

/* How many of the established ones among them no process has accepted yet, of a
 * protocol that was read. */
uint32_t space_not_accepted(const struct space *s, enum protocol protocol, uint16_t port);

#endif
